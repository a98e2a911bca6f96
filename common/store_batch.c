/* SPDX-License-Identifier: Apache-2.0 */
/* store_batch.c - the batch of a store: begin, flush to the redo log, commit, and who is told
 * when; see store.h.
 *
 * store.c opens the environment and reads and writes records.
 */
#include "common/fiber.h"
#include "common/log.h"
#include "common/store_int.h"
#include <stdlib.h>
#include <unistd.h>

static int commit_batch(struct store *s);

/* Closed stores that the loop still has works of. If the loop never runs again they stay for
 * good: there is no way to take a work back. */
static _Thread_local LIST_HEAD(, store) closed_stores;

/* True when nothing is left to do: the store is closed, and the last queued work frees the
 * struct. */
static bool closed_done(struct store *s)
{
	if (!s->closed)
		return false;
	if (!s->commit_soon.queued && !s->commit_now.queued && !s->flush_soon.queued &&
	    !s->lazy_run.queued && !s->read_end.queued) {
		LIST_REMOVE(s, closed_link);
		free(s);
	}
	return true;
}

static void flush_batch(struct store *s);

static void flush_work(void *arg)
{
	if (!closed_done(arg))
		flush_batch(arg);
}

static void commit_work(void *arg)
{
	if (!closed_done(arg))
		(void)!commit_batch(arg); /* whoever waits is told */
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

/* ---- transactions ---- */

int store_read(struct store *s, struct txn **t, bool *in_batch)
{
	int rc;

	if (s->wt.mdb) {
		*t = &s->wt;
		*in_batch = s->strict ? s->wanted : redo_pending(s->redo);
		return 0;
	}
	if (!s->reading) {
		rc = mdb_txn_renew(s->rt.mdb);
		if (rc)
			return store_from_mdb(rc);
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
				store_fatal(s, -EIO);
			return store_from_mdb(rc);
		}
		s->batch_id = mdb_txn_id(s->wt.mdb);
		s->batch_bytes = 0;
		s->strict = s->strict_next;
		s->answered = false;
		if (!s->strict)
			redo_begin(s->redo, s->batch_id);
		loop_timer_start(s->loop, &s->lazy_timer, s->lazy_ns);
	}
	*t = &s->wt;
	return 0;
}

uint64_t store_batch(const struct store *s)
{
	return s->wt.mdb ? s->batch_id : s->committed_batch + 1;
}

uint64_t store_last_batch(const struct store *s)
{
	return s->committed_batch;
}

void store_first_transno(struct store *s, uint64_t first)
{
	s->transno = s->committed = first;
}

uint64_t store_next_transno(struct store *s)
{
	assert(s->wt.mdb);
	return ++s->transno;
}

uint64_t store_transno(const struct store *s)
{
	return s->transno;
}

uint64_t store_last_committed(const struct store *s)
{
	return s->committed;
}

static int commit_mdb(struct store *s, MDB_txn *t)
{
	int rc = 0;

	if (s->inject_rc && s->inject_after-- == 0) {
		rc = s->inject_rc;
		s->inject_rc = 0;
	}
	if (rc) {
		mdb_txn_abort(t);
		return rc;
	}
	rc = mdb_txn_commit(t);
	if (rc == MDB_PANIC || rc == EIO)
		store_fatal(s, store_from_mdb(rc));
	return store_from_mdb(rc);
}

static void give_up_reserve(struct store *s, const char *what, int why)
{
	log_warn("store: %s: %s; trying again with the reserve", what, err_str(why));
	if (unlinkat(s->dir_fd, RESERVE_FILE, 0))
		log_dbg("store: the reserve is gone already");
	s->space_checked_ns = 0;
}

/* The batch could not be committed, but answers told of it: it is made again from the redo log. */
static int commit_again(struct store *s, int why)
{
	uint64_t n;
	int rc;

	give_up_reserve(s, "commit", why);
	rc = store_map_room(s);
	if (rc == 0)
		rc = store_from_mdb(mdb_txn_begin(s->env, NULL, 0, &s->wt.mdb));
	if (rc == 0) {
		rc = redo_replay(s->redo, s->batch_id, store_redo_apply, s, &n);
		if (rc)
			mdb_txn_abort(s->wt.mdb);
		else
			rc = commit_mdb(s, s->wt.mdb);
	}
	s->wt.mdb = NULL;
	s->batch_rc = 0;
	if (rc)
		store_fatal(s, rc);
	return rc;
}

/* *pass_rc: what became of the pass that is not in the log; it differs from the batch's fate when
 * that could be saved. */
static int end_batch(struct store *s, int *pass_rc)
{
	MDB_txn *t = s->wt.mdb;
	int rc = s->batch_rc;

	s->wt.mdb = NULL;
	s->batch_rc = 0;
	if (rc)
		mdb_txn_abort(t);
	else
		rc = commit_mdb(s, t);
	*pass_rc = rc;
	return rc && s->answered ? commit_again(s, rc) : rc;
}

static void commit_done(struct store *s, int rc, uint64_t took)
{
	MDB_envinfo info;

	s->wanted = false;
	if (rc) {
		log_err("store: a batch of changes is given up: %s", err_str(rc));
		return;
	}
	/* Not batch_id: LMDB gives the number of a batch without changes to the next one. */
	if (mdb_env_info(s->env, &info) == 0)
		s->committed_batch = info.me_last_txnid;
	s->committed = s->transno;
	s->stats.commits++;
	s->stats.commit_ns_sum += took;
	s->stats.commit_ns_max = max_u64(s->stats.commit_ns_max, took);
}

