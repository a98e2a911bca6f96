/* SPDX-License-Identifier: Apache-2.0 */
/* tmpdir.c - see tmpdir.h. */
#include "tests/lib/tmpdir.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
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
