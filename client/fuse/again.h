/* SPDX-License-Identifier: Apache-2.0 */
/* again.h - requests that the last process left unanswered; see again.c. Any thread. */
#pragma once
#include "client/fuse/face.h"

#define AGAIN_BIT (1ULL << 63) /* FUSE_UNIQUE_RESEND: of a request that comes again by /dev/fuse */
must_check int agains_create(struct agains **out);
void agains_destroy(struct agains *a);
void again_begin(struct agains *a, uint64_t tag);
void again_end(struct agains *a, uint64_t tag);
bool again_is_open(void *agains, uint64_t tag);
/* For fiber_set_tag(): the same in every process. */
static inline uint64_t serve_tag(const struct serve *s)
{
	return serve_head(s)->unique & ~AGAIN_BIT;
}
/* Lane 0 serves: what was asked of the last process is asked of this one. */
void again_ask(struct face *f);
