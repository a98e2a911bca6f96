/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_unexported.c - which files below the directories of archives are not in their containers
 * as they are: for who would delete the cluster. Each file is asked for, on a mount for this. */
#include "client/tools/sheenctl_archive.h"
#include "client/tools/tool_mount.h"
#include "client/tools/tool_cmd.h"
#include "common/hsm.h"
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

enum { NAMED = 5, OPEN_DIRS = 32 };

static struct {
	size_t skip; /* of the paths: the mount point */
	uint64_t n;
	int rc;
} at; /* nftw() passes no argument */

/* 1: it is not there as it is, be it its attributes. */
static int is_unexported(const char *path)
{
	char *text, *line, *save = NULL;
	unsigned flags = 0, changed = 0;
	int rc = tool_ask(path, "sheen.hsm", &text, NULL);

	if (rc)
		return rc;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		(void)!sscanf(line, "flags %x", &flags);
		(void)!sscanf(line, "changed %u", &changed);
	}
	free(text);
	return !(flags & HSM_ARCHIVED) || (flags & HSM_DIRTY) || changed;
}

static int look(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	int rc;

	(void)ftw;
	if (type != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	rc = is_unexported(path);
	if (rc < 0) {
		at.rc = tool_fail(rc, "%s", path + at.skip);
		return 1;
	}
	if (rc && at.n++ < NAMED)
		tool_say("not exported: %s", path + at.skip);
	return 0;
}

static int look_below(const char *mount, const struct ctl_archive *a)
{
	char top[CTL_MAX_PATH * 2];

	snprintf(top, sizeof(top), "%s%s", mount, a->path);
	at.skip = strlen(mount);
	if (access(top, F_OK))
		return 0; /* nothing was ever there */
	if (nftw(top, look, OPEN_DIRS, FTW_PHYS | FTW_MOUNT) < 0)
		return tool_fail(errno, "%s", a->path);
	return at.rc;
}

int ctl_check_exported(const struct ctl_cluster *c)
{
	char mount[CTL_MAX_PATH];
	struct ctl_archive *a;
	uint32_t i, n;
	int rc = ctl_archives_read(c->dir, &a, &n), rc2;

	if (rc || !n)
		return rc;
	snprintf(mount, sizeof(mount), "%.900s/run/look", c->dir);
	rc = ctl_mount(c, mount, NULL);
	if (rc == 0) {
		for (i = 0; i < n && rc == 0; i++)
			rc = look_below(mount, &a[i]);
		rc2 = ctl_umount(mount, false);
		rc = rc ? rc : rc2;
		(void)!rmdir(mount);
	}
	free(a);
	if (rc)
		return rc;
	if (!at.n)
		return 0;
	tool_say("%llu files are not in their containers as they are: sheenctl archive --name ..., "
		 "or say --discard-unexported", (unsigned long long)at.n);
	return -EBUSY;
}
