/* SPDX-License-Identifier: Apache-2.0 */
/* test_resend.c - what an OST has answered is kept until it is stable, and not more than may be. */
#include "client/core/resend.h"
#include "tests/unit/client/core/fake_cluster.h"

static char some[64 << 10];

static void keep(struct target *t, uint64_t number, uint64_t stable, uint32_t len)
{
	const struct wire_hdr h = {.transno = number, .last_committed = stable, .boot_id = 1};
	const struct oss_again_req q = {.fid = {1, 2, 3}, .what = AGAIN_WRITE, .len = len};
	const struct iovec iov = {some, len};

	resend_co_keep(t, &h, &q, 0, NULL, &iov, 1);
}

static struct target *first(struct fake *f)
{
	struct target *t;

	assert_int_equal(target_co_ost(f->ln, 0, &t), 0);
	return t;
}

static void kept_body(struct fake *f)
{
	struct target *t = first(f);

	keep(t, 5, 5, 100);
	assert_int_equal(f->fs->unstable_bytes, 0); /* it is stable already */
	keep(t, 6, 5, 100);
	keep(t, 7, 5, 100);
	assert_true(f->fs->unstable_bytes >= 200);
	resend_heard(t, 6);
	assert_int_equal(t->unstable.n, 1);
	resend_heard(t, 7);
	assert_int_equal(f->fs->unstable_bytes, 0);
	assert_int_equal(f->calls[RPC_oss_commit], 0); /* nobody had to ask */
}
FAKE_MOUNTED_TEST(what_is_stable_is_not_kept, fake_mounted, kept_body)

static void bound_body(struct fake *f)
{
	struct target *t = first(f);
	uint64_t n;

	f->fs->max_unstable_mb = 1;
	for (n = 1; f->fs->unstable_bytes < MIB / 2; n++)
		keep(t, n, 0, sizeof(some));
	while (!f->calls[RPC_oss_commit])
		co_yield();
	resend_heard(t, n);
	resend_co_room(t, MIB);	/* there is */
	keep(t, n, 0, sizeof(some));
	f->calls[RPC_oss_commit] = 0;
} /* what is left at the end is asked to be stable */
FAKE_MOUNTED_TEST(too_much_is_made_stable, fake_mounted, bound_body)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_stable_is_not_kept),
		cmocka_unit_test(too_much_is_made_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
