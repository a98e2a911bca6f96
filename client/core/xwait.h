/* SPDX-License-Identifier: Apache-2.0 */
/* xwait.h - waiting for something that another lane does.
 *
 * A queue belongs to a mutex, as a condition variable does; those who wait are fibers of any loop.
 */
#pragma once
#include "common/co.h"
#include <pthread.h>

struct xwaiter;
struct xwaitq {
	STAILQ_HEAD(, xwaiter) waiters;
};

void xwait_init(struct xwaitq *q);
/* lock is held, is given up while the fiber of loop l waits, and is held again afterwards. Look
 * again at what was waited for. */
void xwait_co(struct xwaitq *q, pthread_mutex_t *lock, struct loop *l);
/* lock is held. Any thread. */
void xwait_wake(struct xwaitq *q);
