/* SPDX-License-Identifier: Apache-2.0 */
/* pairs.h - a short list of names with values: metadata, headers, a query.
 *
 * Names and values are copies. Bounded by PAIRS_MAX entries and PAIRS_BYTES in all, because the
 * other side may be the one who fills it. Pure.
 */
#pragma once
#include "common/base.h"

#define PAIRS_MAX   256
#define PAIRS_BYTES (64U << 10)

struct pair {
	char *name, *value;
};

struct pairs {
	struct pair *v;
	uint32_t n, cap;
	size_t bytes;
};

#define PAIRS_INIT ((struct pairs){0})

void pairs_fini(struct pairs *p); /* for CLEANUP() as well; p may be used again */
/* Adds at the end. -EMSGSIZE: too many or too long; -ENOMEM. */
must_check int pairs_add(struct pairs *p, const char *name, const char *value);
must_check int pairs_add_n(struct pairs *p, const char *name, size_t name_len, const char *value,
			   size_t value_len);
must_check int pairs_addf(struct pairs *p, const char *name, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
must_check int pairs_copy(struct pairs *to, const struct pairs *from);
/* The first value with this name, in upper or lower case; NULL. */
const char *pairs_get(const struct pairs *p, const char *name);
/* Removes all with this name, in upper or lower case. */
void pairs_del(struct pairs *p, const char *name);
/* By name, then value, byte by byte. */
void pairs_sort(struct pairs *p);
/* True if the same names (in any case) have the same values, in any order. */
bool pairs_same(const struct pairs *a, const struct pairs *b);
