/* SPDX-License-Identifier: Apache-2.0 */
/* mds_server_test.h - a whole MDS on loopback, with an OST of the test's own and clients that
 * speak RPC.
 *
 * The OST keeps sizes of objects in a table that tests look at and change. The MDS is given its
 * OSTs directly, there is no MGS. Tests are bodies that run in a fiber.
 */
#pragma once
#include "common/layout.h"
#include "common/rpc_msg.h"
#include "mds/orphan.h"
#include "mds/schema.h"
#include "mds/state.h"
#include "tests/unit/unit.h"
#include <fcntl.h>
#include <sys/stat.h>

enum { ST_OBJECTS = 64, ST_CLIENTS = 2 };

static const struct fid ROOT UNUSED = FID_ROOT;

struct st_object {
	struct object_id id;
	bool exists;
	uint64_t size, blocks;
	int64_t mtime;
	uint32_t trunc_gen;
	uint32_t stripe_size, stripe_count;
};

struct st_client {
	struct rpc_client_cfg cfg;
	struct rpc_import *imp;
	uint32_t restarts;
};

struct st {
	char dir[64];
	struct loop *loop;
	struct params *params;
	struct mds *mds;
	struct rpc_service *ost;
	struct nid ost_at, mds_at;
	struct st_object objects[ST_OBJECTS];
	uint32_t nobjects, destroyed, punches, getattrs;
	uint32_t punch_fenced; /* the last one */
	uint32_t fences;
	struct st_client client[ST_CLIENTS];
	uint32_t next_oid;
	uint64_t next_open;
	void (*body)(struct st *s);
	int (*ost_getattr_hook)(struct st *s); /* runs inside an oss_getattr */
	void (*ost_punch_hook)(struct st *s);  /* inside an oss_punch, before anything is cut */
	void (*ost_list_hook)(struct st *s);   /* inside an oss_list, when its answer is made */
	bool no_osts;				/* the MDS begins without configuration */
	bool hold_fences;			/* the OST does not answer them */
};

/* ---- the OST ---- */

static UNUSED struct st_object *st_object(struct st *s, const struct fid *fid, uint32_t stripe)
{
	uint32_t i;

	for (i = 0; i < s->nobjects; i++)
		if (fid_eq(&s->objects[i].id.fid, fid) && s->objects[i].id.stripe == stripe)
			return &s->objects[i];
	assert_true(s->nobjects < ST_OBJECTS);
	s->objects[i].id = (struct object_id){*fid, 1, stripe};
	s->nobjects++;
	return &s->objects[i];
}

static int st_oss_getattr(struct rpc_op *op, const void *req, void *rep)
{
	const struct oss_getattr_req *q = req;
	struct oss_getattr_rep *p = rep;
	struct st *s = rpc_service_arg(op->svc);
	struct st_object *o = st_object(s, &q->fid, q->stripe);
	int rc;

	s->getattrs++;
	rc = s->ost_getattr_hook ? s->ost_getattr_hook(s) : 0;
	*p = (struct oss_getattr_rep){.flags = o->exists ? OBJ_EXISTS : 0,
				      .size = o->size,
				      .blocks = o->blocks,
				      .mtime = o->mtime,
				      .trunc_gen = o->trunc_gen,
				      .stripe_size = o->stripe_size,
				      .stripe_count = o->stripe_count};
	return rc;
}

static int st_oss_punch(struct rpc_op *op, const void *req, void *rep)
{
	const struct oss_punch_req *q = req;
	struct oss_punch_rep *p = rep;
	struct st *s = rpc_service_arg(op->svc);
	struct st_object *o = st_object(s, &q->fid, q->stripe);

	s->punches++;
	s->punch_fenced = q->fence;
	if (s->ost_punch_hook)
		s->ost_punch_hook(s);
	assert_true(q->trunc_gen > o->trunc_gen);
	o->trunc_gen = q->trunc_gen;
	if (o->exists && (o->size > q->size || q->extend))
		o->size = q->size;
	if (!o->exists && (q->extend || q->fence)) {
		o->exists = true;
		o->size = q->extend ? q->size : 0;
	}
	*p = (struct oss_punch_rep){o->exists ? OBJ_EXISTS : 0, o->size, o->blocks, o->mtime, 0};
	return 0;
}

