/* SPDX-License-Identifier: Apache-2.0 */
/* test_mgs.c - the requests of a real MGS, asked over loopback. */
#include "tests/unit/mgs/mgs_fixture.h"
#include "mgs/schema.h"

static int config(struct fixture *f, const char *fs, uint64_t have, uint32_t wait_ms,
		  struct mgs_config **out)
{
	struct mgs_config_req q = {.fsname = SPAN_STR(fs), .have = have, .wait_ms = wait_ms};
	struct mgs_config_rep p;
	RPC_CALL(call);
	int rc;

	call.deadline_ms = 10000;
	rc = mgs_co_config(f->imp, &call, &q, &p);
	return rc ? rc : mgs_config_decode(&p, out);
}

static void t_join(struct fixture *f)
{
	struct mgs_config *c;
	uint64_t v1, v2;

	assert_int_equal(config(f, "fs", 0, 0, &c), -ENOENT);
	assert_int_equal(fx_register(f, "fs", TARGET_OST, 1, 5, "127.0.0.1@tcp:990", &v1), 0);
	assert_int_equal(fx_register(f, "fs", TARGET_MDT, 0, 6, "127.0.0.1@tcp:989", &v2), 0);
	assert_true(v2 > v1);
	assert_int_equal(config(f, "fs", 0, 0, &c), 0);
	assert_int_equal(c->version, v2);
	assert_int_equal(c->nnodes, 2);
	assert_string_equal(c->nodes[0].name, "fs-MDT0000");
	assert_string_equal(c->nodes[1].name, "fs-OST0001");
	assert_int_equal(c->nodes[1].type, TARGET_OST);
	assert_int_equal(c->nodes[1].index, 1);
	assert_int_equal(c->nodes[1].uuid[0], 5);
	assert_int_equal(c->nodes[1].starts, 1);
	assert_int_equal(nid_port(&c->nodes[1].nids.nid[0]), 990);
	mgs_config_free(c);
	assert_int_equal(fx_register(f, "fs", TARGET_OST, 1, 7, "127.0.0.1@tcp:990", NULL),
			 -EEXIST);
	assert_int_equal(fx_register(f, "fs", TARGET_OST, 2, 7, "garbage", NULL), -EINVAL);
	assert_int_equal(config(f, "other", 0, 0, &c), -ENOENT);
}

static void targets_join_and_are_listed(void **state)
{
	(void)state;
	fx_run(t_join);
}

static void t_restart(struct fixture *f)
{
	struct mgs_config *c;
	uint64_t v;

	assert_int_equal(fx_register(f, "fs", TARGET_OST, 1, 5, "127.0.0.1@tcp:990", NULL), 0);
	assert_int_equal(fx_register(f, "fs", TARGET_OST, 1, 5, "127.0.0.1@tcp:995", NULL), 0);
	assert_int_equal(fx_set_param(f, "osc.*.checksums", "0"), 0);
	assert_int_equal(fx_set_param(f, "gone", "0"), 0);
	assert_int_equal(fx_set_param(f, "gone", NULL), 0);
	v = registry_version(f->mgs->reg);
	fx_stop_mgs(f);
	fx_start_mgs(f);
	assert_int_equal(config(f, "fs", 0, 0, &c), 0);
	assert_int_equal(c->version, v);
	assert_int_equal(c->nnodes, 1);
	assert_int_equal(c->nodes[0].starts, 2);
	assert_int_equal(nid_port(&c->nodes[0].nids.nid[0]), 995);
	assert_int_equal(c->nsettings, 1);
	assert_string_equal(c->settings[0].name, "osc.*.checksums");
	assert_string_equal(c->settings[0].value, "0");
	mgs_config_free(c);
	assert_int_equal(fx_register(f, "fs", TARGET_OST, 1, 8, "127.0.0.1@tcp:990", NULL),
			 -EEXIST);
}

static void a_restart_forgets_nothing(void **state)
{
	(void)state;
	fx_run(t_restart);
}

static void t_damage(struct fixture *f)
{
	struct mgs_config *c;

	assert_int_equal(fx_register(f, "fs", TARGET_OST, 1, 5, "127.0.0.1@tcp:990", NULL), 0);
	assert_int_equal(fx_register(f, "fs", TARGET_OST, 2, 5, "127.0.0.1@tcp:990", NULL), 0);
	assert_int_equal(store_inject_damage(f->mgs->store, TABLE_mgs_target,
					     SPAN_STR("fs-OST0001")),
			 0);
	fx_stop_mgs(f);
	fx_start_mgs(f);
	assert_int_equal(config(f, "fs", 0, 0, &c), 0);
	assert_int_equal(c->nnodes, 1);
	assert_string_equal(c->nodes[0].name, "fs-OST0002");
	mgs_config_free(c);
}

