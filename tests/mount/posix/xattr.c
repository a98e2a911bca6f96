/* SPDX-License-Identifier: Apache-2.0 */
/* xattr.c - extended attributes of all namespaces and POSIX ACLs in their binary form. */
#include "t.h"
#include <sys/xattr.h>

static void user_attributes_come_and_go(void)
{
	char buf[100], list[1000];

	SYS(make_file("f", 0644));
	SYS(setxattr("f", "user.a", "value", 5, 0));
	EQ(getxattr(other("f"), "user.a", buf, sizeof(buf)), 5);
	OK(memcmp(buf, "value", 5) == 0);
	EQ(getxattr("f", "user.a", NULL, 0), 5);
	FAILS(ERANGE, getxattr("f", "user.a", buf, 4));
	FAILS(EEXIST, setxattr("f", "user.a", "x", 1, XATTR_CREATE));
	FAILS(ENODATA, setxattr("f", "user.b", "x", 1, XATTR_REPLACE));
	SYS(setxattr("f", "user.a", "x", 1, XATTR_REPLACE));
	SYS(setxattr("f", "user.empty", "", 0, 0));
	EQ(getxattr(other("f"), "user.empty", buf, sizeof(buf)), 0);
	EQ(getxattr(other("f"), "user.a", buf, sizeof(buf)), 1);
	OK(listxattr(other("f"), list, sizeof(list)) >= 18);
	OK(memmem(list, sizeof(list), "user.a", 7) && memmem(list, sizeof(list), "user.empty", 11));
	FAILS(ERANGE, listxattr("f", list, 3));
	SYS(removexattr("f", "user.a"));
	FAILS(ENODATA, getxattr(other("f"), "user.a", buf, sizeof(buf)));
	FAILS(ENODATA, removexattr("f", "user.a"));
	FAILS(ENODATA, getxattr("f", "user.never", buf, sizeof(buf)));
	FAILS(EOPNOTSUPP, setxattr("f", "nonsense.a", "x", 1, 0));
	FAILS(ENOENT, setxattr("no", "user.a", "x", 1, 0));
}

static void attributes_have_limits(void)
{
	char name[300] = "user.", *value = malloc(70000);

	memset(value, 'v', 70000);
	SYS(make_file("f", 0644));
	memset(name + 5, 'n', 250);
	name[255] = 0;
	SYS(setxattr("f", name, "x", 1, 0));
	EQ(getxattr(other("f"), name, value, 10), 1);
	name[255] = 'n';
	name[256] = 0;
	FAILS(ERANGE, setxattr("f", name, "x", 1, 0));
	FAILS(ERANGE, setxattr("f", "", "x", 1, 0));
	FAILS(E2BIG, setxattr("f", "user.big", value, 65537, 0));
	free(value);
}

static void an_attribute_of_64_kib_is_kept(void)
{
	char *value = malloc(65536), *back = malloc(65536);

	fill(value, 65536, 1);
	SYS(make_file("f", 0644));
	SYS(setxattr("f", "user.big", value, 65536, 0));
	EQ(getxattr(other("f"), "user.big", back, 65536), 65536);
	OK(memcmp(value, back, 65536) == 0);
	SYS(mkdir("d", 0755));
	SYS(setxattr("d", "user.big", value, 65536, 0));
	free(value), free(back);
}

static void many_attributes_are_listed(void)
{
	char name[32], *list = malloc(65536);
	ssize_t n;
	int count = 0;

	SYS(make_file("f", 0644));
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "user.attribute%d", i);
		SYS(setxattr("f", name, &i, sizeof(i), 0));
	}
	n = listxattr(other("f"), list, 65536);
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(list + at) + 1)
		count += strncmp(list + at, "user.attribute", 14) == 0;
	EQ(count, 100);
	free(list);
}

static void xattrs_by_user(void)
{
	char buf[10];

	FAILS(EPERM, setxattr("f", "trusted.a", "x", 1, 0));
	FAILS(ENODATA, getxattr("f", "trusted.a", buf, sizeof(buf)));
	FAILS(EACCES, setxattr("f", "user.a", "x", 1, 0));
	EQ(getxattr("f", "user.r", buf, sizeof(buf)), 1);
}

