/* SPDX-License-Identifier: Apache-2.0 */
#include "common/guard_file.h"
#include "common/log.h"
#include "common/rpc_msg.h"
#include "common/server.h"
#include "tests/unit/unit.h"
#include <netinet/in.h>
#include <sys/socket.h>

static char dir[64], why[SERVER_WHY];
static struct server_dir sd, sd2;
static struct loop *l;
static struct rpc_service *svc;
static struct params *ps;
static struct rpc_service_cfg cfg = {.name = "MGS", .boot_id = 1};

static int setup(void **state)
{
	(void)state;
	log_set_level(LOG_LVL_ERROR);
	tmp_make(dir);
	if (loop_create(&l) || params_create(&ps))
		return -1;
	cfg.loop = l;
	sd.lock_fd = sd2.lock_fd = -1;
	return rpc_service_create(&cfg, &svc);
}

static void stop(void *arg)
{
	(void)arg;
	rpc_service_co_stop(svc, 10);
	loop_stop(l);
}

static int teardown(void **state)
{
	(void)state;
	if (fiber_spawn(l, stop, NULL))
		return -1;
	loop_run(l);
	rpc_service_destroy(svc);
	params_destroy(ps);
	server_dir_close(&sd);
	server_dir_close(&sd2);
	loop_destroy(l);
	fiber_pool_drain();
	rpc_frame_drain();
	tmp_remove(dir);
	return 0;
}

static void format(enum target_type type, const char *params)
{
	struct target_label lab = {.version = TARGET_VERSION, .type = (uint8_t)type, .index = 3,
				   .mgsnode = "127.0.0.1@tcp:5,127.0.0.2@tcp"};

	snprintf(lab.fsname, sizeof(lab.fsname), type == TARGET_MGS ? "" : "fs");
	snprintf(lab.params, sizeof(lab.params), "%s", params);
	assert_int_equal(target_label_write(dir, &lab, why, sizeof(why)), 0);
}

static void a_directory_is_opened_once_and_as_what_it_is(void **state)
{
	(void)state;
	assert_int_equal(server_dir_open(dir, TARGET_OST, &sd, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "mkfs.sheen"));
	format(TARGET_OST, "");
	assert_int_equal(server_dir_open(dir, TARGET_MGS, &sd, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "is an OST (fs-OST0003), not an MGS"));
	assert_int_equal(server_dir_open(dir, TARGET_OST, &sd, why, sizeof(why)), 0);
	assert_string_equal(sd.name, "fs-OST0003");
	assert_int_equal(server_dir_open(dir, TARGET_OST, &sd2, why, sizeof(why)), -EBUSY);
	assert_int_equal(server_dir_open("/no/such/dir", TARGET_OST, &sd2, why, sizeof(why)),
			 -ENOENT);
}

static void addresses_of_the_mgs_come_from_the_label(void **state)
{
	struct nid_list n;

	(void)state;
	format(TARGET_OST, "");
	assert_int_equal(server_dir_open(dir, TARGET_OST, &sd, why, sizeof(why)), 0);
	assert_int_equal(server_mgs_nids(&sd, &n, why, sizeof(why)), 0);
	assert_int_equal(n.n, 2);
	assert_int_equal(nid_port(&n.nid[0]), 5);
	assert_int_equal(nid_port(&n.nid[1]), PORT_MGS);
	sd.label.mgsnode[0] = 0;
	assert_int_equal(server_mgs_nids(&sd, &n, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "no mgsnode"));
}

