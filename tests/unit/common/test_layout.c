/* SPDX-License-Identifier: Apache-2.0 */
/* test_layout.c - stripe arithmetic against a model that places every byte by itself. */
#include "common/layout.h"
#include "common/proto/field.h"
#include "tests/unit/unit.h"
#include <sys/uio.h>

#define KIB64 65536U

/* ---- the model: one byte at a time, straight from the definition of RAID-0 ---- */

static uint32_t model_stripe(const struct layout_comp *c, uint64_t off)
{
	return (uint32_t)(off / c->stripe_size % (uint32_t)c->stripe_count);
}

static uint64_t model_obj_off(const struct layout_comp *c, uint64_t off)
{
	uint64_t unit = off / c->stripe_size;

	return unit / (uint32_t)c->stripe_count * c->stripe_size + off % c->stripe_size;
}

static int model_comp(const struct layout *l, uint64_t off)
{
	for (uint32_t i = 0; i < l->ncomp; i++)
		if (off >= l->comp[i].start && off < l->comp[i].end)
			return (int)i;
	return -1;
}

/* 1 to 3 components, small units: layout_map() does not need units of 64 KiB, and the model walks
 * bytes. */
static struct layout *random_layout(uint64_t *seed)
{
	uint32_t n = 1 + (uint32_t)rnd_below(seed, 3), i;
	uint64_t at = 0;
	uint32_t *ost;
	struct layout *l;

	assert_int_equal(layout_alloc(n, n * 7, &l), 0);
	ost = l->comp[0].ost;
	for (i = 0; i < n; i++) {
		struct layout_comp *c = &l->comp[i];

		c->id = i + 1;
		c->flags = LCME_INIT;
		c->pattern = LAYOUT_RAID0;
		c->stripe_size = 1 + (uint32_t)rnd_below(seed, 16);
		c->stripe_count = 1 + (int32_t)rnd_below(seed, 7);
		c->stripe_offset = -1;
		c->start = at;
		at += 1 + rnd_below(seed, 200);
		c->end = i == n - 1 ? LAYOUT_EOF : at;
		c->ost = ost + 7 * i;
		for (int32_t k = 0; k < c->stripe_count; k++)
			c->ost[k] = (uint32_t)(i * 10 + (uint32_t)k);
	}
	return l;
}

static void check_run_bytes(const struct layout *l, const struct layout_run *r, uint64_t off,
			    uint64_t len, uint8_t *seen)
{
	const struct layout_comp *c = &l->comp[r->comp];

	assert_true(r->len > 0);
	for (uint64_t b = 0; b < r->len; b++) {
		uint64_t at = layout_file_off(c, r->stripe, r->obj_off + b);

		if (b == 0)
			assert_int_equal(at, r->file_off);
		assert_true(at >= off && at < off + len);
		assert_int_equal(model_comp(l, at), r->comp);
		assert_int_equal(model_stripe(c, at), r->stripe);
		assert_int_equal(model_obj_off(c, at), r->obj_off + b);
		assert_false(seen[at - off]);
		seen[at - off] = 1;
	}
}

static void map_agrees_with_a_byte_by_byte_model(void **state)
{
	uint64_t seed = 42;

	(void)state;
	for (int round = 0; round < 4000; round++) {
		struct layout *l = random_layout(&seed);
		uint64_t off = rnd_below(&seed, 500), len = 1 + rnd_below(&seed, 400);
		struct layout_run run[32];
		uint8_t seen[400] = {0};
		int n = layout_map(l, off, len, run, 32), i, k;

		assert_true(n > 0);
		for (i = 0; i < n; i++) {
			check_run_bytes(l, &run[i], off, len, seen);
			if (i)
				assert_true(run[i].file_off > run[i - 1].file_off);
			for (k = 0; k < i; k++)
				assert_false(run[k].comp == run[i].comp &&
					     run[k].stripe == run[i].stripe);
		}
		for (uint64_t b = 0; b < len; b++)
			assert_int_equal(seen[b], 1);
		assert_int_equal(layout_map(l, off, len, run, n - 1), -ENOSPC);
		layout_free(l);
	}
}

