/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nid.h"
#include "tests/unit/unit.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static char why[256];

static const char *reprint(const char *text, uint16_t port)
{
	static char buf[NID_STRLEN];
	struct nid n;

	if (nid_parse(text, port, &n, why, sizeof(why)))
		return why;
	return nid_str(&n, 988, buf);
}

static void an_address_prints_as_it_was_written(void **state)
{
	(void)state;
	assert_string_equal(reprint("10.0.0.1@tcp", 988), "10.0.0.1@tcp");
	assert_string_equal(reprint("10.0.0.1@tcp0", 988), "10.0.0.1@tcp");
	assert_string_equal(reprint("10.0.0.1@tcp:988", 1), "10.0.0.1@tcp");
	assert_string_equal(reprint("10.0.0.1@tcp:23700", 988), "10.0.0.1@tcp:23700");
	assert_string_equal(reprint("::1@tcp", 988), "::1@tcp");
	assert_string_equal(reprint("2001:db8::5@tcp:7", 988), "2001:db8::5@tcp:7");
	assert_string_equal(reprint("::ffff:10.0.0.1@tcp", 988), "10.0.0.1@tcp");
}

static void the_default_port_is_used_when_none_is_given(void **state)
{
	struct nid n;

	(void)state;
	assert_int_equal(nid_parse("127.0.0.1@tcp", PORT_OSS, &n, why, sizeof(why)), 0);
	assert_int_equal(nid_port(&n), PORT_OSS);
	nid_set_port(&n, 77);
	assert_int_equal(nid_port(&n), 77);
}

static void refused_addresses_are_explained(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{"", "no network"},
		{"10.0.0.1", "no network"},
		{"10.0.0.1@", "network \"\""},
		{"10.0.0.1@o2ib", "network \"o2ib\" is not supported"},
		{"10.0.0.1@tcp1", "network \"tcp1\""},
		{"10.0.0.1@tcp00", "network \"tcp00\""},
		{"@tcp", "no address"},
		{"10.0.0@tcp", "no address"},
		{"999.0.0.1@tcp", "no address"},
		{"1.2.3.4.5@tcp", "no address"},
		{"1:2:3@tcp", "no address"},
		{"host name@tcp", "no address"},
		{"-h@tcp", "no address"},
		{"a\nb@tcp", "unprintable"},
		{"10.0.0.1@tcp:0", "port 0"},
		{"10.0.0.1@tcp:65536", "port 65536"},
		{"10.0.0.1@tcp:99999999999999999999", "port"},
		{"10.0.0.1@tcp:", "behind the address"},
		{"10.0.0.1@tcp:12x", "behind the address"},
		{"10.0.0.1@tcp,10.0.0.2@tcp", "behind the address"},
		{"10.0.0.1@tcp ", "behind the address"},
		{"no-such-host.invalid@tcp", "no-such-host.invalid"},
	};
	struct nid n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(nid_parse(bad[i].text, 1, &n, why, sizeof(why)), -EINVAL);
		if (!strstr(why, bad[i].says))
			fail_msg("\"%s\" gives \"%s\"", bad[i].text, why);
	}
}

static void a_list_has_commas_and_colons(void **state)
{
	struct nid_list l;
	char buf[200];

	(void)state;
	assert_int_equal(nid_list_parse("10.0.0.1@tcp,10.0.0.2@tcp:5:10.0.0.3@tcp:::1@tcp:9", 988,
					&l, why, sizeof(why)),
			 0);
	assert_int_equal(l.n, 4);
	assert_string_equal(nid_list_str(&l, 988, buf, sizeof(buf)),
			    "10.0.0.1@tcp,10.0.0.2@tcp:5,10.0.0.3@tcp,::1@tcp:9");
	assert_string_equal(nid_list_str(&l, 988, buf, 14), "10.0.0.1@tcp,");
}

static void a_colon_and_digits_may_be_an_address(void **state)
{
	struct nid_list l;
	char buf[200];

	(void)state;
	assert_int_equal(nid_list_parse("10.0.0.1@tcp:10.0.0.2@tcp", 988, &l, why, sizeof(why)), 0);
	assert_string_equal(nid_list_str(&l, 988, buf, sizeof(buf)), "10.0.0.1@tcp,10.0.0.2@tcp");
	assert_int_equal(nid_list_parse("10.0.0.1@tcp:5:10.0.0.2@tcp", 988, &l, why, sizeof(why)),
			 0);
	assert_string_equal(nid_list_str(&l, 988, buf, sizeof(buf)), "10.0.0.1@tcp:5,10.0.0.2@tcp");
}

