/* SPDX-License-Identifier: Apache-2.0 */
/* ns.c - lookup and create; see ns.h. Removal stands in ns_unlink.c, rename in ns_rename.c. */
#include "mds/ns.h"
#include "common/lov.h"
#include "mds/acl.h"
#include "mds/attr.h"
#include "mds/dirent.h"
#include "mds/link.h"
#include "mds/orphan.h"
#include "mds/xattr.h"
#include <stdlib.h>
#include <sys/stat.h>

#define NAME_DOT_LUSTRE SPAN_STR(".lustre")
#define NAME_FID SPAN_STR("fid")
#define NAME_LOST_FOUND SPAN_STR("lost+found")

/* ---- finding ---- */

bool ns_is_virtual(const struct fid *fid)
{
	struct fid lost = FID_LOST_FOUND; /* is in the tables, as any other directory */

	return fid->seq == FID_SEQ_DOT_LUSTRE && !fid_eq(fid, &lost);
}

/* As on Lustre: root alone may pass, because opening by FID goes round the permissions of
 * directories. */
static int virtual_get(const struct fid *fid, struct inode_rec *out)
{
	struct fid top = FID_DOT_LUSTRE, by_fid = FID_DOT_LUSTRE_FID;

	if (!fid_eq(fid, &top) && !fid_eq(fid, &by_fid))
		return -ENOENT;
	*out = (struct inode_rec){
		.attr = {
			.mode = S_IFDIR | (fid_eq(fid, &top) ? 0500 : 0100),
			.nlink = fid_eq(fid, &top) ? 4 : 2,
			.size = 4096,
			.blocks = 8,
		},
		.parent = fid_eq(fid, &top) ? FID_ROOT : FID_DOT_LUSTRE,
	};
	out->name = fid_eq(fid, &top) ? NAME_DOT_LUSTRE : NAME_FID;
	return 0;
}

int ns_get(struct txn *t, const struct fid *fid, struct inode_rec *out)
{
	return ns_is_virtual(fid) ? virtual_get(fid, out) : inode_get(t, fid, out);
}

static bool is_root(const struct fid *fid)
{
	struct fid root = FID_ROOT;

	return fid_eq(fid, &root);
}

int ns_get_dir(struct txn *t, const struct fid *fid, struct inode_rec *out)
{
	int rc = ns_get(t, fid, out);

	if (rc)
		return rc;
	if (!S_ISDIR(out->attr.mode))
		return -ENOTDIR;
	return ns_is_virtual(fid) ? -EPERM : out->attr.nlink == 0 ? -ENOENT : 0;
}

static int lookup_by_fid(struct txn *t, struct span name, struct fid *child, struct inode_rec *out)
{
	char text[FID_STRLEN];
	struct fid fid;
	int rc;

	if (name.len >= sizeof(text))
		return -ENOENT;
	memcpy(text, name.ptr, name.len);
	text[name.len] = 0;
	if (fid_parse(text, &fid) || !fid_is_sane(&fid))
		return -ENOENT;
	rc = ns_get(t, &fid, out);
	if (rc == 0)
		*child = fid;
	return rc;
}

static int lookup_virtual(struct txn *t, const struct fid *parent, struct span name,
			  struct fid *child, struct inode_rec *out)
{
	struct fid top = FID_DOT_LUSTRE, by_fid = FID_DOT_LUSTRE_FID;

	if (fid_eq(parent, &by_fid))
		return lookup_by_fid(t, name, child, out);
	if (fid_eq(parent, &top) && span_eq(name, NAME_LOST_FOUND)) {
		*child = FID_LOST_FOUND;
		return inode_get(t, child, out);
	}
	if (!fid_eq(parent, &top) || !span_eq(name, NAME_FID))
		return -ENOENT;
	*child = by_fid;
	return virtual_get(child, out);
}

int ns_lookup(struct txn *t, const struct fid *parent, struct span name, struct fid *child,
	      struct inode_rec *out)
{
	struct inode_rec dir;
	struct dirent_rec d;
	int rc;

