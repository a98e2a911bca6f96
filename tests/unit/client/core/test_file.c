/* SPDX-License-Identifier: Apache-2.0 */
/* test_file.c - what an open file knows of its objects, and when that counts as the size. */
#include "client/core/file.h"
#include "client/core/core.h"
#include "tests/unit/unit.h"
#include <fcntl.h>

enum { SS = 65536, SEQ = 5 };
static const struct fid A = {FID_SEQ_NORMAL + 1, 1, 0};
static struct fs *fs;

static int setup(void **state)
{
	struct fs_cfg cfg = {.cache_data = true};

	(void)state;
	assert_int_equal(fs_create(&cfg, &fs), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fs_destroy(fs);
	return 0;
}

/* Two stripes, open alone. */
static void open_(struct file *f, int flags)
{
	uint32_t ost[2] = {0, 1};
	struct layout *l;

	*f = (struct file){.fs = fs, .fid = A, .flags = flags, .open_seq = SEQ, .sole = true};
	pthread_mutex_init(&f->lock, NULL);
	assert_int_equal(layout_plain(SS, 2, -1, NULL, ost, &l), 0);
	f->layout = l;
	assert_int_equal(objs_init(&f->objs, l), 0);
	LIST_INSERT_HEAD(&fs->files[file_hash(&A)], f, link);
}

static void close_(struct file *f)
{
	LIST_REMOVE(f, link);
	layout_free((struct layout *)(uintptr_t)f->layout);
	objs_fini(&f->objs);
	pthread_mutex_destroy(&f->lock);
}

static void wrote(struct file *f, uint32_t stripe, uint64_t size, int64_t mtime)
{
	file_note(f, 0, stripe, &(struct obj_state){true, size, 1, mtime, (uint64_t)mtime}, 0);
}

static void the_only_writer_knows_the_size_when_it_knows_all_objects(void **state)
{
	struct attr a = {.flags = ATTR_SIZE_UNSURE};
	struct file f, r;

	(void)state;
	open_(&f, O_RDWR);
	open_(&r, O_RDONLY); /* knows nothing, and need not */
	wrote(&f, 0, 100, 7);
	assert_true(f.wrote);
	assert_false(file_knows_size(fs, &A, SEQ, &a)); /* the other object may be longer */
	wrote(&f, 1, 10, 9);
	assert_false(file_knows_size(fs, &A, SEQ + 1, &a)); /* somebody wrote in between */
	assert_false(file_knows_size(fs, &A, 0, &a));
	assert_true(file_knows_size(fs, &A, SEQ, &a));
	assert_int_equal(a.size, SS + 10);
	assert_int_equal(a.blocks, 2);
	assert_int_equal(a.mtime, 9);
	assert_int_equal(a.flags, 0);
	f.sole = false;
	assert_false(file_knows_size(fs, &A, SEQ, &a));
	close_(&f);
	close_(&r);
}

static void of_two_writers_none_knows_it(void **state)
{
	struct attr a = {0};
	struct file f, g;

	(void)state;
	open_(&f, O_RDWR);
	open_(&g, O_WRONLY);
	f.fresh = g.fresh = true;
	wrote(&f, 0, 100, 7);
	assert_false(file_knows_size(fs, &A, SEQ, &a));
	close_(&g);
	assert_true(
		file_knows_size(fs, &A, SEQ, &a)); /* new: what it did not touch does not exist */
	assert_int_equal(a.size, 100);
	close_(&f);
}

static void a_truncation_makes_what_is_known_void(void **state)
{
	struct attr a = {.trunc_gen = 3, .size = 50, .mode = 0640};
	struct file f;

	(void)state;
	open_(&f, O_RDWR);
	f.fresh = true;
	f.trunc_gen = 3;
	wrote(&f, 0, 100, 7);
	file_apply_attr(fs, &A, &a, false); /* the same: nothing was cut */
	assert_int_equal(file_size_hint(&f), 50);
	assert_int_equal(f.mode, 0640);
	assert_true(file_knows_size(fs, &A, SEQ, &a));
	a.trunc_gen = 2; /* an old answer */
	file_apply_attr(fs, &A, &a, false);
	assert_int_equal(file_trunc_gen(&f), 3);
	assert_true(file_knows_size(fs, &A, SEQ, &a));
	a.trunc_gen = 4;
	file_apply_attr(fs, &A, &a, false);
	assert_int_equal(file_trunc_gen(&f), 4);
	assert_false(f.objs.at[0].known);
	assert_false(file_knows_size(fs, &A, SEQ, &a));
	close_(&f);
}

static void times_of_reads_and_writes_are_told_apart(void **state)
{
	struct obj_state s = {true, 10, 1, 20, 1};
	struct file f, g;

	(void)state;
	open_(&f, O_RDWR);
	open_(&g, O_RDWR);
	file_note(&f, 0, 0, &s, 77);
	assert_false(f.wrote);
	assert_int_equal(f.mtime, 0); /* of somebody else's write */
	assert_int_equal(f.read_at, 77);
	wrote(&f, 0, 10, 30);
	wrote(&g, 1, 10, 25);
	wrote(&f, 0, 10, 29); /* a reply that was overtaken */
	assert_int_equal(file_newest_mtime(fs, &A), 30);
	file_forget_reads(fs, &A);
	assert_int_equal(f.read_at, 0);
	close_(&f);
	assert_int_equal(file_newest_mtime(fs, &A), 25);
	close_(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(the_only_writer_knows_the_size_when_it_knows_all_objects),
		TEST(of_two_writers_none_knows_it),
		TEST(a_truncation_makes_what_is_known_void),
		TEST(times_of_reads_and_writes_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
