/* SPDX-License-Identifier: Apache-2.0 */
/* check_walk.c - all tables row by row, in steps of any size; one row again; and all of it at once
 * for tests and sheen-mds --check. See check.h.
 *
 * The order of tables matters to repairs: names are right before inodes are looked at, so that an
 * inode is nameless only when no directory has a name for it.
 */
#include "common/log.h"
#include "mds/check_rows.h"
#include "mds/dirent.h"
#include "mds/state.h"
#include "mds/xattr.h"
#include <sys/stat.h>

enum { MAX_TOLD = 50 };

#define PHASES(P)                                                                                  \
	P(dirent) P(diridx) P(link) P(inode) P(xattr) P(orphan) P(unsure) P(unlinklog) P(hsm)

enum phase {
#define PHASE_ENUM(nm) PHASE_##nm,
	PHASES(PHASE_ENUM)
#undef PHASE_ENUM
		PHASES_ALL
};

struct walk {
	struct checker *c;
	struct check_pos *pos;
	uint32_t left;
	bool stopped; /* and the position saved */
};

static bool stops(struct walk *w)
{
	return w->left == 0 || w->c->pause || w->c->rc || w->pos->dir.on;
}

static void save_name(struct check_pos *p, struct span name)
{
	p->name_len = (uint32_t)min_u64(name.len, sizeof(p->name));
	if (p->name_len)
		memcpy(p->name, name.ptr, p->name_len);
}

static struct span pos_name(const struct check_pos *p)
{
	return (struct span){p->name, p->name_len};
}

/* How a position names a row of each table. */
#define SAVE_dirent p->fid = k->parent, save_name(p, k->name)
#define LOAD_dirent                                                                                \
	{                                                                                          \
		p->fid, pos_name(p)                                                                \
	}
#define SAVE_diridx p->fid = k->parent, p->cookie = k->cookie
#define LOAD_diridx                                                                                \
	{                                                                                          \
		p->fid, p->cookie                                                                  \
	}
#define SAVE_link p->fid = k->fid, p->fid2 = k->parent, save_name(p, k->name)
#define LOAD_link                                                                                  \
	{                                                                                          \
		p->fid, p->fid2, pos_name(p)                                                       \
	}
#define SAVE_inode p->fid = k->fid
#define LOAD_inode                                                                                 \
	{                                                                                          \
		p->fid                                                                             \
	}
#define SAVE_xattr p->fid = k->fid, save_name(p, k->name)
#define LOAD_xattr                                                                                 \
	{                                                                                          \
		p->fid, pos_name(p)                                                                \
	}
#define SAVE_orphan p->fid = k->fid
#define LOAD_orphan                                                                                \
	{                                                                                          \
		p->fid                                                                             \
	}
#define SAVE_unsure p->fid = k->fid
#define LOAD_unsure                                                                                \
	{                                                                                          \
		p->fid                                                                             \
	}
#define SAVE_hsm p->fid = k->fid
#define LOAD_hsm                                                                                   \
	{                                                                                          \
		p->fid                                                                             \
	}
#define SAVE_unlinklog p->ost = k->ost, p->fid = k->fid, p->comp = k->comp, p->stripe = k->stripe
#define LOAD_unlinklog                                                                             \
	{                                                                                          \
		p->ost, p->fid, p->comp, p->stripe                                                 \
	}

static void start_dir(struct walk *w, const struct inode_key *k, const struct inode_rec *v)
{
	if (v && S_ISDIR(v->attr.mode))
		check_dir_start(&w->pos->dir, &k->fid, v);
}

#define ROW_THEN_dirent
#define ROW_THEN_diridx
#define ROW_THEN_link
#define ROW_THEN_inode start_dir(w, k, v);
#define ROW_THEN_xattr
#define ROW_THEN_orphan
#define ROW_THEN_unsure
#define ROW_THEN_unlinklog
#define ROW_THEN_hsm

#define PHASE_ROW(nm)                                                                              \
	static int nm##_row(void *arg, const struct nm##_key *k, const struct nm##_rec *v)         \
	{                                                                                          \
		struct walk *w = arg;                                                              \
		struct check_pos *p = w->pos;                                                      \
		if (stops(w)) {                                                                    \
			w->stopped = true;                                                         \
			SAVE_##nm;                                                                 \
			return 1;                                                                  \
		}                                                                                  \
		w->left--;                                                                         \
		p->rows++;                                                                         \
		check_##nm(w->c, k, v);                                                            \
		ROW_THEN_##nm return 0;                                                            \
	}                                                                                          \
	static int nm##_go(struct walk *w)                                                         \
	{                                                                                          \
		const struct check_pos *p = w->pos;                                                \
		return nm##_rec_walk(w->c->t, &(struct nm##_key)LOAD_##nm, nm##_row, w);           \
	}
PHASES(PHASE_ROW)

static int go(struct walk *w)
{
	static int (*const fns[PHASES_ALL])(struct walk * w) = {
#define PHASE_FN(nm) nm##_go,
		PHASES(PHASE_FN)
#undef PHASE_FN
	};

	return fns[w->pos->phase](w);
}

/* Where the next table starts; what is counted over all of them stays. */
static void next_phase(struct check_pos *p)
{
	struct check_pos next = {
		.phase = p->phase + 1, .dir = p->dir, .rows = p->rows, .skipped = p->skipped};

	next.end = next.phase == PHASES_ALL;
	*p = next;
}

/* A directory is counted before its table goes on. */
static void count_dir(struct walk *w)
{
	struct check_dir *d = &w->pos->dir;
	uint64_t before = d->cookie;
	int rc = check_dir_step(w->c, d, w->left);

	w->pos->skipped += rc == -EAGAIN;
	/* Cookies have gaps: that counts too much, which does no harm. */
	w->left = rc == 1 ? 0 : w->left - (uint32_t)min_u64(d->cookie - before, w->left);
}

