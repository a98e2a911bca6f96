/* SPDX-License-Identifier: Apache-2.0 */
/* s3_upload.c - multipart uploads: begin, ListParts to go on, parts, complete, abort. */
#include "blob/s3_int.h"
#include "blob/xml.h"
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define LIST_BYTES     (4U << 20)
#define PAGES_MAX      1000 /* of uploads whose names begin with one name: a list without end */
#define COMPLETE_BYTES (4U << 20) /* 10,000 parts with their ETags */

/* ---- begin ---- */

static int id_end(void *arg, const struct xml_element *el)
{
	char *id = arg;

	if (el->depth == 2 && strcmp(el->name, "UploadId") == 0)
		return snprintf(id, UPLOAD_ID_MAX, "%s", el->text) < UPLOAD_ID_MAX ? 0 : -EBADMSG;
	return 0;
}

static int co_initiate(struct blob_upload *u, struct blob_error *e)
{
	static const struct xml_events ev = {.end = id_end};
	CLEANUP(call_fini) struct blob_call c = {.method = "POST", .name = u->name};
	int rc = pairs_add(&c.query, "uploads", "");

	if (rc == 0)
		rc = s3_add_meta(&c.headers, &u->meta);
	if (rc)
		return call_failed(e, rc);
	rc = call_co_run(u->s, &c, e);
	if (rc)
		return rc;
	rc = xml_parse(str_get(&c.text), c.text.len, &ev, u->id);
	return rc == 0 && !u->id[0] ? -EBADMSG : rc;
}

struct parts {
	s3_part_fn *fn;
	void *arg;
	uint64_t number, size, next;
	bool truncated;
	char etag[BLOB_ETAG_MAX];
};

static int parts_start(void *arg, const struct xml_element *el)
{
	struct parts *p = arg;

	if (el->depth == 2 && strcmp(el->name, "Part") == 0) {
		p->number = p->size = 0;
		p->etag[0] = 0;
	}
	return 0;
}

static int parts_end(void *arg, const struct xml_element *el)
{
	struct parts *p = arg;

	if (el->depth == 2) {
		if (strcmp(el->name, "IsTruncated") == 0)
			p->truncated = strcmp(el->text, "true") == 0;
		if (strcmp(el->name, "NextPartNumberMarker") == 0)
			return el->text[0] ? headers_parse_u64(el->text, &p->next) : 0;
		if (strcmp(el->name, "Part") == 0)
			return p->etag[0] ? p->fn(p->arg, p->number, p->etag, p->size) : -EBADMSG;
		return 0;
	}
	if (el->depth != 3 || strcmp(el->parent, "Part") != 0)
		return 0;
	if (strcmp(el->name, "PartNumber") == 0)
		return headers_parse_u64(el->text, &p->number);
	if (strcmp(el->name, "Size") == 0)
		return headers_parse_u64(el->text, &p->size);
	if (strcmp(el->name, "ETag") == 0)
		return headers_etag(el->text, p->etag, sizeof(p->etag));
	return 0;
}

int s3_parse_parts(const char *xml, size_t len, s3_part_fn *fn, void *arg, uint64_t *next)
{
	static const struct xml_events ev = {.start = parts_start, .end = parts_end};
	struct parts p = {.fn = fn, .arg = arg};
	int rc = xml_parse(xml, len, &ev, &p);

	*next = p.truncated ? p.next : 0;
	return rc == 0 && p.truncated && p.next == 0 ? -EBADMSG : rc;
}

/* Without an MD5 for an ETag nobody knows what the part holds: it is sent again. */
static int resume_part(void *arg, uint64_t number, const char *etag, uint64_t size)
{
	struct blob_upload *u = arg;
	uint8_t md5[16];

	if (number == 0 || number > u->nblocks ||
	    size != upload_block_len(u, (uint32_t)number - 1) || !s3_etag_md5(NULL, etag, md5))
		return 0;
	return upload_set_there(u, (uint32_t)number - 1, md5, etag);
}

