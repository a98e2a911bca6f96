/* SPDX-License-Identifier: Apache-2.0 */
/* lru.c - leases that this client gives back before anybody recalls them: the longest unused ones
 * when the MDS says that there are too many, when there are more than lru_size or older ones than
 * lru_max_age, and all that are not in use with lru_size=clear.
 *
 * One fiber at a time does it, on whatever lane has noticed, in batches. The order is that of a
 * recall: first the table forgets, then the kernel, then the MDS is told. What was granted
 * meanwhile is not affected, see lease_give_up() in mds/lease.h. Names and attributes are
 * never in use. Data is while a file is open, or is being written.
 */
#include "client/core/core.h"
#include "common/log.h"
#include <stdlib.h>

enum {
	BATCH = 1024,
	LOW_PART = 8,         /* that part of a limit is free afterwards */
	GIVE_BACK_MS = 10000, /* one that is not answered is recalled some day */
	MAX_AGE_MS = 3900000,
};

struct batch {
	struct lease_old old[BATCH];
	struct fs_inval inval[BATCH];
	struct data *data[BATCH];
	struct wbuf w; /* mds_recall records */
	uint32_t n;    /* of them */
};

/* ---- the parts ---- */

static void batch_put(struct batch *b, const struct mds_recall *r)
{
	enc_mds_recall(&b->w, r);
	b->n++;
}

static void co_tell_kernel(struct lane *ln, struct batch *b, uint32_t n)
{
	const struct fs_cfg *cfg = &ln->fs->cfg;
	bool names = false;
	uint32_t i, k = 0;

	for (i = 0; i < n; i++) {
		if (!b->old[i].told_ns)
			continue;
		b->inval[k++] =
			(struct fs_inval){.fid = b->old[i].fid, .told_ns = b->old[i].told_ns};
		names = true;
	}
	if (k && cfg->co_invalidate)
		cfg->co_invalidate(cfg->co_invalidate_arg, ln, b->inval, k, names);
}

static void co_tell_mds(struct lane *ln, struct batch *b)
{
	struct mds_give_back_req q = {.leases = wbuf_span(&b->w)};
	struct mds_give_back_rep p;
	RPC_CALL(call);
	int rc = b->w.rc;

	call.deadline_ms = GIVE_BACK_MS;
	if (rc == 0 && b->n)
		rc = mds_co_give_back(ln->mdt->imp, &call, &q, &p);
	if (rc)
		log_dbg("%u leases could not be given back: %s", b->n, err_str(rc));
	fs_lock(ln->fs);
	ln->fs->lru.nreturned += b->n;
	fs_unlock(ln->fs);
	b->w.len = 0;
	b->n = 0;
}

/* The record for the MDS, if the lease on the data could be given up. */
static bool co_data(struct lane *ln, struct batch *b, struct data *d)
{
	struct mds_recall r;
	bool gave = data_co_give_up(ln, d, &r);

	if (gave)
		batch_put(b, &r);
	data_put(ln, d);
	return gave;
}

/* Names and attributes of up to n inodes, and their data if nobody uses it. How many; *whole counts
 * those of which nothing is left. */
static uint32_t co_inodes(struct lane *ln, struct batch *b, uint32_t n, uint64_t before,
			  uint32_t *whole)
{
	uint32_t i, k;

	k = leases_take_old(ln->fs->leases, (uint32_t)min_u64(n, BATCH), before, b->old);
	co_tell_kernel(ln, b, k);
	for (i = 0; i < k; i++) {
		const struct lease_old *o = &b->old[i];
		struct data *d;
		bool in_use;

		batch_put(b, &(struct mds_recall){.fid = o->fid,
						  .bits = ~(uint32_t)LEASE_DATA,
						  .granted = o->heard});
		d = data_find_unused(ln->fs, &o->fid, &in_use);
		*whole += d ? co_data(ln, b, d) : !in_use;
		if (o->led)
			kept_drop(ln, &o->fid);
	}
	co_tell_mds(ln, b);
	return k;
}

static uint32_t co_idle(struct lane *ln, struct batch *b, uint32_t n)
{
	uint32_t i, k = data_idle(ln->fs, b->data, (uint32_t)min_u64(n, BATCH)), gave = 0;

	for (i = 0; i < k; i++)
		gave += co_data(ln, b, b->data[i]);
	co_tell_mds(ln, b);
	return gave;
}

/* ---- what is to do ---- */

struct work {
	uint32_t n;
	uint64_t before; /* inodes that were not used since then */
	uint32_t *owed;  /* n was taken from there; or NULL */
	bool idle;       /* data instead of inodes */
};

static uint32_t excess(uint64_t n, uint32_t limit)
{
	return n > limit ? (uint32_t)(n - (limit - limit / LOW_PART)) : 0;
}

