/* SPDX-License-Identifier: Apache-2.0 */
/* test_lfs_space.c - lfs df's table, byte for byte as Lustre prints it. */
#include "client/tools/lfs_space.h"
#include "common/proto/proto.h"
#include "tests/unit/unit.h"
#include <stdlib.h>

/* clang-format off */
#define MDT0 "testfs-MDT0000_UUID       125056        1664      112156   2% /mnt/testfs[MDT:0]\n"
#define OST0 "testfs-OST0000_UUID       313104        1400      284544   1% /mnt/testfs[OST:0]"
#define OST1 "testfs-OST0001_UUID       313104        1400      284544   1% /mnt/testfs[OST:1]\n"
#define NONE "filesystem_summary:            0           0           0   0% /mnt/testfs\n\n"
/* clang-format on */

static const struct tool_space three[] = {
	{.mdt = true, .name = "testfs-MDT0000", .total = 125056 * KIB,
	 .free = (125056 - 1664) * KIB, .avail = 112156 * KIB, .files = 100000, .ffree = 99700},
	{.index = 0, .name = "testfs-OST0000", .total = 313104 * KIB, .free = (313104 - 1400) * KIB,
	 .avail = 284544 * KIB, .files = 50000, .ffree = 49900},
	{.index = 1, .name = "testfs-OST0001", .total = 313104 * KIB, .free = (313104 - 1400) * KIB,
	 .avail = 284544 * KIB, .files = 50000, .ffree = 49900},
};

static int prints(const struct lfs_df *d, const struct tool_space *t, int n, const char *want)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int rc = lfs_df_print(f, d, t, n);

	fclose(f);
	assert_string_equal(text, want);
	free(text);
	return rc;
}

static const struct lfs_df all = {.dir = "/mnt/testfs", .mdt = -1, .ost = -1, .stripe_count = 1};

static void blocks_of_every_target(void **state)
{
	(void)state;
	assert_int_equal(
		prints(&all, three, 3,
		       "UUID                   1K-blocks        Used   Available Use% Mounted on\n"
		       MDT0        OST0 "\n"        OST1 "\n"
		       "filesystem_summary:       626208        2800      569088   1% /mnt/testfs\n"
		       "\n"),
		0);
}

static void numbers_with_units(void **state)
{
	struct lfs_df d = all;

	(void)state;
	d.flags = DF_HUMAN;
	prints(&d, three, 1,
	       "UUID                       bytes        Used   Available Use% Mounted on\n"
	       "testfs-MDT0000_UUID       122.1M        1.6M      109.5M   2% /mnt/testfs[MDT:0]\n"
	       "\n"
	       "filesystem_summary:            0           0           0   0% /mnt/testfs\n"
	       "\n");
	d.flags = DF_DECIMAL | DF_SUMMARY | DF_NO_HEADER;
	prints(&d, three, 3,
	       "filesystem_summary:       641.2M        2.9M      582.7M   1% /mnt/testfs\n\n");
}

static void inodes_are_limited_by_objects(void **state)
{
	struct lfs_df d = all;

	(void)state;
	d.flags = DF_INODES;
	d.stripe_count = 2;
	prints(&d, three, 3,
	       "UUID                      Inodes       IUsed       IFree IUse% Mounted on\n"
	       "testfs-MDT0000_UUID       100000         300       99700   1% /mnt/testfs[MDT:0]\n"
	       "testfs-OST0000_UUID        50000         100       49900   1% /mnt/testfs[OST:0]\n"
	       "testfs-OST0001_UUID        50000         100       49900   1% /mnt/testfs[OST:1]\n"
	       "\n"
	       "filesystem_summary:        50200         300       49900   1% /mnt/testfs\n"
	       "\n");
}

static void letters_tell_the_state(void **state)
{
	struct tool_space t = three[1];
	struct lfs_df d = all;

	(void)state;
	d.flags = DF_NO_HEADER;
	t.state = TARGET_DEGRADED | TARGET_NOCREATE | TARGET_NOSPACE;
	prints(&d, &t, 1,
	       OST0 " DNS\n"
	       "\n"
	       "filesystem_summary:       313104        1400      284544   1% /mnt/testfs\n"
	       "\n");
}

static void what_does_not_answer_is_named(void **state)
{
	struct tool_space t[2] = {three[1], three[2]};
	struct lfs_df d = all;
	char want[400];

	(void)state;
	d.flags = DF_NO_HEADER;
	t[0].state = TARGET_INACTIVE;
	t[1].error = EAGAIN;
	snprintf(want, sizeof(want), "OST0001             : %s\n\n%s", strerror(EAGAIN), NONE);
	assert_int_equal(prints(&d, t, 2, want), -EAGAIN);
	d.flags |= DF_LAZY;
	snprintf(want, sizeof(want), "\n%s", NONE);
	assert_int_equal(prints(&d, t, 2, want), 0);
	d.flags |= DF_VERBOSE;
	snprintf(want, sizeof(want), "OST0000             : inactive device\n\n%s", NONE);
	assert_int_equal(prints(&d, t, 2, want), 0);
}

static void one_target_alone(void **state)
{
	struct lfs_df d = all;

	(void)state;
	d.flags = DF_NO_HEADER;
	d.mdt = -2;
	d.ost = 1;
	prints(&d, three, 3,
	       OST1 "\n"
	       "filesystem_summary:       313104        1400      284544   1% /mnt/testfs\n"
	       "\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_of_every_target),
		cmocka_unit_test(numbers_with_units),
		cmocka_unit_test(inodes_are_limited_by_objects),
		cmocka_unit_test(letters_tell_the_state),
		cmocka_unit_test(what_does_not_answer_is_named),
		cmocka_unit_test(one_target_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
