/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_client.c - imports and calls; see rpc.h.
 *
 * One fiber per import (import_main) keeps it connected; it reads top to bottom: connect, shake hands, reclaim,
 * send what waits, then sleep until the connection is lost. A call lives on the stack of the
 * fiber that makes it, as a struct pending in the import's list; it stays there until its reply is complete,
 * whatever happens to connections meanwhile. Memory that the caller lent for bulk is never left to the transport
 * when the call returns: a call that gives up while bytes are on their way closes the connection first.
 *
 * It does not know what a server restart means for opens and locks: that is on_restart's business.
 */
#include "common/crc.h"
#include "common/log.h"
#include "common/rpc.h"
#include "common/rpc_msg.h"
#include <stdlib.h>

enum {
	PENDING_HASH = 128,
	CONNECT_TIMEOUT_MS = 5000,
	RETRY_MIN_MS = 20,
	RETRY_MAX_MS = 2000,
	PING_LOST = 3,	  /* pings without an answer until the connection counts as dead */
	BULK_RETRIES = 3, /* sent again this often after a bad bulk checksum */
	DISCARD_LEN = 64 << 10,
};

struct pending {
	struct rpc_import *imp;
	const struct rpc_desc *desc;
	struct rpc_call *call;
	struct rpc_frame *out;
	struct rpc_frame *in;	/* the reply, once whole */
	struct fiber *fiber;	/* suspended in co_reply, or NULL */
	struct loop_timer timer;
	bool in_net;		/* out is queued in the transport */
	bool receiving;		/* the reply's bulk is coming into call->in */
	bool sent;		/* at least once: the next time carries WIRE_RESENT */
	bool timed_out;
	uint32_t retries;	/* after damaged bulk */
	int rc;			/* valid with done */
	bool done;
	uint64_t start_ns;
	TAILQ_ENTRY(pending) link;
	LIST_ENTRY(pending) hash;
};

struct rpc_import {
	struct rpc_import_cfg cfg;
	const struct rpc_client_cfg *client;
	struct loop *l;
	char target[MAX_TARGET_NAME];
	struct nid_list nids;
	uint32_t nid_at;
	enum import_state state;
	bool active, closing;
	bool main_running;
	int error;		/* why it does not work */
	int logged_error;	/* said once, not every second */
	struct net_conn *conn;
	char peer[NID_STRLEN];
	uint64_t session, boot_id;
	uint32_t epoch;
	uint32_t ping_ms;
	uint64_t next_xid;
	uint64_t slots; /* bit set: free */
	uint64_t last_recv_ns;
	struct co_waitq slot_q, state_q;
	TAILQ_HEAD(, pending) calls;
	LIST_HEAD(, pending) hash[PENDING_HASH];
	struct co_waitq event_q; /* import_main sleeps here */
	int connect_rc;
	bool connecting;
	uint8_t *discard;
	struct stat_counter stats[RPC_NR_MAX];
};

static const struct net_ops import_net_ops;

const char *rpc_import_state_name(enum import_state s)
{
	static const char *const names[] = {"DISCONN", "CONNECTING", "REPLAY", "FULL", "CLOSED"};

	return names[s];
}

static void import_set_state(struct rpc_import *imp, enum import_state s)
{
	if (imp->state == s)
		return;
	imp->state = s;
	if (imp->cfg.on_state)
		imp->cfg.on_state(imp->cfg.arg, imp, s);
	co_wake_all(&imp->state_q);
}

static struct pending *pending_find(struct rpc_import *imp, uint64_t xid)
{
	struct pending *p;

	LIST_FOREACH(p, &imp->hash[xid % PENDING_HASH], hash)
		if (p->call->xid == xid)
			return p;
	return NULL;
}

/* Wakes the caller if it may return: nothing of its memory is in the transport's hands. */
static void pending_check(struct pending *p)
{
	if ((p->done || p->timed_out) && !p->in_net && !p->receiving && p->fiber) {
		struct fiber *f = p->fiber;

		p->fiber = NULL;
		fiber_wake(f);
	}
}

