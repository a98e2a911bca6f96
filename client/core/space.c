/* SPDX-License-Identifier: Apache-2.0 */
/* space.c - operations on the extents of an open file: fsync, fallocate, seek for data and
 * holes, copy. All of them go to every object at once and put the answers together. */
#include "client/core/core.h"
#include "client/core/resend.h"
#include "common/log.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <unistd.h>

enum { STALE_TRIES = 64, COPY_CHUNK = 1 << 20, COPY_MAX = 16 << 20 };

struct fan_objs {
	struct lane *ln;
	struct file *f;
	const struct layout *l;
	uint32_t n; /* objects */
	int mode;
	uint64_t off, end;
	uint32_t trunc_gen;
	int whence;
	uint64_t found;
};

static int object_at(const struct fan_objs *a, uint32_t i, const struct layout_comp **c,
		     uint32_t *comp, uint32_t *stripe, struct target **t)
{
	objs_place(a->l, i, comp, stripe);
	*c = &a->l->comp[*comp];
	return target_co_ost(a->ln, (*c)->ost[*stripe], t);
}

/* ---- fsync ---- */

/* What is still here goes first, so that it is not left out when another part fails. */
struct sync {
	struct fan_objs o;
	struct dirty_extent *e; /* the only one, taken; or NULL */
	uint32_t nsent, sent[GRANT_OSTS]; /* objects that it goes to */
};

static int sync_object(struct fan_objs *a, uint32_t i)
{
	struct oss_sync_req q = {.fid = a->f->fid};
	struct oss_sync_rep p;
	const struct layout_comp *c;
	struct target *t;
	uint32_t comp;
	RPC_CALL(call);
	int rc;

	rc = object_at(a, i, &c, &comp, &q.stripe, &t);
	if (rc)
		return rc;
	q.comp = c->id;
	return oss_co_sync(t->imp, &call, &q, &p);
}

static int sync_one(void *arg, uint32_t i)
{
	struct sync *s = arg;

	if (s->nsent && i == 0) {
		wback_co_send_stable(s->o.ln, s->o.f->data, s->e);
		return 0; /* wback_error() tells */
	}
	i -= s->nsent ? 1 : 0;
	for (uint32_t k = 0; k < s->nsent; k++)
		if (s->sent[k] == i)
			return 0;
	return sync_object(&s->o, i);
}

/* Which objects the extent goes to; 0: it is to be sent before the objects are synced. */
static uint32_t sent_to(struct sync *s)
{
	struct layout_run run[GRANT_OSTS];
	int i, n;

	n = s->o.l ? layout_map(s->o.l, s->e->off, s->e->len, run, GRANT_OSTS) : 0;
	for (i = 0; i < n; i++)
		s->sent[i] = objs_index(s->o.l, run[i].comp, run[i].stripe);
	return n > 0 ? (uint32_t)n : 0;
}

/* Every object, not only those that were written through this descriptor: fsync is about the file.
 * What is on the disk already an OST answers at once. */
static int sync_data(struct sync *s)
{
	int rc = file_co_layout(s->o.ln, s->o.f, false, &s->o.l);

	s->nsent = s->e && rc == 0 ? sent_to(s) : 0;
	if (s->e && !s->nsent)
		wback_co_send_stable(s->o.ln, s->o.f->data, s->e);
	s->o.n = rc == 0 && s->o.l ? objs_count(s->o.l) : 0;
	if (s->nsent && s->nsent == s->o.n)
		return sync_one(s, 0);
	if (s->o.n)
		rc = lane_co_fan(s->o.ln, s->o.n + (s->nsent ? 1 : 0), sync_one, s);
	return rc;
}

/* Both sides at once: neither builds on the other's being stable. The MDS has the file's names,
 * layout and attributes; if its size is not there, the objects are measured. */
static int sync_part(void *arg, uint32_t i)
{
	struct sync *s = arg;
	struct mds_sync_req q = {.fid = s->o.f->fid};
	struct mds_sync_rep p;
	RPC_CALL(call);

	return i == 0 ? sync_data(s) : mds_co_sync(s->o.ln->mdt->imp, &call, &q, &p);
}

