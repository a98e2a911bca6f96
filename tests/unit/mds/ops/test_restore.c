/* SPDX-License-Identifier: Apache-2.0 */
/* test_restore.c - files are released, and whoever gets at their data waits for a mover. */
#include "tests/unit/mds/hsm_test.h"

enum { SIZE = 100 };

static int release(struct st *s, struct fid fid)
{
	return ask(s, fid, HSM_RELEASE, 0, &(uint64_t){0});
}

/* By client 1. */
static struct st_open archived_file(struct st *s, const char *name)
{
	struct st_open o = file(s, name);
	uint64_t cookie = archive(s, o.fid);

	assert_int_equal(next(s, 1, 1, 0).n, 1);
	tell(s, 1, cookie, true, 0);
	return o;
}

static struct st_open released_file(struct st *s, const char *name)
{
	struct st_open o = archived_file(s, name);

	assert_int_equal(release(s, o.fid), 0);
	assert_int_equal(flags(s, o.fid), HSM_RELEASED | HSM_EXISTS | HSM_ARCHIVED);
	return o;
}

/* Somebody who wants the data, in a fiber of his own. */
struct user {
	struct st *s;
	struct fid fid;
	enum { READS, OPENS, CUTS } what;
	uint64_t size;
	int rc;
	bool done;
};

static int use_it(void *arg)
{
	struct user *u = arg;
	struct mds_data_req q = {.fid = u->fid, .want = LEASE_SHARED};
	struct mds_data_rep p;
	RPC_CALL(call);

	if (u->what == READS)
		u->rc = mds_co_data(u->s->client[0].imp, &call, &q, &p);
	else if (u->what == CUTS)
		u->rc = st_truncate(u->s, 0, u->fid, u->size);
	else
		st_open(u->s, 0, u->fid, OPEN_WRITE);
	u->done = true;
	return 0;
}

static int begin(struct st *s, uint64_t cookie, struct mds_hsm_restore_rep *p)
{
	struct mds_hsm_restore_req q = {.cookie = cookie};
	RPC_CALL(call);

	return mds_co_hsm_restore(s->client[1].imp, &call, &q, p);
}

static int done(struct st *s, uint64_t cookie)
{
	struct mds_hsm_progress_req q = {.cookie = cookie, .done = 1};
	struct mds_hsm_progress_rep p;
	RPC_CALL(call);

	return mds_co_hsm_progress(s->client[1].imp, &call, &q, &p);
}

/* The cookie of the restore that the user waits for. */
static uint64_t wanted(struct st *s, struct co_group *g, struct user *u)
{
	struct got n;

	co_spawn(g, use_it, u);
	st_until(s, hsm_find_file(s->mds->hsm, &u->fid));
	assert_false(u->done);
	n = next(s, 1, 1, 0);
	assert_int_equal(n.n, 1);
	assert_int_equal(n.w[0].action, HSM_RESTORE);
	assert_string_equal(n.name[0], "d/f");
	return n.w[0].cookie;
}

static void use_and_bring(struct st *s, const char *name, struct user u)
{
	struct st_open o = released_file(s, name);
	struct co_group g = CO_GROUP_INIT;
	struct mds_hsm_restore_rep p;
	uint64_t cookie;

	assert_int_equal(st_object(s, &o.fid, 0)->size, 0);
	assert_int_equal(st_getattr(s, o.fid).size, SIZE);
	u.s = s;
	u.fid = o.fid;
	cookie = wanted(s, &g, &u);
	assert_int_equal(begin(s, cookie, &p), 0);
	assert_true(p.size == SIZE && p.layout.len && p.trunc_gen > 1);
	assert_false(u.done);
	st_write(s, o.fid, 0, SIZE);
	assert_int_equal(done(s, cookie), 0);
	assert_int_equal(co_join(&g), 0);
	assert_int_equal(u.rc, 0);
	assert_false(flags(s, o.fid) & HSM_RELEASED);
}

static void body_all_wait(struct st *s)
{
	st_connect(s, 0);
	st_connect(s, 1);
	use_and_bring(s, "reads", (struct user){.what = READS});
	use_and_bring(s, "opens", (struct user){.what = OPENS});
	use_and_bring(s, "cuts", (struct user){.what = CUTS, .size = 50});
}

static void who_reads_writes_or_cuts_waits_for_the_data(void **state)
{
	(void)state;
	st_run(body_all_wait);
}

/* ---- a part of it ---- */

enum { BIG = 3 << 20, UNIT = 1 << 20, POWER = 9 };

struct waiter {
	struct st *s;
	struct mds_hsm_wait_req q;
	struct mds_hsm_wait_rep p;
	uint64_t power;
	int rc;
	bool done;
};

