/* SPDX-License-Identifier: Apache-2.0 */
/* space.c - sparse and huge files: blocks, fallocate in its modes, SEEK_DATA and SEEK_HOLE,
 * limits of size. */
#include "t.h"
#include <linux/falloc.h>
#include <signal.h>
#include <sys/resource.h>

enum { MIB = 1 << 20 };

static bool all_zero(int fd, off_t off, size_t len)
{
	uint8_t *buf = malloc(len);
	bool zero = pread(fd, buf, len, off) == (ssize_t)len;

	for (size_t i = 0; zero && i < len; i++)
		zero = buf[i] == 0;
	free(buf);
	return zero;
}

static void blocks_are_those_of_the_data(void)
{
	uint8_t *buf = malloc(MIB);
	struct stat st;
	int fd;

	fill(buf, MIB, 1);
	SYS(fd = open("f", O_CREAT | O_RDWR, 0644));
	SYS(fstat(fd, &st));
	EQ(st.st_blocks, 0);
	EQ(pwrite(fd, buf, MIB, 100LL * MIB), MIB);
	SYS(fsync(fd));
	SYS(fstat(fd, &st));
	EQ(st.st_size, 101LL * MIB);
	OK(st.st_blocks >= 2048 && st.st_blocks <= 2048 + 256);
	EQ(st_of(other("f")).st_blocks, st.st_blocks);
	SYS(close(fd));
	st = st_of("f");
	OK(st.st_blocks >= 2048 && st.st_blocks <= 2048 + 256);
	OK(st.st_blksize >= 512);
	free(buf);
}

static void sparse_files_read_as_zeros(void)
{
	int fd;

	SYS(fd = open("f", O_CREAT | O_RDWR, 0644));
	EQ(pwrite(fd, "a", 1, 0), 1);
	EQ(pwrite(fd, "b", 1, 50LL * MIB), 1);
	OK(all_zero(fd, 1, 2 * MIB));
	OK(all_zero(fd, 49LL * MIB, MIB));
	SYS(ftruncate(fd, 200LL * MIB));
	OK(all_zero(fd, 150LL * MIB, MIB));
	SYS(close(fd));
}

static void fallocate_extends_or_keeps_the_size(void)
{
	struct stat st;
	int fd;

	SYS(fd = open("f", O_CREAT | O_RDWR, 0644));
	SYS(fallocate(fd, 0, 0, 3 * MIB));
	SYS(fstat(fd, &st));
	EQ(st.st_size, 3 * MIB);
	OK(st.st_blocks >= 3 * 2048);
	EQ(st_of(other("f")).st_size, 3 * MIB);
	OK(all_zero(fd, 0, 3 * MIB));
	SYS(fallocate(fd, FALLOC_FL_KEEP_SIZE, 4 * MIB, 2 * MIB));
	SYS(fstat(fd, &st));
	EQ(st.st_size, 3 * MIB);
	EQ(posix_fallocate(fd, 0, 3 * MIB + 5), 0);
	SYS(fstat(fd, &st));
	EQ(st.st_size, 3 * MIB + 5);
	FAILS(EINVAL, fallocate(fd, 0, -1, 10));
	FAILS(EINVAL, fallocate(fd, 0, 0, 0));
	SYS(close(fd));
	SYS(fd = open("f", O_RDONLY));
	FAILS(EBADF, fallocate(fd, 0, 0, 10));
	SYS(close(fd));
}

static void fallocate_punches_and_zeroes(void)
{
	enum { LEN = 6 * MIB };
	uint8_t *buf = malloc(LEN), *back = malloc(LEN);
	struct stat a, b;
	int fd;

	fill(buf, LEN, 4);
	SYS(fd = open("f", O_CREAT | O_RDWR, 0644));
	EQ(write(fd, buf, LEN), LEN);
	SYS(fsync(fd));
	SYS(fstat(fd, &a));
	SYS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 4 * MIB));
	memset(buf + 1000, 0, 4 * MIB);
	EQ(pread(fd, back, LEN, 0), LEN);
	OK(memcmp(buf, back, LEN) == 0);
	SYS(fstat(fd, &b));
	EQ(b.st_size, LEN);
	OK(b.st_blocks <= a.st_blocks - 3 * 2048);
	SYS(fallocate(fd, FALLOC_FL_ZERO_RANGE, 5 * MIB + 7, 4096));
	memset(buf + 5 * MIB + 7, 0, 4096);
	OK(file_is(other("f"), buf, LEN));
	SYS(fallocate(fd, FALLOC_FL_ZERO_RANGE, LEN - 10, 110));
	EQ(st_of(other("f")).st_size, LEN + 100);
	SYS(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, LEN, 4096));
	EQ(st_of("f").st_size, LEN + 100);
	FAILS(EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
	SYS(close(fd));
	free(buf), free(back);
}

