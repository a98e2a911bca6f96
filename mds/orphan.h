/* SPDX-License-Identifier: Apache-2.0 */
/* orphan.h - inodes that need care after a restart: tables orphan and unsure.
 *
 * orphan: inodes without a name, kept for somebody who has them open. unsure: regular files that
 * have or had writers and whose size has not been settled since, or not long ago (young.h). Both
 * are sets of FIDs. Pure storage. Never suspends.
 */
#pragma once
#include "mds/schema.h"

must_check int orphan_add(struct txn *t, const struct fid *fid, bool linkable);
/* 0 with *linkable, -ENOENT, -EIO. */
must_check int orphan_get(struct txn *t, const struct fid *fid, bool *linkable);
/* Removing what is not there is no error. */
must_check int orphan_del(struct txn *t, const struct fid *fid);
must_check int unsure_add(struct txn *t, const struct fid *fid);
must_check int unsure_del(struct txn *t, const struct fid *fid);
/* Of a file that has a row: its size is unsure now, as far as can be told. */
bool unsure_still(struct txn *t, const struct fid *fid);
/* The first FIDs after *from (all zero: from the start), at most max; returns how many. */
must_check int orphan_list(struct txn *t, const struct fid *from, struct fid *out, int max);
must_check int unsure_list(struct txn *t, const struct fid *from, struct fid *out, int max);
