/* SPDX-License-Identifier: Apache-2.0 */
/* meta.c - see meta.h. */
#include "mover/meta.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static int add_times(const struct attr *a, struct pairs *out)
{
	int64_t ns = a->mtime % NSEC_PER_SEC;
	time_t s = (time_t)(a->mtime / NSEC_PER_SEC);
	char text[64];
	struct tm tm;
	int rc;

	if (ns < 0) {
		ns += NSEC_PER_SEC;
		s--;
	}
	gmtime_r(&s, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S +0000", &tm);
	rc = pairs_add(out, "modtime", text);
	return rc ? rc : pairs_addf(out, "mtime", "%" PRId64 ".%09" PRId64, (int64_t)s, ns);
}

int meta_of_attr(const struct attr *a, uint64_t cookie, struct pairs *out)
{
	int rc = pairs_addf(out, "owner", "%u", a->uid);

	if (rc == 0)
		rc = pairs_addf(out, "group", "%u", a->gid);
	if (rc == 0)
		rc = pairs_addf(out, "permissions", "%04o", a->mode & 07777);
	if (rc == 0)
		rc = add_times(a, out);
	if (rc == 0 && S_ISDIR(a->mode))
		rc = pairs_add(out, "hdi_isfolder", "true");
	if (rc == 0 && S_ISLNK(a->mode))
		rc = pairs_add(out, "is_symlink", "true");
	if (rc == 0 && cookie)
		rc = pairs_addf(out, "sheen_work", "%016" PRIx64, cookie);
	return rc;
}

uint64_t meta_cookie(const struct pairs *meta)
{
	const char *text = pairs_get(meta, "sheen_work");
	char *end;
	uint64_t v;

	if (!text || strlen(text) != 16)
		return 0;
	v = strtoull(text, &end, 16);
	return *end ? 0 : v;
}

int meta_add_origin(const uint8_t mdt[UUID_LEN], const struct fid *fid, struct pairs *out)
{
	char uuid[UUID_STRLEN], text[FID_STRLEN];
	int rc = pairs_add(out, "sheen_mdt", uuid_str(mdt, uuid));

	return rc ? rc : pairs_add(out, "sheen_fid", fid_str(fid, text));
}

bool meta_origin(const struct pairs *meta, const uint8_t mdt[UUID_LEN], struct fid *fid)
{
	const char *uuid = pairs_get(meta, "sheen_mdt"), *text = pairs_get(meta, "sheen_fid");
	char ours[UUID_STRLEN];

	return uuid && text && strcmp(uuid, uuid_str(mdt, ours)) == 0 &&
	       fid_parse(text, fid) == 0 && fid_is_sane(fid);
}

bool meta_same(const struct pairs *a, const struct pairs *b)
{
	static const char *const key[] = {"owner",     "group",	       "permissions",
					  "modtime",   "mtime",	       "hdi_isfolder",
					  "is_symlink", "sheen_mdt", "sheen_fid"};
	const char *va, *vb;
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(key); i++) {
		va = pairs_get(a, key[i]);
		vb = pairs_get(b, key[i]);
		if (!va != !vb || (va && strcmp(va, vb) != 0))
			return false;
	}
	return true;
}

/* ---- reading ---- */

#define SECONDS_MAX 9000000000LL /* of both signs; ns of them are an int64_t */

/* The whole text is digits, of this base. */
static bool number(const char *text, int base, uint64_t max, uint64_t *out)
{
	char *end;

	if (!text || !isdigit((unsigned char)*text) || strlen(text) > 20)
		return false;
	errno = 0;
	*out = strtoull(text, &end, base);
	return !errno && !*end && *out <= max;
}

static bool read_id(const struct pairs *meta, uint32_t *out, const char *const key[4])
{
	uint64_t v;
	int i;

	for (i = 0; i < 4; i++)
		if (number(pairs_get(meta, key[i]), 10, UINT32_MAX - 1, &v)) {
			*out = (uint32_t)v;
			return true;
		}
	return false;
}

/* azcopy's own style is decimal; all others are octal, as is its style for this service. */
static bool is_decimal(const struct pairs *meta, const char *text)
{
	return text[0] != '0' && !pairs_get(meta, "owner") && !pairs_get(meta, "group") &&
	       (pairs_get(meta, "posix_owner") || pairs_get(meta, "posix_group"));
}

static bool read_mode(const struct pairs *meta, uint32_t *out)
{
	static const char *const key[] = {"permissions", "perm", "file-permissions"};
	const char *text;
	uint64_t v;
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(key); i++) {
		text = pairs_get(meta, key[i]);
		if (text && number(text, is_decimal(meta, text) ? 10 : 8, 0177777, &v)) {
			*out = (uint32_t)v & 07777;
			return true;
		}
	}
	return false;
}

