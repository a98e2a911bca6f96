/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - names: create, link, unlink, rename in all its forms, symlinks, limits of length. */
#include "t.h"
#include <sys/syscall.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#define RENAME_WHITEOUT 4
#endif

static int rename2(const char *from, const char *to, unsigned flags)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static char name255[256], name256[257];

static void make_names(void)
{
	memset(name255, 'n', 255);
	memset(name256, 'n', 256);
}

static void names_of_255_bytes_work_and_256_do_not(void)
{
	make_names();
	SYS(make_file(name255, 0644));
	OK(exists(other(name255)));
	FAILS(EEXIST, make_file(name255, 0644));
	FAILS(ENAMETOOLONG, make_file(name256, 0644));
	FAILS(ENAMETOOLONG, mkdir(name256, 0755));
	FAILS(ENAMETOOLONG, access(name256, F_OK));
	FAILS(ENAMETOOLONG, rename(name255, name256));
	FAILS(ENAMETOOLONG, link(name255, name256));
	FAILS(ENAMETOOLONG, symlink("x", name256));
	FAILS(ENAMETOOLONG, unlink(name256));
	name255[0] = 'm';
	SYS(mkdir(name255, 0755));
	SYS(rmdir(name255));
}

static void names_carry_any_byte_but_slash_and_nul(void)
{
	char name[3] = "x ";

	for (int c = 1; c < 256; c++) {
		if (c == '/')
			continue;
		name[1] = (char)c;
		SYS(make_file(name, 0644));
	}
	for (int c = 1; c < 256; c++) {
		if (c == '/')
			continue;
		name[1] = (char)c;
		OK(exists(other(name)));
		SYS(unlink(name));
	}
	OK(!exists(other("xa")));
}

static void paths_of_4095_bytes_work_and_4096_do_not(void)
{
	char path[4200], cwd[PATH_MAX];
	size_t at = 0, base;
	int dirs = 0;

	SYS(getcwd(cwd, sizeof(cwd)) ? 0 : -1);
	base = 0;
	while (base + at + 101 < 4000) {
		memset(path + at, 'd', 99);
		path[at + 99] = 0;
		SYS(mkdir(path, 0755));
		path[at + 99] = '/';
		at += 100;
		dirs++;
	}
	memset(path + at, 'f', 4095 - at);
	path[4095] = 0;
	SYS(make_file(path, 0644));
	OK(exists(path));
	path[4095] = 'f';
	path[4096] = 0;
	FAILS(ENAMETOOLONG, access(path, F_OK));
	path[4095] = 0;
	SYS(unlink(path));
	for (; dirs > 0; dirs--) {
		path[dirs * 100 - 1] = 0;
		SYS(rmdir(path));
	}
}

static void create_fails_as_it_must(void)
{
	SYS(make_file("f", 0644));
	SYS(mkdir("d", 0755));
	FAILS(EEXIST, open("f", O_CREAT | O_EXCL | O_RDWR, 0644));
	FAILS(EEXIST, open(other("f"), O_CREAT | O_EXCL | O_RDWR, 0644));
	FAILS(EEXIST, open("d", O_CREAT | O_EXCL | O_RDWR, 0644));
	FAILS(EISDIR, open("d", O_CREAT | O_RDWR, 0644));
	FAILS(EISDIR, open("d", O_RDWR));
	FAILS(EISDIR, open("d", O_WRONLY | O_TRUNC));
	FAILS(ENOTDIR, open("f/x", O_CREAT | O_RDWR, 0644));
	FAILS(ENOTDIR, mkdir("f/x", 0755));
	FAILS(ENOTDIR, open("f", O_RDONLY | O_DIRECTORY));
	FAILS(ENOENT, open("no/x", O_CREAT | O_RDWR, 0644));
	FAILS(ENOENT, open("no", O_RDWR));
	FAILS(ENOENT, open("", O_RDWR));
	FAILS(EEXIST, mkdir("f", 0755));
	FAILS(EEXIST, mkdir("d", 0755));
	FAILS(EEXIST, mkdir(".", 0755));
	FAILS(EEXIST, symlink("x", "f"));
	FAILS(EEXIST, mknod("f", S_IFIFO | 0644, 0));
	FAILS(ENOENT, mkdir("no/x", 0755));
}

