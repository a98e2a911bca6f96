/* SPDX-License-Identifier: Apache-2.0 */
/* micro_fiber.c - what a fiber for each request costs against plain callbacks.
 *
 * The path: 4 KiB come in (a copy), a handler looks at them and makes 4 KiB of answer (a copy). In
 * "straight" the handler never waits; in "waits once" it waits for something that another work of
 * the loop completes, as a disk read does. Everything is in memory and on one loop, so the
 * difference between two lines is the mechanism itself. Five interleaved rounds, median[min..max]
 * in ns per request. Usage: micro_fiber [requests per round] */
#include "common/co.h"
#include <stdio.h>
#include <stdlib.h>

enum { LEN = 4096, ROUNDS = 5, BATCH = 16 };

static struct loop *l;
static uint8_t wire_in[LEN], wire_out[LEN], body[BATCH][LEN], data[LEN];
static uint64_t left, batch_left;
static struct loop_work feed_work;

struct request {
	uint8_t *body;
	struct loop_work step;
	struct fiber *waiting;
};

static struct request req[BATCH];

static void request_end(struct request *r)
{
	memcpy(wire_out, data, LEN);
	wire_out[0] ^= r->body[7];
	if (--batch_left)
		return;
	if (left)
		loop_before_wait(l, &feed_work);
	else
		loop_stop(l);
}

static uint64_t look(struct request *r)
{
	data[r->body[1]]++;
	return r->body[5];
}

/* ---- the four handlers ---- */

static void straight_callback(void *arg)
{
	look(arg);
	request_end(arg);
}

static void straight_fiber(void *arg)
{
	look(arg);
	request_end(arg);
}

static void second_half(void *arg)
{
	request_end(arg);
}

static void waits_callback(void *arg)
{
	struct request *r = arg;

	look(r);
	r->step.fn = second_half;
	loop_defer(l, &r->step);
}

static void wake(void *arg)
{
	struct request *r = arg;

	fiber_wake(r->waiting);
}

static void waits_fiber(void *arg)
{
	struct request *r = arg;

	look(r);
	r->waiting = fiber_self();
	r->step.fn = wake;
	loop_defer(l, &r->step);
	fiber_co_suspend();
	request_end(r);
}

static const struct {
	const char *name;
	fiber_fn *fn;
	bool fiber;
} kinds[] = {
	{"straight, callback", straight_callback, false},
	{"straight, fiber", straight_fiber, true},
	{"waits once, callback", waits_callback, false},
	{"waits once, fiber", waits_fiber, true},
};

static unsigned kind;

static void feed(void *arg)
{
	uint32_t i, n = (uint32_t)min_u64(left, BATCH);

	(void)arg;
	left -= n;
	batch_left = n;
	for (i = 0; i < n; i++) {
		struct request *r = &req[i];

		wire_in[0] = (uint8_t)i;
		memcpy(r->body, wire_in, LEN);
		if (!kinds[kind].fiber)
			kinds[kind].fn(r);
		else if (fiber_spawn(l, kinds[kind].fn, r))
			abort();
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static double ns[ARRAY_SIZE(kinds)][ROUNDS];
	uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000000, t0;
	unsigned i, round;

	if (!n || loop_create(&l))
		return 1;
	feed_work = (struct loop_work){.fn = feed};
	for (i = 0; i < BATCH; i++)
		req[i] = (struct request){.body = body[i], .step = {.arg = &req[i]}};
	for (round = 0; round < ROUNDS; round++)
		for (kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
			left = n;
			t0 = loop_clock(l);
			loop_before_wait(l, &feed_work);
			loop_run(l);
			ns[kind][round] = (double)(loop_clock(l) - t0) / (double)n;
		}
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		qsort(ns[i], ROUNDS, sizeof(double), by_value);
		printf("fiber 4KiB %-22s %6.0f [%.0f..%.0f] ns/request\n", kinds[i].name,
		       ns[i][ROUNDS / 2], ns[i][0], ns[i][ROUNDS - 1]);
	}
	fiber_pool_drain();
	loop_destroy(l);
	return 0;
}
