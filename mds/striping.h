/* SPDX-License-Identifier: Apache-2.0 */
/* striping.h - which layout a new file gets, and lustre.lov as people set it.
 *
 * A wish is a layout whose components lack LCME_INIT: of a directory (its default), of a file
 * without objects, or of a client that creates. It becomes a layout with objects by
 * striping_make(). Plain functions; never suspend.
 */
#pragma once
#include "common/layout.h"
#include "mds/alloc.h"
#include "mds/inode.h"

struct striping_defaults { /* of the file system; tunables */
	uint32_t stripe_size;
	int32_t stripe_count;
	int32_t stripe_offset;
	uint32_t append_stripe_count; /* 0: files opened for append are like all others */
};

bool striping_made(const struct layout *l);

/* The wish that a new file in a directory follows: the directory's, else the root's, else NULL. */
must_check int striping_inherited(struct txn *t, const struct fid *dir, const struct inode_rec *ino,
				  struct layout **out);
/* A client's wish in Sheen's encoding. -EINVAL. */
must_check int striping_wish_dec(struct span s, struct layout **out);
/* Objects for a wish (NULL: the defaults). append: opened with O_APPEND first. What alloc_pick()
 * and alloc_check_list() say. */
must_check int striping_make(struct alloc *a, const struct striping_defaults *d,
			     const struct layout *wish, bool append, struct layout **out);

/* setxattr lustre.lov: a directory's default, or the layout of a file without objects, which gets
 * them now (with the next open for write if no OST is known yet). A file with objects keeps them:
 * 0, nothing changes. -EINVAL, -ENODEV, -ENOSPC, -EOPNOTSUPP. Stores ino. */
must_check int striping_xattr_set(struct txn *t, const struct fid *fid, struct inode_rec *ino,
				  struct alloc *a, const struct striping_defaults *d,
				  struct span blob, int64_t now);
/* Appends the blob to w. -ENODATA. */
must_check int striping_xattr_get(const struct fid *fid, const struct inode_rec *ino,
				  struct wbuf *w);
bool striping_is_xattr(struct span name);
