/* SPDX-License-Identifier: Apache-2.0 */
/* object.c - see object.h. Pure text and bytes: it opens no file.
 *
 * The record must stay small enough for the inode itself (ext4 with 256-byte inodes has room for
 * about 70 bytes of value): a separate block for it would show in every file's block count.
 */
#include "oss/object.h"
#include "common/crc.h"
#include "common/proto/field.h"
#include <inttypes.h>

enum { RECORD_OLD = 1, RECORD_VERSION = 2 };
enum { GEN_MASK = 0x7fff, SEALED = 0x8000 }; /* of field gen */

/* The first version knew no layout. */
#define OLD_FIELDS(F)                                                                   \
	F(u32, version) F(fid, fid) F(u32, comp) F(u32, stripe) F(u32, trunc_gen)       \
	F(u64, vsize) F(i64, wtime) F(i64, mtime)
#define RECORD_FIELDS(F)                                                                \
	F(u32, version) F(fid, fid) F(u32, comp) F(u32, trunc_gen) F(u64, vsize)        \
	F(i64, wtime) F(i64, mtime) F(u16, stripe) F(u16, stripe_count)                 \
	F(u16, stripe_units) F(u16, gen)

struct record_old {
	OLD_FIELDS(FIELD_MEMBER)
};
struct record {
	RECORD_FIELDS(FIELD_MEMBER)
};

int object_id_check(const struct object_id *id)
{
	if (!fid_is_normal(&id->fid) || id->comp == 0 || id->stripe >= MAX_STRIPES)
		return -EINVAL;
	return 0;
}

char *object_path(const struct object_id *id, char out[OBJECT_PATH_MAX])
{
	int n = snprintf(out, OBJECT_PATH_MAX, "O/%" PRIx64 "/%02x/%x.%u.%u", id->fid.seq,
			 id->fid.oid & 0xff, id->fid.oid, id->comp, id->stripe);

	assert(n > 0 && n < OBJECT_PATH_MAX);
	return out;
}

char *object_seal_path(const struct object_id *id, char out[OBJECT_PATH_MAX])
{
	object_path(id, out)[0] = 'C';
	return out;
}

int object_path_parse(const char *path, struct object_id *out)
{
	struct object_id id = {0};
	char again[OBJECT_PATH_MAX];
	unsigned int low;

	if (sscanf(path, "O/%" SCNx64 "/%x/%x.%u.%u", &id.fid.seq, &low, &id.fid.oid, &id.comp,
		   &id.stripe) != 5)
		return -EINVAL;
	/* sscanf is lenient (signs, blanks, leading zeros): only the exact form is a name. */
	if (object_id_check(&id) || strcmp(object_path(&id, again), path) != 0)
		return -EINVAL;
	*out = id;
	return 0;
}

char *object_str(const struct object_id *id, char out[OBJECT_STRLEN])
{
	char fid[FID_STRLEN];

	snprintf(out, OBJECT_STRLEN, "%s:%u.%u", fid_str(&id->fid, fid), id->comp, id->stripe);
	return out;
}

bool object_id_eq(const struct object_id *a, const struct object_id *b)
{
	return fid_eq(&a->fid, &b->fid) && a->comp == b->comp && a->stripe == b->stripe;
}

uint64_t object_id_hash(const struct object_id *id)
{
	uint64_t h = id->fid.seq * 0x9e3779b97f4a7c15ULL;

	h ^= (uint64_t)id->fid.oid << 32 | id->stripe;
	h += id->comp * 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ULL;
	return h ^ h >> 29;
}

void object_record_enc(struct wbuf *w, const struct object_record *rec)
{
	struct record code = {
		.version = RECORD_VERSION,
		.fid = rec->fid,
		.comp = rec->comp,
		.trunc_gen = rec->trunc_gen,
		.vsize = rec->vsize,
		.wtime = rec->wtime,
		.mtime = rec->mtime,
		.stripe = (uint16_t)rec->stripe,
		.stripe_count = (uint16_t)rec->layout.stripe_count,
		.stripe_units = (uint16_t)(rec->layout.stripe_size / STRIPE_SIZE_UNIT),
		.gen = (uint16_t)((rec->layout.gen & GEN_MASK) | (rec->sealed ? SEALED : 0)),
	}, *v = &code;
	uint32_t start = w->len, crc;

	RECORD_FIELDS(FIELD_ENC)
	if (w->rc)
		return;
	crc = crc32c_add(0, w->ptr + start, w->len - start);
	enc_u32(w, &crc);
}

static int dec_old(struct rbuf *r, struct object_record *out)
{
	struct record_old code = {0}, *v = &code;
	int rc = 0;

	OLD_FIELDS(FIELD_DEC)
	*out = (struct object_record){
		.version = code.version,
		.fid = code.fid,
		.comp = code.comp,
		.stripe = code.stripe,
		.trunc_gen = code.trunc_gen,
		.vsize = code.vsize,
		.wtime = code.wtime,
		.mtime = code.mtime,
	};
	return rc;
}

static int dec_new(struct rbuf *r, struct object_record *out)
{
	struct record code = {0}, *v = &code;
	int rc = 0;

	RECORD_FIELDS(FIELD_DEC)
	*out = (struct object_record){
		.version = code.version,
		.fid = code.fid,
		.comp = code.comp,
		.stripe = code.stripe,
		.trunc_gen = code.trunc_gen,
		.vsize = code.vsize,
		.wtime = code.wtime,
		.mtime = code.mtime,
		.layout = {(uint32_t)code.stripe_units * STRIPE_SIZE_UNIT, code.stripe_count,
			   code.gen & GEN_MASK},
		.sealed = code.gen & SEALED,
	};
	return rc;
}

int object_record_dec(struct span s, struct object_record *out)
{
	struct object_record rec = {0};
	struct rbuf r;
	uint32_t crc, version;
	int rc = 0;

	if (s.len < 2 * sizeof(crc))
		return -EUCLEAN;
	r = (struct rbuf){s.ptr + s.len - sizeof(crc), sizeof(crc)};
	if (dec_u32(&r, &crc) || crc != crc32c_add(0, s.ptr, s.len - sizeof(crc)))
		return -EUCLEAN;
	r = (struct rbuf){s.ptr, sizeof(version)};
	rc = dec_u32(&r, &version);
	r = (struct rbuf){s.ptr, s.len - sizeof(crc)};
	if (rc == 0 && version == RECORD_OLD)
		rc = dec_old(&r, &rec);
	else if (rc == 0)
		rc = version == RECORD_VERSION ? dec_new(&r, &rec) : -EUCLEAN;
	if (rc)
		return -EUCLEAN;
	*out = rec;
	return 0;
}
