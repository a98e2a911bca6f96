/* SPDX-License-Identifier: Apache-2.0 */
/* test_xattrs.c - what is remembered of extended attributes, and how much. */
#include "client/core/xattrs.h"
#include "common/proto/proto.h"
#include "tests/unit/unit.h"
#include <string.h>

static struct xattr_pool pool;
static struct xattrs x, y, others[4];

static int setup(void **state)
{
	(void)state;
	xattrs_init(&pool);
	x = y = (struct xattrs){0};
	memset(others, 0, sizeof(others));
	return 0;
}

static void drop_others(void)
{
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		xattrs_drop(&pool, &others[i]);
}

static int teardown(void **state)
{
	(void)state;
	xattrs_drop(&pool, &x);
	xattrs_drop(&pool, &y);
	drop_others();
	assert_int_equal(pool.bytes, 0);
	return 0;
}

static void put(struct xattrs *of, const char *name, const char *value)
{
	xattrs_put(&pool, of, SPAN_STR(name), value ? 0 : -ENODATA,
		   value ? SPAN_STR(value) : SPAN_NONE);
}

/* "?": not known, NULL: there is none. */
static const char *get(const struct xattrs *of, const char *name)
{
	static char text[64];
	struct span v;
	int rc;

	if (!xattrs_get(of, SPAN_STR(name), &rc, &v))
		return "?";
	if (rc)
		return NULL;
	assert_true(v.len < sizeof(text));
	memcpy(text, v.ptr, v.len);
	text[v.len] = 0;
	return text;
}

static void each_inode_has_its_own(void **state)
{
	(void)state;
	put(&x, "user.a", "1");
	put(&y, "user.a", NULL);
	put(&x, "", "user.a");
	put(&x, "user.empty", "");
	assert_string_equal(get(&x, "user.a"), "1");
	assert_null(get(&y, "user.a"));
	assert_string_equal(get(&x, ""), "user.a");
	assert_string_equal(get(&x, "user.empty"), "");
	assert_string_equal(get(&x, "user."), "?");
	assert_string_equal(get(&y, ""), "?");
	put(&x, "user.a", NULL);
	assert_null(get(&x, "user.a"));
	put(&x, "user.a", "22");
	assert_string_equal(get(&x, "user.a"), "22");
	xattrs_drop(&pool, &x);
	assert_string_equal(get(&x, "user.a"), "?");
	assert_null(get(&y, "user.a"));
}

static void large_values_are_not_kept(void **state)
{
	static uint8_t mem[XATTRS_VALUE_MAX + 1];

	(void)state;
	put(&x, "user.a", "old");
	xattrs_put(&pool, &x, SPAN_STR("user.a"), 0, (struct span){mem, sizeof(mem)});
	assert_string_equal(get(&x, "user.a"), "?"); /* above all not the old one */
	assert_int_equal(pool.bytes, 0);
}

/* With n of the largest values, of several inodes. */
static void fill(uint32_t n)
{
	static uint8_t mem[XATTRS_VALUE_MAX];
	char name[32];
	uint32_t i;

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "user.%u", i);
		xattrs_put(&pool, &others[i % ARRAY_SIZE(others)], SPAN_STR(name), 0,
			   (struct span){mem, sizeof(mem)});
		assert_true(pool.bytes <= XATTRS_BYTES_MAX);
	}
}

static void the_oldest_make_room(void **state)
{
	uint32_t n = 2 * XATTRS_BYTES_MAX / XATTRS_VALUE_MAX;
	struct span v;
	char name[32];
	int rc;

	(void)state;
	put(&y, "user.old", "1");
	fill(n);
	assert_true(pool.bytes > XATTRS_BYTES_MAX - 2 * XATTRS_VALUE_MAX);
	assert_string_equal(get(&y, "user.old"), "?");
	assert_string_equal(get(&others[0], "user.0"), "?");
	snprintf(name, sizeof(name), "user.%u", n - 1);
	assert_true(xattrs_get(&others[(n - 1) % ARRAY_SIZE(others)], SPAN_STR(name), &rc, &v));
}

