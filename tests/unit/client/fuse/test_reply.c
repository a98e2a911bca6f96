/* SPDX-License-Identifier: Apache-2.0 */
/* test_reply.c - node ids, attributes and times as the kernel gets them; the memory of absent
 * ACLs; the attributes that tools read. Without servers and without a mount. */
#include "client/core/core.h"
#include "client/fuse/face.h"
#include "common/log.h"
#include "tests/unit/unit.h"
#include <sys/stat.h>

static struct face face;
static struct flane *fl;

static int setup(void **state)
{
	struct fs_cfg cfg = {.name = "test", .source = {.fsname = "lustre"}};

	(void)state;
	memset(&face, 0, sizeof(face));
	fl = calloc(1, sizeof(*fl));
	assert_non_null(fl);
	options_init(&face.opt);
	assert_int_equal(fs_create(&cfg, &face.fs), 0);
	assert_int_equal(known_create(&face.known), 0);
	assert_int_equal(loop_create(&fl->loop), 0);
	fl->face = &face;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_destroy(fl->loop);
	free(fl);
	known_destroy(face.known);
	fs_destroy(face.fs);
	return 0;
}

static const struct fid some = {FID_SEQ_NORMAL + 1, 0x1234, 0};

static void the_root_has_node_id_1_and_others_their_inode_number(void **state)
{
	struct fid fid;

	(void)state;
	assert_int_equal(face_node(&face, fs_root(face.fs)), FUSE_ROOT_ID);
	assert_int_equal(face_node(&face, &some), fid_to_ino(&some));
	assert_int_equal(face_fid(&face, FUSE_ROOT_ID, &fid), 0);
	assert_true(fid_eq(&fid, fs_root(face.fs)));
	assert_int_equal(face_fid(&face, fid_to_ino(&some), &fid), 0);
	assert_true(fid_eq(&fid, &some));
	assert_int_equal(face_fid(&face, UINT64_MAX, &fid), -ESTALE);
}

static void times_before_1970_have_positive_nanoseconds(void **state)
{
	struct attr a = {.mode = S_IFREG | 0644, .mtime = -1, .atime = 1500000000};
	struct stat st;

	(void)state;
	reply_stat(&some, &a, &st);
	assert_int_equal(st.st_mtim.tv_sec, -1);
	assert_int_equal(st.st_mtim.tv_nsec, 999999999);
	assert_int_equal(st.st_atim.tv_sec, 1);
	assert_int_equal(st.st_atim.tv_nsec, 500000000);
}

/* The MDS has given both leases on `some` for two and a half seconds. */
static struct entry leased(uint32_t mode, uint32_t flags)
{
	struct lease_grant g = {7, 1, LEASE_LOOKUP | LEASE_UPDATE, 0};
	struct entry e = {some, {.mode = mode, .flags = flags}};
	uint64_t now = loop_clock(fl->loop);

	leases_term(face.fs->leases, 7, now + 2 * NSEC_PER_SEC + NSEC_PER_SEC / 2, now);
	leases_note(face.fs->leases, &some, &g, &e.attr);
	return e;
}

static void the_kernel_keeps_what_is_leased_for_the_rest_of_the_term(void **state)
{
	struct entry e = {some, {.mode = S_IFREG | 0644}};
	uint64_t asked = loop_clock(fl->loop);
	struct fuse_entry_param p;
	struct fuse_entry_out o;

	(void)state;
	face.keeps_names = true;
	reply_entry_param(fl, asked, &e, &p);
	assert_true(p.entry_timeout == 0 && p.attr_timeout == 0);
	e = leased(S_IFREG | 0644, 0);
	reply_entry_param(fl, asked, &e, &p);
	assert_true(p.entry_timeout > 1 && p.entry_timeout <= 2.5);
	assert_true(p.attr_timeout == p.entry_timeout);
	reply_entry_out(fl, asked, &e, &o);
	assert_in_range(o.attr_valid, 1, 2);
	assert_int_equal(o.attr_valid, o.entry_valid);
}

