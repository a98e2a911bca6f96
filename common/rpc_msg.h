/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_msg.h - memory of frames, for imports and services.
 *
 * A frame is a struct msg with body memory behind it and room for iovecs, from a cache of the
 * thread, so that the steady state allocates nothing. A frame may be freed on another thread than
 * it was made on (net_move). Never suspends.
 */
#pragma once
#include "common/limits.h"
#include "common/net.h"
#include "common/proto/field.h"

struct rpc_frame {
	struct msg m;		/* m.owner is for the holder */
	struct wbuf body;	/* memory that m.body points to; cap is kept when cached */
	struct iovec *iov;	/* MAX_BULK_IOV entries, made at first use */
	void *body_owner;	/* service whose bulk memory m.owner is */
	struct rpc_frame *next; /* in the cache */
};

/* NULL when out of memory. */
struct rpc_frame *rpc_frame_get(void);
void rpc_frame_put(struct rpc_frame *f);
/* msg.done that only frees. */
void rpc_frame_done(struct msg *m, int rc);
/* Memory for a body of len bytes that is to be received; -ENOMEM. */
must_check int rpc_frame_reserve(struct rpc_frame *f, uint32_t len);
/* The iovec array of the frame, or NULL. */
struct iovec *rpc_frame_iov(struct rpc_frame *f);
/* Frees this thread's cache. */
void rpc_frame_drain(void);

/* Copies the first len bytes of src's description into dst: returns the number of pieces, or
 * -EMSGSIZE when src is shorter than len or needs more than max pieces. */
must_check int iov_head(const struct iovec *src, uint32_t n, uint32_t len, struct iovec *dst,
			uint32_t max);
uint64_t iov_len(const struct iovec *iov, uint32_t n);
