/* SPDX-License-Identifier: Apache-2.0 */
/* test_mgs_link.c - links to a real MGS: registration, the first configuration, news, ends. */
#include "tests/unit/mgs/mgs_fixture.h"

struct seen {
	uint32_t calls;
	uint64_t version;
	uint32_t nnodes;
	uint16_t port; /* of the last target */
	struct co_waitq q;
};

static void on_config(void *arg, const struct mgs_config *c)
{
	struct seen *s = arg;

	s->calls++;
	s->version = c->version;
	s->nnodes = c->nnodes;
	s->port = c->nnodes ? nid_port(&c->nodes[c->nnodes - 1].nids.nid[0]) : 0;
	co_wake_all(&s->q);
}

static struct mgs_link *make_link(struct fixture *f, struct seen *s, struct params *ps)
{
	struct mgs_link_cfg cfg = {.client = &f->client, .mgs = f->at, .fsname = "fs",
				   .on_config = on_config, .arg = s, .params = ps};
	struct mgs_link *ml;

	*s = (struct seen){0};
	co_waitq_init(&s->q);
	assert_int_equal(mgs_link_create(&cfg, &ml), 0);
	return ml;
}

static void until_version(struct fixture *f, struct seen *s, uint64_t version)
{
	uint64_t deadline = loop_now(f->l) + 10 * NSEC_PER_SEC;

	while (s->version < version)
		assert_int_equal(co_wait(&s->q, deadline), 0);
}

static struct mgs_register target(uint32_t index, uint8_t uuid)
{
	struct mgs_register r = {.type = TARGET_OST, .index = index, .uuid = {uuid},
				 .servicenode = ""};
	char why[64];

	assert_int_equal(nid_parse("0.0.0.0@tcp:990", 1, &r.listen, why, sizeof(why)), 0);
	return r;
}

static void t_follow(struct fixture *f)
{
	struct mgs_register r = target(1, 5);
	uint64_t version;
	struct seen s;
	struct mgs_link *ml = make_link(f, &s, NULL);

	assert_int_equal(mgs_link_co_register(ml, &r, &version), 0);
	assert_int_equal(s.calls, 0);
	assert_int_equal(mgs_link_co_start(ml, 5000), 0);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.version, version);
	assert_int_equal(s.nnodes, 1);
	assert_int_equal(mgs_link_version(ml), version);
	/* The wildcard became the address that the MGS sees. */
	assert_int_equal(s.port, 990);
	assert_false(nid_is_wildcard(&mgs_link_config(ml)->nodes[0].nids.nid[0]));
	assert_int_equal(fx_register(f, "fs", TARGET_OST, 2, 6, "127.0.0.1@tcp:991", &version), 0);
	until_version(f, &s, version);
	assert_int_equal(s.nnodes, 2);
	assert_int_equal(s.port, 991);
	mgs_link_co_destroy(ml);
}

static void a_link_registers_and_follows_the_configuration(void **state)
{
	(void)state;
	fx_run(t_follow);
}

static void t_refused(struct fixture *f)
{
	struct mgs_register r = target(1, 5);
	struct seen s;
	struct mgs_link *ml = make_link(f, &s, NULL);

	assert_int_equal(mgs_link_co_register(ml, &r, NULL), 0);
	r.uuid[0] = 6;
	assert_int_equal(mgs_link_co_register(ml, &r, NULL), -EEXIST);
	r.index = MAX_OST_INDEX + 1;
	assert_int_equal(mgs_link_co_register(ml, &r, NULL), -EINVAL);
	r = target(2, 7);
	r.servicenode = "nonsense";
	log_set_level(LOG_LVL_ERROR);
	assert_int_equal(mgs_link_co_register(ml, &r, NULL), -EINVAL);
	r.servicenode = "10.9.8.7@tcp,10.9.8.6@tcp:5";
	assert_int_equal(mgs_link_co_register(ml, &r, NULL), 0);
	assert_string_equal(registry_find(f->mgs->reg, "fs-OST0002")->nids,
			    "10.9.8.7@tcp:990,10.9.8.6@tcp:5");
	mgs_link_co_destroy(ml);
}

