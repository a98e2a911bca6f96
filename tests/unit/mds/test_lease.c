/* SPDX-License-Identifier: Apache-2.0 */
/* test_lease.c - the lease manager: its rules one by one, then against a model in which every
 * client is honest: it uses what it was granted until it hears of the recall or its term is over,
 * and nobody changes anything while somebody may use it; and against a naive table of all rules,
 * those of data included, after every step. */
#include "common/proto/proto.h"
#include "mds/lease.h"
#include "tests/unit/unit.h"

enum { CLIENTS = 4, FIDS = 12, BOTH = LEASE_LOOKUP | LEASE_UPDATE };

static struct lease_mgr *m;
static struct lease_holder h[CLIENTS];
static int news[CLIENTS];

static void recall(void *arg, struct lease_holder *x)
{
	(void)arg;
	news[x - h]++;
}

static struct fid fid_of(uint32_t i)
{
	return (struct fid){FID_SEQ_NORMAL + 1, i + 1, 0};
}

static int setup(void **state)
{
	struct lease_mgr_cfg cfg = {.recall = recall};
	int i;

	(void)state;
	assert_int_equal(lease_mgr_create(&cfg, &m), 0);
	for (i = 0; i < CLIENTS; i++) {
		lease_holder_init(&h[i]);
		news[i] = 0;
	}
	return 0;
}

static int teardown(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < CLIENTS; i++)
		lease_holder_drop(m, &h[i], false);
	lease_mgr_destroy(m);
	return 0;
}

static void without_a_term_nothing_is_granted(void **state)
{
	struct fid f = fid_of(0);

	(void)state;
	assert_int_equal(lease_grant(m, &h[0], &f, BOTH, 100), 0);
	lease_renew(&h[0], 200);
	assert_int_equal(lease_grant(m, &h[0], &f, BOTH, 100), BOTH);
	assert_int_equal(lease_grant(m, &h[0], &f, BOTH, 200), 0);
}

static void shared_leases_do_not_conflict_and_bits_do_not_either(void **state)
{
	struct fid f = fid_of(0);

	(void)state;
	lease_renew(&h[0], 1000);
	lease_renew(&h[1], 900);
	assert_int_equal(lease_grant(m, &h[0], &f, LEASE_LOOKUP, 1), LEASE_LOOKUP);
	assert_int_equal(lease_grant(m, &h[1], &f, BOTH, 1), BOTH);
	assert_int_equal(lease_conflict(m, &h[0], &f, LEASE_UPDATE, 1), 900);
	assert_int_equal(lease_conflict(m, &h[1], &f, LEASE_UPDATE, 1), 0);
	assert_int_equal(lease_conflict(m, &h[1], &f, LEASE_LOOKUP, 1), 1000);
	assert_false(lease_alone(m, &h[0]));
	lease_give_up(m, &h[1], &f, BOTH);
	assert_true(lease_alone(m, &h[0]));
}

static void a_recall_is_told_once_and_answered(void **state)
{
	const struct lease *at = NULL;
	struct fid f = fid_of(0), got;
	uint32_t bits;
	uint64_t seq, before;

	(void)state;
	lease_renew(&h[0], 1000);
	assert_int_equal(lease_grant(m, &h[0], &f, BOTH, 1), BOTH);
	before = lease_seq(m);
	lease_recall(m, &h[1], &f, LEASE_UPDATE, 2);
	lease_recall(m, &h[1], &f, LEASE_UPDATE, 3);
	assert_int_equal(news[0], 1);
	assert_false(lease_overdue(&h[0], 11, 10, 99));
	assert_true(lease_overdue(&h[0], 12, 10, 99)); /* since the first */
	assert_true(lease_next(&h[0], 0, &at, &got, &bits, &seq));
	assert_true(fid_eq(&got, &f));
	assert_int_equal(bits, LEASE_UPDATE);
	assert_true(seq > before);
	assert_false(lease_next(&h[0], 0, &at, &got, &bits, &seq));
	assert_int_equal(lease_grant(m, &h[0], &f, BOTH, 4), 0); /* not before the answer */
	assert_false(lease_returned(m, &h[0], seq - 1));
	assert_true(lease_returned(m, &h[0], seq));
	assert_int_equal(lease_conflict(m, &h[1], &f, LEASE_UPDATE, 5), 0);
	assert_int_equal(lease_conflict(m, &h[1], &f, LEASE_LOOKUP, 5), 1000); /* stays */
	assert_false(lease_overdue(&h[0], 1000, 10, 99));
	lease_check(m, &h[0]);
}

