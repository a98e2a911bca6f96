/* SPDX-License-Identifier: Apache-2.0 */
/* blob_int.h - what blob/'s files share: the store, one request to the service (a call), and the
 * functions that azure*.c and s3*.c have in common names for. Not for others. */
#pragma once
#include "blob/blob.h"
#include "blob/cred.h"
#include "blob/http.h"
#include "blob/req.h"
#include "blob/token.h"
#include "blob/url.h"

struct blob_call;

struct blob_limits {
	uint64_t block_min, block_max; /* but for the last block, which may be smaller */
	uint32_t blocks_max;
	uint64_t log_append_max; /* bytes of one flush */
};

/* The two services. Each function has the contract of its namesake in blob.h, where that has one.
 * Functions that take a blob_error may also return an -errno and leave e->kind BLOB_OK: then the
 * answer was malformed (-EBADMSG), or a callback did not want to go on. */
struct blob_service_ops {
	struct blob_limits limits;
	/* Adds version, date and Authorization to r; what belongs behind the URL (a SAS) to sas. */
	int (*sign)(struct blob_store *s, const struct blob_call *c, struct req *r,
		    const char **sas);
	int (*co_list_page)(struct blob_store *s, struct blob_list *q, blob_entry_fn *fn, void *arg,
			    struct blob_error *e);
	int (*props)(const struct headers *h, struct blob_props *out);
	/* Looks itself whether a condition holds, for services that may ignore it. NULL: not
	 * needed. */
	int (*co_check)(struct blob_store *s, const char *name, const char *if_match, bool if_none,
			struct blob_error *e);
	/* Headers of a PUT or a commit: metadata; of a read of len bytes: a wish for its checksum.
	 */
	int (*add_meta)(struct pairs *headers, const struct pairs *meta);
	struct pair put_header; /* of a put alone; no name: none */
	int (*add_read)(struct pairs *headers, uint64_t len);
	/* The answer to a put names the content that arrived; true if that is not ours. */
	bool (*put_differs)(const struct headers *h, const uint8_t md5[16]);
	int (*co_set_meta)(struct blob_store *s, const char *name, const struct pairs *meta,
			   const char *etag, char new_etag[BLOB_ETAG_MAX], struct blob_error *e);
	int (*co_copy)(struct blob_store *s, const char *from, const char *to, const char *etag,
		       char new_etag[BLOB_ETAG_MAX], struct blob_error *e);
	int (*co_upload_begin)(struct blob_upload *u, const char *resume, struct blob_error *e);
	int (*co_upload_block)(struct blob_upload *u, uint32_t block, struct blob_call *c,
			       struct blob_error *e);
	int (*co_upload_commit)(struct blob_upload *u, char etag[BLOB_ETAG_MAX],
				struct blob_error *e);
	int (*co_upload_abort)(struct blob_upload *u, struct blob_error *e);
	int (*co_upload_list)(struct blob_store *s, const char *name, blob_entry_fn *fn, void *arg,
			      struct blob_error *e);
	int (*log_co_write)(struct blob_log *log, struct blob_error *e);
};

extern const struct blob_service_ops azure_ops, s3_ops;

struct blob_store {
	struct loop *l;
	struct http *http;
	const struct blob_service_ops *ops;
	struct blob_config cfg; /* texts are the store's own */
	struct url url;
	struct cred *cred;
	struct token token;
	struct co_mutex cred_lock;
	uint64_t cred_generation; /* counts renewals */
	struct co_waitq stop_q;   /* who waits between attempts */
	bool stopped;
	bool no_conditions; /* the service has said that its writes know none */
};

