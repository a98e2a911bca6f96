/* SPDX-License-Identifier: Apache-2.0 */
/* test_settle.c - what the MDS does by itself: dead clients, orphans, unsure sizes, the unlink
 * log, after restarts too. */
#include "tests/unit/mds/mds_request_test.h"

static bool gone(struct st *s, struct fid fid)
{
	struct attr a;

	return st_getattr_rc(s, fid, &a) == -ENOENT;
}

static void body_unlink(struct st *s)
{
	struct st_open o;

	st_connect(s, 0);
	o = st_create(s, 0, "f", OPEN_WRITE);
	st_write(s, o.fid, 0, 10);
	st_close(s, 0, &o, CLOSE_WROTE, 10);
	assert_int_equal(st_unlink(s, 0, "f"), 0);
	assert_true(gone(s, o.fid));
	st_until(s, s->destroyed == 1);
	assert_false(st_object(s, &o.fid, 0)->exists);
	st_until(s, mdt_idle(s->mds));
}

static void objects_of_a_removed_file_are_destroyed(void **state)
{
	(void)state;
	st_run(body_unlink);
}

static void body_open_unlinked(struct st *s)
{
	struct st_open a, b;

	st_connect(s, 0);
	st_connect(s, 1);
	a = st_create(s, 0, "f", OPEN_WRITE);
	st_write(s, a.fid, 0, 10);
	b = st_open(s, 1, a.fid, OPEN_READ);
	assert_int_equal(st_unlink(s, 1, "f"), 0);
	assert_int_equal(st_getattr(s, a.fid).nlink, 0);
	st_close(s, 0, &a, CLOSE_WROTE, 10);
	co_sleep(20 * NSEC_PER_MSEC);
	assert_int_equal(s->destroyed, 0);
	assert_int_equal(st_getattr(s, a.fid).nlink, 0);
	st_close(s, 1, &b, 0, 0);
	st_until(s, gone(s, a.fid));
	st_until(s, s->destroyed == 1);
}

static void an_open_file_lives_until_its_last_close(void **state)
{
	(void)state;
	st_run(body_open_unlinked);
}

static void body_dead_client(struct st *s)
{
	struct st_open a, b;

	st_connect(s, 0);
	st_connect(s, 1);
	a = st_create(s, 1, "f", OPEN_WRITE);
	b = st_create(s, 1, "g", OPEN_WRITE);
	st_write(s, a.fid, 0, 4711);
	st_write(s, b.fid, 0, 10);
	assert_int_equal(st_unlink(s, 0, "g"), 0);
	st_evict(s, 1);
	st_until(s, st_sure(s, a.fid));
	assert_int_equal(st_getattr(s, a.fid).size, 4711);
	st_until(s, gone(s, b.fid));
	st_until(s, s->destroyed == 1);
	assert_int_equal(open_table_count(s->mds->opens), 0);
}

static void a_dead_client_leaves_sure_sizes_and_no_orphans(void **state)
{
	(void)state;
	st_run(body_dead_client);
}

static int writer_comes(struct st *s)
{
	struct inode_rec ino;
	struct fid fid;
	struct txn *t;
	bool in_batch;

	s->ost_getattr_hook = NULL;
	assert_int_equal(store_read(s->mds->store, &t, &in_batch), 0);
	assert_int_equal(ns_lookup(t, &ROOT, SPAN_STR("f"), &fid, &ino), 0);
	st_open(s, 1, fid, OPEN_WRITE); /* stays open */
	return 0;
}

static void body_measure_race(struct st *s)
{
	struct st_open a, b;

	st_connect(s, 0);
	st_connect(s, 1);
	a = st_create(s, 0, "f", OPEN_WRITE);
	b = st_open(s, 1, a.fid, OPEN_WRITE);
	st_write(s, a.fid, 0, 10);
	s->ost_getattr_hook = writer_comes;
	st_close(s, 0, &a, CLOSE_WROTE, 10);
	st_close(s, 1, &b, CLOSE_WROTE, 10);
	st_until(s, s->getattrs == 1 && !s->ost_getattr_hook);
	co_sleep(20 * NSEC_PER_MSEC);
	assert_false(st_sure(s, a.fid)); /* a writer came while the objects were asked */
	st_evict(s, 1);
	st_until(s, st_sure(s, a.fid));
	assert_int_equal(st_getattr(s, a.fid).size, 10);
}

static void a_size_is_not_taken_when_a_writer_comes_meanwhile(void **state)
{
	(void)state;
	st_run(body_measure_race);
}

static int fail_once(struct st *s)
{
	s->ost_getattr_hook = NULL;
	return -EIO;
}

static int busy_once(struct st *s)
{
	s->ost_getattr_hook = fail_once;
	return -EAGAIN;
}

static void body_retry(struct st *s)
{
	struct st_open a;

	st_connect(s, 0);
	st_connect(s, 1);
	a = st_create(s, 1, "f", OPEN_WRITE);
	st_write(s, a.fid, 0, 10);
	s->ost_getattr_hook = busy_once;
	st_evict(s, 1);
	st_until(s, s->getattrs == 1);
	st_until(s, !s->ost_getattr_hook); /* five seconds later */
	assert_false(st_sure(s, a.fid)); /* an EIO is final: the object is damaged */
	assert_int_equal(st_unlink(s, 0, "f"), 0);
}

