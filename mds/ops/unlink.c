/* SPDX-License-Identifier: Apache-2.0 */
/* unlink.c - mds_unlink (unlink and rmdir), mds_link, mds_rename: names that change. */
#include "mds/state.h"

static int check_name(struct span name)
{
	return name_check(name) ? -EINVAL : 0;
}

int mds_unlink(struct rpc_op *op, const struct mds_unlink_req *q, struct mds_unlink_rep *p)
{
	struct mds *m = op_mds(op);
	uint64_t began = md_begin(m);
	struct ns_removed gone;
	struct txn *t;
	int rc = check_name(q->name);

	if (rc == 0)
		rc = op_co_revoke_names(op, &(struct revoke_name){&q->parent, q->name}, 1);
	if (rc == 0)
		rc = op_write(op, &t);
	if (rc == 0)
		rc = ns_unlink(t, &m->env, q, loop_realtime(m->loop), &gone);
	if (rc == 0) {
		p->fid = gone.fid;
		p->nlink = gone.nlink;
		rc = op_dir_attr(t, &q->parent, &p->parent_attr);
	}
	if (rc == 0) {
		p->seq = op_seq(op);
		if (!p->nlink)
			op_lease_give_up(op, &p->fid,
					 LEASE_LOOKUP | LEASE_UPDATE | LEASE_XATTR |
						 (node_find(m->opens, &p->fid) ? 0 : LEASE_DATA));
		p->parent_lease = op_lease(op, &q->parent, &p->parent_attr, LEASE_UPDATE);
	}
	md_end(m, q->rmdir ? MD_rmdir : MD_unlink, began);
	return rc;
}

int mds_link(struct rpc_op *op, const struct mds_link_req *q, struct mds_link_rep *p)
{
	struct mds *m = op_mds(op);
	uint64_t began = md_begin(m);
	struct inode_rec ino;
	struct txn *t;
	const struct revoke changed[] = {{q->parent, LEASE_UPDATE},
					 {q->fid, LEASE_UPDATE | LEASE_EXCLUSIVE}};
	int rc = check_name(q->name);

	if (rc == 0)
		rc = op_co_revoke(op, changed, 2);
	if (rc >= 0)
		rc = op_write_more(op, &t);
	if (rc == 0)
		rc = ns_link(t, q, loop_realtime(m->loop), &p->attr);
	if (rc == 0)
		rc = inode_get(t, &q->fid, &ino);
	if (rc == 0)
		rc = op_reply_attr(op, &ino, false, &p->attr, &p->layout);
	if (rc == 0)
		rc = op_dir_attr(t, &q->parent, &p->parent_attr);
	if (rc == 0) {
		p->seq = op_seq(op);
		p->lease = op_lease(op, &q->fid, &p->attr, LEASE_LOOKUP | LEASE_UPDATE);
		p->parent_lease = op_lease(op, &q->parent, &p->parent_attr, LEASE_UPDATE);
	}
	md_end(m, MD_link, began);
	return rc;
}

int mds_rename(struct rpc_op *op, const struct mds_rename_req *q, struct mds_rename_rep *p)
{
	struct mds *m = op_mds(op);
	uint64_t began = md_begin(m);
	const struct revoke_name names[] = {{&q->from_parent, q->from_name},
					    {&q->to_parent, q->to_name}};
	struct ns_removed gone;
	struct txn *t;
	int rc = check_name(q->from_name);

	if (rc == 0)
		rc = check_name(q->to_name);
	if (rc == 0)
		rc = op_co_revoke_names(op, names, 2);
	if (rc == 0)
		rc = op_write(op, &t);
	if (rc == 0)
		rc = ns_rename(t, &m->env, q, loop_realtime(m->loop), &p->fid, &gone);
	if (rc == 0)
		rc = op_dir_attr(t, &q->from_parent, &p->from_attr);
	if (rc == 0)
		rc = op_dir_attr(t, &q->to_parent, &p->to_attr);
	if (rc == 0) {
		p->replaced = gone.fid;
		p->seq = op_seq(op);
		p->from_lease = op_lease(op, &q->from_parent, &p->from_attr, LEASE_UPDATE);
		p->to_lease = op_lease(op, &q->to_parent, &p->to_attr, LEASE_UPDATE);
	}
	md_end(m, MD_rename, began);
	md_end(m, fid_eq(&q->from_parent, &q->to_parent) ? MD_samedir_rename : MD_crossdir_rename,
	       began);
	return rc;
}
