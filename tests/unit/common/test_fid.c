/* SPDX-License-Identifier: Apache-2.0 */
#include "common/fid.h"
#include "tests/unit/unit.h"

static void printed_form_is_lustres(void **state)
{
	struct fid f = {0x200000401, 0x1f, 0};
	char buf[FID_STRLEN];

	(void)state;
	assert_string_equal(fid_str(&f, buf), "[0x200000401:0x1f:0x0]");
	assert_string_equal(fid_str(&FID_ROOT, buf), "[0x200000007:0x1:0x0]");
	f = (struct fid){UINT64_MAX, UINT32_MAX, UINT32_MAX};
	assert_string_equal(fid_str(&f, buf), "[0xffffffffffffffff:0xffffffff:0xffffffff]");
	assert_true(strlen(buf) < FID_STRLEN);
}

static void parse_takes_what_is_printed_and_no_brackets(void **state)
{
	uint64_t seed = 1;
	struct fid f, g;
	char buf[FID_STRLEN];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		f = (struct fid){rnd(&seed) >> rnd_below(&seed, 64), (uint32_t)rnd(&seed),
				 (uint32_t)rnd(&seed)};
		assert_int_equal(fid_parse(fid_str(&f, buf), &g), 0);
		assert_true(fid_eq(&f, &g));
		buf[strlen(buf) - 1] = 0;
		assert_int_equal(fid_parse(buf + 1, &g), 0);
		assert_true(fid_eq(&f, &g));
	}
	assert_int_equal(fid_parse("0X1AbC:0x01:0x0", &g), 0);
	assert_int_equal(g.seq, 0x1abc);
}

static void parse_refuses_everything_else(void **state)
{
	static const char *const bad[] = {
		"",
		"[",
		"]",
		"[]",
		"[0x1]",
		"[0x1:0x2]",
		"[0x1:0x2:0x3",
		"0x1:0x2:0x3]",
		"[0x1:0x2:0x3] ",
		" [0x1:0x2:0x3]",
		"[0x1:0x2:0x3]x",
		"[1:2:3]",
		"[0x:0x2:0x3]",
		"[0x1:0x100000000:0x0]",
		"[0x10000000000000000:0x1:0x0]",
		"[0x1:0x2:0x100000000]",
		"[0x1::0x3]",
		"[0x1:0x2:0x3:0x4]",
		"[-0x1:0x2:0x3]",
		"[0x1 :0x2:0x3]",
		"[0xg:0x1:0x0]",
		"[0x1:0x2:]",
		":::",
		"0x",
		"[0x1;0x2:0x3]",
	};
	struct fid f = {7, 7, 7};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(fid_parse(bad[i], &f), -EINVAL);
	assert_int_equal(f.seq, 7);
}

static void random_text_is_never_misread(void **state)
{
	static const char alphabet[] = "[]:0x123fF ";
	uint64_t seed = 2;
	char text[40];
	struct fid f;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t n = rnd_below(&seed, sizeof(text) - 1);
		char *copy;

		for (size_t k = 0; k < n; k++)
			text[k] = alphabet[rnd_below(&seed, sizeof(alphabet) - 1)];
		text[n] = 0;
		copy = (char *)exact_copy(text, n + 1);
		if (fid_parse(copy, &f) == 0)
			assert_true(strlen(copy) >= strlen("0x0:0x0:0x0"));
		free(copy);
	}
}

