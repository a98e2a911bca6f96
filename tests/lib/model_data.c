/* SPDX-License-Identifier: Apache-2.0 */
/* model_data.c - bytes, locks and extended attributes of the model file system.
 *
 * Bytes are in 4 KiB pages, allocated as a local file system would, so that the blocks of a file
 * are exact too. Locks are kept cell by cell for every owner: no ranges to split or merge.
 */
#include "tests/lib/model_data.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PAGE 4096U
#define XATTR_VALUE_MAX 65536U

/* ------------------------------------------------------------------ pages */

static uint64_t page_at(const struct model_node *n, uint64_t index)
{
	uint64_t k = 0;

	while (k < n->npages && n->page[k].index < index)
		k++;
	return k;
}

static struct model_page *page_get(const struct model_node *n, uint64_t index)
{
	uint64_t k = page_at(n, index);

	return k < n->npages && n->page[k].index == index ? &n->page[k] : NULL;
}

static struct model_page *page_add(struct model_node *n, uint64_t index)
{
	struct model_page *p = page_get(n, index);
	uint64_t k = page_at(n, index);

	if (p)
		return p;
	n->page = realloc(n->page, (n->npages + 1) * sizeof(*n->page));
	assert(n->page);
	memmove(&n->page[k + 1], &n->page[k], (n->npages - k) * sizeof(*n->page));
	n->npages++;
	n->page[k] = (struct model_page){.index = index};
	return &n->page[k];
}

static void pages_del(struct model_node *n, uint64_t from, uint64_t to)
{
	uint64_t k, left = 0;

	for (k = 0; k < n->npages; k++) {
		if (n->page[k].index >= from && n->page[k].index < to)
			free(n->page[k].data);
		else
			n->page[left++] = n->page[k];
	}
	n->npages = left;
}

static void zero(struct model_node *n, uint64_t off, uint64_t end)
{
	struct model_page *p = page_get(n, off / PAGE);

	if (off < end && p && p->data)
		memset(p->data + off % PAGE, 0, end - off);
}

void model_data_cut(struct model_node *n, uint64_t size)
{
	uint64_t keep = (size + PAGE - 1) / PAGE;

	if (size % PAGE)
		zero(n, size, keep * PAGE);
	pages_del(n, keep, UINT64_MAX);
}

int64_t model_read(struct model_node *n, void *buf, uint64_t len, uint64_t off)
{
	uint8_t *to = buf;
	uint64_t left;

	if (off >= n->a.size)
		return 0;
	len = min_u64(len, n->a.size - off);
	memset(to, 0, len);
	for (left = len; left;) {
		struct model_page *p = page_get(n, off / PAGE);
		uint64_t part = min_u64(left, PAGE - off % PAGE);

		if (p && p->data)
			memcpy(to, p->data + off % PAGE, part);
		to += part;
		off += part;
		left -= part;
	}
	return (int64_t)len;
}

void model_write(struct model *m, struct model_node *n, const void *buf, uint64_t len,
		 uint64_t off)
{
	const uint8_t *from = buf;

	if (!len)
		return;
	n->a.size = max_u64(n->a.size, off + len);
	while (len) {
		struct model_page *p = page_add(n, off / PAGE);
		uint64_t part = min_u64(len, PAGE - off % PAGE);

		if (!p->data)
			p->data = calloc(1, PAGE);
		assert(p->data);
		memcpy(p->data + off % PAGE, from, part);
		from += part;
		off += part;
		len -= part;
	}
	n->mtime = n->ctime = model_now(m);
}

static void clear(struct model_node *n, uint64_t off, uint64_t end)
{
	uint64_t first = (off + PAGE - 1) / PAGE, last = end / PAGE;

	if (first > last) {
		zero(n, off, end);
		return;
	}
	zero(n, off, first * PAGE);
	zero(n, last * PAGE, end);
	pages_del(n, first, last);
}

static void loosen(struct model_time *t, struct model_time now)
{
	if (now.lo < t->lo)
		t->lo = now.lo;
	if (now.hi > t->hi)
		t->hi = now.hi;
}

static bool any_page(const struct model_node *n, uint64_t off, uint64_t end)
{
	uint64_t k = page_at(n, off / PAGE);

	return k < n->npages && n->page[k].index <= (end - 1) / PAGE;
}

