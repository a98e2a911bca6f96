/* SPDX-License-Identifier: Apache-2.0 */
/* test_revoke.c - leases over RPC: a change waits for whoever may keep what it changes, until that
 * client has answered or its term is over, and for nobody else. */
#include "tests/unit/mds/mds_request_test.h"

enum { BOTH = LEASE_LOOKUP | LEASE_UPDATE };

/* One round of the recall channel of client c; the number of recalls that it brought. */
static uint32_t ask(struct st *s, int c, uint64_t *returned, bool wait, struct mds_recall *last)
{
	struct mds_recalls_req q = {.returned = *returned, .wait = wait};
	struct mds_recalls_rep p;
	struct mds_recall r;
	struct rbuf b;
	uint32_t n = 0;
	RPC_CALL(call);

	assert_int_equal(mds_co_recalls(s->client[c].imp, &call, &q, &p), 0);
	assert_int_equal(p.term_ms, 400); /* two fifths of the session's second */
	for (b = rbuf_of(p.recalls); b.len; n++) {
		assert_int_equal(dec_mds_recall(&b, &r), 0);
		*returned = r.seq;
		if (last)
			*last = r;
	}
	return n;
}

static uint32_t lookup(struct st *s, int c, const char *name)
{
	struct mds_lookup_req q = {.parent = ROOT, .name = SPAN_STR(name)};
	struct mds_lookup_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_lookup(s->client[c].imp, &call, &q, &p), 0);
	return p.lease;
}

static uint32_t lease_of(struct st *s, int c, struct fid fid)
{
	struct mds_getattr_req q = {.fid = fid};
	struct mds_getattr_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_getattr(s->client[c].imp, &call, &q, &p), 0);
	return p.lease;
}

struct chmod {
	struct st *s;
	int client, rc;
	struct fid fid;
	bool done;
};

static void chmod_fiber(void *arg)
{
	struct chmod *m = arg;
	struct mds_setattr_req q = {.fid = m->fid, .valid = SETATTR_MODE, .mode = 0600};
	struct mds_setattr_rep p;
	RPC_CALL(call);

	m->rc = mds_co_setattr(m->s->client[m->client].imp, &call, &q, &p);
	m->done = true;
}

static void begin(struct st *s, struct chmod *m, int c, struct fid fid)
{
	*m = (struct chmod){.s = s, .client = c, .fid = fid};
	assert_int_equal(fiber_spawn(s->loop, chmod_fiber, m), 0);
}

/* Client 0 has the leases of a file, and a term. */
static struct fid leased_file(struct st *s, uint64_t *returned)
{
	struct st_open f;

	st_connect(s, 0);
	st_connect(s, 1);
	f = st_create(s, 1, "f", 0);
	assert_int_equal(lookup(s, 0, "f"), 0); /* no term yet */
	*returned = 0;
	ask(s, 0, returned, false, NULL);
	assert_int_equal(lookup(s, 0, "f"), BOTH);
	return f.fid;
}

static void body_answer(struct st *s)
{
	struct mds_recall r;
	uint64_t returned;
	struct chmod m;
	struct fid fid = leased_file(s, &returned);

	begin(s, &m, 1, fid);
	assert_int_equal(ask(s, 0, &returned, true, &r), 1);
	assert_true(fid_eq(&r.fid, &fid));
	assert_int_equal(r.bits, LEASE_UPDATE);
	co_sleep(5 * NSEC_PER_MSEC);
	assert_false(m.done); /* heard is not obeyed */
	assert_int_equal(lease_of(s, 0, fid), 0);
	assert_int_equal(ask(s, 0, &returned, false, NULL), 0);
	st_until(s, m.done);
	assert_int_equal(m.rc, 0);
	assert_int_equal(lease_of(s, 0, fid), LEASE_UPDATE);
}

static void a_change_waits_until_the_recall_is_obeyed(void **state)
{
	(void)state;
	st_run(body_answer);
}

static void body_own(struct st *s)
{
	uint64_t returned;
	struct chmod m;
	struct fid fid = leased_file(s, &returned);

	begin(s, &m, 0, fid);
	st_until(s, m.done);
	assert_int_equal(m.rc, 0);
}

static void ones_own_leases_hinder_nobody(void **state)
{
	(void)state;
	st_run(body_own);
}

