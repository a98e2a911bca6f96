/* SPDX-License-Identifier: Apache-2.0 */
/* mkfs_format.c - the work of mkfs.sheen: looks at the directory, empties an old target, writes the
 * label. It deletes nothing in a directory that is no target: a mistyped name must cost nothing.
 */
#include "client/tools/mkfs.h"
#include "common/guard_file.h"
#include "common/log.h"
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LABEL_FILE "sheen.target"
#define LOCK_FILE "sheen.lock"

static int fail(int rc, const char *fmt, ...) PRINTF_LIKE(2, 3);
static int fail(int rc, const char *fmt, ...)
{
	va_list ap;

	fputs("mkfs.sheen: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return rc;
}

/* Flags as mkfs.lustre prints them. */
static uint32_t disk_flags(const struct target_label *l)
{
	static const uint32_t type_flag[] = {
		[TARGET_MGS] = 0x4,
		[TARGET_MDT] = 0x1,
		[TARGET_OST] = 0x2,
	};

	return type_flag[l->type] | 0x20 | 0x40; /* first time, update */
}

static void print_params(FILE *f, const struct target_label *l)
{
	const char *p = l->params, *end;

	fputs("Parameters:", f);
	if (l->mgsnode[0])
		fprintf(f, " mgsnode=%s", l->mgsnode);
	if (l->servicenode[0])
		fprintf(f, " servicenode=%s", l->servicenode);
	if (l->failnode[0])
		fprintf(f, " failover.node=%s", l->failnode);
	if (l->port)
		fprintf(f, " port=%u", l->port);
	for (; *p; p = *end ? end + 1 : end) {
		end = p + strcspn(p, "\n");
		fprintf(f, " %.*s", (int)(end - p), p);
	}
	fputs("\n\n", f);
}

void mkfs_print(FILE *f, const struct mkfs *m)
{
	const struct target_label *l = &m->label;
	const char *type = target_type_name(l->type);

	fputs("\n   Permanent disk data:\n", f);
	if (l->type == TARGET_MGS)
		fputs("Target:     MGS\nIndex:      unassigned\n", f);
	else
		fprintf(f, "Target:     %s:%s%04x\nIndex:      %u\n", l->fsname, type, l->index,
			l->index);
	fprintf(f, "Lustre FS:  %s\n", l->fsname);
	fputs("Mount type: sheen\n", f);
	fprintf(f, "Flags:      0x%x\n", disk_flags(l));
	fprintf(f, "              (%s first_time update )\n", type);
	fputs("Persistent mount opts: \n", f);
	print_params(f, l);
}

/* ---- the directory ---- */

enum state { DIR_MISSING, DIR_EMPTY, DIR_TARGET, DIR_OTHER };

static int look(const char *path, enum state *out)
{
	struct dirent *d;
	bool label = false, other = false;
	DIR *dir = opendir(path);

	if (!dir) {
		*out = DIR_MISSING;
		return errno == ENOENT ? 0 : fail(-errno, "%s: %s", path, strerror(errno));
	}
	while ((d = readdir(dir))) {
		if (!strcmp(d->d_name, LABEL_FILE))
			label = true;
		else if (strcmp(d->d_name, ".") && strcmp(d->d_name, "..") &&
			 strcmp(d->d_name, "lost+found") && strcmp(d->d_name, LOCK_FILE) &&
			 strcmp(d->d_name, GUARD_FILE))
			other = true;
	}
	closedir(dir);
	*out = label ? DIR_TARGET : other ? DIR_OTHER : DIR_EMPTY;
	return 0;
}

static int refuse_existing(const char *dir)
{
	char why[1024], name[MAX_TARGET_NAME];
	struct target_label old;
	int rc;

	rc = target_label_read(dir, &old, why, sizeof(why));
	if (rc) /* damaged is no reason to overwrite it */
		return fail(-EEXIST,
			    "%s has been formatted before, but: %s\n"
			    "mkfs.sheen: use --reformat to delete what is in it",
			    dir, why);
	target_name(&old, name);
	return fail(-EEXIST, "%s is already formatted as %s: use --reformat to delete its data",
		    dir, name);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + ftw->base;

	(void)st;
	if (ftw->level == 0)
		return 0;
	if (ftw->level == 1 && (!strcmp(name, LOCK_FILE) || !strcmp(name, GUARD_FILE) ||
				!strcmp(name, "lost+found")))
		return 0;
	return type == FTW_DP ? rmdir(path) : unlink(path);
}

/* Everything but lock and guard; the label goes first, so that a half-emptied directory is no
 * target. */
static int empty(const char *dir)
{
	char path[4200];

	snprintf(path, sizeof(path), "%.4090s/" LABEL_FILE, dir);
	if (unlink(path) && errno != ENOENT)
		return fail(-errno, "%s: %s", path, strerror(errno));
	if (nftw(dir, remove_one, 64, FTW_DEPTH | FTW_PHYS | FTW_MOUNT))
		return fail(-errno, "cannot empty %s: %s", dir, strerror(errno));
	return 0;
}

/* mkdir -p */
static int make_dir(const char *dir)
{
	char path[MAX_PATH], *p;

	if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path))
		return fail(-ENAMETOOLONG, "the name of the directory is too long");
	for (p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			return fail(-errno, "mkdir %s: %s", path, strerror(errno));
		*p = '/';
	}
	if (mkdir(path, 0755) && errno != EEXIST)
		return fail(-errno, "mkdir %s: %s", path, strerror(errno));
	return 0;
}

