/* SPDX-License-Identifier: Apache-2.0 */
/* statfs.c - space of the whole file system, from the MDS, which keeps watch over the OSTs.
 *
 * Blocks are the sum over OSTs. Inodes are the MDT's, but no more can be made than there are
 * objects left. Servers that are down do not stop this: the MDS tells which OSTs do not answer, and
 * when it does not answer itself the OSTs are asked, and of the MDT stands what it said last.
 */
#include "client/core/core.h"
#include <stdlib.h>

enum {
	BLOCK = 4096,
	MDS_MS = 1000, /* df does not wait longer for an MDS: nothing hangs on its answer */
	OST_MS = 500,
};

static void add_target(struct fs_space *s, const struct mds_target_stat *t, uint64_t *objects,
		       uint64_t *mdt_free)
{
	if (t->type == TARGET_MDT) {
		s->files += t->files;
		*mdt_free += t->ffree;
	} else if (!t->error && !(t->state & TARGET_INACTIVE)) {
		s->blocks += t->total / BLOCK;
		s->bfree += t->free / BLOCK;
		s->bavail += t->avail / BLOCK;
		*objects += t->ffree;
	}
}

/* ---- what was told last ---- */

struct space_list {
	struct lane *ln;
	struct mds_target_stat *at;
	uint32_t n;
};

static struct mds_target_stat *list_find(const struct space_list *l, uint8_t type, uint32_t index)
{
	uint32_t i;

	for (i = 0; i < l->n; i++)
		if (l->at[i].type == type && l->at[i].index == index)
			return &l->at[i];
	return NULL;
}

/* fs->lock is held. */
static int list_add(struct space_list *l, const struct mds_target_stat *t)
{
	struct mds_target_stat *at = realloc(l->at, (l->n + 1) * sizeof(*at));

	if (!at)
		return -ENOMEM;
	l->at = at;
	l->at[l->n++] = *t;
	return 0;
}

static void remember(struct fs *fs, const struct space_list *l)
{
	struct mds_target_stat *copy = malloc(l->n * sizeof(*copy));

	if (!copy)
		return;
	memcpy(copy, l->at, l->n * sizeof(*copy));
	fs_lock(fs);
	free(fs->space);
	fs->space = copy;
	fs->nspace = l->n;
	fs_unlock(fs);
}

/* All targets of the configuration, with what was told of them last; none answers yet. */
static int recollect(struct fs *fs, struct space_list *l)
{
	struct space_list last = {0};
	struct ost *o;
	int rc = 0;

	fs_lock(fs);
	last.at = fs->space;
	last.n = fs->nspace;
	TAILQ_FOREACH(o, &fs->osts, link) {
		struct mds_target_stat t = {.type = o->type, .index = o->index};
		const struct mds_target_stat *known = list_find(&last, o->type, o->index);

		t = known ? *known : t;
		t.error = -EAGAIN;
		rc = rc ? rc : list_add(l, &t);
	}
	fs_unlock(fs);
	return rc;
}

/* ---- asking ---- */

static int ask_mds(struct lane *ln, struct space_list *l)
{
	struct mds_statfs_req q = {};
	struct mds_statfs_rep p;
	struct rbuf r;
	RPC_CALL(call);
	int rc;

	call.deadline_ms = MDS_MS;
	rc = mds_co_statfs(ln->mdt->imp, &call, &q, &p);
	if (rc)
		return rc;
	for (r = rbuf_of(p.targets); r.len && rc == 0;) {
		struct mds_target_stat t;

		rc = dec_mds_target_stat(&r, &t);
		if (rc == 0)
			rc = list_add(l, &t);
	}
	if (rc == 0)
		remember(ln->fs, l);
	return rc == -EBADMSG ? -EIO : rc;
}

static int ask_ost(void *arg, uint32_t i)
{
	struct space_list *l = arg;
	struct mds_target_stat *t = &l->at[i];
	struct oss_statfs_req q = {};
	struct oss_statfs_rep p;
	RPC_CALL(call);

	if (t->type != TARGET_OST || t->index >= l->ln->nost || !l->ln->ost[t->index])
		return 0;
	call.deadline_ms = OST_MS;
	if (oss_co_statfs(l->ln->ost[t->index]->imp, &call, &q, &p))
		return 0; /* it has none */
	t->error = 0;
	t->state = (t->state & TARGET_INACTIVE) | p.state;
	t->total = p.total;
	t->free = p.free;
	t->avail = p.avail;
	t->files = p.files;
	t->ffree = p.ffree;
	return 0;
}

/* Those that this client shall not use. */
static void mark_inactive(struct fs *fs, struct space_list *l)
{
	struct mds_target_stat *t;
	struct ost *o;

	fs_lock(fs);
	TAILQ_FOREACH(o, &fs->osts, link) {
		t = o->active ? NULL : list_find(l, o->type, o->index);
		if (t)
			t->state |= TARGET_INACTIVE;
	}
	fs_unlock(fs);
}

int fs_co_statfs_targets(struct lane *ln, fs_target_stat_fn *fn, void *arg)
{
	struct space_list l = {.ln = ln};
	uint32_t i;
	int rc;
	OP_TIMER(ln, statfs);

	rc = ask_mds(ln, &l);
	if (rc) {
		l.n = 0;
		rc = recollect(ln->fs, &l);
		if (rc == 0)
			rc = lane_co_fan(ln, l.n, ask_ost, &l);
	}
	mark_inactive(ln->fs, &l);
	for (i = 0; i < l.n && rc == 0; i++)
		fn(arg, &l.at[i]);
	free(l.at);
	return rc;
}

struct sum {
	struct fs_space s;
	uint64_t objects, mdt_free;
};

static void sum_target(void *arg, const struct mds_target_stat *t)
{
	struct sum *s = arg;

	add_target(&s->s, t, &s->objects, &s->mdt_free);
}

int fs_co_statfs(struct lane *ln, struct fs_space *out)
{
	struct sum s = {.s = {.bsize = BLOCK}};
	int rc = fs_co_statfs_targets(ln, sum_target, &s);
	uint64_t used;

	if (rc)
		return rc;
	used = s.s.files - min_u64(s.s.files, s.mdt_free);
	s.s.ffree = s.objects ? min_u64(s.mdt_free, s.objects) : s.mdt_free;
	s.s.files = used + s.s.ffree;
	*out = s.s;
	return 0;
}

bool fs_mds_is_away(struct lane *ln)
{
	return ln->mdt && (rpc_import_state(ln->mdt->imp) != IMP_FULL ||
			   rpc_import_silent_ns(ln->mdt->imp) >= MDS_MS * NSEC_PER_MSEC);
}
