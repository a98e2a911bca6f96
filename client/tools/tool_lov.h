/* SPDX-License-Identifier: Apache-2.0 */
/* tool_lov.h - a layout blob as lfs shows it, and the blob that lfs setstripe sends.
 *
 * Beside common/lov.h, which turns a blob into a layout to build: this keeps everything that is
 * printed (magic, ids, object numbers, forms that Sheen does not build). Pure.
 */
#pragma once
#include "common/fid.h"
#include "common/lov.h"

struct wbuf;

struct tool_lov_obj {
	uint64_t id, group;
	uint32_t idx;
};

struct tool_lov_comp {
	uint32_t id, flags;
	uint64_t start, end;
	uint32_t offset, size; /* of its part of the blob */
	uint32_t magic, pattern;
	uint64_t oid, seq;
	uint32_t stripe_size;
	uint32_t stripe_count; /* 0xffff: -1 */
	uint32_t gen;	       /* or the wanted first OST of a default; 0xffff: -1 */
	char pool[MAX_POOL_NAME + 2];
	uint32_t nobj;
	struct tool_lov_obj *obj; /* into lov->objs */
};

struct tool_lov {
	bool composite;
	uint32_t magic, size, gen, flags, mirrors;
	uint32_t ncomp;
	struct tool_lov_comp *comp;
	struct tool_lov_obj *objs;
};

/* -EINVAL for garbage, -EOPNOTSUPP for a magic without stripes, -ENOMEM. */
must_check int tool_lov_parse(const void *blob, size_t len, struct tool_lov *out);
void tool_lov_free(struct tool_lov *l);

struct tool_stripe_wish {
	uint32_t stripe_size;  /* 0: default */
	int32_t stripe_count;  /* 0: default, -1: all */
	int32_t stripe_offset; /* -1: the MDS chooses */
	uint32_t nost;
	const uint32_t *ost; /* explicit list, or NULL */
};

/* Appends the blob for setxattr("lustre.lov"). -EMSGSIZE, -ENOMEM. */
must_check int tool_lov_build(const struct tool_stripe_wish *w, struct wbuf *out);

/* "raid0", "raid0,overstriped", "mdt", "0" for none. Returns buf. */
const char *tool_lov_pattern(uint32_t pattern, char *buf, size_t len);
