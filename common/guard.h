/* SPDX-License-Identifier: Apache-2.0 */
/* guard.h - the multi-mount guard: who may serve a target whose directory several machines reach.
 *
 * A lock of the kernel (flock) says who serves it on this machine. For the others there is a block
 * in the directory that its holder writes again and again, each time with the next number; the
 * block promises that its holder stops by itself when it could not do that for term_ms. Whoever
 * wants to start looks at it:
 *  - changed while being looked at: the holder lives; refused;
 *  - written by this machine, since it was booted: the lock, which the starter has, says that the
 *    holder is dead (or it said so itself: CLEAN); taken at once;
 *  - stood still for longer than was promised, or CLEAN by another machine, or no block: the
 *    starter writes a claim, soon after its last look, and waits until everybody who looked at the
 *    same time must have written his; it serves if the block is still its own.
 * A holder reads the block before each writing; one that is not its own ends it.
 *
 * Pure: decisions and the block's form, no I/O, no clock, any thread; guard_file.h has those.
 */
#pragma once
#include "common/base.h"

enum {
	GUARD_BLOCK = 512, /* bytes that count */
	GUARD_HOST = 64,
	GUARD_BOOT = 40,
	GUARD_TERM_MS = 10000, /* unless the parameter guard_term says otherwise */
	GUARD_TERM_MIN_MS = 2000,
	GUARD_TERM_MAX_MS = 120000,
	GUARD_CLAIM_MS = 1000, /* from the last look to the claim, at most */
	GUARD_CONFIRM_MS = 3000,
	GUARD_GRACE_MS = 4000, /* for a look after the whole process stood still */
};

enum guard_state { GUARD_CLEAN = 1, GUARD_HELD = 2 };

struct guard_block {
	uint8_t state;
	uint64_t owner; /* random: one life of a server */
	uint64_t seq;   /* of the writings of this owner */
	uint32_t term_ms;
	uint32_t pid;
	int64_t since; /* real time in seconds */
	char host[GUARD_HOST + 1], boot[GUARD_BOOT + 1];
};

void guard_encode(const struct guard_block *b, uint8_t out[GUARD_BLOCK]);
/* term_ms is within the limits then, text printable. -ENODATA: nothing but zeros; -EUCLEAN: torn
 * or no block. */
must_check int guard_decode(const uint8_t in[GUARD_BLOCK], struct guard_block *out);
/* Both were written by the same boot of the same machine. */
bool guard_same_machine(const struct guard_block *a, const struct guard_block *b);
/* "host oss1, pid 17, since 2026-11-23 14:02:11 UTC" */
#define GUARD_WHO 160
char *guard_who(const struct guard_block *b, char out[GUARD_WHO]);

/* ---- a starter ---- */

enum guard_step {
	GUARD_LOOK,    /* again, soon */
	GUARD_CLAIM,   /* write `self`, say guard_watch_claimed() */
	GUARD_MINE,    /* serve */
	GUARD_REFUSED, /* the one in `seen` serves */
};

struct guard_watch {
	struct guard_block self, seen;
	enum { GUARD_LOOKING, GUARD_CONFIRMING } phase;
	int seen_rc;       /* 0, or what the last look gave */
	bool looked;       /* once */
	bool confirm;      /* others may be starting at this moment */
	uint64_t since_ms; /* what is seen has been there since, or the claim */
	uint64_t looked_ms;
};

void guard_watch_init(struct guard_watch *w, const struct guard_block *self);
/* One look: rc of reading (0, -ENODATA, -EUCLEAN) and what was read. */
must_check enum guard_step guard_watch_look(struct guard_watch *w, uint64_t now_ms, int rc,
					    const struct guard_block *b);
/* The claim is on the disk. GUARD_MINE or GUARD_LOOK. */
must_check enum guard_step guard_watch_claimed(struct guard_watch *w, uint64_t now_ms);
/* How long it will take at most, for people; 0: no time. */
uint64_t guard_watch_left(const struct guard_watch *w, uint64_t now_ms);

/* ---- a holder ---- */

struct guard_hold {
	struct guard_block now;
	uint32_t base_ms;    /* term while writing is quick */
	uint32_t term_ms;    /* what is promised */
	uint64_t renewed_ms; /* the last writing that worked began then */
	uint64_t grace_ms;   /* not late before */
};

/* claimed: as it is on the disk, written from renewed_ms on. */
void guard_hold_init(struct guard_hold *h, const struct guard_block *claimed, uint64_t renewed_ms);
/* What was read is the holder's own, or torn by its own failed writing. */
bool guard_hold_intact(const struct guard_hold *h, int rc, const struct guard_block *b);
/* The next block to write. */
const struct guard_block *guard_hold_next(struct guard_hold *h);
/* It is on the disk; looking and writing began at began_ms. */
void guard_hold_written(struct guard_hold *h, uint64_t began_ms, uint64_t now_ms);
/* The promise is broken: stop. */
bool guard_hold_late(const struct guard_hold *h, uint64_t now_ms);
/* The whole process stood still and is to look before it is blamed. */
void guard_hold_paused(struct guard_hold *h, uint64_t now_ms);
