/* SPDX-License-Identifier: Apache-2.0 */
/* test_read.c - reads of an object: its end, what is not there, buffers. */
#include "tests/unit/oss/oss_test.h"

static void t_short(struct oss_test *t)
{
	char data[64];

	CHECK_RC(oss_test_read(t, 0, data, sizeof(data)), 0);
	CHECK_RC(oss_test_write(t, NULL, 0, "0123456789", 10, 0), 0);
	CHECK_RC(oss_test_read(t, 0, data, sizeof(data)), 10);
	assert_memory_equal(data, "0123456789", 10);
	CHECK_RC(oss_test_read(t, 7, data, 2), 2);
	assert_memory_equal(data, "78", 2);
	CHECK_RC(oss_test_read(t, 7, data, sizeof(data)), 3);
	CHECK_RC(oss_test_read(t, 10, data, sizeof(data)), 0);
	CHECK_RC(oss_test_read(t, 1ULL << 50, data, sizeof(data)), 0);
	assert_int_equal(bulk_pool_used(t->ost->bulk), 0);
}

static void a_read_is_short_at_the_end_and_empty_without_object(void **state)
{
	(void)state;
	oss_test_run(t_short);
}

static void t_hole(struct oss_test *t)
{
	char data[8192];

	CHECK_RC(oss_test_write(t, NULL, 8191, "x", 1, 0), 0);
	memset(data, 1, sizeof(data));
	CHECK_RC(oss_test_read(t, 0, data, sizeof(data)), 8192);
	for (int i = 0; i < 8191; i++)
		assert_int_equal(data[i], 0);
	assert_int_equal(data[8191], 'x');
}

static void holes_read_as_zeros(void **state)
{
	(void)state;
	oss_test_run(t_hole);
}

static void t_bad(struct oss_test *t)
{
	struct oss_read_req q = {TEST_OBJ, .len = MAX_BULK + 1};
	struct oss_read_rep p;
	char data[8];
	RPC_CALL(large);

	CHECK_RC(oss_test_read(t, 0, data, 0), -EINVAL);
	CHECK_RC(oss_test_read(t, INT64_MAX, data, 8), -EINVAL);
	CHECK_RC(oss_co_read(t->imp, &large, &q, &p), -EINVAL);
}

static int read_as(struct oss_test *t, uint32_t trunc_gen, uint64_t power)
{
	struct oss_read_req q = {TEST_OBJ, .len = 8, .trunc_gen = trunc_gen, .power = power};
	struct oss_read_rep p;
	char data[8];
	struct iovec iov = {data, sizeof(data)};
	RPC_CALL(call);

	call.in = &iov;
	call.in_n = 1;
	return oss_co_read(t->imp, &call, &q, &p);
}

static void t_other(struct oss_test *t)
{
	struct oss_punch_req q = {TEST_OBJ, .trunc_gen = 5};
	struct oss_punch_rep p;
	RPC_CALL(call);

	CHECK_RC(oss_co_punch(t->imp, &call, &q, &p), 0);
	CHECK_RC(oss_test_write(t, NULL, 0, "0123456789", 10, 5), 0);
	CHECK_RC(read_as(t, 0, 0), 0);
	CHECK_RC(read_as(t, 5, t->ost->power), 0);
	CHECK_RC(read_as(t, 6, 0), 0);
	CHECK_RC(read_as(t, 4, 0), -ESTALE);
	CHECK_RC(read_as(t, 5, t->ost->power + 1), -ESTALE);
}

static void an_object_that_is_another_by_now_is_not_read(void **state)
{
	(void)state;
	oss_test_run(t_other);
}

static void impossible_reads_are_refused(void **state)
{
	(void)state;
	oss_test_run(t_bad);
}

enum { READERS = 40 };

static int read_piece(void *arg)
{
	struct oss_test *t = arg;
	char *data = malloc(MAX_BULK);
	int n = oss_test_read(t, 0, data, MAX_BULK);

	for (int i = 0; i < n; i += 4096)
		if (data[i] != 'r')
			n = -EBADMSG;
	free(data);
	return n == MAX_BULK ? 0 : n < 0 ? n : -EIO;
}

/* 160 MiB of answers through at most 64 MiB of buffers. */
static void t_many(struct oss_test *t)
{
	struct co_group g = CO_GROUP_INIT;
	char *data = malloc(MAX_BULK);

	memset(data, 'r', MAX_BULK);
	CHECK_RC(oss_test_write(t, NULL, 0, data, MAX_BULK, 0), 0);
	for (int i = 0; i < READERS; i++)
		co_spawn(&g, read_piece, t);
	CHECK_RC(co_join(&g), 0);
	assert_int_equal(bulk_pool_used(t->ost->bulk), 0);
	free(data);
}

static void more_reads_than_there_are_buffers_wait_and_all_end(void **state)
{
	(void)state;
	oss_test_run(t_many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_read_is_short_at_the_end_and_empty_without_object),
		cmocka_unit_test(holes_read_as_zeros),
		cmocka_unit_test(impossible_reads_are_refused),
		cmocka_unit_test(an_object_that_is_another_by_now_is_not_read),
		cmocka_unit_test(more_reads_than_there_are_buffers_wait_and_all_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
