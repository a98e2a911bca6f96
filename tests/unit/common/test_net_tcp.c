/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_tcp.c - the TCP transport over real loopback: bulk, back-pressure, bad and cut frames,
 * moving between threads. Client and server share one loop unless a test says otherwise. */
#include "common/limits.h"
#include "common/net.h"
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define MS ((uint64_t)NSEC_PER_MSEC)

/* A message with its memory. The contents follow from xid, so that the receiver can check them. */
struct tmsg {
	struct msg m;
	struct iovec iov[MAX_BULK_IOV];
	uint8_t *mem;
	int *given_up; /* counts done() with an error */
	int *sent;
};

static struct loop *l;
static struct loop_timer guard;
static struct net_listener *lis;
static struct nid addr;

/* One side of a connection, as its user sees it. */
struct side {
	struct net_conn *c;
	int connected; /* 1, or -errno */
	bool closed;
	int close_rc;
	uint64_t next_xid; /* expected */
	int msgs;
	int stop_at;	   /* loop_stop() at so many messages */
	int hold_at;	   /* net_stop() at so many */
	int refuse_bulk;   /* answer -EAGAIN so many times */
	int close_at;
	bool refuse;
	struct loop *move_to;
	struct loop_work moved;
	struct loop *loop;
};

static struct side srv, cli;
static int live; /* tmsgs */

static void tmsg_done(struct msg *m, int rc)
{
	struct tmsg *t = container_of(m, struct tmsg, m);

	if (rc && t->given_up)
		++*t->given_up;
	if (!rc && t->sent)
		++*t->sent;
	free(t->mem);
	free(t);
	__atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
}

static struct tmsg *tmsg_new(uint32_t body, uint32_t bulk, uint32_t pieces)
{
	struct tmsg *t = calloc(1, sizeof(*t));
	uint32_t i, left = bulk;
	uint8_t *at;

	assert_non_null(t);
	t->mem = malloc((size_t)body + bulk + 1);
	assert_non_null(t->mem);
	t->m.body = t->mem;
	t->m.done = tmsg_done;
	t->m.iov = t->iov;
	at = t->mem + body;
	for (i = 0; i < pieces && left; i++) {
		uint32_t n = i + 1 == pieces ? left : bulk / pieces;

		t->iov[i] = (struct iovec){at, n};
		at += n;
		left -= n;
	}
	t->m.iov_n = i;
	__atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
	return t;
}

static uint8_t byte_of(uint64_t xid, uint32_t i)
{
	return (uint8_t)(xid * 37 + i * 11 + (i >> 8));
}

static void fill(struct tmsg *t, uint64_t xid, uint32_t body, uint32_t bulk)
{
	uint32_t i;

	for (i = 0; i < body + bulk; i++)
		t->mem[i] = byte_of(xid, i);
	t->m.h = (struct wire_hdr){
		.version = WIRE_VERSION, .xid = xid, .body_len = body, .bulk_len = bulk};
}

static struct tmsg *make(uint64_t xid, uint32_t body, uint32_t bulk, uint32_t pieces)
{
	struct tmsg *t = tmsg_new(body, bulk, pieces);

	fill(t, xid, body, bulk);
	return t;
}

static void check(const struct tmsg *t)
{
	const struct wire_hdr *h = &t->m.h;
	uint32_t i, bad = 0;

	for (i = 0; i < h->body_len + h->bulk_len; i++)
		bad += t->mem[i] != byte_of(h->xid, i);
	assert_int_equal(bad, 0);
}

/* ---- callbacks ---- */

static struct msg *get_msg(void *arg, struct net_conn *c, const struct wire_hdr *h)
{
	struct side *s = arg;

	(void)c;
	return s->refuse ? NULL : &tmsg_new(h->body_len, h->bulk_len, 0)->m;
}

static int want_bulk(void *arg, struct net_conn *c, struct msg *m)
{
	struct tmsg *t = container_of(m, struct tmsg, m);
	uint32_t i, n = 1 + (uint32_t)m->h.xid % MAX_BULK_IOV, len = m->h.bulk_len / n;
	struct side *s = arg;

	(void)c;
	if (s->refuse_bulk) {
		s->refuse_bulk--;
		loop_stop(s->loop);
		return -EAGAIN;
	}
	for (i = 0; i < n; i++)
		t->iov[i] = (struct iovec){t->mem + m->h.body_len + (size_t)i * len,
					   i + 1 == n ? m->h.bulk_len - i * len : len};
	m->iov = t->iov;
	m->iov_n = n;
	return 0;
}

