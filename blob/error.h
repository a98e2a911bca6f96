/* SPDX-License-Identifier: Apache-2.0 */
/* error.h - what went wrong with a blob service: one struct for both services and for the wire.
 *
 * The kind decides what a caller does (wait, ask for new keys, give up); code and words are for
 * people and for the job's log. No text in here ever holds a key, a signature or a token:
 * everything that comes from a request or an answer passes error_redact(). Pure.
 */
#pragma once
#include "common/base.h"

// clang-format off
/*	kind		 errno		may be tried again  what it is */
#define BLOB_ERRORS(X) \
	X(BLOB_OK,		0,		false, "no error") \
	X(BLOB_THROTTLED,	EAGAIN,		true,  "throttled") \
	X(BLOB_TIMEOUT,		ETIMEDOUT,	true,  "timed out") \
	X(BLOB_BROKEN,		ECONNRESET,	true,  "connection broken") \
	X(BLOB_SERVER,		EIO,		true,  "error of the server") \
	X(BLOB_CORRUPT,		EBADMSG,	true,  "checksum mismatch") \
	X(BLOB_BAD_ANSWER,	EBADMSG,	false, "answer makes no sense") \
	X(BLOB_AUTH_EXPIRED,	EKEYEXPIRED,	false, "credentials expired") \
	X(BLOB_AUTH_DENIED,	EACCES,		false, "access denied") \
	X(BLOB_NOT_FOUND,	ENOENT,		false, "not found") \
	X(BLOB_CONFLICT,	ESTALE,		false, "changed by somebody else") \
	X(BLOB_REFUSED,		EINVAL,		false, "request refused") \
	X(BLOB_UNSUPPORTED,	EOPNOTSUPP,	false, "not supported") \
	X(BLOB_CANCELED,	ECANCELED,	false, "canceled") \
	X(BLOB_LOCAL,		0,		false, "local error")
// clang-format on

#define X(kind, no, again, text) kind,
enum blob_kind { BLOB_ERRORS(X) };
#undef X

struct blob_error {
	enum blob_kind kind;
	int rc;   /* -errno that goes with it; BLOB_LOCAL: what the caller's code gave */
	int http; /* status; 0: there was no answer */
	uint32_t retry_after_ms; /* what the service asked for; 0: nothing */
	uint32_t attempts;       /* requests that were made in vain */
	char code[64];           /* the service's word: "ServerBusy", "NoSuchKey"; may be empty */
	char request_id[64];     /* for the service's support; may be empty */
	char words[256];         /* one sentence */
};

const char *error_kind_str(enum blob_kind kind);
bool error_may_retry(enum blob_kind kind);

/* Fills e and returns its rc. */
int error_set(struct blob_error *e, enum blob_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* BLOB_LOCAL with the caller's own -errno. */
int error_local(struct blob_error *e, int rc, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* What an answer with a status outside of 200..299 means. code and message come from its body or
 * headers and may be empty; they are cut, cleaned of control characters and redacted here. */
int error_from_answer(struct blob_error *e, int http, const char *code, const char *message);

/* "throttled (503 ServerBusy, request 1234): The server is busy" */
int error_print(const struct blob_error *e, char *out, size_t size);

/* Puts "***" over every secret that text holds: the values of sig=, X-Amz-Signature=,
 * X-Amz-Security-Token=, X-Amz-Credential=, AccountKey=, "SharedKey ...:...", "Bearer ...",
 * "Signature=...", access_token. In place; control characters become '?'. */
void error_redact(char *text);
