/* SPDX-License-Identifier: Apache-2.0 */
/* ahead.c - see ahead.h. */
#include "client/core/ahead.h"
#include <stdlib.h>

enum { FITS = 2, MISSES = 2, FIRST_STRIDES = 4 };

/* ---- finding a pattern ---- */

static enum ahead_kind relation(const struct ahead *a, uint64_t off, uint64_t len)
{
	if (a->end == a->off) /* the first read */
		return AHEAD_NONE;
	if (off == a->end)
		return AHEAD_FORWARD;
	if (off + len == a->off)
		return AHEAD_BACKWARD;
	return a->delta && (int64_t)(off - a->off) == a->delta ? AHEAD_STRIDE : AHEAD_NONE;
}

static void look(struct ahead *a, uint64_t off, uint64_t len)
{
	enum ahead_kind k = relation(a, off, len);

	a->same = k == AHEAD_NONE ? 0 : k == a->maybe ? a->same + 1 : 1;
	a->maybe = k;
	a->delta = a->end == a->off ? 0 : (int64_t)(off - a->off);
	a->off = off;
	a->end = off + len;
}

static void begin(struct ahead *a, uint64_t len, uint64_t limit)
{
	a->kind = a->maybe;
	a->gaps = a->kind == AHEAD_STRIDE;
	if (a->kind == AHEAD_STRIDE && (uint64_t)llabs(a->delta) <= len + AHEAD_GAP)
		a->kind = a->delta > 0 ? AHEAD_FORWARD : AHEAD_BACKWARD;
	a->misses = 0;
	a->pos = a->edge = a->kind == AHEAD_FORWARD ? a->end : a->off;
	a->window = min_u64(max_u64(AHEAD_FIRST, 4 * len), limit);
	a->step = a->delta;
	a->len = (uint32_t)len;
	a->fetched = 0;
	a->strides = FIRST_STRIDES;
}

/* ---- following it ---- */

static void grow(struct ahead *a, uint64_t limit)
{
	a->window = min_u64(2 * a->window, limit);
}

/* What was fetched is gone: there is too little memory for so large a window. */
static void lost(struct ahead *a, uint64_t edge)
{
	a->edge = edge;
	a->window = max_u64(a->window / 2, min_u64(a->window, AHEAD_FIRST));
}

static bool plan(struct ahead_plan *p, uint64_t off, uint64_t len, int64_t step, uint32_t n)
{
	p->off = off;
	p->len = len;
	p->step = step;
	p->n = n;
	return len && n;
}

static bool forward(struct ahead *a, bool here, uint64_t limit, struct ahead_plan *p)
{
	uint64_t to;
	bool more = a->edge > a->pos;

	if (!here && a->off < a->edge)
		lost(a, a->end);
	a->pos = max_u64(a->pos, a->end);
	a->edge = max_u64(a->edge, a->pos);
	if (a->edge - a->pos >= max_u64(a->window / 2, 1))
		return false;
	if (more)
		grow(a, limit);
	to = a->pos + a->window;
	if (a->window >= 2 * AHEAD_ALIGN)
		to -= to % AHEAD_ALIGN;
	return plan(p, a->edge, to > a->edge ? to - a->edge : 0, 0, 1);
}

static bool backward(struct ahead *a, bool here, uint64_t limit, struct ahead_plan *p)
{
	uint64_t to;
	bool more = a->edge < a->pos;

	if (!here && a->off >= a->edge && a->off < a->pos)
		lost(a, a->off);
	a->pos = min_u64(a->pos, a->off);
	a->edge = min_u64(a->edge, a->pos);
	if (!a->edge || a->pos - a->edge >= max_u64(a->window / 2, 1))
		return false;
	if (more)
		grow(a, limit);
	to = a->pos > a->window ? a->pos - a->window : 0;
	if (a->window >= 2 * AHEAD_ALIGN && to % AHEAD_ALIGN)
		to += AHEAD_ALIGN - to % AHEAD_ALIGN;
	return plan(p, to, to < a->edge ? a->edge - to : 0, 0, 1);
}

/* How many there may be behind `off` without leaving the range of offsets. */
static uint64_t strides_left(uint64_t off, int64_t step)
{
	return step < 0 ? off / (uint64_t)-step : ((uint64_t)INT64_MAX - off) / (uint64_t)step;
}

static bool stride(struct ahead *a, bool here, uint64_t limit, struct ahead_plan *p)
{
	uint64_t most = min_u64(limit / a->len, AHEAD_STRIDES);

	if (a->off != a->pos) { /* one further */
		if (a->fetched && !here)
			a->fetched = 0;
		else if (a->fetched)
			a->fetched--;
		a->pos = a->off;
		a->strides = (uint32_t)min_u64(2 * (uint64_t)a->strides, AHEAD_STRIDES);
	}
	most = min_u64(most, min_u64(a->strides, strides_left(a->pos, a->step)));
	if (a->fetched >= max_u64(most / 2, 1) || a->fetched >= most)
		return false;
	return plan(p, a->pos + (uint64_t)a->step * (a->fetched + 1), a->len, a->step,
		    (uint32_t)most - a->fetched);
}

static bool fits(const struct ahead *a, uint64_t off, uint64_t len)
{
	uint64_t low, high;

	switch (a->kind) {
	case AHEAD_FORWARD:
		low = a->pos > a->window ? a->pos - a->window : 0;
		return off >= low && off <= a->edge + AHEAD_GAP;
	case AHEAD_BACKWARD:
		high = a->pos + a->window;
		return off <= high && off + len + AHEAD_GAP >= a->edge;
	case AHEAD_STRIDE:
		return len <= a->len && (off == a->pos + (uint64_t)a->step || off == a->pos);
	default:
		return false;
	}
}

bool ahead_read(struct ahead *a, uint64_t off, uint64_t len, bool here, uint64_t limit,
		struct ahead_plan *p)
{
	bool fit = limit && fits(a, off, len);

	look(a, off, len);
	if (fit)
		a->misses = 0;
	else if (++a->misses >= MISSES || !limit)
		a->kind = AHEAD_NONE;
	if (!fit && a->same >= FITS && limit) {
		begin(a, len, limit);
		fit = true;
		here = true;
	}
	if (!fit)
		return false;
	p->kind = a->kind;
	return a->kind == AHEAD_FORWARD    ? forward(a, here, limit, p)
	       : a->kind == AHEAD_BACKWARD ? backward(a, here, limit, p)
					   : stride(a, here, limit, p);
}

void ahead_fetched(struct ahead *a, const struct ahead_plan *p)
{
	if (a->kind != p->kind) /* somebody read something else meanwhile */
		return;
	if (a->kind == AHEAD_FORWARD)
		a->edge = max_u64(a->edge, p->off + p->len);
	else if (a->kind == AHEAD_BACKWARD)
		a->edge = min_u64(a->edge, p->off);
	else
		a->fetched = (uint32_t)min_u64(a->fetched + p->n, AHEAD_STRIDES);
}