static void inode_numbers_are_injective_and_invert(void **state)
{
	uint64_t seed = 3, ino;
	struct fid f, g;

	(void)state;
	assert_int_equal(fid_to_ino(&FID_ROOT), 1);
	for (ino = 1; ino < 10; ino++)
		if (fid_from_ino(ino, &f) == 0)
			assert_int_equal(fid_to_ino(&f), ino);
	for (int i = 0; i < 100000; i++) {
		f.seq = FID_SEQ_NORMAL + 1 + (rnd(&seed) >> (18 + rnd_below(&seed, 44)));
		if (f.seq > FID_SEQ_MAX)
			f.seq = FID_SEQ_MAX;
		f.oid = 1 + (uint32_t)rnd_below(&seed, FID_OID_MAX);
		f.ver = 0;
		ino = fid_to_ino(&f);
		assert_int_equal(fid_from_ino(ino, &g), 0);
		assert_true(fid_eq(&f, &g));
		assert_true(ino < 1ULL << 63); /* positive as ino_t in any program */
	}
}

static void fixed_objects_have_distinct_small_numbers(void **state)
{
	struct fid all[] = {FID_ROOT, FID_DOT_LUSTRE, FID_DOT_LUSTRE_FID, FID_LOST_FOUND};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_true(fid_is_sane(&all[i]));
		assert_false(fid_is_normal(&all[i]));
		assert_int_equal(fid_to_ino(&all[i]), i + 1);
	}
}

static void limits_of_sane_fids(void **state)
{
	struct fid f = {FID_SEQ_NORMAL, 1, 0};

	(void)state;
	assert_false(fid_is_sane(&f));
	f.seq++;
	assert_true(fid_is_normal(&f));
	f.oid = FID_OID_MAX;
	assert_true(fid_is_normal(&f));
	f.oid++;
	assert_false(fid_is_sane(&f));
	f.oid = 0;
	assert_false(fid_is_sane(&f));
	f = (struct fid){FID_SEQ_MAX, 1, 0};
	assert_true(fid_is_sane(&f));
	f.seq++;
	assert_false(fid_is_sane(&f));
	f = FID_ROOT;
	f.ver = 1;
	assert_false(fid_is_sane(&f));
	f = (struct fid){0};
	assert_false(fid_is_sane(&f));
	assert_true(fid_is_zero(&f));
}

static void numbers_without_fid_are_stale(void **state)
{
	struct fid f;

	(void)state;
	assert_int_equal(fid_from_ino(0, &f), -ESTALE);
	assert_int_equal(fid_from_ino(5, &f), -ESTALE);
	assert_int_equal(fid_from_ino(1 << 17, &f), -ESTALE);	 /* oid 0 */
	assert_int_equal(fid_from_ino((1 << 17) + 1, &f), -ESTALE); /* sequence 0x200000400 */
	assert_int_equal(fid_from_ino((2 << 17) + 1, &f), 0);
	assert_int_equal(fid_from_ino(UINT64_MAX, &f), -ESTALE);
	assert_int_equal(fid_from_ino(INT64_MAX, &f), 0);
	assert_int_equal(f.seq, FID_SEQ_MAX);
	assert_int_equal(f.oid, FID_OID_MAX);
}

static void order_is_by_sequence_then_object_then_version(void **state)
{
	struct fid a = {1, 2, 3}, b = {1, 2, 3};

	(void)state;
	assert_int_equal(fid_cmp(&a, &b), 0);
	b.ver = 4;
	assert_true(fid_cmp(&a, &b) < 0 && fid_cmp(&b, &a) > 0);
	a.oid = 3;
	assert_true(fid_cmp(&a, &b) > 0 && fid_cmp(&b, &a) < 0);
	b.seq = 2;
	assert_true(fid_cmp(&a, &b) < 0 && fid_cmp(&b, &a) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printed_form_is_lustres),
		cmocka_unit_test(parse_takes_what_is_printed_and_no_brackets),
		cmocka_unit_test(parse_refuses_everything_else),
		cmocka_unit_test(random_text_is_never_misread),
		cmocka_unit_test(inode_numbers_are_injective_and_invert),
		cmocka_unit_test(fixed_objects_have_distinct_small_numbers),
		cmocka_unit_test(limits_of_sane_fids),
		cmocka_unit_test(numbers_without_fid_are_stale),
		cmocka_unit_test(order_is_by_sequence_then_object_then_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
