/* SPDX-License-Identifier: Apache-2.0 */
/* lov.c - Lustre's binary layouts; see lov.h and docs/formats.md.
 *
 * It writes what a Lustre client would show and reads what tools and archives hand back. Forms that
 * Sheen cannot build (mirrors, data on MDT, foreign, self-extending) are told apart from garbage.
 */
#include "common/lov.h"
#include "common/proto/field.h"

enum {
	V1_LEN = 32,
	V3_LEN = 48,
	POOL_LEN = 16,
	OBJ_LEN = 24,
	COMP_LEN = 32,
	ENTRY_LEN = 48,
};
#define LOV_MAGIC_JOIN 0x0BD20BD0U
#define LOV_MAGIC_FOREIGN 0x0BD70BD0U
#define LOV_MAGIC_SEL 0x0BD80BD0U
#define U16_ALL 0xffff /* -1 in the 16-bit fields: all OSTs, any OST */

/* clang-format off */
#define V1_FIELDS(F) F(u32, magic) F(u32, pattern) F(u64, oi_id) F(u64, oi_seq) \
	F(u32, stripe_size) F(u16, stripe_count) F(u16, stripe_offset)
#define OBJ_FIELDS(F) F(u64, id) F(u64, seq) F(u32, gen) F(u32, idx)
#define COMP_FIELDS(F) F(u32, magic) F(u32, size) F(u32, gen) F(u16, flags) F(u16, entries) \
	F(u16, mirrors) F(u16, ec) F(u32, pad1) F(u64, pad2)
#define ENTRY_FIELDS(F) F(u32, id) F(u32, flags) F(u64, start) F(u64, end) F(u32, offset) \
	F(u32, size) F(u32, gen) F(u64, timestamp) F(u32, coding)
/* clang-format on */

#define MUST_DEC(t, n) || dec_##t(r, &v->n)
#define LOV_STRUCT(nm, LIST)                                                  \
	struct nm {                                                           \
		LIST(FIELD_MEMBER)                                            \
	};                                                                    \
	static void put_##nm(struct wbuf *w, const struct nm *v)              \
	{                                                                     \
		LIST(FIELD_ENC)                                               \
	}                                                                     \
	static int get_##nm(struct rbuf *r, struct nm *v)                     \
	{                                                                     \
		return 0 LIST(MUST_DEC) ? -EINVAL : 0;                        \
	}
LOV_STRUCT(lov_v1, V1_FIELDS)
LOV_STRUCT(lov_obj, OBJ_FIELDS)
LOV_STRUCT(lov_comp, COMP_FIELDS)
LOV_STRUCT(lov_entry, ENTRY_FIELDS)

/* ---- writing ---- */

static bool is_plain(const struct layout *l)
{
	return l->ncomp == 1 && l->comp[0].start == 0 && l->comp[0].end == LAYOUT_EOF;
}

static uint32_t plain_len(const struct layout_comp *c)
{
	uint32_t n = c->ost ? (uint32_t)c->stripe_count : 0;

	return (c->pool[0] ? V3_LEN : V1_LEN) + n * OBJ_LEN;
}

static void enc_plain(struct wbuf *w, const struct layout *l, const struct layout_comp *c,
		      const struct fid *fid)
{
	uint32_t i, n = c->ost ? (uint32_t)c->stripe_count : 0;
	struct lov_v1 head = {
		.magic = c->pool[0] ? LOV_MAGIC_V3 : LOV_MAGIC_V1,
		.pattern = c->pattern,
		.oi_id = fid->oid,
		.oi_seq = fid->seq,
		.stripe_size = c->stripe_size,
		.stripe_count = (uint16_t)c->stripe_count,
		/* The field has two meanings: generation of what is, first OST of what is
		 * wanted. */
		.stripe_offset = (uint16_t)(c->ost ? l->gen : (uint32_t)c->stripe_offset),
	};

	put_lov_v1(w, &head);
	if (c->pool[0]) {
		char pool[POOL_LEN] = {0};

		memcpy(pool, c->pool, strnlen(c->pool, MAX_POOL_NAME));
		wbuf_put(w, pool, sizeof(pool));
	}
	for (i = 0; i < n; i++) {
		struct object_id o = {*fid, c->id, i};
		struct lov_obj obj = {lov_objid(&o), fid->seq, 0, c->ost[i]};

		put_lov_obj(w, &obj);
	}
}

