/* SPDX-License-Identifier: Apache-2.0 */
/* tool_mount.h - mounted Sheen file systems of this machine and what their clients tell.
 *
 * A client answers tools through extended attributes with names below "sheen." on any file of the
 * mount, so tools need no socket, no privilege and no knowledge of the client's process. Text
 * from the client is parsed leniently at its end: columns that a newer client appends are
 * ignored. Main thread, blocking.
 */
#pragma once
#include "common/base.h"
#include "common/limits.h"
#include <stdio.h>

struct tool_mount {
	char *dir;    /* mount point, decoded */
	char *source; /* "127.0.0.1@tcp:/lustre" */
};

struct tool_mounts {
	uint32_t n;
	struct tool_mount *m;
};

/* Every Sheen mount, in the order of the kernel's table. -errno. */
must_check int tool_mounts_read(struct tool_mounts *out);
/* The same from a text in the form of /proc/self/mounts. */
must_check int tool_mounts_parse(FILE *f, struct tool_mounts *out);
void tool_mounts_free(struct tool_mounts *ms);

/* The mount that path lies on: *dir is malloc'd. -ENOTTY: not a Sheen file system; else -errno of
 * resolving path. */
must_check int tool_mount_of(const char *path, char **dir);

/* Value of a text attribute, with NUL, malloc'd. nofollow: of a symbolic link itself. -errno. */
must_check int tool_xattr(const char *path, const char *name, bool nofollow, char **out,
			  size_t *len);
/* The same for what the client of a mount makes up ("sheen.info"). */
must_check int tool_ask(const char *dir, const char *name, char **out, size_t *len);
/* Is path on a Sheen file system? */
bool tool_on_sheen(const char *path);

struct tool_info { /* "sheen.info" */
	char fsname[MAX_FSNAME + 1];
	char instance[32];
	char uuid[40];
	char mgs[512];
	char version[32];
	int pid;
	char root[64]; /* FID of the mount's root */
};

must_check int tool_info_read(const char *dir, struct tool_info *out);

struct tool_target { /* a line of "sheen.targets" */
	bool mdt;
	uint32_t index;
	char name[64];	/* lustre-OST0000 */
	char state[32]; /* FULL, DISCONN, ... */
	bool active;
	char nid[128];
	char uuid[64];
	char import[128]; /* lustre-OST0000-osc-ffff9d3b7f4f3800 */
	int error;	  /* last failure to connect, positive errno */
};

struct tool_space { /* a line of "sheen.df" */
	bool mdt;
	uint32_t index;
	char name[64];
	uint32_t state; /* enum target_state */
	uint64_t total, free, avail, files, ffree;
	int error; /* positive errno */
};

/* malloc'd arrays; the count or -errno. _read: sorted, MDTs first. */
must_check int tool_targets_parse(char *text, struct tool_target **out);
must_check int tool_targets_read(const char *dir, struct tool_target **out);
must_check int tool_space_parse(char *text, struct tool_space **out);
must_check int tool_space_read(const char *dir, struct tool_space **out);
