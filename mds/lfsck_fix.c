/* SPDX-License-Identifier: Apache-2.0 */
/* lfsck_fix.c - see lfsck_fix.h. Who decides what is repaired, and when: lfsck.c. */
#include "mds/lfsck_fix.h"
#include "common/layout.h"
#include "mds/attr.h"
#include "mds/dirent.h"
#include "mds/hsm.h"
#include "mds/link.h"
#include "mds/ns.h"
#include "mds/orphan.h"
#include <stdio.h>
#include <sys/stat.h>

struct fix {
	struct txn *t;
	int64_t now;
	struct finding f; /* as it is now */
};

/* ---- is it still so? ---- */

struct again {
	const struct finding *want;
	struct finding *out;
	bool found;
};

static void match(void *arg, const struct finding *f)
{
	const struct finding *w = ((struct again *)arg)->want;

	if (f->kind != w->kind || f->table != w->table || !fid_eq(&f->fid, &w->fid) ||
	    f->cookie != w->cookie)
		return;
	if (w->name_len &&
	    (!fid_eq(&f->parent, &w->parent) || !span_eq(finding_name(f), finding_name(w))))
		return;
	*((struct again *)arg)->out = *f;
	((struct again *)arg)->found = true;
}

static int look_again(struct fix *x, const struct finding *f)
{
	struct again a = {.want = f, .out = &x->f};
	struct checker c = {.t = x->t, .found = match, .arg = &a};

	check_again(&c, f);
	return c.rc ? c.rc : a.found ? 0 : -ENOENT;
}

/* ---- names ---- */

/* The directory has one name more or less, of this type. */
static int dir_changed(struct fix *x, const struct fid *fid, struct inode_rec *dir, int names,
		       uint8_t dtype)
{
	if (dtype == ns_dtype(S_IFDIR) && (names > 0 || dir->attr.nlink > 2))
		dir->attr.nlink += (uint32_t)names;
	attr_touch_mtime(&dir->attr, x->now);
	return inode_update(x->t, fid, dir);
}

static int remove_name(struct fix *x)
{
	struct span name = finding_name(&x->f);
	struct inode_rec dir;
	struct dirent_rec d;
	int rc = dirent_get(x->t, &x->f.parent, name, &d);

	if (rc == 0)
		rc = dirent_del(x->t, &x->f.parent, name, d.cookie);
	if (rc == 0)
		rc = inode_get(x->t, &x->f.parent, &dir);
	if (rc || !S_ISDIR(dir.attr.mode))
		return rc == -ENOENT ? 0 : rc;
	return dir_changed(x, &x->f.parent, &dir, -1, d.dtype);
}

static int add_name(struct fix *x, const struct fid *parent, struct span name,
		    const struct fid *child, uint8_t dtype)
{
	struct inode_rec dir;
	int rc = inode_get(x->t, parent, &dir);

	if (rc == 0 && dtype == ns_dtype(S_IFDIR) && dir.attr.nlink >= MAX_LINKS)
		rc = -EMLINK;
	if (rc)
		return rc;
	rc = dirent_add(x->t, parent, name, child, dtype, dir.next_cookie++);
	return rc ? rc : dir_changed(x, parent, &dir, 1, dtype);
}

/* The number of links that an inode has by its names; an orphan's none. */
static int set_nlink(struct fix *x, const struct fid *fid)
{
	struct inode_rec ino;
	uint32_t names;
	int rc = inode_get(x->t, fid, &ino);

	if (rc == 0)
		rc = check_count_names(x->t, fid, &ino, &names);
	if (rc || S_ISDIR(ino.attr.mode))
		return rc;
	ino.attr.nlink = names;
	attr_touch_ctime(&ino.attr, x->now);
	return inode_update(x->t, fid, &ino);
}

/* The inode as the only name of which it gets one in lost+found. */
static int to_lost_found(struct fix *x, const struct fid *fid)
{
	struct fid lost = FID_LOST_FOUND;
	char name[FID_STRLEN + 16];
	struct inode_rec ino;
	struct dirent_rec d;
	uint32_t n = 0;
	size_t at;
	int rc = lfsck_lost_found(x->t, x->now);

	if (rc == 0)
		rc = inode_get(x->t, fid, &ino);
	if (rc)
		return rc;
	at = strlen(fid_str(fid, name));
	while (dirent_get(x->t, &lost, SPAN_STR(name), &d) == 0) /* somebody's own name */
		snprintf(name + at, sizeof(name) - at, "-%u", ++n);
	rc = add_name(x, &lost, SPAN_STR(name), fid, ns_dtype(ino.attr.mode));
	if (rc)
		return rc;
	if (!S_ISDIR(ino.attr.mode))
		ino.attr.nlink = 1;
	attr_touch_ctime(&ino.attr, x->now);
	rc = inode_set_link(x->t, fid, &ino, &lost, SPAN_STR(name));
	return rc ? rc : orphan_del(x->t, fid);
}

