/* SPDX-License-Identifier: Apache-2.0 */
/* ops_name.c - FUSE requests about names and attributes. Each handler turns node ids into FIDs,
 * calls the core, answers. Permissions were checked by the kernel (default_permissions). */
#include "client/fuse/face.h"
#include <sys/stat.h>
#include <sys/statvfs.h>

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct flane *fl = flane_here();
	uint64_t asked = asked_here();
	struct fuse_entry_param p;
	struct entry e;
	struct fid dir;
	int rc;

	rc = face_fid(fl->face, parent, &dir);
	if (rc == 0)
		rc = fs_co_lookup(fl->ln, &dir, SPAN_STR(name), &e);
	if (rc) {
		reply_rc(req, rc);
		return;
	}
	reply_entry_param(fl, asked, &e, &p);
	if (p.entry_timeout == 0)
		glance_looked_up(fl, (uint32_t)fuse_req_ctx(req)->pid, &e);
	acl_note(fl, &e.fid, &e.attr, (uint32_t)fuse_req_ctx(req)->pid);
	reply_send_entry(fl, req, &p);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct flane *fl = flane_here();
	uint64_t asked = asked_here();
	struct attr a;
	struct fid fid;
	int rc;

	(void)fi;
	rc = face_fid(fl->face, ino, &fid);
	if (rc == 0)
		rc = fid_eq(&fid, fs_root(fl->face->fs)) ? away_co_getattr_root(fl, &a)
							 : fs_co_getattr(fl->ln, &fid, &a);
	if (rc == -ENOENT && glance_removed_dir(fl, &fid, &a))
		rc = 0;
	reply_attr(fl, req, asked, stale_rc(rc), &fid, &a);
}

static int64_t ns_of(uint64_t sec, uint32_t nsec)
{
	int64_t s = (int64_t)sec, max = INT64_MAX / NSEC_PER_SEC - 1;

	/* Nanoseconds in 64 bits end in 2262 and begin in 1677. */
	s = s > max ? max : s < -max ? -max : s;
	return s * NSEC_PER_SEC + nsec;
}

static uint32_t setattr_valid_of(uint32_t v)
{
	uint32_t valid = 0;

	if (v & FATTR_MODE)
		valid |= SETATTR_MODE;
	if (v & FATTR_UID)
		valid |= SETATTR_UID;
	if (v & FATTR_GID)
		valid |= SETATTR_GID;
	if (v & FATTR_SIZE)
		valid |= SETATTR_SIZE;
	if (v & FATTR_ATIME_NOW)
		valid |= SETATTR_ATIME_NOW;
	else if (v & FATTR_ATIME)
		valid |= SETATTR_ATIME;
	if (v & FATTR_MTIME_NOW)
		valid |= SETATTR_MTIME_NOW;
	else if (v & FATTR_MTIME)
		valid |= SETATTR_MTIME;
	if (v & FATTR_KILL_SUIDGID)
		valid |= SETATTR_KILL_PRIV;
	return valid;
}

/* From the request itself: libfuse 3.14 does not pass FATTR_KILL_SUIDGID on under that name. */
static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set,
		       struct fuse_file_info *fi)
{
	HOLD_FILE(fi);
	struct flane *fl = flane_here();
	uint64_t asked = asked_here();
	const struct fuse_setattr_in *in = serve_body(serve_here(), sizeof(*in));
	struct attr a = {0}, got;
	uint32_t valid;
	struct fid fid;
	int rc;

	(void)st;
	(void)to_set;
	if (!in) {
		reply_rc(req, -EINVAL);
		return;
	}
	valid = setattr_valid_of(in->valid);
	if (!valid) /* chown(-1, -1): only clears set-id bits */
		valid = SETATTR_KILL_PRIV;
	a.mode = in->mode;
	a.uid = in->uid;
	a.gid = in->gid;
	a.size = in->size;
	a.atime = ns_of(in->atime, in->atimensec);
	a.mtime = ns_of(in->mtime, in->mtimensec);
	rc = face_fid(fl->face, ino, &fid);
	if (rc == 0)
		rc = fs_co_setattr(fl->ln, &fid, held_fi, valid, &a, &got);
	reply_attr(fl, req, asked, stale_rc(rc), &fid, &got);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct flane *fl = flane_here();
	struct buf *b;
	struct fid fid;
	ssize_t n;
	int rc;

