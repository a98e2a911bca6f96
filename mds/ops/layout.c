/* SPDX-License-Identifier: Apache-2.0 */
/* layout.c - mds_layout, mds_alloc_seq, mds_statfs, mds_sync: what belongs to no name. */
#include "common/layout.h"
#include "mds/config.h"
#include "mds/state.h"
#include <sys/stat.h>

static int layout_once(struct rpc_op *op, const struct mds_layout_req *q, struct mds_layout_rep *p)
{
	struct mds *m = op_mds(op);
	struct inode_rec ino;
	struct txn *t;
	int rc = q->instantiate ? op_co_revoke_one(op, &q->fid, LEASE_XATTR) : 0;

	if (rc == 0 && q->instantiate)
		rc = op_share(op, &(struct share_use){q->fid, SPAN_NONE, SHARE_CHANGE}, 1);
	if (rc >= 0)
		rc = !q->instantiate ? op_read(op, &t)
		     : op->replayed  ? op_write(op, &t)
				     : op_write_more(op, &t);
	if (rc == 0)
		rc = ns_get(t, &q->fid, &ino);
	if (rc == 0 && !S_ISREG(ino.attr.mode))
		rc = -EINVAL;
	if (rc == 0 && q->instantiate)
		rc = size_make_objects(m, t, &q->fid, &ino, false);
	if (rc)
		return rc;
	p->seq = op_seq(op);
	if (!(ino.attr.flags & INODE_HAS_OBJECTS))
		return 0;
	p->layout = ino.layout;
	return op_copy(op, &p->layout);
}

int mds_layout(struct rpc_op *op, const struct mds_layout_req *q, struct mds_layout_rep *p)
{
	int rc = layout_once(op, q, p);

	if (rc != -ENODEV)
		return rc;
	client_enter(op_client(op));
	rc = size_co_wait_osts(op_mds(op));
	if (client_leave(op_client(op)))
		rc = -ESTALE;
	return rc ? rc : layout_once(op, q, p);
}

int mds_alloc_seq(struct rpc_op *op, const struct mds_alloc_seq_req *q, struct mds_alloc_seq_rep *p)
{
	struct txn *t;
	int rc = op_write(op, &t);

	(void)q;
	if (rc == 0)
		rc = config_alloc_seq(t, &p->seq);
	op->durable = true; /* what was made by it may come back before its user does */
	return rc;
}

int mds_statfs(struct rpc_op *op, const struct mds_statfs_req *q, struct mds_statfs_rep *p)
{
	struct mds *m = op_mds(op);
	uint64_t began = md_begin(m);
	struct mdt_space sp;
	struct wbuf w;
	int rc;

	(void)q;
	mds_space(m, &sp);
	wbuf_init(&w, MAX_BODY / 2);
	enc_mds_target_stat(&w, &(struct mds_target_stat){
					.type = TARGET_MDT,
					.index = m->cfg.index,
					.total = sp.total,
					.free = sp.free,
					.avail = sp.avail,
					.files = sp.files,
					.ffree = sp.ffree,
				});
	ost_stat_all(m, &w);
	p->targets = wbuf_span(&w);
	rc = w.rc ? w.rc : op_copy(op, &p->targets);
	wbuf_fini(&w);
	md_end(m, MD_statfs, began);
	return rc;
}

int mds_sync(struct rpc_op *op, const struct mds_sync_req *q, struct mds_sync_rep *p)
{
	struct mds *m = op_mds(op);
	uint64_t began = md_begin(m);
	int rc;

	(void)q;
	(void)p;
	client_enter(op_client(op));
	rc = store_co_sync(m->store);
	if (client_leave(op_client(op)))
		rc = -ESTALE;
	md_end(m, MD_sync, began);
	return rc;
}
