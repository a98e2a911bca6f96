/* SPDX-License-Identifier: Apache-2.0 */
/* revoke.c - leases as handlers see them: given with replies, taken back before a change, and
 * mds_recalls, by which clients hear of it. The rules are mds/lease.c's; here are time and
 * waiting.
 *
 * A client has one mds_recalls waiting here at nearly all times, so a recall costs one round trip:
 * its answer, and the next one that says it is done. A client that does not say so in time gets no
 * new term, and when the old one is over nobody waits for it any more: its caches end by the
 * clock, at the client as well.
 */
#include "mds/own.h"
#include "mds/state.h"
#include <sys/stat.h>

enum {
	TERM_PER_SESSION = 5, /* the term is two fifths of the session timeout: 12 s of 30 */
	RECALLS_MAX = 2048,   /* records of one reply */
	DATA_PER_SESSION = 2, /* session timeouts in which data must be written back */
};

uint64_t lease_term_ns(const struct mds *m)
{
	return m->session_timeout_s * (uint64_t)NSEC_PER_SEC * 2 / TERM_PER_SESSION;
}

/* ---- giving ---- */

uint64_t op_seq(struct rpc_op *op)
{
	return lease_seq(op_mds(op)->leases);
}

/* Attributes of a file that is being written are only its writer's to keep, if it is alone: it
 * knows what it writes. */
static bool may_keep(const struct mds *m, const struct client *c, const struct fid *fid,
		     const struct attr *a)
{
	const struct node *n;

	if (!S_ISREG(a->mode))
		return true;
	n = node_find(m->opens, fid);
	if (n && n->nwriters)
		return !node_open_elsewhere(n, c, true);
	return !(a->flags & ATTR_SIZE_UNSURE);
}

uint32_t op_lease(struct rpc_op *op, const struct fid *fid, const struct attr *a, uint32_t bits)
{
	struct mds *m = op_mds(op);

	if (op->replayed || ns_is_virtual(fid) || op->session->kind != PEER_CLIENT)
		return 0;
	if ((bits & LEASE_UPDATE) && !may_keep(m, op_client(op), fid, a))
		bits &= ~(uint32_t)LEASE_UPDATE;
	if (!bits || own_elsewhere(op, fid))
		return 0;
	return lease_grant(m->leases, &op_client(op)->leases, fid, bits, loop_now(m->loop)) & bits;
}

void op_lease_give_up(struct rpc_op *op, const struct fid *fid, uint32_t bits)
{
	lease_give_up(op_mds(op)->leases, &op_client(op)->leases, fid, bits, UINT64_MAX);
}

/* ---- taking back ---- */

#define MAY_WRITE ((uint32_t)(LEASE_EXCLUSIVE | LEASE_CONTENDED))

/* Whoever can write a file has it open for that, so its size is unsure. */
static bool is_unsure(struct mds *m, const struct fid *fid)
{
	struct inode_rec ino;
	struct txn *t;
	bool in_batch;

	return store_read(m->store, &t, &in_batch) || inode_get(t, fid, &ino) ||
	       (ino.attr.flags & ATTR_SIZE_UNSURE);
}

/* What the last life of the server gave is known to the clients only. What they have cached they
 * give up when they come back, and it ends by the clock. What they have not written yet they write
 * when they come back; see recovery.c. */
static uint64_t inherited_until(struct mds *m, const struct client *c, const struct revoke *r)
{
	uint64_t until = 0;

	/* Who only looks waits for those that may have directories for their own. */
	if ((r->bits & ~(MAY_WRITE | LEASE_OWN)) ? recovery_others_missing(m, c)
						 : (r->bits & LEASE_OWN) && own_missing(m, c))
		until = m->inherited_until_ns;
	if ((r->bits & MAY_WRITE) && m->recovery_end_ns && !m->recovery.data_open &&
	    recovery_others_write(m, c, &r->fid) && is_unsure(m, &r->fid))
		until = max_u64(until, m->recovery_end_ns);
	return until;
}

static uint64_t conflict(struct mds *m, const struct client *c, const struct revoke *r, uint32_t n)
{
	uint64_t now = loop_now(m->loop), until = 0, u;
	uint32_t i;

	for (i = 0; i < n; i++) {
		u = inherited_until(m, c, &r[i]);
		if (u > now)
			until = max_u64(until, u);
		u = lease_conflict(m->leases, &c->leases, &r[i].fid, r[i].bits, now);
		until = max_u64(until, u);
	}
	return until;
}

