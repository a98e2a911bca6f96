/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_import.c - an import's connection and session; see rpc.h.
 *
 * One fiber per import (import_main) keeps it connected; it reads top to bottom: connect, shake
 * hands, reclaim, send what waits, then sleep until the connection is lost.
 *
 * It does not know what a server restart means for opens and locks: that is on_restart's business.
 */
#include "common/log.h"
#include "common/rpc_client.h"
#include <stdlib.h>

enum {
	CONNECT_TIMEOUT_MS = 5000,
	RETRY_MIN_MS = 20,
	RETRY_MAX_MS = 2000,
	PING_LOST = 3, /* pings without an answer until the connection counts as dead */
};

const char *rpc_import_state_name(enum import_state s)
{
	static const char *const names[] = {"DISCONN", "CONNECTING", "REPLAY", "FULL", "CLOSED"};

	return names[s];
}

static void import_set_state(struct rpc_import *imp, enum import_state s)
{
	if (imp->state == s)
		return;
	imp->state = s;
	if (imp->cfg.on_state)
		imp->cfg.on_state(imp->cfg.arg, imp, s);
	co_wake_all(&imp->state_q);
}

void rpc_import_on_close(void *arg, struct net_conn *c, int rc)
{
	struct rpc_import *imp = arg;

	(void)c;
	imp->conn = NULL;
	imp->error = rc ? rc : -ECONNRESET;
	if (imp->connecting) { /* closed by us before it worked: there is no on_connect then */
		imp->connecting = false;
		imp->connect_rc = imp->error;
	}
	rpc_import_fail_setup(imp, imp->error);
	co_wake_all(&imp->event_q);
}

void rpc_import_on_connect(void *arg, struct net_conn *c, int rc)
{
	struct rpc_import *imp = arg;

	(void)c;
	imp->connecting = false;
	imp->connect_rc = rc;
	if (rc)
		imp->conn = NULL;
	co_wake_all(&imp->event_q);
}

/* ---- keeping connected ---- */

static int import_co_tcp(struct rpc_import *imp)
{
	uint64_t deadline = loop_now(imp->l) + CONNECT_TIMEOUT_MS * NSEC_PER_MSEC;
	int rc;

	if (!imp->nids.n)
		return -EADDRNOTAVAIL;
	imp->nid_at %= imp->nids.n;
	imp->connecting = true;
	imp->connect_rc = 0;
	rc = net_connect(imp->l, &imp->nids.nid[imp->nid_at], &rpc_import_net_ops, imp, &imp->conn);
	if (rc) {
		imp->connecting = false;
		imp->conn = NULL;
		return rc;
	}
	while (imp->connecting && !imp->closing)
		if (co_wait(&imp->event_q, deadline) == -ETIMEDOUT)
			break;
	if (imp->connecting) { /* on_close or a late on_connect follows */
		net_close(imp->conn, -ETIMEDOUT);
		while (imp->conn)
			if (co_wait(&imp->event_q, 0))
				continue;
		imp->connecting = false;
		return -ETIMEDOUT;
	}
	return imp->connect_rc ? imp->connect_rc : imp->conn ? 0 : -ECONNRESET;
}

static int import_co_handshake(struct rpc_import *imp)
{
	struct any_connect_req q = {
		.version_min = WIRE_VERSION,
		.version_max = WIRE_VERSION,
		.features = FEATURES_SUPPORTED,
		.uuid = {imp->client->uuid, UUID_LEN},
		.kind = imp->client->kind,
		.name = SPAN_STR(imp->client->name),
		.target = SPAN_STR(imp->target),
		.lane = imp->client->lane,
		.last_boot_id = imp->boot_id,
	};
	struct any_connect_rep p;
	bool restarted;
	RPC_CALL(call);
	int rc;

	call.deadline_ms = CONNECT_TIMEOUT_MS;
	rc = any_co_connect(imp, &call, &q, &p);
	if (rc)
		return rc;
	if (p.version != WIRE_VERSION)
		return -EPROTONOSUPPORT;
	restarted = imp->boot_id && imp->boot_id != p.boot_id;
	if (imp->session && !restarted && imp->session != p.session)
		imp->evicted = true;
	imp->reclaim |= restarted || imp->evicted;
	imp->session = p.session;
	imp->epoch = p.epoch;
	imp->boot_id = p.boot_id;
	imp->ping_ms = p.ping_ms;
	return 0;
}

static void import_drop(struct rpc_import *imp, int rc)
{
	if (!imp->conn)
		return;
	net_close(imp->conn, rc);
	while (imp->conn)
		if (co_wait(&imp->event_q, 0))
			continue;
}

