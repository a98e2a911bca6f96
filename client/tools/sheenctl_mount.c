/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_mount.c - the mounts of a cluster. They are looked up in the kernel's table and never
 * touched through the file system: with servers down that would hang. */
#include "client/tools/sheenctl.h"
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_mount.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_CLIENTS = 64, CLIENT_END_MS = 15000, BUSY_MS = 2000, STEP_MS = 20 };

/* Does a mount source name our MGS and our file system? */
static bool is_ours(const struct ctl_cluster *c, const char *source)
{
	struct mount_source *src = malloc(sizeof(*src));
	struct nid_list mgs;
	char why[256];
	bool ours = false;
	uint32_t i;

	if (src && ctl_nids(c, &c->proc[0], &mgs) == 0 &&
	    mount_source_parse(source, src, why, sizeof(why)) == 0 &&
	    !strcmp(src->fsname, c->fsname))
		for (i = 0; i < src->mgs.n; i++)
			ours |= nid_eq(&src->mgs.nid[i], &mgs.nid[0]) &&
				nid_port(&src->mgs.nid[i]) == nid_port(&mgs.nid[0]);
	free(src);
	return ours;
}

int ctl_mounts(const struct ctl_cluster *c, struct ctl_mounts *out)
{
	struct tool_mounts ms;
	uint32_t i;
	int rc;

	*out = (struct ctl_mounts){0};
	rc = tool_mounts_read(&ms);
	if (rc)
		return tool_fail(rc, "cannot read the mounts");
	out->dir = calloc(ms.n + 1, sizeof(*out->dir));
	for (i = 0; out->dir && i < ms.n; i++) {
		if (!is_ours(c, ms.m[i].source))
			continue;
		out->dir[out->n++] = ms.m[i].dir;
		ms.m[i].dir = NULL;
	}
	tool_mounts_free(&ms);
	return out->dir ? 0 : -ENOMEM;
}

void ctl_mounts_free(struct ctl_mounts *m)
{
	uint32_t i;

	for (i = 0; i < m->n; i++)
		free(m->dir[i]);
	free(m->dir);
	*m = (struct ctl_mounts){0};
}

/* -1: a client that died is still in the mount table; 0: nothing there; 1: mounted. */
static int look(const struct ctl_cluster *c, const char *dir)
{
	struct ctl_mounts m;
	bool listed = false;
	uint32_t i;
	int fd;

	if (ctl_mounts(c, &m))
		return 0;
	for (i = 0; i < m.n; i++)
		listed |= !strcmp(m.dir[i], dir);
	ctl_mounts_free(&m);
	if (!listed)
		return 0;
	/* Not stat(): the kernel may remember that answer. The client answers this by itself. */
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTCONN || errno == ECONNABORTED ? -1 : 1; /* dead, dying */
	close(fd);
	return 1;
}

/* The path as the kernel's table shows it, even if the mount on it is dead; malloc'd. */
static char *absolute(const char *dir)
{
	char *real = realpath(dir, NULL), *copy, *parent, *out = NULL;
	const char *base;

	if (real || errno != ENOTCONN)
		return real;
	copy = strdup(dir);
	if (!copy)
		return NULL;
	base = basename(copy); /* glibc's: leaves copy alone, "" for a trailing slash */
	if (*base && base > copy) {
		copy[base - copy - 1] = '\0';
		parent = realpath(*copy ? copy : "/", NULL);
	} else {
		parent = realpath(".", NULL);
	}
	if (parent && asprintf(&out, "%s/%s", strcmp(parent, "/") ? parent : "", base) < 0)
		out = NULL;
	free(parent);
	free(copy);
	return out;
}

static int mount_at(const struct ctl_cluster *c, const char *dir, const char *opts)
{
	char nid[NID_STRLEN], source[NID_STRLEN + MAX_FSNAME + 4];
	const char *args[] = {source, dir, opts ? "-o" : NULL, opts, NULL};
	int rc;

	switch (look(c, dir)) {
	case 1:
		printf("mount    %s is mounted already\n", dir);
		return 0;
	case -1:
		printf("mount    %s was left by a client that died: unmounted\n", dir);
		if (umount2(dir, MNT_DETACH))
			return tool_fail(errno, "cannot unmount %s", dir);
	}
	snprintf(source, sizeof(source), "%s:/%s", ctl_nid(c, &c->proc[0], nid), c->fsname);
	rc = ctl_run(NULL, "mount.sheen", args);
	if (rc) {
		tool_say("mounting %s on %s failed", source, dir);
		return rc < 0 ? rc : -EIO;
	}
	printf("mount    %s on %s\n", source, dir);
	return 0;
}

int ctl_mount(const struct ctl_cluster *c, const char *dir, const char *opts)
{
	struct stat st;
	char *real;
	int rc;

	if (stat(dir, &st) && errno == ENOENT) {
		rc = ctl_mkdirs(dir);
		if (rc)
			return tool_fail(rc, "cannot make the mount point %s", dir);
	}
	real = absolute(dir);
	if (!real)
		return tool_fail(errno, "mount point %s", dir);
	rc = mount_at(c, real, opts);
	free(real);
	return rc;
}

/* Processes of the client program that serve this mount point. */
static int client_pidfds(const char *dir, int fds[MAX_CLIENTS])
{
	char path[64], text[4096];
	struct dirent *d;
	DIR *proc = opendir("/proc");
	ssize_t n, at;
	int fd, count = 0;
	bool named;

	while (proc && count < MAX_CLIENTS && (d = readdir(proc))) {
		if (d->d_name[0] < '1' || d->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/cmdline", d->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		if (fd >= 0)
			close(fd);
		if (n <= 0)
			continue;
		text[n] = '\0';
		at = (ssize_t)strlen(text);
		if (at < 5 || strcmp(text + at - 5, "sheen") || (at > 5 && text[at - 6] != '/'))
			continue;
		for (named = false; at < n && !named; at += (ssize_t)strlen(text + at) + 1)
			named = !strcmp(text + at, dir);
		if (named)
			fds[count++] = ctl_pidfd((pid_t)strtol(d->d_name, NULL, 10));
	}
	if (proc)
		closedir(proc);
	return count;
}

/* A request that a killed process left behind keeps the mount busy until it is answered. */
static int umount_patiently(const char *dir)
{
	uint64_t end = ctl_now_ms() + BUSY_MS;

	while (umount2(dir, UMOUNT_NOFOLLOW)) {
		if (errno != EBUSY || ctl_now_ms() >= end)
			return -errno;
		poll(NULL, 0, STEP_MS);
	}
	return 0;
}

int ctl_umount(const char *dir, bool force)
{
	int fds[MAX_CLIENTS], n, i, rc;

	n = client_pidfds(dir, fds);
	rc = umount_patiently(dir);
	if (rc == 0) {
		printf("mount    %s unmounted\n", dir);
	} else if (!force) {
		tool_say("cannot unmount %s: %s%s", dir, strerror(-rc),
			 rc == -EBUSY ? " (fuser -vm shows by whom; --force detaches it)" : "");
	} else if (umount2(dir, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
		rc = 0;
		printf("mount    %s detached, though it is in use\n", dir);
	} else {
		rc = tool_fail(errno, "cannot detach %s", dir);
	}
	for (i = 0; i < n; i++) {
		if (rc == 0 && !force && !ctl_wait_pidfd(fds[i], CLIENT_END_MS))
			printf("mount    the client of %s still runs\n", dir);
		if (fds[i] >= 0)
			close(fds[i]);
	}
	return rc;
}
