/* SPDX-License-Identifier: Apache-2.0 */
/* test_victims.c - which files go: the oldest, and no more of them than needed. */
#include "mds/victims.h"
#include "tests/unit/unit.h"
#include <stdlib.h>

static struct fid nr(uint32_t i)
{
	return (struct fid){FID_SEQ_NORMAL, i, 0};
}

static void the_oldest_go_and_no_more_than_needed(void **state)
{
	struct victims *v = victims_create(1000, 100);
	uint32_t i, n;
	struct fid f;

	(void)state;
	for (i = 0; i < 500; i++) /* each number once, in no order */
		victims_add(v, &(struct fid){FID_SEQ_NORMAL, i * 7 % 500, 0}, i * 7 % 500, 100);
	n = victims_count(v);
	assert_int_equal(n, 10);
	while (n--) {
		assert_true(victims_take_newest(v, &f));
		assert_int_equal(f.oid, n);
	}
	assert_false(victims_take_newest(v, &f));
	victims_free(v);
}

static void a_large_old_one_makes_newer_ones_needless(void **state)
{
	struct victims *v = victims_create(1000, 100);
	struct fid f;

	(void)state;
	victims_add(v, &(struct fid){FID_SEQ_NORMAL, 1, 0}, 100, 600);
	victims_add(v, &(struct fid){FID_SEQ_NORMAL, 2, 0}, 200, 600);
	assert_int_equal(victims_count(v), 2);
	victims_add(v, &(struct fid){FID_SEQ_NORMAL, 3, 0}, 300, 5000);
	assert_int_equal(victims_count(v), 2); /* it is newer, and not needed */
	victims_add(v, &(struct fid){FID_SEQ_NORMAL, 4, 0}, 50, 5000);
	assert_int_equal(victims_count(v), 1);
	assert_true(victims_take_newest(v, &f) && f.oid == 4);
	victims_free(v);
}

/* By the rule itself. */
static void as_the_naive_way_would_choose(void **state)
{
	enum { N = 300, MAX = 40 };
	uint32_t seed, i, n;

	(void)state;
	for (seed = 1; seed < 60; seed++) {
		struct {
			int64_t used;
			uint64_t bytes;
		} file[N];
		uint64_t need = seed * 137, sum = 0;
		struct victims *v = victims_create(need, MAX);
		struct fid f;

		srandom(seed);
		for (i = 0; i < N; i++) {
			file[i].used = i;
			file[i].bytes = (uint64_t)random() % 300;
		}
		for (i = 0; i < N; i++) {
			uint32_t k = (i * 77 + seed) % N; /* each once */
			struct fid id = nr(k);

			victims_add(v, &id, file[k].used, file[k].bytes);
		}
		for (n = 0; n < MAX && sum < need; n++)
			sum += file[n].bytes;
		assert_int_equal(victims_count(v), n);
		while (n--) {
			assert_true(victims_take_newest(v, &f));
			assert_int_equal(f.oid, n);
		}
		victims_free(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_go_and_no_more_than_needed),
		cmocka_unit_test(a_large_old_one_makes_newer_ones_needless),
		cmocka_unit_test(as_the_naive_way_would_choose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
