/* SPDX-License-Identifier: Apache-2.0 */
/* size.c - truncation, and a file's objects at its first writer.
 *
 * A truncation is two transactions around the cutting of the objects. The first raises trunc_gen
 * and marks the size unsure; it is safe before any object is cut, so a crash in between leaves a
 * file that is measured. The second sets the size and, if nobody writes, makes it sure again. The
 * node's mutex keeps two truncations of a file apart; other clients' writes in between are
 * refused by the OSTs for their old trunc_gen.
 */
#include "common/layout.h"
#include "mds/attr.h"
#include "mds/hsm.h"
#include "mds/orphan.h"
#include "mds/state.h"
#include "mds/unlinklog.h"
#include <sys/stat.h>

enum { WAIT_OSTS_S = 20 };

int size_co_wait_osts(struct mds *m)
{
	uint64_t deadline = loop_now(m->loop) + WAIT_OSTS_S * (uint64_t)NSEC_PER_SEC;

	while (!m->stopping && alloc_usable(&m->alloc) == 0)
		if (co_wait(&m->osts_q, deadline) == -ETIMEDOUT)
			return -ENODEV;
	return m->stopping ? -ESHUTDOWN : 0;
}

int size_make_objects(struct mds *m, struct txn *t, const struct fid *fid, struct inode_rec *ino,
		      bool append)
{
	CLEANUP(layout_freep) struct layout *wish = NULL, *made = NULL;
	struct inode_rec dir;
	struct wbuf w;
	int rc;

	if (ino->attr.flags & INODE_HAS_OBJECTS)
		return 0;
	rc = inode_layout(fid, ino, &wish);
	if (rc)
		return rc;
	if (!wish && inode_get(t, &ino->parent, &dir) == 0 && S_ISDIR(dir.attr.mode))
		rc = striping_inherited(t, &ino->parent, &dir, &wish);
	if (rc == 0)
		rc = striping_make(&m->alloc, &m->striping, wish, append, &made);
	if (rc)
		return rc;
	wbuf_init(&w, MAX_LAYOUT_BLOB);
	rc = layout_enc(&w, made);
	if (rc == 0) {
		ino->attr.flags |= ATTR_HAS_LAYOUT | INODE_HAS_OBJECTS;
		rc = inode_set_layout(t, fid, ino, wbuf_span(&w));
	}
	wbuf_fini(&w);
	return rc ? rc : inode_get(t, fid, ino);
}

struct trunc {
	struct rpc_op *op;
	const struct fid *fid;
	uint64_t size;
	const struct mds_setattr_req *q;
	struct node *node;
	struct layout *layout;
	uint32_t trunc_gen;
	bool was_sure;
};

static int check_file(const struct inode_rec *ino, uint64_t size)
{
	if (S_ISDIR(ino->attr.mode))
		return -EISDIR;
	if (!S_ISREG(ino->attr.mode))
		return -EINVAL;
	return size > MAX_FILE_SIZE ? -EFBIG : 0;
}

/* Stores the new size, times and whatever q sets besides. sum is NULL when no object was
 * touched. */
static int finish(struct trunc *tr, const struct objects_sum *sum, struct attr *attr)
{
	static const struct mds_setattr_req none;
	struct mds *m = op_mds(tr->op);
	struct inode_rec ino;
	struct txn *t;
	int rc = op_share(tr->op, &(struct share_use){*tr->fid, SPAN_NONE, SHARE_CHANGE}, 1);

	if (rc >= 0)
		rc = op_write(tr->op, &t);
	if (rc == 0)
		rc = inode_get(t, tr->fid, &ino);
	if (rc == 0)
		rc = attr_set(t, tr->fid, &ino, tr->q ? tr->q : &none, op_now(tr->op));
	if (rc)
		return rc;
	if (sum && sum->mtime > ino.attr.ctime)
		ino.attr.ctime = sum->mtime;
	if (!tr->q || !(tr->q->valid & SETATTR_MTIME))
		ino.attr.mtime = ino.attr.ctime;
	ino.attr.size = tr->size;
	ino.attr.flags &= ~(uint32_t)INODE_RELEASED; /* what the archive has is not wanted */
	if (sum) {
		ino.attr.blocks = sum->blocks;
		node_bump(m->opens, tr->node);
	}
	tr->node->was_sure = true;
	if (tr->node->nwriters && (ino.attr.flags & ATTR_SIZE_UNSURE)) {
		attr_make_unsure(&ino.attr);
	} else if (ino.attr.flags & ATTR_SIZE_UNSURE) {
		attr_make_sure(&ino.attr);
		rc = young_add(m->young, t, tr->fid);
	}
	if (rc == 0)
		rc = hsm_wrote(t, tr->fid);
	if (rc == 0)
		rc = inode_update(t, tr->fid, &ino);
	if (rc == 0)
		*attr = ino.attr;
	return rc;
}