static void on_msg(void *arg, struct net_conn *c, struct msg *m)
{
	struct side *s = arg;

	assert_int_equal(m->h.xid, s->next_xid);
	s->next_xid++;
	check(container_of(m, struct tmsg, m));
	m->done(m, 0);
	s->msgs++;
	if (s->msgs == s->hold_at)
		net_stop(c);
	if (s->msgs == s->close_at)
		net_close(c, -ESHUTDOWN);
	if (s->msgs == s->stop_at || s->msgs == s->hold_at)
		loop_stop(s->loop);
	if (s->move_to && s->msgs == 1)
		net_move(c, s->move_to, &s->moved);
}

static void on_close(void *arg, struct net_conn *c, int rc)
{
	struct side *s = arg;

	assert_ptr_equal(s->c, c);
	assert_false(s->closed);
	s->c = NULL;
	s->closed = true;
	s->close_rc = rc;
	loop_stop(s->loop);
}

static void on_connect(void *arg, struct net_conn *c, int rc)
{
	struct side *s = arg;

	assert_ptr_equal(s->c, c);
	s->connected = rc ? rc : 1;
	if (rc)
		s->c = NULL;
	loop_stop(s->loop);
}

static const struct net_ops ops = {
	.get_msg = get_msg,
	.want_bulk = want_bulk,
	.on_msg = on_msg,
	.on_close = on_close,
	.on_connect = on_connect,
};

static int on_accept(void *arg, struct net_conn *c, const struct net_ops **o, void **conn_arg)
{
	(void)arg;
	if (srv.c) /* only the first is looked at */
		return -EBUSY;
	srv.c = c;
	*o = &ops;
	*conn_arg = &srv;
	return 0;
}

/* ---- set-up ---- */

static void too_long(void *arg)
{
	(void)arg;
	fail_msg("nothing happened for a minute");
}

static void run(void)
{
	loop_timer_start(l, &guard, 60 * (uint64_t)NSEC_PER_SEC);
	loop_run(l);
	loop_timer_stop(l, &guard);
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static void run_for(uint64_t ns)
{
	struct loop_timer t = {.fn = stop_loop, .arg = l};

	loop_timer_start(l, &t, ns);
	loop_run(l);
	loop_timer_stop(l, &t);
}

static void loopback(struct nid *n, int family)
{
	*n = (struct nid){0};
	if (family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)&n->addr;

		in->sin_family = AF_INET;
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		n->addr_len = sizeof(*in);
	} else {
		struct sockaddr_in6 *in = (struct sockaddr_in6 *)&n->addr;

		in->sin6_family = AF_INET6;
		in->sin6_addr = in6addr_loopback;
		n->addr_len = sizeof(*in);
	}
}

static int setup(void **state)
{
	struct nid any;

	(void)state;
	guard = (struct loop_timer){.fn = too_long};
	assert_int_equal(loop_create(&l), 0);
	srv = cli = (struct side){.loop = l};
	loopback(&any, AF_INET);
	assert_int_equal(net_listen(l, &any, on_accept, NULL, &lis), 0);
	net_listener_local(lis, &addr);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (srv.c) {
		net_close(srv.c, 0);
		while (!srv.closed)
			run();
	}
	if (cli.c) {
		net_close(cli.c, 0);
		while (!cli.closed)
			run();
	}
	net_unlisten(lis);
	loop_destroy(l);
	assert_int_equal(live, 0);
	return 0;
}

static void connect_both(void)
{
	assert_int_equal(net_connect(l, &addr, &ops, &cli, &cli.c), 0);
	while (!cli.connected)
		run();
	assert_int_equal(cli.connected, 1);
	while (!srv.c)
		run_for(MS);
}

/* A plain socket to the listener, for what net_send() cannot send. */
static int raw_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr.addr, addr.addr_len), 0);
	while (!srv.c)
		run_for(MS);
	return fd;
}

static void raw_send(int fd, const void *data, size_t len)
{
	assert_int_equal(write(fd, data, len), (ssize_t)len);
}

static size_t raw_frame(uint8_t *buf, uint64_t xid, uint32_t body, uint32_t bulk)
{
	struct tmsg *t = make(xid, body, bulk, 1);
	size_t len = WIRE_HDR_LEN + body + bulk;

	wire_enc(&t->m.h, t->mem, buf);
	memcpy(buf + WIRE_HDR_LEN, t->mem, body + bulk);
	t->m.done(&t->m, 0);
	return len;
}

/* ---- tests ---- */

