/* SPDX-License-Identifier: Apache-2.0 */
/* tool_lov.c - layout blobs for people; see tool_lov.h. The format: docs/formats.md. */
#include "client/tools/tool_lov.h"
#include "common/proto/field.h"
#include <stdlib.h>

enum { V1_LEN = 32, POOL_LEN = 16, OBJ_LEN = 24, COMP_LEN = 32, ENTRY_LEN = 48 };
enum { ALL16 = 0xffff };

/* Number of objects in a v1, v3 or SPECIFIC part, or -EINVAL. */
static int count_objs(struct span part, uint32_t *n)
{
	struct rbuf r = rbuf_of(part);
	uint32_t magic, head = V1_LEN;

	if (dec_u32(&r, &magic))
		return -EINVAL;
	if (magic != LOV_MAGIC_V1 && magic != LOV_MAGIC_V3 && magic != LOV_MAGIC_SPECIFIC)
		return -EINVAL;
	if (magic != LOV_MAGIC_V1)
		head += POOL_LEN;
	if (part.len < head || (part.len - head) % OBJ_LEN)
		return -EINVAL;
	*n = (part.len - head) / OBJ_LEN;
	return 0;
}

static int parse_head(struct rbuf *r, struct tool_lov_comp *c)
{
	uint16_t count, gen;

	if (dec_u32(r, &c->magic) || dec_u32(r, &c->pattern) || dec_u64(r, &c->oid) ||
	    dec_u64(r, &c->seq) || dec_u32(r, &c->stripe_size) || dec_u16(r, &count) ||
	    dec_u16(r, &gen))
		return -EINVAL;
	c->stripe_count = count;
	c->gen = gen;
	if (c->magic == LOV_MAGIC_V1)
		return 0;
	if (r->len < POOL_LEN)
		return -EINVAL;
	memcpy(c->pool, r->ptr, POOL_LEN);
	c->pool[POOL_LEN] = '\0';
	r->ptr += POOL_LEN;
	r->len -= POOL_LEN;
	return 0;
}

/* One part; takes c->nobj objects from *objs. */
static int parse_part(struct span part, struct tool_lov_comp *c, struct tool_lov_obj **objs)
{
	struct rbuf r = rbuf_of(part);
	uint32_t i, gen;

	if (count_objs(part, &c->nobj) || parse_head(&r, c))
		return -EINVAL;
	c->obj = *objs;
	for (i = 0; i < c->nobj; i++) {
		struct tool_lov_obj *o = (*objs)++;

		if (dec_u64(&r, &o->id) || dec_u64(&r, &o->group) || dec_u32(&r, &gen) ||
		    dec_u32(&r, &o->idx))
			return -EINVAL;
	}
	return 0;
}

static int parse_plain(struct span blob, struct tool_lov *l)
{
	struct tool_lov_obj *objs;
	uint32_t n;

	if (count_objs(blob, &n))
		return -EINVAL;
	l->ncomp = 1;
	l->size = blob.len;
	l->comp = calloc(1, sizeof(*l->comp));
	l->objs = calloc(n + 1, sizeof(*l->objs));
	if (!l->comp || !l->objs)
		return -ENOMEM;
	objs = l->objs;
	l->comp[0].end = LAYOUT_EOF;
	return parse_part(blob, &l->comp[0], &objs);
}

static int parse_entry(struct rbuf *r, uint32_t blob_len, struct tool_lov_comp *c)
{
	uint32_t gen, coding;
	uint64_t stamp;

	if (dec_u32(r, &c->id) || dec_u32(r, &c->flags) || dec_u64(r, &c->start) ||
	    dec_u64(r, &c->end) || dec_u32(r, &c->offset) || dec_u32(r, &c->size) ||
	    dec_u32(r, &gen) || dec_u64(r, &stamp) || dec_u32(r, &coding))
		return -EINVAL;
	return c->offset > blob_len || c->size > blob_len - c->offset ? -EINVAL : 0;
}

