/* SPDX-License-Identifier: Apache-2.0 */
/* test_store.c - group commit, what becomes of a batch that fails, room in the map, damaged
 * values. */
#include "common/fiber.h"
#include "common/co.h"
#include "common/log.h"
#include "common/store.h"
#include "tests/unit/unit.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct store_table tables[] = {{0, "one"}, {1, "two"}};

struct fx {
	char dir[64];
	struct loop *l;
	struct store *s;
	bool logged; /* answers leave with the redo log; else strict */
	const char *machine;
	void (*body)(struct fx *f);
};

static void open_store(struct fx *f, uint64_t map_size)
{
	struct store_cfg cfg = {
		.loop = f->l,
		.dir = f->dir,
		.tables = tables,
		.ntables = 2,
		.map_size = map_size,
		.nosync = true,
		.strict = !f->logged,
		.machine = f->machine,
	};

	assert_int_equal(store_open(&cfg, &f->s), 0);
}

static void fiber_main(void *arg)
{
	struct fx *f = arg;

	f->body(f);
	loop_stop(f->l);
}

static void run_store(void (*body)(struct fx *f), bool logged)
{
	struct fx f = {.body = body, .logged = logged};

	log_set_level(LOG_LVL_ERROR);
	tmp_make(f.dir);
	assert_int_equal(loop_create(&f.l), 0);
	open_store(&f, 1 << 20);
	assert_int_equal(fiber_spawn(f.l, fiber_main, &f), 0);
	loop_run(f.l);
	store_close(f.s);
	fiber_pool_drain();
	loop_destroy(f.l);
	tmp_remove(f.dir);
}

/* Runs body in a fiber on a loop with an open store, strict. */
static void with_store(void (*body)(struct fx *f))
{
	run_store(body, false);
}

static void put(struct fx *f, uint32_t table, const char *k, const char *v)
{
	struct txn *t;

	assert_int_equal(store_write(f->s, &t), 0);
	assert_int_equal(store_put(t, table, SPAN_STR(k), SPAN_STR(v)), 0);
}

static void expect(struct fx *f, uint32_t table, const char *k, const char *v)
{
	struct span val;
	struct txn *t;
	bool in_batch;
	int rc;

	assert_int_equal(store_read(f->s, &t, &in_batch), 0);
	rc = store_get(t, table, SPAN_STR(k), &val);
	assert_int_equal(rc, v ? 0 : -ENOENT);
	if (v) {
		assert_int_equal(val.len, strlen(v));
		assert_memory_equal(val.ptr, v, val.len);
	}
}

struct noted {
	struct store_waiter w;
	int calls, rc;
};

static void note(struct store_waiter *w, int rc)
{
	struct noted *n = container_of(w, struct noted, w);

	n->calls++;
	n->rc = rc;
}

static void body_roundtrip(struct fx *f)
{
	struct txn *t;

	put(f, 0, "a", "1");
	put(f, 1, "a", "2");
	put(f, 0, "empty", "");
	expect(f, 0, "a", "1");
	expect(f, 1, "a", "2");
	expect(f, 0, "empty", "");
	expect(f, 0, "b", NULL);
	assert_int_equal(store_write(f->s, &t), 0);
	assert_int_equal(store_del(t, 0, SPAN_STR("a")), 0);
	assert_int_equal(store_del(t, 0, SPAN_STR("a")), -ENOENT);
	expect(f, 0, "a", NULL);
	assert_int_equal(store_put(t, 0, SPAN_NONE, SPAN_STR("x")), -EINVAL);
	assert_int_equal(store_co_sync(f->s), 0);
	expect(f, 0, "a", NULL);
	expect(f, 1, "a", "2");
}

static void values_come_back_and_deletes_stick(void **state)
{
	(void)state;
	with_store(body_roundtrip);
}

static void body_group(struct fx *f)
{
	struct noted n[3] = {{.w.fn = note}, {.w.fn = note}, {.w.fn = note}};
	uint64_t before = store_last_batch(f->s), trans;
	struct store_stats st0, st;
	int i;

	store_get_stats(f->s, &st0);
	for (i = 0; i < 3; i++) {
		put(f, 0, (const char *[]){"x", "y", "z"}[i], "v");
		store_on_commit(f->s, &n[i].w, true);
		assert_int_equal(n[i].calls, 0);
	}
	trans = store_batch(f->s);
	assert_true(trans > before);
	assert_int_equal(store_last_batch(f->s), before);
	co_sleep(NSEC_PER_MSEC);
	for (i = 0; i < 3; i++) {
		assert_int_equal(n[i].calls, 1);
		assert_int_equal(n[i].rc, 0);
	}
	store_get_stats(f->s, &st);
	assert_int_equal(st.commits - st0.commits, 1);
	assert_int_equal(st.ops - st0.ops, 3);
	assert_int_equal(store_last_batch(f->s), trans);
	assert_true(store_batch(f->s) > trans);
}

