/* SPDX-License-Identifier: Apache-2.0 */
/* name.c - operations on names: each change is one request to the MDS; what leases cover is
 * looked up without one. */
#include "client/core/core.h"
#include <dirent.h>
#include <sys/stat.h>

static struct lease_grant grant_of(const struct rpc_call *call, uint64_t seq, uint32_t bits)
{
	return (struct lease_grant){call->hdr.session, seq, bits, 0};
}

static void name_dir_note(struct lane *ln, const struct rpc_call *call, const struct fid *dir,
			  uint64_t seq, uint32_t bits, struct attr *attr)
{
	struct lease_grant g = grant_of(call, seq, bits);

	if (S_ISDIR(attr->mode))
		leases_note(ln->fs->leases, dir, &g, attr);
	if (!(bits & LEASE_UPDATE))
		leases_not_complete(ln->fs->leases, dir);
}

static int lookup_rpc(struct lane *ln, const struct fid *dir, struct span name, struct entry *out)
{
	struct mds_lookup_req q = {
		.parent = *dir, .name = name, .open_id = intent_lookup(ln, dir)};
	struct lease_grant g;
	struct mds_lookup_rep p;
	RPC_CALL(call);
	int rc;

	if (fid_eq(dir, &FID_DOT_LUSTRE_FID)) /* a file by its FID */
		unlinks_co_wait(ln, NULL);
	rc = mds_co_lookup(ln->mdt->imp, &call, &q, &p);
	if (rc == 0 || rc == -ENOENT)
		scan_asked(ln, dir, rc == 0 ? p.cookie : 0);
	if (rc == 0 && !fid_is_sane(&p.fid))
		rc = -EPROTO;
	if (rc)
		return rc;
	g = grant_of(&call, p.seq, p.lease);
	g.open_seq = p.open_seq;
	leases_note(ln->fs->leases, &p.fid, &g, &p.attr);
	leases_note_name(ln->fs->leases, dir, name, &p.fid, &g);
	link_note(ln->fs, &p.fid, p.target);
	if (p.opened && q.open_id)
		file_co_opened_ahead(ln, &(struct file_ahead){q.open_id, call.hdr.session, p.seq,
							      &p.fid, &p.attr, p.layout});
	if (S_ISREG(p.attr.mode))
		intent_looked_up(ln->fs, dir, &p.fid, true);
	rc = attr_co_finish(ln, &p.fid, p.layout, p.open_seq, &p.attr);
	if (rc == 0)
		*out = (struct entry){p.fid, p.attr};
	return rc;
}

int fs_co_lookup(struct lane *ln, const struct fid *dir, struct span name, struct entry *out)
{
	int rc = name_check(name);
	OP_TIMER(ln, lookup);

	if (rc)
		return rc;
	if (leases_name(ln->fs->leases, dir, name, loop_clock(ln->loop), out)) {
		if (S_ISREG(out->attr.mode))
			intent_looked_up(ln->fs, dir, &out->fid, false);
		return 0;
	}
	if (unlinks_has(ln, dir, name))
		return -ENOENT;
	if (leases_no_name(ln->fs->leases, dir, name, loop_clock(ln->loop)))
		return -ENOENT;
	if (attr_co_own_name(ln, dir, name, out))
		return 0;
	return lookup_rpc(ln, dir, name, out);
}

/* ---- changes ---- */

/* One name, or two, that this client changes. */
struct change {
	struct lane *ln;
	const struct fid *dir[2];
	struct span name[2]; /* an empty one: of the inode itself */
	uint32_t n;
};

/* What is in flight there comes first, and nothing new begins. */
static void co_change_begin(const struct change *c)
{
	uint32_t i;

	for (i = 0; i < c->n; i++)
		leases_change_begin(c->ln->fs->leases, c->dir[i], LEASE_UPDATE);
	for (i = 0; i < c->n; i++)
		unlinks_co_wait(c->ln, c->dir[i]);
}