/* A port of this machine that is taken, by us. */
static int take_port(uint16_t *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void the_first_start_takes_a_free_port_and_remembers_it(void **state)
{
	struct target_label lab;
	struct nid at;
	uint16_t busy;
	int fd = take_port(&busy);

	(void)state;
	format(TARGET_OST, "");
	assert_int_equal(server_dir_open(dir, TARGET_OST, &sd, why, sizeof(why)), 0);
	assert_int_equal(server_listen(svc, NULL, busy, &sd, 1, &at, why, sizeof(why)), 0);
	assert_true(nid_port(&at) > busy);
	assert_true(nid_is_wildcard(&at));
	assert_int_equal(target_label_read(dir, &lab, why, sizeof(why)), 0);
	assert_int_equal(lab.port, nid_port(&at));
	close(fd);
}

static void a_remembered_port_that_is_busy_is_an_error(void **state)
{
	struct nid at;
	uint16_t busy;
	int fd = take_port(&busy);

	(void)state;
	format(TARGET_OST, "");
	assert_int_equal(server_dir_open(dir, TARGET_OST, &sd, why, sizeof(why)), 0);
	sd.label.port = busy;
	assert_int_equal(server_listen(svc, NULL, 1, &sd, 1, &at, why, sizeof(why)), -EADDRINUSE);
	assert_non_null(strstr(why, "cannot listen on 0.0.0.0@tcp:"));
	/* Clients were told these addresses with this port. */
	snprintf(sd.label.servicenode, sizeof(sd.label.servicenode), "10.0.0.1@tcp:%u", busy);
	assert_int_equal(server_listen(svc, NULL, 1, &sd, 1, &at, why, sizeof(why)), -EADDRINUSE);
	/* These they are told with the port of each start. */
	snprintf(sd.label.servicenode, sizeof(sd.label.servicenode), "10.0.0.1@tcp:10.0.0.2@tcp");
	assert_int_equal(server_listen(svc, NULL, busy, &sd, 1, &at, why, sizeof(why)), 0);
	assert_int_not_equal(nid_port(&at), busy);
	assert_int_equal(sd.label.port, busy);
	close(fd);
}

static void a_target_with_a_failover_node_takes_another_port(void **state)
{
	struct nid at;
	uint16_t busy;
	int fd = take_port(&busy);

	(void)state;
	format(TARGET_OST, "");
	assert_int_equal(server_dir_open(dir, TARGET_OST, &sd, why, sizeof(why)), 0);
	snprintf(sd.label.failnode, sizeof(sd.label.failnode), "127.0.0.3@tcp");
	sd.label.port = busy;
	server_dir_joined(&sd, "127.0.0.2@tcp:990,127.0.0.3@tcp:990");
	assert_string_equal(sd.label.servicenode, "127.0.0.2@tcp,127.0.0.3@tcp");
	assert_string_equal(sd.label.failnode, "");
	/* Where it was told to serve it may meet another target with its port. */
	assert_int_equal(server_listen(svc, NULL, busy, &sd, 1, &at, why, sizeof(why)), 0);
	assert_int_not_equal(nid_port(&at), busy);
	close(fd);
}

static void the_command_line_decides_and_is_not_remembered(void **state)
{
	struct target_label lab;
	struct nid at;

	(void)state;
	format(TARGET_OST, "");
	assert_int_equal(server_dir_open(dir, TARGET_OST, &sd, why, sizeof(why)), 0);
	assert_int_equal(server_listen(svc, "nonsense", 1, &sd, 1, &at, why, sizeof(why)), -EINVAL);
	assert_int_equal(server_listen(svc, "127.0.0.1@tcp", 45321, &sd, 1, &at, why, sizeof(why)),
			 0);
	assert_false(nid_is_wildcard(&at));
	assert_int_equal(nid_port(&at), 45321);
	assert_int_equal(target_label_read(dir, &lab, why, sizeof(why)), 0);
	assert_int_equal(lab.port, 0);
}

static const char *get(const char *pattern)
{
	static char text[8192];
	struct wbuf w;

	wbuf_init(&w, sizeof(text) - 1);
	assert_int_equal(params_get(ps, pattern, &w), 0);
	memcpy(text, w.ptr, w.len);
	text[w.len] = 0;
	wbuf_fini(&w);
	return text;
}

static void parameters_come_from_label_and_command_line(void **state)
{
	struct daemon_opts o = {.set = {"debug=warn", "ost.later=7"}, .nset = 2};
	uint32_t later = 1, early = 1;

	(void)state;
	assert_int_equal(param_add_u32(ps, "ost.early", &early, 0, 9), 0);
	format(TARGET_OST, "debug=debug\nost.early=5\nost.later=6");
	assert_int_equal(server_dir_open(dir, TARGET_OST, &sd, why, sizeof(why)), 0);
	assert_int_equal(server_params_init(ps, &o, &sd, 1, why, sizeof(why)), 0);
	assert_int_equal(early, 5);
	assert_int_equal(param_add_u32(ps, "ost.later", &later, 0, 9), 0);
	assert_int_equal(later, 7);
	assert_string_equal(get("{debug,health_check,version}"),
			    "debug=warn\nhealth_check=healthy\nversion=" SHEEN_VERSION "\n");
	format(TARGET_OST, "ost.early=8");
	server_reload(ps, &sd, 1);
	assert_int_equal(early, 8);
	log_set_level(LOG_LVL_ERROR);
}

static void a_guard_is_taken_and_given_back(void **state)
{
	struct daemon_opts o = {.set = {"guard_term=17"}, .nset = 1};
	struct guard_block b;

	(void)state;
	format(TARGET_OST, "");
	assert_int_equal(guard_file_make(dir), 0);
	assert_int_equal(server_dir_open(dir, TARGET_OST, &sd, why, sizeof(why)), 0);
	assert_int_equal(server_guard(&sd, 1, why, sizeof(why)), 0);
	assert_int_equal(server_params_init(ps, &o, &sd, 1, why, sizeof(why)), 0);
	assert_string_equal(get("guard_term"), "guard_term=17\n");
	assert_int_equal(params_set_sticky(ps, "guard_term", "1"), -EINVAL);
	assert_int_equal(params_set_sticky(ps, "guard_term", "121"), -EINVAL);
	assert_int_equal(params_set_sticky(ps, "guard_term", "9s"), -EINVAL);
	assert_int_equal(guard_file_read(dir, &b), 0);
	assert_int_equal(b.state, GUARD_HELD);
	server_dir_close(&sd);
	assert_int_equal(guard_file_read(dir, &b), 0);
	assert_int_equal(b.state, GUARD_CLEAN);
}

static void a_parameter_that_cannot_be_set_is_an_error_at_start(void **state)
{
	struct daemon_opts o = {.set = {"debug=loud"}, .nset = 1};

	(void)state;
	format(TARGET_OST, "");
	assert_int_equal(server_dir_open(dir, TARGET_OST, &sd, why, sizeof(why)), 0);
	assert_int_equal(server_params_init(ps, &o, &sd, 1, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "debug=loud"));
}

static void counters_print_and_clear(void **state)
{
	struct wbuf w;

	(void)state;
	assert_int_equal(server_param_stats(ps, "mgs.MGS.stats", l, svc), 0);
	assert_non_null(strstr(get("mgs.MGS.stats"), "elapsed_time"));
	wbuf_init(&w, 1000);
	assert_int_equal(params_set(ps, "mgs.MGS.stats", "clear", &w), 0);
	wbuf_fini(&w);
	assert_int_not_equal(server_boot_id(l), 0);
	assert_int_not_equal(server_boot_id(l), server_boot_id(l));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_directory_is_opened_once_and_as_what_it_is),
		T(addresses_of_the_mgs_come_from_the_label),
		T(the_first_start_takes_a_free_port_and_remembers_it),
		T(a_remembered_port_that_is_busy_is_an_error),
		T(a_target_with_a_failover_node_takes_another_port),
		T(the_command_line_decides_and_is_not_remembered),
		T(parameters_come_from_label_and_command_line),
		T(a_guard_is_taken_and_given_back),
		T(a_parameter_that_cannot_be_set_is_an_error_at_start),
		T(counters_print_and_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
