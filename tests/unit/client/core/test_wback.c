/* SPDX-License-Identifier: Apache-2.0 */
/* test_wback.c - write-behind against fake servers: what is kept, what makes it leave, and who
 * hears that it could not be written. */
#include "tests/unit/client/core/fake_cluster.h"

enum { KB = 1024, CHUNK = DIRTY_CHUNK };

static uint8_t bytes[CHUNK];

static uint32_t writes(void)
{
	return fake->calls[RPC_oss_write];
}

static void put(struct file *file, size_t len, uint64_t off)
{
	assert_int_equal(fs_co_write(fake->ln, file, bytes, len, &off, false, false), len);
}

/* A mount that has the file for itself, and promises of space. */
static void wback_mounted(fake_fn *body)
{
	uint64_t seed = 5;

	rnd_fill(&seed, bytes, sizeof(bytes));
	fake->cache_data = true;
	fake->lease = LEASE_EXCLUSIVE;
	fake->promise = 64 * MIB;
	fake_file(1);
	fake_mounted(body);
}

#define WBACK_TEST(name, body) FAKE_MOUNTED_TEST(name, wback_mounted, body)

static void kept_body(struct fake *f)
{
	struct file *file = fake_open_file(O_RDWR);
	uint8_t back[1000];

	put(file, 700, 0);
	put(file, 300, 700);
	assert_int_equal(fs_co_read(f->ln, file, back, sizeof(back), 0), sizeof(back));
	assert_memory_equal(back, bytes, 700);
	assert_memory_equal(back + 700, bytes, 300);
	assert_int_equal(writes(), 0);
	assert_int_equal(fs_co_fsync(f->ln, file, false), 0);
	assert_int_equal(writes(), 1);
	assert_int_equal(f->ost[0].obj.size, 1000);
	assert_memory_equal(f->ost[0].obj.data, back, sizeof(back));
	put(file, 10, 2000);
	fs_co_release(f->ln, file);
	assert_int_equal(writes(), 2); /* the close took it along */
	assert_int_equal(f->fs->data.dirty_bytes, 0);
}
WBACK_TEST(small_writes_are_kept_until_a_sync_or_the_close, kept_body)

static void synced_body(struct fake *f)
{
	struct file *file = fake_open_file(O_WRONLY);
	const uint32_t *calls = f->calls;

	put(file, 700, 0);
	assert_int_equal(fs_co_fsync(f->ln, file, false), 0);
	assert_int_equal(writes(), 1);
	assert_int_equal(f->stable_writes, 1); /* one request wrote and synced */
	assert_int_equal(calls[RPC_oss_sync], 0);
	assert_int_equal(calls[RPC_mds_sync], 1);
	assert_int_equal(f->fs->data.dirty_bytes, 0);
	assert_int_equal(fs_co_fsync(f->ln, file, true), 0); /* others may have written */
	assert_int_equal(calls[RPC_oss_sync], 1);
	assert_int_equal(calls[RPC_mds_sync], 1);
	put(file, 10, 0);
	put(file, 10, 8 * CHUNK);
	assert_int_equal(fs_co_fsync(f->ln, file, true), 0);
	assert_int_equal(writes(), 3);
	assert_int_equal(f->stable_writes, 1); /* not a sync for each */
	assert_int_equal(calls[RPC_oss_sync], 2);
	put(file, 10, 0);
	f->write_rc = -EIO;
	assert_int_equal(fs_co_fsync(f->ln, file, false), -EIO);
	fs_co_release(f->ln, file);
}
WBACK_TEST(a_sync_of_one_piece_takes_one_request, synced_body)

static void striped_body(struct fake *f)
{
	struct file *file;

	fake_file(3);
	file = fake_open_file(O_WRONLY);
	put(file, 10, 64 * KB); /* the second object */
	assert_int_equal(fs_co_fsync(f->ln, file, false), 0);
	assert_int_equal(f->stable_writes, 1);
	assert_int_equal(f->calls[RPC_oss_sync], 2);
	assert_int_equal(f->ost[1].obj.size, 10);
	put(file, 200 * KB, 0); /* all of them */
	assert_int_equal(fs_co_fsync(f->ln, file, false), 0);
	assert_int_equal(f->stable_writes, 4);
	assert_int_equal(f->calls[RPC_oss_sync], 2);
	fs_co_release(f->ln, file);
}
WBACK_TEST(a_sync_leaves_no_object_out, striped_body)

static void full_body(struct fake *f)
{
	struct file *file = fake_open_file(O_WRONLY);
	struct dirty *d = &file->data->dirty;

	put(file, CHUNK / 2, 0);
	put(file, CHUNK / 2 - 1, CHUNK / 2);
	assert_int_equal(d->n, 1);
	assert_int_equal(d->nsending, 0);
	put(file, 1, CHUNK - 1);
	assert_int_equal(d->nsending, 1); /* and nobody waited for it */
	put(file, 10, CHUNK);
	assert_int_equal(d->n - d->nsending, 1);
	fs_co_release(f->ln, file);
	assert_int_equal(f->ost[0].obj.size, CHUNK + 10);
}
WBACK_TEST(a_full_chunk_leaves_at_once, full_body)

