/* SPDX-License-Identifier: Apache-2.0 */
/* test_open.c - opens and closes on a running MDS: whose word about the size counts, and when the
 * objects are asked. */
#include "tests/unit/mds/mds_request_test.h"

static void body_alone(struct st *s)
{
	struct st_open o;
	struct attr a;

	st_connect(s, 0);
	o = st_create(s, 0, "f", OPEN_WRITE);
	assert_true(o.sole);
	assert_true(o.attr.flags & ATTR_SIZE_UNSURE);
	assert_false(st_sure(s, o.fid));
	st_write(s, o.fid, 0, 5000);
	st_close(s, 0, &o, CLOSE_WROTE, 5000);
	a = st_getattr(s, o.fid);
	assert_int_equal(a.size, 5000);
	assert_int_equal(a.blocks, 8);
	assert_false(a.flags & ATTR_SIZE_UNSURE);
	assert_int_equal(s->getattrs, 0); /* nobody asked the OST */
}

static void the_only_writer_is_believed(void **state)
{
	(void)state;
	st_run(body_alone);
}

static void body_not_written(struct st *s)
{
	struct st_open o;

	st_connect(s, 0);
	o = st_create(s, 0, "f", OPEN_WRITE);
	st_close(s, 0, &o, 0, 0);
	assert_true(st_sure(s, o.fid));
	o = st_open(s, 0, o.fid, OPEN_WRITE);
	assert_true(o.sole);
	st_close(s, 0, &o, 0, 0);
	assert_true(st_sure(s, o.fid));
	assert_int_equal(s->getattrs, 0);
}

static void a_writer_that_wrote_nothing_leaves_the_size_as_it_was(void **state)
{
	(void)state;
	st_run(body_not_written);
}

static void body_two(struct st *s)
{
	struct st_open a, b;

	st_connect(s, 0);
	st_connect(s, 1);
	a = st_create(s, 0, "f", OPEN_WRITE);
	b = st_open(s, 1, a.fid, OPEN_WRITE);
	assert_false(b.sole);
	assert_true(b.seq != a.seq);
	st_write(s, a.fid, 0, 9000);
	st_close(s, 1, &b, CLOSE_WROTE, 9000);
	assert_false(st_sure(s, a.fid));
	st_close(s, 0, &a, CLOSE_WROTE, 100);
	st_until(s, st_sure(s, a.fid));
	assert_int_equal(st_getattr(s, a.fid).size, 9000);
	assert_true(s->getattrs > 0);
}

static void of_two_writers_neither_is_believed(void **state)
{
	(void)state;
	st_run(body_two);
}

static void body_readers(struct st *s)
{
	struct st_open a, r;

	st_connect(s, 0);
	st_connect(s, 1);
	a = st_create(s, 0, "f", OPEN_WRITE);
	r = st_open(s, 1, a.fid, OPEN_READ);
	st_write(s, a.fid, 0, 70);
	st_close(s, 0, &a, CLOSE_WROTE, 70);
	assert_true(st_sure(s, a.fid));
	st_close(s, 1, &r, CLOSE_READ, 0);
	assert_int_equal(s->getattrs, 0);
	assert_int_equal(st_getattr(s, a.fid).size, 70);
}

static void readers_do_not_matter(void **state)
{
	(void)state;
	st_run(body_readers);
}

static void set_atime(struct st *s, int c, struct fid fid, int64_t atime)
{
	struct mds_setattr_req q = {.fid = fid, .valid = SETATTR_ATIME, .atime = atime};
	struct mds_setattr_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_setattr(s->client[c].imp, &call, &q, &p), 0);
}

static void close_read(struct st *s, int c, const struct st_open *o, int64_t read_at)
{
	struct mds_close_req q = {.fid = o->fid, .open_id = o->id, .flags = CLOSE_READ,
				  .atime = read_at};
	struct mds_close_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_close(s->client[c].imp, &call, &q, &p), 0);
}

