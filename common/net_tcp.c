/* SPDX-License-Identifier: Apache-2.0 */
/* net_tcp.c - net.h over TCP on loop_fd.h.
 *
 * Receiving: one small buffer for each connection takes headers and bodies, so that several small
 * messages come with one system call. Bulk data goes straight into the iovecs that the user gave,
 * with the buffer as the last piece of the same readv. On a connection that carried bulk lately
 * only a few KiB are read ahead, because every byte of bulk that lands in the buffer is copied
 * once more.
 *
 * Sending: messages queue up and leave before the loop waits, as many as fit into one sendmsg. The
 * headers of the first SEND_WINDOW messages are encoded in a ring that lives as long as they do.
 *
 * Calls only queue work, so they are safe from fibers and from inside callbacks; callbacks come
 * from the loop. A connection is freed after on_close, when no work of it is queued any more.
 *
 * Deliberately not here: reconnects, timeouts of connects and of silent peers (rpc), bulk
 * checksums (rpc). */
#include "common/limits.h"
#include "common/log.h"
#include "common/loop_fd.h"
#include "common/net_tcp.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	RBUF_LEN = 64 << 10,
	RBUF_BULK = 4 << 10,	 /* read-ahead on a connection with bulk */
	BULK_LARGE = 64 << 10,
	LOWAT_MAX = 512 << 10,	 /* wake up for this much of a bulk at a time */
	READ_BUDGET = 4 << 20,	 /* bytes for one wake-up, then others get their turn */
	SEND_NOW = 1 << 20,	 /* queued bytes that do not wait for the end of the pass */
	SEND_CALLS = 8,		 /* for one wake-up */
	SEND_WINDOW = 32,
	SEND_IOV = 128,
	SOCK_BUF = 4 << 20,
	USER_TIMEOUT_MS = 120000 /* also ends a connection whose peer reads nothing: keep it long */
};

enum conn_state { CONN_CONNECTING, CONN_OPEN, CONN_CLOSING };
enum read_state { READ_HDR, READ_BODY, READ_ASK, READ_BULK };

STAILQ_HEAD(msg_list, msg);

struct net_conn {
	struct loop *l;
	struct loop_fd *w;
	int fd;
	enum conn_state state;
	int close_rc;
	bool connect_failed; /* ends with on_connect, not with on_close */
	bool ended;	     /* the user was told and has forgotten us */
	uint32_t stops;
	const struct net_ops *ops;
	void *arg;
	struct nid local;
	char peer[NID_STRLEN];
	struct loop_work read_work, flush_work, end_work;
	/* net_move() */
	struct loop *move_to;
	struct loop_work move_work, *then;
	bool *moved; /* of receive() on the stack below us */
	/* receiving */
	enum read_state rstate;
	struct wire_hdr h;
	uint8_t hdr[WIRE_HDR_LEN];
	struct msg *m;
	uint32_t got;		    /* bytes of the body or of the bulk */
	uint32_t iov_at, iov_off;   /* of the bulk: where the next byte goes */
	uint32_t lowat;
	bool bulky;
	uint32_t rpos, rlen;
	uint8_t *rbuf;
	/* sending */
	struct msg_list sendq;	    /* not yet taken by the kernel */
	struct msg_list sentq;	    /* taken; done() is due */
	uint64_t unsent;
	uint64_t head_sent;	    /* bytes of the first message that are taken */
	uint32_t enc_head, enc_n;   /* ring of encoded headers of the first enc_n messages */
	bool want_write;
	uint8_t enc[SEND_WINDOW][WIRE_HDR_LEN];
};

static uint64_t frame_len(const struct wire_hdr *h)
{
	return (uint64_t)WIRE_HDR_LEN + h->body_len + h->bulk_len;
}

static uint64_t iov_len(const struct msg *m)
{
	uint64_t len = 0;
	uint32_t i;

	for (i = 0; i < m->iov_n; i++)
		len += m->iov[i].iov_len;
	return len;
}

/* ---- end of a connection ---- */

static void conn_free(struct net_conn *c)
{
	loop_fd_destroy(c->w);
	if (c->fd >= 0)
		close(c->fd);
	free(c->rbuf);
	free(c);
}

