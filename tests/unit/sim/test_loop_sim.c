/* SPDX-License-Identifier: Apache-2.0 */
/* test_loop_sim.c - the simulated loop keeps the contract of common/loop.h, and a seed is a run. */
#include "tests/sim/sim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static char text[256];
static struct loop *here;

static void say(void *arg)
{
	strcat(text, arg);
}

static struct loop_work a = {.fn = say, .arg = (void *)"a"}, b = {.fn = say, .arg = (void *)"b"};

static int setup(void **state)
{
	(void)state;
	text[0] = 0;
	sim_begin(1);
	return loop_create(&here);
}

static int teardown(void **state)
{
	(void)state;
	loop_destroy(here);
	sim_end();
	return 0;
}

static void all_steps(void)
{
	while (sim_step())
		;
}

static void timers_fire_in_order_of_their_time(void **state)
{
	struct loop_timer t[3] = {{.fn = say, .arg = (void *)"1"},
				  {.fn = say, .arg = (void *)"2"},
				  {.fn = say, .arg = (void *)"3"}};

	(void)state;
	loop_timer_start(here, &t[2], 3000000);
	loop_timer_start(here, &t[0], 1000000);
	loop_timer_start(here, &t[1], 2000000);
	all_steps();
	assert_string_equal(text, "123");
}

static void equal_times_fire_in_the_order_of_arming(void **state)
{
	struct loop_timer t[3] = {{.fn = say, .arg = (void *)"1"},
				  {.fn = say, .arg = (void *)"2"},
				  {.fn = say, .arg = (void *)"3"}};

	(void)state;
	for (int i = 0; i < 3; i++)
		sim_timer_at(here, &t[i], sim_now() + 5000);
	all_steps();
	assert_string_equal(text, "123");
}

static void a_stopped_timer_does_not_fire(void **state)
{
	struct loop_timer t = {.fn = say, .arg = (void *)"1"};

	(void)state;
	loop_timer_start(here, &t, 1000);
	loop_timer_stop(here, &t);
	loop_timer_stop(here, &t);
	all_steps();
	assert_string_equal(text, "");
	assert_int_equal(t.due_ns, 0);
}

static void time_jumps_to_the_next_timer(void **state)
{
	struct loop_timer t = {.fn = say, .arg = (void *)"1"};
	uint64_t start = sim_now();

	(void)state;
	loop_timer_start(here, &t, 3600 * NSEC_PER_SEC);
	all_steps();
	assert_true(sim_now() >= start + 3600 * NSEC_PER_SEC);
	assert_true(sim_steps() < 10);
}

static void queued_work_runs_once(void **state)
{
	(void)state;
	loop_defer(here, &a);
	loop_defer(here, &a);
	loop_defer(here, &b);
	all_steps();
	assert_string_equal(text, "ab");
}

static void before_wait_runs_when_nothing_else_is_left(void **state)
{
	(void)state;
	loop_before_wait(here, &a);
	loop_defer(here, &b);
	all_steps();
	assert_string_equal(text, "ba");
}

struct pass {
	struct loop_timer t;
	uint64_t seen[2];
	int n;
	struct loop_work again;
};

static void look_again(void *arg)
{
	struct pass *p = arg;

	p->seen[p->n++] = loop_now(here);
}

static void look(void *arg)
{
	struct pass *p = arg;

	look_again(p);
	loop_defer(here, &p->again);
}

static void the_clock_stands_still_during_a_pass(void **state)
{
	struct pass p = {.t = {.fn = look, .arg = &p}, .again = {.fn = look_again, .arg = &p}};

	(void)state;
	loop_timer_start(here, &p.t, 1000);
	all_steps();
	assert_int_equal(p.n, 2);
	assert_int_equal(p.seen[0], p.seen[1]);
}

static void posted_work_runs_on_the_other_loop(void **state)
{
	struct loop *other;

	(void)state;
	assert_int_equal(loop_create(&other), 0);
	loop_post(other, &a);
	all_steps();
	assert_string_equal(text, "a");
	loop_destroy(other);
}

static void loop_run_ends_with_loop_stop(void **state)
{
	struct loop_timer t = {.fn = (loop_fn *)loop_stop, .arg = here};

	(void)state;
	loop_timer_start(here, &t, 1000);
	loop_run(here);
	assert_int_equal(t.due_ns, 0);
}

/* Many loops that wake each other: the order is a function of the seed. */
struct crowd {
	struct loop *l[5];
	struct loop_timer t[5];
	int left;
};
static struct crowd *crowd;

static void crowd_tick(void *arg)
{
	uint64_t k = (uint64_t)(uintptr_t)arg, what[2] = {k, sim_now()};

	sim_digest_add(what, sizeof(what));
	if (crowd->left-- > 0)
		loop_timer_start(crowd->l[k], &crowd->t[k], loop_random(crowd->l[k]) % 5000);
}

static uint64_t crowd_run(uint64_t seed)
{
	struct crowd c = {.left = 500};
	uint64_t digest;

	crowd = &c;
	sim_begin(seed);
	for (uintptr_t i = 0; i < 5; i++) {
		assert_int_equal(loop_create(&c.l[i]), 0);
		c.t[i] = (struct loop_timer){.fn = crowd_tick, .arg = (void *)i};
		loop_timer_start(c.l[i], &c.t[i], 1000);
	}
	all_steps();
	for (int i = 0; i < 5; i++)
		loop_destroy(c.l[i]);
	digest = sim_digest();
	sim_end();
	return digest;
}

static void the_same_seed_is_the_same_run(void **state)
{
	(void)state;
	assert_true(crowd_run(7) == crowd_run(7));
	assert_true(crowd_run(7) != crowd_run(8));
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

static void run_until_tells_deadlock_from_timeout(void **state)
{
	struct loop_timer t = {.fn = say, .arg = (void *)"1"};

	(void)state;
	assert_int_equal(sim_run_until(never, NULL, 1000), -EDEADLK);
	loop_timer_start(here, &t, 1000);
	assert_int_equal(sim_run_until(never, NULL, 500), -ETIMEDOUT);
	loop_timer_stop(here, &t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(timers_fire_in_order_of_their_time),
		T(equal_times_fire_in_the_order_of_arming),
		T(a_stopped_timer_does_not_fire),
		T(time_jumps_to_the_next_timer),
		T(queued_work_runs_once),
		T(before_wait_runs_when_nothing_else_is_left),
		T(the_clock_stands_still_during_a_pass),
		T(posted_work_runs_on_the_other_loop),
		T(loop_run_ends_with_loop_stop),
		T(run_until_tells_deadlock_from_timeout),
		cmocka_unit_test(the_same_seed_is_the_same_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
