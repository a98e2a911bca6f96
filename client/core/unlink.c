/* SPDX-License-Identifier: Apache-2.0 */
/* unlink.c - see unlink.h. */
#include "client/core/unlink.h"
#include "client/core/core.h"
#include "common/log.h"
#include <stdlib.h>
#include <sys/stat.h>

enum {
	DIRS_MAX = 128,
	FILES_ASKED = 1024, /* of one answer */
	FILES_LOW = 64,     /* so few are left: the next ones are asked for */
	IN_FLIGHT = 32,
	IN_ROW = 3,
	RETRY_MS = 1000,
	MISSED = 4096,
};
#define ROW_NS NSEC_PER_SEC

struct own_dir {
	struct fid fid;
	uint32_t row; /* files removed since */
	uint64_t row_ns, retry_ns;
	bool asking;
	uint64_t own; /* leases_note_own(); 0: it is not ours */
	uint64_t session;
	uint64_t next;  /* cookie; 0: the MDS has told of all files */
	uint32_t files; /* that are known to be alone */
	/* Files that are not known to be, and were removed since it asked last: after so many it
	 * asks for all of them again. */
	uint32_t missed, missed_max;
	int64_t ahead_min, ahead_max; /* of the MDS's clock, before loop_clock() */
	uint32_t nflights;
	int error; /* to be told */
	LIST_ENTRY(own_dir) hash;
	TAILQ_ENTRY(own_dir) use;
};

struct own_file {
	struct fid fid;
	struct own_dir *dir;
	uint64_t own; /* of its directory, when this was said */
	LIST_ENTRY(own_file) hash;
};

struct flight {
	struct lane *ln;
	struct own_dir *dir;
	uint64_t no;
	struct lease_unlink u;
	LIST_ENTRY(flight) link;
	uint8_t name[];
};

void unlinks_init(struct unlinks *u)
{
	pthread_mutex_init(&u->lock, NULL);
	xwait_init(&u->q);
	TAILQ_INIT(&u->by_use);
	u->max = IN_FLIGHT;
	u->in_row = IN_ROW;
	u->retry_ms = RETRY_MS;
}

static uint32_t hash_of(const struct fid *fid)
{
	return (uint32_t)((fid->seq * 31 + fid->oid) * 0x9e3779b97f4a7c15ULL >> 40);
}

/* ---- files that are alone ---- */

static struct own_file *alone_find(struct unlinks *u, const struct fid *fid)
{
	struct own_file *f;

	LIST_FOREACH(f, &u->files[hash_of(fid) % OWN_FILE_BUCKETS], hash)
	if (fid_eq(&f->fid, fid))
		return f;
	return NULL;
}

static void alone_drop(struct own_file *f)
{
	if (f->dir->own == f->own)
		f->dir->files--;
	LIST_REMOVE(f, hash);
	free(f);
}

static void alone_note(struct unlinks *u, struct own_dir *d, const struct fid *fid)
{
	struct own_file *f = alone_find(u, fid);

	if (f)
		alone_drop(f);
	f = malloc(sizeof(*f));
	if (!f)
		return; /* then it is removed in the usual way */
	*f = (struct own_file){.fid = *fid, .dir = d, .own = d->own};
	LIST_INSERT_HEAD(&u->files[hash_of(fid) % OWN_FILE_BUCKETS], f, hash);
	d->files++;
}

static void alones_drop(struct unlinks *u, const struct own_dir *d)
{
	struct own_file *f, *next;
	uint32_t i;

	for (i = 0; i < OWN_FILE_BUCKETS; i++)
		for (f = LIST_FIRST(&u->files[i]); f; f = next) {
			next = LIST_NEXT(f, hash);
			if (f->dir == d)
				alone_drop(f);
		}
}

/* ---- directories ---- */

static struct own_dir *dir_find(struct unlinks *u, const struct fid *fid)
{
	struct own_dir *d;

	LIST_FOREACH(d, &u->dirs[hash_of(fid) % OWN_DIR_BUCKETS], hash)
	if (fid_eq(&d->fid, fid))
		return d;
	return NULL;
}

