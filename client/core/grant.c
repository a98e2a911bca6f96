/* SPDX-License-Identifier: Apache-2.0 */
/* grant.c - see grant.h.
 *
 * A pool is filled by a request of its own when it is short, and on the way with writes before that
 * happens. If the OST gave less than was needed it is left alone for a moment: who writes then
 * writes through, and hears of a full disk at once.
 *
 * What the OST thinks it has promised may become more than what is known here, by answers that were
 * lost. When no dirty extent has a share, a request begins with giving all back: then both agree.
 */
#include "client/core/core.h"
#include <stdlib.h>

#define BLOCK    4096ULL
#define ASK      (32 * MIB)
#define LOW      (16 * MIB)
#define RETRY_NS (500 * NSEC_PER_MSEC)
#define IDLE_NS  (10 * NSEC_PER_SEC)
enum { RETURN_MS = 5000 };

static uint64_t blocks(uint64_t from, uint64_t to)
{
	return (to + BLOCK - 1) / BLOCK * BLOCK - from / BLOCK * BLOCK;
}

/* ---- shares ---- */

static void plan_add(struct grant *g, struct ost *o)
{
	uint32_t i;

	for (i = 0; i < g->n && g->at[i].ost != o; i++)
		;
	assert(i < GRANT_OSTS);
	g->at[i].ost = o;
	g->at[i].runs++;
	g->n = max_u64(g->n, i + 1);
}

int grant_co_plan(struct lane *ln, const struct layout *l, uint64_t off, struct grant *g)
{
	struct layout_run run[GRANT_OSTS];
	struct target *t;
	int i, n, rc = 0;

	*g = (struct grant){0};
	n = layout_map(l, off / DIRTY_CHUNK * DIRTY_CHUNK, DIRTY_CHUNK, run, GRANT_OSTS);
	for (i = 0; i < n && rc == 0; i++) {
		rc = target_co_ost(ln, l->comp[run[i].comp].ost[run[i].stripe], &t);
		if (rc == 0)
			plan_add(g, t->ost);
	}
	return n < 0 ? n : rc;
}

/* fs->lock is held. */
static bool is_void(const struct grant *g, const struct ost *o)
{
	return g->seq < o->grant_lost;
}

struct ost *grant_take(struct fs *fs, struct grant *g, uint64_t from, uint64_t to, uint64_t had)
{
	uint64_t more = blocks(from, to) - (had ? blocks(from, from + had) : 0);
	struct ost *o = NULL;
	uint32_t i;

	fs_lock(fs);
	for (i = 0; i < g->n; i++)
		if (g->at[i].ost->grant < more + (had ? 0 : g->at[i].runs * BLOCK)) {
			o = g->at[i].ost;
			o->grant_need = more + (had ? 0 : g->at[i].runs * BLOCK);
			break;
		}
	for (i = 0; i < g->n && !o; i++) {
		uint64_t n = more + (had ? 0 : g->at[i].runs * BLOCK);

		g->at[i].ost->grant -= n;
		g->at[i].left += n;
		g->at[i].ost->grant_shares += !g->seq;
	}
	if (!o && !g->seq)
		g->seq = ++fs->grant_seq;
	fs_unlock(fs);
	return o;
}

uint64_t grant_use(struct lane *ln, struct grant *g, struct ost *o, uint64_t off, uint64_t len,
		   uint64_t *want)
{
	uint64_t used = 0;
	uint32_t i;

	*want = 0;
	if (!g)
		return 0;
	fs_lock(o->fs);
	for (i = 0; i < g->n; i++)
		if (g->at[i].ost == o && !is_void(g, o)) {
			used = min_u64(blocks(off, off + len) + BLOCK, g->at[i].left);
			g->at[i].left -= used;
		}
	if (o->grant < LOW && loop_clock(ln->loop) >= o->grant_retry_ns)
		*want = ASK;
	fs_unlock(o->fs);
	return used;
}

void grant_end(struct lane *ln, struct grant *g)
{
	uint32_t i;

	fs_lock(ln->fs);
	for (i = 0; i < g->n && g->seq; i++) {
		struct ost *o = g->at[i].ost;

		o->grant_shares--;
		o->grant_used_ns = loop_clock(ln->loop);
		if (!is_void(g, o))
			o->grant += g->at[i].left;
	}
	fs_unlock(ln->fs);
	free(g);
}

