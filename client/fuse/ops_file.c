/* SPDX-License-Identifier: Apache-2.0 */
/* ops_file.c - FUSE requests on open files.
 *
 * Replies to OPEN and CREATE are put together by hand: libfuse 3.14 has no way to say that
 * writes to one file may go in parallel. A file that the kernel no longer wants when the answer
 * arrives (the caller was interrupted) is closed again here, because no RELEASE will come for
 * it.
 */
#include "client/fuse/face.h"
#include <fcntl.h>
#include <sys/stat.h>

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct flane *fl = flane_here();
	const struct fuse_open_in *in = serve_body(serve_here(), sizeof(*in));
	bool kill = in && (in->open_flags & FUSE_OPEN_KILL_SUIDGID);
	struct fuse_open_out out;
	struct attr a = {0};
	struct file *file;
	struct fid fid;
	int rc;

	rc = face_fid(fl->face, ino, &fid);
	file = fs_claim_file(fl->ln); /* which the last process has opened */
	if (rc == 0 && !file)
		rc = fs_co_open(fl->ln, &fid, fi->flags, &file, NULL);
	if (rc) {
		reply_rc(req, stale_rc(rc));
		return;
	}
	if (kill && fs_co_setattr(fl->ln, &fid, file, SETATTR_KILL_PRIV, &a, &a)) {
		fs_co_release(fl->ln, file);
		reply_rc(req, -EIO);
		return;
	}
	a.flags = file_has_acl(file) ? ATTR_HAS_ACL : 0;
	acl_note(fl, &fid, &a, (uint32_t)fuse_req_ctx(req)->pid); /* asked for after O_TRUNC */
	reply_open_out(fl->face, file, &out);
	if (fuse_reply_buf(req, (const char *)&out, sizeof(out)))
		fs_co_release(fl->ln, file);
}

/* A file that the last process has made for this request. */
static int claimed(struct flane *fl, struct file *file, struct entry *e)
{
	e->fid = *file_fid(file);
	return fs_co_getattr(fl->ln, &e->fid, &e->attr);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	struct flane *fl = flane_here();
	uint64_t asked = asked_here();
	struct cred cred = reply_cred(req);
	struct {
		struct fuse_entry_out e;
		struct fuse_open_out o;
	} out;
	struct file *file;
	struct entry e;
	struct fid dir;
	int rc;

	rc = face_fid(fl->face, parent, &dir);
	file = fs_claim_file(fl->ln);
	if (rc == 0 && file)
		rc = claimed(fl, file, &e);
	else if (rc == 0)
		rc = fs_co_create(fl->ln, &dir, SPAN_STR(name), fi->flags, mode, &cred, &e, &file);
	glance_created(fl, cred.pid, rc ? NULL : &e);
	if (rc) {
		reply_rc(req, rc);
		return;
	}
	acl_note(fl, &e.fid, &e.attr, cred.pid);
	reply_entry_out(fl, asked, &e, &out.e);
	reply_open_out(fl->face, file, &out.o);
	if (fuse_reply_buf(req, (const char *)&out, sizeof(out))) {
		known_forget(fl->face->known, out.e.nodeid, 1);
		fs_co_release(fl->ln, file);
	}
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct flane *fl = flane_here();
	struct file *file = fi_file(fi);
	struct fs_lock all = {.space = LOCK_FLOCK, .type = F_UNLCK, .owner = fi->lock_owner,
			      .end = UINT64_MAX};
	bool unlock = fi->flock_release;

	(void)ino;
	file_released(file);
	/* Nobody waits for the answer, but the kernel counts it against its limit of requests. */
	fuse_reply_err(req, 0);
	if (unlock && fs_co_setlk(fl->ln, file_fid(file), &all, false, NULL))
		fs_co_setlk(fl->ln, file_fid(file), &all, false, NULL);
	fs_co_release(fl->ln, file);
}

