/* SPDX-License-Identifier: Apache-2.0 */
/* seal.c - see seal.h. Who seals and who tells of damage: scrub.c.
 *
 * The order that makes it right: words are read after the data; a writer makes words unknown,
 * synced, before its data. So a word that is there after the data was read belongs to those bytes.
 * Sealing and making unknown exclude each other (object.seal_lock); sealing first looks whether a
 * write has begun.
 */
#include "oss/seal.h"
#include "common/crc.h"
#include <endian.h>

enum {
	SMALL_WORDS = 1 << 18, /* of an object whose words are all made unknown at once: 1 GiB */
	OPENED_MAX = ARRAY_SIZE(((struct object *)0)->opened),
};

uint32_t seal_word(const void *bytes, uint32_t len)
{
	uint32_t crc = crc32c_add(0, bytes, len);

	return crc <= SEAL_DAMAGED ? ~crc : crc;
}

/* Words [first, first + n) of the object; those that were never written are unknown. */
static int co_get_words(struct object *o, uint64_t first, uint32_t n, uint32_t *words)
{
	struct iovec iov = {words, n * sizeof(*words)};
	ssize_t got = disk_co_read(o->seal, &iov, 1, first * sizeof(*words));
	uint32_t i, have;

	if (got < 0)
		return (int)got;
	have = (uint32_t)got / sizeof(*words);
	for (i = 0; i < n; i++)
		words[i] = i < have ? le32toh(words[i]) : SEAL_UNKNOWN;
	return 0;
}

static int co_put_words(struct object *o, uint64_t first, uint32_t n, const uint32_t *words)
{
	uint32_t code[SEAL_PIECE];
	struct iovec iov = {code, n * sizeof(*code)};
	uint32_t i;

	for (i = 0; i < n; i++)
		code[i] = htole32(words[i]);
	return disk_co_write(o->seal, &iov, 1, first * sizeof(*words));
}

/* ---- before a change ---- */

/* Of the blocks of a piece; damaged ones stay so unless [off, end) covers them. *any: something was
 * known. */
static int co_forget_piece(struct object *o, uint64_t piece, uint64_t off, uint64_t end, bool *any)
{
	uint64_t first = piece * SEAL_PIECE, at;
	uint32_t words[SEAL_PIECE], i;
	bool changed = false;
	int rc = co_get_words(o, first, SEAL_PIECE, words);

	for (i = 0; rc == 0 && i < SEAL_PIECE; i++) {
		at = (first + i) * SEAL_BLOCK;
		if (words[i] == SEAL_DAMAGED && (at < off || at + SEAL_BLOCK > end))
			continue;
		changed |= words[i] != SEAL_UNKNOWN;
		words[i] = SEAL_UNKNOWN;
	}
	if (rc || !changed)
		return rc;
	*any = true;
	return co_put_words(o, first, SEAL_PIECE, words);
}

static bool is_opened(const struct object *o, uint64_t piece)
{
	uint32_t i;

	for (i = 0; i < o->nopened; i++)
		if (o->opened[i] == piece)
			return true;
	return false;
}

/* Pieces from..to, under the lock. What has been written through and synced is remembered. */
static int co_forget(struct object *o, uint64_t from, uint64_t to, uint64_t off, uint64_t end)
{
	uint64_t piece;
	bool any = false;
	int rc = 0;

	for (piece = from; piece <= to && rc == 0; piece++)
		if (!is_opened(o, piece))
			rc = co_forget_piece(o, piece, off, end, &any);
	if (rc == 0 && any)
		rc = disk_co_sync(o->seal);
	for (piece = from; rc == 0 && piece <= to && o->nopened < OPENED_MAX; piece++)
		if (!is_opened(o, piece))
			o->opened[o->nopened++] = piece;
	return rc;
}

/* The object ends at `at` from now on: words behind it go. */
static int co_cut(struct object *o, uint64_t at)
{
	uint64_t words = (at + SEAL_BLOCK - 1) / SEAL_BLOCK;
	bool any = false;
	int rc = co_forget_piece(o, at / SEAL_BLOCK / SEAL_PIECE, at, UINT64_MAX, &any);

	if (rc == 0)
		rc = disk_co_truncate(o->seal, words * sizeof(uint32_t));
	return rc ? rc : disk_co_sync(o->seal);
}

static bool all_opened(const struct object *o, uint64_t from, uint64_t to)
{
	uint64_t piece;

	if (o->all_opened)
		return true;
	if (to - from >= OPENED_MAX)
		return false;
	for (piece = from; piece <= to; piece++)
		if (!is_opened(o, piece))
			return false;
	return true;
}

static int co_open_up(struct object *o, uint64_t off, uint64_t end, uint64_t from, uint64_t to)
{
	struct disk_stat st;
	uint64_t last;
	int rc = disk_stat(o->seal, &st);

	last = st.size / sizeof(uint32_t) / SEAL_PIECE;
	if (rc || from > last)
		return rc; /* nothing is known there */
	to = min_u64(to, last);
	/* Enough of single pieces: all of them. */
	if (o->nopened == OPENED_MAX && st.size <= SMALL_WORDS * sizeof(uint32_t)) {
		rc = co_forget(o, 0, last, off, end);
		o->all_opened = rc == 0;
		return rc;
	}
	return co_forget(o, from, to, off, end);
}

