/* SPDX-License-Identifier: Apache-2.0 */
/* test_alloc.c - round-robin, weighting by space, states, explicit OSTs. */
#include "common/proto/proto.h"
#include "mds/alloc.h"
#include "tests/unit/unit.h"

static uint64_t seed = 99;

static uint64_t random_of(void *arg)
{
	(void)arg;
	return rnd(&seed);
}

static void add(struct alloc *a, uint32_t index, uint64_t avail)
{
	struct alloc_ost *o = alloc_add(a, index);

	assert_non_null(o);
	*o = (struct alloc_ost){index, 0, true, 1000 * GIB, avail};
}

static int setup(void **state)
{
	static struct alloc a;
	uint32_t i;

	alloc_init(&a, random_of, NULL);
	for (i = 0; i < 4; i++)
		add(&a, 3 - i, 100 * GIB);
	*state = &a;
	return 0;
}

static int teardown(void **state)
{
	alloc_fini(*state);
	return 0;
}

static uint32_t out[MAX_STRIPES];

static void equal_osts_are_used_in_turn(void **state)
{
	uint32_t hits[4] = {0}, i;

	for (i = 0; i < 400; i++) {
		assert_int_equal(alloc_pick(*state, 1, -1, out), 1);
		hits[out[0]]++;
	}
	for (i = 0; i < 4; i++)
		assert_int_equal(hits[i], 100);
}

static void stripes_are_on_different_osts_and_starts_rotate(void **state)
{
	uint32_t hits[4] = {0}, i, k;

	for (i = 0; i < 40; i++) {
		assert_int_equal(alloc_pick(*state, 3, -1, out), 3);
		for (k = 0; k < 3; k++)
			hits[out[k]]++;
		assert_true(out[0] != out[1] && out[1] != out[2] && out[0] != out[2]);
	}
	for (i = 0; i < 4; i++)
		assert_int_equal(hits[i], 30);
	for (i = 0; i < 4; i++)
		hits[i] = 0;
	for (i = 0; i < 40; i++) {
		assert_int_equal(alloc_pick(*state, -1, -1, out), 4);
		hits[out[0]]++;
	}
	for (i = 0; i < 4; i++)
		assert_int_equal(hits[i], 10);
}

static void more_than_there_are_is_all_there_are(void **state)
{
	assert_int_equal(alloc_pick(*state, 100, -1, out), 4);
	assert_int_equal(alloc_pick(*state, -1, 2, out), 4);
	assert_int_equal(out[0], 2);
	assert_int_equal(out[1], 3);
	assert_int_equal(out[2], 0);
}

static void free_space_decides_when_it_differs(void **state)
{
	struct alloc *a = *state;
	uint32_t hits[4] = {0}, i;

	alloc_find(a, 1)->avail = 10 * GIB;
	for (i = 0; i < 4000; i++) {
		assert_int_equal(alloc_pick(a, 1, -1, out), 1);
		hits[out[0]]++;
	}
	assert_in_range(hits[1], 50, 450); /* 10 of 310 parts, and the share that all get */
	assert_in_range(hits[0], 1000, 1500);
	alloc_find(a, 1)->avail = 90 * GIB; /* within 17 %: in turn again */
	memset(hits, 0, sizeof(hits));
	for (i = 0; i < 400; i++) {
		assert_int_equal(alloc_pick(a, 1, -1, out), 1);
		hits[out[0]]++;
	}
	assert_int_equal(hits[1], 100);
}

static void weighted_stripes_are_on_different_osts_too(void **state)
{
	struct alloc *a = *state;
	uint32_t i;

	alloc_find(a, 1)->avail = 10 * GIB;
	for (i = 0; i < 200; i++) {
		assert_int_equal(alloc_pick(a, 4, -1, out), 4);
		assert_int_equal(1U << out[0] | 1U << out[1] | 1U << out[2] | 1U << out[3], 15);
	}
}

static void full_inactive_and_unknown_osts_are_left_out(void **state)
{
	struct alloc *a = *state;
	uint32_t i;

	alloc_find(a, 0)->state = TARGET_NOSPACE;
	alloc_find(a, 1)->state = TARGET_INACTIVE;
	alloc_find(a, 2)->known = false;
	assert_int_equal(alloc_usable(a), 1);
	for (i = 0; i < 10; i++) {
		assert_int_equal(alloc_pick(a, 2, -1, out), 1);
		assert_int_equal(out[0], 3);
	}
	assert_int_equal(alloc_pick(a, 1, 0, out), -ENOSPC);
	assert_int_equal(alloc_pick(a, 1, 1, out), -ENODEV);
	assert_int_equal(alloc_pick(a, 1, 9, out), -EINVAL);
	alloc_find(a, 3)->state = TARGET_NOSPACE;
	assert_int_equal(alloc_pick(a, 1, -1, out), -ENOSPC);
	alloc_find(a, 0)->state = TARGET_INACTIVE;
	assert_int_equal(alloc_pick(a, 1, -1, out), -ENODEV);
}

static void degraded_osts_are_the_last_choice(void **state)
{
	struct alloc *a = *state;
	uint32_t i;

	alloc_find(a, 0)->state = TARGET_DEGRADED;
	for (i = 0; i < 10; i++) {
		assert_int_equal(alloc_pick(a, 3, -1, out), 3);
		assert_true(out[0] && out[1] && out[2]);
	}
	assert_int_equal(alloc_pick(a, 4, -1, out), 4);
}

static void an_explicit_list_is_checked(void **state)
{
	struct alloc *a = *state;

	assert_int_equal(alloc_check_list(a, (uint32_t[]){3, 0}, 2), 0);
	assert_int_equal(alloc_check_list(a, (uint32_t[]){3, 3}, 2), -EINVAL);
	assert_int_equal(alloc_check_list(a, (uint32_t[]){3, 7}, 2), -EINVAL);
	alloc_find(a, 0)->state = TARGET_INACTIVE;
	assert_int_equal(alloc_check_list(a, (uint32_t[]){3, 0}, 2), -ENODEV);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(equal_osts_are_used_in_turn),
		TEST(stripes_are_on_different_osts_and_starts_rotate),
		TEST(more_than_there_are_is_all_there_are),
		TEST(free_space_decides_when_it_differs),
		TEST(weighted_stripes_are_on_different_osts_too),
		TEST(full_inactive_and_unknown_osts_are_left_out),
		TEST(degraded_osts_are_the_last_choice),
		TEST(an_explicit_list_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
