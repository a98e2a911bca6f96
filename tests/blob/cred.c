/* SPDX-License-Identifier: Apache-2.0 */
/* cred.c - cases of credentials: wrong, replaced, expired, of a machine's identity, over TLS. */
#include "blob/hash.h"
#include "blob/str.h"
#include "blob/url.h"
#include "common/co.h"
#include "common/log.h"
#include "tests/blob/blob_test.h"
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AZURE_KEY                                                                                  \
	"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
#define OTHER_KEY "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="

/* Replaces the file as people do: a new one is moved in its place. */
static void save(struct env *v, const char *name, const char *text, char path[256])
{
	char fresh[256];
	FILE *f;

	snprintf(path, 256, "%s/%s", v->scratch, name);
	snprintf(fresh, sizeof(fresh), "%s/%s.new", v->scratch, name);
	f = fopen(fresh, "w");
	if (!f || fputs(text, f) < 0 || fchmod(fileno(f), 0600) || fclose(f) || rename(fresh, path))
		die("%s: cannot be written", path);
}

static const char *keys(struct env *v, bool right)
{
	if (v->azure)
		return right ? "account_key=" AZURE_KEY "\n" : "account_key=" OTHER_KEY "\n";
	return right ? "access_key_id=test:tester\nsecret_access_key=testing\n"
		     : "access_key_id=test:tester\nsecret_access_key=wrongsecret\n";
}

static void wrong_keys_are_denied_and_not_shown(struct env *v)
{
	struct blob_config cfg = v->cfg;
	struct blob_read r = {.name = "cred/x", .buf = &cfg, .len = 1};
	struct blob_store *s;
	struct blob_error e;
	char path[256], text[512];

	save(v, "wrong", keys(v, false), path);
	cfg.credentials = path;
	s = open_like(v, &cfg);
	reset(v);
	FAILS(v, blob_co_read(s, &r, &e), &e, BLOB_AUTH_DENIED);
	CHECK(v, count(v, "GET") == 1 && e.attempts == 1);
	error_print(&e, text, sizeof(text));
	CHECK(v, !strstr(text, OTHER_KEY) && !strstr(text, "wrongsecret"));
	CHECK(v, chmod(path, 0644) == 0);
	FAILS(v, blob_open(v->l, &cfg, &s, &e), &e, BLOB_REFUSED);
}

static void a_replaced_file_is_used(struct env *v)
{
	struct blob_config cfg = v->cfg;
	struct blob_read r = {.name = "cred/y", .len = 1};
	struct blob_store *s;
	struct blob_error e;
	char path[256], byte;

	put(v, r.name, "y", 1);
	save(v, "replaced", keys(v, false), path);
	cfg.credentials = path;
	s = open_like(v, &cfg);
	r.buf = &byte;
	FAILS(v, blob_co_read(s, &r, &e), &e, BLOB_AUTH_DENIED);
	save(v, "replaced", keys(v, true), path);
	WORKS(v, blob_co_read(s, &r, &e), &e);
	/* A bad file does not take the good keys away. */
	save(v, "replaced", "nonsense\n", path);
	WORKS(v, blob_co_read(s, &r, &e), &e);
	fault(v, "match=GET&do=status&arg=403,ExpiredToken");
	FAILS(v, blob_co_read(s, &r, &e), &e, BLOB_AUTH_EXPIRED);
	WORKS(v, blob_co_read(s, &r, &e), &e);
}

static void the_environment_has_keys(struct env *v)
{
	struct blob_config cfg = v->cfg;
	struct blob_error e;

	cfg.credentials = NULL;
	setenv("AZURE_STORAGE_KEY", AZURE_KEY, 1);
	setenv("AWS_ACCESS_KEY_ID", v->simple ? "S3RVER" : "test:tester", 1);
	setenv("AWS_SECRET_ACCESS_KEY", v->simple ? "S3RVER" : "testing", 1);
	put(v, "cred/env", "e", 1);
	WORKS(v, blob_co_delete(open_like(v, &cfg), "cred/env", NULL, &e), &e);
	unsetenv("AZURE_STORAGE_KEY");
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
}

/* A service SAS for the container, as a user of Azure makes one. */
static void make_sas(struct env *v, int seconds, struct str *out)
{
	uint8_t key[64], mac[HASH_SHA256_LEN];
	char end[32], b64[HASH_BASE64_LEN(HASH_SHA256_LEN)], text[512];
	time_t t = (time_t)(loop_realtime(v->l) / NSEC_PER_SEC) + seconds;
	int key_len = hash_unbase64(AZURE_KEY, key, sizeof(key));

	strftime(end, sizeof(end), "%Y-%m-%dT%H:%M:%SZ", gmtime(&t));
	snprintf(text, sizeof(text),
		 "racwdl\n\n%s\n/blob/devstoreaccount1/sheen-test\n\n\n\n2018-11-09\nc\n\n\n\n\n\n",
		 end);
	hash_hmac_sha256(key, (size_t)key_len, text, strlen(text), mac);
	hash_base64(mac, sizeof(mac), b64);
	str_puts(out, "sas_token = sp=racwdl&sv=2018-11-09&sr=c&se=");
	url_encode(out, end, false);
	str_puts(out, "&sig=");
	url_encode(out, b64, false);
	str_putc(out, '\n');
}

