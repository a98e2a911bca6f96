/* SPDX-License-Identifier: Apache-2.0 */
/* test_daemon.c - each test lets a child be the daemon and looks at it from outside. */
#include "common/daemon.h"
#include "common/log.h"
#include "tests/unit/unit.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static char dir[64], path[128];
static char said[4096]; /* by the child, on stdout and stderr */

static int setup(void **state)
{
	(void)state;
	tmp_make(dir);
	snprintf(path, sizeof(path), "%s/file", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tmp_remove(dir);
	return 0;
}

typedef void child_fn(void *arg);

/* Runs fn in a child and gives its exit status. What it says is in said. */
static int in_child(child_fn *fn, void *arg)
{
	int out[2], status;
	size_t at = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		close(out[0]);
		close(out[1]);
		fn(arg);
		fflush(stdout);
		_exit(99);
	}
	close(out[1]);
	while ((n = read(out[0], said + at, sizeof(said) - 1 - at)) > 0)
		at += (size_t)n;
	said[at] = 0;
	close(out[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* ---- options ---- */

static void parse(struct daemon_opts *o, const char *line)
{
	static char copy[512];
	static char *argv[32];
	char *save = NULL, *word;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	argv[argc] = NULL;
	*o = (struct daemon_opts){.prog = "sheen-x", .usage = "usage: sheen-x DIR\n"};
	daemon_options(o, argc, argv);
}

static void parse_child(void *arg)
{
	struct daemon_opts o;

	parse(&o, arg);
}

static void all_options_are_taken(void **state)
{
	struct daemon_opts o;

	(void)state;
	parse(&o, "x -f -d debug --syslog --pid-file /p --listen 1.1.1.1@tcp:5 --set a.b=c --set "
		  "x=y=z d1 d2");
	assert_true(o.foreground && o.syslog);
	assert_int_equal(o.debug, LOG_LVL_DEBUG);
	assert_string_equal(o.pid_file, "/p");
	assert_string_equal(o.listen, "1.1.1.1@tcp:5");
	assert_int_equal(o.nset, 2);
	assert_string_equal(o.set[1], "x=y=z");
	assert_int_equal(o.argc, 2);
	assert_string_equal(o.argv[1], "d2");
	parse(&o, "x dir");
	assert_false(o.foreground || o.syslog);
	assert_int_equal(o.debug, LOG_LVL_INFO);
	log_init("unit", false);
}

static void bad_options_end_with_one_and_say_why(void **state)
{
	static const struct {
		const char *line, *says;
	} bad[] = {
		{"x --nonsense", "nonsense"},
		{"x -d loud", "\"loud\" is not error, warn, info or debug"},
		{"x --set novalue", "\"novalue\" is not NAME=VALUE"},
		{"x --set =v", "not NAME=VALUE"},
		{"x --listen here", "no network"},
		{"x --pid-file", "requires an argument"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(in_child(parse_child, (void *)(uintptr_t)bad[i].line), 1);
		if (!strstr(said, bad[i].says) || !strstr(said, "--help"))
			fail_msg("\"%s\" gives \"%s\"", bad[i].line, said);
	}
}

static void help_and_version_end_with_zero(void **state)
{
	(void)state;
	assert_int_equal(in_child(parse_child, (void *)(uintptr_t) "x --help"), 0);
	assert_non_null(strstr(said, "usage: sheen-x DIR"));
	assert_non_null(strstr(said, "--pid-file FILE"));
	assert_int_equal(in_child(parse_child, (void *)(uintptr_t) "x -V"), 0);
	assert_string_equal(said, "sheen-x " SHEEN_VERSION "\n");
}

/* ---- background ---- */

struct background {
	bool fails;
	int go; /* the daemon ends when this pipe does */
	int done;
};

static void background_child(void *arg)
{
	struct background *b = arg;
	struct daemon_opts o = {.prog = "sheen-x", .pid_file = path};
	char byte;

	daemon_fork(&o);
	if (b->fails)
		daemon_fail(&o, "no room for %d", 7);
	daemon_ready(&o);
	while (read(b->go, &byte, 1) > 0)
		;
	daemon_exit(&o);
	close(b->done);
	_exit(0);
}

static void the_starter_leaves_when_the_daemon_serves(void **state)
{
	int go[2], done[2], pid = 0, status;
	struct background b;
	pid_t child;
	char byte;
	FILE *f;

	(void)state;
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(done), 0);
	b = (struct background){.go = go[0], .done = done[1]};
	child = fork();
	if (child == 0) {
		close(go[1]);
		close(done[0]);
		background_child(&b);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	close(done[1]);
	close(go[0]);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &pid), 1);
	fclose(f);
	assert_int_equal(kill(pid, 0), 0);
	assert_int_not_equal(getsid(pid), getsid(0));
	close(go[1]);
	assert_int_equal(read(done[0], &byte, 1), 0);
	close(done[0]);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_daemon_that_cannot_start_says_so_through_the_starter(void **state)
{
	struct background b = {.fails = true};

	(void)state;
	assert_int_equal(in_child(background_child, &b), 1);
	assert_string_equal(said, "sheen-x: no room for 7\n");
	assert_int_equal(access(path, F_OK), -1);
}

static void crash_child(void *arg)
{
	struct daemon_opts o = {.prog = "sheen-x", .foreground = true};

	daemon_fork(&o);
	(void)arg;
	log_set_level(LOG_LVL_ERROR);
	log_info("the last thing that happened"); /* not printed, but remembered */
	abort();
}

static void a_crash_leaves_the_last_lines(void **state)
{
	(void)state;
	assert_int_equal(in_child(crash_child, NULL), -SIGABRT);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_non_null(strstr(said, "the last thing that happened"));
#endif
}

/* ---- readiness ---- */

static void ready_child(void *arg)
{
	struct daemon_opts o = {.prog = "sheen-x", .foreground = true};

	setenv("NOTIFY_SOCKET", arg, 1);
	daemon_ready(&o);
	_exit(0);
}

static void the_service_manager_hears_that_the_daemon_is_ready(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char got[200] = "";

	(void)state;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/sock", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(in_child(ready_child, at.sun_path), 0);
	assert_true(recv(fd, got, sizeof(got) - 1, 0) > 0);
	assert_int_equal(strncmp(got, "READY=1\nMAINPID=", 16), 0);
	close(fd);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	memset(at.sun_path, 0, sizeof(at.sun_path));
	snprintf(got, sizeof(got), "@%.50s/abstract", dir + 1);
	memcpy(at.sun_path, got, strlen(got));
	at.sun_path[0] = 0;
	assert_int_equal(bind(fd, (struct sockaddr *)&at,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(got))),
			 0);
	assert_int_equal(in_child(ready_child, got), 0);
	assert_true(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT) > 0);
	close(fd);
	assert_int_equal(in_child(ready_child, (void *)(uintptr_t) "nonsense"), 0);
}

/* ---- signals ---- */

struct signalled {
	struct loop *l;
	int reloads, stops;
};

static void on_reload(void *arg)
{
	struct signalled *s = arg;

	s->reloads++;
	raise(SIGTERM);
}

static void on_stop(void *arg)
{
	struct signalled *s = arg;

	s->stops++;
	loop_stop(s->l);
}

static void signal_child(void *arg)
{
	struct signalled s = {0};

	if (loop_create(&s.l) || daemon_signals(s.l, on_stop, arg ? NULL : on_reload, &s))
		_exit(50);
	raise(arg ? SIGINT : SIGHUP);
	loop_run(s.l);
	_exit(s.stops == 1 && s.reloads == (arg ? 0 : 1) ? 0 : 51);
}

static void signals_reload_and_stop(void **state)
{
	int with = 1;

	(void)state;
	assert_int_equal(in_child(signal_child, NULL), 0);
	assert_int_equal(in_child(signal_child, &with), 0);
}

static void slow_stop(void *arg)
{
	(void)arg;
	raise(SIGTERM); /* the second one, while stopping takes long */
}

static void impatient_child(void *arg)
{
	struct loop *l;

	if (loop_create(&l) || daemon_signals(l, slow_stop, NULL, arg))
		_exit(50);
	raise(SIGTERM);
	loop_run(l);
	_exit(52);
}

static void a_second_signal_ends_at_once(void **state)
{
	(void)state;
	assert_int_equal(in_child(impatient_child, NULL), 1);
}

/* ---- announcements ---- */

static void announcements_come_and_go(void **state)
{
	char name[40], file[80], second[80], got[100] = "", why[64];
	struct daemon_opts o = {.prog = "sheen-x"};
	struct nid at;
	FILE *f;

	(void)state;
	if (geteuid())
		skip();
	snprintf(name, sizeof(name), "unit-%d", (int)getpid());
	snprintf(file, sizeof(file), "/run/sheen/%s.nid", name);
	assert_int_equal(nid_parse("0.0.0.0@tcp:1234", 1, &at, why, sizeof(why)), 0);
	daemon_announce(&o, name, &at);
	f = fopen(file, "r");
	assert_non_null(f);
	assert_non_null(fgets(got, sizeof(got), f));
	fclose(f);
	assert_string_equal(got, "127.0.0.1@tcp:1234\n");
	daemon_exit(&o);
	assert_int_equal(access(file, F_OK), -1);
	/* A live server of another cluster has the name; a crashed one had it. */
	f = fopen(file, "w");
	fprintf(f, "127.0.0.1@tcp:9\n%d\n", (int)getppid());
	fclose(f);
	daemon_announce(&o, name, &at);
	snprintf(second, sizeof(second), "/run/sheen/%s-2.nid", name);
	assert_int_equal(access(second, F_OK), 0);
	daemon_exit(&o);
	assert_int_equal(access(second, F_OK), -1);
	f = fopen(file, "w");
	fputs("127.0.0.1@tcp:9\n999999999\n", f);
	fclose(f);
	daemon_announce(&o, name, &at);
	daemon_exit(&o);
	assert_int_equal(access(file, F_OK), -1);
	/* Somebody else took the name over: his file stays. */
	daemon_announce(&o, name, &at);
	f = fopen(file, "w");
	fputs("127.0.0.1@tcp:9\n", f);
	fclose(f);
	daemon_exit(&o);
	assert_int_equal(access(file, F_OK), 0);
	unlink(file);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(all_options_are_taken),
		T(bad_options_end_with_one_and_say_why),
		T(help_and_version_end_with_zero),
		T(the_starter_leaves_when_the_daemon_serves),
		T(a_daemon_that_cannot_start_says_so_through_the_starter),
		T(a_crash_leaves_the_last_lines),
		T(the_service_manager_hears_that_the_daemon_is_ready),
		T(signals_reload_and_stop),
		T(a_second_signal_ends_at_once),
		T(announcements_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
