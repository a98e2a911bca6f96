/* SPDX-License-Identifier: Apache-2.0 */
/* bulk.h - a target's memory for data on its way: buffers of writes until they are on disk, of
 * reads until sent.
 *
 * The sum is bounded by a tunable, so neither a slow client nor a slow disk makes it grow. Neither
 * direction may take more than three quarters of it, nor one session's reads more than a quarter
 * (when that is enough for one request): somebody who does not read his answers cannot hold up the
 * others. Reads wait in a fiber, in order; a write's buffer is asked for by rpc.h, which stops
 * reading the socket instead.
 *
 * One loop. bulk_co_get() suspends.
 */
#pragma once
#include "common/buf.h"
#include "common/co.h"
#include <sys/uio.h>

struct bulk_pool;
struct rpc_session;

/* What a session's reads hold; shared by the session and its buffers. */
struct bulk_user {
	uint64_t used;
	uint32_t refs;
	struct co_waitq q;
};

struct bulk {
	struct iovec iov;
	struct buf *buf;
	struct bulk_pool *pool;
	struct bulk_user *user; /* NULL: a write's */
	uint32_t held;		/* what it counts */
	struct bulk *next;
};

/* limit_mb is read at each use: a tunable, at least OST_BULK_LIMIT_MB_MIN. ready(arg) is called
 * from the loop when bulk_get() had to refuse and might succeed now. */
must_check int bulk_pool_create(struct loop *l, const uint32_t *limit_mb, loop_fn *ready, void *arg,
				struct bulk_pool **out);
/* All buffers are back, and nothing is to be called any more. */
bool bulk_pool_idle(const struct bulk_pool *p);
/* It is idle. */
void bulk_pool_destroy(struct bulk_pool *p);
uint64_t bulk_pool_used(const struct bulk_pool *p);

must_check int bulk_user_create(struct bulk_user **out);
void bulk_user_put(struct bulk_user *u);

/* For a write, len <= MAX_BULK: NULL when there is none now. */
struct bulk *bulk_get(struct bulk_pool *p, uint32_t len);
/* For a read, len <= MAX_BULK: waits. NULL when memory is out. Suspends. */
struct bulk *bulk_co_get(struct bulk_pool *p, struct bulk_user *u, uint32_t len);
void bulk_put(struct bulk *b);