static void an_answer_to_the_first_recall_is_none_to_the_second(void **state)
{
	const struct lease *at = NULL;
	struct fid f = fid_of(0), got;
	uint32_t bits;
	uint64_t first, second;

	(void)state;
	lease_renew(&h[0], 1000);
	assert_int_equal(lease_grant(m, &h[0], &f, BOTH, 1), BOTH);
	lease_recall(m, NULL, &f, LEASE_UPDATE, 2);
	assert_true(lease_next(&h[0], 0, &at, &got, &bits, &first));
	lease_recall(m, NULL, &f, LEASE_LOOKUP, 3);
	assert_false(lease_returned(m, &h[0], first));
	at = NULL;
	assert_true(lease_next(&h[0], 0, &at, &got, &bits, &second));
	assert_int_equal(bits, BOTH);
	assert_int_not_equal(lease_conflict(m, NULL, &f, LEASE_UPDATE, 4), 0);
	assert_true(lease_returned(m, &h[0], second));
	assert_int_equal(lease_conflict(m, NULL, &f, BOTH, 4), 0);
}

static void a_holder_without_a_term_hinders_nobody_but_hears_of_it(void **state)
{
	const struct lease *at = NULL;
	struct lease_stats st;
	struct fid f = fid_of(0), got;
	uint32_t bits;
	uint64_t seq;

	(void)state;
	lease_renew(&h[0], 10);
	assert_int_equal(lease_grant(m, &h[0], &f, BOTH, 1), BOTH);
	lease_recall(m, &h[1], &f, BOTH, 10);
	assert_int_equal(lease_conflict(m, &h[1], &f, BOTH, 10), 0);
	lease_renew(&h[0], 100); /* back: it has not heard yet */
	assert_int_equal(lease_conflict(m, &h[1], &f, BOTH, 11), 100);
	assert_true(lease_next(&h[0], 0, &at, &got, &bits, &seq));
	assert_true(lease_returned(m, &h[0], seq));
	assert_int_equal(lease_conflict(m, &h[1], &f, BOTH, 11), 0);
	lease_mgr_stats(m, &st);
	assert_int_equal(st.expired, 1);
	assert_int_equal(st.held, 0);
}

static void a_barrier_keeps_new_leases_away(void **state)
{
	struct lease_barrier b = {.fid = fid_of(0), .bits = LEASE_UPDATE};
	struct fid f = fid_of(0), other = fid_of(1);

	(void)state;
	lease_renew(&h[0], 1000);
	lease_barrier_add(m, &b);
	assert_int_equal(lease_grant(m, &h[0], &f, BOTH, 1), 0);
	assert_int_equal(lease_grant(m, &h[0], &f, LEASE_LOOKUP, 1), LEASE_LOOKUP);
	assert_int_equal(lease_grant(m, &h[0], &other, BOTH, 1), BOTH);
	lease_barrier_del(&b);
	assert_int_equal(lease_grant(m, &h[0], &f, BOTH, 1), BOTH);
}

static void a_hoarder_is_recalled_from_and_then_refused(void **state)
{
	struct fid f;
	uint32_t i;

	(void)state;
	lease_renew(&h[0], 1000);
	for (i = 0; i < LEASES_OF_CLIENT; i++) {
		f = fid_of(i);
		assert_int_equal(lease_grant(m, &h[0], &f, BOTH, 1), BOTH);
	}
	assert_int_equal(h[0].nrecalled, 0);
	f = fid_of(i);
	assert_int_equal(lease_grant(m, &h[0], &f, BOTH, 1), BOTH);
	assert_true(h[0].nrecalled > 0);
	while (lease_grant(m, &h[0], &f, BOTH, 1))
		f = fid_of(++i);
	assert_in_range(h[0].nheld + h[0].nrecalled, 2 * LEASES_OF_CLIENT, 2 * LEASES_OF_CLIENT);
	lease_check(m, &h[0]);
}

static uint64_t recalled(int c, uint32_t want)
{
	const struct lease *at = NULL;
	struct fid got;
	uint32_t bits;
	uint64_t seq;

	assert_true(lease_next(&h[c], 0, &at, &got, &bits, &seq));
	assert_int_equal(bits, want);
	return seq;
}

