/* SPDX-License-Identifier: Apache-2.0 */
/* str.c - a bounded text that grows. */
#include "blob/str.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void str_fini(struct str *s)
{
	free(s->p);
	*s = (struct str){.max = s->max};
}

void str_clear(struct str *s)
{
	s->len = 0;
	s->failed = 0;
	if (s->p)
		s->p[0] = 0;
}

static bool room(struct str *s, size_t more)
{
	size_t max = s->max ? s->max : STR_MAX, cap = s->cap ? s->cap : 64;
	char *p;

	if (s->failed)
		return false;
	if (more > max || s->len > max - more) {
		s->failed = -EMSGSIZE;
		return false;
	}
	if (s->len + more < s->cap)
		return true;
	while (cap <= s->len + more)
		cap *= 2;
	p = realloc(s->p, cap);
	if (!p) {
		s->failed = -ENOMEM;
		return false;
	}
	s->p = p;
	s->cap = cap;
	return true;
}

void str_add(struct str *s, const void *p, size_t len)
{
	if (!room(s, len))
		return;
	if (len)
		memcpy(s->p + s->len, p, len);
	s->len += len;
	s->p[s->len] = 0;
}

void str_puts(struct str *s, const char *text)
{
	str_add(s, text, strlen(text));
}

void str_putc(struct str *s, char c)
{
	str_add(s, &c, 1);
}

void str_printf(struct str *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !room(s, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(s->p + s->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	s->len += (size_t)n;
}

const char *str_get(const struct str *s)
{
	return s->p ? s->p : "";
}
