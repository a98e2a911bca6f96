/* SPDX-License-Identifier: Apache-2.0 */
/* own.h - directories that one client has for its own, to remove files in them without waiting.
 *
 * On the thread of the MDS; what may suspend has co_ in its name.
 */
#pragma once
#include "mds/state.h"

#define OWN_FILES_MAX 1024 /* of one answer of mds_own */

/* Before the inode is looked at: requests of others that have been answered before they were
 * executed are executed now. 0 or -errno. */
must_check int op_co_look(struct rpc_op *op, const struct fid *fid);
/* The same of what a request names first. */
must_check int op_co_look_first(struct rpc_op *op, const void *q);
/* Somebody else may be about to remove the file without asking, or has the directory for his own:
 * nobody gets leases of it. Does not suspend. */
bool own_elsewhere(struct rpc_op *op, const struct fid *fid);
/* Clients other than c that may have had directories for their own are not back. */
bool own_missing(struct mds *m, const struct client *c);
/* At the start, after recovery_start(): what the last life has left. */
void own_start(struct mds *m);
