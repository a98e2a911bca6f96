/* SPDX-License-Identifier: Apache-2.0 */
/* url.h - endpoints and percent-encoding. Pure. */
#pragma once
#include "common/base.h"

struct str;   /* blob/str.h */
struct pairs; /* blob/pairs.h */

#define URL_HOST_MAX 255

struct url {
	bool tls;
	char host[URL_HOST_MAX + 1]; /* with brackets if it is IPv6 */
	uint16_t port;               /* as given or the scheme's */
	bool default_port;
	char path[256]; /* "" or "/...", no '/' at the end */
};

/* http://HOST[:PORT][/PATH] or https://...; no user, query or fragment. -EINVAL. */
must_check int url_parse(const char *text, struct url *out);
/* "host" or "host:port", as the Host header has it. */
void url_host(const struct url *u, char *out, size_t size);
/* Adds s, encoding all but letters, digits, "-._~" and, if keep_slash, '/'. */
void url_encode(struct str *out, const char *s, bool keep_slash);
/* Adds what percent-encoding meant; "%zz" stays as it is. */
void url_decode(struct str *out, const char *s);
/* "a=b&c=d", encoded, in the order of q. */
void url_query(struct str *out, const struct pairs *q);
