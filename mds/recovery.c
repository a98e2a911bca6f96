/* SPDX-License-Identifier: Apache-2.0 */
/* recovery.c - what a new life of the MDS waits for, of the clients of the last one.
 *
 * Who had a session stands in table slot. Until all of them are back, or the window (a session
 * timeout) is over, nobody gets locks, and nothing that may still be open is removed. Leases need
 * less, see revoke.c: those on names and attributes end with a term. So do those on data, and a
 * client that has not even connected by then is taken for dead: from there on what it may still
 * write is fenced off when somebody wants the file. One that is here and has not said that it is
 * back is still writing down what it had: it is waited for until the window is over, by those who
 * want what it has open for writing. Not by itself: its kernel may hold changed pages back until
 * its truncation is answered.
 */
#include "mds/orphan.h"
#include "mds/slot.h"
#include "mds/state.h"
#include <inttypes.h>
#include <stdlib.h>

enum { SCAN = 256, NAME_LEN = 192, FEW = 64 };
#define LOOK_NS (10 * 1000ULL) /* several times what it costs to look at one client */

/* The client of an earlier life, if it has a session in this one. */
static struct client *client_here(struct mds *m, const uint8_t uuid[UUID_LEN])
{
	struct rpc_session *ses = rpc_service_session_find(m->svc, uuid);

	return ses ? ses->priv : NULL;
}

/* ---- who is missing ---- */

struct known {
	uint8_t uuid[UUID_LEN]; /* the walk begins with zeros */
	const struct client *c; /* NULL: it is not here */
	char name[NAME_LEN];
};

static void read_name(struct txn *t, struct known *k)
{
	struct slot_rec rec;

	if (slot_get(t, k->uuid, 0, 0, &rec) || !rec.body.len)
		snprintf(k->name, sizeof(k->name), "a client");
	else
		snprintf(k->name, sizeof(k->name), "%.*s", (int)rec.body.len,
			 (const char *)rec.body.ptr);
}

/* The next one that had a session in the last life; -ENOENT: there is none. */
static int known_next(struct mds *m, struct txn *t, struct known *k)
{
	int rc;

	do {
		rc = slot_next_client(t, k->uuid, k->uuid);
		k->c = rc == 0 ? client_here(m, k->uuid) : NULL;
	} while (rc == 0 && k->c && !k->c->known);
	return rc;
}

/* Nobody is missing; counts who is. */
static bool all_back(struct mds *m)
{
	struct recovery *r = &m->recovery;
	struct known k = {0};
	struct txn *t;
	bool in_batch;
	int rc = store_read(m->store, &t, &in_batch);

	r->known = r->missing = r->unopened = 0;
	while (rc == 0) {
		rc = known_next(m, t, &k);
		r->known += rc == 0;
		r->missing += rc == 0 && !(k.c && k.c->back);
		r->unopened += rc == 0 && !(k.c && k.c->opened);
	}
	if (rc != -ENOENT)
		r->missing = r->unopened = UINT32_MAX;
	return !r->missing;
}

/* The window is over: what they may have had ends by the clock. */
bool recovery_others_missing(struct mds *m, const struct client *c)
{
	return !m->recovery_end_ns || m->recovery.missing > (c->known && !c->back);
}

/* Whoever may write a file has it open for that. */
bool recovery_others_write(struct mds *m, const struct client *c, const struct fid *fid)
{
	const struct node *n = node_find(m->opens, fid);
	const struct open *o;

	if (m->recovery.unopened > (c->known && !c->opened))
		return true;
	for (o = n ? LIST_FIRST(&n->opens) : NULL; o; o = LIST_NEXT(o, of_node))
		if (o->client != c && (o->flags & OPEN_WRITE) && !o->client->back)
			return true;
	return false;
}

/* missing may be NULL. */
static struct recovery_count count(struct mds *m, struct wbuf *missing)
{
	struct recovery_count n = {0};
	struct known k = {0};
	struct txn *t;
	bool in_batch;
	int rc = store_read(m->store, &t, &in_batch);

