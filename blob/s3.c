/* SPDX-License-Identifier: Apache-2.0 */
/* s3.c - S3: signatures on a request, properties out of an answer, small operations. Lists stand in
 * s3_list.c, uploads in s3_upload.c.
 *
 * Conditions (If-Match, If-None-Match on writes) came late to S3, and many servers that speak it
 * ignore them. So they are sent, and looked at by ourselves before: what another does in between is
 * only seen where the service knows them. */
#include "blob/s3_int.h"
#include "blob/xml.h"
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define COPY_MAX (5ULL << 30)

static int s3_sign(struct blob_store *s, const struct blob_call *c, struct req *r, const char **sas)
{
	uint8_t digest[HASH_SHA256_LEN];
	char hex[2 * HASH_SHA256_LEN + 1];
	bool hashed = !s->url.tls || r->body_len == 0;

	(void)sas;
	if (s->cred->kind != CRED_S3_KEY)
		return 0; /* a public bucket */
	/* TLS protects the body, and Content-MD5 finds what is damaged; without TLS it is signed.
	 */
	if (hashed) {
		hash_sha256(c->iov, c->niov, digest);
		hash_hex(digest, sizeof(digest), hex);
	}
	return sign_s3(r, &s->cred->s3, (time_t)(loop_realtime(s->l) / NSEC_PER_SEC),
		       hashed ? hex : S3_UNSIGNED);
}

/* ---- properties ---- */

bool s3_etag_md5(const struct headers *h, const char *etag, uint8_t md5[16])
{
	const char *sse = h ? headers_get(h, "x-amz-server-side-encryption") : NULL;

	if (h && ((sse && strcasecmp(sse, "AES256") != 0) ||
		  headers_get(h, "x-amz-server-side-encryption-customer-algorithm")))
		return false;
	etag += *etag == '"';
	return hash_unhex(etag, md5, 16) == 0 && (etag[32] == '"' || etag[32] == 0);
}

static int s3_props(const struct headers *h, struct blob_props *out)
{
	static const char prefix[] = "x-amz-meta-";
	const char *v;
	int rc = 0;

	if (headers_u64(h, "content-length", &out->size) ||
	    !(v = headers_get(h, "last-modified")) || headers_date(v, &out->mtime) ||
	    !(v = headers_get(h, "etag")) || headers_etag(v, out->etag, sizeof(out->etag)))
		return -EBADMSG;
	out->has_md5 = s3_etag_md5(h, out->etag, out->md5);
	for (uint32_t i = 0; i < h->f.n && rc == 0; i++)
		if (strncasecmp(h->f.v[i].name, prefix, strlen(prefix)) == 0)
			rc = pairs_add(&out->meta, h->f.v[i].name + strlen(prefix),
				       h->f.v[i].value);
	v = pairs_get(&out->meta, "hdi_isfolder");
	out->is_dir = v && strcasecmp(v, "true") == 0;
	return rc;
}

int s3_add_meta(struct pairs *headers, const struct pairs *meta)
{
	int rc = 0;

	for (uint32_t i = 0; meta && i < meta->n && rc == 0; i++) {
		CLEANUP(str_fini) struct str name = STR_INIT;

		str_printf(&name, "x-amz-meta-%s", meta->v[i].name);
		rc = name.failed ? name.failed : pairs_add(headers, name.p, meta->v[i].value);
	}
	return rc;
}

static int s3_add_read(struct pairs *headers, uint64_t len)
{
	(void)headers, (void)len; /* there is no checksum of a range */
	return 0;
}

static bool s3_put_differs(const struct headers *h, const uint8_t md5[16])
{
	const char *etag = headers_get(h, "etag");
	uint8_t theirs[16];

	return etag && s3_etag_md5(h, etag, theirs) && memcmp(theirs, md5, 16) != 0;
}

int s3_co_check(struct blob_store *s, const char *name, const char *if_match, bool if_none,
		struct blob_error *e)
{
	CLEANUP(blob_props_fini) struct blob_props props = {0};
	int rc;

	if ((!if_match || !if_match[0]) && !if_none)
		return 0;
	rc = call_co_head(s, name, &props, e);
	if (if_none) {
		if (rc == 0)
			return error_set(e, BLOB_CONFLICT, "there is one already");
		if (e->kind != BLOB_NOT_FOUND)
			return rc;
		*e = (struct blob_error){0};
		return 0;
	}
	if (rc == 0 && strcmp(props.etag, if_match) != 0)
		return error_set(e, BLOB_CONFLICT, "it has been changed by somebody else");
	return rc;
}

/* ---- answers with a result in XML ---- */

struct result {
	const char *root;
	char root_name[XML_NAME_MAX + 1];
	char etag[BLOB_ETAG_MAX];
};

static int result_end(void *arg, const struct xml_element *el)
{
	struct result *r = arg;

	if (el->depth == 1)
		snprintf(r->root_name, sizeof(r->root_name), "%s", el->name);
	if (el->depth == 2 && strcasecmp(el->name, "ETag") == 0)
		return headers_etag(el->text, r->etag, sizeof(r->etag));
	return 0;
}

