/* SPDX-License-Identifier: Apache-2.0 */
/* attr.c - modes, owners, times, node types, umask; what clears set-id bits. */
#include "t.h"
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>

static void mknod_makes_every_type(void)
{
	struct stat st;

	SYS(mknod("reg", S_IFREG | 0640, 0));
	SYS(mknod("fifo", S_IFIFO | 0640, 0));
	SYS(mknod("sock", S_IFSOCK | 0640, 0));
	SYS(mknod("chr", S_IFCHR | 0640, makedev(1, 3)));
	SYS(mknod("blk", S_IFBLK | 0640, makedev(259, 70000)));
	OK(S_ISREG(st_of(other("reg")).st_mode));
	OK(S_ISFIFO(st_of(other("fifo")).st_mode));
	OK(S_ISSOCK(st_of(other("sock")).st_mode));
	st = st_of(other("chr"));
	OK(S_ISCHR(st.st_mode));
	EQ(st.st_rdev, makedev(1, 3));
	st = st_of(other("blk"));
	OK(S_ISBLK(st.st_mode));
	EQ(st.st_rdev, makedev(259, 70000));
	EQ(mode_of("blk"), 0640);
	EQ(st_of("fifo").st_size, 0);
	FAILS(EEXIST, mknod("reg", S_IFREG | 0640, 0));
	FAILS(EPERM, mknod("dir", S_IFDIR | 0755, 0));
	SYS(put_file("reg", "x", 1));
	OK(file_is(other("reg"), "x", 1));
}

static void a_fifo_passes_data_between_processes(void)
{
	char c = 0;
	pid_t pid;
	int fd, status;

	SYS(mkfifo("p", 0666));
	pid = fork();
	if (pid == 0) {
		fd = open("p", O_WRONLY);
		_exit(write(fd, "x", 1) == 1 ? 0 : 1);
	}
	SYS(fd = open("p", O_RDONLY));
	EQ(read(fd, &c, 1), 1);
	EQ(c, 'x');
	SYS(waitpid(pid, &status, 0));
	EQ(status, 0);
	SYS(close(fd));
}

static void the_umask_is_applied(void)
{
	umask(027);
	SYS(make_file("f", 0666));
	SYS(mkdir("d", 0777));
	SYS(mknod("p", S_IFIFO | 0666, 0));
	umask(0);
	SYS(make_file("g", 0666));
	EQ(mode_of(other("f")), 0640);
	EQ(mode_of(other("d")), 0750);
	EQ(mode_of(other("p")), 0640);
	EQ(mode_of(other("g")), 0666);
}

static void chmod_sets_all_twelve_bits(void)
{
	SYS(make_file("f", 0644));
	for (unsigned m = 0; m <= 07777; m += 0111) {
		SYS(chmod("f", m));
		EQ(mode_of(other("f")), m);
	}
	SYS(chmod("f", 07777));
	EQ(mode_of("f"), 07777);
	SYS(mkdir("d", 0755));
	SYS(chmod("d", 03711));
	EQ(mode_of(other("d")), 03711);
	FAILS(ENOENT, chmod("no", 0));
}

static void own_files_by_user(void)
{
	SYS(make_file("mine", 0644));
	SYS(chmod("mine", 04755));
	EQ(mode_of("mine"), 04755);
	SYS(chmod("mine", 02755)); /* own group */
	EQ(mode_of("mine"), 02755);
	FAILS(EPERM, chown("mine", 0, -1));
	FAILS(EPERM, chown("mine", -1, 0));
	SYS(chown("mine", -1, 1234));
	SYS(chmod("othergroup", 02755));
	EQ(mode_of("othergroup"), 0755);
}

static void chmod_and_chown_by_an_owner_have_limits(void)
{
	SYS(chmod(".", 0777));
	SYS(make_file("othergroup", 0644));
	SYS(chown("othergroup", 1234, 4321));
	as_user(1234, 1234, own_files_by_user);
}

static void chown_by_user(void)
{
	SYS(chown("u", -1, 1234));
}

static void chown_clears_set_id_bits(void)
{
	struct stat a, b;

	SYS(make_file("f", 0755));
	SYS(chmod("f", 06755));
	SYS(chown("f", 1000, 1000));
	EQ(mode_of(other("f")), 0755);
	EQ(st_of(other("f")).st_uid, 1000);
	EQ(st_of(other("f")).st_gid, 1000);
	/* sgid without group execute is mandatory locking, not a privilege: it stays */
	SYS(chmod("f", 06644));
	SYS(chown("f", 1001, -1));
	EQ(mode_of("f") & 04000, 0);
	EQ(st_of("f").st_gid, 1000);
	SYS(chown("f", -1, 1002));
	EQ(st_of("f").st_uid, 1001);
	SYS(mkdir("d", 0755));
	SYS(chmod("d", 06755));
	SYS(chown("d", 1000, 1000));
	EQ(mode_of("d"), 06755);
	SYS(make_file("u", 0755));
	SYS(chown("u", 1234, 1234));
	SYS(chmod("u", 06755));
	as_user(1234, 1234, chown_by_user);
	EQ(mode_of("u"), 0755);
	a = st_of("f");
	usleep(2000);
	SYS(chown("f", -1, -1));
	b = st_of("f");
	EQ(b.st_uid, a.st_uid);
	SYS(symlink("f", "s"));
	SYS(lchown("s", 77, 78));
	EQ(st_of(other("s")).st_uid, 77);
	EQ(st_of("f").st_uid, 1001);
}

