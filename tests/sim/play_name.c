/* SPDX-License-Identifier: Apache-2.0 */
/* play_name.c - a player's operations on names and attributes; see play.h. */
#include "tests/sim/play.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

void play_lookup(struct play *p)
{
	struct model_node *dir = play_any_dir(p), *n;
	char name[PLAY_NAME];
	struct entry e;
	int rc, want;

	play_name(p, dir, name);
	rc = fs_co_lookup(p->ln, &dir->fid, SPAN_STR(name), &e);
	trace("p%u c%u lookup #%u/%s: %d", p->index, p->client, dir->id, play_short(name), rc);
	want = model_lookup(dir, name, &n);
	if (play_same(p, "lookup", rc, want))
		play_check_entry(p, n, &e);
}

void play_getattr(struct play *p)
{
	struct model_node *n = play_any(p);
	struct attr a;
	int rc;

	rc = fs_co_getattr(p->ln, &n->fid, &a);
	trace("p%u c%u getattr #%u: %d size %llu", p->index, p->client, n->id, rc,
	      rc ? 0ULL : (unsigned long long)a.size);
	if (play_same(p, "getattr", rc, 0))
		play_check_attr(p, n, &a);
}

void play_getattr_stale(struct play *p)
{
	const struct fid *fid = &p->stale[play_below(p, PLAY_STALE)];
	char text[FID_STRLEN];
	struct attr a;
	int rc;

	if (fid_is_zero(fid))
		return;
	rc = fs_co_getattr(p->ln, fid, &a);
	trace("p%u c%u getattr of removed %s: %d", p->index, p->client, fid_str(fid, text), rc);
	if (rc || a.nlink) /* a close may be under way: then it still is there, without a name */
		play_same(p, "getattr of a removed file", rc, -ENOENT);
}

static int64_t any_time(struct play *p)
{
	return (int64_t)play_below(p, 4000000000ULL * 1000000000ULL);
}

static struct file *some_file(struct play *p, struct model_node *n)
{
	for (int i = 0; i < PLAY_HANDLES; i++)
		if (p->handle[i].f && p->handle[i].n == n && p->handle[i].client == p->client)
			return p->handle[i].f;
	return NULL;
}

/* Blocks and times are not to be looked at. */
static void play_check_later(struct play *p, struct model_node *n, const struct attr *a)
{
	struct attr b = *a;

	b.blocks = n->npages * 8;
	b.mtime = n->mtime.lo;
	b.ctime = n->ctime.lo;
	b.atime = n->atime.lo;
	play_check_attr(p, n, &b);
}

void play_setattr(struct play *p)
{
	struct model_node *n = play_any(p);
	struct attr w = {0}, a;
	uint32_t valid = 0, closes = p->releases;
	int rc;

	if (play_one_in(p, 3))
		valid |= SETATTR_MODE;
	if (play_one_in(p, 4))
		valid |= play_one_in(p, 2) ? SETATTR_UID : SETATTR_UID | SETATTR_GID;
	if (play_one_in(p, 4))
		valid |= play_one_in(p, 3) ? SETATTR_ATIME_NOW : SETATTR_ATIME;
	if (play_one_in(p, 4))
		valid |= play_one_in(p, 3) ? SETATTR_MTIME_NOW : SETATTR_MTIME;
	if (S_ISREG(n->a.mode) && play_one_in(p, 3))
		valid |= SETATTR_SIZE;
	if (S_ISLNK(n->a.mode))
		valid &= ~(uint32_t)SETATTR_MODE;
	w.mode = (uint32_t)play_below(p, 010000);
	w.uid = (uint32_t)play_below(p, 4);
	w.gid = (uint32_t)play_below(p, 4);
	w.atime = any_time(p);
	w.mtime = any_time(p);
	w.size = play_below(p, play_one_in(p, 8) ? INT64_MAX : 300000);
	play_call(p);
	rc = fs_co_setattr(p->ln, &n->fid, some_file(p, n), valid, &w, &a);
	play_called(p);
	trace("p%u c%u setattr #%u valid %x mode %o size %llu: %d", p->index, p->client, n->id,
	      valid, w.mode, (unsigned long long)w.size, rc);
	if (!play_same(p, "setattr", rc, model_setattr(p->m, n, valid, &w)))
		return;
	if (a.flags & ATTR_SIZE_UNSURE) /* it was done without asking */
		play_check_later(p, n, &a);
	else
		play_check_attr(p, n, &a);
	for (int i = 0; i < PLAY_HANDLES;
	     i++) { /* another client's close may still tell of a read */
		struct handle *h = &p->handle[i];

		if (h->f && h->n == n && h->did_read && h->client != p->client)
			n->atime_known = false;
		else if (h->f && h->n == n && valid & (SETATTR_ATIME | SETATTR_ATIME_NOW))
			h->did_read = false;
	}
	if (closes || p->releases) /* so may a close that is under way */
		n->atime_known = false;
}

