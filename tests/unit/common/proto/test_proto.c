/* SPDX-License-Identifier: Apache-2.0 */
/* test_proto.c - every RPC of the lists at once: what holds for all messages holds for new ones. */
#include "common/limits.h"
#include "common/proto/proto.h"
#include "tests/unit/unit.h"

typedef void codec_fn(const struct rpc_desc *d, bool rep, void *arg);

struct each {
	codec_fn *fn;
	void *arg;
};

static void each_message(const struct rpc_desc *d, void *arg)
{
	struct each *e = arg;

	e->fn(d, false, e->arg);
	e->fn(d, true, e->arg);
}

static void for_all(codec_fn *fn, void *arg)
{
	struct each e = {fn, arg};

	rpc_desc_each(each_message, &e);
}

static int dec(const struct rpc_desc *d, bool rep, const void *body, uint32_t len, void *out)
{
	struct rbuf r = {body, len};

	return (rep ? d->rep_dec : d->req_dec)(&r, out);
}

static void enc(const struct rpc_desc *d, bool rep, struct wbuf *w, const void *v)
{
	(rep ? d->rep_enc : d->req_enc)(w, v);
}

static void *new_struct(const struct rpc_desc *d, bool rep)
{
	return calloc(1, (rep ? d->rep_size : d->req_size) + 1);
}

static void print_to_null(const struct rpc_desc *d, bool rep, const void *v)
{
	FILE *f = fopen("/dev/null", "w");

	(rep ? d->rep_dbg : d->req_dbg)(f, v);
	fclose(f);
}

/* A body with plausible content for any list of fields. */
static void put_field(struct wbuf *w, const char *type, uint64_t *seed)
{
	struct fid f = {0x200000401, 1 + (uint32_t)rnd_below(seed, 1000), 0};
	uint64_t n = rnd(seed);
	struct span text = SPAN_STR("some text");
	struct attr a = {.mode = 0100644, .size = n};

	if (!strcmp(type, "u8"))
		enc_u8(w, &(uint8_t){(uint8_t)n});
	else if (!strcmp(type, "u16"))
		enc_u16(w, &(uint16_t){(uint16_t)n});
	else if (!strcmp(type, "u32") || !strcmp(type, "i32"))
		enc_u32(w, &(uint32_t){(uint32_t)n});
	else if (!strcmp(type, "u64") || !strcmp(type, "i64"))
		enc_u64(w, &n);
	else if (!strcmp(type, "fid"))
		enc_fid(w, &f);
	else if (!strcmp(type, "attr"))
		enc_attr(w, &a);
	else if (!strcmp(type, "name") || !strcmp(type, "optname") || !strcmp(type, "str") ||
		 !strcmp(type, "blob"))
		enc_blob(w, &text);
	else
		fail_msg("no field type %s in this test", type);
}

/* ends[i]: length of the body with i fields. */
static uint32_t make_body(const struct rpc_desc *d, bool rep, struct wbuf *w, uint32_t *ends,
			  uint64_t *seed)
{
	char *fields = strdup(rep ? d->rep_fields : d->req_fields), *f, *save = NULL;
	uint32_t n = 0;

	ends[n++] = 0;
	for (f = strtok_r(fields, " ", &save); f; f = strtok_r(NULL, " ", &save)) {
		*strchr(f, ':') = 0;
		put_field(w, f, seed);
		ends[n++] = w->len;
	}
	free(fields);
	return n;
}

static void roundtrip(const struct rpc_desc *d, bool rep, void *arg)
{
	void *v = new_struct(d, rep);
	struct wbuf a, b;
	uint32_t ends[64];

	wbuf_init(&a, MAX_BODY);
	wbuf_init(&b, MAX_BODY);
	make_body(d, rep, &a, ends, arg);
	assert_int_equal(dec(d, rep, a.ptr, a.len, v), 0);
	enc(d, rep, &b, v);
	assert_true(span_eq(wbuf_span(&a), wbuf_span(&b)));
	print_to_null(d, rep, v);
	wbuf_fini(&a);
	wbuf_fini(&b);
	free(v);
}

static void every_message_survives_the_way(void **state)
{
	uint64_t seed = 14;

	(void)state;
	for_all(roundtrip, &seed);
}

/* Is there a `name` among the fields from the i-th on? "fid:parent name:name" */
static bool name_from(const char *fields, uint32_t i)
{
	for (const char *at = strchr(fields, ' '); at; at = strchr(at + 1, ' '))
		if (i)
			i--;
		else if (strncmp(at, " name:", 6) == 0)
			return true;
	return false;
}

static void truncate_body(const struct rpc_desc *d, bool rep, void *arg)
{
	void *v = new_struct(d, rep);
	uint32_t ends[64], nends, i = 0;
	struct wbuf a;

	wbuf_init(&a, MAX_BODY);
	nends = make_body(d, rep, &a, ends, arg);
	for (uint32_t n = 0; n <= a.len; n++) {
		uint8_t *copy = exact_copy(a.ptr, n);

		while (ends[i] < n)
			i++;
		/* At a field's end the rest reads as zero (older peer), but a name has no zero;
		 * inside a field it is damage. */
		bool ok = ends[i] == n && !name_from(rep ? d->rep_fields : d->req_fields, i);

		assert_int_equal(dec(d, rep, copy, n, v), ok ? 0 : -EBADMSG);
		free(copy);
	}
	assert_int_equal(ends[nends - 1], a.len);
	wbuf_put(&a, "later field", 11);
	assert_int_equal(dec(d, rep, a.ptr, a.len, v), 0);
	wbuf_fini(&a);
	free(v);
}