static void write_by_user(void)
{
	off_t in = 0, out = 1;
	int fd;

	SYS(fd = open("w", O_WRONLY));
	EQ(write(fd, "x", 1), 1);
	SYS(close(fd));
	SYS(truncate("t", 1));
	SYS(fd = open("o", O_WRONLY | O_TRUNC));
	SYS(close(fd));
	SYS(fd = open("a", O_WRONLY));
	SYS(fallocate(fd, 0, 0, 4096));
	SYS(close(fd));
	SYS(fd = open("c", O_RDWR));
	EQ(copy_file_range(fd, &in, fd, &out, 1, 0), 1);
	SYS(close(fd));
	SYS(fd = open("keep", O_RDONLY));
	SYS(close(fd));
}

static void writing_clears_set_id_bits(void)
{
	static const char *const names[] = {"w", "t", "o", "a", "c", "keep"};

	for (int i = 0; i < 6; i++) {
		SYS(put_file(names[i], "abc", 3));
		SYS(chmod(names[i], 06777));
	}
	as_user(1234, 1234, write_by_user);
	EQ(mode_of(other("w")), 0777);
	EQ(mode_of(other("t")), 0777);
	EQ(mode_of(other("o")), 0777);
	EQ(mode_of(other("a")), 0777);
	EQ(mode_of(other("c")), 0777);
	EQ(mode_of(other("keep")), 06777);
	/* root keeps them (CAP_FSETID) */
	SYS(chmod("w", 06777));
	SYS(put_file("w", "x", 1));
	EQ(mode_of("w"), 06777);
}

static void times_have_nanoseconds_and_a_wide_range(void)
{
	static const int64_t sec[] = {0,          1,          981173106, 2147483647,
				      4102444800, 7258118400, -1,        -2000000000};
	struct timespec t[2];
	struct stat st;

	SYS(make_file("f", 0644));
	for (size_t i = 0; i < sizeof(sec) / sizeof(sec[0]); i++) {
		t[0] = (struct timespec){sec[i], 123456789};
		t[1] = (struct timespec){sec[i] + 1, 987654321};
		SYS(utimensat(AT_FDCWD, "f", t, 0));
		st = st_of(other("f"));
		EQ(st.st_atim.tv_sec, sec[i]);
		EQ(st.st_atim.tv_nsec, 123456789);
		EQ(st.st_mtim.tv_sec, sec[i] + 1);
		EQ(st.st_mtim.tv_nsec, 987654321);
	}
}

static void utimens_now_and_omit(void)
{
	struct timespec t[2] = {{100, 0}, {200, 0}}, now;
	struct stat st;

	SYS(make_file("f", 0644));
	SYS(utimensat(AT_FDCWD, "f", t, 0));
	t[0].tv_nsec = UTIME_OMIT;
	t[1] = (struct timespec){300, 5};
	SYS(utimensat(AT_FDCWD, "f", t, 0));
	st = st_of("f");
	EQ(ns(st.st_atim), 100000000000LL);
	EQ(ns(st.st_mtim), 300000000005LL);
	clock_gettime(CLOCK_REALTIME, &now);
	t[0].tv_nsec = UTIME_NOW;
	t[1].tv_nsec = UTIME_OMIT;
	SYS(utimensat(AT_FDCWD, "f", t, 0));
	st = st_of(other("f"));
	OK(llabs(ns(st.st_atim) - ns(now)) < 60000000000LL);
	EQ(ns(st.st_mtim), 300000000005LL);
	SYS(utimensat(AT_FDCWD, "f", NULL, 0));
	OK(llabs(ns(st_of("f").st_mtim) - ns(now)) < 60000000000LL);
	SYS(symlink("f", "s"));
	t[0] = t[1] = (struct timespec){500, 7};
	SYS(utimensat(AT_FDCWD, "s", t, AT_SYMLINK_NOFOLLOW));
	EQ(ns(st_of(other("s")).st_mtim), 500000000007LL);
	OK(ns(st_of("f").st_mtim) != 500000000007LL);
	t[0].tv_nsec = 1000000000;
	FAILS(EINVAL, utimensat(AT_FDCWD, "f", t, 0));
}

