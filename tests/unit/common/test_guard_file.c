/* SPDX-License-Identifier: Apache-2.0 */
#include "common/guard_file.h"
#include "common/log.h"
#include "tests/unit/unit.h"
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static char dir[64], dir2[64], path[128], why[512];

static int setup(void **state)
{
	(void)state;
	tmp_make(dir);
	tmp_make(dir2);
	snprintf(path, sizeof(path), "%s/" GUARD_FILE, dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tmp_remove(dir);
	tmp_remove(dir2);
	return 0;
}

/* A block of another machine, as short a promise as there is. */
static struct guard_block other(uint8_t state)
{
	struct guard_block b = {.state = state,
				.owner = 42,
				.seq = 7,
				.term_ms = GUARD_TERM_MIN_MS,
				.pid = 4711,
				.host = "far",
				.boot = "b9"};

	return b;
}

static void write_other(uint8_t state)
{
	struct guard_block b = other(state);

	assert_int_equal(guard_file_write(dir, &b), 0);
}

static void what_was_made_here_is_taken_at_once_and_given_back(void **state)
{
	const char *dirs[] = {dir, dir2};
	struct guard_block b;
	struct guard *g;
	time_t begin = time(NULL);

	(void)state;
	assert_int_equal(guard_file_read(dir, &b), -ENODATA);
	assert_int_equal(guard_file_make(dir), 0);
	assert_int_equal(guard_file_make(dir2), 0);
	assert_int_equal(guard_file_make(dir), -EEXIST);
	assert_int_equal(guard_file_read(dir, &b), 0);
	assert_int_equal(b.state, GUARD_CLEAN);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(guard_take(dirs, 2, &g, why, sizeof(why)), 0);
		assert_int_equal(guard_file_read(dir, &b), 0);
		assert_int_equal(b.state, GUARD_HELD);
		assert_int_equal(b.pid, getpid());
		assert_int_equal(b.term_ms, GUARD_TERM_MS);
		guard_release(g);
		assert_int_equal(guard_file_read(dir2, &b), 0);
		assert_int_equal(b.state, GUARD_CLEAN);
	}
	/* Less than any wait for others would take. */
	assert_true(time(NULL) - begin < GUARD_CONFIRM_MS / 1000);
}

static void a_holder_writes_and_says_its_new_term(void **state)
{
	const char *dirs[] = {dir};
	struct guard_block a, b;
	struct guard *g;

	(void)state;
	assert_int_equal(guard_file_make(dir), 0);
	assert_int_equal(guard_take(dirs, 1, &g, why, sizeof(why)), 0);
	assert_int_equal(guard_file_read(dir, &a), 0);
	guard_set_term(g, 50000);
	assert_int_equal(guard_term(g), 50000);
	do
		assert_int_equal(guard_file_read(dir, &b), 0);
	while (b.seq < a.seq + 2);
	assert_int_equal(a.owner, b.owner);
	assert_int_equal(b.term_ms, 50000);
	guard_release(g);
}

static void a_machine_that_lives_is_named(void **state)
{
	const char *dirs[] = {dir};
	struct guard_block b = other(GUARD_HELD);
	struct guard *g;
	int rc, status;
	pid_t pid;

	(void)state;
	write_other(GUARD_HELD);
	pid = fork();
	if (pid == 0) { /* the far machine */
		for (;;) {
			struct timespec ts = {0, 50 * NSEC_PER_MSEC};

			b.seq++;
			if (guard_file_write(dir, &b))
				_exit(1);
			nanosleep(&ts, NULL);
		}
	}
	rc = guard_take(dirs, 1, &g, why, sizeof(why));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_int_equal(rc, -EBUSY);
	assert_non_null(
		strstr(why, "already served by another machine (host far, pid 4711, since"));
}

static void a_dead_machine_is_taken_over(void **state)
{
	const char *dirs[] = {dir};
	struct guard_block b;
	struct guard *g;
	time_t begin = time(NULL);

	(void)state;
	write_other(GUARD_HELD);
	assert_int_equal(guard_take(dirs, 1, &g, why, sizeof(why)), 0);
	assert_true(time(NULL) - begin >= (GUARD_TERM_MIN_MS + GUARD_CONFIRM_MS) / 1000);
	assert_int_equal(guard_file_read(dir, &b), 0);
	assert_int_equal(b.pid, getpid());
	guard_release(g);
}

/* A child that holds the guard; it says through the pipe that it does. */
static pid_t holder(uint32_t term_ms)
{
	const char *dirs[] = {dir};
	struct guard *g;
	int fd[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		if (guard_take(dirs, 1, &g, why, sizeof(why)))
			_exit(1);
		if (term_ms)
			guard_set_term(g, term_ms);
		if (write(fd[1], "+", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(fd[0], &c, 1), 1);
	close(fd[0]);
	close(fd[1]);
	return pid;
}

static bool lives(pid_t pid)
{
	siginfo_t info = {0};

	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	return info.si_pid == 0;
}

static int end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_holder_that_was_taken_over_stops(void **state)
{
	struct guard_block b;
	pid_t pid;

	(void)state;
	assert_int_equal(guard_file_make(dir), 0);
	pid = holder(0);
	/* Its own writing may be on its way and go over ours, as a late one would in truth. */
	do
		write_other(GUARD_HELD);
	while (lives(pid));
	assert_int_equal(end_of(pid), GUARD_EXIT);
	assert_int_equal(guard_file_read(dir, &b), 0);
	assert_int_equal(b.pid, 4711);
}

static void a_holder_whose_file_is_gone_stops(void **state)
{
	pid_t pid;

	(void)state;
	assert_int_equal(guard_file_make(dir), 0);
	pid = holder(0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(end_of(pid), GUARD_EXIT);
}

static void a_holder_that_cannot_write_keeps_its_promise(void **state)
{
	char aside[160];
	pid_t pid;

	(void)state;
	assert_int_equal(guard_file_make(dir), 0);
	pid = holder(GUARD_TERM_MIN_MS);
	/* A link to itself: neither to be read nor written. */
	snprintf(aside, sizeof(aside), "%s.link", path);
	assert_int_equal(symlink(path, aside), 0);
	assert_int_equal(rename(aside, path), 0);
	assert_int_equal(end_of(pid), GUARD_EXIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_made_here_is_taken_at_once_and_given_back,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_holder_writes_and_says_its_new_term, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_machine_that_lives_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dead_machine_is_taken_over, setup, teardown),
		cmocka_unit_test_setup_teardown(a_holder_that_was_taken_over_stops, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_holder_whose_file_is_gone_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(a_holder_that_cannot_write_keeps_its_promise, setup,
						teardown),
	};

	log_init("test", false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
