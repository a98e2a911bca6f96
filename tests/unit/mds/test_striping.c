/* SPDX-License-Identifier: Apache-2.0 */
/* test_striping.c - from a wish to a layout with objects: defaults, inheritance, explicit OSTs,
 * O_APPEND. */
#include "mds/striping.h"
#include "common/lov.h"
#include "tests/unit/mds/mds_test.h"

static int setup(void **state)
{
	struct mt *m = malloc(sizeof(*m));

	mt_init(m);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	mt_fini(*state);
	free(*state);
	return 0;
}

static struct layout *make(struct mt *m, const struct layout *wish, bool append)
{
	struct layout *l;

	assert_int_equal(striping_make(&m->alloc, &m->striping, wish, append, &l), 0);
	assert_int_equal(layout_check(l), 0);
	assert_true(striping_made(l));
	return l;
}

static struct layout *wish(uint32_t size, int32_t count, int32_t first)
{
	struct layout *l;

	assert_int_equal(layout_plain(size, count, first, NULL, NULL, &l), 0);
	assert_false(striping_made(l));
	return l;
}

static void without_a_wish_the_file_system_decides(void **state)
{
	struct layout *l = make(*state, NULL, false);

	assert_int_equal(l->ncomp, 1);
	assert_int_equal(l->comp[0].stripe_size, STRIPE_SIZE_DEFAULT);
	assert_int_equal(l->comp[0].stripe_count, 1);
	assert_true(l->comp[0].end == LAYOUT_EOF);
	layout_free(l);
}

static void a_wish_is_kept_and_what_it_leaves_open_is_filled_in(void **state)
{
	struct layout *w = wish(1 << 20, 0, 2), *l;

	((struct mt *)*state)->striping.stripe_count = 3;
	l = make(*state, w, false);
	assert_int_equal(l->comp[0].stripe_size, 1 << 20);
	assert_int_equal(l->comp[0].stripe_count, 3);
	assert_int_equal(l->comp[0].ost[0], 2);
	layout_free(l);
	layout_free(w);
	w = wish(0, -1, -1);
	l = make(*state, w, false);
	assert_int_equal(l->comp[0].stripe_count, 4);
	layout_free(l);
	layout_free(w);
	w = wish(0, 1000, -1);
	l = make(*state, w, false);
	assert_int_equal(l->comp[0].stripe_count, 4);
	layout_free(l);
	layout_free(w);
}

static void append_gets_its_own_count(void **state)
{
	struct mt *m = *state;
	struct layout *w = wish(1 << 20, -1, -1), *l = make(m, w, true);

	assert_int_equal(l->comp[0].stripe_count, 1);
	assert_int_equal(l->comp[0].stripe_size, 1 << 20);
	layout_free(l);
	m->striping.append_stripe_count = 0;
	l = make(m, w, true);
	assert_int_equal(l->comp[0].stripe_count, 4);
	layout_free(l);
	layout_free(w);
}

static struct span specific(struct wbuf *w, uint32_t n, const uint32_t *ost)
{
	uint32_t head[] = {LOV_MAGIC_SPECIFIC, LAYOUT_RAID0, 0, 0, 0, 0, 1 << 20,
			   n | 0xffff0000U}, i;
	char pool[16] = "";

	wbuf_init(w, 1000);
	wbuf_put(w, head, sizeof(head));
	wbuf_put(w, pool, sizeof(pool));
	for (i = 0; i < n; i++) {
		uint32_t obj[6] = {0, 0, 0, 0, 0, ost[i]};

		wbuf_put(w, obj, sizeof(obj));
	}
	return wbuf_span(w);
}

static void explicit_osts_are_taken_as_they_are(void **state)
{
	struct mt *m = *state;
	struct layout *w, *l;
	struct wbuf b;

	assert_int_equal(lov_dec(specific(&b, 3, (uint32_t[]){3, 0, 2}), &w), 0);
	l = make(m, w, false);
	assert_int_equal(l->comp[0].ost[0], 3);
	assert_int_equal(l->comp[0].ost[1], 0);
	assert_int_equal(l->comp[0].ost[2], 2);
	layout_free(l);
	alloc_find(&m->alloc, 0)->state = TARGET_INACTIVE;
	assert_int_equal(striping_make(&m->alloc, &m->striping, w, false, &l), -ENODEV);
	layout_free(w);
	wbuf_fini(&b);
	assert_int_equal(lov_dec(specific(&b, 2, (uint32_t[]){3, 9}), &w), 0);
	assert_int_equal(striping_make(&m->alloc, &m->striping, w, false, &l), -EINVAL);
	layout_free(w);
	wbuf_fini(&b);
}

static void a_clients_wish_never_brings_objects(void **state)
{
	uint32_t ost[] = {1};
	struct layout *w, *l;
	struct wbuf b;

	(void)state;
	assert_int_equal(layout_plain(1 << 20, 1, -1, NULL, ost, &w), 0);
	wbuf_init(&b, 1000);
	assert_int_equal(layout_enc(&b, w), 0);
	assert_int_equal(striping_wish_dec(wbuf_span(&b), &l), 0);
	assert_false(striping_made(l));
	layout_free(l);
	assert_int_equal(striping_wish_dec(SPAN_STR("garbage"), &l), -EINVAL);
	layout_free(w);
	wbuf_fini(&b);
}

static void inheritance_ends_at_the_root(void **state)
{
	struct mt *m = *state;
	struct fid d = mt_dir(m, ROOT, "d"), e;
	struct layout *l;
	struct inode_rec ino;
	struct wbuf b;
	struct layout *w;

	assert_int_equal(inode_get(m->t, &d, &ino), 0);
	assert_int_equal(striping_inherited(m->t, &d, &ino, &l), 0);
	assert_null(l);
	wbuf_init(&b, 1000);
	assert_int_equal(layout_plain(3 << 20, 2, -1, NULL, NULL, &w), 0);
	assert_int_equal(lov_enc(&b, w, &ROOT), 0);
	layout_free(w);
	assert_int_equal(inode_get(m->t, &ROOT, &ino), 0);
	assert_int_equal(striping_xattr_set(m->t, &ROOT, &ino, &m->alloc, &m->striping,
					    wbuf_span(&b), m->now), 0);
	assert_int_equal(inode_get(m->t, &d, &ino), 0);
	assert_int_equal(striping_inherited(m->t, &d, &ino, &l), 0);
	assert_int_equal(l->comp[0].stripe_count, 2);
	layout_free(l);
	assert_int_equal(striping_xattr_set(m->t, &d, &ino, &m->alloc, &m->striping, wbuf_span(&b),
					    m->now), 0);
	e = mt_dir(m, d, "e");
	assert_int_equal(inode_get(m->t, &e, &ino), 0);
	assert_true(ino.layout.len > 0);
	wbuf_fini(&b);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_wish_the_file_system_decides),
		TEST(a_wish_is_kept_and_what_it_leaves_open_is_filled_in),
		TEST(append_gets_its_own_count),
		TEST(explicit_osts_are_taken_as_they_are),
		TEST(a_clients_wish_never_brings_objects),
		TEST(inheritance_ends_at_the_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