int seal_co_open_up(struct cache *c, struct object *o, uint64_t off, uint64_t len)
{
	uint64_t end = len > UINT64_MAX - off ? UINT64_MAX : off + len, from, to;
	struct object_attr a;
	int rc;

	if (!o->sealed)
		return 0;
	rc = cache_attr(o, &a);
	if (rc)
		return rc;
	/* The block that the object ends in changes when bytes behind it come. */
	from = min_u64(off, a.size) / SEAL_BLOCK / SEAL_PIECE;
	to = (end - 1) / SEAL_BLOCK / SEAL_PIECE;
	if (end != UINT64_MAX && all_opened(o, from, to))
		return 0;
	rc = cache_co_seal_file(c, o, false);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	co_mutex_lock(&o->seal_lock);
	rc = end == UINT64_MAX ? co_cut(o, min_u64(off, a.size))
			       : co_open_up(o, off, end, from, to);
	co_mutex_unlock(&o->seal_lock);
	return rc;
}

/* ---- after a read ---- */

/* The blocks of a piece. */
static int co_verify_piece(struct object *o, const uint8_t *data, uint64_t block, uint32_t len,
			   uint64_t version, seal_bad_fn *bad, void *arg)
{
	uint32_t words[SEAL_PIECE], i, at, n = (len + SEAL_BLOCK - 1) / SEAL_BLOCK;
	int rc = co_get_words(o, block, n, words), found = 0;

	for (i = 0; rc == 0 && i < n; i++) {
		at = i * SEAL_BLOCK;
		if (words[i] == SEAL_UNKNOWN ||
		    words[i] == seal_word(data + at, (uint32_t)min_u64(SEAL_BLOCK, len - at)))
			continue;
		if (o->version != version || o->writes)
			return -EAGAIN;
		found++;
		bad(arg, block + i);
	}
	return rc ? rc : found;
}

int seal_co_verify(struct cache *c, struct object *o, const uint8_t *data, uint64_t off,
		   uint32_t len, uint64_t version, seal_bad_fn *bad, void *arg)
{
	uint32_t at, n;
	int rc, found = 0;

	assert(off % SEAL_BLOCK == 0);
	if (!o->sealed || !len)
		return 0;
	rc = cache_co_seal_file(c, o, false);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	for (at = 0; at < len; at += n) {
		n = (uint32_t)min_u64(len - at, SEAL_PIECE * SEAL_BLOCK);
		rc = co_verify_piece(o, data + at, (off + at) / SEAL_BLOCK, n, version, bad, arg);
		if (rc < 0)
			return rc;
		found += rc;
	}
	return found;
}

/* ---- sealing ---- */

/* From here on a write must open the piece up again, and waits for the lock to do so. */
static void close_piece(struct object *o, uint64_t piece)
{
	uint32_t i;

	o->all_opened = false;
	for (i = 0; i < o->nopened; i++)
		if (o->opened[i] == piece)
			o->opened[i--] = o->opened[--o->nopened];
}

static int co_seal(struct object *o, const uint8_t *data, uint64_t off, uint32_t len)
{
	uint32_t words[SEAL_PIECE], i, word, n = (len + SEAL_BLOCK - 1) / SEAL_BLOCK;
	uint64_t first = off / SEAL_BLOCK;
	int rc = co_get_words(o, first, n, words), sealed = 0;
	bool changed = false;

	for (i = 0; rc == 0 && i < n; i++) {
		word = seal_word(data + i * SEAL_BLOCK,
				 (uint32_t)min_u64(SEAL_BLOCK, len - i * SEAL_BLOCK));
		if (words[i] == word || words[i] == SEAL_DAMAGED)
			continue;
		sealed += words[i] == SEAL_UNKNOWN;
		words[i] = words[i] == SEAL_UNKNOWN ? word : SEAL_DAMAGED;
		changed = true;
	}
	if (rc == 0 && changed)
		rc = co_put_words(o, first, n, words);
	return rc ? rc : sealed;
}

int seal_co_seal(struct cache *c, struct object *o, const uint8_t *data, uint64_t off, uint32_t len,
		 uint64_t version)
{
	int rc;

	assert(off % (SEAL_PIECE * SEAL_BLOCK) == 0 && len <= SEAL_PIECE * SEAL_BLOCK);
	if (!len)
		return 0;
	rc = cache_co_seal_file(c, o, true);
	if (rc)
		return rc;
	co_mutex_lock(&o->seal_lock);
	if (o->version == version && !o->writes) {
		close_piece(o, off / SEAL_BLOCK / SEAL_PIECE);
		rc = co_seal(o, data, off, len);
	}
	co_mutex_unlock(&o->seal_lock);
	return rc;
}