/* The answer: where name i leads now. */
static void change_name(const struct change *c, uint32_t i, const struct fid *child,
			const struct lease_grant *g)
{
	leases_own_name(c->ln->fs->leases, c->dir[i], c->name[i], child, g);
}

static void change_no_name(const struct change *c, uint32_t i)
{
	leases_forget_name(c->ln->fs->leases, c->dir[i], c->name[i]);
}

/* seq: of the answer, 0 after an error. */
static void change_end(const struct change *c, uint64_t seq)
{
	struct leases *t = c->ln->fs->leases;
	uint32_t i;

	for (i = 0; i < c->n; i++) {
		if (!seq) {
			leases_forget_name(t, c->dir[i], c->name[i]);
			leases_not_complete(t, c->dir[i]);
		}
		leases_change_end(t, c->dir[i], LEASE_UPDATE, seq, loop_clock(c->ln->loop));
	}
}

int name_co_create(struct lane *ln, struct rpc_call *call, const struct mds_create_req *q,
		   struct mds_create_rep *p)
{
	struct change c = {ln, {&q->parent}, {q->name}, q->name.len != 0};
	struct leases *t = ln->fs->leases;
	struct lease_grant g;
	bool made;
	int rc;

	co_change_begin(&c);
	rc = mds_co_create(ln->mdt->imp, call, q, p);
	if (rc) {
		change_end(&c, 0);
		return rc;
	}
	g = grant_of(call, p->seq, p->lease);
	g.open_seq = p->open_seq;
	made = fid_eq(&p->fid, &q->fid);
	if (!made) { /* it was there, and is open for writing now */
		leases_change_begin(t, &p->fid, LEASE_UPDATE | LEASE_XATTR);
		leases_change_end(t, &p->fid, LEASE_UPDATE | LEASE_XATTR, p->seq,
				  loop_clock(ln->loop));
	}
	leases_note(t, &p->fid, &g, &p->attr);
	if (made && S_ISDIR(p->attr.mode))
		leases_made_dir(t, &p->fid, p->seq);
	if (c.n)
		change_name(&c, 0, &p->fid, &g);
	change_end(&c, p->seq);
	if (c.n)
		name_dir_note(ln, call, &q->parent, p->seq, p->parent_lease, &p->parent_attr);
	return 0;
}

static enum fs_stat make_stat(uint32_t mode)
{
	return S_ISDIR(mode) ? FS_STAT_mkdir : S_ISLNK(mode) ? FS_STAT_symlink : FS_STAT_mknod;
}

int fs_co_make(struct lane *ln, const struct fid *dir, struct span name, uint32_t mode,
	       uint64_t rdev, struct span target, const struct cred *cred, struct entry *out)
{
	struct mds_create_req q = {
		.parent = *dir,
		.name = name,
		.mode = mode,
		.umask = cred->umask,
		.uid = cred->uid,
		.gid = cred->gid,
		.rdev = rdev,
		.open_flags = OPEN_EXCL,
		.target = target,
	};
	struct mds_create_rep p;
	RPC_CALL(call);
	uint64_t start = loop_clock(ln->loop);
	int rc = name_check(name);

	if (rc == 0 && target.len > MAX_PATH - 1)
		rc = -ENAMETOOLONG;
	if (rc == 0)
		rc = seq_co_fid(ln, &q.fid);
	if (rc == 0)
		rc = name_co_create(ln, &call, &q, &p);
	if (rc)
		return rc;
	*out = (struct entry){p.fid, p.attr};
	stat_add(&ln->stats[make_stat(mode)], (loop_clock(ln->loop) - start) / 1000);
	return 0;
}

int fs_co_link(struct lane *ln, const struct fid *fid, const struct fid *dir, struct span name,
	       struct entry *out)
{
	struct mds_link_req q = {.fid = *fid, .parent = *dir, .name = name};
	struct change c = {ln, {dir, fid}, {name, SPAN_NONE}, 2};
	struct lease_grant g;
	struct mds_link_rep p;
	RPC_CALL(call);
	int rc = name_check(name);
	OP_TIMER(ln, link);