static int co_resume(struct blob_upload *u, struct blob_error *e)
{
	uint64_t at = 0, next;

	do {
		CLEANUP(call_fini)
		struct blob_call c = {
			.method = "GET", .name = u->name, .text = {.max = LIST_BYTES}};
		int rc = pairs_add(&c.query, "uploadId", u->id);

		if (rc == 0 && at)
			rc = pairs_addf(&c.query, "part-number-marker", "%llu",
					(unsigned long long)at);
		if (rc)
			return call_failed(e, rc);
		rc = call_co_run(u->s, &c, e);
		if (rc == 0)
			rc = s3_parse_parts(str_get(&c.text), c.text.len, resume_part, u, &next);
		if (rc)
			return rc;
		if (next && next <= at)
			return -EBADMSG; /* it would never end */
		at = next;
	} while (at);
	return 0;
}

int s3_co_upload_begin(struct blob_upload *u, const char *resume, struct blob_error *e)
{
	if (!resume)
		return co_initiate(u, e);
	snprintf(u->id, sizeof(u->id), "%s", resume);
	return co_resume(u, e);
}

/* ---- parts ---- */

int s3_co_upload_block(struct blob_upload *u, uint32_t block, struct blob_call *c,
		       struct blob_error *e)
{
	char etag[BLOB_ETAG_MAX];
	int rc = pairs_addf(&c->query, "partNumber", "%u", block + 1);

	if (rc == 0)
		rc = pairs_add(&c->query, "uploadId", u->id);
	if (rc)
		return call_failed(e, rc);
	rc = call_co_run(u->s, c, e);
	if (rc == 0)
		rc = call_etag(c, etag, e);
	if (rc)
		return rc;
	rc = upload_set_there(u, block, c->md5, etag);
	return rc ? call_failed(e, rc) : 0;
}

/* ---- the end ---- */

/* What S3 makes of the parts' MD5s: the MD5 of them all in a row, and their number. */
static void whole_etag(const struct blob_upload *u, char out[BLOB_ETAG_MAX])
{
	struct hash *h = hash_md5_start();
	uint8_t md5[16];
	char hex[33];

	for (uint32_t i = 0; i < u->nblocks; i++)
		hash_add(h, u->block[i].md5, 16);
	hash_md5_end(h, md5);
	hash_hex(md5, sizeof(md5), hex);
	snprintf(out, BLOB_ETAG_MAX, "\"%s-%u\"", hex, u->nblocks);
}

/* A repeated completion was refused: was it because the first had been executed? */
static int co_settle(struct blob_upload *u, char etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	CLEANUP(blob_props_fini) struct blob_props props = {0};
	struct blob_error e2 = {0};
	char want[BLOB_ETAG_MAX];

	whole_etag(u, want);
	if (call_co_head(u->s, u->name, &props, &e2) || props.size != u->size ||
	    strcmp(props.etag, want) != 0)
		return error_set(e, BLOB_CONFLICT,
				 "the upload is gone, and what is there is not known to be ours");
	*e = (struct blob_error){0};
	if (etag)
		memcpy(etag, props.etag, BLOB_ETAG_MAX);
	return 0;
}

static int add_xml(struct str *out, const char *etag)
{
	for (; *etag; etag++) {
		if (*etag == '"')
			str_puts(out, "&quot;");
		else if (*etag == '&' || *etag == '<' || *etag == '>')
			return -EBADMSG;
		else
			str_putc(out, *etag);
	}
	return out->failed;
}

