/* SPDX-License-Identifier: Apache-2.0 */
/* settle.c - background work on files that nobody has open any more.
 *
 * A file in the queue is looked at by one of a few fibers: if it has no name it is destroyed, if
 * its size is unsure its objects are measured and the size stored, provided that no writer came
 * meanwhile. What fails (an OST is away) is tried again later. When the recovery of a new life is
 * over (recovery.c), everything in the tables orphan and unsure is queued.
 */
#include "common/layout.h"
#include "mds/attr.h"
#include "mds/hsm.h"
#include "mds/orphan.h"
#include "mds/state.h"
#include <stdlib.h>
#include <sys/stat.h>

enum {
	WORKERS = 8,
	MEASURE_MS = 10000, /* for the objects of one file */
	RETRY_S = 5,
	SCAN = 256,
};

struct item {
	struct fid fid;
	uint64_t not_before_ns;
	STAILQ_ENTRY(item) link;
};

struct settle {
	struct mds *m;
	STAILQ_HEAD(, item) queue;
	struct co_waitq idle_q, done_q;
	uint32_t nqueued, workers, sleeping;
	bool stopping;
	struct loop_timer retry;
};

static void retry_fire(void *arg)
{
	co_wake_all(&((struct settle *)arg)->idle_q);
}

int settle_create(struct mds *m, struct settle **out)
{
	struct settle *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->m = m;
	STAILQ_INIT(&s->queue);
	co_waitq_init(&s->idle_q);
	co_waitq_init(&s->done_q);
	s->retry = (struct loop_timer){.fn = retry_fire, .arg = s};
	*out = s;
	return 0;
}

void settle_destroy(struct settle *s)
{
	struct item *it;

	assert(s->workers == 0);
	loop_timer_stop(s->m->loop, &s->retry);
	while ((it = STAILQ_FIRST(&s->queue))) {
		STAILQ_REMOVE_HEAD(&s->queue, link);
		free(it);
	}
	free(s);
}

static void work_fiber(void *arg);

static void enqueue(struct settle *s, const struct fid *fid, uint64_t not_before_ns)
{
	struct item *it;

	if (s->stopping)
		return; /* the tables remember it for the next life */
	it = malloc(sizeof(*it));
	if (!it)
		return;
	it->fid = *fid;
	it->not_before_ns = not_before_ns;
	STAILQ_INSERT_TAIL(&s->queue, it, link);
	s->nqueued++;
	if (s->sleeping) {
		co_wake_one(&s->idle_q);
	} else if (s->workers < WORKERS) {
		s->workers++;
		if (fiber_spawn(s->m->loop, work_fiber, s))
			s->workers--;
	}
}

void settle_add(struct settle *s, const struct fid *fid)
{
	enqueue(s, fid, 0);
}

uint32_t settle_pending(const struct settle *s)
{
	return s->nqueued + s->workers - s->sleeping;
}

/* ---- one file ---- */

static int destroy_orphan(struct mds *m, const struct fid *fid)
{
	struct inode_rec ino;
	struct node *n = node_find(m->opens, fid);
	struct txn *t;
	int rc;

	if (n && n->nopen)
		return 0;
	rc = store_write(m->store, &t);
	if (rc == 0)
		rc = inode_get(t, fid, &ino);
	if (rc == -ENOENT)
		return orphan_del(t, fid);
	if (rc || ino.attr.nlink)
		return rc;
	return ns_destroy(t, &m->env, fid, &ino);
}

static int store_measured(struct mds *m, const struct fid *fid, const struct objects_sum *sum)
{
	struct inode_rec ino;
	struct txn *t;
	int rc = store_write(m->store, &t);

	if (rc == 0)
		rc = inode_get(t, fid, &ino);
	if (rc || !(ino.attr.flags & ATTR_SIZE_UNSURE) || (ino.attr.flags & INODE_RELEASED))
		return rc == -ENOENT ? 0 : rc;
	attr_settle(&ino.attr, sum->size, sum->blocks, sum->mtime);
	rc = young_add(m->young, t, fid);
	if (rc == 0)
		rc = hsm_wrote(t, fid); /* perhaps */
	return rc ? rc : inode_update(t, fid, &ino);
}

static int measure(struct mds *m, struct node *n, const struct layout *l)
{
	struct objects_sum sum = {0};
	uint64_t seq = n->open_seq;
	int rc = 0;

	if (l)
		rc = objects_co_getattr(m, &n->fid, l, MEASURE_MS, &sum);
	if (rc)
		return rc;
	if (n->nwriters || n->open_seq != seq)
		return 0; /* whoever came will care for it */
	return store_measured(m, &n->fid, &sum);
}