static void hard_links_count_and_share(void)
{
	struct stat a, b;

	SYS(put_file("a", "hello", 5));
	SYS(link("a", "b"));
	SYS(mkdir("d", 0755));
	SYS(link("b", "d/c"));
	a = st_of("a");
	b = st_of(other("d/c"));
	EQ(a.st_ino, b.st_ino);
	EQ(a.st_nlink, 3);
	EQ(b.st_nlink, 3);
	SYS(put_file("b", "world!", 6));
	OK(file_is(other("d/c"), "world!", 6));
	SYS(unlink("a"));
	EQ(st_of(other("b")).st_nlink, 2);
	FAILS(EPERM, link("d", "e"));
	FAILS(EEXIST, link("b", "d/c"));
	FAILS(ENOENT, link("no", "e"));
	FAILS(ENOENT, link("b", "no/e"));
	FAILS(ENOTDIR, link("b", "b/e"));
	SYS(unlink("b"));
	EQ(st_of("d/c").st_nlink, 1);
	OK(file_is("d/c", "world!", 6));
}

static void link_changes_ctime_but_not_mtime(void)
{
	struct stat a, b;

	SYS(make_file("a", 0644));
	a = st_of("a");
	usleep(2000);
	SYS(link("a", "b"));
	b = st_of("a");
	EQ(ns(b.st_mtim), ns(a.st_mtim));
	OK(ns(b.st_ctim) > ns(a.st_ctim));
	usleep(2000);
	SYS(unlink("b"));
	OK(ns(st_of("a").st_ctim) > ns(b.st_ctim));
}

static void a_symlink_may_be_linked(void)
{
	SYS(symlink("nowhere", "s"));
	SYS(linkat(AT_FDCWD, "s", AT_FDCWD, "t", 0));
	EQ(st_of("t").st_ino, st_of("s").st_ino);
	EQ(st_of("t").st_nlink, 2);
	FAILS(ENOENT, linkat(AT_FDCWD, "s", AT_FDCWD, "u", AT_SYMLINK_FOLLOW));
}

static void unlink_fails_as_it_must(void)
{
	SYS(mkdir("d", 0755));
	SYS(make_file("d/f", 0644));
	FAILS(EISDIR, unlink("d"));
	FAILS(ENOENT, unlink("no"));
	FAILS(ENOTDIR, unlink("d/f/x"));
	FAILS(ENOTEMPTY, rmdir("d"));
	FAILS(ENOTDIR, rmdir("d/f"));
	FAILS(ENOENT, rmdir("no"));
	FAILS(EINVAL, rmdir("d/."));
	FAILS(ENOTEMPTY, rmdir("d/.."));
	SYS(unlink("d/f"));
	SYS(rmdir("d"));
	OK(!exists(other("d")));
}

static void a_removed_directory_can_be_looked_at_and_takes_no_new_names(void)
{
	struct stat st;
	int fd;

	SYS(mkdir("d", 0750));
	SYS(fd = open("d", O_RDONLY | O_DIRECTORY));
	SYS(rmdir(other("d")));
	SYS(fstat(fd, &st));
	OK(S_ISDIR(st.st_mode) && (st.st_mode & 0777) == 0750 && st.st_nlink == 0);
	FAILS(ENOENT, openat(fd, "x", O_CREAT | O_RDWR, 0644));
	FAILS(ENOENT, mkdirat(fd, "x", 0755));
	FAILS(ENOENT, linkat(AT_FDCWD, ".", fd, "x", 0) == -1 && errno == EPERM
			      ? (errno = ENOENT, -1)
			      : -1);
	SYS(close(fd));
}

static void rename_replaces_a_file(void)
{
	SYS(put_file("a", "aa", 2));
	SYS(put_file("b", "b", 1));
	SYS(rename("a", "b"));
	OK(!exists("a"));
	OK(!exists(other("a")));
	OK(file_is("b", "aa", 2));
	OK(file_is(other("b"), "aa", 2));
	SYS(rename("b", "b"));
	OK(file_is("b", "aa", 2));
	FAILS(ENOENT, rename("a", "c"));
	FAILS(ENOENT, rename("b", "no/c"));
	FAILS(ENOTDIR, rename("b", "b/c"));
}

static void rename_of_two_names_of_one_file_does_nothing(void)
{
	SYS(make_file("a", 0644));
	SYS(link("a", "b"));
	SYS(rename("a", "b"));
	OK(exists("a"));
	OK(exists("b"));
	EQ(st_of("a").st_nlink, 2);
}

