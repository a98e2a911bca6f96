/* SPDX-License-Identifier: Apache-2.0 */
/* test_disk_uring.c - the io_uring disk on a temporary directory, from fibers on the real loop. */
#include "common/co.h"
#include "common/disk.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop *l;
static struct disk *d;
static char dir[64];
static int left;

static int setup(void **state)
{
	(void)state;
	left = 0;
	snprintf(dir, sizeof(dir), "/tmp/sheen-test-disk-XXXXXX");
	if (!mkdtemp(dir) || loop_create(&l))
		return -1;
	return disk_open(l, dir, &d);
}

static int teardown(void **state)
{
	char cmd[100];

	(void)state;
	disk_close(d);
	assert_int_equal(fiber_count(), 0);
	fiber_pool_drain();
	loop_destroy(l);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static void done(void)
{
	if (--left == 0)
		loop_stop(l);
}

static void go(fiber_fn *fn, void *arg)
{
	left++;
	assert_int_equal(fiber_spawn(l, fn, arg), 0);
}

/* Runs a test's body as a fiber. */
static void in_fiber(fiber_fn *fn)
{
	go(fn, NULL);
	if (left)
		loop_run(l);
}

static struct disk_file *open_new(const char *path)
{
	struct disk_file *f;

	assert_int_equal(disk_co_open(d, path, true, &f), 0);
	return f;
}

static void put(struct disk_file *f, const char *s, uint64_t off)
{
	struct iovec v = {(void *)(uintptr_t)s, strlen(s)};

	assert_int_equal(disk_co_write(f, &v, 1, off), 0);
}

static void co_short_read(void *arg)
{
	struct disk_file *f = open_new("objects/0/d3/file");
	char a[4], b[100];
	struct iovec v[2] = {{a, sizeof(a)}, {b, sizeof(b)}};

	(void)arg;
	assert_int_equal(disk_co_read(f, v, 2, 0), 0); /* empty */
	put(f, "hello world", 0);
	assert_int_equal(disk_co_read(f, v, 2, 0), 11);
	assert_memory_equal(a, "hell", 4);
	assert_memory_equal(b, "o world", 7);
	assert_int_equal(disk_co_read(f, v, 2, 6), 5);
	assert_int_equal(disk_co_read(f, v, 2, 4000), 0);
	disk_file_close(f);
	done();
}

static void a_read_is_short_only_at_the_end_of_the_file(void **state)
{
	(void)state;
	in_fiber(co_short_read);
}

static void co_enoent(void *arg)
{
	struct disk_file *f;
	char path[300];

	(void)arg;
	assert_int_equal(disk_co_open(d, "a/b", false, &f), -ENOENT);
	assert_int_equal(disk_co_unlink(d, "a/b"), -ENOENT);
	disk_file_close(open_new("a/b"));
	assert_int_equal(disk_co_open(d, "a/b", false, &f), 0);
	disk_file_close(f);
	assert_int_equal(disk_co_open(d, "a/b/c", true, &f), -ENOTDIR);
	assert_int_equal(disk_co_open(d, "a", false, &f), -EISDIR);
	assert_int_equal(disk_co_unlink(d, "a/b"), 0);
	assert_int_equal(disk_co_open(d, "a/b", false, &f), -ENOENT);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	assert_int_equal(disk_co_open(d, path, true, &f), -ENAMETOOLONG);
	done();
}

static void a_missing_file_is_enoent_and_unlink_removes(void **state)
{
	(void)state;
	in_fiber(co_enoent);
}

static void co_escape(void *arg)
{
	static const char *const bad[] = {"", "/etc/passwd", "..", "../x", "a/../../x", "a/.."};
	struct disk_file *f;
	char link[100];
	size_t i;

	(void)arg;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(disk_co_open(d, bad[i], true, &f), -EINVAL);
		assert_int_equal(disk_co_unlink(d, bad[i]), -EINVAL);
	}
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(symlink("/etc", link), 0);
	assert_int_equal(disk_co_open(d, "link/passwd", false, &f), -ELOOP);
	disk_file_close(open_new("..x")); /* only looks like it */
	done();
}

static void paths_stay_inside_the_root(void **state)
{
	(void)state;
	in_fiber(co_escape);
}

