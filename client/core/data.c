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

/* ---- the table ---- */

void data_table_init(struct data_table *t)
{
	TAILQ_INIT(&t->idle);
	TAILQ_INIT(&t->dirty);
	TAILQ_INIT(&t->cached);
	xwait_init(&t->room);
}

static uint32_t bucket_of(const struct fid *fid)
{
	return (uint32_t)(fid_to_ino(fid) * 0x9e3779b97f4a7c15ULL >> 40) % DATA_BUCKETS;
}

static struct data *find(struct fs *fs, const struct fid *fid)
{
	struct data *d;

	LIST_FOREACH(d, &fs->data.bucket[bucket_of(fid)], hash)
	if (fid_eq(&d->fid, fid))
		return d;
	return NULL;
}

static void take_ref(struct data *d)
{
	if (d->idle) {
		TAILQ_REMOVE(&d->fs->data.idle, d, idle_link);
		d->fs->data.nidle--;
		d->idle = false;
	}
	d->refs++;
}

static struct data *data_create(struct fs *fs, const struct fid *fid)
{
	struct data *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->fid = *fid;
	d->fs = fs;
	pthread_mutex_init(&d->lock, NULL);
	xwait_init(&d->q);
	dirty_init(&d->dirty);
	LIST_INSERT_HEAD(&fs->data.bucket[bucket_of(fid)], d, hash);
	return d;
}

/* fs->lock is held. */
static void uncount_cached(struct data *d)
{
	if (!d->cached)
		return;
	TAILQ_REMOVE(&d->fs->data.cached, d, cached_link);
	d->fs->data.cached_bytes -= d->cached;
	d->cached = 0;
}