static int print_parts(const struct blob_upload *u, struct str *body)
{
	int rc = 0;

	str_puts(body,
		 "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (uint32_t i = 0; i < u->nblocks && rc == 0; i++) {
		str_printf(body, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
		rc = add_xml(body, u->block[i].etag);
		str_puts(body, "</ETag></Part>");
	}
	str_puts(body, "</CompleteMultipartUpload>");
	return rc ? rc : body->failed;
}

int s3_co_upload_commit(struct blob_upload *u, char etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	CLEANUP(str_fini) struct str body = {.max = COMPLETE_BYTES};
	CLEANUP(call_fini) struct blob_call c = {.method = "POST", .name = u->name, .niov = 1};
	struct iovec iov;
	int rc = s3_co_check(u->s, u->name, u->if_match, u->if_none, e);

	if (rc)
		return rc;
	rc = print_parts(u, &body);
	if (rc == 0)
		rc = pairs_add(&c.query, "uploadId", u->id);
	if (rc == 0)
		rc = pairs_add(&c.headers, "Content-Type", "application/xml");
	if (rc)
		return call_failed(e, rc);
	iov = (struct iovec){body.p, body.len};
	c.iov = &iov;
	rc = call_co_run_if(u->s, &c, u->if_match, u->if_none, e);
	if (rc && c.repeated && (e->kind == BLOB_NOT_FOUND || e->kind == BLOB_CONFLICT))
		return co_settle(u, etag, e);
	return rc ? rc : s3_result_etag(&c, etag, e);
}

int s3_co_upload_abort(struct blob_upload *u, struct blob_error *e)
{
	CLEANUP(call_fini) struct blob_call c = {.method = "DELETE", .name = u->name};
	int rc = pairs_add(&c.query, "uploadId", u->id);

	if (rc)
		return call_failed(e, rc);
	rc = call_co_run(u->s, &c, e);
	if (rc && e->kind == BLOB_NOT_FOUND && c.repeated) {
		*e = (struct blob_error){0};
		return 0;
	}
	return rc;
}

/* ---- what was begun ---- */

struct uploads {
	blob_entry_fn *fn;
	void *arg;
	const char *name;
	struct str key, id;
	bool truncated;
	struct str next_key, next_id;
};

static int uploads_end(void *arg, const struct xml_element *el)
{
	struct uploads *x = arg;
	struct str *to = NULL;

	if (el->depth == 3 && strcmp(el->parent, "Upload") == 0)
		to = strcmp(el->name, "Key") == 0        ? &x->key
		     : strcmp(el->name, "UploadId") == 0 ? &x->id
							 : NULL;
	else if (el->depth == 2 && strcmp(el->name, "IsTruncated") == 0)
		x->truncated = strcmp(el->text, "true") == 0;
	else if (el->depth == 2 && strcmp(el->name, "NextKeyMarker") == 0)
		to = &x->next_key;
	else if (el->depth == 2 && strcmp(el->name, "NextUploadIdMarker") == 0)
		to = &x->next_id;
	if (to) {
		str_clear(to);
		str_puts(to, el->text);
		return to->failed;
	}
	if (el->depth == 2 && strcmp(el->name, "Upload") == 0 &&
	    strcmp(str_get(&x->key), x->name) == 0 && x->id.len) {
		CLEANUP(str_fini) struct str full = STR_INIT;
		struct blob_entry entry;

		str_printf(&full, "0:%s", x->id.p);
		entry = (struct blob_entry){.name = str_get(&full), .name_len = full.len};
		return full.failed ? full.failed : x->fn(x->arg, &entry);
	}
	return 0;
}

static int co_uploads_page(struct blob_store *s, struct uploads *x, struct blob_error *e)
{
	static const struct xml_events ev = {.end = uploads_end};
	CLEANUP(call_fini) struct blob_call c = {.method = "GET", .text = {.max = LIST_BYTES}};
	int rc = pairs_add(&c.query, "uploads", "");

	if (rc == 0)
		rc = pairs_add(&c.query, "prefix", x->name);
	if (rc == 0 && x->next_key.len)
		rc = pairs_add(&c.query, "key-marker", x->next_key.p);
	if (rc == 0 && x->next_id.len)
		rc = pairs_add(&c.query, "upload-id-marker", x->next_id.p);
	if (rc)
		return call_failed(e, rc);
	rc = call_co_run(s, &c, e);
	if (rc)
		return rc;
	x->truncated = false;
	str_clear(&x->next_key);
	str_clear(&x->next_id);
	rc = xml_parse(str_get(&c.text), c.text.len, &ev, x);
	return rc == 0 && x->truncated && !x->next_key.len ? -EBADMSG : rc;
}

int s3_co_upload_list(struct blob_store *s, const char *name, blob_entry_fn *fn, void *arg,
		      struct blob_error *e)
{
	struct uploads x = {.fn = fn, .arg = arg, .name = name};
	int rc, pages = 0;

	do {
		rc = co_uploads_page(s, &x, e);
		if (rc == 0 && x.truncated && ++pages == PAGES_MAX)
			rc = -EBADMSG;
	} while (rc == 0 && x.truncated);
	str_fini(&x.key);
	str_fini(&x.id);
	str_fini(&x.next_key);
	str_fini(&x.next_id);
	return rc;
}
