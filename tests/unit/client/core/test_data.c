/* SPDX-License-Identifier: Apache-2.0 */
/* test_data.c - leases on data as far as they need no server: who keeps what, which grants count,
 * who may go in, and what the kernel is told to forget. Grants come as the answers of opens. */
#include "tests/unit/client/core/data_scene.h"

/* ---- the table ---- */

static void one_for_each_inode_as_long_as_it_is_used(void **state)
{
	struct data *d;

	(void)state;
	assert_null(data_find(fs, &A));
	d = data_get(fs, &A);
	assert_true(fid_eq(&d->fid, &A));
	assert_ptr_equal(data_get(fs, &A), d);
	assert_ptr_equal(data_find(fs, &A), d);
	assert_null(data_find(fs, &B));
	assert_int_equal(d->refs, 3);
	data_put(ln, d);
	data_put(ln, d);
	assert_ptr_equal(data_find(fs, &A), d);
	data_put(ln, d);
	data_put(ln, d);
	assert_null(data_find(fs, &A)); /* without a lease nothing is kept */
}

static void a_lease_is_kept_idle_until_the_inode_is_gone(void **state)
{
	struct data *d = granted(&A, 1, SH);

	(void)state;
	data_gone(fs, &A); /* is in use */
	assert_ptr_equal(data_find(fs, &A), d);
	data_put(ln, d);
	assert_int_equal(fs->data.nidle, 0);
	data_put(ln, d);
	assert_true(d->idle);
	assert_int_equal(fs->data.nidle, 1);
	assert_ptr_equal(data_get(fs, &A), d);
	assert_false(d->idle);
	assert_int_equal(fs->data.nidle, 0);
	assert_int_equal(d->mode, SH);
	data_put(ln, d);
	data_gone(fs, &B);
	assert_int_equal(fs->data.nidle, 1);
	data_gone(fs, &A);
	assert_int_equal(fs->data.nidle, 0);
	assert_null(data_find(fs, &A));
}

/* ---- giving up ---- */

static void give_up_body(void)
{
	struct data *a = granted(&A, 1, SH), *b = granted(&B, 7, EX), *idle[4];
	struct mds_recall r;
	bool in_use;

	assert_int_equal(fs->data.nleases, 2);
	assert_null(data_find_unused(fs, &A, &in_use)); /* we use it */
	assert_true(in_use);
	data_put(ln, b);
	data_put(ln, a);
	assert_int_equal(data_idle(fs, idle, 1), 1); /* the longest idle one */
	assert_ptr_equal(idle[0], b);
	b->busy = 1;
	assert_false(data_co_give_up(ln, b, &r));
	assert_int_equal(b->mode, EX);
	b->busy = 0;
	b->filled = true;
	assert_true(data_co_give_up(ln, b, &r));
	assert_int_equal(b->mode, 0);
	assert_int_equal(ntold, 1);
	assert_true(fid_eq(&r.fid, &B) && r.granted == 7 && !r.seq && r.bits == LEASE_DATA);
	assert_false(data_co_give_up(ln, b, &r)); /* nothing is left */
	data_put(ln, b);
	assert_null(data_find(fs, &B));
	assert_ptr_equal(data_find_unused(fs, &A, &in_use), a);
	assert_int_equal(data_idle(fs, idle, 4), 0);
	data_put(ln, a);
	assert_int_equal(fs->data.nleases, 1);
	data_gone(fs, &A);
	assert_int_equal(fs->data.nleases, 0);
}

static void what_nobody_uses_can_be_given_up(void **state)
{
	(void)state;
	run(give_up_body);
}

/* ---- grants ---- */

