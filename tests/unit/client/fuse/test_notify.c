/* SPDX-License-Identifier: Apache-2.0 */
/* test_notify.c - what the notifier writes to the kernel, which is a socket here, and that who
 * asked goes on when it is written. */
#include "client/core/core.h"
#include "client/fuse/face.h"
#include "common/fiber.h"
#include "tests/unit/unit.h"
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static struct face face;
static struct lane lane;
static int kernel;
static bool went_on;

static const struct fs_inval gone[] = {
	{.fid = {FID_SEQ_NORMAL + 1, 7, 0}, .told_ns = 0},
	{.fid = FID_ROOT, .told_ns = 0},
};

/* The kernel: takes a notification of pages when it has them, which may be long. */
static pthread_mutex_t hold_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t hold_cond = PTHREAD_COND_INITIALIZER;
static bool holds_pages;
static atomic_bool pages_wait;

static bool is_of_pages(const struct iovec *iov, int n)
{
	return n == 2 && iov[1].iov_len == sizeof(struct fuse_notify_inval_inode_out) &&
	       ((const struct fuse_notify_inval_inode_out *)iov[1].iov_base)->off >= 0;
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	if (fd == face.fd && is_of_pages(iov, n)) {
		pthread_mutex_lock(&hold_lock);
		atomic_store(&pages_wait, holds_pages);
		while (holds_pages)
			pthread_cond_wait(&hold_cond, &hold_lock);
		pthread_mutex_unlock(&hold_lock);
	}
	return syscall(SYS_writev, fd, iov, n);
}

static void hold_pages(bool hold)
{
	pthread_mutex_lock(&hold_lock);
	holds_pages = hold;
	pthread_cond_signal(&hold_cond);
	pthread_mutex_unlock(&hold_lock);
}

static int setup(void **state)
{
	struct fs_cfg cfg = {.name = "test", .source = {.fsname = "lustre"}};
	int fd[2];

	(void)state;
	memset(&face, 0, sizeof(face));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	face.fd = fd[0];
	kernel = fd[1];
	assert_int_equal(fs_create(&cfg, &face.fs), 0);
	assert_int_equal(known_create(&face.known), 0);
	assert_int_equal(notifier_create(&face, &face.notifier), 0);
	assert_int_equal(loop_create(&lane.loop), 0);
	went_on = false;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	notifier_destroy(face.notifier);
	known_destroy(face.known);
	fs_destroy(face.fs);
	loop_destroy(lane.loop);
	close(face.fd);
	close(kernel);
	return 0;
}

static void ask(void *arg)
{
	notifier_co_invalidate(&face, &lane, gone, ARRAY_SIZE(gone), *(bool *)arg);
	went_on = true;
	loop_stop(lane.loop);
}

static void expect(int code, uint64_t node)
{
	struct {
		struct fuse_out_header h;
		struct fuse_notify_inval_inode_out o;
	} m;
	ssize_t n = read(kernel, &m, sizeof(m));

	assert_int_equal(n, node ? sizeof(m) : sizeof(m.h));
	assert_int_equal(m.h.len, n);
	assert_int_equal(m.h.unique, 0);
	assert_int_equal(m.h.error, code);
	if (node) {
		assert_int_equal(m.o.ino, node);
		assert_true(m.o.off < 0); /* attributes only: no page is waited for */
	}
}

static void run(bool names)
{
	assert_int_equal(fiber_spawn(lane.loop, ask, &names), 0);
	loop_run(lane.loop);
	assert_true(went_on);
}

static void names_go_first_and_attributes_one_by_one(void **state)
{
	(void)state;
	face.keeps_names = true;
	run(true);
	expect(8, 0);
	expect(2, fid_to_ino(&gone[0].fid));
	expect(2, FUSE_ROOT_ID); /* the mount's root has the id that the kernel gave it */
}

static void a_kernel_that_keeps_no_names_is_not_told_of_them(void **state)
{
	(void)state;
	run(true);
	expect(2, fid_to_ino(&gone[0].fid));
}

static void without_names_only_attributes_are_told(void **state)
{
	(void)state;
	face.keeps_names = true;
	run(false);
	expect(2, fid_to_ino(&gone[0].fid));
}

static void after_the_end_of_the_session_nothing_is_told(void **state)
{
	char c;

	(void)state;
	atomic_store(&face.ended, true);
	run(false);
	assert_int_equal(recv(kernel, &c, 1, MSG_DONTWAIT), -1);
}

static bool pages_gone;

static void ask_pages(void *arg)
{
	struct fs_inval v = {.fid = gone[0].fid, .pages = true, .off = 4096, .len = 8192};

	(void)arg;
	notifier_co_invalidate(&face, &lane, &v, 1, false);
	pages_gone = true;
	loop_stop(lane.loop);
}

static void ask_while_pages_wait(void *arg)
{
	while (!atomic_load(&pages_wait))
		co_sleep(NSEC_PER_MSEC);
	notifier_co_invalidate(&face, &lane, gone, 1, true);
	went_on = !pages_gone;
	hold_pages(false);
	(void)arg;
}

static void who_waits_for_pages_holds_up_neither_attributes_nor_names(void **state)
{
	struct {
		struct fuse_out_header h;
		struct fuse_notify_inval_inode_out o;
	} m;

	(void)state;
	face.keeps_names = true;
	pages_gone = false;
	hold_pages(true);
	assert_int_equal(fiber_spawn(lane.loop, ask_pages, NULL), 0);
	assert_int_equal(fiber_spawn(lane.loop, ask_while_pages_wait, NULL), 0);
	loop_run(lane.loop);
	assert_true(went_on);
	expect(8, 0);
	expect(2, fid_to_ino(&gone[0].fid));
	assert_int_equal(read(kernel, &m, sizeof(m)), sizeof(m));
	assert_int_equal(m.o.ino, fid_to_ino(&gone[0].fid));
	assert_int_equal(m.o.off, 4096);
	assert_int_equal(m.o.len, 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(names_go_first_and_attributes_one_by_one),
		TEST(a_kernel_that_keeps_no_names_is_not_told_of_them),
		TEST(without_names_only_attributes_are_told),
		TEST(after_the_end_of_the_session_nothing_is_told),
		TEST(who_waits_for_pages_holds_up_neither_attributes_nor_names),
	};

	alarm(60); /* one that is held up waits for ever */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
