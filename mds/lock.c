/* SPDX-License-Identifier: Apache-2.0 */
/* lock.c - see lock.h.
 *
 * A resource is a file in one of the lock spaces, with a list of granted locks (of one owner
 * never overlapping) and a queue of waiters. Lists are short in practice, so they are walked.
 */
#include "mds/lock.h"
#include "common/proto/proto.h"
#include <fcntl.h>
#include <stdlib.h>

enum { BUCKETS = 4096, RD = 0, WR = 1, UN = 2 };

struct lock {
	uint8_t type;
	uint32_t pid;
	uint64_t session, owner;
	uint64_t start, end;
	TAILQ_ENTRY(lock) link;
};

struct resource {
	struct fid fid;
	uint8_t space;
	TAILQ_HEAD(, lock) locks;
	LIST_ENTRY(resource) hash;
};

struct lock_mgr {
	LIST_HEAD(, resource) res[BUCKETS];
	TAILQ_HEAD(, lock_wait) waits; /* of all resources, oldest first */
	uint32_t nlocks;
	uint64_t mark;
};

int lock_mgr_create(struct lock_mgr **out)
{
	struct lock_mgr *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	TAILQ_INIT(&m->waits);
	*out = m;
	return 0;
}

static void resource_free(struct lock_mgr *m, struct resource *r)
{
	struct lock *l;

	while ((l = TAILQ_FIRST(&r->locks))) {
		TAILQ_REMOVE(&r->locks, l, link);
		m->nlocks--;
		free(l);
	}
	LIST_REMOVE(r, hash);
	free(r);
}

void lock_mgr_destroy(struct lock_mgr *m)
{
	uint32_t i;

	assert(TAILQ_EMPTY(&m->waits));
	for (i = 0; i < BUCKETS; i++)
		while (!LIST_EMPTY(&m->res[i]))
			resource_free(m, LIST_FIRST(&m->res[i]));
	free(m);
}

uint32_t lock_mgr_count(const struct lock_mgr *m)
{
	return m->nlocks;
}

static uint32_t bucket(const struct fid *fid, uint8_t space)
{
	uint64_t x = (fid->seq * 31 + fid->oid) * 3 + space;

	return (uint32_t)((x ^ x >> 17) % BUCKETS);
}

static struct resource *find(const struct lock_mgr *m, const struct fid *fid, uint8_t space)
{
	struct resource *r;

	LIST_FOREACH(r, &m->res[bucket(fid, space)], hash)
		if (r->space == space && fid_eq(&r->fid, fid))
			return r;
	return NULL;
}

static struct resource *find_or_make(struct lock_mgr *m, const struct fid *fid, uint8_t space)
{
	struct resource *r = find(m, fid, space);

	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->fid = *fid;
	r->space = space;
	TAILQ_INIT(&r->locks);
	LIST_INSERT_HEAD(&m->res[bucket(fid, space)], r, hash);
	return r;
}

static bool same_owner(const struct lock *l, const struct lock_req *q)
{
	return l->session == q->session && l->owner == q->owner;
}

static struct lock *conflict(const struct resource *r, const struct lock_req *q)
{
	struct lock *l;

	if (!r || q->type == UN)
		return NULL;
	TAILQ_FOREACH(l, &r->locks, link)
		if (!same_owner(l, q) && l->start <= q->end && q->start <= l->end &&
		    (l->type == WR || q->type == WR))
			return l;
	return NULL;
}

bool lock_test(const struct lock_mgr *m, const struct lock_req *q, struct lock_req *out)
{
	const struct lock *l = conflict(find(m, &q->fid, q->space), q);

	if (!l)
		return false;
	*out = (struct lock_req){
		.fid = q->fid,
		.space = q->space,
		.type = l->type,
		.pid = l->pid,
		.session = l->session,
		.owner = l->owner,
		.start = l->start,
		.end = l->end,
	};
	return true;
}

static void lock_free(struct lock_mgr *m, struct resource *r, struct lock *l)
{
	TAILQ_REMOVE(&r->locks, l, link);
	m->nlocks--;
	free(l);
}

static void lock_insert(struct lock_mgr *m, struct resource *r, struct lock *l,
			const struct lock_req *q, uint64_t start, uint64_t end)
{
	l->type = q->type;
	l->pid = q->pid;
	l->session = q->session;
	l->owner = q->owner;
	l->start = start;
	l->end = end;
	TAILQ_INSERT_TAIL(&r->locks, l, link);
	m->nlocks++;
}

/* Cuts [q->start, q->end] out of what the owner has; *spare is used up if one lock becomes two. */
static void cut(struct lock_mgr *m, struct resource *r, const struct lock_req *q,
		struct lock **spare)
{
	struct lock *l, *next;

	for (l = TAILQ_FIRST(&r->locks); l; l = next) {
		next = TAILQ_NEXT(l, link);
		if (!same_owner(l, q) || l->start > q->end || l->end < q->start)
			continue;
		if (l->start < q->start && l->end > q->end) {
			struct lock_req rest = {.type = l->type, .pid = l->pid,
						.session = l->session, .owner = l->owner};

			lock_insert(m, r, *spare, &rest, q->end + 1, l->end);
			*spare = NULL;
			l->end = q->start - 1;
		} else if (l->start < q->start) {
			l->end = q->start - 1;
		} else if (l->end > q->end) {
			l->start = q->end + 1;
		} else {
			lock_free(m, r, l);
		}
	}
}

