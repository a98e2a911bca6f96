/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crc.h"
#include "common/proto/proto.h"
#include "common/target.h"
#include "tests/unit/unit.h"
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[64], path[128], why[512];
static char text[20000];
static size_t text_len;

static int setup(void **state)
{
	(void)state;
	tmp_make(dir);
	snprintf(path, sizeof(path), "%s/sheen.target", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tmp_remove(dir);
	return 0;
}

/* Labels are large for a stack. */
static struct target_label sample(void)
{
	static struct target_label l;

	l = (struct target_label){
		.version = TARGET_VERSION, .type = TARGET_OST, .fsname = "lustre", .index = 10,
		.mgsnode = "10.0.0.1@tcp,10.0.0.2@tcp:10.0.0.3@tcp", .servicenode = "10.0.0.9@tcp",
		.port = 990, .registered = true, .params = "a.b=1\nost.x=2 3\nq=",
	};

	for (int i = 0; i < UUID_LEN; i++)
		l.uuid[i] = (uint8_t)(0xf0 + i);
	return l;
}

static void load_text(void)
{
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	text_len = fread(text, 1, sizeof(text) - 1, f);
	text[text_len] = 0;
	fclose(f);
}

static void store_bytes(const char *bytes, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

/* Stores body with a checksum that fits. */
static void store_text(const char *body)
{
	static char all[sizeof(text) + 32];
	int n = snprintf(all, sizeof(all), "%scrc32c=%08x\n", body,
			 crc32c_add(0, body, strlen(body)));

	store_bytes(all, (size_t)n);
}

static void a_label_reads_as_it_was_written(void **state)
{
	static struct target_label m;
	static struct target_label l;
	struct stat st;

	(void)state;
	l = sample();
	snprintf(l.failnode, sizeof(l.failnode), "10.0.0.8@tcp");
	assert_int_equal(target_label_write(dir, &l, why, sizeof(why)), 0);
	assert_int_equal(target_label_read(dir, &m, why, sizeof(why)), 0);
	assert_int_equal(m.version, l.version);
	assert_int_equal(m.type, l.type);
	assert_string_equal(m.fsname, l.fsname);
	assert_int_equal(m.index, l.index);
	assert_memory_equal(m.uuid, l.uuid, UUID_LEN);
	assert_string_equal(m.mgsnode, l.mgsnode);
	assert_string_equal(m.servicenode, l.servicenode);
	assert_string_equal(m.failnode, l.failnode);
	assert_int_equal(m.port, l.port);
	assert_true(m.registered);
	assert_string_equal(m.params, l.params);
	snprintf(text, sizeof(text), "%s.new", path);
	assert_int_equal(stat(text, &st), -1); /* nothing left over */
	l = (struct target_label){.version = TARGET_VERSION, .type = TARGET_MGS};
	assert_int_equal(target_label_write(dir, &l, why, sizeof(why)), 0);
	assert_int_equal(target_label_read(dir, &m, why, sizeof(why)), 0);
	assert_int_equal(m.type, TARGET_MGS);
	assert_false(m.registered);
}

static void a_label_torn_at_any_byte_is_refused(void **state)
{
	static struct target_label m;
	static struct target_label l;

	(void)state;
	l = sample();
	assert_int_equal(target_label_write(dir, &l, why, sizeof(why)), 0);
	load_text();
	for (size_t n = 0; n < text_len; n++) {
		store_bytes(text, n);
		assert_int_equal(target_label_read(dir, &m, why, sizeof(why)), -EUCLEAN);
		assert_non_null(strstr(why, path));
	}
	store_bytes(text, text_len);
	assert_int_equal(target_label_read(dir, &m, why, sizeof(why)), 0);
}

static void any_changed_bit_is_refused(void **state)
{
	static struct target_label m;
	static struct target_label l;

	(void)state;
	l = sample();
	assert_int_equal(target_label_write(dir, &l, why, sizeof(why)), 0);
	load_text();
	for (size_t bit = 0; bit < text_len * 8; bit++) {
		text[bit / 8] ^= (char)(1 << bit % 8);
		store_bytes(text, text_len);
		/* The digits of the checksum may change their case. */
		if (target_label_read(dir, &m, why, sizeof(why)) == 0)
			assert_true(bit / 8 >= text_len - 9 && bit % 8 == 5);
		text[bit / 8] ^= (char)(1 << bit % 8);
	}
}

static void expect(const char *body, int rc, const char *says)
{
	struct target_label m;

	store_text(body);
	assert_int_equal(target_label_read(dir, &m, why, sizeof(why)), rc);
	if (!strstr(why, says))
		fail_msg("\"%s\" gives \"%s\"", body, why);
	assert_true(rc == 0 || strstr(why, path));
}

#define UUID "uuid=00112233-4455-6677-8899-aabbccddeeff\n"
#define HEAD "version=1\ntype=OST\nfsname=fs\nindex=3\n" UUID

static void bad_fields_are_named(void **state)
{
	(void)state;
	why[0] = 0;
	expect("# remark\n" HEAD, 0, "");
	expect(HEAD "port\n", -EINVAL, "\"port\" is not KEY=VALUE");
	expect(HEAD "colour=blue\n", -EINVAL, "unknown field \"colour\"");
	expect(HEAD "port=1\nport=2\n", -EINVAL, "field port stands there twice");
	expect(HEAD "port=65536\n", -EINVAL, "field port has the bad value \"65536\"");
	expect(HEAD "port=-1\n", -EINVAL, "field port");
	expect(HEAD "port= 1\n", -EINVAL, "field port");
	expect(HEAD "port=\n", -EINVAL, "field port");
	expect(HEAD "registered=2\n", -EINVAL, "field registered");
	expect(HEAD "param=novalue\n", -EINVAL, "field param");
	expect("version=1\ntype=OST\nfsname=fs\nindex=70000\n" UUID, -EINVAL, "field index");
	expect("version=1\ntype=OST\nfsname=toolongname\nindex=7\n" UUID, -EINVAL, "field fsname");
	expect("version=1\ntype=ost\nfsname=fs\nindex=7\n" UUID, -EINVAL, "field type");
	expect("version=1\ntype=OST\nfsname=fs\nindex=7\nuuid=123\n", -EINVAL, "field uuid");
	expect("version=1\ntype=OST\nindex=7\n" UUID, -EINVAL, "field fsname is missing");
	expect("version=1\ntype=OST\nfsname=\nindex=7\n" UUID, -EINVAL, "field fsname is empty");
	expect("version=1\ntype=MDT\nfsname=fs\n" UUID, -EINVAL, "field index is missing");
	expect("version=1\ntype=MGS\n", -EINVAL, "field uuid is missing");
	expect("type=MGS\n" UUID, -EINVAL, "field version is missing");
	expect("version=1\ntype=MGS\n" UUID, 0, "");
}

static void another_version_is_refused_with_both_numbers(void **state)
{
	(void)state;
	expect("version=2\nfuture=1\n", -EINVAL,
	       "format version 2, this program knows version 1");
}

static void too_many_parameters_are_refused(void **state)
{
	static char body[8000] = HEAD;
	size_t at = strlen(body);

	(void)state;
	for (int i = 0; i < 100; i++)
		at += (size_t)snprintf(body + at, sizeof(body) - at,
				       "param=aaaaaaaaaaaaaaaaaaaaaaaaaa=1234567890\n");
	expect(body, -EINVAL, "field param");
}

static void random_bytes_are_refused(void **state)
{
	struct target_label m;
	uint64_t seed = 12;
	char junk[600];

	(void)state;
	for (int i = 0; i < 500; i++) {
		size_t n = rnd_below(&seed, sizeof(junk) - 1);

		rnd_fill(&seed, junk, n);
		store_bytes(junk, n);
		assert_int_equal(target_label_read(dir, &m, why, sizeof(why)), -EUCLEAN);
		for (size_t k = 0; k < n; k++) /* printable, and a checksum that fits */
			junk[k] = (char)("=\n#abtype10"[(uint8_t)junk[k] % 11]);
		junk[n] = 0;
		store_text(junk);
		assert_true(target_label_read(dir, &m, why, sizeof(why)) < 0);
	}
}

static void an_unformatted_directory_is_told_apart(void **state)
{
	struct target_label m;

	(void)state;
	assert_int_equal(target_label_read(dir, &m, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "has not been formatted with mkfs.sheen"));
	assert_int_equal(target_label_read("/nowhere/at/all", &m, why, sizeof(why)), -ENOENT);
	assert_int_equal(target_label_read("/dev/null", &m, why, sizeof(why)), -ENOTDIR);
}

static void what_cannot_be_one_line_is_not_written(void **state)
{
	static struct target_label l;

	(void)state;
	l = sample();
	snprintf(l.mgsnode, sizeof(l.mgsnode), "a\nregistered=1");
	assert_int_equal(target_label_write(dir, &l, why, sizeof(why)), -EINVAL);
	l = sample();
	assert_int_equal(target_label_write("/nowhere", &l, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "/nowhere"));
}

static void a_second_process_is_refused_and_told_the_first(void **state)
{
	char want[64];
	int fd, fd2, status;
	pid_t pid;

	(void)state;
	assert_int_equal(target_lock(dir, &fd, why, sizeof(why)), 0);
	assert_int_equal(target_lock(dir, &fd2, why, sizeof(why)), -EBUSY);
	snprintf(want, sizeof(want), " %d 2", (int)getpid());
	assert_non_null(strstr(why, want));
	pid = fork();
	if (pid == 0)
		_exit(target_lock(dir, &fd2, why, sizeof(why)) == -EBUSY ? 0 : 1);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	close(fd);
	assert_int_equal(target_lock(dir, &fd, why, sizeof(why)), 0);
	close(fd);
}

static void names_of_targets(void **state)
{
	static struct target_label l;
	char name[MAX_TARGET_NAME], fs[MAX_FSNAME + 1];
	uint32_t index;
	uint8_t type;

	(void)state;
	l = sample();
	target_name(&l, name);
	assert_string_equal(name, "lustre-OST000a");
	l.type = TARGET_MDT;
	target_name(&l, name);
	assert_string_equal(name, "lustre-MDT000a");
	l.type = TARGET_MGS;
	target_name(&l, name);
	assert_string_equal(name, "MGS");
	assert_int_equal(target_name_parse("my-fs-OST00Ff", fs, &type, &index), 0);
	assert_string_equal(fs, "my-fs");
	assert_int_equal(type, TARGET_OST);
	assert_int_equal(index, 255);
}

static void other_names_are_refused(void **state)
{
	static const char *const bad[] = {"",
					  "MGS",
					  "-OST0000",
					  "fs-OST000",
					  "fs-OST00000",
					  "fs-OSD0000",
					  "fs-OSTfffff",
					  "fs-OST-001",
					  "fs-OSTffe0",
					  "fs-OST000g",
					  "toolongfs-OST0000",
					  "a/b-OST0000",
					  "OST0000"};
	char fs[MAX_FSNAME + 1];
	uint32_t index;
	uint8_t type;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(target_name_parse(bad[i], fs, &type, &index), -EINVAL);
	assert_int_equal(target_name_parse("fs-OSTffdf", fs, &type, &index), 0);
}

static void uuids_are_random_and_read_back(void **state)
{
	static const char *const bad[] = {"", "00112233-4455-6677-8899-aabbccddeef",
					  "00112233-4455-6677-8899-aabbccddeefff",
					  "00112233x4455-6677-8899-aabbccddeeff",
					  "0011223344-55-6677-8899-aabbccddeeff",
					  "0x112233-4455-6677-8899-aabbccddeeff",
					  "------------------------------------"};
	uint8_t a[UUID_LEN], b[UUID_LEN];
	char s[UUID_STRLEN];

	(void)state;
	uuid_make(a);
	uuid_make(b);
	assert_memory_not_equal(a, b, UUID_LEN);
	assert_int_equal(uuid_parse(uuid_str(a, s), b), 0);
	assert_memory_equal(a, b, UUID_LEN);
	assert_int_equal(s[14], '4');
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(uuid_parse(bad[i], b), -EINVAL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_label_reads_as_it_was_written),
		T(a_label_torn_at_any_byte_is_refused),
		T(any_changed_bit_is_refused),
		T(bad_fields_are_named),
		T(another_version_is_refused_with_both_numbers),
		T(too_many_parameters_are_refused),
		T(random_bytes_are_refused),
		T(an_unformatted_directory_is_told_apart),
		T(what_cannot_be_one_line_is_not_written),
		T(a_second_process_is_refused_and_told_the_first),
		T(names_of_targets),
		T(other_names_are_refused),
		T(uuids_are_random_and_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
