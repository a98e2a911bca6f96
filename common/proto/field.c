/* SPDX-License-Identifier: Apache-2.0 */
/* field.c - codec of the field language; see field.h.
 *
 * The only place that turns values into bytes and back. It knows no message.
 */
#include "common/proto/field.h"
#include "common/limits.h"
#include <ctype.h>
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>

void wbuf_init(struct wbuf *w, uint32_t max)
{
	*w = (struct wbuf){.max = max};
}

void wbuf_init_fixed(struct wbuf *w, void *mem, uint32_t cap)
{
	*w = (struct wbuf){.ptr = mem, .cap = cap, .max = cap, .fixed = true};
}

void wbuf_fini(struct wbuf *w)
{
	if (!w->fixed)
		free(w->ptr);
	*w = (struct wbuf){0};
}

static int wbuf_grow(struct wbuf *w, uint32_t need)
{
	uint32_t cap = w->cap ? w->cap : 256;
	uint8_t *ptr;

	if (need > w->max || w->fixed)
		return -EMSGSIZE;
	while (cap < need)
		cap *= 2;
	if (cap > w->max)
		cap = w->max;
	ptr = realloc(w->ptr, cap);
	if (!ptr)
		return -ENOMEM;
	w->ptr = ptr;
	w->cap = cap;
	return 0;
}

uint8_t *wbuf_take(struct wbuf *w, uint32_t len)
{
	uint8_t *at;

	if (w->rc)
		return NULL;
	if (len > UINT32_MAX - w->len) {
		w->rc = -EMSGSIZE;
		return NULL;
	}
	if (w->len + len > w->cap)
		w->rc = wbuf_grow(w, w->len + len);
	if (w->rc)
		return NULL;
	at = w->ptr + w->len;
	w->len += len;
	return at;
}

void wbuf_put(struct wbuf *w, const void *src, uint32_t len)
{
	uint8_t *at = wbuf_take(w, len);

	if (at && len)
		memcpy(at, src, len);
}

static int rbuf_take(struct rbuf *r, uint32_t len, const uint8_t **at)
{
	if (len > r->len)
		return -EBADMSG;
	*at = r->ptr;
	r->ptr += len;
	r->len -= len;
	return 0;
}

#define INT_FIELD(t, ctype, le, host, fmt)                      \
	void enc_##t(struct wbuf *w, const ctype *v)            \
	{                                                       \
		ctype x = (ctype)le(*v);                        \
		wbuf_put(w, &x, sizeof(x));                     \
	}                                                       \
	int dec_##t(struct rbuf *r, ctype *v)                   \
	{                                                       \
		const uint8_t *at;                              \
		int rc = rbuf_take(r, sizeof(*v), &at);         \
                                                                \
		if (rc)                                         \
			return rc;                              \
		memcpy(v, at, sizeof(*v));                      \
		*v = (ctype)host(*v);                           \
		return 0;                                       \
	}                                                       \
	void dbg_##t(FILE *f, const ctype *v)                   \
	{                                                       \
		fprintf(f, fmt, *v);                            \
	}

INT_FIELD(u8, uint8_t, , , "%u")
INT_FIELD(u16, uint16_t, htole16, le16toh, "%u")
INT_FIELD(u32, uint32_t, htole32, le32toh, "%u")
INT_FIELD(u64, uint64_t, htole64, le64toh, "%" PRIu64)
INT_FIELD(i32, int32_t, htole32, le32toh, "%d")
INT_FIELD(i64, int64_t, htole64, le64toh, "%" PRId64)

void enc_fid(struct wbuf *w, const struct fid *v)
{
	enc_u64(w, &v->seq);
	enc_u32(w, &v->oid);
	enc_u32(w, &v->ver);
}

int dec_fid(struct rbuf *r, struct fid *v)
{
	if (dec_u64(r, &v->seq) || dec_u32(r, &v->oid) || dec_u32(r, &v->ver))
		return -EBADMSG;
	return fid_is_zero(v) || fid_is_sane(v) ? 0 : -EBADMSG;
}

