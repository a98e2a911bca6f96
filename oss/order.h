/* SPDX-License-Identifier: Apache-2.0 */
/* order.h - which bytes of objects have which change, by number: changes that are done again come
 * in any order, and later ones must stay on top.
 *
 * For each object a set of ranges with the highest number that each has got. Changes of at most
 * ORDER_NEAR bytes lie in blocks, of which there are few per object; longer ones (holes,
 * truncations) are kept apart, and are fewer still.
 *
 * Pure; never suspends. The caller has the object to himself between the two calls for a change.
 */
#pragma once
#include "oss/object.h"

#define ORDER_END UINT64_MAX	/* of a range that has none */
#define ORDER_NEAR (16ULL << 20)

struct order;
struct order_range {
	uint64_t off, end;
};

must_check int order_create(struct order **out);
void order_destroy(struct order *o);
/* What of [off, end) has no higher number than this: *n ranges in ascending order, to be freed.
 * -ENOMEM. */
must_check int order_parts(struct order *o, const struct object_id *id, uint64_t off, uint64_t end,
			   uint64_t number, struct order_range **out, uint32_t *n);
/* All of these have the number now, where they have no higher one. -ENOMEM: maybe some of them. */
must_check int order_note(struct order *o, const struct object_id *id, uint64_t off, uint64_t end,
			  uint64_t number);
/* The change made the object at least this long. -ENOMEM. */
must_check int order_grew(struct order *o, const struct object_id *id, uint64_t end,
			  uint64_t number);
/* How long later changes have made it; 0: none has. */
uint64_t order_length(struct order *o, const struct object_id *id, uint64_t number);
/* The change made it shorter, or removed it. -ENOMEM. */
must_check int order_cut(struct order *o, const struct object_id *id, uint64_t number);
/* A later change did so. */
bool order_is_cut(struct order *o, const struct object_id *id, uint64_t number);
