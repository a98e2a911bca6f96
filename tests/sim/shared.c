/* SPDX-License-Identifier: Apache-2.0 */
/* shared.c - see shared.h. Each task is one fiber on one lane; tasks share only the counts of what
 * must come out in the end. */
#include "tests/sim/shared.h"
#include "common/co.h"
#include "common/fiber.h"
#include "tests/sim/sim.h"
#include "tests/sim/trace.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	TOKEN_DIRS = 4,
	FIXED = 40, /* names that stay */
	RECORD = 47008,
	APPEND_MAX = 9000,
	MAX_TASKS = 32,
	MAX_ROUNDS = 64,
};

struct task {
	struct shared *s;
	void (*fn)(struct task *t);
	const char *name;
	uint32_t id, client;
	struct lane *ln;
	struct loop_work w;
	uint64_t rng;
	uint8_t *buf;
	bool done;
};

struct shared {
	struct cluster *cl;
	uint32_t rounds, ntasks;
	struct task task[MAX_TASKS];
	struct fid dir, token_dir[TOKEN_DIRS], list_dir, excl_dir, log, counter, records;
	uint32_t increments, appenders, recorders, churn_no;
	uint32_t won[MAX_ROUNDS];
};

static const struct cred cred = {.pid = 4711};

static uint64_t below(struct task *t, uint64_t n)
{
	t->rng = t->rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (t->rng >> 33) % n;
}

static bool ok(struct task *t, const char *what, int64_t rc)
{
	if (rc < 0)
		sim_fail("%s %u: %s: %s", t->name, t->id, what, strerror((int)-rc));
	return rc >= 0 && !sim_failed();
}

static void pause_some(struct task *t)
{
	co_sleep(1 + below(t, 2000000));
}

static struct file *open_file(struct task *t, const struct fid *fid, int flags)
{
	struct file *f = NULL;
	struct attr a;

	return ok(t, "open", fs_co_open(t->ln, fid, flags, &f, &a)) ? f : NULL;
}

/* ------------------------------------------------------------------ append */

struct record_head {
	uint32_t magic, writer, seq, len; /* len with the head */
};
#define MAGIC 0x5eeed0caU

static uint8_t pattern(uint32_t writer, uint32_t seq, uint32_t at)
{
	return (uint8_t)(writer * 31 + seq * 7 + at);
}

static void record_fill(uint8_t *buf, uint32_t writer, uint32_t seq, uint32_t len)
{
	struct record_head h = {MAGIC, writer, seq, len};

	memcpy(buf, &h, sizeof(h));
	for (uint32_t i = sizeof(h); i < len; i++)
		buf[i] = pattern(writer, seq, i);
}

static bool record_ok(const uint8_t *buf, uint32_t writer, uint32_t seq, uint32_t len)
{
	struct record_head h;

	memcpy(&h, buf, sizeof(h));
	if (h.magic != MAGIC || h.writer != writer || h.seq != seq || h.len != len)
		return false;
	for (uint32_t i = sizeof(h); i < len; i++)
		if (buf[i] != pattern(writer, seq, i))
			return false;
	return true;
}

static void append_task(struct task *t)
{
	struct file *f = open_file(t, &t->s->log, O_WRONLY | O_APPEND);

	for (uint32_t i = 0; f && i < t->s->rounds; i++) {
		uint32_t len = (uint32_t)(sizeof(struct record_head) + below(t, APPEND_MAX));
		uint64_t off = 0;
		ssize_t rc;

		record_fill(t->buf, t->id, i, len);
		rc = fs_co_write(t->ln, f, t->buf, len, &off, true, false);
		trace("%s %u: record %u of %u bytes at %llu: %zd", t->name, t->id, i, len,
		      (unsigned long long)off, rc);
		if (!ok(t, "write", rc))
			break;
		if ((uint32_t)rc != len)
			sim_fail("append %u: %zd of %u bytes", t->id, rc, len);
		pause_some(t);
	}
	if (f)
		fs_co_release(t->ln, f);
}