static void enc_composite(struct wbuf *w, const struct layout *l, const struct fid *fid)
{
	struct lov_comp head = {
		.magic = LOV_MAGIC_COMP_V1,
		.size = COMP_LEN + l->ncomp * ENTRY_LEN,
		.gen = l->gen,
		.flags = (uint16_t)l->flags,
		.entries = (uint16_t)l->ncomp,
	};
	uint32_t i, at = head.size;

	for (i = 0; i < l->ncomp; i++)
		head.size += plain_len(&l->comp[i]);
	put_lov_comp(w, &head);
	for (i = 0; i < l->ncomp; i++) {
		const struct layout_comp *c = &l->comp[i];
		struct lov_entry e = {
			.id = c->id,
			.flags = c->flags,
			.start = c->start,
			.end = c->end,
			.offset = at,
			.size = plain_len(c),
		};

		put_lov_entry(w, &e);
		at += e.size;
	}
	for (i = 0; i < l->ncomp; i++)
		enc_plain(w, l, &l->comp[i], fid);
}

int lov_enc(struct wbuf *w, const struct layout *l, const struct fid *fid)
{
	uint32_t begin = w->len;

	assert(layout_check(l) == 0);
	if (is_plain(l))
		enc_plain(w, l, &l->comp[0], fid);
	else
		enc_composite(w, l, fid);
	if (w->rc)
		return w->rc;
	return w->len - begin > MAX_XATTR_VALUE ? -EMSGSIZE : 0;
}

/* ---- reading ---- */

/* One v1, v3 or SPECIFIC blob as a wish. */
struct plain_wish {
	struct lov_v1 head;
	char pool[POOL_LEN];
	uint32_t nost;	    /* explicit OSTs */
	struct rbuf objs;   /* at the first of them */
	bool has_objects;   /* a copy of an existing file's layout, not a wish from scratch */
};

static int get_pool(struct rbuf *r, char pool[POOL_LEN])
{
	if (r->len < POOL_LEN)
		return -EINVAL;
	memcpy(pool, r->ptr, POOL_LEN);
	r->ptr += POOL_LEN;
	r->len -= POOL_LEN;
	return memchr(pool, 0, POOL_LEN) ? 0 : -EINVAL;
}

static int get_plain(struct rbuf r, struct plain_wish *p)
{
	uint32_t n;

	memset(p, 0, sizeof(*p));
	if (get_lov_v1(&r, &p->head))
		return -EINVAL;
	if (p->head.magic != LOV_MAGIC_V1 && get_pool(&r, p->pool))
		return -EINVAL;
	n = p->head.stripe_count;
	if (p->head.pattern & LAYOUT_MDT)
		return -EOPNOTSUPP;
	if (n > MAX_STRIPES && n != U16_ALL)
		return -EINVAL;
	if (p->head.magic == LOV_MAGIC_SPECIFIC) {
		if (n == 0 || n > MAX_STRIPES || r.len < n * OBJ_LEN)
			return -EINVAL;
		p->nost = n;
		p->objs = r;
		return 0;
	}
	p->has_objects = r.len > 0;
	/* Objects, if any, must be whole; they are not ours to take over. */
	return r.len == 0 || (n <= MAX_STRIPES && r.len == n * OBJ_LEN) ? 0 : -EINVAL;
}

