/* SPDX-License-Identifier: Apache-2.0 */
/* test_window.c - after a loss of power a target waits for its clients, and puts what they send in
 * order. */
#include "oss/window.h"
#include "common/again.h"
#include "oss/power.h"
#include "tests/unit/oss/oss_test.h"
#include <linux/falloc.h>

/* The page cache is there; what matters is that the target cannot know. */
static void lose_power(struct oss_test *t)
{
	char command[256];
	static char machine[32];
	static int n;

	snprintf(command, sizeof(command), "cp -a %s/O %s/saved", t->dir, t->dir);
	CHECK_RC(system(command), 0);
	oss_test_unserve(t);
	snprintf(command, sizeof(command), "rm -rf %s/O && mv %s/saved %s/O", t->dir, t->dir,
		 t->dir);
	CHECK_RC(system(command), 0);
	snprintf(machine, sizeof(machine), "machine %d", ++n);
	t->cfg.machine = machine;
	oss_test_serve(t);
}

static int recover(struct oss_test *t, uint32_t lane, uint64_t lanes, bool done,
		   struct oss_recover_rep *p)
{
	struct oss_recover_req q = {.lane = lane, .lanes = lanes, .done = done};
	RPC_CALL(call);

	return oss_co_recover(t->imp, &call, &q, p);
}

static int again(struct oss_test *t, struct oss_again_req *q, const char *data)
{
	struct iovec iov = {(char *)(uintptr_t)data, data ? strlen(data) : 0};
	struct oss_again_rep p;
	RPC_CALL(call);

	call.out = &iov;
	call.out_n = data ? 1 : 0;
	q->len = data ? strlen(data) : q->len;
	return oss_co_again(t->imp, &call, q, &p);
}

#define AGAIN(t, data, ...) again(t, &(struct oss_again_req){TEST_OBJ, __VA_ARGS__}, data)

static uint64_t write_number(struct oss_test *t, uint64_t off, const char *data)
{
	struct oss_write_req q = {TEST_OBJ, .off = off};
	struct iovec iov = {(char *)(uintptr_t)data, strlen(data)};
	struct oss_write_rep p;
	RPC_CALL(call);

	call.out = &iov;
	call.out_n = 1;
	CHECK_RC(oss_co_write(t->imp, &call, &q, &p), 0);
	return call.hdr.transno;
}

/* The import that the test has is the only client: it is let in when it has said that it is done.
 */
static void let_in(struct oss_test *t)
{
	struct oss_recover_rep p;

	do
		CHECK_RC(recover(t, 0, 1, true, &p), 0);
	while (p.window);
}

static void t_order(struct oss_test *t)
{
	struct oss_recover_rep p;
	uint64_t n = write_number(t, 0, "first");
	char data[16] = "";

	assert_true(n > t->ost->base);
	lose_power(t);
	CHECK_RC(recover(t, 0, 1, false, &p), 0);
	assert_true(p.window);
	assert_true(p.stable < n);
	CHECK_RC(AGAIN(t, "NEWER", .what = AGAIN_WRITE, .number = n + 2, .off = 2), 0);
	CHECK_RC(AGAIN(t, "xxxxxxxxxx", .what = AGAIN_WRITE, .number = n + 1), 0);
	CHECK_RC(AGAIN(t, NULL, .what = AGAIN_FALLOCATE, .number = n, .len = 4,
		       .mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE),
		 0);
	CHECK_RC(AGAIN(t, "stable", .what = AGAIN_WRITE, .number = p.stable), 0);
	let_in(t);
	CHECK_RC(oss_test_read(t, 0, data, sizeof(data)), 10);
	assert_memory_equal(data, "xxNEWERxxx", 10);
	assert_true(write_number(t, 0, "a") > n + 2);
	CHECK_RC(AGAIN(t, "late", .what = AGAIN_WRITE, .number = n + 3), -ESTALE);
}

