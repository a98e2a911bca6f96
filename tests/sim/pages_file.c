/* SPDX-License-Identifier: Apache-2.0 */
/* pages_file.c - system calls on files of a mount with a page cache; see pages.h. */
#include "tests/sim/pages_int.h"
#include "tests/sim/sim.h"
#include "tests/sim/trace.h"
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdlib.h>

/* ---- the mount ---- */

struct pages *pages_create(void)
{
	struct pages *p = calloc(1, sizeof(*p));

	assert(p);
	pthread_mutex_init(&p->lock, NULL);
	xwait_init(&p->q);
	return p;
}

static void inode_free(struct inode *i)
{
	struct page *pg;

	while ((pg = TAILQ_FIRST(&i->pages))) {
		TAILQ_REMOVE(&i->pages, pg, link);
		assert(!pg->dirty && !pg->locked && pg->refs == 1);
		free(pg);
	}
	pthread_mutex_destroy(&i->lock);
	free(i);
}

void pages_destroy(struct pages *p)
{
	struct inode *i;

	if (!p)
		return;
	while ((i = LIST_FIRST(&p->inodes))) {
		LIST_REMOVE(i, link);
		inode_free(i);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
}

bool pages_idle(const struct pages *p)
{
	return !p || !p->busy;
}

uint64_t pages_failures(const struct pages *p)
{
	return p ? p->failures : 0;
}

struct inode *pages_inode(struct pages *p, const struct fid *fid, bool make)
{
	struct inode *i;

	LIST_FOREACH(i, &p->inodes, link)
	if (fid_eq(&i->fid, fid))
		return i;
	if (!make)
		return NULL;
	i = calloc(1, sizeof(*i));
	assert(i);
	i->pages_of = p;
	i->fid = *fid;
	pthread_mutex_init(&i->lock, NULL);
	xwait_init(&i->q);
	TAILQ_INIT(&i->pages);
	LIST_INSERT_HEAD(&p->inodes, i, link);
	return i;
}

void pages_trace(const struct pages *p)
{
	const struct inode *i;
	const struct page *pg;
	char buf[FID_STRLEN];

	LIST_FOREACH(i, &p->inodes, link)
	{
		trace("pages of %s: size %" PRIu64 "%s%s%s, %u shared, %u written, %u caching",
		      fid_str(&i->fid, buf), i->size, i == p->notifying ? ", being forgotten" : "",
		      i->exclusive ? ", locked" : "", i->nowrite ? ", no writes" : "", i->shared,
		      i->writing, i->caching);
		TAILQ_FOREACH(pg, &i->pages, link)
		trace("  %" PRIu64 "%s%s%s%s%s", pg->index, pg->locked ? " locked" : "",
		      pg->uptodate ? " uptodate" : "", pg->dirty ? " dirty" : "",
		      pg->writeback ? " writeback" : "", pg->mapped ? " mapped" : "");
	}
}

/* ---- the inode's lock ---- i->lock is held */

static void inode_co_lock(struct lane *ln, struct inode *i)
{
	while (i->exclusive || i->shared)
		pages_wait(ln, i);
	i->exclusive = true;
}

/* fuse_dio_lock(): side by side if nobody uses pages and the file does not become longer. */
static void dio_co_lock(struct lane *ln, struct inode *i, bool append, uint64_t end)
{
	bool together;

	do {
		together = !append && !i->caching && end <= i->size;
		if (!together) {
			inode_co_lock(ln, i);
			return;
		}
		if (!i->exclusive) {
			i->shared++;
			return;
		}
		pages_wait(ln, i);
	} while (true);
}

static void inode_unlock(struct inode *i)
{
	if (i->exclusive)
		i->exclusive = false;
	else
		i->shared--;
	pages_wake(i);
}

/* fuse_file_cached_io_open(). */
static void begin_caching(struct lane *ln, struct pages_file *f)
{
	if (f->caching)
		return;
	while (f->i->shared)
		pages_wait(ln, f->i);
	f->caching = true;
	f->i->caching++;
}

/* ---- attributes ---- */

static void set_size(struct lane *ln, struct inode *i, uint64_t size)
{
	uint64_t old = i->size;

	pages_size_changed(i, size);
	if (old == size)
		return;
	pages_co_truncate_range(ln, i, size, UINT64_MAX);
	pages_co_drop_range(ln, i, 0, UINT64_MAX);
}

/* fuse_change_attributes(): of an answer to what was asked at that version. */
static void change_attributes(struct lane *ln, struct inode *i, const struct attr *a,
			      uint64_t version, uint64_t keep_ns)
{
	bool touched = i->known && i->attr.mtime != a->mtime;

	if (version < i->attr_version || i->size_unstable)
		return;
	i->known = true;
	i->attr = *a;
	i->attr_until = loop_clock(lane_loop(ln)) + keep_ns;
	if (a->size != i->size)
		set_size(ln, i, a->size);
	else if (touched)
		pages_co_drop_range(ln, i, 0, UINT64_MAX);
}

int pages_co_getattr(struct pages *p, struct lane *ln, const struct fid *fid, struct attr *a)
{
	struct inode *i = p ? pages_inode(p, fid, true) : NULL;
	uint64_t asked = loop_clock(lane_loop(ln)), version, keep;
	int rc;

	if (!i)
		return fs_co_getattr(ln, fid, a);
	pages_lock(i);
	if (asked < i->attr_until) {
		*a = i->attr;
		a->size = i->size;
		pages_unlock(i);
		return 0;
	}
	version = p->attr_version;
	pages_unlock(i);
	pages_queue();
	rc = fs_co_getattr(ln, fid, a);
	if (rc)
		return rc;
	keep = fs_lease_tell(lane_fs(ln), fid, a, false, asked, loop_clock(lane_loop(ln)));
	pages_lock(i);
	change_attributes(ln, i, a, version, keep);
	pages_unlock(i);
	return 0;
}

int pages_co_truncate(struct pages *p, struct lane *ln, const struct fid *fid, struct pages_file *f,
		      uint64_t size)
{
	struct inode *i = p ? pages_inode(p, fid, true) : NULL;
	struct attr want = {.size = size}, a;
	uint64_t keep, asked;
	int rc;

	if (!i)
		return fs_co_setattr(ln, fid, f ? f->core : NULL, SETATTR_SIZE, &want, &a);
	pages_lock(i);
	inode_co_lock(ln, i);
	i->nowrite = i->size_unstable = true;
	while (i->writing)
		pages_wait(ln, i);
	pages_unlock(i);
	pages_queue();
	asked = loop_clock(lane_loop(ln));
	rc = fs_co_setattr(ln, fid, f ? f->core : NULL, SETATTR_SIZE, &want, &a);
	if (rc == 0)
		keep = fs_lease_tell(lane_fs(ln), fid, &a, false, asked, loop_clock(lane_loop(ln)));
	pages_lock(i);
	i->nowrite = i->size_unstable = false;
	pages_wake(i);
	if (rc == 0) {
		i->attr = a;
		i->known = true;
		i->attr_until = loop_clock(lane_loop(ln)) + keep;
		set_size(ln, i, a.size);
	}
	inode_unlock(i);
	pages_unlock(i);
	return rc;
}

/* ---- open and close ---- */

/* What LOOKUP told. */
static int learn_size(struct pages *p, struct lane *ln, const struct inode *i)
{
	struct attr a;
	int rc = 0;

	while (rc == 0 && !i->known)
		rc = pages_co_getattr(p, ln, &i->fid, &a);
	return rc;
}

int pages_co_open(struct pages *p, struct lane *ln, const struct fid *fid, int flags,
		  struct pages_file **out, struct attr *a)
{
	struct pages_file *f = calloc(1, sizeof(*f));
	struct inode *i;
	int rc;

	assert(f);
	rc = p ? learn_size(p, ln, pages_inode(p, fid, true)) : 0;
	if (rc == 0)
		rc = fs_co_open(ln, fid, flags, &f->core, p ? NULL : a);
	if (rc) {
		free(f);
		return rc;
	}
	*out = f;
	f->writes = (flags & O_ACCMODE) != O_RDONLY;
	if (!p)
		return 0;
	f->i = i = pages_inode(p, fid, true);
	f->cached = file_is_cached(f->core);
	pages_lock(i);
	if (flags & O_TRUNC) {
		i->attr_until = 0;
		pages_size_changed(i, 0);
	}
	if (f->cached)
		begin_caching(ln, f);
	if (flags & O_TRUNC)
		pages_co_truncate_range(ln, i, 0, UINT64_MAX);
	pages_unlock(i);
	return 0;
}

bool pages_is_cached(const struct pages_file *f)
{
	return f->cached;
}

bool pages_is_mapped(const struct pages_file *f)
{
	return f->mapped;
}

void pages_co_map(struct lane *ln, struct pages_file *f)
{
	struct inode *i = f->i;

	pages_lock(i);
	if (!f->cached)
		pages_co_drop_range(ln, i, 0, UINT64_MAX);
	begin_caching(ln, f);
	if (f->writes)
		LIST_INSERT_HEAD(&i->write_files, f, link);
	f->mapped = true;
	pages_unlock(i);
}

static int take_error(struct inode *i)
{
	int rc = i->error;

	i->error = 0;
	return rc;
}

int pages_co_close(struct lane *ln, struct pages_file *f)
{
	struct inode *i = f->i;
	int rc = 0;

	if (i) {
		pages_lock(i);
		pages_co_write_range(ln, i, 0, UINT64_MAX); /* munmap, FLUSH */
		while (f->refs)
			pages_wait(ln, i);
		if (f->mapped && f->writes)
			LIST_REMOVE(f, link);
		i->caching -= f->caching;
		rc = take_error(i);
		pages_unlock(i);
	}
	fs_co_release(ln, f->core);
	free(f);
	return rc;
}

/* ---- read, write ---- */

static ssize_t cached_read(struct lane *ln, struct pages_file *f, void *buf, size_t len,
			   uint64_t off)
{
	struct attr a;
	ssize_t rc = pages_co_getattr(f->i->pages_of, ln, &f->i->fid, &a);

	if (rc)
		return rc;
	pages_lock(f->i);
	rc = pages_co_copy(ln, f, buf, len, off);
	pages_unlock(f->i);
	return rc;
}

ssize_t pages_co_read(struct lane *ln, struct pages_file *f, void *buf, size_t len, uint64_t off)
{
	if (!f->i || !len)
		return fs_co_read(ln, f->core, buf, len, off);
	if (f->cached)
		return cached_read(ln, f, buf, len, off);
	pages_lock(f->i);
	pages_co_write_range(ln, f->i, off / PAGES_SIZE, (off + len - 1) / PAGES_SIZE);
	pages_unlock(f->i);
	pages_queue();
	return fs_co_read(ln, f->core, buf, len, off);
}

ssize_t pages_co_write(struct lane *ln, struct pages_file *f, const void *buf, size_t len,
		       uint64_t *off, bool append)
{
	struct inode *i = f->i;
	uint64_t at = *off;
	ssize_t rc;

	if (!i || !len)
		return fs_co_write(ln, f->core, buf, len, off, append, false);
	pages_lock(i);
	dio_co_lock(ln, i, append, at + len);
	if (append)
		at = i->size;
	pages_co_write_range(ln, i, at / PAGES_SIZE, (at + len - 1) / PAGES_SIZE);
	pages_co_drop_range(ln, i, at / PAGES_SIZE, (at + len - 1) / PAGES_SIZE);
	pages_unlock(i);
	pages_queue();
	rc = fs_co_write(ln, f->core, buf, len, off, append, false);
	pages_lock(i);
	i->attr_until = 0;
	if (rc > 0)
		pages_size_changed(i, at + (uint64_t)rc > i->size ? at + (uint64_t)rc : i->size);
	inode_unlock(i);
	pages_unlock(i);
	return rc;
}

int pages_co_sync(struct lane *ln, struct pages_file *f, bool datasync)
{
	int rc = 0, rc2;

	if (f->i) {
		pages_lock(f->i);
		pages_co_write_range(ln, f->i, 0, UINT64_MAX);
		rc = take_error(f->i);
		pages_unlock(f->i);
	}
	rc2 = fs_co_fsync(ln, f->core, datasync);
	return rc ? rc : rc2;
}

int pages_co_punch(struct lane *ln, struct pages_file *f, uint64_t off, uint64_t len)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, rc;
	struct inode *i = f->i;

	if (!i)
		return fs_co_fallocate(ln, f->core, mode, off, len);
	pages_lock(i);
	inode_co_lock(ln, i);
	pages_co_write_range(ln, i, off / PAGES_SIZE, (off + len - 1) / PAGES_SIZE);
	pages_unlock(i);
	pages_queue();
	rc = fs_co_fallocate(ln, f->core, mode, off, len);
	pages_lock(i);
	i->attr_until = 0;
	if (rc == 0)
		pages_co_truncate_range(ln, i, off, off + len);
	inode_unlock(i);
	pages_unlock(i);
	return rc;
}