static void operations_of_one_pass_share_a_commit(void **state)
{
	(void)state;
	with_store(body_group);
}

static void body_lazy(struct fx *f)
{
	struct noted lazy = {.w.fn = note}, end = {.w.fn = note};
	struct txn *t;
	bool in_batch;

	put(f, 0, "k", "v");
	store_on_commit(f->s, &lazy.w, false);
	store_on_end(f->s, &end.w);
	assert_int_equal(store_read(f->s, &t, &in_batch), 0);
	assert_false(in_batch);
	co_sleep(5 * NSEC_PER_MSEC);
	assert_int_equal(lazy.calls, 1);
	assert_int_equal(end.calls, 0);
	while (!end.calls)
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(end.rc, 0);
	expect(f, 0, "k", "v");
}

static void a_lazy_operation_is_answered_before_its_commit(void **state)
{
	(void)state;
	with_store(body_lazy);
}

static void body_in_batch(struct fx *f)
{
	struct noted n = {.w.fn = note};
	struct txn *t;
	bool in_batch;

	assert_int_equal(store_read(f->s, &t, &in_batch), 0);
	assert_false(in_batch);
	put(f, 0, "k", "v");
	store_on_commit(f->s, &n.w, true);
	assert_int_equal(store_read(f->s, &t, &in_batch), 0);
	assert_true(in_batch);
	assert_int_equal(store_co_sync(f->s), 0);
	assert_int_equal(n.calls, 1);
	assert_int_equal(store_read(f->s, &t, &in_batch), 0);
	assert_false(in_batch);
}

static void who_reads_uncommitted_changes_is_told(void **state)
{
	(void)state;
	with_store(body_in_batch);
}

static void body_failure(struct fx *f)
{
	struct noted a = {.w.fn = note}, b = {.w.fn = note};

	put(f, 0, "kept", "1");
	assert_int_equal(store_co_sync(f->s), 0);
	store_inject_failure(f->s, 0, -ENOSPC);
	put(f, 0, "kept", "2");
	put(f, 0, "lost", "1");
	store_on_commit(f->s, &a.w, true);
	store_on_end(f->s, &b.w);
	co_sleep(NSEC_PER_MSEC);
	assert_int_equal(a.rc, -ENOSPC);
	assert_int_equal(b.rc, -ENOSPC);
	expect(f, 0, "kept", "1");
	expect(f, 0, "lost", NULL);
	put(f, 0, "lost", "again");
	assert_int_equal(store_co_sync(f->s), 0);
	expect(f, 0, "lost", "again");
}

static void a_failed_commit_fails_every_waiter_and_changes_nothing(void **state)
{
	(void)state;
	log_set_level(LOG_LVL_ERROR);
	with_store(body_failure);
}

static void body_growth(struct fx *f)
{
	static char big[60000];
	struct store_stats st;
	char key[16];
	int i;

	memset(big, 'x', sizeof(big) - 1);
	store_get_stats(f->s, &st);
	for (i = 0; i < 6000; i++) { /* 360 MB, far above map and head room */
		snprintf(key, sizeof(key), "k%d", i % 4000);
		put(f, 0, key, big);
		if (i % 50 == 49)
			assert_int_equal(store_co_sync(f->s), 0);
	}
	assert_int_equal(store_co_sync(f->s), 0);
	store_get_stats(f->s, &st);
	assert_true(st.used_bytes > 200 * MIB);
	assert_true(st.map_bytes >= st.used_bytes + st.map_bytes / 4);
	for (i = 0; i < 4000; i += 371) {
		snprintf(key, sizeof(key), "k%d", i);
		expect(f, 0, key, big);
	}
}

static void the_map_grows_by_itself(void **state)
{
	(void)state;
	with_store(body_growth);
}

