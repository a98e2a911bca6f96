/* SPDX-License-Identifier: Apache-2.0 */
/* test_restoring.c - a file is read while its data come back from the archive: what is there at
 * once, the rest when it is, and nothing that is not the file's. */
#include "tests/unit/client/core/fake_cluster.h"

enum { LEN = 1 << 20, UNIT = 1 << 18, PIECE = 4096, GEN = 7, POWER = 77 };

static struct file *file;
static uint8_t *mem;
static uint64_t from, to; /* what is back, of all that may be asked for */
static uint32_t gen;	  /* of the restore that is under way */
static uint64_t power;
static uint64_t asked; /* the last offset that was waited for */

static int on_wait(const struct mds_hsm_wait_req *q, struct mds_hsm_wait_rep *p)
{
	static uint8_t powers[4 * sizeof(uint64_t)];

	asked = q->off;
	if (q->off == UINT64_MAX)
		fake->released = false;
	p->whole = !fake->released;
	if (p->whole)
		return 0;
	if (q->off < from || q->off >= to)
		return -EIO;
	p->from = from;
	p->to = to;
	p->size = LEN;
	p->unit = UNIT;
	p->trunc_gen = gen;
	powers[0] = (uint8_t)power;
	p->power = (struct span){powers, sizeof(powers)};
	return 0;
}

/* The OST. */
static int on_read(const struct oss_read_req *q)
{
	if ((q->trunc_gen && q->trunc_gen < gen) || (q->power && q->power != power))
		return -ESTALE;
	assert_true(!fake->released || q->trunc_gen == gen);
	return 0;
}

static void released(fake_fn *body)
{
	char why[256];

	assert_int_equal(fake_mount("lustre", "", why, sizeof(why)), 0);
	fake->fs->cfg.cache_data = true;
	fake->lease = LEASE_SHARED;
	fake_file(1);
	fake->attr.size = LEN;
	fake->released = true;
	fake->on_wait = on_wait;
	fake->on_read = on_read;
	gen = GEN;
	power = POWER;
	from = to = 0;
	mem = malloc(LEN);
	assert_non_null(mem);
	memset(mem, 'a', LEN);
	fake_put_bytes(&fake->ost[0].obj, 0, mem, LEN);
	file = fake_open_file(O_RDONLY);
	body(fake);
	fs_co_release(fake->ln, file);
	free(mem);
	fake_unmount();
}

static ssize_t get(uint64_t off)
{
	memset(mem, 0, PIECE);
	return fs_co_read(fake->ln, file, mem, PIECE, off);
}

static void is_read(uint64_t off)
{
	assert_int_equal(get(off), PIECE);
	assert_true(mem[0] == 'a' && mem[PIECE - 1] == 'a');
}

static void parts_body(struct fake *f)
{
	from = UNIT;
	to = 2 * UNIT;
	is_read(UNIT + 5);
	assert_int_equal(asked, UNIT + 5);
	is_read(2 * UNIT - PIECE);
	assert_int_equal(f->calls[RPC_mds_hsm_wait], 1);
	assert_int_equal(get(3 * UNIT), -EIO); /* the MDS says it cannot be brought */
	assert_int_equal(asked, 3 * UNIT);
	to = 3 * UNIT;
	is_read(2 * UNIT - 5); /* in two units */
	assert_int_equal(asked, 2 * UNIT);
	assert_int_equal(get(LEN), 0);
	assert_int_equal(f->calls[RPC_mds_hsm_wait], 3);
}
FAKE_MOUNTED_TEST(what_is_back_is_read_and_the_rest_waited_for, released, parts_body)

static void whole_body(struct fake *f)
{
	to = UNIT;
	is_read(0);
	f->released = false;
	is_read(2 * UNIT);
	is_read(3 * UNIT);
	assert_int_equal(f->calls[RPC_mds_hsm_wait], 2);
}
FAKE_MOUNTED_TEST(when_all_is_back_nobody_is_asked, released, whole_body)

static void again_body(struct fake *f)
{
	to = UNIT;
	is_read(0);
	gen++; /* another mover has begun anew, and is as far as the first */
	is_read(PIECE);
	assert_int_equal(f->calls[RPC_mds_hsm_wait], 2);
	power++; /* and a machine has lost what it had */
	is_read(2 * PIECE);
	assert_int_equal(f->calls[RPC_mds_hsm_wait], 3);
	to = 0;
	power++;
	assert_int_equal(get(0), -EIO); /* nothing is shown of what was there before */
}
FAKE_MOUNTED_TEST(what_was_back_and_is_not_any_more_is_waited_for_again, released, again_body)

static void seek_body(struct fake *f)
{
	to = UNIT;
	is_read(0);
	assert_int_equal(fs_co_lseek(f->ln, file, 0, SEEK_HOLE), LEN);
	assert_int_equal(asked, UINT64_MAX);
}
FAKE_MOUNTED_TEST(who_looks_for_holes_waits_for_all, released, seek_body)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_back_is_read_and_the_rest_waited_for),
		cmocka_unit_test(when_all_is_back_nobody_is_asked),
		cmocka_unit_test(what_was_back_and_is_not_any_more_is_waited_for_again),
		cmocka_unit_test(who_looks_for_holes_waits_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
