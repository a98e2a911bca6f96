/* SPDX-License-Identifier: Apache-2.0 */
/* objects.h - what a client knows of the objects of one file, and what follows from it.
 *
 * Objects of all components are numbered through: component 0's stripes first. Size of the file is
 * the largest size that any object proves; blocks are the sum; mtime is the newest.
 *
 * Pure; the owner of a struct objs locks it.
 */
#pragma once
#include "common/layout.h"

struct obj_state {
	bool known;
	uint64_t size, blocks;
	int64_t mtime;
	uint64_t version; /* of the object: replies may overtake each other */
};

struct objs {
	uint32_t n;
	struct obj_state *at; /* n entries */
};

/* Number of objects that a layout has. */
uint32_t objs_count(const struct layout *l);
/* Number of the object of a stripe; and the way back. */
uint32_t objs_index(const struct layout *l, uint32_t comp, uint32_t stripe);
void objs_place(const struct layout *l, uint32_t i, uint32_t *comp, uint32_t *stripe);

/* What a reply said about an object; an older reply that comes late changes nothing. */
void objs_note(struct objs *o, uint32_t i, const struct obj_state *s);

/* All unknown. -ENOMEM. o must be zero or of the same layout. */
must_check int objs_init(struct objs *o, const struct layout *l);
void objs_fini(struct objs *o);
void objs_forget(struct objs *o);
/* All but the one that the size comes from. */
void objs_forget_smaller(struct objs *o, const struct layout *l);
/* What is not known does not exist (the file was empty when it was opened). */
void objs_rest_empty(struct objs *o);

/* From the known objects. */
uint64_t objs_size(const struct objs *o, const struct layout *l);
uint64_t objs_blocks(const struct objs *o);
int64_t objs_mtime(const struct objs *o);

/* The part of an object that lies in [off, end) of the file; false: none. Offsets in the object. */
bool objs_range(const struct layout_comp *c, uint32_t stripe, uint64_t off, uint64_t end,
		uint64_t *obj_off, uint64_t *obj_len);
