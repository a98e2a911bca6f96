/* SPDX-License-Identifier: Apache-2.0 */
/* io.c - reading and writing striped files.
 *
 * A request is cut at multiples of IO_WINDOW; a window is mapped to one run per object, and all
 * runs go out at once, each straight from or into the caller's memory. A window that falls into
 * one object (most do) costs no fiber. How many requests an OST gets at once is bounded in
 * target.c.
 *
 * A read that comes back short met a hole or the end of the file: for one object these are the
 * same, else the lease on the attributes tells, or without one the sizes of the objects.
 *
 * What may be read and written here, and what is kept for later, data.h and wback.c say.
 */
#include "client/core/core.h"
#include "client/core/resend.h"
#include "common/log.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>

enum { STALE_TRIES = 64 };

/* ---- one run ---- */

static struct obj_state state_of(uint64_t size, uint64_t blocks, int64_t mtime, uint64_t version)
{
	return (struct obj_state){true, size, blocks, mtime, version};
}

/* For the case that the OST loses it. Also what is stable: older bytes of the same object need not
 * be, and are sent again. */
static void keep(const struct io *io, const struct io_part *p, struct target *t,
		 const struct wire_hdr *h, const struct oss_write_req *w)
{
	struct oss_again_req q = {
		.fid = w->fid,
		.comp = w->comp,
		.stripe = w->stripe,
		.what = AGAIN_WRITE,
		.off = w->off,
		.len = p->run->len,
		.trunc_gen = w->trunc_gen,
		.stripe_size = w->stripe_size,
		.stripe_count = w->stripe_count,
		.layout_gen = w->layout_gen,
	};

	resend_co_keep(t, h, &q, io->written_ns, io->bytes, p->iov, p->niov);
}

static int part_write(struct io *io, struct io_part *p, struct target *t,
		      const struct layout_comp *c)
{
	struct oss_write_req q = {
		.fid = io->file->fid,
		.comp = c->id,
		.stripe = p->run->stripe,
		.off = p->run->obj_off,
		.flags = io->flags,
		.trunc_gen = io->trunc_gen,
		.stripe_size = c->stripe_size,
		.stripe_count = (uint32_t)c->stripe_count,
		.layout_gen = io->layout->gen,
	};
	struct oss_write_rep r;
	struct obj_state s;
	RPC_CALL(call);
	int rc;

	if (io->written_ns) {
		q.age = loop_clock(io->lane->loop) - io->written_ns + 1;
		q.written = loop_realtime(io->lane->loop) - (int64_t)q.age;
	}
	q.grant_used = grant_use(io->lane, io->grant, t->ost, q.off, p->run->len, &q.grant_want);
	call.flags = t->ost->checksums ? 0 : RPC_CALL_NOCRC;
	call.out = p->iov;
	call.out_n = p->niov;
	rc = oss_co_write(t->imp, &call, &q, &r);
	if (rc)
		return rc;
	grant_got(t, r.grant);
	p->got = (uint32_t)p->run->len;
	s = state_of(r.size, r.blocks, r.mtime, r.version);
	file_note(io->file, p->run->comp, p->run->stripe, &s, 0);
	t->power = r.power;
	keep(io, p, t, &call.hdr, &q);
	return 0;
}

static int part_read(struct io *io, struct io_part *p, struct target *t, uint32_t comp_id)
{
	struct oss_read_req q = {
		.fid = io->file->fid,
		.comp = comp_id,
		.stripe = p->run->stripe,
		.off = p->run->obj_off,
		.len = (uint32_t)p->run->len,
	};
	struct oss_read_rep r;
	struct obj_state s;
	RPC_CALL(call);
	int rc;

	q.trunc_gen = io->trunc_gen;
	rc = restoring_check(io->file->data, &q.trunc_gen,
			     objs_index(io->layout, p->run->comp, p->run->stripe), &q.power);
	if (rc)
		return rc;
	call.in = p->iov;
	call.in_n = p->niov;
	rc = oss_co_read(t->imp, &call, &q, &r);
	if (rc)
		return rc == -ESTALE && q.trunc_gen ? -EAGAIN : rc;
	if (call.in_len > p->run->len)
		return -EIO;
	p->got = call.in_len;
	p->osize = r.size;
	p->exists = r.flags & OBJ_EXISTS;
	s = state_of(r.size, r.blocks, r.mtime, r.version);
	file_note(io->file, p->run->comp, p->run->stripe, &s,
		  io->ahead ? -1 : loop_realtime(io->lane->loop));
	return 0;
}

