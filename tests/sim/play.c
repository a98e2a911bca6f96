/* SPDX-License-Identifier: Apache-2.0 */
/* play.c - how a player chooses, hops and compares; see play.h. */
#include "tests/sim/play.h"
#include "tests/sim/sim.h"
#include "common/fiber.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { NAMES = 10, DIR_MAX = 40 };

struct play_op {
	const char *name;
	void (*fn)(struct play *p);
	uint32_t weight;
	bool handle;
};

static const struct play_op ops[] = {
#define PLAY_ROW(name, weight, handle) {#name, play_##name, weight, handle},
	PLAY_OPS(PLAY_ROW)
#undef PLAY_ROW
};

/* ------------------------------------------------------------------ choosing */

uint64_t play_below(struct play *p, uint64_t n)
{
	uint64_t z = (p->rng += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (z ^ (z >> 31)) % n;
}

struct model_node *play_any(struct play *p)
{
	return model_pick(p->m, play_below(p, model_count(p->m)));
}

struct model_node *play_any_of(struct play *p, uint32_t type)
{
	for (int i = 0; i < 20; i++) {
		struct model_node *n = play_any(p);

		if ((n->a.mode & S_IFMT) == type && n->a.nlink)
			return n;
	}
	return NULL;
}

struct model_node *play_any_dir(struct play *p)
{
	struct model_node *n = play_any_of(p, S_IFDIR);

	return n ? n : model_root(p->m);
}

const char *play_name(struct play *p, struct model_node *dir, char out[PLAY_NAME])
{
	struct model_dent *d;
	uint64_t k;

	if (dir->ndents && (dir->ndents > DIR_MAX || play_below(p, 5) < 3)) {
		k = play_below(p, dir->ndents);
		TAILQ_FOREACH(d, &dir->dents, link)
			if (k-- == 0)
				break;
		snprintf(out, PLAY_NAME, "%s", d->name);
		return out;
	}
	memset(out, 0, PLAY_NAME);
	if (play_one_in(p, 40)) /* as long as a name can be */
		memset(out, 'x', 254);
	snprintf(out + strlen(out), 4, "%c", (char)('a' + play_below(p, NAMES)));
	return out;
}

const char *play_short(const char *name)
{
	return strlen(name) > 20 ? name + strlen(name) - 5 : name;
}

struct cred play_cred(struct play *p)
{
	static const uint32_t umasks[] = {0, 022, 077, 0777};

	return (struct cred){
		.uid = (uint32_t)play_below(p, 3),
		.gid = (uint32_t)play_below(p, 3),
		.pid = 1000 + p->index,
		.umask = umasks[play_below(p, 4)],
	};
}

struct model_new play_new(struct play *p, uint32_t type, const struct cred *cred)
{
	uint32_t mode = type | (uint32_t)play_below(p, 01000);

	if (type == S_IFDIR && play_one_in(p, 8))
		mode |= S_ISGID;
	if (play_one_in(p, 8))
		mode |= S_ISUID;
	return (struct model_new){
		.mode = mode, .umask = cred->umask, .uid = cred->uid, .gid = cred->gid};
}

void play_fill(struct play *p, uint8_t *buf, size_t len)
{
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++, word >>= 8) {
		if (i % 8 == 0)
			word = play_below(p, UINT64_MAX);
		buf[i] = (uint8_t)word;
	}
}

struct handle *play_handle_free(struct play *p)
{
	for (int i = 0; i < PLAY_HANDLES; i++)
		if (!p->handle[i].f)
			return &p->handle[i];
	return NULL;
}

static struct handle *any_handle(struct play *p)
{
	uint64_t first = play_below(p, PLAY_HANDLES);

	for (uint64_t i = 0; i < PLAY_HANDLES; i++) {
		struct handle *h = &p->handle[(first + i) % PLAY_HANDLES];

		if (h->f)
			return h;
	}
	return NULL;
}

/* ------------------------------------------------------------------ comparing */

void play_call(struct play *p)
{
	p->t0 = loop_realtime(lane_loop(p->ln));
}

