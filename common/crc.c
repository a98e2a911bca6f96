/* SPDX-License-Identifier: Apache-2.0 */
/* crc.c - the one place that calls ISA-L. Its crc32_iscsi() takes and gives the raw register,
 * so the customary inversion before and after is done here. */
#include "common/crc.h"
#include <isa-l/crc.h>
#include <sys/uio.h>

uint32_t crc32c_add(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len) { /* the library counts in int */
		int n = len > (1U << 30) ? 1 << 30 : (int)len;

		/* ISA-L does not write through the pointer, though its prototype lacks const. */
		crc = ~crc32_iscsi((unsigned char *)(uintptr_t)p, n, ~crc);
		p += n;
		len -= (size_t)n;
	}
	return crc;
}

uint32_t crc32c_iov(const struct iovec *iov, uint32_t n)
{
	uint32_t crc = 0, i;

	for (i = 0; i < n; i++)
		crc = crc32c_add(crc, iov[i].iov_base, iov[i].iov_len);
	return crc;
}
