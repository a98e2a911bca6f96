/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c - from FIDs and attributes to node ids, struct stat and replies; how long the kernel
 * may believe them. The node id is the inode number of the FID, so there is no table of inodes
 * and nothing to forget; only the root of the mount has the id 1 whatever its FID is. */
#include "client/fuse/face.h"
#include <sys/stat.h>

#define ACL_SAME_CALL_NS (2 * NSEC_PER_MSEC)

enum { BLKSIZE_FILE = 1 << 20, BLKSIZE_OTHER = 4096 };

int face_fid(const struct face *f, fuse_ino_t node, struct fid *out)
{
	if (node == FUSE_ROOT_ID) {
		*out = *fs_root(f->fs);
		return 0;
	}
	return fid_from_ino(node, out);
}

uint64_t face_node(const struct face *f, const struct fid *fid)
{
	return fid_eq(fid, fs_root(f->fs)) ? FUSE_ROOT_ID : fid_to_ino(fid);
}

static struct timespec ts_of(int64_t ns)
{
	struct timespec ts = {ns / NSEC_PER_SEC, ns % NSEC_PER_SEC};

	if (ts.tv_nsec < 0) { /* before 1970 */
		ts.tv_nsec += NSEC_PER_SEC;
		ts.tv_sec--;
	}
	return ts;
}

void reply_stat(const struct fid *fid, const struct attr *a, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = fid_to_ino(fid);
	st->st_mode = a->mode;
	st->st_nlink = a->nlink;
	st->st_uid = a->uid;
	st->st_gid = a->gid;
	st->st_rdev = (dev_t)a->rdev;
	st->st_size = (off_t)a->size;
	st->st_blocks = (blkcnt_t)a->blocks;
	st->st_blksize = S_ISREG(a->mode) ? BLKSIZE_FILE : BLKSIZE_OTHER;
	st->st_atim = ts_of(a->atime);
	st->st_mtim = ts_of(a->mtime);
	st->st_ctim = ts_of(a->ctime);
}

uint64_t reply_keep_ns(struct flane *fl, uint64_t asked, const struct fid *fid,
		       const struct attr *a, bool name)
{
	struct face *f = fl->face;

	if (f->opt.nocache || (name && !f->keeps_names))
		return 0;
	return fs_lease_tell(f->fs, fid, a, name, asked, loop_clock(fl->loop));
}

void reply_entry_param(struct flane *fl, uint64_t asked, const struct entry *e,
		       struct fuse_entry_param *p)
{
	uint64_t node = face_node(fl->face, &e->fid);
	double keep_s;

	known_add(fl->face->known, node); /* before it is decided what may be kept: see known.c */
	keep_s = (double)reply_keep_ns(fl, asked, &e->fid, &e->attr, true) / 1e9;
	*p = (struct fuse_entry_param){
		.ino = node,
		.attr_timeout = keep_s,
		.entry_timeout = keep_s,
	};
	reply_stat(&e->fid, &e->attr, &p->attr);
	glance_dir(fl, &e->fid, &e->attr);
}

void reply_send_entry(struct flane *fl, fuse_req_t req, const struct fuse_entry_param *p)
{
	if (fuse_reply_entry(req, p))
		known_forget(fl->face->known, p->ino, 1);
}

void reply_entry(struct flane *fl, fuse_req_t req, uint64_t asked, int rc, const struct entry *e)
{
	struct fuse_entry_param p;

	if (rc) {
		reply_rc(req, rc);
		return;
	}
	acl_note(fl, &e->fid, &e->attr, (uint32_t)fuse_req_ctx(req)->pid);
	reply_entry_param(fl, asked, e, &p);
	reply_send_entry(fl, req, &p);
}

void reply_attr(struct flane *fl, fuse_req_t req, uint64_t asked, int rc, const struct fid *fid,
		const struct attr *a)
{
	struct stat st;

	if (rc) {
		reply_rc(req, rc);
		return;
	}
	acl_note(fl, fid, a, (uint32_t)fuse_req_ctx(req)->pid);
	reply_stat(fid, a, &st);
	glance_dir(fl, fid, a);
	fuse_reply_attr(req, &st, (double)reply_keep_ns(fl, asked, fid, a, false) / 1e9);
}