	if (rc)
		return rc;
	co_change_begin(&c);
	unlinks_not_alone(ln, fid);
	rc = mds_co_link(ln->mdt->imp, &call, &q, &p);
	if (rc) {
		change_end(&c, 0);
		return rc;
	}
	g = grant_of(&call, p.seq, p.lease);
	change_name(&c, 0, fid, &g);
	change_end(&c, p.seq);
	leases_note(ln->fs->leases, fid, &g, &p.attr);
	name_dir_note(ln, &call, dir, p.seq, p.parent_lease, &p.parent_attr);
	rc = attr_co_finish(ln, fid, p.layout, 0, &p.attr);
	if (rc == 0)
		*out = (struct entry){*fid, p.attr};
	return rc;
}

int fs_co_unlink(struct lane *ln, const struct fid *dir, struct span name, bool rmdir)
{
	struct mds_unlink_req q = {.parent = *dir, .name = name, .rmdir = rmdir};
	struct change c = {ln, {dir}, {name}, 1};
	struct mds_unlink_rep p;
	RPC_CALL(call);
	uint64_t start = loop_clock(ln->loop);
	int rc = name_check(name);

	if (rc)
		return rc;
	if (!rmdir && unlinks_co_try(ln, dir, name))
		goto out;
	kept_drop_name(ln, dir, name); /* that leaves first, so that nothing is left of the file */
	co_change_begin(&c);
	if (rmdir)
		unlinks_co_wait(ln, NULL);
	rc = mds_co_unlink(ln->mdt->imp, &call, &q, &p);
	if (rc == 0) {
		leases_names_changed(ln->fs->leases, &p.fid, p.seq, p.nlink == 0);
		kept_drop(ln, &p.fid); /* without LOOKUP nobody tells when the rest is removed */
		if (!p.nlink)
			data_gone(ln->fs, &p.fid);
		change_no_name(&c, 0);
	}
	change_end(&c, rc ? 0 : p.seq);
	if (rc == 0)
		name_dir_note(ln, &call, dir, p.seq, p.parent_lease, &p.parent_attr);
	if (rc == 0 && !rmdir)
		unlinks_note(ln, dir);
out:
	stat_add(&ln->stats[rmdir ? FS_STAT_rmdir : FS_STAT_unlink],
		 (loop_clock(ln->loop) - start) / 1000);
	return rc;
}

static void renamed(const struct change *c, const struct mds_rename_req *q,
		    const struct mds_rename_rep *p, struct lease_grant none)
{
	if (fid_eq(&p->fid, &p->replaced)) /* two names of one inode: both stay, as POSIX wants */
		return;
	if (q->flags & RENAME_EXCHANGE) {
		change_name(c, 0, &p->replaced, &none);
		change_name(c, 1, &p->fid, &none);
		return;
	}
	change_no_name(c, 0);
	change_name(c, 1, &p->fid, &none);
}

int fs_co_rename(struct lane *ln, const struct fid *from_dir, struct span from,
		 const struct fid *to_dir, struct span to, uint32_t flags)
{
	struct mds_rename_req q = {
		.from_parent = *from_dir,
		.from_name = from,
		.to_parent = *to_dir,
		.to_name = to,
		.flags = flags,
	};
	struct change c = {ln, {from_dir, to_dir}, {from, to}, 2};
	struct mds_rename_rep p;
	RPC_CALL(call);
	int rc = name_check(from);
	OP_TIMER(ln, rename);

	if (rc == 0)
		rc = name_check(to);
	if (rc)
		return rc;
	kept_drop_name(ln, to_dir, to);
	co_change_begin(&c);
	unlinks_co_wait(ln, NULL); /* it may replace a directory */
	rc = mds_co_rename(ln->mdt->imp, &call, &q, &p);
	if (rc) {
		change_end(&c, 0);
		return rc;
	}
	leases_names_changed(ln->fs->leases, &p.fid, p.seq, false);
	unlinks_not_alone(ln, &p.fid);
	unlinks_not_alone(ln, &p.replaced);
	leases_names_changed(ln->fs->leases, &p.replaced, p.seq, false);
	kept_drop(ln, &p.fid); /* as above */
	kept_drop(ln, &p.replaced);
	renamed(&c, &q, &p, grant_of(&call, p.seq, 0));
	change_end(&c, p.seq);
	name_dir_note(ln, &call, from_dir, p.seq, p.from_lease, &p.from_attr);
	name_dir_note(ln, &call, to_dir, p.seq, p.to_lease, &p.to_attr);
	return 0;
}

