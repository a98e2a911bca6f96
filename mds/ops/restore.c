/* SPDX-License-Identifier: Apache-2.0 */
/* restore.c - data that are in the archive only: they go (release), somebody wants them, a mover
 * brings them back (mds_hsm_restore).
 *
 * Whoever gets at data of a file has a lease on them, or opens the file for writing, or cuts it:
 * these three wait here while the file is released. So clients need not know of any of this.
 *
 * A mover writes to the objects without a lease, under a number (trunc_gen) that is given to it
 * alone. A truncation, or another mover that begins, raises it, and the objects refuse what comes
 * under the old one.
 *
 * Nothing here is told by a stored reply: what is sent again is done again, which does no harm.
 * In every step a crash leaves either a released file, whatever is at its objects, or one whose
 * objects are complete and on the disks.
 */
#include "common/layout.h"
#include "mds/hsm_import.h"
#include "mds/hsm_queue.h"
#include "mds/inode.h"
#include "mds/state.h"
#include "mds/young.h"
#include <stdlib.h>
#include <sys/stat.h>

enum { BLOCKS_RELEASED = 1, MEASURE_MS = 30000 };

static int wait_end(struct rpc_op *op, uint64_t cookie)
{
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	int rc = 0;

	client_enter(c);
	while (rc == 0 && hsm_find(m->hsm, cookie) && !c->dead)
		rc = co_wait(&m->hsm->ended_q, 0);
	return client_leave(c) ? -ESTALE : rc;
}

/* ---- release ---- */

#define ALL_DATA (LEASE_SHARED | LEASE_EXCLUSIVE | LEASE_CONTENDED)

/* NULL: the data of a file that the archive has go; else the file becomes another version. */
struct replacing {
	const struct mds_import_entry *by;
	uint32_t archive;
};

static int check_release(struct mds *m, struct txn *t, const struct fid *fid,
			 const struct replacing *r, struct inode_rec *ino)
{
	struct hsm_rec rec;
	int rc = inode_get(t, fid, ino);

	if (rc == 0)
		rc = hsm_get(t, fid, &rec);
	if (rc)
		return rc;
	if (!S_ISREG(ino->attr.mode) || (rec.flags & HSM_NORELEASE))
		return -EPERM;
	if (!r && (!rec.name.len || (rec.flags & HSM_LOST) || !(rec.flags & HSM_ARCHIVED)))
		return -EPERM;
	if (hsm_is_written(m->opens, fid, &ino->attr) || hsm_find_file(m->hsm, fid))
		return -EBUSY;
	return !r && (rec.flags & HSM_DIRTY) ? -EPERM : 0;
}

/* The first transaction: from here on the file is released. *l: its objects, if any. */
static int mark_released(struct mds *m, const struct fid *fid, const struct replacing *r,
			 struct layout **l, uint32_t *gen)
{
	struct inode_rec ino;
	struct txn *t;
	int rc = store_write(m->store, &t);

	if (rc == 0)
		rc = check_release(m, t, fid, r, &ino);
	if (rc || (!r && (ino.attr.flags & INODE_RELEASED)))
		return rc;
	if (ino.attr.flags & INODE_HAS_OBJECTS)
		rc = inode_layout(fid, &ino, l);
	if (rc)
		return rc;
	*gen = ++ino.attr.trunc_gen;
	if (r)
		return import_set(t, fid, &ino, r->by, r->archive, loop_realtime(m->loop));
	ino.attr.flags |= INODE_RELEASED;
	ino.attr.blocks = ino.attr.size ? BLOCKS_RELEASED : 0;
	return inode_update(t, fid, &ino);
}

static int empty_objects(struct mds *m, const struct fid *fid, const struct layout *l, uint32_t gen)
{
	struct objects_sum sum;
	int rc = store_co_sync(m->store); /* first it is known that they do not count */

	return rc || !l ? rc : objects_co_punch(m, fid, l, 0, gen, true, &sum);
}

/* Nobody has data of the file, and the node is locked, at one moment. */
static int lock_alone(struct rpc_op *op, struct node *n)
{
	struct mds *m = op_mds(op);
	const uint32_t bits = ALL_DATA | LEASE_UPDATE;
	int rc;

	for (;;) {
		rc = op_co_revoke_all(op, &n->fid, bits);
		if (rc < 0)
			return rc;
		co_mutex_lock(&n->mutex);
		if (!lease_conflict(m->leases, NULL, &n->fid, bits, loop_now(m->loop)))
			return 0;
		co_mutex_unlock(&n->mutex);
	}
}

