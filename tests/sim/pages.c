/* SPDX-License-Identifier: Apache-2.0 */
/* pages.c - see pages.h. Names are those of Linux (mm/filemap.c, mm/truncate.c, fs/fuse/file.c,
 * fs/fuse/iomode.c) where there is one.
 *
 * A page that somebody works on while it is dropped lives on until he lets it go, as in the kernel:
 * whoever has waited for a lock looks whether the page is still the file's.
 */
#include "tests/sim/pages_int.h"
#include "client/core/xwait.h"
#include "common/fiber.h"
#include "tests/sim/sim.h"
#include "tests/sim/trace.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#define QUEUE_NS 300000 /* at most, that a request waits for a lane */

void pages_lock(struct inode *i)
{
	pthread_mutex_lock(&i->lock);
}

void pages_unlock(struct inode *i)
{
	pthread_mutex_unlock(&i->lock);
}

void pages_wait(struct lane *ln, struct inode *i)
{
	xwait_co(&i->q, &i->lock, lane_loop(ln));
}

void pages_wake(struct inode *i)
{
	xwait_wake(&i->q);
}

void pages_queue(void)
{
	if (sim_below(SIM_WORK, 2))
		co_sleep(1 + sim_below(SIM_WORK, QUEUE_NS));
}

/* ---- pages ---- */

struct page *page_find(struct inode *i, uint64_t index)
{
	struct page *pg;

	TAILQ_FOREACH(pg, &i->pages, link)
	if (pg->index >= index)
		break;
	return pg && pg->index == index ? pg : NULL;
}

static void page_put(struct page *pg)
{
	if (--pg->refs == 0)
		free(pg);
}

/* Locked, with a reference for the file and one for the caller. */
static struct page *page_add(struct inode *i, uint64_t index)
{
	struct page *pg = calloc(1, sizeof(*pg)), *behind;

	assert(pg);
	*pg = (struct page){.index = index, .locked = true, .refs = 2};
	TAILQ_FOREACH(behind, &i->pages, link)
	if (behind->index > index)
		break;
	if (behind)
		TAILQ_INSERT_BEFORE(behind, pg, link);
	else
		TAILQ_INSERT_TAIL(&i->pages, pg, link);
	return pg;
}

/* It is locked, and not the file's any more. */
static void page_drop(struct inode *i, struct page *pg)
{
	assert(pg->locked && !pg->gone && !pg->writeback);
	TAILQ_REMOVE(&i->pages, pg, link);
	pg->gone = true;
	pg->mapped = pg->writable = pg->dirty = false;
	page_put(pg);
}

static void page_lock(struct lane *ln, struct inode *i, struct page *pg)
{
	while (pg->locked)
		pages_wait(ln, i);
	pg->locked = true;
}

static void page_unlock(struct inode *i, struct page *pg)
{
	assert(pg->locked);
	pg->locked = false;
	pages_wake(i);
}

static void page_wait_writeback(struct lane *ln, struct inode *i, struct page *pg)
{
	while (pg->writeback)
		pages_wait(ln, i);
}

/* ---- reading ---- */

void pages_size_changed(struct inode *i, uint64_t size)
{
	i->size = size;
	i->attr_version = ++i->pages_of->attr_version;
}

/* fuse_read_update_size(): a page came short. */
static void short_read(struct inode *i, uint64_t end, uint64_t version)
{
	if (version >= i->attr_version && end < i->size && !i->size_unstable)
		pages_size_changed(i, end);
}

/* READ of n pages that are locked, in one request; unlocks them. i->lock is held. */
static ssize_t read_pages(struct lane *ln, struct pages_file *f, struct page **pg, uint32_t n)
{
	struct inode *i = f->i;
	uint64_t off = pg[0]->index * PAGES_SIZE, version = i->pages_of->attr_version;
	uint8_t *mem = calloc(n, PAGES_SIZE);
	ssize_t rc;

	assert(mem);
	f->refs++;
	pages_unlock(i);
	pages_queue();
	rc = fs_co_read_page(ln, f->core, mem, (size_t)n * PAGES_SIZE, off);
	pages_lock(i);
	if (rc >= 0 && (size_t)rc < (size_t)n * PAGES_SIZE)
		short_read(i, off + (uint64_t)rc, version);
	for (uint32_t k = 0; k < n; k++) {
		memcpy(pg[k]->mem, mem + (size_t)k * PAGES_SIZE, PAGES_SIZE);
		pg[k]->uptodate = rc >= 0;
		page_unlock(i, pg[k]);
		page_put(pg[k]);
	}
	f->refs--;
	pages_wake(i);
	free(mem);
	return rc;
}