static int parse_composite(struct span blob, struct tool_lov *l)
{
	struct rbuf r = rbuf_of(blob);
	uint16_t flags, entries, mirrors, ec;
	uint32_t i, n, total = 0, pad;
	struct tool_lov_obj *objs;
	uint64_t pad2;

	if (dec_u32(&r, &l->magic) || dec_u32(&r, &l->size) || dec_u32(&r, &l->gen) ||
	    dec_u16(&r, &flags) || dec_u16(&r, &entries) || dec_u16(&r, &mirrors) ||
	    dec_u16(&r, &ec) || dec_u32(&r, &pad) || dec_u64(&r, &pad2))
		return -EINVAL;
	if (entries > r.len / ENTRY_LEN)
		return -EINVAL;
	l->composite = true;
	l->flags = flags;
	l->mirrors = mirrors + 1U;
	l->ncomp = entries;
	l->comp = calloc(entries + 1U, sizeof(*l->comp));
	if (!l->comp)
		return -ENOMEM;
	for (i = 0; i < entries; i++) {
		struct tool_lov_comp *c = &l->comp[i];

		if (parse_entry(&r, blob.len, c) ||
		    count_objs((struct span){blob.ptr + c->offset, c->size}, &n))
			return -EINVAL;
		total += n;
		if (total > MAX_STRIPES * MAX_LAYOUT_COMPS)
			return -EINVAL; /* parts that overlap could add up without end */
	}
	l->objs = calloc(total + 1, sizeof(*l->objs));
	if (!l->objs)
		return -ENOMEM;
	for (i = 0, objs = l->objs; i < entries; i++) {
		struct tool_lov_comp *c = &l->comp[i];

		if (parse_part((struct span){blob.ptr + c->offset, c->size}, c, &objs))
			return -EINVAL;
	}
	return 0;
}

int tool_lov_parse(const void *blob, size_t len, struct tool_lov *out)
{
	struct span s = {blob, (uint32_t)len};
	struct rbuf r = rbuf_of(s);
	int rc;

	memset(out, 0, sizeof(*out));
	if (len > MAX_XATTR_VALUE || dec_u32(&r, &out->magic))
		return -EINVAL;
	switch (out->magic) {
	case LOV_MAGIC_V1:
	case LOV_MAGIC_V3:
	case LOV_MAGIC_SPECIFIC:
		rc = parse_plain(s, out);
		break;
	case LOV_MAGIC_COMP_V1:
		rc = parse_composite(s, out);
		break;
	default:
		rc = (out->magic & 0xffff) == (LOV_MAGIC_V1 & 0xffff) ? -EOPNOTSUPP : -EINVAL;
	}
	if (rc)
		tool_lov_free(out);
	return rc;
}

void tool_lov_free(struct tool_lov *l)
{
	free(l->comp);
	free(l->objs);
	memset(l, 0, sizeof(*l));
}

int tool_lov_build(const struct tool_stripe_wish *w, struct wbuf *out)
{
	uint32_t magic = w->ost ? LOV_MAGIC_SPECIFIC : LOV_MAGIC_V1, pattern = LAYOUT_RAID0, i;
	uint16_t count = (uint16_t)(w->ost ? (int32_t)w->nost : w->stripe_count);
	uint16_t offset = (uint16_t)w->stripe_offset;
	const uint64_t zero = 0;

	enc_u32(out, &magic);
	enc_u32(out, &pattern);
	enc_u64(out, &zero);
	enc_u64(out, &zero);
	enc_u32(out, &w->stripe_size);
	enc_u16(out, &count);
	enc_u16(out, &offset);
	if (!w->ost)
		return out->rc;
	enc_u64(out, &zero); /* no pool */
	enc_u64(out, &zero);
	for (i = 0; i < w->nost; i++) {
		uint32_t gen = 0;

		enc_u64(out, &zero);
		enc_u64(out, &zero);
		enc_u32(out, &gen);
		enc_u32(out, &w->ost[i]);
	}
	return out->rc;
}

const char *tool_lov_pattern(uint32_t pattern, char *buf, size_t len)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {{0x1, "raid0"},	    {0x2, "raid1"},	   {0x4, "parity"},
		     {0x100, "mdt"},	    {0x200, "overstriped"}, {0x400, "foreign"},
		     {0x800, "compress"},   {0x40000000, "hole"},  {0x80000000, "released"}};
	uint32_t rest = pattern;
	size_t i, at = 0;

	buf[0] = '\0';
	for (i = 0; i < ARRAY_SIZE(names) && at < len; i++) {
		if (!(pattern & names[i].bit))
			continue;
		at += (size_t)snprintf(buf + at, len - at, "%s%s", at ? "," : "", names[i].name);
		rest &= ~names[i].bit;
	}
	if (rest || !pattern)
		snprintf(buf, len, "%x", pattern);
	return buf;
}
