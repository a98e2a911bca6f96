/* SPDX-License-Identifier: Apache-2.0 */
/* lock.c - fcntl and flock locks between processes on one mount and on two. Waiting and
 * deadlocks: twomount.py. */
#include "t.h"
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

static int lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock l = {
		.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	return fcntl(fd, cmd, &l);
}

/* In a child, which has locks of its own: open path and try a lock; its errno or 0. */
static int try_in_child(const char *path, int type, off_t start, off_t len)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		int fd = open(path, O_RDWR);

		_exit(lock(fd, F_SETLK, type, start, len) ? errno : 0);
	}
	SYS(waitpid(pid, &status, 0));
	return WEXITSTATUS(status);
}

static int flock_in_child(const char *path, int op)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		int fd = open(path, O_RDWR);

		_exit(flock(fd, op | LOCK_NB) ? errno : 0);
	}
	SYS(waitpid(pid, &status, 0));
	return WEXITSTATUS(status);
}

static void posix_locks_exclude_across_mounts(void)
{
	int fd;

	SYS(make_file("f", 0644));
	SYS(fd = open("f", O_RDWR));
	SYS(lock(fd, F_SETLK, F_WRLCK, 100, 50));
	for (int i = 0; i < 2; i++) {
		const char *p = i ? other("f") : "f";

		EQ(try_in_child(p, F_WRLCK, 100, 1), EAGAIN);
		EQ(try_in_child(p, F_RDLCK, 149, 1), EAGAIN);
		EQ(try_in_child(p, F_WRLCK, 0, 100), 0);
		EQ(try_in_child(p, F_WRLCK, 150, 0), 0);
		EQ(try_in_child(p, F_WRLCK, 0, 0), EAGAIN);
	}
	SYS(lock(fd, F_SETLK, F_RDLCK, 100, 50));
	EQ(try_in_child(other("f"), F_RDLCK, 0, 0), 0);
	EQ(try_in_child(other("f"), F_WRLCK, 0, 0), EAGAIN);
	SYS(lock(fd, F_SETLK, F_UNLCK, 120, 10));
	EQ(try_in_child(other("f"), F_WRLCK, 120, 10), 0);
	EQ(try_in_child(other("f"), F_WRLCK, 119, 10), EAGAIN);
	EQ(try_in_child(other("f"), F_WRLCK, 130, 1), EAGAIN);
	SYS(close(fd));
	EQ(try_in_child(other("f"), F_WRLCK, 0, 0), 0);
}

static void closing_any_descriptor_drops_posix_locks(void)
{
	int a, b;

	SYS(make_file("f", 0644));
	SYS(a = open("f", O_RDWR));
	SYS(lock(a, F_SETLK, F_WRLCK, 0, 0));
	SYS(b = open("f", O_RDONLY));
	EQ(try_in_child(other("f"), F_WRLCK, 0, 0), EAGAIN);
	SYS(close(b));
	EQ(try_in_child(other("f"), F_WRLCK, 0, 0), 0);
	SYS(close(a));
}

static void getlk_names_the_holder(void)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd, status;
	pid_t pid;

	SYS(make_file("f", 0644));
	SYS(fd = open("f", O_RDWR));
	SYS(lock(fd, F_SETLK, F_WRLCK, 10, 20));
	pid = fork();
	if (pid == 0) {
		int fd2 = open("f", O_RDWR);

		if (fcntl(fd2, F_GETLK, &l))
			_exit(1);
		_exit(l.l_type == F_WRLCK && l.l_start == 10 && l.l_len == 20 &&
				      l.l_pid == getppid()
			      ? 0
			      : 2);
	}
	SYS(waitpid(pid, &status, 0));
	EQ(WEXITSTATUS(status), 0);
	l = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
	SYS(fcntl(fd, F_GETLK, &l)); /* one's own do not conflict */
	EQ(l.l_type, F_UNLCK);
	SYS(close(fd));
}

static void open_file_description_locks_belong_to_the_open_file(void)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
	int a, b;

	SYS(make_file("f", 0644));
	SYS(a = open("f", O_RDWR));
	SYS(b = open("f", O_RDWR));
	SYS(fcntl(a, F_OFD_SETLK, &l));
	FAILS(EAGAIN, fcntl(b, F_OFD_SETLK, &l));
	SYS(close(a));
	SYS(fcntl(b, F_OFD_SETLK, &l));
	SYS(close(b));
}

