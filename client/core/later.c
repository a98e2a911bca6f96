/* SPDX-License-Identifier: Apache-2.0 */
/* later.c - mode, owner and times of a file that only this client has, set without asking.
 *
 * Whoever unpacks an archive sets times, owner and mode of each file that he has just written, and
 * closes it: three requests that he waits for, when one that he does not wait for could tell all.
 * So while a file is open here for writing by one open file, under EXCLUSIVE of its data and UPDATE
 * of its attributes, such a change is noted in its struct data, and the answer computed here. The
 * MDS is told before the close, or before anybody can look: at a recall of EXCLUSIVE (every look of
 * another client takes that back), a stat, open, change or fsync of this client, and at the latest
 * after a second. After a restart of the MDS it is told before this client says that it is back
 * (data_co_settle_all()): until then nobody is let at files that it has open for writing.
 *
 * Only what the MDS could not refuse, and what depends on nothing that is not known here: no set-id
 * bits, ACLs or capabilities, and no "now" (the MDS's clock).
 */
#include "client/core/core.h"
#include "common/log.h"
#include <stdlib.h>
#include <sys/stat.h>

/* Under leases that leave the inode to this client; *a: as the MDS has it. */
static bool base(struct lane *ln, const struct fid *fid, struct attr *a, uint64_t *open_seq)
{
	return leases_attr_unsure(ln->fs->leases, fid, loop_clock(ln->loop), a, open_seq) &&
	       *open_seq && !(a->mode & (S_ISUID | S_ISGID)) && !(a->flags & ATTR_HAS_ACL);
}

static void merge(struct later *l, uint32_t valid, const struct attr *want)
{
	if (valid & SETATTR_MODE)
		l->mode = want->mode & 07777;
	if (valid & SETATTR_UID)
		l->uid = want->uid;
	if (valid & SETATTR_GID)
		l->gid = want->gid;
	if (valid & SETATTR_ATIME)
		l->atime = want->atime;
	if (valid & SETATTR_MTIME)
		l->mtime = want->mtime;
	l->valid |= valid;
}

static void apply(const struct later *l, struct attr *a)
{
	if (l->valid & SETATTR_MODE)
		a->mode = (a->mode & S_IFMT) | l->mode;
	if (l->valid & SETATTR_UID)
		a->uid = l->uid;
	if (l->valid & SETATTR_GID)
		a->gid = l->gid;
	if (l->valid & SETATTR_ATIME)
		a->atime = l->atime;
	if (l->valid & SETATTR_MTIME)
		a->mtime = l->mtime;
}

/* d->lock is held. */
static bool may_note(struct lane *ln, struct data *d)
{
	return d->mode == LEASE_EXCLUSIVE && data_is_valid(ln, d) && !d->recalling && !d->held &&
	       d->nwriters == 1 && !d->nclosing && !d->later.flying;
}

static bool note(struct lane *ln, struct data *d, uint32_t valid, const struct attr *want,
		 struct attr *a)
{
	bool ok;

	pthread_mutex_lock(&d->lock);
	ok = may_note(ln, d);
	if (ok) {
		d->later.last_ns = loop_clock(ln->loop);
		if (!d->later.valid)
			d->later.since_ns = d->later.last_ns;
		merge(&d->later, valid, want);
		apply(&d->later, a);
		a->size = max_u64(a->size, dirty_end(&d->dirty));
		wback_count(d);
	}
	pthread_mutex_unlock(&d->lock);
	return ok;
}

bool later_set(struct lane *ln, const struct fid *fid, uint32_t valid, const struct attr *want,
	       struct attr *out)
{
	uint64_t open_seq, end;
	struct data *d;
	struct attr a;
	bool ok;

	valid &= ~(uint32_t)SETATTR_KILL_PRIV; /* base() says that there is nothing to clear */
	if (!valid || (valid & ~(uint32_t)SETATTR_LATER) || !ln->fs->set_later ||
	    ((valid & SETATTR_MODE) && (want->mode & (S_ISUID | S_ISGID))) ||
	    !base(ln, fid, &a, &open_seq))
		return false;
	d = data_find(ln->fs, fid);
	if (!d)
		return false;
	pthread_mutex_lock(&d->lock);
	end = dirty_end(&d->dirty); /* before the objects: what is sent meanwhile is in both */
	pthread_mutex_unlock(&d->lock);
	ok = file_knows_size(ln->fs, fid, open_seq, &a);
	a.size = max_u64(a.size, end);
	ok = ok && note(ln, d, valid, want, &a);
	data_put(ln, d);
	if (!ok)
		return false;
	wback_start(ln);
	if (valid & SETATTR_ATIME)
		file_forget_reads(ln->fs, fid);
	stat_add(&ln->stats[FS_STAT_set_later], 1);
	a.flags |= ATTR_SIZE_UNSURE;
	*out = a;
	return true;
}

/* ---- telling the MDS ---- */

/* d->lock is held. */
static void failed(struct data *d, int rc)
{
	char text[FID_STRLEN];

	log_err("%s: its mode, owner or times could not be set: %s", fid_str(&d->fid, text),
		err_str(rc));
	d->error = rc;
	d->nerrors++;
}

static void told(struct data *d, int rc)
{
	pthread_mutex_lock(&d->lock);
	if (rc && rc != -ENOENT)
		failed(d, rc);
	d->later = (struct later){0};
	wback_count(d);
	xwait_wake(&d->q);
	pthread_mutex_unlock(&d->lock);
}

bool later_co_flush(struct lane *ln, struct data *d)
{
	struct later l;
	bool waited;

	pthread_mutex_lock(&d->lock);
	waited = d->later.flying;
	while (d->later.flying)
		xwait_co(&d->q, &d->lock, ln->loop);
	l = d->later;
	if (l.valid) {
		d->later.flying = d->later.due = true;
	} else {
		d->later = (struct later){0};
		wback_count(d);
	}
	pthread_mutex_unlock(&d->lock);
	if (!l.valid)
		return waited;
	wback_co_flush(ln, d);
	told(d, attr_co_tell(ln, &d->fid, &l));
	return true;
}

struct telling {
	struct lane *ln;
	struct data *d;
};

static void tell_fiber(void *arg)
{
	struct telling t = *(struct telling *)arg;

	free(arg);
	(void)later_co_flush(t.ln, t.d);
	data_put(t.ln, t.d);
}

bool later_tell(struct lane *ln, struct data *d)
{
	struct telling *t = malloc(sizeof(*t));

	if (!t)
		return false;
	pthread_mutex_lock(&d->lock);
	d->later.due = true;
	pthread_mutex_unlock(&d->lock);
	fs_lock(ln->fs);
	data_ref(d);
	fs_unlock(ln->fs);
	*t = (struct telling){ln, d};
	lane_background(ln, tell_fiber, t);
	return true;
}

bool later_co_flush_fid(struct lane *ln, const struct fid *fid)
{
	struct data *d = data_find(ln->fs, fid);
	bool any;

	if (!d)
		return false;
	wback_co_flush(ln, d);
	any = later_co_flush(ln, d);
	data_put(ln, d);
	return any;
}

void later_co_write(struct lane *ln, struct data *d)
{
	bool mtime;

	pthread_mutex_lock(&d->lock);
	mtime = d->later.valid & SETATTR_MTIME;
	pthread_mutex_unlock(&d->lock);
	if (mtime)
		(void)later_co_flush(ln, d);
}

void later_evicted(struct data *d)
{
	if (!d->later.valid || d->later.flying)
		return;
	failed(d, -EIO);
	d->later = (struct later){0};
	wback_count(d);
}
