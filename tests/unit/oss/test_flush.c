/* SPDX-License-Identifier: Apache-2.0 */
/* test_flush.c - what was written becomes stable by itself, at the pace that is set. */
#include "oss/flush.h"
#include "tests/unit/oss/oss_test.h"

static void pace(struct oss_test *t, const char *ms)
{
	struct wbuf w;

	wbuf_init(&w, 8192);
	CHECK_RC(params_set(t->params, "obdfilter.*.stable_ms", ms, &w), 0);
	wbuf_fini(&w);
}

static bool is_stable(struct oss_test *t)
{
	return cache_stable(t->ost->cache) == cache_changes(t->ost->cache);
}

static void wait_stable(struct oss_test *t)
{
	for (int i = 0; i < 3000 && !is_stable(t); i++)
		co_sleep(10 * NSEC_PER_MSEC);
	assert_true(is_stable(t));
}

static void t_pace(struct oss_test *t)
{
	uint64_t stable;

	assert_int_equal(t->ost->stable_ms, STABLE_MS);
	pace(t, "10");
	wait_stable(t);
	CHECK_RC(oss_test_write(t, NULL, 0, "some", 4, 0), 0);
	assert_false(is_stable(t));
	wait_stable(t);
	pace(t, "0");
	stable = cache_stable(t->ost->cache);
	CHECK_RC(oss_test_write(t, NULL, 0, "more", 4, 0), 0);
	co_sleep(100 * NSEC_PER_MSEC);
	assert_int_equal(cache_stable(t->ost->cache), stable);
}

static void what_was_written_becomes_stable_at_the_pace_that_is_set(void **state)
{
	(void)state;
	oss_test_run(t_pace);
}

static void t_end(struct oss_test *t)
{
	oss_test_unserve(t); /* in its first pace */
	oss_test_serve(t);
	pace(t, "0");
	CHECK_RC(oss_test_write(t, NULL, 0, "some", 4, 0), 0);
}

static void a_target_ends_at_once_whatever_its_flusher_waits_for(void **state)
{
	(void)state;
	oss_test_run(t_end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_becomes_stable_at_the_pace_that_is_set),
		cmocka_unit_test(a_target_ends_at_once_whatever_its_flusher_waits_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