static int wait_it(void *arg)
{
	struct waiter *w = arg;
	struct mds_power power;
	struct rbuf b;
	RPC_CALL(call);

	w->rc = mds_co_hsm_wait(w->s->client[0].imp, &call, &w->q, &w->p);
	b = rbuf_of(w->p.power);
	if (w->rc == 0 && b.len) {
		assert_int_equal(dec_mds_power(&b, &power), 0);
		w->power = power.power;
	}
	w->done = true;
	return 0;
}

static int range_as(struct st *s, uint64_t cookie, uint32_t gen, uint64_t *off, uint64_t *len)
{
	struct mds_hsm_range_req q = {
		.cookie = cookie, .trunc_gen = gen, .off = *off, .len = *len};
	struct mds_hsm_range_rep p;
	struct wbuf w;
	RPC_CALL(call);
	int rc;

	wbuf_init(&w, 64);
	enc_mds_power(&w, &(struct mds_power){*len ? POWER : 0});
	q.power = wbuf_span(&w);
	rc = mds_co_hsm_range(s->client[1].imp, &call, &q, &p);
	*off = p.off;
	*len = p.len;
	wbuf_fini(&w);
	return rc;
}

static int range(struct st *s, uint64_t cookie, uint64_t *off, uint64_t *len)
{
	return range_as(s, cookie, 0, off, len);
}

static struct fid big_file(struct st *s)
{
	struct st_open o = st_create(s, 0, "big", OPEN_WRITE);

	st_write(s, o.fid, 0, BIG);
	st_close(s, 0, &o, CLOSE_WROTE, BIG);
	archive(s, o.fid);
	tell(s, 1, next(s, 1, 1, 0).w[0].cookie, true, 0);
	assert_int_equal(release(s, o.fid), 0);
	return o.fid;
}

static void body_stream(struct st *s)
{
	struct co_group g = CO_GROUP_INIT, h = CO_GROUP_INIT;
	struct waiter w = {.s = s, .q.off = UNIT + 5};
	struct user u = {.s = s, .what = CUTS, .size = 0};
	uint64_t cookie, off = 0, len = 0;
	struct mds_hsm_restore_rep p;
	struct mds_data_req q = {.want = LEASE_SHARED};
	struct mds_data_rep d;
	RPC_CALL(call);

	st_connect(s, 0);
	st_connect(s, 1);
	u.fid = w.q.fid = q.fid = big_file(s);
	lease_renew(&((struct client *)st_session(s, 0)->priv)->leases,
		    loop_now(s->loop) + 3600 * NSEC_PER_SEC);
	assert_int_equal(mds_co_data(s->client[0].imp, &call, &q, &d), 0);
	assert_int_equal(d.released, 1);
	assert_int_equal(d.lease, LEASE_SHARED);
	co_spawn(&g, wait_it, &w);
	cookie = next(s, 1, 1, 0).w[0].cookie;
	assert_int_equal(begin(s, cookie, &p), 0);
	assert_int_equal(range(s, cookie, &off, &len), 0);
	assert_true(off == UNIT && len == UNIT); /* where he waits */
	assert_false(w.done);
	co_spawn(&h, use_it, &u); /* who would empty it does not wait for the lease of who reads */
	assert_int_equal(range(s, cookie, &off, &len), 0);
	assert_true(off == 2 * UNIT && len == UNIT);
	assert_int_equal(co_join(&g), 0);
	assert_int_equal(w.rc, 0);
	assert_true(!w.p.whole && w.p.from == UNIT && w.p.to == 2 * UNIT && w.p.size == BIG);
	assert_true(w.p.trunc_gen == p.trunc_gen && w.power == POWER);
	assert_int_equal(range(s, cookie, &off, &len), 0);
	assert_int_equal(range(s, cookie, &off, &len), 0);
	assert_true(len == 0 && !u.done);
	st_write(s, q.fid, 0, BIG);
	assert_int_equal(done(s, cookie), 0);
	assert_int_equal(range(s, cookie, &off, &len), -ESTALE);
	assert_int_equal(co_join(&h), 0);
	assert_int_equal(u.rc, 0);
	wait_it(&w);
	assert_true(w.rc == 0 && w.p.whole);
}

static void a_part_is_given_when_it_is_there(void **state)
{
	(void)state;
	st_run(body_stream);
}

static void body_stream_fails(struct st *s)
{
	struct co_group g = CO_GROUP_INIT;
	struct waiter w = {.s = s, .q.off = BIG + 5}; /* all of it */
	uint64_t cookie, off = 0, len = 0;
	struct mds_hsm_restore_rep p;

	st_connect(s, 0);
	st_connect(s, 1);
	w.q.fid = big_file(s);
	co_spawn(&g, wait_it, &w);
	cookie = next(s, 1, 1, 0).w[0].cookie;
	assert_int_equal(begin(s, cookie, &p), 0);
	assert_int_equal(range(s, cookie, &off, &len), 0);
	assert_int_equal(range(s, cookie, &off, &len), 0);
	hsm_take_back(s->mds->hsm, hsm_find(s->mds->hsm, cookie));
	assert_int_equal(range(s, cookie, &off, &len), -ESTALE);
	assert_int_equal(next(s, 1, 1, 0).n, 1);
	assert_int_equal(begin(s, cookie, &p), 0);
	assert_false(w.done);
	tell(s, 1, cookie, true, -EIO);
	assert_int_equal(co_join(&g), 0);
	assert_int_equal(w.rc, -EIO);
}

