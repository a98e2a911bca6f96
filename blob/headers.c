/* SPDX-License-Identifier: Apache-2.0 */
/* headers.c - bounded heads of answers, dates, ranges. */
#include "blob/headers.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#define RETRY_AFTER_MAX_MS (3600U * 1000)

void headers_fini(struct headers *h)
{
	pairs_fini(&h->f);
	*h = (struct headers){0};
}

static bool is_token(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)p[i]) || p[i] == ':')
			return false;
	return n > 0;
}

static bool is_text(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (iscntrl((unsigned char)p[i]) && p[i] != '\t')
			return false;
	return true;
}

/* "HTTP/1.1 200 OK" */
static int status_of(const char *line, size_t len)
{
	const char *p = memchr(line, ' ', len);
	size_t left = p ? len - (size_t)(p - line) : 0;

	if (left < 4 || !isdigit((unsigned char)p[1]) || !isdigit((unsigned char)p[2]) ||
	    !isdigit((unsigned char)p[3]))
		return -EBADMSG;
	return (p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0');
}

static void begin(struct headers *h, const char *line, size_t len)
{
	uint32_t heads = h->heads + 1;
	int status = status_of(line, len);

	headers_fini(h);
	h->heads = heads;
	if (status < 0 || heads > HEADERS_HEADS_MAX)
		h->failed = -EBADMSG;
	else
		h->status = status;
}

void headers_line(struct headers *h, const char *line, size_t len)
{
	const char *colon;
	size_t name_len;
	int rc;

	while (len && (line[len - 1] == '\r' || line[len - 1] == '\n'))
		len--;
	if (len == 0 || h->failed)
		return;
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		begin(h, line, len);
		return;
	}
	colon = memchr(line, ':', len);
	name_len = colon ? (size_t)(colon - line) : 0;
	if (!is_token(line, name_len) || !is_text(colon, len - name_len)) {
		h->failed = -EBADMSG;
		return;
	}
	line = colon + 1;
	len -= name_len + 1;
	while (len && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	rc = pairs_add_n(&h->f, colon - name_len, name_len, line, len);
	if (rc)
		h->failed = rc;
}

const char *headers_get(const struct headers *h, const char *name)
{
	return pairs_get(&h->f, name);
}

int headers_parse_u64(const char *text, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EBADMSG;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno || *end ? -EBADMSG : 0;
}

int headers_u64(const struct headers *h, const char *name, uint64_t *out)
{
	const char *text = headers_get(h, name);

	return text ? headers_parse_u64(text, out) : -ENOENT;
}

/* A number that ends at `stop`; returns what follows it. */
static const char *number(const char *p, char stop, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)*p))
		return NULL;
	errno = 0;
	*out = strtoull(p, &end, 10);
	return errno || *end != stop ? NULL : end + (stop ? 1 : 0);
}

int headers_range(const char *text, uint64_t *first, uint64_t *last, uint64_t *total)
{
	uint64_t a, b, t = UINT64_MAX;
	const char *p;

	if (strncasecmp(text, "bytes ", 6) != 0)
		return -EBADMSG;
	p = number(text + 6, '-', &a);
	if (p)
		p = number(p, '/', &b);
	if (!p || (strcmp(p, "*") != 0 && !number(p, 0, &t)) || b < a || b >= t)
		return -EBADMSG;
	*first = a;
	*last = b;
	*total = t;
	return 0;
}

static int month_of(const char *name)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (strncasecmp(name, months + 3 * i, 3) == 0)
			return i;
	return -1;
}

int headers_date(const char *text, int64_t *out)
{
	struct tm tm = {0};
	char month[4];
	int n = 0;

	if (sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT%n", &tm.tm_mday, month, &tm.tm_year,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) == 6 &&
	    n) {
		tm.tm_mon = month_of(month);
	} else if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
			  &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) == 6 &&
		   n && strchr(".Z", text[n])) {
		tm.tm_mon--;
	} else {
		return -EBADMSG;
	}
	if (tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_year < 1900 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 ||
	    tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return -EBADMSG;
	tm.tm_year -= 1900;
	*out = timegm(&tm);
	return 0;
}

uint32_t headers_retry_after_ms(const struct headers *h, int64_t now)
{
	uint64_t ms = 0;
	int64_t when;
	const char *text = headers_get(h, "retry-after");

	if (headers_u64(h, "x-ms-retry-after-ms", &ms) == 0 ||
	    headers_u64(h, "retry-after-ms", &ms) == 0)
		return (uint32_t)min_u64(ms, RETRY_AFTER_MAX_MS);
	if (!text)
		return 0;
	if (headers_parse_u64(text, &ms) == 0)
		return (uint32_t)min_u64(min_u64(ms, RETRY_AFTER_MAX_MS) * 1000,
					 RETRY_AFTER_MAX_MS);
	if (headers_date(text, &when) == 0 && when > now)
		return (uint32_t)min_u64((uint64_t)min_u64((uint64_t)(when - now), 3600) * 1000,
					 RETRY_AFTER_MAX_MS);
	return 0;
}

int headers_etag(const char *text, char *out, size_t size)
{
	size_t n = strlen(text);

	if (n == 0 || n >= size)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)text[i]))
			return -EBADMSG;
	memcpy(out, text, n + 1);
	return 0;
}
