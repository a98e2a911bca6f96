/* SPDX-License-Identifier: Apache-2.0 */
/* hash.c - OpenSSL's digests behind a few functions. */
#include "blob/hash.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>

static const EVP_MD *md5_kind, *sha256_kind;

int hash_init(void)
{
	uint8_t out[EVP_MAX_MD_SIZE];
	unsigned int len;

	/* In order of use: where OpenSSL is told to keep to FIPS, MD5 exists and fails. */
	if (!EVP_Digest("", 0, out, &len, EVP_md5(), NULL) || len != HASH_MD5_LEN ||
	    !EVP_Digest("", 0, out, &len, EVP_sha256(), NULL) || len != HASH_SHA256_LEN)
		return -ENOTSUP;
	md5_kind = EVP_md5();
	sha256_kind = EVP_sha256();
	return 0;
}

static EVP_MD_CTX *start(const EVP_MD *kind)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	assert(c && kind);
	assert(EVP_DigestInit_ex(c, kind, NULL));
	return c;
}

static void end(EVP_MD_CTX *c, uint8_t *out)
{
	assert(EVP_DigestFinal_ex(c, out, NULL));
	EVP_MD_CTX_free(c);
}

struct hash *hash_md5_start(void)
{
	return (struct hash *)start(md5_kind);
}

void hash_add(struct hash *h, const void *p, size_t len)
{
	assert(EVP_DigestUpdate((EVP_MD_CTX *)h, p, len));
}

void hash_md5_end(struct hash *h, uint8_t out[HASH_MD5_LEN])
{
	end((EVP_MD_CTX *)h, out);
}

void hash_drop(struct hash *h)
{
	EVP_MD_CTX_free((EVP_MD_CTX *)h);
}

static void digest(const EVP_MD *kind, const struct iovec *iov, int n, uint8_t *out)
{
	EVP_MD_CTX *c = start(kind);

	for (int i = 0; i < n; i++)
		assert(EVP_DigestUpdate(c, iov[i].iov_base, iov[i].iov_len));
	end(c, out);
}

void hash_md5(const struct iovec *iov, int n, uint8_t out[HASH_MD5_LEN])
{
	digest(md5_kind, iov, n, out);
}

void hash_sha256(const struct iovec *iov, int n, uint8_t out[HASH_SHA256_LEN])
{
	digest(sha256_kind, iov, n, out);
}

void hash_hmac_sha256(const void *key, size_t key_len, const void *p, size_t len,
		      uint8_t out[HASH_SHA256_LEN])
{
	assert(HMAC(sha256_kind, key, (int)key_len, p, len, out, NULL));
}

/* ---- text ---- */

void hash_hex(const uint8_t *p, size_t len, char *out)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digit[p[i] >> 4];
		*out++ = digit[p[i] & 15];
	}
	*out = 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hash_unhex(const char *text, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int hi = hex_digit(text[2 * i]);
		int lo = hi < 0 ? -1 : hex_digit(text[2 * i + 1]);

		if (lo < 0)
			return -EINVAL;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void hash_base64(const uint8_t *p, size_t len, char *out)
{
	for (; len > 0; p += 3) {
		size_t n = len < 3 ? len : 3;
		uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) |
			     (n > 2 ? p[2] : 0);

		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		*out++ = n > 1 ? alphabet[v >> 6 & 63] : '=';
		*out++ = n > 2 ? alphabet[v & 63] : '=';
		len -= n;
	}
	*out = 0;
}

int hash_unbase64(const char *text, uint8_t *out, size_t max)
{
	size_t len = strlen(text), n = 0, pad = 0;
	uint32_t v = 0;

	if (len % 4)
		return -EINVAL;
	while (pad < 2 && len && text[len - 1] == '=') {
		len--;
		pad++;
	}
	for (size_t i = 0; i < len; i++) {
		const char *at = memchr(alphabet, text[i], 64);

		if (!at)
			return -EINVAL;
		v = v << 6 | (uint32_t)(at - alphabet);
		if (i % 4 == 0)
			continue;
		if (n == max)
			return -EINVAL;
		out[n++] = (uint8_t)(v >> (6 - i % 4 * 2));
	}
	return (int)n;
}
