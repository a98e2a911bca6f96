/* SPDX-License-Identifier: Apache-2.0 */
/* attr.c - see attr.h. Truncation is size.c's; who may change what is the kernel's business. */
#include "mds/attr.h"
#include "common/proto/proto.h"
#include "mds/acl.h"
#include "mds/xattr.h"
#include <stdlib.h>
#include <sys/stat.h>

void attr_settle(struct attr *a, uint64_t size, uint64_t blocks, int64_t obj_mtime)
{
	a->size = size;
	a->blocks = blocks;
	if (obj_mtime > (a->fence ? a->fence : a->ctime)) {
		a->mtime = obj_mtime;
		a->ctime = obj_mtime > a->ctime ? obj_mtime : a->ctime;
	}
	attr_make_sure(a);
}

/* The access ACL, if there is one, follows the new mode. */
static int chmod_acl(struct txn *t, const struct fid *fid, const struct attr *attr)
{
	struct span blob;
	struct acl a;
	uint8_t *mem;
	int rc;

	if (!(attr->flags & ATTR_HAS_ACL))
		return 0;
	rc = xattr_raw_get(t, fid, XATTR_ACL_ACCESS, &blob);
	if (rc)
		return rc == -ENODATA ? 0 : rc;
	rc = acl_dec(blob, &a);
	if (rc)
		return rc == -EINVAL ? -EIO : rc;
	acl_chmod(&a, attr->mode);
	mem = malloc(acl_size(&a));
	rc = -ENOMEM;
	if (mem) {
		acl_enc(&a, mem);
		rc = xattr_raw_put(t, fid, XATTR_ACL_ACCESS, (struct span){mem, acl_size(&a)});
	}
	free(mem);
	acl_fini(&a);
	return rc;
}

int attr_kill_priv(struct txn *t, const struct fid *fid, struct inode_rec *ino)
{
	struct attr *a = &ino->attr;
	int rc;

	if (S_ISDIR(a->mode))
		return 0;
	a->mode &= ~(uint32_t)S_ISUID;
	if (a->mode & S_IXGRP) /* without it the bit means mandatory locking */
		a->mode &= ~(uint32_t)S_ISGID;
	if (!(a->flags & ATTR_HAS_ACL))
		return 0;
	rc = xattr_raw_del(t, fid, XATTR_CAPABILITY);
	return rc == -ENODATA ? 0 : rc;
}

int attr_set(struct txn *t, const struct fid *fid, struct inode_rec *ino,
	     const struct mds_setattr_req *q, int64_t now)
{
	struct attr *a = &ino->attr;
	int rc = 0;

	if (q->ctime_floor > a->ctime) /* a write at the objects that the inode does not show yet */
		a->ctime = q->ctime_floor;
	attr_touch_ctime(a, now);
	if (q->valid & SETATTR_UID)
		a->uid = q->uid;
	if (q->valid & SETATTR_GID)
		a->gid = q->gid;
	if (q->valid & (SETATTR_UID | SETATTR_GID | SETATTR_KILL_PRIV))
		rc = attr_kill_priv(t, fid, ino);
	if (rc == 0 && (q->valid & SETATTR_MODE)) {
		a->mode = (a->mode & S_IFMT) | (q->mode & 07777);
		rc = chmod_acl(t, fid, a);
	}
	if (q->valid & SETATTR_ATIME)
		a->atime = q->atime;
	if (q->valid & SETATTR_MTIME)
		a->mtime = q->mtime;
	if (q->valid & SETATTR_ATIME_NOW)
		a->atime = a->ctime;
	if (q->valid & SETATTR_MTIME_NOW)
		a->mtime = a->ctime;
	if ((q->valid & (SETATTR_MTIME | SETATTR_MTIME_NOW)) && (a->flags & ATTR_SIZE_UNSURE))
		attr_make_unsure(a); /* older writes do not change the new mtime any more */
	return rc;
}
