/* SPDX-License-Identifier: Apache-2.0 */
/* upload.c - large blobs in blocks: what both services have in common.
 *
 * The id that is given out for resuming is "MIB:ID", the block size in MiB and the service's id, so
 * that blocks have the same bounds again whatever the configuration says by then. */
#include "blob/blob_int.h"
#include <stdio.h>
#include <stdlib.h>

uint64_t upload_block_len(const struct blob_upload *u, uint32_t block)
{
	return min_u64(u->block_size, u->size - block * u->block_size);
}

int upload_set_there(struct blob_upload *u, uint32_t block, const uint8_t md5[16], const char *etag)
{
	struct upload_block *b = &u->block[block];
	char *copy = etag ? strdup(etag) : NULL;

	if (etag && !copy)
		return -ENOMEM;
	memcpy(b->md5, md5, sizeof(b->md5));
	free(b->etag);
	b->etag = copy;
	b->there = true;
	return 0;
}

/* The configured size, or as much as it takes to stay below the number of blocks. */
static int choose_size(struct blob_upload *u, uint64_t wish)
{
	const struct blob_limits *l = &u->s->ops->limits;
	uint64_t least = u->size / l->blocks_max + (u->size % l->blocks_max > 0);

	if (u->size > INT64_MAX)
		return -EFBIG;
	u->block_size = max_u64(max_u64(wish, least), l->block_min);
	u->block_size = (u->block_size + MIB - 1) / MIB * MIB;
	if (u->block_size > l->block_max)
		return -EFBIG;
	u->nblocks = (uint32_t)((u->size + u->block_size - 1) / u->block_size);
	return 0;
}

static int set_size(struct blob_upload *u, const char *resume, struct blob_error *e)
{
	uint64_t wish = u->s->cfg.block_size;
	unsigned long mib = 0;
	char *end;

	if (resume) {
		mib = strtoul(resume, &end, 10);
		if (*end != ':' || strlen(end + 1) >= UPLOAD_ID_MAX || mib > 1U << 20)
			return error_set(e, BLOB_REFUSED, "no id of an upload");
	}
	if (choose_size(u, mib ? mib * MIB : wish))
		return error_set(e, BLOB_REFUSED, "%llu bytes are too much for one blob",
				 (unsigned long long)u->size);
	if (mib && u->block_size != mib * MIB)
		return error_set(e, BLOB_REFUSED, "the upload was not begun for this size");
	return 0;
}

static int fill(struct blob_upload *u, const struct blob_write *w, const char *resume,
		struct blob_error *e)
{
	int rc = set_size(u, resume, e);

	if (rc)
		return rc;
	u->name = strdup(w->name);
	u->block = calloc(u->nblocks ? u->nblocks : 1, sizeof(*u->block));
	if (!u->name || !u->block)
		return call_failed(e, -ENOMEM);
	rc = w->meta ? pairs_copy(&u->meta, w->meta) : 0;
	if (rc == 0 && w->if_match)
		rc = headers_etag(w->if_match, u->if_match, sizeof(u->if_match)) ? -EINVAL : 0;
	u->if_none = w->if_none;
	return rc ? call_failed(e, rc) : 0;
}

int blob_co_upload_begin(struct blob_store *s, const struct blob_write *w, uint64_t size,
			 const char *resume, struct blob_upload **out, struct blob_error *e)
{
	struct blob_upload *u;
	int rc = blob_check_write(w->name, w->meta, e);

	if (rc)
		return rc;
	u = calloc(1, sizeof(*u));
	if (!u)
		return call_failed(e, -ENOMEM);
	u->s = s;
	u->size = size;
	rc = size ? fill(u, w, resume, e)
		  : error_set(e, BLOB_REFUSED, "an empty blob has no blocks");
	if (rc == 0)
		rc = s->ops->co_upload_begin(u, resume ? strchr(resume, ':') + 1 : NULL, e);
	if (rc && e->kind == BLOB_OK)
		error_set(e, BLOB_BAD_ANSWER, "the list of blocks makes no sense");
	if (rc) {
		blob_upload_free(u);
		return e->rc;
	}
	snprintf(u->resume_id, sizeof(u->resume_id), "%llu:%s",
		 (unsigned long long)(u->block_size / MIB), u->id);
	*out = u;
	return 0;
}

const char *blob_upload_id(const struct blob_upload *u)
{
	return u->resume_id;
}

uint64_t blob_upload_block_size(const struct blob_upload *u)
{
	return u->block_size;
}

uint32_t blob_upload_blocks(const struct blob_upload *u)
{
	return u->nblocks;
}

bool blob_upload_has(const struct blob_upload *u, uint32_t block)
{
	return block < u->nblocks && u->block[block].there;
}

int blob_co_upload_block(struct blob_upload *u, uint32_t block, const struct iovec *iov, int niov,
			 struct blob_error *e)
{
	CLEANUP(call_fini)
	struct blob_call c = {.method = "PUT", .name = u->name, .iov = iov, .niov = niov};
	uint64_t len = 0;

	*e = (struct blob_error){0};
	for (int i = 0; i < niov; i++)
		len += iov[i].iov_len;
	if (block >= u->nblocks || len != upload_block_len(u, block))
		return error_set(e, BLOB_REFUSED, "no such block");
	hash_md5(iov, niov, c.md5);
	c.has_md5 = c.check_put = true;
	if (u->block[block].there && memcmp(u->block[block].md5, c.md5, sizeof(c.md5)) == 0)
		return 0;
	return u->s->ops->co_upload_block(u, block, &c, e);
}

int blob_co_upload_commit(struct blob_upload *u, char etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	*e = (struct blob_error){0};
	for (uint32_t i = 0; i < u->nblocks; i++)
		if (!u->block[i].there)
			return error_set(e, BLOB_REFUSED, "block %u has not been sent", i);
	return u->s->ops->co_upload_commit(u, etag, e);
}

int blob_co_upload_abort(struct blob_upload *u, struct blob_error *e)
{
	*e = (struct blob_error){0};
	return u->s->ops->co_upload_abort(u, e);
}

void blob_upload_free(struct blob_upload *u)
{
	if (!u)
		return;
	for (uint32_t i = 0; u->block && i < u->nblocks; i++)
		free(u->block[i].etag);
	free(u->block);
	free(u->name);
	pairs_fini(&u->meta);
	free(u);
}
