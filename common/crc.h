/* SPDX-License-Identifier: Apache-2.0 */
/* crc.h - crc32c (Castagnoli), by ISA-L, which uses the processor's carry-less multiply.
 *
 * crc32c_add(0, ...) starts; the value of concatenated pieces is the value of the whole.
 */
#pragma once
#include "common/base.h"

struct iovec;

uint32_t crc32c_add(uint32_t crc, const void *data, size_t len);
uint32_t crc32c_iov(const struct iovec *iov, uint32_t n);
