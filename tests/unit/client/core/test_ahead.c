/* SPDX-License-Identifier: Apache-2.0 */
/* test_ahead.c - what is guessed from reads: each pattern is found and followed, random reads are
 * not, and what was said to be fetched is what is read next. */
#include "client/core/ahead.h"
#include "tests/unit/unit.h"

enum { STEP = 4096 };
#define LIMIT (16ULL * MIB)

static struct ahead a;
static struct ahead_plan p;

static int setup(void **state)
{
	(void)state;
	a = (struct ahead){0};
	return 0;
}

/* Every plan is carried out at once. */
static bool got(uint64_t off, uint64_t len)
{
	bool plan = ahead_read(&a, off, len, true, LIMIT, &p);

	if (plan)
		ahead_fetched(&a, &p);
	return plan;
}

static void nothing_is_guessed_from_two_reads(void **state)
{
	(void)state;
	assert_false(got(0, STEP));
	assert_false(got(STEP, STEP));
	assert_true(got(2 * STEP, STEP));
	assert_int_equal(p.off, 3 * STEP);
	assert_int_equal(p.len, AHEAD_FIRST);
	assert_int_equal(p.n, 1);
}

static void forward_reading_never_catches_up_and_needs_few_requests(void **state)
{
	uint64_t off, edge = 0, n = 0, largest = 0;

	(void)state;
	for (off = 0; off < 256ULL * MIB; off += STEP) {
		if (off > 3 * STEP)
			assert_true(edge >= off + STEP);
		if (!got(off, STEP))
			continue;
		assert_int_equal(p.off, edge ? edge : off + STEP); /* nothing twice, no gap */
		edge = p.off + p.len;
		assert_true(edge <= off + STEP + LIMIT);
		largest = max_u64(largest, p.len);
		n++;
	}
	assert_true(n < 50);
	assert_true(largest >= LIMIT / 2);
	assert_int_equal(edge % AHEAD_ALIGN, 0);
}

static void backward_reading_goes_down_to_the_start(void **state)
{
	uint64_t off = 64ULL * MIB, edge = UINT64_MAX, n = 0;

	(void)state;
	while (off) {
		off -= STEP;
		if (!got(off, STEP))
			continue;
		assert_int_equal(p.off + p.len, edge == UINT64_MAX ? off : edge);
		edge = p.off;
		n++;
	}
	assert_int_equal(edge, 0);
	assert_true(n < 25);
	assert_int_equal(a.kind, AHEAD_BACKWARD);
}

static void small_gaps_are_read_over(void **state)
{
	uint64_t off, n = 0;

	(void)state;
	for (off = 0; off < 64ULL * MIB; off += 4 * STEP)
		n += got(off, STEP);
	assert_int_equal(a.kind, AHEAD_FORWARD);
	assert_true(a.gaps);
	assert_true(n < 25);
	for (off = 1ULL << 40; off > 1ULL << 39 && n < 100; off -= 4 * STEP, n++)
		got(off, STEP);
	assert_int_equal(a.kind, AHEAD_BACKWARD);
}

static void strides(int64_t step, uint64_t from)
{
	uint64_t off = from, next = 0, i;

	for (i = 0; i < 200; i++, off += (uint64_t)step) {
		if (i > 3) /* it was fetched before */
			assert_true(step > 0 ? next > off : next < off);
		if (!got(off, STEP))
			continue;
		assert_int_equal(p.step, step);
		assert_int_equal(p.len, STEP);
		assert_true(p.n <= AHEAD_STRIDES);
		assert_int_equal(p.off, next ? next : off + (uint64_t)step);
		next = p.off + (uint64_t)step * p.n;
	}
	assert_int_equal(a.kind, AHEAD_STRIDE);
}

static void strides_are_fetched_one_by_one(void **state)
{
	(void)state;
	strides(MIB, 12345);
	a = (struct ahead){0};
	strides(-MIB, 1ULL << 40);
}

