/* SPDX-License-Identifier: Apache-2.0 */
/* test_ost.c - a target's identity, its parameters, and the router in front of it. */
#include "tests/unit/oss/oss_test.h"

/* Starts a target on the test's directory and ends it. */
static int start_as(struct oss_test *t, const struct ost_cfg *cfg, char *why, size_t why_len)
{
	struct ost *ost;
	int rc;

	why[0] = 0;
	CHECK_RC(ost_create(cfg, &ost), 0);
	rc = ost_co_start(ost, why, why_len);
	ost_co_stop(ost, 100);
	ost_destroy(ost);
	(void)t;
	return rc;
}

static void t_identity(struct oss_test *t)
{
	struct ost_cfg cfg = t->cfg;
	char why[512];

	cfg.boot_id = 1;
	CHECK_RC(start_as(t, &cfg, why, sizeof(why)), 0);
	cfg.registered = true;
	CHECK_RC(start_as(t, &cfg, why, sizeof(why)), 0);
	cfg.index = 4;
	CHECK_RC(start_as(t, &cfg, why, sizeof(why)), -EUCLEAN);
	assert_non_null(strstr(why, "lustre-OST0003")); /* both values are named */
	assert_non_null(strstr(why, "lustre-OST0004"));
	cfg.index = 3;
	cfg.fsname = "other";
	CHECK_RC(start_as(t, &cfg, why, sizeof(why)), -EUCLEAN);
	cfg.fsname = "lustre";
	cfg.uuid[0] ^= 1; /* formatted again */
	CHECK_RC(start_as(t, &cfg, why, sizeof(why)), -EUCLEAN);
	cfg.uuid[0] ^= 1;
	CHECK_RC(start_as(t, &cfg, why, sizeof(why)), 0);
}

static void objects_of_another_target_are_refused(void **state)
{
	(void)state;
	oss_test_run_as(t_identity, true);
}

static void t_lost(struct oss_test *t)
{
	struct ost_cfg cfg = t->cfg;
	char why[512], command[128];

	cfg.boot_id = 1;
	CHECK_RC(start_as(t, &cfg, why, sizeof(why)), 0);
	cfg.registered = true;
	snprintf(command, sizeof(command), ": > %s/O/target", t->dir);
	CHECK_RC(system(command), 0);
	CHECK_RC(start_as(t, &cfg, why, sizeof(why)), 0); /* a first start that was cut off */
	snprintf(command, sizeof(command), "rm -r %s/O", t->dir);
	CHECK_RC(system(command), 0);
	CHECK_RC(start_as(t, &cfg, why, sizeof(why)), -EUCLEAN);
	assert_non_null(strstr(why, "objects are gone"));
}

static void a_target_that_has_served_does_not_start_without_its_objects(void **state)
{
	(void)state;
	oss_test_run_as(t_lost, true);
}

static void t_no_dir(struct oss_test *t)
{
	struct ost_cfg cfg = t->cfg;
	struct ost *ost;

	cfg.boot_id = 1;
	cfg.dir = "/nonexistent/ost";
	CHECK_RC(ost_create(&cfg, &ost), -ENOENT);
}

static void a_missing_directory_is_an_error(void **state)
{
	(void)state;
	oss_test_run_as(t_no_dir, true);
}

/* ---- parameters ---- */

static const char *get(struct oss_test *t, const char *pattern)
{
	static char text[8192];
	struct wbuf w;

	wbuf_init(&w, sizeof(text) - 1);
	CHECK_RC(params_get(t->params, pattern, &w), 0);
	memcpy(text, w.ptr, w.len);
	text[w.len] = 0;
	wbuf_fini(&w);
	return text;
}

