/* SPDX-License-Identifier: Apache-2.0 */
/* xattrs.h - extended attributes that a client remembers of inodes, under their XATTR leases
 * (lease.h): values, lists of names, and names that are not there. Of an inode whose attributes are
 * known as a *whole* no other name is there.
 *
 * One pool bounds the memory of all; the oldest go. Pure; the owner of the pool locks it.
 */
#pragma once
#include "common/base.h"
#include "common/limits.h"
#include <sys/queue.h>

enum {
	XATTRS_BYTES_MAX = 16 << 20,     /* in a pool */
	XATTRS_VALUE_MAX = XATTRS_SMALL, /* larger ones are not kept */
	XATTRS_NAMES_MAX = 1024,         /* of an inode: they are searched one by one */
};

struct xattr_known;
/* Of one inode; zero: none. Stays where it is while there are any. */
struct xattrs {
	LIST_HEAD(, xattr_known) known;
	uint32_t n;
	bool whole;
};

struct xattr_pool {
	TAILQ_HEAD(, xattr_known) by_age;
	uint64_t bytes;
};

void xattrs_init(struct xattr_pool *p);
/* rc: 0 or -ENODATA. name "": the list of names. Copies both; replaces what was known. */
void xattrs_put(struct xattr_pool *p, struct xattrs *x, struct span name, int rc,
		struct span value);
/* All that there are, as mds_xattr records. False: the records are wrong, or there is no memory;
 * then nothing is known. */
bool xattrs_put_all(struct xattr_pool *p, struct xattrs *x, struct span all);
/* False: not known. *rc: 0 or -ENODATA; value: good until the pool changes. */
bool xattrs_get(const struct xattrs *x, struct span name, int *rc, struct span *value);
void xattrs_drop(struct xattr_pool *p, struct xattrs *x); /* all of the inode */

/* A name that a file or a directory has if, and only if, somebody gave it: not that of a layout,
 * and not one for which the MDS has an error. */
bool xattrs_is_plain(struct span name);
