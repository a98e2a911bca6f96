/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - group commit over LMDB; see store.h.
 *
 * One environment, one write transaction (the batch) that is opened by the first store_write() and ended by
 * commit_batch(), one read transaction that is renewed when somebody reads and reset when the pass or the
 * batch ends. A value on disk is crc32c (4 bytes, little-endian, over key and value) and the value.
 *
 * Commits run on the loop's own thread: LMDB wants a write transaction to end on the thread that began it, and
 * D2 wants the names on one thread. Room in the map is kept far above what a batch may dirty and is
 * made only between batches, so MDB_MAP_FULL means that address space is out.
 *
 * Deliberately not here: typed access (the tables of the servers), a cache above LMDB, nested transactions.
 */
#include "common/store.h"
#include "common/crc.h"
#include "common/fiber.h"
#include "common/log.h"
#include <endian.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	CRC_LEN = 4,
	MAX_KEY = 511,		/* LMDB's own limit */
	PUT_PAGES = 4,		/* pages that a put dirties, guessed high */
	LAZY_MS = 50,
	FLUSH_ROUNDS = 4,
};

#define MAP_SIZE_DEFAULT (1ULL << 30)
#define BATCH_BYTES_SOFT (16ULL << 20) /* a batch this dirty commits without waiting for the pass to end */
#define MAP_HEADROOM (128ULL << 20)    /* free in the map when a batch begins */
#define SPACE_CHECK_NS (100 * NSEC_PER_MSEC)

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
	LIST_ENTRY(store) closed_link;
	int batch_rc;		/* first LMDB failure in the batch: it can only be given up */
	uint64_t batch_id, batch_bytes, committed;
	struct waiters on_commit; /* called when the batch ends */
	struct waiters lazy;	  /* called soon, whatever becomes of the batch */
	struct loop_work commit_soon, commit_now, lazy_run, read_end;
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

static int from_mdb(int rc)
{
	switch (rc) {
	case 0:
		return 0;
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return -ENOSPC;
	case MDB_BAD_VALSIZE:
		return -EINVAL;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return -EUCLEAN;
	default:
		return rc > 0 ? -rc : -EIO;
	}
}

static void log_damage(struct store *s, uint32_t table, struct span key)
{
	char hex[2 * 64 + 1];
	uint32_t i, n = key.len < 64 ? key.len : 64;

	for (i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", key.ptr[i]);
	hex[2 * n] = 0;
	log_err("store: damaged record in table %s, key %s (%u bytes)", s->tables[table].name, hex,
		key.len);
}

static uint32_t record_crc(struct span key, const void *val, size_t len)
{
	return crc32c_add(crc32c_add(0, key.ptr, key.len), val, len);
}

/* 0 or -EUCLEAN; the value without its crc. */
static int record_open(struct store *s, uint32_t table, struct span key, const MDB_val *raw,
		       struct span *val)
{
	uint32_t crc;

	if (raw->mv_size >= CRC_LEN && raw->mv_size - CRC_LEN <= UINT32_MAX) {
		memcpy(&crc, raw->mv_data, CRC_LEN);
		val->ptr = (const uint8_t *)raw->mv_data + CRC_LEN;
		val->len = (uint32_t)(raw->mv_size - CRC_LEN);
		if (le32toh(crc) == record_crc(key, val->ptr, val->len))
			return 0;
	}
	log_damage(s, table, key);
	return -EUCLEAN;
}

/* ---- opening ---- */

static int open_tables(struct store *s)
{
	MDB_txn *t;
	uint32_t i;
	int rc;

	rc = mdb_txn_begin(s->env, NULL, 0, &t);
	if (rc)
		return from_mdb(rc);
	for (i = 0; i < s->ntables && rc == 0; i++) {
		assert(s->tables[i].id == i);
		rc = mdb_dbi_open(t, s->tables[i].name, MDB_CREATE, &s->dbi[i]);
	}
	if (rc) {
		mdb_txn_abort(t);
		return from_mdb(rc);
	}
	return from_mdb(mdb_txn_commit(t));
}

static int map_room(struct store *s);

static int open_env(struct store *s, const struct store_cfg *cfg)
{
	unsigned int flags = MDB_NOTLS | (cfg->nosync ? MDB_NOSYNC : 0);
	MDB_envinfo info;
	int rc;

	rc = mdb_env_create(&s->env);
	if (rc)
		return from_mdb(rc);
	rc = mdb_env_set_maxdbs(s->env, cfg->ntables);
	if (rc == 0)
		rc = mdb_env_set_mapsize(s->env, cfg->map_size ? cfg->map_size : MAP_SIZE_DEFAULT);
	if (rc == 0)
		rc = mdb_env_open(s->env, cfg->dir, flags, 0600);
	if (rc)
		return from_mdb(rc);
	rc = open_tables(s);
	if (rc)
		return rc;
	rc = from_mdb(mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->rt.mdb));
	if (rc)
		return rc;
	mdb_txn_reset(s->rt.mdb);
	mdb_env_info(s->env, &info);
	s->committed = info.me_last_txnid;
	/* The files themselves must survive a loss of power as well as what is in them. */
	if (!cfg->nosync && fsync(s->dir_fd))
		return -errno;
	return map_room(s);
}