void check_step(struct checker *c, struct check_pos *pos, uint32_t max)
{
	struct walk w = {.c = c, .pos = pos, .left = max};
	int rc = 0;

	while (rc == 0 && c->rc == 0 && !c->pause && w.left && !pos->end) {
		if (pos->dir.on) {
			count_dir(&w);
			continue;
		}
		w.stopped = false;
		rc = go(&w);
		if (rc == 0 && !w.stopped)
			next_phase(pos);
	}
	if (rc && !c->rc)
		c->rc = rc;
}

/* ---- one thing again ---- */

static void again_inode(struct checker *c, const struct finding *f)
{
	struct inode_key k = {f->fid};
	struct check_dir d = {0};
	struct inode_rec ino;
	int rc = inode_get(c->t, &f->fid, &ino);

	if (rc == 0 || rc == -EIO)
		check_inode(c, &k, rc ? NULL : &ino);
	if (rc || !S_ISDIR(ino.attr.mode))
		return;
	check_dir_start(&d, &f->fid, &ino);
	(void)check_dir_step(c, &d, UINT32_MAX - 1);
}

static void again_name(struct checker *c, const struct finding *f)
{
	struct dirent_key k = {f->parent, finding_name(f)};
	struct dirent_rec v;
	int rc = dirent_rec_get(c->t, &k, &v);

	if (rc == 0 || rc == -EIO)
		check_dirent(c, &k, rc ? NULL : &v);
}

static void again_index(struct checker *c, const struct finding *f)
{
	struct diridx_key k = {f->parent, f->cookie};
	struct diridx_rec v;
	int rc = diridx_rec_get(c->t, &k, &v);

	if (rc == 0 || rc == -EIO)
		check_diridx(c, &k, rc ? NULL : &v);
}

/* As the first link, and as a row of table link. */
static void again_link(struct checker *c, const struct finding *f)
{
	struct link_key k = {f->fid, f->parent, finding_name(f)};
	struct link_rec v;

	if (link_rec_get(c->t, &k, &v) != -ENOENT)
		check_link(c, &k, &v);
	else
		again_inode(c, f);
}

static void again_row(struct checker *c, const struct finding *f)
{
	struct xattr_key xk = {f->fid, finding_name(f)};
	struct xattr_rec xv;
	struct orphan_rec ov;
	struct unsure_rec uv;
	struct hsm_rec hv;

	switch (f->table) {
	case TABLE_link:
		again_link(c, f);
		break;
	case TABLE_xattr:
		if (xattr_rec_get(c->t, &xk, &xv) != -ENOENT)
			check_xattr(c, &xk, NULL);
		break;
	case TABLE_orphan:
		if (orphan_rec_get(c->t, &(struct orphan_key){f->fid}, &ov) != -ENOENT)
			check_orphan(c, &(struct orphan_key){f->fid}, NULL);
		break;
	case TABLE_unsure:
		if (unsure_rec_get(c->t, &(struct unsure_key){f->fid}, &uv) != -ENOENT)
			check_unsure(c, &(struct unsure_key){f->fid}, NULL);
		break;
	case TABLE_hsm:
		if (hsm_rec_get(c->t, &(struct hsm_key){f->fid}, &hv) != -ENOENT)
			check_hsm(c, &(struct hsm_key){f->fid}, NULL);
		break;
	}
}

void check_again(struct checker *c, const struct finding *f)
{
	struct unlinklog_key uk = {f->ost, f->fid, f->comp, f->stripe};
	struct unlinklog_rec uv;

	switch (f->kind) {
	case FINDING_damaged_name:
	case FINDING_misplaced_name:
	case FINDING_dangling_name:
	case FINDING_wrong_type:
	case FINDING_lost_index:
	case FINDING_unknown_name:
		again_name(c, f);
		break;
	case FINDING_stale_index:
		again_index(c, f);
		break;
	case FINDING_lost_name:
		again_link(c, f);
		break;
	case FINDING_stray_row:
		again_row(c, f);
		break;
	case FINDING_doomed_objects:
		if (unlinklog_rec_get(c->t, &uk, &uv) != -ENOENT)
			check_unlinklog(c, &uk, NULL);
		break;
	default:
		again_inode(c, f);
	}
}

/* ---- all at once ---- */

static void tell(void *arg, const struct finding *f)
{
	char text[FINDING_STRLEN];
	int *n = arg;

	if (++*n <= MAX_TOLD)
		log_err("mds check: %s", finding_str(f, text));
}

int mds_check_invariants(struct txn *t)
{
	struct check_pos pos = {0};
	int n = 0;
	struct checker c = {.t = t, .found = tell, .arg = &n};

	while (!pos.end && c.rc == 0)
		check_step(&c, &pos, UINT32_MAX - 1);
	return c.rc ? c.rc : n;
}

int mdt_check(struct mds *m)
{
	struct txn *t;
	bool in_batch;
	int rc = store_read(m->store, &t, &in_batch);

	return rc ? rc : mds_check_invariants(t);
}

int mdt_check_dir(struct loop *l, const char *dir)
{
	struct store_cfg sc = {
		.loop = l,
		.dir = dir,
		.tables = mds_tables,
		.ntables = MDS_NTABLES,
	};
	struct store *s;
	struct txn *t;
	bool in_batch;
	int rc = store_open(&sc, &s);

	if (rc)
		return rc;
	rc = store_read(s, &t, &in_batch);
	if (rc == 0)
		rc = mds_check_invariants(t);
	store_close(s);
	return rc;
}