static void namespaces_have_their_owners(void)
{
	char buf[10];

	SYS(make_file("f", 0644));
	SYS(setxattr("f", "trusted.a", "1", 1, 0));
	SYS(setxattr("f", "security.a", "2", 1, 0));
	SYS(setxattr("f", "user.r", "3", 1, 0));
	EQ(getxattr(other("f"), "trusted.a", buf, sizeof(buf)), 1);
	EQ(getxattr(other("f"), "security.a", buf, sizeof(buf)), 1);
	as_user(1234, 1234, xattrs_by_user);
	SYS(mkdir("d", 0755));
	SYS(setxattr("d", "user.a", "d", 1, 0));
	EQ(getxattr(other("d"), "user.a", buf, sizeof(buf)), 1);
	SYS(symlink("f", "s"));
	FAILS(EPERM, lsetxattr("s", "user.a", "x", 1, 0));
	SYS(lsetxattr("s", "trusted.s", "x", 1, 0));
	EQ(lgetxattr(other("s"), "trusted.s", buf, sizeof(buf)), 1);
	FAILS(ENODATA, getxattr("f", "trusted.s", buf, sizeof(buf)));
	SYS(mkfifo("p", 0644));
	FAILS(EPERM, setxattr("p", "user.a", "x", 1, 0));
}

static void attributes_move_with_renames_and_links(void)
{
	char buf[4];

	SYS(make_file("f", 0644));
	SYS(setxattr("f", "user.a", "abc", 3, 0));
	SYS(rename("f", "g"));
	SYS(link("g", "h"));
	EQ(getxattr(other("h"), "user.a", buf, sizeof(buf)), 3);
	SYS(unlink("g"));
	EQ(getxattr("h", "user.a", buf, sizeof(buf)), 3);
	SYS(put_file("h", "data", 4));
	EQ(getxattr("h", "user.a", buf, sizeof(buf)), 3);
}

static void setting_one_moves_ctime(void)
{
	struct stat a, b;

	SYS(make_file("f", 0644));
	a = st_of("f");
	usleep(20000);
	SYS(setxattr("f", "user.a", "1", 1, 0));
	b = st_of(other("f"));
	OK(ns(b.st_ctim) > ns(a.st_ctim));
	EQ(ns(b.st_mtim), ns(a.st_mtim));
}

/* Binary form of POSIX ACLs in system.posix_acl_*: version 2, then entries. */
struct acl {
	uint32_t version;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} e[6];
} __attribute__((packed));
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };
#define NO_ID UINT32_MAX

static const struct acl sample = {2,
				  {{USER_OBJ, 7, NO_ID},
				   {USER, 6, 1234},
				   {GROUP_OBJ, 5, NO_ID},
				   {GROUP, 4, 4321},
				   {MASK, 6, NO_ID},
				   {OTHER, 0, NO_ID}}};

static void open_by_acl(void)
{
	int fd;

	SYS(fd = open("f", O_RDWR));
	close(fd);
	FAILS(EACCES, access("f", X_OK));
}

static void open_without_acl(void)
{
	FAILS(EACCES, open("f", O_RDONLY));
}

static void an_access_acl_rules(void)
{
	struct acl got;

	SYS(chmod(".", 0755));
	SYS(make_file("f", 0600));
	SYS(setxattr("f", "system.posix_acl_access", &sample, sizeof(sample), 0));
	EQ(mode_of(other("f")), 0760); /* group bits show the mask */
	EQ(getxattr(other("f"), "system.posix_acl_access", &got, sizeof(got)), sizeof(got));
	OK(memcmp(&got, &sample, sizeof(got)) == 0);
	as_user(1234, 9999, open_by_acl);
	as_user(5555, 9999, open_without_acl);
	SYS(chmod("f", 0700)); /* chmod sets the mask */
	EQ(getxattr(other("f"), "system.posix_acl_access", &got, sizeof(got)), sizeof(got));
	EQ(got.e[4].perm, 0);
	as_user(1234, 9999, open_without_acl);
	SYS(removexattr("f", "system.posix_acl_access"));
	FAILS(ENODATA, getxattr("f", "system.posix_acl_access", &got, sizeof(got)));
	got = sample;
	got.version = 3;
	FAILS(EOPNOTSUPP, setxattr("f", "system.posix_acl_access", &got, sizeof(got), 0));
	got = sample;
	got.e[1].tag = 77;
	FAILS(EINVAL, setxattr("f", "system.posix_acl_access", &got, sizeof(got), 0));
}

