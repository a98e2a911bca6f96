/* SPDX-License-Identifier: Apache-2.0 */
#include "blob/token.h"
#include "tests/unit/unit.h"

static int parse(const char *json, struct token *t)
{
	uint8_t *copy = exact_copy(json, strlen(json));
	int rc = token_parse((char *)copy, strlen(json), 1000, t);

	free(copy);
	return rc;
}

static void tokens_of_the_service(void **state)
{
	struct token t = {0};

	(void)state;
	assert_true(token_is_old(&t, 0));
	assert_int_equal(parse("{\"access_token\":\"ey.J.x\",\"expires_in\":\"3599\",\"expires_"
			       "on\":\"9\",\"token_type\":\"Bearer\"}",
			       &t),
			 0);
	assert_string_equal(t.text, "ey.J.x");
	assert_int_equal(t.end, 4599);
	assert_false(token_is_old(&t, 4599 - TOKEN_MARGIN_S - 1));
	assert_true(token_is_old(&t, 4599 - TOKEN_MARGIN_S));
	token_fini(&t);
	assert_int_equal(parse("{\"access_token\":\"a\",\"expires_on\":5000}", &t), 0);
	assert_int_equal(t.end, 5000);
	token_fini(&t);
}

static void other_answers_are_no_tokens(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"[]",
		"{}",
		"\"access_token\"",
		"{\"access_token\":\"a\"}",
		"{\"expires_in\":5}",
		"{\"access_token\":5,\"expires_in\":5}",
		"{\"access_token\":\"\",\"expires_in\":5}",
		"{\"access_token\":\"a\\r\\nX: y\",\"expires_in\":5}",
		"{\"access_token\":\"a b\",\"expires_in\":5}",
		"{\"access_token\":\"a\",\"expires_in\":-5}",
		"{\"access_token\":\"a\",\"expires_in\":\"soon\"}",
		"{\"access_token\":\"a\",\"expires_in\":99999999999999999999}",
		"{\"access_token\":\"a\",\"expires_in\":5",
		"{\"a\":[[[[[[[[[[[[1]]]]]]]]]]]],\"access_token\":\"a\",\"expires_in\":5}",
		"{\"access_token\":null,\"expires_in\":null}",
	};
	struct token t = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(parse(bad[i], &t), -EBADMSG);
		assert_null(t.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_of_the_service),
		cmocka_unit_test(other_answers_are_no_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
