/* SPDX-License-Identifier: Apache-2.0 */
/* linear.h - is a history of concurrent operations on one object linearizable?
 *
 * An object has one value of 64 bits. What a block of a file contains, how large a file is and what
 * a name leads to are such objects; since linearizability is local (Herlihy and Wing, TOPLAS 12,
 * 1990), a file system may be checked object by object. Every operation has the moments when it was
 * asked for and answered; a history is linearizable if each can be thought to take effect at one
 * moment between, so that all answers are right.
 *
 * Two ways. If there are only reads and writes and no value is written twice, zones decide in
 * n log n (Gibbons and Korach, "Testing shared memories", SIAM J. Comput. 26, 1997): see
 * linear_zones(). Else linear_search() tries orders (Wing and Gong, "Testing and verifying
 * concurrent objects", J. Parallel Distrib. Comput. 17, 1993) and remembers where it has been
 * (Lowe, "Testing for linearizability", Concurrency and Computation 29, 2017): as good as linear
 * where few operations overlap, exponential in how many do.
 *
 * Pure: no clock, no randomness, nothing of the simulator.
 */
#pragma once
#include "common/base.h"

/* What an operation sees (false: it cannot have been here) and does. s is the value. */
enum linear_kind {
	LINEAR_READ,   /* s == a */
	LINEAR_WRITE,  /* s = a */
	LINEAR_MIN,    /* s >= a */
	LINEAR_MAX,    /* s <= a */
	LINEAR_RAISE,  /* s = max(s, a): a write may make a file larger */
	LINEAR_APPEND, /* s == a, then s = a + b: a is where the data went */
	LINEAR_MAKE,   /* s == 0, then s = a: an exclusive create */
	LINEAR_TAKE,   /* s != 0, then s = 0: an unlink */
	LINEAR_CUT,    /* the low byte of s is a length: at most a; without length s = 0 */
};

#define LINEAR_NEVER UINT64_MAX

struct linear_op {
	uint64_t start, end; /* end LINEAR_NEVER: no answer, and perhaps it never took effect */
	uint64_t a, b;
	uint32_t who;
	uint8_t kind;
	bool maybe; /* perhaps it takes no effect, but none after its end */
};

struct linear_history {
	struct linear_op *op;
	uint32_t n, room;
	uint64_t first; /* the value before all */
};

enum linear_verdict { LINEAR_GOOD, LINEAR_BAD, LINEAR_UNKNOWN /* too much to try */ };

void linear_add(struct linear_history *h, const struct linear_op *op);
void linear_free(struct linear_history *h);
/* Takes the better of the two ways. LINEAR_BAD: *culprit is an operation that has no place. The
 * order of the operations in the array is changed. */
enum linear_verdict linear_check(struct linear_history *h, uint32_t *culprit);
/* Only reads and writes with answers, and each value (first too) is written once. */
bool linear_is_register(const struct linear_history *h);
enum linear_verdict linear_zones(struct linear_history *h, uint32_t *culprit);
enum linear_verdict linear_search(struct linear_history *h, uint32_t *culprit);
/* "w3 [17,21] write 42 ". */
void linear_text(const struct linear_op *op, char *out, size_t len);
