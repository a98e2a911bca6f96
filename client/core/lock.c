/* SPDX-License-Identifier: Apache-2.0 */
/* lock.c - fcntl and flock locks: the MDS decides, this side remembers what it was given.
 *
 * A waiting call can be cancelled: the cancel is a request of its own, sent by the same lane, which
 * names the waiting one by its xid. If the MDS grants the lock at that very moment, the grant wins.
 */
#include "client/core/core.h"
#include "common/log.h"
#include <fcntl.h>
#include <stdlib.h>

int fs_co_getlk(struct lane *ln, const struct fid *fid, struct fs_lock *lk)
{
	struct mds_getlk_req q = {
		.fid = *fid,
		.space = lk->space,
		.owner = lk->owner,
		.pid = lk->pid,
		.type = lk->type,
		.start = lk->start,
		.end = lk->end,
	};
	struct mds_getlk_rep p;
	RPC_CALL(call);
	int rc = mds_co_getlk(ln->mdt->imp, &call, &q, &p);

	if (rc)
		return rc;
	lk->type = p.type;
	lk->start = p.start;
	lk->end = p.end;
	lk->pid = p.pid;
	return 0;
}

/* ---- cancelling ---- */

struct cancel {
	struct lane *ln;
	uint64_t xid;
};

static void cancel_run(void *arg)
{
	struct cancel *c = arg;
	struct mds_cancel_req q = {.xid = c->xid};
	struct mds_cancel_rep p;
	RPC_CALL(call);

	/* -ENOENT: it was answered meanwhile. */
	if (mds_co_cancel(c->ln->mdt->imp, &call, &q, &p))
		log_dbg("nothing to cancel");
	free(c);
}

static void cancel_send(struct fs_lock_wait *w)
{
	struct cancel *c = malloc(sizeof(*c));

	if (!c) {
		log_err("out of memory: a lock request cannot be interrupted");
		return;
	}
	*c = (struct cancel){w->ln, w->xid};
	lane_background(w->ln, cancel_run, c);
}

static void lock_sent(void *arg, uint64_t xid)
{
	struct fs_lock_wait *w = arg;

	w->xid = xid;
	if (w->place)
		w->place->xid = xid;
}

void fs_lock_cancel(struct fs_lock_wait *w)
{
	if (w->cancelled)
		return;
	w->cancelled = true;
	if (w->xid)
		cancel_send(w);
}

/* ---- taking ---- */

static struct held_lock held(const struct lane *ln, const struct fid *fid, const struct fs_lock *lk)
{
	return (struct held_lock){
		.fid = *fid,
		.space = lk->space,
		.type = lk->type,
		.pid = lk->pid,
		.lane = ln->index,
		.owner = lk->owner,
		.handle = lk->handle,
		.start = lk->start,
		.end = lk->end,
	};
}

static void changed(struct lane *ln, struct lock_change *c, const struct held_lock *h, bool set)
{
	int rc;

	fs_lock(ln->fs);
	locktab_change_end(c);
	rc = set ? locktab_set(&ln->fs->locks, h) : 0;
	fs_unlock(ln->fs);
	if (rc)
		log_err("out of memory: a file lock would be lost if the MDS restarted");
}

int fs_co_setlk(struct lane *ln, const struct fid *fid, const struct fs_lock *lk, bool wait,
		struct fs_lock_wait *w)
{
	struct mds_setlk_req q = {
		.fid = *fid,
		.space = lk->space,
		.owner = lk->owner,
		.pid = lk->pid,
		.type = lk->type,
		.start = lk->start,
		.end = lk->end,
		.wait = wait,
	};
	struct held_lock h = held(ln, fid, lk);
	struct lock_change change = {.want = h, .wait = wait};
	struct mds_setlk_rep p;
	RPC_CALL(call);
	int rc;
	OP_TIMER(ln, flock);

	if (lk->start > lk->end)
		return -EINVAL;
	if (w) {
		w->ln = ln;
		if (w->cancelled)
			return -EINTR;
		w->place = lock_place(ln, &q, BOOK_LOCK_WANTED);
		call.on_sent = lock_sent;
		call.on_sent_arg = w;
	}
	fs_lock(ln->fs);
	locktab_change_begin(&ln->fs->locks, &change);
	fs_unlock(ln->fs);
	rc = mds_co_setlk(ln->mdt->imp, &call, &q, &p);
	h.session = call.hdr.session;
	if (w)
		lock_place_gone(ln, w->place);
	/* A flock that was to be converted and was not is lost, as flock(2) tells. */
	if (rc && lk->space == LOCK_FLOCK)
		h.type = F_UNLCK;
	changed(ln, &change, &h, rc == 0 || lk->space == LOCK_FLOCK);
	return rc;
}

