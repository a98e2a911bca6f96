/* SPDX-License-Identifier: Apache-2.0 */
/* check_rows.h - the facts about one row of each table, for check_walk.c. v is NULL for a damaged
 * record. They call found() and may set rc; see check.h. */
#pragma once
#include "mds/check.h"
#include "mds/ns.h"

void check_dirent(struct checker *c, const struct dirent_key *k, const struct dirent_rec *v);
void check_diridx(struct checker *c, const struct diridx_key *k, const struct diridx_rec *v);
void check_link(struct checker *c, const struct link_key *k, const struct link_rec *v);
/* All but what check_dir_step() counts. */
void check_inode(struct checker *c, const struct inode_key *k, const struct inode_rec *v);
void check_xattr(struct checker *c, const struct xattr_key *k, const struct xattr_rec *v);
void check_orphan(struct checker *c, const struct orphan_key *k, const struct orphan_rec *v);
void check_unsure(struct checker *c, const struct unsure_key *k, const struct unsure_rec *v);
void check_hsm(struct checker *c, const struct hsm_key *k, const struct hsm_rec *v);
void check_unlinklog(struct checker *c, const struct unlinklog_key *k,
		     const struct unlinklog_rec *v);

/* Counting a directory: begins, or begins again. */
void check_dir_start(struct check_dir *d, const struct fid *fid, const struct inode_rec *ino);
/* Goes on for max names. 1: there are more; 0: done; -EAGAIN: given up, it changes too often; else
 * c->rc. */
int check_dir_step(struct checker *c, struct check_dir *d, uint32_t max);
