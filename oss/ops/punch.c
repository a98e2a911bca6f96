/* SPDX-License-Identifier: Apache-2.0 */
/* punch.c - truncation, preallocation and holes: what changes an object with nobody else in it.
 *
 * A truncation comes with a generation that only grows; an object remembers the newest, and refuses
 * writes and truncations of an older one. One that does not exist remembers it as long as there is
 * room in memory; where older writes may still come (fence), it is made.
 *
 * An object may be longer than the local file system lets a file be (16 TiB on ext4), as long as
 * there is nothing but a hole: that size is kept in the object's record (vsize).
 */
#include "oss/ost.h"
#include "oss/seal.h"
#include <linux/falloc.h>

typedef int change_fn(struct ost *ost, struct object *o, const void *q);

struct change {
	struct object_id id;
	uint32_t create, trunc_gen;
	struct object_layout layout;
};
#define CHANGE(q, make) \
	((struct change){OST_OBJECT_ID(q), (make) ? CACHE_CREATE : 0, (q)->trunc_gen, \
			 OST_OBJECT_LAYOUT(q)})

/* The frame of all of them: alone with the object, and its attributes afterwards. */
static int co_change(struct rpc_op *op, const struct change *c, change_fn *fn, const void *q,
		     struct object_attr *a)
{
	struct ost *ost = ost_session_of(op)->ost;
	struct object *o;
	int rc = cache_co_make(ost->cache, &c->id, CACHE_EXCLUSIVE | c->create, c->trunc_gen,
			       &c->layout, &o);

	if (rc)
		return rc;
	cache_writer(ost->cache, o, op->session->id);
	rc = cache_trunc_gen(ost->cache, o, c->trunc_gen);
	if (rc == 0 && fn)
		rc = fn(ost, o, q);
	op->transno = o->change;
	if (rc == 0)
		rc = cache_attr(o, a);
	cache_put(ost->cache, o);
	return rc;
}

int ost_co_set_size(struct ost *ost, struct object *o, uint64_t size)
{
	int rc = disk_co_truncate(o->file, size);

	if (rc == 0)
		return cache_set_vsize(ost->cache, o, 0);
	if (rc != -EFBIG)
		return ost_io_error(ost, &o->id, "cannot be truncated", rc);
	return cache_set_vsize(ost->cache, o, size);
}

static int punch_object(struct ost *ost, struct object *o, const void *req)
{
	const struct oss_punch_req *q = req;
	struct object_attr a;
	int rc = cache_attr(o, &a);

	if (rc)
		return rc;
	/* Also to the size that it has: that frees what was preallocated behind it. */
	if (!o->file || (a.size < q->size && !q->extend))
		return 0;
	rc = seal_co_open_up(ost->cache, o, q->size, UINT64_MAX);
	if (rc)
		return ost_io_error(ost, &o->id, "its checksums cannot be changed", rc);
	rc = ost_co_set_size(ost, o, q->size);
	cache_touch(ost->cache, o);
	return rc;
}

int oss_punch(struct rpc_op *op, const struct oss_punch_req *q, struct oss_punch_rep *p)
{
	bool make = q->fence || (q->extend && q->size > 0);
	struct change c = CHANGE(q, make);
	struct object_attr a;
	int rc;

	if (q->size > OBJECT_SIZE_MAX)
		return -EFBIG;
	rc = co_change(op, &c, punch_object, q, &a);
	if (rc == 0)
		OST_REPLY_ATTR(p, a);
	return rc;
}

int oss_fence(struct rpc_op *op, const struct oss_fence_req *q, struct oss_fence_rep *p)
{
	struct change c = CHANGE(q, true);
	struct object_attr a;
	int rc = co_change(op, &c, NULL, NULL, &a);

	if (rc == 0)
		OST_REPLY_ATTR(p, a);
	return rc;
}

int ost_fallocate_check(uint32_t mode, uint64_t off, uint64_t len)
{
	switch (mode) {
	case 0:
	case FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (len == 0)
		return -EINVAL;
	if (len > OBJECT_SIZE_MAX || off > OBJECT_SIZE_MAX - len)
		return -EFBIG;
	return 0;
}

static int fallocate_object(struct ost *ost, struct object *o, const void *req)
{
	const struct oss_fallocate_req *q = req;
	int rc = 0;

	if (!o->file)
		return 0;
	if (!(q->mode & FALLOC_FL_PUNCH_HOLE))
		rc = ost_space_check(ost, o, q->off, q->len, q->len);
	if (rc == 0)
		rc = seal_co_open_up(ost->cache, o, q->off, q->len);
	if (rc)
		return rc;
	rc = disk_co_fallocate(o->file, q->mode, q->off, q->len);
	cache_touch(ost->cache, o);
	return rc && rc != -EOPNOTSUPP ? ost_io_error(ost, &o->id, "fallocate", rc) : rc;
}

int oss_fallocate(struct rpc_op *op, const struct oss_fallocate_req *q, struct oss_fallocate_rep *p)
{
	struct change c = CHANGE(q, !(q->mode & FALLOC_FL_PUNCH_HOLE));
	struct object_attr a;
	int rc = ost_fallocate_check(q->mode, q->off, q->len);

	if (rc == 0)
		rc = co_change(op, &c, fallocate_object, q, &a);
	if (rc == 0)
		OST_REPLY_ATTR(p, a);
	return rc;
}
