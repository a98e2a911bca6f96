/* SPDX-License-Identifier: Apache-2.0 */
/* test_redo.c - what was flushed comes back, whole or as a prefix; what was not, does not. */
#include "common/redo.h"
#include "common/proto/field.h"
#include "tests/unit/unit.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct fx {
	char dir[64];
	int fd;
	struct redo *r;
};

static void up(struct fx *f)
{
	tmp_make(f->dir);
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY);
	assert_true(f->fd >= 0);
	assert_int_equal(redo_open(f->fd, &f->r), 0);
}

static void down(struct fx *f)
{
	redo_close(f->r);
	close(f->fd);
	tmp_remove(f->dir);
}

/* Writes "put 0 k=v;" for each change. */
static int note(void *arg, enum redo_op op, uint32_t table, struct span key, struct span val)
{
	FILE *out = arg;

	fprintf(out, "%s %u %.*s=%.*s;", op == REDO_PUT ? "put" : "del", table, (int)key.len,
		(const char *)key.ptr, (int)val.len, (const char *)val.ptr);
	return 0;
}

static void expect(struct fx *f, uint64_t batch, const char *want)
{
	size_t len;
	char *text;
	uint64_t n;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(redo_replay(f->r, batch, note, out, &n), 0);
	fclose(out);
	assert_string_equal(text, want);
	free(text);
}

static void add(struct fx *f, enum redo_op op, const char *k, const char *v)
{
	redo_add(f->r, op, 3, SPAN_STR(k), SPAN_STR(v));
}

static void changes_come_back_in_order(void **state)
{
	struct fx f;

	(void)state;
	up(&f);
	expect(&f, 7, "");
	redo_begin(f.r, 7);
	assert_false(redo_pending(f.r));
	assert_int_equal(redo_flush(f.r), 0);
	add(&f, REDO_PUT, "a", "1");
	add(&f, REDO_PUT, "b", "");
	assert_true(redo_pending(f.r));
	expect(&f, 7, "");
	assert_int_equal(redo_flush(f.r), 0);
	add(&f, REDO_DEL, "a", "");
	assert_int_equal(redo_flush(f.r), 0);
	add(&f, REDO_PUT, "lost", "x");
	expect(&f, 7, "put 3 a=1;put 3 b=;del 3 a=;");
	down(&f);
}

static void a_batch_does_not_show_the_one_that_was_in_its_file(void **state)
{
	struct fx f;

	(void)state;
	up(&f);
	for (uint64_t batch = 1; batch <= 4; batch++) {
		redo_begin(f.r, batch);
		for (uint64_t i = batch; i <= 4; i++) {
			add(&f, REDO_PUT, "k", (char[]){(char)('0' + batch), 0});
			assert_int_equal(redo_flush(f.r), 0);
		}
	}
	expect(&f, 4, "put 3 k=4;");
	expect(&f, 3, "put 3 k=3;put 3 k=3;");
	expect(&f, 2, "");
	expect(&f, 1, "");
	down(&f);
}

static void a_log_cut_anywhere_gives_whole_chunks_only(void **state)
{
	struct fx f;
	struct stat st;

	(void)state;
	up(&f);
	redo_begin(f.r, 2);
	add(&f, REDO_PUT, "a", "1");
	assert_int_equal(redo_flush(f.r), 0);
	assert_int_equal(fstatat(f.fd, "redo.0", &st, 0), 0);
	off_t first = st.st_size;

	add(&f, REDO_PUT, "b", "2");
	assert_int_equal(redo_flush(f.r), 0);
	assert_int_equal(fstatat(f.fd, "redo.0", &st, 0), 0);
	for (off_t cut = st.st_size - 1; cut >= 0; cut--) {
		int fd = openat(f.fd, "redo.0", O_RDWR);

		assert_int_equal(ftruncate(fd, cut), 0);
		close(fd);
		expect(&f, 2, cut >= first ? "put 3 a=1;" : "");
	}
	down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_come_back_in_order),
		cmocka_unit_test(a_batch_does_not_show_the_one_that_was_in_its_file),
		cmocka_unit_test(a_log_cut_anywhere_gives_whole_chunks_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
