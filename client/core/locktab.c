/* SPDX-License-Identifier: Apache-2.0 */
/* locktab.c - ranges of held locks by FID; see locktab.h. It decides nothing: conflicts are the
 * business of the MDS, this only remembers what was granted. */
#include "client/core/locktab.h"
#include "common/proto/proto.h"
#include <fcntl.h>
#include <stdlib.h>

static uint32_t hash(const struct fid *f)
{
	uint64_t h = (f->seq * 0x9e3779b97f4a7c15ULL) ^ f->oid * 0xff51afd7ed558ccdULL;

	return (uint32_t)(h >> 32) % LOCKTAB_HASH;
}

void locktab_init(struct locktab *t)
{
	for (int i = 0; i < LOCKTAB_HASH; i++)
		LIST_INIT(&t->head[i]);
	LIST_INIT(&t->changes);
	t->n = 0;
	t->book = NULL;
}

/* ---- in the book ---- */

static void place_write(const struct held_lock *l)
{
	struct book_lock *p = l->place;

	if (!p)
		return;
	*p = (struct book_lock){
		.space = l->space,
		.type = l->type,
		.lane = (uint16_t)l->lane,
		.pid = l->pid,
		.fid = l->fid,
		.owner = l->owner,
		.handle = l->handle,
		.start = l->start,
		.end = l->end,
	};
	p->used = BOOK_LOCK_HELD;
}

static void insert(struct locktab *t, uint32_t h, struct held_lock *l)
{
	l->place = t->book ? book_lock_get(t->book) : NULL;
	place_write(l);
	LIST_INSERT_HEAD(&t->head[h], l, link);
	t->n++;
}

static void drop(struct locktab *t, struct held_lock *l)
{
	LIST_REMOVE(l, link);
	t->n--;
	if (l->place)
		book_lock_put(t->book, l->place);
	free(l);
}

void locktab_fini(struct locktab *t)
{
	for (int i = 0; i < LOCKTAB_HASH; i++)
		while (!LIST_EMPTY(&t->head[i]))
			drop(t, LIST_FIRST(&t->head[i]));
}

static bool same_owner(const struct held_lock *a, const struct held_lock *b)
{
	return a->owner == b->owner && a->space == b->space && fid_eq(&a->fid, &b->fid);
}

/* a ends right before b starts. */
static bool touches(const struct held_lock *a, const struct held_lock *b)
{
	return a->end != UINT64_MAX && a->end + 1 == b->start;
}

static struct held_lock *copy_of(const struct held_lock *l)
{
	struct held_lock *c = malloc(sizeof(*c));

	if (c)
		*c = *l;
	return c;
}

int locktab_set(struct locktab *t, const struct held_lock *want)
{
	struct held_lock *l, *next, *fresh, *tail;
	uint32_t h = hash(&want->fid);

	assert(want->start <= want->end);
	/* At most one range is added and at most one is split in two: both allocated before
	 * anything changes. */
	fresh = copy_of(want);
	tail = copy_of(want);
	if (!fresh || !tail) {
		free(fresh);
		free(tail);
		return -ENOMEM;
	}
	for (l = LIST_FIRST(&t->head[h]); l; l = next) {
		next = LIST_NEXT(l, link);
		if (!same_owner(l, want))
			continue;
		if (l->type == want->type &&
		    (touches(l, fresh) || touches(fresh, l) ||
		     (l->start <= fresh->end && fresh->start <= l->end))) {
			fresh->start = min_u64(fresh->start, l->start);
			fresh->end = max_u64(fresh->end, l->end);
			drop(t, l);
			continue;
		}
		if (l->end < want->start || l->start > want->end)
			continue;
		if (l->start < want->start && l->end > want->end) {
			assert(tail); /* ranges of an owner do not overlap: only one has want */
			*tail = *l;
			tail->start = want->end + 1;
			insert(t, h, tail);
			tail = NULL;
			l->end = want->start - 1;
			place_write(l);
		} else if (l->start < want->start) {
			l->end = want->start - 1;
			place_write(l);
		} else if (l->end > want->end) {
			l->start = want->end + 1;
			place_write(l);
		} else {
			drop(t, l);
		}
	}
	free(tail);
	if (want->type == F_UNLCK) {
		free(fresh);
		return 0;
	}
	insert(t, h, fresh);
	return 0;
}