/* Nobody waits for an OST that is switched off; the log says once why. */
static int switched_off(const struct io *io, struct ost *o)
{
	char text[FID_STRLEN];

	if (!atomic_exchange(&o->told_off, true))
		log_err("%s is switched off (osc.*.active=0): %s and others cannot be %s there",
			o->name, fid_str(&io->file->fid, text), io->write ? "written" : "read");
	return -EIO;
}

static int part_run(void *arg, uint32_t i)
{
	struct io *io = arg;
	struct io_part *p = &io->part[i];
	const struct layout_comp *c = &io->layout->comp[p->run->comp];
	struct target *t;
	int rc;

	rc = target_co_ost(io->lane, c->ost[p->run->stripe], &t);
	if (rc)
		return rc;
	if (!t->set_active)
		return switched_off(io, t->ost);
	if (io->write)
		resend_co_room(t, p->run->len);
	target_co_enter(t);
	rc = io->write ? part_write(io, p, t, c) : part_read(io, p, t, c->id);
	target_leave(t);
	return rc == -EBADMSG ? -EIO : rc; /* damaged on the way each time */
}

/* Maps a window; the number of parts or -errno. */
static int io_map(struct io *io, uint8_t *buf, uint32_t len, uint64_t off)
{
	uint32_t used = 0;
	int i, n;

	n = layout_map(io->layout, off, len, io->run, IO_PARTS);
	for (i = 0; i < n; i++) {
		struct io_part *p = &io->part[i];
		int pieces = layout_run_iov(io->layout, &io->run[i], buf, off, len, io->iov + used,
					    (int)(IO_PARTS - used));

		if (pieces < 0)
			return pieces;
		*p = (struct io_part){io, &io->run[i], io->iov + used, (uint32_t)pieces,
				      .exists = false};
		used += (uint32_t)pieces;
	}
	return n;
}

/* ---- a window of a read ---- */

static void zero_tail(const struct io_part *p)
{
	uint32_t i, skip = p->got;

	for (i = 0; i < p->niov; i++) {
		uint32_t n = (uint32_t)p->iov[i].iov_len;

		if (skip >= n) {
			skip -= n;
			continue;
		}
		memset((uint8_t *)p->iov[i].iov_base + skip, 0, n - skip);
		skip = 0;
	}
}

/* Some part came short: how far does the file go? Under a lease with a sure size nobody has made it
 * longer meanwhile: whoever writes takes the data back first, which waits for this read. */
static bool read_size(struct lane *ln, const struct file *f, uint64_t *size)
{
	struct attr a;

	if (!leases_attr(ln->fs->leases, &f->fid, loop_clock(ln->loop), &a))
		return false;
	*size = a.size;
	return true;
}

/* Else the objects are asked. */
static int read_co_size(struct lane *ln, const struct io *io, uint32_t n, uint64_t enough,
			uint64_t *size)
{
	const struct layout *l = io->layout;
	struct objs o = {0};
	uint32_t i;
	int rc;

	rc = objs_init(&o, l);
	if (rc)
		return rc;
	for (i = 0; i < n; i++) {
		struct obj_state s = state_of(io->part[i].osize, 0, 0, 0);

		objs_note(&o, objs_index(l, io->run[i].comp, io->run[i].stripe), &s);
	}
	if (objs_size(&o, l) < enough)
		rc = attr_co_learn(ln, &io->file->fid, l, &o);
	*size = objs_size(&o, l);
	objs_fini(&o);
	return rc;
}

/* One object, shorter than the MDS said when the file was opened: it was cut since, or it is longer
 * than an object can be, or the object is lost. */
static int read_co_attr_size(struct lane *ln, const struct io *io, uint64_t *size)
{
	char buf[FID_STRLEN];
	struct attr a;
	int rc = attr_co_get(ln, &io->file->fid, true, &a);

	if (rc)
		return rc;
	if (a.blocks && a.size && !io->part[0].exists) {
		log_err("%s: its data is missing at its OST", fid_str(&io->file->fid, buf));
		return -EIO;
	}
	file_apply_attr(ln->fs, &io->file->fid, &a, false);
	*size = a.size;
	return 0;
}