static void flock_excludes_across_mounts(void)
{
	int a, b;

	SYS(make_file("f", 0644));
	SYS(a = open("f", O_RDWR));
	SYS(flock(a, LOCK_EX));
	EQ(flock_in_child("f", LOCK_EX), EWOULDBLOCK);
	EQ(flock_in_child(other("f"), LOCK_SH), EWOULDBLOCK);
	SYS(flock(a, LOCK_SH));
	EQ(flock_in_child(other("f"), LOCK_SH), 0);
	EQ(flock_in_child(other("f"), LOCK_EX), EWOULDBLOCK);
	SYS(b = open("f", O_RDONLY));
	SYS(close(b)); /* another description: the lock stays */
	EQ(flock_in_child(other("f"), LOCK_EX), EWOULDBLOCK);
	SYS(b = dup(a));
	SYS(close(a)); /* the same description: it stays too */
	EQ(flock_in_child(other("f"), LOCK_EX), EWOULDBLOCK);
	SYS(flock(b, LOCK_UN));
	EQ(flock_in_child(other("f"), LOCK_EX), 0);
	SYS(close(b));
}

static void flock_and_posix_locks_are_apart(void)
{
	int fd;

	SYS(make_file("f", 0644));
	SYS(fd = open("f", O_RDWR));
	SYS(flock(fd, LOCK_EX));
	EQ(try_in_child(other("f"), F_WRLCK, 0, 0), 0);
	SYS(close(fd));
}

static void locks_of_a_killed_process_are_free(void)
{
	int p[2], status;
	pid_t pid;
	char c;

	SYS(make_file("f", 0644));
	SYS(pipe(p));
	pid = fork();
	if (pid == 0) {
		int fd = open(other("f"), O_RDWR);

		if (lock(fd, F_SETLK, F_WRLCK, 0, 0) || flock(fd, LOCK_EX) ||
		    write(p[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(1);
	}
	EQ(read(p[0], &c, 1), 1);
	EQ(try_in_child("f", F_WRLCK, 0, 0), EAGAIN);
	EQ(flock_in_child("f", LOCK_EX), EWOULDBLOCK);
	SYS(kill(pid, SIGKILL));
	SYS(waitpid(pid, &status, 0));
	/* The kernel tells the file system of the last close on its own time. */
	for (int i = 0; i < 200 && flock_in_child("f", LOCK_EX); i++)
		usleep(10000);
	EQ(try_in_child("f", F_WRLCK, 0, 0), 0);
	EQ(flock_in_child("f", LOCK_EX), 0);
}

static void a_waiting_lock_is_interrupted_by_a_signal(void)
{
	int fd, fd2, p[2], status;
	pid_t pid;
	char c;

	SYS(make_file("f", 0644));
	SYS(fd = open("f", O_RDWR));
	SYS(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	SYS(pipe(p));
	pid = fork();
	if (pid == 0) {
		fd2 = open(other("f"), O_RDWR);
		if (write(p[1], "x", 1) != 1)
			_exit(1);
		lock(fd2, F_SETLKW, F_WRLCK, 0, 0);
		_exit(7);
	}
	EQ(read(p[0], &c, 1), 1);
	SYS(kill(pid, SIGTERM));
	SYS(waitpid(pid, &status, 0));
	OK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	SYS(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	/* The wait that was given up must not have taken the lock. */
	EQ(try_in_child("f", F_WRLCK, 0, 0), 0);
	SYS(close(fd));
}

const struct t_case lock_cases[] = {
	CASE(posix_locks_exclude_across_mounts),
	CASE(closing_any_descriptor_drops_posix_locks),
	CASE(getlk_names_the_holder),
	CASE(open_file_description_locks_belong_to_the_open_file),
	CASE(flock_excludes_across_mounts),
	CASE(flock_and_posix_locks_are_apart),
	CASE(locks_of_a_killed_process_are_free),
	CASE(a_waiting_lock_is_interrupted_by_a_signal),
	{0},
};