int model_fallocate(struct model *m, struct model_node *n, int mode, uint64_t off, uint64_t len)
{
	uint64_t end = off + len;

	if (!len)
		return -EINVAL;
	if (mode & FALLOC_FL_PUNCH_HOLE && !any_page(n, off, end)) {
		/* Nothing is there: whether the times change depends on the file system. */
		loosen(&n->mtime, model_now(m));
		loosen(&n->ctime, model_now(m));
		return 0;
	}
	if (mode & FALLOC_FL_PUNCH_HOLE)
		clear(n, off, end);
	if (mode & FALLOC_FL_ZERO_RANGE)
		clear(n, off, end);
	if (!(mode & FALLOC_FL_PUNCH_HOLE))
		for (uint64_t at = off / PAGE; at <= (end - 1) / PAGE; at++)
			page_add(n, at);
	if (!(mode & FALLOC_FL_PUNCH_HOLE) && (mode & FALLOC_FL_KEEP_SIZE))
		n->ahead = true;
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		n->a.size = max_u64(n->a.size, end);
	n->mtime = n->ctime = model_now(m);
	return 0;
}

int64_t model_seek(const struct model_node *n, uint64_t off, int whence)
{
	uint64_t k;

	if (off >= n->a.size)
		return -ENXIO;
	k = page_at(n, off / PAGE);
	if (whence == SEEK_DATA) {
		while (k < n->npages && !n->page[k].data)
			k++;
		if (k == n->npages || n->page[k].index * PAGE >= n->a.size)
			return -ENXIO;
		return (int64_t)max_u64(off, n->page[k].index * PAGE);
	}
	for (; k < n->npages && n->page[k].index == off / PAGE && n->page[k].data; k++)
		off = (off / PAGE + 1) * PAGE;
	return (int64_t)min_u64(off, n->a.size);
}

/* ------------------------------------------------------------------ extended attributes */

static struct model_xattr *xattr_find(const struct model_node *n, const char *name)
{
	struct model_xattr *x;

	TAILQ_FOREACH(x, &n->xattrs, link)
		if (strcmp(x->name, name) == 0)
			return x;
	return NULL;
}

int64_t model_getxattr(const struct model_node *n, const char *name, void *buf, size_t len)
{
	struct model_xattr *x = xattr_find(n, name);

	if (!x)
		return -ENODATA;
	if (len && len < x->len)
		return -ERANGE;
	if (len)
		memcpy(buf, x->value, x->len);
	return x->len;
}

int model_setxattr(struct model *m, struct model_node *n, const char *name, const void *value,
		   uint32_t len, int flags)
{
	struct model_xattr *x = xattr_find(n, name);

	if (len > XATTR_VALUE_MAX)
		return -E2BIG;
	if (x && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!x && (flags & XATTR_REPLACE))
		return -ENODATA;
	if (!x) {
		x = calloc(1, sizeof(*x));
		assert(x && strlen(name) < sizeof(x->name));
		strcpy(x->name, name);
		TAILQ_INSERT_TAIL(&n->xattrs, x, link);
	}
	free(x->value);
	x->value = malloc(len + 1);
	assert(x->value);
	if (len)
		memcpy(x->value, value, len);
	x->len = len;
	n->ctime = model_now(m);
	return 0;
}

int model_removexattr(struct model *m, struct model_node *n, const char *name)
{
	struct model_xattr *x = xattr_find(n, name);

	if (!x)
		return -ENODATA;
	TAILQ_REMOVE(&n->xattrs, x, link);
	free(x->value);
	free(x);
	n->ctime = model_now(m);
	return 0;
}

/* ------------------------------------------------------------------ locks */

enum { NONE = 0, SHARED = 1, ALONE = 2 };

static uint8_t held_as(int type)
{
	return type == F_RDLCK ? SHARED : type == F_WRLCK ? ALONE : NONE;
}

int model_getlk(const struct model_node *n, int space, uint32_t owner, int type, uint32_t first,
		uint32_t last)
{
	uint8_t want = held_as(type);

	for (uint32_t o = 0; o < MODEL_LOCK_OWNERS; o++)
		for (uint32_t c = first; o != owner && c <= last; c++)
			if (want && n->lock[space][o][c] && (want | n->lock[space][o][c]) & ALONE)
				return (int)o;
	return -1;
}

int model_setlk(struct model_node *n, int space, uint32_t owner, int type, uint32_t first,
		uint32_t last)
{
	if (model_getlk(n, space, owner, type, first, last) >= 0) {
		if (space) /* flock(2): a conversion that fails has lost the old lock */
			model_unlock_all(n, space, owner);
		return -EAGAIN;
	}
	for (uint32_t c = first; c <= last; c++)
		n->lock[space][owner][c] = held_as(type);
	return 0;
}

void model_unlock_all(struct model_node *n, int space, uint32_t owner)
{
	memset(n->lock[space][owner], NONE, sizeof(n->lock[space][owner]));
}
