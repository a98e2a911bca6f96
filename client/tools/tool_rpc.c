/* SPDX-License-Identifier: Apache-2.0 */
/* tool_rpc.c - see tool_rpc.h. Every call makes its own connection: tools call rarely. */
#include "client/tools/tool_rpc.h"
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum { CLOSE_MS = 200 };

struct run {
	struct loop *loop;
	tool_run_fn *fn;
	void *arg;
	int rc;
};

static void run_fiber(void *arg)
{
	struct run *r = arg;

	r->rc = r->fn(r->loop, r->arg);
	loop_stop(r->loop);
}

static void run_start(void *arg)
{
	struct run *r = arg;

	r->rc = fiber_spawn(r->loop, run_fiber, r);
	if (r->rc)
		loop_stop(r->loop);
}

int tool_run(tool_run_fn *fn, void *arg)
{
	struct run r = {.fn = fn, .arg = arg};
	struct loop_work start = {.fn = run_start, .arg = &r};
	int rc;

	rc = loop_create(&r.loop);
	if (rc)
		return rc;
	loop_post(r.loop, &start);
	loop_run(r.loop);
	loop_destroy(r.loop);
	return r.rc;
}

int tool_co_open(struct tool_import *ti, struct loop *l, const struct nid_list *nids,
		 const char *target, uint32_t timeout_ms)
{
	struct rpc_import_cfg cfg = {.client = &ti->client, .target = target, .nids = *nids};
	int rc;

	*ti = (struct tool_import){.client = {.loop = l, .kind = PEER_TOOL, .name = "tool"}};
	uuid_make(ti->client.uuid);
	rc = rpc_import_create(&cfg, &ti->imp);
	if (rc)
		return rc;
	rc = rpc_import_co_wait(ti->imp, timeout_ms);
	if (rc == -ETIMEDOUT && rpc_import_error(ti->imp))
		rc = rpc_import_error(ti->imp); /* says more */
	if (rc)
		tool_co_close(ti);
	return rc;
}

void tool_co_close(struct tool_import *ti)
{
	rpc_import_co_destroy(ti->imp, CLOSE_MS);
	ti->imp = NULL;
}

/* 0 when a connection can be made. */
static int probe(const struct nid *n, uint32_t timeout_ms)
{
	int fd = socket(n->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(int);
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&n->addr, n->addr_len) && errno != EINPROGRESS)
		rc = -errno;
	else if (poll(&p, 1, (int)timeout_ms) != 1)
		rc = -ETIMEDOUT;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &rc, &len))
		rc = -errno;
	close(fd);
	return rc > 0 ? -rc : rc;
}

bool tool_refused(const struct nid_list *nids, uint32_t timeout_ms)
{
	uint32_t i;

	for (i = 0; i < nids->n; i++)
		if (probe(&nids->nid[i], timeout_ms) == 0)
			return false;
	return true;
}

struct call {
	const struct nid_list *nids;
	const char *pattern, *value;
	bool list;
	struct wbuf *out;
	uint32_t timeout_ms;
};

static int ping_co(struct loop *l, void *arg)
{
	struct call *c = arg;
	struct any_ping_req q;
	struct any_ping_rep p;
	struct tool_import ti;
	int rc;

	memset(&q, 0, sizeof(q));
	rc = tool_co_open(&ti, l, c->nids, "", c->timeout_ms);
	if (rc)
		return rc;
	{
		RPC_CALL(call);
		call.deadline_ms = c->timeout_ms;
		rc = any_co_ping(ti.imp, &call, &q, &p);
	}
	tool_co_close(&ti);
	return rc;
}

int tool_ping(const struct nid_list *nids, uint32_t timeout_ms)
{
	struct call c = {.nids = nids, .timeout_ms = timeout_ms};

	return tool_run(ping_co, &c);
}

/* One piece of the text. 1: there is more. */
static int get_piece(struct rpc_import *imp, const struct call *c, uint32_t skip)
{
	struct any_get_param_req q = {SPAN_STR(c->pattern), skip};
	struct any_get_param_rep p;
	RPC_CALL(call);
	int rc;

	call.deadline_ms = c->timeout_ms;
	rc = any_co_get_param(imp, &call, &q, &p);
	if (rc)
		return rc;
	wbuf_put(c->out, p.text.ptr, p.text.len);
	return c->out->rc ? c->out->rc : p.more && p.text.len;
}

static int list_piece(struct rpc_import *imp, const struct call *c, uint32_t skip)
{
	struct any_list_param_req q = {SPAN_STR(c->pattern), skip};
	struct any_list_param_rep p;
	RPC_CALL(call);
	int rc;

	call.deadline_ms = c->timeout_ms;
	rc = any_co_list_param(imp, &call, &q, &p);
	if (rc)
		return rc;
	wbuf_put(c->out, p.text.ptr, p.text.len);
	return c->out->rc ? c->out->rc : p.more && p.text.len;
}

static int get_param_co(struct loop *l, void *arg)
{
	struct call *c = arg;
	uint32_t begin = c->out->len;
	struct tool_import ti;
	int rc;

	rc = tool_co_open(&ti, l, c->nids, "", c->timeout_ms);
	if (rc)
		return rc;
	do
		rc = c->list ? list_piece(ti.imp, c, c->out->len - begin)
			     : get_piece(ti.imp, c, c->out->len - begin);
	while (rc == 1);
	tool_co_close(&ti);
	return rc;
}

int tool_get_param(const struct nid_list *nids, const char *pattern, bool list, struct wbuf *out,
		   uint32_t timeout_ms)
{
	struct call c = {nids, pattern, NULL, list, out, timeout_ms};

	return tool_run(get_param_co, &c);
}

static int set_param_co(struct loop *l, void *arg)
{
	struct call *c = arg;
	struct any_set_param_req q = {SPAN_STR(c->pattern), SPAN_STR(c->value)};
	struct any_set_param_rep p;
	struct tool_import ti;
	int rc;

	rc = tool_co_open(&ti, l, c->nids, "", c->timeout_ms);
	if (rc)
		return rc;
	{
		RPC_CALL(call);
		call.deadline_ms = c->timeout_ms;
		rc = any_co_set_param(ti.imp, &call, &q, &p);
		if (rc == 0)
			wbuf_put(c->out, p.text.ptr, p.text.len);
	}
	tool_co_close(&ti);
	return rc;
}

int tool_set_param(const struct nid_list *nids, const char *pattern, const char *value,
		   struct wbuf *out, uint32_t timeout_ms)
{
	struct call c = {nids, pattern, value, false, out, timeout_ms};

	return tool_run(set_param_co, &c);
}

static int set_permanent_co(struct loop *l, void *arg)
{
	struct call *c = arg;
	struct mgs_set_param_req q = {SPAN_STR(c->pattern), SPAN_STR(c->value ? c->value : ""),
				      c->value == NULL};
	struct mgs_set_param_rep p;
	struct tool_import ti;
	int rc;

	rc = tool_co_open(&ti, l, c->nids, "MGS", c->timeout_ms);
	if (rc)
		return rc;
	{
		RPC_CALL(call);
		call.deadline_ms = c->timeout_ms;
		rc = mgs_co_set_param(ti.imp, &call, &q, &p);
	}
	tool_co_close(&ti);
	return rc;
}

int tool_set_permanent(const struct nid_list *mgs, const char *name, const char *value,
		       uint32_t timeout_ms)
{
	struct call c = {mgs, name, value, false, NULL, timeout_ms};

	return tool_run(set_permanent_co, &c);
}
