/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - changes that a loss of power took from the MDT, done again by the clients that were
 * answered (D6).
 *
 * Every change has a number (transno), and its slot row has it too: the highest one among the rows
 * of a client tells which of its changes the MDT has, because they were made in that order and a
 * commit takes all that was made before it. A client keeps requests and replies until they are
 * committed. When it meets a new life of the server it hears that number (mds_replay), and sends
 * what lies above, one after the other: the handlers make the same change as before, at the time
 * that it had, with the objects that were chosen then. What they decided freely is read from the
 * old reply; leases are left alone, because those of the last life are void and were recalled then.
 * The slot row gets the old number, so the same holds after the next loss.
 *
 * Changes of different clients do not depend on each other (share.h). New ones could: until all
 * clients of the last life have ended their replays, new requests wait. Who is not here after a
 * term of the leases, or has not ended when the window of recovery.c closes, is not waited for;
 * what he had not told is lost, and may be refused if he comes later.
 *
 * Only a loss of power needs that. After the death of the process the redo log has everything.
 */
#include "mds/dirent.h"
#include "mds/slot.h"
#include "mds/state.h"
#include <stdlib.h>
#include <sys/stat.h>

#define TIME_MAX (INT64_MAX / 2) /* what comes after it must not overflow */

static struct client *client_of(struct mds *m, const uint8_t uuid[UUID_LEN])
{
	struct rpc_session *ses = rpc_service_session_find(m->svc, uuid);

	return ses ? ses->priv : NULL;
}

uint32_t replay_clients(struct mds *m)
{
	uint8_t uuid[UUID_LEN] = {0};
	const struct client *c;
	uint32_t n = 0;
	struct txn *t;
	bool in_batch;
	int rc = store_read(m->store, &t, &in_batch);

	while (rc == 0 && (rc = slot_next_client(t, uuid, uuid)) == 0) {
		c = client_of(m, uuid);
		n += c ? !c->replayed : !m->replay.term_over;
	}
	return rc == -ENOENT ? n : UINT32_MAX;
}

void replay_end(struct mds *m)
{
	int rc;

	if (!m->replay.on)
		return;
	m->replay.on = false;
	loop_timer_stop(m->loop, &m->replay.due);
	rc = store_power_settled(m->store);
	if (rc)
		log_err("%s: the end of the replay cannot be noted: %s", m->name, err_str(rc));
	if (m->replay.done)
		log_info("%s: %llu operations were done again", m->name,
			 (unsigned long long)m->replay.done);
	co_wake_all(&m->grace_q);
}

void replay_news(struct mds *m)
{
	if (m->replay.on && !replay_clients(m))
		replay_end(m);
}

static void term_over(void *arg)
{
	struct mds *m = arg;

	m->replay.term_over = true;
	replay_news(m);
}

void replay_start(struct mds *m, uint64_t term_ns)
{
	m->replay.on = store_lost_power(m->store);
	m->replay.due = (struct loop_timer){.fn = term_over, .arg = m};
	replay_news(m);
	if (m->replay.on)
		loop_timer_start(m->loop, &m->replay.due, term_ns);
}

void replay_stop(struct mds *m)
{
	loop_timer_stop(m->loop, &m->replay.due);
}

int mds_replay(struct rpc_op *op, const struct mds_replay_req *q, struct mds_replay_rep *p)
{
	struct client *c = op_client(op);

	p->known = c->known;
	p->transno = c->had_transno;
	if (q->done) {
		c->replayed = true;
		if (op_mds(op)->replay.on)
			recovery_client_news(op_mds(op), false);
	}
	return 0;
}

/* ---- requests ---- */

static struct span old_layout(const struct rpc_op *op)
{
	switch (op->desc->nr) {
	case RPC_mds_create:
		return ((const struct mds_create_rep *)op->replayed)->layout;
	case RPC_mds_open:
		return ((const struct mds_open_rep *)op->replayed)->layout;
	case RPC_mds_layout:
		return ((const struct mds_layout_rep *)op->replayed)->layout;
	default:
		return SPAN_NONE;
	}
}

