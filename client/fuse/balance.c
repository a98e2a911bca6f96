/* SPDX-License-Identifier: Apache-2.0 */
/* balance.c - how many lanes read the device.
 *
 * Every thread that waits for /dev/fuse is woken for every request, though only one gets it,
 * and waking a thread on another processor for nothing costs more than serving a small request.
 * So one lane reads until it is busy nearly all the time, then the next joins in; a lane that
 * has little to do leaves again. The first lane never leaves. While a lane is blocked (it has
 * as many requests in flight as it may have) no other leaves, so that what goes to servers that
 * do answer is served.
 *
 * It measures processor time of the thread, not length of queues: a lane that waits for servers
 * is not busy.
 */
#include "client/fuse/face.h"
#include <time.h>

enum { SAMPLE_NS = 5 * NSEC_PER_MSEC, BUSY_PERCENT = 75, IDLE_PERCENT = 25 };

static uint64_t thread_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void update(struct flane *fl)
{
	loop_fd_set(fl->dev, fl->want && !fl->blocked ? LOOP_READ : 0);
}

void balance_more(struct face *f)
{
	uint32_t i;

	if (atomic_load(&f->uring_on) && atomic_load(&f->reading))
		return; /* the device brings nothing that takes time */
	for (i = 0; i < f->nlanes; i++) {
		unsigned long long bit = 1ULL << i;

		if (atomic_load(&f->reading) & bit)
			continue;
		if (atomic_fetch_or(&f->reading, bit) & bit)
			continue;
		loop_post(f->lane[i]->loop, &f->lane[i]->serve_work);
		return;
	}
}

void balance_start(struct flane *fl)
{
	if (atomic_load(&fl->face->ended))
		return;
	fl->want = true;
	fl->sample_wall = loop_clock(fl->loop);
	fl->sample_cpu = thread_cpu_ns();
	update(fl);
}

void balance_stop(struct flane *fl)
{
	fl->want = false;
	atomic_fetch_and(&fl->face->reading, ~(1ULL << fl->index));
	update(fl);
}

void balance_block(struct flane *fl, bool blocked)
{
	if (fl->blocked == blocked)
		return;
	fl->blocked = blocked;
	if (blocked) {
		atomic_fetch_add(&fl->face->blocked, 1);
		balance_more(fl->face);
	} else {
		atomic_fetch_sub(&fl->face->blocked, 1);
	}
	update(fl);
}

void balance_check(struct flane *fl)
{
	uint64_t now = loop_clock(fl->loop), wall = now - fl->sample_wall, cpu;

	if (wall < SAMPLE_NS)
		return;
	cpu = thread_cpu_ns();
	if ((cpu - fl->sample_cpu) * 100 > wall * BUSY_PERCENT)
		balance_more(fl->face);
	else if (fl->index && (cpu - fl->sample_cpu) * 100 < wall * IDLE_PERCENT &&
		 !atomic_load(&fl->face->blocked))
		balance_stop(fl);
	fl->sample_wall = now;
	fl->sample_cpu = cpu;
}
