/* SPDX-License-Identifier: Apache-2.0 */
/* fiber.h - stackful coroutines: create, switch, pool of stacks; nothing else.
 *
 * A fiber belongs to the loop it was spawned on and runs on that thread only. It runs until it
 * suspends or its function returns. Stacks are FIBER_STACK bytes with a guard page and are pooled,
 * so keep arrays off them (-Wframe-larger-than). Handlers use co.h, not this. */
#pragma once
#include "common/base.h"

struct loop;
struct fiber;
typedef void fiber_fn(void *arg);

/* From the loop's main stack: runs fn at once until it suspends. From a fiber: puts the new fiber
 * on the run queue of the loop. -ENOMEM. */
must_check int fiber_spawn(struct loop *l, fiber_fn *fn, void *arg);

/* The running fiber, or NULL on a main stack. */
struct fiber *fiber_self(void);
struct loop *fiber_loop(struct fiber *f);
/* What the running fiber works for: a number of its user's, 0 at first and on a main stack. Fibers
 * that it spawns do not have it. */
void fiber_set_tag(uint64_t tag);
uint64_t fiber_tag(void);

/* Switches to the main stack; returns after somebody called fiber_wake(). Suspends. */
void fiber_co_suspend(void);

/* Puts a suspended fiber on the run queue of its loop. Same thread; exactly one wake for one
 * suspend. */
void fiber_wake(struct fiber *f);

/* Fibers of this thread that have not returned (for shutdown checks and statistics). */
uint32_t fiber_count(void);
/* Frees pooled stacks of this thread. */
void fiber_pool_drain(void);
