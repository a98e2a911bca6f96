/* SPDX-License-Identifier: Apache-2.0 */
/* test_unlink.c - files that are removed before the MDS has answered: which ones, what is seen of
 * them here, who waits for them, and what becomes of failures. */
#include "tests/unit/client/core/fake_cluster.h"

static struct fid child(uint32_t k)
{
	return (struct fid){FID_SEQ_NORMAL + 1, 100 + k, 0};
}

static const char *name_of(uint32_t k)
{
	static char name[16];

	snprintf(name, sizeof(name), "f%u", k);
	return name;
}

/* The client has looked the file up, and has its leases. */
static void know(uint32_t k, uint32_t nlink)
{
	struct leases *t = fake->fs->leases;
	static uint64_t seq = 1500; /* newer than all answers here */
	struct lease_grant g = {leases_session(t), ++seq, LEASE_LOOKUP | LEASE_UPDATE, 0};
	struct attr a = {.mode = S_IFREG | 0644, .nlink = nlink};
	struct fid fid = child(k);

	leases_note(t, &fid, &g, &a);
	leases_note_name(t, &FID_ROOT, SPAN_STR(name_of(k)), &fid, &g);
}

static int remove_name(const char *name)
{
	return fs_co_unlink(fake->ln, &FID_ROOT, SPAN_STR(name), false);
}

static int remove_file(uint32_t k)
{
	return remove_name(name_of(k));
}

static uint32_t unlinks(void)
{
	return fake->calls[RPC_mds_unlink];
}

static void until_asked(uint32_t n)
{
	while (fake->calls[RPC_mds_own] < n || fake->ln->background)
		co_sleep(NSEC_PER_MSEC);
}

/* Three files have gone in a row: the root is this client's own, with files 0 to 7. */
static void own_root(void)
{
	struct leases *t = fake->fs->leases;
	uint32_t k;

	while (!leases_valid(t, leases_session(t), loop_clock(fake->l)))
		co_sleep(NSEC_PER_MSEC);
	for (k = 0; k < ARRAY_SIZE(fake->own_files); k++)
		fake->own_files[k] = child(k);
	assert_int_equal(remove_name("x"), 0);
	assert_int_equal(remove_name("x"), 0);
	assert_int_equal(fake->calls[RPC_mds_own], 0);
	assert_int_equal(remove_name("x"), 0);
	until_asked(1);
	for (k = 0; k < 10; k++)
		know(k, 1);
}

static void until_sent(uint32_t n)
{
	while (unlinks() < n)
		co_sleep(NSEC_PER_MSEC);
}

static void release_fiber(void *arg)
{
	uint64_t *at = arg;

	co_sleep(20 * NSEC_PER_MSEC);
	*at = loop_clock(fake->l);
	fake->hold_unlinks = false;
}

/* The MDS answers after a while; *at: when it began to. */
static void release_soon(uint64_t *at)
{
	*at = 0;
	assert_int_equal(fiber_spawn(fake->l, release_fiber, at), 0);
}

static void unlink_mounted(fake_fn *body)
{
	fake->cache_data = true;
	fake_file(1);
	fake_mounted(body);
}

#define UNLINK_TEST(name, body) FAKE_MOUNTED_TEST(name, unlink_mounted, body)

static void ahead_body(struct fake *f)
{
	struct fid gone = child(0);
	struct attr before, after;
	uint32_t lookups;
	struct entry e;
	uint64_t at;

	own_root();
	assert_int_equal(fs_co_getattr(f->ln, &FID_ROOT, &before), 0);
	f->hold_unlinks = true;
	assert_int_equal(remove_file(0), 0);
	assert_int_equal(remove_file(1), 0);
	until_sent(3 + 2); /* both are on their way */
	assert_int_equal(f->fs->unlinks.early, 2);
	lookups = f->calls[RPC_mds_lookup];
	assert_int_equal(fs_co_lookup(f->ln, &FID_ROOT, SPAN_STR("f0"), &e), -ENOENT);
	assert_int_equal(f->calls[RPC_mds_lookup], lookups);
	assert_int_equal(fs_co_lookup(f->ln, &FID_ROOT, SPAN_STR("f2"), &e), 0);
	assert_int_equal(fs_co_getattr(f->ln, &FID_ROOT, &after), 0);
	assert_true(after.mtime > before.mtime && after.ctime == after.mtime);
	assert_false(leases_attr(f->fs->leases, &gone, loop_clock(f->l), &before));
	release_soon(&at);
	assert_int_equal(fs_co_syncdir(f->ln, &FID_ROOT), 0);
	assert_true(at); /* it has waited */
	assert_int_equal(f->fs->unlinks.nflights, 0);
	assert_int_equal(fs_co_getattr(f->ln, &FID_ROOT, &before), 0);
	assert_int_equal(before.mtime, after.mtime);
}
UNLINK_TEST(a_file_is_gone_before_the_mds_has_answered, ahead_body)

