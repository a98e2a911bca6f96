/* SPDX-License-Identifier: Apache-2.0 */
/* ops_lock.c - fcntl and flock locks, and what happens when the waiting process gets a signal.
 *
 * FUSE_INTERRUPT may be read by any lane. libfuse then calls setlk_interrupted() on that
 * thread, which only posts a work to the lane where the request waits; there the wait is
 * cancelled at the MDS. The handler does not return before a posted work has run, because the
 * work lies on its stack.
 */
#include "client/fuse/face.h"
#include <fcntl.h>
#include <sys/file.h>

struct waiting {
	struct flane *fl;
	struct fs_lock_wait w;
	struct loop_work work;
	atomic_bool posted;
};

static void cancel_here(void *arg)
{
	struct waiting *wait = arg;

	fs_lock_cancel(&wait->w);
	atomic_store(&wait->posted, false);
}

static void setlk_interrupted(fuse_req_t req, void *arg)
{
	struct waiting *wait = arg;

	(void)req;
	if (!atomic_exchange(&wait->posted, true))
		loop_post(wait->fl->loop, &wait->work);
}

static int setlk(struct flane *fl, fuse_req_t req, const struct fid *fid, const struct fs_lock *lk,
		 bool wait)
{
	struct waiting w = {.fl = fl, .w = {.ln = fl->ln}};
	int rc;

	if (!wait)
		return fs_co_setlk(fl->ln, fid, lk, false, NULL);
	w.work = (struct loop_work){.fn = cancel_here, .arg = &w};
	fuse_req_interrupt_func(req, setlk_interrupted, &w);
	rc = fs_co_setlk(fl->ln, fid, lk, true, &w.w);
	fuse_req_interrupt_func(req, NULL, NULL);
	while (atomic_load(&w.posted))
		co_yield();
	return rc;
}

/* Lustre says ENOSYS here; of locks the kernel asks again all the same (see reply_rc()). */
static bool refused(const struct flane *fl, fuse_req_t req)
{
	bool none = fl->face->opt.locks == LOCKS_NONE;

	if (none)
		fuse_reply_err(req, ENOSYS);
	return none;
}

/* Through an open file that has lost a lock none is given: nothing could be done under it.
 * Unlocking always works. */
static int may_lock(struct flane *fl, fuse_ino_t ino, struct fuse_file_info *fi,
		    const struct fs_lock *lk, struct fid *fid)
{
	int rc = face_fid(fl->face, ino, fid);

	return rc == 0 && lk->type != F_UNLCK && file_lost_lock(fi_file(fi)) ? -EIO : rc;
}

static struct fs_lock lock_of(const struct flock *l, uint64_t owner)
{
	struct fs_lock lk = {
		.space = LOCK_POSIX,
		.type = (uint8_t)l->l_type,
		.owner = owner,
		.start = (uint64_t)l->l_start,
		.end = l->l_len ? (uint64_t)(l->l_start + l->l_len - 1) : UINT64_MAX,
		.pid = (uint32_t)l->l_pid,
	};

	/* The kernel's "to the end" comes as the largest offset. */
	if (lk.end >= INT64_MAX)
		lk.end = UINT64_MAX;
	return lk;
}

static void op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *l)
{
	struct flane *fl = flane_here();
	struct fs_lock lk = lock_of(l, fi->lock_owner);
	struct flock out = {.l_whence = SEEK_SET};
	struct fid fid;
	int rc;

	if (refused(fl, req))
		return;
	rc = face_fid(fl->face, ino, &fid);
	if (rc == 0)
		rc = fs_co_getlk(fl->ln, &fid, &lk);
	if (rc) {
		reply_rc(req, rc);
		return;
	}
	out.l_type = (short)lk.type;
	out.l_start = (off_t)lk.start;
	out.l_len = lk.end >= INT64_MAX ? 0 : (off_t)(lk.end - lk.start + 1);
	out.l_pid = (pid_t)lk.pid;
	fuse_reply_lock(req, &out);
}

static void op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *l,
		     int sleep)
{
	struct flane *fl = flane_here();
	struct fs_lock lk = lock_of(l, fi->lock_owner);
	struct fid fid;
	int rc;

	if (refused(fl, req))
		return;
	lk.handle = file_handle(fi_file(fi));
	rc = may_lock(fl, ino, fi, &lk, &fid);
	if (rc == 0)
		rc = setlk(fl, req, &fid, &lk, sleep && lk.type != F_UNLCK);
	reply_rc(req, rc);
}

static void op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op)
{
	struct flane *fl = flane_here();
	struct fs_lock lk = {.space = LOCK_FLOCK, .owner = fi->lock_owner, .end = UINT64_MAX,
			     .handle = file_handle(fi_file(fi)),
			     .pid = (uint32_t)fuse_req_ctx(req)->pid};
	struct fid fid;
	int rc;

	if (refused(fl, req))
		return;
	lk.type = op & LOCK_EX ? F_WRLCK : op & LOCK_SH ? F_RDLCK : F_UNLCK;
	rc = may_lock(fl, ino, fi, &lk, &fid);
	if (rc == 0)
		rc = setlk(fl, req, &fid, &lk, !(op & LOCK_NB) && lk.type != F_UNLCK);
	reply_rc(req, rc);
}

void ops_lock(struct fuse_lowlevel_ops *o)
{
	o->getlk = op_getlk;
	o->setlk = op_setlk;
	o->flock = op_flock;
}
