/* SPDX-License-Identifier: Apache-2.0 */
/* test_dirty.c - bytes that wait to be sent: where they may go, what is read back, and that it is
 * what was written, compared with a plain array. */
#include "client/core/dirty.h"
#include "tests/unit/unit.h"

#define C ((uint64_t)DIRTY_CHUNK)

static struct dirty d;
static uint64_t now;

static int setup(void **state)
{
	(void)state;
	dirty_init(&d);
	now = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	while (!TAILQ_EMPTY(&d.extents))
		dirty_drop(&d, TAILQ_FIRST(&d.extents));
	assert_int_equal(d.n, 0);
	assert_int_equal(d.nsending, 0);
	assert_int_equal(d.bytes, 0);
	return 0;
}

/* Writes if that is possible now; *e: where it went, or what is in the way. */
static enum dirty_rc put(uint64_t off, const void *buf, uint32_t len, struct dirty_extent **e)
{
	enum dirty_rc rc = dirty_place(&d, off, len, e);

	if (rc != DIRTY_OK)
		return rc;
	if (!*e)
		*e = dirty_new(&d, NULL, off, len, ++now);
	assert_non_null(*e);
	assert_int_equal(dirty_add(&d, *e, off, buf, len, ++now), 0);
	return DIRTY_OK;
}

static struct dirty_extent *put_text(uint64_t off, const char *text)
{
	struct dirty_extent *e;

	assert_int_equal(put(off, text, (uint32_t)strlen(text), &e), DIRTY_OK);
	return e;
}

static enum dirty_rc place(uint64_t off, uint32_t len, struct dirty_extent **e)
{
	*e = NULL;
	return dirty_place(&d, off, len, e);
}

static void reads(uint64_t off, const char *text)
{
	char buf[64];

	assert_int_equal(dirty_read(&d, off, buf, strlen(text)), DIRTY_ALL);
	assert_memory_equal(buf, text, strlen(text));
}

static void what_follows_is_added_to_the_same_extent(void **state)
{
	struct dirty_extent *e = put_text(100, "abc");

	(void)state;
	assert_ptr_equal(put_text(103, "def"), e);
	assert_int_equal(e->off, 100);
	assert_int_equal(e->len, 6);
	assert_int_equal(d.n, 1);
	reads(100, "abcdef");
	assert_int_equal(e->since_ns, 1);
	assert_int_equal(e->last_ns, now);
}

static void what_overlaps_or_is_contained_is_written_over(void **state)
{
	struct dirty_extent *e = put_text(100, "abcdef");

	(void)state;
	assert_ptr_equal(put_text(101, "XY"), e);
	assert_int_equal(e->len, 6);
	reads(100, "aXYdef");
	assert_ptr_equal(put_text(104, "1234"), e);
	assert_int_equal(e->len, 8);
	reads(100, "aXYd1234");
	assert_ptr_equal(put_text(100, "Z"), e);
	reads(100, "ZXYd1234");
}

static void what_lies_before_is_another_extent(void **state)
{
	struct dirty_extent *e = put_text(100, "abc"), *other;

	(void)state;
	other = put_text(97, "xyz"); /* touches it, but does not meet it */
	assert_ptr_not_equal(other, e);
	assert_true(other->id > e->id);
	assert_int_equal(d.n, 2);
	reads(97, "xyz");
	reads(100, "abc");
	assert_int_equal(place(95, 3, &other), DIRTY_SEND); /* would run into the second */
	assert_int_equal(other->off, 97);
	assert_int_equal(place(99, 3, &other), DIRTY_SEND); /* fits there, but runs into e */
	assert_ptr_equal(other, e);
	dirty_drop(&d, e);
	assert_int_equal(place(99, 3, &other), DIRTY_OK);
	assert_int_equal(other->off, 97);
}

static void a_hole_begins_another_extent(void **state)
{
	struct dirty_extent *e = put_text(100, "abc"), *other = put_text(104, "efg");

	(void)state;
	assert_ptr_not_equal(other, e);
	assert_ptr_equal(put_text(103, "d"), e); /* fills it: they stay two */
	assert_int_equal(d.n, 2);
	assert_ptr_equal(put_text(107, "h"), other);
}

static void an_extent_ends_with_its_chunk(void **state)
{
	struct dirty_extent *e = put_text(C - 3, "ab"), *next;

	(void)state;
	assert_false(dirty_full(e));
	assert_ptr_equal(put_text(C - 1, "c"), e);
	assert_true(dirty_full(e));
	next = put_text(C, "def");
	assert_ptr_not_equal(next, e);
	assert_int_equal(next->off, C);
	assert_false(dirty_full(next));
	reads(C - 3, "abc");
	reads(C, "def");
	assert_ptr_equal(put_text(C - 2, "BC"), e);
	assert_int_equal(e->len, 3);
}

