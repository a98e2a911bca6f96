/* SPDX-License-Identifier: Apache-2.0 */
/* net_tcp_listen.c - listeners of net.h over TCP. When the process is out of descriptors it stops
 * accepting for a second instead of spinning. Who may connect is the user's business
 * (net_accept_fn). */
#include "common/log.h"
#include "common/loop_fd.h"
#include "common/net_tcp.h"
#include <stdlib.h>
#include <unistd.h>

enum { ACCEPT_MAX = 64 }; /* for one wake-up */

struct net_listener {
	struct loop *l;
	struct loop_fd *w;
	struct loop_timer pause; /* while there are no descriptors left */
	int fd;
	net_accept_fn *fn;
	void *arg;
	struct nid local;
};

static void on_accept(void *arg, int events)
{
	struct net_listener *s = arg;
	int i;

	(void)events;
	for (i = 0; i < ACCEPT_MAX; i++) {
		struct nid peer = {.addr_len = sizeof(peer.addr)};
		int fd = accept4(s->fd, (struct sockaddr *)&peer.addr, &peer.addr_len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			net_tcp_accept(s->l, fd, &peer, s->fn, s->arg);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_err("net: cannot take a connection: %s", err_str(errno));
			loop_fd_set(s->w, 0); /* it would wake us for ever */
			loop_timer_start(s->l, &s->pause, (uint64_t)NSEC_PER_SEC);
			return;
		}
		if (errno == EAGAIN)
			return;
		/* Anything else concerns the one connection only. */
	}
}

static void accept_again(void *arg)
{
	struct net_listener *s = arg;

	loop_fd_set(s->w, LOOP_READ);
}

static int listener_start(struct net_listener *s, const struct nid *at)
{
	int rc, on = 1;

	s->fd = socket(at->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return -errno;
	/* A restarted server gets its port while old connections linger. */
	if (setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
		return -errno;
	net_tcp_set_buffers(s->fd);
	s->local.addr_len = sizeof(s->local.addr);
	if (bind(s->fd, (const struct sockaddr *)&at->addr, at->addr_len) ||
	    listen(s->fd, SOMAXCONN) ||
	    getsockname(s->fd, (struct sockaddr *)&s->local.addr, &s->local.addr_len))
		return -errno;
	rc = loop_fd_create(s->l, s->fd, on_accept, s, &s->w);
	if (rc == 0)
		loop_fd_set(s->w, LOOP_READ);
	return rc;
}

int net_listen(struct loop *l, const struct nid *at, net_accept_fn *fn, void *arg,
	       struct net_listener **out)
{
	struct net_listener *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->l = l;
	s->fn = fn;
	s->arg = arg;
	s->pause.fn = accept_again;
	s->pause.arg = s;
	rc = listener_start(s, at);
	if (rc) {
		if (s->fd >= 0)
			close(s->fd);
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void net_listener_local(const struct net_listener *s, struct nid *out)
{
	*out = s->local;
}

void net_unlisten(struct net_listener *s)
{
	if (!s)
		return;
	loop_timer_stop(s->l, &s->pause);
	loop_fd_destroy(s->w);
	close(s->fd);
	free(s);
}
