/* SPDX-License-Identifier: Apache-2.0 */
/* test_fiber.c - switching, the run queue and the pool of stacks, on the real loop. */
#include "common/fiber.h"
#include "common/loop.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

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
	assert_int_equal(fiber_count(), 0);
	fiber_pool_drain();
	loop_destroy(l);
	return 0;
}

static void note(const char *s)
{
	strcat(trace, s);
}

static struct fiber *parked;

static void parks_once(void *arg)
{
	(void)arg;
	note("1");
	parked = fiber_self();
	assert_ptr_equal(fiber_loop(parked), l);
	fiber_co_suspend();
	note("2");
	loop_stop(l);
}

static void a_fiber_runs_at_once_until_it_suspends(void **state)
{
	(void)state;
	assert_null(fiber_self());
	assert_int_equal(fiber_spawn(l, parks_once, NULL), 0);
	assert_null(fiber_self());
	assert_string_equal(trace, "1");
	assert_int_equal(fiber_count(), 1);
	fiber_wake(parked);
	assert_string_equal(trace, "1"); /* only queued */
	loop_run(l);
	assert_string_equal(trace, "12");
}

static void child(void *arg)
{
	note(arg);
	if (!strcmp(arg, "c"))
		loop_stop(l);
}

static void parent(void *arg)
{
	static char b[] = "b", c[] = "c";

	(void)arg;
	note("a");
	assert_int_equal(fiber_spawn(l, child, b), 0);
	assert_int_equal(fiber_spawn(l, child, c), 0);
	note("A");
}

static void a_fiber_spawned_by_a_fiber_waits_for_its_turn(void **state)
{
	(void)state;
	assert_int_equal(fiber_spawn(l, parent, NULL), 0);
	assert_string_equal(trace, "aA");
	loop_run(l);
	assert_string_equal(trace, "aAbc");
}

enum { MANY = 5000, ROUNDS = 20 };

static struct fiber *many[MANY];
static uint64_t sums[MANY];
static int running;

static uint64_t deep(int n, uint64_t x)
{
	volatile uint8_t pad[200];

	pad[0] = (uint8_t)x;
	return n ? deep(n - 1, x * 31 + 7) + pad[0] : x;
}

static void worker(void *arg)
{
	int i = (int)(intptr_t)arg, r;
	double d = i;

	for (r = 0; r < ROUNDS; r++) {
		many[i] = fiber_self();
		fiber_co_suspend();
		sums[i] += deep(20, (uint64_t)(i + r));
		d += 0.5;
	}
	assert_true(d == i + ROUNDS * 0.5);
	running--;
}

static struct loop_work again;

static void wake_all(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < MANY; i++)
		if (many[i]) {
			struct fiber *f = many[i];

			many[i] = NULL;
			fiber_wake(f);
		}
	if (running)
		loop_before_wait(l, &again);
	else
		loop_stop(l);
}

static void thousands_of_fibers_keep_their_stacks_apart(void **state)
{
	int i, r;

	(void)state;
	memset(sums, 0, sizeof(sums));
	again = (struct loop_work){.fn = wake_all};
	running = MANY;
	for (i = 0; i < MANY; i++)
		assert_int_equal(fiber_spawn(l, worker, (void *)(intptr_t)i), 0);
	assert_int_equal(fiber_count(), MANY);
	loop_before_wait(l, &again);
	loop_run(l);
	for (i = 0; i < MANY; i++) {
		uint64_t want = 0;

		for (r = 0; r < ROUNDS; r++)
			want += deep(20, (uint64_t)(i + r));
		assert_int_equal(sums[i], want);
	}
}

static int ended;

static void quick(void *arg)
{
	(void)arg;
	ended += (int)(deep(5, 3) != 0);
}

static void stacks_are_used_again(void **state)
{
	int i;

	(void)state;
	ended = 0;
	for (i = 0; i < 100000; i++)
		assert_int_equal(fiber_spawn(l, quick, NULL), 0);
	assert_int_equal(ended, 100000);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_fiber_runs_at_once_until_it_suspends),
		T(a_fiber_spawned_by_a_fiber_waits_for_its_turn),
		T(thousands_of_fibers_keep_their_stacks_apart),
		T(stacks_are_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
