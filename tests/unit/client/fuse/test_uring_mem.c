/* SPDX-License-Identifier: Apache-2.0 */
/* test_uring_mem.c - payload memory as the kernel sees it and as handlers see it. */
#include "client/fuse/uring_mem.h"
#include <sys/mman.h>
#include <unistd.h>
#include "tests/unit/unit.h"

enum { LEN = 10000, ENTS = 3, SPARE = 2 };

static void both_see_the_same(void **state)
{
	struct uring_mem *m;
	uint32_t i;

	(void)state;
	assert_int_equal(uring_mem_create(LEN, ENTS, SPARE, NULL, &m), 0);
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
	assert_int_equal(uring_mem_create(LEN, ENTS, SPARE, NULL, &m), 0);
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
	assert_int_equal(uring_mem_create(LEN, ENTS, SPARE, NULL, &m), 0);
	assert_int_equal(uring_mem_swap(m, 0, &a), 0);
	assert_int_equal(uring_mem_swap(m, 0, &b), 0);
	assert_int_equal(uring_mem_swap(m, 0, &c), -ENOMEM);
	uring_mem_kernel(m, 0)[9] = 9;
	uring_mem_give(m, a);
	assert_int_equal(uring_mem_slot(m, b)[9], 9);
	assert_int_equal(uring_mem_swap(m, 1, &c), 0);
	assert_int_equal(c, a);
	uring_mem_slot(m, b)[9] = 8;
	uring_mem_slot(m, b)[URING_KEPT] = 7;
	uring_mem_trim(m, b);
	assert_int_equal(uring_mem_kernel(m, 0)[9], 8);
	assert_int_equal(uring_mem_kernel(m, 0)[URING_KEPT], 0);
	uring_mem_destroy(m);
}

static void the_next_process_finds_what_is_held(void **state)
{
	struct book_ring ring = {0};
	struct uring_place place = {.fd = memfd_create("test", 0), .ring = &ring};
	bool used[ENTS] = {false, true};
	struct uring_mem *m;
	uint8_t *kernel;
	uint32_t slot, i;

	(void)state;
	assert_int_equal(ftruncate(place.fd, 1 << 24), 0);
	assert_int_equal(uring_mem_create(LEN, ENTS, SPARE, &place, &m), 0);
	assert_false(uring_mem_is_inherited(m));
	uring_mem_rec(m, 1)->slot = 1;
	assert_int_equal(uring_mem_swap(m, 1, &slot), 0);
	kernel = uring_mem_kernel(m, 1);
	kernel[3] = 33;
	uring_mem_rec(m, 1)->unique = 4711;
	uring_mem_destroy(m);
	assert_int_equal(uring_mem_create(LEN, ENTS, SPARE, &place, &m), 0);
	assert_true(uring_mem_is_inherited(m));
	assert_int_equal(uring_mem_inherit(m, used), 0);
	assert_ptr_equal(uring_mem_kernel(m, 1), kernel);
	assert_int_equal(uring_mem_kernel(m, 1)[3], 33);
	assert_int_equal(uring_mem_rec(m, 1)->unique, 4711);
	assert_int_equal(uring_mem_rec(m, 1)->slot, slot);
	for (i = 0; i < ENTS; i++) /* no other has its slot */
		assert_true(i == 1 || uring_mem_rec(m, i)->slot != slot);
	uring_mem_rec(m, 1)->slot = ENTS + SPARE;
	assert_int_equal(uring_mem_inherit(m, used), -EPROTO);
	uring_mem_destroy(m);
	close(place.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_see_the_same),
		cmocka_unit_test(what_was_taken_from_the_kernel_stays_as_it_is),
		cmocka_unit_test(slots_come_to_an_end_and_come_back),
		cmocka_unit_test(the_next_process_finds_what_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