static void a_list_has_limits(void **state)
{
	static const char *const bad[] = {"",
					  ",",
					  ":",
					  "1.1.1.1@tcp,",
					  "1.1.1.1@tcp:",
					  ",1.1.1.1@tcp",
					  "1.1.1.1@tcp,,1.1.1.1@tcp",
					  "1.1.1.1@tcp;1.1.1.1@tcp",
					  "1.1.1.1@tcp 1.1.1.1@tcp"};
	char text[9 * 16] = "";
	size_t at = 0;
	struct nid_list l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(nid_list_parse(bad[i], 1, &l, why, sizeof(why)), -EINVAL);
	for (int i = 0; i < MAX_NIDS; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s1.1.1.1@tcp", i ? "," : "");
	assert_int_equal(nid_list_parse(text, 1, &l, why, sizeof(why)), 0);
	snprintf(text + at, sizeof(text) - at, ",1.1.1.1@tcp");
	assert_int_equal(nid_list_parse(text, 1, &l, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "more than 8"));
}

static void numeric_lists_never_ask_the_resolver(void **state)
{
	struct nid_list l;

	(void)state;
	assert_int_equal(nid_list_parse_numeric("1.1.1.1@tcp:4,::1@tcp:5", 1, &l, why, sizeof(why)),
			 0);
	assert_int_equal(nid_list_parse_numeric("localhost@tcp", 1, &l, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "no numeric address"));
}

static void mount_sources_are_taken_apart(void **state)
{
	struct mount_source s;

	(void)state;
	assert_int_equal(mount_source_parse("10.0.0.1@tcp:/lustre", &s, why, sizeof(why)), 0);
	assert_string_equal(s.fsname, "lustre");
	assert_string_equal(s.subdir, "");
	assert_int_equal(s.mgs.n, 1);
	assert_int_equal(nid_port(&s.mgs.nid[0]), PORT_MGS);
	assert_int_equal(mount_source_parse("1.1.1.1@tcp:7,2.2.2.2@tcp:3.3.3.3@tcp:8:/fs-_1/a/b",
					    &s, why, sizeof(why)),
			 0);
	assert_int_equal(s.mgs.n, 3);
	assert_int_equal(nid_port(&s.mgs.nid[2]), 8);
	assert_string_equal(s.fsname, "fs-_1");
	assert_string_equal(s.subdir, "/a/b");
	assert_int_equal(mount_source_parse("::1@tcp:/l/", &s, why, sizeof(why)), 0);
	assert_string_equal(s.subdir, "");
	assert_int_equal(mount_source_parse("::1@tcp:/l//x/./y//", &s, why, sizeof(why)), 0);
	assert_string_equal(s.subdir, "/x/y");
}

static void bad_mount_sources_are_explained(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{"", "NID"},
		{"/dev/sda1", "NID"},
		{"10.0.0.1@tcp", "NID"},
		{":/fs", "no network"},
		{"host:/fs", "no network"},
		{"10.0.0.1@tcp:/", "file system name"},
		{"10.0.0.1@tcp:/lustrefs9", "longer than 8"},
		{"10.0.0.1@tcp:/a b", "[-_a-zA-Z0-9]"},
		{"10.0.0.1@o2ib:/fs", "o2ib"},
		{"10.0.0.1@tcp:/fs/../x", ".."},
	};
	struct mount_source s;
	char *text = malloc(20000);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(mount_source_parse(bad[i].text, &s, why, sizeof(why)), -EINVAL);
		if (!strstr(why, bad[i].says))
			fail_msg("\"%s\" gives \"%s\"", bad[i].text, why);
	}
	memset(text, 'a', 19999);
	text[19999] = 0;
	assert_int_equal(mount_source_parse(text, &s, why, sizeof(why)), -EINVAL);
	memcpy(text, "1.1.1.1@tcp:/fs/", 16);
	assert_int_equal(mount_source_parse(text, &s, why, sizeof(why)), -EINVAL);
	for (int i = 16; i < 19999; i += 2)
		text[i] = '/';
	assert_int_equal(mount_source_parse(text, &s, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "too long"));
	memset(text, 'a', 19990);
	memcpy(text + 19990, "@tcp:/fs", 9);
	assert_int_equal(mount_source_parse(text, &s, why, sizeof(why)), -EINVAL);
	free(text);
}

