/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_blob.c - everything of a blob service's answers that blob/ parses: heads, lists, blocks,
 * parts, faults, tokens, and the texts within them.
 *
 * Input: which parser (one byte), then the bytes. What a parser lets through must keep its own
 * bounds. */
#include "blob/azure_int.h"
#include "blob/s3_int.h"
#include "tests/fuzz/fuzz.h"

static int on_entry(void *arg, const struct blob_entry *e)
{
	assert(e->name[0]);
	assert(e->is_prefix == !e->props);
	if (e->props)
		assert(e->props->etag[0] && strlen(e->props->etag) < BLOB_ETAG_MAX &&
		       e->props->meta.n <= PAIRS_MAX);
	(void)arg;
	return 0;
}

static int on_block(void *arg, const char *id, uint64_t size)
{
	(void)arg, (void)size;
	assert(strlen(id) <= 64);
	return 0;
}

static int on_part(void *arg, uint64_t number, const char *etag, uint64_t size)
{
	(void)arg, (void)number, (void)size;
	assert(etag[0] && strlen(etag) < BLOB_ETAG_MAX);
	return 0;
}

static void head(const char *text, size_t len)
{
	struct headers h = {0};
	const char *end = text + len;
	uint64_t a, b, t;
	int64_t when;

	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		const char *next = nl ? nl + 1 : end;

		headers_line(&h, text, (size_t)(next - text));
		text = next;
	}
	assert(h.f.n <= PAIRS_MAX && h.f.bytes <= PAIRS_BYTES && h.status >= 0 && h.status <= 999);
	assert(headers_retry_after_ms(&h, 0) <= 3600000);
	for (uint32_t i = 0; i < h.f.n; i++) {
		if (headers_range(h.f.v[i].value, &a, &b, &t) == 0)
			assert(a <= b && b < t);
		if (headers_date(h.f.v[i].value, &when))
			continue;
	}
	headers_fini(&h);
}

static void texts(const char *text)
{
	struct blob_error e = {0};
	struct token token = {0};
	struct str s = STR_INIT;
	struct url u;
	uint8_t bytes[64];

	error_from_answer(&e, 400, text, text);
	assert(e.words[0] && !strpbrk(e.words, "\r\n\033"));
	url_decode(&s, text);
	assert(s.len <= strlen(text));
	str_fini(&s);
	if (url_parse(text, &u) == 0)
		assert(u.host[0] && u.port);
	assert(hash_unbase64(text, bytes, sizeof(bytes)) <= (int)sizeof(bytes));
	if (token_parse(text, strlen(text), 0, &token) == 0)
		assert(token.text[0]);
	token_fini(&token);
}

static void fault(const char *text, size_t len)
{
	struct str body = STR_INIT;
	char code[16], message[32];

	str_add(&body, text, len);
	call_parse_fault(&body, code, sizeof(code), message, sizeof(message));
	assert(strlen(code) < sizeof(code) && strlen(message) < sizeof(message));
	str_fini(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	uint64_t which = fuzz_int(&in, 1) % 7;
	char *text = fuzz_text(&in), marker[BLOB_MARKER_MAX];
	uint64_t next = 0;

	if (which == 0)
		head(text, in.len);
	else if (which == 1)
		texts(text);
	else if (which == 2)
		fault(text, in.len);
	else if (which == 3 && azure_parse_page(text, in.len, on_entry, NULL, marker) == 0)
		assert(strlen(marker) < BLOB_MARKER_MAX);
	else if (which == 4 && s3_parse_page(text, in.len, on_entry, NULL, marker) == 0)
		assert(strlen(marker) < BLOB_MARKER_MAX);
	else if (which == 5 &&
		 azure_parse_blocks(text, in.len, "UncommittedBlocks", on_block, NULL))
		next = 1;
	else if (which == 6 && s3_parse_parts(text, in.len, on_part, NULL, &next) == 0 && next)
		assert(next > 0);
	free(text);
	return 0;
}
