/* SPDX-License-Identifier: Apache-2.0 */
/* test_write.c - writes of an object: its birth, its attributes, generations of truncation. */
#include "tests/unit/oss/oss_test.h"

static void t_birth(struct oss_test *t)
{
	struct object_attr a;
	char path[200], obj[OBJECT_PATH_MAX];
	struct object_id id = {TEST_OBJ};

	CHECK_RC(oss_test_getattr(t, &a), 0);
	assert_int_equal(a.flags, 0);
	assert_int_equal(a.size, 0);
	snprintf(path, sizeof(path), "%s/%s", t->dir, object_path(&id, obj));
	assert_int_equal(access(path, F_OK), -1);
	CHECK_RC(oss_test_write(t, &a, 10, "hello", 5, 0), 0);
	assert_int_equal(a.flags, OBJ_EXISTS);
	assert_int_equal(a.size, 15);
	assert_int_equal(access(path, F_OK), 0);
}

static void an_object_comes_to_be_at_its_first_write(void **state)
{
	(void)state;
	oss_test_run(t_birth);
}

static void t_times(struct oss_test *t)
{
	struct object_attr a, b;
	int64_t before = loop_realtime(t->l);

	CHECK_RC(oss_test_write(t, &a, 0, "x", 1, 0), 0);
	assert_true(a.mtime >= before && a.mtime <= loop_realtime(t->l));
	CHECK_RC(oss_test_write(t, &b, 0, "x", 1, 0), 0);
	assert_true(b.mtime > a.mtime && b.version > a.version);
	CHECK_RC(oss_test_getattr(t, &a), 0);
	assert_true(a.mtime == b.mtime && a.version == b.version);
	oss_test_restart(t);
	CHECK_RC(oss_test_getattr(t, &a), 0);
	assert_true(a.mtime == b.mtime);
}

static void every_write_moves_the_time_on_and_a_restart_keeps_it(void **state)
{
	(void)state;
	oss_test_run(t_times);
}

static void t_blocks(struct oss_test *t)
{
	struct object_attr a;
	char *data = calloc(1, MIB);

	memset(data, 'b', MIB);
	CHECK_RC(oss_test_write(t, &a, 0, data, MIB, 0), 0);
	assert_true(a.blocks * 512 >= MIB && a.blocks * 512 <= MIB + 65536);
	CHECK_RC(oss_test_write(t, &a, 100 * MIB, data, 4096, 0), 0);
	assert_int_equal(a.size, 100 * MIB + 4096);
	assert_true(a.blocks * 512 <= MIB + 131072);
	free(data);
}

static void blocks_count_what_is_allocated(void **state)
{
	(void)state;
	oss_test_run(t_blocks);
}

static void t_gen(struct oss_test *t)
{
	struct object_attr a;

	CHECK_RC(oss_test_write(t, NULL, 0, "abc", 3, 0), 0);
	CHECK_RC(oss_test_punch(t, NULL, 1, false, 5), 0);
	CHECK_RC(oss_test_write(t, NULL, 1, "late", 4, 4), -ESTALE);
	CHECK_RC(oss_test_write(t, &a, 1, "now", 3, 5), 0);
	assert_int_equal(a.size, 4);
	CHECK_RC(oss_test_write(t, NULL, 1, "new", 3, 7), 0); /* heard of before the punch */
	CHECK_RC(oss_test_write(t, NULL, 1, "old", 3, 6), -ESTALE);
	oss_test_restart(t);
	CHECK_RC(oss_test_write(t, NULL, 1, "old", 3, 6), -ESTALE);
	CHECK_RC(oss_test_write(t, NULL, 1, "new", 3, 7), 0);
}

static void a_write_from_before_a_truncation_is_refused_also_after_a_restart(void **state)
{
	(void)state;
	oss_test_run(t_gen);
}

static void t_gen_absent(struct oss_test *t)
{
	struct object_attr a;

	CHECK_RC(oss_test_punch(t, &a, 0, false, 3), 0);
	assert_int_equal(a.flags, 0);
	CHECK_RC(oss_test_write(t, NULL, 0, "late", 4, 2), -ESTALE);
	CHECK_RC(oss_test_write(t, NULL, 0, "now", 3, 3), 0);
}

