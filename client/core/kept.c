/* SPDX-License-Identifier: Apache-2.0 */
/* kept.c - files that were closed here and are still open at the MDS, to be opened again without
 * asking it.
 *
 * Besides those that a lookup or a listing has opened ahead of the first open (intent.h).
 *
 * Only what was opened for reading, one open file for an inode, and as long as this client has the
 * LOOKUP lease: when somebody removes the file's name that is recalled, and the file closed for
 * good. So it is when its data is recalled, because others write it. All under fs->lock.
 */
#include "client/core/core.h"
#include "common/log.h"
#include <fcntl.h>
#include <stdlib.h>

enum { KEPT_MAX = 4096 };

static void take_out(struct fs *fs, struct file *f)
{
	TAILQ_REMOVE(&fs->kept, f, kept_link);
	fs->nkept--;
	fs->intents.unused -= f->ahead_ns != 0;
	f->data->kept = NULL;
}

static struct file *take(struct fs *fs, struct data *d)
{
	struct file *f;

	fs_lock(fs);
	f = d->kept;
	if (f)
		take_out(fs, f);
	fs_unlock(fs);
	return f;
}

/* The next ones that a listing has opened, and nobody here yet. */
struct next {
	struct file *f[INTENT_FETCH]; /* only to tell whether it is still kept */
	struct data *d[INTENT_FETCH]; /* with references */
	uint32_t n;
};

/* fs->lock is held. */
static void find_next(struct fs *fs, struct file *f, struct next *out)
{
	uint32_t max = f->ahead_ns ? intent_fetches(fs) : 0;

	while (out->n < max && (f = TAILQ_NEXT(f, kept_link)) && f->ahead_ns) {
		data_ref(f->data);
		out->f[out->n] = f;
		out->d[out->n++] = f->data;
	}
}

static void fetch_next(struct lane *ln, const struct next *next)
{
	uint32_t i;

	for (i = 0; i < next->n; i++) {
		rahead_whole(ln, next->d[i], next->f[i]);
		data_put(ln, next->d[i]);
	}
}

/* To be opened again. */
static struct file *take_to_use(struct lane *ln, struct data *d)
{
	struct fs *fs = ln->fs;
	struct next next = {.n = 0};
	struct file *f;

	fs_lock(fs);
	f = d->kept;
	if (f) {
		find_next(fs, f, &next);
		take_out(fs, f);
		fs->intents.used += f->ahead_ns != 0;
		f->came_ahead = f->ahead_ns != 0;
		f->ahead_ns = 0;
	}
	fs_unlock(fs);
	fetch_next(ln, &next);
	return f;
}

struct closing {
	struct lane *ln;
	struct file *f;
};

static void close_fiber(void *arg)
{
	struct closing c = *(struct closing *)arg;

	free(arg);
	rahead_co_settle(c.ln, c.f);
	file_co_close(c.ln, c.f, 0);
}

void kept_close_behind(struct lane *ln, struct file *f)
{
	struct closing *c = f ? malloc(sizeof(*c)) : NULL;

	if (!c) {
		if (f)
			log_err("out of memory: a file stays open at the MDS");
		return;
	}
	*c = (struct closing){ln, f};
	lane_background(ln, close_fiber, c);
}

bool kept_put(struct lane *ln, struct file *f)
{
	struct fs *fs = ln->fs;
	struct fid fid = f->fid; /* f is others' as soon as it can be found */
	struct file *old = NULL;
	bool kept = false;

	if ((f->flags & O_ACCMODE) != O_RDONLY || !fs->cfg.cache_data || ln->stopping)
		return false;
	fs_lock(fs);
	if (!f->data->kept) {
		f->data->kept = f;
		TAILQ_INSERT_TAIL(&fs->kept, f, kept_link);
		fs->intents.unused += f->ahead_ns != 0;
		kept = true;
		if (++fs->nkept > KEPT_MAX) {
			old = TAILQ_FIRST(&fs->kept);
			take_out(fs, old);
		}
	}
	fs_unlock(fs);
	kept_close_behind(ln, old);
	/* After it can be found: a recall in between would have missed it. */
	if (kept && !leases_led(fs->leases, &fid))
		kept_drop(ln, &fid);
	return kept;
}

int kept_co_open(struct lane *ln, const struct fid *fid, int flags, struct file **out,
		 struct attr *attr)
{
	bool reads = (flags & O_ACCMODE) == O_RDONLY && !(flags & O_TRUNC);
	struct data *d = reads ? data_find(ln->fs, fid) : NULL;
	struct file *f;
	int rc;

	if (!d)
		return 1;
	f = take_to_use(ln, d);
	data_put(ln, d);
	if (!f)
		return 1;
	f->flags = flags;
	f->counted = true;
	f->cached = data_opened(ln, f->data, flags);
	f->errors_seen = f->data->nerrors;
	rc = attr ? fs_co_getattr(ln, fid, attr) : 0;
	if (rc)
		fs_co_release(ln, f);
	else
		*out = f;
	return rc;
}

void kept_drop(struct lane *ln, const struct fid *fid)
{
	struct data *d = data_find(ln->fs, fid);

	if (!d)
		return;
	kept_close_behind(ln, take(ln->fs, d));
	data_put(ln, d);
}

void kept_drop_unused(struct lane *ln, uint64_t before)
{
	TAILQ_HEAD(, file) gone = TAILQ_HEAD_INITIALIZER(gone);
	struct file *f, *next;

	fs_lock(ln->fs);
	for (f = TAILQ_FIRST(&ln->fs->kept); f; f = next) {
		next = TAILQ_NEXT(f, kept_link);
		if (!f->ahead_ns || f->ahead_ns >= before)
			continue;
		take_out(ln->fs, f);
		TAILQ_INSERT_TAIL(&gone, f, kept_link);
	}
	fs_unlock(ln->fs);
	while ((f = TAILQ_FIRST(&gone))) {
		TAILQ_REMOVE(&gone, f, kept_link);
		kept_close_behind(ln, f);
	}
}

void kept_drop_name(struct lane *ln, const struct fid *dir, struct span name)
{
	struct entry e;

	if (leases_name(ln->fs->leases, dir, name, loop_clock(ln->loop), &e))
		kept_drop(ln, &e.fid);
}

void kept_drop_all(struct lane *ln)
{
	struct file *f;

	do {
		fs_lock(ln->fs);
		f = TAILQ_FIRST(&ln->fs->kept);
		if (f)
			take_out(ln->fs, f);
		fs_unlock(ln->fs);
		kept_close_behind(ln, f);
	} while (f);
}