static int st_oss_fence(struct rpc_op *op, const void *req, void *rep)
{
	const struct oss_fence_req *q = req;
	struct oss_fence_rep *p = rep;
	struct st *s = rpc_service_arg(op->svc);
	struct st_object *o = st_object(s, &q->fid, q->stripe);

	s->fences++;
	while (s->hold_fences)
		co_sleep(NSEC_PER_MSEC);
	assert_true(q->trunc_gen > o->trunc_gen);
	o->trunc_gen = q->trunc_gen;
	o->exists = true;
	*p = (struct oss_fence_rep){OBJ_EXISTS, o->size, o->blocks, o->mtime, 0};
	return 0;
}

static int st_oss_destroy(struct rpc_op *op, const void *req, void *rep)
{
	const struct oss_destroy_req *q = req;
	struct oss_destroy_rep *p = rep;
	struct st *s = rpc_service_arg(op->svc);
	struct rbuf r = rbuf_of(q->objects);
	struct oss_object obj;

	while (r.len) {
		struct st_object *o;

		assert_int_equal(dec_oss_object(&r, &obj), 0);
		o = st_object(s, &obj.fid, obj.stripe);
		p->destroyed += o->exists;
		o->exists = false;
		o->size = 0;
		s->destroyed++;
	}
	return 0;
}

static int st_oss_statfs(struct rpc_op *op, const void *req, void *rep)
{
	struct oss_statfs_rep *p = rep;

	(void)op;
	(void)req;
	*p = (struct oss_statfs_rep){100 * GIB, 90 * GIB, 80 * GIB, 1000, 900, 0};
	return 0;
}

/* All that exist, at once. */
static int st_oss_list(struct rpc_op *op, const void *req, void *rep)
{
	struct oss_list_rep *p = rep;
	struct st *s = rpc_service_arg(op->svc);
	struct wbuf w;
	uint32_t i;

	(void)req;
	wbuf_init_fixed(&w, rpc_op_alloc(op, ST_OBJECTS * 32), ST_OBJECTS * 32);
	for (i = 0; i < s->nobjects; i++) {
		const struct object_id *o = &s->objects[i].id;

		if (s->objects[i].exists)
			enc_oss_object(&w, &(struct oss_object){o->fid, o->comp, o->stripe});
	}
	p->objects = wbuf_span(&w);
	p->eof = 1;
	if (s->ost_list_hook)
		s->ost_list_hook(s);
	return w.rc;
}

static const struct rpc_handler st_oss_handlers[] = {
	{RPC_oss_list, st_oss_list},
	{RPC_oss_getattr, st_oss_getattr},
	{RPC_oss_punch, st_oss_punch},
	{RPC_oss_fence, st_oss_fence},
	{RPC_oss_destroy, st_oss_destroy},
	{RPC_oss_statfs, st_oss_statfs},
};

static UNUSED void st_listen(struct rpc_service *svc, struct nid *at)
{
	char why[200];
	struct nid any;

	assert_int_equal(nid_parse("127.0.0.1@tcp", 1, &any, why, sizeof(why)), 0);
	nid_set_port(&any, 0);
	assert_int_equal(rpc_service_listen(svc, &any), 0);
	rpc_service_local(svc, at);
}


static UNUSED void st_start_ost(struct st *s)
{
	struct rpc_service_cfg cfg = {
		.loop = s->loop,
		.name = "tfs-OST0000",
		.handlers = st_oss_handlers,
		.nhandlers = ARRAY_SIZE(st_oss_handlers),
		.arg = s,
		.boot_id = 5,
	};

	assert_int_equal(rpc_service_create(&cfg, &s->ost), 0);
	st_listen(s->ost, &s->ost_at);
}

/* ---- the MDS ---- */

/* What the MGS would tell. */
static UNUSED void st_give_osts(struct st *s)
{
	struct mgs_node node = {
		.type = TARGET_OST,
		.name = "tfs-OST0000",
		.nids = {1, {s->ost_at}},
	};
	struct mgs_config c = {.version = 1, .nnodes = 1, .nodes = &node};

	ost_update(s->mds, &c);
}

