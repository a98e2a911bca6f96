/* SPDX-License-Identifier: Apache-2.0 */
/* young.c - rows of table unsure that outlive the unsure size; see young.h.
 *
 * Rows are removed in the order in which they came, many at a time, by one timer. Whether a file is
 * unsure again by then its inode says, so nothing is taken back when somebody opens it. It knows
 * nothing of how sizes are measured.
 */
#include "mds/young.h"
#include "mds/attr.h"
#include "mds/inode.h"
#include "mds/orphan.h"
#include "mds/state.h"
#include <stdlib.h>

enum {
	YOUNG_S = 60, /* Linux writes dirty pages after 30 s, its journal after 5 */
	TOGETHER_S = 1,
	AT_ONCE = 512,       /* rows of one pass of the loop */
	YOUNG_MAX = 1 << 17, /* in memory */
	SCAN = 256,
	COMMIT_AFTER = 16, /* scans that change rows: a batch must not grow without limit */
};

struct item {
	struct fid fid;
	uint64_t due_ns;
	STAILQ_ENTRY(item) link;
};

struct young {
	struct mds *m;
	STAILQ_HEAD(, item) queue;
	uint32_t n;
	struct loop_timer timer;
};

static void plan(struct young *y, uint64_t not_before_ns)
{
	struct item *it = STAILQ_FIRST(&y->queue);
	uint64_t now = loop_now(y->m->loop), at;

	if (!it || y->timer.due_ns)
		return;
	at = max_u64(it->due_ns + TOGETHER_S * (uint64_t)NSEC_PER_SEC, not_before_ns);
	loop_timer_start(y->m->loop, &y->timer, at > now ? at - now : 1);
}

static int forget(struct txn *t, const struct fid *fid)
{
	struct inode_rec ino;
	int rc = inode_get(t, fid, &ino);

	if (rc == 0 && (ino.attr.flags & ATTR_SIZE_UNSURE))
		return 0;
	return unsure_del(t, fid);
}

static void drop(struct young *y)
{
	struct item *it = STAILQ_FIRST(&y->queue);

	STAILQ_REMOVE_HEAD(&y->queue, link);
	y->n--;
	free(it);
}

/* If the batch is lost its rows stay until the next life, which takes them up. */
static void forget_old(struct young *y, uint64_t now)
{
	struct item *it;
	struct txn *t;
	int i, rc = store_write(y->m->store, &t);

	for (i = 0; rc == 0 && i < AT_ONCE; i++) {
		it = STAILQ_FIRST(&y->queue);
		if (!it || it->due_ns > now)
			break;
		rc = forget(t, &it->fid);
		drop(y);
	}
	plan(y, rc ? now + TOGETHER_S * (uint64_t)NSEC_PER_SEC : 0);
}

static void old_enough(void *arg)
{
	struct young *y = arg;

	forget_old(y, loop_now(y->m->loop));
}

void young_age(struct young *y, uint32_t seconds)
{
	struct item *it;

	STAILQ_FOREACH(it, &y->queue, link)
	it->due_ns -= seconds * (uint64_t)NSEC_PER_SEC;
	forget_old(y, loop_now(y->m->loop));
}

int young_create(struct mds *m, struct young **out)
{
	struct young *y = calloc(1, sizeof(*y));

	if (!y)
		return -ENOMEM;
	y->m = m;
	STAILQ_INIT(&y->queue);
	y->timer = (struct loop_timer){.fn = old_enough, .arg = y};
	*out = y;
	return 0;
}

void young_stop(struct young *y)
{
	loop_timer_stop(y->m->loop, &y->timer);
}

void young_destroy(struct young *y)
{
	young_stop(y);
	while (!STAILQ_EMPTY(&y->queue))
		drop(y);
	free(y);
}

int young_add(struct young *y, struct txn *t, const struct fid *fid)
{
	struct item *it = malloc(sizeof(*it));
	int rc = 0;

	if (!it)
		return unsure_del(t, fid);
	if (y->n >= YOUNG_MAX) {
		rc = forget(t, &STAILQ_FIRST(&y->queue)->fid);
		drop(y);
	}
	it->fid = *fid;
	it->due_ns = loop_now(y->m->loop) + YOUNG_S * (uint64_t)NSEC_PER_SEC;
	STAILQ_INSERT_TAIL(&y->queue, it, link);
	y->n++;
	plan(y, 0);
	return rc;
}

/* ---- after a start ---- */

static int take_up(struct young *y, struct txn *t, const struct fid *fid, bool lost_power)
{
	struct inode_rec ino;
	int rc = inode_get(t, fid, &ino);

	if (rc || (ino.attr.flags & (ATTR_SIZE_UNSURE | INODE_RELEASED)))
		return rc == -ENOMEM ? rc : 0; /* what is damaged is the checker's business */
	if (!lost_power)
		return young_add(y, t, fid);
	attr_make_unsure(&ino.attr);
	return inode_update(t, fid, &ino);
}

int young_start(struct young *y)
{
	bool lost_power = store_lost_power(y->m->store);
	struct fid from = {0}, found[SCAN];
	struct txn *t;
	int i, n = SCAN, rc = 0, scans = 0;

	while (rc == 0 && n == SCAN) {
		rc = store_write(y->m->store, &t);
		n = rc ? rc : unsure_list(t, &from, found, SCAN);
		for (i = 0; rc == 0 && i < n; i++)
			rc = take_up(y, t, &found[i], lost_power);
		if (n > 0)
			from = found[n - 1];
		if (rc == 0 && lost_power && ++scans % COMMIT_AFTER == 0)
			rc = store_commit(y->m->store);
	}
	return n < 0 ? n : rc;
}