static void a_grant_of_data_replaces_the_former_one(void **state)
{
	struct fid f = fid_of(0);

	(void)state;
	lease_renew(&h[0], 1000);
	lease_grant(m, &h[0], &f, LEASE_UPDATE | LEASE_SHARED, 1);
	assert_int_equal(lease_grant(m, &h[0], &f, LEASE_EXCLUSIVE, 1),
			 LEASE_UPDATE | LEASE_EXCLUSIVE);
	assert_int_equal(lease_data(m, &h[0], &f), LEASE_EXCLUSIVE);
	assert_int_equal(lease_conflict(m, NULL, &f, LEASE_SHARED, 1), 0);
}

static void recalled_data_is_returned_one_by_one(void **state)
{
	struct fid f = fid_of(0);
	uint64_t first, seq, given;
	const struct lease *at = NULL;
	uint32_t bits;

	(void)state;
	lease_renew(&h[0], 1000);
	given = lease_seq(m);
	lease_grant(m, &h[0], &f, LEASE_UPDATE | LEASE_EXCLUSIVE, 1);
	lease_recall(m, NULL, &f, LEASE_UPDATE, 10);
	first = recalled(0, LEASE_UPDATE);
	lease_recall(m, NULL, &f, LEASE_EXCLUSIVE, 20);
	seq = recalled(0, LEASE_UPDATE | LEASE_EXCLUSIVE); /* merged */
	assert_int_equal(lease_data(m, &h[0], &f), 0);
	assert_false(lease_next(&h[0], seq, &(const struct lease *){NULL}, &f, &bits, &seq));
	assert_true(lease_next(&h[0], first, &at, &f, &bits, &seq));
	assert_int_equal(lease_granted(at), given);
	assert_false(lease_overdue(&h[0], 109, 50, 100)); /* since the first */
	assert_true(lease_overdue(&h[0], 110, 50, 100));
	assert_false(lease_returned(m, &h[0], seq));
	assert_false(lease_returned_one(m, &h[0], &f, first));
	assert_true(lease_returned_one(m, &h[0], &f, seq));
	assert_int_equal(h[0].nheld + h[0].nrecalled, 0);
}

static void what_the_dead_may_write_is_unreturned_until_it_is_fenced(void **state)
{
	struct fid f = fid_of(0), g = fid_of(1);

	(void)state;
	lease_renew(&h[0], 100);
	lease_grant(m, &h[0], &f, LEASE_EXCLUSIVE, 1);
	lease_grant(m, &h[0], &g, LEASE_SHARED, 1);
	assert_false(lease_unreturned(m, &h[1], &f, 99));
	assert_true(lease_unreturned(m, &h[1], &f, 100)); /* its term is over */
	assert_false(lease_unreturned(m, &h[0], &f, 100));
	lease_holder_drop(m, &h[0], true);
	assert_false(lease_unreturned(m, NULL, &g, 1)); /* a reader does no harm */
	assert_true(lease_unreturned(m, NULL, &f, 1));
	lease_recall(m, NULL, &f, LEASE_DATA, 1); /* there is nobody to ask */
	assert_int_equal(news[0], 0);
	lease_fenced(m, NULL, &f, 1);
	assert_false(lease_unreturned(m, NULL, &f, 1));
	lease_renew(&h[1], 100);
	lease_grant(m, &h[1], &g, LEASE_EXCLUSIVE, 1);
	lease_note_dead(m, &g, 1);
	assert_false(lease_unreturned(m, &h[1], &g, 1)); /* somebody has it now */
	lease_holder_drop(m, &h[1], false);
	assert_false(lease_unreturned(m, NULL, &g, 1));
	lease_note_dead(m, &g, 1);
	assert_true(lease_unreturned(m, NULL, &g, 1));
}

/* ---- the model ---- */

struct honest {
	uint32_t bits[FIDS]; /* what it uses */
	uint64_t floor[FIDS];
	uint64_t heard; /* recalls obeyed so far */
	uint64_t until;
};

static void hear(struct honest *c, int i)
{
	const struct lease *at = NULL;
	struct fid f;
	uint32_t bits;
	uint64_t seq;

	while (lease_next(&h[i], 0, &at, &f, &bits, &seq)) {
		c->bits[f.oid - 1] &= ~bits;
		c->floor[f.oid - 1] = seq;
		c->heard = seq;
	}
}

