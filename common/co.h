/* SPDX-License-Identifier: Apache-2.0 */
/* co.h - what a handler may wait on. Every function with co_ in its name suspends the fiber.
 *
 * All of this is single-threaded: a wait queue, a lock or a group is used on one loop only.
 */
#pragma once
#include "common/fiber.h"
#include "common/loop.h"

/* ---- wait queue ---- */
struct co_waiter;
struct co_waitq {
	TAILQ_HEAD(, co_waiter) waiters;
};
void co_waitq_init(struct co_waitq *q);
bool co_waitq_empty(const struct co_waitq *q);
/* Waits for a wake. deadline_ns in loop_now() time, 0 = none. 0, -ETIMEDOUT, or what co_wake_rc
 * gave. */
must_check int co_wait(struct co_waitq *q, uint64_t deadline_ns);
void co_wake_one(struct co_waitq *q);
void co_wake_all(struct co_waitq *q);
void co_wake_all_rc(struct co_waitq *q, int rc);

void co_sleep(uint64_t ns);
/* Lets everything else that is ready run first. */
void co_yield(void);

/* ---- mutual exclusion among fibers, first come first served ---- */
struct co_mutex {
	struct fiber *owner;
	struct co_waitq q;
};
void co_mutex_init(struct co_mutex *m);
void co_mutex_lock(struct co_mutex *m);
void co_mutex_unlock(struct co_mutex *m);

/* ---- fan-out: spawn, join ---- */
struct co_group {
	uint32_t running;
	int rc; /* first error */
	struct fiber *joiner;
};
#define CO_GROUP_INIT ((struct co_group){0})
typedef int co_fn(void *arg);
/* Runs fn(arg) as a fiber of the group; if no fiber can be made, fn runs in line. */
void co_spawn(struct co_group *g, co_fn *fn, void *arg);
/* Waits until all have returned; the first error of any. */
must_check int co_join(struct co_group *g);
