/* SPDX-License-Identifier: Apache-2.0 */
/* test_hsm_queue.c - what the archive has of a file, and how movers get their work: by requests to
 * a running MDT. */
#include "mds/hsm_queue.h"
#include "mds/hsm.h"
#include "tests/unit/mds/hsm_test.h"

static void body_life(struct st *s)
{
	struct st_open o;
	uint64_t cookie;
	struct got g;

	st_connect(s, 0);
	st_connect(s, 1);
	o = file(s, "f");
	assert_int_equal(flags(s, o.fid), 0);
	cookie = archive(s, o.fid);
	assert_true(cookie == archive(s, o.fid)); /* asked for once more: the same */
	assert_int_equal(next(s, 1, 2, 0).n, 0);  /* of another archive */
	g = next(s, 1, 1, 0);
	assert_int_equal(g.n, 1);
	assert_true(g.w[0].cookie == cookie && g.w[0].action == HSM_ARCHIVE && !g.w[0].same);
	assert_true(fid_eq(&g.w[0].fid, &o.fid));
	assert_int_equal(flags(s, o.fid), HSM_EXISTS);
	assert_int_equal(next(s, 1, 1, cookie).n, 0);
	assert_int_equal(next(s, 1, 1, 0).n, 1); /* its answer was lost */
	assert_int_equal(tell(s, 1, cookie, false, 0).stop, 0);
	assert_int_equal(tell(s, 0, cookie, true, 0).stop, 1); /* not its work */
	assert_int_equal(tell(s, 1, cookie, true, 0).changed, 0);
	assert_int_equal(flags(s, o.fid), HSM_EXISTS | HSM_ARCHIVED);
	assert_false(attributes_changed(s, o.fid));
	assert_int_equal(archive(s, o.fid), 0); /* nothing to do */
	assert_int_equal(st_unlink(s, 0, "f"), 0);
}

static void a_file_is_archived_once(void **state)
{
	(void)state;
	st_run(body_life);
}

static void body_changed(struct st *s)
{
	struct st_open o;
	uint64_t cookie;
	struct got g;

	st_connect(s, 0);
	st_connect(s, 1);
	o = file(s, "f");
	cookie = archive(s, o.fid);
	assert_int_equal(next(s, 1, 1, 0).n, 1);
	change(s, o.fid);
	assert_int_equal(tell(s, 1, cookie, false, 0).changed, 1);
	assert_int_equal(tell(s, 1, cookie, true, -EBUSY).changed, 1);
	assert_int_equal(flags(s, o.fid), HSM_EXISTS | HSM_DIRTY);
	cookie = archive(s, o.fid);
	g = next(s, 1, 1, 0);
	assert_int_equal(g.w[0].same, 0);
	tell(s, 1, cookie, true, 0);
	assert_int_equal(flags(s, o.fid), HSM_EXISTS | HSM_ARCHIVED);
	assert_int_equal(st_truncate(s, 0, o.fid, 10), 0);
	assert_int_equal(flags(s, o.fid), HSM_EXISTS | HSM_ARCHIVED | HSM_DIRTY);
}

static void what_is_changed_while_it_is_copied_stays_dirty(void **state)
{
	(void)state;
	st_run(body_changed);
}

static void chmod_file(struct st *s, struct fid fid)
{
	struct mds_setattr_req q = {.fid = fid, .valid = SETATTR_MODE, .mode = 0600};
	struct mds_setattr_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_setattr(s->client[0].imp, &call, &q, &p), 0);
}

static void body_attributes(struct st *s)
{
	struct st_open o;
	uint64_t cookie;
	struct got g;

	st_connect(s, 0);
	st_connect(s, 1);
	o = file(s, "f");
	cookie = archive(s, o.fid);
	next(s, 1, 1, 0);
	tell(s, 1, cookie, true, 0);
	chmod_file(s, o.fid);
	assert_int_equal(flags(s, o.fid), HSM_EXISTS | HSM_ARCHIVED);
	assert_true(attributes_changed(s, o.fid));
	cookie = archive(s, o.fid);
	assert_true(cookie != 0);
	g = next(s, 1, 1, 0);
	assert_int_equal(g.w[0].same, 1);
	assert_string_equal(g.name[0], "d/f");
	tell(s, 1, cookie, true, 0);
	assert_false(attributes_changed(s, o.fid));
}

