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
#include <stdlib.h>

#define LOOK_NS (500 * NSEC_PER_MSEC) /* so often at the pace that is set */

struct flush {
	struct ost *ost;
	bool ends, runs, told;
	struct co_waitq pace_q, done_q;
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
		if (due > loop_now(l))
			(void)!co_wait(&f->pace_q, min_u64(due, loop_now(l) + LOOK_NS));
	} while (!f->ends && due > loop_now(l));
}

static void flush_main(void *arg)
{
	struct flush *f = arg;
	int rc;

	while (!f->ends) {
		cache_co_wait_change(f->ost->cache);
		if (!f->ends)
			co_pace(f);
		if (f->ends)
			break;
		rc = cache_co_sync_all(f->ost->cache);
		if (rc && !f->told)
			log_err("%s: %s cannot be synced: %s; what is not fsynced may not survive "
				"a loss of power",
				f->ost->name, f->ost->cfg.dir, err_str(rc));
		f->told = rc != 0;
	}
	f->runs = false;
	co_wake_all(&f->done_q);
}

int flush_start(struct ost *ost, struct flush **out)
{
	struct flush *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return -ENOMEM;
	f->ost = ost;
	f->runs = true;
	co_waitq_init(&f->pace_q);
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
	while (f->runs)
		(void)!co_wait(&f->done_q, 0);
	free(f);
}
