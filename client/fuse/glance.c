/* SPDX-License-Identifier: Apache-2.0 */
/* glance.c - attributes that need not be asked for again.
 *
 * One system call, two requests: for stat(2) and open(2) the kernel sends LOOKUP (or CREATE) and
 * then GETATTR of the same inode, if it may not keep name and attributes (no lease covers them, as
 * those of a file that is being written). The first answer had the attributes. The same thread
 * asking next, within GLANCE_NS and without any other request of its own between, is in the same
 * call (a call on a path begins with LOOKUP of a name that is not kept), and an answer from its
 * beginning is as right as one from its end. It is given once, and not if anything was changed
 * through this mount since the LOOKUP came: the kernel would take old attributes for new.
 *
 * What a lease covers is answered here as well, without a fiber.
 *
 * A directory that is removed while somebody has it open, or is in it, can still be looked at: it
 * has no links, and no names can be made in it. The MDS knows nothing of it any more; what the
 * kernel was told last is remembered here, of as many directories as there is room for.
 */
#include "client/fuse/face.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { SLOTS = 256, DIR_SLOTS = 4096 };
#define GLANCE_NS (2 * NSEC_PER_MSEC)

struct seen { /* what a thread's last request was told */
	uint32_t tid;
	uint32_t changes; /* when its LOOKUP came */
	bool ready;
	uint64_t until_ns;
	struct entry e;
};

struct glance {
	pthread_mutex_t lock;
	atomic_uint changes; /* of anything, through this mount: begun or ended */
	struct seen seen[SLOTS];
	struct entry dir[DIR_SLOTS]; /* as they were told last */
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

static void count_change(struct glance *g, const struct serve *s)
{
	if (changes_something(s))
		atomic_fetch_add(&g->changes, 1);
}

static void answer(struct flane *fl, const struct serve *s, const struct entry *e)
{
	uint64_t keep = reply_keep_ns(fl, s->asked_ns, &e->fid, &e->attr, false);
	struct fuse_attr_out o = {
		.attr_valid = keep / NSEC_PER_SEC,
		.attr_valid_nsec = (uint32_t)(keep % NSEC_PER_SEC),
	};

	reply_attr_out(&e->fid, &e->attr, &o.attr);
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
	uint64_t now = loop_clock(fl->loop);
	bool found = false;
	struct entry e;

	count_change(g, s);
	if (h->opcode == FUSE_FORGET || h->opcode == FUSE_BATCH_FORGET)
		return false; /* not the thread's doing */
	pthread_mutex_lock(&g->lock);
	if (h->opcode == FUSE_LOOKUP || h->opcode == FUSE_CREATE)
		*x = (struct seen){.tid = h->pid, .changes = atomic_load(&g->changes)};
	else if (h->opcode == FUSE_GETATTR && face_fid(fl->face, h->nodeid, &e.fid) == 0)
		found = x->tid == h->pid && take_seen(g, x, &e.fid, now, &e);
	else if (x->tid == h->pid)
		x->ready = false;
	pthread_mutex_unlock(&g->lock);
	if (!found && h->opcode == FUSE_GETATTR && face_fid(fl->face, h->nodeid, &e.fid) == 0)
		found = fs_lease_attr(fl->face->fs, &e.fid, now, &e.attr);
	if (found)
		answer(fl, s, &e);
	return found;
}

static struct entry *dir_slot(struct glance *g, const struct fid *fid)
{
	return &g->dir[(fid->seq * 31 + fid->oid) % DIR_SLOTS];
}

void glance_dir(struct flane *fl, const struct fid *fid, const struct attr *a)
{
	struct glance *g = fl->face->glance;

	if (!S_ISDIR(a->mode) || !g)
		return;
	pthread_mutex_lock(&g->lock);
	*dir_slot(g, fid) = (struct entry){*fid, *a};
	pthread_mutex_unlock(&g->lock);
}

bool glance_removed_dir(struct flane *fl, const struct fid *fid, struct attr *out)
{
	struct glance *g = fl->face->glance;
	const struct entry *e = dir_slot(g, fid);
	bool found;

	pthread_mutex_lock(&g->lock);
	found = fid_eq(&e->fid, fid);
	if (found)
		*out = e->attr;
	pthread_mutex_unlock(&g->lock);
	out->nlink = 0;
	out->seq = 0; /* nothing to keep */
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