void play_called(struct play *p)
{
	model_set_window(p->m, p->t0, loop_realtime(lane_loop(p->ln)));
}

static bool gone(int64_t rc)
{
	return rc == -ENOENT || rc == -ESTALE;
}

bool play_same(struct play *p, const char *what, int64_t got, int64_t want)
{
	if (got != want && !(gone(got) && gone(want)))
		sim_fail("player %u, operation %u, client %u: %s gives %lld, the model says %lld",
			 p->index, p->op, p->client, what, (long long)got, (long long)want);
	return got == want && got >= 0;
}

void play_check_attr(struct play *p, struct model_node *n, const struct attr *a)
{
	char why[512], fid[FID_STRLEN];

	if (sim_failed() || model_compare(n, a, why, sizeof(why)) == 0)
		return;
	trace("p%u #%u has mtime %.6f ctime %.6f flags %x", p->index, n->id,
	      (double)(a->mtime - SIM_REALTIME_BASE) / 1e9,
	      (double)(a->ctime - SIM_REALTIME_BASE) / 1e9, a->flags);
	sim_fail("player %u, operation %u, client %u: #%u %s: %s", p->index, p->op, p->client,
		 n->id, fid_str(&n->fid, fid), why);
}

void play_check_entry(struct play *p, struct model_node *n, const struct entry *e)
{
	char a[FID_STRLEN], b[FID_STRLEN];

	if (sim_failed())
		return;
	if (fid_is_zero(&n->fid))
		n->fid = e->fid;
	if (!fid_eq(&n->fid, &e->fid))
		sim_fail("player %u, operation %u, client %u: #%u is %s, the model says %s",
			 p->index, p->op, p->client, n->id, fid_str(&e->fid, a),
			 fid_str(&n->fid, b));
	play_check_attr(p, n, &e->attr);
}

void play_stale(struct play *p, const struct fid *fid)
{
	p->stale[play_below(p, PLAY_STALE)] = *fid;
}

void play_unpin(struct play *p, struct model_node *n)
{
	if (!n->a.nlink && !n->opens && n->pins == 1)
		play_stale(p, &n->fid);
	model_unpin(p->m, n);
}

/* ------------------------------------------------------------------ phases */

static void begin(struct play *p)
{
	struct model_node *root = model_root(p->m);
	const struct fid *top = fs_root(lane_fs(p->ln));
	struct cred cred = {.pid = 1000};
	struct entry e;
	char name[16];
	int rc;

	snprintf(name, sizeof(name), "player%u", p->index);
	play_call(p);
	rc = fs_co_make(p->ln, top, SPAN_STR(name), S_IFDIR | 0755, 0, SPAN_NONE, &cred, &e);
	play_called(p);
	trace("p%u mkdir %s: %d", p->index, name, rc);
	if (!play_same(p, "mkdir of the player's directory", rc, 0))
		return;
	root->fid = e.fid;
	root->mtime = root->ctime = (struct model_time){p->t0, e.attr.ctime};
	play_check_attr(p, root, &e.attr);
	play_set_default(p, root);
}

static void verify(struct play *p)
{
	uint32_t count = model_count(p->m);

	trace("p%u client %u verifies %u nodes", p->index, p->client, count);
	for (uint32_t k = 0; k < count && !sim_failed(); k++) {
		struct model_node *n = model_pick(p->m, k);
		struct attr a;

		if (!play_same(p, "getattr at the end", fs_co_getattr(p->ln, &n->fid, &a), 0))
			return;
		play_check_attr(p, n, &a);
		if (S_ISDIR(n->a.mode))
			play_list(p, n, false);
		else if (S_ISREG(n->a.mode))
			play_read_all(p, n);
	}
	p->verified++;
}

/* Empties dir, deepest first. */
static void remove_all(struct play *p, struct model_node *dir)
{
	struct model_dent *d;

	while ((d = TAILQ_FIRST(&dir->dents)) && !sim_failed()) {
		bool is_dir = S_ISDIR(d->node->a.mode);
		int rc;

		if (is_dir)
			remove_all(p, d->node);
		rc = fs_co_unlink(p->ln, &dir->fid, SPAN_STR(d->name), is_dir);
		if (!play_same(p, "removal at the end", rc, 0))
			return;
		rc = model_unlink(p->m, dir, d->name, is_dir);
		assert(rc == 0);
	}
}

