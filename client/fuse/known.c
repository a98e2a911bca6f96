/* SPDX-License-Identifier: Apache-2.0 */
/* known.c - which inodes the kernel knows, or is just being told of: node ids with the number of
 * answers that named them and that FORGET has not taken back.
 *
 * Only the notifier asks. A kernel that says it does not know an inode has dropped it, or is about
 * to take in an answer that was written a moment ago; zero here means the former.
 *
 * Open addressing with linear probing; a removed entry is closed up, so there are no graves. Node
 * id 0 marks an empty place. Any thread.
 */
#include "client/fuse/face.h"
#include <stdlib.h>

enum { PLACES_MIN = 4096 };

struct place {
	uint64_t node, count;
};

struct known {
	pthread_mutex_t lock;
	struct place *at;
	uint64_t places, used; /* places: a power of two */
};

int known_create(struct known **out)
{
	struct known *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->places = PLACES_MIN;
	k->at = calloc(k->places, sizeof(*k->at));
	if (!k->at) {
		free(k);
		return -ENOMEM;
	}
	pthread_mutex_init(&k->lock, NULL);
	*out = k;
	return 0;
}

void known_destroy(struct known *k)
{
	pthread_mutex_destroy(&k->lock);
	free(k->at);
	free(k);
}

static uint64_t home(const struct known *k, uint64_t node)
{
	return (node * 0x9e3779b97f4a7c15ULL >> 20) & (k->places - 1);
}

/* Where the node is, or the empty place where it would be. */
static struct place *find(const struct known *k, uint64_t node)
{
	uint64_t i = home(k, node);

	while (k->at[i].node && k->at[i].node != node)
		i = (i + 1) & (k->places - 1);
	return &k->at[i];
}

/* Without memory the table fills up to its last place but one; then nodes go uncounted. */
static void grow(struct known *k)
{
	struct place *old = k->at;
	uint64_t i, n = k->places;

	k->at = calloc(2 * n, sizeof(*k->at));
	if (!k->at) {
		k->at = old;
		return;
	}
	k->places = 2 * n;
	for (i = 0; i < n; i++)
		if (old[i].node)
			*find(k, old[i].node) = old[i];
	free(old);
}

void known_add(struct known *k, uint64_t node)
{
	struct place *p;

	if (!node || node == FUSE_ROOT_ID)
		return;
	pthread_mutex_lock(&k->lock);
	if (2 * k->used >= k->places)
		grow(k);
	p = find(k, node);
	if (p->node || k->used + 1 < k->places) {
		k->used += !p->node;
		p->node = node;
		p->count++;
	}
	pthread_mutex_unlock(&k->lock);
}

/* Closes the gap at place i: what probing would not find any more moves up. */
static void remove_at(struct known *k, uint64_t i)
{
	uint64_t mask = k->places - 1, j = i;

	k->used--;
	for (;;) {
		j = (j + 1) & mask;
		if (!k->at[j].node)
			break;
		if (((j - home(k, k->at[j].node)) & mask) < ((j - i) & mask))
			continue; /* it is between its home and here: the gap is not in its way */
		k->at[i] = k->at[j];
		i = j;
	}
	k->at[i] = (struct place){0, 0};
}

void known_forget(struct known *k, uint64_t node, uint64_t n)
{
	struct place *p;

	if (!node || node == FUSE_ROOT_ID)
		return;
	pthread_mutex_lock(&k->lock);
	p = find(k, node);
	if (p->node) {
		p->count -= n < p->count ? n : p->count;
		if (!p->count)
			remove_at(k, (uint64_t)(p - k->at));
	}
	pthread_mutex_unlock(&k->lock);
}

uint64_t known_count(struct known *k, uint64_t node)
{
	uint64_t n;

	pthread_mutex_lock(&k->lock);
	n = node == FUSE_ROOT_ID ? 1 : find(k, node)->count;
	pthread_mutex_unlock(&k->lock);
	return n;
}
