/* SPDX-License-Identifier: Apache-2.0 */
/* fault.c - cases in which the service, or the way to it, does what it should not. */
#include "blob/str.h"
#include "blob/url.h"
#include "common/co.h"
#include "tests/blob/blob_test.h"

#define SIZE (1 * MIB)

static uint64_t now_ms(struct env *v)
{
	return loop_clock(v->l) / (uint64_t)NSEC_PER_MSEC;
}

/* ---- attempts ---- */

static void throttling_is_obeyed(struct env *v)
{
	uint64_t start;
	struct blob_error e;

	put(v, "thr/x", "x", 1);
	start = now_ms(v);
	fault(v, "match=GET&do=status&arg=503,ServerBusy,1");
	holds(v, "thr/x", "x", 1);
	CHECK(v, now_ms(v) - start >= 1000);
	/* Longer than the budget: at once, with what the service said. */
	fault(v, "match=HEAD&do=status&arg=429,SlowDown,100&times=9");
	start = now_ms(v);
	FAILS(v, blob_co_stat(v->s, "thr/x", &(struct blob_props){0}, &e), &e, BLOB_THROTTLED);
	CHECK(v, e.retry_after_ms == 100000 && e.http == 429 && now_ms(v) - start < 10000);
	CHECK(v, count(v, "HEAD") == 2); /* that of holds() too */
}

static void attempts_are_bounded(struct env *v)
{
	struct blob_error e;

	fault(v, "match=HEAD&do=status&arg=500,InternalError&times=99");
	FAILS(v, blob_co_stat(v->s, "none", &(struct blob_props){0}, &e), &e, BLOB_SERVER);
	CHECK(v, count(v, "HEAD") == 5 && e.attempts == 5 && e.http == 500);
	reset(v);
	fault(v, "match=HEAD&do=drop&times=99");
	FAILS(v, blob_co_stat(v->s, "none", &(struct blob_props){0}, &e), &e, BLOB_BROKEN);
	CHECK(v, count(v, "HEAD") >= 5 && e.http == 0);
	reset(v);
	put(v, "att/x", "x", 1);
	fault(v, "match=GET&do=drop&times=3");
	fault(v, "match=GET&do=status&arg=408,RequestTimeout");
	holds(v, "att/x", "x", 1);
	reset(v);
	fault(v, "match=HEAD&do=status&arg=404,NotHere");
	FAILS(v, blob_co_stat(v->s, "att/x", &(struct blob_props){0}, &e), &e, BLOB_NOT_FOUND);
	CHECK(v, count(v, "HEAD") == 1);
}

/* With little patience. What is not answered in time on a busy machine is asked again as well. */
static struct blob_store *impatient(struct env *v, uint32_t attempts)
{
	struct blob_config cfg = v->cfg;

	cfg.stall_ms = 1000;
	cfg.retry.attempts = attempts;
	return open_like(v, &cfg);
}

static void silence_is_a_timeout(struct env *v)
{
	char byte = 0;
	struct blob_read r = {.name = "sil/x", .buf = &byte, .len = 1};
	uint64_t start = now_ms(v);
	struct blob_error e;

	put(v, r.name, "x", 1);
	fault(v, "match=GET&do=stall");
	WORKS(v, blob_co_read(impatient(v, 20), &r, &e), &e);
	CHECK(v, byte == 'x' && now_ms(v) - start >= 1000 && count(v, "GET") >= 2);
	fault(v, "match=HEAD&do=stall");
	FAILS(v, blob_co_stat(impatient(v, 1), r.name, &(struct blob_props){0}, &e), &e,
	      BLOB_TIMEOUT);
}