static void body_silent(struct st *s)
{
	struct mds_recall r;
	uint64_t returned, start;
	struct chmod m;
	struct fid fid = leased_file(s, &returned);

	start = loop_now(s->loop);
	begin(s, &m, 1, fid);
	st_until(s, m.done);
	assert_int_equal(m.rc, 0);
	assert_in_range(loop_now(s->loop) - start, 300 * NSEC_PER_MSEC, 2000 * NSEC_PER_MSEC);
	/* It comes back: before anything else it hears what it has missed. */
	assert_int_equal(ask(s, 0, &returned, true, &r), 1);
	assert_true(fid_eq(&r.fid, &fid));
}

static void a_client_that_says_nothing_is_waited_for_until_its_term_is_over(void **state)
{
	(void)state;
	st_run(body_silent);
}

static void body_stubborn(struct st *s)
{
	uint64_t returned, none;
	struct chmod m;
	struct fid fid = leased_file(s, &returned);

	begin(s, &m, 1, fid);
	while (!m.done) { /* it goes on asking, and never says that it has obeyed */
		none = 0;
		ask(s, 0, &none, false, NULL);
		co_sleep(20 * NSEC_PER_MSEC);
	}
	assert_int_equal(m.rc, 0);
}

static void a_client_that_does_not_obey_gets_no_new_term(void **state)
{
	(void)state;
	st_run(body_stubborn);
}

static void body_gone(struct st *s)
{
	uint64_t returned;
	struct chmod m;
	struct fid fid = leased_file(s, &returned);

	begin(s, &m, 1, fid);
	co_sleep(5 * NSEC_PER_MSEC);
	assert_false(m.done);
	st_disconnect(s, 0);
	st_until(s, m.done);
	assert_int_equal(m.rc, 0);
}

static void a_client_that_says_goodbye_is_not_waited_for(void **state)
{
	(void)state;
	st_run(body_gone);
}

struct opening {
	struct st *s;
	struct fid fid;
	struct st_open *o;
	bool done;
};

static void opening_fiber(void *arg)
{
	struct opening *w = arg;

	*w->o = st_open(w->s, 1, w->fid, OPEN_WRITE);
	w->done = true;
}

static void body_written(struct st *s)
{
	uint64_t returned, other = 0;
	struct st_open o;
	struct fid fid = leased_file(s, &returned);

	ask(s, 0, &returned, false, NULL);
	ask(s, 1, &other, false, NULL); /* it has a term, too */
	st_unlink(s, 0, "nothing"); /* fails, and disturbs nobody */
	o = st_open(s, 0, fid, OPEN_WRITE);
	assert_int_equal(lookup(s, 1, "f"), LEASE_LOOKUP); /* its name is another matter */
	assert_int_equal(lease_of(s, 1, fid), 0);
	assert_int_equal(lease_of(s, 0, fid), LEASE_UPDATE); /* it knows what it writes */
	st_close(s, 0, &o, CLOSE_WROTE, 0);
	assert_int_equal(lease_of(s, 0, fid), LEASE_UPDATE);
}

/* Client 1 is the second one to write: what the first one keeps is recalled, and then nobody has
 * any. */
static void body_two_writers(struct st *s)
{
	uint64_t returned, other = 0;
	struct fid fid = leased_file(s, &returned);
	struct st_open o[2];
	struct opening w = {.s = s, .fid = fid, .o = &o[1]};

	ask(s, 0, &returned, false, NULL);
	ask(s, 1, &other, false, NULL);
	o[0] = st_open(s, 0, fid, OPEN_WRITE);
	assert_int_equal(lease_of(s, 0, fid), LEASE_UPDATE);
	assert_int_equal(fiber_spawn(s->loop, opening_fiber, &w), 0);
	while (!w.done)
		ask(s, 0, &returned, true, NULL);
	assert_int_equal(lease_of(s, 0, fid), 0);
	assert_int_equal(lease_of(s, 1, fid), 0);
	st_close(s, 0, &o[0], 0, 0);
	assert_int_equal(lease_of(s, 1, fid), LEASE_UPDATE);
	st_close(s, 1, &o[1], 0, 0);
}

static void of_two_writers_none_keeps_attributes(void **state)
{
	(void)state;
	st_run(body_two_writers);
}

static void attributes_of_a_file_that_is_written_are_only_its_writers(void **state)
{
	(void)state;
	st_run(body_written);
}

