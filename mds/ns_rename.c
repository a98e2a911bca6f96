/* SPDX-License-Identifier: Apache-2.0 */
/* ns_rename.c - rename(2) with NOREPLACE and EXCHANGE; see ns.h.
 *
 * One operation moves at most two names and touches at most five inodes: the two parents, what is
 * moved, what it replaces or is exchanged with. All of them are read and checked, then written.
 */
#include "mds/attr.h"
#include "mds/dirent.h"
#include "mds/link.h"
#include "mds/ns.h"
#include <stdio.h>
#include <sys/stat.h>

enum { NOREPLACE = 1, EXCHANGE = 2 };

struct side { /* a name and what it leads to */
	const struct fid *parent;
	struct span name;
	bool exists;
	struct dirent_rec d;
	struct inode_rec ino;
};

struct rename {
	struct side from, to;
	struct inode_rec from_dir, to_dir; /* to_dir is unused when both are the same */
	bool one_dir;
};

static bool side_is_dir(const struct side *s)
{
	return S_ISDIR(s->ino.attr.mode);
}

static int side_get(struct txn *t, struct side *s)
{
	int rc = dirent_get(t, s->parent, s->name, &s->d);

	if (rc == 0)
		rc = inode_get(t, &s->d.child, &s->ino);
	s->exists = rc == 0;
	return rc;
}

static bool reserved(const struct side *s)
{
	struct fid root = FID_ROOT;

	return fid_eq(s->parent, &root) && span_eq(s->name, SPAN_STR(".lustre"));
}

/* Is `dir` the directory `top` or below it? 1, 0, -errno. */
static int is_below(struct txn *t, const struct fid *dir, const struct fid *top)
{
	struct fid at = *dir, root = FID_ROOT;
	struct inode_rec ino;
	uint32_t depth;
	int rc;

	for (depth = 0; depth < 1U << 20; depth++) {
		if (fid_eq(&at, top))
			return 1;
		if (fid_eq(&at, &root) || ns_is_virtual(&at)) /* lost+found is below .lustre */
			return 0;
		rc = inode_get(t, &at, &ino);
		if (rc)
			return rc == -ENOENT ? -EIO : rc;
		at = ino.parent;
	}
	return -EIO; /* a loop: the tables are damaged */
}

/* Neither may become its own ancestor. */
static int loop_check(struct txn *t, const struct rename *r, uint32_t flags)
{
	int rc = 0;

	if (side_is_dir(&r->from))
		rc = is_below(t, r->to.parent, &r->from.d.child);
	if (rc)
		return rc > 0 ? -EINVAL : rc;
	if (r->to.exists && side_is_dir(&r->to))
		rc = is_below(t, r->from.parent, &r->to.d.child);
	if (rc > 0)
		return flags & EXCHANGE ? -EINVAL : -ENOTEMPTY;
	return rc;
}

static int target_check(struct txn *t, const struct rename *r, uint32_t flags)
{
	bool from_dir = side_is_dir(&r->from), to_dir;
	int rc;

	/* Two names of one inode, or a name and itself: nothing is replaced. */
	if (!r->to.exists || (flags & EXCHANGE) || fid_eq(&r->from.d.child, &r->to.d.child))
		return 0;
	to_dir = side_is_dir(&r->to);
	if (from_dir && !to_dir)
		return -ENOTDIR;
	if (!from_dir && to_dir)
		return -EISDIR;
	rc = to_dir ? dirent_any(t, &r->to.d.child) : 0;
	return rc > 0 ? -ENOTEMPTY : rc;
}

/* How many subdirectories each parent wins or loses. */
static int nlink_check(struct rename *r, uint32_t flags)
{
	struct attr *from = &r->from_dir.attr;
	struct attr *to = r->one_dir ? from : &r->to_dir.attr;
	int gain = side_is_dir(&r->from), loss = r->to.exists && side_is_dir(&r->to);

	if (!r->one_dir && gain > loss && to->nlink >= MAX_LINKS)
		return -EMLINK;
	to->nlink += (uint32_t)gain;
	from->nlink -= (uint32_t)gain;
	to->nlink -= (uint32_t)loss;
	if (flags & EXCHANGE) {
		if (!r->one_dir && loss > gain && from->nlink >= MAX_LINKS)
			return -EMLINK;
		from->nlink += (uint32_t)loss;
	}
	return 0;
}