static void pending_end(struct pending *p, int rc)
{
	if (p->done)
		return;
	p->done = true;
	p->rc = rc;
	pending_check(p);
}

/* ---- transport callbacks ---- */

static void out_done(struct msg *m, int rc)
{
	struct pending *p = m->owner;

	(void)rc; /* a lost message is sent again after the reconnect */
	if (!p)
		return;
	p->in_net = false;
	pending_check(p);
}

static void in_done(struct msg *m, int rc)
{
	struct rpc_frame *f = container_of(m, struct rpc_frame, m);
	struct pending *p = m->owner;

	(void)rc;
	if (p) { /* given up in the middle of its bulk */
		p->receiving = false;
		pending_check(p);
	}
	rpc_frame_put(f);
}

static struct msg *import_get_msg(void *arg, struct net_conn *c, const struct wire_hdr *h)
{
	struct rpc_frame *f;

	(void)arg, (void)c;
	if (!(h->flags & WIRE_REPLY))
		return NULL; /* servers ask clients nothing in this version */
	f = rpc_frame_get();
	if (!f)
		return NULL;
	if (rpc_frame_reserve(f, h->body_len)) {
		rpc_frame_put(f);
		return NULL;
	}
	f->m.done = in_done;
	f->m.owner = NULL;
	return &f->m;
}

/* Bulk that nobody waits for any more still has to be read off the stream. */
static int import_discard(struct rpc_import *imp, struct msg *m, struct iovec *iov)
{
	uint32_t left = m->h.bulk_len, n = 0;

	if (!imp->discard)
		imp->discard = malloc(DISCARD_LEN);
	if (!imp->discard)
		return -ENOMEM;
	for (; left; n++) {
		iov[n].iov_base = imp->discard;
		iov[n].iov_len = left < DISCARD_LEN ? left : DISCARD_LEN;
		left -= (uint32_t)iov[n].iov_len;
	}
	static_assert(MAX_BULK / DISCARD_LEN <= MAX_BULK_IOV, "discard iovecs");
	m->iov = iov;
	m->iov_n = n;
	return 0;
}

static int import_want_bulk(void *arg, struct net_conn *c, struct msg *m)
{
	struct rpc_import *imp = arg;
	struct rpc_frame *f = container_of(m, struct rpc_frame, m);
	struct pending *p = pending_find(imp, m->h.xid);
	struct iovec *iov = rpc_frame_iov(f);
	int n;

	(void)c;
	if (!iov)
		return -ENOMEM;
	if (!p || p->done || p->timed_out)
		return import_discard(imp, m, iov);
	n = iov_head(p->call->in, p->call->in_n, m->h.bulk_len, iov, MAX_BULK_IOV);
	if (n < 0) {
		log_err("%s: reply to %s carries %u bytes where %llu were asked for", imp->target,
			p->desc->name, m->h.bulk_len,
			(unsigned long long)iov_len(p->call->in, p->call->in_n));
		return -EBADMSG;
	}
	m->iov = iov;
	m->iov_n = (uint32_t)n;
	m->owner = p;
	p->receiving = true;
	return 0;
}

static void import_send(struct rpc_import *imp, struct pending *p);

/* A reply whose bulk is damaged is asked for again: both ends verify, the wire is to blame. */
static bool bulk_ok(struct rpc_import *imp, struct pending *p, struct msg *m)
{
	uint32_t crc;

	if (!m->h.bulk_len || !(m->h.flags & WIRE_BULK_CRC) || m->owner != p)
		return true;
	crc = crc32c_iov(m->iov, m->iov_n);
	if (crc == m->h.bulk_crc)
		return true;
	log_err("%s: %s: checksum of %u bytes is %08x, the sender says %08x", imp->target,
		p->desc->name, m->h.bulk_len, crc, m->h.bulk_crc);
	return false;
}

