/* SPDX-License-Identifier: Apache-2.0 */
/* xattr.c - extended attributes: kept by the MDS, except lustre.fid, which is the name of the
 * inode. lustre.lov and trusted.lov are ordinary names here; the MDS knows what they mean. The
 * first question is answered with all that the inode has, if that is not much, and a lease (XATTR)
 * by which it is kept: lease.h. */
#include "client/core/core.h"
#include "client/core/xattrs.h"

/* xattr calls that ask for the length give no buffer. */
static ssize_t give(const void *value, uint32_t n, void *buf, size_t len)
{
	if (!len)
		return n;
	if (n > len)
		return -ERANGE;
	if (n)
		memcpy(buf, value, n);
	return n;
}

/* Without asking. -EAGAIN: not known. */
static ssize_t known(struct lane *ln, const struct fid *fid, struct span name, void *buf,
		     size_t len)
{
	struct wbuf w;
	ssize_t n = -EAGAIN;
	int rc;

	if (!ln->fs->xattr_cache)
		return -EAGAIN;
	wbuf_init(&w, XATTRS_VALUE_MAX);
	if (leases_xattr(ln->fs->leases, fid, name, loop_clock(ln->loop), &rc, &w)) {
		if (name.len)
			stat_add(&ln->stats[FS_STAT_getxattr_hits], 1);
		n = rc ? rc : w.rc ? w.rc : give(w.ptr, w.len, buf, len);
	}
	wbuf_fini(&w);
	return n;
}

static ssize_t ask(struct lane *ln, const struct mds_getxattr_req *q, void *buf, size_t len)
{
	struct mds_getxattr_rep p;
	RPC_CALL(call);
	int rc;

	unlinks_co_wait(ln, &q->fid);
	rc = mds_co_getxattr(ln->mdt->imp, &call, q, &p);
	if (rc)
		return rc;
	rc = p.none ? -ENODATA : 0;
	leases_note_xattr(ln->fs->leases, &q->fid,
			  &(struct lease_grant){call.hdr.session, p.seq, p.lease, 0},
			  &(struct xattr_answer){q->name, p.value, rc, p.whole, p.all});
	return rc ? rc : give(p.value.ptr, p.value.len, buf, len);
}

ssize_t fs_co_getxattr(struct lane *ln, const struct fid *fid, const char *name, void *buf,
		       size_t len)
{
	struct mds_getxattr_req q = {
		.fid = *fid, .name = SPAN_STR(name), .all = (uint8_t)ln->fs->xattr_cache};
	ssize_t n;
	OP_TIMER(ln, getxattr);

	if (strcmp(name, "lustre.fid") == 0) {
		char text[FID_STRLEN];

		fid_str(fid, text);
		return give(text, (uint32_t)strlen(text), buf, len);
	}
	if (q.name.len > MAX_XATTR_NAME)
		return -ERANGE;
	n = known(ln, fid, q.name, buf, len);
	return n == -EAGAIN ? ask(ln, &q, buf, len) : n;
}

ssize_t fs_co_listxattr(struct lane *ln, const struct fid *fid, char *buf, size_t len)
{
	struct mds_listxattr_req q = {.fid = *fid, .all = (uint8_t)ln->fs->xattr_cache};
	struct mds_listxattr_rep p;
	RPC_CALL(call);
	ssize_t n;
	int rc;
	OP_TIMER(ln, listxattr);

	n = known(ln, fid, SPAN_NONE, buf, len);
	if (n != -EAGAIN)
		return n;
	unlinks_co_wait(ln, fid);
	rc = mds_co_listxattr(ln->mdt->imp, &call, &q, &p);
	if (rc)
		return rc;
	leases_note_xattr(ln->fs->leases, fid,
			  &(struct lease_grant){call.hdr.session, p.seq, p.lease, 0},
			  &(struct xattr_answer){SPAN_NONE, p.names, 0, p.whole, p.all});
	return give(p.names.ptr, p.names.len, buf, len);
}

int fs_co_setxattr(struct lane *ln, const struct fid *fid, const char *name, struct span value,
		   int flags, const struct cred *cred)
{
	struct mds_setxattr_req q = {
		.fid = *fid,
		.name = SPAN_STR(name),
		.value = value,
		.flags = (uint32_t)flags,
		.priv = cred->uid == 0,
	};
	struct mds_setxattr_rep p;
	RPC_CALL(call);
	int rc;
	OP_TIMER(ln, setxattr);

	if (q.name.len > MAX_XATTR_NAME)
		return -ERANGE;
	if (value.len > MAX_XATTR_VALUE)
		return -E2BIG;
	leases_change_begin(ln->fs->leases, fid, LEASE_UPDATE | LEASE_XATTR);
	unlinks_co_wait(ln, fid);
	rc = mds_co_setxattr(ln->mdt->imp, &call, &q, &p);
	leases_change_end(ln->fs->leases, fid, LEASE_UPDATE | LEASE_XATTR, rc ? 0 : p.seq,
			  loop_clock(ln->loop));
	if (rc == 0)
		file_apply_attr(ln->fs, fid, &p.attr, false);
	return rc;
}

int fs_co_removexattr(struct lane *ln, const struct fid *fid, const char *name)
{
	struct mds_removexattr_req q = {.fid = *fid, .name = SPAN_STR(name)};
	struct mds_removexattr_rep p;
	RPC_CALL(call);
	int rc;
	OP_TIMER(ln, removexattr);

	if (q.name.len > MAX_XATTR_NAME)
		return -ERANGE;
	leases_change_begin(ln->fs->leases, fid, LEASE_UPDATE | LEASE_XATTR);
	unlinks_co_wait(ln, fid);
	rc = mds_co_removexattr(ln->mdt->imp, &call, &q, &p);
	leases_change_end(ln->fs->leases, fid, LEASE_UPDATE | LEASE_XATTR, rc ? 0 : p.seq,
			  loop_clock(ln->loop));
	return rc;
}
