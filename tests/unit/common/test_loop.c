/* SPDX-License-Identifier: Apache-2.0 */
/* test_loop.c - the libev loop: order of work, timers, posts from other threads, idleness. */
#include "common/loop.h"
#include "common/loop_fd.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop *l;
static char trace[64];

static int setup(void **state)
{
	(void)state;
	trace[0] = 0;
	return loop_create(&l);
}

static int teardown(void **state)
{
	(void)state;
	loop_destroy(l);
	return 0;
}

static void note(const char *s)
{
	assert_true(strlen(trace) + strlen(s) < sizeof(trace));
	strcat(trace, s);
}

static void stop(void *arg)
{
	(void)arg;
	loop_stop(l);
}

static struct loop_work work_a, work_b, work_late, work_late2;

static void do_a(void *arg)
{
	(void)arg;
	note("a");
	loop_defer(l, &work_b);
}

static void do_b(void *arg)
{
	(void)arg;
	note("b");
}

static void do_late(void *arg)
{
	(void)arg;
	note("L");
	if (!strchr(trace, 'M'))
		loop_before_wait(l, &work_late2);
	loop_defer(l, &work_b); /* runs before the wait, too */
}

static void do_late2(void *arg)
{
	(void)arg;
	note("M");
	loop_stop(l);
}

static void work_before_the_wait_runs_after_all_deferred_work(void **state)
{
	(void)state;
	work_a = (struct loop_work){.fn = do_a};
	work_b = (struct loop_work){.fn = do_b};
	work_late = (struct loop_work){.fn = do_late};
	work_late2 = (struct loop_work){.fn = do_late2};
	loop_before_wait(l, &work_late);
	loop_before_wait(l, &work_late);
	loop_defer(l, &work_a);
	loop_defer(l, &work_a);
	loop_run(l);
	assert_string_equal(trace, "abLbM");
}

static int ticks;
static struct loop_timer tick, stopper;

static void do_tick(void *arg)
{
	(void)arg;
	if (++ticks < 5)
		loop_timer_start(l, &tick, (uint64_t)NSEC_PER_MSEC);
	else
		loop_stop(l);
}

static void a_timer_fires_once_and_not_early(void **state)
{
	uint64_t t0 = loop_clock(l);

	(void)state;
	ticks = 0;
	tick = (struct loop_timer){.fn = do_tick};
	stopper = (struct loop_timer){.fn = stop};
	loop_timer_start(l, &stopper, 60 * (uint64_t)NSEC_PER_SEC);
	loop_timer_start(l, &tick, 60 * (uint64_t)NSEC_PER_SEC);
	loop_timer_start(l, &tick, (uint64_t)NSEC_PER_MSEC); /* earlier than before */
	loop_run(l);
	loop_timer_stop(l, &stopper);
	assert_int_equal(ticks, 5);
	assert_true(loop_clock(l) - t0 >= 5 * (uint64_t)NSEC_PER_MSEC);
}

static void timers_fire_in_order_and_stopped_ones_do_not(void **state)
{
	struct loop_timer t[3] = {{.fn = do_b}, {.fn = stop}, {.fn = do_b}};

	(void)state;
	loop_timer_start(l, &t[0], (uint64_t)NSEC_PER_MSEC);
	loop_timer_start(l, &t[1], 3 * (uint64_t)NSEC_PER_MSEC);
	loop_timer_start(l, &t[2], 2 * (uint64_t)NSEC_PER_MSEC);
	loop_timer_stop(l, &t[2]);
	loop_run(l);
	assert_string_equal(trace, "b");
	assert_int_equal(t[0].due_ns, 0);
}

enum { POSTERS = 4, POSTS = 20000 };

static struct {
	struct loop_work w;
	uint64_t written; /* only the lock inside loop_post() makes this safe */
	uint64_t seen;
	atomic_bool done;
} post[POSTERS];

static void do_post(void *arg)
{
	int i = (int)(intptr_t)arg, n = 0;

	post[i].seen++;
	for (i = 0; i < POSTERS; i++)
		n += atomic_load(&post[i].done);
	if (n == POSTERS)
		loop_stop(l);
}

static void *poster(void *arg)
{
	int i = (int)(intptr_t)arg, n;

	for (n = 0; n < POSTS; n++)
		loop_post(l, &post[i].w);
	post[i].written = POSTS;
	atomic_store(&post[i].done, true);
	loop_post(l, &post[i].w);
	return NULL;
}

