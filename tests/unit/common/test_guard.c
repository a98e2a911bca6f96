/* SPDX-License-Identifier: Apache-2.0 */
#include "common/guard.h"
#include "tests/unit/unit.h"

static const struct guard_block here = {
	.state = GUARD_HELD,
	.owner = 11,
	.seq = 5,
	.term_ms = GUARD_TERM_MS,
	.pid = 100,
	.since = 1795442531,
	.host = "oss1",
	.boot = "b1",
};
static const struct guard_block there = {
	.state = GUARD_HELD,
	.owner = 22,
	.seq = 9,
	.term_ms = 20000,
	.pid = 200,
	.since = 1795442531,
	.host = "oss2",
	.boot = "b2",
};

static void a_block_is_read_as_it_was_written(void **state)
{
	uint8_t raw[GUARD_BLOCK];
	struct guard_block b;
	char who[GUARD_WHO];

	(void)state;
	guard_encode(&there, raw);
	assert_int_equal(guard_decode(raw, &b), 0);
	assert_memory_equal(&b, &there, sizeof(b));
	assert_string_equal(guard_who(&b, who),
			    "host oss2, pid 200, since 2026-11-23 14:02:11 UTC");
	assert_true(guard_same_machine(&b, &there));
	assert_false(guard_same_machine(&b, &here));
	b = (struct guard_block){0}; /* a machine that cannot name itself is never the same */
	assert_false(guard_same_machine(&b, &b));
}

static void torn_and_hostile_blocks_are_no_blocks(void **state)
{
	uint8_t raw[GUARD_BLOCK], bad[GUARD_BLOCK], fresh[GUARD_BLOCK];
	struct guard_block b = there, next = there;
	uint64_t seed = 7;

	(void)state;
	memset(bad, 0, sizeof(bad));
	assert_int_equal(guard_decode(bad, &b), -ENODATA);
	guard_encode(&there, raw);
	next.seq++;
	next.pid = 0x01020304;
	guard_encode(&next, fresh);
	for (int cut = 37; cut < GUARD_BLOCK - 4; cut += 13) { /* seq stands before, crc behind */
		memcpy(bad, raw, sizeof(bad));
		memcpy(bad, fresh, (size_t)cut);
		assert_int_equal(guard_decode(bad, &b), -EUCLEAN);
	}
	for (int i = 0; i < GUARD_BLOCK; i++) {
		memcpy(bad, raw, sizeof(bad));
		bad[i] ^= 0x10;
		assert_int_equal(guard_decode(bad, &b), -EUCLEAN);
	}
	for (int i = 0; i < 1000; i++) {
		rnd_fill(&seed, bad, sizeof(bad));
		assert_int_equal(guard_decode(bad, &b), -EUCLEAN);
	}
	next = there;
	next.term_ms = UINT32_MAX; /* nobody is made to wait for ever */
	memcpy(next.host, "a\nb\033[2J", 8);
	guard_encode(&next, raw);
	assert_int_equal(guard_decode(raw, &b), 0);
	assert_int_equal(b.term_ms, GUARD_TERM_MAX_MS);
	assert_string_equal(b.host, "a?b?[2J");
	next.state = 7;
	guard_encode(&next, raw);
	assert_int_equal(guard_decode(raw, &b), -EUCLEAN);
}

static void what_this_machine_held_is_taken_at_once(void **state)
{
	struct guard_block old = here;
	struct guard_watch w;

	(void)state;
	old.owner = 5;
	guard_watch_init(&w, &here);
	assert_int_equal(guard_watch_look(&w, 1000, 0, &old), GUARD_CLAIM);
	assert_int_equal(guard_watch_claimed(&w, 1500), GUARD_MINE);
	old.state = GUARD_CLEAN;
	guard_watch_init(&w, &here);
	assert_int_equal(guard_watch_look(&w, 1000, 0, &old), GUARD_CLAIM);
	assert_int_equal(guard_watch_claimed(&w, 5000), GUARD_MINE);
	/* The same machine, booted again: whose lock it was is not known. */
	old.state = GUARD_HELD;
	memcpy(old.boot, "b0", 3);
	guard_watch_init(&w, &here);
	assert_int_equal(guard_watch_look(&w, 1000, 0, &old), GUARD_LOOK);
}

