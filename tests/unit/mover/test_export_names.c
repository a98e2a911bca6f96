/* SPDX-License-Identifier: Apache-2.0 */
/* test_export_names.c - names that nothing may be put at. */
#include "mover/export_names.h"
#include "tests/unit/unit.h"

static void names_are_there_until_they_are_taken_away(void **state)
{
	struct names *s;

	(void)state;
	assert_int_equal(names_create(&s), 0);
	assert_false(names_has(s, "p/", "a"));
	assert_int_equal(names_add(s, "p/a"), 0);
	assert_int_equal(names_add(s, "p/a"), 0);
	assert_int_equal(names_add(s, "p/b"), 0);
	assert_true(names_has(s, "p/", "a"));
	assert_true(names_has(s, "", "p/b"));
	assert_false(names_has(s, "p/", "c"));
	names_del(s, "p/c");
	names_del(s, "p/a");
	assert_true(names_has(s, "p/", "a"));
	names_del(s, "p/a");
	assert_false(names_has(s, "p/", "a"));
	assert_int_equal(names_count(s), 1);
	names_destroy(s);
	names_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_there_until_they_are_taken_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