static int open_dir(struct store *s, const char *dir)
{
	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->dir_fd < 0 ? -errno : 0;
}

static void commit_batch(struct store *s);

/* Closed stores that the loop still has works of. If the loop never runs again they stay for good: there is no way
 * to take a work back. */
static _Thread_local LIST_HEAD(, store) closed_stores;

/* True when nothing is left to do: the store is closed, and the last queued work frees the struct. */
static bool closed_done(struct store *s)
{
	if (!s->closed)
		return false;
	if (!s->commit_soon.queued && !s->commit_now.queued && !s->lazy_run.queued &&
	    !s->read_end.queued) {
		LIST_REMOVE(s, closed_link);
		free(s);
	}
	return true;
}

static void commit_work(void *arg)
{
	if (!closed_done(arg))
		commit_batch(arg);
}

static void read_reset(struct store *s)
{
	if (s->reading)
		mdb_txn_reset(s->rt.mdb);
	s->reading = false;
}

static void read_end_work(void *arg)
{
	if (!closed_done(arg))
		read_reset(arg);
}

static void run_waiters(struct waiters *list, int rc)
{
	struct waiters mine = TAILQ_HEAD_INITIALIZER(mine);
	struct store_waiter *w;

	TAILQ_CONCAT(&mine, list, link); /* a waiter may queue another one */
	while ((w = TAILQ_FIRST(&mine))) {
		TAILQ_REMOVE(&mine, w, link);
		w->fn(w, rc);
	}
}

static void lazy_work(void *arg)
{
	struct store *s = arg;

	if (!closed_done(s))
		run_waiters(&s->lazy, 0);
}

static void store_free(struct store *s)
{
	if (s->rt.mdb)
		mdb_txn_abort(s->rt.mdb);
	if (s->env)
		mdb_env_close(s->env);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	free(s->dbi);
	s->closed = true;
	LIST_INSERT_HEAD(&closed_stores, s, closed_link);
	closed_done(s);
}

