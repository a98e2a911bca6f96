/* SPDX-License-Identifier: Apache-2.0 */
/* test_openfile.c - leases on data that come with a create. */
#include "tests/unit/client/core/fake_cluster.h"

static void mounted(fake_fn *body)
{
	fake_file(1);
	fake_mounted(body);
}

static struct file *create_file(void)
{
	struct cred cred = {.pid = 1};
	struct fid dir = FID_ROOT;
	struct entry e;
	struct file *f;

	assert_int_equal(fs_co_create(fake->ln, &dir, SPAN_STR("new"), O_CREAT | O_RDWR, 0644,
				      &cred, &e, &f), 0);
	return f;
}

static void grant(const struct mds_create_req *q, struct mds_create_rep *p)
{
	assert_int_equal(q->data, LEASE_EXCLUSIVE);
	p->seq = 10;
	p->lease = LEASE_EXCLUSIVE;
}

static void grant_body(struct fake *fk)
{
	struct file *f;

	fk->on_create = grant;
	f = create_file();
	assert_int_equal(f->data->mode, LEASE_EXCLUSIVE);
	assert_int_equal(fk->calls[RPC_mds_data], 0);
	fs_co_release(fk->ln, f);
}

FAKE_MOUNTED_TEST(a_create_brings_the_lease_on_the_data, mounted, grant_body)

/* Somebody else looks at the new file before its maker has heard that it is there. */
static void grant_and_recall(const struct mds_create_req *q, struct mds_create_rep *p)
{
	struct mds_recall r = {.fid = q->fid, .bits = LEASE_EXCLUSIVE, .seq = 11, .granted = 10};

	grant(q, p);
	data_recall(fake->ln, &r);
	co_sleep(20 * NSEC_PER_MSEC);
	assert_int_equal(fake->calls[RPC_mds_give_back], 0);
}

static void recall_body(struct fake *fk)
{
	struct file *f;

	fk->on_create = grant_and_recall;
	f = create_file();
	while (!fk->calls[RPC_mds_give_back])
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(f->data->mode, 0);
	fs_co_release(fk->ln, f);
}

FAKE_MOUNTED_TEST(a_recall_that_comes_before_the_answer_takes_the_lease, mounted, recall_body)

/* The name was there: its recalls are not waited for, its lease is not taken. */
static void grant_other(const struct mds_create_req *q, struct mds_create_rep *p)
{
	grant(q, p);
	p->fid.oid += 100;
	fake->fid = p->fid;
}

static void other_body(struct fake *fk)
{
	struct file *f;

	fk->on_create = grant_other;
	f = create_file();
	assert_true(fid_eq(&f->data->fid, &fk->fid));
	assert_int_equal(f->data->mode, 0);
	assert_int_equal(f->data->nwriters, 1);
	fs_co_release(fk->ln, f);
}

FAKE_MOUNTED_TEST(the_lease_of_a_file_that_was_there_is_not_taken, mounted, other_body)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_create_brings_the_lease_on_the_data),
		cmocka_unit_test(a_recall_that_comes_before_the_answer_takes_the_lease),
		cmocka_unit_test(the_lease_of_a_file_that_was_there_is_not_taken),
	};

	log_set_level(LOG_LVL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
