/* SPDX-License-Identifier: Apache-2.0 */
/* test_rpc.c - imports and services against each other over real loopback connections. */
#include "common/log.h"
#include "common/param.h"
#include "common/rpc.h"
#include "common/rpc_msg.h"
#include "common/rpc_server.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define CHECK_RC(expr, want) assert_int_equal((expr), (want))

/* ---- a little server ---- */

struct fixture {
	struct loop *l;
	struct rpc_service *svc;
	struct rpc_service_cfg cfg;
	struct rpc_client_cfg client;
	struct rpc_import *imp;
	struct nid_list nids;
	uint8_t bulk_mem[MAX_BULK];
	struct iovec bulk_iov;
	bool bulk_busy;
	uint32_t bulk_refused;
	uint32_t executed;     /* setattr handlers run */
	uint32_t replays;
	uint32_t closed, evicted, restarts;
	void (*reclaim)(struct fixture *f, struct rpc_import *imp);
	struct co_waitq park;  /* lookup waits here */
	uint64_t slot_xid[256];
	struct wbuf slot_body[256];
	bool drop_reply;	/* close the connection instead of answering */
	struct rpc_op *held;	/* by the gate */
	bool hold;
};

static struct fixture *fx;

static int h_getattr(struct rpc_op *op, const void *q, void *p)
{
	const struct mds_getattr_req *req = q;
	struct mds_getattr_rep *rep = p;

	(void)op;
	if (req->fid.oid == 404)
		return -ENOENT;
	rep->attr.size = req->fid.oid;
	rep->layout = SPAN_STR("layout");
	return 0;
}

static int h_setattr(struct rpc_op *op, const void *q, void *p)
{
	const struct mds_setattr_req *req = q;
	struct mds_setattr_rep *rep = p;

	(void)op;
	fx->executed++;
	rep->attr.size = req->size + fx->executed;
	return 0;
}

static int h_lookup(struct rpc_op *op, const void *q, void *p)
{
	(void)op, (void)q, (void)p;
	return co_wait(&fx->park, 0);
}

static int h_read(struct rpc_op *op, const void *q, void *p)
{
	const struct oss_read_req *req = q;

	(void)p;
	for (uint32_t i = 0; i < req->len; i++)
		fx->bulk_mem[i] = (uint8_t)(req->off + i);
	fx->bulk_iov = (struct iovec){fx->bulk_mem, req->len};
	op->out = &fx->bulk_iov;
	op->out_n = 1;
	return 0;
}

static int h_write(struct rpc_op *op, const void *q, void *p)
{
	const struct oss_write_req *req = q;
	struct oss_write_rep *rep = p;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < op->in_n; i++)
		for (size_t k = 0; k < op->in[i].iov_len; k++)
			sum += ((uint8_t *)op->in[i].iov_base)[k];
	rep->size = req->off + op->in_len;
	rep->blocks = sum;
	return 0;
}

static int bulk_get(void *arg, uint32_t len, struct iovec **iov, uint32_t *n, void **cookie)
{
	struct fixture *f = arg;

	if (f->bulk_busy) {
		f->bulk_refused++;
		return -EAGAIN;
	}
	f->bulk_busy = true;
	f->bulk_iov = (struct iovec){f->bulk_mem, len};
	*iov = &f->bulk_iov;
	*n = 1;
	*cookie = f;
	return 0;
}

static void bulk_put(void *arg, void *cookie)
{
	struct fixture *f = arg;

	assert_ptr_equal(f, cookie);
	f->bulk_busy = false;
	rpc_service_bulk_ready(f->svc);
}

static int replay_find(void *arg, struct rpc_op *op, int32_t *status, struct span *body)
{
	struct fixture *f = arg;

	if (f->slot_xid[op->hdr->slot] != op->hdr->xid)
		return 0;
	*status = 0;
	*body = wbuf_span(&f->slot_body[op->hdr->slot]);
	return 1;
}

static int replay_store(void *arg, struct rpc_op *op, int32_t status, struct span body)
{
	struct fixture *f = arg;
	struct wbuf *w = &f->slot_body[op->hdr->slot];

	(void)status;
	wbuf_fini(w);
	wbuf_init(w, MAX_BODY);
	wbuf_put(w, body.ptr, body.len);
	f->slot_xid[op->hdr->slot] = op->hdr->xid;
	return 0;
}

