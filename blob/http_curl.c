/* SPDX-License-Identifier: Apache-2.0 */
/* http_curl.c - http.h on libcurl's multi interface and the loop's descriptors and timers.
 *
 * The only file that includes curl.h. libcurl needs more stack than a fiber has, so a fiber only
 * queues its flight and asks the loop to run it (`work`); everything that touches a handle runs
 * from `work`, a descriptor or the timer. A flight ends once, in finish(), on the main stack.
 *
 * A sink that is slow pauses its transfer: the buffer `stream` is handed to the fiber as a whole
 * and replaced by the one that the fiber had before. */
#include "blob/http.h"
#include "common/loop_fd.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#define IDLE_MAX   32   /* handles that are kept */
#define SLOW_BYTES 256L /* a second: less is a stall, whoever drips it */

struct http {
	struct loop *l;
	struct http_config c;
	CURLM *multi;
	struct loop_timer timer;
	uint32_t running;
	bool stopped;
	struct co_waitq slots;
	TAILQ_HEAD(, http_flight) flights;
	CURL *idle[IDLE_MAX];
	uint32_t nidle;
};

struct http_flight {
	struct http *h;
	struct http_req *r;
	CURL *easy; /* NULL: not started or over */
	struct curl_slist *headers;
	uint64_t body_at, body_len, fault_len;
	struct str stream, spare;
	bool paused, resume, canceled, done;
	bool accepted;
	struct loop_timer stall;
	uint64_t last_ns; /* when a byte went or came, or the sink let go */
	int rc;           /* what libcurl's words do not say: our own refusal */
	int result;       /* once done */
	struct loop_work work;
	struct co_waitq q;
	char words[CURL_ERROR_SIZE];
	TAILQ_ENTRY(http_flight) link;
};

int http_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -EIO;
}

/* ---- what libcurl calls ---- */

static void moved(struct http_flight *f)
{
	f->last_ns = loop_now(f->h->l);
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct http_flight *f = arg;

	moved(f);
	headers_line(&f->r->headers_in, p, size * n);
	if (f->r->headers_in.failed) {
		f->rc = f->r->headers_in.failed;
		return 0;
	}
	return size * n;
}

static bool good(const struct http_flight *f)
{
	return f->r->headers_in.status >= 200 && f->r->headers_in.status <= 299;
}

/* The head is complete. Once, before the first byte of the body or at the end. */
static int accept_head(struct http_flight *f)
{
	if (f->accepted || !good(f))
		return 0;
	f->accepted = true;
	return f->r->accept ? f->r->accept(f->r->accept_arg, &f->r->headers_in) : 0;
}