static void append_check(struct task *t)
{
	struct file *f = open_file(t, &t->s->log, O_RDONLY);
	uint32_t seq[MAX_TASKS] = {0}, n = 0;
	uint64_t at = 0;

	while (f && !sim_failed()) {
		struct record_head h = {0};
		ssize_t rc = fs_co_read(t->ln, f, t->buf, RECORD, at);

		if (!ok(t, "read of the log", rc) || rc == 0)
			break;
		memcpy(&h, t->buf, sizeof(h));
		if (h.magic != MAGIC || h.writer >= MAX_TASKS || h.len > (uint64_t)rc ||
		    !record_ok(t->buf, h.writer, seq[h.writer], h.len)) {
			sim_fail("append: at %llu is no record number %u of writer %u",
				 (unsigned long long)at,
				 h.writer < MAX_TASKS ? seq[h.writer] : 0, h.writer);
			break;
		}
		seq[h.writer]++;
		at += h.len;
		n++;
	}
	if (n != t->s->appenders * t->s->rounds)
		sim_fail("append: %u records of %u", n, t->s->appenders * t->s->rounds);
	if (f)
		fs_co_release(t->ln, f);
}

/* ------------------------------------------------------------------ counter */

static int counter_lock(struct task *t, uint8_t type)
{
	struct fs_lock lk = {.space = LOCK_POSIX, .type = type, .owner = 900 + t->id,
			     .end = UINT64_MAX, .pid = t->id};
	struct fs_lock_wait w = {0};

	return fs_co_setlk(t->ln, &t->s->counter, &lk, type != F_UNLCK, &w);
}

static void counter_task(struct task *t)
{
	struct file *f = open_file(t, &t->s->counter, O_RDWR);

	for (uint32_t i = 0; f && i < t->s->rounds; i++) {
		uint64_t v = 0, off = 0;

		if (!ok(t, "lock", counter_lock(t, F_WRLCK)) ||
		    !ok(t, "read", fs_co_read(t->ln, f, &v, sizeof(v), 0)))
			break;
		v++;
		trace("%s %u: to %llu", t->name, t->id, (unsigned long long)v);
		if (!ok(t, "write", fs_co_write(t->ln, f, &v, sizeof(v), &off, false, false)) ||
		    !ok(t, "unlock", counter_lock(t, F_UNLCK)))
			break;
		t->s->increments++;
		if (below(t, 2))
			pause_some(t);
	}
	if (f)
		fs_co_release(t->ln, f);
}

static void counter_check(struct task *t)
{
	struct file *f = open_file(t, &t->s->counter, O_RDONLY);
	uint64_t v = 0;

	if (f && ok(t, "read", fs_co_read(t->ln, f, &v, sizeof(v), 0)) && v != t->s->increments)
		sim_fail("counter: %llu after %u increments", (unsigned long long)v,
			 t->s->increments);
	if (f)
		fs_co_release(t->ln, f);
}

/* ------------------------------------------------------------------ token */

static void token_task(struct task *t)
{
	struct span name = SPAN_STR("token");

	for (uint32_t i = 0; i < t->s->rounds && !sim_failed(); i++) {
		const struct fid *from = &t->s->token_dir[below(t, TOKEN_DIRS)];
		const struct fid *to = &t->s->token_dir[below(t, TOKEN_DIRS)];
		int rc = fs_co_rename(t->ln, from, name, to, name, below(t, 2) ? 1 : 0);

		trace("%s %u: rename: %d", t->name, t->id, rc);
		if (rc && rc != -ENOENT && rc != -EEXIST)
			ok(t, "rename", rc);
		if (rc == -EEXIST && from != to)
			sim_fail("token: there are two");
		if (below(t, 3) == 0)
			pause_some(t);
	}
}

static void token_check(struct task *t)
{
	uint32_t n = 0;
	struct entry e;

	for (int i = 0; i < TOKEN_DIRS; i++)
		n += fs_co_lookup(t->ln, &t->s->token_dir[i], SPAN_STR("token"), &e) == 0;
	if (n != 1)
		sim_fail("token: there are %u", n);
}

/* ------------------------------------------------------------------ readdir */