static void an_open_asks_for_what_it_needs_unless_somebody_asks(void **state)
{
	struct data *d = data_get(fs, &A);

	(void)state;
	assert_int_equal(data_open_begin(d, O_RDONLY), SH);
	assert_int_equal(data_open_begin(d, O_RDWR), 0);
	/* did not ask: nothing happens */
	data_open_end(d, 0, &(struct data_grant){SESSION, 9, EX, 0, false});
	assert_int_equal(d->mode, 0);
	assert_true(d->acquiring);
	data_open_end(d, SH, &(struct data_grant){SESSION, 1, 0, 0, false}); /* failed */
	assert_int_equal(d->mode, 0);
	assert_int_equal(data_open_begin(d, O_WRONLY), EX);
	data_open_end(d, EX, &(struct data_grant){SESSION, 2, EX | SH, 0, false});
	assert_int_equal(d->mode, EX);
	assert_int_equal(d->session, SESSION);
	assert_int_equal(d->seq, 2);
	d->recalling = true;
	assert_int_equal(data_open_begin(d, O_RDONLY), 0);
	d->recalling = false;
	data_set_mode(d, CO);
	assert_int_equal(data_open_begin(d, O_RDONLY), 0); /* less than it has */
	assert_int_equal(data_open_begin(d, O_RDWR), EX);
	data_open_end(d, EX, &(struct data_grant){SESSION, 3, CO, 0, false});
	data_put(ln, d);
}

static void a_grant_that_was_overtaken_does_not_count(void **state)
{
	struct data *d = data_get(fs, &A);

	(void)state;
	d->floor = 5;
	grant(d, SESSION, 5, EX);
	assert_int_equal(d->mode, 0); /* recalled before it came */
	grant(d, SESSION, 7, EX);
	assert_int_equal(d->mode, EX);
	grant(d, SESSION, 6, SH);
	assert_int_equal(d->mode, EX);
	d->size_known = true;
	grant(d, SESSION, 8, SH);
	assert_int_equal(d->mode, SH);
	assert_false(d->size_known);  /* others may write before this is EXCLUSIVE again */
	grant(d, SESSION + 1, 6, EX); /* a new server counts anew */
	assert_int_equal(d->mode, EX);
	assert_int_equal(d->session, SESSION + 1);
	assert_false(data_is_valid(ln, d));
	data_put(ln, d);
}

/* ---- going in ---- */

static void modes_body(void)
{
	struct data *d = granted(&A, 1, CO);

	d->retry_ns = UINT64_MAX;
	assert_int_equal(use(d, DATA_READ), DATA_DIRECT);
	assert_int_equal(use(d, DATA_WRITE), DATA_DIRECT);
	grant(d, SESSION, 2, SH);
	assert_int_equal(use(d, DATA_READ), DATA_DIRECT);
	assert_false(d->filled);
	assert_int_equal(use(d, DATA_FILL), DATA_DIRECT);
	assert_true(d->filled);
	grant(d, SESSION, 3, EX);
	assert_int_equal(use(d, DATA_WRITE), DATA_CACHED);
	assert_int_equal(use(d, DATA_FILL), DATA_CACHED);
	assert_int_equal(d->busy, 0);
	assert_int_equal(fs->data.acquired, 0);
	data_put(ln, d);
}

static void each_lease_lets_in_who_it_is_enough_for(void **state)
{
	(void)state;
	run(modes_body);
}

/* A fiber that goes in, and leaves when it is told. */
struct other {
	struct data *d;
	enum data_need need;
	enum data_how how;
	bool in, out, leave;
};

static void other_fiber(void *arg)
{
	struct other *o = arg;

	o->how = enter(o->d, o->need);
	o->in = true;
	while (!o->leave)
		co_yield ();
	data_leave(o->d, o->how);
	o->out = true;
}

static void start(struct other *o)
{
	assert_int_equal(fiber_spawn(l, other_fiber, o), 0);
	co_yield ();
	co_yield ();
}

static void finish(struct other *o)
{
	o->leave = true;
	while (!o->out)
		co_yield ();
}

