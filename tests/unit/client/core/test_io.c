/* SPDX-License-Identifier: Apache-2.0 */
/* test_io.c - reads, writes, sizes and closes of striped files against fake servers. */
#include "tests/unit/client/core/fake_cluster.h"

static uint8_t *pattern(size_t len, uint64_t seed)
{
	uint8_t *p = malloc(len);

	assert_non_null(p);
	rnd_fill(&seed, p, len);
	return p;
}

static void write_all(struct file *file, const uint8_t *buf, size_t len, uint64_t off)
{
	assert_int_equal(fs_co_write(fake->ln, file, buf, len, &off, false, false), len);
}

#define MOUNTED_TEST(name, body) FAKE_MOUNTED_TEST(name, fake_mounted, body)

static void stripes_body(struct fake *f)
{
	size_t len = 10 * SS + 777;
	uint8_t *data = pattern(len, 1), *back = calloc(1, len + 100);
	struct file *file;

	fake_file(4);
	file = fake_open_file(O_RDWR);
	write_all(file, data, len, 12345);
	assert_int_equal(f->calls[RPC_oss_write], 4);
	assert_int_equal(fs_co_read(f->ln, file, back, len + 100, 12345), len);
	assert_memory_equal(back, data, len);
	assert_int_equal(fs_co_read(f->ln, file, back, 12345, 0), 12345);
	for (uint32_t i = 0; i < 12345; i++)
		assert_int_equal(back[i], 0);
	assert_int_equal(fs_co_read(f->ln, file, back, 10, 12345 + len), 0);
	fs_co_release(f->ln, file);
	free(data);
	free(back);
}
MOUNTED_TEST(a_write_goes_to_every_object_once_and_reads_back, stripes_body)

static void windows_body(struct fake *f)
{
	size_t len = 9 * MAX_BULK + 4321;
	uint8_t *data = pattern(len, 2), *back = calloc(1, len);
	struct file *file;

	fake_file(4);
	file = fake_open_file(O_RDWR);
	write_all(file, data, len, 99999);
	assert_int_equal(fs_co_read(f->ln, file, back, len, 99999), len);
	assert_memory_equal(back, data, len);
	fs_co_release(f->ln, file);
	free(data);
	free(back);
}
MOUNTED_TEST(requests_larger_than_a_message_are_cut, windows_body)

static void hole_body(struct fake *f)
{
	uint8_t one = 0x55, *back = malloc(8 * SS);
	struct file *file;

	fake_file(4);
	file = fake_open_file(O_RDWR);
	write_all(file, &one, 1, 6 * SS + 5); /* only stripe 2 has an object */
	memset(back, 0xee, 8 * SS);
	assert_int_equal(fs_co_read(f->ln, file, back, 8 * SS, 0), 6 * SS + 6);
	for (uint32_t i = 0; i < 6 * SS + 5; i++)
		assert_int_equal(back[i], 0);
	assert_int_equal(back[6 * SS + 5], 0x55);
	fs_co_release(f->ln, file);
	free(back);
}
MOUNTED_TEST(objects_that_are_not_there_read_as_zeros_up_to_the_end_of_the_file, hole_body)

/* Somebody truncates: the OSTs have a newer generation than the writer. */
static void truncated(struct fake *f)
{
	f->attr.trunc_gen = 7;
	f->attr.flags |= ATTR_SIZE_UNSURE;
	for (uint32_t i = 0; i < OSTS; i++)
		f->ost[i].obj.trunc_gen = 7;
}

static void stale_body(struct fake *f)
{
	uint8_t *data = pattern(4 * SS, 3);
	struct file *file;

	fake_file(4);
	file = fake_open_file(O_WRONLY);
	f->before_write = truncated;
	write_all(file, data, 4 * SS, 0);
	assert_true(f->calls[RPC_oss_write] >= 5);
	assert_int_equal(f->calls[RPC_mds_getattr], 2); /* the root at mount, and this */
	for (uint32_t i = 0; i < OSTS; i++)
		assert_memory_equal(f->ost[i].obj.data, data + i * SS, SS);
	fs_co_release(f->ln, file);
	/* What the writer knew is void: the MDS must measure the file itself. */
	assert_int_equal(f->closed.open_seq, UINT64_MAX);
	free(data);
}
MOUNTED_TEST(a_write_that_meets_a_truncation_is_sent_again, stale_body)

static void sole_body(struct fake *f)
{
	uint8_t *data = pattern(3 * SS, 4);
	struct file *file;
	struct attr a;

	fake_file(1);
	f->now = 5000;
	file = fake_open_file(O_WRONLY);
	write_all(file, data, 3 * SS, 0);
	assert_int_equal(fs_co_getattr(f->ln, &f->fid, &a), 0);
	assert_int_equal(a.size, 3 * SS);
	assert_int_equal(a.mtime, 5000);
	fs_co_release(f->ln, file);
	assert_int_equal(f->calls[RPC_oss_getattr], 0);
	assert_int_equal(f->closed.flags & CLOSE_WROTE, CLOSE_WROTE);
	assert_int_equal(f->closed.size, 3 * SS);
	assert_int_equal(f->closed.blocks, 3 * SS / 512);
	assert_int_equal(f->closed.mtime, 5000);
	assert_int_equal(f->closed.open_seq, f->open_seq);
	free(data);
}
MOUNTED_TEST(a_sole_writer_knows_the_size_by_itself, sole_body)