static int take_body(struct http_flight *f, const char *p, size_t len)
{
	struct http_req *r = f->r;

	if (r->buf) {
		if (len > r->buf_max - r->got)
			return -EBADMSG;
		memcpy((char *)r->buf + r->got, p, len);
	} else if (r->sink) {
		str_add(&f->stream, p, len);
		if (f->stream.failed)
			return f->stream.failed;
	} else if (r->text) {
		str_add(r->text, p, len);
		if (r->text->failed)
			return r->text->failed == -ENOMEM ? -ENOMEM : -EBADMSG;
	} else {
		return -EBADMSG;
	}
	r->got += len;
	if (r->sink)
		co_wake_all(&f->q);
	else if (r->progress)
		r->progress(r->progress_arg, r->got);
	return 0;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_flight *f = arg;
	size_t len = size * n;

	moved(f);
	if (!good(f)) {
		size_t left = HTTP_FAULT_MAX - min_u64(f->r->fault.len, HTTP_FAULT_MAX);

		str_add(&f->r->fault, p, min_u64(len, left));
		f->fault_len += len;
		if (f->fault_len > 16 * HTTP_FAULT_MAX) /* nobody explains himself so long */
			f->rc = -EBADMSG;
		return f->rc ? 0 : len;
	}
	if (f->rc == 0)
		f->rc = accept_head(f);
	if (f->rc)
		return 0;
	if (f->r->sink && f->stream.len && f->stream.len + len > HTTP_STREAM_MAX) {
		f->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	f->rc = take_body(f, p, len);
	return f->rc ? 0 : len;
}

static size_t on_read(char *p, size_t size, size_t n, void *arg)
{
	struct http_flight *f = arg;
	size_t want = size * n, done = 0;
	uint64_t skip = f->body_at;

	moved(f);
	for (int i = 0; i < f->r->niov && done < want; i++) {
		const struct iovec *v = &f->r->iov[i];
		size_t part;

		if (skip >= v->iov_len) {
			skip -= v->iov_len;
			continue;
		}
		part = min_u64(v->iov_len - skip, want - done);
		memcpy(p + done, (char *)v->iov_base + skip, part);
		done += part;
		skip = 0;
	}
	f->body_at += done;
	return done;
}

/* A kept connection turned out to be dead: the body is sent again from its beginning. */
static int on_seek(void *arg, curl_off_t to, int whence)
{
	struct http_flight *f = arg;

	if (whence != SEEK_SET || to < 0 || (uint64_t)to > f->body_len)
		return CURL_SEEKFUNC_FAIL;
	f->body_at = (uint64_t)to;
	return CURL_SEEKFUNC_OK;
}

/* Before each sending. libcurl sends again by itself when a kept connection ends without a byte of
 * an answer; whether the first one was executed nobody knows. */
static int on_send(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	struct http_flight *f = arg;

	(void)peer, (void)local, (void)peer_port, (void)local_port;
	f->r->sent++;
	moved(f);
	return CURL_PREREQFUNC_OK;
}

/* ---- a flight ---- */

/* Gives the fiber its answer. The last thing that touches f on this side. */
static void finish(struct http_flight *f, int rc)
{
	if (f->easy) {
		struct http *h = f->h;

		curl_multi_remove_handle(h->multi, f->easy);
		if (h->nidle < IDLE_MAX) {
			curl_easy_reset(f->easy);
			h->idle[h->nidle++] = f->easy;
		} else {
			curl_easy_cleanup(f->easy);
		}
		f->easy = NULL;
	}
	curl_slist_free_all(f->headers);
	f->headers = NULL;
	loop_timer_stop(f->h->l, &f->stall);
	f->result = rc;
	f->done = true;
	co_wake_all(&f->q);
}

static int result_of(struct http_flight *f, CURLcode code)
{
	struct http_req *r = f->r;

	if (code == CURLE_OK && f->rc == 0)
		f->rc = accept_head(f);
	snprintf(r->words, sizeof(r->words), "%s",
		 f->words[0] ? f->words : curl_easy_strerror(code));
	if (f->rc)
		return f->rc;
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
		return -EPROTO;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
		return -EINVAL;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return -EBADMSG;
	default: /* not found, refused, reset, ended in the middle (CURLE_PARTIAL_FILE, chunks) */
		return -ECONNRESET;
	}
}

static void reap(struct http *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left))) {
		struct http_flight *f;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&f);
		f->r->status = f->r->headers_in.status;
		finish(f, result_of(f, code));
	}
}

static void set_body(struct http_flight *f)
{
	struct http_req *r = f->r;
	CURL *e = f->easy;

	for (int i = 0; i < r->niov; i++)
		f->body_len += r->iov[i].iov_len;
	if (strcmp(r->method, "HEAD") == 0) {
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	} else if (strcmp(r->method, "PUT") == 0 || strcmp(r->method, "POST") == 0) {
		curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)f->body_len);
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
	} else {
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
	}
}

static void set_callbacks(struct http_flight *f)
{
	CURL *e = f->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, f);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, f->words);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, f);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(e, CURLOPT_READDATA, f);
	curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(e, CURLOPT_SEEKDATA, f);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_send);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, f);
}

static void set_transport(struct http_flight *f)
{
	struct http *h = f->h;
	CURL *e = f->easy;

	curl_easy_setopt(e, CURLOPT_URL, f->r->url);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, f->headers);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L); /* "a/../b" is a name like others */
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "sheen");
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 256L << 10);
	curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)h->c.connect_ms);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)((h->c.stall_ms + 999) / 1000));
	if (h->c.ca_file)
		curl_easy_setopt(e, CURLOPT_CAINFO, h->c.ca_file);
	/* A proxy of the environment must not see the tokens of this machine's identity. */
	if (strncmp(f->r->url, "http://169.254.", 15) == 0)
		curl_easy_setopt(e, CURLOPT_PROXY, "");
}

