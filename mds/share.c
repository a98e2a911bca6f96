/* SPDX-License-Identifier: Apache-2.0 */
/* share.c - see share.h. A hash table with open addressing that is emptied by counting its batches:
 * nothing is touched when a batch ends. */
#include "mds/share.h"
#include <stdlib.h>

enum { CAP_MIN = 1024 };
#define MANY UINT64_MAX /* clients that did what commutes */

struct slot {
	uint64_t key, batch;
	uint64_t adder, changer, maker; /* clients; 0: none */
};

struct share {
	uint64_t batch;
	uint32_t cap, used; /* cap: a power of two */
	struct slot *slot;
};

struct share *share_create(void)
{
	struct share *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->cap = CAP_MIN;
	s->slot = calloc(s->cap, sizeof(*s->slot));
	if (s->slot)
		return s;
	free(s);
	return NULL;
}

void share_destroy(struct share *s)
{
	if (s)
		free(s->slot);
	free(s);
}

void share_batch(struct share *s, uint64_t batch)
{
	if (s->batch != batch)
		s->used = 0;
	s->batch = batch;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 29;
}

static uint64_t key_of(const struct share_use *u)
{
	uint64_t h = mix(mix(0, u->fid.seq), (uint64_t)u->fid.oid << 32 | u->fid.ver), word;
	uint32_t i, n;

	for (i = 0; i < u->name.len; i += n) {
		n = u->name.len - i < sizeof(word) ? u->name.len - i : (uint32_t)sizeof(word);
		word = 0;
		memcpy(&word, u->name.ptr + i, n);
		h = mix(h, word);
	}
	return mix(h, u->name.len);
}

/* The slot of a key, or the free one where it belongs. There always is one. */
static struct slot *find(const struct share *s, uint64_t key)
{
	uint32_t i = (uint32_t)(key >> 32) & (s->cap - 1);

	while (s->slot[i].batch == s->batch && s->slot[i].key != key)
		i = (i + 1) & (s->cap - 1);
	return &s->slot[i];
}

bool share_conflicts(const struct share *s, uint64_t client, const struct share_use *u)
{
	const struct slot *at = find(s, key_of(u));

	if (at->batch != s->batch)
		return false;
	if (at->maker && at->maker != client)
		return true;
	if (u->how == SHARE_LOOK)
		return false;
	if (at->changer && at->changer != client)
		return true;
	return u->how != SHARE_ADD && at->adder && at->adder != client;
}

static int grow(struct share *s)
{
	struct share bigger = {.batch = s->batch, .cap = s->cap * 2, .used = s->used};
	uint32_t i;

	bigger.slot = calloc(bigger.cap, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -ENOMEM;
	for (i = 0; i < s->cap; i++)
		if (s->slot[i].batch == s->batch)
			*find(&bigger, s->slot[i].key) = s->slot[i];
	free(s->slot);
	*s = bigger;
	return 0;
}

int share_note(struct share *s, uint64_t client, const struct share_use *u)
{
	uint64_t key = key_of(u);
	struct slot *at;

	if (u->how == SHARE_LOOK)
		return 0;
	if (s->used >= s->cap / 2 && grow(s))
		return -ENOMEM;
	at = find(s, key);
	if (at->batch != s->batch) {
		*at = (struct slot){.key = key, .batch = s->batch};
		s->used++;
	}
	if (u->how == SHARE_MAKE)
		at->maker = client;
	else if (u->how == SHARE_CHANGE)
		at->changer = client;
	else
		at->adder = !at->adder || at->adder == client ? client : MANY;
	return 0;
}