static void a_default_acl_is_inherited(void)
{
	struct acl got;

	SYS(mkdir("d", 0755));
	FAILS(EACCES, (make_file("f", 0644),
		       setxattr("f", "system.posix_acl_default", &sample, sizeof(sample), 0)));
	SYS(setxattr("d", "system.posix_acl_default", &sample, sizeof(sample), 0));
	umask(077); /* is not applied where a default ACL rules */
	SYS(make_file("d/f", 0666));
	SYS(mkdir("d/sub", 0777));
	umask(022);
	EQ(mode_of(other("d/f")), 0660);
	EQ(getxattr(other("d/f"), "system.posix_acl_access", &got, sizeof(got)), sizeof(got));
	EQ(got.e[0].perm, 6);
	EQ(got.e[1].perm, 6);
	EQ(got.e[4].perm, 6);
	FAILS(ENODATA, getxattr("d/f", "system.posix_acl_default", &got, sizeof(got)));
	EQ(getxattr(other("d/sub"), "system.posix_acl_default", &got, sizeof(got)), sizeof(got));
	OK(memcmp(&got, &sample, sizeof(got)) == 0);
	EQ(mode_of("d/sub"), 0760);
	EQ(getxattr("d/sub", "system.posix_acl_access", &got, sizeof(got)), sizeof(got));
	SYS(make_file("d/tight", 0600));
	EQ(mode_of("d/tight"), 0600);
	SYS(symlink("x", "d/s"));
	EQ(st_of("d/s").st_mode & 0777, 0777);
	SYS(mknod("d/p", S_IFIFO | 0666, 0));
	EQ(mode_of("d/p"), 0660);
	SYS(removexattr("d", "system.posix_acl_default"));
	SYS(make_file("d/plain", 0666));
	EQ(mode_of("d/plain"), 0644);
	FAILS(ENODATA, getxattr("d/plain", "system.posix_acl_access", &got, sizeof(got)));
}

static void a_minimal_acl_is_just_the_mode(void)
{
	struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} e[3];
	} __attribute__((packed))
	min = {2, {{USER_OBJ, 6, NO_ID}, {GROUP_OBJ, 4, NO_ID}, {OTHER, 1, NO_ID}}};
	char buf[100];

	SYS(make_file("f", 0644));
	SYS(setxattr("f", "system.posix_acl_access", &min, sizeof(min), 0));
	EQ(mode_of(other("f")), 0641);
	FAILS(ENODATA, getxattr(other("f"), "system.posix_acl_access", buf, sizeof(buf)));
}

static void write_with_caps(void)
{
	int fd;

	SYS(fd = open("f", O_WRONLY));
	EQ(write(fd, "x", 1), 1);
	SYS(close(fd));
}

static void file_capabilities_go_with_a_write(void)
{
	static const uint8_t cap[20] = {0, 0, 0, 2, 0, 4}; /* VFS_CAP_REVISION_2, some bit */
	char buf[32];

	SYS(put_file("f", "abc", 3));
	SYS(chmod("f", 0777));
	SYS(setxattr("f", "security.capability", cap, sizeof(cap), 0));
	EQ(getxattr(other("f"), "security.capability", buf, sizeof(buf)), 20);
	as_user(1234, 1234, write_with_caps);
	FAILS(ENODATA, getxattr(other("f"), "security.capability", buf, sizeof(buf)));
}

const struct t_case xattr_cases[] = {
	CASE(user_attributes_come_and_go),
	CASE(attributes_have_limits),
	CASE_F(an_attribute_of_64_kib_is_kept, T_NOT_CONTROL),
	CASE_F(many_attributes_are_listed, T_NOT_CONTROL),
	CASE(namespaces_have_their_owners),
	CASE(attributes_move_with_renames_and_links),
	CASE(setting_one_moves_ctime),
	CASE(an_access_acl_rules),
	CASE(a_default_acl_is_inherited),
	CASE(a_minimal_acl_is_just_the_mode),
	CASE(file_capabilities_go_with_a_write),
	{0},
};
