/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_server.c - services; see rpc.h.
 *
 * The way of a request: net gives a whole frame -> op_admit() checks session, epoch and body,
 * finds requests that are sent again -> a fiber runs the handler -> op_finish() encodes the reply
 * -> the service's gate may keep it until a transaction is on disk -> op_send() -> the transport
 * is done -> the op is freed. An op counts against its connection until then, so a client that
 * does not read its replies is no longer read from.
 *
 * A request that is sent again (WIRE_RESENT) is one of: still running (the op gets the new
 * connection and nothing is executed), executed before (replay_find has the reply), or never
 * arrived.
 *
 * The file knows no particular RPC but those that every service answers; these are in rpc_common.c.
 */
#include "common/crc.h"
#include "common/log.h"
#include "common/rpc_server.h"
#include <stdlib.h>

enum {
	ARENA_CHUNK = 4096,
};

struct arena_chunk {
	struct arena_chunk *next;
	uint32_t used, cap;
	max_align_t mem[];
};

static const struct net_ops server_net_ops;

/* ---- ops ---- */

void *rpc_op_alloc(struct rpc_op *op, size_t len)
{
	struct op *o = container_of(op, struct op, pub);
	struct arena_chunk *c = o->arena;
	size_t need = (len + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	void *at;

	if (!c || c->cap - c->used < need) {
		size_t cap = need > ARENA_CHUNK ? need : ARENA_CHUNK;

		if (need > UINT32_MAX / 2)
			return NULL;
		c = malloc(sizeof(*c) + cap);
		if (!c)
			return NULL;
		c->next = o->arena;
		c->used = 0;
		c->cap = (uint32_t)cap;
		o->arena = c;
	}
	at = (char *)c->mem + c->used;
	c->used += (uint32_t)need;
	return at;
}

static void op_release_bulk(struct op *o)
{
	struct rpc_service *s = o->pub.svc;

	if (o->bulk_cookie) {
		s->cfg.ops->bulk_put(s->cfg.arg, o->bulk_cookie);
		o->bulk_cookie = NULL;
	}
}

static void op_free(struct op *o)
{
	struct rpc_service *s = o->pub.svc;

	if (o->pub.out_done)
		o->pub.out_done(o->pub.out_arg);
	op_release_bulk(o);
	while (o->arena) {
		struct arena_chunk *c = o->arena;

		o->arena = c->next;
		free(c);
	}
	if (o->in)
		rpc_frame_put(o->in);
	if (o->out)
		rpc_frame_put(o->out);
	LIST_REMOVE(o, link);
	s->nops--;
	if (!s->nops)
		co_wake_all(&s->idle_q);
	if (o->pub.session && o->pub.session->ending)
		co_wake_all(&s->ended_q);
	free(o);
}

static void conn_put(struct sconn *c)
{
	if (--c->refs == 0)
		free(c);
}

/* The op no longer counts against its connection. */
static void op_detach(struct op *o)
{
	struct sconn *c = o->conn;

	if (!c)
		return;
	o->conn = NULL;
	c->inflight--;
	if (c->stopped && c->inflight < MAX_CONN_INFLIGHT) {
		c->stopped = false;
		rpc_server_heard(c); /* what it said meanwhile is read now */
		if (c->net)
			net_resume(c->net);
	}
	conn_put(c);
}

static void op_attach(struct op *o, struct sconn *c)
{
	o->conn = c;
	c->refs++;
	c->inflight++;
	if (!c->stopped && c->inflight >= MAX_CONN_INFLIGHT) {
		c->stopped = true;
		net_stop(c->net);
	}
}

static void op_sent(struct msg *m, int rc)
{
	struct op *o = m->owner;

	if (rc == 0 && o->conn) /* a lost reply is asked for again */
		rpc_server_heard(o->conn);
	op_detach(o);
	op_free(o);
}

static void op_send(struct op *o)
{
	struct rpc_service *s = o->pub.svc;
	struct msg *m = &o->out->m;

	/* What a server that ends has not done is no answer: the client sends it to the next
	 * life. */
	if (!o->conn || !o->conn->net || (o->hdr.flags & WIRE_ONEWAY) ||
	    (s->stopping && m->h.status == -ESHUTDOWN)) {
		op_detach(o);
		op_free(o);
		return;
	}
	m->h.version = WIRE_VERSION;
	m->h.rpc = o->hdr.rpc;
	m->h.flags |= WIRE_REPLY;
	m->h.xid = o->hdr.xid;
	m->h.slot = o->hdr.slot;
	m->h.session = o->pub.session && !o->stored ? o->pub.session->id : 0;
	m->h.epoch = o->pub.session ? o->pub.session->epoch : 0;
	m->h.transno = o->pub.transno;
	m->h.time = o->pub.time;
	m->h.boot_id = s->cfg.boot_id;
	if (s->cfg.ops && s->cfg.ops->last_committed)
		m->h.last_committed = s->cfg.ops->last_committed(s->cfg.arg);
	m->h.body_len = o->out->body.len;
	m->body = o->out->body.ptr;
	m->done = op_sent;
	m->owner = o;
	net_send(o->conn->net, m);
}

/* Failures that are the server's are news; the others are answers. */
static void op_log(const struct op *o, int rc)
{
	const struct rpc_session *ses = o->pub.session;
	const char *who = ses ? ses->name : "no session";

	if (o->told)
		return;
	if (rc == -EIO || rc == -EUCLEAN || rc == -EBADMSG || rc == -ENOMEM || rc == -EMSGSIZE)
		log_warn("%s: %s of %s failed: %s", o->pub.svc->cfg.name, rpc_name(o->hdr.rpc), who,
			 err_str(rc));
	else
		log_dbg("%s: %s of %s: %s", o->pub.svc->cfg.name, rpc_name(o->hdr.rpc), who,
			err_str(rc));
}

static void op_count(struct op *o)
{
	struct rpc_service *s = o->pub.svc;

	if (o->pub.desc)
		stat_add(&s->stats[o->hdr.rpc], (loop_clock(s->cfg.loop) - o->start_ns) / 1000);
}

/* Makes the reply frame of a status. */
static void op_set_status(struct op *o, int rc)
{
	if (rc) {
		op_log(o, rc);
		o->out->body.len = 0;
		o->out->m.iov_n = 0;
		o->out->m.h.bulk_len = 0;
		o->out->m.h.flags &= (uint16_t)~WIRE_BULK_CRC;
	}
	o->out->m.h.status = rc;
}

void rpc_op_reply(struct rpc_op *op, int rc)
{
	struct op *o = container_of(op, struct op, pub);

	if (rc)
		op_set_status(o, rc);
	op_count(o);
	op_send(o);
}

static void op_set_bulk(struct op *o)
{
	struct msg *m = &o->out->m;

	if (!o->pub.out_n)
		return;
	m->iov = o->pub.out;
	m->iov_n = o->pub.out_n;
	m->h.bulk_len = (uint32_t)iov_len(o->pub.out, o->pub.out_n);
	m->h.bulk_crc = crc32c_iov(o->pub.out, o->pub.out_n);
	m->h.flags |= WIRE_BULK_CRC;
}

/* What is remembered is the reply that the client has. */
static void set_replayed_body(struct op *o)
{
	const uint8_t *end = (const uint8_t *)o->in->m.body + o->hdr.body_len;

	o->out->body.len = 0;
	wbuf_put(&o->out->body, end - o->hdr.reply_len, o->hdr.reply_len);
}

/* The handler has returned rc. */
static void op_finish(struct op *o, int rc)
{
	struct rpc_service *s = o->pub.svc;
	const struct rpc_service_ops *ops = s->cfg.ops;

	op_release_bulk(o);
	if (rc == 0) {
		o->pub.desc->rep_enc(&o->out->body, o->rep);
		rc = o->out->body.rc;
		op_set_bulk(o);
	}
	if (rc == 0 && o->pub.replayed)
		set_replayed_body(o);
	if (rc == 0 && (o->pub.desc->flags & RPC_MODIFIES) && o->hdr.slot && ops->replay_store)
		rc = ops->replay_store(s->cfg.arg, &o->pub, 0, wbuf_span(&o->out->body));
	op_set_status(o, rc);
	if (ops && ops->gate && ops->gate(s->cfg.arg, &o->pub))
		return;
	rpc_op_reply(&o->pub, 0);
}

static void op_fiber(void *arg)
{
	struct op *o = arg;
	const struct rpc_service *s = o->pub.svc;
	int rc = s->cfg.ops->co_admit ? s->cfg.ops->co_admit(s->cfg.arg, &o->pub) : 0;

	if (rc == 0) {
		op_finish(o, o->handler(&o->pub, o->req, o->rep));
		return;
	}
	op_release_bulk(o);
	op_set_status(o, rc < 0 ? rc : 0);
	rpc_op_reply(&o->pub, 0);
}

/* ---- a request comes in ---- */

static struct op *op_new(struct rpc_service *s, struct sconn *c, struct rpc_frame *in)
{
	const struct rpc_desc *d = rpc_desc_find(in->m.h.rpc);
	size_t req_size = d ? d->req_size : 0, rep_size = d ? d->rep_size : 0;
	size_t at = (sizeof(struct op) + 15) & ~15UL, rep_at = (at + req_size + 15) & ~15UL;
	struct op *o = calloc(1, rep_at + rep_size);

	if (!o)
		return NULL;
	o->out = rpc_frame_get();
	if (!o->out) {
		free(o);
		return NULL;
	}
	o->in = in;
	o->hdr = in->m.h;
	o->req = (char *)o + at;
	o->rep = (char *)o + rep_at;
	o->start_ns = loop_clock(s->cfg.loop);
	o->pub.svc = s;
	o->pub.desc = d;
	o->pub.hdr = &o->hdr;
	o->pub.session = c->session;
	o->pub.resent = in->m.h.flags & WIRE_RESENT;
	o->bulk_cookie = in->m.owner;
	in->m.owner = NULL;
	if (in->m.h.bulk_len) {
		o->pub.in = in->m.iov;
		o->pub.in_n = in->m.iov_n;
		o->pub.in_len = in->m.h.bulk_len;
	}
	LIST_INSERT_HEAD(&s->ops, o, link);
	s->nops++;
	op_attach(o, c);
	return o;
}

/* The bulk of a request is what its sender had. Else the sender is told, and sends it again. */
static int op_check_bulk(struct op *o, struct sconn *c)
{
	char what[256];
	uint32_t crc;

	if (!o->pub.in_n || !(o->hdr.flags & WIRE_BULK_CRC))
		return 0;
	crc = crc32c_iov(o->pub.in, o->pub.in_n);
	if (crc == o->hdr.bulk_crc)
		return 0;
	rpc_request_text(o->pub.desc, o->in->m.body, o->hdr.body_len, what, sizeof(what));
	log_err("%s: %s: %s: checksum of %u bytes is %08x, the sender says %08x",
		o->pub.svc->cfg.name, net_peer(c->net), what, o->hdr.bulk_len, crc,
		o->hdr.bulk_crc);
	o->told = true;
	return -EBADMSG;
}

/* The reply that a request had which is to be done again. */
static int op_check_replay(struct op *o)
{
	const uint8_t *end = (const uint8_t *)o->in->m.body + o->hdr.body_len;
	struct rbuf r = {end - o->hdr.reply_len, o->hdr.reply_len};
	void *rep;

	if (!(o->hdr.flags & WIRE_REPLAY))
		return 0;
	if (!o->pub.svc->cfg.ops->co_admit)
		return -EOPNOTSUPP;
	if (!(o->pub.desc->flags & RPC_MODIFIES) || !o->hdr.slot || !o->hdr.transno)
		return -EBADMSG;
	rep = rpc_op_alloc(&o->pub, o->pub.desc->rep_size);
	if (!rep)
		return -ENOMEM;
	memset(rep, 0, o->pub.desc->rep_size);
	o->pub.replayed = rep;
	o->pub.resent = false;
	return o->pub.desc->rep_dec(&r, rep) ? -EBADMSG : 0;
}

/* 0: the op may run; else what to answer. */
static int op_check(struct op *o, struct sconn *c)
{
	struct rpc_service *s = o->pub.svc;
	const struct rpc_desc *d = o->pub.desc;
	uint32_t reply_len = o->hdr.flags & WIRE_REPLAY ? o->hdr.reply_len : 0;
	struct rbuf r = {o->in->m.body, o->hdr.body_len - reply_len};
	int rc;

	o->handler = d ? s->handler[d->nr] : NULL;
	if (!o->handler)
		return -EOPNOTSUPP;
	if (s->stopping)
		return -ESHUTDOWN;
	if (reply_len > o->hdr.body_len)
		return -EBADMSG;
	if (!(d->flags & RPC_NOSESSION)) {
		if (!c->session)
			return -ENOTCONN;
		if (o->hdr.session != c->session->id || o->hdr.epoch != c->session->epoch)
			return -ESTALE;
	}
	if (d->req_dec(&r, o->req))
		return -EBADMSG;
	rc = op_check_replay(o);
	return rc ? rc : op_check_bulk(o, c);
}

/* True when the request needs no execution: it runs already, or its reply is stored. */
static bool op_resent(struct op *o, struct sconn *c)
{
	struct rpc_service *s = o->pub.svc;
	struct span body;
	int32_t status;
	struct op *old;
	int rc;

	if (!o->pub.resent || !c->session)
		return false;
	LIST_FOREACH(old, &s->ops, link) {
		if (old == o || old->pub.session != c->session || old->hdr.xid != o->hdr.xid ||
		    old->out->m.owner) /* its reply is lost with the old connection */
			continue;
		op_detach(old);
		op_attach(old, c);
		op_detach(o);
		op_free(o);
		return true;
	}
	if (!(o->pub.desc->flags & RPC_MODIFIES) || !s->cfg.ops->replay_find)
		return false;
	rc = s->cfg.ops->replay_find(s->cfg.arg, &o->pub, &status, &body);
	if (rc == 0)
		return false;
	if (rc > 0) {
		o->stored = true;
		wbuf_put(&o->out->body, body.ptr, body.len);
		rc = o->out->body.rc ? o->out->body.rc : status;
	}
	op_release_bulk(o);
	op_set_status(o, rc);
	rpc_op_reply(&o->pub, 0);
	return true;
}

static void server_request(struct sconn *c, struct rpc_frame *in)
{
	struct rpc_service *s = c->svc;
	struct op *o = op_new(s, c, in);
	int rc;

	if (!o) {
		log_err("%s: no memory for a request of %s", s->cfg.name, net_peer(c->net));
		in->m.done(&in->m, 0);
		net_close(c->net, -ENOMEM);
		return;
	}
	rc = op_check(o, c);
	if (rc == 0 && op_resent(o, c))
		return;
	if (rc == 0)
		rc = fiber_spawn(s->cfg.loop, op_fiber, o);
	if (rc == 0)
		return;
	op_release_bulk(o);
	op_set_status(o, rc);
	rpc_op_reply(&o->pub, 0);
}

/* ---- transport callbacks ---- */

static struct msg *server_get_msg(void *arg, struct net_conn *net, const struct wire_hdr *h)
{
	struct sconn *c = arg;
	struct rpc_frame *f;

	if ((h->flags & WIRE_REPLY) || (h->bulk_len && !c->session)) {
		log_warn("%s: %s sends what no client sends (rpc %u, flags %u): connection closed",
			 c->svc->cfg.name, net_peer(net), h->rpc, h->flags);
		return NULL;
	}
	f = rpc_frame_get();
	if (f && rpc_frame_reserve(f, h->body_len)) {
		rpc_frame_put(f);
		f = NULL;
	}
	if (!f)
		return NULL;
	f->m.done = rpc_frame_done;
	f->m.owner = NULL;
	return &f->m;
}

/* While bulk comes in, m->owner is the cookie of its memory. */
static void bulk_frame_done(struct msg *m, int rc)
{
	struct rpc_frame *f = container_of(m, struct rpc_frame, m);
	struct rpc_service *s = f->body_owner;

	(void)rc;
	if (m->owner)
		s->cfg.ops->bulk_put(s->cfg.arg, m->owner);
	rpc_frame_put(f);
}

static int server_want_bulk(void *arg, struct net_conn *net, struct msg *m)
{
	struct sconn *c = arg;
	struct rpc_service *s = c->svc;
	const struct rpc_desc *d = rpc_desc_find(m->h.rpc);
	struct rpc_frame *f = container_of(m, struct rpc_frame, m);
	int rc;

	if (!d || !(d->flags & RPC_BULK_IN) || !s->handler[d->nr] || !s->cfg.ops->bulk_get) {
		log_warn("%s: %s sends bulk data with %s: connection closed", s->cfg.name,
			 net_peer(net), rpc_name(m->h.rpc));
		return -EPROTO;
	}
	rpc_server_heard(c);
	rc = s->cfg.ops->bulk_get(s->cfg.arg, m->h.bulk_len, &m->iov, &m->iov_n, &m->owner);
	c->wants_bulk = rc == -EAGAIN;
	if (rc == 0) {
		f->body_owner = s;
		m->done = bulk_frame_done;
	}
	return rc;
}

void rpc_service_bulk_ready(struct rpc_service *s)
{
	struct sconn *c, *next;

	for (c = LIST_FIRST(&s->conns); c; c = next) {
		next = LIST_NEXT(c, link);
		if (!c->wants_bulk || !c->net)
			continue;
		c->wants_bulk = false;
		rpc_server_heard(c);
		net_resume(c->net);
	}
}

static void server_on_msg(void *arg, struct net_conn *net, struct msg *m)
{
	struct sconn *c = arg;
	struct rpc_frame *f = container_of(m, struct rpc_frame, m);

	(void)net;
	rpc_server_heard(c);
	if (m->h.rpc == RPC_any_connect)
		rpc_server_connect(c, f);
	else
		server_request(c, f);
}

static void server_on_close(void *arg, struct net_conn *net, int rc)
{
	struct sconn *c = arg;
	struct op *o;

	if (rc && rc != -ECONNRESET && rc != -EPIPE)
		log_dbg("%s: connection of %s closed: %s", c->svc->cfg.name, net_peer(net),
			err_str(rc));
	c->net = NULL;
	LIST_REMOVE(c, link);
	rpc_server_session_unbind(c);
	LIST_FOREACH(o, &c->svc->ops, link)
		/* A reply in the transport detaches by itself. */
		if (o->conn == c && !o->out->m.owner)
			op_detach(o);
	conn_put(c);
}

static const struct net_ops server_net_ops = {
	.get_msg = server_get_msg,
	.want_bulk = server_want_bulk,
	.on_msg = server_on_msg,
	.on_close = server_on_close,
};

struct sconn *rpc_server_conn_new(struct rpc_service *s, struct net_conn *net)
{
	struct sconn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->svc = s;
	c->net = net;
	c->refs = 1;
	rpc_server_heard(c);
	LIST_INSERT_HEAD(&s->conns, c, link);
	return c;
}

static int server_accept(void *arg, struct net_conn *net, const struct net_ops **ops,
			 void **conn_arg)
{
	struct rpc_service *s = arg;
	struct sconn *c = s->stopping ? NULL : rpc_server_conn_new(s, net);

	if (!c)
		return s->stopping ? -ESHUTDOWN : -ENOMEM;
	*ops = &server_net_ops;
	*conn_arg = c;
	return 0;
}

/* ---- handing a connection to the service that has the target ---- */

struct handover {
	struct loop_work work;
	struct rpc_service *to;
	struct net_conn *net;
	struct rpc_frame *connect;
};

static void handover_arrive(void *arg)
{
	struct handover *h = arg;
	struct sconn *c = rpc_server_conn_new(h->to, h->net);

	if (c) {
		net_set_ops(h->net, &server_net_ops, c);
		rpc_server_connect(c, h->connect);
	} else {
		/* Ops still are the old service's: nothing may arrive there. The listener's
		 * thread is gone from this connection, so the connection is leaked closed rather
		 * than used. */
		log_err("%s: no memory for a connection", h->to->cfg.name);
		rpc_frame_put(h->connect);
		net_stop(h->net);
	}
	free(h);
}

/* Takes the frame. */
int rpc_server_handover(struct sconn *c, struct rpc_service *to, struct rpc_frame *connect)
{
	struct handover *h = calloc(1, sizeof(*h));
	struct net_conn *net = c->net;

	if (!h)
		return -ENOMEM;
	h->to = to;
	h->net = net;
	h->connect = connect;
	h->work.fn = handover_arrive;
	h->work.arg = h;
	c->net = NULL;
	LIST_REMOVE(c, link);
	conn_put(c);
	net_move(net, to->cfg.loop, &h->work);
	return 0;
}

/* ---- the service from outside ---- */

static int service_init(struct rpc_service *s)
{
	const struct rpc_service_cfg *cfg = &s->cfg;

	LIST_INIT(&s->ops);
	LIST_INIT(&s->conns);
	TAILQ_INIT(&s->sessions);
	co_waitq_init(&s->idle_q);
	co_waitq_init(&s->ended_q);
	for (int i = 0; i < RPC_NR_MAX; i++)
		s->stats[i].name = rpc_desc_find((uint16_t)i) ? rpc_name((uint16_t)i) : NULL;
	rpc_common_handlers(s);
	for (uint32_t i = 0; i < cfg->nhandlers; i++) {
		assert(cfg->handlers[i].nr < RPC_NR_MAX);
		s->handler[cfg->handlers[i].nr] = cfg->handlers[i].fn;
	}
	s->reap_timer = (struct loop_timer){.fn = rpc_server_reap, .arg = s};
	rpc_service_set_session_timeout(s, s->cfg.session_timeout_ms);
	return 0;
}

int rpc_service_create(const struct rpc_service_cfg *cfg, struct rpc_service **out)
{
	static const struct rpc_service_ops no_ops;
	struct rpc_service *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->cfg = *cfg;
	if (!s->cfg.ops)
		s->cfg.ops = &no_ops;
	rc = service_init(s);
	if (rc) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

int rpc_service_listen(struct rpc_service *s, const struct nid *at)
{
	return net_listen(s->cfg.loop, at, server_accept, s, &s->listener);
}

void rpc_service_local(const struct rpc_service *s, struct nid *out)
{
	net_listener_local(s->listener, out);
}

void rpc_service_co_stop(struct rpc_service *s, uint32_t timeout_ms)
{
	uint64_t deadline = loop_now(s->cfg.loop) + timeout_ms * NSEC_PER_MSEC;
	struct sconn *c;
	struct op *o;

	if (s->listener)
		net_unlisten(s->listener);
	s->listener = NULL;
	s->stopping = true;
	while (s->nops)
		if (co_wait(&s->idle_q, deadline) == -ETIMEDOUT)
			break;
	LIST_FOREACH(o, &s->ops, link)
		log_warn("%s: %s still runs at shutdown", s->cfg.name, rpc_name(o->hdr.rpc));
	LIST_FOREACH(c, &s->conns, link)
		net_close(c->net, -ESHUTDOWN);
	while (!LIST_EMPTY(&s->conns))
		co_sleep(NSEC_PER_MSEC);
	rpc_server_close_sessions(s);
}

bool rpc_service_co_drain(struct rpc_service *s, uint32_t timeout_ms)
{
	uint64_t deadline = loop_now(s->cfg.loop) + timeout_ms * NSEC_PER_MSEC;

	while (s->nops)
		if (co_wait(&s->idle_q, deadline) == -ETIMEDOUT)
			break;
	return s->nops == 0;
}

void rpc_service_destroy(struct rpc_service *s)
{
	assert(LIST_EMPTY(&s->conns) && !s->listener);
	loop_timer_stop(s->cfg.loop, &s->reap_timer);
	rpc_server_free_sessions(s);
	free(s);
}

const struct stat_counter *rpc_service_stats(const struct rpc_service *s)
{
	return s->stats;
}

void *rpc_service_arg(const struct rpc_service *s)
{
	return s->cfg.arg;
}
