/* SPDX-License-Identifier: Apache-2.0 */
/* test_xattrs.c - what is remembered of extended attributes, and how much. */
#include "client/core/xattrs.h"
#include "tests/unit/unit.h"
#include <string.h>

static struct xattr_pool pool;
static struct xattrs x, y;

static int setup(void **state)
{
	(void)state;
	xattrs_init(&pool);
	x = y = (struct xattrs){0};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	xattrs_drop(&pool, &x);
	xattrs_drop(&pool, &y);
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

static void the_oldest_make_room(void **state)
{
	static uint8_t mem[XATTRS_VALUE_MAX];
	char name[32];
	struct span v;
	uint32_t i, n = 2 * XATTRS_BYTES_MAX / XATTRS_VALUE_MAX;
	int rc;

	(void)state;
	put(&y, "user.old", "1");
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "user.%u", i);
		xattrs_put(&pool, &x, SPAN_STR(name), 0, (struct span){mem, sizeof(mem)});
		assert_true(pool.bytes <= XATTRS_BYTES_MAX);
	}
	assert_true(pool.bytes > XATTRS_BYTES_MAX - 2 * XATTRS_VALUE_MAX);
	assert_string_equal(get(&y, "user.old"), "?");
	assert_string_equal(get(&x, "user.0"), "?");
	assert_true(xattrs_get(&x, SPAN_STR(name), &rc, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(each_inode_has_its_own),
		TEST(large_values_are_not_kept),
		TEST(the_oldest_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
