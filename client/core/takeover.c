/* SPDX-License-Identifier: Apache-2.0 */
/* takeover.c - a mount that another process has served, until it died or made way.
 *
 * That process left a book (book.h). Its identity at the servers is this one's: so sessions, open
 * files and locks are still there. Leases are not taken over, because what was cached under them is
 * lost: the MDS goes on believing that this client has them, and takes each back when somebody
 * needs it; then the kernel is told to forget, whether this process knows of the lease or not.
 *
 * Requests that were not answered come again. One that had been sent to the MDS is sent under the
 * same slot and xid (rpc_import_cfg.claims), and what it opened is here already. What the last
 * process had answered and kept back is lost with it: of such data the next fsync or close tells.
 */
#include "client/core/core.h"
#include "common/log.h"
#include <fcntl.h>
#include <stdlib.h>

enum { NOTES = BOOK_LANES * SESSION_SLOTS };

/* ---- places of open files ---- */

/* One that the last process was opening, or had opened and not told, for this request. */
static struct book_file *unsettled(struct fs *fs, uint64_t tag, bool open)
{
	struct book *b = fs->cfg.book;
	uint32_t i, n = fs->last.nunsettled && tag ? book_head(b)->nfiles : 0;
	struct book_file *p;

	for (i = 0; i < n; i++) {
		p = book_file_at(b, i);
		if (p->tag == tag && p->state && !(p->state & BOOK_RELEASED) &&
		    !(p->state & BOOK_OPEN) == !open && !book_object(b, i) == !open)
			return p;
	}
	return NULL;
}

int file_place(struct fs *fs, struct file *f)
{
	struct book *b = fs->cfg.book;
	struct book_file *p;

	if (!b)
		return 0;
	p = unsettled(fs, fiber_tag(), false);
	if (p) /* the MDS may have it open under this id already */
		f->open_id = p->open_id;
	else
		p = book_file_get(b);
	if (!p)
		return -ENFILE;
	p->lane = (uint16_t)f->lane;
	p->flags = (uint32_t)f->flags;
	p->open_id = f->open_id;
	p->tag = fiber_tag();
	f->place = p;
	book_set_object(b, book_file_index(b, p), f);
	return 0;
}

void file_place_fid(struct file *f, const struct fid *fid)
{
	if (f->place)
		f->place->fid = *fid;
}

void file_place_open(struct file *f, const struct fid *fid)
{
	file_place_fid(f, fid);
	if (f->place)
		book_file_set(f->place, BOOK_OPEN);
}

void file_place_gone(struct file *f)
{
	struct data *d = f->data;

	if (!f->place)
		return;
	if (d) {
		pthread_mutex_lock(&d->lock);
		if (d->marked == f->place)
			d->marked = NULL;
		pthread_mutex_unlock(&d->lock);
	}
	book_file_put(f->fs->cfg.book, f->place);
	f->place = NULL;
}

void file_told(struct file *f)
{
	struct book_file *p = f->place;

	if (!p)
		return;
	p->tag = fiber_tag();
	p->flags = (uint32_t)f->flags;
	p->cached = f->cached;
	book_file_clear(p, BOOK_RELEASED | BOOK_STALE);
	book_file_set(p, BOOK_TOLD);
}

/* It may be kept, and told again. */
void file_released(struct file *f)
{
	if (f->place)
		book_file_set(f->place, BOOK_RELEASED);
}

uint64_t file_number(const struct file *f)
{
	return (uint64_t)book_file_index(f->fs->cfg.book, f->place) + 1;
}

struct file *fs_file(struct fs *fs, uint64_t number)
{
	return number ? book_object(fs->cfg.book, number - 1) : NULL;
}

/* ---- appends ---- */

void file_place_append(struct file *f, uint64_t off)
{
	struct book_file *p = f->place;

	if (!p)
		return;
	p->append_tag = 0;
	atomic_signal_fence(memory_order_seq_cst);
	p->append_off = off;
	atomic_signal_fence(memory_order_seq_cst);
	p->append_tag = fiber_tag();
}

bool takeover_co_appended(struct lane *ln, struct file *f, const uint8_t *buf, size_t len,
			  uint64_t *off)
{
	const struct book_file *p = f->place;
	uint8_t *there;
	bool same;

	if (!ln->fs->last.inherited || !p || !fiber_tag() || p->append_tag != fiber_tag())
		return false;
	there = malloc(len + 1);
	if (!there)
		return false;
	*off = p->append_off;
	same = io_co_fetch(ln, f, there, len, *off) == (ssize_t)len && !memcmp(there, buf, len);
	free(there);
	return same;
}

/* ---- locks that are on their way ---- */