static void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	HOLD_FILE(fi);
	struct flane *fl = flane_here();
	struct fid fid;
	int rc;

	rc = face_fid(fl->face, ino, &fid);
	if (rc == 0)
		rc = fs_co_flush(fl->ln, &fid, fi->lock_owner);
	if (rc == 0)
		rc = fs_pending_error(held_fi);
	reply_rc(req, rc);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	HOLD_FILE(fi);
	struct flane *fl = flane_here();
	const struct fuse_read_in *in = serve_body(serve_here(), sizeof(*in));
	/* read(2) that goes past the page cache says whose it is; the page cache does not. */
	bool page = in && !(in->read_flags & FUSE_READ_LOCKOWNER);
	struct file *file = fi_file(fi);
	struct buf *b;
	uint8_t *mem;
	ssize_t n;

	(void)ino;
	if (size > MAX_BULK) {
		reply_rc(req, -EINVAL);
		return;
	}
	mem = flane_co_read_mem(fl, serve_here(), size ? (uint32_t)size : 1, &b);
	n = (page ? fs_co_read_page : fs_co_read)(fl->ln, file, mem, size, (uint64_t)off);
	if (n < 0)
		reply_rc(req, (int)n);
	else
		fuse_reply_buf(req, (const char *)mem, (size_t)n);
	if (b)
		buf_put(b);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	HOLD_FILE(fi);
	struct flane *fl = flane_here();
	const struct fuse_write_in *in = serve_body(serve_here(), sizeof(*in));
	struct file *file = fi_file(fi);
	uint64_t at = (uint64_t)off;
	/* Pages of a mapping go where they belong, whatever the descriptor's flags. */
	bool cached = in && (in->write_flags & FUSE_WRITE_CACHE);
	bool kill = in && (in->write_flags & FUSE_WRITE_KILL_SUIDGID);
	ssize_t n;

	(void)ino;
	n = cached ? fs_co_write_page(fl->ln, file, buf, size, at)
		   : fs_co_write(fl->ln, file, buf, size, &at, fi->flags & O_APPEND, kill);
	if (n < 0)
		reply_rc(req, (int)n);
	else
		fuse_reply_write(req, (size_t)n);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	HOLD_FILE(fi);
	struct flane *fl = flane_here();

	(void)ino;
	reply_rc(req, fs_co_fsync(fl->ln, held_fi, datasync));
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
			 struct fuse_file_info *fi)
{
	HOLD_FILE(fi);
	struct flane *fl = flane_here();
	bool kill = fuse_req_ctx(req)->uid != 0;
	int rc = -EINVAL;

	(void)ino;
	if (off >= 0 && len > 0)
		rc = fs_co_fallocate(fl->ln, held_fi, mode, (uint64_t)off, (uint64_t)len);
	if (rc == 0 && kill)
		rc = fs_co_kill_priv(fl->ln, held_fi);
	reply_rc(req, rc);
}

static void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
		     struct fuse_file_info *fi)
{
	HOLD_FILE(fi);
	struct flane *fl = flane_here();
	int64_t at;

	(void)ino;
	at = off < 0 ? -ENXIO : fs_co_lseek(fl->ln, held_fi, (uint64_t)off, whence);
	if (at < 0)
		reply_rc(req, (int)at);
	else
		fuse_reply_lseek(req, at);
}

static void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
			       struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
			       struct fuse_file_info *fi_out, size_t len, int flags)
{
	HOLD_FILE(fi_in);
	HOLD_FILE(fi_out);
	struct flane *fl = flane_here();
	ssize_t n;

	(void)ino_in;
	(void)ino_out;
	if (flags) {
		reply_rc(req, -EINVAL);
		return;
	}
	n = fs_co_copy_range(fl->ln, held_fi_in, (uint64_t)off_in, held_fi_out,
			     (uint64_t)off_out, len);
	if (n > 0 && fuse_req_ctx(req)->uid && fs_co_kill_priv(fl->ln, held_fi_out))
		n = -EIO;
	if (n < 0)
		reply_rc(req, (int)n);
	else
		fuse_reply_write(req, (size_t)n);
}

void ops_file(struct fuse_lowlevel_ops *o)
{
	o->open = op_open;
	o->create = op_create;
	o->release = op_release;
	o->flush = op_flush;
	o->read = op_read;
	o->write = op_write;
	o->fsync = op_fsync;
	o->fallocate = op_fallocate;
	o->lseek = op_lseek;
	o->copy_file_range = op_copy_file_range;
}

/* ---- O_TMPFILE ----
 *
 * libfuse 3.14 has no operation for it, so the lane brings the request here. The body is that
 * of CREATE. */

void tmpfile_co_serve(struct flane *fl, const struct serve *s)
{
	const struct fuse_in_header *h = serve_head(s);
	const struct fuse_create_in *in = serve_body(s, sizeof(*in));
	uint64_t unique = h->unique, asked = s->asked_ns;
	struct {
		struct fuse_entry_out e;
		struct fuse_open_out o;
	} out;
	struct cred cred = {h->uid, h->gid, h->pid, in ? in->umask : 0};
	struct file *file;
	struct entry e;
	struct fid dir;
	int rc;

	rc = in ? face_fid(fl->face, h->nodeid, &dir) : -EINVAL;
	file = fs_claim_file(fl->ln);
	if (rc == 0 && file)
		rc = claimed(fl, file, &e);
	else if (rc == 0)
		rc = fs_co_tmpfile(fl->ln, &dir, (int)in->flags, in->mode, &cred, &e, &file);
	if (rc) {
		/* ENOSYS would switch it off for good. */
		raw_reply(fl->face, unique, rc == -ENOSYS ? -EOPNOTSUPP : rc, NULL, 0);
		return;
	}
	reply_entry_out(fl, asked, &e, &out.e);
	reply_open_out(fl->face, file, &out.o);
	if (raw_reply(fl->face, unique, 0, &out, sizeof(out))) {
		known_forget(fl->face->known, out.e.nodeid, 1);
		fs_co_release(fl->ln, file);
	}
}
