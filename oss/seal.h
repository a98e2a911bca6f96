/* SPDX-License-Identifier: Apache-2.0 */
/* seal.h - checksums of the blocks of an object on the disk.
 *
 * A file beside the object's (C/... where the object is O/...) has one word for each block of 4
 * KiB: its crc32c, that nothing is known of it, or that it is damaged. The scrubber seals blocks of
 * objects at rest, when they are on the disk; a write first makes the words of what it changes
 * unknown, on the disk as well, so a word never stands for bytes that may be newer. A damaged block
 * stays damaged until it is overwritten whole or cut off: reads of it give -EIO.
 *
 * Words are made unknown for a whole MiB, which costs one sync; after some of these the whole
 * object's are, if it is not huge, so that writing at random does not sync for ever.
 *
 * The object is held (cache.h) by the caller. One loop; functions with co_ suspend.
 */
#pragma once
#include "common/disk.h"
#include "oss/cache.h"

#define SEAL_BLOCK 4096U
#define SEAL_PIECE 256U /* blocks that are looked at together */

enum seal_word { SEAL_UNKNOWN = 0, SEAL_DAMAGED = 1 };

/* The word of a block's bytes; the last block of an object may be short. */
uint32_t seal_word(const void *bytes, uint32_t len);

/* Blocks that differ from their words, or are known to be damaged. */
typedef void seal_bad_fn(void *arg, uint64_t block);

/* Before the bytes [off, off + len) are changed; len UINT64_MAX: all behind off, which is cut. 0 or
 * -errno: nothing may be changed. */
must_check int seal_co_open_up(struct cache *c, struct object *o, uint64_t off, uint64_t len);
/* After data of the object was read: [off, off + len) of it, off at a block, len up to the end of a
 * block or of the object. version: the object's before that. The number of bad blocks, or -errno;
 * -EAGAIN: something differs, but the object was written meanwhile, so it is to be read again. */
must_check int seal_co_verify(struct cache *c, struct object *o, const uint8_t *data, uint64_t off,
			      uint32_t len, uint64_t version, seal_bad_fn *bad, void *arg);
/* Seals blocks of data that nothing is known of, marks bad ones; version: the object's, before its
 * data was synced and read: when it has changed since, nothing is sealed. How many were sealed. */
must_check int seal_co_seal(struct cache *c, struct object *o, const uint8_t *data, uint64_t off,
			    uint32_t len, uint64_t version);
