/* SPDX-License-Identifier: Apache-2.0 */
/* unstable.c - see unstable.h. */
#include "client/core/unstable.h"
#include <stdlib.h>

void unstable_fini(struct unstable *u)
{
	free(u->at);
	*u = (struct unstable){0};
}

struct unstable_obj unstable_get(const struct unstable *u, uint32_t i)
{
	return i < u->n ? u->at[i] : (struct unstable_obj){0};
}

/* An OST that does not tell its power is believed. */
static bool is_there(const struct unstable_obj *o, uint64_t power, const struct unstable_heard *h)
{
	return !o->power || !power || o->power == power ||
	       (o->boot == h->boot && o->change <= h->stable);
}

static bool grow(struct unstable *u, uint32_t n)
{
	struct unstable_obj *at = realloc(u->at, n * sizeof(*at));

	if (!at)
		return false;
	memset(at + u->n, 0, (n - u->n) * sizeof(*at));
	u->at = at;
	u->n = n;
	return true;
}

bool unstable_wrote(struct unstable *u, uint32_t n, uint32_t i, const struct unstable_obj *o,
		    const struct unstable_heard *heard)
{
	bool there;

	assert(i < n);
	if (i >= u->n && !grow(u, n))
		return true; /* without memory a loss of power is not noticed */
	there = is_there(&u->at[i], o->power, heard);
	if (!there || o->change > u->at[i].change || o->boot != u->at[i].boot)
		u->at[i] = *o;
	return there;
}

bool unstable_synced(struct unstable *u, uint32_t i, const struct unstable_obj *before,
		     uint64_t power, const struct unstable_heard *heard)
{
	bool there;

	if (i >= u->n)
		return true;
	there = is_there(&u->at[i], power, heard);
	if (!there || memcmp(&u->at[i], before, sizeof(*before)) == 0)
		u->at[i] = (struct unstable_obj){0};
	return there;
}
