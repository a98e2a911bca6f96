/* SPDX-License-Identifier: Apache-2.0 */
/* lfs_print.c - layouts as text; see lfs_print.h. Widths and labels: reference samples in
 * tests/unit/client/tools. A single wanted field prints its bare value. */
#include "client/tools/lfs_print.h"
#include <inttypes.h>
#include <stdlib.h>

#define LCME_STALE 1
#define LCME_NAMES {"stale", "prefrd", "prefwr", "offline", "init", "nosync", "extension", "parity"}

struct out {
	FILE *f;
	const struct lfs_show *s;
	const char *indent; /* before "lmm_" */
	bool first;	    /* nothing on this directory line yet */
};

static bool only(const struct lfs_show *s, uint32_t field)
{
	return (s->fields & ~field) == 0;
}

/* Begins a field: label if there are others; false if it is not wanted. Fields of a directory
 * share a line. */
static bool begin(struct out *o, uint32_t field, const char *label)
{
	const struct lfs_show *s = o->s;
	int width;

	if (!(s->fields & field))
		return false;
	if (s->is_dir && !o->first)
		fputc(' ', o->f);
	if (!only(s, field)) {
		width = 15 + (s->is_dir ? 0 : 4);
		fputs(o->indent, o->f);
		fprintf(o->f, "%s%-*s", s->is_dir ? "" : "lmm_", width - (s->is_dir ? 0 : 4),
			label);
	}
	o->first = false;
	return true;
}

static void end(struct out *o)
{
	if (!o->s->is_dir)
		fputc('\n', o->f);
}

static void print_index(const struct out *o, int64_t idx)
{
	if (o->s->hex_idx && idx >= 0)
		fprintf(o->f, "%#" PRIx64, (uint64_t)idx);
	else
		fprintf(o->f, "%" PRId64, idx);
}

static int64_t first_ost(const struct lfs_show *s, const struct tool_lov_comp *c)
{
	if (c->nobj)
		return c->obj[0].idx;
	/* Without objects the field is the wish; only a directory or a bare component shows it. */
	if (s->is_dir && c->gen != 0xffff)
		return c->gen;
	return -1;
}

static void print_ids(struct out *o, const struct tool_lov_comp *c)
{
	const struct lfs_show *s = o->s;

	if ((s->fields & SHOW_DETAIL) && !s->is_dir) {
		fprintf(o->f, "%slmm_magic:         0x%08X\n", o->indent, c->magic);
		fprintf(o->f, "%slmm_seq:           %#" PRIx64 "\n", o->indent, c->seq);
		fprintf(o->f, "%slmm_object_id:     %#" PRIx64 "\n", o->indent, c->oid);
	}
	if (s->fields & (SHOW_DETAIL | SHOW_FID)) {
		if (!only(s, SHOW_FID))
			fprintf(o->f, "%slmm_fid:           ", o->indent);
		fprintf(o->f, "%s\n", s->fid);
	}
	if ((s->fields & SHOW_MDT) && (!(c->pattern & LAYOUT_MDT) || only(s, SHOW_MDT))) {
		if (!only(s, SHOW_MDT))
			fprintf(o->f, "%slmm_mdt_index:     ", o->indent);
		fprintf(o->f, "%u\n", s->mdt);
	}
}

static void print_fields(struct out *o, const struct tool_lov *l, const struct tool_lov_comp *c)
{
	uint32_t gen = c->nobj ? c->gen : 0; /* a wish has its first OST there */
	char pattern[64];

	if (begin(o, SHOW_COUNT, "stripe_count:")) {
		fprintf(o->f, "%d", c->stripe_count == 0xffff ? -1 : (int)c->stripe_count);
		end(o);
	}
	if (begin(o, SHOW_SIZE, "stripe_size:")) {
		fprintf(o->f, "%u", c->stripe_size);
		end(o);
	}
	if (begin(o, SHOW_PATTERN, "pattern:")) {
		fputs(tool_lov_pattern(c->pattern, pattern, sizeof(pattern)), o->f);
		end(o);
	}
	if (!o->s->is_dir && begin(o, SHOW_GEN, "layout_gen:")) {
		fprintf(o->f, "%u", only(o->s, SHOW_GEN) && l->composite ? l->gen : gen);
		end(o);
	}
	if (begin(o, SHOW_OFFSET, c->pattern & LAYOUT_MDT ? "mdt_index:" : "stripe_offset:")) {
		print_index(o, c->pattern & LAYOUT_MDT ? o->s->mdt : first_ost(o->s, c));
		end(o);
	}
	if (c->pool[0] && begin(o, SHOW_POOL, "pool:")) {
		fputs(c->pool, o->f);
		end(o);
	}
}