struct book_lock *lock_place(struct lane *ln, const struct mds_setlk_req *q,
			     enum book_lock_use use)
{
	struct book_lock *p = ln->fs->cfg.book ? book_lock_get(ln->fs->cfg.book) : NULL;

	if (!p)
		return NULL;
	*p = (struct book_lock){.space = q->space,
				.type = q->type,
				.pid = q->pid,
				.fid = q->fid,
				.owner = q->owner,
				.start = q->start,
				.end = q->end};
	p->used = use;
	return p;
}

void lock_place_gone(struct lane *ln, struct book_lock *p)
{
	if (p)
		book_lock_put(ln->fs->cfg.book, p);
}

/* Who waited asks again. */
static void co_drop_wanted(struct lane *ln, struct book_lock *p)
{
	struct mds_cancel_req c = {.xid = p->xid};
	struct mds_cancel_rep crep;
	RPC_CALL(cancel);
	int rc = p->xid ? mds_co_cancel(ln->mdt->imp, &cancel, &c, &crep) : 0;

	if (rc && rc != -ENOENT)
		log_warn("a lock that was waited for: %s", err_str(rc));
	if (p->used == BOOK_LOCK_APPEND) {
		struct mds_setlk_req q = {.fid = p->fid,
					  .space = p->space,
					  .owner = p->owner,
					  .type = F_UNLCK,
					  .end = UINT64_MAX};
		struct mds_setlk_rep rep;
		RPC_CALL(call);

		rc = mds_co_setlk(ln->mdt->imp, &call, &q, &rep);
		if (rc)
			log_warn("an append lock cannot be given back: %s", err_str(rc));
	}
	lock_place_gone(ln, p);
}

static void co_drop_all_wanted(struct lane *ln)
{
	struct book *b = ln->fs->cfg.book;
	uint32_t i;

	for (i = 0; i < book_head(b)->nlocks; i++)
		if (book_lock_at(b, i)->used > BOOK_LOCK_HELD)
			co_drop_wanted(ln, book_lock_at(b, i));
}

/* ---- from the book ---- */

static struct file *restore(struct fs *fs, struct book_file *p)
{
	struct file *f = calloc(1, sizeof(*f));
	struct data *d = f ? data_get(fs, &p->fid) : NULL;
	bool writes = (p->flags & O_ACCMODE) != O_RDONLY;

	if (!d) {
		free(f);
		return NULL;
	}
	pthread_mutex_init(&f->lock, NULL);
	*f = (struct file){
		.lock = f->lock,
		.fs = fs,
		.fid = p->fid,
		.data = d,
		.counted = true,
		.cached = p->cached,
		.flags = (int)p->flags,
		.open_id = p->open_id,
		.open_seq = OPEN_SEQ_UNKNOWN,
		.lane = p->lane < book_head(fs->cfg.book)->nlanes ? p->lane : 0,
		.wrote = writes, /* perhaps: the close has the MDS look */
		.place = p,
		.lost_lock = (p->state & BOOK_UNLOCKED) != 0,
	};
	d->nwriters += writes;
	d->ncached += f->cached;
	d->filled |= f->cached;
	if (p->state & BOOK_DIRTY) {
		d->error = -EIO;
		d->nerrors = 1; /* all that have it open are told */
	}
	LIST_INSERT_HEAD(&fs->files[file_hash(&f->fid)], f, link);
	book_set_object(fs->cfg.book, book_file_index(fs->cfg.book, p), f);
	return f;
}

static int load_files(struct fs *fs)
{
	struct book *b = fs->cfg.book;
	uint32_t i, lost = 0, n = 0;

	for (i = 0; i < book_head(b)->nfiles; i++) {
		struct book_file *p = book_file_at(b, i);

		fs->last.nunsettled += p->state != 0;
		if (!(p->state & BOOK_OPEN))
			continue;
		if (!restore(fs, p))
			return -ENOMEM;
		n++;
		book_file_clear(p, BOOK_STALE);
		if ((p->state & BOOK_RELEASED) || !(p->state & BOOK_TOLD))
			book_file_set(p, BOOK_STALE);
		lost += (p->state & BOOK_DIRTY) != 0;
		book_file_clear(p, BOOK_DIRTY);
	}
	log_info("took over %u open files", n);
	if (lost)
		log_err("bytes written to %u files were in the memory of the client that died: "
			"fsync and close of these will tell EIO",
			lost);
	return 0;
}

static int load_claims(struct fs *fs)
{
	const struct rpc_note *notes = book_notes(fs->cfg.book);
	uint32_t i;

	fs->last.claims = calloc(NOTES, sizeof(*fs->last.claims));
	if (!fs->last.claims)
		return -ENOMEM;
	for (i = 0; i < NOTES; i++) {
		fs->last.claims[i].tag = notes[i].tag;
		fs->last.claims[i].xid = notes[i].xid;
		fs->last.claims[i].nr = notes[i].nr;
	}
	fs->last.nclaims = NOTES;
	return 0;
}

