/* SPDX-License-Identifier: Apache-2.0 */
/* replay.h - what a loss of power took, done again by its clients; and commit on share, by which
 * each of them can do that alone. replay.c tells how. */
#pragma once
#include "common/proto/proto.h"
#include "common/rpc.h"
#include "mds/share.h"

struct mds;

struct replay_window {
	struct loop_timer due;
	bool on;        /* new requests wait */
	bool term_over; /* who is not here is not waited for */
	uint64_t done;
	struct layout *layout; /* of the file that is being done again */
	uint64_t next_cookie;  /* of the directory; 0: it was left alone */
};

void replay_start(struct mds *m, uint64_t term_ns);
void replay_stop(struct mds *m);
/* A client has ended its replay, or has gone. */
void replay_news(struct mds *m);
/* Nobody is waited for any more. */
void replay_end(struct mds *m);
int replay_co_admit(void *arg, struct rpc_op *op);
/* The handler of a change that was done again has ended. */
void replay_op_end(struct rpc_op *op);
/* A name leads where it led when this was done first, or nowhere if fid is zero: 0, -ESTALE. */
must_check int replay_check_name(struct rpc_op *op, const struct fid *dir, struct span name,
				 const struct fid *fid);
/* Around a change that makes a name in a directory: one that is done again gets the place that it
 * had, so that a listing under way neither misses it nor meets it twice. next: the directory's next
 * cookie afterwards, as it was answered. A new change: nothing happens. */
must_check int replay_place(struct rpc_op *op, struct txn *t, const struct fid *dir, uint64_t next);
must_check int replay_placed(struct rpc_op *op, struct txn *t, const struct fid *dir, int rc);
/* Attributes of a directory after that, and its next cookie. */
must_check int replay_dir(struct txn *t, const struct fid *dir, struct attr *attr, uint64_t *next);
/* Clients that have changes to do again, or may have. */
uint32_t replay_clients(struct mds *m);

/* ---- in the handlers' files ---- */
/* The time of a change. One that is done again has the one that it had. */
int64_t op_now(struct rpc_op *op);
/* The same of one that its client tells of late; common/late.h. */
int64_t op_late(struct rpc_op *op, uint64_t age_ns, int64_t when);
/* An open that is done again: what it changed in the tables, not the open itself. */
int open_again(struct rpc_op *op, const struct mds_open_req *q, const struct mds_open_rep *was);
/* A truncation that is done again: the objects were cut then, and are left alone. was: the answer.
 */
must_check int size_replay(struct rpc_op *op, const struct fid *fid, uint64_t size,
			   const struct mds_setattr_req *q, const struct attr *was);

/* ---- commit on share: op.c ---- */
/* Before a transaction of a change: if another client has made a change in the open batch that this
 * one would depend on, the batch is put on the disk first. 1: it was, and transactions that were
 * begun are void; 0; -errno. */
must_check int op_share(struct rpc_op *op, const struct share_use *u, uint32_t n);
/* Nothing of this inode would be lost if only this client came back after a loss of power. */
bool op_share_free(struct rpc_op *op, const struct fid *fid);