static void refusals_come_back_and_service_addresses_are_announced(void **state)
{
	(void)state;
	fx_run(t_refused);
}

/* 127.0.0.1 is one of this machine's, whatever else it has. */
static void t_failover(struct fixture *f)
{
	struct mgs_register r = target(1, 5);
	char announced[200], own[NID_STRLEN], want[200];
	const struct reg_target *t;
	uint64_t version;
	struct seen s;
	struct mgs_link *ml = make_link(f, &s, NULL);

	r.servicenode = "10.9.8.7@tcp:127.0.0.1@tcp";
	r.boot = 77;
	r.announced = announced;
	r.announced_len = sizeof(announced);
	assert_int_equal(mgs_link_co_register(ml, &r, &version), 0);
	t = registry_find(f->mgs->reg, "fs-OST0001");
	assert_string_equal(t->nids, "127.0.0.1@tcp:990,10.9.8.7@tcp:990");
	assert_int_equal(mgs_link_co_start(ml, 5000), 0);
	assert_int_equal(mgs_link_config(ml)->nodes[0].boot, 77);
	assert_int_equal(mgs_link_config(ml)->nodes[0].nids.n, 2);
	/* It serves elsewhere: not at this port of this machine. */
	r.servicenode = "10.9.8.7@tcp:127.0.0.1@tcp:991";
	r.boot = 78;
	assert_int_equal(mgs_link_co_register(ml, &r, &version), 0);
	until_version(f, &s, version);
	assert_string_equal(registry_find(f->mgs->reg, "fs-OST0001")->nids,
			    "10.9.8.7@tcp:990,127.0.0.1@tcp:991");
	assert_int_equal(mgs_link_config(ml)->nodes[0].boot, 78);
	/* Failover nodes: where it is, and those. */
	r.servicenode = "";
	r.failnode = "10.9.8.7@tcp";
	assert_true(rpc_import_local(mgs_link_import(ml), &r.listen));
	nid_set_port(&r.listen, 990);
	snprintf(want, sizeof(want), "%s,10.9.8.7@tcp:990", nid_str(&r.listen, 0, own));
	assert_int_equal(mgs_link_co_register(ml, &r, NULL), 0);
	assert_string_equal(announced, want);
	mgs_link_co_destroy(ml);
}

static void a_target_announces_first_where_it_serves(void **state)
{
	(void)state;
	fx_run(t_failover);
}

static void t_unknown(struct fixture *f)
{
	uint64_t start = loop_now(f->l);
	struct seen s;
	struct mgs_link *ml = make_link(f, &s, NULL);

	assert_int_equal(mgs_link_co_start(ml, 20000), -ENOENT);
	assert_true(loop_now(f->l) - start < 5 * NSEC_PER_SEC);
	assert_int_equal(s.calls, 0);
	mgs_link_co_destroy(ml);
}

static void an_unknown_file_system_is_told_at_once(void **state)
{
	(void)state;
	fx_run(t_unknown);
}

static void t_nobody(struct fixture *f)
{
	struct seen s;
	struct mgs_link *ml;

	rpc_import_co_destroy(f->imp, 0);
	f->imp = NULL;
	fx_stop_mgs(f);
	ml = make_link(f, &s, NULL);
	assert_int_equal(mgs_link_co_start(ml, 150), -ETIMEDOUT);
	mgs_link_co_destroy(ml);
}

static void without_an_mgs_the_timeout_ends_the_wait(void **state)
{
	(void)state;
	fx_run(t_nobody);
}

struct starter {
	struct mgs_link *ml;
	struct mgs_register *r;
	int rc;
};

