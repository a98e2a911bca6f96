/* SPDX-License-Identifier: Apache-2.0 */
/* micro_disk.c - disk_uring.c in the page cache against plain pread/pwrite on the same file.
 *
 * DEPTH fibers read or overwrite blocks of an existing, cached 64 MiB file at random. Small writes
 * are done in line by disk_uring.c, larger ones by the ring; "plain" calls pread and pwrite on the
 * loop's thread. Five interleaved rounds; median[min..max] of operations a second, CPU us of the
 * process (with the kernel's io workers) for each. Usage: micro_disk [directory [ms per
 * measurement]] */
#include "common/co.h"
#include "common/disk.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FILE_LEN = 64 << 20, ROUNDS = 5, MAX_DEPTH = 16 };

static struct loop *l;
static struct disk *d;
static struct disk_file *f;
static int fd, running;
static uint8_t *mem;
static uint64_t ops, end_ns;

static struct {
	uint32_t len, depth;
	bool write, plain;
} now;

static void worker(void *arg)
{
	uint8_t *buf = mem + (size_t)(uintptr_t)arg * (1 << 20);
	struct iovec v;
	ssize_t n;

	while (loop_clock(l) < end_ns) {
		uint64_t off = loop_random(l) % (FILE_LEN / now.len) * now.len;

		v = (struct iovec){buf, now.len};
		if (now.plain)
			n = now.write ? pwrite(fd, buf, now.len, (off_t)off) :
					pread(fd, buf, now.len, (off_t)off);
		else if (now.write)
			n = disk_co_write(f, &v, 1, off) ? -1 : (ssize_t)now.len;
		else
			n = disk_co_read(f, &v, 1, off);
		if (n != (ssize_t)now.len)
			abort();
		ops++;
	}
	if (--running == 0)
		loop_stop(l);
}

static void prepare(void *arg)
{
	uint32_t i;

	(void)arg;
	if (disk_co_open(d, "micro_disk.tmp", true, &f))
		abort();
	for (i = 0; i < FILE_LEN >> 20; i++) {
		struct iovec v = {mem, 1 << 20};

		if (disk_co_write(f, &v, 1, (uint64_t)i << 20))
			abort();
	}
	if (disk_co_sync(f))
		abort();
	loop_stop(l);
}

static double cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void measure(uint64_t ms, double *per_s, double *us)
{
	double cpu = cpu_us();
	uint64_t t0 = loop_clock(l);
	uint32_t i;

	ops = 0;
	end_ns = t0 + ms * (uint64_t)NSEC_PER_MSEC;
	running = (int)now.depth + 1; /* the last does not stop a loop that does not run yet */
	for (i = 0; i < now.depth; i++)
		if (fiber_spawn(l, worker, (void *)(uintptr_t)i))
			abort();
	if (--running)
		loop_run(l);
	*per_s = (double)ops * 1e9 / (double)(loop_clock(l) - t0);
	*us = (cpu_us() - cpu) / (double)ops;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void compare(uint64_t ms)
{
	double per_s[2][ROUNDS], us[2][ROUNDS];
	unsigned r, k;

	for (r = 0; r < ROUNDS; r++)
		for (k = 0; k < 2; k++) {
			now.plain = k;
			measure(ms, &per_s[k][r], &us[k][r]);
		}
	for (k = 0; k < 2; k++) {
		qsort(per_s[k], ROUNDS, sizeof(double), by_value);
		qsort(us[k], ROUNDS, sizeof(double), by_value);
		printf("disk %-5s %4u KiB depth %2u %-5s %7.0f [%.0f..%.0f] op/s, "
		       "%.1f [%.1f..%.1f] CPU us\n", now.write ? "write" : "read", now.len >> 10,
		       now.depth, k ? "plain" : "disk", per_s[k][ROUNDS / 2], per_s[k][0],
		       per_s[k][ROUNDS - 1], us[k][ROUNDS / 2], us[k][0], us[k][ROUNDS - 1]);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	static const uint32_t lens[] = {4096, 128 << 10, 1 << 20}, depths[] = {1, 16};
	const char *dir = argc > 1 ? argv[1] : "/tmp";
	uint64_t ms = argc > 2 ? strtoull(argv[2], NULL, 0) : 200;
	char path[4200];
	unsigned i, k, w;

	mem = calloc(MAX_DEPTH, 1 << 20);
	if (!mem || !ms || loop_create(&l) || disk_open(l, dir, &d) ||
	    fiber_spawn(l, prepare, NULL))
		return 1;
	loop_run(l);
	snprintf(path, sizeof(path), "%s/micro_disk.tmp", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (w = 0; fd >= 0 && w < 2; w++)
		for (i = 0; i < ARRAY_SIZE(lens); i++)
			for (k = 0; k < ARRAY_SIZE(depths); k++) {
				now.write = w;
				now.len = lens[i];
				now.depth = depths[k];
				compare(ms);
			}
	close(fd);
	unlink(path);
	disk_file_close(f);
	disk_close(d);
	fiber_pool_drain();
	loop_destroy(l);
	free(mem);
	return 0;
}
