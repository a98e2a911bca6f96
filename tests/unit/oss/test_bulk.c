/* SPDX-License-Identifier: Apache-2.0 */
/* test_bulk.c - who gets buffers when there are too few. */
#include "tests/unit/oss/oss_test.h"

struct pool {
	struct bulk_pool *p;
	uint32_t limit_mb, readied;
};

static void ready(void *arg)
{
	struct pool *f = arg;

	f->readied++;
}

static void begin(struct oss_test *t, struct pool *f)
{
	*f = (struct pool){.limit_mb = 16};
	CHECK_RC(bulk_pool_create(t->l, &f->limit_mb, ready, f, &f->p), 0);
}

static void t_writes(struct oss_test *t)
{
	struct bulk *b[3], *small;
	struct pool f;

	begin(t, &f);
	for (int i = 0; i < 3; i++) {
		b[i] = bulk_get(f.p, MAX_BULK);
		assert_non_null(b[i]);
		assert_int_equal(b[i]->iov.iov_len, MAX_BULK);
	}
	assert_null(bulk_get(f.p, 4096)); /* a quarter is left for reads */
	assert_int_equal(bulk_pool_used(f.p), 12 * MIB);
	f.limit_mb = 32; /* the tunable counts at once */
	small = bulk_get(f.p, 1);
	assert_non_null(small);
	f.limit_mb = 16;
	assert_int_equal(f.readied, 0);
	bulk_put(small);
	co_yield();
	assert_int_equal(f.readied, 1);
	for (int i = 0; i < 3; i++)
		bulk_put(b[i]);
	assert_true(bulk_pool_idle(f.p));
	co_yield();
	assert_int_equal(f.readied, 1); /* nobody was refused meanwhile */
	bulk_pool_destroy(f.p);
}

static void writes_are_refused_beyond_their_share_and_told_when_it_is_free(void **state)
{
	(void)state;
	oss_test_run_as(t_writes, true);
}

struct reader {
	struct pool *f;
	struct bulk_user *u;
	uint32_t len;
	struct bulk *got;
};

static int read_one(void *arg)
{
	struct reader *r = arg;

	r->got = bulk_co_get(r->f->p, r->u, r->len);
	return r->got ? 0 : -ENOMEM;
}

static void settle(void)
{
	for (int i = 0; i < 5; i++)
		co_yield();
}

static void t_greedy(struct oss_test *t)
{
	struct bulk_user *greedy, *other;
	struct co_group g = CO_GROUP_INIT;
	struct reader r[3], o;
	struct pool f;

	begin(t, &f);
	CHECK_RC(bulk_user_create(&greedy), 0);
	CHECK_RC(bulk_user_create(&other), 0);
	for (int i = 0; i < 3; i++) {
		r[i] = (struct reader){&f, greedy, MAX_BULK, NULL};
		co_spawn(&g, read_one, &r[i]);
	}
	settle();
	assert_non_null(r[0].got); /* a quarter of the limit is his */
	assert_null(r[1].got);
	o = (struct reader){&f, other, MAX_BULK, NULL};
	co_spawn(&g, read_one, &o);
	settle();
	assert_non_null(o.got); /* the other one does not wait for him */
	bulk_put(r[0].got);
	settle();
	assert_non_null(r[1].got);
	bulk_user_put(greedy); /* the session ends while its reads wait and hold */
	bulk_put(r[1].got);
	settle();
	assert_non_null(r[2].got);
	CHECK_RC(co_join(&g), 0);
	bulk_put(r[2].got);
	bulk_put(o.got);
	bulk_user_put(other);
	bulk_pool_destroy(f.p);
}

static void a_client_that_reads_nothing_holds_only_its_share(void **state)
{
	(void)state;
	oss_test_run_as(t_greedy, true);
}

static void t_order(struct oss_test *t)
{
	struct bulk_user *u[5];
	struct co_group g = CO_GROUP_INIT;
	struct reader r[5];
	struct pool f;

	begin(t, &f);
	for (int i = 0; i < 5; i++)
		CHECK_RC(bulk_user_create(&u[i]), 0);
	for (int i = 0; i < 3; i++) { /* all that reads may have */
		r[i] = (struct reader){&f, u[i], MAX_BULK, NULL};
		CHECK_RC(read_one(&r[i]), 0);
	}
	r[3] = (struct reader){&f, u[3], MAX_BULK, NULL};
	r[4] = (struct reader){&f, u[4], 4096, NULL};
	co_spawn(&g, read_one, &r[3]);
	settle();
	co_spawn(&g, read_one, &r[4]);
	settle();
	assert_null(r[3].got);
	assert_null(r[4].got);
	bulk_put(r[0].got);
	settle();
	assert_non_null(r[3].got); /* the large one came first */
	assert_null(r[4].got);
	bulk_put(r[1].got);
	CHECK_RC(co_join(&g), 0);
	for (int i = 2; i < 5; i++)
		bulk_put(r[i].got);
	for (int i = 0; i < 5; i++)
		bulk_user_put(u[i]);
	bulk_pool_destroy(f.p);
}

static void a_large_read_is_not_overtaken_by_small_ones(void **state)
{
	(void)state;
	oss_test_run_as(t_order, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_are_refused_beyond_their_share_and_told_when_it_is_free),
		cmocka_unit_test(a_client_that_reads_nothing_holds_only_its_share),
		cmocka_unit_test(a_large_read_is_not_overtaken_by_small_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