static void a_late_write_does_not_make_an_object_that_was_cut_before_it_was(void **state)
{
	(void)state;
	oss_test_run(t_gen_absent);
}

static void t_bad(struct oss_test *t)
{
	struct oss_write_req q = {TEST_OBJ};
	struct oss_write_rep p;
	struct iovec iov = {(void *)(uintptr_t)"x", 1};
	RPC_CALL(none);
	RPC_CALL(call);

	CHECK_RC(oss_co_write(t->imp, &none, &q, &p), -EINVAL);
	CHECK_RC(oss_test_write(t, NULL, INT64_MAX, "x", 1, 0), -EFBIG);
	CHECK_RC(oss_test_write(t, NULL, UINT64_MAX, "x", 1, 0), -EFBIG);
	q.comp = 0;
	call.out = &iov;
	call.out_n = 1;
	CHECK_RC(oss_co_write(t->imp, &call, &q, &p), -EINVAL);
}

static void impossible_writes_are_refused(void **state)
{
	(void)state;
	oss_test_run(t_bad);
}

struct writer {
	struct oss_test *t;
	uint32_t nr;
};

enum { WRITERS = 24, PIECE = 300000 };

static int write_piece(void *arg)
{
	struct writer *w = arg;
	char *data = malloc(PIECE);
	int rc;

	memset(data, 'a' + (int)w->nr, PIECE);
	rc = oss_test_write(w->t, NULL, (uint64_t)w->nr * PIECE, data, PIECE, 0);
	free(data);
	return rc;
}

static void t_parallel(struct oss_test *t)
{
	struct writer w[WRITERS];
	struct co_group g = CO_GROUP_INIT;
	char *data = malloc(PIECE);

	for (uint32_t i = 0; i < WRITERS; i++) {
		w[i] = (struct writer){t, i};
		co_spawn(&g, write_piece, &w[i]);
	}
	CHECK_RC(co_join(&g), 0);
	for (uint32_t i = 0; i < WRITERS; i++) {
		CHECK_RC(oss_test_read(t, (uint64_t)i * PIECE, data, PIECE), PIECE);
		for (uint32_t k = 0; k < PIECE; k++)
			assert_int_equal(data[k], 'a' + (int)i);
	}
	free(data);
	assert_int_equal(bulk_pool_used(t->ost->bulk), 0);
}

static void parallel_writes_into_one_object_all_arrive(void **state)
{
	(void)state;
	oss_test_run(t_parallel);
}

static void t_sync(struct oss_test *t)
{
	struct oss_write_req q = {TEST_OBJ, .flags = OSS_WRITE_SYNC};
	struct oss_write_rep p;
	struct iovec iov = {(void *)(uintptr_t)"stable", 6};
	struct oss_sync_req sq = {.fid = TEST_FID, .comp = 1, .stripe = 1};
	struct oss_sync_rep sp;
	RPC_CALL(call);
	RPC_CALL(sync);

	call.out = &iov;
	call.out_n = 1;
	CHECK_RC(oss_co_write(t->imp, &call, &q, &p), 0);
	assert_int_equal(p.size, 6);
	CHECK_RC(oss_co_sync(t->imp, &sync, &sq, &sp), 0);
	assert_int_equal(sp.flags, 0); /* nothing there is stable, too */
}

static void a_synchronous_write_and_a_sync_are_answered(void **state)
{
	(void)state;
	oss_test_run(t_sync);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_comes_to_be_at_its_first_write),
		cmocka_unit_test(every_write_moves_the_time_on_and_a_restart_keeps_it),
		cmocka_unit_test(blocks_count_what_is_allocated),
		cmocka_unit_test(a_write_from_before_a_truncation_is_refused_also_after_a_restart),
		cmocka_unit_test(a_late_write_does_not_make_an_object_that_was_cut_before_it_was),
		cmocka_unit_test(impossible_writes_are_refused),
		cmocka_unit_test(parallel_writes_into_one_object_all_arrive),
		cmocka_unit_test(a_synchronous_write_and_a_sync_are_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
