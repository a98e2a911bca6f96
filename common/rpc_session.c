/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_session.c - connect, sessions and their end, for rpc_server.c.
 *
 * A session is a peer (its uuid) as this life of the server knows it; it has any number of
 * connections (the lanes of a client). It ends when its last connection said disconnect, when it
 * had no connection for session_timeout_ms, or when it is evicted. Its end runs in a fiber,
 * because giving back what it held may suspend.
 *
 * A peer whose machine or network is gone closes no connection, and TCP takes minutes to notice.
 * But a peer that lives says something every ping_ms: a connection on which two pings are missing
 * is closed, and the session is without it since it was heard of last.
 */
#include "common/log.h"
#include "common/rpc_server.h"
#include <ctype.h>
#include <stdlib.h>

/* Peers choose it at random. */
static uint32_t uuid_hash(const uint8_t uuid[UUID_LEN])
{
	uint64_t a, b;

	memcpy(&a, uuid, sizeof(a));
	memcpy(&b, uuid + sizeof(a), sizeof(b));
	return (uint32_t)((a ^ b) * 0x9e3779b97f4a7c15ULL >> 32) % SESSION_HASH;
}

struct rpc_session *rpc_service_session_find(struct rpc_service *s, const uint8_t uuid[UUID_LEN])
{
	struct rpc_session *ses;

	LIST_FOREACH(ses, &s->by_uuid[uuid_hash(uuid)], hash)
		if (!ses->ending && memcmp(ses->uuid, uuid, UUID_LEN) == 0)
			return ses;
	return NULL;
}

/* Names come from peers and go to logs. */
static void copy_printable(char *dst, size_t cap, struct span src)
{
	size_t i, n = src.len < cap - 1 ? src.len : cap - 1;

	for (i = 0; i < n; i++)
		dst[i] = isprint(src.ptr[i]) ? (char)src.ptr[i] : '?';
	dst[n] = 0;
}

static struct rpc_session *session_new(struct rpc_service *s, const struct any_connect_req *q)
{
	struct rpc_session *ses = calloc(1, sizeof(*ses));

	if (!ses)
		return NULL;
	do
		ses->id = loop_random(s->cfg.loop);
	while (!ses->id);
	ses->epoch = 1;
	ses->kind = q->kind;
	memcpy(ses->uuid, q->uuid.ptr, UUID_LEN);
	copy_printable(ses->name, sizeof(ses->name), q->name);
	TAILQ_INSERT_TAIL(&s->sessions, ses, link);
	LIST_INSERT_HEAD(&s->by_uuid[uuid_hash(ses->uuid)], ses, hash);
	s->nsessions++;
	return ses;
}

static void session_free(struct rpc_service *s, struct rpc_session *ses)
{
	TAILQ_REMOVE(&s->sessions, ses, link);
	LIST_REMOVE(ses, hash);
	s->nsessions--;
	free(ses);
}

static bool session_busy(const struct rpc_service *s, const struct rpc_session *ses)
{
	const struct op *o;

	LIST_FOREACH(o, &s->ops, link)
		if (o->pub.session == ses)
			return true;
	return false;
}

/* Running ops must not meet a freed session: they are told that it is gone and are waited for,
 * which may take as long as a poll for news. */
static void session_co_end(struct rpc_service *s, struct rpc_session *ses, bool evicted)
{
	struct sconn *c;

	LIST_FOREACH(c, &s->conns, link)
		if (c->session == ses) {
			c->session = NULL;
			ses->nconns--;
			net_close(c->net, -ESTALE);
		}
	if (s->cfg.ops->session_co_close)
		s->cfg.ops->session_co_close(s->cfg.arg, ses, evicted);
	while (session_busy(s, ses))
		if (co_wait(&s->ended_q, 0))
			break; /* not without a deadline */
	session_free(s, ses);
}

struct session_end {
	struct rpc_service *s;
	struct rpc_session *ses;
	bool evicted;
};

static void session_end_fiber(void *arg)
{
	struct session_end e = *(struct session_end *)arg;

	free(arg);
	session_co_end(e.s, e.ses, e.evicted);
}

/* From now on nobody finds the session; a new connect of the peer makes another one. */
static void session_end(struct rpc_service *s, struct rpc_session *ses, bool evicted)
{
	struct session_end *e;

	if (ses->ending)
		return;
	e = malloc(sizeof(*e));
	if (!e)
		return; /* the reaper comes again */
	*e = (struct session_end){s, ses, evicted};
	ses->ending = true;
	if (fiber_spawn(s->cfg.loop, session_end_fiber, e)) {
		free(e);
		ses->ending = false;
	}
}

enum {
	SESSION_TIMEOUT_MS = 30000,
	PING_MIN_MS = 1000,
	PING_MAX_MS = 15000,
	SILENT_PINGS = 2,
	SUSPECT_MS = 1000,
};

