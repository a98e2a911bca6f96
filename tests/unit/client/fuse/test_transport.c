/* SPDX-License-Identifier: Apache-2.0 */
/* test_transport.c - which way to the kernel is planned. */
#include "client/fuse/face.h"
#include "common/log.h"
#include "tests/unit/unit.h"

static void lists_of_processors_are_counted(void **state)
{
	(void)state;
	assert_int_equal(transport_cpus("0\n"), 1);
	assert_int_equal(transport_cpus("0-1\n"), 2);
	assert_int_equal(transport_cpus("0-3,8-15\n"), 16);
	assert_int_equal(transport_cpus("0,2"), 3);
	assert_int_equal(transport_cpus("0-4095"), 4096);
}

static void what_is_no_such_list_is_not_believed(void **state)
{
	static const char *const bad[] = {"", "\n", "x", "3-1", "0-4096", "0-", "0-1x", "-1"};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(transport_cpus(bad[i]), 0);
}

static void nouring_is_obeyed(void **state)
{
	struct face f = {.opt = {.uring = URING_OFF}};

	(void)state;
	transport_plan(&f);
	assert_false(f.uring_want);
	assert_null(f.kicker);
	f.opt.lanes = 7;
	assert_int_equal(transport_lanes(&f), 7);
	f.opt.lanes = 0;
	assert_in_range(transport_lanes(&f), 1, 4);
	f.uring_want = true;
	assert_in_range(transport_lanes(&f), 1, 16);
}

static void what_the_kernel_does_not_offer_is_not_wanted(void **state)
{
	struct face f = {.opt = {.uring = URING_AUTO}, .uring_want = true};
	struct fuse_init_in in = {.flags = FUSE_INIT_EXT, .flags2 = 1U << 9};

	(void)state;
	transport_init_in(&f, &in);
	assert_true(f.uring_want);
	in.flags = 0;
	transport_init_in(&f, &in);
	assert_false(f.uring_want);
	f.uring_want = true;
	transport_init_in(&f, NULL);
	assert_false(f.uring_want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_processors_are_counted),
		cmocka_unit_test(what_is_no_such_list_is_not_believed),
		cmocka_unit_test(nouring_is_obeyed),
		cmocka_unit_test(what_the_kernel_does_not_offer_is_not_wanted),
	};

	log_set_level(LOG_LVL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
