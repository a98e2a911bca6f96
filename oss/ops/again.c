/* SPDX-License-Identifier: Apache-2.0 */
/* again.c - what clients do after a loss of power (window.h), and so that they need not keep what
 * they have changed for long.
 */
#include "common/rpc_msg.h"
#include "oss/flush.h"
#include "oss/known.h"
#include "oss/ost.h"
#include "oss/seal.h"
#include "oss/window.h"
#include <linux/falloc.h>
#include <stdlib.h>

/* Peers that say nothing for two pings are taken for dead. */
#define LINGER_NS NSEC_PER_SEC

int oss_commit(struct rpc_op *op, const struct oss_commit_req *q, struct oss_commit_rep *p)
{
	(void)q;
	(void)p;
	return flush_co_now(ost_session_of(op)->ost->flush);
}

int oss_recover(struct rpc_op *op, const struct oss_recover_req *q, struct oss_recover_rep *p)
{
	struct ost_session *ses = ost_session_of(op);
	struct ost *ost = ses->ost;
	struct window *w = ost->window;
	int rc;

	if (q->lane >= 64)
		return -EINVAL;
	rc = known_co_enter(ost->known, op->session);
	ses = ost_session_of(op);
	if (ses)
		ses->known = rc == 0;
	if (q->done) {
		window_back(w, op->session->uuid, q->lane, q->lanes);
		rc = window_co_wait(w, LINGER_NS);
		if (rc)
			return rc;
	}
	p->window = window_is_open(w);
	p->power = ost->power;
	p->stable = cache_stable(ost->cache);
	return 0;
}

/* ---- a change, once more ---- */

struct again {
	struct rpc_op *op;
	const struct oss_again_req *q;
	struct ost *ost;
	struct order *order;
	struct object *o;
	struct order_range *part;
	uint32_t n;
};

static uint64_t end_of(const struct oss_again_req *q)
{
	return q->what == AGAIN_PUNCH ? ORDER_END : q->off + q->len;
}

/* The bytes of the request from skip on. */
static uint32_t slice(const struct rpc_op *op, uint64_t skip, uint64_t len, struct iovec *out)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < op->in_n && len; i++) {
		uint64_t at = min_u64(skip, op->in[i].iov_len);
		uint64_t take = min_u64(op->in[i].iov_len - at, len);

		skip -= at;
		len -= take;
		if (take)
			out[n++] = (struct iovec){(uint8_t *)op->in[i].iov_base + at, take};
	}
	return n;
}

static int write_part(const struct again *a, const struct order_range *r)
{
	struct iovec iov[MAX_BULK_IOV];
	uint32_t n = slice(a->op, r->off - a->q->off, r->end - r->off, iov);
	int rc = seal_co_open_up(a->ost->cache, a->o, r->off, r->end - r->off);

	if (rc)
		return rc;
	cache_write_begin(a->o);
	rc = disk_co_write(a->o->file, iov, n, r->off);
	cache_write_end(a->o);
	return rc;
}

static int punch_part(const struct again *a, const struct order_range *r)
{
	struct object_attr at;
	int rc = cache_attr(a->o, &at);

	if (rc || r->off >= at.size)
		return rc;
	rc = seal_co_open_up(a->ost->cache, a->o, r->off, UINT64_MAX);
	if (rc)
		return rc;
	return disk_co_fallocate(a->o->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, r->off,
				 min_u64(r->end, at.size) - r->off);
}

static bool grows(const struct oss_again_req *q)
{
	return q->what == AGAIN_WRITE ||
	       (q->what == AGAIN_FALLOCATE && !(q->mode & FALLOC_FL_KEEP_SIZE)) ||
	       (q->what == AGAIN_PUNCH && q->mode);
}

/* After a cut the object is as long as what is newer has made it, or as the cut did. What made it
 * longer may be covered by what did not, but then it has still made it longer. */
static int set_size(const struct again *a)
{
	const struct oss_again_req *q = a->q;
	uint64_t size = q->off + (q->what == AGAIN_PUNCH ? 0 : q->len);
	struct object_attr at;
	int rc = cache_attr(a->o, &at);

	if (rc || order_is_cut(a->order, &a->o->id, q->number))
		return rc;
	size = max_u64(size, order_length(a->order, &a->o->id, q->number));
	if ((q->what == AGAIN_PUNCH && at.size > size) || (grows(q) && at.size < size))
		rc = ost_co_set_size(a->ost, a->o, size);
	return rc;
}

static int fallocate_part(const struct again *a, const struct order_range *r)
{
	int rc = seal_co_open_up(a->ost->cache, a->o, r->off, r->end - r->off);

	if (rc == 0)
		rc = disk_co_fallocate(a->o->file, a->q->mode, r->off, r->end - r->off);
	return rc == -EOPNOTSUPP ? 0 : rc;
}