static void dir_drop(struct unlinks *u, struct own_dir *d)
{
	alones_drop(u, d);
	LIST_REMOVE(d, hash);
	TAILQ_REMOVE(&u->by_use, d, use);
	u->ndirs--;
	free(d);
}

/* It is not this client's own any more. */
static void dir_lose(struct unlinks *u, struct own_dir *d)
{
	if (!d->own)
		return;
	d->own = 0;
	d->next = 0;
	alones_drop(u, d);
	d->files = 0;
}

/* Those of which nothing has to be remembered. */
static void dirs_trim(struct unlinks *u)
{
	struct own_dir *d, *next;

	for (d = TAILQ_FIRST(&u->by_use); d && u->ndirs >= DIRS_MAX; d = next) {
		next = TAILQ_NEXT(d, use);
		if (!d->nflights && !d->asking && !d->error)
			dir_drop(u, d);
	}
}

static struct own_dir *dir_make(struct unlinks *u, const struct fid *fid)
{
	struct own_dir *d = dir_find(u, fid);

	if (d) {
		TAILQ_REMOVE(&u->by_use, d, use);
		TAILQ_INSERT_TAIL(&u->by_use, d, use);
		return d;
	}
	dirs_trim(u);
	d = u->ndirs < 2 * DIRS_MAX ? calloc(1, sizeof(*d)) : NULL;
	if (!d)
		return NULL;
	d->fid = *fid;
	LIST_INSERT_HEAD(&u->dirs[hash_of(fid) % OWN_DIR_BUCKETS], d, hash);
	TAILQ_INSERT_TAIL(&u->by_use, d, use);
	u->ndirs++;
	return d;
}

void unlinks_fini(struct unlinks *u)
{
	while (!TAILQ_EMPTY(&u->by_use))
		dir_drop(u, TAILQ_FIRST(&u->by_use));
	pthread_mutex_destroy(&u->lock);
}

/* ---- asking ---- */

struct ask {
	struct lane *ln;
	struct fid dir;
	uint64_t cookie;
};

/* u->lock is held. own: leases_note_own() of the answer. */
static void answered(struct unlinks *u, struct own_dir *d, const struct mds_own_rep *p,
		     uint64_t own, uint64_t sent, uint64_t now)
{
	struct rbuf b = rbuf_of(p->files);
	struct mds_fid f;

	d->asking = false;
	if (!own) {
		dir_lose(u, d);
		d->retry_ns = now + u->retry_ms * NSEC_PER_MSEC;
		return;
	}
	if (d->own != own)
		dir_lose(u, d);
	d->own = own;
	d->next = p->next;
	d->ahead_min = p->now - (int64_t)now;
	d->ahead_max = p->now - (int64_t)sent;
	u->granted++;
	d->missed = 0;
	d->missed_max = p->files.len ? u->in_row : (uint32_t)min_u64(2ULL * d->missed_max, MISSED);
	while (b.len && dec_mds_fid(&b, &f) == 0)
		if (fid_is_sane(&f.fid))
			alone_note(u, d, &f.fid);
}

static void ask_fiber(void *arg)
{
	struct ask a = *(struct ask *)arg;
	struct mds_own_req q = {.fid = a.dir, .cookie = a.cookie, .max = FILES_ASKED};
	struct fs *fs = a.ln->fs;
	struct unlinks *u = &fs->unlinks;
	uint64_t sent = loop_clock(a.ln->loop), own = 0;
	struct lease_grant g = {0};
	struct mds_own_rep p = {0};
	struct own_dir *d;
	RPC_CALL(call);
	int rc;

	free(arg);
	rc = mds_co_own(a.ln->mdt->imp, &call, &q, &p);
	if (rc == 0 && (p.lease & LEASE_OWN)) {
		g = (struct lease_grant){call.hdr.session, p.seq, p.lease, 0};
		own = leases_note_own(fs->leases, &a.dir, &g, &p.attr);
	}
	pthread_mutex_lock(&u->lock);
	d = dir_find(u, &a.dir); /* asking keeps it */
	d->session = g.session;
	answered(u, d, &p, own, sent, loop_clock(a.ln->loop));
	pthread_mutex_unlock(&u->lock);
}

