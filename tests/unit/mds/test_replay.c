/* SPDX-License-Identifier: Apache-2.0 */
/* test_replay.c - what a loss of power takes from the MDT is done again, once, and as it was. */
#include "client/core/replay.h"
#include "tests/lib/tmpdir.h"
#include "tests/unit/mds/mds_request_test.h"

static struct {
	struct st *s;
	struct replay kept;
	char copy[80];
	uint32_t refused, sent;
	bool hold; /* client 0 does not begin its replay */
} t;

/* The state of the disk that a loss of power will leave. */
static void save_disk(void)
{
	assert_int_equal(store_co_sync(t.s->mds->store), 0);
	snprintf(t.copy, sizeof(t.copy), "%s.copy", t.s->dir);
	tmpdir_copy(t.s->dir, t.copy, "lock.mdb");
}

/* Nobody has heard of a commit since: the test must not depend on the time that it takes. */
static void on_reply(void *arg, const struct msg *req, const struct msg *rep)
{
	struct msg m = *rep;

	(void)arg;
	m.h.last_committed = 0;
	replay_heard(&t.kept, req, &m);
}

static int ask(struct rpc_import *imp, bool done, struct mds_replay_rep *p)
{
	struct mds_replay_req q = {.done = done};
	RPC_CALL(call);

	call.flags = RPC_CALL_RECLAIM;
	return mds_co_replay(imp, &call, &q, p);
}

static void on_restart(void *arg, struct rpc_import *imp, bool evicted)
{
	struct mds_replay_rep p;
	struct kept_req *q;
	uint64_t at = 0;

	(void)arg, (void)evicted;
	while (t.hold)
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(ask(imp, false, &p), 0);
	while ((q = replay_next(&t.kept, at))) {
		struct wire_hdr h = {0};

		at = q->k.transno;
		t.sent++;
		t.refused += rpc_co_replay(imp, &q->k, &h) != 0;
	}
	assert_int_equal(ask(imp, true, &p), 0);
	t.s->client[0].restarts++;
}

/* Client 0 keeps what it does. */
static void join(struct st *s)
{
	struct st_client *c = &s->client[0];
	struct rpc_import_cfg ic = {
		.client = &c->cfg,
		.target = "tfs-MDT0000",
		.nids = {1, {s->mds_at}},
		.on_restart = on_restart,
		.on_reply = on_reply,
	};

	memset(&t, 0, sizeof(t));
	t.s = s;
	replay_init(&t.kept);
	c->cfg = (struct rpc_client_cfg){
		.loop = s->loop, .uuid = {9, 0}, .kind = PEER_CLIENT, .name = "client"};
	assert_int_equal(rpc_import_create(&ic, &c->imp), 0);
	assert_int_equal(rpc_import_co_wait(c->imp, 5000), 0);
}

static void lose_power(struct st *s)
{
	static const char *const gone[] = {"redo.0", "redo.1", "machine"};
	char name[160];

	st_stop_mds(s);
	tmpdir_remove(s->dir);
	assert_int_equal(rename(t.copy, s->dir), 0);
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
		snprintf(name, sizeof(name), "%s/%s", s->dir, gone[i]);
		(void)!unlink(name);
	}
	st_start_mds(s);
}

static void back(struct st *s)
{
	st_until(s, s->client[0].restarts && rpc_import_state(s->client[0].imp) == IMP_FULL);
}

/* ---- what it does ---- */

static struct fid make(struct st *s, struct fid dir, const char *name, uint32_t mode,
		       uint64_t open_id)
{
	struct mds_create_req q = {
		.parent = dir,
		.name = SPAN_STR(name),
		.fid = st_fid(s),
		.mode = mode,
		.open_flags = OPEN_EXCL | (open_id ? OPEN_WRITE : 0),
		.open_id = open_id,
		.target = S_ISLNK(mode) ? SPAN_STR("there") : SPAN_NONE,
	};
	struct mds_create_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_create(s->client[0].imp, &call, &q, &p), 0);
	return p.fid;
}