static int add_header(struct http_flight *f, const char *name, const char *value)
{
	CLEANUP(str_fini) struct str line = STR_INIT;
	struct curl_slist *more;

	/* libcurl's way to say a header without a value */
	str_printf(&line, value[0] ? "%s: %s" : "%s;", name, value);
	more = line.failed ? NULL : curl_slist_append(f->headers, line.p);
	if (!more)
		return -ENOMEM;
	f->headers = more;
	return 0;
}

static int launch(struct http_flight *f)
{
	struct http *h = f->h;
	struct curl_slist *more;
	int rc = 0;

	for (uint32_t i = 0; i < f->r->headers->n && rc == 0; i++)
		rc = add_header(f, f->r->headers->v[i].name, f->r->headers->v[i].value);
	/* No pause for "100 Continue": it would cost a round trip for each block. */
	more = rc ? NULL : curl_slist_append(f->headers, "Expect:");
	if (!more)
		return -ENOMEM;
	f->headers = more;
	f->easy = h->nidle ? h->idle[--h->nidle] : curl_easy_init();
	if (!f->easy)
		return -ENOMEM;
	set_transport(f);
	set_callbacks(f);
	set_body(f);
	if (curl_multi_add_handle(h->multi, f->easy) != CURLM_OK)
		return -ENOMEM;
	return 0;
}

/* libcurl's own measure is an average of seconds; this one says when nothing moves. Connecting has
 * a limit of its own, and a sink may take its time. */
static void on_stall(void *arg)
{
	struct http_flight *f = arg;
	uint64_t limit = f->h->c.stall_ms * (uint64_t)NSEC_PER_MSEC, now = loop_now(f->h->l);

	if (f->paused || f->resume || !f->r->sent)
		moved(f);
	if (now - f->last_ns < limit) {
		loop_timer_start(f->h->l, &f->stall, f->last_ns + limit - now);
		return;
	}
	snprintf(f->r->words, sizeof(f->r->words), "nothing came for %u ms", f->h->c.stall_ms);
	f->r->status = 0;
	finish(f, -ETIMEDOUT);
}

/* Main stack: what the fiber asked for. */
static void work(void *arg)
{
	struct http_flight *f = arg;
	int rc;

	if (f->done)
		return;
	if (f->canceled) {
		finish(f, -ECANCELED);
		return;
	}
	if (f->resume) {
		f->resume = false;
		curl_easy_pause(f->easy, CURLPAUSE_CONT);
		/* What was held back is delivered in there, and may end the transfer. */
		reap(f->h);
		return;
	}
	if (f->easy)
		return;
	moved(f);
	f->stall.fn = on_stall;
	f->stall.arg = f;
	loop_timer_start(f->h->l, &f->stall, f->h->c.stall_ms * (uint64_t)NSEC_PER_MSEC);
	rc = launch(f);
	if (rc) {
		snprintf(f->r->words, sizeof(f->r->words), "no memory for a request");
		finish(f, rc);
	}
}

/* ---- sockets and time ---- */

struct watch {
	struct http *h;
	struct loop_fd *fd;
	curl_socket_t s;
};

static void on_fd(void *arg, int events)
{
	struct watch *w = arg;
	struct http *h = w->h;
	int running, mask = (events & LOOP_READ ? CURL_CSELECT_IN : 0) |
			    (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(h->multi, w->s, mask, &running); /* may free w */
	reap(h);
}

static int on_socket(CURL *easy, curl_socket_t s, int what, void *arg, void *socket_arg)
{
	struct http *h = arg;
	struct watch *w = socket_arg;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w)
			loop_fd_destroy(w->fd);
		free(w);
		curl_multi_assign(h->multi, s, NULL);
		return 0;
	}
	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w || loop_fd_create(h->l, s, on_fd, w, &w->fd)) {
			free(w);
			return -1;
		}
		w->h = h;
		w->s = s;
		curl_multi_assign(h->multi, s, w);
	}
	loop_fd_set(w->fd, (what & CURL_POLL_IN ? LOOP_READ : 0) |
				   (what & CURL_POLL_OUT ? LOOP_WRITE : 0));
	return 0;
}

