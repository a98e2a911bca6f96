/* SPDX-License-Identifier: Apache-2.0 */
/* open.c - flags of open: O_APPEND, O_TRUNC, O_EXCL, O_DIRECT, O_SYNC, O_TMPFILE, O_PATH; statfs
 * and fsync. */
#include "t.h"
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

static void o_trunc_empties_and_is_seen(void)
{
	int fd;

	SYS(put_file("f", "hello", 5));
	SYS(fd = open("f", O_RDWR | O_TRUNC));
	EQ(st_of(other("f")).st_size, 0);
	EQ(write(fd, "x", 1), 1);
	SYS(close(fd));
	OK(file_is(other("f"), "x", 1));
	SYS(fd = open("g", O_CREAT | O_TRUNC | O_WRONLY, 0444));
	EQ(write(fd, "y", 1), 1); /* the mode binds later opens only */
	SYS(close(fd));
	OK(file_is("g", "y", 1));
}

static void o_append_writes_at_the_end(void)
{
	int a, b;

	SYS(a = open("f", O_CREAT | O_WRONLY | O_APPEND, 0644));
	SYS(b = open(other("f"), O_WRONLY | O_APPEND));
	EQ(write(a, "11", 2), 2);
	EQ(write(b, "22", 2), 2);
	EQ(write(a, "33", 2), 2);
	if (t_control) /* FUSE does not learn where an append went: docs/posix.md */
		EQ(lseek(a, 0, SEEK_CUR), 6);
	EQ(lseek(a, 0, SEEK_SET), 0);
	EQ(write(a, "44", 2), 2);
	OK(file_is("f", "11223344", 8));
	SYS(ftruncate(a, 2));
	EQ(write(b, "55", 2), 2);
	OK(file_is("f", "1155", 4));
	SYS(close(a));
	SYS(close(b));
	SYS(a = open("f", O_WRONLY));
	SYS(fcntl(a, F_SETFL, O_APPEND));
	EQ(write(a, "6", 1), 1);
	OK(file_is("f", "11556", 5));
	SYS(close(a));
}

enum { RECORDS = 300, RECORD = 777 };

static void append_records(const char *path, int who)
{
	char rec[RECORD];
	int fd = open(path, O_WRONLY | O_APPEND);

	memset(rec, 'a' + who, sizeof(rec));
	for (int i = 0; i < RECORDS; i++)
		if (write(fd, rec, sizeof(rec)) != sizeof(rec))
			_exit(1);
	_exit(close(fd) ? 1 : 0);
}

static void o_append_is_atomic_across_mounts(void)
{
	char rec[RECORD];
	int count[4] = {0}, status, fd;

	SYS(make_file("f", 0644));
	for (int i = 0; i < 4; i++)
		if (fork() == 0)
			append_records(i % 2 ? other("f") : "f", i);
	for (int i = 0; i < 4; i++) {
		SYS(wait(&status));
		EQ(status, 0);
	}
	EQ(st_of("f").st_size, 4 * RECORDS * RECORD);
	SYS(fd = open("f", O_RDONLY));
	while (read(fd, rec, sizeof(rec)) == sizeof(rec)) {
		for (int i = 1; i < RECORD; i++)
			if (rec[i] != rec[0]) {
				OK(!"a record is torn");
				i = RECORD;
			}
		if (rec[0] >= 'a' && rec[0] <= 'd')
			count[rec[0] - 'a']++;
	}
	for (int i = 0; i < 4; i++)
		EQ(count[i], RECORDS);
	SYS(close(fd));
}

static void o_excl_lets_one_of_many_create(void)
{
	int status, winners = 0;
	char name[16];

	for (int round = 0; round < 20; round++) {
		snprintf(name, sizeof(name), "x%d", round);
		for (int i = 0; i < 4; i++)
			if (fork() == 0)
				_exit(open(i % 2 ? other(name) : name, O_CREAT | O_EXCL | O_WRONLY,
					   0644) >= 0);
		for (int i = 0; i < 4; i++) {
			SYS(wait(&status));
			winners += WEXITSTATUS(status);
		}
	}
	EQ(winners, 20);
}

static void o_direct_reads_and_writes(void)
{
	uint8_t *buf, *back;
	int fd;

	buf = aligned_alloc(4096, 1 << 20);
	back = aligned_alloc(4096, 1 << 20);
	fill(buf, 1 << 20, 1);
	SYS(fd = open("f", O_CREAT | O_RDWR | O_DIRECT, 0644));
	EQ(pwrite(fd, buf, 1 << 20, 0), 1 << 20);
	EQ(pwrite(fd, buf, 4096, 3 << 20), 4096);
	EQ(pread(fd, back, 1 << 20, 0), 1 << 20);
	OK(memcmp(buf, back, 1 << 20) == 0);
	EQ(pread(fd, back, 8192, 3 << 20), 4096);
	EQ(pread(fd, back, 8192, 2 << 20), 8192);
	for (int i = 0; i < 8192; i++)
		if (back[i])
			OK(!"a hole reads as zeros"), i = 8192;
	SYS(close(fd));
	SYS(fd = open(other("f"), O_RDONLY));
	EQ(pread(fd, back, 1 << 20, 0), 1 << 20);
	OK(memcmp(buf, back, 1 << 20) == 0);
	SYS(close(fd));
	free(buf), free(back);
}

