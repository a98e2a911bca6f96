/* SPDX-License-Identifier: Apache-2.0 */
/* test_locktab.c - what the client remembers of its file locks, against POSIX's rules for
 * ranges; the last test compares random calls with a table that has one entry per byte. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/core/locktab.h"
#include "common/proto/proto.h"
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

static void begin(struct locktab *t, struct lock_change *c, uint8_t type, uint64_t start,
		  uint64_t end, bool wait)
{
	*c = (struct lock_change){.wait = wait};
	c->want = (struct held_lock){.fid = file_a, .type = type, .owner = 7, .start = start,
				     .end = end};
	locktab_change_begin(t, c);
}

/* What lane 0 claims of the bytes 0 to 9: u, r or w each. */
static void claims(const struct locktab *t, const char *want)
{
	struct locktab out;

	locktab_init(&out);
	assert_int_equal(locktab_claims(t, 1, &out), 0);
	assert_int_equal(out.n, 0); /* another lane's business */
	assert_int_equal(locktab_claims(t, 0, &out), 0);
	for (uint64_t i = 0; i < 10; i++) {
		int type = type_at(&out, i);

		assert_int_equal(type == F_WRLCK ? 'w' : type == F_RDLCK ? 'r' : 'u', want[i]);
	}
	locktab_fini(&out);
}

static void what_is_being_given_back_is_not_claimed(void **state)
{
	struct lock_change a, b, c;
	struct locktab t;

	(void)state;
	locktab_init(&t);
	set(&t, F_WRLCK, 0, 9);
	claims(&t, "wwwwwwwwww");
	begin(&t, &a, F_UNLCK, 2, 3, false);
	claims(&t, "wwuuwwwwww");
	begin(&t, &b, F_RDLCK, 3, 5, false);
	claims(&t, "wwuurrwwww");
	begin(&t, &c, F_RDLCK, 8, 20, true); /* waits for others: it has what it had */
	claims(&t, "wwuurrwwww");
	locktab_change_end(&a);
	locktab_change_end(&c);
	begin(&t, &a, F_WRLCK, 0, 5, false);
	claims(&t, "wwwrrrwwww");
	locktab_change_end(&b);
	locktab_change_end(&a);
	claims(&t, "wwwwwwwwww");
	locktab_fini(&t);
}

static void a_flock_that_is_being_converted_is_not_claimed(void **state)
{
	struct held_lock l = {.fid = file_a, .space = LOCK_FLOCK, .type = F_RDLCK, .owner = 7,
			      .end = UINT64_MAX};
	struct locktab t, out;
	struct lock_change c;

	(void)state;
	locktab_init(&t);
	locktab_init(&out);
	assert_int_equal(locktab_set(&t, &l), 0);
	c = (struct lock_change){.want = l, .wait = true};
	locktab_change_begin(&t, &c);
	assert_int_equal(locktab_claims(&t, 0, &out), 0);
	assert_int_equal(out.n, 1); /* nothing changes */
	locktab_fini(&out);
	c.want.type = F_WRLCK;
	assert_int_equal(locktab_claims(&t, 0, &out), 0);
	assert_int_equal(out.n, 0);
	locktab_change_end(&c);
	locktab_fini(&t);
}

static void note_lost(void *arg, const struct held_lock *l)
{
	*(uint64_t *)arg = *(uint64_t *)arg * 1000 + l->start;
}

static void an_eviction_takes_what_older_sessions_gave(void **state)
{
	struct held_lock l = {.fid = file_a, .type = F_WRLCK, .owner = 7, .start = 1, .end = 9};
	uint64_t told = 0;
	struct locktab t;

	(void)state;
	locktab_init(&t);
	assert_int_equal(locktab_set(&t, &l), 0); /* of an earlier process */
	l.start = 20;
	l.end = 29;
	l.session = 11;
	assert_int_equal(locktab_set(&t, &l), 0);
	l.start = 40;
	l.end = 49;
	l.session = 12;
	assert_int_equal(locktab_set(&t, &l), 0);
	assert_int_equal(locktab_lose(&t, 12, note_lost, &told), 2);
	assert_true(told == 1020 || told == 20001);
	assert_int_equal(t.n, 1);
	assert_int_equal(type_at(&t, 45), F_WRLCK);
	assert_int_equal(type_at(&t, 25), F_UNLCK);
	assert_int_equal(locktab_lose(&t, 12, note_lost, &told), 0);
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
		cmocka_unit_test(what_is_being_given_back_is_not_claimed),
		cmocka_unit_test(a_flock_that_is_being_converted_is_not_claimed),
		cmocka_unit_test(an_eviction_takes_what_older_sessions_gave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
