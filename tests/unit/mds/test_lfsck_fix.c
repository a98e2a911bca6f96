/* SPDX-License-Identifier: Apache-2.0 */
/* test_lfsck_fix.c - every kind of damage is found as what it is, in steps of any size, and
 * repaired so that nothing is found any more. (check.h, lfsck_fix.h) */
#include "common/layout.h"
#include "mds/attr.h"
#include "mds/check.h"
#include "mds/check_rows.h"
#include "mds/lfsck_fix.h"
#include "mds/orphan.h"
#include "mds/xattr.h"
#include "tests/unit/mds/mds_test.h"

enum { MAX_FOUND = 64 };

struct seen {
	struct finding f[MAX_FOUND];
	uint32_t n;
};

static void note(void *arg, const struct finding *f)
{
	struct seen *s = arg;
	char text[FINDING_STRLEN];

	assert_true(s->n < MAX_FOUND);
	assert_non_null(strstr(finding_str(f, text), finding_texts[f->kind].name));
	s->f[s->n++] = *f;
}

static void scan(struct mt *m, uint32_t step, struct seen *s)
{
	struct checker c = {.t = m->t, .found = note, .arg = s};
	struct check_pos pos = {0};
	uint32_t turns = 0;

	s->n = 0;
	while (!pos.end) {
		check_step(&c, &pos, step);
		assert_int_equal(c.rc, 0);
		assert_true(++turns < 100000);
	}
	assert_int_equal(pos.skipped, 0);
}

static uint32_t count(const struct seen *s, enum finding_kind kind)
{
	uint32_t i, n = 0;

	for (i = 0; i < s->n; i++)
		n += s->f[i].kind == kind;
	return n;
}

/* Exactly these, however large the steps; then repaired, with nothing left. */
#define expect(m, ...)                                                                             \
	expect_kinds(m, (const enum finding_kind[]){__VA_ARGS__},                                  \
		     sizeof((const enum finding_kind[]){__VA_ARGS__}) / sizeof(enum finding_kind))

static void expect_kinds(struct mt *m, const enum finding_kind *kinds, size_t n)
{
	static const uint32_t steps[] = {1, 2, 7, 1000000};
	struct seen s, other;
	size_t i;
	int rc;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		scan(m, steps[i], &other);
		assert_int_equal(other.n, n);
	}
	s = other;
	for (i = 0; i < n; i++)
		assert_true(count(&s, kinds[i]) >= 1);
	for (i = 0; i < s.n; i++) {
		rc = lfsck_fix(m->t, &s.f[i], m->now += 1000);
		assert_true(rc == 0 || rc == -ENOENT); /* with another one */
		assert_int_equal(lfsck_fix(m->t, &s.f[i], m->now), -ENOENT);
	}
	for (i = 0; i < 3 && s.n; i++) { /* what became visible by that */
		scan(m, 1000, &s);
		for (n = 0; n < s.n; n++)
			assert_int_equal(lfsck_fix(m->t, &s.f[n], m->now += 1000), 0);
	}
	assert_int_equal(s.n, 0);
	assert_int_equal(mds_check_invariants(m->t), 0);
}

/* ---- damage ---- */

static struct inode_rec get(struct mt *m, struct fid fid)
{
	struct inode_rec ino;

	assert_int_equal(inode_get(m->t, &fid, &ino), 0);
	return ino;
}

static void set_nlink(struct mt *m, struct fid fid, uint32_t n)
{
	struct inode_rec ino = get(m, fid);

	ino.attr.nlink = n;
	assert_int_equal(inode_update(m->t, &fid, &ino), 0);
}

static void set_first(struct mt *m, struct fid fid, struct fid parent, const char *name)
{
	struct inode_rec ino = get(m, fid);

	assert_int_equal(inode_set_link(m->t, &fid, &ino, &parent, SPAN_STR(name)), 0);
}

static struct dirent_rec at(struct mt *m, struct fid parent, const char *name)
{
	struct dirent_rec d;

	assert_int_equal(dirent_get(m->t, &parent, SPAN_STR(name), &d), 0);
	return d;
}

static void drop_name(struct mt *m, struct fid parent, const char *name)
{
	assert_int_equal(dirent_del(m->t, &parent, SPAN_STR(name), at(m, parent, name).cookie), 0);
}

static char *lost_name(struct fid fid)
{
	static char buf[FID_STRLEN];

	return fid_str(&fid, buf);
}

/* ---- tests ---- */

#define TEST(name)                                                                                 \
	static void name##_body(struct mt *m);                                                     \
	static void name(void **state)                                                             \
	{                                                                                          \
		struct mt m;                                                                       \
		(void)state;                                                                       \
		mt_init(&m);                                                                       \
		name##_body(&m);                                                                   \
		mt_fini(&m);                                                                       \
	}                                                                                          \
	static void name##_body(struct mt *m)