static void o_sync_and_fsync_of_everything(void)
{
	int fd, d;

	SYS(fd = open("f", O_CREAT | O_RDWR | O_SYNC, 0644));
	EQ(write(fd, "x", 1), 1);
	SYS(fsync(fd));
	SYS(fdatasync(fd));
	SYS(close(fd));
	SYS(fd = open("f", O_RDWR | O_DSYNC));
	EQ(write(fd, "y", 1), 1);
	SYS(close(fd));
	SYS(d = open(".", O_RDONLY | O_DIRECTORY));
	SYS(fsync(d));
	SYS(fdatasync(d));
	SYS(syncfs(d));
	SYS(close(d));
	SYS(fd = open("f", O_RDONLY));
	SYS(fsync(fd));
	SYS(close(fd));
}

static void o_tmpfile_has_no_name_until_linked(void)
{
	char path[64];
	struct stat st;
	int fd;

	SYS(fd = open(".", O_TMPFILE | O_RDWR, 0640));
	if (fd < 0)
		return;
	SYS(fstat(fd, &st));
	EQ(st.st_nlink, 0);
	EQ(st.st_mode & 07777, 0640);
	EQ(write(fd, "tmp", 3), 3);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	SYS(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	OK(file_is(other("named"), "tmp", 3));
	EQ(st_of("named").st_nlink, 1);
	FAILS(EEXIST, linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	SYS(close(fd));
	OK(file_is("named", "tmp", 3));
	SYS(fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	FAILS(ENOENT, linkat(AT_FDCWD, path, AT_FDCWD, "never", AT_SYMLINK_FOLLOW));
	EQ(write(fd, "gone", 4), 4);
	SYS(close(fd));
	FAILS(EINVAL, open(".", O_TMPFILE | O_RDONLY, 0600));
	SYS(unlink("named"));
}

static void o_path_and_fd_calls(void)
{
	struct stat st;
	char c;
	int fd, d;

	SYS(put_file("f", "x", 1));
	SYS(d = open(other("."), O_PATH | O_DIRECTORY));
	SYS(fd = openat(d, "f", O_RDONLY));
	EQ(read(fd, &c, 1), 1);
	SYS(close(fd));
	SYS(fd = open("f", O_PATH));
	FAILS(EBADF, read(fd, &c, 1));
	SYS(fstat(fd, &st));
	EQ(st.st_size, 1);
	SYS(close(fd));
	SYS(fchdir(d));
	SYS(close(d));
	OK(file_is("f", "x", 1));
}

static void reading_and_writing_need_the_right_mode(void)
{
	char c = 'x';
	int fd;

	SYS(put_file("f", "abc", 3));
	SYS(fd = open("f", O_RDONLY));
	FAILS(EBADF, write(fd, &c, 1));
	FAILS(EINVAL, ftruncate(fd, 0));
	SYS(close(fd));
	SYS(fd = open("f", O_WRONLY));
	FAILS(EBADF, read(fd, &c, 1));
	SYS(close(fd));
	FAILS(EISDIR, (fd = open(".", O_RDONLY), read(fd, &c, 1)));
	FAILS(EISDIR, truncate(".", 0));
	FAILS(ENOENT, truncate("no", 0));
	FAILS(EINVAL, truncate("f", -1));
	OK(file_is("f", "abc", 3));
}

static void statfs_gives_sane_numbers(void)
{
	struct statfs fs, fs2;

	SYS(statfs(".", &fs));
	SYS(statfs(other("."), &fs2));
	OK(fs.f_bsize >= 512 && fs.f_blocks > 0);
	OK(fs.f_bfree <= fs.f_blocks && fs.f_bavail <= fs.f_bfree);
	OK(fs.f_files > 0 && fs.f_ffree <= fs.f_files);
	EQ(fs.f_namelen, 255);
	EQ(fs2.f_blocks, fs.f_blocks);
	EQ(fs2.f_bsize, fs.f_bsize);
}

static void access_follows_the_mode(void)
{
	SYS(make_file("f", 0644));
	FAILS(EACCES, access("f", X_OK));
	SYS(chmod(other("f"), 0755));
	SYS(access("f", X_OK));
	SYS(access("f", R_OK | W_OK));
	FAILS(ENOENT, access("no", F_OK));
	FAILS(ENOTDIR, access("f/x", F_OK));
}

const struct t_case open_cases[] = {
	CASE(o_trunc_empties_and_is_seen),
	CASE(o_append_writes_at_the_end),
	CASE(o_append_is_atomic_across_mounts),
	CASE(o_excl_lets_one_of_many_create),
	CASE(o_direct_reads_and_writes),
	CASE(o_sync_and_fsync_of_everything),
	CASE(o_tmpfile_has_no_name_until_linked),
	CASE(o_path_and_fd_calls),
	CASE(reading_and_writing_need_the_right_mode),
	CASE(statfs_gives_sane_numbers),
	CASE(access_follows_the_mode),
	{0},
};
