/* SPDX-License-Identifier: Apache-2.0 */
/* The vectors of "Signature Calculations for the Authorization Header", Amazon S3 API Reference. */
#include "blob/req.h"
#include "blob/sign_s3.h"
#include "blob/str.h"
#include "tests/unit/unit.h"

#define EMPTY  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define MAY_24 1369353600 /* 20130524T000000Z */

static const struct s3_key key = {.id = "AKIAIOSFODNN7EXAMPLE",
				  .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
				  .region = "us-east-1"};

static int setup(void **state)
{
	(void)state;
	return hash_init();
}

static struct req request(const char *method, const char *path)
{
	return (struct req){
		.method = method, .path = path, .host = "examplebucket.s3.amazonaws.com"};
}

static void signed_as(struct req *r, const char *payload, const char *signature)
{
	const char *auth;

	assert_int_equal(sign_s3(r, &key, MAY_24, payload), 0);
	auth = pairs_get(&r->headers, "Authorization");
	assert_non_null(auth);
	assert_string_equal(strstr(auth, "Signature=") + 10, signature);
	assert_non_null(strstr(
		auth, "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "));
	pairs_fini(&r->query);
	pairs_fini(&r->headers);
}

static void get_of_an_object(void **state)
{
	struct req r = request("GET", "/test.txt");

	(void)state;
	assert_int_equal(pairs_add(&r.headers, "Range", "bytes=0-9"), 0);
	signed_as(&r, EMPTY, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void put_of_an_object(void **state)
{
	struct req r = request("PUT", "/test%24file.text");

	(void)state;
	assert_int_equal(pairs_add(&r.headers, "x-amz-storage-class", "REDUCED_REDUNDANCY"), 0);
	assert_int_equal(pairs_add(&r.headers, "Date", "Fri, 24 May 2013 00:00:00 GMT"), 0);
	signed_as(&r, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
		  "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void get_of_the_life_cycle(void **state)
{
	struct req r = request("GET", "/");

	(void)state;
	assert_int_equal(pairs_add(&r.query, "lifecycle", ""), 0);
	signed_as(&r, EMPTY, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

static void list_of_objects(void **state)
{
	struct req r = request("GET", "/");

	(void)state;
	/* In the wrong order: the signature sorts. */
	assert_int_equal(pairs_add(&r.query, "prefix", "J"), 0);
	assert_int_equal(pairs_add(&r.query, "max-keys", "2"), 0);
	signed_as(&r, EMPTY, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void the_canonical_form(void **state)
{
	struct req r = request("GET", "/a%20b");
	struct str text = STR_INIT, names = STR_INIT;

	(void)state;
	assert_int_equal(pairs_add(&r.query, "b", "x y/z"), 0);
	assert_int_equal(pairs_add(&r.query, "a-b", "1"), 0);
	assert_int_equal(pairs_add(&r.query, "a", "\xc3\xa4"), 0);
	assert_int_equal(pairs_add(&r.headers, "X-Amz-Meta-A", "  two   words  "), 0);
	assert_int_equal(pairs_add(&r.headers, "Range", ""), 0);
	assert_int_equal(sign_s3_canonical(&r, "HASH", &text, &names), 0);
	assert_string_equal(
		text.p, "GET\n/a%20b\na=%C3%A4&a-b=1&b=x%20y%2Fz\n"
			"host:examplebucket.s3.amazonaws.com\nrange:\nx-amz-meta-a:two words\n\n"
			"host;range;x-amz-meta-a\nHASH");
	str_fini(&text);
	str_fini(&names);
	pairs_fini(&r.query);
	pairs_fini(&r.headers);
}

static void a_session_token_is_sent_and_signed(void **state)
{
	struct s3_key with = key;
	struct req r = request("GET", "/");

	(void)state;
	snprintf(with.token, sizeof(with.token), "%s", "the/token==");
	assert_int_equal(sign_s3(&r, &with, MAY_24, S3_UNSIGNED), 0);
	assert_string_equal(pairs_get(&r.headers, "x-amz-security-token"), "the/token==");
	assert_string_equal(pairs_get(&r.headers, "x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
	assert_non_null(strstr(pairs_get(&r.headers, "Authorization"), ";x-amz-security-token,"));
	pairs_fini(&r.headers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_of_an_object),
		cmocka_unit_test(put_of_an_object),
		cmocka_unit_test(get_of_the_life_cycle),
		cmocka_unit_test(list_of_objects),
		cmocka_unit_test(the_canonical_form),
		cmocka_unit_test(a_session_token_is_sent_and_signed),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