static bool gate(void *arg, struct rpc_op *op)
{
	struct fixture *f = arg;

	if (!f->hold)
		return false;
	f->held = op;
	return true;
}

static void session_close(void *arg, struct rpc_session *s, bool evicted)
{
	struct fixture *f = arg;

	(void)s;
	f->closed++;
	f->evicted += evicted;
}

/* Changes up to this number were made in an earlier life. */
enum { MADE_BEFORE = 100 };

static int admit(void *arg, struct rpc_op *op)
{
	const struct mds_setattr_rep *was = op->replayed;
	struct fixture *f = arg;

	if (!was)
		return 0;
	f->replays++;
	assert_int_equal(was->attr.size, 4711);
	return op->hdr->transno <= MADE_BEFORE;
}

static const struct rpc_service_ops ops = {
	.co_admit = admit,
	.session_co_close = session_close,
	.replay_find = replay_find,
	.replay_store = replay_store,
	.gate = gate,
	.bulk_get = bulk_get,
	.bulk_put = bulk_put,
};

static const struct rpc_handler handlers[] = {
	{RPC_mds_getattr, h_getattr}, {RPC_mds_setattr, h_setattr}, {RPC_mds_lookup, h_lookup},
	{RPC_oss_read, h_read},	      {RPC_oss_write, h_write},
};

static void on_restart(void *arg, struct rpc_import *imp, bool evicted)
{
	struct fixture *f = arg;

	(void)evicted;
	f->restarts++;
	if (f->reclaim)
		f->reclaim(f, imp);
}

static void serve(struct fixture *f, uint64_t boot_id)
{
	struct nid at;
	char why[128];

	f->cfg = (struct rpc_service_cfg){
		.loop = f->l,
		.name = "t-MDT0000",
		.handlers = handlers,
		.nhandlers = ARRAY_SIZE(handlers),
		.ops = &ops,
		.arg = f,
		.boot_id = boot_id,
		.session_timeout_ms = 200,
	};
	CHECK_RC(rpc_service_create(&f->cfg, &f->svc), 0);
	if (f->nids.n) {
		at = f->nids.nid[0];
	} else {
		CHECK_RC(nid_parse("127.0.0.1@tcp", 1, &at, why, sizeof(why)), 0);
		nid_set_port(&at, 0);
	}
	CHECK_RC(rpc_service_listen(f->svc, &at), 0);
	rpc_service_local(f->svc, &f->nids.nid[0]);
	f->nids.n = 1;
}

static void stop_serving(struct fixture *f)
{
	rpc_service_co_stop(f->svc, 50);
	rpc_service_destroy(f->svc);
	f->svc = NULL;
}

static void join_as(struct fixture *f, const char *target, struct rpc_import **imp)
{
	struct rpc_import_cfg cfg = {
		.client = &f->client,
		.target = target,
		.nids = f->nids,
		.on_restart = on_restart,
		.arg = f,
	};

	CHECK_RC(rpc_import_create(&cfg, imp), 0);
}

typedef void test_fn(struct fixture *f);

static void run_fiber(void *arg)
{
	test_fn *fn = *(test_fn **)arg;

	serve(fx, 1);
	join_as(fx, "t-MDT0000", &fx->imp);
	CHECK_RC(rpc_import_co_wait(fx->imp, 5000), 0);
	fn(fx);
	if (fx->imp)
		rpc_import_co_destroy(fx->imp, 1000);
	if (fx->svc)
		stop_serving(fx);
	loop_stop(fx->l);
}

static void run(test_fn *fn)
{
	fx = calloc(1, sizeof(*fx));
	CHECK_RC(loop_create(&fx->l), 0);
	co_waitq_init(&fx->park);
	fx->client = (struct rpc_client_cfg){.loop = fx->l, .kind = PEER_CLIENT, .name = "test"};
	memset(fx->client.uuid, 7, UUID_LEN);
	CHECK_RC(fiber_spawn(fx->l, run_fiber, &fn), 0);
	loop_run(fx->l);
	for (size_t i = 0; i < ARRAY_SIZE(fx->slot_body); i++)
		wbuf_fini(&fx->slot_body[i]);
	loop_destroy(fx->l);
	free(fx);
	fiber_pool_drain();
	rpc_frame_drain();
}