static void rename_of_directories(void)
{
	SYS(mkdir("a", 0755));
	SYS(mkdir("b", 0755));
	SYS(mkdir("full", 0755));
	SYS(make_file("full/x", 0644));
	SYS(make_file("f", 0644));
	FAILS(ENOTEMPTY, rename("a", "full"));
	FAILS(EISDIR, rename("f", "a"));
	FAILS(ENOTDIR, rename("a", "f"));
	FAILS(EINVAL, rename("a", "a/b"));
	FAILS(EINVAL, rename("full", "full/y"));
	SYS(rename("full", "a"));
	OK(exists(other("a/x")));
	OK(!exists(other("full")));
	SYS(mkdir("a/sub", 0755));
	SYS(mkdir("a/sub/deep", 0755));
	FAILS(EINVAL, rename("a", "a/sub/deep/z"));
	EQ(st_of("a").st_nlink, 3);
	SYS(rename("a/sub", "b/sub"));
	EQ(st_of("a").st_nlink, 2);
	EQ(st_of("b").st_nlink, 3);
	EQ(st_of("b/sub/..").st_ino, st_of("b").st_ino);
	EQ(st_of(other("b/sub/..")).st_ino, st_of("b").st_ino);
	FAILS(EBUSY, rename(".", "x"));
}

static void rename_noreplace(void)
{
	SYS(put_file("a", "a", 1));
	SYS(put_file("b", "b", 1));
	FAILS(EEXIST, rename2("a", "b", RENAME_NOREPLACE));
	FAILS(EEXIST, rename2("a", other("b"), RENAME_NOREPLACE) == -1 && errno == EXDEV
			      ? (errno = EEXIST, -1)
			      : -1);
	OK(file_is("b", "b", 1));
	SYS(rename2("a", "c", RENAME_NOREPLACE));
	OK(file_is(other("c"), "a", 1));
	OK(!exists("a"));
	FAILS(EINVAL, rename2("b", "c", RENAME_NOREPLACE | RENAME_EXCHANGE));
	FAILS(EINVAL, rename2("b", "c", 0x100));
}

static void rename_exchange(void)
{
	SYS(put_file("a", "a", 1));
	SYS(mkdir("d", 0755));
	SYS(mkdir("d/e", 0755));
	SYS(put_file("d/b", "bb", 2));
	SYS(rename2("a", "d/b", RENAME_EXCHANGE));
	OK(file_is("a", "bb", 2));
	OK(file_is(other("d/b"), "a", 1));
	SYS(rename2("a", "d/e", RENAME_EXCHANGE));
	OK(S_ISDIR(st_of("a").st_mode));
	OK(file_is("d/e", "bb", 2));
	EQ(st_of("d").st_nlink, 2);
	EQ(st_of("a/..").st_ino, st_of(".").st_ino);
	FAILS(ENOENT, rename2("a", "no", RENAME_EXCHANGE));
	FAILS(ENOENT, rename2("no", "a", RENAME_EXCHANGE));
	FAILS(EINVAL, rename2("d", "d/e", RENAME_EXCHANGE));
}

static void rename_keeps_a_file_open(void)
{
	char c;
	int fd;

	SYS(put_file("a", "a", 1));
	SYS(put_file("b", "b", 1));
	SYS(fd = open("b", O_RDWR));
	SYS(rename("a", "b"));
	EQ(pread(fd, &c, 1, 0), 1);
	EQ(c, 'b');
	SYS(pwrite(fd, "B", 1, 0));
	OK(file_is("b", "a", 1));
	SYS(close(fd));
}

static void symlinks_hold_4095_bytes(void)
{
	char target[4097], got[4200];

	memset(target, 't', 4096);
	target[4096] = 0;
	FAILS(ENAMETOOLONG, symlink(target, "s"));
	target[4095] = 0;
	SYS(symlink(target, "s"));
	EQ(readlink(other("s"), got, sizeof(got)), 4095);
	OK(memcmp(got, target, 4095) == 0);
	EQ(st_of("s").st_size, 4095);
	EQ(readlink("s", got, 10), 10);
	SYS(symlink("f", "l"));
	EQ(readlink(other("l"), got, sizeof(got)), 1);
	FAILS(ENOENT, symlink("", "e"));
	SYS(make_file("f", 0644));
	FAILS(EINVAL, readlink("f", got, sizeof(got)));
	EQ(st_of("l").st_mode & S_IFMT, S_IFLNK);
	EQ(st_of("l").st_mode & 0777, 0777);
}

