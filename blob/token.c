/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - tokens of a managed identity, by the protocol of Azure's instance metadata service. */
#include "blob/token.h"
#include "blob/cred.h"
#include "blob/error.h"
#include "blob/http.h"
#include "blob/url.h"
#include <ctype.h>
#include <json-c/json.h>
#include <stdlib.h>

enum { JSON_DEPTH = 8 };

bool token_is_old(const struct token *t, int64_t now)
{
	return !t->text || t->end - TOKEN_MARGIN_S <= now;
}

void token_fini(struct token *t)
{
	if (t->text)
		explicit_bzero(t->text, strlen(t->text));
	free(t->text);
	*t = (struct token){0};
}

/* A number or a text with one: the service uses both. */
static bool get_seconds(struct json_object *o, const char *name, int64_t *out)
{
	struct json_object *v;
	uint64_t n;

	if (!json_object_object_get_ex(o, name, &v) ||
	    headers_parse_u64(json_object_get_string(v), &n) || n > INT32_MAX * 1000ULL)
		return false;
	*out = (int64_t)n;
	return true;
}

static bool is_token(const char *s)
{
	for (const char *p = s; *p; p++)
		if (!isgraph((unsigned char)*p))
			return false;
	return *s && strlen(s) < TOKEN_MAX;
}

static int take(struct json_object *o, int64_t now, struct token *out)
{
	struct json_object *v;
	const char *text;
	int64_t end;

	if (!json_object_object_get_ex(o, "access_token", &v) ||
	    !json_object_is_type(v, json_type_string))
		return -EBADMSG;
	text = json_object_get_string(v);
	if (!is_token(text))
		return -EBADMSG;
	if (get_seconds(o, "expires_in", &end))
		end += now;
	else if (!get_seconds(o, "expires_on", &end))
		return -EBADMSG;
	out->text = strdup(text);
	out->end = end;
	return out->text ? 0 : -ENOMEM;
}

int token_parse(const char *json, size_t len, int64_t now, struct token *out)
{
	struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *o;
	int rc = -EBADMSG;

	if (!t)
		return -ENOMEM;
	o = json_tokener_parse_ex(t, json, (int)len);
	if (o && json_object_is_type(o, json_type_object))
		rc = take(o, now, out);
	json_object_put(o);
	json_tokener_free(t);
	return rc;
}

static int ask(struct http *h, const struct cred *c, struct str *body, struct blob_error *e)
{
	CLEANUP(str_fini) struct str url = STR_INIT;
	CLEANUP(pairs_fini) struct pairs headers = PAIRS_INIT;
	struct http_req r = {.method = "GET", .headers = &headers, .text = body};
	int rc = pairs_add(&headers, "Metadata", "true");

	str_printf(&url,
		   "%s%sapi-version=2018-02-01&resource=https%%3A%%2F%%2Fstorage.azure.com%%2F",
		   c->identity_url, strchr(c->identity_url, '?') ? "&" : "?");
	if (c->client_id[0]) {
		str_puts(&url, "&client_id=");
		url_encode(&url, c->client_id, false);
	}
	if (rc || url.failed)
		return error_local(e, -ENOMEM, "no memory for a request");
	r.url = url.p;
	rc = http_co_send(h, &r);
	if (rc == -ECANCELED)
		error_set(e, BLOB_CANCELED, "stopped");
	else if (rc)
		error_set(e, rc == -ETIMEDOUT ? BLOB_TIMEOUT : BLOB_BROKEN, "managed identity: %s",
			  r.words);
	else if (r.status != 200)
		rc = error_from_answer(e, r.status, "",
				       "the managed identity endpoint gives no token");
	/* It is not there yet, or not in a mood: both pass. */
	if (rc && (r.status == 404 || r.status == 410))
		error_set(e, BLOB_SERVER, "the managed identity endpoint gives no token (%d)",
			  r.status);
	http_req_fini(&r);
	return rc ? e->rc : 0;
}

int token_co_fetch(struct token *t, struct http *h, const struct cred *c, int64_t now,
		   struct blob_error *e)
{
	struct str body = {.max = 4 * TOKEN_MAX};
	struct token fresh = {0};
	int rc = ask(h, c, &body, e);

	if (rc == 0 && token_parse(str_get(&body), body.len, now, &fresh))
		rc = error_set(e, BLOB_BAD_ANSWER,
			       "the managed identity endpoint's answer is no token");
	if (body.p)
		explicit_bzero(body.p, body.len);
	str_fini(&body);
	if (rc)
		return rc;
	token_fini(t);
	*t = fresh;
	return 0;
}
