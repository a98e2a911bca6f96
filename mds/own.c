/* SPDX-License-Identifier: Apache-2.0 */
/* own.c - directories that one client has for its own (LEASE_OWN), so that it may remove files in
 * them without waiting for the answers.
 *
 * Others meet that lease when they look: op_co_look() stands before every request about an inode,
 * and takes OWN of it, and of the directory that a file is in, back. The holder gives it back when
 * its requests have been answered. So nobody sees a name of which somebody was told that it is
 * gone. A file of several names is not looked up here by all of them: its holder does not count it
 * among those that it removes so.
 *
 * A life of the server does not know what the last one gave. The row of slot 0 of a client says
 * whether it ever had such a lease; until those clients are back, and have said what they still
 * need (mds_own with `again`), others do not look at anything.
 */
#include "mds/dirent.h"
#include "mds/own.h"
#include "mds/slot.h"
#include "mds/state.h"
#include <sys/stat.h>

enum { ROWS_PER_FILE = 4 }; /* so many names are looked at for each file that is asked for */

/* ---- looking ---- */

static bool is_client_back(struct mds *m, const uint8_t uuid[UUID_LEN])
{
	struct rpc_session *s = NULL;

	while ((s = rpc_service_session_next(m->svc, s)))
		if (s->priv && memcmp(s->uuid, uuid, UUID_LEN) == 0)
			return ((struct client *)s->priv)->back;
	return false;
}

/* Damaged rows are nobody's. */
static bool may_own(struct txn *t, const uint8_t uuid[UUID_LEN])
{
	struct slot_rec row;

	return slot_get(t, uuid, 0, 0, &row) == 0 && row.rpc == RPC_mds_own;
}

/* c may be NULL. back: those that are count as well. */
static bool any_owner(struct mds *m, const struct client *c, bool back)
{
	uint8_t uuid[UUID_LEN] = {0}, next[UUID_LEN];
	struct txn *t;
	bool in_batch;

	if (store_read(m->store, &t, &in_batch))
		return true;
	while (slot_next_client(t, uuid, next) == 0) {
		memcpy(uuid, next, UUID_LEN);
		if (c && memcmp(c->uuid, uuid, UUID_LEN) == 0)
			continue;
		if (may_own(t, uuid) && (back || !is_client_back(m, uuid)))
			return true;
	}
	return false;
}

void own_start(struct mds *m)
{
	m->had_owners = any_owner(m, NULL, true);
}

bool own_missing(struct mds *m, const struct client *c)
{
	return m->had_owners && m->inherited_until_ns > loop_now(m->loop) && any_owner(m, c, false);
}

static bool nobody_owns(struct mds *m, const struct client *c)
{
	return !lease_owned_elsewhere(m->leases, &c->leases, NULL) && !own_missing(m, c);
}

/* What would have to be given back: of the inode, and of the directory that a file is in. */
static uint32_t owns_of(struct mds *m, const struct fid *fid, struct revoke r[2])
{
	struct inode_rec ino;
	bool in_batch;
	struct txn *t;

	r[0] = (struct revoke){*fid, LEASE_OWN};
	if (store_read(m->store, &t, &in_batch) || inode_get(t, fid, &ino) ||
	    S_ISDIR(ino.attr.mode))
		return 1;
	r[1] = (struct revoke){ino.parent, LEASE_OWN};
	return 2;
}

int op_co_look(struct rpc_op *op, const struct fid *fid)
{
	struct mds *m = op_mds(op);
	struct revoke r[2];
	int rc = 1;

	while (rc > 0 && !nobody_owns(m, op_client(op)))
		rc = op_co_revoke(op, r, owns_of(m, fid, r)); /* 1: the file may have moved */
	return rc < 0 ? rc : 0;
}

int op_co_look_first(struct rpc_op *op, const void *q)
{
	return op_co_look(op, q);
}

bool own_elsewhere(struct rpc_op *op, const struct fid *fid)
{
	const struct lease_holder *h = &op_client(op)->leases;
	struct mds *m = op_mds(op);
	struct revoke r[2];

	if (!lease_owned_elsewhere(m->leases, h, NULL))
		return false;
	return lease_owned_elsewhere(m->leases, h, fid) ||
	       (owns_of(m, fid, r) == 2 && lease_owned_elsewhere(m->leases, h, &r[1].fid));
}

