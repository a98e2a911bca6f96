/* SPDX-License-Identifier: Apache-2.0 */
/* test_ns.c - lookup and create on the tables: errno, times, link counts, inheritance of group
 * and mode. */
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

static void a_created_name_is_found_with_its_attributes(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_file(m, ROOT, "f");
	struct attr a = mt_attr(m, f);

	assert_fid_equal(mt_at(m, ROOT, "f"), f);
	assert_int_equal(a.mode, S_IFREG | 0644);
	assert_int_equal(a.nlink, 1);
	assert_int_equal(a.uid, 1000);
	assert_int_equal(a.size, 0);
	assert_int_equal(a.btime, m->now);
	assert_int_equal(a.mtime, m->now);
	assert_int_equal(mt_attr(m, ROOT).mtime, m->now);
	assert_int_equal(mt_attr(m, ROOT).ctime, m->now);
}

static void lookup_tells_why_a_name_is_not_there(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_file(m, ROOT, "f"), none = mt_fid(m), out;
	struct inode_rec ino;

	assert_int_equal(ns_lookup(m->t, &ROOT, SPAN_STR("x"), &out, &ino), -ENOENT);
	assert_int_equal(ns_lookup(m->t, &f, SPAN_STR("x"), &out, &ino), -ENOTDIR);
	assert_int_equal(ns_lookup(m->t, &none, SPAN_STR("x"), &out, &ino), -ENOENT);
}

static void create_refuses_what_cannot_be(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_file(m, ROOT, "f"), d = mt_dir(m, ROOT, "d"), none = mt_fid(m);
	struct mds_create_req q;

	assert_int_equal(mt_make_rc(m, ROOT, "f", S_IFREG | 0644), -EEXIST);
	assert_int_equal(mt_make_rc(m, ROOT, "d", S_IFDIR | 0755), -EEXIST);
	assert_int_equal(mt_make_rc(m, f, "x", S_IFREG | 0644), -ENOTDIR);
	assert_int_equal(mt_make_rc(m, none, "x", S_IFREG | 0644), -ENOENT);
	assert_int_equal(mt_make_rc(m, ROOT, "x", 0644), -EINVAL);
	assert_int_equal(mt_make_rc(m, ROOT, ".lustre", S_IFDIR | 0755), -EEXIST);
	assert_int_equal(mt_make_rc(m, FID_DOT_LUSTRE, "x", S_IFDIR | 0755), -EPERM);
	assert_int_equal(mt_make_rc(m, FID_DOT_LUSTRE_FID, "x", S_IFDIR | 0755), -EPERM);
	q = mt_create_req(m, ROOT, "x", S_IFREG | 0644);
	q.fid = f; /* somebody else's */
	assert_int_equal(mt_try(m, &q, NULL, NULL), -EINVAL);
	q.fid = ROOT;
	assert_int_equal(mt_try(m, &q, NULL, NULL), -EINVAL);
	q = mt_create_req(m, ROOT, "", S_IFREG | 0644); /* nameless, and nobody has it open */
	assert_int_equal(mt_try(m, &q, NULL, NULL), -EINVAL);
	q = mt_create_req(m, ROOT, "l", S_IFLNK | 0777);
	q.target = SPAN_NONE;
	assert_int_equal(mt_try(m, &q, NULL, NULL), -ENOENT);
	assert_int_equal(mt_unlink(m, ROOT, "d", true), 0);
	assert_int_equal(mt_make_rc(m, d, "x", S_IFREG | 0644), -ENOENT);
}

static void the_same_create_again_is_the_same_file(void **state)
{
	struct mt *m = *state;
	struct mds_create_req q = mt_create_req(m, ROOT, "f", S_IFREG | 0600);
	struct fid a, b;

	q.open_flags = OPEN_EXCL;
	assert_int_equal(mt_try(m, &q, &a, NULL), 0);
	assert_int_equal(mt_try(m, &q, &b, NULL), 0);
	assert_fid_equal(a, b);
	assert_int_equal(mt_attr(m, a).nlink, 1);
}

