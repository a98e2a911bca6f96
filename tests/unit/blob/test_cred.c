/* SPDX-License-Identifier: Apache-2.0 */
#include "blob/blob.h"
#include "blob/cred.h"
#include "tests/unit/unit.h"
#include <sys/stat.h>

static char dir[64], path[128];
static struct cred c;
static struct blob_error e;

static int setup(void **state)
{
	static const char *const env[] = {"AZURE_STORAGE_ACCOUNT",   "AZURE_STORAGE_KEY",
					  "AZURE_STORAGE_SAS_TOKEN", "SHEEN_MANAGED_IDENTITY",
					  "AZURE_CLIENT_ID",         "SHEEN_IDENTITY_URL",
					  "AWS_ACCESS_KEY_ID",       "AWS_SECRET_ACCESS_KEY",
					  "AWS_SESSION_TOKEN",       "AWS_REGION"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(env); i++)
		unsetenv(env[i]);
	tmp_make(dir);
	snprintf(path, sizeof(path), "%s/cred", dir);
	return hash_init();
}

static int teardown(void **state)
{
	(void)state;
	tmp_remove(dir);
	return 0;
}

static void save(const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void refused(int service, const char *text, const char *words)
{
	save(text, 0600);
	assert_int_equal(cred_load(service, path, &c, &e), -EINVAL);
	assert_int_equal(e.kind, BLOB_REFUSED);
	if (!strstr(e.words, words))
		print_error("%s\n", e.words);
	assert_non_null(strstr(e.words, words));
	assert_null(strstr(e.words, "SECRET"));
	assert_null(memmem(&c, sizeof(c), "SECRET", 6));
}

static void a_file_with_a_key(void **state)
{
	(void)state;
	save("# comment\n\n account_name = acct \naccount_key=c2VjcmV0\n", 0600);
	assert_int_equal(cred_load(BLOB_AZURE, path, &c, &e), 0);
	assert_int_equal(c.kind, CRED_AZURE_KEY);
	assert_string_equal(c.azure.account, "acct");
	assert_int_equal(c.azure.key_len, 6);
	assert_memory_equal(c.azure.key, "secret", 6);
	save("access_key_id=AK\r\nsecret_access_key=SK\nsession_token=a=b==\nregion=eu-west-1",
	     0400);
	assert_int_equal(cred_load(BLOB_S3, path, &c, &e), 0);
	assert_int_equal(c.kind, CRED_S3_KEY);
	assert_string_equal(c.s3.id, "AK");
	assert_string_equal(c.s3.secret, "SK");
	assert_string_equal(c.s3.token, "a=b==");
	assert_string_equal(c.s3.region, "eu-west-1");
}

static void others_must_not_read_it(void **state)
{
	static const mode_t bad[] = {0644, 0640, 0604, 0601, 0660, 0620};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		save("account_name=a\naccount_key=c2VjcmV0\n", bad[i]);
		assert_int_equal(cred_load(BLOB_AZURE, path, &c, &e), -EINVAL);
		assert_non_null(strstr(e.words, "chmod 600"));
	}
	assert_int_equal(cred_load(BLOB_AZURE, dir, &c, &e), -EINVAL);
	assert_int_equal(cred_load(BLOB_AZURE, "/nonexistent/file", &c, &e), -EINVAL);
	assert_non_null(strstr(e.words, "No such file"));
	if (geteuid() == 0) {
		save("account_name=a\naccount_key=c2VjcmV0\n", 0600);
		assert_int_equal(chown(path, 12345, 0), 0);
		assert_int_equal(cred_load(BLOB_AZURE, path, &c, &e), -EINVAL);
		assert_non_null(strstr(e.words, "owner is 12345"));
		assert_int_equal(chown(path, 0, 0), 0);
	}
}