static int release(struct rpc_op *op, struct node *n, const struct replacing *r)
{
	CLEANUP(layout_freep) struct layout *l = NULL;
	struct mds *m = op_mds(op);
	uint32_t gen = 0;
	int rc = lock_alone(op, n);

	if (rc)
		return rc;
	rc = mark_released(m, &n->fid, r, &l, &gen);
	/* An OST that is away keeps what it has; it is cut when the data come back. */
	if (rc == 0 && gen && empty_objects(m, &n->fid, l, gen))
		log_warn("%s: objects of a released file keep their space for now", m->name);
	co_mutex_unlock(&n->mutex);
	return rc;
}

/* Whoever has read the file to its end may come before the mover is done. */
static int wait_restore(struct rpc_op *op, const struct fid *fid)
{
	const struct hsm_work *w = hsm_find_file(op_mds(op)->hsm, fid);

	return w && w->action == HSM_RESTORE && w->mover ? wait_end(op, w->cookie) : 0;
}

static int co_release(struct rpc_op *op, const struct fid *fid, const struct replacing *r)
{
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	struct inode_rec ino;
	bool in_batch;
	struct node *n;
	struct txn *t;
	int rc, dead;

	if (ns_is_virtual(fid))
		return -EPERM;
	rc = wait_restore(op, fid);
	/* Before anybody has to give anything back for nothing. */
	if (rc == 0)
		rc = op_co_settle_data(op, fid);
	if (rc == 0)
		rc = store_read(m->store, &t, &in_batch);
	if (rc == 0)
		rc = check_release(m, t, fid, r, &ino);
	if (rc)
		return rc;
	n = node_ref(m->opens, fid);
	if (!n)
		return -ENOMEM;
	client_enter(c);
	rc = release(op, n, r);
	dead = client_leave(c);
	node_unref(m->opens, n);
	return rc ? rc : dead;
}

int hsm_co_release(struct rpc_op *op, const struct fid *fid)
{
	return co_release(op, fid, NULL);
}

int hsm_co_replace(struct rpc_op *op, const struct fid *fid, const struct mds_import_entry *by,
		   uint32_t archive)
{
	return co_release(op, fid, &(struct replacing){by, archive});
}

/* ---- somebody wants the data ---- */

static int is_released(struct mds *m, const struct fid *fid, bool *released)
{
	struct inode_rec ino;
	bool in_batch;
	struct txn *t;
	int rc = store_read(m->store, &t, &in_batch);

	if (rc == 0)
		rc = inode_get(t, fid, &ino);
	*released = rc == 0 && (ino.attr.flags & INODE_RELEASED);
	return rc == -ENOENT ? 0 : rc; /* the operation itself says so */
}

/* What is under way for the file, or a restore that begins now. A removal of the copy it cannot be:
 * that is refused. */
static int want_restore(struct mds *m, const struct fid *fid, uint64_t *cookie)
{
	struct hsm_work *w = hsm_find_file(m->hsm, fid);
	struct hsm_rec rec;
	struct txn *t;
	int rc;

	if (w) {
		*cookie = w->cookie;
		hsm_want(m->hsm, w);
		return 0;
	}
	rc = store_write(m->store, &t);
	if (rc == 0)
		rc = hsm_get(t, fid, &rec);
	if (rc == 0 && (rec.flags & HSM_LOST))
		rc = -EIO;
	if (rc == 0)
		rc = hsm_add(m->hsm, t,
			     &(struct hsmwork_rec){.fid = *fid,
						   .action = HSM_RESTORE,
						   .archive = rec.archive,
						   .asked = loop_realtime(m->loop),
						   .data = SPAN_STR("")},
			     cookie);
	if (rc == 0)
		hsm_want(m->hsm, hsm_find(m->hsm, *cookie));
	return rc;
}

/* For an operation that would have to wait for them: by policy it fails, but they come. */
static int want_or_refuse(struct mds *m, const struct fid *fid, uint64_t *cookie)
{
	int rc = m->stopping ? -ESHUTDOWN : want_restore(m, fid, cookie);

	return rc == 0 && m->hsm->nonblocking ? -ENODATA : rc;
}