static ssize_t read_window(struct lane *ln, struct io *io, uint8_t *buf, uint32_t len, uint64_t off)
{
	uint64_t size = 0;
	uint32_t got = 0;
	int n, rc, i;

	n = io_map(io, buf, len, off);
	if (n < 0)
		return n == -ENODATA ? 0 : n;
	rc = lane_co_fan(ln, (uint32_t)n, part_run, io);
	if (rc)
		return rc;
	for (i = 0; i < n; i++)
		got += io->part[i].got;
	if (got == len)
		return got;
	/* osize: an object may be longer than its OST can store, with a hole at its end */
	if (objs_count(io->layout) == 1 &&
	    off + got >= max_u64(file_size_hint(io->file), io->part[n - 1].osize))
		return got; /* the end */
	for (i = 0; i < n; i++)
		zero_tail(&io->part[i]);
	if (objs_count(io->layout) == 1)
		rc = read_co_attr_size(ln, io, &size);
	else if (!read_size(ln, io->file, &size))
		rc = read_co_size(ln, io, (uint32_t)n, off + len, &size);
	if (rc)
		return rc;
	return size <= off ? 0 : (ssize_t)min_u64(len, size - off);
}

/* ---- a window of a write ---- */

/* Bytes from the start of the window that are surely written. */
static uint32_t written_prefix(const struct io *io, int n, uint32_t len, uint64_t off)
{
	uint64_t end = off + len;
	int i;

	for (i = 0; i < n; i++)
		if (io->part[i].got != io->run[i].len)
			end = min_u64(end, io->run[i].file_off);
	return (uint32_t)(end - off);
}

static ssize_t write_window(struct lane *ln, struct io *io, uint8_t *buf, uint32_t len,
			    uint64_t off)
{
	uint32_t done;
	int n, rc;

	n = io_map(io, buf, len, off);
	if (n < 0)
		return n == -ENODATA ? -EIO : n;
	rc = lane_co_fan(ln, (uint32_t)n, part_run, io);
	if (rc == 0)
		return len;
	if (rc == -ESTALE)
		return rc; /* the same bytes are written again */
	done = written_prefix(io, n, len, off);
	return done ? (ssize_t)done : rc;
}

/* The whole request. */
struct windows {
	struct lane *ln;
	struct file *f;
	const struct layout *l;
	bool write, ahead, stable;
	uint32_t trunc_gen;
	uint64_t written_ns;
	struct grant *grant;
	struct bytes *bytes; /* as in struct io */
	uint8_t *buf;
	size_t len;
	uint64_t off;
	ssize_t *res; /* of each window */
};

static ssize_t window(const struct windows *w, uint8_t *buf, uint32_t len, uint64_t off)
{
	struct lane *ln = w->ln;
	struct io *io = lane_io_get(ln);
	ssize_t n;

	if (!io)
		return -ENOMEM;
	io->file = w->f;
	io->layout = w->l;
	io->write = w->write;
	io->ahead = w->ahead;
	io->flags = w->stable ? OSS_WRITE_SYNC : 0;
	io->trunc_gen = w->trunc_gen;
	io->written_ns = w->written_ns;
	io->grant = w->grant;
	io->bytes = w->bytes;
	n = w->write ? write_window(ln, io, buf, len, off) : read_window(ln, io, buf, len, off);
	lane_io_put(ln, io);
	return n;
}

/* ---- the whole request ---- */

static uint64_t window_start(const struct windows *w, uint32_t i)
{
	return i == 0 ? w->off : (w->off / IO_WINDOW + i) * IO_WINDOW;
}

static uint64_t window_end(const struct windows *w, uint32_t i)
{
	return min_u64((w->off / IO_WINDOW + i + 1) * IO_WINDOW, w->off + w->len);
}

static int window_run(void *arg, uint32_t i)
{
	struct windows *w = arg;
	uint64_t start = window_start(w, i);

	w->res[i] =
		window(w, w->buf + (start - w->off), (uint32_t)(window_end(w, i) - start), start);
	return w->res[i] < 0 ? (int)w->res[i] : 0;
}

