/* SPDX-License-Identifier: Apache-2.0 */
/* replay_run.c - what the lanes do with what replay.h keeps: one of them sends it to a new life of
 * the MDS, when all of them know that the old one is over. */
#include "client/core/core.h"
#include "common/log.h"

/* A lane may still take answers from a connection to another life than this one. Under r->lock. */
static bool somebody_is_behind(struct fs *fs, uint64_t life)
{
	const struct target *t;
	bool behind = false;
	uint32_t i;

	fs_lock(fs);
	for (i = 0; i < MAX_LANES; i++) {
		t = fs->lanes[i] ? fs->lanes[i]->mdt : NULL;
		behind |= t && t->state == IMP_FULL && t->life != life;
	}
	fs_unlock(fs);
	return behind;
}

bool replay_is_behind(struct target *t)
{
	struct fs *fs = t->ost->fs;
	uint64_t newest;

	if (t->ost->type != TARGET_MDT)
		return false;
	pthread_mutex_lock(&fs->replay.lock);
	newest = fs->replay.newest;
	pthread_mutex_unlock(&fs->replay.lock);
	return newest && t->state == IMP_FULL && t->life != newest;
}

void replay_state(struct target *t, enum import_state s)
{
	struct replay *r = &t->ost->fs->replay;

	if (t->ost->type != TARGET_MDT)
		return;
	pthread_mutex_lock(&r->lock);
	if (s == IMP_FULL && !r->life) /* the first connection of all */
		r->life = t->life;
	xwait_wake(&r->wait_q);
	pthread_mutex_unlock(&r->lock);
}

void replay_co_room(void *arg, struct rpc_import *imp)
{
	struct target *t = arg;
	struct mds_sync_req q = {.fid = FID_ROOT};
	struct mds_sync_rep p;

	while (!replay_has_room(&t->ost->fs->replay) && rpc_import_state(imp) == IMP_FULL) {
		RPC_CALL(call);

		if (mds_co_sync(imp, &call, &q, &p))
			return; /* the change itself will meet what is wrong */
	}
}

static int co_ask(struct rpc_import *imp, bool done, struct mds_replay_rep *p)
{
	struct mds_replay_req q = {.done = done};
	RPC_CALL(call);

	call.flags = RPC_CALL_RECLAIM;
	return mds_co_replay(imp, &call, &q, p);
}

static void log_lost(const struct rpc_import *imp, const struct rpc_kept *k, int rc)
{
	char what[256];

	rpc_request_text(rpc_desc_find(k->rpc), k->body, k->body_len - k->reply_len, what,
			 sizeof(what));
	log_err("%s has lost this, and it cannot be done again: %s: %s", rpc_import_target(imp),
		what, err_str(rc));
}

/* -ECONNRESET when the connection is lost: then all begins anew. */
static int co_send_all(struct replay *r, struct rpc_import *imp)
{
	struct mds_replay_rep p;
	struct kept_req *q;
	uint64_t at = 0;
	int rc = co_ask(imp, false, &p);

	if (rc == 0 && !p.known) {
		uint32_t n = replay_drop_all(r);

		if (n)
			log_err("%s has forgotten this client: %u operations may be lost",
				rpc_import_target(imp), n);
	}
	if (rc == 0)
		replay_drop_until(r, p.transno);
	while (rc == 0 && (q = replay_next(r, at))) {
		struct wire_hdr h = {0};
		int done;

		at = q->k.transno;
		done = rpc_co_replay(imp, &q->k, &h);
		if (!rpc_import_connected(imp))
			return -ECONNRESET;
		if (done)
			log_lost(imp, &q->k, done);
		replay_done(r, q, done ? 0 : h.transno ? h.transno : h.last_committed);
	}
	return rc ? rc : co_ask(imp, true, &p);
}

void replay_co_lane(struct lane *ln, struct rpc_import *imp)
{
	struct replay *r = &ln->fs->replay;
	uint64_t life = rpc_import_boot(imp);
	int rc;

	pthread_mutex_lock(&r->lock);
	r->newest = life;
	while (r->life != life && rpc_import_connected(imp)) {
		if (r->running || somebody_is_behind(ln->fs, life)) {
			target_refresh_all(ln->fs);
			xwait_co(&r->wait_q, &r->lock, ln->loop);
			continue;
		}
		r->running = true;
		pthread_mutex_unlock(&r->lock);
		rc = co_send_all(r, imp);
		if (rc && rpc_import_connected(imp))
			log_err("%s does not take what it may have lost: %s",
				rpc_import_target(imp), err_str(rc));
		pthread_mutex_lock(&r->lock);
		r->running = false;
		if (rc == 0 || rpc_import_connected(imp))
			r->life = life;
		xwait_wake(&r->wait_q);
	}
	pthread_mutex_unlock(&r->lock);
}