int takeover_load(struct fs *fs)
{
	struct book *b = fs->cfg.book;
	struct book_head *h = book_head(b);
	int rc;

	fs->last.inherited = book_is_inherited(b);
	if (fs->last.inherited) {
		memcpy(fs->uuid, h->uuid, sizeof(fs->uuid));
		memcpy(fs->instance, h->instance, sizeof(fs->instance));
	} else {
		memcpy(h->uuid, fs->uuid, sizeof(fs->uuid));
		memcpy(h->instance, fs->instance, sizeof(fs->instance));
	}
	rc = locktab_use_book(&fs->locks, b);
	if (rc == 0 && fs->last.inherited)
		rc = load_claims(fs);
	return rc || !fs->last.inherited ? rc : load_files(fs);
}

/* ---- with the servers ---- */

static void co_learn(struct lane *ln, struct file *f)
{
	struct attr a;
	int rc = fs_co_getattr(ln, &f->fid, &a);
	char buf[FID_STRLEN];

	if (rc) {
		log_warn("%s, which is open: %s", fid_str(&f->fid, buf), err_str(rc));
		return;
	}
	pthread_mutex_lock(&f->lock);
	f->trunc_gen = a.trunc_gen;
	f->mode = a.mode;
	f->attr_flags = a.flags;
	f->size_hint = max_u64(f->size_hint, a.size);
	pthread_mutex_unlock(&f->lock);
}

static int learn_one(void *arg, uint32_t i)
{
	struct lane *ln = arg;
	struct file *f = book_object(ln->fs->cfg.book, i);

	if (f)
		co_learn(ln, f);
	return 0;
}

void fs_co_take_over(struct lane *ln)
{
	struct fs *fs = ln->fs;
	struct fs_inval none;

	co_drop_all_wanted(ln);
	(void)!lane_co_fan(ln, book_head(fs->cfg.book)->nfiles, learn_one, ln);
	if (fs->cfg.co_invalidate)
		fs->cfg.co_invalidate(fs->cfg.co_invalidate_arg, ln, &none, 0, true);
	/* Pages of files that are open now; of others when their leases are recalled. */
	data_lose_all(ln, UINT64_MAX, false);
}

struct file *fs_claim_file(struct lane *ln)
{
	struct book_file *p = unsettled(ln->fs, fiber_tag(), true);

	return p ? book_object(ln->fs->cfg.book, book_file_index(ln->fs->cfg.book, p)) : NULL;
}

/* Begun and never known to be open: the MDS may have it open all the same. */
static void close_begun(void *arg)
{
	struct lane *ln = arg;
	struct book *b = ln->fs->cfg.book;
	uint32_t i, n = book_head(b)->nfiles;

	for (i = 0; i < n; i++) {
		struct book_file *p = book_file_at(b, i);
		struct mds_close_req q = {
			.fid = p->fid, .open_id = p->open_id, .open_seq = OPEN_SEQ_UNKNOWN};
		struct mds_close_rep rep;
		RPC_CALL(call);
		int rc;

		if (p->state != BOOK_USED || book_object(b, i) ||
		    p->open_id >> 40 == book_head(b)->generation)
			continue;
		rc = mds_co_close(ln->mdt->imp, &call, &q, &rep);
		if (rc && rc != -ENOENT && rc != -ESTALE)
			log_dbg("close of what was never opened: %s", err_str(rc));
		book_file_put(b, p);
	}
}

void fs_settle(struct lane *ln, bool (*open)(void *arg, uint64_t tag), void *arg)
{
	struct book *b = ln->fs->cfg.book;
	uint32_t i, left = 0, n = book_head(b)->nfiles;

	rpc_import_settle(ln->mdt->imp, open, arg);
	if (ln->index)
		return;
	for (i = 0; i < n; i++) {
		struct book_file *p = book_file_at(b, i);
		struct file *f = book_object(b, i);

		if (!p->state || p->open_id >> 40 == book_head(b)->generation)
			continue;
		if (p->tag && open(arg, p->tag)) {
			left++;
		} else if (f && (p->state & BOOK_STALE)) {
			book_file_clear(p, BOOK_STALE);
			kept_close_behind(ln, f);
		}
	}
	if (!left) {
		ln->fs->last.nunsettled = 0;
		lane_background(ln, close_begun, ln);
	}
}

void fs_co_settle_down(struct lane *ln)
{
	unlinks_co_wait(ln, NULL);
	wback_co_flush_all(ln);
	/* What would be done again after a loss of power, only this process knows. */
	if (ln->index == 0 && fs_co_syncdir(ln, fs_root(ln->fs)))
		log_warn("the MDS does not say that all is on its disk");
}
