/* SPDX-License-Identifier: Apache-2.0 */
/* test_data_lost.c - leases on data that are lost: what becomes of pages and bytes under them. */
#include "tests/unit/client/core/data_scene.h"

static void lose_body(void)
{
	struct data *a = granted(&A, 1, EX), *b = data_get(fs, &B);

	use(a, DATA_FILL);
	a->size_known = true;
	grant(b, SESSION + 1, 1, SH);
	b->filled = true;
	data_put(ln, b); /* idle ones too */
	data_lose_all(ln, SESSION + 1, false);
	assert_int_equal(a->mode, 0);
	assert_true(a->recalling && a->losing); /* the kernel has time to write what it changed */
	assert_false(a->size_known);
	while (a->recalling)
		co_yield ();
	assert_false(a->filled || a->losing);
	assert_int_equal(b->mode, SH);
	assert_true(b->filled && b->idle);
	assert_int_equal(ntold, 1);
	assert_true(fid_eq(&told[0], &A));
	data_lose_all(ln, SESSION + 2, false);
	while (ln->background)
		co_yield ();
	assert_null(data_find(fs, &B)); /* nothing was left of it */
	assert_int_equal(ntold, 2);
	data_put(ln, a);
	assert_null(data_find(fs, &A));
}

static void all_is_lost_but_what_is_of_the_session(void **state)
{
	(void)state;
	run(lose_body);
}

/* The lease goes while its pages are being forgotten: changed ones are written all the same. */
static void lose_it(struct data *d)
{
	on_told = NULL;
	assert_false(d->losing);
	data_lose_all(ln, SESSION + 1, false);
	assert_true(d->losing && !d->mode);
}

static void lose_meanwhile_body(void)
{
	struct data *d = granted(&A, 1, EX);

	use(d, DATA_FILL);
	on_told = lose_it;
	on_told_data = d;
	data_co_drop_pages(ln, d);
	assert_int_equal(ntold, 1);
	assert_false(d->losing || d->recalling);
	data_put(ln, d);
}

static void a_lease_that_is_lost_while_pages_are_forgotten_lets_them_be_written(void **state)
{
	(void)state;
	run(lose_meanwhile_body);
}

/* ---- what goes with a lease that was lost ---- */

/* An open that began before brings one anew. */
static void lose_again(struct data *d)
{
	on_told = NULL;
	data_open_end(d, EX, &(struct data_grant){SESSION + 1, 1, EX, 8, false});
	assert_int_equal(d->mode, 0); /* the kernel writes what it changed with the old number */
	assert_int_equal(data_trunc_gen(d), 5);
}

static void left_body(void)
{
	struct data *d = data_get(fs, &A);
	uint32_t want;

	data_open_end(d, EX, &(struct data_grant){SESSION, 1, EX, 5, false});
	use(d, DATA_FILL);
	want = data_open_begin(d, O_RDWR);
	assert_int_equal(want, EX);
	on_told = lose_again;
	on_told_data = d;
	data_lose_all(ln, SESSION + 1, true);
	assert_int_equal(data_open_begin(d, O_RDWR), 0);
	while (d->recalling)
		co_yield ();
	assert_null(on_told);
	d->dirty.n = 1; /* say */
	assert_int_equal(data_open_begin(d, O_RDWR), 0);
	d->acquiring = true;
	data_open_end(d, EX, &(struct data_grant){SESSION + 1, 2, EX, 8, false});
	assert_int_equal(d->mode, 0);
	d->dirty.n = 0;
	grant(d, SESSION + 1, 3, EX);
	assert_int_equal(d->mode, EX);
	data_put(ln, d);
}

static void no_new_lease_before_what_is_left_of_the_old_one_is_gone(void **state)
{
	(void)state;
	run(left_body);
}

static void give(struct data *d, uint64_t session, uint64_t seq, uint32_t trunc_gen)
{
	uint32_t want = data_open_begin(d, O_RDWR);

	assert_int_equal(want, EX);
	data_open_end(d, want, &(struct data_grant){session, seq, EX, trunc_gen, false});
	assert_int_equal(d->mode, EX);
}

static void number_body(void)
{
	struct data *d = data_get(fs, &A);

	give(d, SESSION, 1, 5);
	assert_int_equal(data_trunc_gen(d), 5);
	data_truncated(d, SESSION, 6);
	assert_int_equal(data_trunc_gen(d), 6);
	give(d, SESSION, 2, 5); /* was given before that */
	assert_int_equal(data_trunc_gen(d), 6);
	data_lose_all(ln, SESSION + 1, false);
	data_truncated(d, SESSION + 1, 8); /* was done twice; the MDS has waited for us */
	assert_int_equal(data_trunc_gen(d), 8);
	give(d, SESSION + 1, 1, 8);
	data_lose_all(ln, SESSION + 2, true);
	data_truncated(d, SESSION + 2, 10); /* one of them was because of others */
	assert_int_equal(data_trunc_gen(d), 8);
	data_truncated(d, SESSION + 2, 9); /* nobody was let in */
	assert_int_equal(data_trunc_gen(d), 9);
	data_put(ln, d);
}

static void the_number_of_truncations_is_that_of_the_lease(void **state)
{
	(void)state;
	run(number_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(all_is_lost_but_what_is_of_the_session),
		TEST(a_lease_that_is_lost_while_pages_are_forgotten_lets_them_be_written),
		TEST(no_new_lease_before_what_is_left_of_the_old_one_is_gone),
		TEST(the_number_of_truncations_is_that_of_the_lease),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