static void who_waits_for_a_part_hears_that_it_will_not_come(void **state)
{
	(void)state;
	st_run(body_stream_fails);
}

static void body_mds_restarts(struct st *s)
{
	uint64_t cookie, off = 0, len = 0;
	struct mds_hsm_restore_rep p, q;
	struct fid fid;

	st_connect(s, 0);
	st_connect(s, 1);
	fid = big_file(s);
	assert_int_equal(ask(s, fid, HSM_RESTORE, 0, &cookie), 0);
	assert_int_equal(next(s, 1, 1, 0).n, 1);
	assert_int_equal(begin(s, cookie, &p), 0);
	st_stop_mds(s);
	st_start_mds(s);
	assert_int_equal(range_as(s, cookie, p.trunc_gen - 1, &off, &len), -ESTALE);
	assert_int_equal(range_as(s, cookie, p.trunc_gen, &off, &len), 0);
	assert_int_equal(len, BIG);
	assert_int_equal(next(s, 1, 1, cookie).n, 0);
	assert_int_equal(begin(s, cookie, &q), 0); /* by its own will only */
	assert_int_equal(range_as(s, cookie, q.trunc_gen, &off, &len), 0);
	st_write(s, fid, 0, BIG);
	assert_int_equal(done(s, cookie), 0);
	assert_false(flags(s, fid) & HSM_RELEASED);
}

static void a_mover_goes_on_after_a_restart_of_the_mds(void **state)
{
	(void)state;
	st_run(body_mds_restarts);
}

static void set_policy(struct st *s, const char *value, int rc)
{
	struct wbuf out;

	wbuf_init(&out, 4096);
	assert_int_equal(params_set(s->mds->params, "mdt.*.hsm.policy", value, &out), rc);
	wbuf_fini(&out);
}

static void body_policy(struct st *s)
{
	struct user u = {.s = s};
	struct got g;

	st_connect(s, 0);
	st_connect(s, 1);
	u.fid = released_file(s, "f").fid;
	set_policy(s, "+nbr", 0);
	use_it(&u);
	assert_int_equal(u.rc, -ENODATA);
	g = next(s, 1, 1, 0);
	assert_int_equal(g.w[0].action, HSM_RESTORE); /* but it comes */
	tell(s, 1, g.w[0].cookie, true, -EIO);
	u = (struct user){.s = s, .fid = big_file(s)};
	use_it(&u);
	assert_int_equal(u.rc, -ENODATA);
	assert_non_null(hsm_find_file(s->mds->hsm, &u.fid));
	set_policy(s, "-NRA", -EINVAL);
	set_policy(s, "x", -EINVAL);
	assert_true(s->mds->hsm->nonblocking);
	set_policy(s, "-NBR", 0);
	assert_false(s->mds->hsm->nonblocking);
}

static void by_policy_nobody_waits(void **state)
{
	(void)state;
	st_run(body_policy);
}

static void body_short(struct st *s)
{
	struct co_group g = CO_GROUP_INIT;
	struct mds_hsm_restore_rep p;
	struct user u = {.s = s};
	uint64_t cookie;

	st_connect(s, 0);
	st_connect(s, 1);
	u.fid = released_file(s, "f").fid;
	cookie = wanted(s, &g, &u);
	assert_int_equal(begin(s, cookie, &p), 0);
	st_write(s, u.fid, 0, SIZE - 1);
	assert_int_equal(done(s, cookie), -EIO);
	assert_false(u.done);
	tell(s, 1, cookie, true, -EIO);
	assert_int_equal(co_join(&g), 0);
	assert_int_equal(u.rc, -EIO);
	assert_true(flags(s, u.fid) & HSM_RELEASED);
}

static void what_is_not_all_of_it_is_not_the_file(void **state)
{
	(void)state;
	st_run(body_short);
}

