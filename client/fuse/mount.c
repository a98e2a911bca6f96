/* SPDX-License-Identifier: Apache-2.0 */
/* mount.c - see mount.h. Only root may mount: there is no set-uid helper. */
#include "client/fuse/mount.h"
#include "common/log.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FS_TYPE "fuse.sheen"

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U
#endif

static char guarded[PATH_MAX];
static uint64_t attached_id; /* of our mount; 0: there is none, or the kernel does not tell */

/* The number of the mount on path, without a request to whoever serves it. Since Linux 6.8 none is
 * ever used twice; before, that of a mount that is gone may come back. */
static uint64_t mount_id(const char *path)
{
	struct statx stx;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		  STATX_MNT_ID | STATX_MNT_ID_UNIQUE, &stx))
		return 0;
	return stx.stx_mask & (STATX_MNT_ID | STATX_MNT_ID_UNIQUE) ? stx.stx_mnt_id : 0;
}

void mount_adopt(uint64_t id)
{
	attached_id = id;
}

uint64_t mount_number(void)
{
	return attached_id;
}

/* What is mounted there now may be another client's, if somebody unmounted ours and was quick. */
static bool is_ours(const char *path)
{
	uint64_t id = attached_id ? mount_id(path) : 0;

	return !id || id == attached_id;
}

/* The last mount on path, as /proc/self/mounts tells. Blanks in paths are \040 there. */
static bool mounted_source(const char *path, char *source, size_t len)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char *line = NULL, *save;
	size_t cap = 0;
	bool found = false;

	while (f && getline(&line, &cap, f) > 0) {
		char *src = strtok_r(line, " ", &save), *dir = strtok_r(NULL, " ", &save);
		char *type = strtok_r(NULL, " ", &save);

		if (!src || !dir || !type || strcmp(dir, path))
			continue;
		found = strcmp(type, FS_TYPE) == 0;
		if (found)
			snprintf(source, len, "%s", src);
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

/* The client behind it is gone: every access says ENOTCONN, or ECONNABORTED while its ring goes. */
static bool drop_dead_mount(const char *dir)
{
	char source[512];

	if (!mounted_source(dir, source, sizeof(source)) || umount2(dir, MNT_DETACH))
		return false;
	log_warn("took away the mount of %s on %s, whose client had died", source, dir);
	return true;
}

int mount_point_check(const char *dir, const char *source, char *path, size_t path_len, char *why,
		      size_t why_len)
{
	char real[PATH_MAX], old[512];
	struct stat st;
	int rc = stat(dir, &st) ? -errno : 0;

	if ((rc == -ENOTCONN || rc == -ECONNABORTED) && drop_dead_mount(dir))
		rc = stat(dir, &st) ? -errno : 0;
	if (rc == 0 && !S_ISDIR(st.st_mode))
		rc = -ENOTDIR;
	if (rc == 0 && !realpath(dir, real))
		rc = -errno;
	if (rc) {
		snprintf(why, why_len, "mount point %.200s: %s", dir, err_str(rc));
		return rc;
	}
	if (mounted_source(real, old, sizeof(old)) && strcmp(old, source) == 0) {
		snprintf(why, why_len,
			 "according to /proc/mounts %.200s is already mounted on %.200s", source,
			 real);
		return -EALREADY;
	}
	snprintf(path, path_len, "%s", real);
	return 0;
}

/* The limit is for the whole system; it only bounds what file systems may ask for. */
uint32_t mount_max_request(uint32_t want)
{
	static const char path[] = "/proc/sys/fs/fuse/max_pages_limit";
	unsigned int pages = 256; /* of kernels that have no such file */
	FILE *f = fopen(path, "r+e");

	if (!f)
		return pages * 4096 < want ? pages * 4096 : want;
	if (fscanf(f, "%u", &pages) != 1)
		pages = 256;
	if (pages < want / 4096) {
		rewind(f);
		if (fprintf(f, "%u\n", want / 4096) > 0 && fflush(f) == 0)
			pages = want / 4096;
	}
	fclose(f);
	return pages >= want / 4096 ? want : pages * 4096;
}

int mount_device_open(char *why, size_t why_len)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		return fd;
	fd = -errno;
	snprintf(why, why_len, "/dev/fuse: %s%s", err_str(fd),
		 fd == -ENOENT || fd == -ENODEV ? " (is the kernel module fuse loaded?)" : "");
	return fd;
}

int mount_attach(const struct options *o, const char *path, int fd, uint32_t max_read, char *why,
		 size_t why_len)
{
	char opts[256];
	int rc;

	snprintf(opts, sizeof(opts),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions,"
		 "max_read=%u",
		 fd, max_read);
	if (mount(o->source_text, path, FS_TYPE, o->ms_flags, opts) == 0) {
		attached_id = mount_id(path);
		return 0;
	}
	rc = -errno;
	snprintf(why, why_len, "%s%s", err_str(rc),
		 rc == -EPERM ? " (only root can mount)" : "");
	return rc;
}

/* For files that the kernel keeps pages of; for others see client/core/ahead.h. */
static void set_read_ahead(dev_t dev, uint32_t kb)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", major(dev), minor(dev));
	f = fopen(path, "we");
	if (!f || fprintf(f, "%u", kb) < 0)
		log_dbg("cannot set the read-ahead (%s)", path);
	if (f && fclose(f))
		log_dbg("cannot set the read-ahead (%s)", path);
}

int mount_verify(const struct options *o, const char *path, char *why, size_t why_len)
{
	struct statfs sf;
	struct stat st;
	int rc = 0;

	if (stat(path, &st) || statfs(path, &sf))
		rc = -errno;
	if (rc) {
		snprintf(why, why_len, "the mounted root does not answer: %s", err_str(rc));
		return rc;
	}
	set_read_ahead(st.st_dev, o->read_ahead_kb);
	return 0;
}

void mount_detach(const char *path)
{
	guarded[0] = 0;
	if (!is_ours(path))
		return;
	if (umount2(path, UMOUNT_NOFOLLOW) == 0)
		return;
	if (errno == EINVAL || errno == ENOENT)
		return; /* no longer mounted */
	if (errno == EBUSY)
		log_warn("%s is in use: it disappears now and ends with its last user", path);
	if (umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH) && errno != EINVAL)
		log_err("cannot unmount %s: %s", path, err_str(errno));
}

static void on_fatal(int signo)
{
	if (guarded[0] && is_ours(guarded))
		umount2(guarded, MNT_DETACH);
	log_dump_ring();
	signal(signo, SIG_DFL);
	raise(signo);
}

void mount_guard(const char *path)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	struct sigaction sa = {.sa_handler = on_fatal, .sa_flags = SA_RESETHAND};
	size_t i;

	snprintf(guarded, sizeof(guarded), "%s", path);
	for (i = 0; i < ARRAY_SIZE(fatal); i++)
		sigaction(fatal[i], &sa, NULL);
}
