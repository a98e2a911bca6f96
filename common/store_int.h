/* SPDX-License-Identifier: Apache-2.0 */
/* store_int.h - what store.c and store_batch.c share; nobody else includes it. */
#pragma once
#include "common/redo.h"
#include "common/store.h"
#include <lmdb.h>

enum {
	CRC_LEN = 4,
	MAX_KEY = 511,		/* LMDB's own limit */
	PUT_PAGES = 4,		/* pages that a put dirties, guessed high */
	LAZY_MS = 50,
	FLUSH_ROUNDS = 4,
	MACHINE_LEN = 64,
};

#define MAP_SIZE_DEFAULT (1ULL << 30)
#define BATCH_BYTES_SOFT (16ULL << 20) /* a batch this dirty commits at once */
#define MAP_HEADROOM (128ULL << 20)    /* free in the map when a batch begins */
#define SPACE_CHECK_NS (100 * NSEC_PER_MSEC)
#define RESERVE_FILE "reserve"	       /* given up when a commit finds the disk full */
#define RESERVE_BYTES (2 * BATCH_BYTES_SOFT)
#define MACHINE_FILE "machine"	       /* whose page cache has the redo log */

TAILQ_HEAD(waiters, store_waiter);

struct txn {
	struct store *store;
	MDB_txn *mdb;
	bool write;
};

struct store {
	struct loop *loop;
	const struct store_table *tables;
	uint32_t ntables;
	MDB_env *env;
	MDB_dbi *dbi;
	int dir_fd;
	struct txn wt, rt;	/* wt.mdb: the batch or NULL; rt.mdb: made once, see reading */
	bool reading;		/* rt is renewed */
	bool wanted;		/* somebody waits for the batch to be on disk */
	bool closed;		/* only queued works keep the struct alive */
	bool strict, strict_next, nosync;
	bool answered;		/* somebody was told of changes in the batch */
	struct redo *redo;
	LIST_ENTRY(store) closed_link;
	int batch_rc;		/* first LMDB failure in the batch: it can only be given up */
	uint64_t batch_id, batch_bytes, committed_batch;
	uint64_t transno, committed; /* of changes: the newest one, the newest one on disk */
	char machine[MACHINE_LEN];
	bool lost_power;
	struct waiters on_commit; /* called when the batch ends */
	struct waiters on_redo;	  /* called when the pass is in the redo log */
	struct waiters pass_end;  /* go to on_commit when the pass is in the redo log */
	struct waiters lazy;	  /* called soon, whatever becomes of the batch */
	struct loop_work commit_soon, commit_now, flush_soon, lazy_run, read_end;
	struct loop_timer lazy_timer;
	uint64_t lazy_ns;
	uint64_t reserve, space_checked_ns;
	int space_rc;
	void (*fatal)(void *arg, int rc);
	void *fatal_arg;
	struct store_stats stats;
	uint32_t inject_after;
	int inject_rc;
};

/* store.c */
int store_from_mdb(int rc);
void store_fatal(struct store *s, int rc);
int store_map_room(struct store *s);
int store_redo_apply(void *arg, enum redo_op op, uint32_t table, struct span key, struct span val);

/* store_batch.c */
void store_batch_init(struct store *s);
/* Commits what is open; waiters have been called when it returns. */
void store_batch_close(struct store *s);
/* Frees the struct as soon as no queued work refers to it. */
void store_batch_free(struct store *s);
