/* SPDX-License-Identifier: Apache-2.0 */
/* blob.c - blob.h over the two services: what they have in common, and the checks of what callers
 * give. */
#include "blob/blob_int.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- stores ---- */

int blob_init(void)
{
	int rc = hash_init();

	return rc ? rc : http_init();
}

static void free_texts(struct blob_config *c)
{
	free((void *)(uintptr_t)c->endpoint);
	free((void *)(uintptr_t)c->container);
	free((void *)(uintptr_t)c->credentials);
	free((void *)(uintptr_t)c->region);
	free((void *)(uintptr_t)c->ca_file);
}

static void destroy(struct blob_store *s)
{
	http_destroy(s->http);
	token_fini(&s->token);
	if (s->cred)
		cred_wipe(s->cred);
	free(s->cred);
	free_texts(&s->cfg);
	free(s);
}

static bool dup_text(const char **text)
{
	if (*text)
		*text = strdup(*text);
	return *text;
}

static int copy_config(struct blob_config *to, const struct blob_config *from)
{
	bool failed;

	*to = *from;
	failed = !dup_text(&to->endpoint);
	failed |= !dup_text(&to->container);
	failed |= !dup_text(&to->credentials) && from->credentials;
	failed |= !dup_text(&to->region) && from->region;
	failed |= !dup_text(&to->ca_file) && from->ca_file;
	if (!to->max_requests)
		to->max_requests = 16;
	if (!to->connect_ms)
		to->connect_ms = 10000;
	if (!to->stall_ms)
		to->stall_ms = 30000;
	if (!to->block_size)
		to->block_size = 8 * MIB;
	if (!to->retry.attempts)
		to->retry = RETRY_DEFAULT;
	return failed ? -ENOMEM : 0;
}

/* The rules of both services together: no other name is a host name as well. */
static bool container_ok(const char *name)
{
	size_t n = strlen(name);

	if (n < 3 || n > 63)
		return false;
	for (const char *p = name; *p; p++)
		if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) &&
		    !strchr("-.$_", *p))
			return false;
	return true;
}

/* An account is named by the endpoint: its host's first part, or the path's where the host is an
 * address. */
static int account_of(const struct url *u, char *out, size_t size)
{
	const char *p = u->path[0] ? u->path + 1 : u->host;
	size_t n = strcspn(p, u->path[0] ? "/" : ".");

	return n && snprintf(out, size, "%.*s", (int)n, p) < (int)size ? 0 : -EINVAL;
}

int blob_load_cred(struct blob_store *s, struct cred *out, struct blob_error *e)
{
	int rc = cred_load(s->cfg.service, s->cfg.credentials, out, e);

	if (rc)
		return rc;
	if (s->cfg.service == BLOB_AZURE && !out->azure.account[0] &&
	    account_of(&s->url, out->azure.account, sizeof(out->azure.account)))
		return error_set(e, BLOB_REFUSED, "endpoint %s: names no account", s->cfg.endpoint);
	if (s->cfg.region && snprintf(out->s3.region, sizeof(out->s3.region), "%s",
				      s->cfg.region) >= (int)sizeof(out->s3.region))
		return error_set(e, BLOB_REFUSED, "region: too long");
	if (!out->s3.region[0])
		snprintf(out->s3.region, sizeof(out->s3.region), "us-east-1");
	return 0;
}

static int set_up(struct blob_store *s, struct blob_error *e)
{
	struct http_config h = {.max_requests = s->cfg.max_requests,
				.connect_ms = s->cfg.connect_ms,
				.stall_ms = s->cfg.stall_ms,
				.ca_file = s->cfg.ca_file};
	int rc;

	if (url_parse(s->cfg.endpoint, &s->url))
		return error_set(e, BLOB_REFUSED,
				 "endpoint: not of the form https://HOST[:PORT][/PATH]");
	if (!container_ok(s->cfg.container))
		return error_set(e, BLOB_REFUSED, "container '%.80s': no such names",
				 s->cfg.container);
	rc = blob_load_cred(s, s->cred, e);
	if (rc)
		return rc;
	rc = http_create(s->l, &h, &s->http);
	return rc ? call_failed(e, rc) : 0;
}

int blob_open(struct loop *l, const struct blob_config *cfg, struct blob_store **out,
	      struct blob_error *e)
{
	struct blob_store *s = calloc(1, sizeof(*s));