TEST(healthy_tables_are_clean_in_every_step)
{
	struct fid d = mt_dir(m, ROOT, "d"), f;
	struct seen s;
	char name[16];
	int i;

	for (i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		f = i % 3 ? mt_open_file(m, d, name) : mt_dir(m, d, name);
	}
	assert_int_equal(mt_link(m, f, ROOT, "other"), 0);
	m->open_fid = mt_open_file(m, d, "open");
	assert_int_equal(mt_unlink(m, d, "open", false), 0);
	assert_int_equal(mt_unlink(m, d, "n1", false), 0);
	for (i = 1; i < 10; i++) {
		scan(m, (uint32_t)i, &s);
		assert_int_equal(s.n, 0);
	}
}

TEST(wrong_numbers_of_links)
{
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_file(m, d, "f"), g = mt_file(m, d, "g");

	assert_int_equal(mt_link(m, f, d, "f2"), 0);
	set_nlink(m, f, 9);
	set_nlink(m, g, 0);
	set_nlink(m, d, 3);
	expect(m, FINDING_wrong_nlink, FINDING_wrong_nlink, FINDING_wrong_nlink);
	assert_int_equal(mt_attr(m, f).nlink, 2);
	assert_int_equal(mt_attr(m, g).nlink, 1);
	assert_int_equal(mt_attr(m, d).nlink, 2);
}

TEST(a_name_that_leads_nowhere_goes)
{
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_file(m, d, "f"), sub = mt_dir(m, d, "sub");

	assert_int_equal(inode_del(m->t, &f), 0);
	assert_int_equal(inode_del(m->t, &sub), 0);
	expect(m, FINDING_dangling_name, FINDING_dangling_name);
	assert_true(fid_is_zero(&(struct fid){mt_at(m, d, "f").seq, 0, 0}));
	assert_int_equal(mt_attr(m, d).nlink, 2);
}

TEST(a_lost_name_comes_back_if_it_can)
{
	struct fid d = mt_dir(m, ROOT, "d"), e = mt_dir(m, ROOT, "e"), f = mt_file(m, d, "f"),
		   g = mt_file(m, d, "g"), h = mt_file(m, d, "h"), k = mt_file(m, d, "k");

	drop_name(m, d, "f");
	drop_name(m, d, "g"); /* and somebody else has taken it */
	assert_int_equal(mt_make_rc(m, d, "g", S_IFREG | 0644), 0);
	assert_int_equal(mt_link(m, h, e, "h2"), 0);
	drop_name(m, e, "h2");
	assert_int_equal(mt_link(m, k, e, "k2"), 0);
	drop_name(m, d, "k");
	assert_int_equal(mt_make_rc(m, d, "k", S_IFREG | 0644), 0);
	expect(m, FINDING_lost_name, FINDING_lost_name, FINDING_lost_name, FINDING_lost_name);
	assert_fid_equal(mt_at(m, d, "f"), f);
	assert_fid_equal(mt_at(m, FID_LOST_FOUND, lost_name(g)), g);
	assert_fid_equal(mt_at(m, e, "h2"), h);
	assert_int_equal(mt_attr(m, h).nlink, 2);
	assert_fid_equal(mt_at(m, e, "k2"), k);
	assert_int_equal(mt_attr(m, k).nlink, 1);
}

TEST(an_inode_learns_its_name)
{
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_file(m, d, "f"), g = mt_file(m, d, "g");
	struct fid sub = mt_dir(m, d, "sub");

	set_first(m, f, d, "nonsense");
	assert_int_equal(dirent_add(m->t, &d, SPAN_STR("g2"), &g, ns_dtype(S_IFREG), 100), 0);
	assert_int_equal(dirent_add(m->t, &d, SPAN_STR("sub2"), &sub, ns_dtype(S_IFDIR), 101), 0);
	expect(m, FINDING_unknown_name, FINDING_lost_name, FINDING_unknown_name,
	       FINDING_unknown_name, FINDING_used_cookie, FINDING_wrong_nlink);
	assert_fid_equal(mt_at(m, d, "f"), f);
	assert_int_equal(mt_attr(m, f).nlink, 1);
	assert_int_equal(mt_attr(m, g).nlink, 2);
	assert_true(fid_is_zero(&(struct fid){mt_at(m, d, "sub2").seq, 0, 0}));
}

