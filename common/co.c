/* SPDX-License-Identifier: Apache-2.0 */
/* co.c - waiting, mutual exclusion and fan-out for fibers, on fiber.h and loop.h only, so that it
 * works on the real loop and on the simulator's. Waiters live on the stacks of the fibers that
 * wait. Nothing here can be cancelled: a wait ends by a wake or by its deadline. */
#include "common/co.h"
#include <stdlib.h>

struct co_waiter {
	struct fiber *fiber;
	struct co_waitq *q;
	int rc;
	struct loop_timer timer;
	TAILQ_ENTRY(co_waiter) link;
};

/* ---- wait queue ---- */

void co_waitq_init(struct co_waitq *q)
{
	TAILQ_INIT(&q->waiters);
}

bool co_waitq_empty(const struct co_waitq *q)
{
	return TAILQ_EMPTY(&q->waiters);
}

/* Takes w off its queue and stops its timer, so that nothing can wake it a second time. */
static void wake(struct co_waiter *w, int rc)
{
	TAILQ_REMOVE(&w->q->waiters, w, link);
	if (w->timer.due_ns)
		loop_timer_stop(fiber_loop(w->fiber), &w->timer);
	w->rc = rc;
	fiber_wake(w->fiber);
}

static void wait_expired(void *arg)
{
	wake(arg, -ETIMEDOUT);
}

int co_wait(struct co_waitq *q, uint64_t deadline_ns)
{
	struct co_waiter w = {.fiber = fiber_self(), .q = q};
	struct loop *l;

	assert(w.fiber);
	if (deadline_ns) {
		uint64_t now;

		l = fiber_loop(w.fiber);
		now = loop_now(l);
		if (deadline_ns <= now)
			return -ETIMEDOUT;
		w.timer.fn = wait_expired;
		w.timer.arg = &w;
		loop_timer_start(l, &w.timer, deadline_ns - now);
	}
	TAILQ_INSERT_TAIL(&q->waiters, &w, link);
	fiber_co_suspend();
	return w.rc;
}

void co_wake_one(struct co_waitq *q)
{
	struct co_waiter *w = TAILQ_FIRST(&q->waiters);

	if (w)
		wake(w, 0);
}

void co_wake_all_rc(struct co_waitq *q, int rc)
{
	struct co_waiter *w;

	while ((w = TAILQ_FIRST(&q->waiters)))
		wake(w, rc);
}

void co_wake_all(struct co_waitq *q)
{
	co_wake_all_rc(q, 0);
}

static void sleep_over(void *arg)
{
	fiber_wake(arg);
}

void co_sleep(uint64_t ns)
{
	struct fiber *f = fiber_self();
	struct loop_timer t = {.fn = sleep_over, .arg = f};

	assert(f);
	loop_timer_start(fiber_loop(f), &t, ns);
	fiber_co_suspend();
}

void co_yield(void)
{
	struct fiber *f = fiber_self();
	struct loop_work w = {.fn = sleep_over, .arg = f};

	/* Two turns of the queue: the work wakes the fiber, which then queues behind what is
	 * ready. */
	assert(f);
	loop_defer(fiber_loop(f), &w);
	fiber_co_suspend();
}

/* ---- mutual exclusion ---- */

void co_mutex_init(struct co_mutex *m)
{
	m->owner = NULL;
	co_waitq_init(&m->q);
}

void co_mutex_lock(struct co_mutex *m)
{
	int rc;

	assert(fiber_self() && m->owner != fiber_self());
	if (!m->owner) {
		m->owner = fiber_self();
		return;
	}
	rc = co_wait(&m->q, 0);
	assert(rc == 0 && m->owner == fiber_self());
}

void co_mutex_unlock(struct co_mutex *m)
{
	struct co_waiter *w = TAILQ_FIRST(&m->q.waiters);

	assert(m->owner == fiber_self());
	/* Handed over, so that whoever comes now cannot get in before those who wait. */
	m->owner = w ? w->fiber : NULL;
	if (w)
		wake(w, 0);
}

/* ---- fan-out ---- */

struct co_task {
	struct co_group *group;
	co_fn *fn;
	void *arg;
};

static void task_end(struct co_group *g, int rc)
{
	struct fiber *joiner = g->joiner;

	if (rc && !g->rc)
		g->rc = rc;
	if (--g->running == 0 && joiner) {
		g->joiner = NULL;
		fiber_wake(joiner);
	}
}

static void task_run(void *arg)
{
	struct co_task t = *(struct co_task *)arg;

	free(arg);
	task_end(t.group, t.fn(t.arg));
}

void co_spawn(struct co_group *g, co_fn *fn, void *arg)
{
	struct co_task *t = malloc(sizeof(*t));

	assert(fiber_self());
	g->running++;
	if (t) {
		*t = (struct co_task){g, fn, arg};
		if (fiber_spawn(fiber_loop(fiber_self()), task_run, t) == 0)
			return;
		free(t);
	}
	task_end(g, fn(arg));
}

int co_join(struct co_group *g)
{
	assert(fiber_self());
	if (g->running) {
		g->joiner = fiber_self();
		fiber_co_suspend();
		assert(g->running == 0);
	}
	return g->rc;
}