/* The kernel takes ENOSYS as "never ask again": no server may switch an operation off. */
void reply_rc(fuse_req_t req, int rc)
{
	int err = rc < 0 ? -rc : rc;

	if (err == ENOSYS)
		err = EOPNOTSUPP;
	if (err > 511)
		err = EIO;
	fuse_reply_err(req, err);
}

void reply_open_out(const struct face *f, struct file *file, struct fuse_open_out *o)
{
	file_told(file);
	*o = (struct fuse_open_out){
		.fh = file_number(file),
		.open_flags = FOPEN_KEEP_CACHE, /* it is told to forget when it must */
	};
	if (!file_is_cached(file))
		o->open_flags |= FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
	/* FLUSH gives back fcntl locks, and tells writers of errors. */
	if (f->opt.locks != LOCKS_FLOCK && !file_writes(file))
		o->open_flags |= FOPEN_NOFLUSH;
}

void reply_attr_out(const struct fid *fid, const struct attr *a, struct fuse_attr *o)
{
	struct stat st;

	reply_stat(fid, a, &st);
	*o = (struct fuse_attr){
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.blocks = (uint64_t)st.st_blocks,
		.atime = (uint64_t)st.st_atim.tv_sec,
		.mtime = (uint64_t)st.st_mtim.tv_sec,
		.ctime = (uint64_t)st.st_ctim.tv_sec,
		.atimensec = (uint32_t)st.st_atim.tv_nsec,
		.mtimensec = (uint32_t)st.st_mtim.tv_nsec,
		.ctimensec = (uint32_t)st.st_ctim.tv_nsec,
		.mode = st.st_mode,
		.nlink = (uint32_t)st.st_nlink,
		.uid = st.st_uid,
		.gid = st.st_gid,
		.rdev = (uint32_t)st.st_rdev,
		.blksize = (uint32_t)st.st_blksize,
	};
}

void reply_entry_out(struct flane *fl, uint64_t asked, const struct entry *e,
		     struct fuse_entry_out *o)
{
	uint64_t node = face_node(fl->face, &e->fid), keep;

	known_add(fl->face->known, node);
	keep = reply_keep_ns(fl, asked, &e->fid, &e->attr, true);
	*o = (struct fuse_entry_out){
		.nodeid = node,
		.entry_valid = keep / NSEC_PER_SEC,
		.attr_valid = keep / NSEC_PER_SEC,
		.entry_valid_nsec = (uint32_t)(keep % NSEC_PER_SEC),
		.attr_valid_nsec = (uint32_t)(keep % NSEC_PER_SEC),
	};
	reply_attr_out(&e->fid, &e->attr, &o->attr);
}

struct cred reply_cred(fuse_req_t req)
{
	const struct fuse_ctx *c = fuse_req_ctx(req);

	return (struct cred){c->uid, c->gid, (uint32_t)c->pid, c->umask};
}

/* ---- who has no ACL ----
 *
 * With default_permissions the kernel asks for the ACL of every inode that it checks, right after
 * its attributes; these already said whether there is one. What no lease covers is only used for
 * the thread that was just told: it is still in the same system call. */

static struct acl_seen *acl_slot(struct flane *fl, uint64_t ino)
{
	return &fl->acl[(ino * 0x9e3779b97f4a7c15ULL >> 40) % ACL_CACHE];
}

void acl_note(struct flane *fl, const struct fid *fid, const struct attr *a, uint32_t tid)
{
	uint64_t ino = fid_to_ino(fid);
	struct acl_seen *s = acl_slot(fl, ino);

	if (a->flags & ATTR_HAS_ACL) {
		if (s->ino == ino)
			s->ino = 0;
		return;
	}
	*s = (struct acl_seen){
		.ino = ino,
		.until_ns = loop_now(fl->loop) + ACL_SAME_CALL_NS,
		.gen = atomic_load(&fl->face->acl_gen),
		.tid = tid,
	};
}

bool acl_none(struct flane *fl, const struct fid *fid, uint32_t tid)
{
	uint64_t ino = fid_to_ino(fid);
	const struct acl_seen *s = acl_slot(fl, ino);
	struct attr a;

	if (fs_lease_attr(fl->face->fs, fid, loop_clock(fl->loop), &a))
		return !(a.flags & ATTR_HAS_ACL);
	return s->ino == ino && loop_now(fl->loop) < s->until_ns && s->tid == tid &&
	       s->gen == atomic_load(&fl->face->acl_gen);
}