static int fix_name_type(struct fix *x)
{
	struct span name = finding_name(&x->f);
	struct inode_rec ino;
	struct dirent_rec d;
	int rc = dirent_get(x->t, &x->f.parent, name, &d);

	if (rc == 0)
		rc = inode_get(x->t, &d.child, &ino);
	return rc ? rc
		  : dirent_set(x->t, &x->f.parent, name, d.cookie, &d.child,
			       ns_dtype(ino.attr.mode));
}

static int fix_index(struct fix *x)
{
	struct span name = finding_name(&x->f);
	struct dirent_rec d;
	int rc = dirent_get(x->t, &x->f.parent, name, &d);

	return rc ? rc : dirent_set(x->t, &x->f.parent, name, d.cookie, &d.child, d.dtype);
}

static bool leads_here(struct fix *x, const struct fid *fid, const struct inode_rec *ino)
{
	struct dirent_rec d;

	return ino->name.len && dirent_get(x->t, &ino->parent, ino->name, &d) == 0 &&
	       fid_eq(&d.child, fid);
}

/* The inode learns its name: in place of a first one that leads elsewhere, or as a further one. A
 * directory has one name only. */
static int fix_unknown_name(struct fix *x)
{
	struct span name = finding_name(&x->f);
	struct inode_rec ino;
	int rc = inode_get(x->t, &x->f.fid, &ino);

	if (rc)
		return rc;
	if (!leads_here(x, &x->f.fid, &ino))
		rc = inode_set_link(x->t, &x->f.fid, &ino, &x->f.parent, name);
	else if (S_ISDIR(ino.attr.mode))
		return remove_name(x);
	else
		rc = link_add(x->t, &x->f.fid, &ino, &x->f.parent, name);
	if (rc == 0)
		rc = orphan_del(x->t, &x->f.fid);
	return rc ? rc : set_nlink(x, &x->f.fid);
}

/* 0: a directory that lacks the name. */
static int may_restore(struct fix *x)
{
	struct inode_rec dir;
	struct dirent_rec d;
	int rc = inode_get(x->t, &x->f.parent, &dir);

	if (rc == 0 && !S_ISDIR(dir.attr.mode))
		rc = -ENOTDIR;
	if (rc)
		return rc;
	rc = dirent_get(x->t, &x->f.parent, finding_name(&x->f), &d);
	return rc == 0 ? -EEXIST : rc == -ENOENT ? 0 : rc;
}

/* Whatever else says that the inode has this name goes, and it keeps its others. */
static int fix_lost_name(struct fix *x)
{
	struct span name = finding_name(&x->f);
	struct inode_rec ino;
	uint32_t names;
	int rc = inode_get(x->t, &x->f.fid, &ino);

	if (rc == 0 && may_restore(x) == 0) {
		rc = add_name(x, &x->f.parent, name, &x->f.fid, ns_dtype(ino.attr.mode));
		return rc ? rc : set_nlink(x, &x->f.fid);
	}
	if (rc == 0)
		rc = link_del(x->t, &x->f.fid, &ino, &x->f.parent, name);
	if (rc == 0)
		rc = inode_get(x->t, &x->f.fid, &ino);
	if (rc == 0)
		rc = check_count_names(x->t, &x->f.fid, &ino, &names);
	if (rc)
		return rc;
	return names ? set_nlink(x, &x->f.fid) : to_lost_found(x, &x->f.fid);
}

/* ---- inodes ---- */

struct first {
	struct finding *f;
	bool found;
};

static int first_row(void *arg, const struct link_key *k, const struct link_rec *v)
{
	struct first *a = arg;

	(void)v;
	if (!fid_eq(&k->fid, &a->f->fid))
		return 1;
	a->f->parent = k->parent;
	a->f->name_len = (uint32_t)min_u64(k->name.len, sizeof(a->f->name));
	memcpy(a->f->name, k->name.ptr, a->f->name_len);
	a->found = true;
	return 1;
}

static int fix_first_name(struct fix *x)
{
	struct first a = {.f = &x->f};
	struct link_key from = {.fid = x->f.fid};
	struct inode_rec ino;
	int rc = link_rec_walk(x->t, &from, first_row, &a);

	if (rc || !a.found)
		return rc ? rc : -ENOENT;
	rc = link_rec_del(x->t, &(struct link_key){x->f.fid, x->f.parent, finding_name(&x->f)});
	if (rc == 0)
		rc = inode_get(x->t, &x->f.fid, &ino);
	if (rc == 0)
		rc = inode_set_link(x->t, &x->f.fid, &ino, &x->f.parent, finding_name(&x->f));
	return rc ? rc : set_nlink(x, &x->f.fid);
}

static int fix_nlink(struct fix *x)
{
	struct inode_rec ino;
	int rc = inode_get(x->t, &x->f.fid, &ino);

	if (rc)
		return rc;
	ino.attr.nlink = (uint32_t)x->f.want;
	attr_touch_ctime(&ino.attr, x->now);
	return inode_update(x->t, &x->f.fid, &ino);
}

