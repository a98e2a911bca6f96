/* SPDX-License-Identifier: Apache-2.0 */
/* test_ns_unlink.c - unlink, rmdir, link: errno, link counts, orphans, and what goes to the
 * unlink log. */
#include "tests/unit/mds/mds_test.h"
#include "mds/link.h"
#include "mds/orphan.h"
#include "mds/xattr.h"

static int setup(void **state)
{
	struct mt *m = malloc(sizeof(*m));

	mt_init(m);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	mt_fini(*state);
	free(*state);
	return 0;
}

static void unlink_refuses_what_it_must(void **state)
{
	struct mt *m = *state;
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_file(m, d, "f");

	assert_int_equal(mt_unlink(m, ROOT, "x", false), -ENOENT);
	assert_int_equal(mt_unlink(m, ROOT, "d", false), -EISDIR);
	assert_int_equal(mt_unlink(m, d, "f", true), -ENOTDIR);
	assert_int_equal(mt_unlink(m, ROOT, "d", true), -ENOTEMPTY);
	assert_int_equal(mt_unlink(m, f, "x", false), -ENOTDIR);
	assert_int_equal(mt_unlink(m, d, "f", false), 0);
	assert_int_equal(mt_unlink(m, ROOT, "d", true), 0);
	assert_int_equal(mt_unlink(m, d, "f", false), -ENOENT);
	assert_int_equal(mt_attr(m, ROOT).nlink, 2);
}

static void a_removed_file_leaves_its_objects_in_the_log_and_nothing_else(void **state)
{
	struct mt *m = *state;
	struct object_id o[8];
	struct inode_rec ino;
	struct fid f;
	int i, n = 0;

	m->striping.stripe_count = 3;
	f = mt_open_file(m, ROOT, "f");
	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	assert_int_equal(xattr_set(m->t, &f, &ino, SPAN_STR("user.a"), SPAN_STR("b"), 0, m->now),
			 0);
	assert_int_equal(mt_unlink(m, ROOT, "f", false), 0);
	assert_false(mt_exists(m, f));
	assert_int_equal(m->logged, 3);
	for (i = 0; i < 4; i++) {
		int k = unlinklog_list(m->t, (uint32_t)i, o, 8);

		assert_in_range(k, 0, 1);
		if (k)
			assert_fid_equal(o[0].fid, f);
		n += k;
	}
	assert_int_equal(n, 3);
}

static void hard_links_are_counted_and_the_last_one_kills(void **state)
{
	struct mt *m = *state;
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_file(m, ROOT, "a");
	struct inode_rec ino;
	struct link_name l;

	assert_int_equal(mt_link(m, f, d, "b"), 0);
	assert_int_equal(mt_link(m, f, ROOT, "c"), 0);
	assert_int_equal(mt_attr(m, f).nlink, 3);
	assert_int_equal(mds_check_invariants(m->t), 0);
	assert_int_equal(mt_unlink(m, ROOT, "a", false),
			 0); /* the first link goes: another steps in */
	assert_int_equal(mds_check_invariants(m->t), 0);
	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	assert_int_equal(link_get(m->t, &f, &ino, 1, &l), 0);
	assert_int_equal(link_get(m->t, &f, &ino, 2, &l), -ENODATA);
	assert_int_equal(mt_unlink(m, ROOT, "c", false), 0);
	assert_int_equal(mt_attr(m, f).nlink, 1);
	assert_int_equal(mt_unlink(m, d, "b", false), 0);
	assert_false(mt_exists(m, f));
}

static void link_refuses_what_it_must(void **state)
{
	struct mt *m = *state;
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_file(m, ROOT, "f"), none = mt_fid(m);
	struct inode_rec ino;

	assert_int_equal(mt_link(m, d, ROOT, "e"), -EPERM);
	assert_int_equal(mt_link(m, f, ROOT, "d"), -EEXIST);
	assert_int_equal(mt_link(m, f, f, "x"), -ENOTDIR);
	assert_int_equal(mt_link(m, none, ROOT, "x"), -ENOENT);
	assert_int_equal(mt_link(m, f, none, "x"), -ENOENT);
	assert_int_equal(mt_link(m, f, ROOT, ".lustre"), -EEXIST);
	assert_int_equal(mt_link(m, f, FID_DOT_LUSTRE, "x"), -EPERM);
	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	ino.attr.nlink = MAX_LINKS;
	assert_int_equal(inode_update(m->t, &f, &ino), 0);
	assert_int_equal(mt_link(m, f, ROOT, "x"), -EMLINK);
	ino.attr.nlink = 1;
	assert_int_equal(inode_update(m->t, &f, &ino), 0);
}