	if (ns_is_virtual(parent))
		return lookup_virtual(t, parent, name, child, out);
	if (is_root(parent) && span_eq(name, NAME_DOT_LUSTRE)) {
		*child = FID_DOT_LUSTRE;
		return virtual_get(child, out);
	}
	rc = dirent_get(t, parent, name, &d);
	if (rc == -ENOENT) { /* why: the name, or the directory? */
		rc = inode_get(t, parent, &dir);
		return rc ? rc : S_ISDIR(dir.attr.mode) ? -ENOENT : -ENOTDIR;
	}
	if (rc == 0)
		rc = inode_get(t, &d.child, out);
	if (rc == 0)
		*child = d.child;
	return rc;
}

bool ns_may_open(const struct attr *a, uint32_t uid, uint32_t gid, uint32_t open_flags)
{
	uint32_t bits = a->mode & 7, want = 0;

	if (uid == 0)
		return true;
	if (uid == a->uid)
		bits = a->mode >> 6 & 7;
	else if (a->flags & ATTR_HAS_ACL)
		return false;
	else if (gid == a->gid)
		bits = a->mode >> 3 & 7;
	else if ((a->mode >> 3 & 7) != bits)
		return false; /* a group of the caller that we do not know might be the file's */
	want |= open_flags & OPEN_READ ? 4 : 0;
	want |= open_flags & (OPEN_WRITE | OPEN_TRUNC) ? 2 : 0;
	return (bits & want) == want;
}

/* ---- create ---- */

/* What a new inode gets from its parent besides numbers. All memory is the operation's. */
struct inherited {
	uint8_t *access, *dflt; /* ACLs as they are stored, or NULL */
	uint32_t access_len, dflt_len;
	struct layout *layout; /* with objects, a wish, or NULL */
	struct wbuf blob;      /* the same, encoded */
};

static void inherited_fini(struct inherited *h)
{
	free(h->access);
	free(h->dflt);
	layout_free(h->layout);
	wbuf_fini(&h->blob);
}

static int acl_store(const struct acl *a, uint8_t **mem, uint32_t *len)
{
	*mem = malloc(acl_size(a));
	if (!*mem)
		return -ENOMEM;
	*len = acl_size(a);
	acl_enc(a, *mem);
	return 0;
}

/* The default ACL of the parent takes the place of the umask. */
static int inherit_acl(struct txn *t, const struct fid *parent, const struct inode_rec *dir,
		       uint32_t umask, struct attr *attr, struct inherited *h)
{
	struct span blob;
	struct acl a;
	bool minimal;
	int rc = -ENODATA;

	if (dir->attr.flags & ATTR_HAS_ACL)
		rc = xattr_raw_get(t, parent, XATTR_ACL_DEFAULT, &blob);
	if (rc == -ENODATA) {
		attr->mode &= ~(umask & 0777);
		return 0;
	}
	if (rc == 0)
		rc = acl_dec(blob, &a);
	if (rc)
		return rc == -EINVAL ? -EIO : rc;
	if (S_ISDIR(attr->mode))
		rc = acl_store(&a, &h->dflt, &h->dflt_len);
	acl_inherit(&a, &attr->mode);
	acl_to_mode(&a, &minimal);
	if (rc == 0 && !minimal)
		rc = acl_store(&a, &h->access, &h->access_len);
	if (h->access || h->dflt)
		attr->flags |= ATTR_HAS_ACL;
	acl_fini(&a);
	return rc;
}

/* The layout of a new regular file, or the default of a new directory. */
static int inherit_layout(struct txn *t, const struct ns_env *env, const struct mds_create_req *q,
			  const struct inode_rec *dir, struct inherited *h)
{
	CLEANUP(layout_freep) struct layout *wish = NULL;
	bool make = q->open_id && !(q->open_flags & OPEN_DELAY_LAYOUT);
	int rc = 0;

	if (S_ISDIR(q->mode)) {
		if (!is_root(&q->parent)) /* the root's default takes effect at run time */
			rc = inode_layout(&q->parent, dir, &h->layout);
	} else if (q->layout.len) {
		rc = striping_wish_dec(q->layout, &wish);
	} else if (make) {
		rc = striping_inherited(t, &q->parent, dir, &wish);
	}
	if (rc == 0 && S_ISREG(q->mode) && make)
		rc = striping_make(env->alloc, env->striping, wish,
				   (q->open_flags & OPEN_APPEND) && !q->layout.len, &h->layout);
	if (rc == 0 && !h->layout && wish) {
		h->layout = wish;
		wish = NULL;
	}
	wbuf_init(&h->blob, MAX_LAYOUT_BLOB);
	return rc == 0 && h->layout ? layout_enc(&h->blob, h->layout) : rc;
}

