/* SPDX-License-Identifier: Apache-2.0 */
/* sign_s3.h - AWS Signature Version 4 in the Authorization header, for S3. Pure.
 *
 * libcurl can sign too (CURLOPT_AWS_SIGV4), but Debian 12's version sorts and encodes queries
 * wrongly for some names, and cannot be tested against the published vectors by itself.
 */
#pragma once
#include "blob/hash.h"
#include <time.h>

struct req; /* blob/req.h */
struct str; /* blob/str.h */

struct s3_key {
	char id[128];
	char secret[128];
	char token[4096]; /* "" if there is none */
	char region[64];
};

#define S3_UNSIGNED "UNSIGNED-PAYLOAD"

/* Adds x-amz-date, x-amz-content-sha256, x-amz-security-token (if there is a token) and
 * Authorization. All headers of r are signed, and Host. payload: the body's SHA-256 in hex, or
 * S3_UNSIGNED. -ENOMEM, -EMSGSIZE. */
must_check int sign_s3(struct req *r, const struct s3_key *k, time_t now, const char *payload);
/* The pieces, for tests. */
must_check int sign_s3_canonical(const struct req *r, const char *payload, struct str *out,
				 struct str *signed_headers);
void sign_s3_mac(const struct s3_key *k, const char date[17], const char *canonical, char hex[65]);