static void link_changes_ctime_of_the_file_and_mtime_of_the_directory(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_file(m, ROOT, "f");
	int64_t mtime = mt_attr(m, f).mtime;

	assert_int_equal(mt_link(m, f, ROOT, "g"), 0);
	assert_int_equal(mt_attr(m, f).ctime, m->now);
	assert_int_equal(mt_attr(m, f).mtime, mtime);
	assert_int_equal(mt_attr(m, ROOT).mtime, m->now);
	assert_int_equal(mt_unlink(m, ROOT, "f", false), 0);
	assert_int_equal(mt_attr(m, f).ctime, m->now);
	assert_int_equal(mt_attr(m, ROOT).mtime, m->now);
}

/* Space that comes back at once, or may be put off a little. */
static void the_space_of_removed_files_is_told(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_open_file(m, ROOT, "f");
	struct inode_rec ino;

	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	ino.attr.blocks = 8;
	assert_int_equal(inode_update(m->t, &f, &ino), 0);
	assert_int_equal(mt_unlink(m, ROOT, "f", false), 0);
	assert_int_equal(m->logged_bytes, 4096);
	f = mt_open_file(m, ROOT, "g");
	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	ino.attr.flags |= ATTR_SIZE_UNSURE; /* whatever its size is said to be */
	assert_int_equal(unsure_add(m->t, &f), 0);
	assert_int_equal(inode_update(m->t, &f, &ino), 0);
	assert_int_equal(mt_unlink(m, ROOT, "g", false), 0);
	assert_true(m->logged_bytes > 1ULL << 40);
}

static void an_open_file_outlives_its_name(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_open_file(m, ROOT, "f");
	struct inode_rec ino;
	bool linkable;

	m->open_fid = f;
	assert_int_equal(mt_unlink(m, ROOT, "f", false), 0);
	assert_int_equal(mt_attr(m, f).nlink, 0);
	assert_int_equal(orphan_get(m->t, &f, &linkable), 0);
	assert_false(linkable);
	assert_int_equal(m->logged, 0);
	assert_int_equal(mt_link(m, f, ROOT, "again"), -ENOENT);
	assert_int_equal(mds_check_invariants(m->t), 0);
	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	assert_int_equal(ns_destroy(m->t, &m->env, &f, &ino), 0);
	assert_false(mt_exists(m, f));
	assert_int_equal(m->logged, 1);
}

static int count(void *arg, uint64_t cookie, const struct diridx_rec *e)
{
	uint64_t *last = arg;

	(void)e;
	assert_true(cookie > *last);
	*last = cookie;
	return 0;
}

static void cookies_grow_and_are_not_used_again(void **state)
{
	struct mt *m = *state;
	struct fid d = mt_dir(m, ROOT, "d");
	uint64_t last = 0;
	char name[16];
	int i;

	for (i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "n%d", 9 - i);
		mt_file(m, d, name);
	}
	assert_int_equal(mt_unlink(m, d, "n0", false), 0);
	mt_file(m, d, "n0");
	assert_int_equal(dirent_walk(m->t, &d, 0, count, &last), 0);
	assert_int_equal(last, DIRENT_FIRST_COOKIE + 10);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unlink_refuses_what_it_must),
		TEST(a_removed_file_leaves_its_objects_in_the_log_and_nothing_else),
		TEST(hard_links_are_counted_and_the_last_one_kills),
		TEST(link_refuses_what_it_must),
		TEST(link_changes_ctime_of_the_file_and_mtime_of_the_directory),
		TEST(an_open_file_outlives_its_name),
		TEST(the_space_of_removed_files_is_told),
		TEST(cookies_grow_and_are_not_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
