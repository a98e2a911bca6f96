/* SPDX-License-Identifier: Apache-2.0 */
/* What blob.h refuses before it makes any request, and how uploads are cut. */
#include "blob/blob_int.h"
#include "tests/unit/unit.h"

static struct loop *l;
static struct blob_error e;
static const struct blob_config good = {
	.service = BLOB_S3,
	.endpoint = "http://127.0.0.1:1",
	.container = "bucket",
	.retry = {.attempts = 1, .base_ms = 1, .cap_ms = 1, .total_ms = 1}};

static int setup(void **state)
{
	(void)state;
	setenv("AWS_ACCESS_KEY_ID", "AK", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "SK", 1);
	return blob_init() || loop_create(&l);
}

static int teardown(void **state)
{
	(void)state;
	fiber_pool_drain();
	loop_destroy(l);
	return 0;
}

static void open_fails(const struct blob_config *cfg, const char *words)
{
	struct blob_store *s = NULL;

	assert_int_equal(blob_open(l, cfg, &s, &e), -EINVAL);
	assert_int_equal(e.kind, BLOB_REFUSED);
	assert_non_null(strstr(e.words, words));
	assert_null(s);
}

static void configurations_are_checked(void **state)
{
	struct blob_config c = good;

	(void)state;
	c.endpoint = "127.0.0.1";
	open_fails(&c, "endpoint");
	c = good;
	c.container = "a/b";
	open_fails(&c, "container");
	c.container = "ab";
	open_fails(&c, "container");
	c = good;
	c.credentials = "/nonexistent";
	open_fails(&c, "credentials /nonexistent");
	c = good;
	c.region =
		"a-very-long-region-that-nobody-has-ever-heard-of-and-nobody-will-in-all-the-time";
	open_fails(&c, "region");
}

static void the_account_is_named_by_the_endpoint(void **state)
{
	struct blob_config c = {.service = BLOB_AZURE,
				.endpoint = "https://acct.blob.core.windows.net",
				.container = "abc"};
	struct blob_store *s;

	(void)state;
	assert_int_equal(blob_open(l, &c, &s, &e), 0);
	assert_string_equal(s->cred->azure.account, "acct");
	assert_int_equal(s->cfg.retry.attempts, 6);
	blob_close(s);
	c.endpoint = "http://127.0.0.1:10000/devstoreaccount1";
	assert_int_equal(blob_open(l, &c, &s, &e), 0);
	assert_string_equal(s->cred->azure.account, "devstoreaccount1");
	blob_close(s);
}

static void paths_of_both_styles(void **state)
{
	struct blob_config c = good;
	struct blob_store *s;
	struct str path = STR_INIT;

	(void)state;
	c.endpoint = "https://host/base";
	assert_int_equal(blob_open(l, &c, &s, &e), 0);
	call_path(s, "a b/../c", &path);
	assert_string_equal(path.p, "/base/bucket/a%20b/../c");
	str_clear(&path);
	call_path(s, NULL, &path);
	assert_string_equal(path.p, "/base/bucket");
	blob_close(s);
	c.virtual_host = true;
	assert_int_equal(blob_open(l, &c, &s, &e), 0);
	str_clear(&path);
	call_path(s, "x", &path);
	assert_string_equal(path.p, "/base/x");
	blob_close(s);
	str_fini(&path);
}

/* ---- in a fiber ---- */

static struct blob_store *store;

static void refuses(const char *name, const char *meta_name, const char *meta_value,
		    enum blob_kind kind)
{
	struct pairs meta = PAIRS_INIT;
	struct blob_write w = {.name = name, .meta = &meta};

	if (meta_name)
		assert_int_equal(pairs_add(&meta, meta_name, meta_value), 0);
	assert_true(blob_co_put(store, &w, NULL, 0, NULL, &e) < 0);
	assert_int_equal(e.kind, kind);
	pairs_fini(&meta);
}

