/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_msg.c - frame memory; see rpc_msg.h. Knows nothing of calls or services. */
#include "common/rpc_msg.h"
#include <stdlib.h>

enum {
	CACHE_MAX = 256,	/* frames kept by a thread */
	BODY_KEEP = 16 << 10,	/* larger bodies are given back to malloc */
};

static _Thread_local struct rpc_frame *cache;
static _Thread_local unsigned int cached;

static void frame_free(struct rpc_frame *f)
{
	wbuf_fini(&f->body);
	free(f->iov);
	free(f);
}

struct rpc_frame *rpc_frame_get(void)
{
	struct rpc_frame *f = cache;

	if (f) {
		cache = f->next;
		cached--;
		f->next = NULL;
		return f;
	}
	f = calloc(1, sizeof(*f));
	if (f)
		wbuf_init(&f->body, MAX_BODY);
	return f;
}

void rpc_frame_put(struct rpc_frame *f)
{
	struct iovec *iov = f->iov;
	struct wbuf body = f->body;

	if (cached >= CACHE_MAX || body.cap > BODY_KEEP) {
		frame_free(f);
		return;
	}
	body.len = 0;
	body.rc = 0;
	memset(f, 0, sizeof(*f));
	f->body = body;
	f->iov = iov;
	f->next = cache;
	cache = f;
	cached++;
}

void rpc_frame_done(struct msg *m, int rc)
{
	(void)rc;
	rpc_frame_put(container_of(m, struct rpc_frame, m));
}

int rpc_frame_reserve(struct rpc_frame *f, uint32_t len)
{
	f->body.len = 0;
	f->body.rc = 0;
	if (len && !wbuf_take(&f->body, len))
		return f->body.rc;
	f->m.body = f->body.ptr;
	return 0;
}

struct iovec *rpc_frame_iov(struct rpc_frame *f)
{
	if (!f->iov)
		f->iov = calloc(MAX_BULK_IOV, sizeof(*f->iov));
	return f->iov;
}

void rpc_frame_drain(void)
{
	while (cache) {
		struct rpc_frame *f = cache;

		cache = f->next;
		frame_free(f);
	}
	cached = 0;
}

int iov_head(const struct iovec *src, uint32_t n, uint32_t len, struct iovec *dst, uint32_t max)
{
	uint32_t i;

	for (i = 0; len; i++) {
		if (i == n || i == max)
			return -EMSGSIZE;
		dst[i] = src[i];
		if (dst[i].iov_len > len)
			dst[i].iov_len = len;
		len -= (uint32_t)dst[i].iov_len;
	}
	return (int)i;
}

uint64_t iov_len(const struct iovec *iov, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}
