/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.h - memory for what was written, which several hold at a time: an extent that is sent, and
 * the changes that it became, until they are stable. Any thread. */
#pragma once
#include "common/base.h"
#include <stdatomic.h>

struct bytes {
	_Atomic uint32_t refs;
	uint32_t cap;
	uint8_t mem[];
};

/* With one reference; NULL: out of memory. */
struct bytes *bytes_new(uint32_t cap);
struct bytes *bytes_get(struct bytes *b);
/* NULL: nothing. */
void bytes_put(struct bytes *b);