static void import_on_msg(void *arg, struct net_conn *c, struct msg *m)
{
	struct rpc_import *imp = arg;
	struct rpc_frame *f = container_of(m, struct rpc_frame, m);
	struct pending *p = pending_find(imp, m->h.xid);
	bool damaged;

	imp->last_recv_ns = loop_now(imp->l);
	if (!p || p->done) {
		m->done(m, 0);
		return;
	}
	if (m->h.rpc != p->desc->nr) {
		log_err("%s: reply %llu is to %s, not to %s: connection closed", imp->target,
			(unsigned long long)m->h.xid, rpc_name(m->h.rpc), p->desc->name);
		m->done(m, 0);
		net_close(c, -EPROTO);
		return;
	}
	damaged = m->h.status == -EBADMSG || !bulk_ok(imp, p, m);
	m->owner = NULL;
	p->receiving = false;
	if (damaged && p->retries < BULK_RETRIES) {
		p->retries++;
		m->done(m, 0);
		import_send(imp, p);
		return;
	}
	p->in = f;
	pending_end(p, damaged ? -EBADMSG : 0);
}

static void import_on_close(void *arg, struct net_conn *c, int rc)
{
	struct rpc_import *imp = arg;

	(void)c;
	imp->conn = NULL;
	imp->error = rc ? rc : -ECONNRESET;
	co_wake_all(&imp->event_q);
}

static void import_on_connect(void *arg, struct net_conn *c, int rc)
{
	struct rpc_import *imp = arg;

	(void)c;
	imp->connecting = false;
	imp->connect_rc = rc;
	if (rc)
		imp->conn = NULL;
	co_wake_all(&imp->event_q);
}

static const struct net_ops import_net_ops = {
	.get_msg = import_get_msg,
	.want_bulk = import_want_bulk,
	.on_msg = import_on_msg,
	.on_close = import_on_close,
	.on_connect = import_on_connect,
};

/* ---- sending ---- */

static void import_send(struct rpc_import *imp, struct pending *p)
{
	struct msg *m = &p->out->m;

	if (!imp->conn || p->in_net)
		return; /* goes out when the import is connected, or is on its way */
	m->h.flags = (uint16_t)((m->h.flags & ~WIRE_RESENT) | (p->sent ? WIRE_RESENT : 0));
	m->h.session = imp->session;
	m->h.epoch = imp->epoch;
	m->h.boot_id = imp->boot_id;
	p->sent = true;
	p->in_net = true;
	net_send(imp->conn, m);
}

static void import_resend_all(struct rpc_import *imp)
{
	struct pending *p;

	TAILQ_FOREACH(p, &imp->calls, link)
		if (!p->done)
			import_send(imp, p);
}

static bool call_may_send(const struct rpc_import *imp, const struct rpc_call *call,
			  const struct rpc_desc *d)
{
	if (imp->state == IMP_FULL)
		return true;
	if (imp->state == IMP_RECLAIM && (call->flags & RPC_CALL_RECLAIM))
		return true;
	return imp->state == IMP_CONNECTING && d->nr == RPC_any_connect;
}

static void call_timeout(void *arg)
{
	struct pending *p = arg;

	p->timed_out = true;
	if ((p->in_net || p->receiving) && p->imp->conn)
		net_close(p->imp->conn, -ETIMEDOUT);
	pending_check(p);
}

static int slot_co_take(struct rpc_import *imp, uint16_t *slot)
{
	int rc, bit;

	while (!imp->slots) {
		rc = co_wait(&imp->slot_q, 0);
		if (rc)
			return rc;
	}
	bit = __builtin_ctzll(imp->slots);
	imp->slots &= ~(1ULL << bit);
	*slot = (uint16_t)(imp->client->lane * SESSION_SLOTS + (uint32_t)bit + 1);
	return 0;
}

