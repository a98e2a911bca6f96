/* SPDX-License-Identifier: Apache-2.0 */
/* ranges.c - see ranges.h. */
#include "mds/ranges.h"
#include <stdlib.h>

enum {
	UNIT_MIN = 1 << 20,
	UNITS_MAX = 1 << 20, /* larger files have larger units */
	IN_A_ROW = 8, /* more than 4 MiB: of such a range some services sum the bytes first */
	WANTS = 64, /* more come in their turn */
};

enum state { MISSING, TAKEN, BACK };

struct piece { /* units */
	uint32_t at, n;
};

struct ranges {
	uint64_t size, unit;
	uint32_t n, missing;
	uint32_t cursor; /* where to go on */
	uint32_t row;	 /* how many the next one gets */
	uint32_t want[WANTS], nwants; /* the oldest first */
	struct piece out[MAX_HSM_WORKERS];
	uint8_t state[];
};

struct ranges *ranges_create(uint64_t size)
{
	uint64_t unit = UNIT_MIN;
	struct ranges *r;
	uint32_t n;

	while ((size + unit - 1) / unit > UNITS_MAX)
		unit *= 2;
	n = (uint32_t)((size + unit - 1) / unit);
	r = calloc(1, sizeof(*r) + n);
	if (!r)
		return NULL;
	r->size = size;
	r->unit = unit;
	r->n = r->missing = n;
	r->row = IN_A_ROW;
	return r;
}

void ranges_free(struct ranges *r)
{
	free(r);
}

uint64_t ranges_unit(const struct ranges *r)
{
	return r->unit;
}

void ranges_want(struct ranges *r, uint64_t off)
{
	uint64_t u = off / r->unit;
	uint32_t i;

	if (off >= r->size || r->state[u] != MISSING || r->nwants == WANTS)
		return;
	for (i = 0; i < r->nwants; i++)
		if (r->want[i] == u)
			return;
	r->want[r->nwants++] = (uint32_t)u;
}

static void note_piece(struct ranges *r, const struct piece *p, enum state s)
{
	memset(r->state + p->at, s, p->n);
	if (s == TAKEN)
		r->missing -= p->n;
	else if (s == MISSING)
		r->missing += p->n;
}

/* The last unit of a file may be shorter. */
static void bytes_of(const struct ranges *r, const struct piece *p, uint64_t *off, uint64_t *len)
{
	*off = p->at * r->unit;
	*len = min_u64((uint64_t)p->n * r->unit, r->size - *off);
}

/* From the cursor, with what is wanted before it all. */
static void move_cursor(struct ranges *r)
{
	uint32_t i = 0, u;

	while (i < r->nwants && r->state[r->want[i]] != MISSING)
		i++;
	if (i < r->nwants) {
		r->cursor = r->want[i++];
		r->row = 1;
	}
	r->nwants -= i;
	memmove(r->want, r->want + i, r->nwants * sizeof(r->want[0]));
	for (u = r->cursor; u < r->n && r->state[u] != MISSING; u++)
		;
	if (u == r->n)
		for (u = 0; r->state[u] != MISSING; u++)
			;
	r->cursor = u;
}

bool ranges_next(struct ranges *r, uint32_t worker, uint64_t *off, uint64_t *len)
{
	struct piece *p = &r->out[worker];
	uint64_t its_off, its_len;

	if (p->n) {
		bytes_of(r, p, &its_off, &its_len);
		note_piece(r, p, *off == its_off && *len == its_len ? BACK : MISSING);
		*p = (struct piece){0};
	}
	*len = 0;
	if (!r->missing)
		return false;
	move_cursor(r);
	p->at = r->cursor;
	while (p->n < r->row && p->at + p->n < r->n && r->state[p->at + p->n] == MISSING)
		p->n++;
	r->row = (uint32_t)min_u64(r->row * 2, IN_A_ROW);
	r->cursor = (p->at + p->n) % r->n;
	note_piece(r, p, TAKEN);
	bytes_of(r, p, off, len);
	return true;
}

bool ranges_back(const struct ranges *r, uint64_t off, uint64_t *from, uint64_t *to)
{
	uint64_t u = off / r->unit, a = u, b = u;

	if (off >= r->size || r->state[u] != BACK)
		return false;
	while (a > 0 && r->state[a - 1] == BACK)
		a--;
	while (b < r->n && r->state[b] == BACK)
		b++;
	*from = a * r->unit;
	*to = min_u64(b * r->unit, r->size);
	return true;
}
