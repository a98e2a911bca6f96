/* SPDX-License-Identifier: Apache-2.0 */
/* test_tool_rpc.c - whole calls of tools against a server on a thread of its own, over loopback. */
#include "client/tools/tool_rpc.h"
#include "common/log.h"
#include "common/param.h"
#include "common/rpc_msg.h"
#include "tests/unit/unit.h"
#include <pthread.h>
#include <semaphore.h>

static struct {
	pthread_t thread;
	sem_t up;
	struct loop *loop;
	struct rpc_service *svc;
	struct params *params;
	struct nid_list at;
	uint32_t knob;
	struct loop_work stop;
} server;

static int long_get(void *arg, struct wbuf *w)
{
	int i;

	(void)arg;
	for (i = 0; i < 15000; i++)
		wbuf_put(w, "0123456789", 10);
	return w->rc;
}

static void stop_fiber(void *arg)
{
	(void)arg;
	rpc_service_co_stop(server.svc, 1000);
	loop_stop(server.loop);
}

static void stop(void *arg)
{
	(void)arg;
	if (fiber_spawn(server.loop, stop_fiber, NULL))
		loop_stop(server.loop);
}

static void *serve(void *arg)
{
	struct rpc_service_cfg cfg = {.name = "MGS", .boot_id = 7};
	char why[128];
	struct nid n;

	(void)arg;
	assert(loop_create(&server.loop) == 0);
	cfg.loop = server.loop;
	cfg.params = server.params;
	assert(rpc_service_create(&cfg, &server.svc) == 0);
	assert(nid_parse("127.0.0.1@tcp", 1, &n, why, sizeof(why)) == 0);
	nid_set_port(&n, 0); /* any */
	assert(rpc_service_listen(server.svc, &n) == 0);
	rpc_service_local(server.svc, &server.at.nid[0]);
	server.at.n = 1;
	sem_post(&server.up);
	loop_run(server.loop);
	rpc_service_destroy(server.svc);
	loop_destroy(server.loop);
	fiber_pool_drain();
	rpc_frame_drain();
	return NULL;
}

static int start_server(void **state)
{
	(void)state;
	log_set_level(LOG_LVL_ERROR);
	server.knob = 8;
	server.stop.fn = stop;
	if (params_create(&server.params) ||
	    param_add_u32(server.params, "a.b.knob", &server.knob, 1, 100) ||
	    param_add(server.params, "a.b.long", long_get, NULL, NULL) ||
	    param_add(server.params, "a.c.long", long_get, NULL, NULL))
		return -1;
	sem_init(&server.up, 0, 0);
	if (pthread_create(&server.thread, NULL, serve, NULL))
		return -1;
	sem_wait(&server.up);
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	loop_post(server.loop, &server.stop);
	pthread_join(server.thread, NULL);
	params_destroy(server.params);
	fiber_pool_drain();
	rpc_frame_drain();
	return 0;
}

/* An address where nobody listens. */
static struct nid_list nobody(void)
{
	struct nid_list l = server.at;

	nid_set_port(&l.nid[0], 1);
	return l;
}

static void a_server_answers_a_ping(void **state)
{
	(void)state;
	assert_int_equal(tool_ping(&server.at, 5000), 0);
	assert_false(tool_refused(&server.at, 1000));
}

static void nobody_is_told_from_somebody(void **state)
{
	struct nid_list none = nobody();

	(void)state;
	assert_true(tool_refused(&none, 1000));
	assert_true(tool_ping(&none, 200) < 0);
}

static void parameters_are_read_set_and_listed(void **state)
{
	struct wbuf w;

	(void)state;
	wbuf_init(&w, 1 << 20);
	assert_int_equal(tool_get_param(&server.at, "a.*.knob", false, &w, 5000), 0);
	assert_true(span_eq(wbuf_span(&w), SPAN_STR("a.b.knob=8\n")));
	wbuf_fini(&w);
	wbuf_init(&w, 1 << 20);
	assert_int_equal(tool_set_param(&server.at, "a.*.knob", "9", &w, 5000), 0);
	assert_true(span_eq(wbuf_span(&w), SPAN_STR("a.b.knob=9\n")));
	assert_int_equal(server.knob, 9);
	wbuf_fini(&w);
	wbuf_init(&w, 1 << 20);
	assert_int_equal(tool_get_param(&server.at, "a.b.*", true, &w, 5000), 0);
	assert_true(span_eq(wbuf_span(&w), SPAN_STR("a.b.knob=\na.b.long\n")));
	wbuf_fini(&w);
}

static void errors_of_the_server_come_back(void **state)
{
	struct wbuf w;

	(void)state;
	wbuf_init(&w, 1 << 20);
	assert_int_equal(tool_get_param(&server.at, "no.such", false, &w, 5000), -ENOENT);
	assert_int_equal(tool_set_param(&server.at, "a.b.knob", "1000", &w, 5000), -ERANGE);
	assert_int_equal(tool_set_param(&server.at, "a.b.long", "1", &w, 5000), -EACCES);
	wbuf_fini(&w);
}

static void a_long_text_comes_in_pieces(void **state)
{
	struct wbuf w;

	(void)state;
	wbuf_init(&w, 1 << 20);
	assert_int_equal(tool_get_param(&server.at, "a.*.long", false, &w, 5000), 0);
	assert_int_equal(w.len, 2 * (150000 + strlen("a.b.long=\n")));
	wbuf_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_answers_a_ping),
		cmocka_unit_test(nobody_is_told_from_somebody),
		cmocka_unit_test(parameters_are_read_set_and_listed),
		cmocka_unit_test(errors_of_the_server_come_back),
		cmocka_unit_test(a_long_text_comes_in_pieces),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
