/* SPDX-License-Identifier: Apache-2.0 */
/* test_disk_sim.c - the simulated disk keeps the contract of common/disk.h, and loses what
 * a real one would lose. */
#include "common/fiber.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_disk.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct loop *l;
static struct disk *d;
static bool done;

static bool is_done(void *arg)
{
	(void)arg;
	return done;
}

struct job {
	void (*fn)(void);
	struct loop_work w;
};

static void in_fiber(void *arg)
{
	struct job *j = arg;

	j->fn();
	done = true;
}

static void start_fiber(void *arg)
{
	assert_int_equal(fiber_spawn(l, in_fiber, arg), 0);
}

static void run(void (*fn)(void))
{
	struct job j = {.fn = fn, .w = {.fn = start_fiber, .arg = &j}};

	done = false;
	loop_post(l, &j.w);
	assert_int_equal(sim_run_until(is_done, NULL, 60 * NSEC_PER_SEC), 0);
	while (sim_step())
		;
}

static int setup(void **state)
{
	(void)state;
	sim_begin(1);
	sim_disk_begin();
	if (loop_create(&l))
		return -1;
	return disk_open(l, "/ost0", &d);
}

static int teardown(void **state)
{
	(void)state;
	disk_close(d);
	loop_destroy(l);
	sim_disk_end();
	sim_end();
	return 0;
}

static void put(struct disk_file *f, const char *s, uint64_t off)
{
	struct iovec iov[2] = {{(void *)(uintptr_t)s, 1},
			       {(void *)(uintptr_t)(s + 1), strlen(s) - 1}};

	assert_int_equal(disk_co_write(f, iov, 2, off), 0);
}

static void expect(struct disk_file *f, uint64_t off, size_t len, const char *want, size_t want_len)
{
	char buf[64];
	struct iovec iov = {buf, len};

	assert_int_equal(disk_co_read(f, &iov, 1, off), want_len);
	assert_memory_equal(buf, want, want_len);
}

static void write_read(void)
{
	struct disk_file *f;
	struct disk_stat st;

	assert_int_equal(disk_co_open(d, "O/1/a", false, &f), -ENOENT);
	assert_int_equal(disk_co_open(d, "O/1/a", true, &f), 0);
	put(f, "hello", 4094); /* crosses a page */
	expect(f, 4094, 64, "hello", 5);
	expect(f, 4090, 8, "\0\0\0\0hell", 8);
	expect(f, 5000, 8, "", 0);
	assert_int_equal(disk_stat(f, &st), 0);
	assert_int_equal(st.size, 4099);
	assert_int_equal(st.blocks, 16);
	assert_int_equal(disk_co_truncate(f, 4095), 0);
	assert_int_equal(disk_co_truncate(f, 4098), 0);
	expect(f, 4094, 8, "h\0\0\0", 4);
	disk_file_close(f);
	assert_int_equal(disk_co_unlink(d, "O/1/a"), 0);
	assert_int_equal(disk_co_unlink(d, "O/1/a"), -ENOENT);
}

static void bytes_written_are_read_back(void **state)
{
	(void)state;
	run(write_read);
}

static void holes(void)
{
	struct disk_file *f;
	struct disk_stat st;
	int rc;

	assert_int_equal(disk_co_open(d, "f", true, &f), 0);
	put(f, "x1", 0);
	put(f, "x2", 8192);
	put(f, "x3", 16384);
	assert_int_equal(disk_seek(f, 0, SEEK_HOLE), 4096);
	assert_int_equal(disk_seek(f, 4096, SEEK_DATA), 8192);
	assert_int_equal(disk_seek(f, 16385, SEEK_HOLE), 16386);
	assert_int_equal(disk_seek(f, 16386, SEEK_DATA), -ENXIO);
	rc = disk_co_fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8193);
	assert_int_equal(rc, 0);
	expect(f, 0, 2, "\0\0", 2);
	expect(f, 8192, 2, "\0" "2", 2);
	assert_int_equal(disk_seek(f, 0, SEEK_DATA), 8192);
	assert_int_equal(disk_co_fallocate(f, 0, 0, 20480), 0);
	assert_int_equal(disk_seek(f, 0, SEEK_DATA), 8192);
	assert_int_equal(disk_stat(f, &st), 0);
	assert_int_equal(st.size, 20480);
	assert_int_equal(st.blocks, 40);
	assert_int_equal(disk_co_fallocate(f, FALLOC_FL_ZERO_RANGE, 16384, 2), 0);
	expect(f, 16384, 2, "\0\0", 2);
	assert_int_equal(disk_co_fallocate(f, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), -EOPNOTSUPP);
	disk_file_close(f);
}

static void holes_and_allocation_are_as_on_a_local_file_system(void **state)
{
	(void)state;
	run(holes);
}