/* u->lock is held; start() after it was given back. Requests in flight under a lease that was
 * recalled must be over before there is a new one: they would count as under that. */
static struct ask *ask_prepare(struct lane *ln, struct own_dir *d)
{
	struct ask *a;

	if (d->asking || ln->stopping || (!d->own && d->nflights))
		return NULL;
	a = malloc(sizeof(*a));
	if (!a)
		return NULL;
	*a = (struct ask){ln, d->fid, d->own ? d->next : 0};
	d->asking = true;
	ln->fs->unlinks.asked++;
	return a;
}

static void ask_start(struct lane *ln, struct ask *a)
{
	if (a)
		lane_background(ln, ask_fiber, a);
}

void unlinks_note(struct lane *ln, const struct fid *dir)
{
	struct unlinks *u = &ln->fs->unlinks;
	uint64_t now = loop_clock(ln->loop);
	struct ask *a = NULL;
	struct own_dir *d;

	pthread_mutex_lock(&u->lock);
	d = u->max && !ln->fs->cfg.read_only ? dir_make(u, dir) : NULL;
	if (d && (!d->row || now > d->row_ns + ROW_NS)) {
		d->row = 0;
		d->row_ns = now;
	}
	if (d && d->own && ++d->missed >= d->missed_max) {
		d->next = 0;
		a = ask_prepare(ln, d);
	} else if (d && ++d->row >= u->in_row && !d->own && now >= d->retry_ns) {
		a = ask_prepare(ln, d);
	}
	pthread_mutex_unlock(&u->lock);
	ask_start(ln, a);
}

void unlinks_not_alone(struct lane *ln, const struct fid *file)
{
	struct unlinks *u = &ln->fs->unlinks;
	struct own_file *f;

	pthread_mutex_lock(&u->lock);
	f = alone_find(u, file);
	if (f)
		alone_drop(f);
	pthread_mutex_unlock(&u->lock);
}

/* ---- in flight ---- */

static void flight_end(struct flight *f)
{
	struct unlinks *u = &f->ln->fs->unlinks;

	pthread_mutex_lock(&u->lock);
	LIST_REMOVE(f, link);
	f->dir->nflights--;
	u->nflights--;
	xwait_wake(&u->q);
	pthread_mutex_unlock(&u->lock);
	free(f);
}

/* Somebody was told that it had worked. */
static void failed(struct flight *f, int rc)
{
	struct fs *fs = f->ln->fs;
	struct fs_inval v[] = {{.fid = f->u.dir, .told_ns = 1}, {.fid = f->u.child, .told_ns = 1}};
	char fid[FID_STRLEN];

	log_err("'%.*s' in directory %s is not removed, although it was said so: %s",
		(int)f->u.name.len, (const char *)f->u.name.ptr, fid_str(&f->u.dir, fid),
		rc == -ESTALE ? "the lease of the directory was lost" : err_str(rc));
	leases_unlinked(fs->leases, &f->u, 0, loop_clock(f->ln->loop));
	pthread_mutex_lock(&fs->unlinks.lock);
	fs->unlinks.failed++;
	f->dir->error = rc == -ESTALE ? -EIO : rc;
	dir_lose(&fs->unlinks, f->dir);
	pthread_mutex_unlock(&fs->unlinks.lock);
	if (fs->cfg.co_invalidate)
		fs->cfg.co_invalidate(fs->cfg.co_invalidate_arg, f->ln, v, 2, true);
}

