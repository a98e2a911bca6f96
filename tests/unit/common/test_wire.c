/* SPDX-License-Identifier: Apache-2.0 */
#include "common/limits.h"
#include "common/wire.h"
#include "tests/unit/unit.h"

static struct wire_hdr sample(void)
{
	return (struct wire_hdr){
		.version = WIRE_VERSION, .rpc = 200, .flags = WIRE_REPLY, .slot = 7, .status = -2,
		.epoch = 3, .xid = 0x1122334455667788, .session = 5, .transno = 6,
		.last_committed = 4, .body_len = 5, .bulk_len = 9, .bulk_crc = 0xdeadbeef,
		.deadline_ms = 1000, .boot_id = 99, .job = 12, .reply_len = 3,
		.time = 0x0102030405060708,
	};
}

static void a_header_survives_the_way(void **state)
{
	struct wire_hdr h = sample(), g;
	uint8_t raw[WIRE_HDR_LEN];

	(void)state;
	wire_enc(&h, "hello", raw);
	assert_int_equal(wire_dec(raw, &g), 0);
	assert_int_equal(wire_check(raw, "hello", 5), 0);
	assert_int_equal(g.version, h.version);
	assert_int_equal(g.rpc, h.rpc);
	assert_int_equal(g.flags, h.flags);
	assert_int_equal(g.slot, h.slot);
	assert_int_equal(g.status, h.status);
	assert_int_equal(g.epoch, h.epoch);
	assert_int_equal(g.xid, h.xid);
	assert_int_equal(g.session, h.session);
	assert_int_equal(g.transno, h.transno);
	assert_int_equal(g.last_committed, h.last_committed);
	assert_int_equal(g.body_len, h.body_len);
	assert_int_equal(g.bulk_len, h.bulk_len);
	assert_int_equal(g.bulk_crc, h.bulk_crc);
	assert_int_equal(g.deadline_ms, h.deadline_ms);
	assert_int_equal(g.boot_id, h.boot_id);
	assert_int_equal(g.job, h.job);
	assert_int_equal(g.reply_len, h.reply_len);
	assert_int_equal(g.time, h.time);
}

static void the_bytes_are_those_of_the_documentation(void **state)
{
	/* clang-format off */
	static const uint8_t want[WIRE_HDR_LEN] = {
		0x53, 0x48, 0x45, 0x4e,			/* "SHEN" */
		0, 0, 0, 0,				/* crc, compared apart */
		1, 0, 200, 0, 1, 0, 7, 0,		/* version rpc flags slot */
		0xfe, 0xff, 0xff, 0xff, 3, 0, 0, 0,	/* status epoch */
		0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
		5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0,
		5, 0, 0, 0, 9, 0, 0, 0, 0xef, 0xbe, 0xad, 0xde, 0xe8, 3, 0, 0,
		99, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 3, 0, 0, 0,
		8, 7, 6, 5, 4, 3, 2, 1,
	};
	/* clang-format on */
	struct wire_hdr h = sample();
	uint8_t raw[WIRE_HDR_LEN];

	(void)state;
	wire_enc(&h, "hello", raw);
	assert_memory_equal(raw, want, 4);
	assert_memory_equal(raw + 8, want + 8, WIRE_HDR_LEN - 8);
}

static void every_changed_bit_is_noticed(void **state)
{
	struct wire_hdr h = sample();
	uint8_t raw[WIRE_HDR_LEN];
	char body[] = "hello";

	(void)state;
	wire_enc(&h, body, raw);
	for (int bit = 0; bit < WIRE_HDR_LEN * 8; bit++) {
		raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(wire_check(raw, body, 5), -EBADMSG);
		raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (int bit = 0; bit < 5 * 8; bit++) {
		body[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(wire_check(raw, body, 5), -EBADMSG);
		body[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_int_equal(wire_check(raw, body, 4), -EBADMSG);
	assert_int_equal(wire_check(raw, body, 5), 0);
}

static void lengths_and_versions_are_checked_before_anything_else(void **state)
{
	struct wire_hdr h = sample(), g;
	uint8_t raw[WIRE_HDR_LEN], body[1] = {0};

	(void)state;
	h.body_len = h.reply_len = 0;
	h.bulk_len = MAX_BULK;
	wire_enc(&h, body, raw);
	assert_int_equal(wire_dec(raw, &g), 0);
	h.bulk_len = MAX_BULK + 1;
	wire_enc(&h, body, raw);
	assert_int_equal(wire_dec(raw, &g), -EMSGSIZE);
	h.bulk_len = UINT32_MAX;
	wire_enc(&h, body, raw);
	assert_int_equal(wire_dec(raw, &g), -EMSGSIZE);
	h = sample();
	wire_enc(&h, "hello", raw);
	memset(raw + 56, 0xff, 4); /* body_len */
	assert_int_equal(wire_dec(raw, &g), -EMSGSIZE);
	h.version = WIRE_VERSION + 1;
	wire_enc(&h, "hello", raw);
	assert_int_equal(wire_dec(raw, &g), -EPROTONOSUPPORT);
	raw[0] = 'G';
	assert_int_equal(wire_dec(raw, &g), -EPROTO);
}

static void random_headers_never_pass(void **state)
{
	uint8_t raw[WIRE_HDR_LEN];
	uint64_t seed = 3;
	struct wire_hdr g;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		rnd_fill(&seed, raw, sizeof(raw));
		if (i & 1)
			memcpy(raw, "SHEN", 4);
		if (wire_dec(raw, &g) == 0)
			assert_int_equal(wire_check(raw, NULL, 0), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_survives_the_way),
		cmocka_unit_test(the_bytes_are_those_of_the_documentation),
		cmocka_unit_test(every_changed_bit_is_noticed),
		cmocka_unit_test(lengths_and_versions_are_checked_before_anything_else),
		cmocka_unit_test(random_headers_never_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
