/* SPDX-License-Identifier: Apache-2.0 */
/* test_recovery.c - what a new life of the MDS waits for when a client of the last one is missing.
 *
 * The window and the term are moved out of the way, so that nothing here depends on how fast the
 * machine is. */
#include "tests/unit/mds/mds_request_test.h"

#define FAR (3600 * (uint64_t)NSEC_PER_SEC)

/* Client 1 through its second lane: the first is a new one, which held nothing in the last life. */
static void say(struct st *s, int c, bool opens_only, uint64_t session)
{
	struct mds_reclaimed_req q = {(uint32_t)c, (uint32_t)c + 1, opens_only, session};
	struct mds_reclaimed_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_reclaimed(s->client[c].imp, &call, &q, &p), 0);
}

static void say_back(struct st *s, int c)
{
	say(s, c, false, rpc_import_session(s->client[c].imp));
}

static void term(struct st *s, int c)
{
	struct client *cl = st_session(s, c)->priv;

	lease_renew(&cl->leases, loop_now(s->loop) + FAR);
}

/* Two clients, a file that client 1 has open for writing, one that it has written; the MDS starts
 * anew without client 1. Neither the term nor the window will end by itself. */
struct scene {
	struct st_open written, closed;
};

static struct scene begin(struct st *s)
{
	struct scene sc;

	if (!s->client[0].imp)
		st_connect(s, 0);
	st_connect(s, 1);
	sc.written = st_create(s, 1, "written", OPEN_WRITE);
	sc.closed = st_create(s, 1, "closed", OPEN_WRITE);
	st_write(s, sc.written.fid, 0, 10);
	st_write(s, sc.closed.fid, 0, 20);
	st_close(s, 1, &sc.closed, CLOSE_WROTE, 20);
	st_until(s, st_sure(s, sc.closed.fid));
	st_stop_mds(s);
	rpc_import_co_destroy(s->client[1].imp, 0); /* it does not come back */
	s->client[1].imp = NULL;
	st_start_mds(s);
	loop_timer_start(s->loop, &s->mds->recovery.window, FAR);
	loop_timer_start(s->loop, &s->mds->recovery.data, FAR);
	s->mds->recovery_end_ns = s->mds->inherited_until_ns = loop_now(s->loop) + FAR;
	assert_int_equal(rpc_import_co_wait(s->client[0].imp, 5000), 0);
	say_back(s, 0);
	term(s, 0);
	return sc;
}

static void term_is_over(struct st *s)
{
	s->mds->inherited_until_ns = loop_now(s->loop);
	loop_timer_start(s->loop, &s->mds->recovery.data, 1);
	co_wake_all(&s->mds->lease_q);
}

struct asking {
	struct st *s;
	int c;
	struct mds_data_req q;
	uint32_t lease;
	int rc;
	bool done;
};

static void ask_fiber(void *arg)
{
	struct asking *a = arg;
	struct mds_data_rep p = {0};
	RPC_CALL(call);

	a->rc = mds_co_data(a->s->client[a->c].imp, &call, &a->q, &p);
	a->lease = p.lease;
	a->done = true;
}

static void ask_as(struct st *s, int c, struct asking *a, struct fid fid, uint32_t want)
{
	*a = (struct asking){.s = s, .c = c, .q = {.fid = fid, .want = want, .exact = true}};
	assert_int_equal(fiber_spawn(s->loop, ask_fiber, a), 0);
	co_sleep(10 * NSEC_PER_MSEC);
}

static void ask(struct st *s, struct asking *a, struct fid fid, uint32_t want)
{
	ask_as(s, 0, a, fid, want);
}

static void lock_fiber(void *arg)
{
	struct asking *a = arg;
	struct mds_setlk_req q = {.fid = a->q.fid, .owner = 1, .type = F_WRLCK, .end = 9};
	struct mds_setlk_rep p;
	RPC_CALL(call);

	a->rc = mds_co_setlk(a->s->client[0].imp, &call, &q, &p);
	a->done = true;
}

/* ---- */

static void body_term(struct st *s)
{
	struct scene sc = begin(s);
	struct asking w, r, e;

	ask(s, &r, sc.closed.fid, LEASE_SHARED);
	st_until(s, r.done); /* nobody could have kept anything of it back */
	assert_int_equal(r.lease, LEASE_SHARED);
	ask(s, &e, sc.closed.fid, LEASE_EXCLUSIVE); /* it may be in a cache */
	ask(s, &w, sc.written.fid, LEASE_SHARED);
	assert_false(e.done || w.done);
	assert_int_equal(s->fences, 0);
	term_is_over(s);
	st_until(s, e.done && w.done);
	assert_int_equal(e.lease, LEASE_EXCLUSIVE);
	assert_int_equal(w.lease, LEASE_SHARED);
	assert_int_equal(s->fences, 1);       /* what it may still write is refused */
	assert_true(s->mds->recovery_end_ns); /* locks and open files are still waited for */
	recovery_abort(s->mds);
}

static void data_waits_for_a_missing_client_for_one_term(void **state)
{
	(void)state;
	st_run(body_term);
}

