/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_frame.c - bytes on a connection: the header codec, and the real receiver (net_tcp.c) behind
 * a socket pair.
 *
 * Input: one byte of flags, then bytes as a peer sends them. With flag 1 the headers in them are
 * repaired (magic, lengths, checksums), so that whole frames come through; with flag 2 memory for
 * bulk data is refused at first. Every frame that arrives must be one that was sent, in order, and
 * the connection must end with a close, whatever was sent.
 */
#include "common/crc.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/net_tcp.h"
#include "common/proto/proto.h"
#include "tests/fuzz/fuzz.h"
#include <sys/socket.h>
#include <unistd.h>

enum { REPAIR = 1, REFUSE_BULK = 2, MAX_INPUT = 64 << 10 };

struct peer {
	struct loop *l;
	struct net_conn *c;
	const uint8_t *expect; /* what was sent and has not arrived */
	size_t left;
	bool closed, refuse;
	struct loop_work resume;
};

struct frame {
	struct msg m;
	struct iovec iov[2];
	uint8_t mem[];
};

static void frame_done(struct msg *m, int rc)
{
	struct frame *f = m->owner;

	(void)rc;
	free(f->iov[0].iov_base);
	free(f);
}

static struct msg *get_msg(void *arg, struct net_conn *c, const struct wire_hdr *h)
{
	struct frame *f;

	(void)arg, (void)c;
	assert(h->body_len <= MAX_BODY && h->bulk_len <= MAX_BULK);
	f = calloc(1, sizeof(*f) + h->body_len);
	assert(f);
	f->m.body = f->mem;
	f->m.done = frame_done;
	f->m.owner = f;
	return &f->m;
}

static void resume(void *arg)
{
	struct peer *p = arg;

	if (!p->closed)
		net_resume(p->c);
}

static int want_bulk(void *arg, struct net_conn *c, struct msg *m)
{
	struct frame *f = m->owner;
	struct peer *p = arg;
	uint32_t first = m->h.bulk_len / 3;

	(void)c;
	if (p->refuse) {
		p->refuse = false;
		loop_defer(p->l, &p->resume);
		return -EAGAIN;
	}
	f->iov[0] = (struct iovec){malloc(m->h.bulk_len), first};
	assert(f->iov[0].iov_base);
	f->iov[1] = (struct iovec){(uint8_t *)f->iov[0].iov_base + first, m->h.bulk_len - first};
	m->iov = first ? f->iov : f->iov + 1;
	m->iov_n = first ? 2 : 1;
	return 0;
}

static void on_msg(void *arg, struct net_conn *c, struct msg *m)
{
	struct peer *p = arg;
	struct frame *f = m->owner;
	size_t all = WIRE_HDR_LEN + (size_t)m->h.body_len + m->h.bulk_len;
	struct wire_hdr h;

	(void)c;
	assert(all <= p->left);
	if (wire_dec(p->expect, &h))
		abort();
	assert(h.xid == m->h.xid && h.rpc == m->h.rpc);
	assert(memcmp(p->expect + WIRE_HDR_LEN, m->body, m->h.body_len) == 0);
	assert(m->h.bulk_len == 0 || memcmp(p->expect + WIRE_HDR_LEN + m->h.body_len,
					    f->iov[0].iov_base, m->h.bulk_len) == 0);
	p->expect += all;
	p->left -= all;
	m->done(m, 0);
}

static void on_close(void *arg, struct net_conn *c, int rc)
{
	struct peer *p = arg;

	(void)c;
	assert(rc < 0 && !p->closed);
	p->closed = true;
	loop_stop(p->l);
}

static const struct net_ops ops = {
	.get_msg = get_msg, .want_bulk = want_bulk, .on_msg = on_msg, .on_close = on_close};

static int accept_peer(void *arg, struct net_conn *c, const struct net_ops **o, void **conn_arg)
{
	struct peer *p = arg;

	p->c = c;
	*o = &ops;
	*conn_arg = p;
	return 0;
}

/* Makes the frames in buf whole; the last one may stay cut off. */
static void repair(uint8_t *buf, size_t len)
{
	while (len >= WIRE_HDR_LEN) {
		struct wire_hdr h;
		uint8_t fresh[WIRE_HDR_LEN];
		size_t room = len - WIRE_HDR_LEN;

		memset(&h, 0, sizeof(h));
		h.version = WIRE_VERSION;
		h.rpc = buf[8];
		h.flags = buf[9];
		h.status = (int8_t)buf[10];
		memcpy(&h.xid, buf + 11, sizeof(h.xid));
		h.body_len = (uint32_t)(buf[20] | buf[21] << 8) % (uint32_t)(room + 1);
		h.bulk_len = (uint32_t)(buf[22] | buf[23] << 8);
		if (h.bulk_len > room - h.body_len)
			h.bulk_len = (uint32_t)(room - h.body_len);
		wire_enc(&h, buf + WIRE_HDR_LEN, fresh);
		memcpy(buf, fresh, sizeof(fresh));
		buf += WIRE_HDR_LEN + h.body_len + h.bulk_len;
		len -= WIRE_HDR_LEN + h.body_len + h.bulk_len;
	}
}

/* What decodes encodes again to the same header. */
static void header(const uint8_t *buf, size_t len)
{
	uint8_t out[WIRE_HDR_LEN];
	struct wire_hdr h, again;

	memset(&h, 0, sizeof(h)); /* the gaps, for memcmp() */
	memset(&again, 0, sizeof(again));
	if (len < WIRE_HDR_LEN || wire_dec(buf, &h) || h.body_len > len - WIRE_HDR_LEN)
		return;
	wire_enc(&h, buf + WIRE_HDR_LEN, out);
	if (wire_dec(out, &again) || wire_check(out, buf + WIRE_HDR_LEN, h.body_len))
		abort();
	assert(memcmp(&h, &again, sizeof(h)) == 0);
	if (wire_check(buf, buf + WIRE_HDR_LEN, h.body_len) == 0)
		(void)rpc_name(h.rpc);
}

static void send_all(int fd, const uint8_t *buf, size_t len)
{
	while (len) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

		assert(n > 0); /* the socket's buffer is larger than MAX_INPUT */
		buf += n;
		len -= (size_t)n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct loop *l;
	struct fuzz_input in = {data, size};
	uint8_t flags = (uint8_t)fuzz_int(&in, 1);
	struct peer p = {0};
	struct nid peer = {0};
	uint8_t *buf;
	int fd[2];

	if (!l) {
		log_set_level(LOG_LVL_ERROR);
		if (loop_create(&l))
			abort();
	}
	if (in.len > MAX_INPUT)
		return 0;
	buf = malloc(in.len + 1);
	assert(buf);
	memcpy(buf, in.ptr, in.len);
	if (flags & REPAIR)
		repair(buf, in.len);
	header(buf, in.len);
	p.l = l;
	p.refuse = flags & REFUSE_BULK;
	p.resume = (struct loop_work){.fn = resume, .arg = &p};
	p.expect = buf;
	p.left = in.len;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd))
		abort();
	send_all(fd[1], buf, in.len);
	shutdown(fd[1], SHUT_WR);
	net_tcp_accept(l, fd[0], &peer, accept_peer, &p);
	loop_run(l);
	assert(p.closed);
	close(fd[1]);
	free(buf);
	return 0;
}
