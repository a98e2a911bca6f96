/* SPDX-License-Identifier: Apache-2.0 */
/* disk_recorder.c - disks whose machine loses its power: disk_recorder DIR N MIB MOUNTPOINT.
 *
 * A FUSE file system with files 0 to N-1, each a disk for a loop device. What is written is kept
 * apart until a flush (fsync, which the loop device makes of the block layer's), as a disk with a
 * volatile cache does. Writing "SEED PATH" to the file "lose" makes images PATH.0 to PATH.N-1 of
 * what such disks could have when the power goes at that moment, the same for all: what was
 * flushed, and of the writes since any ones, some of them torn between sectors. The disks
 * themselves go on.
 *
 * One thread: nothing is written while images are made. DIR holds now.I (all that was written) and
 * stable.I (what was flushed).
 */
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

enum { MAX_DISKS = 8, SECTOR = 512, COPY = 1 << 20, PATH_LEN = 4096 };

struct write {
	STAILQ_ENTRY(write) link;
	off_t off;
	size_t len;
	char data[];
};

struct disk {
	int now, stable;
	STAILQ_HEAD(, write) cached;
};

static struct disk disks[MAX_DISKS];
static int ndisks;
static off_t disk_size;

static int put(int fd, const char *p, size_t n, off_t at)
{
	while (n) {
		ssize_t k = pwrite(fd, p, n, at);

		if (k <= 0)
			return k < 0 ? -errno : -EIO;
		p += k;
		n -= (size_t)k;
		at += k;
	}
	return 0;
}

/* The disk of a path, NULL for others. */
static struct disk *disk_of(const char *path)
{
	int i = path[1] - '0';

	return i >= 0 && i < ndisks && !path[2] ? &disks[i] : NULL;
}

static int flush_disk(struct disk *d)
{
	struct write *w;
	int rc = 0;

	while (rc == 0 && (w = STAILQ_FIRST(&d->cached))) {
		rc = put(d->stable, w->data, w->len, w->off);
		STAILQ_REMOVE_HEAD(&d->cached, link);
		free(w);
	}
	return rc;
}

/* ---- a loss of power ---- */

static int copy_data(int from, int to)
{
	static char buf[COPY];
	off_t at = 0, end;

	if (ftruncate(to, disk_size))
		return -errno;
	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		end = lseek(from, at, SEEK_HOLE);
		while (at < end) {
			size_t n = end - at < COPY ? (size_t)(end - at) : COPY;
			ssize_t k = pread(from, buf, n, at);
			int rc = k <= 0 ? -EIO : put(to, buf, (size_t)k, at);

			if (rc)
				return rc;
			at += k;
		}
	}
	return errno == ENXIO ? 0 : -errno;
}

/* keep: how many of 100 writes that were not flushed the disk has nevertheless. */
static int lose_disk(struct disk *d, const char *path, unsigned int *seed, int keep)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), rc;
	struct write *w;

	if (fd < 0)
		return -errno;
	rc = copy_data(d->stable, fd);
	STAILQ_FOREACH(w, &d->cached, link)
	{
		size_t n = w->len;

		if (rc || rand_r(seed) % 100 >= keep)
			continue;
		if (rand_r(seed) % 10 == 0) /* torn */
			n = (size_t)rand_r(seed) % (n / SECTOR + 1) * SECTOR;
		rc = put(fd, w->data, n, w->off);
	}
	close(fd);
	return rc;
}

static int lose_power(const char *text, size_t len)
{
	static const int keeps[] = {0, 10, 50, 90, 100};
	char line[PATH_LEN], base[PATH_LEN], path[PATH_LEN + 16];
	unsigned int seed;
	int i, rc = 0, keep;

	if (len >= sizeof(line))
		return -EINVAL;
	memcpy(line, text, len);
	line[len] = 0;
	if (sscanf(line, "%u %4000s", &seed, base) != 2)
		return -EINVAL;
	keep = keeps[rand_r(&seed) % 5];
	for (i = 0; i < ndisks && rc == 0; i++) {
		snprintf(path, sizeof(path), "%s.%d", base, i);
		rc = lose_disk(&disks[i], path, &seed, keep);
	}
	return rc;
}

/* ---- the file system ---- */

static int op_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	(void)fi;
	memset(st, 0, sizeof(*st));
	if (strcmp(path, "/") == 0) {
		st->st_mode = S_IFDIR | 0700;
	} else if (disk_of(path)) {
		st->st_mode = S_IFREG | 0600;
		st->st_size = disk_size;
	} else if (strcmp(path, "/lose") == 0) {
		st->st_mode = S_IFREG | 0600;
	} else {
		return -ENOENT;
	}
	st->st_nlink = 1;
	return 0;
}

static int op_open(const char *path, struct fuse_file_info *fi)
{
	fi->direct_io = !disk_of(path);
	return 0;
}

static int op_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
	(void)size;
	(void)fi;
	return disk_of(path) ? -EPERM : 0;
}

static int op_read(const char *path, char *buf, size_t n, off_t at, struct fuse_file_info *fi)
{
	struct disk *d = disk_of(path);
	ssize_t k = d ? pread(d->now, buf, n, at) : 0;

	(void)fi;
	return k < 0 ? -errno : (int)k;
}

static int op_write(const char *path, const char *buf, size_t n, off_t at,
		    struct fuse_file_info *fi)
{
	struct disk *d = disk_of(path);
	struct write *w;
	int rc;

	(void)fi;
	if (!d) {
		rc = lose_power(buf, n);
		return rc ? rc : (int)n;
	}
	rc = put(d->now, buf, n, at);
	if (rc)
		return rc;
	w = malloc(sizeof(*w) + n);
	if (!w)
		return -ENOMEM;
	w->off = at;
	w->len = n;
	memcpy(w->data, buf, n);
	STAILQ_INSERT_TAIL(&d->cached, w, link);
	return (int)n;
}

static int op_fsync(const char *path, int datasync, struct fuse_file_info *fi)
{
	struct disk *d = disk_of(path);

	(void)datasync;
	(void)fi;
	return d ? flush_disk(d) : 0;
}

static const struct fuse_operations ops = {
	.getattr = op_getattr,
	.open = op_open,
	.truncate = op_truncate,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
};

static int make_file(const char *dir, const char *name, int i)
{
	char path[PATH_LEN];
	int fd;

	snprintf(path, sizeof(path), "%s/%s.%d", dir, name, i);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, disk_size)) {
		perror(path);
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	char single[] = "-s", stay[] = "-f";
	char *args[] = {argv[0], single, stay, argc == 5 ? argv[4] : NULL};
	int i;

	if (argc != 5) {
		fprintf(stderr, "usage: %s DIR N MIB MOUNTPOINT\n", argv[0]);
		return 1;
	}
	ndisks = (int)strtol(argv[2], NULL, 10);
	disk_size = strtol(argv[3], NULL, 10) << 20;
	if (ndisks < 1 || ndisks > MAX_DISKS || disk_size <= 0)
		return 1;
	for (i = 0; i < ndisks; i++) {
		STAILQ_INIT(&disks[i].cached);
		disks[i].now = make_file(argv[1], "now", i);
		disks[i].stable = make_file(argv[1], "stable", i);
	}
	return fuse_main(4, args, &ops, NULL);
}