/* Objects show as oid and stripe in one number; as a FID the stripe is the version. */
static void print_obj_fid(FILE *f, const struct tool_lov_obj *obj)
{
	fprintf(f, "%#" PRIx64 ":%#x:", obj->group, (uint32_t)obj->id);
	fprintf(f, "0x%x", (uint32_t)(obj->id >> 32));
}

static const char *mark(const struct out *o, const struct tool_lov_obj *obj)
{
	return o->s->ost == (int64_t)obj->idx ? " *" : "";
}

static void print_plain_objects(struct out *o, const struct tool_lov_comp *c)
{
	uint32_t i;

	if (c->nobj)
		fputs("\tobdidx\t\t objid\t\t objid\t\t group\n", o->f);
	for (i = 0; i < c->nobj; i++) {
		const struct tool_lov_obj *obj = &c->obj[i];

		fprintf(o->f, o->s->hex_idx ? "\t%#6x" : "\t%6u", obj->idx);
		fprintf(o->f, "\t%14" PRIu64 "\t%#13" PRIx64 "\t%#14" PRIx64 "%s\n", obj->id,
			obj->id, obj->group, mark(o, obj));
	}
	fputc('\n', o->f);
}

static void print_yaml_objects(struct out *o, const struct tool_lov_comp *c)
{
	uint32_t i;

	if (c->nobj)
		fprintf(o->f, "%slmm_objects:\n", o->indent);
	for (i = 0; i < c->nobj; i++) {
		fprintf(o->f, "      - l_ost_idx: %u\n        l_fid:     ", c->obj[i].idx);
		print_obj_fid(o->f, &c->obj[i]);
		fputc('\n', o->f);
	}
	fputc('\n', o->f);
}

static void print_comp_objects(struct out *o, const struct tool_lov_comp *c)
{
	uint32_t i;

	if (c->nobj)
		fprintf(o->f, "%slmm_objects:\n", o->indent);
	for (i = 0; i < c->nobj; i++) {
		fprintf(o->f, o->s->hex_idx ? "      - %3u: { l_ost_idx: %#3x, l_fid: ["
					    : "      - %3u: { l_ost_idx: %3u, l_fid: [",
			i, c->obj[i].idx);
		print_obj_fid(o->f, &c->obj[i]);
		fprintf(o->f, "] }%s\n", mark(o, &c->obj[i]));
	}
	fputc('\n', o->f);
}

/* Counts belong to composite files and are asked for one at a time otherwise. */
static bool print_counts(FILE *f, const struct lfs_show *s, const struct tool_lov *l)
{
	if (only(s, SHOW_MIRRORS))
		fprintf(f, "%u\n", l->composite ? l->mirrors : 1);
	else if (only(s, SHOW_COMPS))
		fprintf(f, "%u\n", l->ncomp);
	else
		return false;
	return true;
}

static void print_plain(FILE *f, const struct lfs_show *s, const struct tool_lov *l)
{
	struct out o = {f, s, "", true};

	if (print_counts(f, s, l))
		return;
	print_ids(&o, &l->comp[0]);
	print_fields(&o, l, &l->comp[0]);
	if (s->is_dir && !o.first)
		fputc('\n', f);
	if (!(s->fields & SHOW_OBJECTS) || s->is_dir)
		return;
	if (s->yaml)
		print_yaml_objects(&o, &l->comp[0]);
	else
		print_plain_objects(&o, &l->comp[0]);
}

static void print_flags(FILE *f, uint32_t flags)
{
	static const char *const names[] = LCME_NAMES;
	const char *sep = "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(flags & 1U << i))
			continue;
		fprintf(f, "%s%s", sep, names[i]);
		sep = ",";
	}
	if (!*sep)
		fputc('0', f);
	fputc('\n', f);
}