/* ---- tests ---- */

static struct fid fid_of(uint32_t oid)
{
	return (struct fid){FID_SEQ_NORMAL + 1, oid, 0};
}

static int getattr(struct rpc_import *imp, uint32_t oid, uint64_t *size)
{
	struct mds_getattr_req q = {.fid = fid_of(oid)};
	struct mds_getattr_rep p;
	RPC_CALL(call);
	int rc = mds_co_getattr(imp, &call, &q, &p);

	if (rc == 0) {
		*size = p.attr.size;
		assert_true(span_eq(p.layout, SPAN_STR("layout")));
	}
	return rc;
}

static uint64_t replied; /* the session that the last reply of a setattr belongs to */

static int setattr(struct rpc_import *imp, uint64_t size, uint64_t *got)
{
	struct mds_setattr_req q = {.fid = fid_of(1), .size = size};
	struct mds_setattr_rep p;
	RPC_CALL(call);
	int rc = mds_co_setattr(imp, &call, &q, &p);

	if (rc == 0)
		*got = p.attr.size;
	replied = call.hdr.session;
	return rc;
}

static void t_basic(struct fixture *f)
{
	uint64_t size = 0;

	CHECK_RC(getattr(f->imp, 5, &size), 0);
	assert_int_equal(size, 5);
	CHECK_RC(getattr(f->imp, 404, &size), -ENOENT);
	assert_int_equal(rpc_import_stats(f->imp)[RPC_mds_getattr].n, 2);
	assert_int_equal(rpc_service_stats(f->svc)[RPC_mds_getattr].n, 2);
}

static void a_call_returns_the_reply_or_its_status(void **state)
{
	(void)state;
	run(t_basic);
}

static void t_unknown_rpc(struct fixture *f)
{
	struct mds_readlink_req q = {.fid = fid_of(1)};
	struct mds_readlink_rep p;
	RPC_CALL(call);

	CHECK_RC(mds_co_readlink(f->imp, &call, &q, &p), -EOPNOTSUPP);
}

static void an_rpc_without_handler_is_refused(void **state)
{
	(void)state;
	run(t_unknown_rpc);
}

static void t_bulk(struct fixture *f)
{
	struct oss_read_req q = {.fid = fid_of(1), .off = 3, .len = 100000};
	struct oss_read_rep p;
	struct oss_write_req wq = {.fid = fid_of(1), .off = 10};
	struct oss_write_rep wp;
	static uint8_t a[60000], b[60000];
	struct iovec in[] = {{a, sizeof(a)}, {b, sizeof(b)}};
	uint64_t sum = 0;

	{
		RPC_CALL(call);

		call.in = in;
		call.in_n = 2;
		CHECK_RC(oss_co_read(f->imp, &call, &q, &p), 0);
		assert_int_equal(call.in_len, 100000);
	}
	for (uint32_t i = 0; i < 100000; i++) {
		uint8_t got = i < sizeof(a) ? a[i] : b[i - sizeof(a)];

		assert_int_equal(got, (uint8_t)(3 + i));
		sum += got;
	}
	in[1].iov_len = 40000;
	RPC_CALL(call);
	call.out = in;
	call.out_n = 2;
	CHECK_RC(oss_co_write(f->imp, &call, &wq, &wp), 0);
	assert_int_equal(wp.size, 100010);
	assert_int_equal(wp.blocks, sum);
	assert_false(f->bulk_busy);
}

static void bulk_data_goes_both_ways_scattered(void **state)
{
	(void)state;
	run(t_bulk);
}

struct many {
	struct rpc_import *imp;
	uint32_t i;
};

static int one_write(void *arg)
{
	struct many *m = arg;
	struct oss_write_req q = {.fid = fid_of(1), .off = m->i};
	struct oss_write_rep p;
	uint8_t *mem = malloc(70000);
	struct iovec iov = {mem, 70000};
	int rc;

	memset(mem, 1, 70000);
	RPC_CALL(call);
	call.out = &iov;
	call.out_n = 1;
	rc = oss_co_write(m->imp, &call, &q, &p);
	free(mem);
	return rc ? rc : p.blocks == 70000 && p.size == m->i + 70000 ? 0 : -EINVAL;
}