/* The first transaction. Sets tr->layout if there are objects to cut. */
static int begin(struct trunc *tr)
{
	struct mds *m = op_mds(tr->op);
	struct inode_rec ino;
	struct txn *t;
	int rc = op_share(tr->op, &(struct share_use){*tr->fid, SPAN_NONE, SHARE_CHANGE}, 1);

	if (rc >= 0)
		rc = op_write(tr->op, &t);
	if (rc == 0)
		rc = inode_get(t, tr->fid, &ino);
	if (rc == 0)
		rc = check_file(&ino, tr->size);
	if (rc)
		return rc;
	if ((ino.attr.flags & INODE_RELEASED) && tr->size)
		return -EAGAIN; /* released since it was brought back: once more */
	tr->was_sure = !(ino.attr.flags & ATTR_SIZE_UNSURE);
	if (tr->was_sure && ino.attr.size == 0 && tr->size == 0)
		return 0; /* never had data */
	rc = size_make_objects(m, t, tr->fid, &ino, false);
	if (rc == 0)
		rc = inode_layout(tr->fid, &ino, &tr->layout);
	if (rc)
		return rc;
	ino.attr.trunc_gen++;
	tr->trunc_gen = ino.attr.trunc_gen;
	node_bump(m->opens, tr->node);
	/* A released file stays that until its objects are empty: a crash leaves it as it was. */
	if (tr->was_sure && !(ino.attr.flags & INODE_RELEASED)) {
		attr_make_unsure(&ino.attr);
		rc = unsure_add(t, tr->fid);
	}
	return rc ? rc : inode_update(t, tr->fid, &ino);
}

/* The file may have been removed meanwhile, and its objects with it: what was made of them again
 * goes, too. */
static void sweep_removed(struct mds *m, const struct fid *fid, const struct layout *l)
{
	struct inode_rec ino;
	struct txn *t;
	uint32_t i;
	int32_t s;
	int rc = store_write(m->store, &t);

	if (rc == 0)
		rc = inode_get(t, fid, &ino);
	if (rc != -ENOENT)
		return;
	rc = unlinklog_add(t, fid, l);
	for (i = 0; rc == 0 && i < l->ncomp; i++)
		for (s = 0; l->comp[i].ost && s < l->comp[i].stripe_count; s++)
			ost_logged(m, l->comp[i].ost[s], UINT64_MAX);
	if (rc)
		log_err("%s: objects of a removed file stay behind: %s", m->name, err_str(rc));
}

static bool may_be_written(struct mds *m, const struct client *c, const struct fid *fid)
{
	return lease_unreturned(m->leases, c ? &c->leases : NULL, fid, loop_now(m->loop));
}

/* Somebody writes at the objects, by the old trunc_gen until he hears of the new one. */
static bool is_written(struct mds *m, const struct fid *fid)
{
	return lease_conflict(m->leases, NULL, fid, LEASE_CONTENDED, loop_now(m->loop)) ||
	       may_be_written(m, NULL, fid);
}

