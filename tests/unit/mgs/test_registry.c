/* SPDX-License-Identifier: Apache-2.0 */
#include "mgs/registry.h"
#include "tests/unit/unit.h"

static struct registry *reg;
static char why[512];

static int setup(void **state)
{
	(void)state;
	return registry_create(&reg);
}

static int teardown(void **state)
{
	(void)state;
	registry_destroy(reg);
	return 0;
}

static const uint8_t uuid_a[UUID_LEN] = {1}, uuid_b[UUID_LEN] = {2};

static struct mgs_register_req request(const char *fs, uint8_t type, uint32_t index,
				       const uint8_t *uuid, const char *nids)
{
	return (struct mgs_register_req){.fsname = SPAN_STR(fs), .type = type, .index = index,
					 .uuid = {uuid, UUID_LEN}, .nids = SPAN_STR(nids)};
}

static int join(const char *fs, uint8_t type, uint32_t index, const uint8_t *uuid, const char *nids)
{
	struct mgs_register_req q = request(fs, type, index, uuid, nids);
	struct reg_target t;
	int rc = registry_check_target(reg, &q, &t, why, sizeof(why));

	return rc ? rc : registry_put_target(reg, &t);
}

static void a_target_joins_and_comes_back(void **state)
{
	const struct reg_target *t;

	(void)state;
	assert_false(registry_has_fs(reg, "fs"));
	assert_int_equal(join("fs", TARGET_OST, 10, uuid_a, "1.1.1.1@tcp:990"), 0);
	assert_true(registry_has_fs(reg, "fs"));
	t = registry_find(reg, "fs-OST000a");
	assert_non_null(t);
	assert_int_equal(t->starts, 1);
	assert_int_equal(join("fs", TARGET_OST, 10, uuid_a, "2.2.2.2@tcp:991"), 0);
	t = registry_find(reg, "fs-OST000a");
	assert_int_equal(t->starts, 2);
	assert_string_equal(t->nids, "2.2.2.2@tcp:991");
	assert_null(registry_find(reg, "fs-OST000b"));
}

static void an_index_belongs_to_one_uuid(void **state)
{
	(void)state;
	assert_int_equal(join("fs", TARGET_OST, 1, uuid_a, "1.1.1.1@tcp:990"), 0);
	assert_int_equal(join("fs", TARGET_OST, 1, uuid_b, "2.2.2.2@tcp:990"), -EEXIST);
	assert_non_null(strstr(why, "index already in use"));
	assert_non_null(strstr(why, "01000000-0000-0000-0000-000000000000"));
	assert_non_null(strstr(why, "02000000-0000-0000-0000-000000000000"));
	assert_string_equal(registry_find(reg, "fs-OST0001")->nids, "1.1.1.1@tcp:990");
	assert_int_equal(join("fs", TARGET_MDT, 1, uuid_b, "2.2.2.2@tcp:990"), 0);
	assert_int_equal(join("fs2", TARGET_OST, 1, uuid_b, "2.2.2.2@tcp:990"), 0);
}

static void bad_registrations_are_refused_in_words(void **state)
{
	static const struct {
		const char *fs;
		uint8_t type;
		uint32_t index;
		const char *nids, *says;
	} bad[] = {
		{"", TARGET_OST, 0, "1.1.1.1@tcp:1", "file system name"},
		{"lustrefs1", TARGET_OST, 0, "1.1.1.1@tcp:1", "file system name"},
		{"a\nb", TARGET_OST, 0, "1.1.1.1@tcp:1", "file system name"},
		{"fs", TARGET_MGS, 0, "1.1.1.1@tcp:1", "type 1"},
		{"fs", 9, 0, "1.1.1.1@tcp:1", "type 9"},
		{"fs", TARGET_OST, MAX_OST_INDEX + 1, "1.1.1.1@tcp:1", "index 65504"},
		{"fs", TARGET_OST, 0, "", "no network"},
		{"fs", TARGET_OST, 0, "1.1.1.1@tcp", "port missing"},
		{"fs", TARGET_OST, 0, "0.0.0.0@tcp:1", "wildcard"},
		{"fs", TARGET_OST, 0, "somehost@tcp:1", "numeric"},
		{"fs", TARGET_OST, 0, "1.1.1.1@tcp:1\x1b", "text of addresses"},
	};
	struct mgs_register_req q;
	struct reg_target t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(join(bad[i].fs, bad[i].type, bad[i].index, uuid_a, bad[i].nids),
				 -EINVAL);
		if (!strstr(why, bad[i].says))
			fail_msg("case %zu gives \"%s\"", i, why);
	}
	q = request("fs", TARGET_OST, 0, uuid_a, "1.1.1.1@tcp:1");
	q.uuid.len = 15;
	assert_int_equal(registry_check_target(reg, &q, &t, why, sizeof(why)), -EINVAL);
	assert_false(registry_has_fs(reg, "fs"));
}