static void rename_it(struct st *s, struct fid dir, const char *from, const char *to)
{
	struct mds_rename_req q = {dir, SPAN_STR(from), dir, SPAN_STR(to), 0};
	struct mds_rename_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_rename(s->client[0].imp, &call, &q, &p), 0);
}

static int unlink_it(struct st *s, int c, struct fid dir, const char *name)
{
	struct mds_unlink_req q = {.parent = dir, .name = SPAN_STR(name)};
	struct mds_unlink_rep p;
	RPC_CALL(call);

	return mds_co_unlink(s->client[c].imp, &call, &q, &p);
}

static void link_it(struct st *s, struct fid fid, struct fid dir, const char *name)
{
	struct mds_link_req q = {fid, dir, SPAN_STR(name)};
	struct mds_link_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_link(s->client[0].imp, &call, &q, &p), 0);
}

static void set(struct st *s, struct fid fid, uint32_t valid, uint32_t mode, uint64_t size)
{
	struct mds_setattr_req q = {
		.fid = fid, .valid = valid, .mode = mode, .size = size, .mtime = 123456789};
	struct mds_setattr_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_setattr(s->client[0].imp, &call, &q, &p), 0);
}

static void set_xattr(struct st *s, struct fid fid, const char *name, const char *value)
{
	struct mds_setxattr_req q = {.fid = fid, .name = SPAN_STR(name), .value = SPAN_STR(value)};
	struct mds_setxattr_rep p;
	RPC_CALL(call);

	assert_int_equal(mds_co_setxattr(s->client[0].imp, &call, &q, &p), 0);
}

static int look(struct st *s, struct fid dir, const char *name, struct inode_rec *ino,
		struct fid *fid)
{
	struct txn *txn;
	bool in_batch;

	assert_int_equal(store_read(s->mds->store, &txn, &in_batch), 0);
	return ns_lookup(txn, &dir, SPAN_STR(name), fid, ino);
}

struct seen {
	struct attr attr;
	struct fid fid;
	uint8_t layout[256];
	uint32_t layout_len;
	uint64_t next_cookie;
};

static struct seen see(struct st *s, struct fid dir, const char *name)
{
	struct inode_rec ino;
	struct seen v = {0};

	assert_int_equal(look(s, dir, name, &ino, &v.fid), 0);
	v.attr = ino.attr;
	v.layout_len = ino.layout.len;
	v.next_cookie = ino.next_cookie;
	assert_true(ino.layout.len <= sizeof(v.layout));
	if (ino.layout.len)
		memcpy(v.layout, ino.layout.ptr, ino.layout.len);
	return v;
}

static void same(const struct seen *a, const struct seen *b)
{
	assert_memory_equal(&a->attr, &b->attr, sizeof(a->attr));
	assert_true(fid_eq(&a->fid, &b->fid));
	assert_int_equal(a->layout_len, b->layout_len);
	assert_int_equal(a->next_cookie, b->next_cookie);
	assert_memory_equal(a->layout, b->layout, a->layout_len);
}

/* ---- tests ---- */