static void slot_give(struct rpc_import *imp, uint16_t slot)
{
	imp->slots |= 1ULL << ((slot - 1U) % SESSION_SLOTS);
	co_wake_one(&imp->slot_q);
}

static int call_prepare(struct rpc_import *imp, struct pending *p, const void *req)
{
	struct rpc_call *call = p->call;
	struct msg *m;

	p->out = rpc_frame_get();
	if (!p->out)
		return -ENOMEM;
	p->desc->req_enc(&p->out->body, req);
	if (p->out->body.rc)
		return p->out->body.rc;
	m = &p->out->m;
	m->h = (struct wire_hdr){
		.version = WIRE_VERSION,
		.rpc = p->desc->nr,
		.xid = ++imp->next_xid,
		.body_len = p->out->body.len,
		.deadline_ms = call->deadline_ms,
	};
	m->body = p->out->body.ptr;
	m->done = out_done;
	m->owner = p;
	if (call->out_n) {
		m->iov = (struct iovec *)(uintptr_t)call->out; /* only read from */
		m->iov_n = call->out_n;
		m->h.bulk_len = (uint32_t)iov_len(call->out, call->out_n);
		if (!(call->flags & RPC_CALL_NOCRC)) {
			m->h.bulk_crc = crc32c_iov(call->out, call->out_n);
			m->h.flags |= WIRE_BULK_CRC;
		}
	}
	call->xid = m->h.xid;
	return 0;
}

static void call_finish(struct rpc_import *imp, struct pending *p)
{
	loop_timer_stop(imp->l, &p->timer);
	TAILQ_REMOVE(&imp->calls, p, link);
	LIST_REMOVE(p, hash);
	if (p->desc->flags & RPC_MODIFIES)
		slot_give(imp, p->out->m.h.slot);
}

static int call_reply(struct pending *p, void *rep)
{
	struct rpc_call *call = p->call;
	struct rbuf r;
	int rc = p->done ? p->rc : -ETIMEDOUT;

	if (!p->in)
		return rc;
	call->reply = &p->in->m;
	call->hdr = p->in->m.h;
	call->in_len = p->in->m.h.bulk_len;
	if (rc)
		return rc;
	if (call->hdr.status)
		return call->hdr.status < 0 && call->hdr.status > -4096 ? call->hdr.status : -EIO;
	r = (struct rbuf){p->in->m.body, call->hdr.body_len};
	rc = p->desc->rep_dec(&r, rep);
	if (rc)
		log_err("%s: cannot decode the reply to %s", p->imp->target, p->desc->name);
	return rc;
}

static int call_co_run(struct rpc_import *imp, struct pending *p, const void *req)
{
	struct rpc_call *call = p->call;
	uint16_t slot = 0;
	int rc;

	if (p->desc->flags & RPC_MODIFIES) {
		rc = slot_co_take(imp, &slot);
		if (rc)
			return rc;
	}
	rc = imp->closing ? -ENOTCONN : call_prepare(imp, p, req);
	if (rc) {
		if (slot)
			slot_give(imp, slot);
		return rc;
	}
	p->out->m.h.slot = slot;
	p->start_ns = loop_clock(imp->l);
	p->timer = (struct loop_timer){.fn = call_timeout, .arg = p};
	if (call->deadline_ms)
		loop_timer_start(imp->l, &p->timer, call->deadline_ms * NSEC_PER_MSEC);
	TAILQ_INSERT_TAIL(&imp->calls, p, link);
	LIST_INSERT_HEAD(&imp->hash[call->xid % PENDING_HASH], p, hash);
	if (call->on_sent)
		call->on_sent(call->on_sent_arg, call->xid);
	if (call_may_send(imp, call, p->desc))
		import_send(imp, p);
	p->fiber = fiber_self();
	fiber_co_suspend();
	call_finish(imp, p);
	stat_add(&imp->stats[p->desc->nr], (loop_clock(imp->l) - p->start_ns) / 1000);
	return 0;
}

