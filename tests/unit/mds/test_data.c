/* SPDX-License-Identifier: Apache-2.0 */
/* test_data.c - leases on the data of files, over RPC: who gets what, and who has to give back.
 *
 * Clients that join have a term that does not end, so nothing here depends on how fast the machine
 * is. */
#include "tests/unit/mds/mds_request_test.h"

#define SH   LEASE_SHARED
#define EX   LEASE_EXCLUSIVE
#define CO   LEASE_CONTENDED
#define CALM (2 * (uint64_t)NSEC_PER_SEC)

static struct client *client_of(struct st *s, int c)
{
	return st_session(s, c)->priv;
}

static void term(struct st *s, int c)
{
	lease_renew(&client_of(s, c)->leases, loop_now(s->loop) + 3600 * NSEC_PER_SEC);
}

static void join(struct st *s, int c)
{
	st_connect(s, c);
	term(s, c);
}

static void join_both(struct st *s)
{
	join(s, 0);
	join(s, 1);
}

static int data_rc(struct st *s, int c, struct mds_data_req q, uint32_t *lease)
{
	struct mds_data_rep p = {0};
	RPC_CALL(call);
	int rc = mds_co_data(s->client[c].imp, &call, &q, &p);

	*lease = p.lease;
	return rc;
}

static uint32_t data(struct st *s, int c, struct fid fid, uint32_t want)
{
	uint32_t lease;

	assert_int_equal(data_rc(s, c, (struct mds_data_req){.fid = fid, .want = want}, &lease), 0);
	return lease;
}

/* For pages of the kernel. */
static uint32_t exactly(struct st *s, int c, struct fid fid, uint32_t want)
{
	struct mds_data_req q = {.fid = fid, .want = want, .exact = 1};
	uint32_t lease;

	assert_int_equal(data_rc(s, c, q, &lease), 0);
	return lease;
}

/* What the MDS thinks that c has. */
static uint32_t has(struct st *s, int c, struct fid fid)
{
	return lease_data(s->mds->leases, &client_of(s, c)->leases, &fid);
}

/* ---- recalls ---- */

/* The data that is recalled from c; waits for it. */
static struct mds_recall recalled(struct st *s, int c)
{
	const struct lease *at;
	struct mds_recall r = {0};

	st_until(s, (at = NULL,
		     lease_next(&client_of(s, c)->leases, 0, &at, &r.fid, &r.bits, &r.seq)));
	return r;
}

static void give_back(struct st *s, int c, struct mds_recall r)
{
	struct mds_give_back_req q;
	struct mds_give_back_rep p;
	struct wbuf w;
	RPC_CALL(call);

	if (!r.seq)
		r.granted = UINT64_MAX; /* it has heard all answers */
	wbuf_init(&w, MAX_BODY);
	enc_mds_recall(&w, &r);
	q.leases = wbuf_span(&w);
	assert_int_equal(mds_co_give_back(s->client[c].imp, &call, &q, &p), 0);
	wbuf_fini(&w);
}

/* These tests are about data: what else comes with it is given up at once, so that nobody waits for
 * it. */
static void keep_data_only(struct st *s, int c, struct fid fid)
{
	give_back(s, c, (struct mds_recall){.fid = fid, .bits = LEASE_LOOKUP | LEASE_UPDATE});
}

static struct st_open create_writer(struct st *s, int c, const char *name)
{
	struct st_open o = st_create(s, c, name, OPEN_WRITE);

	keep_data_only(s, c, o.fid);
	return o;
}

static struct st_open open_writer(struct st *s, int c, struct fid fid)
{
	struct st_open o = st_open(s, c, fid, OPEN_WRITE);

	keep_data_only(s, c, fid);
	return o;
}

static void close_file(struct st *s, int c, const struct st_open *o, uint32_t flags, uint64_t size)
{
	st_close(s, c, o, flags, size);
	keep_data_only(s, c, o->fid);
}

