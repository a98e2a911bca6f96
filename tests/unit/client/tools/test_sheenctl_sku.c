/* SPDX-License-Identifier: Apache-2.0 */
/* test_sheenctl_sku.c - what a SKU gives, and the share of an OST. */
#include "client/tools/sheenctl_sku.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void names_are_azures_with_or_without_prefix(void **state)
{
	(void)state;
	assert_int_equal(ctl_sku_find("AMLFS-Durable-Premium-250")->mbps, 250);
	assert_ptr_equal(ctl_sku_find("durable-premium-250"), ctl_sku_find("Durable-Premium-250"));
	assert_int_equal(ctl_sku_find("Durable-Premium-40")->step_tib, 48);
	assert_int_equal(ctl_sku_find("none")->mbps, 0);
	assert_null(ctl_sku_find("Durable-Premium"));
	assert_null(ctl_sku_find(""));
	assert_null(ctl_sku_find("AMLFS-"));
}

static void throughput_is_capacity_by_rate(void **state)
{
	(void)state;
	assert_int_equal(ctl_sku_throughput(ctl_sku_find("Durable-Premium-250"), 48), 12000);
	assert_int_equal(ctl_sku_throughput(ctl_sku_find("Durable-Premium-500"), CTL_MAX_TIB),
			 50000000);
	assert_int_equal(ctl_sku_throughput(ctl_sku_find("none"), 48), 0);
}

static void each_ost_gets_its_part(void **state)
{
	char text[32];

	(void)state;
	ctl_sku_rate(12000, 4, text);
	assert_string_equal(text, "3000.000");
	ctl_sku_rate(12000, 7, text);
	assert_string_equal(text, "1714.286"); /* never less than was ordered */
	ctl_sku_rate(1920, 4096, text);
	assert_string_equal(text, "1.000"); /* the least that an OST takes */
	ctl_sku_rate(0, 4, text);
	assert_string_equal(text, "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_azures_with_or_without_prefix),
		cmocka_unit_test(throughput_is_capacity_by_rate),
		cmocka_unit_test(each_ost_gets_its_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