	*e = (struct blob_error){0};
	if (!s)
		return call_failed(e, -ENOMEM);
	s->l = l;
	s->ops = cfg->service == BLOB_AZURE ? &azure_ops : &s3_ops;
	co_mutex_init(&s->cred_lock);
	co_waitq_init(&s->stop_q);
	s->cred = calloc(1, sizeof(*s->cred));
	if (copy_config(&s->cfg, cfg) || !s->cred)
		call_failed(e, -ENOMEM);
	else
		set_up(s, e);
	if (e->kind != BLOB_OK) {
		destroy(s);
		return e->rc;
	}
	*out = s;
	return 0;
}

void blob_close(struct blob_store *s)
{
	if (s)
		destroy(s);
}

void blob_stop(struct blob_store *s)
{
	s->stopped = true;
	co_wake_all(&s->stop_q);
	http_stop(s->http);
}

/* ---- what callers give ---- */

static int check_name(const char *name, struct blob_error *e)
{
	size_t n = strlen(name);

	*e = (struct blob_error){0};
	if (n == 0 || n > BLOB_NAME_MAX)
		return error_set(e, BLOB_REFUSED, "a name must have 1 to %d bytes", BLOB_NAME_MAX);
	return 0;
}

static int check_meta(const struct pairs *meta, struct blob_error *e)
{
	size_t bytes = 0;

	for (uint32_t i = 0; meta && i < meta->n; i++) {
		const char *name = meta->v[i].name, *value = meta->v[i].value;
		size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

		if (n == 0 || name[n] || isdigit((unsigned char)name[0]))
			return error_set(e, BLOB_REFUSED, "metadata: '%.64s' is no name", name);
		for (const char *p = value; *p; p++)
			if (!isprint((unsigned char)*p))
				return error_set(e, BLOB_REFUSED,
						 "metadata %s: not printable ASCII", name);
		/* A header's value has none, so they would be lost. */
		if (value[0] == ' ' || (value[0] && value[strlen(value) - 1] == ' '))
			return error_set(e, BLOB_REFUSED,
					 "metadata %s: begins or ends with a blank", name);
		bytes += strlen(name) + strlen(value);
	}
	if (bytes > BLOB_META_MAX)
		return error_set(e, BLOB_REFUSED, "metadata: more than %u bytes", BLOB_META_MAX);
	return 0;
}

int blob_check_write(const char *name, const struct pairs *meta, struct blob_error *e)
{
	int rc = check_name(name, e);

	return rc ? rc : check_meta(meta, e);
}

/* ---- looking ---- */

void blob_props_fini(struct blob_props *p)
{
	pairs_fini(&p->meta);
}

int blob_co_stat(struct blob_store *s, const char *name, struct blob_props *out,
		 struct blob_error *e)
{
	int rc = check_name(name, e);

	return rc ? rc : call_co_head(s, name, out, e);
}

/* To tell what the callback did not like from what is wrong with the answer. */
struct emit {
	blob_entry_fn *fn;
	void *arg;
	int rc;
};

static int emit(void *arg, const struct blob_entry *entry)
{
	struct emit *x = arg;

	x->rc = x->fn(x->arg, entry);
	return x->rc;
}

static int emit_failed(const struct emit *x, int rc, struct blob_error *e)
{
	if (rc == 0 || e->kind != BLOB_OK)
		return rc;
	if (x->rc)
		return error_local(e, x->rc, "the receiver gave up");
	if (rc == -ENOMEM)
		return call_failed(e, rc);
	return error_set(e, BLOB_BAD_ANSWER, "the list is malformed");
}

int blob_co_list(struct blob_store *s, struct blob_list *q, blob_entry_fn *fn, void *arg,
		 struct blob_error *e)
{
	struct emit x = {.fn = fn, .arg = arg};
	char before[BLOB_MARKER_MAX];
	int rc;

	for (uint32_t page = 0;; page++) {
		*e = (struct blob_error){0};
		memcpy(before, q->marker, sizeof(before));
		rc = s->ops->co_list_page(s, q, emit, &x, e);
		if (rc)
			return emit_failed(&x, rc, e);
		if (!q->marker[0] || page + 1 == q->pages)
			return 0;
		if (strcmp(before, q->marker) == 0)
			return error_set(e, BLOB_BAD_ANSWER, "the list has no end");
	}
}

int blob_co_upload_list(struct blob_store *s, const char *name, blob_entry_fn *fn, void *arg,
			struct blob_error *e)
{
	struct emit x = {.fn = fn, .arg = arg};
	int rc = check_name(name, e);

	if (rc)
		return rc;
	return emit_failed(&x, s->ops->co_upload_list(s, name, emit, &x, e), e);
}

/* ---- writing ---- */

/* A repeated put was refused because of its condition: was it the first that made the difference?
 */
