/* SPDX-License-Identifier: Apache-2.0 */
/* test_xattr.c - lustre.lov on files and directories as lfs, tar and rsync set and get it. */
#include "common/lov.h"
#include "tests/unit/mds/mds_request_test.h"

static int set(struct st *s, struct fid fid, const char *name, struct span v, uint32_t priv)
{
	struct mds_setxattr_req q = {fid, SPAN_STR(name), v, 0, priv};
	struct mds_setxattr_rep p;
	RPC_CALL(call);

	return mds_co_setxattr(s->client[0].imp, &call, &q, &p);
}

/* The value, or -errno as length 0 with *rc. */
static struct layout *get(struct st *s, struct fid fid, int *rc)
{
	struct mds_getxattr_req q = {fid, SPAN_STR("lustre.lov"), 0};
	struct mds_getxattr_rep p;
	struct layout *l = NULL;
	RPC_CALL(call);

	*rc = mds_co_getxattr(s->client[0].imp, &call, &q, &p);
	if (*rc == 0 && p.none)
		*rc = -ENODATA;
	if (*rc == 0)
		assert_int_equal(lov_dec(p.value, &l), 0);
	return l;
}

static struct span blob(struct wbuf *w, uint32_t size, int32_t count, int32_t first)
{
	struct fid none = {0};
	struct layout *l;

	wbuf_init(w, 1000);
	assert_int_equal(layout_plain(size, count, first, NULL, NULL, &l), 0);
	assert_int_equal(lov_enc(w, l, &none), 0);
	layout_free(l);
	return wbuf_span(w);
}

static struct fid mknod_in(struct st *s, struct fid parent, const char *name, uint32_t mode)
{
	struct mds_create_req q = {.parent = parent,
				   .name = SPAN_STR(name),
				   .fid = st_fid(s),
				   .mode = mode,
				   .target = S_ISLNK(mode) ? SPAN_STR("f") : SPAN_NONE};
	struct mds_create_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_create(s->client[0].imp, &call, &q, &p), 0);
	return p.fid;
}

static bool made(struct st *s, struct fid fid)
{
	struct mds_layout_req q = {fid, 0};
	struct mds_layout_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_layout(s->client[0].imp, &call, &q, &p), 0);
	return p.layout.len > 0;
}

static void body_file(struct st *s)
{
	struct layout *l;
	struct wbuf w;
	struct fid f;
	int rc;

	st_connect(s, 0);
	st_until(s, alloc_usable(&s->mds->alloc) == 1);
	f = mknod_in(s, ROOT, "f", S_IFREG | 0644);
	get(s, f, &rc);
	assert_int_equal(rc, -ENODATA);
	assert_false(made(s, f));
	assert_int_equal(set(s, f, "lustre.lov", SPAN_STR("garbage"), 0), -EINVAL);
	assert_int_equal(set(s, f, "lustre.lov", SPAN_NONE, 0), -EINVAL);
	assert_int_equal(set(s, f, "lustre.lov", blob(&w, 1 << 20, 1, 5), 0), -EINVAL);
	wbuf_fini(&w);
	assert_int_equal(set(s, f, "trusted.lov", blob(&w, 1 << 20, -1, -1), 0), -EPERM);
	assert_int_equal(set(s, f, "trusted.lov", wbuf_span(&w), 1), 0);
	wbuf_fini(&w);
	assert_true(made(s, f));
	l = get(s, f, &rc);
	assert_int_equal(rc, 0);
	assert_int_equal(l->comp[0].stripe_size, 1 << 20);
	assert_int_equal(l->comp[0].stripe_count, 1); /* all OSTs there are */
	layout_free(l);
	assert_int_equal(set(s, f, "lustre.lov", blob(&w, 2 << 20, 1, -1), 0), 0); /* ignored */
	wbuf_fini(&w);
	l = get(s, f, &rc);
	assert_int_equal(l->comp[0].stripe_size, 1 << 20);
	layout_free(l);
}