static void t_backpressure(struct fixture *f)
{
	struct rpc_import *imps[3];
	struct many m[60];
	struct co_group g = CO_GROUP_INIT;

	for (int i = 0; i < 3; i++)
		join_as(f, "t-MDT0000", &imps[i]);
	for (uint32_t i = 0; i < ARRAY_SIZE(m); i++) {
		m[i] = (struct many){imps[i % 3], i};
		co_spawn(&g, one_write, &m[i]);
	}
	CHECK_RC(co_join(&g), 0);
	for (int i = 0; i < 3; i++)
		rpc_import_co_destroy(imps[i], 1000);
}

static void writers_wait_when_the_server_has_no_bulk_memory(void **state)
{
	(void)state;
	run(t_backpressure);
}

enum { BROKEN_MAX = 4 };

/* Breaks every connection of a service as a network would. The client may be back with a new one
 * before the old ones are gone. */
static void rpc_test_break(struct rpc_service *s)
{
	const struct net_conn *broken[BROKEN_MAX];
	uint32_t n = 0, i;
	struct sconn *c;
	bool left;

	LIST_FOREACH(c, &s->conns, link) {
		assert_true(n < BROKEN_MAX);
		broken[n++] = c->net;
	}
	LIST_FOREACH(c, &s->conns, link)
		net_close(c->net, -ECONNRESET);
	do {
		co_sleep(NSEC_PER_MSEC);
		left = false;
		LIST_FOREACH(c, &s->conns, link)
			for (i = 0; i < n; i++)
				left |= c->net == broken[i];
	} while (left);
}

static int parked_lookup(void *arg)
{
	struct mds_lookup_req q = {.parent = FID_ROOT, .name = SPAN_STR("x")};
	struct mds_lookup_rep p;
	RPC_CALL(call);

	return mds_co_lookup(arg, &call, &q, &p);
}

static void wait_parked(struct fixture *f)
{
	while (co_waitq_empty(&f->park))
		co_sleep(NSEC_PER_MSEC);
}

static void t_resend_running(struct fixture *f)
{
	struct co_group g = CO_GROUP_INIT;
	struct rpc_service *s = f->svc;

	co_spawn(&g, parked_lookup, f->imp);
	wait_parked(f);
	/* The connection breaks meanwhile: the resent request finds the running one. */
	rpc_import_set_nids(f->imp, &f->nids, 0);
	rpc_test_break(s);
	CHECK_RC(rpc_import_co_wait(f->imp, 5000), 0);
	co_sleep(20 * NSEC_PER_MSEC);
	co_wake_all(&f->park);
	CHECK_RC(co_join(&g), 0);
	assert_true(co_waitq_empty(&f->park));
	assert_int_equal(rpc_service_stats(s)[RPC_mds_lookup].n, 1);
}

static void a_request_sent_again_finds_the_one_that_runs(void **state)
{
	(void)state;
	run(t_resend_running);
}

struct set_arg {
	struct rpc_import *imp;
	uint64_t got;
};

static int set_fiber(void *arg)
{
	struct set_arg *a = arg;

	return setattr(a->imp, 100, &a->got);
}

static void t_exactly_once(struct fixture *f)
{
	struct set_arg a = {f->imp, 0};
	struct co_group g = CO_GROUP_INIT;

	/* The gate keeps the reply; the server "dies" before it leaves, and comes again with what
	 * it had stored: the operation must not be executed again. */
	f->hold = true;
	co_spawn(&g, set_fiber, &a);
	while (!f->held)
		co_sleep(NSEC_PER_MSEC);
	f->hold = false;
	rpc_test_break(f->svc);
	rpc_op_reply(f->held, 0);
	CHECK_RC(co_join(&g), 0);
	assert_int_equal(a.got, 101);
	assert_int_equal(f->executed, 1);
	assert_int_equal(replied, 0); /* what it grants is granted no more */
	CHECK_RC(setattr(f->imp, 1, &a.got), 0);
	assert_int_equal(replied, rpc_import_session(f->imp));
}

