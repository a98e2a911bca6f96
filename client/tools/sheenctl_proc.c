/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_proc.c - starting, recognising and stopping the daemons of a cluster.
 *
 * A pid file holds pid and start time (in clock ticks since boot); a process counts as ours only
 * when both fit and its command line names our directory. Without a pid file that fits, the lock of
 * the target tells who serves it. Daemons run with --foreground in a session
 * of their own, so that their death is seen by waiting and their log is one file.
 */
#include "client/tools/sheenctl.h"
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_path.h"
#include "client/tools/tool_rpc.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOG_LINES = 15, STEP_MS = 20, DYING_MS = 10000 };

extern char **environ;

uint64_t ctl_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void pid_path(const struct ctl_cluster *c, const char *name, char path[CTL_MAX_PATH])
{
	snprintf(path, CTL_MAX_PATH, "%.960s/run/%.100s.pid", c->dir, name);
}

static void log_path(const struct ctl_cluster *c, const char *name, char path[CTL_MAX_PATH])
{
	snprintf(path, CTL_MAX_PATH, "%.960s/log/%.100s.log", c->dir, name);
}

/* Start time of a process that is not a zombie; 0: there is none. *dying: it has been killed, but a
 * thread is still in the kernel, with all files and sockets (a write to a disk). */
static unsigned long long look(pid_t pid, bool *dying)
{
	char path[64], text[1024], state, *p;
	unsigned long long start = 0;
	int threads;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strrchr(text, ')'); /* the name before it may hold anything */
	if (!p || sscanf(p + 1,
			 " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d"
			 " %d %*d %llu",
			 &state, &threads, &start) != 3)
		return 0;
	*dying = state == 'Z' && threads > 1;
	return state == 'Z' || state == 'X' ? 0 : start;
}

static unsigned long long start_time(pid_t pid)
{
	uint64_t end = ctl_now_ms() + DYING_MS;
	unsigned long long start;
	bool dying = false;

	for (;;) {
		start = look(pid, &dying);
		if (!dying || ctl_now_ms() >= end)
			return start;
		nanosleep(&(struct timespec){0, 10 * NSEC_PER_MSEC}, NULL);
		dying = false;
	}
}

/* Does its command line name our directory? */
static bool names_dir(pid_t pid, const char *dir)
{
	char path[64], *arg = NULL;
	size_t len = strlen(dir), cap = 0;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	f = fopen(path, "re");
	while (f && !found && getdelim(&arg, &cap, '\0', f) > 0)
		found = !strncmp(arg, dir, len) && arg[len] == '/';
	free(arg);
	if (f)
		fclose(f);
	return found;
}

/* By the pid file. */
static pid_t by_pid_file(const struct ctl_cluster *c, const char *name)
{
	unsigned long long start = 0;
	char path[CTL_MAX_PATH];
	int pid = 0;
	FILE *f;

	pid_path(c, name, path);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%d %llu", &pid, &start) != 2)
		pid = 0;
	fclose(f);
	return pid > 0 && start_time(pid) == start ? pid : 0;
}

/* By the lock of its first target ("host pid"): the pid file is lost, or others started it. */
static pid_t by_lock(const struct ctl_cluster *c, const struct ctl_proc *p)
{
	char path[CTL_MAX_PATH];
	int pid = 0, fd;
	bool held;
	FILE *f;

	if (p->nost)
		snprintf(path, sizeof(path), "%s/ost%u/sheen.lock", c->dir, p->ost[0]);
	else
		snprintf(path, sizeof(path), "%s/%s/sheen.lock", c->dir,
			 strcmp(p->name, "mds") ? "mgs" : "mdt0");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	held = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
	f = fdopen(fd, "r");
	if (!f || !held || fscanf(f, "%*s %d", &pid) != 1)
		pid = 0;
	if (f)
		fclose(f);
	else
		close(fd);
	return pid > 0 && start_time(pid) ? pid : 0;
}

static pid_t find_proc(const struct ctl_cluster *c, const struct ctl_proc *p)
{
	pid_t pid = by_pid_file(c, p->name);

	if (!pid || !names_dir(pid, c->dir))
		pid = by_lock(c, p);
	return pid && names_dir(pid, c->dir) ? pid : 0;
}

void ctl_find_procs(struct ctl_cluster *c)
{
	uint32_t i;

	for (i = 0; i < c->nprocs; i++)
		c->proc[i].pid = find_proc(c, &c->proc[i]);
}

