/* SPDX-License-Identifier: Apache-2.0 */
/* test_later.c - attributes that are set without asking the MDS: when, when it is told, and who
 * hears that it could not be. */
#include "tests/unit/client/core/fake_cluster.h"
#include <sys/stat.h>

static struct file *file;
static uint64_t seq;

static uint32_t sets(void)
{
	return fake->calls[RPC_mds_setattr];
}

/* The MDS has given its lease of the attributes. */
static void lease_attr(struct fake *f, uint32_t flags)
{
	struct leases *t = f->fs->leases;
	struct attr a = {.mode = S_IFREG | 0644, .nlink = 1, .flags = ATTR_SIZE_UNSURE | flags};
	struct lease_grant g = {.seq = ++seq + 1000, .bits = LEASE_UPDATE};

	while (!leases_valid(t, leases_session(t), loop_clock(f->l)))
		co_sleep(NSEC_PER_MSEC);
	g.session = leases_session(t);
	g.open_seq = f->open_seq;
	leases_note(t, &f->fid, &g, &a);
}

static void put(size_t len, uint64_t off)
{
	static const uint8_t bytes[10000];

	assert_int_equal(fs_co_write(fake->ln, file, bytes, len, &off, false, false), len);
}

/* The file is this client's alone, and has bytes that are not at the objects yet. */
static void later_mounted(fake_fn *body)
{
	fake->cache_data = true;
	fake->lease = LEASE_EXCLUSIVE;
	fake->promise = 64 * MIB;
	fake->sole = true;
	fake_file(2);
	fake_mounted(body);
}

static void own(struct fake *f)
{
	file = fake_open_file(O_RDWR | O_TRUNC);
	put(777, 0);
	lease_attr(f, 0);
	assert_int_equal(f->calls[RPC_oss_write], 0);
}

static struct attr set(uint32_t valid, const struct attr *want)
{
	struct attr a = {0};

	assert_int_equal(fs_co_setattr(fake->ln, &fake->fid, NULL, valid, want, &a), 0);
	return a;
}

static struct attr chmod_to(uint32_t mode)
{
	return set(SETATTR_MODE, &(struct attr){.mode = mode});
}

#define LATER_TEST(name, body) FAKE_MOUNTED_TEST(name, later_mounted, body)

static void close_body(struct fake *f)
{
	struct attr a;

	own(f);
	set(SETATTR_ATIME | SETATTR_MTIME, &(struct attr){.atime = 11, .mtime = 12});
	set(SETATTR_UID | SETATTR_GID | SETATTR_KILL_PRIV, &(struct attr){.uid = 7, .gid = 8});
	chmod_to(0600);
	a = chmod_to(0640);
	assert_int_equal(sets(), 0);
	assert_int_equal(f->calls[RPC_oss_write], 0); /* nobody waited for that either */
	assert_int_equal(a.mode, S_IFREG | 0640);
	assert_int_equal(a.uid, 7);
	assert_int_equal(a.gid, 8);
	assert_int_equal(a.size, 777);
	assert_int_equal(a.atime, 11);
	assert_int_equal(a.mtime, 12);
	assert_true(a.flags & ATTR_SIZE_UNSURE); /* of the rest nothing is known */
	fs_co_release(f->ln, file);
	assert_int_equal(sets(), 1);
	assert_int_equal(f->closed_before_set, 0);
	assert_int_equal(f->set.valid, SETATTR_LATER);
	assert_int_equal(f->set.mode, 0640);
	assert_int_equal(f->set.uid, 7);
	assert_int_equal(f->set.gid, 8);
	assert_int_equal(f->set.atime, 11);
	assert_int_equal(f->set.mtime, 12);
	assert_in_range(f->set.age, 1, 60 * NSEC_PER_SEC);
	assert_int_equal(f->calls[RPC_mds_close], 1);
}
LATER_TEST(all_that_was_set_is_told_before_the_close, close_body)

static void looked_body(struct fake *f)
{
	struct attr a;

	own(f);
	chmod_to(0600);
	assert_int_equal(fs_co_getattr(f->ln, &f->fid, &a), 0);
	assert_int_equal(sets(), 1);
	assert_int_equal(f->calls[RPC_oss_write], 1); /* is older than that */
	lease_attr(f, 0);
	chmod_to(0640);
	assert_int_equal(sets(), 1);
	assert_int_equal(fs_co_fsync(f->ln, file, false), 0);
	assert_int_equal(sets(), 2);
	lease_attr(f, 0);
	chmod_to(0600);
	set(SETATTR_MTIME_NOW, &(struct attr){0}); /* is the MDS's to say */
	assert_int_equal(sets(), 4);
	fs_co_release(f->ln, file);
	assert_int_equal(sets(), 4); /* nothing is left */
}
LATER_TEST(and_as_soon_as_it_matters, looked_body)

