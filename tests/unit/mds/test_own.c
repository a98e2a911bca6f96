/* SPDX-License-Identifier: Apache-2.0 */
/* test_own.c - directories that one client has for its own, over RPC: what it is told, what it may
 * do then, and that others look only when it has given them back. */
#include "mds/own.h"
#include "tests/unit/mds/mds_request_test.h"

enum { OWN = LEASE_UPDATE | LEASE_OWN, FILES = 8 };

/* One round of the recall channel of client c; the number of recalls, the last of them. */
static uint32_t ask(struct st *s, int c, uint64_t *heard, struct mds_recall *last)
{
	struct mds_recalls_req q = {.returned = *heard, .heard = *heard};
	struct mds_recalls_rep p;
	struct rbuf b;
	uint32_t n = 0;
	RPC_CALL(call);

	assert_int_equal(mds_co_recalls(s->client[c].imp, &call, &q, &p), 0);
	for (b = rbuf_of(p.recalls); b.len; n++) {
		assert_int_equal(dec_mds_recall(&b, last), 0);
		*heard = last->seq;
	}
	return n;
}

struct own {
	uint32_t lease, n;
	struct fid file[FILES];
	uint64_t next;
	int64_t now, ctime;
};

static struct own own_dir(struct st *s, int c, struct fid dir, uint64_t cookie, uint32_t max,
			  bool again)
{
	struct mds_own_req q = {dir, cookie, max, again};
	struct mds_own_rep p;
	struct own o = {0};
	struct mds_fid f;
	struct rbuf b;
	RPC_CALL(call);

	assert_int_equal(mds_co_own(s->client[c].imp, &call, &q, &p), 0);
	o = (struct own){.lease = p.lease, .next = p.next, .now = p.now, .ctime = p.attr.ctime};
	for (b = rbuf_of(p.files); b.len; o.file[o.n++] = f.fid) {
		assert_int_equal(dec_mds_fid(&b, &f), 0);
		assert_true(o.n < FILES);
	}
	return o;
}

static struct own own(struct st *s, int c, uint64_t cookie, uint32_t max, bool again)
{
	return own_dir(s, c, ROOT, cookie, max, again);
}

static int unlink_ahead(struct st *s, int c, const char *name, struct fid child, int64_t when)
{
	struct mds_unlink_req q = {
		.parent = ROOT, .name = SPAN_STR(name), .child = child, .when = when};
	struct mds_unlink_rep p;
	RPC_CALL(call);

	return mds_co_unlink(s->client[c].imp, &call, &q, &p);
}

/* Client 0 has a term, and made files a, b, c. */
static void begin(struct st *s, struct fid file[3], uint64_t *heard)
{
	const char *const name[] = {"a", "b", "c"};
	struct mds_recall r;
	int i;

	st_connect(s, 0);
	st_connect(s, 1);
	*heard = 0;
	ask(s, 0, heard, &r);
	for (i = 0; i < 3; i++)
		file[i] = st_create(s, 0, name[i], 0).fid;
}

struct look {
	struct st *s;
	struct fid fid;
	const char *name; /* or NULL: attributes of fid */
	int rc;
	struct attr attr;
	bool done;
};

static void look_fiber(void *arg)
{
	struct look *l = arg;
	struct mds_lookup_req lq = {.parent = ROOT, .name = SPAN_STR(l->name ? l->name : "x")};
	struct mds_getattr_req gq = {.fid = l->fid};
	struct mds_lookup_rep lp;
	struct mds_getattr_rep gp;
	RPC_CALL(call);

	if (l->name) {
		l->rc = mds_co_lookup(l->s->client[1].imp, &call, &lq, &lp);
	} else {
		l->rc = mds_co_getattr(l->s->client[1].imp, &call, &gq, &gp);
		l->attr = gp.attr;
	}
	l->done = true;
}

/* Client 1 looks. */
static void look(struct st *s, struct look *l, const char *name, struct fid fid)
{
	*l = (struct look){.s = s, .name = name, .fid = fid};
	assert_int_equal(fiber_spawn(s->loop, look_fiber, l), 0);
	co_sleep(20 * NSEC_PER_MSEC);
}

static void give_back(struct st *s, const struct mds_recall *r)
{
	struct mds_give_back_req q;
	struct mds_give_back_rep p;
	uint8_t mem[64];
	struct wbuf w;
	RPC_CALL(call);

	wbuf_init_fixed(&w, mem, sizeof(mem));
	enc_mds_recall(&w, r);
	q.leases = wbuf_span(&w);
	assert_int_equal(mds_co_give_back(s->client[0].imp, &call, &q, &p), 0);
}

