/* SPDX-License-Identifier: Apache-2.0 */
/* rahead.c - read-ahead: what ahead.h guesses is fetched into pages.h, and read from there.
 *
 * Under SHARED or EXCLUSIVE only, and as coherent as reading the objects:
 *  - A fetch counts as an operation under the lease (data->busy): a recall begins no new ones,
 *    waits for those that are on their way, and drops everything before it gives the lease back. A
 *    lease that is lost cuts them: what still comes is thrown away.
 *  - A write cuts what meets it before it begins, and no fetch begins until it is over; so pieces
 *    never hold what is being changed. Nor do they meet bytes of write-behind: the objects do not
 *    have these yet.
 *  - A truncation has the file for itself (data_co_hold()), and drops everything.
 *
 * Memory: max_read_ahead_per_file_mb, max_read_ahead_mb in all, and it counts in max_cached_mb.
 * What was not read for longest goes first. When there is no room nothing is fetched.
 *
 * Files with O_DIRECT get nothing. For pages that the kernel keeps, the kernel reads ahead itself,
 * but only forward.
 */
#include "client/core/core.h"
#include <fcntl.h>
#include <stdlib.h>

#define COUNT(d, what, n) atomic_fetch_add(&(d)->fs->data.ahead.what, (n))

static uint64_t npages(uint64_t bytes)
{
	return (bytes + 4095) / 4096;
}

/* ---- how much there is ---- */

/* d->lock and fs->lock are held. */
static void count_locked(struct data *d)
{
	struct data_table *t = &d->fs->data;

	t->ahead_bytes += d->pages.bytes - d->pages_counted;
	d->pages_counted = d->pages.bytes;
	COUNT(d, unread, npages(d->pages.unread));
	d->pages.unread = 0;
	if (d->pages.n && !d->on_ahead_list)
		TAILQ_INSERT_TAIL(&t->ahead_list, d, ahead_link);
	else if (!d->pages.n && d->on_ahead_list)
		TAILQ_REMOVE(&t->ahead_list, d, ahead_link);
	d->on_ahead_list = d->pages.n != 0;
}

/* d->lock is held. */
static void count(struct data *d)
{
	if (d->pages.bytes == d->pages_counted && !d->pages.unread &&
	    d->on_ahead_list == (d->pages.n != 0))
		return;
	fs_lock(d->fs);
	count_locked(d);
	fs_unlock(d->fs);
}

static uint64_t file_limit(const struct fs *fs)
{
	uint32_t mb = fs->max_read_ahead_per_file_mb;

	return (uint64_t)(mb < fs->max_read_ahead_mb ? mb : fs->max_read_ahead_mb) << 20;
}

static bool fits(const struct fs *fs, uint64_t len)
{
	uint64_t all = fs->data.ahead_bytes + len;

	return all <= (uint64_t)fs->max_read_ahead_mb << 20 && all <= (uint64_t)fs->max_cached_mb
									       << 20;
}

/* fs->lock is held. Makes some room at the cost of another file; false: none has any to give.
 * Whoever holds the lock of one may want fs->lock: such a file is left alone. */
static bool shrink_other(struct fs *fs)
{
	struct data *d;
	bool shrunk = false;

	TAILQ_FOREACH(d, &fs->data.ahead_list, ahead_link)
	{
		if (pthread_mutex_trylock(&d->lock))
			continue;
		shrunk = pages_shrink(&d->pages);
		if (shrunk)
			count_locked(d);
		pthread_mutex_unlock(&d->lock);
		if (shrunk)
			break;
	}
	return shrunk;
}

/* d->lock is held. Room for len bytes, counted. */
static bool reserve(struct data *d, uint64_t len)
{
	struct fs *fs = d->fs;
	bool ok = true;

	while (ok && d->pages.bytes + len > file_limit(fs))
		ok = pages_shrink(&d->pages);
	fs_lock(fs);
	count_locked(d);
	while (ok && !fits(fs, len))
		ok = shrink_other(fs) || pages_shrink(&d->pages);
	count_locked(d);
	if (ok) { /* the last whose memory others take */
		if (d->on_ahead_list)
			TAILQ_REMOVE(&fs->data.ahead_list, d, ahead_link);
		TAILQ_INSERT_TAIL(&fs->data.ahead_list, d, ahead_link);
		d->on_ahead_list = true;
		fs->data.ahead_bytes += len;
		d->pages_counted += len;
	}
	fs_unlock(fs);
	if (!ok)
		COUNT(d, full, 1);
	return ok;
}

