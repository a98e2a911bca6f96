/* SPDX-License-Identifier: Apache-2.0 */
/* pairs.c - a bounded list of names and values. */
#include "blob/pairs.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

void pairs_fini(struct pairs *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		free(p->v[i].name); /* the value lies behind it */
	free(p->v);
	*p = PAIRS_INIT;
}

int pairs_add_n(struct pairs *p, const char *name, size_t name_len, const char *value,
		size_t value_len)
{
	size_t bytes = name_len + value_len + 2;
	char *text;

	if (p->n == PAIRS_MAX || bytes > PAIRS_BYTES || p->bytes > PAIRS_BYTES - bytes)
		return -EMSGSIZE;
	if (p->n == p->cap) {
		uint32_t cap = p->cap ? p->cap * 2 : 8;
		struct pair *v = realloc(p->v, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		p->v = v;
		p->cap = cap;
	}
	text = malloc(bytes);
	if (!text)
		return -ENOMEM;
	memcpy(text, name, name_len);
	text[name_len] = 0;
	if (value_len)
		memcpy(text + name_len + 1, value, value_len);
	text[bytes - 1] = 0;
	p->v[p->n++] = (struct pair){text, text + name_len + 1};
	p->bytes += bytes;
	return 0;
}

int pairs_add(struct pairs *p, const char *name, const char *value)
{
	return pairs_add_n(p, name, strlen(name), value, strlen(value));
}

int pairs_addf(struct pairs *p, const char *name, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n, rc;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -ENOMEM;
	rc = pairs_add(p, name, text);
	free(text);
	return rc;
}

int pairs_copy(struct pairs *to, const struct pairs *from)
{
	int rc = 0;

	for (uint32_t i = 0; i < from->n && rc == 0; i++)
		rc = pairs_add(to, from->v[i].name, from->v[i].value);
	return rc;
}

const char *pairs_get(const struct pairs *p, const char *name)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (strcasecmp(p->v[i].name, name) == 0)
			return p->v[i].value;
	return NULL;
}

void pairs_del(struct pairs *p, const char *name)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		if (strcasecmp(p->v[i].name, name) != 0) {
			p->v[n++] = p->v[i];
			continue;
		}
		p->bytes -= strlen(p->v[i].name) + strlen(p->v[i].value) + 2;
		free(p->v[i].name);
	}
	p->n = n;
}

static int by_name(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int d = strcmp(x->name, y->name);

	return d ? d : strcmp(x->value, y->value);
}

void pairs_sort(struct pairs *p)
{
	if (p->n)
		qsort(p->v, p->n, sizeof(*p->v), by_name);
}

bool pairs_same(const struct pairs *a, const struct pairs *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		const char *other = pairs_get(b, a->v[i].name);

		if (!other || strcmp(other, a->v[i].value) != 0)
			return false;
	}
	return true;
}
