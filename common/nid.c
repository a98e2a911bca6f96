/* SPDX-License-Identifier: Apache-2.0 */
/* nid.c - reading and printing network addresses; see nid.h.
 *
 * The grammar is walked once from left to right: an element ends at the '@' of its address, then
 * come network and port, so the colons of an IPv6 address never count as separators. Only tcp
 * exists.
 */
#include "common/nid.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>

#define MAX_HOST 253

static int explain(char *why, size_t why_len, const char *fmt, ...) PRINTF_LIKE(3, 4);
static int explain(char *why, size_t why_len, const char *fmt, ...)
{
	va_list ap;

	if (why_len) {
		va_start(ap, fmt);
		vsnprintf(why, why_len, fmt, ap);
		va_end(ap);
	}
	return -EINVAL;
}

uint16_t nid_port(const struct nid *n)
{
	if (n->addr.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&n->addr)->sin6_port);
	return ntohs(((const struct sockaddr_in *)&n->addr)->sin_port);
}

void nid_set_port(struct nid *n, uint16_t port)
{
	if (n->addr.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&n->addr)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)&n->addr)->sin_port = htons(port);
}

/* IPv4 in IPv6 clothes is taken for what it is, so that nid_eq() means the same host. */
void nid_set_addr(struct nid *n, const struct sockaddr *sa, socklen_t len)
{
	const struct sockaddr_in6 *s6 = (const struct sockaddr_in6 *)sa;
	struct sockaddr_in v4 = {.sin_family = AF_INET};

	memset(n, 0, sizeof(*n));
	if (sa->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&s6->sin6_addr)) {
		memcpy(&v4.sin_addr, &s6->sin6_addr.s6_addr[12], 4);
		v4.sin_port = s6->sin6_port;
		sa = (const struct sockaddr *)&v4;
		len = sizeof(v4);
	}
	assert(len <= sizeof(n->addr));
	memcpy(&n->addr, sa, len);
	n->addr_len = len;
}

bool nid_is_wildcard(const struct nid *n)
{
	if (n->addr.ss_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(
			&((const struct sockaddr_in6 *)&n->addr)->sin6_addr);
	return ((const struct sockaddr_in *)&n->addr)->sin_addr.s_addr == 0;
}

/* Numeric address. */
static bool parse_numeric(const char *host, struct nid *out)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	char addr[INET6_ADDRSTRLEN + 1];
	const char *zone = strchr(host, '%');
	size_t n = zone ? (size_t)(zone - host) : strlen(host);

	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
		nid_set_addr(out, (struct sockaddr *)&v4, sizeof(v4));
		return true;
	}
	if (n >= sizeof(addr))
		return false;
	memcpy(addr, host, n);
	addr[n] = 0;
	if (inet_pton(AF_INET6, addr, &v6.sin6_addr) != 1)
		return false;
	if (zone) {
		v6.sin6_scope_id = if_nametoindex(zone + 1);
		if (v6.sin6_scope_id == 0)
			return false;
	}
	nid_set_addr(out, (struct sockaddr *)&v6, sizeof(v6));
	return true;
}

static bool host_name_ok(const char *host)
{
	size_t n = strlen(host);

	/* Digits and dots that are no address would be guessed at by the resolver ("1.2" =
	 * 1.0.0.2). */
	return n >= 1 && strspn(host, "0123456789.") < n && host[0] != '-' && host[0] != '.' &&
	       strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
		       n;
}

static int resolve(const char *host, bool names, struct nid *out, char *why, size_t why_len)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC}, *ai;
	int rc;

	if (parse_numeric(host, out))
		return 0;
	if (!host_name_ok(host))
		return explain(why, why_len, "\"%s\" is no address and no host name", host);
	if (!names)
		return explain(why, why_len, "\"%s\" is no numeric address", host);
	rc = getaddrinfo(host, NULL, &hints, &ai);
	if (rc)
		return explain(why, why_len, "host %s: %s", host, gai_strerror(rc));
	nid_set_addr(out, ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(ai);
	return 0;
}

