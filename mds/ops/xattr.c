/* SPDX-License-Identifier: Apache-2.0 */
/* xattr.c - mds_getxattr, mds_setxattr, mds_listxattr, mds_removexattr; lustre.lov and
 * trusted.lov included. */
#include "mds/xattr.h"
#include "mds/state.h"
#include <stdlib.h>
#include <sys/stat.h>

/* Internal names of Lustre that archives carry along: taken and dropped, as Lustre does. */
static bool is_internal(struct span name)
{
	static const char *const names[] = {
		"trusted.lma",    "trusted.link",    "trusted.fid", "trusted.lmv",
		"trusted.dmv",    "trusted.som",     "trusted.hsm", "trusted.version",
		"trusted.projid", "trusted.dataver", "trusted.pin", "lustre.fid",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (span_eq(name, SPAN_STR(names[i])))
			return true;
	return false;
}

static int get_lov(struct rpc_op *op, const struct fid *fid, const struct inode_rec *ino,
		   struct span *value)
{
	struct wbuf w;
	int rc;

	wbuf_init(&w, MAX_XATTR_VALUE);
	rc = striping_xattr_get(fid, ino, &w);
	if (rc == 0) {
		*value = wbuf_span(&w);
		rc = op_copy(op, value);
	}
	wbuf_fini(&w);
	return rc;
}

static int put_lov(const struct fid *fid, const struct inode_rec *ino, struct wbuf *w)
{
	struct wbuf lov;
	int rc;

	if (!ino->layout.len)
		return 0;
	wbuf_init(&lov, MAX_XATTR_VALUE);
	rc = striping_xattr_get(fid, ino, &lov);
	if (rc == 0)
		enc_mds_xattr(w, &(struct mds_xattr){SPAN_STR("lustre.lov"), wbuf_span(&lov)});
	wbuf_fini(&lov);
	return rc;
}

/* All of them, if that is not much. Those of a symbolic link follow rules of their own, and hardly
 * ever are there any. */
static int tell_all(struct rpc_op *op, struct txn *t, const struct fid *fid,
		    const struct inode_rec *ino, struct span *all, uint8_t *whole)
{
	struct wbuf w;
	int rc;

	if (S_ISLNK(ino->attr.mode))
		return 0;
	wbuf_init(&w, XATTRS_SMALL);
	rc = put_lov(fid, ino, &w);
	if (rc == 0)
		rc = xattr_all(t, fid, ino, &w);
	if (rc == 0 && !w.rc) {
		*all = wbuf_span(&w);
		*whole = 1;
		rc = op_copy(op, all);
	}
	wbuf_fini(&w);
	return rc;
}

int mds_getxattr(struct rpc_op *op, const struct mds_getxattr_req *q, struct mds_getxattr_rep *p)
{
	struct mds *m = op_mds(op);
	uint64_t began = md_begin(m);
	struct inode_rec ino;
	struct txn *t;
	int rc = op_read(op, &t);

	if (rc == 0)
		rc = ns_get(t, &q->fid, &ino);
	if (rc == 0 && striping_is_xattr(q->name))
		rc = get_lov(op, &q->fid, &ino, &p->value);
	else if (rc == 0)
		rc = xattr_get(t, &q->fid, &ino, q->name, &p->value);
	p->none = rc == -ENODATA;
	if (rc == 0)
		rc = op_copy(op, &p->value);
	if (rc == 0 || p->none) {
		p->seq = op_seq(op);
		p->lease = op_lease(op, &q->fid, &ino.attr, LEASE_XATTR);
		rc = p->lease && q->all ? tell_all(op, t, &q->fid, &ino, &p->all, &p->whole) : 0;
	}
	md_end(m, MD_getxattr, began);
	return rc;
}

static int revoke(struct rpc_op *op, const struct fid *fid)
{
	int rc;

	if (ns_is_virtual(fid))
		return -EPERM;
	/* An ACL changes the mode, and somebody may keep a change of that back. */
	rc = op_co_revoke_one(op, fid, LEASE_UPDATE | LEASE_XATTR | LEASE_EXCLUSIVE);
	if (rc == 0)
		rc = op_share(op, &(struct share_use){*fid, SPAN_NONE, SHARE_CHANGE}, 1);
	return rc < 0 ? rc : 0;
}

static int set_lov(struct mds *m, struct txn *t, const struct mds_setxattr_req *q,
		   struct inode_rec *ino, int64_t now)
{
	/* trusted. is root's; the kernel checks that for its own callers, tools come another way */
	if (span_eq(q->name, SPAN_STR("trusted.lov")) && !q->priv)
		return -EPERM;
	return striping_xattr_set(t, &q->fid, ino, &m->alloc, &m->striping, q->value, now);
}

int mds_setxattr(struct rpc_op *op, const struct mds_setxattr_req *q, struct mds_setxattr_rep *p)
{
	struct mds *m = op_mds(op);
	uint64_t began = md_begin(m);
	int64_t now = op_now(op);
	struct inode_rec ino;
	struct txn *t;
	int rc = revoke(op, &q->fid);

	if (rc == 0)
		rc = op->replayed ? op_write(op, &t) : op_write_more(op, &t);
	if (rc == 0)
		rc = inode_get(t, &q->fid, &ino);
	if (rc == 0 && striping_is_xattr(q->name))
		rc = set_lov(m, t, q, &ino, now);
	else if (rc == 0 && !is_internal(q->name))
		rc = xattr_set(t, &q->fid, &ino, q->name, q->value, q->flags, now);
	if (rc == 0) {
		p->attr = ino.attr;
		p->seq = op_seq(op);
	}
	/* The answer does not tell which objects were chosen, so it could not be done again. */
	op->durable = striping_is_xattr(q->name);
	md_end(m, MD_setxattr, began);
	return rc;
}

int mds_listxattr(struct rpc_op *op, const struct mds_listxattr_req *q, struct mds_listxattr_rep *p)
{
	struct inode_rec ino;
	struct txn *t;
	struct wbuf w;
	int rc = op_read(op, &t);

	if (rc == 0)
		rc = ns_get(t, &q->fid, &ino);
	if (rc)
		return rc;
	wbuf_init(&w, MAX_XATTR_LIST + 64);
	if (ino.layout.len)
		wbuf_put(&w, "lustre.lov", sizeof("lustre.lov"));
	rc = xattr_list(t, &q->fid, &ino, &w);
	if (rc == 0)
		rc = w.rc;
	if (rc == 0) {
		p->names = wbuf_span(&w);
		rc = op_copy(op, &p->names);
	}
	wbuf_fini(&w);
	if (rc)
		return rc;
	p->seq = op_seq(op);
	p->lease = op_lease(op, &q->fid, &ino.attr, LEASE_XATTR);
	return p->lease && q->all ? tell_all(op, t, &q->fid, &ino, &p->all, &p->whole) : 0;
}

static int remove_lov(struct mds *m, struct txn *t, const struct fid *fid, struct inode_rec *ino,
		      int64_t now)
{
	if (S_ISREG(ino->attr.mode)) /* rsync -X takes away what its source has not */
		return 0;
	if (ino->layout.len == 0)
		return -ENODATA;
	return striping_xattr_set(t, fid, ino, &m->alloc, &m->striping, SPAN_NONE, now);
}

int mds_removexattr(struct rpc_op *op, const struct mds_removexattr_req *q,
		    struct mds_removexattr_rep *p)
{
	struct mds *m = op_mds(op);
	int64_t now = op_now(op);
	uint64_t began = md_begin(m);
	struct inode_rec ino;
	struct txn *t;
	int rc = revoke(op, &q->fid);

	if (rc == 0)
		rc = op_write(op, &t);
	if (rc == 0)
		rc = inode_get(t, &q->fid, &ino);
	if (rc == 0 && striping_is_xattr(q->name))
		rc = remove_lov(m, t, &q->fid, &ino, now);
	else if (rc == 0)
		rc = xattr_remove(t, &q->fid, &ino, q->name, now);
	if (rc == 0)
		p->seq = op_seq(op);
	md_end(m, MD_setxattr, began);
	return rc;
}
