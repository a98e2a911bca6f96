/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - HTTP requests from fibers over libcurl: connections that are kept, many at once.
 *
 * A struct http belongs to one loop and its thread. Fibers fill a struct http_req and wait in
 * http_co_send(); libcurl itself only ever runs on the loop's main stack. Names are resolved by
 * libcurl's own thread. Nothing blocks; TLS, and copies of bodies, cost the loop's time.
 *
 * Where a body of an answer goes: with a status of 200..299 to the place that the request names,
 * after `accept` has seen the head; of any other to `fault`, cut at HTTP_FAULT_MAX. A redirect is
 * an answer like others: credentials never follow it.
 *
 * An answer that is shorter or longer than it said, or than its place, is an error; what had
 * arrived before stands in `got`.
 */
#pragma once
#include "blob/headers.h"
#include "blob/str.h"
#include "common/co.h"
#include <sys/uio.h>

struct http;
struct http_flight; /* http_curl.c */

#define HTTP_FAULT_MAX  (64U << 10)
#define HTTP_STREAM_MAX (512U << 10) /* kept for a sink that is slow, before the peer must wait */

struct http_config {
	uint32_t max_requests; /* at once; more wait for their turn */
	uint32_t connect_ms;
	uint32_t stall_ms;   /* without a byte, before a request has failed */
	const char *ca_file; /* NULL: the system's; kept by pointer */
};

/* Pieces of a body, in the caller's fiber: it may suspend, and the peer waits meanwhile. Anything
 * but 0 ends the request with that. */
typedef int http_sink_fn(void *arg, const void *p, size_t len);

struct http_req {
	/* in */
	const char *method; /* "HEAD" has no body in its answer; "PUT" and "POST" send one */
	const char *url;
	const struct pairs *headers;
	const struct iovec *iov; /* body; must stay as it is until the answer has come */
	int niov;
	/* in: exactly one place, or none if no body may come */
	void *buf; /* up to buf_max bytes */
	size_t buf_max;
	struct str *text; /* up to text->max */
	http_sink_fn *sink;
	void *sink_arg;
	void (*progress)(void *arg, uint64_t got); /* NULL, or: buf holds so much; main stack */
	void *progress_arg;
	int (*accept)(void *arg, const struct headers *h); /* NULL, or: 0 lets the body in */
	void *accept_arg;

	/* out */
	int status;
	struct headers headers_in;
	struct str fault;
	uint64_t got;
	uint32_t sent; /* how often the service may have got it: 2 if a kept connection was dead */
	char words[256]; /* of a failure */

	struct http_flight *flight;
};

/* Before threads are started. -EIO */
must_check int http_init(void);
must_check int http_create(struct loop *l, const struct http_config *c, struct http **out);
/* No request may be waiting. */
void http_destroy(struct http *h);
/* All requests, those that wait too, and all that come, end with -ECANCELED. From the loop's
 * thread. */
void http_stop(struct http *h);

/* 0: an answer came as a whole, whatever its status. -ETIMEDOUT; -ECONNRESET: no connection, or it
 * broke; -EBADMSG: no HTTP, a head without end, a body of the wrong length; -EPROTO: TLS does not
 * trust the peer; -ECANCELED; or what accept or sink gave. Call http_req_fini() afterwards. */
must_check int http_co_send(struct http *h, struct http_req *r);
void http_req_fini(struct http_req *r);