static void messages_of_all_sizes_arrive_whole_and_in_order(void **state)
{
	static const uint32_t bulks[] = {0, 1, 4096, 0, 0, 70000, 1 << 20, 3, 0, MAX_BULK};
	static const uint32_t bodies[] = {0, 1, 100, 300, 5000, MAX_BODY, 17};
	int i, sent = 0;
	char *peer;

	(void)state;
	connect_both();
	for (i = 0; i < 300; i++) {
		struct tmsg *t = make((uint64_t)i, bodies[i % 7], bulks[i % 10],
				      1 + (uint32_t)i % MAX_BULK_IOV);

		t->sent = &sent;
		net_send(cli.c, &t->m);
	}
	srv.stop_at = 300;
	run();
	assert_int_equal(srv.msgs, 300);
	run_for(MS);
	assert_int_equal(sent, 300);
	assert_int_equal(net_unsent(cli.c), 0);
	peer = strdup(net_peer(cli.c));
	assert_non_null(strstr(peer, "127.0.0.1@tcp:"));
	free(peer);
}

static void both_sides_send_at_once(void **state)
{
	int i;

	(void)state;
	connect_both();
	for (i = 0; i < 2000; i++) {
		net_send(cli.c, &make((uint64_t)i, 40, i % 100 ? 0 : 1 << 20, 4)->m);
		net_send(srv.c, &make((uint64_t)i, 60, i % 50 ? 4096 : 2 << 20, 3)->m);
	}
	while (srv.msgs < 2000 || cli.msgs < 2000)
		run_for(MS);
}

static void a_stopped_connection_takes_nothing_until_resumed(void **state)
{
	int i;

	(void)state;
	connect_both();
	for (i = 0; i < 1000; i++)
		net_send(cli.c, &make((uint64_t)i, 20, 30000, 2)->m);
	srv.hold_at = 10;
	run();
	net_stop(srv.c); /* nests */
	run_for(5 * MS);
	assert_int_equal(srv.msgs, 10);
	assert_true(net_unsent(cli.c) > 0 || srv.msgs == 10);
	net_resume(srv.c);
	run_for(5 * MS);
	assert_int_equal(srv.msgs, 10);
	srv.stop_at = 1000;
	net_resume(srv.c);
	run();
	assert_int_equal(srv.msgs, 1000);
}

static void bulk_waits_for_memory(void **state)
{
	(void)state;
	connect_both();
	srv.refuse_bulk = 2;
	srv.stop_at = 2;
	net_send(cli.c, &make(0, 20, 1 << 20, 1)->m);
	net_send(cli.c, &make(1, 20, 0, 0)->m);
	run();
	assert_int_equal(srv.msgs, 0);
	net_resume(srv.c);
	run(); /* refused again */
	assert_int_equal(srv.msgs, 0);
	net_resume(srv.c);
	run();
	assert_int_equal(srv.msgs, 2);
}

/* Sends len bytes and expects the connection to be closed for rc. */
static void expect_refused(const void *data, size_t len, int rc)
{
	int fd = raw_connect();

	raw_send(fd, data, len);
	while (!srv.closed)
		run();
	assert_int_equal(srv.close_rc, rc);
	close(fd);
	srv = (struct side){.loop = l};
}

static void bad_frames_close_their_connection(void **state)
{
	static const char http[] = "GET / HTTP/1.0\r\n\r\n";
	uint8_t buf[WIRE_HDR_LEN + 64], good[WIRE_HDR_LEN + 64];
	struct wire_hdr h = {.version = WIRE_VERSION + 1};
	uint32_t i;

	(void)state;
	expect_refused(http, sizeof(http) - 1, -EPROTO); /* shorter than a header */
	for (i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 7);
	expect_refused(buf, sizeof(buf), -EPROTO);
	wire_enc(&h, NULL, buf);
	expect_refused(buf, WIRE_HDR_LEN, -EPROTONOSUPPORT);
	h = (struct wire_hdr){.version = WIRE_VERSION, .bulk_len = MAX_BULK + 1};
	wire_enc(&h, NULL, buf);
	expect_refused(buf, WIRE_HDR_LEN, -EMSGSIZE);
	raw_frame(good, 0, 64, 0);
	memcpy(buf, good, sizeof(good));
	buf[WIRE_HDR_LEN + 5] ^= 1; /* body */
	expect_refused(buf, sizeof(buf), -EBADMSG);
	for (i = 8; i < WIRE_HDR_LEN; i++) {
		memcpy(buf, good, sizeof(good));
		buf[i] ^= 0x80;
		/* A length may become larger than what was sent: then it is cut, below. */
		if (i >= 56 && i < 64)
			continue;
		srv.closed = false;
		expect_refused(buf, sizeof(buf), i < 10 ? -EPROTONOSUPPORT : -EBADMSG);
	}
}

