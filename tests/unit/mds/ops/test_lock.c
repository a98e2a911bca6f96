/* SPDX-License-Identifier: Apache-2.0 */
/* test_lock.c - locks over RPC: waiting, cancelling, and the death of a client that holds or
 * waits. */
#include "tests/unit/mds/mds_request_test.h"

struct waiter {
	struct st *s;
	int client, rc;
	bool sent, done;
	uint64_t xid;
	struct mds_setlk_req q;
};

static void on_sent(void *arg, uint64_t xid)
{
	struct waiter *w = arg;

	w->xid = xid;
	w->sent = true;
}

static void wait_fiber(void *arg)
{
	struct waiter *w = arg;
	struct mds_setlk_rep p;
	RPC_CALL(call);

	call.on_sent = on_sent;
	call.on_sent_arg = w;
	w->rc = mds_co_setlk(w->s->client[w->client].imp, &call, &w->q, &p);
	w->done = true;
}

static struct mds_setlk_req req(uint64_t owner, uint8_t type, bool wait)
{
	return (struct mds_setlk_req){ROOT, LOCK_POSIX, owner, 100, type, 0, 9, wait, 0};
}

static int set(struct st *s, int c, uint64_t owner, uint8_t type)
{
	struct mds_setlk_req q = req(owner, type, false);
	struct mds_setlk_rep p;
	RPC_CALL(call);

	return mds_co_setlk(s->client[c].imp, &call, &q, &p);
}

static void start_type(struct st *s, struct waiter *w, int c, uint64_t owner, uint8_t type)
{
	*w = (struct waiter){.s = s, .client = c, .q = req(owner, type, true)};
	assert_int_equal(fiber_spawn(s->loop, wait_fiber, w), 0);
	st_until(s, w->sent);
	co_sleep(5 * NSEC_PER_MSEC);
	assert_false(w->done);
}

static void start(struct st *s, struct waiter *w, int c, uint64_t owner)
{
	start_type(s, w, c, owner, F_WRLCK);
}

static void body_wait(struct st *s)
{
	struct mds_getlk_req gq = {ROOT, LOCK_POSIX, 2, 1, F_RDLCK, 5, 50};
	struct mds_getlk_rep gp;
	struct waiter w;
	RPC_CALL(c1);

	st_connect(s, 0);
	st_connect(s, 1);
	assert_int_equal(set(s, 0, 1, F_WRLCK), 0);
	assert_int_equal(set(s, 1, 1, F_RDLCK), -EAGAIN); /* the same number, another client */
	assert_int_equal(mds_co_getlk(s->client[1].imp, &c1, &gq, &gp), 0);
	assert_int_equal(gp.type, F_WRLCK);
	assert_int_equal(gp.end, 9);
	assert_int_equal(gp.pid, 100);
	start(s, &w, 1, 2);
	assert_int_equal(set(s, 0, 1, F_UNLCK), 0);
	st_until(s, w.done);
	assert_int_equal(w.rc, 0);
	assert_int_equal(set(s, 0, 1, F_RDLCK), -EAGAIN);
	assert_int_equal(set(s, 1, 2, F_UNLCK), 0);
}

static void a_waiter_gets_the_lock_when_it_is_free(void **state)
{
	(void)state;
	st_run(body_wait);
}

static void body_cancel(struct st *s)
{
	struct mds_cancel_req q;
	struct mds_cancel_rep p;
	struct waiter w;
	RPC_CALL(c1);
	RPC_CALL(c2);

	st_connect(s, 0);
	st_connect(s, 1);
	assert_int_equal(set(s, 0, 1, F_WRLCK), 0);
	start(s, &w, 1, 2);
	q.xid = w.xid;
	assert_int_equal(mds_co_cancel(s->client[1].imp, &c1, &q, &p), 0);
	st_until(s, w.done);
	assert_int_equal(w.rc, -EINTR);
	assert_int_equal(mds_co_cancel(s->client[1].imp, &c2, &q, &p), 0); /* too late: no harm */
}

static void a_wait_ends_when_it_is_cancelled(void **state)
{
	(void)state;
	st_run(body_cancel);
}

static void body_death(struct st *s)
{
	struct rpc_session *ses = NULL;
	struct waiter w;

	st_connect(s, 0);
	st_connect(s, 1);
	assert_int_equal(set(s, 1, 1, F_WRLCK), 0);
	start(s, &w, 0, 2);
	while ((ses = rpc_service_session_next(mdt_service(s->mds), ses)))
		if (memcmp(ses->uuid, s->client[1].cfg.uuid, UUID_LEN) == 0)
			rpc_service_evict(mdt_service(s->mds), ses, "test");
	st_until(s, w.done);
	assert_int_equal(w.rc, 0);
	assert_int_equal(lock_mgr_count(s->mds->locks), 1);
	st_disconnect(s, 0);
	st_until(s, lock_mgr_count(s->mds->locks) == 0);
}

static void a_dead_clients_locks_are_given_to_others(void **state)
{
	(void)state;
	st_run(body_death);
}

