/* SPDX-License-Identifier: Apache-2.0 */
/* str.h - a text that grows, with an upper bound, and whose failures are asked for once at the end.
 *
 * After an allocation failed or max was passed, additions do nothing and `failed` says why.
 * p is NULL or ends with a NUL that len does not count. Pure.
 */
#pragma once
#include "common/base.h"

struct str {
	char *p;
	size_t len, cap;
	size_t max; /* 0: STR_MAX */
	int failed; /* -ENOMEM, -EMSGSIZE */
};

#define STR_MAX  (256U << 20)
#define STR_INIT ((struct str){0})

void str_fini(struct str *s); /* for CLEANUP() as well; s may be used again */
void str_clear(struct str *s);
void str_add(struct str *s, const void *p, size_t len);
void str_puts(struct str *s, const char *text);
void str_putc(struct str *s, char c);
void str_printf(struct str *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The text, never NULL. */
const char *str_get(const struct str *s);
