/* SPDX-License-Identifier: Apache-2.0 */
/* test_intent.c - opens that come with a lookup or a listing: only where nobody else has to pay,
 * and never one of which the client does not hear.
 *
 * Clients that join have a term that does not end. */
#include "mds/intent.h"
#include "tests/unit/mds/mds_request_test.h"

#define ALL (LEASE_LOOKUP | LEASE_UPDATE | LEASE_SHARED)

static struct client *client_of(struct st *s, int c)
{
	return st_session(s, c)->priv;
}

static void join(struct st *s, int c)
{
	st_connect(s, c);
	lease_renew(&client_of(s, c)->leases, loop_now(s->loop) + 3600 * NSEC_PER_SEC);
}

static void join_both(struct st *s)
{
	join(s, 0);
	join(s, 1);
}

/* A file that somebody has written and closed, and nobody has leases of. */
static struct fid a_file(struct st *s, const char *name)
{
	struct st_open o = st_create(s, 0, name, OPEN_WRITE);

	st_write(s, o.fid, 0, 5000);
	st_close(s, 0, &o, CLOSE_WROTE, 5000);
	/* Others open what is on the disk only. */
	assert_int_equal(store_co_sync(s->mds->store), 0);
	lease_give_up(s->mds->leases, &client_of(s, 0)->leases, &o.fid, UINT32_MAX, UINT64_MAX);
	return o.fid;
}

/* The id under which client c has it open now; 0: it was not opened. */
static uint64_t look(struct st *s, int c, const char *name, uint32_t *lease)
{
	struct mds_lookup_req q = {ROOT, SPAN_STR(name), ++s->next_open};
	struct mds_lookup_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_lookup(s->client[c].imp, &call, &q, &p), 0);
	assert_int_equal(p.opened, open_find(s->mds->opens, client_of(s, c), q.open_id) != NULL);
	assert_int_equal(p.opened, (p.lease & LEASE_SHARED) != 0);
	if (p.opened)
		assert_true(p.layout.len > 0);
	*lease = p.lease;
	return p.opened ? q.open_id : 0;
}

static uint32_t nopens(struct st *s, int c)
{
	return client_of(s, c)->nopens;
}

static void close_id(struct st *s, int c, struct fid fid, uint64_t id)
{
	st_close(s, c, &(struct st_open){.fid = fid, .id = id}, 0, 0);
}

static void body_lookup(struct st *s)
{
	struct mds_lookup_req plain = {ROOT, SPAN_STR("f"), 0};
	struct mds_lookup_rep p;
	RPC_CALL(call);
	uint32_t lease;
	struct fid f;
	uint64_t id;

	join_both(s);
	f = a_file(s, "f");
	assert_int_equal(mds_co_lookup(s->client[0].imp, &call, &plain, &p), 0);
	assert_int_equal(p.opened, 0); /* it did not ask */
	assert_int_equal(p.lease, LEASE_LOOKUP | LEASE_UPDATE);
	assert_int_equal(nopens(s, 0), 0);
	id = look(s, 0, "f", &lease);
	assert_true(id);
	assert_int_equal(lease, ALL);
	assert_int_equal(lease_data(s->mds->leases, &client_of(s, 0)->leases, &f), LEASE_SHARED);
	assert_int_equal(look(s, 0, "f", &lease), 0); /* once is enough */
	assert_true(look(s, 1, "f", &lease));         /* anybody may read */
	close_id(s, 0, f, id);
	assert_int_equal(nopens(s, 0), 0);
}

static void body_conflicts(struct st *s)
{
	struct st_open w, r;
	struct node *n;
	uint32_t lease;
	struct fid f;

	join_both(s);
	f = a_file(s, "f");
	w = st_open(s, 1, f, OPEN_WRITE);
	assert_int_equal(look(s, 0, "f", &lease), 0);
	st_close(s, 1, &w, CLOSE_WROTE, 5000);
	assert_true(lease_grant(s->mds->leases, &client_of(s, 1)->leases, &f, LEASE_EXCLUSIVE,
				loop_now(s->loop)) &
		    LEASE_EXCLUSIVE);
	assert_int_equal(look(s, 0, "f", &lease), 0);
	assert_int_equal(lease, LEASE_LOOKUP | LEASE_UPDATE);
	lease_give_up(s->mds->leases, &client_of(s, 1)->leases, &f, LEASE_DATA, UINT64_MAX);
	/* One's own is not made less. */
	assert_true(lease_grant(s->mds->leases, &client_of(s, 0)->leases, &f, LEASE_EXCLUSIVE,
				loop_now(s->loop)) &
		    LEASE_EXCLUSIVE);
	assert_int_equal(look(s, 0, "f", &lease), 0);
	assert_int_equal(lease_data(s->mds->leases, &client_of(s, 0)->leases, &f), LEASE_EXCLUSIVE);
	lease_give_up(s->mds->leases, &client_of(s, 0)->leases, &f, LEASE_DATA, UINT64_MAX);
	/* Contended a moment ago. */
	r = st_open(s, 1, f, OPEN_READ);
	n = node_find(s->mds->opens, &f);
	n->contended_until_ns = loop_now(s->loop) + 3600 * NSEC_PER_SEC;
	assert_int_equal(look(s, 0, "f", &lease), 0);
	n->contended_until_ns = 0;
	assert_true(look(s, 0, "f", &lease));
	st_close(s, 1, &r, 0, 0);
}

