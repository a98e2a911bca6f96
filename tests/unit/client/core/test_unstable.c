/* SPDX-License-Identifier: Apache-2.0 */
/* test_unstable.c - what a loss of power of an OST may have taken. */
#include "client/core/unstable.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct unstable_heard nothing;

static bool wrote(struct unstable *u, uint32_t i, uint64_t power, uint64_t boot, uint64_t change)
{
	return unstable_wrote(u, 3, i, &(struct unstable_obj){power, boot, change}, &nothing);
}

static bool synced(struct unstable *u, uint32_t i, uint64_t power)
{
	struct unstable_obj before = unstable_get(u, i);

	return unstable_synced(u, i, &before, power, &nothing);
}

static void a_sync_tells_of_writes_that_are_lost(void **state)
{
	struct unstable u = {0};

	(void)state;
	assert_true(synced(&u, 2, 1));
	assert_true(wrote(&u, 2, 1, 10, 5));
	assert_true(wrote(&u, 2, 1, 11, 1)); /* the process died, the machine did not */
	assert_true(synced(&u, 2, 1));
	assert_true(synced(&u, 2, 7)); /* that was stable */
	assert_true(wrote(&u, 2, 7, 12, 5));
	assert_true(wrote(&u, 0, 7, 12, 6));
	assert_false(synced(&u, 2, 8));
	assert_true(synced(&u, 2, 8));        /* it was told */
	assert_false(wrote(&u, 0, 8, 13, 1)); /* a write hears of it, too */
	assert_true(synced(&u, 0, 8));
	unstable_fini(&u);
}

static void what_was_heard_to_be_stable_is_not_lost(void **state)
{
	struct unstable_heard heard = {10, 5};
	struct unstable_obj before;
	struct unstable u = {0};

	(void)state;
	assert_true(wrote(&u, 0, 1, 10, 5));
	assert_true(wrote(&u, 1, 1, 10, 6));
	assert_true(wrote(&u, 2, 1, 11, 4)); /* of another life */
	before = unstable_get(&u, 0);
	assert_true(unstable_synced(&u, 0, &before, 2, &heard));
	before = unstable_get(&u, 1);
	assert_false(unstable_synced(&u, 1, &before, 2, &heard));
	before = unstable_get(&u, 2);
	assert_false(unstable_synced(&u, 2, &before, 2, &heard));
	unstable_fini(&u);
}

static void a_write_beside_a_sync_is_not_covered_by_it(void **state)
{
	struct unstable u = {0};
	struct unstable_obj before;

	(void)state;
	assert_true(wrote(&u, 0, 1, 10, 1));
	before = unstable_get(&u, 0);
	assert_true(wrote(&u, 0, 1, 10, 3));
	assert_true(wrote(&u, 0, 1, 10, 2)); /* an answer that was overtaken */
	assert_true(unstable_synced(&u, 0, &before, 1, &nothing));
	assert_int_equal(unstable_get(&u, 0).change, 3);
	assert_false(synced(&u, 0, 2));
	unstable_fini(&u);
}

static void an_ost_that_does_not_tell_is_believed(void **state)
{
	struct unstable u = {0};

	(void)state;
	assert_true(wrote(&u, 0, 0, 10, 1));
	assert_true(synced(&u, 0, 5));
	assert_true(wrote(&u, 0, 5, 10, 1));
	assert_true(synced(&u, 0, 0));
	unstable_fini(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sync_tells_of_writes_that_are_lost),
		cmocka_unit_test(what_was_heard_to_be_stable_is_not_lost),
		cmocka_unit_test(a_write_beside_a_sync_is_not_covered_by_it),
		cmocka_unit_test(an_ost_that_does_not_tell_is_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
