/* SPDX-License-Identifier: Apache-2.0 */
/* linear.c - see linear.h. */
#include "tests/sim/linear.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEEN_MAX = 1 << 19 }; /* states that a search may come through */

void linear_add(struct linear_history *h, const struct linear_op *op)
{
	if (h->n == h->room) {
		h->room = h->room ? h->room * 2 : 16;
		h->op = realloc(h->op, h->room * sizeof(*h->op));
		assert(h->op);
	}
	h->op[h->n++] = *op;
}

void linear_free(struct linear_history *h)
{
	free(h->op);
	*h = (struct linear_history){0};
}

void linear_text(const struct linear_op *op, char *out, size_t len)
{
	static const char *const names[] = {
		[LINEAR_READ] = "is", [LINEAR_WRITE] = "set", [LINEAR_MIN] = "at least",
		[LINEAR_MAX] = "at most", [LINEAR_RAISE] = "raise to",
		[LINEAR_APPEND] = "append at",
		[LINEAR_MAKE] = "make", [LINEAR_TAKE] = "take", [LINEAR_CUT] = "cut to",
	};
	char end[24] = "never";

	if (op->end != LINEAR_NEVER)
		snprintf(end, sizeof(end), "%" PRIu64, op->end);
	snprintf(out, len, "who %-3u [%" PRIu64 ", %s] %s%s %" PRIu64 " %" PRIu64, op->who,
		 op->start, end, op->maybe ? "perhaps " : "", names[op->kind], op->a, op->b);
}

static bool apply(const struct linear_op *op, uint64_t s, uint64_t *next)
{
	uint64_t n = s;
	bool can = true;

	switch ((enum linear_kind)op->kind) {
	case LINEAR_READ: can = s == op->a; break;
	case LINEAR_WRITE: n = op->a; break;
	case LINEAR_MIN: can = s >= op->a; break;
	case LINEAR_MAX: can = s <= op->a; break;
	case LINEAR_RAISE: n = s > op->a ? s : op->a; break;
	case LINEAR_APPEND:
		can = s == op->a;
		n = op->a + op->b;
		break;
	case LINEAR_MAKE:
		can = s == 0;
		n = op->a;
		break;
	case LINEAR_TAKE:
		can = s != 0;
		n = 0;
		break;
	case LINEAR_CUT:
		if ((s & 0xff) > op->a)
			n = op->a ? (s & ~0xffULL) | op->a : 0;
		break;
	}
	*next = n;
	return can;
}

/* ------------------------------------------------------------------ zones */

struct zone {
	uint64_t value;
	uint64_t f, s; /* the first end, the last start of all operations with the value */
	uint64_t w_start;
	uint32_t last; /* the operation that starts last */
};

static int by_value(const void *a, const void *b)
{
	const struct linear_op *x = a, *y = b;

	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	return (x->kind != LINEAR_WRITE) - (y->kind != LINEAR_WRITE); /* the write is first */
}

static int by_from(const void *a, const void *b)
{
	const struct zone *x = a, *y = b;
	uint64_t p = x->f < x->s ? x->f : x->s, q = y->f < y->s ? y->f : y->s;

	return p < q ? -1 : p > q;
}

bool linear_is_register(const struct linear_history *h)
{
	struct linear_op *op = malloc((h->n + 1) * sizeof(*op));
	bool good = true;

	assert(op);
	for (uint32_t i = 0; i < h->n; i++) {
		op[i] = h->op[i];
		good = good && op[i].end != LINEAR_NEVER && !op[i].maybe &&
		       (op[i].kind == LINEAR_READ ||
			(op[i].kind == LINEAR_WRITE && op[i].a != h->first));
	}
	if (good)
		qsort(op, h->n, sizeof(*op), by_value);
	for (uint32_t i = 1; good && i < h->n; i++)
		good = op[i].kind != LINEAR_WRITE || op[i - 1].a != op[i].a;
	free(op);
	return good;
}

/* The zone of each value; false: *culprit reads what was not written by then. Starts count from 1
 * here, so that the first value is written and answered at 0. */
