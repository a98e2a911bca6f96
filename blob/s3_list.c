/* SPDX-License-Identifier: Apache-2.0 */
/* s3_list.c - ListObjectsV2: one page of XML after the other. Names are asked for percent-encoded,
 * because XML cannot hold every name. */
#include "blob/s3_int.h"
#include "blob/xml.h"
#include <stdio.h>
#include <stdlib.h>

#define PAGE_MAX   1000
#define PAGE_BYTES (16U << 20)

struct page {
	blob_entry_fn *fn;
	void *arg;
	char *marker;
	bool encoded, truncated;
	struct blob_props props;
	struct str name;
	bool has_size, has_mtime;
};

static int page_start(void *arg, const struct xml_element *el)
{
	struct page *p = arg;

	if (el->depth == 2) {
		p->props = (struct blob_props){0};
		str_clear(&p->name);
		p->has_size = p->has_mtime = false;
	}
	return 0;
}

static int set_name(struct page *p, const char *text)
{
	str_clear(&p->name);
	if (p->encoded)
		url_decode(&p->name, text);
	else
		str_puts(&p->name, text);
	return p->name.failed;
}

static int set_object(struct page *p, const struct xml_element *el)
{
	if (strcmp(el->name, "Key") == 0)
		return set_name(p, el->text);
	if (strcmp(el->name, "Size") == 0) {
		p->has_size = true;
		return headers_parse_u64(el->text, &p->props.size);
	}
	if (strcmp(el->name, "LastModified") == 0) {
		p->has_mtime = true;
		return headers_date(el->text, &p->props.mtime);
	}
	if (strcmp(el->name, "ETag") == 0) {
		p->props.has_md5 = s3_etag_md5(NULL, el->text, p->props.md5);
		return headers_etag(el->text, p->props.etag, sizeof(p->props.etag));
	}
	return 0;
}

static int emit(struct page *p, bool is_prefix)
{
	struct blob_entry entry = {.name = str_get(&p->name),
				   .name_len = p->name.len,
				   .is_prefix = is_prefix,
				   .props = is_prefix ? NULL : &p->props};

	if (p->name.len == 0 ||
	    (!is_prefix && (!p->has_size || !p->has_mtime || !p->props.etag[0])))
		return -EBADMSG;
	/* With a key of KMS this would be no MD5, and a list does not say which it is. */
	p->props.has_md5 = false;
	return p->fn(p->arg, &entry);
}

static int page_end(void *arg, const struct xml_element *el)
{
	struct page *p = arg;

	if (el->depth == 2 && strcmp(el->name, "Contents") == 0)
		return emit(p, false);
	if (el->depth == 2 && strcmp(el->name, "CommonPrefixes") == 0)
		return emit(p, true);
	if (el->depth == 2 && strcmp(el->name, "IsTruncated") == 0)
		p->truncated = strcmp(el->text, "true") == 0;
	if (el->depth == 2 && strcmp(el->name, "NextContinuationToken") == 0)
		return snprintf(p->marker, BLOB_MARKER_MAX, "%s", el->text) < BLOB_MARKER_MAX
			       ? 0
			       : -EBADMSG;
	if (el->depth == 3 && strcmp(el->parent, "Contents") == 0)
		return set_object(p, el);
	if (el->depth == 3 && strcmp(el->parent, "CommonPrefixes") == 0 &&
	    strcmp(el->name, "Prefix") == 0)
		return set_name(p, el->text);
	return 0;
}

int s3_parse_page(const char *xml, size_t len, blob_entry_fn *fn, void *arg,
		  char marker[BLOB_MARKER_MAX])
{
	static const struct xml_events ev = {.start = page_start, .end = page_end};
	static const char url_type[] = "<EncodingType>url</EncodingType>";
	struct page p = {.fn = fn, .arg = arg, .marker = marker};
	int rc;

	marker[0] = 0;
	/* It may stand behind the names, which cannot contain it: their '<' is "&lt;". */
	p.encoded = len && memmem(xml, len, url_type, strlen(url_type));
	rc = xml_parse(xml, len, &ev, &p);
	str_fini(&p.name);
	if (rc == 0 && p.truncated && !marker[0])
		return -EBADMSG;
	if (!p.truncated)
		marker[0] = 0;
	return rc;
}

int s3_co_list_page(struct blob_store *s, struct blob_list *q, blob_entry_fn *fn, void *arg,
		    struct blob_error *e)
{
	CLEANUP(call_fini) struct blob_call c = {.method = "GET", .text = {.max = PAGE_BYTES}};
	uint32_t n = q->page && q->page < PAGE_MAX ? q->page : PAGE_MAX;
	char next[BLOB_MARKER_MAX];
	int rc = pairs_add(&c.query, "list-type", "2");

	if (rc == 0)
		rc = pairs_add(&c.query, "encoding-type", "url");
	if (rc == 0)
		rc = pairs_addf(&c.query, "max-keys", "%u", n);
	if (rc == 0 && q->prefix && q->prefix[0])
		rc = pairs_add(&c.query, "prefix", q->prefix);
	if (rc == 0 && q->delimiter)
		rc = pairs_add(&c.query, "delimiter", "/");
	if (rc == 0 && q->marker[0])
		rc = pairs_add(&c.query, "continuation-token", q->marker);
	if (rc)
		return call_failed(e, rc);
	rc = call_co_run(s, &c, e);
	if (rc)
		return rc;
	rc = s3_parse_page(str_get(&c.text), c.text.len, fn, arg, next);
	if (rc == 0)
		memcpy(q->marker, next, sizeof(next));
	return rc;
}
