/* SPDX-License-Identifier: Apache-2.0 */
/* ops.c - the table of requests, and what all of them share: counting and timing.
 *
 * Every row goes through serve(), which calls the handler of the same number.
 */
#include "oss/ost.h"

PROTO_SERVE(OSS_RPCS, handler_table)

enum { FIRST_NR = RPC_oss_read };

/* Which counter a request's time goes to. */
static const uint8_t stat_of[] = {
	[RPC_oss_read - FIRST_NR] = OST_STAT_read,
	[RPC_oss_write - FIRST_NR] = OST_STAT_write,
	[RPC_oss_getattr - FIRST_NR] = OST_STAT_getattr,
	[RPC_oss_punch - FIRST_NR] = OST_STAT_punch,
	[RPC_oss_fallocate - FIRST_NR] = OST_STAT_fallocate,
	[RPC_oss_seek - FIRST_NR] = OST_STAT_seek,
	[RPC_oss_sync - FIRST_NR] = OST_STAT_sync,
	[RPC_oss_destroy - FIRST_NR] = OST_STAT_destroy,
	[RPC_oss_statfs - FIRST_NR] = OST_STAT_statfs,
	[RPC_oss_fence - FIRST_NR] = OST_STAT_punch,
	[RPC_oss_grant - FIRST_NR] = OST_STAT_grant,
	[RPC_oss_list - FIRST_NR] = OST_STAT_list,
	[RPC_oss_commit - FIRST_NR] = OST_STAT_sync,
	[RPC_oss_recover - FIRST_NR] = OST_STAT_recover,
	[RPC_oss_again - FIRST_NR] = OST_STAT_again,
};

static int serve(struct rpc_op *op, const void *req, void *rep)
{
	struct ost_session *ses = ost_session_of(op);
	uint32_t at = op->desc->nr - FIRST_NR;
	struct ost *ost;
	uint64_t start;
	int rc;

	if (!ses) /* ended a moment ago */
		return -ESTALE;
	ost = ses->ost;
	start = loop_clock(ost->cfg.loop);
	assert(handler_table[at].nr == op->desc->nr);
	ost->running++;
	rc = handler_table[at].fn(op, req, rep);
	stat_add(&ost->stats[stat_of[at]], (loop_clock(ost->cfg.loop) - start) / 1000);
	if (--ost->running == 0)
		co_wake_all(&ost->idle);
	return rc;
}

#define SERVE_ROW(nr_, srv, nm, flags_, doc_) {nr_, serve},
const struct rpc_handler ost_handlers[] = {OSS_RPCS(SERVE_ROW)};
const uint32_t ost_nhandlers = ARRAY_SIZE(ost_handlers);
static_assert(ARRAY_SIZE(ost_handlers) == ARRAY_SIZE(stat_of), "every request has a counter");