static void what_is_sent_again_comes_to_lie_in_order(void **state)
{
	(void)state;
	oss_test_run(t_order);
}

/* A truncation between two writes, and the end of the object, in the worst order. */
static void t_cut(struct oss_test *t)
{
	uint64_t n = write_number(t, 0, "0123456789");
	struct object_attr a;
	char data[16] = "";

	lose_power(t);
	CHECK_RC(AGAIN(t, "ab", .what = AGAIN_WRITE, .number = n + 3, .off = 6, .trunc_gen = 1), 0);
	CHECK_RC(AGAIN(t, NULL, .what = AGAIN_PUNCH, .number = n + 2, .off = 2, .trunc_gen = 1), 0);
	CHECK_RC(AGAIN(t, "OLD", .what = AGAIN_WRITE, .number = n + 1, .off = 1), 0);
	let_in(t);
	CHECK_RC(oss_test_getattr(t, &a), 0);
	assert_int_equal(a.size, 8);
	CHECK_RC(oss_test_read(t, 0, data, sizeof(data)), 8);
	assert_memory_equal(data, "0O\0\0\0\0ab", 8);
	CHECK_RC(oss_test_write(t, NULL, 0, "x", 1, 0), -ESTALE); /* it is remembered */
}

static void a_truncation_cuts_what_is_older_only(void **state)
{
	(void)state;
	oss_test_run(t_cut);
}

static void t_gone(struct oss_test *t)
{
	uint64_t n = write_number(t, 0, "0123456789");
	struct object_attr a;

	lose_power(t);
	CHECK_RC(AGAIN(t, NULL, .what = AGAIN_DESTROY, .number = n + 2), 0);
	CHECK_RC(AGAIN(t, "OLD", .what = AGAIN_WRITE, .number = n + 1), 0);
	let_in(t);
	CHECK_RC(oss_test_getattr(t, &a), 0);
	assert_int_equal(a.flags, 0);
}

static void an_object_that_was_destroyed_stays_away(void **state)
{
	(void)state;
	oss_test_run(t_gone);
}

static void t_lanes(struct oss_test *t)
{
	const struct ost_recovery *s;
	struct oss_recover_rep p;

	(void)write_number(t, 0, "something");
	lose_power(t);
	s = &t->ost->recovery;
	assert_int_equal(s->known, 1);
	CHECK_RC(recover(t, 0, 3, true, &p), 0);
	assert_true(p.window); /* the other lane has not said anything */
	assert_int_equal(s->back, 0);
	CHECK_RC(recover(t, 1, 3, true, &p), 0);
	assert_int_equal(s->back, 1);
	let_in(t);
	assert_false(window_is_open(t->ost->window));
	assert_false(t->ost->lost);
}

static void all_lanes_are_waited_for(void **state)
{
	(void)state;
	oss_test_run(t_lanes);
}

static void t_abort(struct oss_test *t)
{
	struct oss_recover_rep p;
	char data[16];

	(void)write_number(t, 0, "something");
	lose_power(t);
	CHECK_RC(recover(t, 0, 1, false, &p), 0);
	assert_true(p.window);
	window_abort(t->ost->window);
	CHECK_RC(oss_test_read(t, 0, data, sizeof(data)), 9); /* waits until it is closed */
	CHECK_RC(AGAIN(t, "late", .what = AGAIN_WRITE, .number = UINT64_MAX), -ESTALE);
}

static void who_is_not_back_when_it_ends_is_too_late(void **state)
{
	(void)state;
	oss_test_run(t_abort);
}

static void t_process(struct oss_test *t)
{
	struct oss_recover_rep p;

	(void)write_number(t, 0, "something");
	oss_test_restart(t);
	CHECK_RC(recover(t, 0, 1, false, &p), 0);
	assert_false(p.window); /* nothing is missing */
}

static void nothing_is_waited_for_after_a_stop_in_order(void **state)
{
	(void)state;
	oss_test_run(t_process);
}