static void body_big_batch(struct fx *f)
{
	static char big[60000];
	struct store_stats st0, st;
	struct noted n = {.w.fn = note};
	char key[16];
	int i;

	memset(big, 'x', sizeof(big) - 1);
	store_get_stats(f->s, &st0);
	for (i = 0; i < 3000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		put(f, 0, key, big);
		if (i == 0)
			store_on_end(f->s, &n.w);
		co_yield();
	}
	store_get_stats(f->s, &st);
	assert_true(st.commits - st0.commits >= 5);
	assert_int_equal(n.calls, 1);
	assert_int_equal(n.rc, 0);
}

static void a_batch_that_grows_large_commits_early(void **state)
{
	(void)state;
	with_store(body_big_batch);
}

static int collect(void *arg, struct span key, struct span val)
{
	char *out = arg;

	strncat(out, (const char *)key.ptr, key.len);
	strcat(out, val.ptr ? "+" : "-");
	return key.ptr[0] == 'd';
}

static void body_damage(struct fx *f)
{
	char seen[32] = "";
	struct span val;
	struct txn *t;
	bool in_batch;

	put(f, 0, "a", "1");
	put(f, 0, "b", "2");
	put(f, 0, "c", "3");
	put(f, 0, "d", "4");
	put(f, 0, "e", "5");
	assert_int_equal(store_co_sync(f->s), 0);
	assert_int_equal(store_inject_damage(f->s, 0, SPAN_STR("b")), 0);
	assert_int_equal(store_inject_damage(f->s, 0, SPAN_STR("nope")), -ENOENT);
	assert_int_equal(store_co_sync(f->s), 0);
	assert_int_equal(store_read(f->s, &t, &in_batch), 0);
	assert_int_equal(store_get(t, 0, SPAN_STR("b"), &val), -EUCLEAN);
	assert_int_equal(store_get(t, 0, SPAN_STR("a"), &val), 0);
	assert_int_equal(store_walk(t, 0, SPAN_NONE, collect, seen), 0);
	assert_string_equal(seen, "a+b-c+d+");
	put(f, 0, "b", "new");
	expect(f, 0, "b", "new");
}

static void a_damaged_value_is_found_and_only_that(void **state)
{
	(void)state;
	with_store(body_damage);
}

static void body_space(struct fx *f)
{
	assert_int_equal(store_space_check(f->s), 0);
}

static void a_disk_below_the_reserve_is_told(void **state)
{
	struct fx f = {0};
	struct store_cfg cfg = {
		.dir = f.dir,
		.tables = tables,
		.ntables = 2,
		.nosync = true,
		.reserve_bytes = 1ULL << 60,
	};

	(void)state;
	with_store(body_space);
	tmp_make(f.dir);
	assert_int_equal(loop_create(&f.l), 0);
	cfg.loop = f.l;
	assert_int_equal(store_open(&cfg, &f.s), 0);
	assert_int_equal(store_space_check(f.s), -ENOSPC);
	store_close(f.s);
	loop_destroy(f.l);
	tmp_remove(f.dir);
}

static void what_was_closed_is_there_after_opening(void **state)
{
	struct fx f = {0};

	(void)state;
	tmp_make(f.dir);
	assert_int_equal(loop_create(&f.l), 0);
	open_store(&f, 0);
	put(&f, 1, "k", "v");
	store_close(f.s);
	loop_destroy(f.l);
	assert_int_equal(loop_create(&f.l), 0);
	open_store(&f, 0);
	expect(&f, 1, "k", "v");
	store_close(f.s);
	loop_destroy(f.l);
	tmp_remove(f.dir);
}

/* ---- the redo log ---- */

static void body_early(struct fx *f)
{
	uint64_t before = store_last_batch(f->s);
	struct noted n = {.w.fn = note}, end = {.w.fn = note};
	bool in_batch;
	struct txn *t;

	put(f, 0, "a", "1");
	store_on_commit(f->s, &n.w, true);
	store_on_end(f->s, &end.w);
	assert_int_equal(store_read(f->s, &t, &in_batch), 0);
	assert_true(in_batch); /* not in the log yet */
	co_sleep(NSEC_PER_MSEC);
	assert_int_equal(n.calls, 1);
	assert_int_equal(n.rc, 0);
	assert_int_equal(end.calls, 0);
	assert_int_equal(store_last_batch(f->s), before);
	assert_int_equal(store_read(f->s, &t, &in_batch), 0);
	assert_false(in_batch);
	assert_int_equal(store_co_settled(f->s), 0);
	assert_int_equal(end.calls, 1);
	assert_true(store_last_batch(f->s) > before);
}