/* Bytes up to the first window that did not do all it should, or its error. */
static ssize_t windows_sum(const struct windows *w, uint32_t n)
{
	ssize_t sum = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (w->res[i] < 0)
			return sum ? sum : w->res[i];
		sum += w->res[i];
		if ((uint64_t)w->res[i] < window_end(w, i) - window_start(w, i))
			break;
	}
	return sum;
}

static ssize_t io_co_run(struct windows *w)
{
	uint32_t i, n;
	ssize_t sum;
	int rc;

	n = (uint32_t)((w->off + w->len - 1) / IO_WINDOW - w->off / IO_WINDOW + 1);
	if (w->len <= IO_WINDOW) /* may cross a multiple, but is small enough for one */
		return window(w, w->buf, (uint32_t)w->len, w->off);
	w->res = malloc(n * sizeof(*w->res));
	if (!w->res)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		w->res[i] = -EIO; /* not run because another failed */
	rc = lane_co_fan(w->ln, n, window_run, w);
	sum = rc == -ESTALE || rc == -EAGAIN ? rc : windows_sum(w, n);
	free(w->res);
	return sum;
}

static ssize_t write_once(struct lane *ln, struct windows *w)
{
	int rc = file_co_layout(ln, w->f, true, &w->l);

	w->ln = ln;
	w->write = true;
	return rc ? rc : io_co_run(w);
}

ssize_t io_co_write_once(struct lane *ln, struct file *f, const uint8_t *buf, size_t len,
			 uint64_t off, uint32_t trunc_gen)
{
	struct windows w = {.f = f, .trunc_gen = trunc_gen, .len = len, .off = off};

	w.stable = f->flags & (O_SYNC | O_DSYNC);
	w.buf = (uint8_t *)(uintptr_t)buf; /* only read from */
	return write_once(ln, &w);
}

ssize_t io_co_write_behind(struct lane *ln, const struct dirty_extent *e)
{
	struct windows w = {.f = e->file,
			    .trunc_gen = data_trunc_gen(e->file->data),
			    .written_ns = e->last_ns,
			    .stable = e->stable,
			    .grant = e->grant,
			    .bytes = e->bytes,
			    .buf = e->mem,
			    .len = e->len,
			    .off = e->off};

	return write_once(ln, &w);
}

/* ---- write ---- */

bool io_may_keep(const struct file *f, enum data_how how)
{
	return how == DATA_CACHED && f->fs->cfg.cache_data &&
	       !(f->flags & (O_SYNC | O_DSYNC | O_DIRECT));
}

/* The number of truncations is looked up before the lease: if the lease was good after that, then
 * whoever got the file since has raised the number, and these bytes are refused. */
int io_co_enter_write(struct lane *ln, struct file *f, uint32_t *trunc_gen, enum data_how *how)
{
	int rc;

	*trunc_gen = file_trunc_gen(f);
	rc = data_co_enter(ln, f->data, DATA_WRITE, how);
	/* A lease that came after an eviction comes after the locks are known to be lost. */
	if (rc == 0 && file_lost_lock(f)) {
		data_leave(f->data, *how);
		rc = -EIO;
	}
	return rc;
}

static ssize_t write_under_lease(struct lane *ln, struct file *f, const uint8_t *buf, size_t len,
				 uint64_t off)
{
	enum data_how how;
	uint32_t gen;
	ssize_t n;
	int rc = io_co_enter_write(ln, f, &gen, &how);

	if (rc)
		return rc;
	later_co_write(ln, f->data);
	rahead_write_begin(f->data, off, len);
	if (io_may_keep(f, how)) {
		/* Its place at the objects must not depend on anybody later. */
		const struct layout *l;

		rc = file_co_layout(ln, f, true, &l);
		n = rc ? rc : wback_co_put(ln, f, buf, len, off, gen);
	} else {
		wback_co_flush_range(ln, f->data, off, len);
		n = io_co_write_once(ln, f, buf, len, off, gen);
		data_wrote_to(f->data, off + len);
	}
	rahead_write_end(f->data);
	if (n > 0)
		data_co_wrote(ln, f->data, off, (uint64_t)n);
	data_leave(f->data, how);
	return n;
}