/* ---- fetching ---- */

struct fetch {
	struct lane *ln;
	struct file *f;
	struct pages_piece *e;
};

static void fetch_fiber(void *arg)
{
	struct fetch t = *(struct fetch *)arg;
	struct data *d = t.f->data;
	ssize_t n;

	free(arg);
	n = io_co_fetch(t.ln, t.f, t.e->mem, t.e->len, t.e->off);
	pthread_mutex_lock(&d->lock);
	pages_fetched(&d->pages, t.e, n > 0 ? (uint32_t)n : 0);
	count(d);
	d->busy--;
	t.f->fetches--; /* its close may go on */
	xwait_wake(&d->q);
	pthread_mutex_unlock(&d->lock);
}

/* d->lock is held, and the caller is between data_co_enter() and data_leave(). */
static bool may_fetch(const struct data *d)
{
	return d->mode & (LEASE_SHARED | LEASE_EXCLUSIVE) && !d->recalling && !d->held &&
	       !d->writes;
}

/* d->lock is held; it is given up for a moment. */
static bool fetch_piece(struct lane *ln, struct file *f, uint64_t off, uint32_t len)
{
	struct data *d = f->data;
	struct fetch *t = reserve(d, len) ? malloc(sizeof(*t)) : NULL;
	struct pages_piece *e = t ? pages_add(&d->pages, off, len) : NULL;

	count(d);
	if (!e) {
		free(t);
		return false;
	}
	d->busy++;
	f->fetches++;
	*t = (struct fetch){ln, f, e};
	COUNT(d, fetches, 1);
	pthread_mutex_unlock(&d->lock);
	lane_background(ln, fetch_fiber, t);
	pthread_mutex_lock(&d->lock);
	return true;
}

/* d->lock is held. Fetches what is not here of the range and may be; false: not all of it. */
static bool fetch_range(struct lane *ln, struct file *f, uint64_t off, uint64_t len)
{
	struct data *d = f->data;
	uint64_t end = min_u64(off + len, max_u64(file_size_seen(f), d->size)), left;
	bool ok = true;

	while (ok && off < end) {
		left = end - off;
		if (!pages_gap(&d->pages, &off, &left))
			break;
		ok = may_fetch(d) && !dirty_overlaps(&d->dirty, off, left) &&
		     fetch_piece(ln, f, off, (uint32_t)left);
		off += left;
	}
	return ok;
}

/* ---- reading ---- */

static bool wants_any(const struct file *f, enum data_how how)
{
	return how != DATA_BYPASS && f->fs->cfg.cache_data && !(f->flags & O_DIRECT);
}

void rahead_read(struct lane *ln, struct file *f, uint64_t off, uint64_t len, enum data_need need,
		 enum data_how how)
{
	struct data *d = f->data;
	struct ahead_plan p;
	bool here, ok = true;
	uint32_t i;

	if (!wants_any(f, how))
		return;
	pthread_mutex_lock(&d->lock);
	here = pages_find(&d->pages, off) || dirty_overlaps(&d->dirty, off, 1);
	if (ahead_read(&f->ahead, off, len, here, file_limit(f->fs) / 2, &p) && may_fetch(d) &&
	    !(need == DATA_FILL && p.kind == AHEAD_FORWARD && !f->ahead.gaps)) {
		for (i = 0; i < p.n && ok; i++)
			ok = fetch_range(ln, f, p.off + (uint64_t)p.step * i, p.len);
		if (ok)
			ahead_fetched(&f->ahead, &p);
	}
	pthread_mutex_unlock(&d->lock);
}

/* d->lock is held. The piece that has this byte, waiting for one that is on its way. */
static struct pages_piece *co_piece(struct lane *ln, struct data *d, uint64_t off)
{
	struct pages_piece *e;

	while ((e = pages_find(&d->pages, off)) && e->fetching)
		xwait_co(&d->q, &d->lock, ln->loop);
	return e;
}

size_t rahead_co_take(struct lane *ln, struct file *f, void *buf, size_t len, uint64_t off,
		      enum data_how how)
{
	struct data *d = f->data;
	struct pages_piece *e;
	size_t done = 0;

