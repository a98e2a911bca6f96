/* SPDX-License-Identifier: Apache-2.0 */
/* sweep.c - see sweep.h. A directory has one sweeper, which makes files and removes them, and all
 * clients have watchers. What is true of a name is written down in memory that all tasks share,
 * before a request begins and when its answer has come; a watcher compares what held all the time
 * while it looked. */
#include "tests/sim/sweep.h"
#include "common/co.h"
#include "common/fiber.h"
#include "tests/sim/sim.h"
#include "tests/sim/trace.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { DIRS = 3, FILES = 40, WATCHERS = 5, TASKS = DIRS + WATCHERS, NAME = 16 };
enum state { NEVER, CHANGING, THERE, GONE };

struct item {
	struct fid fid;
	enum state state;
	uint32_t made; /* how often */
	bool linked;   /* it has a second name */
};

struct sweep_dir {
	struct fid fid;
	struct item item[FILES];
	int64_t removed; /* when the newest removal that was answered began */
};

struct task {
	struct sweep *s;
	void (*fn)(struct task *t);
	struct sweep_dir *dir; /* of a sweeper */
	struct lane *ln;
	struct loop_work w;
	uint64_t rng;
	uint32_t id, made;
	bool done;
};

struct sweep {
	struct cluster *cl;
	uint32_t rounds, sweepers; /* that are at work */
	struct sweep_dir dir[DIRS];
	struct task task[TASKS];
};

static const struct cred cred = {.pid = 4712};