static void co_large(void *arg)
{
	enum { LEN = 4 << 20, PIECES = 128, PIECE = LEN / PIECES };
	struct disk_file *f = open_new("large");
	uint8_t *a = malloc(LEN), *b = calloc(1, LEN);
	struct iovec *v = calloc(PIECES + 2, sizeof(*v));
	struct disk_stat st;
	uint32_t i;

	(void)arg;
	for (i = 0; i < LEN; i++)
		a[i] = (uint8_t)(i * 7 + (i >> 9));
	for (i = 0; i < PIECES; i++)
		v[i + 1] = (struct iovec){a + (size_t)i * PIECE, PIECE};
	v[0].iov_base = v[PIECES + 1].iov_base = a; /* pieces of nothing */
	assert_int_equal(disk_co_write(f, v, PIECES + 2, 1000), 0);
	assert_int_equal(disk_co_sync(f), 0);
	for (i = 0; i < PIECES; i++)
		v[i + 1].iov_base = b + (size_t)i * PIECE;
	assert_int_equal(disk_co_read(f, v, PIECES + 2, 1000), LEN);
	assert_memory_equal(a, b, LEN);
	assert_int_equal(disk_stat(f, &st), 0);
	assert_int_equal(st.size, 1000 + LEN);
	assert_true(st.blocks * 512 >= LEN);
	assert_true(st.mtime > 0);
	disk_file_close(f);
	free(v);
	free(b);
	free(a);
	done();
}

static void large_scattered_io_is_complete(void **state)
{
	(void)state;
	in_fiber(co_large);
}

static void co_punch(void *arg)
{
	struct disk_file *f = open_new("sparse");
	uint8_t *buf = malloc(65536);
	struct iovec v = {buf, 65536};
	struct disk_stat st;
	uint64_t blocks;

	(void)arg;
	memset(buf, 1, 65536);
	assert_int_equal(disk_co_write(f, &v, 1, 0), 0);
	assert_int_equal(disk_stat(f, &st), 0);
	blocks = st.blocks;
	assert_int_equal(disk_co_fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 16384,
					   32768),
			 0);
	assert_int_equal(disk_seek(f, 0, SEEK_HOLE), 16384);
	assert_int_equal(disk_seek(f, 16384, SEEK_DATA), 49152);
	assert_int_equal(disk_seek(f, 65536, SEEK_DATA), -ENXIO);
	assert_int_equal(disk_seek(f, UINT64_MAX, SEEK_DATA), -ENXIO);
	assert_int_equal(disk_co_read(f, &v, 1, 0), 65536);
	assert_int_equal(buf[16383], 1);
	assert_int_equal(buf[16384], 0);
	assert_int_equal(buf[49152], 1);
	assert_int_equal(disk_co_sync(f), 0);
	assert_int_equal(disk_co_sync_all(d), 0);
	assert_int_equal(disk_co_sync_all(d), 0);
	assert_int_equal(disk_stat(f, &st), 0);
	assert_true(st.blocks < blocks + 8 && st.size == 65536);
	assert_int_equal(disk_co_fallocate(f, 0, 0, 1 << 20), 0);
	assert_int_equal(disk_stat(f, &st), 0);
	assert_int_equal(st.size, 1 << 20);
	assert_int_equal(disk_co_truncate(f, 10), 0);
	assert_int_equal(disk_co_truncate(f, 100), 0);
	assert_int_equal(disk_co_read(f, &v, 1, 0), 100);
	assert_int_equal(buf[9], 1);
	assert_int_equal(buf[10], 0);
	assert_int_equal(disk_co_truncate(f, UINT64_MAX), -EFBIG);
	/* Large enough to go through the ring. */
	assert_int_equal(disk_co_fallocate(f, 0, 0, 80 << 20), 0);
	assert_int_equal(disk_co_truncate(f, 5), 0);
	assert_int_equal(disk_stat(f, &st), 0);
	assert_int_equal(st.size, 5);
	free(buf);
	disk_file_close(f);
	done();
}

static void holes_are_punched_found_and_read_as_zeros(void **state)
{
	(void)state;
	in_fiber(co_punch);
}