static void names_are_kept_only_if_the_kernel_can_be_told_to_forget_them(void **state)
{
	struct entry e = leased(S_IFDIR | 0755, 0);
	uint64_t asked = loop_clock(fl->loop);
	struct fuse_entry_param p;

	(void)state;
	reply_entry_param(fl, asked, &e, &p);
	assert_true(p.entry_timeout == 0);
	assert_int_not_equal(reply_keep_ns(fl, asked, &some, &e.attr, false), 0);
	face.keeps_names = face.opt.nocache = true;
	reply_entry_param(fl, asked, &e, &p);
	assert_true(p.entry_timeout == 0);
	assert_int_equal(reply_keep_ns(fl, asked, &some, &e.attr, false), 0);
}

static void a_lease_tells_whether_there_is_an_acl(void **state)
{
	(void)state;
	assert_false(acl_none(fl, &some, 1));
	leased(S_IFDIR | 0755, 0);
	assert_true(acl_none(fl, &some, 1));
	leases_obey(face.fs->leases, &some, LEASE_UPDATE, 2);
	assert_false(acl_none(fl, &some, 1));
}

static void without_a_lease_only_the_thread_that_was_told_may_rely_on_it(void **state)
{
	struct attr file = {.mode = S_IFREG | 0644}, acl = {.mode = S_IFREG | 0644,
							    .flags = ATTR_HAS_ACL};

	(void)state;
	acl_note(fl, &some, &file, 11);
	assert_true(acl_none(fl, &some, 11));
	assert_false(acl_none(fl, &some, 12));
	atomic_fetch_add(&face.acl_gen, 1);
	assert_false(acl_none(fl, &some, 11));
	acl_note(fl, &some, &file, 11);
	acl_note(fl, &some, &acl, 11);
	assert_false(acl_none(fl, &some, 11));
}

static ssize_t ask(const char *name, char *buf, size_t len)
{
	return channel_co_get(fl, &some, name, buf, len);
}

static void tools_are_told_about_the_mount(void **state)
{
	char buf[65536];
	ssize_t n = ask("sheen.info", buf, sizeof(buf)), k;

	(void)state;
	assert_true(n > 0);
	buf[n] = 0;
	assert_non_null(strstr(buf, "fsname=lustre\n"));
	assert_int_equal(ask("sheen.info", NULL, 0), n); /* asks for the length */
	assert_int_equal(ask("sheen.info", buf, 3), -ERANGE);
	k = ask("sheen.info@7", buf, sizeof(buf));
	assert_int_equal(k, n - 7);
	assert_int_equal(strncmp(buf, "lustre", 6), 0);
	assert_int_equal(ask("sheen.info@100000", buf, sizeof(buf)), 0);
}

static void unknown_or_malformed_questions_are_refused(void **state)
{
	char buf[16];

	(void)state;
	assert_true(channel_is_name("sheen.x"));
	assert_false(channel_is_name("user.sheen.x"));
	assert_int_equal(ask("sheen.nosuch", buf, sizeof(buf)), -ENODATA);
	assert_int_equal(ask("sheen.get_param", buf, sizeof(buf)), -EINVAL);
	assert_int_equal(ask("sheen.info:x", buf, sizeof(buf)), -EINVAL);
	assert_int_equal(ask("sheen.info@x", buf, sizeof(buf)), -EINVAL);
	assert_int_equal(ask("sheen.get_param:no.such", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(ask("sheen.fid2path:garbage", buf, sizeof(buf)), -EINVAL);
}

/* What these ask for is answered without waiting: no fiber is needed. */
static int tell(const char *name, uint32_t uid)
{
	struct cred c = {.uid = uid};

	return channel_co_set(fl, &some, name, SPAN_STR("1"), &c);
}

static void only_root_sets_parameters(void **state)
{
	(void)state;
	assert_int_equal(tell("sheen.set_param:x", 1000), -EPERM);
	assert_int_equal(tell("sheen.set_param:x", 0), -ENOENT);
	assert_int_equal(tell("sheen.info", 0), -EOPNOTSUPP);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_root_has_node_id_1_and_others_their_inode_number),
		T(times_before_1970_have_positive_nanoseconds),
		T(the_kernel_keeps_what_is_leased_for_the_rest_of_the_term),
		T(names_are_kept_only_if_the_kernel_can_be_told_to_forget_them),
		T(a_lease_tells_whether_there_is_an_acl),
		T(without_a_lease_only_the_thread_that_was_told_may_rely_on_it),
		T(tools_are_told_about_the_mount),
		T(unknown_or_malformed_questions_are_refused),
		T(only_root_sets_parameters),
	};

	log_set_level(LOG_LVL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
