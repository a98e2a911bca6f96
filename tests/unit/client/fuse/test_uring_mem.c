/* SPDX-License-Identifier: Apache-2.0 */
/* test_uring_mem.c - payload memory as the kernel sees it and as handlers see it. */
#include "client/fuse/uring_mem.h"
#include "tests/unit/unit.h"

enum { LEN = 10000, ENTS = 3, SPARE = 2 };

static void both_see_the_same(void **state)
{
	struct uring_mem *m;
	uint32_t i;

	(void)state;
	assert_int_equal(uring_mem_create(LEN, ENTS, SPARE, &m), 0);
	for (i = 0; i < ENTS; i++) {
		assert_int_equal((uintptr_t)uring_mem_kernel(m, i) % 4096, 0);
		memset(uring_mem_slot(m, i) - URING_HEADROOM, 0x40 + (int)i, URING_HEADROOM + LEN);
	}
	for (i = 0; i < ENTS; i++) {
		assert_int_equal(uring_mem_kernel(m, i)[0], 0x40 + i);
		assert_int_equal(uring_mem_kernel(m, i)[LEN - 1], 0x40 + i);
	}
	uring_mem_kernel(m, 1)[5] = 7;
	assert_int_equal(uring_mem_slot(m, 1)[5], 7);
	uring_mem_destroy(m);
}

static void what_was_taken_from_the_kernel_stays_as_it_is(void **state)
{
	struct uring_mem *m;
	uint32_t slot, other;

	(void)state;
	assert_int_equal(uring_mem_create(LEN, ENTS, SPARE, &m), 0);
	uring_mem_kernel(m, 1)[0] = 11;
	assert_int_equal(uring_mem_swap(m, 1, &slot), 0);
	uring_mem_kernel(m, 1)[0] = 22; /* the next request */
	assert_int_equal(uring_mem_slot(m, 1)[0], 11);
	assert_int_equal(uring_mem_slot(m, slot)[0], 22);
	assert_int_equal(uring_mem_swap(m, 2, &other), 0);
	assert_int_not_equal(slot, other);
	uring_mem_give(m, 1);
	assert_int_equal(uring_mem_slot(m, 1)[0], 0);
	assert_int_equal(uring_mem_kernel(m, 1)[0], 22);
	uring_mem_destroy(m);
}

static void slots_come_to_an_end_and_come_back(void **state)
{
	struct uring_mem *m;
	uint32_t a, b, c;

	(void)state;
	assert_int_equal(uring_mem_create(LEN, ENTS, SPARE, &m), 0);
	assert_int_equal(uring_mem_swap(m, 0, &a), 0);
	assert_int_equal(uring_mem_swap(m, 0, &b), 0);
	assert_int_equal(uring_mem_swap(m, 0, &c), -ENOMEM);
	uring_mem_kernel(m, 0)[9] = 9;
	uring_mem_give(m, a);
	assert_int_equal(uring_mem_slot(m, b)[9], 9);
	assert_int_equal(uring_mem_swap(m, 1, &c), 0);
	assert_int_equal(c, a);
	uring_mem_slot(m, b)[9] = 8;
	uring_mem_drop(m, b);
	assert_int_equal(uring_mem_kernel(m, 0)[9], 0);
	uring_mem_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_see_the_same),
		cmocka_unit_test(what_was_taken_from_the_kernel_stays_as_it_is),
		cmocka_unit_test(slots_come_to_an_end_and_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
