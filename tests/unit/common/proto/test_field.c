/* SPDX-License-Identifier: Apache-2.0 */
#include "common/limits.h"
#include "common/proto/field.h"
#include "tests/unit/unit.h"

static struct wbuf w;

static int setup(void **state)
{
	(void)state;
	wbuf_init(&w, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	wbuf_fini(&w);
	return 0;
}

static void integers_are_little_endian_and_packed(void **state)
{
	static const uint8_t want[] = {1,    3,    2,    7,    6,    5,    4,    0xff, 0xff,
				       0xff, 0xff, 8,    7,    6,    5,    4,    3,    2,
				       1,    0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t a = 1;
	uint16_t b = 0x0203;
	uint32_t c = 0x04050607;
	int32_t d = -1;
	uint64_t e = 0x0102030405060708;
	int64_t f = -2;
	struct rbuf r;

	(void)state;
	enc_u8(&w, &a), enc_u16(&w, &b), enc_u32(&w, &c), enc_i32(&w, &d), enc_u64(&w, &e),
		enc_i64(&w, &f);
	assert_int_equal(w.len, sizeof(want));
	assert_memory_equal(w.ptr, want, sizeof(want));
	a = 0, b = 0, c = 0, d = 0, e = 0, f = 0;
	r = rbuf_of(wbuf_span(&w));
	assert_int_equal(dec_u8(&r, &a) | dec_u16(&r, &b) | dec_u32(&r, &c) | dec_i32(&r, &d) |
			 dec_u64(&r, &e) | dec_i64(&r, &f), 0);
	assert_int_equal(a, 1);
	assert_int_equal(b, 0x0203);
	assert_int_equal(c, 0x04050607);
	assert_int_equal(d, -1);
	assert_int_equal(e, 0x0102030405060708);
	assert_int_equal(f, -2);
	assert_int_equal(r.len, 0);
	assert_int_equal(dec_u8(&r, &a), -EBADMSG);
}

static void fids_must_be_sane_or_zero(void **state)
{
	struct fid good[] = {FID_ROOT, {0}, {0x200000401, 5, 0}}, f = {1, 2, 3};
	struct rbuf r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		w.len = 0;
		enc_fid(&w, &good[i]);
		r = rbuf_of(wbuf_span(&w));
		assert_int_equal(dec_fid(&r, &f), 0);
		assert_true(fid_eq(&f, &good[i]));
	}
	f = (struct fid){1, 2, 3};
	w.len = 0;
	enc_fid(&w, &f);
	r = rbuf_of(wbuf_span(&w));
	assert_int_equal(dec_fid(&r, &f), -EBADMSG);
}

static int dec_text(int (*dec)(struct rbuf *r, struct span *v), const void *bytes, uint32_t len)
{
	struct span s = {bytes, len}, got;
	struct rbuf r;
	uint8_t *copy;
	int rc;

	w.len = 0;
	enc_blob(&w, &s);
	copy = exact_copy(w.ptr, w.len);
	r = (struct rbuf){copy, w.len};
	rc = dec(&r, &got);
	if (rc == 0) {
		assert_true(span_eq(got, s));
		assert_int_equal(r.len, 0);
	}
	free(copy);
	return rc;
}

static void names_are_one_path_component(void **state)
{
	char name[MAX_NAME + 2];

	(void)state;
	memset(name, 'n', sizeof(name));
	assert_int_equal(dec_text(dec_name, "a", 1), 0);
	assert_int_equal(dec_text(dec_name, "...", 3), 0);
	assert_int_equal(dec_text(dec_name, ".a", 2), 0);
	assert_int_equal(dec_text(dec_name, "\xff\xfe", 2), 0);
	assert_int_equal(dec_text(dec_name, name, MAX_NAME), 0);
	assert_int_equal(dec_text(dec_name, name, MAX_NAME + 1), -EBADMSG);
	assert_int_equal(dec_text(dec_name, "", 0), -EBADMSG);
	assert_int_equal(dec_text(dec_name, ".", 1), -EBADMSG);
	assert_int_equal(dec_text(dec_name, "..", 2), -EBADMSG);
	assert_int_equal(dec_text(dec_name, "a/b", 3), -EBADMSG);
	assert_int_equal(dec_text(dec_name, "a\0b", 3), -EBADMSG);
	assert_int_equal(dec_text(dec_optname, "", 0), 0);
	assert_int_equal(dec_text(dec_optname, "..", 2), -EBADMSG);
}

static void strings_have_no_nul_and_a_limit(void **state)
{
	char *text = malloc(MAX_PATH + 1);

	(void)state;
	memset(text, 'x', MAX_PATH + 1);
	assert_int_equal(dec_text(dec_str, "", 0), 0);
	assert_int_equal(dec_text(dec_str, text, MAX_PATH), 0);
	assert_int_equal(dec_text(dec_str, text, MAX_PATH + 1), -EBADMSG);
	assert_int_equal(dec_text(dec_str, "a\0", 2), -EBADMSG);
	assert_int_equal(dec_text(dec_blob, "a\0", 2), 0);
	free(text);
}

static void a_length_beyond_the_buffer_is_refused(void **state)
{
	uint32_t lens[] = {1, 5, UINT32_MAX, UINT32_MAX - 3, 0x80000000};
	struct span s;
	struct rbuf r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		w.len = 0;
		enc_u32(&w, &lens[i]);
		r = rbuf_of(wbuf_span(&w));
		assert_int_equal(dec_blob(&r, &s), -EBADMSG);
	}
}

