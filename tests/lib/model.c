/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - names and attributes of the model file system (see model.h); model_data.c has the
 * bytes, locks and extended attributes.
 *
 * Every function first decides on the error in the order in which Linux does (the VFS, then the
 * file system), then acts. Lists and linear searches only: it is meant to be obviously right.
 */
#include "tests/lib/model.h"
#include "common/proto/proto.h"
#include "tests/lib/model_data.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { RENAME_NOREPLACE_ = 1, RENAME_EXCHANGE_ = 2 };

struct model {
	TAILQ_HEAD(, model_node) nodes;
	uint32_t count, next_id;
	struct model_node *root;
	struct model_time now;
};

static struct model_node *node_new(struct model *m, uint32_t mode)
{
	struct model_node *n = calloc(1, sizeof(*n));

	assert(n);
	TAILQ_INIT(&n->dents);
	TAILQ_INIT(&n->xattrs);
	n->id = ++m->next_id;
	n->a.mode = mode;
	n->mtime = n->ctime = n->atime = m->now;
	TAILQ_INSERT_TAIL(&m->nodes, n, link);
	m->count++;
	return n;
}

static void node_check(struct model *m, struct model_node *n)
{
	struct model_xattr *x;

	if (n->a.nlink || n->opens || n->pins)
		return;
	assert(TAILQ_EMPTY(&n->dents));
	TAILQ_REMOVE(&m->nodes, n, link);
	m->count--;
	while ((x = TAILQ_FIRST(&n->xattrs))) {
		TAILQ_REMOVE(&n->xattrs, x, link);
		free(x->value);
		free(x);
	}
	model_data_cut(n, 0);
	free(n->page);
	free(n->target);
	free(n);
}

struct model *model_create(void)
{
	struct model *m = calloc(1, sizeof(*m));

	assert(m);
	TAILQ_INIT(&m->nodes);
	m->root = node_new(m, S_IFDIR | 0755);
	m->root->a.nlink = 2;
	m->root->parent = m->root;
	m->root->mtime = m->root->ctime = (struct model_time){INT64_MIN, INT64_MAX};
	return m;
}

void model_destroy(struct model *m)
{
	struct model_node *n;
	struct model_dent *d;

	while ((n = TAILQ_FIRST(&m->nodes))) {
		while ((d = TAILQ_FIRST(&n->dents))) {
			TAILQ_REMOVE(&n->dents, d, link);
			free(d);
		}
		n->a.nlink = n->opens = n->pins = 0;
		node_check(m, n);
	}
	free(m);
}

struct model_node *model_root(struct model *m)
{
	return m->root;
}

void model_set_window(struct model *m, int64_t lo, int64_t hi)
{
	m->now = (struct model_time){lo, hi};
}

struct model_time model_now(const struct model *m)
{
	return m->now;
}

struct model_node *model_pick(struct model *m, uint64_t k)
{
	struct model_node *n;

	k %= m->count;
	TAILQ_FOREACH(n, &m->nodes, link)
		if (k-- == 0)
			break;
	return n;
}

uint32_t model_count(const struct model *m)
{
	return m->count;
}

void model_pin(struct model_node *n)
{
	n->pins++;
}

void model_unpin(struct model *m, struct model_node *n)
{
	assert(n->pins);
	n->pins--;
	node_check(m, n);
}

/* ------------------------------------------------------------------ names */

struct model_dent *model_dent_find(struct model_node *dir, const char *name)
{
	struct model_dent *d;

	TAILQ_FOREACH(d, &dir->dents, link)
		if (strcmp(d->name, name) == 0)
			return d;
	return NULL;
}

static bool is_dir(const struct model_node *n)
{
	return S_ISDIR(n->a.mode);
}

/* A directory that can be searched: 0, -ENOTDIR, -ENOENT (it was removed). */
static int dir_check(const struct model_node *dir)
{
	if (!is_dir(dir))
		return -ENOTDIR;
	return dir->a.nlink ? 0 : -ENOENT;
}

int model_lookup(struct model_node *dir, const char *name, struct model_node **out)
{
	struct model_dent *d;
	int rc = dir_check(dir);

	if (rc)
		return rc;
	if (strlen(name) > 255)
		return -ENAMETOOLONG;
	d = model_dent_find(dir, name);
	if (!d)
		return -ENOENT;
	*out = d->node;
	return 0;
}

static int name_free(struct model_node *dir, const char *name)
{
	struct model_node *n;
	int rc = model_lookup(dir, name, &n);

	return rc == 0 ? -EEXIST : rc == -ENOENT ? dir_check(dir) : rc;
}

static void changed(struct model *m, struct model_node *n)
{
	n->ctime = m->now;
}

static void dir_changed(struct model *m, struct model_node *dir)
{
	dir->mtime = dir->ctime = m->now;
}

