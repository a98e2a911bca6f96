/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_sim.c - the simulated network keeps the contract of common/net.h, with and without
 * faults. */
#include "tests/sim/sim.h"
#include "tests/sim/sim_net.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { CLIENT_NODE = 1, SERVER_NODE = 2, PORT = 990, NMSG = 50, BULK = 100000 };

/* One end and what became of it. */
struct end {
	struct net_conn *c;
	int connect_rc, close_rc;
	bool connected, closed;
	uint32_t got, begun, sent, failed;
	uint64_t next_xid;
	uint64_t got_bulk;
	int want_again; /* want_bulk says -EAGAIN this often */
	bool refuse;
};

static struct loop *cl, *sl;
static struct end client, server;
static struct net_listener *listener;
static uint8_t *bulk;

static void sent(struct msg *m, int rc)
{
	struct end *e = m->owner;

	if (rc)
		e->failed++;
	else
		e->sent++;
	free(m->body);
	free(m->iov);
	free(m);
}

static void received(struct msg *m, int rc)
{
	(void)rc;
	free(m->body);
	if (m->iov) {
		free(m->iov->iov_base);
		free(m->iov);
	}
	free(m);
}

static struct msg *get_msg(void *arg, struct net_conn *c, const struct wire_hdr *h)
{
	struct end *e = arg;
	struct msg *m = calloc(1, sizeof(*m));

	assert_ptr_equal(c, e->c);
	e->begun++;
	m->body = malloc(h->body_len + 1);
	m->done = received;
	return m;
}

static int want_bulk(void *arg, struct net_conn *c, struct msg *m)
{
	struct end *e = arg;

	(void)c;
	if (e->want_again) {
		e->want_again--;
		return -EAGAIN;
	}
	m->iov = calloc(1, sizeof(*m->iov));
	*m->iov = (struct iovec){malloc(m->h.bulk_len), m->h.bulk_len};
	m->iov_n = 1;
	return 0;
}

static void on_msg(void *arg, struct net_conn *c, struct msg *m)
{
	struct end *e = arg;

	(void)c;
	assert_int_equal(m->h.xid, e->next_xid++);
	assert_int_equal(m->h.body_len, m->h.xid % 7);
	for (uint32_t i = 0; i < m->h.body_len; i++)
		assert_int_equal(m->body[i], (uint8_t)m->h.xid);
	e->got++;
	e->got_bulk += m->h.bulk_len;
	if (m->h.bulk_len)
		assert_memory_equal(m->iov->iov_base, bulk, BULK);
	m->done(m, 0);
}

static void on_close(void *arg, struct net_conn *c, int rc)
{
	struct end *e = arg;

	assert_ptr_equal(c, e->c);
	assert_false(e->closed);
	e->closed = true;
	e->close_rc = rc;
	e->c = NULL;
}

static void on_connect(void *arg, struct net_conn *c, int rc)
{
	struct end *e = arg;

	(void)c;
	e->connected = true;
	e->connect_rc = rc;
	if (rc)
		e->c = NULL;
}

static const struct net_ops ops = {get_msg, want_bulk, on_msg, on_close, on_connect};

static int take(void *arg, struct net_conn *c, const struct net_ops **o, void **conn_arg)
{
	struct end *e = arg;

	if (e->refuse)
		return -ESHUTDOWN;
	e->c = c;
	*o = &ops;
	*conn_arg = e;
	return 0;
}

static void send_n(struct end *e, uint32_t n, uint64_t first, bool with_bulk)
{
	for (uint64_t xid = first; xid < first + n; xid++) {
		struct msg *m = calloc(1, sizeof(*m));

		m->h = (struct wire_hdr){.version = WIRE_VERSION, .rpc = 300, .xid = xid};
		m->h.body_len = xid % 7;
		m->body = malloc(8);
		memset(m->body, (int)xid, 8);
		if (with_bulk) {
			m->h.bulk_len = BULK;
			m->iov = calloc(2, sizeof(*m->iov));
			m->iov[0] = (struct iovec){bulk, 1000};
			m->iov[1] = (struct iovec){bulk + 1000, BULK - 1000};
			m->iov_n = 2;
		}
		m->owner = e;
		m->done = sent;
		net_send(e->c, m);
	}
}

