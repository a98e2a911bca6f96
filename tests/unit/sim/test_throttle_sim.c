/* SPDX-License-Identifier: Apache-2.0 */
/* test_throttle_sim.c - requests of several clients wait for a limit, on virtual time: how much
 * they get, that the loop goes on, new limits, and the end. */
#include "common/param.h"
#include "common/proto/field.h"
#include "oss/throttle.h"
#include "tests/sim/sim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define SEC ((uint64_t)NSEC_PER_SEC)
enum { CLIENTS = 3, LANES = 4 };

static struct loop *l;
static struct params *ps;
static struct throttle *t;
static bool ends, stopped;
static uint32_t running, stale;

static struct client {
	struct rate_user u;
	uint32_t len;
	uint64_t served;
} c[CLIENTS];

static void asker(void *arg)
{
	struct client *me = arg;
	int rc = 0;

	while (rc == 0 && !ends) {
		rc = throttle_co_pass(t, &me->u, me->len);
		if (rc == 0)
			me->served += me->len;
	}
	stale += rc == -ESTALE;
	running--;
}

static int set(const char *pattern, const char *value)
{
	struct wbuf w;
	int rc;

	wbuf_init(&w, 4096);
	rc = params_set(ps, pattern, value, &w);
	wbuf_fini(&w);
	return rc;
}

static void shows(const char *pattern, const char *want)
{
	struct wbuf w;

	wbuf_init(&w, 4096);
	assert_int_equal(params_get(ps, pattern, &w), 0);
	assert_int_equal(w.len, strlen(want));
	assert_memory_equal(w.ptr, want, w.len);
	wbuf_fini(&w);
}

static int setup(void **state)
{
	(void)state;
	sim_begin(7);
	ends = stopped = false;
	running = stale = 0;
	assert_int_equal(loop_create(&l), 0);
	assert_int_equal(params_create(&ps), 0);
	assert_int_equal(throttle_create(l, ps, "t-OST0000", &t), 0);
	for (int i = 0; i < CLIENTS; i++) {
		c[i] = (struct client){.len = MIB};
		rate_user_init(&c[i].u);
	}
	return 0;
}

static void stop(void *arg)
{
	(void)arg;
	ends = true;
	throttle_co_stop(t);
	stopped = true;
}

static bool all_over(void *arg)
{
	(void)arg;
	return stopped && !running;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(fiber_spawn(l, stop, NULL), 0);
	assert_int_equal(sim_run_until(all_over, NULL, SEC), 0); /* however much waits */
	throttle_destroy(t);
	params_destroy(ps);
	fiber_pool_drain();
	loop_destroy(l);
	sim_end();
	return 0;
}

static void go(int n, int lanes)
{
	for (int i = 0; i < n * lanes; i++) {
		running++;
		assert_int_equal(fiber_spawn(l, asker, &c[i / lanes]), 0);
	}
}

static void limit(const char *mb)
{
	assert_int_equal(set("obdfilter.*.rate_limit_mb", mb), 0);
	sim_run_for(SEC / 1000);
}

static uint64_t total(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < CLIENTS; i++)
		sum += c[i].served;
	return sum;
}

static void clients_share_what_the_limit_lets_go(void **state)
{
	(void)state;
	c[1].len = 65536;
	c[2].len = 4 * MIB;
	limit("100");
	go(CLIENTS, LANES);
	sim_run_for(10 * SEC);
	assert_true(total() >= 1000000000 - 4 * MIB);
	assert_true(total() <= 1000000000 + 4 * MIB);
	for (int i = 0; i < CLIENTS; i++) {
		assert_true(c[i].served * CLIENTS > total() - 24 * MIB);
		assert_true(c[i].served * CLIENTS < total() + 24 * MIB);
	}
}

static void a_new_limit_is_taken_over_while_requests_wait(void **state)
{
	uint64_t had;

	(void)state;
	limit("10");
	go(1, LANES);
	sim_run_for(10 * SEC);
	had = total();
	assert_true(had > 98000000 && had < 103000000);
	limit("200");
	had = total();
	sim_run_for(SEC);
	assert_true(total() - had > 198000000 && total() - had < 203000000);
}

static void bad_values_are_refused(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(throttle_parse("none", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(throttle_parse("1714.285", &v), 0);
	assert_int_equal(v, 1714285000);
	assert_int_equal(throttle_parse("1000000", &v), 0);
	assert_int_equal(throttle_parse("1000000.001", &v), -ERANGE);
	assert_int_equal(throttle_parse("99999999999999999999999", &v), -ERANGE);
	assert_int_equal(throttle_parse("0.999", &v), -ERANGE);
	assert_int_equal(throttle_parse("0", &v), -ERANGE);
	assert_int_equal(throttle_parse("", &v), -EINVAL);
	assert_int_equal(throttle_parse("-5", &v), -EINVAL);
	assert_int_equal(throttle_parse("5.1234", &v), -EINVAL);
	assert_int_equal(throttle_parse("5M", &v), -EINVAL);
	shows("obdfilter.*.rate_limit_mb", "obdfilter.t-OST0000.rate_limit_mb=none\n");
	limit("12.50");
	shows("obdfilter.*.rate_limit_mb", "obdfilter.t-OST0000.rate_limit_mb=12.5\n");
	assert_int_equal(set("obdfilter.*.rate_limit_mb", "fast"), -EINVAL);
	shows("obdfilter.*.rate_limit_mb", "obdfilter.t-OST0000.rate_limit_mb=12.5\n");
	assert_int_equal(set("obdfilter.*.rate_limit_stats", "0"), -EACCES);
}

static void none_lets_everything_go_that_waits(void **state)
{
	(void)state;
	limit("1");
	c[0].len = 4 * MIB;
	go(1, LANES);
	sim_run_for(SEC);
	assert_int_equal(c[0].served, 4 * MIB);
	ends = true;
	limit("none");
	sim_run_for(SEC / 1000);
	assert_int_equal(running, 0);
	assert_int_equal(c[0].served, (LANES + 1) * 4 * MIB);
}

static void who_leaves_waits_for_nothing(void **state)
{
	(void)state;
	limit("1");
	go(2, LANES);
	sim_run_for(SEC / 2);
	throttle_leave(t, &c[0].u);
	sim_run_for(SEC / 1000);
	assert_int_equal(stale, LANES);
	assert_int_equal(running, LANES);
	sim_run_for(10 * SEC); /* the other goes on */
	assert_true(c[1].served > 9 * MIB);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(clients_share_what_the_limit_lets_go),
		T(a_new_limit_is_taken_over_while_requests_wait),
		T(bad_values_are_refused),
		T(none_lets_everything_go_that_waits),
		T(who_leaves_waits_for_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
