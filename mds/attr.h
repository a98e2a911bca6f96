/* SPDX-License-Identifier: Apache-2.0 */
/* attr.h - rules about attributes: which time changes when, set-id bits, chmod and ACLs.
 *
 * Plain functions; the ones with a transaction store. Never suspend.
 */
#pragma once
#include "mds/inode.h"

struct mds_setattr_req;

/* A change of the inode itself: ctime moves on, even if the clock does not. */
static inline void attr_touch_ctime(struct attr *a, int64_t now)
{
	a->ctime = now > a->ctime ? now : a->ctime + 1;
}

/* A change of the contents of a directory. */
static inline void attr_touch_mtime(struct attr *a, int64_t now)
{
	attr_touch_ctime(a, now);
	a->mtime = a->ctime;
}

/* From now on size, blocks and mtime stand at the objects; what they say about mtime counts if it
 * is newer than now (attr.fence). Called again when somebody sets the mtime. */
static inline void attr_make_unsure(struct attr *a)
{
	a->flags |= ATTR_SIZE_UNSURE;
	a->fence = a->ctime;
}

static inline void attr_make_sure(struct attr *a)
{
	a->flags &= ~(uint32_t)ATTR_SIZE_UNSURE;
	a->fence = 0;
}

/* What the objects say about a file of unsure size: it is sure then. */
void attr_settle(struct attr *a, uint64_t size, uint64_t blocks, int64_t obj_mtime);

/* All of setattr but the size: changes *ino and stores what belongs to it (ACL, capability); the
 * caller stores *ino. -EINVAL. */
must_check int attr_set(struct txn *t, const struct fid *fid, struct inode_rec *ino,
			const struct mds_setattr_req *q, int64_t now);
/* Clears set-id bits and file capabilities, as a write or a chown by another than root must. */
must_check int attr_kill_priv(struct txn *t, const struct fid *fid, struct inode_rec *ino);
