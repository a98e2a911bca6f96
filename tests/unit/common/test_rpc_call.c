/* SPDX-License-Identifier: Apache-2.0 */
/* test_rpc_call.c - calls over a transport that does things in the order that the test wants. */
#include "common/limits.h"
#include "common/rpc.h"
#include "common/rpc_msg.h"
#include "tests/unit/unit.h"

#define CHECK_RC(expr, want) assert_int_equal(expr, want)

/* ---- the transport: one connection; what is sent waits for the test ---- */

struct net_conn {
	struct loop *l;
	const struct net_ops *ops;
	void *arg;
	struct loop_work work;
	bool closing;
};

static struct net_conn conn;
static uint32_t timeo_ms; /* of the import; with it messages leave at once */
static struct msg *last_sent, *all_sent[256];
static struct co_waitq sent_q;
static uint32_t nsent;

static void connected(void *arg)
{
	(void)arg;
	conn.ops->on_connect(conn.arg, &conn, 0);
}

static void closed(void *arg)
{
	(void)arg;
	conn.ops->on_close(conn.arg, &conn, 0);
}

int net_connect(struct loop *l, const struct nid *to, const struct net_ops *ops, void *arg,
		struct net_conn **out)
{
	(void)to;
	conn = (struct net_conn){.l = l, .ops = ops, .arg = arg, .work = {.fn = connected}};
	loop_defer(l, &conn.work);
	*out = &conn;
	return 0;
}

void net_send(struct net_conn *c, struct msg *m)
{
	(void)c;
	last_sent = m;
	assert_true(nsent < ARRAY_SIZE(all_sent));
	all_sent[nsent] = m;
	nsent++;
	if (timeo_ms)
		m->done(m, 0);
	co_wake_all(&sent_q);
}

void net_close(struct net_conn *c, int rc)
{
	(void)rc;
	if (c->closing)
		return;
	c->closing = true;
	c->work = (struct loop_work){.fn = closed};
	loop_defer(c->l, &c->work);
}

const char *net_peer(const struct net_conn *c)
{
	(void)c;
	return "peer";
}

void net_local(const struct net_conn *c, struct nid *out)
{
	(void)c;
	*out = (struct nid){.addr_len = 0};
}

/* The message that was sent n-th. */
static struct msg *co_sent(uint32_t n)
{
	while (nsent < n)
		CHECK_RC(co_wait(&sent_q, loop_now(conn.l) + 5 * NSEC_PER_SEC), 0);
	return last_sent;
}

static void reply(const struct wire_hdr *to, int status, struct span body)
{
	struct wire_hdr h = {
		.version = WIRE_VERSION,
		.rpc = to->rpc,
		.flags = WIRE_REPLY,
		.xid = to->xid,
		.status = status,
		.body_len = body.len,
		.boot_id = 1,
	};
	struct msg *m = conn.ops->get_msg(conn.arg, &conn, &h);

	assert_non_null(m);
	m->h = h;
	m->iov = NULL;
	m->iov_n = 0;
	if (body.len)
		memcpy(m->body, body.ptr, body.len);
	conn.ops->on_msg(conn.arg, &conn, m);
}

/* ---- the fixture: an import that is connected ---- */

static struct loop *l;
static struct rpc_import *imp;
static int call_rc;
static bool call_over;
static uint32_t nclosed;

static void co_answer_connect_again(struct msg *m)
{
	struct any_connect_rep p = {
		.version = WIRE_VERSION, .session = 7, .epoch = 1, .boot_id = 1, .ping_ms = 1000};
	struct wire_hdr h = m->h;
	struct wbuf w;

	wbuf_init(&w, MAX_BODY);
	any_connect_desc.rep_enc(&w, &p);
	m->done(m, 0);
	reply(&h, 0, wbuf_span(&w));
	wbuf_fini(&w);
	CHECK_RC(rpc_import_co_wait(imp, 5000), 0);
}

static void co_answer_connect(void)
{
	co_answer_connect_again(co_sent(1));
}

