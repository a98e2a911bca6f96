/* SPDX-License-Identifier: Apache-2.0 */
/* net_sim.c - common/net.h in memory, with delays, reordering between connections, and faults.
 *
 * A message is encoded to bytes when it "leaves" (a random moment after net_send, so the sender's
 * memory must stay as it is until done()), travels for a random time behind the earlier ones of its
 * connection, and is decoded and checked by the receiver in two stages: header and body, then bulk.
 * A connection may break between the stages. A receiver that stopped reading fills the connection's
 * window, and then the sender's queue grows: back-pressure is as real as with TCP.
 *
 * Each connection has two ends; an end is a struct net_conn and belongs to a loop. An end that is
 * closed is freed when its user has been told; frames under way belong to the receiving end.
 *
 * It does not model: reordering inside a connection, damaged bytes (TCP and crc exclude both),
 * bandwidth.
 */
#include "tests/sim/net_int.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
	struct sim_net pub;
	TAILQ_HEAD(conn_list, net_conn) conns;
	TAILQ_HEAD(, net_listener) listeners;
	uint64_t next_id;
	uint16_t next_port;
	bool live;
	bool cut[MAX_NODES][MAX_NODES];
	bool paused[MAX_NODES], down[MAX_NODES];
	sim_net_deliver_fn *on_deliver;
} net;

static void send_later(struct net_conn *c);
static void receive_later(struct net_conn *c);
static void conn_break(struct net_conn *c, int rc);

/* ------------------------------------------------------------------ the network as a whole */

struct sim_net *sim_net(void)
{
	return &net.pub;
}

void sim_net_begin(void)
{
	memset(&net, 0, sizeof(net));
	TAILQ_INIT(&net.conns);
	TAILQ_INIT(&net.listeners);
	net.live = true;
	net.next_port = FIRST_FREE_PORT;
	net.pub.delay_min_ns = 5000;
	net.pub.delay_max_ns = 400000;
	net.pub.window_bytes = 1U << 20;
	net.pub.slow_ns = 20 * NSEC_PER_MSEC;
}

void sim_net_end(void)
{
	if (!net.live)
		return;
	assert(TAILQ_EMPTY(&net.conns) && TAILQ_EMPTY(&net.listeners));
	net.live = false;
}

/* Unit tests use the ports without a harness. */
static void need_net(void)
{
	if (!net.live)
		sim_net_begin();
}

void sim_net_on_deliver(sim_net_deliver_fn *fn)
{
	net.on_deliver = fn;
}

void sim_net_nid(uint32_t node, uint16_t port, struct nid *out)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)&out->addr;

	memset(out, 0, sizeof(*out));
	sin->sin_family = AF_INET;
	sin->sin_port = htons(port);
	sin->sin_addr.s_addr = htonl(0x0a000000U | node);
	out->addr_len = sizeof(*sin);
}

static uint32_t nid_addr(const struct nid *n)
{
	const struct sockaddr_in *sin = (const struct sockaddr_in *)&n->addr;

	return n->addr.ss_family == AF_INET ? ntohl(sin->sin_addr.s_addr) : 0;
}

static uint16_t nid_port_of(const struct nid *n)
{
	return ntohs(((const struct sockaddr_in *)&n->addr)->sin_port);
}

static void peer_name(struct net_conn *c, uint32_t node, uint16_t port)
{
	c->peer_node = node;
	snprintf(c->peer_name, sizeof(c->peer_name), "10.0.0.%u@tcp:%u", node, port);
}

static bool way_blocked(const struct net_conn *c)
{
	return net.cut[c->node][c->peer_node] || net.paused[c->node] || net.paused[c->peer_node];
}

static bool way_off(const struct net_conn *c)
{
	return net.down[c->node] || net.down[c->peer_node];
}

static uint64_t some_delay(void)
{
	uint64_t span = net.pub.delay_max_ns - net.pub.delay_min_ns;
	uint64_t ns = net.pub.delay_min_ns + sim_below(SIM_NET, span + 1);

	if (sim_chance(SIM_FAULT, net.pub.slow_per_million))
		ns += sim_below(SIM_FAULT, net.pub.slow_ns + 1);
	return ns;
}