static int co_settle_put(struct blob_store *s, const struct blob_write *w, uint64_t size,
			 const uint8_t md5[16], char etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	static const struct pairs none = PAIRS_INIT;
	CLEANUP(blob_props_fini) struct blob_props props = {0};
	struct blob_error e2 = {0};

	if (call_co_head(s, w->name, &props, &e2) || props.size != size || !props.has_md5 ||
	    memcmp(props.md5, md5, 16) != 0 || !pairs_same(&props.meta, w->meta ? w->meta : &none))
		return e->rc; /* the first error stands */
	*e = (struct blob_error){0};
	if (etag)
		memcpy(etag, props.etag, BLOB_ETAG_MAX);
	return 0;
}

static int prepare_put(struct blob_store *s, const struct blob_write *w, struct blob_call *c)
{
	int rc = 0;

	if (s->ops->put_header.name)
		rc = pairs_add(&c->headers, s->ops->put_header.name, s->ops->put_header.value);
	if (rc == 0)
		rc = pairs_add(&c->headers, "Content-Type", "application/octet-stream");
	if (rc == 0)
		rc = s->ops->add_meta(&c->headers, w->meta);
	hash_md5(c->iov, c->niov, c->md5);
	c->has_md5 = c->check_put = true;
	return rc;
}

int blob_co_put(struct blob_store *s, const struct blob_write *w, const struct iovec *iov, int niov,
		char etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	CLEANUP(call_fini)
	struct blob_call c = {.method = "PUT", .name = w->name, .iov = iov, .niov = niov};
	uint64_t size = 0;
	int rc = blob_check_write(w->name, w->meta, e);

	for (int i = 0; i < niov; i++)
		size += iov[i].iov_len;
	if (rc == 0 && size > BLOB_PUT_MAX)
		rc = error_set(e, BLOB_REFUSED, "too large for one request");
	if (rc == 0 && s->ops->co_check)
		rc = s->ops->co_check(s, w->name, w->if_match, w->if_none, e);
	if (rc)
		return rc;
	rc = prepare_put(s, w, &c);
	if (rc)
		return call_failed(e, rc);
	rc = call_co_run_if(s, &c, w->if_match, w->if_none, e);
	if (rc && e->kind == BLOB_CONFLICT && c.repeated)
		return co_settle_put(s, w, size, c.md5, etag, e);
	if (rc)
		return rc;
	return call_etag(&c, etag, e);
}

int blob_co_set_meta(struct blob_store *s, const char *name, const struct pairs *meta,
		     const char *etag, char new_etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	int rc = blob_check_write(name, meta, e);

	return rc ? rc : s->ops->co_set_meta(s, name, meta, etag, new_etag, e);
}

int blob_co_copy(struct blob_store *s, const char *from, const char *to, const char *etag,
		 char new_etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	int rc = check_name(from, e);

	if (rc == 0)
		rc = check_name(to, e);
	return rc ? rc : s->ops->co_copy(s, from, to, etag, new_etag, e);
}

/* A repeated deletion was refused: was it because the first had been executed? */
static int co_settle_delete(struct blob_store *s, const char *name, struct blob_error *e)
{
	CLEANUP(blob_props_fini) struct blob_props props = {0};
	struct blob_error e2;

	if (e->kind != BLOB_NOT_FOUND &&
	    (call_co_head(s, name, &props, &e2) == 0 || e2.kind != BLOB_NOT_FOUND))
		return e->rc; /* the first error stands */
	*e = (struct blob_error){0};
	return 0;
}

int blob_co_delete(struct blob_store *s, const char *name, const char *etag, struct blob_error *e)
{
	CLEANUP(call_fini) struct blob_call c = {.method = "DELETE", .name = name};
	int rc = check_name(name, e);

	if (rc == 0 && s->ops->co_check)
		rc = s->ops->co_check(s, name, etag, false, e);
	if (rc)
		return rc;
	rc = call_co_run_if(s, &c, etag, false, e);
	if (rc && c.repeated && (e->kind == BLOB_NOT_FOUND || e->kind == BLOB_CONFLICT))
		return co_settle_delete(s, name, e);
	return rc;
}

int blob_co_rename(struct blob_store *s, const char *from, const char *to, const char *etag,
		   char new_etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	CLEANUP(blob_props_fini) struct blob_props props = {0};
	int rc = blob_co_stat(s, from, &props, e);

	if (rc)
		return rc;
	if (etag && strcmp(etag, props.etag) != 0)
		return error_set(e, BLOB_CONFLICT, "it has been changed by somebody else");
	/* What is deleted is what was copied, and nothing newer. */
	rc = blob_co_copy(s, from, to, props.etag, new_etag, e);
	return rc ? rc : blob_co_delete(s, from, props.etag, e);
}
