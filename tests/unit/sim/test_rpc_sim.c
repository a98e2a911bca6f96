/* SPDX-License-Identifier: Apache-2.0 */
/* test_rpc_sim.c - rpc.h on a network whose connections break all the time: every call ends with
 * its own reply, modifying requests are executed exactly once, bulk data is whole. */
#include "common/log.h"
#include "common/rpc.h"
#include "common/rpc_msg.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_net.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { CALLERS = 12, CALLS = 40, PORT = 989, LEN = 300000, SLOTS = 256, BUFS = 3 };

static struct loop *cl, *sl;
static struct rpc_service *svc;
static struct rpc_client_cfg client;
static struct rpc_import *imp;
static uint32_t executed[CALLERS * CALLS], running, failed_calls, evicted;
static uint8_t *pattern;

/* ---- the server ---- */

static struct {
	uint64_t xid;
	struct wbuf body;
} slot[SLOTS];

static struct server_buf {
	uint8_t *mem;
	struct iovec iov;
	bool busy;
} bufs[BUFS];

static int h_setattr(struct rpc_op *op, const void *q, void *p)
{
	const struct mds_setattr_req *req = q;
	struct mds_setattr_rep *rep = p;

	(void)op;
	assert_true(req->size < CALLERS * CALLS);
	co_sleep(sim_below(SIM_CODE, 3000000));
	executed[req->size]++;
	rep->attr.size = req->size * 3;
	return 0;
}

static int h_read(struct rpc_op *op, const void *q, void *p)
{
	const struct oss_read_req *req = q;
	struct iovec *iov = rpc_op_alloc(op, sizeof(*iov));

	(void)p;
	assert_non_null(iov);
	co_sleep(sim_below(SIM_CODE, 1000000));
	*iov = (struct iovec){pattern + req->off, req->len};
	op->out = iov;
	op->out_n = 1;
	return 0;
}

static int h_write(struct rpc_op *op, const void *q, void *p)
{
	const struct oss_write_req *req = q;
	struct oss_write_rep *rep = p;

	co_sleep(sim_below(SIM_CODE, 1000000));
	assert_int_equal(op->in_n, 1);
	if (memcmp(op->in->iov_base, pattern + req->off, op->in_len) != 0)
		return -EIO;
	rep->size = op->in_len;
	return 0;
}

static int bulk_get(void *arg, uint32_t len, struct iovec **iov, uint32_t *n, void **cookie)
{
	(void)arg;
	for (int i = 0; i < BUFS; i++) {
		if (bufs[i].busy)
			continue;
		bufs[i].busy = true;
		bufs[i].iov = (struct iovec){bufs[i].mem, len};
		*iov = &bufs[i].iov;
		*n = 1;
		*cookie = &bufs[i];
		return 0;
	}
	return -EAGAIN;
}

static void bulk_put(void *arg, void *cookie)
{
	struct server_buf *b = cookie;

	(void)arg;
	memset(b->mem, 0xee, b->iov.iov_len);
	b->busy = false;
	rpc_service_bulk_ready(svc);
}

static int replay_find(void *arg, struct rpc_op *op, int32_t *status, struct span *body)
{
	(void)arg;
	assert_true(op->hdr->slot < SLOTS);
	if (slot[op->hdr->slot].xid != op->hdr->xid)
		return 0;
	*status = 0;
	*body = wbuf_span(&slot[op->hdr->slot].body);
	return 1;
}

static int replay_store(void *arg, struct rpc_op *op, int32_t status, struct span body)
{
	(void)arg, (void)status;
	slot[op->hdr->slot].xid = op->hdr->xid;
	slot[op->hdr->slot].body.len = 0;
	wbuf_put(&slot[op->hdr->slot].body, body.ptr, body.len);
	return 0;
}

static void session_close(void *arg, struct rpc_session *s, bool is_evicted)
{
	(void)arg, (void)s;
	evicted += is_evicted;
}

static const struct rpc_handler handlers[] = {
	{RPC_mds_setattr, h_setattr}, {RPC_oss_read, h_read}, {RPC_oss_write, h_write}};
