/* SPDX-License-Identifier: Apache-2.0 */
/* unlink.c - mds_unlink (unlink and rmdir), mds_link, mds_rename: names that change. */
#include "mds/dirent.h"
#include "mds/state.h"
#include <sys/stat.h>

static int check_name(struct span name)
{
	return name_check(name) ? -EINVAL : 0;
}

/* What a name leads to, for op_share(); a name that leads nowhere needs no more than itself. */
static int share_child(struct rpc_op *op, const struct fid *dir, struct span name,
		       struct share_use *use)
{
	struct dirent_rec d;
	struct txn *t;
	int rc = op_read(op, &t);

	if (rc == 0)
		rc = dirent_get(t, dir, name, &d);
	if (rc == 0)
		*use = (struct share_use){d.child, SPAN_NONE, SHARE_CHANGE};
	else if (rc == -ENOENT)
		*use = (struct share_use){*dir, name, SHARE_CHANGE};
	return rc == -ENOENT ? 0 : rc;
}

static int share_unlink(struct rpc_op *op, const struct mds_unlink_req *q)
{
	struct share_use use[] = {
		{q->parent, SPAN_NONE, SHARE_ADD},
		{q->parent, q->name, SHARE_CHANGE},
		{{0}, SPAN_NONE, SHARE_CHANGE},
	};
	int rc = share_child(op, &q->parent, q->name, &use[2]);

	return rc ? rc : op_share(op, use, ARRAY_SIZE(use));
}

/* A directory that moves may come below one that another client moves. */
static bool changes_tree(struct rpc_op *op, const struct mds_rename_req *q, const struct fid *child)
{
	struct inode_rec ino;
	struct txn *t;

	return !fid_eq(&q->from_parent, &q->to_parent) &&
	       (op_read(op, &t) || inode_get(t, child, &ino) || S_ISDIR(ino.attr.mode));
}

static int share_rename(struct rpc_op *op, const struct mds_rename_req *q)
{
	struct share_use use[] = {
		{q->from_parent, SPAN_NONE, SHARE_ADD},
		{q->to_parent, SPAN_NONE, SHARE_ADD},
		{q->from_parent, q->from_name, SHARE_CHANGE},
		{q->to_parent, q->to_name, SHARE_CHANGE},
		{{0}, SPAN_NONE, SHARE_CHANGE},
		{{0}, SPAN_NONE, SHARE_CHANGE},
		{{0}, SPAN_NONE, SHARE_CHANGE},
	};
	int rc = share_child(op, &q->from_parent, q->from_name, &use[4]);
	uint32_t n = ARRAY_SIZE(use) - 1;

	if (rc == 0)
		rc = share_child(op, &q->to_parent, q->to_name, &use[5]);
	if (rc == 0 && (changes_tree(op, q, &use[4].fid) || changes_tree(op, q, &use[5].fid)))
		n++;
	return rc ? rc : op_share(op, use, n);
}

/* The names lead where they led when this was done first. */
static int check_rename(struct rpc_op *op, const struct mds_rename_req *q,
			const struct mds_rename_rep *was)
{
	int rc = replay_check_name(op, &q->from_parent, q->from_name, &was->fid);

	return rc ? rc : replay_check_name(op, &q->to_parent, q->to_name, &was->replaced);
}

/* Its client has answered already, alone with the directory and the file: then there is nobody to
 * ask, in recovery either. If it is not alone any more, the answer was wrong (its term is over). */
static int co_revoke(struct rpc_op *op, const struct mds_unlink_req *q)
{
	struct mds *m = op_mds(op);
	struct lease_holder *h = &op_client(op)->leases;
	bool early = !fid_is_zero(&q->child);
	int rc = 0;

	if (!early || lease_elsewhere(m->leases, h, &q->child, UINT32_MAX))
		rc = op_co_revoke_names(op, &(struct revoke_name){&q->parent, q->name}, 1);
	if (rc == 0 && early && !op->replayed && !lease_owns(m->leases, h, &q->parent))
		rc = -ESTALE;
	return rc;
}

int mds_unlink(struct rpc_op *op, const struct mds_unlink_req *q, struct mds_unlink_rep *p)
{
	struct mds *m = op_mds(op);
	uint64_t began = md_begin(m);
	struct ns_removed gone;
	struct txn *t;
	int rc = check_name(q->name);

	if (rc == 0)
		rc = co_revoke(op, q);
	if (rc == 0 && op->replayed)
		rc = replay_check_name(op, &q->parent, q->name,
				       &((const struct mds_unlink_rep *)op->replayed)->fid);
	if (rc == 0)
		rc = share_unlink(op, q);
	if (rc >= 0)
		rc = op_write(op, &t);
	if (rc == 0)
		rc = ns_unlink(t, &m->env, q, op_now(op), &gone);
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
	const struct mds_link_rep *was = op->replayed;
	struct mds *m = op_mds(op);
	uint64_t began = md_begin(m);
	struct inode_rec ino;
	struct txn *t;
	const struct revoke changed[] = {{q->parent, LEASE_UPDATE | LEASE_OWN},
					 {q->fid, LEASE_UPDATE | LEASE_EXCLUSIVE}};
	const struct share_use use[] = {
		{q->parent, SPAN_NONE, SHARE_ADD},
		{q->parent, q->name, SHARE_CHANGE},
		{q->fid, SPAN_NONE, SHARE_CHANGE},
	};
	int rc = check_name(q->name);

	if (rc == 0)
		rc = op_co_revoke(op, changed, 2);
	if (rc >= 0)
		rc = op_share(op, use, ARRAY_SIZE(use));
	if (rc >= 0)
		rc = op->replayed ? op_write(op, &t) : op_write_more(op, &t);
	if (rc == 0)
		rc = replay_place(op, t, &q->parent, was ? was->next_cookie : 0);
	if (rc == 0)
		rc = replay_placed(op, t, &q->parent, ns_link(t, q, op_now(op), &p->attr));
	if (rc == 0)
		rc = inode_get(t, &q->fid, &ino);
	if (rc == 0)
		rc = op_reply_attr(op, &ino, false, &p->attr, &p->layout);
	if (rc == 0)
		rc = replay_dir(t, &q->parent, &p->parent_attr, &p->next_cookie);
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
	const struct mds_rename_rep *was = op->replayed;
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
	if (rc == 0 && op->replayed)
		rc = check_rename(op, q, op->replayed);
	if (rc == 0)
		rc = share_rename(op, q);
	if (rc >= 0)
		rc = op_write(op, &t);
	if (rc == 0)
		rc = replay_place(op, t, &q->to_parent, was ? was->next_cookie : 0);
	if (rc == 0) {
		rc = ns_rename(t, &m->env, q, op_now(op), &p->fid, &gone);
		rc = replay_placed(op, t, &q->to_parent, rc);
	}
	if (rc == 0)
		rc = op_dir_attr(t, &q->from_parent, &p->from_attr);
	if (rc == 0)
		rc = replay_dir(t, &q->to_parent, &p->to_attr, &p->next_cookie);
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
