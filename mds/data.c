/* SPDX-License-Identifier: Apache-2.0 */
/* data.c - leases on the data of files: who caches, and when nobody does (D8).
 *
 * SHARED goes with SHARED, CONTENDED with CONTENDED, EXCLUSIVE with nothing. Whoever has a file
 * open alone gets what he wants. A file that somebody writes while others have it open is first
 * given to whoever asks; when two get into each other's way it is contended: for a while all of
 * them read and write straight at the objects, without any lease going to and fro. When that time
 * is over the next one who asks gets the file for himself, and if the others come back it is
 * contended again, for twice as long.
 *
 * Pages in a kernel's cache are an exception (exact): they can only be had under SHARED, or
 * EXCLUSIVE if they may be written, so descriptors from quiet times and mappings pass the file
 * around.
 */
#include "mds/state.h"

#define CALM_NS (2 * (uint64_t)NSEC_PER_SEC)
enum { CALM_DOUBLINGS = 4 };

static uint32_t conflicting(uint32_t lease)
{
	return LEASE_DATA & ~(lease == LEASE_EXCLUSIVE ? 0 : lease);
}

static bool contend(struct node *n, uint64_t now)
{
	uint32_t times =
		n->contended_times < CALM_DOUBLINGS ? n->contended_times++ : CALM_DOUBLINGS;

	n->contended_until_ns = now + (CALM_NS << times);
	return true;
}

/* The file is open elsewhere, and somebody writes. */
static bool is_contended(struct mds *m, struct node *n, const struct client *c, uint32_t want,
			 uint64_t now)
{
	if (now < n->contended_until_ns)
		return true;
	if (lease_conflict(m->leases, &c->leases, &n->fid, LEASE_EXCLUSIVE, now))
		return contend(n, now);
	return want == LEASE_SHARED; /* EXCLUSIVE later if need be: a reader gains nothing */
}

static uint32_t decide(struct mds *m, const struct client *c, const struct fid *fid, uint32_t want,
		       bool exact)
{
	uint32_t has = lease_data(m->leases, &c->leases, fid);
	struct node *n = node_find(m->opens, fid);
	uint64_t now = loop_now(m->loop);

	if (has == LEASE_EXCLUSIVE || (has && has == want))
		return has;
	if (exact || !n || !node_open_elsewhere(n, c, want == LEASE_SHARED))
		return want;
	return is_contended(m, n, c, want, now) ? LEASE_CONTENDED : want;
}

static bool needs_fence(struct rpc_op *op, const struct fid *fid)
{
	struct mds *m = op_mds(op);

	return lease_unreturned(m->leases, &op_client(op)->leases, fid, loop_now(m->loop));
}

static int fence(struct rpc_op *op, const struct fid *fid)
{
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	int rc;

	client_enter(c);
	rc = size_co_fence(m, c, fid);
	return client_leave(c) ? -ESTALE : rc;
}

/* Meanwhile. */
static bool is_released(struct mds *m, const struct fid *fid)
{
	struct inode_rec ino;
	struct txn *t;
	bool in_batch;

	return store_read(m->store, &t, &in_batch) == 0 && inode_get(t, fid, &ino) == 0 &&
	       (ino.attr.flags & INODE_RELEASED);
}

/* What is given may be given although data are not back. */
static bool may_stream(struct rpc_op *op, const struct fid *fid, uint32_t how, uint32_t bits)
{
	return (how & WAY_STREAM) && bits == LEASE_SHARED && op_restore_streams(op, fid);
}

int data_co_make_way(struct rpc_op *op, const struct fid *fid, uint32_t want, uint32_t how,
		     uint32_t *bits)
{
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	struct revoke r = {.fid = *fid};
	int rc;

	for (;;) {
		rc = want == LEASE_SHARED && (how & WAY_STREAM) ? op_co_restore_begin(op, fid)
								: op_co_restore(op, fid);
		if (rc < 0)
			return rc;
		*bits = decide(m, c, fid, want, how & WAY_EXACT);
		r.bits = conflicting(*bits);
		rc = op_co_revoke(op, &r, 1);
		if (rc == 0 && !needs_fence(op, fid) && !size_is_cut(m, fid) &&
		    (!is_released(m, fid) || may_stream(op, fid, how, *bits)))
			return 0;
		if (rc == 0)
			rc = size_is_cut(m, fid)      ? size_co_wait_cut(op, fid)
			     : needs_fence(op, fid) ? fence(op, fid)
						    : 0;
		if (rc < 0)
			return rc;
	}
}

int op_co_settle_data(struct rpc_op *op, const struct fid *fid)
{
	int rc = 0;

	do {
		if (rc == 0 && needs_fence(op, fid))
			rc = fence(op, fid);
		if (rc >= 0 && size_is_cut(op_mds(op), fid))
			rc = size_co_wait_cut(op, fid);
		if (rc >= 0)
			rc = op_co_revoke(op, &(struct revoke){*fid, LEASE_EXCLUSIVE}, 1);
	} while (rc > 0);
	return rc;
}

int mds_data(struct rpc_op *op, const struct mds_data_req *q, struct mds_data_rep *p)
{
	struct mds *m = op_mds(op);
	struct inode_rec ino;
	struct txn *t;
	int rc;

	if (q->want != LEASE_SHARED && q->want != LEASE_EXCLUSIVE)
		return -EINVAL;
	rc = data_co_make_way(op, &q->fid, q->want, WAY_STREAM | (q->exact ? WAY_EXACT : 0),
			      &p->lease);
	if (rc == 0)
		rc = op_read(op, &t);
	if (rc == 0)
		rc = ns_get(t, &q->fid, &ino);
	if (rc)
		return rc;
	p->open_seq = op_open_seq(op, &q->fid, &ino.attr);
	p->released = (ino.attr.flags & INODE_RELEASED) != 0;
	p->seq = op_seq(op);
	p->lease = lease_grant(m->leases, &op_client(op)->leases, &q->fid, p->lease,
			       loop_now(m->loop)) &
		   LEASE_DATA;
	return op_reply_attr(op, &ino, false, &p->attr, &p->layout);
}
