/* SPDX-License-Identifier: Apache-2.0 */
/* order.c - see order.h. A block is an array of ranges that do not overlap, in order. */
#include "oss/order.h"
#include <stdlib.h>

enum { HASH = 4096 };
#define BLOCK (1ULL << 20)

struct seg {
	uint64_t off, end, number;
};

struct segs {
	struct seg *at;
	uint32_t n, cap;
};

struct block {
	uint64_t index; /* of BLOCK bytes */
	struct segs segs;
};

struct node {
	struct object_id id;
	struct segs wide;
	struct segs grew; /* numbers go up and ends go down: what says no more is not kept */
	uint64_t cut; /* the last number */
	struct block *blocks; /* by index */
	uint32_t nblocks, cap;
	struct node *next;
};

struct order {
	struct node *hash[HASH];
};

int order_create(struct order **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void order_destroy(struct order *o)
{
	struct node *n, *next;

	for (uint32_t i = 0; o && i < HASH; i++)
		for (n = o->hash[i]; n; n = next) {
			next = n->next;
			for (uint32_t b = 0; b < n->nblocks; b++)
				free(n->blocks[b].segs.at);
			free(n->blocks);
			free(n->wide.at);
			free(n->grew.at);
			free(n);
		}
	free(o);
}

static struct node **slot(struct order *o, const struct object_id *id)
{
	struct node **at = &o->hash[object_id_hash(id) % HASH];

	while (*at && !object_id_eq(&(*at)->id, id))
		at = &(*at)->next;
	return at;
}

static struct node *node_get(struct order *o, const struct object_id *id)
{
	struct node **at = slot(o, id);

	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (*at)
			(*at)->id = *id;
	}
	return *at;
}

/* ---- arrays ---- */

static int reserve(struct segs *s, uint32_t more)
{
	struct seg *at;
	uint32_t cap = s->cap ? s->cap : 4;

	while (cap < s->n + more)
		cap *= 2;
	if (cap == s->cap)
		return 0;
	at = reallocarray(s->at, cap, sizeof(*at));
	if (!at)
		return -ENOMEM;
	s->at = at;
	s->cap = cap;
	return 0;
}

/* There is room. */
static void append(struct segs *s, uint64_t off, uint64_t end, uint64_t number)
{
	if (off < end)
		s->at[s->n++] = (struct seg){off, end, number};
}

/* Puts x over s, below what is higher. */
static int overlay(struct segs *s, struct seg x)
{
	struct segs out = {0};
	uint64_t done = x.off; /* so far x is placed, or covered */

	if (reserve(&out, 2 * s->n + 2))
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n; i++) {
		struct seg e = s->at[i];

		if (e.end <= x.off) {
			append(&out, e.off, e.end, e.number);
			continue;
		}
		if (e.off >= x.end || e.number > x.number) {
			append(&out, done, min_u64(e.off, x.end), x.number);
			append(&out, e.off, e.end, e.number);
		} else {
			append(&out, e.off, x.off, e.number);
			append(&out, done, min_u64(e.end, x.end), x.number);
			append(&out, x.end, e.end, e.number);
		}
		done = max_u64(done, min_u64(e.end, x.end));
	}
	append(&out, done, x.end, x.number);
	free(s->at);
	*s = out;
	return 0;
}

/* Takes what s has of higher numbers out of the ranges in *r. */
static int cut_one(struct segs *r, const struct seg *hole)
{
	struct segs out = {0};

	if (reserve(&out, 2 * r->n + 1))
		return -ENOMEM;
	for (uint32_t i = 0; i < r->n; i++) {
		struct seg e = r->at[i];

		if (hole->end <= e.off || hole->off >= e.end) {
			append(&out, e.off, e.end, 0);
			continue;
		}
		append(&out, e.off, hole->off, 0);
		append(&out, hole->end, e.end, 0);
	}
	free(r->at);
	*r = out;
	return 0;
}

static int cut(struct segs *r, const struct segs *s, const struct seg *x)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < s->n; i++)
		if (s->at[i].number > x->number && s->at[i].off < x->end && s->at[i].end > x->off)
			rc = cut_one(r, &s->at[i]);
	return rc;
}

/* ---- blocks ---- */