static void token_body(void)
{
	struct data *d = data_get(fs, &A);
	uint32_t want = data_open_begin(d, O_RDWR);
	struct other w = {.d = d, .need = DATA_WRITE}, f = {.d = d, .need = DATA_FILL};

	start(&w);
	assert_false(w.in); /* waits for who asks already */
	assert_int_equal(d->waiting[DATA_WRITE], 1);
	data_open_end(d, want, &(struct data_grant){SESSION, 1, EX, 0, false});
	assert_true(d->token);
	assert_int_equal(d->busy, 1);
	d->recalling = true; /* comes right behind */
	while (!w.in)
		co_yield ();
	assert_int_equal(w.how, DATA_CACHED);
	assert_false(d->token);
	assert_int_equal(d->busy, 1);
	start(&f); /* during the recall a page waits for nothing */
	assert_true(f.in);
	assert_int_equal(f.how, DATA_BYPASS);
	assert_true(d->refilled);
	assert_int_equal(d->busy, 1);
	finish(&f);
	finish(&w);
	assert_int_equal(d->busy, 0);
	d->recalling = d->refilled = false;
	data_put(ln, d);
}

static void the_first_that_waits_gets_in_before_a_recall(void **state)
{
	(void)state;
	run(token_body);
}

static void late_writer_body(void)
{
	struct data *d = data_get(fs, &A);
	uint32_t want = data_open_begin(d, O_RDONLY);
	struct other page = {.d = d, .need = DATA_FILL};

	start(&page);
	data_open_end(d, want, &(struct data_grant){SESSION, 1, SH, 0, false});
	assert_true(d->token);
	d->recalling = true;            /* comes right behind, */
	data_co_opening(ln, d, O_RDWR); /* and an open: now SHARED is not enough for a page */
	assert_false(d->token);
	assert_int_equal(d->busy, 0); /* the recall goes on */
	assert_false(page.in);
	d->recalling = false;
	grant(d, SESSION, 2, EX);
	finish(&page);
	data_closed(d, O_RDWR, false);
	data_put(ln, d);
}

static void a_token_that_nobody_can_use_any_more_goes(void **state)
{
	(void)state;
	run(late_writer_body);
}

static void no_token_body(void)
{
	struct data *d = data_get(fs, &A);
	uint32_t want = data_open_begin(d, O_RDONLY);
	struct other w = {.d = d, .need = DATA_WRITE};

	start(&w);
	d->held = 1; /* keeps it from asking itself */
	data_open_end(d, want, &(struct data_grant){SESSION, 1, SH, 0, false});
	assert_false(d->token);
	assert_int_equal(d->busy, 0);
	co_yield ();
	assert_false(w.in);
	grant(d, SESSION, 2, EX);
	assert_false(d->token);
	data_release(d);
	finish(&w);
	assert_true(w.in);
	data_put(ln, d);
}

static void no_token_for_a_lease_that_is_not_enough(void **state)
{
	(void)state;
	run(no_token_body);
}

struct holder {
	struct data *d;
	bool has;
};

static void holder_fiber(void *arg)
{
	struct holder *h = arg;

	data_co_hold(ln, h->d);
	h->has = true;
}

static void hold_body(void)
{
	struct data *d = granted(&A, 1, EX);
	struct other in = {.d = d, .need = DATA_READ}, late = in;
	struct other page = {.d = d, .need = DATA_FILL};
	struct holder h = {.d = d};

	start(&in);
	assert_true(in.in);
	assert_int_equal(fiber_spawn(l, holder_fiber, &h), 0);
	co_yield ();
	assert_false(h.has); /* waits for who is in */
	start(&late);
	assert_false(late.in); /* and lets nobody else in, */
	start(&page);
	assert_true(page.in); /* but a page that who is in may have to wait for */
	finish(&page);
	finish(&in);
	while (!h.has)
		co_yield ();
	assert_false(late.in);
	page = (struct other){.d = d, .need = DATA_FILL};
	start(&page);
	assert_false(page.in); /* not any more */
	d->size_known = true;
	data_release(d);
	assert_false(d->size_known);
	finish(&late);
	finish(&page);
	data_put(ln, d);
}

