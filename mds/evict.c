/* SPDX-License-Identifier: Apache-2.0 */
/* evict.c - see evict.h. The table is read a little at a time, so that nobody waits for it. */
#include "mds/evict.h"
#include "mds/hsm_queue.h"
#include "mds/inode.h"
#include "mds/state.h"
#include "mds/victims.h"
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
	EVERY_S = 5,
	REST_S = 15, /* after files were chosen: until the space of their objects is free */
	ROWS = 512,  /* in one pass of the loop */
	FILES_MAX = 1 << 16,
	LOW = 70,
};

struct evict {
	struct mds *m;
	uint32_t high, low; /* percent; high 0: off */
	struct loop_timer timer;
	struct victims *found; /* while looking */
	struct hsm_key at;
	bool more;
	struct fid *list; /* to be released, the last first */
	uint32_t n;
	uint64_t looks, given;
};

int evict_create(struct mds *m, struct evict **out)
{
	struct evict *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->m = m;
	e->low = LOW;
	*out = e;
	return 0;
}

void evict_destroy(struct evict *e)
{
	loop_timer_stop(e->m->loop, &e->timer);
	victims_free(e->found);
	free(e->list);
	free(e);
}

static void plan(struct evict *e, uint64_t ns)
{
	loop_timer_stop(e->m->loop, &e->timer);
	loop_timer_start(e->m->loop, &e->timer, ns);
}

/* ---- looking ---- */

static int64_t last_use(const struct attr *a)
{
	int64_t t = a->atime > a->mtime ? a->atime : a->mtime;

	return a->ctime > t ? a->ctime : t; /* which is that of a restore, too */
}

/* Whoever may not be released after all is refused then. */
static bool may_go(struct mds *m, struct txn *t, const struct hsm_key *k, const struct hsm_rec *v,
		   struct inode_rec *ino)
{
	const uint32_t flags = HSM_ARCHIVED | HSM_DIRTY | HSM_NORELEASE | HSM_LOST;

	return (v->flags & flags) == HSM_ARCHIVED && inode_get(t, &k->fid, ino) == 0 &&
	       S_ISREG(ino->attr.mode) && !(ino->attr.flags & INODE_RELEASED) &&
	       ino->attr.blocks && !node_find(m->opens, &k->fid) && !hsm_find_file(m->hsm, &k->fid);
}

struct step {
	struct evict *e;
	struct txn *t;
	uint32_t n;
};

static int look_at(void *arg, const struct hsm_key *k, const struct hsm_rec *v)
{
	struct step *s = arg;
	struct inode_rec ino;

	if (s->n++ == ROWS) {
		s->e->at = *k;
		s->e->more = true;
		return 1;
	}
	if (v && may_go(s->e->m, s->t, k, v, &ino))
		victims_add(s->e->found, &k->fid, last_use(&ino.attr), ino.attr.blocks * 512);
	return 0;
}

static int look_on(struct evict *e)
{
	struct step s = {.e = e};
	struct hsm_key from = e->at;
	bool in_batch;
	int rc = store_read(e->m->store, &s.t, &in_batch);

	e->more = false;
	return rc ? rc : hsm_rec_walk(s.t, &from, look_at, &s);
}

static void looked(struct evict *e)
{
	uint32_t i, n = victims_count(e->found);

	free(e->list);
	e->list = malloc((n + 1) * sizeof(*e->list));
	e->n = 0;
	for (i = 0; e->list && i < n; i++)
		if (victims_take_newest(e->found, &e->list[i]))
			e->n++;
	victims_free(e->found);
	e->found = NULL;
	if (e->n)
		co_wake_all(&e->m->hsm->news);
}

static bool begin_look(struct evict *e, uint64_t total, uint64_t used)
{
	uint32_t low = (uint32_t)min_u64(e->low, e->high);

	if (!e->high || !total || used <= total / 100 * e->high)
		return false;
	e->looks++;
	e->at = (struct hsm_key){0};
	e->found = victims_create(used - total / 100 * low, FILES_MAX);
	return e->found;
}

static void space(struct mds *m, uint64_t *total, uint64_t *used)
{
	uint32_t i;

	*total = *used = 0;
	for (i = 0; i < m->alloc.n; i++) {
		const struct alloc_ost *o = &m->alloc.ost[i];

		if (!o->known)
			continue;
		*total += o->total;
		*used += o->total - min_u64(o->avail, o->total);
	}
}

static void on_time(void *arg)
{
	struct evict *e = arg;
	uint64_t total, used;

	space(e->m, &total, &used);
	if (!e->found && (e->n || TAILQ_EMPTY(&e->m->hsm->movers) || !begin_look(e, total, used))) {
		plan(e, EVERY_S * (uint64_t)NSEC_PER_SEC);
		return;
	}
	if (look_on(e) == 0 && e->more) {
		plan(e, 1);
		return;
	}
	looked(e);
	plan(e, (e->n ? REST_S : EVERY_S) * (uint64_t)NSEC_PER_SEC);
}

void evict_look(struct evict *e, uint64_t total, uint64_t used)
{
	if (!begin_look(e, total, used))
		return;
	while (look_on(e) == 0 && e->more)
		;
	looked(e);
}

void evict_start(struct evict *e)
{
	e->timer = (struct loop_timer){.fn = on_time, .arg = e};
	plan(e, EVERY_S * (uint64_t)NSEC_PER_SEC);
}

bool evict_next(struct evict *e, struct fid *fid)
{
	if (!e->n)
		return false;
	*fid = e->list[--e->n];
	e->given++;
	return true;
}

/* ---- parameters ---- */

static int get_stats(void *arg, struct wbuf *out)
{
	const struct evict *e = arg;
	uint64_t total, used;

	space(e->m, &total, &used);
	return text_put(out, "used_percent: %" PRIu64 "\nlooks: %" PRIu64 "\nchosen: %" PRIu64,
			total ? used / ((total + 99) / 100) : 0, e->looks, e->given);
}

int evict_params(struct evict *e, const char *mdt)
{
	char name[MAX_PARAM_NAME + 1];
	int rc;

	snprintf(name, sizeof(name), "%s.hsm.release_high", mdt);
	rc = param_add_u32(e->m->params, name, &e->high, 0, 99);
	if (rc == 0) {
		snprintf(name, sizeof(name), "%s.hsm.release_low", mdt);
		rc = param_add_u32(e->m->params, name, &e->low, 0, 99);
	}
	if (rc == 0) {
		snprintf(name, sizeof(name), "%s.hsm.release_stats", mdt);
		rc = param_add(e->m->params, name, get_stats, NULL, e);
	}
	return rc;
}