/* A request of client c that may have to wait for another one. */
struct pending {
	struct st *s;
	int c, rc;
	struct mds_data_req q;
	bool truncates, done;
	uint32_t lease;
};

static void pending_fiber(void *arg)
{
	struct pending *p = arg;

	if (p->truncates)
		p->rc = st_truncate(p->s, p->c, p->q.fid, 3);
	else
		p->rc = data_rc(p->s, p->c, p->q, &p->lease);
	p->done = true;
}

static void begin(struct pending *p)
{
	assert_int_equal(fiber_spawn(p->s->loop, pending_fiber, p), 0);
}

static void end(struct pending *p)
{
	st_until(p->s, p->done);
	assert_int_equal(p->rc, 0);
}

/* Client c gets `lease` of what it wants, as soon as the other one has given back what is recalled:
 * `other`. */
static void passes(struct st *s, int c, struct mds_data_req q, uint32_t other, uint32_t lease)
{
	struct pending p = {.s = s, .c = c, .q = q};
	struct mds_recall r;

	begin(&p);
	r = recalled(s, !c);
	assert_int_equal(r.bits, other);
	assert_false(p.done);
	give_back(s, !c, r);
	end(&p);
	assert_int_equal(p.lease, lease);
}

/* ---- tests ---- */

static void body_alone(struct st *s)
{
	struct st_open o;
	uint32_t lease;

	st_connect(s, 0);
	o = create_writer(s, 0, "f");
	assert_int_equal(data(s, 0, o.fid, EX), 0); /* no term yet */
	term(s, 0);
	assert_int_equal(data(s, 0, o.fid, SH), SH);
	assert_int_equal(data(s, 0, o.fid, EX), EX);
	assert_int_equal(data(s, 0, o.fid, SH), EX); /* enough */
	assert_int_equal(data_rc(s, 0, (struct mds_data_req){o.fid, CO, 0}, &lease), -EINVAL);
	assert_int_equal(data_rc(s, 0, (struct mds_data_req){o.fid, SH | EX, 0}, &lease), -EINVAL);
	close_file(s, 0, &o, CLOSE_WROTE, 0);
}

static void who_is_alone_gets_what_he_wants(void **state)
{
	(void)state;
	st_run(body_alone);
}

static uint32_t open_data(struct st *s, int c, struct st_open *o, uint32_t flags, uint32_t want)
{
	struct mds_open_req q = {
		.fid = o->fid, .open_flags = flags, .open_id = ++s->next_open, .data = want};
	struct mds_open_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_open(s->client[c].imp, &call, &q, &p), 0);
	*o = (struct st_open){o->fid, q.open_id, p.open_seq, p.sole, p.attr};
	return p.lease;
}

static void body_open(struct st *s)
{
	struct mds_open_req bad = {.open_flags = OPEN_READ, .open_id = 99, .data = CO};
	struct st_open a, b;
	struct mds_open_rep p;
	RPC_CALL(call);

	join_both(s);
	a = st_create(s, 0, "f", 0);
	b = a;
	bad.fid = a.fid;
	assert_int_equal(mds_co_open(s->client[0].imp, &call, &bad, &p), -EINVAL);
	assert_int_equal(open_table_count(s->mds->opens), 0);
	assert_int_equal(open_data(s, 0, &a, OPEN_READ, SH), SH);
	assert_int_equal(open_data(s, 1, &b, OPEN_READ, SH), SH);
	close_file(s, 0, &a, 0, 0);
	close_file(s, 1, &b, 0, 0);
	give_back(s, 1, (struct mds_recall){.fid = a.fid, .bits = SH}); /* by itself */
	assert_int_equal(has(s, 1, a.fid), 0);
	assert_int_equal(open_data(s, 0, &a, OPEN_WRITE, EX), EX | LEASE_UPDATE); /* alone */
	assert_int_equal(has(s, 0, a.fid), EX);
	close_file(s, 0, &a, 0, 0);
}

static void an_open_may_ask_for_data_at_once(void **state)
{
	(void)state;
	st_run(body_open);
}

