/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h - port: files of one directory tree, for the OST.
 *
 * Two implementations: disk_uring.c (io_uring on the loop's thread) and tests/sim/disk_sim.c
 * (memory; loses or tears what was not synced at a crash). Paths are relative to the disk's root
 * directory. A disk belongs to one loop. co_ functions suspend the calling fiber, not the thread;
 * the others are short system calls in line. All return 0 or a count, or -errno of the system
 * call. */
#pragma once
#include "common/base.h"
#include <sys/types.h>
#include <sys/uio.h>

struct disk;
struct disk_file;
struct loop;

struct disk_stat {
	uint64_t size;
	uint64_t blocks; /* of 512 bytes */
	int64_t mtime;	 /* ns */
};

struct disk_space {
	uint64_t total, free, avail; /* bytes */
	uint64_t files, ffree;
};

must_check int disk_open(struct loop *l, const char *dir, struct disk **out);
/* No I/O may be in flight. Files must be closed. */
void disk_close(struct disk *d);

/* create: makes the file, and missing directories above it. -ENOENT without create. */
must_check int disk_co_open(struct disk *d, const char *path, bool create, struct disk_file **out);
/* May be called with I/O in flight: the descriptor goes when that ends. */
void disk_file_close(struct disk_file *f);

/* Bytes read (short only at end of file), or -errno. */
must_check ssize_t disk_co_read(struct disk_file *f, struct iovec *iov, uint32_t n, uint64_t off);
/* All bytes or -errno (-ENOSPC after a partial write). */
must_check int disk_co_write(struct disk_file *f, const struct iovec *iov, uint32_t n,
			     uint64_t off);
/* Data and what is needed to read it (fdatasync). */
must_check int disk_co_sync(struct disk_file *f);
/* And attributes (fsync). */
must_check int disk_co_sync_meta(struct disk_file *f);
/* The same for all files, names and attributes of the disk. One at a time. */
must_check int disk_co_sync_all(struct disk *d);
must_check int disk_co_fallocate(struct disk_file *f, uint32_t mode, uint64_t off, uint64_t len);
must_check int disk_co_truncate(struct disk_file *f, uint64_t size);
/* What of it is in the system's cache, unchanged, may go: the next read asks the disk. In line. */
void disk_uncache(struct disk_file *f, uint64_t off, uint64_t len);
must_check int disk_co_unlink(struct disk *d, const char *path);

/* Names in a directory, in no order, without "." and "..". fn returns 0 to go on, else its result
 * ends the list. -ENOENT. In line. */
typedef int disk_name_fn(void *arg, const char *name);
must_check int disk_list(struct disk *d, const char *path, disk_name_fn *fn, void *arg);
must_check int disk_stat(struct disk_file *f, struct disk_stat *out);
/* whence SEEK_DATA or SEEK_HOLE; the offset, or -ENXIO. */
must_check int64_t disk_seek(struct disk_file *f, uint64_t off, int whence);
must_check int disk_space(struct disk *d, struct disk_space *out);
/* Extended attributes of an object's file, name without "user.". Value length, -ENODATA, -ERANGE.
 */
must_check ssize_t disk_getxattr(struct disk_file *f, const char *name, void *value, size_t len);
must_check int disk_setxattr(struct disk_file *f, const char *name, const void *value, size_t len);
