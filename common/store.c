/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - group commit over LMDB; see store.h.
 *
 * One environment, one write transaction (the batch) that is opened by the first store_write()
 * and ended by commit_batch(), one read transaction that is renewed when somebody reads and reset
 * when the pass or the batch ends. A value on disk is crc32c (4 bytes, little-endian, over key
 * and value) and the value.
 *
 * Answers leave at the end of the pass (flush_work): the changes of the pass go to the redo log
 * in one write, then the waiters are called. A commit is a matter of its own: a timer, a size, or
 * somebody who syncs.
 *
 * Commits run on the loop's own thread: LMDB wants a write transaction to end on the thread that
 * began it, and D2 wants the names on one thread. Room in the map is kept far above what a batch
 * may dirty and is made only between batches, so MDB_MAP_FULL means that address space is out.
 *
 * Deliberately not here: typed access (the tables of the servers), a cache above LMDB, nested
 * transactions.
 */
#include "common/store_int.h"
#include "common/crc.h"
#include "common/log.h"
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int store_from_mdb(int rc)
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
		return store_from_mdb(rc);
	for (i = 0; i < s->ntables && rc == 0; i++) {
		assert(s->tables[i].id == i);
		rc = mdb_dbi_open(t, s->tables[i].name, MDB_CREATE, &s->dbi[i]);
	}
	if (rc) {
		mdb_txn_abort(t);
		return store_from_mdb(rc);
	}
	return store_from_mdb(mdb_txn_commit(t));
}

/* What an earlier life had answered but not committed. last is LMDB's newest transaction. */
static int open_redo(struct store *s, uint64_t last)
{
	MDB_txn *t;
	int rc;

	rc = redo_open(s->dir_fd, &s->redo);
	if (rc)
		return rc;
	rc = store_from_mdb(mdb_txn_begin(s->env, NULL, 0, &t));
	if (rc)
		return rc;
	s->wt.mdb = t;
	rc = redo_replay(s->redo, last + 1, store_redo_apply, s, &s->stats.redone);
	s->wt.mdb = NULL;
	if (rc || !s->stats.redone) {
		mdb_txn_abort(t);
		return rc;
	}
	log_info("store: %llu changes taken over from the redo log",
		 (unsigned long long)s->stats.redone);
	return store_from_mdb(mdb_txn_commit(t));
}

/* Room that a commit can have when the disk is full. Not being able to make it is no error yet. */
static void make_reserve(struct store *s)
{
	int fd = openat(s->dir_fd, RESERVE_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	if (fallocate(fd, 0, 0, RESERVE_BYTES) && ftruncate(fd, 0))
		log_dbg("store: no reserve: %s", err_str(errno));
	close(fd);
}

static int open_env(struct store *s, const struct store_cfg *cfg)
{
	unsigned int flags = MDB_NOTLS | (cfg->nosync ? MDB_NOSYNC : 0);
	MDB_envinfo info;
	int rc;

	rc = mdb_env_create(&s->env);
	if (rc)
		return store_from_mdb(rc);
	rc = mdb_env_set_maxdbs(s->env, cfg->ntables);
	if (rc == 0)
		rc = mdb_env_set_mapsize(s->env, cfg->map_size ? cfg->map_size : MAP_SIZE_DEFAULT);
	if (rc == 0)
		rc = mdb_env_open(s->env, cfg->dir, flags, 0600);
	if (rc)
		return store_from_mdb(rc);
	mdb_env_info(s->env, &info);
	rc = open_tables(s);
	if (rc == 0)
		rc = store_map_room(s); /* the log may hold as much as a batch */
	if (rc == 0)
		rc = open_redo(s, info.me_last_txnid);
	if (rc)
		return rc;
	if (!cfg->nosync && cfg->reserve_bytes)
		make_reserve(s);
	rc = store_from_mdb(mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->rt.mdb));
	if (rc)
		return rc;
	mdb_txn_reset(s->rt.mdb);
	mdb_env_info(s->env, &info);
	s->committed_batch = info.me_last_txnid;
	/* The files themselves must survive a loss of power as well as what is in them. */
	if (!cfg->nosync && fsync(s->dir_fd))
		return -errno;
	return store_map_room(s);
}

/* ---- the machine ---- */

static void machine_name(struct store *s, const char *given)
{
	int fd = given ? -1 : open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (given)
		snprintf(s->machine, sizeof(s->machine), "%s", given);
	if (fd < 0)
		return;
	if (read(fd, s->machine, sizeof(s->machine) - 1) < 0)
		s->machine[0] = 0; /* not known: power may have been lost at any time */
	close(fd);
}

static bool same_machine(const struct store *s)
{
	char was[MACHINE_LEN] = "";
	int fd = openat(s->dir_fd, MACHINE_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, was, sizeof(was) - 1);
	close(fd);
	return n > 0 && strcmp(was, s->machine) == 0;
}

bool store_lost_power(const struct store *s)
{
	return s->lost_power;
}