static void strides_end_at_the_ends_of_files(void **state)
{
	uint64_t off;

	(void)state;
	for (off = 10ULL * MIB; off; off -= MIB)
		if (got(off, STEP))
			assert_true((p.n - 1) * (uint64_t)MIB <= p.off);
	setup(NULL);
	for (off = INT64_MAX - 10ULL * MIB; off < (uint64_t)INT64_MAX - MIB; off += MIB)
		if (got(off, STEP))
			assert_true(p.off + (p.n - 1) * (uint64_t)MIB <= INT64_MAX);
}

static void random_reads_fetch_nothing(void **state)
{
	uint64_t seed = 3, n = 0;
	uint32_t r, i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		rnd_fill(&seed, &r, sizeof(r));
		n += got(r % 4096 * (uint64_t)STEP, STEP);
	}
	assert_int_equal(n, 0);
}

static void a_look_aside_does_not_end_it_and_two_do(void **state)
{
	uint64_t off;

	(void)state;
	for (off = 0; off < MIB; off += STEP) {
		got(off, STEP);
		if (off % (64 * STEP) == 60 * STEP)
			assert_false(got(1ULL << 40, STEP));
	}
	assert_int_equal(a.kind, AHEAD_FORWARD);
	assert_int_equal(a.pos, MIB);
	assert_false(got(1ULL << 40, STEP));
	assert_false(got(1ULL << 41, STEP));
	assert_int_equal(a.kind, AHEAD_NONE);
	assert_false(got(MIB, STEP));
	assert_false(got(MIB + STEP, STEP));
	assert_true(got(MIB + 2 * STEP, STEP)); /* found anew */
	assert_int_equal(p.len, AHEAD_FIRST);
}

static void what_was_not_fetched_is_asked_for_again(void **state)
{
	uint64_t off;

	(void)state;
	for (off = 0; off < 3 * STEP; off += STEP)
		(void)ahead_read(&a, off, STEP, true, LIMIT, &p);
	assert_true(ahead_read(&a, off, STEP, false, LIMIT, &p)); /* nobody fetched it */
	assert_int_equal(p.off, off + STEP);
	ahead_fetched(&a, &p);
	for (off += STEP; off < MIB; off += STEP)
		got(off, STEP);
	assert_true(a.window >= 2 * AHEAD_FIRST);
	assert_true(a.edge > off + STEP);
	assert_true(ahead_read(&a, off, STEP, false, LIMIT, &p)); /* it went since */
	assert_int_equal(p.off, off + STEP);
	assert_true(a.window >= AHEAD_FIRST);
}

static void a_limit_of_zero_switches_it_off(void **state)
{
	uint64_t off;

	(void)state;
	for (off = 0; off < MIB; off += STEP)
		assert_false(ahead_read(&a, off, STEP, true, 0, &p));
	for (; off < 4 * MIB; off += STEP)
		if (ahead_read(&a, off, STEP, true, 64 << 10, &p)) {
			ahead_fetched(&a, &p);
			assert_true(a.edge - a.pos <= 64 << 10);
		}
	assert_int_equal(a.kind, AHEAD_FORWARD);
	assert_false(ahead_read(&a, off, STEP, true, 0, &p));
	assert_int_equal(a.kind, AHEAD_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_is_guessed_from_two_reads, setup),
		cmocka_unit_test_setup(forward_reading_never_catches_up_and_needs_few_requests,
				       setup),
		cmocka_unit_test_setup(backward_reading_goes_down_to_the_start, setup),
		cmocka_unit_test_setup(small_gaps_are_read_over, setup),
		cmocka_unit_test_setup(strides_are_fetched_one_by_one, setup),
		cmocka_unit_test_setup(strides_end_at_the_ends_of_files, setup),
		cmocka_unit_test_setup(random_reads_fetch_nothing, setup),
		cmocka_unit_test_setup(a_look_aside_does_not_end_it_and_two_do, setup),
		cmocka_unit_test_setup(what_was_not_fetched_is_asked_for_again, setup),
		cmocka_unit_test_setup(a_limit_of_zero_switches_it_off, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
