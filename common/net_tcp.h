/* SPDX-License-Identifier: Apache-2.0 */
/* net_tcp.h - what net_tcp.c (connections) and net_tcp_listen.c (listeners) share. Nobody else
 * includes it. Never suspends. */
#pragma once
#include "common/net.h"

/* Makes a connection of an accepted socket, which it takes, and offers it to fn. */
void net_tcp_accept(struct loop *l, int fd, const struct nid *peer, net_accept_fn *fn,
		    void *fn_arg);
/* Buffer sizes; before connect() and listen(). */
void net_tcp_set_buffers(int fd);
