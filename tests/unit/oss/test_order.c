/* SPDX-License-Identifier: Apache-2.0 */
/* test_order.c - changes in any order leave what they leave in their own. */
#include "oss/order.h"
#include "tests/unit/unit.h"

enum { LEN = 3 << 20, STEP = 4096, CELLS = LEN / STEP };

static struct object_id id_of(uint32_t oid)
{
	return (struct object_id){.fid = {FID_SEQ_NORMAL + 1, oid, 0}, .comp = 1};
}

/* Places the change where it belongs in *cells, as a target does with its bytes. */
static void apply(struct order *o, const struct object_id *id, uint64_t off, uint64_t end,
		  uint64_t number, uint64_t *cells)
{
	struct order_range *part;
	uint64_t last = off;
	uint32_t n;

	assert_int_equal(order_parts(o, id, off, end, number, &part, &n), 0);
	for (uint32_t i = 0; i < n; i++) {
		assert_true(part[i].off >= last && part[i].off < part[i].end && part[i].end <= end);
		last = part[i].end;
		for (uint64_t c = part[i].off / STEP; c < CELLS && c * STEP < part[i].end; c++)
			cells[c] = number;
	}
	free(part);
	assert_int_equal(order_note(o, id, off, end, number), 0);
}

struct change {
	uint64_t off, end, number;
};

static void round_of(uint64_t *seed, uint32_t n)
{
	static uint64_t is[CELLS], want[CELLS];
	const struct object_id id = id_of(1);
	struct change at[64], swap;
	struct order *o;

	memset(is, 0, sizeof(is));
	memset(want, 0, sizeof(want));
	assert_int_equal(order_create(&o), 0);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t off = rnd_below(seed, CELLS) * STEP;
		uint64_t len = (1 + rnd_below(seed, rnd_below(seed, 4) ? 16 : CELLS)) * STEP;

		at[i] = (struct change){off, off + len, i + 1};
		if (rnd_below(seed, 8) == 0)
			at[i].end = rnd_below(seed, 2) ? ORDER_END : off + 2 * ORDER_NEAR;
		for (uint64_t c = off / STEP; c < CELLS && c * STEP < at[i].end; c++)
			want[c] = i + 1;
	}
	for (uint32_t i = n; i > 1; i--) {
		uint32_t k = (uint32_t)rnd_below(seed, i);

		swap = at[i - 1];
		at[i - 1] = at[k];
		at[k] = swap;
	}
	for (uint32_t i = 0; i < n; i++)
		apply(o, &id, at[i].off, at[i].end, at[i].number, is);
	assert_memory_equal(is, want, sizeof(want));
	order_destroy(o);
}

static void any_order_gives_the_same(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 2000; i++)
		round_of(&seed, 1 + (uint32_t)rnd_below(&seed, 64));
}

static void objects_do_not_meet(void **state)
{
	const struct object_id one = id_of(1), other = id_of(2);
	struct order_range *part;
	struct order *o;
	uint32_t n;

	(void)state;
	assert_int_equal(order_create(&o), 0);
	assert_int_equal(order_note(o, &one, 0, ORDER_END, 10), 0);
	assert_int_equal(order_parts(o, &one, 0, 100, 9, &part, &n), 0);
	assert_int_equal(n, 0);
	free(part);
	assert_int_equal(order_parts(o, &other, 0, 100, 9, &part, &n), 0);
	assert_int_equal(n, 1);
	free(part);
	order_destroy(o);
}

static void the_length_is_that_of_later_changes(void **state)
{
	const struct object_id id = id_of(1);
	struct order *o;

	(void)state;
	assert_int_equal(order_create(&o), 0);
	assert_int_equal(order_length(o, &id, 0), 0);
	assert_int_equal(order_grew(o, &id, 100, 10), 0);
	assert_int_equal(order_grew(o, &id, 300, 5), 0);
	assert_int_equal(order_grew(o, &id, 50, 20), 0);
	assert_int_equal(order_grew(o, &id, 40, 15), 0);
	assert_int_equal(order_length(o, &id, 4), 300);
	assert_int_equal(order_length(o, &id, 5), 100);
	assert_int_equal(order_length(o, &id, 12), 50);
	assert_int_equal(order_length(o, &id, 20), 0);
	assert_int_equal(order_grew(o, &id, 200, 18), 0);
	assert_int_equal(order_length(o, &id, 4), 300);
	assert_int_equal(order_length(o, &id, 5), 200);
	assert_int_equal(order_length(o, &id, 18), 50);
	assert_false(order_is_cut(o, &id, 0));
	assert_int_equal(order_cut(o, &id, 7), 0);
	assert_int_equal(order_cut(o, &id, 3), 0);
	assert_true(order_is_cut(o, &id, 6));
	assert_false(order_is_cut(o, &id, 7));
	order_destroy(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_gives_the_same),
		cmocka_unit_test(objects_do_not_meet),
		cmocka_unit_test(the_length_is_that_of_later_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
