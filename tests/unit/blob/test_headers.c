/* SPDX-License-Identifier: Apache-2.0 */
#include "blob/headers.h"
#include "tests/unit/unit.h"

static void line(struct headers *h, const char *text)
{
	char *copy = (char *)exact_copy(text, strlen(text));

	headers_line(h, copy, strlen(text));
	free(copy);
}

static void a_head_is_read(void **state)
{
	struct headers h = {0};
	uint64_t n;

	(void)state;
	line(&h, "HTTP/1.1 100 Continue\r\n");
	line(&h, "x-old: 1\r\n");
	line(&h, "\r\n");
	line(&h, "HTTP/1.1 206 Partial Content\r\n");
	line(&h, "Content-Length: 42 \r\n");
	line(&h, "ETag:\t\"x\"\r\n");
	line(&h, "empty:\r\n");
	line(&h, "\r\n");
	assert_int_equal(h.failed, 0);
	assert_int_equal(h.status, 206);
	assert_null(headers_get(&h, "x-old"));
	assert_string_equal(headers_get(&h, "etag"), "\"x\"");
	assert_string_equal(headers_get(&h, "Empty"), "");
	assert_int_equal(headers_u64(&h, "content-length", &n), 0);
	assert_int_equal(n, 42);
	assert_int_equal(headers_u64(&h, "etag", &n), -EBADMSG);
	assert_int_equal(headers_u64(&h, "none", &n), -ENOENT);
	headers_fini(&h);
}

static void hostile_heads_fail_as_a_whole(void **state)
{
	static const char *const bad[] = {
		"no colon",  ": no name", "na me: x",        "name : x",
		"x: a\001b", "HTTP/1.1",  "HTTP/1.1 2x0 OK", "HTTP/ 20",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct headers h = {0};

		line(&h, "HTTP/1.1 200 OK");
		line(&h, bad[i]);
		assert_int_equal(h.failed, -EBADMSG);
		line(&h, "fine: yes");
		assert_null(headers_get(&h, "fine"));
		headers_fini(&h);
	}
}

static void heads_are_bounded(void **state)
{
	struct headers h = {0};

	(void)state;
	for (int i = 0; i < HEADERS_HEADS_MAX; i++)
		line(&h, "HTTP/1.1 100 Continue");
	assert_int_equal(h.failed, 0);
	line(&h, "HTTP/1.1 200 OK");
	assert_int_equal(h.failed, -EBADMSG);
	headers_fini(&h);
	line(&h, "HTTP/1.1 200 OK");
	for (int i = 0; i < PAIRS_MAX; i++)
		line(&h, "a: b");
	assert_int_equal(h.failed, 0);
	line(&h, "a: b");
	assert_int_equal(h.failed, -EMSGSIZE);
	headers_fini(&h);
}

static void ranges_and_numbers(void **state)
{
	static const char *const bad[] = {"bytes 5-4/10",
					  "bytes 0-10/10",
					  "bytes -5/10",
					  "bytes 0-/10",
					  "0-1/2",
					  "bytes 0-1",
					  "bytes 0-1/",
					  "bytes 0-1/2x",
					  "bytes */10",
					  "bytes +0-1/2",
					  "bytes 0-18446744073709551616/*"};
	uint64_t a = 1, b = 1, t = 1;

	(void)state;
	assert_int_equal(headers_range("bytes 0-99/1000", &a, &b, &t), 0);
	assert_true(a == 0 && b == 99 && t == 1000);
	assert_int_equal(headers_range("Bytes 5-5/*", &a, &b, &t), 0);
	assert_true(a == 5 && b == 5 && t == UINT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(headers_range(bad[i], &a, &b, &t), -EBADMSG);
	assert_true(a == 5);
	assert_int_equal(headers_parse_u64("18446744073709551615", &a), 0);
	assert_int_equal(headers_parse_u64("18446744073709551616", &a), -EBADMSG);
	assert_int_equal(headers_parse_u64("-1", &a), -EBADMSG);
	assert_int_equal(headers_parse_u64(" 1", &a), -EBADMSG);
	assert_int_equal(headers_parse_u64("", &a), -EBADMSG);
}

static void dates_in_both_forms(void **state)
{
	static const char *const bad[] = {"",
					  "now",
					  "Wed, 32 Oct 2015 07:28:00 GMT",
					  "Wed, 21 Okt 2015 07:28:00 GMT",
					  "Wed, 21 Oct 2015 25:28:00 GMT",
					  "2015-13-21T07:28:00Z",
					  "2015-10-21 07:28:00",
					  "Wed, 21 Oct 2015 07:28:00",
					  "2015-10-21T07:28:00+01:00"};
	int64_t t;

	(void)state;
	assert_int_equal(headers_date("Wed, 21 Oct 2015 07:28:00 GMT", &t), 0);
	assert_int_equal(t, 1445412480);
	assert_int_equal(headers_date("2015-10-21T07:28:00.123Z", &t), 0);
	assert_int_equal(t, 1445412480);
	assert_int_equal(headers_date("2015-10-21T07:28:00Z", &t), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(headers_date(bad[i], &t), -EBADMSG);
}

static uint32_t after(const char *text)
{
	struct headers h = {0};
	uint32_t ms;

	line(&h, "HTTP/1.1 503 Busy");
	line(&h, text);
	ms = headers_retry_after_ms(&h, 1445412480);
	headers_fini(&h);
	return ms;
}

static void retry_after_in_all_forms(void **state)
{
	(void)state;
	assert_int_equal(after("Retry-After: 7"), 7000);
	assert_int_equal(after("Retry-After: Wed, 21 Oct 2015 07:28:05 GMT"), 5000);
	assert_int_equal(after("Retry-After: Wed, 21 Oct 2015 07:27:00 GMT"), 0);
	assert_int_equal(after("Retry-After: Wed, 21 Oct 2035 07:27:00 GMT"), 3600000);
	assert_int_equal(after("x-ms-retry-after-ms: 250"), 250);
	assert_int_equal(after("Retry-After: 99999999999"), 3600000);
	assert_int_equal(after("Retry-After: -1"), 0);
	assert_int_equal(after("Retry-After: soon"), 0);
	assert_int_equal(after("x: y"), 0);
}

static void etags_are_short_and_printable(void **state)
{
	char out[8] = "old";

	(void)state;
	assert_int_equal(headers_etag("\"123456789\"", out, sizeof(out)), -EBADMSG);
	assert_int_equal(headers_etag("", out, sizeof(out)), -EBADMSG);
	assert_int_equal(headers_etag("a b", out, sizeof(out)), -EBADMSG);
	assert_string_equal(out, "old");
	assert_int_equal(headers_etag("\"12345\"", out, sizeof(out)), 0);
	assert_string_equal(out, "\"12345\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_read),
		cmocka_unit_test(hostile_heads_fail_as_a_whole),
		cmocka_unit_test(heads_are_bounded),
		cmocka_unit_test(ranges_and_numbers),
		cmocka_unit_test(dates_in_both_forms),
		cmocka_unit_test(retry_after_in_all_forms),
		cmocka_unit_test(etags_are_short_and_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
