/* SPDX-License-Identifier: Apache-2.0 */
/* token.h - the bearer token of a managed identity: asked for, kept until shortly before it ends.
 *
 * The endpoint is the machine's own (169.254.169.254 on Azure) and speaks plain HTTP; the token
 * goes to the blob service over TLS only (the store refuses anything else). Belongs to a loop;
 * suspends.
 */
#pragma once
#include "common/base.h"

struct http;
struct cred;
struct blob_error;
struct str;

#define TOKEN_MAX      (16U << 10)
#define TOKEN_MARGIN_S 300 /* a token that ends so soon is not used any more */

struct token {
	char *text;  /* NULL: none */
	int64_t end; /* seconds since 1970 */
};

/* True if a new one must be fetched. */
bool token_is_old(const struct token *t, int64_t now);
/* One request. On failure the old token stays. */
must_check int token_co_fetch(struct token *t, struct http *h, const struct cred *c, int64_t now,
			      struct blob_error *e);
/* The answer's body. -EBADMSG. Pure. */
must_check int token_parse(const char *json, size_t len, int64_t now, struct token *out);
void token_fini(struct token *t);