void replay_op_end(struct rpc_op *op)
{
	struct mds *m = op_mds(op);

	m->alloc.made = NULL;
	layout_free(m->replay.layout);
	m->replay.layout = NULL;
}

static int admit_again(struct mds *m, struct rpc_op *op)
{
	struct client *c = op_client(op);
	struct span layout = old_layout(op);
	int rc = 0;

	if (!c->known)
		return -ESTALE; /* it came too late, and was forgotten */
	if (op->hdr->transno <= c->last_transno) {
		op->transno = store_transno(m->store);
		return 1;
	}
	if (op->hdr->time <= 0 || op->hdr->time > TIME_MAX)
		return -EBADMSG;
	if (layout.len)
		rc = layout_dec(layout, &m->replay.layout);
	if (rc || (layout.len && !striping_made(m->replay.layout))) {
		replay_op_end(op);
		return -EBADMSG;
	}
	c->last_transno = op->hdr->transno;
	m->alloc.made = m->replay.layout;
	m->replay.done++;
	return 0;
}

/* What recovery itself needs, and what changes and tells nothing. */
static bool may_pass(const struct rpc_op *op)
{
	switch (op->desc->nr) {
	case RPC_mds_replay:
	case RPC_mds_reclaimed:
	case RPC_mds_recalls:
	case RPC_mds_give_back:
	case RPC_mds_cancel:
	case RPC_mds_statfs:
		return true;
	default:
		return (op->hdr->flags & WIRE_RECLAIM) || op->desc->nr < RPC_mds_lookup;
	}
}

int replay_co_admit(void *arg, struct rpc_op *op)
{
	struct mds *m = arg;
	struct client *c = op->session ? op_client(op) : NULL;
	int rc = 0;

	if (op->replayed)
		return c ? admit_again(m, op) : -ESTALE;
	if (!m->replay.on || !c || op->session->kind != PEER_CLIENT || may_pass(op))
		return 0;
	client_enter(c);
	while (rc == 0 && m->replay.on && !c->dead)
		rc = co_wait(&m->grace_q, 0);
	return client_leave(c) ? -ESTALE : rc;
}

int replay_place(struct rpc_op *op, struct txn *t, const struct fid *dir, uint64_t next)
{
	struct mds *m = op_mds(op);
	struct diridx_rec taken;
	struct inode_rec ino;
	int rc;

	m->replay.next_cookie = 0;
	if (!op->replayed || next <= DIRENT_FIRST_COOKIE)
		return 0;
	rc = diridx_rec_get(t, &(struct diridx_key){*dir, next - 1}, &taken);
	if (rc != -ENOENT)
		return rc;
	rc = inode_get(t, dir, &ino);
	if (rc || !S_ISDIR(ino.attr.mode))
		return rc;
	m->replay.next_cookie = ino.next_cookie;
	ino.next_cookie = next - 1;
	return inode_update(t, dir, &ino);
}

int replay_placed(struct rpc_op *op, struct txn *t, const struct fid *dir, int rc)
{
	struct mds *m = op_mds(op);
	struct inode_rec ino;
	int rc2;

	if (!m->replay.next_cookie)
		return rc;
	rc2 = inode_get(t, dir, &ino);
	ino.next_cookie = max_u64(ino.next_cookie, m->replay.next_cookie);
	if (rc2 == 0)
		rc2 = inode_update(t, dir, &ino);
	m->replay.next_cookie = 0;
	return rc ? rc : rc2;
}

int replay_dir(struct txn *t, const struct fid *dir, struct attr *attr, uint64_t *next)
{
	struct inode_rec ino;
	int rc = inode_get(t, dir, &ino);

	if (rc)
		return rc;
	*attr = ino.attr;
	*next = ino.next_cookie;
	return 0;
}

int replay_check_name(struct rpc_op *op, const struct fid *dir, struct span name,
		      const struct fid *fid)
{
	const struct fid none = {0};
	struct dirent_rec d;
	struct txn *t;
	int rc = op_read(op, &t);

	if (rc == 0)
		rc = dirent_get(t, dir, name, &d);
	if (rc == -ENOENT) {
		d.child = none;
		rc = 0;
	}
	return rc ? rc : fid_eq(&d.child, fid) ? 0 : -ESTALE;
}