static void on_time(void *arg)
{
	struct http *h = arg;
	int running;

	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	reap(h);
}

/* libcurl must not be entered from here, so "at once" is a timer as well. */
static int on_timer(CURLM *multi, long ms, void *arg)
{
	struct http *h = arg;

	(void)multi;
	if (ms < 0)
		loop_timer_stop(h->l, &h->timer);
	else
		loop_timer_start(h->l, &h->timer, (uint64_t)ms * (uint64_t)NSEC_PER_MSEC);
	return 0;
}

/* ---- interface ---- */

int http_create(struct loop *l, const struct http_config *c, struct http **out)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->multi = curl_multi_init();
	if (!h->multi) {
		free(h);
		return -ENOMEM;
	}
	h->l = l;
	h->c = *c;
	h->timer.fn = on_time;
	h->timer.arg = h;
	TAILQ_INIT(&h->flights);
	co_waitq_init(&h->slots);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)c->max_requests);
	curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	*out = h;
	return 0;
}

void http_destroy(struct http *h)
{
	if (!h)
		return;
	assert(TAILQ_EMPTY(&h->flights));
	while (h->nidle)
		curl_easy_cleanup(h->idle[--h->nidle]);
	curl_multi_cleanup(h->multi);
	loop_timer_stop(h->l, &h->timer);
	free(h);
}

static void cancel(struct http_flight *f)
{
	f->canceled = true;
	loop_defer(f->h->l, &f->work);
}

void http_stop(struct http *h)
{
	struct http_flight *f;

	h->stopped = true;
	TAILQ_FOREACH(f, &h->flights, link)
	cancel(f);
	co_wake_all(&h->slots);
}

/* Nobody but the other side ends this wait. */
static void co_await (struct co_waitq *q)
{
	int rc = co_wait(q, 0);

	assert(rc == 0);
}

/* Hands what has come to the sink, until the transfer is over. The first thing that the sink does
 * not like ends the transfer. */
static int co_drain(struct http_flight *f)
{
	int rc = 0;

	for (;;) {
		struct str piece;

		while (f->stream.len == 0 && !f->done)
			co_await (&f->q);
		if (f->stream.len == 0)
			return rc;
		piece = f->stream;
		f->stream = f->spare;
		f->spare = piece;
		if (f->paused && !f->done) {
			f->paused = false;
			f->resume = true;
			loop_defer(f->h->l, &f->work);
		}
		if (rc == 0) {
			rc = f->r->sink(f->r->sink_arg, f->spare.p, f->spare.len);
			if (rc && !f->done)
				cancel(f);
		}
		str_clear(&f->spare);
	}
}

int http_co_send(struct http *h, struct http_req *r)
{
	struct http_flight f = {.h = h, .r = r};
	int rc = 0;

	while (h->running >= h->c.max_requests && !h->stopped)
		co_await (&h->slots);
	if (h->stopped)
		return -ECANCELED;
	h->running++;
	f.work = (struct loop_work){.fn = work, .arg = &f};
	co_waitq_init(&f.q);
	r->flight = &f;
	r->got = 0;
	TAILQ_INSERT_TAIL(&h->flights, &f, link);
	loop_defer(h->l, &f.work);
	if (r->sink)
		rc = co_drain(&f);
	while (!f.done)
		co_await (&f.q);
	while (f.work.queued) /* it points into this stack */
		co_yield ();
	TAILQ_REMOVE(&h->flights, &f, link);
	r->flight = NULL;
	str_fini(&f.stream);
	str_fini(&f.spare);
	h->running--;
	co_wake_one(&h->slots);
	return rc ? rc : f.result;
}

void http_req_fini(struct http_req *r)
{
	headers_fini(&r->headers_in);
	str_fini(&r->fault);
}
