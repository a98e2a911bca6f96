/* SPDX-License-Identifier: Apache-2.0 */
/* test_xattr.c - extended attributes: name spaces, flags, limits, ACLs and the mode, inheritance
 * on create. */
#include "mds/acl.h"
#include "mds/attr.h"
#include "mds/xattr.h"
#include "tests/unit/mds/mds_test.h"
#include <sys/xattr.h>

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

static int set(struct mt *m, struct fid f, const char *name, struct span value, uint32_t flags)
{
	struct inode_rec ino;

	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	return xattr_set(m->t, &f, &ino, SPAN_STR(name), value, flags, m->now += 1000);
}

static int get(struct mt *m, struct fid f, const char *name, struct span *value)
{
	struct inode_rec ino;

	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	return xattr_get(m->t, &f, &ino, SPAN_STR(name), value);
}

static int del(struct mt *m, struct fid f, const char *name)
{
	struct inode_rec ino;

	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	return xattr_remove(m->t, &f, &ino, SPAN_STR(name), m->now += 1000);
}

static void a_value_comes_back_until_it_is_removed(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_file(m, ROOT, "f");
	struct span v;

	assert_int_equal(get(m, f, "user.a", &v), -ENODATA);
	assert_int_equal(set(m, f, "user.a", SPAN_STR("one"), 0), 0);
	assert_int_equal(mt_attr(m, f).ctime, m->now);
	assert_int_equal(set(m, f, "trusted.b", SPAN_NONE, 0), 0);
	assert_int_equal(get(m, f, "user.a", &v), 0);
	assert_true(span_eq(v, SPAN_STR("one")));
	assert_int_equal(get(m, f, "trusted.b", &v), 0);
	assert_int_equal(v.len, 0);
	assert_int_equal(del(m, f, "user.a"), 0);
	assert_int_equal(del(m, f, "user.a"), -ENODATA);
	assert_int_equal(get(m, f, "user.a", &v), -ENODATA);
	assert_int_equal(del(m, f, "trusted.b"), 0);
	assert_false(mt_attr(m, f).flags & (ATTR_HAS_XATTR | ATTR_HAS_ACL));
}

static void create_and_replace_flags_are_kept(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_file(m, ROOT, "f");

	assert_int_equal(set(m, f, "user.a", SPAN_STR("1"), XATTR_REPLACE), -ENODATA);
	assert_int_equal(set(m, f, "user.a", SPAN_STR("1"), XATTR_CREATE), 0);
	assert_int_equal(set(m, f, "user.a", SPAN_STR("1"), XATTR_CREATE), -EEXIST);
	assert_int_equal(set(m, f, "user.a", SPAN_STR("1"), XATTR_REPLACE), 0);
}

static void name_spaces_have_their_rules(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_file(m, ROOT, "f"), p = mt_make(m, ROOT, "p", S_IFIFO | 0644);
	struct fid l = mt_make(m, ROOT, "l", S_IFLNK | 0777), d = mt_dir(m, ROOT, "d");
	static char long_name[300] = "user.";
	struct span v;

	assert_int_equal(set(m, p, "user.a", SPAN_STR("1"), 0), -EPERM);
	assert_int_equal(set(m, l, "user.a", SPAN_STR("1"), 0), -EPERM);
	assert_int_equal(get(m, l, "user.a", &v), -ENODATA);
	assert_int_equal(set(m, d, "user.a", SPAN_STR("1"), 0), 0);
	assert_int_equal(set(m, p, "trusted.a", SPAN_STR("1"), 0), 0);
	assert_int_equal(set(m, l, "security.a", SPAN_STR("1"), 0), 0);
	assert_int_equal(set(m, f, "other.a", SPAN_STR("1"), 0), -EOPNOTSUPP);
	assert_int_equal(set(m, f, "system.other", SPAN_STR("1"), 0), -EOPNOTSUPP);
	assert_int_equal(set(m, f, "user.", SPAN_STR("1"), 0), -EOPNOTSUPP);
	assert_int_equal(set(m, f, "", SPAN_STR("1"), 0), -EOPNOTSUPP);
	memset(long_name + 5, 'x', 260);
	assert_int_equal(set(m, f, long_name, SPAN_STR("1"), 0), -ERANGE);
}

static void sizes_have_limits(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_file(m, ROOT, "f");
	uint8_t *big = calloc(1, MAX_XATTR_VALUE + 1);
	char name[24];
	struct span v;
	int i, rc = 0;

	assert_int_equal(set(m, f, "user.a", (struct span){big, MAX_XATTR_VALUE + 1}, 0), -E2BIG);
	assert_int_equal(set(m, f, "user.a", (struct span){big, MAX_XATTR_VALUE}, 0), 0);
	assert_int_equal(get(m, f, "user.a", &v), 0);
	assert_int_equal(v.len, MAX_XATTR_VALUE);
	for (i = 0; i < 100 && rc == 0; i++) {
		snprintf(name, sizeof(name), "user.%d", i);
		rc = set(m, f, name, (struct span){big, MAX_XATTR_VALUE}, 0);
	}
	assert_int_equal(rc, -ENOSPC);
	assert_in_range(i, 10, 20);
	free(big);
}

