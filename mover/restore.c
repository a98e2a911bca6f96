/* SPDX-License-Identifier: Apache-2.0 */
/* restore.c - the data of a released file are brought back, from the version that was put there
 * and no other. */
#include "common/log.h"
#include "mover/mover.h"

#define AGAIN_NS (100 * (uint64_t)NSEC_PER_MSEC)
enum { WORKERS = 8, TRIES = 3, PIECE = 8 << 20 };

struct restore {
	struct work *w;
	struct fs_restore *to;
	uint32_t workers, busy; /* busy: have a piece */
	bool failed;
};

static int bring_piece(struct restore *r, uint64_t off, size_t len)
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
	return rc;
}

/* What comes next is for the MDS to say, which knows who waits for what. */
static int bring(void *arg)
{
	struct restore *r = arg;
	uint32_t me = r->workers++;
	uint64_t off = 0, len = 0, at;
	int rc;

	while ((rc = fs_co_restore_next(r->w->m->lane, r->to, me, &off, &len)) == 0) {
		if (!len && (!r->busy || r->failed))
			break;
		if (!len) { /* an MDS that was restarted has forgotten what is there */
			co_sleep(AGAIN_NS);
			continue;
		}
		r->busy++;
		for (at = 0; at < len && rc == 0; at += PIECE)
			rc = bring_piece(r, off + at, min_u64(len - at, PIECE));
		r->busy--;
		if (rc)
			break;
	}
	r->failed = r->failed || rc;
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

static int run_once(struct work *w)
{
	struct restore r = {.w = w};
	struct co_group g = CO_GROUP_INIT;
	struct fs_hsm_work h = {.cookie = w->cookie, .fid = w->fid};
	int i, rc = fs_co_restore_begin(w->m->lane, &h, &r.to);

	if (rc)
		return rc;
	w->moved = 0;
	if (!w->etag[0] || fs_restore_size(r.to) == 0)
		rc = check_size(w, fs_restore_size(r.to));
	if (rc == 0) {
		/* One that finds nothing to do waits for the others. */
		for (i = 0; i < WORKERS && (i == 0 || i * (uint64_t)PIECE < fs_restore_size(r.to));
		     i++)
			co_spawn(&g, bring, &r);
		rc = co_join(&g);
	}
	if (rc == 0)
		rc = fs_co_restore_sync(w->m->lane, r.to);
	fs_restore_free(r.to);
	return rc;
}

int restore_co_run(struct work *w)
{
	int rc, i = 0;

	while ((rc = run_once(w)) == -EAGAIN && ++i < TRIES)
		log_warn("%s: an OST has lost what was brought back: once more", w->name);
	return rc == -ESTALE && w->error.rc == rc && work_co_is_gone(w) ? -ENOENT : rc;
}

int release_co_run(struct work *w)
{
	const struct cred root = {0};
	uint64_t none;
	int rc = fs_co_hsm_request(w->m->lane, &w->fid, HSM_RELEASE, 0, SPAN_NONE, &root, &none);

	/* Somebody uses it by now. */
	return rc == -EBUSY || rc == -EPERM || rc == -ENOENT ? 0 : rc;
}
