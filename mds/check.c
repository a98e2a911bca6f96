/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - what must hold between the tables: mds_check_invariants(), for tests, the simulator
 * and sheen-mds --check.
 *
 * It walks every table once and looks up what each row claims. Nothing is repaired. A breach is
 * logged with the FIDs and names that a person needs to find it.
 */
#include "common/layout.h"
#include "common/log.h"
#include "common/store.h"
#include "mds/config.h"
#include "mds/dirent.h"
#include "mds/inode.h"
#include "mds/link.h"
#include "mds/orphan.h"
#include "mds/state.h"
#include "mds/unlinklog.h"
#include "mds/xattr.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_TOLD = 50 };

struct check {
	struct txn *t;
	int breaches;
	int rc; /* a real failure: no memory, LMDB */
};

static void breach(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void breach(struct check *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (++c->breaches > MAX_TOLD)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_err("mds check: %s", text);
}

#define F(fid) fid_str(fid, (char[FID_STRLEN]){0})
#define N(s) (int)(s).len, (const char *)(s).ptr

/* ---- inodes ---- */

struct count {
	const struct fid *fid;
	uint32_t n;
};

static int count_link(void *arg, const struct link_key *k, const struct link_rec *v)
{
	struct count *a = arg;

	(void)v;
	if (!fid_eq(&k->fid, a->fid))
		return 1;
	a->n++;
	return 0;
}

struct subdirs {
	uint32_t dirs, names;
	uint64_t max_cookie;
};

static int count_subdir(void *arg, uint64_t cookie, const struct diridx_rec *e)
{
	struct subdirs *s = arg;

	s->names++;
	if (e->dtype == ns_dtype(S_IFDIR))
		s->dirs++;
	s->max_cookie = cookie;
	return 0;
}

static void check_first_link(struct check *c, const struct fid *fid, const struct inode_rec *ino)
{
	struct dirent_rec d;
	struct fid root = FID_ROOT;
	int rc;

	if (fid_eq(fid, &root))
		return;
	if (ino->attr.nlink == 0 || ino->name.len == 0) {
		if (ino->attr.nlink || ino->name.len)
			breach(c, "%s: nlink %u but first link '%.*s'", F(fid), ino->attr.nlink,
			       N(ino->name));
		return;
	}
	rc = dirent_get(c->t, &ino->parent, ino->name, &d);
	if (rc || !fid_eq(&d.child, fid))
		breach(c, "%s: its first link '%.*s' in %s leads elsewhere (%d)", F(fid),
		       N(ino->name), F(&ino->parent), rc);
}

static void check_dir(struct check *c, const struct fid *fid, const struct inode_rec *ino)
{
	struct subdirs s = {0};
	int rc = dirent_walk(c->t, fid, 0, count_subdir, &s);

	if (rc)
		c->rc = rc;
	if (ino->attr.nlink != s.dirs + 2)
		breach(c, "%s: directory with %u subdirectories has nlink %u", F(fid), s.dirs,
		       ino->attr.nlink);
	if (s.names && s.max_cookie >= ino->next_cookie)
		breach(c, "%s: cookie %llu is in use, next is %llu", F(fid),
		       (unsigned long long)s.max_cookie, (unsigned long long)ino->next_cookie);
}

static void check_file(struct check *c, const struct fid *fid, const struct inode_rec *ino)
{
	struct count links = {.fid = fid};
	struct unsure_rec u;
	bool linkable, unsure, marked;
	int rc;

	rc = link_rec_walk(c->t, &(struct link_key){.fid = *fid}, count_link, &links);
	if (rc)
		c->rc = rc;
	if (ino->attr.nlink != links.n + (ino->name.len > 0))
		breach(c, "%s: nlink %u with %u names", F(fid), ino->attr.nlink,
		       links.n + (ino->name.len > 0));
	rc = orphan_get(c->t, fid, &linkable);
	if ((rc == 0) != (ino->attr.nlink == 0))
		breach(c, "%s: nlink %u, in table orphan: %d", F(fid), ino->attr.nlink, rc == 0);
	unsure = ino->attr.flags & ATTR_SIZE_UNSURE;
	marked = unsure_rec_get(c->t, &(struct unsure_key){*fid}, &u) == 0;
	if (unsure != marked)
		breach(c, "%s: size unsure: %d, in table unsure: %d", F(fid), unsure, marked);
}

static int inode_row(void *arg, const struct inode_key *k, const struct inode_rec *v)
{
	CLEANUP(layout_freep) struct layout *l = NULL;
	struct check *c = arg;

	if (!v) {
		breach(c, "%s: damaged inode", F(&k->fid));
		return 0;
	}
	if (inode_layout(&k->fid, v, &l))
		breach(c, "%s: damaged layout", F(&k->fid));
	check_first_link(c, &k->fid, v);
	if (S_ISDIR(v->attr.mode))
		check_dir(c, &k->fid, v);
	else
		check_file(c, &k->fid, v);
	return c->rc;
}

/* ---- names ---- */

/* Does the inode know this name, as its first link or as a row of table link? */
static bool knows_name(struct check *c, const struct fid *fid, const struct inode_rec *ino,
		       const struct fid *parent, struct span name)
{
	struct link_rec l;

	if (fid_eq(&ino->parent, parent) && span_eq(ino->name, name))
		return true;
	return link_rec_get(c->t, &(struct link_key){*fid, *parent, name}, &l) == 0;
}

static int dirent_row(void *arg, const struct dirent_key *k, const struct dirent_rec *v)
{
	struct check *c = arg;
	struct inode_rec ino;
	struct diridx_rec idx;

	if (!v) {
		breach(c, "damaged name '%.*s' in %s", N(k->name), F(&k->parent));
		return 0;
	}
	if (inode_get(c->t, &k->parent, &ino) || !S_ISDIR(ino.attr.mode))
		breach(c, "name '%.*s' in %s, which is no directory", N(k->name), F(&k->parent));
	if (diridx_rec_get(c->t, &(struct diridx_key){k->parent, v->cookie}, &idx) ||
	    !span_eq(idx.name, k->name) || !fid_eq(&idx.child, &v->child) || idx.dtype != v->dtype)
		breach(c, "name '%.*s' in %s is not in diridx as it should", N(k->name),
		       F(&k->parent));
	if (inode_get(c->t, &v->child, &ino)) {
		breach(c, "name '%.*s' in %s leads to %s, which is not there", N(k->name),
		       F(&k->parent), F(&v->child));
		return 0;
	}
	if (ns_dtype(ino.attr.mode) != v->dtype)
		breach(c, "name '%.*s' in %s has the wrong type", N(k->name), F(&k->parent));
	if (!knows_name(c, &v->child, &ino, &k->parent, k->name))
		breach(c, "%s does not know its name '%.*s' in %s", F(&v->child), N(k->name),
		       F(&k->parent));
	return 0;
}

static int diridx_row(void *arg, const struct diridx_key *k, const struct diridx_rec *v)
{
	struct check *c = arg;
	struct dirent_rec d;

	if (!v || dirent_get(c->t, &k->parent, v->name, &d) || d.cookie != k->cookie)
		breach(c, "cookie %llu of %s has no name", (unsigned long long)k->cookie,
		       F(&k->parent));
	return 0;
}

static int link_row(void *arg, const struct link_key *k, const struct link_rec *v)
{
	struct check *c = arg;
	struct dirent_rec d;

	(void)v;
	if (dirent_get(c->t, &k->parent, k->name, &d) || !fid_eq(&d.child, &k->fid))
		breach(c, "link '%.*s' in %s of %s is no name", N(k->name), F(&k->parent),
		       F(&k->fid));
	return 0;
}

/* ---- the rest: rows of inodes that must exist, or must not ---- */

static int must_exist(struct check *c, const char *table, const struct fid *fid)
{
	struct inode_rec ino;

	if (inode_get(c->t, fid, &ino))
		breach(c, "table %s has %s, which is not there", table, F(fid));
	return 0;
}

static int xattr_row(void *arg, const struct xattr_key *k, const struct xattr_rec *v)
{
	(void)v;
	return must_exist(arg, "xattr", &k->fid);
}

static int orphan_row(void *arg, const struct orphan_key *k, const struct orphan_rec *v)
{
	(void)v;
	return must_exist(arg, "orphan", &k->fid);
}

static int unsure_row(void *arg, const struct unsure_key *k, const struct unsure_rec *v)
{
	(void)v;
	return must_exist(arg, "unsure", &k->fid);
}

static int unlinklog_row(void *arg, const struct unlinklog_key *k, const struct unlinklog_rec *v)
{
	struct check *c = arg;
	struct inode_rec ino;

	(void)v;
	if (inode_get(c->t, &k->fid, &ino) == 0)
		breach(c, "objects of %s are to be destroyed, but it is still there", F(&k->fid));
	return 0;
}

int mds_check_invariants(struct txn *t)
{
	struct check c = {.t = t};
	int rc;

	rc = inode_rec_walk(t, &(struct inode_key){.fid = {0}}, inode_row, &c);
	if (rc == 0)
		rc = dirent_rec_walk(t, &(struct dirent_key){.parent = {0}}, dirent_row, &c);
	if (rc == 0)
		rc = diridx_rec_walk(t, &(struct diridx_key){.cookie = 0}, diridx_row, &c);
	if (rc == 0)
		rc = link_rec_walk(t, &(struct link_key){.fid = {0}}, link_row, &c);
	if (rc == 0)
		rc = xattr_rec_walk(t, &(struct xattr_key){.fid = {0}}, xattr_row, &c);
	if (rc == 0)
		rc = orphan_rec_walk(t, &(struct orphan_key){.fid = {0}}, orphan_row, &c);
	if (rc == 0)
		rc = unsure_rec_walk(t, &(struct unsure_key){.fid = {0}}, unsure_row, &c);
	if (rc == 0)
		rc = unlinklog_rec_walk(t, &(struct unlinklog_key){.ost = 0}, unlinklog_row, &c);
	return rc ? rc : c.breaches;
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