static int create_check(const struct mds_create_req *q)
{
	switch (q->mode & S_IFMT) {
	case S_IFLNK:
		if (q->target.len < 1 || q->target.len >= MAX_PATH)
			return q->target.len ? -ENAMETOOLONG : -ENOENT;
		break;
	case S_IFREG:
	case S_IFDIR:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	default:
		return -EINVAL;
	}
	if (q->name.len == 0 && !q->open_id)
		return -EINVAL; /* nobody could ever reach it */
	if (q->open_id && !S_ISREG(q->mode))
		return -EINVAL;
	return fid_is_normal(&q->fid) ? 0 : -EINVAL;
}

static void new_attr(const struct mds_create_req *q, const struct inode_rec *dir, int64_t now,
		     struct attr *a)
{
	*a = (struct attr){
		.mode = q->mode & (S_IFMT | 07777),
		.uid = q->uid,
		.gid = q->gid,
		.nlink = S_ISDIR(q->mode) ? 2 : q->name.len ? 1 : 0,
		.atime = now,
		.mtime = now,
		.ctime = now,
		.btime = now,
	};
	if (dir->attr.mode & S_ISGID) {
		a->gid = dir->attr.gid;
		if (S_ISDIR(q->mode))
			a->mode |= S_ISGID;
	}
	if (S_ISCHR(q->mode) || S_ISBLK(q->mode))
		a->rdev = q->rdev;
	if (S_ISDIR(q->mode)) {
		a->size = 4096;
		a->blocks = 8;
	}
	if (S_ISLNK(q->mode)) {
		a->mode = S_IFLNK | 0777;
		a->size = q->target.len;
	}
	if (q->open_id && (q->open_flags & OPEN_WRITE))
		attr_make_unsure(a);
}

static int put_new_inode(struct txn *t, const struct mds_create_req *q, const struct attr *attr,
			 const struct inherited *h)
{
	struct inode_rec ino = {
		.attr = *attr,
		.parent = q->parent,
		.name = q->name,
		.next_cookie = S_ISDIR(attr->mode) ? DIRENT_FIRST_COOKIE : 0,
		.layout = h->layout ? wbuf_span(&h->blob) : SPAN_NONE,
		.target = S_ISLNK(attr->mode) ? q->target : SPAN_NONE,
	};
	int rc = inode_put(t, &q->fid, &ino);

	if (rc == 0 && h->access)
		rc = xattr_raw_put(t, &q->fid, XATTR_ACL_ACCESS,
				   (struct span){h->access, h->access_len});
	if (rc == 0 && h->dflt)
		rc = xattr_raw_put(t, &q->fid, XATTR_ACL_DEFAULT,
				   (struct span){h->dflt, h->dflt_len});
	if (rc == 0 && (attr->flags & ATTR_SIZE_UNSURE))
		rc = unsure_add(t, &q->fid);
	return rc;
}

static int put_new_name(struct txn *t, const struct mds_create_req *q, struct inode_rec *dir,
			int64_t now, bool old)
{
	uint64_t cookie = dir->next_cookie++;
	int rc;

	if (q->name.len == 0)
		return orphan_add(t, &q->fid, !(q->open_flags & OPEN_EXCL));
	if (old)
		attr_touch_ctime(&dir->attr, now);
	else
		attr_touch_mtime(&dir->attr, now);
	if (S_ISDIR(q->mode))
		dir->attr.nlink++;
	rc = inode_update(t, &q->parent, dir);
	if (rc)
		return rc;
	return dirent_add(t, &q->parent, q->name, &q->fid, ns_dtype(q->mode), cookie);
}