static void configuration_lists_the_targets_of_one_file_system_in_order(void **state)
{
	static const char *const want[] = {"fs-MDT0000", "fs-OST0000", "fs-OST0001", "fs-OST0010"};
	struct wbuf targets, params, boots;
	struct mgs_target t;
	struct rbuf r;

	(void)state;
	assert_int_equal(join("fs", TARGET_OST, 16, uuid_a, "1.1.1.1@tcp:1"), 0);
	assert_int_equal(join("fs", TARGET_OST, 1, uuid_a, "1.1.1.1@tcp:1"), 0);
	assert_int_equal(join("fz", TARGET_OST, 1, uuid_a, "1.1.1.1@tcp:1"), 0);
	assert_int_equal(join("fs", TARGET_MDT, 0, uuid_a, "1.1.1.1@tcp:1"), 0);
	assert_int_equal(join("fa", TARGET_OST, 1, uuid_a, "1.1.1.1@tcp:1"), 0);
	assert_int_equal(join("fs", TARGET_OST, 0, uuid_a, "1.1.1.1@tcp:1"), 0);
	wbuf_init(&targets, MAX_BODY);
	wbuf_init(&params, MAX_BODY);
	wbuf_init(&boots, MAX_BODY);
	assert_int_equal(registry_enc(reg, SPAN_STR("nofs"), &targets, &params, &boots), -ENOENT);
	assert_int_equal(registry_enc(reg, SPAN_STR("much longer"), &targets, &params, &boots),
			 -ENOENT);
	assert_int_equal(registry_enc(reg, SPAN_STR("fs"), &targets, &params, &boots), 0);
	r = rbuf_of(wbuf_span(&targets));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(dec_mgs_target(&r, &t), 0);
		assert_true(span_eq(t.name, SPAN_STR(want[i])));
	}
	assert_int_equal(r.len, 0);
	assert_int_equal(boots.len, 8 * ARRAY_SIZE(want));
	targets.len = 0;
	registry_print_filesystems(reg, &targets);
	assert_true(span_eq(wbuf_span(&targets), SPAN_STR("fa\nfs\nfz\n")));
	wbuf_fini(&targets);
	wbuf_fini(&params);
	wbuf_fini(&boots);
}

static int set(const char *name, const char *value)
{
	struct span v = value ? SPAN_STR(value) : SPAN_NONE;
	int rc = registry_check_param(reg, SPAN_STR(name), value ? &v : NULL);

	return rc ? rc : registry_put_param(reg, name, value);
}

static void assert_params(const char *want)
{
	struct wbuf w;

	wbuf_init(&w, MAX_BODY);
	registry_print_params(reg, &w);
	assert_true(span_eq(wbuf_span(&w), SPAN_STR(want)));
	wbuf_fini(&w);
}

static void parameters_are_set_replaced_and_forgotten(void **state)
{
	(void)state;
	assert_int_equal(set("osc.*.checksums", "0"), 0);
	assert_int_equal(set("llite.*.x", "a b=c"), 0);
	assert_params("llite.*.x=a b=c\nosc.*.checksums=0\n");
	assert_int_equal(set("osc.*.checksums", "1"), 0);
	assert_int_equal(set("llite.*.x", NULL), 0);
	assert_params("osc.*.checksums=1\n");
	assert_int_equal(set("llite.*.x", NULL), -ENOENT);
	assert_int_equal(set("osc.*.checksums", ""), 0);
	assert_params("osc.*.checksums=\n");
}

