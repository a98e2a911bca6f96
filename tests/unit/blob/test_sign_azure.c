/* SPDX-License-Identifier: Apache-2.0 */
/* The strings to sign are the examples of "Authorize with Shared Key", Azure Storage REST API. */
#include "blob/req.h"
#include "blob/sign_azure.h"
#include "blob/str.h"
#include "tests/unit/unit.h"

static int setup(void **state)
{
	(void)state;
	return hash_init();
}

static void fini(struct req *r)
{
	pairs_fini(&r->query);
	pairs_fini(&r->headers);
}

static void get_of_container_metadata(void **state)
{
	struct req r = {.method = "GET", .path = "/mycontainer"};
	struct str text = STR_INIT;

	(void)state;
	assert_int_equal(pairs_add(&r.query, "timeout", "20"), 0);
	assert_int_equal(pairs_add(&r.query, "restype", "container"), 0);
	assert_int_equal(pairs_add(&r.query, "comp", "metadata"), 0);
	assert_int_equal(pairs_add(&r.headers, "x-ms-version", "2015-02-21"), 0);
	assert_int_equal(pairs_add(&r.headers, "x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"), 0);
	assert_int_equal(sign_azure_string(&r, "myaccount", &text), 0);
	assert_string_equal(text.p,
			    "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\n"
			    "x-ms-version:2015-02-21\n/myaccount/"
			    "mycontainer\ncomp:metadata\nrestype:container\n"
			    "timeout:20");
	str_fini(&text);
	fini(&r);
}

static void put_of_a_blob(void **state)
{
	struct req r = {.method = "PUT", .path = "/mycontainer/my%20blob", .body_len = 11};
	struct azure_key key = {.account = "myaccount", .key = "0123456789abcdef", .key_len = 16};
	struct str text = STR_INIT;

	(void)state;
	assert_int_equal(pairs_add(&r.headers, "X-Ms-Meta-M2", "v2"), 0);
	assert_int_equal(pairs_add(&r.headers, "x-ms-blob-type", "BlockBlob"), 0);
	assert_int_equal(pairs_add(&r.headers, "x-ms-date", "Sun, 02 Aug 2009 17:30:45 GMT"), 0);
	assert_int_equal(pairs_add(&r.headers, "Content-Type", "text/plain; charset=UTF-8"), 0);
	assert_int_equal(pairs_add(&r.headers, "Content-MD5", "XrY7u+Ae7tCTyyK7j1rNww=="), 0);
	assert_int_equal(pairs_add(&r.headers, "If-None-Match", "*"), 0);
	assert_int_equal(pairs_add(&r.headers, "Range", "bytes=0-1"), 0);
	assert_int_equal(sign_azure_string(&r, "myaccount", &text), 0);
	assert_string_equal(text.p, "PUT\n\n\n11\nXrY7u+Ae7tCTyyK7j1rNww==\ntext/plain; "
				    "charset=UTF-8\n\n\n\n*\n\nbytes=0-1\n"
				    "x-ms-blob-type:BlockBlob\nx-ms-date:Sun, 02 Aug 2009 17:30:45 "
				    "GMT\nx-ms-meta-m2:v2\n"
				    "/myaccount/mycontainer/my%20blob");
	/* HMAC-SHA256 of that text, computed by `openssl dgst -sha256 -mac HMAC`. */
	assert_int_equal(sign_azure(&r, &key), 0);
	assert_string_equal(pairs_get(&r.headers, "Authorization"),
			    "SharedKey myaccount:1/FLiwAP5t3HXZSdhu1SWj9rhgBG456Z+JMzgrU26cI=");
	str_fini(&text);
	fini(&r);
}

static void an_empty_body_has_no_length(void **state)
{
	struct req r = {.method = "PUT", .path = "/c/b"};
	struct str text = STR_INIT;

	(void)state;
	assert_int_equal(sign_azure_string(&r, "a", &text), 0);
	assert_string_equal(text.p, "PUT\n\n\n\n\n\n\n\n\n\n\n\n/a/c/b");
	str_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_of_container_metadata),
		cmocka_unit_test(put_of_a_blob),
		cmocka_unit_test(an_empty_body_has_no_length),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