static void body_exact(struct st *s)
{
	struct st_open a, b;
	struct mds_data_req pages = {.want = SH, .exact = 1};

	join_both(s);
	a = create_writer(s, 0, "f");
	b = st_open(s, 1, a.fid, OPEN_READ);
	assert_int_equal(data(s, 1, a.fid, SH), CO);    /* beside a writer a reader keeps nothing */
	assert_int_equal(exactly(s, 1, a.fid, SH), SH); /* but pages are only to be had so */
	pages.fid = a.fid;
	assert_int_equal(exactly(s, 1, a.fid, EX), EX);
	passes(s, 0, pages, EX, SH);
	node_find(s->mds->opens, &a.fid)->contended_until_ns = UINT64_MAX;
	assert_int_equal(exactly(s, 1, a.fid, SH), SH);
	assert_int_equal(has(s, 0, a.fid), SH);
	close_file(s, 0, &a, CLOSE_WROTE, 0);
	close_file(s, 1, &b, 0, 0);
}

static void pages_are_only_had_under_a_lease_that_allows_them(void **state)
{
	(void)state;
	st_run(body_exact);
}

/* Both want to write: that is contention, for so long. */
static void clash(struct st *s, int c, struct fid fid, uint64_t calm_ns)
{
	struct node *n = node_find(s->mds->opens, &fid);
	uint64_t before = loop_now(s->loop);

	passes(s, c, (struct mds_data_req){.fid = fid, .want = EX}, EX, CO);
	assert_in_range(n->contended_until_ns, before + calm_ns, loop_now(s->loop) + calm_ns);
	assert_int_equal(data(s, !c, fid, EX), CO); /* no recall: they go with each other */
	assert_int_equal(data(s, !c, fid, SH), CO);
	assert_int_equal(has(s, c, fid), CO);
}

static void body_contended(struct st *s)
{
	static const uint32_t times[] = {1, 2, 4, 8, 16, 16};
	struct mds_data_req q = {.want = EX};
	struct st_open a, b;
	struct node *n;
	uint32_t i;

	join_both(s);
	a = create_writer(s, 0, "f");
	b = open_writer(s, 1, a.fid);
	q.fid = a.fid;
	assert_int_equal(data(s, 0, a.fid, EX), EX); /* the first one */
	n = node_find(s->mds->opens, &a.fid);
	for (i = 0; i < ARRAY_SIZE(times); i++) {
		clash(s, 1, a.fid, times[i] * CALM);
		n->contended_until_ns = loop_now(s->loop); /* that time is over */
		passes(s, 0, q, CO, EX);
	}
	close_file(s, 1, &b, 0, 0);
	assert_int_equal(data(s, 0, a.fid, EX), EX);
	close_file(s, 0, &a, CLOSE_WROTE, 0);
}

static void two_in_each_others_way_are_contended_for_longer_and_longer(void **state)
{
	(void)state;
	st_run(body_contended);
}

static void body_upgrade(struct st *s)
{
	struct mds_data_req q = {.want = EX};
	struct st_open a, b, w;

	join_both(s);
	a = st_create(s, 0, "f", OPEN_READ);
	b = st_open(s, 1, a.fid, OPEN_READ);
	assert_int_equal(data(s, 0, a.fid, SH), SH);
	assert_int_equal(data(s, 1, a.fid, SH), SH);
	w = open_writer(s, 0, a.fid);
	assert_int_equal(has(s, 1, a.fid), SH); /* to open is not to write */
	q.fid = a.fid;
	passes(s, 0, q, SH, EX);
	q.want = SH;
	passes(s, 1, q, EX, CO);
	close_file(s, 0, &w, 0, 0);
	close_file(s, 0, &a, 0, 0);
	close_file(s, 1, &b, 0, 0);
}

static void a_reader_that_writes_takes_the_file_from_other_readers(void **state)
{
	(void)state;
	st_run(body_upgrade);
}

