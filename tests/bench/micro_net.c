/* SPDX-License-Identifier: Apache-2.0 */
/* micro_net.c - loopback request and answer: bare epoll against io_uring against net_tcp.c.
 *
 * A client process asks with 112 bytes, a server process answers with 112 + SIZE; DEPTH requests
 * are kept in flight. "epoll" is recv/send with epoll_wait, "uring" one recv and one send in a
 * ring with submit-and-wait, both on a bare byte stream; "net_tcp" is the real transport with
 * frames, header checksums and bulk straight into place. Five interleaved rounds; median[min..max]
 * of requests a second and of CPU us (both processes, user and system) for each. Usage: micro_net
 * [ms per measurement] */
#include "common/limits.h"
#include "common/net.h"
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HDR = WIRE_HDR_LEN, ROUNDS = 5, ARENA = 32 << 20, PIECE = 1 << 20 };

struct peer {
	int fd;
	bool server;
	uint32_t size, depth;
	uint64_t owed;	       /* bytes to send */
	uint64_t in;	       /* bytes of the current unit that came */
	uint64_t done;	       /* units */
	uint32_t inflight;     /* client */
	uint64_t ms, end_ns;
	uint8_t *arena;
	size_t at;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* The clock of the client starts when the server is ready. */
static struct sockaddr_in read_port(struct peer *p, int port_fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	uint16_t port;

	must(read(port_fd, &port, sizeof(port)) == sizeof(port), "pipe");
	a.sin_port = htons(port);
	p->end_ns = now_ns() + p->ms * (uint64_t)NSEC_PER_MSEC;
	return a;
}

/* ---- the byte stream: what came in decides what goes out ---- */

static uint8_t *in_place(struct peer *p, size_t *len)
{
	size_t use = (size_t)min_u64(ARENA, max_u64(1 << 16, (uint64_t)p->size * p->depth));

	if (p->at >= use)
		p->at = 0;
	*len = (size_t)min_u64(use - p->at, PIECE);
	return p->arena + p->at;
}

/* False: the client is through. */
static bool stream_in(struct peer *p, size_t n)
{
	uint64_t unit = p->server ? HDR : HDR + p->size;

	p->at += n;
	p->in += n;
	while (p->in >= unit) {
		p->in -= unit;
		p->done++;
		if (p->server) {
			p->owed += HDR + p->size;
		} else if (now_ns() < p->end_ns) {
			p->owed += HDR;
		} else {
			p->inflight--;
		}
	}
	return p->server || p->inflight;
}

static size_t out_len(const struct peer *p)
{
	return (size_t)min_u64(p->owed, PIECE);
}

/* ---- engines ---- */

static bool try_send(struct peer *p)
{
	while (p->owed) {
		ssize_t n = send(p->fd, p->arena, out_len(p), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return false;
		must(n > 0, "send");
		p->owed -= (uint64_t)n;
	}
	return true;
}

static void run_epoll(struct peer *p)
{
	int ep = epoll_create1(0);
	struct epoll_event ev = {.events = EPOLLIN}, got;
	bool want_out = false;

	epoll_ctl(ep, EPOLL_CTL_ADD, p->fd, &ev);
	for (;;) {
		bool blocked = !try_send(p);

		if (blocked != want_out) {
			want_out = blocked;
			ev.events = EPOLLIN | (blocked ? EPOLLOUT : 0);
			epoll_ctl(ep, EPOLL_CTL_MOD, p->fd, &ev);
		}
		if (epoll_wait(ep, &got, 1, -1) < 1 || !(got.events & ~(unsigned)EPOLLOUT))
			continue;
		for (;;) {
			size_t len;
			uint8_t *to = in_place(p, &len);
			ssize_t n = recv(p->fd, to, len, MSG_DONTWAIT);

			if (n < 0 && errno == EAGAIN)
				break;
			if (n <= 0 || !stream_in(p, (size_t)n)) {
				close(ep);
				return;
			}
			if ((size_t)n < len)
				break;
		}
	}
}

static void run_uring(struct peer *p)
{
	struct io_uring_params prm = {.flags = IORING_SETUP_SINGLE_ISSUER |
					       IORING_SETUP_DEFER_TASKRUN};
	bool sending = false, receiving = false;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct io_uring r;
	size_t len;

	must(io_uring_queue_init_params(8, &r, &prm) == 0, "io_uring");
	for (;;) {
		if (p->owed && !sending) {
			sqe = io_uring_get_sqe(&r);
			io_uring_prep_send(sqe, p->fd, p->arena, out_len(p), MSG_NOSIGNAL);
			io_uring_sqe_set_data64(sqe, 1);
			sending = true;
		}
		if (!receiving) {
			uint8_t *to = in_place(p, &len);

			sqe = io_uring_get_sqe(&r);
			io_uring_prep_recv(sqe, p->fd, to, len, 0);
			io_uring_sqe_set_data64(sqe, 2);
			receiving = true;
		}
		io_uring_submit_and_wait(&r, 1);
		while (io_uring_peek_cqe(&r, &cqe) == 0) {
			int n = cqe->res;
			uint64_t what = io_uring_cqe_get_data64(cqe);

			io_uring_cqe_seen(&r, cqe);
			if (what == 1) {
				must(n > 0, "send");
				p->owed -= (uint64_t)n;
				sending = false;
			} else if (n <= 0 || !stream_in(p, (size_t)n)) {
				io_uring_queue_exit(&r);
				return;
			} else {
				receiving = false;
			}
		}
	}
}

/* ---- net_tcp.c ---- */

struct item {
	struct msg m;
	struct iovec iov;
	struct item *next;
};

static struct loop *l;
static struct peer *me;
static struct net_listener *lis;
static struct item *pool;

static void item_done(struct msg *m, int rc)
{
	struct item *i = container_of(m, struct item, m);

	(void)rc;
	i->next = pool;
	pool = i;
}

static struct item *item_get(void)
{
	struct item *i = pool;

	if (i)
		pool = i->next;
	else
		must((i = calloc(1, sizeof(*i))), "memory");
	i->m.done = item_done;
	i->m.iov_n = 0;
	return i;
}

static void item_send(struct net_conn *c, uint32_t bulk)
{
	struct item *i = item_get();

	i->m.h = (struct wire_hdr){.version = WIRE_VERSION, .bulk_len = bulk};
	i->iov = (struct iovec){me->arena, bulk};
	i->m.iov = &i->iov;
	i->m.iov_n = bulk ? 1 : 0;
	net_send(c, &i->m);
}

static struct msg *get_msg(void *arg, struct net_conn *c, const struct wire_hdr *h)
{
	(void)arg, (void)c, (void)h;
	return &item_get()->m;
}

static int want_bulk(void *arg, struct net_conn *c, struct msg *m)
{
	struct item *i = container_of(m, struct item, m);
	uint32_t slots = (uint32_t)min_u64(me->depth, ARENA / m->h.bulk_len);

	(void)arg, (void)c;
	i->iov = (struct iovec){me->arena + me->done % slots * m->h.bulk_len, m->h.bulk_len};
	m->iov = &i->iov;
	m->iov_n = 1;
	return 0;
}

static void on_msg(void *arg, struct net_conn *c, struct msg *m)
{
	(void)arg;
	m->done(m, 0);
	me->done++;
	if (me->server)
		item_send(c, me->size);
	else if (now_ns() < me->end_ns)
		item_send(c, 0);
	else if (--me->inflight == 0)
		net_close(c, 0);
}

static void on_close(void *arg, struct net_conn *c, int rc)
{
	(void)arg, (void)c, (void)rc;
	loop_stop(l);
}

static void on_connect(void *arg, struct net_conn *c, int rc)
{
	uint32_t i;

	(void)arg;
	must(rc == 0, "connect");
	for (i = 0; i < me->depth; i++)
		item_send(c, 0);
}

static const struct net_ops ops = {get_msg, want_bulk, on_msg, on_close, on_connect};

static int on_accept(void *arg, struct net_conn *c, const struct net_ops **o, void **conn_arg)
{
	(void)c;
	*o = &ops;
	*conn_arg = arg;
	return 0;
}

/* The server tells its port through out. */
static void run_net(struct peer *p, int port_fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct nid at = {.addr_len = sizeof(a)};
	struct net_conn *c;
	uint16_t port = 0;

	me = p;
	must(loop_create(&l) == 0, "loop");
	if (p->server) {
		memcpy(&at.addr, &a, sizeof(a));
		must(net_listen(l, &at, on_accept, NULL, &lis) == 0, "listen");
		net_listener_local(lis, &at);
		port = nid_port(&at);
		must(write(port_fd, &port, sizeof(port)) == sizeof(port), "pipe");
	} else {
		a = read_port(p, port_fd);
		memcpy(&at.addr, &a, sizeof(a));
		must(net_connect(l, &at, &ops, NULL, &c) == 0, "connect");
	}
	loop_run(l);
	net_unlisten(lis);
	lis = NULL;
	loop_destroy(l);
}

/* ---- measuring ---- */

enum engine { EPOLL, URING, NET_TCP, ENGINES };
static const char *const engine_name[] = {"epoll", "uring", "net_tcp"};

static void options(int fd)
{
	int on = 1, big = 4 << 20;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
}

static int tcp_pair(struct peer *p, int port_fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM, 0), fd;
	uint16_t port;

	options(s);
	if (!p->server) {
		a = read_port(p, port_fd);
		must(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
		return s;
	}
	must(bind(s, (struct sockaddr *)&a, len) == 0 && listen(s, 1) == 0 &&
		     getsockname(s, (struct sockaddr *)&a, &len) == 0, "listen");
	port = ntohs(a.sin_port);
	must(write(port_fd, &port, sizeof(port)) == sizeof(port), "pipe");
	fd = accept(s, NULL, NULL);
	must(fd >= 0, "accept");
	close(s);
	options(fd);
	return fd;
}

static double cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

struct result {
	double done, us;
};

static struct result run_peer(struct peer *p, enum engine e, int port_fd)
{
	double used;

	p->arena = malloc(ARENA + PIECE);
	must(p->arena != NULL, "memory");
	memset(p->arena, 1, ARENA + PIECE); /* before the clocks start */
	used = cpu_us();
	if (e == NET_TCP) {
		run_net(p, port_fd);
	} else {
		p->fd = tcp_pair(p, port_fd);
		p->owed = p->server ? 0 : (uint64_t)HDR * p->depth;
		(e == EPOLL ? run_epoll : run_uring)(p);
		close(p->fd);
	}
	used = cpu_us() - used;
	free(p->arena);
	return (struct result){p->server ? 0 : (double)p->done, used};
}

/* Client and server are both children: CPU time is theirs alone, and no state is carried on. */
static struct result measure(enum engine e, uint32_t size, uint32_t depth, uint64_t ms)
{
	struct result sum = {0, 0}, one;
	int ports[2], out[2], i, st;

	must(pipe(ports) == 0 && pipe(out) == 0, "pipe");
	for (i = 0; i < 2; i++)
		if (fork() == 0) {
			struct peer p = {.server = i == 0, .size = size, .depth = depth,
					 .inflight = depth, .ms = ms};

			one = run_peer(&p, e, i == 0 ? ports[1] : ports[0]);
			must(write(out[1], &one, sizeof(one)) == sizeof(one), "pipe");
			_exit(0);
		}
	for (i = 0; i < 2; i++) {
		must(wait(&st) > 0 && st == 0, "child");
		must(read(out[0], &one, sizeof(one)) == sizeof(one), "pipe");
		sum.done += one.done;
		sum.us += one.us;
	}
	for (i = 0; i < 2; i++) {
		close(ports[i]);
		close(out[i]);
	}
	return (struct result){sum.done * 1000 / (double)ms, sum.us / sum.done};
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = {4096, 1 << 20}, depths[] = {1, 16, 64};
	static double per_s[ENGINES][ROUNDS], us[ENGINES][ROUNDS];
	uint64_t ms = argc > 1 ? strtoull(argv[1], NULL, 0) : 300;
	unsigned s, d, e, r;

	if (!ms)
		return 1;
	for (s = 0; s < ARRAY_SIZE(sizes); s++)
		for (d = 0; d < ARRAY_SIZE(depths); d++) {
			for (r = 0; r < ROUNDS; r++)
				for (e = 0; e < ENGINES; e++) {
					struct result x = measure(e, sizes[s], depths[d], ms);

					per_s[e][r] = x.done;
					us[e][r] = x.us;
				}
			for (e = 0; e < ENGINES; e++) {
				qsort(per_s[e], ROUNDS, sizeof(double), by_value);
				qsort(us[e], ROUNDS, sizeof(double), by_value);
				printf("net %4u KiB depth %2u %-8s %7.0f [%.0f..%.0f] requests/s, "
				       "%.1f [%.1f..%.1f] CPU us\n", sizes[s] >> 10, depths[d],
				       engine_name[e], per_s[e][ROUNDS / 2], per_s[e][0],
				       per_s[e][ROUNDS - 1], us[e][ROUNDS / 2], us[e][0],
				       us[e][ROUNDS - 1]);
				fflush(stdout);
			}
		}
	return 0;
}
