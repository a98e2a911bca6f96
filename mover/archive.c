/* SPDX-License-Identifier: Apache-2.0 */
/* archive.c - a file is copied to the store, or its copy removed.
 *
 * The name is the file's path (its first link), behind the prefix. The copy replaces what is there,
 * unless that is not what we put there the last time (another ETag): then somebody else has
 * changed it, and the work fails with a conflict, unless its data say "overwrite". If only
 * attributes or the path are others than in the copy, those are changed there, without the data.
 */
#include "mover/meta.h"
#include "mover/mover.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { READ_LEN = 4 << 20, BLOCKS_AT_ONCE = 4 };

struct archive {
	struct work *w;
	struct attr attr;
	struct pairs meta;
	struct file *file;
	struct blob_upload *up;
	uint32_t next; /* block */
};

static int tell_path(struct work *w)
{
	const struct mover_cfg *cfg = &w->m->cfg;
	size_t above = strlen(cfg->path);
	char path[MAX_PATH];
	ssize_t len = fs_co_fid2path(w->m->lane, &w->fid, 0, path, sizeof(path));
	const char *below = path;

	if (len <= 0 && len != -ERANGE)
		return len ? (int)len : -EINVAL;
	if (len > 0 && above) {
		if (strncmp(path, cfg->path, above) != 0 || path[above] != '/')
			return error_local(&w->error, -EXDEV,
					   "the file is not below /%s, which the archive is of",
					   cfg->path);
		below = path + above + 1;
	}
	if (len < 0 || snprintf(w->new_name, sizeof(w->new_name), "%s%s", cfg->prefix, below) >=
			       (int)sizeof(w->new_name))
		return error_local(&w->error, -ENAMETOOLONG, "the path is longer than %d bytes",
				   HSM_NAME_MAX);
	return 0;
}

/* It may be gone on with after a conflict: what is there was made for this work, by who did not
 * live to tell. *etag: of that. */
static int look_who(struct work *w, const char *name, char etag[BLOB_ETAG_MAX])
{
	CLEANUP(blob_props_fini) struct blob_props p = {0};
	struct blob_error e = w->error;
	int rc = blob_co_stat(w->m->store, name, &p, &w->error);

	if (rc == 0 && strcmp(w->data, "overwrite") != 0 && meta_cookie(&p.meta) != w->cookie)
		rc = e.rc;
	if (rc == 0 || rc == e.rc)
		w->error = e;
	memcpy(etag, p.etag, BLOB_ETAG_MAX);
	return rc;
}

/* What may be replaced under the new name; NULL: anything. */
static const char *may_replace(const struct work *w)
{
	return w->etag[0] && strcmp(w->name, w->new_name) == 0 ? w->etag : NULL;
}

/* ---- data ---- */

static int read_range(struct archive *a, uint8_t *p, uint64_t off, uint64_t len)
{
	uint64_t done = 0;
	ssize_t n;

	while (done < len) {
		n = fs_co_read(a->w->m->lane, a->file, p + done, min_u64(len - done, READ_LEN),
			       off + done);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return -EBUSY; /* it was cut */
		done += (uint64_t)n;
		a->w->moved += (uint64_t)n;
	}
	return work_co_tell_now_and_then(a->w);
}

/* Before the copy can be seen. */
static int still_the_same(struct work *w)
{
	bool changed;
	int rc = work_co_tell(w, &changed);

	if (rc == 0 && changed)
		rc = error_local(&w->error, -EBUSY, "the file was changed while it was copied");
	return rc;
}

static int put_small(struct archive *a)
{
	struct work *w = a->w;
	size_t len = a->attr.size;
	void *p = len ? mover_co_memory(w->m, len) : NULL;
	struct blob_write bw = {
		.name = w->new_name, .meta = &a->meta, .if_match = may_replace(w)};
	struct iovec iov = {p, len};
	char etag[BLOB_ETAG_MAX];
	int rc = len && !p ? -ENOMEM : len ? read_range(a, p, 0, len) : 0;

	if (rc == 0)
		rc = still_the_same(w);
	if (rc == 0)
		rc = blob_co_put(w->m->store, &bw, &iov, len ? 1 : 0, w->new_etag, &w->error);
	if (rc && w->error.kind == BLOB_CONFLICT && bw.if_match) {
		rc = look_who(w, w->new_name, etag);
		bw.if_match = etag;
		if (rc == 0)
			rc = blob_co_put(w->m->store, &bw, &iov, len ? 1 : 0, w->new_etag,
					 &w->error);
	}
	if (p)
		mover_memory_put(w->m, p, len);
	return rc;
}

static int send_blocks(void *arg)
{
	struct archive *a = arg;
	struct mover *m = a->w->m;
	uint64_t size = blob_upload_block_size(a->up), off, len;
	uint32_t block;
	struct iovec iov;
	int rc = 0;
	void *p;

	while (rc == 0 && a->next < blob_upload_blocks(a->up)) {
		block = a->next++;
		off = block * size;
		len = min_u64(size, a->attr.size - off);
		p = mover_co_memory(m, len);
		if (!p)
			return -ENOMEM;
		rc = read_range(a, p, off, len);
		iov = (struct iovec){p, len};
		if (rc == 0)
			rc = blob_co_upload_block(a->up, block, &iov, 1, &a->w->error);
		mover_memory_put(m, p, len);
	}
	if (rc)
		a->next = UINT32_MAX; /* the others end, too */
	return rc;
}

static int keep_first(void *arg, const struct blob_entry *e)
{
	char *id = arg;

	if (!id[0] && strlen(e->name) < BLOB_MARKER_MAX)
		snprintf(id, BLOB_MARKER_MAX, "%s", e->name);
	return 0;
}

