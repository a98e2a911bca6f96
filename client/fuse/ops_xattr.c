/* SPDX-License-Identifier: Apache-2.0 */
/* ops_xattr.c - extended attributes; names that begin with "sheen." go to the channel for tools. */
#include "client/fuse/face.h"

static void reply_value(fuse_req_t req, ssize_t n, size_t size, const char *buf)
{
	if (n < 0)
		reply_rc(req, (int)n);
	else if (!size)
		fuse_reply_xattr(req, (size_t)n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct flane *fl = flane_here();
	struct buf *b;
	struct fid fid;
	ssize_t n;

	if (size > MAX_XATTR_VALUE)
		size = MAX_XATTR_VALUE;
	n = face_fid(fl->face, ino, &fid);
	if (n) {
		reply_rc(req, (int)n);
		return;
	}
	b = flane_co_buf(fl, size ? (uint32_t)size : 1);
	if (channel_is_name(name))
		n = channel_co_get(fl, &fid, name, (char *)b->ptr, size);
	else
		n = stale_rc((int)fs_co_getxattr(fl->ln, &fid, name, b->ptr, size));
	reply_value(req, n, size, (const char *)b->ptr);
	buf_put(b);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct flane *fl = flane_here();
	struct buf *b;
	struct fid fid;
	ssize_t n;

	if (size > MAX_XATTR_LIST)
		size = MAX_XATTR_LIST;
	n = face_fid(fl->face, ino, &fid);
	if (n) {
		reply_rc(req, (int)n);
		return;
	}
	b = flane_co_buf(fl, size ? (uint32_t)size : 1);
	n = stale_rc((int)fs_co_listxattr(fl->ln, &fid, (char *)b->ptr, size));
	reply_value(req, n, size, (const char *)b->ptr);
	buf_put(b);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
			size_t size, int flags)
{
	struct flane *fl = flane_here();
	struct span v = {(const uint8_t *)value, (uint32_t)size};
	struct cred cred = reply_cred(req);
	struct fid fid;
	int rc;

	rc = face_fid(fl->face, ino, &fid);
	if (rc == 0 && channel_is_name(name)) {
		reply_rc(req, channel_co_set(fl, &fid, name, v, &cred));
		return;
	}
	if (rc == 0)
		rc = fs_co_setxattr(fl->ln, &fid, name, v, flags, &cred);
	atomic_fetch_add(&fl->face->acl_gen, 1);
	reply_rc(req, stale_rc(rc));
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct flane *fl = flane_here();
	struct fid fid;
	int rc;

	rc = face_fid(fl->face, ino, &fid);
	if (rc == 0)
		rc = fs_co_removexattr(fl->ln, &fid, name);
	atomic_fetch_add(&fl->face->acl_gen, 1);
	reply_rc(req, stale_rc(rc));
}

void ops_xattr(struct fuse_lowlevel_ops *o)
{
	o->getxattr = op_getxattr;
	o->setxattr = op_setxattr;
	o->listxattr = op_listxattr;
	o->removexattr = op_removexattr;
}
