/* SPDX-License-Identifier: Apache-2.0 */
/* intent.c - opens for reading that come with a lookup or a listing, because the client expects
 * them to follow.
 *
 * It may be wrong. So nothing is done that anybody else would have to wait for now, or that the
 * lookup would not have done to him later: nobody writes the file, or may, it is not contended, and
 * the client gets SHARED only beside LOOKUP and UPDATE, which are recalled before any change in any
 * case. Who may read the file is checked by the client's kernel at the open, as always.
 *
 * These requests do not modify anything, so their replies are not stored: one that is sent again is
 * executed again, and first forgets what it had opened before, of which the client never heard.
 */
#include "mds/intent.h"
#include <sys/stat.h>

/* More are for those who ask. */
#define MAX_INTENTS (MAX_OPENS / 2)

static bool has_open(const struct node *n, const struct client *c)
{
	const struct open *o;

	LIST_FOREACH(o, &n->opens, of_node)
	if (o->client == c)
		return true;
	return false;
}

static bool is_quiet(const struct mds *m, const struct client *c, const struct fid *fid,
		     uint64_t now)
{
	const struct node *n = node_find(m->opens, fid);

	if (n && (n->nwriters || now < n->contended_until_ns || has_open(n, c)))
		return false;
	if (lease_data(m->leases, &c->leases, fid) & ~(uint32_t)LEASE_SHARED)
		return false;
	return !lease_conflict(m->leases, &c->leases, fid, LEASE_EXCLUSIVE | LEASE_CONTENDED,
			       now) &&
	       !lease_unreturned(m->leases, &c->leases, fid, now);
}

bool intent_open(struct rpc_op *op, const struct fid *fid, const struct inode_rec *ino,
		 uint64_t open_id, uint32_t *lease)
{
	struct client_open co = {.fid = *fid, .id = open_id, .flags = OPEN_READ, .was_sure = true};
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	uint64_t now = loop_now(m->loop), open_seq;
	uint32_t sole;

	if (!S_ISREG(ino->attr.mode) || (ino->attr.flags & (ATTR_SIZE_UNSURE | INODE_RELEASED)) ||
	    !op_share_free(op, fid))
		return false;
	if (~*lease & (LEASE_LOOKUP | LEASE_UPDATE) || m->recovery_end_ns)
		return false;
	if (c->nopens >= MAX_INTENTS || !is_quiet(m, c, fid, now))
		return false;
	if (!(lease_grant(m->leases, &c->leases, fid, LEASE_SHARED, now) & LEASE_SHARED))
		return false;
	if (client_open(c, &co, &open_seq, &sole))
		return false; /* the lease is one that the client will be asked for in vain */
	*lease |= LEASE_SHARED;
	return true;
}

void intent_forget(struct rpc_op *op, uint64_t first, uint32_t n)
{
	struct client *c = op_client(op);
	struct mds *m = op_mds(op);
	struct open *o, *next;

	for (o = LIST_FIRST(&c->opens); o; o = next) {
		next = LIST_NEXT(o, of_client);
		if (o->id - first >= n)
			continue;
		settle_add(m->settle, &o->node->fid);
		open_del(m->opens, o);
		c->nopens--;
	}
}
