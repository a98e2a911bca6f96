/* SPDX-License-Identifier: Apache-2.0 */
/* test_tool_json.c - members of every kind, nested, as text that a parser takes. */
#include "client/tools/tool_json.h"
#include "tests/unit/unit.h"

static void values_come_out_as_they_went_in(void **state)
{
	struct json_object *o = json_object_new_object(), *a, *back;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	json_put_str(o, "text", "a/b \"c\"\n");
	json_put_u64(o, "big", UINT64_MAX);
	json_put_i64(o, "small", -1);
	json_put_bool(o, "yes", true);
	a = json_put_array(o, "list");
	json_put_str(json_add_object(a), "name", "x");
	json_print(f, o);
	fclose(f);
	assert_non_null(strstr(text, "\"a/b \\\"c\\\"\\n\"")); /* slashes stay as they are */
	back = json_tokener_parse(text);
	assert_non_null(back);
	assert_true(json_object_get_uint64(json_object_object_get(back, "big")) == UINT64_MAX);
	assert_int_equal(json_object_get_int64(json_object_object_get(back, "small")), -1);
	assert_true(json_object_get_boolean(json_object_object_get(back, "yes")));
	assert_int_equal(json_object_array_length(json_object_object_get(back, "list")), 1);
	json_object_put(back);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_out_as_they_went_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
