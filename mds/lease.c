/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c - see lease.h.
 *
 * There is one record for each inode and holder. It is in the holder's list of held leases, or in
 * that of recalled ones as soon as any of its bits is recalled; then it grants nothing more until
 * the recall is answered.
 */
#include "mds/lease.h"
#include "common/proto/proto.h"
#include <stdlib.h>

enum {
	BUCKETS_MIN = 1024,
	FORCED_MAX = 1024, /* recalls at once from a holder that has too many */
	LOW_PART = 8,      /* it gives up so many that a part of the limit is free again */
	HARD_PART = 4,     /* beyond that above the limit nothing is granted */
};

struct lease {
	struct fid fid;
	struct lease_holder *holder;
	uint32_t bits, recall_bits;
	uint64_t recall_seq; /* 0: not recalled */
	uint64_t recall_ns;
	bool fenced;	 /* its writes cannot do harm */
	bool own_fenced; /* OWN is good for nothing */
	uint64_t seq, data_seq; /* of the last answers that gave bits, and data */
	LIST_ENTRY(lease) hash;
	TAILQ_ENTRY(lease) link;
};
LIST_HEAD(lease_bucket, lease);

struct lease_mgr {
	struct lease_mgr_cfg cfg;
	struct lease_bucket *bucket;
	uint32_t nbuckets; /* a power of two */
	uint64_t seq, answer; /* answer: of the one that is being made */
	LIST_HEAD(, lease_barrier) barriers;
	struct lease_holder dead; /* of those who are, and of earlier lives; never has a term */
	struct lease_stats stats;
};

int lease_mgr_create(const struct lease_mgr_cfg *cfg, struct lease_mgr **out)
{
	struct lease_mgr *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->cfg = *cfg;
	m->seq = cfg->first_seq;
	m->nbuckets = BUCKETS_MIN;
	m->bucket = calloc(m->nbuckets, sizeof(*m->bucket));
	if (!m->bucket) {
		free(m);
		return -ENOMEM;
	}
	LIST_INIT(&m->barriers);
	lease_holder_init(&m->dead);
	*out = m;
	return 0;
}

void lease_mgr_destroy(struct lease_mgr *m)
{
	lease_holder_drop(m, &m->dead, false);
	assert(m->stats.held == 0);
	free(m->bucket);
	free(m);
}

void lease_mgr_stats(const struct lease_mgr *m, struct lease_stats *out)
{
	*out = m->stats;
}

void lease_holder_init(struct lease_holder *h)
{
	*h = (struct lease_holder){0};
	TAILQ_INIT(&h->held);
	TAILQ_INIT(&h->recalled);
}

static struct lease_bucket *bucket_of(const struct lease_mgr *m, const struct fid *fid)
{
	uint64_t h = (fid->seq * 31 + fid->oid) * 0x9e3779b97f4a7c15ULL >> 32;

	return &m->bucket[h & (m->nbuckets - 1)];
}

/* Longer chains are no error: growing is tried again with the next lease. */
static void grow(struct lease_mgr *m)
{
	struct lease_bucket *old = m->bucket;
	uint32_t i, n = m->nbuckets;
	struct lease *l;

	m->bucket = calloc(2 * n, sizeof(*m->bucket));
	if (!m->bucket) {
		m->bucket = old;
		return;
	}
	m->nbuckets = 2 * n;
	for (i = 0; i < n; i++)
		while ((l = LIST_FIRST(&old[i]))) {
			LIST_REMOVE(l, hash);
			LIST_INSERT_HEAD(bucket_of(m, &l->fid), l, hash);
		}
	free(old);
}

static struct lease *find(const struct lease_mgr *m, const struct lease_holder *h,
			  const struct fid *fid)
{
	struct lease *l;

	LIST_FOREACH(l, bucket_of(m, fid), hash)
	if (l->holder == h && fid_eq(&l->fid, fid))
		return l;
	return NULL;
}