static void a_modifying_request_is_executed_once(void **state)
{
	(void)state;
	run(t_exactly_once);
}

static void t_restart(struct fixture *f)
{
	uint64_t got;

	CHECK_RC(setattr(f->imp, 1, &got), 0);
	stop_serving(f);
	serve(f, 2);
	CHECK_RC(setattr(f->imp, 1, &got), 0);
	assert_int_equal(got, 3);
	assert_int_equal(f->restarts, 1);
}

static void calls_go_on_after_a_restart_of_the_server(void **state)
{
	(void)state;
	run(t_restart);
}

static void t_deadline(struct fixture *f)
{
	struct mds_lookup_req q = {.parent = FID_ROOT, .name = SPAN_STR("x")};
	struct mds_lookup_rep p;
	uint64_t size;

	{
		RPC_CALL(call);

		call.deadline_ms = 30;
		CHECK_RC(mds_co_lookup(f->imp, &call, &q, &p), -ETIMEDOUT);
	}
	co_wake_all(&f->park); /* the late reply finds nobody */
	CHECK_RC(getattr(f->imp, 9, &size), 0);
}

static void a_call_gives_up_at_its_deadline(void **state)
{
	(void)state;
	run(t_deadline);
}

static void t_wrong_target(struct fixture *f)
{
	struct rpc_import *imp;

	join_as(f, "t-MDT0007", &imp);
	CHECK_RC(rpc_import_co_wait(imp, 5000), -ENODEV);
	rpc_import_co_destroy(imp, 0);
}

static void a_connect_for_another_target_is_refused(void **state)
{
	(void)state;
	run(t_wrong_target);
}

static void t_sessions(struct fixture *f)
{
	assert_int_equal(rpc_service_nsessions(f->svc), 1);
	rpc_import_co_destroy(f->imp, 1000);
	f->imp = NULL;
	while (rpc_service_nsessions(f->svc))
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(f->closed, 1);
	assert_int_equal(f->evicted, 0);
	/* One that vanishes is evicted after the timeout. */
	join_as(f, "t-MDT0000", &f->imp);
	CHECK_RC(rpc_import_co_wait(f->imp, 5000), 0);
	rpc_import_co_destroy(f->imp, 0);
	f->imp = NULL;
	while (rpc_service_nsessions(f->svc))
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(f->evicted, 1);
}

static void sessions_end_by_disconnect_or_timeout(void **state)
{
	(void)state;
	run(t_sessions);
}

static void t_new_timeout(struct fixture *f)
{
	rpc_service_set_session_timeout(f->svc, 3600 * 1000);
	rpc_import_co_destroy(f->imp, 0);
	f->imp = NULL;
	co_sleep(300 * NSEC_PER_MSEC); /* the first timeout is 200 ms */
	assert_int_equal(rpc_service_nsessions(f->svc), 1);
	rpc_service_set_session_timeout(f->svc, 1);
	while (rpc_service_nsessions(f->svc))
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(f->evicted, 1);
}

static void a_new_timeout_is_for_those_that_are_absent(void **state)
{
	(void)state;
	run(t_new_timeout);
}

static int many_sets(void *arg)
{
	struct set_arg *a = arg;
	int rc = 0;

	for (int i = 0; i < 5 && rc == 0; i++)
		rc = setattr(a->imp, 0, &a->got);
	return rc;
}

static void t_slots(struct fixture *f)
{
	static struct set_arg a[200];
	struct co_group g = CO_GROUP_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(a); i++) {
		a[i].imp = f->imp;
		co_spawn(&g, many_sets, &a[i]);
	}
	CHECK_RC(co_join(&g), 0);
	assert_int_equal(f->executed, 1000);
}

static void reclaim_setattr(struct fixture *f, struct rpc_import *imp)
{
	struct mds_setattr_req q = {.fid = fid_of(2)};
	struct mds_setattr_rep p;
	RPC_CALL(call);

	call.flags = RPC_CALL_RECLAIM;
	CHECK_RC(mds_co_setattr(imp, &call, &q, &p), 0);
	assert_int_equal(f->executed, 1); /* before those that have waited for it */
}