	while (rc == 0 && known_next(m, t, &k) == 0) {
		n.known++;
		n.here += k.c != NULL;
		n.back += k.c && k.c->back;
		if (!missing || (k.c && k.c->back))
			continue;
		read_name(t, &k);
		text_put(missing, "%s\"%s\"", missing->len ? ", " : "", k.name);
	}
	return n;
}

/* ---- data ---- */

/* Somebody is here and still has to write what he kept. */
static bool somebody_settles(struct mds *m)
{
	struct rpc_session *ses = NULL;
	const struct client *c;

	while ((ses = rpc_service_session_next(m->svc, ses))) {
		c = ses->priv;
		if (c && !ses->ending && !c->back)
			return true;
	}
	return false;
}

/* Whoever is not back yet may have been writing any of the files of unsure size. */
static void note_dead(struct mds *m)
{
	struct fid from = {0}, found[SCAN];
	struct txn *t;
	bool in_batch;
	int i, n;

	do {
		n = store_read(m->store, &t, &in_batch);
		if (n == 0)
			n = unsure_list(t, &from, found, SCAN);
		for (i = 0; i < n; i++)
			if (unsure_still(t, &found[i]))
				lease_note_dead(m->leases, &found[i], loop_now(m->loop));
		if (n > 0)
			from = found[n - 1];
	} while (n == SCAN);
	if (n < 0)
		log_err("%s: writes of clients that are not back cannot be fenced: %s", m->name,
			err_str(n));
	m->recovery.data_open = true;
	co_wake_all(&m->lease_q);
}

static void data_due(void *arg)
{
	struct mds *m = arg;
	struct recovery_count n;

	if (!m->recovery_end_ns || m->recovery.data_open || somebody_settles(m))
		return;
	n = count(m, NULL);
	log_info("%s: %u of %u clients are not here: what they may still write is refused where "
		 "others want to",
		 m->name, n.known - n.here, n.known);
	note_dead(m);
}

/* ---- the end ---- */

static void log_evicted(struct mds *m, const struct known *k)
{
	char uuid[UUID_STRLEN];

	log_warn("%s: %s (%s) did not come back %s: evicted", m->name, k->name,
		 uuid_str(k->uuid, uuid),
		 m->recovery.aborted ? "before recovery was aborted" : "in time");
}

static int drop_missing(struct mds *m)
{
	struct known k = {0};
	struct txn *t;
	int rc;

	do {
		rc = store_write(m->store, &t);
		if (rc == 0)
			rc = known_next(m, t, &k);
		if (rc || k.c)
			continue;
		read_name(t, &k);
		log_evicted(m, &k);
		rc = slot_del_client(t, k.uuid);
	} while (rc == 0);
	return rc == -ENOENT ? 0 : rc;
}

static void window_fiber(void *arg)
{
	struct mds *m = arg;
	struct recovery *r = &m->recovery;
	int rc;

	if (!m->recovery_end_ns || m->stopping)
		return;
	r->at_end = count(m, NULL);
	r->took_ns = loop_now(m->loop) - m->started_ns;
	if (all_back(m))
		m->inherited_until_ns = 0;
	else if (!r->data_open)
		note_dead(m);
	m->recovery_end_ns = 0;
	replay_end(m);
	co_wake_all(&m->grace_q);
	co_wake_all(&m->lease_q);
	if (r->at_end.known)
		log_info("%s: recovery is over after %" PRIu64 " s: %u of %u clients are back",
			 m->name, r->took_ns / (uint64_t)NSEC_PER_SEC, r->at_end.back,
			 r->at_end.known);
	rc = settle_last_life(m->settle);
	if (rc == 0)
		rc = drop_missing(m);
	if (rc)
		log_err("%s: not all of the last life could be settled: %s", m->name, err_str(rc));
}

static void window_over(void *arg)
{
	struct mds *m = arg;

	if (fiber_spawn(m->loop, window_fiber, m))
		loop_timer_start(m->loop, &m->recovery.window, NSEC_PER_SEC);
}

static void news(void *arg)
{
	struct mds *m = arg;

	co_wake_all(&m->grace_q); /* its own requests */
	replay_news(m);
	if (!m->recovery_end_ns)
		return;
	co_wake_all(&m->lease_q); /* who waited for this one only */
	if (all_back(m))
		loop_timer_start(m->loop, &m->recovery.window, 1);
	else if (loop_now(m->loop) >= m->inherited_until_ns)
		data_due(m);
}