/* ---- pools ---- */

/* fs->lock is held. An answer of a session that is over counts for nothing. */
static void add(struct target *t, uint64_t bytes)
{
	struct ost *o = t->ost;

	if (!o->grant_session)
		o->grant_session = rpc_import_session(t->imp);
	if (o->grant_session == rpc_import_session(t->imp))
		o->grant += bytes;
}

void grant_got(struct target *t, uint64_t bytes)
{
	if (!bytes)
		return;
	fs_lock(t->ost->fs);
	add(t, bytes);
	fs_unlock(t->ost->fs);
}

/* Every lane hears of it, the first one counts. */
void grant_lost(struct target *t)
{
	struct ost *o = t->ost;

	fs_lock(o->fs);
	if (o->grant_session && o->grant_session != rpc_import_session(t->imp)) {
		o->grant = 0;
		o->grant_session = rpc_import_session(t->imp);
		o->grant_lost = ++o->fs->grant_seq;
	}
	fs_unlock(o->fs);
}

/* o->grant_asking is set. */
static void co_ask(struct lane *ln, struct ost *o, const struct oss_grant_req *q, uint32_t ms)
{
	struct oss_grant_rep p = {0};
	struct target *t = NULL;
	RPC_CALL(call);
	int rc = target_co_ost(ln, o->index, &t);

	call.deadline_ms = ms;
	if (rc == 0)
		rc = oss_co_grant(t->imp, &call, q, &p);
	fs_lock(o->fs);
	if (rc == 0)
		add(t, p.grant);
	if (q->want && o->grant < o->grant_need)
		o->grant_retry_ns = loop_clock(ln->loop) + RETRY_NS;
	o->grant_asking = false;
	xwait_wake(&o->grant_q);
	fs_unlock(o->fs);
}

bool grant_co_ask(struct lane *ln, struct ost *o)
{
	struct oss_grant_req q = {.want = ASK};

	fs_lock(o->fs);
	if (o->grant_asking) {
		xwait_co(&o->grant_q, &o->fs->lock, ln->loop);
		fs_unlock(o->fs);
		return true;
	}
	if (loop_clock(ln->loop) < o->grant_retry_ns) {
		fs_unlock(o->fs);
		return false;
	}
	if (!o->grant_shares) {
		o->grant = 0;
		q.flags = OSS_GRANT_RETURN;
	}
	o->grant_asking = true;
	fs_unlock(o->fs);
	co_ask(ln, o, &q, 0);
	return true; /* if it was in vain, the next call says so */
}

/* ---- idle ---- */

struct give {
	struct lane *ln;
	struct ost *o;
};

static void return_fiber(void *arg)
{
	struct give g = *(struct give *)arg;

	free(arg);
	co_ask(g.ln, g.o, &(struct oss_grant_req){.flags = OSS_GRANT_RETURN}, RETURN_MS);
}

/* fs->lock is held. Nobody takes from it until it was asked again. */
static struct ost *idle_one(struct fs *fs, uint64_t now)
{
	struct ost *o;

	TAILQ_FOREACH(o, &fs->osts, link)
	if (o->grant && !o->grant_shares && !o->grant_asking && now >= o->grant_used_ns + IDLE_NS)
		return o;
	return NULL;
}

void grant_return_idle(struct lane *ln)
{
	struct give *g = malloc(sizeof(*g));
	struct ost *o;

	if (!g)
		return;
	fs_lock(ln->fs);
	o = idle_one(ln->fs, loop_clock(ln->loop));
	if (o) {
		o->grant = 0;
		o->grant_asking = true;
	}
	fs_unlock(ln->fs);
	if (!o) {
		free(g);
		return;
	}
	*g = (struct give){ln, o};
	lane_background(ln, return_fiber, g);
}

bool grant_any(const struct fs *fs)
{
	const struct ost *o;

	TAILQ_FOREACH(o, &fs->osts, link)
	if (o->grant)
		return true;
	return false;
}