static void a_holder_that_writes_refuses_others(void **state)
{
	struct guard_block b = there;
	struct guard_watch w;

	(void)state;
	guard_watch_init(&w, &here);
	assert_int_equal(guard_watch_look(&w, 1000, 0, &b), GUARD_LOOK);
	assert_int_equal(guard_watch_look(&w, 2000, 0, &b), GUARD_LOOK);
	b.seq++;
	assert_int_equal(guard_watch_look(&w, 20000, 0, &b), GUARD_REFUSED);
	assert_int_equal(w.seen.pid, 200);
}

/* Until it serves; -1 when it is refused. */
static int64_t time_to_serve(struct guard_watch *w, uint64_t at, int rc,
			     const struct guard_block *disk)
{
	struct guard_block b = *disk;
	uint64_t begin = at;
	enum guard_step s;

	for (;; at += 200) {
		s = guard_watch_look(w, at, rc, &b);
		if (s == GUARD_CLAIM) {
			b = w->self;
			rc = 0;
			s = guard_watch_claimed(w, at + 10);
		}
		if (s == GUARD_MINE)
			return (int64_t)(at - begin);
		if (s == GUARD_REFUSED || at > begin + 1000000)
			return -1;
	}
}

static void a_dead_machine_is_waited_for_as_long_as_it_promised(void **state)
{
	struct guard_block b = there;
	struct guard_watch w;
	int64_t t;

	(void)state;
	guard_watch_init(&w, &here);
	t = time_to_serve(&w, 77, 0, &b);
	assert_in_range(t, 20000 + 5000 + 1000 + GUARD_CONFIRM_MS, 30000);
	b.term_ms = GUARD_TERM_MIN_MS;
	guard_watch_init(&w, &here);
	t = time_to_serve(&w, 77, 0, &b);
	assert_in_range(t, 3500 + GUARD_CONFIRM_MS, 7500);
	b.state = GUARD_CLEAN; /* nobody: but somebody else may be starting, too */
	guard_watch_init(&w, &here);
	t = time_to_serve(&w, 77, 0, &b);
	assert_in_range(t, GUARD_CONFIRM_MS, GUARD_CONFIRM_MS + 500);
	guard_watch_init(&w, &here);
	t = time_to_serve(&w, 77, -ENODATA, &b);
	assert_in_range(t, GUARD_CONFIRM_MS, GUARD_CONFIRM_MS + 500);
	guard_watch_init(&w, &here);
	t = time_to_serve(&w, 77, -EUCLEAN, &b); /* torn: by a holder whose promise is lost */
	assert_in_range(t, GUARD_TERM_MS + GUARD_CONFIRM_MS, 18000);
}

static void a_holder_that_says_good_bye_is_not_waited_for(void **state)
{
	struct guard_block b = there;
	struct guard_watch w;

	(void)state;
	guard_watch_init(&w, &here);
	assert_int_equal(guard_watch_look(&w, 1000, 0, &b), GUARD_LOOK);
	b.state = GUARD_CLEAN;
	b.seq++;
	assert_int_equal(guard_watch_look(&w, 1200, 0, &b), GUARD_CLAIM);
	assert_int_equal(guard_watch_claimed(&w, 1300),
			 GUARD_LOOK); /* as others may have seen it */
	assert_int_equal(guard_watch_look(&w, 1500, 0, &here), GUARD_LOOK);
	assert_int_equal(guard_watch_look(&w, 1301 + GUARD_CONFIRM_MS, 0, &here), GUARD_MINE);
}

static void a_claim_that_was_slow_does_not_count(void **state)
{
	struct guard_block b = there;
	struct guard_watch w;

	(void)state;
	b.state = GUARD_CLEAN;
	guard_watch_init(&w, &here);
	assert_int_equal(guard_watch_look(&w, 1000, 0, &b), GUARD_CLAIM);
	assert_int_equal(guard_watch_claimed(&w, 1001 + GUARD_CLAIM_MS), GUARD_LOOK);
	assert_int_equal(guard_watch_look(&w, 2002 + GUARD_CONFIRM_MS, 0, &here), GUARD_LOOK);
	/* A whole term later whoever it went over has seen it, and it may be made again. */
	assert_int_equal(guard_watch_look(&w, 2002 + GUARD_TERM_MS * 5 / 4 + 1000, 0, &here),
			 GUARD_CLAIM);
	assert_int_equal(guard_watch_claimed(&w, 15600), GUARD_LOOK);
	assert_int_equal(guard_watch_look(&w, 15601 + GUARD_CONFIRM_MS, 0, &here), GUARD_MINE);
}