static void bad_parameters_are_refused(void **state)
{
	char text[MAX_PARAM_VALUE + 2];

	(void)state;
	assert_int_equal(set("", "1"), -EINVAL);
	assert_int_equal(set("a=b", "1"), -EINVAL);
	assert_int_equal(set("a b", "1"), -EINVAL);
	assert_int_equal(set("a\n", "1"), -EINVAL);
	assert_int_equal(set("a", "1\n"), -EINVAL);
	memset(text, 'x', sizeof(text));
	text[MAX_PARAM_VALUE + 1] = 0;
	assert_int_equal(set("a", text), -EINVAL);
	text[MAX_PARAM_VALUE] = 0;
	assert_int_equal(set("a", text), 0);
	text[MAX_PARAM_NAME + 1] = 0;
	assert_int_equal(set(text, "1"), -EINVAL);
	text[MAX_PARAM_NAME] = 0;
	assert_int_equal(set(text, "1"), 0);
}

static void parameters_end_where_a_reply_ends(void **state)
{
	char name[16], value[1001];
	int i, rc = 0;

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = 0;
	for (i = 0; i < 1000 && rc == 0; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		rc = set(name, value);
	}
	assert_int_equal(rc, -ENOSPC);
	assert_true(i > 50);
	assert_int_equal(set("p0", "shorter"), 0);
}

static void targets_end_where_a_reply_ends(void **state)
{
	struct wbuf targets, params, boots;
	uint32_t i;
	int rc = 0;

	(void)state;
	for (i = 0; rc == 0 && i < 60000; i++) {
		struct reg_target t = {.fsname = "fs", .type = TARGET_OST, .index = i,
				       .nids = "10.10.10.10@tcp:12345"};

		/* Loading does not ask; the check does. */
		target_name_make("fs", TARGET_OST, i, t.name);
		if (i % 100 == 99)
			rc = join("fs", TARGET_OST, i, t.uuid, t.nids);
		else
			rc = registry_put_target(reg, &t);
	}
	assert_int_equal(rc, -ENOSPC);
	assert_true(i > 1800);
	wbuf_init(&targets, MAX_CONFIG_TARGETS + 100 * 200);
	wbuf_init(&params, MAX_CONFIG_PARAMS);
	wbuf_init(&boots, MAX_CONFIG_BOOTS);
	assert_int_equal(registry_enc(reg, SPAN_STR("fs"), &targets, &params, &boots), 0);
	wbuf_fini(&targets);
	wbuf_fini(&params);
	wbuf_fini(&boots);
}

static void live_shows_what_an_administrator_asks_for(void **state)
{
	struct wbuf w;
	char *text;

	(void)state;
	assert_int_equal(join("fs", TARGET_OST, 0, uuid_a, "1.1.1.1@tcp:990"), 0);
	registry_set_version(reg, 41);
	assert_int_equal(registry_version(reg), 41);
	wbuf_init(&w, MAX_BODY);
	registry_print_live(reg, "fs", &w);
	wbuf_put(&w, "", 1);
	text = (char *)w.ptr;
	assert_non_null(strstr(text, "fsname: fs\n"));
	assert_non_null(strstr(text, "nids_version: 41\n"));
	assert_non_null(strstr(text, "- name: fs-OST0000\n  nids: [ 1.1.1.1@tcp:990 ]\n"));
	assert_non_null(strstr(text, "starts: 1\n"));
	wbuf_fini(&w);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_target_joins_and_comes_back),
		T(an_index_belongs_to_one_uuid),
		T(bad_registrations_are_refused_in_words),
		T(configuration_lists_the_targets_of_one_file_system_in_order),
		T(parameters_are_set_replaced_and_forgotten),
		T(bad_parameters_are_refused),
		T(parameters_end_where_a_reply_ends),
		T(targets_end_where_a_reply_ends),
		T(live_shows_what_an_administrator_asks_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
