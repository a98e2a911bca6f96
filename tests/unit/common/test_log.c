/* SPDX-License-Identifier: Apache-2.0 */
/* test_log.c - what arrives on stderr; it is a pipe while a test runs. */
#include "common/log.h"
#include "tests/unit/unit.h"
#include <fcntl.h>
#include <sys/wait.h>

static int saved_stderr, pipe_fd[2];
static char text[65536];

static void catch_begin(void)
{
	fflush(stderr);
	assert_int_equal(pipe(pipe_fd), 0);
	fcntl(pipe_fd[1], F_SETPIPE_SZ, 1 << 20);
	saved_stderr = dup(STDERR_FILENO);
	dup2(pipe_fd[1], STDERR_FILENO);
	close(pipe_fd[1]);
}

static const char *catch_end(void)
{
	size_t at = 0;
	ssize_t n;

	fflush(stderr);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	while ((n = read(pipe_fd[0], text + at, sizeof(text) - 1 - at)) > 0)
		at += (size_t)n;
	text[at] = 0;
	close(pipe_fd[0]);
	return text;
}

static void a_line_has_time_name_pid_and_level(void **state)
{
	int y, mo, d, h, mi, s, ms, pid;
	char name[32], level[16], rest[64];

	(void)state;
	log_init("unit", false);
	catch_begin();
	log_warn("disk %d is %s", 7, "slow");
	catch_end();
	assert_int_equal(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %31[^[][%d] %15s %63[^\n]", &y,
				&mo, &d, &h, &mi, &s, &ms, name, &pid, level, rest), 11);
	assert_string_equal(name, "unit");
	assert_int_equal(pid, getpid());
	assert_string_equal(level, "WARN");
	assert_string_equal(rest, "disk 7 is slow");
	assert_int_equal(text[strlen(text) - 1], '\n');
}

static void lines_above_the_level_are_not_printed(void **state)
{
	(void)state;
	log_set_level(LOG_LVL_WARN);
	catch_begin();
	log_info("no");
	log_dbg("no");
	log_err("yes");
	catch_end();
	log_set_level(LOG_LVL_INFO);
	assert_null(strstr(text, "no"));
	assert_non_null(strstr(text, "ERROR yes"));
}

static void one_event_is_one_line_whatever_it_holds(void **state)
{
	char longer[5000];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	catch_begin();
	log_info("a\nb\x1b[31mc\td");
	log_info("%s", longer);
	catch_end();
	assert_non_null(strstr(text, "INFO a?b?[31mc d\n"));
	assert_ptr_equal(strchr(strchr(text, '\n') + 1, '\n'), text + strlen(text) - 1);
}

static void errno_survives_logging(void **state)
{
	(void)state;
	catch_begin();
	errno = EXDEV;
	log_info("%m");
	assert_int_equal(errno, EXDEV);
	catch_end();
	assert_non_null(strstr(text, "Invalid cross-device link"));
}

static void the_ring_keeps_recent_lines_of_all_levels(void **state)
{
	char want[32];

	(void)state;
	log_set_level(LOG_LVL_ERROR);
	for (int i = 0; i < 300; i++)
		log_info("event %d.", i);
	log_set_level(LOG_LVL_INFO);
	catch_begin();
	log_dump_ring();
	catch_end();
	assert_null(strstr(text, "event 43."));
	for (int i = 44; i < 300; i++) {
		snprintf(want, sizeof(want), "event %d.\n", i);
		assert_non_null(strstr(text, want));
	}
}

static void levels_have_names(void **state)
{
	enum log_level lvl;

	(void)state;
	assert_int_equal(log_level_parse("debug", &lvl), 0);
	assert_int_equal(lvl, LOG_LVL_DEBUG);
	assert_int_equal(log_level_parse("Error", &lvl), 0);
	assert_int_equal(lvl, LOG_LVL_ERROR);
	assert_int_equal(log_level_parse("", &lvl), -EINVAL);
	assert_int_equal(log_level_parse("loud", &lvl), -EINVAL);
}

static void errors_have_words_with_either_sign(void **state)
{
	(void)state;
	assert_string_equal(err_str(-ENOENT), "No such file or directory");
	assert_string_equal(err_str(ENOENT), "No such file or directory");
}

static void die_prints_and_exits_with_one(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	log_init("unit", false);
	catch_begin();
	pid = fork();
	if (pid == 0)
		die("cannot %s", "go on");
	waitpid(pid, &status, 0);
	catch_end();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_non_null(strstr(text, "unit: cannot go on\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_time_name_pid_and_level),
		cmocka_unit_test(lines_above_the_level_are_not_printed),
		cmocka_unit_test(one_event_is_one_line_whatever_it_holds),
		cmocka_unit_test(errno_survives_logging),
		cmocka_unit_test(the_ring_keeps_recent_lines_of_all_levels),
		cmocka_unit_test(levels_have_names),
		cmocka_unit_test(errors_have_words_with_either_sign),
		cmocka_unit_test(die_prints_and_exits_with_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