	rc = face_fid(fl->face, ino, &fid);
	if (rc) {
		reply_rc(req, rc);
		return;
	}
	b = flane_co_buf(fl, MAX_PATH);
	n = fs_co_readlink(fl->ln, &fid, (char *)b->ptr, b->cap);
	if (n < 0)
		reply_rc(req, stale_rc((int)n));
	else
		fuse_reply_buf(req, (char *)b->ptr, (size_t)n < b->cap ? (size_t)n : b->cap);
	buf_put(b);
}

static void make(fuse_req_t req, fuse_ino_t parent, const char *name, uint32_t mode, uint64_t rdev,
		 struct span target)
{
	struct flane *fl = flane_here();
	struct cred cred = reply_cred(req);
	uint64_t asked = asked_here();
	struct entry e;
	struct fid dir;
	int rc;

	rc = face_fid(fl->face, parent, &dir);
	if (rc == 0)
		rc = fs_co_make(fl->ln, &dir, SPAN_STR(name), mode, rdev, target, &cred, &e);
	reply_entry(fl, req, asked, rc, &e);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	make(req, parent, name, mode, rdev, SPAN_NONE);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	make(req, parent, name, (mode & 07777) | S_IFDIR, 0, SPAN_NONE);
}

static void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	make(req, parent, name, S_IFLNK | 0777, 0, SPAN_STR(link));
}

static void drop_name(fuse_req_t req, fuse_ino_t parent, const char *name, bool rmdir)
{
	struct flane *fl = flane_here();
	struct fid dir;
	int rc;

	rc = face_fid(fl->face, parent, &dir);
	if (rc == 0)
		rc = fs_co_unlink(fl->ln, &dir, SPAN_STR(name), rmdir);
	reply_rc(req, rc);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	drop_name(req, parent, name, false);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	drop_name(req, parent, name, true);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
		      const char *newname, unsigned int flags)
{
	struct flane *fl = flane_here();
	struct fid from, to;
	int rc;

	rc = face_fid(fl->face, parent, &from);
	if (rc == 0)
		rc = face_fid(fl->face, newparent, &to);
	if (rc == 0)
		rc = fs_co_rename(fl->ln, &from, SPAN_STR(name), &to, SPAN_STR(newname), flags);
	reply_rc(req, rc);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	struct flane *fl = flane_here();
	uint64_t asked = asked_here();
	struct fid fid, dir;
	struct entry e;
	int rc;

	rc = face_fid(fl->face, ino, &fid);
	if (rc == 0)
		rc = face_fid(fl->face, newparent, &dir);
	if (rc == 0)
		rc = fs_co_link(fl->ln, &fid, &dir, SPAN_STR(newname), &e);
	reply_entry(fl, req, asked, rc, &e);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct flane *fl = flane_here();
	struct fs_space s;
	struct statvfs v;
	int rc;

	(void)ino;
	rc = fs_co_statfs(fl->ln, &s);
	if (rc) {
		reply_rc(req, rc);
		return;
	}
	v = (struct statvfs){
		.f_bsize = s.bsize,
		.f_frsize = s.bsize,
		.f_blocks = s.blocks,
		.f_bfree = s.bfree,
		.f_bavail = s.bavail,
		.f_files = s.files,
		.f_ffree = s.ffree,
		.f_favail = s.ffree,
		.f_namemax = MAX_NAME,
	};
	fuse_reply_statfs(req, &v);
}

void ops_name(struct fuse_lowlevel_ops *o)
{
	o->lookup = op_lookup;
	o->getattr = op_getattr;
	o->setattr = op_setattr;
	o->readlink = op_readlink;
	o->mknod = op_mknod;
	o->mkdir = op_mkdir;
	o->symlink = op_symlink;
	o->unlink = op_unlink;
	o->rmdir = op_rmdir;
	o->rename = op_rename;
	o->link = op_link;
	o->statfs = op_statfs;
}