static void nobody_changes_what_somebody_may_use(void **state)
{
	static const uint32_t some[] = {LEASE_LOOKUP, LEASE_UPDATE, BOTH};
	struct honest c[CLIENTS] = {0};
	uint64_t now = 1, s = 4711, seq, changes = 0;
	uint32_t step, i, k, f, bits, got;
	struct fid fid;

	(void)state;
	for (step = 0; step < 400000; step++) {
		now += rnd_below(&s, 3);
		i = (uint32_t)rnd_below(&s, CLIENTS);
		f = (uint32_t)rnd_below(&s, FIDS);
		fid = fid_of(f);
		bits = some[rnd_below(&s, 3)];
		switch (rnd_below(&s, 6)) {
		case 0: /* its request for news arrives; the answer is heard at once */
			if (lease_returned(m, &h[i], c[i].heard))
				changes++;
			lease_renew(&h[i], now + 50);
			hear(&c[i], (int)i);
			c[i].until = now + 45;
			break;
		case 1:
		case 2:
		case 3:
			seq = lease_seq(m);
			got = lease_grant(m, &h[i], &fid, bits, now);
			if (got && seq > c[i].floor[f])
				c[i].bits[f] |= bits;
			assert_true(!got || (got & bits) == bits);
			break;
		default: /* a change: only if nobody is in the way */
			lease_recall(m, &h[i], &fid, bits, now);
			if (lease_conflict(m, &h[i], &fid, bits, now))
				break;
			for (k = 0; k < CLIENTS; k++)
				if (k != i && c[k].until > now)
					assert_int_equal(c[k].bits[f] & bits, 0);
			changes++;
		}
		if (step % 1000 == 0)
			for (k = 0; k < CLIENTS; k++)
				lease_check(m, &h[k]);
	}
	assert_true(changes > 10000);
}

/* ---- the naive table ---- */

enum { FEW = 5, SEEDS = 8, STEPS = 5000, MAY_WRITE = LEASE_EXCLUSIVE | LEASE_CONTENDED };

struct naive {
	uint32_t bits[CLIENTS][FEW], recall[CLIENTS][FEW];
	uint64_t seq[CLIENTS][FEW]; /* of the recall; 0: none */
	bool fenced[CLIENTS][FEW], dead[FEW];
	uint64_t until[CLIENTS], now, newest;
	struct lease_barrier barrier;
	bool barred;
	uint32_t did[16];
};

static const uint32_t one_bit[] = {LEASE_LOOKUP, LEASE_UPDATE, LEASE_SHARED, LEASE_EXCLUSIVE,
				   LEASE_CONTENDED};
static struct naive nv;

static void naive_back(uint32_t i, uint32_t f)
{
	nv.bits[i][f] &= ~nv.recall[i][f];
	nv.recall[i][f] = 0;
	nv.seq[i][f] = 0;
	if (!nv.bits[i][f])
		nv.fenced[i][f] = false;
}

/* What was just recalled of (i, f): its number is a new one, which the manager tells. */
static void naive_recall(uint32_t i, uint32_t f, uint32_t bits)
{
	const struct lease *at = NULL;
	uint64_t seq = 0;
	struct fid fid;
	uint32_t got;

	if (!(bits & nv.bits[i][f] & ~nv.recall[i][f]))
		return;
	nv.recall[i][f] |= bits & nv.bits[i][f];
	while (lease_next(&h[i], 0, &at, &fid, &got, &seq))
		if (fid.oid == f + 1)
			break;
	assert_non_null(at);
	assert_true(seq > nv.newest);
	nv.seq[i][f] = seq;
}

static bool naive_writes(uint32_t i, uint32_t f)
{
	return (nv.bits[i][f] & MAY_WRITE) && !nv.fenced[i][f] && nv.until[i] <= nv.now;
}

static bool naive_unreturned(uint32_t but, uint32_t f)
{
	bool any = nv.dead[f];
	uint32_t i;

	for (i = 0; i < CLIENTS; i++)
		any |= i != but && naive_writes(i, f);
	return any;
}

static uint64_t naive_conflict(uint32_t but, uint32_t f, uint32_t bits)
{
	uint64_t until = 0;
	uint32_t i;

	for (i = 0; i < CLIENTS; i++)
		if (i != but && (nv.bits[i][f] & bits) && nv.until[i] > nv.now &&
		    nv.until[i] > until)
			until = nv.until[i];
	return until;
}