static void body_told(struct st *s)
{
	struct fid file[3];
	uint64_t heard;
	struct own o;

	begin(s, file, &heard);
	o = own(s, 0, 0, 100, false);
	assert_int_equal(o.lease, OWN);
	assert_int_equal(o.n, 3);
	assert_int_equal(o.next, 0);
	assert_true(o.now >= o.ctime);
	o = own(s, 0, 0, 2, false);
	assert_int_equal(o.n, 2);
	assert_true(fid_eq(&o.file[1], &file[1]));
	o = own(s, 0, o.next, 2, false);
	assert_int_equal(o.n, 1);
	assert_true(fid_eq(&o.file[0], &file[2]));
	assert_int_equal(own(s, 1, 0, 100, false).lease, 0); /* no term, and not alone */
}

static void the_owner_is_told_of_all_files(void **state)
{
	(void)state;
	st_run(body_told);
}

static void body_not_alone(struct st *s)
{
	struct mds_link_req q = {.parent = ROOT, .name = SPAN_STR("b2")};
	struct mds_link_rep p;
	struct mds_recall r;
	struct st_open open;
	struct fid file[3];
	uint64_t heard, other = 0;
	struct own o;
	struct look l;
	RPC_CALL(call);

	begin(s, file, &heard);
	q.fid = file[1];
	assert_int_equal(mds_co_link(s->client[0].imp, &call, &q, &p), 0);
	open = st_open(s, 1, file[0], OPEN_READ);
	assert_int_equal(own(s, 0, 0, 100, false).n, 1); /* c */
	st_close(s, 1, &open, 0, 0);
	ask(s, 1, &other, &r);
	look(s, &l, "c", file[2]);
	ask(s, 0, &heard, &r);
	give_back(s, &r);
	st_until(s, l.done); /* client 1 has leases of c now, and none of the directory */
	o = own(s, 0, 0, 100, false);
	assert_int_equal(o.lease, OWN);
	assert_int_equal(o.n, 1); /* a */
	assert_true(fid_eq(&o.file[0], &file[0]));
}

static void files_with_two_names_or_known_elsewhere_are_not_alone(void **state)
{
	(void)state;
	st_run(body_not_alone);
}

static void body_ahead(struct st *s)
{
	struct fid file[3];
	uint64_t heard;
	struct own o;

	begin(s, file, &heard);
	assert_int_equal(unlink_ahead(s, 0, "a", file[0], 0), -ESTALE);
	o = own(s, 0, 0, 100, false);
	assert_int_equal(unlink_ahead(s, 0, "a", file[1], 0), -ESTALE); /* not what is told */
	assert_int_equal(unlink_ahead(s, 0, "a", file[0], o.now + 2000), 0);
	assert_int_equal(unlink_ahead(s, 0, "b", file[1], o.now + 1000), 0); /* overtaken */
	assert_int_equal(st_getattr(s, ROOT).mtime, o.now + 2000);
	assert_int_equal(st_getattr(s, ROOT).ctime, o.now + 2000);
	/* A time that cannot be is not taken. */
	assert_int_equal(unlink_ahead(s, 0, "c", file[2], o.now + 1000 * NSEC_PER_SEC), 0);
	assert_true(st_getattr(s, ROOT).mtime < o.now + 100 * NSEC_PER_SEC);
	assert_int_equal(unlink_ahead(s, 1, "d", file[2], 0), -ESTALE); /* not its own */
}

static void under_the_lease_and_only_so_files_are_removed_as_told(void **state)
{
	(void)state;
	st_run(body_ahead);
}

/* Client 1 looks at something, and must not see it before client 0 gives the directory back. */
static void looks_late(struct st *s, const char *name, struct fid fid, uint64_t *heard,
		       const struct fid *a, struct look *l)
{
	struct mds_recall r;

	look(s, l, name, fid);
	assert_false(l->done);
	assert_int_equal(ask(s, 0, heard, &r), 1);
	assert_int_equal(r.bits, LEASE_OWN);
	assert_int_equal(ask(s, 0, heard, &r), 0); /* to have heard of it is not enough */
	co_sleep(20 * NSEC_PER_MSEC);
	assert_false(l->done);
	assert_int_equal(own(s, 0, 0, 1, false).lease, 0);
	assert_int_equal(unlink_ahead(s, 0, "a", *a, 0), 0); /* was on its way */
	give_back(s, &r);
	st_until(s, l->done);
}

static void body_look_name(struct st *s)
{
	struct fid file[3];
	uint64_t heard;
	struct look l;

	begin(s, file, &heard);
	assert_int_equal(own(s, 0, 0, 100, false).lease, OWN);
	looks_late(s, "a", ROOT, &heard, &file[0], &l);
	assert_int_equal(l.rc, -ENOENT);
}

static void body_look_file(struct st *s)
{
	struct fid file[3];
	uint64_t heard;
	struct look l;

	begin(s, file, &heard);
	assert_int_equal(own(s, 0, 0, 100, false).lease, OWN);
	looks_late(s, NULL, file[0], &heard, &file[0], &l);
	assert_int_equal(l.rc, -ENOENT);
}