static void a_hold_waits_for_who_is_in_and_keeps_others_out(void **state)
{
	(void)state;
	run(hold_body);
}

/* ---- open files ---- */

static bool open_(struct data *d, int flags)
{
	data_co_opening(ln, d, flags);
	return data_opened(ln, d, flags);
}

/* A recall that came now would wait: the pages are not gone yet. */
static void still_there(struct data *d)
{
	assert_true(d->recalling);
}

static void opened_body(void)
{
	struct data *d = granted(&A, 1, SH), *b = granted(&B, 1, CO);
	struct other late = {.d = d, .need = DATA_FILL};

	on_told = still_there;
	on_told_data = d;
	assert_false(open_(b, O_RDONLY)); /* CONTENDED */
	data_closed(b, O_RDONLY, false);
	assert_false(open_(d, O_RDONLY | O_DIRECT));
	assert_true(open_(d, O_RDONLY));
	assert_int_equal(d->ncached, 1);
	use(d, DATA_FILL);
	assert_int_equal(ntold, 0);
	data_co_opening(ln, d, O_RDWR);
	assert_int_equal(d->nwriters, 1);
	assert_int_equal(ntold, 1);
	assert_false(d->filled ||
		     d->recalling); /* a mapping could change what is there under SHARED */
	assert_false(data_opened(ln, d, O_RDWR));
	d->acquiring = true; /* a page needs more than SHARED now, whoever reads it */
	start(&late);
	assert_false(late.in);
	d->acquiring = false;
	grant(d, SESSION, 2, EX);
	finish(&late);
	assert_int_equal(late.how, DATA_CACHED);
	assert_false(open_(d, O_RDONLY)); /* there is a writer */
	assert_false(open_(d, O_WRONLY)); /* under EXCLUSIVE, and somebody reads them: they stay */
	assert_int_equal(ntold, 1);
	data_closed(d, O_WRONLY, false);
	data_closed(d, O_RDONLY, true);
	assert_false(open_(d, O_WRONLY));
	assert_int_equal(ntold, 2); /* nobody does any more */
	assert_true(fid_eq(&told[1], &A));
	assert_false(d->filled);
	data_closed(d, O_WRONLY, false);
	data_closed(d, O_RDWR, false);
	assert_int_equal(d->nwriters, 0);
	assert_int_equal(d->ncached, 0);
	leases_lose_all(fs->leases, NULL, NULL);
	leases_term(fs->leases, SESSION, 1, 0); /* is over */
	assert_false(open_(d, O_RDONLY));
	fs->cfg.cache_data = false;
	leases_term(fs->leases, SESSION, UINT64_MAX, 0);
	assert_false(open_(d, O_RDONLY));
	data_put(ln, d);
	data_put(ln, b);
}

static bool second_is_open;

static void second_fiber(void *arg)
{
	struct data *d = arg;

	data_co_opening(ln, d, O_RDWR);
	assert_false(d->forgetting);
	second_is_open = true;
}

static void open_second(struct data *d)
{
	on_told = NULL;
	assert_int_equal(fiber_spawn(l, second_fiber, d), 0);
	co_yield ();
	co_yield ();
	assert_false(second_is_open); /* its mapping could change what is still there */
}

static void second_body(void)
{
	struct data *d = granted(&A, 1, SH);

	second_is_open = false;
	use(d, DATA_FILL);
	on_told = open_second;
	on_told_data = d;
	data_co_opening(ln, d, O_RDWR);
	while (!second_is_open)
		co_yield ();
	assert_int_equal(d->nwriters, 2);
	data_closed(d, O_RDWR, false);
	data_closed(d, O_RDWR, false);
	data_put(ln, d);
}

static void a_second_open_waits_until_pages_are_forgotten(void **state)
{
	(void)state;
	run(second_body);
}

static void the_kernel_caches_what_nobody_here_writes(void **state)
{
	(void)state;
	run(opened_body);
}

/* ---- the limit ---- */