static void churn_task(struct task *t)
{
	char name[32], old[8][32] = {{0}};

	for (uint32_t i = 0; i < t->s->rounds * 2 && !sim_failed(); i++) {
		uint64_t k = below(t, 8);
		struct entry e;

		snprintf(name, sizeof(name), "churn%u", t->s->churn_no++);
		trace("%s %u: make %s, remove %s", t->name, t->id, name, old[k]);
		if (!ok(t, "mknod", fs_co_make(t->ln, &t->s->list_dir, SPAN_STR(name),
					       S_IFREG | 0644, 0, SPAN_NONE, &cred, &e)))
			return;
		if (*old[k] && !ok(t, "unlink", fs_co_unlink(t->ln, &t->s->list_dir,
							     SPAN_STR(old[k]), false)))
			return;
		memcpy(old[k], name, sizeof(name));
	}
}

struct listing {
	struct task *t;
	uint32_t left, seen[FIXED];
	uint64_t cookie;
	uint8_t churn[4096 / 8]; /* bit: name was listed */
};

static int list_one(void *arg, const struct fs_dirent *d)
{
	struct listing *l = arg;
	char name[64];
	uint32_t k;

	if (l->left-- == 0)
		return 1;
	l->cookie = d->cookie;
	snprintf(name, sizeof(name), "%.*s", (int)d->name.len, (const char *)d->name.ptr);
	if (sscanf(name, "fixed%u", &k) == 1 && k < FIXED) {
		l->seen[k]++;
	} else if (sscanf(name, "churn%u", &k) == 1 && k < 4096) {
		if (l->churn[k / 8] & 1 << k % 8)
			sim_fail("readdir: '%s' twice", name);
		l->churn[k / 8] |= (uint8_t)(1 << k % 8);
	}
	return 0;
}

static void list_task(struct task *t)
{
	for (uint32_t i = 0; i < t->s->rounds / 4 + 1 && !sim_failed(); i++) {
		struct listing l = {.t = t};
		bool eof = false;

		while (!eof && !sim_failed()) {
			l.left = 1 + (uint32_t)below(t, 25);
			if (!ok(t, "readdir", fs_co_readdir(t->ln, &t->s->list_dir, l.cookie,
							    below(t, 2), list_one, &l, &eof)))
				return;
			if (below(t, 2))
				pause_some(t);
		}
		for (int k = 0; k < FIXED; k++)
			if (l.seen[k] != 1)
				sim_fail("readdir: fixed%d %u times", k, l.seen[k]);
		trace("%s %u: listed", t->name, t->id);
	}
}

/* ------------------------------------------------------------------ excl */

static void excl_task(struct task *t)
{
	for (uint32_t i = 0; i < t->s->rounds && !sim_failed(); i++) {
		struct file *f;
		struct entry e;
		char name[32];
		int rc;

		snprintf(name, sizeof(name), "lock%u", i);
		rc = fs_co_create(t->ln, &t->s->excl_dir, SPAN_STR(name),
				  O_CREAT | O_EXCL | O_WRONLY, 0600, &cred, &e, &f);
		trace("%s %u: create %s: %d", t->name, t->id, name, rc);
		if (rc == 0) {
			t->s->won[i]++;
			fs_co_release(t->ln, f);
		} else if (rc != -EEXIST) {
			ok(t, "create", rc);
		}
	}
}

static void excl_check(struct task *t)
{
	for (uint32_t i = 0; i < t->s->rounds; i++)
		if (t->s->won[i] != 1)
			sim_fail("excl: lock%u was made %u times", i, t->s->won[i]);
}

/* ------------------------------------------------------------------ records */

static uint64_t record_off(const struct shared *s, uint32_t who, uint32_t i)
{
	return ((uint64_t)i * s->recorders + who) * RECORD;
}

static void record_task(struct task *t)
{
	struct file *f = open_file(t, &t->s->records, O_WRONLY);

	for (uint32_t i = 0; f && i < t->s->rounds / 3; i++) {
		uint64_t off = record_off(t->s, t->id, i);
		ssize_t rc;

		record_fill(t->buf, t->id, i, RECORD);
		rc = fs_co_write(t->ln, f, t->buf, RECORD, &off, false, false);
		trace("%s %u: %u: %zd", t->name, t->id, i, rc);
		if (!ok(t, "write", rc))
			break;
		if (rc != RECORD)
			sim_fail("records: wrote %zd", rc);
	}
	if (f)
		fs_co_release(t->ln, f);
}

