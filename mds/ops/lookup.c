/* SPDX-License-Identifier: Apache-2.0 */
/* lookup.c - mds_lookup, mds_getattr, mds_readlink, mds_parent, mds_fid2path: what reads one
 * inode. */
#include "mds/dirent.h"
#include "mds/intent.h"
#include "mds/link.h"
#include "mds/own.h"
#include <sys/stat.h>

/* The directory behind the name may be somebody else's own; so may be, if the name is a FID, the
 * directory of a file. */
static int co_look_child(struct rpc_op *op, const struct mds_lookup_req *q)
{
	struct inode_rec ino;
	struct fid child;
	struct txn *t;
	int rc = op_read(op, &t);

	if (rc == 0)
		rc = ns_lookup(t, &q->parent, q->name, &child, &ino);
	if (rc) /* will be said when it is looked up */
		return 0;
	return S_ISDIR(ino.attr.mode) || ns_is_virtual(&q->parent) ? op_co_look(op, &child) : 0;
}

static uint64_t cookie_of(struct txn *t, const struct mds_lookup_req *q)
{
	struct dirent_rec d;

	return ns_is_virtual(&q->parent) || dirent_get(t, &q->parent, q->name, &d) ? 0 : d.cookie;
}

int mds_lookup(struct rpc_op *op, const struct mds_lookup_req *q, struct mds_lookup_rep *p)
{
	uint64_t open_id = op->session->kind == PEER_CLIENT ? q->open_id : 0;
	struct inode_rec ino;
	struct txn *t;
	int rc = co_look_child(op, q);

	if (open_id && op->resent)
		intent_forget(op, open_id, 1);
	if (rc == 0)
		rc = op_read(op, &t);
	if (rc == 0)
		rc = ns_lookup(t, &q->parent, q->name, &p->fid, &ino);
	while (rc == 0 && (ino.attr.flags & ATTR_SIZE_UNSURE)) {
		struct fid settled = p->fid;

		rc = op_co_settle_data(op, &settled);
		if (rc == 0)
			rc = op_read(op, &t);
		if (rc == 0)
			rc = ns_lookup(t, &q->parent, q->name, &p->fid, &ino);
		if (fid_eq(&settled, &p->fid))
			break;
	}
	if (rc)
		return rc;
	p->open_seq = op_open_seq(op, &p->fid, &ino.attr);
	p->seq = op_seq(op);
	p->lease = op_lease(op, &p->fid, &ino.attr, LEASE_LOOKUP | LEASE_UPDATE);
	p->target = ino.target;
	p->cookie = cookie_of(t, q);
	rc = op_copy(op, &p->target);
	if (rc == 0)
		rc = op_reply_attr(op, &ino, open_id, &p->attr, &p->layout);
	if (rc == 0 && open_id)
		p->opened = intent_open(op, &p->fid, &ino, open_id, &p->lease);
	return rc;
}

int mds_getattr(struct rpc_op *op, const struct mds_getattr_req *q, struct mds_getattr_rep *p)
{
	struct mds *m = op_mds(op);
	uint64_t began = md_begin(m);
	struct inode_rec ino;
	struct txn *t;
	int rc = op_read(op, &t);

	if (rc == 0)
		rc = ns_get(t, &q->fid, &ino);
	if (rc == 0 && (ino.attr.flags & ATTR_SIZE_UNSURE) &&
	    (!q->under_lease || size_is_cut(m, &q->fid))) {
		rc = q->under_lease ? size_co_wait_cut(op, &q->fid)
				    : op_co_settle_data(op, &q->fid);
		if (rc == 0)
			rc = op_read(op, &t);
		if (rc == 0)
			rc = ns_get(t, &q->fid, &ino);
	}
	if (rc == 0) {
		p->open_seq = op_open_seq(op, &q->fid, &ino.attr);
		p->seq = op_seq(op);
		p->lease = op_lease(op, &q->fid, &ino.attr, LEASE_UPDATE);
		rc = op_reply_attr(op, &ino, false, &p->attr, &p->layout);
	}
	md_end(m, MD_getattr, began);
	return rc;
}

int mds_readlink(struct rpc_op *op, const struct mds_readlink_req *q, struct mds_readlink_rep *p)
{
	struct inode_rec ino;
	struct txn *t;
	int rc = op_read(op, &t);

	if (rc == 0)
		rc = ns_get(t, &q->fid, &ino);
	if (rc == 0 && !S_ISLNK(ino.attr.mode))
		rc = -EINVAL;
	if (rc)
		return rc;
	p->target = ino.target;
	return op_copy(op, &p->target);
}

int mds_parent(struct rpc_op *op, const struct mds_parent_req *q, struct mds_parent_rep *p)
{
	struct inode_rec ino;
	struct txn *t;
	int rc = op_read(op, &t);

	if (rc == 0)
		rc = ns_get(t, &q->fid, &ino);
	if (rc)
		return rc;
	p->parent = ino.parent;
	p->name = ino.name;
	return op_copy(op, &p->name);
}

int mds_fid2path(struct rpc_op *op, const struct mds_fid2path_req *q, struct mds_fid2path_rep *p)
{
	struct inode_rec ino;
	struct txn *t;
	char *buf = rpc_op_alloc(op, MAX_PATH);
	int rc = buf ? op_read(op, &t) : -ENOMEM;

	if (rc == 0)
		rc = ns_get(t, &q->fid, &ino);
	if (rc == 0)
		rc = path_of(t, &q->fid, &ino, q->linkno, buf);
	if (rc < 0)
		return rc;
	p->path = (struct span){(uint8_t *)buf, (uint32_t)rc};
	p->nlinks = S_ISDIR(ino.attr.mode) ? 1 : ino.attr.nlink;
	return 0;
}