static uint64_t below(struct task *t, uint64_t n)
{
	uint64_t z = (t->rng += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (z ^ (z >> 31)) % n;
}

static bool ok(struct task *t, const char *what, int rc)
{
	if (rc)
		sim_fail("sweep %u: %s: %s", t->id, what, strerror(-rc));
	return rc == 0 && !sim_failed();
}

static uint32_t dir_no(const struct task *t, const struct sweep_dir *d)
{
	return (uint32_t)(d - t->s->dir);
}

static struct span name_of(uint32_t k, char buf[NAME])
{
	snprintf(buf, NAME, "file%u", k);
	return SPAN_STR(buf);
}

/* ------------------------------------------------------------------ sweepers */

static bool make_all(struct task *t)
{
	uint32_t type = below(t, 4) ? S_IFREG : S_IFIFO;
	char buf[NAME], other[NAME];
	struct entry e;

	for (uint32_t k = 0; k < FILES; k++) {
		struct item *i = &t->dir->item[k];

		i->state = i->made ? CHANGING : NEVER;
		if (!ok(t, "mknod",
			fs_co_make(t->ln, &t->dir->fid, name_of(k, buf), type | 0644, 0, SPAN_NONE,
				   &cred, &e)))
			return false;
		i->fid = e.fid;
		i->made++;
		i->state = THERE;
		if (below(t, 12))
			continue;
		/* Two names: it must not go the fast way, nor its number of links be wrong. */
		snprintf(other, sizeof(other), "link%u", k);
		if (!ok(t, "link", fs_co_link(t->ln, &e.fid, &t->dir->fid, SPAN_STR(other), &e)))
			return false;
		i->linked = below(t, 2);
		if (!i->linked && !ok(t, "unlink of a link",
				      fs_co_unlink(t->ln, &t->dir->fid, SPAN_STR(other), false)))
			return false;
	}
	return true;
}

static int list_nothing(void *arg, const struct fs_dirent *d)
{
	(void)arg, (void)d;
	return 0;
}

static bool look_around(struct task *t)
{
	uint64_t cookie = 0;
	bool eof;

	/* The names and attributes of the files come with it, of the first ones at least. */
	return ok(t, "readdir",
		  fs_co_readdir(t->ln, &t->dir->fid, cookie, true, list_nothing, NULL, &eof));
}

static bool check_own(struct task *t, uint32_t k, int64_t before)
{
	struct item *i = &t->dir->item[k];
	char buf[NAME];
	struct entry e;
	struct attr a;
	int rc;

	if (below(t, 4) == 0 &&
	    (rc = fs_co_lookup(t->ln, &t->dir->fid, name_of(k, buf), &e)) != -ENOENT)
		sim_fail("sweep %u: %s was removed; lookup here says %d", t->id, buf, rc);
	if (below(t, 4) == 0 && ok(t, "getattr", fs_co_getattr(t->ln, &t->dir->fid, &a)) &&
	    a.mtime < before)
		sim_fail("sweep %u: the directory is as old as before %s was removed", t->id,
			 name_of(k, buf).ptr);
	if (below(t, 8) == 0) {
		rc = fs_co_getattr(t->ln, &i->fid, &a);
		if (rc == 0 && a.nlink && i->state == GONE)
			sim_fail("sweep %u: file%u was removed and has a name", t->id, k);
	}
	return !sim_failed();
}

static bool remove_all(struct task *t)
{
	char buf[NAME], other[NAME];

	for (uint32_t k = 0; k < FILES; k++) {
		struct item *i = &t->dir->item[k];
		int64_t before = loop_realtime(lane_loop(t->ln));
		int rc;

		i->state = CHANGING;
		rc = fs_co_unlink(t->ln, &t->dir->fid, name_of(k, buf), false);
		trace("sweep %u: unlink %u/%s: %d", t->id, dir_no(t, t->dir), buf, rc);
		if (!ok(t, "unlink", rc))
			return false;
		snprintf(other, sizeof(other), "link%u", k);
		if (i->linked && !ok(t, "unlink of a second name",
				     fs_co_unlink(t->ln, &t->dir->fid, SPAN_STR(other), false)))
			return false;
		i->linked = false;
		i->state = GONE;
		t->dir->removed = before;
		if (!check_own(t, k, before))
			return false;
		if (below(t, 2)) /* so that others come while something is in flight */
			co_sleep(1 + below(t, 1000ULL << below(t, 10)));
	}
	return true;
}

static void sweeper(struct task *t)
{
	for (uint32_t n = 0; n < t->s->rounds && !sim_failed(); n++) {
		if (!make_all(t) || (below(t, 2) && !look_around(t)))
			break;
		if (below(t, 2))
			co_sleep(1 + below(t, 3000000));
		if (!remove_all(t))
			break;
		if (below(t, 3) == 0 && !ok(t, "fsync", fs_co_syncdir(t->ln, &t->dir->fid)))
			break;
	}
	t->s->sweepers--;
}

/* ------------------------------------------------------------------ watchers */

static struct sweep_dir *some_dir(struct task *t)
{
	return &t->s->dir[below(t, DIRS)];
}

static bool held(const struct item *was, const struct item *is)
{
	return was->made == is->made && was->state == is->state;
}

static void wrong(struct task *t, const char *what, const struct sweep_dir *d, uint32_t k, int rc)
{
	sim_fail("sweep %u: %s of %u/file%u, which %s: %d", t->id, what, dir_no(t, d), k,
		 d->item[k].state == GONE ? "is gone" : "is there", rc);
}

static void watch_lookup(struct task *t)
{
	struct sweep_dir *d = some_dir(t);
	uint32_t k = (uint32_t)below(t, FILES);
	struct item was = d->item[k];
	char buf[NAME];
	struct entry e;
	int rc = fs_co_lookup(t->ln, &d->fid, name_of(k, buf), &e);

	trace("sweep %u: lookup %u/%s: %d", t->id, dir_no(t, d), buf, rc);
	if (held(&was, &d->item[k]) &&
	    ((was.state == GONE && rc != -ENOENT) || (was.state == THERE && rc != 0)))
		wrong(t, "lookup", d, k, rc);
}

static void watch_getattr(struct task *t)
{
	struct sweep_dir *d = some_dir(t);
	uint32_t k = (uint32_t)below(t, FILES);
	struct item was = d->item[k];
	struct attr a = {0};
	int rc;

	if (was.state == NEVER)
		return;
	rc = fs_co_getattr(t->ln, &was.fid, &a);
	trace("sweep %u: getattr of %u/file%u: %d nlink %u", t->id, dir_no(t, d), k, rc, a.nlink);
	if (held(&was, &d->item[k]) &&
	    ((was.state == GONE && rc == 0 && a.nlink) || (was.state == THERE && rc != 0)))
		wrong(t, "getattr", d, k, rc);
}

static void watch_open(struct task *t)
{
	struct sweep_dir *d = some_dir(t);
	uint32_t k = (uint32_t)below(t, FILES);
	struct item was = d->item[k];
	struct file *f = NULL;
	struct attr a;
	int rc;

	if (was.state == NEVER)
		return;
	if (fs_co_getattr(t->ln, &was.fid, &a) || !S_ISREG(a.mode))
		return;
	was = d->item[k];
	rc = fs_co_open(t->ln, &was.fid, O_RDONLY, &f, &a);
	trace("sweep %u: open %u/file%u: %d", t->id, dir_no(t, d), k, rc);
	if (held(&was, &d->item[k]) &&
	    ((was.state == GONE && rc == 0 && a.nlink) || (was.state == THERE && rc != 0)))
		wrong(t, "open", d, k, rc);
	if (rc)
		return;
	co_sleep(1 + below(t, 2000000));
	was = d->item[k];
	rc = fs_co_getattr(t->ln, file_fid(f), &a);
	if (fid_eq(&was.fid, file_fid(f)) && was.state == GONE && rc == 0 && a.nlink)
		wrong(t, "fstat", d, k, rc);
	fs_co_release(t->ln, f);
}

struct seen {
	bool name[FILES];
	uint64_t cookie;
};

static int see(void *arg, const struct fs_dirent *d)
{
	struct seen *s = arg;
	char name[64];
	uint32_t k;

	s->cookie = d->cookie;
	snprintf(name, sizeof(name), "%.*s", (int)d->name.len, (const char *)d->name.ptr);
	if (sscanf(name, "file%u", &k) == 1 && k < FILES)
		s->name[k] = true;
	return 0;
}

static void watch_list(struct task *t)
{
	struct sweep_dir *d = some_dir(t), was = *d;
	bool eof = false, plus = below(t, 2);
	struct seen s = {0};

	while (!eof && !sim_failed())
		if (!ok(t, "readdir",
			fs_co_readdir_some(t->ln, &d->fid, s.cookie, plus,
					   512 + (uint32_t)below(t, 2000), see, &s, &eof)))
			return;
	trace("sweep %u: listed %u", t->id, dir_no(t, d));
	for (uint32_t k = 0; k < FILES; k++)
		if (held(&was.item[k], &d->item[k]) && ((was.item[k].state == GONE && s.name[k]) ||
							(was.item[k].state == THERE && !s.name[k])))
			wrong(t, "listing", d, k, s.name[k]);
}

static void watch_dir(struct task *t)
{
	struct sweep_dir *d = some_dir(t);
	int64_t removed = d->removed;
	struct attr a;

	if (ok(t, "getattr of a directory", fs_co_getattr(t->ln, &d->fid, &a)) && a.mtime < removed)
		sim_fail("sweep %u: directory %u is older than what was removed in it", t->id,
			 dir_no(t, d));
}

static void watch_make(struct task *t)
{
	struct sweep_dir *d = some_dir(t);
	char name[NAME];
	struct entry e;

	snprintf(name, sizeof(name), "w%u-%u", t->id, t->made++);
	if (ok(t, "mknod of a watcher",
	       fs_co_make(t->ln, &d->fid, SPAN_STR(name), S_IFREG | 0600, 0, SPAN_NONE, &cred, &e)))
		ok(t, "unlink of a watcher", fs_co_unlink(t->ln, &d->fid, SPAN_STR(name), false));
}

static void watcher(struct task *t)
{
	void (*const fn[])(struct task *) = {watch_lookup,  watch_lookup, watch_getattr,
					     watch_getattr, watch_open,   watch_list,
					     watch_dir,     watch_make};

	while (t->s->sweepers && !sim_failed()) {
		/* Often long enough that a directory belongs to its sweeper again. */
		co_sleep(1 + below(t, 100000ULL << below(t, 10)));
		fn[below(t, ARRAY_SIZE(fn))](t);
	}
}

/* ------------------------------------------------------------------ all of them */

struct setup {
	struct sweep *s;
	struct lane *ln;
};

static int set_up(void *arg)
{
	struct setup *u = arg;
	const struct fid *root = fs_root(lane_fs(u->ln));
	char name[NAME];
	struct entry e;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < DIRS; i++) {
		snprintf(name, sizeof(name), "sweep%u", i);
		rc = fs_co_make(u->ln, root, SPAN_STR(name), S_IFDIR | 0755, 0, SPAN_NONE, &cred,
				&e);
		u->s->dir[i].fid = e.fid;
	}
	if (rc)
		sim_fail("sweep: a directory cannot be made: %s", strerror(-rc));
	return rc;
}

