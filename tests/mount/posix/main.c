/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - runs the cases of the POSIX test; see t.h.
 *
 * usage: posix [-c] [-l] [-s] [-o OTHER] DIR [CASE...]
 *   -c  DIR is on a local file system: checks the test, leaves out what that cannot do
 *   -o  the same directory through a second mount
 *   -s  also the cases that take long
 */
#include "t.h"
#include <dirent.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

bool t_control;
static const char *other_root;
static char case_dir[64];
static int *failures; /* shared with the children */

static const struct t_case *const groups[] = {names_cases, dirs_cases, data_cases, space_cases,
					      attr_cases,  xattr_cases, open_cases, lock_cases};

static const char *base(const char *path)
{
	const char *s = strrchr(path, '/');

	return s ? s + 1 : path;
}

void t_check(bool ok, const char *text, const char *file, int line)
{
	if (ok)
		return;
	__atomic_add_fetch(failures, 1, __ATOMIC_SEQ_CST);
	printf("  %s:%d: %s: not true\n", base(file), line, text);
}

void t_sys(long rc, const char *text, const char *file, int line)
{
	int err = errno;

	if (rc != -1)
		return;
	__atomic_add_fetch(failures, 1, __ATOMIC_SEQ_CST);
	printf("  %s:%d: %s: %s\n", base(file), line, text, strerror(err));
}

void t_fails(long rc, int want, const char *text, const char *file, int line)
{
	int err = errno;

	if (rc == -1 && err == want)
		return;
	__atomic_add_fetch(failures, 1, __ATOMIC_SEQ_CST);
	printf("  %s:%d: %s: %s, expected %s\n", base(file), line, text,
	       rc == -1 ? strerror(err) : "succeeded", strerrorname_np(want));
}

void t_eq(long long got, long long want, const char *text, const char *file, int line)
{
	if (got == want)
		return;
	__atomic_add_fetch(failures, 1, __ATOMIC_SEQ_CST);
	printf("  %s:%d: %s: %lld (0%llo), expected %lld (0%llo)\n", base(file), line, text, got,
	       (unsigned long long)got, want, (unsigned long long)want);
}

const char *other(const char *name)
{
	static char buf[8][PATH_MAX];
	static unsigned at;
	char *s = buf[at++ % 8];

	if (other_root)
		snprintf(s, PATH_MAX, "%s/%s/%s", other_root, case_dir, name);
	else
		snprintf(s, PATH_MAX, "%s", name);
	return s;
}

int make_file(const char *path, mode_t mode)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);

	return fd < 0 ? -1 : close(fd);
}

int put_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = len ? write(fd, data, len) : 0;
	if (close(fd))
		return -1;
	return n == (ssize_t)len ? 0 : -1;
}

bool file_is(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *buf = malloc(len + 1);
	ssize_t n, have = 0;

	while (fd >= 0 && buf && (n = read(fd, buf + have, len + 1 - have)) > 0)
		have += n;
	if (fd >= 0)
		close(fd);
	n = fd >= 0 && have == (ssize_t)len && memcmp(buf, data, len) == 0;
	free(buf);
	return n;
}

struct stat st_of(const char *path)
{
	struct stat st = {0};

	t_sys(lstat(path, &st), path, "stat", 0);
	return st;
}

unsigned mode_of(const char *path)
{
	return st_of(path).st_mode & 07777;
}

long long ns(struct timespec t)
{
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

void fill(void *buf, size_t n, uint64_t seed)
{
	uint8_t *p = buf;
	uint64_t x = seed * 0x9e3779b97f4a7c15ULL + 1;

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		p[i] = (uint8_t)x;
	}
}

void as_user(uid_t uid, gid_t gid, void (*fn)(void))
{
	pid_t pid;
	int status = 0;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (syscall(SYS_setgroups, 0, NULL) || setresgid(gid, gid, gid) ||
		    setresuid(uid, uid, uid))
			t_check(false, "become a user", __FILE__, __LINE__);
		else
			fn();
		fflush(stdout);
		_exit(0);
	}
	OK(pid > 0);
	OK(waitpid(pid, &status, 0) == pid && status == 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)ftw;
	return type == FTW_DP ? rmdir(path) : unlink(path);
}

static void run_child(const struct t_case *c, const char *root)
{
	alarm(c->flags & T_SOAK ? 1800 : 120);
	umask(022);
	if (chdir(root) || mkdir(case_dir, 0755) || chdir(case_dir)) {
		t_sys(-1, "make the directory of the case", __FILE__, __LINE__);
		_exit(0);
	}
	c->fn();
	fflush(stdout);
	_exit(0);
}

static bool run_case(const struct t_case *c, const char *root)
{
	char path[PATH_MAX + sizeof(case_dir)];
	struct timespec a, b;
	pid_t pid;
	int status = 0;

	*failures = 0;
	snprintf(case_dir, sizeof(case_dir), "%.48s.%d", c->name, (int)getpid() % 10000);
	clock_gettime(CLOCK_MONOTONIC, &a);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		run_child(c, root);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		printf("  ended by signal %d\n", WTERMSIG(status));
		++*failures;
	}
	snprintf(path, sizeof(path), "%s/%s", root, case_dir);
	if (nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS)) {
		printf("  %s cannot be removed: %s\n", path, strerror(errno));
		++*failures;
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%s - %s (%.1f s)\n", *failures ? "not ok" : "ok", c->name,
	       (double)(ns(b) - ns(a)) / 1e9);
	return *failures == 0;
}

static bool wanted(const struct t_case *c, int argc, char **argv, bool soak)
{
	if (argc == 0)
		return !((c->flags & T_SOAK) && !soak) &&
		       !((c->flags & T_NOT_CONTROL) && t_control);
	for (int i = 0; i < argc; i++)
		if (strstr(c->name, argv[i]))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	int opt, passed = 0, failed = 0;
	bool list = false, soak = false;
	char root[PATH_MAX];

	while ((opt = getopt(argc, argv, "clso:")) != -1) {
		if (opt == 'c')
			t_control = true;
		else if (opt == 'l')
			list = true;
		else if (opt == 's')
			soak = true;
		else if (opt == 'o')
			other_root = optarg;
		else
			return 2;
	}
	if (!list && (optind >= argc || !realpath(argv[optind], root))) {
		fprintf(stderr, "usage: posix [-c] [-l] [-s] [-o OTHER] DIR [CASE...]\n");
		return 2;
	}
	failures = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
		for (const struct t_case *c = groups[g]; c->fn; c++) {
			if (list)
				printf("%s\n", c->name);
			else if (wanted(c, argc - optind - 1, argv + optind + 1, soak))
				run_case(c, root) ? passed++ : failed++;
		}
	}
	printf("# %d cases passed, %d failed\n", passed, failed);
	return failed ? 1 : 0;
}