TEST(what_has_no_name_gets_one_in_lost_found)
{
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_file(m, d, "f"), sub = mt_dir(m, d, "sub");
	struct fid in = mt_file(m, sub, "in");
	struct inode_rec dir = get(m, d);

	drop_name(m, d, "f");
	drop_name(m, d, "sub");
	set_first(m, f, d, "");
	set_first(m, sub, d, "");
	dir.attr.nlink--;
	assert_int_equal(inode_update(m->t, &d, &dir), 0);
	/* a name there that somebody has made */
	assert_int_equal(lfsck_lost_found(m->t, m->now), 0);
	assert_int_equal(mt_make_rc(m, FID_LOST_FOUND, lost_name(f), S_IFREG | 0644), 0);
	expect(m, FINDING_nameless, FINDING_nameless);
	assert_fid_equal(mt_at(m, FID_LOST_FOUND, "[0x200000401:0x2:0x0]-1"), f);
	assert_fid_equal(mt_at(m, FID_LOST_FOUND, lost_name(sub)), sub);
	assert_fid_equal(mt_at(m, sub, "in"), in);
	assert_int_equal(mt_rename(m, FID_LOST_FOUND, lost_name(sub), d, "back", 0), 0);
	assert_int_equal(mt_attr(m, FID_LOST_FOUND).nlink, 2);
	assert_int_equal(mt_unlink(m, FID_DOT_LUSTRE, "lost+found", true), -EPERM);
}

TEST(listings_are_put_right)
{
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_file(m, d, "f");
	struct diridx_rec stale = {f, ns_dtype(S_IFREG), SPAN_STR("ghost")};
	uint64_t cookie = at(m, d, "f").cookie;

	assert_int_equal(diridx_rec_del(m->t, &(struct diridx_key){d, cookie}), 0);
	assert_int_equal(diridx_rec_put(m->t, &(struct diridx_key){d, 2}, &stale), 0);
	expect(m, FINDING_lost_index, FINDING_stale_index);
}

TEST(a_name_of_the_wrong_type)
{
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_file(m, d, "f");

	assert_int_equal(
		dirent_set(m->t, &d, SPAN_STR("f"), at(m, d, "f").cookie, &f, ns_dtype(S_IFDIR)),
		0);
	expect(m, FINDING_wrong_type, FINDING_wrong_nlink);
	assert_int_equal(at(m, d, "f").dtype, ns_dtype(S_IFREG));
}

TEST(names_in_what_is_no_directory)
{
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_file(m, d, "f"), g = mt_file(m, d, "g");
	struct inode_rec dir = get(m, d);

	assert_int_equal(inode_del(m->t, &d), 0);
	assert_int_equal(dirent_del(m->t, &ROOT, SPAN_STR("d"), at(m, ROOT, "d").cookie), 0);
	(void)dir;
	set_nlink(m, ROOT, 2);
	expect(m, FINDING_misplaced_name, FINDING_misplaced_name);
	assert_fid_equal(mt_at(m, FID_LOST_FOUND, lost_name(f)), f);
	assert_fid_equal(mt_at(m, FID_LOST_FOUND, lost_name(g)), g);
}

TEST(a_directory_below_itself)
{
	struct fid a = mt_dir(m, ROOT, "a"), b = mt_dir(m, a, "b"), c = mt_dir(m, b, "c");

	drop_name(m, ROOT, "a");
	set_nlink(m, ROOT, 2);
	assert_int_equal(dirent_add(m->t, &c, SPAN_STR("a"), &a, ns_dtype(S_IFDIR), 50), 0);
	set_first(m, a, c, "a");
	set_nlink(m, c, 3);
	expect(m, FINDING_loop, FINDING_loop, FINDING_loop, FINDING_used_cookie);
}

TEST(marks_and_rows_that_do_not_fit)
{
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_open_file(m, d, "f"),
		   g = mt_open_file(m, d, "g"), nobody = {FID_SEQ_NORMAL + 1, 999, 0};
	struct inode_rec ino = get(m, f);

	attr_make_unsure(&ino.attr);
	assert_int_equal(inode_update(m->t, &f, &ino), 0);
	assert_int_equal(orphan_add(m->t, &g, false), 0);
	assert_int_equal(orphan_add(m->t, &nobody, false), 0);
	assert_int_equal(unsure_add(m->t, &nobody), 0);
	assert_int_equal(xattr_raw_put(m->t, &nobody, "user.x", SPAN_STR("y")), 0);
	assert_int_equal(link_rec_put(m->t, &(struct link_key){nobody, d, SPAN_STR("z")},
				      &(struct link_rec){}),
			 0);
	assert_int_equal(unlinklog_rec_put(m->t, &(struct unlinklog_key){1, f, 1, 0},
					   &(struct unlinklog_rec){}),
			 0);
	expect(m, FINDING_wrong_unsure, FINDING_wrong_orphan,
	       FINDING_stray_row, FINDING_stray_row, FINDING_stray_row, FINDING_stray_row,
	       FINDING_doomed_objects);
}

