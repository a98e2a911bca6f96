/* SPDX-License-Identifier: Apache-2.0 */
/* test_grant.c - shares of what OSTs promised: taken before bytes are kept, used by their
 * requests, the rest given back to the pool. */
#include "client/core/core.h"
#include "tests/unit/client/core/fake_cluster.h"

enum { BLOCK = 4096, PROMISE = 1 << 20 };

static struct grant *plan(struct file *file)
{
	struct grant *g = malloc(sizeof(*g));

	assert_non_null(g);
	assert_int_equal(grant_co_plan(fake->ln, file->layout, 12345, g), 0);
	return g;
}

static void shares_body(struct fake *f)
{
	struct file *file = fake_open_file(O_WRONLY);
	struct grant *g = plan(file);
	struct ost *o = g->at[0].ost;
	uint64_t want, used;

	assert_int_equal(g->n, 1);
	assert_ptr_equal(grant_take(f->fs, g, 0, 100, 0), o); /* nothing is promised yet */
	assert_int_equal(o->grant, 0);
	f->promise = PROMISE;
	assert_true(grant_co_ask(f->ln, o));
	assert_int_equal(f->calls[RPC_oss_grant], 1);
	assert_int_equal(o->grant, PROMISE);
	assert_null(grant_take(f->fs, g, 100, 200, 0)); /* a block, and one for the object */
	assert_int_equal(o->grant, PROMISE - 2 * BLOCK);
	assert_null(grant_take(f->fs, g, 100, 4000, 100)); /* the same block */
	assert_int_equal(o->grant, PROMISE - 2 * BLOCK);
	assert_null(grant_take(f->fs, g, 100, 4097, 3900));
	assert_int_equal(o->grant, PROMISE - 3 * BLOCK);
	assert_ptr_equal(grant_take(f->fs, g, 100, 2 * PROMISE, 3997), o);
	assert_int_equal(o->grant, PROMISE - 3 * BLOCK);
	used = grant_use(f->ln, g, o, 100, 50, &want);
	assert_in_range(used, 50, 3 * BLOCK);
	grant_end(f->ln, g);
	assert_int_equal(o->grant, PROMISE - used); /* what was not used is there again */
	fs_co_release(f->ln, file);
}

static void mounted(struct fake *f)
{
	char why[256];

	fake_file(1);
	assert_int_equal(fake_mount("lustre", "", why, sizeof(why)), 0);
	shares_body(f);
	fake_unmount();
}

static void an_extent_has_its_share_before_it_has_bytes(void **state)
{
	(void)state;
	fake_run(mounted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_extent_has_its_share_before_it_has_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
