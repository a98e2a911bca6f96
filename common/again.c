/* SPDX-License-Identifier: Apache-2.0 */
/* again.c - see again.h. */
#include "common/again.h"

static int recover(struct again *a, struct rpc_import *imp, bool done, bool *window)
{
	struct oss_recover_req q = {.lane = a->lane, .lanes = a->lanes, .done = done};
	struct oss_recover_rep p;
	RPC_CALL(call);
	int rc;

	call.flags = RPC_CALL_RECLAIM;
	rc = oss_co_recover(imp, &call, &q, &p);
	if (rc)
		return rc;
	*window = p.window;
	a->new_power = p.power;
	a->stable = p.stable;
	return 0;
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

int again_co_restart(struct again *a, struct rpc_import *imp)
{
	bool window, left;
	int rc = recover(a, imp, false, &window), rc2;

	if (rc)
		return rc;
	left = !TAILQ_EMPTY(&a->changes->changes) &&
	       TAILQ_LAST(&a->changes->changes, unstable_list)->number > a->stable;
	if (window)
		rc = send_all(a, imp);
	else if (left && a->power && a->new_power != a->power)
		rc = -ESTALE;
	/* Whatever came of it, others shall not wait for this one. */
	while (window) {
		rc2 = recover(a, imp, true, &window);
		if (rc2)
			return rc ? rc : rc2;
	}
	return rc;
}
