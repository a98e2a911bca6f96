/* SPDX-License-Identifier: Apache-2.0 */
/* lfs_space.h - the table of lfs df, byte for byte as Lustre prints it. Only formatting. */
#pragma once
#include "client/tools/tool_mount.h"

enum lfs_df_flags {
	DF_INODES = 1,
	DF_HUMAN = 2,	/* -h: powers of 1024 */
	DF_DECIMAL = 4, /* -H: powers of 1000 */
	DF_LAZY = 8,
	DF_VERBOSE = 16,
	DF_NO_HEADER = 32,
	DF_SUMMARY = 64,
};

struct lfs_df {
	uint32_t flags;
	const char *dir;     /* mount point */
	int64_t mdt, ost;    /* only this index; -1: all; -2: none */
	uint32_t stripe_count; /* default, for what inodes the OSTs can still hold */
};

/* First error of a target that is not shown for being lazy (0, -errno). */
int lfs_df_print(FILE *f, const struct lfs_df *d, const struct tool_space *t, int n);
struct json_object;
int lfs_df_json(struct json_object *o, const struct lfs_df *d, const struct tool_space *t, int n);
