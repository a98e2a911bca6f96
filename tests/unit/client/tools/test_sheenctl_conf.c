/* SPDX-License-Identifier: Apache-2.0 */
/* test_sheenctl_conf.c - cluster.conf: written, read, refused when damaged. */
#include "client/tools/sheenctl.h"
#include "tests/unit/unit.h"

static struct ctl_cluster c, d;

static int parse(const char *text)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int rc;

	free(d.formatted);
	memset(&d, 0, sizeof(d));
	rc = ctl_conf_parse(&d, f, "test");
	fclose(f);
	return rc;
}

static void what_is_written_is_read_back(void **state)
{
	struct ctl_proc *p;
	char *text = NULL, *again = NULL;
	size_t len = 0;
	FILE *f;

	(void)state;
	strcpy(c.fsname, "bench");
	strcpy(c.address, "127.0.0.1");
	ctl_add_proc(&c, "mgs")->port = 23700;
	ctl_add_proc(&c, "mds")->port = 23701;
	p = ctl_add_proc(&c, "oss0");
	p->port = 23702;
	p->nost = 2;
	p->ost[1] = 1;
	p = ctl_add_proc(&c, "oss0.1");
	p->port = 23703;
	p->nost = 1;
	p->ost[0] = 2;
	assert_int_equal(ctl_set_formatted(&c, "mgs"), 0);
	assert_int_equal(ctl_set_formatted(&c, "ost1"), 0);
	assert_int_equal(ctl_set_formatted(&c, "mgs"), 0);
	f = open_memstream(&text, &len);
	ctl_conf_print(f, &c);
	fclose(f);
	assert_int_equal(parse(text), 0);
	assert_string_equal(d.fsname, "bench");
	assert_int_equal(d.nprocs, 4);
	assert_string_equal(d.proc[3].name, "oss0.1");
	assert_string_equal(d.proc[3].prog, "sheen-oss");
	assert_int_equal(d.proc[3].group, 0);
	assert_int_equal(d.proc[3].ost[0], 2);
	assert_int_equal(d.proc[2].nost, 2);
	assert_true(ctl_is_formatted(&d, "ost1"));
	assert_false(ctl_is_formatted(&d, "ost0"));
	assert_int_equal(ctl_mgs_port(&d), 23700);
	f = open_memstream(&again, &len);
	ctl_conf_print(f, &d);
	fclose(f);
	assert_string_equal(again, text);
	free(text);
	free(again);
	free(c.formatted);
}

static void damaged_files_are_refused(void **state)
{
	(void)state;
	assert_int_equal(parse("fsname=x\n"), -EINVAL);
	assert_int_equal(parse("fsname=toolongname\n"), -EINVAL);
	assert_int_equal(parse("nonsense\n"), -EINVAL);
	assert_int_equal(parse("fsname=x\naddress=1.1.1.1\nserver=mgs:99999\n"), -EINVAL);
	assert_int_equal(parse("fsname=x\naddress=1.1.1.1\nserver=mgs\n"), -EINVAL);
	assert_int_equal(parse("fsname=x\naddress=1.1.1.1\nserver=mgs:1\nserver=mds:2\n"
			       "server=oss0:3:x\n"),
			 -EINVAL);
	assert_int_equal(parse("fsname=x\naddress=1.1.1.1\nserver=mds:2\nserver=mgs:1\n"), -EINVAL);
	assert_int_equal(parse("fsname=x\naddress=1.1.1.1\nserver=mgs:1\nserver=mds:2\n"), 0);
	free(d.formatted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(damaged_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