static void record_check(struct task *t)
{
	struct file *f = open_file(t, &t->s->records, O_RDONLY);
	uint32_t n = t->s->rounds / 3;
	struct attr a = {0};

	for (uint32_t i = 0; f && i < n * t->s->recorders && !sim_failed(); i++) {
		uint32_t who = i % t->s->recorders, k = i / t->s->recorders;
		ssize_t rc = fs_co_read(t->ln, f, t->buf, RECORD, record_off(t->s, who, k));

		if (ok(t, "read", rc) && (rc != RECORD || !record_ok(t->buf, who, k, RECORD)))
			sim_fail("records: number %u of %u is damaged (%zd bytes)", k, who, rc);
	}
	if (f)
		fs_co_release(t->ln, f);
	if (ok(t, "getattr", fs_co_getattr(t->ln, &t->s->records, &a)) &&
	    a.size != (uint64_t)n * t->s->recorders * RECORD)
		sim_fail("records: the size is %llu", (unsigned long long)a.size);
}

/* ------------------------------------------------------------------ all of them */

struct setup {
	struct shared *s;
	struct lane *ln;
};

static int make(struct setup *u, const struct fid *dir, const char *name, uint32_t mode,
		struct fid *out)
{
	struct entry e;
	int rc = fs_co_make(u->ln, dir, SPAN_STR(name), mode, 0, SPAN_NONE, &cred, &e);

	if (rc)
		sim_fail("shared: %s cannot be made: %s", name, strerror(-rc));
	else
		*out = e.fid;
	return rc;
}

static int set_up(void *arg)
{
	struct setup *u = arg;
	struct shared *s = u->s;
	const struct fid *root = fs_root(lane_fs(u->ln));
	struct fid fid;
	char name[32];
	int rc;

	rc = make(u, root, "shared", S_IFDIR | 0755, &s->dir);
	for (int i = 0; !rc && i < TOKEN_DIRS; i++) {
		snprintf(name, sizeof(name), "token%d", i);
		rc = make(u, &s->dir, name, S_IFDIR | 0755, &s->token_dir[i]);
	}
	if (!rc)
		rc = make(u, &s->token_dir[0], "token", S_IFREG | 0644, &fid);
	if (!rc)
		rc = make(u, &s->dir, "list", S_IFDIR | 0755, &s->list_dir);
	for (int i = 0; !rc && i < FIXED; i++) {
		snprintf(name, sizeof(name), "fixed%d", i);
		rc = make(u, &s->list_dir, name, S_IFREG | 0644, &fid);
	}
	if (!rc)
		rc = make(u, &s->dir, "excl", S_IFDIR | 0755, &s->excl_dir);
	if (!rc)
		rc = make(u, &s->dir, "log", S_IFREG | 0644, &s->log);
	if (!rc)
		rc = make(u, &s->dir, "counter", S_IFREG | 0644, &s->counter);
	if (!rc)
		rc = make(u, &s->dir, "records", S_IFREG | 0644, &s->records);
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
		sim_fail("%s: no memory for a fiber", t->name);
}

static void add(struct shared *s, void (*fn)(struct task *t), const char *name, uint32_t id,
		uint64_t seed)
{
	struct task *t = &s->task[s->ntasks++];
	struct cluster_client *c;
	uint32_t lane;

	assert(s->ntasks <= MAX_TASKS);
	t->rng = seed + s->ntasks * 7919;
	t->client = s->ntasks % CLUSTER_CLIENTS;
	c = cluster_client(s->cl, t->client);
	lane = (uint32_t)below(t, c->nlanes);
	t->s = s;
	t->fn = fn;
	t->name = name;
	t->id = id;
	t->ln = c->lane[lane];
	t->buf = malloc(RECORD);
	assert(t->buf);
	t->w = (struct loop_work){.fn = begin, .arg = t};
	loop_post(c->loop[lane], &t->w);
}

