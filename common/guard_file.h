/* SPDX-License-Identifier: Apache-2.0 */
/* guard_file.h - the guard of the targets that a process serves: DIR/sheen.guard and who writes it.
 *
 * Each target has a thread that reads and writes its block once a second, and one more thread looks
 * whether they do: neither does anything else, so no load of the server keeps them from it, and a
 * disk that hangs is noticed as well. When another server has taken a target over, or the block
 * could not be written for as long as it promises, the process ends at once, with a line in the
 * log: nothing is written any more. guard.h has the rules.
 *
 * Reads and writes pass by the page cache where the file system can do that. Blocking; any thread.
 */
#pragma once
#include "common/guard.h"

#define GUARD_FILE "sheen.guard"
enum { GUARD_EXIT = 3 }; /* status of a process that lost its guard */

struct guard;

/* Takes the n directories, whose locks the caller has. At once if this machine had them last; else
 * it takes as long as it takes to be sure, and the log says so. -EBUSY: another machine serves
 * one, why says which one; -errno. */
must_check int guard_take(const char *const *dirs, uint32_t n, struct guard **out, char *why,
			  size_t why_len);
/* Stops the threads and says in the blocks that nobody serves. NULL: nothing. */
void guard_release(struct guard *g);
/* From the next writing on. Within GUARD_TERM_MIN_MS and GUARD_TERM_MAX_MS. */
void guard_set_term(struct guard *g, uint32_t term_ms);
uint32_t guard_term(struct guard *g);

/* A directory that is made a target here and now: its first start need not wait. -EEXIST: there is
 * a block. */
must_check int guard_file_make(const char *dir);
/* Reads DIR's block. -ENODATA (no file, or empty), -EUCLEAN, -errno. */
must_check int guard_file_read(const char *dir, struct guard_block *out);
must_check int guard_file_write(const char *dir, const struct guard_block *b);
