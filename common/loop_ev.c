/* SPDX-License-Identifier: Apache-2.0 */
/* loop_ev.c - the real loop: libev (epoll) under loop.h and loop_fd.h.
 *
 * One pass: wait; ev_check takes the time and runs due timers; descriptors' callbacks run; then
 * ev_prepare of the next pass runs what was deferred and what wanted to run before the wait, until
 * both queues are empty. So nothing is ever left over when the loop waits, and an idle loop uses
 * no CPU. A chain of work that keeps making work is cut after MAX_ROUNDS so that descriptors get
 * their turn.
 *
 * All timers hang on one ev_timer. It is moved forward but never back: most timers are deadlines
 * that are stopped again, and one wake-up for nothing is cheaper than touching libev for each.
 *
 * This is the only file that includes ev.h. */
#include "common/loop.h"
#include "common/log.h"
#include "common/loop_fd.h"
#include "common/timer_heap.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

/* libev's header is not written for these warnings. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include <ev.h>
#pragma GCC diagnostic pop

enum { MAX_ROUNDS = 256 };

STAILQ_HEAD(work_list, loop_work);

struct signal_watch {
	ev_signal w;
	loop_fn *fn;
	void *arg;
	struct signal_watch *next;
};

struct loop {
	struct ev_loop *ev;
	ev_prepare prepare;
	ev_check check;
	ev_timer timer;
	ev_idle idle; /* active only while work was left over */
	ev_async async;
	uint64_t now_ns;
	uint64_t armed_ns; /* what `timer` is set for; 0: nothing */
	struct timer_heap timers;
	struct work_list deferred, before_wait;
	struct loop_work *after_wait;
	struct signal_watch *signals;
	uint64_t random[4];
	atomic_bool stop;
	pthread_mutex_t post_lock; /* guards posted, and `queued` of posted work */
	struct work_list posted;
};

struct loop_fd {
	ev_io w;
	struct loop *l;
	loop_fd_fn *fn;
	void *arg;
};

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* ---- running work ---- */

/* Runs what is on the list now; what is added meanwhile stays for the next round. */
static void run_list(struct work_list *from)
{
	struct work_list now = STAILQ_HEAD_INITIALIZER(now);
	struct loop_work *w;

	STAILQ_CONCAT(&now, from);
	while ((w = STAILQ_FIRST(&now))) {
		STAILQ_REMOVE_HEAD(&now, link);
		w->queued = false;
		w->fn(w->arg);
	}
}

static bool work_left(const struct loop *l)
{
	return !STAILQ_EMPTY(&l->deferred) || !STAILQ_EMPTY(&l->before_wait);
}

static void arm_timer(struct loop *l)
{
	const struct loop_timer *t = timer_heap_peek(&l->timers);

	if (!t || (l->armed_ns && l->armed_ns <= t->due_ns))
		return;
	l->armed_ns = t->due_ns;
	ev_timer_stop(l->ev, &l->timer);
	ev_timer_set(&l->timer, t->due_ns > l->now_ns ? (double)(t->due_ns - l->now_ns) / 1e9 : 0,
		     0);
	ev_timer_start(l->ev, &l->timer);
}

static void on_prepare(struct ev_loop *ev, ev_prepare *w, int events)
{
	struct loop *l = w->data;
	int round;

	(void)events;
	for (round = 0; round < MAX_ROUNDS && work_left(l); round++)
		run_list(STAILQ_EMPTY(&l->deferred) ? &l->before_wait : &l->deferred);
	if (work_left(l)) {
		run_list(&l->before_wait); /* each pass, whoever yields without end */
		ev_idle_start(ev, &l->idle); /* poll without waiting */
	} else {
		ev_idle_stop(ev, &l->idle);
	}
	arm_timer(l);
}

static void on_check(struct ev_loop *ev, ev_check *w, int events)
{
	struct loop *l = w->data;
	struct loop_timer *t;
	uint64_t last;

	(void)ev;
	(void)events;
	l->now_ns = clock_ns(CLOCK_MONOTONIC);
	/* A timer that re-arms itself with no delay waits for the next pass. */
	last = l->timers.seq;
	while ((t = timer_heap_peek(&l->timers)) && t->due_ns <= l->now_ns && t->seq <= last) {
		timer_heap_del(&l->timers, t);
		t->fn(t->arg);
	}
	if (l->after_wait)
		l->after_wait->fn(l->after_wait->arg);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
	struct loop *l = w->data;

	(void)ev;
	(void)events;
	l->armed_ns = 0; /* on_check has run what is due; on_prepare arms again */
}

static void on_idle(struct ev_loop *ev, ev_idle *w, int events)
{
	(void)ev;
	(void)w;
	(void)events;
}

static void on_async(struct ev_loop *ev, ev_async *aw, int events)
{
	struct loop *l = aw->data;
	struct work_list now = STAILQ_HEAD_INITIALIZER(now);
	struct loop_work *w;

	(void)events;
	pthread_mutex_lock(&l->post_lock);
	STAILQ_CONCAT(&now, &l->posted);
	while ((w = STAILQ_FIRST(&now))) {
		STAILQ_REMOVE_HEAD(&now, link);
		/* Cleared before it runs and under the lock: whoever posts from now on is run for
		 * again, and what whoever posted before has written is seen. */
		w->queued = false;
		pthread_mutex_unlock(&l->post_lock);
		w->fn(w->arg);
		pthread_mutex_lock(&l->post_lock);
	}
	pthread_mutex_unlock(&l->post_lock);
	if (atomic_exchange(&l->stop, false))
		ev_break(ev, EVBREAK_ALL);
}

