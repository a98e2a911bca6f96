/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/linear.h"
#include "tests/unit/unit.h"

static void add_range(struct linear_history *h, uint8_t kind, uint64_t a, uint64_t b,
		      uint64_t start, uint64_t end)
{
	struct linear_op op = {.kind = kind, .a = a, .b = b, .start = start, .end = end};

	linear_add(h, &op);
}

static void add(struct linear_history *h, uint8_t kind, uint64_t a, uint64_t start, uint64_t end)
{
	add_range(h, kind, a, 0, start, end);
}

/* Both ways, where both may be asked; frees the history. */
static bool good(struct linear_history *h)
{
	uint32_t culprit = 0;
	enum linear_verdict v = linear_search(h, &culprit);

	assert_int_not_equal(v, LINEAR_UNKNOWN);
	if (linear_is_register(h))
		assert_int_equal(v, linear_zones(h, &culprit));
	assert_int_equal(v, linear_check(h, &culprit));
	linear_free(h);
	return v == LINEAR_GOOD;
}

#define R LINEAR_READ
#define W LINEAR_WRITE

static void test_register(UNUSED void **state)
{
	struct linear_history h = {0};

	assert_true(good(&h));
	add(&h, W, 1, 10, 20); /* during a write both values may be seen, in this order */
	add(&h, R, 0, 12, 14);
	add(&h, R, 1, 15, 16);
	add(&h, R, 1, 30, 31);
	assert_true(good(&h));
	add(&h, W, 1, 10, 20); /* stale */
	add(&h, R, 0, 30, 31);
	assert_false(good(&h));
	add(&h, W, 1, 10, 20); /* new, then old */
	add(&h, R, 1, 12, 13);
	add(&h, R, 0, 14, 15);
	assert_false(good(&h));
	add(&h, R, 1, 1, 2); /* before it was written */
	add(&h, W, 1, 10, 20);
	assert_false(good(&h));
	add(&h, R, 7, 1, 2); /* nobody wrote it */
	assert_false(good(&h));
	add(&h, W, 1, 10, 20); /* two writes side by side: either may be the last, not both */
	add(&h, W, 2, 11, 19);
	add(&h, R, 2, 25, 26);
	add(&h, R, 2, 27, 28);
	assert_true(good(&h));
	add(&h, W, 1, 10, 20);
	add(&h, W, 2, 11, 19);
	add(&h, R, 2, 25, 26);
	add(&h, R, 1, 27, 28);
	assert_false(good(&h));
	add(&h, W, 1, 10, 20); /* a lost write */
	add(&h, W, 2, 21, 30);
	add(&h, R, 1, 31, 40);
	assert_false(good(&h));
}

/* Zero is written again and again: holes. */
static void test_holes(UNUSED void **state)
{
	struct linear_history h = {0};

	add(&h, W, 5, 1, 2);
	add(&h, W, 0, 3, 4);
	add(&h, R, 0, 5, 6);
	add(&h, W, 6, 7, 8);
	add(&h, W, 0, 9, 12);
	add(&h, R, 6, 10, 11);
	add(&h, R, 0, 13, 14);
	assert_true(good(&h));
	add(&h, W, 5, 1, 2);
	add(&h, W, 0, 3, 4);
	add(&h, R, 5, 5, 6);
	assert_false(good(&h));
	add(&h, W, 5 << 8 | 64, 1, 2); /* cut within the block: what is left is a prefix */
	add(&h, LINEAR_CUT, 10, 3, 4);
	add(&h, R, 5 << 8 | 10, 5, 6);
	add(&h, LINEAR_CUT, 12, 7, 8);
	add(&h, R, 5 << 8 | 10, 9, 10);
	add(&h, LINEAR_CUT, 0, 11, 12);
	add(&h, R, 0, 13, 14);
	assert_true(good(&h));
	add(&h, W, 5 << 8 | 64, 1, 2);
	add(&h, LINEAR_CUT, 10, 3, 4);
	add(&h, R, 5 << 8 | 64, 5, 6);
	assert_false(good(&h));
}

static void append(struct linear_history *h, uint64_t at, uint64_t len, uint64_t start,
		   uint64_t end)
{
	add_range(h, LINEAR_APPEND, at, len, start, end);
}