static void what_was_done_is_not_done_twice(struct env *v)
{
	struct iovec iov = {(char *)"once", 4};
	struct blob_write w = {.name = "lost/x", .if_none = true};
	char etag[BLOB_ETAG_MAX];
	struct blob_error e;

	fault(v, "match=PUT&do=lose");
	WORKS(v, blob_co_put(v->s, &w, &iov, 1, etag, &e), &e);
	CHECK(v, count(v, "PUT") == 2 || !v->azure);
	holds(v, w.name, "once", 4);
	fault(v, "match=DELETE&do=lose");
	WORKS(v, blob_co_delete(v->s, w.name, etag, &e), &e);
	/* But if another has done it meanwhile, it is a conflict. */
	put(v, w.name, "else", 4);
	fault(v, "match=PUT&do=lose");
	FAILS(v, blob_co_put(v->s, &w, &iov, 1, etag, &e), &e, BLOB_CONFLICT);
	holds(v, w.name, "else", 4);
}

struct stopper {
	struct env *v;
	struct blob_store *s;
	struct blob_error e;
	int rc;
};

static int co_stalled(void *arg)
{
	struct stopper *x = arg;

	x->rc = blob_co_stat(x->s, "stop/x", &(struct blob_props){0}, &x->e);
	return 0;
}

static void a_stop_ends_everything(struct env *v)
{
	struct blob_config cfg = v->cfg;
	struct stopper x[3];
	struct co_group g = CO_GROUP_INIT;
	uint64_t start;

	cfg.max_requests = 1; /* one under way, one that waits for its turn, */
	cfg.stall_ms = 60000;
	x[0] = x[1] = (struct stopper){.v = v, .s = open_like(v, &cfg)};
	cfg.retry.base_ms = cfg.retry.cap_ms = 60000; /* one between two attempts */
	cfg.retry.total_ms = 600000;
	x[2] = (struct stopper){.v = v, .s = open_like(v, &cfg)};
	fault(v, "match=HEAD&do=status&arg=503,ServerBusy&times=1");
	co_spawn(&g, co_stalled, &x[2]);
	while (count(v, "HEAD") < 1)
		co_yield ();
	fault(v, "match=HEAD&do=stall&times=9");
	co_spawn(&g, co_stalled, &x[0]);
	co_spawn(&g, co_stalled, &x[1]);
	while (count(v, "HEAD") < 2)
		co_yield ();
	start = now_ms(v);
	blob_stop(x[0].s);
	blob_stop(x[2].s);
	CHECK(v, co_join(&g) == 0 && now_ms(v) - start < 10000);
	for (int i = 0; i < 3; i++)
		FAILS(v, x[i].rc, &x[i].e, BLOB_CANCELED);
	co_stalled(&x[0]);
	FAILS(v, x[0].rc, &x[0].e, BLOB_CANCELED);
}

/* ---- reads ---- */

struct reading {
	struct env *v;
	const uint8_t *want;
	const char *replace; /* put another content when the first bytes have come */
	uint64_t at;
};

static int take(void *arg, const void *p, size_t len)
{
	struct reading *x = arg;

	CHECK(x->v, memcmp(x->want + x->at, p, len) == 0);
	x->at += len;
	if (x->replace) {
		uint8_t *other = content(SIZE, 99);

		put(x->v, x->replace, other, SIZE);
		free(other);
	}
	x->replace = NULL;
	return 0;
}

static void a_broken_read_goes_on_where_it_was(struct env *v)
{
	uint8_t *want = content(SIZE, 2), *buf = calloc(1, SIZE);
	struct blob_read r = {.name = "brk/x", .buf = buf, .len = SIZE};
	struct reading x = {.v = v, .want = want};
	struct blob_error e;

	put(v, r.name, want, SIZE);
	reset(v);
	fault(v, "match=GET&do=truncate&arg=300000");
	fault(v, "match=GET&do=stallbody&arg=200000");
	fault(v, "match=GET&do=slow&arg=100000");
	WORKS(v, blob_co_read(impatient(v, 20), &r, &e), &e);
	CHECK(v, memcmp(buf, want, SIZE) == 0);
	CHECK(v, count(v, "bytes=300000-1048575") >= 1 && count(v, "bytes=500000-1048575") >= 1);
	fault(v, "match=GET&do=truncate&arg=300000");
	r = (struct blob_read){.name = "brk/x", .len = SIZE, .sink = take, .arg = &x};
	WORKS(v, blob_co_read(v->s, &r, &e), &e);
	CHECK(v, x.at == SIZE);
	/* No progress at all ends it. */
	fault(v, "match=GET&do=truncate&arg=10&times=99");
	x.at = 0;
	FAILS(v, blob_co_read(v->s, &r, &e), &e, BLOB_BROKEN);
	CHECK(v, x.at == 50);
	free(want);
	free(buf);
}

