/* SPDX-License-Identifier: Apache-2.0 */
#include "blob/error.h"
#include "blob/retry.h"
#include "tests/unit/unit.h"

#define MS ((uint64_t)NSEC_PER_MSEC)

static const struct retry_policy policy = {
	.attempts = 6, .base_ms = 100, .cap_ms = 1000, .total_ms = 10000};

static void waits_double_with_jitter_up_to_the_cap(void **state)
{
	static const uint64_t most[] = {100, 200, 400, 800, 1000};
	struct blob_error e = {.kind = BLOB_BROKEN};
	uint64_t seed = 1, now = 5, delay;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		struct retry r;

		retry_init(&r, &policy, now);
		for (int i = 0; i < 5; i++) {
			assert_true(retry_next(&r, &e, now, rnd(&seed), &delay));
			assert_in_range(delay / MS, most[i] / 2, most[i]);
			now += delay;
		}
		assert_false(retry_next(&r, &e, now, rnd(&seed), &delay));
		assert_int_equal(r.failed, 6);
	}
}

static void jitter_uses_the_whole_range(void **state)
{
	struct blob_error e = {.kind = BLOB_TIMEOUT};
	struct retry r;
	uint64_t delay;

	(void)state;
	retry_init(&r, &policy, 0);
	assert_true(retry_next(&r, &e, 0, 0, &delay));
	assert_int_equal(delay, 50 * MS);
	retry_init(&r, &policy, 0);
	assert_true(retry_next(&r, &e, 0, 50, &delay));
	assert_int_equal(delay, 100 * MS);
	retry_init(&r, &policy, 0);
	assert_true(retry_next(&r, &e, 0, UINT64_MAX, &delay));
	assert_in_range(delay, 50 * MS, 100 * MS);
}

static void retry_after_is_the_least(void **state)
{
	struct blob_error e = {.kind = BLOB_THROTTLED, .retry_after_ms = 3000};
	struct retry r;
	uint64_t delay;

	(void)state;
	retry_init(&r, &policy, 0);
	assert_true(retry_next(&r, &e, 0, 7, &delay));
	assert_int_equal(delay, 3000 * MS);
	e.retry_after_ms = 1; /* less than our own patience: that counts */
	assert_true(retry_next(&r, &e, 3000 * MS, 0, &delay));
	assert_int_equal(delay, 100 * MS);
}

static void the_budget_of_time_ends_it(void **state)
{
	struct blob_error e = {.kind = BLOB_THROTTLED, .retry_after_ms = 10001};
	struct retry r;
	uint64_t delay;

	(void)state;
	retry_init(&r, &policy, 0);
	assert_false(retry_next(&r, &e, 0, 0, &delay));
	e.retry_after_ms = 6000;
	retry_init(&r, &policy, 0);
	assert_true(retry_next(&r, &e, 0, 0, &delay));
	assert_false(retry_next(&r, &e, 6000 * MS, 0, &delay));
}

static void some_errors_are_final(void **state)
{
	static const enum blob_kind final[] = {BLOB_CONFLICT,     BLOB_NOT_FOUND,  BLOB_AUTH_DENIED,
					       BLOB_AUTH_EXPIRED, BLOB_BAD_ANSWER, BLOB_CANCELED,
					       BLOB_LOCAL,        BLOB_REFUSED};
	struct retry r;
	uint64_t delay;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(final); i++) {
		struct blob_error e = {.kind = final[i]};

		retry_init(&r, &policy, 0);
		assert_false(retry_next(&r, &e, 0, 0, &delay));
	}
}

static void progress_begins_anew(void **state)
{
	struct blob_error e = {.kind = BLOB_BROKEN};
	struct retry r;
	uint64_t delay;

	(void)state;
	retry_init(&r, &policy, 0);
	for (int i = 0; i < 100; i++) {
		assert_true(retry_next(&r, &e, (uint64_t)i * 9000 * MS, 0, &delay));
		assert_int_equal(delay, 50 * MS);
		retry_progress(&r, (uint64_t)i * 9000 * MS);
	}
}

static void one_attempt_means_no_retry(void **state)
{
	struct retry_policy once = {.attempts = 1, .base_ms = 1, .cap_ms = 1, .total_ms = 1000};
	struct blob_error e = {.kind = BLOB_BROKEN};
	struct retry r;
	uint64_t delay;

	(void)state;
	retry_init(&r, &once, 0);
	assert_false(retry_next(&r, &e, 0, 0, &delay));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_double_with_jitter_up_to_the_cap),
		cmocka_unit_test(jitter_uses_the_whole_range),
		cmocka_unit_test(retry_after_is_the_least),
		cmocka_unit_test(the_budget_of_time_ends_it),
		cmocka_unit_test(some_errors_are_final),
		cmocka_unit_test(progress_begins_anew),
		cmocka_unit_test(one_attempt_means_no_retry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
