/* SPDX-License-Identifier: Apache-2.0 */
/* data.c - leases on data: getting, using and giving back; see data.h.
 *
 * A lease is asked for by a fiber of its own, so that whoever waits for it can do something else: a
 * page that the kernel wants to forget must be read without one. The first operation that waits
 * for a lease gets to use it (token) even if its recall comes right behind: without that, two
 * clients could take a file from each other for ever without either getting anything done.
 */
#include "client/core/core.h"
#include "common/log.h"
#include <fcntl.h>
#include <stdlib.h>

#define TRY_AGAIN_NS (1 * NSEC_PER_MSEC)
#define TERM_WAIT_NS (10 * NSEC_PER_MSEC)
#define RETRY_NS     (2 * (uint64_t)NSEC_PER_SEC)
enum { RETRY_DOUBLINGS = 4 };

/* ---- telling the kernel ---- */

static void co_forget_pages(struct lane *ln, struct data *d, uint64_t off, uint64_t len)
{
	/* off, len 0: all. Counted before: what is read meanwhile counts anew. */
	const struct fs_cfg *cfg = &ln->fs->cfg;
	struct fs_inval v = {.fid = d->fid, .pages = true, .off = off, .len = len};

	if (!off && !len) {
		fs_lock(ln->fs);
		data_uncount(d);
		fs_unlock(ln->fs);
	}
	if (cfg->co_invalidate)
		cfg->co_invalidate(cfg->co_invalidate_arg, ln, &v, 1, false);
}

/* d->lock is held. Whoever fills a page and waits looks whether he must: see fills_anyway(). */
static void recalling_begin(struct data *d)
{
	d->recalling = true;
	xwait_wake(&d->q);
}

static void recalling_end(struct data *d)
{
	d->recalling = d->losing = false;
	xwait_wake(&d->q);
}

/* d->lock is held, recalling is set. */
static void co_forget_all_pages(struct lane *ln, struct data *d)
{
	while (d->filled || d->refilled) {
		d->filled = d->refilled = false;
		d->forgetting = true;
		xwait_wake(&d->q); /* who fills a page need not wait now */
		pthread_mutex_unlock(&d->lock);
		co_forget_pages(ln, d, 0, 0);
		pthread_mutex_lock(&d->lock);
		d->forgetting = false;
	}
}

uint32_t data_trunc_gen(struct data *d)
{
	uint32_t gen;

	pthread_mutex_lock(&d->lock);
	gen = d->gen;
	pthread_mutex_unlock(&d->lock);
	return gen;
}

uint64_t data_seq(struct data *d)
{
	uint64_t seq;

	pthread_mutex_lock(&d->lock);
	seq = d->seq;
	pthread_mutex_unlock(&d->lock);
	return seq;
}

uint64_t data_cached_seq(struct lane *ln, const struct fid *fid)
{
	struct data *d = data_find(ln->fs, fid);
	uint64_t seq = 0;

	if (!d)
		return 0;
	pthread_mutex_lock(&d->lock);
	if (d->mode & (LEASE_SHARED | LEASE_EXCLUSIVE))
		seq = d->seq;
	pthread_mutex_unlock(&d->lock);
	data_put(ln, d);
	return seq;
}

/* Changed pages that the kernel has held back meanwhile come after it, if nobody else was let in: a
 * truncation counts by one. Unless the MDS was started anew in the middle of it; but then it has
 * waited for this client. */
void data_truncated(struct data *d, uint64_t session, uint32_t trunc_gen)
{
	pthread_mutex_lock(&d->lock);
	if (trunc_gen == d->gen + 1 || (session != d->session && !d->evicted))
		d->gen = trunc_gen;
	pthread_mutex_unlock(&d->lock);
}

void data_co_wrote(struct lane *ln, struct data *d, uint64_t off, uint64_t len)
{
	bool filled;

	pthread_mutex_lock(&d->lock);
	filled = d->filled || d->refilled;
	pthread_mutex_unlock(&d->lock);
	if (filled)
		co_forget_pages(ln, d, off, len);
}

