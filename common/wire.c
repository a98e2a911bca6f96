/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c - header codec; see wire.h. Bodies are proto.c's business. */
#include "common/wire.h"
#include "common/crc.h"
#include "common/limits.h"
#include "common/proto/field.h"
#include <endian.h>

#define WIRE_FIELDS(F)                                                                    \
	F(u16, version) F(u16, rpc) F(u16, flags) F(u16, slot) F(i32, status)             \
	F(u32, epoch) F(u64, xid) F(u64, session) F(u64, transno) F(u64, last_committed)  \
	F(u32, body_len) F(u32, bulk_len) F(u32, bulk_crc) F(u32, deadline_ms)            \
	F(u64, boot_id) F(u32, job) F(u32, reply_len) F(i64, time)

/* Layout: u32 magic, u32 crc, the fields above, zeros to the end. */
enum { OFF_CRC = 4, OFF_FIELDS = 8 };

static uint32_t hdr_crc(const uint8_t *hdr, const void *body, uint32_t body_len)
{
	static const uint8_t zero[4];
	uint32_t crc;

	crc = crc32c_add(0, hdr, OFF_CRC);
	crc = crc32c_add(crc, zero, sizeof(zero));
	crc = crc32c_add(crc, hdr + OFF_FIELDS, WIRE_HDR_LEN - OFF_FIELDS);
	return crc32c_add(crc, body, body_len);
}

static void put_u32(uint8_t *at, uint32_t v)
{
	v = htole32(v);
	memcpy(at, &v, sizeof(v));
}

static uint32_t get_u32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

void wire_enc(const struct wire_hdr *v, const void *body, uint8_t *out)
{
	struct wbuf wb, *w = &wb;

	memset(out, 0, WIRE_HDR_LEN);
	wbuf_init_fixed(w, out, WIRE_HDR_LEN);
	wbuf_take(w, OFF_FIELDS);
	WIRE_FIELDS(FIELD_ENC)
	assert(w->rc == 0);
	put_u32(out, WIRE_MAGIC);
	put_u32(out + OFF_CRC, hdr_crc(out, body, v->body_len));
}

int wire_dec(const uint8_t in[WIRE_HDR_LEN], struct wire_hdr *v)
{
	struct rbuf rb = {in + OFF_FIELDS, WIRE_HDR_LEN - OFF_FIELDS}, *r = &rb;
	int rc = 0;

	if (get_u32(in) != WIRE_MAGIC)
		return -EPROTO;
	WIRE_FIELDS(FIELD_DEC)
	assert(rc == 0); /* integers of a fixed buffer always decode */
	if (v->version != WIRE_VERSION)
		return -EPROTONOSUPPORT;
	if (v->body_len > MAX_BODY || v->bulk_len > MAX_BULK)
		return -EMSGSIZE;
	return 0;
}

int wire_check(const uint8_t in[WIRE_HDR_LEN], const void *body, uint32_t body_len)
{
	return get_u32(in + OFF_CRC) == hdr_crc(in, body, body_len) ? 0 : -EBADMSG;
}
