/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - blob/ against a real server behind the fault proxy:
 *
 *	blob azure|s3|s3rver PROXY ACCOUNT-PATH CREDENTIALS SCRATCH [CASE...]
 *
 * One line for each case; the last one is "N passed, N failed". */
#include "blob/blob_int.h"
#include "common/log.h"
#include "tests/blob/blob_test.h"
#include <stdarg.h>
#include <unistd.h>

enum { LATER_MAX = 64 };

static struct env env;
static char **only;
static const char *service;
static int passed, failed;
static struct blob_store *later[LATER_MAX];
static int nlater;

/* ---- checks ---- */

bool check(struct env *v, bool ok, const char *text, const char *file, int line)
{
	if (!ok) {
		v->failed++;
		printf("  %s:%d: not so: %s\n", file, line, text);
	}
	return ok;
}

bool works(struct env *v, int rc, const struct blob_error *e, const char *file, int line)
{
	char text[512];

	if (rc == 0)
		return true;
	v->failed++;
	error_print(e, text, sizeof(text));
	printf("  %s:%d: failed (%d): %s\n", file, line, rc, text);
	return false;
}

bool fails(struct env *v, int rc, const struct blob_error *e, enum blob_kind kind, const char *file,
	   int line)
{
	char text[512] = "it worked";

	if (rc && e->kind == kind && rc == e->rc)
		return true;
	v->failed++;
	if (rc)
		error_print(e, text, sizeof(text));
	printf("  %s:%d: not '%s': %s\n", file, line, error_kind_str(kind), text);
	return false;
}

/* ---- the proxy ---- */

static unsigned co_control(struct env *v, const char *fmt, ...) PRINTF_LIKE(2, 3);
static unsigned co_control(struct env *v, const char *fmt, ...)
{
	CLEANUP(str_fini) struct str body = STR_INIT;
	struct pairs none = PAIRS_INIT;
	struct http_req r = {.method = "GET", .headers = &none, .text = &body};
	unsigned n;
	char url[2048];
	int len = snprintf(url, sizeof(url), "%s", v->proxy);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(url + len, sizeof(url) - (size_t)len, fmt, ap);
	va_end(ap);
	r.url = url;
	if (http_co_send(v->control, &r) || r.status != 200)
		die("the proxy does not answer: %s", r.words);
	n = (unsigned)strtoul(str_get(&body), NULL, 10);
	http_req_fini(&r);
	return n;
}

void fault(struct env *v, const char *query)
{
	co_control(v, "/__fault?%s", query);
}

void reset(struct env *v)
{
	co_control(v, "/__reset");
}

unsigned count(struct env *v, const char *match)
{
	CLEANUP(str_fini) struct str text = STR_INIT;

	url_encode(&text, match, false);
	return co_control(v, "/__count?match=%s", str_get(&text));
}

/* ---- stores and blobs ---- */

struct blob_store *open_like(struct env *v, const struct blob_config *cfg)
{
	struct blob_store *s = NULL;
	struct blob_error e;

	if (!WORKS(v, blob_open(v->l, cfg, &s, &e), &e))
		die("no store");
	close_later(v, s);
	return s;
}

void close_later(struct env *v, struct blob_store *s)
{
	(void)v;
	assert(nlater < LATER_MAX);
	later[nlater++] = s;
}

void *content(size_t n, uint64_t seed)
{
	uint8_t *p = malloc(n ? n : 1);

	assert(p);
	seed = seed * 0x9E3779B97F4A7C15ULL + 1;
	for (size_t i = 0; i < n; i++) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		p[i] = (uint8_t)(seed >> 56);
	}
	return p;
}

bool put(struct env *v, const char *name, const void *p, size_t len)
{
	struct iovec iov = {(void *)(uintptr_t)p, len};
	struct blob_write w = {.name = name};
	struct blob_error e;

	return WORKS(v, blob_co_put(v->s, &w, &iov, 1, NULL, &e), &e);
}

