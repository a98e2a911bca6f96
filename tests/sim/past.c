/* SPDX-License-Identifier: Apache-2.0 */
/* past.c - see past.h. Each round makes one moment in which a promise is easy to break: chance
 * finds these too rarely, see docs/reliability.md. The seed decides which rounds, and when. */
#include "tests/sim/past.h"
#include "common/fiber.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/trace.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 6, LEN = 1 << 20, PIECE = 64 << 10, LATE_MS = 3000 };
#define TERM_NS (13 * NSEC_PER_SEC)
#define SETTLE_NS (5 * NSEC_PER_SEC)
#define END_NS (600 * NSEC_PER_SEC)

struct past {
	struct cluster *c;
	struct cluster_client *lives, *away;
	uint32_t round;
	char name[16];
	struct fid fid;
};

static uint8_t bytes[LEN], seen[LEN], again[LEN];

/* ---- an operation on a client, which may take its time ---- */

struct step {
	struct past *p;
	struct lane *ln;
	struct loop *loop;
	int64_t (*fn)(struct past *p, struct lane *ln);
	int64_t rc;
	bool over;
	struct loop_work w;
};

static void step_fiber(void *arg)
{
	struct step *s = arg;

	s->rc = s->fn(s->p, s->ln);
	s->over = true;
}

static void step_begin(void *arg)
{
	struct step *s = arg;

	if (fiber_spawn(s->loop, step_fiber, s))
		s->over = true;
}

static bool step_over(void *arg)
{
	return ((struct step *)arg)->over;
}

static void begin(struct step *s, struct past *p, struct cluster_client *c,
		  int64_t (*fn)(struct past *p, struct lane *ln))
{
	*s = (struct step){.p = p, .ln = c->lane[0], .loop = c->loop[0], .fn = fn, .rc = -ENOMEM};
	s->w = (struct loop_work){.fn = step_begin, .arg = s};
	loop_post(s->loop, &s->w);
}

static int64_t end(struct step *s, const char *what)
{
	int rc = sim_run_until(step_over, s, END_NS);

	trace("past: %s %s: %lld", what, s->p->name, (long long)s->rc);
	if (rc)
		sim_fail("past: %s does not end: %s", what, strerror(-rc));
	return rc ? rc : s->rc;
}

static int64_t call(struct past *p, struct cluster_client *c, const char *what,
		    int64_t (*fn)(struct past *p, struct lane *ln))
{
	struct step s;

	begin(&s, p, c, fn);
	return end(&s, what);
}

static bool works(struct past *p, struct cluster_client *c, const char *what,
		  int64_t (*fn)(struct past *p, struct lane *ln))
{
	int64_t rc = call(p, c, what, fn);

	if (rc < 0 && !sim_failed())
		sim_fail("past: %s %s: %s", what, p->name, strerror((int)-rc));
	return !sim_failed();
}

static void cut(struct past *p, bool off)
{
	(void)p;
	sim_net_down(NODE_CLIENT + 1, off);
	trace("past: client 1 is %s", off ? "cut off" : "back");
}

/* ---- operations ---- */

static int64_t create(struct past *p, struct lane *ln)
{
	const struct cred cred = {.pid = 1};
	struct entry e;
	struct file *f;
	int rc = fs_co_create(ln, fs_root(lane_fs(ln)), SPAN_STR(p->name),
			      O_CREAT | O_EXCL | O_RDWR, 0644, &cred, &e, &f);

	if (rc)
		return rc;
	p->fid = e.fid;
	fs_co_release(ln, f);
	return 0;
}

static int64_t write_with(struct past *p, struct lane *ln, uint8_t what, bool sync)
{
	uint64_t off = 0;
	struct file *f;
	int64_t rc = fs_co_open(ln, &p->fid, O_RDWR, &f, NULL);

	if (rc)
		return rc;
	memset(bytes, what, LEN);
	rc = fs_co_write(ln, f, bytes, LEN, &off, false, false);
	if (rc > 0 && sync)
		rc = fs_co_fsync(ln, f, false);
	fs_co_release(ln, f);
	return rc;
}