static void a_file_gets_its_layout_once(void **state)
{
	(void)state;
	st_run(body_file);
}

static void body_dir(struct st *s)
{
	struct mds_removexattr_req rq = {ROOT, SPAN_STR("lustre.lov")};
	struct mds_removexattr_rep rp;
	struct fid d, sub;
	struct st_open o;
	struct layout *l;
	struct wbuf w;
	RPC_CALL(c1);
	RPC_CALL(c2);
	int rc;

	st_connect(s, 0);
	st_until(s, alloc_usable(&s->mds->alloc) == 1);
	assert_int_equal(set(s, ROOT, "lustre.lov", blob(&w, 1 << 20, 1, -1), 0), 0);
	wbuf_fini(&w);
	d = mknod_in(s, ROOT, "d", S_IFDIR | 0755);
	get(s, d, &rc);
	assert_int_equal(rc, -ENODATA); /* the root's is not copied ... */
	o = st_create(s, 0, "f", OPEN_READ);
	l = get(s, o.fid, &rc);
	assert_int_equal(l->comp[0].stripe_size, 1 << 20); /* ... but followed */
	layout_free(l);
	st_close(s, 0, &o, 0, 0);
	assert_int_equal(set(s, d, "lustre.lov", blob(&w, 2 << 20, 1, -1), 0), 0);
	wbuf_fini(&w);
	sub = mknod_in(s, d, "sub", S_IFDIR | 0755);
	l = get(s, sub, &rc);
	assert_int_equal(l->comp[0].stripe_size, 2 << 20);
	layout_free(l);
	assert_int_equal(mds_co_removexattr(s->client[0].imp, &c1, &rq, &rp), 0);
	assert_int_equal(mds_co_removexattr(s->client[0].imp, &c2, &rq, &rp), -ENODATA);
	assert_int_equal(set(s, sub, "lustre.lov", SPAN_NONE, 0), 0);
	get(s, sub, &rc);
	assert_int_equal(rc, -ENODATA);
}

static void a_directory_hands_its_default_down(void **state)
{
	(void)state;
	st_run(body_dir);
}

static void body_append(struct st *s)
{
	struct layout *l;
	struct st_open o;
	struct wbuf w;
	int rc;

	st_connect(s, 0);
	st_until(s, alloc_usable(&s->mds->alloc) == 1);
	s->mds->striping.stripe_count = -1;
	assert_int_equal(set(s, ROOT, "lustre.lov", blob(&w, 1 << 20, -1, -1), 0), 0);
	wbuf_fini(&w);
	o = st_create(s, 0, "log", OPEN_WRITE | OPEN_APPEND);
	l = get(s, o.fid, &rc);
	assert_int_equal(l->comp[0].stripe_count, 1);
	layout_free(l);
	st_close(s, 0, &o, 0, 0);
}

static void files_opened_for_append_get_one_stripe(void **state)
{
	(void)state;
	st_run(body_append);
}

static void body_list(struct st *s)
{
	struct mds_listxattr_req q = {0};
	struct mds_listxattr_rep p;
	RPC_CALL(call);

	st_connect(s, 0);
	st_until(s, alloc_usable(&s->mds->alloc) == 1);
	q.fid = st_create(s, 0, "f", 0).fid;
	assert_int_equal(set(s, q.fid, "user.x", SPAN_STR("y"), 0), 0);
	assert_int_equal(set(s, q.fid, "trusted.lma", SPAN_STR("y"), 1), 0); /* taken and dropped */
	assert_int_equal(mds_co_listxattr(s->client[0].imp, &call, &q, &p), 0);
	assert_int_equal(p.names.len, sizeof("user.x"));
}

static void internal_names_are_dropped(void **state)
{
	(void)state;
	st_run(body_list);
}

/* One question with all, which must be answered. */
static struct mds_getxattr_rep ask(struct st *s, int c, struct fid fid, const char *name)
{
	struct mds_getxattr_req q = {fid, SPAN_STR(name), 1};
	struct mds_getxattr_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_getxattr(s->client[c].imp, &call, &q, &p), 0);
	return p;
}

