/* SPDX-License-Identifier: Apache-2.0 */
/* xattr.c - extended attributes: kept by the MDS, except lustre.fid, which is the name of the
 * inode. lustre.lov and trusted.lov are ordinary names here; the MDS knows what they mean. */
#include "client/core/core.h"

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

ssize_t fs_co_getxattr(struct lane *ln, const struct fid *fid, const char *name, void *buf,
		       size_t len)
{
	struct mds_getxattr_req q = {.fid = *fid, .name = SPAN_STR(name)};
	struct mds_getxattr_rep p;
	RPC_CALL(call);
	int rc;
	OP_TIMER(ln, getxattr);

	if (strcmp(name, "lustre.fid") == 0) {
		char text[FID_STRLEN];

		fid_str(fid, text);
		return give(text, (uint32_t)strlen(text), buf, len);
	}
	if (q.name.len > MAX_XATTR_NAME)
		return -ERANGE;
	rc = mds_co_getxattr(ln->mdt->imp, &call, &q, &p);
	return rc ? rc : give(p.value.ptr, p.value.len, buf, len);
}

ssize_t fs_co_listxattr(struct lane *ln, const struct fid *fid, char *buf, size_t len)
{
	struct mds_listxattr_req q = {.fid = *fid};
	struct mds_listxattr_rep p;
	RPC_CALL(call);
	int rc;
	OP_TIMER(ln, listxattr);

	rc = mds_co_listxattr(ln->mdt->imp, &call, &q, &p);
	return rc ? rc : give(p.names.ptr, p.names.len, buf, len);
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
	leases_change_begin(ln->fs->leases, fid);
	rc = mds_co_setxattr(ln->mdt->imp, &call, &q, &p);
	leases_change_end(ln->fs->leases, fid, rc ? 0 : p.seq, loop_clock(ln->loop));
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
	leases_change_begin(ln->fs->leases, fid);
	rc = mds_co_removexattr(ln->mdt->imp, &call, &q, &p);
	leases_change_end(ln->fs->leases, fid, rc ? 0 : p.seq, loop_clock(ln->loop));
	return rc;
}
