/* SPDX-License-Identifier: Apache-2.0 */
/* cred.h - credentials of a blob service: from a file that only its owner can read, or from the
 * environment; nowhere else.
 *
 * The file has lines "name = value"; '#' begins a comment. It must be a regular file of root or of
 * the user, without rights for group and others. Azure: account_name, and account_key or sas_token
 * or `managed_identity = yes` (with client_id and identity_url if wanted). S3: access_key_id,
 * secret_access_key, session_token, region. The environment has the names of the services' own
 * tools: AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION; and SHEEN_MANAGED_IDENTITY=yes,
 * AZURE_CLIENT_ID, SHEEN_IDENTITY_URL.
 *
 * No text of this file appears in errors. A file may be replaced while it is in use (a new SAS):
 * cred_changed() sees that. No suspension; the file is read on the caller's thread.
 */
#pragma once
#include "blob/sign_azure.h"
#include "blob/sign_s3.h"
#include <sys/stat.h>

struct blob_error;

#define CRED_FILE_MAX     (64U << 10)
#define CRED_SAS_MAX      2048
#define CRED_IDENTITY_URL "http://169.254.169.254/metadata/identity/oauth2/token"

enum cred_kind { CRED_NONE, CRED_AZURE_KEY, CRED_AZURE_SAS, CRED_IDENTITY, CRED_S3_KEY };

struct cred {
	enum cred_kind kind;
	struct azure_key azure; /* account always, the key by kind */
	char sas[CRED_SAS_MAX]; /* without '?', encoded as it was given */
	int64_t sas_end;        /* its `se`; INT64_MAX if it has none that we understand */
	char client_id[128], identity_url[256];
	struct s3_key s3;
	struct stat st; /* of the file */
};

/* path NULL: the environment; nothing in it is CRED_NONE (public containers). service: BLOB_AZURE
 * or BLOB_S3. Fills *e: BLOB_REFUSED; nothing secret is in out then. */
must_check int cred_load(int service, const char *path, struct cred *out, struct blob_error *e);
/* The file is not the one that was loaded. */
bool cred_changed(const char *path, const struct cred *c);
/* Overwrites what is secret. */
void cred_wipe(struct cred *c);
