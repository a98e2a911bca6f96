/* SPDX-License-Identifier: Apache-2.0 */
/* test_buf.c - size classes, the limit, and that buffers are used again. */
#include "common/buf.h"
#include "common/limits.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void buffers_are_aligned_and_large_enough(void **state)
{
	static const uint32_t lens[] = {0, 1, 4096, 4097, 65536, 1000000, MAX_BULK};
	struct buf_pool *p;
	struct buf *b[7];
	int i;

	(void)state;
	assert_int_equal(buf_pool_create(64 * MIB, &p), 0);
	for (i = 0; i < 7; i++) {
		b[i] = buf_get(p, lens[i]);
		assert_non_null(b[i]);
		assert_true(b[i]->cap >= lens[i] && b[i]->cap >= 4096);
		assert_int_equal((uintptr_t)b[i]->ptr % 4096, 0);
		memset(b[i]->ptr, i, b[i]->cap);
	}
	for (i = 0; i < 7; i++) {
		assert_int_equal(b[i]->ptr[b[i]->cap - 1], i);
		buf_put(b[i]);
	}
	buf_put(NULL);
	assert_int_equal(buf_pool_used(p), 0);
	buf_pool_destroy(p);
}

static void the_last_one_put_is_the_first_one_got(void **state)
{
	struct buf_pool *p;
	struct buf *a, *b;

	(void)state;
	assert_int_equal(buf_pool_create(MIB, &p), 0);
	a = buf_get(p, 4096);
	b = buf_get(p, 4096);
	buf_put(a);
	buf_put(b);
	assert_ptr_equal(buf_get(p, 100), b);
	assert_ptr_equal(buf_get(p, 100), a);
	buf_put(a);
	buf_put(b);
	buf_pool_destroy(p);
}

static int freed;

static void on_free(void *arg)
{
	(void)arg;
	freed++;
}

static void the_limit_holds_and_tells_when_there_is_room_again(void **state)
{
	struct buf_pool *p;
	struct buf *a, *b;

	(void)state;
	freed = 0;
	assert_int_equal(buf_pool_create(2 * MIB, &p), 0);
	buf_pool_on_free(p, on_free, NULL);
	a = buf_get(p, MIB);
	b = buf_get(p, MIB);
	assert_non_null(a);
	assert_non_null(b);
	assert_null(buf_get(p, 1));
	assert_null(buf_get(p, MIB));
	assert_int_equal(freed, 0);
	buf_put(a);
	assert_int_equal(freed, 1);
	buf_put(b);
	assert_int_equal(freed, 1); /* nobody failed since */
	/* All the memory is in the class of 1 MiB; it moves to others. */
	a = buf_get(p, 2 * MIB);
	assert_non_null(a);
	buf_put(a);
	a = buf_get(p, 4096);
	assert_non_null(a);
	assert_int_equal(buf_pool_used(p), 4096);
	buf_put(a);
	assert_null(buf_get(p, MAX_BULK));
	buf_pool_destroy(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_are_aligned_and_large_enough),
		cmocka_unit_test(the_last_one_put_is_the_first_one_got),
		cmocka_unit_test(the_limit_holds_and_tells_when_there_is_room_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
