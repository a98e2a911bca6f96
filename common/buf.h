/* SPDX-License-Identifier: Apache-2.0 */
/* buf.h - pool of page-aligned bulk buffers in size classes, with a limit on what is handed out.
 *
 * First touch of a page is dear (bench/FLOORS.md), so buffers are kept and handed out again,
 * most recently used first. A pool belongs to one loop. Never suspends.
 */
#pragma once
#include "common/base.h"

struct buf_pool;

struct buf {
	uint8_t *ptr;	 /* page-aligned */
	uint32_t cap;	 /* a power of two, 4 KiB .. MAX_BULK */
	struct buf_pool *pool;
	struct buf *next;
};

/* limit: bytes handed out at most. */
must_check int buf_pool_create(uint64_t limit_bytes, struct buf_pool **out);
/* All buffers must be back. */
void buf_pool_destroy(struct buf_pool *p);
/* NULL when the limit is reached (or memory is out). */
struct buf *buf_get(struct buf_pool *p, uint32_t len);
void buf_put(struct buf *b);
uint64_t buf_pool_used(const struct buf_pool *p);
/* Called on the next buf_put() after a buf_get() failed, to resume what was stopped. */
void buf_pool_on_free(struct buf_pool *p, void (*fn)(void *arg), void *arg);