static int start_later(void *arg)
{
	struct starter *st = arg;

	st->rc = st->r ? mgs_link_co_register(st->ml, st->r, NULL) : 0;
	if (st->rc == 0)
		st->rc = mgs_link_co_start(st->ml, 0);
	return 0;
}

static void t_late_mgs(struct fixture *f)
{
	struct mgs_register r = target(1, 5);
	struct co_group g = CO_GROUP_INIT;
	struct starter st = {.r = &r};
	struct seen s;

	rpc_import_co_destroy(f->imp, 0);
	f->imp = NULL;
	fx_stop_mgs(f);
	st.ml = make_link(f, &s, NULL);
	co_spawn(&g, start_later, &st);
	while (rpc_import_state(mgs_link_import(st.ml)) != IMP_DISCONN ||
	       !rpc_import_error(mgs_link_import(st.ml)))
		co_sleep(NSEC_PER_MSEC);
	fx_start_mgs(f);
	assert_int_equal(co_join(&g), 0);
	assert_int_equal(st.rc, 0);
	assert_int_equal(s.nnodes, 1);
	mgs_link_co_destroy(st.ml);
}

static void a_link_waits_for_the_mgs_to_come(void **state)
{
	(void)state;
	fx_run(t_late_mgs);
}

static void t_ended(struct fixture *f)
{
	struct mgs_register r = target(1, 5);
	struct co_group g = CO_GROUP_INIT;
	struct starter st = {.r = &r};
	struct seen s;

	rpc_import_co_destroy(f->imp, 0);
	f->imp = NULL;
	fx_stop_mgs(f);
	st.ml = make_link(f, &s, NULL);
	co_spawn(&g, start_later, &st);
	co_yield();
	mgs_link_co_destroy(st.ml);
	assert_int_equal(co_join(&g), 0);
	assert_int_equal(st.rc, -ESHUTDOWN);
}

static void the_end_of_a_link_ends_those_who_wait(void **state)
{
	(void)state;
	fx_run(t_ended);
}

static void t_mgs_restart(struct fixture *f)
{
	struct mgs_register r = target(1, 5);
	uint64_t version;
	struct seen s;
	struct mgs_link *ml = make_link(f, &s, NULL);

	assert_int_equal(mgs_link_co_register(ml, &r, NULL), 0);
	assert_int_equal(mgs_link_co_start(ml, 5000), 0);
	fx_stop_mgs(f);
	fx_start_mgs(f);
	assert_int_equal(fx_register(f, "fs", TARGET_OST, 2, 6, "127.0.0.1@tcp:991", &version), 0);
	until_version(f, &s, version);
	assert_int_equal(s.nnodes, 2);
	mgs_link_co_destroy(ml);
}

static void news_arrive_after_a_restart_of_the_mgs(void **state)
{
	(void)state;
	fx_run(t_mgs_restart);
}

static void t_settings(struct fixture *f)
{
	struct mgs_register r = target(1, 5);
	uint32_t now = 1, later = 1;
	struct params *ps;
	struct mgs_link *ml;
	struct wbuf w;
	struct seen s;
	uint64_t version;

	assert_int_equal(params_create(&ps), 0);
	assert_int_equal(param_add_u32(ps, "osc.a.n", &now, 0, 100), 0);
	ml = make_link(f, &s, ps);
	assert_int_equal(fx_set_param(f, "osc.*.n", "5"), 0);
	assert_int_equal(mgs_link_co_register(ml, &r, NULL), 0);
	assert_int_equal(mgs_link_co_start(ml, 5000), 0);
	assert_int_equal(now, 5);
	/* Set by hand, then news of something else: the hand wins. */
	wbuf_init(&w, 4096);
	assert_int_equal(params_set(ps, "osc.a.n", "7", &w), 0);
	wbuf_fini(&w);
	assert_int_equal(fx_register(f, "fs", TARGET_OST, 2, 6, "127.0.0.1@tcp:991", &version), 0);
	until_version(f, &s, version);
	assert_int_equal(now, 7);
	assert_int_equal(fx_set_param(f, "osc.*.n", "9"), 0);
	until_version(f, &s, version + 1);
	assert_int_equal(now, 9);
	assert_int_equal(fx_set_param(f, "osc.*.n", NULL), 0);
	until_version(f, &s, version + 2);
	assert_int_equal(param_add_u32(ps, "osc.b.n", &later, 0, 100), 0);
	assert_int_equal(later, 1);
	mgs_link_co_destroy(ml);
	params_destroy(ps);
}

