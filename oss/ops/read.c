/* SPDX-License-Identifier: Apache-2.0 */
/* read.c - bytes of an object go from the page cache into a buffer, and from there to the socket.
 *
 * Fewer bytes than asked for mean the end of the object, and no object is one of size 0: what that
 * means for the file is the client's business. The checksum is rpc.h's.
 */
#include "oss/ost.h"
#include "oss/scrub.h"
#include "oss/seal.h"
#include <stdlib.h>

static void read_sent(void *arg)
{
	bulk_put(arg);
}

enum { TRIES = 1000 }; /* to read what is being written and sealed all the time */

struct bad {
	struct ost *ost;
	const struct object_id *id;
};

static void bad_block(void *arg, uint64_t block)
{
	const struct bad *b = arg;

	scrub_damage(b->ost->scrub, b->id, block);
}

/* A block of which only a part was asked for: it is read whole. If that part is other than what was
 * read before, somebody writes at this moment, and the answer would be of two moments. */
static int check_part(struct ost *ost, struct object *o, const uint8_t *data, uint64_t off,
		      uint32_t len)
{
	struct bad bad = {ost, &o->id};
	uint64_t at = off / SEAL_BLOCK * SEAL_BLOCK;
	uint64_t version = o->version;
	uint8_t *block = malloc(SEAL_BLOCK);
	struct iovec iov = {block, SEAL_BLOCK};
	ssize_t n = block ? disk_co_read(o->file, &iov, 1, at) : -ENOMEM;
	int rc = (int)n;

	if (n > 0)
		rc = seal_co_verify(ost->cache, o, block, at, (uint32_t)n, version, bad_block,
				    &bad);
	if (rc == 0 && n > 0 && at + (uint64_t)n < off + len)
		rc = -EAGAIN; /* it was cut meanwhile */
	if (rc == 0 && memcmp(data, block + (off - at), len) != 0)
		rc = -EAGAIN;
	free(block);
	return rc > 0 ? -EIO : rc;
}

/* What was read is what was written: -EIO. */
static int check_read(struct ost *ost, struct object *o, uint8_t *data, uint64_t off, uint32_t len,
		      uint64_t version, bool at_end)
{
	struct bad bad = {ost, &o->id};
	uint32_t head = (uint32_t)(-off % SEAL_BLOCK), tail;
	int rc = 0;

	if (head) {
		head = (uint32_t)min_u64(head, len);
		rc = check_part(ost, o, data, off, head);
		data += head;
		off += head;
		len -= head;
	}
	tail = at_end ? 0 : len % SEAL_BLOCK;
	if (rc == 0 && len > tail)
		rc = seal_co_verify(ost->cache, o, data, off, len - tail, version, bad_block, &bad);
	if (rc == 0 && tail)
		rc = check_part(ost, o, data + len - tail, off + len - tail, tail);
	return rc > 0 ? -EIO : rc;
}

/* Reads into b; what was read is in b->iov. -EAGAIN: it was written meanwhile. */
static int read_once(struct ost *ost, struct object *o, struct bulk *b, uint64_t off, uint32_t len)
{
	struct iovec iov = {b->iov.iov_base, len}; /* the disk may change it */
	uint64_t version = o->version;
	ssize_t n = disk_co_read(o->file, &iov, 1, off);
	int rc = 0;

	if (n < 0)
		return ost_io_error(ost, &o->id, "cannot be read", (int)n);
	if (o->sealed && n > 0)
		rc = check_read(ost, o, b->iov.iov_base, off, (uint32_t)n, version,
				(uint32_t)n < len);
	if (rc == 0)
		b->iov.iov_len = (size_t)n;
	return rc;
}

static int read_object(struct ost *ost, struct object *o, struct bulk *b, uint64_t off)
{
	uint32_t len = (uint32_t)b->iov.iov_len, n = 0;
	int rc;

	b->iov.iov_len = 0;
	if (!o->file)
		return 0;
	while ((rc = read_once(ost, o, b, off, len)) == -EAGAIN && ++n < TRIES)
		co_yield();
	return rc == -EAGAIN ? -EIO : rc;
}

/* It is still what the client was told that it is. */
static bool is_of(const struct ost *ost, const struct object *o, const struct oss_read_req *q)
{
	return (!q->trunc_gen || o->trunc_gen <= q->trunc_gen) &&
	       (!q->power || ost->power == q->power);
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
	rc = throttle_co_pass(ost->throttle, &ses->rate, q->len);
	if (rc)
		return rc;
	ses = ost_session_of(op);
	if (!ses) /* ended meanwhile */
		return -ESTALE;
	/* The buffer first: a request that waits for memory must not keep a truncation waiting. */
	b = bulk_co_get(ost->bulk, ses->reads, q->len);
	if (!b)
		return -ENOMEM;
	rc = cache_co_get(ost->cache, &id, CACHE_SHARED, 0, &o);
	if (rc == 0) {
		rc = is_of(ost, o, q) ? read_object(ost, o, b, q->off) : -ESTALE;
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