static void an_answer_leaves_with_the_log_and_the_commit_follows(void **state)
{
	(void)state;
	run_store(body_early, true);
}

static void body_answered_then_full(struct fx *f)
{
	struct noted a = {.w.fn = note}, end = {.w.fn = note}, b = {.w.fn = note};

	put(f, 0, "a", "1");
	store_on_commit(f->s, &a.w, true);
	store_on_end(f->s, &end.w);
	co_sleep(NSEC_PER_MSEC);
	assert_int_equal(a.calls, 1);
	/* The commit fails after the answer: what was answered is saved from the log. */
	store_inject_failure(f->s, 0, -ENOSPC);
	put(f, 0, "b", "2");
	store_on_commit(f->s, &b.w, true);
	assert_int_equal(store_co_sync(f->s), 0);
	assert_int_equal(b.rc, 0);
	assert_int_equal(end.rc, 0);
	expect(f, 0, "a", "1");
	expect(f, 0, "b", "2");
}

static void what_was_answered_survives_a_failed_commit(void **state)
{
	(void)state;
	log_set_level(LOG_LVL_ERROR);
	run_store(body_answered_then_full, true);
}

/* A process that answers and dies. n changes in passes of their own, the last one never answered.
 */
static void body_die(struct fx *f)
{
	struct noted n[20];
	struct txn *t;
	char key[24];

	for (int i = 0; i < 20; i++) {
		n[i] = (struct noted){.w.fn = note};
		snprintf(key, sizeof(key), "k%d", i);
		put(f, (uint32_t)i % 2, key, "value");
		if (i == 10)
			assert_int_equal(store_co_sync(f->s), 0);
		store_on_commit(f->s, &n[i].w, true);
		co_sleep(NSEC_PER_MSEC / 10);
		assert_int_equal(n[i].calls, 1);
	}
	assert_int_equal(store_write(f->s, &t), 0);
	assert_int_equal(store_del(t, 1, SPAN_STR("k11")), 0);
	store_on_commit(f->s, &n[0].w, true);
	co_sleep(NSEC_PER_MSEC / 10);
	put(f, 0, "unanswered", "x");
	_exit(0);
}

static void die_in_child(struct fx *f)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		f->body = body_die;
		if (loop_create(&f->l))
			_exit(1);
		open_store(f, 0);
		if (fiber_spawn(f->l, fiber_main, f))
			_exit(2);
		loop_run(f->l);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void expect_answered(struct fx *f)
{
	char key[24];

	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		expect(f, (uint32_t)i % 2, key, i == 11 ? NULL : "value");
	}
	expect(f, 0, "unanswered", NULL);
}

static void what_was_answered_survives_the_process(void **state)
{
	struct fx f = {.logged = true};
	struct store_stats st;

	(void)state;
	log_set_level(LOG_LVL_ERROR);
	tmp_make(f.dir);
	die_in_child(&f);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(loop_create(&f.l), 0);
		open_store(&f, 0);
		store_get_stats(f.s, &st);
		if (round)
			assert_int_equal(st.redone, 0);
		else
			assert_true(st.redone >= 1);
		expect_answered(&f);
		store_close(f.s);
		loop_destroy(f.l);
	}
	tmp_remove(f.dir);
}

/* A loss of power may leave any prefix of the log, or garbage in it: what is left is a past that
 * was. */
static void a_torn_log_gives_a_prefix(void **state)
{
	struct fx f = {.logged = true};
	char path[128];

	(void)state;
	log_set_level(LOG_LVL_ERROR);
	for (int cut = 0; cut < 400; cut += 13) {
		tmp_make(f.dir);
		die_in_child(&f);
		for (int i = 0; i < 2; i++) {
			struct stat st;
			int fd;

			snprintf(path, sizeof(path), "%s/redo.%d", f.dir, i);
			fd = open(path, O_RDWR);
			assert_true(fd >= 0);
			assert_int_equal(fstat(fd, &st), 0);
			if (st.st_size > cut)
				assert_int_equal(pwrite(fd, "garbage", 7, st.st_size - cut), 7);
			close(fd);
		}
		assert_int_equal(loop_create(&f.l), 0);
		open_store(&f, 0);
		for (int i = 0; i <= 10; i++) {
			char key[24];

			snprintf(key, sizeof(key), "k%d", i);
			expect(&f, (uint32_t)i % 2, key, "value");
		}
		store_close(f.s);
		loop_destroy(f.l);
		tmp_remove(f.dir);
	}
}

