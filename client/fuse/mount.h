/* SPDX-License-Identifier: Apache-2.0 */
/* mount.h - the mount itself: /dev/fuse, mount(2), umount(2), tuning of the mounted file system.
 * Main thread. On error why (why_len bytes) is text for people. */
#pragma once
#include "client/fuse/options.h"

/* Canonical path of the directory to mount on; takes away a mount of ours that has died there. */
must_check int mount_point_check(const char *dir, const char *source, char *path, size_t path_len,
				 char *why, size_t why_len);
/* The largest request that the kernel will send; raises its limit up to want (a multiple of pages)
 * if that is possible. */
uint32_t mount_max_request(uint32_t want);
/* Opens /dev/fuse. The descriptor or -errno. */
must_check int mount_device_open(char *why, size_t why_len);
must_check int mount_attach(const struct options *o, const char *path, int fd, uint32_t max_read,
			    char *why, size_t why_len);
/* The first use of the mount: its root must answer. Sets the read-ahead. Blocks until lanes
 * answer. */
must_check int mount_verify(const struct options *o, const char *path, char *why, size_t why_len);
/* Takes the mount away if it is still that of mount_attach(); a busy one is detached and ends with
 * its last user. */
void mount_detach(const char *path);
/* The mount is one that another process has made; its number. */
void mount_adopt(uint64_t id);
uint64_t mount_number(void);
/* If the process dies by a signal of its own making, no dead mount stays behind. */
void mount_guard(const char *path);
