/* SPDX-License-Identifier: Apache-2.0 */
/* test_lfsck.c - the online checker in a running MDS: its control, and what is no finding although
 * it looks like one for a moment. */
#include "mds/lfsck.h"
#include "mds/unlinklog.h"
#include "tests/unit/mds/mds_request_test.h"

static void run(struct st *s, const char *options)
{
	struct lfsck *l = s->mds->lfsck;

	assert_int_equal(lfsck_start(l, options), 0);
	st_until(s, !l->running);
}

static uint64_t all(const uint64_t *n)
{
	uint64_t sum = 0;
	int k;

	for (k = 0; k < FINDING_KINDS; k++)
		sum += n[k];
	return sum;
}

static void expect_clean(struct st *s)
{
	struct lfsck *l = s->mds->lfsck;

	run(s, "reset=1");
	assert_int_equal(all(l->found), 0);
	assert_int_equal(l->part[CHECK_NAMESPACE].status, LFSCK_COMPLETED);
	assert_int_equal(l->part[CHECK_LAYOUT].status, LFSCK_COMPLETED);
}

/* A file at rest of that size. */
static struct fid file(struct st *s, const char *name, uint64_t size)
{
	struct st_open o = st_create(s, 0, name, OPEN_WRITE);

	st_write(s, o.fid, 0, size);
	st_close(s, 0, &o, CLOSE_WROTE, size);
	st_until(s, settle_pending(s->mds->settle) == 0);
	return o.fid;
}

static void b_control(struct st *s)
{
	struct lfsck *l = s->mds->lfsck;

	file(s, "f", 100);
	assert_int_equal(lfsck_stop(l), -EALREADY);
	assert_int_equal(lfsck_start(l, "nonsense"), -EINVAL);
	assert_int_equal(lfsck_start(l, "types=other"), -EINVAL);
	assert_int_equal(lfsck_start(l, "speed=-1"), -EINVAL);
	assert_int_equal(lfsck_start(l, "speed=99999999999"), -EINVAL);
	assert_false(l->running);
	run(s, "types=namespace");
	assert_int_equal(l->part[CHECK_NAMESPACE].status, LFSCK_COMPLETED);
	assert_int_equal(l->part[CHECK_LAYOUT].status, LFSCK_INIT);
	assert_int_equal(lfsck_start(l, "speed=1"), 0);
	assert_int_equal(lfsck_start(l, ""), -EALREADY);
	st_until(s, l->pos.rows > 0);
	assert_int_equal(lfsck_stop(l), 0);
	st_until(s, !l->running);
	assert_int_equal(l->part[CHECK_NAMESPACE].status, LFSCK_STOPPED);
	assert_int_equal(l->part[CHECK_LAYOUT].status, LFSCK_STOPPED);
	assert_true(l->pos.rows > 0 && !l->pos.end);
	run(s, ""); /* goes on */
	assert_int_equal(l->part[CHECK_LAYOUT].status, LFSCK_COMPLETED);
	expect_clean(s);
}

static void b_objects(struct st *s)
{
	struct lfsck *l = s->mds->lfsck;
	struct fid gone = file(s, "gone", 100), cut = file(s, "cut", 100);
	struct st_object *lost = st_object(s, &(struct fid){FID_SEQ_NORMAL + 9, 5, 0}, 0);

	expect_clean(s);
	st_object(s, &gone, 0)->exists = false;
	st_object(s, &cut, 0)->size = 99;
	lost->exists = true;
	lost->size = 4711;
	st_write(s, cut, 1, 10); /* its layout has no second stripe */
	run(s, "");
	assert_int_equal(all(l->found), 4);
	assert_int_equal(l->found[FINDING_missing_object], 1);
	assert_int_equal(l->found[FINDING_short_object], 1);
	assert_int_equal(l->found[FINDING_ownerless_object], 1);
	assert_int_equal(l->found[FINDING_misplaced_object], 1);
	run(s, "dryrun=0 max_repairs=1"); /* what nothing can be done about does not count */
	assert_int_equal(l->fixed[FINDING_ownerless_object], 1);
	assert_int_equal(all(l->failed), 3);
	st_until(s, settle_pending(s->mds->settle) == 0);
	assert_int_equal(st_getattr(s, lost->id.fid).size, 4711);
	st_object(s, &cut, 1)->exists = false;
	st_object(s, &cut, 0)->size = 100;
	st_object(s, &gone, 0)->exists = true;
	expect_clean(s);
}

