/* SPDX-License-Identifier: Apache-2.0 */
/* own.c - what the table of leases knows of directories that this client has for its own; see
 * lease.h and unlink.h. */
#include "client/core/lease_int.h"

uint64_t leases_note_own(struct leases *t, const struct fid *dir, const struct lease_grant *g,
			 struct attr *attr)
{
	const struct inode *i;
	uint64_t own;

	leases_note(t, dir, g, attr);
	pthread_mutex_lock(&t->lock);
	i = inode_find(t, dir);
	/* The newest that was heard of it: no recall has come in between. */
	own = i && attr->seq == g->seq && i->heard == g->seq ? i->own : 0;
	pthread_mutex_unlock(&t->lock);
	return own;
}

bool leases_unlink(struct leases *t, struct lease_unlink *u, uint64_t now)
{
	struct fid_class *d = class_of(t, &u->dir);
	struct inode *dir, *child;
	struct name *n;
	bool good;

	pthread_mutex_lock(&t->lock);
	dir = inode_find(t, &u->dir);
	n = name_leads(t, &u->dir, u->name, now, &child);
	good = attr_good(t, dir, now) && u->own && dir->own == u->own && n &&
	       fid_eq(&n->child, &u->child) && child->attr.nlink == 1 && !S_ISDIR(child->attr.mode);
	if (good) {
		name_drop(t, n);
		class_of(t, &u->child)->changing++;
		class_of(t, &u->child)->changing_xattrs++;
		d->flying++;
		d->changed_ns = now;
		dir->attr.ctime = u->when > dir->attr.ctime ? u->when : dir->attr.ctime + 1;
		u->when = dir->attr.mtime = dir->attr.ctime;
		used(t, dir, now);
	}
	pthread_mutex_unlock(&t->lock);
	return good;
}

void leases_unlinked(struct leases *t, const struct lease_unlink *u, uint64_t seq, uint64_t now)
{
	struct fid_class *d = class_of(t, &u->dir), *c = class_of(t, &u->child);
	struct inode *i;

	pthread_mutex_lock(&t->lock);
	assert(d->flying > 0 && c->changing > 0 && c->changing_xattrs > 0);
	d->flying--;
	c->changing--;
	c->changing_xattrs--;
	d->changed_ns = c->changed_ns = now;
	d->floor = max_u64(d->floor, seq);
	c->floor = max_u64(c->floor, seq);
	i = inode_find(t, &u->dir);
	if (!seq && i) { /* the name is there again */
		lose_bits(t, i, LEASE_UPDATE);
		i->complete = false;
		i->own = 0;
	}
	i = inode_find(t, &u->child);
	if (i && seq)
		inode_drop(t, i);
	else if (i)
		lose_bits(t, i, LEASE_LOOKUP | LEASE_UPDATE);
	pthread_mutex_unlock(&t->lock);
}
