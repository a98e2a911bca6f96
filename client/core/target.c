/* SPDX-License-Identifier: Apache-2.0 */
/* target.c - the servers of a mount: from the configuration to an import on every lane.
 *
 * The configuration arrives on lane 0 and goes into fs->osts, which only ever grows. Then every
 * lane is told (loop_post) and makes its own imports. An operation that meets an OST index it
 * has never heard of waits for the configuration: the MDS may hear of a new OST before the
 * client does.
 */
#include "client/core/core.h"
#include "client/core/resend.h"
#include "common/log.h"
#include <stdlib.h>

enum { CONFIG_WAIT_S = 60 };

static struct ost *ost_find(struct fs *fs, uint8_t type, uint32_t index)
{
	struct ost *o;

	TAILQ_FOREACH(o, &fs->osts, link)
		if (o->type == type && o->index == index)
			return o;
	return NULL;
}

static struct ost *ost_create(struct fs *fs, const struct mgs_node *n)
{
	struct ost *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->fs = fs;
	o->type = n->type;
	o->index = n->index;
	memcpy(o->name, n->name, sizeof(o->name));
	memcpy(o->uuid, n->uuid, sizeof(o->uuid));
	o->nids = n->nids;
	o->boot = n->boot;
	o->max_rpcs = 8;
	o->checksums = 1;
	o->active = 1;
	xwait_init(&o->grant_q);
	return o;
}

/* By type and index, as they are shown. */
static void ost_insert(struct fs *fs, struct ost *fresh)
{
	struct ost *o;

	TAILQ_FOREACH(o, &fs->osts, link)
		if (o->type > fresh->type || (o->type == fresh->type && o->index > fresh->index))
			break;
	if (o)
		TAILQ_INSERT_BEFORE(o, fresh, link);
	else
		TAILQ_INSERT_TAIL(&fs->osts, fresh, link);
}

static void apply_node(struct fs *fs, const struct mgs_node *n)
{
	struct ost *o, *fresh = NULL;

	fs_lock(fs);
	o = ost_find(fs, n->type, n->index);
	if (!o) {
		o = fresh = ost_create(fs, n);
		if (fresh)
			ost_insert(fs, fresh);
	} else if (!nid_list_eq(&o->nids, &n->nids) || o->boot != n->boot) {
		o->nids = n->nids;
		o->boot = n->boot;
		o->generation++;
	}
	fs_unlock(fs);
	if (!o)
		log_err("out of memory for target %s", n->name);
	else if (fresh) /* outside the lock: getters of parameters take it */
		param_add_target(fresh);
}

void target_apply_config(struct fs *fs, const struct mgs_config *c)
{
	uint32_t i;

	for (i = 0; i < c->nnodes; i++)
		if ((c->nodes[i].type == TARGET_MDT && c->nodes[i].index == 0) ||
		    (c->nodes[i].type == TARGET_OST && c->nodes[i].index <= MAX_OST_INDEX))
			apply_node(fs, &c->nodes[i]);
	fs_lock(fs);
	fs->config_version = c->version;
	fs_unlock(fs);
	target_refresh_all(fs);
}

void target_refresh_all(struct fs *fs)
{
	uint32_t i;

	fs_lock(fs);
	for (i = 0; i < MAX_LANES; i++)
		if (fs->lanes[i])
			loop_post(fs->lanes[i]->loop, &fs->lanes[i]->refresh);
	fs_unlock(fs);
}

/* ---- a lane's side ---- */

/* For the next process. */
static void note_session(const struct rpc_import *imp, struct book_head *h)
{
	h->session = rpc_import_session(imp);
	h->boot_id = rpc_import_boot(imp);
}

static void on_state(void *arg, struct rpc_import *imp, enum import_state s)
{
	struct target *t = arg;
	struct fs *fs = t->ost->fs;

	if (s == IMP_FULL && t->ost->type == TARGET_MDT && fs->cfg.book)
		note_session(imp, book_head(fs->cfg.book));
	fs_lock(fs);
	t->state = s;
	t->error = rpc_import_error(imp);
	if (s == IMP_CONNECTING)
		t->attempts++;
	if (s == IMP_FULL)
		t->ost->lanes |= 1ULL << t->lane->index;
	if (s == IMP_FULL)
		snprintf(t->peer, sizeof(t->peer), "%s", rpc_import_peer(imp));
	t->life = rpc_import_boot(imp);
	t->since = loop_realtime(t->lane->loop);
	fs_unlock(fs);
	replay_state(t, s);
}

