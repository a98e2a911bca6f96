/* SPDX-License-Identifier: Apache-2.0 */
/* test_uring.c - requests and answers of a ring whose kernel is this test: what it writes into an
 * entry is served, and what the entry holds afterwards is the answer. No command is submitted. */
#include "client/fuse/uring.c"
#include "tests/unit/unit.h"

enum { PAYLOAD = 64 << 10 };

static struct face face;
static struct flane *fl;
static struct uring *u;
static struct serve *served; /* what the lane was given */
static uint8_t small[sizeof(struct serve) + REQ_SMALL];
static bool done; /* it was given back */
static uint32_t kicked;

struct serve *flane_serve_get(struct flane *lane)
{
	struct serve *s = (struct serve *)small;

	*s = (struct serve){.fl = lane, .data = small + sizeof(*s)};
	return s;
}

void flane_serve_put(struct serve *s)
{
	uring_serve_end(s);
	done = true;
}

void flane_serve(struct flane *lane, struct serve *s)
{
	assert_ptr_equal(lane, fl);
	served = s;
}

void again_begin(struct agains *a, uint64_t tag)
{
	(void)a;
	(void)tag;
	fail_msg("there was no other process");
}

void transport_refused(struct face *f, int rc)
{
	(void)f;
	fail_msg("refused: %d", rc);
}

void kicker_kick(struct kicker *k, uint32_t queue)
{
	(void)k;
	(void)queue;
	kicked++;
}

