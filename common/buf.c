/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c - pool of bulk buffers; see buf.h.
 *
 * A size class for each power of two from a page to MAX_BULK, each with a stack of free buffers,
 * so that the warmest is handed out first. Kept and handed-out memory together stays under the
 * limit: when a class is empty and the limit is near, free buffers of other classes are returned
 * to the system. Nothing is zeroed: users see what was in the buffer before and send only what
 * they filled. */
#include "common/buf.h"
#include "common/limits.h"
#include <stdlib.h>
#include <sys/mman.h>

enum { MIN_SHIFT = 12, MAX_SHIFT = 22, NCLASS = MAX_SHIFT - MIN_SHIFT + 1 };
static_assert(1U << MAX_SHIFT == MAX_BULK, "the largest class holds one bulk");

struct buf_pool {
	uint64_t limit, used, kept; /* bytes */
	struct buf *free[NCLASS];
	bool failed; /* a buf_get() since the last call of on_free */
	void (*on_free)(void *arg);
	void *on_free_arg;
};

static uint32_t class_of(uint32_t len)
{
	uint32_t k = 0;

	while ((1U << (MIN_SHIFT + k)) < len)
		k++;
	return k;
}

static void buf_free(struct buf_pool *p, struct buf *b)
{
	p->kept -= b->cap;
	munmap(b->ptr, b->cap);
	free(b);
}

/* Largest first: fewest system calls, and small ones are asked for most. */
static void shrink(struct buf_pool *p, uint64_t target)
{
	uint32_t k = NCLASS;
	struct buf *b;

	while (k-- && p->kept > target)
		while (p->kept > target && (b = p->free[k])) {
			p->free[k] = b->next;
			buf_free(p, b);
		}
}

int buf_pool_create(uint64_t limit_bytes, struct buf_pool **out)
{
	struct buf_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->limit = limit_bytes;
	*out = p;
	return 0;
}

void buf_pool_destroy(struct buf_pool *p)
{
	if (!p)
		return;
	assert(p->used == 0);
	shrink(p, 0);
	free(p);
}

static struct buf *buf_new(struct buf_pool *p, uint32_t cap)
{
	struct buf *b = malloc(sizeof(*b));

	if (!b)
		return NULL;
	b->ptr = mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->ptr == MAP_FAILED) {
		free(b);
		return NULL;
	}
	b->cap = cap;
	b->pool = p;
	b->next = NULL;
	return b;
}

struct buf *buf_get(struct buf_pool *p, uint32_t len)
{
	uint32_t k, cap;
	struct buf *b = NULL;

	assert(len <= MAX_BULK);
	k = class_of(len);
	cap = 1U << (MIN_SHIFT + k);
	if (p->used + cap <= p->limit) {
		b = p->free[k];
		if (b) {
			p->free[k] = b->next;
			b->next = NULL;
			p->kept -= cap;
		} else {
			shrink(p, p->limit - p->used - cap);
			b = buf_new(p, cap);
		}
	}
	if (b)
		p->used += cap;
	else
		p->failed = true;
	return b;
}

void buf_put(struct buf *b)
{
	struct buf_pool *p;
	uint32_t k;

	if (!b)
		return;
	p = b->pool;
	k = class_of(b->cap);
	p->used -= b->cap;
	p->kept += b->cap;
	b->next = p->free[k];
	p->free[k] = b;
	if (!p->failed)
		return;
	p->failed = false;
	if (p->on_free)
		p->on_free(p->on_free_arg);
}

uint64_t buf_pool_used(const struct buf_pool *p)
{
	return p->used;
}

void buf_pool_on_free(struct buf_pool *p, void (*fn)(void *arg), void *arg)
{
	p->on_free = fn;
	p->on_free_arg = arg;
}