/* One round of the recall channel of client c; the bits of the last recall. */
static uint32_t recalls(struct st *s, int c, uint64_t *returned, bool wait)
{
	struct mds_recalls_req q = {.returned = *returned, .wait = wait};
	struct mds_recalls_rep p;
	struct mds_recall r = {0};
	struct rbuf b;
	RPC_CALL(call);

	assert_int_equal(mds_co_recalls(s->client[c].imp, &call, &q, &p), 0);
	for (b = rbuf_of(p.recalls); b.len; *returned = r.seq)
		assert_int_equal(dec_mds_recall(&b, &r), 0);
	return r.bits;
}

static uint32_t count_records(struct span all, const char *name, const char *value)
{
	struct rbuf r = rbuf_of(all);
	struct mds_xattr a;
	uint32_t n = 0;

	for (; r.len; n++) {
		assert_int_equal(dec_mds_xattr(&r, &a), 0);
		if (span_eq(a.name, SPAN_STR(name)))
			assert_true(span_eq(a.value, SPAN_STR(value)));
	}
	return n;
}

static void body_all(struct st *s)
{
	static uint8_t large[XATTRS_SMALL];
	struct mds_listxattr_req lq = {.all = 1};
	struct mds_listxattr_rep lp;
	struct mds_getxattr_rep p;
	uint64_t returned = 0;
	struct fid f;
	RPC_CALL(call);

	st_connect(s, 0);
	st_until(s, alloc_usable(&s->mds->alloc) == 1);
	f = st_create(s, 0, "f", 0).fid;
	p = ask(s, 0, f, "user.x");
	assert_int_equal(p.lease, 0); /* no term: nothing to keep them by */
	assert_false(p.whole);
	recalls(s, 0, &returned, false);
	p = ask(s, 0, f, "user.x");
	assert_true(p.none && p.whole && p.all.len == 0);
	assert_int_equal(p.lease, LEASE_XATTR);
	assert_int_equal(set(s, f, "user.x", SPAN_STR("1"), 0), 0);
	assert_int_equal(set(s, f, "user.y", SPAN_STR("2"), 0), 0);
	p = ask(s, 0, f, "user.y");
	assert_true(p.whole && span_eq(p.value, SPAN_STR("2")));
	assert_int_equal(count_records(p.all, "user.x", "1"), 2);
	lq.fid = f;
	assert_int_equal(mds_co_listxattr(s->client[0].imp, &call, &lq, &lp), 0);
	assert_int_equal(count_records(lp.all, "user.y", "2"), 2);
	assert_int_equal(set(s, f, "user.z", (struct span){large, sizeof(large)}, 0), 0);
	p = ask(s, 0, f, "user.x");
	assert_true(span_eq(p.value, SPAN_STR("1")));
	assert_int_equal(p.lease, LEASE_XATTR);
	assert_true(!p.whole && !p.all.len); /* too much */
	f = mknod_in(s, ROOT, "link", S_IFLNK | 0777);
	assert_false(ask(s, 0, f, "security.x").whole);
}

static void all_are_told_at_once_if_they_are_small(void **state)
{
	(void)state;
	st_run(body_all);
}

struct change {
	struct st *s;
	struct fid fid;
	uint32_t kind;
	bool done;
};

enum { SET, REMOVE, CHMOD, WRITER, CUT, MAKE, GONE, KINDS };

