/* SPDX-License-Identifier: Apache-2.0 */
/* test_hsm_import.c - entries of a container become files, directories and links; what becomes of
 * what is there already, by the mode. */
#include "mds/hsm_import.h"
#include "tests/lib/tmpdir.h"
#include "tests/unit/mds/hsm_test.h"

enum { SIZE = 4711, MTIME = 1000000001 };

struct imp {
	struct mds_import_entry e[8];
	struct mds_import_result r[8];
	uint32_t n;
};

static struct mds_import_entry *add(struct st *s, struct imp *i, const char *name, uint32_t mode)
{
	struct mds_import_entry *e = &i->e[i->n++];

	*e = (struct mds_import_entry){
		.parent = ROOT,
		.name = SPAN_STR(name),
		.fid = st_fid(s),
		.mode = mode,
		.uid = 10,
		.gid = 20,
		.atime = MTIME,
		.mtime = MTIME,
		.size = S_ISREG(mode) ? SIZE : 0,
		.target = S_ISLNK(mode) ? SPAN_STR("to") : SPAN_NONE,
		.blob = SPAN_STR(name),
		.etag = SPAN_STR("e1"),
	};
	return e;
}

static int import_rc(struct st *s, struct imp *i, uint32_t mode)
{
	struct mds_hsm_import_req q = {.mode = mode, .archive = 3};
	struct mds_hsm_import_rep p;
	struct wbuf w;
	struct rbuf b;
	uint32_t k;
	int rc;
	RPC_CALL(call);

	wbuf_init(&w, MAX_BODY / 2);
	for (k = 0; k < i->n; k++)
		enc_mds_import_entry(&w, &i->e[k]);
	q.entries = wbuf_span(&w);
	rc = mds_co_hsm_import(s->client[0].imp, &call, &q, &p);
	if (rc == 0) {
		b = rbuf_of(p.results);
		for (k = 0; k < i->n; k++)
			assert_int_equal(dec_mds_import_result(&b, &i->r[k]), 0);
		assert_int_equal(b.len, 0);
	}
	wbuf_fini(&w);
	return rc;
}

static void import(struct st *s, struct imp *i, uint32_t mode)
{
	assert_int_equal(import_rc(s, i, mode), 0);
}

/* One file under this name, of this version. */
static struct mds_import_result one(struct st *s, const char *name, const char *etag, uint32_t mode)
{
	struct imp i = {0};

	add(s, &i, name, S_IFREG | 0640)->etag = SPAN_STR(etag);
	import(s, &i, mode);
	return i.r[0];
}

static void is(struct mds_import_result r, uint32_t what, uint32_t there, int error)
{
	assert_int_equal(r.what, what);
	assert_int_equal(r.there, there);
	assert_int_equal(r.error, error);
}

static void body_made(struct st *s)
{
	struct imp i = {0}, sub = {0};
	struct attr a, root;

	st_connect(s, 0);
	root = st_getattr(s, ROOT);
	add(s, &i, "f", S_IFREG | 04640);
	add(s, &i, "d", S_IFDIR | 0750);
	add(s, &i, "l", S_IFLNK | 0777);
	import(s, &i, IMPORT_FAIL);
	is(i.r[0], IMPORT_MADE, 0, 0);
	is(i.r[1], IMPORT_MADE, 0, 0);
	is(i.r[2], IMPORT_MADE, 0, 0);
	a = st_getattr(s, i.e[0].fid);
	assert_int_equal(a.mode, S_IFREG | 04640);
	assert_int_equal(a.size, SIZE);
	assert_int_equal(a.uid, 10);
	assert_int_equal(a.gid, 20);
	assert_true(a.mtime == MTIME && a.ctime > MTIME);
	assert_int_equal(flags(s, i.e[0].fid), HSM_RELEASED | HSM_EXISTS | HSM_ARCHIVED);
	assert_false(attributes_changed(s, i.e[0].fid));
	assert_int_equal(st_getattr(s, i.e[1].fid).mode, S_IFDIR | 0750);
	assert_int_equal(st_getattr(s, i.e[2].fid).size, 2);
	assert_true(st_getattr(s, ROOT).mtime == root.mtime);
	assert_int_equal(st_getattr(s, ROOT).nlink, root.nlink + 1);
	add(s, &sub, "g", S_IFREG | 0600)->parent = i.e[1].fid;
	import(s, &sub, IMPORT_FAIL);
	is(sub.r[0], IMPORT_MADE, 0, 0);
	assert_true(st_getattr(s, i.e[1].fid).mtime == MTIME);
	/* Once more, because the answer was lost; and by another job. */
	import(s, &i, IMPORT_FAIL);
	is(i.r[0], IMPORT_MADE, 0, 0);
	i.n = 0;
	add(s, &i, "f", S_IFREG | 0600);
	add(s, &i, "d", S_IFDIR | 0700);
	add(s, &i, "l", S_IFLNK | 0777);
	import(s, &i, IMPORT_OVERWRITE_IF_DIRTY);
	is(i.r[0], IMPORT_SAME, 0, 0);
	is(i.r[1], IMPORT_SET, 0, 0);
	is(i.r[2], IMPORT_SAME, 0, 0);
	assert_int_equal(st_getattr(s, i.r[1].fid).mode, S_IFDIR | 0700);
}