bool sim_net_drop(uint64_t k)
{
	struct net_conn *c;
	uint64_t n = 0;

	TAILQ_FOREACH(c, &net.conns, link)
		n += c->state == CONN_OPEN && c->client;
	if (!n)
		return false;
	k %= n;
	TAILQ_FOREACH(c, &net.conns, link)
		if (c->state == CONN_OPEN && c->client && k-- == 0)
			break;
	conn_break(c, -ECONNRESET);
	return true;
}

void sim_net_drop_node(uint32_t node)
{
	struct net_conn *c;

	TAILQ_FOREACH(c, &net.conns, link)
		if (c->node == node && c->state == CONN_OPEN)
			conn_break(c, -ECONNRESET);
}

void sim_net_partition(uint32_t a, uint32_t b, bool cut)
{
	assert(a < MAX_NODES && b < MAX_NODES);
	net.cut[a][b] = net.cut[b][a] = cut;
}

void sim_net_pause(uint32_t node, bool on)
{
	assert(node < MAX_NODES);
	net.paused[node] = on;
}

void sim_net_down(uint32_t node, bool off)
{
	assert(node < MAX_NODES);
	net.down[node] = off;
	if (off)
		sim_net_drop_node(node);
}

/* ------------------------------------------------------------------ life of an end */

static void on_tx(void *arg);
static void on_rx(void *arg);
static void on_end(void *arg);
static void on_move(void *arg);

static struct net_conn *conn_new(struct loop *l, uint32_t node)
{
	struct net_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	STAILQ_INIT(&c->queue);
	STAILQ_INIT(&c->inbox);
	c->loop = l;
	c->node = node;
	c->tx = (struct loop_timer){.fn = on_tx, .arg = c};
	c->rx = (struct loop_timer){.fn = on_rx, .arg = c};
	c->end = (struct loop_timer){.fn = on_end, .arg = c};
	c->move = (struct loop_work){.fn = on_move, .arg = c};
	TAILQ_INSERT_TAIL(&net.conns, c, link);
	sim_open_add(1);
	return c;
}

static void inbox_clear(struct net_conn *c)
{
	struct frame *f;

	while ((f = STAILQ_FIRST(&c->inbox))) {
		STAILQ_REMOVE_HEAD(&c->inbox, link);
		free(f);
	}
	if (c->peer)
		c->peer->in_flight = 0;
}

static void conn_free(struct net_conn *c)
{
	inbox_clear(c);
	if (c->peer)
		c->peer->peer = NULL;
	TAILQ_REMOVE(&net.conns, c, link);
	sim_open_add(-1);
	free(c);
}

/* This end works no longer: its user hears of it from the loop. */
static void conn_close(struct net_conn *c, int rc, uint64_t delay)
{
	if (c->state == CONN_CLOSING || c->state == CONN_DEAD)
		return;
	c->state = CONN_CLOSING;
	c->close_rc = rc;
	sim_timer_cancel(c->loop, &c->tx);
	sim_timer_cancel(c->loop, &c->rx);
	inbox_clear(c);
	sim_timer_at(c->loop, &c->end, sim_now() + delay);
}

/* The last frame of a connection: the other end reads everything before it, then sees the end. */
static void send_eof(struct net_conn *c)
{
	struct net_conn *p = c->peer;
	struct frame *f;

	if (!p || (p->state != CONN_OPEN && p->state != CONN_CONNECTING))
		return;
	f = calloc(1, sizeof(*f));
	assert(f);
	f->eof = true;
	f->arrives_ns = max_u64(c->last_arrival_ns, sim_now() + some_delay());
	STAILQ_INSERT_TAIL(&p->inbox, f, link);
	receive_later(p);
}

/* Both ends at once; what is under way is lost. An end that does not know yet that it is connected
 * learns that first. */
