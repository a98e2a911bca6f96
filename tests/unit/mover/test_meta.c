/* SPDX-License-Identifier: Apache-2.0 */
/* test_meta.c - attributes as metadata, in the words that Azure's import understands. */
#include "mover/meta.h"
#include "tests/unit/unit.h"
#include <sys/stat.h>

static void is(const struct pairs *p, const char *name, const char *value)
{
	const char *have = pairs_get(p, name);

	if (!value) {
		assert_null(have);
		return;
	}
	assert_non_null(have);
	assert_string_equal(have, value);
}

static void a_files_attributes_are_told(void **state)
{
	struct attr a = {.mode = S_IFREG | 04640, .uid = 1000, .gid = 4294967294U,
			 .mtime = 1580702706789000001};
	struct pairs p = PAIRS_INIT;

	(void)state;
	assert_int_equal(meta_of_attr(&a, 0xabc, &p), 0);
	is(&p, "owner", "1000");
	is(&p, "group", "4294967294");
	is(&p, "permissions", "4640");
	is(&p, "modtime", "2020-02-03 04:05:06 +0000");
	is(&p, "mtime", "1580702706.789000001");
	is(&p, "hdi_isfolder", NULL);
	is(&p, "is_symlink", NULL);
	is(&p, "sheen_work", "0000000000000abc");
	assert_true(meta_cookie(&p) == 0xabc);
	pairs_fini(&p);
}

static void times_before_1970_are_right(void **state)
{
	struct attr a = {.mode = S_IFDIR | 0755, .mtime = -500000000};
	struct pairs p = PAIRS_INIT;

	(void)state;
	assert_int_equal(meta_of_attr(&a, 0, &p), 0);
	is(&p, "modtime", "1969-12-31 23:59:59 +0000");
	is(&p, "mtime", "-1.500000000");
	is(&p, "hdi_isfolder", "true");
	is(&p, "sheen_work", NULL);
	pairs_fini(&p);
}

static void strange_cookies_are_none(void **state)
{
	struct pairs p = PAIRS_INIT;

	(void)state;
	assert_true(meta_cookie(&p) == 0);
	assert_int_equal(pairs_add(&p, "sheen_work", "abc"), 0);
	assert_true(meta_cookie(&p) == 0);
	pairs_fini(&p);
	assert_int_equal(pairs_add(&p, "sheen_work", "000000000000zzzz"), 0);
	assert_true(meta_cookie(&p) == 0);
	pairs_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_files_attributes_are_told),
		cmocka_unit_test(times_before_1970_are_right),
		cmocka_unit_test(strange_cookies_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