struct ahead {
	struct lane *ln;
	struct pages_file *f;
	struct page *pg[PAGES_AHEAD];
	uint32_t n;
};

static void ahead_fiber(void *arg)
{
	struct ahead *a = arg;
	struct inode *i = a->f->i;

	pages_lock(i);
	(void)!read_pages(a->ln, a->f, a->pg, a->n); /* who needs one asks again, for it alone */
	a->f->refs--;
	i->pages_of->busy--;
	pages_wake(i);
	pages_unlock(i);
	free(a);
}

/* The page and some behind it, that are not there, are locked and will be read. */
static void read_ahead(struct lane *ln, struct pages_file *f, uint64_t index)
{
	struct inode *i = f->i;
	uint64_t n = 1 + sim_below(SIM_WORK, PAGES_AHEAD);
	struct ahead *a = calloc(1, sizeof(*a));

	assert(a);
	a->ln = ln;
	a->f = f;
	while (a->n < n && !page_find(i, index) && (!a->n || index * PAGES_SIZE < i->size))
		a->pg[a->n++] = page_add(i, index++);
	f->refs++;
	i->pages_of->busy++;
	if (fiber_spawn(lane_loop(ln), ahead_fiber, a))
		sim_fail("pages: no memory for a fiber");
}

/* With a reference, and locked if lock; i->lock is held. */
static int page_get(struct lane *ln, struct pages_file *f, uint64_t index, bool lock,
		    struct page **out)
{
	struct inode *i = f->i;
	ssize_t rc = 0;

	while (rc >= 0) {
		struct page *pg = page_find(i, index);

		if (!pg) {
			read_ahead(ln, f, index);
			pg = page_find(i, index);
		}
		pg->refs++;
		if (lock || !pg->uptodate) {
			page_lock(ln, i, pg);
			if (!pg->gone && !pg->uptodate) {
				rc = read_pages(ln, f, &pg, 1);
				continue;
			}
			if (pg->gone || !lock)
				page_unlock(i, pg);
		}
		if (!pg->gone) {
			*out = pg;
			return 0;
		}
		page_put(pg);
	}
	return (int)rc;
}

/* ---- writing ---- */

/* fuse_write_file_get(): any that has, or had, a writable mapping. */
static struct pages_file *write_file(struct inode *i)
{
	struct pages_file *f = LIST_FIRST(&i->write_files);

	if (!f)
		sim_fail("pages: a dirty page and nothing to write it through");
	return f;
}

/* WRITE of a page that is under write-back; cut at the size, none behind it. */
static void send_page(struct lane *ln, struct inode *i, struct page *pg)
{
	uint64_t off = pg->index * PAGES_SIZE, len = 0;
	struct pages_file *f;
	ssize_t rc;

	while (i->nowrite)
		pages_wait(ln, i);
	f = write_file(i);
	if (off < i->size)
		len = i->size - off < PAGES_SIZE ? i->size - off : PAGES_SIZE;
	if (f && len) {
		i->writing++;
		f->refs++;
		pages_unlock(i);
		pages_queue();
		rc = fs_co_write_page(ln, f->core, pg->mem, len, off);
		pages_lock(i);
		f->refs--;
		i->writing--;
		trace("pages: %" PRIu64 "+%" PRIu64 " written: %zd", off, len, rc);
		if (rc != (ssize_t)len) {
			i->error = rc < 0 ? (int)rc : -EIO;
			i->pages_of->failures++;
		}
	}
	pg->writeback = false;
	pages_wake(i);
}

