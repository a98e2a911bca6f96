/* SPDX-License-Identifier: Apache-2.0 */
/* stable.c - see stable.h. A byte that was written since the last good fsync may be anything; every
 * other one is what was written last. */
#include "tests/sim/stable.h"
#include "tests/sim/sim.h"
#include "tests/sim/trace.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { FILES = 4, LEN = 300000, PIECE = 40000, ROUNDS = 6 };
#define SETTLE_NS (10 * NSEC_PER_SEC) /* write-behind and the OSTs' own pace, and some more */

struct model {
	struct file *f;
	uint8_t data[LEN];
	bool maybe[LEN]; /* written, and not promised */
	bool any;        /* written since the last good fsync */
	bool lossy;      /* and power was lost since */
	bool lost;       /* and so were bytes: fsync has to tell */
};

static struct model at[FILES];
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
	memset(at, 0, sizeof(at));
	for (uint32_t i = 0; i < FILES; i++) {
		uint64_t off = 0;

		snprintf(name, sizeof(name), "stable%u", i);
		if (!ok("create", i,
			fs_co_create(lane, fs_root(lane_fs(lane)), SPAN_STR(name),
				     O_CREAT | O_RDWR | (i % 2 ? 0 : O_DIRECT), 0644, &cred, &e,
				     &at[i].f)) ||
		    !ok("write", i,
			fs_co_write(lane, at[i].f, at[i].data, LEN, &off, false, false)) ||
		    !ok("fsync", i, fs_co_fsync(lane, at[i].f, false)))
			return -EIO;
	}
	return 0;
}

static bool write_some(uint32_t i)
{
	struct model *m = &at[i];
	uint64_t len = 1 + sim_below(SIM_WORK, PIECE), off = sim_below(SIM_WORK, LEN - len);

	memset(m->data + off, 1 + (int)sim_below(SIM_WORK, 255), len);
	memset(m->maybe + off, true, len);
	m->any = true;
	return ok("write", i, fs_co_write(lane, m->f, m->data + off, len, &off, false, false));
}

static bool sync_one(uint32_t i)
{
	struct model *m = &at[i];
	int rc = fs_co_fsync(lane, m->f, sim_below(SIM_WORK, 2));

	if (rc == -EIO && m->lossy)
		trace("stable: fsync %u tells of a loss", i);
	else if (!ok("fsync", i, rc))
		return false;
	else if (m->lost)
		sim_fail("stable: fsync %u does not tell that bytes are lost", i);
	else
		memset(m->maybe, false, sizeof(m->maybe));
	m->any = m->lossy = m->lost = false;
	return true;
}

static int work(void *arg)
{
	uint64_t n = 1 + sim_below(SIM_WORK, 12);

	(void)arg;
	while (n--) {
		uint32_t i = (uint32_t)sim_below(SIM_WORK, FILES);

		if (sim_below(SIM_WORK, 3) ? !write_some(i) : !sync_one(i))
			return -EIO;
	}
	return 0;
}

static void compare(uint32_t i, const uint8_t *is)
{
	struct model *m = &at[i];

	for (uint32_t k = 0; k < LEN; k++) {
		if (is[k] != m->data[k] && !m->maybe[k]) {
			sim_fail("stable: byte %u of file %u is lost", k, i);
			return;
		}
		m->lost |= is[k] != m->data[k];
		m->data[k] = is[k];
	}
}

static int look(void *arg)
{
	static uint8_t is[LEN];

	(void)arg;
	for (uint32_t i = 0; i < FILES && !sim_failed(); i++) {
		memset(is, 0, sizeof(is)); /* what was never promised may be missing at the end */
		if (!ok("read", i, fs_co_read(lane, at[i].f, is, LEN, 0)))
			return -EIO;
		compare(i, is);
	}
	return 0;
}

static int put_away(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < FILES; i++)
		fs_co_release(lane, at[i].f);
	return 0;
}

static void call(struct cluster_client *c, cluster_fn *fn, const char *what)
{
	int rc;

	if (sim_failed())
		return;
	lane = c->lane[0];
	rc = cluster_call(c->loop[0], fn, NULL);
	if (rc)
		sim_fail("stable: %s: %s", what, strerror(-rc));
}

static void settle(void)
{
	sim_run_for(SETTLE_NS);
	for (uint32_t i = 0; i < FILES; i++)
		if (!at[i].lossy)
			memset(at[i].maybe, false, sizeof(at[i].maybe));
}

void stable_run(struct cluster *c)
{
	struct cluster_client *one = cluster_client(c, 0);

	call(one, make, "making files");
	for (int n = 0; n < ROUNDS && !sim_failed(); n++) {
		uint32_t oss = (uint32_t)sim_below(SIM_FAULT, CLUSTER_OSS);

		call(one, work, "work");
		if (sim_below(SIM_WORK, 3) == 0)
			settle();
		if (sim_failed() || cluster_restart(c, SERVER_OSS + oss, END_POWER))
			return;
		for (uint32_t i = 0; i < FILES; i++)
			at[i].lossy |= at[i].any;
		call(one, look, "reading");
	}
	call(one, put_away, "closing");
}