static void flight_fiber(void *arg)
{
	struct flight *f = arg;
	struct lane *ln = f->ln;
	struct fs *fs = ln->fs;
	struct mds_unlink_req q = {
		.parent = f->u.dir, .name = f->u.name, .child = f->u.child, .when = f->u.when};
	struct mds_unlink_rep p;
	struct lease_grant g;
	RPC_CALL(call);
	int rc;

	call.flags = RPC_CALL_HARD;
	rc = mds_co_unlink(ln->mdt->imp, &call, &q, &p);
	if (rc == 0) {
		g = (struct lease_grant){call.hdr.session, p.seq, p.parent_lease, 0};
		if (S_ISDIR(p.parent_attr.mode))
			leases_note(fs->leases, &f->u.dir, &g, &p.parent_attr);
		leases_unlinked(fs->leases, &f->u, p.seq, loop_clock(ln->loop));
		kept_drop(ln, &f->u.child);
		data_gone(fs, &f->u.child);
	} else {
		failed(f, rc);
	}
	flight_end(f);
}

/* As the MDS's clock, as near as this client knows it. */
static int64_t time_of(const struct lane *ln, const struct own_dir *d)
{
	int64_t now = (int64_t)loop_clock(ln->loop), when = loop_realtime(ln->loop);

	when = when < now + d->ahead_min ? now + d->ahead_min : when;
	return when > now + d->ahead_max ? now + d->ahead_max : when;
}

/* u->lock is held. Waits for a place in flight. */
static struct own_dir *co_place(struct lane *ln, const struct fid *dir)
{
	struct unlinks *u = &ln->fs->unlinks;
	struct own_dir *d = dir_find(u, dir);

	while (d && d->own && u->max && u->nflights >= u->max) {
		xwait_co(&u->q, &u->lock, ln->loop);
		d = dir_find(u, dir);
	}
	return d && d->own && u->max && d->session == rpc_import_session(ln->mdt->imp) &&
			       rpc_import_state(ln->mdt->imp) == IMP_FULL
		       ? d
		       : NULL;
}

/* Under way from now on; leases_unlink() decides whether it was good. */
static struct flight *co_flight(struct lane *ln, const struct fid *dir, struct span name,
				const struct fid *child, struct ask **more)
{
	struct flight *f = malloc(sizeof(*f) + name.len);
	struct unlinks *u = &ln->fs->unlinks;
	struct own_file *alone = NULL;
	struct own_dir *d;

	pthread_mutex_lock(&u->lock);
	d = f ? co_place(ln, dir) : NULL;
	if (d)
		alone = alone_find(u, child);
	if (alone && alone->dir == d && alone->own == d->own) {
		memcpy(f->name, name.ptr, name.len);
		f->ln = ln;
		f->dir = d;
		f->no = ++u->last;
		f->u = (struct lease_unlink){
			*dir, *child, {f->name, name.len}, d->own, time_of(ln, d)};
		alone_drop(alone);
		LIST_INSERT_HEAD(&u->flights, f, link);
		d->nflights++;
		u->nflights++;
		if (d->files < FILES_LOW && d->next)
			*more = ask_prepare(ln, d);
	} else {
		free(f);
		f = NULL;
	}
	pthread_mutex_unlock(&u->lock);
	return f;
}

bool unlinks_co_try(struct lane *ln, const struct fid *dir, struct span name)
{
	struct fs *fs = ln->fs;
	struct ask *more = NULL;
	struct flight *f;
	struct entry e;
	struct data *d;
	bool in_use;

	if (!fs->unlinks.ndirs || !leases_name(fs->leases, dir, name, loop_clock(ln->loop), &e))
		return false;
	d = data_find_unused(fs, &e.fid, &in_use);
	if (d)
		data_put(ln, d);
	f = in_use ? NULL : co_flight(ln, dir, name, &e.fid, &more);
	if (f && !leases_unlink(fs->leases, &f->u, loop_clock(ln->loop))) {
		flight_end(f);
		f = NULL;
	}
	if (f) {
		kept_drop(ln, &e.fid);
		pthread_mutex_lock(&fs->unlinks.lock);
		fs->unlinks.early++;
		pthread_mutex_unlock(&fs->unlinks.lock);
		lane_background(ln, flight_fiber, f);
	}
	ask_start(ln, more);
	return f != NULL;
}

static bool meets(const struct flight *f, const struct fid *fid)
{
	return !fid || fid_eq(&f->u.dir, fid) || fid_eq(&f->u.child, fid);
}