enum { STREAM_MIN = 1 << 20 }; /* bytes: less comes in one piece anyway */

bool op_restore_streams(struct rpc_op *op, const struct fid *fid)
{
	struct inode_rec ino;
	bool in_batch;
	struct txn *t;

	return store_read(op_mds(op)->store, &t, &in_batch) == 0 && inode_get(t, fid, &ino) == 0 &&
	       (ino.attr.flags & INODE_RELEASED) && ino.attr.size > STREAM_MIN;
}

int op_co_restore_begin(struct rpc_op *op, const struct fid *fid)
{
	struct mds *m = op_mds(op);
	uint64_t cookie;

	if (!op_restore_streams(op, fid))
		return op_co_restore(op, fid);
	return want_or_refuse(m, fid, &cookie);
}

static bool has_failed(struct mds *m, const struct fid *fid, uint64_t cookie)
{
	const struct hsm_work *old = cookie ? hsm_find_ended(m->hsm, fid) : NULL;

	return old && old->cookie == cookie && old->error;
}

int op_co_restore(struct rpc_op *op, const struct fid *fid)
{
	struct mds *m = op_mds(op);
	uint64_t cookie = 0;
	bool released;
	int rc;

	for (;;) {
		rc = is_released(m, fid, &released);
		if (rc || !released)
			return rc ? rc : cookie != 0;
		if (has_failed(m, fid, cookie))
			return -EIO;
		rc = want_or_refuse(m, fid, &cookie);
		if (rc == 0)
			rc = wait_end(op, cookie);
		if (rc)
			return rc;
	}
}

/* ---- a part of the data ---- */

static int put_powers(struct rpc_op *op, const struct hsm_work *w, struct span *out)
{
	struct wbuf b;
	uint32_t i;
	int rc;

	wbuf_init(&b, MAX_BODY / 2);
	for (i = 0; i < w->nobjects; i++)
		enc_mds_power(&b, &(struct mds_power){w->power[i]});
	*out = wbuf_span(&b);
	rc = b.rc ? b.rc : op_copy(op, out);
	wbuf_fini(&b);
	return rc;
}

/* 1: the byte is not back yet. */
static int look(struct rpc_op *op, const struct mds_hsm_wait_req *q, uint64_t cookie,
		struct mds_hsm_wait_rep *p)
{
	struct hsm_work *w = hsm_find(op_mds(op)->hsm, cookie);

	if (!w || !w->ranges)
		return 1;
	ranges_want(w->ranges, q->off);
	if (!ranges_back(w->ranges, q->off, &p->from, &p->to))
		return 1;
	p->size = w->size;
	p->unit = ranges_unit(w->ranges);
	p->trunc_gen = w->trunc_gen;
	return put_powers(op, w, &p->power);
}

static int wait_back(struct rpc_op *op)
{
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	int rc;

	client_enter(c);
	rc = co_wait(&m->hsm->back_q, 0);
	return client_leave(c) ? -ESTALE : rc;
}

int mds_hsm_wait(struct rpc_op *op, const struct mds_hsm_wait_req *q, struct mds_hsm_wait_rep *p)
{
	struct mds *m = op_mds(op);
	uint64_t cookie = 0;
	bool released;
	int rc;

	for (;;) {
		rc = is_released(m, &q->fid, &released);
		if (rc)
			return rc;
		p->whole = !released;
		if (p->whole)
			return 0;
		if (has_failed(m, &q->fid, cookie))
			return -EIO;
		rc = m->stopping ? -ESHUTDOWN : want_restore(m, &q->fid, &cookie);
		if (rc == 0)
			rc = look(op, q, cookie, p);
		if (rc <= 0)
			return rc;
		rc = wait_back(op);
		if (rc)
			return rc;
	}
}

/* ---- a mover brings them ---- */

static struct hsm_work *mine(struct rpc_op *op, uint64_t cookie)
{
	struct hsm_work *w = hsm_find(op_mds(op)->hsm, cookie);

	return w && w->action == HSM_RESTORE && w->mover == op_client(op) && !w->canceled ? w
											  : NULL;
}