static void all_steps(void)
{
	while (sim_step())
		;
}

static void connect_client(void)
{
	struct nid to;

	sim_net_nid(SERVER_NODE, PORT, &to);
	assert_int_equal(net_connect(cl, &to, &ops, &client, &client.c), 0);
}

static int setup(void **state)
{
	struct nid at;
	char why[256];

	(void)state;
	sim_begin(1);
	sim_net_begin();
	memset(&client, 0, sizeof(client));
	memset(&server, 0, sizeof(server));
	sim_set_node(CLIENT_NODE);
	assert_int_equal(loop_create(&cl), 0);
	sim_set_node(SERVER_NODE);
	assert_int_equal(loop_create(&sl), 0);
	assert_int_equal(nid_parse("0.0.0.0@tcp:990", 1, &at, why, sizeof(why)), 0);
	assert_int_equal(net_listen(sl, &at, take, &server, &listener), 0);
	bulk = malloc(BULK);
	for (int i = 0; i < BULK; i++)
		bulk[i] = (uint8_t)(i * 7 + i / 256);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (client.c)
		net_close(client.c, 0);
	if (server.c)
		net_close(server.c, 0);
	all_steps();
	net_unlisten(listener);
	free(bulk);
	loop_destroy(cl);
	loop_destroy(sl);
	sim_net_end();
	sim_end();
	return 0;
}

static void messages_arrive_whole_and_in_order(void **state)
{
	(void)state;
	connect_client();
	all_steps();
	assert_true(client.connected && client.connect_rc == 0);
	send_n(&client, NMSG, 0, false);
	send_n(&server, NMSG, 0, true);
	assert_true(net_unsent(server.c) > (uint64_t)NMSG * BULK);
	all_steps();
	assert_int_equal(server.got, NMSG);
	assert_int_equal(client.got, NMSG);
	assert_int_equal(client.got_bulk, (uint64_t)NMSG * BULK);
	assert_int_equal(client.sent, NMSG);
	assert_int_equal(net_unsent(server.c), 0);
}

static void nobody_listens(void **state)
{
	struct nid to;

	(void)state;
	sim_net_nid(SERVER_NODE, PORT + 1, &to);
	assert_int_equal(net_connect(cl, &to, &ops, &client, &client.c), 0);
	all_steps();
	assert_true(client.connected && !client.closed);
	assert_int_equal(client.connect_rc, -ECONNREFUSED);
}

static void a_refused_connection_closes(void **state)
{
	(void)state;
	server.refuse = true;
	connect_client();
	all_steps();
	assert_true(client.connected && client.connect_rc == 0 && client.closed);
}

static void close_is_seen_after_what_was_sent(void **state)
{
	(void)state;
	connect_client();
	all_steps();
	send_n(&client, NMSG, 0, false);
	while (client.sent < NMSG)
		sim_step();
	net_close(client.c, 0);
	all_steps();
	assert_int_equal(server.got, NMSG);
	assert_true(server.closed && client.closed);
	assert_int_equal(client.close_rc, 0);
}

static void closing_gives_queued_messages_back(void **state)
{
	(void)state;
	connect_client();
	all_steps();
	send_n(&client, NMSG, 0, true);
	net_close(client.c, -ETIMEDOUT);
	all_steps();
	assert_true(client.failed > 0);
	assert_int_equal(client.failed + client.sent, NMSG);
	assert_int_equal(client.close_rc, -ETIMEDOUT);
}

static void a_connection_that_breaks_tells_both_ends(void **state)
{
	(void)state;
	connect_client();
	all_steps();
	send_n(&client, NMSG, 0, true);
	while (server.got < 3)
		sim_step();
	assert_true(sim_net_drop(0));
	all_steps();
	assert_true(client.closed && server.closed);
	assert_int_equal(client.close_rc, -ECONNRESET);
	assert_true(server.got < NMSG);
	assert_int_equal(client.failed + client.sent, NMSG);
}