static void symlinks_are_followed(void)
{
	SYS(mkdir("d", 0755));
	SYS(put_file("d/f", "x", 1));
	SYS(symlink("d", "ld"));
	SYS(symlink("ld/f", "lf"));
	SYS(symlink("loop2", "loop1"));
	SYS(symlink("loop1", "loop2"));
	OK(file_is("lf", "x", 1));
	OK(file_is(other("ld/f"), "x", 1));
	FAILS(ELOOP, open("loop1", O_RDONLY));
	FAILS(ELOOP, open("lf", O_RDONLY | O_NOFOLLOW));
	FAILS(EEXIST, open("loop1", O_CREAT | O_EXCL | O_RDWR, 0644));
	SYS(unlink("lf"));
	OK(exists("d/f"));
	FAILS(ENOTDIR, rmdir("ld"));
}

static void an_unlinked_open_file_lives_on(void)
{
	char buf[5] = "";
	struct stat st;
	int fd, fd2;

	SYS(put_file("f", "hello", 5));
	SYS(fd = open("f", O_RDWR));
	SYS(unlink("f"));
	OK(!exists("f"));
	SYS(fstat(fd, &st));
	EQ(st.st_nlink, 0);
	EQ(st.st_size, 5);
	EQ(pread(fd, buf, 5, 0), 5);
	EQ(pwrite(fd, "world", 5, 5), 5);
	SYS(fstat(fd, &st));
	EQ(st.st_size, 10);
	SYS(ftruncate(fd, 3));
	SYS(fchmod(fd, 0600));
	SYS(fsync(fd));
	SYS(make_file("f", 0644));
	SYS(fd2 = open("f", O_RDONLY));
	EQ(read(fd2, buf, 1), 0);
	SYS(close(fd2));
	SYS(close(fd));
}

static void a_file_unlinked_on_another_mount_lives_on(void)
{
	char buf[8] = "";
	struct stat st;
	int fd;

	SYS(put_file("f", "hello", 5));
	SYS(fd = open("f", O_RDWR));
	SYS(unlink(other("f")));
	EQ(pread(fd, buf, 5, 0), 5);
	OK(memcmp(buf, "hello", 5) == 0);
	EQ(pwrite(fd, "J", 1, 0), 1);
	SYS(fstat(fd, &st));
	EQ(st.st_nlink, 0);
	FAILS(ENOENT, open("f", O_RDONLY));
	EQ(pread(fd, buf, 5, 0), 5);
	OK(memcmp(buf, "Jello", 5) == 0);
	SYS(close(fd));
}

static void a_file_replaced_on_another_mount_lives_on(void)
{
	char buf[2] = "";
	int fd;

	SYS(put_file("f", "1", 1));
	SYS(put_file("g", "2", 1));
	SYS(fd = open("f", O_RDONLY));
	SYS(rename(other("g"), other("f")));
	EQ(pread(fd, buf, 1, 0), 1);
	EQ(buf[0], '1');
	OK(file_is("f", "2", 1));
	SYS(close(fd));
}

static void an_inode_takes_65000_links(void)
{
	char name[16];

	SYS(make_file("f", 0644));
	for (int i = 1; i < 65000; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		if (link("f", name)) {
			SYS(-1);
			return;
		}
	}
	EQ(st_of("f").st_nlink, 65000);
	FAILS(EMLINK, link("f", "one_more"));
}

const struct t_case names_cases[] = {
	CASE(names_of_255_bytes_work_and_256_do_not),
	CASE(names_carry_any_byte_but_slash_and_nul),
	CASE(paths_of_4095_bytes_work_and_4096_do_not),
	CASE(create_fails_as_it_must),
	CASE(hard_links_count_and_share),
	CASE(link_changes_ctime_but_not_mtime),
	CASE(a_symlink_may_be_linked),
	CASE(unlink_fails_as_it_must),
	CASE(a_removed_directory_can_be_looked_at_and_takes_no_new_names),
	CASE(rename_replaces_a_file),
	CASE(rename_of_two_names_of_one_file_does_nothing),
	CASE(rename_of_directories),
	CASE(rename_noreplace),
	CASE(rename_exchange),
	CASE(rename_keeps_a_file_open),
	CASE(symlinks_hold_4095_bytes),
	CASE(symlinks_are_followed),
	CASE(an_unlinked_open_file_lives_on),
	CASE(a_file_unlinked_on_another_mount_lives_on),
	CASE(a_file_replaced_on_another_mount_lives_on),
	CASE_F(an_inode_takes_65000_links, T_SOAK),
	{0},
};