/* Neighbours of the same type become one lock, as fcntl(2) users see in F_GETLK. */
static void merge(struct lock_mgr *m, struct resource *r, struct lock *mine)
{
	struct lock *l, *next;

	for (l = TAILQ_FIRST(&r->locks); l; l = next) {
		next = TAILQ_NEXT(l, link);
		if (l == mine || l->session != mine->session || l->owner != mine->owner ||
		    l->type != mine->type)
			continue;
		if (l->end < UINT64_MAX && l->end + 1 == mine->start)
			mine->start = l->start;
		else if (mine->end < UINT64_MAX && mine->end + 1 == l->start)
			mine->end = l->end;
		else
			continue;
		lock_free(m, r, l);
		next = TAILQ_FIRST(&r->locks); /* a merge may make room for another */
	}
}

/* No conflict. Makes it so; allocates first, so that it is all or nothing. */
static int apply(struct lock_mgr *m, struct resource *r, const struct lock_req *q)
{
	struct lock *mine = NULL, *spare = malloc(sizeof(*spare));

	if (q->type != UN)
		mine = malloc(sizeof(*mine));
	if (!spare || (q->type != UN && !mine)) {
		free(spare);
		free(mine);
		return -ENOLCK;
	}
	cut(m, r, q, &spare);
	free(spare);
	if (mine) {
		lock_insert(m, r, mine, q, q->start, q->end);
		merge(m, r, mine);
	}
	return 0;
}

static void wait_end(struct lock_mgr *m, struct lock_wait *w, int rc)
{
	TAILQ_REMOVE(&m->waits, w, link);
	w->wake(w, rc);
}

/* Something was given back: grants what has become possible, oldest first. */
static void regrant(struct lock_mgr *m, struct resource *r)
{
	struct lock_wait *w, *next;

	for (w = TAILQ_FIRST(&m->waits); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->req.space == r->space && fid_eq(&w->req.fid, &r->fid) &&
		    !conflict(r, &w->req))
			wait_end(m, w, apply(m, r, &w->req));
	}
}

static void settle(struct lock_mgr *m, struct resource *r)
{
	if (!TAILQ_EMPTY(&m->waits))
		regrant(m, r);
	if (TAILQ_EMPTY(&r->locks))
		resource_free(m, r);
}

int lock_set(struct lock_mgr *m, const struct lock_req *q)
{
	struct resource *r;
	int rc;

	if (q->type > UN || q->start > q->end || q->space > LOCK_APPEND)
		return -EINVAL;
	r = q->type == UN ? find(m, &q->fid, q->space) : find_or_make(m, &q->fid, q->space);
	if (!r)
		return q->type == UN ? 0 : -ENOLCK;
	rc = conflict(r, q) ? -EAGAIN : 0;
	if (rc == 0 && q->type != UN && m->nlocks >= LOCKS_MAX)
		rc = -ENOLCK;
	if (rc == 0)
		rc = apply(m, r, q);
	settle(m, r);
	return rc;
}

/* Does `me` wait, through others, for itself? Each waiter is looked at once. */
static bool waits_for(struct lock_mgr *m, const struct lock_req *q, const struct lock_req *me)
{
	struct resource *r = find(m, &q->fid, q->space);
	struct lock_wait *w;
	struct lock *l;

	if (!r)
		return false;
	TAILQ_FOREACH(l, &r->locks, link) {
		if (same_owner(l, q) || l->start > q->end || q->start > l->end ||
		    (l->type != WR && q->type != WR))
			continue;
		if (same_owner(l, me))
			return true;
		TAILQ_FOREACH(w, &m->waits, link) {
			if (w->mark == m->mark || w->req.space != LOCK_POSIX ||
			    !same_owner(l, &w->req))
				continue;
			w->mark = m->mark;
			if (waits_for(m, &w->req, me))
				return true;
		}
	}
	return false;
}

int lock_wait_add(struct lock_mgr *m, struct lock_wait *w)
{
	struct lock_req drop = w->req;
	int rc;

	if (w->req.space == LOCK_FLOCK) {
		/* Two holders of shared locks that both want an exclusive one must not block each
		 * other. */
		drop.type = UN;
		rc = lock_set(m, &drop);
		if (rc)
			return rc;
	}
	m->mark++;
	if (w->req.space == LOCK_POSIX && waits_for(m, &w->req, &w->req))
		return -EDEADLK;
	w->mark = 0;
	TAILQ_INSERT_TAIL(&m->waits, w, link);
	return 0;
}

bool lock_cancel(struct lock_mgr *m, uint64_t session, uint64_t xid, int rc)
{
	struct lock_wait *w;

	TAILQ_FOREACH(w, &m->waits, link)
		if (w->req.session == session && w->xid == xid) {
			wait_end(m, w, rc);
			return true;
		}
	return false;
}

void lock_cancel_all(struct lock_mgr *m, int rc)
{
	struct lock_wait *w;

	while ((w = TAILQ_FIRST(&m->waits)))
		wait_end(m, w, rc);
}

static void drop_in(struct lock_mgr *m, struct resource *r, uint64_t session)
{
	struct lock *l, *next;
	bool any = false;

	for (l = TAILQ_FIRST(&r->locks); l; l = next) {
		next = TAILQ_NEXT(l, link);
		if (l->session == session) {
			lock_free(m, r, l);
			any = true;
		}
	}
	if (any)
		settle(m, r);
}

void lock_drop_session(struct lock_mgr *m, uint64_t session, int rc)
{
	struct lock_wait *w, *wnext;
	struct resource *r, *next;
	uint32_t i;

	for (w = TAILQ_FIRST(&m->waits); w; w = wnext) {
		wnext = TAILQ_NEXT(w, link);
		if (w->req.session == session)
			wait_end(m, w, rc);
	}
	for (i = 0; i < BUCKETS; i++)
		for (r = LIST_FIRST(&m->res[i]); r; r = next) {
			next = LIST_NEXT(r, hash);
			drop_in(m, r, session);
		}
}
