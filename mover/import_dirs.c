/* SPDX-License-Identifier: Apache-2.0 */
/* import_dirs.c - see import_dirs.h. */
#include "mover/import_dirs.h"
#include "mover/import_name.h"
#include <stdlib.h>

enum { BUCKETS = 16384, KNOWN_MAX = 1 << 16 };

struct one {
	struct fid fid;
	LIST_ENTRY(one) link;
	size_t len;
	char path[];
};

struct dir_cache {
	LIST_HEAD(, one) bucket[BUCKETS];
	uint32_t n;
};

/* FNV-1a */
static uint32_t hash(const char *path, size_t len)
{
	uint32_t h = 2166136261U;

	while (len--)
		h = (h ^ (uint8_t)*path++) * 16777619U;
	return h;
}

int dir_cache_create(struct dir_cache **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

static void forget_all(struct dir_cache *k)
{
	struct one *o;
	uint32_t i;

	for (i = 0; i < BUCKETS; i++)
		while ((o = LIST_FIRST(&k->bucket[i]))) {
			LIST_REMOVE(o, link);
			free(o);
		}
	k->n = 0;
}

void dir_cache_destroy(struct dir_cache *k)
{
	if (k)
		forget_all(k);
	free(k);
}

static struct one *find(const struct dir_cache *k, const char *path, size_t len)
{
	struct one *o;

	LIST_FOREACH(o, &k->bucket[hash(path, len) % BUCKETS], link)
	if (o->len == len && memcmp(o->path, path, len) == 0)
		return o;
	return NULL;
}

bool dir_cache_find(const struct dir_cache *k, const char *path, size_t len, struct fid *out)
{
	const struct one *o = find(k, path, len);

	if (o)
		*out = o->fid;
	return o != NULL;
}

void dir_cache_put(struct dir_cache *k, const char *path, size_t len, const struct fid *fid)
{
	struct one *o = find(k, path, len);

	if (!o) {
		if (k->n >= KNOWN_MAX)
			forget_all(k);
		o = malloc(sizeof(*o) + len);
		if (!o)
			return;
		o->len = len;
		memcpy(o->path, path, len);
		LIST_INSERT_HEAD(&k->bucket[hash(path, len) % BUCKETS], o, link);
		k->n++;
	}
	o->fid = *fid;
}

/* ---- what a page needs ---- */

void dir_table_init(struct dir_table *t, const struct dir_cache *k, const struct fid *top)
{
	memset(t, 0, sizeof(*t));
	t->known = k;
	t->top = (struct dir){.path = "", .ready = true, .fid = *top};
}

void dir_table_fini(struct dir_table *t)
{
	uint32_t i;

	for (i = 0; i < t->n; i++)
		free(t->all[i]);
	free(t->all);
	t->all = NULL;
	t->n = t->cap = 0;
}

static struct dir *get(struct dir_table *t, const char *path, size_t len)
{
	struct dir *d;

	if (len == 0)
		return &t->top;
	LIST_FOREACH(d, &t->bucket[hash(path, len) % DIR_BUCKETS], link)
	if (d->len == len && memcmp(d->path, path, len) == 0)
		return d;
	return NULL;
}

static uint32_t depth_of(const char *path, size_t len)
{
	uint32_t n = 1;

	while (len--)
		n += *path++ == '/';
	return n;
}

static struct dir *make(struct dir_table *t, const char *path, size_t len)
{
	uint32_t cap = t->cap ? t->cap * 2 : 64;
	struct dir **more, *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	if (t->n == t->cap) {
		more = realloc(t->all, cap * sizeof(*more));
		if (!more) {
			free(d);
			return NULL;
		}
		t->all = more;
		t->cap = cap;
	}
	d->path = path;
	d->len = len;
	d->depth = depth_of(path, len);
	d->ready = dir_cache_find(t->known, path, len, &d->fid);
	LIST_INSERT_HEAD(&t->bucket[hash(path, len) % DIR_BUCKETS], d, link);
	t->all[t->n++] = d;
	return d;
}

/* From the bottom up, until one is there, or known. */
static bool add_above(struct dir_table *t, struct dir *d)
{
	size_t len = d->len;
	struct dir *up;

	while (!d->parent && !d->ready && d != &t->top) {
		len = import_parent(d->path, len);
		up = get(t, d->path, len);
		if (!up)
			up = make(t, d->path, len);
		if (!up)
			return false;
		d->parent = up;
		d = up;
	}
	return true;
}

struct dir *dir_table_add(struct dir_table *t, const char *path, size_t len)
{
	struct dir *d = get(t, path, len);

	if (!d)
		d = make(t, path, len);
	return d && add_above(t, d) ? d : NULL;
}

struct dir *dir_table_add_blob(struct dir_table *t, const char *path, size_t len, void *blob)
{
	struct dir *d = get(t, path, len);

	if (!d)
		d = make(t, path, len);
	if (!d)
		return NULL;
	if (d != &t->top && !d->blob) {
		d->ready = false;
		d->blob = blob;
	}
	return add_above(t, d) ? d : NULL;
}

static int by_depth(const void *a, const void *b)
{
	const struct dir *x = *(struct dir *const *)a, *y = *(struct dir *const *)b;

	return x->depth < y->depth ? -1 : x->depth > y->depth;
}

void dir_table_sort(struct dir_table *t)
{
	if (t->n)
		qsort(t->all, t->n, sizeof(struct dir *), by_depth);
}
