/* SPDX-License-Identifier: Apache-2.0 */
/* blob.h - Azure Blob and S3 behind one interface: list, look, read, write, copy, delete.
 *
 * A struct blob_store is one container (bucket) with its credentials and connections. It belongs to
 * the loop it was opened on; every call is made from a fiber of that loop. Functions with co_ in
 * their name suspend the fiber: for an answer, for a turn (max_requests at once), between attempts.
 * Nothing blocks the thread, but digests of bodies and TLS are computed on it: some 2 ms for each
 * MiB that is written, less for one that is read. For more than that, open stores on several loops.
 *
 * Every call returns 0 or e->rc and fills *e on failure (error.h: the kinds and what they mean).
 * What may be tried again has been, by cfg.retry, with Retry-After obeyed; so BLOB_THROTTLED means
 * that the service wanted longer than the budget, and e->retry_after_ms says how long.
 *
 * Names are UTF-8 and go to the service as they are, whatever they look like ("a//b", "..", "a/").
 * Metadata names are lower-case letters, digits and '_' (both services agree on those), values are
 * printable ASCII, BLOB_META_MAX bytes in all. Bytes of a blob are never mixed: a read is bound to
 * one ETag from its first byte to its last.
 */
#pragma once
#include "blob/error.h"
#include "blob/pairs.h"
#include "blob/retry.h"
#include <sys/uio.h>

struct loop;
struct blob_store;
struct blob_upload;
struct blob_log;

#define BLOB_NAME_MAX   1024           /* bytes; Azure: characters */
#define BLOB_ETAG_MAX   128            /* with a NUL */
#define BLOB_META_MAX   (8U << 10)     /* S3: 2 KiB */
#define BLOB_MARKER_MAX 2048           /* with a NUL */
#define BLOB_PUT_MAX    (256ULL << 20) /* one request; larger ones are uploaded in blocks */

enum blob_service { BLOB_AZURE, BLOB_S3 };

struct blob_config {
	enum blob_service service;
	const char
		*endpoint; /* https://ACCOUNT.blob.core.windows.net, http://127.0.0.1:10000/ACCOUNT,
			      https://s3.eu-west-1.amazonaws.com */
	const char *container;
	const char *credentials;   /* file (cred.h), NULL: the environment */
	const char *region;        /* S3; NULL: from the credentials, else us-east-1 */
	bool virtual_host;         /* S3: BUCKET.host instead of host/BUCKET */
	const char *ca_file;       /* NULL: the system's */
	uint32_t max_requests;     /* at once; 0: 16 */
	uint32_t connect_ms;       /* 0: 10000 */
	uint32_t stall_ms;         /* no byte for so long: a timeout; 0: 30000 */
	uint64_t block_size;       /* of uploads, grows with the size; 0: 8 MiB */
	struct retry_policy retry; /* attempts 0: RETRY_DEFAULT */
};

/* Once in a process, before threads. -EIO, -ENOTSUP. */
must_check int blob_init(void);
/* Copies cfg. Reads the credentials; makes no request. Any stack of l's thread. */
must_check int blob_open(struct loop *l, const struct blob_config *cfg, struct blob_store **out,
			 struct blob_error *e);
/* No call may be under way (blob_stop() ends them). On the loop's main stack, or after loop_run().
 */
void blob_close(struct blob_store *s);
/* All calls under way, and all later ones, end with BLOB_CANCELED. From the loop's thread. */
void blob_stop(struct blob_store *s);

/* ---- looking ---- */

struct blob_props {
	uint64_t size;
	int64_t mtime; /* seconds since 1970, by the service's clock */
	char etag[BLOB_ETAG_MAX];
	uint8_t md5[16];
	bool has_md5; /* of the whole content, if the service knows it */
	bool is_dir;  /* hdi_isfolder, or a directory of a hierarchical account */
	struct pairs meta;
};

void blob_props_fini(struct blob_props *p); /* for CLEANUP() as well */
must_check int blob_co_stat(struct blob_store *s, const char *name, struct blob_props *out,
			    struct blob_error *e);

struct blob_entry {
	const char *name;
	size_t name_len; /* more than strlen(name): there is a NUL in it, which no call can say */
	bool is_prefix;                 /* stands for all names that begin so (with a delimiter) */
	const struct blob_props *props; /* NULL for a prefix */
	bool has_meta;                  /* S3 does not list metadata: blob_co_stat() has it */
};

/* May suspend. Anything but 0 ends the list with that (BLOB_LOCAL). The entry dies with the call.
 */
typedef int blob_entry_fn(void *arg, const struct blob_entry *entry);

struct blob_list {
	const char *prefix;           /* "" or NULL: all */
	bool delimiter;               /* "/" ends a name: one level only */
	uint32_t page;                /* entries of one request; 0: as many as the service gives */
	uint32_t pages;               /* stop after so many; 0: to the end */
	char marker[BLOB_MARKER_MAX]; /* "": from the start; afterwards: where to go on, "" at the
					 end */
};

/* Calls fn for each entry, in the service's order. Memory: one page. An error between pages leaves
 * marker where a new call goes on; within a page, entries of that page come again. */
must_check int blob_co_list(struct blob_store *s, struct blob_list *q, blob_entry_fn *fn, void *arg,
			    struct blob_error *e);

/* ---- reading ---- */

/* Pieces in order; may suspend, and the service waits. Anything but 0 ends the read (BLOB_LOCAL).
 */
