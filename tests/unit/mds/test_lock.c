/* SPDX-License-Identifier: Apache-2.0 */
/* test_lock.c - the lock manager against a model that keeps one lock type for each byte and
 * owner. */
#include "common/proto/proto.h"
#include "mds/lock.h"
#include "tests/unit/unit.h"

enum { RD, WR, UN };
static const struct fid F1 = {FID_SEQ_NORMAL + 1, 1, 0};

struct waiting {
	struct lock_wait w;
	int woken, rc;
};

static void woken(struct lock_wait *w, int rc)
{
	struct waiting *wt = container_of(w, struct waiting, w);

	wt->woken++;
	wt->rc = rc;
}

static int setup(void **state)
{
	struct lock_mgr *m;

	assert_int_equal(lock_mgr_create(&m), 0);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	lock_mgr_destroy(*state);
	return 0;
}

static struct lock_req req(uint64_t owner, uint8_t type, uint64_t start, uint64_t end)
{
	return (struct lock_req){F1, LOCK_POSIX, type, (uint32_t)owner, 1, owner, start, end};
}

static int set(struct lock_mgr *m, uint64_t owner, uint8_t type, uint64_t start, uint64_t end)
{
	struct lock_req q = req(owner, type, start, end);

	return lock_set(m, &q);
}

/* ---- the model ---- */

enum { BYTES = 24, OWNERS = 3 };
static uint8_t model[OWNERS][BYTES];

static bool model_conflict(const struct lock_req *q, uint32_t *first)
{
	uint64_t i;
	uint32_t o;

	for (i = q->start; i <= q->end; i++)
		for (o = 0; o < OWNERS; o++)
			if (o != q->owner && model[o][i] != UN &&
			    (model[o][i] == WR || q->type == WR)) {
				*first = o;
				return true;
			}
	return false;
}

static void random_operations_agree_with_a_byte_model(void **state)
{
	struct lock_mgr *m = *state;
	uint64_t seed = 4711;
	struct lock_req found;
	uint32_t n, who;

	memset(model, UN, sizeof(model));
	for (n = 0; n < 40000; n++) {
		uint64_t a = rnd_below(&seed, BYTES), b = rnd_below(&seed, BYTES);
		struct lock_req q = req(rnd_below(&seed, OWNERS), (uint8_t)rnd_below(&seed, 3),
					a < b ? a : b, a < b ? b : a);
		bool conflict = q.type != UN && model_conflict(&q, &who);

		assert_int_equal(lock_test(m, &q, &found), conflict);
		if (conflict) {
			assert_true(found.owner != q.owner);
			assert_true(found.start <= q.end && q.start <= found.end);
			/* the whole of what is shown is of that type */
			for (a = found.start; a <= found.end; a++)
				assert_int_equal(model[found.owner][a], found.type);
		}
		assert_int_equal(lock_set(m, &q), conflict ? -EAGAIN : 0);
		if (!conflict)
			memset(&model[q.owner][q.start], q.type, q.end - q.start + 1);
	}
}

static void neighbours_of_one_type_become_one_lock(void **state)
{
	struct lock_mgr *m = *state;
	struct lock_req q = req(2, WR, 0, UINT64_MAX), found;

	assert_int_equal(set(m, 1, WR, 0, 9), 0);
	assert_int_equal(set(m, 1, WR, 20, 29), 0);
	assert_int_equal(set(m, 1, WR, 10, 19), 0);
	assert_int_equal(lock_mgr_count(m), 1);
	assert_true(lock_test(m, &q, &found));
	assert_int_equal(found.start, 0);
	assert_int_equal(found.end, 29);
	assert_int_equal(set(m, 1, UN, 5, 6), 0);
	assert_int_equal(lock_mgr_count(m), 2);
	assert_int_equal(set(m, 1, RD, 7, UINT64_MAX), 0);
	assert_int_equal(lock_mgr_count(m), 2);
	assert_int_equal(set(m, 1, UN, 0, UINT64_MAX), 0);
	assert_int_equal(lock_mgr_count(m), 0);
}

static void bad_requests_are_refused(void **state)
{
	struct lock_req q = req(1, 3, 0, 1);

	assert_int_equal(lock_set(*state, &q), -EINVAL);
	q = req(1, RD, 2, 1);
	assert_int_equal(lock_set(*state, &q), -EINVAL);
	q = req(1, RD, 1, 1);
	q.space = 9;
	assert_int_equal(lock_set(*state, &q), -EINVAL);
}

static void waiters_are_served_in_their_order(void **state)
{
	struct lock_mgr *m = *state;
	struct waiting a = {.w = {.req = req(2, WR, 0, 9), .wake = woken}};
	struct waiting b = {.w = {.req = req(3, RD, 0, 9), .wake = woken}};
	struct waiting c = {.w = {.req = req(4, RD, 5, 5), .wake = woken}};

	assert_int_equal(set(m, 1, WR, 0, 9), 0);
	assert_int_equal(lock_wait_add(m, &a.w), 0);
	assert_int_equal(lock_wait_add(m, &b.w), 0);
	assert_int_equal(lock_wait_add(m, &c.w), 0);
	assert_int_equal(set(m, 1, UN, 0, 4), 0);
	assert_int_equal(a.woken + b.woken + c.woken, 0);
	assert_int_equal(set(m, 1, UN, 0, 9), 0);
	assert_int_equal(a.woken, 1);
	assert_int_equal(b.woken, 0);
	assert_int_equal(set(m, 2, RD, 0, 9), 0); /* a downgrade lets readers in */
	assert_int_equal(b.woken, 1);
	assert_int_equal(c.woken, 1);
	assert_int_equal(b.rc, 0);
}

