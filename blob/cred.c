/* SPDX-License-Identifier: Apache-2.0 */
/* cred.c - credentials out of a file or the environment, and the rules for such a file. */
#include "blob/cred.h"
#include "blob/blob.h"
#include "blob/headers.h"
#include "blob/str.h"
#include "blob/url.h"
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum field {
	ACCOUNT,
	KEY,
	SAS,
	IDENTITY,
	CLIENT,
	IDENTITY_URL,
	ID,
	SECRET,
	TOKEN,
	REGION,
	NFIELDS
};

static const struct {
	int service;
	const char *name, *env;
} fields[NFIELDS] = {
	[ACCOUNT] = {BLOB_AZURE, "account_name", "AZURE_STORAGE_ACCOUNT"},
	[KEY] = {BLOB_AZURE, "account_key", "AZURE_STORAGE_KEY"},
	[SAS] = {BLOB_AZURE, "sas_token", "AZURE_STORAGE_SAS_TOKEN"},
	[IDENTITY] = {BLOB_AZURE, "managed_identity", "SHEEN_MANAGED_IDENTITY"},
	[CLIENT] = {BLOB_AZURE, "client_id", "AZURE_CLIENT_ID"},
	[IDENTITY_URL] = {BLOB_AZURE, "identity_url", "SHEEN_IDENTITY_URL"},
	[ID] = {BLOB_S3, "access_key_id", "AWS_ACCESS_KEY_ID"},
	[SECRET] = {BLOB_S3, "secret_access_key", "AWS_SECRET_ACCESS_KEY"},
	[TOKEN] = {BLOB_S3, "session_token", "AWS_SESSION_TOKEN"},
	[REGION] = {BLOB_S3, "region", "AWS_REGION"},
};

static int read_file(const char *path, char *text, struct stat *st, struct blob_error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0 || fstat(fd, st)) {
		n = errno;
		if (fd >= 0)
			close(fd);
		return error_set(e, BLOB_REFUSED, "credentials %s: %s", path, strerror((int)n));
	}
	if (!S_ISREG(st->st_mode) || (st->st_uid != 0 && st->st_uid != geteuid()) ||
	    (st->st_mode & 077)) {
		close(fd);
		return error_set(
			e, BLOB_REFUSED,
			"credentials %s: must be a file of root or of this user that nobody else "
			"may read (chmod 600), but its owner is %u and its mode %04o",
			path, (unsigned)st->st_uid, (unsigned)st->st_mode & 07777);
	}
	while (len < CRED_FILE_MAX && (n = read(fd, text + len, CRED_FILE_MAX - len)) > 0)
		len += (size_t)n;
	close(fd);
	text[len] = 0;
	if (n < 0 || len == CRED_FILE_MAX || strlen(text) != len)
		return error_set(e, BLOB_REFUSED, "credentials %s: cannot be read as text", path);
	return 0;
}

static char *trim(char *s)
{
	size_t n;

	while (isspace((unsigned char)*s))
		s++;
	n = strlen(s);
	while (n && isspace((unsigned char)s[n - 1]))
		s[--n] = 0;
	return s;
}

/* Splits text into values, in place. */
static int parse_file(char *text, int service, const char *path, const char *v[NFIELDS],
		      struct blob_error *e)
{
	char *line, *next = text;

	for (int nr = 1; (line = strsep(&next, "\n")); nr++) {
		char *name = trim(line), *value = strchr(name, '=');
		size_t i;

		if (*name == 0 || *name == '#')
			continue;
		if (!value)
			return error_set(e, BLOB_REFUSED,
					 "credentials %s: line %d is not 'name = value'", path, nr);
		*value++ = 0;
		name = trim(name);
		for (i = 0; i < NFIELDS; i++)
			if (fields[i].service == service && strcmp(fields[i].name, name) == 0)
				break;
		/* Not even the name: a file without '=' in the right place would show a key. */
		if (i == NFIELDS)
			return error_set(e, BLOB_REFUSED, "credentials %s: unknown name in line %d",
					 path, nr);
		v[i] = trim(value);
	}
	return 0;
}

static int too_long(const char *where, enum field f, struct blob_error *e)
{
	return error_set(e, BLOB_REFUSED, "credentials of %s: %s is too long or malformed", where,
			 fields[f].name);
}

static bool copy(char *out, size_t size, const char *v)
{
	for (const char *p = v; p && *p; p++)
		if (!isprint((unsigned char)*p))
			return false;
	return snprintf(out, size, "%s", v ? v : "") < (int)size;
}

