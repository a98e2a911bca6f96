/* SPDX-License-Identifier: Apache-2.0 */
/* test_options.c - the command line of `sheen` as mount(8), mount.fuse3 and people write it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/fuse/options.h"
#include <stdio.h>
#include <sys/mount.h>

static char why[512];

static int parse(struct options *o, const char *list)
{
	/* The parsed options point to these. */
	static char prog[] = "sheen", src[] = "127.0.0.1@tcp:24100:/lustre", dir[] = "/mnt/x";
	static char dash[] = "-o", text[256];
	char *argv[] = {prog, src, dir, dash, text, NULL};

	snprintf(text, sizeof(text), "%s", list);
	return options_parse(o, 5, argv, why, sizeof(why));
}

static void source_and_mount_point_are_taken(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "rw"), 0);
	assert_string_equal(o.mountpoint, "/mnt/x");
	assert_string_equal(o.source.fsname, "lustre");
	assert_int_equal(nid_port(&o.source.mgs.nid[0]), 24100);
	assert_int_equal(o.ms_flags & MS_RDONLY, 0);
	assert_int_equal(o.locks, LOCKS_FLOCK);
}

static void what_mount_8_leaves_over_is_ignored(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "defaults,noauto,_netdev,nofail,user,x-systemd.automount,"
				   "comment=a b,allow_other,lazystatfs"),
			 0);
	assert_int_equal(o.ms_flags, 0);
}

static void the_way_to_the_kernel_is_chosen(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "rw"), 0);
	assert_int_equal(o.uring, URING_AUTO);
	assert_int_equal(parse(&o, "uring"), 0);
	assert_int_equal(o.uring, URING_ON);
	assert_int_equal(o.uring_depth, 0);
	assert_int_equal(parse(&o, "uring=64"), 0);
	assert_int_equal(o.uring, URING_ON);
	assert_int_equal(o.uring_depth, 64);
	assert_int_equal(parse(&o, "uring=64,nouring"), 0);
	assert_int_equal(o.uring, URING_OFF);
	assert_int_equal(parse(&o, "uring=0"), -EINVAL);
	assert_int_equal(parse(&o, "uring=513"), -EINVAL);
	assert_int_equal(parse(&o, "uring="), -EINVAL);
}

static void the_last_of_two_contradicting_options_wins(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "ro,rw,flock,localflock,noatime,relatime"), 0);
	assert_int_equal(o.ms_flags & (MS_RDONLY | MS_NOATIME), 0);
	assert_false(o.noatime);
	assert_int_equal(o.locks, LOCKS_LOCAL);
}

static void flags_reach_mount_2(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "ro,nosuid,nodev,noexec,noatime"), 0);
	assert_int_equal(o.ms_flags, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME);
	assert_true(o.noatime);
}

static void an_unknown_option_is_refused_by_its_name(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "ro,frobnicate,rw"), -EINVAL);
	assert_non_null(strstr(why, "'frobnicate'"));
}

static void numbers_are_checked(void **state)
{
	static const char *const bad[] = {"lanes=0", "lanes=65", "lanes=", "lanes=2x", "lanes=-1",
					  "mount_timeout=0", "retry=1e3"};
	struct options o;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse(&o, bad[i]), -EINVAL);
	assert_int_equal(parse(&o, "lanes=3,nocache,mount_timeout=5,retry=2"), 0);
	assert_int_equal(o.lanes, 3);
	assert_true(o.nocache);
	assert_int_equal(o.timeout_s, 5);
	assert_int_equal(o.retry, 2);
}

static void wrong_networks_and_missing_arguments_are_refused(void **state)
{
	char prog[] = "sheen", ib[] = "10.0.0.1@o2ib:/lustre", dir[] = "/mnt", bad[] = "-q";
	char *one[] = {prog, dir, NULL}, *net[] = {prog, ib, dir, NULL}, *opt[] = {prog, bad, NULL};
	struct options o;

	(void)state;
	assert_int_equal(options_parse(&o, 2, one, why, sizeof(why)), -EINVAL);
	assert_int_equal(options_parse(&o, 3, net, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "o2ib"));
	assert_int_equal(options_parse(&o, 2, opt, why, sizeof(why)), -EINVAL);
}

static void soft_mounts_have_a_time_and_hard_ones_wait(void **state)
{
	struct options o;
	char text[128];

	(void)state;
	assert_int_equal(parse(&o, "rw"), 0);
	assert_false(o.soft);
	assert_int_equal(o.timeo_ds, 0);
	assert_int_equal(parse(&o, "soft"), 0);
	assert_true(o.soft);
	assert_int_equal(o.timeo_ds, 600);
	assert_int_equal(parse(&o, "soft,timeo=25"), 0);
	assert_int_equal(o.timeo_ds, 25);
	options_text(&o, text, sizeof(text));
	assert_string_equal(text, "rw,flock,soft,timeo=25,read_ahead_kb=4096");
	assert_int_equal(parse(&o, "ro,noatime,soft,hard,nouring,localflock"), 0);
	assert_false(o.soft);
	options_text(&o, text, sizeof(text));
	assert_string_equal(text, "ro,noatime,localflock,hard,read_ahead_kb=4096,nouring");
	options_text(&o, text, 8);
	assert_string_equal(text, "ro,noat");
	assert_int_equal(parse(&o, "timeo=0"), -EINVAL);
	assert_int_equal(parse(&o, "timeo="), -EINVAL);
	assert_int_equal(parse(&o, "timeo=2s"), -EINVAL);
}

static void parameters_need_a_name_and_a_value(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "param=osc.*.checksums=0"), 0);
	assert_int_equal(o.nset_param, 1);
	assert_int_equal(parse(&o, "param=osc"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(source_and_mount_point_are_taken),
		cmocka_unit_test(what_mount_8_leaves_over_is_ignored),
		cmocka_unit_test(the_way_to_the_kernel_is_chosen),
		cmocka_unit_test(the_last_of_two_contradicting_options_wins),
		cmocka_unit_test(flags_reach_mount_2),
		cmocka_unit_test(an_unknown_option_is_refused_by_its_name),
		cmocka_unit_test(numbers_are_checked),
		cmocka_unit_test(wrong_networks_and_missing_arguments_are_refused),
		cmocka_unit_test(soft_mounts_have_a_time_and_hard_ones_wait),
		cmocka_unit_test(parameters_need_a_name_and_a_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
