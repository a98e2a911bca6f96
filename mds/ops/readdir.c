/* SPDX-License-Identifier: Apache-2.0 */
/* readdir.c - mds_readdir: names behind a cookie, as many as fit, with attributes if asked for. */
#include "mds/dirent.h"
#include "mds/state.h"
#include <sys/stat.h>

struct fill {
	struct rpc_op *op;
	struct txn *t;
	struct wbuf *w;
	uint32_t max;
	bool plus;
	bool full;
};

static int fill_row(void *arg, uint64_t cookie, const struct diridx_rec *e)
{
	struct fill *f = arg;
	uint32_t before = f->w->len;
	struct inode_rec ino;
	int rc = 0;

	if (f->plus) {
		rc = ns_get(f->t, &e->child, &ino);
		if (rc == 0)
			enc_mds_dirent_plus(
				f->w, &(struct mds_dirent_plus){
					      cookie, e->child, e->dtype, e->name, ino.attr,
					      op_lease(f->op, &e->child, &ino.attr,
						       LEASE_LOOKUP | LEASE_UPDATE)});
		else /* a damaged inode must not hide its neighbours: a mode of 0 says ask again */
			enc_mds_dirent_plus(f->w, &(struct mds_dirent_plus){.cookie = cookie,
									    .fid = e->child,
									    .dtype = e->dtype,
									    .name = e->name});
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

/* .lustre has one name; .lustre/fid has all FIDs there are and lists none. */
static int fill_virtual(struct fill *f, const struct fid *dir, uint64_t cookie)
{
	struct fid top = FID_DOT_LUSTRE;
	struct diridx_rec e = {FID_DOT_LUSTRE_FID, ns_dtype(S_IFDIR), SPAN_STR("fid")};
	int rc = 0;

	if (fid_eq(dir, &top) && cookie < DIRENT_FIRST_COOKIE)
		rc = fill_row(f, DIRENT_FIRST_COOKIE, &e);
	return rc > 0 ? 0 : rc;
}

int mds_readdir(struct rpc_op *op, const struct mds_readdir_req *q, struct mds_readdir_rep *p)
{
	struct fill f = {.op = op, .plus = q->flags & READDIR_PLUS};
	struct inode_rec dir;
	struct wbuf w;
	void *mem;
	int rc;

	f.max = q->max_bytes && q->max_bytes < READDIR_BODY ? q->max_bytes : READDIR_BODY;
	f.w = &w;
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
	if (rc)
		return rc;
	p->entries = wbuf_span(&w);
	p->eof = !f.full;
	return 0;
}
