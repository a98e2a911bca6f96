/* SPDX-License-Identifier: Apache-2.0 */
/* hsm_test.h - what users and movers ask a running MDT, for tests. */
#pragma once
#include "mds/hsm.h"
#include "mds/hsm_queue.h"
#include "tests/unit/mds/mds_request_test.h"

static UNUSED uint32_t flags(struct st *s, struct fid fid)
{
	struct mds_hsm_state_req q = {.fid = fid};
	struct mds_hsm_state_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_hsm_state(s->client[0].imp, &call, &q, &p), 0);
	return p.flags;
}

static UNUSED bool attributes_changed(struct st *s, struct fid fid)
{
	struct mds_hsm_state_req q = {.fid = fid};
	struct mds_hsm_state_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_hsm_state(s->client[0].imp, &call, &q, &p), 0);
	return p.changed;
}

static UNUSED int ask(struct st *s, struct fid fid, uint32_t action, uint32_t archive,
		      uint64_t *cookie)
{
	struct mds_hsm_request_req q = {
		.fid = fid, .action = action, .archive = archive, .data = SPAN_STR("how")};
	struct mds_hsm_request_rep p = {0};
	RPC_CALL(call);
	int rc = mds_co_hsm_request(s->client[0].imp, &call, &q, &p);

	*cookie = p.cookie;
	return rc;
}

static UNUSED uint64_t archive(struct st *s, struct fid fid)
{
	uint64_t cookie;

	assert_int_equal(ask(s, fid, HSM_ARCHIVE, 0, &cookie), 0);
	return cookie;
}

struct got {
	uint32_t n;
	struct mds_hsm_work w[8];
	char name[8][64];
};

/* Client c asks for work for these archives, and has one piece already (0: none). */
static UNUSED struct got next(struct st *s, int c, uint32_t archives, uint64_t have)
{
	struct mds_hsm_next_req q = {.archives = archives, .max = 8};
	struct mds_hsm_next_rep p;
	struct got g = {0};
	struct rbuf b;
	struct wbuf w;
	RPC_CALL(call);

	wbuf_init(&w, 64);
	if (have)
		enc_mds_hsm_cookie(&w, &(struct mds_hsm_cookie){have});
	q.have = wbuf_span(&w);
	assert_int_equal(mds_co_hsm_next(s->client[c].imp, &call, &q, &p), 0);
	for (b = rbuf_of(p.work); b.len; g.n++) {
		assert_int_equal(dec_mds_hsm_work(&b, &g.w[g.n]), 0);
		snprintf(g.name[g.n], sizeof(g.name[0]), "%.*s", (int)g.w[g.n].name.len,
			 g.w[g.n].name.len ? (const char *)g.w[g.n].name.ptr : "");
	}
	wbuf_fini(&w);
	return g;
}

static UNUSED struct mds_hsm_progress_rep tell(struct st *s, int c, uint64_t cookie, bool done,
					       int error)
{
	struct mds_hsm_progress_req q = {
		.cookie = cookie,
		.done = done,
		.error = error,
		.name = error || !done ? SPAN_NONE : SPAN_STR("d/f"),
		.etag = error || !done ? SPAN_NONE : SPAN_STR("tag"),
	};
	struct mds_hsm_progress_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_hsm_progress(s->client[c].imp, &call, &q, &p), 0);
	return p;
}

static UNUSED struct st_open file(struct st *s, const char *name)
{
	struct st_open o = st_create(s, 0, name, OPEN_WRITE);

	st_write(s, o.fid, 0, 100);
	st_close(s, 0, &o, CLOSE_WROTE, 100);
	return o;
}

static UNUSED void change(struct st *s, struct fid fid)
{
	struct st_open o = st_open(s, 0, fid, OPEN_WRITE);

	st_write(s, fid, 0, 200);
	st_close(s, 0, &o, CLOSE_WROTE, 200);
}
