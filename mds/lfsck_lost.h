/* SPDX-License-Identifier: Apache-2.0 */
/* lfsck_lost.h - objects without an owner, and the files that can be put together from them.
 *
 * An object says which part of what layout it is, so the layout of its file follows from those that
 * are left; a stripe of which no object is there was never written, or is lost: it reads as a hole.
 * Pure; one thread.
 */
#pragma once
#include "common/layout.h"
#include "common/proto/proto.h"
#include "mds/check.h"

struct lost;

struct lost_object {
	struct finding f;
	uint32_t trunc_gen;
	uint32_t stripe_size, stripe_count; /* 0: it does not know */
};

struct lost_file {
	uint32_t next;                /* position of the walk; zero to start */
	const struct lost_object *at; /* its objects */
	uint32_t n;
	struct layout *layout; /* the caller's to free; NULL: they do not fit together */
	uint32_t trunc_gen;
	bool adopted; /* the caller's */
};

must_check int lost_create(struct lost **out);
void lost_destroy(struct lost *l);
/* False: there is no room for more, another run will find it. */
bool lost_add(struct lost *l, const struct finding *f, const struct oss_getattr_rep *p);
/* By file. After the last lost_add(). */
void lost_sort(struct lost *l);
/* The next file. False: there are no more. */
bool lost_next(const struct lost *l, struct lost_file *f);
