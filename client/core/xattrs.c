/* SPDX-License-Identifier: Apache-2.0 */
/* xattrs.c - see xattrs.h. */
#include "client/core/xattrs.h"
#include "common/proto/proto.h"
#include <stdlib.h>
#include <string.h>

struct xattr_known {
	struct xattrs *of;
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
	k->of->n--;
	k->of->whole = false;
	TAILQ_REMOVE(&p->by_age, k, age);
	LIST_REMOVE(k, link);
	free(k);
}

static struct xattr_known *find(const struct xattrs *x, struct span name)
{
	struct xattr_known *k;

	LIST_FOREACH(k, &x->known, link)
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
	if (x->n >= XATTRS_NAMES_MAX)
		xattrs_drop(p, x);
	k = malloc(sizeof(*k) + name.len + value.len);
	if (!k)
		return;
	k->of = x;
	k->rc = rc;
	k->name_len = name.len;
	k->value_len = value.len;
	if (name.len)
		memcpy(k->text, name.ptr, name.len);
	if (value.len)
		memcpy(k->text + name.len, value.ptr, value.len);
	LIST_INSERT_HEAD(&x->known, k, link);
	x->n++;
	TAILQ_INSERT_TAIL(&p->by_age, k, age);
	p->bytes += size_of(k);
	while (p->bytes > XATTRS_BYTES_MAX)
		drop(p, TAILQ_FIRST(&p->by_age));
}

/* Puts them, and their names into w. How many; or 0. */
static uint32_t put_records(struct xattr_pool *p, struct xattrs *x, struct span all, struct wbuf *w)
{
	struct rbuf r = rbuf_of(all);
	struct mds_xattr a;
	uint32_t n = 1;

	for (; r.len; n++) {
		if (dec_mds_xattr(&r, &a) || !a.name.len || a.name.len > MAX_XATTR_NAME)
			return 0;
		xattrs_put(p, x, a.name, 0, a.value);
		wbuf_put(w, a.name.ptr, a.name.len);
		wbuf_put(w, "", 1);
	}
	xattrs_put(p, x, SPAN_NONE, 0, wbuf_span(w));
	return w->rc ? 0 : n;
}

bool xattrs_put_all(struct xattr_pool *p, struct xattrs *x, struct span all)
{
	struct wbuf w;
	uint32_t n;

	xattrs_drop(p, x);
	wbuf_init(&w, XATTRS_VALUE_MAX);
	n = put_records(p, x, all, &w);
	wbuf_fini(&w);
	x->whole = n && x->n == n; /* else something was not kept */
	if (!x->whole)
		xattrs_drop(p, x);
	return x->whole;
}

static bool has_prefix(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len > n && memcmp(s.ptr, prefix, n) == 0;
}

#define TRUSTED_LOV "trusted.lov"

bool xattrs_is_plain(struct span name)
{
	if (span_eq(name, SPAN_STR(TRUSTED_LOV)))
		return false;
	return has_prefix(name, "user.") || has_prefix(name, "security.") ||
	       has_prefix(name, "trusted.") || span_eq(name, SPAN_STR("system.posix_acl_access")) ||
	       span_eq(name, SPAN_STR("system.posix_acl_default"));
}

/* Of those that are not there, whole or not: the layout has two names. */
static const struct xattr_known *find_lov(const struct xattrs *x, struct span name, bool *none)
{
	const struct xattr_known *k = NULL;
	struct span lov = SPAN_STR("lustre.lov");

	if (span_eq(name, SPAN_STR(TRUSTED_LOV)))
		k = find(x, lov);
	*none = !k && (xattrs_is_plain(name) || span_eq(name, lov) ||
		       span_eq(name, SPAN_STR(TRUSTED_LOV)));
	return k;
}

bool xattrs_get(const struct xattrs *x, struct span name, int *rc, struct span *value)
{
	const struct xattr_known *k = find(x, name);
	bool none = false;

	if (!k && x->whole)
		k = find_lov(x, name, &none);
	if (none) {
		*rc = -ENODATA;
		*value = SPAN_NONE;
		return true;
	}
	if (!k)
		return false;
	*rc = k->rc;
	*value = (struct span){k->text + k->name_len, k->value_len};
	return true;
}

void xattrs_drop(struct xattr_pool *p, struct xattrs *x)
{
	while (!LIST_EMPTY(&x->known))
		drop(p, LIST_FIRST(&x->known));
}