static void malformed_files_are_refused_without_showing_them(void **state)
{
	char big[200];

	(void)state;
	refused(BLOB_AZURE, "SECRET\n", "line 1 is not");
	refused(BLOB_AZURE, "account_name=a\nSECRET=SECRET\n", "unknown name in line 2");
	refused(BLOB_AZURE, "account_key=SECRET!\n", "account_key");
	refused(BLOB_AZURE, "account_name=a\n", "no complete credentials");
	refused(BLOB_AZURE, "access_key_id=SECRET\n", "unknown name in line 1");
	refused(BLOB_S3, "access_key_id=SECRET\n", "no complete credentials");
	refused(BLOB_S3, "access_key_id=a\nsecret_access_key=SEC\033RET\n", "secret_access_key");
	refused(BLOB_AZURE, "sas_token=sig=SECRET with blank\n", "sas_token");
	refused(BLOB_AZURE, "", "no complete credentials");
	memset(big, 'A', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	memcpy(big, "secret_access_key=", 18);
	refused(BLOB_S3, big, "secret_access_key");
}

static void a_file_that_is_replaced_is_seen(void **state)
{
	(void)state;
	save("account_name=a\naccount_key=c2VjcmV0\n", 0600);
	assert_int_equal(cred_load(BLOB_AZURE, path, &c, &e), 0);
	assert_false(cred_changed(path, &c));
	save("account_name=a\naccount_key=c2VjcmV0bW9yZQ==\n", 0600);
	assert_true(cred_changed(path, &c));
	assert_int_equal(cred_load(BLOB_AZURE, path, &c, &e), 0);
	assert_false(cred_changed(path, &c));
	assert_int_equal(unlink(path), 0);
	assert_false(cred_changed(path, &c));
	assert_false(cred_changed(NULL, &c));
}

static int64_t sas_end_of(const char *sas)
{
	char text[300];

	snprintf(text, sizeof(text), "account_name=a\nsas_token=%s\n", sas);
	save(text, 0600);
	assert_int_equal(cred_load(BLOB_AZURE, path, &c, &e), 0);
	assert_int_equal(c.kind, CRED_AZURE_SAS);
	return c.sas_end;
}

static void a_sas_says_when_it_ends(void **state)
{
	(void)state;
	assert_int_equal(sas_end_of("?sv=1&se=2015-10-21T07%3A28%3A00Z&sig=x%2B"), 1445412480);
	assert_string_equal(c.sas, "sv=1&se=2015-10-21T07%3A28%3A00Z&sig=x%2B");
	assert_int_equal(sas_end_of("se=2015-10-21T07:28Z"), 1445412480);
	assert_int_equal(sas_end_of("a=b&se=2015-10-21"), 1445385600);
	assert_int_equal(sas_end_of("sv=1&use=2015-10-21"), INT64_MAX);
	assert_int_equal(sas_end_of("se=whenever"), INT64_MAX);
}

static void the_environment_serves_as_well(void **state)
{
	(void)state;
	assert_int_equal(cred_load(BLOB_S3, NULL, &c, &e), 0);
	assert_int_equal(c.kind, CRED_NONE);
	setenv("AWS_ACCESS_KEY_ID", "AK", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "SK", 1);
	setenv("AWS_SESSION_TOKEN", "", 1);
	assert_int_equal(cred_load(BLOB_S3, NULL, &c, &e), 0);
	assert_int_equal(c.kind, CRED_S3_KEY);
	assert_string_equal(c.s3.token, "");
	setenv("SHEEN_MANAGED_IDENTITY", "yes", 1);
	assert_int_equal(cred_load(BLOB_AZURE, NULL, &c, &e), 0);
	assert_int_equal(c.kind, CRED_IDENTITY);
	assert_string_equal(c.identity_url, CRED_IDENTITY_URL);
	setenv("AZURE_STORAGE_KEY", "no base64!", 1);
	assert_int_equal(cred_load(BLOB_AZURE, NULL, &c, &e), -EINVAL);
	assert_non_null(strstr(e.words, "environment"));
	unsetenv("AZURE_STORAGE_KEY");
	unsetenv("SHEEN_MANAGED_IDENTITY");
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_with_a_key),
		cmocka_unit_test(others_must_not_read_it),
		cmocka_unit_test(malformed_files_are_refused_without_showing_them),
		cmocka_unit_test(a_file_that_is_replaced_is_seen),
		cmocka_unit_test(a_sas_says_when_it_ends),
		cmocka_unit_test(the_environment_serves_as_well),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