static void conn_break(struct net_conn *c, int rc)
{
	struct net_conn *p = c->peer;

	net.pub.dropped++;
	if (p && p->state == CONN_OPEN)
		conn_close(p, rc, some_delay());
	else
		send_eof(c);
	conn_close(c, rc, some_delay());
}

static void give_back(struct msg *m, int rc)
{
	m->done(m, rc);
}

static void on_end(void *arg)
{
	struct net_conn *c = arg;
	struct msg *m;
	uint64_t what[3] = {sim_now(), c->id * 2 + c->client, (uint64_t)(int64_t)c->close_rc};

	if (c->move.queued || c->to) { /* between loops: nobody to tell yet */
		sim_timer_at(c->loop, &c->end, sim_now() + 1000);
		return;
	}
	sim_digest_add(what, sizeof(what));
	if (c->state == CONN_CONNECTING) {
		if (c->accepted && !way_off(c)) {
			c->state = CONN_OPEN;
			send_later(c);
			receive_later(c);
			c->ops->on_connect(c->arg, c, 0);
			return;
		}
		send_eof(c); /* if the other end was accepted meanwhile */
		c->state = CONN_DEAD;
		c->ops->on_connect(c->arg, c, c->close_rc);
		conn_free(c);
		return;
	}
	c->state = CONN_DEAD;
	while ((m = STAILQ_FIRST(&c->queue))) {
		STAILQ_REMOVE_HEAD(&c->queue, link);
		give_back(m, c->close_rc ? c->close_rc : -ECONNRESET);
	}
	if (c->part) {
		m = c->part;
		c->part = NULL;
		give_back(m, c->close_rc ? c->close_rc : -ECONNRESET);
	}
	if (c->ops && c->ops->on_close)
		c->ops->on_close(c->arg, c, c->close_rc);
	conn_free(c);
}

void net_close(struct net_conn *c, int rc)
{
	sim_own(c->loop);
	if (c->state == CONN_CLOSING || c->state == CONN_DEAD)
		return;
	send_eof(c);
	conn_close(c, rc, 0);
}

/* ------------------------------------------------------------------ connecting */

/* The node that an address means when `self` uses it; MAX_NODES: none. */
static uint32_t nid_node(const struct nid *n, uint32_t self)
{
	uint32_t addr = nid_addr(n);

	if (addr == INADDR_LOOPBACK)
		return self;
	return (addr & 0xff000000U) == 0x0a000000U ? addr & 0xffffffU : MAX_NODES;
}

static struct net_listener *listener_find(uint32_t node, uint16_t port)
{
	struct net_listener *s;

	TAILQ_FOREACH(s, &net.listeners, link)
		if (s->node == node && nid_port_of(&s->at) == port)
			return s;
	return NULL;
}

/* Runs on the listener's loop: the connection arrives. */
static void on_accept(void *arg)
{
	struct net_conn *c = arg; /* the server's end */
	struct net_listener *s;
	int rc = -ECONNREFUSED;

	s = listener_find(c->node, c->port);
	c->end.fn = on_end;
	c->state = CONN_OPEN;
	if (c->peer)
		c->peer->accepted = true;
	if (s && !way_off(c))
		rc = s->fn(s->arg, c, &c->ops, &c->arg);
	if (rc) {
		c->ops = NULL;
		send_eof(c);
		conn_close(c, rc, 0);
		return;
	}
	receive_later(c);
}

static uint16_t free_port(void)
{
	return net.next_port++;
}

int net_connect(struct loop *l, const struct nid *to, const struct net_ops *ops, void *arg,
		struct net_conn **out)
{
	struct net_listener *s;
	struct net_conn *c, *p;
	uint32_t to_node = nid_node(to, sim_loop_node(l));
	uint64_t there;

