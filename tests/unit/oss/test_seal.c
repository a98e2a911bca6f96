/* SPDX-License-Identifier: Apache-2.0 */
/* test_seal.c - stored checksums: what is sealed by the scrubber is read back or refused, whatever
 * is written, cut and read meanwhile. (oss/seal.h, oss/scrub.h) */
#include "oss/scrub.h"
#include "oss/seal.h"
#include "tests/unit/oss/oss_test.h"
#include "tests/unit/unit.h"
#include <fcntl.h>

enum { SIZE = 3 * 1024 * 1024 + 1000 }; /* three pieces and a bit */

static uint8_t data[SIZE], back[SIZE + 65536];

static uint64_t number(struct oss_test *t, const char *key)
{
	struct wbuf w;
	char *at;
	uint64_t v;

	wbuf_init(&w, 65536);
	CHECK_RC(params_get(t->params, "obdfilter.*.scrub", &w), 0);
	wbuf_put(&w, "", 1);
	at = strstr((char *)w.ptr, key);
	assert_non_null(at);
	v = strtoull(at + strlen(key) + 2, NULL, 10);
	wbuf_fini(&w);
	return v;
}

static void set(struct oss_test *t, const char *name, const char *value)
{
	struct wbuf w;

	wbuf_init(&w, 4096);
	CHECK_RC(params_set(t->params, name, value, &w), 0);
	wbuf_fini(&w);
}

/* One pass over all objects, which need not be at rest for long. */
static void scrub(struct oss_test *t)
{
	uint64_t before = number(t, "passes");

	set(t, "obdfilter.*.scrub_quiet", "0");
	set(t, "obdfilter.*.scrub_speed_mb", "100000");
	set(t, "obdfilter.*.scrub", "start");
	while (number(t, "passes") == before)
		co_sleep(NSEC_PER_MSEC);
}

static void write_at(struct oss_test *t, uint64_t off, uint32_t len)
{
	while (len) {
		uint32_t n = (uint32_t)min_u64(len, MIB);

		CHECK_RC(oss_test_write(t, NULL, off, data + off, n, 0), 0);
		off += n;
		len -= n;
	}
}

static void expect(struct oss_test *t, uint64_t off, uint32_t len)
{
	int n = oss_test_read(t, off, back, len);

	assert_int_equal(n, (int)len);
	assert_memory_equal(back, data + off, len);
}

/* As a disk does that turns bits over. */
static void flip(struct oss_test *t, uint64_t off)
{
	struct object_id id = {TEST_FID, 1, 0};
	char path[OBJECT_PATH_MAX], full[200];
	uint8_t byte;
	int fd;

	snprintf(full, sizeof(full), "%s/%s", t->dir, object_path(&id, path));
	fd = open(full, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)off), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)off), 1);
	close(fd);
}

static void t_damage(struct oss_test *t)
{
	uint64_t seed = 7;

	rnd_fill(&seed, data, sizeof(data));
	write_at(t, 0, SIZE);
	flip(t, 5);
	data[5] ^= 0x10; /* nobody can know yet */
	scrub(t);
	assert_int_equal(number(t, "new_checksums"), (SIZE + SEAL_BLOCK - 1) / SEAL_BLOCK);
	assert_int_equal(number(t, "damaged_blocks"), 0);
	scrub(t);
	assert_int_equal(number(t, "new_checksums"), 0);
	expect(t, 0, MIB);
	expect(t, 4095, 2);
	expect(t, 3 * MIB + 999, 1);

	flip(t, 10 * SEAL_BLOCK + 77);
	assert_int_equal(oss_test_read(t, 10 * SEAL_BLOCK, back, SEAL_BLOCK), -EIO);
	assert_int_equal(oss_test_read(t, 0, back, MIB), -EIO);
	assert_int_equal(oss_test_read(t, 11 * SEAL_BLOCK - 1, back, 1),
			 -EIO); /* a good byte of it */
	assert_int_equal(oss_test_read(t, 9 * SEAL_BLOCK, back, SEAL_BLOCK + 1), -EIO);
	expect(t, 9 * SEAL_BLOCK, SEAL_BLOCK);
	expect(t, 11 * SEAL_BLOCK, MIB);
	assert_int_equal(number(t, "damaged_blocks"), 1);
	scrub(t);
	assert_int_equal(number(t, "damaged_blocks"), 1); /* told once */

	/* A part of it is written: the rest is what it was. */
	write_at(t, 10 * SEAL_BLOCK, 100);
	assert_int_equal(oss_test_read(t, 10 * SEAL_BLOCK, back, 10), -EIO);
	scrub(t);
	assert_int_equal(oss_test_read(t, 10 * SEAL_BLOCK, back, 10), -EIO);
	oss_test_restart(t);
	assert_int_equal(oss_test_read(t, 10 * SEAL_BLOCK, back, 10), -EIO);
	write_at(t, 10 * SEAL_BLOCK, SEAL_BLOCK);
	expect(t, 10 * SEAL_BLOCK - 10, 3 * SEAL_BLOCK);
	scrub(t);
	expect(t, 0, MIB);

	/* The last block, which is short, and what is cut off. */
	flip(t, SIZE - 1);
	assert_int_equal(oss_test_read(t, SIZE - 10, back, 10), -EIO);
	scrub(t);
	CHECK_RC(oss_test_punch(t, NULL, 2 * MIB + 5, false, 0), 0);
	expect(t, 2 * MIB - 5, 10);
	scrub(t);
	expect(t, 2 * MIB - 5, 10);
}

