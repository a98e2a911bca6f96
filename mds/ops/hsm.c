/* SPDX-License-Identifier: Apache-2.0 */
/* hsm.c - mds_hsm_*: users look at what the archive has of a file and ask for work, movers do it.
 *
 * A file is archived as it is at one moment. It is given out when nobody writes it; DIRTY is taken
 * away in that transaction, and comes back with the next change. So when the mover has read all and
 * asks before it makes its copy visible, the answer is right without anybody having been kept from
 * writing. Replies leave when they are on the disk: nothing here has to be done again.
 */
#include "mds/evict.h"
#include "mds/hsm_queue.h"
#include "mds/inode.h"
#include "mds/state.h"
#include <sys/stat.h>

enum {
	GIVE_MAX = 64,
	PATIENCE_MS = 3000, /* for who still writes a file that is to be archived */
	LOOK_AGAIN_MS = 50, /* whether he is done */
};

/* ---- what there is of a file ---- */

static bool is_changed(const struct mds *m, const struct fid *fid, const struct inode_rec *ino,
		       const struct hsm_rec *rec)
{
	return (rec->flags & HSM_DIRTY) || hsm_is_written(m->opens, fid, &ino->attr);
}

static void tell_work(const struct hsm_queue *h, const struct fid *fid, struct mds_hsm_state_rep *p)
{
	const struct hsm_work *w = hsm_find_file(h, fid), *old = hsm_find_ended(h, fid);

	p->action = w ? w->action : HSM_NOOP;
	p->running = w && w->mover;
	p->moved = w ? w->moved : 0;
	p->error = old ? old->error : 0;
}

int mds_hsm_state(struct rpc_op *op, const struct mds_hsm_state_req *q,
		  struct mds_hsm_state_rep *p)
{
	struct mds *m = op_mds(op);
	struct inode_rec ino;
	struct hsm_rec rec;
	struct txn *t;
	int rc = op_co_settle_data(op, &q->fid);

	if (rc == 0)
		rc = op_read(op, &t);
	if (rc == 0)
		rc = ns_get(t, &q->fid, &ino);
	if (rc == 0)
		rc = hsm_get(t, &q->fid, &rec);
	if (rc)
		return rc;
	p->flags = rec.flags | (ino.attr.flags & INODE_RELEASED ? HSM_RELEASED : 0);
	if ((rec.flags & HSM_EXISTS) && is_changed(m, &q->fid, &ino, &rec))
		p->flags |= HSM_DIRTY;
	p->changed = (p->flags & HSM_DIRTY) || !(rec.flags & HSM_ARCHIVED) ||
		     rec.ctime != ino.attr.ctime;
	p->archive = rec.archive;
	p->ctime = rec.ctime;
	p->name = rec.name;
	p->etag = rec.etag;
	tell_work(m->hsm, &q->fid, p);
	rc = op_copy(op, &p->name);
	return rc ? rc : op_copy(op, &p->etag);
}

/* For a change of the row: what others have in the open batch of the inode comes first. */
static int begin_change(struct rpc_op *op, const struct fid *fid, struct txn **t,
			struct inode_rec *ino, struct hsm_rec *rec)
{
	int rc;

	if (ns_is_virtual(fid))
		return -EPERM;
	rc = op_share(op, &(struct share_use){*fid, SPAN_NONE, SHARE_LOOK}, 1);
	if (rc >= 0)
		rc = op_write_more(op, t);
	if (rc == 0)
		rc = inode_get(*t, fid, ino);
	if (rc == 0)
		rc = hsm_get(*t, fid, rec);
	op->durable = true;
	return rc;
}

