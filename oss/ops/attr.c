/* SPDX-License-Identifier: Apache-2.0 */
/* attr.c - questions about an object (getattr, seek), its sync, and the space of the target: how
 * much there is, and promises of it. */
#include "common/log.h"
#include "oss/ost.h"
#include <unistd.h>

int oss_getattr(struct rpc_op *op, const struct oss_getattr_req *q, struct oss_getattr_rep *p)
{
	struct ost *ost = ost_session_of(op)->ost;
	struct object_id id = OST_OBJECT_ID(q);
	struct object_attr a;
	struct object *o;
	int rc;

	rc = cache_co_get(ost->cache, &id, CACHE_SHARED, 0, &o);
	if (rc)
		return rc;
	rc = cache_attr(o, &a);
	if (rc == 0) {
		OST_REPLY_ATTR(p, a);
		p->trunc_gen = o->trunc_gen;
		p->stripe_size = o->layout.stripe_size;
		p->stripe_count = o->layout.stripe_count;
		p->layout_gen = o->layout.gen;
	}
	cache_put(ost->cache, o);
	return rc;
}

static int seek_object(struct object *o, uint64_t off, uint32_t whence, uint64_t *out)
{
	struct object_attr a;
	int64_t at;
	int rc = cache_attr(o, &a);

	if (rc)
		return rc;
	if (off >= a.size)
		return -ENXIO;
	at = disk_seek(o->file, off, (int)whence);
	/* Behind the file's end but inside the object: see vsize. */
	if (at == -ENXIO && whence == SEEK_HOLE)
		at = (int64_t)off;
	if (at < 0)
		return (int)at;
	*out = (uint64_t)at;
	return 0;
}

int oss_seek(struct rpc_op *op, const struct oss_seek_req *q, struct oss_seek_rep *p)
{
	struct ost *ost = ost_session_of(op)->ost;
	struct object_id id = OST_OBJECT_ID(q);
	struct object *o;
	int rc;

	if ((q->whence != SEEK_DATA && q->whence != SEEK_HOLE) || q->off > OBJECT_SIZE_MAX)
		return -EINVAL;
	rc = cache_co_get(ost->cache, &id, CACHE_SHARED, 0, &o);
	if (rc)
		return rc;
	rc = seek_object(o, q->off, q->whence, &p->off);
	cache_put(ost->cache, o);
	return rc;
}

int oss_sync(struct rpc_op *op, const struct oss_sync_req *q, struct oss_sync_rep *p)
{
	struct ost *ost = ost_session_of(op)->ost;
	struct object_id id = OST_OBJECT_ID(q);
	struct object_attr a;
	struct object *o;
	int rc;

	rc = cache_co_get(ost->cache, &id, CACHE_SHARED, 0, &o);
	if (rc)
		return rc;
	rc = cache_co_sync(ost->cache, o);
	if (rc)
		rc = ost_io_error(ost, &id, "cannot be synced", rc);
	else
		rc = cache_attr(o, &a);
	cache_put(ost->cache, o);
	if (rc == 0)
		OST_REPLY_ATTR(p, a);
	p->power = ost->power;
	return rc;
}

int oss_statfs(struct rpc_op *op, const struct oss_statfs_req *q, struct oss_statfs_rep *p)
{
	struct ost *ost = ost_session_of(op)->ost;
	struct disk_space sp;
	int rc = disk_space(ost->disk, &sp);

	(void)q;
	if (rc) {
		log_err("%s: the space of %s is unknown: %s", ost->name, ost->cfg.dir, err_str(rc));
		return rc;
	}
	p->total = sp.total;
	p->free = sp.free;
	p->avail = sp.avail;
	p->files = sp.files;
	p->ffree = sp.ffree;
	p->state = (uint32_t)ost_target_state(ost, &sp);
	return 0;
}

int oss_grant(struct rpc_op *op, const struct oss_grant_req *q, struct oss_grant_rep *p)
{
	struct ost_session *ses = ost_session_of(op);

	if (q->flags & OSS_GRANT_RETURN)
		ost_grant_return(ses->ost, ses);
	p->grant = ost_grant(ses->ost, ses, q->want);
	return 0;
}
