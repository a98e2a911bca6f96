/* SPDX-License-Identifier: Apache-2.0 */
/* sign_azure.h - Azure's SharedKey for the Blob service (version 2015-02-21 and later). Pure. */
#pragma once
#include "blob/hash.h"

struct req; /* blob/req.h */
struct str; /* blob/str.h */

#define AZURE_KEY_MAX 128

struct azure_key {
	char account[64];
	uint8_t key[AZURE_KEY_MAX];
	size_t key_len;
};

/* Adds the string to sign; x-ms-date and x-ms-version must be among the headers already. */
must_check int sign_azure_string(const struct req *r, const char *account, struct str *out);
/* Adds the header Authorization. -ENOMEM, -EMSGSIZE. */
must_check int sign_azure(struct req *r, const struct azure_key *k);
