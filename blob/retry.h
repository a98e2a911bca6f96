/* SPDX-License-Identifier: Apache-2.0 */
/* retry.h - whether and when a failed request is made again.
 *
 * Exponential back-off with jitter: before attempt n+1 a random time between half of and the whole
 * of base * 2^(n-1), at most cap. A Retry-After of the service is the least that is waited. It ends
 * after a number of attempts, or when the wait would end after the budget of time: then the caller
 * gets the last error, with the Retry-After in it. Pure: time and randomness are arguments.
 */
#pragma once
#include "common/base.h"

struct blob_error;

struct retry_policy {
	uint32_t attempts; /* requests in all, at least 1 */
	uint32_t base_ms, cap_ms;
	uint32_t total_ms; /* from the first request to the begin of the last */
};

#define RETRY_DEFAULT                                                                              \
	((struct retry_policy){.attempts = 6, .base_ms = 200, .cap_ms = 10000, .total_ms = 120000})

struct retry {
	struct retry_policy policy;
	uint32_t failed; /* attempts */
	uint64_t start_ns;
};

void retry_init(struct retry *r, const struct retry_policy *policy, uint64_t now_ns);
/* An attempt failed with e. True: wait *delay_ns and try again. */
must_check bool retry_next(struct retry *r, const struct blob_error *e, uint64_t now_ns,
			   uint64_t random, uint64_t *delay_ns);
/* Something went well (bytes came before a read broke off): the attempts count anew, the time
 * does too. */
void retry_progress(struct retry *r, uint64_t now_ns);
