/* SPDX-License-Identifier: Apache-2.0 */
/* azure_upload.c - block blobs: Put Block, Get Block List, Put Block List.
 *
 * An upload needs no beginning: its id lies in the names of its blocks, which also hold the number
 *and the MD5 of each. So the list of uncommitted blocks says what is there and with which content,
 *and the list of committed ones whether a commit whose answer was lost has happened. All names have
 *the same length, as the service demands for one blob:
 *
 *	sheen-RRRRRRRRRRRRMMMM-NNNNNNNN-(32 hex digits of MD5)	R random, M MiB of a block, N number
 */
#include "blob/azure_int.h"
#include "blob/xml.h"
#include <stdio.h>
#include <stdlib.h>

#define ID_DIGITS        16
#define BLOCK_NAME       64 /* the service's bound, and exactly what ours have */
#define BLOCK_LIST_BYTES (16U << 20)

struct block_name {
	char id[ID_DIGITS + 1];
	uint32_t mib, number;
	uint8_t md5[16];
};

static void print_name(const char *id, uint32_t number, const uint8_t md5[16],
		       char b64[HASH_BASE64_LEN(BLOCK_NAME)])
{
	char text[BLOCK_NAME + 1], hex[33];

	hash_hex(md5, 16, hex);
	snprintf(text, sizeof(text), "sheen-%.16s-%08x-%s", id, number, hex);
	hash_base64((const uint8_t *)text, BLOCK_NAME, b64);
}

static bool parse_name(const char *text, struct block_name *out)
{
	uint8_t n[4], id[8];

	if (strlen(text) != BLOCK_NAME || memcmp(text, "sheen-", 6) != 0 || text[22] != '-' ||
	    text[31] != '-' || hash_unhex(text + 6, id, 8) || hash_unhex(text + 23, n, 4) ||
	    hash_unhex(text + 32, out->md5, 16))
		return false;
	memcpy(out->id, text + 6, ID_DIGITS);
	out->id[ID_DIGITS] = 0;
	out->mib = (uint32_t)id[6] << 8 | id[7];
	out->number = (uint32_t)n[0] << 24 | (uint32_t)n[1] << 16 | (uint32_t)n[2] << 8 | n[3];
	return true;
}

/* ---- the list of blocks ---- */

struct blocks {
	const char *which;
	azure_block_fn *fn;
	void *arg;
	char name[BLOCK_NAME + 1];
	uint64_t size;
	bool in; /* the list that we want */
};

static int blocks_start(void *arg, const struct xml_element *el)
{
	struct blocks *b = arg;

	if (el->depth == 2)
		b->in = strcmp(el->name, b->which) == 0;
	if (el->depth == 3) {
		b->name[0] = 0;
		b->size = 0;
	}
	return 0;
}

static int blocks_end(void *arg, const struct xml_element *el)
{
	struct blocks *b = arg;
	int n;

	if (!b->in)
		return 0;
	if (el->depth == 4 && strcmp(el->name, "Name") == 0) {
		n = hash_unbase64(el->text, (uint8_t *)b->name, BLOCK_NAME);
		if (n < 0) /* somebody else's, longer than may be */
			n = 0;
		b->name[n] = 0;
	}
	if (el->depth == 4 && strcmp(el->name, "Size") == 0)
		return headers_parse_u64(el->text, &b->size);
	if (el->depth == 3 && strcmp(el->name, "Block") == 0)
		return b->fn(b->arg, b->name, b->size);
	return 0;
}

int azure_parse_blocks(const char *xml, size_t len, const char *which, azure_block_fn *fn,
		       void *arg)
{
	static const struct xml_events ev = {.start = blocks_start, .end = blocks_end};
	struct blocks b = {.which = which, .fn = fn, .arg = arg};

	return xml_parse(xml, len, &ev, &b);
}

/* No blob and no blocks is an empty list. */
static int co_blocks(struct blob_store *s, const char *name, bool committed, azure_block_fn *fn,
		     void *arg, struct blob_error *e)
{
	CLEANUP(call_fini)
	struct blob_call c = {.method = "GET", .name = name, .text = {.max = BLOCK_LIST_BYTES}};
	int rc = pairs_add(&c.query, "comp", "blocklist");

	if (rc == 0)
		rc = pairs_add(&c.query, "blocklisttype", committed ? "committed" : "uncommitted");
	if (rc)
		return call_failed(e, rc);
	rc = call_co_run(s, &c, e);
	if (rc && e->kind == BLOB_NOT_FOUND) {
		*e = (struct blob_error){0};
		return 0;
	}
	if (rc)
		return rc;
	return azure_parse_blocks(str_get(&c.text), c.text.len,
				  committed ? "CommittedBlocks" : "UncommittedBlocks", fn, arg);
}

/* ---- begin ---- */

static int resume_block(void *arg, const char *text, uint64_t size)
{
	struct blob_upload *u = arg;
	struct block_name n;

	if (!parse_name(text, &n) || strcmp(n.id, u->id) != 0 || n.number >= u->nblocks ||
	    size != upload_block_len(u, n.number))
		return 0;
	return upload_set_there(u, n.number, n.md5, NULL);
}

