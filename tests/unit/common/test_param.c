/* SPDX-License-Identifier: Apache-2.0 */
#include "common/limits.h"
#include "common/param.h"
#include "common/proto/field.h"
#include "tests/unit/unit.h"
#include <pthread.h>

static struct params *ps;
static struct wbuf out;

static int setup(void **state)
{
	(void)state;
	wbuf_init(&out, MAX_PARAM_TEXT);
	return params_create(&ps);
}

static int teardown(void **state)
{
	(void)state;
	params_destroy(ps);
	wbuf_fini(&out);
	return 0;
}

static int get_text(void *arg, struct wbuf *w)
{
	wbuf_put(w, arg, (uint32_t)strlen(arg));
	return 0;
}

static int get_fails(void *arg, struct wbuf *w)
{
	(void)arg, (void)w;
	return -EIO;
}

static char taken[64];
static int ntaken;

static int set_text(void *arg, const char *value)
{
	(void)arg;
	if (!value[0])
		return -EINVAL;
	snprintf(taken, sizeof(taken), "%s", value);
	ntaken++;
	return 0;
}

static const char *text(void)
{
	static char buf[MAX_PARAM_TEXT + 1];

	assert_int_equal(out.rc, 0);
	memcpy(buf, out.ptr ? (char *)out.ptr : "", out.len);
	buf[out.len] = 0;
	out.len = 0;
	return buf;
}

static void add(const char *name, const char *value)
{
	assert_int_equal(param_add(ps, name, get_text, NULL, (void *)(uintptr_t)value), 0);
}

static const char *get(const char *pattern)
{
	assert_int_equal(params_get(ps, pattern, &out), 0);
	return text();
}

static void values_print_sorted_by_name(void **state)
{
	(void)state;
	add("osc.fs-OST0001-osc.state", "FULL");
	add("osc.fs-OST0000-osc.state", "DISCONN");
	add("version", "0.1.0");
	assert_string_equal(get("version"), "version=0.1.0\n");
	assert_string_equal(get("osc.*.state"), "osc.fs-OST0000-osc.state=DISCONN\n"
						"osc.fs-OST0001-osc.state=FULL\n");
	assert_int_equal(params_get(ps, "osc", &out), -ENOENT);
	assert_int_equal(params_get(ps, "osc.*.state.x", &out), -ENOENT);
	assert_int_equal(params_get(ps, "nothing", &out), -ENOENT);
}

static void values_of_several_lines_begin_on_a_new_one(void **state)
{
	(void)state;
	add("a.two", "x\ny");
	add("b.newline", "x\n");
	add("c.empty", "");
	assert_string_equal(get("a.two"), "a.two=\nx\ny\n");
	assert_string_equal(get("b.newline"), "b.newline=\nx\n");
	assert_string_equal(get("c.empty"), "c.empty=\n");
}

static bool matches(const char *pattern, const char *name)
{
	struct params *one;
	struct wbuf w;
	int rc;

	assert_int_equal(params_create(&one), 0);
	assert_int_equal(param_add(one, name, get_text, NULL, (void *)(uintptr_t) "v"), 0);
	wbuf_init(&w, 4096);
	rc = params_get(one, pattern, &w);
	wbuf_fini(&w);
	params_destroy(one);
	return rc == 0;
}

static void globs_work_inside_components(void **state)
{
	(void)state;
	assert_true(matches("*", "a"));
	assert_false(matches("*", "a.b"));
	assert_true(matches("*.*", "a.b"));
	assert_true(matches("a*c.d*", "abbc.d"));
	assert_true(matches("*b*d", "abcd"));
	assert_false(matches("*b*d", "abc.d"));
	assert_true(matches("a?c", "abc"));
	assert_false(matches("a?c", "a.c"));
	assert_true(matches("OST[0-3]", "OST2"));
	assert_false(matches("OST[0-3]", "OST4"));
	assert_true(matches("OST[!0-3]", "OST4"));
	assert_false(matches("a[!b]c", "a.c"));
	assert_true(matches("a[]", "a[]"));
	assert_true(matches("a[b", "a[b"));
	assert_true(matches("osc/*/state", "osc.x.state"));
	assert_true(matches("*.*-osc-*.max*", "osc.fs-OST0000-osc-ffff.max_rpcs"));
	assert_false(matches("", "a"));
	assert_true(matches("**a**", "bab"));
	assert_true(matches("a.*", "a."));
}