int store_open(const struct store_cfg *cfg, struct store **out)
{
	struct store *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->loop = cfg->loop;
	s->tables = cfg->tables;
	s->ntables = cfg->ntables;
	s->reserve = cfg->reserve_bytes;
	s->lazy_ns = (cfg->lazy_ms ? cfg->lazy_ms : LAZY_MS) * (uint64_t)NSEC_PER_MSEC;
	s->dir_fd = -1;
	s->wt = (struct txn){s, NULL, true};
	s->rt = (struct txn){s, NULL, false};
	TAILQ_INIT(&s->on_commit);
	TAILQ_INIT(&s->lazy);
	s->commit_soon = s->commit_now = (struct loop_work){.fn = commit_work, .arg = s};
	s->lazy_run = (struct loop_work){.fn = lazy_work, .arg = s};
	s->read_end = (struct loop_work){.fn = read_end_work, .arg = s};
	s->lazy_timer = (struct loop_timer){.fn = commit_work, .arg = s};
	s->dbi = calloc(cfg->ntables, sizeof(*s->dbi));
	rc = s->dbi ? open_dir(s, cfg->dir) : -ENOMEM;
	if (rc == 0)
		rc = open_env(s, cfg);
	if (rc) {
		store_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	int i;

	/* A waiter may execute something more; a few rounds are plenty for what they do. */
	for (i = 0; i < FLUSH_ROUNDS && s->wt.mdb; i++)
		commit_batch(s);
	assert(!s->wt.mdb);
	run_waiters(&s->lazy, 0);
	read_reset(s);
	loop_timer_stop(s->loop, &s->lazy_timer);
	store_free(s);
}

/* ---- room ---- */

static void fatal(struct store *s, int rc)
{
	log_err("store: cannot go on: %s", err_str(rc));
	if (s->fatal)
		s->fatal(s->fatal_arg, rc);
}

/* Makes the map larger when the next batch might not fit. No transaction may be active. */
static int map_room(struct store *s)
{
	MDB_envinfo info;
	MDB_stat st;
	uint64_t used, size;
	int rc;

	mdb_env_info(s->env, &info);
	mdb_env_stat(s->env, &st);
	used = ((uint64_t)info.me_last_pgno + 1) * st.ms_psize;
	size = info.me_mapsize;
	s->stats.map_bytes = size;
	s->stats.used_bytes = used;
	if (size >= used + max_u64(size / 4, MAP_HEADROOM))
		return 0;
	while (size < used + max_u64(size / 4, MAP_HEADROOM))
		size *= 2;
	rc = from_mdb(mdb_env_set_mapsize(s->env, size));
	if (rc)
		return rc;
	s->stats.map_bytes = size;
	log_dbg("store: map grown to %llu MiB", (unsigned long long)(size >> 20));
	return 0;
}

int store_space_check(struct store *s)
{
	uint64_t now = loop_now(s->loop);
	struct statvfs vfs;

	if (s->space_checked_ns && now - s->space_checked_ns < SPACE_CHECK_NS)
		return s->space_rc;
	s->space_checked_ns = now;
	if (fstatvfs(s->dir_fd, &vfs))
		return -EIO;
	s->space_rc = (uint64_t)vfs.f_bavail * vfs.f_frsize <= s->reserve ? -ENOSPC : 0;
	return s->space_rc;
}

/* ---- transactions ---- */

int store_read(struct store *s, struct txn **t, bool *in_batch)
{
	int rc;

	if (s->wt.mdb) {
		*t = &s->wt;
		*in_batch = s->wanted;
		return 0;
	}
	if (!s->reading) {
		rc = mdb_txn_renew(s->rt.mdb);
		if (rc)
			return from_mdb(rc);
		s->reading = true;
		loop_before_wait(s->loop, &s->read_end);
	}
	*t = &s->rt;
	*in_batch = false;
	return 0;
}

int store_write(struct store *s, struct txn **t)
{
	int rc;

	if (s->batch_rc)
		return s->batch_rc;
	if (!s->wt.mdb) {
		rc = mdb_txn_begin(s->env, NULL, 0, &s->wt.mdb);
		if (rc) {
			s->wt.mdb = NULL;
			if (rc == MDB_PANIC)
				fatal(s, -EIO);
			return from_mdb(rc);
		}
		s->batch_id = mdb_txn_id(s->wt.mdb);
		s->batch_bytes = 0;
		loop_timer_start(s->loop, &s->lazy_timer, s->lazy_ns);
	}
	*t = &s->wt;
	return 0;
}

uint64_t store_transno(const struct store *s)
{
	return s->wt.mdb ? s->batch_id : s->committed + 1;
}

uint64_t store_last_committed(const struct store *s)
{
	return s->committed;
}

static int end_batch(struct store *s)
{
	MDB_txn *t = s->wt.mdb;
	int rc = s->batch_rc;

	s->wt.mdb = NULL;
	s->batch_rc = 0;
	if (rc == 0 && s->inject_rc && s->inject_after-- == 0) {
		rc = s->inject_rc;
		s->inject_rc = 0;
	}
	if (rc) {
		mdb_txn_abort(t);
		return rc;
	}
	rc = mdb_txn_commit(t);
	if (rc == MDB_PANIC || rc == EIO)
		fatal(s, from_mdb(rc));
	return from_mdb(rc);
}

static void commit_batch(struct store *s)
{
	uint64_t began, took;
	MDB_envinfo info;
	int rc, room_rc;

	if (!s->wt.mdb)
		return;
	loop_timer_stop(s->loop, &s->lazy_timer);
	read_reset(s);
	began = loop_clock(s->loop);
	rc = end_batch(s);
	took = loop_clock(s->loop) - began;
	s->wanted = false;
	if (rc == 0) {
		/* Not batch_id: LMDB gives the number of a batch without changes to the next one. */
		if (mdb_env_info(s->env, &info) == 0)
			s->committed = info.me_last_txnid;
		s->stats.commits++;
		s->stats.commit_ns_sum += took;
		s->stats.commit_ns_max = max_u64(s->stats.commit_ns_max, took);
	} else {
		log_err("store: a batch of changes is given up: %s", err_str(rc));
	}
	room_rc = map_room(s);
	if (room_rc)
		fatal(s, room_rc);
	run_waiters(&s->on_commit, rc);
}

void store_on_end(struct store *s, struct store_waiter *w)
{
	assert(s->wt.mdb);
	TAILQ_INSERT_TAIL(&s->on_commit, w, link);
}

void store_on_commit(struct store *s, struct store_waiter *w, bool durable)
{
	s->stats.ops++;
	if (durable && s->wt.mdb) {
		TAILQ_INSERT_TAIL(&s->on_commit, w, link);
		s->wanted = true;
		loop_before_wait(s->loop, &s->commit_soon);
	} else {
		TAILQ_INSERT_TAIL(&s->lazy, w, link);
		loop_defer(s->loop, &s->lazy_run);
	}
}

struct sync_wait {
	struct store_waiter w;
	struct fiber *fiber;
	int rc;
};

static void sync_done(struct store_waiter *w, int rc)
{
	struct sync_wait *sw = container_of(w, struct sync_wait, w);

	sw->rc = rc;
	fiber_wake(sw->fiber);
}

int store_co_sync(struct store *s)
{
	struct sync_wait sw = {.w.fn = sync_done, .fiber = fiber_self()};

	if (!s->wt.mdb)
		return 0;
	store_on_commit(s, &sw.w, true);
	fiber_co_suspend();
	return sw.rc;
}

/* ---- records ---- */

int store_get(struct txn *t, uint32_t table, struct span key, struct span *val)
{
	MDB_val k = {key.len, (void *)(uintptr_t)key.ptr}, v;
	int rc;

	assert(table < t->store->ntables);
	rc = mdb_get(t->mdb, t->store->dbi[table], &k, &v);
	if (rc)
		return from_mdb(rc);
	return record_open(t->store, table, key, &v, val);
}

/* What LMDB has half done cannot be taken back, so the batch is given up as soon as its users are out of it. */
static int write_failed(struct store *s, int mdb_rc)
{
	int rc = from_mdb(mdb_rc);

	if (s->batch_rc == 0)
		s->batch_rc = rc;
	loop_defer(s->loop, &s->commit_now);
	return rc;
}

static void batch_dirtied(struct store *s, uint64_t bytes)
{
	s->batch_bytes += bytes;
	if (s->batch_bytes >= BATCH_BYTES_SOFT)
		loop_defer(s->loop, &s->commit_now);
}

int store_put(struct txn *t, uint32_t table, struct span key, struct span val)
{
	MDB_val k = {key.len, (void *)(uintptr_t)key.ptr}, v = {val.len + CRC_LEN, NULL};
	uint32_t crc;
	int rc;

	assert(t->write && table < t->store->ntables);
	if (key.len == 0 || key.len > MAX_KEY)
		return -EINVAL;
	crc = htole32(record_crc(key, val.ptr, val.len));
	rc = mdb_put(t->mdb, t->store->dbi[table], &k, &v, MDB_RESERVE);
	if (rc)
		return write_failed(t->store, rc);
	memcpy(v.mv_data, &crc, CRC_LEN);
	if (val.len)
		memcpy((uint8_t *)v.mv_data + CRC_LEN, val.ptr, val.len);
	batch_dirtied(t->store, PUT_PAGES * 4 * KIB + val.len);
	return 0;
}

int store_del(struct txn *t, uint32_t table, struct span key)
{
	MDB_val k = {key.len, (void *)(uintptr_t)key.ptr};
	int rc;

	assert(t->write && table < t->store->ntables);
	rc = mdb_del(t->mdb, t->store->dbi[table], &k, NULL);
	if (rc == MDB_NOTFOUND)
		return -ENOENT;
	if (rc)
		return write_failed(t->store, rc);
	batch_dirtied(t->store, PUT_PAGES * 4 * KIB);
	return 0;
}

static int walk_rows(struct txn *t, uint32_t table, MDB_cursor *c, struct span from,
		     store_walk_fn *fn, void *arg)
{
	MDB_val k = {from.len, (void *)(uintptr_t)from.ptr}, v;
	struct span key, val;
	int rc;

	rc = mdb_cursor_get(c, &k, &v, from.len ? MDB_SET_RANGE : MDB_FIRST);
	while (rc == 0) {
		key = (struct span){k.mv_data, (uint32_t)k.mv_size};
		if (record_open(t->store, table, key, &v, &val))
			val = SPAN_NONE;
		rc = fn(arg, key, val);
		if (rc)
			return rc > 0 ? 0 : rc;
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	return rc == MDB_NOTFOUND ? 0 : from_mdb(rc);
}

int store_walk(struct txn *t, uint32_t table, struct span from, store_walk_fn *fn, void *arg)
{
	MDB_cursor *c;
	int rc;

	assert(table < t->store->ntables);
	rc = mdb_cursor_open(t->mdb, t->store->dbi[table], &c);
	if (rc)
		return from_mdb(rc);
	rc = walk_rows(t, table, c, from, fn, arg);
	mdb_cursor_close(c);
	return rc;
}

/* ---- the rest ---- */

void store_get_stats(struct store *s, struct store_stats *out)
{
	*out = s->stats;
}

void store_on_fatal(struct store *s, void (*fn)(void *arg, int rc), void *arg)
{
	s->fatal = fn;
	s->fatal_arg = arg;
}

void store_inject_failure(struct store *s, uint32_t n, int rc)
{
	s->inject_after = n;
	s->inject_rc = rc;
}

int store_inject_damage(struct store *s, uint32_t table, struct span key)
{
	MDB_val k = {key.len, (void *)(uintptr_t)key.ptr}, v, copy;
	struct txn *t = NULL;
	int rc;

	rc = store_write(s, &t);
	if (rc)
		return rc;
	rc = mdb_get(t->mdb, s->dbi[table], &k, &v);
	if (rc)
		return from_mdb(rc);
	copy = (MDB_val){v.mv_size, malloc(v.mv_size)};
	if (!copy.mv_data)
		return -ENOMEM;
	memcpy(copy.mv_data, v.mv_data, v.mv_size);
	((uint8_t *)copy.mv_data)[v.mv_size - 1] ^= 0x40;
	rc = mdb_put(t->mdb, s->dbi[table], &k, &copy, 0);
	free(copy.mv_data);
	return rc ? write_failed(s, rc) : 0;
}