static void make(struct play *p, const char *what, struct model_new *w, const struct cred *cred)
{
	struct model_node *dir = play_any_dir(p), *n;
	struct span target = w->target ? SPAN_STR(w->target) : SPAN_NONE;
	char name[PLAY_NAME];
	struct entry e;
	int rc, want;

	play_name(p, dir, name);
	play_call(p);
	rc = fs_co_make(p->ln, &dir->fid, SPAN_STR(name), w->mode, w->rdev, target, cred, &e);
	play_called(p);
	want = model_make(p->m, dir, name, w, &n);
	trace("p%u c%u %s #%u/%s mode %o umask %o: %d (#%u)", p->index, p->client, what, dir->id,
	      play_short(name), w->mode, w->umask, rc, want ? 0 : n->id);
	if (play_same(p, what, rc, want))
		play_check_entry(p, n, &e);
}

void play_mkdir(struct play *p)
{
	struct cred cred = play_cred(p);
	struct model_new w = play_new(p, S_IFDIR, &cred);

	w.mode &= ~(uint32_t)S_ISUID;
	make(p, "mkdir", &w, &cred);
}

void play_mknod(struct play *p)
{
	static const uint32_t types[] = {S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK, S_IFREG};
	struct cred cred = play_cred(p);
	struct model_new w = play_new(p, types[play_below(p, 5)], &cred);

	if (S_ISCHR(w.mode) || S_ISBLK(w.mode))
		w.rdev = makedev(play_below(p, 300), play_below(p, 100000));
	make(p, "mknod", &w, &cred);
}

void play_symlink(struct play *p)
{
	struct cred cred = play_cred(p);
	struct model_new w = play_new(p, S_IFLNK, &cred);
	char target[200];

	snprintf(target, sizeof(target), "../%0*u", (int)(1 + play_below(p, 150)), p->op);
	w.mode = S_IFLNK | 0777;
	w.target = target;
	make(p, "symlink", &w, &cred);
}

void play_link(struct play *p)
{
	struct model_node *dir = play_any_dir(p), *n = play_any(p);
	char name[PLAY_NAME];
	struct entry e;
	int rc;

	play_name(p, dir, name);
	if (S_ISDIR(n->a.mode) && model_dent_find(dir, name))
		return; /* the kernel has looked for the name before it asks */
	play_call(p);
	rc = fs_co_link(p->ln, &n->fid, &dir->fid, SPAN_STR(name), &e);
	play_called(p);
	trace("p%u c%u link #%u as #%u/%s: %d", p->index, p->client, n->id, dir->id,
	      play_short(name), rc);
	if (play_same(p, "link", rc, model_link(p->m, n, dir, name)))
		play_check_entry(p, n, &e);
}

static void unlink_or_rmdir(struct play *p, bool rmdir)
{
	struct model_node *dir = play_any_dir(p), *n = NULL;
	char name[PLAY_NAME];
	int rc;

	play_name(p, dir, name);
	play_call(p);
	rc = fs_co_unlink(p->ln, &dir->fid, SPAN_STR(name), rmdir);
	play_called(p);
	if (model_lookup(dir, name, &n) == 0)
		model_pin(n);
	trace("p%u c%u %s #%u/%s: %d (#%u)", p->index, p->client, rmdir ? "rmdir" : "unlink",
	      dir->id, play_short(name), rc, n ? n->id : 0);
	play_same(p, rmdir ? "rmdir" : "unlink", rc, model_unlink(p->m, dir, name, rmdir));
	if (n)
		play_unpin(p, n);
}

void play_unlink(struct play *p)
{
	unlink_or_rmdir(p, false);
}

void play_rmdir(struct play *p)
{
	unlink_or_rmdir(p, true);
}