static void utimens_after_a_write_sticks(void)
{
	struct timespec t[2] = {{1000, 1}, {2000, 2}};
	struct stat st;
	int fd;

	SYS(fd = open("f", O_CREAT | O_RDWR, 0644));
	EQ(write(fd, "data", 4), 4);
	SYS(futimens(fd, t));
	SYS(fstat(fd, &st));
	EQ(ns(st.st_mtim), 2000000000002LL);
	EQ(ns(st_of(other("f")).st_mtim), 2000000000002LL);
	SYS(close(fd));
	EQ(ns(st_of("f").st_mtim), 2000000000002LL);
	EQ(ns(st_of(other("f")).st_mtim), 2000000000002LL);
	EQ(st_of(other("f")).st_size, 4);
}

static void times_move_with_reads_writes_and_changes(void)
{
	struct stat a, b;
	int fd;

	SYS(fd = open("f", O_CREAT | O_RDWR, 0644));
	SYS(fstat(fd, &a));
	usleep(20000);
	EQ(write(fd, "x", 1), 1);
	SYS(fstat(fd, &b));
	OK(ns(b.st_mtim) > ns(a.st_mtim));
	OK(ns(b.st_ctim) > ns(a.st_ctim));
	EQ(ns(st_of(other("f")).st_mtim), ns(b.st_mtim));
	SYS(close(fd));
	a = st_of("f");
	EQ(ns(a.st_mtim), ns(b.st_mtim));
	usleep(20000);
	SYS(chmod("f", 0600));
	b = st_of(other("f"));
	OK(ns(b.st_ctim) > ns(a.st_ctim));
	EQ(ns(b.st_mtim), ns(a.st_mtim));
	usleep(20000);
	SYS(truncate("f", 100));
	a = st_of("f");
	OK(ns(a.st_mtim) > ns(b.st_mtim));
	usleep(20000);
	SYS(truncate("f", 100)); /* the same size still marks it */
	b = st_of("f");
	OK(ns(b.st_ctim) >= ns(a.st_ctim));
}

static void an_empty_write_changes_no_time(void)
{
	struct stat a, b;
	int fd;

	SYS(fd = open("f", O_CREAT | O_RDWR, 0644));
	SYS(fstat(fd, &a));
	usleep(20000);
	EQ(write(fd, "", 0), 0);
	SYS(fstat(fd, &b));
	EQ(ns(b.st_mtim), ns(a.st_mtim));
	SYS(close(fd));
}

static void statx_knows_the_birth_time(void)
{
	struct statx sx;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	SYS(make_file("f", 0644));
	SYS(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS | STATX_BTIME, &sx));
	EQ(sx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	if (sx.stx_mask & STATX_BTIME)
		OK(llabs((long long)sx.stx_btime.tv_sec - (long long)now.tv_sec) < 60);
}

static void inode_numbers_differ_and_stay(void)
{
	ino_t a, b;

	SYS(make_file("a", 0644));
	SYS(make_file("b", 0644));
	a = st_of("a").st_ino;
	b = st_of("b").st_ino;
	OK(a != b);
	EQ(st_of(other("a")).st_ino, a);
	SYS(rename("a", "c"));
	EQ(st_of("c").st_ino, a);
	SYS(unlink("b"));
	SYS(make_file("b", 0644));
	OK(st_of("b").st_ino != a);
}

static void exec_from(const char *path, int want)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		execl(path, path, "-c", "exit 7", (char *)NULL);
		_exit(errno == EACCES ? 126 : errno == ETXTBSY ? 125 : 127);
	}
	SYS(waitpid(pid, &status, 0));
	EQ(WEXITSTATUS(status), want);
}

static void programs_run_from_here(void)
{
	static char buf[1 << 20];
	int in, out, fd;
	ssize_t n;

	SYS(in = open("/bin/dash", O_RDONLY));
	SYS(out = open("sh", O_CREAT | O_WRONLY, 0755));
	while ((n = read(in, buf, sizeof(buf))) > 0)
		EQ(write(out, buf, n), n);
	SYS(close(in));
	SYS(close(out));
	exec_from("sh", 7);
	exec_from(other("sh"), 7);
	SYS(fd = open("sh", O_WRONLY));
	exec_from("sh", 125);
	SYS(close(fd));
	SYS(chmod("sh", 0644));
	exec_from("sh", 126);
}

const struct t_case attr_cases[] = {
	CASE(mknod_makes_every_type),
	CASE(a_fifo_passes_data_between_processes),
	CASE(the_umask_is_applied),
	CASE(chmod_sets_all_twelve_bits),
	CASE(chmod_and_chown_by_an_owner_have_limits),
	CASE(chown_clears_set_id_bits),
	CASE(writing_clears_set_id_bits),
	CASE_F(times_have_nanoseconds_and_a_wide_range, 0),
	CASE(utimens_now_and_omit),
	CASE(utimens_after_a_write_sticks),
	CASE(times_move_with_reads_writes_and_changes),
	CASE(an_empty_write_changes_no_time),
	CASE(statx_knows_the_birth_time),
	CASE(inode_numbers_differ_and_stay),
	CASE(programs_run_from_here),
	{0},
};