bool fs_holds_locks(struct fs *fs, const struct fid *fid, uint64_t owner)
{
	bool has;

	fs_lock(fs);
	has = locktab_has(&fs->locks, fid, LOCK_POSIX, owner);
	fs_unlock(fs);
	return has;
}

int fs_co_flush(struct lane *ln, const struct fid *fid, uint64_t owner)
{
	struct fs_lock all = {.space = LOCK_POSIX, .type = F_UNLCK, .owner = owner,
			      .end = UINT64_MAX};

	return fs_holds_locks(ln->fs, fid, owner) ? fs_co_setlk(ln, fid, &all, false, NULL) : 0;
}

/* An owner of locks of this file that were taken through one handle. */
static bool owner_of_handle(struct fs *fs, const struct fid *fid, uint64_t handle, uint64_t *owner)
{
	bool found;

	fs_lock(fs);
	found = locktab_find_handle(&fs->locks, fid, handle, owner);
	fs_unlock(fs);
	return found;
}

/* The locks of processes went with FLUSH. What is left belongs to the open file itself
 * (F_OFD_SETLK), and for these the kernel sends nothing when it is closed. */
void lock_co_drop_handle(struct lane *ln, struct file *f)
{
	struct fs_lock all = {.space = LOCK_POSIX, .type = F_UNLCK, .end = UINT64_MAX};

	while (owner_of_handle(ln->fs, &f->fid, f->open_id, &all.owner)) {
		int rc = fs_co_setlk(ln, &f->fid, &all, false, NULL);

		if (rc) {
			log_warn("cannot give back the locks of a closed file: %s", err_str(rc));
			return;
		}
	}
}

/* ---- what is lost ---- */

/* fs->lock is held. */
static void tell_lost(struct fs *fs, const struct held_lock *l)
{
	const char *kind = l->space == LOCK_FLOCK ? "flock" : "fcntl";
	char buf[FID_STRLEN];

	if (l->handle && file_lose_lock(fs, &l->fid, l->handle))
		log_err("a lock on %s (%s, process %u) is lost: reads and writes through its open "
			"file fail with EIO until that is closed",
			fid_str(&l->fid, buf), kind, l->pid);
}

static void lost_one(void *arg, const struct held_lock *l)
{
	tell_lost(arg, l);
}

void lock_lose_all(struct fs *fs, uint64_t session)
{
	uint32_t n;

	fs_lock(fs);
	n = locktab_lose(&fs->locks, session, lost_one, fs);
	fs_unlock(fs);
	if (n)
		log_err("%u file locks were lost with the session", n);
}

/* Not an answer: it will be asked again. */
static bool unheard(int rc)
{
	return rc == -ENOTCONN || rc == -ECONNRESET || rc == -ETIMEDOUT;
}

/* The MDS does not give it again: somebody else may have it, or had it. */
static void lose_one(struct lane *ln, const struct held_lock *l)
{
	struct held_lock none = *l;

	none.type = F_UNLCK;
	fs_lock(ln->fs);
	tell_lost(ln->fs, l);
	if (locktab_set(&ln->fs->locks, &none))
		log_err("out of memory: a lock that is lost is asked for again");
	fs_unlock(ln->fs);
}

/* ---- after a restart of the MDS ---- */

void lock_co_reclaim(struct lane *ln)
{
	const struct held_lock *l;
	struct locktab claims;
	int rc;

	locktab_init(&claims);
	fs_lock(ln->fs);
	rc = locktab_claims(&ln->fs->locks, ln->index, &claims);
	fs_unlock(ln->fs);
	if (rc)
		log_err("out of memory: not all file locks are taken again");
	for (l = locktab_next(&claims, NULL); l; l = locktab_next(&claims, l)) {
		struct mds_setlk_req q = {l->fid, l->space, l->owner, l->pid, l->type,
					  l->start, l->end, 0, .reclaim = 1};
		struct mds_setlk_rep p;
		char buf[FID_STRLEN];
		RPC_CALL(call);

		call.flags = RPC_CALL_RECLAIM;
		rc = mds_co_setlk(ln->mdt->imp, &call, &q, &p);
		if (rc && !unheard(rc)) {
			log_err("a lock on %s was lost when the MDS restarted: %s",
				fid_str(&l->fid, buf), err_str(rc));
			lose_one(ln, l);
		}
	}
	locktab_fini(&claims);
}
