/* SPDX-License-Identifier: Apache-2.0 */
/* lfs_print.h - layouts as text, byte for byte as Lustre's lfs getstripe prints them.
 *
 * Only formatting: what is shown comes in a tool_lov, defaults already filled in. Pure but for
 * writing to the FILE.
 */
#pragma once
#include "client/tools/tool_lov.h"
#include <stdio.h>

enum lfs_field {
	SHOW_COUNT = 1,
	SHOW_SIZE = 2,
	SHOW_PATTERN = 4,
	SHOW_GEN = 8,
	SHOW_OFFSET = 0x10,
	SHOW_POOL = 0x20,
	SHOW_OBJECTS = 0x40,
	SHOW_DETAIL = 0x80, /* -v */
	SHOW_FID = 0x100,
	SHOW_MDT = 0x200,
	SHOW_MIRRORS = 0x400,
	SHOW_COMPS = 0x800,
	SHOW_ALL = 0x7f | 0xc00,
};

struct lfs_show {
	uint32_t fields;
	bool yaml;
	bool hex_idx;
	int64_t ost;	  /* mark rows of this OST; -1: none */
	bool is_dir;	  /* a default: one line */
	const char *path; /* printed first; NULL: not */
	const char *fid;  /* "[0x..]" of the file or directory */
	uint32_t mdt;
};

void lfs_print_lov(FILE *f, const struct lfs_show *s, const struct tool_lov *l);

struct json_object;
/* The same as members of o. */
void lfs_json_lov(struct json_object *o, const struct lfs_show *s, const struct tool_lov *l);
