/* SPDX-License-Identifier: Apache-2.0 */
/* test_evict.c - which files a mover is to have released when the OSTs are full. */
#include "mds/evict.h"
#include "tests/unit/mds/hsm_test.h"

static struct fid archived(struct st *s, const char *name)
{
	struct fid fid = file(s, name).fid;

	archive(s, fid);
	tell(s, 1, next(s, 1, 1, 0).w[0].cookie, true, 0);
	return fid;
}

static void set(struct st *s, const char *name, const char *value)
{
	struct wbuf out;

	wbuf_init(&out, 4096);
	assert_int_equal(params_set(s->mds->params, name, value, &out), 0);
	wbuf_fini(&out);
}

static void body_evict(struct st *s)
{
	struct evict *e = s->mds->hsm->evict;
	struct mds_hsm_set_req q = {.set = HSM_NORELEASE};
	struct fid first, second, dirty, open;
	struct mds_hsm_set_rep p;
	struct got g;
	RPC_CALL(call);

	st_connect(s, 0);
	st_connect(s, 1);
	first = archived(s, "first");
	second = archived(s, "second");
	dirty = archived(s, "dirty");
	change(s, dirty);
	q.fid = archived(s, "kept");
	assert_int_equal(mds_co_hsm_set(s->client[0].imp, &call, &q, &p), 0);
	open = archived(s, "open");
	st_open(s, 0, open, OPEN_READ);
	file(s, "never");
	set(s, "mdt.*.hsm.release_low", "50");
	evict_look(e, 1 << 20, 1 << 20); /* is off */
	assert_false(evict_next(e, &first));
	set(s, "mdt.*.hsm.release_high", "80");
	evict_look(e, 1000000, 800000); /* not full */
	assert_int_equal(next(s, 1, 1, 0).n, 0);
	evict_look(e, 100 << 10, 90 << 10); /* 40 KiB too many: all that may go */
	g = next(s, 1, 1, 0);
	assert_int_equal(g.n, 2);
	assert_true(g.w[0].action == HSM_RELEASE && fid_eq(&g.w[0].fid, &first));
	assert_true(g.w[1].action == HSM_RELEASE && fid_eq(&g.w[1].fid, &second));
	assert_true(g.w[0].cookie != g.w[1].cookie);
	assert_int_equal(next(s, 1, 1, 0).n, 0); /* each is told once */
	evict_look(e, 4 << 10, 4 << 10); /* 2 KiB: one is enough */
	g = next(s, 1, 1, 0);
	assert_true(g.n == 1 && fid_eq(&g.w[0].fid, &first));
	assert_int_equal(ask(s, first, HSM_RELEASE, 0, &(uint64_t){0}), 0);
	evict_look(e, 4 << 10, 4 << 10);
	g = next(s, 1, 1, 0);
	assert_true(g.n == 1 && fid_eq(&g.w[0].fid, &second));
}

static void files_that_nobody_uses_go_the_oldest_first(void **state)
{
	(void)state;
	st_run(body_evict);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_that_nobody_uses_go_the_oldest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
