/* SPDX-License-Identifier: Apache-2.0 */
/* retry.c - back-off with jitter, bounded. */
#include "blob/retry.h"
#include "blob/error.h"

void retry_init(struct retry *r, const struct retry_policy *policy, uint64_t now_ns)
{
	*r = (struct retry){.policy = *policy, .start_ns = now_ns};
}

void retry_progress(struct retry *r, uint64_t now_ns)
{
	r->failed = 0;
	r->start_ns = now_ns;
}

static uint64_t backoff_ms(const struct retry *r, uint64_t random)
{
	uint64_t ms = r->policy.base_ms, half;

	for (uint32_t i = 1; i < r->failed && ms < r->policy.cap_ms; i++)
		ms *= 2;
	ms = min_u64(ms, r->policy.cap_ms);
	half = ms / 2;
	return half + random % (ms - half + 1);
}

bool retry_next(struct retry *r, const struct blob_error *e, uint64_t now_ns, uint64_t random,
		uint64_t *delay_ns)
{
	uint64_t ms, spent_ms = (now_ns - r->start_ns) / (uint64_t)NSEC_PER_MSEC;

	r->failed++;
	if (!error_may_retry(e->kind) || r->failed >= r->policy.attempts)
		return false;
	ms = max_u64(backoff_ms(r, random), e->retry_after_ms);
	if (spent_ms + ms > r->policy.total_ms)
		return false;
	*delay_ns = ms * (uint64_t)NSEC_PER_MSEC;
	return true;
}