static void reap_by(struct rpc_service *s, uint64_t due_ns)
{
	uint64_t now = loop_now(s->cfg.loop);

	if (!s->reap_timer.due_ns || s->reap_timer.due_ns > due_ns)
		loop_timer_start(s->cfg.loop, &s->reap_timer, due_ns > now ? due_ns - now : 0);
}

void rpc_server_session_unbind(struct sconn *c)
{
	struct rpc_service *s = c->svc;
	struct rpc_session *ses = c->session;

	if (!ses)
		return;
	c->session = NULL;
	if (--ses->nconns)
		return;
	ses->idle_since_ns = c->silent ? c->heard_ns : loop_now(s->cfg.loop);
	if (c->said_bye)
		session_end(s, ses, false);
	else
		reap_by(s, ses->idle_since_ns + s->cfg.session_timeout_ms * NSEC_PER_MSEC);
}

/* When to look again. If it was this server that slept, the pings are in its sockets: who is
 * suspected has time until these were read. */
static uint64_t conn_check(struct sconn *c, uint64_t now)
{
	uint64_t limit = SILENT_PINGS * c->ping_ms * NSEC_PER_MSEC;

	if (c->stopped || c->wants_bulk) /* by us: it may say what it likes */
		return now + limit;
	if (c->heard_ns + limit > now)
		return c->heard_ns + limit;
	if (c->suspected_ns < c->heard_ns)
		c->suspected_ns = now;
	if (c->suspected_ns + SUSPECT_MS * NSEC_PER_MSEC > now)
		return c->suspected_ns + SUSPECT_MS * NSEC_PER_MSEC;
	log_warn("%s: %s (%s) is silent for %u s: connection closed", c->svc->cfg.name,
		 c->session->name, net_peer(c->net),
		 (uint32_t)((now - c->heard_ns) / (uint64_t)NSEC_PER_SEC));
	c->silent = true;
	net_close(c->net, -ETIMEDOUT);
	return now + limit;
}

/* Closes connections of peers that are gone. */
static void reap_conns(struct rpc_service *s)
{
	struct sconn *c;

	LIST_FOREACH(c, &s->conns, link)
		if (c->session && !c->silent)
			reap_by(s, conn_check(c, loop_now(s->cfg.loop)));
}

void rpc_service_set_session_timeout(struct rpc_service *s, uint32_t ms)
{
	struct rpc_session *ses;

	s->cfg.session_timeout_ms = ms ? ms : SESSION_TIMEOUT_MS;
	s->ping_ms = s->cfg.session_timeout_ms / 2;
	if (s->ping_ms < PING_MIN_MS)
		s->ping_ms = PING_MIN_MS;
	if (s->ping_ms > PING_MAX_MS)
		s->ping_ms = PING_MAX_MS;
	TAILQ_FOREACH(ses, &s->sessions, link)
		if (!ses->nconns && !ses->ending)
			reap_by(s, ses->idle_since_ns + s->cfg.session_timeout_ms * NSEC_PER_MSEC);
}

/* And ends sessions that had no connection for too long. */
void rpc_server_reap(void *arg)
{
	struct rpc_service *s = arg;
	uint64_t timeout = s->cfg.session_timeout_ms * NSEC_PER_MSEC;
	uint64_t now = loop_now(s->cfg.loop);
	struct rpc_session *ses, *tmp;

	for (ses = TAILQ_FIRST(&s->sessions); ses; ses = tmp) {
		tmp = TAILQ_NEXT(ses, link);
		if (ses->nconns || ses->ending)
			continue;
		if (ses->idle_since_ns + timeout <= now) {
			log_warn("%s: %s (%s) was not heard of for %u s: evicted", s->cfg.name,
				 ses->name, ses->peer, s->cfg.session_timeout_ms / 1000);
			session_end(s, ses, true);
		} else {
			reap_by(s, ses->idle_since_ns + timeout);
		}
	}
	reap_conns(s);
}

void rpc_service_evict(struct rpc_service *s, struct rpc_session *ses, const char *why)
{
	log_warn("%s: %s (%s) is evicted: %s", s->cfg.name, ses->name, ses->peer, why);
	session_end(s, ses, true);
}

void rpc_server_close_sessions(struct rpc_service *s)
{
	/* Connections are gone; sessions stay in the peers' minds and are resumed by the next life
	 * of the server, so nothing is given back here. Sessions that are ending do end. */
	bool busy;

	do {
		struct rpc_session *ses;

		busy = false;
		TAILQ_FOREACH(ses, &s->sessions, link)
			busy |= ses->ending;
		if (busy)
			co_sleep(NSEC_PER_MSEC);
	} while (busy);
}

void rpc_server_free_sessions(struct rpc_service *s)
{
	struct rpc_session *ses, *tmp;

	for (ses = TAILQ_FIRST(&s->sessions); ses; ses = tmp) {
		tmp = TAILQ_NEXT(ses, link);
		session_free(s, ses);
	}
}

uint32_t rpc_service_nsessions(const struct rpc_service *s)
{
	return s->nsessions;
}

