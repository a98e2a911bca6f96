/* SPDX-License-Identifier: Apache-2.0 */
/* xattrs.c - see xattrs.h. */
#include "client/core/xattrs.h"
#include <stdlib.h>
#include <string.h>

struct xattr_known {
	LIST_ENTRY(xattr_known) link;
	TAILQ_ENTRY(xattr_known) age;
	int rc;
	uint32_t name_len, value_len;
	uint8_t text[]; /* name, value */
};

void xattrs_init(struct xattr_pool *p)
{
	TAILQ_INIT(&p->by_age);
	p->bytes = 0;
}

static uint64_t size_of(const struct xattr_known *k)
{
	return sizeof(*k) + k->name_len + k->value_len;
}

static struct span name_of(const struct xattr_known *k)
{
	return (struct span){k->text, k->name_len};
}

static void drop(struct xattr_pool *p, struct xattr_known *k)
{
	p->bytes -= size_of(k);
	TAILQ_REMOVE(&p->by_age, k, age);
	LIST_REMOVE(k, link);
	free(k);
}

static struct xattr_known *find(const struct xattrs *x, struct span name)
{
	struct xattr_known *k;

	LIST_FOREACH(k, x, link)
	if (span_eq(name_of(k), name))
		return k;
	return NULL;
}

void xattrs_put(struct xattr_pool *p, struct xattrs *x, struct span name, int rc, struct span value)
{
	struct xattr_known *k = find(x, name);

	if (k)
		drop(p, k);
	if (value.len > XATTRS_VALUE_MAX)
		return;
	k = malloc(sizeof(*k) + name.len + value.len);
	if (!k)
		return;
	k->rc = rc;
	k->name_len = name.len;
	k->value_len = value.len;
	if (name.len)
		memcpy(k->text, name.ptr, name.len);
	if (value.len)
		memcpy(k->text + name.len, value.ptr, value.len);
	LIST_INSERT_HEAD(x, k, link);
	TAILQ_INSERT_TAIL(&p->by_age, k, age);
	p->bytes += size_of(k);
	while (p->bytes > XATTRS_BYTES_MAX)
		drop(p, TAILQ_FIRST(&p->by_age));
}

bool xattrs_get(const struct xattrs *x, struct span name, int *rc, struct span *value)
{
	const struct xattr_known *k = find(x, name);

	if (!k)
		return false;
	*rc = k->rc;
	*value = (struct span){k->text + k->name_len, k->value_len};
	return true;
}

void xattrs_drop(struct xattr_pool *p, struct xattrs *x)
{
	while (!LIST_EMPTY(x))
		drop(p, LIST_FIRST(x));
}
