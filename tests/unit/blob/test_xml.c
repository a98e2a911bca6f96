/* SPDX-License-Identifier: Apache-2.0 */
#include "blob/xml.h"
#include "tests/unit/unit.h"

struct seen {
	char text[4096];
	int starts, ends, max_depth, stop_at;
};

static int on_start(void *arg, const struct xml_element *e)
{
	struct seen *s = arg;

	s->starts++;
	if (e->depth > s->max_depth)
		s->max_depth = e->depth;
	return s->starts == s->stop_at ? -EINTR : 0;
}

static int on_end(void *arg, const struct xml_element *e)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);

	s->ends++;
	snprintf(s->text + n, sizeof(s->text) - n, "%s>%s=%s%s;", e->parent, e->name, e->text,
		 e->encoded ? "(encoded)" : "");
	return 0;
}

static const struct xml_events events = {on_start, on_end};

static int parse(const char *text, struct seen *s)
{
	uint8_t *copy = exact_copy(text, strlen(text));
	int rc;

	*s = (struct seen){.stop_at = s->stop_at};
	rc = xml_parse(copy, strlen(text), &events, s);
	free(copy);
	return rc;
}

static void elements_come_with_their_own_text(void **state)
{
	struct seen s = {0};

	(void)state;
	assert_int_equal(parse("\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<a> <b>x "
			       "&amp; &#65;y</b>\n"
			       "<c Encoded=\"true\">%41</c><d/>tail<e><![CDATA[<q>]]></e></a>\n",
			       &s),
			 0);
	assert_string_equal(s.text, "a>b=x & Ay;a>c=%41(encoded);a>d=;a>e=<q>;>a=;");
	assert_int_equal(s.max_depth, 2);
}

static void what_is_not_well_formed_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"<a>",
		"<a></b>",
		"<a/><b/>",
		"text",
		"<a>&undefined;</a>",
		"<a b=c/>",
		"<a>\x01</a>",
		"<a>\xff\xfe</a>",
		"<a><b></a></b>",
		"{\"json\": 1}",
		"<a>&#0;</a>",
		"<a b='1' b='2'/>",
	};
	struct seen s = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse(bad[i], &s), -EBADMSG);
}

static void entities_do_not_exist(void **state)
{
	static const char *const bad[] = {
		"<!DOCTYPE a><a/>",
		"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
		"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
		"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
		"<!DOCTYPE l [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'><!ENTITY c "
		"'&b;&b;&b;&b;&b;'>]><l>&c;</l>",
	};
	struct seen s = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(parse(bad[i], &s), -EBADMSG);
		assert_int_equal(s.starts, 0);
	}
}

static char *repeat(const char *piece, size_t n, const char *before, const char *after)
{
	size_t len = strlen(piece);
	char *out = malloc(len * n + strlen(before) + strlen(after) + 1), *at = out;

	assert_non_null(out);
	at += sprintf(at, "%s", before);
	for (size_t i = 0; i < n; i++, at += len)
		memcpy(at, piece, len);
	sprintf(at, "%s", after);
	return out;
}

static void depth_text_names_and_attributes_are_bounded(void **state)
{
	struct seen s = {0};
	char *deep = repeat("<a>", XML_DEPTH_MAX, "", ""),
	     *deeper = repeat("</a>", XML_DEPTH_MAX, deep, "");
	char *text = repeat("x", XML_TEXT_MAX, "<a>", "</a>"),
	     *more = repeat("x", XML_TEXT_MAX + 1, "<a>", "</a>");
	char *pieces = repeat("x&amp;", XML_TEXT_MAX, "<a>", "</a>"),
	     *name = repeat("n", XML_NAME_MAX + 1, "<", "/>");
	char attrs[1000] = "<a";

	(void)state;
	assert_int_equal(parse(deeper, &s), 0);
	free(deep);
	deep = repeat("<a>", XML_DEPTH_MAX + 1, "", "");
	assert_int_equal(parse(deep, &s), -EBADMSG);
	assert_int_equal(s.max_depth, XML_DEPTH_MAX);
	assert_int_equal(parse(text, &s), 0);
	assert_int_equal(parse(more, &s), -EBADMSG);
	assert_int_equal(parse(pieces, &s), -EBADMSG);
	assert_int_equal(parse(name, &s), -EBADMSG);
	for (int i = 0; i < 17; i++)
		sprintf(attrs + strlen(attrs), " a%d='1'", i);
	strcat(attrs, "/>");
	assert_int_equal(parse(attrs, &s), -EBADMSG);
	free(deep), free(deeper), free(text), free(more), free(pieces), free(name);
}

static void long_documents_cost_no_memory_and_can_be_left(void **state)
{
	char *big = repeat("<b><c>text</c></b>", 50000, "<a>", "</a>");
	struct seen s = {0};

	(void)state;
	assert_int_equal(parse(big, &s), 0);
	assert_int_equal(s.starts, 100001);
	s.stop_at = 7;
	assert_int_equal(parse(big, &s), -EINTR);
	assert_int_equal(s.starts, 7);
	free(big);
}

static void every_cut_is_an_error(void **state)
{
	static const char whole[] = "<?xml version='1.0'?><a><b x='1'>t&lt;</b><![CDATA[c]]></a>";
	struct seen s = {0};
	char cut[sizeof(whole)];

	(void)state;
	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		memcpy(cut, whole, n);
		cut[n] = 0;
		assert_int_equal(parse(cut, &s), -EBADMSG);
	}
	assert_int_equal(parse(whole, &s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_come_with_their_own_text),
		cmocka_unit_test(what_is_not_well_formed_is_refused),
		cmocka_unit_test(entities_do_not_exist),
		cmocka_unit_test(depth_text_names_and_attributes_are_bounded),
		cmocka_unit_test(long_documents_cost_no_memory_and_can_be_left),
		cmocka_unit_test(every_cut_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
