/* SPDX-License-Identifier: Apache-2.0 */
/* lfsck_fix.h - repairs of what check.h finds, each within one transaction.
 *
 * A repair first looks again: what has been put right or removed meanwhile is left alone. Nothing
 * is destroyed that somebody might still want: an inode without a name gets one in lost+found, a
 * name goes only when there is nothing that it could lead to. Plain functions; never suspend.
 */
#pragma once
#include "mds/check.h"

struct layout;

/* 0: repaired. -ENOENT: it is gone by itself. -EOPNOTSUPP: nothing safe can be done about it. Else
 * the store's error; -EMLINK: lost+found is full. */
must_check int lfsck_fix(struct txn *t, const struct finding *f, int64_t now);
/* Makes .lustre/lost+found if it is not there. */
must_check int lfsck_lost_found(struct txn *t, int64_t now);
/* A file for objects without an owner: the inode they name, with this layout, in lost+found. Its
 * size is unsure, its truncation number the newest that they have heard of. -EEXIST: the inode is
 * there. */
must_check int lfsck_adopt(struct txn *t, const struct fid *fid, const struct layout *l,
			   uint32_t trunc_gen, int64_t now);
