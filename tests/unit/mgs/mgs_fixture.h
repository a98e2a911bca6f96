/* SPDX-License-Identifier: Apache-2.0 */
/* mgs_fixture.h - a real MGS on a loop of the test, over loopback, with its store in a directory
 * that lives as long as the test. A test body runs in a fiber. */
#pragma once
#include "common/log.h"
#include "common/mgs_link.h"
#include "common/param.h"
#include "common/rpc_msg.h"
#include "mgs/mgs.h"
#include "tests/unit/unit.h"

struct fixture {
	struct loop *l;
	char dir[64];
	struct params *ps;
	struct mgs *mgs;
	struct nid_list at;
	uint64_t boot_id;
	struct rpc_client_cfg client;
	struct rpc_import *imp;
};

static UNUSED void fx_start_mgs(struct fixture *f)
{
	struct mgs_cfg cfg = {.loop = f->l, .dir = f->dir, .boot_id = ++f->boot_id, .nosync = true};
	char why[256];
	struct nid at;

	assert_int_equal(params_create(&f->ps), 0);
	cfg.params = f->ps;
	if (mgs_create(&cfg, &f->mgs, why, sizeof(why)))
		fail_msg("%s", why);
	if (f->at.n) {
		at = f->at.nid[0];
	} else {
		assert_int_equal(nid_parse("127.0.0.1@tcp", 1, &at, why, sizeof(why)), 0);
		nid_set_port(&at, 0);
	}
	assert_int_equal(rpc_service_listen(f->mgs->svc, &at), 0);
	rpc_service_local(f->mgs->svc, &f->at.nid[0]);
	f->at.n = 1;
}

static UNUSED void fx_stop_mgs(struct fixture *f)
{
	mgs_co_stop(f->mgs, 1000);
	mgs_destroy(f->mgs);
	params_destroy(f->ps);
	f->mgs = NULL;
}

static UNUSED void fx_connect(struct fixture *f)
{
	struct rpc_import_cfg cfg = {.client = &f->client, .target = "MGS", .nids = f->at};

	assert_int_equal(rpc_import_create(&cfg, &f->imp), 0);
	assert_int_equal(rpc_import_co_wait(f->imp, 5000), 0);
}

typedef void fx_fn(struct fixture *f);

struct fx_run {
	struct fixture *f;
	fx_fn *fn;
};

static UNUSED void fx_fiber(void *arg)
{
	struct fx_run *r = arg;

	fx_start_mgs(r->f);
	fx_connect(r->f);
	r->fn(r->f);
	if (r->f->imp)
		rpc_import_co_destroy(r->f->imp, 1000);
	if (r->f->mgs)
		fx_stop_mgs(r->f);
	loop_stop(r->f->l);
}

static UNUSED void fx_run(fx_fn *fn)
{
	struct fixture f = {.client = {.kind = PEER_TOOL, .name = "test"}};
	struct fx_run r = {&f, fn};

	log_set_level(LOG_LVL_ERROR);
	tmp_make(f.dir);
	memset(f.client.uuid, 9, UUID_LEN);
	assert_int_equal(loop_create(&f.l), 0);
	f.client.loop = f.l;
	assert_int_equal(fiber_spawn(f.l, fx_fiber, &r), 0);
	loop_run(f.l);
	loop_destroy(f.l);
	fiber_pool_drain();
	rpc_frame_drain();
	tmp_remove(f.dir);
}

static UNUSED int fx_register(struct fixture *f, const char *fs, uint8_t type, uint32_t index,
			      uint8_t uuid, const char *nids, uint64_t *version)
{
	uint8_t id[UUID_LEN] = {uuid};
	struct mgs_register_req q = {.fsname = SPAN_STR(fs), .type = type, .index = index,
				     .uuid = {id, UUID_LEN}, .nids = SPAN_STR(nids)};
	struct mgs_register_rep p;
	RPC_CALL(call);
	int rc;

	call.deadline_ms = 10000;
	rc = mgs_co_register(f->imp, &call, &q, &p);
	if (rc == 0 && version)
		*version = p.version;
	return rc;
}

static UNUSED int fx_set_param(struct fixture *f, const char *name, const char *value)
{
	struct mgs_set_param_req q = {.name = SPAN_STR(name), .value = SPAN_STR(value ? value : ""),
				      .del = !value};
	struct mgs_set_param_rep p;
	RPC_CALL(call);

	call.deadline_ms = 10000;
	return mgs_co_set_param(f->imp, &call, &q, &p);
}
