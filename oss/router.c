/* SPDX-License-Identifier: Apache-2.0 */
/* router.c - one address for all targets of a process; see oss.h.
 *
 * A service without requests of its own: a connection says in its first request which target it
 * wants and moves to that target's loop. Connections that name none ask for parameters. Here is
 * also what the process shows as a whole (ost.OSS.*).
 *
 * The list of targets does not change once connections are taken.
 */
#include "common/log.h"
#include "common/param.h"
#include "oss/ost.h"
#include <stdio.h>
#include <stdlib.h>

struct router {
	struct router_cfg cfg;
	struct rpc_service *svc;
	struct ost *ost[MAX_OSTS];
	uint32_t nosts;
	int64_t start;
};

static struct rpc_service *router_route(void *arg, const char *target)
{
	struct router *r = arg;

	for (uint32_t i = 0; i < r->nosts; i++)
		if (strcmp(r->ost[i]->name, target) == 0)
			return r->ost[i]->svc;
	return NULL;
}

static void stat_merge(struct stat_counter *to, const struct stat_counter *from)
{
	if (!from->n)
		return;
	to->min = to->n ? min_u64(to->min, from->min) : from->min;
	to->max = max_u64(to->max, from->max);
	to->n += from->n;
	to->sum += from->sum;
	to->sumsq += from->sumsq;
}

/* ost.OSS.ost_io.stats: requests of all targets, with their time from arrival to answer. */
static int io_stats_get(void *arg, struct wbuf *w)
{
	struct router *r = arg;
	struct stat_counter sum;
	char name[32];

	stats_print_head(w, loop_realtime(r->cfg.loop), r->start);
	for (uint16_t nr = 0; nr < RPC_NR_MAX; nr++) {
		const struct rpc_desc *d = rpc_desc_find(nr);

		if (!d)
			continue;
		snprintf(name, sizeof(name), "%s_%s", strcmp(d->service, "oss") ? "obd" : "ost",
			 d->name);
		sum = (struct stat_counter){.name = name, .unit = STAT_USECS};
		for (uint32_t i = 0; i < r->nosts; i++)
			stat_merge(&sum, &rpc_service_stats(r->ost[i]->svc)[nr]);
		stats_print(w, &sum, 1);
	}
	return 0;
}

int router_create(const struct router_cfg *cfg, struct router **out)
{
	struct router *r = calloc(1, sizeof(*r));
	struct rpc_service_cfg svc = {
		.loop = cfg->loop,
		.name = "OSS",
		.arg = r,
		.params = cfg->params,
		.boot_id = cfg->boot_id,
		.route = router_route,
	};
	int rc;

	if (!r)
		return -ENOMEM;
	r->cfg = *cfg;
	r->start = loop_realtime(cfg->loop);
	rc = rpc_service_create(&svc, &r->svc);
	if (rc == 0 && cfg->params)
		rc = param_add(cfg->params, "ost.OSS.ost_io.stats", io_stats_get, NULL, r);
	if (rc) {
		router_destroy(r);
		return rc;
	}
	*out = r;
	return 0;
}

int router_add(struct router *r, struct ost *ost)
{
	if (router_route(r, ost->name))
		return -EEXIST;
	if (r->nosts == MAX_OSTS)
		return -ENOSPC;
	r->ost[r->nosts++] = ost;
	return 0;
}

struct rpc_service *router_service(struct router *r)
{
	return r->svc;
}

void router_co_stop(struct router *r, uint32_t timeout_ms)
{
	rpc_service_co_stop(r->svc, timeout_ms);
}

void router_destroy(struct router *r)
{
	if (r->cfg.params)
		param_del_prefix(r->cfg.params, "ost.OSS.");
	if (r->svc)
		rpc_service_destroy(r->svc);
	free(r);
}