/* se=2026-11-23T15%3A00%3A00Z, or 2026-11-23 */
static int64_t sas_end(const char *sas)
{
	CLEANUP(str_fini) struct str when = STR_INIT;
	const char *p = sas;
	char text[64];
	int64_t end;

	while (p && strncmp(p, "se=", 3) != 0) {
		p = strchr(p, '&');
		p = p ? p + 1 : NULL;
	}
	if (!p)
		return INT64_MAX;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(p + 3, "&"), p + 3);
	url_decode(&when, text);
	if (when.len == 10)
		str_puts(&when, "T00:00:00Z");
	else if (when.len == 17) /* without seconds */
		when.p[16] = 0, when.len = 16, str_puts(&when, ":00Z");
	return when.failed || headers_date(str_get(&when), &end) ? INT64_MAX : end;
}

static int fill_azure(const char *const v[NFIELDS], const char *where, struct cred *c,
		      struct blob_error *e)
{
	const char *sas = v[SAS];
	int n;

	if (!copy(c->azure.account, sizeof(c->azure.account), v[ACCOUNT]))
		return too_long(where, ACCOUNT, e);
	if (v[KEY]) {
		n = hash_unbase64(v[KEY], c->azure.key, sizeof(c->azure.key));
		if (n <= 0)
			return too_long(where, KEY, e);
		c->azure.key_len = (size_t)n;
		c->kind = CRED_AZURE_KEY;
		return 0;
	}
	if (sas) {
		sas += *sas == '?';
		if (!copy(c->sas, sizeof(c->sas), sas) || strpbrk(sas, " #"))
			return too_long(where, SAS, e);
		c->sas_end = sas_end(c->sas);
		c->kind = CRED_AZURE_SAS;
		return 0;
	}
	if (v[IDENTITY] && strcmp(v[IDENTITY], "yes") == 0) {
		if (!copy(c->client_id, sizeof(c->client_id), v[CLIENT]))
			return too_long(where, CLIENT, e);
		if (!copy(c->identity_url, sizeof(c->identity_url),
			  v[IDENTITY_URL] ? v[IDENTITY_URL] : CRED_IDENTITY_URL))
			return too_long(where, IDENTITY_URL, e);
		c->kind = CRED_IDENTITY;
	}
	return 0;
}

static int fill_s3(const char *const v[NFIELDS], const char *where, struct cred *c,
		   struct blob_error *e)
{
	if (!copy(c->s3.id, sizeof(c->s3.id), v[ID]))
		return too_long(where, ID, e);
	if (!copy(c->s3.secret, sizeof(c->s3.secret), v[SECRET]))
		return too_long(where, SECRET, e);
	if (!copy(c->s3.token, sizeof(c->s3.token), v[TOKEN]))
		return too_long(where, TOKEN, e);
	if (!copy(c->s3.region, sizeof(c->s3.region), v[REGION]))
		return too_long(where, REGION, e);
	if (v[ID] && v[SECRET])
		c->kind = CRED_S3_KEY;
	return 0;
}

int cred_load(int service, const char *path, struct cred *out, struct blob_error *e)
{
	char *text = calloc(1, CRED_FILE_MAX + 1);
	const char *v[NFIELDS] = {0};
	const char *where = path ? path : "the environment";
	int rc = 0;

	if (!text)
		return error_local(e, -ENOMEM, "no memory for credentials");
	memset(out, 0, sizeof(*out));
	out->sas_end = INT64_MAX;
	if (path) {
		rc = read_file(path, text, &out->st, e);
		if (rc == 0)
			rc = parse_file(text, service, path, v, e);
	} else {
		for (int i = 0; i < NFIELDS; i++) {
			v[i] = getenv(fields[i].env);
			if (v[i] && !*v[i])
				v[i] = NULL;
		}
	}
	if (rc == 0 && service == BLOB_AZURE)
		rc = fill_azure(v, where, out, e);
	else if (rc == 0)
		rc = fill_s3(v, where, out, e);
	if (rc == 0 && path && out->kind == CRED_NONE)
		rc = error_set(e, BLOB_REFUSED, "credentials %s: no complete credentials in it",
			       path);
	if (rc)
		cred_wipe(out);
	explicit_bzero(text, CRED_FILE_MAX);
	free(text);
	return rc;
}

bool cred_changed(const char *path, const struct cred *c)
{
	struct stat st;

	return path && stat(path, &st) == 0 &&
	       (st.st_ino != c->st.st_ino || st.st_dev != c->st.st_dev ||
		st.st_mtim.tv_sec != c->st.st_mtim.tv_sec ||
		st.st_mtim.tv_nsec != c->st.st_mtim.tv_nsec || st.st_size != c->st.st_size);
}

void cred_wipe(struct cred *c)
{
	explicit_bzero(c, sizeof(*c));
}
