/* SPDX-License-Identifier: Apache-2.0 */
/* victims.c - a heap with the newest on top, which goes when the rest is enough; see victims.h. */
#include "mds/victims.h"
#include <stdlib.h>

struct victim {
	struct fid fid;
	int64_t used;
	uint64_t bytes;
};

struct victims {
	uint64_t need, sum;
	uint32_t max, n, room;
	struct victim *at;
};

struct victims *victims_create(uint64_t need, uint32_t max)
{
	struct victims *v = calloc(1, sizeof(*v));

	if (v) {
		v->need = need;
		v->max = max;
	}
	return v;
}

void victims_free(struct victims *v)
{
	if (v)
		free(v->at);
	free(v);
}

uint32_t victims_count(const struct victims *v)
{
	return v->n;
}

static void swap(struct victims *v, uint32_t a, uint32_t b)
{
	struct victim t = v->at[a];

	v->at[a] = v->at[b];
	v->at[b] = t;
}

static void sink(struct victims *v, uint32_t i)
{
	uint32_t child;

	while ((child = 2 * i + 1) < v->n) {
		if (child + 1 < v->n && v->at[child + 1].used > v->at[child].used)
			child++;
		if (v->at[i].used >= v->at[child].used)
			break;
		swap(v, i, child);
		i = child;
	}
}

static void pop(struct victims *v)
{
	v->sum -= v->at[0].bytes;
	v->at[0] = v->at[--v->n];
	sink(v, 0);
}

/* Without memory there are fewer. */
static bool has_room(struct victims *v)
{
	uint32_t room = v->room ? v->room * 2 : 64;
	struct victim *at;

	if (v->n < v->room)
		return true;
	at = realloc(v->at, room * sizeof(*at));
	if (!at)
		return false;
	v->at = at;
	v->room = room;
	return true;
}

void victims_add(struct victims *v, const struct fid *fid, int64_t used, uint64_t bytes)
{
	uint32_t i;

	if ((v->sum >= v->need || v->n >= v->max) && v->n && used >= v->at[0].used)
		return;
	if (v->n >= v->max || !has_room(v)) {
		if (!v->n || used >= v->at[0].used)
			return;
		pop(v);
	}
	v->at[v->n] = (struct victim){*fid, used, bytes};
	for (i = v->n++; i && v->at[(i - 1) / 2].used < v->at[i].used; i = (i - 1) / 2)
		swap(v, i, (i - 1) / 2);
	v->sum += bytes;
	while (v->n > 1 && v->sum - v->at[0].bytes >= v->need)
		pop(v);
}

bool victims_take_newest(struct victims *v, struct fid *fid)
{
	if (!v->n)
		return false;
	*fid = v->at[0].fid;
	pop(v);
	return true;
}