ssize_t fs_co_readlink(struct lane *ln, const struct fid *fid, char *buf, size_t len)
{
	struct mds_readlink_req q = {.fid = *fid};
	struct mds_readlink_rep p;
	RPC_CALL(call);
	ssize_t n = link_find(ln->fs, fid, buf, len);
	int rc;

	if (n >= 0)
		return n;
	unlinks_co_wait(ln, fid);
	rc = mds_co_readlink(ln->mdt->imp, &call, &q, &p);
	if (rc)
		return rc;
	if (p.target.len)
		memcpy(buf, p.target.ptr, p.target.len < len ? p.target.len : len);
	return p.target.len;
}

/* ---- directories ---- */

enum { COOKIE_DOT = 1, COOKIE_DOTDOT = 2 };

struct listing {
	struct lane *ln;
	const struct fid *dir;
	bool plus;
	uint64_t open_id; /* of the next file that the MDS has opened; 0: it was not asked to */
	struct lease_grant grant; /* without bits */
	fs_dirent_fn *fn;
	void *arg;
	int stop;
	bool learn;    /* all names, see leases_learn_begin() */
	uint64_t last; /* cookie */
	uint32_t n;
};

static int take_record(struct rbuf *r, const struct listing *l, struct mds_dirent_open *e)
{
	struct mds_dirent_plus p = {0};
	struct mds_dirent d = {0};
	int rc;

	if (l->open_id)
		return dec_mds_dirent_open(r, e);
	if (l->plus) {
		rc = dec_mds_dirent_plus(r, &p);
		*e = (struct mds_dirent_open){p.cookie, p.fid,  p.dtype, p.name,
					      p.attr,   p.lease, 0,      SPAN_NONE};
	} else {
		rc = dec_mds_dirent(r, &d);
		*e = (struct mds_dirent_open){
			.cookie = d.cookie, .fid = d.fid, .dtype = d.dtype, .name = d.name};
	}
	return rc;
}

/* The leases of an entry, and what may be kept by them. */
static void co_note_record(struct listing *l, struct mds_dirent_open *e)
{
	struct lease_grant g = l->grant;
	struct lane *ln = l->ln;

	g.bits = e->lease;
	leases_note(ln->fs->leases, &e->fid, &g, &e->attr);
	leases_note_name(ln->fs->leases, l->dir, e->name, &e->fid, &g);
	if (l->open_id && e->opened)
		file_co_opened_ahead(ln, &(struct file_ahead){l->open_id++, g.session, g.seq,
							      &e->fid, &e->attr, e->layout});
	if (S_ISREG(e->attr.mode) && !l->stop)
		intent_listed(ln->fs, l->dir, &e->fid);
}

static int co_give_record(struct rbuf *r, struct listing *l)
{
	struct mds_dirent_open e;
	struct fs_dirent d;
	int rc = take_record(r, l, &e);

	if (rc == 0 && !fid_is_sane(&e.fid))
		rc = -EBADMSG;
	if (rc)
		return rc == -EBADMSG ? -EIO : rc;
	if (l->plus)
		co_note_record(l, &e);
	if (l->learn)
		leases_learn_name(l->ln->fs->leases, l->dir, e.name, &e.fid);
	l->last = e.cookie;
	l->n++;
	d = (struct fs_dirent){{e.fid, e.attr}, e.cookie, e.dtype, e.name};
	if (!l->stop)
		l->stop = l->fn(l->arg, &d);
	return 0;
}

