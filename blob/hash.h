/* SPDX-License-Identifier: Apache-2.0 */
/* hash.h - digests, HMAC, base64 and hex: the only user of OpenSSL's libcrypto.
 *
 * hash_init() once, before anything else, on a main stack (OpenSSL sets itself up then); after
 * that digests cannot fail but for want of memory, which is fatal. Any thread.
 */
#pragma once
#include "common/base.h"
#include <sys/uio.h>

#define HASH_MD5_LEN       16
#define HASH_SHA256_LEN    32
#define HASH_BASE64_LEN(n) (((n) + 2) / 3 * 4 + 1)

struct hash; /* a digest under way */

/* -ENOTSUP: this machine's OpenSSL refuses MD5 or SHA-256. */
must_check int hash_init(void);

struct hash *hash_md5_start(void);
void hash_add(struct hash *h, const void *p, size_t len);
/* Frees h. */
void hash_md5_end(struct hash *h, uint8_t out[HASH_MD5_LEN]);
void hash_drop(struct hash *h);

void hash_md5(const struct iovec *iov, int n, uint8_t out[HASH_MD5_LEN]);
void hash_sha256(const struct iovec *iov, int n, uint8_t out[HASH_SHA256_LEN]);
void hash_hmac_sha256(const void *key, size_t key_len, const void *p, size_t len,
		      uint8_t out[HASH_SHA256_LEN]);

/* Lower case, with a NUL: out holds 2 * len + 1. */
void hash_hex(const uint8_t *p, size_t len, char *out);
/* -EINVAL unless text begins with 2 * len hex digits. */
must_check int hash_unhex(const char *text, uint8_t *out, size_t len);
/* With a NUL: out holds HASH_BASE64_LEN(len). */
void hash_base64(const uint8_t *p, size_t len, char *out);
/* The number of bytes, at most max; -EINVAL. */
must_check int hash_unbase64(const char *text, uint8_t *out, size_t max);