int rpc_co_call(struct rpc_import *imp, const struct rpc_desc *d, struct rpc_call *call,
		const void *req, void *rep)
{
	struct pending p = {.imp = imp, .desc = d, .call = call};
	int rc;

	assert(!call->reply);
	if (imp->closing)
		return -ENOTCONN;
	if (!imp->active)
		return -EIO;
	rc = call_co_run(imp, &p, req);
	if (rc == 0)
		rc = call_reply(&p, rep);
	if (p.out)
		rpc_frame_put(p.out);
	return rc;
}

void rpc_call_fini(struct rpc_call *call)
{
	if (call->reply)
		rpc_frame_put(container_of(call->reply, struct rpc_frame, m));
	call->reply = NULL;
}

/* ---- keeping connected ---- */

static int import_co_tcp(struct rpc_import *imp)
{
	uint64_t deadline = loop_now(imp->l) + CONNECT_TIMEOUT_MS * NSEC_PER_MSEC;
	int rc;

	if (!imp->nids.n)
		return -EADDRNOTAVAIL;
	imp->nid_at %= imp->nids.n;
	imp->connecting = true;
	imp->connect_rc = 0;
	rc = net_connect(imp->l, &imp->nids.nid[imp->nid_at], &import_net_ops, imp, &imp->conn);
	if (rc) {
		imp->connecting = false;
		imp->conn = NULL;
		return rc;
	}
	while (imp->connecting && !imp->closing)
		if (co_wait(&imp->event_q, deadline) == -ETIMEDOUT)
			break;
	if (imp->connecting) { /* on_close or a late on_connect follows */
		net_close(imp->conn, -ETIMEDOUT);
		while (imp->conn)
			if (co_wait(&imp->event_q, 0))
				continue;
		imp->connecting = false;
		return -ETIMEDOUT;
	}
	return imp->connect_rc ? imp->connect_rc : imp->conn ? 0 : -ECONNRESET;
}

static int import_co_handshake(struct rpc_import *imp, bool *restarted, bool *evicted)
{
	struct any_connect_req q = {
		.version_min = WIRE_VERSION,
		.version_max = WIRE_VERSION,
		.features = FEATURES_SUPPORTED,
		.uuid = {imp->client->uuid, UUID_LEN},
		.kind = imp->client->kind,
		.name = SPAN_STR(imp->client->name),
		.target = SPAN_STR(imp->target),
		.lane = imp->client->lane,
		.last_boot_id = imp->boot_id,
	};
	struct any_connect_rep p;
	RPC_CALL(call);
	int rc;

	call.deadline_ms = CONNECT_TIMEOUT_MS;
	rc = any_co_connect(imp, &call, &q, &p);
	if (rc)
		return rc;
	if (p.version != WIRE_VERSION)
		return -EPROTONOSUPPORT;
	*restarted = imp->boot_id && imp->boot_id != p.boot_id;
	*evicted = imp->session && !*restarted && imp->session != p.session;
	imp->session = p.session;
	imp->epoch = p.epoch;
	imp->boot_id = p.boot_id;
	imp->ping_ms = p.ping_ms;
	return 0;
}

static void import_drop(struct rpc_import *imp, int rc)
{
	if (!imp->conn)
		return;
	net_close(imp->conn, rc);
	while (imp->conn)
		if (co_wait(&imp->event_q, 0))
			continue;
}

