/* SPDX-License-Identifier: Apache-2.0 */
/* test_lfsck.c - objects are listed in order, each once, in pieces of any size. (oss/lfsck.h) */
#include "oss/lfsck.h"
#include "oss/oss.h"
#include "tests/unit/oss/oss_test.h"

enum { MANY = 700 };

static struct object_id ids[MANY];

static void make(struct disk *d, const char *path)
{
	struct disk_file *f;

	CHECK_RC(disk_co_open(d, path, true, &f), 0);
	disk_file_close(f);
}

static void make_objects(struct disk *d)
{
	char path[OBJECT_PATH_MAX];

	for (uint32_t i = 0; i < MANY; i++) {
		ids[i] = (struct object_id){
			{FID_SEQ_NORMAL + 1 + i % 3, 1 + i / 3 * 64, 0}, 1, i % 2};
		make(d, object_path(&ids[i], path));
	}
	/* What is no object is not listed. */
	make(d, "O/target");
	make(d, "O/200000401/01/x");
	make(d, "O/200000401/01/2.1.0"); /* belongs into 02 */
	make(d, "O/0200000401/01/1.1.0");
}

static bool is_there(const struct object_id *id, bool *seen)
{
	for (uint32_t i = 0; i < MANY; i++)
		if (object_id_eq(id, &ids[i]) && !seen[i]) {
			seen[i] = true;
			return true;
		}
	return false;
}

static void list_all(struct disk *d, uint32_t max, uint32_t want)
{
	struct object_id *out = calloc(max, sizeof(*out));
	struct object_cursor c = {.seq = 0};
	bool seen[MANY] = {false};
	uint32_t n, all = 0, turns = 0;
	int rc;

	do {
		rc = objects_list(d, &c, out, max, &n);
		assert_true(rc == 0 || rc == 1);
		assert_true(n <= max);
		for (uint32_t i = 0; i < n; i++)
			assert_true(is_there(&out[i], seen));
		all += n;
		assert_true(++turns < 10000);
	} while (rc == 0);
	assert_int_equal(all, want);
	free(out);
}

static void t_list(struct oss_test *t)
{
	struct disk *d;

	CHECK_RC(disk_open(t->l, t->dir, &d), 0);
	list_all(d, 10, 0);
	make_objects(d);
	list_all(d, 1, MANY);
	list_all(d, 7, MANY);
	list_all(d, 1000, MANY);
	disk_close(d);
}

static void pieces_of_any_size_have_each_object_once(void **state)
{
	(void)state;
	oss_test_run_as(t_list, true);
}

static void t_rpc(struct oss_test *t)
{
	struct oss_write_req w = {TEST_OBJ, .stripe_size = 2 * STRIPE_SIZE_UNIT, .stripe_count = 3,
				  .layout_gen = 4};
	struct oss_getattr_req g = {TEST_OBJ};
	struct oss_list_req q = {.seq = 0};
	struct oss_write_rep wp;
	struct oss_getattr_rep gp;
	struct oss_list_rep p;
	uint32_t n = 0;

	CHECK_RC(oss_test_write_req(t, &w, "x", 1, &wp), 0);
	do {
		RPC_CALL(call);

		CHECK_RC(oss_co_list(t->imp, &call, &q, &p), 0);
		n += p.objects.len;
		q = (struct oss_list_req){p.seq, p.dir, p.fid, p.comp, p.stripe};
	} while (!p.eof);
	assert_int_equal(n, 24);
	oss_test_restart(t);
	for (int i = 0; i < 2; i++) { /* what was told first stays */
		RPC_CALL(call);

		CHECK_RC(oss_co_getattr(t->imp, &call, &g, &gp), 0);
		assert_int_equal(gp.stripe_size, 2 * STRIPE_SIZE_UNIT);
		assert_int_equal(gp.stripe_count, 3);
		assert_int_equal(gp.layout_gen, 4);
		w.stripe_count = 8;
		CHECK_RC(oss_test_write_req(t, &w, "x", 1, &wp), 0);
	}
}

static void a_target_lists_its_objects_and_they_know_their_layout(void **state)
{
	(void)state;
	oss_test_run(t_rpc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_any_size_have_each_object_once),
		cmocka_unit_test(a_target_lists_its_objects_and_they_know_their_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