	sim_own(l);
	need_net();
	c = conn_new(l, sim_loop_node(l));
	if (!c)
		return -ENOMEM;
	net.pub.connects++;
	c->id = ++net.next_id;
	c->client = true;
	c->ops = ops;
	c->arg = arg;
	c->port = free_port();
	c->state = CONN_CONNECTING;
	peer_name(c, to_node, nid_port_of(to));
	*out = c;
	s = listener_find(to_node, nid_port_of(to));
	c->close_rc = -ECONNREFUSED;
	there = sim_now() + some_delay();
	if (to_node < MAX_NODES && way_blocked(c)) {
		c->close_rc = -ETIMEDOUT;
		sim_timer_at(l, &c->end, sim_now() + CONNECT_TIMEOUT_NS);
		return 0;
	}
	if (to_node < MAX_NODES && way_off(c))
		s = NULL;
	if (s && !sim_chance(SIM_FAULT, net.pub.refuse_per_million)) {
		p = conn_new(s->loop, s->node);
		if (!p)
			return -ENOMEM;
		p->id = c->id;
		p->port = nid_port_of(to);
		p->state = CONN_CONNECTING;
		p->end.fn = on_accept;
		peer_name(p, c->node, c->port);
		c->peer = p;
		p->peer = c;
		sim_timer_at(p->loop, &p->end, there);
	}
	sim_timer_at(l, &c->end, there + some_delay());
	return 0;
}

/* ------------------------------------------------------------------ sending */

static void send_later(struct net_conn *c)
{
	if (c->state != CONN_OPEN || c->tx.due_ns || STAILQ_EMPTY(&c->queue) || c->to)
		return;
	if (c->in_flight && c->in_flight >= net.pub.window_bytes)
		return;
	sim_timer_at(c->loop, &c->tx, sim_now() + sim_below(SIM_NET, 20000));
}

static uint32_t msg_len(const struct msg *m)
{
	return WIRE_HDR_LEN + m->h.body_len + m->h.bulk_len;
}

void net_send(struct net_conn *c, struct msg *m)
{
	uint64_t bulk = 0;

	sim_own(c->loop);
	assert(c->state != CONN_DEAD && m->done);
	for (uint32_t i = 0; i < m->iov_n && m->h.bulk_len; i++)
		bulk += m->iov[i].iov_len;
	assert(m->h.bulk_len == 0 || bulk >= m->h.bulk_len);
	assert(m->h.body_len <= MAX_BODY && m->h.bulk_len <= MAX_BULK);
	STAILQ_INSERT_TAIL(&c->queue, m, link);
	c->unsent += msg_len(m);
	send_later(c);
}

static struct frame *frame_of(const struct msg *m)
{
	struct frame *f = malloc(sizeof(*f) + msg_len(m));
	uint32_t left = m->h.bulk_len;
	uint8_t *at;

	assert(f);
	*f = (struct frame){.body_len = m->h.body_len, .bulk_len = m->h.bulk_len};
	wire_enc(&m->h, m->body, f->bytes);
	at = f->bytes + WIRE_HDR_LEN;
	if (m->h.body_len)
		memcpy(at, m->body, m->h.body_len);
	at += m->h.body_len;
	for (uint32_t i = 0; i < m->iov_n && left; i++) {
		uint32_t n = (uint32_t)min_u64(m->iov[i].iov_len, left);

		memcpy(at, m->iov[i].iov_base, n);
		at += n;
		left -= n;
	}
	return f;
}

/* The kernel takes the first message of the queue. */
static void on_tx(void *arg)
{
	struct net_conn *c = arg, *p = c->peer;
	struct msg *m = STAILQ_FIRST(&c->queue);
	struct frame *f;

	if (!m || c->state != CONN_OPEN)
		return;
	STAILQ_REMOVE_HEAD(&c->queue, link);
	c->unsent -= msg_len(m);
	if (sim_chance(SIM_FAULT, net.pub.drop_per_million)) {
		conn_break(c, -ECONNRESET);
		give_back(m, sim_random(SIM_FAULT) & 1 ? 0 : -ECONNRESET);
		return;
	}
	if (p && (p->state == CONN_OPEN || p->state == CONN_CONNECTING)) {
		f = frame_of(m);
		f->arrives_ns = max_u64(c->last_arrival_ns + 1, sim_now() + some_delay());
		c->last_arrival_ns = f->arrives_ns;
		c->in_flight += msg_len(m);
		STAILQ_INSERT_TAIL(&p->inbox, f, link);
		receive_later(p);
	}
	give_back(m, 0);
	/* done() may have queued more, or closed */
	send_later(c);
}

