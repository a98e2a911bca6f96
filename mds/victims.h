/* SPDX-License-Identifier: Apache-2.0 */
/* victims.h - of many files, those that were not used for longest, as many as are needed to free so
 * much space. Pure.
 */
#pragma once
#include "common/base.h"
#include "common/fid.h"

struct victims;

/* need: bytes; max: files, however little that is. NULL: out of memory. */
struct victims *victims_create(uint64_t need, uint32_t max);
void victims_free(struct victims *v);
/* A file; used: when it was last, a larger number is later. */
void victims_add(struct victims *v, const struct fid *fid, int64_t used, uint64_t bytes);
/* How many there are. */
uint32_t victims_count(const struct victims *v);
/* Takes the one out that was used last of all. False: there is none. */
bool victims_take_newest(struct victims *v, struct fid *fid);
