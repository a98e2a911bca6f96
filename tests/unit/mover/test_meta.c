/* SPDX-License-Identifier: Apache-2.0 */
/* test_meta.c - attributes as metadata, in the words that Azure's import understands. */
#include "mover/meta.h"
#include "tests/unit/unit.h"
#include <sys/stat.h>

static void is(const struct pairs *p, const char *name, const char *value)
{
	const char *have = pairs_get(p, name);

	if (!value) {
		assert_null(have);
		return;
	}
	assert_non_null(have);
	assert_string_equal(have, value);
}

static void a_files_attributes_are_told(void **state)
{
	struct attr a = {.mode = S_IFREG | 04640, .uid = 1000, .gid = 4294967294U,
			 .mtime = 1580702706789000001};
	struct pairs p = PAIRS_INIT;

	(void)state;
	assert_int_equal(meta_of_attr(&a, 0xabc, &p), 0);
	is(&p, "owner", "1000");
	is(&p, "group", "4294967294");
	is(&p, "permissions", "4640");
	is(&p, "modtime", "2020-02-03 04:05:06 +0000");
	is(&p, "mtime", "1580702706.789000001");
	is(&p, "hdi_isfolder", NULL);
	is(&p, "is_symlink", NULL);
	is(&p, "sheen_work", "0000000000000abc");
	assert_true(meta_cookie(&p) == 0xabc);
	pairs_fini(&p);
}

static void times_before_1970_are_right(void **state)
{
	struct attr a = {.mode = S_IFDIR | 0755, .mtime = -500000000};
	struct pairs p = PAIRS_INIT;

	(void)state;
	assert_int_equal(meta_of_attr(&a, 0, &p), 0);
	is(&p, "modtime", "1969-12-31 23:59:59 +0000");
	is(&p, "mtime", "-1.500000000");
	is(&p, "hdi_isfolder", "true");
	is(&p, "sheen_work", NULL);
	pairs_fini(&p);
}

static void strange_cookies_are_none(void **state)
{
	struct pairs p = PAIRS_INIT;

	(void)state;
	assert_true(meta_cookie(&p) == 0);
	assert_int_equal(pairs_add(&p, "sheen_work", "abc"), 0);
	assert_true(meta_cookie(&p) == 0);
	pairs_fini(&p);
	assert_int_equal(pairs_add(&p, "sheen_work", "000000000000zzzz"), 0);
	assert_true(meta_cookie(&p) == 0);
	pairs_fini(&p);
}

static void a_blob_says_of_which_file_it_is(void **state)
{
	const uint8_t mdt[UUID_LEN] = {1, 2, 3}, other[UUID_LEN] = {1, 2, 4};
	const struct fid fid = {.seq = 0x200000401, .oid = 0x1234};
	struct pairs p = PAIRS_INIT, none = PAIRS_INIT;
	struct fid got;

	(void)state;
	assert_int_equal(meta_add_origin(mdt, &fid, &p), 0);
	assert_true(meta_origin(&p, mdt, &got));
	assert_int_equal(fid_cmp(&got, &fid), 0);
	assert_false(meta_origin(&p, other, &got));
	assert_false(meta_origin(&none, mdt, &got));
	pairs_del(&p, "sheen_fid");
	assert_int_equal(pairs_add(&p, "sheen_fid", "[0x0:0x0:0x0]"), 0);
	assert_false(meta_origin(&p, mdt, &got));
	pairs_fini(&p);
}

static void only_the_work_may_be_another(void **state)
{
	struct attr a = {.mode = S_IFDIR | 0755, .mtime = 5 * NSEC_PER_SEC};
	struct pairs p = PAIRS_INIT, q = PAIRS_INIT;

	(void)state;
	assert_int_equal(meta_of_attr(&a, 7, &p), 0);
	assert_int_equal(meta_of_attr(&a, 8, &q), 0);
	assert_true(meta_same(&p, &q));
	pairs_fini(&q);
	assert_false(meta_same(&p, &q));
	a.mtime++;
	assert_int_equal(meta_of_attr(&a, 7, &q), 0);
	assert_false(meta_same(&p, &q));
	pairs_fini(&p);
	pairs_fini(&q);
}

/* ---- reading ---- */

static struct meta_attr read_pairs(const char *const *kv)
{
	struct pairs p = PAIRS_INIT;
	struct meta_attr a;

	for (; *kv; kv += 2)
		assert_int_equal(pairs_add(&p, kv[0], kv[1]), 0);
	meta_read(&p, &a);
	pairs_fini(&p);
	return a;
}
#define READ(...) read_pairs((const char *const[]){__VA_ARGS__, NULL})