static void run_iov_points_at_the_right_bytes_of_the_buffer(void **state)
{
	uint64_t seed = 43;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct layout *l = random_layout(&seed);
		uint64_t off = rnd_below(&seed, 300), len = 1 + rnd_below(&seed, 300);
		uint64_t before = rnd_below(&seed, min_u64(off, 20) + 1);
		uint8_t *buf = calloc(1, before + len);
		struct layout_run run[32];
		int n = layout_map(l, off, len, run, 32);

		for (int i = 0; i < n; i++) {
			static struct iovec iov[512];
			uint64_t at = run[i].obj_off;
			int m = layout_run_iov(l, &run[i], buf, off - before, before + len, iov,
					       512);

			assert_true(m > 0);
			for (int k = 0; k < m; k++)
				for (size_t b = 0; b < iov[k].iov_len; b++, at++) {
					uint8_t *p = (uint8_t *)iov[k].iov_base + b;
					uint64_t file = off - before + (uint64_t)(p - buf);

					assert_int_equal(*p, 0);
					*p = 1;
					assert_int_equal(layout_file_off(&l->comp[run[i].comp],
									 run[i].stripe, at), file);
				}
			assert_int_equal(at, run[i].obj_off + run[i].len);
			assert_int_equal(layout_run_iov(l, &run[i], buf, off - before, before + len,
							iov, m - 1), -ENOSPC);
		}
		for (uint64_t b = 0; b < len; b++)
			assert_int_equal(buf[before + b], 1);
		free(buf);
		layout_free(l);
	}
}

static void one_stripe_makes_one_run_and_one_piece(void **state)
{
	uint32_t ost = 3;
	struct layout_run run[2];
	struct iovec iov[2];
	uint8_t *buf = malloc(1 << 20);
	struct layout *l;

	(void)state;
	assert_int_equal(layout_plain(KIB64, 1, -1, NULL, &ost, &l), 0);
	assert_int_equal(layout_map(l, 1000, 1 << 20, run, 2), 1);
	assert_int_equal(run[0].obj_off, 1000);
	assert_int_equal(layout_run_iov(l, &run[0], buf, 1000, 1 << 20, iov, 2), 1);
	assert_ptr_equal(iov[0].iov_base, buf);
	assert_int_equal(iov[0].iov_len, 1 << 20);
	free(buf);
	layout_free(l);
}

/* The definition of an object's size: one more than its last byte below the file's size. */
static uint64_t model_obj_size(const struct layout_comp *c, uint32_t stripe, uint64_t size)
{
	uint64_t n = 0;

	for (uint64_t off = c->start; off < size && off < c->end; off++)
		if (model_stripe(c, off) == stripe)
			n = model_obj_off(c, off) + 1;
	return n;
}

static void object_sizes_follow_from_the_file_size_and_back(void **state)
{
	uint64_t seed = 44;

	(void)state;
	for (int round = 0; round < 1500; round++) {
		struct layout *l = random_layout(&seed);
		uint64_t size = rnd_below(&seed, 600), proven = 0;

		for (uint32_t i = 0; i < l->ncomp; i++) {
			struct layout_comp *c = &l->comp[i];

			for (uint32_t k = 0; k < (uint32_t)c->stripe_count; k++) {
				uint64_t n = layout_obj_size(c, k, size);

				assert_int_equal(n, model_obj_size(c, k, size));
				proven = max_u64(proven, layout_file_size(c, k, n));
			}
		}
		assert_int_equal(proven, size);
		layout_free(l);
	}
}

static void huge_offsets_do_not_overflow(void **state)
{
	struct layout_comp c = {.end = LAYOUT_EOF, .stripe_size = STRIPE_SIZE_MAX,
				.stripe_count = MAX_STRIPES};
	uint32_t ost[4] = {0, 1, 2, 3};
	struct layout_run run[4];
	struct layout *l;

	(void)state;
	assert_int_equal(layout_file_off(&c, MAX_STRIPES - 1, UINT64_MAX), UINT64_MAX);
	assert_int_equal(layout_file_size(&c, MAX_STRIPES - 1, UINT64_MAX), UINT64_MAX);
	assert_true(layout_obj_size(&c, 0, UINT64_MAX) > 0);
	assert_int_equal(layout_plain(KIB64, 4, -1, NULL, ost, &l), 0);
	assert_int_equal(layout_map(l, INT64_MAX - 10, 10, run, 4), 1);
	assert_int_equal(run[0].len, 10);
	assert_int_equal(layout_file_off(&l->comp[0], run[0].stripe, run[0].obj_off),
			 INT64_MAX - 10);
	layout_free(l);
}

static void map_needs_a_component_with_objects(void **state)
{
	struct layout_run run[4];
	uint32_t ost = 0;
	struct layout *l;

	(void)state;
	assert_int_equal(layout_plain(KIB64, 1, -1, NULL, NULL, &l), 0);
	assert_int_equal(layout_map(l, 0, 1, run, 4), -ENODATA);
	layout_free(l);
	assert_int_equal(layout_plain(KIB64, 1, -1, NULL, &ost, &l), 0);
	l->comp[0].flags = 0; /* a wish with a list of OSTs */
	l->comp[0].stripe_size = 0;
	assert_int_equal(layout_check(l), 0);
	assert_false(layout_has_objects(l));
	assert_int_equal(layout_map(l, 0, 1, run, 4), -ENODATA);
	l->comp[0].flags = LCME_INIT;
	l->comp[0].stripe_size = KIB64;
	assert_true(layout_has_objects(l));
	l->comp[0].start = 100;
	l->comp[0].end = 200;
	assert_int_equal(layout_map(l, 99, 2, run, 4), -ENODATA);
	assert_int_equal(layout_map(l, 199, 2, run, 4), -ENODATA);
	assert_int_equal(layout_map(l, 200, 2, run, 4), -ENODATA);
	assert_int_equal(layout_map(l, 100, 100, run, 4), 1);
	layout_free(l);
}

