/* SPDX-License-Identifier: Apache-2.0 */
/* test_intent.c - which opens are expected, and what becomes of those that come with a lookup. */
#include "tests/unit/client/core/fake_cluster.h"

static uint32_t calls(uint16_t nr)
{
	return fake->calls[nr];
}

static struct fid file_id(uint32_t i)
{
	return (struct fid){FID_SEQ_NORMAL + 7, i, 0};
}

static const struct fid dir = {FID_SEQ_NORMAL + 6, 1, 0}, other = {FID_SEQ_NORMAL + 6, 2, 0};

static void looked_up(uint32_t i)
{
	struct fid f = file_id(i);

	intent_looked_up(fake->fs, &dir, &f, true);
}

static void opened(uint32_t i)
{
	struct fid f = file_id(i);

	intent_opened(fake->fs, &f);
}

static bool lookup_asks(const struct fid *d)
{
	return intent_lookup(fake->ln, d) != 0;
}

static void lookups_body(struct fake *f)
{
	uint32_t i;

	assert_false(lookup_asks(&dir)); /* nothing is known */
	looked_up(1);
	assert_false(lookup_asks(&dir));
	opened(1);
	assert_true(lookup_asks(&dir)); /* one will be followed by others */
	assert_false(lookup_asks(&other));
	looked_up(2);
	opened(1); /* again, or without a lookup: says nothing */
	assert_false(lookup_asks(&dir));
	opened(2);
	for (i = 10; i < 60; i++) {
		looked_up(i);
		opened(i);
		assert_true(lookup_asks(&dir));
	}
	for (i = 60; i < 68; i++)
		looked_up(i);
	assert_false(lookup_asks(&dir)); /* however long they were opened before */
	f->fs->intents.mode = INTENT_ALWAYS;
	assert_true(lookup_asks(&dir));
	f->fs->intents.mode = INTENT_NEVER;
	opened(67);
	opened(66);
	assert_false(lookup_asks(&dir));
	f->fs->intents.mode = INTENT_GUESS;
	assert_true(lookup_asks(&dir));
	f->fs->intents.unused = INTENT_UNUSED;
	assert_false(lookup_asks(&dir)); /* enough that nobody wanted */
	f->fs->intents.unused = 0;
	f->fs->cfg.cache_data = false;
	assert_false(lookup_asks(&dir));
	f->fs->cfg.cache_data = true;
}

static uint32_t listing_asks(const struct fid *d, uint64_t cookie)
{
	uint32_t n;
	uint64_t id = intent_list(fake->ln, d, cookie, &n);

	assert_int_equal(id != 0, n != 0);
	return n;
}

static void list_files(const struct fid *d, uint32_t from, uint32_t to)
{
	struct fid f;

	for (; from < to; from++) {
		f = file_id(from);
		intent_listed(fake->fs, d, &f);
	}
}

static void listings_body(struct fake *f)
{
	uint32_t i;

	assert_int_equal(listing_asks(&dir, 0), 0);
	list_files(&dir, 0, 100);
	assert_int_equal(listing_asks(&other, 0), 0);
	for (i = 0; i < 100; i++)
		opened(i);
	assert_int_equal(listing_asks(&other, 0), READDIR_OPENS);
	list_files(&other, 100, 600);
	assert_int_equal(listing_asks(&other, 400), READDIR_OPENS); /* as it has begun */
	assert_int_equal(listing_asks(&dir, 0), 0);                 /* nobody opens these */
	assert_int_equal(listing_asks(&dir, 400), 0);
	f->fs->intents.unused = INTENT_UNUSED - 10;
	assert_int_equal(listing_asks(&other, 400), 10);
	f->fs->intents.unused = 0;
}

/* ---- opens that come ---- */

static void until_closed(uint32_t n)
{
	int tries;

	for (tries = 0; calls(RPC_mds_close) < n && tries < 20000; tries++)
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(calls(RPC_mds_close), n);
}

static void until_leased(struct fake *f)
{
	struct leases *t = f->fs->leases;

	while (!leases_valid(t, leases_session(t), loop_clock(f->l)))
		co_sleep(NSEC_PER_MSEC);
}

static void look_up(struct fake *f)
{
	struct entry e;

	leases_forget_name(f->fs->leases, &FID_ROOT, SPAN_STR("file"));
	assert_int_equal(fs_co_lookup(f->ln, &FID_ROOT, SPAN_STR("file"), &e), 0);
}

static void ahead_body(struct fake *f)
{
	struct file *a;

	until_leased(f);
	f->fs->intents.mode = INTENT_ALWAYS;
	look_up(f);
	assert_int_equal(f->fs->nkept, 1);
	assert_int_equal(f->fs->intents.unused, 1);
	a = fake_open_file(O_RDONLY);
	assert_int_equal(calls(RPC_mds_open), 0);
	assert_int_equal(calls(RPC_mds_data), 0);
	assert_true(file_is_cached(a)); /* with its lease */
	assert_int_equal(f->fs->intents.unused, 0);
	assert_int_equal(f->fs->intents.used, 1);
	assert_int_equal(f->ln->stats[FS_STAT_open_hits].n, 1);
	fs_co_release(f->ln, a);
	assert_int_equal(f->fs->nkept, 1);
	kept_drop(f->ln, &f->fid);
	until_closed(1);
	assert_int_equal(f->closed.open_id, f->opened_id);
	/* For writing it is not used. */
	look_up(f);
	a = fake_open_file(O_RDWR);
	assert_int_equal(calls(RPC_mds_open), 1);
	assert_int_equal(f->fs->intents.unused, 1);
	kept_drop_unused(f->ln, 1); /* younger than that */
	assert_int_equal(f->fs->intents.unused, 1);
	kept_drop_unused(f->ln, UINT64_MAX);
	assert_int_equal(f->fs->intents.unused, 0);
	until_closed(2);
	fs_co_release(f->ln, a);
	until_closed(3);
}

/* A recall that was faster than the answer. */
static void overtaken_body(struct fake *f)
{
	struct file *a;

	until_leased(f);
	f->fs->intents.mode = INTENT_ALWAYS;
	data_note_recall(f->fs, &f->fid, 100);
	look_up(f);
	assert_int_equal(f->fs->nkept, 0);
	until_closed(1);
	a = fake_open_file(O_RDONLY);
	assert_int_equal(calls(RPC_mds_open), 1);
	assert_int_equal(a->data->mode, 0); /* nothing of that answer */
	fs_co_release(f->ln, a);
	/* And of the name. */
	kept_drop_all(f->ln);
	until_closed(2);
	(void)leases_obey(f->fs->leases, &f->fid, LEASE_LOOKUP, 100);
	look_up(f);
	assert_int_equal(f->fs->nkept, 0);
	until_closed(3);
}

static void mounted(fake_fn *body)
{
	fake->cache_data = true;
	fake->opens_ahead = true;
	fake_file(1);
	fake_mounted(body);
}

FAKE_MOUNTED_TEST(a_directory_where_files_are_opened_expects_more, mounted, lookups_body)
FAKE_MOUNTED_TEST(listings_look_at_those_before, mounted, listings_body)
FAKE_MOUNTED_TEST(what_came_with_a_lookup_is_opened_without_asking, mounted, ahead_body)
FAKE_MOUNTED_TEST(what_was_overtaken_by_a_recall_is_closed, mounted, overtaken_body)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory_where_files_are_opened_expects_more),
		cmocka_unit_test(listings_look_at_those_before),
		cmocka_unit_test(what_came_with_a_lookup_is_opened_without_asking),
		cmocka_unit_test(what_was_overtaken_by_a_recall_is_closed),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