static void work_posted_by_other_threads_runs_and_none_is_lost(void **state)
{
	pthread_t th[POSTERS];
	int i;

	(void)state;
	memset(post, 0, sizeof(post));
	for (i = 0; i < POSTERS; i++) {
		post[i].w = (struct loop_work){.fn = do_post, .arg = (void *)(intptr_t)i};
		assert_int_equal(pthread_create(&th[i], NULL, poster, (void *)(intptr_t)i), 0);
	}
	loop_run(l);
	for (i = 0; i < POSTERS; i++) {
		pthread_join(th[i], NULL);
		assert_int_equal(post[i].written, POSTS);
		assert_true(post[i].seen >= 1);
	}
}

static struct loop_work chain;
static int links;

static void do_chain(void *arg)
{
	(void)arg;
	links++;
	loop_defer(l, &chain); /* for ever */
}

static void work_that_never_ends_keeps_nothing_else_from_running(void **state)
{
	(void)state;
	links = 0;
	work_b = (struct loop_work){.fn = do_b};
	loop_before_wait(l, &work_b);
	chain = (struct loop_work){.fn = do_chain};
	stopper = (struct loop_timer){.fn = stop};
	loop_defer(l, &chain);
	loop_timer_start(l, &stopper, 2 * (uint64_t)NSEC_PER_MSEC);
	loop_run(l);
	assert_true(links > 100);
	assert_string_equal(trace, "b");
}

static void an_idle_loop_uses_no_processor(void **state)
{
	struct timespec a, b;
	int64_t used;

	(void)state;
	stopper = (struct loop_timer){.fn = stop};
	loop_timer_start(l, &stopper, 200 * (uint64_t)NSEC_PER_MSEC);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	loop_run(l);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	used = (b.tv_sec - a.tv_sec) * NSEC_PER_SEC + b.tv_nsec - a.tv_nsec;
	assert_true(used < 20 * NSEC_PER_MSEC);
}

static struct loop_fd *rfd;
static int fds[2];

static void do_read(void *arg, int events)
{
	char c[2];

	(void)arg;
	assert_int_equal(events, LOOP_READ);
	assert_int_equal(read(fds[0], c, 1), 1);
	c[1] = 0;
	note(c);
	if (c[0] == 'z') {
		loop_fd_destroy(rfd); /* from inside its own callback */
		loop_stop(l);
	}
}

static void descriptors_report_what_was_asked_for(void **state)
{
	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(loop_fd_create(l, fds[0], do_read, NULL, &rfd), 0);
	loop_fd_set(rfd, LOOP_READ);
	assert_int_equal(write(fds[1], "xyz", 3), 3);
	loop_run(l);
	assert_string_equal(trace, "xyz");
	close(fds[0]);
	close(fds[1]);
}

static void signals_arrive_on_the_loop(void **state)
{
	(void)state;
	assert_int_equal(loop_signal(l, SIGHUP, stop, NULL), 0);
	kill(getpid(), SIGHUP);
	loop_run(l);
}

static atomic_bool came, seen;

static void on_usr1(int signo)
{
	(void)signo;
	atomic_store(&came, true);
}

static void look(void *arg)
{
	(void)arg;
	if (!atomic_load(&came))
		return;
	atomic_store(&seen, true);
	loop_stop(l);
}

/* Again and again: the first may come before the loop waits. */
static void *interrupter(void *thread)
{
	while (!atomic_load(&seen)) {
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
		sched_yield();
	}
	return NULL;
}

static void what_interrupts_the_wait_is_looked_at(void **state)
{
	struct sigaction sa = {.sa_handler = on_usr1};
	struct loop_work w = {.fn = look};
	pthread_t self = pthread_self(), t;

	(void)state;
	sigaction(SIGUSR1, &sa, NULL);
	loop_after_wait(l, &w);
	assert_int_equal(pthread_create(&t, NULL, interrupter, &self), 0);
	loop_run(l);
	pthread_join(t, NULL);
	loop_after_wait(l, NULL);
	assert_true(atomic_load(&seen));
}

static void random_numbers_differ(void **state)
{
	uint64_t a = loop_random(l), b = loop_random(l);

	(void)state;
	assert_true(a != b);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(work_before_the_wait_runs_after_all_deferred_work),
		T(a_timer_fires_once_and_not_early),
		T(timers_fire_in_order_and_stopped_ones_do_not),
		T(work_posted_by_other_threads_runs_and_none_is_lost),
		T(work_that_never_ends_keeps_nothing_else_from_running),
		T(an_idle_loop_uses_no_processor),
		T(descriptors_report_what_was_asked_for),
		T(signals_arrive_on_the_loop),
		T(what_interrupts_the_wait_is_looked_at),
		T(random_numbers_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
