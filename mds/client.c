/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - sessions of the MDS: what a client has open, and what becomes of it when the client
 * goes.
 *
 * A session that ends gives back its locks and opens and is forgotten in table slot. When the
 * server itself stops, nothing of that happens: clients come back to its next life and say what
 * they have open.
 */
#include "mds/hsm_queue.h"
#include "mds/slot.h"
#include "mds/state.h"
#include <stdlib.h>

int client_note(const struct client *c, struct txn *t)
{
	char name[sizeof(c->session->name) + sizeof(c->session->peer) + 4];
	struct slot_rec row = {.rpc = c->may_own ? RPC_mds_own : 0};

	snprintf(name, sizeof(name), "%s (%s)", c->session->name, c->session->peer);
	row.body = SPAN_STR(name);
	return slot_put(t, c->uuid, 0, &row);
}

/* *known: it has been here in an earlier life. */
static int remember(struct client *c, bool *known)
{
	struct slot_rec old;
	struct txn *t;
	int rc = store_write(c->mds->store, &t);

	if (rc == 0)
		rc = slot_get(t, c->uuid, 0, 0, &old);
	*known = rc == 0;
	if (rc == 0)
		rc = slot_last(t, c->uuid, &c->had_transno);
	else
		c->row_batch = store_batch(c->mds->store);
	c->last_transno = c->had_transno;
	c->may_own = *known && old.rpc == RPC_mds_own;
	return rc && rc != -ENOENT ? rc : client_note(c, t);
}

static bool all_lanes(const struct client *c, uint64_t said)
{
	return c->lanes && (uint32_t)__builtin_popcountll(said) >= c->lanes;
}

void client_lane_back(struct client *c, uint32_t lane, uint32_t lanes, bool opens_only)
{
	c->opened_lanes |= 1ULL << lane;
	if (!opens_only)
		c->back_lanes |= 1ULL << lane;
	if (lanes)
		c->lanes = lanes;
	c->opened |= all_lanes(c, c->opened_lanes);
	c->back |= all_lanes(c, c->back_lanes);
	if (c->opened)
		recovery_client_news(c->mds, false);
	if (c->back)
		co_wake_all(&c->mds->lease_q); /* for who waits for owners of directories */
}

/* A lane that has never talked to this server holds nothing of its last life. */
static void lane_connects(struct client *c, const struct any_connect_req *q)
{
	if (!c->back && !q->last_boot_id && q->lane < MDS_LANES)
		client_lane_back(c, q->lane, 0, false);
}