typedef int blob_sink_fn(void *arg, const void *p, size_t len);

struct blob_read {
	const char *name;
	const char *etag;     /* NULL: whatever is there at the first byte; else BLOB_CONFLICT if it
				 changed */
	uint64_t offset, len; /* len > 0; both must lie in the blob */
	/* one of the two: */
	void *buf; /* of len bytes */
	blob_sink_fn *sink;
	void *arg;
	/* NULL, or called when buf holds the first `got` bytes; must not suspend. Bytes may be used
	 * from then on, unless verified content is wanted: checksums are compared at the end. */
	void (*progress)(void *arg, uint64_t got);
	/* Ask for a checksum and compare it: Azure has one of ranges up to 4 MiB, and of whole
	 * blobs that were stored with one; S3 has none of ranges. BLOB_CORRUPT. Costs both sides an
	 * MD5. */
	bool verify;
};

/* Goes on where a connection broke, within the same ETag. A range that does not lie in the blob is
 * BLOB_CONFLICT. With a sink, a failure may come after bytes. */
must_check int blob_co_read(struct blob_store *s, const struct blob_read *r, struct blob_error *e);

/* ---- writing ---- */

struct blob_write {
	const char *name;
	const struct pairs *meta; /* NULL: none */
	const char *if_match;     /* NULL, or the ETag of what may be replaced */
	bool if_none;             /* nothing may be there */
};

/* One request, at most BLOB_PUT_MAX bytes, checked by the service against its MD5. The new ETag is
 * in out (NULL: not of interest), which need not be initialised. A repeated request that finds its
 * own work done has succeeded. */
must_check int blob_co_put(struct blob_store *s, const struct blob_write *w,
			   const struct iovec *iov, int niov, char etag[BLOB_ETAG_MAX],
			   struct blob_error *e);

/* In blocks, each with its checksum, in any order and from several fibers; nothing is to be seen
 * before the commit. resume: NULL, or what blob_upload_id() gave to one that was interrupted, of
 * the same name and size: blocks that the service still holds are not sent again if they have the
 * same content. If the service has forgotten it: BLOB_NOT_FOUND. */
must_check int blob_co_upload_begin(struct blob_store *s, const struct blob_write *w, uint64_t size,
				    const char *resume, struct blob_upload **out,
				    struct blob_error *e);
const char *blob_upload_id(const struct blob_upload *u);
uint64_t blob_upload_block_size(const struct blob_upload *u); /* of all but the last */
uint32_t blob_upload_blocks(const struct blob_upload *u);
bool blob_upload_has(const struct blob_upload *u, uint32_t block); /* the service holds it */
/* len must be the block's size. Sent if the service does not hold exactly these bytes. */
must_check int blob_co_upload_block(struct blob_upload *u, uint32_t block, const struct iovec *iov,
				    int niov, struct blob_error *e);
/* All blocks must be there. Conditions of w are checked now. u stays until blob_upload_free(). */
must_check int blob_co_upload_commit(struct blob_upload *u, char etag[BLOB_ETAG_MAX],
				     struct blob_error *e);
/* Drops what the service holds. On Azure that only happens by itself, after a week, or at the next
 * commit. */
must_check int blob_co_upload_abort(struct blob_upload *u, struct blob_error *e);
void blob_upload_free(struct blob_upload *u);
/* Uploads of exactly this name that were begun and neither committed nor aborted: fn gets the id as
 * entry->name. */
must_check int blob_co_upload_list(struct blob_store *s, const char *name, blob_entry_fn *fn,
				   void *arg, struct blob_error *e);

/* Replaces all metadata. etag: NULL or what the blob must have. The content stays; its ETag
 * changes. */
must_check int blob_co_set_meta(struct blob_store *s, const char *name, const struct pairs *meta,
				const char *etag, char new_etag[BLOB_ETAG_MAX],
				struct blob_error *e);
/* Within the container, by the service, with metadata. etag: of the source, or NULL. S3: up to 5
 * GiB (BLOB_UNSUPPORTED). */
must_check int blob_co_copy(struct blob_store *s, const char *from, const char *to,
			    const char *etag, char new_etag[BLOB_ETAG_MAX], struct blob_error *e);
/* A blob that is not there is BLOB_NOT_FOUND; but with an etag Azure calls it BLOB_CONFLICT, and
 * without one S3 says nothing. */
must_check int blob_co_delete(struct blob_store *s, const char *name, const char *etag,
			      struct blob_error *e);
/* Copy, then delete: neither service renames. If the delete fails both names are there. */
must_check int blob_co_rename(struct blob_store *s, const char *from, const char *to,
			      const char *etag, char new_etag[BLOB_ETAG_MAX], struct blob_error *e);

/* ---- a log of lines (log.c) ---- */

/* One writer for each name. Azure: an append blob NAME, then NAME.1 and so on when it is full; S3:
 * a new object NAME.000001 and so on for each flush. Lines are kept until they are flushed: call
 * flush at least at the end. */
must_check int blob_log_open(struct blob_store *s, const char *name, struct blob_log **out);
/* Adds one line (a JSON text without line breaks), flushes when 256 KiB have come together. */
must_check int blob_log_co_line(struct blob_log *log, const char *line, struct blob_error *e);
/* Each line is written once, however often requests are repeated. After an error the lines are
 * kept. */
must_check int blob_log_co_flush(struct blob_log *log, struct blob_error *e);
void blob_log_close(struct blob_log *log); /* what was not flushed is lost */
