/* SPDX-License-Identifier: Apache-2.0 */
/* rate.c - see rate.h. The heap is the one of timers: its keys are numbers, here bytes. */
#include "oss/rate.h"

void rate_user_init(struct rate_user *u)
{
	*u = (struct rate_user){0};
	TAILQ_INIT(&u->waiting);
}

void rate_fini(struct rate *r)
{
	assert(!timer_heap_peek(&r->users));
	timer_heap_fini(&r->users);
}

void rate_set(struct rate *r, uint64_t bps, uint64_t now)
{
	double owed = r->paid_at > now ? (double)(r->paid_at - now) * (double)r->bps : 0;

	if (bps == r->bps)
		return;
	r->bps = bps;
	r->paid_at = bps && owed > 0 ? now + (uint64_t)(owed / (double)bps) : now;
}

/* A request goes. */
static void pay(struct rate *r, struct rate_user *u, uint32_t len, uint64_t now)
{
	uint64_t past = now > RATE_BURST_NS ? now - RATE_BURST_NS : 0;

	r->start = u->start;
	u->start += len;
	if (r->bps)
		r->paid_at = max_u64(r->paid_at, past) +
			     ((uint64_t)len * NSEC_PER_SEC + r->bps - 1) / r->bps;
}

static bool may_go(const struct rate *r, uint64_t now)
{
	return !r->bps || r->paid_at <= now;
}

int rate_ask(struct rate *r, struct rate_user *u, struct rate_req *q, uint64_t now)
{
	if (TAILQ_EMPTY(&u->waiting)) {
		u->start = max_u64(u->start, r->start);
		if (may_go(r, now) && !timer_heap_peek(&r->users)) {
			pay(r, u, q->len, now);
			return 0;
		}
		if (timer_heap_set(&r->users, &u->at, u->start + 1))
			return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(&u->waiting, q, link);
	return -EINPROGRESS;
}

struct rate_req *rate_drop(struct rate *r, struct rate_user *u)
{
	struct rate_req *q = TAILQ_FIRST(&u->waiting);

	if (!q)
		return NULL;
	TAILQ_REMOVE(&u->waiting, q, link);
	if (TAILQ_EMPTY(&u->waiting))
		timer_heap_del(&r->users, &u->at);
	return q;
}

struct rate_req *rate_next(struct rate *r, uint64_t now)
{
	struct loop_timer *first = timer_heap_peek(&r->users);
	struct rate_user *u;
	struct rate_req *q;
	int rc;

	if (!first || !may_go(r, now))
		return NULL;
	u = container_of(first, struct rate_user, at);
	q = rate_drop(r, u);
	assert(q);
	pay(r, u, q->len, now);
	if (!TAILQ_EMPTY(&u->waiting)) {
		rc = timer_heap_set(&r->users, &u->at, u->start + 1);
		assert(rc == 0); /* it is in the heap: only moved */
	}
	return q;
}

uint64_t rate_when(const struct rate *r)
{
	return timer_heap_peek(&r->users) ? max_u64(r->paid_at, 1) : 0;
}
