/* SPDX-License-Identifier: Apache-2.0 */
/* stats.c - counters and their text form; see stats.h. It keeps no registry: whoever owns the
 * counters prints them. */
#include "common/stats.h"
#include "common/proto/field.h"
#include <inttypes.h>

static uint32_t bucket_of(uint64_t value)
{
	uint32_t b = value ? 64 - (uint32_t)__builtin_clzll(value) : 0;

	return b < 32 ? b : 31;
}

void stat_add(struct stat_counter *c, uint64_t value)
{
	if (c->n == 0 || value < c->min)
		c->min = value;
	if (value > c->max)
		c->max = value;
	c->n++;
	c->sum += value;
	c->sumsq += value * value;
	c->hist[bucket_of(value)]++;
}

void stat_clear(struct stat_counter *c)
{
	c->n = c->min = c->max = c->sum = c->sumsq = 0;
	memset(c->hist, 0, sizeof(c->hist));
}

uint64_t stat_quantile(const struct stat_counter *c, double q)
{
	uint64_t seen = 0;
	uint32_t b;

	if (c->n == 0)
		return 0;
	for (b = 0; b < 31; b++) {
		seen += c->hist[b];
		if ((double)seen >= q * (double)c->n)
			return min_u64((1ULL << b) - 1, c->max);
	}
	return c->max;
}

static void print_time(struct wbuf *w, const char *name, int64_t ns)
{
	char line[96];
	int n = snprintf(line, sizeof(line), "%-25s %lld.%09lld secs.nsecs\n", name,
			 ns / NSEC_PER_SEC, ns % NSEC_PER_SEC);

	wbuf_put(w, line, (uint32_t)n);
}

void stats_print_head(struct wbuf *w, int64_t now_real_ns, int64_t start_real_ns)
{
	int64_t elapsed = now_real_ns - start_real_ns;

	print_time(w, "snapshot_time", now_real_ns);
	print_time(w, "start_time", start_real_ns);
	print_time(w, "elapsed_time", elapsed > 0 ? elapsed : 0);
}

void stats_print(struct wbuf *w, const struct stat_counter *c, uint32_t n)
{
	static const char *const unit[] = {"usecs", "bytes", "reqs"};
	char line[256];
	uint32_t i;

	for (i = 0; i < n; i++) {
		int len;

		if (c[i].n == 0)
			continue;
		len = snprintf(line, sizeof(line),
			       "%-25.64s %" PRIu64 " samples [%s] %" PRIu64 " %" PRIu64 " %" PRIu64
			       " %" PRIu64 "\n",
			       c[i].name ? c[i].name : "?", c[i].n, unit[c[i].unit], c[i].min,
			       c[i].max, c[i].sum, c[i].sumsq);
		wbuf_put(w, line, (uint32_t)len);
	}
}
