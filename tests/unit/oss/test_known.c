/* SPDX-License-Identifier: Apache-2.0 */
/* test_known.c - a target knows after a restart which clients may have something for it. */
#include "oss/known.h"
#include "tests/unit/oss/oss_test.h"

static struct rpc_session session(uint32_t n)
{
	struct rpc_session s = {0};

	memset(s.uuid, (int)n + 1, UUID_LEN);
	snprintf(s.name, sizeof(s.name), "client number %u", n);
	return s;
}

static uint32_t used(const struct known *k)
{
	uint32_t n, sum = 0;
	const struct known_client *c = known_all(k, &n);

	for (uint32_t i = 0; i < n; i++)
		sum += c[i].used;
	return sum;
}

static void reopen(struct oss_test *t, struct known **k)
{
	known_close(*k);
	CHECK_RC(known_co_open(t->ost, k), 0);
}

static void t_kept(struct oss_test *t)
{
	const struct known_client *c;
	struct rpc_session s;
	struct known *k;
	uint32_t n;

	CHECK_RC(known_co_open(t->ost, &k), 0);
	assert_int_equal(used(k), 0);
	for (uint32_t i = 0; i < 40; i++) {
		s = session(i);
		CHECK_RC(known_co_enter(k, &s), 0);
		CHECK_RC(known_co_enter(k, &s), 0); /* again */
	}
	assert_int_equal(used(k), 40);
	s = session(3);
	known_co_leave(k, s.uuid);
	reopen(t, &k);
	assert_int_equal(used(k), 39);
	c = known_all(k, &n);
	assert_false(c[3].used);
	assert_true(c[4].used && c[4].old);
	s = session(4);
	assert_memory_equal(c[4].uuid, s.uuid, UUID_LEN);
	assert_string_equal(c[4].name, "client number 4");
	CHECK_RC(known_co_enter(k, &s), 0);
	known_co_forget_old(k);
	assert_int_equal(used(k), 1);
	reopen(t, &k);
	assert_int_equal(used(k), 1);
	known_close(k);
}

static void clients_are_kept_until_they_leave(void **state)
{
	(void)state;
	oss_test_run(t_kept);
}

/* The disk may hold anything. */
static void t_damaged(struct oss_test *t)
{
	struct rpc_session s = session(1);
	struct known *k;
	char path[128];
	FILE *f;

	CHECK_RC(known_co_open(t->ost, &k), 0);
	CHECK_RC(known_co_enter(k, &s), 0);
	known_close(k);
	snprintf(path, sizeof(path), "%s/%s", t->dir, KNOWN_PATH);
	f = fopen(path, "r+");
	assert_non_null(f);
	fputs("zz", f);
	fseek(f, 0, SEEK_END);
	fputs("0123 torn", f);
	fclose(f);
	CHECK_RC(known_co_open(t->ost, &k), 0);
	assert_int_equal(used(k), 0);
	CHECK_RC(known_co_enter(k, &s), 0);
	reopen(t, &k);
	assert_int_equal(used(k), 1);
	known_close(k);
}

static void damaged_lines_are_free(void **state)
{
	(void)state;
	oss_test_run(t_damaged);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_are_kept_until_they_leave),
		cmocka_unit_test(damaged_lines_are_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