static void body_dead(struct st *s)
{
	struct st_open a, b;

	join_both(s);
	a = create_writer(s, 0, "f");
	st_write(s, a.fid, 0, 10);
	assert_int_equal(data(s, 0, a.fid, EX), EX);
	st_evict(s, 0);
	b = st_open(s, 1, a.fid, OPEN_READ);
	assert_int_equal(s->fences, 1);
	assert_int_equal(st_object(s, &a.fid, 0)->trunc_gen, b.attr.trunc_gen);
	assert_true(b.attr.trunc_gen > a.attr.trunc_gen);
	assert_int_equal(data(s, 1, a.fid, SH), SH);
	assert_int_equal(s->fences, 1);
	close_file(s, 1, &b, 0, 0);
}

static void what_a_dead_client_had_is_fenced_once(void **state)
{
	(void)state;
	st_run(body_dead);
}

static void let_go(void *arg)
{
	struct st *s = arg;

	for (int i = 0; i < 5000 && s->hold_fences; i++)
		co_sleep(NSEC_PER_MSEC);
	s->hold_fences = false;
}

/* The end of the MDS does not wait for an OST that does not answer. */
static void body_fence_at_end(struct st *s)
{
	struct st_open a;

	join_both(s);
	a = st_create(s, 0, "f", OPEN_WRITE);
	st_write(s, a.fid, 0, 10);
	assert_int_equal(data(s, 0, a.fid, EX), EX);
	s->hold_fences = true;
	st_evict(s, 0);
	st_until(s, s->fences == 1);
	assert_int_equal(fiber_spawn(s->loop, let_go, s), 0);
	st_stop_mds(s);
	assert_true(s->hold_fences);
	s->hold_fences = false;
	st_start_mds(s);
	st_until(s, st_sure(s, a.fid)); /* the next life does it */
	assert_int_equal(st_getattr(s, a.fid).size, 10);
}

static void an_end_does_not_wait_for_a_fence(void **state)
{
	(void)state;
	st_run(body_fence_at_end);
}

static void body_silent(struct st *s)
{
	struct st_open a, b;

	join_both(s);
	a = create_writer(s, 0, "f");
	b = open_writer(s, 1, a.fid);
	assert_int_equal(data(s, 0, a.fid, EX), EX);
	client_of(s, 0)->leases.until_ns = loop_now(s->loop); /* its term is over */
	assert_int_equal(data(s, 1, a.fid, EX), EX);
	assert_int_equal(s->fences, 1);
	assert_int_equal(recalled(s, 0).bits, EX); /* the first thing that it hears */
	assert_int_equal(has(s, 0, a.fid), 0);
	assert_int_equal(data(s, 1, a.fid, EX), EX);
	assert_int_equal(s->fences, 1);
	close_file(s, 1, &b, 0, 0);
	close_file(s, 0, &a, 0, 0);
}

static void what_a_silent_client_had_is_fenced_once(void **state)
{
	(void)state;
	st_run(body_silent);
}

static void body_goodbye(struct st *s)
{
	struct st_open a, b;

	join_both(s);
	a = create_writer(s, 0, "f");
	assert_int_equal(data(s, 0, a.fid, EX), EX);
	st_disconnect(s, 0);
	b = open_writer(s, 1, a.fid);
	assert_int_equal(data(s, 1, a.fid, EX), EX);
	assert_int_equal(s->fences, 0);
	close_file(s, 1, &b, 0, 0);
}

static void who_says_goodbye_is_not_fenced(void **state)
{
	(void)state;
	st_run(body_goodbye);
}

static struct fid cut_fid;
static struct pending cut_asks[2];
static struct mds_getattr_rep cut_attr;
static bool cut_seen, cut_told;

static void ask_number(void *arg)
{
	struct st *s = arg;
	struct mds_getattr_req q = {.fid = cut_fid, .under_lease = 1};
	RPC_CALL(call);

	assert_int_equal(mds_co_getattr(s->client[0].imp, &call, &q, &cut_attr), 0);
	cut_told = true;
}