static void in_fiber(void *arg)
{
	struct task *t = arg;

	t->fn(t);
	t->done = true;
}

static void begin(void *arg)
{
	struct task *t = arg;

	if (fiber_spawn(lane_loop(t->ln), in_fiber, t))
		sim_fail("sweep %u: no memory for a fiber", t->id);
}

int sweep_start(struct cluster *cl, uint64_t seed, uint32_t rounds, struct sweep **out)
{
	struct cluster_client *c = cluster_client(cl, 0);
	struct sweep *s = calloc(1, sizeof(*s));
	struct setup u = {s, c->lane[0]};
	int rc;

	assert(s);
	s->cl = cl;
	s->rounds = rounds;
	*out = s;
	rc = seed % 4 ? cluster_many_leases(cl) : 0; /* names that are known can go ahead */
	if (!rc)
		rc = cluster_call(c->loop[0], set_up, &u);
	if (rc)
		return rc;
	s->sweepers = DIRS;
	for (uint32_t i = 0; i < TASKS; i++) {
		struct task *t = &s->task[i];
		uint32_t lane;

		*t = (struct task){.s = s, .id = i, .rng = seed + i * 7919};
		t->fn = i < DIRS ? sweeper : watcher;
		t->dir = i < DIRS ? &s->dir[i] : NULL;
		c = cluster_client(cl, (uint32_t)below(t, cluster_clients(cl)));
		lane = (uint32_t)below(t, c->nlanes);
		t->ln = c->lane[lane];
		t->w = (struct loop_work){.fn = begin, .arg = t};
		loop_post(c->loop[lane], &t->w);
	}
	return 0;
}

