/* SPDX-License-Identifier: Apache-2.0 */
/* test_unstable.c - what an OST may lose stays until it is stable. */
#include "common/bytes.h"
#include "common/unstable.h"
#include "tests/unit/unit.h"

static struct bytes *memory;

static void add(struct unstable *u, uint64_t number, uint32_t off, uint32_t len)
{
	struct unstable_change *c = unstable_new(1);

	assert_non_null(c);
	c->number = number;
	c->bytes = bytes_get(memory);
	c->iov[0] = (struct iovec){memory->mem + off, len};
	unstable_add(u, c);
}

static void what_is_stable_goes(void **state)
{
	struct unstable u;
	uint64_t all;

	(void)state;
	memory = bytes_new(4096);
	assert_non_null(memory);
	unstable_init(&u);
	add(&u, 10, 0, 1000);
	add(&u, 12, 1000, 1000);
	add(&u, 11, 2000, 1000); /* answers overtake each other */
	assert_int_equal(u.n, 3);
	assert_int_equal(TAILQ_LAST(&u.changes, unstable_list)->number, 12);
	all = u.counted;
	assert_true(all >= 3000);
	assert_int_equal(unstable_stable(&u, 9), 0);
	assert_int_equal(unstable_stable(&u, 11), all / 3 * 2);
	assert_int_equal(u.n, 1);
	assert_int_equal(memory->refs, 2);
	assert_int_equal(unstable_stable(&u, UINT64_MAX), all / 3);
	assert_int_equal(u.counted, 0);
	assert_int_equal(memory->refs, 1);
	bytes_put(memory);
}

static void changes_without_bytes(void **state)
{
	struct unstable_change *c = unstable_new(0);
	struct unstable u;

	(void)state;
	unstable_init(&u);
	assert_non_null(c);
	c->number = 1;
	unstable_add(&u, c);
	assert_true(u.counted > 0); /* there may be very many */
	(void)unstable_stable(&u, 1);
	assert_int_equal(u.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_stable_goes),
		cmocka_unit_test(changes_without_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