/* 0: FULL. Else the import is disconnected again. */
static int import_co_connect(struct rpc_import *imp)
{
	bool restarted = false, evicted = false;
	int rc;

	import_set_state(imp, IMP_CONNECTING);
	rc = import_co_tcp(imp);
	if (rc)
		return rc;
	rc = import_co_handshake(imp, &restarted, &evicted);
	if (rc) {
		import_drop(imp, rc);
		return rc;
	}
	snprintf(imp->peer, sizeof(imp->peer), "%s", net_peer(imp->conn));
	imp->last_recv_ns = loop_now(imp->l);
	import_set_state(imp, IMP_RECLAIM);
	if ((restarted || evicted) && imp->cfg.on_restart)
		imp->cfg.on_restart(imp->cfg.arg, imp, evicted);
	if (!imp->conn)
		return -ECONNRESET;
	imp->error = 0;
	imp->logged_error = 0;
	import_set_state(imp, IMP_FULL);
	import_resend_all(imp);
	return 0;
}

static void import_ping(void *arg)
{
	struct rpc_import *imp = arg;
	struct any_ping_req q = {};
	struct any_ping_rep p = {};
	RPC_CALL(call);

	call.deadline_ms = imp->ping_ms * PING_LOST;
	if (any_co_ping(imp, &call, &q, &p) == -ETIMEDOUT && imp->conn) {
		log_warn("%s: no answer from %s: connecting anew", imp->target, imp->peer);
		net_close(imp->conn, -ETIMEDOUT);
	}
}

/* Sleeps while the connection lives; pings when nothing was heard for a while. */
static void import_co_watch(struct rpc_import *imp)
{
	while (imp->conn && !imp->closing) {
		uint64_t due = imp->ping_ms ? imp->last_recv_ns + imp->ping_ms * NSEC_PER_MSEC : 0;

		if (due && loop_now(imp->l) >= due) {
			imp->last_recv_ns = loop_now(imp->l);
			if (fiber_spawn(imp->l, import_ping, imp))
				log_warn("%s: no memory for a ping", imp->target);
			continue;
		}
		if (co_wait(&imp->event_q, due) == 0)
			continue;
	}
}

static void import_log_error(struct rpc_import *imp, int rc)
{
	char nid[NID_STRLEN] = "no address";

	if (rc == imp->logged_error || imp->closing)
		return;
	if (imp->nids.n)
		nid_str(&imp->nids.nid[imp->nid_at % imp->nids.n], 0, nid);
	/* Loss of a connection is news; the first failure to make one is told by whoever waits. */
	if (imp->session)
		log_warn("%s: connection to %s: %s; trying again", imp->target, nid, err_str(rc));
	imp->logged_error = rc;
}

static void import_main(void *arg)
{
	struct rpc_import *imp = arg;
	uint32_t backoff = RETRY_MIN_MS;

	while (!imp->closing) {
		int rc = import_co_connect(imp);

		if (rc == 0) {
			backoff = RETRY_MIN_MS;
			import_co_watch(imp);
			if (imp->closing)
				break;
			rc = imp->error;
		}
		imp->error = rc;
		import_log_error(imp, rc);
		import_set_state(imp, IMP_DISCONN);
		co_wake_all(&imp->state_q); /* tell waiters of the error even if the state is old */
		imp->nid_at++;
		if (imp->closing || !imp->nids.n || imp->nid_at % imp->nids.n == 0) {
			uint64_t until = loop_now(imp->l) + backoff * NSEC_PER_MSEC;

			if (!imp->closing && co_wait(&imp->event_q, until))
				backoff = backoff * 2 < RETRY_MAX_MS ? backoff * 2 : RETRY_MAX_MS;
		}
	}
	imp->main_running = false;
	co_wake_all(&imp->state_q);
}

/* ---- the import from outside ---- */

