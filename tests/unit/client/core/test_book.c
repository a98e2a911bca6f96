/* SPDX-License-Identifier: Apache-2.0 */
/* test_book.c - what one process writes into the book, and the next one finds there. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/core/book.h"
#include "client/core/locktab.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static int book_file_new(void)
{
	int fd = memfd_create("test", 0);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)book_size()), 0);
	return fd;
}

static void places_are_used_again(void **state)
{
	struct book_file *a, *b;
	struct book *k;
	int object;

	(void)state;
	assert_int_equal(book_open(-1, &k), 0);
	assert_false(book_is_inherited(k));
	a = book_file_get(k);
	b = book_file_get(k);
	assert_ptr_not_equal(a, b);
	assert_true(book_file_is(a, BOOK_USED));
	book_set_object(k, book_file_index(k, a), &object);
	assert_ptr_equal(book_object(k, book_file_index(k, a)), &object);
	book_file_put(k, a);
	assert_null(book_object(k, 0));
	assert_null(book_object(k, BOOK_FILES));
	assert_ptr_equal(book_file_get(k), a);
	assert_false(book_file_is(a, BOOK_OPEN));
	book_close(k);
}

static void the_next_process_finds_files(void **state)
{
	struct book_file *f;
	int fd = book_file_new();
	struct book *k;
	uint32_t i;

	(void)state;
	assert_int_equal(book_open(fd, &k), 0);
	book_file_put(k, (book_file_get(k), book_file_get(k)));
	f = book_file_at(k, 0);
	f->open_id = 77;
	book_file_set(f, BOOK_OPEN | BOOK_TOLD);
	book_head(k)->mounted = 1;
	book_close(k);
	assert_int_equal(book_open(fd, &k), 0);
	assert_true(book_is_inherited(k));
	assert_int_equal(book_head(k)->generation, 2);
	assert_int_equal(book_file_at(k, 0)->open_id, 77);
	assert_true(book_file_is(book_file_at(k, 0), BOOK_OPEN | BOOK_TOLD));
	assert_null(book_object(k, 0));
	for (i = 1; i < 4; i++) /* the free place first, then new ones */
		assert_int_equal(book_file_index(k, book_file_get(k)), i);
	book_close(k);
	close(fd);
}

static void other_versions_are_refused(void **state)
{
	int fd = book_file_new();
	struct book *k;

	(void)state;
	assert_int_equal(book_open(fd, &k), 0);
	book_head(k)->version++;
	book_close(k);
	assert_int_equal(book_open(fd, &k), -EPROTO);
	close(fd);
}

static void lock(struct locktab *t, uint8_t type, uint64_t start, uint64_t end)
{
	struct held_lock l = {
		.fid = {5, 1, 0}, .type = type, .owner = 9, .start = start, .end = end};

	assert_int_equal(locktab_set(t, &l), 0);
}

static void the_next_process_finds_locks(void **state)
{
	const struct held_lock *l;
	int fd = book_file_new();
	struct locktab dead, t;
	struct book *of_dead, *k;
	uint64_t sum = 0;

	(void)state;
	assert_int_equal(book_open(fd, &of_dead), 0);
	locktab_init(&dead);
	assert_int_equal(locktab_use_book(&dead, of_dead), 0);
	lock(&dead, F_WRLCK, 0, 99);
	lock(&dead, F_UNLCK, 10, 19); /* leaves two */
	locktab_init(&t);
	assert_int_equal(book_open(fd, &k), 0);
	assert_int_equal(locktab_use_book(&t, k), 0);
	assert_int_equal(t.n, 2);
	for (l = locktab_next(&t, NULL); l; l = locktab_next(&t, l))
		sum += l->end - l->start + 1;
	assert_int_equal(sum, 90);
	locktab_fini(&t);
	assert_int_equal(locktab_use_book(&t, k), 0);
	assert_int_equal(t.n, 0);
	book_close(k);
	locktab_fini(&dead); /* its memory only: the dead write to no book that is in use */
	book_close(of_dead);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_used_again),
		cmocka_unit_test(the_next_process_finds_files),
		cmocka_unit_test(other_versions_are_refused),
		cmocka_unit_test(the_next_process_finds_locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
