/* SPDX-License-Identifier: Apache-2.0 */
/* import_name.h - which names of a container can be paths of files. Pure. */
#pragma once
#include "common/base.h"

/* A path below where the container is imported to. A name that ends with '/' is that of a
 * directory, as some tools make them; dir says so, and the path is without it. len 0: the name is
 * that of the whole tree. */
struct import_path {
	const char *path; /* in name, not ended by a NUL */
	size_t len;
	bool dir;
};

/* name: of len bytes, behind the prefix already. -EINVAL, -ENAMETOOLONG; *why: a sentence. */
must_check int import_name(const char *name, size_t len, struct import_path *out, const char **why);
/* How long the path of the directory is that it is in; 0: the root. */
size_t import_parent(const char *path, size_t len);
