/* SPDX-License-Identifier: Apache-2.0 */
/* xattr.c - see xattr.h. Who may do what is checked by the kernel before a request is sent; what is
 * checked here is what the store must hold. */
#include "mds/xattr.h"
#include "common/limits.h"
#include "common/proto/proto.h"
#include "mds/acl.h"
#include "mds/attr.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static bool has_prefix(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len > n && memcmp(s.ptr, prefix, n) == 0;
}

static bool is_name(struct span s, const char *name)
{
	return span_eq(s, SPAN_STR(name));
}

static bool is_acl(struct span name)
{
	return is_name(name, XATTR_ACL_ACCESS) || is_name(name, XATTR_ACL_DEFAULT);
}

static int check_name(const struct inode_rec *ino, struct span name, bool change)
{
	if (name.len > MAX_XATTR_NAME)
		return -ERANGE;
	if (has_prefix(name, "user.")) {
		if (S_ISREG(ino->attr.mode) || S_ISDIR(ino->attr.mode))
			return 0;
		return change ? -EPERM : -ENODATA;
	}
	if (is_acl(name))
		return S_ISLNK(ino->attr.mode) ? -EOPNOTSUPP : 0;
	return has_prefix(name, "trusted.") || has_prefix(name, "security.") ? 0 : -EOPNOTSUPP;
}

static int raw_get(struct txn *t, const struct fid *fid, struct span name, struct span *value)
{
	struct xattr_rec rec;
	int rc = xattr_rec_get(t, &(struct xattr_key){*fid, name}, &rec);

	if (rc == 0)
		*value = rec.value;
	return rc == -ENOENT ? -ENODATA : rc;
}

int xattr_raw_get(struct txn *t, const struct fid *fid, const char *name, struct span *value)
{
	return raw_get(t, fid, SPAN_STR(name), value);
}

int xattr_raw_put(struct txn *t, const struct fid *fid, const char *name, struct span value)
{
	return xattr_rec_put(t, &(struct xattr_key){*fid, SPAN_STR(name)},
			     &(struct xattr_rec){value});
}

int xattr_raw_del(struct txn *t, const struct fid *fid, const char *name)
{
	int rc = xattr_rec_del(t, &(struct xattr_key){*fid, SPAN_STR(name)});

	return rc == -ENOENT ? -ENODATA : rc;
}

int xattr_get(struct txn *t, const struct fid *fid, const struct inode_rec *ino, struct span name,
	      struct span *value)
{
	int rc = check_name(ino, name, false);

	if (rc)
		return rc;
	if (!(ino->attr.flags & (ATTR_HAS_XATTR | ATTR_HAS_ACL)))
		return -ENODATA;
	return raw_get(t, fid, name, value);
}

struct list {
	const struct fid *fid;
	struct wbuf *w;
	uint32_t bytes; /* of all names and values */
};

static int list_row(void *arg, const struct xattr_key *k, const struct xattr_rec *v)
{
	struct list *l = arg;

	if (!fid_eq(&k->fid, l->fid))
		return 1;
	l->bytes += k->name.len + 1 + (v ? v->value.len : 0);
	if (l->w) {
		wbuf_put(l->w, k->name.ptr, k->name.len);
		wbuf_put(l->w, "", 1);
	}
	return 0;
}

static int walk_all(struct txn *t, const struct fid *fid, struct list *l)
{
	l->fid = fid;
	return xattr_rec_walk(t, &(struct xattr_key){.fid = *fid}, list_row, l);
}

int xattr_list(struct txn *t, const struct fid *fid, const struct inode_rec *ino, struct wbuf *w)
{
	struct list l = {.w = w};

	if (!(ino->attr.flags & (ATTR_HAS_XATTR | ATTR_HAS_ACL)))
		return 0;
	return walk_all(t, fid, &l);
}

struct all {
	const struct fid *fid;
	struct wbuf *w;
};

static int all_row(void *arg, const struct xattr_key *k, const struct xattr_rec *v)
{
	const struct all *a = arg;

	if (!fid_eq(&k->fid, a->fid) || a->w->rc)
		return 1;
	enc_mds_xattr(a->w, &(struct mds_xattr){k->name, v->value});
	return 0;
}

int xattr_all(struct txn *t, const struct fid *fid, const struct inode_rec *ino, struct wbuf *w)
{
	struct all a = {fid, w};

	if (!(ino->attr.flags & (ATTR_HAS_XATTR | ATTR_HAS_ACL)))
		return 0;
	return xattr_rec_walk(t, &(struct xattr_key){.fid = *fid}, all_row, &a);
}

