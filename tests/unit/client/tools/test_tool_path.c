/* SPDX-License-Identifier: Apache-2.0 */
/* test_tool_path.c - where programs are looked for. */
#include "client/tools/tool_path.h"
#include "tests/unit/unit.h"
#include <sys/stat.h>

static void the_own_directory_comes_first(void **state)
{
	char self[4096], out[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	(void)state;
	assert_true(n > 0);
	self[n] = '\0';
	slash = strrchr(self, '/');
	assert_int_equal(tool_program(slash + 1, out, sizeof(out)), 0);
	assert_string_equal(out, self);
}

static void then_path(void **state)
{
	char dir[64], file[128], out[4096];

	(void)state;
	tmp_make(dir);
	snprintf(file, sizeof(file), "%s/sheen-test-program", dir);
	fclose(fopen(file, "w"));
	setenv("PATH", dir, 1);
	assert_int_equal(tool_program("sheen-test-program", out, sizeof(out)), -ENOENT);
	assert_int_equal(chmod(file, 0755), 0);
	assert_int_equal(tool_program("sheen-test-program", out, sizeof(out)), 0);
	assert_string_equal(out, file);
	unsetenv("PATH");
	assert_int_equal(tool_program("sheen-test-program", out, sizeof(out)), -ENOENT);
	assert_int_equal(tool_program("sh", out, sizeof(out)), 0); /* the usual directories */
	tmp_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_own_directory_comes_first),
		cmocka_unit_test(then_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