static void what_is_in_the_container_is_made_once(void **state)
{
	(void)state;
	st_run(body_made);
}

static void body_changed_there(struct st *s)
{
	struct fid fid;

	st_connect(s, 0);
	fid = one(s, "f", "e1", IMPORT_FAIL).fid;
	is(one(s, "f", "e1", IMPORT_FAIL), IMPORT_SAME, 0, 0);
	is(one(s, "f", "e2", IMPORT_FAIL), IMPORT_CONFLICT, IMPORT_CHANGED, 0);
	is(one(s, "f", "e2", IMPORT_SKIP), IMPORT_CONFLICT, IMPORT_CHANGED, 0);
	is(one(s, "f", "e1", IMPORT_SKIP), IMPORT_SAME, 0, 0);
	is(one(s, "f", "e2", IMPORT_OVERWRITE_IF_DIRTY), IMPORT_SET, IMPORT_CHANGED, 0);
	is(one(s, "f", "e2", IMPORT_OVERWRITE_ALWAYS), IMPORT_SAME, 0, 0);
	assert_int_equal(flags(s, fid), HSM_RELEASED | HSM_EXISTS | HSM_ARCHIVED);
	assert_int_equal(s->punches, 0);
}

static void a_released_file_gets_the_new_version(void **state)
{
	(void)state;
	st_run(body_changed_there);
}

static void body_data(struct st *s)
{
	struct st_open o, open;

	st_connect(s, 0);
	o = file(s, "f");
	is(one(s, "f", "e1", IMPORT_FAIL), IMPORT_CONFLICT, IMPORT_LOCAL, 0);
	is(one(s, "f", "e1", IMPORT_SKIP), IMPORT_CONFLICT, IMPORT_LOCAL, 0);
	assert_int_equal(st_object(s, &o.fid, 0)->size, 100);
	is(one(s, "f", "e1", IMPORT_OVERWRITE_IF_DIRTY), IMPORT_SET, IMPORT_LOCAL, 0);
	assert_int_equal(st_object(s, &o.fid, 0)->size, 0);
	assert_int_equal(st_getattr(s, o.fid).size, SIZE);
	assert_int_equal(flags(s, o.fid), HSM_RELEASED | HSM_EXISTS | HSM_ARCHIVED);
	/* Somebody writes it. */
	open = st_create(s, 0, "w", OPEN_WRITE);
	is(one(s, "w", "e1", IMPORT_OVERWRITE_IF_DIRTY), IMPORT_ERROR, IMPORT_LOCAL, -EBUSY);
	st_write(s, open.fid, 0, 100);
	st_close(s, 0, &open, CLOSE_WROTE, 100);
	is(one(s, "w", "e1", IMPORT_OVERWRITE_IF_DIRTY), IMPORT_SET, IMPORT_LOCAL, 0);
}

static void data_that_are_here_go(void **state)
{
	(void)state;
	st_run(body_data);
}

static void body_dirty(struct st *s)
{
	struct imp i = {0};
	struct mds_import_entry *e = add(s, &i, "f", S_IFREG | 0644);
	struct st_open o;
	uint64_t cookie;

	st_connect(s, 0);
	st_connect(s, 1);
	o = file(s, "f");
	cookie = archive(s, o.fid);
	assert_int_equal(next(s, 1, 1, 0).n, 1);
	tell(s, 1, cookie, true, 0); /* name d/f, etag "tag" */
	is(one(s, "f", "tag", IMPORT_SKIP), IMPORT_CONFLICT, IMPORT_CHANGED, 0); /* another name */
	e->blob = SPAN_STR("d/f");
	e->etag = SPAN_STR("tag");
	import(s, &i, IMPORT_OVERWRITE_IF_DIRTY);
	is(i.r[0], IMPORT_SAME, 0, 0);
	change(s, o.fid);
	import(s, &i, IMPORT_SKIP);
	is(i.r[0], IMPORT_CONFLICT, IMPORT_DIRTY, 0);
	import(s, &i, IMPORT_OVERWRITE_IF_DIRTY);
	is(i.r[0], IMPORT_SET, IMPORT_DIRTY, 0);
	assert_int_equal(flags(s, o.fid), HSM_RELEASED | HSM_EXISTS | HSM_ARCHIVED);
}

static void what_was_changed_here_is_dirty(void **state)
{
	(void)state;
	st_run(body_dirty);
}