static void call_write(void *arg)
{
	struct oss_write_req q = {.fid = {0x200000401, 7, 0}};
	char data[] = "data";
	struct iovec iov = {data, 4};
	struct oss_write_rep p;
	RPC_CALL(call);

	(void)arg;
	call.out = &iov;
	call.out_n = 1;
	call_rc = oss_co_write(imp, &call, &q, &p);
	call_over = true;
}

static void co_destroy(void)
{
	rpc_import_co_destroy(imp, 0);
	loop_stop(l);
}

static struct rpc_note notes[SESSION_SLOTS], claims[SESSION_SLOTS];
static uint32_t nclaims;
static bool soft;

static void run(loop_fn *body)
{
	struct rpc_client_cfg client = {.kind = PEER_CLIENT, .name = "test"};
	struct rpc_import_cfg cfg = {.client = &client,
				     .target = "t-OST0000",
				     .nids = {.n = 1},
				     .notes = notes,
				     .claims = claims,
				     .nclaims = nclaims,
				     .timeo_ms = timeo_ms,
				     .soft = soft};

	nsent = 0;
	nclosed = 0;
	call_over = false;
	co_waitq_init(&sent_q);
	CHECK_RC(loop_create(&l), 0);
	client.loop = l;
	CHECK_RC(rpc_import_create(&cfg, &imp), 0);
	CHECK_RC(fiber_spawn(l, body, NULL), 0);
	loop_run(l);
	rpc_frame_drain();
	loop_destroy(l);
}

/* The request has left, and this is what comes back. */
static void answer_with(struct msg *m, int status)
{
	struct wire_hdr h = m->h;

	m->done(m, 0);
	reply(&h, status, SPAN_NONE);
}

/* ---- tests ---- */

static void b_early_refusal(void *arg)
{
	struct wire_hdr h;
	struct msg *m;

	(void)arg;
	co_answer_connect();
	CHECK_RC(fiber_spawn(l, call_write, NULL), 0);
	m = co_sent(2);
	h = m->h;
	reply(&h, -EBADMSG, SPAN_NONE); /* before the transport has said that the request left */
	assert_int_equal(nsent, 2);
	m->done(m, 0);
	m = co_sent(3);
	assert_int_equal(m->h.xid, h.xid);
	assert_true(m->h.flags & WIRE_RESENT);
	assert_int_equal(nsent, 3); /* once, not each time */
	answer_with(m, -ENOSPC);
	while (!call_over)
		co_yield();
	assert_int_equal(call_rc, -ENOSPC);
	co_destroy();
}

static void bulk_refused_before_it_is_known_to_have_left_is_sent_again(void **state)
{
	(void)state;
	run(b_early_refusal);
}

/* ---- requests that wait for company ---- */

static void call_close(void *arg)
{
	struct mds_close_req q = {.fid = {0x200000401, 7, 0}};
	struct mds_close_rep p;
	RPC_CALL(call);

	call.deadline_ms = (uint32_t)(uintptr_t)arg;
	call_rc = mds_co_close(imp, &call, &q, &p);
	nclosed++;
}

static void call_getattr(void *arg)
{
	struct mds_getattr_req q = {.fid = {0x200000401, 7, 0}};
	struct mds_getattr_rep p;
	RPC_CALL(call);

	(void)arg;
	call_rc = mds_co_getattr(imp, &call, &q, &p);
	call_over = true;
}

static void answer(struct msg *m)
{
	answer_with(m, -ENOENT);
}

static void b_ride(void *arg)
{
	struct msg *close;

	(void)arg;
	co_answer_connect();
	CHECK_RC(fiber_spawn(l, call_close, NULL), 0);
	co_yield();
	assert_int_equal(nsent, 1); /* it waits */
	CHECK_RC(fiber_spawn(l, call_getattr, NULL), 0);
	co_yield();
	assert_int_equal(nsent, 3);
	close = all_sent[1];
	assert_int_equal(close->h.rpc, RPC_mds_close); /* in front of the one that it waited for */
	assert_int_equal(last_sent->h.rpc, RPC_mds_getattr);
	answer(close);
	answer(last_sent);
	while (!call_over || nclosed < 1)
		co_yield();
	CHECK_RC(fiber_spawn(l, call_close, NULL), 0);
	answer(co_sent(4)); /* alone, after a while */
	while (nclosed < 2)
		co_yield();
	co_destroy();
}