static void a_frame_in_small_pieces_is_put_together(void **state)
{
	static uint8_t buf[3 * (WIRE_HDR_LEN + 300)];
	size_t len = 0, at;
	int fd = raw_connect();

	(void)state;
	len += raw_frame(buf + len, 0, 200, 100);
	len += raw_frame(buf + len, 1, 0, 0);
	len += raw_frame(buf + len, 2, 200, 1);
	for (at = 0; at < len; at += 7) {
		raw_send(fd, buf + at, at + 7 < len ? 7 : len - at);
		run_for(1);
	}
	while (srv.msgs < 3)
		run_for(MS);
	close(fd);
	while (!srv.closed)
		run();
	assert_int_equal(srv.close_rc, -ECONNRESET);
}

static void a_frame_that_is_cut_closes_at_each_length(void **state)
{
	static uint8_t buf[WIRE_HDR_LEN + 300];
	size_t len, cut;

	(void)state;
	len = raw_frame(buf, 0, 100, 200);
	for (cut = 1; cut < len; cut += 23) {
		int fd = raw_connect();

		raw_send(fd, buf, cut);
		close(fd);
		while (!srv.closed)
			run();
		assert_int_equal(srv.msgs, 0);
		assert_int_equal(srv.close_rc, -ECONNRESET);
		srv = (struct side){.loop = l};
	}
}

/* The low-water mark must not keep the end of the stream from us. */
static void a_large_bulk_that_is_cut_closes(void **state)
{
	static uint8_t buf[WIRE_HDR_LEN + (1 << 20)];
	size_t half = sizeof(buf) / 2;
	int fd = raw_connect();

	(void)state;
	raw_frame(buf, 0, 0, 1 << 20);
	while (half) {
		ssize_t n = write(fd, buf + sizeof(buf) / 2 - half,
				  half < 50000 ? half : 50000);

		assert_true(n > 0);
		half -= (size_t)n;
		run_for(MS / 10);
	}
	close(fd);
	while (!srv.closed)
		run();
	assert_int_equal(srv.close_rc, -ECONNRESET);
}

static void others_are_served_while_one_misbehaves(void **state)
{
	static const uint8_t junk[200] = {1, 2, 3};
	int fd;

	(void)state;
	connect_both();
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr.addr, addr.addr_len), 0);
	raw_send(fd, junk, sizeof(junk));
	srv.stop_at = 1;
	net_send(cli.c, &make(0, 10, 0, 0)->m);
	run();
	assert_int_equal(srv.msgs, 1);
	close(fd);
}

static void messages_that_were_not_sent_are_given_back(void **state)
{
	int i, given_up = 0, sent = 0;

	(void)state;
	connect_both();
	net_stop(srv.c);
	for (i = 0; i < 50; i++) {
		struct tmsg *t = make((uint64_t)i, 10, MAX_BULK, 1);

		t->given_up = &given_up;
		t->sent = &sent;
		net_send(cli.c, &t->m);
	}
	run_for(5 * MS);
	net_close(srv.c, -ESHUTDOWN);
	while (!cli.closed || !srv.closed)
		run();
	assert_int_equal(srv.close_rc, -ESHUTDOWN);
	assert_int_not_equal(cli.close_rc, 0);
	assert_int_equal(given_up + sent, 50);
	assert_true(given_up > 0);
}

static void a_connection_may_be_closed_from_its_own_callback(void **state)
{
	int i;

	(void)state;
	connect_both();
	srv.close_at = 3;
	for (i = 0; i < 10; i++)
		net_send(cli.c, &make((uint64_t)i, 10, 0, 0)->m);
	while (!cli.closed || !srv.closed)
		run();
	assert_int_equal(srv.msgs, 3);
}

static void a_user_may_refuse_a_message(void **state)
{
	(void)state;
	connect_both();
	srv.refuse = true;
	net_send(cli.c, &make(0, 10, 0, 0)->m);
	while (!cli.closed || !srv.closed)
		run();
	assert_int_equal(srv.close_rc, -EPROTO);
}

static void a_connect_to_nobody_is_told_from_the_loop(void **state)
{
	(void)state;
	net_unlisten(lis);
	lis = NULL;
	assert_int_equal(net_connect(l, &addr, &ops, &cli, &cli.c), 0);
	assert_int_equal(cli.connected, 0);
	while (!cli.connected)
		run();
	assert_int_equal(cli.connected, -ECONNREFUSED);
	assert_false(cli.closed);
}