/* ---- rules and encoding ---- */

static struct layout *legal_layout(uint64_t *seed)
{
	struct layout *l = random_layout(seed);

	l->gen = (uint32_t)rnd(seed);
	for (uint32_t i = 0; i < l->ncomp; i++) {
		struct layout_comp *c = &l->comp[i];

		c->stripe_size *= STRIPE_SIZE_UNIT;
		snprintf(c->pool, sizeof(c->pool), "%s", rnd(seed) & 1 ? "flash_1" : "");
		if (rnd(seed) % 4 == 0) {
			c->ost = NULL;
			c->flags = 0;
			c->stripe_count = (int32_t)rnd_below(seed, 4) - 1;
		}
	}
	return l;
}

static void assert_same(const struct layout *a, const struct layout *b)
{
	assert_int_equal(a->gen, b->gen);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->ncomp, b->ncomp);
	for (uint32_t i = 0; i < a->ncomp; i++) {
		struct layout_comp x = a->comp[i], y = b->comp[i];

		assert_int_equal(!x.ost, !y.ost);
		if (x.ost)
			assert_memory_equal(x.ost, y.ost, 4 * (size_t)x.stripe_count);
		x.ost = y.ost = NULL;
		assert_string_equal(x.pool, y.pool);
		memset(x.pool, 0, sizeof(x.pool));
		memset(y.pool, 0, sizeof(y.pool));
		assert_int_equal(x.id, y.id);
		assert_int_equal(x.flags, y.flags);
		assert_int_equal(x.start, y.start);
		assert_int_equal(x.end, y.end);
		assert_int_equal(x.pattern, y.pattern);
		assert_int_equal(x.stripe_size, y.stripe_size);
		assert_int_equal(x.stripe_count, y.stripe_count);
		assert_int_equal(x.stripe_offset, y.stripe_offset);
	}
}

static void encoding_and_copy_give_the_same_layout(void **state)
{
	uint64_t seed = 45;

	(void)state;
	for (int round = 0; round < 500; round++) {
		struct layout *l = legal_layout(&seed), *d, *c;
		struct wbuf w;

		wbuf_init(&w, MAX_LAYOUT_BLOB);
		assert_int_equal(layout_check(l), 0);
		assert_int_equal(layout_enc(&w, l), 0);
		assert_int_equal(layout_dec(wbuf_span(&w), &d), 0);
		assert_same(l, d);
		assert_int_equal(layout_dup(l, &c), 0);
		assert_same(l, c);
		layout_free(l);
		layout_free(d);
		layout_free(c);
		wbuf_fini(&w);
	}
}

static void a_truncated_encoding_is_refused_at_every_length(void **state)
{
	uint64_t seed = 46;

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct layout *l = legal_layout(&seed), *d;
		struct wbuf w;

		wbuf_init(&w, MAX_LAYOUT_BLOB);
		assert_int_equal(layout_enc(&w, l), 0);
		for (uint32_t n = 0; n < w.len; n++) {
			uint8_t *copy = exact_copy(w.ptr, n);

			assert_int_equal(layout_dec((struct span){copy, n}, &d), -EBADMSG);
			free(copy);
		}
		wbuf_put(&w, "", 1);
		assert_int_equal(layout_dec(wbuf_span(&w), &d), -EBADMSG);
		layout_free(l);
		wbuf_fini(&w);
	}
}

static void damaged_encodings_are_refused_or_legal(void **state)
{
	uint64_t seed = 47;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct layout *l = legal_layout(&seed), *d;
		struct wbuf w;

		wbuf_init(&w, MAX_LAYOUT_BLOB);
		assert_int_equal(layout_enc(&w, l), 0);
		for (int k = 0; k < 100; k++) {
			uint8_t *copy = exact_copy(w.ptr, w.len);

			for (uint64_t flips = 1 + rnd_below(&seed, 4); flips; flips--)
				copy[rnd_below(&seed, w.len)] = (uint8_t)rnd(&seed);
			if (layout_dec((struct span){copy, w.len}, &d) == 0) {
				assert_int_equal(layout_check(d), 0);
				layout_free(d);
			}
			rnd_fill(&seed, copy + 4, w.len - 4);
			if (layout_dec((struct span){copy, w.len}, &d) == 0)
				layout_free(d);
			free(copy);
		}
		layout_free(l);
		wbuf_fini(&w);
	}
}

