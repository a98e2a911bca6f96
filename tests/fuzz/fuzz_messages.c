/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_messages.c - every request and reply, and every record that travels in a blob.
 *
 * Input: number of the RPC (2 bytes), 0 request or 1 reply, then the body. A body that decodes must
 * encode, decode again, and encode to the same bytes. The printer must cope with it too.
 */
#include "common/limits.h"
#include "common/proto/proto.h"
#include "tests/fuzz/fuzz.h"

enum { FIRST_RECORD = 10000 };

static FILE *sink;

static void encode(void (*enc)(struct wbuf *, const void *), const void *v, struct wbuf *w)
{
	wbuf_init(w, 4 * MAX_BODY);
	enc(w, v);
	assert(w->rc == 0);
}

static void message(const struct rpc_desc *d, bool reply, struct fuzz_input *in)
{
	uint32_t size = reply ? d->rep_size : d->req_size;
	void (*enc)(struct wbuf *, const void *) = reply ? d->rep_enc : d->req_enc;
	int (*dec)(struct rbuf *, void *) = reply ? d->rep_dec : d->req_dec;
	void *v = calloc(1, size + 1), *again = calloc(1, size + 1);
	struct rbuf r = {in->ptr, (uint32_t)in->len};
	struct wbuf one, two;

	assert(v && again);
	if (dec(&r, v) == 0) {
		encode(enc, v, &one);
		r = rbuf_of(wbuf_span(&one));
		if (dec(&r, again) || r.len)
			abort();
		encode(enc, again, &two);
		assert(span_eq(wbuf_span(&one), wbuf_span(&two)));
		(reply ? d->rep_dbg : d->req_dbg)(sink, v);
		wbuf_fini(&one);
		wbuf_fini(&two);
	}
	free(v);
	free(again);
}

#define RECORD_FUNC(nm)                                                      \
	static void record_##nm(struct rbuf r)                               \
	{                                                                    \
		struct nm v, again;                                          \
		struct wbuf w;                                               \
                                                                             \
		while (r.len) {                                              \
			memset(&v, 0, sizeof(v));                            \
			if (dec_##nm(&r, &v))                                \
				return;                                      \
			wbuf_init(&w, 4 * MAX_BODY);                         \
			enc_##nm(&w, &v);                                    \
			assert(w.rc == 0);                                   \
			struct rbuf back = rbuf_of(wbuf_span(&w));           \
			if (dec_##nm(&back, &again) || back.len)             \
				abort();                                     \
			wbuf_fini(&w);                                       \
		}                                                            \
	}
ALL_STRUCTS(RECORD_FUNC)

#define RECORD_ROW(nm) record_##nm,
static void (*const records[])(struct rbuf r) = {ALL_STRUCTS(RECORD_ROW)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	uint16_t nr = (uint16_t)fuzz_int(&in, 2);
	bool reply = fuzz_int(&in, 1) & 1;
	const struct rpc_desc *d = rpc_desc_find(nr);

	if (!sink)
		sink = fopen("/dev/null", "w");
	assert(sink);
	if (in.len > MAX_BODY)
		return 0;
	if (d)
		message(d, reply, &in);
	else if (nr >= FIRST_RECORD && nr - FIRST_RECORD < (int)ARRAY_SIZE(records))
		records[nr - FIRST_RECORD]((struct rbuf){in.ptr, (uint32_t)in.len});
	return 0;
}