/* Replaced as a whole: a name that is half there is another one. */
int store_power_settled(struct store *s)
{
	size_t len = strlen(s->machine);
	int fd, rc = 0;

	if (!s->lost_power)
		return 0;
	fd = openat(s->dir_fd, MACHINE_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, s->machine, len) != (ssize_t)len)
		rc = -EIO;
	if (rc == 0 && !s->nosync && fsync(fd))
		rc = -errno;
	close(fd);
	if (rc == 0)
		s->lost_power = false;
	return rc;
}

static int open_dir(struct store *s, const char *dir)
{
	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->dir_fd < 0 ? -errno : 0;
}

static void store_free(struct store *s)
{
	if (s->rt.mdb)
		mdb_txn_abort(s->rt.mdb);
	if (s->env)
		mdb_env_close(s->env);
	if (s->redo)
		redo_close(s->redo);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	free(s->dbi);
	store_batch_free(s);
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
	s->nosync = cfg->nosync;
	s->lazy_ns = (cfg->lazy_ms ? cfg->lazy_ms : LAZY_MS) * (uint64_t)NSEC_PER_MSEC;
	s->dir_fd = -1;
	s->wt = (struct txn){s, NULL, true};
	s->rt = (struct txn){s, NULL, false};
	s->strict = s->strict_next = cfg->strict;
	store_batch_init(s);
	s->dbi = calloc(cfg->ntables, sizeof(*s->dbi));
	rc = s->dbi ? open_dir(s, cfg->dir) : -ENOMEM;
	if (rc == 0) {
		machine_name(s, cfg->machine);
		s->lost_power = !same_machine(s);
		rc = open_env(s, cfg);
	}
	if (rc) {
		store_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	store_batch_close(s);
	store_free(s);
}

/* ---- room ---- */

void store_fatal(struct store *s, int rc)
{
	log_err("store: cannot go on: %s", err_str(rc));
	if (s->fatal)
		s->fatal(s->fatal_arg, rc);
}

/* Makes the map larger when the next batch might not fit. No transaction may be active. */
int store_map_room(struct store *s)
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
	rc = store_from_mdb(mdb_env_set_mapsize(s->env, size));
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

/* ---- records ---- */

int store_get(struct txn *t, uint32_t table, struct span key, struct span *val)
{
	MDB_val k = {key.len, (void *)(uintptr_t)key.ptr}, v;
	int rc;

	assert(table < t->store->ntables);
	rc = mdb_get(t->mdb, t->store->dbi[table], &k, &v);
	if (rc)
		return store_from_mdb(rc);
	return record_open(t->store, table, key, &v, val);
}

/* What LMDB has half done cannot be taken back, so the batch is given up as soon as its users are
 * out of it. */
static int write_failed(struct store *s, int mdb_rc)
{
	int rc = store_from_mdb(mdb_rc);

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

/* A change goes to the log even if nobody waits for this pass: later answers may build on it. */
static void log_change(struct store *s, enum redo_op op, uint32_t table, struct span key,
		       struct span val)
{
	redo_add(s->redo, op, table, key, val);
	loop_before_wait(s->loop, &s->flush_soon);
}

static int put_raw(struct txn *t, uint32_t table, struct span key, struct span val)
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

int store_put(struct txn *t, uint32_t table, struct span key, struct span val)
{
	int rc = put_raw(t, table, key, val);

	if (rc == 0 && !t->store->strict)
		log_change(t->store, REDO_PUT, table, key, val);
	return rc;
}

static int del_raw(struct txn *t, uint32_t table, struct span key)
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

int store_del(struct txn *t, uint32_t table, struct span key)
{
	int rc = del_raw(t, table, key);

	if (rc == 0 && !t->store->strict)
		log_change(t->store, REDO_DEL, table, key, SPAN_NONE);
	return rc;
}

int store_redo_apply(void *arg, enum redo_op op, uint32_t table, struct span key, struct span val)
{
	struct store *s = arg;

	if (table >= s->ntables)
		return -EUCLEAN;
	return op == REDO_PUT ? put_raw(&s->wt, table, key, val) : del_raw(&s->wt, table, key);
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
	return rc == MDB_NOTFOUND ? 0 : store_from_mdb(rc);
}

int store_walk(struct txn *t, uint32_t table, struct span from, store_walk_fn *fn, void *arg)
{
	MDB_cursor *c;
	int rc;

	assert(table < t->store->ntables);
	rc = mdb_cursor_open(t->mdb, t->store->dbi[table], &c);
	if (rc)
		return store_from_mdb(rc);
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
		return store_from_mdb(rc);
	copy = (MDB_val){v.mv_size, malloc(v.mv_size)};
	if (!copy.mv_data)
		return -ENOMEM;
	memcpy(copy.mv_data, v.mv_data, v.mv_size);
	((uint8_t *)copy.mv_data)[v.mv_size - 1] ^= 0x40;
	rc = mdb_put(t->mdb, s->dbi[table], &k, &copy, 0);
	free(copy.mv_data);
	return rc ? write_failed(s, rc) : 0;
}