/* Goes on with an upload that somebody had to leave, if there is one of this size. */
static int begin_upload(struct archive *a, const char *if_match)
{
	struct work *w = a->w;
	struct blob_write bw = {.name = w->new_name, .meta = &a->meta, .if_match = if_match};
	char *id = calloc(1, BLOB_MARKER_MAX);
	struct blob_error e;
	int rc = -ENOENT;

	if (!id)
		return -ENOMEM;
	if (blob_co_upload_list(w->m->store, w->new_name, keep_first, id, &e) == 0 && id[0])
		rc = blob_co_upload_begin(w->m->store, &bw, a->attr.size, id, &a->up, &e);
	if (rc)
		rc = blob_co_upload_begin(w->m->store, &bw, a->attr.size, NULL, &a->up, &w->error);
	free(id);
	return rc;
}

static int put_large(struct archive *a, const char *if_match)
{
	struct co_group g = CO_GROUP_INIT;
	struct blob_error e;
	int i, rc = begin_upload(a, if_match);

	if (rc)
		return rc;
	a->next = 0;
	for (i = 0; i < BLOCKS_AT_ONCE; i++)
		co_spawn(&g, send_blocks, a);
	rc = co_join(&g);
	if (rc == 0)
		rc = still_the_same(a->w);
	if (rc == 0)
		rc = blob_co_upload_commit(a->up, a->w->new_etag, &a->w->error);
	/* What is left of it may be gone on with, but not if the file is another one now. */
	if (rc == -EBUSY || rc == -ECANCELED)
		(void)!blob_co_upload_abort(a->up, &e);
	blob_upload_free(a->up);
	a->up = NULL;
	return rc;
}

static int put_data(struct archive *a)
{
	struct work *w = a->w;
	struct mover *m = w->m;
	char etag[BLOB_ETAG_MAX];
	int rc = fs_co_open(m->lane, &w->fid, O_RDONLY, &a->file, &a->attr);

	if (rc)
		return rc;
	if (a->attr.size <= m->cfg.blob.block_size) {
		rc = put_small(a);
	} else {
		rc = put_large(a, may_replace(w));
		if (rc && w->error.kind == BLOB_CONFLICT && may_replace(w)) {
			rc = look_who(w, w->new_name, etag);
			if (rc == 0)
				rc = put_large(a, etag);
		}
	}
	fs_co_release(m->lane, a->file);
	return rc;
}

static int put_link(struct archive *a)
{
	struct work *w = a->w;
	struct blob_write bw = {.name = w->new_name, .meta = &a->meta};
	char target[MAX_PATH + 1];
	ssize_t n = fs_co_readlink(w->m->lane, &w->fid, target, sizeof(target));
	struct iovec iov = {target, (size_t)n};

	if (n < 0)
		return (int)n;
	return blob_co_put(w->m->store, &bw, &iov, 1, w->new_etag, &w->error);
}

/* ---- attributes and name alone ---- */

/* -EAGAIN: the copy is not what we think, all of it must be put. */
static int change_copy(struct archive *a)
{
	struct work *w = a->w;
	bool moved = strcmp(w->name, w->new_name) != 0;
	struct blob_error e;
	char etag[BLOB_ETAG_MAX];
	int rc = 0;

	if (!w->same || !w->etag[0])
		return -EAGAIN;
	snprintf(etag, sizeof(etag), "%s", w->etag);
	if (moved)
		rc = blob_co_rename(w->m->store, w->name, w->new_name, w->etag, etag, &e);
	if (rc == 0)
		rc = blob_co_set_meta(w->m->store, w->new_name, &a->meta, etag, w->new_etag, &e);
	return rc ? -EAGAIN : 0;
}

/* It is under its new name. What somebody has put at the old one stays. */
static void remove_old(struct work *w)
{
	struct blob_error e;

	if (w->name[0] && strcmp(w->name, w->new_name) != 0)
		(void)!blob_co_delete(w->m->store, w->name, w->etag[0] ? w->etag : NULL, &e);
}

int archive_co_run(struct work *w)
{
	struct archive a = {.w = w, .meta = PAIRS_INIT};
	int rc = fs_co_getattr(w->m->lane, &w->fid, &a.attr);

	if (rc == 0)
		rc = tell_path(w);
	if (rc == 0)
		rc = meta_of_attr(&a.attr, w->cookie, &a.meta);
	if (rc == 0)
		rc = meta_add_origin(fs_mdt_uuid(w->m->lane), &w->fid, &a.meta);
	if (rc == 0)
		rc = dirs_co_put(w, w->new_name + strlen(w->m->cfg.prefix));
	if (rc == 0) {
		rc = change_copy(&a);
		if (rc == -EAGAIN && w->released) {
			rc = error_local(&w->error, -ESTALE,
					 "the only copy of its data is not what was put there");
		} else if (rc == -EAGAIN) {
			rc = S_ISLNK(a.attr.mode) ? put_link(&a) : put_data(&a);
			if (rc == 0)
				remove_old(w);
		}
	}
	pairs_fini(&a.meta);
	return rc;
}

/* Azure says of one that is not there that it is another version. */
bool work_co_is_gone(struct work *w)
{
	CLEANUP(blob_props_fini) struct blob_props p = {0};
	struct blob_error e;

	return blob_co_stat(w->m->store, w->name, &p, &e) == -ENOENT;
}

int remove_co_run(struct work *w)
{
	int rc;

	if (!w->name[0])
		return 0; /* it never came to be */
	rc = blob_co_delete(w->m->store, w->name, w->etag[0] ? w->etag : NULL, &w->error);
	return rc == -ENOENT || (rc == -ESTALE && work_co_is_gone(w)) ? 0 : rc;
}