static void measuring_is_tried_again_while_the_ost_is_away(void **state)
{
	(void)state;
	st_run(body_retry);
}

static void body_restart(struct st *s)
{
	struct mds_reopen_req rq;
	struct mds_reopen_rep rp;
	struct st_open kept, lost, writer;
	RPC_CALL(call);

	st_connect(s, 0);
	st_connect(s, 1);
	kept = st_create(s, 0, "kept", OPEN_READ);
	lost = st_create(s, 1, "lost", OPEN_READ);
	writer = st_create(s, 1, "written", OPEN_WRITE);
	st_write(s, writer.fid, 0, 777);
	assert_int_equal(st_unlink(s, 0, "kept"), 0);
	assert_int_equal(st_unlink(s, 0, "lost"), 0);
	st_stop_mds(s);
	st_start_mds(s);
	rq = (struct mds_reopen_req){kept.fid, OPEN_READ, kept.id};
	assert_int_equal(mds_co_reopen(s->client[0].imp, &call, &rq, &rp), 0);
	assert_int_equal(s->client[0].restarts, 1);
	assert_int_equal(st_getattr(s, lost.fid).nlink, 0); /* the window is open */
	assert_false(st_sure(s, writer.fid));
	st_until(s, gone(s, lost.fid));
	st_until(s, st_sure(s, writer.fid));
	assert_int_equal(st_getattr(s, writer.fid).size, 777);
	assert_int_equal(st_getattr(s, kept.fid).nlink, 0);
	st_close(s, 0, &kept, 0, 0);
	st_until(s, gone(s, kept.fid));
}

static void after_a_restart_what_nobody_reopens_is_settled(void **state)
{
	(void)state;
	st_run(body_restart);
}

static void body_reopened_writer(struct st *s)
{
	struct mds_reopen_req q;
	struct mds_reopen_rep p;
	struct st_open o;
	RPC_CALL(call);

	st_connect(s, 0);
	o = st_create(s, 0, "f", OPEN_WRITE);
	st_write(s, o.fid, 0, 500); /* another client, which has gone with the restart */
	st_stop_mds(s);
	st_start_mds(s);
	q = (struct mds_reopen_req){o.fid, OPEN_WRITE, o.id};
	assert_int_equal(mds_co_reopen(s->client[0].imp, &call, &q, &p), 0);
	o.seq = p.open_seq;
	st_close(s, 0, &o, CLOSE_WROTE, 10);
	st_until(s, st_sure(s, o.fid));
	assert_int_equal(st_getattr(s, o.fid).size, 500);
}

static void a_writer_that_lived_through_a_restart_is_not_believed(void **state)
{
	(void)state;
	st_run(body_reopened_writer);
}

static void osts_come(void *arg)
{
	co_sleep(50 * NSEC_PER_MSEC);
	st_give_osts(arg);
}

static void body_truncate_early(struct st *s)
{
	struct st_open o;

	st_connect(s, 0);
	o = st_create(s, 0, "f", OPEN_WRITE);
	st_write(s, o.fid, 0, 500);
	st_close(s, 0, &o, CLOSE_WROTE, 500);
	st_stop_mds(s);
	s->no_osts = true;
	st_start_mds(s);
	assert_int_equal(fiber_spawn(s->loop, osts_come, s), 0);
	assert_int_equal(st_truncate(s, 0, o.fid, 5), 0);
	assert_int_equal(st_object(s, &o.fid, 0)->size, 5);
}

static void a_truncation_waits_for_the_configuration(void **state)
{
	(void)state;
	st_run(body_truncate_early);
}

static void body_log_survives(struct st *s)
{
	struct st_open a;

	st_connect(s, 0);
	a = st_create(s, 0, "f", OPEN_WRITE);
	st_write(s, a.fid, 0, 10);
	st_close(s, 0, &a, CLOSE_WROTE, 10);
	rpc_service_co_stop(s->ost, 10);
	rpc_service_destroy(s->ost);
	assert_int_equal(st_unlink(s, 0, "f"), 0);
	st_stop_mds(s);
	st_start_ost(s); /* elsewhere: the new MDS is told where */
	st_start_mds(s);
	st_until(s, s->destroyed == 1);
}

static void the_unlink_log_outlives_ost_and_mds(void **state)
{
	(void)state;
	st_run(body_log_survives);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_of_a_removed_file_are_destroyed),
		cmocka_unit_test(an_open_file_lives_until_its_last_close),
		cmocka_unit_test(a_dead_client_leaves_sure_sizes_and_no_orphans),
		cmocka_unit_test(a_size_is_not_taken_when_a_writer_comes_meanwhile),
		cmocka_unit_test(measuring_is_tried_again_while_the_ost_is_away),
		cmocka_unit_test(after_a_restart_what_nobody_reopens_is_settled),
		cmocka_unit_test(a_writer_that_lived_through_a_restart_is_not_believed),
		cmocka_unit_test(a_truncation_waits_for_the_configuration),
		cmocka_unit_test(the_unlink_log_outlives_ost_and_mds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
