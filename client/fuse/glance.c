/* SPDX-License-Identifier: Apache-2.0 */
/* glance.c - attributes that need not be asked for again.
 *
 * Two cases, both counted in microseconds to milliseconds; leases it is not.
 *
 * One system call, two requests: for stat(2) and open(2) the kernel sends LOOKUP (or CREATE) and
 * then GETATTR of the same inode, because names and attributes are not kept. The first answer had
 * the attributes. The same thread asking next, within GLANCE_NS and without any other request of
 * its own between, is in the same call (file names are never kept, so a call on a path begins with
 * LOOKUP), and an answer from its beginning is as right as one from its end. It is given once,
 * and not if anything was changed through this mount since the LOOKUP came: the kernel would take
 * old attributes for new.
 *
 * Own changes of a directory: the kernel forgets a directory's attributes when it changes a name in
 * it, and asks on the next step through it. The MDS told them with the change. They are kept as
 * long as the kernel may keep a directory's attributes (cache_ms).
 */
#include "client/fuse/face.h"
#include <fcntl.h>
#include <stdlib.h>

enum { SLOTS = 256, DIR_SLOTS = 256 };
#define GLANCE_NS (2 * NSEC_PER_MSEC)

struct seen { /* what a thread's last request was told */
	uint32_t tid;
	uint32_t changes; /* when its LOOKUP came */
	bool ready;
	uint64_t until_ns;
	struct entry e;
};

struct dir_seen {
	uint32_t gen; /* of glance.dir_gen */
	uint64_t until_ns;
	struct entry e;
};

struct glance {
	pthread_mutex_t lock;
	atomic_uint changes; /* of anything, through this mount: begun or ended */
	atomic_uint dir_gen; /* of what may change a directory other than by names in it */
	struct seen seen[SLOTS];
	struct dir_seen dir[DIR_SLOTS];
};

int glance_create(struct glance **out)
{
	struct glance *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	pthread_mutex_init(&g->lock, NULL);
	*out = g;
	return 0;
}

void glance_destroy(struct glance *g)
{
	pthread_mutex_destroy(&g->lock);
	free(g);
}

static bool changes_something(const struct serve *s)
{
	const struct fuse_open_in *open = serve_body(s, sizeof(*open));

	switch (serve_head(s)->opcode) {
	case FUSE_OPEN:
		return !open || (open->flags & O_TRUNC);
	case FUSE_RELEASE:
	case FUSE_LOOKUP:
	case FUSE_GETATTR:
	case FUSE_READLINK:
	case FUSE_READ:
	case FUSE_STATFS:
	case FUSE_GETXATTR:
	case FUSE_LISTXATTR:
	case FUSE_FLUSH:
	case FUSE_OPENDIR:
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
	case FUSE_RELEASEDIR:
	case FUSE_ACCESS:
	case FUSE_LSEEK:
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_GETLK:
		return false;
	default:
		return true;
	}
}

static bool may_change_a_directory(uint32_t opcode)
{
	return opcode == FUSE_SETATTR || opcode == FUSE_SETXATTR || opcode == FUSE_REMOVEXATTR ||
	       opcode == FUSE_RENAME || opcode == FUSE_RENAME2 || opcode == FUSE_RMDIR;
}

static void count_change(struct glance *g, const struct serve *s)
{
	if (changes_something(s))
		atomic_fetch_add(&g->changes, 1);
	if (may_change_a_directory(serve_head(s)->opcode))
		atomic_fetch_add(&g->dir_gen, 1);
}

static struct dir_seen *dir_slot(struct glance *g, const struct fid *fid)
{
	return &g->dir[fid_to_ino(fid) * 0x9e3779b97f4a7c15ULL >> 56];
}