static void on_reply(void *arg, const struct msg *req, const struct msg *rep)
{
	struct target *t = arg;

	replay_heard(&t->ost->fs->replay, req, rep);
}

static void on_ost_reply(void *arg, const struct msg *req, const struct msg *rep)
{
	struct target *t = arg;

	(void)req;
	resend_heard(t, rep->h.last_committed);
}

/* The MDS waits for this of every client before it gives locks to anybody. opens_only: the first
 * part. */
static void reclaim_done(struct lane *ln, bool opens_only, uint64_t session)
{
	struct mds_reclaimed_req q = {
		.lane = ln->index, .opens_only = opens_only, .session = session};
	struct mds_reclaimed_rep p;
	RPC_CALL(call);
	uint32_t i;
	int rc;

	fs_lock(ln->fs);
	for (i = 0; i < MAX_LANES; i++)
		q.lanes += ln->fs->lanes[i] != NULL;
	fs_unlock(ln->fs);
	rc = mds_co_reclaimed(ln->mdt->imp, &call, &q, &p);
	if (rc)
		log_dbg("the MDS did not hear that this client is back: %s", err_str(rc));
}

/* Others are let in when this client is back: not before what it had begun is at the objects. That
 * may need the MDS, which answers again when on_restart() returns. */
static void back_fiber(void *arg)
{
	struct lane *ln = arg;
	uint64_t session = rpc_import_session(ln->mdt->imp);

	reclaim_done(ln, true, session);
	data_co_settle_all(ln);
	reclaim_done(ln, false, session);
}

static void on_restart(void *arg, struct rpc_import *imp, bool evicted)
{
	struct target *t = arg;

	if (evicted)
		log_err("%s has evicted this client: its locks are lost, files are opened again",
			t->ost->name);
	if (t->ost->type != TARGET_MDT) {
		grant_lost(t);
		resend_co_restart(t, imp);
		return;
	}
	recall_co_lose_all(t->lane, rpc_import_session(imp), evicted);
	replay_co_lane(t->lane, imp);
	file_co_reopen_all(t->lane);
	if (!evicted) {
		lock_co_reclaim(t->lane);
		unlinks_co_again(t->lane);
	}
	lane_background(t->lane, back_fiber, t->lane);
}

static struct target *lane_target(struct lane *ln, const struct ost *o)
{
	if (o->type == TARGET_MDT)
		return ln->mdt;
	return o->index < ln->nost ? ln->ost[o->index] : NULL;
}

static int ost_table_grow(struct lane *ln, uint32_t index)
{
	uint32_t n = ln->nost ? ln->nost : 16;
	struct target **at;

	while (n <= index)
		n *= 2;
	if (n == ln->nost)
		return 0;
	at = realloc(ln->ost, n * sizeof(struct target *));
	if (!at)
		return -ENOMEM;
	memset(at + ln->nost, 0, (n - ln->nost) * sizeof(struct target *));
	ln->ost = at;
	ln->nost = n;
	return 0;
}

static int target_add(struct lane *ln, struct ost *o)
{
	struct target *t = calloc(1, sizeof(*t));
	struct rpc_import_cfg cfg = {
		.client = &ln->client,
		.target = o->name,
		.on_restart = on_restart,
		.on_state = on_state,
		.arg = t,
		.timeo_ms = ln->fs->cfg.timeo_ms,
		.soft = ln->fs->cfg.soft,
		.told = &o->told,
	};
	int rc = 0;

	if (!t)
		return -ENOMEM;
	if (o->type == TARGET_MDT) {
		cfg.on_reply = on_reply;
		cfg.co_room = replay_co_room;
	} else {
		cfg.on_reply = on_ost_reply;
	}
	if (o->type == TARGET_MDT && ln->fs->cfg.book) {
		cfg.notes = book_notes(ln->fs->cfg.book);
		cfg.claims = ln->fs->last.claims;
		cfg.nclaims = ln->fs->last.nclaims;
		cfg.session = ln->fs->last.inherited ? book_head(ln->fs->cfg.book)->session : 0;
		cfg.boot_id = ln->fs->last.inherited ? book_head(ln->fs->cfg.book)->boot_id : 0;
	}
	t->ost = o;
	t->lane = ln;
	t->set_active = true;
	co_waitq_init(&t->room);
	resend_init(t);
	fs_lock(ln->fs);
	cfg.nids = o->nids;
	t->generation = o->generation;
	fs_unlock(ln->fs);
	rc = rpc_import_create(&cfg, &t->imp);
	if (rc) {
		free(t);
		return rc;
	}
	fs_lock(ln->fs); /* tables of targets are read by other threads */
	if (o->type == TARGET_MDT)
		ln->mdt = t;
	else if (!(rc = ost_table_grow(ln, o->index)))
		ln->ost[o->index] = t;
	fs_unlock(ln->fs);
	if (rc == 0 && o->type == TARGET_MDT && ln->index == 0)
		rc = recall_start(ln, o);
	if (rc)
		log_err("out of memory for target %s", o->name); /* the import stays unused */
	return rc;
}

