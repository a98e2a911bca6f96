/* SPDX-License-Identifier: Apache-2.0 */
/* create.c - mds_create: mknod, mkdir, symlink, O_TMPFILE, and create with open. */
#include "mds/orphan.h"
#include "mds/state.h"
#include <sys/stat.h>

static enum md_stat stat_of(const struct mds_create_req *q)
{
	return S_ISDIR(q->mode) ? MD_mkdir : q->open_id ? MD_open : MD_mknod;
}

static int reply_open(struct rpc_op *op, const struct mds_create_req *q, bool in_batch,
		      struct mds_create_rep *p)
{
	struct mds *m = op_mds(op);
	int rc;

	rc = client_open(op_client(op),
			 &(struct client_open){
				 .fid = p->fid,
				 .id = q->open_id,
				 .flags = q->open_flags,
				 .was_sure = true,
				 .in_batch = in_batch,
			 },
			 &p->open_seq, &p->sole);
	if (rc)
		return rc;
	m->made_open.op = op;
	m->made_open.fid = p->fid;
	m->made_open.id = q->open_id;
	m->made_open.flags = q->open_flags;
	return 0;
}

static int create_new(struct rpc_op *op, const struct mds_create_req *q, struct mds_create_rep *p)
{
	const struct mds_create_rep *was = op->replayed;
	struct mds *m = op_mds(op);
	struct ns_created c;
	struct txn *t;
	int rc = op->replayed ? op_write(op, &t) : op_write_more(op, &t);

	if (rc)
		return rc;
	rc = was && q->name.len ? replay_place(op, t, &q->parent, was->next_cookie) : 0;
	if (rc)
		return rc;
	rc = ns_create(t, &m->env, q, op_now(op), &c);
	if (was && q->name.len)
		rc = replay_placed(op, t, &q->parent, rc);
	if (rc == 0) {
		p->fid = c.fid;
		p->attr = c.attr;
		p->layout = wbuf_span(&c.layout);
		rc = op_copy(op, &p->layout);
	}
	if (rc == 0 && q->name.len)
		rc = replay_dir(t, &q->parent, &p->parent_attr, &p->next_cookie);
	wbuf_fini(&c.layout);
	/* What is done again is opened by mds_reopen, if it still is open. */
	return rc == 0 && q->open_id && !op->replayed ? reply_open(op, q, true, p) : rc;
}

static int revoke_and_create(struct rpc_op *op, const struct mds_create_req *q,
			     struct mds_create_rep *p)
{
	const struct share_use use[] = {
		{q->parent, SPAN_NONE, SHARE_ADD},
		{q->parent, q->name, SHARE_CHANGE},
		{q->fid, SPAN_NONE, SHARE_MAKE},
	};
	int rc = q->name.len ? op_co_revoke_one(op, &q->parent, LEASE_UPDATE | LEASE_OWN)
			     : 0;

	if (rc == 0)
		rc = op_share(op, use, ARRAY_SIZE(use));
	if (rc >= 0)
		rc = create_new(op, q, p);
	if (rc || op->replayed)
		return rc;
	p->seq = op_seq(op);
	p->lease = op_lease(op, &p->fid, &p->attr, LEASE_LOOKUP | LEASE_UPDATE);
	if (q->open_id && (q->data == LEASE_SHARED || q->data == LEASE_EXCLUSIVE))
		p->lease |= lease_grant(op_mds(op)->leases, &op_client(op)->leases, &p->fid,
					q->data, loop_now(op_mds(op)->loop)) & LEASE_DATA;
	if (q->name.len)
		p->parent_lease = op_lease(op, &q->parent, &p->parent_attr, LEASE_UPDATE);
	return 0;
}

/* It was made, or it was there already and was opened. */
static int create_again(struct rpc_op *op, const struct mds_create_req *q,
			struct mds_create_rep *p)
{
	const struct mds_create_rep *was = op->replayed;
	struct mds_open_rep rep = {
		.attr = was->attr, .layout = was->layout, .open_seq = was->open_seq};
	struct mds_open_req oq = {
		.fid = was->fid, .open_flags = q->open_flags & ~(uint32_t)OPEN_TRUNC};

	if (fid_eq(&was->fid, &q->fid))
		return revoke_and_create(op, q, p);
	return open_again(op, &oq, &rep);
}

/* The name was there already: the caller lost a race. It may have the file if it may open it; else
 * -ESTALE makes the kernel look the name up again and check permissions itself. */
static int open_existing(struct rpc_op *op, const struct mds_create_req *q,
			 struct mds_create_rep *p)
{
	struct mds_open_req oq = {
		.open_flags = q->open_flags, .open_id = q->open_id, .data = q->data};
	struct mds_open_rep op_rep = {0};
	struct inode_rec ino;
	struct txn *t;
	int rc = op_read(op, &t);

	if (rc == 0)
		rc = ns_lookup(t, &q->parent, q->name, &oq.fid, &ino);
	if (rc)
		return rc;
	if (!S_ISREG(ino.attr.mode) || !ns_may_open(&ino.attr, q->uid, q->gid, q->open_flags))
		return -ESTALE;
	oq.open_flags &= ~(uint32_t)OPEN_TRUNC;
	rc = mds_open(op, &oq, &op_rep);
	if (rc)
		return rc;
	p->fid = oq.fid;
	p->attr = op_rep.attr;
	p->layout = op_rep.layout;
	p->open_seq = op_rep.open_seq;
	p->sole = op_rep.sole;
	p->seq = op_rep.seq;
	p->lease = op_rep.lease;
	return 0;
}

int mds_create(struct rpc_op *op, const struct mds_create_req *q, struct mds_create_rep *p)
{
	struct mds *m = op_mds(op);
	uint64_t began = md_begin(m);
	int rc;

	if (op->replayed)
		return create_again(op, q, p);
	rc = revoke_and_create(op, q, p);
	if (rc == -ENODEV) { /* no OST yet: a file system that is just starting */
		client_enter(op_client(op));
		rc = size_co_wait_osts(m);
		if (client_leave(op_client(op)))
			rc = -ESTALE;
		if (rc == 0)
			rc = revoke_and_create(op, q, p);
	}
	if (rc == -EEXIST && q->open_id && q->name.len && !(q->open_flags & OPEN_EXCL))
		rc = open_existing(op, q, p);
	md_end(m, stat_of(q), began);
	return rc;
}
