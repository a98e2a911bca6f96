/* SPDX-License-Identifier: Apache-2.0 */
/* test_hsm.c - who may ask for what, and what a mover is told. */
#include "client/core/hsm.h"
#include "tests/unit/client/core/fake_cluster.h"

static const struct cred root = {0}, owner = {.uid = 1000}, other = {.uid = 1001};

static void mounted(fake_fn *body)
{
	char why[256];

	fake_file(1);
	fake->attr.uid = 1000;
	assert_int_equal(fake_mount("lustre", "", why, sizeof(why)), 0);
	body(fake);
	fake_unmount();
}

static int ask(struct fake *f, const struct cred *c, uint64_t *cookie)
{
	return fs_co_hsm_request(f->ln, &f->fid, HSM_ARCHIVE, 3, SPAN_STR("how"), c, cookie);
}

static void request_body(struct fake *f)
{
	uint64_t cookie = 0;

	assert_int_equal(ask(f, &other, &cookie), -EPERM);
	assert_int_equal(f->calls[RPC_mds_hsm_request], 0);
	assert_int_equal(ask(f, &owner, &cookie), 0);
	assert_int_equal(cookie, 20003);
	assert_int_equal(ask(f, &root, &cookie), 0);
	assert_int_equal(f->calls[RPC_mds_hsm_request], 2);
}
FAKE_MOUNTED_TEST(only_the_owner_and_root_ask, mounted, request_body)

static void set_body(struct fake *f)
{
	assert_int_equal(fs_co_hsm_set(f->ln, &f->fid, HSM_DIRTY, 0, 0, &other), -EPERM);
	assert_int_equal(fs_co_hsm_set(f->ln, &f->fid, HSM_LOST, 0, 0, &owner), -EPERM);
	assert_int_equal(fs_co_hsm_set(f->ln, &f->fid, 0, HSM_ARCHIVED, 0, &owner), -EPERM);
	assert_int_equal(fs_co_hsm_set(f->ln, &f->fid, HSM_DIRTY, 0, 5, &owner), -EPERM);
	assert_int_equal(f->calls[RPC_mds_hsm_set], 0);
	assert_int_equal(fs_co_hsm_set(f->ln, &f->fid, HSM_DIRTY, HSM_NOARCHIVE, 0, &owner), 0);
	assert_int_equal(fs_co_hsm_set(f->ln, &f->fid, HSM_LOST, 0, 5, &root), 0);
	assert_int_equal(f->calls[RPC_mds_hsm_set], 2);
}
FAKE_MOUNTED_TEST(flags_that_are_roots_only_root_changes, mounted, set_body)

struct told {
	uint32_t n;
	uint64_t cookie[4];
	bool whole;
};

static void note(void *arg, const struct fs_hsm_work *w)
{
	struct told *t = arg;

	t->cookie[t->n++] = w->cookie;
	if (w->action == HSM_ARCHIVE)
		t->whole = w->archive == 5 && w->same && span_eq(w->name, SPAN_STR("d/f")) &&
			   span_eq(w->etag, SPAN_STR("tag")) && span_eq(w->data, SPAN_STR("how")) &&
			   fid_eq(&w->fid, &fake->fid);
}

static void next_body(struct fake *f)
{
	const uint64_t have[] = {11, 12};
	struct told t = {0};

	assert_int_equal(fs_co_hsm_next(f->ln, 5, 8, have, 2, note, &t), 0);
	assert_int_equal(t.n, 3);
	assert_int_equal(t.cookie[0], 11);
	assert_int_equal(t.cookie[1], 12);
	assert_int_equal(t.cookie[2], 99);
	assert_true(t.whole);
}
FAKE_MOUNTED_TEST(a_mover_tells_what_it_has_and_hears_all_of_its_work, mounted, next_body)

static void progress_body(struct fake *f)
{
	bool stop, changed;

	assert_int_equal(fs_co_hsm_progress(f->ln, &(struct fs_hsm_progress){.cookie = 1}, &stop,
					    &changed),
			 0);
	assert_true(stop && !changed);
	assert_int_equal(fs_co_hsm_progress(f->ln,
					    &(struct fs_hsm_progress){.cookie = 2, .moved = 7},
					    &stop, &changed),
			 0);
	assert_true(!stop && changed);
}
FAKE_MOUNTED_TEST(the_coordinator_says_whether_to_stop, mounted, progress_body)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_owner_and_root_ask),
		cmocka_unit_test(flags_that_are_roots_only_root_changes),
		cmocka_unit_test(a_mover_tells_what_it_has_and_hears_all_of_its_work),
		cmocka_unit_test(the_coordinator_says_whether_to_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