static void a_damaged_record_costs_only_itself(void **state)
{
	(void)state;
	fx_run(t_damage);
}

static void t_no_disk(struct fixture *f)
{
	struct mgs_config *c;
	uint64_t v;

	assert_int_equal(fx_register(f, "fs", TARGET_OST, 1, 5, "127.0.0.1@tcp:990", &v), 0);
	store_inject_failure(f->mgs->store, 0, -EIO);
	assert_int_equal(fx_register(f, "fs", TARGET_OST, 2, 5, "127.0.0.1@tcp:990", NULL), -EIO);
	assert_int_equal(config(f, "fs", 0, 0, &c), 0);
	assert_int_equal(c->version, v);
	assert_int_equal(c->nnodes, 1);
	mgs_config_free(c);
}

static void what_is_not_on_disk_is_not_told(void **state)
{
	(void)state;
	fx_run(t_no_disk);
}

struct poller {
	struct fixture *f;
	uint64_t have;
	int rc;
	uint64_t got;
	bool done;
};

static int poll_news(void *arg)
{
	struct poller *p = arg;
	struct mgs_config *c;

	p->rc = config(p->f, "fs", p->have, 5000, &c);
	p->done = true;
	if (p->rc == 0) {
		p->got = c->version;
		mgs_config_free(c);
	}
	return 0;
}

static void t_poll(struct fixture *f)
{
	struct co_group g = CO_GROUP_INIT;
	struct poller p[3];
	uint64_t v, v2, start = loop_now(f->l);

	assert_int_equal(fx_register(f, "fs", TARGET_OST, 1, 5, "127.0.0.1@tcp:990", &v), 0);
	for (int i = 0; i < 3; i++) {
		p[i] = (struct poller){.f = f, .have = i == 2 ? v - 1 : v};
		co_spawn(&g, poll_news, &p[i]);
	}
	while (!p[2].done) /* news already: answered at once */
		co_yield();
	assert_int_equal(p[2].got, v);
	assert_false(p[0].done || p[1].done);
	assert_int_equal(fx_register(f, "fs", TARGET_OST, 1, 5, "127.0.0.1@tcp:991", &v2), 0);
	assert_int_equal(co_join(&g), 0);
	assert_int_equal(p[0].got, v2);
	assert_int_equal(p[1].got, v2);
	assert_true(loop_now(f->l) - start < 4 * NSEC_PER_SEC);
}

static void whoever_waits_hears_of_news(void **state)
{
	(void)state;
	fx_run(t_poll);
}

static void t_poll_ends(struct fixture *f)
{
	struct mgs_config *c;
	uint64_t v;

	assert_int_equal(fx_register(f, "fs", TARGET_OST, 1, 5, "127.0.0.1@tcp:990", &v), 0);
	assert_int_equal(config(f, "fs", v, 20, &c), 0);
	assert_int_equal(c->version, v);
	assert_int_equal(c->nnodes, 0); /* nothing new, nothing told */
	mgs_config_free(c);
}

static void a_wait_without_news_ends(void **state)
{
	(void)state;
	fx_run(t_poll_ends);
}

static void t_stop(struct fixture *f)
{
	struct co_group g = CO_GROUP_INIT;
	struct poller p = {.f = f};
	uint64_t start = loop_now(f->l);

	assert_int_equal(fx_register(f, "fs", TARGET_OST, 1, 5, "127.0.0.1@tcp:990", &p.have), 0);
	co_spawn(&g, poll_news, &p);
	while (co_waitq_empty(&f->mgs->news))
		co_yield();
	fx_stop_mgs(f);
	assert_true(loop_now(f->l) - start < NSEC_PER_SEC);
	rpc_import_co_destroy(f->imp, 0);
	f->imp = NULL;
	assert_int_equal(co_join(&g), 0);
	assert_true(p.rc == -ESHUTDOWN || p.rc == -ENOTCONN);
}

static void stopping_does_not_wait_for_long_polls(void **state)
{
	(void)state;
	fx_run(t_stop);
}