static void body_atime(struct st *s)
{
	struct st_open a, r;
	int64_t read_at;

	st_connect(s, 0);
	st_connect(s, 1);
	a = st_create(s, 0, "f", OPEN_WRITE);
	st_close(s, 0, &a, CLOSE_WROTE, 0);
	r = st_open(s, 1, a.fid, OPEN_READ);
	read_at = loop_realtime(s->loop);
	co_sleep(NSEC_PER_MSEC);
	set_atime(s, 0, a.fid, 7);
	close_read(s, 1, &r, read_at); /* which leaves late */
	assert_int_equal(st_getattr(s, a.fid).atime, 7);
	r = st_open(s, 1, a.fid, OPEN_READ);
	set_atime(s, 0, a.fid, 8);
	co_sleep(NSEC_PER_MSEC);
	read_at = loop_realtime(s->loop);
	close_read(s, 1, &r, read_at);
	assert_int_equal(st_getattr(s, a.fid).atime, read_at);
}

static void an_access_time_that_was_set_is_not_lost_to_reads_before(void **state)
{
	(void)state;
	st_run(body_atime);
}

static void body_truncate(struct st *s)
{
	struct st_open a;
	struct attr at;

	st_connect(s, 0);
	st_connect(s, 1);
	a = st_create(s, 0, "f", OPEN_WRITE);
	st_write(s, a.fid, 0, 100);
	assert_int_equal(st_truncate(s, 1, a.fid, 10), 0);
	assert_int_equal(s->punches, 1);
	assert_int_equal(st_object(s, &a.fid, 0)->size, 10);
	assert_false(st_sure(s, a.fid));
	st_close(s, 0, &a, CLOSE_WROTE, 100); /* what it knew before the truncation */
	st_until(s, st_sure(s, a.fid));
	assert_int_equal(st_getattr(s, a.fid).size, 10);
	assert_int_equal(st_truncate(s, 0, a.fid, 1 << 20), 0);
	at = st_getattr(s, a.fid);
	assert_false(at.flags & ATTR_SIZE_UNSURE);
	assert_int_equal(at.size, 1 << 20);
	assert_int_equal(at.trunc_gen, 2);
	assert_int_equal(st_object(s, &a.fid, 0)->size, 1 << 20);
	assert_int_equal(st_object(s, &a.fid, 0)->trunc_gen, 2);
}

static void a_truncation_takes_the_word_from_a_writer(void **state)
{
	(void)state;
	st_run(body_truncate);
}

static void body_empty(struct st *s)
{
	struct st_open a;
	int64_t mtime;

	st_connect(s, 0);
	a = st_create(s, 0, "f", OPEN_WRITE);
	st_close(s, 0, &a, 0, 0);
	mtime = st_getattr(s, a.fid).mtime;
	a = st_open(s, 0, a.fid, OPEN_WRITE | OPEN_TRUNC);
	assert_int_equal(s->punches, 0);
	assert_true(a.sole);
	assert_true(a.attr.mtime > mtime);
	st_write(s, a.fid, 0, 3);
	st_close(s, 0, &a, CLOSE_WROTE, 3);
	a = st_open(s, 0, a.fid, OPEN_WRITE | OPEN_TRUNC);
	assert_int_equal(s->punches, 1);
	assert_int_equal(a.attr.size, 0);
	st_close(s, 0, &a, 0, 0);
	assert_true(st_sure(s, a.fid));
	assert_int_equal(st_getattr(s, a.fid).size, 0);
	assert_int_equal(s->getattrs, 0);
}

static void cutting_an_empty_file_asks_no_ost(void **state)
{
	(void)state;
	st_run(body_empty);
}

static void body_kinds(struct st *s)
{
	struct mds_open_req q = {.fid = ROOT, .open_flags = OPEN_READ, .open_id = 77};
	struct mds_open_rep p;
	RPC_CALL(call);

	st_connect(s, 0);
	assert_int_equal(mds_co_open(s->client[0].imp, &call, &q, &p), -EISDIR);
	assert_int_equal(st_truncate(s, 0, ROOT, 0), -EISDIR);
	assert_int_equal(st_truncate(s, 0, st_fid(s), 0), -ENOENT);
	assert_int_equal(st_truncate(s, 0, st_create(s, 0, "x", 0).fid, 1ULL << 63), -EFBIG);
}

static void what_is_no_regular_file_cannot_be_opened_or_cut(void **state)
{
	(void)state;
	st_run(body_kinds);
}

