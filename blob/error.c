/* SPDX-License-Identifier: Apache-2.0 */
/* error.c - kinds of errors out of statuses and codes of two services, and texts without secrets.
 */
#include "blob/error.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#define X(kind, no, again, text) {no, again, text},
static const struct {
	int no;
	bool again;
	const char *text;
} kinds[] = {BLOB_ERRORS(X)};
#undef X

/* Codes that say more than the status they come with. */
static const struct {
	const char *code;
	enum blob_kind kind;
} codes[] = {
	{"ServerBusy", BLOB_THROTTLED},
	{"SlowDown", BLOB_THROTTLED},
	{"Throttling", BLOB_THROTTLED},
	{"ThrottlingException", BLOB_THROTTLED},
	{"RequestLimitExceeded", BLOB_THROTTLED},
	{"OperationTimedOut", BLOB_TIMEOUT},
	{"RequestTimeout", BLOB_TIMEOUT},
	{"InternalError", BLOB_SERVER},
	{"OperationAborted", BLOB_SERVER},
	{"ConditionalRequestConflict", BLOB_SERVER},
	{"ExpiredToken", BLOB_AUTH_EXPIRED},
	{"ExpiredTokenException", BLOB_AUTH_EXPIRED},
	{"RequestExpired", BLOB_AUTH_EXPIRED},
	{"TokenRefreshRequired", BLOB_AUTH_EXPIRED},
	{"InvalidAuthenticationInfo", BLOB_AUTH_EXPIRED},
	{"RequestTimeTooSkewed", BLOB_AUTH_DENIED},
	{"InvalidAccessKeyId", BLOB_AUTH_DENIED},
	{"SignatureDoesNotMatch", BLOB_AUTH_DENIED},
	{"Md5Mismatch", BLOB_CORRUPT},
	{"BadDigest", BLOB_CORRUPT},
	{"XAmzContentSHA256Mismatch", BLOB_CORRUPT},
	{"InvalidBlockList", BLOB_CONFLICT},
	{"InvalidBlobOrBlock", BLOB_CONFLICT},
	{"InvalidPart", BLOB_CONFLICT},
	{"NoSuchUpload", BLOB_NOT_FOUND},
	{"NotImplemented", BLOB_UNSUPPORTED},
};

const char *error_kind_str(enum blob_kind kind)
{
	return (size_t)kind < ARRAY_SIZE(kinds) ? kinds[kind].text : "unknown";
}

bool error_may_retry(enum blob_kind kind)
{
	return (size_t)kind < ARRAY_SIZE(kinds) && kinds[kind].again;
}

/* Begins a new error; how often was tried, and what the wire said, belong to the caller. */
static int fill(struct blob_error *e, enum blob_kind kind, int rc, const char *fmt, va_list ap)
{
	e->kind = kind;
	e->rc = rc;
	vsnprintf(e->words, sizeof(e->words), fmt, ap);
	error_redact(e->words);
	return rc;
}

int error_set(struct blob_error *e, enum blob_kind kind, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = fill(e, kind, -kinds[kind].no, fmt, ap);
	va_end(ap);
	return rc;
}

int error_local(struct blob_error *e, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(e, rc == -ECANCELED ? BLOB_CANCELED : BLOB_LOCAL, rc, fmt, ap);
	va_end(ap);
	return rc;
}

static enum blob_kind kind_of_status(int http)
{
	switch (http) {
	case 401:
	case 403:
		return BLOB_AUTH_DENIED;
	case 404:
	case 410:
		return BLOB_NOT_FOUND;
	case 409:
	case 412:
	case 416: /* the blob ends before the range: not the blob that we knew */
		return BLOB_CONFLICT;
	case 408:
	case 504:
		return BLOB_TIMEOUT;
	case 429:
	case 503:
		return BLOB_THROTTLED;
	case 501:
		return BLOB_UNSUPPORTED;
	default:
		if (http >= 500 && http <= 599)
			return BLOB_SERVER;
		return http >= 400 && http <= 499 ? BLOB_REFUSED : BLOB_BAD_ANSWER;
	}
}

static enum blob_kind kind_of_answer(int http, const char *code, const char *message)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].kind;
	/* Azure says of an expired signature "Signature not valid in the specified time frame". */
	if ((http == 401 || http == 403) &&
	    (strcasestr(message, "expired") || strcasestr(message, "time frame")))
		return BLOB_AUTH_EXPIRED;
	if (http == 400 && strcasestr(message, "md5")) /* azurite's word for Md5Mismatch */
		return BLOB_CORRUPT;
	return kind_of_status(http);
}

int error_from_answer(struct blob_error *e, int http, const char *code, const char *message)
{
	enum blob_kind kind = kind_of_answer(http, code, message);

	e->http = http;
	snprintf(e->code, sizeof(e->code), "%s", code);
	error_redact(e->code);
	if (http >= 300 && http <= 399)
		return error_set(e, kind,
				 "the service sends us elsewhere: check endpoint and region");
	message += strspn(message, "\r\n");
	if (!message[0])
		message = error_kind_str(kind);
	return error_set(e, kind, "%.*s", (int)strcspn(message, "\r\n"), message);
}

int error_print(const struct blob_error *e, char *out, size_t size)
{
	char where[160] = "";

	if (e->http)
		snprintf(where, sizeof(where), " (%d%s%s%s%s)", e->http, e->code[0] ? " " : "",
			 e->code, e->request_id[0] ? ", request " : "", e->request_id);
	return snprintf(out, size, "%s%s: %s", error_kind_str(e->kind), where, e->words);
}

/* ---- secrets ---- */

/* What stands before a secret, and where that ends. */
static const struct {
	const char *before;
	const char *end;
} secrets[] = {
	{"sig=", "& \"'<>\t"},
	{"sig%3D", "& \"'<>\t"},
	{"Signature=", "& \"'<>,\t"},
	{"X-Amz-Security-Token=", "& \"'<>\t"},
	{"X-Amz-Security-Token: ", "\r\n"},
	{"X-Amz-Credential=", "& \"'<>\t"},
	{"Credential=", "& \"'<>,\t"},
	{"AccountKey=", "; \"'<>\t"},
	{"SharedAccessSignature=", "; \"'<>\t"},
	{"SharedKey ", " \"'<>\t"},
	{"Bearer ", " \"'<>\t"},
	{"access_token\":", ",}"},
	{"access_token=", "& \"'<>\t"},
	{"Authorization:", "\r\n"},
};

static void blank(char *from, const char *end)
{
	size_t n = strcspn(from, end), stars = n < 3 ? n : 3;

	if (n == 0)
		return;
	memset(from, '*', stars);
	memmove(from + stars, from + n, strlen(from + n) + 1);
}

void error_redact(char *text)
{
	for (char *p = text; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = *p == '\t' ? ' ' : '?';
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		char *p = text;

		while ((p = strcasestr(p, secrets[i].before))) {
			p += strlen(secrets[i].before);
			blank(p, secrets[i].end);
		}
	}
}