/* 0: FULL. Else the import is disconnected again. */
static int import_co_connect(struct rpc_import *imp)
{
	int rc;

	import_set_state(imp, IMP_CONNECTING);
	rc = import_co_tcp(imp);
	if (rc)
		return rc;
	rc = import_co_handshake(imp);
	if (rc) {
		import_drop(imp, rc);
		return rc;
	}
	snprintf(imp->peer, sizeof(imp->peer), "%s", net_peer(imp->conn));
	imp->last_recv_ns = loop_now(imp->l);
	import_set_state(imp, IMP_RECLAIM);
	if (imp->reclaim && imp->cfg.on_restart)
		imp->cfg.on_restart(imp->cfg.arg, imp, imp->evicted);
	if (!imp->conn) /* lost again: on_restart has to begin anew */
		return -ECONNRESET;
	imp->reclaim = imp->evicted = false;
	imp->error = 0;
	imp->tries = imp->refusals = 0;
	imp->moved = false;
	imp->logged_error = 0;
	import_set_state(imp, IMP_FULL);
	rpc_import_resend_all(imp);
	return 0;
}

static void import_ping(void *arg)
{
	struct rpc_import *imp = arg;
	struct any_ping_req q = {};
	struct any_ping_rep p = {};
	RPC_CALL(call);

	call.deadline_ms = imp->ping_ms * PING_LOST;
	/* A connection that is being made meanwhile is another one. */
	if (any_co_ping(imp, &call, &q, &p) == -ETIMEDOUT && imp->conn &&
	    imp->state == IMP_FULL) {
		log_warn("%s: no answer from %s: connecting anew", imp->target, imp->peer);
		net_close(imp->conn, -ETIMEDOUT);
	}
}

/* Sleeps while the connection lives; pings when nothing was heard for a while. */
static void import_co_watch(struct rpc_import *imp)
{
	while (imp->conn && !imp->closing) {
		uint32_t ping_ms = rpc_soft_ping_ms(imp);
		uint64_t due = ping_ms ? imp->last_recv_ns + ping_ms * NSEC_PER_MSEC : 0;

		if (due && loop_now(imp->l) >= due) {
			imp->last_recv_ns = loop_now(imp->l);
			if (fiber_spawn(imp->l, import_ping, imp))
				log_warn("%s: no memory for a ping", imp->target);
			continue;
		}
		if (co_wait(&imp->event_q, due) == 0)
			continue;
	}
}

static void import_log_error(struct rpc_import *imp, int rc)
{
	char nid[NID_STRLEN] = "no address";

	if (rc == imp->logged_error || imp->closing)
		return;
	if (imp->nids.n)
		nid_str(&imp->nids.nid[imp->nid_at % imp->nids.n], 0, nid);
	/* Loss of a connection is news; the first failure to make one is told by whoever waits. */
	if (imp->session)
		log_warn("%s: connection to %s: %s; trying again", imp->target, nid, err_str(rc));
	imp->logged_error = rc;
}

static bool error_is_final(int rc)
{
	return rc == -EPROTONOSUPPORT || rc == -ENODEV || rc == -EPERM || rc == -EPROTO;
}

/* The next address, after a pause when all have been tried. One that worked is tried again
 * first. */
static void import_co_next(struct rpc_import *imp, bool worked, uint32_t *backoff)
{
	bool again = worked || !imp->nids.n || ++imp->tries % imp->nids.n == 0;

	if (!worked) {
		imp->nid_at++;
		imp->refusals = error_is_final(imp->error) ? imp->refusals + 1 : 0;
	}
	co_wake_all(&imp->state_q); /* tell waiters of the error even if the state is old */
	if (again && !imp->moved && !imp->closing &&
	    co_wait(&imp->event_q, loop_now(imp->l) + *backoff * NSEC_PER_MSEC))
		*backoff = *backoff * 2 < RETRY_MAX_MS ? *backoff * 2 : RETRY_MAX_MS;
	if (imp->moved) {
		imp->nid_at = imp->tries = 0;
		*backoff = RETRY_MIN_MS;
	}
	imp->moved = false;
}

static void import_main(void *arg)
{
	struct rpc_import *imp = arg;
	uint32_t backoff = RETRY_MIN_MS;

	while (!imp->closing) {
		int rc = import_co_connect(imp);
		bool worked = rc == 0;

		if (worked) {
			backoff = RETRY_MIN_MS;
			import_co_watch(imp);
			if (imp->closing)
				break;
			rc = imp->error;
		}
		imp->error = rc;
		import_log_error(imp, rc);
		import_set_state(imp, IMP_DISCONN);
		import_co_next(imp, worked, &backoff);
	}
	imp->main_running = false;
	co_wake_all(&imp->state_q);
}

/* ---- the import from outside ---- */

