/* SPDX-License-Identifier: Apache-2.0 */
/* ns_unlink.c - names that go, inodes that die, and the opposite: hard links; see ns.h. */
#include "mds/attr.h"
#include "mds/dirent.h"
#include "mds/hsm.h"
#include "mds/link.h"
#include "mds/ns.h"
#include "mds/orphan.h"
#include "mds/unlinklog.h"
#include "mds/xattr.h"
#include <sys/stat.h>

static int log_objects(struct txn *t, const struct ns_env *env, const struct fid *fid,
		       const struct layout *l, uint64_t bytes)
{
	uint32_t i;
	int32_t s;
	int rc = unlinklog_add(t, fid, l);

	if (rc || !env->logged)
		return rc;
	for (i = 0; i < l->ncomp; i++)
		for (s = 0; l->comp[i].ost && s < l->comp[i].stripe_count; s++)
			env->logged(env->arg, l->comp[i].ost[s], bytes);
	return 0;
}

/* What is written but not told yet counts as much. */
static uint64_t space_of(const struct attr *a)
{
	return a->flags & ATTR_SIZE_UNSURE ? UINT64_MAX : a->blocks * 512;
}

int ns_destroy(struct txn *t, const struct ns_env *env, const struct fid *fid,
	       const struct inode_rec *ino)
{
	CLEANUP(layout_freep) struct layout *l = NULL;
	bool reg = S_ISREG(ino->attr.mode);
	int rc = 0;

	/* What the layout cannot tell is left to the checker: a damaged file can still be
	 * removed. */
	if (reg && inode_layout(fid, ino, &l) == -ENOMEM)
		return -ENOMEM;
	if (striping_made(l))
		rc = log_objects(t, env, fid, l, space_of(&ino->attr));
	if (rc == 0 && (ino->attr.flags & (ATTR_HAS_ACL | ATTR_HAS_XATTR)))
		rc = xattr_del_all(t, fid);
	if (rc == 0 && reg)
		rc = unsure_del(t, fid);
	if (rc == 0)
		rc = hsm_forget(t, fid);
	if (rc == 0)
		rc = orphan_del(t, fid);
	return rc ? rc : inode_del(t, fid);
}

int ns_drop_link(struct txn *t, const struct ns_env *env, const struct fid *fid,
		 struct inode_rec *ino, const struct fid *parent, struct span name, int64_t now,
		 struct ns_removed *out)
{
	struct attr *a = &ino->attr;
	bool dir = S_ISDIR(a->mode);
	int rc;

	attr_touch_ctime(a, now);
	a->nlink = dir || a->nlink == 0 ? 0 : a->nlink - 1;
	*out = (struct ns_removed){.fid = *fid, .nlink = a->nlink};
	if (a->nlink)
		return link_del(t, fid, ino, parent, name);
	if (S_ISREG(a->mode) && env->is_open && env->is_open(env->arg, fid)) {
		rc = link_del(t, fid, ino, parent, name);
		return rc ? rc : orphan_add(t, fid, false);
	}
	out->destroyed = true;
	return ns_destroy(t, env, fid, ino);
}

static int unlink_check(struct txn *t, const struct fid *fid, uint32_t mode, bool rmdir)
{
	int rc;

	if (!S_ISDIR(mode))
		return rmdir ? -ENOTDIR : 0;
	if (!rmdir)
		return -EISDIR;
	rc = dirent_any(t, fid);
	return rc > 0 ? -ENOTEMPTY : rc;
}

static int dotlustre_check(const struct fid *parent, struct span name)
{
	struct fid root = FID_ROOT;

	return fid_eq(parent, &root) && span_eq(name, SPAN_STR(".lustre")) ? -EPERM : 0;
}

/* The client has told this time already; such requests need not come in their order. */
#define AHEAD_NS NSEC_PER_SEC
static void touch_told(struct attr *a, int64_t when)
{
	if (when > a->ctime)
		a->ctime = when;
	if (when > a->mtime)
		a->mtime = when;
}

int ns_unlink(struct txn *t, const struct ns_env *env, const struct mds_unlink_req *q, int64_t now,
	      struct ns_removed *out)
{
	struct inode_rec dir, ino;
	struct dirent_rec d;
	int rc;

	rc = ns_get_dir(t, &q->parent, &dir);
	if (rc == 0)
		rc = dotlustre_check(&q->parent, q->name);
	if (rc == 0)
		rc = dirent_get(t, &q->parent, q->name, &d);
	if (rc == 0 && !fid_is_zero(&q->child) && !fid_eq(&q->child, &d.child))
		rc = -ESTALE;
	if (rc == 0)
		rc = inode_get(t, &d.child, &ino);
	if (rc == 0)
		rc = unlink_check(t, &d.child, ino.attr.mode, q->rmdir);
	if (rc)
		return rc;
	/* ino's spans must be used before the first put, so the child goes first. */
	rc = ns_drop_link(t, env, &d.child, &ino, &q->parent, q->name, now, out);
	if (rc == 0)
		rc = dirent_del(t, &q->parent, q->name, d.cookie);
	if (rc)
		return rc;
	if (!fid_is_zero(&q->child) && q->when < now + AHEAD_NS)
		touch_told(&dir.attr, q->when);
	else
		attr_touch_mtime(&dir.attr, now);
	if (S_ISDIR(ino.attr.mode) && dir.attr.nlink > 2)
		dir.attr.nlink--;
	return inode_update(t, &q->parent, &dir);
}

/* A nameless inode gets a name again only if it was made without one. */
static int link_nameless_check(struct txn *t, const struct fid *fid)
{
	bool linkable;
	int rc = orphan_get(t, fid, &linkable);

	return rc ? rc : linkable ? 0 : -ENOENT;
}

int ns_link(struct txn *t, const struct mds_link_req *q, int64_t now, struct attr *attr)
{
	struct inode_rec dir, ino;
	struct dirent_rec d;
	int rc;

	rc = ns_is_virtual(&q->fid) ? -EPERM : inode_get(t, &q->fid, &ino);
	if (rc == 0)
		rc = S_ISDIR(ino.attr.mode) ? -EPERM : ns_get_dir(t, &q->parent, &dir);
	if (rc == 0 && dotlustre_check(&q->parent, q->name))
		rc = -EEXIST;
	if (rc == 0) {
		rc = dirent_get(t, &q->parent, q->name, &d);
		rc = rc == 0 ? -EEXIST : rc == -ENOENT ? 0 : rc;
	}
	if (rc == 0 && ino.attr.nlink >= MAX_LINKS)
		rc = -EMLINK;
	if (rc == 0 && ino.attr.nlink == 0)
		rc = link_nameless_check(t, &q->fid);
	if (rc)
		return rc;
	ino.attr.nlink++;
	attr_touch_ctime(&ino.attr, now);
	*attr = ino.attr;
	rc = dirent_add(t, &q->parent, q->name, &q->fid, ns_dtype(ino.attr.mode),
			dir.next_cookie++);
	if (rc == 0)
		rc = link_add(t, &q->fid, &ino, &q->parent, q->name);
	if (rc == 0 && ino.attr.nlink == 1)
		rc = orphan_del(t, &q->fid);
	if (rc)
		return rc;
	attr_touch_mtime(&dir.attr, now);
	return inode_update(t, &q->parent, &dir);
}