static int commit_batch(struct store *s)
{
	struct waiters pass = TAILQ_HEAD_INITIALIZER(pass);
	uint64_t began;
	int rc, pass_rc, room_rc;

	if (!s->wt.mdb)
		return 0;
	if (!s->batch_rc)
		flush_batch(s);
	TAILQ_CONCAT(&pass, &s->pass_end, link);
	TAILQ_CONCAT(&pass, &s->on_redo, link);
	loop_timer_stop(s->loop, &s->lazy_timer);
	read_reset(s);
	began = loop_clock(s->loop);
	rc = end_batch(s, &pass_rc);
	commit_done(s, rc, loop_clock(s->loop) - began);
	room_rc = store_map_room(s);
	if (room_rc)
		store_fatal(s, room_rc);
	run_waiters(&pass, pass_rc);
	run_waiters(&s->on_commit, rc);
	return rc;
}

int store_commit(struct store *s)
{
	return commit_batch(s);
}

/* Answers of this pass may leave once its changes are in the log. */
static void flush_batch(struct store *s)
{
	int rc;

	if (!s->wt.mdb || s->strict || s->batch_rc)
		return;
	if (redo_pending(s->redo)) {
		rc = redo_flush(s->redo);
		if (rc) {
			give_up_reserve(s, "redo log", rc);
			rc = redo_flush(s->redo);
		}
		s->stats.redo_flushes++;
		if (rc) { /* neither log nor commit can be had: nothing may be answered any more */
			s->batch_rc = rc;
			loop_defer(s->loop, &s->commit_now);
			return;
		}
		s->answered = true;
	}
	TAILQ_CONCAT(&s->on_commit, &s->pass_end, link);
	run_waiters(&s->on_redo, 0);
}

void store_on_end(struct store *s, struct store_waiter *w)
{
	assert(s->wt.mdb);
	TAILQ_INSERT_TAIL(s->strict ? &s->on_commit : &s->pass_end, w, link);
}

static void want_commit(struct store *s, struct store_waiter *w)
{
	TAILQ_INSERT_TAIL(&s->on_commit, w, link);
	s->wanted = true;
	loop_before_wait(s->loop, &s->commit_soon);
}

void store_on_disk(struct store *s, struct store_waiter *w)
{
	s->stats.ops++;
	want_commit(s, w);
}

void store_on_commit(struct store *s, struct store_waiter *w, bool durable)
{
	s->stats.ops++;
	if (durable && s->wt.mdb && s->strict) {
		want_commit(s, w);
	} else if (durable && s->wt.mdb) {
		TAILQ_INSERT_TAIL(&s->on_redo, w, link);
		loop_before_wait(s->loop, &s->flush_soon);
	} else {
		TAILQ_INSERT_TAIL(&s->lazy, w, link);
		loop_defer(s->loop, &s->lazy_run);
	}
}

void store_set_strict(struct store *s, bool strict)
{
	s->strict_next = strict;
}

bool store_is_strict(const struct store *s)
{
	return s->strict_next;
}

void store_set_interval(struct store *s, uint32_t ms)
{
	s->lazy_ns = ms * (uint64_t)NSEC_PER_MSEC;
}

uint32_t store_interval(const struct store *s)
{
	return (uint32_t)(s->lazy_ns / NSEC_PER_MSEC);
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
	want_commit(s, &sw.w);
	fiber_co_suspend();
	return sw.rc;
}

int store_co_settled(struct store *s)
{
	struct sync_wait sw = {.w.fn = sync_done, .fiber = fiber_self()};

	if (!s->wt.mdb)
		return 0;
	store_on_end(s, &sw.w);
	fiber_co_suspend();
	return sw.rc;
}


/* ---- begin and end of a store ---- */

void store_batch_init(struct store *s)
{
	TAILQ_INIT(&s->on_commit);
	TAILQ_INIT(&s->on_redo);
	TAILQ_INIT(&s->pass_end);
	TAILQ_INIT(&s->lazy);
	s->commit_soon = s->commit_now = (struct loop_work){.fn = commit_work, .arg = s};
	s->flush_soon = (struct loop_work){.fn = flush_work, .arg = s};
	s->lazy_run = (struct loop_work){.fn = lazy_work, .arg = s};
	s->read_end = (struct loop_work){.fn = read_end_work, .arg = s};
	s->lazy_timer = (struct loop_timer){.fn = commit_work, .arg = s};
}

void store_batch_close(struct store *s)
{
	int i;

	/* A waiter may execute something more; a few rounds are plenty for what they do. */
	for (i = 0; i < FLUSH_ROUNDS && s->wt.mdb; i++) {
		flush_batch(s);
		(void)!commit_batch(s);
	}
	assert(!s->wt.mdb);
	run_waiters(&s->lazy, 0);
	read_reset(s);
	loop_timer_stop(s->loop, &s->lazy_timer);
}

void store_batch_free(struct store *s)
{
	s->closed = true;
	LIST_INSERT_HEAD(&closed_stores, s, closed_link);
	closed_done(s);
}