static int write_comment(const struct mkfs *m)
{
	char path[4200];
	FILE *f;

	if (!m->comment)
		return 0;
	snprintf(path, sizeof(path), "%.4090s/comment", m->dir);
	f = fopen(path, "we");
	if (!f || fprintf(f, "%s\n", m->comment) < 0 || fclose(f))
		return fail(-EIO, "%s: %s", path, strerror(errno));
	return 0;
}

static int check_state(const struct mkfs *m, enum state state)
{
	if (state == DIR_OTHER)
		return fail(-ENOTEMPTY, "%s holds other files: give an empty directory", m->dir);
	if (state == DIR_TARGET && !m->reformat)
		return refuse_existing(m->dir);
	return 0;
}

/* Nobody serves it, here or elsewhere. */
static int take(const struct mkfs *m, int *fd, struct guard **guard)
{
	char why[1024];
	int rc = target_lock(m->dir, fd, why, sizeof(why));

	if (rc == 0) {
		rc = guard_file_make(m->dir);
		if (rc == 0 || rc == -EEXIST)
			rc = guard_take(&m->dir, 1, guard, why, sizeof(why));
		else
			snprintf(why, sizeof(why), "%s/%s: %s", m->dir, GUARD_FILE, err_str(rc));
		if (rc)
			close(*fd);
	}
	if (rc)
		fail(rc, "%s", why);
	return rc == -EBUSY ? fail(rc, "%s is in use, exiting without any change", m->dir) : rc;
}

static int write_target(struct mkfs *m)
{
	struct guard *guard;
	char why[1024];
	int fd, rc;

	rc = take(m, &fd, &guard);
	if (rc)
		return rc;
	rc = m->reformat ? empty(m->dir) : 0;
	if (rc == 0)
		rc = write_comment(m);
	if (rc == 0) {
		rc = target_label_write(m->dir, &m->label, why, sizeof(why));
		if (rc)
			fail(rc, "%s", why);
	}
	guard_release(guard);
	close(fd);
	return rc;
}

int mkfs_format(struct mkfs *m)
{
	enum state state;
	int rc;

	m->label.version = TARGET_VERSION;
	uuid_make(m->label.uuid);
	rc = look(m->dir, &state);
	if (rc == 0)
		rc = check_state(m, state);
	if (rc)
		return rc;
	if (!m->quiet)
		mkfs_print(stdout, m);
	if (m->dryrun) {
		if (m->verbose)
			printf("dry run: %s is unchanged\n", m->dir);
		return 0;
	}
	if (m->verbose && state == DIR_MISSING)
		printf("making %s\n", m->dir);
	if (m->verbose && state == DIR_TARGET)
		printf("deleting the old target in %s\n", m->dir);
	rc = state == DIR_MISSING ? make_dir(m->dir) : 0;
	if (rc == 0)
		rc = write_target(m);
	if (rc == 0 && !m->quiet)
		printf("Writing %s/" LABEL_FILE "\n", m->dir);
	return rc;
}