void loop_defer(struct loop *l, struct loop_work *w)
{
	if (w->queued)
		return;
	w->queued = true;
	STAILQ_INSERT_TAIL(&l->deferred, w, link);
}

void loop_before_wait(struct loop *l, struct loop_work *w)
{
	if (w->queued)
		return;
	w->queued = true;
	STAILQ_INSERT_TAIL(&l->before_wait, w, link);
}

void loop_post(struct loop *l, struct loop_work *w)
{
	pthread_mutex_lock(&l->post_lock);
	if (!w->queued) {
		w->queued = true;
		STAILQ_INSERT_TAIL(&l->posted, w, link);
	}
	pthread_mutex_unlock(&l->post_lock);
	ev_async_send(l->ev, &l->async);
}

/* ---- time and chance ---- */

uint64_t loop_now(struct loop *l)
{
	return l->now_ns;
}

uint64_t loop_clock(struct loop *l)
{
	(void)l;
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t loop_realtime(struct loop *l)
{
	(void)l;
	return (int64_t)clock_ns(CLOCK_REALTIME);
}

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

/* xoshiro256**: jitter and identifiers that only need to be distinct; nothing secret. */
uint64_t loop_random(struct loop *l)
{
	uint64_t *s = l->random;
	uint64_t res = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return res;
}

void loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t delay_ns)
{
	/* From now, not from the start of the pass: a pass may have taken long. */
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	uint64_t due = delay_ns > UINT64_MAX - now ? UINT64_MAX : now + delay_ns;

	if (timer_heap_set(&l->timers, t, due))
		die("out of memory for timers");
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	timer_heap_del(&l->timers, t);
}

/* ---- life ---- */

int loop_create(struct loop **out)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	if (getrandom(l->random, sizeof(l->random), 0) != sizeof(l->random)) {
		free(l);
		return -EIO;
	}
	l->ev = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	if (!l->ev) {
		int rc = errno ? -errno : -ENOMEM;

		free(l);
		return rc;
	}
	pthread_mutex_init(&l->post_lock, NULL);
	STAILQ_INIT(&l->deferred);
	STAILQ_INIT(&l->before_wait);
	STAILQ_INIT(&l->posted);
	l->now_ns = clock_ns(CLOCK_MONOTONIC);
	ev_prepare_init(&l->prepare, on_prepare);
	ev_check_init(&l->check, on_check);
	ev_set_priority(&l->check, EV_MAXPRI); /* the time first */
	ev_timer_init(&l->timer, on_timer, 0, 0);
	ev_idle_init(&l->idle, on_idle);
	ev_async_init(&l->async, on_async);
	l->prepare.data = l->check.data = l->timer.data = l->async.data = l;
	ev_prepare_start(l->ev, &l->prepare);
	ev_check_start(l->ev, &l->check);
	ev_async_start(l->ev, &l->async);
	*out = l;
	return 0;
}

void loop_destroy(struct loop *l)
{
	struct signal_watch *s;

	if (!l)
		return;
	while ((s = l->signals)) {
		l->signals = s->next;
		ev_signal_stop(l->ev, &s->w);
		free(s);
	}
	ev_loop_destroy(l->ev);
	timer_heap_fini(&l->timers);
	pthread_mutex_destroy(&l->post_lock);
	free(l);
}

void loop_run(struct loop *l)
{
	l->now_ns = clock_ns(CLOCK_MONOTONIC);
	ev_now_update(l->ev);
	ev_run(l->ev, 0);
}

void loop_stop(struct loop *l)
{
	atomic_store(&l->stop, true);
	ev_async_send(l->ev, &l->async);
}

/* ---- loop_fd.h ---- */

static void on_fd(struct ev_loop *ev, ev_io *io, int events)
{
	struct loop_fd *w = io->data;

	(void)ev;
	w->fn(w->arg, (events & EV_READ ? LOOP_READ : 0) | (events & EV_WRITE ? LOOP_WRITE : 0));
}

int loop_fd_create(struct loop *l, int fd, loop_fd_fn *fn, void *arg, struct loop_fd **out)
{
	struct loop_fd *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->l = l;
	w->fn = fn;
	w->arg = arg;
	ev_io_init(&w->w, on_fd, fd, 0);
	w->w.data = w;
	*out = w;
	return 0;
}

void loop_fd_set(struct loop_fd *w, int events)
{
	int ev = (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0);

	if (ev_is_active(&w->w)) {
		if ((w->w.events & (EV_READ | EV_WRITE)) == ev)
			return;
		ev_io_stop(w->l->ev, &w->w);
	}
	if (!ev)
		return;
	ev_io_set(&w->w, w->w.fd, ev);
	ev_io_start(w->l->ev, &w->w);
}

void loop_fd_destroy(struct loop_fd *w)
{
	if (!w)
		return;
	ev_io_stop(w->l->ev, &w->w);
	free(w);
}

void loop_after_wait(struct loop *l, struct loop_work *w)
{
	l->after_wait = w;
}

static void on_signal(struct ev_loop *ev, ev_signal *w, int events)
{
	struct signal_watch *s = w->data;

	(void)ev;
	(void)events;
	s->fn(s->arg);
}

int loop_signal(struct loop *l, int signo, loop_fn *fn, void *arg)
{
	struct signal_watch *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->fn = fn;
	s->arg = arg;
	s->next = l->signals;
	l->signals = s;
	ev_signal_init(&s->w, on_signal, signo);
	s->w.data = s;
	ev_signal_start(l->ev, &s->w);
	return 0;
}
