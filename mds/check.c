/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - the facts; see check.h. How all tables are walked stands in check_walk.c. */
#include "mds/check_rows.h"
#include "mds/dirent.h"
#include "mds/orphan.h"
#include "mds/xattr.h"
#include <inttypes.h>
#include <sys/stat.h>

const struct finding_text finding_texts[FINDING_KINDS] = {
#define FINDING_TEXT(name, part, text) {#name, text, CHECK_##part},
	FINDINGS(FINDING_TEXT)
#undef FINDING_TEXT
};

enum {
	CLIMB_MAX = 100000, /* directories up to the root */
	COUNT_AGAIN = 5,
};

/* ---- findings ---- */

static void put_name(struct finding *f, const struct fid *parent, struct span name)
{
	f->parent = *parent;
	f->name_len = (uint32_t)min_u64(name.len, sizeof(f->name));
	if (f->name_len)
		memcpy(f->name, name.ptr, f->name_len);
}

static void found(struct checker *c, struct finding f)
{
	c->found(c->arg, &f);
}

static void found_inode(struct checker *c, enum finding_kind kind, const struct fid *fid)
{
	found(c, (struct finding){.kind = kind, .fid = *fid});
}

static void found_name(struct checker *c, enum finding_kind kind, const struct fid *parent,
		       struct span name, const struct fid *child)
{
	struct finding f = {.kind = kind, .fid = *child};

	put_name(&f, parent, name);
	found(c, f);
}

static void put_details(const struct finding *f, char *buf, size_t len)
{
	char name[4 * MAX_NAME + 1] = "", fid[FID_STRLEN];
	uint32_t i, n = 0;

	for (i = 0; i < f->name_len; i++) { /* names may hold anything */
		bool plain = f->name[i] >= ' ' && f->name[i] <= '~' && f->name[i] != '\\';

		n += (uint32_t)snprintf(name + n, sizeof(name) - n, plain ? "%c" : "\\%03o",
					f->name[i]);
	}
	*buf = 0;
	if (f->kind == FINDING_stray_row)
		snprintf(buf, len, " (table %s)", mds_table_texts[f->table].name);
	else if (finding_texts[f->kind].part == CHECK_LAYOUT || f->kind == FINDING_doomed_objects)
		snprintf(buf, len, " (OST%04x, object %u.%u)", f->ost, f->comp, f->stripe);
	else if (f->name_len)
		snprintf(buf, len, " ('%.200s' in %s)", name, fid_str(&f->parent, fid));
	else if (f->want || f->have)
		snprintf(buf, len, " (%" PRIu64 ", should be %" PRIu64 ")", f->have, f->want);
}

char *finding_str(const struct finding *f, char buf[FINDING_STRLEN])
{
	char details[320], fid[FID_STRLEN];

	put_details(f, details, sizeof(details));
	snprintf(buf, FINDING_STRLEN, "%s %s: %s%s", finding_texts[f->kind].name,
		 fid_str(&f->fid, fid), finding_texts[f->kind].text, details);
	return buf;
}

/* ---- names ---- */

/* Does the inode know this name, as its first link or as a row of table link? */
static bool knows_name(struct checker *c, const struct fid *fid, const struct inode_rec *ino,
		       const struct fid *parent, struct span name)
{
	struct link_rec l;

	if (fid_eq(&ino->parent, parent) && span_eq(ino->name, name))
		return true;
	return link_rec_get(c->t, &(struct link_key){*fid, *parent, name}, &l) == 0;
}

/* An inode whose record is damaged is a finding of its own: nothing is said about it here. */
static void check_child(struct checker *c, const struct dirent_key *k, const struct dirent_rec *v)
{
	struct inode_rec ino;
	int rc = inode_get(c->t, &v->child, &ino);

	if (rc == -ENOENT)
		found_name(c, FINDING_dangling_name, &k->parent, k->name, &v->child);
	if (rc)
		return;
	if (ns_dtype(ino.attr.mode) != v->dtype)
		found_name(c, FINDING_wrong_type, &k->parent, k->name, &v->child);
	if (!knows_name(c, &v->child, &ino, &k->parent, k->name))
		found_name(c, FINDING_unknown_name, &k->parent, k->name, &v->child);
}

