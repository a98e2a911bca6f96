/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - what is known of an open file: its layout, its objects, its size.
 *
 * An open file is shared by all lanes of the mount; its mutex is held for a few instructions only.
 * What the replies of writes say about the objects is kept, so that the close can tell the MDS
 * the final size without asking anybody, if this client alone wrote; whether it did is for the MDS
 * to know (open_seq). All open files hang in a table by FID: a truncation by this client makes
 * what they know void, and a restart of the MDS makes them be opened again (openfile.c).
 */
#include "client/core/core.h"
#include <fcntl.h>
#include <sys/stat.h>

uint32_t file_hash(const struct fid *f)
{
	return (uint32_t)(fid_to_ino(f) * 0x9e3779b97f4a7c15ULL >> 40) % FILE_BUCKETS;
}

const struct fid *file_fid(const struct file *f)
{
	return &f->fid;
}

struct file *file_hold(struct file *f)
{
	if (f)
		atomic_fetch_add(&f->users, 1);
	return f;
}

void file_drop(struct file *f)
{
	if (f)
		atomic_fetch_sub(&f->users, 1);
}

static const struct layout *layout_get(struct file *f)
{
	const struct layout *l;

	pthread_mutex_lock(&f->lock);
	l = f->layout && layout_has_objects(f->layout) ? f->layout : NULL;
	pthread_mutex_unlock(&f->lock);
	return l;
}

/* Making objects gives the file another lustre.lov. */
static int layout_rpc(struct lane *ln, struct rpc_call *call, const struct mds_layout_req *q,
		      struct mds_layout_rep *p)
{
	int rc;

	if (q->instantiate)
		leases_change_begin(ln->fs->leases, &q->fid, LEASE_XATTR);
	rc = mds_co_layout(ln->mdt->imp, call, q, p);
	if (q->instantiate)
		leases_change_end(ln->fs->leases, &q->fid, LEASE_XATTR, rc ? 0 : p->seq,
				  loop_clock(ln->loop));
	return rc;
}

int file_co_layout(struct lane *ln, struct file *f, bool instantiate, const struct layout **out)
{
	struct mds_layout_req q = {.fid = f->fid, .instantiate = instantiate};
	struct mds_layout_rep p;
	struct layout *l = NULL;
	RPC_CALL(call);
	int rc;

	*out = layout_get(f);
	if (*out)
		return 0;
	rc = layout_rpc(ln, &call, &q, &p);
	if (rc == 0 && p.layout.len)
		rc = layout_dec(p.layout, &l);
	if (rc)
		return rc == -EBADMSG ? -EIO : rc;
	if (!l || !layout_has_objects(l)) {
		layout_free(l);
		return instantiate ? -EIO : 0;
	}
	pthread_mutex_lock(&f->lock);
	if (!f->layout || !layout_has_objects(f->layout)) {
		rc = objs_init(&f->objs, l);
		if (rc == 0) {
			f->layout_old = f->layout; /* another lane may be looking at it */
			f->layout = l;
			l = NULL;
		}
	}
	pthread_mutex_unlock(&f->lock);
	layout_free(l); /* another lane was faster */
	*out = layout_get(f);
	return rc;
}

uint32_t file_trunc_gen(struct file *f)
{
	uint32_t gen;

	pthread_mutex_lock(&f->lock);
	gen = f->trunc_gen;
	pthread_mutex_unlock(&f->lock);
	return gen;
}

int file_co_refresh(struct lane *ln, struct file *f)
{
	struct mds_getattr_req q = {.fid = f->fid, .under_lease = 1};
	struct mds_getattr_rep p;
	RPC_CALL(call);
	int rc = mds_co_getattr(ln->mdt->imp, &call, &q, &p);

	if (rc == 0)
		file_apply_attr(f->fs, &f->fid, &p.attr, false);
	return rc;
}

void file_note(struct file *f, uint32_t comp, uint32_t stripe, const struct obj_state *s,
	       int64_t read_at)
{
	pthread_mutex_lock(&f->lock);
	objs_note(&f->objs, objs_index(f->layout, comp, stripe), s);
	if (read_at) {
		f->read_at = read_at > 0 ? read_at : f->read_at;
	} else {
		f->wrote = true;
		if (s->mtime > f->mtime)
			f->mtime = s->mtime;
	}
	pthread_mutex_unlock(&f->lock);
}

void file_read_here(struct file *f, int64_t read_at)
{
	pthread_mutex_lock(&f->lock);
	f->read_at = read_at;
	pthread_mutex_unlock(&f->lock);
}

void file_wrote(struct file *f)
{
	pthread_mutex_lock(&f->lock);
	f->wrote = true;
	pthread_mutex_unlock(&f->lock);
}

bool file_is_cached(const struct file *f)
{
	return f->cached;
}

bool file_writes(const struct file *f)
{
	return (f->flags & O_ACCMODE) != O_RDONLY;
}

int fs_pending_error(struct file *f)
{
	return wback_error(f, false); /* a close may be that of a child; fsync tells for good */
}

static void apply_attr(struct file *f, const struct attr *attr, bool truncated)
{
	pthread_mutex_lock(&f->lock);
	if (truncated || (int32_t)(attr->trunc_gen - f->trunc_gen) > 0) {
		objs_forget(&f->objs);
		f->open_seq = OPEN_SEQ_UNKNOWN;
	}
	if ((int32_t)(attr->trunc_gen - f->trunc_gen) > 0)
		f->trunc_gen = attr->trunc_gen;
	f->mode = attr->mode;
	f->attr_flags = attr->flags;
	f->size_hint = attr->size;
	f->priv_killed = false;
	pthread_mutex_unlock(&f->lock);
}

