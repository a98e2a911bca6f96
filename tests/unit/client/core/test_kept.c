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

/* ---- data that comes before the first open ---- */

enum { FILES = 12, LEN = 1000 };
static struct fid listed[FILES];
static struct wbuf blob;

static uint32_t reads(void)
{
	return fake->calls[RPC_oss_read];
}

/* As a listing would open them. */
static void open_ahead(struct fake *f, uint64_t size)
{
	struct attr a = {.mode = S_IFREG | 0644, .nlink = 1, .size = size};
	struct leases *t = f->fs->leases;
	struct lease_grant g = {leases_session(t), 1000, LEASE_LOOKUP | LEASE_UPDATE, 0};
	uint32_t i;

	wbuf_init(&blob, MAX_BODY);
	assert_int_equal(layout_enc(&blob, f->layout), 0);
	for (i = 0; i < FILES; i++) {
		listed[i] = (struct fid){FID_SEQ_NORMAL + 20, 100 + i, 0};
		leases_note(t, &listed[i], &g, &a);
		file_co_opened_ahead(f->ln, &(struct file_ahead){1000 + i, g.session, g.seq,
								 &listed[i], &a, wbuf_span(&blob)});
	}
	wbuf_fini(&blob);
	assert_int_equal(f->fs->intents.unused, FILES);
}

static void scene(struct fake *f)
{
	uint8_t bytes[LEN];

	memset(bytes, 'a', sizeof(bytes));
	fake_put_bytes(&f->ost[0].obj, 0, bytes, LEN);
	look_up();
}

static void open_listed(uint32_t i, bool read)
{
	uint8_t got[4096];
	struct file *a;

	assert_int_equal(fs_co_open(fake->ln, &listed[i], O_RDONLY, &a, NULL), 0);
	if (read) { /* as the kernel does: whole pages */
		assert_int_equal(fs_co_read_page(fake->ln, a, got, sizeof(got), 0), LEN);
		assert_true(got[0] == 'a' && got[LEN - 1] == 'a');
	}
	fs_co_release(fake->ln, a);
}

static void until_read(uint32_t n)
{
	int tries;

	for (tries = 0; reads() < n && tries < 20000; tries++)
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(reads(), n);
}

static void data_ahead_body(struct fake *f)
{
	uint32_t i;

	scene(f);
	open_ahead(f, LEN);
	open_listed(0, true);
	open_listed(1, true);
	until_read(2); /* it is not known yet what they are opened for */
	open_listed(2, true);
	until_read(3 + INTENT_FETCH);
	for (i = 3; i < FILES; i++)
		open_listed(i, true);
	assert_int_equal(reads(), FILES); /* each once */
	assert_int_equal(opens(), 0);
	kept_drop_all(f->ln);
	until_closed(FILES);
}
KEPT_TEST(files_that_a_listing_opened_come_with_their_data, data_ahead_body)

static void not_read_body(struct fake *f)
{
	uint32_t i;

	scene(f);
	open_ahead(f, LEN);
	for (i = 0; i < FILES; i++)
		open_listed(i, false);
	assert_int_equal(reads(), 0);
	kept_drop_all(f->ln);
	until_closed(FILES);
}
KEPT_TEST(not_if_they_are_not_read, not_read_body)

static void too_large_body(struct fake *f)
{
	scene(f);
	open_ahead(f, RAHEAD_WHOLE + 1);
	f->fs->intents.reads = 8;
	open_listed(0, false);
	assert_int_equal(reads(), 0);
	kept_drop_all(f->ln);
	until_closed(FILES);
}
KEPT_TEST(nor_if_they_are_large, too_large_body)

/* They are closed before their bytes have come. */
static void dropped_body(struct fake *f)
{
	scene(f);
	open_ahead(f, LEN);
	f->fs->intents.reads = 8;
	f->hold_reads = true;
	open_listed(0, false);
	until_read(INTENT_FETCH);
	kept_drop_all(f->ln);
	until_closed(FILES - INTENT_FETCH); /* the others wait */
	f->hold_reads = false;
	until_closed(FILES);
}
KEPT_TEST(a_file_that_is_closed_waits_for_what_is_on_its_way, dropped_body)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_was_read_is_opened_again_without_asking),
		cmocka_unit_test(without_the_lease_of_its_name_it_is_closed),
		cmocka_unit_test(it_is_closed_with_its_name_and_with_everything),
		cmocka_unit_test(files_that_a_listing_opened_come_with_their_data),
		cmocka_unit_test(not_if_they_are_not_read),
		cmocka_unit_test(nor_if_they_are_large),
		cmocka_unit_test(a_file_that_is_closed_waits_for_what_is_on_its_way),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