static void print_entry_head(FILE *f, const struct lfs_show *s, const struct tool_lov_comp *c)
{
	const char *bullet = s->fields & SHOW_DETAIL || s->yaml ? "  - " : "    ";

	if (s->is_dir) {
		fprintf(f, "%slcme_id:             N/A\n    lcme_mirror_id:      N/A\n", bullet);
	} else {
		fprintf(f, "%slcme_id:             %u\n", bullet, c->id);
		fprintf(f, "    lcme_mirror_id:      %u\n", c->id >> 16);
	}
	fputs("    lcme_flags:          ", f);
	print_flags(f, c->flags);
	fprintf(f, "    lcme_extent.e_start: %" PRIu64 "\n", c->start);
	if (c->end == LAYOUT_EOF)
		fputs("    lcme_extent.e_end:   EOF\n", f);
	else
		fprintf(f, "    lcme_extent.e_end:   %" PRIu64 "\n", c->end);
	if (s->fields & SHOW_DETAIL)
		fprintf(f, "    lcme_offset:         %u\n    lcme_size:           %u\n", c->offset,
			c->size);
	if (s->fields & SHOW_DETAIL || s->yaml)
		fputs("    sub_layout:\n", f);
}

static const char *state_name(uint32_t flags)
{
	static const char *const names[] = {"0", "ro", "wp", "sp"};

	return names[flags & 3];
}

static void print_composite_head(FILE *f, const struct lfs_show *s, const struct tool_lov *l)
{
	if (s->fields & SHOW_DETAIL) {
		fputs("composite_header:\n", f);
		fprintf(f, "  lcm_magic:         0x%08X\n", l->magic);
		fprintf(f, "  lcm_size:          %u\n", l->size);
		fprintf(f, "  lcm_flags:         %s\n", state_name(l->flags));
	}
	fprintf(f, "  lcm_layout_gen:    %u\n", l->gen);
	fprintf(f, "  lcm_mirror_count:  %u\n", l->mirrors);
	fprintf(f, "  lcm_entry_count:   %u\n", l->ncomp);
	if (s->fields & SHOW_DETAIL || s->yaml)
		fputs("components:\n", f);
}

/* The component whose value stands for the file when one field is asked for: the last one that
 * has objects. */
static const struct tool_lov_comp *speaking(const struct tool_lov *l)
{
	const struct tool_lov_comp *c = &l->comp[0];
	uint32_t i;

	for (i = 0; i < l->ncomp; i++)
		if (l->comp[i].nobj || l->comp[i].flags & 0x10)
			c = &l->comp[i];
	return c;
}

static void print_composite(FILE *f, const struct lfs_show *s, const struct tool_lov *l)
{
	struct lfs_show part = *s;
	struct out o = {f, &part, "", true};
	uint32_t i;

	if (l->ncomp == 0 || print_counts(f, s, l))
		return;
	if ((s->fields & (s->fields - 1)) == 0 && s->fields != SHOW_OBJECTS) {
		print_ids(&o, speaking(l));
		print_fields(&o, l, speaking(l));
		if (s->is_dir && !o.first)
			fputc('\n', f);
		return;
	}
	print_composite_head(f, s, l);
	part.fields &= ~(uint32_t)(SHOW_DETAIL | SHOW_FID | SHOW_MDT);
	for (i = 0; i < l->ncomp; i++) {
		print_entry_head(f, s, &l->comp[i]);
		o.indent = "      ";
		o.first = true;
		if (s->fields & SHOW_DETAIL && !s->is_dir)
			fprintf(f, "      lmm_magic:         0x%08X\n", l->comp[i].magic);
		print_fields(&o, l, &l->comp[i]);
		if (s->is_dir) {
			fputs("\n\n", f);
		} else if (s->yaml) {
			print_yaml_objects(&o, &l->comp[i]);
		} else {
			print_comp_objects(&o, &l->comp[i]);
		}
	}
}

void lfs_print_lov(FILE *f, const struct lfs_show *s, const struct tool_lov *l)
{
	if (s->is_dir && (s->fields & SHOW_DETAIL))
		fputs("(Default) ", f);
	if (s->path)
		fprintf(f, "%s\n", s->path);
	if (l->composite)
		print_composite(f, s, l);
	else
		print_plain(f, s, l);
}
