/* SPDX-License-Identifier: Apache-2.0 */
/* azure_int.h - what azure.c, azure_list.c and azure_upload.c share. Contracts as in blob_int.h. */
#pragma once
#include "blob/blob_int.h"

int azure_sign(struct blob_store *s, const struct blob_call *c, struct req *r, const char **sas);
int azure_add_meta(struct pairs *headers, const struct pairs *meta);
bool azure_is_folder(const struct pairs *meta);

int azure_co_list_page(struct blob_store *s, struct blob_list *q, blob_entry_fn *fn, void *arg,
		       struct blob_error *e);
/* A page's XML: calls fn for its entries, and puts NextMarker into marker. */
must_check int azure_parse_page(const char *xml, size_t len, blob_entry_fn *fn, void *arg,
				char marker[BLOB_MARKER_MAX]);

int azure_co_upload_begin(struct blob_upload *u, const char *resume, struct blob_error *e);
int azure_co_upload_block(struct blob_upload *u, uint32_t block, struct blob_call *c,
			  struct blob_error *e);
int azure_co_upload_commit(struct blob_upload *u, char etag[BLOB_ETAG_MAX], struct blob_error *e);
int azure_co_upload_abort(struct blob_upload *u, struct blob_error *e);
int azure_co_upload_list(struct blob_store *s, const char *name, blob_entry_fn *fn, void *arg,
			 struct blob_error *e);
/* Uncommitted blocks of a block list's XML: their ids (decoded to text) and sizes. */
typedef int azure_block_fn(void *arg, const char *id, uint64_t size);
must_check int azure_parse_blocks(const char *xml, size_t len, const char *which,
				  azure_block_fn *fn, void *arg);