static int begin(struct rpc_op *op, struct node *n, struct mds_hsm_restore_rep *p)
{
	struct inode_rec ino;
	struct txn *t;
	int rc = store_write(op_mds(op)->store, &t);

	if (rc == 0)
		rc = inode_get(t, &n->fid, &ino);
	if (rc == 0 && !(ino.attr.flags & INODE_RELEASED))
		rc = -ESTALE;
	if (rc == 0)
		rc = size_make_objects(op_mds(op), t, &n->fid, &ino, false);
	if (rc)
		return rc;
	p->trunc_gen = ++ino.attr.trunc_gen;
	p->size = ino.attr.size;
	p->layout = ino.layout;
	rc = op_copy(op, &p->layout);
	return rc ? rc : inode_update(t, &n->fid, &ino);
}

/* Another time, too: after the mover has found that an OST has lost some of what it wrote. */
static int begin_ranges(struct mds *m, struct hsm_work *w, uint64_t size, uint32_t trunc_gen)
{
	hsm_forget_ranges(w);
	w->ranges = ranges_create(size);
	w->trunc_gen = trunc_gen;
	w->size = size;
	co_wake_all(&m->hsm->back_q); /* they say what they wait for */
	return w->ranges ? 0 : -ENOMEM;
}

static int begin_locked(struct rpc_op *op, struct node *n, uint64_t cookie,
			struct mds_hsm_restore_rep *p)
{
	CLEANUP(layout_freep) struct layout *l = NULL;
	struct mds *m = op_mds(op);
	struct hsm_work *w;
	int rc = begin(op, n, p);

	if (rc == 0)
		rc = layout_dec(p->layout, &l);
	if (rc == 0)
		rc = empty_objects(m, &n->fid, l, p->trunc_gen);
	if (rc)
		return rc;
	w = mine(op, cookie);
	return w ? begin_ranges(m, w, p->size, p->trunc_gen) : -ESTALE;
}

/* fn with the node of the work locked. */
static int with_node(struct rpc_op *op, uint64_t cookie, struct mds_hsm_restore_rep *p,
		     int (*fn)(struct rpc_op *op, struct node *n, uint64_t cookie,
			       struct mds_hsm_restore_rep *p))
{
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	struct hsm_work *w = mine(op, cookie);
	struct node *n = w ? node_ref(m->opens, &w->fid) : NULL;
	int rc, dead;

	if (!n)
		return w ? -ENOMEM : -ESTALE;
	op->durable = true;
	client_enter(c);
	co_mutex_lock(&n->mutex);
	rc = mine(op, cookie) ? fn(op, n, cookie, p) : -ESTALE;
	co_mutex_unlock(&n->mutex);
	dead = client_leave(c);
	node_unref(m->opens, n);
	return rc ? rc : dead;
}

int mds_hsm_restore(struct rpc_op *op, const struct mds_hsm_restore_req *q,
		    struct mds_hsm_restore_rep *p)
{
	return with_node(op, q->cookie, p, begin_locked);
}

static int note_powers(struct hsm_work *w, struct span powers)
{
	uint32_t i, n = powers.len / (uint32_t)sizeof(uint64_t);
	struct rbuf b = rbuf_of(powers);
	struct mds_power p;
	int rc = 0;

	if (!w->power) {
		w->power = calloc(n ? n : 1, sizeof(*w->power));
		w->nobjects = w->power ? n : 0;
	}
	if (n != w->nobjects)
		return w->power ? -EINVAL : -ENOMEM;
	for (i = 0; b.len && rc == 0 && i < w->nobjects; i++) {
		rc = dec_mds_power(&b, &p);
		if (rc == 0 && p.power)
			w->power[i] = p.power;
	}
	return rc;
}

/* Of an earlier life of the MDS, or it was taken back meanwhile: nobody has written to the objects
 * since but this mover. */
static int adopt(struct rpc_op *op, struct hsm_work *w, uint32_t trunc_gen)
{
	struct mds *m = op_mds(op);
	struct hsm_mover *v = hsm_mover_of(m->hsm, op_client(op));
	struct inode_rec ino;
	bool in_batch;
	struct txn *t;
	int rc = v ? store_read(m->store, &t, &in_batch) : -ENOMEM;

	if (rc == 0)
		rc = inode_get(t, &w->fid, &ino);
	if (rc)
		return rc;
	if (w->action != HSM_RESTORE || !(ino.attr.flags & INODE_RELEASED) ||
	    ino.attr.trunc_gen != trunc_gen)
		return -ESTALE;
	if (!w->mover)
		hsm_give(m->hsm, w, v);
	return begin_ranges(m, w, ino.attr.size, trunc_gen);
}

