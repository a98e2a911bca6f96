/* SPDX-License-Identifier: Apache-2.0 */
/* test_ns_rename.c - rename against the same operations on the local file system, and its corner
 * cases.
 *
 * The matrix tries every pair of source and target types, in one directory and across two, with
 * every flag, and compares errno and what is left with what the kernel's own file system does.
 */
#include "tests/unit/mds/mds_test.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/syscall.h>

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

/* ---- the matrix ---- */

enum kind { NONE, FILE_, SYMLINK, EMPTY_DIR, FULL_DIR, NKINDS };

static void make_local(const char *base, const char *dir, const char *name, enum kind k)
{
	char path[256], sub[300];

	snprintf(path, sizeof(path), "%s/%s/%s", base, dir, name);
	snprintf(sub, sizeof(sub), "%s/in", path);
	if (k == FILE_)
		assert_true(mknod(path, S_IFREG | 0644, 0) == 0);
	if (k == SYMLINK)
		assert_int_equal(symlink("t", path), 0);
	if (k == EMPTY_DIR || k == FULL_DIR)
		assert_int_equal(mkdir(path, 0755), 0);
	if (k == FULL_DIR)
		assert_int_equal(mkdir(sub, 0755), 0);
}

static void make_ours(struct mt *m, struct fid dir, const char *name, enum kind k)
{
	struct fid d;

	if (k == FILE_)
		mt_file(m, dir, name);
	if (k == SYMLINK)
		mt_make(m, dir, name, S_IFLNK | 0777);
	if (k == EMPTY_DIR || k == FULL_DIR) {
		d = mt_dir(m, dir, name);
		if (k == FULL_DIR)
			mt_dir(m, d, "in");
	}
}

static void compare_name(struct mt *m, struct fid d, const char *base, const char *dir,
			 const char *name)
{
	struct fid f = mt_at(m, d, name);
	char path[256];
	struct stat st;
	int rc;

	snprintf(path, sizeof(path), "%s/%s/%s", base, dir, name);
	rc = lstat(path, &st);
	assert_int_equal(rc == 0, !fid_is_zero(&f));
	if (rc)
		return;
	assert_int_equal(st.st_mode & S_IFMT, mt_attr(m, f).mode & S_IFMT);
	assert_int_equal(st.st_nlink, mt_attr(m, f).nlink);
}

static void compare_dir(struct mt *m, struct fid d, const char *base, const char *dir)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", base, dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_nlink, mt_attr(m, d).nlink);
	compare_name(m, d, base, dir, "src");
	compare_name(m, d, base, dir, "dst");
}

static void try_pair(struct mt *m, enum kind from, enum kind to, bool across, uint32_t flags)
{
	const char *to_dir = across ? "q" : "p";
	char base[64], a[128], b[128], name[32];
	struct fid top, p, q;
	int want, got;

	tmp_make(base);
	snprintf(a, sizeof(a), "%s/p", base);
	snprintf(b, sizeof(b), "%s/q", base);
	assert_int_equal(mkdir(a, 0755), 0);
	assert_int_equal(mkdir(b, 0755), 0);
	make_local(base, "p", "src", from);
	make_local(base, to_dir, "dst", to);
	snprintf(a, sizeof(a), "%s/p/src", base);
	snprintf(b, sizeof(b), "%s/%s/dst", base, to_dir);
	want = syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, flags) ? -errno : 0;

	snprintf(name, sizeof(name), "m%u%u%d%u", from, to, across, flags);
	top = mt_dir(m, ROOT, name);
	p = mt_dir(m, top, "p");
	q = mt_dir(m, top, "q");
	make_ours(m, p, "src", from);
	make_ours(m, across ? q : p, "dst", to);
	got = mt_rename(m, p, "src", across ? q : p, "dst", flags);
	if (want != got)
		fail_msg("%u over %u, across %d, flags %u: %d, the kernel says %d", from, to,
			 across, flags, got, want);
	compare_dir(m, p, base, "p");
	compare_dir(m, q, base, "q");
	tmp_remove(base);
}

static void every_pair_of_types_ends_as_on_the_local_file_system(void **state)
{
	struct mt *m = *state;
	uint32_t flags;
	int from, to, across;

	for (from = NONE; from < NKINDS; from++)
		for (to = NONE; to < NKINDS; to++)
			for (across = 0; across < 2; across++)
				for (flags = 0; flags < 4; flags++)
					try_pair(m, (enum kind)from, (enum kind)to, across, flags);
}

/* ---- corners ---- */

static void a_directory_cannot_move_below_itself(void **state)
{
	struct mt *m = *state;
	struct fid a = mt_dir(m, ROOT, "a"), b = mt_dir(m, a, "b"), c = mt_dir(m, b, "c");

	assert_int_equal(mt_rename(m, ROOT, "a", a, "x", 0), -EINVAL);
	assert_int_equal(mt_rename(m, ROOT, "a", c, "x", 0), -EINVAL);
	assert_int_equal(mt_rename(m, b, "c", ROOT, "a", 0), -ENOTEMPTY);
	assert_int_equal(mt_rename(m, b, "c", ROOT, "a", RENAME_EXCHANGE), -EINVAL);
	assert_int_equal(mt_rename(m, ROOT, "a", b, "c", RENAME_EXCHANGE), -EINVAL);
	assert_int_equal(mt_rename(m, a, "b", ROOT, "b", 0), 0);
	assert_int_equal(mt_rename(m, ROOT, "a", c, "x", 0), 0);
	assert_fid_equal(mt_at(m, c, "x"), a);
}

