/* SPDX-License-Identifier: Apache-2.0 */
/* object.h - names of objects, and the record that each object's file carries.
 *
 * The file of an object is O/<seq>/<low byte of oid>/<oid>.<comp>.<stripe>, seq and oid in hex:
 * files made one after the other share directories, and no directory of a sequence gets more than
 * 1/256th of its objects. The record (extended attribute "sheen") says whose object the file is, so
 * that a lost MDT could be rebuilt and a file that was moved is noticed, and keeps what the file
 * itself cannot.
 *
 * Pure; any thread; nothing here suspends.
 */
#pragma once
#include "common/layout.h"

struct wbuf;

#define OBJECT_SIZE_MAX ((uint64_t)MAX_FILE_SIZE)
#define OBJECT_PATH_MAX 80
#define OBJECT_STRLEN (FID_STRLEN + 24)
#define OBJECT_RECORD_MAX 128 /* of an encoded record */
#define OBJECT_XATTR "sheen"

/* Where the object belongs, as whoever made it said; stripe_count 0: unknown. */
struct object_layout {
	uint32_t stripe_size, stripe_count, gen;
};

struct object_record {
	uint32_t version;
	struct fid fid;
	uint32_t comp, stripe;
	uint32_t trunc_gen; /* newest truncation that was heard of */
	uint64_t vsize;	    /* of an object too long for the local file system; else 0 */
	int64_t wtime;	    /* ns; of the last write, which may have been kept at a client since */
	int64_t mtime;	    /* the file's own when this was stored: newer ones make wtime void */
	struct object_layout layout;
	bool sealed; /* there may be checksums of its blocks: seal.h */
};

/* An id that may name an object: -EINVAL. */
must_check int object_id_check(const struct object_id *id);
/* Relative to the target's directory. Returns out. */
char *object_path(const struct object_id *id, char out[OBJECT_PATH_MAX]);
/* Of the file with the checksums of its blocks. Returns out. */
char *object_seal_path(const struct object_id *id, char out[OBJECT_PATH_MAX]);
/* The reverse; -EINVAL for anything that object_path() does not make. */
must_check int object_path_parse(const char *path, struct object_id *out);
/* "[0x200000401:0x1:0x0]:1.0", for people. Returns out. */
char *object_str(const struct object_id *id, char out[OBJECT_STRLEN]);
bool object_id_eq(const struct object_id *a, const struct object_id *b);
uint64_t object_id_hash(const struct object_id *id);

void object_record_enc(struct wbuf *w, const struct object_record *r);
/* Checks the crc and the version: -EUCLEAN. */
must_check int object_record_dec(struct span s, struct object_record *out);