/* clear_page_dirty_for_io(): the next store will fault. It is locked. */
static bool begin_write(struct page *pg)
{
	bool dirty = pg->dirty;

	pg->writeback = dirty;
	pg->dirty = pg->writable = false;
	return dirty;
}

/* The first page from index on, with a reference. */
static struct page *page_from(struct inode *i, uint64_t index, uint64_t last)
{
	struct page *pg;

	TAILQ_FOREACH(pg, &i->pages, link)
	if (pg->index >= index)
		break;
	if (!pg || pg->index > last)
		return NULL;
	pg->refs++;
	return pg;
}

/* filemap_write_and_wait_range(). i->lock is held. */
void pages_co_write_range(struct lane *ln, struct inode *i, uint64_t first, uint64_t last)
{
	struct page *pg;

	for (; first <= last && (pg = page_from(i, first, last)); page_put(pg)) {
		first = pg->index + 1;
		if (!pg->dirty && !pg->writeback)
			continue;
		page_lock(ln, i, pg);
		page_wait_writeback(ln, i, pg);
		if (!pg->gone && begin_write(pg)) {
			page_unlock(i, pg);
			send_page(ln, i, pg);
		} else {
			page_unlock(i, pg);
		}
	}
}

/* ---- dropping ---- */

/* invalidate_inode_pages2_range(). i->lock is held. */
void pages_co_drop_range(struct lane *ln, struct inode *i, uint64_t first, uint64_t last)
{
	struct page *pg;

	for (; first <= last && (pg = page_from(i, first, last)); page_put(pg)) {
		first = pg->index + 1;
		page_lock(ln, i, pg);
		if (!pg->gone) {
			page_wait_writeback(ln, i, pg);
			pg->mapped = pg->writable = false;
			if (begin_write(pg))
				send_page(ln, i, pg);
			page_drop(i, pg);
		}
		page_unlock(i, pg);
	}
}

/* truncate_pagecache_range(): what is dirty there is not written any more. */
void pages_co_truncate_range(struct lane *ln, struct inode *i, uint64_t from, uint64_t to)
{
	uint64_t first = from / PAGES_SIZE;
	struct page *pg;

	for (; from < to && (pg = page_from(i, first, (to - 1) / PAGES_SIZE)); page_put(pg)) {
		uint64_t at = pg->index * PAGES_SIZE;
		uint64_t a = from > at ? from - at : 0;
		uint64_t b = to - at < PAGES_SIZE ? to - at : PAGES_SIZE;

		first = pg->index + 1;
		page_lock(ln, i, pg);
		page_wait_writeback(ln, i, pg);
		if (!pg->gone && a == 0 && b == PAGES_SIZE)
			page_drop(i, pg);
		else if (!pg->gone)
			memset(pg->mem + a, 0, b - a);
		page_unlock(i, pg);
	}
}

void pages_co_invalidate(void *arg, struct lane *ln, const struct fs_inval *v, uint32_t n,
			 bool names)
{
	struct pages *p = arg;

	(void)names;
	for (uint32_t k = 0; k < n; k++) {
		struct inode *i = pages_inode(p, &v[k].fid, false);
		uint64_t end = v[k].len ? v[k].off + v[k].len : UINT64_MAX;

		if (!i)
			continue;
		if (!v[k].pages) {
			i->attr_until = 0;
			i->attr_version = ++p->attr_version;
			continue;
		}
		pthread_mutex_lock(&p->lock);
		while (p->notifying)
			xwait_co(&p->q, &p->lock, lane_loop(ln));
		p->notifying = i;
		pthread_mutex_unlock(&p->lock);
		pages_queue();
		pages_lock(i);
		pages_co_drop_range(ln, i, v[k].off / PAGES_SIZE, (end - 1) / PAGES_SIZE);
		pages_unlock(i);
		pthread_mutex_lock(&p->lock);
		p->notifying = NULL;
		xwait_wake(&p->q);
		pthread_mutex_unlock(&p->lock);
	}
}

/* ---- mappings ---- */

