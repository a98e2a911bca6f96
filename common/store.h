/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - LMDB with group commit and a redo log.
 *
 * All work is on one loop. The first store_write() opens a write transaction (the batch); further
 * operations run inside it and see each other's changes. The batch commits lazy_ms after it
 * began, when it has grown large, or when somebody asks for it (store_co_sync). Its changes are
 * also written to a redo log (redo.h) at the end of each pass of the loop, so that answers need
 * not wait for the disk: whoever ran inside the batch and answers a client holds the answer with
 * store_on_commit(), and that is the one place which decides when an answer may leave:
 *   normally   when the changes are in the redo log: they survive the death of this process, and a
 *              loss of power takes them only if nobody synced;
 *   strict     when the batch is on disk.
 *
 * Transaction code is plain functions on a struct txn: they do not suspend, and no pointer into
 * the map outlives the pass. An operation must check everything before its first put, so that a
 * failing operation has put nothing; if LMDB itself fails in the middle, the whole batch is given
 * up and every waiter gets the error. A batch of which something was answered already is made
 * again from the redo log; if that fails too (the disk has not even the reserve left) the store
 * is done for: store_on_fatal.
 *
 * The map grows by itself between batches. Each value is guarded by a crc32c that store_put()
 * adds and store_get() checks: -EUCLEAN with a log line naming table and key.
 */
#pragma once
#include "common/base.h"
#include "common/loop.h"

struct store;
struct txn;

struct store_table {
	uint32_t id;	  /* stable number, index into the list */
	const char *name; /* of the LMDB database */
};

struct store_cfg {
	struct loop *loop;
	const char *dir;		/* of the LMDB environment; made if missing */
	const struct store_table *tables;
	uint32_t ntables;
	uint64_t map_size;		/* to start with; 0: 1 GiB */
	uint32_t lazy_ms;		/* 0: 50 */
	bool nosync;			/* tests and the simulator only */
	bool strict;			/* answers wait for the commit; no redo log */
	/* Names the machine since it was started: what its page cache has is there as long as the
	 * name is the same. NULL: the kernel's boot id. */
	const char *machine;
	uint64_t reserve_bytes;		/* store_space_check() wants more free on the disk */
};

must_check int store_open(const struct store_cfg *cfg, struct store **out);
void store_close(struct store *s); /* commits what is open */

/* A transaction to read in: the open batch if there is one, else a read transaction that is reset
 * at the end of the pass. *in_batch is true, and the answer must be held, when it could tell of
 * changes whose own answers may not leave yet. */
must_check int store_read(struct store *s, struct txn **t, bool *in_batch);
/* The batch. */
must_check int store_write(struct store *s, struct txn **t);
/* -ENOSPC when the disk has less than the reserve: asked before operations that need new space. */
must_check int store_space_check(struct store *s);

/* Numbers commits: the one the open batch will have (or the next one), the newest one. */
uint64_t store_batch(const struct store *s);
uint64_t store_last_batch(const struct store *s);

/* Numbers changes, in the order in which they are made in batches: they grow from first + 1 on. The
 * newest one that is on disk. */
void store_first_transno(struct store *s, uint64_t first);
uint64_t store_next_transno(struct store *s);
uint64_t store_transno(const struct store *s);
uint64_t store_last_committed(const struct store *s);

/* The redo log may lack what an earlier life answered: the machine was started anew, or is another
 * one. Stays so from life to life until store_power_settled(). */
bool store_lost_power(const struct store *s);
must_check int store_power_settled(struct store *s);

struct store_waiter {
	void (*fn)(struct store_waiter *w, int rc); /* on the loop */
	TAILQ_ENTRY(store_waiter) link;
};
/* w is called when an operation that used the batch in this pass may be answered. With durable
 * false w is content with any time: a lazy operation (a close), whose loss nobody can see. */
void store_on_commit(struct store *s, struct store_waiter *w, bool durable);
/* w is called when the open batch, which there is, is on the disk. */
void store_on_disk(struct store *s, struct store_waiter *w);
/* Puts the open batch on the disk, now: the caller holds nothing of it, and does not suspend. Who
 * waits for it is called before this returns. */
must_check int store_commit(struct store *s);
/* Like store_on_commit(), but asks for nothing: w is called when the open batch ends, whenever
 * that is. For undoing what was changed in memory when the batch fails. */
void store_on_end(struct store *s, struct store_waiter *w);
/* Waits until everything that was executed before is on disk. Suspends. */
must_check int store_co_sync(struct store *s);
/* The same without asking for it: the batch ends in its own time. For work that has to follow a
 * commit but hurries nobody. Suspends. */
must_check int store_co_settled(struct store *s);
/* From the next batch on. */
void store_set_strict(struct store *s, bool strict);
bool store_is_strict(const struct store *s);
/* How old a batch becomes. */
void store_set_interval(struct store *s, uint32_t ms);
uint32_t store_interval(const struct store *s);

/* 0 or -ENOENT, -EUCLEAN, -EIO. *val points into the map: valid until the next put in this batch
 * or the end of the pass. */
must_check int store_get(struct txn *t, uint32_t table, struct span key, struct span *val);
must_check int store_put(struct txn *t, uint32_t table, struct span key, struct span val);
must_check int store_del(struct txn *t, uint32_t table, struct span key); /* -ENOENT */

/* Walk keys >= from in order. fn returns 0 to go on, 1 to stop (walk returns 0), -errno to fail.
 * fn must not put or delete. Values with a bad crc are logged and passed with val.ptr NULL. */
typedef int store_walk_fn(void *arg, struct span key, struct span val);
must_check int store_walk(struct txn *t, uint32_t table, struct span from, store_walk_fn *fn,
			  void *arg);

/* Copies a store that another process may have open to write: one read transaction, so what was
 * committed at one moment. `to` is a directory without data.mdb; synced. In the same process it
 * would stand in the way of the growing map. Blocks. */
must_check int store_copy(const char *from, const char *to);

/* Statistics for params: commits, operations per commit, pages, map size. */
struct store_stats {
	uint64_t commits, ops, commit_ns_sum, commit_ns_max, map_bytes, used_bytes;
	uint64_t redo_flushes, redone; /* log writes; changes applied at the start from the log */
};
void store_get_stats(struct store *s, struct store_stats *out);

/* Fatal LMDB failures (a full disk at commit is not one) stop the server: set by main. */
void store_on_fatal(struct store *s, void (*fn)(void *arg, int rc), void *arg);

/* The door for faults: the next commit fails with rc after n more good ones. Tests and the
 * simulator. */
void store_inject_failure(struct store *s, uint32_t n, int rc);
/* Another one: the bytes of a value are changed behind the store's back, crc and all. -ENOENT. */
must_check int store_inject_damage(struct store *s, uint32_t table, struct span key);
