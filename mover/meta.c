/* SPDX-License-Identifier: Apache-2.0 */
/* meta.c - see meta.h. */
#include "mover/meta.h"
#include <inttypes.h>
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
