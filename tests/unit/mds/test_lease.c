/* SPDX-License-Identifier: Apache-2.0 */
/* test_lease.c - the lease manager: its rules one by one, then against a model in which every
 * client is honest: it uses what it was granted until it hears of the recall or its term is over,
 * and nobody changes anything while somebody may use it. Against a table of all rules:
 * test_lease_table.c. */
#include "common/proto/proto.h"
#include "mds/lease.h"
#include "tests/unit/unit.h"

enum { CLIENTS = 4, FIDS = 12, BOTH = LEASE_LOOKUP | LEASE_UPDATE };

static struct lease_mgr *m;
static struct lease_holder h[CLIENTS];
static int news[CLIENTS];
static struct lease_limits limits;

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
	struct lease_mgr_cfg cfg = {.recall = recall, .limits = &limits};
	int i;

	(void)state;
	limits = (struct lease_limits){.per_client = LEASES_OF_CLIENT};
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
	lease_give_up(m, &h[1], &f, BOTH, 0);
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

/* ---- limits ---- */

/* Client c asks for n leases on inodes from first on; how many it got. */
static uint32_t hoard(int c, uint32_t first, uint32_t n, uint64_t now)
{
	uint32_t i, got = 0;
	struct fid f;

	for (i = first; i < first + n; i++) {
		f = fid_of(i);
		lease_seq(m);
		got += lease_grant(m, &h[c], &f, BOTH, now) != 0;
	}
	return got;
}

static void give_back(int c, uint32_t first, uint32_t n)
{
	uint32_t i;
	struct fid f;

	for (i = first; i < first + n; i++) {
		f = fid_of(i);
		lease_give_up(m, &h[c], &f, BOTH, UINT64_MAX);
	}
}

static struct lease_stats stats(void)
{
	struct lease_stats st;

	lease_mgr_stats(m, &st);
	return st;
}

static void one_that_passes_the_limit_is_asked_once_and_obeys(void **state)
{
	(void)state;
	limits = (struct lease_limits){.per_client = 800};
	lease_renew(&h[0], UINT64_MAX);
	assert_int_equal(hoard(0, 0, 800, 1), 800);
	assert_false(lease_asks(&h[0]));
	assert_int_equal(hoard(0, 800, 10, 2), 10);
	assert_int_equal(news[0], 1);
	assert_true(lease_asks(&h[0]));
	assert_int_equal(lease_ask(m, &h[0]), 810 - 700); /* an eighth below the limit */
	assert_false(lease_asks(&h[0]));
	assert_int_equal(lease_ask(m, &h[0]), 0);
	give_back(0, 0, 110);
	lease_press(m, &h[0], 2 + 10 * LEASE_ASK_NS);
	assert_false(lease_asks(&h[0]));
	assert_int_equal(h[0].nrecalled, 0);
	assert_int_equal(hoard(0, 900, 101, 3), 101); /* and again */
	assert_int_equal(news[0], 2);
	assert_int_equal(stats().forced, 0);
}

static void the_oldest_are_recalled_from_one_that_does_not_obey(void **state)
{
	const struct lease *at = NULL;
	uint32_t bits, i;
	struct fid got;
	uint64_t seq = 0;

	(void)state;
	limits = (struct lease_limits){.per_client = 80};
	lease_renew(&h[0], UINT64_MAX);
	hoard(0, 0, 81, 1);
	assert_int_equal(hoard(0, 0, 5, 2), 5); /* used again: not the oldest any more */
	assert_int_equal(lease_ask(m, &h[0]), 11);
	lease_press(m, &h[0], LEASE_ASK_NS);
	assert_int_equal(h[0].nrecalled, 0);
	lease_press(m, &h[0], LEASE_ASK_NS + 1);
	assert_int_equal(h[0].nrecalled, 11);
	for (i = 5; lease_next(&h[0], 0, &at, &got, &bits, &seq); i++) {
		assert_int_equal(got.oid, i + 1);
		assert_int_equal(bits, BOTH);
	}
	assert_int_equal(i, 5 + 11);
	assert_true(lease_asks(&h[0]));
	assert_int_equal(lease_ask(m, &h[0]), 0); /* nothing but those */
	assert_true(lease_returned(m, &h[0], seq));
	assert_int_equal(lease_count(&h[0]), 70);
}

static void one_that_does_not_answer_goes_on_without(void **state)
{
	uint64_t now = 1;

	(void)state;
	limits = (struct lease_limits){.per_client = 80};
	lease_renew(&h[0], UINT64_MAX);
	lease_renew(&h[1], UINT64_MAX);
	assert_int_equal(hoard(0, 0, 5000, now), 100); /* a quarter above */
	for (; now < 100 * LEASE_ASK_NS; now += LEASE_ASK_NS / 3)
		hoard(0, (uint32_t)(now % 100000), 10, now);
	assert_int_equal(stats().most, 100);
	assert_int_equal(lease_count(&h[0]), 100);
	assert_true(stats().full > 4900);
	assert_true(lease_overdue(&h[0], now, LEASE_ASK_NS, LEASE_ASK_NS));
	assert_int_equal(hoard(1, 0, 80, now), 80); /* others have nothing to do with it */
	lease_check(m, &h[0]);
}

