/* SPDX-License-Identifier: Apache-2.0 */
/* test_kept.c - files that are closed here and stay open at the MDS: which ones, and when they are
 * closed for good. */
#include "tests/unit/client/core/fake_cluster.h"

static uint32_t opens(void)
{
	return fake->calls[RPC_mds_open];
}

static uint32_t closes(void)
{
	return fake->calls[RPC_mds_close];
}

/* Closes that nobody waits for. */
static void until_closed(uint32_t n)
{
	int tries;

	for (tries = 0; closes() < n && tries < 20000; tries++)
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(closes(), n);
}

/* This client hears of it when the file's name goes. */
static void look_up(void)
{
	struct leases *t = fake->fs->leases;
	struct entry e;

	while (!leases_valid(t, leases_session(t), loop_clock(fake->l)))
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(fs_co_lookup(fake->ln, &FID_ROOT, SPAN_STR("file"), &e), 0);
	assert_true(leases_led(t, &fake->fid));
}

static void kept_mounted(fake_fn *body)
{
	fake->cache_data = true;
	fake->lease = LEASE_SHARED;
	fake_file(1);
	fake_mounted(body);
}

#define KEPT_TEST(name, body) FAKE_MOUNTED_TEST(name, kept_mounted, body)

static void again_body(struct fake *f)
{
	struct file *a, *b;

	look_up();
	a = fake_open_file(O_RDONLY);
	b = fake_open_file(O_RDONLY);
	fs_co_release(f->ln, a);
	assert_int_equal(f->fs->nkept, 1);
	assert_int_equal(closes(), 0);
	fs_co_release(f->ln, b); /* one for an inode is enough */
	until_closed(1);
	assert_int_equal(opens(), 2);
	assert_ptr_equal(fake_open_file(O_RDONLY), a);
	assert_int_equal(opens(), 2); /* the MDS was not asked */
	assert_int_equal(f->fs->nkept, 0);
	fs_co_release(f->ln, a);
	b = fake_open_file(O_RDWR); /* is not what was kept */
	assert_int_equal(opens(), 3);
	assert_int_equal(f->fs->nkept, 1);
	fs_co_release(f->ln, b);
	until_closed(2);
	kept_drop(f->ln, &f->fid);
	assert_int_equal(f->fs->nkept, 0);
	until_closed(3);
	kept_drop(f->ln, &f->fid);
	assert_int_equal(closes(), 3);
	fs_co_release(f->ln, fake_open_file(O_RDWR)); /* a writer is not kept */
	until_closed(4);
	assert_int_equal(f->fs->nkept, 0);
}
KEPT_TEST(a_file_that_was_read_is_opened_again_without_asking, again_body)

static void unheard_body(struct fake *f)
{
	struct file *a = fake_open_file(O_RDONLY);

	assert_false(leases_led(f->fs->leases, &f->fid));
	fs_co_release(f->ln, a); /* nobody would tell that its name is gone */
	until_closed(1);
	assert_int_equal(f->fs->nkept, 0);
}
KEPT_TEST(without_the_lease_of_its_name_it_is_closed, unheard_body)

static void name_body(struct fake *f)
{
	look_up();
	fs_co_release(f->ln, fake_open_file(O_RDONLY));
	kept_drop_name(f->ln, &FID_ROOT, SPAN_STR("other"));
	assert_int_equal(f->fs->nkept, 1);
	kept_drop_name(f->ln, &FID_ROOT, SPAN_STR("file"));
	assert_int_equal(f->fs->nkept, 0);
	until_closed(1);
	fs_co_release(f->ln, fake_open_file(O_RDONLY));
	assert_int_equal(f->fs->nkept, 1);
	kept_drop_all(f->ln);
	until_closed(2);
}
KEPT_TEST(it_is_closed_with_its_name_and_with_everything, name_body)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_was_read_is_opened_again_without_asking),
		cmocka_unit_test(without_the_lease_of_its_name_it_is_closed),
		cmocka_unit_test(it_is_closed_with_its_name_and_with_everything),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
