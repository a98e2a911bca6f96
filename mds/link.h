/* SPDX-License-Identifier: Apache-2.0 */
/* link.h - the names of an inode: the first stands in the inode, all others in table link.
 *
 * Most files have one name and no row here. Used for fid2path and for the first link to be
 * replaced when it goes. Pure storage. Never suspends.
 */
#pragma once
#include "mds/inode.h"

struct link_name {
	struct fid parent;
	uint32_t len;
	uint8_t name[256];
};

/* Another name of an inode: becomes the first link if there is none. ino's numbers are stored. */
must_check int link_add(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
			const struct fid *parent, struct span name);
/* One name less: if it was the first, another one takes its place. ino's numbers are stored. */
must_check int link_del(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
			const struct fid *parent, struct span name);
/* The name (from_parent, from) is now (to_parent, to). ino's numbers are stored. */
must_check int link_move(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
			 const struct fid *from_parent, struct span from,
			 const struct fid *to_parent, struct span to);
/* The n-th name; 0 is the first link. -ENODATA when it has fewer. */
must_check int link_get(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
			uint32_t n, struct link_name *out);
/* Drops all rows of a dead inode. */
must_check int link_del_all(struct txn *t, const struct fid *fid);
