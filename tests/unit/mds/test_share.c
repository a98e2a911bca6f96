/* SPDX-License-Identifier: Apache-2.0 */
/* test_share.c - whose changes in the open batch an operation depends on. */
#include "mds/share.h"
#include "tests/unit/unit.h"

enum { A = 1, B = 2, C = 3 };

static struct share *s;

static int setup(void **state)
{
	(void)state;
	s = share_create();
	assert_non_null(s);
	share_batch(s, 7);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	share_destroy(s);
	return 0;
}

static struct share_use use(uint32_t oid, const char *name, enum share_how how)
{
	return (struct share_use){{FID_SEQ_NORMAL + 1, oid, 0}, SPAN_STR(name), how};
}

static void note(uint64_t client, uint32_t oid, const char *name, enum share_how how)
{
	struct share_use u = use(oid, name, how);

	assert_int_equal(share_note(s, client, &u), 0);
}

static bool meets(uint64_t client, uint32_t oid, const char *name, enum share_how how)
{
	struct share_use u = use(oid, name, how);

	return share_conflicts(s, client, &u);
}

static void a_change_stands_in_the_way_of_others_only(void **state)
{
	(void)state;
	note(A, 1, "", SHARE_CHANGE);
	assert_false(meets(B, 1, "", SHARE_LOOK)); /* it is there */
	for (enum share_how how = SHARE_ADD; how <= SHARE_CHANGE; how++) {
		assert_false(meets(A, 1, "", how));
		assert_true(meets(B, 1, "", how));
		assert_false(meets(B, 2, "", how));
	}
}

static void what_is_new_is_not_even_looked_at(void **state)
{
	(void)state;
	note(A, 1, "", SHARE_MAKE);
	note(A, 1, "", SHARE_CHANGE);
	for (enum share_how how = SHARE_LOOK; how <= SHARE_MAKE; how++) {
		assert_false(meets(A, 1, "", how));
		assert_true(meets(B, 1, "", how));
	}
}

static void names_in_a_directory_commute(void **state)
{
	(void)state;
	note(A, 1, "", SHARE_ADD);
	assert_false(meets(B, 1, "", SHARE_ADD));
	assert_false(meets(B, 1, "", SHARE_LOOK));
	assert_true(meets(B, 1, "", SHARE_CHANGE));
	assert_false(meets(A, 1, "", SHARE_CHANGE));
	note(B, 1, "", SHARE_ADD);
	assert_false(meets(C, 1, "", SHARE_ADD));
	assert_true(meets(A, 1, "", SHARE_CHANGE)); /* of the other one */
	assert_true(meets(B, 1, "", SHARE_CHANGE));
}

static void a_name_is_not_its_directory_nor_another_name(void **state)
{
	(void)state;
	note(A, 1, "file-one", SHARE_CHANGE);
	assert_true(meets(B, 1, "file-one", SHARE_CHANGE));
	assert_false(meets(B, 1, "file-two", SHARE_CHANGE));
	assert_false(meets(B, 1, "file-on", SHARE_CHANGE));
	assert_false(meets(B, 1, "", SHARE_CHANGE));
	assert_false(meets(B, 2, "file-one", SHARE_CHANGE));
}

static void who_looks_leaves_nothing(void **state)
{
	(void)state;
	note(A, 1, "", SHARE_LOOK);
	assert_false(meets(B, 1, "", SHARE_CHANGE));
}

static void a_batch_takes_all_with_it(void **state)
{
	(void)state;
	note(A, 1, "", SHARE_CHANGE);
	share_batch(s, 7);
	assert_true(meets(B, 1, "", SHARE_CHANGE));
	share_batch(s, 8);
	assert_false(meets(B, 1, "", SHARE_CHANGE));
	note(B, 1, "", SHARE_CHANGE);
	assert_false(meets(B, 1, "", SHARE_CHANGE)); /* what A did does not come back */
	assert_true(meets(A, 1, "", SHARE_CHANGE));
}

static void it_grows(void **state)
{
	char name[16];

	(void)state;
	for (uint32_t batch = 7; batch < 10; batch++) {
		share_batch(s, batch);
		for (uint32_t i = 0; i < 10000; i++) {
			snprintf(name, sizeof(name), "f%u", i);
			assert_false(meets(B, 1, name, SHARE_CHANGE));
			note(A, 1, name, SHARE_CHANGE);
		}
		for (uint32_t i = 0; i < 10000; i++) {
			snprintf(name, sizeof(name), "f%u", i);
			assert_true(meets(B, 1, name, SHARE_CHANGE));
		}
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_change_stands_in_the_way_of_others_only),
		T(what_is_new_is_not_even_looked_at),
		T(names_in_a_directory_commute),
		T(a_name_is_not_its_directory_nor_another_name),
		T(who_looks_leaves_nothing),
		T(a_batch_takes_all_with_it),
		T(it_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