static struct lease *add(struct lease_mgr *m, struct lease_holder *h, const struct fid *fid)
{
	struct lease *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->fid = *fid;
	l->holder = h;
	if (m->stats.held >= m->nbuckets)
		grow(m);
	LIST_INSERT_HEAD(bucket_of(m, fid), l, hash);
	m->stats.holders += h != &m->dead && !lease_count(h);
	TAILQ_INSERT_TAIL(&h->held, l, link);
	h->nheld++;
	m->stats.held++;
	if (h != &m->dead && lease_count(h) > m->stats.most)
		m->stats.most = lease_count(h);
	return l;
}

static void set_bits(struct lease_mgr *m, struct lease *l, uint32_t bits)
{
	uint32_t was = (l->bits & LEASE_OWN) != 0, is = (bits & LEASE_OWN) != 0;

	l->bits = bits;
	l->holder->nown += is - was;
	m->stats.own += is - was;
}

static void unlist(struct lease *l)
{
	struct lease_holder *h = l->holder;

	if (l->recall_seq) {
		TAILQ_REMOVE(&h->recalled, l, link);
		h->nrecalled--;
	} else {
		TAILQ_REMOVE(&h->held, l, link);
		h->nheld--;
	}
}

static void drop(struct lease_mgr *m, struct lease *l)
{
	unlist(l);
	set_bits(m, l, 0);
	m->stats.holders -= l->holder != &m->dead && !lease_count(l->holder);
	LIST_REMOVE(l, hash);
	m->stats.held--;
	free(l);
}

#define MAY_WRITE    (LEASE_EXCLUSIVE | LEASE_CONTENDED)
#define NOT_WITH_OWN (LEASE_UPDATE | LEASE_OWN)

static void note_dead(struct lease_mgr *m, const struct fid *fid)
{
	struct lease *l = find(m, &m->dead, fid);

	if (!l)
		l = add(m, &m->dead, fid);
	if (l)
		l->bits = LEASE_EXCLUSIVE;
}

void lease_note_dead(struct lease_mgr *m, const struct fid *fid, uint64_t now)
{
	if (!lease_conflict(m, NULL, fid, LEASE_EXCLUSIVE, now))
		note_dead(m, fid);
}

static void leave(struct lease_mgr *m, struct lease *l, bool dead)
{
	struct fid fid = l->fid;
	bool wrote = (l->bits & MAY_WRITE) && !l->fenced;

	drop(m, l);
	if (dead && wrote)
		note_dead(m, &fid);
}

void lease_holder_drop(struct lease_mgr *m, struct lease_holder *h, bool dead)
{
	struct lease *l;

	while ((l = TAILQ_FIRST(&h->held)))
		leave(m, l, dead);
	while ((l = TAILQ_FIRST(&h->recalled)))
		leave(m, l, dead);
}

void lease_renew(struct lease_holder *h, uint64_t until_ns)
{
	if (until_ns > h->until_ns)
		h->until_ns = until_ns;
}

uint64_t lease_seq(struct lease_mgr *m)
{
	m->answer = ++m->seq;
	return m->answer;
}

/* ---- granting ---- */

static bool barred(const struct lease_mgr *m, const struct fid *fid, uint32_t bits)
{
	const struct lease_barrier *b;

	LIST_FOREACH(b, &m->barriers, link)
	if ((b->bits & bits) && fid_eq(&b->fid, fid))
		return true;
	return false;
}

static void recall_one(struct lease_mgr *m, struct lease *l, uint32_t bits, uint64_t now)
{
	struct lease_holder *h = l->holder;

	if (!(bits & l->bits & ~l->recall_bits))
		return;
	unlist(l);
	if (!l->recall_seq)
		l->recall_ns = now;
	l->recall_bits |= bits & l->bits;
	l->recall_seq = ++m->seq;
	TAILQ_INSERT_TAIL(&h->recalled, l, link);
	h->nrecalled++;
	m->stats.recalls++;
	m->cfg.recall(m->cfg.arg, h);
}

/* ---- limits ---- */

uint32_t lease_count(const struct lease_holder *h)
{
	return h->nheld + h->nrecalled;
}

uint32_t lease_limit(const struct lease_mgr *m)
{
	const struct lease_limits *l = m->cfg.limits;
	uint64_t share = UINT32_MAX;

	if (l && l->total_mb && m->stats.holders)
		share = l->total_mb * MIB / LEASE_BYTES / m->stats.holders;
	share = min_u64(share, l ? l->per_client : LEASES_OF_CLIENT);
	return (uint32_t)max_u64(share, LEASES_MIN);
}