/* 0: the name is free. 1: it is what this very request has made before (the reply was lost with the
 * client's session). -EEXIST. */
static int create_name_check(struct txn *t, const struct mds_create_req *q, struct ns_created *out)
{
	struct inode_rec ino;
	struct dirent_rec d;
	int rc = -ENOENT;

	if (is_root(&q->parent) && span_eq(q->name, NAME_DOT_LUSTRE))
		return -EEXIST;
	if (q->name.len)
		rc = dirent_get(t, &q->parent, q->name, &d);
	if (rc == 0 && !fid_eq(&d.child, &q->fid))
		return -EEXIST;
	if (rc && rc != -ENOENT)
		return rc;
	if (rc == -ENOENT) {
		rc = inode_get(t, &q->fid, &ino);
		return rc == -ENOENT ? 0 : rc ? rc : -EINVAL; /* somebody else's FID */
	}
	rc = inode_get(t, &q->fid, &ino);
	if (rc)
		return rc;
	out->fid = q->fid;
	out->attr = ino.attr;
	if (ino.attr.flags & INODE_HAS_OBJECTS)
		wbuf_put(&out->layout, ino.layout.ptr, ino.layout.len);
	return out->layout.rc ? out->layout.rc : 1;
}

static void take_over(struct attr *a, const struct attr *as)
{
	a->mode = (a->mode & S_IFMT) | (as->mode & 07777);
	a->uid = as->uid;
	a->gid = as->gid;
	a->atime = as->atime;
	a->mtime = as->mtime;
	if (S_ISREG(a->mode)) {
		a->size = as->size;
		a->blocks = as->blocks;
		a->flags |= as->flags;
	}
}

/* as: NULL, or what an inode that is not new has. */
static int create(struct txn *t, const struct ns_env *env, const struct mds_create_req *q,
		  const struct attr *as, int64_t now, struct ns_created *out)
{
	CLEANUP(inherited_fini) struct inherited h = {0};
	struct inode_rec dir;
	struct attr attr;
	int rc = create_check(q);

	wbuf_init(&out->layout, MAX_LAYOUT_BLOB);
	if (rc == 0)
		rc = ns_get_dir(t, &q->parent, &dir);
	if (rc == 0)
		rc = create_name_check(t, q, out);
	if (rc)
		return rc > 0 ? 0 : rc;
	if (S_ISDIR(q->mode) && dir.attr.nlink >= MAX_LINKS)
		return -EMLINK;
	new_attr(q, &dir, now, &attr);
	if (as)
		take_over(&attr, as);
	if (!S_ISLNK(q->mode))
		rc = inherit_acl(t, &q->parent, &dir, q->umask, &attr, &h);
	if (rc == 0 && (S_ISREG(q->mode) || S_ISDIR(q->mode)))
		rc = inherit_layout(t, env, q, &dir, &h);
	if (rc)
		return rc;
	if (S_ISREG(q->mode) && h.layout)
		attr.flags |= ATTR_HAS_LAYOUT | (striping_made(h.layout) ? INODE_HAS_OBJECTS : 0);
	rc = put_new_inode(t, q, &attr, &h);
	if (rc == 0)
		rc = put_new_name(t, q, &dir, now, as != NULL);
	if (rc)
		return rc;
	out->fid = q->fid;
	out->attr = attr;
	if (attr.flags & INODE_HAS_OBJECTS) {
		out->layout = h.blob;
		h.blob = (struct wbuf){0};
	}
	return 0;
}

int ns_create(struct txn *t, const struct ns_env *env, const struct mds_create_req *q, int64_t now,
	      struct ns_created *out)
{
	return create(t, env, q, NULL, now, out);
}

int ns_import(struct txn *t, const struct ns_env *env, const struct mds_create_req *q,
	      const struct attr *as, int64_t now)
{
	struct ns_created c;
	int rc = create(t, env, q, as, now, &c);

	wbuf_fini(&c.layout);
	return rc;
}