static void t_leave(struct fixture *f)
{
	struct co_group g = CO_GROUP_INIT;
	struct poller p = {.f = f};

	assert_int_equal(fx_register(f, "fs", TARGET_OST, 1, 5, "127.0.0.1@tcp:990", &p.have), 0);
	co_spawn(&g, poll_news, &p);
	while (co_waitq_empty(&f->mgs->news))
		co_yield();
	rpc_import_co_destroy(f->imp, 1000);
	f->imp = NULL;
	assert_int_equal(co_join(&g), 0);
	assert_true(rpc_service_co_drain(f->mgs->svc, 3000));
	assert_true(co_waitq_empty(&f->mgs->news));
}

static void a_client_that_leaves_waits_for_news_no_more(void **state)
{
	(void)state;
	fx_run(t_leave);
}

static int get(struct fixture *f, const char *pattern, char *out, size_t cap)
{
	struct any_get_param_req q = {.pattern = SPAN_STR(pattern)};
	struct any_get_param_rep p;
	RPC_CALL(call);
	int rc = any_co_get_param(f->imp, &call, &q, &p);

	if (rc == 0)
		snprintf(out, cap, "%.*s", (int)p.text.len, (const char *)p.text.ptr);
	return rc;
}

static void t_params(struct fixture *f)
{
	struct mgs_filesystems_req q = {};
	struct mgs_filesystems_rep p;
	char text[4096];
	RPC_CALL(call);

	assert_int_equal(fx_register(f, "b", TARGET_OST, 1, 5, "127.0.0.1@tcp:990", NULL), 0);
	assert_int_equal(fx_register(f, "a", TARGET_OST, 1, 5, "127.0.0.1@tcp:990", NULL), 0);
	assert_int_equal(get(f, "mgs.MGS.filesystems", text, sizeof(text)), 0);
	assert_string_equal(text, "mgs.MGS.filesystems=\na\nb\n");
	assert_int_equal(get(f, "mgs.MGS.live.a", text, sizeof(text)), 0);
	assert_non_null(strstr(text, "- name: a-OST0001"));
	assert_null(strstr(text, "b-OST0001"));
	assert_int_equal(get(f, "mgs.MGS.stats", text, sizeof(text)), 0);
	assert_non_null(strstr(text, "register                  2 samples [usecs]"));
	assert_int_equal(fx_set_param(f, "x.y", "1"), 0);
	assert_int_equal(fx_set_param(f, "x y", "1"), -EINVAL);
	assert_int_equal(fx_set_param(f, "nope", NULL), -ENOENT);
	assert_int_equal(get(f, "mgs.MGS.params", text, sizeof(text)), 0);
	assert_string_equal(text, "mgs.MGS.params=\nx.y=1\n");
	assert_int_equal(mgs_co_filesystems(f->imp, &call, &q, &p), 0);
	assert_true(span_eq(p.names, SPAN_STR("a\nb\n")));
}

static void the_mgs_shows_what_it_knows(void **state)
{
	(void)state;
	fx_run(t_params);
}

struct racer {
	struct fixture *f;
	uint8_t uuid;
	int rc;
};

static int race(void *arg)
{
	struct racer *r = arg;

	r->rc = fx_register(r->f, "fs", TARGET_OST, 1, r->uuid, "127.0.0.1@tcp:990", NULL);
	return 0;
}

static void t_race(struct fixture *f)
{
	struct co_group g = CO_GROUP_INIT;
	struct racer r[8];
	int won = 0;

	for (uint8_t i = 0; i < 8; i++) {
		r[i] = (struct racer){f, i, 0};
		co_spawn(&g, race, &r[i]);
	}
	assert_int_equal(co_join(&g), 0);
	for (int i = 0; i < 8; i++) {
		assert_true(r[i].rc == 0 || r[i].rc == -EEXIST);
		won += r[i].rc == 0;
	}
	assert_int_equal(won, 1);
}

static void of_two_new_targets_with_one_index_only_one_joins(void **state)
{
	(void)state;
	fx_run(t_race);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_join_and_are_listed),
		cmocka_unit_test(a_restart_forgets_nothing),
		cmocka_unit_test(a_damaged_record_costs_only_itself),
		cmocka_unit_test(what_is_not_on_disk_is_not_told),
		cmocka_unit_test(whoever_waits_hears_of_news),
		cmocka_unit_test(a_wait_without_news_ends),
		cmocka_unit_test(stopping_does_not_wait_for_long_polls),
		cmocka_unit_test(a_client_that_leaves_waits_for_news_no_more),
		cmocka_unit_test(the_mgs_shows_what_it_knows),
		cmocka_unit_test(of_two_new_targets_with_one_index_only_one_joins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