static bool work_queued(const struct net_conn *c)
{
	return c->read_work.queued || c->flush_work.queued || c->end_work.queued;
}

/* Each work calls this first. True: the connection is not this loop's any more, or has ended. */
static bool work_is_late(struct net_conn *c)
{
	if (c->move_to) {
		if (!work_queued(c))
			loop_post(c->move_to, &c->move_work);
		return true;
	}
	if (!c->ended)
		return false;
	if (!work_queued(c))
		conn_free(c);
	return true;
}

static void conn_fail(struct net_conn *c, int rc)
{
	if (c->state == CONN_CLOSING)
		return;
	c->connect_failed = false;
	c->state = CONN_CLOSING;
	c->close_rc = rc;
	if (c->w)
		loop_fd_set(c->w, 0);
	if (!c->move_to)
		loop_defer(c->l, &c->end_work);
}

static void give_back(struct msg_list *q, int rc)
{
	struct msg *m;

	while ((m = STAILQ_FIRST(q))) {
		STAILQ_REMOVE_HEAD(q, link);
		m->done(m, rc);
	}
}

static void conn_end(void *arg)
{
	struct net_conn *c = arg;
	int rc = c->close_rc ? c->close_rc : -ECONNRESET;

	if (work_is_late(c))
		return;
	loop_fd_destroy(c->w);
	c->w = NULL;
	close(c->fd);
	c->fd = -1;
	give_back(&c->sentq, 0);
	give_back(&c->sendq, rc);
	if (c->m)
		c->m->done(c->m, rc);
	c->m = NULL;
	if (c->connect_failed)
		c->ops->on_connect(c->arg, c, rc);
	else
		c->ops->on_close(c->arg, c, c->close_rc);
	/* Whoever queued into a closing connection from on_close gets that back, too. */
	give_back(&c->sendq, rc);
	c->ended = true;
	if (!work_queued(c))
		conn_free(c);
}

static void watch(struct net_conn *c)
{
	int events = 0;

	if (c->state == CONN_CLOSING)
		return;
	if (c->state == CONN_OPEN && !c->stops)
		events |= LOOP_READ;
	if (c->want_write || c->state == CONN_CONNECTING)
		events |= LOOP_WRITE;
	loop_fd_set(c->w, events);
}

/* ---- receiving ---- */

static void bad_frame(struct net_conn *c, int rc, const char *why)
{
	log_warn("net: connection of %s closed: %s", c->peer, why);
	conn_fail(c, rc);
}

/* Takes up to len bytes of what was read ahead. */
static uint32_t take(struct net_conn *c, void *to, uint64_t len)
{
	uint32_t n = (uint32_t)min_u64(len, c->rlen);

	if (n)
		memcpy(to, c->rbuf + c->rpos, n);
	c->rpos += n;
	c->rlen -= n;
	return n;
}

/* n more bytes of the bulk are in place. */
static void bulk_advance(struct net_conn *c, uint32_t n)
{
	c->got += n;
	while (n) {
		uint64_t left = c->m->iov[c->iov_at].iov_len - c->iov_off;

		if (n < left) {
			c->iov_off += n;
			return;
		}
		n -= (uint32_t)left;
		c->iov_at++;
		c->iov_off = 0;
	}
}

static void take_bulk(struct net_conn *c)
{
	while (c->rlen && c->got < c->h.bulk_len) {
		const struct iovec *v = &c->m->iov[c->iov_at];

		bulk_advance(c, take(c, (uint8_t *)v->iov_base + c->iov_off,
				     v->iov_len - c->iov_off));
		while (c->got < c->h.bulk_len && c->m->iov[c->iov_at].iov_len == c->iov_off)
			c->iov_at++, c->iov_off = 0;
	}
}

