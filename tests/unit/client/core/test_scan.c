/* SPDX-License-Identifier: Apache-2.0 */
/* test_scan.c - when a directory is listed because names that are not there are asked for. */
#include "tests/unit/client/core/fake_cluster.h"

static const struct fid dir = {FID_SEQ_NORMAL + 9, 1, 0};

static uint32_t lookups(void)
{
	return fake->calls[RPC_mds_lookup];
}

static void miss(const char *name)
{
	struct entry e;

	assert_int_equal(fs_co_lookup(fake->ln, &dir, SPAN_STR(name), &e), -ENOENT);
}

static void until_scanned(struct fake *f, uint64_t n)
{
	int tries;

	for (tries = 0; f->fs->intents.scans < n && tries < 20000; tries++)
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(f->fs->intents.scans, n);
}

/* The MDS has given its lease. */
static void with_lease(struct fake *f)
{
	struct leases *t = f->fs->leases;
	struct attr a = {.mode = S_IFDIR | 0755, .nlink = 2};
	struct lease_grant g = {.seq = 1, .bits = LEASE_LOOKUP | LEASE_UPDATE};

	while (!leases_valid(t, leases_session(t), loop_clock(f->l)))
		co_sleep(NSEC_PER_MSEC);
	g.session = leases_session(t);
	leases_note(t, &dir, &g, &a);
}

static void scan_body(struct fake *f)
{
	int i;

	f->names = 2;
	for (i = 0; i < 10; i++)
		miss("x");
	assert_int_equal(f->fs->intents.scans, 0); /* without the lease of the directory */
	with_lease(f);
	for (i = 1; i < SCAN_AFTER; i++)
		miss("x");
	assert_int_equal(f->calls[RPC_mds_readdir], 0);
	miss("x");
	until_scanned(f, 1);
	assert_int_equal(f->calls[RPC_mds_readdir], 1);
	i = (int)lookups();
	miss("x");
	miss("y");
	assert_int_equal(lookups(), i); /* the MDS is not asked */
	miss("name1");                  /* is listed: it is asked where that leads */
	assert_int_equal(lookups(), i + 1);
}

static void large_body(struct fake *f)
{
	uint32_t n;
	int i;

	with_lease(f);
	f->names = 3000;
	for (i = 0; i < SCAN_AFTER; i++)
		miss("x");
	until_scanned(f, 1);
	n = f->calls[RPC_mds_readdir];
	assert_true(n < 3); /* it was left alone soon */
	for (i = 1; i < 3 * SCAN_AFTER; i++)
		miss("x");
	assert_int_equal(f->calls[RPC_mds_readdir], n);
	miss("x");
	until_scanned(f, 2); /* worth more now */
	i = (int)lookups();
	miss("x");
	assert_int_equal(lookups(), i);
	f->fs->intents.scan_after = 0;
	leases_not_complete(f->fs->leases, &dir);
	for (i = 0; i < 100; i++)
		miss("x");
	assert_int_equal(f->fs->intents.scans, 2); /* it is switched off */
}

static void mounted(fake_fn *body)
{
	fake->cache_data = true;
	fake_file(1);
	fake_mounted(body);
}

FAKE_MOUNTED_TEST(questions_in_vain_have_a_directory_listed, mounted, scan_body)
FAKE_MOUNTED_TEST(a_large_one_when_there_were_enough, mounted, large_body)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_in_vain_have_a_directory_listed),
		cmocka_unit_test(a_large_one_when_there_were_enough),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