/* The first block that is not before index. */
static uint32_t block_find(const struct node *n, uint64_t index)
{
	uint32_t lo = 0, hi = n->nblocks;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (n->blocks[mid].index < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct block *block_get(struct node *n, uint64_t index)
{
	uint32_t i = block_find(n, index), cap = n->cap ? 2 * n->cap : 4;
	struct block *at;

	if (i < n->nblocks && n->blocks[i].index == index)
		return &n->blocks[i];
	if (n->nblocks == n->cap) {
		at = reallocarray(n->blocks, cap, sizeof(*at));
		if (!at)
			return NULL;
		n->blocks = at;
		n->cap = cap;
	}
	memmove(&n->blocks[i + 1], &n->blocks[i], (n->nblocks - i) * sizeof(*n->blocks));
	n->nblocks++;
	n->blocks[i] = (struct block){.index = index};
	return &n->blocks[i];
}

static int cut_blocks(struct segs *r, const struct node *n, const struct seg *x)
{
	uint32_t i = block_find(n, x->off / BLOCK);
	int rc = 0;

	for (; rc == 0 && i < n->nblocks && n->blocks[i].index * BLOCK < x->end; i++)
		rc = cut(r, &n->blocks[i].segs, x);
	return rc;
}

int order_parts(struct order *o, const struct object_id *id, uint64_t off, uint64_t end,
		uint64_t number, struct order_range **out, uint32_t *n)
{
	struct node *at = *slot(o, id);
	struct seg x = {off, end, number};
	struct segs r = {0};
	int rc = reserve(&r, 1);

	if (rc)
		return rc;
	append(&r, off, end, 0);
	if (at)
		rc = cut(&r, &at->wide, &x);
	if (at && rc == 0)
		rc = cut_blocks(&r, at, &x);
	*out = rc ? NULL : reallocarray(NULL, r.n + 1, sizeof(**out));
	if (!*out)
		rc = -ENOMEM;
	for (uint32_t i = 0; rc == 0 && i < r.n; i++)
		(*out)[i] = (struct order_range){r.at[i].off, r.at[i].end};
	*n = r.n;
	free(r.at);
	return rc;
}

int order_note(struct order *o, const struct object_id *id, uint64_t off, uint64_t end,
	       uint64_t number)
{
	struct node *n = node_get(o, id);
	int rc = 0;

	if (!n)
		return -ENOMEM;
	if (end - off > ORDER_NEAR)
		return overlay(&n->wide, (struct seg){off, end, number});
	for (; rc == 0 && off < end; off = (off / BLOCK + 1) * BLOCK) {
		struct block *b = block_get(n, off / BLOCK);

		rc = b ? overlay(&b->segs, (struct seg){off,
							min_u64(end, (off / BLOCK + 1) * BLOCK),
							number})
		       : -ENOMEM;
	}
	return rc;
}

int order_grew(struct order *o, const struct object_id *id, uint64_t end, uint64_t number)
{
	struct node *n = node_get(o, id);
	struct segs *g = n ? &n->grew : NULL;
	uint32_t at = 0, keep;

	if (!n || reserve(g, 1))
		return -ENOMEM;
	while (at < g->n && g->at[at].number < number)
		at++;
	if (at < g->n && g->at[at].end >= end)
		return 0;
	for (keep = at; keep && g->at[keep - 1].end <= end; keep--)
		;
	memmove(&g->at[keep + 1], &g->at[at], (g->n - at) * sizeof(*g->at));
	g->n -= at - keep;
	g->at[keep] = (struct seg){0, end, number};
	g->n++;
	return 0;
}

uint64_t order_length(struct order *o, const struct object_id *id, uint64_t number)
{
	const struct node *n = *slot(o, id);

	for (uint32_t i = 0; n && i < n->grew.n; i++)
		if (n->grew.at[i].number > number)
			return n->grew.at[i].end;
	return 0;
}

int order_cut(struct order *o, const struct object_id *id, uint64_t number)
{
	struct node *n = node_get(o, id);

	if (!n)
		return -ENOMEM;
	n->cut = max_u64(n->cut, number);
	return 0;
}

bool order_is_cut(struct order *o, const struct object_id *id, uint64_t number)
{
	const struct node *n = *slot(o, id);

	return n && n->cut > number;
}
