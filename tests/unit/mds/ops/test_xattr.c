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
	struct mds_getxattr_req q = {fid, SPAN_STR("lustre.lov")};
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
	struct mds_create_req q = {.parent = parent, .name = SPAN_STR(name), .fid = st_fid(s),
				   .mode = mode};
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
	struct mds_listxattr_req q;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_gets_its_layout_once),
		cmocka_unit_test(a_directory_hands_its_default_down),
		cmocka_unit_test(files_opened_for_append_get_one_stripe),
		cmocka_unit_test(internal_names_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
