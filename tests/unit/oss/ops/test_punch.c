/* SPDX-License-Identifier: Apache-2.0 */
/* test_punch.c - truncation and fallocate. */
#include "tests/unit/oss/oss_test.h"
#include <linux/falloc.h>

static void t_cut(struct oss_test *t)
{
	struct object_attr a;
	char data[16];

	CHECK_RC(oss_test_write(t, NULL, 0, "0123456789", 10, 0), 0);
	CHECK_RC(oss_test_punch(t, &a, 4, false, 1), 0);
	assert_int_equal(a.size, 4);
	CHECK_RC(oss_test_punch(t, &a, 8, false, 2), 0);
	assert_int_equal(a.size, 4); /* does not grow unasked */
	CHECK_RC(oss_test_punch(t, &a, 8, true, 3), 0);
	assert_int_equal(a.size, 8);
	CHECK_RC(oss_test_read(t, 0, data, sizeof(data)), 8);
	assert_memory_equal(data, "0123\0\0\0\0", 8);
	CHECK_RC(oss_test_punch(t, NULL, 0, false, 2), -ESTALE);
}

static void a_truncation_cuts_and_grows_only_if_asked_to(void **state)
{
	(void)state;
	oss_test_run(t_cut);
}

static void t_absent(struct oss_test *t)
{
	struct object_attr a;

	CHECK_RC(oss_test_punch(t, &a, 1000, false, 1), 0);
	assert_int_equal(a.flags, 0);
	CHECK_RC(oss_test_punch(t, &a, 1000, true, 2), 0);
	assert_int_equal(a.flags, OBJ_EXISTS);
	assert_int_equal(a.size, 1000);
	assert_int_equal(a.blocks, 0);
}

static void growing_makes_the_object_and_cutting_nothing_does_not(void **state)
{
	(void)state;
	oss_test_run(t_absent);
}

/* An object that is not there would forget its trunc_gen. */
static void t_fenced(struct oss_test *t)
{
	struct oss_punch_req q = {TEST_OBJ, .trunc_gen = 3, .fence = 1};
	struct oss_punch_rep p;
	RPC_CALL(call);

	CHECK_RC(oss_co_punch(t->imp, &call, &q, &p), 0);
	assert_int_equal(p.flags, OBJ_EXISTS);
	assert_int_equal(p.size, 0);
	oss_test_restart(t);
	CHECK_RC(oss_test_write(t, NULL, 0, "old", 3, 2), -ESTALE);
	CHECK_RC(oss_test_write(t, NULL, 0, "new", 3, 3), 0);
}

static void a_truncation_that_fences_is_not_forgotten(void **state)
{
	(void)state;
	oss_test_run(t_fenced);
}

/* The local file system may or may not have files of that size: it must look the same. */
static void t_huge(struct oss_test *t)
{
	struct object_attr a;
	char data[16];
	struct oss_seek_req q = {TEST_OBJ, .off = 100, .whence = SEEK_HOLE};
	struct oss_seek_rep p;
	RPC_CALL(call);

	CHECK_RC(oss_test_write(t, NULL, 0, "0123456789", 10, 0), 0);
	CHECK_RC(oss_test_punch(t, &a, INT64_MAX, true, 1), 0);
	assert_int_equal(a.size, INT64_MAX);
	CHECK_RC(oss_co_seek(t->imp, &call, &q, &p), 0);
	assert_int_equal(p.off, 100);
	oss_test_restart(t);
	CHECK_RC(oss_test_getattr(t, &a), 0);
	assert_int_equal(a.size, INT64_MAX);
	CHECK_RC(oss_test_read(t, 0, data, 10), 10);
	CHECK_RC(oss_test_punch(t, &a, INT64_MAX - 1, false, 2), 0);
	assert_int_equal(a.size, INT64_MAX - 1);
	CHECK_RC(oss_test_punch(t, &a, 5, false, 3), 0);
	assert_int_equal(a.size, 5);
	CHECK_RC(oss_test_punch(t, &a, 1ULL << 63, true, 4), -EFBIG);
}

static void an_object_may_be_as_long_as_any_file(void **state)
{
	(void)state;
	oss_test_run(t_huge);
}