static int cut(struct trunc *tr, struct attr *attr)
{
	struct mds *m = op_mds(tr->op);
	struct objects_sum sum = {0};
	bool fence = is_written(m, tr->fid);
	int rc;

	if (!tr->layout)
		return finish(tr, NULL, attr);
	/* On the disk, not only in the log: a loss of power must not leave the old size over
	 * objects that are cut already. */
	rc = store_co_sync(m->store);
	if (rc)
		return rc;
	rc = objects_co_punch(m, tr->fid, tr->layout, tr->size, tr->trunc_gen, fence, &sum);
	if (rc == 0)
		rc = finish(tr, &sum, attr);
	if (rc == -ENOENT)
		sweep_removed(m, tr->fid, tr->layout);
	if (rc)
		settle_add(m->settle, tr->fid); /* nobody may be left who makes the size sure */
	return rc;
}

/* Raises trunc_gen, and marks the size as unsure because of what came before. *l: the objects. */
static int fence_begin(struct mds *m, const struct fid *fid, struct layout **l, uint32_t *gen)
{
	struct inode_rec ino;
	struct txn *t;
	int rc = store_write(m->store, &t);

	if (rc == 0)
		rc = inode_get(t, fid, &ino);
	/* What is at the objects of a released file is nobody's data. */
	if (rc || (ino.attr.flags & (INODE_HAS_OBJECTS | INODE_RELEASED)) != INODE_HAS_OBJECTS)
		return rc == -ENOENT ? 0 : rc;
	rc = inode_layout(fid, &ino, l);
	if (rc)
		return rc;
	*gen = ++ino.attr.trunc_gen;
	if (!(ino.attr.flags & ATTR_SIZE_UNSURE)) {
		attr_make_unsure(&ino.attr);
		rc = unsure_add(t, fid);
	}
	return rc ? rc : inode_update(t, fid, &ino);
}

static int fence(struct mds *m, const struct client *c, struct node *n)
{
	CLEANUP(layout_freep) struct layout *l = NULL;
	char text[FID_STRLEN];
	uint32_t gen = 0;
	int rc;

	node_bump(m->opens, n);
	rc = fence_begin(m, &n->fid, &l, &gen);
	if (rc == 0 && l)
		rc = store_co_sync(m->store); /* no number is given twice */
	if (rc == 0 && l)
		rc = objects_co_fence(m, &n->fid, l, gen);
	if (l)
		sweep_removed(m, &n->fid, l);
	if (rc)
		return rc;
	lease_fenced(m->leases, c ? &c->leases : NULL, &n->fid, loop_now(m->loop));
	if (!l)
		return 0;
	log_info("%s: %s: writes of clients that are gone are refused from now on", m->name,
		 fid_str(&n->fid, text));
	settle_add(m->settle, &n->fid); /* nobody may have it open any more */
	return 0;
}

int size_co_fence(struct mds *m, const struct client *c, const struct fid *fid)
{
	struct node *n = node_ref(m->opens, fid);
	int rc = 0;

	if (!n)
		return -ENOMEM;
	co_mutex_lock(&n->mutex);
	/* Perhaps somebody else has done it: then others may be writing by right now. */
	if (may_be_written(m, c, fid))
		rc = fence(m, c, n);
	co_mutex_unlock(&n->mutex);
	node_unref(m->opens, n);
	return rc;
}

static int run(struct trunc *tr, struct attr *attr)
{
	struct mds *m = op_mds(tr->op);
	/* Until the objects are cut nobody may know the size, or keep what is behind it; nor the
	 * capabilities that finish() may take away. */
	struct lease_barrier b = {.fid = *tr->fid,
				  .bits = LEASE_XATTR | LEASE_SHARED | LEASE_EXCLUSIVE};
	int rc = begin(tr);

	if (rc)
		return rc;
	lease_barrier_add(m->leases, &b);
	tr->node->cutting = true;
	rc = cut(tr, attr);
	tr->node->cutting = false;
	lease_barrier_del(&b);
	return rc;
}

/* Those who read and write at the objects need not stop: their old numbers are refused. */
#define IN_THE_WAY (LEASE_UPDATE | LEASE_XATTR | LEASE_SHARED | LEASE_EXCLUSIVE)

/* Locks the node at a moment when nobody has leases. They are not waited for under the lock:
 * whoever gives one back may first have to end a truncation of his own. */
