/* SPDX-License-Identifier: Apache-2.0 */
/* data.c - bytes of files: reads, writes, truncation, mmap, copies, several descriptors and
 * mounts. */
#include "t.h"
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum { MIB = 1 << 20 };

static void reads_and_writes_of_odd_sizes(void)
{
	static const size_t sizes[] = {1,    511,   512,   4095,    4096,
				       4097, 65535, 65537, 1000003, 3 * MIB + 17};
	uint8_t *buf = malloc(4 * MIB), *back = malloc(4 * MIB);
	off_t at = 0;
	int fd;

	SYS(fd = open("f", O_CREAT | O_RDWR, 0644));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fill(buf, sizes[i], i);
		EQ(write(fd, buf, sizes[i]), sizes[i]);
		EQ(pread(fd, back, sizes[i], at), sizes[i]);
		OK(memcmp(buf, back, sizes[i]) == 0);
		at += (off_t)sizes[i];
		EQ(st_of(other("f")).st_size, at);
	}
	EQ(pread(fd, back, 10, at), 0);
	EQ(pread(fd, back, 10, at + 100000), 0);
	EQ(pread(fd, back, 100, at - 7), 7);
	SYS(close(fd));
	free(buf), free(back);
}

static void overwriting_at_odd_offsets(void)
{
	enum { LEN = 2 * MIB };
	uint8_t *want = malloc(LEN), *back = malloc(LEN), piece[5000];
	uint64_t x = 42;
	int fd, fd2;

	fill(want, LEN, 9);
	SYS(put_file("f", want, LEN));
	SYS(fd = open("f", O_RDWR));
	SYS(fd2 = open(other("f"), O_RDWR));
	for (int i = 0; i < 200; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		size_t len = 1 + (x >> 33) % sizeof(piece), off = (x >> 20) % (LEN - sizeof(piece));

		fill(piece, len, x);
		memcpy(want + off, piece, len);
		EQ(pwrite(i % 2 ? fd2 : fd, piece, len, (off_t)off), len);
		EQ(pread(i % 2 ? fd : fd2, back, len, (off_t)off), len);
		OK(memcmp(back, piece, len) == 0);
	}
	EQ(pread(fd, back, LEN, 0), LEN);
	OK(memcmp(back, want, LEN) == 0);
	SYS(close(fd));
	SYS(close(fd2));
	free(want), free(back);
}

static void vectors_and_positions(void)
{
	char a[3] = "abc", b[4] = "defg", r1[5], r2[5];
	struct iovec w[2] = {{a, 3}, {b, 4}}, r[2] = {{r1, 5}, {r2, 5}};
	int fd;

	SYS(fd = open("f", O_CREAT | O_RDWR, 0644));
	EQ(writev(fd, w, 2), 7);
	EQ(preadv(fd, r, 2, 0), 7);
	OK(memcmp(r1, "abcde", 5) == 0 && memcmp(r2, "fg", 2) == 0);
	EQ(pwritev(fd, w, 2, 100), 7);
	EQ(lseek(fd, 0, SEEK_CUR), 7);
	EQ(lseek(fd, 0, SEEK_END), 107);
	EQ(lseek(fd, -7, SEEK_END), 100);
	EQ(read(fd, r1, 5), 5);
	OK(memcmp(r1, "abcde", 5) == 0);
	FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
	FAILS(EINVAL, pread(fd, r1, 1, -1));
	SYS(close(fd));
}

static void truncate_cuts_and_grows_with_zeros(void)
{
	uint8_t want[10000];
	int fd;

	fill(want, sizeof(want), 3);
	SYS(put_file("f", want, sizeof(want)));
	SYS(truncate("f", 5000));
	OK(file_is(other("f"), want, 5000));
	SYS(truncate(other("f"), 10000));
	memset(want + 5000, 0, 5000);
	OK(file_is("f", want, 10000));
	SYS(fd = open("f", O_RDWR));
	SYS(ftruncate(fd, 0));
	EQ(st_of(other("f")).st_size, 0);
	EQ(st_of(other("f")).st_blocks, 0);
	EQ(pwrite(fd, "z", 1, 100), 1);
	memset(want, 0, 100);
	want[100] = 'z';
	OK(file_is(other("f"), want, 101));
	SYS(close(fd));
}

