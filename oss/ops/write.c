/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - bytes from the client's request go to an object, which comes to be if it is the first.
 *
 * Answered when the local file system has the bytes, or with OSS_WRITE_SYNC when the disk has. A
 * write from before a truncation is refused. Writes to one object run at the same time; whoever
 * overlaps them gets what he asked for.
 */
#include "oss/ost.h"
#include "oss/seal.h"

static int write_object(struct ost *ost, struct object *o, struct rpc_op *op,
			const struct oss_write_req *q, bool covered, struct object_attr *a)
{
	int rc = cache_trunc_gen(ost->cache, o, q->trunc_gen);

	if (rc == 0 && !covered)
		rc = ost_space_check(ost, o, q->off, op->in_len, 0);
	if (rc)
		return rc;
	rc = seal_co_open_up(ost->cache, o, q->off, op->in_len);
	if (rc)
		return ost_io_error(ost, &o->id, "its checksums cannot be changed", rc);
	cache_writer(ost->cache, o, op->session->id);
	cache_write_begin(o);
	rc = disk_co_write(o->file, op->in, op->in_n, q->off);
	cache_write_end(o);
	/* A write that failed may have changed a part. */
	if (q->age)
		cache_touch_late(ost->cache, o, q->age, q->written);
	else
		cache_touch(ost->cache, o);
	op->transno = o->change;
	if (rc)
		return ost_io_error(ost, &o->id, "cannot be written", rc);
	stat_add(&ost->stats[OST_STAT_write_bytes], op->in_len);
	if ((q->flags & OSS_WRITE_SYNC) || ost->sync_journal) {
		rc = cache_co_sync(ost->cache, o);
		if (rc)
			return ost_io_error(ost, &o->id, "cannot be synced", rc);
	}
	return cache_attr(o, a);
}

int oss_write(struct rpc_op *op, const struct oss_write_req *q, struct oss_write_rep *p)
{
	struct ost_session *ses = ost_session_of(op);
	struct ost *ost = ses->ost;
	struct object_layout layout = OST_OBJECT_LAYOUT(q);
	struct object_id id = OST_OBJECT_ID(q);
	struct object_attr a;
	struct ost_space sp;
	struct object *o;
	int rc;

	if (op->in_len == 0)
		return -EINVAL;
	if (q->off > OBJECT_SIZE_MAX - op->in_len)
		return -EFBIG;
	rc = throttle_co_pass(ost->throttle, &ses->rate, op->in_len);
	if (rc)
		return rc;
	ses = ost_session_of(op);
	if (!ses) /* ended meanwhile */
		return -ESTALE;
	ost_space_begin(ost, ses, op->in_len, q->grant_used, &sp);
	rc = cache_co_make(ost->cache, &id, CACHE_SHARED | CACHE_CREATE, q->trunc_gen, &layout, &o);
	if (rc == 0) {
		rc = write_object(ost, o, op, q, sp.covered, &a);
		cache_put(ost->cache, o);
	}
	ost_space_end(ost, &sp);
	if (rc)
		return rc;
	OST_REPLY_ATTR(p, a);
	p->power = ost->power;
	if (q->grant_want && ost_session_of(op)) /* it may have ended since */
		p->grant = ost_grant(ost, ost_session_of(op), q->grant_want);
	return 0;
}