int azure_co_upload_begin(struct blob_upload *u, const char *resume, struct blob_error *e)
{
	uint64_t random = loop_random(u->s->l);
	uint8_t id[8];

	if (resume) {
		if (strlen(resume) != ID_DIGITS || hash_unhex(resume, id, sizeof(id)))
			return error_set(e, BLOB_REFUSED, "no id of an upload");
		memcpy(u->id, resume, ID_DIGITS + 1);
		return co_blocks(u->s, u->name, false, resume_block, u, e);
	}
	for (int i = 0; i < 6; i++)
		id[i] = (uint8_t)(random >> (8 * i));
	id[6] = (uint8_t)(u->block_size / MIB >> 8);
	id[7] = (uint8_t)(u->block_size / MIB);
	hash_hex(id, sizeof(id), u->id);
	return 0;
}

/* ---- blocks ---- */

int azure_co_upload_block(struct blob_upload *u, uint32_t block, struct blob_call *c,
			  struct blob_error *e)
{
	char name[HASH_BASE64_LEN(BLOCK_NAME)];
	int rc = pairs_add(&c->query, "comp", "block");

	print_name(u->id, block, c->md5, name);
	if (rc == 0)
		rc = pairs_add(&c->query, "blockid", name);
	if (rc)
		return call_failed(e, rc);
	rc = call_co_run(u->s, c, e);
	if (rc)
		return rc;
	rc = upload_set_there(u, block, c->md5, NULL);
	return rc ? call_failed(e, rc) : 0;
}

/* ---- commit ---- */

struct same {
	const struct blob_upload *u;
	uint32_t n;
	bool differs;
};

static int same_block(void *arg, const char *text, uint64_t size)
{
	struct same *x = arg;
	struct block_name n;

	(void)size;
	if (x->n >= x->u->nblocks || !parse_name(text, &n) || strcmp(n.id, x->u->id) != 0 ||
	    n.number != x->n || memcmp(n.md5, x->u->block[x->n].md5, 16) != 0)
		x->differs = true;
	x->n++;
	return 0;
}

/* A repeated commit was refused: was it because the first had been executed? */
static int co_settle(struct blob_upload *u, char etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	CLEANUP(blob_props_fini) struct blob_props props = {0};
	struct same x = {.u = u};
	struct blob_error e2 = {0};

	if (co_blocks(u->s, u->name, true, same_block, &x, &e2) || x.differs || x.n != u->nblocks ||
	    call_co_head(u->s, u->name, &props, &e2))
		return e->rc; /* the first error stands */
	*e = (struct blob_error){0};
	if (etag)
		memcpy(etag, props.etag, BLOB_ETAG_MAX);
	return 0;
}

int azure_co_upload_commit(struct blob_upload *u, char etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	CLEANUP(str_fini) struct str body = {.max = BLOCK_LIST_BYTES};
	CLEANUP(call_fini) struct blob_call c = {.method = "PUT", .name = u->name, .niov = 1};
	struct iovec iov;
	int rc;

	str_puts(&body, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
	for (uint32_t i = 0; i < u->nblocks; i++) {
		char name[HASH_BASE64_LEN(BLOCK_NAME)];

		print_name(u->id, i, u->block[i].md5, name);
		str_printf(&body, "<Latest>%s</Latest>", name);
	}
	str_puts(&body, "</BlockList>");
	rc = body.failed ? body.failed : pairs_add(&c.query, "comp", "blocklist");
	if (rc == 0)
		rc = azure_add_meta(&c.headers, &u->meta);
	if (rc)
		return call_failed(e, rc);
	iov = (struct iovec){body.p, body.len};
	c.iov = &iov;
	hash_md5(&iov, 1, c.md5);
	c.has_md5 = true;
	rc = call_co_run_if(u->s, &c, u->if_match, u->if_none, e);
	if (rc && e->kind == BLOB_CONFLICT && c.repeated)
		return co_settle(u, etag, e);
	return rc ? rc : call_etag(&c, etag, e);
}

int azure_co_upload_abort(struct blob_upload *u, struct blob_error *e)
{
	/* The service has no such request: it forgets after a week. */
	(void)u, (void)e;
	return 0;
}

/* ---- what was begun ---- */

enum { FOUND_MAX = 64 };

struct found {
	blob_entry_fn *fn;
	void *arg;
	char id[FOUND_MAX][ID_DIGITS + 1];
	int n;
};

static int found_block(void *arg, const char *text, uint64_t size)
{
	struct found *f = arg;
	struct block_name n;
	char full[64];
	struct blob_entry entry = {.name = full};

	(void)size;
	if (!parse_name(text, &n))
		return 0;
	for (int i = 0; i < f->n; i++)
		if (strcmp(f->id[i], n.id) == 0)
			return 0;
	if (f->n == FOUND_MAX) /* more are of no use: one is enough to go on with */
		return 0;
	memcpy(f->id[f->n++], n.id, sizeof(n.id));
	entry.name_len = (size_t)snprintf(full, sizeof(full), "%u:%s", n.mib, n.id);
	return f->fn(f->arg, &entry);
}

int azure_co_upload_list(struct blob_store *s, const char *name, blob_entry_fn *fn, void *arg,
			 struct blob_error *e)
{
	struct found f = {.fn = fn, .arg = arg};

	return co_blocks(s, name, false, found_block, &f, e);
}
