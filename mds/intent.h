/* SPDX-License-Identifier: Apache-2.0 */
/* intent.h - opens that come with a lookup or a listing. */
#pragma once
#include "mds/state.h"

/* What it had opened when it was sent before, or so far, under n ids from `first` on, is open no
 * longer: the client does not know of it. */
void intent_forget(struct rpc_op *op, uint64_t first, uint32_t n);
/* Opens a file for reading under this id, and adds LEASE_SHARED to *lease (what the reply gives of
 * the inode already), if it costs nobody else anything. Does not suspend. */
bool intent_open(struct rpc_op *op, const struct fid *fid, const struct inode_rec *ino,
		 uint64_t open_id, uint32_t *lease);