/* False: needs more bytes, or the frame is bad. */
static bool parse_hdr(struct net_conn *c)
{
	static const uint8_t magic[4] = {WIRE_MAGIC & 0xff, WIRE_MAGIC >> 8 & 0xff,
					 WIRE_MAGIC >> 16 & 0xff, WIRE_MAGIC >> 24};
	int rc;

	/* A stranger that sends less than a header and waits should not wait. */
	if (c->rlen && memcmp(c->rbuf + c->rpos, magic, min_u64(c->rlen, sizeof(magic)))) {
		bad_frame(c, -EPROTO, "what it sends is not this protocol");
		return false;
	}
	if (c->rlen < WIRE_HDR_LEN)
		return false;
	take(c, c->hdr, WIRE_HDR_LEN);
	rc = wire_dec(c->hdr, &c->h);
	if (rc) {
		bad_frame(c, rc, rc == -EPROTONOSUPPORT ? "it speaks another version" :
				 rc == -EMSGSIZE	? "frame too large" :
							  "bad frame header");
		return false;
	}
	c->m = c->ops->get_msg(c->arg, c, &c->h);
	if (!c->m) { /* whoever refuses says why */
		conn_fail(c, -EPROTO);
		return false;
	}
	c->m->h = c->h;
	c->m->iov = NULL;
	c->m->iov_n = 0;
	c->got = 0;
	c->rstate = READ_BODY;
	return true;
}

static bool parse_body(struct net_conn *c)
{
	if (c->got < c->h.body_len)
		c->got += take(c, c->m->body + c->got, c->h.body_len - c->got);
	if (c->got < c->h.body_len)
		return false;
	if (wire_check(c->hdr, c->m->body, c->h.body_len)) {
		bad_frame(c, -EBADMSG, "checksum of a frame is wrong");
		return false;
	}
	c->got = 0;
	c->bulky = c->h.bulk_len >= BULK_LARGE;
	c->rstate = c->h.bulk_len ? READ_ASK : READ_BULK;
	return true;
}

static bool parse_ask(struct net_conn *c)
{
	int rc = c->ops->want_bulk(c->arg, c, c->m);

	if (rc == -EAGAIN)
		c->stops++;
	else if (rc)
		conn_fail(c, rc);
	if (rc)
		return false;
	assert(iov_len(c->m) == c->h.bulk_len);
	c->iov_at = c->iov_off = 0;
	c->rstate = READ_BULK;
	return true;
}

/* Hands over every message that is complete. False: the connection moved away, do not touch it. */
static bool parse(struct net_conn *c, const bool *moved)
{
	while (c->state == CONN_OPEN && !c->stops) {
		struct msg *m;

		if (c->rstate == READ_HDR && !parse_hdr(c))
			break;
		if (c->rstate == READ_BODY && !parse_body(c))
			break;
		if (c->rstate == READ_ASK && !parse_ask(c))
			break;
		if (c->rstate != READ_BULK)
			continue;
		m = c->m;
		take_bulk(c);
		if (c->got < c->h.bulk_len)
			break;
		c->rstate = READ_HDR;
		c->m = NULL;
		c->ops->on_msg(c->arg, c, m);
		if (*moved)
			return false;
	}
	return true;
}

/* The pieces that the next readv fills: the rest of the body or bulk, then the buffer. */
static int read_iov(struct net_conn *c, struct iovec *iov, uint64_t *direct)
{
	uint32_t i;
	int n = 0;

	*direct = 0;
	if (c->rstate == READ_BODY) {
		iov[n++] = (struct iovec){c->m->body + c->got, c->h.body_len - c->got};
		*direct = c->h.body_len - c->got;
	} else if (c->rstate == READ_BULK) {
		iov[n++] = (struct iovec){(uint8_t *)c->m->iov[c->iov_at].iov_base + c->iov_off,
					  c->m->iov[c->iov_at].iov_len - c->iov_off};
		for (i = c->iov_at + 1; i < c->m->iov_n && n < MAX_BULK_IOV; i++)
			iov[n++] = c->m->iov[i];
		*direct = c->h.bulk_len - c->got;
		if (i < c->m->iov_n) /* cannot be with MAX_BULK_IOV pieces; then no read-ahead */
			return n;
	} else if (c->rpos) {
		memmove(c->rbuf, c->rbuf + c->rpos, c->rlen);
		c->rpos = 0;
	}
	if (!c->rlen)
		c->rpos = 0;
	iov[n++] = (struct iovec){c->rbuf + c->rlen,
				  c->bulky ? RBUF_BULK : RBUF_LEN - c->rlen};
	return n;
}