static void usual_body(struct fake *f)
{
	uint64_t at;

	own_root();
	know(3, 2);
	f->hold_unlinks = true;
	release_soon(&at);
	assert_int_equal(remove_file(3), 0); /* two names */
	assert_true(at);
	f->hold_unlinks = true;
	release_soon(&at);
	assert_int_equal(remove_file(8), 0); /* others may know it */
	assert_true(at);
	f->hold_unlinks = true;
	release_soon(&at);
	unlinks_not_alone(f->ln, &(struct fid){FID_SEQ_NORMAL + 1, 104, 0});
	assert_int_equal(remove_file(4), 0);
	assert_true(at);
	f->fs->unlinks.max = 0;
	f->hold_unlinks = true;
	release_soon(&at);
	assert_int_equal(remove_file(5), 0); /* turned off */
	assert_true(at);
	assert_int_equal(f->fs->unlinks.early, 0);
}
UNLINK_TEST(others_are_removed_in_the_usual_way, usual_body)

static void bounded_body(struct fake *f)
{
	uint64_t at;

	own_root();
	f->fs->unlinks.max = 2;
	f->hold_unlinks = true;
	assert_int_equal(remove_file(0), 0);
	assert_int_equal(remove_file(1), 0);
	release_soon(&at);
	assert_int_equal(remove_file(2), 0);
	assert_true(at);
	assert_int_equal(f->fs->unlinks.early, 3);
	unlinks_co_wait(f->ln, NULL);
}
UNLINK_TEST(only_so_many_are_in_flight, bounded_body)

static void order_body(struct fake *f)
{
	struct attr a;
	uint64_t at;

	own_root();
	f->hold_unlinks = true;
	assert_int_equal(remove_file(1), 0);
	release_soon(&at);
	assert_int_equal(fs_co_getattr(f->ln, &(struct fid){FID_SEQ_NORMAL + 1, 101, 0}, &a), 0);
	assert_true(at);
	f->hold_unlinks = true;
	assert_int_equal(remove_file(0), 0);
	release_soon(&at);
	/* The same name again; this server does not know the request. */
	assert_true(fs_co_rename(f->ln, &FID_ROOT, SPAN_STR("f9"), &FID_ROOT, SPAN_STR("f0"), 0) <
		    0);
	assert_true(at);
}
UNLINK_TEST(what_meets_one_in_flight_waits, order_body)

static void failure_body(struct fake *f)
{
	uint32_t lookups;
	struct entry e;

	own_root();
	f->unlink_rc = -EIO;
	assert_int_equal(remove_file(0), 0);
	assert_int_equal(fs_co_syncdir(f->ln, &FID_ROOT), -EIO);
	assert_int_equal(fs_co_syncdir(f->ln, &FID_ROOT), 0); /* told once */
	assert_int_equal(f->fs->unlinks.failed, 1);
	lookups = f->calls[RPC_mds_lookup];
	(void)!fs_co_lookup(f->ln, &FID_ROOT, SPAN_STR("f0"), &e);
	assert_int_equal(f->calls[RPC_mds_lookup], lookups + 1); /* it may be there */
	assert_int_equal(remove_file(1), -EIO); /* the directory is not its own any more */
	f->unlink_rc = 0;
}
UNLINK_TEST(a_failure_brings_the_name_back_and_is_told_by_fsync, failure_body)

static void recall_body(struct fake *f)
{
	struct mds_recall r = {FID_ROOT, LEASE_OWN, 5000, 0};
	uint64_t at;

	own_root();
	f->hold_unlinks = true;
	assert_int_equal(remove_file(0), 0);
	leases_obey(f->fs->leases, &FID_ROOT, LEASE_OWN, r.seq);
	unlinks_recall(f->ln, &r);
	co_sleep(20 * NSEC_PER_MSEC);
	assert_int_equal(f->calls[RPC_mds_give_back], 0);
	release_soon(&at);
	assert_int_equal(remove_file(1), 0); /* in the usual way */
	assert_true(at);
	while (!f->calls[RPC_mds_give_back])
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(f->fs->unlinks.nflights, 0);
	assert_int_equal(f->fs->unlinks.early, 1);
}
UNLINK_TEST(the_lease_is_given_back_when_all_are_answered, recall_body)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_gone_before_the_mds_has_answered),
		cmocka_unit_test(others_are_removed_in_the_usual_way),
		cmocka_unit_test(only_so_many_are_in_flight),
		cmocka_unit_test(what_meets_one_in_flight_waits),
		cmocka_unit_test(a_failure_brings_the_name_back_and_is_told_by_fsync),
		cmocka_unit_test(the_lease_is_given_back_when_all_are_answered),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