/* ---- changes and commits by number ---- */

static void body_numbers(struct fx *f)
{
	struct noted disk = {.w.fn = note};

	store_set_interval(f->s, 60000);
	assert_int_equal(store_interval(f->s), 60000);
	store_first_transno(f->s, 1000);
	assert_int_equal(store_last_committed(f->s), 1000);
	put(f, 0, "a", "1");
	assert_int_equal(store_next_transno(f->s), 1001);
	assert_int_equal(store_next_transno(f->s), 1002);
	assert_int_equal(store_transno(f->s), 1002);
	assert_int_equal(store_last_committed(f->s), 1000);
	assert_int_equal(store_commit(f->s), 0);
	assert_int_equal(store_last_committed(f->s), 1002);
	assert_int_equal(store_commit(f->s), 0); /* there is nothing */
	expect(f, 0, "a", "1");
	put(f, 0, "b", "2");
	assert_int_equal(store_next_transno(f->s), 1003);
	store_on_disk(f->s, &disk.w);
	assert_int_equal(disk.calls, 0);
	co_sleep(NSEC_PER_MSEC);
	assert_int_equal(disk.calls, 1);
	assert_int_equal(store_last_committed(f->s), 1003);
	store_inject_failure(f->s, 0, -ENOSPC);
	put(f, 0, "c", "3");
	assert_int_equal(store_next_transno(f->s), 1004);
	assert_int_equal(store_commit(f->s), -ENOSPC);
	assert_int_equal(store_last_committed(f->s), 1003);
	expect(f, 0, "c", NULL);
}

static void changes_are_numbered_and_commits_tell_how_far(void **state)
{
	(void)state;
	with_store(body_numbers);
}

static void open_on(struct fx *f, const char *machine, bool lost)
{
	f->machine = machine;
	open_store(f, 0);
	assert_int_equal(store_lost_power(f->s), lost);
}

static void another_machine_may_lack_the_log(void **state)
{
	struct fx f = {.logged = true};

	(void)state;
	tmp_make(f.dir);
	assert_int_equal(loop_create(&f.l), 0);
	open_on(&f, "first", true);
	store_close(f.s);
	open_on(&f, "first", true); /* until somebody says that all is there */
	assert_int_equal(store_power_settled(f.s), 0);
	assert_false(store_lost_power(f.s));
	store_close(f.s);
	open_on(&f, "first", false);
	store_close(f.s);
	open_on(&f, "second", true);
	assert_int_equal(store_power_settled(f.s), 0);
	store_close(f.s);
	open_on(&f, "second", false);
	store_close(f.s);
	open_on(&f, "first", true);
	store_close(f.s);
	open_on(&f, NULL, true); /* this one */
	assert_int_equal(store_power_settled(f.s), 0);
	store_close(f.s);
	open_on(&f, NULL, false);
	store_close(f.s);
	loop_destroy(f.l);
	tmp_remove(f.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_back_and_deletes_stick),
		cmocka_unit_test(operations_of_one_pass_share_a_commit),
		cmocka_unit_test(a_lazy_operation_is_answered_before_its_commit),
		cmocka_unit_test(who_reads_uncommitted_changes_is_told),
		cmocka_unit_test(a_failed_commit_fails_every_waiter_and_changes_nothing),
		cmocka_unit_test(the_map_grows_by_itself),
		cmocka_unit_test(a_batch_that_grows_large_commits_early),
		cmocka_unit_test(a_damaged_value_is_found_and_only_that),
		cmocka_unit_test(a_disk_below_the_reserve_is_told),
		cmocka_unit_test(what_was_closed_is_there_after_opening),
		cmocka_unit_test(an_answer_leaves_with_the_log_and_the_commit_follows),
		cmocka_unit_test(what_was_answered_survives_a_failed_commit),
		cmocka_unit_test(what_was_answered_survives_the_process),
		cmocka_unit_test(a_torn_log_gives_a_prefix),
		cmocka_unit_test(changes_are_numbered_and_commits_tell_how_far),
		cmocka_unit_test(another_machine_may_lack_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
