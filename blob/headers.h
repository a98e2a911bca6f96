/* SPDX-License-Identifier: Apache-2.0 */
/* headers.h - the head of an answer, bounded, and what its fields mean. Pure.
 *
 * Everything in here was written by the other side: lines are checked one by one, and a head that
 * is too large or holds control characters fails as a whole.
 */
#pragma once
#include "blob/pairs.h"

struct headers {
	int status; /* of the last status line: 100 Continue is followed by another */
	struct pairs f;
	uint32_t heads; /* status lines that were seen */
	int failed;     /* -EMSGSIZE, -EBADMSG, -ENOMEM */
};

#define HEADERS_HEADS_MAX 8

void headers_fini(struct headers *h);
/* One line as it came, with or without its end. A status line begins anew. */
void headers_line(struct headers *h, const char *line, size_t len);
const char *headers_get(const struct headers *h, const char *name); /* NULL */
/* A header that is a number. -ENOENT, -EBADMSG. */
must_check int headers_u64(const struct headers *h, const char *name, uint64_t *out);

/* "bytes 0-99/1000"; total is UINT64_MAX if it is "*". -EBADMSG. */
must_check int headers_range(const char *text, uint64_t *first, uint64_t *last, uint64_t *total);
/* Decimal digits and nothing else. -EBADMSG. */
must_check int headers_parse_u64(const char *text, uint64_t *out);
/* "Wed, 21 Oct 2015 07:28:00 GMT" or "2015-10-21T07:28:00.000Z", seconds since 1970. -EBADMSG. */
must_check int headers_date(const char *text, int64_t *out);
/* Retry-After: seconds or a date; x-ms-retry-after-ms and retry-after-ms: milliseconds. 0 if there
 * is none that makes sense; at most an hour. */
uint32_t headers_retry_after_ms(const struct headers *h, int64_t now);
/* Copies an ETag, quotes and all. -EBADMSG if it is too long or not printable. */
must_check int headers_etag(const char *text, char *out, size_t size);
