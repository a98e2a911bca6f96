/* SPDX-License-Identifier: Apache-2.0 */
/* ranges.h - what is back of a file whose data are being brought from the archive, what the mover's
 * workers are at, and what they do next: first what somebody waits for, and what follows it, then
 * the rest in order.
 *
 * A file is cut into units; a worker gets a few in a row: one where somebody waits, so that he has
 * his bytes soon, then more and more. Offsets and lengths are in bytes. One loop; never suspends.
 */
#pragma once
#include "common/hsm.h"

struct ranges;

/* NULL: out of memory. */
struct ranges *ranges_create(uint64_t size);
void ranges_free(struct ranges *r);
uint64_t ranges_unit(const struct ranges *r);
/* Somebody waits for this byte. */
void ranges_want(struct ranges *r, uint64_t off);
/* A worker (below MAX_HSM_WORKERS) has done what it was given last, if that is off and len, else it
 * has not; and gets the next piece. False: nothing is left for it. */
bool ranges_next(struct ranges *r, uint32_t worker, uint64_t *off, uint64_t *len);
/* The byte is back: *from and *to, as far as it is all back around it. */
bool ranges_back(const struct ranges *r, uint64_t off, uint64_t *from, uint64_t *to);
