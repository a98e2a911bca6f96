/* SPDX-License-Identifier: Apache-2.0 */
/* mds_request_test.h - the requests that tests of a running MDS send again and again; see
 * mds_server_test.h. */
#pragma once
#include "tests/unit/mds/mds_server_test.h"

/* ---- requests ---- */

static UNUSED struct fid st_fid(struct st *s)
{
	return (struct fid){FID_SEQ_NORMAL + 100, s->next_oid++, 0};
}

/* As if a client had written: the object is that long. */
static UNUSED void st_write(struct st *s, struct fid fid, uint32_t stripe, uint64_t size)
{
	struct st_object *o = st_object(s, &fid, stripe);

	o->exists = true;
	o->size = size > o->size ? size : o->size;
	o->blocks = (o->size + 4095) / 4096 * 8;
	o->mtime = loop_realtime(s->loop);
}

struct st_open {
	struct fid fid;
	uint64_t id, seq;
	uint32_t sole;
	struct attr attr;
};

static UNUSED int st_create_rc(struct st *s, int c, const char *name, uint32_t flags,
			       struct st_open *o)
{
	struct mds_create_req q = {
		.parent = ROOT,
		.name = SPAN_STR(name),
		.fid = st_fid(s),
		.mode = S_IFREG | 0644,
		.open_flags = flags,
		.open_id = flags ? ++s->next_open : 0,
	};
	struct mds_create_rep p;
	RPC_CALL(call);
	int rc = mds_co_create(s->client[c].imp, &call, &q, &p);

	if (rc == 0)
		*o = (struct st_open){p.fid, q.open_id, p.open_seq, p.sole, p.attr};
	return rc;
}

static UNUSED struct st_open st_create(struct st *s, int c, const char *name, uint32_t flags)
{
	struct st_open o = {0};

	assert_int_equal(st_create_rc(s, c, name, flags, &o), 0);
	return o;
}

static UNUSED struct st_open st_open(struct st *s, int c, struct fid fid, uint32_t flags)
{
	struct mds_open_req q = {.fid = fid, .open_flags = flags, .open_id = ++s->next_open};
	struct mds_open_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_open(s->client[c].imp, &call, &q, &p), 0);
	return (struct st_open){fid, q.open_id, p.open_seq, p.sole, p.attr};
}

static UNUSED struct mds_close_rep st_close(struct st *s, int c, const struct st_open *o,
					    uint32_t flags, uint64_t size)
{
	struct mds_close_req q = {
		.fid = o->fid,
		.open_id = o->id,
		.flags = flags,
		.open_seq = o->seq,
		.size = size,
		.blocks = 8,
		.mtime = loop_realtime(s->loop),
	};
	struct mds_close_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_close(s->client[c].imp, &call, &q, &p), 0);
	return p;
}

static UNUSED int st_getattr_rc(struct st *s, struct fid fid, struct attr *a)
{
	struct mds_getattr_req q = {.fid = fid};
	struct mds_getattr_rep p;
	RPC_CALL(call);
	int rc = mds_co_getattr(s->client[0].imp, &call, &q, &p);

	if (rc == 0)
		*a = p.attr;
	return rc;
}

static UNUSED struct attr st_getattr(struct st *s, struct fid fid)
{
	struct attr a;

	assert_int_equal(st_getattr_rc(s, fid, &a), 0);
	return a;
}

static UNUSED bool st_sure(struct st *s, struct fid fid)
{
	return !(st_getattr(s, fid).flags & ATTR_SIZE_UNSURE);
}

static UNUSED int st_unlink(struct st *s, int c, const char *name)
{
	struct mds_unlink_req q = {.parent = ROOT, .name = SPAN_STR(name)};
	struct mds_unlink_rep p;
	RPC_CALL(call);

	return mds_co_unlink(s->client[c].imp, &call, &q, &p);
}

static UNUSED int st_truncate(struct st *s, int c, struct fid fid, uint64_t size)
{
	struct mds_setattr_req q = {.fid = fid, .valid = SETATTR_SIZE, .size = size};
	struct mds_setattr_rep p;
	RPC_CALL(call);

	return mds_co_setattr(s->client[c].imp, &call, &q, &p);
}
