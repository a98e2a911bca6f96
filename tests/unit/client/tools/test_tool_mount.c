/* SPDX-License-Identifier: Apache-2.0 */
/* test_tool_mount.c - the mount table and the tables that clients give to tools. */
#include "client/tools/tool_mount.h"
#include "tests/unit/unit.h"

static void only_our_mounts_are_listed_and_decoded(void **state)
{
	static const char text[] =
		"proc /proc proc rw 0 0\n"
		"127.0.0.1@tcp:23700:/fs /mnt/a fuse.sheen rw,relatime 0 0\n"
		"sshfs /mnt/b fuse.sshfs rw 0 0\n"
		"10.0.0.1@tcp:/fs/sub /mnt/with\\040blank\\134and\\011tab sheen rw 0 0\n"
		"broken\n";
	FILE *f = fmemopen((void *)(uintptr_t)text, sizeof(text) - 1, "r");
	struct tool_mounts ms;

	(void)state;
	assert_int_equal(tool_mounts_parse(f, &ms), 0);
	fclose(f);
	assert_int_equal(ms.n, 2);
	assert_string_equal(ms.m[0].source, "127.0.0.1@tcp:23700:/fs");
	assert_string_equal(ms.m[0].dir, "/mnt/a");
	assert_string_equal(ms.m[1].dir, "/mnt/with blank\\and\ttab");
	tool_mounts_free(&ms);
}

static void targets_are_read_and_new_columns_ignored(void **state)
{
	char text[] = "MDT\t0\tfs-MDT0000\tFULL\t1\t1.1.1.1@tcp:989\tu-0\tfs-MDT0000-mdc-ffff1\t0\n"
		      "OST\t10\tfs-OST000a\tDISCONN\t0\t\tu-1\t\t-111\tnew\n"
		      "garbage\n";
	struct tool_target *t;

	(void)state;
	assert_int_equal(tool_targets_parse(text, &t), 2);
	assert_true(t[0].mdt && t[0].active);
	assert_string_equal(t[0].state, "FULL");
	assert_string_equal(t[0].nid, "1.1.1.1@tcp:989");
	assert_string_equal(t[0].import, "fs-MDT0000-mdc-ffff1");
	assert_false(t[1].mdt || t[1].active);
	assert_int_equal(t[1].index, 10);
	assert_string_equal(t[1].import, "fs-OST000a");
	assert_int_equal(t[1].error, 111);
	free(t);
}

static void space_is_read(void **state)
{
	char text[] = "MDT\t0\tfs-MDT0000\t0\t1000\t900\t800\t50\t40\t0\n"
		      "OST\t1\tfs-OST0001\t9\t2000\t1900\t1800\t60\t50\t11\n"
		      "OST\t2\tshort\t0\n";
	struct tool_space *s;

	(void)state;
	assert_int_equal(tool_space_parse(text, &s), 2);
	assert_true(s[0].mdt);
	assert_int_equal(s[0].total, 1000);
	assert_int_equal(s[0].ffree, 40);
	assert_int_equal(s[1].index, 1);
	assert_int_equal(s[1].state, 9);
	assert_int_equal(s[1].avail, 1800);
	assert_int_equal(s[1].error, 11);
	free(s);
}

static void a_local_directory_is_not_ours(void **state)
{
	char *dir;

	(void)state;
	assert_false(tool_on_sheen("/"));
	assert_int_equal(tool_mount_of("/", &dir), -ENOTTY);
	assert_int_equal(tool_mount_of("/no/such/path", &dir), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_our_mounts_are_listed_and_decoded),
		cmocka_unit_test(targets_are_read_and_new_columns_ignored),
		cmocka_unit_test(space_is_read),
		cmocka_unit_test(a_local_directory_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
