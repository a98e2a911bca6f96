/* SPDX-License-Identifier: Apache-2.0 */
/* test_lookup.c - what reads: lookup, readdir in pieces, fid2path, statfs; and a damaged record,
 * which hurts only itself. */
#include "tests/unit/mds/mds_request_test.h"

static struct fid make(struct st *s, struct fid parent, const char *name, uint32_t mode)
{
	struct mds_create_req q = {
		.parent = parent,
		.name = SPAN_STR(name),
		.fid = st_fid(s),
		.mode = mode,
		.target = S_ISLNK(mode) ? SPAN_STR("to/there") : SPAN_NONE,
	};
	struct mds_create_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_create(s->client[0].imp, &call, &q, &p), 0);
	return p.fid;
}

static int lookup(struct st *s, struct fid parent, const char *name, struct fid *fid)
{
	struct mds_lookup_req q = {.parent = parent, .name = SPAN_STR(name)};
	struct mds_lookup_rep p;
	RPC_CALL(call);
	int rc = mds_co_lookup(s->client[0].imp, &call, &q, &p);

	if (rc == 0)
		*fid = p.fid;
	return rc;
}

static void body_lookup(struct st *s)
{
	struct mds_readlink_req lq;
	struct mds_readlink_rep lp;
	struct mds_parent_req pq;
	struct mds_parent_rep pp;
	struct fid d, l, out;
	RPC_CALL(c1);
	RPC_CALL(c2);
	RPC_CALL(c3);

	st_connect(s, 0);
	d = make(s, ROOT, "d", S_IFDIR | 0755);
	l = make(s, d, "l", S_IFLNK | 0777);
	assert_int_equal(lookup(s, d, "l", &out), 0);
	assert_true(fid_eq(&out, &l));
	assert_int_equal(lookup(s, l, "x", &out), -ENOTDIR);
	assert_int_equal(lookup(s, d, "x", &out), -ENOENT);
	lq.fid = l;
	assert_int_equal(mds_co_readlink(s->client[0].imp, &c1, &lq, &lp), 0);
	assert_true(span_eq(lp.target, SPAN_STR("to/there")));
	lq.fid = d;
	assert_int_equal(mds_co_readlink(s->client[0].imp, &c2, &lq, &lp), -EINVAL);
	pq.fid = l;
	assert_int_equal(mds_co_parent(s->client[0].imp, &c3, &pq, &pp), 0);
	assert_true(fid_eq(&pp.parent, &d));
	assert_true(span_eq(pp.name, SPAN_STR("l")));
}

static void names_links_and_parents_are_found(void **state)
{
	(void)state;
	st_run(body_lookup);
}

/* Reads all names of a directory in replies of max bytes; counts and checks the order. */
static uint32_t list(struct st *s, struct fid dir, uint32_t max, bool plus, uint64_t *cookie,
		     bool *eof)
{
	struct mds_readdir_req q = {.fid = dir,
				    .cookie = *cookie,
				    .max_bytes = max,
				    .flags = plus ? READDIR_PLUS : 0};
	struct mds_readdir_rep p;
	struct mds_dirent_plus dp;
	struct mds_dirent e;
	struct rbuf r;
	RPC_CALL(call);
	uint32_t n = 0;

	assert_int_equal(mds_co_readdir(s->client[0].imp, &call, &q, &p), 0);
	r = rbuf_of(p.entries);
	while (r.len) {
		if (plus) {
			assert_int_equal(dec_mds_dirent_plus(&r, &dp), 0);
			assert_true(S_ISREG(dp.attr.mode));
			e.cookie = dp.cookie;
		} else {
			assert_int_equal(dec_mds_dirent(&r, &e), 0);
		}
		assert_true(e.cookie > *cookie);
		*cookie = e.cookie;
		n++;
	}
	*eof = p.eof;
	return n;
}

static void body_readdir(struct st *s)
{
	uint64_t cookie = 0;
	uint32_t n = 0, calls = 0;
	bool eof = false;
	char name[24];
	struct fid d;
	int i;

	st_connect(s, 0);
	d = make(s, ROOT, "d", S_IFDIR | 0755);
	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "name-%d", i);
		make(s, d, name, S_IFREG | 0644);
	}
	for (calls = 0; !eof; calls++)
		n += list(s, d, 1000, calls & 1, &cookie, &eof);
	assert_int_equal(n, 200);
	assert_true(calls > 10);
	assert_int_equal(list(s, d, 1000, false, &cookie, &eof), 0);
	assert_true(eof);
	cookie = 0;
	assert_int_equal(list(s, d, 0, true, &cookie, &eof), 200); /* 0: as much as a reply holds */
	assert_true(eof);
}

static void a_directory_is_listed_in_pieces(void **state)
{
	(void)state;
	st_run(body_readdir);
}

static void body_readdir_errors(struct st *s)
{
	struct mds_readdir_req q = {.fid = ROOT, .max_bytes = 10};
	struct mds_readdir_rep p;
	RPC_CALL(c1);
	RPC_CALL(c2);
	RPC_CALL(c3);

	st_connect(s, 0);
	q.fid = make(s, ROOT, "f", S_IFREG | 0644);
	assert_int_equal(mds_co_readdir(s->client[0].imp, &c1, &q, &p), -ENOTDIR);
	q.fid = st_fid(s);
	assert_int_equal(mds_co_readdir(s->client[0].imp, &c2, &q, &p), -ENOENT);
	q.fid = ROOT;
	assert_int_equal(mds_co_readdir(s->client[0].imp, &c3, &q, &p), -EINVAL);
}

