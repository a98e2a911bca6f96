/* SPDX-License-Identifier: Apache-2.0 */
/* test_timer_heap.c - the heap against a sorted list of the same timers; no clock. */
#include "common/timer_heap.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void timers_come_out_in_the_order_of_their_times(void **state)
{
	static struct loop_timer t[1000];
	struct timer_heap h = {0};
	struct loop_timer *p;
	uint64_t last = 0;
	int i, n = 0;

	(void)state;
	srandom(1);
	for (i = 0; i < 1000; i++)
		assert_int_equal(timer_heap_set(&h, &t[i], (uint64_t)random() % 5000), 0);
	assert_null(timer_heap_pop(&h, 0));
	while ((p = timer_heap_pop(&h, UINT64_MAX))) {
		assert_int_equal(p->due_ns, 0);
		n++;
	}
	assert_int_equal(n, 1000);
	for (i = 0; i < 1000; i++)
		assert_int_equal(timer_heap_set(&h, &t[i], 1 + (uint64_t)random() % 5000), 0);
	for (i = 0; i < 1000; i += 3)
		timer_heap_del(&h, &t[i]);
	for (i = 1; i < 1000; i += 3)
		assert_int_equal(timer_heap_set(&h, &t[i], 1 + (uint64_t)random() % 9000), 0);
	while ((p = timer_heap_peek(&h))) {
		assert_true(p->due_ns >= last);
		last = p->due_ns;
		assert_ptr_equal(timer_heap_pop(&h, last), p);
	}
	timer_heap_fini(&h);
}

static void equal_times_come_out_in_the_order_they_were_armed(void **state)
{
	static struct loop_timer t[100];
	struct timer_heap h = {0};
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(timer_heap_set(&h, &t[i], 7), 0);
	assert_int_equal(timer_heap_set(&h, &t[0], 7), 0); /* armed again: last */
	for (i = 1; i < 100; i++)
		assert_ptr_equal(timer_heap_pop(&h, 7), &t[i]);
	assert_ptr_equal(timer_heap_pop(&h, 7), &t[0]);
	timer_heap_fini(&h);
}

static void stopping_a_timer_that_is_not_armed_does_nothing(void **state)
{
	struct timer_heap h = {0};
	struct loop_timer t = {0};

	(void)state;
	timer_heap_del(&h, &t);
	assert_null(timer_heap_peek(&h));
	assert_int_equal(timer_heap_set(&h, &t, 0), 0);
	assert_int_equal(t.due_ns, 1); /* 0 means not armed */
	timer_heap_fini(&h);
	assert_int_equal(t.due_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_come_out_in_the_order_of_their_times),
		cmocka_unit_test(equal_times_come_out_in_the_order_they_were_armed),
		cmocka_unit_test(stopping_a_timer_that_is_not_armed_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