void unlinks_co_wait(struct lane *ln, const struct fid *fid)
{
	struct unlinks *u = &ln->fs->unlinks;
	uint64_t last;
	struct flight *f;

	if (!u->nflights)
		return;
	pthread_mutex_lock(&u->lock);
	last = u->last;
	f = LIST_FIRST(&u->flights);
	while (f) {
		if (f->no > last || !meets(f, fid)) {
			f = LIST_NEXT(f, link);
			continue;
		}
		xwait_co(&u->q, &u->lock, ln->loop);
		f = LIST_FIRST(&u->flights);
	}
	pthread_mutex_unlock(&u->lock);
}

bool unlinks_has(struct lane *ln, const struct fid *dir, struct span name)
{
	struct unlinks *u = &ln->fs->unlinks;
	const struct flight *f;
	bool found = false;

	if (!u->nflights)
		return false;
	pthread_mutex_lock(&u->lock);
	LIST_FOREACH(f, &u->flights, link)
	found |= fid_eq(&f->u.dir, dir) && span_eq(f->u.name, name);
	pthread_mutex_unlock(&u->lock);
	return found;
}

int unlinks_error(struct lane *ln, const struct fid *dir)
{
	struct unlinks *u = &ln->fs->unlinks;
	struct own_dir *d;
	int rc = 0;

	pthread_mutex_lock(&u->lock);
	d = dir_find(u, dir);
	if (d) {
		rc = d->error;
		d->error = 0;
	}
	pthread_mutex_unlock(&u->lock);
	return rc;
}

/* ---- giving back ---- */

struct recall {
	struct lane *ln;
	struct mds_recall r;
};

static void recall_fiber(void *arg)
{
	struct recall r = *(struct recall *)arg;

	free(arg);
	unlinks_co_wait(r.ln, &r.r.fid);
	data_co_give_back(r.ln, &r.r);
}

void unlinks_recall(struct lane *ln, const struct mds_recall *recall)
{
	struct recall *r = malloc(sizeof(*r));
	struct unlinks *u = &ln->fs->unlinks;
	struct own_dir *d;

	pthread_mutex_lock(&u->lock);
	u->recalled++;
	d = dir_find(u, &recall->fid);
	if (d) {
		dir_lose(u, d);
		d->row = 0;
		d->retry_ns = loop_clock(ln->loop) + u->retry_ms * NSEC_PER_MSEC;
	}
	pthread_mutex_unlock(&u->lock);
	if (!r) {
		log_err("out of memory: a lease is not given back before its term is over");
		return;
	}
	*r = (struct recall){ln, *recall};
	lane_background(ln, recall_fiber, r);
}

/* ---- after a restart ---- */

/* Directories with requests in flight from the lane; how many. */
static uint32_t dirs_of(struct lane *ln, struct fid out[UNLINKS_MAX])
{
	struct unlinks *u = &ln->fs->unlinks;
	const struct flight *f;
	uint32_t n = 0, i;

	pthread_mutex_lock(&u->lock);
	LIST_FOREACH(f, &u->flights, link)
	{
		for (i = 0; i < n && !fid_eq(&out[i], &f->u.dir);)
			i++;
		if (f->ln == ln && i == n && n < UNLINKS_MAX)
			out[n++] = f->u.dir;
	}
	pthread_mutex_unlock(&u->lock);
	return n;
}

void unlinks_co_again(struct lane *ln)
{
	struct fid dirs[UNLINKS_MAX];
	uint32_t i, n = dirs_of(ln, dirs);

	for (i = 0; i < n; i++) {
		struct mds_own_req q = {.fid = dirs[i], .again = true};
		struct mds_own_rep p;
		char fid[FID_STRLEN];
		RPC_CALL(call);
		int rc;

		call.flags = RPC_CALL_RECLAIM;
		rc = mds_co_own(ln->mdt->imp, &call, &q, &p);
		if (rc || !(p.lease & LEASE_OWN)) /* the requests will fail, and say so */
			log_warn("directory %s, where files are being removed, is lost: %s",
				 fid_str(&dirs[i], fid), rc ? err_str(rc) : "too late");
	}
}
