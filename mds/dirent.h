/* SPDX-License-Identifier: Apache-2.0 */
/* dirent.h - names in directories: tables dirent (by name) and diridx (by cookie), kept in step.
 *
 * A name keeps its cookie as long as it exists; the next one comes from the directory's inode, so a
 * readdir that goes on behind a cookie neither misses nor repeats names that stay.
 * Pure storage: attributes of the parent are the caller's business. Never suspends.
 */
#pragma once
#include "mds/schema.h"

#define DIRENT_FIRST_COOKIE 3 /* 1 and 2 are "." and "..", made by the client */

/* 0, -ENOENT, -EIO. */
must_check int dirent_get(struct txn *t, const struct fid *parent, struct span name,
			  struct dirent_rec *out);
/* The name must not exist. */
must_check int dirent_add(struct txn *t, const struct fid *parent, struct span name,
			  const struct fid *child, uint8_t dtype, uint64_t cookie);
/* Another child under an existing name; the cookie stays. */
must_check int dirent_set(struct txn *t, const struct fid *parent, struct span name,
			  uint64_t cookie, const struct fid *child, uint8_t dtype);
must_check int dirent_del(struct txn *t, const struct fid *parent, struct span name,
			  uint64_t cookie);
/* 1: has a name, 0: has none, -errno. */
must_check int dirent_any(struct txn *t, const struct fid *parent);

/* Names behind a cookie, in order. name points into the map. Result as in store_walk_fn. */
typedef int dirent_fn(void *arg, uint64_t cookie, const struct diridx_rec *e);
must_check int dirent_walk(struct txn *t, const struct fid *parent, uint64_t cookie, dirent_fn *fn,
			   void *arg);
