/* SPDX-License-Identifier: Apache-2.0 */
/* xwait.c - see xwait.h. Whoever wakes posts to the waiter's loop; the waiter's frame lives until
 * that has run. */
#include "client/core/xwait.h"

struct xwaiter {
	struct loop *loop;
	struct loop_work work;
	struct co_waitq q;
	bool woken;
	STAILQ_ENTRY(xwaiter) link;
};

void xwait_init(struct xwaitq *q)
{
	STAILQ_INIT(&q->waiters);
}

static void wake(void *arg)
{
	struct xwaiter *w = arg;

	w->woken = true;
	co_wake_all(&w->q);
}

void xwait_co(struct xwaitq *q, pthread_mutex_t *lock, struct loop *l)
{
	struct xwaiter w = {.loop = l};

	w.work = (struct loop_work){.fn = wake, .arg = &w};
	co_waitq_init(&w.q);
	STAILQ_INSERT_TAIL(&q->waiters, &w, link);
	pthread_mutex_unlock(lock);
	while (!w.woken)
		if (co_wait(&w.q, 0))
			continue;
	pthread_mutex_lock(lock);
}

void xwait_wake(struct xwaitq *q)
{
	struct xwaiter *w;

	while ((w = STAILQ_FIRST(&q->waiters))) {
		STAILQ_REMOVE_HEAD(&q->waiters, link);
		loop_post(w->loop, &w->work);
	}
}