static void a_sas_works_until_it_ends(struct env *v)
{
	CLEANUP(str_fini) struct str good = STR_INIT;
	CLEANUP(str_fini) struct str old = STR_INIT;
	struct blob_config cfg = v->cfg;
	struct iovec iov = {(char *)"by sas", 6};
	struct blob_write w = {.name = "sas/x"};
	struct blob_store *s;
	struct blob_error e;
	char path[256], text[512], name[] = "sas/y";

	make_sas(v, 3600, &good);
	make_sas(v, -60, &old);
	save(v, "sas", str_get(&old), path);
	cfg.credentials = path;
	s = open_like(v, &cfg);
	FAILS(v, blob_co_put(s, &w, &iov, 1, NULL, &e), &e, BLOB_AUTH_EXPIRED);
	error_print(&e, text, sizeof(text));
	CHECK(v, !strstr(text, strstr(str_get(&old), "sig=") + 4));
	save(v, "sas", str_get(&good), path); /* the user brings a new one */
	WORKS(v, blob_co_put(s, &w, &iov, 1, NULL, &e), &e);
	holds(v, w.name, "by sas", 6);
	WORKS(v, blob_co_copy(s, w.name, name, NULL, NULL, &e), &e);
	holds(v, name, "by sas", 6);
}

/* azurite takes tokens over TLS only, so it runs a second time for this. */
static void a_machines_identity_over_tls(struct env *v)
{
	struct blob_config cfg = v->cfg;
	struct iovec iov = {(char *)"token", 5};
	struct blob_write w = {.name = "tls/x"};
	struct blob_store *s;
	struct blob_error e;
	char path[256], text[512];

	cfg.endpoint = getenv("BLOB_TLS");
	cfg.ca_file = getenv("BLOB_CA");
	cfg.container = "sheen-tls";
	if (!CHECK(v, cfg.endpoint && cfg.ca_file))
		return;
	make_container(v, open_like(v, &cfg)); /* with the key: it may do that */
	snprintf(text, sizeof(text), "managed_identity = yes\nidentity_url = %s/__identity\n",
		 v->proxy);
	save(v, "identity", text, path);
	cfg.credentials = path;
	s = open_like(v, &cfg);
	reset(v);
	for (int i = 0; i < 3; i++)
		WORKS(v, blob_co_put(s, &w, &iov, 1, NULL, &e), &e);
	CHECK(v, count(v, "IDENTITY") == 1); /* it is kept */
	snprintf(text, sizeof(text),
		 "managed_identity = yes\nidentity_url = %s/__identity?ttl=10\n", v->proxy);
	save(v, "identity", text, path);
	s = open_like(v, &cfg);
	reset(v);
	for (int i = 0; i < 3; i++)
		WORKS(v, blob_co_put(s, &w, &iov, 1, NULL, &e), &e);
	CHECK(v, count(v, "IDENTITY") == 3); /* and is not used when it ends soon */
	/* Whoever has no certificate that we trust gets nothing. */
	cfg.ca_file = NULL;
	s = open_like(v, &cfg);
	FAILS(v, blob_co_put(s, &w, &iov, 1, NULL, &e), &e, BLOB_AUTH_DENIED);
	CHECK(v, strstr(e.words, "TLS"));
	/* Nor does anybody without TLS. */
	cfg.endpoint = "http://account.example.invalid";
	s = open_like(v, &cfg);
	FAILS(v, blob_co_put(s, &w, &iov, 1, NULL, &e), &e, BLOB_REFUSED);
}

static void a_bucket_may_be_a_host(struct env *v)
{
	struct blob_config cfg = v->cfg;
	struct iovec iov = {(char *)"vhost", 5};
	struct blob_write w = {.name = "vhost/a b"};
	struct blob_store *s;
	struct blob_error e;
	char url[256];

	/* s3rver is told that it is s3.localhost; all names below localhost are this machine. */
	snprintf(url, sizeof(url), "http://s3.localhost%s", strrchr(v->proxy, ':'));
	cfg.endpoint = url;
	cfg.virtual_host = true;
	s = open_like(v, &cfg);
	WORKS(v, blob_co_put(s, &w, &iov, 1, NULL, &e), &e);
	CHECK(v, count(v, "PUT /vhost/a b") == 1);
	holds(v, w.name, "vhost", 5);
}

const struct test_case cred_cases[] = {
	{"wrong keys are denied and not shown", wrong_keys_are_denied_and_not_shown, true, true,
	 false},
	{"a replaced file is used", a_replaced_file_is_used, true, true, false},
	{"the environment has keys", the_environment_has_keys, true, true, true},
	{"a sas works until it ends", a_sas_works_until_it_ends, true, false, false},
	{"a machine's identity over tls", a_machines_identity_over_tls, true, false, false},
	{"a bucket may be a host", a_bucket_may_be_a_host, false, false, true},
	{0},
};