/* A client whose sync was answered need not live to keep others from undoing it. */
static void t_shared(struct oss_test *t)
{
	struct oss_sync_req sq = {TEST_OBJ};
	struct oss_sync_rep sp;
	struct rpc_import *other;
	struct oss_test two = *t;
	uint64_t n = write_number(t, 0, "older");
	RPC_CALL(call);
	char data[16] = "";

	memset(two.client.uuid, 9, UUID_LEN);
	oss_test_connect(&two, &other);
	two.imp = other;
	(void)write_number(&two, 0, "newer");
	CHECK_RC(oss_co_sync(other, &call, &sq, &sp), 0);
	rpc_import_co_destroy(other, 1000);
	lose_power(t);
	CHECK_RC(AGAIN(t, "older", .what = AGAIN_WRITE, .number = n), 0);
	let_in(t);
	CHECK_RC(oss_test_read(t, 0, data, sizeof(data)), 5);
	assert_memory_equal(data, "newer", 5);
}

static void what_was_synced_is_not_undone(void **state)
{
	(void)state;
	oss_test_run(t_shared);
}

static void keep(struct unstable *u, uint64_t number, const char *data)
{
	struct unstable_change *c = unstable_new(1);

	assert_non_null(c);
	c->bytes = bytes_new((uint32_t)strlen(data));
	assert_non_null(c->bytes);
	memcpy(c->bytes->mem, data, strlen(data));
	c->iov[0] = (struct iovec){c->bytes->mem, strlen(data)};
	c->req = (struct oss_again_req){
		TEST_OBJ, .what = AGAIN_WRITE, .number = number, .len = strlen(data)};
	c->number = number;
	unstable_add(u, c);
}

/* What clients and the MDS do from on_restart. */
static void t_client(struct oss_test *t)
{
	bool busy = false;
	struct unstable u;
	struct again a = {.loop = t->l, .changes = &u, .busy = &busy, .lanes = 1};
	struct oss_recover_rep p;
	char data[16];

	unstable_init(&u);
	keep(&u, write_number(t, 0, "first"), "first");
	a.power = t->ost->power;
	oss_test_restart(t);
	CHECK_RC(recover(t, 0, 1, false, &p), 0); /* when it is connected again */
	CHECK_RC(again_co_restart(&a, t->imp), 0);
	assert_int_equal(a.sent, 0); /* the disk has it */
	(void)unstable_stable(&u, a.stable);
	assert_int_equal(u.n, 0);
	keep(&u, write_number(t, 0, "FIRST"), "again");
	lose_power(t);
	CHECK_RC(recover(t, 0, 1, false, &p), 0);
	CHECK_RC(again_co_restart(&a, t->imp), 0);
	assert_int_equal(a.sent, 1);
	assert_int_equal(a.power, t->ost->power);
	CHECK_RC(oss_test_read(t, 0, data, sizeof(data)), 5);
	assert_memory_equal(data, "again", 5);
	CHECK_RC(again_co_restart(&a, t->imp), 0); /* the connection was lost, no more */
	a.power = 1;
	CHECK_RC(again_co_restart(&a, t->imp), -ESTALE);
	(void)unstable_stable(&u, UINT64_MAX);
}

static void a_client_sends_what_is_missing(void **state)
{
	(void)state;
	oss_test_run(t_client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sent_again_comes_to_lie_in_order),
		cmocka_unit_test(a_truncation_cuts_what_is_older_only),
		cmocka_unit_test(an_object_that_was_destroyed_stays_away),
		cmocka_unit_test(all_lanes_are_waited_for),
		cmocka_unit_test(who_is_not_back_when_it_ends_is_too_late),
		cmocka_unit_test(nothing_is_waited_for_after_a_stop_in_order),
		cmocka_unit_test(what_was_synced_is_not_undone),
		cmocka_unit_test(a_client_sends_what_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