static const struct rpc_service_ops service_ops = {.replay_find = replay_find,
						   .replay_store = replay_store,
						   .session_co_close = session_close,
						   .bulk_get = bulk_get,
						   .bulk_put = bulk_put};

/* ---- the clients ---- */

static bool call_setattr(uint64_t id)
{
	struct mds_setattr_req q = {.fid = FID_ROOT, .size = id};
	struct mds_setattr_rep p = {0};
	RPC_CALL(call);

	return mds_co_setattr(imp, &call, &q, &p) == 0 && p.attr.size == id * 3;
}

static bool call_write(uint64_t id)
{
	struct iovec out[2];
	struct oss_write_req q = {.fid = FID_ROOT, .off = id * 7};
	struct oss_write_rep p = {0};
	RPC_CALL(call);

	out[0] = (struct iovec){pattern + q.off, 1000};
	out[1] = (struct iovec){pattern + q.off + 1000, LEN / 2 - 1000};
	call.out = out;
	call.out_n = 2;
	return oss_co_write(imp, &call, &q, &p) == 0 && p.size == LEN / 2;
}

static bool call_read(uint64_t id)
{
	struct oss_read_req q = {.fid = FID_ROOT, .off = id * 11, .len = LEN / 2};
	uint8_t *mem = calloc(1, q.len);
	struct iovec in = {mem, q.len};
	struct oss_read_rep p;
	bool ok;
	RPC_CALL(call);

	call.in = &in;
	call.in_n = 1;
	ok = oss_co_read(imp, &call, &q, &p) == 0 && call.in_len == q.len &&
	     memcmp(mem, pattern + q.off, q.len) == 0;
	free(mem);
	return ok;
}

static void caller(void *arg)
{
	uint64_t id = (uintptr_t)arg;

	for (uint64_t i = 0; i < CALLS; i++) {
		uint64_t k = id * CALLS + i;

		if (!call_setattr(k))
			failed_calls++;
		if (!(sim_random(SIM_WORK) & 1 ? call_write(k) : call_read(k)))
			failed_calls++;
	}
	running--;
}

static bool all_done(void *arg)
{
	(void)arg;
	return running == 0;
}

static void begin(void *arg)
{
	struct rpc_import_cfg cfg = {.client = &client, .target = "test", .nids = {.n = 1}};

	(void)arg;
	sim_net_nid(2, PORT, &cfg.nids.nid[0]);
	assert_int_equal(rpc_import_create(&cfg, &imp), 0);
	for (uintptr_t i = 0; i < CALLERS; i++) {
		running++;
		assert_int_equal(fiber_spawn(cl, caller, (void *)i), 0);
	}
}

static void end_client(void *arg)
{
	(void)arg;
	rpc_import_co_destroy(imp, 1000);
	running--;
}

static void end_server(void *arg)
{
	(void)arg;
	rpc_service_co_stop(svc, 1000);
	running--;
}

static void end(void *arg)
{
	assert_int_equal(fiber_spawn(arg, arg == cl ? end_client : end_server, NULL), 0);
}

static void run_on(struct loop *l, loop_fn *fn)
{
	struct loop_work w = {.fn = fn, .arg = l};

	loop_post(l, &w);
	assert_int_equal(sim_run_until(all_done, NULL, 3600 * NSEC_PER_SEC), 0);
}

/* A server at node 2, and a client at node 1 that makes all its calls. */
static void begin_world(uint64_t seed, uint32_t drop, uint32_t session_timeout_ms)
{
	struct rpc_service_cfg cfg = {.name = "test", .handlers = handlers,
				      .nhandlers = ARRAY_SIZE(handlers), .ops = &service_ops,
				      .boot_id = 5, .session_timeout_ms = session_timeout_ms};
	struct nid at;

	sim_begin(seed);
	sim_net_begin();
	sim_net()->drop_per_million = drop;
	sim_net()->refuse_per_million = drop;
	memset(executed, 0, sizeof(executed));
	failed_calls = evicted = 0;
	running = 1;
	sim_set_node(2);
	assert_int_equal(loop_create(&sl), 0);
	cfg.loop = sl;
	assert_int_equal(rpc_service_create(&cfg, &svc), 0);
	sim_net_nid(2, PORT, &at);
	assert_int_equal(rpc_service_listen(svc, &at), 0);
	sim_set_node(1);
	assert_int_equal(loop_create(&cl), 0);
	client = (struct rpc_client_cfg){.loop = cl, .kind = PEER_CLIENT, .name = "client"};
	running = 0;
	loop_post(cl, &(struct loop_work){.fn = begin, .arg = cl});
	while (!running)
		sim_step();
	assert_int_equal(sim_run_until(all_done, NULL, 36000 * NSEC_PER_SEC), 0);
}