static void damage_is_found_told_once_and_never_read(void **state)
{
	(void)state;
	oss_test_run(t_damage);
}

static void random_change(struct oss_test *t, uint64_t *seed, uint64_t *size)
{
	uint64_t off = rnd_below(seed, SIZE - 1), len = 1 + rnd_below(seed, 70000);

	if (rnd_below(seed, 8) == 0)
		off = off / SEAL_BLOCK * SEAL_BLOCK;
	len = min_u64(len, SIZE - off);
	if (rnd_below(seed, 6) == 0) {
		CHECK_RC(oss_test_punch(t, NULL, off, rnd_below(seed, 2), 0), 0);
		if (off < *size) {
			memset(data + off, 0, SIZE - off);
			*size = off;
		} else {
			struct object_attr a;

			CHECK_RC(oss_test_getattr(t, &a), 0);
			*size = a.size;
		}
		return;
	}
	rnd_fill(seed, data + off, len);
	write_at(t, off, (uint32_t)len);
	*size = max_u64(*size, off + len);
}

static void t_random(struct oss_test *t)
{
	uint64_t seed = 99, size = 0, off, len;

	memset(data, 0, sizeof(data));
	write_at(t, 0, 1);
	size = 1;
	for (int i = 0; i < 1500; i++) {
		random_change(t, &seed, &size);
		if (rnd_below(&seed, 12) == 0)
			scrub(t);
		if (rnd_below(&seed, 100) == 0)
			oss_test_restart(t);
		off = rnd_below(&seed, SIZE);
		len = 1 + rnd_below(&seed, 100000);
		len = off >= size ? 0 : min_u64(len, size - off);
		if (len)
			expect(t, off, (uint32_t)len);
	}
	assert_int_equal(number(t, "damaged_blocks"), 0);
	assert_int_equal(number(t, "errors"), 0);
}

static void changes_and_passes_in_any_order_read_right(void **state)
{
	(void)state;
	oss_test_run(t_random);
}

static void t_life(struct oss_test *t)
{
	struct object_id id = {TEST_FID, 1, 0};
	char path[OBJECT_PATH_MAX], full[200];
	uint32_t destroyed;
	struct wbuf w;

	memset(data, 1, sizeof(data));
	write_at(t, 0, 100);
	set(t, "obdfilter.*.scrub", "start"); /* not at rest for long enough */
	while (number(t, "passes") == 0)
		co_sleep(NSEC_PER_MSEC);
	assert_int_equal(number(t, "busy_objects"), 1);
	assert_int_equal(number(t, "new_checksums"), 0);
	scrub(t);
	assert_int_equal(number(t, "new_checksums"), 1);
	snprintf(full, sizeof(full), "%s/%s", t->dir, object_seal_path(&id, path));
	assert_int_equal(access(full, F_OK), 0);
	CHECK_RC(oss_test_destroy(t, &destroyed), 0);
	assert_int_equal(access(full, F_OK), -1);
	wbuf_init(&w, 4096);
	CHECK_RC(params_set(t->params, "obdfilter.*.scrub", "nonsense", &w), -EINVAL);
	wbuf_fini(&w);
}

static void checksums_live_and_go_with_the_object(void **state)
{
	(void)state;
	oss_test_run(t_life);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damage_is_found_told_once_and_never_read),
		cmocka_unit_test(changes_and_passes_in_any_order_read_right),
		cmocka_unit_test(checksums_live_and_go_with_the_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