static void a_close_leaves_with_the_next_request_or_soon(void **state)
{
	(void)state;
	run(b_ride);
}

static void b_ride_slots(void *arg)
{
	uint32_t i, n = SESSION_SLOTS; /* one too many: the last is not for them */

	(void)arg;
	co_answer_connect();
	for (i = 0; i < n; i++)
		CHECK_RC(fiber_spawn(l, call_close, NULL), 0);
	co_yield();
	assert_int_equal(nsent, n); /* those with slots do not wait for slots */
	for (i = 1; i < n; i++)
		answer(all_sent[i]);
	answer(co_sent(1 + n));
	while (nclosed < n)
		co_yield();
	co_destroy();
}

static void closes_that_wait_do_not_keep_slots_from_others(void **state)
{
	(void)state;
	run(b_ride_slots);
}

static void b_ride_lost(void *arg)
{
	struct nid_list again = {.n = 1};
	struct msg *m;

	(void)arg;
	co_answer_connect();
	CHECK_RC(fiber_spawn(l, call_close, NULL), 0);
	co_yield();
	net_close(&conn, -ECONNRESET);
	while (rpc_import_state(imp) != IMP_DISCONN)
		co_yield();
	rpc_import_set_nids(imp, &again, 0); /* tries at once, while the close still waits */
	m = co_sent(2);
	assert_int_equal(m->h.rpc, RPC_any_connect); /* and nothing in front of it */
	co_answer_connect_again(m);
	m = co_sent(3);
	assert_int_equal(m->h.rpc, RPC_mds_close);
	assert_false(m->h.flags & WIRE_RESENT);
	answer(m);
	while (nclosed < 1)
		co_yield();
	co_destroy();
}

static void a_close_that_waits_outlives_the_connection(void **state)
{
	(void)state;
	run(b_ride_lost);
}

static void b_ride_timeout(void *arg)
{
	(void)arg;
	co_answer_connect();
	CHECK_RC(fiber_spawn(l, call_close, (void *)(uintptr_t)1), 0);
	while (nclosed < 1)
		co_yield();
	assert_int_equal(call_rc, -ETIMEDOUT);
	CHECK_RC(fiber_spawn(l, call_close, NULL), 0); /* on the same stack */
	answer(co_sent(2));
	while (nclosed < 2)
		co_yield();
	co_sleep(50 * NSEC_PER_MSEC);
	assert_int_equal(nsent, 2); /* nobody sends what is over */
	co_destroy();
}

static void a_close_that_timed_out_while_it_waited_is_not_sent(void **state)
{
	(void)state;
	run(b_ride_timeout);
}

static void b_refused_each_time(void *arg)
{
	(void)arg;
	co_answer_connect();
	CHECK_RC(fiber_spawn(l, call_write, NULL), 0);
	for (uint32_t n = 2; !call_over; n++) {
		answer_with(co_sent(n), -EBADMSG);
		co_yield();
		assert_true(n < 10);
	}
	assert_int_equal(call_rc, -EBADMSG);
	co_destroy();
}

static void bulk_refused_each_time_is_an_error(void **state)
{
	(void)state;
	run(b_refused_each_time);
}

static bool is_open(void *arg, uint64_t tag)
{
	return tag == *(uint64_t *)arg;
}

static void call_close_for(void *arg)
{
	fiber_set_tag(*(uint64_t *)arg);
	call_close(NULL);
}