static int fix_cookie(struct fix *x)
{
	struct inode_rec ino;
	int rc = inode_get(x->t, &x->f.fid, &ino);

	if (rc)
		return rc;
	ino.next_cookie = x->f.want;
	return inode_update(x->t, &x->f.fid, &ino);
}

/* A directory below itself is cut off from what it hangs at. */
static int fix_loop(struct fix *x)
{
	int rc = remove_name(x);

	return rc ? rc : to_lost_found(x, &x->f.fid);
}

static int fix_unsure(struct fix *x)
{
	struct inode_rec ino;
	int rc = inode_get(x->t, &x->f.fid, &ino);

	if (rc)
		return rc;
	return ino.attr.flags & ATTR_SIZE_UNSURE ? unsure_add(x->t, &x->f.fid)
						 : unsure_del(x->t, &x->f.fid);
}

static int fix_stray(struct fix *x)
{
	const struct fid *fid = &x->f.fid;
	struct span name = finding_name(&x->f);

	switch (x->f.table) {
	case TABLE_link:
		return link_rec_del(x->t, &(struct link_key){*fid, x->f.parent, name});
	case TABLE_xattr:
		return xattr_rec_del(x->t, &(struct xattr_key){*fid, name});
	case TABLE_orphan:
		return orphan_del(x->t, fid);
	case TABLE_unsure:
		return unsure_del(x->t, fid);
	case TABLE_hsm:
		return hsm_forget(x->t, fid);
	}
	return -EOPNOTSUPP;
}

static int fix_one(struct fix *x)
{
	const struct finding *f = &x->f;

	switch (f->kind) {
	case FINDING_misplaced_name:
	case FINDING_dangling_name:
		return remove_name(x);
	case FINDING_wrong_type:
		return fix_name_type(x);
	case FINDING_lost_index:
		return fix_index(x);
	case FINDING_stale_index:
		return diridx_rec_del(x->t, &(struct diridx_key){f->parent, f->cookie});
	case FINDING_unknown_name:
		return fix_unknown_name(x);
	case FINDING_lost_name:
		return fix_lost_name(x);
	case FINDING_no_first_name:
		return fix_first_name(x);
	case FINDING_nameless:
		return to_lost_found(x, &f->fid);
	case FINDING_wrong_nlink:
		return fix_nlink(x);
	case FINDING_used_cookie:
		return fix_cookie(x);
	case FINDING_loop:
		return fix_loop(x);
	case FINDING_wrong_orphan:
		return orphan_del(x->t, &f->fid);
	case FINDING_wrong_unsure:
		return fix_unsure(x);
	case FINDING_stray_row:
		return fix_stray(x);
	case FINDING_doomed_objects:
		return unlinklog_rec_del(
			x->t, &(struct unlinklog_key){f->ost, f->fid, f->comp, f->stripe});
	default:
		return -EOPNOTSUPP;
	}
}

int lfsck_fix(struct txn *t, const struct finding *f, int64_t now)
{
	struct fix x = {.t = t, .now = now};
	int rc = look_again(&x, f);

	return rc ? rc : fix_one(&x);
}

/* ---- lost+found ---- */

/* An inode that is made now, not by anybody. */
static struct inode_rec new_inode(uint32_t mode, int64_t now)
{
	return (struct inode_rec){
		.attr = {.mode = mode, .atime = now, .mtime = now, .ctime = now, .btime = now}};
}

int lfsck_lost_found(struct txn *t, int64_t now)
{
	struct inode_rec dir = new_inode(S_IFDIR | 0700, now), old;
	int rc = inode_get(t, &FID_LOST_FOUND, &old);

	dir.attr.nlink = 2;
	dir.attr.size = 4096;
	dir.attr.blocks = 8;
	dir.parent = FID_DOT_LUSTRE;
	dir.name = SPAN_STR("lost+found");
	dir.next_cookie = DIRENT_FIRST_COOKIE;
	return rc == -ENOENT ? inode_put(t, &FID_LOST_FOUND, &dir) : rc;
}

int lfsck_adopt(struct txn *t, const struct fid *fid, const struct layout *l, uint32_t trunc_gen,
		int64_t now)
{
	struct fix x = {.t = t, .now = now};
	struct inode_rec ino = new_inode(S_IFREG | 0600, now), old;
	struct wbuf w;
	int rc = inode_get(t, fid, &old);

	if (rc != -ENOENT)
		return rc ? rc : -EEXIST;
	ino.attr.flags = ATTR_HAS_LAYOUT | INODE_HAS_OBJECTS;
	ino.attr.trunc_gen = trunc_gen;
	attr_make_unsure(&ino.attr);
	/* Objects carry the time of their last write: it counts, however long ago it was. */
	ino.attr.fence = 1;
	wbuf_init(&w, MAX_LAYOUT_BLOB);
	rc = layout_enc(&w, l);
	ino.layout = wbuf_span(&w);
	if (rc == 0)
		rc = inode_put(t, fid, &ino);
	wbuf_fini(&w);
	if (rc == 0)
		rc = unsure_add(t, fid);
	return rc ? rc : to_lost_found(&x, fid);
}