static void of_new_attributes_the_mover_hears_that_data_are_the_same(void **state)
{
	(void)state;
	st_run(body_attributes);
}

static void body_written(struct st *s)
{
	struct st_open o;

	st_connect(s, 0);
	st_connect(s, 1);
	o = st_create(s, 0, "f", OPEN_WRITE);
	archive(s, o.fid);
	while (hsm_find_file(s->mds->hsm, &o.fid)) /* it ends after a while */
		assert_int_equal(next(s, 1, 1, 0).n, 0);
	assert_int_equal(flags(s, o.fid), HSM_EXISTS | HSM_DIRTY);
	assert_int_equal(hsm_find_ended(s->mds->hsm, &o.fid)->error, -EBUSY);
}

static void a_file_that_is_written_all_the_time_is_not_archived(void **state)
{
	(void)state;
	st_run(body_written);
}

static void body_cancel(struct st *s)
{
	struct st_open o;
	uint64_t cookie, none;
	struct got g;

	st_connect(s, 0);
	st_connect(s, 1);
	o = file(s, "f");
	archive(s, o.fid);
	assert_int_equal(ask(s, o.fid, HSM_CANCEL, 0, &none), 0);
	assert_null(hsm_find_file(s->mds->hsm, &o.fid));
	assert_int_equal(flags(s, o.fid), 0);
	cookie = archive(s, o.fid);
	next(s, 1, 1, 0);
	assert_int_equal(ask(s, o.fid, HSM_CANCEL, 0, &none), 0);
	assert_int_equal(ask(s, o.fid, HSM_ARCHIVE, 0, &none), -EBUSY);
	g = next(s, 1, 1, cookie);
	assert_true(g.n == 1 && g.w[0].action == HSM_CANCEL && g.w[0].cookie == cookie);
	assert_int_equal(tell(s, 1, cookie, true, -ECANCELED).stop, 1);
	assert_int_equal(flags(s, o.fid), HSM_EXISTS | HSM_DIRTY);
	assert_int_equal(ask(s, o.fid, HSM_CANCEL, 0, &none), 0); /* nothing is under way */
}

static void what_was_asked_for_can_be_canceled(void **state)
{
	(void)state;
	st_run(body_cancel);
}

static void body_remove(struct st *s)
{
	struct st_open o;
	uint64_t cookie;
	struct got g;

	st_connect(s, 0);
	st_connect(s, 1);
	o = file(s, "f");
	assert_int_equal(ask(s, o.fid, HSM_REMOVE, 0, &cookie), -ENODATA);
	cookie = archive(s, o.fid);
	next(s, 1, 1, 0);
	assert_int_equal(ask(s, o.fid, HSM_REMOVE, 0, &(uint64_t){0}), -EBUSY);
	tell(s, 1, cookie, true, 0);
	assert_int_equal(ask(s, o.fid, HSM_ARCHIVE, 2, &(uint64_t){0}), -EINVAL);
	assert_int_equal(ask(s, o.fid, HSM_REMOVE, 0, &cookie), 0);
	g = next(s, 1, 1, 0);
	assert_true(g.w[0].action == HSM_REMOVE);
	assert_string_equal(g.name[0], "d/f");
	tell(s, 1, cookie, true, 0);
	assert_int_equal(flags(s, o.fid), 0);
}

static void a_removed_copy_is_forgotten(void **state)
{
	(void)state;
	st_run(body_remove);
}

static void body_lives(struct st *s)
{
	struct st_open a, b;
	uint64_t first, second;
	struct got g;

	st_connect(s, 0);
	st_connect(s, 1);
	a = file(s, "a");
	b = file(s, "b");
	first = archive(s, a.fid);
	second = archive(s, b.fid);
	g = next(s, 1, UINT32_MAX, 0);
	assert_true(g.n == 2 && g.w[0].cookie == first && g.w[1].cookie == second);
	tell(s, 1, first, true, 0);
	hsm_client_gone(s->mds->hsm, hsm_find(s->mds->hsm, second)->mover);
	g = next(s, 0, UINT32_MAX, 0); /* another mover */
	assert_true(g.n == 1 && g.w[0].cookie == second);
	st_stop_mds(s);
	st_start_mds(s);
	assert_true(!hsm_find(s->mds->hsm, first) && hsm_find(s->mds->hsm, second));
	assert_null(hsm_find(s->mds->hsm, second)->mover);
	g = next(s, 1, UINT32_MAX, 0);
	assert_true(g.n == 1 && g.w[0].cookie == second);
	tell(s, 1, second, true, 0);
	assert_int_equal(flags(s, a.fid), HSM_EXISTS | HSM_ARCHIVED);
	assert_int_equal(flags(s, b.fid), HSM_EXISTS | HSM_ARCHIVED);
}