int client_session_open(void *arg, struct rpc_session *s, const struct any_connect_req *q)
{
	struct mds *m = arg;
	struct client *c;
	bool known = false;
	int rc;

	if (s->priv) {
		lane_connects(s->priv, q);
		return 0;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->mds = m;
	c->session = s;
	c->id = s->id;
	memcpy(c->uuid, s->uuid, UUID_LEN);
	LIST_INIT(&c->opens);
	co_waitq_init(&c->idle_q);
	co_waitq_init(&c->recall_q);
	lease_holder_init(&c->leases);
	rc = q->kind == PEER_CLIENT ? remember(c, &known) : 0;
	if (rc) {
		free(c);
		return rc;
	}
	s->priv = c;
	c->known = known;
	c->back = c->opened = c->replayed = !known;
	lane_connects(c, q);
	return 0;
}

struct open_undo {
	uint64_t session;
	uint64_t id;
};

static struct client *client_find(struct mds *m, uint64_t session)
{
	struct rpc_session *s = NULL;

	while ((s = rpc_service_session_next(m->svc, s)))
		if (s->id == session)
			return s->priv;
	return NULL;
}

static void open_undo(struct mds *m, void *arg)
{
	const struct open_undo *u = arg;
	struct client *c = client_find(m, u->session);
	struct open *o = c ? open_find(m->opens, c, u->id) : NULL;

	if (!o)
		return;
	settle_add(m->settle, &o->node->fid);
	open_del(m->opens, o);
	c->nopens--;
}

static int undo_with_batch(struct client *c, uint64_t id)
{
	struct open_undo *u = malloc(sizeof(*u));

	if (u)
		*u = (struct open_undo){c->id, id};
	return op_undo(c->mds, open_undo, u);
}

int client_open(struct client *c, const struct client_open *what, uint64_t *open_seq,
		uint32_t *sole)
{
	struct mds *m = c->mds;
	struct open *o = open_find(m->opens, c, what->id);
	int rc;

	if (what->id == 0 || (o && !fid_eq(&o->node->fid, &what->fid)))
		return -EINVAL;
	if (!o && c->nopens >= MAX_OPENS)
		return -ENFILE;
	if (!o) {
		rc = open_add(m->opens, c, &c->opens, &what->fid, what->id, what->flags,
			      what->was_sure, &o);
		if (rc)
			return rc;
		c->nopens++;
		rc = what->in_batch ? undo_with_batch(c, what->id) : 0;
		if (rc) {
			open_del(m->opens, o);
			c->nopens--;
			return rc;
		}
	}
	*open_seq = o->node->open_seq;
	*sole = (o->flags & OPEN_WRITE) && o->node->nwriters == 1 && o->node->was_sure;
	return 0;
}

void client_enter(struct client *c)
{
	c->busy++;
}

int client_leave(struct client *c)
{
	if (--c->busy == 0)
		co_wake_all(&c->idle_q);
	return c->dead ? -ESTALE : 0;
}

static void close_opens(struct client *c)
{
	struct mds *m = c->mds;
	struct open *o;

	while ((o = LIST_FIRST(&c->opens))) {
		settle_add(m->settle, &o->node->fid);
		open_del(m->opens, o);
		c->nopens--;
	}
}

/* dead: it did not say goodbye, and may still be writing. */
static void client_free(struct client *c, bool dead)
{
	struct open *o;

	while ((o = LIST_FIRST(&c->opens)))
		open_del(c->mds->opens, o);
	lease_holder_drop(c->mds->leases, &c->leases, dead);
	free(c);
}

static void forget_slots(struct client *c)
{
	struct txn *t;
	int rc = store_write(c->mds->store, &t);

	if (rc == 0)
		rc = slot_del_client(t, c->uuid);
	if (rc)
		log_warn("%s: reply slots of %s stay behind: %s", c->mds->name, c->session->name,
			 err_str(rc));
}

/* Handlers of the client that wait for something see that it is dead and end; the client is freed
 * after them. */
void client_session_close(void *arg, struct rpc_session *s, bool evicted)
{
	struct mds *m = arg;
	struct client *c = s->priv;

	if (!c || c->dead)
		return;
	log_dbg("%s: %s is gone%s, %u files were open", m->name, s->name,
		evicted ? " (evicted)" : "", c->nopens);
	c->dead = true;
	lock_drop_session(m->locks, c->id, -ESTALE);
	co_wake_all(&c->recall_q);
	co_wake_all(&m->lease_q); /* for its own requests that wait; they see that it is dead */
	co_wake_all(&m->grace_q);
	lease_holder_drop(m->leases, &c->leases, evicted); /* before files are settled */
	close_opens(c);
	hsm_client_gone(m->hsm, c);
	if (!m->stopping) {
		forget_slots(c);
		recovery_client_news(m, true);
	}
	while (c->busy)
		(void)!co_wait(&c->idle_q, 0);
	close_opens(c); /* what a handler made in its last moments */
	s->priv = NULL;
	client_free(c, evicted);
	co_wake_all(&m->lease_q);
}

void client_wake_recalls(struct mds *m)
{
	struct rpc_session *s = NULL;
	struct client *c;

	while ((s = rpc_service_session_next(m->svc, s))) {
		c = s->priv;
		if (c)
			co_wake_all_rc(&c->recall_q, -ESHUTDOWN);
	}
}

void client_free_all(struct mds *m)
{
	struct rpc_session *s = NULL;

	while ((s = rpc_service_session_next(m->svc, s))) {
		if (s->priv)
			client_free(s->priv, false);
		s->priv = NULL;
	}
}