static bool nothing_to_revoke(const struct mds *m, const struct client *c)
{
	return !m->recovery_end_ns && m->inherited_until_ns <= loop_now(m->loop) &&
	       lease_alone(m->leases, &c->leases);
}

bool op_must_revoke(struct rpc_op *op, const struct fid *fid, uint32_t bits)
{
	struct revoke r = {*fid, bits};

	return !nothing_to_revoke(op_mds(op), op_client(op)) &&
	       conflict(op_mds(op), op_client(op), &r, 1);
}

/* Again and again: directories of the last life are known when their owners are back, and OWN is
 * fenced when its holder's term is over. Until when to wait, 0: nothing is left. */
static uint64_t recall(struct mds *m, const struct client *c, const struct revoke *r, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		lease_recall(m->leases, &c->leases, &r[i].fid, r[i].bits, loop_now(m->loop));
	return conflict(m, c, r, n);
}

int op_co_revoke(struct rpc_op *op, const struct revoke *r, uint32_t n)
{
	struct lease_barrier barrier[REVOKE_MAX];
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	uint64_t until, began;
	uint32_t i;
	int rc = 0;

	assert(n <= REVOKE_MAX);
	if (op->replayed || nothing_to_revoke(m, c))
		return 0;
	until = recall(m, c, r, n);
	if (!until)
		return 0;
	if (m->stopping)
		return -ESHUTDOWN;
	for (i = 0; i < n; i++) {
		barrier[i] = (struct lease_barrier){.fid = r[i].fid, .bits = r[i].bits};
		lease_barrier_add(m->leases, &barrier[i]);
	}
	client_enter(c);
	began = loop_clock(m->loop);
	do {
		rc = co_wait(&m->lease_q, until);
	} while ((rc == 0 || rc == -ETIMEDOUT) && !c->dead && (until = recall(m, c, r, n)));
	for (i = 0; i < n; i++)
		lease_barrier_del(&barrier[i]);
	stat_add(&m->lease_waits, (loop_clock(m->loop) - began) / 1000);
	if (client_leave(c))
		return -ESTALE;
	return rc == 0 || rc == -ETIMEDOUT ? 1 : rc;
}

int op_co_revoke_all(struct rpc_op *op, const struct fid *fid, uint32_t bits)
{
	struct lease_barrier b = {.fid = *fid, .bits = bits};
	const struct revoke r = {*fid, bits};
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	uint64_t until = 0;
	int rc = op_co_revoke(op, &r, 1); /* of the others, and of the last life */
	bool waited = rc > 0;

	if (rc < 0)
		return rc;
	lease_barrier_add(m->leases, &b);
	client_enter(c);
	do {
		lease_recall(m->leases, NULL, fid, bits, loop_now(m->loop));
		until = lease_conflict(m->leases, NULL, fid, bits, loop_now(m->loop));
		waited = waited || until;
		rc = until && !c->dead ? co_wait(&m->lease_q, until) : 0;
	} while (until && !c->dead && (rc == 0 || rc == -ETIMEDOUT));
	lease_barrier_del(&b);
	if (client_leave(c))
		return -ESTALE;
	return rc && rc != -ETIMEDOUT ? rc : waited;
}

/* The inode behind a name, and the directory. A name that is not there has nothing to lose: the
 * operation will say so. */
static int name_revokes(struct rpc_op *op, const struct revoke_name *name, struct revoke *r)
{
	struct inode_rec ino;
	bool in_batch;
	struct txn *t;
	int rc = store_read(op_mds(op)->store, &t, &in_batch);

	if (rc)
		return rc;
	r[0] = (struct revoke){*name->dir, LEASE_UPDATE | LEASE_OWN};
	rc = ns_lookup(t, name->dir, name->name, &r[1].fid, &ino);
	r[1].bits = LEASE_LOOKUP | LEASE_UPDATE | LEASE_XATTR | LEASE_OWN;
	return rc ? 1 : 2;
}

