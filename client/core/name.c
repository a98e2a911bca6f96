/* SPDX-License-Identifier: Apache-2.0 */
/* name.c - operations on names: each is one request to the MDS. Nothing is cached: the kernel's
 * entries live as long as the FUSE face says, which is a matter of that face. */
#include "client/core/core.h"
#include <dirent.h>
#include <sys/stat.h>

/* What the MDS said of a directory that this operation has changed. */
void name_dir_changed(struct lane *ln, const struct fid *dir, const struct attr *a)
{
	const struct fs_cfg *cfg = &ln->fs->cfg;

	if (cfg->dir_attr && S_ISDIR(a->mode))
		cfg->dir_attr(cfg->dir_attr_arg, ln, dir, a);
}

int fs_co_lookup(struct lane *ln, const struct fid *dir, struct span name, struct entry *out)
{
	struct mds_lookup_req q = {.parent = *dir, .name = name};
	struct mds_lookup_rep p;
	RPC_CALL(call);
	int rc = name_check(name);
	OP_TIMER(ln, lookup);

	if (rc == 0)
		rc = mds_co_lookup(ln->mdt->imp, &call, &q, &p);
	if (rc == 0 && !fid_is_sane(&p.fid))
		rc = -EPROTO;
	if (rc == 0)
		rc = attr_co_finish(ln, &p.fid, p.layout, p.open_seq, &p.attr);
	if (rc == 0)
		*out = (struct entry){p.fid, p.attr};
	return rc;
}

static enum fs_stat make_stat(uint32_t mode)
{
	return S_ISDIR(mode) ? FS_STAT_mkdir : S_ISLNK(mode) ? FS_STAT_symlink : FS_STAT_mknod;
}

int fs_co_make(struct lane *ln, const struct fid *dir, struct span name, uint32_t mode,
	       uint64_t rdev, struct span target, const struct cred *cred, struct entry *out)
{
	struct mds_create_req q = {
		.parent = *dir,
		.name = name,
		.mode = mode,
		.umask = cred->umask,
		.uid = cred->uid,
		.gid = cred->gid,
		.rdev = rdev,
		.open_flags = OPEN_EXCL,
		.target = target,
	};
	struct mds_create_rep p;
	RPC_CALL(call);
	uint64_t start = loop_clock(ln->loop);
	int rc = name_check(name);

	if (rc == 0 && target.len > MAX_PATH - 1)
		rc = -ENAMETOOLONG;
	if (rc == 0)
		rc = seq_co_fid(ln, &q.fid);
	if (rc == 0)
		rc = mds_co_create(ln->mdt->imp, &call, &q, &p);
	if (rc)
		return rc;
	name_dir_changed(ln, dir, &p.parent_attr);
	*out = (struct entry){p.fid, p.attr};
	stat_add(&ln->stats[make_stat(mode)], (loop_clock(ln->loop) - start) / 1000);
	return 0;
}

int fs_co_link(struct lane *ln, const struct fid *fid, const struct fid *dir, struct span name,
	       struct entry *out)
{
	struct mds_link_req q = {.fid = *fid, .parent = *dir, .name = name};
	struct mds_link_rep p;
	RPC_CALL(call);
	int rc = name_check(name);
	OP_TIMER(ln, link);

	if (rc == 0)
		rc = mds_co_link(ln->mdt->imp, &call, &q, &p);
	if (rc == 0) {
		name_dir_changed(ln, dir, &p.parent_attr);
		rc = attr_co_finish(ln, fid, p.layout, 0, &p.attr);
	}
	if (rc == 0)
		*out = (struct entry){*fid, p.attr};
	return rc;
}

int fs_co_unlink(struct lane *ln, const struct fid *dir, struct span name, bool rmdir)
{
	struct mds_unlink_req q = {.parent = *dir, .name = name, .rmdir = rmdir};
	struct mds_unlink_rep p;
	RPC_CALL(call);
	uint64_t start = loop_clock(ln->loop);
	int rc = name_check(name);

	if (rc == 0)
		rc = mds_co_unlink(ln->mdt->imp, &call, &q, &p);
	if (rc == 0)
		name_dir_changed(ln, dir, &p.parent_attr);
	stat_add(&ln->stats[rmdir ? FS_STAT_rmdir : FS_STAT_unlink],
		 (loop_clock(ln->loop) - start) / 1000);
	return rc;
}

