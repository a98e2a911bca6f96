/* SPDX-License-Identifier: Apache-2.0 */
/* flush.c - see flush.h.
 *
 * One sync of everything, instead of one for each object: of small files there are thousands in a
 * few seconds, and the journal of the local file system commits all of them together anyway. The
 * pace counts from the first change on, so a busy target syncs once in a while, and an idle one
 * not at all.
 */
#include "oss/flush.h"
#include "common/log.h"
#include "oss/known.h"
#include "oss/power.h"
#include "oss/window.h"
#include <stdlib.h>

#define LOOK_NS (500 * NSEC_PER_MSEC) /* so often at the pace that is set */

/* Clients that have not come back since the start have nothing to send again any more. */
#define OLD_NS (120 * NSEC_PER_SEC)

struct flush {
	struct ost *ost;
	bool ends, runs, told, hurry;
	int error; /* final */
	uint64_t started_ns;
	struct co_waitq pace_q, round_q, done_q;
};

/* Since the first change. */
static void co_pace(struct flush *f)
{
	struct loop *l = f->ost->cfg.loop;
	uint64_t from = loop_now(l), due;
	uint32_t ms;

	do {
		ms = __atomic_load_n(&f->ost->stable_ms, __ATOMIC_RELAXED);
		due = ms ? from + ms * NSEC_PER_MSEC : UINT64_MAX;
		if (due > loop_now(l) && !f->hurry)
			(void)!co_wait(&f->pace_q, min_u64(due, loop_now(l) + LOOK_NS));
	} while (!f->ends && !f->hurry && due > loop_now(l));
}

static void co_round(struct flush *f)
{
	struct ost *ost = f->ost;
	int rc;

	f->hurry = false;
	rc = power_co_sync_all(ost);
	if (rc && !f->told)
		log_err("%s: %s cannot be synced: %s; what is not fsynced may not survive a loss "
			"of power",
			ost->name, ost->cfg.dir, err_str(rc));
	f->told = rc != 0;
	f->error = rc;
	co_wake_all(&f->round_q);
	if (f->started_ns && loop_now(ost->cfg.loop) - f->started_ns > OLD_NS) {
		f->started_ns = 0;
		known_co_forget_old(ost->known);
	}
}

static void flush_main(void *arg)
{
	struct flush *f = arg;

	/* What is sent again has older numbers than what would be called stable. */
	if (window_co_wait(f->ost->window, 0))
		f->ends = true;
	while (!f->ends) {
		cache_co_wait_change(f->ost->cache);
		if (!f->ends)
			co_pace(f);
		if (!f->ends)
			co_round(f);
	}
	f->runs = false;
	co_wake_all(&f->round_q);
	co_wake_all(&f->done_q);
}

int flush_co_now(struct flush *f)
{
	struct cache *c = f->ost->cache;
	uint64_t upto = cache_changes(c);

	while (cache_stable(c) < upto) {
		if (f->ends)
			return -ESHUTDOWN;
		if (f->error)
			return f->error;
		f->hurry = true;
		co_wake_all(&f->pace_q);
		if (co_wait(&f->round_q, 0))
			continue;
	}
	return 0;
}

int flush_start(struct ost *ost, struct flush **out)
{
	struct flush *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return -ENOMEM;
	f->ost = ost;
	f->runs = true;
	f->started_ns = loop_now(ost->cfg.loop);
	co_waitq_init(&f->pace_q);
	co_waitq_init(&f->round_q);
	co_waitq_init(&f->done_q);
	rc = fiber_spawn(ost->cfg.loop, flush_main, f);
	if (rc) {
		free(f);
		return rc;
	}
	*out = f;
	return 0;
}

void flush_co_stop(struct flush *f)
{
	if (!f)
		return;
	f->ends = true;
	cache_wake(f->ost->cache);
	co_wake_all(&f->pace_q);
	co_wake_all(&f->round_q);
	while (f->runs)
		(void)!co_wait(&f->done_q, 0);
	free(f);
}