static void body_refused(struct st *s)
{
	struct lease_barrier b = {.bits = LEASE_SHARED};
	struct mds_create_req q = {
		.parent = ROOT, .name = SPAN_STR("d"), .fid = st_fid(s), .mode = S_IFDIR | 0755};
	struct mds_create_rep p;
	RPC_CALL(call);
	uint32_t lease;
	struct fid f;

	join(s, 0);
	f = a_file(s, "f");
	assert_int_equal(mds_co_create(s->client[0].imp, &call, &q, &p), 0);
	assert_int_equal(look(s, 0, "d", &lease), 0); /* no file */
	b.fid = f;                                    /* somebody waits */
	lease_barrier_add(s->mds->leases, &b);
	assert_int_equal(look(s, 0, "f", &lease), 0);
	b.bits = LEASE_UPDATE;
	assert_int_equal(look(s, 0, "f", &lease), 0);
	assert_int_equal(lease, 0);
	lease_barrier_del(&b);
	s->mds->recovery_end_ns = UINT64_MAX; /* nobody knows who has what */
	assert_int_equal(look(s, 0, "f", &lease), 0);
	s->mds->recovery_end_ns = 0;
	assert_int_equal(nopens(s, 0), 0);
}

/* ---- listings ---- */

static uint32_t list(struct st *s, struct mds_readdir_req q, uint32_t *names)
{
	struct mds_readdir_rep p;
	struct mds_dirent_open e;
	struct rbuf r;
	RPC_CALL(call);
	uint32_t n = 0;

	assert_int_equal(mds_co_readdir(s->client[0].imp, &call, &q, &p), 0);
	r = rbuf_of(p.entries);
	for (*names = 0; r.len; ++*names) {
		assert_int_equal(dec_mds_dirent_open(&r, &e), 0);
		if (!e.opened)
			continue;
		assert_int_equal(e.lease, ALL);
		assert_true(e.layout.len > 0);
		assert_non_null(open_find(s->mds->opens, client_of(s, 0), q.open_id + n));
		n++;
	}
	return n;
}

static void body_listing(struct st *s)
{
	struct mds_readdir_req q = {
		.fid = ROOT, .flags = READDIR_PLUS | READDIR_OPEN, .open_id = 1000, .opens = 5};
	struct mds_readdir_req one = {.fid = ROOT,
				      .flags = READDIR_PLUS | READDIR_OPEN,
				      .open_id = 2000,
				      .opens = 5,
				      .max_bytes = 600};
	struct fid f[20];
	uint32_t names;
	char name[16];
	int i;

	join(s, 0);
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		f[i] = a_file(s, name);
	}
	assert_int_equal(list(s, one, &names), 0); /* no room to be sure that all fits */
	assert_true(names >= 1);
	assert_int_equal(list(s, q, &names), 5);
	assert_int_equal(names, 20);
	assert_int_equal(nopens(s, 0), 5);
	q.open_id = 3000;
	q.opens = UINT32_MAX;
	assert_int_equal(list(s, q, &names), 15); /* the others are open */
	for (i = 0; i < 20; i++)
		close_id(s, 0, f[i], i < 5 ? 1000 + (uint64_t)i : 3000 + (uint64_t)i - 5);
	assert_int_equal(nopens(s, 0), 0);
	q.flags = READDIR_OPEN; /* without PLUS it means nothing */
	q.opens = 0;
	assert_int_equal(nopens(s, 0), 0);
}

static void body_forget(struct st *s)
{
	struct rpc_op op = {.svc = mdt_service(s->mds)};
	struct mds_readdir_req q = {
		.fid = ROOT, .flags = READDIR_PLUS | READDIR_OPEN, .open_id = 1000, .opens = 4};
	struct fid f[4];
	uint32_t names;
	char name[16];
	int i;

	join(s, 0);
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		f[i] = a_file(s, name);
	}
	assert_int_equal(list(s, q, &names), 4);
	op.session = st_session(s, 0);
	intent_forget(&op, 1001, 2);
	assert_int_equal(nopens(s, 0), 2);
	assert_non_null(open_find(s->mds->opens, client_of(s, 0), 1000));
	assert_null(open_find(s->mds->opens, client_of(s, 0), 1001));
	assert_null(open_find(s->mds->opens, client_of(s, 0), 1002));
	assert_non_null(open_find(s->mds->opens, client_of(s, 0), 1003));
	/* The last to leave a file that was removed meanwhile. */
	assert_int_equal(st_unlink(s, 0, "f0"), 0);
	assert_int_equal(s->destroyed, 0);
	intent_forget(&op, 1000, 1);
	close_id(s, 0, f[3], 1003);
	st_until(s, mdt_idle(s->mds));
	assert_true(s->destroyed > 0);
}

#define INTENT_TEST(name, body)                                                                    \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		st_run(body);                                                                      \
	}

INTENT_TEST(a_lookup_opens_a_quiet_file_if_asked_to, body_lookup)
INTENT_TEST(nobody_loses_a_lease_for_it, body_conflicts)
INTENT_TEST(what_cannot_be_given_is_not, body_refused)
INTENT_TEST(a_listing_opens_so_many, body_listing)
INTENT_TEST(what_the_client_never_heard_of_is_closed, body_forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lookup_opens_a_quiet_file_if_asked_to),
		cmocka_unit_test(nobody_loses_a_lease_for_it),
		cmocka_unit_test(what_cannot_be_given_is_not),
		cmocka_unit_test(a_listing_opens_so_many),
		cmocka_unit_test(what_the_client_never_heard_of_is_closed),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