static bool make_zones(struct linear_history *h, struct zone *z, uint32_t *nz, uint32_t *culprit)
{
	*nz = 0;
	for (uint32_t i = 0; i < h->n; i++) {
		const struct linear_op *op = &h->op[i];
		uint64_t start = op->start + 1, end = op->end + 1;
		struct zone *k = *nz ? &z[*nz - 1] : NULL;
		bool write = op->kind == LINEAR_WRITE;

		if (!k || k->value != op->a) {
			*culprit = i;
			if (!write && op->a != h->first)
				return false;
			k = &z[(*nz)++];
			*k = (struct zone){op->a, write ? end : 0, write ? start : 0,
					   write ? start : 0, i};
		}
		if (end < k->w_start) {
			*culprit = i;
			return false;
		}
		if (end < k->f)
			k->f = end;
		if (start > k->s) {
			k->s = start;
			k->last = i;
		}
	}
	return true;
}

static bool zones_fit(const struct zone *z, uint32_t nz, uint32_t *culprit)
{
	const struct zone *forward = NULL; /* the latest one that has begun */

	for (uint32_t i = 0; i < nz; i++) {
		bool is_forward = z[i].f < z[i].s;

		/* Zones come in the order of their beginnings: it overlaps, or lies within. */
		if (forward && z[i].f < forward->s) {
			*culprit = is_forward ? z[i].last : forward->last;
			return false;
		}
		if (is_forward)
			forward = &z[i];
	}
	return true;
}

enum linear_verdict linear_zones(struct linear_history *h, uint32_t *culprit)
{
	struct zone *z = malloc((h->n + 1) * sizeof(*z));
	uint32_t nz;
	bool good;

	assert(z);
	if (h->n)
		qsort(h->op, h->n, sizeof(*h->op), by_value);
	good = make_zones(h, z, &nz, culprit);
	if (good) {
		qsort(z, nz, sizeof(*z), by_from);
		good = zones_fit(z, nz, culprit);
	}
	free(z);
	return good ? LINEAR_GOOD : LINEAR_BAD;
}

/* ------------------------------------------------------------------ search */

/* A call or an answer. They are a list in order of time; what has taken effect is taken out. */
struct event {
	uint64_t at;
	uint32_t op;
	bool answer;
	struct event *prev, *next, *match; /* the answer of a call */
};

struct seen {
	uint64_t state;
	uint64_t bits[]; /* of the operations that have taken effect */
};

struct search {
	const struct linear_history *h;
	struct event *ev, head, **call;
	uint32_t answers; /* that are left in the list */
	uint32_t words, nseen, room;
	uint64_t *bits;
	struct seen **seen; /* hash table */
	/* what has taken effect, in order, and the state before it */
	struct {
		struct event *call;
		uint64_t before;
		bool given_up; /* a maybe: no effect */
	} *done;
	uint32_t ndone, best; /* the most that ever were */
	uint32_t culprit;
};

static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->answer - y->answer; /* at the same moment they overlap */
}

static void list_events(struct search *s)
{
	const struct linear_history *h = s->h;
	struct event *prev = &s->head;
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->n; i++) {
		s->ev[n++] = (struct event){.at = h->op[i].start, .op = i};
		if (h->op[i].end != LINEAR_NEVER)
			s->ev[n++] = (struct event){.at = h->op[i].end, .op = i, .answer = true};
	}
	qsort(s->ev, n, sizeof(*s->ev), by_time);
	for (uint32_t i = 0; i < n; i++) {
		struct event *e = &s->ev[i];

		if (e->answer) {
			s->call[e->op]->match = e;
			s->answers++;
		} else {
			s->call[e->op] = e;
		}
		prev->next = e;
		e->prev = prev;
		prev = e;
	}
}

static void take_out(struct event *e)
{
	e->prev->next = e->next;
	if (e->next)
		e->next->prev = e->prev;
}

static void put_back(struct event *e)
{
	e->prev->next = e;
	if (e->next)
		e->next->prev = e;
}

static uint64_t hash_of(const uint64_t *bits, uint32_t words, uint64_t state)
{
	uint64_t x = state * 0x9e3779b97f4a7c15ULL;

	for (uint32_t i = 0; i < words; i++) {
		x ^= bits[i];
		x *= 0xff51afd7ed558ccdULL;
		x ^= x >> 32;
	}
	return x;
}

static struct seen **slot_of(struct search *s, const uint64_t *bits, uint64_t state)
{
	uint32_t k = (uint32_t)hash_of(bits, s->words, state) & (s->room - 1);

	while (s->seen[k] && (s->seen[k]->state != state ||
			      memcmp(s->seen[k]->bits, bits, s->words * 8) != 0))
		k = (k + 1) & (s->room - 1);
	return &s->seen[k];
}

