/* SPDX-License-Identifier: Apache-2.0 */
/* destroy.c - objects of deleted files are removed, in batches, when the MDS says so.
 *
 * An object that is not there counts as done: the MDS repeats a batch whose answer it missed. If
 * one cannot be removed the others are, and the request fails, so that the MDS comes again.
 */
#include "oss/ost.h"

static int destroy_object(struct ost *ost, const struct oss_object *rec)
{
	struct object_id id = OST_OBJECT_ID(rec);
	struct object *o;
	int rc;

	rc = cache_co_get(ost->cache, &id, CACHE_EXCLUSIVE, 0, &o);
	if (rc == 0) {
		rc = cache_co_destroy_object(ost->cache, o);
		cache_put(ost->cache, o);
	}
	return rc;
}

static int destroy_check(struct span objects)
{
	struct rbuf r = rbuf_of(objects);
	struct oss_object rec;

	while (r.len) {
		struct object_id id;

		if (dec_oss_object(&r, &rec))
			return -EBADMSG;
		id = OST_OBJECT_ID(&rec);
		if (object_id_check(&id))
			return -EINVAL;
	}
	return 0;
}

int oss_destroy(struct rpc_op *op, const struct oss_destroy_req *q, struct oss_destroy_rep *p)
{
	struct ost *ost = ost_session_of(op)->ost;
	struct rbuf r = rbuf_of(q->objects);
	struct oss_object rec;
	int rc = destroy_check(q->objects), failed = 0;

	while (rc == 0 && r.len) {
		rc = dec_oss_object(&r, &rec);
		if (rc)
			break;
		rc = destroy_object(ost, &rec);
		if (rc) {
			failed = failed ? failed : rc;
			rc = 0;
			continue;
		}
		p->destroyed++;
	}
	op->transno = cache_changes(ost->cache);
	return rc ? rc : failed;
}