int shared_start(struct cluster *cl, uint64_t seed, uint32_t rounds, struct shared **out)
{
	struct cluster_client *c = cluster_client(cl, 0);
	struct shared *s = calloc(1, sizeof(*s));
	struct setup u = {s, c->lane[0]};
	int rc;

	assert(s);
	s->cl = cl;
	s->rounds = rounds < MAX_ROUNDS ? rounds : MAX_ROUNDS;
	*out = s;
	rc = cluster_call(c->loop[0], set_up, &u);
	if (rc)
		return rc;
	s->appenders = 4;
	s->recorders = 3;
	for (uint32_t i = 0; i < s->appenders; i++)
		add(s, append_task, "append", i, seed);
	for (uint32_t i = 0; i < 3; i++)
		add(s, counter_task, "counter", i, seed);
	for (uint32_t i = 0; i < 3; i++)
		add(s, token_task, "token", i, seed);
	for (uint32_t i = 0; i < 2; i++)
		add(s, churn_task, "churn", i, seed);
	for (uint32_t i = 0; i < 2; i++)
		add(s, list_task, "list", i, seed);
	for (uint32_t i = 0; i < 3; i++)
		add(s, excl_task, "excl", i, seed);
	for (uint32_t i = 0; i < s->recorders; i++)
		add(s, record_task, "record", i, seed);
	return 0;
}

bool shared_done(const struct shared *s)
{
	for (uint32_t i = 0; i < s->ntasks; i++)
		if (!s->task[i].done)
			return false;
	return true;
}

static int check(void *arg)
{
	struct task *t = arg;

	append_check(t);
	counter_check(t);
	token_check(t);
	excl_check(t);
	record_check(t);
	return 0;
}

void shared_check(struct shared *s)
{
	for (uint32_t i = 0; i < CLUSTER_CLIENTS && !sim_failed(); i++) {
		struct cluster_client *c = cluster_client(s->cl, i);
		struct task t = {.s = s, .name = "check", .ln = c->lane[0], .id = i};
		int rc;

		t.buf = malloc(RECORD);
		assert(t.buf);
		rc = cluster_call(c->loop[0], check, &t);
		if (rc)
			sim_fail("shared: the check does not end: %s", strerror(-rc));
		free(t.buf);
	}
}

struct cleaner {
	struct lane *ln;
	char name[64];
	bool found, is_dir;
	struct fid fid;
};

static int pick_one(void *arg, const struct fs_dirent *d)
{
	struct cleaner *c = arg;

	if (d->name.ptr[0] == '.')
		return 0;
	snprintf(c->name, sizeof(c->name), "%.*s", (int)d->name.len, (const char *)d->name.ptr);
	c->found = true;
	c->is_dir = d->dtype == S_IFDIR >> 12;
	c->fid = d->e.fid;
	return 1;
}

static int remove_all(struct lane *ln, const struct fid *dir)
{
	for (;;) {
		struct cleaner c = {.ln = ln};
		bool eof = false;
		int rc = 0;

		for (uint64_t tries = 0; !c.found && !eof && !rc && tries < 10; tries++)
			rc = fs_co_readdir(ln, dir, 0, false, pick_one, &c, &eof);
		if (!rc && c.found && c.is_dir)
			rc = remove_all(ln, &c.fid);
		if (!rc && c.found)
			rc = fs_co_unlink(ln, dir, SPAN_STR(c.name), c.is_dir);
		if (rc || !c.found)
			return rc;
	}
}

static int clean(void *arg)
{
	struct task *t = arg;
	int rc = remove_all(t->ln, &t->s->dir);

	if (!rc)
		rc = fs_co_unlink(t->ln, fs_root(lane_fs(t->ln)), SPAN_STR("shared"), true);
	return rc;
}

void shared_clean(struct shared *s)
{
	struct cluster_client *c = cluster_client(s->cl, 1);
	struct task t = {.s = s, .ln = c->lane[0]};
	int rc = cluster_call(c->loop[0], clean, &t);

	if (rc)
		sim_fail("shared: removing everything: %s", strerror(-rc));
}

void shared_free(struct shared *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->ntasks; i++)
		free(s->task[i].buf);
	free(s);
}
