/* SPDX-License-Identifier: Apache-2.0 */
/* alloc.c - see alloc.h. Pools and overstriping are not here yet. */
#include "mds/alloc.h"
#include "common/proto/proto.h"
#include <stdlib.h>

enum { THRESHOLD_RR = 17, PRIO_FREE = 91 };

void alloc_init(struct alloc *a, uint64_t (*random_fn)(void *arg), void *arg)
{
	*a = (struct alloc){
		.threshold_rr = THRESHOLD_RR,
		.prio_free = PRIO_FREE,
		.random = random_fn,
		.random_arg = arg,
	};
}

void alloc_fini(struct alloc *a)
{
	free(a->ost);
	a->ost = NULL;
	a->n = a->cap = 0;
}

struct alloc_ost *alloc_find(const struct alloc *a, uint32_t index)
{
	uint32_t i;

	for (i = 0; i < a->n; i++)
		if (a->ost[i].index == index)
			return &a->ost[i];
	return NULL;
}

struct alloc_ost *alloc_add(struct alloc *a, uint32_t index)
{
	struct alloc_ost *o = alloc_find(a, index);
	uint32_t i;

	if (o)
		return o;
	if (a->n == a->cap) {
		uint32_t cap = a->cap ? 2 * a->cap : 8;

		o = realloc(a->ost, cap * sizeof(*o));
		if (!o)
			return NULL;
		a->ost = o;
		a->cap = cap;
	}
	for (i = a->n; i > 0 && a->ost[i - 1].index > index; i--)
		a->ost[i] = a->ost[i - 1];
	a->ost[i] = (struct alloc_ost){.index = index};
	a->n++;
	return &a->ost[i];
}

/* 0, or why no object may go there. */
static int refused(const struct alloc_ost *o)
{
	if (o->state & TARGET_INACTIVE)
		return -ENODEV;
	if (o->state & (TARGET_NOSPACE | TARGET_NOINODES | TARGET_READONLY | TARGET_NOCREATE))
		return -ENOSPC;
	return o->known ? 0 : -ENODEV;
}

uint32_t alloc_usable(const struct alloc *a)
{
	uint32_t i, n = 0;

	for (i = 0; i < a->n; i++)
		n += refused(&a->ost[i]) == 0;
	return n;
}

int alloc_check_list(const struct alloc *a, const uint32_t *ost, uint32_t n)
{
	uint32_t i, j;
	int rc;

	for (i = 0; i < n; i++) {
		const struct alloc_ost *o = alloc_find(a, ost[i]);

		if (!o)
			return -EINVAL;
		for (j = 0; j < i; j++)
			if (ost[j] == ost[i])
				return -EINVAL;
		rc = refused(o);
		if (rc)
			return rc;
	}
	return 0;
}

/* Positions of the OSTs in question; degraded ones only when there are too few others. */
static uint32_t candidates(const struct alloc *a, uint32_t want, uint32_t *pos)
{
	uint32_t i, n = 0, degraded = 0;

	for (i = 0; i < a->n && n < MAX_STRIPES; i++) {
		if (refused(&a->ost[i]))
			continue;
		if (a->ost[i].state & TARGET_DEGRADED)
			degraded++;
		else
			pos[n++] = i;
	}
	if (n >= want || degraded == 0)
		return n;
	for (i = 0, n = 0; i < a->n && n < MAX_STRIPES; i++)
		if (refused(&a->ost[i]) == 0)
			pos[n++] = i;
	return n;
}

static bool uneven(const struct alloc *a, const uint32_t *pos, uint32_t n)
{
	uint64_t lo = UINT64_MAX, hi = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		lo = min_u64(lo, a->ost[pos[i]].avail);
		hi = max_u64(hi, a->ost[pos[i]].avail);
	}
	return hi - lo > hi / 100 * a->threshold_rr;
}

static uint32_t pick_rr(struct alloc *a, const uint32_t *pos, uint32_t n, uint32_t count,
			uint32_t *out)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		out[i] = a->ost[pos[(a->next + i) % n]].index;
	a->next = (a->next + count) % n;
	if (count == n) /* whole rounds would begin at the same OST for ever */
		a->next = (a->next + 1) % n;
	return count;
}

/* prio_free percent by free space, the rest alike for all. In units that cannot overflow a sum. */
static uint64_t weight(const struct alloc *a, uint64_t avail, uint64_t mean)
{
	return ((avail >> 20) * a->prio_free + (mean >> 20) * (100 - a->prio_free)) / 100 + 1;
}

static uint32_t pick_weighted(struct alloc *a, uint32_t *pos, uint32_t n, uint32_t count,
			      uint32_t *out)
{
	uint64_t mean = 0, sum, at;
	uint32_t i, k;

	for (i = 0; i < n; i++)
		mean += a->ost[pos[i]].avail / n;
	for (k = 0; k < count; k++) {
		for (sum = 0, i = k; i < n; i++)
			sum += weight(a, a->ost[pos[i]].avail, mean);
		at = a->random(a->random_arg) % sum;
		for (i = k; at >= weight(a, a->ost[pos[i]].avail, mean); i++)
			at -= weight(a, a->ost[pos[i]].avail, mean);
		out[k] = a->ost[pos[i]].index;
		pos[i] = pos[k]; /* chosen ones leave the front free */
	}
	return count;
}

/* From `first` on, in the order of indexes and around. */
static int pick_from(const struct alloc *a, uint32_t count, uint32_t first, uint32_t *out)
{
	const struct alloc_ost *o = alloc_find(a, first);
	uint32_t i, n = 0, start;
	int rc;

	if (!o)
		return -EINVAL;
	rc = refused(o);
	if (rc)
		return rc;
	start = (uint32_t)(o - a->ost);
	for (i = 0; i < a->n && n < count; i++) {
		o = &a->ost[(start + i) % a->n];
		if (refused(o) == 0)
			out[n++] = o->index;
	}
	return (int)n;
}

int alloc_pick(struct alloc *a, int32_t count, int32_t first, uint32_t *out)
{
	uint32_t want = count < 0 || count > MAX_STRIPES ? MAX_STRIPES : (uint32_t)count, n, *pos;
	int rc;

	assert(count != 0);
	if (a->n == 0)
		return -ENODEV;
	if (first >= 0)
		return pick_from(a, want, (uint32_t)first, out);
	pos = malloc(MAX_STRIPES * sizeof(*pos));
	if (!pos)
		return -ENOMEM;
	n = candidates(a, count < 0 ? MAX_STRIPES : want, pos);
	want = (uint32_t)min_u64(want, n);
	if (n == 0)
		rc = refused(&a->ost[0]);
	else if (uneven(a, pos, n))
		rc = (int)pick_weighted(a, pos, n, want, out);
	else
		rc = (int)pick_rr(a, pos, n, want, out);
	free(pos);
	return rc;
}