static int reclaim(struct st *s, int c, uint64_t owner)
{
	struct mds_setlk_req q = req(owner, F_WRLCK, false);
	struct mds_setlk_rep p;
	RPC_CALL(call);

	q.reclaim = 1;
	return mds_co_setlk(s->client[c].imp, &call, &q, &p);
}

static int say_back(struct st *s, int c, uint32_t lane, uint32_t lanes)
{
	struct mds_reclaimed_req q = {.lane = lane, .lanes = lanes};
	struct mds_reclaimed_rep p;
	RPC_CALL(call);

	return mds_co_reclaimed(s->client[c].imp, &call, &q, &p);
}

/* Client 1 is back first and asks for what client 0 holds: it must not get it. */
static void body_grace(struct st *s)
{
	struct waiter w;

	st_connect(s, 0);
	st_connect(s, 1);
	assert_int_equal(set(s, 0, 1, F_WRLCK), 0);
	st_stop_mds(s);
	st_start_mds(s);
	start(s, &w, 1, 2);
	assert_int_equal(say_back(s, 1, 0, 1), 0);
	co_sleep(5 * NSEC_PER_MSEC);
	assert_false(w.done);
	assert_int_equal(reclaim(s, 0, 1), 0);
	assert_int_equal(say_back(s, 0, 0, 2), 0); /* one lane of two */
	co_sleep(5 * NSEC_PER_MSEC);
	assert_false(w.done);
	assert_int_equal(say_back(s, 0, 1, 2), 0);
	co_sleep(5 * NSEC_PER_MSEC);
	assert_false(w.done); /* it waits for the lock now, not for the window */
	assert_int_equal(set(s, 0, 1, F_UNLCK), 0);
	st_until(s, w.done);
	assert_int_equal(w.rc, 0);
}

static void new_locks_wait_until_the_old_ones_are_told(void **state)
{
	(void)state;
	st_run(body_grace);
}

/* One lane gives back what another one claims: in whatever order they come, it is free then. Giving
 * back does not wait for other clients. */
static void body_give_back_early(struct st *s)
{
	struct waiter w;

	st_connect(s, 0);
	st_connect(s, 1);
	assert_int_equal(set(s, 0, 1, F_WRLCK), 0);
	st_stop_mds(s);
	st_start_mds(s);
	start_type(s, &w, 0, 1, F_UNLCK);
	assert_int_equal(reclaim(s, 0, 1), 0);
	assert_int_equal(say_back(s, 0, 0, 2), 0);
	co_sleep(5 * NSEC_PER_MSEC);
	assert_false(w.done);
	assert_int_equal(say_back(s, 0, 1, 2), 0);
	st_until(s, w.done);
	assert_int_equal(w.rc, 0);
	assert_int_equal(lock_mgr_count(s->mds->locks), 0);
	assert_true(s->mds->recovery_end_ns);
}

static void what_is_given_back_early_is_not_claimed_afterwards(void **state)
{
	(void)state;
	st_run(body_give_back_early);
}

struct tester {
	struct st *s;
	struct mds_getlk_rep p;
	int rc;
	bool done;
};

static void test_fiber(void *arg)
{
	struct tester *t = arg;
	struct mds_getlk_req q = {ROOT, LOCK_POSIX, 2, 1, F_RDLCK, 5, 50};
	RPC_CALL(call);

	t->rc = mds_co_getlk(t->s->client[1].imp, &call, &q, &t->p);
	t->done = true;
}

/* Client 1 asks whether there is a lock before its holder could say so. */
static void body_test_early(struct st *s)
{
	struct tester early = {.s = s}, late = {.s = s};

	st_connect(s, 0);
	st_connect(s, 1);
	assert_int_equal(set(s, 0, 1, F_WRLCK), 0);
	st_stop_mds(s);
	st_start_mds(s);
	assert_int_equal(say_back(s, 1, 0, 1), 0);
	assert_int_equal(fiber_spawn(s->loop, test_fiber, &early), 0);
	co_sleep(5 * NSEC_PER_MSEC);
	assert_false(early.done);
	assert_int_equal(reclaim(s, 0, 1), 0);
	test_fiber(&late); /* what is told already needs no grace */
	assert_int_equal(late.p.type, F_WRLCK);
	assert_int_equal(say_back(s, 0, 0, 1), 0);
	st_until(s, early.done);
	assert_int_equal(early.rc, 0);
	assert_int_equal(early.p.type, F_WRLCK);
}

static void a_test_waits_for_locks_of_the_last_life(void **state)
{
	(void)state;
	st_run(body_test_early);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_waiter_gets_the_lock_when_it_is_free),
		cmocka_unit_test(a_wait_ends_when_it_is_cancelled),
		cmocka_unit_test(a_dead_clients_locks_are_given_to_others),
		cmocka_unit_test(new_locks_wait_until_the_old_ones_are_told),
		cmocka_unit_test(what_is_given_back_early_is_not_claimed_afterwards),
		cmocka_unit_test(a_test_waits_for_locks_of_the_last_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