static void dent_add(struct model_node *dir, const char *name, struct model_node *n)
{
	struct model_dent *d = calloc(1, sizeof(*d));

	assert(d && strlen(name) < sizeof(d->name));
	strcpy(d->name, name);
	d->node = n;
	TAILQ_INSERT_TAIL(&dir->dents, d, link);
	dir->ndents++;
	if (is_dir(n)) {
		n->parent = dir;
		dir->a.nlink++;
	}
}

static void dent_del(struct model_node *dir, struct model_dent *d)
{
	TAILQ_REMOVE(&dir->dents, d, link);
	dir->ndents--;
	if (is_dir(d->node))
		dir->a.nlink--;
	free(d);
}

static struct model_node *node_like(struct model *m, struct model_node *dir,
				    const struct model_new *w)
{
	struct model_node *n;
	uint32_t mode = w->mode;

	if (!S_ISLNK(mode))
		mode &= ~w->umask;
	n = node_new(m, mode);
	n->a.uid = w->uid;
	n->a.gid = w->gid;
	if (dir->a.mode & S_ISGID) {
		n->a.gid = dir->a.gid;
		if (is_dir(n))
			n->a.mode |= S_ISGID;
	}
	if (S_ISCHR(mode) || S_ISBLK(mode))
		n->a.rdev = w->rdev;
	if (S_ISLNK(mode)) {
		n->target = strdup(w->target);
		assert(n->target);
		n->a.size = strlen(n->target);
		n->a.mode = S_IFLNK | 0777;
	}
	return n;
}

int model_make(struct model *m, struct model_node *dir, const char *name, const struct model_new *w,
	       struct model_node **out)
{
	struct model_node *n;
	int rc = name_free(dir, name);

	if (rc)
		return rc;
	n = node_like(m, dir, w);
	n->a.nlink = is_dir(n) ? 2 : 1;
	dent_add(dir, name, n);
	dir_changed(m, dir);
	*out = n;
	return 0;
}

int model_tmpfile(struct model *m, struct model_node *dir, const struct model_new *w,
		  struct model_node **out)
{
	int rc = dir_check(dir);

	if (rc)
		return rc;
	*out = node_like(m, dir, w);
	(*out)->tmpfile = true;
	(*out)->opens = 1;
	return 0;
}

int model_link(struct model *m, struct model_node *n, struct model_node *dir, const char *name)
{
	int rc = name_free(dir, name);

	if (rc)
		return rc;
	if (is_dir(n))
		return -EPERM;
	if (!n->a.nlink && !n->tmpfile)
		return -ENOENT;
	n->tmpfile = false;
	n->a.nlink++;
	dent_add(dir, name, n);
	dir_changed(m, dir);
	changed(m, n);
	return 0;
}

static void drop_link(struct model *m, struct model_node *n)
{
	n->a.nlink = is_dir(n) ? 0 : n->a.nlink - 1;
	changed(m, n);
	node_check(m, n);
}

int model_unlink(struct model *m, struct model_node *dir, const char *name, bool rmdir)
{
	struct model_node *n;
	int rc = model_lookup(dir, name, &n);

	if (rc)
		return rc;
	if (rmdir && !is_dir(n))
		return -ENOTDIR;
	if (!rmdir && is_dir(n))
		return -EISDIR;
	if (rmdir && n->ndents)
		return -ENOTEMPTY;
	dent_del(dir, model_dent_find(dir, name));
	dir_changed(m, dir);
	drop_link(m, n);
	return 0;
}

/* True when a is b or above it. */
static bool above(const struct model_node *a, const struct model_node *b)
{
	for (;; b = b->parent) {
		if (a == b)
			return true;
		if (b->parent == b)
			return false;
	}
}

static int rename_check(struct model_node *from, struct model_node *n, struct model_node *to,
			struct model_node *old, uint32_t flags)
{
	bool swap = flags & RENAME_EXCHANGE_;

	if (old && (flags & RENAME_NOREPLACE_))
		return -EEXIST;
	if (!old && swap)
		return -ENOENT;
	if (is_dir(n) && above(n, to))
		return -EINVAL;
	if (old && is_dir(old) && above(old, from))
		return swap ? -EINVAL : -ENOTEMPTY;
	if (!old || swap || old == n)
		return 0;
	if (is_dir(n) && !is_dir(old))
		return -ENOTDIR;
	if (!is_dir(n) && is_dir(old))
		return -EISDIR;
	return is_dir(old) && old->ndents ? -ENOTEMPTY : 0;
}

static void rename_swap(struct model *m, struct model_node *from, struct model_dent *a,
			struct model_node *to, struct model_dent *b)
{
	struct model_node *x = a->node, *y = b->node;

	from->a.nlink += (uint32_t)is_dir(y) - (uint32_t)is_dir(x);
	to->a.nlink += (uint32_t)is_dir(x) - (uint32_t)is_dir(y);
	a->node = y;
	b->node = x;
	if (is_dir(x))
		x->parent = to;
	if (is_dir(y))
		y->parent = from;
	changed(m, x);
	changed(m, y);
}

int model_rename(struct model *m, struct model_node *from, const char *from_name,
		 struct model_node *to, const char *to_name, uint32_t flags)
{
	struct model_node *n, *old = NULL;
	int rc;

