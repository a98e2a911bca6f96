/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_layout.c - layouts in our own encoding and in Lustre's, and the arithmetic over them.
 *
 * Input: 0 or 1 (which form), offset and length of a request (8 bytes each), then the blob.
 * Whatever decodes must keep every rule, encode, and decode to the same; a request that is mapped
 * must be covered once, in order.
 */
#include "common/layout.h"
#include "common/lov.h"
#include "common/proto/field.h"
#include "tests/fuzz/fuzz.h"
#include <sys/uio.h>

enum { MAX_RUNS = 64 };

static void map(const struct layout *l, uint64_t off, uint64_t len)
{
	struct layout_run run[MAX_RUNS];
	uint64_t sum = 0;
	int n;

	len %= 64 * MIB;
	if (len == 0 || off > INT64_MAX - len)
		return;
	n = layout_map(l, off, len, run, MAX_RUNS);
	for (int i = 0; i < n; i++) {
		const struct layout_comp *c = &l->comp[run[i].comp];

		assert(run[i].len > 0);
		assert(i == 0 || run[i].file_off > run[i - 1].file_off);
		assert(layout_file_off(c, run[i].stripe, run[i].obj_off) == run[i].file_off);
		sum += run[i].len;
	}
	assert(n <= 0 || (sum == len && run[0].file_off == off));
}

static void sizes(const struct layout *l, uint64_t size)
{
	size &= INT64_MAX;
	for (uint32_t i = 0; i < l->ncomp; i++) {
		const struct layout_comp *c = &l->comp[i];

		if (!(c->flags & LCME_INIT)) /* a wish has no objects */
			continue;
		for (int32_t s = 0; s < c->stripe_count && s < 8; s++) {
			uint64_t obj = layout_obj_size(c, (uint32_t)s, size);

			assert(layout_file_size(c, (uint32_t)s, obj) <= size);
		}
	}
}

static void own_form(struct span blob, uint64_t off, uint64_t len)
{
	struct layout *l = NULL, *again = NULL;
	struct wbuf one, two;

	if (layout_dec(blob, &l))
		return;
	assert(layout_check(l) == 0);
	wbuf_init(&one, 4 * MAX_LAYOUT_BLOB);
	wbuf_init(&two, 4 * MAX_LAYOUT_BLOB);
	if (layout_enc(&one, l) || layout_dec(wbuf_span(&one), &again) || layout_enc(&two, again))
		abort();
	assert(span_eq(wbuf_span(&one), wbuf_span(&two)));
	if (layout_has_objects(l))
		map(l, off, len);
	sizes(l, off);
	wbuf_fini(&one);
	wbuf_fini(&two);
	layout_free(l);
	layout_free(again);
}

static void lustre_form(struct span blob)
{
	const struct fid fid = {FID_SEQ_NORMAL + 1, 1, 0};
	struct layout *l = NULL, *again = NULL;
	struct wbuf w;

	if (lov_dec(blob, &l))
		return;
	assert(layout_check(l) == 0);
	wbuf_init(&w, 4 * MAX_LAYOUT_BLOB);
	if (lov_enc(&w, l, &fid) == 0) {
		if (lov_dec(wbuf_span(&w), &again))
			abort();
		assert(again->ncomp == l->ncomp);
	}
	wbuf_fini(&w);
	layout_free(l);
	layout_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	bool lustre = fuzz_int(&in, 1) & 1;
	uint64_t off = fuzz_int(&in, 8), len = fuzz_int(&in, 8);
	struct span blob;

	if (in.len > MAX_LAYOUT_BLOB)
		return 0;
	blob = (struct span){in.ptr, (uint32_t)in.len};
	if (lustre)
		lustre_form(blob);
	else
		own_form(blob, off, len);
	return 0;
}