static void of_two_starters_one_serves(void **state)
{
	struct guard_block disk = there;
	struct guard_watch a, b;

	(void)state;
	disk.state = GUARD_CLEAN;
	guard_watch_init(&a, &here);
	guard_watch_init(&b, &there);
	b.self.owner = 33;
	memcpy(b.self.boot, "b3", 3);
	assert_int_equal(guard_watch_look(&a, 1000, 0, &disk), GUARD_CLAIM);
	assert_int_equal(guard_watch_look(&b, 1000, 0, &disk), GUARD_CLAIM);
	assert_int_equal(guard_watch_claimed(&a, 1100), GUARD_LOOK);
	assert_int_equal(guard_watch_claimed(&b, 1200), GUARD_LOOK);
	disk = b.self; /* it wrote last */
	assert_int_equal(guard_watch_look(&a, 1300, 0, &disk), GUARD_REFUSED);
	assert_int_equal(a.seen.owner, 33);
	assert_int_equal(guard_watch_look(&b, 1300, 0, &disk), GUARD_LOOK);
	assert_int_equal(guard_watch_look(&b, 1201 + GUARD_CONFIRM_MS, 0, &disk), GUARD_MINE);
}

static void a_holder_keeps_what_it_promised(void **state)
{
	struct guard_hold h;
	struct guard_block b;

	(void)state;
	guard_hold_init(&h, &here, 1000);
	assert_false(guard_hold_late(&h, 1000 + GUARD_TERM_MS));
	assert_true(guard_hold_late(&h, 1001 + GUARD_TERM_MS));
	b = *guard_hold_next(&h);
	assert_int_equal(b.seq, here.seq + 1);
	assert_true(guard_hold_intact(&h, 0, &b));
	assert_true(guard_hold_intact(&h, 0, &here)); /* its writing failed, or is not there yet */
	assert_true(guard_hold_intact(&h, -EUCLEAN, &b));
	assert_false(guard_hold_intact(&h, 0, &there));
	assert_false(guard_hold_intact(&h, -ENODATA, &b));
	guard_hold_written(&h, 3000, 3010);
	assert_false(guard_hold_late(&h, 3000 + GUARD_TERM_MS));
	assert_true(guard_hold_late(&h, 3001 + GUARD_TERM_MS));
	/* It stood still as a whole: it looks first. */
	guard_hold_paused(&h, 50000);
	assert_false(guard_hold_late(&h, 50000 + GUARD_GRACE_MS));
	assert_true(guard_hold_late(&h, 50001 + GUARD_GRACE_MS));
}

static void a_slow_disk_is_promised_less(void **state)
{
	struct guard_hold h;
	uint32_t term;

	(void)state;
	guard_hold_init(&h, &here, 1000);
	assert_int_equal(guard_hold_next(&h)->term_ms, GUARD_TERM_MS);
	guard_hold_written(&h, 2000, 7000);
	assert_true(guard_hold_late(&h, 2001 + GUARD_TERM_MS)); /* the old promise counts */
	assert_int_equal(guard_hold_next(&h)->term_ms, 20000);
	assert_true(guard_hold_late(&h, 2001 + GUARD_TERM_MS)); /* until the new one is there */
	guard_hold_written(&h, 8000, 8010);
	assert_false(guard_hold_late(&h, 8000 + 20000));
	/* Back to the usual by and by; the shorter one counts while it is being written. */
	term = guard_hold_next(&h)->term_ms;
	assert_int_equal(term, 17500);
	assert_true(guard_hold_late(&h, 8001 + term));
	for (uint64_t t = 10000; t < 30000; t += 1000) {
		guard_hold_written(&h, t, t + 1);
		guard_hold_next(&h);
	}
	assert_int_equal(h.term_ms, GUARD_TERM_MS);
	guard_hold_written(&h, 40000, 400000);
	assert_int_equal(guard_hold_next(&h)->term_ms, GUARD_TERM_MAX_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_is_read_as_it_was_written),
		cmocka_unit_test(torn_and_hostile_blocks_are_no_blocks),
		cmocka_unit_test(what_this_machine_held_is_taken_at_once),
		cmocka_unit_test(a_holder_that_writes_refuses_others),
		cmocka_unit_test(a_dead_machine_is_waited_for_as_long_as_it_promised),
		cmocka_unit_test(a_holder_that_says_good_bye_is_not_waited_for),
		cmocka_unit_test(a_claim_that_was_slow_does_not_count),
		cmocka_unit_test(of_two_starters_one_serves),
		cmocka_unit_test(a_holder_keeps_what_it_promised),
		cmocka_unit_test(a_slow_disk_is_promised_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
