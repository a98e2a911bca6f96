/* SPDX-License-Identifier: Apache-2.0 */
/* import_name.c - see import_name.h. Whatever bytes a name has, but for '/' and NUL, a file may
 * have, too. */
#include "mover/import_name.h"
#include "common/hsm.h"
#include "common/limits.h"

static int segment(const char *p, size_t len, const char **why)
{
	if (len == 0) {
		*why = "an empty segment is no name of a directory";
		return -EINVAL;
	}
	if (p[0] == '.' && (len == 1 || (len == 2 && p[1] == '.'))) {
		*why = "\".\" and \"..\" are no names of files";
		return -EINVAL;
	}
	if (len > MAX_NAME) {
		*why = "a segment is longer than 255 bytes";
		return -ENAMETOOLONG;
	}
	return 0;
}

int import_name(const char *name, size_t len, struct import_path *out, const char **why)
{
	const char *p = name, *end, *slash;
	int rc = 0;

	if (memchr(name, 0, len)) {
		*why = "a NUL is in the name";
		return -EINVAL;
	}
	if (len > HSM_NAME_MAX) {
		*why = "the name is longer than 1024 bytes";
		return -ENAMETOOLONG;
	}
	out->path = name;
	out->dir = len && name[len - 1] == '/';
	out->len = len - out->dir;
	end = name + out->len;
	if (len == 0)
		return 0;
	do {
		slash = memchr(p, '/', (size_t)(end - p));
		rc = segment(p, (size_t)((slash ? slash : end) - p), why);
		p = slash ? slash + 1 : end;
	} while (rc == 0 && slash);
	return rc;
}

size_t import_parent(const char *path, size_t len)
{
	while (len && path[len - 1] != '/')
		len--;
	return len ? len - 1 : 0;
}
