/* SPDX-License-Identifier: Apache-2.0 */
/* test_mkfs_format.c - mkfs.sheen's work: what it prints, what it refuses, what it deletes. */
#include "client/tools/mkfs.h"
#include "tests/unit/unit.h"
#include <sys/stat.h>

static struct mkfs ost(const char *dir)
{
	struct mkfs m = {.dir = dir, .quiet = true, .has_index = true, .types = 1U << TARGET_OST};

	m.label.type = TARGET_OST;
	strcpy(m.label.fsname, "testfs");
	strcpy(m.label.mgsnode, "10.0.0.1@tcp");
	return m;
}

static void the_block_is_that_of_lustre(void **state)
{
	struct mkfs m = ost("/x");
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	strcpy(m.label.params, "a.b=1\nc.d=2");
	mkfs_print(f, &m);
	fclose(f);
	assert_string_equal(text, "\n   Permanent disk data:\n"
				  "Target:     testfs:OST0000\n"
				  "Index:      0\n"
				  "Lustre FS:  testfs\n"
				  "Mount type: sheen\n"
				  "Flags:      0x62\n"
				  "              (OST first_time update )\n"
				  "Persistent mount opts: \n"
				  "Parameters: mgsnode=10.0.0.1@tcp a.b=1 c.d=2\n"
				  "\n");
	free(text);
}

static void a_target_is_made_once_and_again_with_reformat(void **state)
{
	char dir[64], path[96], file[128], why[256];
	struct target_label l;
	struct mkfs m;

	(void)state;
	tmp_make(dir);
	snprintf(path, sizeof(path), "%s/a/b/ost", dir);
	snprintf(file, sizeof(file), "%s/objects", path);
	m = ost(path);
	assert_int_equal(mkfs_format(&m), 0);
	assert_int_equal(target_label_read(path, &l, why, sizeof(why)), 0);
	assert_int_equal(l.index, 0);
	assert_int_equal(mkdir(file, 0700), 0);
	m = ost(path);
	m.label.index = 7;
	assert_int_equal(mkfs_format(&m), -EEXIST);
	assert_int_equal(access(file, F_OK), 0);
	m.reformat = true;
	assert_int_equal(mkfs_format(&m), 0);
	assert_int_equal(access(file, F_OK), -1);
	assert_int_equal(target_label_read(path, &l, why, sizeof(why)), 0);
	assert_int_equal(l.index, 7);
	tmp_remove(dir);
}

static void a_directory_with_other_files_is_never_touched(void **state)
{
	char dir[64], file[128];
	struct mkfs m;

	(void)state;
	tmp_make(dir);
	snprintf(file, sizeof(file), "%s/precious", dir);
	fclose(fopen(file, "w"));
	m = ost(dir);
	assert_int_equal(mkfs_format(&m), -ENOTEMPTY);
	m.reformat = true;
	assert_int_equal(mkfs_format(&m), -ENOTEMPTY);
	assert_int_equal(access(file, F_OK), 0);
	tmp_remove(dir);
}

static void a_target_in_use_is_not_reformatted(void **state)
{
	char dir[64], why[256];
	struct mkfs m;
	int fd;

	(void)state;
	tmp_make(dir);
	m = ost(dir);
	assert_int_equal(mkfs_format(&m), 0);
	assert_int_equal(target_lock(dir, &fd, why, sizeof(why)), 0);
	m.reformat = true;
	assert_int_equal(mkfs_format(&m), -EBUSY);
	close(fd);
	assert_int_equal(mkfs_format(&m), 0);
	tmp_remove(dir);
}

static void a_dry_run_makes_nothing(void **state)
{
	char dir[64], path[128];
	struct mkfs m;

	(void)state;
	tmp_make(dir);
	snprintf(path, sizeof(path), "%s/new", dir);
	m = ost(path);
	m.dryrun = true;
	assert_int_equal(mkfs_format(&m), 0);
	assert_int_equal(access(path, F_OK), -1);
	tmp_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_block_is_that_of_lustre),
		cmocka_unit_test(a_target_is_made_once_and_again_with_reformat),
		cmocka_unit_test(a_directory_with_other_files_is_never_touched),
		cmocka_unit_test(a_target_in_use_is_not_reformatted),
		cmocka_unit_test(a_dry_run_makes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
