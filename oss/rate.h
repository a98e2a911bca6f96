/* SPDX-License-Identifier: Apache-2.0 */
/* rate.h - so many bytes a second for all, shared fairly: the rules, without a clock and without
 * fibers (throttle.h has those).
 *
 * A token bucket, kept as the time at which everything that went is paid for: a request goes when
 * that is past, and moves it on by what it costs. A time without requests is remembered for
 * RATE_BURST_NS only. So in any time t at most rate * (t + RATE_BURST_NS) bytes go, and the largest
 * request.
 *
 * Requests that must wait do so by their user (a client). Users go by bytes they were served: who
 * had least is next, and one that comes back is where the others are, neither ahead for its time
 * of rest nor behind (start-time fair queueing). One user's requests keep their order.
 *
 * Times are nanoseconds of one clock that does not go back. One thread; never suspends.
 */
#pragma once
#include "common/timer_heap.h"

#define RATE_BURST_NS (100 * (uint64_t)NSEC_PER_MSEC)

struct rate_req {
	uint32_t len;
	TAILQ_ENTRY(rate_req) link;
};

/* Memory of its owner; rate_user_init(). May be freed when nothing of it waits. */
struct rate_user {
	TAILQ_HEAD(, rate_req) waiting;
	uint64_t start;       /* bytes: where its next request stands among all */
	struct loop_timer at; /* its place in the heap, by start */
};

/* Zero-initialise: no limit. */
struct rate {
	uint64_t bps;            /* bytes a second, 0: no limit */
	uint64_t paid_at;        /* all that went is paid for then */
	uint64_t start;          /* of the request that went last */
	struct timer_heap users; /* with waiting requests */
};

void rate_user_init(struct rate_user *u);
/* Nothing waits any more. */
void rate_fini(struct rate *r);
/* From now on; what went but is not paid for yet is paid at the new rate. */
void rate_set(struct rate *r, uint64_t bps, uint64_t now);
/* 0: q goes at once. -EINPROGRESS: it waits, rate_next() gives it back. -ENOMEM. */
must_check int rate_ask(struct rate *r, struct rate_user *u, struct rate_req *q, uint64_t now);
/* Takes out a request that may go now, or NULL. */
struct rate_req *rate_next(struct rate *r, uint64_t now);
/* When rate_next() will have one; 0: nothing waits. */
uint64_t rate_when(const struct rate *r);
/* Takes out one waiting request of u, whatever the time; NULL: there is none. */
struct rate_req *rate_drop(struct rate *r, struct rate_user *u);