static void a_circle_of_waiters_is_a_deadlock(void **state)
{
	struct lock_mgr *m = *state;
	struct waiting a = {.w = {.req = req(1, WR, 1, 1), .wake = woken}};
	struct waiting b = {.w = {.req = req(2, WR, 2, 2), .wake = woken}};
	struct waiting c = {.w = {.req = req(3, WR, 0, 0), .xid = 5, .wake = woken}};

	assert_int_equal(set(m, 1, WR, 0, 0), 0);
	assert_int_equal(set(m, 2, WR, 1, 1), 0);
	assert_int_equal(set(m, 3, WR, 2, 2), 0);
	assert_int_equal(lock_wait_add(m, &a.w), 0);
	assert_int_equal(lock_wait_add(m, &b.w), 0);
	assert_int_equal(lock_wait_add(m, &c.w), -EDEADLK);
	assert_int_equal(set(m, 3, UN, 2, 2), 0);
	assert_int_equal(b.woken, 1);
	lock_drop_session(m, 1, -ESTALE);
	assert_int_equal(a.rc, -ESTALE);
}

static void a_wait_can_be_cancelled(void **state)
{
	struct lock_mgr *m = *state;
	struct waiting a = {.w = {.req = req(2, WR, 0, 9), .xid = 77, .wake = woken}};

	assert_int_equal(set(m, 1, WR, 0, 9), 0);
	assert_int_equal(lock_wait_add(m, &a.w), 0);
	assert_false(lock_cancel(m, 2, 77, -EINTR));
	assert_false(lock_cancel(m, 1, 78, -EINTR));
	assert_true(lock_cancel(m, 1, 77, -EINTR));
	assert_int_equal(a.rc, -EINTR);
	assert_false(lock_cancel(m, 1, 77, -EINTR));
}

static void a_dead_session_gives_everything_back(void **state)
{
	struct lock_mgr *m = *state;
	struct lock_req q = req(1, WR, 0, 9);
	struct waiting a = {.w = {.req = req(2, WR, 0, 9), .wake = woken}};

	assert_int_equal(lock_set(m, &q), 0);
	a.w.req.session = 2;
	assert_int_equal(lock_wait_add(m, &a.w), 0);
	lock_drop_session(m, 1, -ESTALE);
	assert_int_equal(a.woken, 1);
	assert_int_equal(a.rc, 0);
	assert_int_equal(lock_mgr_count(m), 1);
	lock_drop_session(m, 2, -ESTALE);
	assert_int_equal(lock_mgr_count(m), 0);
}

static void two_shared_flocks_can_both_become_exclusive_in_turn(void **state)
{
	struct lock_mgr *m = *state;
	struct lock_req q = {F1, LOCK_FLOCK, RD, 1, 1, 1, 0, UINT64_MAX}, r = q;
	struct waiting a = {.w = {.wake = woken}};

	r.owner = 2;
	assert_int_equal(lock_set(m, &q), 0);
	assert_int_equal(lock_set(m, &r), 0);
	q.type = r.type = WR;
	assert_int_equal(lock_set(m, &q), -EAGAIN);
	a.w.req = q;
	assert_int_equal(lock_wait_add(m, &a.w), 0);
	assert_int_equal(a.woken, 0);
	assert_int_equal(lock_set(m, &r), 0); /* the other gave up its shared lock to wait */
	r.type = UN;
	assert_int_equal(lock_set(m, &r), 0);
	assert_int_equal(a.woken, 1);
}

static void spaces_and_files_do_not_meet(void **state)
{
	struct lock_mgr *m = *state;
	struct lock_req q = req(2, WR, 0, 9);

	assert_int_equal(set(m, 1, WR, 0, 9), 0);
	q.space = LOCK_APPEND;
	assert_int_equal(lock_set(m, &q), 0);
	q.space = LOCK_FLOCK;
	assert_int_equal(lock_set(m, &q), 0);
	q.space = LOCK_POSIX;
	assert_int_equal(lock_set(m, &q), -EAGAIN);
	q.fid.oid = 2;
	assert_int_equal(lock_set(m, &q), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_operations_agree_with_a_byte_model),
		TEST(neighbours_of_one_type_become_one_lock),
		TEST(bad_requests_are_refused),
		TEST(waiters_are_served_in_their_order),
		TEST(a_circle_of_waiters_is_a_deadlock),
		TEST(a_wait_can_be_cancelled),
		TEST(a_dead_session_gives_everything_back),
		TEST(two_shared_flocks_can_both_become_exclusive_in_turn),
		TEST(spaces_and_files_do_not_meet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
