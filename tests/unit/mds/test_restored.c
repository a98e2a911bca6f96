/* SPDX-License-Identifier: Apache-2.0 */
/* test_restored.c - a restored MDT skips sequences, once. */
#include "mds/restored.h"
#include "tests/unit/mds/mds_test.h"
#include <fcntl.h>

static void sequences_are_skipped_while_the_mark_is_there(void **state)
{
	struct mt m;
	uint64_t before, after;
	char path[128];
	int fd;

	(void)state;
	mt_init(&m);
	assert_int_equal(config_alloc_seq(m.t, &before), 0);
	assert_int_equal(restored_skip(m.t, m.dir), 0);
	assert_int_equal(config_alloc_seq(m.t, &after), 0);
	assert_int_equal(after, before + 1);
	snprintf(path, sizeof(path), "%s/restored", m.dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(restored_skip(m.t, m.dir), 0);
	restored_done(m.dir);
	restored_done(m.dir); /* no error */
	assert_int_equal(config_alloc_seq(m.t, &before), 0);
	assert_true(before > after + 1000000);
	assert_int_equal(restored_skip(m.t, m.dir), 0);
	assert_int_equal(config_alloc_seq(m.t, &after), 0);
	assert_int_equal(after, before + 1);
	mt_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequences_are_skipped_while_the_mark_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
