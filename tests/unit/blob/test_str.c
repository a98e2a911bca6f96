/* SPDX-License-Identifier: Apache-2.0 */
#include "blob/pairs.h"
#include "blob/str.h"
#include "tests/unit/unit.h"

static void a_text_grows(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	assert_string_equal(str_get(&s), "");
	for (int i = 0; i < 1000; i++)
		str_printf(&s, "%d,", i % 10);
	str_putc(&s, '!');
	str_puts(&s, "end");
	assert_int_equal(s.len, 2004);
	assert_int_equal(strlen(s.p), 2004);
	assert_string_equal(s.p + 1998, "9,!end");
	str_clear(&s);
	assert_string_equal(str_get(&s), "");
	str_fini(&s);
}

static void a_bound_holds_and_is_remembered(void **state)
{
	struct str s = {.max = 10};

	(void)state;
	str_puts(&s, "1234567890");
	assert_int_equal(s.failed, 0);
	str_putc(&s, 'x');
	assert_int_equal(s.failed, -EMSGSIZE);
	assert_string_equal(s.p, "1234567890");
	str_clear(&s);
	str_puts(&s, "ok");
	assert_string_equal(s.p, "ok");
	str_printf(&s, "%s", "123456789");
	assert_int_equal(s.failed, -EMSGSIZE);
	str_add(&s, "x", SIZE_MAX);
	assert_string_equal(s.p, "ok");
	str_fini(&s);
	assert_int_equal(s.max, 10);
}

static void pairs_are_found_in_any_case(void **state)
{
	struct pairs p = PAIRS_INIT, q = PAIRS_INIT;

	(void)state;
	assert_int_equal(pairs_add(&p, "Content-Length", "5"), 0);
	assert_int_equal(pairs_addf(&p, "b", "%d", 7), 0);
	assert_int_equal(pairs_add_n(&p, "axyz", 1, "12345", 2), 0);
	assert_string_equal(pairs_get(&p, "content-length"), "5");
	assert_string_equal(pairs_get(&p, "A"), "12");
	assert_null(pairs_get(&p, "c"));
	assert_int_equal(pairs_copy(&q, &p), 0);
	pairs_sort(&q);
	assert_string_equal(q.v[0].name, "Content-Length");
	assert_string_equal(q.v[1].name, "a");
	assert_true(pairs_same(&p, &q));
	assert_int_equal(pairs_add(&q, "more", ""), 0);
	assert_false(pairs_same(&p, &q));
	assert_int_equal(pairs_add(&q, "MORE", "x"), 0);
	pairs_del(&q, "More");
	pairs_del(&q, "none");
	assert_true(pairs_same(&p, &q));
	assert_int_equal(p.bytes, q.bytes);
	pairs_fini(&p);
	pairs_fini(&q);
}

static void pairs_are_bounded(void **state)
{
	struct pairs p = PAIRS_INIT;
	char *big = calloc(1, PAIRS_BYTES);

	(void)state;
	for (int i = 0; i < PAIRS_MAX; i++)
		assert_int_equal(pairs_add(&p, "n", "v"), 0);
	assert_int_equal(pairs_add(&p, "n", "v"), -EMSGSIZE);
	pairs_fini(&p);
	memset(big, 'x', PAIRS_BYTES - 1);
	assert_int_equal(pairs_add(&p, "n", big), -EMSGSIZE);
	big[PAIRS_BYTES - 10] = 0;
	assert_int_equal(pairs_add(&p, "n", big), 0);
	assert_int_equal(pairs_add(&p, "n", "123456789"), -EMSGSIZE);
	pairs_fini(&p);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_grows),
		cmocka_unit_test(a_bound_holds_and_is_remembered),
		cmocka_unit_test(pairs_are_found_in_any_case),
		cmocka_unit_test(pairs_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
