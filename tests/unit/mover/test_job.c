/* SPDX-License-Identifier: Apache-2.0 */
/* test_job.c - what is known of a job from outside, and where it goes on. */
#include "mover/job.h"
#include "tests/unit/unit.h"
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/stat.h>

struct dir {
	char path[64];
	struct loop *l;
	char why[256];
};

static void setup(struct dir *d)
{
	tmp_make(d->path);
	assert_int_equal(loop_create(&d->l), 0);
}

static void teardown(struct dir *d)
{
	loop_destroy(d->l);
	tmp_remove(d->path);
}

static struct job_cfg cfg(struct dir *d)
{
	return (struct job_cfg){
		.name = "j-1", .dir = d->path, .path = "a", .prefix = "p/", .maximum_errors = 1};
}

static struct job *start(struct dir *d)
{
	struct job_cfg c = cfg(d);
	struct job *j;

	assert_int_equal(job_open(d->l, &c, &j, d->why, sizeof(d->why)), 0);
	return j;
}

/* A field of the status, as text. */
static const char *field(struct dir *d, const char *name)
{
	static char text[256];
	struct json_object *o, *v;
	char path[128];

	snprintf(path, sizeof(path), "%s/j-1.status", d->path);
	o = json_object_from_file(path);
	assert_non_null(o);
	assert_true(json_object_object_get_ex(o, name, &v));
	snprintf(text, sizeof(text), "%s", json_object_get_string(v));
	json_object_put(o);
	return text;
}

static bool there(struct dir *d, const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	return stat(path, &st) == 0;
}

static void the_status_tells(void **state)
{
	struct dir d;
	struct job *j;

	(void)state;
	setup(&d);
	j = start(&d);
	assert_string_equal(field(&d, "state"), "InProgress");
	assert_string_equal(field(&d, "type"), "import");
	assert_string_equal(field(&d, "filesystemPath"), "a");
	assert_string_equal(field(&d, "prefix"), "p/");
	assert_string_equal(field(&d, "lastCompletionTime"), "");
	job_counts(j)->blobs_walked = 12;
	job_co_end(j, JOB_COMPLETED, "%s", "");
	job_close(j);
	assert_string_equal(field(&d, "state"), "Completed");
	assert_string_equal(field(&d, "totalBlobsWalked"), "12");
	assert_string_equal(field(&d, "totalErrors"), "0");
	assert_int_equal(strlen(field(&d, "lastCompletionTime")), strlen("2026-01-02T03:04:05Z"));
	teardown(&d);
}

static void errors_are_counted(void **state)
{
	struct dir d;
	struct job *j;

	(void)state;
	setup(&d);
	j = start(&d);
	assert_true(job_co_error(j, "a\xff\n", -EIO, NULL));
	assert_false(job_too_many(j));
	assert_false(job_co_error(j, "b", -EINVAL, "why"));
	assert_true(job_too_many(j));
	job_co_note(j, "c", 0, "no error");
	job_co_end(j, JOB_COMPLETED, "%s", "\xff\x01\xc3\xa4\xed\xa0\x80\xc0\x80");
	job_close(j);
	assert_string_equal(field(&d, "statusMessage"), "%FF%01\xc3\xa4%ED%A0%80%C0%80");
	assert_string_equal(field(&d, "state"), "CompletedPartial");
	assert_string_equal(field(&d, "totalErrors"), "2");
	teardown(&d);
}

static void it_goes_on_where_it_was(void **state)
{
	struct dir d;
	struct job *j;

	(void)state;
	setup(&d);
	j = start(&d);
	assert_null(job_resume(j));
	job_counts(j)->blobs_walked = 5;
	assert_int_equal(job_resume_put(j, "[\"a\",\"\\u00e4\"]"), 0);
	assert_string_equal(job_resume(j), "[\"a\",\"\\u00e4\"]");
	job_counts(j)->blobs_walked = 9; /* since then */
	job_close(j);			 /* killed */
	j = start(&d);
	assert_string_equal(job_resume(j), "[\"a\",\"\\u00e4\"]");
	assert_int_equal(job_counts(j)->blobs_walked, 5);
	assert_string_equal(field(&d, "totalBlobsWalked"), "5");
	job_co_end(j, JOB_IN_PROGRESS, "%s", "stopped");
	job_close(j);
	assert_string_equal(field(&d, "state"), "InProgress");
	assert_string_equal(field(&d, "statusMessage"), "stopped");
	j = start(&d);
	assert_non_null(job_resume(j));
	job_co_end(j, JOB_FAILED, "%s", "for some reason");
	job_close(j);
	assert_false(there(&d, "j-1.resume"));
	j = start(&d); /* from the start */
	assert_null(job_resume(j));
	assert_int_equal(job_counts(j)->blobs_walked, 0);
	job_close(j);
	teardown(&d);
}

static void put_file(struct dir *d, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void what_is_no_marker_is_none(void **state)
{
	static const char *const bad[] = {"",		    "{",	  "[]", "{\"marker\": 1}",
					  "{\"counts\": 7}", "null", "\"x\""};
	struct dir d;
	struct job *j;
	uint32_t i;

	(void)state;
	setup(&d);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		job_close(start(&d)); /* InProgress */
		put_file(&d, "j-1.resume", bad[i]);
		j = start(&d);
		assert_null(job_resume(j));
		job_close(j);
		put_file(&d, "j-1.status", bad[i]);
		job_close(start(&d));
	}
	job_close(start(&d));
	put_file(&d, "j-1.resume",
		 "{\"marker\": \"m\", \"counts\": {\"totalErrors\": -4, \"totalFiles\": \"x\"}}");
	j = start(&d);
	assert_string_equal(job_resume(j), "m");
	assert_int_equal(job_counts(j)->errors, 0);
	job_close(j);
	teardown(&d);
}

static void nobody_else_has_it(void **state)
{
	struct job_cfg c;
	struct job *j, *other;
	struct dir d;

	(void)state;
	setup(&d);
	c = cfg(&d);
	j = start(&d);
	assert_int_equal(job_open(d.l, &c, &other, d.why, sizeof(d.why)), -EBUSY);
	assert_non_null(strstr(d.why, "runs already"));
	job_cannot_start(&c, "it cannot");
	assert_string_equal(field(&d, "state"), "InProgress");
	job_close(j);
	job_cannot_start(&c, "it cannot");
	assert_string_equal(field(&d, "state"), "Failed");
	assert_string_equal(field(&d, "statusMessage"), "it cannot");
	c.dir = "/nowhere/at/all";
	assert_int_equal(job_open(d.l, &c, &other, d.why, sizeof(d.why)), -ENOENT);
	teardown(&d);
}

static void names_are_checked(void **state)
{
	char big[100] = {0};

	(void)state;
	assert_true(job_name_ok("a"));
	assert_true(job_name_ok("Import-2026_01.02"));
	assert_false(job_name_ok(""));
	assert_false(job_name_ok(".a"));
	assert_false(job_name_ok("-a"));
	assert_false(job_name_ok("a/b"));
	assert_false(job_name_ok("a b"));
	assert_false(job_name_ok("\xc3\xa4"));
	memset(big, 'x', 80);
	assert_true(job_name_ok(big));
	big[80] = 'x';
	assert_false(job_name_ok(big));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_status_tells),
		cmocka_unit_test(errors_are_counted),
		cmocka_unit_test(it_goes_on_where_it_was),
		cmocka_unit_test(what_is_no_marker_is_none),
		cmocka_unit_test(nobody_else_has_it),
		cmocka_unit_test(names_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
