/* SPDX-License-Identifier: Apache-2.0 */
/* lfsck_lost.c - see lfsck_lost.h. */
#include "mds/lfsck_lost.h"
#include <stdlib.h>

enum { LOST_MAX = 65536 };

struct lost {
	struct lost_object *at;
	uint32_t n, cap;
};

int lost_create(struct lost **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void lost_destroy(struct lost *l)
{
	if (l)
		free(l->at);
	free(l);
}

bool lost_add(struct lost *l, const struct finding *f, const struct oss_getattr_rep *p)
{
	if (l->n == LOST_MAX)
		return false;
	if (l->n == l->cap) {
		uint32_t cap = l->cap ? 2 * l->cap : 64;
		struct lost_object *grown = realloc(l->at, cap * sizeof(*grown));

		if (!grown)
			return false;
		l->at = grown;
		l->cap = cap;
	}
	l->at[l->n++] = (struct lost_object){*f, p->trunc_gen, p->stripe_size, p->stripe_count};
	return true;
}

static int by_file(const void *x, const void *y)
{
	const struct finding *a = &((const struct lost_object *)x)->f;
	const struct finding *b = &((const struct lost_object *)y)->f;
	int c = fid_cmp(&a->fid, &b->fid);

	if (c)
		return c;
	if (a->comp != b->comp)
		return a->comp < b->comp ? -1 : 1;
	return a->stripe == b->stripe ? 0 : a->stripe < b->stripe ? -1 : 1;
}

void lost_sort(struct lost *l)
{
	if (l->n)
		qsort(l->at, l->n, sizeof(*l->at), by_file);
}

/* All of one component, of one shape, no stripe twice. An old object that does not know its shape
 * can only be the file's only one. */
static bool fits_together(const struct lost_file *f)
{
	const struct lost_object *a = f->at;
	uint32_t i;

	if (!a->stripe_count)
		return f->n == 1 && a->f.comp == 1 && a->f.stripe == 0;
	for (i = 0; i < f->n; i++, a++)
		if (a->f.comp != 1 || a->stripe_count != f->at->stripe_count ||
		    a->stripe_size != f->at->stripe_size || a->f.stripe >= a->stripe_count ||
		    (i && a->f.stripe == a[-1].f.stripe))
			return false;
	return true;
}

static struct layout *layout_of(const struct lost_file *f)
{
	uint32_t i, count = f->at->stripe_count ? f->at->stripe_count : 1;
	uint32_t size = f->at->stripe_count ? f->at->stripe_size : STRIPE_SIZE_DEFAULT;
	struct layout *l = NULL;
	uint32_t *ost;

	if (!fits_together(f) || count > MAX_STRIPES)
		return NULL;
	ost = malloc(count * sizeof(*ost));
	if (!ost)
		return NULL;
	for (i = 0; i < count; i++)
		ost[i] = f->at->f.ost; /* of those that are not there any will do */
	for (i = 0; i < f->n; i++)
		ost[f->at[i].f.stripe] = f->at[i].f.ost;
	if (layout_plain(size, (int32_t)count, (int32_t)ost[0], NULL, ost, &l) == 0 &&
	    layout_check(l)) {
		layout_free(l);
		l = NULL;
	}
	free(ost);
	return l;
}

bool lost_next(const struct lost *l, struct lost_file *f)
{
	uint32_t i = f->next;

	if (i == l->n)
		return false;
	*f = (struct lost_file){.at = &l->at[i]};
	for (; i < l->n && fid_eq(&l->at[i].f.fid, &f->at->f.fid); i++) {
		f->n++;
		if (l->at[i].trunc_gen > f->trunc_gen)
			f->trunc_gen = l->at[i].trunc_gen;
	}
	f->next = i;
	f->layout = layout_of(f);
	return true;
}
