/* SPDX-License-Identifier: Apache-2.0 */
/* test_op.c - exactly once: the reply to a modifying request is found again, before and after a
 * restart. */
#include "mds/slot.h"
#include "tests/unit/mds/mds_request_test.h"

struct sent { /* what a request was sent as */
	struct wire_hdr hdr;
	struct fid fid;
	uint64_t open_id;
};

static struct sent create(struct st *s, const char *name, uint32_t flags)
{
	struct mds_create_req q = {
		.parent = ROOT,
		.name = SPAN_STR(name),
		.fid = st_fid(s),
		.mode = S_IFREG | 0644,
		.open_flags = flags,
		.open_id = flags ? ++s->next_open : 0,
	};
	struct mds_create_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_create(s->client[0].imp, &call, &q, &p), 0);
	return (struct sent){call.hdr, p.fid, q.open_id};
}

/* Asks the hook that rpc.c asks for a resent request. */
static int replay(struct st *s, const struct sent *t, struct mds_create_rep *p)
{
	struct rpc_session *ses = NULL;
	struct rpc_op op = {.svc = mdt_service(s->mds), .desc = &mds_create_desc, .hdr = &t->hdr};
	struct span body;
	struct rbuf r;
	int32_t status;
	int rc;

	while ((ses = rpc_service_session_next(op.svc, ses)))
		if (memcmp(ses->uuid, s->client[0].cfg.uuid, UUID_LEN) == 0)
			op.session = ses;
	assert_non_null(op.session);
	rc = mds_service_ops.replay_find(s->mds, &op, &status, &body);
	if (rc != 1)
		return rc;
	assert_int_equal(status, 0);
	r = rbuf_of(body);
	assert_int_equal(mds_create_desc.rep_dec(&r, p), 0);
	return 1;
}

static void body_replay(struct st *s)
{
	struct mds_create_rep p;
	struct sent a, b;

	st_connect(s, 0);
	a = create(s, "a", 0);
	assert_int_equal(replay(s, &a, &p), 1);
	assert_true(fid_eq(&p.fid, &a.fid));
	b = a;
	b.hdr.xid++;
	assert_int_equal(replay(s, &b, &p), 0); /* never executed */
	b = a;
	b.hdr.slot++;
	assert_int_equal(replay(s, &b, &p), 0);
	b = create(s, "b", 0); /* the slot is used again */
	assert_int_equal(b.hdr.slot, a.hdr.slot);
	assert_int_equal(replay(s, &a, &p), 0);
	assert_int_equal(replay(s, &b, &p), 1);
}

static void a_resent_request_gets_the_first_answer(void **state)
{
	(void)state;
	st_run(body_replay);
}

static void body_restart(struct st *s)
{
	struct mds_create_rep p;
	struct st_open o;
	struct sent a;

	st_connect(s, 0);
	a = create(s, "a", OPEN_WRITE);
	st_stop_mds(s);
	st_start_mds(s);
	st_until(s, s->client[0].restarts == 1);
	assert_int_equal(open_table_count(s->mds->opens), 0);
	assert_int_equal(replay(s, &a, &p), 1);
	assert_int_equal(open_table_count(s->mds->opens), 1); /* the answer says that it is open */
	assert_int_equal(replay(s, &a, &p), 1);
	assert_int_equal(open_table_count(s->mds->opens), 1);
	o = (struct st_open){.fid = a.fid, .id = a.open_id, .seq = p.open_seq};
	st_close(s, 0, &o, 0, 0);
}

static void after_a_restart_the_answer_is_there_and_what_it_opened(void **state)
{
	(void)state;
	st_run(body_restart);
}

static void body_forgotten(struct st *s)
{
	uint8_t uuid[UUID_LEN], none[UUID_LEN] = {0};
	struct txn *t;
	bool in_batch;

	st_connect(s, 0);
	create(s, "a", 0);
	assert_int_equal(store_read(s->mds->store, &t, &in_batch), 0);
	assert_int_equal(slot_next_client(t, none, uuid), 0);
	assert_memory_equal(uuid, s->client[0].cfg.uuid, UUID_LEN);
	st_disconnect(s, 0);
	st_until(s, rpc_service_nsessions(mdt_service(s->mds)) == 0);
	assert_int_equal(store_read(s->mds->store, &t, &in_batch), 0);
	assert_int_equal(slot_next_client(t, none, uuid), -ENOENT);
}

static void a_client_that_says_goodbye_is_forgotten(void **state)
{
	(void)state;
	st_run(body_forgotten);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_resent_request_gets_the_first_answer),
		cmocka_unit_test(after_a_restart_the_answer_is_there_and_what_it_opened),
		cmocka_unit_test(a_client_that_says_goodbye_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