static int fallocate_range(struct oss_test *t, struct object_attr *a, uint32_t mode, uint64_t off,
			   uint64_t len, uint32_t gen)
{
	struct oss_fallocate_req q = {
		TEST_OBJ, .mode = mode, .off = off, .len = len, .trunc_gen = gen};
	struct oss_fallocate_rep p;
	RPC_CALL(call);
	int rc = oss_co_fallocate(t->imp, &call, &q, &p);

	if (rc == 0)
		OST_REPLY_ATTR(a, p);
	return rc;
}

static void t_fallocate(struct oss_test *t)
{
	struct object_attr a;
	char data[4096];

	CHECK_RC(fallocate_range(t, &a, FALLOC_FL_KEEP_SIZE, 0, MIB, 0), 0);
	assert_int_equal(a.size, 0);
	assert_true(a.blocks * 512 >= MIB);
	CHECK_RC(fallocate_range(t, &a, 0, 0, MIB, 0), 0);
	assert_int_equal(a.size, MIB);
	memset(data, 'z', sizeof(data));
	CHECK_RC(oss_test_write(t, NULL, 65536, data, sizeof(data), 0), 0);
	CHECK_RC(fallocate_range(t, &a, FALLOC_FL_ZERO_RANGE, 65536, 100, 0), 0);
	CHECK_RC(oss_test_read(t, 65536, data, sizeof(data)), sizeof(data));
	assert_int_equal(data[99], 0);
	assert_int_equal(data[100], 'z');
	CHECK_RC(fallocate_range(t, &a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, MIB, 0), 0);
	assert_int_equal(a.size, MIB);
	assert_true(a.blocks <= 16);
}

static void preallocation_zeroing_and_holes_work(void **state)
{
	(void)state;
	oss_test_run(t_fallocate);
}

static void t_same(struct oss_test *t)
{
	struct object_attr a;

	CHECK_RC(oss_test_write(t, NULL, 0, "0123456789", 10, 0), 0);
	CHECK_RC(fallocate_range(t, &a, FALLOC_FL_KEEP_SIZE, 0, MIB, 0), 0);
	assert_true(a.blocks * 512 >= MIB);
	CHECK_RC(oss_test_punch(t, &a, 10, true, 1), 0);
	assert_int_equal(a.size, 10);
	assert_true(a.blocks * 512 <= 65536);
}

static void cutting_to_the_same_size_frees_what_was_preallocated(void **state)
{
	(void)state;
	oss_test_run(t_same);
}

static void t_fallocate_bad(struct oss_test *t)
{
	struct object_attr a;

	CHECK_RC(fallocate_range(t, &a, FALLOC_FL_COLLAPSE_RANGE, 0, 4096, 0), -EOPNOTSUPP);
	CHECK_RC(fallocate_range(t, &a, FALLOC_FL_PUNCH_HOLE, 0, 4096, 0), -EOPNOTSUPP);
	CHECK_RC(fallocate_range(t, &a, 0, 0, 0, 0), -EINVAL);
	CHECK_RC(fallocate_range(t, &a, 0, INT64_MAX, 1, 0), -EFBIG);
	CHECK_RC(oss_test_punch(t, NULL, 0, false, 9), 0);
	CHECK_RC(fallocate_range(t, &a, 0, 0, 4096, 8), -ESTALE);
	CHECK_RC(fallocate_range(t, &a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096, 9), 0);
	assert_int_equal(a.flags, 0); /* a hole in nothing */
}

static void impossible_and_late_fallocates_are_refused(void **state)
{
	(void)state;
	oss_test_run(t_fallocate_bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_truncation_cuts_and_grows_only_if_asked_to),
		cmocka_unit_test(growing_makes_the_object_and_cutting_nothing_does_not),
		cmocka_unit_test(a_truncation_that_fences_is_not_forgotten),
		cmocka_unit_test(an_object_may_be_as_long_as_any_file),
		cmocka_unit_test(preallocation_zeroing_and_holes_work),
		cmocka_unit_test(cutting_to_the_same_size_frees_what_was_preallocated),
		cmocka_unit_test(impossible_and_late_fallocates_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