static UNUSED void st_start_mds(struct st *s)
{
	struct mds_cfg cfg = {
		.loop = s->loop,
		.dir = s->dir,
		.fsname = "tfs",
		.uuid = {1, 2, 3},
		.params = s->params,
		.session_timeout_ms = 1000,
		.reserve_bytes = UINT64_MAX,
		.nosync = true,
	};

	assert_int_equal(mdt_create(&cfg, &s->mds), 0);
	if (s->mds_at.addr_len)
		assert_int_equal(rpc_service_listen(mdt_service(s->mds), &s->mds_at), 0);
	else
		st_listen(mdt_service(s->mds), &s->mds_at);
	if (!s->no_osts)
		st_give_osts(s);
}

static UNUSED void st_stop_mds(struct st *s)
{
	mdt_co_stop(s->mds, 1000);
	mdt_destroy(s->mds);
	s->mds = NULL;
}

static void st_restarted(void *arg, struct rpc_import *imp, bool evicted)
{
	(void)imp;
	(void)evicted;
	((struct st_client *)arg)->restarts++;
}

static UNUSED void st_connect(struct st *s, int i)
{
	struct st_client *c = &s->client[i];
	struct rpc_import_cfg ic = {
		.client = &c->cfg,
		.target = "tfs-MDT0000",
		.nids = {1, {s->mds_at}},
		.on_restart = st_restarted,
		.arg = c,
	};

	c->cfg = (struct rpc_client_cfg){
		.loop = s->loop,
		.uuid = {9, (uint8_t)i},
		.kind = PEER_CLIENT,
		.name = "client",
	};
	assert_int_equal(rpc_import_create(&ic, &c->imp), 0);
	assert_int_equal(rpc_import_co_wait(c->imp, 5000), 0);
}

static UNUSED void st_disconnect(struct st *s, int i)
{
	rpc_import_co_destroy(s->client[i].imp, 1000);
	s->client[i].imp = NULL;
}

/* What the MDS knows of client i. */
static UNUSED struct rpc_session *st_session(struct st *s, int i)
{
	struct rpc_session *ses = NULL;

	while ((ses = rpc_service_session_next(mdt_service(s->mds), ses)))
		if (memcmp(ses->uuid, s->client[i].cfg.uuid, UUID_LEN) == 0)
			break;
	assert_non_null(ses);
	return ses;
}

static UNUSED void st_evict(struct st *s, int i)
{
	rpc_service_evict(mdt_service(s->mds), st_session(s, i), "test");
}

/* Waits (with virtual patience) until cond holds. */
#define st_until(s, cond)                                   \
	do {                                                \
		int tries_;                                 \
		for (tries_ = 0; !(cond) && tries_ < 8000; tries_++) \
			co_sleep(NSEC_PER_MSEC);            \
		assert_true(cond);                          \
	} while (0)

static void st_main(void *arg)
{
	struct st *s = arg;
	int i;

	s->body(s);
	for (i = 0; i < ST_CLIENTS; i++)
		if (s->client[i].imp)
			st_disconnect(s, i);
	if (s->mds) {
		st_until(s, mdt_idle(s->mds));
		assert_int_equal(mdt_check(s->mds), 0);
		st_stop_mds(s);
	}
	rpc_service_co_stop(s->ost, 1000);
	loop_stop(s->loop);
}

/* Runs body with an OST, an MDS and client 0 connected. */
static UNUSED void st_run(void (*body)(struct st *s))
{
	struct st *s = calloc(1, sizeof(*s));

	log_set_level(LOG_LVL_ERROR);
	s->body = body;
	s->next_oid = 1;
	tmp_make(s->dir);
	assert_int_equal(loop_create(&s->loop), 0);
	assert_int_equal(params_create(&s->params), 0);
	st_start_ost(s);
	st_start_mds(s);
	assert_int_equal(fiber_spawn(s->loop, st_main, s), 0);
	loop_run(s->loop);
	rpc_service_destroy(s->ost);
	params_destroy(s->params);
	fiber_pool_drain();
	rpc_frame_drain();
	loop_destroy(s->loop);
	tmp_remove(s->dir);
	free(s);
}
