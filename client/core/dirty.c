/* SPDX-License-Identifier: Apache-2.0 */
/* dirty.c - see dirty.h. There are few extents at a time, so a list will do. Memory comes in three
 * sizes: a small file should not cost a chunk. */
#include "client/core/dirty.h"
#include <stdlib.h>

static const uint32_t caps[] = {4096, 65536, DIRTY_CHUNK};

void dirty_init(struct dirty *d)
{
	*d = (struct dirty){.next_id = 1};
	TAILQ_INIT(&d->extents);
}

static uint64_t end_of(const struct dirty_extent *e)
{
	return e->off + e->len;
}

static bool meets(const struct dirty_extent *e, uint64_t off, uint64_t len)
{
	return off < end_of(e) && e->off < off + len;
}

/* It can take bytes from its first one on, as long as they leave no hole. */
static bool takes(const struct dirty_extent *e, uint64_t off)
{
	return !e->sending && off >= e->off && off <= end_of(e) &&
	       off / DIRTY_CHUNK == e->off / DIRTY_CHUNK;
}

enum dirty_rc dirty_place(struct dirty *d, uint64_t off, uint32_t len, struct dirty_extent **out)
{
	struct dirty_extent *e, *fit = NULL;

	TAILQ_FOREACH(e, &d->extents, link)
	if (takes(e, off)) {
		fit = e;
		break;
	}
	TAILQ_FOREACH(e, &d->extents, link)
	if (e != fit && meets(e, off, len)) {
		*out = e;
		return e->sending ? DIRTY_WAIT : DIRTY_SEND;
	}
	*out = fit;
	if (fit || d->n < DIRTY_EXTENTS)
		return DIRTY_OK;
	*out = dirty_oldest(d);
	if (*out)
		return DIRTY_SEND;
	*out = TAILQ_FIRST(&d->extents);
	return DIRTY_WAIT;
}

uint32_t dirty_cap(const struct dirty_extent *e, uint64_t off, uint32_t len)
{
	uint64_t need = e ? off + len - e->off : len;
	size_t i = 0;

	if (e && need <= e->cap)
		return e->cap;
	while (caps[i] < need)
		i++;
	return caps[i];
}

struct dirty_extent *dirty_new(struct dirty *d, struct file *f, uint64_t off, uint32_t len,
			       uint64_t now)
{
	struct dirty_extent *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->cap = dirty_cap(NULL, off, len);
	e->bytes = bytes_new(e->cap);
	if (!e->bytes) {
		free(e);
		return NULL;
	}
	e->mem = e->bytes->mem;
	e->off = off;
	e->file = f;
	e->id = d->next_id++;
	e->since_ns = now;
	TAILQ_INSERT_TAIL(&d->extents, e, link);
	d->n++;
	d->bytes += e->cap;
	return e;
}

int dirty_add(struct dirty *d, struct dirty_extent *e, uint64_t off, const void *buf, uint32_t len,
	      uint64_t now)
{
	uint32_t at = (uint32_t)(off - e->off), cap = dirty_cap(e, off, len);
	struct bytes *more;

	assert(takes(e, off) && at + len <= DIRTY_CHUNK);
	if (cap != e->cap) {
		more = bytes_new(cap);
		if (!more)
			return -ENOMEM;
		memcpy(more->mem, e->mem, e->len);
		bytes_put(e->bytes);
		e->bytes = more;
		e->mem = more->mem;
		d->bytes += cap - e->cap;
		e->cap = cap;
	}
	memcpy(e->mem + at, buf, len);
	if (at + len > e->len)
		e->len = at + len;
	e->last_ns = now;
	return 0;
}

bool dirty_full(const struct dirty_extent *e)
{
	return end_of(e) % DIRTY_CHUNK == 0;
}

void dirty_send(struct dirty *d, struct dirty_extent *e)
{
	assert(!e->sending);
	e->sending = true;
	d->nsending++;
}

void dirty_drop(struct dirty *d, struct dirty_extent *e)
{
	TAILQ_REMOVE(&d->extents, e, link);
	d->n--;
	d->nsending -= e->sending;
	d->bytes -= e->cap;
	bytes_put(e->bytes);
	free(e);
}

struct dirty_extent *dirty_oldest(const struct dirty *d)
{
	struct dirty_extent *e;

	TAILQ_FOREACH(e, &d->extents, link)
	if (!e->sending)
		return e;
	return NULL;
}

enum dirty_part dirty_read(const struct dirty *d, uint64_t off, void *buf, size_t len)
{
	const struct dirty_extent *e;

	TAILQ_FOREACH(e, &d->extents, link)
	{
		if (!meets(e, off, len))
			continue;
		if (off < e->off || off + len > end_of(e))
			return DIRTY_PART;
		memcpy(buf, e->mem + (off - e->off), len);
		return DIRTY_ALL;
	}
	return DIRTY_NONE;
}

bool dirty_overlaps(const struct dirty *d, uint64_t off, uint64_t len)
{
	const struct dirty_extent *e;

	TAILQ_FOREACH(e, &d->extents, link)
	if (meets(e, off, len))
		return true;
	return false;
}

uint64_t dirty_end(const struct dirty *d)
{
	const struct dirty_extent *e;
	uint64_t end = 0;

	TAILQ_FOREACH(e, &d->extents, link)
	end = max_u64(end, end_of(e));
	return end;
}