static void t_params(struct oss_test *t)
{
	char data[4096] = "";
	struct wbuf w;
	const char *s;

	CHECK_RC(oss_test_write(t, NULL, 0, data, sizeof(data), 0), 0);
	CHECK_RC(oss_test_read(t, 0, data, sizeof(data)), sizeof(data));
	s = get(t, "obdfilter.lustre-OST0003.stats");
	assert_non_null(strstr(s, "snapshot_time"));
	assert_non_null(strstr(s, "read_bytes                1 samples [bytes] 4096 4096 4096"));
	assert_non_null(strstr(s, "write_bytes               1 samples [bytes] 4096 4096 4096"));
	assert_non_null(strstr(s, "write                     1 samples [usecs]"));
	assert_null(strstr(s, "destroy")); /* counted nothing yet */
	wbuf_init(&w, 8192);
	CHECK_RC(params_set(t->params, "obdfilter.*.stats", "clear", &w), 0);
	assert_null(strstr(get(t, "obdfilter.*.stats"), "read_bytes"));
	assert_string_equal(get(t, "obdfilter.*.num_exports"),
			    "obdfilter.lustre-OST0003.num_exports=1\n");
	CHECK_RC(params_set(t->params, "obdfilter.*.degraded", "2", &w), -ERANGE);
	CHECK_RC(params_set(t->params, "obdfilter.*.bulk_limit_mb", "1", &w), -ERANGE);
	CHECK_RC(params_set(t->params, "obdfilter.*.kbytesfree", "1", &w), -EACCES);
	wbuf_fini(&w);
	s = get(t, "obdfilter.*.*");
	assert_non_null(strstr(s, "kbytestotal="));
	assert_non_null(strstr(s, "recovery_status=status: INACTIVE"));
	assert_non_null(strstr(s, "max_open_objects=4096"));
}

static void parameters_show_and_set_what_the_target_does(void **state)
{
	(void)state;
	oss_test_run(t_params);
}

static void t_sync_journal(struct oss_test *t)
{
	struct wbuf w;

	wbuf_init(&w, 8192);
	CHECK_RC(params_set(t->params, "obdfilter.*.sync_journal", "1", &w), 0);
	CHECK_RC(oss_test_write(t, NULL, 0, "stable", 6, 0), 0);
	wbuf_fini(&w);
}

static void every_write_can_be_made_synchronous(void **state)
{
	(void)state;
	oss_test_run(t_sync_journal);
}

/* ---- router ---- */

static int connect_to(struct oss_test *t, const struct nid_list *nids, const char *target)
{
	struct rpc_import_cfg cfg = {.client = &t->client, .target = target, .nids = *nids};
	struct rpc_import *imp;
	struct oss_statfs_req q;
	struct oss_statfs_rep p;
	int rc;

	memset(&q, 0, sizeof(q));
	CHECK_RC(rpc_import_create(&cfg, &imp), 0);
	rc = rpc_import_co_wait(imp, 3000);
	if (rc == 0) {
		RPC_CALL(call);

		rc = oss_co_statfs(imp, &call, &q, &p);
	}
	rpc_import_co_destroy(imp, 1000);
	return rc;
}

static void t_router(struct oss_test *t)
{
	struct router_cfg cfg = {.loop = t->l, .params = t->params, .boot_id = 9};
	struct nid_list nids = {.n = 1};
	struct router *r;
	char why[128];

	CHECK_RC(router_create(&cfg, &r), 0);
	CHECK_RC(router_add(r, t->ost), 0);
	CHECK_RC(router_add(r, t->ost), -EEXIST);
	CHECK_RC(nid_parse("127.0.0.1@tcp", 1, &nids.nid[0], why, sizeof(why)), 0);
	nid_set_port(&nids.nid[0], 0);
	CHECK_RC(rpc_service_listen(router_service(r), &nids.nid[0]), 0);
	rpc_service_local(router_service(r), &nids.nid[0]);
	CHECK_RC(connect_to(t, &nids, "lustre-OST0003"), 0);
	CHECK_RC(connect_to(t, &nids, "lustre-OST0004"), -ENODEV);
	assert_non_null(strstr(get(t, "ost.OSS.ost_io.stats"), "ost_statfs"));
	router_co_stop(r, 1000);
	router_destroy(r);
}

static void one_address_leads_to_every_target_of_the_process(void **state)
{
	(void)state;
	oss_test_run(t_router);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_of_another_target_are_refused),
		cmocka_unit_test(a_target_that_has_served_does_not_start_without_its_objects),
		cmocka_unit_test(a_missing_directory_is_an_error),
		cmocka_unit_test(parameters_show_and_set_what_the_target_does),
		cmocka_unit_test(every_write_can_be_made_synchronous),
		cmocka_unit_test(one_address_leads_to_every_target_of_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