static void readdir_refuses_what_cannot_be(void **state)
{
	(void)state;
	st_run(body_readdir_errors);
}

static int path(struct st *s, struct fid fid, uint32_t n, char *out)
{
	struct mds_fid2path_req q = {fid, n};
	struct mds_fid2path_rep p;
	RPC_CALL(call);
	int rc = mds_co_fid2path(s->client[0].imp, &call, &q, &p);

	if (rc)
		return rc;
	snprintf(out, MAX_PATH, "%.*s", (int)p.path.len, (const char *)p.path.ptr);
	return (int)p.nlinks;
}

static void body_path(struct st *s)
{
	static char text[MAX_PATH], name[256];
	struct mds_link_req q;
	struct mds_link_rep p;
	struct fid d, e, f;
	RPC_CALL(call);
	int i;

	st_connect(s, 0);
	d = make(s, ROOT, "d", S_IFDIR | 0755);
	e = make(s, d, "e", S_IFDIR | 0755);
	f = make(s, e, "f", S_IFREG | 0644);
	q = (struct mds_link_req){f, ROOT, SPAN_STR("g")};
	assert_int_equal(mds_co_link(s->client[0].imp, &call, &q, &p), 0);
	assert_int_equal(path(s, f, 0, text), 2);
	assert_string_equal(text, "d/e/f");
	assert_int_equal(path(s, f, 1, text), 2);
	assert_string_equal(text, "g");
	assert_int_equal(path(s, f, 2, text), -ENODATA);
	assert_int_equal(path(s, ROOT, 0, text), 1);
	assert_string_equal(text, "");
	assert_int_equal(path(s, st_fid(s), 0, text), -ENOENT);
	memset(name, 'n', 255);
	for (i = 0; i < 17; i++)
		e = make(s, e, name, S_IFDIR | 0755);
	assert_int_equal(path(s, e, 0, text), -ENAMETOOLONG);
}

static void an_inode_knows_its_paths(void **state)
{
	(void)state;
	st_run(body_path);
}

static void body_statfs(struct st *s)
{
	struct mds_statfs_req q = {};
	struct mds_statfs_rep p;
	struct mds_target_stat t;
	struct rbuf r;
	RPC_CALL(call);

	st_connect(s, 0);
	st_until(s, alloc_usable(&s->mds->alloc) == 1);
	assert_int_equal(mds_co_statfs(s->client[0].imp, &call, &q, &p), 0);
	r = rbuf_of(p.targets);
	assert_int_equal(dec_mds_target_stat(&r, &t), 0);
	assert_int_equal(t.type, TARGET_MDT);
	assert_int_equal(dec_mds_target_stat(&r, &t), 0);
	assert_int_equal(t.type, TARGET_OST);
	assert_int_equal(t.error, 0);
	assert_int_equal(t.total, 100 * GIB);
	assert_int_equal(t.avail, 80 * GIB);
	assert_int_equal(r.len, 0);
}

static void statfs_tells_of_every_target(void **state)
{
	(void)state;
	st_run(body_statfs);
}

static void damage(struct st *s, struct fid fid)
{
	uint8_t key[16];
	struct wbuf w;
	uint64_t seq = __builtin_bswap64(fid.seq);
	uint32_t oid = __builtin_bswap32(fid.oid), ver = 0;

	wbuf_init_fixed(&w, key, sizeof(key));
	wbuf_put(&w, &seq, 8);
	wbuf_put(&w, &oid, 4);
	wbuf_put(&w, &ver, 4);
	assert_int_equal(store_inject_damage(s->mds->store, TABLE_inode, wbuf_span(&w)), 0);
}

static void body_damage(struct st *s)
{
	struct fid a, b, out;
	struct attr at;
	uint64_t cookie = 0;
	bool eof;

	st_connect(s, 0);
	a = make(s, ROOT, "a", S_IFREG | 0644);
	b = make(s, ROOT, "b", S_IFREG | 0644);
	damage(s, a);
	assert_int_equal(lookup(s, ROOT, "a", &out), -EIO);
	assert_int_equal(st_getattr_rc(s, a, &at), -EIO);
	assert_int_equal(st_unlink(s, 0, "a"), -EIO);
	assert_int_equal(lookup(s, ROOT, "b", &out), 0);
	assert_true(fid_eq(&out, &b));
	make(s, ROOT, "c", S_IFREG | 0644);
	assert_int_equal(list(s, ROOT, 0, false, &cookie, &eof), 3);
	assert_true(mdt_check(s->mds) > 0);
	damage(s, a); /* the same bit again: whole once more, for the checks at the end */
	assert_int_equal(mdt_check(s->mds), 0);
}

static void a_damaged_inode_is_refused_and_nothing_else(void **state)
{
	(void)state;
	st_run(body_damage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_links_and_parents_are_found),
		cmocka_unit_test(a_directory_is_listed_in_pieces),
		cmocka_unit_test(readdir_refuses_what_cannot_be),
		cmocka_unit_test(an_inode_knows_its_paths),
		cmocka_unit_test(statfs_tells_of_every_target),
		cmocka_unit_test(a_damaged_inode_is_refused_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
