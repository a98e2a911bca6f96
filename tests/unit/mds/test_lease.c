/* SPDX-License-Identifier: Apache-2.0 */
/* test_lease.c - the lease manager: its rules one by one, then against a model in which every
 * client is honest: it uses what it was granted until it hears of the recall or its term is over,
 * and nobody changes anything while somebody may use it. */
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