static void target_sync(struct lane *ln, struct ost *o)
{
	struct target *t = lane_target(ln, o);
	struct nid_list nids;
	bool changed, active;
	uint64_t boot;

	if (!t) {
		int rc = target_add(ln, o);

		if (rc)
			log_err("%s: %s", o->name, err_str(rc));
		t = lane_target(ln, o);
		if (!t)
			return;
	}
	fs_lock(ln->fs);
	changed = t->generation != o->generation;
	nids = o->nids;
	boot = o->boot;
	t->generation = o->generation;
	active = o->active;
	fs_unlock(ln->fs);
	if (changed)
		rpc_import_set_nids(t->imp, &nids, boot);
	if (changed && o->type == TARGET_MDT && ln->recalls)
		rpc_import_set_nids(ln->recalls, &nids, boot);
	if (replay_is_behind(t))
		rpc_import_reconnect(t->imp);
	if (active != t->set_active)
		rpc_import_set_active(t->imp, active);
	t->set_active = active;
	co_wake_all(&t->room); /* max_rpcs_in_flight may have grown */
}

void target_refresh(struct lane *ln)
{
	struct ost *o;

	fs_lock(ln->fs);
	o = TAILQ_FIRST(&ln->fs->osts);
	fs_unlock(ln->fs);
	while (o) {
		target_sync(ln, o);
		fs_lock(ln->fs);
		o = TAILQ_NEXT(o, link);
		fs_unlock(ln->fs);
	}
	co_wake_all(&ln->config_q);
}

int target_co_ost(struct lane *ln, uint32_t index, struct target **out)
{
	uint64_t deadline = loop_now(ln->loop) + CONFIG_WAIT_S * NSEC_PER_SEC;

	while (index >= ln->nost || !ln->ost[index]) {
		if (ln->stopping)
			return -ENOTCONN;
		if (co_wait(&ln->config_q, deadline) == -ETIMEDOUT) {
			log_err("a layout names OST %u, which is not in the configuration", index);
			return -EIO;
		}
	}
	*out = ln->ost[index];
	return 0;
}

void target_co_enter(struct target *t)
{
	while (t->inflight >= t->ost->max_rpcs)
		if (co_wait(&t->room, 0))
			continue;
	t->inflight++;
}

void target_leave(struct target *t)
{
	t->inflight--;
	co_wake_one(&t->room);
}

/* The lane's own imports are its own to look at; of the others it sees what they said last. */
bool fs_is_silent(struct lane *ln)
{
	uint64_t limit = ln->fs->cfg.timeo_ms * NSEC_PER_MSEC;
	bool silent = ln->mdt && rpc_import_silent_ns(ln->mdt->imp) >= limit;
	uint32_t i;

	for (i = 0; i < ln->nost && !silent; i++)
		silent = ln->ost[i] && rpc_import_silent_ns(ln->ost[i]->imp) >= limit;
	atomic_store(&ln->silent, silent);
	fs_lock(ln->fs);
	for (i = 0; i < MAX_LANES && !silent; i++)
		silent = ln->fs->lanes[i] && atomic_load(&ln->fs->lanes[i]->silent);
	fs_unlock(ln->fs);
	return silent;
}

void target_co_destroy_all(struct lane *ln, uint32_t goodbye_ms)
{
	struct target *t;
	uint32_t i;

	co_wake_all(&ln->config_q);
	for (i = 0; i <= ln->nost; i++) {
		fs_lock(ln->fs);
		t = i < ln->nost ? ln->ost[i] : ln->mdt;
		if (i < ln->nost)
			ln->ost[i] = NULL;
		else
			ln->mdt = NULL;
		if (t)
			t->ost->lanes &= ~(1ULL << ln->index);
		fs_unlock(ln->fs);
		if (!t)
			continue;
		rpc_import_co_destroy(t->imp, goodbye_ms);
		resend_fini(t);
		free(t);
	}
}