/* The MDS too for fsync: names and attributes; sizes can be had from the objects. */
int fs_co_fsync(struct lane *ln, struct file *f, bool datasync)
{
	struct sync s = {.o = {.ln = ln, .f = f}};
	int rc, failed;
	OP_TIMER(ln, fsync);

	s.e = wback_take_only(f->data);
	if (!s.e) {
		wback_co_flush(ln, f->data);
		(void)later_co_flush(ln, f->data);
	}
	rc = lane_co_fan(ln, datasync ? 1 : 2, sync_part, &s);
	failed = wback_error(f, true);
	return failed ? failed : rc;
}

/* ---- fallocate ---- */

static void falloc_keep(struct target *t, const struct wire_hdr *h,
			const struct oss_fallocate_req *f)
{
	struct oss_again_req q = {
		.fid = f->fid,
		.comp = f->comp,
		.stripe = f->stripe,
		.what = AGAIN_FALLOCATE,
		.off = f->off,
		.len = f->len,
		.mode = f->mode,
		.trunc_gen = f->trunc_gen,
		.stripe_size = f->stripe_size,
		.stripe_count = f->stripe_count,
		.layout_gen = f->layout_gen,
	};

	if (h->transno)
		resend_co_keep(t, h, &q, 0, NULL, NULL, 0);
}

static int falloc_one(void *arg, uint32_t i)
{
	struct fan_objs *a = arg;
	struct oss_fallocate_req q = {
		.fid = a->f->fid,
		.mode = (uint32_t)a->mode,
		.trunc_gen = a->trunc_gen,
	};
	struct oss_fallocate_rep p;
	const struct layout_comp *c;
	struct obj_state s;
	struct target *t;
	uint32_t comp;
	RPC_CALL(call);
	int rc;

	rc = object_at(a, i, &c, &comp, &q.stripe, &t);
	if (rc)
		return rc;
	if (!objs_range(c, q.stripe, a->off, a->end, &q.off, &q.len))
		return 0;
	q.comp = c->id;
	q.stripe_size = c->stripe_size;
	q.stripe_count = (uint32_t)c->stripe_count;
	q.layout_gen = a->l->gen;
	rc = oss_co_fallocate(t->imp, &call, &q, &p);
	if (rc)
		return rc;
	falloc_keep(t, &call.hdr, &q);
	s = (struct obj_state){true, p.size, p.blocks, p.mtime, p.version};
	file_note(a->f, comp, q.stripe, &s, 0);
	return 0;
}

static bool falloc_mode_ok(int mode)
{
	return mode == 0 || mode == FALLOC_FL_KEEP_SIZE ||
	       mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) ||
	       mode == FALLOC_FL_ZERO_RANGE ||
	       mode == (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE);
}

static int falloc_under_lease(struct fan_objs *a)
{
	struct data *d = a->f->data;
	enum data_how how;
	int rc = io_co_enter_write(a->ln, a->f, &a->trunc_gen, &how);

	if (rc)
		return rc;
	later_co_write(a->ln, d);
	rahead_write_begin(d, a->off, a->end - a->off);
	wback_co_flush(a->ln, d);
	rc = lane_co_fan(a->ln, objs_count(a->l), falloc_one, a);
	rahead_write_end(d);
	if (!(a->mode & FALLOC_FL_KEEP_SIZE))
		data_wrote_to(d, a->end);
	data_co_wrote(a->ln, d, a->off, a->end - a->off);
	data_leave(d, how);
	return rc;
}