/* How many of n go, so that not every new one has to be paid for with an old one. */
static uint32_t excess(uint32_t n, uint32_t limit)
{
	return n > limit ? n - (limit - limit / LOW_PART) : 0;
}

static void force(struct lease_mgr *m, struct lease_holder *h, uint32_t n, uint64_t now)
{
	for (; n && h->nheld; n--) {
		m->stats.forced++;
		recall_one(m, TAILQ_FIRST(&h->held), UINT32_MAX, now);
	}
}

/* h has n of them, or is about to. */
static void press(struct lease_mgr *m, struct lease_holder *h, uint32_t n, uint64_t now)
{
	uint32_t more = excess(n, lease_limit(m));

	if (!more) {
		h->pressed_ns = 0;
		return;
	}
	if (h->pressed_ns && now < h->pressed_ns + LEASE_ASK_NS)
		return;
	if (h->pressed_ns && more > h->nrecalled)
		force(m, h, (uint32_t)min_u64(more - h->nrecalled, FORCED_MAX), now);
	h->pressed_ns = now;
	h->told = false;
	m->stats.asked++;
	m->cfg.recall(m->cfg.arg, h);
}

void lease_press(struct lease_mgr *m, struct lease_holder *h, uint64_t now)
{
	press(m, h, lease_count(h), now);
}

bool lease_asks(const struct lease_holder *h)
{
	return h->pressed_ns && !h->told;
}

uint32_t lease_ask(const struct lease_mgr *m, struct lease_holder *h)
{
	uint32_t n = excess(lease_count(h), lease_limit(m));

	if (!lease_asks(h))
		return 0;
	h->told = true;
	return n > h->nrecalled ? n - h->nrecalled : 0; /* the others go in any case */
}

/* For one more. Whoever wants to read or write cannot do without a lease on the data: if there is
 * no room it is made at once. */
static bool has_room(struct lease_mgr *m, struct lease_holder *h, uint32_t bits, uint64_t now)
{
	uint32_t limit, some;

	press(m, h, lease_count(h) + 1, now);
	limit = lease_limit(m);
	if (lease_count(h) < limit + limit / HARD_PART)
		return true;
	m->stats.full++;
	some = (uint32_t)max_u64(limit / LOW_PART, 1);
	if ((bits & LEASE_DATA) && h->nrecalled < some)
		force(m, h, (uint32_t)min_u64(some - h->nrecalled, FORCED_MAX), now);
	return false;
}

uint32_t lease_grant(struct lease_mgr *m, struct lease_holder *h, const struct fid *fid,
		     uint32_t bits, uint64_t now)
{
	struct lease *l;

	if (h->until_ns <= now || barred(m, fid, bits) || lease_owned_elsewhere(m, h, fid) ||
	    ((bits & LEASE_OWN) && lease_elsewhere(m, h, fid, NOT_WITH_OWN)))
		goto refused;
	l = find(m, h, fid);
	if (l && l->recall_seq)
		goto refused;
	if (!l) {
		if (!has_room(m, h, bits, now))
			goto refused;
		l = add(m, h, fid);
	}
	if (!l)
		goto refused;
	if (bits & LEASE_OWN)
		l->own_fenced = false;
	if (bits & LEASE_DATA) {
		l->bits &= ~(uint32_t)LEASE_DATA;
		l->fenced = false;
		l->data_seq = m->answer;
	}
	if (bits & ~(uint32_t)LEASE_DATA)
		l->seq = m->answer;
	set_bits(m, l, l->bits | bits);
	TAILQ_REMOVE(&h->held, l, link);
	TAILQ_INSERT_TAIL(&h->held, l, link);
	m->stats.grants++;
	return l->bits;
refused:
	m->stats.refusals++;
	return 0;
}