/* Reads what the file needs; *what: 'o' orphan, 'm' measure, 0 nothing. */
static int look(struct mds *m, struct node *n, char *what, struct layout **l)
{
	struct inode_rec ino;
	struct txn *t;
	bool in_batch;
	int rc = store_read(m->store, &t, &in_batch);

	*what = 0;
	if (rc == 0)
		rc = inode_get(t, &n->fid, &ino);
	if (rc || !S_ISREG(ino.attr.mode))
		return rc == -ENOENT ? 0 : rc;
	if (ino.attr.nlink == 0) {
		/* Orphans of a recovery are looked at when it is over. */
		*what = n->nopen || m->recovery_end_ns ? 0 : 'o';
		return 0;
	}
	if (!(ino.attr.flags & ATTR_SIZE_UNSURE) || n->nwriters)
		return 0;
	*what = 'm';
	return ino.attr.flags & INODE_HAS_OBJECTS ? inode_layout(&n->fid, &ino, l) : 0;
}

/* A client that died may still have been writing. */
static int fence_dead(struct mds *m, const struct fid *fid)
{
	if (!lease_unreturned(m->leases, NULL, fid, loop_now(m->loop)))
		return 0;
	return size_co_fence(m, NULL, fid);
}

static int settle_one(struct mds *m, const struct fid *fid)
{
	CLEANUP(layout_freep) struct layout *l = NULL;
	struct node *n;
	char what;
	int rc = fence_dead(m, fid);

	if (rc)
		return rc;
	n = node_ref(m->opens, fid);
	if (!n)
		return -ENOMEM;
	co_mutex_lock(&n->mutex);
	rc = look(m, n, &what, &l);
	if (rc == 0 && what == 'o')
		rc = destroy_orphan(m, fid);
	else if (rc == 0 && what == 'm')
		rc = measure(m, n, l);
	co_mutex_unlock(&n->mutex);
	node_unref(m->opens, n);
	return rc;
}

/* The first item that may be looked at now; else *wait_ns says when. */
static struct item *take(struct settle *s, uint64_t *wait_ns)
{
	uint64_t now = loop_now(s->m->loop);
	struct item *it;

	*wait_ns = 0;
	STAILQ_FOREACH(it, &s->queue, link) {
		if (it->not_before_ns <= now) {
			STAILQ_REMOVE(&s->queue, it, item, link);
			s->nqueued--;
			return it;
		}
		if (!*wait_ns || it->not_before_ns - now < *wait_ns)
			*wait_ns = it->not_before_ns - now;
	}
	return NULL;
}

static void work_once(struct settle *s, struct item *it)
{
	char text[FID_STRLEN];
	int rc = settle_one(s->m, &it->fid);

	if (rc == -EIO) {
		log_err("%s: %s cannot be settled: %s", s->m->name, fid_str(&it->fid, text),
			err_str(rc));
	} else if (rc) {
		log_dbg("%s: %s is settled later: %s", s->m->name, fid_str(&it->fid, text),
			err_str(rc));
		enqueue(s, &it->fid, loop_now(s->m->loop) + RETRY_S * (uint64_t)NSEC_PER_SEC);
	}
	free(it);
}

static void work_fiber(void *arg)
{
	struct settle *s = arg;
	uint64_t wait_ns;
	struct item *it;

	while (!s->stopping) {
		it = take(s, &wait_ns);
		if (it) {
			work_once(s, it);
			continue;
		}
		if (wait_ns && !s->retry.due_ns)
			loop_timer_start(s->m->loop, &s->retry, wait_ns);
		s->sleeping++;
		(void)!co_wait(&s->idle_q, 0);
		s->sleeping--;
	}
	if (--s->workers == 0)
		co_wake_all(&s->done_q);
}

/* ---- after a start ---- */

static int queue_table(struct settle *s,
		       int (*list)(struct txn *t, const struct fid *from, struct fid *out, int max),
		       bool (*wanted)(struct txn *t, const struct fid *fid))
{
	struct fid from = {0}, found[SCAN];
	struct txn *t;
	bool in_batch;
	int i, n;

	do {
		n = store_read(s->m->store, &t, &in_batch);
		if (n == 0)
			n = list(t, &from, found, SCAN);
		for (i = 0; i < n; i++)
			if (!wanted || wanted(t, &found[i]))
				settle_add(s, &found[i]);
		if (n > 0)
			from = found[n - 1];
	} while (n == SCAN);
	return n < 0 ? n : 0;
}

int settle_last_life(struct settle *s)
{
	int rc = queue_table(s, orphan_list, NULL);

	return rc ? rc : queue_table(s, unsure_list, unsure_still);
}

void settle_stop(struct settle *s)
{
	s->stopping = true;
	loop_timer_stop(s->m->loop, &s->retry);
	co_wake_all(&s->idle_q);
}

void settle_co_stop(struct settle *s)
{
	settle_stop(s);
	while (s->workers)
		(void)!co_wait(&s->done_q, 0);
}