void check_dirent(struct checker *c, const struct dirent_key *k, const struct dirent_rec *v)
{
	struct inode_rec dir;
	struct diridx_rec idx;
	int rc;

	if (!v) {
		found_name(c, FINDING_damaged_name, &k->parent, k->name, &(struct fid){0});
		return;
	}
	rc = inode_get(c->t, &k->parent, &dir);
	if (rc == -ENOENT || (rc == 0 && !S_ISDIR(dir.attr.mode)))
		found_name(c, FINDING_misplaced_name, &k->parent, k->name, &v->child);
	if (diridx_rec_get(c->t, &(struct diridx_key){k->parent, v->cookie}, &idx) ||
	    !span_eq(idx.name, k->name) || !fid_eq(&idx.child, &v->child) || idx.dtype != v->dtype)
		found_name(c, FINDING_lost_index, &k->parent, k->name, &v->child);
	check_child(c, k, v);
}

void check_diridx(struct checker *c, const struct diridx_key *k, const struct diridx_rec *v)
{
	struct finding f = {.kind = FINDING_stale_index, .cookie = k->cookie};
	struct dirent_rec d;

	if (v && dirent_get(c->t, &k->parent, v->name, &d) == 0 && d.cookie == k->cookie)
		return;
	if (v)
		f.fid = v->child;
	put_name(&f, &k->parent, v ? v->name : SPAN_NONE);
	found(c, f);
}

static bool leads_to(struct checker *c, const struct fid *parent, struct span name,
		     const struct fid *fid)
{
	struct dirent_rec d;

	return dirent_get(c->t, parent, name, &d) == 0 && fid_eq(&d.child, fid);
}

void check_link(struct checker *c, const struct link_key *k, const struct link_rec *v)
{
	struct inode_rec ino;
	int rc = inode_get(c->t, &k->fid, &ino);

	(void)v; /* the value is empty */
	if (rc == -ENOENT) {
		struct finding f = {.kind = FINDING_stray_row, .table = TABLE_link, .fid = k->fid};

		put_name(&f, &k->parent, k->name);
		found(c, f);
	} else if (!leads_to(c, &k->parent, k->name, &k->fid)) {
		found_name(c, FINDING_lost_name, &k->parent, k->name, &k->fid);
	}
}

/* ---- inodes ---- */

/* The two that no directory has a name for. */
static bool is_fixed(const struct fid *fid)
{
	struct fid root = FID_ROOT, lost = FID_LOST_FOUND;

	return fid_eq(fid, &root) || fid_eq(fid, &lost);
}

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

int check_count_names(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
		      uint32_t *out)
{
	struct count links = {.fid = fid};
	uint32_t first = ino->name.len > 0;
	int rc = link_rec_walk(t, &(struct link_key){.fid = *fid}, count_link, &links);

	*out = first + links.n;
	return rc;
}

static void check_orphan_mark(struct checker *c, const struct fid *fid, const struct inode_rec *ino,
			      uint32_t names)
{
	bool linkable, marked = orphan_get(c->t, fid, &linkable) == 0;

	if (names && marked)
		found_inode(c, FINDING_wrong_orphan, fid);
	if (!names && !marked)
		found_inode(c, FINDING_nameless, fid);
	else if (ino->attr.nlink != names)
		found(c, (struct finding){.kind = FINDING_wrong_nlink,
					  .fid = *fid,
					  .have = ino->attr.nlink,
					  .want = names});
}

static void check_file(struct checker *c, const struct fid *fid, const struct inode_rec *ino)
{
	bool unsure = ino->attr.flags & ATTR_SIZE_UNSURE;
	struct unsure_rec u;
	uint32_t names;
	int rc = check_count_names(c->t, fid, ino, &names);

	if (rc) {
		c->rc = rc;
		return;
	}
	if (!ino->name.len && names)
		found_inode(c, FINDING_no_first_name, fid);
	check_orphan_mark(c, fid, ino, names);
	if (unsure && unsure_rec_get(c->t, &(struct unsure_key){*fid}, &u) != 0)
		found_inode(c, FINDING_wrong_unsure, fid);
}

/* From here up to the root. A loop further up is found by those that are in it. */
static void check_climb(struct checker *c, const struct fid *fid, const struct inode_rec *ino)
{
	struct fid at = ino->parent;
	struct inode_rec up;
	uint32_t n;

	for (n = 0; n < CLIMB_MAX && !is_fixed(&at); n++) {
		if (fid_eq(&at, fid)) {
			found_name(c, FINDING_loop, &ino->parent, ino->name, fid);
			return;
		}
		if (inode_get(c->t, &at, &up))
			return;
		at = up.parent;
	}
}

