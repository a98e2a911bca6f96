/* SPDX-License-Identifier: Apache-2.0 */
/* tool_size.h - numbers as people type them: sizes with units, OST lists, ranges.
 *
 * The rules are Lustre's (llapi_parse_size). Pure; any thread.
 */
#pragma once
#include "common/base.h"
#include "common/limits.h"

/* "4M", "0x10000", "1.5k", "64KiB", "8b" (blocks of 512). *unit gets the suffix's factor (1 without
 * one). -EINVAL for anything else, -ERANGE beyond 64 bits. */
must_check int tool_parse_size(const char *text, uint64_t *out, uint64_t *unit);

/* A stripe size: as above, a bare number below 4096 counts KiB, must be a multiple of 64 KiB; 0 is
 * the default. -EINVAL; -EFBIG at 4 GiB and above. */
must_check int tool_parse_stripe_size(const char *text, uint64_t *out);

/* A whole number in any C base between min and max. -EINVAL, -ERANGE. */
must_check int tool_parse_int(const char *text, int64_t min, int64_t max, int64_t *out);

struct tool_ost_list {
	uint32_t n;
	uint32_t ost[MAX_STRIPES];
};

/* Appends "1,2-4,0x7". -EINVAL for bad text or an index above MAX_OST_INDEX, -E2BIG. */
must_check int tool_parse_ost_list(const char *text, struct tool_ost_list *l);
