/* SPDX-License-Identifier: Apache-2.0 */
#include "blob/pairs.h"
#include "blob/str.h"
#include "blob/url.h"
#include "tests/unit/unit.h"

static void endpoints_are_taken_apart(void **state)
{
	struct url u;
	char host[300];

	(void)state;
	assert_int_equal(url_parse("https://acct.blob.core.windows.net", &u), 0);
	assert_true(u.tls);
	assert_string_equal(u.host, "acct.blob.core.windows.net");
	assert_int_equal(u.port, 443);
	assert_string_equal(u.path, "");
	assert_int_equal(url_parse("http://127.0.0.1:10000/devstoreaccount1/", &u), 0);
	assert_string_equal(u.path, "/devstoreaccount1");
	url_host(&u, host, sizeof(host));
	assert_string_equal(host, "127.0.0.1:10000");
	assert_int_equal(url_parse("HTTPS://x:443", &u), 0);
	url_host(&u, host, sizeof(host));
	assert_string_equal(host, "x");
	assert_int_equal(url_parse("http://[::1]:80/a/b", &u), 0);
	assert_string_equal(u.host, "[::1]");
	assert_string_equal(u.path, "/a/b");
}

static void other_endpoints_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"ftp://x",
		"http://",
		"http://:80",
		"http://x:0",
		"http://x:65536",
		"http://x:y",
		"http://u:p@x",
		"http://x?a",
		"http://x/?sig=1",
		"http://x/#a",
		"http://x y",
		"http://x/a b",
		"http://[::1",
		"http://x:80:80",
		"http://x/%41",
		"http://x\n",
		"http://x:+80",
	};
	struct url u = {.port = 7};
	char long_host[400] = "http://";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(url_parse(bad[i], &u), -EINVAL);
	memset(long_host + 7, 'a', 300);
	assert_int_equal(url_parse(long_host, &u), -EINVAL);
	assert_int_equal(u.port, 7);
}

static void encoding_is_that_of_the_signatures(void **state)
{
	struct str s = STR_INIT, back = STR_INIT;

	(void)state;
	url_encode(&s, "a/b c+~-._\xc3\xa4*'()!", true);
	assert_string_equal(s.p, "a/b%20c%2B~-._%C3%A4%2A%27%28%29%21");
	url_decode(&back, s.p);
	assert_string_equal(back.p, "a/b c+~-._\xc3\xa4*'()!");
	str_clear(&s);
	url_encode(&s, "a/b", false);
	assert_string_equal(s.p, "a%2Fb");
	str_clear(&back);
	url_decode(&back, "%zz%4%41%00%");
	assert_string_equal(back.p, "%zz%4A%00%");
	str_fini(&s);
	str_fini(&back);
}

static void queries_are_joined(void **state)
{
	struct pairs q = PAIRS_INIT;
	struct str s = STR_INIT;

	(void)state;
	url_query(&s, &q);
	assert_string_equal(str_get(&s), "");
	assert_int_equal(pairs_add(&q, "b", "x&y"), 0);
	assert_int_equal(pairs_add(&q, "a", ""), 0);
	url_query(&s, &q);
	assert_string_equal(s.p, "b=x%26y&a=");
	str_fini(&s);
	pairs_fini(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_are_taken_apart),
		cmocka_unit_test(other_endpoints_are_refused),
		cmocka_unit_test(encoding_is_that_of_the_signatures),
		cmocka_unit_test(queries_are_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