	if (!wants_any(f, how))
		return 0;
	pthread_mutex_lock(&d->lock);
	while (done < len && (e = co_piece(ln, d, off + done))) {
		uint64_t at = off + done - e->off;
		size_t n = min_u64(len - done, e->len - at);

		pages_use(&d->pages, e);
		pthread_mutex_unlock(&d->lock);
		memcpy((uint8_t *)buf + done, e->mem + at, n);
		done += n;
		pthread_mutex_lock(&d->lock);
		pages_unuse(&d->pages, e);
	}
	count(d); /* of a piece that was cut the memory may have gone just now */
	pthread_mutex_unlock(&d->lock);
	COUNT(d, hits, npages(done));
	COUNT(d, misses, npages(len - done));
	if (done)
		file_read_here(f, loop_realtime(ln->loop));
	return done;
}

/* ---- what makes it void ---- */

void rahead_co_settle(struct lane *ln, struct file *f)
{
	struct data *d = f->data;

	pthread_mutex_lock(&d->lock);
	while (f->fetches)
		xwait_co(&d->q, &d->lock, ln->loop);
	f->ahead = (struct ahead){0};
	pthread_mutex_unlock(&d->lock);
}

/* d->lock is held. */
void rahead_cut(struct data *d, uint64_t off, uint64_t len)
{
	if (!d->pages.n)
		return;
	if (pages_cut(&d->pages, off, len))
		xwait_wake(&d->q);
	count(d);
}

void rahead_write_begin(struct data *d, uint64_t off, uint64_t len)
{
	pthread_mutex_lock(&d->lock);
	d->writes++;
	if (len)
		rahead_cut(d, off, len);
	pthread_mutex_unlock(&d->lock);
}

void rahead_write_end(struct data *d)
{
	pthread_mutex_lock(&d->lock);
	assert(d->writes > 0);
	d->writes--;
	pthread_mutex_unlock(&d->lock);
}

/* ---- files that are read one after another ---- */

void rahead_whole(struct lane *ln, struct data *d, struct file *f)
{
	bool mine;

	pthread_mutex_lock(&d->lock);
	fs_lock(d->fs);
	mine = d->kept == f; /* else it may be gone; and now it cannot go before its fetches */
	fs_unlock(d->fs);
	if (mine && !d->pages.n && may_fetch(d) && data_is_valid(ln, d) &&
	    file_size_seen(f) <= RAHEAD_WHOLE)
		(void)fetch_range(ln, f, 0, RAHEAD_WHOLE);
	pthread_mutex_unlock(&d->lock);
}

/* ---- advice ---- */

/* d->lock is held. All of the range that is on its way has come. */
static void co_wait_range(struct lane *ln, struct data *d, uint64_t off, uint64_t end)
{
	struct pages_piece *e;
	uint64_t len;

	while (off < end) {
		e = co_piece(ln, d, off);
		len = end - off;
		if (e)
			off = e->off + e->len;
		else if (pages_gap(&d->pages, &off, &len))
			off += len;
	}
}

static int co_will_need(struct lane *ln, struct file *f, uint64_t off, uint64_t len, bool wait)
{
	struct data *d = f->data;
	enum data_how how;
	int rc = data_co_enter(ln, d, DATA_READ, &how);

	if (rc)
		return rc;
	pthread_mutex_lock(&d->lock);
	len = min_u64(len, file_limit(f->fs));
	if (wants_any(f, how))
		(void)fetch_range(ln, f, off, len);
	if (wait)
		co_wait_range(ln, d, off, off + len);
	pthread_mutex_unlock(&d->lock);
	data_leave(d, how);
	return 0;
}

int fs_co_advise(struct lane *ln, struct file *f, enum fs_advice advice, uint64_t off, uint64_t len,
		 bool wait)
{
	const struct layout *l;
	int rc;

	if (off >= MAX_FILE_SIZE || !len)
		return off >= MAX_FILE_SIZE ? -EINVAL : 0;
	len = min_u64(len, MAX_FILE_SIZE - off);
	if (advice == FS_WILL_NEED) {
		rc = file_co_layout(ln, f, false, &l);
		return rc || !l ? rc : co_will_need(ln, f, off, len, wait);
	}
	pthread_mutex_lock(&f->data->lock);
	rahead_cut(f->data, off, len);
	pthread_mutex_unlock(&f->data->lock);
	data_co_wrote(ln, f->data, off, len); /* the kernel's pages */
	return 0;
}