static void work_outlives_movers_and_the_mds(void **state)
{
	(void)state;
	st_run(body_lives);
}

static void body_bad(struct st *s)
{
	struct mds_hsm_next_req nq = {.archives = 1, .max = 65};
	struct mds_hsm_set_req sq = {.set = 0x100};
	struct mds_hsm_next_rep np;
	struct mds_hsm_set_rep sp;
	struct st_open o;
	uint64_t cookie;
	RPC_CALL(c1);
	RPC_CALL(c2);
	RPC_CALL(c3);
	RPC_CALL(c4);

	st_connect(s, 0);
	o = file(s, "f");
	assert_int_equal(ask(s, o.fid, 25, 0, &cookie), -EINVAL);
	assert_int_equal(ask(s, o.fid, HSM_ARCHIVE, 33, &cookie), -EINVAL);
	assert_int_equal(ask(s, ROOT, HSM_ARCHIVE, 0, &cookie), -EINVAL);
	assert_int_equal(mds_co_hsm_next(s->client[0].imp, &c1, &nq, &np), -EINVAL);
	nq = (struct mds_hsm_next_req){.max = 1};
	assert_int_equal(mds_co_hsm_next(s->client[0].imp, &c2, &nq, &np), -EINVAL);
	sq.fid = o.fid;
	assert_int_equal(mds_co_hsm_set(s->client[0].imp, &c3, &sq, &sp), -EINVAL);
	sq.set = HSM_ARCHIVED; /* of what there is not */
	assert_int_equal(mds_co_hsm_set(s->client[0].imp, &c4, &sq, &sp), -EINVAL);
	assert_int_equal(tell(s, 0, 12345, true, 0).stop, 1);
}

static void nonsense_is_refused(void **state)
{
	(void)state;
	st_run(body_bad);
}

static void body_order(struct st *s)
{
	struct st_open o[4];
	uint64_t cookie[4];
	struct got g;
	uint32_t i;

	st_connect(s, 0);
	st_connect(s, 1);
	for (i = 0; i < 4; i++) {
		o[i] = file(s, (char[]){(char)('a' + i), 0});
		if (i < 2)
			continue;
		archive(s, o[i].fid);
		tell(s, 1, next(s, 1, 1, 0).w[0].cookie, true, 0);
		assert_int_equal(ask(s, o[i].fid, HSM_RELEASE, 0, &(uint64_t){0}), 0);
	}
	for (i = 0; i < 2; i++)
		cookie[i] = archive(s, o[i].fid);
	for (; i < 4; i++)
		assert_int_equal(ask(s, o[i].fid, HSM_RESTORE, 0, &cookie[i]), 0);
	hsm_want(s->mds->hsm, hsm_find(s->mds->hsm, cookie[3]));
	g = next(s, 1, 1, 0);
	assert_int_equal(g.n, 4);
	assert_true(g.w[0].cookie == cookie[3] && g.w[1].cookie == cookie[2]);
	assert_true(g.w[2].cookie == cookie[0] && g.w[3].cookie == cookie[1]);
}

static void what_somebody_waits_for_is_first_and_restores_before_the_rest(void **state)
{
	(void)state;
	st_run(body_order);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_archived_once),
		cmocka_unit_test(what_is_changed_while_it_is_copied_stays_dirty),
		cmocka_unit_test(of_new_attributes_the_mover_hears_that_data_are_the_same),
		cmocka_unit_test(a_file_that_is_written_all_the_time_is_not_archived),
		cmocka_unit_test(what_was_asked_for_can_be_canceled),
		cmocka_unit_test(a_removed_copy_is_forgotten),
		cmocka_unit_test(work_outlives_movers_and_the_mds),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(what_somebody_waits_for_is_first_and_restores_before_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
