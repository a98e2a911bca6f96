/* SPDX-License-Identifier: Apache-2.0 */
/* meta.h - attributes of files as metadata of blobs, in the keys that Azure's copytool for Lustre
 * (wastore/lemur) writes and its import reads, so that a container can be mounted by that service
 * afterwards: owner, group (decimal), permissions ("0644"), modtime ("2006-01-02 15:04:05 +0000"),
 * hdi_isfolder, is_symlink. Its times have whole seconds; `mtime` adds ours with nanoseconds, and
 * `sheen_work` says for which work of the coordinator the blob was made, `sheen_mdt` and
 * `sheen_fid` of which file: of a blob without a file it must be known whether it is the only copy
 * of another. Pure.
 *
 * A directory is an empty blob with hdi_isfolder=true. A symbolic link is a blob with
 * is_symlink=true of which the content is the target, without a NUL or a line end.
 *
 * Read are other dialects as well, in upper or lower case, in this order for each attribute:
 *   lemur, azcopy (amlfs)      owner group permissions modtime
 *   azcopy (standard)          posix_owner posix_group, permissions as decimal st_mode, modtime and
 *                              posix_atime in ns; is_fifo, is_socket, is_block_dev, is_char_dev
 *   azure-import (lemur 2019)  uid gid perm modtime
 *   S3 File Gateway, FSx       file-owner file-group file-permissions file-mtime file-atime
 *                              ("...ns")
 */
#pragma once
#include "blob/pairs.h"
#include "common/proto/field.h"
#include "common/target.h"

/* Appends to out. cookie 0: of none. -ENOMEM, -EMSGSIZE. */
must_check int meta_of_attr(const struct attr *a, uint64_t cookie, struct pairs *out);
/* The work that a blob was made for, 0: none. */
uint64_t meta_cookie(const struct pairs *meta);

/* Of which file a blob is; mdt: the UUID of the file system's MDT. -ENOMEM, -EMSGSIZE. */
must_check int meta_add_origin(const uint8_t mdt[UUID_LEN], const struct fid *fid,
			       struct pairs *out);
/* False: of none of this file system. */
bool meta_origin(const struct pairs *meta, const uint8_t mdt[UUID_LEN], struct fid *fid);
/* What meta_of_attr() and meta_add_origin() tell is the same in both, but for the work. */
bool meta_same(const struct pairs *a, const struct pairs *b);

struct meta_attr {
	bool has_uid, has_gid, has_mode, has_mtime, has_atime;
	bool is_dir, is_link;
	bool is_special; /* a device, a socket or a FIFO */
	uint32_t uid, gid;
	uint32_t mode; /* 07777 */
	int64_t mtime, atime;
};

/* What is not there, or makes no sense, is not told. */
void meta_read(const struct pairs *meta, struct meta_attr *out);