	if (flags == (RENAME_NOREPLACE_ | RENAME_EXCHANGE_))
		return -EINVAL;
	rc = dir_check(from);
	if (rc == 0)
		rc = dir_check(to);
	if (rc == 0)
		rc = model_lookup(from, from_name, &n);
	if (rc)
		return rc;
	rc = model_lookup(to, to_name, &old);
	if (rc && rc != -ENOENT)
		return rc;
	rc = rename_check(from, n, to, old, flags);
	if (rc || old == n)
		return rc;
	if (flags & RENAME_EXCHANGE_) {
		rename_swap(m, from, model_dent_find(from, from_name), to,
			    model_dent_find(to, to_name));
	} else {
		if (old) {
			dent_del(to, model_dent_find(to, to_name));
			drop_link(m, old);
		}
		dent_del(from, model_dent_find(from, from_name));
		dent_add(to, to_name, n);
		changed(m, n);
	}
	dir_changed(m, from);
	dir_changed(m, to);
	return 0;
}

/* ------------------------------------------------------------------ attributes */

static struct model_time exactly(int64_t t)
{
	return (struct model_time){t, t};
}

static void set_times(struct model *m, struct model_node *n, uint32_t valid,
		      const struct attr *want)
{
	if (valid & SETATTR_ATIME)
		n->atime = exactly(want->atime);
	if (valid & SETATTR_ATIME_NOW)
		n->atime = m->now;
	if (valid & (SETATTR_ATIME | SETATTR_ATIME_NOW))
		n->atime_known = true;
	if (valid & SETATTR_MTIME)
		n->mtime = exactly(want->mtime);
	if (valid & SETATTR_MTIME_NOW)
		n->mtime = m->now;
}

int model_setattr(struct model *m, struct model_node *n, uint32_t valid, const struct attr *want)
{
	if (valid & SETATTR_SIZE && !S_ISREG(n->a.mode))
		return is_dir(n) ? -EISDIR : -EINVAL;
	/* chown(-1, -1) sets nothing but does this too */
	if ((!valid || valid & (SETATTR_UID | SETATTR_GID | SETATTR_KILL_PRIV)) && !is_dir(n)) {
		n->a.mode &= ~(uint32_t)S_ISUID;
		if (n->a.mode & S_IXGRP)
			n->a.mode &= ~(uint32_t)S_ISGID;
	}
	if (valid & SETATTR_MODE)
		n->a.mode = (n->a.mode & S_IFMT) | (want->mode & 07777);
	if (valid & SETATTR_UID)
		n->a.uid = want->uid;
	if (valid & SETATTR_GID)
		n->a.gid = want->gid;
	if (valid & SETATTR_SIZE) {
		model_data_cut(n, want->size);
		n->a.size = want->size;
		n->mtime = m->now;
	}
	set_times(m, n, valid, want);
	changed(m, n);
	return 0;
}

void model_open(struct model_node *n)
{
	n->opens++;
}

void model_close(struct model *m, struct model_node *n)
{
	assert(n->opens);
	n->opens--;
	node_check(m, n);
}

/* ------------------------------------------------------------------ comparing */

struct text {
	char *at;
	size_t left;
	int n;
};

PRINTF_LIKE(2, 3) static void differs(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	t->n++;
	va_start(ap, fmt);
	n = vsnprintf(t->at, t->left, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < t->left) {
		t->at += n;
		t->left -= (size_t)n;
	}
}

static void compare_number(struct text *t, const char *what, uint64_t want, uint64_t got)
{
	if (want != got)
		differs(t, "%s is %" PRIu64 ", the model says %" PRIu64 "; ", what, got, want);
}

static void compare_time(struct text *t, const char *what, struct model_time want, int64_t got)
{
	if (got < want.lo || got > want.hi)
		differs(t, "%s is %" PRId64 ", the model says %" PRId64 "..%" PRId64 "; ", what,
			got, want.lo, want.hi);
}

int model_compare(const struct model_node *n, const struct attr *a, char *why, size_t why_len)
{
	struct text t = {why, why_len, 0};

	if (n->a.mode != a->mode)
		differs(&t, "mode is %o, the model says %o; ", a->mode, n->a.mode);
	compare_number(&t, "uid", n->a.uid, a->uid);
	compare_number(&t, "gid", n->a.gid, a->gid);
	compare_number(&t, "nlink", n->a.nlink, a->nlink);
	compare_number(&t, "rdev", n->a.rdev, a->rdev);
	if (!is_dir(n))
		compare_number(&t, "size", n->a.size, a->size);
	if (S_ISREG(n->a.mode) && !n->ahead)
		compare_number(&t, "blocks", n->npages * 8, a->blocks);
	compare_time(&t, "mtime", n->mtime, a->mtime);
	compare_time(&t, "ctime", n->ctime, a->ctime);
	if (n->atime_known)
		compare_time(&t, "atime", n->atime, a->atime);
	return t.n;
}
