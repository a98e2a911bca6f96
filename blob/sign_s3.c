/* SPDX-License-Identifier: Apache-2.0 */
/* sign_s3.c - SigV4: a canonical form of the request, hashed, under a key that is derived from the
 * secret for one day, one region and one service. */
#include "blob/sign_s3.h"
#include "blob/pairs.h"
#include "blob/req.h"
#include "blob/str.h"
#include "blob/url.h"
#include <ctype.h>
#include <stdio.h>

/* Sorted by encoded name, "a=b&c=d". */
static int add_query(const struct pairs *q, struct str *out)
{
	CLEANUP(pairs_fini) struct pairs p = PAIRS_INIT;
	CLEANUP(str_fini) struct str name = STR_INIT;
	CLEANUP(str_fini) struct str value = STR_INIT;
	int rc = 0;

	for (uint32_t i = 0; i < q->n && rc == 0; i++) {
		str_clear(&name);
		str_clear(&value);
		url_encode(&name, q->v[i].name, false);
		url_encode(&value, q->v[i].value, false);
		rc = name.failed ? name.failed : value.failed;
		if (rc == 0)
			rc = pairs_add(&p, str_get(&name), str_get(&value));
	}
	pairs_sort(&p);
	for (uint32_t i = 0; i < p.n; i++)
		str_printf(out, "%s%s=%s", i ? "&" : "", p.v[i].name, p.v[i].value);
	return rc;
}

/* The value without blanks around it, and with one where there were several. */
static void add_value(struct str *out, const char *v)
{
	bool blank = false;

	while (*v == ' ')
		v++;
	for (; *v; v++) {
		if (*v == ' ') {
			blank = true;
			continue;
		}
		if (blank)
			str_putc(out, ' ');
		blank = false;
		str_putc(out, *v);
	}
}

static int add_headers(const struct req *r, struct str *out, struct str *names)
{
	CLEANUP(pairs_fini) struct pairs p = PAIRS_INIT;
	int rc = pairs_copy(&p, &r->headers);

	if (rc == 0)
		rc = pairs_add(&p, "host", r->host);
	if (rc)
		return rc;
	for (uint32_t i = 0; i < p.n; i++)
		for (char *c = p.v[i].name; *c; c++)
			*c = (char)tolower((unsigned char)*c);
	pairs_sort(&p);
	for (uint32_t i = 0; i < p.n; i++) {
		str_printf(out, "%s:", p.v[i].name);
		add_value(out, p.v[i].value);
		str_putc(out, '\n');
		str_printf(names, "%s%s", i ? ";" : "", p.v[i].name);
	}
	return 0;
}

int sign_s3_canonical(const struct req *r, const char *payload, struct str *out,
		      struct str *signed_headers)
{
	int rc;

	str_printf(out, "%s\n%s\n", r->method, r->path);
	rc = add_query(&r->query, out);
	str_putc(out, '\n');
	if (rc == 0)
		rc = add_headers(r, out, signed_headers);
	if (rc)
		return rc;
	str_printf(out, "\n%s\n%s", str_get(signed_headers), payload);
	return out->failed ? out->failed : signed_headers->failed;
}

static void mac_text(uint8_t key[HASH_SHA256_LEN], const char *text)
{
	uint8_t out[HASH_SHA256_LEN];

	hash_hmac_sha256(key, HASH_SHA256_LEN, text, strlen(text), out);
	memcpy(key, out, sizeof(out));
}

void sign_s3_mac(const struct s3_key *k, const char date[17], const char *canonical, char hex[65])
{
	struct iovec iov = {(void *)(uintptr_t)canonical, strlen(canonical)};
	uint8_t key[HASH_SHA256_LEN], digest[HASH_SHA256_LEN];
	char first[sizeof(k->secret) + 4], day[9], text[256];

	snprintf(first, sizeof(first), "AWS4%s", k->secret);
	snprintf(day, sizeof(day), "%.8s", date);
	hash_hmac_sha256(first, strlen(first), day, 8, key);
	mac_text(key, k->region);
	mac_text(key, "s3");
	mac_text(key, "aws4_request");
	hash_sha256(&iov, 1, digest);
	hash_hex(digest, sizeof(digest), hex);
	snprintf(text, sizeof(text), "AWS4-HMAC-SHA256\n%s\n%s/%s/s3/aws4_request\n%s", date, day,
		 k->region, hex);
	mac_text(key, text);
	hash_hex(key, sizeof(key), hex);
}

int sign_s3(struct req *r, const struct s3_key *k, time_t now, const char *payload)
{
	CLEANUP(str_fini) struct str canonical = STR_INIT;
	CLEANUP(str_fini) struct str names = STR_INIT;
	char date[17], hex[65];
	struct tm tm;
	int rc;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &tm);
	rc = pairs_add(&r->headers, "x-amz-date", date);
	if (rc == 0)
		rc = pairs_add(&r->headers, "x-amz-content-sha256", payload);
	if (rc == 0 && k->token[0])
		rc = pairs_add(&r->headers, "x-amz-security-token", k->token);
	if (rc == 0)
		rc = sign_s3_canonical(r, payload, &canonical, &names);
	if (rc)
		return rc;
	sign_s3_mac(k, date, canonical.p, hex);
	return pairs_addf(
		&r->headers, "Authorization",
		"AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/s3/aws4_request, SignedHeaders=%s, "
		"Signature=%s",
		k->id, date, k->region, str_get(&names), hex);
}