static void memory_grows_with_the_extent_and_is_counted(void **state)
{
	static uint8_t buf[DIRTY_CHUNK];
	struct dirty_extent *e = put_text(C, "a");
	uint8_t byte = 1;

	(void)state;
	assert_int_equal(e->cap, 4096);
	assert_int_equal(d.bytes, 4096);
	assert_int_equal(put(C, buf, 4096, &e), DIRTY_OK);
	assert_int_equal(dirty_cap(e, C + 4095, 1), 4096);
	assert_int_equal(dirty_cap(e, C + 4096, 1), 65536);
	assert_int_equal(put(C + 4096, &byte, 1, &e), DIRTY_OK);
	assert_int_equal(e->cap, 65536);
	assert_int_equal(put(C, buf, DIRTY_CHUNK, &e), DIRTY_OK);
	assert_int_equal(e->cap, DIRTY_CHUNK);
	assert_true(dirty_full(e));
	assert_int_equal(d.n, 1);
	assert_int_equal(d.bytes, DIRTY_CHUNK);
	assert_int_equal(dirty_cap(NULL, C, 65537), DIRTY_CHUNK);
}

static void an_extent_that_is_being_sent_does_not_change(void **state)
{
	struct dirty_extent *e = put_text(100, "abc"), *other;

	(void)state;
	assert_ptr_equal(dirty_oldest(&d), e);
	dirty_send(&d, e);
	assert_int_equal(d.nsending, 1);
	assert_null(dirty_oldest(&d));
	assert_int_equal(place(102, 1, &other), DIRTY_WAIT);
	assert_ptr_equal(other, e);
	assert_int_equal(place(98, 3, &other), DIRTY_WAIT);
	assert_int_equal(place(103, 3, &other), DIRTY_OK); /* behind it, but not to it */
	assert_null(other);
	reads(100, "abc"); /* still here */
	other = put_text(103, "def");
	assert_ptr_equal(dirty_oldest(&d), other);
	assert_ptr_equal(put_text(106, "g"), other);
	assert_int_equal(e->len, 3);
	dirty_drop(&d, e);
	assert_int_equal(d.nsending, 0);
	put_text(100, "ABC");
	reads(100, "ABC");
}

static void there_are_never_more_than_so_many(void **state)
{
	struct dirty_extent *e;
	uint32_t i;

	(void)state;
	for (i = 0; i < DIRTY_EXTENTS; i++)
		put_text(i * 10, "a");
	assert_int_equal(place(5000, 1, &e), DIRTY_SEND);
	assert_int_equal(e->off, 0);                 /* the oldest */
	assert_int_equal(place(1, 1, &e), DIRTY_OK); /* needs no new one */
	dirty_send(&d, TAILQ_FIRST(&d.extents));
	assert_int_equal(place(5000, 1, &e), DIRTY_SEND);
	assert_int_equal(e->off, 10);
	while ((e = dirty_oldest(&d)))
		dirty_send(&d, e);
	assert_int_equal(place(5000, 1, &e), DIRTY_WAIT);
	assert_int_equal(e->off, 0);
	dirty_drop(&d, TAILQ_LAST(&d.extents, dirty_list));
	assert_int_equal(place(5000, 1, &e), DIRTY_OK);
	assert_null(e);
}

static void a_read_gets_all_or_is_told_that_a_part_is_here(void **state)
{
	char buf[16] = "untouched";

	(void)state;
	assert_int_equal(dirty_read(&d, 0, buf, 4), DIRTY_NONE);
	put_text(100, "abcd");
	assert_int_equal(dirty_read(&d, 96, buf, 4), DIRTY_NONE);
	assert_int_equal(dirty_read(&d, 104, buf, 4), DIRTY_NONE);
	assert_int_equal(dirty_read(&d, 97, buf, 4), DIRTY_PART);
	assert_int_equal(dirty_read(&d, 103, buf, 4), DIRTY_PART);
	assert_int_equal(dirty_read(&d, 99, buf, 6), DIRTY_PART);
	assert_string_equal(buf, "untouched");
	reads(101, "bc");
	reads(103, "d");
	put_text(96, "wxyz");
	assert_int_equal(dirty_read(&d, 98, buf, 4), DIRTY_PART); /* all, but of two */
	assert_true(dirty_overlaps(&d, 0, 97));
	assert_false(dirty_overlaps(&d, 0, 96));
	assert_true(dirty_overlaps(&d, 103, 1));
	assert_false(dirty_overlaps(&d, 104, 1000));
}

static void the_end_is_that_of_the_last_byte(void **state)
{
	struct dirty_extent *e;

	(void)state;
	assert_int_equal(dirty_end(&d), 0);
	e = put_text(5 * C, "abc");
	put_text(10, "abc");
	assert_int_equal(dirty_end(&d), 5 * C + 3);
	dirty_send(&d, e);
	assert_int_equal(dirty_end(&d), 5 * C + 3);
	dirty_drop(&d, e);
	assert_int_equal(dirty_end(&d), 13);
}

/* ---- against an array ---- */

