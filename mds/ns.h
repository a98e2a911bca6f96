/* SPDX-License-Identifier: Apache-2.0 */
/* ns.h - the name space: what lookup, create, link, unlink and rename do to the tables.
 *
 * Every function is one operation on a transaction: it checks everything first, so when it
 * returns an error of its own nothing has been put. Errors are those of the system call of that
 * name. Permissions, sticky bits and name lengths were checked before (kernel, codec). .lustre
 * and .lustre/fid exist only here, not in the tables; they are read-only (-EPERM).
 * .lustre/lost+found is a directory in the tables that no name leads to; see lfsck_fix.c.
 *
 * Nothing here suspends, knows sockets, sessions or the clock.
 */
#pragma once
#include "common/proto/proto.h"
#include "mds/inode.h"
#include "mds/striping.h"

struct ns_env {
	struct alloc *alloc;
	const struct striping_defaults *striping;
	/* Somebody has the inode open: it lives on without a name. */
	bool (*is_open)(void *arg, const struct fid *fid);
	/* The unlink log has got an object of this OST; the space that it frees is at most bytes.
	 * Optional. */
	void (*logged)(void *arg, uint32_t ost, uint64_t bytes);
	void *arg;
};

/* An inode by FID, the virtual directories included. -ENOENT, -EIO. */
must_check int ns_get(struct txn *t, const struct fid *fid, struct inode_rec *out);
bool ns_is_virtual(const struct fid *fid);
/* A directory that names may be made in: -ENOENT (gone), -ENOTDIR, -EPERM. */
must_check int ns_get_dir(struct txn *t, const struct fid *fid, struct inode_rec *out);
/* -ENOENT, -ENOTDIR. */
must_check int ns_lookup(struct txn *t, const struct fid *parent, struct span name,
			 struct fid *child, struct inode_rec *out);

/* The result of a create. layout is encoded into the caller's buffer. */
struct ns_created {
	struct fid fid;
	struct attr attr;
	struct wbuf layout;
};
/* -EEXIST, -ENOTDIR, -ENOENT, -EMLINK, -EINVAL, -ENODEV or -ENOSPC (no OST for its objects). A
 * file that is made for writing (open_flags) is unsure from the start. */
must_check int ns_create(struct txn *t, const struct ns_env *env, const struct mds_create_req *q,
			 int64_t now, struct ns_created *out);
/* A file, directory or symbolic link that is not new, but comes from an archive: owner,
 * permissions, size, blocks, times and INODE_RELEASED are those of `as`, and it does not move the
 * parent's mtime, which comes from there as well. Errors of ns_create(). */
must_check int ns_import(struct txn *t, const struct ns_env *env, const struct mds_create_req *q,
			 const struct attr *as, int64_t now);
/* -EPERM (a directory), -EEXIST, -ENOENT, -EMLINK. *attr: after it. */
must_check int ns_link(struct txn *t, const struct mds_link_req *q, int64_t now, struct attr *attr);

struct ns_removed {
	struct fid fid;
	uint32_t nlink;
	bool destroyed; /* gone now, not merely nameless */
};
/* -ENOENT, -EISDIR, -ENOTDIR, -ENOTEMPTY, -EPERM. */
must_check int ns_unlink(struct txn *t, const struct ns_env *env, const struct mds_unlink_req *q,
			 int64_t now, struct ns_removed *out);
/* moved: what has the new name. replaced: what had it, removed or exchanged; moved itself if
 * both are names of one inode (then nothing has changed); zero fid if nothing had it. -ENOENT,
 * -EEXIST, -EINVAL, -EISDIR, -ENOTDIR, -ENOTEMPTY, -EMLINK, -EPERM. */
must_check int ns_rename(struct txn *t, const struct ns_env *env, const struct mds_rename_req *q,
			 int64_t now, struct fid *moved, struct ns_removed *replaced);

/* One name less; destroys what nobody can reach. ino's attr is changed. For unlink and rename. */
must_check int ns_drop_link(struct txn *t, const struct ns_env *env, const struct fid *fid,
			    struct inode_rec *ino, const struct fid *parent, struct span name,
			    int64_t now, struct ns_removed *out);
/* Removes a nameless inode with all that belongs to it; its objects go to the unlink log. */
must_check int ns_destroy(struct txn *t, const struct ns_env *env, const struct fid *fid,
			  const struct inode_rec *ino);
static inline uint8_t ns_dtype(uint32_t mode)
{
	return (mode >> 12) & 15; /* DT_* */
}
/* Whether the caller's uid and gid alone open the file; what groups and ACLs give is not known
 * here. */
bool ns_may_open(const struct attr *a, uint32_t uid, uint32_t gid, uint32_t open_flags);
