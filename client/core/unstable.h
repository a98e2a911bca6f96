/* SPDX-License-Identifier: Apache-2.0 */
/* unstable.h - what OSTs have answered and may not have on their disks.
 *
 * For each object of a file in use: the newest change that this client has heard of and whose
 * stability it has not. If the OST then lost its power, it may be lost, and the next fsync must say
 * so. OSTs number changes, and tell with each answer how far they are stable.
 *
 * Pure; the owner locks it.
 */
#pragma once
#include "common/base.h"

struct unstable_obj {
	uint64_t power, boot, change; /* power 0: nothing is unstable */
};

struct unstable {
	uint32_t n;
	struct unstable_obj *at; /* by number of the object, objs_index() */
};

/* What was heard of an OST: in this life of it all up to this number is stable. */
struct unstable_heard {
	uint64_t boot, stable;
};

void unstable_fini(struct unstable *u);
/* What there is of an object; to be given to unstable_synced() later. */
struct unstable_obj unstable_get(const struct unstable *u, uint32_t i);
/* A write to object i was answered with these. False: what was unstable before may be lost. n: how
 * many objects there are. */
bool unstable_wrote(struct unstable *u, uint32_t n, uint32_t i, const struct unstable_obj *o,
		    const struct unstable_heard *heard);
/* A sync that began when `before` was there was answered with this power. False: what was unstable
 * may be lost. */
bool unstable_synced(struct unstable *u, uint32_t i, const struct unstable_obj *before,
		     uint64_t power, const struct unstable_heard *heard);
