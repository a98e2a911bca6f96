/* SPDX-License-Identifier: Apache-2.0 */
/* test_sheenctl_archive.c - what is remembered of archives and of their jobs. */
#include "client/tools/sheenctl_archive.h"
#include "client/tools/tool_json.h"
#include "tests/lib/tmpdir.h"
#include "tests/unit/unit.h"
#include <stdlib.h>
#include <unistd.h>

static char dir[TMPDIR_LEN];

static int setup(void **state)
{
	(void)state;
	tmpdir_make(dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tmpdir_remove(dir);
	return 0;
}

static struct ctl_archive training(const char *name, uint32_t id)
{
	struct ctl_archive a = {.id = id, .maximum_errors = -1};

	snprintf(a.name, sizeof(a.name), "%s", name);
	snprintf(a.path, sizeof(a.path), "/data/training");
	snprintf(a.url, sizeof(a.url), "https://account.blob.core.windows.net");
	snprintf(a.container, sizeof(a.container), "c");
	snprintf(a.conflicts, sizeof(a.conflicts), "Skip");
	snprintf(a.credentials, sizeof(a.credentials), "/etc/sheen/cred");
	return a;
}

static void put_file(const char *name, const char *text)
{
	char path[TMPDIR_LEN + 64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void what_was_asked_for_is_remembered(void **state)
{
	struct ctl_archive a = training("b", 7), got, *all;
	uint32_t n;

	(void)state;
	assert_int_equal(ctl_archives_read(dir, &all, &n), 0); /* there are none */
	assert_int_equal(n, 0);
	assert_int_equal(ctl_archive_read(dir, "b", &got), -ENOENT);
	assert_int_equal(ctl_archive_write(dir, &a), 0);
	assert_int_equal(ctl_archive_read(dir, "b", &got), 0);
	assert_memory_equal(&got, &a, sizeof(a));
	a = training("a", 1);
	assert_int_equal(ctl_archive_write(dir, &a), 0);
	put_file("archives/.hidden.json", "x");
	put_file("archives/other", "x");
	assert_int_equal(ctl_archives_read(dir, &all, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(all[0].name, "a");
	assert_string_equal(all[1].name, "b");
	free(all);
	assert_int_equal(ctl_archive_remove(dir, "b"), 0);
	assert_int_equal(ctl_archive_read(dir, "b", &got), -ENOENT);
}

static void a_record_that_makes_no_sense_is_refused(void **state)
{
	struct ctl_archive got, *all;
	uint32_t n;

	(void)state;
	got = training("a", 1);
	assert_int_equal(ctl_archive_write(dir, &got), 0);
	put_file("archives/a.json", "{\"name\": \"a\", \"archiveId\": 33}");
	assert_int_equal(ctl_archive_read(dir, "a", &got), -EINVAL);
	put_file("archives/a.json", "");
	assert_int_equal(ctl_archive_read(dir, "a", &got), -EINVAL);
	assert_int_equal(ctl_archives_read(dir, &all, &n), -EINVAL);
	assert_null(all);
}

static void jobs_leave_their_state(void **state)
{
	struct ctl_archive a = training("a", 1);
	char text[32], path[TMPDIR_LEN + 32];

	(void)state;
	assert_int_equal(ctl_archive_write(dir, &a), 0);
	snprintf(path, sizeof(path), "%s/archives/import", dir);
	assert_int_equal(ctl_mkdirs(path), 0);
	ctl_job_state(dir, "a", CTL_IMPORT, text);
	assert_string_equal(text, "");
	assert_null(ctl_job_status(dir, "a", CTL_IMPORT));
	put_file("archives/import/a.status", "{\"state\": \"InProgress\", \"totalErrors\": 3}");
	ctl_job_state(dir, "a", CTL_IMPORT, text);
	assert_string_equal(text, "InProgress");
	assert_false(ctl_job_is_over(text));
	assert_int_equal(ctl_job_set_state(dir, "a", CTL_IMPORT, "Canceled"), 0);
	ctl_job_state(dir, "a", CTL_IMPORT, text);
	assert_true(ctl_job_is_over(text));
	ctl_job_state(dir, "a", CTL_EXPORT, text);
	assert_string_equal(text, "");
	put_file("archives/import/a.resume", "x");
	assert_int_equal(ctl_job_begin(dir, "a", CTL_IMPORT), 0);
	ctl_job_state(dir, "a", CTL_IMPORT, text);
	assert_string_equal(text, "InProgress");
	snprintf(path, sizeof(path), "%s/archives/import/a.resume", dir);
	assert_int_equal(access(path, F_OK), -1); /* of the one before */
	put_file("archives/import/a.resume", "x");
	assert_int_equal(ctl_job_begin(dir, "a", CTL_IMPORT), 0);
	assert_int_equal(access(path, F_OK), 0); /* it goes on */
	put_file("archives/import/a.status", "{torn");
	ctl_job_state(dir, "a", CTL_IMPORT, text);
	assert_string_equal(text, "");
	assert_int_equal(ctl_archive_remove(dir, "a"), 0);
	assert_null(ctl_job_status(dir, "a", CTL_IMPORT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_asked_for_is_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(a_record_that_makes_no_sense_is_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(jobs_leave_their_state, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
