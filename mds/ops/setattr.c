/* SPDX-License-Identifier: Apache-2.0 */
/* setattr.c - mds_setattr: everything but the size is one transaction here; the size is
 * size.c's. */
#include "mds/attr.h"
#include "mds/state.h"
#include <sys/stat.h>

/* What somebody keeps back was written before this. A client that comes back after a restart waits
 * for nobody with what it has answered already: others who come back may be waiting for it. */
static int make_way(struct rpc_op *op, const struct mds_setattr_req *q)
{
	if (ns_is_virtual(&q->fid))
		return -EPERM;
	if (q->age && (q->valid & ~(uint32_t)SETATTR_LATER))
		return -EINVAL;
	if (q->age && op_mds(op)->recovery_end_ns)
		return 0;
	return op_co_revoke_one(op, &q->fid, LEASE_UPDATE | LEASE_XATTR | LEASE_EXCLUSIVE);
}

static int set_plain(struct rpc_op *op, const struct mds_setattr_req *q, struct inode_rec *ino)
{
	struct mds *m = op_mds(op);
	struct mds_setattr_req set = *q;
	int64_t now;
	struct node *n;
	struct txn *t;
	int rc = make_way(op, q);

	if (rc == 0)
		rc = op_share(op, &(struct share_use){q->fid, SPAN_NONE, SHARE_CHANGE}, 1);
	if (rc >= 0)
		rc = op_write(op, &t);
	if (set.valid == 0)
		set.valid = SETATTR_KILL_PRIV; /* chown(f, -1, -1) clears set-id bits on Linux */
	if (rc == 0)
		rc = inode_get(t, &q->fid, ino);
	now = op_late(op, q->age, q->answered);
	n = node_find(m->opens, &q->fid);
	if (rc == 0)
		rc = attr_set(t, &q->fid, ino, &set, now);
	if (rc == 0 && n && (q->valid & (SETATTR_ATIME | SETATTR_ATIME_NOW)))
		n->atime_set = now;
	if (rc == 0)
		rc = inode_update(t, &q->fid, ino);
	return rc ? rc : inode_get(t, &q->fid, ino);
}

int mds_setattr(struct rpc_op *op, const struct mds_setattr_req *q, struct mds_setattr_rep *p)
{
	struct mds *m = op_mds(op);
	uint64_t began = md_begin(m);
	struct inode_rec ino;
	struct attr attr;
	struct txn *t;
	int rc;

	if (op->replayed && (q->valid & SETATTR_SIZE))
		return size_replay(op, &q->fid, q->size, q,
				   &((const struct mds_setattr_rep *)op->replayed)->attr);
	if (q->valid & SETATTR_SIZE) {
		rc = ns_is_virtual(&q->fid) ? -EPERM : size_co_set(op, &q->fid, q->size, q, &attr);
		if (rc == 0)
			rc = op_read(op, &t);
		if (rc == 0)
			rc = inode_get(t, &q->fid, &ino);
		md_end(m, MD_punch, began);
	} else {
		rc = set_plain(op, q, &ino);
	}
	if (rc == 0) {
		p->open_seq = op_open_seq(op, &q->fid, &ino.attr);
		p->seq = op_seq(op);
		p->lease = op_lease(op, &q->fid, &ino.attr, LEASE_UPDATE);
		rc = op_reply_attr(op, &ino, false, &p->attr, &p->layout);
	}
	md_end(m, MD_setattr, began);
	return rc;
}
