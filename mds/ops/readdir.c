/* SPDX-License-Identifier: Apache-2.0 */
/* readdir.c - mds_readdir: names behind a cookie, as many as fit, with attributes if asked for. */
#include "mds/dirent.h"
#include "mds/intent.h"
#include "mds/own.h"
#include <sys/stat.h>

/* The largest record of a file that is opened, and a bit. */
enum { OPENED_MAX = MAX_NAME + READDIR_LAYOUT + 512 };

struct fill {
	struct rpc_op *op;
	struct txn *t;
	struct wbuf *w;
	uint32_t max;
	bool plus;
	bool full;
	bool open;	  /* files, while there are ids */
	uint64_t open_id; /* of the next one */
	uint32_t opens;	  /* so many */
};

/* Only what is sure to fit is opened: its client would not hear of it. */
static void put_opened(struct fill *f, struct mds_dirent_open *e, struct inode_rec *ino)
{
	bool fits = f->max - f->w->len >= OPENED_MAX && ino->layout.len <= READDIR_LAYOUT;

	if (f->opens && fits)
		e->opened = intent_open(f->op, &e->fid, ino, f->open_id, &e->lease);
	if (e->opened && (ino->attr.flags & INODE_HAS_OBJECTS))
		e->layout = ino->layout;
	f->open_id += e->opened;
	f->opens -= e->opened;
	enc_mds_dirent_open(f->w, e);
}

static void put_plus(struct fill *f, uint64_t cookie, const struct diridx_rec *e)
{
	struct mds_dirent_plus d = {
		.cookie = cookie, .fid = e->child, .dtype = e->dtype, .name = e->name};
	struct inode_rec ino;

	/* A damaged inode must not hide its neighbours: a mode of 0 says ask again. */
	if (ns_get(f->t, &e->child, &ino) == 0) {
		d.attr = ino.attr;
		if (e->dtype == ns_dtype(S_IFDIR) && own_elsewhere(f->op, &e->child))
			d.attr.flags |= ATTR_SIZE_UNSURE; /* ask again, that may wait */
		d.lease = op_lease(f->op, &e->child, &ino.attr, LEASE_LOOKUP | LEASE_UPDATE);
	} else {
		ino = (struct inode_rec){0};
	}
	if (f->open)
		put_opened(f, &(struct mds_dirent_open){cookie, e->child, e->dtype, e->name,
							d.attr, d.lease, 0, SPAN_NONE},
			   &ino);
	else
		enc_mds_dirent_plus(f->w, &d);
}

static int fill_row(void *arg, uint64_t cookie, const struct diridx_rec *e)
{
	struct fill *f = arg;
	uint32_t before = f->w->len;

	if (f->plus) {
		put_plus(f, cookie, e);
	} else {
		enc_mds_dirent(f->w, &(struct mds_dirent){cookie, e->child, e->dtype, e->name});
	}
	if (f->w->rc == 0 && f->w->len <= f->max)
		return 0;
	if (f->w->rc && f->w->rc != -EMSGSIZE)
		return f->w->rc;
	f->w->rc = 0;
	f->w->len = before;
	f->full = true;
	return 1;
}

/* .lustre has two names; .lustre/fid has all FIDs there are and lists none. */
static int fill_virtual(struct fill *f, const struct fid *dir, uint64_t cookie)
{
	struct fid top = FID_DOT_LUSTRE;
	struct diridx_rec e[] = {{FID_DOT_LUSTRE_FID, ns_dtype(S_IFDIR), SPAN_STR("fid")},
				 {FID_LOST_FOUND, ns_dtype(S_IFDIR), SPAN_STR("lost+found")}};
	uint64_t i, at = max_u64(cookie + 1, DIRENT_FIRST_COOKIE) - DIRENT_FIRST_COOKIE;
	int rc = 0;

	for (i = at; rc == 0 && i < ARRAY_SIZE(e) && fid_eq(dir, &top); i++)
		rc = fill_row(f, DIRENT_FIRST_COOKIE + i, &e[i]);
	return rc > 0 ? 0 : rc;
}

int mds_readdir(struct rpc_op *op, const struct mds_readdir_req *q, struct mds_readdir_rep *p)
{
	struct fill f = {.op = op, .plus = q->flags & READDIR_PLUS};
	struct inode_rec dir;
	uint32_t opens = 0;
	struct wbuf w;
	void *mem;
	int rc;

	f.max = q->max_bytes && q->max_bytes < READDIR_BODY ? q->max_bytes : READDIR_BODY;
	f.w = &w;
	f.open = f.plus && (q->flags & READDIR_OPEN) && op->session->kind == PEER_CLIENT;
	if (f.open && q->open_id) {
		f.open_id = q->open_id;
		f.opens = opens = q->opens < READDIR_OPENS ? q->opens : READDIR_OPENS;
	}
	if (op->resent && opens)
		intent_forget(op, q->open_id, opens);
	mem = rpc_op_alloc(op, f.max);
	rc = mem ? op_read(op, &f.t) : -ENOMEM;
	if (rc == 0)
		rc = ns_get(f.t, &q->fid, &dir);
	if (rc == 0 && !S_ISDIR(dir.attr.mode))
		rc = -ENOTDIR;
	if (rc)
		return rc;
	p->parent = dir.parent;
	p->seq = op_seq(op);
	wbuf_init_fixed(&w, mem, f.max);
	if (ns_is_virtual(&q->fid))
		rc = fill_virtual(&f, &q->fid, q->cookie);
	else
		rc = dirent_walk(f.t, &q->fid, q->cookie, fill_row, &f);
	if (rc == 0 && f.full && w.len == 0)
		rc = -EINVAL; /* not even one name fits */
	if (rc && opens)
		intent_forget(op, q->open_id, opens);
	if (rc)
		return rc;
	p->entries = wbuf_span(&w);
	p->eof = !f.full;
	return 0;
}
