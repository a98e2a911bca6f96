/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_server.h - what rpc_server.c, rpc_session.c and rpc_common.c share; nobody else includes
 * it. */
#pragma once
#include "common/rpc.h"
#include "common/rpc_msg.h"

struct arena_chunk;

/* A connection. It outlives the transport's side while ops refer to it (net is NULL then). */
struct sconn {
	struct rpc_service *svc;
	struct net_conn *net;
	struct rpc_session *session;
	uint32_t lane;
	uint32_t refs;
	uint32_t inflight;
	uint32_t ping_ms;      /* how often the peer says something, as it was told */
	uint64_t heard_ns;     /* something came, or an answer left: the peer is alive */
	uint64_t suspected_ns; /* it is silent for too long, as it seems */
	bool silent;	       /* closed for that */
	bool stopped;	 /* by MAX_CONN_INFLIGHT */
	bool wants_bulk; /* stopped until rpc_service_bulk_ready() */
	bool said_bye;	 /* disconnect was asked for */
	LIST_ENTRY(sconn) link;
};

struct op {
	struct rpc_op pub;
	struct wire_hdr hdr;
	struct sconn *conn; /* NULL: nobody to answer any more */
	rpc_handler_fn *handler;
	void *req, *rep;
	struct rpc_frame *in, *out;
	void *bulk_cookie;
	struct arena_chunk *arena;
	uint64_t start_ns;
	bool told;   /* why it failed is in the log already */
	bool stored; /* the reply is of the first execution */
	LIST_ENTRY(op) link;
};

enum { SESSION_HASH = 4096 };

struct rpc_service {
	struct rpc_service_cfg cfg;
	struct net_listener *listener;
	rpc_handler_fn *handler[RPC_NR_MAX];
	LIST_HEAD(, op) ops;
	LIST_HEAD(, sconn) conns;
	TAILQ_HEAD(, rpc_session) sessions;
	LIST_HEAD(, rpc_session) by_uuid[SESSION_HASH];
	struct co_waitq idle_q; /* nops became 0 */
	struct co_waitq ended_q; /* an op of a session that is ending is over */
	uint32_t nops, nsessions;
	uint32_t ping_ms; /* peers say something at least so often */
	bool stopping;
	struct loop_timer reap_timer;
	struct stat_counter stats[RPC_NR_MAX];
};

/* rpc_server.c */
struct sconn *rpc_server_conn_new(struct rpc_service *s, struct net_conn *net);
must_check int rpc_server_handover(struct sconn *c, struct rpc_service *to,
				   struct rpc_frame *connect);

static inline void rpc_server_heard(struct sconn *c)
{
	c->heard_ns = loop_now(c->svc->cfg.loop);
}

/* rpc_session.c: connect, sessions, their end */
void rpc_server_connect(struct sconn *c, struct rpc_frame *f); /* takes the frame; answers */
void rpc_server_session_unbind(struct sconn *c);
void rpc_server_reap(void *svc);
void rpc_server_close_sessions(struct rpc_service *s); /* suspends */
void rpc_server_free_sessions(struct rpc_service *s);

/* rpc_common.c: disconnect, ping, parameters */
void rpc_common_handlers(struct rpc_service *s);
