/* SPDX-License-Identifier: Apache-2.0 */
/* test_lock.c - file locks of a client: what it asks the MDS for, and what it does not. */
#include "tests/unit/client/core/fake_cluster.h"

static void mounted(fake_fn *body)
{
	char why[256];

	fake_file(1);
	assert_int_equal(fake_mount("lustre", "", why, sizeof(why)), 0);
	body(fake);
	fake_unmount();
}

static int set(uint8_t type, uint64_t owner, uint64_t handle)
{
	struct fs_lock lk = {.space = LOCK_POSIX, .type = type, .owner = owner, .end = 99,
			     .handle = handle};

	return fs_co_setlk(fake->ln, &fake->fid, &lk, false, NULL);
}

static void flush_body(struct fake *f)
{
	assert_int_equal(fs_co_flush(f->ln, &f->fid, 5), 0);
	assert_int_equal(f->calls[RPC_mds_setlk], 0);
	assert_int_equal(set(F_WRLCK, 5, 0), 0);
	assert_true(fs_holds_locks(f->fs, &f->fid, 5));
	assert_int_equal(fs_co_flush(f->ln, &f->fid, 6), 0); /* somebody else's close */
	assert_int_equal(f->calls[RPC_mds_setlk], 1);
	assert_int_equal(fs_co_flush(f->ln, &f->fid, 5), 0);
	assert_int_equal(f->calls[RPC_mds_setlk], 2);
	assert_int_equal(f->lock.type, F_UNLCK);
	assert_true(f->lock.end == UINT64_MAX);
	assert_false(fs_holds_locks(f->fs, &f->fid, 5));
}

static void flush_mounted(struct fake *f)
{
	(void)f;
	mounted(flush_body);
}

static void a_close_gives_back_the_owners_locks_and_asks_nobody_without_any(void **state)
{
	(void)state;
	fake_run(flush_mounted);
}

static void handle_body(struct fake *f)
{
	struct file *file = fake_open_file(O_RDWR);

	assert_int_equal(set(F_WRLCK, 77, file_handle(file)), 0);
	fs_co_release(f->ln, file);
	assert_int_equal(f->lock.type, F_UNLCK);
	assert_int_equal(f->lock.owner, 77);
	assert_false(fs_holds_locks(f->fs, &f->fid, 77));
}

static void handle_mounted(struct fake *f)
{
	(void)f;
	mounted(handle_body);
}

static void locks_of_an_open_file_description_go_with_it(void **state)
{
	(void)state;
	fake_run(handle_mounted);
}

struct waiter {
	struct fs_lock_wait w;
	int rc;
	bool done;
};

static void wait_for_lock(void *arg)
{
	struct waiter *w = arg;
	struct fs_lock lk = {.space = LOCK_FLOCK, .type = F_WRLCK, .owner = 1, .end = UINT64_MAX};

	w->rc = fs_co_setlk(fake->ln, &fake->fid, &lk, true, &w->w);
	w->done = true;
}

static void cancel_body(struct fake *f)
{
	struct waiter w = {.rc = 1};

	assert_int_equal(fiber_spawn(f->l, wait_for_lock, &w), 0);
	while (co_waitq_empty(&f->lock_q))
		co_yield();
	fs_lock_cancel(&w.w);
	while (!w.done)
		co_yield();
	assert_int_equal(w.rc, -EINTR);
	assert_int_equal(f->calls[RPC_mds_cancel], 1);
	/* Too early: it has not even been sent. */
	w = (struct waiter){.w = {.ln = f->ln}, .rc = 1};
	fs_lock_cancel(&w.w);
	wait_for_lock(&w);
	assert_int_equal(w.rc, -EINTR);
	assert_int_equal(f->calls[RPC_mds_setlk], 1);
}

static void cancel_mounted(struct fake *f)
{
	(void)f;
	mounted(cancel_body);
}

static void a_waiting_request_can_be_cancelled(void **state)
{
	(void)state;
	fake_run(cancel_mounted);
}

