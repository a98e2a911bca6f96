/* SPDX-License-Identifier: Apache-2.0 */
/* wback.c - write-behind: bytes that write(2) left here go to the objects in large requests.
 *
 * Only under an EXCLUSIVE lease, so nobody can tell that they are not there yet. An extent is sent
 * when its chunk is full, when its file is closed, synced or looked at by others, when there
 * is too much (max_dirty_mb), and at the latest after a second. It goes through the open file that
 * it was written through: that one's close waits for it.
 *
 * A request carries the number of truncations (trunc_gen) that the file had when the lease was
 * given. If the objects refuse it, the lease was lost while this client was away, and others may
 * have written since: then these bytes are given up, and fsync says EIO.
 */
#include "client/core/core.h"
#include "common/log.h"
#include <stdlib.h>

#define OLD_NS  NSEC_PER_SEC
#define LOOK_NS (250 * NSEC_PER_MSEC)

/* ---- how much there is ---- */

void wback_count(struct data *d)
{
	bool any = d->dirty.n || d->later.valid || d->later.flying;

	struct fs *fs = d->fs;

	fs_lock(fs);
	fs->data.dirty_bytes += d->dirty.bytes - d->counted;
	if (d->dirty.bytes < d->counted)
		xwait_wake(&fs->data.room);
	d->counted = d->dirty.bytes;
	if (any && !d->on_dirty_list)
		TAILQ_INSERT_TAIL(&fs->data.dirty, d, dirty_link);
	else if (!any && d->on_dirty_list)
		TAILQ_REMOVE(&fs->data.dirty, d, dirty_link);
	d->on_dirty_list = any;
	fs_unlock(fs);
	if (!any && d->marked) {
		book_file_clear(d->marked, BOOK_DIRTY);
		d->marked = NULL;
	}
}

/* ---- sending ---- */

struct send {
	struct lane *ln;
	struct data *d;
	struct dirty_extent *e;
};

static void failed(struct send *s, int rc)
{
	char text[FID_STRLEN];

	log_err("%s: %u bytes at %llu could not be written: %s%s", fid_str(&s->d->fid, text),
		s->e->len, (unsigned long long)s->e->off, err_str(rc),
		rc == -ESTALE ? " (this client was away, and lost the file to others)" : "");
	s->d->error = rc == -ESTALE ? -EIO : rc;
	s->d->nerrors++;
}

static void send_one(struct send *s)
{
	struct data *d = s->d;
	struct dirty_extent *e = s->e;
	ssize_t n;

	n = io_co_write_behind(s->ln, e);
	grant_end(s->ln, e->grant);
	pthread_mutex_lock(&d->lock);
	if (n != (ssize_t)e->len)
		failed(s, n < 0 ? (int)n : -EIO);
	dirty_drop(&d->dirty, e);
	wback_count(d);
	xwait_wake(&d->q);
	pthread_mutex_unlock(&d->lock);
}

static void send_fiber(void *arg)
{
	struct send s = *(struct send *)arg;

	free(arg);
	send_one(&s);
	data_put(s.ln, s.d);
}

/* d->lock is held. Nobody waits for it here. False: out of memory. */
static bool send_behind(struct lane *ln, struct data *d, struct dirty_extent *e)
{
	struct send *s = malloc(sizeof(*s));

	if (!s)
		return false;
	dirty_send(&d->dirty, e);
	*s = (struct send){ln, data_get(d->fs, &d->fid), e};
	pthread_mutex_unlock(&d->lock);
	lane_background(ln, send_fiber, s);
	pthread_mutex_lock(&d->lock);
	return true;
}

/* Sends all up to an id that may be sent, the last one in line. d->lock is held. */
static void send_all(struct lane *ln, struct data *d, uint64_t id)
{
	struct dirty_extent *e;

	while ((e = dirty_oldest(&d->dirty)) && e->id < id) {
		if (d->dirty.n - d->dirty.nsending > 1 && send_behind(ln, d, e))
			continue;
		dirty_send(&d->dirty, e);
		pthread_mutex_unlock(&d->lock);
		send_one(&(struct send){ln, d, e});
		pthread_mutex_lock(&d->lock);
	}
}

struct dirty_extent *wback_take_only(struct data *d)
{
	struct dirty_extent *e;

	pthread_mutex_lock(&d->lock);
	e = dirty_oldest(&d->dirty);
	if (e && (d->dirty.n > 1 || d->later.valid || d->later.flying))
		e = NULL;
	if (e) {
		dirty_send(&d->dirty, e);
		e->stable = true;
	}
	pthread_mutex_unlock(&d->lock);
	return e;
}

void wback_co_send_stable(struct lane *ln, struct data *d, struct dirty_extent *e)
{
	send_one(&(struct send){ln, d, e});
}

static bool older_than(const struct dirty *d, uint64_t id)
{
	const struct dirty_extent *e = TAILQ_FIRST(&d->extents);

	return e && e->id < id;
}

