/* SPDX-License-Identifier: Apache-2.0 */
/* net_int.h - the inside of the simulated network; only net_sim.c includes it. */
#pragma once
#include "common/limits.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_net.h"

enum { MAX_NODES = 64, FIRST_FREE_PORT = 30000 };
#define CONNECT_TIMEOUT_NS (5 * NSEC_PER_SEC)
#define PAUSE_POLL_NS NSEC_PER_MSEC

enum conn_state { CONN_CONNECTING, CONN_OPEN, CONN_CLOSING, CONN_DEAD };

/* A message on its way to `the other end`: bytes as they would be on the wire. */
struct frame {
	uint64_t arrives_ns;
	uint32_t body_len, bulk_len;
	bool eof; /* the sender closed: the last frame */
	STAILQ_ENTRY(frame) link;
	uint8_t bytes[]; /* header, body, bulk */
};

struct net_conn {
	uint64_t id; /* the same at both ends; numbers connections in the order they were made */
	bool client;   /* this end connected */
	bool accepted; /* and the other end knows */
	enum conn_state state;
	struct loop *loop;
	uint32_t node;
	uint16_t port; /* of our end */
	const struct net_ops *ops;
	void *arg;
	struct net_conn *peer; /* NULL when that end is gone */
	uint32_t peer_node;
	char peer_name[NID_STRLEN];
	int close_rc;

	/* sending */
	STAILQ_HEAD(, msg) queue;
	uint64_t unsent;
	struct loop_timer tx;
	uint64_t last_arrival_ns;
	uint64_t in_flight; /* bytes in the other end's inbox */

	/* receiving */
	STAILQ_HEAD(, frame) inbox;
	struct loop_timer rx;
	uint32_t stops;
	bool bulk_wait;	  /* want_bulk said -EAGAIN */
	struct msg *part; /* header and body are delivered, bulk is not */

	struct loop_timer end; /* on_connect or on_close */
	struct loop_work move; /* net_move */
	struct loop_work *then;
	struct loop *to;
	TAILQ_ENTRY(net_conn) link;
};

struct net_listener {
	struct loop *loop;
	struct nid at;
	uint32_t node;
	net_accept_fn *fn;
	void *arg;
	TAILQ_ENTRY(net_listener) link;
};
