/* SPDX-License-Identifier: Apache-2.0 */
/* datatab.c - the table of what is kept of the data of files, and the limit of what the kernel
 * keeps; see data.h.
 */
#include "client/core/core.h"
#include "common/log.h"
#include <stdlib.h>

/* ---- the table ---- */

void data_table_init(struct data_table *t)
{
	TAILQ_INIT(&t->idle);
	TAILQ_INIT(&t->dirty);
	TAILQ_INIT(&t->ahead_list);
	TAILQ_INIT(&t->cached);
	xwait_init(&t->room);
}

static uint32_t bucket_of(const struct fid *fid)
{
	return (uint32_t)(fid_to_ino(fid) * 0x9e3779b97f4a7c15ULL >> 40) % DATA_BUCKETS;
}

static struct data *find(struct fs *fs, const struct fid *fid)
{
	struct data *d;

	LIST_FOREACH(d, &fs->data.bucket[bucket_of(fid)], hash)
	if (fid_eq(&d->fid, fid))
		return d;
	return NULL;
}

void data_ref(struct data *d)
{
	if (d->idle) {
		TAILQ_REMOVE(&d->fs->data.idle, d, idle_link);
		d->fs->data.nidle--;
		d->idle = false;
	}
	d->refs++;
}

static struct data *data_create(struct fs *fs, const struct fid *fid)
{
	struct data *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->fid = *fid;
	d->fs = fs;
	pthread_mutex_init(&d->lock, NULL);
	xwait_init(&d->q);
	dirty_init(&d->dirty);
	pages_init(&d->pages);
	LIST_INSERT_HEAD(&fs->data.bucket[bucket_of(fid)], d, hash);
	return d;
}

void data_uncount(struct data *d)
{
	if (!d->cached)
		return;
	TAILQ_REMOVE(&d->fs->data.cached, d, cached_link);
	d->fs->data.cached_bytes -= d->cached;
	d->cached = 0;
}

void data_set_mode(struct data *d, uint32_t mode)
{
	if (mode && !d->mode)
		d->fs->data.nleases++;
	if (!mode && d->mode)
		d->fs->data.nleases--;
	d->mode = mode;
}

static void data_destroy(struct data *d)
{
	data_uncount(d);
	data_set_mode(d, 0);
	assert(!d->refs && !d->busy && !d->dirty.n);
	(void)pages_cut(&d->pages, 0, 0);
	d->fs->data.ahead_bytes -= d->pages_counted;
	if (d->on_ahead_list)
		TAILQ_REMOVE(&d->fs->data.ahead_list, d, ahead_link);
	if (d->idle) {
		TAILQ_REMOVE(&d->fs->data.idle, d, idle_link);
		d->fs->data.nidle--;
	}
	LIST_REMOVE(d, hash);
	pthread_mutex_destroy(&d->lock);
	restoring_note(d, false);
	free(d);
}

struct data *data_get(struct fs *fs, const struct fid *fid)
{
	struct data *d;

	fs_lock(fs);
	d = find(fs, fid);
	if (!d)
		d = data_create(fs, fid);
	if (d)
		data_ref(d);
	fs_unlock(fs);
	return d;
}

struct data *data_find(struct fs *fs, const struct fid *fid)
{
	struct data *d;

	if (!fid_is_sane(fid)) /* servers say so */
		return NULL;
	fs_lock(fs);
	d = find(fs, fid);
	if (d)
		data_ref(d);
	fs_unlock(fs);
	return d;
}

/* Without references nobody else looks at it. */
static bool is_empty(const struct data *d)
{
	return !d->mode && !d->filled;
}

bool data_unref(struct data *d)
{
	struct fs *fs = d->fs;
	bool many = false;

	fs_lock(fs);
	if (--d->refs == 0 && is_empty(d)) {
		data_destroy(d);
	} else if (!d->refs) {
		TAILQ_INSERT_TAIL(&fs->data.idle, d, idle_link);
		d->idle = true;
		many = ++fs->data.nidle > lru_idle_max(fs);
	}
	fs_unlock(fs);
	return many;
}

struct data *data_find_unused(struct fs *fs, const struct fid *fid, bool *in_use)
{
	struct data *d;