static void two_names_of_one_file_stay_as_they_are(void **state)
{
	struct mt *m = *state;
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_file(m, ROOT, "a");

	assert_int_equal(mt_link(m, f, d, "b"), 0);
	assert_int_equal(mt_rename(m, ROOT, "a", d, "b", 0), 0);
	assert_int_equal(mt_rename(m, ROOT, "a", ROOT, "a", 0), 0);
	assert_fid_equal(mt_at(m, ROOT, "a"), f);
	assert_fid_equal(mt_at(m, d, "b"), f);
	assert_int_equal(mt_attr(m, f).nlink, 2);
}

static void a_replaced_file_dies_or_becomes_an_orphan(void **state)
{
	struct mt *m = *state;
	struct fid a = mt_open_file(m, ROOT, "a"), b = mt_open_file(m, ROOT, "b"), c;

	assert_int_equal(mt_rename(m, ROOT, "a", ROOT, "b", 0), 0);
	assert_false(mt_exists(m, b));
	assert_int_equal(m->logged, 1);
	assert_fid_equal(mt_at(m, ROOT, "b"), a);
	c = mt_open_file(m, ROOT, "c");
	m->open_fid = a;
	assert_int_equal(mt_rename(m, ROOT, "c", ROOT, "b", 0), 0);
	assert_true(mt_exists(m, a));
	assert_int_equal(mt_attr(m, a).nlink, 0);
	assert_fid_equal(mt_at(m, ROOT, "b"), c);
}

static void a_moved_name_among_many_links_is_followed(void **state)
{
	struct mt *m = *state;
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_file(m, ROOT, "a"), g = mt_file(m, d, "x");

	assert_int_equal(mt_link(m, f, ROOT, "b"), 0);
	assert_int_equal(mt_link(m, f, ROOT, "c"), 0);
	assert_int_equal(mt_rename(m, ROOT, "b", d, "b2", 0), 0);
	assert_int_equal(mt_rename(m, ROOT, "a", d, "a2", 0), 0);
	assert_int_equal(mt_rename(m, d, "a2", d, "x", RENAME_EXCHANGE), 0);
	assert_fid_equal(mt_at(m, d, "a2"), g);
	assert_fid_equal(mt_at(m, d, "x"), f);
	assert_int_equal(mt_attr(m, f).nlink, 3);
	assert_int_equal(mds_check_invariants(m->t), 0);
}

static void times_change_where_they_should(void **state)
{
	struct mt *m = *state;
	struct fid p = mt_dir(m, ROOT, "p"), q = mt_dir(m, ROOT, "q"), f = mt_file(m, p, "f");
	int64_t mtime = mt_attr(m, f).mtime;

	assert_int_equal(mt_rename(m, p, "f", q, "g", 0), 0);
	assert_int_equal(mt_attr(m, p).mtime, m->now);
	assert_int_equal(mt_attr(m, q).mtime, m->now);
	assert_int_equal(mt_attr(m, q).ctime, m->now);
	assert_int_equal(mt_attr(m, f).ctime, m->now);
	assert_int_equal(mt_attr(m, f).mtime, mtime);
}

static void link_limits_hold_for_the_parent_that_wins_a_directory(void **state)
{
	struct mt *m = *state;
	struct fid p = mt_dir(m, ROOT, "p"), q = mt_dir(m, ROOT, "q");
	struct inode_rec ino;

	mt_dir(m, p, "d");
	mt_dir(m, q, "e");
	mt_file(m, q, "f");
	assert_int_equal(inode_get(m->t, &q, &ino), 0);
	ino.attr.nlink = MAX_LINKS;
	assert_int_equal(inode_update(m->t, &q, &ino), 0);
	assert_int_equal(mt_rename(m, p, "d", q, "d", 0), -EMLINK);
	assert_int_equal(mt_rename(m, p, "d", q, "f", RENAME_EXCHANGE), -EMLINK);
	assert_int_equal(mt_rename(m, p, "d", q, "e", 0), 0);
	assert_int_equal(mt_attr(m, q).nlink, MAX_LINKS);
	assert_int_equal(inode_get(m->t, &q, &ino), 0);
	ino.attr.nlink = 3;
	assert_int_equal(inode_update(m->t, &q, &ino), 0);
}

static void reserved_names_and_dead_directories_are_refused(void **state)
{
	struct mt *m = *state;
	struct fid d = mt_dir(m, ROOT, "d");

	mt_file(m, ROOT, "f");
	assert_int_equal(mt_rename(m, ROOT, ".lustre", ROOT, "x", 0), -EPERM);
	assert_int_equal(mt_rename(m, ROOT, "f", ROOT, ".lustre", 0), -EPERM);
	assert_int_equal(mt_rename(m, ROOT, "f", FID_DOT_LUSTRE, "x", 0), -EPERM);
	assert_int_equal(mt_rename(m, ROOT, "f", ROOT, "g", 8), -EINVAL);
	assert_int_equal(mt_unlink(m, ROOT, "d", true), 0);
	assert_int_equal(mt_rename(m, ROOT, "f", d, "x", 0), -ENOENT);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_pair_of_types_ends_as_on_the_local_file_system),
		TEST(a_directory_cannot_move_below_itself),
		TEST(two_names_of_one_file_stay_as_they_are),
		TEST(a_replaced_file_dies_or_becomes_an_orphan),
		TEST(a_moved_name_among_many_links_is_followed),
		TEST(times_change_where_they_should),
		TEST(link_limits_hold_for_the_parent_that_wins_a_directory),
		TEST(reserved_names_and_dead_directories_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