static void truncate_drops_data_for_good(void)
{
	uint8_t zero[4096] = {0}, *big = malloc(5 * MIB);
	int fd;

	fill(big, 5 * MIB, 1);
	SYS(put_file("f", big, 5 * MIB));
	SYS(fd = open(other("f"), O_RDWR));
	SYS(truncate("f", 4096));
	SYS(truncate("f", 5 * MIB));
	EQ(pread(fd, big, 4096, 4096), 4096);
	OK(memcmp(big, zero, 4096) == 0);
	EQ(pread(fd, big, 4096, 5 * MIB - 4096), 4096);
	OK(memcmp(big, zero, 4096) == 0);
	EQ(pread(fd, big, 4096, 5 * MIB - 100), 100);
	SYS(close(fd));
	free(big);
}

static void a_truncation_is_seen_by_open_files(void)
{
	char buf[10];
	int a, b;

	SYS(put_file("f", "0123456789", 10));
	SYS(a = open("f", O_RDWR));
	SYS(b = open(other("f"), O_RDWR));
	EQ(pread(b, buf, 10, 0), 10);
	SYS(ftruncate(a, 4));
	EQ(pread(b, buf, 10, 0), 4);
	EQ(pwrite(b, "ab", 2, 6), 2);
	EQ(pread(a, buf, 10, 0), 8);
	OK(memcmp(buf, "0123\0\0ab", 8) == 0);
	SYS(close(a));
	SYS(close(b));
	EQ(st_of("f").st_size, 8);
	EQ(st_of(other("f")).st_size, 8);
}

static void mmap_private_reads_and_does_not_write(void)
{
	char *m;
	int fd;

	SYS(put_file("f", "hello", 5));
	SYS(fd = open("f", O_RDONLY));
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	OK(m != MAP_FAILED);
	if (m == MAP_FAILED)
		return;
	OK(memcmp(m, "hello", 5) == 0);
	OK(m[5] == 0 && m[4095] == 0);
	m[0] = 'J';
	SYS(munmap(m, 4096));
	SYS(close(fd));
	OK(file_is("f", "hello", 5));
}

static void mmap_shared_writes_reach_the_file(void)
{
	enum { LEN = 300000 };
	uint8_t *m, *want = malloc(LEN);
	int fd;

	fill(want, LEN, 5);
	SYS(fd = open("f", O_CREAT | O_RDWR, 0644));
	SYS(ftruncate(fd, LEN));
	m = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	OK(m != MAP_FAILED);
	if (m == MAP_FAILED)
		return;
	memcpy(m, want, LEN);
	SYS(msync(m, LEN, MS_SYNC));
	OK(file_is(other("f"), want, LEN));
	m[100] ^= 0xff;
	want[100] ^= 0xff;
	SYS(munmap(m, LEN));
	SYS(fsync(fd));
	SYS(close(fd));
	OK(file_is("f", want, LEN));
	OK(file_is(other("f"), want, LEN));
	EQ(st_of(other("f")).st_size, LEN);
	free(want);
}

static void mmap_shared_is_shared_by_processes(void)
{
	volatile int *m;
	int fd, status;

	SYS(fd = open("f", O_CREAT | O_RDWR, 0644));
	SYS(ftruncate(fd, 4096));
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	OK(m != MAP_FAILED);
	if (m == MAP_FAILED)
		return;
	if (fork() == 0) {
		m[0] = 4711;
		_exit(0);
	}
	SYS(wait(&status));
	EQ(m[0], 4711);
	SYS(munmap((void *)m, 4096));
	SYS(close(fd));
}

static void mmap_sees_what_write_wrote(void)
{
	char *m;
	int fd;

	SYS(put_file("f", "aaaa", 4));
	SYS(fd = open("f", O_RDWR));
	m = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	OK(m != MAP_FAILED);
	if (m == MAP_FAILED)
		return;
	OK(m[0] == 'a');
	EQ(pwrite(fd, "b", 1, 0), 1);
	OK(m[0] == 'b');
	SYS(munmap(m, 4096));
	SYS(close(fd));
}

static void mmap_outlives_close_and_unlink(void)
{
	char *m;
	int fd;

	SYS(put_file("f", "keep", 4));
	SYS(fd = open("f", O_RDWR));
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	OK(m != MAP_FAILED);
	if (m == MAP_FAILED)
		return;
	SYS(close(fd));
	SYS(unlink("f"));
	OK(memcmp(m, "keep", 4) == 0);
	m[0] = 'K';
	SYS(msync(m, 4096, MS_SYNC));
	SYS(munmap(m, 4096));
}

