/* SPDX-License-Identifier: Apache-2.0 */
/* test_young.c - sizes that were made sure not long ago: after a loss of power their objects
 * decide, after anything else the MDT does. */
#include "mds/young.h"
#include "mds/orphan.h"
#include "tests/unit/mds/mds_request_test.h"

static int rows(struct st *s)
{
	struct fid none = {0}, out[8];
	struct txn *t;
	bool in_batch;

	assert_int_equal(store_read(s->mds->store, &t, &in_batch), 0);
	return unsure_list(t, &none, out, 8);
}

static struct fid closed_file(struct st *s, const char *name, uint64_t size)
{
	struct st_open o = st_create(s, 0, name, OPEN_WRITE);

	st_write(s, o.fid, 0, size);
	st_close(s, 0, &o, CLOSE_WROTE, size);
	assert_true(st_sure(s, o.fid));
	return o.fid;
}

static void restart(struct st *s, bool lost_power)
{
	char name[160];

	st_stop_mds(s);
	snprintf(name, sizeof(name), "%s/machine", s->dir);
	if (lost_power)
		assert_int_equal(unlink(name), 0);
	st_start_mds(s);
}

static void body_lost(struct st *s)
{
	struct fid kept, cut, gone;

	st_connect(s, 0);
	kept = closed_file(s, "kept", 1000);
	cut = closed_file(s, "cut", 5000);
	gone = closed_file(s, "gone", 300);
	st_object(s, &cut, 0)->size = 4096;
	*st_object(s, &gone, 0) = (struct st_object){.id = st_object(s, &gone, 0)->id};
	restart(s, true);
	st_until(s, st_sure(s, cut) && st_sure(s, gone) && st_sure(s, kept));
	assert_int_equal(st_getattr(s, cut).size, 4096);
	assert_int_equal(st_getattr(s, gone).size, 0);
	assert_int_equal(st_getattr(s, kept).size, 1000);
	assert_int_equal(rows(s), 3); /* what was measured may not be on the disks either */
}

static void a_loss_of_power_lets_the_objects_decide(void **state)
{
	(void)state;
	st_run(body_lost);
}

static void body_killed(struct st *s)
{
	struct fid f;

	st_connect(s, 0);
	f = closed_file(s, "f", 5000);
	st_object(s, &f, 0)->size = 4096; /* nobody looks */
	restart(s, false);
	assert_true(st_sure(s, f));
	assert_int_equal(st_getattr(s, f).size, 5000);
	assert_int_equal(rows(s), 1);
}

static void the_death_of_the_process_changes_nothing(void **state)
{
	(void)state;
	st_run(body_killed);
}

static void body_removed(struct st *s)
{
	st_connect(s, 0);
	closed_file(s, "f", 10);
	assert_int_equal(rows(s), 1);
	assert_int_equal(st_unlink(s, 0, "f"), 0);
	assert_int_equal(rows(s), 0);
}

static void a_removed_file_leaves_no_row(void **state)
{
	(void)state;
	st_run(body_removed);
}

static void body_old(struct st *s)
{
	struct st_open o;
	struct fid f;

	st_connect(s, 0);
	f = closed_file(s, "f", 10);
	closed_file(s, "g", 10);
	o = st_open(s, 0, f, OPEN_WRITE);
	young_age(s->mds->young, 59);
	assert_int_equal(rows(s), 2);
	young_age(s->mds->young, 2);
	assert_int_equal(rows(s), 1); /* the one that is unsure again */
	st_close(s, 0, &o, CLOSE_WROTE, 10);
	young_age(s->mds->young, 62);
	assert_int_equal(rows(s), 0);
}

static void rows_go_after_a_minute_unless_somebody_writes(void **state)
{
	(void)state;
	st_run(body_old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loss_of_power_lets_the_objects_decide),
		cmocka_unit_test(the_death_of_the_process_changes_nothing),
		cmocka_unit_test(a_removed_file_leaves_no_row),
		cmocka_unit_test(rows_go_after_a_minute_unless_somebody_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
