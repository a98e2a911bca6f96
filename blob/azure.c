/* SPDX-License-Identifier: Apache-2.0 */
/* azure.c - Azure Blob: credentials on a request, properties out of an answer, small operations.
 * Lists stand in azure_list.c, uploads in azure_upload.c. */
#include "blob/azure_int.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

/* What azurite and every region speak; blocks of 4000 MiB, names with Encoded="true". */
#define VERSION       "2021-12-02"
#define RANGE_MD5_MAX (4ULL << 20)
#define COPY_POLL_NS  (500 * (uint64_t)NSEC_PER_MSEC)

/* ---- credentials ---- */

static bool is_loopback(const struct url *u)
{
	return strcmp(u->host, "localhost") == 0 || strcmp(u->host, "[::1]") == 0 ||
	       strncmp(u->host, "127.", 4) == 0;
}

static int sign_token(struct blob_store *s, struct req *r)
{
	/* Whoever reads it can use it until it ends. */
	if (!s->url.tls && !is_loopback(&s->url))
		return -EPERM;
	return pairs_addf(&r->headers, "Authorization", "Bearer %s", s->token.text);
}

int azure_sign(struct blob_store *s, const struct blob_call *c, struct req *r, const char **sas)
{
	time_t now = (time_t)(loop_realtime(s->l) / NSEC_PER_SEC);
	char date[40];
	struct tm tm;
	int rc;

	(void)c;
	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	rc = pairs_add(&r->headers, "x-ms-date", date);
	if (rc == 0)
		rc = pairs_add(&r->headers, "x-ms-version", VERSION);
	if (rc == 0)
		rc = pairs_addf(&r->headers, "x-ms-client-request-id", "%016llx",
				(unsigned long long)loop_random(s->l));
	if (rc)
		return rc;
	switch (s->cred->kind) {
	case CRED_AZURE_KEY:
		return sign_azure(r, &s->cred->azure);
	case CRED_AZURE_SAS:
		*sas = s->cred->sas;
		return 0;
	case CRED_IDENTITY:
		return sign_token(s, r);
	default:
		return 0; /* a public container */
	}
}

/* ---- properties ---- */

bool azure_is_folder(const struct pairs *meta)
{
	const char *v = pairs_get(meta, "hdi_isfolder");

	return v && strcasecmp(v, "true") == 0;
}

static int azure_props(const struct headers *h, struct blob_props *out)
{
	static const char prefix[] = "x-ms-meta-";
	const char *v;
	int rc = 0;

	if (headers_u64(h, "content-length", &out->size) ||
	    !(v = headers_get(h, "last-modified")) || headers_date(v, &out->mtime) ||
	    !(v = headers_get(h, "etag")) || headers_etag(v, out->etag, sizeof(out->etag)))
		return -EBADMSG;
	v = headers_get(h, "content-md5");
	out->has_md5 = v && hash_unbase64(v, out->md5, sizeof(out->md5)) == (int)sizeof(out->md5);
	for (uint32_t i = 0; i < h->f.n && rc == 0; i++)
		if (strncasecmp(h->f.v[i].name, prefix, strlen(prefix)) == 0)
			rc = pairs_add(&out->meta, h->f.v[i].name + strlen(prefix),
				       h->f.v[i].value);
	v = headers_get(h, "x-ms-resource-type");
	out->is_dir = (v && strcmp(v, "directory") == 0) || azure_is_folder(&out->meta);
	return rc;
}

int azure_add_meta(struct pairs *headers, const struct pairs *meta)
{
	int rc = 0;

	for (uint32_t i = 0; meta && i < meta->n && rc == 0; i++) {
		CLEANUP(str_fini) struct str name = STR_INIT;

		str_printf(&name, "x-ms-meta-%s", meta->v[i].name);
		rc = name.failed ? name.failed : pairs_add(headers, name.p, meta->v[i].value);
	}
	return rc;
}

static int azure_add_read(struct pairs *headers, uint64_t len)
{
	return len <= RANGE_MD5_MAX ? pairs_add(headers, "x-ms-range-get-content-md5", "true") : 0;
}

static bool azure_put_differs(const struct headers *h, const uint8_t md5[16])
{
	const char *v = headers_get(h, "content-md5");
	uint8_t theirs[16];

	return v && (hash_unbase64(v, theirs, 16) != 16 || memcmp(theirs, md5, 16) != 0);
}

/* ---- operations ---- */

static int azure_co_set_meta(struct blob_store *s, const char *name, const struct pairs *meta,
			     const char *etag, char new_etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	CLEANUP(call_fini) struct blob_call c = {.method = "PUT", .name = name};
	int rc = pairs_add(&c.query, "comp", "metadata");

	if (rc == 0)
		rc = azure_add_meta(&c.headers, meta);
	if (rc)
		return call_failed(e, rc);
	rc = call_co_run_if(s, &c, etag, false, e);
	return rc ? rc : call_etag(&c, new_etag, e);
}

/* A copy between accounts or of a large blob goes on after the answer. */
static int co_await_copy(struct blob_store *s, const char *to, struct blob_error *e)
{
	for (;;) {
		CLEANUP(call_fini) struct blob_call c = {.method = "HEAD", .name = to};
		const char *status;
		int rc = call_co_run(s, &c, e);

		if (rc)
			return rc;
		status = headers_get(&c.answer, "x-ms-copy-status");
		if (status && strcmp(status, "success") == 0)
			return 0;
		if (!status || strcmp(status, "pending") != 0)
			return error_set(e, BLOB_SERVER, "the copy has failed");
		if (co_wait(&s->stop_q, loop_now(s->l) + COPY_POLL_NS) != -ETIMEDOUT)
			return error_set(e, BLOB_CANCELED, "stopped");
	}
}