static void body_emptied(struct st *s)
{
	struct co_group g = CO_GROUP_INIT;
	struct mds_hsm_restore_rep p;
	struct user u = {.s = s};
	uint64_t cookie;

	st_connect(s, 0);
	st_connect(s, 1);
	u.fid = released_file(s, "f").fid;
	cookie = wanted(s, &g, &u);
	assert_int_equal(begin(s, cookie, &p), 0);
	assert_int_equal(st_truncate(s, 0, u.fid, 0), 0); /* nobody needs what comes */
	assert_true(st_object(s, &u.fid, 0)->trunc_gen > p.trunc_gen);
	assert_int_equal(done(s, cookie), -ESTALE);
	tell(s, 1, cookie, true, -ESTALE);
	assert_int_equal(co_join(&g), 0);
	assert_int_equal(u.rc, 0); /* the reader has an empty file */
	assert_int_equal(st_getattr(s, u.fid).size, 0);
	assert_int_equal(flags(s, u.fid), HSM_EXISTS | HSM_ARCHIVED | HSM_DIRTY);
}

static void an_emptied_file_takes_no_old_data(void **state)
{
	(void)state;
	st_run(body_emptied);
}

static void body_again(struct st *s)
{
	struct co_group g = CO_GROUP_INIT;
	struct mds_hsm_restore_rep p, q;
	struct user u = {.s = s};
	uint64_t cookie;

	st_connect(s, 0);
	st_connect(s, 1);
	u.fid = released_file(s, "f").fid;
	cookie = wanted(s, &g, &u);
	assert_int_equal(begin(s, cookie, &p), 0);
	st_write(s, u.fid, 0, 10);
	hsm_take_back(s->mds->hsm, hsm_find(s->mds->hsm, cookie));
	assert_int_equal(begin(s, cookie, &q), -ESTALE);
	assert_int_equal(next(s, 1, 1, 0).n, 1);
	assert_int_equal(begin(s, cookie, &q), 0);
	assert_true(q.trunc_gen > p.trunc_gen);
	assert_int_equal(st_object(s, &u.fid, 0)->size, 0);
	tell(s, 1, cookie, true, -ENOENT);
	assert_int_equal(co_join(&g), 0);
	assert_int_equal(u.rc, -EIO);
	assert_true(flags(s, u.fid) & HSM_LOST);
	assert_int_equal(begin(s, cookie, &q), -ESTALE);
	use_it(&u);
	assert_int_equal(u.rc, -EIO); /* at once */
}

static void each_begin_shuts_the_last_one_out(void **state)
{
	(void)state;
	st_run(body_again);
}

static void body_refused(struct st *s)
{
	struct mds_hsm_set_req q = {.clear = HSM_EXISTS | HSM_ARCHIVED};
	struct mds_hsm_set_rep p;
	struct st_open o, w;
	RPC_CALL(call);

	st_connect(s, 0);
	st_connect(s, 1);
	o = file(s, "f");
	assert_int_equal(release(s, o.fid), -EPERM);
	assert_int_equal(release(s, ROOT), -EPERM);
	o = archived_file(s, "g");
	w = st_open(s, 0, o.fid, OPEN_WRITE);
	assert_int_equal(release(s, o.fid), -EBUSY);
	st_close(s, 0, &w, 0, SIZE);
	change(s, o.fid);
	assert_int_equal(release(s, o.fid), -EPERM);
	o = released_file(s, "h");
	assert_int_equal(ask(s, o.fid, HSM_REMOVE, 0, &(uint64_t){0}), -EBUSY);
	assert_int_equal(archive(s, o.fid), 0);
	q.fid = o.fid;
	assert_int_equal(mds_co_hsm_set(s->client[0].imp, &call, &q, &p), -EBUSY);
}

static void the_only_copy_is_kept(void **state)
{
	(void)state;
	st_run(body_refused);
}

static void body_power(struct st *s)
{
	struct st_open o;
	char name[160];

	st_connect(s, 0);
	st_connect(s, 1);
	o = released_file(s, "f"); /* its size was made sure not long ago */
	st_stop_mds(s);
	snprintf(name, sizeof(name), "%s/machine", s->dir);
	assert_int_equal(unlink(name), 0);
	st_start_mds(s);
	assert_true(st_sure(s, o.fid));
	assert_int_equal(st_getattr(s, o.fid).size, SIZE);
	assert_int_equal(flags(s, o.fid), HSM_RELEASED | HSM_EXISTS | HSM_ARCHIVED);
}

static void its_size_is_never_measured(void **state)
{
	(void)state;
	st_run(body_power);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_reads_writes_or_cuts_waits_for_the_data),
		cmocka_unit_test(a_part_is_given_when_it_is_there),
		cmocka_unit_test(who_waits_for_a_part_hears_that_it_will_not_come),
		cmocka_unit_test(a_mover_goes_on_after_a_restart_of_the_mds),
		cmocka_unit_test(by_policy_nobody_waits),
		cmocka_unit_test(what_is_not_all_of_it_is_not_the_file),
		cmocka_unit_test(an_emptied_file_takes_no_old_data),
		cmocka_unit_test(each_begin_shuts_the_last_one_out),
		cmocka_unit_test(the_only_copy_is_kept),
		cmocka_unit_test(its_size_is_never_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
