/* SPDX-License-Identifier: Apache-2.0 */
/* objects.c - asks or cuts all objects of a file in parallel.
 *
 * A fixed number of fibers shares the list of objects, so that a file of 2000 stripes does not
 * need 2000 stacks. It knows layouts and OSTs, not inodes.
 */
#include "common/layout.h"
#include "mds/state.h"

enum { FAN_OUT = 32 };

struct fan {
	struct mds *m;
	const struct fid *fid;
	const struct layout *l;
	uint32_t deadline_ms;
	enum { GETATTR, PUNCH, FENCE } what;
	uint64_t size;
	uint32_t trunc_gen;
	bool fence; /* PUNCH: objects that are not there, too */
	uint32_t next, total; /* objects handed to fibers; all */
	struct objects_sum sum;
};

/* The n-th object of all components. */
static const struct layout_comp *nth(const struct layout *l, uint32_t n, uint32_t *stripe)
{
	uint32_t i, count;

	for (i = 0; i < l->ncomp; i++) {
		count = l->comp[i].ost ? (uint32_t)l->comp[i].stripe_count : 0;
		if (n < count) {
			*stripe = n;
			return &l->comp[i];
		}
		n -= count;
	}
	return NULL;
}

static int one_getattr(struct fan *f, struct rpc_import *imp, const struct layout_comp *c,
		       uint32_t stripe, struct oss_getattr_rep *p)
{
	struct oss_getattr_req q = {.fid = *f->fid, .comp = c->id, .stripe = stripe};
	RPC_CALL(call);

	call.deadline_ms = f->deadline_ms;
	return oss_co_getattr(imp, &call, &q, p);
}

/* *what has what else there is to it. */
static void keep(const struct fan *f, const struct layout_comp *c, uint32_t stripe,
		 const struct wire_hdr *h, const struct oss_again_req *what)
{
	struct oss_again_req q = *what;

	q.fid = *f->fid;
	q.comp = c->id;
	q.stripe = stripe;
	q.trunc_gen = f->trunc_gen;
	q.stripe_size = c->stripe_size;
	q.stripe_count = (uint32_t)c->stripe_count;
	q.layout_gen = f->l->gen;
	ost_keep(f->m, c->ost[stripe], h, &q);
}

static int one_punch(struct fan *f, struct rpc_import *imp, const struct layout_comp *c,
		     uint32_t stripe, struct oss_getattr_rep *p)
{
	uint64_t size = layout_obj_size(c, stripe, f->size);
	struct oss_punch_req q = {
		.fid = *f->fid,
		.comp = c->id,
		.stripe = stripe,
		.size = size,
		/* One object alone proves the size: the one with the last byte. */
		.extend = size && layout_file_size(c, stripe, size) == f->size,
		.trunc_gen = f->trunc_gen,
		.fence = f->fence,
		.stripe_size = c->stripe_size,
		.stripe_count = (uint32_t)c->stripe_count,
		.layout_gen = f->l->gen,
	};
	struct oss_punch_rep rep;
	RPC_CALL(call);
	int rc;

	call.deadline_ms = f->deadline_ms;
	rc = oss_co_punch(imp, &call, &q, &rep);
	if (rc == 0)
		keep(f, c, stripe, &call.hdr,
		     &(struct oss_again_req){.what = AGAIN_PUNCH,
					     .off = q.size,
					     .mode = q.extend,
					     .len = q.fence || (q.extend && q.size)});
	if (rc == 0)
		*p = (struct oss_getattr_rep){.flags = rep.flags,
					      .size = rep.size,
					      .blocks = rep.blocks,
					      .mtime = rep.mtime};
	return rc;
}

static int one_fence(struct fan *f, struct rpc_import *imp, const struct layout_comp *c,
		     uint32_t stripe)
{
	struct oss_fence_req q = {
		.fid = *f->fid,
		.comp = c->id,
		.stripe = stripe,
		.trunc_gen = f->trunc_gen,
		.stripe_size = c->stripe_size,
		.stripe_count = (uint32_t)c->stripe_count,
		.layout_gen = f->l->gen,
	};
	struct oss_fence_rep p;
	RPC_CALL(call);
	int rc = oss_co_fence(imp, &call, &q, &p);

	if (rc == 0)
		keep(f, c, stripe, &call.hdr, &(struct oss_again_req){.what = AGAIN_FENCE});
	return rc;
}

static int one_object(struct fan *f, uint32_t n)
{
	struct oss_getattr_rep p;
	struct rpc_import *imp;
	uint32_t stripe = 0;
	const struct layout_comp *c = nth(f->l, n, &stripe);
	int rc;

	imp = ost_co_import(f->m, c->ost[stripe]);
	if (!imp)
		return -ENODEV;
	if (f->what == FENCE)
		return one_fence(f, imp, c, stripe);
	rc = f->what == PUNCH ? one_punch(f, imp, c, stripe, &p)
			      : one_getattr(f, imp, c, stripe, &p);
	if (rc || !(p.flags & OBJ_EXISTS))
		return rc;
	f->sum.size = max_u64(f->sum.size, layout_file_size(c, stripe, p.size));
	f->sum.blocks += p.blocks;
	if (p.mtime > f->sum.mtime)
		f->sum.mtime = p.mtime;
	return 0;
}

static int fan_fiber(void *arg)
{
	struct fan *f = arg;
	int rc = 0;

	while (rc == 0 && f->next < f->total)
		rc = one_object(f, f->next++);
	return rc;
}

static int fan_run(struct fan *f, struct objects_sum *out)
{
	struct co_group g = CO_GROUP_INIT;
	uint32_t i;
	int rc;

	for (i = 0; i < f->l->ncomp; i++)
		f->total += f->l->comp[i].ost ? (uint32_t)f->l->comp[i].stripe_count : 0;
	if (f->total == 1) {
		rc = fan_fiber(f);
	} else {
		for (i = 0; i < f->total && i < FAN_OUT; i++)
			co_spawn(&g, fan_fiber, f);
		rc = co_join(&g);
	}
	if (rc == 0)
		*out = f->sum;
	return rc;
}

int objects_co_getattr(struct mds *m, const struct fid *fid, const struct layout *l,
		       uint32_t deadline_ms, struct objects_sum *out)
{
	struct fan f = {.m = m, .fid = fid, .l = l, .deadline_ms = deadline_ms};

	return fan_run(&f, out);
}

int objects_co_fence(struct mds *m, const struct fid *fid, const struct layout *l,
		     uint32_t trunc_gen)
{
	struct fan f = {.m = m, .fid = fid, .l = l, .what = FENCE, .trunc_gen = trunc_gen};
	struct objects_sum none;

	return fan_run(&f, &none);
}

int objects_co_punch(struct mds *m, const struct fid *fid, const struct layout *l, uint64_t size,
		     uint32_t trunc_gen, bool fence, struct objects_sum *out)
{
	struct fan f = {
		.m = m,
		.fid = fid,
		.l = l,
		.what = PUNCH,
		.size = size,
		.trunc_gen = trunc_gen,
		.fence = fence,
	};

	return fan_run(&f, out);
}
