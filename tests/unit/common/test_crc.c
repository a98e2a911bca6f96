/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crc.h"
#include "tests/unit/unit.h"
#include <sys/uio.h>

/* The polynomial bit by bit. */
static uint32_t model(uint32_t crc, const uint8_t *p, size_t len)
{
	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
	}
	return ~crc;
}

static void known_values_of_crc32c(void **state)
{
	uint8_t buf[32];

	(void)state;
	assert_int_equal(crc32c_add(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c_add(0, "", 0), 0);
	memset(buf, 0, sizeof(buf)); /* RFC 3720, B.4 */
	assert_int_equal(crc32c_add(0, buf, sizeof(buf)), 0x8a9136aa);
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(crc32c_add(0, buf, sizeof(buf)), 0x62a8ab43);
}

static void any_length_and_alignment_agrees_with_the_polynomial(void **state)
{
	uint8_t buf[600];
	uint64_t seed = 1;

	(void)state;
	rnd_fill(&seed, buf, sizeof(buf));
	for (size_t at = 0; at < 17; at++)
		for (size_t len = 0; at + len < sizeof(buf); len += 1 + len / 7)
			assert_int_equal(crc32c_add(0, buf + at, len), model(0, buf + at, len));
}

static void pieces_give_the_value_of_the_whole(void **state)
{
	uint8_t buf[1000];
	uint64_t seed = 2;

	(void)state;
	rnd_fill(&seed, buf, sizeof(buf));
	for (int i = 0; i < 200; i++) {
		size_t a = rnd_below(&seed, 1001), b = a + rnd_below(&seed, 1001 - a);
		struct iovec iov[] = {{buf, a}, {buf + a, b - a}, {buf + b, 1000 - b}};
		uint32_t crc = crc32c_add(0, buf, a);

		crc = crc32c_add(crc, buf + a, b - a);
		crc = crc32c_add(crc, buf + b, 1000 - b);
		assert_int_equal(crc, crc32c_add(0, buf, 1000));
		assert_int_equal(crc32c_iov(iov, 3), crc);
	}
	assert_int_equal(crc32c_iov(NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values_of_crc32c),
		cmocka_unit_test(any_length_and_alignment_agrees_with_the_polynomial),
		cmocka_unit_test(pieces_give_the_value_of_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