int mds_hsm_set(struct rpc_op *op, const struct mds_hsm_set_req *q, struct mds_hsm_set_rep *p)
{
	struct inode_rec ino;
	struct hsm_rec rec;
	struct txn *t;
	int rc;

	if ((q->set | q->clear) & ~(uint32_t)HSM_ALL_FLAGS || q->archive > HSM_ARCHIVES)
		return -EINVAL;
	rc = begin_change(op, &q->fid, &t, &ino, &rec);
	if (rc)
		return rc;
	if (!S_ISREG(ino.attr.mode))
		return -EINVAL;
	if ((ino.attr.flags & INODE_RELEASED) &&
	    ((q->set & HSM_DIRTY) || (q->clear & (HSM_EXISTS | HSM_ARCHIVED))))
		return -EBUSY; /* the archive has the only copy */
	rec.flags = (rec.flags | q->set) & ~q->clear;
	/* What there is not is neither whole nor changed. */
	if (!(rec.flags & HSM_EXISTS) && (rec.flags & (HSM_DIRTY | HSM_ARCHIVED)))
		return -EINVAL;
	if (q->archive)
		rec.archive = q->archive;
	p->flags = rec.flags;
	return hsm_put(t, &q->fid, &rec);
}

/* ---- asking for work ---- */

static int cancel(struct rpc_op *op, struct txn *t, struct hsm_work *w, uint64_t *cookie)
{
	struct hsm_queue *h = op_mds(op)->hsm;

	if (!w)
		return 0;
	*cookie = w->cookie;
	w->canceled = true;
	co_wake_all(&h->news);
	return w->mover ? 0 : hsm_end(h, t, w, -ECANCELED);
}

/* 1: there is nothing to do. */
static int may_archive(const struct mds *m, const struct fid *fid, const struct inode_rec *ino,
		       const struct hsm_rec *rec, bool moved, uint32_t *archive)
{
	if (!S_ISREG(ino->attr.mode) && !S_ISLNK(ino->attr.mode))
		return -EINVAL;
	if (rec->flags & HSM_NOARCHIVE)
		return -EPERM;
	/* Its attributes and its name may be others than the copy's. */
	if (ino->attr.flags & INODE_RELEASED) {
		*archive = rec->archive;
		return !moved && rec->ctime == ino->attr.ctime;
	}
	if (!*archive)
		*archive = rec->archive ? rec->archive : m->hsm->default_archive;
	if ((rec->flags & HSM_EXISTS) && rec->archive && rec->archive != *archive)
		return -EINVAL;
	return (rec->flags & HSM_ARCHIVED) && !is_changed(m, fid, ino, rec) && !moved &&
	       rec->ctime == ino->attr.ctime;
}

/* 1: its data are here. */
static int may_restore(const struct inode_rec *ino, const struct hsm_rec *rec, uint32_t *archive)
{
	*archive = rec->archive;
	return !(ino->attr.flags & INODE_RELEASED);
}

static int may_remove(const struct inode_rec *ino, const struct hsm_rec *rec, uint32_t *archive)
{
	if (!(rec->flags & HSM_EXISTS))
		return -ENODATA;
	if (ino->attr.flags & INODE_RELEASED)
		return -EBUSY; /* it is the only one there is */
	if (*archive && rec->archive && *archive != rec->archive)
		return -EINVAL;
	*archive = rec->archive ? rec->archive : *archive;
	return 0;
}

int mds_hsm_request(struct rpc_op *op, const struct mds_hsm_request_req *q,
		    struct mds_hsm_request_rep *p)
{
	struct mds *m = op_mds(op);
	struct hsmwork_rec work = {.fid = q->fid, .action = q->action, .data = q->data};
	struct inode_rec ino;
	struct hsm_rec rec;
	struct hsm_work *w;
	struct txn *t;
	int rc;

