/* SPDX-License-Identifier: Apache-2.0 */
/* openfile.c - open files: open, create, release, and opening again after a restart of the MDS.
 * What is known of their objects: file.c.
 */
#include "client/core/core.h"
#include "common/log.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

static uint32_t open_flags_of(int flags)
{
	uint32_t o = 0;

	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		o = OPEN_READ;
		break;
	case O_WRONLY:
		o = OPEN_WRITE;
		break;
	default:
		o = OPEN_READ | OPEN_WRITE;
	}
	if (flags & O_EXCL)
		o |= OPEN_EXCL;
	if (flags & O_TRUNC)
		o |= OPEN_TRUNC;
	if (flags & O_APPEND)
		o |= OPEN_APPEND;
	if (flags & FASYNC) /* what the kernel leaves of O_LOV_DELAY_CREATE */
		o |= OPEN_DELAY_LAYOUT;
	return o;
}

/* open_id 0: a new one. */
static struct file *file_create(struct lane *ln, int flags, uint64_t open_id)
{
	struct file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->fs = ln->fs;
	f->flags = flags;
	f->lane = ln->index;
	pthread_mutex_init(&f->lock, NULL);
	fs_lock(ln->fs);
	f->open_id = open_id ? open_id : ln->fs->next_open_id++;
	fs_unlock(ln->fs);
	if (file_place(ln->fs, f)) {
		log_err("too many open files");
		pthread_mutex_destroy(&f->lock);
		free(f);
		return NULL;
	}
	return f;
}

/* Of the inode that it is (to be) opened of. */
static int file_find_data(struct lane *ln, struct file *f, const struct fid *fid)
{
	f->data = data_get(ln->fs, fid);
	if (!f->data)
		return -ENOMEM;
	file_place_fid(f, fid);
	data_co_opening(ln, f->data, f->flags);
	f->counted = true;
	return 0;
}

static void file_uncount(struct file *f)
{
	if (f->counted)
		data_closed(f->data, f->flags, f->cached);
	f->counted = false;
}