/* All callers wait for the server that is to come back, more of them than there are slots. */
static void t_reclaim_slot(struct fixture *f)
{
	static struct set_arg a[2 * SESSION_SLOTS];
	struct co_group g = CO_GROUP_INIT;

	stop_serving(f);
	f->reclaim = reclaim_setattr;
	for (size_t i = 0; i < ARRAY_SIZE(a); i++) {
		a[i].imp = f->imp;
		co_spawn(&g, many_sets, &a[i]);
	}
	serve(f, 2);
	CHECK_RC(co_join(&g), 0);
	assert_int_equal(f->restarts, 1);
	assert_int_equal(f->executed, 1 + 5 * ARRAY_SIZE(a));
}

static void a_reclaim_does_not_wait_for_slots_of_those_that_wait_for_it(void **state)
{
	(void)state;
	run(t_reclaim_slot);
}

static void more_callers_than_slots_take_turns(void **state)
{
	(void)state;
	run(t_slots);
}

/* A setattr that was answered with this size, to be done again. */
static int again(struct fixture *f, struct rpc_kept k)
{
	struct mds_setattr_req q = {.fid = fid_of(1), .size = 5};
	struct mds_setattr_rep p = {.attr = {.size = 4711}};
	struct wire_hdr h = {0};
	struct wbuf w;
	uint32_t at;
	int rc;

	wbuf_init(&w, MAX_BODY);
	mds_setattr_desc.req_enc(&w, &q);
	at = w.len;
	mds_setattr_desc.rep_enc(&w, &p);
	k.body = w.ptr;
	k.body_len = w.len;
	if (!k.reply_len)
		k.reply_len = w.len - at;
	k.time = 9;
	rc = rpc_co_replay(f->imp, &k, &h);
	wbuf_fini(&w);
	return rc;
}

static void t_again(struct fixture *f)
{
	const struct rpc_kept good = {
		.rpc = RPC_mds_setattr, .slot = 3, .xid = 77, .transno = MADE_BEFORE + 1};
	struct rpc_kept k = good;

	CHECK_RC(again(f, good), 0);
	assert_int_equal(f->executed, 1);
	assert_int_equal(f->replays, 1);
	assert_int_equal(f->slot_xid[3], 77); /* and what is remembered is the old answer */
	assert_true(f->slot_body[3].len > 0);
	k.transno = MADE_BEFORE;
	CHECK_RC(again(f, k), 0);
	assert_int_equal(f->executed, 1);
	k = good;
	k.slot = 0;
	CHECK_RC(again(f, k), -EBADMSG);
	k = good;
	k.transno = 0;
	CHECK_RC(again(f, k), -EBADMSG);
	k = good;
	k.reply_len = UINT32_MAX;
	CHECK_RC(again(f, k), -EBADMSG);
	k = good;
	k.rpc = RPC_mds_getattr; /* changes nothing */
	CHECK_RC(again(f, k), -EBADMSG);
	assert_int_equal(f->executed, 1);
}

static void what_is_to_be_done_again_comes_with_its_answer(void **state)
{
	(void)state;
	run(t_again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_returns_the_reply_or_its_status),
		cmocka_unit_test(an_rpc_without_handler_is_refused),
		cmocka_unit_test(bulk_data_goes_both_ways_scattered),
		cmocka_unit_test(writers_wait_when_the_server_has_no_bulk_memory),
		cmocka_unit_test(a_request_sent_again_finds_the_one_that_runs),
		cmocka_unit_test(a_modifying_request_is_executed_once),
		cmocka_unit_test(calls_go_on_after_a_restart_of_the_server),
		cmocka_unit_test(a_call_gives_up_at_its_deadline),
		cmocka_unit_test(a_connect_for_another_target_is_refused),
		cmocka_unit_test(sessions_end_by_disconnect_or_timeout),
		cmocka_unit_test(a_new_timeout_is_for_those_that_are_absent),
		cmocka_unit_test(more_callers_than_slots_take_turns),
		cmocka_unit_test(a_reclaim_does_not_wait_for_slots_of_those_that_wait_for_it),
		cmocka_unit_test(what_is_to_be_done_again_comes_with_its_answer),
	};

	log_init("test_rpc", false);
	log_set_level(LOG_LVL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