void lease_give_up(struct lease_mgr *m, struct lease_holder *h, const struct fid *fid,
		   uint32_t bits, uint64_t heard)
{
	struct lease *l = find(m, h, fid);

	if (!l || l->recall_seq) /* the answer to the recall will tell */
		return;
	if (l->data_seq > heard)
		bits &= ~(uint32_t)LEASE_DATA;
	if (l->seq > heard)
		bits &= LEASE_DATA;
	set_bits(m, l, l->bits & ~bits);
	if (!l->bits)
		drop(m, l);
}

/* ---- taking back ---- */

bool lease_alone(const struct lease_mgr *m, const struct lease_holder *h)
{
	return m->stats.held == h->nheld + h->nrecalled;
}

uint64_t lease_conflict(const struct lease_mgr *m, const struct lease_holder *h,
			const struct fid *fid, uint32_t bits, uint64_t now)
{
	const struct lease *l;
	uint64_t until = 0;

	LIST_FOREACH(l, bucket_of(m, fid), hash)
	if (l->holder != h && (l->bits & bits) && fid_eq(&l->fid, fid) &&
	    l->holder->until_ns > now && l->holder->until_ns > until)
		until = l->holder->until_ns;
	return until;
}

void lease_recall(struct lease_mgr *m, const struct lease_holder *h, const struct fid *fid,
		  uint32_t bits, uint64_t now)
{
	struct lease *l;

	LIST_FOREACH(l, bucket_of(m, fid), hash)
	if (l->holder != h && l->holder != &m->dead && (l->bits & bits) && fid_eq(&l->fid, fid)) {
		m->stats.expired += l->holder->until_ns <= now && !l->recall_seq;
		l->own_fenced |= (l->bits & bits & LEASE_OWN) && l->holder->until_ns <= now;
		recall_one(m, l, bits, now);
	}
}

void lease_barrier_add(struct lease_mgr *m, struct lease_barrier *b)
{
	LIST_INSERT_HEAD(&m->barriers, b, link);
}

void lease_barrier_del(struct lease_barrier *b)
{
	LIST_REMOVE(b, link);
}

static bool may_write_without(const struct lease_holder *h, const struct lease *l,
			      const struct fid *fid, uint64_t now)
{
	return l->holder != h && (l->bits & MAY_WRITE) && !l->fenced && fid_eq(&l->fid, fid) &&
	       l->holder->until_ns <= now;
}

bool lease_unreturned(const struct lease_mgr *m, const struct lease_holder *h,
		      const struct fid *fid, uint64_t now)
{
	const struct lease *l;

	LIST_FOREACH(l, bucket_of(m, fid), hash)
	if (may_write_without(h, l, fid, now))
		return true;
	return false;
}

void lease_fenced(struct lease_mgr *m, const struct lease_holder *h, const struct fid *fid,
		  uint64_t now)
{
	struct lease *l, *next;

	for (l = LIST_FIRST(bucket_of(m, fid)); l; l = next) {
		next = LIST_NEXT(l, hash);
		if (!may_write_without(h, l, fid, now))
			continue;
		l->fenced = true;
		if (l->holder == &m->dead)
			drop(m, l);
		else /* it is good for nothing, whatever term its holder gets */
			recall_one(m, l, LEASE_DATA, now);
	}
}

/* ---- OWN ---- */

bool lease_owned_elsewhere(const struct lease_mgr *m, const struct lease_holder *h,
			   const struct fid *fid)
{
	const struct lease *l;

	if (m->stats.own == (h ? h->nown : 0))
		return false;
	if (!fid)
		return true;
	LIST_FOREACH(l, bucket_of(m, fid), hash)
	if (l->holder != h && (l->bits & LEASE_OWN) && fid_eq(&l->fid, fid))
		return true;
	return false;
}

bool lease_owns(const struct lease_mgr *m, const struct lease_holder *h, const struct fid *fid)
{
	const struct lease *l = find(m, h, fid);

	return l && (l->bits & LEASE_OWN) && !l->own_fenced;
}

