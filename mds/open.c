/* SPDX-License-Identifier: Apache-2.0 */
/* open.c - see open.h. Two hash tables of fixed size; chains stay short up to some hundred
 * thousand open files. */
#include "mds/open.h"
#include "common/proto/proto.h"
#include <stdlib.h>

enum { BUCKETS = 1 << 15 };

struct open_table {
	LIST_HEAD(, node) nodes[BUCKETS];
	struct open_list opens[BUCKETS];
	uint64_t (*number)(const struct client *c); /* or NULL */
	uint32_t nopens;
	uint64_t seq;
};

static uint32_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	return (uint32_t)x % BUCKETS;
}

static uint32_t node_bucket(const struct fid *fid)
{
	return mix(fid->seq * 31 + fid->oid);
}

/* Ids are chosen by clients, who all count them up from one; addresses must not decide the order of
 * anything. */
static uint32_t open_bucket(const struct open_table *tab, const struct client *c, uint64_t id)
{
	return mix(id ^ (tab->number ? tab->number(c) : 0));
}

void open_table_number(struct open_table *tab, uint64_t (*number)(const struct client *c))
{
	tab->number = number;
}

int open_table_create(uint64_t first, struct open_table **out)
{
	struct open_table *tab = calloc(1, sizeof(*tab));

	if (!tab)
		return -ENOMEM;
	tab->seq = first;
	*out = tab;
	return 0;
}

void open_table_destroy(struct open_table *tab)
{
	uint32_t i;

	for (i = 0; i < BUCKETS; i++)
		while (!LIST_EMPTY(&tab->opens[i]))
			open_del(tab, LIST_FIRST(&tab->opens[i]));
	free(tab);
}

uint32_t open_table_count(const struct open_table *tab)
{
	return tab->nopens;
}

struct node *node_find(const struct open_table *tab, const struct fid *fid)
{
	struct node *n;

	LIST_FOREACH(n, &tab->nodes[node_bucket(fid)], hash)
		if (fid_eq(&n->fid, fid))
			return n;
	return NULL;
}

struct node *node_ref(struct open_table *tab, const struct fid *fid)
{
	struct node *n = node_find(tab, fid);

	if (!n) {
		n = calloc(1, sizeof(*n));
		if (!n)
			return NULL;
		n->fid = *fid;
		n->open_seq = ++tab->seq;
		co_mutex_init(&n->mutex);
		LIST_INSERT_HEAD(&tab->nodes[node_bucket(fid)], n, hash);
	}
	n->refs++;
	return n;
}

void node_unref(struct open_table *tab, struct node *n)
{
	(void)tab;
	assert(n->refs > 0);
	if (--n->refs)
		return;
	assert(n->nopen == 0);
	LIST_REMOVE(n, hash);
	free(n);
}

void node_bump(struct open_table *tab, struct node *n)
{
	n->open_seq = ++tab->seq;
}

bool node_open_elsewhere(const struct node *n, const struct client *c, bool writers)
{
	const struct open *o;

	LIST_FOREACH(o, &n->opens, of_node)
	if (o->client != c && (!writers || (o->flags & OPEN_WRITE)))
		return true;
	return false;
}

struct open *open_find(const struct open_table *tab, const struct client *c, uint64_t id)
{
	struct open *o;

	LIST_FOREACH(o, &tab->opens[open_bucket(tab, c, id)], hash)
		if (o->client == c && o->id == id)
			return o;
	return NULL;
}

int open_add(struct open_table *tab, struct client *c, struct open_list *list,
	     const struct fid *fid, uint64_t id, uint32_t flags, bool was_sure, struct open **out)
{
	struct open *o = calloc(1, sizeof(*o));
	struct node *n = o ? node_ref(tab, fid) : NULL;

	if (!n) {
		free(o);
		return -ENOMEM;
	}
	o->node = n;
	o->client = c;
	o->id = id;
	o->flags = flags & (OPEN_READ | OPEN_WRITE);
	n->nopen++;
	if (flags & OPEN_WRITE) {
		if (n->nwriters++ == 0)
			n->was_sure = was_sure;
		node_bump(tab, n);
	}
	LIST_INSERT_HEAD(&tab->opens[open_bucket(tab, c, id)], o, hash);
	LIST_INSERT_HEAD(list, o, of_client);
	LIST_INSERT_HEAD(&n->opens, o, of_node);
	tab->nopens++;
	*out = o;
	return 0;
}

void open_del(struct open_table *tab, struct open *o)
{
	struct node *n = o->node;

	n->nopen--;
	if (o->flags & OPEN_WRITE) {
		n->nwriters--;
		node_bump(tab, n);
	}
	LIST_REMOVE(o, hash);
	LIST_REMOVE(o, of_client);
	LIST_REMOVE(o, of_node);
	tab->nopens--;
	free(o);
	node_unref(tab, n);
}
