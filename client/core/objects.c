/* SPDX-License-Identifier: Apache-2.0 */
/* objects.c - size, blocks and mtime of a file from those of its objects; see objects.h.
 * Does no I/O: attr.c asks the servers. */
#include "client/core/objects.h"
#include <stdlib.h>

static uint32_t comp_objects(const struct layout_comp *c)
{
	bool has = (c->flags & LCME_INIT) && c->ost && c->stripe_count > 0;

	return has ? (uint32_t)c->stripe_count : 0;
}

uint32_t objs_count(const struct layout *l)
{
	uint32_t i, n = 0;

	for (i = 0; i < l->ncomp; i++)
		n += comp_objects(&l->comp[i]);
	return n;
}

uint32_t objs_index(const struct layout *l, uint32_t comp, uint32_t stripe)
{
	uint32_t i, n = 0;

	assert(comp < l->ncomp && stripe < comp_objects(&l->comp[comp]));
	for (i = 0; i < comp; i++)
		n += comp_objects(&l->comp[i]);
	return n + stripe;
}

void objs_place(const struct layout *l, uint32_t i, uint32_t *comp, uint32_t *stripe)
{
	uint32_t c;

	for (c = 0; c < l->ncomp; c++) {
		uint32_t n = comp_objects(&l->comp[c]);

		if (i < n)
			break;
		i -= n;
	}
	assert(c < l->ncomp);
	*comp = c;
	*stripe = i;
}

int objs_init(struct objs *o, const struct layout *l)
{
	uint32_t n = objs_count(l);

	assert(!o->at || o->n == n);
	if (o->at || !n)
		return 0;
	o->at = calloc(n, sizeof(*o->at));
	if (!o->at)
		return -ENOMEM;
	o->n = n;
	return 0;
}

void objs_fini(struct objs *o)
{
	free(o->at);
	*o = (struct objs){0};
}

void objs_forget(struct objs *o)
{
	uint32_t i;

	for (i = 0; i < o->n; i++)
		o->at[i].known = false;
}

/* The version may start anew when an OST restarts, the time does not. */
void objs_note(struct objs *o, uint32_t i, const struct obj_state *s)
{
	struct obj_state *at = &o->at[i];

	assert(i < o->n);
	if (at->known && s->version < at->version && s->mtime <= at->mtime)
		return;
	*at = *s;
	at->known = true;
}

void objs_rest_empty(struct objs *o)
{
	uint32_t i;

	for (i = 0; i < o->n; i++)
		if (!o->at[i].known)
			o->at[i] = (struct obj_state){.known = true};
}

/* What an object proves; 0: nothing. */
static uint64_t proves(const struct objs *o, const struct layout *l, uint32_t i)
{
	uint32_t comp, stripe;

	if (!o->at[i].known)
		return 0;
	objs_place(l, i, &comp, &stripe);
	return layout_file_size(&l->comp[comp], stripe, o->at[i].size);
}

uint64_t objs_size(const struct objs *o, const struct layout *l)
{
	uint64_t size = 0;
	uint32_t i;

	for (i = 0; i < o->n; i++)
		size = max_u64(size, proves(o, l, i));
	return size;
}

void objs_forget_smaller(struct objs *o, const struct layout *l)
{
	uint64_t size = objs_size(o, l);
	uint32_t i;

	for (i = 0; i < o->n; i++)
		if (proves(o, l, i) < size)
			o->at[i].known = false;
}

uint64_t objs_blocks(const struct objs *o)
{
	uint64_t blocks = 0;
	uint32_t i;

	for (i = 0; i < o->n; i++)
		if (o->at[i].known)
			blocks += o->at[i].blocks;
	return blocks;
}

int64_t objs_mtime(const struct objs *o)
{
	int64_t mtime = INT64_MIN;
	uint32_t i;

	for (i = 0; i < o->n; i++)
		if (o->at[i].known && o->at[i].mtime > mtime)
			mtime = o->at[i].mtime;
	return mtime == INT64_MIN ? 0 : mtime;
}

bool objs_range(const struct layout_comp *c, uint32_t stripe, uint64_t off, uint64_t end,
		uint64_t *obj_off, uint64_t *obj_len)
{
	uint64_t from = max_u64(off, c->start), to = min_u64(end, c->end), a, b;

	if (from >= to)
		return false;
	/* Bytes of the object below a file offset: the object's size if the file ended there. */
	a = from ? layout_obj_size(c, stripe, from) : 0;
	b = layout_obj_size(c, stripe, to);
	if (a >= b)
		return false;
	*obj_off = a;
	*obj_len = b - a;
	return true;
}