/* Fills c and takes room for its OSTs from *ost. */
static int wish_comp(struct plain_wish *p, struct layout_comp *c, uint32_t **ost)
{
	const struct lov_v1 *h = &p->head;
	struct lov_obj obj;
	uint32_t i;

	c->pattern = h->pattern ? h->pattern : LAYOUT_RAID0;
	c->stripe_size = h->stripe_size;
	c->stripe_count = h->stripe_count == U16_ALL ? -1 : h->stripe_count;
	c->stripe_offset = h->stripe_offset == U16_ALL || p->has_objects ? -1 : h->stripe_offset;
	memcpy(c->pool, p->pool, MAX_POOL_NAME);
	c->ost = p->nost ? *ost : NULL;
	for (i = 0; i < p->nost; i++) {
		if (get_lov_obj(&p->objs, &obj) || obj.idx > MAX_OST_INDEX)
			return -EINVAL;
		*(*ost)++ = obj.idx;
	}
	if (p->nost)
		c->stripe_offset = (int32_t)c->ost[0];
	return 0;
}

static int dec_plain(struct span blob, struct layout **out)
{
	CLEANUP(layout_freep) struct layout *l = NULL;
	struct plain_wish p;
	uint32_t *ost;
	int rc;

	rc = get_plain(rbuf_of(blob), &p);
	if (rc)
		return rc;
	rc = layout_alloc(1, p.nost, &l);
	if (rc)
		return rc;
	ost = l->comp[0].ost;
	rc = wish_comp(&p, &l->comp[0], &ost);
	if (rc)
		return rc;
	l->comp[0].id = 1;
	l->comp[0].end = LAYOUT_EOF;
	if (layout_check(l))
		return -EINVAL;
	*out = l;
	l = NULL;
	return 0;
}

/* The next entry and the blob that it points to. */
static int get_entry(struct span blob, struct rbuf *r, struct lov_entry *e, struct plain_wish *p)
{
	struct span sub;

	if (get_lov_entry(r, e) || e->offset > blob.len || e->size > blob.len - e->offset)
		return -EINVAL;
	if (e->id >> 16 || (e->flags & ~LCME_INIT))
		return -EOPNOTSUPP; /* mirrors, stale or self-extending components */
	sub = (struct span){blob.ptr + e->offset, e->size};
	return get_plain(rbuf_of(sub), p);
}

static uint32_t wish_id(const struct lov_entry *e, uint32_t i)
{
	return e->id ? e->id : i + 1;
}

static int dec_composite(struct span blob, struct layout **out)
{
	CLEANUP(layout_freep) struct layout *l = NULL;
	struct rbuf r = rbuf_of(blob), entries;
	uint32_t i, stripes = 0, *ost;
	struct lov_comp head;
	struct plain_wish p;
	struct lov_entry e;
	int rc;

	if (get_lov_comp(&r, &head) || head.size > blob.len)
		return -EINVAL;
	if (head.entries < 1 || head.entries > MAX_LAYOUT_COMPS)
		return -EINVAL;
	if (head.mirrors || (head.ec & 0xff))
		return -EOPNOTSUPP;
	entries = r;
	for (i = 0; i < head.entries; i++) {
		rc = get_entry(blob, &r, &e, &p);
		if (rc)
			return rc;
		stripes += p.nost;
	}
	rc = layout_alloc(head.entries, stripes, &l);
	if (rc)
		return rc;
	ost = l->comp[0].ost;
	for (i = 0; i < head.entries; i++) {
		rc = get_entry(blob, &entries, &e, &p);
		if (rc == 0)
			rc = wish_comp(&p, &l->comp[i], &ost);
		if (rc)
			return rc;
		l->comp[i].id = wish_id(&e, i);
		l->comp[i].start = e.start;
		l->comp[i].end = e.end;
	}
	if (layout_check(l))
		return -EINVAL;
	*out = l;
	l = NULL;
	return 0;
}

int lov_dec(struct span blob, struct layout **out)
{
	struct rbuf r = rbuf_of(blob);
	uint32_t magic;

	if (blob.len > MAX_XATTR_VALUE || dec_u32(&r, &magic))
		return -EINVAL;
	switch (magic) {
	case LOV_MAGIC_V1:
	case LOV_MAGIC_V3:
	case LOV_MAGIC_SPECIFIC:
		return dec_plain(blob, out);
	case LOV_MAGIC_COMP_V1:
		return dec_composite(blob, out);
	case LOV_MAGIC_JOIN:
	case LOV_MAGIC_FOREIGN:
	case LOV_MAGIC_SEL:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}