static void written_body(struct fake *f)
{
	own(f);
	set(SETATTR_MODE | SETATTR_MTIME, &(struct attr){.mode = 0600, .mtime = 12});
	put(10, 1000);
	assert_int_equal(sets(), 1); /* whatever becomes of the bytes */
	lease_attr(f, 0);
	chmod_to(0640);
	put(10, 2000);
	assert_int_equal(sets(), 1);
	set(SETATTR_MTIME, &(struct attr){.mtime = 12});
	assert_int_equal(fs_co_write_page(f->ln, file, "0123456789", 10, 0), 10);
	assert_int_equal(sets(), 2);
	fs_co_release(f->ln, file);
	assert_int_equal(sets(), 2);
}
LATER_TEST(a_write_comes_after_the_time_that_was_set, written_body)

static void asks(struct fake *f, uint32_t valid, uint32_t mode)
{
	uint32_t n = sets();

	set(valid, &(struct attr){.mode = mode});
	assert_int_equal(sets(), n + 1);
	assert_int_equal(f->set.age, 0);
	lease_attr(f, 0);
}

static void not_body(struct fake *f)
{
	struct file *other;

	own(f);
	asks(f, SETATTR_MODE, S_ISUID | 0755);
	asks(f, SETATTR_ATIME_NOW, 0);
	asks(f, SETATTR_KILL_PRIV, 0);
	lease_attr(f, ATTR_HAS_ACL);
	asks(f, SETATTR_MODE, 0600);
	leases_obey(f->fs->leases, &f->fid, LEASE_UPDATE, 100000);
	asks(f, SETATTR_MODE, 0600);
	f->fs->set_later = 0;
	lease_attr(f, 0);
	asks(f, SETATTR_MODE, 0600);
	f->fs->set_later = 1;
	other = fake_open_file(O_RDWR);
	asks(f, SETATTR_MODE, 0600); /* each of the two knows its own writes only */
	fs_co_release(f->ln, other);
	fs_co_release(f->ln, file);
}
LATER_TEST(what_is_not_the_clients_to_say_is_asked, not_body)

static void recall_body(struct fake *f)
{
	own(f);
	chmod_to(0600);
	data_recall(f->ln, &(struct mds_recall){.fid = f->fid, .bits = LEASE_DATA, .seq = 1000000});
	while (file->data->mode)
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(sets(), 1);
	fs_co_release(f->ln, file);
}
LATER_TEST(a_recall_waits_for_it, recall_body)

static void restart_body(struct fake *f)
{
	own(f);
	chmod_to(0600);
	data_lose_all(f->ln, file->data->session + 1, false);
	assert_int_equal(sets(), 0);
	data_co_settle_all(f->ln);
	assert_int_equal(sets(), 1);
	assert_int_equal(fs_co_fsync(f->ln, file, false), 0);
	fs_co_release(f->ln, file);
}
LATER_TEST(it_is_told_after_a_restart, restart_body)

static void evicted_body(struct fake *f)
{
	own(f);
	chmod_to(0600);
	data_lose_all(f->ln, file->data->session + 1, true);
	data_co_settle_all(f->ln);
	assert_int_equal(sets(), 0); /* others may have set theirs */
	assert_int_equal(fs_co_fsync(f->ln, file, false), -EIO);
	fs_co_release(f->ln, file);
	assert_int_equal(sets(), 0);
}
LATER_TEST(an_evicted_client_says_that_it_is_lost, evicted_body)

static void failed_body(struct fake *f)
{
	own(f);
	chmod_to(0600);
	f->set_rc = -ENOSPC;
	assert_int_equal(fs_co_fsync(f->ln, file, false), -ENOSPC);
	assert_int_equal(fs_co_fsync(f->ln, file, false), 0); /* it was told */
	fs_co_release(f->ln, file);
	assert_int_equal(sets(), 1);
}
LATER_TEST(a_failure_is_told_by_fsync, failed_body)

static void old_body(struct fake *f)
{
	int tries;

	own(f);
	chmod_to(0600);
	for (tries = 0; !sets() && tries < 20000; tries++)
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(sets(), 1);
	assert_true(f->set.age >= NSEC_PER_SEC);
	wback_co_flush_all(f->ln);
	assert_false(file->data->on_dirty_list);
	fs_co_release(f->ln, file);
}
LATER_TEST(nothing_is_kept_for_long, old_body)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_was_set_is_told_before_the_close),
		cmocka_unit_test(and_as_soon_as_it_matters),
		cmocka_unit_test(a_write_comes_after_the_time_that_was_set),
		cmocka_unit_test(what_is_not_the_clients_to_say_is_asked),
		cmocka_unit_test(a_recall_waits_for_it),
		cmocka_unit_test(it_is_told_after_a_restart),
		cmocka_unit_test(an_evicted_client_says_that_it_is_lost),
		cmocka_unit_test(a_failure_is_told_by_fsync),
		cmocka_unit_test(nothing_is_kept_for_long),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