static struct fid victim;

/* The file goes after the OST has listed its object, and the OST has destroyed it before the MDS
 * hears of the list. */
static void unlink_meanwhile(struct st *s)
{
	s->ost_list_hook = NULL;
	assert_int_equal(st_unlink(s, 0, "f"), 0);
	st_until(s, s->destroyed == 1 && mdt_idle(s->mds));
}

static void b_unlink_meanwhile(struct st *s)
{
	victim = file(s, "f", 100);
	s->ost_list_hook = unlink_meanwhile;
	expect_clean(s);
	assert_null(s->ost_list_hook);
	assert_false(st_object(s, &victim, 0)->exists);
}

/* Written, cut or opened while its objects are asked. */
static int cut_meanwhile(struct st *s)
{
	struct st_object *o = st_object(s, &victim, 0);

	s->ost_getattr_hook = NULL;
	assert_int_equal(st_truncate(s, 0, victim, 7), 0);
	o->exists = false; /* whatever the answer says now: it is not believed */
	return 0;
}

static void b_cut_meanwhile(struct st *s)
{
	victim = file(s, "f", 100);
	s->ost_getattr_hook = cut_meanwhile;
	expect_clean(s);
	assert_null(s->ost_getattr_hook);
	st_object(s, &victim, 0)->exists = true;
}

static void b_not_at_rest(struct st *s)
{
	struct st_open open = st_create(s, 0, "open", OPEN_WRITE), gone;
	struct st_object *o;

	st_write(s, open.fid, 0, 5); /* the MDS has not heard of it */
	gone = st_create(s, 0, "gone", OPEN_WRITE);
	st_write(s, gone.fid, 0, 5);
	assert_int_equal(st_unlink(s, 0, "gone"), 0);
	expect_clean(s);
	st_close(s, 0, &gone, CLOSE_WROTE, 5);
	expect_clean(s); /* in the unlink log, or destroyed */
	st_close(s, 0, &open, CLOSE_WROTE, 5);
	expect_clean(s);
	/* Somebody works on a file that is not there any more. */
	o = st_object(s, &(struct fid){FID_SEQ_NORMAL + 9, 5, 0}, 0);
	o->exists = true;
	{
		struct node *n = node_ref(s->mds->opens, &o->id.fid);

		expect_clean(s);
		node_unref(s->mds->opens, n);
	}
	o->exists = false;
}

static void b_stop_of_the_server(struct st *s)
{
	file(s, "f", 100);
	assert_int_equal(lfsck_start(s->mds->lfsck, "speed=1"), 0);
	st_disconnect(s, 0);
	st_stop_mds(s); /* ends it */
}

#define RUNS(name, body)                                                                           \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		st_run(body);                                                                      \
	}
#define WITH_CLIENT(b)                                                                             \
	static void b##_c(struct st *s)                                                            \
	{                                                                                          \
		st_connect(s, 0);                                                                  \
		b(s);                                                                              \
	}
WITH_CLIENT(b_control)
WITH_CLIENT(b_objects)
WITH_CLIENT(b_unlink_meanwhile)
WITH_CLIENT(b_cut_meanwhile)
WITH_CLIENT(b_not_at_rest)
WITH_CLIENT(b_stop_of_the_server)
RUNS(it_is_started_stopped_and_goes_on, b_control_c)
RUNS(objects_and_layouts_are_compared, b_objects_c)
RUNS(a_file_that_is_removed_meanwhile_is_no_finding, b_unlink_meanwhile_c)
RUNS(a_file_that_is_cut_meanwhile_is_no_finding, b_cut_meanwhile_c)
RUNS(files_that_are_not_at_rest_are_no_finding, b_not_at_rest_c)
RUNS(it_ends_with_the_server, b_stop_of_the_server_c)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_started_stopped_and_goes_on),
		cmocka_unit_test(objects_and_layouts_are_compared),
		cmocka_unit_test(a_file_that_is_removed_meanwhile_is_no_finding),
		cmocka_unit_test(a_file_that_is_cut_meanwhile_is_no_finding),
		cmocka_unit_test(files_that_are_not_at_rest_are_no_finding),
		cmocka_unit_test(it_ends_with_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
