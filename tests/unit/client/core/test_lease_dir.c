/* SPDX-License-Identifier: Apache-2.0 */
/* test_lease_dir.c - the table of leases: which names are known not to be there, after a
 * listing. */
#include "client/core/lease.h"
#include "tests/unit/unit.h"
#include <sys/stat.h>

enum { SESSION = 77, TERM = 1000000, BOTH = LEASE_LOOKUP | LEASE_UPDATE };

static struct leases *t;
static const struct fid D = {FID_SEQ_NORMAL + 1, 1, 0}, F = {FID_SEQ_NORMAL + 1, 2, 0};

static int setup(void **state)
{
	(void)state;
	assert_int_equal(leases_create(&t), 0);
	leases_term(t, SESSION, TERM, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	leases_destroy(t);
	return 0;
}

/* An answer of the MDS about the directory. */
static void renew(uint64_t seq)
{
	struct lease_grant g = {.session = SESSION, .seq = seq, .bits = BOTH};
	struct attr a = {.mode = S_IFDIR | 0755};

	leases_note(t, &D, &g, &a);
}

static bool leads(const char *name)
{
	struct entry e;

	return leases_name(t, &D, SPAN_STR(name), 1, &e);
}

static bool nothing(const char *name)
{
	return leases_no_name(t, &D, SPAN_STR(name), 1);
}

static bool begins(uint64_t cookie, uint64_t seq)
{
	return leases_learn_begin(t, &D, &(struct lease_grant){.session = SESSION, .seq = seq},
				  cookie);
}

/* An answer with one name. */
static void listed(const char *name, uint64_t from, uint64_t cookie, uint64_t seq, bool eof)
{
	if (!begins(from, seq))
		return;
	leases_learn_name(t, &D, SPAN_STR(name), &F);
	leases_learn_end(t, &D, cookie, 1, eof);
}

static void a_directory_that_was_listed_is_complete(void **state)
{
	(void)state;
	listed("a", 0, 10, 5, true);
	assert_false(nothing("m")); /* without a lease */
	renew(7);
	listed("a", 0, 10, 6, true);
	assert_false(nothing("m")); /* of before the lease */
	listed("b", 10, 20, 8, true);
	assert_false(nothing("m")); /* not from its beginning */
	listed("a", 0, 10, 8, false);
	assert_false(nothing("m"));
	listed("c", 11, 20, 8, true);
	assert_false(nothing("m")); /* there is something in between */
	listed("b", 10, 20, 9, true);
	assert_true(nothing("m"));
	assert_false(nothing("a"));
	assert_false(nothing("b"));
	assert_false(leads("a")); /* where it leads is another matter */
	leases_obey(t, &D, LEASE_UPDATE, 10);
	renew(11);
	assert_false(nothing("m"));
}

static void a_listing_that_was_interrupted_is_not(void **state)
{
	(void)state;
	renew(1);
	listed("a", 0, 10, 2, false);
	leases_obey(t, &D, LEASE_UPDATE, 3);
	renew(4);
	listed("b", 10, 20, 5, true);
	assert_false(nothing("m"));
	listed("a", 0, 10, 6, false);
	leases_not_complete(t, &D); /* a change of this client failed */
	listed("b", 10, 20, 7, true);
	assert_false(nothing("m"));
	/* In the middle of an answer. */
	assert_true(begins(0, 8));
	leases_obey(t, &D, LEASE_UPDATE, 9);
	renew(10);
	leases_learn_end(t, &D, 10, 1, true);
	assert_false(nothing("m"));
	assert_false(leases_learn_begin(
		t, &D, &(struct lease_grant){.session = SESSION + 1, .seq = 11}, 0));
	assert_true(begins(0, 11));
	leases_learn_end(t, &D, 10, LISTED_MAX + 1, true); /* too many */
	assert_false(nothing("m"));
}

static void own_changes_go_on_in_a_listed_directory(void **state)
{
	struct lease_grant g = {.session = SESSION, .seq = 4, .bits = BOTH};

	(void)state;
	renew(1);
	listed("a", 0, 10, 2, true);
	leases_change_begin(t, &D, LEASE_UPDATE);
	leases_own_name(t, &D, SPAN_STR("n"), &F, &g);
	leases_change_end(t, &D, LEASE_UPDATE, 4, 1);
	renew(4);
	assert_false(nothing("n"));
	assert_true(nothing("m"));
	assert_false(begins(0, 5)); /* nothing to learn */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(a_directory_that_was_listed_is_complete),
		TEST(a_listing_that_was_interrupted_is_not),
		TEST(own_changes_go_on_in_a_listed_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
