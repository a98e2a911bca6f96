/* SPDX-License-Identifier: Apache-2.0 */
/* restore.c - a mover writes the data of a released file to its objects; see hsm.h and, for why
 * nobody else does, mds/ops/restore.c. */
#include "client/core/core.h"
#include "client/core/hsm.h"
#include <stdlib.h>

struct fs_restore {
	struct fid fid;
	uint64_t cookie;
	struct layout *layout;
	uint32_t trunc_gen;
	uint64_t size;
	uint64_t *power; /* of each object's OST at its first write; 0: not written */
	bool lost;	 /* an OST has lost its power in between */
};

struct run { /* pieces of a range, each for one object */
	struct lane *ln;
	struct fs_restore *r;
	struct layout_run run[IO_PARTS];
	struct iovec iov[IO_PARTS];
	struct iovec *of[IO_PARTS]; /* of each piece, in iov */
	uint32_t niov[IO_PARTS];
};

int fs_co_restore_begin(struct lane *ln, const struct fs_hsm_work *w, struct fs_restore **out)
{
	struct mds_hsm_restore_req q = {.cookie = w->cookie};
	struct mds_hsm_restore_rep p;
	struct fs_restore *r = calloc(1, sizeof(*r));
	RPC_CALL(call);
	int rc = r ? 0 : -ENOMEM;

	if (rc == 0)
		rc = mds_co_hsm_restore(ln->mdt->imp, &call, &q, &p);
	if (rc == 0)
		rc = layout_dec(p.layout, &r->layout);
	if (rc == 0) {
		r->fid = w->fid;
		r->cookie = w->cookie;
		r->trunc_gen = p.trunc_gen;
		r->size = p.size;
		r->power = calloc(objs_count(r->layout), sizeof(*r->power));
		rc = r->power ? 0 : -ENOMEM;
	}
	if (rc) {
		fs_restore_free(r);
		return rc;
	}
	*out = r;
	return 0;
}

uint64_t fs_restore_size(const struct fs_restore *r)
{
	return r->size;
}

void fs_restore_free(struct fs_restore *r)
{
	if (!r)
		return;
	layout_free(r->layout);
	free(r->power);
	free(r);
}

/* What an OST answered for before that is not sure to be there any more. */
static void note_power(struct fs_restore *r, uint32_t obj, uint64_t power)
{
	if (!r->power[obj])
		r->power[obj] = power;
	else if (r->power[obj] != power)
		r->lost = true;
}

static int write_piece(void *arg, uint32_t i)
{
	struct run *x = arg;
	struct fs_restore *r = x->r;
	const struct layout_run *run = &x->run[i];
	const struct layout_comp *c = &r->layout->comp[run->comp];
	struct oss_write_req q = {
		.fid = r->fid,
		.comp = c->id,
		.stripe = run->stripe,
		.off = run->obj_off,
		.trunc_gen = r->trunc_gen,
		.stripe_size = c->stripe_size,
		.stripe_count = (uint32_t)c->stripe_count,
		.layout_gen = r->layout->gen,
	};
	struct oss_write_rep p;
	struct target *t;
	RPC_CALL(call);
	int rc = target_co_ost(x->ln, c->ost[run->stripe], &t);

	if (rc)
		return rc;
	call.flags = t->ost->checksums ? 0 : RPC_CALL_NOCRC;
	call.out = x->of[i];
	call.out_n = x->niov[i];
	target_co_enter(t);
	rc = oss_co_write(t->imp, &call, &q, &p);
	target_leave(t);
	if (rc == 0)
		note_power(r, objs_index(r->layout, run->comp, run->stripe), p.power);
	return rc == -EBADMSG ? -EIO : rc;
}

static int write_window(struct run *x, const uint8_t *buf, uint32_t len, uint64_t off)
{
	const struct layout *l = x->r->layout;
	int i, n = layout_map(l, off, len, x->run, IO_PARTS), pieces;
	uint32_t used = 0;

	for (i = 0; i < n; i++) {
		pieces = layout_run_iov(l, &x->run[i], (uint8_t *)(uintptr_t)buf, off, len,
					x->iov + used, (int)(IO_PARTS - used));
		if (pieces < 0)
			return pieces;
		x->of[i] = x->iov + used;
		x->niov[i] = (uint32_t)pieces;
		used += (uint32_t)pieces;
	}
	return n < 0 ? n : lane_co_fan(x->ln, (uint32_t)n, write_piece, x);
}

int fs_co_restore_write(struct lane *ln, struct fs_restore *r, const void *buf, size_t len,
			uint64_t off)
{
	struct run *x = calloc(1, sizeof(*x));
	size_t done = 0;
	uint32_t n;
	int rc = x ? 0 : -ENOMEM;

	if (rc == 0)
		*x = (struct run){.ln = ln, .r = r};
	while (rc == 0 && done < len) {
		n = (uint32_t)min_u64(IO_WINDOW - (off + done) % IO_WINDOW, len - done);
		rc = write_window(x, (const uint8_t *)buf + done, n, off + done);
		done += n;
	}
	free(x);
	return rc;
}

int fs_co_restore_next(struct lane *ln, struct fs_restore *r, uint32_t worker, uint64_t *off,
		       uint64_t *len)
{
	struct mds_hsm_range_req q = {
		.cookie = r->cookie,
		.trunc_gen = r->trunc_gen,
		.worker = worker,
		.off = *off,
		.len = *len,
	};
	uint32_t i, n = objs_count(r->layout);
	struct mds_hsm_range_rep p;
	struct wbuf b;
	RPC_CALL(call);
	int rc;

	if (r->lost)
		return -EAGAIN;
	wbuf_init(&b, MAX_BODY / 2);
	for (i = 0; i < n; i++)
		enc_mds_power(&b, &(struct mds_power){r->power[i]});
	q.power = wbuf_span(&b);
	rc = b.rc;
	if (rc == 0)
		rc = mds_co_hsm_range(ln->mdt->imp, &call, &q, &p);
	wbuf_fini(&b);
	if (rc)
		return rc;
	*off = p.off;
	*len = p.len;
	return p.stop ? -ECANCELED : 0;
}

struct sync {
	struct lane *ln;
	struct fs_restore *r;
};

static int sync_object(void *arg, uint32_t i)
{
	struct sync *s = arg;
	struct fs_restore *r = s->r;
	struct oss_sync_req q = {.fid = r->fid};
	const struct layout_comp *c;
	struct oss_sync_rep p;
	struct target *t;
	uint32_t comp;
	RPC_CALL(call);
	int rc;

	if (!r->power[i])
		return 0;
	objs_place(r->layout, i, &comp, &q.stripe);
	c = &r->layout->comp[comp];
	q.comp = c->id;
	rc = target_co_ost(s->ln, c->ost[q.stripe], &t);
	if (rc == 0)
		rc = oss_co_sync(t->imp, &call, &q, &p);
	if (rc == 0)
		note_power(r, i, p.power);
	return rc;
}

int fs_co_restore_sync(struct lane *ln, struct fs_restore *r)
{
	struct sync s = {ln, r};
	int rc = lane_co_fan(ln, objs_count(r->layout), sync_object, &s);

	return rc ? rc : r->lost ? -EAGAIN : 0;
}