static void who_does_not_read_stops_the_sender(void **state)
{
	(void)state;
	connect_client();
	all_steps();
	net_stop(server.c);
	net_stop(server.c);
	send_n(&client, NMSG, 0, true);
	all_steps();
	assert_int_equal(server.begun, 0);
	assert_true(client.sent < NMSG && net_unsent(client.c) > 0);
	net_resume(server.c);
	all_steps();
	assert_int_equal(server.begun, 0);
	net_resume(server.c);
	all_steps();
	assert_int_equal(server.got, NMSG);
	assert_int_equal(net_unsent(client.c), 0);
}

static void no_memory_for_bulk_waits_for_resume(void **state)
{
	(void)state;
	connect_client();
	all_steps();
	server.want_again = 1;
	send_n(&client, 2, 0, true);
	all_steps();
	assert_int_equal(server.begun, 1);
	assert_int_equal(server.got, 0);
	net_resume(server.c);
	all_steps();
	assert_int_equal(server.got, 2);
}

static void a_partition_holds_messages_until_it_heals(void **state)
{
	(void)state;
	connect_client();
	all_steps();
	sim_net_partition(CLIENT_NODE, SERVER_NODE, true);
	send_n(&client, 3, 0, false);
	sim_run_for(NSEC_PER_SEC);
	assert_int_equal(server.got, 0);
	sim_net_partition(CLIENT_NODE, SERVER_NODE, false);
	all_steps();
	assert_int_equal(server.got, 3);
	assert_false(client.closed);
}

static void connecting_over_a_partition_times_out(void **state)
{
	(void)state;
	sim_net_partition(CLIENT_NODE, SERVER_NODE, true);
	connect_client();
	all_steps();
	assert_true(client.connected);
	assert_int_equal(client.connect_rc, -ETIMEDOUT);
}

static struct end moved;

static void arrive(void *arg)
{
	(void)arg;
	moved.c = server.c;
	moved.next_xid = server.next_xid;
	server.c = NULL;
	net_set_ops(moved.c, &ops, &moved);
}

static void a_moved_connection_goes_on_at_the_other_loop(void **state)
{
	struct loop *other;
	struct loop_work then = {.fn = arrive};

	(void)state;
	memset(&moved, 0, sizeof(moved));
	assert_int_equal(loop_create(&other), 0);
	connect_client();
	all_steps();
	send_n(&client, NMSG, 0, false);
	while (server.got < 10)
		sim_step();
	net_move(server.c, other, &then);
	all_steps();
	assert_int_equal(server.got, 10);
	assert_int_equal(moved.got, NMSG - 10);
	net_close(moved.c, 0);
	all_steps();
	assert_true(moved.closed);
	loop_destroy(other);
}

static void an_address_in_use_is_refused(void **state)
{
	struct net_listener *second;
	struct nid at;

	(void)state;
	net_listener_local(listener, &at);
	assert_int_equal(nid_port(&at), PORT);
	assert_int_equal(net_listen(sl, &at, take, &server, &second), -EADDRINUSE);
	assert_int_equal(net_listen(cl, &at, take, &server, &second), -EADDRNOTAVAIL);
	nid_set_port(&at, 0);
	assert_int_equal(net_listen(sl, &at, take, &server, &second), 0);
	net_unlisten(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(messages_arrive_whole_and_in_order),
		T(nobody_listens),
		T(a_refused_connection_closes),
		T(close_is_seen_after_what_was_sent),
		T(closing_gives_queued_messages_back),
		T(a_connection_that_breaks_tells_both_ends),
		T(who_does_not_read_stops_the_sender),
		T(no_memory_for_bulk_waits_for_resume),
		T(a_partition_holds_messages_until_it_heals),
		T(connecting_over_a_partition_times_out),
		T(a_moved_connection_goes_on_at_the_other_loop),
		T(an_address_in_use_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
