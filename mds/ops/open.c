/* SPDX-License-Identifier: Apache-2.0 */
/* open.c - mds_open, mds_reopen, mds_close: who has a file open, and the size when the last
 * writer goes. */
#include "mds/attr.h"
#include "mds/hsm.h"
#include "mds/orphan.h"
#include "mds/state.h"
#include <stdlib.h>
#include <sys/stat.h>

static int check_kind(const struct fid *fid, const struct inode_rec *ino)
{
	if (ns_is_virtual(fid))
		return -EACCES;
	if (S_ISDIR(ino->attr.mode))
		return -EISDIR;
	return S_ISREG(ino->attr.mode) ? 0 : -EINVAL;
}

/* Lets a writer in: objects, and the mark that the size stands at them from now on. */
static int admit_writer(struct mds *m, struct txn *t, const struct fid *fid, struct inode_rec *ino,
			uint32_t flags)
{
	int rc = 0;

	if (ino->attr.flags & INODE_RELEASED)
		return -EAGAIN; /* released while the open waited for something else */
	if (!(flags & OPEN_DELAY_LAYOUT))
		rc = size_make_objects(m, t, fid, ino, flags & OPEN_APPEND);
	if (rc || (ino->attr.flags & ATTR_SIZE_UNSURE))
		return rc;
	attr_make_unsure(&ino->attr);
	rc = unsure_add(t, fid);
	if (rc == 0)
		rc = inode_update(t, fid, ino);
	return rc ? rc : inode_get(t, fid, ino);
}

/* Does the table have to change for this open? */
static bool must_write(const struct inode_rec *ino, uint32_t flags)
{
	if (!(flags & OPEN_WRITE))
		return false;
	return !(ino->attr.flags & ATTR_SIZE_UNSURE) || !(ino->attr.flags & INODE_HAS_OBJECTS);
}

static int open_once(struct rpc_op *op, const struct mds_open_req *q, struct mds_open_rep *p)
{
	struct mds *m = op_mds(op);
	struct client_open co = {.fid = q->fid, .id = q->open_id, .flags = q->open_flags};
	struct inode_rec ino;
	struct txn *t;
	int rc = op_read(op, &t);

	if (rc == 0)
		rc = ns_get(t, &q->fid, &ino);
	if (rc == 0)
		rc = check_kind(&q->fid, &ino);
	if (rc)
		return rc;
	rc = op_share(op, &(struct share_use){q->fid, SPAN_NONE,
					      must_write(&ino, q->open_flags) ? SHARE_CHANGE
									      : SHARE_LOOK},
		      1);
	if (rc > 0) { /* the transaction is another one */
		rc = op_read(op, &t);
		if (rc == 0)
			rc = ns_get(t, &q->fid, &ino);
	}
	if (rc)
		return rc;
	co.was_sure = !(ino.attr.flags & ATTR_SIZE_UNSURE);
	if (must_write(&ino, q->open_flags)) {
		rc = op_write(op, &t);
		if (rc == 0)
			rc = inode_get(t, &q->fid, &ino); /* t may be another transaction now */
		if (rc == 0)
			rc = admit_writer(m, t, &q->fid, &ino, q->open_flags);
		co.in_batch = true;
	}
	if (rc == 0)
		rc = client_open(op_client(op), &co, &p->open_seq, &p->sole);
	if (rc)
		return rc;
	m->made_open.op = op;
	m->made_open.fid = q->fid;
	m->made_open.id = q->open_id;
	m->made_open.flags = q->open_flags;
	return op_reply_attr(op, &ino, true, &p->attr, &p->layout);
}

int open_again(struct rpc_op *op, const struct mds_open_req *q, const struct mds_open_rep *was)
{
	struct inode_rec ino;
	struct txn *t;
	int rc = 0;

	if (q->open_flags & OPEN_TRUNC)
		rc = size_replay(op, &q->fid, 0, NULL, &was->attr);
	if (rc == 0)
		rc = op_write(op, &t);
	if (rc == 0)
		rc = inode_get(t, &q->fid, &ino);
	if (rc == 0)
		rc = check_kind(&q->fid, &ino);
	if (rc || !must_write(&ino, q->open_flags))
		return rc;
	return admit_writer(op_mds(op), t, &q->fid, &ino, q->open_flags);
}

