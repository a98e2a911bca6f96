/* SPDX-License-Identifier: Apache-2.0 */
/* unlinklog.h - objects that their OST has yet to destroy.
 *
 * A row for each object of a removed file, ordered by OST. Written in the transaction that
 * removes the file, deleted when the OST has answered; destroying twice does no harm. Pure
 * storage. Never suspends.
 */
#pragma once
#include "common/layout.h"
#include "mds/schema.h"

/* All objects of a layout. */
must_check int unlinklog_add(struct txn *t, const struct fid *fid, const struct layout *l);
/* The first objects of an OST, at most max; returns how many. */
must_check int unlinklog_list(struct txn *t, uint32_t ost, struct object_id *out, int max);
must_check int unlinklog_del(struct txn *t, uint32_t ost, const struct object_id *o);
