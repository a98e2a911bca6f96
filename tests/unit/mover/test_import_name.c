/* SPDX-License-Identifier: Apache-2.0 */
/* test_import_name.c - which names of a container can be paths. */
#include "mover/import_name.h"
#include "tests/unit/unit.h"

static int look(const char *name, size_t len, struct import_path *p)
{
	const char *why = NULL;
	char *exact = malloc(len ? len : 1);
	int rc;

	assert_non_null(exact);
	memcpy(exact, name, len);
	rc = import_name(exact, len, p, &why);
	assert_true(!rc == !why);
	if (rc == 0)
		assert_ptr_equal(p->path, exact);
	free(exact);
	return rc;
}
#define LOOK(text) look(text, sizeof(text) - 1, &p)

static void what_can_be_a_path_is(void **state)
{
	struct import_path p;

	(void)state;
	assert_int_equal(LOOK("a"), 0);
	assert_true(p.len == 1 && !p.dir);
	assert_int_equal(LOOK("a/b c/\xff\n\x01"), 0);
	assert_true(p.len == 9 && !p.dir);
	assert_int_equal(LOOK("a/b/"), 0);
	assert_true(p.len == 3 && p.dir);
	assert_int_equal(LOOK(""), 0);
	assert_int_equal(p.len, 0);
	assert_int_equal(LOOK(".../..a/b../.b"), 0);
}

static void what_cannot_is_refused(void **state)
{
	struct import_path p;
	char big[2048];

	(void)state;
	assert_int_equal(LOOK("/"), -EINVAL);
	assert_int_equal(LOOK("//"), -EINVAL);
	assert_int_equal(LOOK("/a"), -EINVAL);
	assert_int_equal(LOOK("a//b"), -EINVAL);
	assert_int_equal(LOOK("a//"), -EINVAL);
	assert_int_equal(LOOK("."), -EINVAL);
	assert_int_equal(LOOK("./a"), -EINVAL);
	assert_int_equal(LOOK("a/.."), -EINVAL);
	assert_int_equal(LOOK("a/../b"), -EINVAL);
	assert_int_equal(LOOK("a/./"), -EINVAL);
	assert_int_equal(LOOK("a\0b"), -EINVAL);
	memset(big, 'x', sizeof(big));
	assert_int_equal(look(big, 255, &p), 0);
	assert_int_equal(look(big, 256, &p), -ENAMETOOLONG);
	big[255] = '/';
	assert_int_equal(look(big, 511, &p), 0);
	assert_int_equal(look(big, 512, &p), -ENAMETOOLONG);
	for (size_t i = 1; i < sizeof(big); i += 2)
		big[i] = '/';
	assert_int_equal(look(big, 1023, &p), 0);
	assert_int_equal(look(big, 1024, &p), 0);
	assert_int_equal(look(big, 1025, &p), -ENAMETOOLONG);
}

static void parents_are_found(void **state)
{
	(void)state;
	assert_int_equal(import_parent("a", 1), 0);
	assert_int_equal(import_parent("a/b", 3), 1);
	assert_int_equal(import_parent("a/b/cc", 6), 3);
	assert_int_equal(import_parent("", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_can_be_a_path_is),
		cmocka_unit_test(what_cannot_is_refused),
		cmocka_unit_test(parents_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
