/* SPDX-License-Identifier: Apache-2.0 */
/* test_lane.c - starting and stopping a mount, and servers that come later, against fake
 * servers. */
#include "tests/unit/client/core/fake_cluster.h"
#include "common/param.h"

static char why[256];

static void ordinary_body(struct fake *f)
{
	assert_int_equal(fake_mount("lustre", "", why, sizeof(why)), 0);
	assert_true(fid_eq(fs_root(f->fs), &FID_ROOT));
	assert_int_equal(strlen(fs_instance(f->fs)), 16);
	assert_int_equal(strncmp(fs_instance(f->fs), "ffff", 4), 0);
	fake_unmount();
}

static void a_mount_starts_and_stops(void **state)
{
	(void)state;
	fake_run(ordinary_body);
}

static void unknown_body(struct fake *f)
{
	(void)f;
	assert_int_equal(fake_mount("nosuch", "", why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "'nosuch'"));
	fake_unmount();
}

static void an_unknown_file_system_is_an_error_with_its_name(void **state)
{
	(void)state;
	fake_run(unknown_body);
}

static void subdir_body(struct fake *f)
{
	fake_file(1);
	assert_int_equal(fake_mount("lustre", "/nosuch", why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "/nosuch"));
	fake_unmount();
	assert_int_equal(fake_mount("lustre", "/file", why, sizeof(why)), -ENOTDIR);
	fake_unmount();
	f->attr.mode = S_IFDIR | 0755;
	assert_int_equal(fake_mount("lustre", "/file", why, sizeof(why)), 0);
	assert_true(fid_eq(fs_root(f->fs), &f->fid));
	fake_unmount();
}

static void a_subdirectory_becomes_the_root_and_must_exist(void **state)
{
	(void)state;
	fake_run(subdir_body);
}

struct late {
	struct file *file;
	ssize_t n;
	bool done;
};

static void late_write(void *arg)
{
	struct late *w = arg;
	uint64_t off = 3 * SS; /* on the OST that nobody knows yet */

	w->n = fs_co_write(fake->ln, w->file, "late", 4, &off, false, false);
	w->done = true;
}

static void late_body(struct fake *f)
{
	struct late w = {0};
	struct wbuf text;

	f->osts_known = 3;
	fake_file(4);
	assert_int_equal(fake_mount("lustre", "", why, sizeof(why)), 0);
	w.file = fake_open_file(O_WRONLY);
	assert_int_equal(fiber_spawn(f->l, late_write, &w), 0);
	co_sleep(20 * NSEC_PER_MSEC);
	assert_false(w.done);
	f->osts_known = 4;
	f->version++;
	co_wake_all(&f->config_q);
	while (!w.done)
		co_yield();
	assert_int_equal(w.n, 4);
	assert_memory_equal(f->ost[3].obj.data, "late", 4);
	wbuf_init(&text, 1 << 16);
	fs_targets_text(f->fs, &text);
	wbuf_put(&text, "", 1);
	assert_non_null(strstr((char *)text.ptr, "OST\t3\tlustre-OST0003\tFULL\t1\t"));
	wbuf_fini(&text);
	fs_co_release(f->ln, w.file);
	fake_unmount();
}

static void an_ost_that_joins_later_is_found(void **state)
{
	(void)state;
	fake_run(late_body);
}

static void inactive_body(struct fake *f)
{
	struct file *file;
	struct wbuf text;
	char buf[4];

	fake_file(1);
	assert_int_equal(fake_mount("lustre", "", why, sizeof(why)), 0);
	file = fake_open_file(O_RDONLY);
	wbuf_init(&text, 1 << 16);
	assert_int_equal(params_set(fs_params(f->fs), "osc.*OST0000*.active", "0", &text), 0);
	while (f->ln->ost[0]->set_active)
		co_yield();
	assert_int_equal(fs_co_read(f->ln, file, buf, sizeof(buf), 0), -EIO);
	assert_int_equal(params_set(fs_params(f->fs), "osc.*OST0000*.active", "1", &text), 0);
	while (!f->ln->ost[0]->set_active)
		co_yield();
	assert_int_equal(fs_co_read(f->ln, file, buf, sizeof(buf), 0), 0);
	assert_int_equal(params_set(fs_params(f->fs), "osc.*OST0000*.active", "2", &text), -EINVAL);
	wbuf_fini(&text);
	fs_co_release(f->ln, file);
	fake_unmount();
}

static void a_deactivated_ost_fails_at_once(void **state)
{
	(void)state;
	fake_run(inactive_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mount_starts_and_stops),
		cmocka_unit_test(an_unknown_file_system_is_an_error_with_its_name),
		cmocka_unit_test(a_subdirectory_becomes_the_root_and_must_exist),
		cmocka_unit_test(an_ost_that_joins_later_is_found),
		cmocka_unit_test(a_deactivated_ost_fails_at_once),
	};

	log_set_level(LOG_LVL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