TEST(an_inode_with_further_names_only)
{
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_file(m, d, "f");

	assert_int_equal(mt_link(m, f, d, "f2"), 0);
	drop_name(m, d, "f");
	set_first(m, f, d, "");
	expect(m, FINDING_no_first_name, FINDING_wrong_nlink);
	assert_int_equal(mt_attr(m, f).nlink, 1);
}

TEST(damaged_records_are_told_and_left_alone)
{
	struct fid d = mt_dir(m, ROOT, "d"), f = mt_file(m, d, "f");
	struct inode_key k = {f};
	struct seen s;
	uint8_t key[16] = {0, 0, 0, 2, 0, 0, 4, 1, 0, 0, 0, 2, 0, 0, 0, 0};

	assert_int_equal(store_inject_damage(m->store, TABLE_inode, (struct span){key, 16}), 0);
	scan(m, 3, &s);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.f[0].kind, FINDING_damaged_inode);
	assert_fid_equal(s.f[0].fid, k.fid);
	assert_int_equal(lfsck_fix(m->t, &s.f[0], m->now), -EOPNOTSUPP);
	assert_int_equal(store_inject_damage(m->store, TABLE_inode, (struct span){key, 16}), 0);
}

TEST(a_large_directory_is_counted_although_it_changes)
{
	struct fid d = mt_dir(m, ROOT, "d");
	struct seen s = {.n = 0};
	struct checker c = {.t = m->t, .found = note, .arg = &s};
	struct check_dir dir = {0};
	struct inode_rec ino;
	char name[16];
	int i, rc;

	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		mt_dir(m, d, name);
	}
	ino = get(m, d);
	check_dir_start(&dir, &d, &ino);
	assert_int_equal(check_dir_step(&c, &dir, 30), 1);
	assert_int_equal(dir.subdirs, 30);
	assert_int_equal(mt_unlink(m, d, "s3", true), 0); /* counted already */
	mt_dir(m, d, "new");
	assert_int_equal(check_dir_step(&c, &dir, 30), 1); /* anew */
	assert_int_equal(dir.subdirs, 30);
	for (i = 0; i < 20; i++) {
		rc = check_dir_step(&c, &dir, 30);
		if (rc != 1)
			break;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(s.n, 0);
	ino = get(m, d);
	check_dir_start(&dir, &d, &ino);
	for (i = 0, rc = 1; rc == 1; i++) { /* it never holds still */
		snprintf(name, sizeof(name), "t%d", i);
		mt_dir(m, d, name);
		rc = check_dir_step(&c, &dir, 10);
	}
	assert_int_equal(rc, -EAGAIN);
	assert_int_equal(s.n, 0);
}

TEST(objects_without_an_owner_become_a_file)
{
	uint32_t ost[] = {3, 1};
	struct fid f = {FID_SEQ_NORMAL + 7, 77, 0};
	struct layout *l;
	struct inode_rec ino;

	assert_int_equal(layout_plain(STRIPE_SIZE_UNIT, 2, 3, NULL, ost, &l), 0);
	assert_int_equal(lfsck_adopt(m->t, &f, l, 5, m->now), 0);
	assert_int_equal(lfsck_adopt(m->t, &f, l, 5, m->now), -EEXIST);
	layout_free(l);
	assert_fid_equal(mt_at(m, FID_LOST_FOUND, lost_name(f)), f);
	ino = get(m, f);
	assert_true(ino.attr.flags & ATTR_SIZE_UNSURE);
	assert_int_equal(ino.attr.trunc_gen, 5);
	assert_int_equal(inode_layout(&f, &ino, &l), 0);
	assert_int_equal(l->comp[0].ost[1], 1);
	layout_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(healthy_tables_are_clean_in_every_step),
		cmocka_unit_test(wrong_numbers_of_links),
		cmocka_unit_test(a_name_that_leads_nowhere_goes),
		cmocka_unit_test(a_lost_name_comes_back_if_it_can),
		cmocka_unit_test(an_inode_learns_its_name),
		cmocka_unit_test(what_has_no_name_gets_one_in_lost_found),
		cmocka_unit_test(listings_are_put_right),
		cmocka_unit_test(a_name_of_the_wrong_type),
		cmocka_unit_test(names_in_what_is_no_directory),
		cmocka_unit_test(a_directory_below_itself),
		cmocka_unit_test(marks_and_rows_that_do_not_fit),
		cmocka_unit_test(an_inode_with_further_names_only),
		cmocka_unit_test(damaged_records_are_told_and_left_alone),
		cmocka_unit_test(a_large_directory_is_counted_although_it_changes),
		cmocka_unit_test(objects_without_an_owner_become_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