enum { SIZE = 3 << 20, STEPS = 20000 };
static uint8_t want[SIZE], sent[SIZE]; /* what a reader must see; what the objects have */
static uint8_t here[SIZE];             /* 1: that byte is dirty */

/* Mostly near the borders of chunks and to where something is already. */
static void draw(uint64_t *s, uint64_t *off, uint32_t *len)
{
	static const uint64_t near[] = {0, C - 300, C, 2 * C - 5000, 2 * C, 3 * C - 70000};

	*off = near[rnd_below(s, 6)] + rnd_below(s, rnd_below(s, 10) ? 400 : 70000);
	*len = 1 + (uint32_t)rnd_below(s, rnd_below(s, 50) ? 300 : 66000);
	if (d.n && rnd_below(s, 3) == 0)
		*off = TAILQ_LAST(&d.extents, dirty_list)->off +
		       TAILQ_LAST(&d.extents, dirty_list)->len + rnd_below(s, 3) - 1;
	*off = min_u64(*off, SIZE - 1);
	*len = (uint32_t)min_u64(*len, C - *off % C);
}

static void deliver(struct dirty_extent *e)
{
	memcpy(sent + e->off, e->mem, e->len);
	memset(here + e->off, 0, e->len);
	dirty_drop(&d, e);
}

static void model_write(uint64_t *s, uint64_t off, uint32_t len)
{
	static uint8_t buf[DIRTY_CHUNK];
	struct dirty_extent *e;
	enum dirty_rc rc;

	rnd_fill(s, buf, len);
	while ((rc = put(off, buf, len, &e)) != DIRTY_OK) {
		assert_int_equal(e->sending, rc == DIRTY_WAIT);
		if (rc == DIRTY_SEND)
			dirty_send(&d, e);
		deliver(e);
	}
	memcpy(want + off, buf, len);
	memset(here + off, 1, len);
}

static void model_read(uint64_t off, uint32_t len)
{
	static uint8_t buf[DIRTY_CHUNK];
	uint32_t n = 0, i;

	for (i = 0; i < len; i++)
		n += here[off + i];
	assert_int_equal(dirty_overlaps(&d, off, len), n > 0);
	switch (dirty_read(&d, off, buf, len)) {
	case DIRTY_ALL:
		assert_int_equal(n, len);
		assert_memory_equal(buf, want + off, len);
		break;
	case DIRTY_PART:
		assert_true(n > 0);
		break;
	case DIRTY_NONE:
		assert_int_equal(n, 0);
		assert_memory_equal(sent + off, want + off, len);
		break;
	}
}

static void model_check(void)
{
	struct dirty_extent *e, *o;
	uint32_t n = 0, sending = 0;
	uint64_t bytes = 0, end = SIZE;

	TAILQ_FOREACH(e, &d.extents, link)
	{
		n++, sending += e->sending, bytes += e->cap;
		assert_true(e->len > 0 && e->len <= e->cap);
		assert_int_equal(e->off / C, (e->off + e->len - 1) / C);
		for (o = TAILQ_NEXT(e, link); o; o = TAILQ_NEXT(o, link)) {
			assert_true(e->off + e->len <= o->off || o->off + o->len <= e->off);
			assert_true(e->id < o->id);
		}
	}
	assert_true(n <= DIRTY_EXTENTS);
	assert_int_equal(n, d.n);
	assert_int_equal(sending, d.nsending);
	assert_int_equal(bytes, d.bytes);
	while (end && !here[end - 1])
		end--;
	assert_int_equal(dirty_end(&d), end);
}

static void random_steps_give_what_an_array_gives(void **state)
{
	uint64_t s = 4711, off;
	struct dirty_extent *e;
	uint32_t i, len;

	(void)state;
	for (i = 0; i < STEPS; i++) {
		draw(&s, &off, &len);
		switch (rnd_below(&s, 10)) {
		case 0:
			if ((e = dirty_oldest(&d)))
				dirty_send(&d, e);
			break;
		case 1:
			if ((e = TAILQ_FIRST(&d.extents)) && e->sending)
				deliver(e);
			break;
		case 2:
		case 3:
		case 4:
		case 5:
			model_read(off, len);
			break;
		default:
			model_write(&s, off, len);
		}
		if (i % 100 == 0)
			model_check();
	}
	while ((e = TAILQ_FIRST(&d.extents)))
		deliver(e);
	assert_memory_equal(sent, want, SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(what_follows_is_added_to_the_same_extent),
		TEST(what_overlaps_or_is_contained_is_written_over),
		TEST(what_lies_before_is_another_extent),
		TEST(a_hole_begins_another_extent),
		TEST(an_extent_ends_with_its_chunk),
		TEST(memory_grows_with_the_extent_and_is_counted),
		TEST(an_extent_that_is_being_sent_does_not_change),
		TEST(there_are_never_more_than_so_many),
		TEST(a_read_gets_all_or_is_told_that_a_part_is_here),
		TEST(the_end_is_that_of_the_last_byte),
		TEST(random_steps_give_what_an_array_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
