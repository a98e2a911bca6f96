/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - what the fuzz targets share: the entry point's prototype and a reader of the input.
 *
 * A target asserts properties of our own code (what was decoded encodes again, to the same bytes);
 * what an input contains is never asserted.
 */
#pragma once
#include "common/base.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
	const uint8_t *ptr;
	size_t len;
};

static inline uint64_t fuzz_int(struct fuzz_input *in, size_t bytes)
{
	uint64_t v = 0;

	while (bytes-- && in->len) {
		v = v << 8 | *in->ptr++;
		in->len--;
	}
	return v;
}

/* What is left, as a text; free() it. */
static inline char *fuzz_text(struct fuzz_input *in)
{
	char *s = malloc(in->len + 1);

	assert(s);
	memcpy(s, in->ptr, in->len);
	s[in->len] = 0;
	return s;
}