	if (q->archive > HSM_ARCHIVES || q->data.len > HSM_DATA_MAX)
		return -EINVAL;
	if (m->hsm->control == HSM_STOPPED)
		return -EAGAIN;
	if (q->action == HSM_RELEASE)
		return hsm_co_release(op, &q->fid);
	rc = op_co_settle_data(op, &q->fid);
	if (rc == 0)
		rc = begin_change(op, &q->fid, &t, &ino, &rec);
	if (rc)
		return rc;
	w = hsm_find_file(m->hsm, &q->fid);
	if (q->action == HSM_CANCEL)
		return cancel(op, t, w, &p->cookie);
	/* Somebody has read it, and the mover is not done yet. */
	if (w && w->action == HSM_RESTORE && q->action == HSM_ARCHIVE &&
	    (ino.attr.flags & INODE_RELEASED))
		return 0;
	if (w && (w->action != q->action || w->canceled))
		return -EBUSY;
	if (w) {
		p->cookie = w->cookie;
		return 0;
	}
	work.archive = q->archive;
	work.asked = op->time;
	rc = -EINVAL;
	if (q->action == HSM_ARCHIVE)
		rc = may_archive(m, &q->fid, &ino, &rec,
				 span_eq(q->data, SPAN_STR(HSM_DATA_MOVED)), &work.archive);
	else if (q->action == HSM_RESTORE)
		rc = may_restore(&ino, &rec, &work.archive);
	else if (q->action == HSM_REMOVE)
		rc = may_remove(&ino, &rec, &work.archive);
	return rc ? rc < 0 ? rc : 0 : hsm_add(m->hsm, t, &work, &p->cookie);
}

/* ---- giving it out ---- */

struct giving {
	struct rpc_op *op;
	struct hsm_queue *h;
	struct hsm_mover *v;
	const struct mds_hsm_next_req *q;
	struct wbuf *out;
	uint32_t n;
	bool look_again; /* something may be given out soon, without any news */
};

static bool has(const struct mds_hsm_next_req *q, uint64_t cookie)
{
	struct rbuf b = rbuf_of(q->have);
	struct mds_hsm_cookie c;

	while (b.len && dec_mds_hsm_cookie(&b, &c) == 0)
		if (c.cookie == cookie)
			return true;
	return false;
}

static void put_work(struct giving *g, const struct hsm_work *w, uint32_t action,
		     const struct hsm_rec *rec, bool released)
{
	enc_mds_hsm_work(g->out, &(struct mds_hsm_work){
					 .cookie = w->cookie,
					 .action = action,
					 .fid = w->fid,
					 .archive = w->archive,
					 .name = rec->name,
					 .etag = rec->etag,
					 .data = SPAN_STR(w->data),
					 .same = (rec->flags & HSM_ARCHIVED) != 0,
					 .released = released,
				 });
	g->n++;
}

/* It is being written, perhaps not for long. */
static bool not_yet(const struct giving *g, const struct hsm_work *w)
{
	struct mds *m = g->h->m;
	struct inode_rec ino;
	struct txn *t;
	bool in_batch;

	return w->action == HSM_ARCHIVE &&
	       loop_now(m->loop) - w->since_ns < PATIENCE_MS * (uint64_t)NSEC_PER_MSEC &&
	       store_read(m->store, &t, &in_batch) == 0 && inode_get(t, &w->fid, &ino) == 0 &&
	       hsm_is_written(m->opens, &w->fid, &ino.attr);
}

/* Marks the file as archived as it is now. */
static int begin_archive(struct giving *g, struct txn *t, const struct hsm_work *w,
			 const struct inode_rec *ino, struct hsm_rec *rec)
{
	if (hsm_is_written(g->h->m->opens, &w->fid, &ino->attr)) {
		rec->flags |= HSM_EXISTS | HSM_DIRTY;
		(void)!hsm_put(t, &w->fid, rec);
		return -EBUSY;
	}
	if (rec->flags & HSM_DIRTY)
		rec->flags &= ~(uint32_t)(HSM_DIRTY | HSM_ARCHIVED);
	rec->flags |= HSM_EXISTS;
	rec->archive = w->archive;
	rec->ctime = ino->attr.ctime;
	return hsm_put(t, &w->fid, rec);
}

