/* SPDX-License-Identifier: Apache-2.0 */
/* lfsck_layout.c - layouts against objects, and back; see lfsck.h.
 *
 * First every file whose size is sure: the object that it ends in must be there and end there. A
 * file that is not at rest, before its OSTs are asked or after, is left out: whoever writes or cuts
 * it says so in the tables first, so what was asked in between belongs to the size that the tables
 * have.
 *
 * Then every object of every OST: its file must have it in its layout. Tables are looked at after
 * the OST has listed the object, and a file is in them before anybody can write to it, so an object
 * whose file is not there is one of a removed file. Unless the unlink log still has it, its OST has
 * been told to destroy it and has answered: so it is asked again, and what is still there has no
 * owner.
 */
#include "common/layout.h"
#include "mds/inode.h"
#include "mds/lfsck.h"
#include "mds/lfsck_fix.h"
#include "mds/lfsck_lost.h"
#include "mds/unlinklog.h"
#include <stdlib.h>
#include <sys/stat.h>

enum {
	FILES = 64, /* of one step */
	WORKERS = 8,
	ASK_MS = 10000,
	SUSPECTS = 4096, /* as many as one reply may list */
};

/* What must be the same before and after. */
struct rest {
	uint64_t size;
	int64_t ctime;
	uint32_t trunc_gen;
	bool quiet;
};

/* ---- files ---- */

struct files {
	struct lfsck *l;
	struct fid fid[FILES], at; /* at: the first that is not of this step */
	uint32_t n, next, rows;
	bool more, partial;
};

static int file_row(void *arg, const struct inode_key *k, const struct inode_rec *v)
{
	struct files *f = arg;

	if (f->n == FILES || f->rows++ == 4 * FILES) {
		f->at = k->fid;
		f->more = true;
		return 1;
	}
	if (v && S_ISREG(v->attr.mode) && (v->attr.flags & INODE_HAS_OBJECTS))
		f->fid[f->n++] = k->fid;
	return 0;
}

static struct rest look(struct mds *m, const struct fid *fid, struct layout **layout)
{
	const struct node *n = node_find(m->opens, fid);
	struct rest r = {.quiet = false};
	struct inode_rec ino;
	struct txn *t;
	bool in_batch;

	if (store_read(m->store, &t, &in_batch) || inode_get(t, fid, &ino))
		return r;
	if (!(ino.attr.flags & INODE_HAS_OBJECTS))
		return r;
	if (layout && inode_layout(fid, &ino, layout))
		return r; /* said by the other part */
	r.size = ino.attr.size;
	r.ctime = ino.attr.ctime;
	r.trunc_gen = ino.attr.trunc_gen;
	/* Clients keep files open for reading long after their last close. One without a name goes
	 * with that. */
	r.quiet = !(n && n->nwriters) && ino.attr.nlink &&
		  !(ino.attr.flags & (ATTR_SIZE_UNSURE | INODE_RELEASED));
	return r;
}

static bool same(const struct rest *a, const struct rest *b)
{
	return a->quiet && b->quiet && a->size == b->size && a->ctime == b->ctime &&
	       a->trunc_gen == b->trunc_gen;
}

static int ask(struct mds *m, uint32_t ost, const struct object_id *o, struct oss_getattr_rep *p)
{
	struct oss_getattr_req q = {.fid = o->fid, .comp = o->comp, .stripe = o->stripe};
	struct rpc_import *imp = ost_co_import(m, ost);
	RPC_CALL(call);

	if (!imp)
		return -ENODEV;
	call.deadline_ms = ASK_MS;
	return oss_co_getattr(imp, &call, &q, p);
}

/* What is wrong with one object of a file at rest; false: nothing. */
static bool judge(const struct layout_comp *c, uint32_t stripe, uint64_t size, int rc,
		  const struct oss_getattr_rep *p, struct finding *f)
{
	uint64_t end = layout_obj_size(c, stripe, size);
	bool ends_here = end && layout_file_size(c, stripe, end) == size;

	if (rc == -EUCLEAN) {
		f->kind = FINDING_damaged_object;
		return true;
	}
	f->have = p->size;
	f->want = end;
	if (!(p->flags & OBJ_EXISTS)) {
		f->kind = FINDING_missing_object;
		return ends_here;
	}
	f->kind = FINDING_foreign_object;
	if (p->stripe_count &&
	    (p->stripe_count != (uint32_t)c->stripe_count || p->stripe_size != c->stripe_size))
		return true;
	f->kind = FINDING_short_object;
	return ends_here && p->size < end;
}