static void each_dialect_is_read(void **state)
{
	struct meta_attr a = READ("Owner", "1000", "Group", "7", "Permissions", "4640", "ModTime",
				  "2020-02-03 06:05:06 +0200");

	(void)state;
	assert_true(a.has_uid && a.has_gid && a.has_mode && a.has_mtime && !a.has_atime);
	assert_int_equal(a.uid, 1000);
	assert_int_equal(a.gid, 7);
	assert_int_equal(a.mode, 04640);
	assert_true(a.mtime == 1580702706000000000);
	a = READ("modtime", "2020-02-03 04:05:06 +0000", "mtime", "1580702706.789000001");
	assert_true(a.mtime == 1580702706789000001);
	a = READ("modtime", "2020-02-03 04:05:07 +0000", "mtime", "1580702706.789000001");
	assert_true(a.mtime == 1580702707000000000); /* somebody else set it since */
	a = READ("modtime", "2020-02-03 04:05:05 +0000", "mtime", "1580702706.789000001");
	assert_true(a.mtime == 1580702705000000000);
	a = READ("mtime", "1580702706.5");
	assert_true(a.mtime == 1580702706500000000);
	a = READ("posix_owner", "1", "posix_group", "2", "permissions", "33188", "modtime",
		 "1580702706000000009", "posix_atime", "5", "is_symlink", "true");
	assert_int_equal(a.uid, 1);
	assert_int_equal(a.gid, 2);
	assert_int_equal(a.mode, 0644);
	assert_true(a.mtime == 1580702706000000009 && a.has_atime && a.atime == 5 && a.is_link);
	a = READ("uid", "3", "gid", "4", "perm", "0600");
	assert_true(a.uid == 3 && a.gid == 4 && a.mode == 0600 && !a.has_mtime);
	a = READ("file-owner", "5", "file-group", "6", "file-permissions", "0100664", "file-mtime",
		 "1580702706000000009ns", "file-atime", "-7ns");
	assert_true(a.uid == 5 && a.gid == 6 && a.mode == 0664 && a.mtime == 1580702706000000009);
	assert_true(a.has_atime && a.atime == -7);
	assert_true(READ("hdi_isfolder", "TRUE").is_dir);
	assert_true(READ("is_fifo", "true").is_special);
	assert_false(READ("is_fifo", "false").is_special);
}

static void what_makes_no_sense_is_not_told(void **state)
{
	static const char *const bad[] = {
		"", " ", "-", "+1", "1 ", " 1", "0x10", "99999999999999999999", "1e3", "one", "8\t",
		"999999999999999999999999999999999999999999999999", "ns", "-ns", ".", "1.", ".5",
		"1.1234567890", "2020-13-41 00:00:00 +0000", "2020-02-03", "2020-02-03 04:05:06",
		"2020-02-03 04:05:06 0000", "2020-02-03 04:05:06 +9999",
		"2020-02-03 04:05:06 +00x0", "2020-02-03 04:05:06 +", "9999-02-03 04:05:06 +0000",
		"-9223372036854775809", "--1"};
	struct meta_attr a;
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		a = READ("owner", bad[i], "gid", bad[i], "is_symlink", bad[i], "modtime", bad[i],
			 "mtime", bad[i], "file-permissions", bad[i], "file-atime", bad[i]);
		assert_false(a.has_uid || a.has_gid || a.has_mode || a.is_link);
		assert_false(a.has_mtime || a.has_atime);
	}
	assert_false(READ("owner", "-1").has_uid);
	assert_false(READ("owner", "4294967295").has_uid);
	assert_false(READ("owner", "9999999999").has_uid);
	assert_false(READ("permissions", "777777").has_mode);
	assert_false(READ("permissions", "0888").has_mode);
	assert_false(READ("mtime", "9999999999").has_mtime);
	a = READ("owner", "root", "uid", "12"); /* the next one that makes sense */
	assert_true(a.has_uid && a.uid == 12);
}

static void what_is_written_is_read(void **state)
{
	static const int64_t time[] = {
		0, 1, -1, 1580702706789000001, -1500000000, 4102444800000000000};
	struct pairs p = PAIRS_INIT;
	struct meta_attr out;
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(time); i++) {
		struct attr a = {.mode = S_IFLNK | 0777, .uid = 4, .gid = 5, .mtime = time[i]};

		assert_int_equal(meta_of_attr(&a, 0, &p), 0);
		meta_read(&p, &out);
		pairs_fini(&p);
		assert_true(out.has_uid && out.has_gid && out.has_mode && out.has_mtime);
		assert_true(out.uid == 4 && out.gid == 5 && out.mode == 0777 && out.is_link);
		assert_true(out.mtime == time[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_files_attributes_are_told),
		cmocka_unit_test(each_dialect_is_read),
		cmocka_unit_test(what_makes_no_sense_is_not_told),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(times_before_1970_are_right),
		cmocka_unit_test(strange_cookies_are_none),
		cmocka_unit_test(a_blob_says_of_which_file_it_is),
		cmocka_unit_test(only_the_work_may_be_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