static int64_t write_first(struct past *p, struct lane *ln)
{
	return write_with(p, ln, 'a', true);
}

static int64_t write_second(struct past *p, struct lane *ln)
{
	return write_with(p, ln, 'b', true);
}

static int64_t read_to(struct past *p, struct lane *ln, uint8_t *to, size_t len)
{
	struct file *f;
	int64_t rc = fs_co_open(ln, &p->fid, O_RDONLY, &f, NULL);

	if (rc)
		return rc;
	for (size_t off = 0; off < len && rc >= 0; off += PIECE)
		rc = fs_co_read(ln, f, to + off, PIECE, off);
	fs_co_release(ln, f);
	return rc;
}

static int64_t read_seen(struct past *p, struct lane *ln)
{
	return read_to(p, ln, seen, LEN);
}

static int64_t read_again(struct past *p, struct lane *ln)
{
	return read_to(p, ln, again, LEN);
}

static int64_t look_up(struct past *p, struct lane *ln)
{
	struct entry e;

	return fs_co_lookup(ln, fs_root(lane_fs(ln)), SPAN_STR(p->name), &e);
}

static int64_t get_mode(struct past *p, struct lane *ln)
{
	struct attr a;
	int rc = fs_co_getattr(ln, &p->fid, &a);

	return rc ? rc : (int64_t)(a.mode & 07777);
}

static int64_t change_mode(struct past *p, struct lane *ln)
{
	struct attr a = {.mode = 0600};

	return fs_co_setattr(ln, &p->fid, NULL, SETATTR_MODE, &a, &a);
}

static int64_t remove_it(struct past *p, struct lane *ln)
{
	return fs_co_unlink(ln, fs_root(lane_fs(ln)), SPAN_STR(p->name), false);
}

/* ---- rounds ---- */

/* A client that cannot be reached believes nothing after its term. */
static void term(struct past *p)
{
	bool name = sim_below(SIM_WORK, 2);
	struct step s;
	int64_t rc;

	if (!works(p, p->lives, "create", create) || !works(p, p->away, "lookup", look_up) ||
	    !works(p, p->away, "getattr", get_mode))
		return;
	cut(p, true);
	if (!works(p, p->lives, name ? "unlink" : "chmod", name ? remove_it : change_mode))
		return;
	begin(&s, p, p->away, name ? look_up : get_mode);
	sim_run_for(sim_below(SIM_FAULT, 2 * NSEC_PER_SEC));
	cut(p, false);
	rc = end(&s, "a look after that");
	if (!sim_failed() && rc != (name ? -ENOENT : 0600))
		sim_fail("past: an old %s is believed after the term: %lld",
			 name ? "name" : "mode", (long long)rc);
}

static struct file *held;

/* The rest is fetched ahead. */
static int64_t read_half(struct past *p, struct lane *ln)
{
	int64_t rc = fs_co_open(ln, &p->fid, O_RDONLY, &held, NULL);

	for (size_t off = 0; off < LEN / 2 && rc >= 0; off += PIECE)
		rc = fs_co_read(ln, held, seen + off, PIECE, off);
	return rc;
}

static int64_t read_rest(struct past *p, struct lane *ln)
{
	int64_t rc = 0;

	(void)p;
	for (size_t off = LEN / 2; off < LEN && rc >= 0; off += PIECE)
		rc = fs_co_read(ln, held, again + off, PIECE, off);
	fs_co_release(ln, held);
	return rc;
}

/* Bytes that were read ahead are not shown when somebody else has changed them: neither after the
 * lease was recalled, nor, by a client that cannot hear of that, after its term. */
