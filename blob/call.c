/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - one request to the service: built, signed, sent, its failure understood, and made again
 * as long as that makes sense.
 *
 * Credentials that have expired (or a file that was replaced) are renewed once for a call; fibers
 * that meet the same expiry renew once together. An error never carries what was sent. */
#include "blob/blob_int.h"
#include "blob/xml.h"
#include "common/log.h"
#include <stdio.h>
#include <stdlib.h>

void call_fini(struct blob_call *c)
{
	pairs_fini(&c->query);
	pairs_fini(&c->headers);
	str_fini(&c->text);
	headers_fini(&c->answer);
}

int call_failed(struct blob_error *e, int rc)
{
	if (rc == -EMSGSIZE)
		return error_set(e, BLOB_REFUSED, "a name, metadata or a header is too long");
	if (rc == -EPERM)
		return error_set(e, BLOB_REFUSED, "a token is sent over https only");
	if (rc == -EINVAL)
		return error_set(e, BLOB_REFUSED,
				 "a name or metadata has characters that cannot be sent");
	if (rc == -ECANCELED)
		return error_set(e, BLOB_CANCELED, "stopped");
	return error_local(e, rc, "%s", rc == -ENOMEM ? "no memory for a request" : strerror(-rc));
}

void call_path(const struct blob_store *s, const char *name, struct str *out)
{
	str_puts(out, s->url.path);
	str_putc(out, '/');
	if (!s->cfg.virtual_host) {
		url_encode(out, s->cfg.container, false);
		if (name)
			str_putc(out, '/');
	}
	if (name)
		url_encode(out, name, true);
}

/* ---- faults ---- */

struct fault {
	char *code, *message;
	size_t code_size, message_size;
};

static int fault_end(void *arg, const struct xml_element *el)
{
	struct fault *f = arg;

	if (el->depth == 2 && strcmp(el->name, "Code") == 0)
		snprintf(f->code, f->code_size, "%s", el->text);
	else if (el->depth == 2 && strcmp(el->name, "Message") == 0)
		snprintf(f->message, f->message_size, "%s", el->text);
	return 0;
}

void call_parse_fault(const struct str *body, char *code, size_t code_size, char *message,
		      size_t message_size)
{
	static const struct xml_events ev = {.end = fault_end};
	struct fault f = {code, message, code_size, message_size};

	code[0] = message[0] = 0;
	if (xml_parse(str_get(body), body->len, &ev, &f))
		code[0] = message[0] = 0; /* a proxy's page: the status has to do */
}

/* An answer that is not 2xx. */
static int fault_of(struct blob_store *s, const struct http_req *h, struct blob_error *e)
{
	char code[64], message[256];
	const char *header = headers_get(&h->headers_in, "x-ms-error-code");
	const char *id = headers_get(&h->headers_in, "x-ms-request-id");
	int64_t now = loop_realtime(s->l) / NSEC_PER_SEC;

	call_parse_fault(&h->fault, code, sizeof(code), message, sizeof(message));
	if (header)
		snprintf(code, sizeof(code), "%s", header);
	error_from_answer(e, h->status, code, message);
	if (e->kind == BLOB_AUTH_DENIED && s->cred->kind == CRED_AZURE_SAS &&
	    s->cred->sas_end <= now)
		error_set(e, BLOB_AUTH_EXPIRED, "the shared access signature has expired");
	if (e->kind == BLOB_AUTH_DENIED && s->cred->kind == CRED_IDENTITY && h->status == 401)
		error_set(e, BLOB_AUTH_EXPIRED,
			  "the token of the managed identity is not accepted");
	if (!id)
		id = headers_get(&h->headers_in, "x-amz-request-id");
	snprintf(e->request_id, sizeof(e->request_id), "%s", id ? id : "");
	error_redact(e->request_id);
	e->retry_after_ms = headers_retry_after_ms(&h->headers_in, now);
	return e->rc;
}

/* No whole answer. */
static int break_of(const struct http_req *h, int rc, struct blob_error *e)
{
	switch (rc) {
	case -ETIMEDOUT:
		return error_set(e, BLOB_TIMEOUT, "%s", h->words);
	case -ECONNRESET:
		return error_set(e, BLOB_BROKEN, "%s", h->words);
	case -EBADMSG:
	case -EMSGSIZE:
		return error_set(e, BLOB_BAD_ANSWER,
				 "the answer is malformed or has the wrong length");
	case -EPROTO:
		return error_set(e, BLOB_AUTH_DENIED, "TLS: %s", h->words);
	case -ESTALE:
		return error_set(e, BLOB_CONFLICT, "the blob has changed");
	case -ERANGE:
		return error_set(e, BLOB_CONFLICT,
				 "the blob ends before the range that was asked for");
	default:
		return call_failed(e, rc);
	}
}