int fs_co_fallocate(struct lane *ln, struct file *f, int mode, uint64_t off, uint64_t len)
{
	struct fan_objs a = {.ln = ln, .f = f, .mode = mode, .off = off};
	int rc, tries;
	OP_TIMER(ln, fallocate);

	if (!falloc_mode_ok(mode))
		return -EOPNOTSUPP;
	if (!len)
		return -EINVAL;
	if (off > MAX_FILE_SIZE || len > MAX_FILE_SIZE - off)
		return -EFBIG;
	a.end = off + len;
	rc = file_co_layout(ln, f, true, &a.l);
	for (tries = 0; rc == 0 && tries < STALE_TRIES; tries++) {
		rc = falloc_under_lease(&a);
		if (rc != -ESTALE)
			return rc;
		rc = file_co_refresh(ln, f);
	}
	return rc ? rc : -EIO;
}

/* ---- seek ---- */

/* Lowers a->found to what this object has at or behind a->off. */
static int seek_one(void *arg, uint32_t i)
{
	struct fan_objs *a = arg;
	struct oss_seek_req q = {.fid = a->f->fid, .whence = (uint32_t)a->whence};
	struct oss_seek_rep p;
	const struct layout_comp *c;
	struct target *t;
	uint32_t comp;
	uint64_t len, at;
	RPC_CALL(call);
	int rc;

	rc = object_at(a, i, &c, &comp, &q.stripe, &t);
	if (rc)
		return rc;
	if (!objs_range(c, q.stripe, a->off, a->end, &q.off, &len))
		return 0;
	q.comp = c->id;
	rc = oss_co_seek(t->imp, &call, &q, &p);
	if (rc == -ENXIO && a->whence == SEEK_DATA)
		return 0;
	if (rc && rc != -ENXIO)
		return rc;
	/* Behind the end of an object there is a hole, wherever the file ends. */
	at = layout_file_off(c, q.stripe, rc ? q.off : p.off);
	a->found = min_u64(a->found, max_u64(at, a->off));
	return 0;
}

static int64_t seek_objects(struct fan_objs *a)
{
	struct attr attr;
	int rc = attr_co_get(a->ln, &a->f->fid, true, &attr);

	if (rc == 0 && a->off >= attr.size)
		rc = -ENXIO;
	if (rc == 0)
		rc = file_co_layout(a->ln, a->f, false, &a->l);
	if (rc)
		return rc;
	a->end = attr.size;
	if (a->l)
		rc = lane_co_fan(a->ln, objs_count(a->l), seek_one, a);
	else if (a->whence == SEEK_HOLE)
		return (int64_t)a->off;
	if (rc)
		return rc;
	if (a->whence == SEEK_HOLE)
		return (int64_t)min_u64(a->found, attr.size);
	return a->found < attr.size ? (int64_t)a->found : -ENXIO;
}

int64_t fs_co_lseek(struct lane *ln, struct file *f, uint64_t off, int whence)
{
	struct fan_objs a = {.ln = ln, .f = f, .off = off, .whence = whence, .found = UINT64_MAX};
	enum data_how how;
	int64_t at;
	int rc;
	OP_TIMER(ln, seek);

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	while ((rc = data_co_enter(ln, f->data, DATA_READ, &how)) == 0 &&
	       restoring_is_on(f->data)) {
		data_leave(f->data, how);
		rc = restoring_co_wait(ln, f->data, 0, 0);
		if (rc)
			break;
	}
	if (rc)
		return rc;
	wback_co_flush(ln, f->data);
	at = seek_objects(&a);
	data_leave(f->data, how);
	return at;
}

/* ---- copy ---- */

ssize_t fs_co_copy_range(struct lane *ln, struct file *in, uint64_t in_off, struct file *out,
			 uint64_t out_off, size_t len)
{
	uint8_t *buf = malloc(COPY_CHUNK);
	size_t done = 0;
	ssize_t n = 0;

	if (!buf)
		return -ENOMEM;
	if (len > COPY_MAX)
		len = COPY_MAX; /* a short count: the caller goes on */
	while (done < len) {
		uint64_t to = out_off + done;
		size_t want = min_u64(len - done, COPY_CHUNK);

		n = fs_co_read(ln, in, buf, want, in_off + done);
		if (n <= 0)
			break;
		n = fs_co_write(ln, out, buf, (size_t)n, &to, false, false);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	free(buf);
	return done ? (ssize_t)done : n;
}