static int change(const struct change *c)
{
	struct rpc_import *imp = c->s->client[1].imp;
	struct mds_setxattr_req sq = {c->fid, SPAN_STR("user.x"), SPAN_STR("2"), 0, 1};
	struct mds_removexattr_req rq = {c->fid, SPAN_STR("user.x")};
	struct mds_setattr_req aq = {.fid = c->fid, .valid = SETATTR_MODE, .mode = 0600};
	struct mds_layout_req lq = {c->fid, 1};
	union {
		struct mds_setxattr_rep set;
		struct mds_removexattr_rep remove;
		struct mds_setattr_rep attr;
		struct mds_layout_rep layout;
	} p;
	RPC_CALL(call);

	switch (c->kind) {
	case SET:
		return mds_co_setxattr(imp, &call, &sq, &p.set);
	case REMOVE:
		return mds_co_removexattr(imp, &call, &rq, &p.remove);
	case CHMOD:
		return mds_co_setattr(imp, &call, &aq, &p.attr);
	case WRITER:
		st_open(c->s, 1, c->fid, OPEN_WRITE);
		return 0;
	case CUT:
		return st_truncate(c->s, 1, c->fid, 100);
	case MAKE:
		return mds_co_layout(imp, &call, &lq, &p.layout);
	default:
		return st_unlink(c->s, 1, "f6");
	}
}

static void change_fiber(void *arg)
{
	struct change *c = arg;

	assert_int_equal(change(c), 0);
	c->done = true;
}

static void body_recall(struct st *s)
{
	struct change c = {.s = s};
	uint64_t returned = 0;
	char name[8];

	st_connect(s, 0);
	st_connect(s, 1);
	st_until(s, alloc_usable(&s->mds->alloc) == 1);
	recalls(s, 0, &returned, false);
	for (; c.kind < KINDS; c.kind++) {
		snprintf(name, sizeof(name), "f%u", c.kind);
		c.fid = mknod_in(s, ROOT, name, S_IFREG | 0644);
		c.done = false;
		assert_int_equal(set(s, c.fid, "user.x", SPAN_STR("1"), 0), 0);
		assert_int_equal(ask(s, 0, c.fid, "user.x").lease, LEASE_XATTR);
		assert_int_equal(fiber_spawn(s->loop, change_fiber, &c), 0);
		while (!(recalls(s, 0, &returned, true) & LEASE_XATTR))
			assert_false(c.done);
		assert_false(c.done); /* heard is not obeyed */
		assert_int_equal(ask(s, 0, c.fid, "user.x").lease, 0);
		recalls(s, 0, &returned, false);
		st_until(s, c.done);
		if (c.kind != GONE)
			assert_int_equal(ask(s, 0, c.fid, "user.x").lease, LEASE_XATTR);
	}
}

static void whoever_changes_them_takes_the_lease_back(void **state)
{
	(void)state;
	st_run(body_recall);
}

static void body_writer(struct st *s)
{
	uint64_t returned = 0;
	struct st_open o;

	st_connect(s, 0);
	st_connect(s, 1);
	st_until(s, alloc_usable(&s->mds->alloc) == 1);
	recalls(s, 0, &returned, false);
	o = st_create(s, 1, "f", OPEN_WRITE);
	assert_int_equal(ask(s, 0, o.fid, "user.x").lease, LEASE_XATTR);
	assert_true(ask(s, 0, o.fid, "lustre.lov").whole);
	st_write(s, o.fid, 0, 100);
	st_close(s, 1, &o, CLOSE_WROTE, 100);
	assert_int_equal(recalls(s, 0, &returned, false), 0);
	st_create(s, 1, "g", 0);
	assert_int_equal(ask(s, 0, ROOT, "user.x").lease, LEASE_XATTR);
	st_create(s, 1, "h", 0); /* changes the directory, not these */
	assert_int_equal(recalls(s, 0, &returned, false), 0);
}

static void writers_and_names_leave_it(void **state)
{
	(void)state;
	st_run(body_writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_gets_its_layout_once),
		cmocka_unit_test(a_directory_hands_its_default_down),
		cmocka_unit_test(files_opened_for_append_get_one_stripe),
		cmocka_unit_test(internal_names_are_dropped),
		cmocka_unit_test(all_are_told_at_once_if_they_are_small),
		cmocka_unit_test(whoever_changes_them_takes_the_lease_back),
		cmocka_unit_test(writers_and_names_leave_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