/* While the objects are cut nobody may keep what is behind the new end, and nobody hears of the
 * number by which he could write. */
static void ask_meanwhile(struct st *s)
{
	static const uint32_t want[] = {SH, EX};

	s->ost_punch_hook = NULL;
	for (int i = 0; i < 2; i++) {
		cut_asks[i] = (struct pending){.s = s, .c = 0,
					       .q = {.fid = cut_fid, .want = want[i]}};
		begin(&cut_asks[i]);
	}
	assert_int_equal(fiber_spawn(s->loop, ask_number, s), 0);
	co_sleep(20 * NSEC_PER_MSEC);
	assert_false(cut_asks[0].done || cut_asks[1].done || cut_told);
	cut_seen = true;
}

static void body_truncate(struct st *s)
{
	struct pending p = {.s = s, .c = 1, .truncates = true};
	struct mds_recall r;
	struct st_open a;

	join_both(s);
	a = create_writer(s, 0, "f");
	p.q.fid = cut_fid = a.fid;
	cut_seen = cut_told = false;
	st_write(s, a.fid, 0, 100);
	assert_int_equal(data(s, 0, a.fid, EX), EX);
	begin(&p);
	r = recalled(s, 0);
	assert_int_equal(r.bits, EX);
	assert_int_equal(s->punches, 0); /* not before the writer's bytes are there */
	s->ost_punch_hook = ask_meanwhile;
	give_back(s, 0, r);
	end(&p);
	assert_true(cut_seen);
	end(&cut_asks[0]);
	end(&cut_asks[1]);
	st_until(s, cut_told);
	assert_int_equal(cut_attr.attr.trunc_gen, a.attr.trunc_gen + 1);
	give_back(s, 0, (struct mds_recall){.fid = a.fid, .bits = LEASE_DATA | LEASE_UPDATE});
	keep_data_only(s, 0, a.fid);
	assert_int_equal(s->punches, 1);
	assert_false(s->punch_fenced); /* nobody is left who could write */
	assert_int_equal(st_object(s, &a.fid, 0)->size, 3);
	node_find(s->mds->opens, &a.fid)->contended_until_ns = UINT64_MAX;
	open_writer(s, 1, a.fid);
	assert_int_equal(data(s, 0, a.fid, EX), CO);
	assert_int_equal(st_truncate(s, 1, a.fid, 1), 0); /* what is late is refused anyway, */
	assert_true(s->punch_fenced);			  /* by objects that are not there, too */
	assert_int_equal(has(s, 0, a.fid), CO);
	close_file(s, 0, &a, 0, 0);
}

static void a_truncation_takes_back_what_is_kept_and_lets_nobody_in(void **state)
{
	(void)state;
	st_run(body_truncate);
}

static void body_unlink(struct st *s)
{
	struct attr attr;
	struct st_open a;

	st_connect(s, 1);
	a = st_create(s, 1, "f", 0); /* nobody has a lease on its name */
	term(s, 1);
	join(s, 0);
	a = open_writer(s, 0, a.fid);
	assert_int_equal(data(s, 0, a.fid, EX), EX);
	assert_int_equal(st_unlink(s, 1, "f"), 0);
	assert_int_equal(has(s, 0, a.fid), EX); /* the file is still there, for who has it open */
	close_file(s, 0, &a, CLOSE_WROTE, 0);
	st_until(s, st_getattr_rc(s, a.fid, &attr) == -ENOENT);
	give_back(s, 0, (struct mds_recall){.fid = a.fid, .bits = EX});
	assert_int_equal(client_of(s, 0)->leases.nheld, 0);
	assert_int_equal(s->fences, 0);
}

static void a_removed_file_leaves_its_data_to_who_has_it_open(void **state)
{
	(void)state;
	st_run(body_unlink);
}