static void old_body(struct fake *f)
{
	struct file *file = fake_open_file(O_WRONLY);
	uint64_t began = loop_clock(f->l);
	int tries;

	put(file, 10, 0);
	for (tries = 0; f->ost[0].obj.size != 10 && tries < 20000; tries++)
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(f->ost[0].obj.size, 10);
	assert_true(loop_clock(f->l) - began >= NSEC_PER_SEC); /* not before, either */
	fs_co_release(f->ln, file);
	assert_int_equal(writes(), 1);
}
WBACK_TEST(what_is_a_second_old_leaves_by_itself, old_body)

static void through_body(struct fake *f)
{
	struct file *file = fake_open_file(O_WRONLY | O_SYNC);

	put(file, 10, 0);
	assert_int_equal(writes(), 1);
	fs_co_release(f->ln, file);
	f->promise = 0; /* the disk is nearly full */
	f->ln->ost[0]->ost->grant = 0;
	file = fake_open_file(O_WRONLY);
	put(file, 10, 10);
	assert_int_equal(writes(), 2);
	f->write_rc = -ENOSPC;
	assert_int_equal(fs_co_write(f->ln, file, bytes, 10, &(uint64_t){20}, false, false),
			 -ENOSPC); /* heard at once */
	fs_co_release(f->ln, file);
	assert_int_equal(writes(), 3);
}
WBACK_TEST(without_a_promise_of_space_nothing_is_kept, through_body)

static void errors_body(struct fake *f)
{
	struct file *a = fake_open_file(O_WRONLY), *b = fake_open_file(O_RDWR), *late;

	put(a, 10, 0);
	f->write_rc = -ENOSPC;
	assert_int_equal(fs_co_fsync(f->ln, a, false), -ENOSPC);
	assert_int_equal(fs_co_fsync(f->ln, a, false), 0); /* told once */
	late = fake_open_file(O_WRONLY);
	assert_int_equal(fs_pending_error(late), 0); /* was not there */
	assert_int_equal(fs_pending_error(b), -ENOSPC);
	assert_int_equal(fs_pending_error(b), -ENOSPC); /* only a sync tells for good */
	assert_int_equal(fs_co_fsync(f->ln, b, false), -ENOSPC);
	assert_int_equal(fs_pending_error(b), 0);
	assert_int_equal(fs_co_fsync(f->ln, late, false), 0);
	put(a, 10, 0);
	f->ost[0].obj.trunc_gen = 9; /* fenced: others had the file meanwhile */
	assert_int_equal(fs_co_fsync(f->ln, a, false), -EIO);
	assert_int_equal(f->fs->data.dirty_bytes, 0); /* given up */
	assert_int_equal(f->ost[0].obj.size, 0);
	fs_co_release(f->ln, a);
	fs_co_release(f->ln, b);
	fs_co_release(f->ln, late);
}
WBACK_TEST(every_open_file_hears_of_a_failure_once, errors_body)

static void room_body(struct fake *f)
{
	struct file *file = fake_open_file(O_WRONLY);
	uint64_t i;

	f->fs->max_dirty_mb = 1;
	for (i = 0; i < 8; i++) {
		put(file, 512 * KB, i * CHUNK);
		assert_true(f->fs->data.dirty_bytes <= CHUNK);
	}
	assert_true(writes() > 0);
	fs_co_release(f->ln, file);
	assert_int_equal(f->fs->data.dirty_bytes, 0);
	assert_int_equal(f->ost[0].obj.size, 7 * CHUNK + 512 * KB);
}
WBACK_TEST(who_writes_waits_when_there_is_too_much, room_body)

static void append_body(struct fake *f)
{
	struct file *file = fake_open_file(O_WRONLY | O_APPEND);
	uint64_t off = 77;

	put(file, 100, 1000);
	assert_int_equal(fs_co_write(f->ln, file, bytes, 10, &off, true, false), 10);
	assert_int_equal(off, 1100);
	assert_int_equal(fs_co_write(f->ln, file, bytes, 10, &off, true, false), 10);
	assert_int_equal(off, 1110);
	assert_int_equal(writes(), 0);
	assert_int_equal(f->calls[RPC_oss_getattr], 1); /* the objects are asked once */
	assert_int_equal(f->calls[RPC_mds_setlk], 0);
	fs_co_release(f->ln, file);
	assert_int_equal(f->ost[0].obj.size, 1120);
}
WBACK_TEST(who_has_the_file_for_himself_appends_without_the_lock, append_body)

static struct file *sized;

static void flush_meanwhile(struct fake *f)
{
	wback_co_flush(f->ln, sized->data);
	assert_int_equal(f->ost[0].obj.size, 500);
}

