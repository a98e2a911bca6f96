/* SPDX-License-Identifier: Apache-2.0 */
/* append.c - O_APPEND: the end of the file is decided under a lock that all clients share.
 *
 * The lock is at the MDS (LOCK_APPEND, the whole file). Under it the objects tell the size,
 * then the data is written there. The unlock is sent without waiting for its answer: the next
 * taker waits at the MDS anyway. A client that has the file for itself (EXCLUSIVE) needs no lock:
 * it knows where the file ends.
 */
#include "client/core/core.h"
#include "common/log.h"
#include <fcntl.h>
#include <stdlib.h>

enum { STALE_TRIES = 64 };

int append_co_size(struct lane *ln, struct file *f, uint64_t *size)
{
	const struct layout *l;
	struct objs o = {0};
	int rc;

	rc = file_co_layout(ln, f, true, &l);
	if (rc == 0)
		rc = objs_init(&o, l);
	if (rc)
		return rc;
	rc = attr_co_learn(ln, &f->fid, l, &o);
	*size = objs_size(&o, l);
	objs_fini(&o);
	return rc;
}

static struct mds_setlk_req append_lock(struct lane *ln, struct file *f)
{
	struct mds_setlk_req q = {
		.fid = f->fid,
		.space = LOCK_APPEND,
		.type = F_WRLCK,
		.end = UINT64_MAX,
		.wait = 1,
	};

	fs_lock(ln->fs);
	q.owner = ln->fs->next_owner++;
	fs_unlock(ln->fs);
	return q;
}

struct unlock {
	struct lane *ln;
	struct book_lock *place;
	struct mds_setlk_req q;
};

static void append_unlock(void *arg)
{
	struct unlock *u = arg;
	struct mds_setlk_rep p;
	RPC_CALL(call);
	int rc = mds_co_setlk(u->ln->mdt->imp, &call, &u->q, &p);

	if (rc)
		log_err("cannot give back the append lock: %s", err_str(rc));
	lock_place_gone(u->ln, u->place);
	free(u);
}

/* ---- alone ---- */

int append_co_learn_size(struct lane *ln, struct file *f)
{
	struct data *d = f->data;
	uint64_t size, session, seq;
	bool known;
	int rc;

	pthread_mutex_lock(&d->lock);
	while (d->nplacing && !d->size_known)
		xwait_co(&d->q, &d->lock, ln->loop);
	known = d->size_known;
	session = d->session;
	seq = d->seq;
	/* What is on its way now may arrive after an object has answered, and be done with before
	 * this is. Writes from now on raise it. */
	if (!known && !d->sizing++)
		d->size = dirty_end(&d->dirty);
	pthread_mutex_unlock(&d->lock);
	if (known)
		return 0;
	rc = append_co_size(ln, f, &size);
	pthread_mutex_lock(&d->lock);
	d->sizing--;
	if (rc == 0) {
		d->size = max_u64(d->size, max_u64(size, dirty_end(&d->dirty)));
		/* Pages of a lease that is lost are cut at it, too; then others may move it. */
		d->size_known = d->mode == LEASE_EXCLUSIVE && d->session == session &&
				d->seq == seq;
	}
	pthread_mutex_unlock(&d->lock);
	return rc;
}

/* Takes the place for len bytes; the kernel lets one append at a time through, other writers may
 * only move the end. */
static uint64_t take_place(struct data *d, size_t *len)
{
	uint64_t at;

	pthread_mutex_lock(&d->lock);
	at = d->size;
	*len = min_u64(*len, at < MAX_FILE_SIZE ? MAX_FILE_SIZE - at : 0);
	d->size += *len;
	pthread_mutex_unlock(&d->lock);
	return at;
}

/* Not all of it could be written: the next one begins where this one ended. */
static void give_place(struct data *d, uint64_t from, uint64_t to)
{
	pthread_mutex_lock(&d->lock);
	if (d->size == to)
		d->size = from;
	pthread_mutex_unlock(&d->lock);
}

/* Under EXCLUSIVE: every append of this client takes its place here, whatever becomes of it. */
static ssize_t write_alone(struct lane *ln, struct file *f, const uint8_t *buf, size_t len,
			   uint64_t *off, uint32_t gen)
{
	ssize_t n = -EFBIG;
	int rc = append_co_learn_size(ln, f);

	if (rc)
		return rc;
	*off = take_place(f->data, &len);
	later_co_write(ln, f->data);
	file_place_append(f, *off);
	rahead_write_begin(f->data, *off, len);
	if (len && io_may_keep(f, DATA_CACHED))
		n = wback_co_put(ln, f, buf, len, *off, gen);
	else if (len)
		n = io_co_write_once(ln, f, buf, len, *off, gen);
	rahead_write_end(f->data);
	if (n < (ssize_t)len)
		give_place(f->data, *off + (uint64_t)(n > 0 ? n : 0), *off + len);
	if (n > 0)
		data_co_wrote(ln, f->data, *off, (uint64_t)n);
	return n;
}

