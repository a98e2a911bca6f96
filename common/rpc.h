/* SPDX-License-Identifier: Apache-2.0 */
/* rpc.h - remote calls: imports (client side) and services (server side) over net.h.
 *
 * CLIENT. An rpc_import is one server as seen from one loop (a lane): a connection that is made
 * and made again over a list of NIDs, a session, slots for modifying requests, and the calls in
 * flight. A call waits for a working connection, is sent, sent again after a reconnect under the
 * same xid, and ends with the reply, its deadline, or the end of the import. If the server has
 * another boot id after a reconnect (it restarted), the import's on_restart fiber runs first
 * (reclaim of opens and locks). Replies to requests that changed something carry a number
 * (transno): who is to do them again after a loss of power of the server keeps them (on_reply)
 * until the server says that they are on its disk, and sends them with rpc_co_replay().
 *
 * SERVER. An rpc_service dispatches requests of its connections to handlers, each in a fiber. It
 * checks session, epoch and body, finds resent modifying requests by the service's replay hooks,
 * limits requests in flight per connection (then it stops reading the socket), counts and times,
 * logs failures once. A handler fills its reply struct and returns 0 or -errno; the service's
 * gate may hold the reply back until a transaction is on disk.
 *
 * One loop each; nothing here is shared between threads.
 */
#pragma once
#include "common/co.h"
#include "common/net.h"
#include "common/proto/proto.h"
#include "common/stats.h"
#include "common/target.h"

struct params;

/* ------------------------------------------------------------------ client */

struct rpc_client_cfg {
	struct loop *loop;
	uint8_t uuid[UUID_LEN]; /* of the client; the same on all its lanes */
	uint32_t kind;		/* enum peer_kind */
	const char *name;	/* for the server's log: "client host pid" */
	uint32_t lane;
};

enum import_state { IMP_DISCONN, IMP_CONNECTING, IMP_RECLAIM, IMP_FULL, IMP_CLOSED };

struct rpc_import;

/* What a slot was used for last, in memory that may outlive the process: for whom (fiber_tag()),
 * and how the server knows the request. */
struct rpc_note {
	uint64_t tag, xid;
	uint32_t nr;
	_Atomic uint32_t claimed;
};

struct rpc_import_cfg {
	const struct rpc_client_cfg *client; /* kept by pointer */
	const char *target;		     /* "lustre-OST0000"; copied */
	struct nid_list nids;
	/* The server forgot us (restart or eviction): reclaim what we hold; runs in a fiber before
	 * waiting calls are sent; may call with RPC_CALL_RECLAIM. Optional. */
	void (*on_restart)(void *arg, struct rpc_import *imp, bool evicted);
	/* A reply has come, whose request may have to be done again: as it comes from the
	 * connection, before its caller knows. Optional. */
	void (*on_reply)(void *arg, const struct msg *req, const struct msg *rep);
	/* Before a request that changes something: waits until it may be kept. Optional. */
	void (*co_room)(void *arg, struct rpc_import *imp);
	/* State changed (for lfs check, lctl dl). Optional. */
	void (*on_state)(void *arg, struct rpc_import *imp, enum import_state s);
	void *arg;
	uint32_t timeo_ms; /* a server that owes answers may say nothing for so long; 0: ever */
	bool soft;	   /* see rpc_soft.c */
	_Atomic bool *told; /* the log has it; of all imports to that server. NULL: of this one */
	/* Optional. Notes by slot number - 1, to be kept; and those that another process has left.
	 * Who works for the same as a request of that process repeats that very request, so it is
	 * executed once. Until rpc_import_settle() slots with such notes are not used otherwise. */
	struct rpc_note *notes, *claims;
	uint32_t nclaims;
	uint64_t session, boot_id; /* of that process; 0: there was none */
};

must_check int rpc_import_create(const struct rpc_import_cfg *cfg, struct rpc_import **out);
/* Ends: sends disconnect if connected (waits up to timeout_ms for it), fails calls with
 * -ENOTCONN. Suspends. */
