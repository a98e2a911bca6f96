/* SPDX-License-Identifier: Apache-2.0 */
/* test_lov.c - Lustre's binary layouts against bytes written down by hand from the format. */
#include "common/lov.h"
#include "common/proto/field.h"
#include "tests/unit/unit.h"

static const struct fid file = {0x200000401, 0x1f, 0};

/* clang-format off */
static const uint8_t golden_v1[] = {
	0xd0, 0x0b, 0xd1, 0x0b,				/* magic */
	0x01, 0, 0, 0,					/* pattern */
	0x1f, 0, 0, 0, 0, 0, 0, 0,			/* lmm_oi.id = oid */
	0x01, 0x04, 0, 0, 0x02, 0, 0, 0,		/* lmm_oi.seq */
	0, 0, 0x40, 0,					/* stripe size 4 MiB */
	2, 0,						/* stripe count */
	7, 0,						/* layout generation */
	0x1f, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x04, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0,
	0x1f, 0, 0, 0, 1, 0, 0, 0, 0x01, 0x04, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0, 0, 0,
};
static const uint8_t golden_v3_default[] = {
	0xd0, 0x0b, 0xd3, 0x0b, 0x01, 0, 0, 0, 0x1f, 0, 0, 0, 0, 0, 0, 0,
	0x01, 0x04, 0, 0, 0x02, 0, 0, 0, 0, 0, 0x10, 0,					/* 1 MiB */
	0xff, 0xff,					/* all OSTs */
	0xff, 0xff,					/* any OST */
	'f', 'l', 'a', 's', 'h', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
static const uint8_t golden_specific[] = {
	0xd0, 0x0b, 0xd5, 0x0b, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0x01, 0,					/* 64 KiB */
	2, 0, 0xff, 0xff,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
};
/* Two components: 0..1 MiB without objects, 1 MiB..EOF on OST 9. */
static const uint8_t golden_composite[] = {
	0xd0, 0x0b, 0xd6, 0x0b, 0xd8, 0, 0, 0,		/* magic, size 216 */
	3, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0,		/* gen, flags, entries, mirrors, ec */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,		/* pads */
	1, 0, 0, 0, 0, 0, 0, 0,				/* id, flags */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0,	/* extent */
	0x80, 0, 0, 0, 0x20, 0, 0, 0,			/* offset 128, size 32 */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	2, 0, 0, 0, 0x10, 0, 0, 0,
	0, 0, 0x10, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xa0, 0, 0, 0, 0x38, 0, 0, 0,			/* offset 160, size 56 */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0xd0, 0x0b, 0xd1, 0x0b, 0x01, 0, 0, 0, 0x1f, 0, 0, 0, 0, 0, 0, 0,
	0x01, 0x04, 0, 0, 0x02, 0, 0, 0, 0, 0, 0x40, 0, 4, 0, 0xff, 0xff,
	0xd0, 0x0b, 0xd1, 0x0b, 0x01, 0, 0, 0, 0x1f, 0, 0, 0, 0, 0, 0, 0,
	0x01, 0x04, 0, 0, 0x02, 0, 0, 0, 0, 0, 0x40, 0, 1, 0, 3, 0,
	0x1f, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x04, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0,
};
/* clang-format on */

static struct layout *composite(void)
{
	struct layout *l;

	assert_int_equal(layout_alloc(2, 1, &l), 0);
	l->gen = 3;
	l->comp[1].ost = l->comp[0].ost;
	l->comp[1].ost[0] = 9;
	l->comp[0].ost = NULL;
	for (uint32_t i = 0; i < 2; i++) {
		struct layout_comp *c = &l->comp[i];

		c->id = i + 1;
		c->pattern = LAYOUT_RAID0;
		c->stripe_size = 4U << 20;
		c->stripe_count = i ? 1 : 4;
		c->stripe_offset = -1;
		c->start = i ? 1 << 20 : 0;
		c->end = i ? LAYOUT_EOF : 1 << 20;
		c->flags = i ? LCME_INIT : 0;
	}
	return l;
}

static void assert_enc(struct layout *l, const uint8_t *want, size_t len)
{
	struct wbuf w;

	wbuf_init(&w, MAX_XATTR_VALUE);
	assert_int_equal(lov_enc(&w, l, &file), 0);
	assert_int_equal(w.len, len);
	assert_memory_equal(w.ptr, want, len);
	wbuf_fini(&w);
	layout_free(l);
}

static void files_and_defaults_have_lustres_bytes(void **state)
{
	uint32_t ost[] = {3, 10};
	struct layout *l;

	(void)state;
	assert_int_equal(layout_plain(4U << 20, 2, -1, NULL, ost, &l), 0);
	l->gen = 7;
	assert_enc(l, golden_v1, sizeof(golden_v1));
	assert_int_equal(layout_plain(1U << 20, -1, -1, "flash", NULL, &l), 0);
	assert_enc(l, golden_v3_default, sizeof(golden_v3_default));
	assert_enc(composite(), golden_composite, sizeof(golden_composite));
}

static struct layout *dec(const void *blob, uint32_t len)
{
	uint8_t *copy = exact_copy(blob, len);
	struct layout *l;

	assert_int_equal(lov_dec((struct span){copy, len}, &l), 0);
	assert_int_equal(layout_check(l), 0);
	free(copy);
	return l;
}

static void a_copied_file_layout_keeps_size_and_count_only(void **state)
{
	struct layout *l = dec(golden_v1, sizeof(golden_v1));

	(void)state;
	assert_int_equal(l->ncomp, 1);
	assert_int_equal(l->comp[0].stripe_size, 4U << 20);
	assert_int_equal(l->comp[0].stripe_count, 2);
	assert_int_equal(l->comp[0].stripe_offset, -1);
	assert_int_equal(l->comp[0].start, 0);
	assert_int_equal(l->comp[0].end, LAYOUT_EOF);
	assert_null(l->comp[0].ost);
	layout_free(l);
}

static void a_wish_keeps_its_first_ost_and_pool(void **state)
{
	struct layout *l = dec(golden_v1, 32);

	(void)state;
	assert_int_equal(l->comp[0].stripe_offset, 7);
	layout_free(l);
	l = dec(golden_v3_default, sizeof(golden_v3_default));
	assert_int_equal(l->comp[0].stripe_offset, -1);
	assert_int_equal(l->comp[0].stripe_count, -1);
	assert_string_equal(l->comp[0].pool, "flash");
	layout_free(l);
}

static void an_explicit_list_of_osts_is_kept(void **state)
{
	struct layout *l = dec(golden_specific, sizeof(golden_specific));

	(void)state;
	assert_non_null(l->comp[0].ost);
	assert_int_equal(l->comp[0].stripe_count, 2);
	assert_int_equal(l->comp[0].ost[0], 5);
	assert_int_equal(l->comp[0].ost[1], 1);
	assert_int_equal(l->comp[0].stripe_offset, 5);
	assert_int_equal(l->comp[0].flags, 0);
	layout_free(l);
}

static void a_composite_layout_is_read_as_a_wish(void **state)
{
	struct layout *l = dec(golden_composite, sizeof(golden_composite));

	(void)state;
	assert_int_equal(l->ncomp, 2);
	assert_int_equal(l->comp[0].end, 1 << 20);
	assert_int_equal(l->comp[1].start, 1 << 20);
	assert_int_equal(l->comp[1].id, 2);
	assert_int_equal(l->comp[0].stripe_count, 4);
	assert_false(layout_has_objects(l));
	layout_free(l);
}

static void what_was_written_reads_as_the_same_wish(void **state)
{
	uint64_t seed = 9;

	(void)state;
	for (int i = 0; i < 500; i++) {
		int32_t count = (int32_t)rnd_below(&seed, 20) - 1;
		int32_t offset = rnd(&seed) & 1 ? -1 : (int32_t)rnd_below(&seed, 1000);
		uint32_t size = (uint32_t)rnd_below(&seed, 65535) * STRIPE_SIZE_UNIT;
		struct layout *l, *d;
		struct wbuf w;

		assert_int_equal(layout_plain(size, count, offset, i & 1 ? "p1" : "", NULL, &l), 0);
		wbuf_init(&w, MAX_XATTR_VALUE);
		assert_int_equal(lov_enc(&w, l, &file), 0);
		d = dec(w.ptr, w.len);
		assert_int_equal(d->comp[0].stripe_count, count);
		assert_int_equal(d->comp[0].stripe_offset, offset);
		assert_int_equal(d->comp[0].stripe_size, size);
		assert_string_equal(d->comp[0].pool, l->comp[0].pool);
		layout_free(l);
		layout_free(d);
		wbuf_fini(&w);
	}
}

static void truncated_blobs_are_refused_at_every_length(void **state)
{
	static const struct span all[] = {
		{golden_v3_default, sizeof(golden_v3_default)},
		{golden_specific, sizeof(golden_specific)},
		{golden_composite, sizeof(golden_composite)},
	};
	struct layout *l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		for (uint32_t n = 0; n < all[i].len; n++) {
			uint8_t *copy = exact_copy(all[i].ptr, n);

			assert_int_equal(lov_dec((struct span){copy, n}, &l), -EINVAL);
			free(copy);
		}
	for (uint32_t n = 0; n < sizeof(golden_v1); n++)
		if (n != 32) {
			uint8_t *copy = exact_copy(golden_v1, n);

			assert_int_equal(lov_dec((struct span){copy, n}, &l), -EINVAL);
			free(copy);
		}
}

static int with_byte(const uint8_t *blob, uint32_t len, uint32_t at, uint8_t value)
{
	uint8_t *copy = exact_copy(blob, len);
	struct layout *l = NULL;
	int rc;

	copy[at] = value;
	rc = lov_dec((struct span){copy, len}, &l);
	layout_free(l);
	free(copy);
	return rc;
}

static void forms_that_cannot_be_built_are_told_from_garbage(void **state)
{
	uint32_t n = sizeof(golden_composite);

	(void)state;
	assert_int_equal(with_byte(golden_v1, 32, 2, 0xd2), -EOPNOTSUPP); /* join */
	assert_int_equal(with_byte(golden_v1, 32, 2, 0xd7), -EOPNOTSUPP); /* foreign */
	assert_int_equal(with_byte(golden_v1, 32, 2, 0xd8), -EOPNOTSUPP); /* self-extending */
	assert_int_equal(with_byte(golden_v1, 32, 5, 1), -EOPNOTSUPP);	  /* data on MDT */
	assert_int_equal(with_byte(golden_composite, n, 16, 1), -EOPNOTSUPP); /* a mirror */
	assert_int_equal(with_byte(golden_composite, n, 34, 1), -EOPNOTSUPP); /* mirror id */
	assert_int_equal(with_byte(golden_composite, n, 36, 1), -EOPNOTSUPP); /* stale */
	assert_int_equal(with_byte(golden_v1, 32, 2, 0xd4), -EINVAL);
	assert_int_equal(with_byte(golden_v1, 32, 4, 2), -EINVAL);     /* RAID-1 */
	assert_int_equal(with_byte(golden_v1, 32, 24, 1), -EINVAL);    /* stripe size */
	assert_int_equal(with_byte(golden_v1, 32, 29, 0xf0), -EINVAL); /* stripe count */
	assert_int_equal(with_byte(golden_v1, 32, 4, 0), 0);	       /* pattern: default */
	assert_int_equal(with_byte(golden_composite, n, 14, 0), -EINVAL);  /* no entry */
	assert_int_equal(with_byte(golden_composite, n, 14, 65), -EINVAL); /* too many */
	assert_int_equal(with_byte(golden_composite, n, 57, 1), -EINVAL); /* entry's blob outside */
	assert_int_equal(with_byte(golden_composite, n, 90, 0), -EINVAL);  /* overlap */
}

static void random_bytes_are_refused_or_legal(void **state)
{
	static const struct span all[] = {
		{golden_v1, sizeof(golden_v1)},
		{golden_v3_default, sizeof(golden_v3_default)},
		{golden_specific, sizeof(golden_specific)},
		{golden_composite, sizeof(golden_composite)},
	};
	uint64_t seed = 10;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		const struct span *s = &all[rnd_below(&seed, ARRAY_SIZE(all))];
		uint32_t n = (uint32_t)rnd_below(&seed, s->len + 1);
		uint8_t *copy = exact_copy(s->ptr, n);
		struct layout *l;

		if (n > 4 && rnd(&seed) % 4 == 0)
			rnd_fill(&seed, copy + 4, n - 4);
		for (uint64_t k = rnd_below(&seed, 5); k && n; k--)
			copy[rnd_below(&seed, n)] = (uint8_t)rnd(&seed);
		if (lov_dec((struct span){copy, n}, &l) == 0) {
			assert_int_equal(layout_check(l), 0);
			layout_free(l);
		}
		free(copy);
	}
}

