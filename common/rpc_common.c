/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_common.c - the RPCs that every service answers: disconnect, ping, parameters. */
#include "common/log.h"
#include "common/param.h"
#include "common/rpc_server.h"
#include <stdlib.h>

enum { PARAM_TEXT_MAX = 8 << 20 }; /* all values of one pattern, over all pieces */

static int any_disconnect(struct rpc_op *op, const struct any_disconnect_req *q,
			  struct any_disconnect_rep *p)
{
	struct op *o = container_of(op, struct op, pub);

	(void)q, (void)p;
	/* The session ends when the client closes; the answer still needs it. */
	if (o->conn)
		o->conn->said_bye = true;
	return 0;
}

static int any_ping(struct rpc_op *op, const struct any_ping_req *q, struct any_ping_rep *p)
{
	(void)op, (void)q, (void)p;
	return 0;
}

static int span_text(struct rpc_op *op, struct span s, char **out)
{
	*out = rpc_op_alloc(op, s.len + 1UL);
	if (!*out)
		return -ENOMEM;
	if (s.len)
		memcpy(*out, s.ptr, s.len);
	(*out)[s.len] = 0;
	return 0;
}

typedef int params_fn(struct params *ps, const char *pattern, struct wbuf *out);

/* One piece of the text, from skip on. */
static int param_text(struct rpc_op *op, params_fn *fn, struct span pattern, uint32_t skip,
		      struct span *text, uint32_t *more)
{
	struct params *ps = op->svc->cfg.params;
	struct wbuf w;
	uint8_t *copy;
	char *glob;
	uint32_t len;
	int rc;

	if (!ps)
		return -ENOENT;
	rc = span_text(op, pattern, &glob);
	if (rc)
		return rc;
	wbuf_init(&w, PARAM_TEXT_MAX);
	rc = fn(ps, glob, &w);
	if (rc == 0)
		rc = w.rc;
	len = rc || skip > w.len ? 0 : w.len - skip;
	*more = len > MAX_PARAM_TEXT;
	if (*more)
		len = MAX_PARAM_TEXT;
	copy = rpc_op_alloc(op, len + 1UL);
	if (copy && len)
		memcpy(copy, w.ptr + skip, len);
	wbuf_fini(&w);
	*text = (struct span){copy, len};
	return rc ? rc : copy ? 0 : -ENOMEM;
}

static int any_get_param(struct rpc_op *op, const struct any_get_param_req *q,
			 struct any_get_param_rep *p)
{
	return param_text(op, params_get, q->pattern, q->skip, &p->text, &p->more);
}

static int any_list_param(struct rpc_op *op, const struct any_list_param_req *q,
			  struct any_list_param_rep *p)
{
	return param_text(op, params_list, q->pattern, q->skip, &p->text, &p->more);
}

static int any_set_param(struct rpc_op *op, const struct any_set_param_req *q,
			 struct any_set_param_rep *p)
{
	struct params *ps = op->svc->cfg.params;
	char *pattern, *value;
	struct wbuf w;
	uint8_t *copy;
	int rc;

	if (!ps)
		return -ENOENT;
	rc = span_text(op, q->pattern, &pattern);
	if (rc == 0)
		rc = span_text(op, q->value, &value);
	if (rc)
		return rc;
	wbuf_init(&w, MAX_PARAM_TEXT);
	rc = params_set(ps, pattern, value, &w);
	copy = rpc_op_alloc(op, w.len + 1UL);
	if (copy && w.len)
		memcpy(copy, w.ptr, w.len);
	p->text = (struct span){copy, copy ? w.len : 0};
	wbuf_fini(&w);
	return rc;
}

/* `connect` has no handler: rpc_session.c answers it before there is an op. */
#define ANY_THUNK(nm)                                                        \
	static int serve_any_##nm(struct rpc_op *op, const void *q, void *p) \
	{                                                                    \
		return any_##nm(op, q, p);                                   \
	}
ANY_THUNK(disconnect)
ANY_THUNK(ping)
ANY_THUNK(get_param)
ANY_THUNK(set_param)
ANY_THUNK(list_param)

void rpc_common_handlers(struct rpc_service *s)
{
	s->handler[RPC_any_disconnect] = serve_any_disconnect;
	s->handler[RPC_any_ping] = serve_any_ping;
	s->handler[RPC_any_get_param] = serve_any_get_param;
	s->handler[RPC_any_set_param] = serve_any_set_param;
	s->handler[RPC_any_list_param] = serve_any_list_param;
}