static struct lease_holder *holder(uint32_t i)
{
	return i < CLIENTS ? &h[i] : NULL;
}

/* ---- one step of both ---- */

static void step_grant(uint32_t i, uint32_t f, uint32_t bits)
{
	struct fid fid = fid_of(f);
	bool can = nv.until[i] > nv.now && !nv.seq[i][f] &&
		   !(nv.barred && fid_eq(&nv.barrier.fid, &fid) && (nv.barrier.bits & bits));

	if (can && (bits & LEASE_DATA)) {
		nv.bits[i][f] &= ~(uint32_t)LEASE_DATA;
		nv.fenced[i][f] = false;
	}
	if (can)
		nv.bits[i][f] |= bits;
	assert_int_equal(lease_grant(m, &h[i], &fid, bits, nv.now), can ? nv.bits[i][f] : 0);
}

static void step_give_up(uint32_t i, uint32_t f, uint32_t bits)
{
	struct fid fid = fid_of(f);

	lease_give_up(m, &h[i], &fid, bits);
	if (nv.seq[i][f])
		return;
	nv.recall[i][f] = bits & nv.bits[i][f];
	naive_back(i, f);
}

static void step_recall(uint32_t but, uint32_t f, uint32_t bits)
{
	struct fid fid = fid_of(f);
	uint32_t i;

	lease_recall(m, holder(but), &fid, bits, nv.now);
	for (i = 0; i < CLIENTS; i++)
		if (i != but)
			naive_recall(i, f, bits);
}

static void step_returned(uint32_t i, uint32_t f)
{
	uint64_t seq = nv.seq[i][f];
	bool any = false;

	for (f = 0; f < FEW; f++)
		if (nv.seq[i][f] && nv.seq[i][f] <= seq && !(nv.recall[i][f] & LEASE_DATA)) {
			naive_back(i, f);
			any = true;
		}
	assert_int_equal(lease_returned(m, &h[i], seq), any);
}

static void step_returned_one(uint32_t i, uint32_t f, uint32_t wrong)
{
	struct fid fid = fid_of(f);
	uint64_t seq = nv.seq[i][f] + wrong;
	bool good = seq && !wrong;

	assert_int_equal(lease_returned_one(m, &h[i], &fid, seq), good);
	if (good)
		naive_back(i, f);
}

static void step_leave(uint32_t i, bool dead)
{
	uint32_t f;

	lease_holder_drop(m, &h[i], dead);
	lease_holder_init(&h[i]);
	nv.until[i] = 0;
	for (f = 0; f < FEW; f++) {
		nv.dead[f] |= dead && (nv.bits[i][f] & MAY_WRITE) && !nv.fenced[i][f];
		nv.recall[i][f] = nv.bits[i][f];
		naive_back(i, f);
	}
}

static void step_fenced(uint32_t but, uint32_t f)
{
	struct fid fid = fid_of(f);
	bool wrote[CLIENTS];
	uint32_t i;

	for (i = 0; i < CLIENTS; i++)
		wrote[i] = i != but && naive_writes(i, f);
	lease_fenced(m, holder(but), &fid, nv.now);
	nv.dead[f] = false;
	for (i = 0; i < CLIENTS; i++)
		if (wrote[i]) {
			nv.fenced[i][f] = true;
			naive_recall(i, f, LEASE_DATA);
		}
}

static void step_note_dead(uint32_t f)
{
	struct fid fid = fid_of(f);

	lease_note_dead(m, &fid, nv.now);
	nv.dead[f] |= !naive_conflict(CLIENTS, f, LEASE_EXCLUSIVE);
}

static void step_barrier(uint32_t f, uint32_t bits)
{
	if (nv.barred) {
		lease_barrier_del(&nv.barrier);
	} else {
		nv.barrier = (struct lease_barrier){.fid = fid_of(f), .bits = bits};
		lease_barrier_add(m, &nv.barrier);
	}
	nv.barred = !nv.barred;
}

