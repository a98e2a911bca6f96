/* SPDX-License-Identifier: Apache-2.0 */
/* recall.c - the channel on which the MDS takes leases back, and the term that it renews.
 *
 * Lane 0 always has one mds_recalls on the way, over a connection of its own, so that no queue of
 * other requests can stand before it. Its answer says what to give back; that is obeyed, in the
 * kernel's caches too, before the next one says so. The term counts from when the request was
 * sent, on this machine's clock, and the client uses nine tenths of it: clocks need not agree, only
 * run about equally fast. Whatever makes the request late or lost makes the term shorter.
 */
#include "client/core/lease.h"
#include "client/core/core.h"
#include "common/log.h"
#include <stdlib.h>

enum { AGAIN_MS = 100 };

/* ---- to the kernel ---- */

struct inval {
	struct fs_inval *at;
	uint32_t n, cap;
	bool names, all; /* all: no memory for the list */
};

static void inval_add(void *arg, const struct fid *fid, uint64_t told)
{
	struct inval *v = arg;
	uint32_t cap = v->cap ? 2 * v->cap : 64;
	void *at;

	if (v->n == v->cap) {
		at = realloc(v->at, cap * sizeof(*v->at));
		if (!at) {
			v->all = true;
			return;
		}
		v->at = at;
		v->cap = cap;
	}
	v->at[v->n++] = (struct fs_inval){.fid = *fid, .told_ns = told};
}

static void inval_co_run(struct lane *ln, struct inval *v)
{
	const struct fs_cfg *cfg = &ln->fs->cfg;

	if (v->all)
		log_err("out of memory: the kernel may show old attributes until the leases' term "
			"is over");
	if (cfg->co_invalidate && (v->n || v->names))
		cfg->co_invalidate(cfg->co_invalidate_arg, ln, v->at, v->n, v->names);
	free(v->at);
}

void recall_co_lose_all(struct lane *ln, uint64_t session, bool evicted)
{
	struct inval v = {.names = true};

	if (evicted) /* before anything is read or written under new leases */
		lock_lose_all(ln->fs, session);
	if (leases_session(ln->fs->leases) != session) {
		leases_lose_all(ln->fs->leases, inval_add, &v);
		inval_co_run(ln, &v);
	}
	kept_drop_all(ln);
	data_lose_all(ln, session, evicted);
}

/* ---- the channel ---- */

static void obey_one(struct lane *ln, const struct mds_recall *m, struct inval *v)
{
	uint64_t told;

	if (m->bits & (LEASE_LOOKUP | LEASE_UPDATE | LEASE_XATTR | LEASE_OWN)) {
		told = leases_obey(ln->fs->leases, &m->fid, m->bits, m->seq);
		inval_add(v, &m->fid, told || !ln->fs->last.inherited ? told : 1);
	}
	v->names |= m->bits & LEASE_LOOKUP;
	if (m->bits & LEASE_DATA)
		data_note_recall(ln->fs, &m->fid, m->seq);
	if (m->bits & (LEASE_LOOKUP | LEASE_DATA))
		kept_drop(ln, &m->fid);
}

/* Names and attributes first: whoever gives data back gives back all that was recalled of the
 * inode. */
static int obey(struct lane *ln, struct span recalls, uint64_t *returned)
{
	struct rbuf r = rbuf_of(recalls);
	struct inval v = {0};
	struct mds_recall m;
	int rc = 0;

	while (r.len && rc == 0) {
		rc = dec_mds_recall(&r, &m);
		if (rc == 0)
			obey_one(ln, &m, &v);
	}
	inval_co_run(ln, &v);
	for (r = rbuf_of(recalls); r.len && rc == 0;) {
		rc = dec_mds_recall(&r, &m);
		if (rc == 0 && (m.bits & LEASE_DATA))
			data_recall(ln, &m);
		else if (rc == 0 && (m.bits & LEASE_OWN))
			unlinks_recall(ln, &m);
		if (rc == 0 && m.seq > *returned)
			*returned = m.seq;
	}
	return rc;
}

/* One round: true when the next one may wait for news. */
static bool ask(struct lane *ln, uint64_t *returned, bool wait)
{
	struct mds_recalls_req q = {.returned = *returned, .wait = wait, .heard = *returned};
	struct mds_recalls_rep p;
	uint64_t sent = loop_clock(ln->loop), known = leases_session(ln->fs->leases);
	RPC_CALL(call);
	int rc;

	q.wait = wait && known;
	rc = mds_co_recalls(ln->recalls, &call, &q, &p);
	if (rc == 0 && known && call.hdr.session != known) {
		/* The server has forgotten what it gave us. */
		recall_co_lose_all(ln, call.hdr.session, false);
		*returned = 0;
	}
	if (rc == 0)
		rc = obey(ln, p.recalls, returned);
	if (rc && !ln->stopping) {
		log_dbg("recalls: %s", err_str(rc));
		co_sleep(AGAIN_MS * NSEC_PER_MSEC);
	}
	if (rc || !p.renewed) {
		if (rc == 0 && !ln->stopping) /* recalls that take their time */
			co_sleep(AGAIN_MS * NSEC_PER_MSEC);
		return false;
	}
	leases_term(ln->fs->leases, call.hdr.session,
		    sent + p.term_ms * (uint64_t)NSEC_PER_MSEC / 10 * 9, sent);
	lru_asked(ln, p.excess);
	return true;
}

static void channel_fiber(void *arg)
{
	struct lane *ln = arg;
	uint64_t returned = 0;
	bool wait = false;

	while (!ln->stopping)
		wait = ask(ln, &returned, wait);
	ln->recalling = false;
	co_wake_all(&ln->background_q);
}

static void on_restart(void *arg, struct rpc_import *imp, bool evicted)
{
	recall_co_lose_all(arg, rpc_import_session(imp), evicted);
}

int recall_start(struct lane *ln, const struct ost *mdt)
{
	struct rpc_import_cfg cfg = {
		.client = &ln->recall_client,
		.target = mdt->name,
		.nids = mdt->nids,
		.on_restart = on_restart,
		.arg = ln,
	};
	int rc;

	ln->recall_client = ln->client;
	ln->recall_client.lane = MAX_LANES; /* a connection beside those of the lanes */
	rc = rpc_import_create(&cfg, &ln->recalls);
	if (rc)
		return rc;
	ln->recalling = true;
	rc = fiber_spawn(ln->loop, channel_fiber, ln);
	if (rc)
		ln->recalling = false;
	return rc;
}

void recall_co_stop(struct lane *ln)
{
	if (!ln->recalls)
		return;
	rpc_import_co_destroy(ln->recalls, 0);
	while (ln->recalling)
		if (co_wait(&ln->background_q, 0))
			continue;
	ln->recalls = NULL;
}
