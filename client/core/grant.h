/* SPDX-License-Identifier: Apache-2.0 */
/* grant.h - space that OSTs promised this client: bytes that are kept here can be written later.
 *
 * Each OST has a pool of promised bytes for the whole mount (struct ost, under fs->lock). A dirty
 * extent takes its share before it takes bytes, and what its requests did not need goes back. An
 * OST that starts anew has forgotten its promises: then the pool and all shares of it are void, and
 * what is dirty is sent without.
 */
#pragma once
#include "common/base.h"

struct fs;
struct lane;
struct layout;
struct ost;
struct target;

#define GRANT_OSTS 18 /* that a chunk of DIRTY_CHUNK bytes may lie on, with 64 KiB stripes */

/* The share of an extent. */
struct grant {
	uint64_t seq; /* when it was taken first; 0: not yet */
	uint32_t n;
	struct {
		struct ost *ost;
		uint32_t runs; /* objects there */
		uint64_t left;
	} at[GRANT_OSTS];
};

/* Where the bytes of the chunk that `off` lies in go to. Suspends. */
must_check int grant_co_plan(struct lane *ln, const struct layout *l, uint64_t off,
			     struct grant *g);
/* Takes what an extent of [from, to) needs that had `had` bytes of it. NULL, or the OST that has
 * too little in its pool; then nothing is taken. */
struct ost *grant_take(struct fs *fs, struct grant *g, uint64_t from, uint64_t to, uint64_t had);
/* Asks the OST for more. False: it has nothing to give. Suspends. */
must_check bool grant_co_ask(struct lane *ln, struct ost *o);
/* The part of a share for a request with [off, off + len) of an object; g may be NULL. *want: what
 * to ask for on the way. */
uint64_t grant_use(struct lane *ln, struct grant *g, struct ost *o, uint64_t off, uint64_t len,
		   uint64_t *want);
/* The answer to that. */
void grant_got(struct target *t, uint64_t bytes);
/* All requests of the extent are over. */
void grant_end(struct lane *ln, struct grant *g);
/* The OST knows nothing of this client any more. */
void grant_lost(struct target *t);
/* Gives back what was not used for a while. */
void grant_return_idle(struct lane *ln);
/* fs->lock is held. Some pool has something. */
bool grant_any(const struct fs *fs);