static int check(struct txn *t, struct rename *r, uint32_t flags)
{
	int rc;

	if ((flags & ~(uint32_t)(NOREPLACE | EXCHANGE)) || flags == (NOREPLACE | EXCHANGE))
		return -EINVAL;
	rc = ns_get_dir(t, r->from.parent, &r->from_dir);
	if (rc == 0 && !r->one_dir)
		rc = ns_get_dir(t, r->to.parent, &r->to_dir);
	if (rc == 0 && (reserved(&r->from) || reserved(&r->to)))
		rc = -EPERM;
	if (rc == 0)
		rc = side_get(t, &r->from);
	if (rc)
		return rc;
	rc = side_get(t, &r->to);
	if (rc && rc != -ENOENT)
		return rc;
	/* The order of the checks is Linux's: what flags ask for, a loop, the target. */
	if (r->to.exists && (flags & NOREPLACE))
		return -EEXIST;
	if (!r->to.exists && (flags & EXCHANGE))
		return -ENOENT;
	rc = r->one_dir ? 0 : loop_check(t, r, flags);
	if (rc == 0)
		rc = target_check(t, r, flags);
	return rc;
}

/* Both names stay; they change what they lead to. */
static int exchange(struct txn *t, struct rename *r, int64_t now)
{
	struct side *a = &r->from, *b = &r->to;
	int rc;

	attr_touch_ctime(&a->ino.attr, now);
	attr_touch_ctime(&b->ino.attr, now);
	rc = link_move(t, &a->d.child, &a->ino, a->parent, a->name, b->parent, b->name);
	if (rc == 0)
		rc = link_move(t, &b->d.child, &b->ino, b->parent, b->name, a->parent, a->name);
	if (rc == 0)
		rc = dirent_set(t, a->parent, a->name, a->d.cookie, &b->d.child, b->d.dtype);
	if (rc == 0)
		rc = dirent_set(t, b->parent, b->name, b->d.cookie, &a->d.child, a->d.dtype);
	return rc;
}

static int move(struct txn *t, const struct ns_env *env, struct rename *r, int64_t now,
		struct ns_removed *replaced)
{
	struct inode_rec *to_dir = r->one_dir ? &r->from_dir : &r->to_dir;
	struct side *a = &r->from, *b = &r->to;
	int rc = 0;

	if (b->exists)
		rc = ns_drop_link(t, env, &b->d.child, &b->ino, b->parent, b->name, now, replaced);
	attr_touch_ctime(&a->ino.attr, now);
	if (rc == 0)
		rc = link_move(t, &a->d.child, &a->ino, a->parent, a->name, b->parent, b->name);
	if (rc == 0)
		rc = dirent_del(t, a->parent, a->name, a->d.cookie);
	if (rc)
		return rc;
	return dirent_set(t, b->parent, b->name, b->exists ? b->d.cookie : to_dir->next_cookie++,
			  &a->d.child, a->d.dtype);
}

int ns_rename(struct txn *t, const struct ns_env *env, const struct mds_rename_req *q, int64_t now,
	      struct fid *moved, struct ns_removed *replaced)
{
	struct rename r = {
		.from = {.parent = &q->from_parent, .name = q->from_name},
		.to = {.parent = &q->to_parent, .name = q->to_name},
		.one_dir = fid_eq(&q->from_parent, &q->to_parent),
	};
	int rc = check(t, &r, q->flags);

	*replaced = (struct ns_removed){0};
	if (rc)
		return rc;
	*moved = r.from.d.child;
	if (r.to.exists && fid_eq(&r.from.d.child, &r.to.d.child)) {
		replaced->fid = r.to.d.child;
		return 0; /* two names of one file: POSIX wants nothing to happen */
	}
	rc = nlink_check(&r, q->flags);
	if (rc == 0)
		rc = q->flags & EXCHANGE ? exchange(t, &r, now) : move(t, env, &r, now, replaced);
	if (rc)
		return rc;
	if (q->flags & EXCHANGE)
		*replaced = (struct ns_removed){r.to.d.child, r.to.ino.attr.nlink, false};
	attr_touch_mtime(&r.from_dir.attr, now);
	rc = inode_update(t, &q->from_parent, &r.from_dir);
	if (rc || r.one_dir)
		return rc;
	attr_touch_mtime(&r.to_dir.attr, now);
	return inode_update(t, &q->to_parent, &r.to_dir);
}
