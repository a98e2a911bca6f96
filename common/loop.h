/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - port: time, timers, deferred work, randomness. One loop per thread.
 *
 * Two implementations: loop_ev.c (libev, system clock) and tests/sim/loop_sim.c (virtual time, one
 * seed). A loop's functions are called on its own thread only, except loop_post().
 * Callbacks run on the loop's main stack; they must not block. Never suspends.
 */
#pragma once
#include "common/base.h"
#include <sys/queue.h>

struct loop;
typedef void loop_fn(void *arg);

/* Memory of the user; zero-initialise, set fn and arg. A queued work must not be freed. */
struct loop_work {
	loop_fn *fn;
	void *arg;
	bool queued;
	STAILQ_ENTRY(loop_work) link;
};

/* Memory of the user; set fn and arg. A timer that is not armed may be freed. */
struct loop_timer {
	loop_fn *fn;
	void *arg;
	uint64_t due_ns;  /* loop_now() time; 0: not armed */
	uint32_t heap_at; /* timer_heap.c */
	uint64_t seq;	  /* equal times fire in the order they were armed */
};

must_check int loop_create(struct loop **out);
void loop_destroy(struct loop *l);
/* Runs until loop_stop(). */
void loop_run(struct loop *l);
/* Any thread. */
void loop_stop(struct loop *l);

/* Monotonic nanoseconds, as of the start of this pass of the loop (cheap). */
uint64_t loop_now(struct loop *l);
/* Monotonic nanoseconds right now, for latencies. */
uint64_t loop_clock(struct loop *l);
/* Wall clock, nanoseconds since the epoch, right now. */
int64_t loop_realtime(struct loop *l);
uint64_t loop_random(struct loop *l);

/* Arms or re-arms; fires once. */
void loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t delay_ns);
void loop_timer_stop(struct loop *l, struct loop_timer *t);

/* Runs w soon, in this pass if the loop is running callbacks. No-op when already queued. */
void loop_defer(struct loop *l, struct loop_work *w);
/* Runs w once, after everything that is ready now has run and before the loop waits again:
 * the place to send gathered output and to commit a batch. No-op when already queued. */
void loop_before_wait(struct loop *l, struct loop_work *w);
/* Any thread: runs w on l's thread. Memory written before is seen there. */
void loop_post(struct loop *l, struct loop_work *w);
