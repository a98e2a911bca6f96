/* SPDX-License-Identifier: Apache-2.0 */
/* test_ranges.c - which part of a file is brought next, and what is back. */
#include "mds/ranges.h"
#include "tests/unit/unit.h"

#define MB (1ULL << 20)


static void all_of_it_is_brought_in_order(void **state)
{
	struct ranges *r = ranges_create(20 * MB + 5);
	uint64_t off = 0, len = 0, at = 0, from, to;

	(void)state;
	while (ranges_next(r, 0, &off, &len)) {
		assert_int_equal(off, at);
		assert_true(len > 0 && len <= 8 * MB);
		assert_false(ranges_back(r, off, &from, &to));
		at += len;
	}
	assert_int_equal(at, 20 * MB + 5);
	assert_true(ranges_back(r, 20 * MB + 4, &from, &to));
	assert_int_equal(from, 0);
	assert_int_equal(to, 20 * MB + 5);
	assert_false(ranges_back(r, 20 * MB + 5, &from, &to));
	assert_false(ranges_next(r, 0, &off, &len));
	ranges_free(r);
}

static void what_somebody_waits_for_comes_first(void **state)
{
	struct ranges *r = ranges_create(100 * MB);
	uint64_t off = 0, len = 0, from, to;

	(void)state;
	ranges_want(r, 50 * MB + 7);
	ranges_want(r, 50 * MB + 8);
	ranges_want(r, 20 * MB);
	ranges_want(r, 500 * MB);
	assert_true(ranges_next(r, 0, &off, &len));
	assert_true(off == 50 * MB && len == MB);
	assert_true(ranges_next(r, 0, &off, &len));
	assert_true(off == 20 * MB && len == MB);
	assert_true(ranges_back(r, 51 * MB - 1, &from, &to));
	assert_true(from == 50 * MB && to == 51 * MB);
	/* Then what follows, more and more. */
	assert_true(ranges_next(r, 0, &off, &len));
	assert_true(off == 21 * MB && len == 2 * MB);
	assert_true(ranges_next(r, 0, &off, &len));
	assert_true(off == 23 * MB && len == 4 * MB);
	/* What was brought is wanted by nobody. */
	ranges_want(r, 20 * MB);
	assert_true(ranges_next(r, 0, &off, &len));
	assert_true(off == 27 * MB && len == 8 * MB);
	ranges_free(r);
}

static void pieces_stop_at_what_others_have(void **state)
{
	struct ranges *r = ranges_create(8 * MB);
	uint64_t off = 0, len = 0, o2 = 0, l2 = 0, o3 = 0, l3 = 0, from, to;

	(void)state;
	ranges_want(r, 2 * MB);
	assert_true(ranges_next(r, 0, &off, &len)); /* 2 */
	assert_true(ranges_next(r, 1, &o2, &l2));   /* 3, 4 */
	assert_true(o2 == 3 * MB && l2 == 2 * MB);
	assert_true(ranges_next(r, 2, &o3, &l3)); /* 5, 6, 7 */
	assert_true(o3 == 5 * MB && l3 == 3 * MB);
	assert_true(ranges_next(r, 2, &o3, &l3)); /* 0, 1 */
	assert_true(o3 == 0 && l3 == 2 * MB);
	assert_false(ranges_next(r, 2, &o3, &l3));
	assert_true(ranges_back(r, 0, &from, &to));
	assert_true(from == 0 && to == 2 * MB);
	assert_false(ranges_next(r, 1, &o2, &l2));
	assert_true(ranges_back(r, 7 * MB, &from, &to));
	assert_true(from == 3 * MB && to == 8 * MB);
	ranges_free(r);
}

/* An answer that was lost: the worker asks again without having done what it never heard of. */
static void what_a_worker_does_not_know_of_is_given_out_again(void **state)
{
	struct ranges *r = ranges_create(4 * MB);
	uint64_t off = 0, len = 0, from, to;

	(void)state;
	assert_true(ranges_next(r, 3, &off, &len));
	assert_true(off == 0 && len == 4 * MB);
	off = len = 0;
	assert_true(ranges_next(r, 3, &off, &len));
	assert_true(off == 0 && len == 4 * MB);
	assert_false(ranges_back(r, 0, &from, &to));
	assert_false(ranges_next(r, 3, &off, &len));
	assert_true(ranges_back(r, 0, &from, &to));
	/* And once more, of what is back. */
	off = 0, len = 4 * MB;
	assert_false(ranges_next(r, 3, &off, &len));
	assert_true(ranges_back(r, 0, &from, &to));
	ranges_free(r);
}

static void the_largest_file_has_units_that_can_be_counted(void **state)
{
	struct ranges *r = ranges_create(1ULL << 60);
	uint64_t off = 0, len = 0;

	(void)state;
	assert_non_null(r);
	assert_true(ranges_unit(r) >= 1ULL << 40);
	ranges_want(r, (1ULL << 60) - 1);
	assert_true(ranges_next(r, 0, &off, &len));
	assert_int_equal(off + len, 1ULL << 60);
	ranges_free(r);
	r = ranges_create(0);
	ranges_want(r, 0);
	off = len = 0;
	assert_false(ranges_next(r, 0, &off, &len));
	ranges_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_is_brought_in_order),
		cmocka_unit_test(what_somebody_waits_for_comes_first),
		cmocka_unit_test(pieces_stop_at_what_others_have),
		cmocka_unit_test(what_a_worker_does_not_know_of_is_given_out_again),
		cmocka_unit_test(the_largest_file_has_units_that_can_be_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