/* ---- mds_own ---- */

/* On the disk before the lease is told. */
static int note_owner(struct rpc_op *op)
{
	struct client *c = op_client(op);
	struct txn *t;
	int rc;

	if (c->may_own)
		return 0;
	c->may_own = true;
	rc = op_write(op, &t);
	if (rc == 0)
		rc = client_note(c, t);
	c->may_own = rc == 0;
	op->durable = true; /* who comes after a loss of power must wait for this client */
	return rc;
}

struct list {
	struct rpc_op *op;
	struct txn *t;
	struct wbuf w;
	uint32_t files, rows; /* that may still come */
	uint64_t next;
};

static bool is_alone(const struct list *l, const struct diridx_rec *e)
{
	struct mds *m = op_mds(l->op);
	struct client *c = op_client(l->op);
	struct inode_rec ino;
	const struct node *n;

	if (e->dtype == ns_dtype(S_IFDIR) ||
	    lease_elsewhere(m->leases, &c->leases, &e->child, UINT32_MAX))
		return false;
	n = node_find(m->opens, &e->child);
	return !(n && node_open_elsewhere(n, c, false)) && inode_get(l->t, &e->child, &ino) == 0 &&
	       ino.attr.nlink == 1;
}

static int list_row(void *arg, uint64_t cookie, const struct diridx_rec *e)
{
	struct list *l = arg;

	if (!l->files || !l->rows)
		return 1;
	l->next = cookie;
	l->rows--;
	if (is_alone(l, e)) {
		enc_mds_fid(&l->w, &(struct mds_fid){e->child});
		l->files--;
	}
	return l->w.rc;
}

static int list_files(struct rpc_op *op, struct txn *t, const struct mds_own_req *q,
		      struct mds_own_rep *p)
{
	uint32_t max = q->max < OWN_FILES_MAX ? q->max : OWN_FILES_MAX;
	struct list l = {.op = op, .t = t, .files = max, .rows = max * ROWS_PER_FILE};
	int rc;

	wbuf_init(&l.w, MAX_BODY / 2);
	rc = dirent_walk(t, &q->fid, q->cookie, list_row, &l);
	p->files = wbuf_span(&l.w);
	if (rc >= 0)
		rc = op_copy(op, &p->files);
	p->next = l.files && l.rows ? 0 : l.next;
	wbuf_fini(&l.w);
	return rc;
}

static int own_new(struct rpc_op *op, const struct mds_own_req *q, struct mds_own_rep *p)
{
	struct mds *m = op_mds(op);
	struct lease_holder *h = &op_client(op)->leases;
	struct txn *t;
	int rc = note_owner(op);

	if (rc == 0)
		rc = op_read(op, &t);
	if (rc == 0)
		rc = op_dir_attr(t, &q->fid, &p->attr);
	if (rc == 0 && !S_ISDIR(p->attr.mode))
		rc = -ENOTDIR;
	if (rc)
		return rc;
	p->seq = op_seq(op);
	p->lease = lease_grant(m->leases, h, &q->fid, LEASE_UPDATE | LEASE_OWN, loop_now(m->loop)) &
		   (LEASE_UPDATE | LEASE_OWN);
	return p->lease & LEASE_OWN ? list_files(op, t, q, p) : 0;
}

/* It counts from now: the client gives it back when its requests are answered. */
static void own_again(struct rpc_op *op, const struct mds_own_req *q, struct mds_own_rep *p)
{
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	uint64_t now = loop_now(m->loop), until = m->inherited_until_ns;

	p->seq = op_seq(op);
	if (c->back || until <= now)
		return;
	lease_renew(&c->leases, until);
	if (lease_own_again(m->leases, &c->leases, &q->fid, now))
		p->lease = LEASE_OWN;
}

int mds_own(struct rpc_op *op, const struct mds_own_req *q, struct mds_own_rep *p)
{
	struct mds *m = op_mds(op);

	if (ns_is_virtual(&q->fid) || op->session->kind != PEER_CLIENT)
		return -EINVAL;
	p->now = loop_realtime(m->loop);
	if (q->again) {
		own_again(op, q, p);
		return 0;
	}
	/* With strict nobody is to be told of what is not on the disk. */
	if (m->recovery_end_ns || store_is_strict(m->store) || op_client(op)->leases.until_ns == 0)
		return 0;
	return own_new(op, q, p);
}
