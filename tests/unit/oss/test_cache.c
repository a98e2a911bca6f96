/* SPDX-License-Identifier: Apache-2.0 */
/* test_cache.c - open objects: LRU, locks, records that are damaged or another's. */
#include "tests/unit/oss/oss_test.h"

struct bare {
	struct disk *disk;
	struct cache *cache;
	uint32_t max_open;
};

static void begin(struct oss_test *t, struct bare *b, uint32_t max_open)
{
	b->max_open = max_open;
	CHECK_RC(disk_open(t->l, t->dir, &b->disk), 0);
	CHECK_RC(cache_create(t->l, b->disk, "test", &b->max_open, &b->cache), 0);
}

static void end(struct bare *b)
{
	cache_destroy(b->cache);
	disk_close(b->disk);
}

static struct object_id id_of(uint32_t oid)
{
	return (struct object_id){{FID_SEQ_NORMAL + 1, oid, 0}, 1, 0};
}

static void make(struct bare *b, uint32_t oid, int64_t *wtime)
{
	struct object_id id = id_of(oid);
	struct object *o;

	CHECK_RC(cache_co_get(b->cache, &id, CACHE_SHARED | CACHE_CREATE, 0, &o), 0);
	assert_non_null(o->file);
	cache_touch(b->cache, o);
	*wtime = o->wtime;
	cache_put(b->cache, o);
}

enum { MANY = 50, FEW = 7 };

static void t_lru(struct oss_test *t)
{
	struct bare b;
	int64_t wtime[MANY];

	begin(t, &b, FEW);
	for (uint32_t i = 0; i < MANY; i++)
		make(&b, i + 1, &wtime[i]);
	assert_int_equal(cache_get_stats(b.cache)->open, FEW);
	for (uint32_t i = 0; i < MANY; i++) {
		struct object_id id = id_of(i + 1);
		struct object_attr a;
		struct object *o;

		CHECK_RC(cache_co_get(b.cache, &id, CACHE_SHARED, 0, &o), 0);
		CHECK_RC(cache_attr(o, &a), 0);
		assert_int_equal(a.flags, OBJ_EXISTS);
		assert_true(a.mtime == wtime[i]); /* though the file's own time is coarse */
		assert_int_equal(a.blocks, 0);	  /* the record lies in the inode */
		cache_put(b.cache, o);
	}
	assert_int_equal(cache_get_stats(b.cache)->open, FEW);
	for (uint32_t i = 0; i < MANY; i++) {
		struct object_id id = id_of(1000 + i);
		struct object *o;

		CHECK_RC(cache_co_get(b.cache, &id, CACHE_SHARED, 0, &o), 0);
		assert_null(o->file);
		cache_put(b.cache, o);
	}
	/* absent ones push out no open ones */
	assert_int_equal(cache_get_stats(b.cache)->open, FEW);
	assert_int_equal(cache_get_stats(b.cache)->absent, FEW);
	end(&b);
}

static void unused_objects_are_closed_and_their_times_survive(void **state)
{
	(void)state;
	oss_test_run_as(t_lru, true);
}

static void t_in_use(struct oss_test *t)
{
	struct object *o[20];
	struct bare b;

	begin(t, &b, 3);
	for (uint32_t i = 0; i < ARRAY_SIZE(o); i++) {
		struct object_id id = id_of(i + 1);

		CHECK_RC(cache_co_get(b.cache, &id, CACHE_SHARED | CACHE_CREATE, 0, &o[i]), 0);
	}
	assert_int_equal(cache_get_stats(b.cache)->open, ARRAY_SIZE(o));
	for (uint32_t i = 0; i < ARRAY_SIZE(o); i++)
		cache_put(b.cache, o[i]);
	assert_int_equal(cache_get_stats(b.cache)->open, 3);
	end(&b);
}

static void objects_in_use_stay_open_beyond_the_limit(void **state)
{
	(void)state;
	oss_test_run_as(t_in_use, true);
}

/* ---- what the disk has ---- */

static void t_stable(struct oss_test *t)
{
	struct object_id id = id_of(1);
	struct object *o;
	uint64_t change;
	struct bare b;
	uint64_t upto;

	begin(t, &b, 3);
	assert_true(cache_stable(b.cache) < cache_changes(b.cache)); /* an earlier life */
	CHECK_RC(cache_co_get(b.cache, &id, CACHE_SHARED | CACHE_CREATE, 0, &o), 0);
	change = o->change;
	assert_int_equal(change, cache_changes(b.cache)); /* that it is there */
	cache_touch(b.cache, o);
	assert_true(o->change > change);
	change = o->change;
	CHECK_RC(cache_co_sync(b.cache, o), 0);
	assert_int_equal(o->synced, change);
	o->synced = 0; /* to see who sets it */
	CHECK_RC(cache_co_sync_all(b.cache, &upto), 0);
	assert_int_equal(upto, change);
	cache_is_stable(b.cache, upto);
	assert_int_equal(cache_stable(b.cache), change);
	CHECK_RC(cache_co_sync(b.cache, o), 0);
	assert_int_equal(o->synced, 0); /* there was nothing to do */
	cache_touch(b.cache, o);
	CHECK_RC(cache_co_sync(b.cache, o), 0);
	assert_int_equal(o->synced, change + 1);
	cache_put(b.cache, o);
	end(&b);
}

