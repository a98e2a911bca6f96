/* SPDX-License-Identifier: Apache-2.0 */
/* test_scan.c - when a directory is listed because its names are asked for one by one. */
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

static void hit(const char *name)
{
	struct entry e;

	assert_int_equal(fs_co_lookup(fake->ln, &dir, SPAN_STR(name), &e), 0);
}

/* From one to another by steps that are too large, or not, to be in a row. */
static void hit_all(int from, int to, int step)
{
	char name[32];

	for (; from < to; from += step) {
		snprintf(name, sizeof(name), "name%d", from);
		hit(name);
	}
}

enum { FAR = 10 };

static void found_body(struct fake *f)
{
	uint32_t asked;

	with_lease(f);
	f->lookup_finds = true;
	f->names = 100;
	hit_all(0, (SCAN_AFTER - 1) * FAR, FAR);
	assert_int_equal(f->calls[RPC_mds_readdir], 0);
	hit("name99");
	until_scanned(f, 1);
	asked = lookups();
	hit_all(0, 100, 1);
	miss("x");
	assert_int_equal(lookups(), asked); /* all came with their attributes */
	assert_int_equal(f->calls[RPC_mds_readdir], 1);
}

/* A few questions are not worth a long listing. */
static void found_large_body(struct fake *f)
{
	uint32_t asked;

	with_lease(f);
	f->lookup_finds = true;
	f->names = 3000;
	hit_all(0, SCAN_AFTER * FAR, FAR);
	until_scanned(f, 1);
	assert_in_range(f->listed, 1, SCAN_AFTER * 16 * 1024);
	asked = lookups();
	hit_all(0, SCAN_AFTER * 16, 1);
	assert_int_equal(lookups(), asked); /* the first names are known */
	hit_all(2900, 2900 + 2 * SCAN_AFTER * FAR, FAR);
	assert_int_equal(lookups(), asked + 2 * SCAN_AFTER);
	assert_int_equal(f->fs->intents.scans, 1);
}

/* Of names that are asked for as they are listed, those that follow are listed. */
static void row_body(struct fake *f)
{
	uint32_t scans, asked, i;

	with_lease(f);
	f->lookup_finds = true;
	f->names = 3000;
	hit_all(1000, 1002, 1);
	assert_int_equal(f->calls[RPC_mds_readdir], 0);
	for (i = 1002, scans = 1; i < 2500; scans++) {
		asked = lookups();
		while (lookups() == asked)
			hit_all((int)i, (int)i + 1, 1), i++;
		until_scanned(f, scans);
	}
	assert_in_range(scans, 4, 12); /* they grow */
	asked = lookups();
	hit_all(1000, (int)i, 1);
	assert_int_equal(lookups(), asked);
	assert_in_range(f->listed, 1, 2500 * 256);
}

static void mounted(fake_fn *body)
{
	fake->cache_data = true;
	fake_file(1);
	fake_mounted(body);
}

FAKE_MOUNTED_TEST(questions_in_vain_have_a_directory_listed, mounted, scan_body)
FAKE_MOUNTED_TEST(names_that_are_there_come_with_their_attributes, mounted, found_body)
FAKE_MOUNTED_TEST(so_many_as_the_questions_were_worth, mounted, found_large_body)
FAKE_MOUNTED_TEST(what_follows_names_in_a_row_is_listed, mounted, row_body)
FAKE_MOUNTED_TEST(a_large_one_when_there_were_enough, mounted, large_body)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_in_vain_have_a_directory_listed),
		cmocka_unit_test(names_that_are_there_come_with_their_attributes),
		cmocka_unit_test(so_many_as_the_questions_were_worth),
		cmocka_unit_test(what_follows_names_in_a_row_is_listed),
		cmocka_unit_test(a_large_one_when_there_were_enough),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