static void file_destroy(struct lane *ln, struct file *f)
{
	file_uncount(f);
	file_place_gone(f);
	if (f->data)
		data_put(ln, f->data);
	layout_free((struct layout *)(uintptr_t)f->layout);
	layout_free((struct layout *)(uintptr_t)f->layout_old);
	objs_fini(&f->objs);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* The MDS has opened it: the file joins the table. */
static int file_opened(struct lane *ln, struct file *f, const struct fid *fid,
		       const struct attr *attr, struct span blob, uint64_t open_seq)
{
	struct layout *l = NULL;
	int rc = 0;

	f->fid = *fid;
	f->open_seq = open_seq;
	f->trunc_gen = attr->trunc_gen;
	f->mode = attr->mode;
	f->attr_flags = attr->flags;
	f->size_hint = attr->size;
	if (blob.len)
		rc = layout_dec(blob, &l);
	if (rc == 0 && l) {
		f->layout = l;
		rc = objs_init(&f->objs, l);
	}
	if (rc)
		return rc == -EBADMSG ? -EIO : rc;
	f->cached = data_opened(ln, f->data, f->flags);
	f->errors_seen = f->data->nerrors;
	file_place_open(f, fid);
	fs_lock(f->fs);
	LIST_INSERT_HEAD(&f->fs->files[file_hash(fid)], f, link);
	fs_unlock(f->fs);
	return 0;
}

static int close_rpc(struct lane *ln, const struct mds_close_req *q, bool now)
{
	bool changes = q->flags & (CLOSE_WROTE | CLOSE_READ);
	struct mds_close_rep p;
	RPC_CALL(call);
	int rc;

	if (changes)
		leases_change_begin(ln->fs->leases, &q->fid, LEASE_UPDATE);
	if (now)
		call.flags = RPC_CALL_NOW;
	rc = mds_co_close(ln->mdt->imp, &call, q, &p);
	if (changes)
		leases_change_end(ln->fs->leases, &q->fid, LEASE_UPDATE, rc ? 0 : p.seq,
				  loop_clock(ln->loop));
	if (rc == 0)
		leases_note(ln->fs->leases, &q->fid,
			    &(struct lease_grant){call.hdr.session, p.seq, p.lease, 0}, &p.attr);
	return rc;
}

/* The MDS has it open but this client cannot use it. */
static int open_failed(struct lane *ln, struct file *f, const struct fid *fid, int rc)
{
	struct mds_close_req q = {.fid = *fid, .open_id = f->open_id, .open_seq = f->open_seq};

	if (close_rpc(ln, &q, false))
		log_warn("cannot close a file that could not be opened");
	file_destroy(ln, f);
	return rc;
}

/* From the moment it is open for writing, its attributes are not kept; its layout may be made
 * now. */
static int open_rpc(struct lane *ln, struct rpc_call *call, const struct mds_open_req *q,
		    struct mds_open_rep *p)
{
	bool changes = q->open_flags & (OPEN_WRITE | OPEN_TRUNC);
	int rc;

	if (changes)
		leases_change_begin(ln->fs->leases, &q->fid, LEASE_UPDATE | LEASE_XATTR);
	rc = mds_co_open(ln->mdt->imp, call, q, p);
	if (changes)
		leases_change_end(ln->fs->leases, &q->fid, LEASE_UPDATE | LEASE_XATTR,
				  rc ? 0 : p->seq, loop_clock(ln->loop));
	return rc;
}

/* A truncation must not meet data that is still on its way. */
static int open_co_hold(struct lane *ln, struct file *f, struct rpc_call *call,
			struct mds_open_req *q, struct mds_open_rep *p)
{
	bool hold = q->open_flags & OPEN_TRUNC;
	int rc;

	if (hold)
		data_co_hold_empty(ln, f->data);
	q->data = data_open_begin(f->data, f->flags);
	rc = open_rpc(ln, call, q, p);
	if (rc == 0) { /* before the lease is used: what is sent under it carries this trunc_gen */
		file_apply_attr(ln->fs, &q->fid, &p->attr, hold);
		leases_note(ln->fs->leases, &q->fid,
			    &(struct lease_grant){call->hdr.session, p->seq,
						  p->lease & LEASE_UPDATE,
						  p->open_seq},
			    &p->attr);
	}
	data_open_end(f->data, q->data,
		      &(struct data_grant){call->hdr.session, p->seq,
					   rc ? 0 : p->lease & LEASE_DATA, p->attr.trunc_gen,
					   false});
	if (hold && rc == 0)
		data_truncated(f->data, call->hdr.session, p->attr.trunc_gen);
	if (hold)
		data_release(f->data);
	return rc;
}

int fs_co_open(struct lane *ln, const struct fid *fid, int flags, struct file **out,
	       struct attr *attr)
{
	struct mds_open_req q = {.fid = *fid,
				 .open_flags = open_flags_of(flags & ~(O_EXCL | O_CREAT))};
	struct mds_open_rep p = {0};
	struct file *f;
	RPC_CALL(call);
	int rc;
	OP_TIMER(ln, open);

	unlinks_co_wait(ln, fid);
	if (!(q.open_flags & (OPEN_WRITE | OPEN_TRUNC)))
		intent_opened(ln->fs, fid);
	rc = kept_co_open(ln, fid, flags, out, attr);
	if (rc == 0)
		stat_add(&ln->stats[FS_STAT_open_hits], 1);
	if (rc <= 0)
		return rc;
	f = file_create(ln, flags, 0);
	if (!f)
		return -ENOMEM;
	q.open_id = f->open_id;
	rc = file_find_data(ln, f, fid);
	if (rc == 0)
		rc = open_co_hold(ln, f, &call, &q, &p);
	if (rc) {
		file_destroy(ln, f);
		return rc;
	}
	f->sole = p.sole;
	f->fresh = flags & O_TRUNC;
	rc = file_opened(ln, f, fid, &p.attr, p.layout, p.open_seq);
	if (rc)
		return open_failed(ln, f, fid, rc);
	if (attr) {
		rc = attr_co_finish(ln, fid, p.layout, p.open_seq, &p.attr);
		if (rc) {
			fs_co_release(ln, f);
			return rc;
		}
		*attr = p.attr;
	}
	*out = f;
	return 0;
}

/* The lease, unless a recall of it was faster; and then not the file either. d is in the table
 * before that is looked up: a later recall finds it. */
static bool ahead_data(struct lane *ln, struct data *d, const struct file_ahead *a)
{
	uint32_t want = data_open_begin(d, O_RDONLY);
	bool fresh = want && !data_is_overtaken(ln->fs, a->fid, a->seq);

	data_open_end(d, want,
		      &(struct data_grant){a->session, a->seq, fresh ? LEASE_SHARED : 0,
					   a->attr->trunc_gen, false});
	return fresh;
}

void file_co_opened_ahead(struct lane *ln, const struct file_ahead *a)
{
	struct file *f = file_create(ln, O_RDONLY, a->open_id);
	bool fresh;
	int rc;

	if (!f || file_find_data(ln, f, a->fid)) {
		log_err("out of memory: a file stays open at the MDS");
		if (f)
			file_destroy(ln, f);
		return;
	}
	fresh = ahead_data(ln, f->data, a);
	rc = file_opened(ln, f, a->fid, a->attr, a->layout, 0);
	if (rc) {
		(void)open_failed(ln, f, a->fid, rc);
		return;
	}
	file_uncount(f);
	f->ahead_ns = loop_clock(ln->loop);
	fs_lock(ln->fs);
	ln->fs->intents.given += fresh;
	fs_unlock(ln->fs);
	if (!fresh || !kept_put(ln, f))
		kept_close_behind(ln, f);
	else if (data_is_overtaken(ln->fs, a->fid, a->seq)) /* before it could be found */
		kept_drop(ln, a->fid);
}

/* As open_co_hold(): a recall of the new file's data that comes before the answer must find that
 * the answer is on its way. */
static int create_rpc(struct lane *ln, struct file *f, struct rpc_call *call,
		      struct mds_create_req *q, struct mds_create_rep *p)
{
	int rc = file_find_data(ln, f, &q->fid);
	bool made;

	if (rc)
		return rc;
	q->data = data_open_begin(f->data, f->flags);
	rc = name_co_create(ln, call, q, p);
	made = rc == 0 && fid_eq(&p->fid, &q->fid);
	data_open_end(f->data, q->data,
		      &(struct data_grant){call->hdr.session, p->seq,
					   made ? p->lease & LEASE_DATA : 0, p->attr.trunc_gen,
					   false});
	return rc;
}

/* Of a file that was there before: a recall of its lease may have been here first and found
 * nothing, so it is asked for when it is needed. */
static int created_other(struct lane *ln, struct file *f, const struct fid *fid)
{
	file_uncount(f);
	data_put(ln, f->data);
	f->data = NULL;
	return file_find_data(ln, f, fid);
}

static int create_open(struct lane *ln, const struct fid *dir, struct span name, int flags,
		       uint32_t mode, const struct cred *cred, struct entry *out,
		       struct file **file)
{
	struct mds_create_req q = {
		.parent = *dir,
		.name = name,
		.mode = (mode & 07777) | S_IFREG,
		.umask = cred->umask,
		.uid = cred->uid,
		.gid = cred->gid,
		.open_flags = open_flags_of(flags),
	};
	struct file *f = file_create(ln, flags & ~(O_CREAT | O_EXCL), 0);
	struct mds_create_rep p = {0};
	RPC_CALL(call);
	int rc;
	OP_TIMER(ln, create);

	if (!f)
		return -ENOMEM;
	q.open_id = f->open_id;
	rc = seq_co_fid(ln, &q.fid);
	if (rc == 0)
		rc = create_rpc(ln, f, &call, &q, &p);
	if (rc) {
		file_destroy(ln, f);
		return rc;
	}
	f->sole = p.sole;
	f->fresh = fid_eq(&p.fid, &q.fid);
	if (!f->fresh)
		rc = created_other(ln, f, &p.fid);
	if (rc == 0)
		rc = file_opened(ln, f, &p.fid, &p.attr, p.layout, p.open_seq);
	if (rc)
		return open_failed(ln, f, &p.fid, rc);
	if (fid_eq(&p.fid, &q.fid)) /* new: nothing to ask its objects */
		p.attr.flags &= ~(uint32_t)ATTR_SIZE_UNSURE;
	if (!fid_eq(&p.fid, &q.fid) && (flags & O_TRUNC))
		rc = fs_co_setattr(ln, &p.fid, f, SETATTR_SIZE, &(struct attr){0}, &p.attr);
	else
		rc = attr_co_finish(ln, &p.fid, p.layout, p.open_seq, &p.attr);
	if (rc) {
		fs_co_release(ln, f);
		return rc;
	}
	*out = (struct entry){p.fid, p.attr};
	*file = f;
	return 0;
}

int fs_co_create(struct lane *ln, const struct fid *dir, struct span name, int flags, uint32_t mode,
		 const struct cred *cred, struct entry *out, struct file **file)
{
	int rc = name_check(name);

	return rc ? rc : create_open(ln, dir, name, flags, mode, cred, out, file);
}

int fs_co_tmpfile(struct lane *ln, const struct fid *dir, int flags, uint32_t mode,
		  const struct cred *cred, struct entry *out, struct file **file)
{
	return create_open(ln, dir, SPAN_NONE, flags & ~(O_TRUNC | O_EXCL), mode, cred, out, file);
}

/* ---- close ---- */

/* Fills in what the MDS wants to know after writes. Asks the objects that are not known. */
static void close_co_facts(struct lane *ln, struct file *f, struct mds_close_req *q)
{
	const struct layout *l;
	struct objs o = {0};
	bool fresh;
	int rc = 0;

	q->flags |= CLOSE_WROTE;
	pthread_mutex_lock(&f->lock);
	l = f->layout;
	fresh = f->fresh;
	if (l && f->objs.n && q->open_seq != OPEN_SEQ_UNKNOWN)
		rc = objs_init(&o, l);
	if (rc == 0 && o.n)
		memcpy(o.at, f->objs.at, o.n * sizeof(*o.at));
	pthread_mutex_unlock(&f->lock);
	if (rc == 0 && o.n) {
		if (fresh)
			objs_rest_empty(&o);
		rc = attr_co_learn(ln, &f->fid, l, &o);
	}
	if (rc == 0 && o.n) {
		q->size = objs_size(&o, l);
		q->blocks = objs_blocks(&o);
		q->mtime = objs_mtime(&o);
	} else {
		q->open_seq = OPEN_SEQ_UNKNOWN;
	}
	objs_fini(&o);
}

/* As the MDS will see it (relatime), if the attributes are known; it decides again. */
static bool atime_matters(struct lane *ln, const struct file *f, int64_t atime)
{
	struct attr a;

	return !leases_attr(ln->fs->leases, &f->fid, loop_clock(ln->loop), &a) ||
	       attr_atime_due(&a, atime);
}

/* What was told of the inode may have been told with the old access time. Only then: the kernel
 * takes nothing from answers that a notification overtakes, and goes on with the mode and owner
 * that it had before, which a recall may have made void. */
static void forget_atime(struct lane *ln, const struct fid *fid)
{
	const struct fs_cfg *cfg = &ln->fs->cfg;
	struct fs_inval v = {.fid = *fid, .told_ns = 1};

	if (cfg->co_invalidate && leases_told(ln->fs->leases, fid))
		cfg->co_invalidate(cfg->co_invalidate_arg, ln, &v, 1, false);
}

void file_co_close(struct lane *ln, struct file *f, int64_t atime)
{
	struct mds_close_req q = {.fid = f->fid, .open_id = f->open_id};
	char buf[FID_STRLEN];
	bool wrote;
	int rc;

	pthread_mutex_lock(&f->lock);
	f->closing = true;
	q.open_seq = f->open_seq;
	wrote = f->wrote;
	pthread_mutex_unlock(&f->lock);
	if (atime) {
		q.flags |= CLOSE_READ;
		q.atime = atime;
	}
	if (wrote) {
		close_co_facts(ln, f, &q);
		fs_mtime_note(f->fs, &f->fid, f->mtime);
	}
	/* Until it is closed nobody else may cache it, and what was written others may want. */
	rc = close_rpc(ln, &q, wrote);
	if (rc && rc != -ENOTCONN)
		log_warn("close of %s: %s", fid_str(&f->fid, buf), err_str(rc));
	if (atime)
		forget_atime(ln, &f->fid);
	fs_lock(f->fs);
	LIST_REMOVE(f, link);
	fs_unlock(f->fs);
	data_closing(f->data, f->flags, -1);
	file_destroy(ln, f);
}

void fs_co_release(struct lane *ln, struct file *f)
{
	bool came_ahead, was_read;
	int64_t read_at;
	OP_TIMER(ln, close);

	/* Seldom, and nobody waits for a close: a caller was killed while its operation went on. */
	while (atomic_load(&f->users))
		co_sleep(NSEC_PER_MSEC);
	lock_co_drop_handle(ln, f);
	data_closing(f->data, f->flags, 1);
	file_uncount(f);
	if ((f->flags & O_ACCMODE) != O_RDONLY) {
		wback_co_flush(ln, f->data);
		(void)later_co_flush(ln, f->data);
	}
	rahead_co_settle(ln, f);
	pthread_mutex_lock(&f->lock);
	came_ahead = f->came_ahead;
	was_read = f->read_at != 0;
	f->came_ahead = false;
	read_at = f->fs->cfg.noatime ? 0 : f->read_at;
	f->read_at = 0;
	pthread_mutex_unlock(&f->lock);
	if (came_ahead)
		intent_closed(f->fs, was_read);
	if (read_at && !atime_matters(ln, f, read_at))
		read_at = 0;
	if (read_at || file_lost_lock(f) || !kept_put(ln, f))
		file_co_close(ln, f, read_at);
}

/* ---- after a restart of the MDS ---- */

struct reopen {
	struct fid fid;
	uint64_t open_id;
	uint32_t flags;
};

static bool file_is_closing(struct file *f)
{
	bool yes;

	pthread_mutex_lock(&f->lock);
	yes = f->closing;
	pthread_mutex_unlock(&f->lock);
	return yes;
}

/* What lane `lane` opened; the caller frees it. */
static struct reopen *reopen_list(struct fs *fs, uint32_t lane, uint32_t *n)
{
	struct reopen *list = NULL, *more;
	uint32_t cap = 0, i;
	struct file *f;

	*n = 0;
	fs_lock(fs);
	for (i = 0; i < FILE_BUCKETS; i++)
		LIST_FOREACH(f, &fs->files[i], link) {
			if (f->lane != lane || file_is_closing(f))
				continue;
			if (*n == cap) {
				cap = cap ? cap * 2 : 64;
				more = realloc(list, cap * sizeof(*list));
				if (!more) {
					log_err("out of memory: not all files are opened again");
					fs_unlock(fs);
					return list;
				}
				list = more;
			}
			list[(*n)++] = (struct reopen){f->fid, f->open_id,
						       open_flags_of(f->flags) &
							       (OPEN_READ | OPEN_WRITE)};
		}
	fs_unlock(fs);
	return list;
}

/* The MDS has forgotten who wrote what: its new open_seq says nothing about the time before, so
 * this client's knowledge of the objects counts no longer. False: nobody has the file open any
 * more. */
static bool reopened(struct fs *fs, const struct reopen *r)
{
	struct file *f;
	bool found = false;

	fs_lock(fs);
	LIST_FOREACH(f, &fs->files[file_hash(&r->fid)], link)
		if (f->open_id == r->open_id) {
			pthread_mutex_lock(&f->lock);
			f->open_seq = OPEN_SEQ_UNKNOWN;
			f->sole = false;
			found = !f->closing;
			pthread_mutex_unlock(&f->lock);
		}
	fs_unlock(fs);
	return found;
}

/* It was closed meanwhile, through another lane, whose close may have been first. */
static void close_again(struct lane *ln, const struct reopen *r)
{
	struct mds_close_req q = {
		.fid = r->fid, .open_id = r->open_id, .open_seq = OPEN_SEQ_UNKNOWN};
	struct mds_close_rep p;
	char buf[FID_STRLEN];
	RPC_CALL(call);
	int rc;

	call.flags = RPC_CALL_RECLAIM;
	rc = mds_co_close(ln->mdt->imp, &call, &q, &p);
	if (rc)
		log_warn("close of %s: %s", fid_str(&r->fid, buf), err_str(rc));
}

void file_co_reopen_all(struct lane *ln)
{
	uint32_t i, n;
	struct reopen *list = reopen_list(ln->fs, ln->index, &n);

	for (i = 0; i < n; i++) {
		struct mds_reopen_req q = {list[i].fid, list[i].flags, list[i].open_id};
		struct mds_reopen_rep p;
		char buf[FID_STRLEN];
		RPC_CALL(call);
		int rc;

		call.flags = RPC_CALL_RECLAIM;
		rc = mds_co_reopen(ln->mdt->imp, &call, &q, &p);
		if (rc == 0 && !reopened(ln->fs, &list[i]))
			close_again(ln, &list[i]);
		else if (rc)
			log_warn("%s cannot be opened again: %s", fid_str(&list[i].fid, buf),
				 err_str(rc));
	}
	free(list);
}