void rpc_import_co_destroy(struct rpc_import *imp, uint32_t timeout_ms);
/* Addresses of the server, tried in turn from the first one on; the one that works is kept. boot:
 * of the life that serves there now (imperative recovery), 0 if unknown. A connection to another
 * life, or an attempt to make one, ends at once. The same news again changes nothing. */
void rpc_import_set_nids(struct rpc_import *imp, const struct nid_list *nids, uint64_t boot);
/* Slots with claims for a tag that `open` does not know are free now. */
void rpc_import_settle(struct rpc_import *imp, bool (*open)(void *arg, uint64_t tag), void *arg);
/* Inactive: calls fail at once with -EIO (lctl deactivate). */
void rpc_import_set_active(struct rpc_import *imp, bool active);
enum import_state rpc_import_state(const struct rpc_import *imp);
const char *rpc_import_state_name(enum import_state s);
const char *rpc_import_target(const struct rpc_import *imp);
/* Address in use, "" if none. */
const char *rpc_import_peer(const struct rpc_import *imp);
bool rpc_import_local(const struct rpc_import *imp, struct nid *out);
/* Last failure to connect, 0 or -errno. */
int rpc_import_error(const struct rpc_import *imp);
/* All its addresses said so: nobody there is what is looked for, or understands us. */
bool rpc_import_refused(const struct rpc_import *imp);
uint64_t rpc_import_session(const struct rpc_import *imp);
/* Of the server's life that the connection is to, or was last. */
uint64_t rpc_import_boot(const struct rpc_import *imp);
bool rpc_import_connected(const struct rpc_import *imp);
/* Closes the connection, if there is one; it is made again. */
void rpc_import_reconnect(struct rpc_import *imp);
/* 0 when it works, -ETIMEDOUT, or what will not go away (-EPROTONOSUPPORT, -ENODEV). Suspends. */
must_check int rpc_import_co_wait(struct rpc_import *imp, uint32_t timeout_ms);
/* For so long the server owes answers (not to calls that may take long), and says nothing. */
uint64_t rpc_import_silent_ns(const struct rpc_import *imp);
/* Counters by RPC number: count and latency of calls over this import; RPC_NR_MAX entries. */
const struct stat_counter *rpc_import_stats(const struct rpc_import *imp);

enum rpc_call_flags {
	RPC_CALL_RECLAIM = 1,
	RPC_CALL_NOCRC = 2, /* send bulk without a checksum */
	RPC_CALL_NOW = 4,   /* others wait for it, whatever RPC_RIDES says */
	RPC_CALL_HARD = 8,  /* it was promised already: soft imports wait, too */
};

/* One call; memory of the caller, on its stack. Zero-initialise (RPC_CALL does). Replies hold
 * views into the reply's body, valid until rpc_call_fini(). */
struct rpc_call {
	/* set by the caller */
	uint32_t flags;
	uint32_t deadline_ms;	  /* give up after this long with -ETIMEDOUT; 0: never */
	const struct iovec *out;  /* bulk to send; must stay unchanged until the call returns */
	uint32_t out_n;
	struct iovec *in;	  /* where bulk of the reply goes */
	uint32_t in_n;
	/* set by the call */
	uint32_t in_len;	  /* bulk bytes received; checked against the sender's crc */
	struct wire_hdr hdr;	  /* of the reply */
	uint64_t xid;		  /* valid once sent, for mds_cancel */
	void (*on_sent)(void *arg, uint64_t xid); /* optional: the xid is known */
	void *on_sent_arg;
	struct msg *reply;
};

#define RPC_CALL(name) CLEANUP(rpc_call_fini) struct rpc_call name = {0}
void rpc_call_fini(struct rpc_call *call);

/* Sends and waits. The reply's status (0 or -errno), or -ETIMEDOUT, -ENOTCONN, -EIO (inactive, or
 * soft), -EBADMSG (undecodable, or bulk damaged each time). rep is only set on 0. Suspends. */
must_check int rpc_co_call(struct rpc_import *imp, const struct rpc_desc *d, struct rpc_call *call,
			   const void *req, void *rep);

