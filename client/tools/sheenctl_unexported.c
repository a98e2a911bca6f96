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
	size_t top;  /* the same, with the directory of the archive */
	char prefix[CTL_MAX_URL + 1];
	uint32_t id;
	uint64_t n;
	int rc;
} at; /* nftw() passes no argument */

/* Between "name " and the last line, which is "etag ...": it may have any bytes in it. */
static bool has_name(const char *text, const char *name)
{
	const char *from = strstr(text, "\nname "), *end = NULL, *p;

	if (!from)
		return false;
	from += strlen("\nname ");
	for (p = from - 1; (p = strstr(p, "\netag ")); p++)
		end = p;
	return end && (size_t)(end - from) == strlen(name) && !strncmp(from, name, strlen(name));
}

/* 1: it is not there as it is, be it its attributes or its name (NULL: it has several). */
static int is_unexported(const char *path, const char *name)
{
	unsigned flags = 0, archive = 0, changed = 0;
	const char *at_changed;
	char *text;
	int rc = tool_xattr(path, "system.sheen.hsm", true, &text, NULL);

	if (rc)
		return rc;
	(void)!sscanf(text, "flags %x archive %u", &flags, &archive);
	at_changed = strstr(text, "\nchanged ");
	if (at_changed)
		(void)!sscanf(at_changed, " changed %u", &changed);
	rc = !(flags & HSM_ARCHIVED) || (flags & HSM_DIRTY) || changed || archive != at.id ||
	     (name && !has_name(text, name));
	free(text);
	return rc;
}

static int look(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char name[CTL_MAX_URL + CTL_MAX_PATH * 4];
	int rc;

	(void)ftw;
	if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
		return 0;
	(void)type;
	snprintf(name, sizeof(name), "%s%s", at.prefix, path + at.top);
	rc = is_unexported(path, st->st_nlink > 1 ? NULL : name);
	if (rc < 0) {
		at.rc = tool_fail(rc, "%s", path + at.skip);
		return 1;
	}
	if (rc && at.n++ < NAMED)
		tool_say("not exported: %s", path + at.skip);
	return 0;
}

/* As movers have it: "" or with a '/' behind it, and none before. */
static void set_prefix(const char *prefix)
{
	size_t n;

	prefix += strspn(prefix, "/");
	n = strlen(prefix);
	while (n && prefix[n - 1] == '/')
		n--;
	snprintf(at.prefix, sizeof(at.prefix), "%.*s%s", (int)n, prefix, n ? "/" : "");
}

static int look_below(const char *mount, const struct ctl_archive *a)
{
	char top[CTL_MAX_PATH * 2];

	snprintf(top, sizeof(top), "%s%s", mount, a->path[1] ? a->path : "");
	at.skip = strlen(mount);
	at.top = strlen(top) + 1;
	at.id = a->id;
	set_prefix(a->prefix);
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
