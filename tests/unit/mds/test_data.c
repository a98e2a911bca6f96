/* SPDX-License-Identifier: Apache-2.0 */
/* test_data.c - leases on the data of files, over RPC: who gets what, and who has to give back. */
#include "tests/unit/mds/mds_request_test.h"

/* A term for client c. */
static void renew(struct st *s, int c)
{
	struct mds_recalls_req q = {0};
	struct mds_recalls_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_recalls(s->client[c].imp, &call, &q, &p), 0);
}

static uint32_t data(struct st *s, int c, struct fid fid, uint32_t want)
{
	struct mds_data_req q = {.fid = fid, .want = want};
	struct mds_data_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_data(s->client[c].imp, &call, &q, &p), 0);
	return p.lease;
}

static void body_alone(struct st *s)
{
	struct st_open o;

	st_connect(s, 0);
	o = st_create(s, 0, "f", OPEN_WRITE);
	assert_int_equal(data(s, 0, o.fid, LEASE_EXCLUSIVE), 0); /* no term yet */
	renew(s, 0);
	assert_int_equal(data(s, 0, o.fid, LEASE_SHARED), LEASE_SHARED);
	assert_int_equal(data(s, 0, o.fid, LEASE_EXCLUSIVE), LEASE_EXCLUSIVE);
	assert_int_equal(data(s, 0, o.fid, LEASE_SHARED), LEASE_EXCLUSIVE); /* enough */
	st_close(s, 0, &o, CLOSE_WROTE, 0);
}

static void who_is_alone_gets_what_he_wants(void **state)
{
	(void)state;
	st_run(body_alone);
}

static void body_readers(struct st *s)
{
	struct st_open a, b;

	st_connect(s, 0);
	st_connect(s, 1);
	renew(s, 0);
	renew(s, 1);
	a = st_create(s, 0, "f", OPEN_READ);
	b = st_open(s, 1, a.fid, OPEN_READ);
	assert_int_equal(data(s, 0, a.fid, LEASE_SHARED), LEASE_SHARED);
	assert_int_equal(data(s, 1, a.fid, LEASE_SHARED), LEASE_SHARED);
	st_close(s, 0, &a, 0, 0);
	st_close(s, 1, &b, 0, 0);
}

static void readers_share(void **state)
{
	(void)state;
	st_run(body_readers);
}

static void body_writer(struct st *s)
{
	struct st_open a, b;

	st_connect(s, 0);
	st_connect(s, 1);
	renew(s, 0);
	renew(s, 1);
	a = st_create(s, 0, "f", OPEN_WRITE);
	b = st_open(s, 1, a.fid, OPEN_READ);
	assert_int_equal(data(s, 1, a.fid, LEASE_SHARED), LEASE_CONTENDED);
	st_close(s, 0, &a, CLOSE_WROTE, 0);
	st_close(s, 1, &b, 0, 0);
}

static void a_reader_beside_a_writer_keeps_nothing(void **state)
{
	(void)state;
	st_run(body_writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_alone_gets_what_he_wants),
		cmocka_unit_test(readers_share),
		cmocka_unit_test(a_reader_beside_a_writer_keeps_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