/* One request. Zero-initialise, fill, call_co_run(), look, call_fini(). */
struct blob_call {
	/* in */
	const char *method;
	const char *name; /* NULL: the container */
	struct pairs query, headers;
	const struct iovec *iov; /* body */
	int niov;
	uint8_t md5[16]; /* of the body, if has_md5: sent as Content-MD5 */
	bool has_md5;
	bool check_put; /* an answer that names another content than md5 is a failed attempt */
	/* where the answer's body goes: buf or sink (http.h), else text, up to text.max or 64 KiB
	 */
	void *buf;
	size_t buf_max;
	http_sink_fn *sink;
	void *sink_arg;
	void (*progress)(void *arg, uint64_t got);
	void *progress_arg;
	struct str text;
	int (*accept)(void *arg, const struct headers *h);
	void *accept_arg;
	/* out */
	int status;
	struct headers answer;
	uint64_t got;             /* bytes of the body */
	bool repeated;            /* an attempt that failed may have been executed all the same */
	uint64_t cred_generation; /* of the credentials that the last attempt had */
};

void call_fini(struct blob_call *c); /* for CLEANUP() as well */
/* With attempts, renewed credentials and back-off. 0 if the status is 200..299. */
must_check int call_co_run(struct blob_store *s, struct blob_call *c, struct blob_error *e);
/* With If-Match (NULL or "": none), If-None-Match: *. A service that does not know conditions on
 * writes gets the request without, if its `co_check` has looked before. */
must_check int call_co_run_if(struct blob_store *s, struct blob_call *c, const char *if_match,
			      bool if_none, struct blob_error *e);
/* One attempt. */
must_check int call_co_once(struct blob_store *s, struct blob_call *c, struct blob_error *e);
/* After an attempt that failed with e: waits and returns true if there shall be another one. */
must_check bool call_co_again(struct blob_store *s, const struct blob_call *c, struct retry *r,
			      bool *renewed, struct blob_error *e);
/* The path of a name (NULL: of the container) within the endpoint, encoded. */
void call_path(const struct blob_store *s, const char *name, struct str *out);
/* For an -errno of our own making: no memory, too many headers. */
int call_failed(struct blob_error *e, int rc);
/* Name and metadata that a caller gives. Begins *e. */
must_check int blob_check_write(const char *name, const struct pairs *meta, struct blob_error *e);
/* The credentials, with what the configuration and the endpoint add to them. */
must_check int blob_load_cred(struct blob_store *s, struct cred *out, struct blob_error *e);
/* HEAD. */
must_check int call_co_head(struct blob_store *s, const char *name, struct blob_props *out,
			    struct blob_error *e);
/* The new ETag of an answer; out may be NULL. BLOB_BAD_ANSWER. */
must_check int call_etag(const struct blob_call *c, char out[BLOB_ETAG_MAX], struct blob_error *e);
/* "Code" and "Message" of a body <Error>. */
void call_parse_fault(const struct str *body, char *code, size_t code_size, char *message,
		      size_t message_size);

/* ---- uploads (upload.c) ---- */

#define UPLOAD_ID_MAX 1024

struct upload_block {
	uint8_t md5[16];
	bool there;
	char *etag; /* S3: the service's word for it */
};

struct blob_upload {
	struct blob_store *s;
	char *name;
	struct pairs meta;
	char if_match[BLOB_ETAG_MAX]; /* "" */
	bool if_none;
	uint64_t size, block_size;
	uint32_t nblocks;
	struct upload_block *block;
	char id[UPLOAD_ID_MAX];             /* S3: the service's; Azure: ours */
	char resume_id[UPLOAD_ID_MAX + 16]; /* "MIB:id" */
};

uint64_t upload_block_len(const struct blob_upload *u, uint32_t block);
/* A block is in the service. -ENOMEM. */
must_check int upload_set_there(struct blob_upload *u, uint32_t block, const uint8_t md5[16],
				const char *etag);

/* ---- logs (log.c) ---- */

struct blob_log {
	struct blob_store *s;
	char *name;
	struct str lines;  /* not written yet */
	uint32_t part;     /* which object is open or comes next */
	uint64_t position; /* Azure: bytes in it */
	uint32_t appends;  /* Azure: blocks in it */
	bool open;         /* Azure: the append blob is there and position is right */
	struct co_mutex lock;
};
