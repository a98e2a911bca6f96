/* SPDX-License-Identifier: Apache-2.0 */
/* test_rahead.c - what happens to bytes that are being fetched ahead when somebody writes, cuts the
 * file, or wants its lease back; and that reading waits for them instead of asking again. */
#include "tests/unit/client/core/fake_cluster.h"

enum { LEN = 1 << 20, STEP = 4096 };

static struct file *file;
static struct data *d;
static uint8_t *back;
static bool done;

static void fill(struct fake *f, char c)
{
	memset(back, c, LEN);
	fake_put_bytes(&f->ost[0].obj, 0, back, LEN);
}

static void opened(uint32_t lease, int flags, fake_fn *body)
{
	char why[256];

	assert_int_equal(fake_mount("lustre", "", why, sizeof(why)), 0);
	fake->fs->cfg.cache_data = true;
	fake->lease = lease;
	fake->promise = 16 * MIB; /* of space: writes may be kept */
	fake_file(1);
	fake->attr.size = LEN;
	back = malloc(LEN);
	assert_non_null(back);
	fill(fake, 'a');
	file = fake_open_file(flags);
	d = file->data;
	done = false;
	body(fake);
	fs_co_release(fake->ln, file);
	free(back);
	fake_unmount();
}

#define OPENED_TEST(name, body, lease, flags)     \
	static void name##_opened(struct fake *f) \
	{                                         \
		(void)f;                          \
		opened(lease, flags, body);       \
	}                                         \
	static void name(void **state)            \
	{                                         \
		(void)state;                      \
		fake_run(name##_opened);          \
	}

static uint32_t reads(void)
{
	return fake->calls[RPC_oss_read];
}

static void is(uint64_t off, uint64_t len, char c)
{
	uint64_t i;

	memset(back, 0, len);
	assert_int_equal(fs_co_read(fake->ln, file, back, len, off), len);
	for (i = 0; i < len; i++)
		assert_int_equal(back[i], c);
}

/* The whole file is on its way, with the bytes of now, and waits for answered(). */
static void on_its_way(struct fake *f)
{
	f->hold_reads = true;
	assert_int_equal(fs_co_advise(f->ln, file, FS_WILL_NEED, 0, LEN, false), 0);
	while (!f->held)
		co_yield ();
	assert_int_equal(d->busy, 1);
	assert_int_equal(d->pages.n, 1);
}

static void answered(struct fake *f)
{
	f->hold_reads = false;
	while (file->fetches || d->busy)
		co_sleep(NSEC_PER_MSEC);
}

static void spawn(fiber_fn *fn)
{
	assert_int_equal(fiber_spawn(fake->l, fn, NULL), 0);
	for (int i = 0; i < 100; i++)
		co_yield ();
	assert_false(done);
}

static void co_until_done(void)
{
	while (!done)
		co_sleep(NSEC_PER_MSEC);
}

/* ---- reading ---- */

static void sequence_body(struct fake *f)
{
	uint64_t off;

	(void)f;
	for (off = 0; off < LEN; off += STEP)
		is(off, STEP, 'a');
	assert_true(reads() < 12);
	assert_true(file->read_at > 0);
	assert_int_equal(f->fs->data.ahead_bytes, d->pages.bytes);
	assert_true(f->fs->data.ahead_bytes > 0);
}
OPENED_TEST(small_reads_in_sequence_need_few_requests, sequence_body, LEASE_SHARED, O_RDONLY)

static void direct_body(struct fake *f)
{
	uint64_t off;

	(void)f;
	for (off = 0; off < LEN; off += STEP)
		is(off, STEP, 'a');
	assert_int_equal(reads(), LEN / STEP);
}
OPENED_TEST(a_direct_descriptor_gets_nothing, direct_body, LEASE_SHARED, O_RDONLY | O_DIRECT)
OPENED_TEST(nor_does_a_contended_file, direct_body, LEASE_CONTENDED, O_RDONLY)

static void reader_fiber(void *arg)
{
	uint8_t byte = 0;

	(void)arg;
	assert_int_equal(fs_co_read(fake->ln, file, &byte, 1, 1000), 1);
	assert_int_equal(byte, 'a');
	done = true;
}

static void wait_body(struct fake *f)
{
	uint32_t n;

	on_its_way(f);
	n = reads();
	spawn(reader_fiber);
	answered(f);
	co_until_done();
	assert_int_equal(reads(), n);
}
OPENED_TEST(a_reader_waits_for_what_is_on_its_way, wait_body, LEASE_SHARED, O_RDONLY)

static void error_body(struct fake *f)
{
	on_its_way(f);
	f->ost[0].obj.size = 0; /* nothing comes the next time */
	spawn(reader_fiber);
	answered(f);
	co_until_done();
	assert_int_equal(f->fs->data.ahead_bytes, LEN);
}
OPENED_TEST(what_came_is_read_whatever_is_there_now, error_body, LEASE_SHARED, O_RDONLY)

/* ---- what makes it void ---- */

static void recall_body(struct fake *f)
{
	struct mds_recall r = {.fid = f->fid, .bits = LEASE_DATA, .seq = 1000};

	on_its_way(f);
	data_recall(f->ln, &r);
	for (int i = 0; i < 100; i++)
		co_yield ();
	assert_true(d->recalling); /* it waits for the one request */
	assert_int_equal(f->calls[RPC_mds_give_back], 0);
	answered(f);
	while (!f->calls[RPC_mds_give_back])
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(d->pages.n, 0);
	assert_int_equal(f->fs->data.ahead_bytes, 0);
	fill(f, 'b'); /* another client writes */
	f->calls[RPC_mds_data] = 2000;
	is(0, STEP, 'b');
}
OPENED_TEST(a_recall_waits_for_the_request_and_drops_what_it_brings, recall_body, LEASE_SHARED,
	    O_RDONLY)

static void lose_body(struct fake *f)
{
	on_its_way(f);
	data_lose_all(f->ln, 4711, false);
	assert_int_equal(d->pages.n, 0);
	fill(f, 'b');
	answered(f);
	assert_int_equal(d->pages.n, 0);
	assert_int_equal(f->fs->data.ahead_bytes, 0);
	is(0, STEP, 'b');
}
OPENED_TEST(what_comes_after_the_lease_was_lost_is_thrown_away, lose_body, LEASE_SHARED, O_RDONLY)

static void write_body(struct fake *f)
{
	uint64_t off = 1000;

	on_its_way(f);
	assert_int_equal(fs_co_write(f->ln, file, "bbbb", 4, &off, false, false), 4);
	answered(f);
	is(1000, 4, 'b');
	is(996, 4, 'a');
	assert_int_equal(fs_co_fsync(f->ln, file, true), 0);
	is(1000, 4, 'b'); /* from the object now */
	assert_int_equal(d->writes, 0);
}
OPENED_TEST(a_write_makes_void_what_is_on_its_way, write_body, LEASE_EXCLUSIVE, O_RDWR)
OPENED_TEST(so_does_one_that_is_not_kept, write_body, LEASE_EXCLUSIVE, O_RDWR | O_SYNC)

/* The OST has the bytes of a write before it, and will have others in a moment. */
static void in_between(struct fake *f)
{
	assert_int_equal(d->writes, 1);
	assert_int_equal(fs_co_advise(f->ln, file, FS_WILL_NEED, 0, LEN, false), 0);
	assert_int_equal(d->pages.n, 0);
}

static void during_body(struct fake *f)
{
	uint64_t off = 1000;

	f->before_write = in_between;
	assert_int_equal(fs_co_write(f->ln, file, "bbbb", 4, &off, false, false), 4);
	assert_null(f->before_write);
	is(1000, 4, 'b');
}
OPENED_TEST(nothing_is_fetched_during_a_write, during_body, LEASE_EXCLUSIVE, O_RDWR | O_SYNC)

static void page_body(struct fake *f)
{
	on_its_way(f);
	assert_int_equal(fs_co_write_page(f->ln, file, "bbbb", 4, 1000), 4);
	answered(f);
	is(1000, 4, 'b');
}
OPENED_TEST(so_does_a_page_of_a_mapping, page_body, LEASE_EXCLUSIVE, O_RDWR)

static void append_body(struct fake *f)
{
	uint64_t off = 0;

	f->attr.size = LEN;
	on_its_way(f);
	assert_int_equal(fs_co_write(f->ln, file, "bbbb", 4, &off, true, false), 4);
	assert_int_equal(off, LEN);
	answered(f);
	is(LEN, 4, 'b');
	is(LEN - 4, 4, 'a');
}
OPENED_TEST(an_append_is_read_behind_what_was_fetched, append_body, LEASE_EXCLUSIVE,
	    O_RDWR | O_APPEND)

static void dirty_body(struct fake *f)
{
	uint64_t off = 1000;

	assert_int_equal(fs_co_write(f->ln, file, "bbbb", 4, &off, false, false), 4);
	assert_int_equal(fs_co_advise(f->ln, file, FS_WILL_NEED, 0, LEN, true), 0);
	assert_int_equal(d->pages.n, 0); /* the object does not have them yet */
	is(1000, 4, 'b');
	is(0, 1000, 'a');
}
OPENED_TEST(what_is_written_behind_is_not_fetched, dirty_body, LEASE_EXCLUSIVE, O_RDWR)

static void truncate_fiber(void *arg)
{
	struct attr a = {.size = 0};

	(void)arg;
	assert_int_equal(fs_co_setattr(fake->ln, &fake->fid, file, SETATTR_SIZE, &a, &a), 0);
	done = true;
}

static void truncate_body(struct fake *f)
{
	uint8_t byte;

	on_its_way(f);
	f->ost[0].obj.size = 0; /* as the MDS will have it */
	f->attr.size = 0;
	spawn(truncate_fiber); /* waits until nobody is in */
	assert_int_equal(f->calls[RPC_mds_setattr], 0);
	answered(f);
	co_until_done();
	assert_int_equal(d->pages.n, 0);
	assert_int_equal(fs_co_read(f->ln, file, &byte, 1, 0), 0);
}
OPENED_TEST(a_truncation_waits_for_it_and_drops_it, truncate_body, LEASE_EXCLUSIVE, O_RDWR)

static void close_fiber(void *arg)
{
	(void)arg;
	fs_co_release(fake->ln, file);
	done = true;
}

static void close_body(struct fake *f)
{
	on_its_way(f);
	spawn(close_fiber);
	assert_int_equal(f->calls[RPC_mds_close], 0);
	f->hold_reads = false;
	co_until_done();
	assert_int_equal(f->calls[RPC_mds_close], 1);
	file = fake_open_file(O_RDWR);
}
OPENED_TEST(a_close_waits_for_it, close_body, LEASE_EXCLUSIVE, O_RDWR)

/* ---- advice and limits ---- */

static void advice_body(struct fake *f)
{
	uint32_t n;

	assert_int_equal(fs_co_advise(f->ln, file, FS_WILL_NEED, 0, UINT64_MAX, true), 0);
	assert_int_equal(d->pages.bytes, LEN);
	n = reads();
	assert_int_equal(file->read_at, 0); /* nobody has read */
	is(0, LEN, 'a');
	assert_int_equal(reads(), n);
	assert_int_equal(fs_co_advise(f->ln, file, FS_DONT_NEED, 0, 1, true), 0);
	assert_int_equal(d->pages.n, 0);
	is(0, 1, 'a');
	assert_int_equal(reads(), n + 1);
	assert_int_equal(fs_co_advise(f->ln, file, FS_WILL_NEED, MAX_FILE_SIZE, 1, true), -EINVAL);
}
OPENED_TEST(advice_is_taken, advice_body, LEASE_SHARED, O_RDONLY)

static void limits_body(struct fake *f)
{
	f->fs->max_read_ahead_mb = 0;
	assert_int_equal(fs_co_advise(f->ln, file, FS_WILL_NEED, 0, LEN, true), 0);
	assert_int_equal(reads(), 0);
	f->fs->max_read_ahead_mb = 1;
	f->attr.size = 4 * LEN;
	file_apply_attr(f->fs, &f->fid, &f->attr, false);
	for (uint64_t at = 0; at < 4 * LEN; at += LEN) {
		fake_put_bytes(&f->ost[0].obj, at, back, LEN);
		assert_int_equal(fs_co_advise(f->ln, file, FS_WILL_NEED, at, LEN, true), 0);
		assert_int_equal(f->fs->data.ahead_bytes, LEN); /* the one before went */
	}
	f->fs->max_read_ahead_mb = 100;
	f->fs->max_cached_mb = 2;
	assert_int_equal(fs_co_advise(f->ln, file, FS_WILL_NEED, 0, 4 * LEN, true), 0);
	assert_true(f->fs->data.ahead_bytes <= 2 * LEN);
}
OPENED_TEST(there_is_never_more_than_the_limits, limits_body, LEASE_SHARED, O_RDONLY)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_reads_in_sequence_need_few_requests),
		cmocka_unit_test(a_direct_descriptor_gets_nothing),
		cmocka_unit_test(nor_does_a_contended_file),
		cmocka_unit_test(a_reader_waits_for_what_is_on_its_way),
		cmocka_unit_test(what_came_is_read_whatever_is_there_now),
		cmocka_unit_test(a_recall_waits_for_the_request_and_drops_what_it_brings),
		cmocka_unit_test(what_comes_after_the_lease_was_lost_is_thrown_away),
		cmocka_unit_test(a_write_makes_void_what_is_on_its_way),
		cmocka_unit_test(so_does_one_that_is_not_kept),
		cmocka_unit_test(nothing_is_fetched_during_a_write),
		cmocka_unit_test(so_does_a_page_of_a_mapping),
		cmocka_unit_test(an_append_is_read_behind_what_was_fetched),
		cmocka_unit_test(what_is_written_behind_is_not_fetched),
		cmocka_unit_test(a_truncation_waits_for_it_and_drops_it),
		cmocka_unit_test(a_close_waits_for_it),
		cmocka_unit_test(advice_is_taken),
		cmocka_unit_test(there_is_never_more_than_the_limits),
	};

	log_set_level(LOG_LVL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
