/* SPDX-License-Identifier: Apache-2.0 */
/* test_pages.c - bytes that were fetched: found, cut while they are on their way or being copied,
 * and given up oldest first. */
#include "client/core/pages.h"
#include "tests/unit/unit.h"

enum { K = 1024 };

static struct pages pg;

static int setup(void **state)
{
	(void)state;
	pages_init(&pg);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)pages_cut(&pg, 0, 0);
	assert_int_equal(pg.n, 0);
	assert_int_equal(pg.bytes, 0);
	return 0;
}

static struct pages_piece *add(uint64_t off, uint32_t len)
{
	struct pages_piece *e = pages_add(&pg, off, len);

	assert_non_null(e);
	return e;
}

static struct pages_piece *ready(uint64_t off, uint32_t len)
{
	struct pages_piece *e = add(off, len);

	memset(e->mem, 'x', len);
	pages_fetched(&pg, e, len);
	return e;
}

static void a_piece_is_found_from_its_first_to_its_last_byte(void **state)
{
	struct pages_piece *e;

	(void)state;
	assert_null(pages_find(&pg, 0));
	e = add(4 * K, K);
	assert_true(e->fetching);
	assert_null(pages_find(&pg, 4 * K - 1));
	assert_ptr_equal(pages_find(&pg, 4 * K), e);
	assert_ptr_equal(pages_find(&pg, 5 * K - 1), e);
	assert_null(pages_find(&pg, 5 * K));
	pages_fetched(&pg, e, K);
	assert_false(e->fetching);
	assert_int_equal(pg.bytes, K);
}

static void gap(uint64_t off, uint64_t len, uint64_t want_off, uint64_t want_len)
{
	assert_true(pages_gap(&pg, &off, &len));
	assert_int_equal(off, want_off);
	assert_int_equal(len, want_len);
}

static void gaps_are_what_is_not_here(void **state)
{
	uint64_t off = 4 * K, len = K;

	(void)state;
	ready(4 * K, K);
	ready(6 * K, K);
	ready(5 * K, 512);
	gap(0, 100, 0, 100);
	gap(0, 10 * K, 0, 4 * K);
	gap(4 * K, 10 * K, 5 * K + 512, 512);
	gap(6 * K + 1, 10 * K, 7 * K, 9 * K + 1);
	assert_false(pages_gap(&pg, &off, &len));
	gap(PAGES_PIECE - 10, 100, PAGES_PIECE - 10, 10); /* none crosses a multiple */
	gap(PAGES_PIECE, 10ULL * PAGES_PIECE, PAGES_PIECE, PAGES_PIECE);
}

static void what_is_cut_on_its_way_is_thrown_away_when_it_comes(void **state)
{
	struct pages_piece *e = add(0, K);

	(void)state;
	ready(K, K);
	assert_false(pages_cut(&pg, K, 1));
	assert_null(pages_find(&pg, K));
	assert_false(pages_cut(&pg, K, 100)); /* touches it, does not meet it */
	assert_ptr_equal(pages_find(&pg, 0), e);
	assert_true(pages_cut(&pg, K - 1, 100));
	assert_null(pages_find(&pg, 0));
	assert_int_equal(pg.bytes, K); /* the request still writes there */
	ready(0, K);		       /* may be fetched again meanwhile */
	pages_fetched(&pg, e, K);
	assert_int_equal(pg.bytes, K);
	assert_int_equal(pg.n, 1);
}

static void what_is_being_copied_lives_until_that_is_over(void **state)
{
	struct pages_piece *e = ready(0, K);

	(void)state;
	pages_use(&pg, e);
	pages_use(&pg, e);
	assert_false(pages_cut(&pg, 0, 0));
	assert_null(pages_find(&pg, 0));
	pages_unuse(&pg, e);
	assert_int_equal(e->mem[K - 1], 'x');
	assert_int_equal(pg.bytes, K);
	pages_unuse(&pg, e);
	assert_int_equal(pg.bytes, 0);
}

static void the_end_of_the_file_makes_a_piece_shorter(void **state)
{
	(void)state;
	pages_fetched(&pg, add(0, 4 * K), 100);
	assert_non_null(pages_find(&pg, 99));
	assert_null(pages_find(&pg, 100));
	assert_int_equal(pg.bytes, 100);
	pages_fetched(&pg, add(8 * K, K), 0); /* nothing is no piece */
	assert_null(pages_find(&pg, 8 * K));
	assert_int_equal(pg.n, 1);
}

static void room_is_made_by_what_was_not_read_for_longest(void **state)
{
	struct pages_piece *a = ready(0, K), *way;

	(void)state;
	ready(K, K);
	way = add(2 * K, K);
	pages_use(&pg, a);
	pages_unuse(&pg, a);
	assert_true(pages_shrink(&pg));
	assert_null(pages_find(&pg, K));
	assert_non_null(pages_find(&pg, 0));
	assert_int_equal(pg.unread, K);
	assert_true(pages_shrink(&pg));
	assert_null(pages_find(&pg, 0));
	assert_int_equal(pg.unread, K); /* that one was read */
	assert_false(pages_shrink(&pg)); /* not what is on its way */
	pages_fetched(&pg, way, K);
	assert_true(pages_shrink(&pg));
}

static void there_are_only_so_many(void **state)
{
	uint64_t i;

	(void)state;
	for (i = 0; i < PAGES_MAX; i++)
		ready(i * 2, 1);
	assert_null(pages_add(&pg, 10000, 1));
	assert_true(pages_shrink(&pg));
	ready(10000, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_piece_is_found_from_its_first_to_its_last_byte,
						setup, teardown),
		cmocka_unit_test_setup_teardown(gaps_are_what_is_not_here, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_is_cut_on_its_way_is_thrown_away_when_it_comes, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_being_copied_lives_until_that_is_over,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_of_the_file_makes_a_piece_shorter, setup,
						teardown),
		cmocka_unit_test_setup_teardown(room_is_made_by_what_was_not_read_for_longest,
						setup, teardown),
		cmocka_unit_test_setup_teardown(there_are_only_so_many, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
