/* SPDX-License-Identifier: Apache-2.0 */
/* op_config.c - targets and permanent parameters of a file system, at once or when there is news.
 *
 * An answer with the version that the asker has carries nothing else: thousands of nodes poll. */
#include "mgs/mgs.h"

static bool wanted(const struct mgs *m, const struct rpc_op *op)
{
	return !m->stopping && !(op->session && op->session->ending);
}

static void co_wait_for_news(struct mgs *m, const struct rpc_op *op, uint64_t have,
			     uint32_t wait_ms)
{
	uint64_t deadline = loop_now(m->cfg.loop) +
			    min_u64(wait_ms, MAX_WAIT_MS) * (uint64_t)NSEC_PER_MSEC;

	while (wanted(m, op) && registry_version(m->reg) == have)
		if (co_wait(&m->news, deadline))
			return;
}

static int answer(struct mgs *m, struct rpc_op *op, struct span fsname, struct mgs_config_rep *p)
{
	struct wbuf targets, params, boots;
	int rc;

	wbuf_init(&targets, MAX_CONFIG_TARGETS);
	wbuf_init(&params, MAX_CONFIG_PARAMS);
	wbuf_init(&boots, MAX_CONFIG_BOOTS);
	rc = registry_enc(m->reg, fsname, &targets, &params, &boots);
	if (rc == 0)
		rc = mgs_op_blob(op, &targets, &p->targets);
	if (rc == 0)
		rc = mgs_op_blob(op, &params, &p->params);
	if (rc == 0)
		rc = mgs_op_blob(op, &boots, &p->boots);
	wbuf_fini(&targets);
	wbuf_fini(&params);
	wbuf_fini(&boots);
	return rc;
}

int mgs_config(struct rpc_op *op, const struct mgs_config_req *q, struct mgs_config_rep *p)
{
	struct mgs *m = rpc_service_arg(op->svc);

	if (q->wait_ms)
		co_wait_for_news(m, op, q->have, q->wait_ms);
	if (!wanted(m, op))
		return -ESHUTDOWN;
	p->version = registry_version(m->reg);
	return p->version == q->have ? 0 : answer(m, op, q->fsname, p);
}
