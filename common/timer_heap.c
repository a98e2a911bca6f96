/* SPDX-License-Identifier: Apache-2.0 */
/* timer_heap.c - see timer_heap.h. A plain binary heap with the index kept in the timer, so that
 * stopping one is O(log n); deadlines of calls are stopped far more often than they fire. The array
 * never shrinks. */
#include "common/timer_heap.h"
#include <stdlib.h>

static bool before(const struct loop_timer *a, const struct loop_timer *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->seq < b->seq;
}

static void place(struct timer_heap *h, uint32_t i, struct loop_timer *t)
{
	h->at[i] = t;
	t->heap_at = i;
}

static void sift_up(struct timer_heap *h, uint32_t i, struct loop_timer *t)
{
	while (i && before(t, h->at[(i - 1) / 2])) {
		place(h, i, h->at[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(h, i, t);
}

static void sift_down(struct timer_heap *h, uint32_t i, struct loop_timer *t)
{
	for (;;) {
		uint32_t kid = 2 * i + 1;

		if (kid >= h->n)
			break;
		if (kid + 1 < h->n && before(h->at[kid + 1], h->at[kid]))
			kid++;
		if (!before(h->at[kid], t))
			break;
		place(h, i, h->at[kid]);
		i = kid;
	}
	place(h, i, t);
}

/* Puts t into the hole at i, whichever way it has to go. */
static void settle(struct timer_heap *h, uint32_t i, struct loop_timer *t)
{
	if (i && before(t, h->at[(i - 1) / 2]))
		sift_up(h, i, t);
	else
		sift_down(h, i, t);
}

static int grow(struct timer_heap *h)
{
	uint32_t cap = h->cap ? h->cap * 2 : 64;
	struct loop_timer **at = realloc(h->at, cap * sizeof(struct loop_timer *));

	if (!at)
		return -ENOMEM;
	h->at = at;
	h->cap = cap;
	return 0;
}

void timer_heap_fini(struct timer_heap *h)
{
	uint32_t i;

	for (i = 0; i < h->n; i++)
		h->at[i]->due_ns = 0;
	free(h->at);
	*h = (struct timer_heap){0};
}

int timer_heap_set(struct timer_heap *h, struct loop_timer *t, uint64_t due_ns)
{
	bool armed = t->due_ns != 0;

	if (!armed && h->n == h->cap) {
		int rc = grow(h);

		if (rc)
			return rc;
	}
	assert(!armed || h->at[t->heap_at] == t);
	t->due_ns = due_ns ? due_ns : 1;
	t->seq = ++h->seq;
	settle(h, armed ? t->heap_at : h->n++, t);
	return 0;
}

void timer_heap_del(struct timer_heap *h, struct loop_timer *t)
{
	struct loop_timer *last;

	if (!t->due_ns)
		return;
	assert(t->heap_at < h->n && h->at[t->heap_at] == t);
	t->due_ns = 0;
	last = h->at[--h->n];
	if (last != t)
		settle(h, t->heap_at, last);
}

struct loop_timer *timer_heap_peek(const struct timer_heap *h)
{
	return h->n ? h->at[0] : NULL;
}

struct loop_timer *timer_heap_pop(struct timer_heap *h, uint64_t now_ns)
{
	struct loop_timer *t = timer_heap_peek(h);

	if (!t || t->due_ns > now_ns)
		return NULL;
	timer_heap_del(h, t);
	return t;
}