void data_wrote_to(struct data *d, uint64_t end)
{
	pthread_mutex_lock(&d->lock);
	d->size = max_u64(d->size, end);
	pthread_mutex_unlock(&d->lock);
}

/* ---- getting ---- */

bool data_is_valid(struct lane *ln, struct data *d)
{
	return leases_valid(ln->fs->leases, d->session, loop_clock(ln->loop));
}

/* The lease that is enough for it, if it is the only one. */
static uint32_t lease_for(const struct data *d, enum data_need need)
{
	return need == DATA_WRITE || (need == DATA_FILL && d->nwriters) ? LEASE_EXCLUSIVE
									: LEASE_SHARED;
}

static bool satisfies(const struct data *d, enum data_need need)
{
	uint32_t enough = LEASE_EXCLUSIVE | lease_for(d, need);

	if (need != DATA_FILL) /* goes past all caches */
		enough |= LEASE_CONTENDED;
	return d->mode & enough;
}

/* For what there is now. */
static bool somebody_waits(const struct data *d)
{
	enum data_need need;

	for (need = 0; need < DATA_NEEDS; need++)
		if (d->waiting[need] && satisfies(d, need))
			return true;
	return false;
}

static void drop_token(struct data *d)
{
	d->token = false;
	d->busy--;
	xwait_wake(&d->q);
}

/* Nobody is left who waits and for whom the lease is enough: a recall would wait for ever. */
static void drop_useless_token(struct data *d)
{
	if (d->token && !somebody_waits(d))
		drop_token(d);
}

/* What was changed under a lease that was lost goes with the number of that one: until it is gone,
 * a new lease, which an open that was on its way brings, does not count. */
static bool is_left(const struct data *d)
{
	return !d->mode && (d->dirty.n || d->losing);
}

static void note_grant(struct data *d, const struct data_grant *g, uint64_t now)
{
	if (!g->session || !g->lease || g->seq <= d->floor || is_left(d) ||
	    (d->mode && g->seq <= d->seq && g->session == d->session))
		return;
	data_set_mode(d, g->lease & LEASE_EXCLUSIVE ? LEASE_EXCLUSIVE
			 : g->lease & LEASE_SHARED  ? LEASE_SHARED
						    : LEASE_CONTENDED);
	d->session = g->session;
	d->seq = g->seq;
	if (g->trunc_gen > d->gen) /* an answer may come behind that to a truncation */
		d->gen = g->trunc_gen;
	d->evicted = false;
	restoring_note(d, g->released);
	if (d->mode != LEASE_CONTENDED) {
		d->retries = 0;
	} else {
		d->retry_ns = now + (RETRY_NS << min_u64(d->retries, RETRY_DOUBLINGS));
		d->retries++;
	}
	if (d->mode != LEASE_EXCLUSIVE)
		d->size_known = false;
	if (d->mode == LEASE_CONTENDED)
		rahead_cut(d, 0, 0);
	if (!d->token && !d->recalling && !d->held && somebody_waits(d)) {
		d->token = true;
		d->busy++;
	}
}

struct acquire {
	struct lane *ln;
	struct data *d;
	uint32_t want;
	bool exact;
};

static void acquire_fiber(void *arg)
{
	struct acquire a = *(struct acquire *)arg;
	struct mds_data_req q = {.fid = a.d->fid, .want = a.want, .exact = a.exact};
	struct mds_data_rep p = {0};
	RPC_CALL(call);
	int rc;

	free(arg);
	rc = mds_co_data(a.ln->mdt->imp, &call, &q, &p);
	if (rc == 0)
		file_apply_attr(a.ln->fs, &a.d->fid, &p.attr, false);
	if (rc || !p.lease)
		co_sleep(TRY_AGAIN_NS);
	pthread_mutex_lock(&a.d->lock);
	if (rc == 0)
		note_grant(a.d,
			   &(struct data_grant){call.hdr.session, p.seq, p.lease, p.attr.trunc_gen,
						p.released},
			   loop_clock(a.ln->loop));
	a.d->acquire_rc = rc;
	a.d->nacquires++;
	a.d->nanswers++;
	a.d->acquiring = false;
	xwait_wake(&a.d->q);
	pthread_mutex_unlock(&a.d->lock);
	data_put(a.ln, a.d);
}

