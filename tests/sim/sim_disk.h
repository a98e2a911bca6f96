/* SPDX-License-Identifier: Apache-2.0 */
/* sim_disk.h - the doors of the simulated disks: what a harness may do to them and look at.
 *
 * A platter is what outlives disk_close(): the files below one directory name. Harness only,
 * between steps.
 */
#pragma once
#include "common/disk.h"

struct sim_disk {
	uint64_t delay_max_ns;	    /* each half of an operation takes up to this long */
	uint32_t slow_per_million;  /* an operation takes slow_ns more */
	uint64_t slow_ns;
	uint32_t error_per_million; /* an operation fails with -EIO */
	uint64_t capacity;	    /* of disks that are opened from now on, bytes */
	uint64_t ops;		    /* counter */
};

/* Settings of all disks; may be changed at any time. */
struct sim_disk *sim_disk(void);
void sim_disk_begin(void);
/* Frees all platters; all disks are closed (asserted). */
void sim_disk_end(void);

/* What the loss of power leaves of a platter: every page that was not synced is old, new or torn, a
 * file that was never synced may be gone. If the disk is open it only dies, with -EIO from now on:
 * once more when it is closed. */
void sim_disk_crash(const char *dir);
/* Room of a platter from now on. */
void sim_disk_set_capacity(const char *dir, uint64_t bytes);
/* Files in the order of their names. */
typedef void sim_disk_file_fn(void *arg, const char *path, uint64_t size);
void sim_disk_each(const char *dir, sim_disk_file_fn *fn, void *arg);
/* The next path behind this one in order, for disk_list(); NULL. */
const char *sim_disk_next(struct disk *d, const char *path);