static void body_unlink_own(struct st *s)
{
	struct st_open a;

	join(s, 0);
	a = create_writer(s, 0, "f");
	assert_int_equal(data(s, 0, a.fid, EX), EX);
	assert_int_equal(st_unlink(s, 0, "f"), 0);
	assert_int_equal(has(s, 0, a.fid), EX);
	close_file(s, 0, &a, CLOSE_WROTE, 0);
	a = create_writer(s, 0, "g");
	assert_int_equal(data(s, 0, a.fid, EX), EX);
	close_file(s, 0, &a, CLOSE_WROTE, 0);
	assert_int_equal(st_unlink(s, 0, "g"), 0);
	assert_int_equal(has(s, 0, a.fid), 0); /* with the file its leases are gone */
}

static void who_removes_a_file_himself_keeps_its_data_while_he_has_it_open(void **state)
{
	(void)state;
	st_run(body_unlink_own);
}

static void body_closed(struct st *s)
{
	struct mds_data_req q = {.want = EX};
	struct st_open a, b;

	join_both(s);
	a = create_writer(s, 0, "f");
	assert_int_equal(data(s, 0, a.fid, EX), EX);
	close_file(s, 0, &a, CLOSE_WROTE, 0);
	assert_int_equal(has(s, 0, a.fid), EX);
	q.fid = a.fid;
	passes(s, 1, q, EX, EX); /* nobody has it open: no contention */
	b = open_writer(s, 1, a.fid);
	assert_int_equal(data(s, 1, a.fid, EX), EX);
	close_file(s, 1, &b, 0, 0);
}

static void a_lease_outlives_the_close_and_is_recalled_for_the_next_one(void **state)
{
	(void)state;
	st_run(body_closed);
}

static void body_told(struct st *s)
{
	struct st_open a, b, r;
	struct mds_close_rep p;

	join(s, 0);
	a = st_create(s, 0, "f", OPEN_WRITE);
	b = st_open(s, 0, a.fid, OPEN_WRITE);
	st_write(s, a.fid, 0, 700);
	p = st_close(s, 0, &b, CLOSE_WROTE, 700);
	assert_int_equal(p.lease, 0); /* it is still being written */
	a.seq = b.seq;
	p = st_close(s, 0, &a, CLOSE_WROTE, 700);
	assert_int_equal(p.lease, 0); /* the size must be measured */
	st_until(s, st_sure(s, a.fid));
	a = st_open(s, 0, a.fid, OPEN_WRITE);
	p = st_close(s, 0, &a, CLOSE_WROTE, 800);
	assert_int_equal(p.lease, LEASE_UPDATE);
	assert_int_equal(p.attr.size, 800);
	assert_false(p.attr.flags & ATTR_SIZE_UNSURE);
	r = st_open(s, 0, a.fid, OPEN_READ);
	p = st_close(s, 0, &r, 0, 0);
	assert_int_equal(p.lease, 0); /* it changed nothing */
}

static void the_last_writer_may_keep_what_its_close_made(void **state)
{
	(void)state;
	st_run(body_told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_writer_may_keep_what_its_close_made),
		cmocka_unit_test(who_is_alone_gets_what_he_wants),
		cmocka_unit_test(an_open_may_ask_for_data_at_once),
		cmocka_unit_test(pages_are_only_had_under_a_lease_that_allows_them),
		cmocka_unit_test(two_in_each_others_way_are_contended_for_longer_and_longer),
		cmocka_unit_test(a_reader_that_writes_takes_the_file_from_other_readers),
		cmocka_unit_test(a_lease_outlives_the_close_and_is_recalled_for_the_next_one),
		cmocka_unit_test(what_a_dead_client_had_is_fenced_once),
		cmocka_unit_test(an_end_does_not_wait_for_a_fence),
		cmocka_unit_test(what_a_silent_client_had_is_fenced_once),
		cmocka_unit_test(who_says_goodbye_is_not_fenced),
		cmocka_unit_test(a_truncation_takes_back_what_is_kept_and_lets_nobody_in),
		cmocka_unit_test(a_removed_file_leaves_its_data_to_who_has_it_open),
		cmocka_unit_test(who_removes_a_file_himself_keeps_its_data_while_he_has_it_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