static void co_bad_arguments(void *arg)
{
	struct blob_read r = {.name = "x", .buf = arg, .offset = UINT64_MAX, .len = 1};
	struct iovec big = {arg, BLOB_PUT_MAX + 1};
	struct blob_write w = {.name = "x"};
	struct blob_upload *u;
	char name[BLOB_NAME_MAX + 2], *value = calloc(1, BLOB_META_MAX + 2);

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	memset(value, 'x', BLOB_META_MAX + 1);
	refuses(name, NULL, NULL, BLOB_REFUSED);
	refuses("", NULL, NULL, BLOB_REFUSED);
	refuses("x", "Upper", "x", BLOB_REFUSED);
	refuses("x", "with-dash", "x", BLOB_REFUSED);
	refuses("x", "1st", "x", BLOB_REFUSED);
	refuses("x", "a", "x\r\nX-Evil: 1", BLOB_REFUSED);
	refuses("x", "a", "\xc3\xa4", BLOB_REFUSED);
	refuses("x", "a", " x", BLOB_REFUSED);
	refuses("x", "a", "x ", BLOB_REFUSED);
	refuses("x", "a", value, BLOB_REFUSED);
	refuses("x", "a", "",
		BLOB_BROKEN); /* nothing wrong with it, but nobody listens on port 1 */
	assert_int_equal(blob_co_read(store, &r, &e), -EINVAL);
	r = (struct blob_read){.name = "x", .buf = arg};
	assert_int_equal(blob_co_read(store, &r, &e), -EINVAL);
	assert_int_equal(blob_co_put(store, &w, &big, 1, NULL, &e), -EINVAL);
	assert_int_equal(blob_co_upload_begin(store, &w, 0, NULL, &u, &e), -EINVAL);
	assert_int_equal(blob_co_upload_begin(store, &w, UINT64_MAX, NULL, &u, &e), -EINVAL);
	assert_int_equal(blob_co_upload_begin(store, &w, 5, "7;x", &u, &e), -EINVAL);
	free(value);
	loop_stop(l);
}

static void bad_arguments_make_no_request(void **state)
{
	(void)state;
	assert_int_equal(blob_open(l, &good, &store, &e), 0);
	assert_int_equal(fiber_spawn(l, co_bad_arguments, &e), 0);
	loop_run(l);
	blob_close(store);
}

/* An upload without its requests: Azure's begins without one. */
static void co_cut(void *arg)
{
	static const struct {
		uint64_t size, wish, block;
		uint32_t n;
	} cuts[] = {
		{1, 8 * MIB, 8 * MIB, 1},
		{8 * MIB, 8 * MIB, 8 * MIB, 1},
		{8 * MIB + 1, 8 * MIB, 8 * MIB, 2},
		{5 * MIB, 1, MIB, 5},
		{50000 * 8 * MIB, 8 * MIB, 8 * MIB, 50000},
		{50000 * 8 * MIB + 1, 8 * MIB, 9 * MIB, 44445},
		{50000 * 4000 * MIB, 8 * MIB, 4000 * MIB, 50000},
	};
	struct blob_write w = {.name = "x"};
	struct blob_upload *u;

	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		store->cfg.block_size = cuts[i].wish;
		assert_int_equal(blob_co_upload_begin(store, &w, cuts[i].size, NULL, &u, &e), 0);
		assert_int_equal(blob_upload_block_size(u), cuts[i].block);
		assert_int_equal(blob_upload_blocks(u), cuts[i].n);
		assert_int_equal(upload_block_len(u, 0), min_u64(cuts[i].block, cuts[i].size));
		blob_upload_free(u);
	}
	assert_int_equal(blob_co_upload_begin(store, &w, 50000 * 4000 * MIB + 1, NULL, &u, &e),
			 -EINVAL);
	(void)arg;
	loop_stop(l);
}

static void uploads_are_cut_within_the_limits(void **state)
{
	struct blob_config c = {
		.service = BLOB_AZURE, .endpoint = "https://a.b", .container = "abc"};

	(void)state;
	assert_int_equal(blob_open(l, &c, &store, &e), 0);
	assert_int_equal(fiber_spawn(l, co_cut, NULL), 0);
	loop_run(l);
	blob_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configurations_are_checked),
		cmocka_unit_test(the_account_is_named_by_the_endpoint),
		cmocka_unit_test(paths_of_both_styles),
		cmocka_unit_test(bad_arguments_make_no_request),
		cmocka_unit_test(uploads_are_cut_within_the_limits),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
