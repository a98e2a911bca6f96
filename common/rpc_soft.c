/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_soft.c - calls of a server that does not answer, for an import with timeo_ms; see rpc.h.
 *
 * A server is silent when it owes an answer for timeo_ms and has said nothing in that time: one
 * that is only slow, or waits for others, still answers pings, which come often enough for that. So
 * what ends here ends because nobody is there, not because there is much to do. Silence is told in
 * the log. With `soft` calls that lose nothing by it then end with -EIO: those that are
 * RPC_LOSABLE, and changes and writes that were never sent: what was sent may be executed when the
 * server goes on, after things that the caller does next. Calls of RPC_CALL_HARD, those that ride,
 * that may take long, or belong to a reclaim, wait.
 */
#include "common/log.h"
#include "common/rpc_client.h"
#include <stdatomic.h>

enum { PINGS = 3 }; /* in the time that makes a server silent */

uint32_t rpc_soft_ping_ms(const struct rpc_import *imp)
{
	uint32_t often = imp->cfg.timeo_ms / PINGS;

	return often && often < imp->ping_ms ? often : imp->ping_ms;
}

static _Atomic bool *told_of(struct rpc_import *imp)
{
	return imp->cfg.told ? imp->cfg.told : &imp->told;
}

void rpc_soft_heard(struct rpc_import *imp)
{
	imp->heard_ns = loop_clock(imp->l);
	if (atomic_load(told_of(imp)) && atomic_exchange(told_of(imp), false))
		log_info("%s: answers again", imp->target);
}

/* It owes an answer since then. */
static uint64_t silent_since(const struct rpc_import *imp, uint64_t asked_ns)
{
	return imp->heard_ns > asked_ns ? imp->heard_ns : asked_ns;
}

static void tell(struct rpc_import *imp)
{
	if (atomic_exchange(told_of(imp), true))
		return;
	log_err("%s: no answer for %u.%u s: %s", imp->target, imp->cfg.timeo_ms / 1000,
		imp->cfg.timeo_ms / 100 % 10,
		imp->cfg.soft ? "what waits for it ends with an error (mount option soft)"
			      : "still waiting");
}

/* Whoever asked gets nothing, and that is all that is lost. */
static bool may_give_up(const struct rpc_import *imp, const struct rpc_desc *d,
			const struct rpc_call *call, bool sent)
{
	if (!imp->cfg.soft || (call->flags & RPC_CALL_HARD) || (d->flags & (RPC_RIDES | RPC_LONG)))
		return false;
	return (d->flags & RPC_LOSABLE) || (!sent && (d->flags & (RPC_MODIFIES | RPC_BULK_IN)));
}

static void patience_over(void *arg)
{
	struct pending *p = arg;
	struct rpc_import *imp = p->imp;
	uint64_t due = silent_since(imp, p->start_ns) + imp->cfg.timeo_ms * NSEC_PER_MSEC;
	uint64_t now = loop_clock(imp->l);

	if (p->done || p->timed_out)
		return;
	if (due <= now) {
		tell(imp);
		if (may_give_up(imp, p->desc, p->call, p->sent)) {
			rpc_call_give_up(p);
			return;
		}
		due = now + imp->cfg.timeo_ms * NSEC_PER_MSEC;
	}
	loop_timer_start(imp->l, &p->patience, due - now);
}

void rpc_soft_begin(struct pending *p)
{
	p->patience = (struct loop_timer){.fn = patience_over, .arg = p};
	if (!(p->desc->flags & RPC_LONG))
		loop_timer_start(p->imp->l, &p->patience, p->imp->cfg.timeo_ms * NSEC_PER_MSEC);
}

void rpc_soft_end(struct pending *p)
{
	if (p->patience.fn)
		loop_timer_stop(p->imp->l, &p->patience);
}

int rpc_soft_co_slot(struct rpc_import *imp, const struct rpc_desc *d, const struct rpc_call *call,
		     uint64_t since_ns)
{
	uint64_t due = imp->cfg.timeo_ms && may_give_up(imp, d, call, false)
			       ? silent_since(imp, since_ns) + imp->cfg.timeo_ms * NSEC_PER_MSEC
			       : 0;
	int rc;

	if (due && due <= loop_clock(imp->l)) {
		tell(imp);
		return -EIO;
	}
	rc = co_wait(&imp->slot_q, due);
	return rc == -ETIMEDOUT ? 0 : rc; /* look again */
}

uint64_t rpc_import_silent_ns(const struct rpc_import *imp)
{
	const struct pending *p;
	uint64_t now = loop_clock(imp->l);

	TAILQ_FOREACH(p, &imp->calls, link)
		if (!p->done && !p->timed_out && !(p->desc->flags & RPC_LONG))
			return now - silent_since(imp, p->start_ns);
	return 0;
}
