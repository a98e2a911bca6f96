/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.c - see keeper.h.
 *
 * Of a server that was killed a thread may live on for a while: one that had made a request to the
 * mount itself (kick.c) waits for its answer, which the next server gives. So the keeper does not
 * wait for the end of the process, but for that of all its other threads.
 */
#include "client/fuse/keeper.h"
#include "client/fuse/mount.h"
#include "common/log.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GIVE_UP = 20, DEAD_POLL_MS = 5 };

struct keeper {
	struct kept_mount k;
	struct book_head *head;
	char program[PATH_MAX];
	char **argv;
	int sig_fd;
	pid_t pid, last; /* last: may still have threads that wait */
};

/* ---- the first server ---- */

static int open_book(struct keeper *kp)
{
	uint64_t len = book_size() + BOOK_LANES * (1ULL << 36);

	kp->k.book_fd = memfd_create("sheen-book", MFD_CLOEXEC);
	if (kp->k.book_fd < 0 || ftruncate(kp->k.book_fd, (off_t)len))
		return -errno;
	kp->head = mmap(NULL, sizeof(*kp->head), PROT_READ | PROT_WRITE, MAP_SHARED, kp->k.book_fd,
			0);
	return kp->head == MAP_FAILED ? -errno : 0;
}

/* ---- the next ones ---- */

static void exec_server(const struct keeper *kp)
{
	char fds[64];
	char **argv;
	int n = 0;

	while (kp->argv[n])
		n++;
	argv = calloc((size_t)n + 2, sizeof(char *));
	if (!argv)
		_exit(1);
	memcpy(argv, kp->argv, (size_t)n * sizeof(char *));
	snprintf(fds, sizeof(fds), "--take-over=%d,%d", kp->k.fuse_fd, kp->k.book_fd);
	argv[n] = fds;
	fcntl(kp->k.fuse_fd, F_SETFD, 0);
	fcntl(kp->k.book_fd, F_SETFD, 0);
	execv(kp->program, argv);
	log_err("cannot start %s: %s", kp->program, err_str(errno));
	_exit(1);
}

static pid_t start_next(const struct keeper *kp)
{
	sigset_t none;
	pid_t pid = fork();

	if (pid == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		exec_server(kp);
	}
	if (pid < 0)
		log_err("cannot fork: %s", err_str(errno));
	return pid;
}

/* ---- waiting ---- */

static bool is_kicker(const char *dir, const char *tid)
{
	char path[400], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/comm", dir, tid);
	f = fopen(path, "re");
	if (!f)
		return true; /* gone */
	if (!fgets(comm, sizeof(comm), f))
		comm[0] = 0;
	fclose(f);
	return strcmp(comm, KEEPER_KICK_THREAD "\n") == 0;
}

static bool is_zombie(pid_t pid)
{
	char path[64], line[256] = "";
	const char *at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return true; /* gone */
	if (!fgets(line, sizeof(line), f))
		line[0] = 0;
	fclose(f);
	at = strrchr(line, ')');
	return !at || at[1] == 0 || at[2] == 'Z' || at[2] == 'X';
}

/* A thread besides the first one and those that wait; 0: there is none. */
static pid_t other_thread(pid_t pid)
{
	char dir[64];
	const struct dirent *e;
	pid_t tid = 0, t;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%d/task", (int)pid);
	d = opendir(dir);
	while (d && !tid && (e = readdir(d))) {
		t = (pid_t)strtol(e->d_name, NULL, 10); /* 0: . and .. */
		tid = t > 0 && t != pid && !is_kicker(dir, e->d_name) ? t : 0;
	}
	if (d)
		closedir(d);
	return tid;
}

/* Only its first thread, which is a zombie as long as others live, and threads that wait. */
static bool is_dead(pid_t pid)
{
	return !other_thread(pid) && is_zombie(pid);
}

