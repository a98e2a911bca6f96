/* SPDX-License-Identifier: Apache-2.0 */
/* cache.h - the objects of a target that are in use or were lately: open files and what is known of
 * them.
 *
 * cache_co_get() gives an object with a lock held: shared for reads and writes (which the local
 * file system orders as far as it must), exclusive for what cuts or removes. An object that does
 * not exist is a struct object too, with file NULL: it carries the truncation that must not be
 * undone by a late write, and spares looking for it again. Unused objects are closed in LRU order.
 *
 * One loop. Objects are the cache's memory. Functions with co_ suspend.
 */
#pragma once
#include "common/co.h"
#include "common/disk.h"
#include "oss/object.h"

struct cache;

struct object {
	struct object_id id;
	struct disk_file *file; /* NULL: there is no such object */
	uint64_t vsize;		/* as in object_record */
	int64_t wtime;		/* last change, ns; only grows */
	uint64_t version;	/* grows with each change */
	uint32_t trunc_gen;
	uint64_t change, synced; /* number of the last change; up to where it was synced */
	uint64_t writer;	 /* session of that change; 0: none in this life */
	uint64_t shared;	 /* the last number when another session changed it */
	struct object_layout layout;
	bool destroyed;		/* for good: a late write does not make it again */

	/* checksums of its blocks: seal.c */
	bool sealed;		/* there may be some */
	struct disk_file *seal; /* NULL: not open */
	struct co_mutex seal_lock;
	uint32_t writes; /* on their way */
	uint64_t opened[16]; /* pieces of which nothing is known, as a write came */
	uint32_t nopened;
	bool all_opened;

	/* private to cache.c */
	bool loaded, stat_ok, wtime_unsaved;
	struct disk_stat stat;
	uint32_t refs, readers;
	bool exclusive;
	uint32_t exclusive_waiting;
	struct co_waitq q;
	struct object *hash_next;
	TAILQ_ENTRY(object) lru;
};

struct object_attr {
	uint32_t flags; /* OBJ_EXISTS */
	uint64_t size, blocks;
	int64_t mtime;
	uint64_t version;
};

enum cache_flags {
	CACHE_SHARED = 0,
	CACHE_EXCLUSIVE = 1,
	CACHE_CREATE = 2, /* make it if it does not exist */
};

struct cache_stats {
	uint32_t open, absent;	  /* objects of either kind in memory */
	uint64_t hits, misses, evicted;
};

/* max_open is read at each use: a tunable. name is for the log; both are kept by pointer. */
must_check int cache_create(struct loop *l, struct disk *d, const char *name,
			    const uint32_t *max_open, struct cache **out);
/* Closes everything; no object may be in use. */
void cache_destroy(struct cache *c);

/* The object, locked. With CACHE_CREATE gen is the request's generation of truncation: -ESTALE if
 * there is no object and it was destroyed, or cut later than that. -EINVAL for an impossible id,
 * -EUCLEAN for a damaged record, -ENOSPC, -EIO, -ENOMEM. Suspends. */
must_check int cache_co_get(struct cache *c, const struct object_id *id, uint32_t flags,
			    uint32_t gen, struct object **out);
/* The same with CACHE_CREATE and what the maker of an object says of its layout: kept with the
 * object if it knows none yet. */
must_check int cache_co_make(struct cache *c, const struct object_id *id, uint32_t flags,
			     uint32_t gen, const struct object_layout *l, struct object **out);
/* Unlocks. */
void cache_put(struct cache *c, struct object *o);

/* -ESTALE if gen is older than the newest truncation; a newer one is taken over and stored. */
must_check int cache_trunc_gen(struct cache *c, struct object *o, uint32_t gen);
/* Around a write to the file: what is known of it is not kept meanwhile, as bytes can be read
 * before the write is over. */
void cache_write_begin(struct object *o);
void cache_write_end(struct object *o);
/* Says who changes the object next. */
void cache_writer(struct cache *c, struct object *o, uint64_t session);
/* Changes of the object up to this number were on the disk when the target lost its power: known
 * only of such that several clients had changed. -ENODATA. */
must_check int cache_synced_upto(struct object *o, uint64_t *number);
/* The object was changed, or a change was tried: its time moves on to now. */
void cache_touch(struct cache *c, struct object *o);
/* The same with bytes that a client wrote so many ns before it sent them, at `written` by its
 * clock, which is believed if it can be true. */
void cache_touch_late(struct cache *c, struct object *o, uint64_t age_ns, int64_t written);
/* Opens the file of checksums (o->seal). make: if there is none it is made, and the object
 * remembers. -ENOENT. Suspends. */
must_check int cache_co_seal_file(struct cache *c, struct object *o, bool make);
/* Sets and stores vsize. */
must_check int cache_set_vsize(struct cache *c, struct object *o, uint64_t vsize);
/* Changes of objects have numbers, which count up over all of them, and over the lives of the
 * target: those of this one are greater than base. Once, before the first change. */
void cache_number_from(struct cache *c, uint64_t base, uint64_t stable);
/* What is answered after this is on the disk; without any work if it is there already. Suspends. */
must_check int cache_co_sync(struct cache *c, struct object *o);
/* The same for all objects, also those that have left memory: all changes up to *upto. An error is
 * for the rest of this life: the local file system tells of it only once. Suspends. */
must_check int cache_co_sync_all(struct cache *c, uint64_t *upto);
/* All up to there is on the disk, and may be told. */
void cache_is_stable(struct cache *c, uint64_t upto);
/* Waits until something is not stable, or for cache_wake(). Suspends. */
void cache_co_wait_change(struct cache *c);
void cache_wake(struct cache *c);
uint64_t cache_changes(const struct cache *c); /* the newest number; any thread */
uint64_t cache_stable(const struct cache *c);  /* all up to this one are stable; any thread */
/* Attributes, exact at the time of the call. */
must_check int cache_attr(struct object *o, struct object_attr *out);
/* Removes the object's file; exclusive lock. 0 also when there is none. Suspends. */
must_check int cache_co_destroy_object(struct cache *c, struct object *o);
const struct cache_stats *cache_get_stats(const struct cache *c);
