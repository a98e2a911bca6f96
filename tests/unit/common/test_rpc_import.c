/* SPDX-License-Identifier: Apache-2.0 */
/* test_rpc_import.c - an import whose server has several addresses: two services, of which one or
 * both serve the target that is looked for. */
#include "common/log.h"
#include "common/rpc_client.h"
#include "common/rpc_msg.h"
#include "tests/unit/unit.h"

#define TARGET "t-OST0000"

static struct loop *l;
static struct rpc_service *svc[2];
static struct nid at[2];
static struct rpc_client_cfg client;
static struct rpc_import *imp;

static const struct rpc_service_ops no_ops;
static const struct rpc_handler no_handlers[1];

static void serve(int i, const char *target, uint64_t boot)
{
	struct rpc_service_cfg cfg = {.loop = l,
				      .name = target,
				      .handlers = no_handlers,
				      .ops = &no_ops,
				      .boot_id = boot,
				      .session_timeout_ms = 5000};
	char why[64];

	assert_int_equal(rpc_service_create(&cfg, &svc[i]), 0);
	if (!at[i].addr_len) {
		assert_int_equal(nid_parse("127.0.0.1@tcp", 1, &at[i], why, sizeof(why)), 0);
		nid_set_port(&at[i], 0);
	}
	assert_int_equal(rpc_service_listen(svc[i], &at[i]), 0);
	rpc_service_local(svc[i], &at[i]);
}

static void stop(int i)
{
	if (!svc[i])
		return;
	rpc_service_co_stop(svc[i], 50);
	rpc_service_destroy(svc[i]);
	svc[i] = NULL;
}

/* first, second: numbers of services; a negative one is left out. */
static struct nid_list nids(int first, int second)
{
	struct nid_list n = {0};

	if (first >= 0)
		n.nid[n.n++] = at[first];
	if (second >= 0)
		n.nid[n.n++] = at[second];
	return n;
}

static void join(struct nid_list n)
{
	struct rpc_import_cfg cfg = {.client = &client, .target = TARGET, .nids = n};

	assert_int_equal(rpc_import_create(&cfg, &imp), 0);
}

static void assert_at(int i)
{
	char text[NID_STRLEN];

	assert_int_equal(rpc_import_co_wait(imp, 20000), 0);
	assert_string_equal(rpc_import_peer(imp), nid_str(&at[i], 0, text));
}

/* It may be there before we look. */
static void until_at(int i)
{
	uint64_t end = loop_now(l) + 20 * NSEC_PER_SEC;
	char text[NID_STRLEN];

	nid_str(&at[i], 0, text);
	while (strcmp(rpc_import_peer(imp), text) && loop_now(l) < end)
		co_sleep(NSEC_PER_MSEC);
	assert_at(i);
}

/* The other one is where it was served before, or nobody at all. */
static void t_turn(void)
{
	serve(0, "t-OST0007", 1);
	serve(1, TARGET, 2);
	join(nids(0, 1));
	assert_at(1);
	stop(0); /* refused by the machine now */
	rpc_import_co_destroy(imp, 0);
	join(nids(0, 1));
	assert_at(1);
}

/* It is found again where it was, though the first address would answer, too. */
static void t_kept(void)
{
	serve(0, TARGET, 1);
	serve(1, TARGET, 2);
	stop(0);
	join(nids(0, 1));
	assert_at(1);
	serve(0, TARGET, 3);
	net_close(imp->conn, -ECONNRESET); /* as a network would */
	while (rpc_import_state(imp) == IMP_FULL)
		co_yield();
	assert_at(1);
	/* And elsewhere when it is not there any more. */
	stop(1);
	until_at(0);
}

/* What served before may hang, and its connection may look well. */
static void t_told(void)
{
	struct nid_list n;

	serve(0, TARGET, 1);
	serve(1, TARGET, 2);
	join(nids(0, 1));
	assert_at(0);
	n = nids(0, 1);
	rpc_import_set_nids(imp, &n, 1); /* no news */
	assert_int_equal(rpc_import_state(imp), IMP_FULL);
	n = nids(1, 0);
	rpc_import_set_nids(imp, &n, 2);
	until_at(1);
	rpc_import_set_nids(imp, &n, 2);
	co_sleep(5 * NSEC_PER_MSEC);
	assert_int_equal(rpc_import_state(imp), IMP_FULL);
	/* The list turned round, of the same life: nothing to do. */
	n = nids(0, 1);
	rpc_import_set_nids(imp, &n, 2);
	co_sleep(5 * NSEC_PER_MSEC);
	assert_int_equal(rpc_import_state(imp), IMP_FULL);
}

/* News of where it serves now end a pause between attempts. */
static void t_at_once(void)
{
	struct nid_list n;
	uint64_t begin;

	serve(0, TARGET, 1);
	stop(0);
	join(nids(0, -1));
	co_sleep(200 * NSEC_PER_MSEC); /* pauses have become longer */
	serve(1, TARGET, 2);
	begin = loop_now(l);
	n = nids(1, 0);
	rpc_import_set_nids(imp, &n, 2);
	assert_at(1);
	assert_true(loop_now(l) - begin < 100 * NSEC_PER_MSEC);
}

static void t_refused(void)
{
	serve(0, "t-OST0007", 1);
	serve(1, "t-OST0008", 2);
	join(nids(0, 1));
	assert_int_equal(rpc_import_co_wait(imp, 20000), -ENODEV);
	assert_true(rpc_import_refused(imp));
	rpc_import_co_destroy(imp, 0);
	stop(1); /* there it may come to be */
	join(nids(0, 1));
	assert_int_equal(rpc_import_co_wait(imp, 300), -ETIMEDOUT);
	serve(1, TARGET, 3);
	assert_at(1);
}

typedef void test_fn(void);

static void run_fiber(void *arg)
{
	test_fn *fn = *(test_fn **)arg;

	fn();
	rpc_import_co_destroy(imp, 100);
	stop(0);
	stop(1);
	loop_stop(l);
}

static void run(test_fn *fn)
{
	memset(at, 0, sizeof(at));
	assert_int_equal(loop_create(&l), 0);
	client = (struct rpc_client_cfg){.loop = l, .kind = PEER_CLIENT, .name = "test"};
	memset(client.uuid, 7, UUID_LEN);
	assert_int_equal(fiber_spawn(l, run_fiber, &fn), 0);
	loop_run(l);
	loop_destroy(l);
	fiber_pool_drain();
	rpc_frame_drain();
}

static void addresses_are_tried_in_turn(void **state)
{
	(void)state;
	run(t_turn);
}

static void the_address_that_worked_is_tried_first(void **state)
{
	(void)state;
	run(t_kept);
}

static void news_of_another_life_end_a_connection(void **state)
{
	(void)state;
	run(t_told);
}

static void news_end_a_pause(void **state)
{
	(void)state;
	run(t_at_once);
}

static void only_when_all_refuse_it_is_refused(void **state)
{
	(void)state;
	run(t_refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_tried_in_turn),
		cmocka_unit_test(the_address_that_worked_is_tried_first),
		cmocka_unit_test(news_of_another_life_end_a_connection),
		cmocka_unit_test(news_end_a_pause),
		cmocka_unit_test(only_when_all_refuse_it_is_refused),
	};

	log_init("test", false);
	log_set_level(LOG_LVL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