static void versions_are_never_mixed(struct env *v)
{
	uint8_t *want = content(SIZE, 3);
	struct reading x = {.v = v, .want = want, .replace = "mix/x"};
	struct blob_read r = {.name = "mix/x", .len = SIZE, .sink = take, .arg = &x};
	struct blob_error e;

	/* A signature covers the condition: a proxy cannot take it away, unless nobody looks. */
	for (int i = 0; i < (v->simple ? 2 : 1); i++) {
		put(v, r.name, want, SIZE);
		reset(v);
		x.at = 0;
		x.replace = r.name;
		fault(v, "match=GET&do=truncate&arg=500000");
		if (i) /* and a service that does not look at If-Match */
			fault(v, "match=GET&do=nomatch");
		FAILS(v, blob_co_read(v->s, &r, &e), &e, BLOB_CONFLICT);
		CHECK(v, x.at == 500000);
	}
	free(want);
}

static void wrong_heads_let_nothing_in(struct env *v)
{
	static const struct {
		const char *fault;
		enum blob_kind kind;
	} bad[] = {
		{"match=GET&do=etag", BLOB_CONFLICT},
		{"match=GET&do=range&arg=101-200/1000", BLOB_BAD_ANSWER},
		{"match=GET&do=range&arg=100-198/1000", BLOB_BAD_ANSWER},
		{"match=GET&do=range&arg=100-199/100", BLOB_BAD_ANSWER},
		{"match=GET&do=range&arg=99999999999999999999-1/1", BLOB_BAD_ANSWER},
		{"match=GET&do=range&arg=nonsense", BLOB_BAD_ANSWER},
		{"match=GET&do=norange", BLOB_BAD_ANSWER},
		{"match=GET&do=longer", BLOB_BAD_ANSWER},
		{"match=GET&do=headers&arg=300", BLOB_BAD_ANSWER},
		{"match=GET&do=status&arg=302,Elsewhere", BLOB_BAD_ANSWER},
		{"match=GET&do=status&arg=200,What", BLOB_BAD_ANSWER},
	};
	uint8_t *want = content(1000, 4), buf[100], clean[100];
	struct iovec iov = {want, 1000};
	struct blob_write w = {.name = "bad/x"};
	char etag[BLOB_ETAG_MAX];
	struct blob_read r = {.name = w.name, .etag = etag, .buf = buf, .offset = 100, .len = 100};
	struct blob_error e;

	memset(clean, 'c', sizeof(clean));
	WORKS(v, blob_co_put(v->s, &w, &iov, 1, etag, &e), &e);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!v->simple && strstr(bad[i].fault, "norange"))
			continue; /* signed */
		memcpy(buf, clean, sizeof(buf));
		fault(v, bad[i].fault);
		if (!FAILS(v, blob_co_read(v->s, &r, &e), &e, bad[i].kind))
			printf("  with %s\n", bad[i].fault);
		CHECK(v, memcmp(buf, clean, sizeof(buf)) == 0);
	}
	WORKS(v, blob_co_read(v->s, &r, &e), &e);
	CHECK(v, memcmp(buf, want + 100, 100) == 0);
	free(want);
}

/* ---- checksums ---- */

