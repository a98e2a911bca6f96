/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - port: whole messages over connections.
 *
 * Two implementations: net_tcp.c (TCP on loop_fd.h) and tests/sim/net_sim.c (memory, with delay,
 * reordering between connections, loss of connections). Messages of one connection arrive in
 * order, whole and checked (header, lengths, crc of header and body; the crc of bulk data is
 * checked by rpc.c, where the error can be answered), or the connection closes.
 *
 * A connection belongs to one loop; callbacks come on its thread, on the main stack, and never
 * from inside a net_ call. Calls may be made on that thread from any stack. Never suspends. rpc.c
 * is the only user. */
#pragma once
#include "common/loop.h"
#include "common/nid.h"
#include "common/wire.h"
#include <sys/uio.h>

/* One frame. Whoever holds the pointer owns it and ends it with done(). body and the iovecs are the
 * owner's memory; net never frees them itself. */
struct msg {
	struct wire_hdr h;
	uint8_t *body;	   /* h.body_len bytes */
	struct iovec *iov; /* h.bulk_len bytes in all */
	uint32_t iov_n;
	void (*done)(struct msg *m, int rc); /* called once: sent (0), or given up (-errno) */
	void *owner;
	STAILQ_ENTRY(msg) link;
};

struct net_conn;

struct net_ops {
	/* A frame of h.body_len + h.bulk_len bytes is coming: give a msg with body memory. A null
	 * return closes the connection with -EPROTO (out of memory, or refused; the user logs
	 * why). */
	struct msg *(*get_msg)(void *arg, struct net_conn *c, const struct wire_hdr *h);
	/* Header and body are here and checked, bulk_len > 0: set m->iov to memory for it and
	 * return 0. -EAGAIN: no memory now; counts as one net_stop(), so reading stops until
	 * net_resume(), then this is asked again. Another error closes (the user logs it). For a
	 * reply nobody waits for, memory may be a bit bucket. */
	int (*want_bulk)(void *arg, struct net_conn *c, struct msg *m);
	/* A whole message. Ownership passes. */
	void (*on_msg)(void *arg, struct net_conn *c, struct msg *m);
	/* The connection is closed, by the peer or for rc (-ECONNRESET, -EBADMSG, -EPROTO, ...).
	 * Called once, never from inside another net_ call of the same stack depth; queued
	 * messages were given back with done(rc). The user forgets the pointer here. */
	void (*on_close)(void *arg, struct net_conn *c, int rc);
	/* net_connect() only: the connection works (0) or not (-errno; no on_close follows). */
	void (*on_connect)(void *arg, struct net_conn *c, int rc);
};

/* Starts to connect; on_connect tells. -ENOMEM, -EMFILE, ... at once. */
must_check int net_connect(struct loop *l, const struct nid *to, const struct net_ops *ops,
			   void *arg, struct net_conn **out);

/* Queues m. Messages queued in one pass of the loop leave in one system call where possible. */
void net_send(struct net_conn *c, struct msg *m);

/* Stop taking new messages from the socket (back-pressure), and go on. Counted: stops nest. */
void net_stop(struct net_conn *c);
void net_resume(struct net_conn *c);

/* Closes; on_close(rc) follows from the loop, also while it still connects (then no on_connect
 * does, unless the connect had failed already). */
void net_close(struct net_conn *c, int rc);

/* Bytes queued and not yet taken by the kernel. */
uint64_t net_unsent(const struct net_conn *c);
/* "10.0.0.1@tcp:1234", for logs. */
const char *net_peer(const struct net_conn *c);
/* Our own address on this connection. */
void net_local(const struct net_conn *c, struct nid *out);

/* ---- listening ---- */
struct net_listener;
/* Called for every new connection: set *ops and *arg for it. Non-zero refuses it. */
typedef int net_accept_fn(void *arg, struct net_conn *c, const struct net_ops **ops,
			  void **conn_arg);
/* -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, ... */
must_check int net_listen(struct loop *l, const struct nid *at, net_accept_fn *fn, void *arg,
			  struct net_listener **out);
void net_listener_local(const struct net_listener *s, struct nid *out);
void net_unlisten(struct net_listener *s);

/* Hands a connection over to another loop (another thread): from inside on_msg or between
 * callbacks. The connection must have nothing queued to send. From the return on, the old thread
 * must not touch it; `then` runs on the new loop, which sets the new ops with net_set_ops(). Bytes
 * that were read already go along. */
void net_move(struct net_conn *c, struct loop *to, struct loop_work *then);
void net_set_ops(struct net_conn *c, const struct net_ops *ops, void *arg);
