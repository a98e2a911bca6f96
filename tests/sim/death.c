/* SPDX-License-Identifier: Apache-2.0 */
/* death.c - see death.h. Client 1 is cut off, not ended: after its session is over it comes back,
 * so that what an evicted client does is tested too. */
#include "tests/sim/death.h"
#include "tests/sim/orphans.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/trace.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
	LEN = 200000,
	TERM_MAX_S = 20, /* until its files are free */
	SESSION_MAX_S = 120,
};

static const char *const names[] = {"orphan", "written", "dirty", "locked", "flocked"};
enum { ORPHAN, WRITTEN, DIRTY, LOCKED, FLOCKED, NFILES };

struct death {
	struct lane *ln;
	struct file *f[NFILES];
	struct fid fid[NFILES];
	uint64_t start;
};

static uint8_t data[LEN];
static const uint8_t heirs[LEN] = {[0 ... LEN - 1] = 'h'};

static bool ok(const char *what, int64_t rc)
{
	trace("death: %s: %lld", what, (long long)rc);
	if (rc < 0)
		sim_fail("death: %s: %s", what, strerror((int)-rc));
	return rc >= 0;
}

static struct fs_lock lock_of(int i, uint64_t owner)
{
	return (struct fs_lock){.space = i == FLOCKED ? LOCK_FLOCK : LOCK_POSIX, .type = F_WRLCK,
				.owner = owner, .end = UINT64_MAX, .pid = 1};
}

/* On the client that will die. */
static int prepare(void *arg)
{
	const struct cred cred = {.pid = 1};
	struct death *d = arg;

	for (int i = 0; i < NFILES; i++) {
		struct fs_lock lk = lock_of(i, 7);
		uint64_t off = 0;
		struct entry e;

		if (!ok(names[i], fs_co_create(d->ln, fs_root(lane_fs(d->ln)), SPAN_STR(names[i]),
					       O_CREAT | O_RDWR, 0644, &cred, &e, &d->f[i])) ||
		    !ok("write", fs_co_write(d->ln, d->f[i], data, LEN, &off, false, false)))
			return -EIO;
		d->fid[i] = e.fid;
		if (i == WRITTEN && !ok("fsync", fs_co_fsync(d->ln, d->f[i], false)))
			return -EIO;
		if (i >= LOCKED &&
		    !ok("lock", fs_co_setlk(d->ln, &e.fid, &lk, false, NULL)))
			return -EIO;
	}
	return 0;
}

/* Nobody could bring that file back once its maker is dead; so it is on the disk before the answer,
 * and all that was made before it. */
static int open_newest(void *arg)
{
	struct death *d = arg;
	struct file *f;

	if (ok("open newest", fs_co_open(d->ln, &d->fid[NFILES - 1], O_RDONLY, &f, NULL)))
		fs_co_release(d->ln, f);
	return 0;
}

static int unlink_one(void *arg)
{
	struct death *d = arg;

	ok("unlink", fs_co_unlink(d->ln, fs_root(lane_fs(d->ln)), SPAN_STR(names[ORPHAN]), false));
	return 0;
}

/* What the dead one had not sent yet must not appear over this. */
static bool take_over(struct death *d)
{
	uint64_t off = 0;
	struct file *f;

	if (!ok("open dirty", fs_co_open(d->ln, &d->fid[DIRTY], O_RDWR, &f, NULL)) ||
	    !ok("write dirty", fs_co_write(d->ln, f, heirs, LEN, &off, false, false)) ||
	    !ok("fsync dirty", fs_co_fsync(d->ln, f, false)))
		return false;
	fs_co_release(d->ln, f);
	return true;
}

