/* SPDX-License-Identifier: Apache-2.0 */
/* tmpdir.c - see tmpdir.h. */
#include "tests/lib/tmpdir.h"
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void tmpdir_make(char path[TMPDIR_LEN])
{
	strcpy(path, "/dev/shm/sheen-test-XXXXXX");
	if (mkdtemp(path))
		return;
	strcpy(path, "/tmp/sheen-test-XXXXXX");
	if (mkdtemp(path))
		return;
	perror(path);
	exit(1);
}

static void fail(const char *path)
{
	perror(path);
	exit(1);
}

static void copy_file(const char *from, const char *to)
{
	static char buf[65536];
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	size_t n;

	if (!in || !out)
		fail(in ? to : from);
	while ((n = fread(buf, 1, sizeof(buf), in)) > 0)
		if (fwrite(buf, 1, n, out) != n)
			fail(to);
	if (fclose(in) || fclose(out))
		fail(to);
}

void tmpdir_copy(const char *from, const char *to, const char *but)
{
	char a[600], b[600];
	struct dirent *d;
	struct stat st;
	DIR *dir;

	dir = opendir(from);
	if (!dir || mkdir(to, 0700))
		fail(to);
	while ((d = readdir(dir))) {
		if (but && strcmp(d->d_name, but) == 0)
			continue;
		snprintf(a, sizeof(a), "%s/%s", from, d->d_name);
		snprintf(b, sizeof(b), "%s/%s", to, d->d_name);
		if (stat(a, &st) == 0 && S_ISREG(st.st_mode))
			copy_file(a, b);
	}
	closedir(dir);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

void tmpdir_remove(const char *path)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS))
		perror(path);
}