/* A request that was answered, as it was sent: the body is followed by the body of its reply. */
struct rpc_kept {
	uint16_t rpc, slot;
	uint64_t xid, transno;
	int64_t time;
	const uint8_t *body;
	uint32_t body_len, reply_len;
};

/* From on_restart: asks the server to do it as it did it before, unless it has it. *hdr: of the
 * reply. Its status, -ECONNRESET when the connection is lost. Suspends. */
must_check int rpc_co_replay(struct rpc_import *imp, const struct rpc_kept *k,
			     struct wire_hdr *hdr);

#define RPC_STUB(nr_, srv, nm, flags_, doc_)                                                   \
	must_check static inline int srv##_co_##nm(struct rpc_import *imp, struct rpc_call *call, \
						   const struct srv##_##nm##_req *req,         \
						   struct srv##_##nm##_rep *rep)               \
	{                                                                                      \
		return rpc_co_call(imp, &srv##_##nm##_desc, call, req, rep);                   \
	}
ALL_RPCS(RPC_STUB)
#undef RPC_STUB

/* ------------------------------------------------------------------ server */

struct rpc_service;
struct rpc_op;

struct rpc_session {
	uint64_t id;
	uint32_t epoch;
	uint32_t kind; /* enum peer_kind */
	uint8_t uuid[UUID_LEN];
	char name[64];	     /* what the peer calls itself, printable */
	char peer[NID_STRLEN]; /* last address */
	uint32_t nconns;
	uint64_t idle_since_ns; /* loop time since it has no connection; 0 while it has */
	bool ending;		/* being closed: nobody finds it any more */
	void *priv;		/* of the service */
	TAILQ_ENTRY(rpc_session) link;
	LIST_ENTRY(rpc_session) hash;
};

/* A request being served. */
struct rpc_op {
	struct rpc_service *svc;
	struct rpc_session *session; /* NULL for RPC_NOSESSION requests before connect */
	const struct rpc_desc *desc;
	const struct wire_hdr *hdr;
	/* bulk of the request; its memory is the service's until the op ends */
	struct iovec *in;
	uint32_t in_n, in_len;
	/* bulk of the reply; set by the handler, kept until sent, then out_done(out_arg) */
	struct iovec *out;
	uint32_t out_n;
	void (*out_done)(void *arg);
	void *out_arg;
	uint64_t transno; /* of its change; goes into the reply's header, as time does */
	int64_t time;
	uint64_t batch;	  /* the service's, as durable is: what the gate goes by */
	bool durable;
	/* NULL: a new request; else one that is to be done again, and the reply that it had: the
	 * struct of its RPC. */
	const void *replayed;
	bool resent;	  /* sent before; an earlier life of the server may have executed it */
};

typedef int rpc_handler_fn(struct rpc_op *op, const void *req, void *rep);
struct rpc_handler {
	uint16_t nr;
	rpc_handler_fn *fn;
};

struct rpc_service_ops {
	/* A session is made or resumed. Non-zero refuses. Optional. */
	int (*session_open)(void *arg, struct rpc_session *s, const struct any_connect_req *q);
	/* It ended: disconnect, or no connection for session_timeout_ms. May suspend (runs in a
	 * fiber). Optional. */
	void (*session_co_close)(void *arg, struct rpc_session *s, bool evicted);
	/* Before the handler, in its fiber: 0: go on; 1: it was done before, and is answered with
	 * nothing; -errno refuses. May suspend. Optional. */
	int (*co_admit)(void *arg, struct rpc_op *op);
	/* Resent modifying request: if its reply is stored give the encoded reply body (valid
	 * until the next call) and 1; 0 when it was never executed. Optional. */
	int (*replay_find)(void *arg, struct rpc_op *op, int32_t *status, struct span *body);
	/* The handler of a modifying request succeeded: store the reply under (session, slot) in
	 * the same transaction. Not asked for handlers that failed. An op that changed nothing
	 * stored (open for reading) need not store. Optional; -errno fails the request. */
	int (*replay_store)(void *arg, struct rpc_op *op, int32_t status, struct span body);
	/* The handler is over, and the reply encoded. True: the gate took it and calls
	 * rpc_op_reply(op, rc) later. Optional. */
	bool (*gate)(void *arg, struct rpc_op *op);
	/* Newest change on disk, for reply headers. Optional. */
	uint64_t (*last_committed)(void *arg);
	/* Memory for bulk of requests: set iov (up to MAX_BULK_IOV) for len bytes; -EAGAIN when
	 * there is none now. */
	int (*bulk_get)(void *arg, uint32_t len, struct iovec **iov, uint32_t *n, void **cookie);
	void (*bulk_put)(void *arg, void *cookie);
};

struct rpc_service_cfg {
	struct loop *loop;
	const char *name; /* target that clients ask for; kept by pointer. For others: route */
	const struct rpc_handler *handlers;
	uint32_t nhandlers;
	const struct rpc_service_ops *ops;
	void *arg;
	struct params *params;	      /* answers get_param etc.; may be NULL */
	uint64_t boot_id;	      /* non-zero, new at each start of the server */
	uint32_t session_timeout_ms;  /* without any connection; 0: 30 s */
	/* Connect for a target that is not `name`: the service of this process that has it, or
	 * NULL. The connection moves to that service's loop. Optional. */
	struct rpc_service *(*route)(void *arg, const char *target);
};

must_check int rpc_service_create(const struct rpc_service_cfg *cfg, struct rpc_service **out);
/* Takes connections on an address. */
must_check int rpc_service_listen(struct rpc_service *s, const struct nid *at);
void rpc_service_local(const struct rpc_service *s, struct nid *out);
/* Refuses new requests, waits for running ones (up to timeout_ms), closes. Suspends. */
void rpc_service_co_stop(struct rpc_service *s, uint32_t timeout_ms);
/* After that: waits for requests that did not end in time. False: some still run. */
must_check bool rpc_service_co_drain(struct rpc_service *s, uint32_t timeout_ms);
void rpc_service_destroy(struct rpc_service *s);
/* How long an absent peer keeps its session; peers hear of it at their next connect. */
void rpc_service_set_session_timeout(struct rpc_service *s, uint32_t ms);
/* bulk_get failed with -EAGAIN before and might work now. */
void rpc_service_bulk_ready(struct rpc_service *s);
const struct stat_counter *rpc_service_stats(const struct rpc_service *s); /* RPC_NR_MAX entries */
void *rpc_service_arg(const struct rpc_service *s); /* cfg.arg */
uint32_t rpc_service_nsessions(const struct rpc_service *s);
struct rpc_session *rpc_service_session_next(struct rpc_service *s, struct rpc_session *prev);
/* The peer's; NULL: it has none, or that is ending. */
struct rpc_session *rpc_service_session_find(struct rpc_service *s, const uint8_t uuid[UUID_LEN]);
void rpc_service_evict(struct rpc_service *s, struct rpc_session *ses, const char *why);

/* Memory that lives until the reply is sent; NULL when out of memory. */
void *rpc_op_alloc(struct rpc_op *op, size_t len);
/* Ends an op that the gate held. rc != 0 replaces the reply by an error. Same loop, any stack. */
void rpc_op_reply(struct rpc_op *op, int rc);

/* Makes the handler table of a service: one checked thunk for each row of its list. */
#define PROTO_THUNK(nr_, srv, nm, flags_, doc_)                                                  \
	int srv##_##nm(struct rpc_op *op, const struct srv##_##nm##_req *q,                      \
		       struct srv##_##nm##_rep *p);                                              \
	static int serve_##srv##_##nm(struct rpc_op *op, const void *q, void *p)                 \
	{                                                                                        \
		return srv##_##nm(op, q, p);                                                     \
	}
#define PROTO_ROW(nr_, srv, nm, flags_, doc_) {nr_, serve_##srv##_##nm},
#define PROTO_SERVE(LIST, table) \
	LIST(PROTO_THUNK)        \
	static const struct rpc_handler table[] = {LIST(PROTO_ROW)};
