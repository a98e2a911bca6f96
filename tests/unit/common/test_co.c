/* SPDX-License-Identifier: Apache-2.0 */
/* test_co.c - waits with deadlines and wakes that race, mutexes, fan-out. */
#include "common/co.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS ((uint64_t)NSEC_PER_MSEC)

static struct loop *l;
static struct co_waitq q;
static int left;

static int setup(void **state)
{
	(void)state;
	co_waitq_init(&q);
	left = 0;
	return loop_create(&l);
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(fiber_count(), 0);
	fiber_pool_drain();
	loop_destroy(l);
	return 0;
}

/* Runs fn as a fiber and the loop until every fiber has called done(). */
static void done(void)
{
	if (--left == 0)
		loop_stop(l);
}

static void go(fiber_fn *fn, void *arg)
{
	left++;
	assert_int_equal(fiber_spawn(l, fn, arg), 0);
}

struct wait {
	uint64_t delay_ns;
	int rc;
	bool over;
};

static void waits(void *arg)
{
	struct wait *w = arg;

	w->rc = co_wait(&q, w->delay_ns ? loop_now(l) + w->delay_ns : 0);
	w->over = true;
	done();
}

static void wakes_them(void *arg)
{
	struct wait *w = arg;

	co_sleep(5 * MS);
	assert_true(w[2].over); /* its deadline passed */
	co_wake_one(&q);
	co_yield();
	assert_true(w[0].over);
	assert_false(w[1].over);
	co_wake_all_rc(&q, -ESHUTDOWN);
	co_wake_one(&q); /* nobody */
	co_wake_all(&q);
	done();
}

static void a_wait_ends_by_wake_error_or_deadline(void **state)
{
	struct wait w[4] = {{0}, {.delay_ns = 60000 * MS}, {.delay_ns = MS}, {0}};
	int i;

	(void)state;
	assert_true(co_waitq_empty(&q));
	for (i = 0; i < 4; i++)
		go(waits, &w[i]);
	assert_false(co_waitq_empty(&q));
	go(wakes_them, w);
	loop_run(l);
	assert_int_equal(w[0].rc, 0);
	assert_int_equal(w[1].rc, -ESHUTDOWN);
	assert_int_equal(w[2].rc, -ETIMEDOUT);
	assert_int_equal(w[3].rc, -ESHUTDOWN);
}

static void a_deadline_in_the_past_times_out_without_waiting(void **state)
{
	struct wait w = {.delay_ns = 0};

	(void)state;
	w.delay_ns = (uint64_t)0 - loop_now(l) + 1; /* deadline 1 */
	go(waits, &w);
	assert_true(w.over);
	assert_int_equal(w.rc, -ETIMEDOUT);
}

/* Deadline and wake in the same pass, in either order: exactly one of them ends each wait. */
enum { RACERS = 2000 };
static int timeouts, wakes, rounds;

static void racer(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg;
	int i, rc;

	for (i = 0; i < 10; i++) {
		seed = seed * 1103515245 + 12345;
		rc = co_wait(&q, loop_now(l) + 1 + seed % (3 * MS));
		assert_true(rc == 0 || rc == -ETIMEDOUT);
		*(rc ? &timeouts : &wakes) += 1;
	}
	done();
}

static void racing_waker(void *arg)
{
	(void)arg;
	while (left > 1) {
		co_wake_one(&q);
		if (++rounds % 8 == 0)
			co_sleep(rounds % 3 ? 0 : MS);
		else
			co_yield();
	}
	done();
}

static void wakes_and_deadlines_that_race_end_each_wait_once(void **state)
{
	uintptr_t i;

	(void)state;
	timeouts = wakes = rounds = 0;
	for (i = 0; i < RACERS; i++)
		go(racer, (void *)i);
	go(racing_waker, NULL);
	loop_run(l);
	assert_int_equal(timeouts + wakes, RACERS * 10);
	assert_true(wakes > 0);
	assert_true(co_waitq_empty(&q));
}

static struct co_mutex m;
static int inside, order[100], norder;

static void locks(void *arg)
{
	co_mutex_lock(&m);
	assert_int_equal(inside++, 0);
	order[norder++] = (int)(intptr_t)arg;
	co_yield();
	if (norder % 7 == 0)
		co_sleep(MS / 10);
	inside--;
	co_mutex_unlock(&m);
	done();
}

static void a_mutex_admits_one_at_a_time_first_come_first_served(void **state)
{
	intptr_t i;

	(void)state;
	norder = 0;
	co_mutex_init(&m);
	for (i = 0; i < 100; i++)
		go(locks, (void *)i);
	loop_run(l);
	for (i = 0; i < 100; i++)
		assert_int_equal(order[i], i);
	assert_null(m.owner);
}

static int started;

static int part(void *arg)
{
	int i = (int)(intptr_t)arg;

	started++;
	if (i % 3 == 1)
		co_sleep(MS);
	else if (i % 3 == 2)
		co_yield();
	return i == 6 ? -EIO : i == 7 ? -ENOSPC : 0;
}

static void fans_out(void *arg)
{
	struct co_group g = CO_GROUP_INIT;
	intptr_t i;

	(void)arg;
	assert_int_equal(co_join(&g), 0); /* nothing to wait for */
	for (i = 0; i < 10; i++)
		co_spawn(&g, part, (void *)i);
	assert_int_equal(started, 0);
	assert_int_equal(co_join(&g), -EIO); /* the first in time: 7 sleeps */
	assert_int_equal(started, 10);
	done();
}

static void a_join_waits_for_all_and_tells_the_first_error(void **state)
{
	(void)state;
	started = 0;
	go(fans_out, NULL);
	loop_run(l);
	assert_int_equal(left, 0);
}

static char trace[16];

static void yields(void *arg)
{
	strcat(trace, arg);
	co_yield();
	strcat(trace, arg);
	done();
}

static void a_yield_lets_others_run_first(void **state)
{
	static char a[] = "a", b[] = "b", c[] = "c";

	(void)state;
	go(yields, a);
	go(yields, b);
	go(yields, c);
	loop_run(l);
	assert_string_equal(trace, "abcabc");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_wait_ends_by_wake_error_or_deadline),
		T(a_deadline_in_the_past_times_out_without_waiting),
		T(wakes_and_deadlines_that_race_end_each_wait_once),
		T(a_mutex_admits_one_at_a_time_first_come_first_served),
		T(a_join_waits_for_all_and_tells_the_first_error),
		T(a_yield_lets_others_run_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
