/* SPDX-License-Identifier: Apache-2.0 */
/* test_objects.c - size, blocks and mtime of a file from its objects; which part of an object a
 * range of the file is. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/core/objects.h"

enum { SS = 65536 };

static struct layout *striped(int32_t count)
{
	uint32_t ost[8] = {0, 1, 2, 3, 4, 5, 6, 7};
	struct layout *l;

	assert_int_equal(layout_plain(SS, count, -1, NULL, ost, &l), 0);
	return l;
}

static void note(struct objs *o, uint32_t i, uint64_t size, int64_t mtime, uint64_t version)
{
	struct obj_state s = {true, size, (size + 511) / 512, mtime, version};

	objs_note(o, i, &s);
}

static void objects_are_numbered_through(void **state)
{
	struct layout *l = striped(4);
	uint32_t i, comp, stripe;

	(void)state;
	assert_int_equal(objs_count(l), 4);
	for (i = 0; i < 4; i++) {
		objs_place(l, i, &comp, &stripe);
		assert_int_equal(comp, 0);
		assert_int_equal(stripe, i);
		assert_int_equal(objs_index(l, comp, stripe), i);
	}
	layout_free(l);
}

static void the_size_is_what_the_last_byte_of_any_object_proves(void **state)
{
	struct layout *l = striped(4);
	struct objs o = {0};

	(void)state;
	assert_int_equal(objs_init(&o, l), 0);
	assert_int_equal(objs_size(&o, l), 0);
	note(&o, 0, 2 * SS, 0, 1);   /* bytes up to 5 * SS - 1 of the file */
	note(&o, 2, SS + 10, 0, 1);  /* up to 6 * SS + 10 */
	assert_int_equal(objs_size(&o, l), 6 * SS + 10);
	note(&o, 3, SS, 0, 1); /* 4 * SS: less */
	assert_int_equal(objs_size(&o, l), 6 * SS + 10);
	objs_fini(&o);
	layout_free(l);
}

static void blocks_are_added_and_the_newest_time_counts(void **state)
{
	struct layout *l = striped(2);
	struct objs o = {0};

	(void)state;
	assert_int_equal(objs_init(&o, l), 0);
	assert_int_equal(objs_mtime(&o), 0);
	note(&o, 0, 1024, 50, 1);
	note(&o, 1, 512, 40, 1);
	assert_int_equal(objs_blocks(&o), 3);
	assert_int_equal(objs_mtime(&o), 50);
	objs_fini(&o);
	layout_free(l);
}

static void an_older_reply_that_comes_late_changes_nothing(void **state)
{
	struct layout *l = striped(1);
	struct objs o = {0};

	(void)state;
	assert_int_equal(objs_init(&o, l), 0);
	note(&o, 0, 8192, 20, 6);
	note(&o, 0, 4096, 10, 5);
	assert_int_equal(objs_size(&o, l), 8192);
	note(&o, 0, 100, 30, 1); /* the server restarted: versions anew, time goes on */
	assert_int_equal(objs_size(&o, l), 100);
	objs_fini(&o);
	layout_free(l);
}

static void forgotten_objects_are_unknown_and_the_rest_of_a_new_file_is_empty(void **state)
{
	struct layout *l = striped(3);
	struct objs o = {0};

	(void)state;
	assert_int_equal(objs_init(&o, l), 0);
	note(&o, 1, 77, 5, 1);
	objs_forget(&o);
	assert_int_equal(objs_size(&o, l), 0);
	note(&o, 0, 10, 6, 2);
	objs_rest_empty(&o);
	assert_true(o.at[1].known && o.at[2].known);
	assert_int_equal(o.at[1].size, 0);
	assert_int_equal(objs_size(&o, l), 10);
	objs_fini(&o);
	layout_free(l);
}

static void only_the_object_that_proves_the_size_stays_known(void **state)
{
	struct layout *l = striped(3);
	struct objs o = {0};

	(void)state;
	assert_int_equal(objs_init(&o, l), 0);
	note(&o, 0, SS + 7, 5, 1);
	note(&o, 1, SS, 5, 1);
	note(&o, 2, 0, 5, 1);
	objs_forget_smaller(&o, l);
	assert_true(o.at[0].known && !o.at[1].known && !o.at[2].known);
	assert_int_equal(objs_size(&o, l), 3 * SS + 7);
	objs_fini(&o);
	layout_free(l);
}

/* Adds up the parts of all objects: every byte of the range must be in exactly one. */
static void a_range_of_the_file_is_shared_out_among_the_objects(void **state)
{
	struct layout *l = striped(3);
	uint64_t off, end, at, len, sum;

	(void)state;
	for (off = 0; off < 8 * SS; off += SS / 2 + 1)
		for (end = off + 1; end < off + 7 * SS; end += SS + 17) {
			sum = 0;
			for (uint32_t i = 0; i < 3; i++) {
				if (!objs_range(&l->comp[0], i, off, end, &at, &len))
					continue;
				sum += len;
				assert_true(layout_file_off(&l->comp[0], i, at) >= off);
				assert_true(layout_file_off(&l->comp[0], i, at + len - 1) < end);
			}
			assert_int_equal(sum, end - off);
		}
	layout_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_numbered_through),
		cmocka_unit_test(the_size_is_what_the_last_byte_of_any_object_proves),
		cmocka_unit_test(blocks_are_added_and_the_newest_time_counts),
		cmocka_unit_test(an_older_reply_that_comes_late_changes_nothing),
		cmocka_unit_test(forgotten_objects_are_unknown_and_the_rest_of_a_new_file_is_empty),
		cmocka_unit_test(only_the_object_that_proves_the_size_stays_known),
		cmocka_unit_test(a_range_of_the_file_is_shared_out_among_the_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