static void body_mtime(struct st *s)
{
	struct mds_rename_req rq = {ROOT, SPAN_STR("f"), ROOT, SPAN_STR("g"), 0};
	struct mds_setattr_req sq = {.valid = SETATTR_MTIME, .mtime = 12345};
	struct mds_rename_rep rp;
	struct mds_setattr_rep sp;
	RPC_CALL(c1);
	RPC_CALL(c2);
	struct st_open a;
	int64_t wrote;

	st_connect(s, 0);
	a = st_create(s, 0, "f", OPEN_WRITE);
	st_write(s, a.fid, 0, 5);
	wrote = loop_realtime(s->loop);
	assert_int_equal(mds_co_rename(s->client[0].imp, &c1, &rq, &rp), 0);
	st_close(s, 0, &a, CLOSE_WROTE,
		 5); /* its mtime is older than the rename's ctime, and still counts */
	assert_true(st_getattr(s, a.fid).mtime >= wrote);
	a = st_open(s, 0, a.fid, OPEN_WRITE);
	st_write(s, a.fid, 0, 6);
	sq.fid = a.fid;
	sq.ctime_floor = loop_realtime(s->loop) + NSEC_PER_SEC;
	assert_int_equal(mds_co_setattr(s->client[0].imp, &c2, &sq, &sp), 0);
	st_close(s, 0, &a, CLOSE_WROTE, 6);
	assert_int_equal(st_getattr(s, a.fid).mtime, 12345);
}

static void mtime_is_that_of_the_last_write_or_what_was_set_after_it(void **state)
{
	(void)state;
	st_run(body_mtime);
}

static void body_failed_batch(struct st *s)
{
	struct st_open a;
	struct attr at;

	st_connect(s, 0);
	store_set_strict(s->mds->store, true);
	assert_int_equal(store_co_sync(s->mds->store), 0);
	store_inject_failure(s->mds->store, 0, -ENOSPC);
	assert_int_equal(st_create_rc(s, 0, "f", OPEN_WRITE, &a), -ENOSPC);
	assert_int_equal(open_table_count(s->mds->opens), 0);
	a = st_create(s, 0, "f", OPEN_WRITE);
	st_close(s, 0, &a, 0, 0);
	a.id = 0;
	store_inject_failure(s->mds->store, 0, -EIO);
	assert_int_equal(st_unlink(s, 0, "f"), -EIO);
	assert_int_equal(st_getattr_rc(s, a.fid, &at), 0);
	assert_int_equal(st_unlink(s, 0, "f"), 0);
	assert_int_equal(st_getattr_rc(s, a.fid, &at), -ENOENT);
}

static void a_failed_batch_leaves_nothing_behind(void **state)
{
	(void)state;
	st_run(body_failed_batch);
}

static void body_race(struct st *s)
{
	struct st_open a, b;

	st_connect(s, 0);
	a = st_create(s, 0, "f", OPEN_WRITE);
	b = st_create(s, 0, "f", OPEN_WRITE); /* no OPEN_EXCL: gets the same file */
	assert_true(fid_eq(&a.fid, &b.fid));
	assert_int_equal(st_create_rc(s, 0, "f", OPEN_WRITE | OPEN_EXCL, &b), -EEXIST);
	st_close(s, 0, &a, 0, 0);
	st_close(s, 0, &(struct st_open){a.fid, a.id + 1, 0, 0, {0}}, 0, 0);
	st_close(s, 0, &(struct st_open){a.fid, 999, 0, 0, {0}}, 0, 0); /* closed twice: no harm */
	st_until(s, st_sure(s, a.fid));
}

static void create_of_an_existing_file_opens_it(void **state)
{
	(void)state;
	st_run(body_race);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_only_writer_is_believed),
		cmocka_unit_test(a_writer_that_wrote_nothing_leaves_the_size_as_it_was),
		cmocka_unit_test(of_two_writers_neither_is_believed),
		cmocka_unit_test(readers_do_not_matter),
		cmocka_unit_test(an_access_time_that_was_set_is_not_lost_to_reads_before),
		cmocka_unit_test(a_truncation_takes_the_word_from_a_writer),
		cmocka_unit_test(cutting_an_empty_file_asks_no_ost),
		cmocka_unit_test(what_is_no_regular_file_cannot_be_opened_or_cut),
		cmocka_unit_test(mtime_is_that_of_the_last_write_or_what_was_set_after_it),
		cmocka_unit_test(a_failed_batch_leaves_nothing_behind),
		cmocka_unit_test(create_of_an_existing_file_opens_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
