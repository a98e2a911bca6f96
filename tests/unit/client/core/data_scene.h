/* SPDX-License-Identifier: Apache-2.0 */
/* data_scene.h - a client without a server, for tests of leases on data: grants come as the answers
 * of opens, and what the kernel is told to forget is noted. A test body is a fiber.
 */
#pragma once
#include "client/core/core.h"
#include "tests/unit/unit.h"
#include <fcntl.h>

enum { SESSION = 77, TOLD_MAX = 16 };
#define SH LEASE_SHARED
#define EX LEASE_EXCLUSIVE
#define CO LEASE_CONTENDED

static struct loop *l;
static struct fs *fs;
static struct lane *ln;
static UNUSED const struct fid A = {FID_SEQ_NORMAL + 1, 1, 0}, B = {FID_SEQ_NORMAL + 1, 2, 0};

static struct fid told[TOLD_MAX]; /* whose pages the kernel was told to forget */
static uint32_t ntold;
static void (*on_told)(struct data *d);
static struct data *on_told_data;

static UNUSED void co_invalidate(void *arg, struct lane *lane, const struct fs_inval *v, uint32_t n,
				 bool names)
{
	(void)arg;
	assert_ptr_equal(lane, ln);
	assert_int_equal(n, 1);
	assert_true(v->pages && !names);
	assert_true(ntold < TOLD_MAX);
	told[ntold++] = v->fid;
	if (on_told)
		on_told(on_told_data);
	co_yield (); /* the kernel answers later */
}

static UNUSED int setup(void **state)
{
	struct fs_cfg cfg = {.cache_data = true, .co_invalidate = co_invalidate};

	(void)state;
	ntold = 0;
	on_told = NULL;
	assert_int_equal(loop_create(&l), 0);
	assert_int_equal(fs_create(&cfg, &fs), 0);
	assert_int_equal(lane_create(fs, l, 0, &ln), 0);
	leases_term(fs->leases, SESSION, UINT64_MAX, 0);
	return 0;
}

static UNUSED int teardown(void **state)
{
	(void)state;
	assert_int_equal(ln->background, 0);
	assert_int_equal(fiber_count(), 0);
	free(ln);
	fs_destroy(fs);
	fiber_pool_drain();
	loop_destroy(l);
	return 0;
}

static UNUSED void body_fiber(void *arg)
{
	void (**body)(void) = arg;

	(*body)();
	while (ln->background)
		co_yield ();
	loop_stop(l);
}

static UNUSED void run(void (*body)(void))
{
	assert_int_equal(fiber_spawn(l, body_fiber, &body), 0);
	loop_run(l);
}

static UNUSED void grant(struct data *d, uint64_t session, uint64_t seq, uint32_t lease)
{
	uint32_t want = data_open_begin(d, O_RDWR);

	assert_int_equal(want, EX);
	data_open_end(d, want, &(struct data_grant){session, seq, lease, 0, false});
	assert_false(d->acquiring);
}

static UNUSED struct data *granted(const struct fid *fid, uint64_t seq, uint32_t lease)
{
	struct data *d = data_get(fs, fid);

	assert_non_null(d);
	grant(d, SESSION, seq, lease);
	return d;
}

static UNUSED enum data_how enter(struct data *d, enum data_need need)
{
	enum data_how how = 0;

	assert_int_equal(data_co_enter(ln, d, need, &how), 0);
	return how;
}

/* The operation is over at once. */
static UNUSED enum data_how use(struct data *d, enum data_need need)
{
	enum data_how how = enter(d, need);

	data_leave(d, how);
	return how;
}
