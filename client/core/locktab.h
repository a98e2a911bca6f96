/* SPDX-License-Identifier: Apache-2.0 */
/* locktab.h - the file locks that this client holds.
 *
 * Needed for two things: to answer FLUSH (close of a descriptor) without asking the MDS when
 * there is nothing to give back, and to take the locks again after the MDS has restarted. The
 * rules are POSIX's: a new range of an owner replaces what the owner had there; neighbours of
 * one type are joined.
 *
 * Pure; the owner of a struct locktab locks it. With a book every change is written there, too.
 */
#pragma once
#include "client/core/book.h"
#include <sys/queue.h>

enum { LOCKTAB_HASH = 256 };

struct held_lock {
	struct fid fid;
	uint8_t space; /* enum lock_space */
	uint8_t type;  /* F_RDLCK or F_WRLCK */
	uint32_t pid;
	uint32_t lane; /* that asked for it and takes it again */
	uint64_t owner, handle; /* handle: of the open file it was taken through; 0: none */
	uint64_t start, end;	/* end inclusive */
	uint64_t session;	/* with the MDS that it was given in; 0: of an earlier process */
	struct book_lock *place; /* NULL: in no book */
	LIST_ENTRY(held_lock) link;
};

/* A request that is on its way. */
struct lock_change {
	struct held_lock want;
	bool wait; /* perhaps for others: what the owner has he keeps meanwhile */
	LIST_ENTRY(lock_change) link;
};

struct locktab {
	LIST_HEAD(, held_lock) head[LOCKTAB_HASH];
	uint32_t n;
	struct book *book; /* or NULL */
	LIST_HEAD(, lock_change) changes;
};

void locktab_init(struct locktab *t);
void locktab_fini(struct locktab *t);
/* From now on the table is in the book; what another process has left there is taken over. -ENOMEM:
 * not all. */
must_check int locktab_use_book(struct locktab *t, struct book *b);
/* The MDS granted l: type F_UNLCK removes. -ENOMEM leaves the table as it was. */
must_check int locktab_set(struct locktab *t, const struct held_lock *l);
/* Around the request that asks for c->want; c stays where it is. */
void locktab_change_begin(struct locktab *t, struct lock_change *c);
void locktab_change_end(struct lock_change *c);
/* What to take again after a restart of the MDS of what this lane took: not what a request that is
 * on its way gives back. The last life may have executed it, and given the lock to somebody else.
 * out is empty; -ENOMEM: it has not all. */
must_check int locktab_claims(const struct locktab *t, uint32_t lane, struct locktab *out);
/* The MDS has ended all sessions before this one: their locks leave the table, lost() hears of each
 * before it goes. Returns how many. */
uint32_t locktab_lose(struct locktab *t, uint64_t session,
		      void (*lost)(void *arg, const struct held_lock *l), void *arg);
bool locktab_has(const struct locktab *t, const struct fid *fid, uint8_t space, uint64_t owner);
/* An owner with a POSIX lock of this file that was taken through this handle. */
bool locktab_find_handle(const struct locktab *t, const struct fid *fid, uint64_t handle,
			 uint64_t *owner);
/* All of them in no order; prev NULL starts. */
const struct held_lock *locktab_next(const struct locktab *t, const struct held_lock *prev);
