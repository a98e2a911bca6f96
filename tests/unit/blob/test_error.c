/* SPDX-License-Identifier: Apache-2.0 */
#include "blob/error.h"
#include "tests/unit/unit.h"

static enum blob_kind kind(int http, const char *code, const char *message)
{
	struct blob_error e = {0};
	int rc = error_from_answer(&e, http, code, message);

	assert_int_equal(rc, e.rc);
	assert_true(rc < 0);
	assert_int_equal(e.http, http);
	return e.kind;
}

static void statuses_and_codes_become_kinds(void **state)
{
	(void)state;
	assert_int_equal(kind(404, "", ""), BLOB_NOT_FOUND);
	assert_int_equal(kind(403, "AuthorizationFailure", ""), BLOB_AUTH_DENIED);
	assert_int_equal(kind(403, "ExpiredToken", ""), BLOB_AUTH_EXPIRED);
	assert_int_equal(kind(403, "AuthenticationFailed",
			      "Signature not valid in the specified time frame: Start ..."),
			 BLOB_AUTH_EXPIRED);
	assert_int_equal(kind(401, "InvalidAuthenticationInfo", ""), BLOB_AUTH_EXPIRED);
	assert_int_equal(kind(412, "ConditionNotMet", ""), BLOB_CONFLICT);
	assert_int_equal(kind(409, "BlobAlreadyExists", ""), BLOB_CONFLICT);
	assert_int_equal(kind(409, "OperationAborted", ""), BLOB_SERVER);
	assert_int_equal(kind(400, "InvalidBlockList", ""), BLOB_CONFLICT);
	assert_int_equal(kind(400, "Md5Mismatch", ""), BLOB_CORRUPT);
	assert_int_equal(kind(400, "InvalidOperation", "Provided contentMD5 doesn't match."),
			 BLOB_CORRUPT);
	assert_int_equal(kind(400, "RequestTimeout", ""), BLOB_TIMEOUT);
	assert_int_equal(kind(429, "", ""), BLOB_THROTTLED);
	assert_int_equal(kind(503, "SlowDown", ""), BLOB_THROTTLED);
	assert_int_equal(kind(500, "OperationTimedOut", ""), BLOB_TIMEOUT);
	assert_int_equal(kind(500, "", ""), BLOB_SERVER);
	assert_int_equal(kind(501, "", ""), BLOB_UNSUPPORTED);
	assert_int_equal(kind(400, "", ""), BLOB_REFUSED);
	assert_int_equal(kind(307, "", ""), BLOB_BAD_ANSWER);
	assert_int_equal(kind(999, "", ""), BLOB_BAD_ANSWER);
	assert_int_equal(kind(0, "", ""), BLOB_BAD_ANSWER);
}

static void only_some_kinds_are_tried_again(void **state)
{
	(void)state;
	assert_true(error_may_retry(BLOB_THROTTLED));
	assert_true(error_may_retry(BLOB_BROKEN));
	assert_true(error_may_retry(BLOB_CORRUPT));
	assert_false(error_may_retry(BLOB_OK));
	assert_false(error_may_retry(BLOB_CONFLICT));
	assert_false(error_may_retry(BLOB_AUTH_DENIED));
	assert_false(error_may_retry(BLOB_CANCELED));
	assert_false(error_may_retry((enum blob_kind)1000));
	assert_string_equal(error_kind_str((enum blob_kind)1000), "unknown");
}

static void secrets_are_blotted_out(void **state)
{
	static const char *const with[] = {
		"https://a/b?sv=1&sig=SECRET&se=2",
		"https://a/b?SIG=SECRET",
		"src=https%3A%2F%2Fa%3Fsig%3DSECRET%26x",
		"Authorization: SharedKey account:SECRET",
		"got SharedKey account:SECRET and more",
		"Bearer SECRET",
		"AWS4-HMAC-SHA256 Credential=SECRET/2013/x, SignedHeaders=a, Signature=SECRET",
		"X-Amz-Security-Token=SECRET&a",
		"X-Amz-Signature=SECRET",
		"DefaultEndpointsProtocol=https;AccountName=a;AccountKey=SECRET;Endpoint=b",
		"{\"access_token\":\"SECRET\",\"x\":1}",
		"sig=SECRET sig=SECRET sig=S",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(with); i++) {
		struct blob_error e = {0};
		char text[512];

		error_set(&e, BLOB_REFUSED, "%s", with[i]);
		assert_null(strstr(e.words, "SECRET"));
		assert_non_null(strchr(e.words, '*'));
		error_from_answer(&e, 400, "sig=SECRET", with[i]);
		snprintf(e.request_id, sizeof(e.request_id), "%s", "id");
		error_print(&e, text, sizeof(text));
		assert_null(strstr(text, "SECRET"));
	}
}

static void texts_are_one_clean_line(void **state)
{
	struct blob_error e = {0};
	char text[512], big[2000];

	(void)state;
	error_from_answer(&e, 500, "A\033[31mB", "one\ttwo\033x\r\nRequestId:1");
	assert_string_equal(e.words, "one two?x");
	assert_string_equal(e.code, "A?[31mB");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	error_from_answer(&e, 500, big, big);
	assert_true(strlen(e.words) < sizeof(e.words) && strlen(e.code) < sizeof(e.code));
	error_from_answer(&e, 500, "", "\n\nlate");
	assert_string_equal(e.words, "late");
	error_from_answer(&e, 503, "ServerBusy", "\n");
	snprintf(e.request_id, sizeof(e.request_id), "17");
	error_print(&e, text, sizeof(text));
	assert_string_equal(text, "throttled (503 ServerBusy, request 17): throttled");
}

static void a_callers_error_keeps_its_number(void **state)
{
	struct blob_error e = {0};

	(void)state;
	assert_int_equal(error_local(&e, -EFBIG, "no"), -EFBIG);
	assert_int_equal(e.kind, BLOB_LOCAL);
	assert_int_equal(error_local(&e, -ECANCELED, "no"), -ECANCELED);
	assert_int_equal(e.kind, BLOB_CANCELED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses_and_codes_become_kinds),
		cmocka_unit_test(only_some_kinds_are_tried_again),
		cmocka_unit_test(secrets_are_blotted_out),
		cmocka_unit_test(texts_are_one_clean_line),
		cmocka_unit_test(a_callers_error_keeps_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