static void body_look_dir(struct st *s)
{
	struct fid file[3];
	uint64_t heard;
	struct look l;
	struct own o;

	begin(s, file, &heard);
	o = own(s, 0, 0, 100, false);
	looks_late(s, NULL, ROOT, &heard, &file[0], &l);
	assert_int_equal(l.rc, 0);
	assert_true(l.attr.ctime >= o.ctime);
}

/* What client c is told of "d" when it lists the root. */
static struct mds_dirent_plus listed(struct st *s, int c)
{
	struct mds_readdir_req q = {.fid = ROOT, .max_bytes = 65536, .flags = READDIR_PLUS};
	struct mds_dirent_plus d = {0};
	struct mds_readdir_rep p;
	struct rbuf b;
	RPC_CALL(call);

	assert_int_equal(mds_co_readdir(s->client[c].imp, &call, &q, &p), 0);
	for (b = rbuf_of(p.entries); b.len;) {
		assert_int_equal(dec_mds_dirent_plus(&b, &d), 0);
		if (span_eq(d.name, SPAN_STR("d")))
			return d;
	}
	fail();
	return d;
}

/* A listing of the directory above does not wait: it says that it does not know. */
static void body_list(struct st *s)
{
	struct mds_create_req q = {
		.parent = ROOT, .name = SPAN_STR("d"), .fid = st_fid(s), .mode = S_IFDIR | 0755};
	struct mds_create_rep p;
	struct mds_dirent_plus d;
	struct mds_recall r;
	struct fid file[3];
	uint64_t heard, other = 0;
	RPC_CALL(call);

	begin(s, file, &heard);
	ask(s, 1, &other, &r);
	assert_int_equal(mds_co_create(s->client[0].imp, &call, &q, &p), 0);
	assert_int_equal(own_dir(s, 0, p.fid, 0, 100, false).lease, OWN);
	d = listed(s, 1);
	assert_true(d.attr.flags & ATTR_SIZE_UNSURE);
	assert_int_equal(d.lease, 0);
	assert_false(listed(s, 0).attr.flags & ATTR_SIZE_UNSURE); /* its owner knows */
	assert_int_equal(ask(s, 0, &heard, &r), 0);
}

static void others_look_when_it_is_given_back(void **state)
{
	(void)state;
	st_run(body_look_name);
	st_run(body_look_file);
	st_run(body_look_dir);
	st_run(body_list);
}

static void body_silent(struct st *s)
{
	struct fid file[3];
	uint64_t heard;
	struct look l;

	begin(s, file, &heard);
	assert_int_equal(own(s, 0, 0, 100, false).lease, OWN);
	look(s, &l, "a", ROOT);
	assert_false(l.done);
	st_until(s, l.done);
	assert_int_equal(l.rc, 0);
	assert_int_equal(unlink_ahead(s, 0, "a", file[0], 0), -ESTALE); /* too late */
}

static void one_that_is_silent_too_long_is_refused(void **state)
{
	(void)state;
	st_run(body_silent);
}

static void body_restart(struct st *s)
{
	struct mds_reclaimed_req q = {.lane = 0, .lanes = 1};
	struct mds_reclaimed_rep p;
	struct mds_recall r;
	struct fid file[3];
	uint64_t heard;
	struct look l;
	RPC_CALL(call);

	begin(s, file, &heard);
	assert_int_equal(own(s, 0, 0, 100, false).lease, OWN);
	st_stop_mds(s);
	st_start_mds(s);
	assert_int_equal(rpc_import_co_wait(s->client[1].imp, 5000), 0);
	look(s, &l, "a", ROOT);
	assert_false(l.done); /* what client 0 had is not known yet */
	assert_int_equal(own(s, 0, 0, 100, false).lease, 0);
	assert_int_equal(own(s, 0, 0, 0, true).lease, LEASE_OWN);
	assert_int_equal(mds_co_reclaimed(s->client[0].imp, &call, &q, &p), 0);
	co_sleep(20 * NSEC_PER_MSEC);
	assert_false(l.done); /* it is, and not given back */
	assert_int_equal(unlink_ahead(s, 0, "a", file[0], 0), 0);
	heard = 0;
	assert_int_equal(ask(s, 0, &heard, &r), 1);
	give_back(s, &r);
	st_until(s, l.done);
	assert_int_equal(l.rc, -ENOENT);
	assert_int_equal(own(s, 0, 0, 0, true).lease, 0); /* it is back: that is over */
}

static void after_a_restart_others_wait_for_the_owner(void **state)
{
	(void)state;
	st_run(body_restart);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_owner_is_told_of_all_files),
		cmocka_unit_test(files_with_two_names_or_known_elsewhere_are_not_alone),
		cmocka_unit_test(under_the_lease_and_only_so_files_are_removed_as_told),
		cmocka_unit_test(others_look_when_it_is_given_back),
		cmocka_unit_test(one_that_is_silent_too_long_is_refused),
		cmocka_unit_test(after_a_restart_others_wait_for_the_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