static void clean(struct play *p)
{
	trace("p%u cleans", p->index);
	remove_all(p, model_root(p->m));
}

static void release_one(struct play *p)
{
	play_close(p, p->h);
}

/* ------------------------------------------------------------------ hopping */

static void hop(struct play *p, void (*fn)(struct play *p), const char *what, uint32_t client)
{
	struct cluster_client *c = cluster_client(p->cl, client);
	uint64_t lane = play_below(p, c->nlanes);

	p->fn = fn;
	p->what = what;
	p->client = client;
	p->ln = c->lane[lane];
	loop_post(c->loop[lane], &p->hop);
}

static void next_random(struct play *p)
{
	uint32_t all = 0;
	uint64_t k;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		all += ops[i].weight;
	for (;;) {
		k = play_below(p, all);
		for (i = 0; k >= ops[i].weight; i++)
			k -= ops[i].weight;
		p->h = ops[i].handle ? any_handle(p) : NULL;
		if (p->h || !ops[i].handle)
			break;
	}
	p->op++;
	hop(p, ops[i].fn, ops[i].name,
	    p->h ? p->h->client : (uint32_t)play_below(p, CLUSTER_CLIENTS));
}

static void next(struct play *p)
{
	if (sim_failed())
		p->phase = PLAY_DONE;
	if (p->phase == PLAY_RUN && p->steps-- == 0)
		p->phase = PLAY_CLOSE;
	if (p->phase == PLAY_RUN) {
		next_random(p);
		return;
	}
	p->h = p->phase == PLAY_CLOSE ? any_handle(p) : NULL;
	if (p->h) {
		hop(p, release_one, "close", p->h->client);
		return;
	}
	if (p->phase == PLAY_CLOSE)
		p->phase = PLAY_VERIFY;
	if (p->phase == PLAY_VERIFY && p->verified < CLUSTER_CLIENTS) {
		hop(p, verify, "verify", p->verified);
		return;
	}
	if (p->phase == PLAY_VERIFY && p->clean) {
		p->phase = PLAY_CLEAN;
		hop(p, clean, "clean", (uint32_t)play_below(p, CLUSTER_CLIENTS));
		return;
	}
	p->phase = PLAY_DONE;
}

static void in_fiber(void *arg)
{
	struct play *p = arg;

	p->fn(p);
	if (p->phase == PLAY_BEGIN)
		p->phase = PLAY_RUN;
	next(p);
}

static void arrive(void *arg)
{
	struct play *p = arg;

	if (fiber_spawn(lane_loop(p->ln), in_fiber, p)) {
		sim_fail("player %u: no memory for a fiber", p->index);
		p->phase = PLAY_DONE;
	}
}

void play_start(struct play *p, struct cluster *cl, uint32_t index, uint64_t seed, uint32_t steps)
{
	*p = (struct play){.cl = cl, .index = index, .rng = seed, .steps = steps};
	p->m = model_create();
	p->buf = malloc(PLAY_IO_MAX);
	p->want = malloc(PLAY_IO_MAX);
	assert(p->buf && p->want);
	p->hop = (struct loop_work){.fn = arrive, .arg = p};
	p->clean = play_one_in(p, 2);
	hop(p, begin, "begin", (uint32_t)play_below(p, CLUSTER_CLIENTS));
}

bool play_done(const struct play *p)
{
	return p->phase == PLAY_DONE && !p->hop.queued && !p->releases;
}

void play_stuck(const struct play *p)
{
	if (!play_done(p))
		trace("p%u is in operation %u, %s, at client %u, #%u; %u closes under way",
		      p->index, p->op, p->what, p->client, p->h && p->h->f ? p->h->n->id : 0,
		      p->releases);
}

void play_fini(struct play *p)
{
	model_destroy(p->m);
	free(p->buf);
	free(p->want);
}