int op_co_revoke_names(struct rpc_op *op, const struct revoke_name *name, uint32_t n)
{
	struct revoke r[REVOKE_MAX];
	uint32_t i, k;
	int rc;

	assert(2 * n <= REVOKE_MAX);
	if (op->replayed || nothing_to_revoke(op_mds(op), op_client(op)))
		return 0;
	do {
		for (i = k = 0; i < n; i++) {
			rc = name_revokes(op, &name[i], &r[k]);
			if (rc < 0)
				return rc;
			k += (uint32_t)rc;
		}
		rc = op_co_revoke(op, r, k);
	} while (rc > 0); /* the names may lead elsewhere now */
	return rc;
}

int op_co_revoke_one(struct rpc_op *op, const struct fid *fid, uint32_t bits)
{
	struct revoke r = {*fid, bits};
	int rc = op_co_revoke(op, &r, 1);

	return rc < 0 ? rc : 0;
}

/* ---- hearing of it ---- */

void lease_recall_news(void *arg, struct lease_holder *h)
{
	struct client *c = container_of(h, struct client, leases);

	(void)arg;
	co_wake_all(&c->recall_q);
}

static int put_recalls(struct rpc_op *op, const struct lease_holder *h, uint64_t heard,
		       struct mds_recalls_rep *p)
{
	const struct lease *at = NULL;
	struct mds_recall r;
	uint32_t n = 0;
	struct wbuf w;
	int rc;

	wbuf_init(&w, MAX_BODY / 2);
	while (n++ < RECALLS_MAX && lease_next(h, heard, &at, &r.fid, &r.bits, &r.seq)) {
		r.granted = lease_granted(at);
		enc_mds_recall(&w, &r);
	}
	p->recalls = wbuf_span(&w);
	rc = w.rc ? w.rc : op_copy(op, &p->recalls);
	wbuf_fini(&w);
	return rc;
}

/* One that does not answer recalls gets no new term. */
static bool may_renew(const struct mds *m, const struct lease_holder *h)
{
	uint64_t data = m->session_timeout_s * (uint64_t)NSEC_PER_SEC * DATA_PER_SESSION;

	return !lease_overdue(h, loop_now(m->loop), lease_term_ns(m) / 2, data);
}

static bool has_news(const struct lease_holder *h, uint64_t heard)
{
	const struct lease *at = NULL;
	struct mds_recall r;

	return lease_asks(h) || lease_next(h, heard, &at, &r.fid, &r.bits, &r.seq);
}

int mds_recalls(struct rpc_op *op, const struct mds_recalls_req *q, struct mds_recalls_rep *p)
{
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	struct lease_holder *h = &c->leases;
	uint64_t now = loop_now(m->loop), mine = ++c->recalls_asked;
	bool wait = q->wait && h->until_ns > now; /* whoever has no term needs one at once */
	int rc = 0;

	co_wake_all(&c->recall_q); /* an older one of these is of a connection that is lost */
	if (lease_returned(m->leases, h, q->returned))
		co_wake_all(&m->lease_q);
	p->term_ms = (uint32_t)(lease_term_ns(m) / NSEC_PER_MSEC);
	p->renewed = may_renew(m, h);
	if (p->renewed)
		lease_renew(h, now + lease_term_ns(m));
	lease_press(m->leases, h, now); /* the limit may be another one, and it may not ask */
	client_enter(c);
	while (wait && rc == 0 && !has_news(h, q->heard) && !c->dead && mine == c->recalls_asked)
		rc = co_wait(&c->recall_q, now + lease_term_ns(m) / 3);
	if (client_leave(c))
		return -ESTALE;
	if (rc && rc != -ETIMEDOUT)
		return rc;
	p->excess = lease_ask(m->leases, h);
	return put_recalls(op, h, q->heard, p);
}

int mds_give_back(struct rpc_op *op, const struct mds_give_back_req *q,
		  struct mds_give_back_rep *p)
{
	struct mds *m = op_mds(op);
	struct lease_holder *h = &op_client(op)->leases;
	struct rbuf b = rbuf_of(q->leases);
	struct mds_recall r;
	int rc = 0;

	(void)p;
	while (b.len && rc == 0) {
		rc = dec_mds_recall(&b, &r);
		if (rc == 0 && r.seq)
			(void)lease_returned_one(m->leases, h, &r.fid, r.seq);
		else if (rc == 0)
			lease_give_up(m->leases, h, &r.fid, r.bits, r.granted);
	}
	co_wake_all(&m->lease_q);
	return rc;
}
