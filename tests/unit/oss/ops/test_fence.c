/* SPDX-License-Identifier: Apache-2.0 */
/* test_fence.c - fences against writes of clients that are gone, and writes that were kept back. */
#include "tests/unit/oss/oss_test.h"

static int fence(struct oss_test *t, struct object_attr *a, uint32_t gen)
{
	struct oss_fence_req q = {TEST_OBJ, .trunc_gen = gen};
	struct oss_fence_rep p;
	RPC_CALL(call);
	int rc = oss_co_fence(t->imp, &call, &q, &p);

	if (rc == 0)
		OST_REPLY_ATTR(a, p);
	return rc;
}

static void t_fence(struct oss_test *t)
{
	struct object_attr a;

	CHECK_RC(fence(t, &a, 3), 0);
	assert_int_equal(a.flags, OBJ_EXISTS); /* or a restart would forget the number */
	assert_int_equal(a.size, 0);
	CHECK_RC(oss_test_write(t, NULL, 0, "old", 3, 2), -ESTALE);
	CHECK_RC(fence(t, &a, 2), -ESTALE);
	oss_test_restart(t);
	CHECK_RC(oss_test_write(t, NULL, 0, "old", 3, 2), -ESTALE);
	CHECK_RC(oss_test_write(t, &a, 0, "new", 3, 3), 0);
	CHECK_RC(fence(t, &a, 4), 0);
	assert_int_equal(a.size, 3); /* nothing is cut */
}

static void a_fence_refuses_older_writes_also_after_a_restart(void **state)
{
	(void)state;
	oss_test_run(t_fence);
}

static void late(struct oss_test *t, struct object_attr *a, uint64_t age, int64_t written)
{
	struct oss_write_req q = {TEST_OBJ, .age = age, .written = written};
	struct oss_write_rep p;

	CHECK_RC(oss_test_write_req(t, &q, "late", 4, &p), 0);
	OST_REPLY_ATTR(a, p);
}

static void t_late(struct oss_test *t)
{
	const int64_t s = NSEC_PER_SEC;
	int64_t now = loop_realtime(t->l);
	struct object_attr a, b;

	late(t, &a, (uint64_t)(20 * s), now - 20 * s);
	assert_true(a.mtime == now - 20 * s);
	oss_test_restart(t);
	CHECK_RC(oss_test_getattr(t, &b), 0);
	assert_true(b.mtime == a.mtime);
	late(t, &b, (uint64_t)(10 * s), now - 10 * s);
	assert_true(b.mtime == now - 10 * s && b.version > a.version);
	late(t, &a, (uint64_t)(15 * s), now - 15 * s); /* overtaken */
	assert_true(a.mtime == b.mtime && a.version > b.version);
	late(t, &a, (uint64_t)(2 * s), now + 1000 * s); /* a clock that is wrong */
	assert_true(a.mtime >= now - 2 * s && a.mtime <= loop_realtime(t->l) - 2 * s);
}

static void a_late_write_has_the_time_at_which_it_was_made(void **state)
{
	(void)state;
	oss_test_run(t_late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fence_refuses_older_writes_also_after_a_restart),
		cmocka_unit_test(a_late_write_has_the_time_at_which_it_was_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
