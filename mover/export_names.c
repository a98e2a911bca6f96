/* SPDX-License-Identifier: Apache-2.0 */
/* export_names.c - see export_names.h. */
#include "mover/export_names.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

enum { BUCKETS = 1 << 16 };
#define FNV_START 14695981039346656037ULL

struct name {
	uint64_t hash;
	LIST_ENTRY(name) link;
};

struct names {
	LIST_HEAD(, name) bucket[BUCKETS];
	uint64_t n;
};

/* FNV-1a */
static uint64_t hash_on(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 1099511628211ULL;
	return h;
}

static struct name *find(const struct names *s, uint64_t hash)
{
	struct name *e;

	LIST_FOREACH(e, &s->bucket[hash % BUCKETS], link)
	if (e->hash == hash)
		return e;
	return NULL;
}

int names_create(struct names **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void names_destroy(struct names *s)
{
	struct name *e;
	uint32_t i;

	for (i = 0; s && i < BUCKETS; i++)
		while ((e = LIST_FIRST(&s->bucket[i]))) {
			LIST_REMOVE(e, link);
			free(e);
		}
	free(s);
}

int names_add(struct names *s, const char *name)
{
	struct name *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->hash = hash_on(FNV_START, name);
	LIST_INSERT_HEAD(&s->bucket[e->hash % BUCKETS], e, link);
	s->n++;
	return 0;
}

void names_del(struct names *s, const char *name)
{
	struct name *e = find(s, hash_on(FNV_START, name));

	if (!e)
		return;
	LIST_REMOVE(e, link);
	free(e);
	s->n--;
}

bool names_has(const struct names *s, const char *prefix, const char *path)
{
	return s->n && find(s, hash_on(hash_on(FNV_START, prefix), path));
}

uint64_t names_count(const struct names *s)
{
	return s->n;
}
