/* SPDX-License-Identifier: Apache-2.0 */
/* s3_int.h - what s3.c, s3_list.c and s3_upload.c share. Contracts as in blob_int.h. */
#pragma once
#include "blob/blob_int.h"

int s3_add_meta(struct pairs *headers, const struct pairs *meta);
int s3_co_check(struct blob_store *s, const char *name, const char *if_match, bool if_none,
		struct blob_error *e);
/* An answer of status 200 whose body may be an <Error> all the same, as that of a request that
 * takes long: its ETag. */
must_check int s3_result_etag(const struct blob_call *c, char etag[BLOB_ETAG_MAX],
			      struct blob_error *e);
/* True if etag ("\"...\"") is the MD5 of a content, as it is without keys of KMS and without parts.
 */
bool s3_etag_md5(const struct headers *h, const char *etag, uint8_t md5[16]);

int s3_co_list_page(struct blob_store *s, struct blob_list *q, blob_entry_fn *fn, void *arg,
		    struct blob_error *e);
/* A page's XML: calls fn for its entries; the token of the next page goes to marker, "" at the end.
 */
must_check int s3_parse_page(const char *xml, size_t len, blob_entry_fn *fn, void *arg,
			     char marker[BLOB_MARKER_MAX]);

int s3_co_upload_begin(struct blob_upload *u, const char *resume, struct blob_error *e);
int s3_co_upload_block(struct blob_upload *u, uint32_t block, struct blob_call *c,
		       struct blob_error *e);
int s3_co_upload_commit(struct blob_upload *u, char etag[BLOB_ETAG_MAX], struct blob_error *e);
int s3_co_upload_abort(struct blob_upload *u, struct blob_error *e);
int s3_co_upload_list(struct blob_store *s, const char *name, blob_entry_fn *fn, void *arg,
		      struct blob_error *e);
/* ListParts: each part, and where the next page begins (0: the end). */
typedef int s3_part_fn(void *arg, uint64_t number, const char *etag, uint64_t size);
must_check int s3_parse_parts(const char *xml, size_t len, s3_part_fn *fn, void *arg,
			      uint64_t *next);