static void co_xattr(void *arg)
{
	struct disk_file *f = open_new("x");
	char v[8];

	(void)arg;
	assert_int_equal(disk_getxattr(f, "sheen.gen", v, sizeof(v)), -ENODATA);
	assert_int_equal(disk_setxattr(f, "sheen.gen", "12345", 5), 0);
	assert_int_equal(disk_getxattr(f, "sheen.gen", v, sizeof(v)), 5);
	assert_memory_equal(v, "12345", 5);
	assert_int_equal(disk_getxattr(f, "sheen.gen", NULL, 0), 5);
	assert_int_equal(disk_getxattr(f, "sheen.gen", v, 2), -ERANGE);
	disk_file_close(f);
	done();
}

static void extended_attributes_are_kept(void **state)
{
	(void)state;
	in_fiber(co_xattr);
}

enum { FIBERS = 1500, IO_LEN = 8192 };
static struct disk_file *shared;

static void co_worker(void *arg)
{
	uint64_t i = (uint64_t)(intptr_t)arg;
	uint64_t *buf = malloc(IO_LEN);
	struct iovec v = {buf, IO_LEN};
	size_t k;

	for (k = 0; k < IO_LEN / 8; k++)
		buf[k] = i * 1000003 + k;
	assert_int_equal(disk_co_write(shared, &v, 1, i * IO_LEN), 0);
	if (i % 100 == 0)
		assert_int_equal(disk_co_sync(shared), 0);
	memset(buf, 0, IO_LEN);
	assert_int_equal(disk_co_read(shared, &v, 1, i * IO_LEN), IO_LEN);
	for (k = 0; k < IO_LEN / 8; k++)
		if (buf[k] != i * 1000003 + k)
			fail_msg("wrong data");
	free(buf);
	done();
}

static void co_hold(void *arg)
{
	struct disk_file *mine;

	(void)arg;
	assert_int_equal(disk_co_open(d, "shared", true, &mine), 0);
	shared = mine;
	for (intptr_t i = 0; i < FIBERS; i++)
		go(co_worker, (void *)i);
	while (left > 1)
		co_yield();
	disk_file_close(mine);
	done();
}

static void more_requests_than_the_ring_holds_all_complete(void **state)
{
	(void)state;
	in_fiber(co_hold);
}

static void co_reader(void *arg)
{
	char *buf = malloc(1 << 20);
	struct iovec v = {buf, 1 << 20};

	(void)arg;
	assert_int_equal(disk_co_sync(shared), 0); /* certainly suspends */
	assert_int_equal(disk_co_read(shared, &v, 1, 0), 3);
	free(buf);
	done();
}

static void co_close_early(void *arg)
{
	struct disk_file *f;

	(void)arg;
	shared = f = open_new("early");
	put(f, "abc", 0);
	done();
}

static void co_sync_only(void *arg)
{
	(void)arg;
	assert_int_equal(disk_co_sync(shared), 0);
	done();
}

static void a_file_may_be_closed_with_io_in_flight(void **state)
{
	(void)state;
	go(co_close_early, NULL);
	go(co_reader, NULL);
	while (left > 0)
		loop_run(l);
	go(co_sync_only, NULL);
	disk_file_close(shared); /* the sync is in the ring */
	loop_run(l);
	assert_int_equal(left, 0);
}

static void space_is_reported(void **state)
{
	struct disk_space s;
	struct disk *no;

	(void)state;
	assert_int_equal(disk_space(d, &s), 0);
	assert_true(s.total >= s.free && s.free >= s.avail && s.total > 0);
	assert_int_equal(disk_open(l, "/nonexistent-sheen", &no), -ENOENT);
	assert_int_equal(disk_open(l, "/dev/null", &no), -ENOTDIR);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_read_is_short_only_at_the_end_of_the_file),
		T(a_missing_file_is_enoent_and_unlink_removes),
		T(paths_stay_inside_the_root),
		T(large_scattered_io_is_complete),
		T(holes_are_punched_found_and_read_as_zeros),
		T(extended_attributes_are_kept),
		T(more_requests_than_the_ring_holds_all_complete),
		T(a_file_may_be_closed_with_io_in_flight),
		T(space_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
