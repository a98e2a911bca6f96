/* SPDX-License-Identifier: Apache-2.0 */
/* ahead.h - guesses from the reads of one open file what it will read next.
 *
 * Three patterns: forward and backward (also with small gaps of a fixed size between the reads,
 * which are read over: a request costs more than the bytes), and strides, which are fetched one by
 * one. It takes three reads to find the first two and four to find a stride; then the window grows
 * from a few reads to the limit. Two reads in a row that do not fit end it, so random reading
 * fetches nothing.
 *
 * Pure: no locks (the owner has one), no memory, no messages.
 */
#pragma once
#include "common/base.h"

#define AHEAD_FIRST   (128U << 10) /* the first window */
#define AHEAD_GAP     (64U << 10)  /* gaps up to this are read over */
#define AHEAD_ALIGN   (4U << 20)   /* large windows end at multiples of this */
#define AHEAD_STRIDES 32           /* pieces of strided reading ahead of the reader */

enum ahead_kind { AHEAD_NONE, AHEAD_FORWARD, AHEAD_BACKWARD, AHEAD_STRIDE };

struct ahead { /* zero: nothing was read yet */
	enum ahead_kind kind;
	bool gaps; /* forward, backward: between the reads */
	/* How the last reads lie to each other; what they may become. */
	uint64_t off, end;
	int64_t delta;
	enum ahead_kind maybe;
	uint32_t same;

	uint32_t misses; /* reads in a row that do not fit */
	uint64_t pos;    /* the reader has come so far; AHEAD_STRIDE: its last read */
	uint64_t edge;   /* forward, backward: fetched up to there */
	uint64_t window; /* bytes ahead of pos */
	int64_t step;    /* AHEAD_STRIDE */
	uint32_t len, fetched, strides;
};

/* Fetch n times len bytes, each `step` behind the one before. */
struct ahead_plan {
	enum ahead_kind kind;
	uint64_t off, len;
	int64_t step;
	uint32_t n;
};

/* A read of len > 0 bytes. here: its first byte was fetched. limit: the largest window, 0 for none.
 * True: *p should be fetched now; say ahead_fetched() if it is. */
bool ahead_read(struct ahead *a, uint64_t off, uint64_t len, bool here, uint64_t limit,
		struct ahead_plan *p);
void ahead_fetched(struct ahead *a, const struct ahead_plan *p);