void file_apply_attr(struct fs *fs, const struct fid *fid, const struct attr *attr, bool truncated)
{
	struct file *f;

	fs_lock(fs);
	LIST_FOREACH(f, &fs->files[file_hash(fid)], link)
		if (fid_eq(&f->fid, fid))
			apply_attr(f, attr, truncated);
	fs_unlock(fs);
}

void file_forget_reads(struct fs *fs, const struct fid *fid)
{
	struct file *f;

	fs_lock(fs);
	LIST_FOREACH(f, &fs->files[file_hash(fid)], link) {
		if (!fid_eq(&f->fid, fid))
			continue;
		pthread_mutex_lock(&f->lock);
		f->read_at = 0;
		pthread_mutex_unlock(&f->lock);
	}
	fs_unlock(fs);
}

int64_t file_newest_mtime(struct fs *fs, const struct fid *fid)
{
	int64_t mtime = fs_mtime_get(fs, fid);
	struct file *f;

	fs_lock(fs);
	LIST_FOREACH(f, &fs->files[file_hash(fid)], link) {
		if (!fid_eq(&f->fid, fid))
			continue;
		pthread_mutex_lock(&f->lock);
		mtime = f->mtime > mtime ? f->mtime : mtime;
		pthread_mutex_unlock(&f->lock);
	}
	fs_unlock(fs);
	return mtime;
}

uint64_t file_size_hint(struct file *f)
{
	uint64_t size;

	pthread_mutex_lock(&f->lock);
	size = f->size_hint;
	pthread_mutex_unlock(&f->lock);
	return size;
}

uint64_t file_size_seen(struct file *f)
{
	uint64_t size;

	pthread_mutex_lock(&f->lock);
	size = f->size_hint;
	if (f->objs.n)
		size = max_u64(size, objs_size(&f->objs, f->layout));
	pthread_mutex_unlock(&f->lock);
	return size;
}

bool file_has_acl(struct file *f)
{
	bool yes;

	pthread_mutex_lock(&f->lock);
	yes = f->attr_flags & ATTR_HAS_ACL;
	pthread_mutex_unlock(&f->lock);
	return yes;
}

/* In the book first: the next process, too, must not let it read or write. */
bool file_lose_lock(struct fs *fs, const struct fid *fid, uint64_t handle)
{
	struct file *f;

	LIST_FOREACH(f, &fs->files[file_hash(fid)], link)
		if (f->open_id == handle && fid_eq(&f->fid, fid)) {
			if (f->place)
				book_file_set(f->place, BOOK_UNLOCKED);
			return !atomic_exchange(&f->lost_lock, true);
		}
	return false;
}

bool file_lost_lock(const struct file *f)
{
	return atomic_load(&f->lost_lock);
}

uint64_t file_handle(const struct file *f)
{
	return f->open_id;
}

static bool knows_size(struct file *f, uint64_t open_seq, struct attr *attr)
{
	bool yes;
	uint32_t i;

	pthread_mutex_lock(&f->lock);
	yes = f->sole && f->open_seq == open_seq && f->objs.n;
	if (yes && f->fresh)
		objs_rest_empty(&f->objs);
	for (i = 0; yes && i < f->objs.n; i++)
		yes = f->objs.at[i].known;
	if (yes) {
		attr->size = objs_size(&f->objs, f->layout);
		attr->blocks = objs_blocks(&f->objs);
		attr_note_mtime(attr, f->mtime);
		attr->flags &= ~(uint32_t)ATTR_SIZE_UNSURE;
	}
	pthread_mutex_unlock(&f->lock);
	return yes;
}

/* Only if one open file is all that this client has: of two, each knows its own writes only. */
bool file_knows_size(struct fs *fs, const struct fid *fid, uint64_t open_seq, struct attr *attr)
{
	struct file *f, *writer = NULL;
	uint32_t n = 0;
	bool yes;

	if (!open_seq)
		return false;
	fs_lock(fs);
	LIST_FOREACH(f, &fs->files[file_hash(fid)], link)
		if (fid_eq(&f->fid, fid) && (f->flags & O_ACCMODE) != O_RDONLY) {
			writer = f;
			n++;
		}
	yes = n == 1 && knows_size(writer, open_seq, attr);
	fs_unlock(fs);
	return yes;
}

/* A write must clear set-id bits and the like, and has not done so. */
static bool needs_kill_priv(struct file *f)
{
	bool yes;

	pthread_mutex_lock(&f->lock);
	yes = !f->priv_killed && ((f->mode & S_ISUID) || (f->mode & (S_ISGID | S_IXGRP)) ==
				  (S_ISGID | S_IXGRP) || (f->attr_flags & ATTR_HAS_ACL));
	pthread_mutex_unlock(&f->lock);
	return yes;
}

int fs_co_kill_priv(struct lane *ln, struct file *f)
{
	struct attr attr = {0};
	int rc;

	if (!needs_kill_priv(f))
		return 0;
	rc = fs_co_setattr(ln, &f->fid, f, SETATTR_KILL_PRIV, &attr, &attr);
	pthread_mutex_lock(&f->lock);
	f->priv_killed = rc == 0; /* until somebody here changes the mode again */
	pthread_mutex_unlock(&f->lock);
	return rc;
}