static void data_destroy(struct data *d)
{
	uncount_cached(d);
	assert(!d->refs && !d->busy && !d->dirty.n);
	if (d->idle) {
		TAILQ_REMOVE(&d->fs->data.idle, d, idle_link);
		d->fs->data.nidle--;
	}
	LIST_REMOVE(d, hash);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

struct data *data_get(struct fs *fs, const struct fid *fid)
{
	struct data *d;

	fs_lock(fs);
	d = find(fs, fid);
	if (!d)
		d = data_create(fs, fid);
	if (d)
		take_ref(d);
	fs_unlock(fs);
	return d;
}

struct data *data_find(struct fs *fs, const struct fid *fid)
{
	struct data *d;

	if (!fid_is_sane(fid)) /* servers say so */
		return NULL;
	fs_lock(fs);
	d = find(fs, fid);
	if (d)
		take_ref(d);
	fs_unlock(fs);
	return d;
}

/* Without references nobody else looks at it. */
static bool is_empty(const struct data *d)
{
	return !d->mode && !d->filled;
}

/* The last reference goes. NULL, or one that should be given back to make room, with a
 * reference. */
static struct data *put(struct data *d)
{
	struct fs *fs = d->fs;
	struct data *old = NULL;

	fs_lock(fs);
	if (--d->refs == 0 && is_empty(d)) {
		data_destroy(d);
	} else if (!d->refs) {
		TAILQ_INSERT_TAIL(&fs->data.idle, d, idle_link);
		d->idle = true;
		if (++fs->data.nidle > DATA_IDLE_MAX) {
			old = TAILQ_FIRST(&fs->data.idle);
			take_ref(old);
		}
	}
	fs_unlock(fs);
	return old;
}

void data_gone(struct fs *fs, const struct fid *fid)
{
	struct data *d;

	fs_lock(fs);
	d = find(fs, fid);
	if (d && !d->refs)
		data_destroy(d);
	fs_unlock(fs);
}

void data_table_fini(struct fs *fs)
{
	uint32_t b;

	for (b = 0; b < DATA_BUCKETS; b++)
		while (!LIST_EMPTY(&fs->data.bucket[b]))
			data_destroy(LIST_FIRST(&fs->data.bucket[b]));
}

/* ---- telling the kernel ---- */

static void co_forget_pages(struct lane *ln, struct data *d, uint64_t off, uint64_t len)
{
	/* off, len 0: all. Counted before: what is read meanwhile counts anew. */
	const struct fs_cfg *cfg = &ln->fs->cfg;
	struct fs_inval v = {.fid = d->fid, .pages = true, .off = off, .len = len};

	if (!off && !len) {
		fs_lock(ln->fs);
		uncount_cached(d);
		fs_unlock(ln->fs);
	}
	if (cfg->co_invalidate)
		cfg->co_invalidate(cfg->co_invalidate_arg, ln, &v, 1, false);
}

/* d->lock is held, recalling is set. */
static void co_forget_all_pages(struct lane *ln, struct data *d)
{
	while (d->filled || d->refilled) {
		d->filled = d->refilled = false;
		pthread_mutex_unlock(&d->lock);
		co_forget_pages(ln, d, 0, 0);
		pthread_mutex_lock(&d->lock);
	}
}

void data_co_wrote(struct lane *ln, struct data *d, uint64_t off, uint64_t len)
{
	bool filled;

	pthread_mutex_lock(&d->lock);
	filled = d->filled;
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

enum data_need data_page_need(struct data *d, bool writable)
{
	pthread_mutex_lock(&d->lock);
	writable |= d->nwriters > 0;
	pthread_mutex_unlock(&d->lock);
	return writable ? DATA_FILL_WRITABLE : DATA_FILL;
}

bool data_is_valid(struct lane *ln, struct data *d)
{
	return leases_valid(ln->fs->leases, d->session, loop_clock(ln->loop));
}

static bool satisfies(uint32_t mode, enum data_need need)
{
	switch (need) {
	case DATA_READ:
		return mode != 0;
	case DATA_WRITE:
		return mode & (LEASE_EXCLUSIVE | LEASE_CONTENDED);
	case DATA_FILL:
		return mode & (LEASE_EXCLUSIVE | LEASE_SHARED);
	case DATA_FILL_WRITABLE:
		return mode & LEASE_EXCLUSIVE;
	default:
		return false;
	}
}

/* For what there is now. */
static bool somebody_waits(const struct data *d)
{
	enum data_need need;

	for (need = 0; need < DATA_NEEDS; need++)
		if (d->waiting[need] && satisfies(d->mode, need))
			return true;
	return false;
}

static void drop_token(struct data *d)
{
	d->token = false;
	d->busy--;
	xwait_wake(&d->q);
}

static void note_grant(struct data *d, uint64_t session, uint64_t seq, uint32_t lease, uint64_t now)
{
	if (!lease || seq <= d->floor || (d->mode && seq <= d->seq && session == d->session))
		return;
	d->mode = lease & LEASE_EXCLUSIVE ? LEASE_EXCLUSIVE
		  : lease & LEASE_SHARED  ? LEASE_SHARED
					  : LEASE_CONTENDED;
	d->session = session;
	d->seq = seq;
	if (d->mode != LEASE_CONTENDED) {
		d->retries = 0;
	} else {
		d->retry_ns = now + (RETRY_NS << min_u64(d->retries, RETRY_DOUBLINGS));
		d->retries++;
	}
	if (d->mode != LEASE_EXCLUSIVE)
		d->size_known = false;
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
		note_grant(a.d, call.hdr.session, p.seq, p.lease, loop_clock(a.ln->loop));
	a.d->acquire_rc = rc;
	a.d->nacquires++;
	a.d->acquiring = false;
	xwait_wake(&a.d->q);
	pthread_mutex_unlock(&a.d->lock);
	data_put(a.ln, a.d);
}

/* d->lock is held. */
static int acquire_start(struct lane *ln, struct data *d, uint32_t want, bool exact)
{
	struct acquire *a = malloc(sizeof(*a));

	if (!a)
		return -ENOMEM;
	d->acquiring = true;
	pthread_mutex_unlock(&d->lock);
	fs_lock(ln->fs);
	take_ref(d);
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
	if (d->acquiring || d->recalling)
		want = 0;
	else
		d->acquiring = true;
	pthread_mutex_unlock(&d->lock);
	return want;
}

void data_open_end(struct data *d, uint32_t want, uint64_t session, uint64_t seq, uint32_t lease)
{
	if (!want)
		return;
	pthread_mutex_lock(&d->lock);
	note_grant(d, session, seq, lease, 0);
	d->acquiring = false;
	xwait_wake(&d->q);
	pthread_mutex_unlock(&d->lock);
}

/* ---- using ---- */

static uint32_t lease_for(enum data_need need)
{
	return need == DATA_READ || need == DATA_FILL ? LEASE_SHARED : LEASE_EXCLUSIVE;
}

/* The operation is in. */
static int entered(struct lane *ln, struct data *d, enum data_need need, enum data_how *how)
{
	*how = d->mode == LEASE_EXCLUSIVE ? DATA_CACHED : DATA_DIRECT;
	if (d->token)
		d->token = false;
	else
		d->busy++;
	if (need >= DATA_FILL)
		d->filled = true;
	/* Contended, and nobody has asked for a while whether it still is. */
	if (d->mode == LEASE_CONTENDED && !d->acquiring && loop_clock(ln->loop) >= d->retry_ns)
		return acquire_start(ln, d, lease_for(need), false);
	return 0;
}

/* d->lock is held. 1: look again. */
static int enter_wait(struct lane *ln, struct data *d, enum data_need need)
{
	uint32_t n = d->nacquires;

	if (d->token && d->recalling &&
	    satisfies(d->mode, need)) /* the term is over: it cannot be used any more */
		drop_token(d);
	if (d->recalling || d->held || d->acquiring) {
		xwait_co(&d->q, &d->lock, ln->loop);
		return d->nacquires != n && d->acquire_rc ? d->acquire_rc : 1;
	}
	if (d->mode && satisfies(d->mode, need)) { /* the term is over: renewed or lost soon */
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
	return acquire_start(ln, d, lease_for(need), need >= DATA_FILL) ? -ENOMEM : 1;
}

int data_co_enter(struct lane *ln, struct data *d, enum data_need need, enum data_how *how)
{
	int rc = 1;

	pthread_mutex_lock(&d->lock);
	d->waiting[need]++;
	while (rc > 0) {
		if (d->recalling && need >= DATA_FILL) {
			d->refilled = true;
			*how = DATA_BYPASS;
			rc = 0;
		} else if ((d->token || (!d->recalling && !d->held)) && satisfies(d->mode, need) &&
			   data_is_valid(ln, d)) {
			rc = entered(ln, d, need, how);
		} else {
			rc = enter_wait(ln, d, need);
		}
	}
	d->waiting[need]--;
	if (d->token && !somebody_waits(d))
		drop_token(d);
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
	while (d->busy)
		xwait_co(&d->q, &d->lock, ln->loop);
	pthread_mutex_unlock(&d->lock);
	wback_co_flush(ln, d);
}

void data_co_drop_pages(struct lane *ln, struct data *d)
{
	pthread_mutex_lock(&d->lock);
	while (d->recalling) /* which does it */
		xwait_co(&d->q, &d->lock, ln->loop);
	d->recalling = true;
	co_forget_all_pages(ln, d);
	d->recalling = false;
	xwait_wake(&d->q);
	pthread_mutex_unlock(&d->lock);
	/* What was counted after it had been forgotten already would stay for ever. */
	fs_lock(ln->fs);
	uncount_cached(d);
	fs_unlock(ln->fs);
}

void data_release(struct data *d)
{
	pthread_mutex_lock(&d->lock);
	d->held--;
	d->size_known = false;
	xwait_wake(&d->q);
	pthread_mutex_unlock(&d->lock);
}

/* ---- a limit ---- */

static struct data *too_much(struct fs *fs)
{
	struct data *d = NULL;

	fs_lock(fs);
	if (fs->data.cached_bytes > (uint64_t)fs->max_cached_mb << 20)
		d = TAILQ_FIRST(&fs->data.cached);
	if (d)
		take_ref(d);
	else
		fs->data.trimming = false;
	fs_unlock(fs);
	return d;
}

static void trim_fiber(void *arg)
{
	struct lane *ln = arg;
	struct data *d;

	while ((d = too_much(ln->fs))) {
		data_co_drop_pages(ln, d);
		data_put(ln, d);
	}
}

void data_cached(struct lane *ln, struct data *d, uint64_t n)
{
	struct fs *fs = ln->fs;
	bool trim;

	fs_lock(fs);
	if (d->cached)
		TAILQ_REMOVE(&fs->data.cached, d, cached_link);
	TAILQ_INSERT_TAIL(&fs->data.cached, d, cached_link);
	d->cached += n;
	fs->data.cached_bytes += n;
	trim = fs->data.cached_bytes > (uint64_t)fs->max_cached_mb << 20 && !fs->data.trimming;
	fs->data.trimming |= trim;
	fs_unlock(fs);
	if (trim)
		lane_background(ln, trim_fiber, ln);
}

/* ---- open files ---- */

bool data_opened(struct lane *ln, struct data *d, int flags)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY, cached, old = false;

	pthread_mutex_lock(&d->lock);
	cached = ln->fs->cfg.cache_data && !writes && !(flags & O_DIRECT) && !d->nwriters &&
		 satisfies(d->mode, DATA_FILL) && data_is_valid(ln, d);
	d->nwriters += writes;
	d->ncached += cached;
	/* A mapping could change pages that are there without asking anybody. */
	if (writes && d->filled && !d->recalling &&
	    (!d->ncached || d->mode != LEASE_EXCLUSIVE)) {
		old = true;
		d->filled = false;
	}
	pthread_mutex_unlock(&d->lock);
	if (old)
		co_forget_pages(ln, d, 0, 0);
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

static void co_give_back(struct lane *ln, const struct mds_recall *r)
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
	if (d->dirty.n) {
		pthread_mutex_unlock(&d->lock);
		wback_co_flush(ln, d);
		pthread_mutex_lock(&d->lock);
	}
	while (d->nclosing && !d->nwriters)
		xwait_co(&d->q, &d->lock, ln->loop);
	co_forget_all_pages(ln, d);
	d->mode = 0;
	d->size_known = false;
}

static void co_recall(struct lane *ln, struct data *d, const struct mds_recall *r)
{
	pthread_mutex_lock(&d->lock);
	/* It may be about a lease that is on its way. */
	while (d->recalling || (d->acquiring && !d->mode && r->granted > d->seq))
		xwait_co(&d->q, &d->lock, ln->loop);
	if (d->floor < r->seq)
		d->floor = r->seq;
	if ((d->mode & r->bits) && d->seq < r->seq) {
		d->recalling = true;
		co_drop_lease(ln, d);
		d->recalling = false;
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
	}
	co_give_back(r.ln, &r.r);
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

/* Nobody has it open; it makes room for others. */
static void evict_fiber(void *arg)
{
	struct recall r = *(struct recall *)arg;
	struct data *d = data_find(r.ln->fs, &r.r.fid);
	uint32_t mode = 0;

	free(arg);
	if (!d)
		return;
	pthread_mutex_lock(&d->lock);
	if (!d->recalling && !d->acquiring && !d->busy) {
		mode = d->mode;
		d->recalling = true;
		co_drop_lease(r.ln, d);
		d->recalling = false;
		xwait_wake(&d->q);
	}
	pthread_mutex_unlock(&d->lock);
	if (mode)
		co_give_back(r.ln, &r.r);
	data_put(r.ln, d);
}

void data_put(struct lane *ln, struct data *d)
{
	struct data *old = put(d);
	struct recall *r;

	if (!old)
		return;
	r = malloc(sizeof(*r));
	if (r) {
		*r = (struct recall){ln, {.fid = old->fid, .bits = LEASE_DATA}};
		lane_background(ln, evict_fiber, r);
	}
	(void)!put(old);
}

/* ---- losing ---- */

/* All there are, with references; the caller frees the array. */
static struct data **all_data(struct fs *fs, uint32_t *n)
{
	struct data **all, *d;
	uint32_t b, count = 0;

	*n = 0;
	fs_lock(fs);
	for (b = 0; b < DATA_BUCKETS; b++)
		LIST_FOREACH(d, &fs->data.bucket[b], hash)
	count++;
	all = calloc(count ? count : 1, sizeof(*all));
	for (b = 0; all && b < DATA_BUCKETS; b++)
		LIST_FOREACH(d, &fs->data.bucket[b], hash)
		{
			take_ref(d);
			all[(*n)++] = d;
		}
	fs_unlock(fs);
	if (!all)
		log_err("out of memory: the kernel may keep old pages");
	return all;
}

static void co_lose(struct lane *ln, struct data *d, uint64_t session)
{
	pthread_mutex_lock(&d->lock);
	if (d->session == session) {
		pthread_mutex_unlock(&d->lock);
		return;
	}
	if (d->token)
		drop_token(d);
	d->mode = 0;
	d->floor = 0;
	d->size_known = false;
	if (!d->recalling) { /* else its pages are being forgotten */
		d->recalling = true;
		co_forget_all_pages(ln, d);
		d->recalling = false;
	}
	xwait_wake(&d->q);
	pthread_mutex_unlock(&d->lock);
}

void data_co_lose_all(struct lane *ln, uint64_t session)
{
	uint32_t i, n;
	struct data **all = all_data(ln->fs, &n);

	for (i = 0; i < n; i++) {
		co_lose(ln, all[i], session);
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
}

void data_co_settle_all(struct lane *ln)
{
	uint32_t i, n;
	struct data **all = all_data(ln->fs, &n);

	for (i = 0; i < n; i++) {
		co_settle(ln, all[i]);
		data_put(ln, all[i]);
	}
	free(all);
}
