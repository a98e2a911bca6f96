/* SPDX-License-Identifier: Apache-2.0 */
/* oss_test.h - a target in a temporary directory, on one loop, with a client connected to it.
 *
 * Tests are functions that run in a fiber with everything set up; calls go over real loopback
 * connections to a real disk.
 */
#pragma once
#include "common/log.h"
#include "common/param.h"
#include "common/rpc.h"
#include "common/rpc_msg.h"
#include "oss/ost.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define CHECK_RC(expr, want) assert_int_equal((expr), (want))

struct oss_test {
	struct loop *l;
	char dir[64];
	struct params *params;
	struct ost_cfg cfg;
	struct ost *ost;
	struct rpc_client_cfg client;
	struct nid_list nids;
	struct rpc_import *imp;
	uint64_t boot_id;
};

typedef void oss_test_fn(struct oss_test *t);

struct oss_test_start {
	struct oss_test *t;
	oss_test_fn *fn;
	bool bare; /* no target, no client */
};

static inline void oss_test_serve(struct oss_test *t)
{
	char why[512];
	struct nid at;

	t->cfg.boot_id = ++t->boot_id;
	CHECK_RC(ost_create(&t->cfg, &t->ost), 0);
	CHECK_RC(ost_co_start(t->ost, why, sizeof(why)), 0);
	t->cfg.registered = true;
	if (t->nids.n) {
		at = t->nids.nid[0];
	} else {
		CHECK_RC(nid_parse("127.0.0.1@tcp", 1, &at, why, sizeof(why)), 0);
		nid_set_port(&at, 0);
	}
	CHECK_RC(rpc_service_listen(ost_service(t->ost), &at), 0);
	rpc_service_local(ost_service(t->ost), &t->nids.nid[0]);
	t->nids.n = 1;
}

static inline void oss_test_unserve(struct oss_test *t)
{
	ost_co_stop(t->ost, 100);
	ost_destroy(t->ost);
	t->ost = NULL;
}

/* As after a restart of the server: nothing is known but what is on the disk. */
static inline void oss_test_restart(struct oss_test *t)
{
	oss_test_unserve(t);
	oss_test_serve(t);
}

static inline void oss_test_connect(struct oss_test *t, struct rpc_import **imp)
{
	struct rpc_import_cfg cfg = {
		.client = &t->client, .target = "lustre-OST0003", .nids = t->nids};

	CHECK_RC(rpc_import_create(&cfg, imp), 0);
	CHECK_RC(rpc_import_co_wait(*imp, 5000), 0);
}

static inline void oss_test_fiber(void *arg)
{
	struct oss_test_start *s = arg;
	struct oss_test *t = s->t;

	if (!s->bare) {
		oss_test_serve(t);
		oss_test_connect(t, &t->imp);
	}
	s->fn(t);
	if (t->imp)
		rpc_import_co_destroy(t->imp, 1000);
	if (t->ost)
		oss_test_unserve(t);
	loop_stop(t->l);
}

static inline void oss_test_run_as(oss_test_fn *fn, bool bare)
{
	struct oss_test t = {.dir = "/tmp/sheen-test-oss-XXXXXX"};
	struct oss_test_start s = {&t, fn, bare};
	char command[128];

	log_set_level(LOG_LVL_ERROR);
	assert_non_null(mkdtemp(t.dir));
	CHECK_RC(loop_create(&t.l), 0);
	CHECK_RC(params_create(&t.params), 0);
	t.cfg = (struct ost_cfg){
		.loop = t.l, .dir = t.dir, .fsname = "lustre", .index = 3, .params = t.params};
	memset(t.cfg.uuid, 0x5a, UUID_LEN);
	t.client = (struct rpc_client_cfg){.loop = t.l, .kind = PEER_CLIENT, .name = "test"};
	memset(t.client.uuid, 7, UUID_LEN);
	CHECK_RC(fiber_spawn(t.l, oss_test_fiber, &s), 0);
	loop_run(t.l);
	params_destroy(t.params);
	fiber_pool_drain();
	loop_destroy(t.l);
	rpc_frame_drain();
	snprintf(command, sizeof(command), "rm -rf %s", t.dir);
	CHECK_RC(system(command), 0);
}

static inline void oss_test_run(oss_test_fn *fn)
{
	oss_test_run_as(fn, false);
}

/* ---- calls ---- */

#define TEST_FID ((struct fid){FID_SEQ_NORMAL + 1, 0x1234, 0})
#define TEST_OBJ .fid = TEST_FID, .comp = 1, .stripe = 0

static inline int oss_test_write_req(struct oss_test *t, const struct oss_write_req *q,
				     const void *data, size_t len, struct oss_write_rep *p)
{
	struct iovec iov = {(void *)(uintptr_t)data, len};
	RPC_CALL(call);

	call.out = &iov;
	call.out_n = 1;
	return oss_co_write(t->imp, &call, q, p);
}

static inline int oss_test_write(struct oss_test *t, struct object_attr *a, uint64_t off,
				 const void *data, size_t len, uint32_t gen)
{
	struct oss_write_req q = {TEST_OBJ, .off = off, .trunc_gen = gen};
	struct oss_write_rep p;
	int rc = oss_test_write_req(t, &q, data, len, &p);

	if (rc == 0 && a)
		OST_REPLY_ATTR(a, p);
	return rc;
}

/* Bytes read or -errno. */
static inline int oss_test_read(struct oss_test *t, uint64_t off, void *data, uint32_t len)
{
	struct oss_read_req q = {TEST_OBJ, .off = off, .len = len};
	struct iovec iov = {data, len};
	struct oss_read_rep p;
	RPC_CALL(call);
	int rc;

	call.in = &iov;
	call.in_n = 1;
	rc = oss_co_read(t->imp, &call, &q, &p);
	return rc ? rc : (int)call.in_len;
}

static inline int oss_test_getattr(struct oss_test *t, struct object_attr *a)
{
	struct oss_getattr_req q = {TEST_OBJ};
	struct oss_getattr_rep p;
	RPC_CALL(call);
	int rc = oss_co_getattr(t->imp, &call, &q, &p);

	if (rc == 0)
		OST_REPLY_ATTR(a, p);
	return rc;
}

static inline int oss_test_punch(struct oss_test *t, struct object_attr *a, uint64_t size,
				 bool extend, uint32_t gen)
{
	struct oss_punch_req q = {TEST_OBJ, .size = size, .extend = extend, .trunc_gen = gen};
	struct oss_punch_rep p;
	RPC_CALL(call);
	int rc = oss_co_punch(t->imp, &call, &q, &p);

	if (rc == 0 && a)
		OST_REPLY_ATTR(a, p);
	return rc;
}

static inline int oss_test_destroy(struct oss_test *t, uint32_t *destroyed)
{
	struct oss_object rec = {TEST_OBJ};
	struct oss_destroy_req q;
	struct oss_destroy_rep p;
	uint8_t mem[64];
	struct wbuf w;
	RPC_CALL(call);
	int rc;

	wbuf_init_fixed(&w, mem, sizeof(mem));
	enc_oss_object(&w, &rec);
	q.objects = wbuf_span(&w);
	rc = oss_co_destroy(t->imp, &call, &q, &p);
	if (rc == 0)
		*destroyed = p.destroyed;
	return rc;
}