static void every_type_can_be_made(void **state)
{
	static const uint32_t types[] = {S_IFREG,  S_IFDIR, S_IFLNK, S_IFIFO,
					 S_IFSOCK, S_IFCHR, S_IFBLK};
	struct mt *m = *state;
	char name[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		struct mds_create_req q;
		struct attr a;

		snprintf(name, sizeof(name), "t%zu", i);
		q = mt_create_req(m, ROOT, name, types[i] | 0640);
		q.rdev = 0x0105;
		assert_int_equal(mt_try(m, &q, NULL, &a), 0);
		assert_int_equal(a.mode & S_IFMT, types[i]);
		assert_int_equal(a.rdev, S_ISCHR(types[i]) || S_ISBLK(types[i]) ? 0x0105 : 0);
		if (S_ISLNK(types[i])) {
			assert_int_equal(a.mode & 0777, 0777);
			assert_int_equal(a.size, strlen("over/there"));
		} else {
			assert_int_equal(a.mode & 0777, 0640);
		}
	}
}

static void mkdir_counts_links_up_to_the_limit(void **state)
{
	struct mt *m = *state;
	struct fid d = mt_dir(m, ROOT, "d");
	struct inode_rec ino;

	assert_int_equal(mt_attr(m, ROOT).nlink, 3);
	assert_int_equal(mt_attr(m, d).nlink, 2);
	mt_dir(m, d, "e");
	assert_int_equal(mt_attr(m, d).nlink, 3);
	assert_int_equal(inode_get(m->t, &d, &ino), 0);
	ino.attr.nlink = MAX_LINKS;
	assert_int_equal(inode_update(m->t, &d, &ino), 0);
	assert_int_equal(mt_make_rc(m, d, "x", S_IFDIR | 0755), -EMLINK);
	assert_int_equal(mt_make_rc(m, d, "f", S_IFREG | 0644), 0);
	ino.attr.nlink = 3;
	ino.next_cookie += 1;
	assert_int_equal(inode_update(m->t, &d, &ino), 0);
}

static void a_set_gid_directory_hands_its_group_down(void **state)
{
	struct mt *m = *state;
	struct mds_create_req q = mt_create_req(m, ROOT, "d", S_IFDIR | S_ISGID | 0775);
	struct fid d, sub;
	struct attr a;

	q.gid = 77;
	assert_int_equal(mt_try(m, &q, &d, NULL), 0);
	sub = mt_dir(m, d, "sub");
	a = mt_attr(m, sub);
	assert_int_equal(a.gid, 77);
	assert_true(a.mode & S_ISGID);
	a = mt_attr(m, mt_file(m, d, "f"));
	assert_int_equal(a.gid, 77);
	assert_false(a.mode & S_ISGID);
	assert_int_equal(mt_attr(m, mt_file(m, ROOT, "g")).gid, 1000);
}