void check_inode(struct checker *c, const struct inode_key *k, const struct inode_rec *v)
{
	CLEANUP(layout_freep) struct layout *l = NULL;
	bool dir = v && S_ISDIR(v->attr.mode);

	if (!v) {
		found_inode(c, FINDING_damaged_inode, &k->fid);
		return;
	}
	if (inode_layout(&k->fid, v, &l))
		found_inode(c, FINDING_damaged_layout, &k->fid);
	if (!is_fixed(&k->fid) && v->name.len && !leads_to(c, &v->parent, v->name, &k->fid))
		found_name(c, FINDING_lost_name, &v->parent, v->name, &k->fid);
	if (!dir)
		check_file(c, &k->fid, v);
	else if (is_fixed(&k->fid))
		return;
	else if (v->name.len)
		check_climb(c, &k->fid, v);
	else
		found_inode(c, FINDING_nameless, &k->fid);
}

/* ---- directories: their subdirectories ---- */

struct subdirs {
	struct check_dir *d;
	uint32_t left;
};

static int count_subdir(void *arg, uint64_t cookie, const struct diridx_rec *e)
{
	struct subdirs *s = arg;

	if (!s->left--)
		return 1;
	s->d->subdirs += e->dtype == ns_dtype(S_IFDIR);
	s->d->cookie = cookie;
	return 0;
}

void check_dir_start(struct check_dir *d, const struct fid *fid, const struct inode_rec *ino)
{
	uint32_t again = d->on ? d->again + 1 : 0;

	*d = (struct check_dir){
		.on = true,
		.fid = *fid,
		.next_cookie = ino->next_cookie,
		.nlink = ino->attr.nlink,
		.ctime = ino->attr.ctime,
		.again = again,
	};
}

/* Nothing in it was added, replaced or removed since the start. */
static bool is_same(const struct check_dir *d, const struct inode_rec *ino)
{
	return d->next_cookie == ino->next_cookie && d->nlink == ino->attr.nlink &&
	       d->ctime == ino->attr.ctime;
}

static void check_counted(struct checker *c, const struct check_dir *d)
{
	if (d->nlink != d->subdirs + 2)
		found(c, (struct finding){.kind = FINDING_wrong_nlink,
					  .fid = d->fid,
					  .have = d->nlink,
					  .want = d->subdirs + 2});
	if (d->cookie >= d->next_cookie)
		found(c, (struct finding){.kind = FINDING_used_cookie,
					  .fid = d->fid,
					  .have = d->next_cookie,
					  .want = d->cookie + 1});
}

int check_dir_step(struct checker *c, struct check_dir *d, uint32_t max)
{
	struct subdirs s = {d, max};
	struct inode_rec ino;

	d->on = d->on && inode_get(c->t, &d->fid, &ino) == 0;
	if (d->on && !is_same(d, &ino))
		check_dir_start(d, &d->fid, &ino);
	if (d->again > COUNT_AGAIN)
		d->on = false;
	if (!d->on)
		return d->again > COUNT_AGAIN ? -EAGAIN : 0;
	c->rc = dirent_walk(c->t, &d->fid, d->cookie, count_subdir, &s);
	if (c->rc == 0 && s.left == UINT32_MAX)
		return 1;
	d->on = false;
	if (c->rc == 0)
		check_counted(c, d);
	return c->rc;
}

/* ---- rows of inodes that must exist, or must not ---- */

static void must_exist(struct checker *c, uint32_t table, const struct fid *fid, struct span name)
{
	struct finding f = {.kind = FINDING_stray_row, .table = table, .fid = *fid};
	struct inode_rec ino;

	if (inode_get(c->t, fid, &ino) != -ENOENT)
		return;
	put_name(&f, &(struct fid){0}, name);
	found(c, f);
}

void check_xattr(struct checker *c, const struct xattr_key *k, const struct xattr_rec *v)
{
	(void)v;
	must_exist(c, TABLE_xattr, &k->fid, k->name);
}

void check_orphan(struct checker *c, const struct orphan_key *k, const struct orphan_rec *v)
{
	(void)v;
	must_exist(c, TABLE_orphan, &k->fid, SPAN_NONE);
}

void check_unsure(struct checker *c, const struct unsure_key *k, const struct unsure_rec *v)
{
	(void)v;
	must_exist(c, TABLE_unsure, &k->fid, SPAN_NONE);
}

void check_hsm(struct checker *c, const struct hsm_key *k, const struct hsm_rec *v)
{
	(void)v;
	must_exist(c, TABLE_hsm, &k->fid, SPAN_NONE);
}

void check_unlinklog(struct checker *c, const struct unlinklog_key *k,
		     const struct unlinklog_rec *v)
{
	struct inode_rec ino;

	(void)v;
	if (inode_get(c->t, &k->fid, &ino) == 0)
		found(c, (struct finding){.kind = FINDING_doomed_objects,
					  .fid = k->fid,
					  .ost = k->ost,
					  .comp = k->comp,
					  .stripe = k->stripe});
}