/* filemap_fault(), and page_mkwrite() for stores. The page is mapped when it returns; i->lock has
 * not been given up since. */
static int fault(struct lane *ln, struct pages_file *f, uint64_t index, bool store)
{
	struct inode *i = f->i;
	struct page *pg;
	bool in;
	int rc;

	while (index * PAGES_SIZE < i->size) {
		rc = page_get(ln, f, index, true, &pg);
		if (rc)
			return -EFAULT;
		if (store)
			page_wait_writeback(ln, i, pg);
		/* Cut since? Then the next round says so. */
		in = index * PAGES_SIZE < i->size;
		pg->mapped = pg->mapped || in;
		pg->writable = pg->writable || (in && store);
		pg->dirty = pg->dirty || (in && store);
		page_unlock(i, pg);
		page_put(pg);
		if (in)
			return 0;
	}
	return -EFAULT;
}

static int touch(struct lane *ln, struct pages_file *f, uint64_t index, bool store,
		 struct page **out)
{
	struct page *pg = page_find(f->i, index);
	int rc = 0;

	assert(f->mapped);
	if (!pg || (store ? !pg->writable : !pg->mapped))
		rc = fault(ln, f, index, store);
	*out = rc ? NULL : page_find(f->i, index);
	return rc;
}

int pages_co_load(struct lane *ln, struct pages_file *f, void *buf, size_t len, uint64_t off)
{
	struct page *pg;
	int rc;

	assert(off % PAGES_SIZE + len <= PAGES_SIZE);
	pages_lock(f->i);
	rc = touch(ln, f, off / PAGES_SIZE, false, &pg);
	if (rc == 0)
		memcpy(buf, pg->mem + off % PAGES_SIZE, len);
	pages_unlock(f->i);
	return rc;
}

int pages_co_store(struct lane *ln, struct pages_file *f, const void *buf, size_t len, uint64_t off)
{
	struct page *pg;
	int rc;

	assert(off % PAGES_SIZE + len <= PAGES_SIZE);
	pages_lock(f->i);
	rc = touch(ln, f, off / PAGES_SIZE, true, &pg);
	if (rc == 0 && off + len > f->i->size)
		rc = -EFAULT;
	if (rc == 0) {
		assert(pg->dirty && pg->writable);
		memcpy(pg->mem + off % PAGES_SIZE, buf, len);
	}
	pages_unlock(f->i);
	return rc;
}

/* ---- read(2) through the cache ---- */

ssize_t pages_co_copy(struct lane *ln, struct pages_file *f, uint8_t *buf, size_t len, uint64_t off)
{
	struct inode *i = f->i;
	size_t done = 0;

	while (done < len && off + done < i->size) {
		uint64_t at = off + done, in = at % PAGES_SIZE;
		size_t n = PAGES_SIZE - in < len - done ? PAGES_SIZE - in : len - done;
		struct page *pg;
		int rc = page_get(ln, f, at / PAGES_SIZE, false, &pg);

		if (rc)
			return done ? (ssize_t)done : rc;
		if (at + n > i->size)
			n = at < i->size ? i->size - at : 0;
		memcpy(buf + done, pg->mem + in, n);
		page_put(pg);
		done += n;
		if (!n)
			break;
	}
	return (ssize_t)done;
}

/* ---- the flusher ---- */

struct flush {
	struct lane *ln;
	struct inode *i;
	uint64_t after_ns;
};

static void flush_fiber(void *arg)
{
	struct flush f = *(struct flush *)arg;

	free(arg);
	co_sleep(f.after_ns);
	pages_lock(f.i);
	pages_co_write_range(f.ln, f.i, 0, UINT64_MAX);
	f.i->pages_of->busy--;
	pages_unlock(f.i);
}

void pages_write_behind(struct lane *ln, struct pages_file *f, uint64_t after_ns)
{
	struct flush *b = malloc(sizeof(*b));

	assert(b);
	*b = (struct flush){ln, f->i, after_ns};
	f->i->pages_of->busy++;
	if (fiber_spawn(lane_loop(ln), flush_fiber, b))
		sim_fail("pages: no memory for a fiber");
}