/* d->lock is held. Who asks for SHARED gives CONTENDED up: the MDS lets others have SHARED beside
 * it from its answer on, so a write that began before that comes would not be seen by them. */
static int acquire_start(struct lane *ln, struct data *d, uint32_t want, bool exact)
{
	struct acquire *a = malloc(sizeof(*a));

	if (!a)
		return -ENOMEM;
	if (want == LEASE_SHARED && d->mode == LEASE_CONTENDED)
		data_set_mode(d, 0);
	d->acquiring = true;
	pthread_mutex_unlock(&d->lock);
	fs_lock(ln->fs);
	data_ref(d);
	ln->fs->data.acquired++;
	fs_unlock(ln->fs);
	*a = (struct acquire){ln, d, want, exact};
	lane_background(ln, acquire_fiber, a);
	pthread_mutex_lock(&d->lock);
	return 0;
}

uint32_t data_open_begin(struct data *d, int flags)
{
	uint32_t want = (flags & O_ACCMODE) == O_RDONLY ? LEASE_SHARED : LEASE_EXCLUSIVE;

	pthread_mutex_lock(&d->lock);
	if (d->acquiring || d->recalling || is_left(d) ||
	    (want == LEASE_SHARED && d->mode == LEASE_CONTENDED)) /* see acquire_start() */
		want = 0;
	else
		d->acquiring = true;
	pthread_mutex_unlock(&d->lock);
	return want;
}

void data_open_end(struct data *d, uint32_t want, const struct data_grant *g)
{
	if (!want)
		return;
	pthread_mutex_lock(&d->lock);
	note_grant(d, g, 0);
	d->nanswers++;
	d->acquiring = false;
	xwait_wake(&d->q);
	pthread_mutex_unlock(&d->lock);
}

/* ---- using ---- */

/* The operation is in. */
static int entered(struct lane *ln, struct data *d, enum data_need need, enum data_how *how)
{
	*how = d->mode == LEASE_EXCLUSIVE ? DATA_CACHED : DATA_DIRECT;
	if (d->token)
		d->token = false;
	else
		d->busy++;
	if (need == DATA_FILL)
		d->filled = true;
	/* Contended, and nobody has asked for a while whether it still is. */
	if (d->mode == LEASE_CONTENDED && !d->acquiring && loop_clock(ln->loop) >= d->retry_ns)
		return acquire_start(ln, d, lease_for(d, need), false);
	return 0;
}

/* d->lock is held. 1: look again. */
static int enter_wait(struct lane *ln, struct data *d, enum data_need need)
{
	uint32_t n = d->nacquires;

	if (d->token && d->recalling &&
	    satisfies(d, need)) /* the term is over: it cannot be used any more */
		drop_token(d);
	/* Whoever the token is for is waited for by data_co_hold(), and the term wakes nobody. */
	if (d->recalling || (d->held && !(d->token && satisfies(d, need))) || d->acquiring) {
		xwait_co(&d->q, &d->lock, ln->loop);
		return d->nacquires != n && d->acquire_rc ? d->acquire_rc : 1;
	}
	if (d->mode && satisfies(d, need)) { /* the term is over: renewed or lost soon */
		pthread_mutex_unlock(&d->lock);
		co_sleep(TERM_WAIT_NS);
		pthread_mutex_lock(&d->lock);
		return ln->stopping ? -ENOTCONN : 1;
	}
	if (d->dirty.n) { /* of a lease that was lost */
		pthread_mutex_unlock(&d->lock);
		wback_co_flush(ln, d);
		pthread_mutex_lock(&d->lock);
		return 1;
	}
	return acquire_start(ln, d, lease_for(d, need), need == DATA_FILL) ? -ENOMEM : 1;
}

/* The kernel may be waiting for this page in order to forget it, or will be. Under the lease that
 * is given back when that is done nobody else has changed it, or keeps what a store changes.
 * Without that lease it is only read if it must be: then no mapping can change it. */