/* ---- one attempt ---- */

static int build(struct blob_store *s, struct blob_call *c, struct req *r, struct str *path,
		 struct str *url)
{
	const char *sas = "";
	char md5[HASH_BASE64_LEN(16)];
	int rc;

	call_path(s, c->name, path);
	r->method = c->method;
	r->path = str_get(path);
	for (int i = 0; i < c->niov; i++)
		r->body_len += c->iov[i].iov_len;
	rc = pairs_copy(&r->query, &c->query);
	if (rc == 0)
		rc = pairs_copy(&r->headers, &c->headers);
	if (rc == 0 && c->has_md5) {
		hash_base64(c->md5, 16, md5);
		rc = pairs_add(&r->headers, "Content-MD5", md5);
	}
	if (rc == 0)
		rc = s->ops->sign(s, c, r, &sas);
	if (rc)
		return rc;
	str_printf(url, "%s://%s%s", s->url.tls ? "https" : "http", r->host, r->path);
	if (r->query.n || sas[0])
		str_putc(url, '?');
	url_query(url, &r->query);
	log_dbg("blob: %s %s", r->method, str_get(url)); /* the SAS is not in it yet */
	if (sas[0])
		str_printf(url, "%s%s", r->query.n ? "&" : "", sas);
	return path->failed ? path->failed : url->failed;
}

static int co_send(struct blob_store *s, struct blob_call *c, const struct req *r, const char *url,
		   struct blob_error *e)
{
	struct http_req h = {
		.method = c->method,
		.url = url,
		.headers = &r->headers,
		.iov = c->iov,
		.niov = c->niov,
		.buf = c->buf,
		.buf_max = c->buf_max,
		.text = c->buf || c->sink ? NULL : &c->text,
		.sink = c->sink,
		.sink_arg = c->sink_arg,
		.progress = c->progress,
		.progress_arg = c->progress_arg,
		.accept = c->accept,
		.accept_arg = c->accept_arg,
	};
	int rc;

	if (!c->text.max)
		c->text.max = HTTP_FAULT_MAX;
	rc = http_co_send(s->http, &h);
	c->got = h.got;
	c->status = h.status;
	if (rc)
		break_of(&h, rc, e);
	else if (h.status < 200 || h.status > 299)
		rc = fault_of(s, &h, e);
	else if (c->check_put && s->ops->put_differs(&h.headers_in, c->md5))
		rc = error_set(e, BLOB_CORRUPT, "the service has another checksum than ours");
	/* One that was refused has not been executed; one that was not answered may have been. */
	if (h.sent > 1 || (h.sent && rc &&
			   (e->kind == BLOB_TIMEOUT || e->kind == BLOB_BROKEN ||
			    e->kind == BLOB_SERVER || e->kind == BLOB_BAD_ANSWER)))
		c->repeated = true;
	if (rc)
		log_dbg("blob: %s: %s: %s", c->method, error_kind_str(e->kind), e->words);
	headers_fini(&c->answer);
	c->answer = h.headers_in;
	h.headers_in = (struct headers){0};
	http_req_fini(&h);
	return rc ? e->rc : 0;
}

/* A token that is not old. Fibers that come meanwhile wait for the one that asks. */
static int co_ready(struct blob_store *s, struct blob_error *e)
{
	int64_t now = loop_realtime(s->l) / NSEC_PER_SEC;
	int rc = 0;

	if (s->cred->kind != CRED_IDENTITY || !token_is_old(&s->token, now))
		return 0;
	co_mutex_lock(&s->cred_lock);
	if (token_is_old(&s->token, now))
		rc = token_co_fetch(&s->token, s->http, s->cred, now, e);
	co_mutex_unlock(&s->cred_lock);
	return rc;
}

int call_co_once(struct blob_store *s, struct blob_call *c, struct blob_error *e)
{
	CLEANUP(str_fini) struct str path = STR_INIT;
	CLEANUP(str_fini) struct str url = STR_INIT;
	char host[URL_HOST_MAX + 80];
	struct req r = {0};
	int rc = co_ready(s, e);

	if (rc)
		return rc;
	str_clear(&c->text);
	c->cred_generation = s->cred_generation;
	if (s->cfg.virtual_host) {
		rc = snprintf(host, sizeof(host), "%s.", s->cfg.container);
		url_host(&s->url, host + rc, sizeof(host) - (size_t)rc);
	} else {
		url_host(&s->url, host, sizeof(host));
	}
	r.host = host;
	rc = build(s, c, &r, &path, &url);
	rc = rc ? call_failed(e, rc) : co_send(s, c, &r, url.p, e);
	pairs_fini(&r.query);
	pairs_fini(&r.headers);
	return rc;
}

