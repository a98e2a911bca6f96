/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_client.h - what rpc_call.c and rpc_import.c share; nobody else includes it. */
#pragma once
#include "common/rpc.h"
#include "common/rpc_msg.h"

enum {
	PENDING_HASH = 128,
	DISCARD_LEN = 64 << 10,
};

struct pending {
	struct rpc_import *imp;
	const struct rpc_desc *desc;
	struct rpc_call *call;
	struct rpc_frame *out;
	struct rpc_frame *in;	/* the reply, once whole */
	struct fiber *fiber;	/* suspended in co_reply, or NULL */
	struct loop_timer timer;
	struct loop_timer patience;
	bool in_net;		/* out is queued in the transport */
	bool receiving;		/* the reply's bulk is coming into call->in */
	bool riding;		/* in the import's list of those that wait for the next message */
	bool sent;		/* at least once: the next time carries WIRE_RESENT */
	bool timed_out;
	bool given_up;		/* timed_out by the import's patience, not by the call's */
	uint32_t retries;	/* after damaged bulk */
	bool again;		/* to be sent again as soon as the transport is done with it */
	int rc;			/* valid with done */
	bool done;
	uint64_t start_ns;
	TAILQ_ENTRY(pending) link;
	LIST_ENTRY(pending) hash;
	STAILQ_ENTRY(pending) ride;
};

struct rpc_import {
	struct rpc_import_cfg cfg;
	const struct rpc_client_cfg *client;
	struct loop *l;
	char target[MAX_TARGET_NAME];
	struct nid_list nids;
	uint32_t nid_at;
	uint32_t tries;		/* addresses that did not work since one did */
	uint32_t refusals;	/* of them, in a row, those whose answer will not change */
	uint64_t told_boot;	/* the server's life, as the MGS says */
	bool moved;		/* begin with the first address, now */
	enum import_state state;
	bool active, closing;
	bool main_running;
	int error;		/* why it does not work */
	int logged_error;	/* said once, not every second */
	struct net_conn *conn;
	char peer[NID_STRLEN];
	uint64_t session, boot_id;
	bool reclaim,
		evicted; /* the server has forgotten us, and on_restart has not got through yet */
	uint32_t epoch;
	uint32_t ping_ms;
	uint64_t next_xid;
	uint64_t slots; /* bit set: free */
	uint64_t last_recv_ns;
	uint64_t heard_ns;	/* the newest message of the server */
	_Atomic bool told;	/* the server's silence is in the log, see cfg.told */
	struct co_waitq slot_q, state_q;
	TAILQ_HEAD(, pending) calls;
	STAILQ_HEAD(, pending) rides; /* RPC_RIDES that wait for the next message or ride_timer */
	uint32_t nrides;
	struct loop_timer ride_timer;
	LIST_HEAD(, pending) hash[PENDING_HASH];
	struct co_waitq event_q; /* import_main sleeps here */
	int connect_rc;
	bool connecting;
	uint8_t *discard;
	struct stat_counter stats[RPC_NR_MAX];
};

/* rpc_call.c */
extern const struct net_ops rpc_import_net_ops;
void rpc_import_resend_all(struct rpc_import *imp);
/* Slots that another process used last are not to be taken; see rpc_import_settle(). */
void rpc_import_hold_claimed(struct rpc_import *imp);
/* Sends what waits for company. */
void rpc_import_send_rides(void *imp);
void rpc_import_fail_calls(struct rpc_import *imp, int rc);
/* The connection is lost: the calls that make it work again end, the others wait for the next
 * one. */
void rpc_import_fail_setup(struct rpc_import *imp, int rc);
/* rpc_soft.c: what becomes of calls of a server that is silent. */
void rpc_soft_begin(struct pending *p); /* p waits from now on; for setup calls nothing */
void rpc_soft_end(struct pending *p);
/* Like co_wait() on slot_q, but with the patience of the import for a call of d. 0 or -EIO. */
must_check int rpc_soft_co_slot(struct rpc_import *imp, const struct rpc_desc *d,
				const struct rpc_call *call, uint64_t since_ns);
void rpc_soft_heard(struct rpc_import *imp);
uint32_t rpc_soft_ping_ms(const struct rpc_import *imp);
/* rpc_call.c */
void rpc_call_give_up(struct pending *p);
/* rpc_import.c: the transport's news. */
void rpc_import_on_close(void *arg, struct net_conn *c, int rc);
void rpc_import_on_connect(void *arg, struct net_conn *c, int rc);