static void what_is_on_the_disk_is_not_synced_again(void **state)
{
	(void)state;
	oss_test_run_as(t_stable, true);
}

static void t_forgotten(struct oss_test *t)
{
	struct object_id id = id_of(1);
	struct object *o;
	int64_t wtime;
	struct bare b;
	uint64_t upto;

	begin(t, &b, 1);
	CHECK_RC(cache_co_sync_all(b.cache, &upto), 0);
	cache_is_stable(b.cache, upto);
	make(&b, 1, &wtime);
	make(&b, 2, &wtime); /* 1 leaves memory, and is not on the disk */
	CHECK_RC(cache_co_get(b.cache, &id, CACHE_SHARED, 0, &o), 0);
	CHECK_RC(cache_co_sync(b.cache, o), 0);
	assert_true(o->synced > cache_stable(b.cache));
	cache_put(b.cache, o);
	end(&b);
}

static void an_object_that_left_memory_is_synced_when_it_is_back(void **state)
{
	(void)state;
	oss_test_run_as(t_forgotten, true);
}

/* ---- locks ---- */

struct step {
	struct bare *b;
	uint32_t flags;
	char what, *log;
	struct co_waitq *hold; /* keeps the object until woken; NULL: gives it back at once */
};

static int take(void *arg)
{
	struct step *s = arg;
	struct object_id id = id_of(1);
	struct object *o;
	int rc = cache_co_get(s->b->cache, &id, s->flags, 0, &o);

	if (rc)
		return rc;
	strncat(s->log, &s->what, 1);
	if (s->hold)
		rc = co_wait(s->hold, 0);
	cache_put(s->b->cache, o);
	return rc;
}

static void t_locks(struct oss_test *t)
{
	struct co_group g = CO_GROUP_INIT;
	struct co_waitq hold;
	struct bare b;
	char log[16] = "";
	int64_t wtime;
	struct step step[] = {
		{&b, CACHE_SHARED, 'a', log, &hold},	{&b, CACHE_SHARED, 'b', log, &hold},
		{&b, CACHE_EXCLUSIVE, 'X', log, NULL},	{&b, CACHE_SHARED, 'c', log, NULL},
		{&b, CACHE_EXCLUSIVE, 'Y', log, NULL},
	};

	co_waitq_init(&hold);
	begin(t, &b, 10);
	make(&b, 1, &wtime);
	for (size_t i = 0; i < ARRAY_SIZE(step); i++) {
		co_spawn(&g, take, &step[i]);
		co_yield();
		co_yield();
	}
	assert_string_equal(log, "ab"); /* sharers together; the rest behind X */
	co_wake_all(&hold);
	CHECK_RC(co_join(&g), 0);
	assert_int_equal(strlen(log), 5);
	assert_true(strchr(log, 'X') < strchr(log, 'c'));
	end(&b);
}

static void exclusive_use_waits_for_sharers_and_is_not_overtaken(void **state)
{
	(void)state;
	oss_test_run_as(t_locks, true);
}

static void t_open_once(struct oss_test *t)
{
	struct co_group g = CO_GROUP_INIT;
	struct bare b;
	char log[32] = "";
	struct step s = {&b, CACHE_SHARED | CACHE_CREATE, 'o', log, NULL};

	begin(t, &b, 10);
	for (int i = 0; i < 20; i++)
		co_spawn(&g, take, &s);
	CHECK_RC(co_join(&g), 0);
	assert_int_equal(strlen(log), 20);
	assert_int_equal(cache_get_stats(b.cache)->misses, 1);
	assert_int_equal(cache_get_stats(b.cache)->open, 1);
	end(&b);
}

/* One opens it, then all use it at once: nobody gives it back before all have it. */
static void t_together(struct oss_test *t)
{
	struct co_group g = CO_GROUP_INIT;
	struct co_waitq hold;
	struct bare b;
	char log[32] = "";
	struct step s = {&b, CACHE_SHARED | CACHE_CREATE, 'o', log, &hold};

	co_waitq_init(&hold);
	begin(t, &b, 10);
	for (int i = 0; i < 20; i++)
		co_spawn(&g, take, &s);
	while (strlen(log) < 20)
		co_sleep(NSEC_PER_MSEC);
	co_wake_all(&hold);
	CHECK_RC(co_join(&g), 0);
	end(&b);
}