static void b_claim(void *arg)
{
	uint64_t five = 5, six = 6;
	struct msg *m;

	(void)arg;
	co_answer_connect();
	CHECK_RC(fiber_spawn(l, call_close_for, &six), 0);
	m = co_sent(2); /* nothing was sent for that */
	assert_int_equal(m->h.slot, 3);
	assert_int_equal(notes[2].tag, 6);
	assert_int_equal(notes[2].xid, m->h.xid);
	answer(m);
	CHECK_RC(fiber_spawn(l, call_close_for, &five), 0);
	m = co_sent(3);
	assert_int_equal(m->h.slot, 2);
	assert_int_equal(m->h.xid, 77);
	assert_true(m->h.flags & WIRE_RESENT);
	answer(m);
	CHECK_RC(fiber_spawn(l, call_close_for, &five), 0);
	m = co_sent(4); /* another one for the same is another one */
	assert_int_equal(m->h.slot, 3);
	assert_false(m->h.flags & WIRE_RESENT);
	answer(m);
	rpc_import_settle(imp, is_open, &five);
	CHECK_RC(fiber_spawn(l, call_close_for, &six), 0);
	m = co_sent(5); /* the first slot is free now, the second is not */
	assert_int_equal(m->h.slot, 1);
	answer(m);
	while (nclosed < 4)
		co_yield();
	co_destroy();
}

static void what_another_process_sent_is_sent_again_and_not_anew(void **state)
{
	(void)state;
	claims[0] = (struct rpc_note){.tag = 4, .xid = 76, .nr = RPC_mds_close};
	claims[1] = (struct rpc_note){.tag = 5, .xid = 77, .nr = RPC_mds_close};
	nclaims = SESSION_SLOTS;
	run(b_claim);
	nclaims = 0;
}

/* ---- servers that are silent ---- */

enum { TIMEO_MS = 150 };

static uint32_t npings;

/* Answers what it is asked by whoever looks whether it is there, for so long. */
static void co_answer_pings(uint32_t ms)
{
	uint64_t until = loop_now(l) + ms * NSEC_PER_MSEC;
	uint32_t n = nsent;

	while (loop_now(l) < until && !call_over) {
		if (co_wait(&sent_q, until))
			break;
		for (; n < nsent; n++)
			if (all_sent[n]->h.rpc == RPC_any_ping) {
				npings++;
				answer_with(all_sent[n], 0);
			}
	}
}

static void call_setattr(void *arg)
{
	struct mds_setattr_req q = {.fid = {0x200000401, 7, 0}};
	struct mds_setattr_rep p;
	RPC_CALL(call);

	call.flags = (uint32_t)(uintptr_t)arg;
	call_rc = mds_co_setattr(imp, &call, &q, &p);
	call_over = true;
}

static void run_soft(loop_fn *body, bool is_soft)
{
	timeo_ms = TIMEO_MS;
	soft = is_soft;
	npings = 0;
	run(body);
	timeo_ms = 0;
	soft = false;
}

static void b_soft_silent(void *arg)
{
	uint64_t begin;

	(void)arg;
	co_answer_connect();
	begin = loop_clock(l);
	CHECK_RC(fiber_spawn(l, call_getattr, NULL), 0);
	(void)co_sent(2);
	assert_false(conn.closing);
	while (!call_over)
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(call_rc, -EIO);
	assert_true(loop_clock(l) - begin >= TIMEO_MS * NSEC_PER_MSEC);
	assert_true(conn.closing); /* its late copy must not be executed */
	co_destroy();
}

static void a_soft_call_of_a_silent_server_ends_with_an_error(void **state)
{
	(void)state;
	run_soft(b_soft_silent, true);
}

static void b_soft_busy(void *arg)
{
	struct msg *m;

	(void)arg;
	co_answer_connect();
	CHECK_RC(fiber_spawn(l, call_getattr, NULL), 0);
	m = co_sent(2);
	co_answer_pings(4 * TIMEO_MS);
	assert_true(npings > 4);
	assert_false(call_over);
	assert_true(rpc_import_silent_ns(imp) < TIMEO_MS * NSEC_PER_MSEC);
	answer_with(m, -ENOENT);
	while (!call_over)
		co_yield();
	assert_int_equal(call_rc, -ENOENT);
	assert_int_equal(rpc_import_silent_ns(imp), 0);
	co_destroy();
}