static void body_types(struct st *s)
{
	struct imp i = {0};
	struct fid virtual = FID_DOT_LUSTRE;

	st_connect(s, 0);
	one(s, "f", "e1", IMPORT_FAIL);
	add(s, &i, "f", S_IFDIR | 0755);
	add(s, &i, "d", S_IFDIR | 0755);
	add(s, &i, "d", S_IFREG | 0755);
	add(s, &i, "f", S_IFLNK | 0777);
	add(s, &i, "g", S_IFREG | 0644)->parent = i.e[1].fid;
	add(s, &i, "h", S_IFREG | 0644)->parent = st_fid(s);
	add(s, &i, ".lustre", S_IFDIR | 0755);
	add(s, &i, "fid", S_IFDIR | 0755)->parent = virtual;
	import(s, &i, IMPORT_OVERWRITE_ALWAYS);
	is(i.r[0], IMPORT_ERROR, IMPORT_OTHER_TYPE, -ENOTDIR);
	is(i.r[1], IMPORT_MADE, 0, 0);
	is(i.r[2], IMPORT_ERROR, IMPORT_OTHER_TYPE, -EISDIR);
	is(i.r[3], IMPORT_ERROR, IMPORT_OTHER_TYPE, -EEXIST);
	is(i.r[4], IMPORT_MADE, 0, 0);
	is(i.r[5], IMPORT_ERROR, 0, -ENOENT);
	is(i.r[6], IMPORT_ERROR, 0, -EPERM);
	is(i.r[7], IMPORT_ERROR, 0, -EPERM);
	i.n = 0;
	add(s, &i, "x", S_IFREG | 0644)->etag = SPAN_NONE;
	assert_int_equal(import_rc(s, &i, IMPORT_SKIP), -EINVAL);
	i.n = 0;
	add(s, &i, "x", S_IFCHR | 0644);
	assert_int_equal(import_rc(s, &i, IMPORT_SKIP), -EINVAL);
	i.n = 0;
	add(s, &i, "x", S_IFREG | 0644)->size = UINT64_MAX;
	assert_int_equal(import_rc(s, &i, IMPORT_SKIP), -EINVAL);
	assert_int_equal(import_rc(s, &i, IMPORT_MODES), -EINVAL);
}

static void what_cannot_be_is_an_error_of_its_own(void **state)
{
	(void)state;
	st_run(body_types);
}

struct reader {
	struct st *s;
	struct fid fid;
	int rc;
};

static int read_it(void *arg)
{
	struct reader *r = arg;
	struct mds_data_req q = {.fid = r->fid, .want = LEASE_SHARED};
	struct mds_data_rep p;
	RPC_CALL(call);

	r->rc = mds_co_data(r->s->client[0].imp, &call, &q, &p);
	return 0;
}

static void body_read(struct st *s)
{
	struct co_group g = CO_GROUP_INIT;
	struct reader r = {.s = s};
	struct got w;

	st_connect(s, 0);
	st_connect(s, 1);
	r.fid = one(s, "f", "e1", IMPORT_FAIL).fid;
	co_spawn(&g, read_it, &r);
	w = next(s, 1, 1U << 2, 0); /* archive 3 */
	assert_int_equal(w.n, 1);
	assert_int_equal(w.w[0].action, HSM_RESTORE);
	assert_string_equal(w.name[0], "f");
	/* While that is under way it is nobody else's. */
	is(one(s, "f", "e2", IMPORT_OVERWRITE_ALWAYS), IMPORT_ERROR, IMPORT_CHANGED, -EBUSY);
	tell(s, 1, w.w[0].cookie, true, -EIO);
	assert_int_equal(co_join(&g), 0);
	assert_int_equal(r.rc, -EIO);
	is(one(s, "f", "e2", IMPORT_OVERWRITE_ALWAYS), IMPORT_SET, IMPORT_CHANGED, 0);
}

static void whoever_reads_it_waits_for_a_mover(void **state)
{
	(void)state;
	st_run(body_read);
}

/* The disk as it is when the answer comes is what a loss of power leaves: without the redo log. */
static void body_power(struct st *s)
{
	static const char *const gone[] = {"redo.0", "redo.1", "machine"};
	char name[160], copy[80];
	struct fid fid;
	size_t i;

	st_connect(s, 0);
	fid = one(s, "f", "e1", IMPORT_FAIL).fid;
	snprintf(copy, sizeof(copy), "%s.copy", s->dir);
	tmpdir_copy(s->dir, copy, "lock.mdb");
	st_stop_mds(s);
	tmpdir_remove(s->dir);
	assert_int_equal(rename(copy, s->dir), 0);
	for (i = 0; i < ARRAY_SIZE(gone); i++) {
		snprintf(name, sizeof(name), "%s/%s", s->dir, gone[i]);
		(void)!unlink(name);
	}
	st_start_mds(s);
	assert_int_equal(st_getattr(s, fid).size, SIZE);
	is(one(s, "f", "e1", IMPORT_FAIL), IMPORT_SAME, 0, 0);
}

static void what_was_answered_is_on_the_disk(void **state)
{
	(void)state;
	st_run(body_power);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_in_the_container_is_made_once),
		cmocka_unit_test(a_released_file_gets_the_new_version),
		cmocka_unit_test(data_that_are_here_go),
		cmocka_unit_test(what_was_changed_here_is_dirty),
		cmocka_unit_test(what_cannot_be_is_an_error_of_its_own),
		cmocka_unit_test(whoever_reads_it_waits_for_a_mover),
		cmocka_unit_test(what_was_answered_is_on_the_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
