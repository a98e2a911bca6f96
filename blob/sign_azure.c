/* SPDX-License-Identifier: Apache-2.0 */
/* sign_azure.c - SharedKey: verb, eleven headers, the x-ms- headers and the resource, each on a
 * line of its own, under HMAC-SHA256 with the account's key. */
#include "blob/sign_azure.h"
#include "blob/pairs.h"
#include "blob/req.h"
#include "blob/str.h"
#include <ctype.h>
#include <strings.h>

/* In this order, empty if not sent. Date is empty because x-ms-date is always sent. */
static const char *const plain[] = {
	"Content-Encoding",
	"Content-Language",
	"Content-Length",
	"Content-MD5",
	"Content-Type",
	"Date",
	"If-Modified-Since",
	"If-Match",
	"If-None-Match",
	"If-Unmodified-Since",
	"Range",
};

/* Names in lower case, sorted, as lines "name:value". */
static int add_lines(struct str *out, const struct pairs *from, const char *prefix,
		     bool newline_first)
{
	CLEANUP(pairs_fini) struct pairs p = PAIRS_INIT;
	int rc = 0;

	for (uint32_t i = 0; i < from->n && rc == 0; i++)
		if (strncasecmp(from->v[i].name, prefix, strlen(prefix)) == 0)
			rc = pairs_add(&p, from->v[i].name, from->v[i].value);
	if (rc)
		return rc;
	for (uint32_t i = 0; i < p.n; i++)
		for (char *c = p.v[i].name; *c; c++)
			*c = (char)tolower((unsigned char)*c);
	pairs_sort(&p);
	for (uint32_t i = 0; i < p.n; i++)
		str_printf(out, newline_first ? "\n%s:%s" : "%s:%s\n", p.v[i].name, p.v[i].value);
	return 0;
}

int sign_azure_string(const struct req *r, const char *account, struct str *out)
{
	int rc;

	str_printf(out, "%s\n", r->method);
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		const char *v = pairs_get(&r->headers, plain[i]);

		if (i == 2 && r->body_len)
			str_printf(out, "%llu", (unsigned long long)r->body_len);
		else if (i != 2 && v)
			str_puts(out, v);
		str_putc(out, '\n');
	}
	rc = add_lines(out, &r->headers, "x-ms-", false);
	if (rc)
		return rc;
	str_printf(out, "/%s%s", account, r->path);
	rc = add_lines(out, &r->query, "", true);
	return rc ? rc : out->failed;
}

int sign_azure(struct req *r, const struct azure_key *k)
{
	CLEANUP(str_fini) struct str text = STR_INIT;
	uint8_t mac[HASH_SHA256_LEN];
	char b64[HASH_BASE64_LEN(HASH_SHA256_LEN)];
	int rc = sign_azure_string(r, k->account, &text);

	if (rc)
		return rc;
	hash_hmac_sha256(k->key, k->key_len, text.p, text.len, mac);
	hash_base64(mac, sizeof(mac), b64);
	return pairs_addf(&r->headers, "Authorization", "SharedKey %s:%s", k->account, b64);
}