static void test_size(UNUSED void **state)
{
	struct linear_history h = {0};

	append(&h, 0, 10, 1, 9);
	append(&h, 10, 5, 2, 8);
	add(&h, R, 10, 3, 4);
	add(&h, R, 15, 5, 6);
	add(&h, LINEAR_RAISE, 12, 10, 11);
	add(&h, R, 15, 12, 13);
	add(&h, LINEAR_RAISE, 20, 14, 15);
	add(&h, LINEAR_MIN, 20, 16, 17);
	add(&h, LINEAR_MAX, 20, 18, 19);
	add(&h, W, 3, 20, 21);
	add(&h, LINEAR_MAX, 3, 22, 23);
	assert_true(good(&h));
	append(&h, 0, 10, 1, 2); /* two appends to one place */
	append(&h, 0, 5, 3, 4);
	assert_false(good(&h));
	append(&h, 0, 10, 1, 4);
	append(&h, 0, 5, 2, 3);
	assert_false(good(&h));
	append(&h, 0, 10, 1, 2); /* a truncate was forgotten */
	add(&h, W, 0, 3, 4);
	append(&h, 10, 10, 5, 6);
	assert_false(good(&h));
	append(&h, 0, 10, 1, 2); /* an old size */
	append(&h, 10, 10, 3, 4);
	add(&h, LINEAR_MAX, 10, 5, 6);
	assert_false(good(&h));
	add(&h, LINEAR_RAISE, 10, 1, 2); /* a size that is to come */
	add(&h, LINEAR_MIN, 20, 3, 4);
	add(&h, LINEAR_RAISE, 20, 5, 6);
	assert_false(good(&h));
}

static void test_name(UNUSED void **state)
{
	struct linear_history h = {0};

	add(&h, LINEAR_MAKE, 7, 1, 4);
	add(&h, LINEAR_MIN, 1, 2, 3); /* somebody's exclusive create failed */
	add(&h, R, 7, 5, 6);
	add(&h, W, 8, 7, 10); /* a rename over it */
	add(&h, R, 7, 8, 9);
	add(&h, LINEAR_TAKE, 0, 11, 12);
	add(&h, R, 0, 13, 14);
	assert_true(good(&h));
	add(&h, LINEAR_MAKE, 7, 1, 4); /* two made it */
	add(&h, LINEAR_MAKE, 8, 2, 3);
	assert_false(good(&h));
	add(&h, LINEAR_MAKE, 7, 1, 4); /* two removed it */
	add(&h, LINEAR_TAKE, 0, 5, 8);
	add(&h, LINEAR_TAKE, 0, 6, 7);
	assert_false(good(&h));
	add(&h, W, 8, 1, 2); /* a rename that had a moment without any name */
	add(&h, W, 9, 3, 6);
	add(&h, R, 0, 4, 5);
	assert_false(good(&h));
}

/* Whoever dies in the middle of something: it took effect some time, or never. */
static void test_unanswered(UNUSED void **state)
{
	struct linear_history h = {0};

	add(&h, W, 1, 1, LINEAR_NEVER);
	add(&h, R, 0, 5, 6);
	assert_true(good(&h));
	add(&h, W, 1, 1, LINEAR_NEVER);
	add(&h, R, 0, 5, 6);
	add(&h, R, 1, 7, 8);
	assert_true(good(&h));
	add(&h, W, 1, 1, LINEAR_NEVER);
	add(&h, R, 1, 5, 6);
	add(&h, R, 0, 7, 8);
	assert_false(good(&h));
	add(&h, R, 1, 2, 3);
	add(&h, W, 1, 4, LINEAR_NEVER);
	assert_false(good(&h));
}

/* What may be done again, or not, but not later than this. */
static void test_maybe(UNUSED void **state)
{
	struct linear_history h = {0};

	for (uint64_t last = 0; last < 4; last++) {
		add(&h, W, 1, 1, 10);
		add(&h, W, 1, 2, 11);
		h.op[1].maybe = true;
		add(&h, R, 1, 3, 4);
		add(&h, W, 2, 5, 6);
		add(&h, R, 2, 7, 8);
		add(&h, R, last, 12, 13);
		add(&h, R, 2, 14, 15);
		if (last == 1)
			h.op[6].a = 1;
		assert_int_equal(good(&h), last == 1 || last == 2);
	}
	add(&h, W, 1, 1, 4);
	h.op[0].maybe = true;
	add(&h, R, 0, 5, 6);
	add(&h, R, 1, 7, 8);
	assert_false(good(&h));
}

static void test_culprit(UNUSED void **state)
{
	struct linear_history h = {0};
	uint32_t culprit = 99;

	for (uint64_t i = 0; i < 40; i++) {
		add(&h, W, i + 1, 4 * i, 4 * i + 1);
		add(&h, R, i == 20 ? i : i + 1, 4 * i + 2, 4 * i + 3);
	}
	assert_int_equal(linear_search(&h, &culprit), LINEAR_BAD);
	assert_int_equal(h.op[culprit].start, 4 * 20 + 2);
	assert_int_equal(linear_zones(&h, &culprit), LINEAR_BAD);
	assert_true(h.op[culprit].start >= 4 * 20 && h.op[culprit].start <= 4 * 21);
	linear_free(&h);
}

/* ---- random histories ---- */

enum { SMALL_OPS = 6 };

static void random_op(uint64_t *s, struct linear_op *op, uint32_t kinds, uint64_t *unique)
{
	op->kind = (uint8_t)rnd_below(s, kinds);
	op->a = op->kind == LINEAR_WRITE && unique ? ++*unique : rnd_below(s, 4);
	op->b = rnd_below(s, 3);
}