static bool is_released(struct rpc_op *op, const struct fid *fid)
{
	struct inode_rec ino;
	struct txn *t;
	bool in_batch;

	return store_read(op_mds(op)->store, &t, &in_batch) == 0 && inode_get(t, fid, &ino) == 0 &&
	       (ino.attr.flags & INODE_RELEASED);
}

/* Nobody else keeps the attributes of a file that is being written, nor the layout that it may have
 * had. */
static int revoke_and_open(struct rpc_op *op, const struct mds_open_req *q, struct mds_open_rep *p)
{
	struct mds *m = op_mds(op);
	uint32_t writes = q->open_flags & OPEN_WRITE, data = 0;
	bool here;
	int rc;

	if (q->data && q->data != LEASE_SHARED && q->data != LEASE_EXCLUSIVE)
		return -EINVAL;
again:
	do {
		/* Who only opens a file to read it does not wait for its data, nor need anybody
		 * bring them. */
		rc = writes ? op_co_restore(op, &q->fid) : 0;
		if (rc < 0)
			return rc;
		here = writes || !is_released(op, &q->fid);
		rc = q->data && here ? data_co_make_way(op, &q->fid, q->data, 0, &data)
				     : op_co_settle_data(op, &q->fid);
		if (rc == 0 && writes)
			rc = op_co_revoke(op, &(struct revoke){q->fid, LEASE_UPDATE | LEASE_XATTR},
					  1);
	} while (rc > 0);
	if (rc == 0)
		rc = open_once(op, q, p);
	if (rc == -EAGAIN)
		goto again;
	if (rc)
		return rc;
	p->seq = op_seq(op);
	if (data)
		p->lease = lease_grant(m->leases, &op_client(op)->leases, &q->fid, data,
				       loop_now(m->loop)) & LEASE_DATA;
	if (writes)
		p->lease |= op_lease(op, &q->fid, &p->attr, LEASE_UPDATE);
	return 0;
}

int mds_open(struct rpc_op *op, const struct mds_open_req *q, struct mds_open_rep *p)
{
	struct mds *m = op_mds(op);
	uint64_t began = md_begin(m);
	struct attr attr;
	int rc = 0;

	if (op->replayed)
		return open_again(op, q, op->replayed);
	/* A repeated open (its reply was lost) must not cut what was written since. */
	if ((q->open_flags & OPEN_TRUNC) && !open_find(m->opens, op_client(op), q->open_id))
		rc = size_co_set(op, &q->fid, 0, NULL, &attr);
	if (rc == 0)
		rc = revoke_and_open(op, q, p);
	if (rc == -ENODEV) {
		client_enter(op_client(op));
		rc = size_co_wait_osts(m);
		if (client_leave(op_client(op)))
			rc = -ESTALE;
		if (rc == 0)
			rc = revoke_and_open(op, q, p);
	}
	md_end(m, MD_open, began);
	return rc;
}

int mds_reopen(struct rpc_op *op, const struct mds_reopen_req *q, struct mds_reopen_rep *p)
{
	struct mds_open_req oq = {.fid = q->fid,
				  .open_flags = q->open_flags & (OPEN_READ | OPEN_WRITE),
				  .open_id = q->open_id};
	struct mds_open_rep rep = {0};
	struct node *n;
	int rc = open_once(op, &oq, &rep);

	if (rc)
		return rc;
	/* Others may have written and gone before the restart: this writer's word about the size
	 * will not count, because the number that it is given is an old one already. */
	p->open_seq = rep.open_seq;
	n = node_find(op_mds(op)->opens, &q->fid);
	if (n)
		node_bump(op_mds(op)->opens, n);
	return 0;
}

/* ---- close ---- */

struct closing {
	bool last;	/* nobody has the file open any more */
	bool last_writer;
	bool alone;	/* nobody else wrote, cut or opened for write between open and close */
	bool was_sure;
	int64_t atime_set;
};

/* Forgets the open; says what it means for the inode. */
static void forget_open(struct mds *m, struct client *c, struct open *o,
			const struct mds_close_req *q, struct closing *cl)
{
	struct node *n = o->node;
	bool writer = o->flags & OPEN_WRITE;

	*cl = (struct closing){
		.last = n->nopen == 1,
		.last_writer = writer && n->nwriters == 1,
		.alone = writer && n->nwriters == 1 && n->open_seq == q->open_seq,
		.was_sure = n->was_sure,
		.atime_set = n->atime_set,
	};
	c->nopens--;
	open_del(m->opens, o);
}