struct rpc_session *rpc_service_session_next(struct rpc_service *s, struct rpc_session *prev)
{
	return prev ? TAILQ_NEXT(prev, link) : TAILQ_FIRST(&s->sessions);
}

/* ---- connect ---- */

static int connect_check(struct rpc_service *s, const struct any_connect_req *q)
{
	if (s->stopping)
		return -ESHUTDOWN;
	if (q->uuid.len != UUID_LEN || q->target.len >= MAX_TARGET_NAME)
		return -EBADMSG;
	if (q->version_min > WIRE_VERSION || q->version_max < WIRE_VERSION) {
		log_warn("%s: a peer speaks versions %u to %u of the protocol, not %u: refused",
			 s->cfg.name, q->version_min, q->version_max, WIRE_VERSION);
		return -EPROTONOSUPPORT;
	}
	return 0;
}

/* A lane has one connection. What an older one still has in its socket must not be executed any
 * more: the client sends it again, and a late copy could overtake what the client does next. */
static void connect_supersede(struct sconn *c, const struct rpc_session *ses, uint32_t lane)
{
	struct sconn *old;

	if (!ses->nconns)
		return;
	LIST_FOREACH(old, &c->svc->conns, link)
		if (old != c && old->session == ses && old->lane == lane)
			net_close(old->net, -ECONNRESET);
}

static int connect_session(struct sconn *c, const struct any_connect_req *q,
			   struct any_connect_rep *p)
{
	struct rpc_service *s = c->svc;
	struct rpc_session *ses = rpc_service_session_find(s, q->uuid.ptr);
	int rc;

	p->resumed = ses != NULL;
	if (!ses)
		ses = session_new(s, q);
	if (!ses)
		return -ENOMEM;
	snprintf(ses->peer, sizeof(ses->peer), "%s", net_peer(c->net));
	rc = s->cfg.ops->session_open ? s->cfg.ops->session_open(s->cfg.arg, ses, q) : 0;
	if (rc) {
		if (!p->resumed)
			session_free(s, ses);
		return rc;
	}
	connect_supersede(c, ses, q->lane);
	ses->idle_since_ns = 0;
	ses->nconns++;
	c->session = ses;
	c->lane = q->lane;
	c->said_bye = false;
	p->session = ses->id;
	p->epoch = ses->epoch;
	c->ping_ms = s->ping_ms; /* as connect_rep says */
	reap_by(s, c->heard_ns + SILENT_PINGS * c->ping_ms * NSEC_PER_MSEC);
	return 0;
}

/* The answer to connect is sent outside of the op machinery: there is no session before it. */
static void connect_answer(struct sconn *c, const struct wire_hdr *q, int rc,
			   const struct any_connect_rep *p)
{
	struct rpc_frame *out = rpc_frame_get();
	struct msg *m;

	if (!out) {
		net_close(c->net, -ENOMEM);
		return;
	}
	m = &out->m;
	if (rc == 0)
		any_connect_desc.rep_enc(&out->body, p);
	m->h = (struct wire_hdr){
		.version = WIRE_VERSION,
		.rpc = RPC_any_connect,
		.flags = WIRE_REPLY,
		.xid = q->xid,
		.status = rc ? rc : out->body.rc,
		.session = p->session,
		.epoch = p->epoch,
		.boot_id = c->svc->cfg.boot_id,
		.body_len = out->body.len,
	};
	m->body = out->body.ptr;
	m->done = rpc_frame_done;
	net_send(c->net, m);
}

void rpc_server_connect(struct sconn *c, struct rpc_frame *f)
{
	struct rpc_service *s = c->svc, *to;
	struct any_connect_req q;
	struct any_connect_rep p = {
		.version = WIRE_VERSION,
		.features = FEATURES_SUPPORTED,
		.boot_id = s->cfg.boot_id,
		.slots = SESSION_SLOTS,
		.max_bulk = MAX_BULK,
		.ping_ms = s->ping_ms,
		.server = SPAN_STR(s->cfg.name),
	};
	struct rbuf r = {f->m.body, f->m.h.body_len};
	char target[MAX_TARGET_NAME];
	int rc;

	if (any_connect_desc.req_dec(&r, &q))
		rc = -EBADMSG;
	else
		rc = c->session ? -EISCONN : connect_check(s, &q);
	copy_printable(target, sizeof(target), rc ? SPAN_NONE : q.target);
	if (rc == 0 && target[0] && strcmp(target, s->cfg.name) != 0) {
		to = s->cfg.route ? s->cfg.route(s->cfg.arg, target) : NULL;
		if (to) {
			rc = rpc_server_handover(c, to, f);
			if (rc == 0)
				return;
		} else {
			rc = -ENODEV;
		}
	}
	/* Tools ask for parameters without a target: they need no session. */
	if (rc == 0)
		rc = connect_session(c, &q, &p);
	if (rc)
		log_info("%s: connect of %s for %s refused: %s", s->cfg.name, net_peer(c->net),
			 target[0] ? target : "?", err_str(rc));
	connect_answer(c, &f->m.h, rc, &p);
	rpc_frame_put(f);
}