int rpc_import_create(const struct rpc_import_cfg *cfg, struct rpc_import **out)
{
	struct rpc_import *imp = calloc(1, sizeof(*imp));
	int rc;

	if (!imp)
		return -ENOMEM;
	imp->cfg = *cfg;
	imp->client = cfg->client;
	imp->l = cfg->client->loop;
	snprintf(imp->target, sizeof(imp->target), "%s", cfg->target);
	imp->nids = cfg->nids;
	imp->active = true;
	imp->slots = SESSION_SLOTS == 64 ? UINT64_MAX : (1ULL << SESSION_SLOTS) - 1;
	imp->next_xid = (uint64_t)cfg->client->lane << 56 | (loop_random(imp->l) & 0xffffff) << 28;
	co_waitq_init(&imp->slot_q);
	co_waitq_init(&imp->state_q);
	co_waitq_init(&imp->event_q);
	TAILQ_INIT(&imp->calls);
	for (int i = 0; i < RPC_NR_MAX; i++)
		imp->stats[i].name = rpc_desc_find((uint16_t)i) ? rpc_name((uint16_t)i) : NULL;
	imp->main_running = true;
	rc = fiber_spawn(imp->l, import_main, imp);
	if (rc) {
		free(imp);
		return rc;
	}
	*out = imp;
	return 0;
}

static void import_fail_calls(struct rpc_import *imp, int rc)
{
	struct pending *p;

	TAILQ_FOREACH(p, &imp->calls, link)
		pending_end(p, rc);
}

void rpc_import_co_destroy(struct rpc_import *imp, uint32_t timeout_ms)
{
	struct any_disconnect_req q = {};
	struct any_disconnect_rep p = {};

	if (imp->state == IMP_FULL && timeout_ms) {
		RPC_CALL(call);

		call.deadline_ms = timeout_ms;
		if (any_co_disconnect(imp, &call, &q, &p))
			log_dbg("%s: no answer to disconnect", imp->target);
	}
	imp->closing = true;
	import_fail_calls(imp, -ENOTCONN);
	co_wake_all_rc(&imp->slot_q, -ENOTCONN);
	co_wake_all(&imp->event_q);
	if (imp->conn)
		net_close(imp->conn, 0);
	while (imp->conn || imp->main_running || !TAILQ_EMPTY(&imp->calls)) {
		if (co_wait(&imp->state_q, loop_now(imp->l) + NSEC_PER_MSEC) == 0)
			continue;
	}
	import_set_state(imp, IMP_CLOSED);
	free(imp->discard);
	free(imp);
}

void rpc_import_set_nids(struct rpc_import *imp, const struct nid_list *nids)
{
	imp->nids = *nids;
	imp->nid_at = 0;
	if (imp->state == IMP_DISCONN)
		co_wake_all(&imp->event_q);
}

void rpc_import_set_active(struct rpc_import *imp, bool active)
{
	imp->active = active;
	if (!active)
		import_fail_calls(imp, -EIO);
}

enum import_state rpc_import_state(const struct rpc_import *imp)
{
	return imp->state;
}

const char *rpc_import_target(const struct rpc_import *imp)
{
	return imp->target;
}

const char *rpc_import_peer(const struct rpc_import *imp)
{
	return imp->state == IMP_FULL ? imp->peer : "";
}

bool rpc_import_local(const struct rpc_import *imp, struct nid *out)
{
	if (!imp->conn || imp->state != IMP_FULL)
		return false;
	net_local(imp->conn, out);
	return true;
}

int rpc_import_error(const struct rpc_import *imp)
{
	return imp->error;
}

uint64_t rpc_import_session(const struct rpc_import *imp)
{
	return imp->session;
}

static bool error_is_final(int rc)
{
	return rc == -EPROTONOSUPPORT || rc == -ENODEV || rc == -EPERM || rc == -EPROTO;
}

int rpc_import_co_wait(struct rpc_import *imp, uint32_t timeout_ms)
{
	uint64_t deadline = loop_now(imp->l) + timeout_ms * NSEC_PER_MSEC;
	int rc = 0;

	while (rc == 0 && imp->state != IMP_FULL) {
		if (imp->closing)
			return -ENOTCONN;
		if (imp->state == IMP_DISCONN && error_is_final(imp->error))
			return imp->error;
		rc = co_wait(&imp->state_q, deadline);
	}
	return rc;
}

const struct stat_counter *rpc_import_stats(const struct rpc_import *imp)
{
	return imp->stats;
}
