/* SPDX-License-Identifier: Apache-2.0 */
/* sim_net.h - the doors of the simulated network: what a harness may do to it.
 *
 * Node n has the address 10.0.0.n. All faults are off at sim_net_begin(). Functions that act at
 * once (drop, partition, pause) may be called between steps only.
 */
#pragma once
#include "common/net.h"

struct sim_net {
	/* a message's way, and the time a sender's kernel takes: random up to */
	uint64_t delay_min_ns, delay_max_ns;
	uint32_t window_bytes;	     /* under way in a connection before its sender must wait */
	uint32_t drop_per_million;   /* a message's connection breaks instead of delivering it */
	uint32_t refuse_per_million; /* a connect fails */
	uint32_t slow_per_million;   /* a message takes slow_ns more */
	uint64_t slow_ns;
	/* counters */
	uint64_t delivered, bytes, dropped, connects;
};

/* The one network of the world; its fields may be changed at any time. */
struct sim_net *sim_net(void);
/* Defaults, empty. */
void sim_net_begin(void);
/* No connections and listeners are left (asserted). */
void sim_net_end(void);

/* Address of a node. */
void sim_net_nid(uint32_t node, uint16_t port, struct nid *out);
/* Breaks the k-th live connection (modulo their number); both ends see -ECONNRESET, and what was
 * under way is lost. False when there is none. */
bool sim_net_drop(uint64_t k);
/* Breaks every connection of a node. */
void sim_net_drop_node(uint32_t node);
/* Nothing passes between two nodes until heal: messages wait, connects time out. */
void sim_net_partition(uint32_t a, uint32_t b, bool cut);
/* A node's messages, in and out, wait until it goes on. */
void sim_net_pause(uint32_t node, bool on);
/* A node that is off: its connections break, what was under way is lost, connects are refused. */
void sim_net_down(uint32_t node, bool off);
/* Called for each delivered message, for traces. */
typedef void sim_net_deliver_fn(const char *from, const char *to, const struct msg *m);
void sim_net_on_deliver(sim_net_deliver_fn *fn);