static void body_settling(struct st *s)
{
	struct scene sc = begin(s);
	struct asking w;

	st_connect(s, 1); /* it is here, and has not written everything yet */
	term_is_over(s);
	ask(s, &w, sc.written.fid, LEASE_SHARED);
	assert_false(w.done);
	assert_int_equal(s->fences, 0);
	say_back(s, 1);
	st_until(s, w.done);
	assert_int_equal(w.lease, LEASE_SHARED);
	assert_int_equal(s->fences, 0);
	assert_false(s->mds->recovery_end_ns); /* all are back */
}

static void a_client_that_is_here_has_time_to_write(void **state)
{
	(void)state;
	st_run(body_settling);
}

static void reopen(struct st *s, int c, const struct st_open *o)
{
	struct mds_reopen_req q = {o->fid, OPEN_WRITE, o->id};
	struct mds_reopen_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_reopen(s->client[c].imp, &call, &q, &p), 0);
}

static void body_opens(struct st *s)
{
	struct asking w, own;
	struct st_open mine;
	struct scene sc;

	st_connect(s, 0);
	mine = st_create(s, 0, "mine", OPEN_WRITE);
	sc = begin(s);
	st_connect(s, 1);
	ask(s, &own, mine.fid, LEASE_SHARED); /* who knows who has it open? */
	ask(s, &w, sc.written.fid, LEASE_SHARED);
	assert_false(own.done || w.done);
	reopen(s, 1, &sc.written);
	say(s, 1, true, rpc_import_session(s->client[1].imp));
	st_until(s, own.done);
	assert_int_equal(own.lease, LEASE_SHARED);
	assert_false(w.done);
	say(s, 1, false, rpc_import_session(s->client[1].imp) + 1); /* in another life */
	co_sleep(10 * NSEC_PER_MSEC);
	assert_false(w.done);
	say_back(s, 1);
	st_until(s, w.done);
	assert_int_equal(s->fences, 0);
}

static void who_writes_a_file_is_waited_for_by_those_who_want_it(void **state)
{
	(void)state;
	st_run(body_opens);
}

static void body_itself(struct st *s)
{
	struct scene sc = begin(s);
	struct asking own;

	st_connect(s, 1);
	reopen(s, 1, &sc.written);
	term(s, 1);
	ask_as(s, 1, &own, sc.written.fid, LEASE_EXCLUSIVE);
	st_until(s, own.done);
	assert_int_equal(own.lease, LEASE_EXCLUSIVE);
	assert_true(s->mds->recovery_end_ns);
	say_back(s, 1);
}

static void nobody_waits_for_himself(void **state)
{
	(void)state;
	st_run(body_itself);
}

static void status(struct st *s, const char *want)
{
	struct wbuf w;

	wbuf_init(&w, 65536);
	assert_int_equal(recovery_status(s->mds, &w), 0);
	wbuf_put(&w, "", 1);
	if (!strstr((char *)w.ptr, want))
		fail_msg("no '%s' in:\n%s", want, (char *)w.ptr);
	wbuf_fini(&w);
}

static void body_abort(struct st *s)
{
	struct asking l = {.s = s};
	struct scene sc;

	st_until(s, !s->mds->recovery_end_ns);
	status(s, "status: INACTIVE");
	sc = begin(s);
	status(s, "status: RECOVERING\n");
	status(s, "\nconnected_clients: 1/2\n");
	status(s, "\ncompleted_clients: 1\n");
	status(s, "\nmissing_clients: [ \"client (127.0.0.1@tcp:");
	l.q.fid = sc.closed.fid;
	assert_int_equal(fiber_spawn(s->loop, lock_fiber, &l), 0);
	co_sleep(10 * NSEC_PER_MSEC);
	assert_false(l.done);
	recovery_abort(s->mds);
	st_until(s, l.done);
	assert_int_equal(l.rc, 0);
	assert_true(s->mds->inherited_until_ns); /* caches end by the clock only */
	status(s, "status: COMPLETE\n");
	status(s, "\ncompleted_clients: 1/2\nevicted_clients: 1\n");
	recovery_abort(s->mds); /* nothing is left to be aborted */
	st_stop_mds(s);
	st_start_mds(s);
	status(s, "\nconnected_clients: 0/1\n"); /* the missing one is forgotten */
	status(s, "status: WAITING_FOR_CLIENTS\n");
}

static void an_abort_lets_everybody_in_and_forgets_who_is_missing(void **state)
{
	(void)state;
	st_run(body_abort);
}

static void body_goodbye(struct st *s)
{
	begin(s);
	st_connect(s, 1);
	st_disconnect(s, 1); /* unmounted: nobody else is missing */
	st_until(s, !s->mds->recovery_end_ns);
	status(s, "\ncompleted_clients: 1/1\n");
}

static void who_says_goodbye_is_not_waited_for(void **state)
{
	(void)state;
	st_run(body_goodbye);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_waits_for_a_missing_client_for_one_term),
		cmocka_unit_test(a_client_that_is_here_has_time_to_write),
		cmocka_unit_test(who_writes_a_file_is_waited_for_by_those_who_want_it),
		cmocka_unit_test(nobody_waits_for_himself),
		cmocka_unit_test(an_abort_lets_everybody_in_and_forgets_who_is_missing),
		cmocka_unit_test(who_says_goodbye_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
