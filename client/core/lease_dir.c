/* SPDX-License-Identifier: Apache-2.0 */
/* lease_dir.c - directories of which all names are known; see lease.h. */
#include "client/core/lease_int.h"

void leases_made_dir(struct leases *t, const struct fid *dir, uint64_t seq)
{
	struct inode *i;

	pthread_mutex_lock(&t->lock);
	i = inode_find(t, dir);
	if (i && (i->bits & LEASE_UPDATE) && i->attr.seq == seq)
		i->complete = true;
	pthread_mutex_unlock(&t->lock);
}

bool leases_learn_begin(struct leases *t, const struct fid *dir, const struct lease_grant *g,
			uint64_t cookie)
{
	struct inode *i;
	bool good;

	pthread_mutex_lock(&t->lock);
	i = inode_find(t, dir);
	/* The lease is older than the answer, and was not lost since. */
	good = i && (i->bits & LEASE_UPDATE) && g->session && g->session == t->session &&
	       g->seq >= i->update_since && !i->complete &&
	       (!cookie || (i->known_to && cookie <= i->known_to));
	if (good && !cookie) {
		i->known_to = max_u64(i->known_to, 1);
		i->known = 0;
	}
	pthread_mutex_unlock(&t->lock);
	return good;
}

void leases_learn_end(struct leases *t, const struct fid *dir, uint64_t cookie, uint32_t names,
		      bool eof)
{
	struct inode *i;

	pthread_mutex_lock(&t->lock);
	i = inode_find(t, dir);
	if (i && i->known_to) {
		i->known += names;
		i->known_to = i->known > LISTED_MAX ? 0 : max_u64(i->known_to, cookie);
		i->complete |= eof && i->known_to;
	}
	pthread_mutex_unlock(&t->lock);
}
