/* SPDX-License-Identifier: Apache-2.0 */
/* bulk.c - see bulk.h.
 *
 * buf.h keeps and hands out the memory; here is only who may have how much and who waits. Reads
 * draw a ticket, so that a large one is not overtaken for ever by small ones.
 */
#include "oss/bulk.h"
#include "common/limits.h"
#include <stdlib.h>

struct bulk_pool {
	struct loop *loop;
	struct buf_pool *bufs;
	const uint32_t *limit_mb;
	loop_fn *ready;
	void *ready_arg;
	uint64_t used[2];  /* by direction */
	uint64_t ticket, turn; /* of waiting reads */
	struct co_waitq q;
	struct loop_work ready_work;
	bool refused;	   /* a write waits for `ready` */
	struct bulk *free_list;
};

enum { DIR_IN, DIR_OUT };

static void pool_ready(void *arg)
{
	struct bulk_pool *p = arg;

	p->ready(p->ready_arg);
}

int bulk_pool_create(struct loop *l, const uint32_t *limit_mb, loop_fn *ready, void *arg,
		     struct bulk_pool **out)
{
	struct bulk_pool *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return -ENOMEM;
	/* The limit that counts is *limit_mb: it can change. */
	rc = buf_pool_create(UINT64_MAX, &p->bufs);
	if (rc) {
		free(p);
		return rc;
	}
	p->loop = l;
	p->limit_mb = limit_mb;
	p->ready = ready;
	p->ready_arg = arg;
	p->ready_work = (struct loop_work){.fn = pool_ready, .arg = p};
	co_waitq_init(&p->q);
	*out = p;
	return 0;
}

bool bulk_pool_idle(const struct bulk_pool *p)
{
	return bulk_pool_used(p) == 0 && co_waitq_empty(&p->q) && !p->ready_work.queued;
}

void bulk_pool_destroy(struct bulk_pool *p)
{
	assert(bulk_pool_idle(p));
	while (p->free_list) {
		struct bulk *b = p->free_list;

		p->free_list = b->next;
		free(b);
	}
	buf_pool_destroy(p->bufs);
	free(p);
}

uint64_t bulk_pool_used(const struct bulk_pool *p)
{
	return p->used[DIR_IN] + p->used[DIR_OUT];
}

int bulk_user_create(struct bulk_user **out)
{
	struct bulk_user *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->refs = 1;
	co_waitq_init(&u->q);
	*out = u;
	return 0;
}

void bulk_user_put(struct bulk_user *u)
{
	if (--u->refs == 0)
		free(u);
}

static uint64_t pool_limit(const struct bulk_pool *p)
{
	return *p->limit_mb * MIB;
}

static bool fits(const struct bulk_pool *p, int dir, uint32_t len)
{
	uint64_t limit = pool_limit(p);

	return bulk_pool_used(p) + len <= limit && p->used[dir] + len <= limit / 4 * 3;
}

static bool user_fits(const struct bulk_pool *p, const struct bulk_user *u, uint32_t len)
{
	return u->used == 0 || u->used + len <= pool_limit(p) / 4;
}

/* Counts what was asked for, rounded up as buf.h does. */
static uint32_t round_len(uint32_t len)
{
	uint32_t cap = 4096;

	assert(len <= MAX_BULK);
	while (cap < len)
		cap *= 2;
	return cap;
}

static struct bulk *take(struct bulk_pool *p, int dir, uint32_t len, struct bulk_user *u)
{
	struct buf *buf = buf_get(p->bufs, len);
	struct bulk *b = p->free_list;

	if (!buf)
		return NULL;
	if (b) {
		p->free_list = b->next;
	} else {
		b = malloc(sizeof(*b));
		if (!b) {
			buf_put(buf);
			return NULL;
		}
	}
	*b = (struct bulk){.iov = {buf->ptr, len}, .buf = buf, .pool = p, .user = u};
	b->held = round_len(len);
	p->used[dir] += b->held;
	return b;
}

struct bulk *bulk_get(struct bulk_pool *p, uint32_t len)
{
	struct bulk *b = NULL;

	if (fits(p, DIR_IN, round_len(len)))
		b = take(p, DIR_IN, len, NULL);
	if (!b)
		p->refused = true;
	return b;
}

struct bulk *bulk_co_get(struct bulk_pool *p, struct bulk_user *u, uint32_t len)
{
	uint32_t need = round_len(len);
	struct bulk *b;
	uint64_t mine;

	u->refs++; /* the session may end while we wait */
	while (!user_fits(p, u, need))
		(void)!co_wait(&u->q, 0);
	u->used += need;
	mine = p->ticket++;
	while (mine != p->turn || !fits(p, DIR_OUT, need))
		(void)!co_wait(&p->q, 0);
	p->turn++;
	b = take(p, DIR_OUT, len, u);
	co_wake_all(&p->q);
	if (!b) {
		u->used -= need;
		co_wake_all(&u->q);
		bulk_user_put(u);
	}
	return b;
}

void bulk_put(struct bulk *b)
{
	struct bulk_pool *p = b->pool;

	p->used[b->user ? DIR_OUT : DIR_IN] -= b->held;
	if (b->user) {
		b->user->used -= b->held;
		co_wake_all(&b->user->q);
		bulk_user_put(b->user);
	}
	buf_put(b->buf);
	b->next = p->free_list;
	p->free_list = b;
	co_wake_all(&p->q);
	/* Not from here: rpc.h may be in the middle of something. */
	if (p->refused) {
		p->refused = false;
		loop_defer(p->loop, &p->ready_work);
	}
}