void wback_co_flush(struct lane *ln, struct data *d)
{
	uint64_t id;

	pthread_mutex_lock(&d->lock);
	id = d->dirty.next_id;
	while (older_than(&d->dirty, id)) {
		send_all(ln, d, id);
		if (older_than(&d->dirty, id))
			xwait_co(&d->q, &d->lock, ln->loop);
	}
	pthread_mutex_unlock(&d->lock);
}

void wback_co_flush_range(struct lane *ln, struct data *d, uint64_t off, uint64_t len)
{
	bool any;

	pthread_mutex_lock(&d->lock);
	any = dirty_overlaps(&d->dirty, off, len);
	pthread_mutex_unlock(&d->lock);
	if (any)
		wback_co_flush(ln, d);
}

void wback_co_flush_all(struct lane *ln)
{
	struct data *d;
	uint32_t n = 0;

	fs_lock(ln->fs);
	TAILQ_FOREACH(d, &ln->fs->data.dirty, dirty_link)
	n++;
	fs_unlock(ln->fs);
	/* Each that was there moves to the end, or away. */
	while (n--) {
		fs_lock(ln->fs);
		d = TAILQ_FIRST(&ln->fs->data.dirty);
		if (d) {
			TAILQ_REMOVE(&ln->fs->data.dirty, d, dirty_link);
			TAILQ_INSERT_TAIL(&ln->fs->data.dirty, d, dirty_link);
			d->refs++;
		}
		fs_unlock(ln->fs);
		if (!d)
			return;
		wback_co_flush(ln, d);
		(void)later_co_flush(ln, d);
		data_put(ln, d);
	}
}

/* ---- what gets old ---- */

/* d->lock is held. *later: not an extent, but what was set. */
static bool is_old(const struct data *d, uint64_t limit, bool *later)
{
	const struct dirty_extent *e = dirty_oldest(&d->dirty);

	*later = !(e && e->since_ns < limit);
	return !*later || (d->later.valid && !d->later.due && d->later.since_ns < limit);
}

/* The first file with something that began before `limit`, with a reference. */
static struct data *first_old(struct fs *fs, uint64_t limit)
{
	struct data *d;
	bool old = false, later;

	fs_lock(fs);
	TAILQ_FOREACH(d, &fs->data.dirty, dirty_link)
	{
		if (pthread_mutex_trylock(&d->lock))
			continue; /* whoever has it may want fs->lock */
		old = is_old(d, limit, &later);
		pthread_mutex_unlock(&d->lock);
		if (old)
			break;
	}
	if (d && old)
		d->refs++;
	fs_unlock(fs);
	return old ? d : NULL;
}

/* Sends, without waiting, what began before `limit`. */
static void send_old(struct lane *ln, uint64_t limit)
{
	bool sent = true, old, later;
	struct data *d;

	while (sent && (d = first_old(ln->fs, limit))) {
		pthread_mutex_lock(&d->lock);
		old = is_old(d, limit, &later);
		if (old && !later)
			sent = send_behind(ln, d, dirty_oldest(&d->dirty));
		pthread_mutex_unlock(&d->lock);
		if (old && later)
			sent = later_tell(ln, d);
		data_put(ln, d);
	}
}

/* Something is dirty, or will be given back. */
static bool any_work(struct lane *ln)
{
	struct fs *fs = ln->fs;
	bool any;

	fs_lock(fs);
	any = !TAILQ_EMPTY(&fs->data.dirty) || (!ln->stopping && grant_any(fs));
	if (!any)
		fs->data.flusher = false;
	fs_unlock(fs);
	return any;
}

/* One of them for the mount, as long as there is something to do. */
static void flusher_fiber(void *arg)
{
	struct lane *ln = arg;

	while (any_work(ln)) {
		uint64_t now = loop_clock(ln->loop);

		grant_return_idle(ln);
		if (ln->stopping)
			wback_co_flush_all(ln);
		else if (co_wait(&ln->flusher_q, loop_now(ln->loop) + LOOK_NS) == -ETIMEDOUT)
			send_old(ln, now > OLD_NS ? now - OLD_NS : 0);
	}
}

void wback_start(struct lane *ln)
{
	bool start;

	fs_lock(ln->fs);
	start = !ln->fs->data.flusher;
	ln->fs->data.flusher = true;
	fs_unlock(ln->fs);
	if (start)
		lane_background(ln, flusher_fiber, ln);
}

/* ---- taking ---- */

static void co_wait_for_room(struct lane *ln)
{
	struct fs *fs = ln->fs;
	bool full;

	fs_lock(fs);
	full = fs->data.dirty_bytes >= (uint64_t)fs->max_dirty_mb << 20;
	fs_unlock(fs);
	if (!full)
		return;
	send_old(ln, UINT64_MAX);
	fs_lock(fs);
	while (fs->data.dirty_bytes >= (uint64_t)fs->max_dirty_mb << 20)
		xwait_co(&fs->data.room, &fs->lock, ln->loop);
	fs_unlock(fs);
}

/* Bytes that are to be taken: they lie in one chunk. */
struct piece {
	struct file *f;
	const uint8_t *buf;
	uint64_t off;
	uint32_t len;
	struct grant plan;  /* for a new extent */
	struct ost *short_; /* has promised too little for it */
};

