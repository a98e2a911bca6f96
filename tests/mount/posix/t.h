/* SPDX-License-Identifier: Apache-2.0 */
/* t.h - checks of the POSIX test: system calls on a directory, with the result or errno that must
 * come.
 *
 * A case is a function named as a sentence. It runs in its own process, in its own fresh
 * directory (the current directory), as root, with umask 022; `other("x")` names the same file
 * through the second mount. A failing check is printed and counted and the case goes on, so one
 * run shows everything that is wrong.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct t_case {
	const char *name;
	void (*fn)(void);
	int flags;
};
enum {
	T_NOT_CONTROL = 1, /* the local file system has a lower limit of its own */
	T_SOAK = 2,	   /* takes long */
};
#define CASE(fn_) {#fn_, fn_, 0}
#define CASE_F(fn_, flags_) {#fn_, fn_, flags_}

extern bool t_control; /* runs on a local file system to check the test itself */

void t_check(bool ok, const char *text, const char *file, int line);
void t_sys(long rc, const char *text, const char *file, int line);
void t_fails(long rc, int err, const char *text, const char *file, int line);
void t_eq(long long got, long long want, const char *text, const char *file, int line);

/* Must be true; must not return -1; must return -1 with that errno; must be equal. */
#define OK(e) t_check((e), #e, __FILE__, __LINE__)
#define SYS(e) (errno = 0, t_sys((long)(e), #e, __FILE__, __LINE__))
#define FAILS(err, e) (errno = 0, t_fails((long)(e), err, #e, __FILE__, __LINE__))
#define EQ(got, want)                                                                              \
	t_eq((long long)(got), (long long)(want), #got " == " #want, __FILE__, __LINE__)

/* Path of a file of the current directory on the second mount (the first if there is only one).
 * Eight buffers in turn. */
const char *other(const char *name);
/* Runs fn in a child as uid:gid without groups or capabilities; its failed checks count. */
void as_user(uid_t uid, gid_t gid, void (*fn)(void));

int make_file(const char *path, mode_t mode); /* an empty file; its descriptor is closed */
int put_file(const char *path, const void *data, size_t len); /* replaces the content */
bool file_is(const char *path, const void *data, size_t len);
struct stat st_of(const char *path);	/* lstat; zeros on error, which counts */
long long ns(struct timespec t);
unsigned mode_of(const char *path);
bool exists(const char *path);
/* n bytes that depend on seed and position. */
void fill(void *buf, size_t n, uint64_t seed);

extern const struct t_case names_cases[], dirs_cases[], data_cases[], space_cases[], attr_cases[],
	xattr_cases[], open_cases[], lock_cases[];
