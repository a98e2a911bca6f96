/* SPDX-License-Identifier: Apache-2.0 */
/* late.h - when something was that a client tells a server of later.
 *
 * It says how long ago that was (age_ns, by its monotonic clock, when it sent the request) and when
 * by its own wall clock. The age cannot be far wrong, but the way took time as well, perhaps over a
 * restart; so the wall clock counts, unless it disagrees with the age by more than that can take.
 */
#pragma once
#include "common/base.h"

#define LATE_AGE_MAX_NS   (60 * (int64_t)NSEC_PER_SEC) /* nobody keeps anything for longer */
#define LATE_DELAY_MAX_NS (60 * (int64_t)NSEC_PER_SEC) /* on the way; more is another clock */

/* All in ns of wall clocks; now: the server's. age_ns 0: it is told at once. Both may be hostile:
 * the result is in [now - both maxima, now]. */
static inline int64_t late_time(int64_t now, uint64_t age_ns, int64_t when)
{
	int64_t at = now - (int64_t)min_u64(age_ns, LATE_AGE_MAX_NS);

	return age_ns && when <= at && when >= at - LATE_DELAY_MAX_NS ? when : at;
}