static void umask_takes_bits_but_never_special_ones(void **state)
{
	struct mt *m = *state;
	struct mds_create_req q = mt_create_req(m, ROOT, "f", S_IFREG | 06777);
	struct attr a;

	q.umask = 027;
	assert_int_equal(mt_try(m, &q, NULL, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 06750);
}

static void a_file_made_for_writing_is_unsure_and_has_objects(void **state)
{
	struct mt *m = *state;
	struct mds_create_req q = mt_create_req(m, ROOT, "f", S_IFREG | 0644);
	struct ns_created c;
	struct layout *l;

	q.open_id = 5;
	q.open_flags = OPEN_WRITE;
	assert_int_equal(ns_create(m->t, &m->env, &q, m->now, &c), 0);
	assert_true(c.attr.flags & ATTR_SIZE_UNSURE);
	assert_true(c.attr.flags & ATTR_HAS_LAYOUT);
	assert_int_equal(layout_dec(wbuf_span(&c.layout), &l), 0);
	assert_true(striping_made(l));
	layout_free(l);
	wbuf_fini(&c.layout);
}

static void a_nameless_file_is_an_orphan_until_it_is_linked(void **state)
{
	struct mt *m = *state;
	struct mds_create_req q = mt_create_req(m, ROOT, "", S_IFREG | 0600);
	struct fid f;

	q.open_id = 7;
	q.open_flags = OPEN_READ;
	assert_int_equal(mt_try(m, &q, &f, NULL), 0);
	assert_int_equal(mt_attr(m, f).nlink, 0);
	assert_int_equal(mds_check_invariants(m->t), 0);
	assert_int_equal(mt_link(m, f, ROOT, "now"), 0);
	assert_int_equal(mt_attr(m, f).nlink, 1);
	q = mt_create_req(m, ROOT, "", S_IFREG | 0600);
	q.open_id = 8;
	q.open_flags = OPEN_READ | OPEN_EXCL; /* O_TMPFILE|O_EXCL: never to be linked */
	assert_int_equal(mt_try(m, &q, &f, NULL), 0);
	assert_int_equal(mt_link(m, f, ROOT, "never"), -ENOENT);
}

static void without_osts_only_files_cannot_be_made(void **state)
{
	struct mt *m = *state;
	struct mds_create_req q = mt_create_req(m, ROOT, "f", S_IFREG | 0644);

	alloc_fini(&m->alloc);
	q.open_id = 1;
	q.open_flags = OPEN_WRITE;
	assert_int_equal(mt_try(m, &q, NULL, NULL), -ENODEV);
	q.open_flags |= OPEN_DELAY_LAYOUT;
	assert_int_equal(mt_try(m, &q, NULL, NULL), 0);
	assert_int_equal(mt_make_rc(m, ROOT, "d", S_IFDIR | 0755), 0);
	assert_int_equal(mt_make_rc(m, ROOT, "n", S_IFREG | 0644), 0);
}

static void virtual_directories_lead_to_any_inode(void **state)
{
	struct mt *m = *state;
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_file(m, d, "f"), dl = FID_DOT_LUSTRE;
	struct fid dlf = FID_DOT_LUSTRE_FID;
	char text[FID_STRLEN];

	assert_fid_equal(mt_at(m, ROOT, ".lustre"), dl);
	assert_fid_equal(mt_at(m, dl, "fid"), dlf);
	assert_fid_equal(mt_at(m, dlf, fid_str(&f, text)), f);
	assert_true(fid_is_zero(&(struct fid){mt_at(m, dlf, "[0x1:0x2:0x3]").seq, 0, 0}));
	assert_true(S_ISDIR(mt_attr(m, dl).mode));
	assert_int_equal(mt_unlink(m, ROOT, ".lustre", true), -EPERM);
	assert_int_equal(mt_unlink(m, dl, "fid", true), -EPERM);
}

static void who_may_open_is_decided_by_owner_group_and_others(void **state)
{
	struct attr a = {.mode = S_IFREG | 0640, .uid = 1, .gid = 2};

	(void)state;
	assert_true(ns_may_open(&a, 0, 0, OPEN_READ | OPEN_WRITE));
	assert_true(ns_may_open(&a, 1, 9, OPEN_READ | OPEN_WRITE));
	assert_true(ns_may_open(&a, 5, 2, OPEN_READ));
	assert_false(ns_may_open(&a, 5, 2, OPEN_WRITE));
	assert_false(ns_may_open(&a, 5, 2, OPEN_READ | OPEN_TRUNC));
	assert_false(ns_may_open(&a, 5, 9, OPEN_READ));
	a.mode = S_IFREG | 0666;
	assert_true(ns_may_open(&a, 5, 9, OPEN_WRITE));
	a.flags = ATTR_HAS_ACL;
	assert_false(ns_may_open(&a, 5, 9, OPEN_WRITE));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_created_name_is_found_with_its_attributes),
		TEST(lookup_tells_why_a_name_is_not_there),
		TEST(create_refuses_what_cannot_be),
		TEST(the_same_create_again_is_the_same_file),
		TEST(every_type_can_be_made),
		TEST(mkdir_counts_links_up_to_the_limit),
		TEST(a_set_gid_directory_hands_its_group_down),
		TEST(umask_takes_bits_but_never_special_ones),
		TEST(a_file_made_for_writing_is_unsure_and_has_objects),
		TEST(a_nameless_file_is_an_orphan_until_it_is_linked),
		TEST(without_osts_only_files_cannot_be_made),
		TEST(virtual_directories_lead_to_any_inode),
		TEST(who_may_open_is_decided_by_owner_group_and_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