static int do_part(const struct again *a, const struct order_range *r)
{
	switch (a->q->what) {
	case AGAIN_WRITE:
		return write_part(a, r);
	case AGAIN_FALLOCATE:
		return fallocate_part(a, r);
	default:
		return punch_part(a, r);
	}
}

/* Did the disk have it? Then what is newer may be there, whose author is gone. */
static bool is_there(const struct again *a)
{
	uint64_t synced;

	return cache_synced_upto(a->o, &synced) == 0 && synced >= a->q->number;
}

/* The object is this request's alone. */
static int do_parts(struct again *a)
{
	const struct oss_again_req *q = a->q;
	int rc;

	if (is_there(a))
		return 0;
	if (q->what == AGAIN_FENCE)
		return cache_trunc_gen(a->ost->cache, a->o, max_u64(q->trunc_gen, a->o->trunc_gen));
	rc = order_parts(a->order, &a->o->id, q->off, end_of(q), q->number, &a->part, &a->n);
	for (uint32_t i = 0; rc == 0 && i < a->n && a->o->file; i++)
		rc = do_part(a, &a->part[i]);
	if (rc == 0 && a->o->file)
		rc = set_size(a);
	free(a->part);
	if (rc == 0)
		rc = order_note(a->order, &a->o->id, q->off, end_of(q), q->number);
	if (rc == 0 && q->what == AGAIN_PUNCH)
		rc = order_cut(a->order, &a->o->id, q->number);
	if (rc == 0 && grows(q))
		rc = order_grew(a->order, &a->o->id,
				q->off + (q->what == AGAIN_PUNCH ? 0 : q->len), q->number);
	if (!a->o->file)
		; /* what is older than this and comes later does not make it longer */
	else if (q->age)
		cache_touch_late(a->ost->cache, a->o, q->age, q->written);
	else
		cache_touch(a->ost->cache, a->o);
	if (rc == 0 && q->trunc_gen > a->o->trunc_gen)
		rc = cache_trunc_gen(a->ost->cache, a->o, q->trunc_gen);
	return rc ? ost_io_error(a->ost, &a->o->id, "cannot be written again", rc) : 0;
}

/* Then no object is made for it. */
static bool is_covered(const struct again *a, const struct object_id *id)
{
	bool covers = a->q->what != AGAIN_FENCE && a->q->what != AGAIN_DESTROY;
	struct order_range *part;
	uint32_t n = 1;

	if (!covers || (grows(a->q) && !order_is_cut(a->order, id, a->q->number)) ||
	    order_parts(a->order, id, a->q->off, end_of(a->q), a->q->number, &part, &n))
		return false;
	free(part);
	return n == 0;
}

static int co_object(struct again *a)
{
	const struct oss_again_req *q = a->q;
	struct object_layout layout = OST_OBJECT_LAYOUT(q);
	struct object_id id = OST_OBJECT_ID(q);
	uint32_t flags = CACHE_EXCLUSIVE;
	int rc;

	if (q->what != AGAIN_DESTROY && (q->what != AGAIN_PUNCH || q->mode || q->len))
		flags |= CACHE_CREATE;
	if (is_covered(a, &id))
		return 0;
	rc = cache_co_make(a->ost->cache, &id, flags, UINT32_MAX, &layout, &a->o);
	if (rc)
		return rc == -ESTALE ? 0 : rc; /* destroyed, meanwhile */
	if (q->what == AGAIN_DESTROY) {
		rc = cache_co_destroy_object(a->ost->cache, a->o);
		if (rc == 0)
			rc = order_note(a->order, &id, 0, ORDER_END, q->number);
		if (rc == 0)
			rc = order_cut(a->order, &id, q->number);
	} else {
		rc = do_parts(a);
	}
	cache_put(a->ost->cache, a->o);
	return rc;
}

static int again_check(const struct rpc_op *op, const struct oss_again_req *q)
{
	if (q->what < AGAIN_WRITE || q->what > AGAIN_FENCE ||
	    (q->what == AGAIN_WRITE ? q->len != op->in_len || !q->len : op->in_len != 0))
		return -EINVAL;
	if (q->off > OBJECT_SIZE_MAX || q->len > OBJECT_SIZE_MAX - q->off)
		return -EFBIG;
	if (q->what == AGAIN_FALLOCATE)
		return ost_fallocate_check(q->mode, q->off, q->len);
	return q->what == AGAIN_DESTROY && q->off ? -EINVAL : 0;
}

int oss_again(struct rpc_op *op, const struct oss_again_req *q, struct oss_again_rep *p)
{
	struct ost *ost = ost_session_of(op)->ost;
	struct again a = {.op = op, .q = q, .ost = ost};
	int rc = again_check(op, q);

	(void)p;
	if (rc || q->number <= cache_stable(ost->cache))
		return rc;
	a.order = window_enter(ost->window);
	if (!a.order)
		return -ESTALE;
	rc = co_object(&a);
	window_leave(ost->window);
	return rc;
}
