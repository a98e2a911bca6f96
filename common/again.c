/* SPDX-License-Identifier: Apache-2.0 */
/* again.c - see again.h. */
#include "common/again.h"

static int recover(struct again *a, struct rpc_import *imp, bool done,
		   struct oss_recover_rep *p)
{
	struct oss_recover_req q = {.lane = a->lane, .lanes = a->lanes, .done = done};
	RPC_CALL(call);
	int rc;

	call.flags = RPC_CALL_RECLAIM;
	rc = oss_co_recover(imp, &call, &q, p);
	if (rc == 0)
		a->stable = p->stable;
	return rc;
}

static int send_one(struct again *a, struct rpc_import *imp, struct unstable_change *c)
{
	struct oss_again_rep p;
	RPC_CALL(call);

	call.flags = RPC_CALL_RECLAIM | (a->nocrc ? RPC_CALL_NOCRC : 0);
	call.out = c->iov;
	call.out_n = c->niov;
	if (c->written_ns) {
		c->req.age = loop_clock(a->loop) - c->written_ns + 1;
		c->req.written = loop_realtime(a->loop) - (int64_t)c->req.age;
	}
	return oss_co_again(imp, &call, &c->req, &p);
}

/* In the order of the changes. */
static int send_all(struct again *a, struct rpc_import *imp)
{
	struct unstable_change *c;
	int rc = 0;

	*a->busy = true;
	TAILQ_FOREACH(c, &a->changes->changes, link)
	{
		if (c->number <= a->stable)
			continue;
		rc = send_one(a, imp, c);
		if (rc)
			break;
		a->sent++;
	}
	*a->busy = false;
	return rc;
}

static bool any_unstable(const struct again *a)
{
	const struct unstable_change *last = TAILQ_LAST(&a->changes->changes, unstable_list);

	return last && last->number > a->stable;
}

int again_co_restart(struct again *a, struct rpc_import *imp)
{
	struct oss_recover_rep p;
	int rc = recover(a, imp, false, &p), rc2;

	if (rc)
		return rc;
	if (p.window)
		rc = send_all(a, imp);
	else if (a->power && p.power != a->power && any_unstable(a))
		rc = -ESTALE;
	if (rc == 0)
		a->power = p.power;
	/* Whatever came of it, others shall not wait for this one. */
	while (p.window) {
		rc2 = recover(a, imp, true, &p);
		if (rc2)
			return rc ? rc : rc2;
	}
	return rc;
}