void play_rename(struct play *p)
{
	struct model_node *from = play_any_dir(p), *to = play_any_dir(p), *old = NULL;
	char a[PLAY_NAME], b[PLAY_NAME];
	uint32_t flags = 0;
	int rc;

	if (play_one_in(p, 2))
		to = from;
	play_name(p, from, a);
	play_name(p, to, b);
	if (play_one_in(p, 4))
		flags = 1 + (uint32_t)play_below(p, 3); /* NOREPLACE, EXCHANGE, both */
	play_call(p);
	rc = fs_co_rename(p->ln, &from->fid, SPAN_STR(a), &to->fid, SPAN_STR(b), flags);
	play_called(p);
	if (model_lookup(to, b, &old) == 0)
		model_pin(old);
	trace("p%u c%u rename #%u/%s #%u/%s flags %u: %d", p->index, p->client, from->id,
	      play_short(a), to->id, play_short(b), flags, rc);
	play_same(p, "rename", rc, model_rename(p->m, from, a, to, b, flags));
	if (old)
		play_unpin(p, old);
}

void play_readlink(struct play *p)
{
	struct model_node *n = play_any_of(p, S_IFLNK);
	char buf[256];
	ssize_t rc;

	if (!n)
		return;
	rc = fs_co_readlink(p->ln, &n->fid, buf, sizeof(buf));
	trace("p%u c%u readlink #%u: %zd", p->index, p->client, n->id, rc);
	if (play_same(p, "readlink", rc, (int64_t)strlen(n->target)) &&
	    memcmp(buf, n->target, (size_t)rc) != 0)
		sim_fail("player %u: readlink #%u gives another text", p->index, n->id);
}

/* ------------------------------------------------------------------ readdir */

struct listing {
	struct play *p;
	struct model_node *dir;
	bool plus;
	uint32_t left, dots, seen;
	uint64_t cookie;
};

static void list_name(struct listing *l, const struct fs_dirent *d, const char *name)
{
	struct model_dent *md = model_dent_find(l->dir, name);
	struct play *p = l->p;

	if (!md || md->seen || !fid_eq(&md->node->fid, &d->e.fid) ||
	    d->dtype != IFTODT(md->node->a.mode)) {
		sim_fail("player %u, operation %u: readdir #%u gives '%s' %s", p->index, p->op,
			 l->dir->id, play_short(name),
			 !md ? "that is not there" : md->seen ? "twice" : "as another file");
		return;
	}
	if (md->cookie && md->cookie != d->cookie)
		sim_fail("player %u: the cookie of #%u/%s changed from %llu to %llu", p->index,
			 l->dir->id, play_short(name), (unsigned long long)md->cookie,
			 (unsigned long long)d->cookie);
	md->cookie = d->cookie;
	md->seen = true;
	l->seen++;
	if (l->plus && !(d->e.attr.flags & ATTR_SIZE_UNSURE))
		play_check_attr(p, md->node, &d->e.attr);
}

static int list_one(void *arg, const struct fs_dirent *d)
{
	struct listing *l = arg;
	char name[PLAY_NAME];

	if (l->left-- == 0 || sim_failed())
		return 1;
	if (d->cookie <= l->cookie)
		sim_fail("player %u: readdir #%u: cookie %llu behind %llu", l->p->index, l->dir->id,
			 (unsigned long long)d->cookie, (unsigned long long)l->cookie);
	l->cookie = d->cookie;
	snprintf(name, sizeof(name), "%.*s", (int)d->name.len, (const char *)d->name.ptr);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		l->dots++;
	else
		list_name(l, d, name);
	return 0;
}

void play_list(struct play *p, struct model_node *dir, bool plus)
{
	struct listing l = {.p = p, .dir = dir, .plus = plus};
	struct model_dent *d;
	bool eof = false;
	int rc = 0, calls = 0;

	TAILQ_FOREACH(d, &dir->dents, link)
		d->seen = false;
	while (!eof && !rc && !sim_failed()) {
		l.left = 1 + (uint32_t)play_below(p, 12);
		rc = fs_co_readdir_some(p->ln, &dir->fid, l.cookie, plus,
					512 + (uint32_t)play_below(p, 2000), list_one, &l, &eof);
		if (++calls > 1000)
			sim_fail("player %u: readdir #%u never ends", p->index, dir->id);
	}
	trace("p%u c%u readdir #%u%s: %d, %u of %u names", p->index, p->client, dir->id,
	      plus ? " plus" : "", rc, l.seen, dir->ndents);
	if (play_same(p, "readdir", rc, 0) && (l.seen != dir->ndents || l.dots != 2))
		sim_fail("player %u, operation %u: readdir #%u gives %u names and %u dots of %u",
			 p->index, p->op, dir->id, l.seen, l.dots, dir->ndents);
}

void play_readdir(struct play *p)
{
	play_list(p, play_any_dir(p), play_one_in(p, 2));
}