void dbg_fid(FILE *f, const struct fid *v)
{
	char buf[FID_STRLEN];

	fputs(fid_str(v, buf), f);
}

void enc_blob(struct wbuf *w, const struct span *v)
{
	enc_u32(w, &v->len);
	wbuf_put(w, v->ptr, v->len);
}

int dec_blob(struct rbuf *r, struct span *v)
{
	uint32_t len;

	if (dec_u32(r, &len) || rbuf_take(r, len, &v->ptr))
		return -EBADMSG;
	v->len = len;
	return 0;
}

/* Text of a peer goes to logs: what is not printable is escaped. */
void dbg_blob(FILE *f, const struct span *v)
{
	uint32_t i, n = v->len < 64 ? v->len : 64;

	fputc('"', f);
	for (i = 0; i < n; i++)
		fprintf(f, isprint(v->ptr[i]) ? "%c" : "\\x%02x", v->ptr[i]);
	fprintf(f, n < v->len ? "\"+%u" : "\"", v->len - n);
}

void enc_str(struct wbuf *w, const struct span *v)
{
	enc_blob(w, v);
}

int dec_str(struct rbuf *r, struct span *v)
{
	int rc = dec_blob(r, v);

	if (rc)
		return rc;
	if (v->len > MAX_PATH || (v->len && memchr(v->ptr, 0, v->len)))
		return -EBADMSG;
	return 0;
}

void dbg_str(FILE *f, const struct span *v)
{
	dbg_blob(f, v);
}

int name_check(struct span s)
{
	if (s.len > MAX_NAME)
		return -ENAMETOOLONG;
	if (s.len == 0 || memchr(s.ptr, 0, s.len) || memchr(s.ptr, '/', s.len))
		return -EINVAL;
	if (s.ptr[0] == '.' && (s.len == 1 || (s.len == 2 && s.ptr[1] == '.')))
		return -EINVAL;
	return 0;
}

void enc_name(struct wbuf *w, const struct span *v)
{
	assert(name_check(*v) == 0);
	enc_blob(w, v);
}

int dec_name(struct rbuf *r, struct span *v)
{
	int rc = dec_blob(r, v);

	return rc ? rc : name_check(*v) ? -EBADMSG : 0;
}

void dbg_name(FILE *f, const struct span *v)
{
	dbg_blob(f, v);
}

void enc_optname(struct wbuf *w, const struct span *v)
{
	assert(v->len == 0 || name_check(*v) == 0);
	enc_blob(w, v);
}

int dec_optname(struct rbuf *r, struct span *v)
{
	int rc = dec_blob(r, v);

	return rc ? rc : v->len && name_check(*v) ? -EBADMSG : 0;
}

void dbg_optname(FILE *f, const struct span *v)
{
	dbg_blob(f, v);
}

#define ATTR_FIELDS(F)                                                                    \
	F(u32, mode) F(u32, uid) F(u32, gid) F(u32, nlink) F(u64, rdev) F(u64, size)      \
	F(u64, blocks) F(i64, atime) F(i64, mtime) F(i64, ctime) F(i64, btime) F(u32, flags) \
	F(u32, trunc_gen) F(i64, fence)

void enc_attr(struct wbuf *w, const struct attr *v)
{
	ATTR_FIELDS(FIELD_ENC)
}

#define ATTR_DEC(t, n) || dec_##t(r, &v->n)

int dec_attr(struct rbuf *r, struct attr *v)
{
	return 0 ATTR_FIELDS(ATTR_DEC) ? -EBADMSG : 0;
}

void dbg_attr(FILE *f, const struct attr *v)
{
	fprintf(f, "{mode=0%o uid=%u gid=%u nlink=%u size=%" PRIu64 " flags=%u}", v->mode, v->uid,
		v->gid, v->nlink, v->size, v->flags);
}