/* The size is sure again if the closing writer knows it; else *measure. */
static int settle_size(struct mds *m, struct txn *t, const struct mds_close_req *q,
		       const struct closing *cl, struct inode_rec *ino, bool *changed,
		       bool *measure)
{
	int rc = 0;

	if (!cl->last_writer || !(ino->attr.flags & ATTR_SIZE_UNSURE))
		return 0;
	if (!cl->alone || (!(q->flags & CLOSE_WROTE) && !cl->was_sure)) {
		*measure = true;
		return 0;
	}
	*changed = true;
	if (q->flags & CLOSE_WROTE) {
		attr_settle(&ino->attr, q->size, q->blocks, q->mtime);
		rc = hsm_wrote(t, &q->fid);
	}
	attr_make_sure(&ino->attr);
	return rc ? rc : young_add(m->young, t, &q->fid);
}

static void close_undo(struct mds *m, void *arg)
{
	settle_add(m->settle, arg);
}

/* If the batch is lost, so is the news that nobody has the file open. */
static int settle_if_lost(struct mds *m, const struct fid *fid)
{
	struct fid *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = *fid;
	return op_undo(m, close_undo, copy);
}

/* *attr: what the close made of them; untouched if nothing. */
static int close_inode(struct rpc_op *op, const struct mds_close_req *q, const struct closing *cl,
		       struct attr *attr)
{
	struct mds *m = op_mds(op);
	bool changed = false, measure = false;
	struct inode_rec ino;
	int64_t ctime;
	struct txn *t;
	bool in_batch;
	int rc = store_read(m->store, &t, &in_batch);

	if (rc == 0)
		rc = inode_get(t, &q->fid, &ino);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	/* An orphan is removed by the settler, not while somebody waits for an answer. */
	if (ino.attr.nlink == 0 && cl->last) {
		settle_add(m->settle, &q->fid);
		return 0;
	}
	/* A close may come long after the reads of which it tells: utimes(2) in between wins. */
	changed = (q->flags & CLOSE_READ) && q->atime > cl->atime_set &&
		  attr_atime_due(&ino.attr, q->atime);
	ctime = ino.attr.ctime;
	if (!changed && !cl->last_writer)
		return 0;
	/* The last writer leaves a file that nobody could have leases of. */
	if (!cl->last_writer)
		rc = op_co_revoke_one(op, &q->fid, LEASE_UPDATE);
	if (rc)
		return rc;
	rc = op_write(op, &t);
	if (rc == 0)
		rc = inode_get(t, &q->fid, &ino);
	if (rc)
		return rc;
	changed = changed && ino.attr.ctime == ctime; /* nobody set it meanwhile */
	if (changed)
		ino.attr.atime = q->atime;
	rc = settle_size(m, t, q, cl, &ino, &changed, &measure);
	if (rc == 0 && changed)
		rc = inode_update(t, &q->fid, &ino);
	if (rc == 0)
		rc = settle_if_lost(m, &q->fid);
	if (measure)
		settle_add(m->settle, &q->fid);
	if (rc)
		return rc;
	*attr = ino.attr;
	return 0;
}

int mds_close(struct rpc_op *op, const struct mds_close_req *q, struct mds_close_rep *p)
{
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	uint64_t began = md_begin(m);
	struct open *o = open_find(m->opens, c, q->open_id);
	struct closing cl;
	int rc;

	if (!o)
		return 0; /* closed before, by a request whose answer was lost */
	if (!fid_eq(&o->node->fid, &q->fid))
		return -EINVAL;
	forget_open(m, c, o, q, &cl);
	rc = close_inode(op, q, &cl, &p->attr);
	if (rc)
		settle_add(m->settle, &q->fid);
	p->seq = op_seq(op);
	if (rc == 0 && p->attr.mode) /* what was just written is often looked at next */
		p->lease = op_lease(op, &q->fid, &p->attr, LEASE_UPDATE);
	md_end(m, MD_close, began);
	return rc;
}
