/* SPDX-License-Identifier: Apache-2.0 */
/* test_lctl_source.c - splitting what get_param and list_param of a process gave. */
#include "client/tools/lctl.h"
#include "tests/unit/unit.h"

static void values_of_one_and_of_several_lines(void **state)
{
	char names[] = "a.b.max=\na.b.stats=\na.b.secret=\nversion\n";
	const char *text = "a.b.max=8\n"
			   "a.b.stats=\nsnapshot_time 1\nopen=3 samples\n"
			   "version=sheen: 0.1.0\n";
	struct lctl_params ps = {0};

	(void)state;
	assert_int_equal(lctl_params_parse(&ps, names, text, 0), 0);
	assert_int_equal(ps.n, 3); /* write-only ones have no value */
	assert_string_equal(ps.p[0].name, "a.b.max");
	assert_string_equal(ps.p[0].value, "8");
	assert_true(ps.p[0].writable);
	assert_string_equal(ps.p[1].value, "\nsnapshot_time 1\nopen=3 samples");
	assert_string_equal(ps.p[2].value, "sheen: 0.1.0");
	assert_false(ps.p[2].writable);
	lctl_params_free(&ps);
}

static void the_same_from_two_processes_is_shown_once(void **state)
{
	char one[] = "version\nhealth_check\n", two[] = "version\nhealth_check\n";
	struct lctl_params ps = {0};

	(void)state;
	assert_int_equal(lctl_params_parse(&ps, one, "version=1\nhealth_check=healthy\n", 0), 0);
	assert_int_equal(
		lctl_params_parse(&ps, two, "version=1\nhealth_check=NOT HEALTHY\n", 0), 0);
	assert_int_equal(ps.n, 3);
	assert_string_equal(ps.p[2].value, "NOT HEALTHY");
	lctl_params_free(&ps);
}

static void names_are_cut_into_branches(void **state)
{
	char names[] = "osc.x.max=\nosc.x.stats\nosc.y.max=\nosc.z\n";
	struct lctl_params ps = {0};

	(void)state;
	assert_int_equal(lctl_params_parse(&ps, names, NULL, 2), 0);
	lctl_params_sort(&ps);
	assert_int_equal(ps.n, 3);
	assert_string_equal(ps.p[0].name, "osc.x");
	assert_true(ps.p[0].branch && !ps.p[0].writable);
	assert_string_equal(ps.p[1].name, "osc.y");
	assert_string_equal(ps.p[2].name, "osc.z");
	assert_false(ps.p[2].branch);
	lctl_params_free(&ps);
}

static void what_went_away_meanwhile_is_not_missed(void **state)
{
	char nowhere[] = "/nowhere/of/the/test";
	struct lctl_source s = {.mount = nowhere, .found = true};

	(void)state;
	assert_true(lctl_source_ended(&s, -ENOTCONN));
	s.mount = NULL;
	assert_true(lctl_source_ended(&s, -EPROTO)); /* another program has its port */
	s.found = false; /* the user named it */
	assert_false(lctl_source_ended(&s, -EPROTO));
}

static void nothing_gives_nothing(void **state)
{
	struct lctl_params ps = {0};
	char names[] = "";

	(void)state;
	assert_int_equal(lctl_params_parse(&ps, names, "", 0), 0);
	assert_int_equal(ps.n, 0);
	lctl_params_free(&ps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_one_and_of_several_lines),
		cmocka_unit_test(the_same_from_two_processes_is_shown_once),
		cmocka_unit_test(names_are_cut_into_branches),
		cmocka_unit_test(what_went_away_meanwhile_is_not_missed),
		cmocka_unit_test(nothing_gives_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
