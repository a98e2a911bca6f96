/* SPDX-License-Identifier: Apache-2.0 */
/* lfs_json.c - layouts as JSON. Every field is always there, so that programs need no options; the
 * names are those of the text without their prefix. */
#include "client/tools/lfs_print.h"
#include "client/tools/tool_json.h"
#include <inttypes.h>

static void add_comp(struct json_object *o, const struct lfs_show *s, const struct tool_lov_comp *c)
{
	struct json_object *objs, *j;
	char text[64];
	uint32_t i;

	json_put_i64(o, "stripe_count", c->stripe_count == 0xffff ? -1 : (int64_t)c->stripe_count);
	json_put_u64(o, "stripe_size", c->stripe_size);
	json_put_str(o, "pattern", tool_lov_pattern(c->pattern, text, sizeof(text)));
	if (!s->is_dir)
		json_put_u64(o, "layout_gen", c->nobj ? c->gen : 0);
	if (c->nobj)
		json_put_i64(o, "stripe_offset", c->obj[0].idx);
	else
		json_put_i64(o, "stripe_offset",
			     s->is_dir && c->gen != 0xffff ? (int64_t)c->gen : -1);
	if (c->pool[0])
		json_put_str(o, "pool", c->pool);
	if (s->is_dir)
		return;
	objs = json_put_array(o, "objects");
	for (i = 0; i < c->nobj; i++) {
		j = json_add_object(objs);
		json_put_u64(j, "ost", c->obj[i].idx);
		json_put_u64(j, "objid", c->obj[i].id);
		snprintf(text, sizeof(text), "%#" PRIx64, c->obj[i].group);
		json_put_str(j, "group", text);
	}
}

void lfs_json_lov(struct json_object *o, const struct lfs_show *s, const struct tool_lov *l)
{
	struct json_object *comps, *j;
	uint32_t i;

	json_put_str(o, "type", s->is_dir ? "directory" : "file");
	if (s->fid && s->fid[0])
		json_put_str(o, "fid", s->fid);
	if (!l->composite) {
		add_comp(o, s, &l->comp[0]);
		return;
	}
	json_put_u64(o, "layout_gen", l->gen);
	json_put_u64(o, "mirror_count", l->mirrors);
	comps = json_put_array(o, "components");
	for (i = 0; i < l->ncomp; i++) {
		j = json_add_object(comps);
		json_put_u64(j, "id", l->comp[i].id);
		json_put_u64(j, "flags", l->comp[i].flags);
		json_put_u64(j, "start", l->comp[i].start);
		if (l->comp[i].end != LAYOUT_EOF)
			json_put_u64(j, "end", l->comp[i].end);
		add_comp(j, s, &l->comp[i]);
	}
}