static void seen_grow(struct search *s)
{
	struct seen **old = s->seen;
	uint32_t n = s->room;

	s->room = n ? n * 2 : 1024;
	s->seen = calloc(s->room, sizeof(*s->seen));
	assert(s->seen);
	for (uint32_t i = 0; i < n; i++)
		if (old[i])
			*slot_of(s, old[i]->bits, old[i]->state) = old[i];
	free(old);
}

/* True if the search has not been here. */
static bool is_new(struct search *s, uint64_t state)
{
	struct seen **at, *x;

	if (s->nseen * 2 >= s->room)
		seen_grow(s);
	at = slot_of(s, s->bits, state);
	if (*at)
		return false;
	x = malloc(sizeof(*x) + s->words * 8);
	assert(x);
	x->state = state;
	memcpy(x->bits, s->bits, s->words * 8);
	*at = x;
	s->nseen++;
	return true;
}

static void flip(struct search *s, uint32_t op)
{
	s->bits[op / 64] ^= 1ULL << op % 64;
}

/* The operation takes effect now, if it can and that leads to somewhere new; or it is given up. */
static bool effect(struct search *s, struct event *call, uint64_t *state, bool give_up)
{
	uint64_t next = *state;

	if (!give_up && !apply(&s->h->op[call->op], *state, &next))
		return false;
	flip(s, call->op);
	if (!is_new(s, next)) {
		flip(s, call->op);
		return false;
	}
	s->done[s->ndone].call = call;
	s->done[s->ndone].given_up = give_up;
	s->done[s->ndone++].before = *state;
	*state = next;
	take_out(call);
	if (call->match) {
		take_out(call->match);
		s->answers--;
	}
	return true;
}

static struct event *undo(struct search *s, uint64_t *state)
{
	struct event *call = s->done[--s->ndone].call;

	*state = s->done[s->ndone].before;
	if (call->match) {
		put_back(call->match);
		s->answers++;
	}
	put_back(call);
	flip(s, call->op);
	return call;
}

/* Answered, and it has not taken effect in this order: back to where there was a choice. NULL: it
 * was nowhere. What was given up had been tried at every moment before. */
static struct event *back(struct search *s, const struct event *answer, uint64_t *state)
{
	struct event *e = NULL;
	bool given_up = true;

	if (s->ndone >= s->best) {
		s->best = s->ndone;
		s->culprit = answer->op;
	}
	while (given_up) {
		if (s->ndone == 0)
			return NULL;
		given_up = s->done[s->ndone - 1].given_up;
		e = undo(s, state);
	}
	return e->next;
}

static enum linear_verdict search(struct search *s)
{
	struct event *e = s->head.next;
	uint64_t state = s->h->first;

	while (s->answers) {
		assert(e); /* an answer stops the walk before the end of the list */
		if (!e->answer) {
			e = effect(s, e, &state, false) ? s->head.next : e->next;
			continue;
		}
		if (s->h->op[e->op].maybe && effect(s, s->call[e->op], &state, true)) {
			e = s->head.next;
			continue;
		}
		e = back(s, e, &state);
		if (!e)
			return LINEAR_BAD;
		if (s->nseen > SEEN_MAX)
			return LINEAR_UNKNOWN;
	}
	return LINEAR_GOOD;
}

enum linear_verdict linear_search(struct linear_history *h, uint32_t *culprit)
{
	struct search s = {.h = h, .words = h->n / 64 + 1};
	enum linear_verdict v;

	s.ev = calloc(2 * (size_t)h->n + 1, sizeof(*s.ev));
	s.bits = calloc(s.words, sizeof(*s.bits));
	s.done = calloc(h->n + 1, sizeof(*s.done));
	s.call = calloc(h->n + 1, sizeof(*s.call));
	assert(s.ev && s.bits && s.done && s.call);
	list_events(&s);
	v = search(&s);
	*culprit = s.culprit;
	for (uint32_t i = 0; i < s.room; i++)
		free(s.seen[i]);
	free(s.seen);
	free(s.done);
	free(s.call);
	free(s.bits);
	free(s.ev);
	return v;
}

enum linear_verdict linear_check(struct linear_history *h, uint32_t *culprit)
{
	return linear_is_register(h) ? linear_zones(h, culprit) : linear_search(h, culprit);
}