static void full(void)
{
	struct disk_file *f;
	struct iovec iov = {calloc(1, 65536), 65536};

	sim_disk_set_capacity("/ost0", 32768);
	assert_int_equal(disk_co_open(d, "f", true, &f), 0);
	assert_int_equal(disk_co_write(f, &iov, 1, 0), -ENOSPC);
	assert_int_equal(disk_co_truncate(f, 0), 0);
	put(f, "ok", 0);
	assert_int_equal(disk_co_truncate(f, 1ULL << 62), -EFBIG);
	disk_file_close(f);
	free(iov.iov_base);
}

static void a_full_disk_says_so_and_recovers(void **state)
{
	(void)state;
	run(full);
}

static void unlinked(void)
{
	struct disk_file *f;

	assert_int_equal(disk_co_open(d, "f", true, &f), 0);
	put(f, "still here", 0);
	assert_int_equal(disk_co_unlink(d, "f"), 0);
	expect(f, 0, 10, "still here", 10);
	disk_file_close(f);
}

static void an_unlinked_file_lives_until_it_is_closed(void **state)
{
	struct disk_space a, b;

	(void)state;
	assert_int_equal(disk_space(d, &a), 0);
	run(unlinked);
	assert_int_equal(disk_space(d, &b), 0);
	assert_int_equal(a.free, b.free);
	assert_int_equal(a.ffree, b.ffree);
}

static void xattrs(void)
{
	struct disk_file *f;
	char buf[16];

	assert_int_equal(disk_co_open(d, "f", true, &f), 0);
	assert_int_equal(disk_getxattr(f, "sheen", buf, sizeof(buf)), -ENODATA);
	assert_int_equal(disk_setxattr(f, "sheen", "longer", 6), 0);
	assert_int_equal(disk_setxattr(f, "sheen", "short", 5), 0);
	assert_int_equal(disk_getxattr(f, "sheen", NULL, 0), 5);
	assert_int_equal(disk_getxattr(f, "sheen", buf, 2), -ERANGE);
	assert_int_equal(disk_getxattr(f, "sheen", buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "short", 5);
	disk_file_close(f);
}

static void extended_attributes_are_kept(void **state)
{
	(void)state;
	run(xattrs);
}

static void two_files(void)
{
	struct disk_file *f;

	assert_int_equal(disk_co_open(d, "synced", true, &f), 0);
	put(f, "old", 0);
	assert_int_equal(disk_co_sync(f), 0);
	put(f, "newer", 0);
	disk_file_close(f);
	assert_int_equal(disk_co_open(d, "unsynced", true, &f), 0);
	put(f, "gone", 0);
	disk_file_close(f);
}

static int seen_old, seen_new, seen_gone;

static void look(void)
{
	struct disk_file *f;
	char buf[8] = "";
	struct iovec iov = {buf, 5};

	assert_int_equal(disk_co_open(d, "synced", false, &f), 0);
	assert_in_range(disk_co_read(f, &iov, 1, 0), 3, 5);
	if (memcmp(buf, "old", 3) == 0)
		seen_old++;
	else if (memcmp(buf, "new", 3) == 0)
		seen_new++;
	else
		fail();
	disk_file_close(f);
	if (disk_co_open(d, "unsynced", false, &f) == 0)
		disk_file_close(f);
	else
		seen_gone++;
}

static void a_crash_keeps_what_was_synced_and_may_lose_the_rest(void **state)
{
	(void)state;
	seen_old = seen_new = seen_gone = 0;
	for (int i = 0; i < 30; i++) {
		run(two_files);
		disk_close(d);
		sim_disk_crash("/ost0");
		assert_int_equal(disk_open(l, "/ost0", &d), 0);
		run(look);
		disk_close(d);
		sim_disk_end();
		sim_disk_begin();
		assert_int_equal(disk_open(l, "/ost0", &d), 0);
	}
	assert_true(seen_old > 0 && seen_new > 0 && seen_gone > 0);
	assert_int_equal(seen_old + seen_new, 30);
}

static void sync_all(void)
{
	assert_int_equal(disk_co_sync_all(d), 0);
}

static void nothing_is_lost_when_all_was_synced(void **state)
{
	(void)state;
	seen_old = seen_new = seen_gone = 0;
	for (int i = 0; i < 30; i++) {
		run(two_files);
		run(sync_all);
		disk_close(d);
		sim_disk_crash("/ost0");
		assert_int_equal(disk_open(l, "/ost0", &d), 0);
		run(look);
	}
	assert_int_equal(seen_new, 30);
	assert_int_equal(seen_gone, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(bytes_written_are_read_back),
		T(holes_and_allocation_are_as_on_a_local_file_system),
		T(a_full_disk_says_so_and_recovers),
		T(an_unlinked_file_lives_until_it_is_closed),
		T(extended_attributes_are_kept),
		T(a_crash_keeps_what_was_synced_and_may_lose_the_rest),
		T(nothing_is_lost_when_all_was_synced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
