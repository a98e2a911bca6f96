/* SPDX-License-Identifier: Apache-2.0 */
/* test_xwait.c - fibers of two loops on two threads wait for each other; also run with tsan. */
#include "client/core/xwait.h"
#include "tests/unit/unit.h"

enum { ROUNDS = 5000, WAITERS = 16 };

static struct loop *loop[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct xwaitq q;
/* Under the lock. */
static uint32_t turn, waiting, came_back, left;
static bool go;

static int setup(void **state)
{
	(void)state;
	xwait_init(&q);
	turn = waiting = came_back = left = 0;
	go = false;
	assert_int_equal(loop_create(&loop[0]), 0);
	assert_int_equal(loop_create(&loop[1]), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_destroy(loop[0]);
	loop_destroy(loop[1]);
	return 0;
}

struct side {
	uint32_t i, fibers;
	fiber_fn *fn;
};

/* lock is held: one fiber of all is over; the last one stops both loops. */
static void ends(void)
{
	if (--left)
		return;
	loop_stop(loop[0]);
	loop_stop(loop[1]);
}

static void *thread_main(void *arg)
{
	struct side *s = arg;
	uint32_t n;

	for (n = 0; n < s->fibers; n++)
		if (fiber_spawn(loop[s->i], s->fn, s))
			abort();
	loop_run(loop[s->i]);
	n = fiber_count();
	fiber_pool_drain();
	return (void *)(uintptr_t)n;
}

/* So many fibers of each loop run a, b. */
static void both(fiber_fn *a, uint32_t na, fiber_fn *b, uint32_t nb)
{
	struct side s[2] = {{0, na, a}, {1, nb, b}};
	pthread_t t[2];
	void *fibers;
	int i;

	left = na + nb;
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, thread_main, &s[i]), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(t[i], &fibers), 0);
		assert_null(fibers);
	}
}

/* ---- in turn ---- */

static void takes_turns(void *arg)
{
	struct side *s = arg;
	uint32_t n;

	pthread_mutex_lock(&lock);
	for (n = 0; n < ROUNDS; n++) {
		while (turn % 2 != s->i)
			xwait_co(&q, &lock, loop[s->i]);
		turn++;
		xwait_wake(&q);
	}
	ends();
	pthread_mutex_unlock(&lock);
}

static void two_loops_take_turns(void **state)
{
	(void)state;
	both(takes_turns, 1, takes_turns, 1);
	assert_int_equal(turn, 2 * ROUNDS);
	assert_true(STAILQ_EMPTY(&q.waiters));
}

/* ---- one wakes all ---- */

static void waits_for_go(void *arg)
{
	struct side *s = arg;

	pthread_mutex_lock(&lock);
	waiting++;
	while (!go)
		xwait_co(&q, &lock, loop[s->i]);
	came_back++;
	ends();
	pthread_mutex_unlock(&lock);
}

static void says_go(void *arg)
{
	bool all = false;

	(void)arg;
	while (!all) {
		pthread_mutex_lock(&lock);
		all = waiting == WAITERS;
		pthread_mutex_unlock(&lock);
		co_yield ();
	}
	pthread_mutex_lock(&lock);
	go = true;
	xwait_wake(&q);
	ends();
	pthread_mutex_unlock(&lock);
}

static void a_wake_wakes_all_that_wait(void **state)
{
	(void)state;
	both(says_go, 1, waits_for_go, WAITERS);
	assert_int_equal(came_back, WAITERS);
	assert_true(STAILQ_EMPTY(&q.waiters));
}

/* A waiter's loop runs other fibers meanwhile, and its lock is free. */
static void waiters_and_waker_of_one_loop(void **state)
{
	struct side s = {0, 0, NULL};
	uint32_t i;

	(void)state;
	left = WAITERS + 1;
	for (i = 0; i < WAITERS; i++)
		assert_int_equal(fiber_spawn(loop[0], waits_for_go, &s), 0);
	assert_int_equal(waiting, WAITERS);
	assert_int_equal(came_back, 0);
	assert_int_equal(fiber_spawn(loop[0], says_go, &s), 0);
	loop_run(loop[0]);
	assert_int_equal(came_back, WAITERS);
	assert_int_equal(fiber_count(), 0);
	fiber_pool_drain();
}

/* ---- many of each ---- */

/* A pot that is filled and emptied by all; who finds it full or empty waits. */
static void fills(void *arg)
{
	struct side *s = arg;
	uint32_t n;

	for (n = 0; n < ROUNDS / WAITERS; n++) {
		pthread_mutex_lock(&lock);
		while (turn == 3)
			xwait_co(&q, &lock, loop[s->i]);
		turn++;
		xwait_wake(&q);
		pthread_mutex_unlock(&lock);
	}
	pthread_mutex_lock(&lock);
	ends();
	pthread_mutex_unlock(&lock);
}

static void empties(void *arg)
{
	struct side *s = arg;
	uint32_t n;

	for (n = 0; n < ROUNDS / WAITERS; n++) {
		pthread_mutex_lock(&lock);
		while (turn == 0)
			xwait_co(&q, &lock, loop[s->i]);
		turn--;
		came_back++;
		xwait_wake(&q);
		pthread_mutex_unlock(&lock);
	}
	pthread_mutex_lock(&lock);
	ends();
	pthread_mutex_unlock(&lock);
}

static void no_wake_is_lost(void **state)
{
	(void)state;
	both(fills, WAITERS, empties, WAITERS);
	assert_int_equal(turn, 0);
	assert_int_equal(came_back, ROUNDS / WAITERS * WAITERS);
	assert_true(STAILQ_EMPTY(&q.waiters));
}

static void a_wake_without_waiters_does_nothing(void **state)
{
	(void)state;
	xwait_wake(&q);
	assert_true(STAILQ_EMPTY(&q.waiters));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(two_loops_take_turns),
		TEST(a_wake_wakes_all_that_wait),
		TEST(waiters_and_waker_of_one_loop),
		TEST(no_wake_is_lost),
		TEST(a_wake_without_waiters_does_nothing),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
