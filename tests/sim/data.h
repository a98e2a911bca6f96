/* SPDX-License-Identifier: Apache-2.0 */
/* data.h - tasks of several clients do whatever they like to the same few files and names; the
 * history of every block, of every size and of every name must be linearizable (linear.h).
 *
 * Blocks are of 512 bytes, so that several writers meet in one page, and lie around the ends of
 * stripes. Each written block is of a value of its own. Some files are appended to, others are
 * truncated to odd sizes.
 *
 * What is known not to be atomic is not asked for, unless strict: a write over the end of a stripe
 * and a truncate of several objects may be seen in parts, an append that meets a truncate or
 * another write is not one step, and what was sent again is perhaps done twice. data_check.c has
 * each of these as one function. A write(2) goes past the page cache: while it is on its way,
 * mappings of the same mount touch the file in no way (Linux promises nothing about that).
 */
#pragma once
#include "tests/sim/cluster.h"

struct data;

struct data_how {
	bool strict; /* nothing is forgiven, see data_check.c */
	bool faults; /* connections break, servers end */
	bool cut;    /* data_cut() will be called */
	bool maps;   /* there are page caches: files are mapped, too */
};

/* Makes the files, starts the tasks; the world must be stepped until data_done(). */
must_check int data_start(struct cluster *cl, uint64_t seed, uint32_t steps, struct data_how how,
			  struct data **out);
/* The network of the last client is gone, then is back: what it wrote meanwhile, and what it had
 * not synced, is there or is not, but nothing of it may appear after this. Errors are its due. So
 * is a store after this, into a page that it had to read while its pages were being forgotten, if
 * fsync or close say that it failed. */
void data_cut(struct data *d, bool cut);
bool data_others_done(const struct data *d); /* all tasks but that client's */
bool data_done(const struct data *d);
void data_stuck(const struct data *d); /* traces what is in the way */
/* All clients read everything once more; then the histories are checked. */
void data_check(struct data *d);
void data_free(struct data *d);
