/* SPDX-License-Identifier: Apache-2.0 */
/* op.c - what every handler does alike: transactions, the gate, exactly-once; see state.h.
 *
 * rpc_op.batch is set by op_read() (only inside a batch with changes that somebody waits for)
 * and op_write(). It is what the gate and the slot record go by: an operation that has none
 * leaves at once and is not recorded, because executing it again does no harm. rpc_op.transno
 * numbers changes: it is set by op_write(), behind which no handler suspends; see replay.c.
 */
#include "common/late.h"
#include "mds/slot.h"
#include "mds/state.h"
#include <stdlib.h>

struct mds *op_mds(const struct rpc_op *op)
{
	return rpc_service_arg(op->svc);
}

struct client *op_client(const struct rpc_op *op)
{
	return op->session->priv;
}

int op_read(struct rpc_op *op, struct txn **t)
{
	struct store *s = op_mds(op)->store;
	bool in_batch;
	int rc = store_read(s, t, &in_batch);

	if (rc == 0 && in_batch)
		op->batch = store_batch(s);
	return rc;
}

int op_write(struct rpc_op *op, struct txn **t)
{
	struct store *s = op_mds(op)->store;
	int rc = store_write(s, t);

	if (rc)
		return rc;
	op->batch = store_batch(s);
	op->transno = store_next_transno(s);
	if (!op->time)
		op_now(op);
	return 0;
}

int64_t op_now(struct rpc_op *op)
{
	op->time = op->replayed ? op->hdr->time : loop_realtime(op_mds(op)->loop);
	return op->time;
}

int64_t op_late(struct rpc_op *op, uint64_t age_ns, int64_t when)
{
	int64_t now = op_now(op);

	if (!op->replayed)
		op->time = late_time(now, age_ns, when);
	return op->time;
}

int op_write_more(struct rpc_op *op, struct txn **t)
{
	int rc = store_space_check(op_mds(op)->store);

	return rc ? rc : op_write(op, t);
}

int op_copy(struct rpc_op *op, struct span *s)
{
	uint8_t *mem;

	if (s->len == 0)
		return 0;
	mem = rpc_op_alloc(op, s->len);
	if (!mem)
		return -ENOMEM;
	memcpy(mem, s->ptr, s->len);
	s->ptr = mem;
	return 0;
}

struct undo {
	struct store_waiter w;
	struct mds *m;
	void (*fn)(struct mds *m, void *arg);
	void *arg;
};

static void undo_run(struct store_waiter *w, int rc)
{
	struct undo *u = container_of(w, struct undo, w);

	if (rc)
		u->fn(u->m, u->arg);
	free(u->arg);
	free(u);
}

int op_undo(struct mds *m, void (*fn)(struct mds *m, void *arg), void *arg)
{
	struct undo *u = arg ? malloc(sizeof(*u)) : NULL;

	if (!u) {
		free(arg);
		return -ENOMEM;
	}
	*u = (struct undo){.w.fn = undo_run, .m = m, .fn = fn, .arg = arg};
	store_on_end(m->store, &u->w);
	return 0;
}

/* The row that tells the next life of a client is there before any change of it. */
static bool row_is_missing(const struct mds *m, const struct client *c)
{
	return c->row_batch > store_last_batch(m->store);
}

int op_share(struct rpc_op *op, const struct share_use *u, uint32_t n)
{
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	bool commit = row_is_missing(m, c);
	uint32_t i;
	int rc = 0;

	if (!m->commit_on_sharing || store_is_strict(m->store))
		return 0;
	share_batch(m->share, store_batch(m->store));
	for (i = 0; i < n && !commit; i++)
		commit = share_conflicts(m->share, c->id, &u[i]);
	if (commit) {
		rc = store_commit(m->store);
		share_batch(m->share, store_batch(m->store));
	}
	for (i = 0; i < n && rc == 0; i++)
		rc = share_note(m->share, c->id, &u[i]);
	return rc ? rc : commit;
}

bool op_share_free(struct rpc_op *op, const struct fid *fid)
{
	struct mds *m = op_mds(op);

	share_batch(m->share, store_batch(m->store));
	return !share_conflicts(m->share, op_client(op)->id,
				&(struct share_use){.fid = *fid, .how = SHARE_LOOK});
}

void md_end(struct mds *m, enum md_stat s, uint64_t begin)
{
	stat_add(&m->md_stats[s], (loop_clock(m->loop) - begin) / 1000);
}

int op_reply_attr(struct rpc_op *op, const struct inode_rec *ino, bool with_layout,
		  struct attr *attr, struct span *layout)
{
	*attr = ino->attr;
	*layout = SPAN_NONE;
	if (!with_layout && !(ino->attr.flags & ATTR_SIZE_UNSURE))
		return 0;
	if (!(ino->attr.flags & INODE_HAS_OBJECTS))
		return 0; /* a wish is nothing a client could read or write by */
	*layout = ino->layout;
	return op_copy(op, layout);
}