static void step(uint64_t *s)
{
	uint32_t i = (uint32_t)rnd_below(s, CLIENTS), but = (uint32_t)rnd_below(s, CLIENTS + 1);
	uint32_t f = (uint32_t)rnd_below(s, FEW), bits = one_bit[rnd_below(s, 5)];
	uint32_t what = (uint32_t)rnd_below(s, 16);

	nv.now += rnd_below(s, 3);
	nv.newest = lease_seq(m);
	if (rnd_below(s, 3) == 0)
		bits |= one_bit[rnd_below(s, 2)];
	nv.did[what]++;
	if (what < 5)
		step_grant(i, f, bits);
	else if (what < 8)
		step_recall(but, f, bits);
	else if (what == 8)
		step_give_up(i, f, bits);
	else if (what == 9)
		step_returned(i, f);
	else if (what == 10)
		step_returned_one(i, f, rnd_below(s, 4) == 0);
	else if (what == 11)
		step_fenced(but, f);
	else if (what == 12 && rnd_below(s, 4) == 0)
		step_leave(i, rnd_below(s, 2));
	else if (what == 13 && rnd_below(s, 4) == 0)
		step_note_dead(f);
	else if (what == 14)
		step_barrier(f, bits);
	else
		lease_renew(&h[i], nv.until[i] = max_u64(nv.until[i], nv.now + 20));
}

/* ---- both say the same ---- */

static void compare_recalls(uint32_t i)
{
	const struct lease *at = NULL;
	struct fid fid;
	uint32_t bits, n = 0, want = 0, f;
	uint64_t seq;

	while (lease_next(&h[i], 0, &at, &fid, &bits, &seq)) {
		f = (uint32_t)fid.oid - 1;
		assert_int_equal(bits, nv.recall[i][f]);
		assert_int_equal(seq, nv.seq[i][f]);
		n++;
	}
	for (f = 0; f < FEW; f++)
		want += nv.seq[i][f] != 0;
	assert_int_equal(n, want);
	lease_check(m, &h[i]);
}

static void compare(void)
{
	uint32_t i, f, b, others, alive;
	struct fid fid;

	for (i = 0; i < CLIENTS; i++)
		compare_recalls(i);
	for (i = 0; i <= CLIENTS; i++)
		for (f = others = 0; f < FEW; f++) {
			fid = fid_of(f);
			for (b = 0; b < ARRAY_SIZE(one_bit); b++)
				assert_int_equal(
					lease_conflict(m, holder(i), &fid, one_bit[b], nv.now),
					naive_conflict(i, f, one_bit[b]));
			assert_int_equal(lease_unreturned(m, holder(i), &fid, nv.now),
					 naive_unreturned(i, f));
			for (alive = 0; alive < CLIENTS; alive++)
				others += alive != i && nv.bits[alive][f];
			others += nv.dead[f];
			if (i == CLIENTS)
				continue;
			assert_int_equal(lease_data(m, &h[i], &fid),
					 nv.bits[i][f] & ~nv.recall[i][f] & LEASE_DATA);
			if (f == FEW - 1)
				assert_int_equal(lease_alone(m, &h[i]), others == 0);
		}
}

static void every_rule_as_in_the_naive_table(void **state)
{
	uint32_t seed, n, i;
	uint64_t s;

	for (seed = 1; seed <= SEEDS; seed++) {
		memset(&nv, 0, sizeof(nv));
		nv.now = 1;
		s = seed * 0x9e3779b97f4a7c15ULL;
		for (n = 0; n < STEPS; n++) {
			step(&s);
			compare();
		}
		for (i = 0; i < ARRAY_SIZE(nv.did); i++)
			assert_true(nv.did[i] > STEPS / 32);
		if (nv.barred)
			step_barrier(0, 0);
		teardown(state);
		setup(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(without_a_term_nothing_is_granted),
		TEST(shared_leases_do_not_conflict_and_bits_do_not_either),
		TEST(a_recall_is_told_once_and_answered),
		TEST(an_answer_to_the_first_recall_is_none_to_the_second),
		TEST(a_holder_without_a_term_hinders_nobody_but_hears_of_it),
		TEST(a_barrier_keeps_new_leases_away),
		TEST(a_hoarder_is_recalled_from_and_then_refused),
		TEST(a_grant_of_data_replaces_the_former_one),
		TEST(recalled_data_is_returned_one_by_one),
		TEST(what_the_dead_may_write_is_unreturned_until_it_is_fenced),
		TEST(nobody_changes_what_somebody_may_use),
		TEST(every_rule_as_in_the_naive_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
