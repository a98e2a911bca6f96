/* SPDX-License-Identifier: Apache-2.0 */
/* lease_int.h - what the files of the table of leases share: lease.c and lease_dir.c. Everything is
 * guarded by the table's lock. */
#pragma once
#include "client/core/lease.h"
#include "client/core/xattrs.h"
#include <pthread.h>
#include <sys/queue.h>

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

static inline struct fid_class *class_of(struct leases *t, const struct fid *fid)
{
	return &t->class[(mix(fid) >> 20) % CLASSES];
}

static inline struct inode *inode_find(struct leases *t, const struct fid *fid)
{
	struct inode *i;

	LIST_FOREACH(i, &t->inodes[(mix(fid) >> 40) % INODE_BUCKETS], hash)
	if (fid_eq(&i->fid, fid))
		return i;
	return NULL;
}
