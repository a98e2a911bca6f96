/* SPDX-License-Identifier: Apache-2.0 */
/* xattr.h - extended attributes: table xattr and the rules of the name spaces.
 *
 * user. (regular files and directories only), trusted., security. and system.posix_acl_*; anything
 * else is -EOPNOTSUPP. The layout pseudo-attributes lustre.lov and trusted.lov are striping.c's.
 * Plain functions on a transaction; never suspend.
 */
#pragma once
#include "mds/inode.h"

#define XATTR_ACL_ACCESS "system.posix_acl_access"
#define XATTR_ACL_DEFAULT "system.posix_acl_default"
#define XATTR_CAPABILITY "security.capability"

/* 0, -ENODATA, -EOPNOTSUPP. value points into the map. */
must_check int xattr_get(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
			 struct span name, struct span *value);
/* flags: XATTR_CREATE (-EEXIST), XATTR_REPLACE (-ENODATA). An access ACL changes ino's mode.
 * ino's ctime and flags are changed and stored. -E2BIG, -ENOSPC (too many), -EPERM, -EINVAL (bad
 * ACL), -EACCES, -EOPNOTSUPP, -ERANGE (name). */
must_check int xattr_set(struct txn *t, const struct fid *fid, struct inode_rec *ino,
			 struct span name, struct span value, uint32_t flags, int64_t now);
/* 0, -ENODATA, -EOPNOTSUPP, -EPERM. */
must_check int xattr_remove(struct txn *t, const struct fid *fid, struct inode_rec *ino,
			    struct span name, int64_t now);
/* Names, each with its NUL, appended to w. */
must_check int xattr_list(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
			  struct wbuf *w);

/* All of them, as mds_xattr records appended to w; too many for it: w->rc. */
must_check int xattr_all(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
			 struct wbuf *w);

/* Without rules, times or flags: for inheritance, chmod and removal. -ENODATA. */
must_check int xattr_raw_get(struct txn *t, const struct fid *fid, const char *name,
			     struct span *value);
must_check int xattr_raw_put(struct txn *t, const struct fid *fid, const char *name,
			     struct span value);
must_check int xattr_raw_del(struct txn *t, const struct fid *fid, const char *name);
must_check int xattr_del_all(struct txn *t, const struct fid *fid);