/* Distinct moments. */
static void random_times(uint64_t *s, struct linear_history *h)
{
	uint64_t n = 2 * (uint64_t)h->n, at[2 * SMALL_OPS], k = 0;

	for (uint64_t i = 0; i < n; i++)
		at[i] = i;
	for (uint64_t i = n; i > 1; i--) {
		uint64_t j = rnd_below(s, i), t = at[j];

		at[j] = at[i - 1];
		at[i - 1] = t;
	}
	for (uint32_t i = 0; i < h->n; i++, k += 2) {
		h->op[i].start = at[k] < at[k + 1] ? at[k] : at[k + 1];
		h->op[i].end = at[k] < at[k + 1] ? at[k + 1] : at[k];
	}
}

/* Some order of all operations works, by trying them all. A second reading of the rules. */
static bool some_order(const struct linear_history *h, uint32_t done, uint64_t v)
{
	if (done == (1U << h->n) - 1)
		return true;
	for (uint32_t i = 0; i < h->n; i++) {
		const struct linear_op *op = &h->op[i];
		bool first = !(done >> i & 1), can = true;
		uint64_t next = v;

		for (uint32_t j = 0; j < h->n; j++)
			first = first && (done >> j & 1 || h->op[j].end > op->start);
		if (!first)
			continue;
		if (op->kind == LINEAR_READ)
			can = v == op->a;
		else if (op->kind == LINEAR_MIN)
			can = v >= op->a;
		else if (op->kind == LINEAR_MAX)
			can = v <= op->a;
		else if (op->kind == LINEAR_APPEND)
			can = v == op->a;
		else if (op->kind == LINEAR_MAKE)
			can = v == 0;
		else if (op->kind == LINEAR_TAKE)
			can = v != 0;
		if (op->kind == LINEAR_WRITE || op->kind == LINEAR_MAKE)
			next = op->a;
		else if (op->kind == LINEAR_RAISE && op->a > v)
			next = op->a;
		else if (op->kind == LINEAR_APPEND)
			next = op->a + op->b;
		else if (op->kind == LINEAR_TAKE)
			next = 0;
		if (can && some_order(h, done | 1U << i, next))
			return true;
		if (op->maybe && some_order(h, done | 1U << i, v))
			return true;
	}
	return false;
}

static void against_all_orders(uint32_t kinds, bool unique, bool maybe, uint32_t rounds)
{
	uint64_t s = 88172645463325252ULL + kinds;
	uint32_t was[2] = {0};

	for (uint32_t i = 0; i < rounds; i++) {
		struct linear_history h = {0}, copy = {0};
		uint64_t value = 0;
		uint32_t n = 1 + (uint32_t)rnd_below(&s, SMALL_OPS);
		bool want;

		for (uint32_t k = 0; k < n; k++) {
			struct linear_op op = {0};

			random_op(&s, &op, kinds, unique ? &value : NULL);
			op.maybe = maybe && rnd_below(&s, 3) == 0;
			linear_add(&h, &op);
		}
		random_times(&s, &h);
		for (uint32_t k = 0; k < n; k++)
			linear_add(&copy, &h.op[k]);
		want = some_order(&h, 0, 0);
		was[want]++;
		assert_int_equal(good(&copy), want);
		linear_free(&h);
	}
	assert_true(was[0] > rounds / 20 && was[1] > rounds / 20); /* it was worth it */
}

static void test_all_orders(UNUSED void **state)
{
	against_all_orders(LINEAR_WRITE + 1, true, false, 30000);
	against_all_orders(LINEAR_WRITE + 1, false, false, 10000);
	against_all_orders(LINEAR_TAKE + 1, false, false, 30000);
	against_all_orders(LINEAR_TAKE + 1, false, true, 30000);
}

/* A long history that is good by construction, and with one answer changed is not. */
static void test_long(UNUSED void **state)
{
	enum { N = 4000 };
	uint64_t s = 7;

	for (int bad = 0; bad < 2; bad++) {
		struct linear_history h = {0};
		uint64_t v = 0;
		uint32_t culprit = 0;

		for (uint64_t i = 0; i < N; i++) {
			uint64_t at = 100 * (i + 10);
			bool write = rnd_below(&s, 3) == 0;

			v = write ? i + 1 : v;
			add(&h, write ? W : R, bad && i == N / 2 ? 1 : v, at - rnd_below(&s, 400),
			    at + rnd_below(&s, 400));
		}
		h.op[N / 2].kind = bad ? R : h.op[N / 2].kind;
		assert_int_equal(linear_search(&h, &culprit), bad ? LINEAR_BAD : LINEAR_GOOD);
		linear_free(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_register),   cmocka_unit_test(test_holes),
		cmocka_unit_test(test_size),	   cmocka_unit_test(test_name),
		cmocka_unit_test(test_unanswered), cmocka_unit_test(test_maybe),
		cmocka_unit_test(test_culprit),
		cmocka_unit_test(test_all_orders), cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
