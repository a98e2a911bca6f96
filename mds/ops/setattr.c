/* SPDX-License-Identifier: Apache-2.0 */
/* setattr.c - mds_setattr: everything but the size is one transaction here; the size is
 * size.c's. */
#include "mds/attr.h"
#include "mds/state.h"
#include <sys/stat.h>

static int set_plain(struct rpc_op *op, const struct mds_setattr_req *q, struct inode_rec *ino)
{
	struct mds *m = op_mds(op);
	struct mds_setattr_req set = *q;
	int64_t now;
	struct node *n;
	struct txn *t;
	/* What somebody keeps back was written before this. */
	int rc = ns_is_virtual(&q->fid)
			 ? -EPERM
			 : op_co_revoke_one(op, &q->fid,
					    LEASE_UPDATE | LEASE_XATTR | LEASE_EXCLUSIVE);

	if (rc == 0)
		rc = op_write(op, &t);
	if (set.valid == 0)
		set.valid = SETATTR_KILL_PRIV; /* chown(f, -1, -1) clears set-id bits on Linux */
	if (rc == 0)
		rc = inode_get(t, &q->fid, ino);
	now = loop_realtime(m->loop);
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