/* 1: a finding, if the file has been at rest all the time; 0; -EAGAIN: the OST does not answer. */
static int check_object(struct lfsck *l, const struct fid *fid, const struct layout_comp *c,
			uint32_t stripe, const struct rest *r, struct finding *f)
{
	struct object_id o = {*fid, c->id, stripe};
	struct oss_getattr_rep p = {.flags = 0};
	int rc = ask(l->m, c->ost[stripe], &o, &p);

	if (rc && rc != -EUCLEAN)
		return -EAGAIN;
	*f = (struct finding){.fid = *fid, .ost = c->ost[stripe], .comp = c->id, .stripe = stripe};
	return judge(c, stripe, r->size, rc, &p, f);
}

static int check_file(struct files *s, const struct fid *fid)
{
	CLEANUP(layout_freep) struct layout *layout = NULL;
	struct rest r = look(s->l->m, fid, &layout), now;
	const struct layout_comp *c;
	struct finding f;
	uint32_t i, k;
	int rc;

	for (i = 0; r.quiet && layout && i < layout->ncomp; i++) {
		c = &layout->comp[i];
		for (k = 0; c->ost && k < (uint32_t)c->stripe_count; k++) {
			rc = check_object(s->l, fid, c, k, &r, &f);
			s->partial |= rc < 0;
			now = look(s->l->m, fid, NULL);
			if (!same(&r, &now))
				return 0; /* whoever works on it knows better */
			if (rc > 0)
				lfsck_co_found(s->l, &f, NULL, NULL);
		}
	}
	return 0;
}

static int file_worker(void *arg)
{
	struct files *s = arg;

	while (s->next < s->n && !s->l->stop && !s->l->closing)
		(void)!check_file(s, &s->fid[s->next++]);
	return 0;
}

static int co_files(struct lfsck *l, bool *partial)
{
	struct co_group g = CO_GROUP_INIT;
	struct inode_key at = {{0}};
	struct files *s = calloc(1, sizeof(*s));
	uint64_t began;
	bool in_batch, end = false;
	struct txn *t;
	int i, rc = s ? 0 : -ENOMEM;

	while (rc == 0 && !end) {
		began = loop_clock(l->m->loop);
		*s = (struct files){.l = l};
		rc = store_read(l->m->store, &t, &in_batch);
		if (rc == 0)
			rc = inode_rec_walk(t, &at, file_row, s);
		if (rc)
			break;
		at.fid = s->at;
		for (i = 0; i < WORKERS; i++)
			co_spawn(&g, file_worker, s);
		rc = co_join(&g);
		l->part[CHECK_LAYOUT].checked += s->n;
		*partial |= s->partial;
		end = lfsck_co_pace(l, began, s->n) || !s->more;
	}
	free(s);
	return rc;
}

/* ---- objects ---- */

/* 0: the object has a place in its file's layout, or goes its way; else the kind of finding, which
 * needs a second look. */
static int owner_of(struct mds *m, struct txn *t, uint32_t ost, const struct object_id *o)
{
	CLEANUP(layout_freep) struct layout *l = NULL;
	struct unlinklog_key k = {ost, o->fid, o->comp, o->stripe};
	struct unlinklog_rec row;
	struct inode_rec ino;
	uint32_t i;
	int rc = inode_get(t, &o->fid, &ino);

	if (rc == 0 && inode_layout(&o->fid, &ino, &l))
		return 0;
	for (i = 0; rc == 0 && l && i < l->ncomp; i++) {
		const struct layout_comp *c = &l->comp[i];

		if (c->id == o->comp && c->ost && o->stripe < (uint32_t)c->stripe_count &&
		    c->ost[o->stripe] == ost)
			return 0;
	}
	if (rc && rc != -ENOENT)
		return 0; /* a damaged inode: its objects are its own */
	if (node_find(m->opens, &o->fid))
		return 0; /* somebody works on it: a truncation of a removed file, say */
	if (unlinklog_rec_get(t, &k, &row) != -ENOENT)
		return 0;
	return rc ? FINDING_ownerless_object : FINDING_misplaced_object;
}

static int owner_now(struct mds *m, uint32_t ost, const struct object_id *o)
{
	struct txn *t;
	bool in_batch;
	int rc = store_read(m->store, &t, &in_batch);

	return rc ? 0 : owner_of(m, t, ost, o);
}

struct objects {
	struct lfsck *l;
	uint32_t ost;
	struct oss_list_req cursor;
	struct object_id *suspect;
	uint32_t nsuspects, listed;
	struct lost *lost;
	bool partial;
};