static void others_body(struct fake *f)
{
	uint8_t byte = 1;
	struct file *file;
	struct attr a;

	fake_file(4);
	file = fake_open_file(O_WRONLY);
	write_all(file, &byte, 1, 0);
	f->open_seq++; /* another client opened it for writing */
	fake_put_bytes(&f->ost[3].obj, 100, &byte, 1);
	assert_int_equal(fs_co_getattr(f->ln, &f->fid, &a), 0);
	assert_int_equal(a.size, 3 * SS + 101);
	assert_int_equal(f->calls[RPC_oss_getattr], 4 + 3); /* the file may grow */
	f->attr.size = 3 * SS + 101;
	assert_int_equal(fs_co_getattr(f->ln, &f->fid, &a), 0);
	assert_int_equal(a.size, 3 * SS + 101);
	assert_int_equal(f->calls[RPC_oss_getattr], 4 + 3 + 4); /* it has not */
	fs_co_release(f->ln, file);
}
MOUNTED_TEST(with_other_writers_the_objects_are_asked, others_body)

static uint32_t grown; /* the object that had answered before it grew */

/* To 7 stripes or more through the object that has answered already, then by less through the
 * other. */
static void grow_meanwhile(struct fake *f)
{
	uint8_t byte = 1;

	grown = f->answered;
	fake_put_bytes(&f->ost[f->answered].obj, 3 * SS, &byte, 1);
	fake_put_bytes(&f->ost[!f->answered].obj, 0, &byte, 1);
}

static void grows_body(struct fake *f)
{
	struct file *file;
	struct attr a;

	fake_file(2);
	file = fake_open_file(O_WRONLY);
	f->open_seq++; /* others write */
	f->after_oss_getattr = grow_meanwhile;
	assert_int_equal(fs_co_getattr(f->ln, &f->fid, &a), 0);
	assert_null(f->after_oss_getattr);
	assert_int_equal(a.size, (6 + grown) * SS + 1);
	fs_co_release(f->ln, file);
}
MOUNTED_TEST(a_size_is_one_that_the_file_had, grows_body)

static void untouched_body(struct fake *f)
{
	uint8_t byte = 1;
	struct file *file;

	fake_file(4);
	fake_put_bytes(&f->ost[1].obj, 9, &byte, 1);
	f->attr.size = SS + 10;
	file = fake_open_file(O_WRONLY);
	write_all(file, &byte, 1, 0);
	fs_co_release(f->ln, file);
	assert_int_equal(f->calls[RPC_oss_getattr], 3); /* all but the one that was written */
	assert_int_equal(f->closed.size, SS + 10);
}
MOUNTED_TEST(a_close_asks_the_objects_that_were_not_touched, untouched_body)

static void append_body(struct fake *f)
{
	struct file *file;
	uint64_t off;

	fake_file(1);
	file = fake_open_file(O_WRONLY | O_APPEND);
	for (int i = 0; i < 5; i++) {
		off = 0;
		assert_int_equal(fs_co_write(f->ln, file, "0123456789", 10, &off, true, false), 10);
		assert_int_equal(off, 10 * i);
	}
	fake_put_bytes(&f->ost[0].obj, 50, "another", 7);
	assert_int_equal(fs_co_write(f->ln, file, "x", 1, &off, true, false), 1);
	assert_int_equal(off, 57);
	assert_true(f->calls[RPC_mds_setlk] >= 11); /* locks and unlocks */
	fs_co_release(f->ln, file);
}
MOUNTED_TEST(an_append_goes_behind_whatever_is_there, append_body)

static void seek_body(struct fake *f)
{
	uint8_t byte = 1;
	struct file *file;

	fake_file(2);
	fake_put_bytes(&f->ost[1].obj, 0, &byte, 1); /* SS .. SS+1 */
	f->attr.size = 4 * SS;
	file = fake_open_file(O_RDONLY);
	assert_int_equal(fs_co_lseek(f->ln, file, 0, SEEK_DATA), SS);
	assert_int_equal(fs_co_lseek(f->ln, file, 0, SEEK_HOLE), 0);
	assert_int_equal(fs_co_lseek(f->ln, file, SS, SEEK_HOLE), SS + 1);
	assert_int_equal(fs_co_lseek(f->ln, file, 2 * SS, SEEK_DATA), -ENXIO);
	assert_int_equal(fs_co_lseek(f->ln, file, 4 * SS, SEEK_HOLE), -ENXIO);
	fs_co_release(f->ln, file);
}
MOUNTED_TEST(data_and_holes_are_found_across_stripes, seek_body)

