/* SPDX-License-Identifier: Apache-2.0 */
/* test_sheenctl_name.c - names of clusters, their orders, and what is refused. */
#include "client/tools/sheenctl_name.h"
#include "client/tools/tool_cmd.h"
#include "tests/lib/tmpdir.h"
#include "tests/unit/unit.h"
#include <unistd.h>

static char dir[TMPDIR_LEN], home[TMPDIR_LEN + 8], own[TMPDIR_LEN + 8];
static struct ctl_cluster c;

static int setup(void **state)
{
	(void)state;
	tmpdir_make(dir);
	snprintf(home, sizeof(home), "%s/names", dir);
	snprintf(own, sizeof(own), "%s/own", dir);
	setenv("SHEENCTL_HOME", home, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tmpdir_remove(dir);
	return 0;
}

static void names_are_plain_words(void **state)
{
	char longest[CTL_MAX_NAME + 2];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[CTL_MAX_NAME + 1] = 0;
	assert_int_equal(ctl_name_check(longest), CMD_HELP);
	longest[CTL_MAX_NAME] = 0;
	assert_int_equal(ctl_name_check(longest), 0);
	assert_int_equal(ctl_name_check("hpc-2_b"), 0);
	assert_int_equal(ctl_name_check("../etc"), CMD_HELP);
	assert_int_equal(ctl_name_check("."), CMD_HELP);
	assert_int_equal(ctl_name_check("-x"), CMD_HELP);
	assert_int_equal(ctl_name_check(""), CMD_HELP);
	assert_int_equal(ctl_name_check(NULL), CMD_HELP);
}

static void a_name_leads_to_its_directory(void **state)
{
	char path[TMPDIR_LEN + 16], **names;

	(void)state;
	assert_int_equal(ctl_name_list(&names), 0); /* no directory of names yet */
	assert_null(names[0]);
	ctl_name_list_free(names);
	assert_int_equal(ctl_name_find("b", &c), -ENOENT);
	assert_int_equal(ctl_name_add("b", own, &c), 0);
	assert_int_equal(ctl_name_add("b", own, &c), -EEXIST);
	assert_int_equal(ctl_name_add("a", NULL, &c), 0);
	assert_int_equal(ctl_name_find("b", &c), 0);
	assert_string_equal(c.dir, own);
	assert_int_equal(ctl_name_find("a", &c), 0);
	snprintf(path, sizeof(path), "%s/a", home);
	assert_string_equal(c.dir, path);
	assert_int_equal(ctl_name_list(&names), 0);
	assert_string_equal(names[0], "a");
	assert_string_equal(names[1], "b");
	assert_null(names[2]);
	ctl_name_list_free(names);
	assert_int_equal(ctl_name_del("b"), 0);
	assert_int_equal(ctl_name_del("b"), 0);
	assert_int_equal(ctl_name_find("b", &c), -ENOENT);
	assert_int_equal(ctl_name_del("a"), 0); /* its directory is its data's */
	assert_int_equal(rmdir(path), 0);
}

static void write_text(const char *text)
{
	char path[TMPDIR_LEN + 16];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cluster.json", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void an_order_is_kept(void **state)
{
	struct ctl_order o = {.tib = 48, .sku = ctl_sku_find("Durable-Premium-250")}, back;

	(void)state;
	assert_int_equal(ctl_order_read(dir, &back), -ENOENT);
	strcpy(o.name, "hpc");
	assert_int_equal(ctl_order_state(dir, &o, "Creating"), 0);
	assert_int_equal(ctl_order_failed(dir, &o, "starting", -EADDRINUSE), -EADDRINUSE);
	assert_int_equal(ctl_order_read(dir, &back), 0);
	assert_string_equal(back.name, "hpc");
	assert_string_equal(back.state, "Failed");
	assert_string_equal(back.reason, "starting: Address already in use");
	assert_int_equal(back.tib, 48);
	assert_ptr_equal(back.sku, o.sku);
	assert_int_equal(ctl_order_state(dir, &o, "Succeeded"), 0);
	assert_int_equal(ctl_order_read(dir, &back), 0);
	assert_string_equal(back.reason, "");
}

static void a_damaged_order_is_refused(void **state)
{
	struct ctl_order o;

	(void)state;
	write_text("");
	assert_int_equal(ctl_order_read(dir, &o), -EINVAL);
	write_text("[1]");
	assert_int_equal(ctl_order_read(dir, &o), -EINVAL);
	write_text("{\"name\": \"x\", \"provisioningState\": \"Failed\", \"sku\": \"none\","
		   " \"storageCapacityTiB\": -1}");
	assert_int_equal(ctl_order_read(dir, &o), -EINVAL);
	write_text("{\"name\": \"x\", \"provisioningState\": \"Failed\", \"sku\": \"gold\","
		   " \"storageCapacityTiB\": 4}");
	assert_int_equal(ctl_order_read(dir, &o), -EINVAL);
	write_text("{\"name\": \"x\", \"provisioningState\": \"Failed\", \"sku\": \"none\","
		   " \"storageCapacityTiB\": 4}");
	assert_int_equal(ctl_order_read(dir, &o), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(names_are_plain_words),
		T(a_name_leads_to_its_directory),
		T(an_order_is_kept),
		T(a_damaged_order_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