static bool fills_anyway(const struct data *d)
{
	return d->recalling && (d->forgetting || satisfies(d, DATA_FILL));
}

static bool may_enter(const struct data *d, enum data_need need)
{
	bool held = d->held && !(d->draining && need == DATA_FILL);

	return (d->token || (!d->recalling && !held)) && satisfies(d, need);
}

int data_co_enter(struct lane *ln, struct data *d, enum data_need need, enum data_how *how)
{
	int rc = 1;

	pthread_mutex_lock(&d->lock);
	d->waiting[need]++;
	while (rc > 0) {
		if (need == DATA_FILL && fills_anyway(d)) {
			d->refilled = true;
			*how = DATA_BYPASS;
			rc = 0;
		} else if (may_enter(d, need) && data_is_valid(ln, d)) {
			rc = entered(ln, d, need, how);
		} else {
			rc = enter_wait(ln, d, need);
		}
	}
	d->waiting[need]--;
	drop_useless_token(d);
	pthread_mutex_unlock(&d->lock);
	return rc;
}

void data_leave(struct data *d, enum data_how how)
{
	if (how == DATA_BYPASS)
		return;
	pthread_mutex_lock(&d->lock);
	assert(d->busy > 0);
	if (--d->busy == 0 && !STAILQ_EMPTY(&d->q.waiters))
		xwait_wake(&d->q);
	pthread_mutex_unlock(&d->lock);
}

void data_co_hold(struct lane *ln, struct data *d)
{
	pthread_mutex_lock(&d->lock);
	while (d->held)
		xwait_co(&d->q, &d->lock, ln->loop);
	d->held++;
	/* A write that is in may wait for a page that is being filled, see data_co_wrote(). */
	d->draining = true;
	xwait_wake(&d->q);
	while (d->busy)
		xwait_co(&d->q, &d->lock, ln->loop);
	d->draining = false;
	rahead_cut(d, 0, 0);
	pthread_mutex_unlock(&d->lock);
	wback_co_flush(ln, d);
}

/* d->lock is held. */
static void co_drop_pages(struct lane *ln, struct data *d)
{
	while (d->recalling) /* which does it */
		xwait_co(&d->q, &d->lock, ln->loop);
	recalling_begin(d);
	co_forget_all_pages(ln, d);
	recalling_end(d);
}

void data_co_drop_pages(struct lane *ln, struct data *d)
{
	pthread_mutex_lock(&d->lock);
	co_drop_pages(ln, d);
	pthread_mutex_unlock(&d->lock);
	/* What was counted after it had been forgotten already would stay for ever. */
	fs_lock(ln->fs);
	data_uncount(d);
	fs_unlock(ln->fs);
}

void data_co_hold_empty(struct lane *ln, struct data *d)
{
	bool empty;

	do {
		data_co_drop_pages(ln, d);
		data_co_hold(ln, d);
		pthread_mutex_lock(&d->lock);
		empty = !d->filled && !d->refilled && !d->recalling;
		pthread_mutex_unlock(&d->lock);
		if (!empty) /* one was read in between */
			data_release(d);
	} while (!empty);
}

void data_release(struct data *d)
{
	pthread_mutex_lock(&d->lock);
	d->held--;
	d->size_known = false;
	xwait_wake(&d->q);
	pthread_mutex_unlock(&d->lock);
}

/* ---- open files ---- */

void data_co_opening(struct lane *ln, struct data *d, int flags)
{
	if ((flags & O_ACCMODE) == O_RDONLY)
		return;
	pthread_mutex_lock(&d->lock);
	d->nwriters++;
	drop_useless_token(d); /* pages need more than SHARED from now on */
	/* Of those under EXCLUSIVE nobody needs any: writes would have to say so each time. */
	if ((d->filled || d->forgetting) && (!d->ncached || d->mode != LEASE_EXCLUSIVE))
		co_drop_pages(ln, d);
	pthread_mutex_unlock(&d->lock);
}

