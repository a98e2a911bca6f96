/* SPDX-License-Identifier: Apache-2.0 */
/* test_locktab.c - what the client remembers of its file locks, against POSIX's rules for
 * ranges; the last test compares random calls with a table that has one entry per byte. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/core/locktab.h"
#include <fcntl.h>

static const struct fid file_a = {FID_SEQ_NORMAL + 1, 1, 0};
static const struct fid file_b = {FID_SEQ_NORMAL + 1, 2, 0};

static void set(struct locktab *t, uint8_t type, uint64_t start, uint64_t end)
{
	struct held_lock l = {.fid = file_a, .type = type, .owner = 7, .start = start, .end = end};

	assert_int_equal(locktab_set(t, &l), 0);
}

/* Type that the owner holds on one byte. */
static int type_at(const struct locktab *t, uint64_t at)
{
	const struct held_lock *l;
	int type = F_UNLCK;

	for (l = locktab_next(t, NULL); l; l = locktab_next(t, l))
		if (l->start <= at && at <= l->end) {
			assert_int_equal(type, F_UNLCK); /* no two ranges overlap */
			type = l->type;
		}
	return type;
}

static void nothing_is_held_at_first(void **state)
{
	struct locktab t;

	(void)state;
	locktab_init(&t);
	assert_false(locktab_has(&t, &file_a, 0, 7));
	assert_null(locktab_next(&t, NULL));
	locktab_fini(&t);
}

static void a_lock_belongs_to_one_owner_of_one_file(void **state)
{
	struct locktab t;

	(void)state;
	locktab_init(&t);
	set(&t, F_WRLCK, 0, UINT64_MAX);
	assert_true(locktab_has(&t, &file_a, 0, 7));
	assert_false(locktab_has(&t, &file_a, 0, 8));
	assert_false(locktab_has(&t, &file_a, 1, 7));
	assert_false(locktab_has(&t, &file_b, 0, 7));
	locktab_fini(&t);
}

static void unlocking_the_middle_leaves_both_ends(void **state)
{
	struct locktab t;

	(void)state;
	locktab_init(&t);
	set(&t, F_RDLCK, 0, 99);
	set(&t, F_UNLCK, 40, 59);
	assert_int_equal(t.n, 2);
	assert_int_equal(type_at(&t, 39), F_RDLCK);
	assert_int_equal(type_at(&t, 40), F_UNLCK);
	assert_int_equal(type_at(&t, 59), F_UNLCK);
	assert_int_equal(type_at(&t, 60), F_RDLCK);
	locktab_fini(&t);
}

static void neighbours_of_one_type_become_one(void **state)
{
	struct locktab t;

	(void)state;
	locktab_init(&t);
	set(&t, F_RDLCK, 0, 9);
	set(&t, F_RDLCK, 20, 29);
	set(&t, F_RDLCK, 10, 19);
	assert_int_equal(t.n, 1);
	assert_int_equal(locktab_next(&t, NULL)->start, 0);
	assert_int_equal(locktab_next(&t, NULL)->end, 29);
	locktab_fini(&t);
}

static void unlocking_everything_empties_the_table(void **state)
{
	struct locktab t;

	(void)state;
	locktab_init(&t);
	set(&t, F_RDLCK, 5, 9);
	set(&t, F_WRLCK, 100, UINT64_MAX);
	set(&t, F_UNLCK, 0, UINT64_MAX);
	assert_int_equal(t.n, 0);
	assert_false(locktab_has(&t, &file_a, 0, 7));
	locktab_fini(&t);
}

static void random_calls_agree_with_a_table_of_bytes(void **state)
{
	enum { BYTES = 40, CALLS = 20000 };
	int model[BYTES];
	struct locktab t;
	uint32_t seed = 12345;

	(void)state;
	for (int i = 0; i < BYTES; i++)
		model[i] = F_UNLCK;
	locktab_init(&t);
	for (int n = 0; n < CALLS; n++) {
		static const uint8_t types[] = {F_RDLCK, F_WRLCK, F_UNLCK};
		uint32_t start, len;
		uint8_t type;

		seed = seed * 1664525 + 1013904223;
		start = seed >> 8 & 31;
		len = 1 + (seed >> 16 & 7);
		type = types[(seed >> 24) % 3];
		set(&t, type, start, start + len - 1);
		for (uint32_t i = start; i < start + len; i++)
			model[i] = type;
		for (uint32_t i = 0; i < BYTES; i++)
			assert_int_equal(type_at(&t, i), model[i]);
	}
	locktab_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_held_at_first),
		cmocka_unit_test(a_lock_belongs_to_one_owner_of_one_file),
		cmocka_unit_test(unlocking_the_middle_leaves_both_ends),
		cmocka_unit_test(neighbours_of_one_type_become_one),
		cmocka_unit_test(unlocking_everything_empties_the_table),
		cmocka_unit_test(random_calls_agree_with_a_table_of_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
