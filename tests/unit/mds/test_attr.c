/* SPDX-License-Identifier: Apache-2.0 */
/* test_attr.c - times, set-id bits, and what settling makes of size and mtime. */
#include "mds/attr.h"
#include "mds/xattr.h"
#include "tests/unit/mds/mds_test.h"

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

static struct attr set(struct mt *m, struct fid f, struct mds_setattr_req q)
{
	struct inode_rec ino;

	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	assert_int_equal(attr_set(m->t, &f, &ino, &q, m->now), 0);
	assert_int_equal(inode_update(m->t, &f, &ino), 0);
	return mt_attr(m, f);
}

static void ctime_moves_on_even_if_the_clock_does_not(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_file(m, ROOT, "f");
	struct attr a = set(m, f, (struct mds_setattr_req){.valid = SETATTR_MODE, .mode = 0600}), b;

	b = set(m, f, (struct mds_setattr_req){.valid = SETATTR_MODE, .mode = 0640});
	assert_true(b.ctime > a.ctime);
	assert_int_equal(b.mtime, a.mtime);
	assert_int_equal(b.mode, S_IFREG | 0640);
}

static void given_times_are_taken_and_now_means_the_servers_now(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_file(m, ROOT, "f");
	struct attr a;

	a = set(m, f, (struct mds_setattr_req){.valid = SETATTR_ATIME | SETATTR_MTIME, .atime = -5,
					       .mtime = 17});
	assert_int_equal(a.atime, -5);
	assert_int_equal(a.mtime, 17);
	m->now += 5000;
	a = set(m, f, (struct mds_setattr_req){.valid = SETATTR_ATIME_NOW | SETATTR_MTIME_NOW});
	assert_int_equal(a.atime, m->now);
	assert_int_equal(a.mtime, m->now);
}

static void a_write_that_the_inode_does_not_show_yet_lies_before_the_change(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_file(m, ROOT, "f");
	int64_t floor = m->now + 1000000;
	struct attr a;

	a = set(m, f, (struct mds_setattr_req){.valid = SETATTR_MODE, .mode = 0600,
					       .ctime_floor = floor});
	assert_true(a.ctime > floor);
	a = set(m, f, (struct mds_setattr_req){.valid = SETATTR_MTIME, .mtime = 3,
					       .ctime_floor = floor + 50});
	assert_true(a.ctime > floor + 50);
	assert_int_equal(a.mtime, 3);
}

static void chown_clears_set_id_bits_and_capabilities(void **state)
{
	struct mt *m = *state;
	struct mds_create_req q = mt_create_req(m, ROOT, "f", S_IFREG | 06755);
	struct fid f, d;
	struct inode_rec ino;
	struct attr a;
	struct span v;

	assert_int_equal(mt_try(m, &q, &f, NULL), 0);
	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	assert_int_equal(xattr_set(m->t, &f, &ino, SPAN_STR(XATTR_CAPABILITY), SPAN_STR("x"), 0,
				   m->now), 0);
	a = set(m, f, (struct mds_setattr_req){.valid = SETATTR_UID, .uid = 5});
	assert_int_equal(a.uid, 5);
	assert_int_equal(a.mode, S_IFREG | 0755);
	assert_int_equal(xattr_raw_get(m->t, &f, XATTR_CAPABILITY, &v), -ENODATA);
	a = set(m, f, (struct mds_setattr_req){.valid = SETATTR_GID | SETATTR_MODE, .gid = 6,
					       .mode = 06755});
	assert_int_equal(a.mode, S_IFREG | 06755); /* an explicit mode wins */
	set(m, f, (struct mds_setattr_req){.valid = SETATTR_MODE, .mode = 02644});
	a = set(m, f, (struct mds_setattr_req){.valid = SETATTR_KILL_PRIV});
	assert_int_equal(a.mode, S_IFREG | 02644); /* without group x the bit is a lock mode */
	q = mt_create_req(m, ROOT, "d", S_IFDIR | 02755);
	assert_int_equal(mt_try(m, &q, &d, NULL), 0);
	a = set(m, d, (struct mds_setattr_req){.valid = SETATTR_UID, .uid = 5});
	assert_int_equal(a.mode, S_IFDIR | 02755);
}

static void settling_takes_the_newer_mtime(void **state)
{
	struct attr a = {.ctime = 100, .mtime = 90};

	(void)state;
	attr_make_unsure(&a);
	attr_settle(&a, 5, 8, 95);
	assert_int_equal(a.mtime, 90); /* set by hand after the write */
	assert_int_equal(a.size, 5);
	assert_int_equal(a.blocks, 8);
	assert_false(a.flags & ATTR_SIZE_UNSURE);
	attr_make_unsure(&a);
	attr_touch_ctime(&a, 200); /* written at 150, renamed at 200 */
	attr_settle(&a, 5, 8, 150);
	assert_int_equal(a.mtime, 150);
	assert_int_equal(a.ctime, 200);
	attr_make_unsure(&a);
	attr_settle(&a, 5, 8, 250);
	assert_int_equal(a.mtime, 250);
	assert_int_equal(a.ctime, 250);
}

static void setting_the_mtime_hides_older_writes(void **state)
{
	struct mt *m = *state;
	struct mds_create_req q = mt_create_req(m, ROOT, "f", S_IFREG | 0644);
	struct fid f;
	struct attr a;

	q.open_id = 1;
	q.open_flags = OPEN_WRITE;
	assert_int_equal(mt_try(m, &q, &f, &a), 0);
	assert_int_equal(a.fence, a.ctime);
	a = set(m, f, (struct mds_setattr_req){.valid = SETATTR_MODE, .mode = 0600});
	assert_true(a.fence < a.ctime);
	a = set(m, f, (struct mds_setattr_req){.valid = SETATTR_MTIME, .mtime = 7,
					       .ctime_floor = a.ctime + 90});
	assert_int_equal(a.fence, a.ctime);
	attr_settle(&a, 1, 8, a.fence - 50);
	assert_int_equal(a.mtime, 7);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ctime_moves_on_even_if_the_clock_does_not),
		TEST(given_times_are_taken_and_now_means_the_servers_now),
		TEST(a_write_that_the_inode_does_not_show_yet_lies_before_the_change),
		TEST(chown_clears_set_id_bits_and_capabilities),
		TEST(settling_takes_the_newer_mtime),
		TEST(setting_the_mtime_hides_older_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