bool data_opened(struct lane *ln, struct data *d, int flags)
{
	bool cached;

	pthread_mutex_lock(&d->lock);
	cached = ln->fs->cfg.cache_data && (flags & O_ACCMODE) == O_RDONLY && !(flags & O_DIRECT) &&
		 !d->nwriters && satisfies(d, DATA_FILL) && data_is_valid(ln, d);
	d->ncached += cached;
	pthread_mutex_unlock(&d->lock);
	return cached;
}

void data_closed(struct data *d, int flags, bool cached)
{
	pthread_mutex_lock(&d->lock);
	d->nwriters -= (flags & O_ACCMODE) != O_RDONLY;
	d->ncached -= cached;
	pthread_mutex_unlock(&d->lock);
}

void data_closing(struct data *d, int flags, int n)
{
	if ((flags & O_ACCMODE) == O_RDONLY)
		return;
	pthread_mutex_lock(&d->lock);
	d->nclosing += (uint32_t)n;
	if (!d->nclosing)
		xwait_wake(&d->q);
	pthread_mutex_unlock(&d->lock);
}

/* ---- giving back ---- */

void data_co_give_back(struct lane *ln, const struct mds_recall *r)
{
	struct mds_give_back_req q = {0};
	struct mds_give_back_rep p;
	uint8_t mem[64];
	struct wbuf w;
	RPC_CALL(call);
	int rc;

	wbuf_init_fixed(&w, mem, sizeof(mem));
	enc_mds_recall(&w, r);
	assert(w.rc == 0);
	q.leases = wbuf_span(&w);
	rc = mds_co_give_back(ln->mdt->imp, &call, &q, &p);
	if (rc)
		log_dbg("a lease could not be given back: %s", err_str(rc));
}

/* d->lock is held, recalling is set by the caller. Sends and forgets everything. */
static void co_drop_lease(struct lane *ln, struct data *d)
{
	while (d->busy)
		xwait_co(&d->q, &d->lock, ln->loop);
	if (d->dirty.n || d->later.valid) {
		pthread_mutex_unlock(&d->lock);
		wback_co_flush(ln, d);
		(void)later_co_flush(ln, d);
		pthread_mutex_lock(&d->lock);
	}
	while (d->nclosing && !d->nwriters)
		xwait_co(&d->q, &d->lock, ln->loop);
	co_forget_all_pages(ln, d);
	rahead_cut(d, 0, 0);
	data_set_mode(d, 0);
	d->size_known = false;
}

static void co_recall(struct lane *ln, struct data *d, const struct mds_recall *r)
{
	uint32_t n;

	pthread_mutex_lock(&d->lock);
	/* It may be about a lease that is on its way. If that answer was lost there is nothing to
	 * wait for: the next ones give none before this lease is given back. */
	n = d->nanswers;
	while (d->recalling ||
	       (d->acquiring && d->nanswers == n && !d->mode && r->granted > d->seq))
		xwait_co(&d->q, &d->lock, ln->loop);
	if (d->floor < r->seq)
		d->floor = r->seq;
	/* Also one of another kind: a grant that is still on its way has replaced it. */
	if (d->mode && d->seq < r->seq) {
		recalling_begin(d);
		co_drop_lease(ln, d);
		recalling_end(d);
	}
	xwait_wake(&d->q);
	pthread_mutex_unlock(&d->lock);
}

struct recall {
	struct lane *ln;
	struct mds_recall r;
};

static void recall_fiber(void *arg)
{
	struct recall r = *(struct recall *)arg;
	struct data *d = data_find(r.ln->fs, &r.r.fid);

	free(arg);
	if (d) {
		co_recall(r.ln, d, &r.r);
		data_put(r.ln, d);
	} else if (r.ln->fs->last.inherited) { /* the kernel may have pages from before */
		struct fs_inval v = {.fid = r.r.fid, .pages = true};

		if (r.ln->fs->cfg.co_invalidate)
			r.ln->fs->cfg.co_invalidate(r.ln->fs->cfg.co_invalidate_arg, r.ln, &v, 1,
						    false);
	}
	data_co_give_back(r.ln, &r.r);
}

