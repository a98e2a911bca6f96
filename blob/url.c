/* SPDX-License-Identifier: Apache-2.0 */
/* url.c - endpoints and percent-encoding, as RFC 3986 and both services' signatures want it. */
#include "blob/url.h"
#include "blob/hash.h"
#include "blob/pairs.h"
#include "blob/str.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static bool host_char(char c)
{
	return isalnum((unsigned char)c) || strchr("-._", c);
}

/* Host up to ':' or '/' or the end. Returns what follows, NULL if it is no host. */
static const char *parse_host(const char *p, struct url *u)
{
	size_t n = 0;

	if (p[0] == '[') {
		n = 1 + strspn(p + 1, "0123456789abcdefABCDEF:.");
		if (p[n] != ']')
			return NULL;
		n++;
	} else {
		while (p[n] && host_char(p[n]))
			n++;
	}
	if (n == 0 || n > URL_HOST_MAX)
		return NULL;
	memcpy(u->host, p, n);
	u->host[n] = 0;
	return p + n;
}

static const char *parse_port(const char *p, struct url *u)
{
	char *end;
	unsigned long port;

	u->port = u->tls ? 443 : 80;
	u->default_port = true;
	if (*p != ':')
		return p;
	if (!isdigit((unsigned char)p[1]))
		return NULL;
	port = strtoul(p + 1, &end, 10);
	if (port == 0 || port > 65535)
		return NULL;
	u->default_port = port == u->port;
	u->port = (uint16_t)port;
	return end;
}

int url_parse(const char *text, struct url *out)
{
	struct url u = {0};
	const char *p;
	size_t n;

	if (strncasecmp(text, "https://", 8) == 0) {
		u.tls = true;
		p = text + 8;
	} else if (strncasecmp(text, "http://", 7) == 0) {
		p = text + 7;
	} else {
		return -EINVAL;
	}
	p = parse_host(p, &u);
	if (p)
		p = parse_port(p, &u);
	if (!p || (*p && *p != '/'))
		return -EINVAL;
	n = strlen(p);
	while (n && p[n - 1] == '/')
		n--;
	if (n >= sizeof(u.path))
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)p[i]) || strchr("?#%\\\"<>", p[i]))
			return -EINVAL;
	memcpy(u.path, p, n);
	*out = u;
	return 0;
}

void url_host(const struct url *u, char *out, size_t size)
{
	if (u->default_port)
		snprintf(out, size, "%s", u->host);
	else
		snprintf(out, size, "%s:%u", u->host, u->port);
}

void url_encode(struct str *out, const char *s, bool keep_slash)
{
	static const char digit[] = "0123456789ABCDEF";

	for (; *s; s++) {
		uint8_t c = (uint8_t)*s;

		if ((c < 128 && isalnum(c)) || strchr("-._~", c) || (keep_slash && c == '/')) {
			str_putc(out, (char)c);
		} else {
			str_putc(out, '%');
			str_putc(out, digit[c >> 4]);
			str_putc(out, digit[c & 15]);
		}
	}
}

void url_decode(struct str *out, const char *s)
{
	while (*s) {
		uint8_t c;

		/* A NUL would end the text in the middle: it stays encoded. */
		if (*s == '%' && s[1] && hash_unhex(s + 1, &c, 1) == 0 && c) {
			str_putc(out, (char)c);
			s += 3;
		} else {
			str_putc(out, *s++);
		}
	}
}

void url_query(struct str *out, const struct pairs *q)
{
	for (uint32_t i = 0; i < q->n; i++) {
		if (i)
			str_putc(out, '&');
		url_encode(out, q->v[i].name, false);
		str_putc(out, '=');
		url_encode(out, q->v[i].value, false);
	}
}