static void a_body_may_end_between_fields_only(void **state)
{
	uint64_t seed = 15;

	(void)state;
	for_all(truncate_body, &seed);
}

static void random_body(const struct rpc_desc *d, bool rep, void *arg)
{
	uint64_t *seed = arg;
	void *v = new_struct(d, rep), *v2 = new_struct(d, rep);
	uint32_t ends[64];

	for (int i = 0; i < 200; i++) {
		struct wbuf a, b;
		uint8_t *copy;

		wbuf_init(&a, MAX_BODY);
		wbuf_init(&b, MAX_BODY);
		make_body(d, rep, &a, ends, seed);
		copy = exact_copy(a.ptr, a.len);
		for (uint64_t k = rnd_below(seed, 6); k && a.len; k--)
			copy[rnd_below(seed, a.len)] = (uint8_t)rnd(seed);
		if (i % 4 == 0)
			rnd_fill(seed, copy, a.len);
		if (dec(d, rep, copy, a.len, v) == 0) {
			enc(d, rep, &b, v); /* what was taken can be said again */
			assert_int_equal(b.rc, 0);
			assert_int_equal(dec(d, rep, b.ptr, b.len, v2), 0);
			print_to_null(d, rep, v);
		}
		free(copy);
		wbuf_fini(&a);
		wbuf_fini(&b);
	}
	free(v);
	free(v2);
}

static void random_bodies_are_refused_or_understood(void **state)
{
	uint64_t seed = 16;

	(void)state;
	for_all(random_body, &seed);
}

static void count(const struct rpc_desc *d, void *arg)
{
	uint32_t *n = arg;

	++*n;
	assert_ptr_equal(rpc_desc_find(d->nr), d);
	assert_string_equal(rpc_name(d->nr), d->name);
	assert_true(strlen(d->doc) > 10);
	/* Bulk in both directions, or bulk of a request that changes names, has no meaning. */
	assert_false((d->flags & RPC_BULK_IN) && (d->flags & RPC_BULK_OUT));
}

static void numbers_find_their_descriptors(void **state)
{
	uint32_t n = 0;

	(void)state;
	rpc_desc_each(count, &n);
	assert_true(n > 40);
	assert_null(rpc_desc_find(0));
	assert_null(rpc_desc_find(RPC_NR_MAX));
	assert_null(rpc_desc_find(UINT16_MAX));
	assert_string_equal(rpc_name(UINT16_MAX), "rpc 65535");
	assert_int_equal(RPC_mds_lookup, 200); /* numbers are for ever */
	assert_int_equal(RPC_any_connect, 1);
	assert_int_equal(RPC_oss_statfs, 308);
}

static void records_in_blobs_must_be_whole(void **state)
{
	struct mgs_target t = {.type = TARGET_OST,
			       .index = 3,
			       .name = SPAN_STR("fs-OST0003"),
			       .nids = SPAN_STR("1.1.1.1@tcp"),
			       .uuid = SPAN_STR("0123456789abcdef"),
			       .starts = 7},
			  u;
	struct rbuf r;
	struct wbuf w;

	(void)state;
	wbuf_init(&w, 4096);
	enc_mgs_target(&w, &t);
	enc_mgs_target(&w, &t);
	for (uint32_t n = 0; n < w.len; n++) {
		uint8_t *copy = exact_copy(w.ptr, n);

		r = (struct rbuf){copy, n};
		assert_int_equal(dec_mgs_target(&r, &u), n < w.len / 2 ? -EBADMSG : 0);
		if (n >= w.len / 2)
			assert_int_equal(dec_mgs_target(&r, &u), -EBADMSG);
		free(copy);
	}
	r = rbuf_of(wbuf_span(&w));
	assert_int_equal(dec_mgs_target(&r, &u), 0);
	assert_int_equal(dec_mgs_target(&r, &u), 0);
	assert_int_equal(u.starts, 7);
	assert_int_equal(r.len, 0);
	wbuf_fini(&w);
}

static void a_request_is_text_for_the_log(void **state)
{
	struct oss_write_req q = {.fid = {0x200000401, 7, 0}, .stripe = 3, .off = 65536};
	struct wbuf w;
	char text[200], small[24];

	(void)state;
	wbuf_init(&w, MAX_BODY);
	oss_write_desc.req_enc(&w, &q);
	rpc_request_text(&oss_write_desc, w.ptr, w.len, text, sizeof(text));
	assert_string_equal(text, "write fid=[0x200000401:0x7:0x0] comp=0 stripe=3 off=65536 "
				  "flags=0 trunc_gen=0 age=0 written=0 "
				  "grant_used=0 grant_want=0 "
		 "stripe_size=0 stripe_count=0 layout_gen=0");
	rpc_request_text(&oss_write_desc, w.ptr, w.len, small, sizeof(small));
	assert_int_equal(strlen(small), sizeof(small) - 1);
	assert_memory_equal(small, text, sizeof(small) - 1);
	rpc_request_text(&oss_write_desc, w.ptr, 5, text, sizeof(text)); /* cannot be decoded */
	assert_string_equal(text, "write");
	wbuf_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_survives_the_way),
		cmocka_unit_test(a_body_may_end_between_fields_only),
		cmocka_unit_test(random_bodies_are_refused_or_understood),
		cmocka_unit_test(numbers_find_their_descriptors),
		cmocka_unit_test(records_in_blobs_must_be_whole),
		cmocka_unit_test(a_request_is_text_for_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