bool ctl_port_free(const char *address, uint16_t port)
{
	char text[NID_STRLEN], why[128];
	struct nid n;
	int fd, one = 1;
	bool ok;

	snprintf(text, sizeof(text), "%.60s@tcp:%u", address, port);
	if (nid_parse(text, 0, &n, why, sizeof(why)))
		return false;
	fd = socket(n.addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ok = bind(fd, (struct sockaddr *)&n.addr, n.addr_len) == 0 && listen(fd, 1) == 0;
	close(fd);
	return ok;
}

/* ---- starting ---- */

static int write_pid(const struct ctl_cluster *c, const char *name, pid_t pid)
{
	char path[CTL_MAX_PATH];
	FILE *f;

	pid_path(c, name, path);
	f = fopen(path, "we");
	if (!f || fprintf(f, "%d %llu\n", (int)pid, start_time(pid)) < 0 || fclose(f))
		return tool_fail(errno, "%s", path);
	return 0;
}

struct args {
	int n;
	char *arg[CTL_MAX_OSTS + 8];
	char nid[NID_STRLEN];
	char dirs[CTL_MAX_OSTS][CTL_MAX_PATH];
};

static void add_dir(const struct ctl_cluster *c, struct args *a, int i, const char *name)
{
	snprintf(a->dirs[i], CTL_MAX_PATH, "%s/%s", c->dir, name);
	a->arg[a->n++] = a->dirs[i];
}

static struct args *make_args(const struct ctl_cluster *c, const struct ctl_proc *p, char *prog)
{
	static char foreground[] = "--foreground", listen_opt[] = "--listen";
	struct args *a = calloc(1, sizeof(*a));
	char name[24];
	uint32_t i;

	if (!a)
		return NULL;
	a->arg[a->n++] = prog;
	a->arg[a->n++] = foreground;
	a->arg[a->n++] = listen_opt;
	a->arg[a->n++] = ctl_nid(c, p, a->nid);
	if (!strcmp(p->name, "mgs"))
		add_dir(c, a, 0, "mgs");
	if (!strcmp(p->name, "mds"))
		add_dir(c, a, 0, "mdt0");
	for (i = 0; i < p->nost; i++) {
		snprintf(name, sizeof(name), "ost%u", p->ost[i]);
		add_dir(c, a, (int)i, name);
	}
	return a;
}

static void become(const char *log, char *const *args) __attribute__((noreturn));
static void become(const char *log, char *const *args)
{
	int null = open("/dev/null", O_RDONLY), out = STDERR_FILENO;

	if (log)
		out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (null < 0 || out < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0)
		_exit(126);
	syscall(SYS_close_range, 3U, ~0U, 0U);
	signal(SIGPIPE, SIG_DFL);
	execve(args[0], args, environ);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", args[0], strerror(errno));
	_exit(127);
}

int ctl_start(struct ctl_cluster *c, struct ctl_proc *p)
{
	char prog[CTL_MAX_PATH], log[CTL_MAX_PATH], nid[NID_STRLEN];
	struct args *a;
	struct stat st;

	if (!ctl_port_free(c->address, p->port)) {
		tool_say("%s: another program uses its address %s (ss -ltnp shows which)", p->name,
			 ctl_nid(c, p, nid));
		return -EADDRINUSE;
	}
	if (tool_program(p->prog, prog, sizeof(prog)))
		return tool_fail(ENOENT, "the program %s is not installed", p->prog);
	log_path(c, p->name, log);
	p->log_at = stat(log, &st) ? 0 : st.st_size;
	a = make_args(c, p, prog);
	if (!a)
		return -ENOMEM;
	fflush(stdout);
	p->pid = fork();
	if (p->pid == 0) {
		setsid();
		become(log, a->arg);
	}
	free(a);
	if (p->pid < 0) {
		p->pid = 0;
		return tool_fail(errno, "fork");
	}
	p->pidfd = ctl_pidfd(p->pid);
	return write_pid(c, p->name, p->pid);
}

int ctl_run(const char *log, const char *prog, const char *const *args)
{
	char path[CTL_MAX_PATH];
	const char *argv[64] = {path};
	int n, status;
	pid_t pid;

	if (tool_program(prog, path, sizeof(path)))
		return tool_fail(ENOENT, "the program %s is not installed", prog);
	for (n = 0; args[n] && n < 62; n++)
		argv[n + 1] = args[n];
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return tool_fail(errno, "fork");
	if (pid == 0) {
		if (!log) /* keep both streams */
			execve(path, (char *const *)(uintptr_t)argv, environ);
		become(log, (char *const *)(uintptr_t)argv);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return tool_fail(errno, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- waiting ---- */

int ctl_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

bool ctl_wait_pidfd(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return fd < 0 || poll(&p, 1, timeout_ms) > 0;
}

void ctl_pause(const struct ctl_proc *p, int timeout_ms)
{
	if (p->pidfd >= 0)
		ctl_wait_pidfd(p->pidfd, timeout_ms);
	else
		poll(NULL, 0, timeout_ms);
}

bool ctl_ended(const struct ctl_proc *p)
{
	return p->pidfd >= 0 && ctl_wait_pidfd(p->pidfd, 0);
}

int ctl_wait_listen(const struct ctl_cluster *c, const struct ctl_proc *p, uint64_t deadline)
{
	struct nid_list nids;
	int rc;

	rc = ctl_nids(c, p, &nids);
	if (rc)
		return rc;
	for (;;) {
		if (ctl_ended(p))
			return -ECHILD;
		if (!tool_refused(&nids, 1000))
			return 0;
		if (ctl_now_ms() >= deadline)
			return -ETIMEDOUT;
		ctl_pause(p, STEP_MS);
	}
}

/* What it wrote since it was started, at most the last lines. */
static void show_log(const struct ctl_cluster *c, const char *name, long log_at)
{
	char path[CTL_MAX_PATH], *text, *from;
	long size;
	int lines = 0;
	FILE *f;

	log_path(c, name, path);
	fprintf(stderr, "its log is %s", path);
	f = fopen(path, "re");
	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f) - log_at) <= 0) {
		fprintf(stderr, " (nothing new in it)\n");
		if (f)
			fclose(f);
		return;
	}
	fprintf(stderr, ", its last lines are:\n");
	if (size > 16384)
		size = 16384;
	text = calloc(1, (size_t)size + 1);
	if (text && fseek(f, -size, SEEK_END) == 0 && fread(text, 1, (size_t)size, f) > 0) {
		for (from = text + strlen(text); from > text; from--)
			if (from[-1] == '\n' && from[0] && ++lines == LOG_LINES)
				break;
		fprintf(stderr, "%s%s", from, text[strlen(text) - 1] == '\n' ? "" : "\n");
	}
	free(text);
	fclose(f);
}

void ctl_show_log(const struct ctl_cluster *c, const struct ctl_proc *p)
{
	show_log(c, p->name, p->log_at);
}

/* ---- stopping ---- */

int ctl_stop(const struct ctl_cluster *c, struct ctl_proc *const *p, int n, int timeout_ms)
{
	uint64_t deadline = ctl_now_ms() + (uint64_t)timeout_ms, now;
	char path[CTL_MAX_PATH];
	int i, fd, rc = 0;

	for (i = 0; i < n; i++)
		if (p[i]->pid)
			kill(p[i]->pid, SIGTERM);
	for (i = 0; i < n; i++) {
		if (!p[i]->pid)
			continue;
		fd = ctl_pidfd(p[i]->pid);
		now = ctl_now_ms();
		if (fd >= 0 && !ctl_wait_pidfd(fd, deadline > now ? (int)(deadline - now) : 0)) {
			printf("%-8s did not stop within %d s: killed\n", p[i]->name,
			       timeout_ms / 1000);
			kill(p[i]->pid, SIGKILL);
			if (!ctl_wait_pidfd(fd, 5000))
				rc = tool_fail(EBUSY, "%s, pid %d, does not end", p[i]->name,
					       (int)p[i]->pid);
		} else {
			printf("%-8s stopped\n", p[i]->name);
		}
		if (fd >= 0)
			close(fd);
		p[i]->pid = 0;
		pid_path(c, p[i]->name, path);
		unlink(path);
	}
	return rc;
}

/* ---- tasks ---- */

static pid_t just_started; /* by this process: it may not be the other program yet */

int ctl_task_start(const struct ctl_cluster *c, const char *task, const char *prog,
		   const char *const *args)
{
	char path[CTL_MAX_PATH], log[CTL_MAX_PATH];
	const char *argv[66] = {path};
	pid_t pid;
	int n;

	if (tool_program(prog, path, sizeof(path)))
		return tool_fail(ENOENT, "the program %s is not installed", prog);
	for (n = 0; args[n] && n < 64; n++)
		argv[n + 1] = args[n];
	log_path(c, task, log);
	unlink(log); /* of the last one: what it says is of this one */
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setsid();
		become(log, (char *const *)(uintptr_t)argv);
	}
	if (pid < 0)
		return tool_fail(errno, "fork");
	just_started = pid;
	return write_pid(c, task, pid);
}

pid_t ctl_task_pid(const struct ctl_cluster *c, const char *task)
{
	pid_t pid = by_pid_file(c, task);

	return pid && (pid == just_started || names_dir(pid, c->dir)) ? pid : 0;
}

int ctl_task_stop(const struct ctl_cluster *c, const char *task, int timeout_ms)
{
	pid_t pid = ctl_task_pid(c, task);
	char path[CTL_MAX_PATH];
	int fd, rc = 0;

	if (pid) {
		fd = ctl_pidfd(pid);
		kill(pid, SIGTERM);
		if (fd >= 0 && !ctl_wait_pidfd(fd, timeout_ms)) {
			kill(pid, SIGKILL);
			if (!ctl_wait_pidfd(fd, 5000))
				rc = tool_fail(EBUSY, "%s, pid %d, does not end", task, (int)pid);
		}
		if (fd >= 0)
			close(fd);
	}
	pid_path(c, task, path);
	unlink(path);
	return rc;
}

void ctl_task_show_log(const struct ctl_cluster *c, const char *task)
{
	show_log(c, task, 0);
}