/* One readv. Bytes read, 0 at the end of the stream, -errno; *drained: there is no more for now. */
static ssize_t fill(struct net_conn *c, bool *drained)
{
	struct iovec iov[MAX_BULK_IOV + 1];
	uint64_t direct, want = 0, part;
	int i, cnt = read_iov(c, iov, &direct);
	ssize_t n;

	for (i = 0; i < cnt; i++)
		want += iov[i].iov_len;
	n = readv(c->fd, iov, cnt);
	if (n <= 0)
		return n ? -errno : 0;
	*drained = (uint64_t)n < want;
	part = min_u64(direct, (uint64_t)n);
	if (c->rstate == READ_BULK)
		bulk_advance(c, (uint32_t)part);
	else if (c->rstate == READ_BODY)
		c->got += (uint32_t)part;
	c->rlen += (uint32_t)((uint64_t)n - part);
	return n;
}

/* While a large bulk comes in, wake up only for a good part of it. The kernel itself wakes us when
 * its buffer cannot hold that much and at the end of the stream, so this cannot hang. */
static void set_lowat(struct net_conn *c)
{
	uint32_t left = c->rstate == READ_BULK ? c->h.bulk_len - c->got : 0;
	int want = left >= BULK_LARGE ? (int)min_u64(left, LOWAT_MAX) : 1;

	if ((uint32_t)want == c->lowat)
		return;
	if (setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &want, sizeof(want)) == 0)
		c->lowat = (uint32_t)want;
}

static void end_of_stream(struct net_conn *c)
{
	if (c->rstate != READ_HDR || c->rlen)
		bad_frame(c, -ECONNRESET, "it ended inside a frame");
	else
		conn_fail(c, -ECONNRESET);
}

static void receive(struct net_conn *c)
{
	bool moved = false, drained = false;
	uint64_t budget = READ_BUDGET;

	c->moved = &moved;
	for (;;) {
		ssize_t n;

		if (!parse(c, &moved))
			return;
		if (c->state != CONN_OPEN || c->stops || drained || !budget)
			break;
		n = fill(c, &drained);
		if (n > 0) {
			budget -= min_u64(budget, (uint64_t)n);
			continue;
		}
		if (n == 0)
			end_of_stream(c);
		else if (n != -EAGAIN && n != -EINTR)
			conn_fail(c, (int)n);
		break;
	}
	c->moved = NULL;
	if (c->state != CONN_OPEN)
		return;
	set_lowat(c);
	watch(c);
}

static void read_again(void *arg)
{
	struct net_conn *c = arg;

	if (!work_is_late(c) && c->state == CONN_OPEN && !c->stops)
		receive(c);
}

void net_stop(struct net_conn *c)
{
	c->stops++;
	if (c->w && c->stops == 1)
		watch(c);
}

void net_resume(struct net_conn *c)
{
	assert(c->stops);
	if (--c->stops == 0 && !c->move_to)
		loop_defer(c->l, &c->read_work); /* what is in the buffer comes first */
}

/* ---- sending ---- */

/* Adds the bytes of *v after the first *skip to iov; false when iov is full. */
static bool gather_one(struct iovec *iov, int *n, uint64_t *skip, void *base, uint64_t len)
{
	if (*skip >= len) {
		*skip -= len;
		return true;
	}
	if (*n == SEND_IOV)
		return false;
	iov[(*n)++] = (struct iovec){(uint8_t *)base + *skip, len - *skip};
	*skip = 0;
	return true;
}

static int gather(struct net_conn *c, struct iovec *iov)
{
	uint64_t skip = c->head_sent;
	uint32_t i = 0, k;
	struct msg *m;
	int n = 0;

	STAILQ_FOREACH(m, &c->sendq, link) {
		uint8_t *hdr = c->enc[(c->enc_head + i) % SEND_WINDOW];

		if (i == SEND_WINDOW)
			break;
		if (i == c->enc_n) {
			wire_enc(&m->h, m->body, hdr);
			c->enc_n++;
		}
		i++;
		if (!gather_one(iov, &n, &skip, hdr, WIRE_HDR_LEN) ||
		    !gather_one(iov, &n, &skip, m->body, m->h.body_len))
			break;
		for (k = 0; k < m->iov_n; k++)
			if (!gather_one(iov, &n, &skip, m->iov[k].iov_base, m->iov[k].iov_len))
				return n;
	}
	return n;
}

