/* SPDX-License-Identifier: Apache-2.0 */
/* proto.c - the only place where all RPC lists are expanded into code. */
#include "common/proto/proto.h"
#include <stdlib.h>

#define FIELD_TEXT(t, n) " " #t ":" #n

/* (void) casts: messages without fields use none of the variables. */
#define CODEC(prefix, LIST)                                                   \
	static void prefix##_enc(struct wbuf *w, const void *p)               \
	{                                                                     \
		const struct prefix *v = p;                                   \
		(void)w, (void)v;                                             \
		LIST(FIELD_ENC)                                               \
	}                                                                     \
	static int prefix##_dec(struct rbuf *r, void *p)                      \
	{                                                                     \
		struct prefix *v = p;                                         \
		int rc = 0;                                                   \
		(void)r;                                                      \
		memset(v, 0, sizeof(*v));                                     \
		LIST(FIELD_DEC)                                               \
		return rc;                                                    \
	}                                                                     \
	static void prefix##_dbg(FILE *f, const void *p)                      \
	{                                                                     \
		const struct prefix *v = p;                                   \
		(void)f, (void)v;                                             \
		LIST(FIELD_DBG)                                               \
	}

#define RPC_DEFINE(nr_, srv, nm, flags_, doc_)                                    \
	CODEC(srv##_##nm##_req, REQ_##srv##_##nm)                                 \
	CODEC(srv##_##nm##_rep, REP_##srv##_##nm)                                 \
	const struct rpc_desc srv##_##nm##_desc = {                               \
		.nr = nr_,                                                        \
		.flags = flags_,                                                  \
		.service = #srv,                                                  \
		.name = #nm,                                                      \
		.doc = doc_,                                                      \
		.req_fields = "" REQ_##srv##_##nm(FIELD_TEXT),                    \
		.rep_fields = "" REP_##srv##_##nm(FIELD_TEXT),                    \
		.req_size = sizeof(struct srv##_##nm##_req),                      \
		.rep_size = sizeof(struct srv##_##nm##_rep),                      \
		.req_enc = srv##_##nm##_req_enc,                                  \
		.req_dec = srv##_##nm##_req_dec,                                  \
		.req_dbg = srv##_##nm##_req_dbg,                                  \
		.rep_enc = srv##_##nm##_rep_enc,                                  \
		.rep_dec = srv##_##nm##_rep_dec,                                  \
		.rep_dbg = srv##_##nm##_rep_dbg,                                  \
	};
ALL_RPCS(RPC_DEFINE)

/* A record in a blob must be whole: there is no end of body behind which fields are zero. */
#define STRUCT_FIELD_DEC(t, n) || dec_##t(r, &v->n)
#define STRUCT_DEFINE(nm)                                                     \
	void enc_##nm(struct wbuf *w, const struct nm *v)                     \
	{                                                                     \
		STRUCT_##nm(FIELD_ENC)                                        \
	}                                                                     \
	int dec_##nm(struct rbuf *r, struct nm *v)                            \
	{                                                                     \
		return 0 STRUCT_##nm(STRUCT_FIELD_DEC) ? -EBADMSG : 0;        \
	}
ALL_STRUCTS(STRUCT_DEFINE)

#define RPC_ROW(nr_, srv, nm, flags_, doc_) [nr_] = &srv##_##nm##_desc,
static const struct rpc_desc *const by_nr[RPC_NR_MAX] = {ALL_RPCS(RPC_ROW)};

const struct rpc_desc *rpc_desc_find(uint16_t nr)
{
	return nr < RPC_NR_MAX ? by_nr[nr] : NULL;
}

void rpc_desc_each(void (*fn)(const struct rpc_desc *d, void *arg), void *arg)
{
	for (int i = 0; i < RPC_NR_MAX; i++)
		if (by_nr[i])
			fn(by_nr[i], arg);
}

const char *rpc_name(uint16_t nr)
{
	static _Thread_local char buf[16];
	const struct rpc_desc *d = rpc_desc_find(nr);

	if (d)
		return d->name;
	snprintf(buf, sizeof(buf), "rpc %u", nr);
	return buf;
}

void rpc_request_text(const struct rpc_desc *d, const void *body, uint32_t len, char *out,
		      size_t out_len)
{
	struct rbuf r = {body, len};
	void *req = malloc(d->req_size ? d->req_size : 1);
	FILE *f = fmemopen(out, out_len, "w");

	assert(out_len > 1);
	out[0] = 0;
	if (f && req) {
		fputs(d->name, f);
		if (d->req_dec(&r, req) == 0)
			d->req_dbg(f, req);
	}
	if (f && fclose(f))
		out[out_len - 1] = 0; /* it did not fit */
	free(req);
}