static void limit_body(struct fake *f)
{
	uint64_t off = MAX_FILE_SIZE;
	struct file *file;
	char byte = 0;

	fake_file(1);
	file = fake_open_file(O_RDWR);
	assert_int_equal(fs_co_write(f->ln, file, "x", 1, &off, false, false), -EFBIG);
	assert_int_equal(fs_co_read(f->ln, file, &byte, 1, MAX_FILE_SIZE), 0);
	assert_int_equal(fs_co_fallocate(f->ln, file, 0, MAX_FILE_SIZE, 2), -EFBIG);
	assert_int_equal(fs_co_fallocate(f->ln, file, 0x40, 0, 2), -EOPNOTSUPP);
	fs_co_release(f->ln, file);
}
MOUNTED_TEST(the_largest_offset_is_a_limit_with_an_error, limit_body)

static void lost_body(struct fake *f)
{
	struct file *file;
	char buf[10];

	fake_file(1);
	f->attr.size = 4096;
	f->attr.blocks = 8;
	file = fake_open_file(O_RDONLY);
	assert_int_equal(fs_co_read(f->ln, file, buf, sizeof(buf), 0), -EIO);
	fs_co_release(f->ln, file);
}
MOUNTED_TEST(an_object_that_has_vanished_is_an_error_and_not_zeros, lost_body)

/* Under a lease on the attributes the end of a striped file is known. */
static void end_body(struct fake *f)
{
	struct leases *t = f->fs->leases;
	uint8_t *buf = malloc(4 * SS), byte = 0x77;
	struct file *file;
	struct entry e;

	fake_file(4);
	fake_put_bytes(&f->ost[1].obj, 9, &byte, 1);
	f->attr.size = SS + 10;
	file = fake_open_file(O_RDONLY);
	assert_int_equal(fs_co_read(f->ln, file, buf, 4 * SS, 0), SS + 10);
	assert_int_equal(f->calls[RPC_oss_getattr], 0); /* all were read */
	assert_int_equal(fs_co_read(f->ln, file, buf, 100, SS), 10);
	assert_int_equal(f->calls[RPC_oss_getattr], 3);
	f->cache_data = true;
	while (!leases_valid(t, leases_session(t), loop_clock(f->l)))
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(fs_co_lookup(f->ln, &FID_ROOT, SPAN_STR("file"), &e), 0);
	assert_int_equal(fs_co_read(f->ln, file, buf, 100, SS), 10);
	assert_int_equal(buf[9], 0x77);
	assert_int_equal(f->calls[RPC_oss_getattr], 3);
	fs_co_release(f->ln, file);
	free(buf);
}
MOUNTED_TEST(under_a_lease_the_objects_are_not_asked_where_a_file_ends, end_body)

/* Others get SHARED, and pages, from the answer on: a write that has not reached the objects by
 * then they would not see. */
static void weaker(struct fake *f, const struct mds_data_req *q)
{
	struct data *d = data_find(f->fs, &q->fid);

	assert_int_equal(q->want, LEASE_SHARED);
	assert_int_equal(d->mode, 0); /* no write begins */
	data_put(f->ln, d);
	f->lease = LEASE_SHARED;
}

static void weaker_body(struct fake *f)
{
	struct file *file;
	char buf[8];

	fake_file(1);
	file = fake_open_file(O_RDONLY);
	assert_int_equal(fs_co_read(f->ln, file, buf, sizeof(buf), 0), 0);
	assert_int_equal(file->data->mode, LEASE_CONTENDED);
	f->on_data = weaker;
	assert_int_equal(fs_co_read_page(f->ln, file, buf, sizeof(buf), 0), 0);
	assert_int_equal(file->data->mode, LEASE_SHARED);
	fs_co_release(f->ln, file);
}
MOUNTED_TEST(who_asks_for_pages_gives_contended_up_first, weaker_body)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_goes_to_every_object_once_and_reads_back),
		cmocka_unit_test(requests_larger_than_a_message_are_cut),
		cmocka_unit_test(
			objects_that_are_not_there_read_as_zeros_up_to_the_end_of_the_file),
		cmocka_unit_test(a_write_that_meets_a_truncation_is_sent_again),
		cmocka_unit_test(a_sole_writer_knows_the_size_by_itself),
		cmocka_unit_test(with_other_writers_the_objects_are_asked),
		cmocka_unit_test(a_size_is_one_that_the_file_had),
		cmocka_unit_test(a_close_asks_the_objects_that_were_not_touched),
		cmocka_unit_test(an_append_goes_behind_whatever_is_there),
		cmocka_unit_test(data_and_holes_are_found_across_stripes),
		cmocka_unit_test(the_largest_offset_is_a_limit_with_an_error),
		cmocka_unit_test(an_object_that_has_vanished_is_an_error_and_not_zeros),
		cmocka_unit_test(under_a_lease_the_objects_are_not_asked_where_a_file_ends),
		cmocka_unit_test(who_asks_for_pages_gives_contended_up_first),
	};

	log_set_level(LOG_LVL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