/* The extent gets space for the piece; a new one also begins. NULL: look at p->short_, or out of
 * memory. */
static struct dirty_extent *piece_place(struct lane *ln, struct piece *p, struct dirty_extent *e)
{
	struct dirty *d = &p->f->data->dirty;
	uint64_t from = e ? e->off : p->off, to = p->off + p->len;
	struct grant *g = e ? e->grant : malloc(sizeof(*g));

	if (!e && g)
		*g = p->plan;
	p->short_ = g ? grant_take(ln->fs, g, from, max_u64(to, from + (e ? e->len : 0)),
				   e ? e->len : 0)
		      : NULL;
	if (!g || e)
		return p->short_ ? NULL : e;
	if (!p->short_)
		e = dirty_new(d, p->f, p->off, p->len, loop_clock(ln->loop));
	if (e)
		e->grant = g;
	else
		grant_end(ln, g);
	return e;
}

/* d->lock is held. 1: taken. 0: look again. */
static int put_piece(struct lane *ln, struct piece *p)
{
	struct data *d = p->f->data;
	struct dirty_extent *e = NULL;

	p->short_ = NULL;
	switch (dirty_place(&d->dirty, p->off, p->len, &e)) {
	case DIRTY_SEND:
		return send_behind(ln, d, e) ? 0 : -ENOMEM;
	case DIRTY_WAIT:
		xwait_co(&d->q, &d->lock, ln->loop);
		return 0;
	case DIRTY_OK:
		break;
	}
	e = piece_place(ln, p, e);
	if (p->short_)
		return 0;
	if (!e || dirty_add(&d->dirty, e, p->off, p->buf, p->len, loop_clock(ln->loop))) {
		if (e && !e->len) {
			grant_end(ln, e->grant);
			dirty_drop(&d->dirty, e);
		}
		return -ENOMEM;
	}
	d->size = max_u64(d->size, p->off + p->len);
	if (!d->marked && p->f->place) {
		d->marked = p->f->place;
		book_file_set(d->marked, BOOK_DIRTY);
	}
	if (dirty_full(e))
		(void)!send_behind(ln, d, e); /* else when it is old */
	return 1;
}

/* Takes a piece, waiting for memory and for space. 1, or 0: there is no promise of space. */
static int co_put(struct lane *ln, struct piece *p)
{
	struct data *d = p->f->data;
	int rc;

	do {
		co_wait_for_room(ln);
		pthread_mutex_lock(&d->lock);
		rc = put_piece(ln, p);
		wback_count(d);
		pthread_mutex_unlock(&d->lock);
		if (p->short_ && !grant_co_ask(ln, p->short_))
			return 0;
	} while (rc == 0);
	return rc;
}

/* What is older goes first: it is what there was room for. */
static ssize_t write_now(struct lane *ln, struct file *f, const uint8_t *buf, size_t len,
			 uint64_t off, uint32_t trunc_gen)
{
	ssize_t n;

	wback_co_flush(ln, f->data);
	n = io_co_write_once(ln, f, buf, len, off, trunc_gen);
	if (n > 0)
		data_wrote_to(f->data, off + (uint64_t)n);
	if (n < (ssize_t)len) { /* some objects may have got theirs */
		pthread_mutex_lock(&f->data->lock);
		f->data->size_known = false;
		pthread_mutex_unlock(&f->data->lock);
	}
	return n;
}

ssize_t wback_co_put(struct lane *ln, struct file *f, const uint8_t *buf, size_t len, uint64_t off,
		     uint32_t trunc_gen)
{
	const struct layout *l;
	size_t done = 0;
	ssize_t n = 0;
	int rc = file_co_layout(ln, f, true, &l);

	while (done < len && rc == 0) {
		struct piece p = {.f = f, .buf = buf + done, .off = off + done};
		uint64_t left = DIRTY_CHUNK - p.off % DIRTY_CHUNK;

		p.len = (uint32_t)min_u64(len - done, left);
		rc = grant_co_plan(ln, l, p.off, &p.plan) ? 0 : co_put(ln, &p);
		if (rc <= 0)
			break;
		rc = 0;
		done += p.len;
	}
	if (done) {
		file_wrote(f);
		wback_start(ln);
	}
	if (done < len && rc == 0)
		n = write_now(ln, f, buf + done, len - done, off + done, trunc_gen);
	done += n > 0 ? (size_t)n : 0;
	return done ? (ssize_t)done : rc ? rc : n;
}

void wback_lost(struct data *d, const char *ost)
{
	char text[FID_STRLEN];

	log_err("%s: %s has lost its power, and maybe what was written before it was synced",
		fid_str(&d->fid, text), ost);
	pthread_mutex_lock(&d->lock);
	d->error = -EIO;
	d->nerrors++;
	pthread_mutex_unlock(&d->lock);
}

int wback_error(struct file *f, bool told)
{
	struct data *d = f->data;
	int rc = 0;

	pthread_mutex_lock(&d->lock);
	if (f->errors_seen != d->nerrors)
		rc = d->error;
	if (told)
		f->errors_seen = d->nerrors;
	pthread_mutex_unlock(&d->lock);
	return rc;
}