static void body_restart(struct st *s)
{
	uint64_t returned, start;
	struct chmod m;
	struct fid fid = leased_file(s, &returned);

	st_stop_mds(s);
	st_start_mds(s); /* both clients are known and not back: one never comes */
	start = loop_now(s->loop);
	assert_int_equal(rpc_import_co_wait(s->client[1].imp, 5000), 0);
	begin(s, &m, 1, fid);
	st_until(s, m.done);
	assert_int_equal(m.rc, 0);
	assert_true(loop_now(s->loop) - start >= 300 * NSEC_PER_MSEC);
}

static void after_a_restart_changes_wait_for_the_terms_of_the_last_life(void **state)
{
	(void)state;
	st_run(body_restart);
}

static void set(struct st *s, const char *name, const char *value)
{
	struct wbuf w;

	wbuf_init(&w, MAX_PARAM_TEXT);
	assert_int_equal(params_set(s->params, name, value, &w), 0);
	wbuf_fini(&w);
}

static void shows(struct st *s, const char *name, const char *line)
{
	struct wbuf w;

	wbuf_init(&w, MAX_PARAM_TEXT);
	assert_int_equal(params_get(s->params, name, &w), 0);
	wbuf_put(&w, "", 1);
	if (!strstr((const char *)w.ptr, line))
		fail_msg("%s: not '%s' in: %s", name, line, (const char *)w.ptr);
	wbuf_fini(&w);
}

/* Client 0 gives the leases of these files back, with one request. */
static void give_back(struct st *s, const struct st_open *f, uint32_t n, uint64_t heard)
{
	struct mds_give_back_req q;
	struct mds_give_back_rep p;
	uint8_t mem[1024];
	struct wbuf w;
	uint32_t i;
	RPC_CALL(call);

	wbuf_init_fixed(&w, mem, sizeof(mem));
	for (i = 0; i < n; i++)
		enc_mds_recall(&w, &(struct mds_recall){f[i].fid, UINT32_MAX, 0, heard});
	q.leases = wbuf_span(&w);
	assert_int_equal(mds_co_give_back(s->client[0].imp, &call, &q, &p), 0);
}

/* How many the MDS wants client 0 to give back. */
static uint32_t excess(struct st *s, bool wait)
{
	struct mds_recalls_req q = {.wait = wait};
	struct mds_recalls_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_recalls(s->client[0].imp, &call, &q, &p), 0);
	assert_int_equal(p.recalls.len, 0);
	return p.excess;
}

static void body_limit(struct st *s)
{
	struct mds_getattr_req q = {.fid = ROOT};
	struct mds_getattr_rep p;
	struct st_open f[17];
	uint64_t returned = 0;
	char name[8];
	uint32_t i;
	RPC_CALL(call);

	st_connect(s, 0);
	ask(s, 0, &returned, false, NULL);
	set(s, "mdt.*.max_leases_per_client", "16");
	for (i = 0; i < 17; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		f[i] = st_create(s, 0, name, 0);
	}
	shows(s, "ldlm.namespaces.mdt-*.lock_count", "=18"); /* the root is one */
	assert_int_equal(excess(s, true), 18 - 14); /* an eighth below the limit; does not wait */
	assert_int_equal(mds_co_getattr(s->client[0].imp, &call, &q, &p), 0);
	give_back(s, f, 4, p.seq);
	shows(s, "ldlm.lock_granted_count", "=14");
	shows(s, "mdt.*.lease_stats", "asked: 1\nforced: 0\n");
	shows(s, "mdt.*.exports", " leases=14");
	assert_int_equal(excess(s, false), 0);
}

static void a_client_with_too_many_leases_is_asked_for_some(void **state)
{
	(void)state;
	st_run(body_limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_waits_until_the_recall_is_obeyed),
		cmocka_unit_test(ones_own_leases_hinder_nobody),
		cmocka_unit_test(a_client_that_says_nothing_is_waited_for_until_its_term_is_over),
		cmocka_unit_test(a_client_that_does_not_obey_gets_no_new_term),
		cmocka_unit_test(a_client_that_says_goodbye_is_not_waited_for),
		cmocka_unit_test(attributes_of_a_file_that_is_written_are_only_its_writers),
		cmocka_unit_test(of_two_writers_none_keeps_attributes),
		cmocka_unit_test(after_a_restart_changes_wait_for_the_terms_of_the_last_life),
		cmocka_unit_test(a_client_with_too_many_leases_is_asked_for_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
