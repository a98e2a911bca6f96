/* SPDX-License-Identifier: Apache-2.0 */
#include "mgs/schema.h"
#include "tests/unit/unit.h"

static void a_target_record_survives_and_must_be_whole(void **state)
{
	struct mgs_target_rec a = {.fsname = SPAN_STR("fs"), .type = 3, .index = 7,
				   .uuid = SPAN_STR("0123456789abcdef"), .nids = SPAN_STR("x"),
				   .starts = 9}, b;
	struct wbuf w;

	(void)state;
	wbuf_init(&w, 1024);
	enc_mgs_target_rec(&w, &a);
	assert_int_equal(dec_mgs_target_rec(wbuf_span(&w), &b), 0);
	assert_true(span_eq(a.fsname, b.fsname) && span_eq(a.uuid, b.uuid));
	assert_int_equal(b.starts, 9);
	for (uint32_t n = 0; n < w.len; n++) {
		uint8_t *copy = exact_copy(w.ptr, n);

		assert_int_equal(dec_mgs_target_rec((struct span){copy, n}, &b), -EBADMSG);
		free(copy);
	}
	wbuf_fini(&w);
}

static void random_records_do_no_harm(void **state)
{
	struct mgs_target_rec t;
	struct mgs_config_rec c;
	struct mgs_param_rec p;
	uint64_t seed = 17;
	uint8_t junk[80];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint32_t n = (uint32_t)rnd_below(&seed, sizeof(junk));
		uint8_t *copy;

		rnd_fill(&seed, junk, n);
		for (uint32_t k = 1; k < n; k++)
			if (rnd(&seed) & 1)
				junk[k] = 0;
		copy = exact_copy(junk, n);
		(void)!dec_mgs_target_rec((struct span){copy, n}, &t);
		(void)!dec_mgs_param_rec((struct span){copy, n}, &p);
		(void)!dec_mgs_config_rec((struct span){copy, n}, &c);
		free(copy);
	}
}

static void tables_are_numbered_from_zero(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < MGS_NTABLES; i++) {
		assert_int_equal(mgs_tables[i].id, i);
		assert_string_equal(mgs_tables[i].name, mgs_table_texts[i].name);
		assert_int_equal(mgs_table_texts[i].key[0], ' ');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_target_record_survives_and_must_be_whole),
		cmocka_unit_test(random_records_do_no_harm),
		cmocka_unit_test(tables_are_numbered_from_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