static void seek_finds_data_and_holes(void)
{
	uint8_t *buf = malloc(MIB);
	off_t at;
	int fd;

	fill(buf, MIB, 6);
	SYS(fd = open("f", O_CREAT | O_RDWR, 0644));
	EQ(pwrite(fd, buf, MIB, 8LL * MIB), MIB);
	EQ(pwrite(fd, buf, MIB, 20LL * MIB), MIB);
	SYS(ftruncate(fd, 30LL * MIB));
	SYS(fsync(fd));
	EQ(lseek(fd, 0, SEEK_HOLE), 0);
	at = lseek(fd, 0, SEEK_DATA);
	OK(at > 7LL * MIB && at <= 8LL * MIB);
	EQ(lseek(fd, 8LL * MIB + 5, SEEK_DATA), 8LL * MIB + 5);
	at = lseek(fd, 8LL * MIB, SEEK_HOLE);
	OK(at >= 9LL * MIB && at < 10LL * MIB);
	at = lseek(fd, 10LL * MIB, SEEK_DATA);
	OK(at > 19LL * MIB && at <= 20LL * MIB);
	FAILS(ENXIO, lseek(fd, 25LL * MIB, SEEK_DATA));
	EQ(lseek(fd, 25LL * MIB, SEEK_HOLE), 25LL * MIB);
	FAILS(ENXIO, lseek(fd, 30LL * MIB, SEEK_HOLE));
	FAILS(ENXIO, lseek(fd, 30LL * MIB, SEEK_DATA));
	SYS(ftruncate(fd, 21LL * MIB));
	EQ(lseek(fd, 20LL * MIB + 100, SEEK_HOLE), 21LL * MIB);
	SYS(close(fd));
	free(buf);
}

static void files_reach_two_to_the_63_minus_one(void)
{
	struct rlimit rl = {RLIM_INFINITY, RLIM_INFINITY};
	const off_t max = INT64_MAX;
	char c = 0;
	int fd;

	(void)setrlimit(RLIMIT_FSIZE, &rl);
	signal(SIGXFSZ, SIG_IGN);
	SYS(fd = open("f", O_CREAT | O_RDWR, 0644));
	SYS(ftruncate(fd, max));
	EQ(st_of(other("f")).st_size, max);
	EQ(pread(fd, &c, 1, max - 1), 1);
	EQ(c, 0);
	EQ(lseek(fd, 0, SEEK_END), max);
	SYS(ftruncate(fd, 0));
	EQ(st_of("f").st_size, 0);
	FAILS(EINVAL, pwrite(fd, "x", 1, max)); /* the sum does not fit: the kernel's own check */
	SYS(close(fd));
}

static void bytes_can_be_written_beyond_8_tib(void)
{
	const off_t far = 9LL << 40;
	char c = 0;
	int fd;

	SYS(fd = open("f", O_CREAT | O_RDWR, 0644));
	EQ(pwrite(fd, "x", 1, far), 1);
	EQ(st_of(other("f")).st_size, far + 1);
	EQ(pread(fd, &c, 1, far), 1);
	EQ(c, 'x');
	SYS(close(fd));
	EQ(st_of("f").st_size, far + 1);
}

static void the_limit_of_the_process_holds(void)
{
	struct rlimit rl = {1000, 1000};
	char buf[100] = "";
	int fd;

	signal(SIGXFSZ, SIG_IGN);
	SYS(setrlimit(RLIMIT_FSIZE, &rl));
	SYS(fd = open("f", O_CREAT | O_RDWR, 0644));
	EQ(pwrite(fd, buf, 100, 950), 50);
	FAILS(EFBIG, pwrite(fd, buf, 100, 1000));
	FAILS(EFBIG, ftruncate(fd, 1001));
	SYS(close(fd));
}

const struct t_case space_cases[] = {
	CASE(blocks_are_those_of_the_data),
	CASE(sparse_files_read_as_zeros),
	CASE(fallocate_extends_or_keeps_the_size),
	CASE(fallocate_punches_and_zeroes),
	CASE(seek_finds_data_and_holes),
	CASE_F(files_reach_two_to_the_63_minus_one, T_NOT_CONTROL),
	CASE(bytes_can_be_written_beyond_8_tib),
	CASE(the_limit_of_the_process_holds),
	{0},
};
