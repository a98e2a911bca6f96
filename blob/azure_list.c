/* SPDX-License-Identifier: Apache-2.0 */
/* azure_list.c - List Blobs: one page of XML after the other, with metadata. */
#include "blob/azure_int.h"
#include "blob/xml.h"
#include <stdio.h>
#include <stdlib.h>

#define PAGE_MAX   5000
#define PAGE_BYTES (64U << 20) /* of XML: 5000 names with all the metadata that they can have */

struct page {
	blob_entry_fn *fn;
	void *arg;
	char *marker;
	/* the entry that is being read */
	struct blob_props props;
	struct str name;
	bool has_size, has_mtime;
};

static void clear(struct page *p)
{
	pairs_fini(&p->props.meta);
	p->props = (struct blob_props){0};
	str_clear(&p->name);
	p->has_size = p->has_mtime = false;
}

static int page_start(void *arg, const struct xml_element *el)
{
	if (el->depth == 3 && strcmp(el->parent, "Blobs") == 0)
		clear(arg);
	return 0;
}

static int set_name(struct page *p, const struct xml_element *el)
{
	str_clear(&p->name);
	if (el->encoded)
		url_decode(&p->name, el->text);
	else
		str_puts(&p->name, el->text);
	return p->name.failed;
}

static int set_property(struct page *p, const struct xml_element *el)
{
	if (strcmp(el->name, "Content-Length") == 0) {
		p->has_size = true;
		return headers_parse_u64(el->text, &p->props.size);
	}
	if (strcmp(el->name, "Last-Modified") == 0) {
		p->has_mtime = true;
		return headers_date(el->text, &p->props.mtime);
	}
	if (strcmp(el->name, "Content-MD5") == 0)
		p->props.has_md5 = hash_unbase64(el->text, p->props.md5, 16) == 16;
	else if (strcmp(el->name, "ResourceType") == 0 && strcmp(el->text, "directory") == 0)
		p->props.is_dir = true;
	else if (strcmp(el->name, "Etag") == 0 && el->text[0] == '"')
		return headers_etag(el->text, p->props.etag, sizeof(p->props.etag));
	else if (strcmp(el->name, "Etag") == 0 && /* lists leave the quotes out, heads do not */
		 snprintf(p->props.etag, sizeof(p->props.etag), "\"%s\"", el->text) >=
			 (int)sizeof(p->props.etag))
		return -EBADMSG;
	return 0;
}

static int emit(struct page *p, bool is_prefix)
{
	struct blob_entry entry = {.name = str_get(&p->name),
				   .name_len = p->name.len,
				   .is_prefix = is_prefix,
				   .props = is_prefix ? NULL : &p->props,
				   .has_meta = true};

	if (p->name.len == 0 ||
	    (!is_prefix && (!p->has_size || !p->has_mtime || !p->props.etag[0])))
		return -EBADMSG;
	if (azure_is_folder(&p->props.meta))
		p->props.is_dir = true;
	return p->fn(p->arg, &entry);
}

static int page_end(void *arg, const struct xml_element *el)
{
	struct page *p = arg;

	if (el->depth == 2 && strcmp(el->name, "NextMarker") == 0)
		return snprintf(p->marker, BLOB_MARKER_MAX, "%s", el->text) < BLOB_MARKER_MAX
			       ? 0
			       : -EBADMSG;
	if (el->depth == 3 && strcmp(el->name, "Blob") == 0)
		return emit(p, false);
	if (el->depth == 3 && strcmp(el->name, "BlobPrefix") == 0)
		return emit(p, true);
	if (el->depth == 4 && strcmp(el->name, "Name") == 0)
		return set_name(p, el);
	if (el->depth == 5 && strcmp(el->parent, "Properties") == 0)
		return set_property(p, el);
	if (el->depth == 5 && strcmp(el->parent, "Metadata") == 0)
		return pairs_add(&p->props.meta, el->name, el->text) ? -EBADMSG : 0;
	return 0;
}

int azure_parse_page(const char *xml, size_t len, blob_entry_fn *fn, void *arg,
		     char marker[BLOB_MARKER_MAX])
{
	static const struct xml_events ev = {.start = page_start, .end = page_end};
	struct page p = {.fn = fn, .arg = arg, .marker = marker};
	int rc;

	marker[0] = 0;
	rc = xml_parse(xml, len, &ev, &p);
	clear(&p);
	str_fini(&p.name);
	return rc;
}

int azure_co_list_page(struct blob_store *s, struct blob_list *q, blob_entry_fn *fn, void *arg,
		       struct blob_error *e)
{
	CLEANUP(call_fini) struct blob_call c = {.method = "GET", .text = {.max = PAGE_BYTES}};
	uint32_t n = q->page && q->page < PAGE_MAX ? q->page : PAGE_MAX;
	char next[BLOB_MARKER_MAX];
	int rc = pairs_add(&c.query, "restype", "container");

	if (rc == 0)
		rc = pairs_add(&c.query, "comp", "list");
	if (rc == 0)
		rc = pairs_add(&c.query, "include", "metadata");
	if (rc == 0)
		rc = pairs_addf(&c.query, "maxresults", "%u", n);
	if (rc == 0 && q->prefix && q->prefix[0])
		rc = pairs_add(&c.query, "prefix", q->prefix);
	if (rc == 0 && q->delimiter)
		rc = pairs_add(&c.query, "delimiter", "/");
	if (rc == 0 && q->marker[0])
		rc = pairs_add(&c.query, "marker", q->marker);
	if (rc)
		return call_failed(e, rc);
	rc = call_co_run(s, &c, e);
	if (rc)
		return rc;
	rc = azure_parse_page(str_get(&c.text), c.text.len, fn, arg, next);
	if (rc == 0)
		memcpy(q->marker, next, sizeof(next));
	return rc;
}
