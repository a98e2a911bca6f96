/* SPDX-License-Identifier: Apache-2.0 */
/* test_attr.c - seek and statfs; getattr and sync are seen in every other test. */
#include "tests/unit/oss/oss_test.h"

static int seek(struct oss_test *t, uint64_t off, uint32_t whence, uint64_t *at)
{
	struct oss_seek_req q = {TEST_OBJ, .off = off, .whence = whence};
	struct oss_seek_rep p;
	RPC_CALL(call);
	int rc = oss_co_seek(t->imp, &call, &q, &p);

	if (rc == 0)
		*at = p.off;
	return rc;
}

static void t_seek(struct oss_test *t)
{
	uint64_t at = 0;

	CHECK_RC(seek(t, 0, SEEK_DATA, &at), -ENXIO);
	CHECK_RC(seek(t, 0, SEEK_HOLE, &at), -ENXIO);
	CHECK_RC(seek(t, 0, SEEK_SET, &at), -EINVAL);
	CHECK_RC(oss_test_write(t, NULL, MIB, "data", 4, 0), 0);
	CHECK_RC(seek(t, 0, SEEK_DATA, &at), 0);
	assert_int_equal(at, MIB);
	CHECK_RC(seek(t, 0, SEEK_HOLE, &at), 0);
	assert_int_equal(at, 0);
	CHECK_RC(seek(t, MIB + 1, SEEK_HOLE, &at), 0);
	assert_int_equal(at, MIB + 4);
	CHECK_RC(seek(t, MIB + 4, SEEK_DATA, &at), -ENXIO);
	CHECK_RC(seek(t, UINT64_MAX, SEEK_DATA, &at), -EINVAL);
}

static void data_and_holes_are_found(void **state)
{
	(void)state;
	oss_test_run(t_seek);
}

static int statfs_state(struct oss_test *t, uint32_t *state)
{
	struct oss_statfs_req q;
	struct oss_statfs_rep p;
	RPC_CALL(call);
	int rc;

	memset(&q, 0, sizeof(q)); /* has no fields */
	rc = oss_co_statfs(t->imp, &call, &q, &p);

	if (rc)
		return rc;
	assert_true(p.total >= p.free && p.free >= p.avail && p.avail > 0);
	*state = p.state;
	return 0;
}

static void t_statfs(struct oss_test *t)
{
	struct wbuf w;
	uint32_t state = 1;

	wbuf_init(&w, 1000);
	CHECK_RC(statfs_state(t, &state), 0);
	assert_int_equal(state & (TARGET_DEGRADED | TARGET_NOCREATE), 0);
	CHECK_RC(params_set(t->params, "obdfilter.*.degraded", "1", &w), 0);
	CHECK_RC(params_set(t->params, "obdfilter.*.no_create", "1", &w), 0);
	CHECK_RC(statfs_state(t, &state), 0);
	assert_int_equal(state & (TARGET_DEGRADED | TARGET_NOCREATE),
			 TARGET_DEGRADED | TARGET_NOCREATE);
	wbuf_fini(&w);
}

static void space_and_state_are_told(void **state)
{
	(void)state;
	oss_test_run(t_statfs);
}

static void t_state(struct oss_test *t)
{
	struct disk_space sp = {.total = 100 * GIB, .avail = 50 * GIB, .files = 1000, .ffree = 900};

	assert_int_equal(ost_target_state(t->ost, &sp), 0);
	sp.avail = 50 * MIB;
	assert_int_equal(ost_target_state(t->ost, &sp), TARGET_NOSPACE);
	sp.ffree = 3;
	assert_int_equal(ost_target_state(t->ost, &sp), TARGET_NOSPACE | TARGET_NOINODES);
	sp.files = 0; /* a file system that does not count */
	assert_int_equal(ost_target_state(t->ost, &sp), TARGET_NOSPACE);
}

static void a_nearly_full_target_says_so(void **state)
{
	(void)state;
	oss_test_run(t_state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_and_holes_are_found),
		cmocka_unit_test(space_and_state_are_told),
		cmocka_unit_test(a_nearly_full_target_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
