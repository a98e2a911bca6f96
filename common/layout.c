/* SPDX-License-Identifier: Apache-2.0 */
/* layout.c - stripe arithmetic and Sheen's encoding of layouts; see layout.h.
 *
 * Stripes are counted from the start of the file, also in a component that starts later (as in
 * Lustre), so an object of such a component begins with a hole. Everything is derived from
 * obj_bytes(): how many bytes of an object lie below a file offset. It knows no OST and no I/O.
 */
#include "common/layout.h"
#include "common/proto/field.h"
#include <stdlib.h>
#include <sys/uio.h>

enum { LAYOUT_CODE_VERSION = 1 };

int layout_alloc(uint32_t ncomp, uint32_t stripes, struct layout **out)
{
	struct layout *l;
	size_t comps = sizeof(struct layout_comp) * ncomp;

	assert(ncomp >= 1 && ncomp <= MAX_LAYOUT_COMPS);
	assert(stripes <= MAX_LAYOUT_COMPS * MAX_STRIPES);
	l = calloc(1, sizeof(*l) + comps + sizeof(uint32_t) * stripes);
	if (!l)
		return -ENOMEM;
	l->ncomp = ncomp;
	l->comp = (struct layout_comp *)(l + 1);
	if (stripes)
		l->comp[0].ost = (uint32_t *)(l->comp + ncomp);
	*out = l;
	return 0;
}

void layout_free(struct layout *l)
{
	free(l);
}

void layout_freep(struct layout **l)
{
	layout_free(*l);
}

int layout_dup(const struct layout *l, struct layout **out)
{
	uint32_t i, stripes = 0, *ost;
	struct layout *d;
	int rc;

	for (i = 0; i < l->ncomp; i++)
		stripes += l->comp[i].ost ? (uint32_t)l->comp[i].stripe_count : 0;
	rc = layout_alloc(l->ncomp, stripes, &d);
	if (rc)
		return rc;
	ost = d->comp[0].ost;
	d->gen = l->gen;
	d->flags = l->flags;
	for (i = 0; i < l->ncomp; i++) {
		d->comp[i] = l->comp[i];
		if (!l->comp[i].ost)
			continue;
		d->comp[i].ost = ost;
		memcpy(ost, l->comp[i].ost, sizeof(*ost) * (uint32_t)l->comp[i].stripe_count);
		ost += l->comp[i].stripe_count;
	}
	*out = d;
	return 0;
}

int layout_plain(uint32_t stripe_size, int32_t count, int32_t offset, const char *pool,
		 const uint32_t *ost, struct layout **out)
{
	struct layout_comp *c;
	int rc;

	assert(!ost || (count >= 1 && count <= MAX_STRIPES));
	rc = layout_alloc(1, ost ? (uint32_t)count : 0, out);
	if (rc)
		return rc;
	c = &(*out)->comp[0];
	c->id = 1;
	c->end = LAYOUT_EOF;
	c->pattern = LAYOUT_RAID0;
	c->stripe_size = stripe_size;
	c->stripe_count = count;
	c->stripe_offset = offset;
	if (pool)
		strncpy(c->pool, pool, MAX_POOL_NAME);
	if (ost) {
		c->flags = LCME_INIT;
		memcpy(c->ost, ost, sizeof(*ost) * (uint32_t)count);
	}
	return 0;
}

/* ---- rules ---- */