static void braces_give_alternatives(void **state)
{
	(void)state;
	assert_true(matches("a.{b,c}.d", "a.c.d"));
	assert_true(matches("{a,b}.{c,d}", "b.c"));
	assert_false(matches("{a,b}.{c,d}", "b.e"));
	assert_true(matches("x{a,b{1,2}}y", "xb2y"));
	assert_true(matches("x{,s}", "x"));
	assert_true(matches("x{,s}", "xs"));
	assert_true(matches("{os,md}c.*", "mdc.x"));
	assert_true(matches("{a.b,c}.d", "a.b.d"));
	assert_int_equal(params_get(ps, "{a", &out), -EINVAL);
	assert_int_equal(params_get(ps, "{{a}", &out), -EINVAL);
	assert_true(matches("a}", "a}"));
}

static void hostile_patterns_cost_little_and_have_limits(void **state)
{
	char pattern[1024];
	int i;

	(void)state;
	add("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "x");
	for (i = 0; i < 120; i++)
		memcpy(pattern + 2 * i, "*a", 2);
	pattern[240] = 'b';
	pattern[241] = 0;
	assert_int_equal(params_get(ps, pattern, &out), -ENOENT);
	for (i = 0; i < 40; i++)
		memcpy(pattern + 5 * i, "{a,b}", 5);
	pattern[200] = 0;
	assert_int_equal(params_get(ps, pattern, &out), -E2BIG);
	memset(pattern, '{', 255);
	pattern[255] = 0;
	assert_int_equal(params_get(ps, pattern, &out), -EINVAL);
	memset(pattern, 'a', 256);
	pattern[256] = 0;
	assert_int_equal(params_get(ps, pattern, &out), -ENAMETOOLONG);
}

static void random_patterns_end(void **state)
{
	static const char alphabet[] = "ab.*?[]!-{},/";
	uint64_t seed = 11;
	char pattern[64], buf[8];

	(void)state;
	for (int i = 0; i < 50; i++) {
		snprintf(buf, sizeof(buf), "%c.%c%c", 'a' + (int)rnd_below(&seed, 2),
			 'a' + (int)rnd_below(&seed, 2), 'a' + (int)rnd_below(&seed, 26));
		(void)!param_add(ps, buf, get_text, set_text, (void *)(uintptr_t) "v");
	}
	for (int i = 0; i < 50000; i++) {
		size_t n = rnd_below(&seed, sizeof(pattern) - 1);
		char *copy;

		for (size_t k = 0; k < n; k++)
			pattern[k] = alphabet[rnd_below(&seed, sizeof(alphabet) - 1)];
		pattern[n] = 0;
		copy = (char *)exact_copy(pattern, n + 1);
		(void)!params_get(ps, copy, &out);
		(void)!params_list(ps, copy, &out);
		(void)!params_set(ps, copy, "v", &out);
		out.len = 0;
		free(copy);
	}
}

static void setting_tells_what_was_set(void **state)
{
	(void)state;
	assert_int_equal(param_add(ps, "a.x", NULL, set_text, NULL), 0);
	assert_int_equal(param_add(ps, "b.x", NULL, set_text, NULL), 0);
	add("c.x", "fixed");
	ntaken = 0;
	assert_int_equal(params_set(ps, "{a,b}.x", "7", &out), 0);
	assert_int_equal(ntaken, 2);
	assert_string_equal(text(), "a.x=7\nb.x=7\n");
	assert_int_equal(params_set(ps, "c.x", "7", &out), -EACCES);
	assert_int_equal(params_set(ps, "*.x", "8", &out), -EACCES);
	assert_string_equal(text(), "a.x=8\nb.x=8\n");
	assert_int_equal(params_set(ps, "a.x", "", &out), -EINVAL);
	assert_int_equal(params_set(ps, "d.x", "7", &out), -ENOENT);
	assert_int_equal(params_get(ps, "a.x", &out), -EACCES);
	assert_string_equal(get("*.x"), "c.x=fixed\n");
}

static void a_getter_that_fails_is_shown(void **state)
{
	(void)state;
	assert_int_equal(param_add(ps, "bad", get_fails, NULL, NULL), 0);
	assert_string_equal(get("bad"), "bad=error: Input/output error\n");
}

static void numbers_have_a_range_and_units(void **state)
{
	uint32_t v = 8;

	(void)state;
	assert_int_equal(param_add_u32(ps, "osc.x.max_rpcs", &v, 1, 1 << 20), 0);
	assert_string_equal(get("osc.x.max_rpcs"), "osc.x.max_rpcs=8\n");
	assert_int_equal(params_set(ps, "osc.*.max_rpcs", "16", &out), 0);
	assert_int_equal(v, 16);
	assert_int_equal(params_set(ps, "osc.x.max_rpcs", "0x20", &out), 0);
	assert_int_equal(v, 32);
	assert_int_equal(params_set(ps, "osc.x.max_rpcs", "1M", &out), 0);
	assert_int_equal(v, 1 << 20);
	assert_int_equal(params_set(ps, "osc.x.max_rpcs", "0", &out), -ERANGE);
	assert_int_equal(params_set(ps, "osc.x.max_rpcs", "1g", &out), -ERANGE);
	assert_int_equal(params_set(ps, "osc.x.max_rpcs", "18446744073709551616", &out), -ERANGE);
	assert_int_equal(params_set(ps, "osc.x.max_rpcs", "18446744073709551615g", &out), -ERANGE);
	assert_int_equal(params_set(ps, "osc.x.max_rpcs", "-1", &out), -EINVAL);
	assert_int_equal(params_set(ps, "osc.x.max_rpcs", "", &out), -EINVAL);
	assert_int_equal(params_set(ps, "osc.x.max_rpcs", "1x", &out), -EINVAL);
	assert_int_equal(params_set(ps, "osc.x.max_rpcs", "1kk", &out), -EINVAL);
	assert_int_equal(params_set(ps, "osc.x.max_rpcs", " 1", &out), -EINVAL);
	assert_int_equal(v, 1 << 20);
}

static void a_list_marks_what_can_be_set_and_directories(void **state)
{
	(void)state;
	add("osc.a.state", "FULL");
	assert_int_equal(param_add(ps, "osc.a.active", get_text, set_text, (void *)(uintptr_t) "1"),
			 0);
	add("osc.b.state", "FULL");
	add("version", "1");
	assert_int_equal(params_list(ps, "osc.*.*", &out), 0);
	assert_string_equal(text(), "osc.a.active=\nosc.a.state\nosc.b.state\n");
	assert_int_equal(params_list(ps, "osc.*", &out), 0);
	assert_string_equal(text(), "osc.a/\nosc.b/\n");
	assert_int_equal(params_list(ps, "*", &out), 0);
	assert_string_equal(text(), "osc/\nversion\n");
	assert_int_equal(params_list(ps, "llite", &out), -ENOENT);
}

static void names_are_unique_and_go_by_prefix(void **state)
{
	(void)state;
	add("osc.a.x", "1");
	add("osc.ab.x", "2");
	add("osd.a.x", "3");
	assert_int_equal(param_add(ps, "osc.a.x", get_text, NULL, NULL), -EEXIST);
	param_del_prefix(ps, "osc.a.");
	assert_string_equal(get("os?.*.x"), "osc.ab.x=2\nosd.a.x=3\n");
	param_del_prefix(ps, "osc.");
	assert_string_equal(get("*.*.*"), "osd.a.x=3\n");
	param_del_prefix(ps, "");
	assert_int_equal(params_get(ps, "*.*.*", &out), -ENOENT);
	add("osc.a.x", "1");
}

static void sticky_values_wait_for_their_parameter(void **state)
{
	uint32_t a = 1, b = 1;

	(void)state;
	assert_int_equal(param_add_u32(ps, "osc.a.n", &a, 0, 100), 0);
	assert_int_equal(params_set_sticky(ps, "osc.*.n", "5"), 0);
	assert_int_equal(a, 5);
	assert_int_equal(param_add_u32(ps, "osc.b.n", &b, 0, 100), 0);
	assert_int_equal(b, 5);
	assert_int_equal(params_set_sticky(ps, "osc.*.n", "6"), 0);
	param_del_prefix(ps, "osc.b");
	b = 1;
	assert_int_equal(param_add_u32(ps, "osc.b.n", &b, 0, 100), 0);
	assert_int_equal(b, 6);
	assert_int_equal(params_set_sticky(ps, "osc.*.n", NULL), 0);
	param_del_prefix(ps, "osc.b");
	b = 1;
	assert_int_equal(param_add_u32(ps, "osc.b.n", &b, 0, 100), 0);
	assert_int_equal(b, 1);
	assert_int_equal(params_set_sticky(ps, "osc.a.n", "101"), -ERANGE);
	assert_int_equal(params_set_sticky(ps, "nobody.yet", "1"), 0);
	assert_int_equal(params_set_sticky(ps, "{", "1"), -EINVAL);
}

static void output_that_does_not_fit_is_an_error(void **state)
{
	struct wbuf w;

	(void)state;
	add("a.b", "0123456789");
	wbuf_init(&w, 8);
	assert_int_equal(params_get(ps, "a.b", &w), -EMSGSIZE);
	wbuf_fini(&w);
}

static void *churn(void *arg)
{
	char name[32];
	uint32_t v = 0;

	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "t%d.x", *(int *)arg);
		assert_int_equal(param_add_u32(ps, name, &v, 0, 9), 0);
		param_del_prefix(ps, name);
	}
	return NULL;
}

