/* SPDX-License-Identifier: Apache-2.0 */
/* import_dirs.h - directories of an import by their paths: those that some entries need, and a
 * bounded memory of those that are there. Pure but for memory. */
#pragma once
#include "common/fid.h"
#include <sys/queue.h>

/* ---- what was made or found before ---- a hint: it forgets all when there are too many */
struct dir_cache;
must_check int dir_cache_create(struct dir_cache **out);
void dir_cache_destroy(struct dir_cache *k);
bool dir_cache_find(const struct dir_cache *k, const char *path, size_t len, struct fid *out);
void dir_cache_put(struct dir_cache *k, const char *path, size_t len, const struct fid *fid);

/* ---- what a page needs ---- */
struct dir {
	const char *path; /* the caller's; not ended by a NUL */
	size_t len;
	uint32_t depth; /* 0: where the import goes to */
	void *blob;	/* that tells its attributes; NULL: it only has to be there */
	struct dir *parent; /* NULL: of one that is known, or depth 0 */
	bool ready;	/* fid or rc is right */
	int rc;
	struct fid fid;
	LIST_ENTRY(dir) link;
};

enum { DIR_BUCKETS = 2048 };
struct dir_table {
	const struct dir_cache *known;
	LIST_HEAD(, dir) bucket[DIR_BUCKETS];
	struct dir **all;
	uint32_t n, cap;
	struct dir top;
};

void dir_table_init(struct dir_table *t, const struct dir_cache *k, const struct fid *top);
void dir_table_fini(struct dir_table *t);
/* The directory of this path, which has to live as long as the table, with all above. NULL: out of
 * memory. */
struct dir *dir_table_add(struct dir_table *t, const char *path, size_t len);
/* A blob tells of it: it is asked for even if it is known. The first one counts; of the top there
 * is none. */
struct dir *dir_table_add_blob(struct dir_table *t, const char *path, size_t len, void *blob);
/* By depth. */
void dir_table_sort(struct dir_table *t);