bool sweep_done(const struct sweep *s)
{
	for (uint32_t i = 0; i < TASKS; i++)
		if (!s->task[i].done)
			return false;
	return true;
}

struct last {
	struct sweep *s;
	struct lane *ln;
	bool remove;
};

static int check(void *arg)
{
	struct last *l = arg;
	char buf[NAME];
	struct entry e;

	for (uint32_t i = 0; i < DIRS; i++) {
		for (uint32_t k = 0; k < FILES; k++)
			if (fs_co_lookup(l->ln, &l->s->dir[i].fid, name_of(k, buf), &e) != -ENOENT)
				sim_fail("sweep: %u/%s is there at the end", i, buf);
		snprintf(buf, sizeof(buf), "sweep%u", i);
		if (l->remove && fs_co_unlink(l->ln, fs_root(lane_fs(l->ln)), SPAN_STR(buf), true))
			sim_fail("sweep: %s is not empty at the end", buf);
	}
	return 0;
}

void sweep_check(struct sweep *s)
{
	uint32_t n = cluster_clients(s->cl);

	for (uint32_t i = 0; i < n && !sim_failed(); i++) {
		struct cluster_client *c = cluster_client(s->cl, i);
		struct last l = {s, c->lane[0], i == n - 1};
		int rc = cluster_call(c->loop[0], check, &l);

		if (rc)
			sim_fail("sweep: the check does not end: %s", strerror(-rc));
	}
}

void sweep_free(struct sweep *s)
{
	free(s);
}