static void the_first_users_of_an_object_share_it(void **state)
{
	(void)state;
	oss_test_run_as(t_together, true);
}

static void many_who_want_a_new_object_get_the_same_one(void **state)
{
	(void)state;
	oss_test_run_as(t_open_once, true);
}

/* ---- bad records ---- */

/* A command on the object's file, $F. */
static void damage(struct oss_test *t, uint32_t oid, const char *what)
{
	struct object_id id = id_of(oid);
	char path[OBJECT_PATH_MAX], command[512];

	snprintf(command, sizeof(command), "cd %s && F=%s && %s", t->dir, object_path(&id, path),
		 what);
	CHECK_RC(system(command), 0);
}

static int open_rc(struct bare *b, uint32_t oid)
{
	struct object_id id = id_of(oid);
	struct object *o;
	int rc = cache_co_get(b->cache, &id, CACHE_SHARED, 0, &o);

	if (rc == 0)
		cache_put(b->cache, o);
	return rc;
}

static void t_damaged(struct oss_test *t)
{
	struct bare b;
	int64_t wtime;

	for (uint32_t i = 1; i <= 4; i++) {
		begin(t, &b, 10);
		make(&b, i, &wtime);
		end(&b);
	}
	log_set_level(LOG_LVL_ERROR);
	damage(t, 1, "setfattr -n user.sheen -v xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx $F");
	damage(t, 2, "cp --preserve=xattr $F O/200000401/03/3.1.0");
	damage(t, 4, "setfattr -x user.sheen $F");
	begin(t, &b, 10);
	CHECK_RC(open_rc(&b, 1), -EUCLEAN);
	CHECK_RC(open_rc(&b, 1), -EUCLEAN); /* again: the refusal leaves nothing behind */
	CHECK_RC(open_rc(&b, 2), 0);
	CHECK_RC(open_rc(&b, 3), -EUCLEAN); /* is a copy of 2 */
	CHECK_RC(open_rc(&b, 4), 0);	    /* never had a record: its maker was cut off */
	end(&b);
}

static void damaged_and_misplaced_files_are_refused_and_the_others_work(void **state)
{
	(void)state;
	oss_test_run_as(t_damaged, true);
}

static void t_bad_id(struct oss_test *t)
{
	struct object_id id = {FID_ROOT, 1, 0};
	struct object *o;
	struct bare b;

	begin(t, &b, 10);
	CHECK_RC(cache_co_get(b.cache, &id, CACHE_SHARED | CACHE_CREATE, 0, &o), -EINVAL);
	end(&b);
}

static void impossible_ids_are_refused(void **state)
{
	(void)state;
	oss_test_run_as(t_bad_id, true);
}

/* Somebody looks while bytes of a write are in the file already. */
static void t_write_on_its_way(struct oss_test *t)
{
	struct iovec iov = {(char *)"hello", 5};
	struct object_id id = id_of(1);
	struct object_attr a;
	struct object *o;
	struct bare b;

	begin(t, &b, FEW);
	CHECK_RC(cache_co_get(b.cache, &id, CACHE_SHARED | CACHE_CREATE, 0, &o), 0);
	CHECK_RC(cache_attr(o, &a), 0);
	assert_int_equal(a.size, 0);
	cache_write_begin(o);
	CHECK_RC(cache_attr(o, &a), 0);
	CHECK_RC(disk_co_write(o->file, &iov, 1, 10), 0);
	CHECK_RC(cache_attr(o, &a), 0);
	assert_int_equal(a.size, 15);
	iov = (struct iovec){(char *)"hello", 5};
	CHECK_RC(disk_co_write(o->file, &iov, 1, 20), 0);
	CHECK_RC(cache_attr(o, &a), 0);
	assert_int_equal(a.size, 25);
	cache_write_end(o);
	cache_touch(b.cache, o);
	cache_put(b.cache, o);
	end(&b);
}

static void the_size_grows_while_a_write_is_on_its_way(void **state)
{
	(void)state;
	oss_test_run_as(t_write_on_its_way, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unused_objects_are_closed_and_their_times_survive),
		cmocka_unit_test(what_is_on_the_disk_is_not_synced_again),
		cmocka_unit_test(an_object_that_left_memory_is_synced_when_it_is_back),
		cmocka_unit_test(objects_in_use_stay_open_beyond_the_limit),
		cmocka_unit_test(exclusive_use_waits_for_sharers_and_is_not_overtaken),
		cmocka_unit_test(the_first_users_of_an_object_share_it),
		cmocka_unit_test(many_who_want_a_new_object_get_the_same_one),
		cmocka_unit_test(damaged_and_misplaced_files_are_refused_and_the_others_work),
		cmocka_unit_test(impossible_ids_are_refused),
		cmocka_unit_test(the_size_grows_while_a_write_is_on_its_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
