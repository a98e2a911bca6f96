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
#include "mds/orphan.h"
#include "mds/state.h"
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
	int rc = op_write(tr->op, &t);

	if (rc == 0)
		rc = inode_get(t, tr->fid, &ino);
	if (rc == 0)
		rc = attr_set(t, tr->fid, &ino, tr->q ? tr->q : &none, loop_realtime(m->loop));
	if (rc)
		return rc;
	if (sum && sum->mtime > ino.attr.ctime)
		ino.attr.ctime = sum->mtime;
	if (!tr->q || !(tr->q->valid & SETATTR_MTIME))
		ino.attr.mtime = ino.attr.ctime;
	ino.attr.size = tr->size;
	if (sum) {
		ino.attr.blocks = sum->blocks;
		node_bump(m->opens, tr->node);
	}
	tr->node->was_sure = true;
	if (tr->node->nwriters && (ino.attr.flags & ATTR_SIZE_UNSURE)) {
		attr_make_unsure(&ino.attr);
	} else if (ino.attr.flags & ATTR_SIZE_UNSURE) {
		attr_make_sure(&ino.attr);
		rc = unsure_del(t, tr->fid);
	}
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
	int rc = op_write(tr->op, &t);

	if (rc == 0)
		rc = inode_get(t, tr->fid, &ino);
	if (rc == 0)
		rc = check_file(&ino, tr->size);
	if (rc)
		return rc;
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
	if (tr->was_sure) {
		attr_make_unsure(&ino.attr);
		rc = unsure_add(t, tr->fid);
	}
	return rc ? rc : inode_update(t, tr->fid, &ino);
}

static int revoke_and_begin(struct trunc *tr)
{
	int rc = op_co_revoke_one(tr->op, tr->fid, LEASE_UPDATE);

	return rc ? rc : begin(tr);
}

static int run(struct trunc *tr, struct attr *attr)
{
	struct mds *m = op_mds(tr->op);
	struct objects_sum sum = {0};
	int rc = revoke_and_begin(tr);

	if (rc == -ENODEV) {
		rc = size_co_wait_osts(m);
		if (rc == 0)
			rc = revoke_and_begin(tr);
	}
	if (rc || !tr->layout)
		return rc ? rc : finish(tr, NULL, attr);
	/* On the disk, not only in the log: a loss of power must not leave the old size over
	 * objects that are cut already. */
	rc = store_co_sync(m->store);
	if (rc)
		return rc;
	rc = objects_co_punch(m, tr->fid, tr->layout, tr->size, tr->trunc_gen, &sum);
	if (rc == 0)
		rc = finish(tr, &sum, attr);
	if (rc)
		settle_add(m->settle, tr->fid); /* nobody may be left who makes the size sure */
	return rc;
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
	co_mutex_lock(&tr.node->mutex);
	rc = run(&tr, attr);
	co_mutex_unlock(&tr.node->mutex);
	dead = client_leave(c);
	node_unref(m->opens, tr.node);
	layout_free(tr.layout);
	return rc ? rc : dead;
}