static void a_server_that_answers_pings_may_take_its_time(void **state)
{
	(void)state;
	run_soft(b_soft_busy, true);
}

static void b_soft_change(void *arg)
{
	struct msg *m;

	(void)arg;
	co_answer_connect();
	CHECK_RC(fiber_spawn(l, call_setattr, NULL), 0);
	m = co_sent(2);
	co_sleep(3 * TIMEO_MS * NSEC_PER_MSEC);
	assert_false(call_over);
	assert_true(rpc_import_silent_ns(imp) >= 3 * TIMEO_MS * NSEC_PER_MSEC);
	answer_with(m, -ENOENT);
	while (!call_over)
		co_yield();
	assert_int_equal(call_rc, -ENOENT);
	co_destroy();
}

static void a_change_that_was_sent_is_waited_for(void **state)
{
	(void)state;
	run_soft(b_soft_change, true);
}

static void b_soft_unsent(void *arg)
{
	(void)arg; /* connect is never answered */
	CHECK_RC(fiber_spawn(l, call_setattr, NULL), 0);
	while (!call_over)
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(call_rc, -EIO);
	call_over = false;
	CHECK_RC(fiber_spawn(l, call_setattr, (void *)(uintptr_t)RPC_CALL_HARD), 0);
	co_sleep(3 * TIMEO_MS * NSEC_PER_MSEC);
	assert_false(call_over);
	co_destroy();
}

static void a_change_that_was_never_sent_ends_unless_it_was_promised(void **state)
{
	(void)state;
	run_soft(b_soft_unsent, true);
}

static void b_soft_slots(void *arg)
{
	uint32_t i;

	(void)arg;
	co_answer_connect();
	for (i = 1; i < SESSION_SLOTS; i++)
		CHECK_RC(fiber_spawn(l, call_setattr, (void *)(uintptr_t)RPC_CALL_HARD), 0);
	co_yield();
	call_over = false;
	CHECK_RC(fiber_spawn(l, call_setattr, NULL), 0); /* there is no slot left */
	while (!call_over)
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(call_rc, -EIO);
	co_destroy();
}

static void a_wait_for_a_slot_ends_too(void **state)
{
	(void)state;
	run_soft(b_soft_slots, true);
}

static void b_hard(void *arg)
{
	struct msg *m;

	(void)arg;
	co_answer_connect();
	CHECK_RC(fiber_spawn(l, call_getattr, NULL), 0);
	m = co_sent(2);
	co_sleep(3 * TIMEO_MS * NSEC_PER_MSEC);
	assert_false(call_over);
	answer_with(m, -ENOENT);
	while (!call_over)
		co_yield();
	assert_int_equal(call_rc, -ENOENT);
	co_destroy();
}

static void a_hard_call_waits_for_ever(void **state)
{
	(void)state;
	run_soft(b_hard, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bulk_refused_before_it_is_known_to_have_left_is_sent_again),
		cmocka_unit_test(bulk_refused_each_time_is_an_error),
		cmocka_unit_test(what_another_process_sent_is_sent_again_and_not_anew),
		cmocka_unit_test(a_close_leaves_with_the_next_request_or_soon),
		cmocka_unit_test(closes_that_wait_do_not_keep_slots_from_others),
		cmocka_unit_test(a_close_that_waits_outlives_the_connection),
		cmocka_unit_test(a_close_that_timed_out_while_it_waited_is_not_sent),
		cmocka_unit_test(a_soft_call_of_a_silent_server_ends_with_an_error),
		cmocka_unit_test(a_server_that_answers_pings_may_take_its_time),
		cmocka_unit_test(a_change_that_was_sent_is_waited_for),
		cmocka_unit_test(a_change_that_was_never_sent_ends_unless_it_was_promised),
		cmocka_unit_test(a_wait_for_a_slot_ends_too),
		cmocka_unit_test(a_hard_call_waits_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