/* "@tcp" or "@tcp0"; *p is behind it then. */
static int parse_network(const char **p, char *why, size_t why_len)
{
	const char *s = *p + 1;
	size_t n = 0;

	while (isalnum((unsigned char)s[n]))
		n++;
	if (!(n == 3 && memcmp(s, "tcp", 3) == 0) && !(n == 4 && memcmp(s, "tcp0", 4) == 0))
		return explain(why, why_len, "network \"%.*s\" is not supported, only tcp is",
			       n > 16 ? 16 : (int)n, s);
	*p = s + n;
	return 0;
}

/* ":988" if what follows the colon is a port; else nothing is taken. */
static int parse_port(const char **p, uint16_t *port, char *why, size_t why_len)
{
	const char *s = *p;
	uint32_t v = 0;
	size_t n = 0;

	if (*s != ':' || !isdigit((unsigned char)s[1]))
		return 0;
	while (isdigit((unsigned char)s[1 + n])) {
		if (v <= UINT16_MAX)
			v = v * 10 + (uint32_t)(s[1 + n] - '0');
		n++;
	}
	if (s[1 + n] && !strchr(",:/", s[1 + n]))
		return 0; /* the next element: an address that begins with a digit */
	if (v < 1 || v > UINT16_MAX)
		return explain(why, why_len, "port %.*s is not between 1 and 65535",
			       n > 16 ? 16 : (int)n, s + 1);
	*port = (uint16_t)v;
	*p = s + 1 + n;
	return 0;
}

/* One element; *p is behind it then. */
static int parse_one(const char **p, uint16_t port, bool names, struct nid *out, char *why,
		     size_t why_len)
{
	const char *at = strchr(*p, '@');
	size_t n = at ? (size_t)(at - *p) : strcspn(*p, ",/");
	char host[MAX_HOST + 1];
	int rc;

	if (n > MAX_HOST)
		return explain(why, why_len, "address is longer than %d characters", MAX_HOST);
	memcpy(host, *p, n);
	host[n] = 0;
	for (size_t i = 0; i < n; i++)
		if (!isprint((unsigned char)host[i]))
			return explain(why, why_len, "address has unprintable characters");
	if (!at)
		return explain(why, why_len, "\"%s\" has no network: write ADDRESS@tcp[:PORT]",
			       host);
	*p = at;
	rc = parse_network(p, why, why_len);
	if (rc == 0)
		rc = parse_port(p, &port, why, why_len);
	if (rc == 0)
		rc = resolve(host, names, out, why, why_len);
	if (rc == 0)
		nid_set_port(out, port);
	return rc;
}

int nid_parse(const char *text, uint16_t default_port, struct nid *out, char *why, size_t why_len)
{
	struct nid n;
	int rc = parse_one(&text, default_port, true, &n, why, why_len);

	if (rc)
		return rc;
	if (*text)
		return explain(why, why_len, "\"%.40s\" behind the address", text);
	*out = n;
	return 0;
}

static int list_parse(const char *text, uint16_t default_port, bool names, struct nid_list *out,
		      char *why, size_t why_len)
{
	struct nid_list l = {0};
	int rc;

	for (;;) {
		if (l.n == MAX_NIDS)
			return explain(why, why_len, "more than %d addresses", MAX_NIDS);
		rc = parse_one(&text, default_port, names, &l.nid[l.n], why, why_len);
		if (rc)
			return rc;
		l.n++;
		if (!*text)
			break;
		if (*text != ',' && *text != ':')
			return explain(why, why_len, "\"%.40s\" behind an address", text);
		text++;
	}
	*out = l;
	return 0;
}

int nid_list_parse(const char *text, uint16_t default_port, struct nid_list *out, char *why,
		   size_t why_len)
{
	return list_parse(text, default_port, true, out, why, why_len);
}

int nid_list_parse_numeric(const char *text, uint16_t default_port, struct nid_list *out,
			   char *why, size_t why_len)
{
	return list_parse(text, default_port, false, out, why, why_len);
}

bool fsname_ok(const char *name)
{
	size_t n = strnlen(name, MAX_FSNAME + 1);

	return n >= 1 && n <= MAX_FSNAME &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
		       n;
}

/* "/a//b/" becomes "/a/b"; ".." would leave the file system's tree. */
static int parse_subdir(const char *s, char *out, char *why, size_t why_len)
{
	size_t n, at = 0;

	for (; *s; s += n) {
		s += strspn(s, "/");
		n = strcspn(s, "/");
		if (n == 0 || (n == 1 && s[0] == '.'))
			continue;
		if (n == 2 && memcmp(s, "..", 2) == 0)
			return explain(why, why_len, "the subdirectory must not contain \"..\"");
		if (n > MAX_NAME || at + n + 2 > MAX_PATH)
			return explain(why, why_len, "the subdirectory is too long");
		out[at++] = '/';
		memcpy(out + at, s, n);
		at += n;
	}
	out[at] = 0;
	return 0;
}

