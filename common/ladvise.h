/* SPDX-License-Identifier: Apache-2.0 */
/* ladvise.h - Lustre's ioctl by which programs say what they will do with a file
 * (llapi_ladvise()): a head, and behind it `count` advices.
 */
#pragma once
#include "common/base.h"

#define IOC_LADVISE   0x802066FAU
#define LADVISE_MAGIC 0x1ADF1CE0U
#define LADVISE_COUNT 1024 /* at most, in one call */

enum ladvise_flags {
	LADVISE_ASYNC = 1, /* do not wait until it is done */
	LADVISE_UNSET = 2, /* of LADVISE_LOCKNOEXPAND */
};

enum ladvise_type {
	LADVISE_WILLREAD = 1,
	LADVISE_DONTNEED = 2,
	LADVISE_LOCKNOEXPAND = 3,
	LADVISE_LOCKAHEAD = 4,
};

struct ladvise_head {
	uint32_t magic, count;
	uint64_t flags;
	uint32_t value1, value2;
	uint64_t value3;
};

struct ladvise {
	uint16_t advice, value1;
	uint32_t value2;
	uint64_t start, end; /* end: behind the last byte */
	uint32_t value3, value4;
};

static_assert(sizeof(struct ladvise_head) == 32 && sizeof(struct ladvise) == 32, "of the kernel");
