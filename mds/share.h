/* SPDX-License-Identifier: Apache-2.0 */
/* share.h - which client has changed what in the open batch (commit on share, D6).
 *
 * What a loss of power takes is done again by its clients, each for itself and in no order among
 * them; so changes of different clients that are not on the disk must not depend on each other.
 * Before an operation that depends on what another client has in the open batch, that is committed.
 * Entries of a directory commute: two clients may make names in one side by side.
 *
 * A key is a hash: two that meet cost a commit that was not needed. Pure, one thread, never
 * suspends.
 */
#pragma once
#include "common/base.h"
#include "common/fid.h"

enum share_how {
	SHARE_LOOK,   /* changes nothing, and wants no more than that it is there */
	SHARE_ADD,    /* of a directory: a name in it comes or goes; commutes with its like */
	SHARE_CHANGE, /* depends on all that others did */
	SHARE_MAKE,   /* so does this: it was not there */
};

/* An inode, or a name in it. The zero FID: the shape of the tree. */
struct share_use {
	struct fid fid;
	struct span name;
	enum share_how how;
};

struct share;

struct share *share_create(void); /* NULL: out of memory */
void share_destroy(struct share *s);
/* The batch that the table tells of; another one than before: it is empty. */
void share_batch(struct share *s, uint64_t batch);
/* Somebody else did something that this depends on. client: not 0. */
bool share_conflicts(const struct share *s, uint64_t client, const struct share_use *u);
/* -ENOMEM: the table is as it was. */
must_check int share_note(struct share *s, uint64_t client, const struct share_use *u);
