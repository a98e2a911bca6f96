/* SPDX-License-Identifier: Apache-2.0 */
/* field.h - the field language that messages and LMDB records are declared in.
 *
 * A field list is a macro such as   #define REQ_mds_lookup(F) F(fid, parent) F(name, name)
 * and every type below has: the C type of the struct member (FT_<type>), enc_<type>() which
 * appends to a wbuf, dec_<type>() which takes from a rbuf, dbg_<type>() which prints.
 *
 * Little-endian, packed, no padding. Integers have fixed width. `name` is one path component
 * (1..255 bytes, no '/', no NUL, not "." or ".."), `optname` may be empty as well, `str` is text
 * without NUL up to MAX_PATH, `blob` any bytes. All of these are u32 length + bytes on the wire
 * and views (struct span) into the receive buffer in memory. `fid` must be sane or all zero.
 *
 * Evolution: fields are only appended. Decoding a body that ends early at a field boundary
 * yields zero for the fields behind; bytes behind the last known field are ignored. A body that
 * ends inside a field, or before a `name`, is -EBADMSG.
 *
 * A wbuf either grows (owned by its user, freed with wbuf_fini) or writes into fixed memory;
 * the first error sticks in w->rc. Never suspends; any thread.
 */
#pragma once
#include "common/base.h"
#include "common/fid.h"
#include <stdio.h>

struct wbuf {
	uint8_t *ptr;
	uint32_t len, cap;
	uint32_t max;	/* never grows beyond; -EMSGSIZE */
	bool fixed;	/* ptr is not ours to grow or free */
	int rc;
};

struct rbuf {
	const uint8_t *ptr;
	uint32_t len; /* left */
};

void wbuf_init(struct wbuf *w, uint32_t max);
void wbuf_init_fixed(struct wbuf *w, void *mem, uint32_t cap);
void wbuf_fini(struct wbuf *w);
/* Room for len more bytes, counted as written; NULL and w->rc on failure. */
uint8_t *wbuf_take(struct wbuf *w, uint32_t len);
void wbuf_put(struct wbuf *w, const void *src, uint32_t len);
static inline struct span wbuf_span(const struct wbuf *w)
{
	return (struct span){w->ptr, w->len};
}

static inline struct rbuf rbuf_of(struct span s)
{
	return (struct rbuf){s.ptr, s.len};
}

/* Attributes of an inode as they travel. Times are nanoseconds since the epoch. */
struct attr {
	uint32_t mode; /* type and permission bits */
	uint32_t uid, gid;
	uint32_t nlink;
	uint64_t rdev;
	uint64_t size;
	uint64_t blocks; /* of 512 bytes */
	int64_t atime, mtime, ctime, btime;
	uint32_t flags;	  /* ATTR_* */
	uint32_t trunc_gen; /* counts truncations; an OST refuses writes that carry an older one */
	/* Size unsure: an object's mtime counts if it is newer than this; 0: than ctime. (A
	 * rename of a file that is being written moves its ctime, but must not hide its mtime.) */
	int64_t fence;
	uint64_t seq; /* not on the wire: which answer of the MDS it is, to the client's leases */
};
/* As relatime: an access is noted if it is the first since a change, or a day later. */
static inline bool attr_atime_due(const struct attr *a, int64_t atime)
{
	if (atime <= a->atime)
		return false;
	return a->atime <= a->mtime || a->atime <= a->ctime ||
	       atime - a->atime >= 86400 * NSEC_PER_SEC;
}

enum {
	ATTR_SIZE_UNSURE = 1, /* writers have it open: size, blocks and mtime are at the objects */
	ATTR_HAS_ACL = 2,     /* has a POSIX ACL or a security xattr */
	ATTR_HAS_XATTR = 4,
	ATTR_HAS_LAYOUT = 8, /* regular file with a layout (with or without objects) */
};

#define FT_u8 uint8_t
#define FT_u16 uint16_t
#define FT_u32 uint32_t
#define FT_u64 uint64_t
#define FT_i32 int32_t
#define FT_i64 int64_t
#define FT_fid struct fid
#define FT_name struct span
#define FT_optname struct span
#define FT_str struct span
#define FT_blob struct span
#define FT_attr struct attr

#define FIELD_TYPES(T) \
	T(u8) T(u16) T(u32) T(u64) T(i32) T(i64) T(fid) T(name) T(optname) T(str) T(blob) T(attr)

#define FIELD_FUNCS(t)                                                  \
	void enc_##t(struct wbuf *w, const FT_##t *v);                  \
	must_check int dec_##t(struct rbuf *r, FT_##t *v);              \
	void dbg_##t(FILE *f, const FT_##t *v);
FIELD_TYPES(FIELD_FUNCS)
#undef FIELD_FUNCS

/* 0 when s is a legal path component; -ENAMETOOLONG, -EINVAL. */
must_check int name_check(struct span s);

/* FIELD_MEMBER declares a struct member, FIELD_ENC/DEC/DBG expand a whole list. A decoder needs the
 * variables r (struct rbuf *), v (the struct) and rc in scope. */
#define FIELD_MEMBER(t, n) FT_##t n;
#define FIELD_ENC(t, n) enc_##t(w, &v->n);
#define FIELD_DEC(t, n)                                \
	if (rc == 0 && (r->len || FIELD_MUST_##t))     \
		rc = dec_##t(r, &v->n);

/* Types of which zero is no value: a body may not end before such a field. */
#define FIELD_MUST_name 1
#define FIELD_MUST_optname 0
#define FIELD_MUST_u8 0
#define FIELD_MUST_u16 0
#define FIELD_MUST_u32 0
#define FIELD_MUST_u64 0
#define FIELD_MUST_i32 0
#define FIELD_MUST_i64 0
#define FIELD_MUST_fid 0
#define FIELD_MUST_str 0
#define FIELD_MUST_blob 0
#define FIELD_MUST_attr 0
#define FIELD_DBG(t, n)               \
	fprintf(f, " " #n "=");       \
	dbg_##t(f, &v->n);