static void record(struct wbuf *w, const char *name, const char *value)
{
	enc_mds_xattr(w, &(struct mds_xattr){SPAN_STR(name), SPAN_STR(value)});
}

static bool put_all(struct xattrs *of, struct wbuf *w)
{
	bool ok = xattrs_put_all(&pool, of, wbuf_span(w));

	wbuf_fini(w);
	return ok;
}

static void of_a_whole_no_other_names_are_there(void **state)
{
	struct wbuf w;
	struct span v;
	int rc;

	(void)state;
	put(&x, "user.old", "1");
	wbuf_init(&w, 1000);
	record(&w, "lustre.lov", "layout");
	record(&w, "user.a", "");
	assert_true(put_all(&x, &w));
	assert_string_equal(get(&x, "user.a"), "");
	assert_string_equal(get(&x, "lustre.lov"), "layout");
	assert_string_equal(get(&x, "trusted.lov"), "layout");
	assert_true(xattrs_get(&x, SPAN_NONE, &rc, &v));
	assert_int_equal(v.len, sizeof("lustre.lov") + sizeof("user.a"));
	assert_memory_equal(v.ptr, "lustre.lov\0user.a", v.len);
	assert_null(get(&x, "user.old"));
	assert_null(get(&x, "system.posix_acl_access"));
	assert_null(get(&x, "trusted.t"));
	assert_string_equal(get(&x, "system.other"), "?"); /* errors are for the MDS to tell */
	assert_string_equal(get(&x, "user."), "?");
	put(&x, "user.a", "2"); /* not all of one moment any more */
	assert_string_equal(get(&x, "user.old"), "?");
	wbuf_init(&w, 1000);
	assert_true(put_all(&x, &w)); /* none */
	assert_string_equal(get(&x, ""), "");
	assert_null(get(&x, "lustre.lov"));
	assert_null(get(&x, "trusted.lov"));
}

static void a_whole_of_which_a_part_is_lost_is_none(void **state)
{
	struct wbuf w;

	(void)state;
	wbuf_init(&w, 1000);
	record(&w, "user.a", "1");
	assert_true(put_all(&y, &w));
	assert_null(get(&y, "user.b"));
	fill(XATTRS_BYTES_MAX / XATTRS_VALUE_MAX);
	assert_string_equal(get(&y, "user.b"), "?");
}

static void wrong_records_are_refused(void **state)
{
	char name[MAX_XATTR_NAME + 2];
	struct wbuf w;
	uint32_t i;

	(void)state;
	wbuf_init(&w, 1000);
	record(&w, "user.a", "1");
	w.len--;
	assert_false(put_all(&x, &w));
	assert_string_equal(get(&x, "user.a"), "?");
	wbuf_init(&w, 1000);
	record(&w, "", "1");
	assert_false(put_all(&x, &w));
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = 0;
	wbuf_init(&w, 1000);
	record(&w, name, "1");
	assert_false(put_all(&x, &w));
	wbuf_init(&w, 1000);
	record(&w, "user.a", "1"); /* twice the same */
	record(&w, "user.a", "2");
	assert_false(put_all(&x, &w));
	wbuf_init(&w, 1 << 20);
	for (i = 0; i <= XATTRS_NAMES_MAX; i++) { /* more than are kept */
		snprintf(name, sizeof(name), "user.%u", i);
		record(&w, name, "");
	}
	assert_false(put_all(&x, &w));
	assert_int_equal(pool.bytes, 0);
}

static void one_inode_does_not_fill_the_pool_with_names(void **state)
{
	char name[32];
	uint32_t i;

	(void)state;
	put(&y, "user.old", "1");
	for (i = 0; i < 10 * XATTRS_NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "user.%u", i);
		put(&x, name, NULL);
		assert_null(get(&x, name));
		assert_true(x.n <= XATTRS_NAMES_MAX);
	}
	assert_string_equal(get(&y, "user.old"), "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(each_inode_has_its_own),
		TEST(large_values_are_not_kept),
		TEST(the_oldest_make_room),
		TEST(of_a_whole_no_other_names_are_there),
		TEST(a_whole_of_which_a_part_is_lost_is_none),
		TEST(wrong_records_are_refused),
		TEST(one_inode_does_not_fill_the_pool_with_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
