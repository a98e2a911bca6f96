/* SPDX-License-Identifier: Apache-2.0 */
#include "common/proto/field.h"
#include "common/stats.h"
#include "tests/unit/unit.h"

static void samples_give_count_min_max_sum_and_squares(void **state)
{
	struct stat_counter c = {.name = "open", .unit = STAT_USECS};

	(void)state;
	stat_add(&c, 90);
	stat_add(&c, 25);
	stat_add(&c, 45);
	assert_int_equal(c.n, 3);
	assert_int_equal(c.min, 25);
	assert_int_equal(c.max, 90);
	assert_int_equal(c.sum, 160);
	assert_int_equal(c.sumsq, 90 * 90 + 25 * 25 + 45 * 45);
	stat_clear(&c);
	assert_int_equal(c.n, 0);
	assert_string_equal(c.name, "open");
	stat_add(&c, 0);
	assert_int_equal(c.min, 0);
	assert_int_equal(c.max, 0);
}

static void the_text_is_lustres(void **state)
{
	struct stat_counter c[] = {
		{.name = "read_bytes", .unit = STAT_BYTES},
		{.name = "never", .unit = STAT_REQS},
		{.name = "open", .unit = STAT_USECS},
	};
	struct wbuf w;

	(void)state;
	wbuf_init(&w, 4096);
	stat_add(&c[0], 4096);
	stat_add(&c[0], 1048576);
	stat_add(&c[2], 25);
	stats_print_head(&w, 1766999999123456789, 1766990000000000000);
	stats_print(&w, c, 3);
	wbuf_put(&w, "", 1);
	assert_string_equal((char *)w.ptr,
		"snapshot_time             1766999999.123456789 secs.nsecs\n"
		"start_time                1766990000.000000000 secs.nsecs\n"
		"elapsed_time              9999.123456789 secs.nsecs\n"
		"read_bytes                2 samples [bytes] 4096 1048576 1052672 1099528404992\n"
		"open                      1 samples [usecs] 25 25 25 625\n");
	wbuf_fini(&w);
}

static void quantiles_bound_the_samples(void **state)
{
	struct stat_counter c = {.name = "x"};

	(void)state;
	assert_int_equal(stat_quantile(&c, 0.5), 0);
	for (uint64_t v = 1; v <= 1000; v++)
		stat_add(&c, v);
	assert_in_range(stat_quantile(&c, 0.5), 500, 1000);
	assert_in_range(stat_quantile(&c, 0.99), 990, 1000);
	assert_int_equal(stat_quantile(&c, 1), 1000);
	assert_in_range(stat_quantile(&c, 0.001), 1, 2);
	stat_add(&c, UINT64_MAX);
	assert_int_equal(stat_quantile(&c, 1), UINT64_MAX);
}

static void text_that_does_not_fit_is_an_error_of_the_buffer(void **state)
{
	struct stat_counter c = {.name = "x"};
	uint8_t mem[10];
	struct wbuf w;

	(void)state;
	stat_add(&c, 1);
	wbuf_init_fixed(&w, mem, sizeof(mem));
	stats_print(&w, &c, 1);
	assert_int_equal(w.rc, -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_give_count_min_max_sum_and_squares),
		cmocka_unit_test(the_text_is_lustres),
		cmocka_unit_test(quantiles_bound_the_samples),
		cmocka_unit_test(text_that_does_not_fit_is_an_error_of_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