static int setup(void **state)
{
	struct uring_cfg cfg = {.nqueues = 2, .depth = 2, .payload = PAYLOAD, .keep = 1};
	uint32_t i;

	(void)state;
	memset(&face, 0, sizeof(face));
	face.fd = -1;
	assert_int_equal(book_open(-1, &face.book), 0);
	kicked = 0;
	done = false;
	served = NULL;
	fl = calloc(1, sizeof(*fl));
	assert_non_null(fl);
	fl->face = &face;
	assert_int_equal(loop_create(&fl->loop), 0);
	assert_int_equal(uring_create(fl, &cfg, &u), 0);
	fl->uring = mine = u;
	for (i = 0; i < 4; i++)
		ent_add(u, i / 2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	uring_stop(u);
	uring_destroy(u);
	loop_destroy(fl->loop);
	book_close(face.book);
	free(fl);
	return 0;
}

/* The kernel brings a request of op + len bytes behind its header. */
static struct uring_ent *bring(uint32_t ent, uint64_t unique, uint32_t op, uint32_t len)
{
	struct uring_ent *e = u->ent[ent];
	struct fuse_in_header h = {
		.len = (uint32_t)sizeof(h) + op + len, .unique = unique, .opcode = FUSE_WRITE};

	memset(e->rec->head.op_in, 'o', op < URING_OP_MAX ? op : URING_OP_MAX);
	if (len <= PAYLOAD)
		memset(uring_mem_kernel(u->mem, ent), 'p', len);
	memcpy(e->rec->head.in_out, &h, sizeof(h));
	e->rec->head.commit_id = unique;
	e->rec->head.payload_len = len;
	take(e);
	return e;
}

static void reply(uint64_t unique, const void *body, size_t len, bool ours)
{
	struct fuse_out_header h = {.unique = unique, .len = (uint32_t)(sizeof(h) + len)};
	struct iovec iov[2] = {{&h, sizeof(h)}, {(void *)(uintptr_t)body, len}};

	assert_int_equal(uring_reply(iov, 2), ours);
}

static const void *body_of(const struct serve *s)
{
	return s->data + sizeof(struct fuse_in_header);
}

static struct fuse_out_header answer_of(const struct uring_ent *e)
{
	struct fuse_out_header h;

	memcpy(&h, e->rec->head.in_out, sizeof(h));
	return h;
}

static void a_small_request_is_put_together_and_answered(void **state)
{
	const struct uring_ent *e = bring(0, 10, 16, 5);
	const char *body;

	(void)state;
	assert_non_null(served);
	assert_int_equal(served->len, sizeof(struct fuse_in_header) + 21);
	body = body_of(served);
	assert_memory_equal(body, "ooooooooooooooooppppp", 21);
	reply(12, "xyz", 3, false); /* not here: it goes to the device */
	reply(10, "xyz", 3, true);
	assert_null(served->ent);
	assert_int_equal(answer_of(e).unique, 10);
	assert_int_equal(e->rec->head.payload_len, 3);
	assert_memory_equal(uring_mem_kernel(u->mem, 0), "xyz", 3);
	reply(10, "xyz", 3, false); /* once is enough */
	assert_int_equal(u->queue[0].held, 0);
}

static void a_large_one_keeps_its_entry_until_its_handler_is_done(void **state)
{
	const struct uring_ent *e = bring(1, 20, 40, 20000);
	const uint8_t *body = body_of(served);

	(void)state;
	assert_ptr_equal(body + 40, uring_mem_slot(u->mem, 1));
	assert_int_equal(body[39], 'o');
	assert_int_equal(body[20039], 'p');
	reply(20, "ok", 2, true);
	assert_ptr_equal(served->ent, e);
	assert_int_equal(u->queue[0].held, 1);
	uring_serve_end(served);
	assert_null(served->ent);
	assert_int_equal(u->queue[0].held, 0);
	assert_int_equal(u->nplace, 0);
}

static void one_that_nobody_answers_is_answered(void **state)
{
	const struct uring_ent *e = bring(2, 30, 40, 9000);

	(void)state;
	uring_serve_end(served);
	assert_int_equal(answer_of(e).error, -EIO);
	assert_int_equal(u->queue[1].held, 0);
}

static void what_does_not_fit_is_refused(void **state)
{
	const struct uring_ent *e = bring(0, 40, 16, PAYLOAD + 1);
	static const uint8_t large[PAYLOAD + 1];

	(void)state;
	assert_null(served);
	assert_true(done);
	assert_int_equal(answer_of(e).error, -EIO);
	e = bring(0, 42, URING_OP_MAX + 8, 0);
	assert_null(served);
	assert_int_equal(answer_of(e).error, -EIO);
	e = bring(0, 44, 16, 0);
	reply(44, large, sizeof(large), true);
	assert_int_equal(answer_of(e).error, -EIO);
	assert_int_equal(e->rec->head.payload_len, 0);
}

static void a_read_is_answered_from_the_entry_itself(void **state)
{
	const struct uring_ent *e = bring(0, 50, 40, 0);
	uint8_t *mem = uring_reply_mem(served, PAYLOAD);

	(void)state;
	assert_ptr_equal(mem, uring_mem_slot(u->mem, 0));
	assert_null(uring_reply_mem(served, PAYLOAD + 1));
	memset(mem, 'r', PAYLOAD);
	reply(50, mem, PAYLOAD, true);
	assert_int_equal(e->rec->head.payload_len, PAYLOAD);
	assert_int_equal(uring_mem_kernel(u->mem, 0)[PAYLOAD - 1], 'r');
	assert_null(uring_reply_mem(served, 1)); /* it is answered */
}

static void a_killed_ones_bytes_stay_with_its_handler(void **state)
{
	const struct uring_ent *e = bring(1, 60, 40, 20000);
	const uint8_t *body = body_of(served);
	struct serve first = *served;

	(void)state;
	assert_int_equal(uring_abandon(served), 0);
	reply(60, "", 0, true);
	assert_null(served->ent);
	assert_int_equal(u->nplace, 0);
	first = *served;
	bring(1, 62, 0, 100);
	memset(uring_mem_kernel(u->mem, 1), 'n', 20000);
	assert_int_equal(body[40], 'p');
	assert_int_equal(body[20039], 'p');
	uring_serve_end(&first);
	reply(62, "", 0, true);
	assert_int_equal(e->unique, 62);
}

static void entries_are_added_before_there_are_none(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		bring(i, 70 + 2 * i, 40, 0);
		served->ent->serve = NULL; /* there is only one struct serve here */
	}
	assert_int_equal(u->queue[0].held, 2);
	assert_true(u->queue[0].dry);
	ents_grow(u);
	assert_int_equal(u->queue[0].ents, 2 + LOW);
	assert_int_equal(u->queue[1].ents, 2); /* nobody uses it */
	ents_kick(u);
	assert_int_equal(kicked, 1);
	assert_false(u->queue[0].dry);
	ents_kick(u);
	assert_int_equal(kicked, 1);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_small_request_is_put_together_and_answered),
		T(a_large_one_keeps_its_entry_until_its_handler_is_done),
		T(one_that_nobody_answers_is_answered),
		T(what_does_not_fit_is_refused),
		T(a_read_is_answered_from_the_entry_itself),
		T(a_killed_ones_bytes_stay_with_its_handler),
		T(entries_are_added_before_there_are_none),
	};

	log_set_level(LOG_LVL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
