/* SPDX-License-Identifier: Apache-2.0 */
/* redo.c - redo log of a store; see redo.h. It does not know what tables and keys mean, and when
 * to flush or to forget is store.c's decision. */
#include "common/redo.h"
#include "common/crc.h"
#include "common/proto/field.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define REDO_MAGIC 0x4f444552U /* "REDO" */

enum {
	HDR_LEN = 24,
	CRC_FROM = 8,		/* the crc covers what is behind it */
	CHUNK_MAX = 64 << 20,	/* far above what store.c lets a batch become */
	KEEP = 256 << 10,	/* memory kept between chunks */
};

struct redo {
	int fd[2];
	uint64_t batch, pos;
	uint32_t seq;
	struct wbuf w; /* the chunk being made: room for the header, then entries */
};

struct chunk_hdr {
	uint32_t magic, crc;
	uint64_t batch;
	uint32_t seq, len;
};

#define HDR_FIELDS(F) F(u32, magic) F(u32, crc) F(u64, batch) F(u32, seq) F(u32, len)

static void hdr_enc(uint8_t *at, const struct chunk_hdr *v)
{
	struct wbuf wb, *w = &wb;

	wbuf_init_fixed(w, at, HDR_LEN);
	HDR_FIELDS(FIELD_ENC)
	assert(w->rc == 0 && w->len == HDR_LEN);
}

static void hdr_dec(const uint8_t *at, struct chunk_hdr *v)
{
	struct rbuf rb = {at, HDR_LEN}, *r = &rb;
	int rc = 0;

	HDR_FIELDS(FIELD_DEC)
	assert(rc == 0);
}

int redo_open(int dir_fd, struct redo **out)
{
	struct redo *r = calloc(1, sizeof(*r));
	char name[24];

	if (!r)
		return -ENOMEM;
	r->fd[0] = r->fd[1] = -1;
	wbuf_init(&r->w, CHUNK_MAX);
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "redo.%d", i);
		r->fd[i] = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (r->fd[i] < 0) {
			int rc = -errno;

			redo_close(r);
			return rc;
		}
	}
	*out = r;
	return 0;
}

void redo_close(struct redo *r)
{
	for (int i = 0; i < 2; i++)
		if (r->fd[i] >= 0)
			close(r->fd[i]);
	wbuf_fini(&r->w);
	free(r);
}

static void chunk_reset(struct redo *r)
{
	if (r->w.cap > KEEP || r->w.rc)
		wbuf_fini(&r->w);
	r->w.max = CHUNK_MAX;
	r->w.len = 0;
	r->w.rc = 0;
}

void redo_begin(struct redo *r, uint64_t batch)
{
	chunk_reset(r);
	r->batch = batch;
	r->seq = 0;
	r->pos = 0;
}

void redo_add(struct redo *r, enum redo_op op, uint32_t table, struct span key, struct span val)
{
	uint8_t op8 = (uint8_t)op, table8 = (uint8_t)table;
	uint16_t klen = (uint16_t)key.len;

	assert(table <= UINT8_MAX && key.len <= UINT16_MAX);
	if (!r->w.len)
		wbuf_take(&r->w, HDR_LEN);
	enc_u8(&r->w, &op8);
	enc_u8(&r->w, &table8);
	enc_u16(&r->w, &klen);
	enc_u32(&r->w, &val.len);
	wbuf_put(&r->w, key.ptr, key.len);
	wbuf_put(&r->w, val.ptr, val.len);
}

bool redo_pending(const struct redo *r)
{
	return r->w.len || r->w.rc;
}

static int write_all(int fd, const uint8_t *at, size_t len, uint64_t off)
{
	while (len) {
		ssize_t n = pwrite(fd, at, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		len -= (size_t)n;
		off += (uint64_t)n;
	}
	return 0;
}

int redo_flush(struct redo *r)
{
	struct chunk_hdr h = {.magic = REDO_MAGIC, .batch = r->batch, .seq = r->seq};
	int rc = r->w.rc;

	if (rc == 0 && !r->w.len)
		return 0;
	if (rc == 0) {
		h.len = r->w.len - HDR_LEN;
		hdr_enc(r->w.ptr, &h);
		h.crc = crc32c_add(0, r->w.ptr + CRC_FROM, r->w.len - CRC_FROM);
		hdr_enc(r->w.ptr, &h);
		rc = write_all(r->fd[r->batch % 2], r->w.ptr, r->w.len, r->pos);
	}
	if (rc)
		return rc;
	r->pos += r->w.len;
	r->seq++;
	chunk_reset(r);
	return 0;
}

/* ---- reading ---- */

static int apply_chunk(struct span payload, redo_fn *fn, void *arg, uint64_t *n)
{
	struct rbuf r = rbuf_of(payload);
	struct span key, val;
	uint8_t op, table;
	uint16_t klen;
	uint32_t vlen;
	int rc;

	while (r.len) {
		/* The crc was right, so a length that does not fit means another format. */
		if (dec_u8(&r, &op) || dec_u8(&r, &table) || dec_u16(&r, &klen) ||
		    dec_u32(&r, &vlen) || (uint64_t)klen + vlen > r.len)
			return -EUCLEAN;
		if (op != REDO_PUT && op != REDO_DEL)
			return -EUCLEAN;
		key = (struct span){r.ptr, klen};
		val = (struct span){r.ptr + klen, vlen};
		r.ptr += klen + vlen;
		r.len -= klen + vlen;
		rc = fn(arg, op, table, key, val);
		if (rc)
			return rc;
		++*n;
	}
	return 0;
}

/* The chunk at the start of s, if it is whole and the one expected. */
static bool chunk_ok(struct span s, uint64_t batch, uint32_t seq, struct chunk_hdr *h)
{
	if (s.len < HDR_LEN)
		return false;
	hdr_dec(s.ptr, h);
	return h->magic == REDO_MAGIC && h->batch == batch && h->seq == seq &&
	       h->len <= s.len - HDR_LEN &&
	       h->crc == crc32c_add(0, s.ptr + CRC_FROM, HDR_LEN - CRC_FROM + h->len);
}

static int read_file(int fd, uint8_t **mem, uint32_t *len)
{
	struct stat st;
	uint32_t got = 0;

	if (fstat(fd, &st))
		return -errno;
	*len = (uint32_t)(st.st_size < 2 * CHUNK_MAX ? st.st_size : 2 * CHUNK_MAX);
	*mem = malloc(*len + 1UL);
	if (!*mem)
		return -ENOMEM;
	while (got < *len) {
		ssize_t n = pread(fd, *mem + got, *len - got, got);

		if (n <= 0)
			break; /* what can be read counts */
		got += (uint32_t)n;
	}
	*len = got;
	return 0;
}

int redo_replay(struct redo *r, uint64_t batch, redo_fn *fn, void *arg, uint64_t *n)
{
	struct chunk_hdr h;
	uint8_t *mem = NULL;
	struct span s = SPAN_NONE;
	uint32_t seq;
	int rc;

	*n = 0;
	rc = read_file(r->fd[batch % 2], &mem, &s.len);
	if (rc)
		return rc;
	s.ptr = mem;
	for (seq = 0; rc == 0 && chunk_ok(s, batch, seq, &h); seq++) {
		rc = apply_chunk((struct span){s.ptr + HDR_LEN, h.len}, fn, arg, n);
		s.ptr += HDR_LEN + h.len;
		s.len -= HDR_LEN + h.len;
	}
	free(mem);
	return rc;
}