static int take_over(struct locktab *t, struct book_lock *p)
{
	struct held_lock *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	*l = (struct held_lock){
		.fid = p->fid,
		.space = p->space,
		.type = p->type,
		.pid = p->pid,
		.lane = p->lane,
		.owner = p->owner,
		.handle = p->handle,
		.start = p->start,
		.end = p->end,
		.place = p,
	};
	LIST_INSERT_HEAD(&t->head[hash(&l->fid)], l, link);
	t->n++;
	return 0;
}

int locktab_use_book(struct locktab *t, struct book *b)
{
	uint32_t i, n = book_head(b)->nlocks;
	int rc = 0;

	assert(!t->n);
	t->book = b;
	for (i = 0; i < n && rc == 0; i++)
		if (book_lock_at(b, i)->used == BOOK_LOCK_HELD)
			rc = take_over(t, book_lock_at(b, i));
	return rc;
}

void locktab_change_begin(struct locktab *t, struct lock_change *c)
{
	LIST_INSERT_HEAD(&t->changes, c, link);
}

void locktab_change_end(struct lock_change *c)
{
	LIST_REMOVE(c, link);
}

/* What is surely left of l, as a type. A flock that is converted is given back first. */
static uint8_t left_of(const struct held_lock *l, const struct lock_change *c)
{
	uint8_t type = c->want.type;

	if (type == F_UNLCK || (l->space == LOCK_FLOCK && type != l->type))
		return F_UNLCK;
	return type == F_RDLCK && !c->wait ? F_RDLCK : l->type;
}

/* Makes l in out weaker by all requests that leave so much of it. */
static int weaken(const struct locktab *t, const struct held_lock *l, uint8_t left,
		  struct locktab *out)
{
	const struct lock_change *c;
	int rc = 0;

	LIST_FOREACH(c, &t->changes, link) {
		struct held_lock part = *l;

		part.start = max_u64(l->start, c->want.start);
		part.end = min_u64(l->end, c->want.end);
		part.type = left;
		if (rc == 0 && same_owner(l, &c->want) && part.start <= part.end &&
		    left != l->type && left_of(l, c) == left)
			rc = locktab_set(out, &part);
	}
	return rc;
}

int locktab_claims(const struct locktab *t, uint32_t lane, struct locktab *out)
{
	const struct held_lock *l;
	int rc = 0;

	for (l = locktab_next(t, NULL); l && rc == 0; l = locktab_next(t, l)) {
		if (l->lane != lane)
			continue;
		rc = locktab_set(out, l);
		if (rc == 0)
			rc = weaken(t, l, F_RDLCK, out);
		if (rc == 0)
			rc = weaken(t, l, F_UNLCK, out);
	}
	return rc;
}

uint32_t locktab_lose(struct locktab *t, uint64_t session,
		      void (*lost)(void *arg, const struct held_lock *l), void *arg)
{
	struct held_lock *l, *next;
	uint32_t i, n = 0;

	for (i = 0; i < LOCKTAB_HASH && t->n; i++)
		for (l = LIST_FIRST(&t->head[i]); l; l = next) {
			next = LIST_NEXT(l, link);
			if (l->session == session)
				continue;
			lost(arg, l);
			drop(t, l);
			n++;
		}
	return n;
}

bool locktab_has(const struct locktab *t, const struct fid *fid, uint8_t space, uint64_t owner)
{
	const struct held_lock *l;

	if (!t->n)
		return false;
	LIST_FOREACH(l, &t->head[hash(fid)], link)
		if (l->owner == owner && l->space == space && fid_eq(&l->fid, fid))
			return true;
	return false;
}

bool locktab_find_handle(const struct locktab *t, const struct fid *fid, uint64_t handle,
			 uint64_t *owner)
{
	const struct held_lock *l;

	if (!t->n)
		return false;
	LIST_FOREACH(l, &t->head[hash(fid)], link)
		if (l->handle && l->handle == handle && l->space == LOCK_POSIX &&
		    fid_eq(&l->fid, fid)) {
			*owner = l->owner;
			return true;
		}
	return false;
}

const struct held_lock *locktab_next(const struct locktab *t, const struct held_lock *prev)
{
	uint32_t i = 0;

	if (prev) {
		if (LIST_NEXT(prev, link))
			return LIST_NEXT(prev, link);
		i = hash(&prev->fid) + 1;
	}
	for (; i < LOCKTAB_HASH; i++)
		if (!LIST_EMPTY(&t->head[i]))
			return LIST_FIRST(&t->head[i]);
	return NULL;
}