static void priv_body(struct fake *f)
{
	struct file *file;
	uint64_t off = 0;

	f->attr.mode = S_IFREG | S_ISUID | 0755;
	file = fake_open_file(O_WRONLY);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fs_co_write(f->ln, file, "x", 1, &off, false, true), 1);
	assert_int_equal(f->calls[RPC_mds_setattr], 1);
	assert_int_equal(f->set.valid, SETATTR_KILL_PRIV);
	fs_co_release(f->ln, file);
}

static void priv_mounted(struct fake *f)
{
	(void)f;
	mounted(priv_body);
}

static void set_id_bits_are_cleared_by_a_write_without_asking_for_each(void **state)
{
	(void)state;
	fake_run(priv_mounted);
}

static void evicted_body(struct fake *f)
{
	struct file *file = fake_open_file(O_RDWR), *other = fake_open_file(O_RDWR);
	struct fs_lock unlock = {.space = LOCK_FLOCK, .type = F_UNLCK, .owner = 9,
				 .end = UINT64_MAX, .handle = file_handle(file)};
	struct fs_lock flock = unlock;
	struct attr a = {.size = 1};
	uint64_t off = 0;
	char buf[8];

	flock.type = F_WRLCK;
	assert_int_equal(fs_co_setlk(f->ln, &f->fid, &flock, false, NULL), 0);
	assert_int_equal(set(F_RDLCK, 5, file_handle(file)), 0);
	lock_lose_all(f->fs, rpc_import_session(f->ln->mdt->imp)); /* theirs: nothing is lost */
	assert_false(file_lost_lock(file));
	assert_int_equal(fs_co_write(f->ln, file, "x", 1, &off, false, false), 1);
	lock_lose_all(f->fs, rpc_import_session(f->ln->mdt->imp) + 1);
	assert_true(file_lost_lock(file));
	assert_false(file_lost_lock(other));
	assert_false(fs_holds_locks(f->fs, &f->fid, 5));
	assert_int_equal(fs_co_write(f->ln, file, "x", 1, &off, false, false), -EIO);
	assert_int_equal(fs_co_write(f->ln, file, "x", 1, &off, true, false), -EIO);
	assert_int_equal(fs_co_read(f->ln, file, buf, 1, 0), -EIO);
	assert_int_equal(fs_co_fallocate(f->ln, file, 0, 0, 99), -EIO);
	assert_int_equal(fs_co_setattr(f->ln, &f->fid, file, SETATTR_SIZE, &a, &a), -EIO);
	assert_int_equal(fs_co_copy_range(f->ln, file, 0, other, 0, 1), -EIO);
	assert_int_equal(fs_co_write(f->ln, other, "x", 1, &off, false, false), 1);
	assert_int_equal(fs_co_setlk(f->ln, &f->fid, &unlock, false, NULL), 0);
	assert_int_equal(fs_co_write(f->ln, file, "x", 1, &off, false, false), -EIO);
	fs_co_release(f->ln, file);
	fs_co_release(f->ln, other);
	file = fake_open_file(O_RDONLY);
	assert_true(fs_co_read(f->ln, file, buf, 1, 0) >= 0);
	flock.handle = file_handle(file);
	assert_int_equal(fs_co_setlk(f->ln, &f->fid, &flock, false, NULL), 0);
	recall_co_lose_all(f->ln, rpc_import_session(f->ln->mdt->imp) + 1, false);
	assert_false(file_lost_lock(file)); /* a restart: they are taken again */
	recall_co_lose_all(f->ln, rpc_import_session(f->ln->mdt->imp) + 1, true);
	assert_true(file_lost_lock(file));
	fs_co_release(f->ln, file);
}

static void evicted_mounted(struct fake *f)
{
	(void)f;
	mounted(evicted_body);
}

static void an_open_file_whose_lock_went_with_the_session_is_dead(void **state)
{
	(void)state;
	fake_run(evicted_mounted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_close_gives_back_the_owners_locks_and_asks_nobody_without_any),
		cmocka_unit_test(locks_of_an_open_file_description_go_with_it),
		cmocka_unit_test(a_waiting_request_can_be_cancelled),
		cmocka_unit_test(set_id_bits_are_cleared_by_a_write_without_asking_for_each),
		cmocka_unit_test(an_open_file_whose_lock_went_with_the_session_is_dead),
	};

	log_set_level(LOG_LVL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
