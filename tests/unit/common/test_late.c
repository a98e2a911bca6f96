/* SPDX-License-Identifier: Apache-2.0 */
#include "common/late.h"
#include "tests/unit/unit.h"

#define S ((int64_t)NSEC_PER_SEC)

static void the_clients_clock_counts_if_it_may_be_right(void **state)
{
	const int64_t now = 1000000 * S;

	(void)state;
	assert_int_equal(late_time(now, 0, now - S), now); /* not late */
	assert_int_equal(late_time(now, 2 * (uint64_t)S, now - 3 * S), now - 3 * S);
	assert_int_equal(late_time(now, 2 * (uint64_t)S, now - 2 * S), now - 2 * S);
	assert_int_equal(late_time(now, 2 * (uint64_t)S, now - S), now - 2 * S); /* it is ahead */
	assert_int_equal(late_time(now, 2 * (uint64_t)S, now - 63 * S), now - 2 * S);
}

static void nothing_was_longer_ago_than_it_can_be(void **state)
{
	const int64_t now = 1000000 * S;

	(void)state;
	assert_int_equal(late_time(now, UINT64_MAX, now), now - LATE_AGE_MAX_NS);
	assert_int_equal(late_time(now, UINT64_MAX, INT64_MIN), now - LATE_AGE_MAX_NS);
	assert_int_equal(late_time(now, UINT64_MAX, now - 2 * LATE_AGE_MAX_NS),
			 now - 2 * LATE_AGE_MAX_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_clients_clock_counts_if_it_may_be_right),
		cmocka_unit_test(nothing_was_longer_ago_than_it_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