static int lock_alone(struct trunc *tr)
{
	int rc;

	for (;;) {
		rc = op_co_revoke_one(tr->op, tr->fid, IN_THE_WAY);
		if (rc)
			return rc;
		co_mutex_lock(&tr->node->mutex);
		if (!op_must_revoke(tr->op, tr->fid, IN_THE_WAY))
			return 0;
		co_mutex_unlock(&tr->node->mutex);
	}
}

static int set_once(struct trunc *tr, struct attr *attr)
{
	int rc = lock_alone(tr);

	if (rc)
		return rc;
	rc = run(tr, attr);
	co_mutex_unlock(&tr->node->mutex);
	return rc;
}

/* Somebody reads a released file, and may wait for its data with pages in his kernel locked: these
 * could not be taken back before. */
static bool is_streamed(const struct trunc *tr)
{
	struct mds *m = op_mds(tr->op);

	return lease_conflict(m->leases, NULL, tr->fid, LEASE_SHARED, loop_now(m->loop));
}

static int set_locked(struct trunc *tr, struct attr *attr)
{
	int rc;

	do {
		rc = tr->size || is_streamed(tr) ? op_co_restore(tr->op, tr->fid) : 0;
		rc = rc < 0 ? rc : set_once(tr, attr);
	} while (rc == -EAGAIN);
	return rc;
}

bool size_is_cut(struct mds *m, const struct fid *fid)
{
	const struct node *n = node_find(m->opens, fid);

	return n && n->cutting;
}

int size_co_wait_cut(struct rpc_op *op, const struct fid *fid)
{
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	struct node *n = node_ref(m->opens, fid);

	if (!n)
		return -ENOMEM;
	client_enter(c);
	while (n->cutting) {
		co_mutex_lock(&n->mutex);
		co_mutex_unlock(&n->mutex);
	}
	node_unref(m->opens, n);
	return client_leave(c);
}

int size_replay(struct rpc_op *op, const struct fid *fid, uint64_t size,
		const struct mds_setattr_req *q, const struct attr *was)
{
	static const struct mds_setattr_req none;
	struct inode_rec ino;
	bool was_unsure;
	struct txn *t;
	int rc = op_write(op, &t);

	if (rc == 0)
		rc = inode_get(t, fid, &ino);
	if (rc == 0)
		rc = check_file(&ino, size);
	if (rc == 0)
		rc = attr_set(t, fid, &ino, q ? q : &none, op_now(op));
	if (rc)
		return rc;
	was_unsure = ino.attr.flags & ATTR_SIZE_UNSURE;
	ino.attr.flags &= ~(uint32_t)INODE_RELEASED;
	ino.attr.size = size;
	ino.attr.blocks = was->blocks;
	if (was->ctime < INT64_MAX / 2) /* it comes from the client */
		ino.attr.ctime = was->ctime;
	ino.attr.mtime = was->mtime;
	if (was->flags & ATTR_SIZE_UNSURE) {
		attr_make_unsure(&ino.attr);
		rc = was_unsure ? 0 : unsure_add(t, fid);
	} else if (was_unsure) {
		attr_make_sure(&ino.attr);
		rc = young_add(op_mds(op)->young, t, fid);
	}
	if (rc == 0)
		rc = hsm_wrote(t, fid);
	return rc ? rc : inode_update(t, fid, &ino);
}

int size_co_set(struct rpc_op *op, const struct fid *fid, uint64_t size,
		const struct mds_setattr_req *q, struct attr *attr)
{
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	struct trunc tr = {.op = op, .fid = fid, .size = size, .q = q};
	int rc, dead;

	tr.node = node_ref(m->opens, fid);
	if (!tr.node)
		return -ENOMEM;
	client_enter(c);
	rc = set_locked(&tr, attr);
	if (rc == -ENODEV) {
		rc = size_co_wait_osts(m);
		if (rc == 0)
			rc = set_locked(&tr, attr);
	}
	dead = client_leave(c);
	node_unref(m->opens, tr.node);
	layout_free(tr.layout);
	return rc ? rc : dead;
}
