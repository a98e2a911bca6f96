/* SPDX-License-Identifier: Apache-2.0 */
/* restore.c - the data of a released file are brought back, from the version that was put there
 * and no other. */
#include "mover/mover.h"
#include <stdlib.h>

enum { RANGES_AT_ONCE = 4 };

struct restore {
	struct work *w;
	struct fs_restore *to;
	uint64_t next; /* byte */
};

static int bring_range(struct restore *r, uint64_t off, size_t len)
{
	struct work *w = r->w;
	void *p = mover_co_memory(w->m, len);
	struct blob_read q = {
		.name = w->name,
		.etag = w->etag[0] ? w->etag : NULL,
		.offset = off,
		.len = len,
		.buf = p,
	};
	int rc;

	if (!p)
		return -ENOMEM;
	rc = blob_co_read(w->m->store, &q, &w->error);
	if (rc == 0)
		rc = fs_co_restore_write(w->m->lane, r->to, p, len, off);
	mover_memory_put(w->m, p, len);
	w->moved += len;
	return rc ? rc : work_co_tell_now_and_then(w);
}

static int bring(void *arg)
{
	struct restore *r = arg;
	uint64_t size = fs_restore_size(r->to), off, len;
	int rc = 0;

	while (rc == 0 && r->next < size) {
		off = r->next;
		len = min_u64(size - off, r->w->m->cfg.blob.block_size);
		r->next += len;
		rc = bring_range(r, off, len);
	}
	if (rc)
		r->next = UINT64_MAX; /* the others end, too */
	return rc;
}

/* A blob that is longer is not the one that was put. */
static int check_size(struct work *w, uint64_t size)
{
	CLEANUP(blob_props_fini) struct blob_props p = {0};
	int rc = blob_co_stat(w->m->store, w->name, &p, &w->error);

	if (rc == 0 && p.size != size)
		rc = error_set(&w->error, BLOB_CONFLICT, "it has another size than the file");
	return rc;
}

int restore_co_run(struct work *w)
{
	struct restore r = {.w = w};
	struct co_group g = CO_GROUP_INIT;
	struct fs_hsm_work h = {.cookie = w->cookie, .fid = w->fid};
	int i, rc = fs_co_restore_begin(w->m->lane, &h, &r.to);

	if (rc)
		return rc;
	if (!w->etag[0] || fs_restore_size(r.to) == 0)
		rc = check_size(w, fs_restore_size(r.to));
	if (rc == 0) {
		for (i = 0; i < RANGES_AT_ONCE; i++)
			co_spawn(&g, bring, &r);
		rc = co_join(&g);
	}
	if (rc == 0)
		rc = fs_co_restore_sync(w->m->lane, r.to);
	fs_restore_free(r.to);
	return rc == -ESTALE && w->error.rc == rc && work_co_is_gone(w) ? -ENOENT : rc;
}
