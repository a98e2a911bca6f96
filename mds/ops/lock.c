/* SPDX-License-Identifier: Apache-2.0 */
/* lock.c - mds_setlk, mds_getlk, mds_cancel. The rules are mds/lock.c's; here is only the
 * waiting. */
#include "mds/state.h"

struct waiting {
	struct lock_wait w;
	struct fiber *fiber;
	int rc;
};

static void woken(struct lock_wait *w, int rc)
{
	struct waiting *wt = container_of(w, struct waiting, w);

	wt->rc = rc;
	fiber_wake(wt->fiber);
}

static int co_wait_lock(struct rpc_op *op, const struct lock_req *r)
{
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	struct waiting wt = {
		.w = {.req = *r, .xid = op->hdr->xid, .wake = woken},
		.fiber = fiber_self(),
	};
	int rc = lock_wait_add(m->locks, &wt.w);

	if (rc)
		return rc;
	client_enter(c);
	fiber_co_suspend();
	return client_leave(c) ? -ESTALE : wt.rc;
}

/* Before all clients of the last life have told which locks they hold, nobody gets a new one, or
 * hears that there is none. own: only this client must have; what one of its lanes gives back,
 * another one may be about to claim. */
static int co_grace(struct rpc_op *op, bool own)
{
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	int rc = 0;

	client_enter(c);
	while (rc == 0 && m->recovery_end_ns && !c->dead && !(own && c->back))
		rc = co_wait(&m->grace_q, 0);
	return client_leave(c) ? -ESTALE : rc;
}

int mds_setlk(struct rpc_op *op, const struct mds_setlk_req *q, struct mds_setlk_rep *p)
{
	struct mds *m = op_mds(op);
	struct lock_req r = {
		.fid = q->fid,
		.space = q->space,
		.type = q->type,
		.pid = q->pid,
		.session = op_client(op)->id,
		.owner = q->owner,
		.start = q->start,
		.end = q->end,
	}, drop = r;
	int rc;

	(void)p;
	if (m->recovery_end_ns && !q->reclaim) {
		rc = co_grace(op, q->type == 2);
		if (rc)
			return rc;
	}
	rc = lock_set(m->locks, &r);
	if (rc != -EAGAIN)
		return rc;
	if (q->wait)
		return co_wait_lock(op, &r);
	/* A conversion that fails has given up the old lock, as flock(2) tells. */
	if (q->space == LOCK_FLOCK) {
		drop.type = 2;
		(void)!lock_set(m->locks, &drop);
	}
	return rc;
}

int mds_getlk(struct rpc_op *op, const struct mds_getlk_req *q, struct mds_getlk_rep *p)
{
	struct mds *m = op_mds(op);
	struct lock_req r = {
		.fid = q->fid,
		.space = q->space,
		.type = q->type,
		.pid = q->pid,
		.session = op_client(op)->id,
		.owner = q->owner,
		.start = q->start,
		.end = q->end,
	}, found;
	bool any;
	int rc;

	if (q->type > 2 || q->start > q->end)
		return -EINVAL;
	p->type = 2;
	any = lock_test(m->locks, &r, &found);
	if (!any && m->recovery_end_ns) {
		rc = co_grace(op, false);
		if (rc)
			return rc;
		any = lock_test(m->locks, &r, &found);
	}
	if (!any)
		return 0;
	p->type = found.type;
	p->start = found.start;
	p->end = found.end;
	p->pid = found.pid;
	return 0;
}

int mds_cancel(struct rpc_op *op, const struct mds_cancel_req *q, struct mds_cancel_rep *p)
{
	(void)p;
	/* Nobody waits: it was granted meanwhile, and its answer is on the way. */
	lock_cancel(op_mds(op)->locks, op_client(op)->id, q->xid, -EINTR);
	return 0;
}

int mds_reclaimed(struct rpc_op *op, const struct mds_reclaimed_req *q,
		  struct mds_reclaimed_rep *p)
{
	(void)p;
	if (q->lane >= MDS_LANES || !q->lanes || q->lanes > MDS_LANES)
		return -EINVAL;
	if (!q->session || q->session == op->session->id)
		client_lane_back(op_client(op), q->lane, q->lanes, q->opens_only);
	return 0;
}