int mount_source_parse(const char *text, struct mount_source *out, char *why, size_t why_len)
{
	const char *sep = strstr(text, ":/"), *fs, *sub;
	char list[MAX_NIDS * (MAX_HOST + 16)];
	char fsname[MAX_FSNAME + 1];
	struct nid_list mgs;
	int rc;

	if (!sep)
		return explain(why, why_len, "\"%.80s\" is not NID[,NID][:NID]:/FSNAME[/SUBDIR]",
			       text);
	if ((size_t)(sep - text) >= sizeof(list))
		return explain(why, why_len, "the list of addresses is too long");
	memcpy(list, text, (size_t)(sep - text));
	list[sep - text] = 0;
	rc = nid_list_parse(list, PORT_MGS, &mgs, why, why_len);
	if (rc)
		return rc;
	fs = sep + 2;
	sub = fs + strcspn(fs, "/");
	if ((size_t)(sub - fs) > MAX_FSNAME)
		return explain(why, why_len, "file system name \"%.*s\" is longer than %d",
			       (int)min_u64((uint64_t)(sub - fs), 40), fs, MAX_FSNAME);
	memcpy(fsname, fs, (size_t)(sub - fs));
	fsname[sub - fs] = 0;
	if (!fsname_ok(fsname))
		return explain(why, why_len,
			       "file system name \"%s\" is not 1 to %d of [-_a-zA-Z0-9]", fsname,
			       MAX_FSNAME);
	rc = parse_subdir(sub, out->subdir, why, why_len);
	if (rc)
		return rc;
	out->mgs = mgs;
	memcpy(out->fsname, fsname, sizeof(fsname));
	return 0;
}

char *nid_str(const struct nid *n, uint16_t default_port, char *buf)
{
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 2];
	uint16_t port = nid_port(n);

	if (n->addr_len == 0 ||
	    getnameinfo((const struct sockaddr *)&n->addr, n->addr_len, host, sizeof(host), NULL, 0,
			NI_NUMERICHOST))
		memcpy(host, "?", 2);
	if (port == default_port)
		snprintf(buf, NID_STRLEN, "%s@tcp", host);
	else
		snprintf(buf, NID_STRLEN, "%s@tcp:%u", host, port);
	return buf;
}

char *nid_list_str(const struct nid_list *l, uint16_t default_port, char *buf, size_t len)
{
	char one[NID_STRLEN];
	size_t at = 0;
	uint32_t i;

	assert(len > 0);
	buf[0] = 0;
	for (i = 0; i < l->n && at < len; i++)
		at += (size_t)snprintf(buf + at, len - at, "%s%s", i ? "," : "",
				       nid_str(&l->nid[i], default_port, one));
	return buf;
}

bool nid_eq(const struct nid *a, const struct nid *b)
{
	const struct sockaddr_in6 *x, *y;

	if (a->addr.ss_family != b->addr.ss_family || nid_port(a) != nid_port(b))
		return false;
	if (a->addr.ss_family != AF_INET6)
		return ((const struct sockaddr_in *)&a->addr)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)&b->addr)->sin_addr.s_addr;
	x = (const struct sockaddr_in6 *)&a->addr;
	y = (const struct sockaddr_in6 *)&b->addr;
	return memcmp(&x->sin6_addr, &y->sin6_addr, sizeof(x->sin6_addr)) == 0 &&
	       x->sin6_scope_id == y->sin6_scope_id;
}

bool nid_list_eq(const struct nid_list *a, const struct nid_list *b)
{
	uint32_t i;

	for (i = 0; i < a->n && i < b->n && nid_eq(&a->nid[i], &b->nid[i]); i++)
		;
	return i == a->n && i == b->n;
}

void nid_list_to_front(struct nid_list *l, uint32_t at)
{
	struct nid first = l->nid[at];

	assert(at < l->n);
	memmove(&l->nid[1], &l->nid[0], at * sizeof(l->nid[0]));
	l->nid[0] = first;
}