static void answer(struct flane *fl, const struct serve *s, const struct entry *e, uint64_t left_ns)
{
	struct fuse_entry_out eo;
	struct fuse_attr_out o = {
		.attr_valid = left_ns / NSEC_PER_SEC,
		.attr_valid_nsec = (uint32_t)(left_ns % NSEC_PER_SEC),
	};

	reply_entry_out(fl, e, &eo);
	o.attr = eo.attr;
	raw_reply(fl->face, serve_head(s)->unique, 0, &o, sizeof(o));
}

/* Takes what the thread may be told. */
static bool take_seen(struct glance *g, struct seen *x, const struct fid *fid, uint64_t now,
		      struct entry *out)
{
	bool ok = x->ready && fid_eq(&x->e.fid, fid) && now < x->until_ns &&
		  x->changes == atomic_load(&g->changes);

	if (ok)
		*out = x->e;
	x->ready = false;
	return ok;
}

bool glance_request(struct flane *fl, const struct serve *s)
{
	const struct fuse_in_header *h = serve_head(s);
	struct glance *g = fl->face->glance;
	struct seen *x = &g->seen[h->pid % SLOTS];
	uint64_t now = loop_clock(fl->loop), left = 0;
	bool found = false;
	struct dir_seen *d;
	struct entry e;
	struct fid fid;

	count_change(g, s);
	if (h->opcode == FUSE_FORGET || h->opcode == FUSE_BATCH_FORGET)
		return false; /* not the thread's doing */
	pthread_mutex_lock(&g->lock);
	if (h->opcode == FUSE_LOOKUP || h->opcode == FUSE_CREATE) {
		*x = (struct seen){.tid = h->pid, .changes = atomic_load(&g->changes)};
	} else if (h->opcode == FUSE_GETATTR && face_fid(fl->face, h->nodeid, &fid) == 0) {
		found = x->tid == h->pid && take_seen(g, x, &fid, now, &e);
		d = dir_slot(g, &fid);
		if (!found && fid_eq(&d->e.fid, &fid) && now < d->until_ns &&
		    d->gen == atomic_load(&g->dir_gen)) {
			e = d->e;
			left = d->until_ns - now;
			found = true;
		}
	} else if (x->tid == h->pid) {
		x->ready = false;
	}
	pthread_mutex_unlock(&g->lock);
	if (found)
		answer(fl, s, &e, left);
	return found;
}

void glance_done(struct flane *fl, const struct serve *s)
{
	if (serve_head(s)->opcode != FUSE_CREATE) /* glance_created() has counted its end */
		count_change(fl->face->glance, s);
}

static void note(struct flane *fl, uint32_t tid, const struct entry *e, bool created)
{
	struct glance *g = fl->face->glance;
	struct seen *x = &g->seen[tid % SLOTS];

	pthread_mutex_lock(&g->lock);
	if (x->tid == tid) {
		if (created)
			x->changes = atomic_load(&g->changes);
		x->ready = true;
		x->e = *e;
		x->until_ns = loop_clock(fl->loop) + GLANCE_NS;
	}
	pthread_mutex_unlock(&g->lock);
}

void glance_looked_up(struct flane *fl, uint32_t tid, const struct entry *e)
{
	note(fl, tid, e, false);
}

void glance_created(struct flane *fl, uint32_t tid, const struct entry *e)
{
	atomic_fetch_add(&fl->face->glance->changes, 1);
	if (e)
		note(fl, tid, e, true);
}

void glance_dir(void *arg, struct lane *ln, const struct fid *dir, const struct attr *a)
{
	struct face *f = arg;
	struct glance *g = f->glance;
	struct dir_seen *d = dir_slot(g, dir);

	if (!f->opt.dir_ms)
		return;
	pthread_mutex_lock(&g->lock);
	/* Answers of two lanes may arrive in either order. */
	if (!fid_eq(&d->e.fid, dir) || d->e.attr.ctime <= a->ctime) {
		d->e = (struct entry){*dir, *a};
		d->gen = atomic_load(&g->dir_gen);
		d->until_ns = loop_clock(lane_loop(ln)) + f->opt.dir_ms * NSEC_PER_MSEC;
	}
	pthread_mutex_unlock(&g->lock);
}
