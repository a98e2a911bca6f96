/* SPDX-License-Identifier: Apache-2.0 */
/* test_grant.c - promises of space: how much, who may use them, and what they keep others from. */
#include "tests/unit/oss/oss_test.h"

#define OTHERS (1ULL << 60) /* more than any disk has: all is promised */

static uint64_t ask(struct oss_test *t, uint64_t want, uint32_t flags)
{
	struct oss_grant_req q = {.want = want, .flags = flags};
	struct oss_grant_rep p;
	RPC_CALL(call);

	CHECK_RC(oss_co_grant(t->imp, &call, &q, &p), 0);
	return p.grant;
}

static int put(struct oss_test *t, uint64_t off, uint32_t len, uint64_t used, uint64_t want,
	       uint64_t *got)
{
	static char data[65536];
	struct oss_write_req q = {TEST_OBJ, .off = off, .grant_used = used, .grant_want = want};
	struct oss_write_rep p;
	int rc = oss_test_write_req(t, &q, data, len, &p);

	if (rc == 0 && got)
		*got = p.grant;
	return rc;
}

static void t_given(struct oss_test *t)
{
	uint64_t n = ask(t, MIB, 0), got = 0;
	struct wbuf w;

	assert_int_equal(n, MIB);
	assert_int_equal(t->ost->granted, MIB);
	CHECK_RC(put(t, 0, 65536, 65536 + 4096, 0, NULL), 0);
	assert_int_equal(t->ost->granted, MIB - 65536 - 4096);
	CHECK_RC(put(t, 65536, 65536, 65536, 65536, &got), 0);
	assert_int_equal(got, 65536);
	assert_int_equal(t->ost->granted, MIB - 65536 - 4096);
	wbuf_init(&w, 4096);
	CHECK_RC(params_get(t->params, "obdfilter.*.tot_granted", &w), 0);
	assert_memory_equal(w.ptr, "obdfilter.lustre-OST0003.tot_granted=978944\n", w.len);
	wbuf_fini(&w);
	assert_true(ask(t, UINT64_MAX, 0) <= 256 * MIB);
	assert_true(t->ost->granted <= 256 * MIB);
	assert_int_equal(ask(t, 4096, OSS_GRANT_RETURN), 4096);
	assert_int_equal(t->ost->granted, 4096);
	assert_int_equal(t->ost->writing, 0);
}

static void space_is_promised_used_and_given_back(void **state)
{
	(void)state;
	oss_test_run(t_given);
}

static void t_others(struct oss_test *t)
{
	CHECK_RC(put(t, 0, 65536, 0, 0, NULL), 0);
	assert_int_equal(ask(t, 65536, 0), 65536);
	t->ost->granted += OTHERS;
	assert_int_equal(ask(t, 65536, 0), 0);
	CHECK_RC(put(t, 65536, 4096, 0, 0, NULL), -ENOSPC);
	CHECK_RC(put(t, 32768, 65536, 0, 0, NULL), -ENOSPC); /* only its first half is there */
	CHECK_RC(put(t, 4096, 32768, 0, 0, NULL), 0);	     /* overwritten */
	CHECK_RC(put(t, 65536, 8192, 4096, 0, NULL), -ENOSPC); /* a promise of less */
	CHECK_RC(put(t, 65536, 8192, 8192, 0, NULL), 0);
	CHECK_RC(put(t, 131072, 65536, OTHERS, 0, NULL), -ENOSPC); /* more than it has */
	assert_int_equal(t->ost->granted, OTHERS);
	t->ost->granted -= OTHERS;
	CHECK_RC(put(t, 65536, 65536, 0, 0, NULL), 0);
}

static void a_write_without_a_promise_leaves_those_of_others_alone(void **state)
{
	(void)state;
	oss_test_run(t_others);
}

static void t_holes(struct oss_test *t)
{
	CHECK_RC(put(t, MIB, 65536, 0, 0, NULL), 0); /* a hole before it */
	t->ost->granted += OTHERS;
	CHECK_RC(put(t, 0, 65536, 0, 0, NULL), -ENOSPC);
	CHECK_RC(put(t, MIB, 65536, 0, 0, NULL), 0);
	t->ost->granted -= OTHERS;
}

static void a_hole_is_not_space(void **state)
{
	(void)state;
	oss_test_run(t_holes);
}

static void t_ends(struct oss_test *t)
{
	assert_int_equal(ask(t, MIB, 0), MIB);
	rpc_import_co_destroy(t->imp, 1000);
	t->imp = NULL;
	while (rpc_service_nsessions(ost_service(t->ost)))
		co_yield();
	assert_int_equal(t->ost->granted, 0);
	oss_test_connect(t, &t->imp);
	assert_int_equal(ask(t, MIB, 0), MIB);
	oss_test_restart(t);
	assert_int_equal(t->ost->granted, 0);
	CHECK_RC(put(t, 0, 4096, 4096, 0, NULL), 0); /* a claim from before */
	assert_int_equal(t->ost->granted, 0);
}

static void promises_end_with_their_session_and_at_a_restart(void **state)
{
	(void)state;
	oss_test_run(t_ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(space_is_promised_used_and_given_back),
		cmocka_unit_test(a_write_without_a_promise_leaves_those_of_others_alone),
		cmocka_unit_test(a_hole_is_not_space),
		cmocka_unit_test(promises_end_with_their_session_and_at_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