static void damaged_bytes_are_seen(struct env *v)
{
	uint8_t *want = content(SIZE, 5), *buf = calloc(1, SIZE);
	struct blob_read r = {.name = "sum/x", .buf = buf, .len = SIZE, .verify = true};
	struct reading x = {.v = v, .want = want};
	struct blob_error e;

	fault(v, "match=PUT&do=corruptup");
	put(v, r.name, want, SIZE);
	CHECK(v, count(v, "PUT") == 2);
	holds(v, r.name, want, SIZE);
	if (v->azure) { /* S3 has no checksums of ranges */
		reset(v);
		fault(v, "match=GET&do=corrupt");
		WORKS(v, blob_co_read(v->s, &r, &e), &e);
		CHECK(v, memcmp(buf, want, SIZE) == 0 && count(v, "GET") == 2);
		r = (struct blob_read){
			.name = r.name, .len = 1000, .sink = take, .arg = &x, .verify = true};
		x.want = want;
		WORKS(v, blob_co_read(v->s, &r, &e), &e);
		CHECK(v, x.at == 1000);
	}
	free(want);
	free(buf);
}

/* ---- lists and words ---- */

static int ignore(void *arg, const struct blob_entry *entry)
{
	(void)entry;
	++*(int *)arg;
	return 0;
}

static void malformed_lists_are_refused(struct env *v)
{
	static const char *const bad[] = {
		"",
		"nonsense",
		"<EnumerationResults><Blobs><Blob><Name>x</Name></Blob></Blobs></"
		"EnumerationResults>",
		"<ListBucketResult><Contents><Key>x</Key></Contents></ListBucketResult>",
		"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
		"<a><b></a></b>",
		"<a>",
		"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult",
	};
	struct blob_error e;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(str_fini) struct str text = STR_INIT;
		struct blob_list q = {.prefix = "bad/"};
		int n = 0;

		str_puts(&text, "match=prefix%3Dbad&do=body&arg=");
		url_encode(&text, bad[i], false);
		fault(v, str_get(&text));
		/* The other service's list is well-formed and says nothing to this one. */
		if (blob_co_list(v->s, &q, ignore, &n, &e) == 0)
			CHECK(v, n == 0 && i >= 2 && i <= 3);
		else
			CHECK(v, e.kind == BLOB_BAD_ANSWER);
	}
}

static void errors_hold_no_secrets(struct env *v)
{
	struct blob_read r = {.name = "x", .buf = &v, .len = 1};
	struct blob_error e;
	char text[512];

	fault(v, "match=GET&do=status&arg=400,Odd");
	FAILS(v, blob_co_read(v->s, &r, &e), &e, BLOB_REFUSED);
	error_print(&e, text, sizeof(text));
	CHECK(v,
	      strstr(text, "said the proxy") && strstr(text, "400 Odd") && !strstr(text, "SECRET"));
	fault(v, "match=GET&do=status&arg=403,ExpiredToken");
	FAILS(v, blob_co_read(v->s, &r, &e), &e, BLOB_AUTH_EXPIRED);
	fault(v, "match=GET&do=status&arg=403,SignatureDoesNotMatch");
	FAILS(v, blob_co_read(v->s, &r, &e), &e, BLOB_AUTH_DENIED);
	fault(v, "match=GET&do=status&arg=501,NotImplemented");
	FAILS(v, blob_co_read(v->s, &r, &e), &e, BLOB_UNSUPPORTED);
}

const struct test_case fault_cases[] = {
	{"throttling is obeyed", throttling_is_obeyed, true, true, true},
	{"attempts are bounded", attempts_are_bounded, true, true, true},
	{"silence is a timeout", silence_is_a_timeout, true, true, true},
	{"what was done is not done twice", what_was_done_is_not_done_twice, true, true, true},
	{"a stop ends everything", a_stop_ends_everything, true, true, true},
	{"a broken read goes on where it was", a_broken_read_goes_on_where_it_was, true, true,
	 true},
	{"versions are never mixed", versions_are_never_mixed, true, true, true},
	{"wrong heads let nothing in", wrong_heads_let_nothing_in, true, true, true},
	{"damaged bytes are seen", damaged_bytes_are_seen, true, true, true},
	{"malformed lists are refused", malformed_lists_are_refused, true, true, true},
	{"errors hold no secrets", errors_hold_no_secrets, true, true, true},
	{0},
};