uint32_t lru_idle_max(const struct fs *fs)
{
	return fs->lru.size ? (uint32_t)min_u64(fs->lru.size, DATA_IDLE_MAX) : DATA_IDLE_MAX;
}

/* fs->lock is held. n 0: nothing. inodes: in the table, the oldest of them used then. */
static struct work choose(struct fs *fs, uint64_t inodes, uint64_t oldest, uint64_t now)
{
	uint64_t age = fs->lru.max_age_ms * (uint64_t)NSEC_PER_MSEC;
	struct lru *l = &fs->lru;

	if (l->asked)
		return (struct work){l->asked, UINT64_MAX, &l->asked, false};
	if (l->clear)
		return (struct work){l->clear, UINT64_MAX, &l->clear, false};
	if (l->size && inodes > l->size)
		return (struct work){excess(inodes, l->size), UINT64_MAX, NULL, false};
	if (now > age && oldest < now - age)
		return (struct work){BATCH, now - age, NULL, false};
	if (l->clear_idle)
		return (struct work){l->clear_idle, 0, &l->clear_idle, true};
	return (struct work){excess(fs->data.nidle, lru_idle_max(fs)), 0, NULL, true};
}

static bool next_work(struct lane *ln, struct work *w)
{
	struct fs *fs = ln->fs;
	uint64_t oldest = leases_oldest(fs->leases);
	struct lease_counts c;

	leases_counts(fs->leases, &c);
	fs_lock(fs);
	*w = choose(fs, c.inodes, oldest, loop_clock(ln->loop));
	fs->lru.running = w->n && !ln->stopping;
	fs_unlock(fs);
	return w->n && !ln->stopping;
}

/* One batch of it. False: there was nothing that could be given back. */
static bool co_work(struct lane *ln, struct batch *b, const struct work *w)
{
	struct lru *l = &ln->fs->lru;
	uint32_t done, paid = 0;

	done = w->idle ? 0 : co_inodes(ln, b, w->n, w->before, &paid);
	if (w->owed != &l->asked) /* the MDS counts inodes of which nothing is left */
		paid = done;
	if (!done && (w->idle || w->owed == &l->asked))
		done = paid = co_idle(ln, b, w->n);
	fs_lock(ln->fs);
	if (w->owed)
		*w->owed -= done ? (uint32_t)min_u64(*w->owed, paid) : *w->owed;
	if (!done && !w->owed)
		l->running = false;
	fs_unlock(ln->fs);
	return done || w->owed;
}

static void lru_fiber(void *arg)
{
	struct batch *b = malloc(sizeof(*b));
	struct lane *ln = arg;
	struct work w;

	if (!b) {
		log_err("out of memory: no leases are given back");
		fs_lock(ln->fs);
		ln->fs->lru.running = false;
		fs_unlock(ln->fs);
		return;
	}
	b->n = 0;
	wbuf_init(&b->w, MAX_BODY / 2);
	while (next_work(ln, &w) && co_work(ln, b, &w))
		continue;
	wbuf_fini(&b->w);
	free(b);
}

void lru_start(struct lane *ln)
{
	struct fs *fs = ln->fs;
	bool start;

	fs_lock(fs);
	start = !fs->lru.running && !ln->stopping;
	fs->lru.running |= start;
	fs_unlock(fs);
	if (start)
		lane_background(ln, lru_fiber, ln);
}

void lru_asked(struct lane *ln, uint32_t n)
{
	fs_lock(ln->fs);
	if (n) { /* of what there is now: what it asked before is counted in */
		ln->fs->lru.asked = n;
		ln->fs->lru.nasked++;
	}
	fs_unlock(ln->fs);
	lru_start(ln);
}

/* ---- tunables ---- */

/* Lane 0 looks at it. */
static void kick(void *arg)
{
	struct fs *fs = arg;

	fs_lock(fs);
	if (fs->lanes[0])
		loop_post(fs->lanes[0]->loop, &fs->lanes[0]->refresh);
	fs_unlock(fs);
}

void lru_init(struct fs *fs)
{
	fs->lru.max_age_ms = MAX_AGE_MS;
}

void lru_set_size(struct fs *fs, uint32_t size)
{
	fs_lock(fs);
	fs->lru.size = size;
	fs_unlock(fs);
	leases_set_limit(fs->leases, size, kick, fs);
	kick(fs);
}

void lru_clear(struct fs *fs)
{
	struct lease_counts c;

	leases_counts(fs->leases, &c);
	fs_lock(fs);
	fs->lru.clear = (uint32_t)c.inodes;
	fs->lru.clear_idle = fs->data.nidle;
	fs_unlock(fs);
	kick(fs);
}

uint32_t lru_unused(struct fs *fs)
{
	struct lease_counts c;
	uint32_t n;

	leases_counts(fs->leases, &c);
	fs_lock(fs);
	n = (uint32_t)c.inodes + fs->data.nidle + fs->nkept;
	fs_unlock(fs);
	return n;
}