static void permanent_parameters_reach_every_node(void **state)
{
	(void)state;
	fx_run(t_settings);
}

static void a_link_needs_an_address_and_a_name(void **state)
{
	struct mgs_link_cfg cfg = {.fsname = "fs"};
	struct mgs_link *ml;

	(void)state;
	assert_int_equal(mgs_link_create(&cfg, &ml), -EINVAL);
	cfg.mgs.n = 1;
	cfg.fsname[0] = 0;
	assert_int_equal(mgs_link_create(&cfg, &ml), -EINVAL);
}

static void a_hostile_configuration_is_refused_or_sane(void **state)
{
	struct mgs_target t = {.type = TARGET_OST,
			       .name = SPAN_STR("fs-OST0000"),
			       .nids = SPAN_STR("1.1.1.1@tcp:4"),
			       .uuid = SPAN_STR("0123456789abcdef")};
	struct mgs_param p = {SPAN_STR("name"), SPAN_STR("value")};
	struct mgs_config *c;
	struct wbuf a, b;
	uint64_t seed = 18;

	(void)state;
	wbuf_init(&a, 4096);
	wbuf_init(&b, 4096);
	for (int i = 0; i < 3; i++) {
		enc_mgs_target(&a, &t);
		enc_mgs_param(&b, &p);
	}
	for (int i = 0; i < 20000; i++) {
		uint32_t an = a.len -
			      (uint32_t)rnd_below(&seed, 3) * (uint32_t)rnd_below(&seed, a.len / 2);
		uint32_t bn = b.len -
			      (uint32_t)rnd_below(&seed, 3) * (uint32_t)rnd_below(&seed, b.len / 2);
		uint8_t *ac = exact_copy(a.ptr, an), *bc = exact_copy(b.ptr, bn);
		struct mgs_config_rep rep = {.version = 1, .targets = {ac, an}, .params = {bc, bn}};

		for (uint64_t k = rnd_below(&seed, 4); k && an && bn; k--) {
			ac[rnd_below(&seed, an)] = (uint8_t)rnd(&seed);
			bc[rnd_below(&seed, bn)] = (uint8_t)rnd(&seed);
		}
		if (mgs_config_decode(&rep, &c) == 0) {
			for (uint32_t k = 0; k < c->nsettings; k++)
				assert_true(strlen(c->settings[k].name) +
						    strlen(c->settings[k].value) <=
					    bn);
			mgs_config_free(c);
		}
		free(ac);
		free(bc);
	}
	wbuf_fini(&a);
	wbuf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_registers_and_follows_the_configuration),
		cmocka_unit_test(refusals_come_back_and_service_addresses_are_announced),
		cmocka_unit_test(a_target_announces_first_where_it_serves),
		cmocka_unit_test(an_unknown_file_system_is_told_at_once),
		cmocka_unit_test(without_an_mgs_the_timeout_ends_the_wait),
		cmocka_unit_test(a_link_waits_for_the_mgs_to_come),
		cmocka_unit_test(the_end_of_a_link_ends_those_who_wait),
		cmocka_unit_test(news_arrive_after_a_restart_of_the_mgs),
		cmocka_unit_test(permanent_parameters_reach_every_node),
		cmocka_unit_test(a_link_needs_an_address_and_a_name),
		cmocka_unit_test(a_hostile_configuration_is_refused_or_sane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
