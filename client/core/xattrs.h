/* SPDX-License-Identifier: Apache-2.0 */
/* xattrs.h - extended attributes that a client remembers of inodes, under the lease of their
 * attributes (lease.h): values, lists of names, and names that are not there.
 *
 * One pool bounds the memory of all; the oldest go. Pure; the owner of the pool locks it.
 */
#pragma once
#include "common/base.h"
#include <sys/queue.h>

enum {
	XATTRS_BYTES_MAX = 16 << 20, /* in a pool */
	XATTRS_VALUE_MAX = 4 << 10,  /* larger ones are not kept */
};

struct xattr_known;
/* Of one inode; zero: none. */
LIST_HEAD(xattrs, xattr_known);

struct xattr_pool {
	TAILQ_HEAD(, xattr_known) by_age;
	uint64_t bytes;
};

void xattrs_init(struct xattr_pool *p);
/* rc: 0 or -ENODATA. name "": the list of names. Copies both; replaces what was known. */
void xattrs_put(struct xattr_pool *p, struct xattrs *x, struct span name, int rc,
		struct span value);
/* False: not known. *rc: 0 or -ENODATA; value: good until the pool changes. */
bool xattrs_get(const struct xattrs *x, struct span name, int *rc, struct span *value);
void xattrs_drop(struct xattr_pool *p, struct xattrs *x); /* all of the inode */