/* Gives w to the mover, or again; what cannot be done any more ends. Errors of the store. */
static int give(struct giving *g, struct hsm_work *w)
{
	struct inode_rec ino;
	struct hsm_rec rec;
	struct txn *t;
	int rc = op_write(g->op, &t), rc2;

	if (rc)
		return rc;
	rc = inode_get(t, &w->fid, &ino);
	if (rc == 0)
		rc = hsm_get(t, &w->fid, &rec);
	if (rc == 0 && w->action == HSM_ARCHIVE)
		rc = begin_archive(g, t, w, &ino, &rec);
	if (rc)
		return hsm_end(g->h, t, w, rc);
	/* What was put is elsewhere in the map now. */
	rc2 = hsm_get(t, &w->fid, &rec);
	if (rc2)
		return rc2;
	put_work(g, w, w->action, &rec, ino.attr.flags & INODE_RELEASED);
	if (!w->mover)
		hsm_give(g->h, w, g->v);
	return 0;
}

/* What it was given, and does not know of, and what it should give up. */
static int tell_again(struct giving *g)
{
	static const struct hsm_rec none;
	struct hsm_work *w, *next;
	int rc = 0;

	for (w = TAILQ_FIRST(&g->h->running); w && rc == 0 && g->n < g->q->max; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->mover != g->v->client)
			continue;
		if (!has(g->q, w->cookie)) {
			rc = give(g, w);
		} else if (w->canceled && !w->told) {
			w->told = true;
			put_work(g, w, HSM_CANCEL, &none, false);
		}
	}
	return rc;
}

static int give_new(struct giving *g, struct hsm_list *from)
{
	struct hsm_work *w, *next;
	int rc = 0;

	for (w = TAILQ_FIRST(from); w && rc == 0; w = next) {
		next = TAILQ_NEXT(w, link);
		if (g->n >= g->q->max || g->h->nrunning >= g->h->max_requests)
			break;
		if (!(g->q->archives & 1U << (w->archive - 1)))
			continue;
		if (not_yet(g, w))
			g->look_again = true;
		else
			rc = give(g, w);
	}
	return rc;
}

/* What the mover is to have released, for space: nothing that it tells the end of. */
static void give_evictions(struct giving *g)
{
	static const struct hsm_rec none;
	struct hsm_work w = {.data = (char[]){""}};

	while (g->n < g->q->max && evict_next(g->h->evict, &w.fid)) {
		w.cookie = g->h->next_cookie++;
		put_work(g, &w, HSM_RELEASE, &none, false);
	}
}

static int give_all(struct giving *g)
{
	uint32_t i;
	int rc;

	g->n = 0;
	g->out->len = 0;
	g->look_again = false;
	hsm_tidy(g->h);
	rc = tell_again(g);
	for (i = 0; i < HSM_RANKS && rc == 0 && g->h->control == HSM_ENABLED; i++)
		rc = give_new(g, &g->h->waiting[i]);
	if (rc == 0 && g->h->control == HSM_ENABLED)
		give_evictions(g);
	return rc ? rc : g->out->rc;
}

static int wait_for_work(struct giving *g, struct client *c, uint64_t until)
{
	struct loop *l = g->h->m->loop;
	const uint64_t look_ns = LOOK_AGAIN_MS * (uint64_t)NSEC_PER_MSEC;
	uint64_t mine = ++g->v->asked, soon;
	int rc;

	for (;;) {
		rc = give_all(g);
		if (rc || g->n)
			return rc;
		soon = g->look_again ? loop_now(l) + look_ns : until;
		client_enter(c);
		rc = co_wait(&g->h->news, soon < until ? soon : until);
		if (client_leave(c))
			return -ESTALE;
		if (rc && rc != -ETIMEDOUT)
			return rc;
		/* It has asked again, on another connection; or nothing came. */
		if (mine != g->v->asked || loop_now(l) >= until)
			return 0;
	}
}

