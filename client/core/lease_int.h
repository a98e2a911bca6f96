/* SPDX-License-Identifier: Apache-2.0 */
/* lease_int.h - the table of leases itself, for lease.c, lease_dir.c and own.c; lease.h is what
 * others see.
 *
 * The functions here are called with the table's lock held.
 */
#pragma once
#include "client/core/lease.h"
#include "client/core/xattrs.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/stat.h>

enum {
	CLASSES = 4096,
	INODE_BUCKETS = 16384,
	NAME_BUCKETS = 16384,
	NAMES_MAX = 65536,
};

struct fid_class {
	uint64_t floor;      /* answers with numbers up to this are old */
	uint64_t changed_ns; /* when this client's last change ended */
	uint32_t changing, changing_xattrs;
	uint32_t flying; /* leases_unlink() in directories */
};

struct inode {
	struct fid fid;
	uint32_t bits;
	uint64_t lookup_since; /* seq with which LOOKUP came */
	uint64_t told_ns;      /* when the kernel was, 0: not since the last recall */
	uint64_t heard;        /* number of the newest answer that had leases of it */
	uint64_t used_ns;
	bool complete;         /* a directory: all its names are in the table */
	uint64_t update_since; /* seq with which UPDATE came */
	uint64_t known_to;     /* names with cookies up to there are in the table; 0: not known */
	uint32_t known;        /* about so many */
	uint64_t own;          /* seq with which it became this client's own; 0: it is not */
	bool listed;           /* the kernel may cache its listing, UPDATE was never lost since */
	struct attr attr;      /* valid with UPDATE */
	uint64_t open_seq;     /* of a file of unsure size, 0: not known */
	uint64_t xattr_since;  /* seq with which XATTR came */
	struct xattrs xattrs;  /* valid with XATTR */
	LIST_ENTRY(inode) hash;
	TAILQ_ENTRY(inode) age;
};

struct name {
	struct fid dir, child;
	uint64_t seq;
	LIST_ENTRY(name) hash;
	TAILQ_ENTRY(name) age;
	uint32_t len;
	uint8_t text[];
};

struct leases {
	pthread_mutex_t lock;
	uint64_t session, until_ns;
	struct fid_class class[CLASSES];
	LIST_HEAD(, inode) inodes[INODE_BUCKETS];
	LIST_HEAD(, name) names[NAME_BUCKETS];
	TAILQ_HEAD(, name) by_age;
	struct xattr_pool xattrs;
	TAILQ_HEAD(, inode) by_use; /* longest unused first */
	uint64_t now_ns;            /* when somebody last looked, or the term was renewed */
	uint32_t limit;
	bool full;                  /* fn was called for it */
	void (*on_full)(void *arg);
	void *on_full_arg;
	struct lease_counts counts;
};

static inline uint64_t mix(const struct fid *fid)
{
	return (fid->seq * 31 + fid->oid) * 0x9e3779b97f4a7c15ULL;
}

/* Files that were made one after the other, and are changed at once, do not meet. */
static inline struct fid_class *class_of(struct leases *t, const struct fid *fid)
{
	return &t->class[((fid->seq * 0x9e3779b97f4a7c15ULL >> 32) + fid->oid) % CLASSES];
}

static inline struct inode *inode_find(struct leases *t, const struct fid *fid)
{
	struct inode *i;

	LIST_FOREACH(i, &t->inodes[(mix(fid) >> 40) % INODE_BUCKETS], hash)
	if (fid_eq(&i->fid, fid))
		return i;
	return NULL;
}

static inline void lose_bits(struct leases *t, struct inode *i, uint32_t bits)
{
	i->bits &= ~bits;
	if (bits & LEASE_UPDATE) {
		i->listed = false;
		i->known_to = 0;
	}
	if (bits & LEASE_XATTR)
		xattrs_drop(&t->xattrs, &i->xattrs);
}

static inline void inode_drop(struct leases *t, struct inode *i)
{
	xattrs_drop(&t->xattrs, &i->xattrs);
	LIST_REMOVE(i, hash);
	TAILQ_REMOVE(&t->by_use, i, age);
	t->counts.inodes--;
	free(i);
}

static inline void used(struct leases *t, struct inode *i, uint64_t now)
{
	t->now_ns = max_u64(t->now_ns, now);
	i->used_ns = t->now_ns;
	TAILQ_REMOVE(&t->by_use, i, age);
	TAILQ_INSERT_TAIL(&t->by_use, i, age);
}

static inline uint32_t name_bucket(const struct fid *dir, struct span name)
{
	uint64_t h = mix(dir);
	uint32_t i;

	for (i = 0; i < name.len; i++)
		h = (h ^ name.ptr[i]) * 0x100000001b3ULL;
	return (uint32_t)(h >> 32) % NAME_BUCKETS;
}

static inline struct name *name_find(struct leases *t, const struct fid *dir, struct span name)
{
	struct name *n;

	LIST_FOREACH(n, &t->names[name_bucket(dir, name)], hash)
	if (n->len == name.len && fid_eq(&n->dir, dir) && memcmp(n->text, name.ptr, name.len) == 0)
		return n;
	return NULL;
}

static inline void name_drop(struct leases *t, struct name *n)
{
	LIST_REMOVE(n, hash);
	TAILQ_REMOVE(&t->by_age, n, age);
	t->counts.names--;
	free(n);
}

static inline bool attr_held(struct leases *t, const struct inode *i, uint64_t now)
{
	return i && (i->bits & LEASE_UPDATE) && now < t->until_ns &&
	       !class_of(t, &i->fid)->changing;
}

static inline bool attr_good(struct leases *t, const struct inode *i, uint64_t now)
{
	return attr_held(t, i, now) && !(i->attr.flags & ATTR_SIZE_UNSURE);
}

static inline struct name *name_leads(struct leases *t, const struct fid *dir, struct span name,
			       uint64_t now, struct inode **child)
{
	struct name *n = name_find(t, dir, name);
	struct inode *i = NULL;

	if (n && !class_of(t, dir)->changing)
		i = inode_find(t, &n->child);
	*child = i;
	return attr_good(t, i, now) && (i->bits & LEASE_LOOKUP) && n->seq >= i->lookup_since
		       ? n
		       : NULL;
}