bool lease_own_again(struct lease_mgr *m, struct lease_holder *h, const struct fid *fid,
		     uint64_t now)
{
	struct lease *l = find(m, h, fid);
	uint32_t most = m->stats.most;

	if (h->until_ns <= now || lease_elsewhere(m, h, fid, NOT_WITH_OWN) || (l && l->recall_seq))
		return false;
	if (!l)
		l = add(m, h, fid);
	m->stats.most = most; /* it is not counted: the limit does not hold for it */
	if (!l)
		return false;
	set_bits(m, l, l->bits | LEASE_OWN);
	l->own_fenced = false;
	l->seq = m->answer;
	m->stats.grants++;
	return true;
}

bool lease_elsewhere(const struct lease_mgr *m, const struct lease_holder *h,
		     const struct fid *fid, uint32_t bits)
{
	const struct lease *l;

	LIST_FOREACH(l, bucket_of(m, fid), hash)
	if (l->holder != h && (l->bits & bits) && fid_eq(&l->fid, fid))
		return true;
	return false;
}

uint32_t lease_data(const struct lease_mgr *m, const struct lease_holder *h, const struct fid *fid)
{
	const struct lease *l = find(m, h, fid);

	return l ? l->bits & ~l->recall_bits & LEASE_DATA : 0;
}

bool lease_next(const struct lease_holder *h, uint64_t heard, const struct lease **at,
		struct fid *fid, uint32_t *bits, uint64_t *seq)
{
	const struct lease *l = *at ? TAILQ_NEXT(*at, link) : TAILQ_FIRST(&h->recalled);

	while (l && l->recall_seq <= heard)
		l = TAILQ_NEXT(l, link);
	*at = l;
	if (!l)
		return false;
	*fid = l->fid;
	*bits = l->recall_bits;
	*seq = l->recall_seq;
	return true;
}

static void back(struct lease_mgr *m, struct lease *l)
{
	struct lease_holder *h = l->holder;

	m->stats.returns++;
	if (l->bits == l->recall_bits) {
		drop(m, l);
		return;
	}
	unlist(l);
	set_bits(m, l, l->bits & ~l->recall_bits);
	l->recall_bits = 0;
	l->recall_seq = 0;
	TAILQ_INSERT_TAIL(&h->held, l, link);
	h->nheld++;
}

uint64_t lease_granted(const struct lease *l)
{
	return l->data_seq;
}

bool lease_returned(struct lease_mgr *m, struct lease_holder *h, uint64_t seq)
{
	struct lease *l, *next;
	bool any = false;

	for (l = TAILQ_FIRST(&h->recalled); l && l->recall_seq <= seq; l = next) {
		next = TAILQ_NEXT(l, link);
		if (l->recall_bits & (LEASE_DATA | LEASE_OWN))
			continue;
		any = true;
		back(m, l);
	}
	return any;
}

bool lease_returned_one(struct lease_mgr *m, struct lease_holder *h, const struct fid *fid,
			uint64_t seq)
{
	struct lease *l = find(m, h, fid);

	if (!l || !l->recall_seq || l->recall_seq != seq)
		return false;
	back(m, l);
	return true;
}

bool lease_overdue(const struct lease_holder *h, uint64_t now, uint64_t plain, uint64_t data)
{
	const struct lease *l;

	TAILQ_FOREACH(l, &h->recalled, link)
	if (now >= l->recall_ns + (l->recall_bits & LEASE_DATA ? data : plain))
		return true;
	return false;
}

void lease_check(const struct lease_mgr *m, const struct lease_holder *h)
{
	const struct lease *l;
	uint64_t last = 0;
	uint32_t n = 0, own = 0;

	TAILQ_FOREACH(l, &h->held, link)
	{
		assert(l->holder == h && l->bits && !l->recall_bits && !l->recall_seq);
		assert(find(m, h, &l->fid) == l);
		own += (l->bits & LEASE_OWN) != 0;
		n++;
	}
	assert(n == h->nheld);
	n = 0;
	TAILQ_FOREACH(l, &h->recalled, link)
	{
		assert(l->holder == h && l->recall_bits && !(l->recall_bits & ~l->bits));
		assert(l->recall_seq > last && l->recall_seq <= m->seq);
		assert(find(m, h, &l->fid) == l);
		last = l->recall_seq;
		own += (l->bits & LEASE_OWN) != 0;
		n++;
	}
	assert(n == h->nrecalled && own == h->nown);
}