int mds_hsm_range(struct rpc_op *op, const struct mds_hsm_range_req *q, struct mds_hsm_range_rep *p)
{
	struct mds *m = op_mds(op);
	struct hsm_work *w = hsm_find(m->hsm, q->cookie);
	int rc;

	if (q->worker >= MAX_HSM_WORKERS)
		return -EINVAL;
	p->stop = w && w->canceled;
	if (p->stop)
		return 0;
	if (!w || (w->mover && w->mover != op_client(op)))
		return -ESTALE;
	rc = w->ranges ? 0 : adopt(op, w, q->trunc_gen);
	if (rc)
		return rc;
	w->since_ns = loop_now(m->loop);
	rc = note_powers(w, q->power);
	if (rc)
		return rc;
	p->off = q->off;
	p->len = q->len;
	(void)ranges_next(w->ranges, q->worker, &p->off, &p->len);
	w->moved += q->len;
	if (q->len)
		co_wake_all(&m->hsm->back_q);
	return 0;
}

/* The objects end where the file does: what was written is all of it. */
static int measure(struct rpc_op *op, const struct fid *fid, struct objects_sum *sum)
{
	CLEANUP(layout_freep) struct layout *l = NULL;
	struct mds *m = op_mds(op);
	struct inode_rec ino;
	bool in_batch;
	struct txn *t;
	int rc = store_read(m->store, &t, &in_batch);

	*sum = (struct objects_sum){0};
	if (rc == 0)
		rc = inode_get(t, fid, &ino);
	if (rc == 0)
		rc = inode_layout(fid, &ino, &l);
	if (rc == 0 && l)
		rc = objects_co_getattr(m, fid, l, MEASURE_MS, sum);
	return rc ? rc : sum->size == ino.attr.size ? 0 : -EIO;
}

/* The objects are newer than the inode's times: ctime moves over them, so that a later measuring
 * does not take their time for that of a write. */
static int bring_back(struct rpc_op *op, struct hsm_work *w, const struct objects_sum *sum)
{
	struct mds *m = op_mds(op);
	struct inode_rec ino;
	struct hsm_rec rec;
	struct txn *t;
	bool known;
	int rc = op_write(op, &t);

	if (rc == 0)
		rc = inode_get(t, &w->fid, &ino);
	if (rc == 0)
		rc = hsm_get(t, &w->fid, &rec);
	if (rc == 0 && (!(ino.attr.flags & INODE_RELEASED) || ino.attr.trunc_gen != w->trunc_gen))
		rc = -ESTALE;
	if (rc)
		return rc;
	known = rec.ctime == ino.attr.ctime;
	ino.attr.flags &= ~(uint32_t)INODE_RELEASED;
	ino.attr.blocks = sum->blocks;
	if (sum->mtime > ino.attr.ctime)
		ino.attr.ctime = sum->mtime;
	if (known) {
		rec.ctime = ino.attr.ctime;
		rc = hsm_put(t, &w->fid, &rec);
	}
	if (rc == 0)
		rc = inode_update(t, &w->fid, &ino);
	return rc ? rc : hsm_end(m->hsm, t, w, 0);
}

static int restored_locked(struct rpc_op *op, struct node *n, uint64_t cookie,
			   struct mds_hsm_restore_rep *none)
{
	struct objects_sum sum;
	struct hsm_work *w;
	int rc = measure(op, &n->fid, &sum);

	(void)none;
	/* Blocks are others, as the time of change: nobody knows them otherwise. */
	if (rc == 0)
		rc = op_co_revoke_all(op, &n->fid, LEASE_UPDATE);
	w = mine(op, cookie);
	return rc < 0 ? rc : w ? bring_back(op, w, &sum) : -ESTALE;
}

int hsm_co_restored(struct rpc_op *op, uint64_t cookie)
{
	return with_node(op, cookie, NULL, restored_locked);
}
