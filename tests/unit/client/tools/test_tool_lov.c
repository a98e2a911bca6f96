/* SPDX-License-Identifier: Apache-2.0 */
/* test_tool_lov.c - layout blobs: what common/lov.c writes is read whole, what is built is
 * understood there, and nothing that is cut or random is read beyond its end. */
#include "client/tools/tool_lov.h"
#include "common/proto/field.h"
#include "tests/unit/unit.h"

static const struct fid file = {0x200000401, 0x1f, 0};

static void encode(struct layout *l, struct wbuf *w)
{
	wbuf_init(w, MAX_XATTR_VALUE);
	assert_int_equal(lov_enc(w, l, &file), 0);
	layout_free(l);
}

static void a_plain_layout_is_read_with_its_objects(void **state)
{
	const uint32_t ost[] = {3, 0};
	struct tool_lov lov;
	struct layout *l;
	struct wbuf w;

	(void)state;
	assert_int_equal(layout_plain(1 << 20, 2, -1, "flash", ost, &l), 0);
	l->gen = 5;
	encode(l, &w);
	assert_int_equal(tool_lov_parse(w.ptr, w.len, &lov), 0);
	assert_false(lov.composite);
	assert_int_equal(lov.ncomp, 1);
	assert_int_equal(lov.comp[0].magic, LOV_MAGIC_V3);
	assert_string_equal(lov.comp[0].pool, "flash");
	assert_int_equal(lov.comp[0].stripe_size, 1 << 20);
	assert_int_equal(lov.comp[0].stripe_count, 2);
	assert_int_equal(lov.comp[0].gen, 5);
	assert_int_equal(lov.comp[0].oid, file.oid);
	assert_int_equal(lov.comp[0].seq, file.seq);
	assert_int_equal(lov.comp[0].nobj, 2);
	assert_int_equal(lov.comp[0].obj[0].idx, 3);
	assert_int_equal(lov.comp[0].obj[1].idx, 0);
	assert_int_equal(lov.comp[0].obj[1].id, file.oid | 1ULL << 32);
	assert_int_equal(lov.comp[0].obj[1].group, file.seq);
	tool_lov_free(&lov);
	wbuf_fini(&w);
}

static void every_cut_of_a_blob_is_refused_or_read_in_bounds(void **state)
{
	const uint32_t ost[] = {3, 0, 7};
	struct tool_lov lov;
	struct layout *l;
	struct wbuf w;
	uint8_t *copy;
	uint32_t len;
	int rc;

	(void)state;
	assert_int_equal(layout_plain(1 << 20, 3, -1, "", ost, &l), 0);
	encode(l, &w);
	for (len = 0; len < w.len; len++) {
		copy = exact_copy(w.ptr, len);
		rc = tool_lov_parse(copy, len, &lov);
		if (rc == 0)
			tool_lov_free(&lov);
		else
			assert_int_equal(rc, -EINVAL);
		free(copy);
	}
	wbuf_fini(&w);
}

static void random_bytes_do_no_harm(void **state)
{
	static const uint32_t magics[] = {LOV_MAGIC_V1, LOV_MAGIC_V3, LOV_MAGIC_SPECIFIC,
					  LOV_MAGIC_COMP_V1, 0x0BD70BD0};
	uint64_t seed = 42;
	struct tool_lov lov;
	uint8_t *blob;
	size_t len;
	int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		len = 4 + rnd_below(&seed, 300);
		blob = malloc(len);
		rnd_fill(&seed, blob, len);
		memcpy(blob, &magics[rnd_below(&seed, ARRAY_SIZE(magics))], 4);
		if (len > 40 && i % 2) /* few entries with small offsets, to come further */
			memset(blob + 4, (int)rnd_below(&seed, 4), 36 + rnd_below(&seed, len - 40));
		if (tool_lov_parse(blob, len, &lov) == 0)
			tool_lov_free(&lov);
		free(blob);
	}
}

static void what_setstripe_builds_is_understood(void **state)
{
	const uint32_t ost[] = {5, 1, 2};
	struct tool_stripe_wish wish = {.stripe_size = 1 << 20,
					.stripe_count = 3,
					.stripe_offset = 5,
					.nost = 3,
					.ost = ost};
	struct layout *l;
	struct wbuf w;

	(void)state;
	wbuf_init(&w, MAX_XATTR_VALUE);
	assert_int_equal(tool_lov_build(&wish, &w), 0);
	assert_int_equal(lov_dec(wbuf_span(&w), &l), 0);
	assert_int_equal(l->comp[0].stripe_count, 3);
	assert_memory_equal(l->comp[0].ost, ost, sizeof(ost));
	layout_free(l);
	wbuf_fini(&w);

	wish = (struct tool_stripe_wish){.stripe_count = -1, .stripe_offset = -1};
	wbuf_init(&w, MAX_XATTR_VALUE);
	assert_int_equal(tool_lov_build(&wish, &w), 0);
	assert_int_equal(w.len, 32);
	assert_int_equal(lov_dec(wbuf_span(&w), &l), 0);
	assert_int_equal(l->comp[0].stripe_count, -1);
	assert_int_equal(l->comp[0].stripe_offset, -1);
	assert_int_equal(l->comp[0].stripe_size, 0);
	layout_free(l);
	wbuf_fini(&w);
}

static void patterns_have_names(void **state)
{
	char buf[64];

	(void)state;
	assert_string_equal(tool_lov_pattern(0, buf, sizeof(buf)), "0");
	assert_string_equal(tool_lov_pattern(1, buf, sizeof(buf)), "raid0");
	assert_string_equal(tool_lov_pattern(0x201, buf, sizeof(buf)), "raid0,overstriped");
	assert_string_equal(tool_lov_pattern(0x100, buf, sizeof(buf)), "mdt");
	assert_string_equal(tool_lov_pattern(0x80000001, buf, sizeof(buf)), "raid0,released");
	assert_string_equal(tool_lov_pattern(0x80000000, buf, sizeof(buf)), "released");
	assert_string_equal(tool_lov_pattern(0x11, buf, sizeof(buf)), "11");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_layout_is_read_with_its_objects),
		cmocka_unit_test(every_cut_of_a_blob_is_refused_or_read_in_bounds),
		cmocka_unit_test(random_bytes_do_no_harm),
		cmocka_unit_test(what_setstripe_builds_is_understood),
		cmocka_unit_test(patterns_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