bool holds(struct env *v, const char *name, const void *p, size_t len)
{
	CLEANUP(blob_props_fini) struct blob_props props = {0};
	struct blob_read r = {.name = name, .len = len};
	struct blob_error e;
	char *buf = malloc(len ? len : 1);
	bool ok;

	assert(buf);
	r.buf = buf;
	ok = WORKS(v, blob_co_stat(v->s, name, &props, &e), &e) && CHECK(v, props.size == len);
	if (ok && len)
		ok = WORKS(v, blob_co_read(v->s, &r, &e), &e) && CHECK(v, memcmp(buf, p, len) == 0);
	free(buf);
	return ok;
}

/* ---- running ---- */

static bool wanted(const struct test_case *c)
{
	if (!(env.azure ? c->azure : env.simple ? c->simple : c->s3))
		return false;
	for (char **name = only; *name; name++)
		if (strcmp(*name, c->name) == 0)
			return true;
	return !*only;
}

static void co_run_cases(const struct test_case *c)
{
	for (; c->name; c++) {
		uint64_t start = loop_clock(env.l);

		if (!wanted(c))
			continue;
		env.failed = 0;
		reset(&env);
		c->fn(&env);
		if (env.failed)
			failed++;
		else
			passed++;
		printf("%s %s: %s (%llu ms)\n", env.failed ? "FAIL" : "ok  ",
		       env.azure    ? "azure"
		       : env.simple ? "s3rver"
				    : "s3",
		       c->name,
		       (unsigned long long)((loop_clock(env.l) - start) / (uint64_t)NSEC_PER_MSEC));
		fflush(stdout);
	}
}

void make_container(struct env *v, struct blob_store *s)
{
	CLEANUP(call_fini) struct blob_call c = {.method = "PUT"};
	struct blob_error e;

	if (v->azure && pairs_add(&c.query, "restype", "container"))
		die("no memory");
	if (call_co_run(s, &c, &e) && e.kind != BLOB_CONFLICT)
		die("no container: %s", e.words);
}

static void everything(void *arg)
{
	(void)arg;
	make_container(&env, env.s);
	co_run_cases(basic_cases);
	co_run_cases(fault_cases);
	co_run_cases(upload_cases);
	co_run_cases(cred_cases);
	loop_stop(env.l);
}

int main(int argc, char **argv)
{
	const struct http_config hc = {.max_requests = 4, .connect_ms = 10000, .stall_ms = 60000};
	struct blob_error e;
	char url[256];

	if (argc < 6)
		die("usage: blob azure|s3|s3rver PROXY ACCOUNT-PATH CREDENTIALS SCRATCH [CASE...]");
	service = argv[1];
	log_init("blob", false);
	if (getenv("BLOB_DEBUG"))
		log_set_level(LOG_LVL_DEBUG);
	env.azure = strcmp(argv[1], "azure") == 0;
	env.simple = strcmp(argv[1], "s3rver") == 0;
	env.proxy = argv[2];
	env.scratch = argv[5];
	only = argv + 6;
	snprintf(url, sizeof(url), "%s%s", argv[2], argv[3]);
	env.cfg = (struct blob_config){
		.service = env.azure ? BLOB_AZURE : BLOB_S3,
		.endpoint = url,
		.container = "sheen-test",
		.credentials = argv[4],
		.stall_ms = 60000, /* the machine may be busy */
		.retry = {.attempts = 5, .base_ms = 20, .cap_ms = 200, .total_ms = 20000}};
	if (blob_init() || loop_create(&env.l) || http_create(env.l, &hc, &env.control) ||
	    blob_open(env.l, &env.cfg, &env.s, &e))
		die("cannot start: %s", e.words);
	if (fiber_spawn(env.l, everything, NULL))
		die("no fiber");
	loop_run(env.l);
	while (nlater)
		blob_close(later[--nlater]);
	blob_close(env.s);
	http_destroy(env.control);
	fiber_pool_drain();
	loop_destroy(env.l);
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
