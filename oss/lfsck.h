/* SPDX-License-Identifier: Apache-2.0 */
/* lfsck.h - the objects that a target has, in order, a piece at a time: for the MDT's checker and
 * the scrubber.
 *
 * The order is that of directories (sequence, low byte of the object id), then of names. A piece
 * ends after some directories or objects, whichever comes first, so that it takes a bounded time.
 * Objects that come or go meanwhile may or may not be seen; all others are seen once. In line:
 * reads directories, not files.
 */
#pragma once
#include "common/disk.h"
#include "oss/object.h"

struct object_cursor { /* zero: the start */
	uint64_t seq;
	uint32_t dir;
	struct object_id after; /* in this directory; zero: none */
};

/* Up to max objects into out, from *c on; *c moves. *n: how many; 0 is not the end. 0, 1 (the end),
 * or -errno. */
must_check int objects_list(struct disk *d, struct object_cursor *c, struct object_id *out,
			    uint32_t max, uint32_t *n);