#define BREAK(what)                                                 \
	do {                                                        \
		struct layout *l_;                                  \
		struct layout_comp *c;                              \
		assert_int_equal(layout_plain(KIB64, 2, -1, "p", ost, &l_), 0); \
		c = &l_->comp[0];                                   \
		assert_int_equal(layout_check(l_), 0);              \
		(void)c;                                            \
		(what);                                             \
		assert_int_equal(layout_check(l_), -EINVAL);        \
		layout_free(l_);                                    \
	} while (0)

static void check_knows_every_rule(void **state)
{
	uint32_t ost[2] = {0, MAX_OST_INDEX};

	(void)state;
	BREAK(c->id = 0);
	BREAK(c->start = c->end);
	BREAK(c->pattern = 0);
	BREAK(c->pattern = LAYOUT_MDT);
	BREAK(c->stripe_size = 0);
	BREAK(c->stripe_size = 100);
	BREAK(c->stripe_size = KIB64 + 4096);
	BREAK(c->stripe_count = 0);
	BREAK(c->stripe_count = -1);
	BREAK(c->stripe_count = MAX_STRIPES + 1);
	BREAK(c->stripe_offset = -2);
	BREAK(c->stripe_offset = MAX_OST_INDEX + 1);
	BREAK(c->ost[1] = MAX_OST_INDEX + 1);
	BREAK(c->ost = NULL);
	BREAK(c->pool[0] = '/');
	BREAK(memset(c->pool, 'a', sizeof(c->pool)));
	BREAK(l_->ncomp = 0);
}

static void components_must_not_overlap_or_share_an_id(void **state)
{
	struct layout *l;

	(void)state;
	assert_int_equal(layout_alloc(2, 0, &l), 0);
	for (int i = 0; i < 2; i++)
		l->comp[i] = (struct layout_comp){.id = (uint32_t)i + 1, .pattern = LAYOUT_RAID0,
						  .stripe_offset = -1};
	l->comp[0].end = 100;
	l->comp[1].start = 100;
	l->comp[1].end = LAYOUT_EOF;
	assert_int_equal(layout_check(l), 0);
	assert_false(layout_has_objects(l));
	l->comp[1].start = 99;
	assert_int_equal(layout_check(l), -EINVAL);
	l->comp[1].start = 200;
	assert_int_equal(layout_check(l), 0);
	l->comp[1].id = 1;
	assert_int_equal(layout_check(l), -EINVAL);
	layout_free(l);
}

static void the_largest_layouts_fit_or_say_so(void **state)
{
	uint32_t *ost = calloc(MAX_STRIPES, sizeof(*ost));
	struct layout *l, *d;
	struct wbuf w;

	(void)state;
	assert_int_equal(layout_plain(KIB64, MAX_STRIPES, -1, NULL, ost, &l), 0);
	wbuf_init(&w, MAX_LAYOUT_BLOB);
	assert_int_equal(layout_enc(&w, l), 0);
	assert_int_equal(layout_dec(wbuf_span(&w), &d), 0);
	layout_free(d);
	wbuf_fini(&w);
	layout_free(l);
	assert_int_equal(layout_alloc(MAX_LAYOUT_COMPS, MAX_LAYOUT_COMPS * MAX_STRIPES, &l), 0);
	for (uint32_t i = 0; i < MAX_LAYOUT_COMPS; i++)
		l->comp[i] = (struct layout_comp){
			.id = i + 1, .flags = LCME_INIT, .start = i, .end = i + 1,
			.pattern = LAYOUT_RAID0, .stripe_size = KIB64, .stripe_count = MAX_STRIPES,
			.stripe_offset = -1, .ost = l->comp[0].ost};
	wbuf_init(&w, UINT32_MAX);
	assert_int_equal(layout_enc(&w, l), -EMSGSIZE);
	wbuf_fini(&w);
	layout_free(l);
	free(ost);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_agrees_with_a_byte_by_byte_model),
		cmocka_unit_test(run_iov_points_at_the_right_bytes_of_the_buffer),
		cmocka_unit_test(one_stripe_makes_one_run_and_one_piece),
		cmocka_unit_test(object_sizes_follow_from_the_file_size_and_back),
		cmocka_unit_test(huge_offsets_do_not_overflow),
		cmocka_unit_test(map_needs_a_component_with_objects),
		cmocka_unit_test(encoding_and_copy_give_the_same_layout),
		cmocka_unit_test(a_truncated_encoding_is_refused_at_every_length),
		cmocka_unit_test(damaged_encodings_are_refused_or_legal),
		cmocka_unit_test(check_knows_every_rule),
		cmocka_unit_test(components_must_not_overlap_or_share_an_id),
		cmocka_unit_test(the_largest_layouts_fit_or_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