/* ---- under the lock of all clients ---- */

static ssize_t write_at_end(struct lane *ln, struct file *f, const uint8_t *buf, size_t len,
			    uint64_t *off, uint32_t gen)
{
	ssize_t n;
	int rc = append_co_size(ln, f, off);

	if (rc == 0 && *off >= MAX_FILE_SIZE)
		rc = -EFBIG;
	if (rc)
		return rc;
	file_place_append(f, *off);
	n = io_co_write_once(ln, f, buf, min_u64(len, MAX_FILE_SIZE - *off), *off, gen);
	if (n > 0) {
		data_wrote_to(f->data, *off + (uint64_t)n);
		data_co_wrote(ln, f->data, *off, (uint64_t)n);
	}
	return n;
}

/* The lock and the lease were given in one session. A lock of an earlier one says nothing any more:
 * the MDS has restarted, and not waited for who was not in yet. Nor is it for the objects to say
 * where the file ends if this client has become the only one meanwhile; and until this append has
 * reached them they cannot tell the next one that is alone. */
static bool place_begin(struct data *d, uint64_t lock_session)
{
	bool good;

	pthread_mutex_lock(&d->lock);
	good = d->session == lock_session && d->mode != LEASE_EXCLUSIVE;
	d->nplacing += good;
	pthread_mutex_unlock(&d->lock);
	return good;
}

static void place_end(struct data *d)
{
	pthread_mutex_lock(&d->lock);
	d->nplacing--;
	xwait_wake(&d->q);
	pthread_mutex_unlock(&d->lock);
}

/* lock_session: of the lock, 0 without one: then only if this client has the file for itself.
 * -ESTALE: it was truncated, -EAGAIN: a lock must be taken first; nothing done. */
static ssize_t write_under_lease(struct lane *ln, struct file *f, const uint8_t *buf, size_t len,
				 uint64_t *off, uint64_t lock_session)
{
	enum data_how how;
	uint32_t gen;
	ssize_t n = -EAGAIN;
	int rc = io_co_enter_write(ln, f, &gen, &how);

	if (rc)
		return rc;
	if (how == DATA_CACHED) {
		n = write_alone(ln, f, buf, len, off, gen);
	} else if (lock_session && place_begin(f->data, lock_session)) {
		n = write_at_end(ln, f, buf, len, off, gen);
		place_end(f->data);
	}
	data_leave(f->data, how);
	return n;
}

static void lock_sent(void *arg, uint64_t xid)
{
	((struct book_lock *)arg)->xid = xid;
}

static ssize_t write_locked(struct lane *ln, struct file *f, const uint8_t *buf, size_t len,
			    uint64_t *off)
{
	struct mds_setlk_req q = append_lock(ln, f);
	struct unlock *u = malloc(sizeof(*u));
	struct book_lock *place;
	struct mds_setlk_rep p;
	ssize_t n;
	int rc;
	RPC_CALL(call);

	if (!u)
		return -ENOMEM;
	place = lock_place(ln, &q, BOOK_LOCK_APPEND);
	call.on_sent = place ? lock_sent : NULL;
	call.on_sent_arg = place;
	rc = mds_co_setlk(ln->mdt->imp, &call, &q, &p);
	if (rc) {
		lock_place_gone(ln, place);
		free(u);
		return rc;
	}
	n = write_under_lease(ln, f, buf, len, off, call.hdr.session);
	q.type = F_UNLCK;
	q.wait = 0;
	*u = (struct unlock){ln, place, q};
	lane_background(ln, append_unlock, u);
	return n;
}

ssize_t append_co_write(struct lane *ln, struct file *f, const uint8_t *buf, size_t len,
			uint64_t *off)
{
	ssize_t n;
	int tries, rc;

	if (takeover_co_appended(ln, f, buf, len, off))
		return (ssize_t)len;
	n = write_under_lease(ln, f, buf, len, off, 0);

	for (tries = 0; tries < STALE_TRIES && (n == -EAGAIN || n == -ESTALE); tries++) {
		rc = n == -ESTALE ? file_co_refresh(ln, f) : 0;
		n = rc ? rc : write_locked(ln, f, buf, len, off);
	}
	return n == -ESTALE || n == -EAGAIN ? -EIO : n;
}