static void closing_while_connecting_ends_with_on_close(void **state)
{
	int given_up = 0;
	struct tmsg *t = make(0, 10, 0, 0);

	(void)state;
	t->given_up = &given_up;
	assert_int_equal(net_connect(l, &addr, &ops, &cli, &cli.c), 0);
	net_send(cli.c, &t->m);
	net_close(cli.c, -ETIMEDOUT);
	while (!cli.closed)
		run();
	assert_int_equal(cli.close_rc, -ETIMEDOUT);
	assert_int_equal(cli.connected, 0);
	assert_int_equal(given_up, 1);
}

static void a_busy_port_is_an_error(void **state)
{
	struct net_listener *second;

	(void)state;
	assert_int_equal(net_listen(l, &addr, on_accept, NULL, &second), -EADDRINUSE);
}

static void ipv6_works(void **state)
{
	struct nid any, mine;
	int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	(void)state;
	loopback(&any, AF_INET6);
	rc = probe < 0 ? -1 : bind(probe, (struct sockaddr *)&any.addr, any.addr_len);
	if (probe >= 0)
		close(probe);
	if (rc) /* a machine without IPv6 */
		skip();
	net_unlisten(lis);
	assert_int_equal(net_listen(l, &any, on_accept, NULL, &lis), 0);
	net_listener_local(lis, &addr);
	connect_both();
	srv.stop_at = 1;
	net_send(cli.c, &make(0, 10, 100000, 7)->m);
	run();
	assert_int_equal(srv.msgs, 1);
	net_local(srv.c, &mine);
	assert_int_equal(mine.addr.ss_family, AF_INET6);
	assert_int_equal(nid_port(&mine), nid_port(&addr));
}

/* ---- two threads ---- */

static void take_over(void *arg)
{
	struct side *s = arg;

	net_set_ops(s->c, &ops, s); /* a real user has others here */
	net_send(s->c, &make(0, 30, 5000, 2)->m);
}

static void *other_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void a_connection_moves_to_another_thread_with_what_was_read(void **state)
{
	static uint8_t buf[20 * (WIRE_HDR_LEN + 9100)], reply[WIRE_HDR_LEN + 5030];
	struct loop *second;
	pthread_t th;
	size_t len = 0, got = 0;
	int fd, i;

	(void)state;
	assert_int_equal(loop_create(&second), 0);
	assert_int_equal(pthread_create(&th, NULL, other_thread, second), 0);
	fd = raw_connect();
	srv.move_to = second;
	srv.moved = (struct loop_work){.fn = take_over, .arg = &srv};
	for (i = 0; i < 20; i++)
		len += raw_frame(buf + len, (uint64_t)i, 100, i % 2 ? 9000 : 0);
	srv.stop_at = 20; /* stops the second loop */
	raw_send(fd, buf, 3 * WIRE_HDR_LEN + 200);
	while (!__atomic_load_n(&srv.msgs, __ATOMIC_ACQUIRE))
		run_for(MS);
	srv.loop = second;
	raw_send(fd, buf + 3 * WIRE_HDR_LEN + 200, len - 3 * WIRE_HDR_LEN - 200);
	while (got < sizeof(reply)) {
		ssize_t n = read(fd, reply + got, sizeof(reply) - got);

		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_int_equal(reply[WIRE_HDR_LEN + 7], byte_of(0, 7));
	pthread_join(th, NULL);
	assert_int_equal(srv.msgs, 20);
	net_close(srv.c, 0);
	while (!srv.closed)
		loop_run(second);
	loop_destroy(second);
	close(fd);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(messages_of_all_sizes_arrive_whole_and_in_order),
		T(both_sides_send_at_once),
		T(a_stopped_connection_takes_nothing_until_resumed),
		T(bulk_waits_for_memory),
		T(bad_frames_close_their_connection),
		T(a_frame_in_small_pieces_is_put_together),
		T(a_frame_that_is_cut_closes_at_each_length),
		T(a_large_bulk_that_is_cut_closes),
		T(others_are_served_while_one_misbehaves),
		T(messages_that_were_not_sent_are_given_back),
		T(a_connection_may_be_closed_from_its_own_callback),
		T(a_user_may_refuse_a_message),
		T(a_connect_to_nobody_is_told_from_the_loop),
		T(closing_while_connecting_ends_with_on_close),
		T(a_busy_port_is_an_error),
		T(ipv6_works),
		T(a_connection_moves_to_another_thread_with_what_was_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
