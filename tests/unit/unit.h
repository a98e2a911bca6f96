/* SPDX-License-Identifier: Apache-2.0 */
/* unit.h - what most unit tests need: cmocka, a seeded random source, a directory for files. */
#pragma once
#include "common/base.h"
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define UNUSED __attribute__((unused))

/* xorshift64*: the same numbers on every run. */
static UNUSED uint64_t rnd(uint64_t *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * 0x2545F4914F6CDD1DULL;
}

static UNUSED uint64_t rnd_below(uint64_t *s, uint64_t n)
{
	return rnd(s) % n;
}

static UNUSED void rnd_fill(uint64_t *s, void *out, size_t len)
{
	uint8_t *p = out;

	while (len--)
		*p++ = (uint8_t)rnd(s);
}

/* A copy that ends exactly at the end of its allocation, so that ASan sees reads behind it. */
static UNUSED uint8_t *exact_copy(const void *src, size_t len)
{
	uint8_t *p = malloc(len ? len : 1);

	assert_non_null(p);
	if (len)
		memcpy(p, src, len);
	return p;
}

static UNUSED int tmp_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static UNUSED void tmp_make(char dir[64])
{
	snprintf(dir, 64, "%s", "/tmp/sheen-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
}

static UNUSED void tmp_remove(const char *dir)
{
	nftw(dir, tmp_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
