/* SPDX-License-Identifier: Apache-2.0 */
/* base.h - the handful of macros and views that every file uses.
 *
 * assert() stays on in release builds: it states invariants of our own. Bytes from the wire,
 * the disk, the command line or a file are never asserted, always checked.
 */
#pragma once
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define must_check __attribute__((warn_unused_result))
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

#define KIB (1024ULL)
#define MIB (1024ULL * 1024)
#define GIB (1024ULL * 1024 * 1024)
#define NSEC_PER_SEC 1000000000LL
#define NSEC_PER_MSEC 1000000LL

/* A view of bytes that somebody else owns. ptr may be NULL when len is 0. */
struct span {
	const uint8_t *ptr;
	uint32_t len;
};

#define SPAN_STR(s) ((struct span){(const uint8_t *)(s), (uint32_t)strlen(s)})
#define SPAN_NONE ((struct span){NULL, 0})

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline int64_t max_i64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}
static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