static void copy_file_range_copies(void)
{
	enum { LEN = 3 * MIB + 123 };
	uint8_t *want = malloc(LEN);
	off_t in_off, out_off;
	ssize_t n, left = LEN;
	int in, out;

	fill(want, LEN, 8);
	SYS(put_file("in", want, LEN));
	SYS(in = open("in", O_RDONLY));
	SYS(out = open("out", O_CREAT | O_RDWR, 0644));
	while (left > 0 && (n = copy_file_range(in, NULL, out, NULL, (size_t)left, 0)) > 0)
		left -= n;
	EQ(left, 0);
	OK(file_is(other("out"), want, LEN));
	EQ(copy_file_range(in, NULL, out, NULL, 10, 0), 0);
	in_off = 1000, out_off = 10;
	EQ(copy_file_range(in, &in_off, out, &out_off, 5000, 0), 5000);
	EQ(in_off, 6000);
	EQ(out_off, 5010);
	memmove(want + 10, want + 1000, 5000);
	OK(file_is(other("out"), want, LEN));
	in_off = LEN - 5, out_off = 0;
	EQ(copy_file_range(in, &in_off, out, &out_off, 100, 0), 5);
	FAILS(EBADF, copy_file_range(out, NULL, in, NULL, 1, 0));
	SYS(close(in));
	SYS(close(out));
	free(want);
}

static void sendfile_and_splice_work(void)
{
	uint8_t want[100000];
	off_t off = 0;
	int in, out, p[2];

	fill(want, sizeof(want), 2);
	SYS(put_file("in", want, sizeof(want)));
	SYS(in = open("in", O_RDONLY));
	SYS(out = open("out", O_CREAT | O_RDWR, 0644));
	while (off < (off_t)sizeof(want))
		if (sendfile(out, in, &off, sizeof(want) - (size_t)off) <= 0)
			break;
	OK(file_is("out", want, sizeof(want)));
	SYS(ftruncate(out, 0));
	SYS(pipe(p));
	off = 0;
	for (loff_t o = 0; off < (off_t)sizeof(want);) {
		loff_t i = off;
		ssize_t n = splice(in, &i, p[1], NULL, 32768, 0);

		if (n <= 0 || splice(p[0], NULL, out, &o, (size_t)n, 0) != n)
			break;
		off += n;
	}
	OK(file_is(other("out"), want, sizeof(want)));
	SYS(close(in));
	SYS(close(out));
}

static void write_of(const char *path, uint8_t what, int rounds)
{
	static uint8_t buf[65536];
	int fd = open(path, O_WRONLY);

	memset(buf, what, sizeof(buf));
	for (int i = 0; i < rounds; i++)
		if (pwrite(fd, buf, sizeof(buf), (off_t)(2 * i + (what == 'b')) * 65536) !=
		    sizeof(buf))
			_exit(1);
	_exit(close(fd) ? 1 : 0);
}

static void two_writers_of_one_file_keep_each_others_bytes(void)
{
	static uint8_t buf[65536];
	int status, fd;

	SYS(make_file("f", 0644));
	if (fork() == 0)
		write_of("f", 'a', 64);
	if (fork() == 0)
		write_of(other("f"), 'b', 64);
	for (int i = 0; i < 2; i++) {
		SYS(wait(&status));
		EQ(status, 0);
	}
	EQ(st_of("f").st_size, 128 * 65536);
	EQ(st_of(other("f")).st_size, 128 * 65536);
	SYS(fd = open("f", O_RDONLY));
	for (int i = 0; i < 128; i++) {
		EQ(read(fd, buf, sizeof(buf)), sizeof(buf));
		OK(buf[0] == (i % 2 ? 'b' : 'a') && memcmp(buf, buf + 1, sizeof(buf) - 1) == 0);
	}
	SYS(close(fd));
}

const struct t_case data_cases[] = {
	CASE(reads_and_writes_of_odd_sizes),
	CASE(overwriting_at_odd_offsets),
	CASE(vectors_and_positions),
	CASE(truncate_cuts_and_grows_with_zeros),
	CASE(truncate_drops_data_for_good),
	CASE(a_truncation_is_seen_by_open_files),
	CASE(mmap_private_reads_and_does_not_write),
	CASE(mmap_shared_writes_reach_the_file),
	CASE(mmap_shared_is_shared_by_processes),
	CASE(mmap_sees_what_write_wrote),
	CASE(mmap_outlives_close_and_unlink),
	CASE(copy_file_range_copies),
	CASE(sendfile_and_splice_work),
	CASE(two_writers_of_one_file_keep_each_others_bytes),
	{0},
};