static void body_all(struct st *s)
{
	static const char *const names[] = {"file", "second", "link", "moved"};
	struct seen before[ARRAY_SIZE(names)], after, dir, root;
	struct inode_rec ino;
	struct fid d, f, fid;

	join(s);
	save_disk();
	d = make(s, ROOT, "d", S_IFDIR | 0755, 0);
	f = make(s, d, "file", S_IFREG | 0644, 7);
	make(s, d, "link", S_IFLNK | 0777, 0);
	make(s, d, "gone", S_IFREG | 0600, 0);
	make(s, d, "moving", S_IFREG | 0600, 0);
	make(s, d, "moved", S_IFREG | 0600, 0);
	link_it(s, f, d, "second");
	set(s, f, SETATTR_MODE | SETATTR_MTIME, 0751, 0);
	set_xattr(s, f, "user.color", "blue");
	rename_it(s, d, "moving", "moved");
	assert_int_equal(unlink_it(s, 0, d, "gone"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		before[i] = see(s, d, names[i]);
	assert_true(before[0].layout_len > 0);
	dir = see(s, ROOT, "d");
	lose_power(s);
	assert_int_equal(look(s, ROOT, "d", &ino, &fid), -ENOENT);
	s->mds->alloc.next++; /* it would choose other objects now */
	back(s);
	assert_int_equal(t.refused, 0);
	assert_int_equal(s->mds->replay.done, t.sent);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		after = see(s, d, names[i]);
		same(&before[i], &after);
	}
	root = see(s, ROOT, "d");
	same(&dir, &root);
	assert_int_equal(look(s, d, "gone", &ino, &fid), -ENOENT);
	assert_int_equal(look(s, d, "moving", &ino, &fid), -ENOENT);
	assert_int_equal(open_table_count(s->mds->opens), 0); /* mds_reopen tells that */
	replay_fini(&t.kept);
}

static void what_was_lost_is_done_again_as_it_was(void **state)
{
	(void)state;
	st_run(body_all);
}

static void body_once(struct st *s)
{
	struct inode_rec ino;
	struct fid fid;

	join(s);
	make(s, ROOT, "a", S_IFREG | 0644, 0);
	assert_int_equal(unlink_it(s, 0, ROOT, "a"), 0);
	save_disk();
	make(s, ROOT, "a", S_IFREG | 0644, 0);
	make(s, ROOT, "b", S_IFREG | 0644, 0);
	lose_power(s);
	back(s);
	assert_int_equal(t.sent, 4);
	assert_int_equal(t.refused, 0);
	assert_int_equal(s->mds->replay.done, 2);
	assert_int_equal(look(s, ROOT, "a", &ino, &fid), 0);
	/* And once more: now all of it is there. */
	s->client[0].restarts = 0;
	save_disk();
	lose_power(s);
	back(s);
	assert_int_equal(t.sent, 8);
	assert_int_equal(t.refused, 0);
	assert_int_equal(s->mds->replay.done, 0);
	replay_fini(&t.kept);
}

static void what_the_disk_has_is_not_done_again(void **state)
{
	(void)state;
	st_run(body_once);
}

static void body_cut(struct st *s)
{
	struct st_open o;
	struct seen before, after;

	join(s);
	o = st_create(s, 0, "f", OPEN_WRITE);
	st_write(s, o.fid, 0, 1000);
	st_close(s, 0, &o, CLOSE_WROTE, 1000);
	set(s, o.fid, SETATTR_SIZE, 0, 300);
	save_disk();
	set(s, o.fid, SETATTR_SIZE, 0, 200);
	before = see(s, ROOT, "f");
	assert_int_equal(s->punches, 2);
	lose_power(s);
	back(s);
	after = see(s, ROOT, "f");
	assert_int_equal(after.attr.size, 200);
	assert_int_equal(after.attr.mtime, before.attr.mtime);
	assert_int_equal(t.refused, 0);
	assert_int_equal(s->punches, 2); /* what was written since then stays */
	replay_fini(&t.kept);
}

static void a_truncation_is_not_made_again_at_the_objects(void **state)
{
	(void)state;
	st_run(body_cut);
}

static void body_conflict(struct st *s)
{
	struct inode_rec ino;
	struct st_open o;
	struct fid fid;

	join(s);
	st_connect(s, 1);
	save_disk();
	fid = make(s, ROOT, "a", S_IFREG | 0644, 0);
	t.hold = true;
	lose_power(s);
	replay_end(s->mds); /* nobody waited for the client */
	assert_int_equal(st_create_rc(s, 1, "a", 0, &o), 0);
	t.hold = false;
	back(s);
	assert_int_equal(t.refused, 1);
	assert_int_equal(look(s, ROOT, "a", &ino, &fid), 0);
	assert_true(fid_eq(&fid, &o.fid));
	replay_fini(&t.kept);
}

static void what_others_did_meanwhile_stays(void **state)
{
	(void)state;
	st_run(body_conflict);
}

static int other_rc;

static void other_creates(void *arg)
{
	struct st *s = arg;
	struct st_open o;

	other_rc = st_create_rc(s, 1, "a", OPEN_EXCL, &o);
}

static void body_wait(struct st *s)
{
	join(s);
	st_connect(s, 1);
	save_disk();
	make(s, ROOT, "a", S_IFREG | 0644, 0);
	t.hold = true;
	lose_power(s);
	assert_true(s->mds->replay.on);
	other_rc = 1;
	assert_int_equal(fiber_spawn(s->loop, other_creates, s), 0);
	/* Client 1 has nothing, which it says as an older one does: by being back. */
	st_until(s, rpc_service_nsessions(mdt_service(s->mds)) == 2 &&
			    rpc_import_state(s->client[1].imp) == IMP_FULL);
	((struct client *)st_session(s, 1)->priv)->replayed = true;
	co_sleep(20 * NSEC_PER_MSEC); /* it would be through by now, mostly */
	assert_int_equal(other_rc, 1);
	t.hold = false;
	back(s);
	st_until(s, other_rc != 1);
	assert_int_equal(other_rc, -EEXIST);
	assert_int_equal(t.refused, 0);
	assert_false(s->mds->replay.on);
	assert_false(store_lost_power(s->mds->store));
	replay_fini(&t.kept);
}

static void new_requests_wait_until_all_is_done_again(void **state)
{
	(void)state;
	st_run(body_wait);
}

static void body_kill(struct st *s)
{
	join(s);
	make(s, ROOT, "a", S_IFREG | 0644, 0);
	st_stop_mds(s);
	st_start_mds(s);
	assert_false(s->mds->replay.on); /* the machine has not lost anything */
	back(s);
	assert_int_equal(s->mds->replay.done, 0);
	assert_int_equal(t.refused, 0);
	replay_fini(&t.kept);
}

static void after_the_death_of_the_process_alone_nobody_waits(void **state)
{
	(void)state;
	st_run(body_kill);
}

static void body_unknown(struct st *s)
{
	struct mds_replay_rep p;

	join(s);
	make(s, ROOT, "a", S_IFREG | 0644, 0);
	t.hold = true;
	st_stop_mds(s);
	st_start_mds(s);
	st_until(s, rpc_service_nsessions(mdt_service(s->mds)) == 1);
	((struct client *)st_session(s, 0)->priv)->known = false;
	t.hold = false;
	back(s);
	assert_int_equal(t.refused, t.sent);
	assert_int_equal(ask(s->client[0].imp, false, &p), 0);
	assert_false(p.known);
	replay_fini(&t.kept);
}

static void a_client_that_was_forgotten_is_refused(void **state)
{
	(void)state;
	st_run(body_unknown);
}

static void body_share(struct st *s)
{
	uint64_t batch;

	join(s);
	st_connect(s, 1);
	make(s, ROOT, "a", S_IFREG | 0644, 0);
	batch = store_batch(s->mds->store);
	assert_int_equal(unlink_it(s, 1, ROOT, "a"), 0);
	assert_true(store_last_batch(s->mds->store) >= batch);
	replay_fini(&t.kept);
}

static void a_change_of_another_is_on_the_disk_before_one_that_depends_on_it(void **state)
{
	(void)state;
	st_run(body_share);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_lost_is_done_again_as_it_was),
		cmocka_unit_test(what_the_disk_has_is_not_done_again),
		cmocka_unit_test(a_truncation_is_not_made_again_at_the_objects),
		cmocka_unit_test(what_others_did_meanwhile_stays),
		cmocka_unit_test(new_requests_wait_until_all_is_done_again),
		cmocka_unit_test(after_the_death_of_the_process_alone_nobody_waits),
		cmocka_unit_test(a_client_that_was_forgotten_is_refused),
		cmocka_unit_test(a_change_of_another_is_on_the_disk_before_one_that_depends_on_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