static void sent(struct net_conn *c, uint64_t n)
{
	c->unsent -= n;
	while (n) {
		struct msg *m = STAILQ_FIRST(&c->sendq);
		uint64_t left = frame_len(&m->h) - c->head_sent;

		if (n < left) {
			c->head_sent += n;
			return;
		}
		n -= left;
		c->head_sent = 0;
		c->enc_head = (c->enc_head + 1) % SEND_WINDOW;
		c->enc_n--;
		STAILQ_REMOVE_HEAD(&c->sendq, link);
		STAILQ_INSERT_TAIL(&c->sentq, m, link);
	}
}

/* Gives the kernel what it takes. */
static void push(struct net_conn *c)
{
	struct iovec iov[SEND_IOV];
	int calls, i;

	for (calls = 0; calls < SEND_CALLS && !STAILQ_EMPTY(&c->sendq); calls++) {
		struct msghdr mh = {.msg_iov = iov};
		uint64_t want = 0;
		ssize_t n;

		mh.msg_iovlen = (size_t)gather(c, iov);
		for (i = 0; i < (int)mh.msg_iovlen; i++)
			want += iov[i].iov_len;
		n = sendmsg(c->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			conn_fail(c, -errno);
			return;
		}
		if (n > 0)
			sent(c, (uint64_t)n);
		if (n < 0 || (uint64_t)n < want)
			break;
	}
	c->want_write = !STAILQ_EMPTY(&c->sendq);
}

static void flush(void *arg)
{
	struct net_conn *c = arg;

	if (work_is_late(c))
		return;
	if (c->state == CONN_OPEN && !c->want_write)
		push(c);
	give_back(&c->sentq, 0);
	watch(c);
}

void net_send(struct net_conn *c, struct msg *m)
{
	assert(!c->move_to && m->h.body_len <= MAX_BODY && m->h.bulk_len <= MAX_BULK);
	assert(iov_len(m) == m->h.bulk_len);
	STAILQ_INSERT_TAIL(&c->sendq, m, link);
	c->unsent += frame_len(&m->h);
	if (c->state != CONN_OPEN || c->want_write)
		return;
	if (c->unsent >= SEND_NOW)
		push(c);
	loop_before_wait(c->l, &c->flush_work); /* also calls done() of what push() sent */
}

void net_close(struct net_conn *c, int rc)
{
	conn_fail(c, rc);
}

uint64_t net_unsent(const struct net_conn *c)
{
	return c->unsent;
}

const char *net_peer(const struct net_conn *c)
{
	return c->peer;
}

void net_local(const struct net_conn *c, struct nid *out)
{
	*out = c->local;
}

void net_set_ops(struct net_conn *c, const struct net_ops *ops, void *arg)
{
	c->ops = ops;
	c->arg = arg;
}

/* ---- making a connection ---- */

static void set_int(int fd, int level, int opt, int value)
{
	/* Tuning only: the connection works without. */
	if (setsockopt(fd, level, opt, &value, sizeof(value)))
		log_dbg("net: setsockopt %d/%d: %s", level, opt, err_str(errno));
}

/* Only the privileged form: the plain one is capped by the system far below what the kernel's own
 * tuning reaches, and setting it turns that tuning off. Before connect and listen, for the
 * window scale. */
void net_tcp_set_buffers(int fd)
{
	set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCK_BUF);
	set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCK_BUF);
}

static void set_options(int fd)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
	set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 15);
	set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
	set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

static void learn_local(struct net_conn *c)
{
	c->local.addr_len = sizeof(c->local.addr);
	if (getsockname(c->fd, (struct sockaddr *)&c->local.addr, &c->local.addr_len))
		c->local = (struct nid){.addr_len = 0};
}