static void attributes_survive_and_break_off_cleanly(void **state)
{
	struct attr a, b;
	uint64_t seed = 13;
	struct rbuf r;

	(void)state;
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	a.mode = 0100644, a.size = rnd(&seed), a.mtime = -5, a.trunc_gen = 9, a.flags = 1,
	a.btime = 3;
	enc_attr(&w, &a);
	r = rbuf_of(wbuf_span(&w));
	assert_int_equal(dec_attr(&r, &b), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	for (uint32_t n = 0; n < w.len; n++) {
		uint8_t *copy = exact_copy(w.ptr, n);

		r = (struct rbuf){copy, n};
		assert_int_equal(dec_attr(&r, &b), -EBADMSG);
		free(copy);
	}
}

static void a_buffer_never_grows_beyond_its_limit(void **state)
{
	uint8_t mem[4];
	struct wbuf f;

	(void)state;
	wbuf_init(&f, 10);
	wbuf_put(&f, "0123456789", 10);
	assert_int_equal(f.rc, 0);
	assert_null(wbuf_take(&f, 1));
	assert_int_equal(f.rc, -EMSGSIZE);
	assert_int_equal(f.len, 10);
	wbuf_put(&f, "", 0); /* the error sticks */
	assert_int_equal(f.rc, -EMSGSIZE);
	wbuf_fini(&f);
	wbuf_init(&f, UINT32_MAX);
	wbuf_put(&f, "x", 1);
	assert_null(wbuf_take(&f, UINT32_MAX));
	assert_int_equal(f.rc, -EMSGSIZE);
	wbuf_fini(&f);
	wbuf_init_fixed(&f, mem, sizeof(mem));
	wbuf_put(&f, "abcd", 4);
	assert_int_equal(f.rc, 0);
	wbuf_put(&f, "e", 1);
	assert_int_equal(f.rc, -EMSGSIZE);
	wbuf_fini(&f);
}

static void growing_keeps_what_was_written(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 10000; i++)
		enc_u32(&w, &i);
	for (uint32_t i = 0; i < 10000; i++)
		assert_memory_equal(w.ptr + 4 * i, &i, 4);
}

static void debug_output_escapes_what_peers_send(void **state)
{
	char buf[300] = "";
	FILE *f = fmemopen(buf, sizeof(buf), "w");
	struct span s = {(const uint8_t *)"a\n\x1b[31m", 7};
	struct fid id = FID_ROOT;
	char longer[100];

	(void)state;
	memset(longer, 'x', sizeof(longer));
	dbg_name(f, &s);
	dbg_fid(f, &id);
	s = (struct span){(const uint8_t *)longer, sizeof(longer)};
	dbg_str(f, &s);
	fclose(f);
	assert_non_null(strstr(buf, "\"a\\x0a\\x1b[31m\"[0x200000007:0x1:0x0]\"xxx"));
	assert_non_null(strstr(buf, "x\"+36"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(integers_are_little_endian_and_packed),
		T(fids_must_be_sane_or_zero),
		T(names_are_one_path_component),
		T(strings_have_no_nul_and_a_limit),
		T(a_length_beyond_the_buffer_is_refused),
		T(attributes_survive_and_break_off_cleanly),
		T(a_buffer_never_grows_beyond_its_limit),
		T(growing_keeps_what_was_written),
		T(debug_output_escapes_what_peers_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