static void names_are_listed_each_with_its_nul(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_file(m, ROOT, "f");
	struct inode_rec ino;
	struct wbuf w;

	assert_int_equal(set(m, f, "user.b", SPAN_STR("1"), 0), 0);
	assert_int_equal(set(m, f, "trusted.a", SPAN_STR("1"), 0), 0);
	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	wbuf_init(&w, 1000);
	assert_int_equal(xattr_list(m->t, &f, &ino, &w), 0);
	assert_int_equal(w.len, sizeof("trusted.a") + sizeof("user.b"));
	assert_memory_equal(w.ptr, "trusted.a\0user.b", w.len);
	wbuf_fini(&w);
}

/* ---- ACLs ---- */

static struct span acl(uint8_t *mem, uint32_t u, uint32_t named, uint32_t g, uint32_t mask,
		       uint32_t o)
{
	struct acl_entry e[] = {{1, (uint16_t)u, ~0U}, {2, (uint16_t)named, 1000},
				{4, (uint16_t)g, ~0U}, {16, (uint16_t)mask, ~0U},
				{32, (uint16_t)o, ~0U}};
	struct acl a = {5, e};

	acl_enc(&a, mem);
	return (struct span){mem, acl_size(&a)};
}

static struct span small_acl(uint8_t *mem, uint32_t u, uint32_t g, uint32_t o)
{
	struct acl_entry e[] = {
		{1, (uint16_t)u, ~0U}, {4, (uint16_t)g, ~0U}, {32, (uint16_t)o, ~0U}};
	struct acl a = {3, e};

	acl_enc(&a, mem);
	return (struct span){mem, acl_size(&a)};
}

static void an_access_acl_changes_the_mode(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_file(m, ROOT, "f");
	uint8_t mem[64];
	struct span v;

	assert_int_equal(set(m, f, XATTR_ACL_ACCESS, acl(mem, 7, 6, 4, 5, 1), 0), 0);
	assert_int_equal(mt_attr(m, f).mode, S_IFREG | 0751);
	assert_true(mt_attr(m, f).flags & ATTR_HAS_ACL);
	assert_int_equal(get(m, f, XATTR_ACL_ACCESS, &v), 0);
	assert_int_equal(set(m, f, XATTR_ACL_ACCESS, small_acl(mem, 6, 4, 0), 0), 0);
	assert_int_equal(mt_attr(m, f).mode, S_IFREG | 0640);
	assert_int_equal(get(m, f, XATTR_ACL_ACCESS, &v), -ENODATA);
	assert_int_equal(set(m, f, XATTR_ACL_ACCESS, SPAN_STR("rubbish"), 0), -EINVAL);
	assert_int_equal(set(m, f, XATTR_ACL_DEFAULT, acl(mem, 7, 6, 4, 5, 1), 0), -EACCES);
}

static void chmod_moves_the_mask(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_file(m, ROOT, "f");
	struct mds_setattr_req q = {.fid = f, .valid = SETATTR_MODE, .mode = 0604};
	struct inode_rec ino;
	uint8_t mem[64], want[64];
	struct span v;

	assert_int_equal(set(m, f, XATTR_ACL_ACCESS, acl(mem, 7, 6, 4, 5, 1), 0), 0);
	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	assert_int_equal(attr_set(m->t, &f, &ino, &q, m->now), 0);
	assert_int_equal(inode_update(m->t, &f, &ino), 0);
	assert_int_equal(get(m, f, XATTR_ACL_ACCESS, &v), 0);
	assert_true(span_eq(v, acl(want, 6, 6, 4, 0, 4)));
}

static void a_default_acl_is_inherited_instead_of_the_umask(void **state)
{
	struct mt *m = *state;
	struct fid d = mt_dir(m, ROOT, "d"), f, sub;
	uint8_t mem[64], want[64];
	struct span v;

	assert_int_equal(set(m, d, XATTR_ACL_DEFAULT, acl(mem, 7, 7, 5, 7, 5), 0), 0);
	f = mt_make(m, d, "f", S_IFREG | 0666); /* umask 022 does not count */
	assert_int_equal(mt_attr(m, f).mode, S_IFREG | 0664);
	assert_int_equal(get(m, f, XATTR_ACL_ACCESS, &v), 0);
	assert_true(span_eq(v, acl(want, 6, 7, 5, 6, 4)));
	assert_int_equal(get(m, f, XATTR_ACL_DEFAULT, &v), -ENODATA);
	sub = mt_make(m, d, "sub", S_IFDIR | 0777);
	assert_int_equal(mt_attr(m, sub).mode, S_IFDIR | 0775);
	assert_int_equal(get(m, sub, XATTR_ACL_DEFAULT, &v), 0);
	assert_true(span_eq(v, acl(want, 7, 7, 5, 7, 5)));
	mt_make(m, d, "l", S_IFLNK | 0777);
	assert_int_equal(set(m, d, XATTR_ACL_DEFAULT, small_acl(mem, 7, 0, 0), 0), 0);
	assert_int_equal(get(m, d, XATTR_ACL_DEFAULT, &v), 0);
	f = mt_make(m, d, "g", S_IFREG | 0666);
	assert_int_equal(mt_attr(m, f).mode, S_IFREG | 0600);
	assert_int_equal(get(m, f, XATTR_ACL_ACCESS, &v), -ENODATA);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_value_comes_back_until_it_is_removed),
		TEST(create_and_replace_flags_are_kept),
		TEST(name_spaces_have_their_rules),
		TEST(sizes_have_limits),
		TEST(names_are_listed_each_with_its_nul),
		TEST(an_access_acl_changes_the_mode),
		TEST(chmod_moves_the_mask),
		TEST(a_default_acl_is_inherited_instead_of_the_umask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
