/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - the command line of `sheen`, as a person, mount.fuse3 or mount.sheen writes it.
 *
 * Every -o option stands once in MOUNT_OPTIONS below. What mount(8) leaves for programs to
 * ignore is ignored, anything else that is not in the list is refused by its name. Pure; no
 * side effects.
 */
#pragma once
#include "common/base.h"
#include "common/nid.h"

enum lock_mode { LOCKS_FLOCK, LOCKS_LOCAL, LOCKS_NONE };
enum uring_mode { URING_AUTO, URING_ON, URING_OFF };

struct options {
	const char *source_text, *mountpoint;
	struct mount_source source;
	unsigned long ms_flags; /* MS_RDONLY, ... for mount(2) */
	bool foreground, help, version, verbose;
	int debug; /* enum log_level */
	bool noatime;
	enum lock_mode locks;
	uint32_t lanes;	     /* 0: by the number of processors */
	uint32_t retry;	     /* tries after the first */
	bool soft;	     /* operations do not wait for silent servers for ever */
	uint32_t timeo_ds;   /* tenths of a second after which one is silent; 0: never */
	uint32_t timeout_s;  /* for the MGS and the MDT to answer at mount */
	bool nocache;	     /* the kernel keeps no names and attributes, leases or not */
	uint32_t read_ahead_kb;
	enum uring_mode uring;
	uint32_t uring_depth; /* 0: the default */
	char set_param[8][256]; /* param=NAME=VALUE */
	uint32_t nset_param;
	bool keeper;
	const char *take_over; /* from the keeper; see keeper.h */
};

/* name, what it does (for --help and the manual). A name with '=' takes a value. */
/* clang-format off */
#define MOUNT_OPTIONS(O) \
	O(rw, "rw", "read and write (default)") \
	O(ro, "ro", "read only") \
	O(suid, "suid", "honour set-id bits (default for root's mounts)") \
	O(nosuid, "nosuid", "ignore set-id bits") \
	O(dev, "dev", "honour device files") \
	O(nodev, "nodev", "ignore device files") \
	O(exec, "exec", "allow programs to be run (default)") \
	O(noexec, "noexec", "allow no program to be run") \
	O(sync, "sync", "write synchronously") \
	O(async, "async", "do not (default)") \
	O(dirsync, "dirsync", "change directories synchronously") \
	O(atime, "atime", "keep times of reading") \
	O(noatime, "noatime", "do not keep times of reading") \
	O(relatime, "relatime", "keep times of reading when older than the last change (default)") \
	O(strictatime, "strictatime", "as atime") \
	O(diratime, "diratime", "keep times of reading of directories") \
	O(nodiratime, "nodiratime", "do not") \
	O(flock, "flock", "file locks hold on all clients (default)") \
	O(localflock, "localflock", "file locks hold on this client only: faster") \
	O(noflock, "noflock", "file locks are refused") \
	O(user_xattr, "user_xattr", "extended attributes for users (default)") \
	O(lanes, "lanes=", "threads that serve the mount (default: processors, 4 at most)") \
	O(retry, "retry=", "try so many times more when no server answers") \
	O(mount_timeout, "mount_timeout=", "wait for servers so long (default 30 s)") \
	O(hard, "hard", "operations wait until servers answer (default)") \
	O(soft, "soft", "they end with EIO when a server is silent for timeo") \
	O(timeo, "timeo=", "tenths of a second (600 with soft); hard: the log says so") \
	O(nocache, "nocache", "the kernel keeps no names and attributes (default: by leases)") \
	O(read_ahead_kb, "read_ahead_kb=", "read-ahead of the kernel (default 4096)") \
	O(uring, "uring", "FUSE over io_uring (default: where the kernel has it switched on)") \
	O(uring_depth, "uring=", "the same, with so many entries for each processor (default 16)") \
	O(nouring, "nouring", "/dev/fuse, whatever the kernel offers") \
	O(keeper, "keeper", "a process keeps the mount when the one that serves it dies") \
	O(nokeeper, "nokeeper", "none does (default)") \
	O(param, "param=", "NAME=VALUE: set a parameter as lctl set_param does") \
	O(fsname, "fsname=", "ignored: mount.fuse3 gives it") \
	O(subtype, "subtype=", "ignored: mount.fuse3 gives it")
/* clang-format on */

void options_init(struct options *o);
/* argv as main() gets it; why (why_len bytes) is text for people. 0, -EINVAL. */
must_check int options_parse(struct options *o, int argc, char **argv, char *why, size_t why_len);
/* One -o string: "a,b=c". Changes nothing that text points to. */
must_check int options_parse_list(struct options *o, const char *text, char *why, size_t why_len);
/* What is in effect, as one -o string without fsname, subtype and param=. */
void options_text(const struct options *o, char *text, size_t len);
void options_help(void);