int mds_hsm_next(struct rpc_op *op, const struct mds_hsm_next_req *q, struct mds_hsm_next_rep *p)
{
	struct mds *m = op_mds(op);
	struct client *c = op_client(op);
	struct wbuf w;
	struct giving g = {.op = op, .h = m->hsm, .q = q, .out = &w};
	int rc;

	if (!q->archives || !q->max || q->max > GIVE_MAX || op->session->kind != PEER_CLIENT)
		return -EINVAL;
	if (m->stopping)
		return -ESHUTDOWN;
	g.v = hsm_mover_of(g.h, c);
	if (!g.v)
		return -ENOMEM;
	g.v->archives = q->archives;
	wbuf_init(&w, MAX_BODY / 2);
	rc = wait_for_work(&g, c, loop_now(m->loop) + lease_term_ns(m) / 3);
	p->work = wbuf_span(&w);
	if (rc == 0)
		rc = op_copy(op, &p->work);
	wbuf_fini(&w);
	return rc;
}

/* ---- hearing of it ---- */

static void archived(struct hsm_rec *rec, const struct mds_hsm_progress_req *q, bool changed)
{
	if (q->error) {
		if (rec->flags & HSM_EXISTS)
			rec->flags |= HSM_DIRTY;
		return;
	}
	rec->flags |= HSM_EXISTS | HSM_ARCHIVED;
	if (changed)
		rec->flags |= HSM_DIRTY;
	rec->name = q->name;
	rec->etag = q->etag;
}

static void removed(struct hsm_rec *rec, const struct mds_hsm_progress_req *q)
{
	if (q->error)
		return;
	rec->flags &= ~(uint32_t)(HSM_EXISTS | HSM_ARCHIVED | HSM_DIRTY | HSM_LOST);
	rec->archive = 0;
	rec->ctime = 0;
	rec->name = rec->etag = SPAN_NONE;
}

static int finish(struct rpc_op *op, struct txn *t, struct hsm_work *w,
		  const struct mds_hsm_progress_req *q, const struct inode_rec *ino,
		  struct hsm_rec *rec)
{
	struct mds *m = op_mds(op);
	int rc = 0;

	if (ino) {
		if (w->action == HSM_ARCHIVE)
			archived(rec, q, is_changed(m, &w->fid, ino, rec));
		else if (w->action == HSM_REMOVE)
			removed(rec, q);
		else if (q->error == -ENOENT)
			rec->flags |= HSM_LOST; /* nobody can bring it back */
		rc = hsm_put(t, &w->fid, rec);
	}
	return rc ? rc : hsm_end(m->hsm, t, w, q->error);
}

int mds_hsm_progress(struct rpc_op *op, const struct mds_hsm_progress_req *q,
		     struct mds_hsm_progress_rep *p)
{
	struct mds *m = op_mds(op);
	struct hsm_work *w = hsm_find(m->hsm, q->cookie);
	struct inode_rec ino;
	struct hsm_rec rec;
	struct txn *t;
	int rc;

	if (q->name.len > HSM_NAME_MAX || q->etag.len > HSM_ETAG_MAX || q->error > 0)
		return -EINVAL;
	p->stop = !w || w->mover != op_client(op);
	if (p->stop)
		return 0; /* it was given to another, or done by a request whose answer was lost */
	w->moved = q->moved;
	w->since_ns = loop_now(m->loop);
	p->stop = w->canceled;
	op->durable = true;
	if (w->action == HSM_RESTORE && q->done && !q->error) {
		if (w->trunc_gen)
			return hsm_co_restored(op, q->cookie);
		hsm_take_back(m->hsm, w); /* of an earlier life: nobody knows what it is */
		p->stop = true;
		return 0;
	}
	rc = q->done ? op_write(op, &t) : op_read(op, &t);
	if (rc == 0)
		rc = inode_get(t, &w->fid, &ino);
	if (rc == -ENOENT) { /* the file was removed meanwhile */
		p->stop = 1;
		return q->done ? finish(op, t, w, q, NULL, NULL) : 0;
	}
	if (rc == 0)
		rc = hsm_get(t, &w->fid, &rec);
	if (rc)
		return rc;
	p->changed = is_changed(m, &w->fid, &ino, &rec);
	return q->done ? finish(op, t, w, q, &ino, &rec) : 0;
}
