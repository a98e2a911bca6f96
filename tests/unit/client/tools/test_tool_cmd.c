/* SPDX-License-Identifier: Apache-2.0 */
/* test_tool_cmd.c - dispatch: exit statuses, where usage goes, words of a line. */
#include "client/tools/tool_cmd.h"
#include "tests/unit/unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int seen_argc;

static int cmd_ok(int argc, char **argv)
{
	(void)argv;
	seen_argc = argc;
	return 0;
}

static int cmd_noent(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return -ENOENT;
}

static int cmd_usage(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return CMD_HELP;
}

static const struct tool_cmd cmds[] = {
	{"ok", cmd_ok, "does nothing", "usage: ok\n"},
	{"noent", cmd_noent, "finds nothing", "usage: noent\n"},
	{"wrong", cmd_usage, "is used wrongly", "usage: wrong [-x]\n"},
	{NULL, NULL, NULL, NULL},
};

/* Runs with stdout and stderr in files; the texts are malloc'd. */
static int run(char **out, char **err, const char *a, const char *b)
{
	char *argv[] = {strdup("prog"), a ? strdup(a) : NULL, b ? strdup(b) : NULL, NULL};
	FILE *fo = tmpfile(), *fe = tmpfile();
	int so, se, rc, i;
	char text[4096];

	fflush(stdout);
	so = dup(STDOUT_FILENO);
	se = dup(STDERR_FILENO);
	dup2(fileno(fo), STDOUT_FILENO);
	dup2(fileno(fe), STDERR_FILENO);
	rc = tool_cmd_main("prog", cmds, b ? 3 : 2, argv);
	fflush(stdout);
	dup2(so, STDOUT_FILENO);
	dup2(se, STDERR_FILENO);
	close(so);
	close(se);
	memset(text, 0, sizeof(text));
	assert_true(pread(fileno(fo), text, sizeof(text) - 1, 0) >= 0);
	*out = strdup(text);
	memset(text, 0, sizeof(text));
	assert_true(pread(fileno(fe), text, sizeof(text) - 1, 0) >= 0);
	*err = strdup(text);
	fclose(fo);
	fclose(fe);
	for (i = 0; i < 3; i++)
		free(argv[i]);
	return rc;
}

static void check_run(const char *a, const char *b, int rc, const char *out, const char *err)
{
	char *o, *e;

	assert_int_equal(run(&o, &e, a, b), rc);
	if (out)
		assert_string_equal(o, out);
	if (err)
		assert_string_equal(e, err);
	free(o);
	free(e);
}

static void exit_status_is_the_errno(void **state)
{
	(void)state;
	check_run("ok", "arg", 0, "", "");
	assert_int_equal(seen_argc, 2);
	check_run("noent", NULL, ENOENT, "", "");
}

static void wrong_usage_prints_it_on_stdout_with_status_4(void **state)
{
	(void)state;
	check_run("wrong", NULL, 4, "usage: wrong [-x]\n", "");
}

static void unknown_command_is_status_1_on_stderr(void **state)
{
	(void)state;
	check_run("xxx", NULL, 1, "",
		  "prog: 'xxx' is not a valid command. See 'prog --list-commands'.\n");
}

static void help_is_no_error(void **state)
{
	(void)state;
	check_run("wrong", "--help", 0, "wrong: is used wrongly\nusage: wrong [-x]\n", "");
	check_run("help", "wrong", 0, "wrong: is used wrongly\nusage: wrong [-x]\n", "");
	check_run("help", "xxx", 1, "", NULL);
	check_run("--version", NULL, 0, "prog 0.1.0\n", "");
	check_run("--list-commands", NULL, 0, "ok              noent           wrong           \n",
		  "");
}

static void a_line_is_split_as_a_shell_does(void **state)
{
	char line[] = "  setstripe -c 4\t'a b' \"c\\\"d\" e\\ f ''\n";
	char open_quote[] = "a 'b";
	char many[] = "1 2 3 4";
	char *w[8];

	(void)state;
	assert_int_equal(tool_cmd_split(line, w, 8), 7);
	assert_string_equal(w[0], "setstripe");
	assert_string_equal(w[2], "4");
	assert_string_equal(w[3], "a b");
	assert_string_equal(w[4], "c\"d");
	assert_string_equal(w[5], "e f");
	assert_string_equal(w[6], "");
	assert_int_equal(tool_cmd_split(open_quote, w, 8), -EINVAL);
	assert_int_equal(tool_cmd_split(many, w, 3), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_status_is_the_errno),
		cmocka_unit_test(wrong_usage_prints_it_on_stdout_with_status_4),
		cmocka_unit_test(unknown_command_is_status_1_on_stderr),
		cmocka_unit_test(help_is_no_error),
		cmocka_unit_test(a_line_is_split_as_a_shell_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