static void a_layout_too_large_for_an_xattr_says_so(void **state)
{
	struct layout *l;
	struct wbuf w;

	(void)state;
	assert_int_equal(layout_alloc(2, 2 * MAX_STRIPES, &l), 0);
	for (uint32_t i = 0; i < 2; i++)
		l->comp[i] = (struct layout_comp){
			.id = i + 1, .flags = LCME_INIT, .start = i, .end = i + 1,
			.pattern = LAYOUT_RAID0, .stripe_size = 65536, .stripe_count = MAX_STRIPES,
			.stripe_offset = -1, .ost = l->comp[0].ost};
	wbuf_init(&w, UINT32_MAX);
	assert_int_equal(lov_enc(&w, l, &file), -EMSGSIZE);
	wbuf_fini(&w);
	layout_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_and_defaults_have_lustres_bytes),
		cmocka_unit_test(a_copied_file_layout_keeps_size_and_count_only),
		cmocka_unit_test(a_wish_keeps_its_first_ost_and_pool),
		cmocka_unit_test(an_explicit_list_of_osts_is_kept),
		cmocka_unit_test(a_composite_layout_is_read_as_a_wish),
		cmocka_unit_test(what_was_written_reads_as_the_same_wish),
		cmocka_unit_test(truncated_blobs_are_refused_at_every_length),
		cmocka_unit_test(forms_that_cannot_be_built_are_told_from_garbage),
		cmocka_unit_test(random_bytes_are_refused_or_legal),
		cmocka_unit_test(a_layout_too_large_for_an_xattr_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
