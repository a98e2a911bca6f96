/* SPDX-License-Identifier: Apache-2.0 */
/* test_lease_table.c - the lease manager against a table of all its rules that is as naive as can
 * be: after each of many random steps both must give the same answers. */
#include "common/proto/proto.h"
#include "mds/lease.h"
#include "tests/unit/unit.h"

enum {
	CLIENTS = 4,
	FEW = 5, /* inodes */
	SEEDS = 8,
	STEPS = 5000,
	MAY_WRITE = LEASE_EXCLUSIVE | LEASE_CONTENDED,
};

static struct lease_mgr *m;
static struct lease_holder h[CLIENTS];

static void recall(void *arg, struct lease_holder *x)
{
	(void)arg, (void)x;
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
	for (i = 0; i < CLIENTS; i++)
		lease_holder_init(&h[i]);
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

/* ---- the naive table ---- */

struct naive {
	uint32_t bits[CLIENTS][FEW], recall[CLIENTS][FEW];
	uint64_t seq[CLIENTS][FEW]; /* of the recall; 0: none */
	/* Of the newest answers that gave names and attributes, and data. */
	uint64_t granted[CLIENTS][FEW], granted_data[CLIENTS][FEW];
	bool fenced[CLIENTS][FEW], own_fenced[CLIENTS][FEW], dead[FEW];
	uint64_t until[CLIENTS], now, newest;
	struct lease_barrier barrier;
	bool barred;
	uint32_t did[17];
};

static const uint32_t one_bit[] = {LEASE_LOOKUP, LEASE_UPDATE, LEASE_SHARED, LEASE_EXCLUSIVE,
				   LEASE_CONTENDED, LEASE_OWN};
static struct naive nv;

static void naive_back(uint32_t i, uint32_t f)
{
	nv.bits[i][f] &= ~nv.recall[i][f];
	nv.recall[i][f] = 0;
	nv.seq[i][f] = 0;
	if (nv.bits[i][f])
		return;
	nv.fenced[i][f] = nv.own_fenced[i][f] = false;
	nv.granted[i][f] = nv.granted_data[i][f] = 0;
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

static bool naive_elsewhere(uint32_t but, uint32_t f, uint32_t bits)
{
	bool any = nv.dead[f] && (bits & LEASE_EXCLUSIVE);
	uint32_t i;

	for (i = 0; i < CLIENTS; i++)
		any |= i != but && (nv.bits[i][f] & bits);
	return any;
}

/* Nothing goes with OWN of others; OWN goes with nothing that tells names of a directory. */
static bool naive_goes(uint32_t i, uint32_t f, uint32_t bits)
{
	uint32_t not = LEASE_OWN | (bits & LEASE_OWN ? LEASE_UPDATE : 0);

	return !naive_elsewhere(i, f, not);
}

static struct lease_holder *holder(uint32_t i)
{
	return i < CLIENTS ? &h[i] : NULL;
}

/* ---- one step of both ---- */

static void step_grant(uint32_t i, uint32_t f, uint32_t bits)
{
	struct fid fid = fid_of(f);
	bool can = nv.until[i] > nv.now && !nv.seq[i][f] && naive_goes(i, f, bits) &&
		   !(nv.barred && fid_eq(&nv.barrier.fid, &fid) && (nv.barrier.bits & bits));

	if (can && (bits & LEASE_DATA)) {
		nv.bits[i][f] &= ~(uint32_t)LEASE_DATA;
		nv.fenced[i][f] = false;
		nv.granted_data[i][f] = nv.newest;
	}
	if (can && (bits & ~(uint32_t)LEASE_DATA))
		nv.granted[i][f] = nv.newest;
	if (can && (bits & LEASE_OWN))
		nv.own_fenced[i][f] = false;
	if (can)
		nv.bits[i][f] |= bits;
	assert_int_equal(lease_grant(m, &h[i], &fid, bits, nv.now), can ? nv.bits[i][f] : 0);
}

/* Whatever barrier there is. */
static void step_own_again(uint32_t i, uint32_t f)
{
	struct fid fid = fid_of(f);
	bool can = nv.until[i] > nv.now && !nv.seq[i][f] && naive_goes(i, f, LEASE_OWN);

	assert_int_equal(lease_own_again(m, &h[i], &fid, nv.now), can);
	if (!can)
		return;
	nv.bits[i][f] |= LEASE_OWN;
	nv.own_fenced[i][f] = false;
	nv.granted[i][f] = nv.newest;
}

static void step_give_up(uint32_t i, uint32_t f, uint32_t bits, uint64_t heard)
{
	struct fid fid = fid_of(f);

	lease_give_up(m, &h[i], &fid, bits, heard);
	if (nv.seq[i][f])
		return;
	if (nv.granted[i][f] > heard)
		bits &= LEASE_DATA;
	if (nv.granted_data[i][f] > heard)
		bits &= ~(uint32_t)LEASE_DATA;
	nv.recall[i][f] = bits & nv.bits[i][f];
	naive_back(i, f);
}

static void step_recall(uint32_t but, uint32_t f, uint32_t bits)
{
	struct fid fid = fid_of(f);
	uint32_t i;

	lease_recall(m, holder(but), &fid, bits, nv.now);
	for (i = 0; i < CLIENTS; i++) {
		if (i != but && (nv.bits[i][f] & bits & LEASE_OWN) && nv.until[i] <= nv.now)
			nv.own_fenced[i][f] = true;
		if (i != but)
			naive_recall(i, f, bits);
	}
}

static void step_returned(uint32_t i, uint32_t f)
{
	uint64_t seq = nv.seq[i][f];
	bool any = false;

	for (f = 0; f < FEW; f++)
		if (nv.seq[i][f] && nv.seq[i][f] <= seq &&
		    !(nv.recall[i][f] & (LEASE_DATA | LEASE_OWN))) {
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
	uint32_t f = (uint32_t)rnd_below(s, FEW), bits = one_bit[rnd_below(s, 6)];
	uint32_t what = (uint32_t)rnd_below(s, 17);

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
		step_give_up(i, f, bits, nv.newest - min_u64(nv.newest, rnd_below(s, 60)));
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
	else if (what == 15)
		step_own_again(i, f);
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

static void compare_own(uint32_t i, uint32_t f)
{
	struct fid fid = fid_of(f);
	bool any = false;
	uint32_t b;

	for (b = 0; b < ARRAY_SIZE(one_bit) && i < CLIENTS; b++)
		assert_int_equal(lease_elsewhere(m, &h[i], &fid, one_bit[b]),
				 naive_elsewhere(i, f, one_bit[b]));
	assert_int_equal(lease_owned_elsewhere(m, holder(i), &fid),
			 naive_elsewhere(i, f, LEASE_OWN));
	for (b = 0; b < FEW; b++)
		any |= naive_elsewhere(i, b, LEASE_OWN);
	assert_int_equal(lease_owned_elsewhere(m, holder(i), NULL), any);
	if (i < CLIENTS)
		assert_int_equal(lease_owns(m, &h[i], &fid),
				 (nv.bits[i][f] & LEASE_OWN) && !nv.own_fenced[i][f]);
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
			compare_own(i, f);
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
		cmocka_unit_test_setup_teardown(every_rule_as_in_the_naive_table, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
