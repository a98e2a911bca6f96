/* SPDX-License-Identifier: Apache-2.0 */
/* mkfs.h - what mkfs.sheen was told, and the two steps behind its options. */
#pragma once
#include "common/nid.h"
#include "common/proto/proto.h"
#include "common/target.h"
#include <stdarg.h>

enum { MKFS_USAGE = 1, MKFS_DONE = 2 }; /* beside 0 and -errno */

struct mkfs {
	const char *dir, *comment;
	struct target_label label;
	uint32_t types; /* bits 1 << enum target_type that were given */
	bool has_index, reformat, dryrun, quiet, verbose;
};

/* The rules between options. 0, -EINVAL, -EOPNOTSUPP, with a message. */
must_check int mkfs_check(struct mkfs *m);
/* Makes the target. 0 or -errno with a message. */
must_check int mkfs_format(struct mkfs *m);
/* The "Permanent disk data" block. */
void mkfs_print(FILE *f, const struct mkfs *m);
