/* SPDX-License-Identifier: Apache-2.0 */
/* test_power.c - a target knows whether its machine may have lost what was not synced. */
#include "oss/power.h"
#include "tests/unit/oss/oss_test.h"

/* As it is on the disk while the target serves. */
static void copy(struct oss_test *t, const char *from, const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "cp %s/%s %s/%s", t->dir, from, t->dir, to);
	CHECK_RC(system(command), 0);
}

/* The end of the target leaves what there was before it. */
static void killed(struct oss_test *t, const char *machine)
{
	copy(t, POWER_PATH, "saved");
	oss_test_unserve(t);
	copy(t, "saved", POWER_PATH);
	t->cfg.machine = machine;
	oss_test_serve(t);
}

static void t_power(struct oss_test *t)
{
	uint64_t power = t->ost->power, own;

	assert_true(power != 0);
	killed(t, NULL);
	own = t->ost->power;
	assert_int_equal(own, power); /* the page cache is the same */
	killed(t, "another");
	assert_int_not_equal(t->ost->power, own);
	power = t->ost->power;
	killed(t, "another");
	assert_int_equal(t->ost->power, power);
	t->cfg.machine = "third";
	oss_test_restart(t); /* in order: nothing is lost by a move */
	assert_int_equal(t->ost->power, power);
	killed(t, "fourth");
	assert_int_not_equal(t->ost->power, power);
	power = t->ost->power;
	copy(t, "O/target", "saved"); /* no such record */
	oss_test_unserve(t);
	copy(t, "saved", POWER_PATH);
	oss_test_serve(t);
	assert_int_not_equal(t->ost->power, power);
}

static void a_target_keeps_its_power_unless_its_machine_has_lost_it(void **state)
{
	(void)state;
	oss_test_run(t_power);
}

static void t_told(struct oss_test *t)
{
	struct oss_write_req q = {TEST_OBJ};
	struct oss_write_rep p;
	struct oss_sync_req sq = {TEST_OBJ};
	struct oss_sync_rep sp;
	RPC_CALL(sync);

	CHECK_RC(oss_test_write_req(t, &q, "some", 4, &p), 0);
	assert_int_equal(p.power, t->ost->power);
	CHECK_RC(oss_co_sync(t->imp, &sync, &sq, &sp), 0);
	assert_int_equal(sp.power, t->ost->power);
	assert_int_equal(sync.hdr.last_committed, cache_stable(t->ost->cache));
	CHECK_RC(power_co_sync_all(t->ost), 0);
	rpc_call_fini(&sync);
	CHECK_RC(oss_co_sync(t->imp, &sync, &sq, &sp), 0);
	assert_int_equal(sync.hdr.last_committed, cache_changes(t->ost->cache));
}

static void answers_tell_the_power_and_what_is_stable(void **state)
{
	(void)state;
	oss_test_run(t_told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_target_keeps_its_power_unless_its_machine_has_lost_it),
		cmocka_unit_test(answers_tell_the_power_and_what_is_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
