/* SPDX-License-Identifier: Apache-2.0 */
/* io.c - reading and writing striped files.
 *
 * A request is cut at multiples of IO_WINDOW; a window is mapped to one run per object, and all
 * runs go out at once, each straight from or into the caller's memory. A window that falls into
 * one object (most do) costs no fiber. How many requests an OST gets at once is bounded in
 * target.c.
 *
 * A read that comes back short met a hole or the end of the file: for one object these are the
 * same, else the sizes of the objects tell. Nothing is cached and nothing is written later.
 */
#include "client/core/core.h"
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

static int part_write(struct io *io, struct io_part *p, struct target *t, uint32_t comp_id)
{
	struct oss_write_req q = {
		.fid = io->file->fid,
		.comp = comp_id,
		.stripe = p->run->stripe,
		.off = p->run->obj_off,
		.flags = io->flags,
		.trunc_gen = io->trunc_gen,
	};
	struct oss_write_rep r;
	struct obj_state s;
	RPC_CALL(call);
	int rc;

	call.flags = t->ost->checksums ? 0 : RPC_CALL_NOCRC;
	call.out = p->iov;
	call.out_n = p->niov;
	rc = oss_co_write(t->imp, &call, &q, &r);
	if (rc)
		return rc;
	p->got = (uint32_t)p->run->len;
	s = state_of(r.size, r.blocks, r.mtime, r.version);
	file_note(io->file, p->run->comp, p->run->stripe, &s, 0);
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

	call.in = p->iov;
	call.in_n = p->niov;
	rc = oss_co_read(t->imp, &call, &q, &r);
	if (rc)
		return rc;
	if (call.in_len > p->run->len)
		return -EIO;
	p->got = call.in_len;
	p->osize = r.size;
	p->exists = r.flags & OBJ_EXISTS;
	s = state_of(r.size, r.blocks, r.mtime, r.version);
	file_note(io->file, p->run->comp, p->run->stripe, &s,
		  loop_realtime(io->lane->loop));
	return 0;
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
	target_co_enter(t);
	rc = io->write ? part_write(io, p, t, c->id) : part_read(io, p, t, c->id);
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

/* Some part came short: how far does the file go? */
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
	int rc = fs_co_getattr(ln, &io->file->fid, &a);

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
	else
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

static ssize_t window(struct lane *ln, struct file *f, const struct layout *l, bool write,
		      uint8_t *buf, uint32_t len, uint64_t off)
{
	struct io *io = lane_io_get(ln);
	ssize_t n;

	if (!io)
		return -ENOMEM;
	io->file = f;
	io->layout = l;
	io->write = write;
	io->flags = f->flags & (O_SYNC | O_DSYNC) ? OSS_WRITE_SYNC : 0;
	io->trunc_gen = file_trunc_gen(f);
	n = write ? write_window(ln, io, buf, len, off) : read_window(ln, io, buf, len, off);
	lane_io_put(ln, io);
	return n;
}

/* ---- the whole request ---- */

struct windows {
	struct lane *ln;
	struct file *f;
	const struct layout *l;
	bool write;
	uint8_t *buf;
	size_t len;
	uint64_t off;
	ssize_t *res; /* of each window */
};

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

	w->res[i] = window(w->ln, w->f, w->l, w->write, w->buf + (start - w->off),
			   (uint32_t)(window_end(w, i) - start), start);
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
		return window(w->ln, w->f, w->l, w->write, w->buf, (uint32_t)w->len, w->off);
	w->res = malloc(n * sizeof(*w->res));
	if (!w->res)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		w->res[i] = -EIO; /* not run because another failed */
	rc = lane_co_fan(w->ln, n, window_run, w);
	sum = rc == -ESTALE ? rc : windows_sum(w, n);
	free(w->res);
	return sum;
}

ssize_t io_co_write_once(struct lane *ln, struct file *f, const uint8_t *buf, size_t len,
			 uint64_t off)
{
	struct windows w = {.ln = ln, .f = f, .write = true, .len = len, .off = off};
	int rc;

	w.buf = (uint8_t *)(uintptr_t)buf; /* only read from */
	rc = file_co_layout(ln, f, true, &w.l);
	return rc ? rc : io_co_run(&w);
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
		n = io_co_write_once(ln, f, buf, len, off);
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

ssize_t fs_co_read(struct lane *ln, struct file *f, void *buf, size_t len, uint64_t off)
{
	struct windows w = {.ln = ln, .f = f, .buf = buf, .off = off};
	ssize_t n;
	int rc;
	OP_TIMER(ln, read);

	if (!len || off >= MAX_FILE_SIZE)
		return 0;
	w.len = min_u64(len, MAX_FILE_SIZE - off);
	rc = file_co_layout(ln, f, false, &w.l);
	if (rc || !w.l)
		return rc;
	n = io_co_run(&w);
	if (n > 0)
		stat_add(&ln->stats[FS_STAT_read_bytes], (uint64_t)n);
	return n;
}
