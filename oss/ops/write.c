/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - bytes from the client's request go to an object, which comes to be if it is the first.
 *
 * Answered when the local file system has the bytes, or with OSS_WRITE_SYNC when the disk has. A
 * write from before a truncation is refused. Writes to one object run at the same time; whoever
 * overlaps them gets what he asked for.
 */
#include "oss/ost.h"

static int write_object(struct ost *ost, struct object *o, struct rpc_op *op,
			const struct oss_write_req *q, bool covered, struct object_attr *a)
{
	int rc = cache_trunc_gen(ost->cache, o, q->trunc_gen);

	if (rc == 0 && !covered)
		rc = ost_space_check(ost, o, q->off, op->in_len, 0);
	if (rc)
		return rc;
	cache_write_begin(o);
	rc = disk_co_write(o->file, op->in, op->in_n, q->off);
	cache_write_end(o);
	/* A write that failed may have changed a part. */
	if (q->age)
		cache_touch_late(ost->cache, o, q->age, q->written);
	else
		cache_touch(ost->cache, o);
	if (rc)
		return ost_io_error(ost, &o->id, "cannot be written", rc);
	stat_add(&ost->stats[OST_STAT_write_bytes], op->in_len);
	if ((q->flags & OSS_WRITE_SYNC) || ost->sync_journal) {
		rc = disk_co_sync(o->file);
		if (rc)
			return ost_io_error(ost, &o->id, "cannot be synced", rc);
	}
	return cache_attr(o, a);
}

int oss_write(struct rpc_op *op, const struct oss_write_req *q, struct oss_write_rep *p)
{
	struct ost *ost = ost_session_of(op)->ost;
	struct object_id id = OST_OBJECT_ID(q);
	struct object_attr a;
	struct ost_space sp;
	struct object *o;
	int rc;

	if (op->in_len == 0)
		return -EINVAL;
	if (q->off > OBJECT_SIZE_MAX - op->in_len)
		return -EFBIG;
	ost_space_begin(ost, ost_session_of(op), op->in_len, q->grant_used, &sp);
	rc = cache_co_get(ost->cache, &id, CACHE_SHARED | CACHE_CREATE, q->trunc_gen, &o);
	if (rc == 0) {
		rc = write_object(ost, o, op, q, sp.covered, &a);
		cache_put(ost->cache, o);
	}
	ost_space_end(ost, &sp);
	if (rc)
		return rc;
	OST_REPLY_ATTR(p, a);
	if (q->grant_want && ost_session_of(op)) /* it may have ended since */
		p->grant = ost_grant(ost, ost_session_of(op), q->grant_want);
	return 0;
}
