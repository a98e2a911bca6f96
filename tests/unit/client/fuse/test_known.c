/* SPDX-License-Identifier: Apache-2.0 */
/* test_known.c - counts of what the kernel knows, against a plain array. */
#include "client/fuse/face.h"
#include "tests/unit/unit.h"

enum { NODES = 30000, STEPS = 2000000 };

/* Some close together, some far apart. */
static uint64_t node_of(uint64_t i)
{
	return i % 2 ? i + 2 : (i + 2) * 0x100000001ULL;
}

static void counts_are_those_of_a_plain_array(void **state)
{
	uint64_t *model = calloc(NODES, sizeof(*model)), s = 99, n, node;
	struct known *k;
	uint32_t i, step;

	(void)state;
	assert_non_null(model);
	assert_int_equal(known_create(&k), 0);
	for (step = 0; step < STEPS; step++) {
		i = (uint32_t)rnd_below(&s, NODES);
		node = node_of(i);
		switch (rnd_below(&s, 4)) {
		case 0:
		case 1:
			known_add(k, node);
			model[i]++;
			break;
		case 2:
			n = 1 + rnd_below(&s, 3);
			known_forget(k, node, n);
			model[i] -= n < model[i] ? n : model[i];
			break;
		default:
			assert_int_equal(known_count(k, node), model[i]);
		}
	}
	for (i = 0; i < NODES; i++) {
		node = node_of(i);
		assert_int_equal(known_count(k, node), model[i]);
		known_forget(k, node, model[i]);
		assert_int_equal(known_count(k, node), 0);
	}
	known_destroy(k);
	free(model);
}

static void the_root_is_always_known(void **state)
{
	struct known *k;

	(void)state;
	assert_int_equal(known_create(&k), 0);
	known_add(k, FUSE_ROOT_ID);
	known_forget(k, FUSE_ROOT_ID, 100);
	known_forget(k, 0, 1);
	known_add(k, 0);
	assert_int_equal(known_count(k, FUSE_ROOT_ID), 1);
	known_destroy(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_those_of_a_plain_array),
		cmocka_unit_test(the_root_is_always_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
