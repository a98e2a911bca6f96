/* SPDX-License-Identifier: Apache-2.0 */
/* alloc.h - which OSTs a new file's objects go to.
 *
 * A table of OSTs with their space and state, kept by ost.c, and the choice: round-robin while
 * the OSTs are about equally full, else at random weighted by free space. Pure: the random source
 * is a parameter. One thread.
 */
#pragma once
#include "common/limits.h"
#include "common/base.h"

struct alloc_ost {
	uint32_t index;
	uint32_t state;	     /* enum target_state bits; TARGET_INACTIVE: by the admin */
	bool known;	     /* its space was heard of */
	uint64_t total, avail; /* bytes */
};

struct layout;

struct alloc {
	uint32_t n, cap;
	struct alloc_ost *ost; /* by index, owned */
	uint32_t next;	       /* round-robin: position of the next file's first stripe */
	uint32_t threshold_rr; /* percent; above it free space decides */
	uint32_t prio_free;    /* percent; weight of free space against even spreading */
	uint64_t (*random)(void *arg);
	void *random_arg;
	const struct layout *made; /* not NULL: what was chosen when this was done first */
};

void alloc_init(struct alloc *a, uint64_t (*random)(void *arg), void *arg);
void alloc_fini(struct alloc *a);
/* The OST of an index, made if new; NULL: out of memory. The pointer is good until the next
 * alloc_add(). */
struct alloc_ost *alloc_add(struct alloc *a, uint32_t index);
struct alloc_ost *alloc_find(const struct alloc *a, uint32_t index);
/* OSTs that a new object may go to. */
uint32_t alloc_usable(const struct alloc *a);

/* Chooses count OSTs (-1: all; more than there are: all there are), the first one `first` unless
 * that is -1, into out (room for MAX_STRIPES). Returns how many; -ENODEV: no OST yet, or `first`
 * is inactive; -EINVAL: `first` unknown; -ENOSPC. */
must_check int alloc_pick(struct alloc *a, int32_t count, int32_t first, uint32_t *out);
/* An explicit list: 0, -EINVAL (unknown or twice), -ENODEV (inactive), -ENOSPC. */
must_check int alloc_check_list(const struct alloc *a, const uint32_t *ost, uint32_t n);