uint64_t net_unsent(const struct net_conn *c)
{
	return c->unsent;
}

/* ------------------------------------------------------------------ receiving */

static void receive_later(struct net_conn *c)
{
	struct frame *f = STAILQ_FIRST(&c->inbox);

	if (c->state != CONN_OPEN || c->rx.due_ns || c->stops || !f || c->to)
		return;
	sim_timer_at(c->loop, &c->rx, max_u64(f->arrives_ns, sim_now() + (c->part ? 2000 : 0)));
}

static void frame_drop(struct net_conn *c, struct frame *f)
{
	uint32_t len = WIRE_HDR_LEN + f->body_len + f->bulk_len;

	STAILQ_REMOVE_HEAD(&c->inbox, link);
	if (c->peer && !f->eof) {
		assert(c->peer->in_flight >= len);
		c->peer->in_flight -= len;
		send_later(c->peer);
	}
	free(f);
}

static void fill_bulk(const struct frame *f, struct msg *m)
{
	const uint8_t *at = f->bytes + WIRE_HDR_LEN + f->body_len;
	uint32_t left = f->bulk_len;

	for (uint32_t i = 0; i < m->iov_n && left; i++) {
		uint32_t n = (uint32_t)min_u64(m->iov[i].iov_len, left);

		memcpy(m->iov[i].iov_base, at, n);
		at += n;
		left -= n;
	}
	assert(left == 0); /* want_bulk promised room for all of it */
}

static void deliver(struct net_conn *c, struct frame *f, struct msg *m)
{
	uint64_t what[4] = {sim_now(), c->id * 2 + c->client, f->body_len, f->bulk_len};
	char from[NID_STRLEN];

	sim_digest_add(what, sizeof(what));
	sim_digest_add(f->bytes, WIRE_HDR_LEN); /* rpc, xid, crcs and all */
	net.pub.delivered++;
	net.pub.bytes += WIRE_HDR_LEN + f->body_len + f->bulk_len;
	if (net.on_deliver) {
		snprintf(from, sizeof(from), "10.0.0.%u@tcp:%u", c->node, c->port);
		net.on_deliver(c->peer_name, from, m);
	}
	c->part = NULL;
	frame_drop(c, f);
	c->ops->on_msg(c->arg, c, m);
}

/* Header and body of the first frame: 0 when the message is complete. */
static int begin(struct net_conn *c, struct frame *f)
{
	struct wire_hdr h;
	struct msg *m;
	int rc = wire_dec(f->bytes, &h);

	if (rc == 0)
		rc = wire_check(f->bytes, f->bytes + WIRE_HDR_LEN, h.body_len);
	if (rc)
		return rc;
	assert(h.body_len == f->body_len && h.bulk_len == f->bulk_len);
	m = c->ops->get_msg(c->arg, c, &h);
	if (!m)
		return -ENOMEM;
	m->h = h;
	if (h.body_len)
		memcpy(m->body, f->bytes + WIRE_HDR_LEN, h.body_len);
	c->part = m;
	return h.bulk_len ? -EINPROGRESS : 0;
}

static void ask_bulk(struct net_conn *c, struct frame *f)
{
	int rc = c->ops->want_bulk(c->arg, c, c->part);

	if (c->state != CONN_OPEN)
		return;
	if (rc == -EAGAIN) {
		c->bulk_wait = true;
		c->stops++;
		return;
	}
	c->bulk_wait = false;
	if (rc) {
		net_close(c, rc);
		return;
	}
	f->arrives_ns = sim_now() + sim_below(SIM_NET, 30000);
	receive_later(c);
}

