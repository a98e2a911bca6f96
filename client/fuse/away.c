/* SPDX-License-Identifier: Apache-2.0 */
/* away.c - attributes of the root of the mount while the MDS is away; see away.h. */
#include "client/fuse/face.h"
#include <stdlib.h>

#define PATIENCE_NS ((uint64_t)NSEC_PER_SEC)

/* A question that may outlast the one who asked. */
struct question {
	struct flane *fl;
	struct co_waitq q;
	struct attr attr;
	int rc;
	bool over, left;
};

static void count_left(struct face *f, uint32_t n)
{
	pthread_mutex_lock(&f->root.lock);
	f->root.nleft += n;
	pthread_mutex_unlock(&f->root.lock);
}

static void ask_fiber(void *arg)
{
	struct question *k = arg;
	struct flane *fl = k->fl;

	k->rc = fs_co_getattr(fl->ln, fs_root(fl->face->fs), &k->attr);
	k->over = true;
	if (k->left) {
		count_left(fl->face, (uint32_t)-1);
		free(k);
	} else {
		co_wake_all(&k->q);
	}
	if (--fl->inflight == 0)
		co_wake_all(&fl->idle_q);
}

/* What was there last, if the MDS is away. */
static bool recollect(struct flane *fl, bool if_others_wait, struct attr *out)
{
	struct root_seen *r = &fl->face->root;
	bool known;

	pthread_mutex_lock(&r->lock);
	*out = r->attr;
	known = r->known && (r->nleft || !if_others_wait);
	pthread_mutex_unlock(&r->lock);
	return known && fs_mds_is_away(fl->ln);
}

static void remember(struct face *f, const struct attr *a)
{
	pthread_mutex_lock(&f->root.lock);
	f->root.attr = *a;
	f->root.known = true;
	pthread_mutex_unlock(&f->root.lock);
}

/* Waits for the answer, or false: *out is from memory, and k is not ours any more. */
static bool co_answer(struct flane *fl, struct question *k, struct attr *out)
{
	uint64_t until = loop_now(fl->loop) + PATIENCE_NS;

	while (!k->over) {
		if (co_wait(&k->q, until) == 0 || k->over)
			continue;
		if (recollect(fl, false, out)) {
			k->left = true;
			count_left(fl->face, 1);
			return false;
		}
		until = loop_now(fl->loop) + PATIENCE_NS;
	}
	return true;
}

int away_co_getattr_root(struct flane *fl, struct attr *out)
{
	struct question *k;
	int rc;

	if (recollect(fl, true, out)) /* one question that waits is enough */
		return 0;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->fl = fl;
	co_waitq_init(&k->q);
	fl->inflight++;
	rc = fiber_spawn(fl->loop, ask_fiber, k);
	if (rc) {
		fl->inflight--;
		free(k);
		return rc;
	}
	if (!co_answer(fl, k, out))
		return 0;
	rc = k->rc;
	*out = k->attr;
	free(k);
	if (rc == 0)
		remember(fl->face, out);
	return rc;
}