static ssize_t write_at(struct lane *ln, struct file *f, const uint8_t *buf, size_t len,
			uint64_t off)
{
	int tries, rc;
	ssize_t n;

	if (off >= MAX_FILE_SIZE)
		return -EFBIG;
	if (len > MAX_FILE_SIZE - off)
		len = MAX_FILE_SIZE - off;
	for (tries = 0; tries < STALE_TRIES; tries++) {
		n = write_under_lease(ln, f, buf, len, off);
		if (n != -ESTALE)
			return n;
		rc = file_co_refresh(ln, f);
		if (rc)
			return rc;
	}
	log_err("gave up writing: the file is truncated again and again");
	return -EIO;
}

ssize_t fs_co_write(struct lane *ln, struct file *f, const void *buf, size_t len, uint64_t *off,
		    bool append, bool kill_priv)
{
	ssize_t n;
	OP_TIMER(ln, write);

	if (!len)
		return 0;
	n = append ? append_co_write(ln, f, buf, len, off) : write_at(ln, f, buf, len, *off);
	if (n > 0) {
		stat_add(&ln->stats[FS_STAT_write_bytes], (uint64_t)n);
		if (kill_priv && fs_co_kill_priv(ln, f))
			log_warn("cannot clear the set-id bits of a file that was written");
	}
	return n;
}

/* Whoever changed the page had the lease then, or it is being recalled, which waits for this write.
 * When the MDS has forgotten it, it waits for what its clients had; and if this client alone was
 * away, what others wrote since stands: the objects refuse these bytes, which have the number of
 * truncations that goes with the lease. */
static bool may_write_page(struct lane *ln, struct data *d)
{
	bool may, wait;

	do {
		pthread_mutex_lock(&d->lock);
		wait = !d->recalling && d->mode == LEASE_EXCLUSIVE && !data_is_valid(ln, d);
		may = d->mode == LEASE_EXCLUSIVE || (d->recalling && d->mode) || d->losing;
		pthread_mutex_unlock(&d->lock);
		if (wait) /* renewed or lost soon */
			co_sleep(10 * NSEC_PER_MSEC);
	} while (wait && !ln->stopping);
	return may;
}

/* A mapping makes no file longer. The kernel cuts pages at the size that it knows, which may be
 * that before a truncation somewhere else. */
static int before_end(struct lane *ln, struct file *f, size_t len, uint64_t off, size_t *in)
{
	struct data *d = f->data;
	int rc = append_co_learn_size(ln, f);

	pthread_mutex_lock(&d->lock);
	*in = d->size > off ? min_u64(len, d->size - off) : 0;
	pthread_mutex_unlock(&d->lock);
	return rc;
}

static ssize_t write_page(struct lane *ln, struct file *f, const void *buf, size_t len,
			  uint64_t off)
{
	uint32_t gen;
	ssize_t n = 0;
	size_t in;
	int rc;

	do {
		gen = data_trunc_gen(f->data);
		if (!may_write_page(ln, f->data))
			return -EIO;
		rc = before_end(ln, f, len, off, &in);
		if (rc)
			return rc;
		n = in ? io_co_write_once(ln, f, buf, in, off, gen) : 0;
	} while (n == -ESTALE && data_trunc_gen(f->data) != gen); /* cut by this client */
	if (n == -ESTALE)
		return -EIO;
	return n == (ssize_t)in ? (ssize_t)len : n;
}

ssize_t fs_co_write_page(struct lane *ln, struct file *f, const void *buf, size_t len, uint64_t off)
{
	char text[FID_STRLEN];
	ssize_t n;
	OP_TIMER(ln, write);

	later_co_write(ln, f->data);
	rahead_write_begin(f->data, off, len);
	wback_co_flush_range(ln, f->data, off, len); /* bytes of write(2), older than these */
	n = write_page(ln, f, buf, len, off);
	rahead_write_end(f->data);
	if (n > 0)
		stat_add(&ln->stats[FS_STAT_write_bytes], (uint64_t)n);
	else
		log_err("%s: a page of a mapping could not be written: %s", fid_str(&f->fid, text),
			err_str((int)n));
	return n;
}

/* ---- read ---- */