static void on_rx(void *arg)
{
	struct net_conn *c = arg;
	struct frame *f = STAILQ_FIRST(&c->inbox);
	int rc;

	if (!f || c->state != CONN_OPEN || c->stops)
		return;
	if (way_blocked(c)) {
		sim_timer_at(c->loop, &c->rx, sim_now() + PAUSE_POLL_NS);
		return;
	}
	if (f->eof) {
		frame_drop(c, f);
		conn_close(c, -ECONNRESET, 0);
		return;
	}
	if (c->part && c->bulk_wait) {
		ask_bulk(c, f);
		return;
	}
	if (c->part) {
		fill_bulk(f, c->part);
		deliver(c, f, c->part);
		receive_later(c);
		return;
	}
	rc = begin(c, f);
	if (c->state != CONN_OPEN)
		return;
	if (rc == -EINPROGRESS) {
		ask_bulk(c, f);
	} else if (rc) {
		net_close(c, rc);
	} else {
		deliver(c, f, c->part);
		receive_later(c);
	}
}

void net_stop(struct net_conn *c)
{
	sim_own(c->loop);
	c->stops++;
	sim_timer_cancel(c->loop, &c->rx);
}

void net_resume(struct net_conn *c)
{
	sim_own(c->loop);
	assert(c->stops);
	if (--c->stops == 0)
		receive_later(c);
}

const char *net_peer(const struct net_conn *c)
{
	return c->peer_name;
}

void net_local(const struct net_conn *c, struct nid *out)
{
	sim_net_nid(c->node, c->port, out);
}

/* ------------------------------------------------------------------ listening, moving */

int net_listen(struct loop *l, const struct nid *at, net_accept_fn *fn, void *arg,
	       struct net_listener **out)
{
	struct net_listener *s;
	struct nid real;
	uint32_t node = sim_loop_node(l), addr = nid_addr(at);

	sim_own(l);
	need_net();
	if (addr && addr != INADDR_LOOPBACK && addr != (0x0a000000U | node))
		return -EADDRNOTAVAIL;
	sim_net_nid(node, nid_port_of(at) ? nid_port_of(at) : free_port(), &real);
	if (listener_find(node, nid_port_of(&real)))
		return -EADDRINUSE;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = (struct net_listener){.loop = l, .at = real, .node = node, .fn = fn, .arg = arg};
	TAILQ_INSERT_TAIL(&net.listeners, s, link);
	sim_open_add(1);
	*out = s;
	return 0;
}

void net_listener_local(const struct net_listener *s, struct nid *out)
{
	*out = s->at;
}

void net_unlisten(struct net_listener *s)
{
	if (!s)
		return;
	sim_own(s->loop);
	TAILQ_REMOVE(&net.listeners, s, link);
	sim_open_add(-1);
	free(s);
}

void net_move(struct net_conn *c, struct loop *to, struct loop_work *then)
{
	sim_own(c->loop);
	assert(STAILQ_EMPTY(&c->queue) && !c->part && !c->to);
	sim_timer_cancel(c->loop, &c->tx);
	sim_timer_cancel(c->loop, &c->rx);
	if (c->end.due_ns) { /* it broke meanwhile: the new owner hears of it */
		sim_timer_cancel(c->loop, &c->end);
		sim_timer_at(to, &c->end, sim_now() + 1000);
	}
	c->stops = 0;
	c->loop = to;
	c->to = to;
	c->then = then;
	loop_post(to, &c->move);
}

static void on_move(void *arg)
{
	struct net_conn *c = arg;
	struct loop_work *then = c->then;

	c->to = NULL;
	c->then = NULL;
	then->fn(then->arg);
	if (c->state == CONN_OPEN) {
		send_later(c);
		receive_later(c);
	}
}

void net_set_ops(struct net_conn *c, const struct net_ops *ops, void *arg)
{
	sim_own(c->loop);
	c->ops = ops;
	c->arg = arg;
}
