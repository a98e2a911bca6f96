/* SPDX-License-Identifier: Apache-2.0 */
/* test_lfsck_lost.c - which files can be put together from objects without an owner. */
#include "mds/lfsck_lost.h"
#include "tests/unit/unit.h"

static struct lost *l;

static void add(uint32_t oid, uint32_t comp, uint32_t stripe, uint32_t ost, uint32_t count,
		uint32_t gen)
{
	struct finding f = {
		.fid = {FID_SEQ_NORMAL + 1, oid, 0}, .comp = comp, .stripe = stripe, .ost = ost};
	struct oss_getattr_rep p = {.trunc_gen = gen,
				    .stripe_count = count,
				    .stripe_size = count ? STRIPE_SIZE_UNIT : 0};

	assert_true(lost_add(l, &f, &p));
}

/* The next file, which must be this one; its layout or NULL. */
static struct layout *next(struct lost_file *f, uint32_t oid, uint32_t n)
{
	assert_true(lost_next(l, f));
	assert_int_equal(f->at->f.fid.oid, oid);
	assert_int_equal(f->n, n);
	return f->layout;
}

static void stripes_find_their_places(void **state)
{
	struct lost_file f = {.next = 0};
	struct layout *lay;

	(void)state;
	assert_int_equal(lost_create(&l), 0);
	add(9, 1, 2, 7, 4, 3);
	add(5, 1, 0, 1, 1, 0);
	add(9, 1, 0, 6, 4, 8);
	lost_sort(l);
	lay = next(&f, 5, 1);
	assert_int_equal(lay->comp[0].stripe_count, 1);
	assert_int_equal(lay->comp[0].ost[0], 1);
	layout_free(lay);
	lay = next(&f, 9, 2);
	assert_int_equal(lay->comp[0].stripe_count, 4);
	assert_int_equal(lay->comp[0].stripe_size, STRIPE_SIZE_UNIT);
	assert_int_equal(lay->comp[0].ost[0], 6);
	assert_int_equal(lay->comp[0].ost[2], 7);
	assert_int_equal(f.trunc_gen, 8);
	layout_free(lay);
	assert_false(lost_next(l, &f));
	lost_destroy(l);
}

static void what_does_not_fit_together_makes_no_file(void **state)
{
	struct lost_file f = {.next = 0};
	struct layout *lay;

	(void)state;
	assert_int_equal(lost_create(&l), 0);
	add(1, 1, 0, 0, 2, 0); /* two shapes */
	add(1, 1, 1, 1, 3, 0);
	add(2, 1, 5, 0, 4, 0); /* more than there are */
	add(3, 1, 0, 0, 2, 0); /* twice the same */
	add(3, 1, 0, 1, 2, 0);
	add(4, 2, 0, 0, 1, 0); /* another component */
	add(5, 1, 1, 0, 0, 0); /* an old one that is not the first */
	add(6, 1, 0, 0, 0, 0); /* two old ones */
	add(6, 1, 1, 0, 0, 0);
	add(7, 1, 0, 2, 0, 0);          /* an old one, alone */
	add(8, 1, 0, 2, UINT32_MAX, 0); /* nonsense */
	lost_sort(l);
	assert_null(next(&f, 1, 2));
	assert_null(next(&f, 2, 1));
	assert_null(next(&f, 3, 2));
	assert_null(next(&f, 4, 1));
	assert_null(next(&f, 5, 1));
	assert_null(next(&f, 6, 2));
	lay = next(&f, 7, 1);
	assert_int_equal(lay->comp[0].stripe_count, 1);
	layout_free(lay);
	assert_null(next(&f, 8, 1));
	lost_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stripes_find_their_places),
		cmocka_unit_test(what_does_not_fit_together_makes_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
