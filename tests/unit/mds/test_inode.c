/* SPDX-License-Identifier: Apache-2.0 */
/* test_inode.c - records of the tables: what an update keeps, the order of keys, lists, damage,
 * schema versions. */
#include "mds/inode.h"
#include "mds/orphan.h"
#include "mds/slot.h"
#include "tests/unit/mds/mds_test.h"

static int setup(void **state)
{
	struct mt *m = malloc(sizeof(*m));

	mt_init(m);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	mt_fini(*state);
	free(*state);
	return 0;
}

static void an_update_keeps_what_it_does_not_name(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_make(m, ROOT, "l", S_IFLNK | 0777);
	struct inode_rec ino;

	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	ino.attr.uid = 77;
	ino.target = SPAN_STR("ignored");
	assert_int_equal(inode_update(m->t, &f, &ino), 0);
	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	assert_int_equal(ino.attr.uid, 77);
	assert_true(span_eq(ino.target, SPAN_STR("over/there")));
	assert_true(span_eq(ino.name, SPAN_STR("l")));
	assert_int_equal(inode_set_layout(m->t, &f, &ino, SPAN_STR("blob")), 0);
	assert_int_equal(inode_get(m->t, &f, &ino), 0);
	assert_true(span_eq(ino.layout, SPAN_STR("blob")));
	assert_true(span_eq(ino.target, SPAN_STR("over/there")));
	assert_int_equal(inode_set_layout(m->t, &f, &ino, SPAN_NONE), 0);
}

static void what_is_not_there_cannot_be_updated(void **state)
{
	struct mt *m = *state;
	struct fid f = mt_fid(m);
	struct inode_rec ino = {.next_cookie = 1};

	assert_int_equal(inode_get(m->t, &f, &ino), -ENOENT);
	assert_int_equal(inode_update(m->t, &f, &ino), -ENOENT);
	assert_int_equal(inode_del(m->t, &f), -ENOENT);
}

static int keep_order(void *arg, const struct inode_key *k, const struct inode_rec *v)
{
	struct fid *last = arg;

	(void)v;
	assert_true(fid_cmp(last, &k->fid) < 0);
	*last = k->fid;
	return 0;
}

static void keys_are_in_the_order_of_fids(void **state)
{
	struct mt *m = *state;
	struct inode_rec ino = {.attr = {.nlink = 1}};
	struct fid last = {0};
	uint32_t i;

	for (i = 1; i < 70000; i += 999) {
		struct fid f = {FID_SEQ_NORMAL + 1 + i % 7 * 300, i, 0};

		assert_int_equal(inode_put(m->t, &f, &ino), 0);
	}
	assert_int_equal(inode_rec_walk(m->t, &(struct inode_key){.fid = {0}}, keep_order, &last),
			 0);
	for (i = 1; i < 70000; i += 999) {
		struct fid f = {FID_SEQ_NORMAL + 1 + i % 7 * 300, i, 0};

		assert_int_equal(inode_del(m->t, &f), 0);
	}
}

static void lists_go_on_where_they_stopped(void **state)
{
	struct mt *m = *state;
	struct fid from = {0}, out[4];
	int i, n, total = 0;

	for (i = 1; i <= 10; i++)
		assert_int_equal(unsure_add(m->t, &(struct fid){FID_SEQ_NORMAL + 1,
								1000U + (uint32_t)i, 0}),
				 0);
	while ((n = unsure_list(m->t, &from, out, 4)) > 0) {
		total += n;
		from = out[n - 1];
	}
	assert_int_equal(total, 10);
	for (i = 1; i <= 10; i++)
		assert_int_equal(unsure_del(m->t, &(struct fid){FID_SEQ_NORMAL + 1,
								1000U + (uint32_t)i, 0}),
				 0);
	assert_int_equal(unsure_list(m->t, &(struct fid){0}, out, 4), 0);
}

static void sequences_are_given_out_once(void **state)
{
	struct mt *m = *state;
	uint64_t a, b;

	assert_int_equal(config_alloc_seq(m->t, &a), 0);
	assert_int_equal(config_alloc_seq(m->t, &b), 0);
	assert_int_equal(a, 0x200000401ULL);
	assert_int_equal(b, a + 1);
	assert_int_equal(config_set(m->t, "next_seq", FID_SEQ_MAX + 1), 0);
	assert_int_equal(config_alloc_seq(m->t, &a), -EOVERFLOW);
}

static void another_schema_is_refused(void **state)
{
	struct mt *m = *state;

	assert_int_equal(config_init(m->t, 5), 0); /* an old MDT stays as it is */
	assert_int_equal(mt_attr(m, ROOT).btime, T0);
	assert_int_equal(config_set(m->t, "schema", MDS_SCHEMA_VERSION + 1), 0);
	assert_int_equal(config_init(m->t, 5), -EINVAL);
}

static void slots_belong_to_a_client_and_an_xid(void **state)
{
	struct mt *m = *state;
	uint8_t a[UUID_LEN] = {1}, b[UUID_LEN] = {2}, none[UUID_LEN] = {0}, next[UUID_LEN];
	struct slot_rec rec = {.xid = 7, .rpc = 203, .body = SPAN_STR("reply")}, got;

	assert_int_equal(slot_put(m->t, a, 3, &rec), 0);
	assert_int_equal(slot_put(m->t, a, 70000, &rec), 0);
	rec.xid = 8;
	assert_int_equal(slot_put(m->t, b, 3, &rec), 0);
	assert_int_equal(slot_get(m->t, a, 3, 7, &got), 0);
	assert_true(span_eq(got.body, SPAN_STR("reply")));
	assert_int_equal(slot_get(m->t, a, 3, 8, &got), -ENOENT);
	assert_int_equal(slot_get(m->t, a, 4, 7, &got), -ENOENT);
	assert_int_equal(slot_next_client(m->t, none, next), 0);
	assert_memory_equal(next, a, UUID_LEN);
	assert_int_equal(slot_del_client(m->t, a), 0);
	assert_int_equal(slot_get(m->t, a, 3, 7, &got), -ENOENT);
	assert_int_equal(slot_get(m->t, b, 3, 8, &got), 0);
	assert_int_equal(slot_next_client(m->t, none, next), 0);
	assert_memory_equal(next, b, UUID_LEN);
	assert_int_equal(slot_next_client(m->t, b, next), -ENOENT);
}

static void random_values_are_taken_or_refused(void **state)
{
	uint64_t seed = 11;
	uint32_t i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		uint8_t raw[200];
		uint32_t len = (uint32_t)rnd_below(&seed, sizeof(raw));
		uint8_t *copy;

		rnd_fill(&seed, raw, len);
		copy = exact_copy(raw, len);
		(void)!schema_value_check(i % MDS_NTABLES, (struct span){copy, len});
		free(copy);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_update_keeps_what_it_does_not_name),
		TEST(what_is_not_there_cannot_be_updated),
		TEST(keys_are_in_the_order_of_fids),
		TEST(lists_go_on_where_they_stopped),
		TEST(sequences_are_given_out_once),
		TEST(another_schema_is_refused),
		TEST(slots_belong_to_a_client_and_an_xid),
		TEST(random_values_are_taken_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