/* Each look goes through all that are known. */
void recovery_client_news(struct mds *m, bool gone)
{
	if (gone || m->recovery.known <= FEW)
		news(m);
	else if (!m->recovery.news.due_ns)
		loop_timer_start(m->loop, &m->recovery.news, m->recovery.known * LOOK_NS);
}

void recovery_abort(struct mds *m)
{
	if (!m->recovery_end_ns)
		return;
	log_warn("%s: recovery is aborted", m->name);
	m->recovery.aborted = true;
	loop_timer_start(m->loop, &m->recovery.window, 1);
}

/* ---- the beginning ---- */

void recovery_start(struct mds *m, uint64_t term_ns)
{
	uint64_t ns = m->session_timeout_s * (uint64_t)NSEC_PER_SEC;
	struct recovery *r = &m->recovery;

	r->window = (struct loop_timer){.fn = window_over, .arg = m};
	r->data = (struct loop_timer){.fn = data_due, .arg = m};
	r->news = (struct loop_timer){.fn = news, .arg = m};
	if (all_back(m)) /* there was nobody */
		ns = term_ns = 1;
	m->recovery_end_ns = loop_now(m->loop) + ns;
	m->inherited_until_ns = loop_now(m->loop) + term_ns;
	loop_timer_start(m->loop, &r->window, ns);
	loop_timer_start(m->loop, &r->data, term_ns);
	replay_start(m, term_ns);
}

void recovery_stop(struct mds *m)
{
	loop_timer_stop(m->loop, &m->recovery.window);
	loop_timer_stop(m->loop, &m->recovery.data);
	loop_timer_stop(m->loop, &m->recovery.news);
	replay_stop(m);
}

/* ---- for administrators ---- */

static int status_running(struct mds *m, struct wbuf *w)
{
	uint64_t now = loop_now(m->loop), end = max_u64(m->recovery_end_ns, now);
	struct recovery_count n;
	struct wbuf missing;

	wbuf_init(&missing, MAX_BODY / 2);
	n = count(m, &missing);
	text_put(w,
		 "status: %s\nrecovery_start: %" PRIu64 "\ntime_remaining: %" PRIu64
		 "\nconnected_clients: %u/%u\nreq_replay_clients: %u\nlock_repay_clients: %u"
		 "\ncompleted_clients: %u\nevicted_clients: 0\nreplayed_requests: %" PRIu64
		 "\nqueued_requests: 0\nnext_transno: %" PRIu64 "\nmissing_clients: [ %.*s ]",
		 n.here ? "RECOVERING" : "WAITING_FOR_CLIENTS",
		 (uint64_t)m->started_real_ns / (uint64_t)NSEC_PER_SEC,
		 (uint64_t)(end - now + NSEC_PER_SEC - 1) / (uint64_t)NSEC_PER_SEC, n.here, n.known,
		 m->replay.on ? replay_clients(m) : 0, n.here - n.back, n.back, m->replay.done,
		 store_transno(m->store) + 1, (int)missing.len,
		 (const char *)missing.ptr);
	wbuf_fini(&missing);
	return w->rc;
}

int recovery_status(struct mds *m, struct wbuf *w)
{
	const struct recovery *r = &m->recovery;

	if (m->recovery_end_ns)
		return status_running(m, w);
	if (!r->at_end.known)
		return text_put(w, "status: INACTIVE");
	if (!r->at_end.known)
		return text_put(w, "status: INACTIVE");
	return text_put(w,
			"status: COMPLETE\nrecovery_start: %" PRIu64 "\nrecovery_duration: %" PRIu64
			"\ncompleted_clients: %u/%u\nevicted_clients: %u"
			"\nreplayed_requests: %" PRIu64 "\nlast_transno: %" PRIu64
			"\nVBR: DISABLED\nIR: DISABLED",
			(uint64_t)m->started_real_ns / (uint64_t)NSEC_PER_SEC,
			r->took_ns / (uint64_t)NSEC_PER_SEC, r->at_end.back, r->at_end.known,
			r->at_end.known - r->at_end.here, m->replay.done,
			store_last_committed(m->store));
}