int rpc_import_create(const struct rpc_import_cfg *cfg, struct rpc_import **out)
{
	struct rpc_import *imp = calloc(1, sizeof(*imp));
	int rc;

	if (!imp)
		return -ENOMEM;
	imp->cfg = *cfg;
	imp->client = cfg->client;
	imp->l = cfg->client->loop;
	snprintf(imp->target, sizeof(imp->target), "%s", cfg->target);
	imp->nids = cfg->nids;
	imp->active = true;
	imp->slots = SESSION_SLOTS == 64 ? UINT64_MAX : (1ULL << SESSION_SLOTS) - 1;
	imp->session = cfg->session;
	imp->boot_id = cfg->boot_id;
	rpc_import_hold_claimed(imp);
	imp->next_xid = (uint64_t)cfg->client->lane << 56 | (loop_random(imp->l) & 0xffffff) << 28;
	co_waitq_init(&imp->slot_q);
	co_waitq_init(&imp->state_q);
	co_waitq_init(&imp->event_q);
	TAILQ_INIT(&imp->calls);
	STAILQ_INIT(&imp->rides);
	imp->ride_timer = (struct loop_timer){.fn = rpc_import_send_rides, .arg = imp};
	for (int i = 0; i < RPC_NR_MAX; i++)
		imp->stats[i].name = rpc_desc_find((uint16_t)i) ? rpc_name((uint16_t)i) : NULL;
	imp->main_running = true;
	rc = fiber_spawn(imp->l, import_main, imp);
	if (rc) {
		free(imp);
		return rc;
	}
	*out = imp;
	return 0;
}

void rpc_import_co_destroy(struct rpc_import *imp, uint32_t timeout_ms)
{
	struct any_disconnect_req q = {};
	struct any_disconnect_rep p = {};

	if (imp->state == IMP_FULL && timeout_ms) {
		RPC_CALL(call);

		call.deadline_ms = timeout_ms;
		if (any_co_disconnect(imp, &call, &q, &p))
			log_dbg("%s: no answer to disconnect", imp->target);
	}
	imp->closing = true;
	rpc_import_fail_calls(imp, -ENOTCONN);
	co_wake_all_rc(&imp->slot_q, -ENOTCONN);
	co_wake_all(&imp->event_q);
	if (imp->conn)
		net_close(imp->conn, 0);
	while (imp->conn || imp->main_running || !TAILQ_EMPTY(&imp->calls)) {
		if (co_wait(&imp->state_q, loop_now(imp->l) + NSEC_PER_MSEC) == 0)
			continue;
	}
	import_set_state(imp, IMP_CLOSED);
	free(imp->discard);
	free(imp);
}

void rpc_import_set_nids(struct rpc_import *imp, const struct nid_list *nids, uint64_t boot)
{
	bool same = nid_list_eq(&imp->nids, nids);

	if (same && (boot == 0 || boot == imp->told_boot))
		return;
	imp->nids = *nids;
	imp->refusals = 0;
	if (boot)
		imp->told_boot = boot;
	if (imp->conn && imp->boot_id == boot) { /* it found the way by itself */
		imp->nid_at = 0;
		return;
	}
	imp->moved = true;
	if (imp->conn && boot)
		net_close(imp->conn, -ECONNRESET);
	co_wake_all(&imp->event_q);
}

void rpc_import_set_active(struct rpc_import *imp, bool active)
{
	imp->active = active;
	if (!active)
		rpc_import_fail_calls(imp, -EIO);
}

enum import_state rpc_import_state(const struct rpc_import *imp)
{
	return imp->state;
}

const char *rpc_import_target(const struct rpc_import *imp)
{
	return imp->target;
}

const char *rpc_import_peer(const struct rpc_import *imp)
{
	return imp->state == IMP_FULL ? imp->peer : "";
}

bool rpc_import_local(const struct rpc_import *imp, struct nid *out)
{
	if (!imp->conn || imp->state != IMP_FULL)
		return false;
	net_local(imp->conn, out);
	return true;
}

int rpc_import_error(const struct rpc_import *imp)
{
	return imp->error;
}

uint64_t rpc_import_session(const struct rpc_import *imp)
{
	return imp->session;
}

uint64_t rpc_import_boot(const struct rpc_import *imp)
{
	return imp->boot_id;
}

bool rpc_import_connected(const struct rpc_import *imp)
{
	return imp->conn != NULL;
}

void rpc_import_reconnect(struct rpc_import *imp)
{
	if (imp->conn)
		net_close(imp->conn, -ECONNRESET);
}

bool rpc_import_refused(const struct rpc_import *imp)
{
	return imp->state == IMP_DISCONN && imp->nids.n && imp->refusals >= imp->nids.n;
}

int rpc_import_co_wait(struct rpc_import *imp, uint32_t timeout_ms)
{
	uint64_t deadline = loop_now(imp->l) + timeout_ms * NSEC_PER_MSEC;
	int rc = 0;

	while (rc == 0 && imp->state != IMP_FULL) {
		if (imp->closing)
			return -ENOTCONN;
		if (rpc_import_refused(imp))
			return imp->error;
		rc = co_wait(&imp->state_q, deadline);
	}
	return rc;
}

const struct stat_counter *rpc_import_stats(const struct rpc_import *imp)
{
	return imp->stats;
}