static void on_connected(struct net_conn *c)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (err) {
		conn_fail(c, -err);
		c->connect_failed = true;
		return;
	}
	c->state = CONN_OPEN;
	learn_local(c);
	c->ops->on_connect(c->arg, c, 0);
	if (c->state == CONN_OPEN && !STAILQ_EMPTY(&c->sendq))
		loop_before_wait(c->l, &c->flush_work);
	watch(c);
}

static void on_event(void *arg, int events)
{
	struct net_conn *c = arg;

	if (c->state == CONN_CONNECTING) {
		on_connected(c);
		return;
	}
	if ((events & LOOP_WRITE) && c->state == CONN_OPEN) {
		c->want_write = false;
		push(c);
		give_back(&c->sentq, 0);
		watch(c);
	}
	if ((events & LOOP_READ) && c->state == CONN_OPEN && !c->stops)
		receive(c);
}

static void arrive(void *arg)
{
	struct net_conn *c = arg;
	struct loop_work *then = c->then;
	int rc;

	c->l = c->move_to;
	c->move_to = NULL;
	c->moved = NULL;
	rc = loop_fd_create(c->l, c->fd, on_event, c, &c->w);
	then->fn(then->arg);
	if (rc)
		conn_fail(c, rc);
	else if (c->state == CONN_CLOSING)
		loop_defer(c->l, &c->end_work);
	else if (!c->stops)
		loop_defer(c->l, &c->read_work);
}

void net_move(struct net_conn *c, struct loop *to, struct loop_work *then)
{
	assert(c->state != CONN_CONNECTING && !c->move_to);
	assert(STAILQ_EMPTY(&c->sendq) && STAILQ_EMPTY(&c->sentq));
	loop_fd_destroy(c->w);
	c->w = NULL;
	c->move_to = to;
	c->then = then;
	c->move_work = (struct loop_work){.fn = arrive, .arg = c};
	if (c->moved)
		*c->moved = true;
	if (!work_queued(c)) /* else the last of them posts it */
		loop_post(to, &c->move_work);
}

/* Takes fd, also when it fails. */
static int conn_new(struct loop *l, int fd, const struct nid *peer, struct net_conn **out)
{
	struct net_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->l = l;
	c->fd = fd;
	c->lowat = 1;
	c->rbuf = malloc(RBUF_LEN);
	if (!c->rbuf || loop_fd_create(l, fd, on_event, c, &c->w)) {
		conn_free(c);
		return -ENOMEM;
	}
	STAILQ_INIT(&c->sendq);
	STAILQ_INIT(&c->sentq);
	c->read_work = (struct loop_work){.fn = read_again, .arg = c};
	c->flush_work = (struct loop_work){.fn = flush, .arg = c};
	c->end_work = (struct loop_work){.fn = conn_end, .arg = c};
	nid_str(peer, 0, c->peer);
	set_options(fd);
	*out = c;
	return 0;
}

int net_connect(struct loop *l, const struct nid *to, const struct net_ops *ops, void *arg,
		struct net_conn **out)
{
	int fd = socket(to->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct net_conn *c;
	int rc;

	if (fd < 0)
		return -errno;
	net_tcp_set_buffers(fd);
	rc = conn_new(l, fd, to, &c);
	if (rc)
		return rc;
	net_set_ops(c, ops, arg);
	c->state = CONN_CONNECTING;
	/* Also a failure at once is told from the loop, like the others. */
	if (connect(fd, (const struct sockaddr *)&to->addr, to->addr_len) && errno != EINPROGRESS) {
		conn_fail(c, -errno);
		c->connect_failed = true;
	} else {
		watch(c);
	}
	*out = c;
	return 0;
}

void net_tcp_accept(struct loop *l, int fd, const struct nid *peer, net_accept_fn *fn, void *fn_arg)
{
	const struct net_ops *ops = NULL;
	void *arg = NULL;
	struct net_conn *c;

	if (conn_new(l, fd, peer, &c)) {
		log_err("net: no memory for a new connection");
		return;
	}
	c->state = CONN_OPEN;
	learn_local(c);
	if (fn(fn_arg, c, &ops, &arg)) {
		conn_free(c);
		return;
	}
	net_set_ops(c, ops, arg);
	watch(c);
}