/* Kept bytes come to the object when it has been asked for its size and has not answered yet. */
static void sizing_body(struct fake *f)
{
	uint64_t off = 0;

	sized = fake_open_file(O_RDWR | O_APPEND);
	put(sized, 500, 0);
	f->after_oss_getattr = flush_meanwhile;
	assert_int_equal(fs_co_write(f->ln, sized, bytes, 10, &off, true, false), 10);
	assert_null(f->after_oss_getattr);
	assert_int_equal(off, 500);
	fs_co_release(f->ln, sized);
}
WBACK_TEST(bytes_that_leave_while_the_size_is_asked_for_count, sizing_body)

/* ---- pages of mappings ---- */

static ssize_t page_result;
static bool page_read;

static void page_fiber(void *arg)
{
	static uint8_t page[4096];

	page_result = fs_co_read_page(fake->ln, arg, page, sizeof(page), 0);
	page_read = true;
}

static void late_body(struct fake *f)
{
	struct file *file = fake_open_file(O_RDWR);

	page_read = false;
	put(file, 4096, 0);
	assert_int_equal(fs_co_fsync(f->ln, file, true), 0);
	f->hold_reads = true;
	assert_int_equal(fiber_spawn(f->l, page_fiber, file), 0);
	while (!f->held)
		co_yield ();
	data_lose_all(f->ln, 4711, false);
	f->hold_reads = false;
	while (!page_read)
		co_yield ();
	assert_int_equal(page_result, 4096);
	assert_int_equal(f->calls[RPC_oss_read], 2); /* what came first is not shown */
	assert_true(file->data->mode == LEASE_EXCLUSIVE || file->data->recalling);
	fs_co_release(f->ln, file);
}
WBACK_TEST(a_page_that_comes_after_its_lease_was_lost_is_read_again, late_body)

static struct file *mapped;

static void cut_here(struct fake *f)
{
	f->ost[0].obj.trunc_gen = 1;
	data_truncated(mapped->data, mapped->data->session, 1);
}

static void cut_elsewhere(struct fake *f)
{
	f->ost[0].obj.trunc_gen = 2;
	f->attr.trunc_gen = 2;
}

static void number_body(struct fake *f)
{
	mapped = fake_open_file(O_RDWR);
	put(mapped, 4096, 0);
	assert_int_equal(fs_co_fsync(f->ln, mapped, true), 0);
	assert_int_equal(f->calls[RPC_oss_write], 1);
	f->before_write = cut_here;
	assert_int_equal(fs_co_write_page(f->ln, mapped, bytes, 4096, 0), 4096);
	assert_int_equal(f->calls[RPC_oss_write], 3);
	f->before_write = cut_elsewhere;
	assert_int_equal(fs_co_write_page(f->ln, mapped, bytes, 4096, 0), -EIO);
	assert_int_equal(f->calls[RPC_oss_write], 4);
	fs_co_release(f->ln, mapped);
}
WBACK_TEST(pages_go_with_the_number_of_truncations_of_their_lease, number_body)

static void size_body(struct fake *f)
{
	struct file *file = fake_open_file(O_RDWR);
	struct data *d = file->data;

	put(file, 4096, 0);
	assert_int_equal(fs_co_fsync(f->ln, file, true), 0);
	data_set_mode(d, 0);
	d->size_known = false;
	d->recalling = d->losing = true; /* say, pages are being forgotten */
	assert_int_equal(fs_co_write_page(f->ln, file, bytes, 4096, 0), 4096);
	assert_false(d->size_known); /* the next lease is not that one */
	d->recalling = d->losing = false;
	data_set_mode(d, LEASE_EXCLUSIVE);
	assert_int_equal(fs_co_write_page(f->ln, file, bytes, 4096, 0), 4096);
	assert_true(d->size_known);
	fs_co_release(f->ln, file);
}
WBACK_TEST(a_size_counts_only_under_the_lease_it_was_asked_under, size_body)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_writes_are_kept_until_a_sync_or_the_close),
		cmocka_unit_test(a_sync_of_one_piece_takes_one_request),
		cmocka_unit_test(a_sync_leaves_no_object_out),
		cmocka_unit_test(a_full_chunk_leaves_at_once),
		cmocka_unit_test(what_is_a_second_old_leaves_by_itself),
		cmocka_unit_test(without_a_promise_of_space_nothing_is_kept),
		cmocka_unit_test(every_open_file_hears_of_a_failure_once),
		cmocka_unit_test(who_has_the_file_for_himself_appends_without_the_lock),
		cmocka_unit_test(bytes_that_leave_while_the_size_is_asked_for_count),
		cmocka_unit_test(who_writes_waits_when_there_is_too_much),
		cmocka_unit_test(a_page_that_comes_after_its_lease_was_lost_is_read_again),
		cmocka_unit_test(pages_go_with_the_number_of_truncations_of_their_lease),
		cmocka_unit_test(a_size_counts_only_under_the_lease_it_was_asked_under),
	};

	alarm(60); /* one that waits for ever */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