/* On the client that lives: everything works, if not at once. */
static int inherit(void *arg)
{
	struct death *d = arg;
	struct file *f;
	struct attr a;

	if (ok("size of what it wrote", fs_co_getattr(d->ln, &d->fid[WRITTEN], &a)) &&
	    a.size != LEN)
		sim_fail("death: the size is %llu", (unsigned long long)a.size);
	if (!take_over(d))
		return 0;
	if (sim_now() - d->start > TERM_MAX_S * NSEC_PER_SEC)
		sim_fail("death: its files are free after %llu s",
			 (unsigned long long)(sim_now() - d->start) / 1000000000);
	for (int i = LOCKED; i < NFILES && !sim_failed(); i++) {
		struct fs_lock lk = lock_of(i, 9);
		struct fs_lock_wait w = {0};

		if (!ok("open", fs_co_open(d->ln, &d->fid[i], O_RDWR, &f, &a)) ||
		    !ok("lock of the dead", fs_co_setlk(d->ln, &d->fid[i], &lk, true, &w)))
			return 0;
		lk.type = F_UNLCK;
		ok("unlock", fs_co_setlk(d->ln, &d->fid[i], &lk, false, NULL));
		fs_co_release(d->ln, f);
	}
	return 0;
}

/* Its writer learns that the bytes are lost, and reads what is there now. */
static void lost(struct death *d)
{
	int rc = fs_co_fsync(d->ln, d->f[DIRTY], false);
	ssize_t n = fs_co_read(d->ln, d->f[DIRTY], data, LEN, 0);

	trace("death: fsync of what was lost: %d, read %zd", rc, n);
	if (rc != -EIO)
		sim_fail("death: fsync of what was lost says %d", rc);
	else if (n != LEN || memcmp(data, heirs, LEN) != 0)
		sim_fail("death: the heir's bytes are gone (%zd)", n);
	memset(data, 0, LEN);
}

/* On the client that was thought dead: old files may fail but not hang, new ones work. */
static int come_back(void *arg)
{
	const struct cred cred = {.pid = 1};
	struct death *d = arg;
	struct entry e;
	struct attr a;
	struct file *f;

	ok("getattr after it came back", fs_co_getattr(d->ln, fs_root(lane_fs(d->ln)), &a));
	lost(d);
	for (int i = 0; i < NFILES; i++) {
		ssize_t rc = fs_co_read(d->ln, d->f[i], data, 100, 0);

		trace("death: read of %s: %zd", names[i], rc);
		fs_co_release(d->ln, d->f[i]);
	}
	if (ok("create", fs_co_create(d->ln, fs_root(lane_fs(d->ln)), SPAN_STR("new"),
				      O_CREAT | O_RDWR, 0644, &cred, &e, &f)))
		fs_co_release(d->ln, f);
	return 0;
}

static void call(struct cluster_client *c, struct death *d, cluster_fn *fn, const char *what)
{
	int rc;

	if (sim_failed())
		return;
	d->ln = c->lane[0];
	rc = cluster_call(c->loop[0], fn, d);
	if (rc)
		sim_fail("death: %s: %s", what, strerror(-rc));
}

void death_run(struct cluster *c, bool restart, bool power)
{
	struct cluster_client *lives = cluster_client(c, 0), *dies = cluster_client(c, 1);
	enum cluster_end how;
	struct death d = {0};

	call(dies, &d, prepare, "preparing");
	call(lives, &d, unlink_one, "unlink");
	if (power)
		call(lives, &d, open_newest, "opening");
	if (sim_failed())
		return;
	sim_net_down(NODE_CLIENT + 1, true);
	how = restart && sim_below(SIM_FAULT, 2) ? END_KILL : END_ORDER;
	if (power)
		how = END_POWER;
	if (restart && cluster_restart(c, SERVER_MDS, how))
		return;
	d.start = sim_now();
	call(lives, &d, inherit, "what the dead client held");
	if (sim_now() - d.start > SESSION_MAX_S * NSEC_PER_SEC)
		sim_fail("death: it took %llu s",
			 (unsigned long long)(sim_now() - d.start) / 1000000000);
	if (!sim_failed() && orphans_check(c, NULL))
		return;
	sim_net_down(NODE_CLIENT + 1, false);
	call(dies, &d, come_back, "coming back");
}
