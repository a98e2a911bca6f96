/* SPDX-License-Identifier: Apache-2.0 */
/* test_tool_size.c - numbers as people type them, by Lustre's rules. */
#include "client/tools/tool_size.h"
#include "tests/unit/unit.h"
#include <stdlib.h>

static void size_is(const char *text, uint64_t want)
{
	uint64_t v = 0, unit;

	if (tool_parse_size(text, &v, &unit) || v != want)
		fail_msg("'%s' gives %llu, not %llu", text, (unsigned long long)v,
			 (unsigned long long)want);
}

static void size_fails(const char *text, int rc)
{
	uint64_t v = 77, unit;

	if (tool_parse_size(text, &v, &unit) != rc || v != 77)
		fail_msg("'%s' is not refused with %d", text, rc);
}

static void sizes_have_units_of_either_case(void **state)
{
	(void)state;
	size_is("0", 0);
	size_is("4096", 4096);
	size_is("4k", 4096);
	size_is("4K", 4096);
	size_is("4KiB", 4096);
	size_is("4KB", 4096);
	size_is("4Ki", 4096);
	size_is("1M", 1 << 20);
	size_is("1g", 1ULL << 30);
	size_is("2t", 2ULL << 40);
	size_is("3P", 3ULL << 50);
	size_is("1e", 1ULL << 60);
	size_is("8b", 4096);
	size_is("8c", 8);
	size_is("0x10000", 65536);
	size_is("0x10k", 16384);
	size_is("010", 8);
}

static void fractions_need_a_unit(void **state)
{
	(void)state;
	size_is("1.5M", 3 << 19);
	size_is("0.5k", 512);
	size_is("1.25G", 5ULL << 28);
	size_is("1.M", 1 << 20);
	size_fails("1.5", -EINVAL);
}

static void what_is_no_size_is_refused(void **state)
{
	(void)state;
	size_fails("", -EINVAL);
	size_fails("-1", -EINVAL);
	size_fails("+1", -EINVAL);
	size_fails(" 1", -EINVAL);
	size_fails("k", -EINVAL);
	size_fails("1x", -EINVAL);
	size_fails("1kk", -EINVAL);
	size_fails("1MiBx", -EINVAL);
	size_fails("16e", -ERANGE);
	size_fails("99999999999999999999", -ERANGE);
}

static void stripe_sizes_are_multiples_of_64_kib(void **state)
{
	uint64_t v = 1;

	(void)state;
	assert_int_equal(tool_parse_stripe_size("0", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(tool_parse_stripe_size("64", &v), 0); /* KiB below 4096 */
	assert_int_equal(v, 65536);
	assert_int_equal(tool_parse_stripe_size("65536", &v), 0);
	assert_int_equal(v, 65536);
	assert_int_equal(tool_parse_stripe_size("4M", &v), 0);
	assert_int_equal(v, 4 << 20);
	assert_int_equal(tool_parse_stripe_size("100", &v), -EINVAL);
	assert_int_equal(tool_parse_stripe_size("1k", &v), -EINVAL);
	assert_int_equal(tool_parse_stripe_size("65537", &v), -EINVAL);
	assert_int_equal(tool_parse_stripe_size("4G", &v), -EFBIG);
	assert_int_equal(tool_parse_stripe_size("0xffff0000", &v), 0);
	assert_int_equal(v, STRIPE_SIZE_MAX);
}

static void whole_numbers_have_limits(void **state)
{
	int64_t v = 5;

	(void)state;
	assert_int_equal(tool_parse_int("-1", -1, 10, &v), 0);
	assert_int_equal(v, -1);
	assert_int_equal(tool_parse_int("0x0a", -1, 10, &v), 0);
	assert_int_equal(v, 10);
	assert_int_equal(tool_parse_int("11", -1, 10, &v), -ERANGE);
	assert_int_equal(tool_parse_int("-2", -1, 10, &v), -ERANGE);
	assert_int_equal(tool_parse_int("1a", -1, 10, &v), -EINVAL);
	assert_int_equal(tool_parse_int("", -1, 10, &v), -EINVAL);
	assert_int_equal(tool_parse_int("-", -1, 10, &v), -EINVAL);
	assert_int_equal(v, 10);
}

static void ost_lists_keep_their_order(void **state)
{
	static const uint32_t want[] = {1, 2, 3, 4, 7, 0};
	struct tool_ost_list *l = calloc(1, sizeof(*l));

	(void)state;
	assert_non_null(l);
	assert_int_equal(tool_parse_ost_list("1,2-4,0x7", l), 0);
	assert_int_equal(tool_parse_ost_list("0", l), 0);
	assert_int_equal(l->n, ARRAY_SIZE(want));
	assert_memory_equal(l->ost, want, sizeof(want));
	assert_int_equal(tool_parse_ost_list("", l), -EINVAL);
	assert_int_equal(tool_parse_ost_list("1,", l), -EINVAL);
	assert_int_equal(tool_parse_ost_list("4-2", l), -EINVAL);
	assert_int_equal(tool_parse_ost_list("1;2", l), -EINVAL);
	assert_int_equal(tool_parse_ost_list("-1", l), -EINVAL);
	assert_int_equal(tool_parse_ost_list("65504", l), -EINVAL);
	assert_int_equal(tool_parse_ost_list("0-65503", l), -E2BIG);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_units_of_either_case),
		cmocka_unit_test(fractions_need_a_unit),
		cmocka_unit_test(what_is_no_size_is_refused),
		cmocka_unit_test(stripe_sizes_are_multiples_of_64_kib),
		cmocka_unit_test(whole_numbers_have_limits),
		cmocka_unit_test(ost_lists_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
