/* SPDX-License-Identifier: Apache-2.0 */
/* test_rate.c - how much goes in which time, and who is next. Time is a number here. */
#include "oss/rate.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define MS (uint64_t) NSEC_PER_MSEC
enum { BPS = 100000000, USERS = 10, DEPTH = 8 };

static struct rate r;
static uint64_t now;

struct client {
	struct rate_user u;
	struct rate_req q[DEPTH];
	uint64_t served;
	uint32_t len;
};
static struct client c[USERS];

static int setup(void **state)
{
	(void)state;
	r = (struct rate){0};
	now = 1000 * MS;
	for (int i = 0; i < USERS; i++) {
		rate_user_init(&c[i].u);
		c[i].served = 0;
		c[i].len = MIB;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < USERS; i++)
		while (rate_drop(&r, &c[i].u))
			;
	rate_fini(&r);
	return 0;
}

static struct client *owner(struct rate_req *q)
{
	for (int i = 0; i < USERS; i++)
		if (q >= c[i].q && q < c[i].q + DEPTH)
			return &c[i];
	abort();
}

/* Asks again and again while it goes at once; ends when it waits. */
static void ask(struct client *who, struct rate_req *q)
{
	q->len = who->len;
	while (rate_ask(&r, &who->u, q, now) == 0)
		who->served += q->len;
}

/* Clients 0 to n - 1 always have `depth` requests waiting, for this long. */
static uint64_t run(int n, int depth, uint64_t time)
{
	uint64_t end = now + time, total = 0, before = 0;
	struct rate_req *q;
	struct client *who;

	for (int i = 0; i < n; i++)
		before += c[i].served;
	for (int i = 0; i < n; i++)
		for (int k = 0; k < depth; k++)
			ask(&c[i], &c[i].q[k]);
	while (rate_when(&r) <= end) {
		now = max_u64(now, rate_when(&r));
		while ((q = rate_next(&r, now))) {
			who = owner(q);
			who->served += q->len;
			ask(who, q);
		}
	}
	now = end;
	for (int i = 0; i < n; i++) {
		total += c[i].served;
		while (rate_drop(&r, &c[i].u))
			;
	}
	return total - before;
}

static void without_a_limit_everything_goes(void **state)
{
	struct rate_req q = {.len = 4 * MIB};

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(rate_ask(&r, &c[0].u, &q, now), 0);
	assert_int_equal(rate_when(&r), 0);
}

static void the_limit_is_exact(void **state)
{
	uint64_t got, burst = BPS / 10;

	(void)state;
	rate_set(&r, BPS, now);
	now += 3600 * (uint64_t)NSEC_PER_SEC; /* rest is remembered for a moment only */
	got = run(1, 4, 10 * (uint64_t)NSEC_PER_SEC);
	assert_true(got >= 10ULL * BPS);
	assert_true(got <= 10ULL * BPS + burst + MIB);
	c[1].len = 4096;
	got = run(2, 4, 10 * (uint64_t)NSEC_PER_SEC);
	assert_true(got >= 10ULL * BPS - MIB && got <= 10ULL * BPS + MIB);
}

static void clients_that_want_all_get_the_same(void **state)
{
	static const uint32_t len[] = {4096, 65536, MIB, 4 * MIB, 1};
	uint64_t total, share;

	(void)state;
	for (int i = 0; i < USERS; i++)
		c[i].len = len[i % 5] == 1 ? 1000000 : len[i % 5];
	rate_set(&r, BPS, now);
	total = run(USERS, 2, 20 * (uint64_t)NSEC_PER_SEC);
	share = total / USERS;
	for (int i = 0; i < USERS; i++)
		assert_true(c[i].served + 8 * MIB > share && c[i].served < share + 8 * MIB);
}

static void the_number_of_requests_gives_nobody_more(void **state)
{
	uint64_t end;
	struct rate_req *q;

	(void)state;
	rate_set(&r, BPS, now);
	for (int k = 0; k < DEPTH; k++)
		ask(&c[0], &c[0].q[k]);
	ask(&c[1], &c[1].q[0]);
	for (end = now + 5 * (uint64_t)NSEC_PER_SEC; rate_when(&r) < end;) {
		now = max_u64(now, rate_when(&r));
		q = rate_next(&r, now);
		owner(q)->served += q->len;
		ask(owner(q), q);
	}
	assert_true(c[0].served < c[1].served + 2 * MIB + BPS / 10);
	assert_true(c[1].served < c[0].served + 2 * MIB);
}

static void a_client_that_rested_is_neither_ahead_nor_behind(void **state)
{
	uint64_t had;

	(void)state;
	rate_set(&r, BPS, now);
	run(2, 2, 10 * (uint64_t)NSEC_PER_SEC);
	had = c[0].served;
	run(1, 2, 10 * (uint64_t)NSEC_PER_SEC); /* client 1 rests */
	assert_true(c[0].served - had > 9ULL * BPS);
	c[0].served = c[1].served = 0;
	run(2, 2, 10 * (uint64_t)NSEC_PER_SEC);
	assert_true(c[0].served < c[1].served + 3 * MIB);
	assert_true(c[1].served < c[0].served + 3 * MIB);
}

static void one_clients_requests_keep_their_order(void **state)
{
	struct rate_req *q;

	(void)state;
	rate_set(&r, BPS, now);
	for (int k = 0; k < DEPTH; k++) {
		c[0].q[k].len = k % 2 ? 4096 : 4 * MIB;
		(void)!rate_ask(&r, &c[0].u, &c[0].q[k], now);
	}
	/* The first went at once. */
	for (int k = 1; k < DEPTH; k++) {
		assert_null(rate_next(&r, rate_when(&r) - 1));
		now = rate_when(&r);
		q = rate_next(&r, now);
		assert_ptr_equal(q, &c[0].q[k]);
	}
	assert_int_equal(rate_when(&r), 0);
}

static void a_new_limit_counts_at_once(void **state)
{
	uint64_t when;

	(void)state;
	rate_set(&r, 1000000, now);
	c[0].len = 4 * MIB;
	ask(&c[0], &c[0].q[0]);
	when = rate_when(&r) - now;
	assert_true(when > 4000 * MS && when < 4300 * MS);
	rate_set(&r, 1000000000, now); /* what is owed is owed at the new rate */
	when = rate_when(&r) - now;
	assert_true(when > 4 * MS && when < 5 * MS);
	rate_set(&r, 1000000, now);
	when = rate_when(&r) - now;
	assert_true(when > 4000 * MS && when < 4300 * MS);
	rate_set(&r, 0, now);
	assert_ptr_equal(rate_next(&r, now), &c[0].q[0]);
	assert_int_equal(rate_when(&r), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(without_a_limit_everything_goes),
		T(the_limit_is_exact),
		T(clients_that_want_all_get_the_same),
		T(the_number_of_requests_gives_nobody_more),
		T(a_client_that_rested_is_neither_ahead_nor_behind),
		T(one_clients_requests_keep_their_order),
		T(a_new_limit_counts_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