static void whoever_needs_data_gets_room_at_once(void **state)
{
	struct fid f = fid_of(1000);
	const struct lease *at = NULL;
	uint64_t seq, last = 0;
	uint32_t bits, n = 0;
	struct fid got;

	(void)state;
	limits = (struct lease_limits){.per_client = 80};
	lease_renew(&h[0], UINT64_MAX);
	hoard(0, 0, 200, 1);
	assert_int_equal(lease_grant(m, &h[0], &f, LEASE_SHARED, 1), 0);
	assert_int_equal(h[0].nrecalled, 10);
	assert_int_equal(lease_grant(m, &h[0], &f, LEASE_SHARED, 1), 0); /* waits for these */
	assert_int_equal(h[0].nrecalled, 10);
	while (lease_next(&h[0], 0, &at, &got, &bits, &seq)) {
		assert_int_equal(got.oid, ++n);
		last = seq;
	}
	lease_returned(m, &h[0], last);
	assert_int_equal(lease_grant(m, &h[0], &f, LEASE_SHARED, 1), LEASE_SHARED);
}

static void memory_is_shared_among_those_who_have_leases(void **state)
{
	(void)state;
	limits = (struct lease_limits){.per_client = 1 << 20, .total_mb = 1};
	lease_renew(&h[0], UINT64_MAX);
	lease_renew(&h[1], UINT64_MAX);
	assert_int_equal(hoard(0, 0, MIB / LEASE_BYTES, 1), MIB / LEASE_BYTES);
	lease_press(m, &h[0], 1);
	assert_false(lease_asks(&h[0]));
	assert_int_equal(hoard(1, 0, 1, 1), 1);
	assert_int_equal(lease_limit(m), MIB / LEASE_BYTES / 2);
	lease_press(m, &h[0], 1);
	assert_int_equal(lease_ask(m, &h[0]), MIB / LEASE_BYTES / 2 + lease_limit(m) / 8);
	lease_holder_drop(m, &h[1], false);
	assert_int_equal(lease_limit(m), MIB / LEASE_BYTES);
	limits.total_mb = 0;
	limits.per_client = 1;
	assert_int_equal(lease_limit(m), LEASES_MIN);
}

static void what_was_granted_after_it_was_given_up_stays(void **state)
{
	struct fid f = fid_of(0);
	uint64_t first, second;

	(void)state;
	lease_renew(&h[0], 1000);
	first = lease_seq(m);
	lease_grant(m, &h[0], &f, BOTH, 1);
	lease_grant(m, &h[0], &f, LEASE_SHARED, 1);
	second = lease_seq(m); /* this answer is on its way when the client gives up */
	lease_grant(m, &h[0], &f, LEASE_UPDATE, 1);
	lease_give_up(m, &h[0], &f, UINT32_MAX, first);
	assert_int_equal(lease_data(m, &h[0], &f), 0);
	assert_int_equal(lease_conflict(m, NULL, &f, BOTH, 1), 1000);
	lease_give_up(m, &h[0], &f, UINT32_MAX, second);
	assert_int_equal(lease_count(&h[0]), 0);
	lease_seq(m);
	lease_grant(m, &h[0], &f, LEASE_EXCLUSIVE, 1);
	lease_give_up(m, &h[0], &f, LEASE_DATA, second);
	assert_int_equal(lease_data(m, &h[0], &f), LEASE_EXCLUSIVE);
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
	uint64_t given[FIDS]; /* newest answer heard of it */
	uint64_t heard;       /* recalls obeyed so far */
	uint64_t until;
	struct {
		uint32_t f, bits;
		uint64_t seq;
	} answer, gift; /* one grant and one give-up on their way; bits 0: none */
};

static void hear_answer(struct honest *c)
{
	uint32_t f = c->answer.f;

	if (c->answer.bits && c->answer.seq > c->floor[f])
		c->bits[f] |= c->answer.bits;
	if (c->answer.bits && c->answer.seq > c->given[f])
		c->given[f] = c->answer.seq;
	c->answer.bits = 0;
}

/* It uses nothing of it any more, whatever older answers may say. */
static void give_up(struct honest *c, uint32_t f)
{
	c->bits[f] = 0;
	if (c->floor[f] < c->given[f])
		c->floor[f] = c->given[f];
	c->gift.f = f;
	c->gift.bits = BOTH;
	c->gift.seq = c->given[f];
}

static void arrive(struct honest *c, int i)
{
	struct fid fid = fid_of(c->gift.f);

	if (c->gift.bits)
		lease_give_up(m, &h[i], &fid, c->gift.bits, c->gift.seq);
	c->gift.bits = 0;
}

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
	uint64_t now = 1, s = 4711, changes = 0;
	uint32_t step, i, k, f, bits;
	struct fid fid;

	(void)state;
	for (step = 0; step < 400000; step++) {
		now += rnd_below(&s, 3);
		i = (uint32_t)rnd_below(&s, CLIENTS);
		f = (uint32_t)rnd_below(&s, FIDS);
		fid = fid_of(f);
		bits = some[rnd_below(&s, 3)];
		switch (rnd_below(&s, 9)) {
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
			hear_answer(&c[i]);
			c[i].answer.seq = lease_seq(m);
			c[i].answer.bits = lease_grant(m, &h[i], &fid, bits, now) & bits;
			c[i].answer.f = f;
			break;
		case 4:
			if (rnd_below(&s, 2))
				hear_answer(&c[i]);
			break;
		case 5:
			if (!c[i].gift.bits)
				give_up(&c[i], f);
			break;
		case 6:
			arrive(&c[i], (int)i);
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
		TEST(one_that_passes_the_limit_is_asked_once_and_obeys),
		TEST(the_oldest_are_recalled_from_one_that_does_not_obey),
		TEST(one_that_does_not_answer_goes_on_without),
		TEST(whoever_needs_data_gets_room_at_once),
		TEST(memory_is_shared_among_those_who_have_leases),
		TEST(what_was_granted_after_it_was_given_up_stays),
		TEST(a_grant_of_data_replaces_the_former_one),
		TEST(recalled_data_is_returned_one_by_one),
		TEST(what_the_dead_may_write_is_unreturned_until_it_is_fenced),
		TEST(nobody_changes_what_somebody_may_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
