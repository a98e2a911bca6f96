/* SPDX-License-Identifier: Apache-2.0 */
/* inode.h - records of table inode.
 *
 * struct inode_rec is what the rest of the MDS calls an inode. Its numbers are copies; its spans
 * (name, layout, target) point into the map and die with the next put, so the functions that
 * write take only what changes and fetch the rest again. Pure storage: no rules. -EIO: damaged
 * record (logged). Never suspends.
 */
#pragma once
#include "mds/schema.h"

struct layout;

/* In attr.flags, above the bits of the wire's contract. */
enum {
	INODE_HAS_OBJECTS = 1 << 16, /* the layout has objects, it is no mere wish */
	/* The data are in the archive only: what is at the objects, if anything, is not the file.
	 * Size and times are right, and stay so: such a file's size is never unsure. */
	INODE_RELEASED = 1 << 17,
};

/* 0, -ENOENT, -EIO. */
must_check int inode_get(struct txn *t, const struct fid *fid, struct inode_rec *out);
/* A new inode, or one that is replaced whole: the spans must not point into the map. */
must_check int inode_put(struct txn *t, const struct fid *fid, const struct inode_rec *ino);
/* Stores attr and next_cookie of ino, keeps the rest. */
must_check int inode_update(struct txn *t, const struct fid *fid, const struct inode_rec *ino);
/* Stores attr and next_cookie of ino, and a new first link (name empty: none). */
must_check int inode_set_link(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
			      const struct fid *parent, struct span name);
/* Stores attr and next_cookie of ino, and a new layout blob. */
must_check int inode_set_layout(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
				struct span layout);
must_check int inode_del(struct txn *t, const struct fid *fid);

/* The decoded layout, NULL when it has none. -EIO when damaged. */
must_check int inode_layout(const struct fid *fid, const struct inode_rec *ino,
			    struct layout **out);