static int azure_co_copy(struct blob_store *s, const char *from, const char *to, const char *etag,
			 char new_etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	CLEANUP(call_fini) struct blob_call c = {.method = "PUT", .name = to};
	CLEANUP(str_fini) struct str source = STR_INIT;
	char host[URL_HOST_MAX + 8];
	const char *status;
	int rc;

	url_host(&s->url, host, sizeof(host));
	str_printf(&source, "%s://%s", s->url.tls ? "https" : "http", host);
	call_path(s, from, &source);
	if (s->cred->kind == CRED_AZURE_SAS)
		str_printf(&source, "?%s", s->cred->sas);
	rc = source.failed ? source.failed : pairs_add(&c.headers, "x-ms-copy-source", source.p);
	if (rc == 0 && etag)
		rc = pairs_add(&c.headers, "x-ms-source-if-match", etag);
	if (rc)
		return call_failed(e, rc);
	rc = call_co_run(s, &c, e);
	if (rc)
		return rc;
	status = headers_get(&c.answer, "x-ms-copy-status");
	if (c.status == 202 && status && strcmp(status, "pending") == 0)
		rc = co_await_copy(s, to, e);
	return rc ? rc : call_etag(&c, new_etag, e);
}

/* ---- log: an append blob ---- */

#define APPENDS_MAX 50000

static void log_name(const struct blob_log *log, struct str *out)
{
	str_puts(out, log->name);
	if (log->part)
		str_printf(out, ".%u", log->part);
}

/* Makes the append blob, or finds how long it is. */
static int log_co_open(struct blob_log *log, const char *name, struct blob_error *e)
{
	CLEANUP(call_fini) struct blob_call put = {.method = "PUT", .name = name};
	CLEANUP(call_fini) struct blob_call head = {.method = "HEAD", .name = name};
	uint64_t n;
	int rc = pairs_add(&put.headers, "x-ms-blob-type", "AppendBlob");

	if (rc == 0)
		rc = pairs_add(&put.headers, "If-None-Match", "*");
	if (rc)
		return call_failed(e, rc);
	rc = call_co_run(log->s, &put, e);
	if (rc && e->kind != BLOB_CONFLICT)
		return rc;
	rc = call_co_run(log->s, &head, e);
	if (rc)
		return rc;
	if (headers_u64(&head.answer, "content-length", &log->position) ||
	    headers_u64(&head.answer, "x-ms-blob-committed-block-count", &n) || n > APPENDS_MAX)
		return error_set(e, BLOB_BAD_ANSWER, "%s is no append blob", name);
	log->appends = (uint32_t)n;
	log->open = true;
	return 0;
}

/* The append said that the blob does not end where it should: perhaps because the first attempt was
 * executed and its answer lost. */
static int log_co_settle(struct blob_log *log, const char *name, size_t len, struct blob_error *e)
{
	uint64_t before = log->position;
	int rc = log_co_open(log, name, e);

	if (rc)
		return rc;
	if (log->position == before + len)
		return 0;
	log->open = false;
	return error_set(e, BLOB_CONFLICT, "somebody else writes to %s", name);
}

static int log_co_append(struct blob_log *log, const char *name, struct blob_error *e)
{
	struct iovec iov = {log->lines.p, log->lines.len};
	CLEANUP(call_fini)
	struct blob_call c = {.method = "PUT", .name = name, .iov = &iov, .niov = 1};
	int rc = pairs_add(&c.query, "comp", "appendblock");

	if (rc == 0)
		rc = pairs_addf(&c.headers, "x-ms-blob-condition-appendpos", "%llu",
				(unsigned long long)log->position);
	if (rc)
		return call_failed(e, rc);
	hash_md5(&iov, 1, c.md5);
	c.has_md5 = true;
	rc = call_co_run(log->s, &c, e);
	if (rc && e->kind == BLOB_CONFLICT && c.repeated)
		return log_co_settle(log, name, iov.iov_len, e);
	if (rc) {
		log->open = false; /* its length is to be asked for */
		return rc;
	}
	log->position += iov.iov_len;
	log->appends++;
	return 0;
}

static int azure_log_co_write(struct blob_log *log, struct blob_error *e)
{
	CLEANUP(str_fini) struct str name = STR_INIT;
	int rc = 0;

	do {
		str_clear(&name);
		log_name(log, &name);
		if (name.failed)
			return call_failed(e, name.failed);
		if (!log->open)
			rc = log_co_open(log, name.p, e);
		if (rc)
			return rc;
		if (log->appends < APPENDS_MAX)
			return log_co_append(log, name.p, e);
		log->part++;
		log->open = false;
	} while (log->part < 1000000);
	return error_set(e, BLOB_REFUSED, "the log is full");
}

const struct blob_service_ops azure_ops = {
	.limits = {.block_min = 1,
		   .block_max = 4000ULL << 20,
		   .blocks_max = 50000,
		   .log_append_max = 4ULL << 20},
	.put_header = {(char *)"x-ms-blob-type", (char *)"BlockBlob"},
	.sign = azure_sign,
	.co_list_page = azure_co_list_page,
	.props = azure_props,
	.add_meta = azure_add_meta,
	.add_read = azure_add_read,
	.put_differs = azure_put_differs,
	.co_set_meta = azure_co_set_meta,
	.co_copy = azure_co_copy,
	.co_upload_begin = azure_co_upload_begin,
	.co_upload_block = azure_co_upload_block,
	.co_upload_commit = azure_co_upload_commit,
	.co_upload_abort = azure_co_upload_abort,
	.co_upload_list = azure_co_upload_list,
	.log_co_write = azure_log_co_write,
};