int op_dir_attr(struct txn *t, const struct fid *dir, struct attr *out)
{
	struct inode_rec ino;
	int rc = inode_get(t, dir, &ino);

	if (rc == 0)
		*out = ino.attr;
	return rc;
}

uint64_t op_open_seq(const struct rpc_op *op, const struct fid *fid, const struct attr *a)
{
	const struct node *n;

	if (!(a->flags & ATTR_SIZE_UNSURE))
		return 0;
	n = node_find(op_mds(op)->opens, fid);
	return n ? n->open_seq : 0;
}

/* ---- hooks of the service ---- */

struct gate_wait {
	struct store_waiter w;
	struct rpc_op *op;
};

static void gate_open(struct store_waiter *w, int rc)
{
	rpc_op_reply(container_of(w, struct gate_wait, w)->op, rc);
}

static bool in_open_batch(const struct mds *m, const struct rpc_op *op)
{
	return op->batch > store_last_batch(m->store);
}

/* A close may be answered before it is on disk, and is not done again: if it is lost, the file
 * is measured again. */
static bool gate(void *arg, struct rpc_op *op)
{
	struct mds *m = arg;
	struct gate_wait *gw;

	if (m->made_open.op == op)
		m->made_open.op = NULL;
	if (op->replayed)
		replay_op_end(op);
	if (op->desc->nr == RPC_mds_close)
		op->transno = 0;
	if (!in_open_batch(m, op) || op->desc->nr == RPC_mds_close)
		return false;
	gw = rpc_op_alloc(op, sizeof(*gw));
	if (!gw) {
		rpc_op_reply(op, -ENOMEM);
		return true;
	}
	*gw = (struct gate_wait){.w.fn = gate_open, .op = op};
	if (op->durable)
		store_on_disk(m->store, &gw->w);
	else
		store_on_commit(m->store, &gw->w, true);
	return true;
}

/* Every row tells that the client's changes up to this one were made: also that of an operation
 * which only saw some. */
static uint64_t row_transno(const struct mds *m, const struct rpc_op *op)
{
	if (op->replayed)
		return op->hdr->transno;
	return op->transno ? op->transno : store_transno(m->store);
}

static int replay_store(void *arg, struct rpc_op *op, int32_t status, struct span body)
{
	struct mds *m = arg;
	struct slot_rec rec = {
		.xid = op->hdr->xid,
		.rpc = op->hdr->rpc,
		.status = status,
		.body = body,
		.transno = row_transno(m, op),
	};
	struct txn *t;
	int rc;

	if (!in_open_batch(m, op))
		return 0;
	if (m->made_open.op == op) {
		rec.open_fid = m->made_open.fid;
		rec.open_id = m->made_open.id;
		rec.open_flags = m->made_open.flags;
	}
	rc = store_write(m->store, &t);
	return rc ? rc : slot_put(t, op->session->uuid, op->hdr->slot, &rec);
}

/* The reply says that a file is open; after a restart nobody knows any more. */
static int replay_open(struct client *c, struct txn *t, const struct slot_rec *rec)
{
	struct inode_rec ino;
	uint64_t seq;
	uint32_t sole;
	int rc;

	if (rec->open_id == 0 || open_find(c->mds->opens, c, rec->open_id))
		return 0;
	rc = inode_get(t, &rec->open_fid, &ino);
	if (rc)
		return rc == -ENOENT ? 0 : rc; /* gone since: the client will meet that by itself */
	return client_open(c,
			   &(struct client_open){
				   .fid = rec->open_fid,
				   .id = rec->open_id,
				   .flags = rec->open_flags,
			   },
			   &seq, &sole);
}

static int replay_find(void *arg, struct rpc_op *op, int32_t *status, struct span *body)
{
	struct mds *m = arg;
	struct slot_rec rec;
	bool in_batch;
	struct txn *t;
	int rc = store_read(m->store, &t, &in_batch);

	if (rc == 0)
		rc = slot_get(t, op->session->uuid, op->hdr->slot, op->hdr->xid, &rec);
	if (rc == -ENOENT || (rc == 0 && rec.rpc != op->hdr->rpc))
		return 0;
	if (rc == 0)
		rc = replay_open(op_client(op), t, &rec);
	if (rc)
		return rc;
	*status = rec.status;
	*body = rec.body;
	return 1;
}

static uint64_t last_committed(void *arg)
{
	return store_last_committed(((struct mds *)arg)->store);
}

const struct rpc_service_ops mds_service_ops = {
	.session_open = client_session_open,
	.session_co_close = client_session_close,
	.co_admit = replay_co_admit,
	.replay_find = replay_find,
	.replay_store = replay_store,
	.gate = gate,
	.last_committed = last_committed,
};