static void ahead(struct past *p)
{
	bool off = sim_below(SIM_WORK, 2);
	struct step s;
	int64_t rc;

	if (!works(p, p->lives, "create", create) || !works(p, p->lives, "write", write_first) ||
	    !works(p, p->away, "read", read_half))
		return;
	sim_run_for(sim_below(SIM_FAULT, NSEC_PER_SEC));
	if (off)
		cut(p, true);
	if (!works(p, p->lives, "write", write_second))
		return;
	begin(&s, p, p->away, read_rest);
	sim_run_for(sim_below(SIM_FAULT, 2 * NSEC_PER_SEC));
	if (off)
		cut(p, false);
	rc = end(&s, "read");
	memset(bytes, 'b', LEN);
	if (!sim_failed() && (rc < 0 || memcmp(again + LEN / 2, bytes, LEN / 2) != 0))
		sim_fail("past: bytes that were read ahead are shown %s: %lld",
			 off ? "after the term" : "after they were overwritten", (long long)rc);
}

static struct file *dirty;

static int64_t write_behind(struct past *p, struct lane *ln)
{
	uint64_t off = 0;
	int rc = fs_co_open(ln, &p->fid, O_RDWR, &dirty, NULL);

	memset(bytes, 'c', LEN);
	return rc ? rc : fs_co_write(ln, dirty, bytes, LEN / 2 + PIECE, &off, false, false);
}

static int64_t give_up(struct past *p, struct lane *ln)
{
	int rc = fs_co_fsync(ln, dirty, false);

	(void)p;
	fs_co_release(ln, dirty);
	return rc;
}

/* What a client wrote behind and could not send is not there for others: then it never will be. */
static void behind(struct past *p)
{
	if (!works(p, p->lives, "create", create) || !works(p, p->lives, "write", write_first) ||
	    !works(p, p->away, "write", write_behind))
		return;
	sim_run_for(sim_below(SIM_FAULT, 3 * NSEC_PER_MSEC));
	cut(p, true);
	if (!works(p, p->lives, "read", read_seen))
		return;
	sim_run_for(sim_below(SIM_FAULT, TERM_NS));
	cut(p, false);
	sim_run_for(SETTLE_NS);
	(void)call(p, p->away, "fsync", give_up); /* EIO, unless all was sent before */
	if (!sim_failed() && works(p, p->lives, "read", read_again) &&
	    memcmp(seen, again, LEN) != 0)
		sim_fail("past: bytes of a client that was given up have come later");
}

/* What was answered is done again before anybody else does anything. */
static void replay(struct past *p)
{
	bool look = sim_below(SIM_WORK, 2);
	struct step s;
	int64_t rc;

	if (cluster_commits(p->c, 5000, false) || !works(p, p->away, "create", create))
		return;
	cut(p, true);
	if (cluster_restart(p->c, SERVER_MDS, END_POWER))
		return;
	begin(&s, p, p->lives, look ? look_up : create);
	sim_run_for(sim_below(SIM_FAULT, LATE_MS * NSEC_PER_MSEC));
	cut(p, false);
	rc = end(&s, look ? "a look at what is there" : "a create of what is there");
	if (!sim_failed() && rc != (look ? 0 : -EEXIST))
		sim_fail("past: an answered name is not there before it is done again: %lld",
			 (long long)rc);
}

/* The process of the MDS dies and has been the only one that knew. */
static void redo(struct past *p)
{
	if (cluster_commits(p->c, 5000, false) || !works(p, p->away, "create", create))
		return;
	cut(p, true);
	if (cluster_restart(p->c, SERVER_MDS, END_KILL))
		return;
	if (works(p, p->lives, "a lookup of what its maker cannot do again", look_up))
		sim_run_for(sim_below(SIM_FAULT, TERM_NS));
	cut(p, false);
}

void past_run(struct cluster *c)
{
	static void (*const rounds[])(struct past *p) = {term, ahead, behind, replay, redo};
	struct past p = {
		.c = c, .lives = cluster_client(c, 0), .away = cluster_client(c, 1)};

	for (p.round = 0; p.round < ROUNDS && !sim_failed(); p.round++) {
		snprintf(p.name, sizeof(p.name), "past%u", p.round);
		rounds[sim_below(SIM_WORK, ARRAY_SIZE(rounds))](&p);
		if (!sim_failed())
			sim_run_for(SETTLE_NS);
	}
}
