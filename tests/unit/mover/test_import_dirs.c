/* SPDX-License-Identifier: Apache-2.0 */
/* test_import_dirs.c - which directories a page of names needs. */
#include "mover/import_dirs.h"
#include "tests/unit/unit.h"

static struct dir *add(struct dir_table *t, const char *path)
{
	struct dir *d = dir_table_add(t, path, strlen(path));

	assert_non_null(d);
	return d;
}

static void all_above_are_needed_once(void **state)
{
	struct fid top = {1, 2, 3};
	struct dir_table t;
	struct dir_cache *k;
	struct dir *d;

	(void)state;
	assert_int_equal(dir_cache_create(&k), 0);
	dir_table_init(&t, k, &top);
	d = add(&t, "a/b/c");
	assert_ptr_equal(add(&t, "a/b/c"), d);
	assert_ptr_equal(add(&t, "a/b"), d->parent);
	add(&t, "x");
	assert_true(fid_eq(&add(&t, "")->fid, &top));
	assert_int_equal(t.n, 4);
	dir_table_sort(&t);
	assert_int_equal(t.all[0]->depth, 1);
	assert_int_equal(t.all[1]->depth, 1);
	assert_int_equal(t.all[2]->depth, 2);
	assert_ptr_equal(t.all[3], d);
	assert_true(d->depth == 3 && !d->ready && d->parent->parent->parent == &t.top);
	dir_table_fini(&t);
	dir_cache_destroy(k);
}

static void what_is_known_is_not_asked_for(void **state)
{
	struct fid top = {1, 2, 3}, fid = {4, 5, 6};
	struct dir_table t;
	struct dir_cache *k;
	struct dir *d;
	int blob;

	(void)state;
	assert_int_equal(dir_cache_create(&k), 0);
	dir_cache_put(k, "a/b", 3, &fid);
	dir_table_init(&t, k, &top);
	d = add(&t, "a/b/c");
	assert_int_equal(t.n, 2);
	assert_true(!d->ready && d->parent->ready && fid_eq(&d->parent->fid, &fid));
	assert_null(d->parent->parent);
	/* Unless there is something to be told. */
	d = dir_table_add_blob(&t, "a/b", 3, &blob);
	assert_true(!d->ready && d->parent && d->parent->depth == 1 && d->blob == &blob);
	assert_ptr_equal(dir_table_add_blob(&t, "", 0, &blob), &t.top);
	assert_true(t.top.ready && !t.top.blob);
	dir_table_fini(&t);
	dir_cache_destroy(k);
}

static void memory_is_bounded(void **state)
{
	struct fid fid = {4, 5, 6}, out;
	struct dir_cache *k;
	char path[32];
	int i, there = 0, n;

	(void)state;
	assert_int_equal(dir_cache_create(&k), 0);
	for (i = 0; i < 200000; i++) {
		n = snprintf(path, sizeof(path), "d/%d", i);
		fid.oid = (uint32_t)i;
		dir_cache_put(k, path, (size_t)n, &fid);
	}
	for (i = 0; i < 200000; i++) {
		n = snprintf(path, sizeof(path), "d/%d", i);
		if (dir_cache_find(k, path, (size_t)n, &out)) {
			assert_int_equal(out.oid, i);
			there++;
		}
	}
	assert_true(there > 0 && there <= 1 << 16);
	dir_cache_destroy(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_above_are_needed_once),
		cmocka_unit_test(what_is_known_is_not_asked_for),
		cmocka_unit_test(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