	fs_lock(fs);
	d = find(fs, fid);
	*in_use = d && d->refs > (d->kept != NULL);
	if (*in_use)
		d = NULL;
	if (d)
		data_ref(d);
	fs_unlock(fs);
	return d;
}

uint32_t data_idle(struct fs *fs, struct data **out, uint32_t n)
{
	uint32_t k = 0;

	fs_lock(fs);
	while (k < n && !TAILQ_EMPTY(&fs->data.idle)) {
		out[k] = TAILQ_FIRST(&fs->data.idle);
		data_ref(out[k++]);
	}
	fs_unlock(fs);
	return k;
}

void data_gone(struct fs *fs, const struct fid *fid)
{
	struct data *d;

	fs_lock(fs);
	d = find(fs, fid);
	if (d && !d->refs)
		data_destroy(d);
	fs_unlock(fs);
}

void data_table_fini(struct fs *fs)
{
	uint32_t b;

	for (b = 0; b < DATA_BUCKETS; b++)
		while (!LIST_EMPTY(&fs->data.bucket[b]))
			data_destroy(LIST_FIRST(&fs->data.bucket[b]));
}

/* All there are, with references; the caller frees the array. */
struct data **data_all(struct fs *fs, uint32_t *n)
{
	struct data **all, *d;
	uint32_t b, count = 0;

	*n = 0;
	fs_lock(fs);
	for (b = 0; b < DATA_BUCKETS; b++)
		LIST_FOREACH(d, &fs->data.bucket[b], hash)
	count++;
	all = calloc(count ? count : 1, sizeof(*all));
	for (b = 0; all && b < DATA_BUCKETS; b++)
		LIST_FOREACH(d, &fs->data.bucket[b], hash)
		{
			data_ref(d);
			all[(*n)++] = d;
		}
	fs_unlock(fs);
	if (!all)
		log_err("out of memory: the kernel may keep old pages");
	return all;
}

static uint64_t *recall_slot(struct fs *fs, const struct fid *fid)
{
	return &fs->data.recalls[bucket_of(fid) % DATA_RECALLS];
}

void data_note_recall(struct fs *fs, const struct fid *fid, uint64_t seq)
{
	fs_lock(fs);
	*recall_slot(fs, fid) = max_u64(*recall_slot(fs, fid), seq);
	fs_unlock(fs);
}

bool data_is_overtaken(struct fs *fs, const struct fid *fid, uint64_t seq)
{
	bool yes;

	fs_lock(fs);
	yes = seq <= *recall_slot(fs, fid);
	fs_unlock(fs);
	return yes;
}

/* ---- a limit ---- */

static bool is_too_much(const struct fs *fs)
{
	return fs->data.cached_bytes + fs->data.ahead_bytes > (uint64_t)fs->max_cached_mb << 20;
}

static struct data *too_much(struct fs *fs)
{
	struct data *d = NULL;

	fs_lock(fs);
	if (is_too_much(fs))
		d = TAILQ_FIRST(&fs->data.cached);
	if (d)
		data_ref(d);
	else
		fs->data.trimming = false;
	fs_unlock(fs);
	return d;
}

static void trim_fiber(void *arg)
{
	struct lane *ln = arg;
	struct data *d;

	while ((d = too_much(ln->fs))) {
		data_co_drop_pages(ln, d);
		data_put(ln, d);
	}
}

/* fs->lock is held. */
static bool trim_begins(struct fs *fs)
{
	bool trim = is_too_much(fs) && !fs->data.trimming;

	fs->data.trimming |= trim;
	return trim;
}

void data_cached(struct lane *ln, struct data *d, uint64_t n)
{
	struct fs *fs = ln->fs;
	bool trim;

	fs_lock(fs);
	if (d->cached)
		TAILQ_REMOVE(&fs->data.cached, d, cached_link);
	TAILQ_INSERT_TAIL(&fs->data.cached, d, cached_link);
	d->cached += n;
	fs->data.cached_bytes += n;
	trim = trim_begins(fs);
	fs_unlock(fs);
	if (trim)
		lane_background(ln, trim_fiber, ln);
}

void data_trim(struct lane *ln)
{
	bool trim;

	fs_lock(ln->fs);
	trim = trim_begins(ln->fs);
	fs_unlock(ln->fs);
	if (trim)
		lane_background(ln, trim_fiber, ln);
}
