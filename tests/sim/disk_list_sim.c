/* SPDX-License-Identifier: Apache-2.0 */
/* disk_list_sim.c - directories of the simulated disk, which knows only paths of files, and no
 * cache; and the sync of all, which is one of each file. */
#include "common/disk.h"
#include "tests/sim/sim_disk.h"
#include <stdio.h>
#include <string.h>

enum { PATH_LEN = 256 };

/* There is no cache. */
void disk_uncache(struct disk_file *f, uint64_t off, uint64_t len)
{
	(void)f;
	(void)off;
	(void)len;
}

/* The simulated disk makes no difference. */
int disk_co_sync_meta(struct disk_file *f)
{
	return disk_co_sync(f);
}

static int co_sync_path(struct disk *d, const char *path)
{
	struct disk_file *f;
	int rc = disk_co_open(d, path, false, &f);

	if (rc)
		return rc == -ENOENT ? 0 : rc; /* removed meanwhile */
	rc = disk_co_sync(f);
	disk_file_close(f);
	return rc;
}

int disk_co_sync_all(struct disk *d)
{
	const char *at = "";
	char path[PATH_LEN];
	int rc = 0;

	while (rc == 0 && (at = sim_disk_next(d, at))) {
		snprintf(path, sizeof(path), "%s", at);
		rc = co_sync_path(d, path);
		at = path;
	}
	return rc;
}

int disk_list(struct disk *d, const char *path, disk_name_fn *fn, void *arg)
{
	char name[PATH_LEN], last[PATH_LEN] = "", dir[PATH_LEN];
	const char *at = dir;
	size_t n = (size_t)snprintf(dir, sizeof(dir), "%s/", path);
	bool any = false;
	int rc = 0;

	assert(n < sizeof(dir));
	while (rc == 0 && (at = sim_disk_next(d, at)) && strncmp(at, dir, n) == 0) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(at + n, "/"), at + n);
		if (strcmp(name, last) != 0)
			rc = fn(arg, name);
		strcpy(last, name);
		any = true;
	}
	return rc ? rc : any ? 0 : -ENOENT;
}