static bool pool_ok(const char *pool)
{
	size_t n = strnlen(pool, MAX_POOL_NAME + 1);

	return n <= MAX_POOL_NAME &&
	       strspn(pool, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
		       n;
}

static bool comp_ok(const struct layout_comp *c)
{
	int32_t i;

	if (c->id == 0 || c->start >= c->end || !pool_ok(c->pool))
		return false;
	if (c->pattern != LAYOUT_RAID0 && c->pattern != (LAYOUT_RAID0 | LAYOUT_OVERSTRIPING))
		return false;
	if (c->stripe_size % STRIPE_SIZE_UNIT || c->stripe_size > STRIPE_SIZE_MAX)
		return false;
	if (c->stripe_count < -1 || c->stripe_count > MAX_STRIPES)
		return false;
	if (c->stripe_offset < -1 || c->stripe_offset > MAX_OST_INDEX)
		return false;
	if (!c->ost)
		return !(c->flags & LCME_INIT);
	/* An explicit list of OSTs in a wish may leave the stripe size to the file system. */
	if (c->stripe_count < 1 || ((c->flags & LCME_INIT) && c->stripe_size == 0))
		return false;
	for (i = 0; i < c->stripe_count; i++)
		if (c->ost[i] > MAX_OST_INDEX)
			return false;
	return true;
}

int layout_check(const struct layout *l)
{
	uint32_t i, j;

	if (l->ncomp < 1 || l->ncomp > MAX_LAYOUT_COMPS)
		return -EINVAL;
	for (i = 0; i < l->ncomp; i++) {
		if (!comp_ok(&l->comp[i]))
			return -EINVAL;
		if (i && l->comp[i].start < l->comp[i - 1].end)
			return -EINVAL;
		for (j = 0; j < i; j++)
			if (l->comp[j].id == l->comp[i].id)
				return -EINVAL;
	}
	return 0;
}

bool layout_has_objects(const struct layout *l)
{
	for (uint32_t i = 0; i < l->ncomp; i++)
		if (l->comp[i].flags & LCME_INIT)
			return true;
	return false;
}

/* ---- encoding ---- */

#define HEAD_FIELDS(F) F(u32, version) F(u32, gen) F(u32, flags) F(u32, ncomp)
#define COMP_FIELDS(F)                                                                \
	F(u32, id) F(u32, flags) F(u64, start) F(u64, end) F(u32, pattern)            \
	F(u32, stripe_size) F(i32, stripe_count) F(i32, stripe_offset) F(str, pool)   \
	F(u32, nost)

struct code_head {
	HEAD_FIELDS(FIELD_MEMBER)
};
struct code_comp {
	COMP_FIELDS(FIELD_MEMBER)
};
#define MUST_DEC(t, n) || dec_##t(r, &v->n)

static void enc_comp(struct wbuf *w, const struct layout_comp *c)
{
	uint32_t i, n = c->ost ? (uint32_t)c->stripe_count : 0;
	struct code_comp code = {
		.id = c->id,
		.flags = c->flags,
		.start = c->start,
		.end = c->end,
		.pattern = c->pattern,
		.stripe_size = c->stripe_size,
		.stripe_count = c->stripe_count,
		.stripe_offset = c->stripe_offset,
		.pool = SPAN_STR(c->pool),
		.nost = n,
	}, *v = &code;

	COMP_FIELDS(FIELD_ENC)
	for (i = 0; i < n; i++)
		enc_u32(w, &c->ost[i]);
}

int layout_enc(struct wbuf *w, const struct layout *l)
{
	struct code_head head = {LAYOUT_CODE_VERSION, l->gen, l->flags, l->ncomp}, *v = &head;
	uint32_t i, begin = w->len;

	assert(layout_check(l) == 0);
	HEAD_FIELDS(FIELD_ENC)
	for (i = 0; i < l->ncomp; i++)
		enc_comp(w, &l->comp[i]);
	if (w->rc)
		return w->rc;
	return w->len - begin > MAX_LAYOUT_BLOB ? -EMSGSIZE : 0;
}

static int dec_comp(struct rbuf *r, struct code_comp *v)
{
	if (0 COMP_FIELDS(MUST_DEC))
		return -EBADMSG;
	if (v->pool.len > MAX_POOL_NAME || v->nost > r->len / sizeof(uint32_t))
		return -EBADMSG;
	return v->nost == 0 || (int64_t)v->nost == v->stripe_count ? 0 : -EBADMSG;
}

/* First pass: the number of OST indexes in all, so that one allocation holds everything. */
static int count_stripes(struct rbuf r, uint32_t ncomp, uint32_t *stripes)
{
	struct code_comp c;
	uint32_t i;

	*stripes = 0;
	for (i = 0; i < ncomp; i++) {
		if (dec_comp(&r, &c) || c.nost > MAX_STRIPES)
			return -EBADMSG;
		*stripes += c.nost;
		r.ptr += c.nost * sizeof(uint32_t);
		r.len -= c.nost * (uint32_t)sizeof(uint32_t);
	}
	return r.len ? -EBADMSG : 0;
}

static int fill_comp(struct rbuf *r, struct layout_comp *c, uint32_t **ost)
{
	struct code_comp code;
	uint32_t i;

	if (dec_comp(r, &code))
		return -EBADMSG;
	*c = (struct layout_comp){
		.id = code.id,
		.flags = code.flags,
		.start = code.start,
		.end = code.end,
		.pattern = code.pattern,
		.stripe_size = code.stripe_size,
		.stripe_count = code.stripe_count,
		.stripe_offset = code.stripe_offset,
		.ost = code.nost ? *ost : NULL,
	};
	if (code.pool.len)
		memcpy(c->pool, code.pool.ptr, code.pool.len);
	for (i = 0; i < code.nost; i++)
		if (dec_u32(r, (*ost)++))
			return -EBADMSG;
	return 0;
}

int layout_dec(struct span s, struct layout **out)
{
	CLEANUP(layout_freep) struct layout *l = NULL;
	struct rbuf rb = rbuf_of(s), *r = &rb;
	struct code_head head, *v = &head;
	uint32_t i, stripes, *ost;
	int rc;

	if (s.len > MAX_LAYOUT_BLOB || (0 HEAD_FIELDS(MUST_DEC)))
		return -EBADMSG;
	if (head.version != LAYOUT_CODE_VERSION || head.ncomp < 1 || head.ncomp > MAX_LAYOUT_COMPS)
		return -EBADMSG;
	if (count_stripes(rb, head.ncomp, &stripes))
		return -EBADMSG;
	rc = layout_alloc(head.ncomp, stripes, &l);
	if (rc)
		return rc;
	l->gen = head.gen;
	l->flags = head.flags;
	ost = l->comp[0].ost;
	for (i = 0; i < l->ncomp; i++)
		if (fill_comp(r, &l->comp[i], &ost))
			return -EBADMSG;
	if (layout_check(l))
		return -EBADMSG;
	*out = l;
	l = NULL;
	return 0;
}

/* ---- arithmetic ---- */

/* Bytes of the stripe's object that hold file bytes below `off`, as if the component started at
 * 0. */
static uint64_t obj_bytes(const struct layout_comp *c, uint32_t stripe, uint64_t off)
{
	uint64_t width = (uint64_t)c->stripe_size * (uint32_t)c->stripe_count;
	uint64_t rounds = off / width, rest = off % width;
	uint64_t mine = (uint64_t)stripe * c->stripe_size;

	rest = rest > mine ? min_u64(rest - mine, c->stripe_size) : 0;
	return rounds * c->stripe_size + rest;
}

uint64_t layout_file_off(const struct layout_comp *c, uint32_t stripe, uint64_t obj_off)
{
	uint64_t width = (uint64_t)c->stripe_size * (uint32_t)c->stripe_count;
	uint64_t base, rest = (uint64_t)stripe * c->stripe_size + obj_off % c->stripe_size;

	/* An OST may name any size: what no file can have saturates. */
	if (__builtin_mul_overflow(obj_off / c->stripe_size, width, &base) ||
	    __builtin_add_overflow(base, rest, &base))
		return UINT64_MAX;
	return base;
}

uint64_t layout_obj_size(const struct layout_comp *c, uint32_t stripe, uint64_t size)
{
	uint64_t n;

	if (size <= c->start)
		return 0;
	n = obj_bytes(c, stripe, min_u64(size, c->end));
	return n > obj_bytes(c, stripe, c->start) ? n : 0;
}

uint64_t layout_file_size(const struct layout_comp *c, uint32_t stripe, uint64_t obj_size)
{
	uint64_t last;

	if (obj_size == 0)
		return 0;
	last = layout_file_off(c, stripe, obj_size - 1);
	if (last < c->start)
		return 0;
	return last < UINT64_MAX ? last + 1 : UINT64_MAX;
}

/* Runs of [off, end), which lies in component ci. Stripes follow each other in file order from the
 * one that holds off, so the runs come out in ascending file_off. */
static int map_comp(const struct layout *l, uint32_t ci, uint64_t off, uint64_t end,
		    struct layout_run *runs, int max)
{
	const struct layout_comp *c = &l->comp[ci];
	uint32_t i, count = (uint32_t)c->stripe_count;
	uint64_t unit = off / c->stripe_size, at = off, obj_off;
	int n = 0;

	for (i = 0; i < count && at < end; i++) {
		uint32_t stripe = (uint32_t)((unit + i) % count);

		if (n == max)
			return -ENOSPC;
		obj_off = obj_bytes(c, stripe, off);
		runs[n++] = (struct layout_run){
			.comp = ci,
			.stripe = stripe,
			.obj_off = obj_off,
			.len = obj_bytes(c, stripe, end) - obj_off,
			.file_off = at,
		};
		at = (unit + i + 1) * c->stripe_size;
	}
	return n;
}

int layout_map(const struct layout *l, uint64_t off, uint64_t len, struct layout_run *runs, int max)
{
	uint64_t end = off + len;
	uint32_t i;
	int n = 0, rc;

	assert(len > 0 && end > off && end <= MAX_FILE_SIZE);
	for (i = 0; i < l->ncomp && off < end; i++) {
		const struct layout_comp *c = &l->comp[i];
		uint64_t stop = min_u64(end, c->end);

		if (off >= c->end)
			continue;
		/* A wish may have a list of OSTs, even without a stripe size. */
		if (off < c->start || !(c->flags & LCME_INIT))
			return -ENODATA;
		rc = map_comp(l, i, off, stop, runs + n, max - n);
		if (rc < 0)
			return rc;
		n += rc;
		off = stop;
	}
	return off < end ? -ENODATA : n;
}

int layout_run_iov(const struct layout *l, const struct layout_run *r, uint8_t *buf,
		   uint64_t buf_off, uint64_t buf_len, struct iovec *iov, int max)
{
	const struct layout_comp *c = &l->comp[r->comp];
	uint64_t obj_off = r->obj_off, left = r->len;
	int n = 0;

	while (left) {
		uint64_t at = layout_file_off(c, r->stripe, obj_off);
		uint64_t len = min_u64(left, c->stripe_size - obj_off % c->stripe_size);
		uint8_t *ptr = buf + (at - buf_off);

		assert(at >= buf_off && at - buf_off <= buf_len && len <= buf_len - (at - buf_off));
		if (n && (uint8_t *)iov[n - 1].iov_base + iov[n - 1].iov_len == ptr) {
			iov[n - 1].iov_len += len; /* one stripe: pieces are neighbours */
		} else {
			if (n == max)
				return -ENOSPC;
			iov[n++] = (struct iovec){ptr, len};
		}
		obj_off += len;
		left -= len;
	}
	return n;
}