static void pass_on(struct keeper *kp)
{
	struct signalfd_siginfo si;

	if (read(kp->sig_fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo != SIGCHLD)
		kill(kp->pid, (int)si.ssi_signo);
	else if (kp->last > 0 && waitpid(kp->last, NULL, WNOHANG) == kp->last)
		kp->last = 0;
}

static int thread_fd(pid_t tid)
{
	return tid ? (int)syscall(SYS_pidfd_open, tid, O_EXCL /* PIDFD_THREAD, Linux 6.9 */) : -1;
}

/* The end of the first thread is not told before that of all (Linux 6.18), and some may wait for
 * the next server; so one of the others is watched, which end with it. */
static void wait_for_death(struct keeper *kp)
{
	struct pollfd p[3] = {{.fd = (int)syscall(SYS_pidfd_open, kp->pid, 0), .events = POLLIN},
			      {.fd = kp->sig_fd, .events = POLLIN},
			      {.fd = -1, .events = POLLIN}};

	for (;;) {
		if (p[2].fd < 0)
			p[2].fd = thread_fd(other_thread(kp->pid));
		if (p[2].fd < 0 && is_dead(kp->pid))
			break;
		if (poll(p, 3, p[2].fd < 0 ? DEAD_POLL_MS : -1) < 0 && errno != EINTR)
			break;
		if (p[1].revents & POLLIN)
			pass_on(kp);
		if (p[0].revents & POLLIN)
			break;
		if (p[2].fd >= 0 && p[2].revents) {
			close(p[2].fd);
			p[2].fd = -1;
		}
	}
	close(p[0].fd);
	if (p[2].fd >= 0)
		close(p[2].fd);
}

/* ---- the keeper's life ---- */

static void give_up(const struct keeper *kp)
{
	log_err("%s: the client dies again and again: the mount ends", kp->head->path);
	umount2(kp->head->path, UMOUNT_NOFOLLOW | MNT_DETACH);
}

/* The first server has not mounted anything: whoever started it is told by us. */
static void end_as_server(const struct keeper *kp)
{
	int status;

	if (waitpid(kp->pid, &status, 0) != kp->pid)
		_exit(1);
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static void to_background(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	if (fd > 2)
		close(fd);
}

static void keep(struct keeper *kp)
{
	uint32_t failed = 0, served;

	prctl(PR_SET_NAME, "sheen-keeper");
	log_init("sheen-keeper", true);
	to_background();
	for (;;) {
		served = kp->head->served;
		wait_for_death(kp);
		if (!kp->head->mounted)
			end_as_server(kp);
		kp->last = waitpid(kp->pid, NULL, WNOHANG) == kp->pid ? 0 : kp->pid;
		failed = kp->head->served == served && failed ? failed + 1 : 1;
		if (failed > GIVE_UP) {
			give_up(kp);
			_exit(1);
		}
		log_warn("%s: the client has ended without unmounting: the next one takes over",
			 kp->head->path);
		if (failed > 1)
			poll(NULL, 0, 100);
		kp->pid = start_next(kp);
		if (kp->pid < 0) {
			give_up(kp);
			_exit(1);
		}
	}
}

static int signals(void)
{
	static const int passed[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGCHLD};
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(passed); i++)
		sigaddset(&set, passed[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* The name of the file, of which there may be another version later. */
static int find_program(struct keeper *kp)
{
	ssize_t n = readlink("/proc/self/exe", kp->program, sizeof(kp->program) - 1);

	if (n <= 0)
		return -errno;
	kp->program[n] = 0;
	return 0;
}

int keeper_start(char **argv, int status_fd, struct kept_mount *k, char *why, size_t why_len)
{
	static struct keeper kp = {.k = {-1, -1, 0}};
	int rc = find_program(&kp);

	kp.argv = argv;
	if (rc == 0)
		rc = open_book(&kp);
	if (rc == 0)
		kp.k.fuse_fd = mount_device_open(why, why_len);
	else
		snprintf(why, why_len, "memory for the keeper: %s", err_str(rc));
	if (rc == 0 && kp.k.fuse_fd < 0)
		rc = kp.k.fuse_fd;
	if (rc)
		return rc;
	kp.pid = fork();
	if (kp.pid < 0) {
		snprintf(why, why_len, "cannot fork: %s", err_str(errno));
		return -errno;
	}
	if (kp.pid == 0) {
		*k = kp.k;
		return 0;
	}
	if (status_fd >= 0)
		close(status_fd);
	kp.sig_fd = signals();
	keep(&kp);
	_exit(1);
}

int keeper_parse(const char *text, struct kept_mount *k)
{
	if (sscanf(text, "%d,%d", &k->fuse_fd, &k->book_fd) != 2 || k->fuse_fd < 0 ||
	    k->book_fd < 0)
		return -EINVAL;
	k->takeover = 1;
	fcntl(k->fuse_fd, F_SETFD, FD_CLOEXEC);
	fcntl(k->book_fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

void keeper_watch(void)
{
	pid_t parent = getppid();

	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	if (getppid() != parent)
		raise(SIGUSR1);
}
