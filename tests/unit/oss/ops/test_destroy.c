/* SPDX-License-Identifier: Apache-2.0 */
/* test_destroy.c - removal of objects. */
#include "tests/unit/oss/oss_test.h"

static void t_gone(struct oss_test *t)
{
	struct object_attr a;
	struct object_id id = {TEST_OBJ};
	char path[200], obj[OBJECT_PATH_MAX];
	uint32_t n = 0;

	CHECK_RC(oss_test_write(t, NULL, 0, "0123456789", 10, 0), 0);
	snprintf(path, sizeof(path), "%s/%s", t->dir, object_path(&id, obj));
	assert_int_equal(access(path, F_OK), 0);
	CHECK_RC(oss_test_destroy(t, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(access(path, F_OK), -1);
	CHECK_RC(oss_test_getattr(t, &a), 0);
	assert_int_equal(a.flags, 0);
	CHECK_RC(oss_test_destroy(t, &n), 0); /* the answer was lost */
	assert_int_equal(n, 1);
	CHECK_RC(oss_test_write(t, NULL, 0, "late", 4, 0), -ESTALE);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_late_write_does_not_bring_a_destroyed_object_back(void **state)
{
	(void)state;
	oss_test_run(t_gone);
}

static void t_bad(struct oss_test *t)
{
	struct oss_object rec = {TEST_OBJ};
	struct oss_destroy_req q;
	struct oss_destroy_rep p;
	uint8_t mem[64];
	struct wbuf w;
	RPC_CALL(cut);
	RPC_CALL(none);
	RPC_CALL(impossible);

	CHECK_RC(oss_test_write(t, NULL, 0, "x", 1, 0), 0);
	q.objects = SPAN_NONE;
	CHECK_RC(oss_co_destroy(t->imp, &none, &q, &p), 0);
	assert_int_equal(p.destroyed, 0);
	wbuf_init_fixed(&w, mem, sizeof(mem));
	enc_oss_object(&w, &rec);
	q.objects = (struct span){mem, w.len - 1};
	CHECK_RC(oss_co_destroy(t->imp, &cut, &q, &p), -EBADMSG);
	rec.comp = 0;
	enc_oss_object(&w, &rec);
	q.objects = wbuf_span(&w);
	CHECK_RC(oss_co_destroy(t->imp, &impossible, &q, &p), -EINVAL);
	CHECK_RC(oss_test_read(t, 0, mem, 1), 1); /* nothing of a bad batch is done */
}

static void a_damaged_batch_destroys_nothing(void **state)
{
	(void)state;
	oss_test_run(t_bad);
}

static int write_some(void *arg)
{
	int rc = oss_test_write(arg, NULL, 0, "0123456789", 10, 0);

	return rc == -ESTALE ? 0 : rc;
}

static int destroy_it(void *arg)
{
	uint32_t n;

	return oss_test_destroy(arg, &n);
}

/* Whatever the order, in the end it is gone and nobody hangs. */
static void t_race(struct oss_test *t)
{
	struct co_group g = CO_GROUP_INIT;
	struct object_attr a;

	for (int i = 0; i < 10; i++)
		co_spawn(&g, write_some, t);
	co_spawn(&g, destroy_it, t);
	for (int i = 0; i < 10; i++)
		co_spawn(&g, write_some, t);
	CHECK_RC(co_join(&g), 0);
	CHECK_RC(oss_test_getattr(t, &a), 0);
	assert_int_equal(a.flags, 0);
}

static void destroying_between_writes_ends_well(void **state)
{
	(void)state;
	oss_test_run(t_race);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_late_write_does_not_bring_a_destroyed_object_back),
		cmocka_unit_test(a_damaged_batch_destroys_nothing),
		cmocka_unit_test(destroying_between_writes_ends_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