int s3_result_etag(const struct blob_call *c, char etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	static const struct xml_events ev = {.end = result_end};
	struct result r = {0};
	char code[64], message[256];

	if (xml_parse(str_get(&c->text), c->text.len, &ev, &r))
		return error_set(e, BLOB_BAD_ANSWER, "the answer's body is malformed");
	if (strcmp(r.root_name, "Error") == 0) {
		call_parse_fault(&c->text, code, sizeof(code), message, sizeof(message));
		return error_from_answer(e, 500, code, message);
	}
	if (!r.etag[0])
		return error_set(e, BLOB_BAD_ANSWER, "the answer has no ETag");
	if (etag && r.etag[0] == '"')
		memcpy(etag, r.etag, BLOB_ETAG_MAX);
	else if (etag && snprintf(etag, BLOB_ETAG_MAX, "\"%s\"", r.etag) >= BLOB_ETAG_MAX)
		return error_set(e, BLOB_BAD_ANSWER, "the answer's ETag is too long");
	return 0;
}

/* ---- copies ---- */

static int copy_source(const struct blob_store *s, const char *name, struct pairs *headers)
{
	CLEANUP(str_fini) struct str source = STR_INIT;

	str_putc(&source, '/');
	url_encode(&source, s->cfg.container, false);
	str_putc(&source, '/');
	url_encode(&source, name, true);
	return source.failed ? source.failed : pairs_add(headers, "x-amz-copy-source", source.p);
}

/* With metadata, or the source's. */
static int co_copy(struct blob_store *s, const char *from, const char *to, const struct pairs *meta,
		   const char *etag, char new_etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	CLEANUP(call_fini) struct blob_call c = {.method = "PUT", .name = to};
	CLEANUP(blob_props_fini) struct blob_props props = {0};
	int rc = call_co_head(s, from, &props, e);

	if (rc)
		return rc;
	if (etag && strcmp(etag, props.etag) != 0)
		return error_set(e, BLOB_CONFLICT, "it has been changed by somebody else");
	if (props.size > COPY_MAX)
		return error_set(e, BLOB_UNSUPPORTED, "S3 copies at most 5 GiB at once");
	rc = copy_source(s, from, &c.headers);
	if (rc == 0) /* what was looked at is what is copied */
		rc = pairs_add(&c.headers, "x-amz-copy-source-if-match", props.etag);
	if (rc == 0)
		rc = pairs_add(&c.headers, "x-amz-metadata-directive", meta ? "REPLACE" : "COPY");
	if (rc == 0)
		rc = s3_add_meta(&c.headers, meta);
	if (rc)
		return call_failed(e, rc);
	rc = call_co_run(s, &c, e);
	return rc ? rc : s3_result_etag(&c, new_etag, e);
}

static int s3_co_set_meta(struct blob_store *s, const char *name, const struct pairs *meta,
			  const char *etag, char new_etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	static const struct pairs none = PAIRS_INIT;

	return co_copy(s, name, name, meta ? meta : &none, etag, new_etag, e);
}

static int s3_co_copy(struct blob_store *s, const char *from, const char *to, const char *etag,
		      char new_etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	return co_copy(s, from, to, NULL, etag, new_etag, e);
}

/* ---- log: an object for each flush ---- */

struct last {
	size_t prefix;
	uint64_t max;
};

static int find_last(void *arg, const struct blob_entry *entry)
{
	struct last *l = arg;
	uint64_t n;

	if (headers_parse_u64(entry->name + l->prefix, &n) == 0 && n <= UINT32_MAX)
		l->max = max_u64(l->max, n);
	return 0;
}

/* Behind what an earlier process has written. */
static int log_co_open(struct blob_log *log, struct blob_error *e)
{
	CLEANUP(str_fini) struct str prefix = STR_INIT;
	struct blob_list q = {0};
	struct last l = {0};
	int rc;

	str_printf(&prefix, "%s.", log->name);
	if (prefix.failed)
		return call_failed(e, prefix.failed);
	q.prefix = prefix.p;
	l.prefix = prefix.len;
	rc = blob_co_list(log->s, &q, find_last, &l, e);
	if (rc)
		return rc;
	log->part = (uint32_t)l.max + 1;
	log->open = true;
	return 0;
}

static int s3_log_co_write(struct blob_log *log, struct blob_error *e)
{
	CLEANUP(str_fini) struct str name = STR_INIT;
	struct iovec iov = {log->lines.p, log->lines.len};
	struct blob_write w = {0};
	int rc = log->open ? 0 : log_co_open(log, e);

	if (rc)
		return rc;
	str_printf(&name, "%s.%06u", log->name, log->part);
	if (name.failed)
		return call_failed(e, name.failed);
	/* The same name with the same lines, however often it is repeated. */
	w.name = name.p;
	rc = blob_co_put(log->s, &w, &iov, 1, NULL, e);
	if (rc == 0)
		log->part++;
	return rc;
}

const struct blob_service_ops s3_ops = {
	.limits = {.block_min = 5ULL << 20,
		   .block_max = 5ULL << 30,
		   .blocks_max = 10000,
		   .log_append_max = 64ULL << 20},
	.sign = s3_sign,
	.co_list_page = s3_co_list_page,
	.props = s3_props,
	.co_check = s3_co_check,
	.add_meta = s3_add_meta,
	.add_read = s3_add_read,
	.put_differs = s3_put_differs,
	.co_set_meta = s3_co_set_meta,
	.co_copy = s3_co_copy,
	.co_upload_begin = s3_co_upload_begin,
	.co_upload_block = s3_co_upload_block,
	.co_upload_commit = s3_co_upload_commit,
	.co_upload_abort = s3_co_upload_abort,
	.co_upload_list = s3_co_upload_list,
	.log_co_write = s3_log_co_write,
};