/* All names must fit into one listxattr(2), and no inode may eat the MDT. */
static int check_room(struct txn *t, const struct fid *fid, struct span name, struct span value)
{
	struct wbuf w;
	struct list l = {.w = &w};
	int rc;

	wbuf_init(&w, MAX_XATTR_LIST);
	rc = walk_all(t, fid, &l);
	if (rc == 0 && w.rc)
		rc = -ENOSPC;
	if (rc == 0 && (w.len + name.len + 1 > MAX_XATTR_LIST ||
			(uint64_t)l.bytes + name.len + value.len > 16 * MAX_XATTR_VALUE))
		rc = -ENOSPC;
	wbuf_fini(&w);
	return rc;
}

/* Checks an ACL before it is stored. *drop: it says no more than mode bits do (or nothing). An
 * access ACL gives the mode. */
static int check_acl(const struct inode_rec *ino, struct span name, struct span value, bool *drop,
		     uint32_t *mode)
{
	bool access = is_name(name, XATTR_ACL_ACCESS), minimal;
	struct acl a;
	uint32_t bits;
	int rc;

	if (!access && !S_ISDIR(ino->attr.mode))
		return -EACCES;
	if (value.len == 0 || value.len == 4) { /* an ACL without entries takes the ACL away */
		*drop = true;
		return 0;
	}
	rc = acl_dec(value, &a);
	if (rc)
		return rc;
	bits = acl_to_mode(&a, &minimal);
	acl_fini(&a);
	if (access) {
		*mode = (ino->attr.mode & ~0777U) | bits;
		*drop = minimal;
	}
	return 0;
}

int xattr_set(struct txn *t, const struct fid *fid, struct inode_rec *ino, struct span name,
	      struct span value, uint32_t flags, int64_t now)
{
	uint32_t mode = ino->attr.mode;
	bool drop = false, exists;
	struct span old;
	int rc = check_name(ino, name, true);

	if (rc == 0 && value.len > MAX_XATTR_VALUE)
		rc = -E2BIG;
	if (rc == 0 && is_acl(name))
		rc = check_acl(ino, name, value, &drop, &mode);
	if (rc)
		return rc;
	rc = raw_get(t, fid, name, &old);
	if (rc && rc != -ENODATA)
		return rc;
	exists = rc == 0;
	if (exists && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!exists && (flags & XATTR_REPLACE))
		return -ENODATA;
	rc = drop ? 0 : check_room(t, fid, name, value);
	if (rc)
		return rc;
	if (!drop)
		rc = xattr_rec_put(t, &(struct xattr_key){*fid, name}, &(struct xattr_rec){value});
	else if (exists)
		rc = xattr_rec_del(t, &(struct xattr_key){*fid, name});
	if (rc)
		return rc;
	ino->attr.mode = mode;
	if (!drop)
		ino->attr.flags |= is_acl(name) || has_prefix(name, "security.") ? ATTR_HAS_ACL
										: ATTR_HAS_XATTR;
	attr_touch_ctime(&ino->attr, now);
	return inode_update(t, fid, ino);
}

int xattr_remove(struct txn *t, const struct fid *fid, struct inode_rec *ino, struct span name,
		 int64_t now)
{
	struct list l = {0};
	int rc = check_name(ino, name, true);

	if (rc)
		return rc;
	rc = xattr_rec_del(t, &(struct xattr_key){*fid, name});
	if (rc)
		return rc == -ENOENT ? -ENODATA : rc;
	rc = walk_all(t, fid, &l);
	if (rc)
		return rc;
	if (l.bytes == 0)
		ino->attr.flags &= ~(uint32_t)(ATTR_HAS_ACL | ATTR_HAS_XATTR);
	attr_touch_ctime(&ino->attr, now);
	return inode_update(t, fid, ino);
}

struct first {
	const struct fid *fid;
	uint32_t len;
	uint8_t name[MAX_XATTR_NAME];
};

static int first_row(void *arg, const struct xattr_key *k, const struct xattr_rec *v)
{
	struct first *f = arg;

	(void)v;
	if (!fid_eq(&k->fid, f->fid) || k->name.len > sizeof(f->name))
		return 1;
	f->len = k->name.len;
	memcpy(f->name, k->name.ptr, k->name.len);
	return 1;
}

int xattr_del_all(struct txn *t, const struct fid *fid)
{
	struct first f = {.fid = fid};
	int rc;

	do {
		f.len = 0;
		rc = xattr_rec_walk(t, &(struct xattr_key){.fid = *fid}, first_row, &f);
		if (rc == 0 && f.len)
			rc = xattr_rec_del(t, &(struct xattr_key){*fid, {f.name, f.len}});
	} while (rc == 0 && f.len);
	return rc;
}
