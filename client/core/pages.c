/* SPDX-License-Identifier: Apache-2.0 */
/* pages.c - see pages.h. There are few pieces, and a reader is mostly in the one that was read
 * last, so a list that is searched from its end will do. */
#include "client/core/pages.h"
#include <stdlib.h>

void pages_init(struct pages *p)
{
	*p = (struct pages){0};
	TAILQ_INIT(&p->pieces);
}

static uint64_t end_of(const struct pages_piece *e)
{
	return e->off + e->len;
}

struct pages_piece *pages_find(struct pages *p, uint64_t off)
{
	struct pages_piece *e;

	TAILQ_FOREACH_REVERSE(e, &p->pieces, piece_list, link)
	if (off >= e->off && off < end_of(e))
		return e;
	return NULL;
}

bool pages_gap(struct pages *p, uint64_t *off, uint64_t *len)
{
	struct pages_piece *e;
	uint64_t end = *off + *len;

	while (*off < end && (e = pages_find(p, *off)))
		*off = end_of(e);
	if (*off >= end)
		return false;
	end = min_u64(end, (*off / PAGES_PIECE + 1) * PAGES_PIECE);
	TAILQ_FOREACH(e, &p->pieces, link)
	if (e->off > *off)
		end = min_u64(end, e->off);
	*len = end - *off;
	return true;
}

struct pages_piece *pages_add(struct pages *p, uint64_t off, uint32_t len)
{
	struct pages_piece *e = p->n < PAGES_MAX ? calloc(1, sizeof(*e)) : NULL;

	if (!e)
		return NULL;
	e->mem = malloc(len);
	if (!e->mem) {
		free(e);
		return NULL;
	}
	e->off = off;
	e->len = len;
	e->users = 1;
	e->fetching = true;
	TAILQ_INSERT_TAIL(&p->pieces, e, link);
	p->n++;
	p->bytes += len;
	return e;
}

static void unuse(struct pages *p, struct pages_piece *e, uint32_t mem)
{
	assert(e->users > 0);
	if (--e->users || !e->cut)
		return;
	p->bytes -= mem;
	free(e->mem);
	free(e);
}

static void cut(struct pages *p, struct pages_piece *e)
{
	TAILQ_REMOVE(&p->pieces, e, link);
	p->n--;
	p->unread += e->read ? 0 : e->len;
	e->cut = true;
	e->users++;
	unuse(p, e, e->len);
}

void pages_fetched(struct pages *p, struct pages_piece *e, uint32_t n)
{
	uint32_t mem = e->len;
	uint8_t *less;

	assert(e->fetching && n <= mem);
	e->fetching = false;
	if (!n && !e->cut)
		cut(p, e);
	less = n && n < mem && !e->cut ? realloc(e->mem, n) : NULL;
	if (less) {
		e->mem = less;
		e->len = n;
		p->bytes -= mem - n;
		mem = n;
	} else if (n < mem && !e->cut) { /* cannot be: less memory is always to be had */
		cut(p, e);
	}
	unuse(p, e, mem);
}

void pages_use(struct pages *p, struct pages_piece *e)
{
	e->users++;
	e->read = true;
	if (e == TAILQ_LAST(&p->pieces, piece_list))
		return;
	TAILQ_REMOVE(&p->pieces, e, link);
	TAILQ_INSERT_TAIL(&p->pieces, e, link);
}

void pages_unuse(struct pages *p, struct pages_piece *e)
{
	unuse(p, e, e->len);
}

bool pages_cut(struct pages *p, uint64_t off, uint64_t len)
{
	struct pages_piece *e, *next;
	bool coming = false;

	for (e = TAILQ_FIRST(&p->pieces); e; e = next) {
		next = TAILQ_NEXT(e, link);
		if (off >= end_of(e) || (len && e->off >= off && e->off - off >= len))
			continue;
		coming |= e->fetching;
		cut(p, e);
	}
	return coming;
}

bool pages_shrink(struct pages *p)
{
	struct pages_piece *e;

	TAILQ_FOREACH(e, &p->pieces, link)
	if (!e->users) {
		cut(p, e);
		return true;
	}
	return false;
}
