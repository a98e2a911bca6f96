/* SPDX-License-Identifier: Apache-2.0 */
/* stable.c - see stable.h. Two clients write the same files, one at a time; whoever reads sees what
 * was written last, whatever the machines of the OSTs lose, and no sync fails. */
#include "tests/sim/stable.h"
#include "tests/sim/sim.h"
#include "tests/sim/trace.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>

enum { FILES = 4, WRITERS = 2, LEN = 300000, PIECE = 40000, ROUNDS = 6 };
#define SETTLE_NS (10 * NSEC_PER_SEC) /* write-behind and the OSTs' own pace, and some more */

struct model {
	struct file *f[WRITERS];
	struct fid fid;
	uint64_t size;
	uint8_t data[LEN];
};

static struct model at[FILES];
static struct cluster_client *client[WRITERS];
static uint32_t who; /* acts */
static struct lane *lane;

static bool ok(const char *what, uint32_t i, int64_t rc)
{
	trace("stable: %s %u: %lld", what, i, (long long)rc);
	if (rc < 0)
		sim_fail("stable: %s %u: %s", what, i, strerror((int)-rc));
	return rc >= 0;
}

static int make(void *arg)
{
	const struct cred cred = {.pid = 1};
	char name[16];
	struct entry e;

	(void)arg;
	for (uint32_t i = 0; i < FILES; i++) {
		uint64_t off = 0;
		int flags = O_CREAT | O_RDWR | (i % 2 ? 0 : O_DIRECT);

		snprintf(name, sizeof(name), "stable%u", i);
		if (!ok("open", i,
			fs_co_create(lane, fs_root(lane_fs(lane)), SPAN_STR(name), flags, 0644,
				     &cred, &e, &at[i].f[who])))
			return -EIO;
		if (who == 0 &&
		    !ok("write", i,
			fs_co_write(lane, at[i].f[0], at[i].data, LEN, &off, false, false)))
			return -EIO;
		at[i].fid = e.fid;
		at[i].size = LEN;
	}
	return 0;
}

static bool write_some(uint32_t i)
{
	struct model *m = &at[i];
	uint64_t len = 1 + sim_below(SIM_WORK, PIECE), off = sim_below(SIM_WORK, LEN - len);

	memset(m->data + off, 1 + (int)sim_below(SIM_WORK, 255), len);
	m->size = m->size < off + len ? off + len : m->size;
	return ok("write", i, fs_co_write(lane, m->f[who], m->data + off, len, &off, false, false));
}

static bool make_hole(uint32_t i)
{
	struct model *m = &at[i];
	uint64_t len = 1 + sim_below(SIM_WORK, PIECE), off = sim_below(SIM_WORK, LEN - len);

	memset(m->data + off, 0, len);
	return ok("hole", i,
		  fs_co_fallocate(lane, m->f[who], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off,
				  len));
}

/* Also longer than it is; the file is looked at up to LEN. */
static bool cut(uint32_t i)
{
	struct model *m = &at[i];
	struct attr a = {.size = sim_below(SIM_WORK, LEN + PIECE)};

	m->size = a.size;
	if (a.size < LEN)
		memset(m->data + a.size, 0, LEN - a.size);
	return ok("truncate", i,
		  fs_co_setattr(lane, &m->fid, m->f[who], SETATTR_SIZE, &a, &a));
}

static bool sync_one(uint32_t i)
{
	return ok("fsync", i, fs_co_fsync(lane, at[i].f[who], sim_below(SIM_WORK, 2)));
}

static int step(void *arg)
{
	uint32_t i = (uint32_t)sim_below(SIM_WORK, FILES);
	bool done;

	(void)arg;
	switch (sim_below(SIM_WORK, 8)) {
	case 0:
		done = sync_one(i);
		break;
	case 1:
		done = make_hole(i);
		break;
	case 2:
		done = cut(i);
		break;
	default:
		done = write_some(i);
	}
	return done ? 0 : -EIO;
}

static void compare(uint32_t i, const uint8_t *is, uint64_t size)
{
	for (uint32_t k = 0; k < size; k++)
		if (is[k] != at[i].data[k]) {
			sim_fail("stable: byte %u of file %u is %u, not %u", k, i, is[k],
				 at[i].data[k]);
			return;
		}
}

static int look(void *arg)
{
	static uint8_t is[LEN];

	(void)arg;
	for (uint32_t i = 0; i < FILES && !sim_failed(); i++) {
		uint64_t size = at[i].size < LEN ? at[i].size : LEN;
		ssize_t n = fs_co_read(lane, at[i].f[who], is, LEN, 0);

		if (!ok("read", i, n))
			return -EIO;
		if ((uint64_t)n != size)
			sim_fail("stable: file %u has %zd bytes, not %llu", i, n,
				 (unsigned long long)size);
		else
			compare(i, is, size);
	}
	return 0;
}

static int put_away(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < FILES; i++)
		fs_co_release(lane, at[i].f[who]);
	return 0;
}

static void call(uint32_t writer, cluster_fn *fn, const char *what)
{
	int rc;

	if (sim_failed())
		return;
	who = writer;
	lane = client[who]->lane[0];
	rc = cluster_call(client[who]->loop[0], fn, NULL);
	if (rc)
		sim_fail("stable: %s: %s", what, strerror(-rc));
}

void stable_run(struct cluster *c)
{
	memset(at, 0, sizeof(at));
	for (uint32_t w = 0; w < WRITERS; w++) {
		client[w] = cluster_client(c, w);
		call(w, make, "making files");
	}
	for (int n = 0; n < ROUNDS && !sim_failed(); n++) {
		uint32_t oss = (uint32_t)sim_below(SIM_FAULT, CLUSTER_OSS);

		for (uint64_t k = 1 + sim_below(SIM_WORK, 16); k; k--)
			call((uint32_t)sim_below(SIM_WORK, WRITERS), step, "a step");
		if (sim_below(SIM_WORK, 3) == 0)
			sim_run_for(SETTLE_NS);
		if (sim_failed() ||
		    cluster_restart(c, SERVER_OSS + oss,
				    sim_below(SIM_FAULT, 4) ? END_POWER : END_KILL))
			return;
		call((uint32_t)sim_below(SIM_WORK, WRITERS), look, "reading");
	}
	for (uint32_t w = 0; w < WRITERS; w++)
		call(w, put_away, "closing");
}