int fs_co_rename(struct lane *ln, const struct fid *from_dir, struct span from,
		 const struct fid *to_dir, struct span to, uint32_t flags)
{
	struct mds_rename_req q = {
		.from_parent = *from_dir,
		.from_name = from,
		.to_parent = *to_dir,
		.to_name = to,
		.flags = flags,
	};
	struct mds_rename_rep p;
	RPC_CALL(call);
	int rc = name_check(from);
	OP_TIMER(ln, rename);

	if (rc == 0)
		rc = name_check(to);
	if (rc == 0)
		rc = mds_co_rename(ln->mdt->imp, &call, &q, &p);
	return rc;
}

ssize_t fs_co_readlink(struct lane *ln, const struct fid *fid, char *buf, size_t len)
{
	struct mds_readlink_req q = {.fid = *fid};
	struct mds_readlink_rep p;
	RPC_CALL(call);
	int rc = mds_co_readlink(ln->mdt->imp, &call, &q, &p);

	if (rc)
		return rc;
	if (p.target.len)
		memcpy(buf, p.target.ptr, p.target.len < len ? p.target.len : len);
	return p.target.len;
}

/* ---- directories ---- */

enum { COOKIE_DOT = 1, COOKIE_DOTDOT = 2 };

static int give_record(struct rbuf *r, bool plus, fs_dirent_fn *fn, void *arg, int *stop)
{
	struct fs_dirent d = {0};
	int rc;

	if (plus) {
		struct mds_dirent_plus e;

		rc = dec_mds_dirent_plus(r, &e);
		if (rc == 0)
			d = (struct fs_dirent){{e.fid, e.attr}, e.cookie, e.dtype, e.name};
	} else {
		struct mds_dirent e;

		rc = dec_mds_dirent(r, &e);
		if (rc == 0)
			d = (struct fs_dirent){{.fid = e.fid}, e.cookie, e.dtype, e.name};
	}
	if (rc == 0 && !fid_is_sane(&d.e.fid))
		rc = -EBADMSG;
	if (rc == 0)
		*stop = fn(arg, &d);
	return rc == -EBADMSG ? -EIO : rc;
}

static int give_dots(const struct fid *dir, const struct fid *parent, uint64_t cookie,
		     fs_dirent_fn *fn, void *arg)
{
	struct fs_dirent d = {.e = {.fid = *dir, .attr = {.mode = S_IFDIR}}, .cookie = COOKIE_DOT,
			      .dtype = DT_DIR, .name = SPAN_STR(".")};
	int stop = 0;

	if (cookie < COOKIE_DOT)
		stop = fn(arg, &d);
	if (stop || cookie >= COOKIE_DOTDOT)
		return stop;
	d.e.fid = fid_is_sane(parent) ? *parent : *dir;
	d.cookie = COOKIE_DOTDOT;
	d.name = SPAN_STR("..");
	return fn(arg, &d);
}

int fs_co_readdir_some(struct lane *ln, const struct fid *dir, uint64_t cookie, bool plus,
		       uint32_t max_bytes, fs_dirent_fn *fn, void *arg, bool *eof)
{
	struct mds_readdir_req q = {
		.fid = *dir,
		.cookie = cookie <= COOKIE_DOTDOT ? 0 : cookie,
		.max_bytes = max_bytes < READDIR_BODY ? max_bytes : READDIR_BODY,
		.flags = plus ? READDIR_PLUS : 0,
	};
	struct mds_readdir_rep p;
	struct rbuf r;
	RPC_CALL(call);
	int rc, stop;
	OP_TIMER(ln, readdir);

	rc = mds_co_readdir(ln->mdt->imp, &call, &q, &p);
	if (rc)
		return rc;
	*eof = false;
	stop = give_dots(dir, &p.parent, cookie, fn, arg);
	r = rbuf_of(p.entries);
	while (!stop && r.len && rc == 0)
		rc = give_record(&r, plus, fn, arg, &stop);
	if (rc == 0 && !stop)
		*eof = p.eof;
	return rc;
}

int fs_co_readdir(struct lane *ln, const struct fid *dir, uint64_t cookie, bool plus,
		  fs_dirent_fn *fn, void *arg, bool *eof)
{
	return fs_co_readdir_some(ln, dir, cookie, plus, READDIR_BODY, fn, arg, eof);
}

int fs_co_syncdir(struct lane *ln, const struct fid *dir)
{
	struct mds_sync_req q = {.fid = *dir};
	struct mds_sync_rep p;
	RPC_CALL(call);
	OP_TIMER(ln, fsync);

	return mds_co_sync(ln->mdt->imp, &call, &q, &p);
}