static void *reader(void *arg)
{
	struct wbuf w;

	(void)arg;
	wbuf_init(&w, MAX_PARAM_TEXT);
	for (int i = 0; i < 500; i++) {
		(void)!params_get(ps, "*.x", &w);
		(void)!params_set(ps, "*.x", "3", &w);
		w.len = 0;
	}
	wbuf_fini(&w);
	return NULL;
}

static void threads_may_add_remove_and_read_at_once(void **state)
{
	pthread_t t[3];
	int id[2] = {0, 1};

	(void)state;
	assert_int_equal(pthread_create(&t[0], NULL, churn, &id[0]), 0);
	assert_int_equal(pthread_create(&t[1], NULL, churn, &id[1]), 0);
	assert_int_equal(pthread_create(&t[2], NULL, reader, NULL), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(values_print_sorted_by_name),
		T(values_of_several_lines_begin_on_a_new_one),
		T(globs_work_inside_components),
		T(braces_give_alternatives),
		T(hostile_patterns_cost_little_and_have_limits),
		T(random_patterns_end),
		T(setting_tells_what_was_set),
		T(a_getter_that_fails_is_shown),
		T(numbers_have_a_range_and_units),
		T(a_list_marks_what_can_be_set_and_directories),
		T(names_are_unique_and_go_by_prefix),
		T(sticky_values_wait_for_their_parameter),
		T(output_that_does_not_fit_is_an_error),
		T(threads_may_add_remove_and_read_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