static void end_world(void)
{
	sim_net()->drop_per_million = sim_net()->refuse_per_million = 0;
	running = 1;
	run_on(cl, end);
	running = 1;
	run_on(sl, end);
	sim_run_for(NSEC_PER_SEC);
	rpc_service_destroy(svc);
	assert_int_equal(fiber_count(), 0);
	loop_destroy(cl);
	loop_destroy(sl);
	sim_net_end();
	sim_end();
	for (int i = 0; i < SLOTS; i++)
		slot[i].xid = 0;
}

static uint64_t run_seed(uint64_t seed, uint32_t drop)
{
	uint64_t digest;

	begin_world(seed, drop, 3600000);
	digest = sim_digest();
	assert_int_equal(failed_calls, 0);
	for (int i = 0; i < CALLERS * CALLS; i++)
		assert_int_equal(executed[i], 1);
	end_world();
	return digest;
}

static void calls_succeed_without_faults(void **state)
{
	(void)state;
	run_seed(1, 0);
}

static void every_call_is_executed_once_over_breaking_connections(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++)
		run_seed(seed, 5000 * (uint32_t)seed);
}

static void the_same_seed_is_the_same_run(void **state)
{
	uint64_t a = run_seed(42, 20000), b = run_seed(42, 20000);

	(void)state;
	assert_true(a == b);
	assert_true(a != run_seed(43, 20000));
}

static void call_again(void *arg)
{
	(void)arg;
	assert_int_equal(fiber_spawn(cl, caller, NULL), 0);
}

/* Its connection stays: nobody tells the server that the machine is gone. */
static void a_client_that_is_gone_is_missed_and_one_that_is_idle_is_not(void **state)
{
	(void)state;
	begin_world(7, 0, 12000);
	sim_run_for(3600 * NSEC_PER_SEC);
	assert_int_equal(evicted, 0);
	sim_net_pause(1, true);
	sim_run_for(5 * NSEC_PER_SEC);
	assert_int_equal(evicted, 0);
	sim_run_for(9 * NSEC_PER_SEC);
	assert_int_equal(evicted, 1);
	sim_net_pause(1, false);
	running = 1;
	run_on(cl, call_again);
	assert_int_equal(failed_calls, 0);
	end_world();
}

static int setup(void **state)
{
	(void)state;
	log_init("test", false);
	log_set_level(getenv("V") ? LOG_LVL_DEBUG : LOG_LVL_ERROR);
	pattern = malloc(4 * LEN);
	for (uint32_t i = 0; i < 4 * LEN; i++)
		pattern[i] = (uint8_t)(i * 2654435761U >> 24);
	for (int i = 0; i < BUFS; i++)
		bufs[i].mem = malloc(LEN);
	for (int i = 0; i < SLOTS; i++)
		wbuf_init(&slot[i].body, MAX_BODY);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(pattern);
	for (int i = 0; i < BUFS; i++)
		free(bufs[i].mem);
	for (int i = 0; i < SLOTS; i++)
		wbuf_fini(&slot[i].body);
	fiber_pool_drain();
	rpc_frame_drain();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_succeed_without_faults),
		cmocka_unit_test(every_call_is_executed_once_over_breaking_connections),
		cmocka_unit_test(the_same_seed_is_the_same_run),
		cmocka_unit_test(a_client_that_is_gone_is_missed_and_one_that_is_idle_is_not),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