static int list_some(struct objects *s, bool *eof)
{
	struct rpc_import *imp = ost_co_import(s->l->m, s->ost);
	struct mds *m = s->l->m;
	struct oss_list_rep p;
	struct oss_object o;
	struct rbuf r;
	struct txn *t;
	bool in_batch;
	RPC_CALL(call);
	int rc;

	if (!imp)
		return -ENODEV;
	call.deadline_ms = ASK_MS;
	rc = oss_co_list(imp, &call, &s->cursor, &p);
	if (rc == 0)
		rc = store_read(m->store, &t, &in_batch);
	for (r = rbuf_of(p.objects), s->nsuspects = s->listed = 0; rc == 0 && r.len;) {
		rc = dec_oss_object(&r, &o);
		if (rc || s->nsuspects == SUSPECTS)
			return rc ? rc : -EBADMSG;
		s->listed++;
		s->suspect[s->nsuspects] = (struct object_id){o.fid, o.comp, o.stripe};
		s->nsuspects += owner_of(m, t, s->ost, &s->suspect[s->nsuspects]) != 0;
	}
	if (rc)
		return rc;
	s->cursor = (struct oss_list_req){p.seq, p.dir, p.fid, p.comp, p.stripe};
	*eof = p.eof;
	return 0;
}

static void check_suspect(struct objects *s, const struct object_id *o)
{
	struct finding f = {.fid = o->fid, .ost = s->ost, .comp = o->comp, .stripe = o->stripe};
	struct oss_getattr_rep p;
	int kind, rc = ask(s->l->m, s->ost, o, &p);

	if (rc && rc != -EUCLEAN)
		s->partial = true;
	if (rc || !(p.flags & OBJ_EXISTS))
		return;
	kind = owner_now(s->l->m, s->ost, o);
	if (!kind)
		return;
	f.kind = (enum finding_kind)kind;
	f.have = p.size;
	if (kind == FINDING_ownerless_object && lost_add(s->lost, &f, &p))
		return; /* told when all objects of its file are known */
	lfsck_co_found(s->l, &f, NULL, NULL);
}

static int co_ost(struct objects *s)
{
	struct lfsck *l = s->l;
	uint64_t began;
	bool eof = false;
	uint32_t i;
	int rc = 0;

	s->cursor = (struct oss_list_req){.seq = 0};
	while (rc == 0 && !eof) {
		began = loop_clock(l->m->loop);
		rc = list_some(s, &eof);
		for (i = 0; rc == 0 && i < s->nsuspects && !l->stop && !l->closing; i++)
			check_suspect(s, &s->suspect[i]);
		l->part[CHECK_LAYOUT].objects += s->listed;
		if (lfsck_co_pace(l, began, s->listed))
			return 0;
	}
	return rc;
}

static int fix_lost(void *arg, struct txn *t, const struct finding *f, int64_t now)
{
	struct lost_file *file = arg;
	struct inode_rec ino;
	int rc;

	if (inode_get(t, &f->fid, &ino) == 0)
		return file->adopted ? 0 : -ENOENT; /* with its other objects */
	if (!file->layout)
		return -EOPNOTSUPP;
	rc = lfsck_adopt(t, &f->fid, file->layout, file->trunc_gen, now);
	file->adopted = rc == 0;
	return rc;
}

/* A file can be put together only when all OSTs have told what they have of it. */
static void co_lost(struct objects *s)
{
	struct lost_file file = {.next = 0};
	uint32_t i;

	lost_sort(s->lost);
	while (lost_next(s->lost, &file)) {
		for (i = 0; i < file.n && !s->l->stop && !s->l->closing; i++)
			lfsck_co_found(s->l, &file.at[i].f, s->partial ? NULL : fix_lost, &file);
		layout_free(file.layout);
	}
}

static int co_objects(struct lfsck *l, bool *partial)
{
	struct objects s = {.l = l};
	uint32_t ost;
	int rc = lost_create(&s.lost);

	s.suspect = calloc(SUSPECTS, sizeof(*s.suspect));
	if (rc == 0 && !s.suspect)
		rc = -ENOMEM;
	for (ost = 0; rc == 0 && !l->stop && !l->closing && ost_next(l->m, &ost); ost++) {
		s.ost = ost;
		s.partial |= co_ost(&s) != 0;
	}
	if (rc == 0)
		co_lost(&s);
	*partial |= s.partial;
	free(s.suspect);
	lost_destroy(s.lost);
	return rc;
}

int lfsck_co_layout(struct lfsck *l)
{
	bool partial = false;
	int rc = co_files(l, &partial);

	if (rc == 0)
		rc = co_objects(l, &partial);
	return rc ? rc : partial ? -EAGAIN : 0;
}
