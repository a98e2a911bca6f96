/* SPDX-License-Identifier: Apache-2.0 */
/* import_int.h - between import.c, who lists, import_page.c, who makes a page's entries, and
 * import_batch.c, who tells them to the MDS. */
#pragma once
#include "mover/import.h"
#include "mover/import_dirs.h"
#include "mover/meta.h"

struct importer {
	struct mover *m;
	struct job *job;
	struct import_cfg cfg;
	size_t prefix_len;
	struct fid top; /* the directory */
	struct dir_cache *known;
	uint64_t open_errors; /* of pages that are not done */
	bool failed;	      /* why says of what; the job ends */
	char why[512];
};

/* Ends the job; the first one counts. Returns -ECANCELED. */
int importer_fail(struct importer *im, const char *fmt, ...) PRINTF_LIKE(2, 3);
static inline bool importer_stops(const struct importer *im)
{
	return im->failed || im->m->stopping;
}

/* ---- import_page.c ---- */
struct item {
	char *name;   /* of the blob */
	size_t path;  /* where the path begins in it */
	size_t len;   /* of the path, without a '/' behind it */
	char *target; /* of a symbolic link, else NULL */
	char etag[BLOB_ETAG_MAX];
	uint64_t size;
	int64_t mtime; /* seconds, of the blob */
	struct meta_attr attr;
	bool is_dir, has_meta;
	bool done; /* or left out */
	struct dir *parent;
};

struct page {
	struct importer *im;
	struct item *item;
	uint32_t n, cap, next;
	char **sub; /* prefixes below */
	uint32_t nsub, sub_cap;
	char marker[BLOB_MARKER_MAX]; /* behind it; "": that was all */
	struct job_counts done;	      /* to be counted when all of it is */
	int rc;
};

must_check struct page *page_new(struct importer *im);
void page_free(struct page *p);
/* A blob_entry_fn; arg is the page. Copies. */
int page_co_take(void *arg, const struct blob_entry *e);
/* Makes all that is in it. -ECANCELED: the job stops, or has failed. */
int page_co_make(void *page);
/* An entry that is left out: a line, and counted. -ECANCELED: these are too many. */
must_check int page_co_error(struct page *p, const char *name, int rc, const char *why);

/* ---- import_batch.c ---- */
struct batch;
/* What became of one: fn of batch_new(). 0 or -ECANCELED. */
typedef int batch_fn(void *arg, void *of, const struct mds_import_entry *e,
		     const struct mds_import_result *r);
must_check struct batch *batch_new(struct importer *im, batch_fn *fn, void *arg);
void batch_free(struct batch *b);
/* What e points at must live until the flush; flushes when it is full. -ECANCELED. */
must_check int batch_co_add(struct batch *b, const struct mds_import_entry *e, void *of);
must_check int batch_co_flush(struct batch *b);