static void limit_body(void)
{
	struct data *a = granted(&A, 1, SH), *b = granted(&B, 1, SH);

	fs->max_cached_mb = 1;
	use(a, DATA_FILL);
	use(b, DATA_FILL);
	data_cached(ln, a, 300 << 10);
	data_cached(ln, b, 600 << 10);
	data_cached(ln, a, 124 << 10); /* exactly the limit; b is now the oldest */
	assert_false(fs->data.trimming);
	data_cached(ln, a, 1);
	assert_true(fs->data.trimming);
	while (ln->background)
		co_yield ();
	assert_int_equal(ntold, 1);
	assert_true(fid_eq(&told[0], &B));
	assert_int_equal(b->cached, 0);
	assert_false(b->filled);
	assert_int_equal(fs->data.cached_bytes, (424 << 10) + 1);
	assert_false(fs->data.trimming);
	assert_int_equal(b->mode, SH); /* only pages go */
	data_put(ln, a);
	data_put(ln, b);
}

static void too_many_pages_are_forgotten_oldest_file_first(void **state)
{
	(void)state;
	run(limit_body);
}

/* ---- forgetting ---- */

static void refill(struct data *d)
{
	on_told = NULL;
	assert_int_equal(use(d, DATA_FILL), DATA_BYPASS);
}

static void refill_body(void)
{
	struct data *d = granted(&A, 1, SH);

	use(d, DATA_FILL);
	on_told = refill;
	on_told_data = d;
	data_co_drop_pages(ln, d);
	assert_int_equal(ntold, 2);
	assert_false(d->filled || d->refilled || d->recalling);
	data_co_drop_pages(ln, d);
	assert_int_equal(ntold, 2); /* there are none */
	data_put(ln, d);
}

static void pages_read_while_they_are_forgotten_are_forgotten_too(void **state)
{
	(void)state;
	run(refill_body);
}

static struct other waits;

/* The kernel waits for that page. */
static void read_first(struct data *d)
{
	(void)d;
	on_told = NULL;
	while (!waits.in)
		co_yield ();
	assert_int_equal(waits.how, DATA_BYPASS);
	finish(&waits);
}

static void waits_body(void)
{
	struct data *d = granted(&A, 1, SH);

	use(d, DATA_FILL);
	data_co_opening(ln, d, O_RDWR);
	d->filled = true; /* say, because of one that was on its way */
	d->acquiring = true;
	waits = (struct other){.d = d, .need = DATA_FILL};
	start(&waits);
	assert_false(waits.in);
	on_told = read_first;
	on_told_data = d;
	data_co_drop_pages(ln, d);
	assert_true(waits.out);
	d->acquiring = false;
	data_closed(d, O_RDWR, false);
	data_put(ln, d);
}

static void a_page_that_waits_for_a_lease_is_read_before_pages_are_forgotten(void **state)
{
	(void)state;
	run(waits_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(one_for_each_inode_as_long_as_it_is_used),
		TEST(a_lease_is_kept_idle_until_the_inode_is_gone),
		TEST(an_open_asks_for_what_it_needs_unless_somebody_asks),
		TEST(what_nobody_uses_can_be_given_up),
		TEST(a_grant_that_was_overtaken_does_not_count),
		TEST(each_lease_lets_in_who_it_is_enough_for),
		TEST(the_first_that_waits_gets_in_before_a_recall),
		TEST(no_token_for_a_lease_that_is_not_enough),
		TEST(a_token_that_nobody_can_use_any_more_goes),
		TEST(a_hold_waits_for_who_is_in_and_keeps_others_out),
		TEST(the_kernel_caches_what_nobody_here_writes),
		TEST(a_second_open_waits_until_pages_are_forgotten),
		TEST(too_many_pages_are_forgotten_oldest_file_first),
		TEST(pages_read_while_they_are_forgotten_are_forgotten_too),
		TEST(a_page_that_waits_for_a_lease_is_read_before_pages_are_forgotten),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
