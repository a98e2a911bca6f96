/* SPDX-License-Identifier: Apache-2.0 */
/* read.c - bytes of an object go from the page cache into a buffer, and from there to the socket.
 *
 * Fewer bytes than asked for mean the end of the object, and no object is one of size 0: what that
 * means for the file is the client's business. The checksum is rpc.h's.
 */
#include "oss/ost.h"

static void read_sent(void *arg)
{
	bulk_put(arg);
}

/* Reads into b; what was read is in b->iov. */
static int read_object(struct ost *ost, struct object *o, struct bulk *b, uint64_t off)
{
	struct iovec iov = b->iov; /* the disk may change it */
	ssize_t n;

	b->iov.iov_len = 0;
	if (!o->file)
		return 0;
	n = disk_co_read(o->file, &iov, 1, off);
	if (n < 0)
		return ost_io_error(ost, &o->id, "cannot be read", (int)n);
	b->iov.iov_len = (size_t)n;
	return 0;
}

int oss_read(struct rpc_op *op, const struct oss_read_req *q, struct oss_read_rep *p)
{
	struct ost_session *ses = ost_session_of(op);
	struct ost *ost = ses->ost;
	struct object_id id = OST_OBJECT_ID(q);
	struct object_attr a;
	struct object *o;
	struct bulk *b;
	int rc;

	if (q->len == 0 || q->len > MAX_BULK || q->off > OBJECT_SIZE_MAX - q->len)
		return -EINVAL;
	/* The buffer first: a request that waits for memory must not keep a truncation waiting. */
	b = bulk_co_get(ost->bulk, ses->reads, q->len);
	if (!b)
		return -ENOMEM;
	rc = cache_co_get(ost->cache, &id, CACHE_SHARED, 0, &o);
	if (rc == 0) {
		rc = read_object(ost, o, b, q->off);
		if (rc == 0)
			rc = cache_attr(o, &a);
		cache_put(ost->cache, o);
	}
	if (rc || b->iov.iov_len == 0) {
		bulk_put(b);
	} else {
		stat_add(&ost->stats[OST_STAT_read_bytes], b->iov.iov_len);
		op->out = &b->iov;
		op->out_n = 1;
		op->out_done = read_sent;
		op->out_arg = b;
	}
	if (rc == 0)
		OST_REPLY_ATTR(p, a);
	return rc;
}
