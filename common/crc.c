/* SPDX-License-Identifier: Apache-2.0 */
/* crc.c - the one place that calls ISA-L. Its crc32_iscsi() takes and gives the raw register,
 * so the customary inversion before and after is done here.
 *
 * Keys, records and headers are short: there the processor's own instruction, in line, is two to
 * five times as fast as ISA-L, which begins to pay behind SHORT bytes. */
#include "common/crc.h"
#include <isa-l/crc.h>
#include <sys/uio.h>

#if defined(__x86_64__)
enum { SHORT = 192 };

__attribute__((target("sse4.2"))) static uint32_t crc_short(uint32_t crc, const uint8_t *p,
							    size_t len)
{
	uint64_t x = crc, v;

	for (; len >= sizeof(v); p += sizeof(v), len -= sizeof(v)) {
		memcpy(&v, p, sizeof(v));
		x = __builtin_ia32_crc32di(x, v);
	}
	for (; len; len--)
		x = __builtin_ia32_crc32qi((uint32_t)x, *p++);
	return (uint32_t)x;
}

static bool is_short(size_t len)
{
	return len <= SHORT && __builtin_cpu_supports("sse4.2");
}
#else
static bool is_short(size_t len)
{
	(void)len;
	return false;
}

static uint32_t crc_short(uint32_t crc, const uint8_t *p, size_t len)
{
	(void)p, (void)len;
	return crc;
}
#endif

uint32_t crc32c_add(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	if (is_short(len))
		return ~crc_short(~crc, p, len);
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
