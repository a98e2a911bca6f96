/* SPDX-License-Identifier: Apache-2.0 */
/* stats.h - counters in Lustre's text form.
 *
 * A stat counts samples with min, max, sum and sum of squares, in [usecs], [bytes] or [reqs].
 * stats_print() gives snapshot_time, start_time, elapsed_time and one line for each counter that
 * was hit: "%-25s %lld samples [%s] min max sum sumsq". Counters are updated on one thread;
 * printing from another may see a sample half counted, which is harmless.
 */
#pragma once
#include "common/base.h"

struct wbuf;

enum stat_unit { STAT_USECS, STAT_BYTES, STAT_REQS };

struct stat_counter {
	const char *name;
	enum stat_unit unit;
	uint64_t n, min, max, sum, sumsq;
	uint64_t hist[32]; /* of log2(value): latency percentiles */
};

void stat_add(struct stat_counter *c, uint64_t value);
void stat_clear(struct stat_counter *c);
/* Upper bound of the value that a fraction (0..1) of the samples stay below. */
uint64_t stat_quantile(const struct stat_counter *c, double q);
void stats_print_head(struct wbuf *w, int64_t now_real_ns, int64_t start_real_ns);
void stats_print(struct wbuf *w, const struct stat_counter *c, uint32_t n);
