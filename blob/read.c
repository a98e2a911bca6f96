/* SPDX-License-Identifier: Apache-2.0 */
/* read.c - ranged reads: bound to one ETag, continued where a connection broke, checked.
 *
 * No byte is let in before the head has said that it is the right blob, the right range and the
 * right length: services exist that ignore If-Match or Range. */
#include "blob/blob_int.h"
#include <stdio.h>
#include <stdlib.h>

/* So much must have come for a broken connection not to count as a failed attempt. */
#define PROGRESS_MIN (64U << 10)

struct reader {
	const struct blob_read *r;
	const struct blob_service_ops *ops;
	char etag[BLOB_ETAG_MAX];
	uint64_t done;     /* bytes of the range that are there */
	struct hash *hash; /* of this answer's body, if it has a checksum */
	uint8_t want[16];
	int sink_rc;
};

static int check_range(const struct reader *x, const struct headers *h)
{
	uint64_t first, last, total, len, from = x->r->offset + x->done;
	const char *range = headers_get(h, "content-range");

	if (headers_u64(h, "content-length", &len))
		return -EBADMSG;
	if (h->status == 200) /* the whole blob: fine if that is what we want */
		return from == 0 && len == x->r->len ? 0 : -EBADMSG;
	if (h->status != 206 || !range || headers_range(range, &first, &last, &total))
		return -EBADMSG;
	if (first != from || last - first + 1 != len)
		return -EBADMSG;
	if (len < x->r->len - x->done)
		return last + 1 == total ? -ERANGE : -EBADMSG;
	return len == x->r->len - x->done ? 0 : -EBADMSG;
}

/* The checksum of what will come now, if the service knows one. */
static void expect_checksum(struct reader *x, const struct headers *h)
{
	const char *md5 = headers_get(h, "content-md5");
	uint64_t total, whole = 0, last;

	if (x->hash)
		hash_drop(x->hash);
	x->hash = NULL;
	if (!md5 && headers_get(h, "content-range") &&
	    headers_range(headers_get(h, "content-range"), &whole, &last, &total) == 0 &&
	    whole == 0 && last + 1 == total)
		md5 = headers_get(h, "x-ms-blob-content-md5");
	if (md5 && hash_unbase64(md5, x->want, sizeof(x->want)) == (int)sizeof(x->want))
		x->hash = hash_md5_start();
}

static int accept_head(void *arg, const struct headers *h)
{
	struct reader *x = arg;
	const char *etag = headers_get(h, "etag");
	int rc;

	if (!etag)
		return -EBADMSG;
	if (x->etag[0] && strcmp(x->etag, etag) != 0)
		return -ESTALE;
	rc = headers_etag(etag, x->etag, sizeof(x->etag));
	if (rc == 0)
		rc = check_range(x, h);
	if (rc == 0 && x->r->verify)
		expect_checksum(x, h);
	return rc;
}

static int take(void *arg, const void *p, size_t len)
{
	struct reader *x = arg;

	if (x->hash)
		hash_add(x->hash, p, len);
	x->sink_rc = x->r->sink(x->r->arg, p, len);
	return x->sink_rc;
}

static void progress(void *arg, uint64_t got)
{
	struct reader *x = arg;

	x->r->progress(x->r->arg, x->done + got);
}

static int finish_checksum(struct reader *x, uint64_t got, struct blob_error *e)
{
	uint8_t md5[16];

	if (!x->hash)
		return 0;
	if (x->r->buf)
		hash_add(x->hash, (char *)x->r->buf + x->done, got);
	hash_md5_end(x->hash, md5);
	x->hash = NULL;
	if (memcmp(md5, x->want, sizeof(md5)) == 0)
		return 0;
	return error_set(e, BLOB_CORRUPT, "the content does not have its checksum");
}

static int prepare(struct reader *x, struct blob_call *c)
{
	const struct blob_read *r = x->r;
	uint64_t from = r->offset + x->done;
	int rc;

	call_fini(c);
	*c = (struct blob_call){.method = "GET", .name = r->name};
	c->accept = accept_head;
	c->accept_arg = x;
	if (r->buf) {
		c->buf = (char *)r->buf + x->done;
		c->buf_max = r->len - x->done;
		c->progress = r->progress ? progress : NULL;
		c->progress_arg = x;
	} else {
		c->sink = take;
		c->sink_arg = x;
	}
	rc = pairs_addf(&c->headers, "Range", "bytes=%llu-%llu", (unsigned long long)from,
			(unsigned long long)(r->offset + r->len - 1));
	if (rc == 0 && x->etag[0])
		rc = pairs_add(&c->headers, "If-Match", x->etag);
	if (rc == 0 && r->verify)
		rc = x->ops->add_read(&c->headers, r->len - x->done);
	return rc;
}

/* One answer. With a buffer, a wrong checksum takes back what came with it. */
static int co_attempt(struct blob_store *s, struct reader *x, struct blob_call *c,
		      struct blob_error *e)
{
	int rc = prepare(x, c);

	if (rc)
		return call_failed(e, rc);
	rc = call_co_once(s, c, e);
	if (rc == 0)
		rc = finish_checksum(x, c->got, e);
	if (x->sink_rc)
		return error_local(e, x->sink_rc, "the receiver gave up");
	if (rc && e->kind == BLOB_CORRUPT && x->r->buf)
		return rc;
	x->done += c->got;
	if (rc == 0 && x->done < x->r->len)
		rc = error_set(e, BLOB_BAD_ANSWER, "the answer is too short");
	return rc;
}

int blob_co_read(struct blob_store *s, const struct blob_read *r, struct blob_error *e)
{
	struct reader x = {.r = r, .ops = s->ops};
	struct blob_call c = {0};
	struct retry retry;
	bool renewed = false;
	int rc;

	*e = (struct blob_error){0};
	if (r->len == 0 || r->offset > INT64_MAX || r->len > INT64_MAX - r->offset)
		return error_set(e, BLOB_REFUSED, "no such range");
	if (r->etag && headers_etag(r->etag, x.etag, sizeof(x.etag)))
		return error_set(e, BLOB_REFUSED, "no ETag");
	retry_init(&retry, &s->cfg.retry, loop_clock(s->l));
	do {
		uint64_t before = x.done;

		*e = (struct blob_error){0};
		rc = co_attempt(s, &x, &c, e);
		if (x.done - before >= PROGRESS_MIN)
			retry_progress(&retry, loop_clock(s->l));
		/* What the receiver has taken cannot be taken back. */
		if (rc && e->kind == BLOB_CORRUPT && !r->buf)
			break;
	} while (rc && call_co_again(s, &c, &retry, &renewed, e));
	call_fini(&c);
	if (x.hash)
		hash_drop(x.hash);
	return rc ? e->rc : 0;
}