void data_recall(struct lane *ln, const struct mds_recall *recall)
{
	struct recall *r = malloc(sizeof(*r));

	if (!r) {
		log_err("out of memory: a lease is not given back before its term is over");
		return;
	}
	*r = (struct recall){ln, *recall};
	fs_lock(ln->fs);
	ln->fs->data.recalled++;
	fs_unlock(ln->fs);
	lane_background(ln, recall_fiber, r);
}

bool data_co_give_up(struct lane *ln, struct data *d, struct mds_recall *r)
{
	*r = (struct mds_recall){.fid = d->fid};
	pthread_mutex_lock(&d->lock);
	if (!d->recalling && !d->acquiring && !d->busy && !d->held && !d->dirty.n &&
	    !d->later.valid && !d->nclosing) {
		r->bits = d->mode ? LEASE_DATA : 0;
		r->granted = d->seq; /* not what somebody asks for from here on */
		recalling_begin(d);
		co_drop_lease(ln, d);
		recalling_end(d);
	}
	pthread_mutex_unlock(&d->lock);
	return r->bits;
}

void data_put(struct lane *ln, struct data *d)
{
	if (data_unref(d))
		lru_start(ln);
}

/* ---- losing ---- */

struct lost {
	struct lane *ln;
	struct data *d;
};

static void forget_lost_fiber(void *arg)
{
	struct lost l = *(struct lost *)arg;

	free(arg);
	pthread_mutex_lock(&l.d->lock);
	co_forget_all_pages(l.ln, l.d);
	recalling_end(l.d);
	pthread_mutex_unlock(&l.d->lock);
	data_put(l.ln, l.d);
}

/* Nobody waits for it here: the kernel may hold changed pages back until the server has answered a
 * truncation. */
static void forget_lost(struct lane *ln, struct data *d)
{
	struct lost *l = malloc(sizeof(*l));

	if (!l) {
		log_err("out of memory: the kernel may keep old pages");
		pthread_mutex_lock(&d->lock);
		recalling_end(d);
		pthread_mutex_unlock(&d->lock);
		return;
	}
	*l = (struct lost){ln, d};
	fs_lock(ln->fs);
	data_ref(d);
	fs_unlock(ln->fs);
	lane_background(ln, forget_lost_fiber, l);
}

/* d->lock is held. True: forget_lost() is to follow. */
static bool lose(struct data *d, bool evicted)
{
	bool forget;

	if (d->token)
		drop_token(d);
	data_set_mode(d, 0);
	d->evicted |= evicted;
	if (evicted)
		later_evicted(d);
	d->floor = 0;
	d->size_known = false;
	rahead_cut(d, 0, 0); /* and what is on its way, by whoever is in under the old lease */
	/* If they are being recalled they are being forgotten, or will be. */
	d->losing = d->recalling || d->filled || d->refilled;
	forget = d->losing && !d->recalling;
	if (forget)
		recalling_begin(d);
	xwait_wake(&d->q);
	return forget;
}

void data_lose_all(struct lane *ln, uint64_t session, bool evicted)
{
	uint32_t i, n;
	struct data **all = data_all(ln->fs, &n);

	for (i = 0; i < n; i++) {
		bool forget;

		pthread_mutex_lock(&all[i]->lock);
		forget = all[i]->session != session && lose(all[i], evicted);
		pthread_mutex_unlock(&all[i]->lock);
		if (forget)
			forget_lost(ln, all[i]);
		data_put(ln, all[i]);
	}
	free(all);
}

static void co_settle(struct lane *ln, struct data *d)
{
	pthread_mutex_lock(&d->lock);
	while (d->recalling || (d->busy && !d->mode))
		xwait_co(&d->q, &d->lock, ln->loop);
	pthread_mutex_unlock(&d->lock);
	wback_co_flush(ln, d);
	(void)later_co_flush(ln, d);
}

void data_co_settle_all(struct lane *ln)
{
	uint32_t i, n;
	struct data **all = data_all(ln->fs, &n);

	for (i = 0; i < n; i++) {
		co_settle(ln, all[i]);
		data_put(ln, all[i]);
	}
	free(all);
}
