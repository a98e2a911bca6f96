/* SPDX-License-Identifier: Apache-2.0 */
/* test_replay.c - what a client keeps of changes that the MDS has answered, and for how long. */
#include "client/core/replay.h"
#include "tests/unit/unit.h"

#define LIFE(l, n) ((uint64_t)(l) << TRANSNO_LIFE_SHIFT | (n))

static struct replay r;

static int setup(void **state)
{
	(void)state;
	replay_init(&r);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	replay_fini(&r);
	return 0;
}

/* An answer to a change (transno not 0) or to something else. */
static void hear(uint64_t transno, uint64_t committed)
{
	uint8_t req_body[] = "request", rep_body[] = "reply!";
	struct msg req = {
		.h = {.rpc = RPC_mds_create, .slot = 5, .xid = 1000 + transno, .body_len = 7},
		.body = req_body,
	};
	struct msg rep = {
		.h = {.transno = transno, .last_committed = committed, .time = 77, .body_len = 6},
		.body = rep_body,
	};

	replay_heard(&r, &req, &rep);
}

static uint64_t next(uint64_t after)
{
	struct kept_req *q = replay_next(&r, after);

	return q ? q->k.transno : 0;
}

static void a_request_is_kept_until_it_is_on_the_disk(void **state)
{
	struct kept_req *q;

	(void)state;
	hear(LIFE(1, 5), LIFE(1, 4));
	q = replay_next(&r, 0);
	assert_non_null(q);
	assert_int_equal(q->k.rpc, RPC_mds_create);
	assert_int_equal(q->k.slot, 5);
	assert_int_equal(q->k.xid, 1000 + LIFE(1, 5));
	assert_int_equal(q->k.time, 77);
	assert_int_equal(q->k.body_len, 13);
	assert_int_equal(q->k.reply_len, 6);
	assert_memory_equal(q->k.body, "requestreply!", 13);
	hear(0, LIFE(1, 4));
	assert_int_equal(r.n, 1);
	hear(0, LIFE(1, 5));
	assert_int_equal(r.n, 0);
	assert_int_equal(r.bytes, 0);
	hear(LIFE(1, 6), LIFE(1, 6)); /* answered after its commit */
	assert_int_equal(r.n, 0);
}

static void failures_and_what_has_no_number_are_not_kept(void **state)
{
	struct msg req = {.h = {.slot = 1}}, rep = {.h = {.transno = LIFE(1, 1), .status = -2}};

	(void)state;
	replay_heard(&r, &req, &rep);
	hear(0, 0);
	assert_int_equal(r.n, 0);
}

static void they_are_in_the_order_of_their_numbers(void **state)
{
	(void)state;
	hear(LIFE(1, 7), 0);
	hear(LIFE(1, 9), 0);
	hear(LIFE(1, 8), 0);
	hear(LIFE(1, 5), 0);
	assert_int_equal(next(0), LIFE(1, 5));
	assert_int_equal(next(LIFE(1, 5)), LIFE(1, 7));
	assert_int_equal(next(LIFE(1, 7)), LIFE(1, 8));
	assert_int_equal(next(LIFE(1, 9)), 0);
	hear(0, LIFE(1, 7));
	assert_int_equal(r.n, 2);
	assert_int_equal(next(0), LIFE(1, 8));
}

static void a_new_life_covers_only_what_was_done_again(void **state)
{
	(void)state;
	hear(LIFE(1, 7), 0);
	hear(LIFE(1, 8), 0);
	hear(0, LIFE(2, 100));
	assert_int_equal(r.n, 2);
	replay_done(&r, replay_next(&r, 0), LIFE(2, 101));
	assert_int_equal(r.n, 2);
	hear(0, LIFE(2, 101));
	assert_int_equal(r.n, 1);
	/* The next loss: it had been done again, but was not on the disk. */
	replay_done(&r, replay_next(&r, 0), LIFE(2, 102));
	hear(0, LIFE(3, 500));
	assert_int_equal(next(0), LIFE(1, 8));
	replay_done(&r, replay_next(&r, 0), LIFE(3, 400)); /* it is on the disk already */
	assert_int_equal(r.n, 0);
}

static void what_the_store_has_or_nobody_will_take_is_dropped(void **state)
{
	(void)state;
	hear(LIFE(1, 1), 0);
	hear(LIFE(1, 2), 0);
	hear(LIFE(1, 3), 0);
	hear(LIFE(1, 4), 0);
	replay_drop_until(&r, LIFE(1, 2));
	assert_int_equal(next(0), LIFE(1, 3));
	replay_done(&r, replay_next(&r, 0), 0);
	assert_int_equal(r.nlost, 1);
	assert_int_equal(next(0), LIFE(1, 4));
	assert_int_equal(replay_drop_all(&r), 1);
	assert_int_equal(r.bytes, 0);
}

static void memory_is_bounded(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= REPLAY_MAX; i++) {
		assert_true(replay_has_room(&r));
		hear(LIFE(1, i), 0);
	}
	assert_false(replay_has_room(&r));
	hear(0, LIFE(1, 1));
	assert_true(replay_has_room(&r));
	r.bytes += REPLAY_MAX_BYTES;
	assert_false(replay_has_room(&r));
	r.bytes -= REPLAY_MAX_BYTES;
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_request_is_kept_until_it_is_on_the_disk),
		T(failures_and_what_has_no_number_are_not_kept),
		T(they_are_in_the_order_of_their_numbers),
		T(a_new_life_covers_only_what_was_done_again),
		T(what_the_store_has_or_nobody_will_take_is_dropped),
		T(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