static ssize_t read_windows(struct windows *w)
{
	int rc = restoring_enter(w->f->data, w->off, w->len, &w->trunc_gen);

	if (rc == 0)
		rc = file_co_layout(w->ln, w->f, false, &w->l);
	return rc || !w->l ? rc : io_co_run(w);
}

static ssize_t read_objects(struct lane *ln, struct file *f, uint8_t *buf, size_t len, uint64_t off)
{
	struct windows w = {.ln = ln, .f = f, .buf = buf, .len = len, .off = off};

	return read_windows(&w);
}

ssize_t io_co_fetch(struct lane *ln, struct file *f, uint8_t *buf, size_t len, uint64_t off)
{
	struct windows w = {.ln = ln, .f = f, .ahead = true, .buf = buf, .len = len, .off = off};

	return read_windows(&w);
}

/* What is dirty here is newer than what is there; and bytes behind what is there are only known
 * here. */
static ssize_t read_both(struct lane *ln, struct file *f, uint8_t *buf, size_t len, uint64_t off,
			 enum data_how how)
{
	struct data *d = f->data;
	enum dirty_part part;
	uint64_t size;
	bool behind;
	size_t here;
	ssize_t n;

	pthread_mutex_lock(&d->lock);
	part = dirty_read(&d->dirty, off, buf, len);
	behind = dirty_end(&d->dirty) > off;
	pthread_mutex_unlock(&d->lock);
	if (part == DIRTY_ALL)
		return (ssize_t)len;
	if (part == DIRTY_PART)
		wback_co_flush(ln, d);
	here = rahead_co_take(ln, f, buf, len, off, how);
	if (here == len || (here && !behind && read_size(ln, f, &size) && off + here >= size))
		return (ssize_t)here;
	n = read_objects(ln, f, buf + here, len - here, off + here);
	if (n >= 0 && (size_t)n < len - here && behind) {
		wback_co_flush(ln, d);
		n = read_objects(ln, f, buf + here, len - here, off + here);
	}
	/* After an error no part of it: the kernel would take that for the end of the file. */
	return n < 0 ? n : (ssize_t)here + n;
}

/* The kernel goes on with a page when it has it. One that has come after the lease was over would
 * be used, and changed, beside those who have the file now. */
static bool comes_late(struct lane *ln, struct data *d, uint64_t seq)
{
	bool late;

	pthread_mutex_lock(&d->lock);
	late = !d->mode || d->seq != seq || !data_is_valid(ln, d);
	pthread_mutex_unlock(&d->lock);
	return late;
}

static ssize_t read_under_lease(struct lane *ln, struct file *f, void *buf, size_t len,
				uint64_t off, enum data_need need)
{
	bool late, missing;
	enum data_how how;
	uint64_t seq;
	ssize_t n;
	int rc;
	OP_TIMER(ln, read);

	if (!len || off >= MAX_FILE_SIZE)
		return 0;
	len = min_u64(len, MAX_FILE_SIZE - off);
	do {
		rc = data_co_enter(ln, f->data, need, &how);
		if (rc)
			return rc;
		if (file_lost_lock(f)) {
			data_leave(f->data, how);
			return -EIO;
		}
		seq = data_seq(f->data);
		rahead_read(ln, f, off, len, need, how);
		n = read_both(ln, f, buf, len, off, how);
		late = n >= 0 && need == DATA_FILL && how != DATA_BYPASS &&
		       comes_late(ln, f->data, seq);
		if (n > 0 && need == DATA_FILL && !late)
			data_cached(ln, f->data, (uint64_t)n);
		data_leave(f->data, how);
		missing = n == -EAGAIN;
		rc = missing ? restoring_co_wait(ln, f->data, off, len) : 0;
		if (rc)
			return rc;
	} while (late || missing);
	if (n > 0)
		stat_add(&ln->stats[FS_STAT_read_bytes], (uint64_t)n);
	return n;
}

ssize_t fs_co_read(struct lane *ln, struct file *f, void *buf, size_t len, uint64_t off)
{
	return read_under_lease(ln, f, buf, len, off, DATA_READ);
}

ssize_t fs_co_read_page(struct lane *ln, struct file *f, void *buf, size_t len, uint64_t off)
{
	return read_under_lease(ln, f, buf, len, off, DATA_FILL);
}