static void learn_end(const struct listing *l, bool eof)
{
	struct leases *t = l->ln->fs->leases;

	if (fid_eq(l->dir, &FID_ROOT)) /* it is there, and is not listed */
		leases_learn_name(t, l->dir, SPAN_STR(".lustre"), &FID_DOT_LUSTRE);
	leases_learn_end(t, l->dir, l->last, l->n, eof);
}

static int give_dots(const struct fid *dir, const struct fid *parent, uint64_t cookie,
		     fs_dirent_fn *fn, void *arg)
{
	struct fs_dirent d = {.e = {.fid = *dir, .attr = {.mode = S_IFDIR}},
			      .cookie = COOKIE_DOT,
			      .dtype = DT_DIR,
			      .name = SPAN_STR(".")};
	int stop = 0;

	if (cookie < COOKIE_DOT)
		stop = fn(arg, &d);
	if (stop || cookie >= COOKIE_DOTDOT)
		return stop;
	d.e.fid = fid_is_sane(parent) ? *parent : *dir;
	d.cookie = COOKIE_DOTDOT;
	d.name = SPAN_STR("..");
	return fn(arg, &d);
}

int fs_co_readdir_some(struct lane *ln, const struct fid *dir, uint64_t cookie, bool plus,
		       uint32_t max_bytes, fs_dirent_fn *fn, void *arg, bool *eof)
{
	struct mds_readdir_req q = {
		.fid = *dir,
		.cookie = cookie <= COOKIE_DOTDOT ? 0 : cookie,
		.max_bytes = max_bytes < READDIR_BODY ? max_bytes : READDIR_BODY,
		.flags = plus ? READDIR_PLUS : 0,
	};
	struct listing l = {.ln = ln, .dir = dir, .plus = plus, .fn = fn, .arg = arg};
	struct mds_readdir_rep p;
	struct rbuf r;
	RPC_CALL(call);
	int rc;
	OP_TIMER(ln, readdir);

	unlinks_co_wait(ln, dir);
	if (plus)
		l.open_id = q.open_id = intent_list(ln, dir, q.cookie, &q.opens);
	if (q.opens) {
		q.flags |= READDIR_OPEN;
		q.max_bytes = (uint32_t)min_u64(max_bytes * 3ULL / 2, READDIR_BODY);
	}
	rc = mds_co_readdir(ln->mdt->imp, &call, &q, &p);
	if (rc)
		return rc;
	*eof = false;
	l.grant = grant_of(&call, p.seq, 0);
	l.learn = leases_learn_begin(ln->fs->leases, dir, &l.grant, q.cookie);
	l.stop = give_dots(dir, &p.parent, cookie, fn, arg);
	r = rbuf_of(p.entries);
	/* What does not fit may be open all the same. */
	while (r.len && rc == 0 && (!l.stop || l.open_id))
		rc = co_give_record(&r, &l);
	if (l.learn)
		learn_end(&l, rc == 0 && !r.len && p.eof);
	if (rc == 0 && !l.stop)
		*eof = p.eof;
	return rc;
}

int fs_co_readdir(struct lane *ln, const struct fid *dir, uint64_t cookie, bool plus,
		  fs_dirent_fn *fn, void *arg, bool *eof)
{
	return fs_co_readdir_some(ln, dir, cookie, plus, READDIR_BODY, fn, arg, eof);
}

int fs_co_syncdir(struct lane *ln, const struct fid *dir)
{
	struct mds_sync_req q = {.fid = *dir};
	struct mds_sync_rep p;
	RPC_CALL(call);
	int rc, failed;
	OP_TIMER(ln, fsync);

	unlinks_co_wait(ln, dir);
	rc = mds_co_sync(ln->mdt->imp, &call, &q, &p);
	failed = unlinks_error(ln, dir);
	return rc ? rc : failed;
}
