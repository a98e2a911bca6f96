/* SPDX-License-Identifier: Apache-2.0 */
/* ost_kept.c - see ost_kept.h. */
#include "mds/ost_kept.h"
#include "common/log.h"

void ost_kept_init(struct ost_kept *k, struct loop *l, const char *name)
{
	*k = (struct ost_kept){.loop = l, .name = name};
	unstable_init(&k->changes);
}

void ost_kept_fini(struct ost_kept *k)
{
	(void)unstable_stable(&k->changes, UINT64_MAX);
}

void ost_kept_add(struct ost_kept *k, const struct wire_hdr *h, const struct oss_again_req *req)
{
	struct unstable_change *c;

	if (h->transno <= h->last_committed)
		return;
	c = unstable_new(0);
	if (!c) {
		log_err("%s: no memory to remember what it may lose with its power", k->name);
		return;
	}
	c->req = *req;
	c->number = c->req.number = h->transno;
	unstable_add(&k->changes, c);
}

void ost_kept_heard(struct ost_kept *k, uint64_t stable)
{
	if (!k->busy)
		(void)unstable_stable(&k->changes, stable);
}

void ost_kept_co_restart(struct ost_kept *k, struct rpc_import *imp)
{
	struct again a = {
		.loop = k->loop, .changes = &k->changes, .busy = &k->busy, .lanes = 1};
	int rc = again_co_restart(&a, imp);

	if (rc && !rpc_import_connected(imp))
		return; /* it begins anew */
	if (a.sent)
		log_info("%s lost its power: %u truncations and removals were done again", k->name,
			 a.sent);
	if (rc)
		log_err("%s lost its power: %u truncations and removals could not be done again: "
			"%s; the checker finds what is left",
			k->name, k->changes.n, err_str(rc));
	(void)unstable_stable(&k->changes, rc ? UINT64_MAX : a.stable);
}