static void random_text_is_refused_or_prints_again(void **state)
{
	static const char alphabet[] = "0123456789.:,@tcp/ab[]%-\x01\xff";
	static struct nid_list l, again;
	static struct mount_source s;
	uint64_t seed = 5;
	char buf[MAX_NIDS * NID_STRLEN];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		size_t n = rnd_below(&seed, 48);
		char *text = (char *)exact_copy("", 1);

		text = realloc(text, n + 1);
		for (size_t k = 0; k < n; k++)
			text[k] = alphabet[rnd_below(&seed, sizeof(alphabet) - 1)];
		text[n] = 0;
		if (nid_list_parse_numeric(text, 988, &l, why, sizeof(why)) == 0) {
			nid_list_str(&l, 0, buf, sizeof(buf));
			assert_int_equal(nid_list_parse_numeric(buf, 1, &again, why, sizeof(why)),
					 0);
			assert_int_equal(l.n, again.n);
			for (uint32_t k = 0; k < l.n; k++)
				assert_true(nid_eq(&l.nid[k], &again.nid[k]));
		}
		if (!strpbrk(text, "ab")) /* no host names: the resolver is slow */
			(void)!mount_source_parse(text, &s, why, sizeof(why));
		free(text);
	}
}

static void file_system_names(void **state)
{
	(void)state;
	assert_true(fsname_ok("a") && fsname_ok("lustrefs") && fsname_ok("A-b_9"));
	assert_false(fsname_ok("") || fsname_ok("lustrefs1") || fsname_ok("a.b") ||
		     fsname_ok("a/b"));
}

static void lists_are_compared_and_turned(void **state)
{
	struct nid_list a, b;
	char text[200];

	(void)state;
	assert_int_equal(nid_list_parse("1.1.1.1@tcp,1.1.1.2@tcp,1.1.1.3@tcp", 9, &a, why,
					sizeof(why)),
			 0);
	b = a;
	assert_true(nid_list_eq(&a, &b));
	nid_list_to_front(&b, 0);
	assert_true(nid_list_eq(&a, &b));
	nid_list_to_front(&b, 2);
	assert_false(nid_list_eq(&a, &b));
	assert_string_equal(nid_list_str(&b, 9, text, sizeof(text)),
			    "1.1.1.3@tcp,1.1.1.1@tcp,1.1.1.2@tcp");
	b = a;
	b.n = 2;
	assert_false(nid_list_eq(&a, &b));
	assert_false(nid_list_eq(&b, &a));
}

static void equality_is_of_address_and_port(void **state)
{
	struct nid a, b;

	(void)state;
	assert_int_equal(nid_parse("::1@tcp:5", 1, &a, why, sizeof(why)), 0);
	assert_int_equal(nid_parse("::1@tcp:5", 1, &b, why, sizeof(why)), 0);
	assert_true(nid_eq(&a, &b));
	assert_false(nid_is_wildcard(&a));
	nid_set_port(&b, 6);
	assert_false(nid_eq(&a, &b));
	assert_int_equal(nid_parse("0.0.0.0@tcp:6", 1, &a, why, sizeof(why)), 0);
	assert_false(nid_eq(&a, &b));
	assert_true(nid_is_wildcard(&a));
	assert_int_equal(nid_parse("::@tcp:6", 1, &a, why, sizeof(why)), 0);
	assert_true(nid_is_wildcard(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_prints_as_it_was_written),
		cmocka_unit_test(the_default_port_is_used_when_none_is_given),
		cmocka_unit_test(refused_addresses_are_explained),
		cmocka_unit_test(a_list_has_commas_and_colons),
		cmocka_unit_test(a_colon_and_digits_may_be_an_address),
		cmocka_unit_test(a_list_has_limits),
		cmocka_unit_test(numeric_lists_never_ask_the_resolver),
		cmocka_unit_test(mount_sources_are_taken_apart),
		cmocka_unit_test(bad_mount_sources_are_explained),
		cmocka_unit_test(random_text_is_refused_or_prints_again),
		cmocka_unit_test(file_system_names),
		cmocka_unit_test(lists_are_compared_and_turned),
		cmocka_unit_test(equality_is_of_address_and_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
