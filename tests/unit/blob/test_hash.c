/* SPDX-License-Identifier: Apache-2.0 */
#include "blob/hash.h"
#include "tests/unit/unit.h"

static int setup(void **state)
{
	(void)state;
	return hash_init();
}

static void digests_are_those_of_the_standards(void **state)
{
	struct iovec iov[3] = {{(char *)"a", 1}, {NULL, 0}, {(char *)"bc", 2}};
	struct hash *h = hash_md5_start();
	uint8_t md5[16], again[16], sha[32];
	char hex[65];

	(void)state;
	hash_md5(iov, 3, md5);
	hash_hex(md5, 16, hex);
	assert_string_equal(hex, "900150983cd24fb0d6963f7d28e17f72"); /* RFC 1321 */
	hash_add(h, "ab", 2);
	hash_add(h, "c", 1);
	hash_md5_end(h, again);
	assert_memory_equal(md5, again, 16);
	hash_drop(hash_md5_start());
	hash_sha256(iov, 3, sha);
	hash_hex(sha, 32, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_sha256(NULL, 0, sha);
	hash_hex(sha, 32, hex);
	assert_string_equal(hex,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hash_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, sha); /* RFC 4231, 2 */
	hash_hex(sha, 32, hex);
	assert_string_equal(hex,
			    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void base64_goes_there_and_back(void **state)
{
	static const char *const text[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
					   "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	uint64_t seed = 1;
	uint8_t in[100], out[100];
	char b64[HASH_BASE64_LEN(100)];

	(void)state;
	for (int i = 0; i < 7; i++) { /* RFC 4648 */
		hash_base64((const uint8_t *)"foobar", (size_t)i, b64);
		assert_string_equal(b64, text[i]);
		assert_int_equal(hash_unbase64(b64, out, sizeof(out)), i);
		assert_memory_equal(out, "foobar", (size_t)i);
	}
	for (int i = 0; i < 2000; i++) {
		size_t n = rnd_below(&seed, sizeof(in) + 1);

		rnd_fill(&seed, in, n);
		hash_base64(in, n, b64);
		assert_int_equal(hash_unbase64(b64, out, n), n);
		assert_memory_equal(in, out, n);
		if (n)
			assert_int_equal(hash_unbase64(b64, out, n - 1), -EINVAL);
	}
}

static void other_text_is_no_base64_and_no_hex(void **state)
{
	static const char *const bad[] = {"a",    "ab",   "abc",  "ab=c",  "a===",
					  "====", "ab!=", "ab c", "ab\n=", "\xff\xff\xff\xff"};
	uint8_t out[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(hash_unbase64(bad[i], out, sizeof(out)), -EINVAL);
	assert_int_equal(hash_unhex("00fF", out, 2), 0);
	assert_true(out[0] == 0 && out[1] == 0xff);
	assert_int_equal(hash_unhex("00f", out, 2), -EINVAL);
	assert_int_equal(hash_unhex("", out, 1), -EINVAL);
	assert_int_equal(hash_unhex("0g", out, 1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_those_of_the_standards),
		cmocka_unit_test(base64_goes_there_and_back),
		cmocka_unit_test(other_text_is_no_base64_and_no_hex),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