/* "2006-01-02 15:04:05 -0700" */
static bool read_date(const char *text, int64_t *out)
{
	struct tm tm = {0};
	const char *p;
	uint64_t zone;
	int64_t s;
	int sign;

	if (strlen(text) > 40)
		return false;
	p = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
	if (!p || p[0] != ' ' || (p[1] != '+' && p[1] != '-') || strlen(p) < 6 ||
	    (p[6] && p[6] != ' '))
		return false;
	sign = p[1] == '-' ? -1 : 1;
	if (!number((char[5]){p[2], p[3], p[4], p[5], 0}, 10, 1459, &zone) || zone % 100 > 59)
		return false;
	s = (int64_t)timegm(&tm) - sign * (int64_t)(zone / 100 * 3600 + zone % 100 * 60);
	if (s <= -SECONDS_MAX || s >= SECONDS_MAX)
		return false;
	*out = s * NSEC_PER_SEC;
	return true;
}

/* Digits, ns, perhaps with a sign in front and "ns" behind. */
static bool read_ns(const char *text, int64_t *out)
{
	bool minus = *text == '-';
	size_t n = strlen(text);
	char digits[24];
	uint64_t v;

	if (n > 2 && strcmp(text + n - 2, "ns") == 0)
		n -= 2;
	if (n < 1U + minus || n - minus >= sizeof(digits))
		return false;
	memcpy(digits, text + minus, n - minus);
	digits[n - minus] = 0;
	if (!number(digits, 10, SECONDS_MAX * NSEC_PER_SEC, &v))
		return false;
	*out = minus ? -(int64_t)v : (int64_t)v;
	return true;
}

/* "1580702706.789000001"; what is behind the point is added, also to a time before 1970. */
static bool read_seconds(const char *text, int64_t *out)
{
	bool minus = *text == '-';
	const char *dot = strchr(text, '.');
	size_t n = dot ? (size_t)(dot - text) - minus : strlen(text) - minus, frac, i;
	char digits[24];
	uint64_t s, ns = 0;

	if (!n || n >= sizeof(digits))
		return false;
	memcpy(digits, text + minus, n);
	digits[n] = 0;
	if (!number(digits, 10, SECONDS_MAX, &s))
		return false;
	if (dot) {
		frac = strlen(dot + 1);
		if (!frac || frac > 9)
			return false;
		snprintf(digits, sizeof(digits), "%s", dot + 1);
		for (i = frac; i < 9; i++)
			digits[i] = '0';
		digits[9] = 0;
		if (!number(digits, 10, NSEC_PER_SEC - 1, &ns))
			return false;
	}
	*out = (minus ? -(int64_t)s : (int64_t)s) * NSEC_PER_SEC + (int64_t)ns;
	return true;
}

/* Ours has more than seconds; but who changes the other one alone means it. */
static bool read_mtime(const struct pairs *meta, int64_t *out)
{
	const char *mod = pairs_get(meta, "modtime"), *ours = pairs_get(meta, "mtime"),
		   *file = pairs_get(meta, "file-mtime");
	int64_t exact;

	if (mod && (read_date(mod, out) || read_ns(mod, out))) {
		if (ours && read_seconds(ours, &exact) && exact - *out >= 0 &&
		    exact - *out < NSEC_PER_SEC)
			*out = exact;
		return true;
	}
	return (ours && read_seconds(ours, out)) || (file && read_ns(file, out));
}

static bool read_atime(const struct pairs *meta, int64_t *out)
{
	const char *posix = pairs_get(meta, "posix_atime"), *file = pairs_get(meta, "file-atime");

	return (posix && read_ns(posix, out)) || (file && read_ns(file, out));
}

static bool is_true(const struct pairs *meta, const char *key)
{
	const char *v = pairs_get(meta, key);

	return v && strcasecmp(v, "true") == 0;
}

void meta_read(const struct pairs *meta, struct meta_attr *out)
{
	static const char *const uid[] = {"owner", "posix_owner", "uid", "file-owner"};
	static const char *const gid[] = {"group", "posix_group", "gid", "file-group"};

	*out = (struct meta_attr){0};
	out->has_uid = read_id(meta, &out->uid, uid);
	out->has_gid = read_id(meta, &out->gid, gid);
	out->has_mode = read_mode(meta, &out->mode);
	out->has_mtime = read_mtime(meta, &out->mtime);
	out->has_atime = read_atime(meta, &out->atime);
	out->is_dir = is_true(meta, "hdi_isfolder");
	out->is_link = is_true(meta, "is_symlink");
	out->is_special = is_true(meta, "is_fifo") || is_true(meta, "is_socket") ||
			  is_true(meta, "is_block_dev") || is_true(meta, "is_char_dev");
}
