/* SPDX-License-Identifier: Apache-2.0 */
/* wrap_sim.c - clocks, random source and disk space of the system as simulated programs see them.
 *
 * The linker sends the calls of our own code here (-Wl,--wrap=...), so that nothing that differs
 * between two runs gets in by an oversight: boot ids, UUIDs, times in logs, free space of the disk
 * below LMDB.
 */
#include "tests/sim/sim.h"
#include <sys/random.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <time.h>

ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_gettimeofday(struct timeval *tv, void *tz);
time_t __wrap_time(time_t *out);
int __wrap_statvfs(const char *path, struct statvfs *out);
int __wrap_fstatvfs(int fd, struct statvfs *out);
int __real_statvfs(const char *path, struct statvfs *out);
int __real_fstatvfs(int fd, struct statvfs *out);

ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags)
{
	uint8_t *p = buf;

	(void)flags;
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(sim_random(SIM_CODE) >> 24);
	return (ssize_t)len;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t ns = (int64_t)sim_now();

	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		ns += SIM_REALTIME_BASE;
	ts->tv_sec = ns / NSEC_PER_SEC;
	ts->tv_nsec = ns % NSEC_PER_SEC;
	return 0;
}

int __wrap_gettimeofday(struct timeval *tv, void *tz)
{
	int64_t ns = (int64_t)sim_now() + SIM_REALTIME_BASE;

	(void)tz;
	tv->tv_sec = ns / NSEC_PER_SEC;
	tv->tv_usec = ns % NSEC_PER_SEC / 1000;
	return 0;
}

time_t __wrap_time(time_t *out)
{
	time_t t = (SIM_REALTIME_BASE + (int64_t)sim_now()) / NSEC_PER_SEC;

	if (out)
		*out = t;
	return t;
}

/* Half full, whatever else uses the real one. */
static void steady(struct statvfs *s)
{
	s->f_bsize = s->f_frsize = 4096;
	s->f_blocks = 1U << 24;
	s->f_bfree = s->f_bavail = 1U << 23;
	s->f_files = 1U << 24;
	s->f_ffree = s->f_favail = 1U << 23;
}

int __wrap_statvfs(const char *path, struct statvfs *out)
{
	int rc = __real_statvfs(path, out);

	if (rc == 0)
		steady(out);
	return rc;
}

int __wrap_fstatvfs(int fd, struct statvfs *out)
{
	int rc = __real_fstatvfs(fd, out);

	if (rc == 0)
		steady(out);
	return rc;
}
