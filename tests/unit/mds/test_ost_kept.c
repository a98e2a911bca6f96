/* SPDX-License-Identifier: Apache-2.0 */
/* test_ost_kept.c - what the MDS changed at an OST is remembered until that is stable. */
#include "mds/ost_kept.h"
#include "tests/unit/unit.h"

static void until_it_is_stable(void **state)
{
	const struct oss_again_req q = {.what = AGAIN_PUNCH, .off = 7};
	struct ost_kept k;

	(void)state;
	ost_kept_init(&k, NULL, "lustre-OST0000");
	ost_kept_add(&k, &(struct wire_hdr){.transno = 5, .last_committed = 5}, &q);
	assert_int_equal(k.changes.n, 0); /* it is already */
	ost_kept_add(&k, &(struct wire_hdr){.transno = 6, .last_committed = 5}, &q);
	ost_kept_add(&k, &(struct wire_hdr){.transno = 7, .last_committed = 5}, &q);
	assert_int_equal(TAILQ_FIRST(&k.changes.changes)->req.number, 6);
	assert_int_equal(TAILQ_FIRST(&k.changes.changes)->req.off, 7);
	ost_kept_heard(&k, 6);
	assert_int_equal(k.changes.n, 1);
	k.busy = true; /* they are being sent */
	ost_kept_heard(&k, 7);
	assert_int_equal(k.changes.n, 1);
	k.busy = false;
	ost_kept_fini(&k);
	assert_int_equal(k.changes.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(until_it_is_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