/* ---- attempts ---- */

/* True if there are other credentials now than those that were refused. */
static bool co_renew(struct blob_store *s, uint64_t generation)
{
	struct blob_error e = {0};
	struct cred *fresh;
	bool done;

	co_mutex_lock(&s->cred_lock);
	done = s->cred_generation != generation;
	if (!done && s->cred->kind == CRED_IDENTITY) {
		token_fini(&s->token); /* co_ready() gets the next */
		done = true;
	} else if (!done && cred_changed(s->cfg.credentials, s->cred)) {
		fresh = calloc(1, sizeof(*fresh));
		if (fresh && blob_load_cred(s, fresh, &e) == 0) {
			cred_wipe(s->cred);
			free(s->cred);
			s->cred = fresh;
			done = true;
		} else {
			free(fresh);
			if (e.kind)
				log_warn("blob: %s", e.words);
		}
	}
	if (done && s->cred_generation == generation)
		s->cred_generation++;
	co_mutex_unlock(&s->cred_lock);
	return done;
}

bool call_co_again(struct blob_store *s, const struct blob_call *c, struct retry *r, bool *renewed,
		   struct blob_error *e)
{
	uint64_t delay_ns;

	if ((e->kind == BLOB_AUTH_EXPIRED || e->kind == BLOB_AUTH_DENIED) && !*renewed) {
		*renewed = true;
		if (co_renew(s, c->cred_generation))
			return true;
	}
	if (!retry_next(r, e, loop_clock(s->l), loop_random(s->l), &delay_ns) || s->stopped) {
		e->attempts = r->failed;
		return false;
	}
	if (co_wait(&s->stop_q, loop_now(s->l) + delay_ns) != -ETIMEDOUT) {
		call_failed(e, -ECANCELED);
		return false;
	}
	return true;
}

int call_co_run(struct blob_store *s, struct blob_call *c, struct blob_error *e)
{
	struct retry r;
	bool renewed = false;
	int rc;

	retry_init(&r, &s->cfg.retry, loop_clock(s->l));
	do {
		*e = (struct blob_error){0};
		rc = call_co_once(s, c, e);
	} while (rc && call_co_again(s, c, &r, &renewed, e));
	return rc ? e->rc : 0;
}

static int add_conditions(struct pairs *headers, const char *if_match, bool if_none)
{
	int rc = 0;

	if (if_match && if_match[0])
		rc = pairs_add(headers, "If-Match", if_match);
	if (rc == 0 && if_none)
		rc = pairs_add(headers, "If-None-Match", "*");
	return rc;
}

int call_co_run_if(struct blob_store *s, struct blob_call *c, const char *if_match, bool if_none,
		   struct blob_error *e)
{
	bool some = (if_match && if_match[0]) || if_none;
	int rc = s->no_conditions ? 0 : add_conditions(&c->headers, if_match, if_none);

	if (rc)
		return call_failed(e, rc);
	rc = call_co_run(s, c, e);
	if (rc == 0 || !some || s->no_conditions || !s->ops->co_check ||
	    e->kind != BLOB_UNSUPPORTED)
		return rc;
	log_warn("blob: %s: the service knows no conditions on writes: what others do between our "
		 "look "
		 "and our write is not seen",
		 s->cfg.endpoint);
	s->no_conditions = true;
	pairs_del(&c->headers, "If-Match");
	pairs_del(&c->headers, "If-None-Match");
	return call_co_run(s, c, e);
}

int call_co_head(struct blob_store *s, const char *name, struct blob_props *out,
		 struct blob_error *e)
{
	CLEANUP(call_fini) struct blob_call c = {.method = "HEAD", .name = name};
	int rc = call_co_run(s, &c, e);

	if (rc)
		return rc;
	*out = (struct blob_props){0};
	rc = s->ops->props(&c.answer, out);
	if (rc == 0)
		return 0;
	blob_props_fini(out);
	return error_set(e, BLOB_BAD_ANSWER, "the answer lacks properties of a blob");
}

int call_etag(const struct blob_call *c, char out[BLOB_ETAG_MAX], struct blob_error *e)
{
	const char *etag = headers_get(&c->answer, "etag");

	if (!out)
		return 0;
	if (!etag || headers_etag(etag, out, BLOB_ETAG_MAX))
		return error_set(e, BLOB_BAD_ANSWER, "the answer has no ETag");
	return 0;
}
