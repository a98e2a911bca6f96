/* SPDX-License-Identifier: Apache-2.0 */
/* test_object.c - names and records of objects. */
#include "common/crc.h"
#include "common/proto/field.h"
#include "oss/object.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct object_id some = {{0x200000401, 0x1f2ab, 0}, 1, 1999};

static void impossible_ids_are_refused(void **state)
{
	struct object_id id = some;

	(void)state;
	assert_int_equal(object_id_check(&id), 0);
	id.comp = 0;
	assert_int_equal(object_id_check(&id), -EINVAL);
	id = some;
	id.stripe = MAX_STRIPES;
	assert_int_equal(object_id_check(&id), -EINVAL);
	id = some;
	id.fid = FID_ROOT;
	assert_int_equal(object_id_check(&id), -EINVAL);
	id.fid = (struct fid){0};
	assert_int_equal(object_id_check(&id), -EINVAL);
}

static void a_path_shows_sequence_low_byte_and_name(void **state)
{
	char path[OBJECT_PATH_MAX];

	(void)state;
	assert_string_equal(object_path(&some, path), "O/200000401/ab/1f2ab.1.1999");
}

static void the_longest_path_fits(void **state)
{
	struct object_id id = {{FID_SEQ_MAX, FID_OID_MAX, 0}, UINT32_MAX, MAX_STRIPES - 1}, back;
	char path[OBJECT_PATH_MAX];

	(void)state;
	assert_int_equal(object_path_parse(object_path(&id, path), &back), 0);
	assert_true(object_id_eq(&id, &back));
}

static void only_exact_paths_parse(void **state)
{
	static const char *const bad[] = {
		"",
		"O",
		"O/200000401/ab/1f2ab.1",
		"O/200000401/ac/1f2ab.1.1999",
		"O/200000401/ab/1f2ab.1.1999x",
		"O/0200000401/ab/1f2ab.1.1999",
		"O/200000401/ab/1f2ab.01.1999",
		"O/200000401/ab/1f2ab.0.1999",
		"O/200000401/ab/1f2ab.1.2000",
		"O/7/ab/1f2ab.1.1",
		"O/200000401/ab/-1.1.1",
		"O/target",
		"O/ 200000401/ab/1f2ab.1.1999",
	};
	struct object_id id;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(object_path_parse(bad[i], &id), -EINVAL);
	assert_int_equal(object_path_parse("O/200000401/ab/1f2ab.1.1999", &id), 0);
	assert_true(object_id_eq(&id, &some));
}

static void a_record_comes_back_as_it_was(void **state)
{
	struct object_record in = {.fid = some.fid,
				   .comp = 1,
				   .stripe = 1999,
				   .trunc_gen = 77,
				   .vsize = INT64_MAX,
				   .wtime = -5,
				   .mtime = 7,
				   .layout = {STRIPE_SIZE_MAX, MAX_STRIPES, 32767},
				   .sealed = true},
			     out;
	struct wbuf w;

	(void)state;
	wbuf_init(&w, OBJECT_RECORD_MAX);
	object_record_enc(&w, &in);
	assert_int_equal(w.rc, 0);
	assert_true(w.len <= 64); /* or it would not fit into the inode */
	assert_int_equal(object_record_dec(wbuf_span(&w), &out), 0);
	assert_int_equal(out.version, 2);
	assert_true(fid_eq(&out.fid, &in.fid));
	assert_true(out.comp == 1 && out.stripe == 1999 && out.trunc_gen == 77);
	assert_true(out.vsize == INT64_MAX && out.wtime == -5 && out.mtime == 7);
	assert_int_equal(out.layout.stripe_size, STRIPE_SIZE_MAX);
	assert_int_equal(out.layout.stripe_count, MAX_STRIPES);
	assert_int_equal(out.layout.gen, 32767);
	assert_true(out.sealed);
	wbuf_fini(&w);
}

static void a_record_of_the_first_version_knows_no_layout(void **state)
{
	static const uint8_t old[] = {
		1, 0, 0, 0, 1, 4, 0, 0, 2,  0, 0, 0, 0xab, 0xf2, 1, 0, 0, 0, 0, 0, /* fid */
		1, 0, 0, 0, 3, 0, 0, 0, 77, 0, 0, 0, 9,    0,    0, 0, 0, 0, 0, 0, /* to vsize */
		5, 0, 0, 0, 0, 0, 0, 0, 7,  0, 0, 0, 0,    0,    0, 0};
	struct object_record out;
	struct wbuf w;
	uint32_t crc = crc32c_add(0, old, sizeof(old));

	(void)state;
	wbuf_init(&w, OBJECT_RECORD_MAX);
	wbuf_put(&w, old, sizeof(old));
	enc_u32(&w, &crc);
	assert_int_equal(object_record_dec(wbuf_span(&w), &out), 0);
	assert_true(fid_eq(&out.fid, &some.fid));
	assert_int_equal(out.stripe, 3);
	assert_int_equal(out.trunc_gen, 77);
	assert_int_equal(out.vsize, 9);
	assert_int_equal(out.wtime, 5);
	assert_int_equal(out.mtime, 7);
	assert_int_equal(out.layout.stripe_count, 0);
	wbuf_fini(&w);
}

static void every_damaged_record_is_noticed(void **state)
{
	struct object_record in = {.fid = some.fid, .comp = 1, .trunc_gen = 77}, out;
	struct wbuf w;

	(void)state;
	wbuf_init(&w, OBJECT_RECORD_MAX);
	object_record_enc(&w, &in);
	for (uint32_t bit = 0; bit < w.len * 8; bit++) {
		w.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(object_record_dec(wbuf_span(&w), &out), -EUCLEAN);
		w.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (uint32_t len = 0; len < w.len; len++)
		assert_int_equal(object_record_dec((struct span){w.ptr, len}, &out), -EUCLEAN);
	wbuf_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(impossible_ids_are_refused),
		cmocka_unit_test(a_path_shows_sequence_low_byte_and_name),
		cmocka_unit_test(the_longest_path_fits),
		cmocka_unit_test(only_exact_paths_parse),
		cmocka_unit_test(a_record_comes_back_as_it_was),
		cmocka_unit_test(a_record_of_the_first_version_knows_no_layout),
		cmocka_unit_test(every_damaged_record_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
