/* SPDX-License-Identifier: Apache-2.0 */
/* mds.c - puts an MDS together and takes it apart; see mds.h. What it does is in the other
 * files. */
#include "mds/config.h"
#include "mds/hsm_queue.h"
#include "mds/lfsck.h"
#include "mds/lfsck_fix.h"
#include "mds/own.h"
#include "mds/restored.h"
#include "mds/state.h"
#include "mds/unlinklog.h"
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define RESERVE_BYTES (64 * MIB)

/* Requests whose first field is an inode that they look at, or change. */
#define LOOKS(nr)                                                                          \
	(((nr) >= RPC_mds_lookup && (nr) <= RPC_mds_open) || (nr) == RPC_mds_readdir ||    \
	 (nr) == RPC_mds_getxattr || (nr) == RPC_mds_setxattr || (nr) == RPC_mds_listxattr || \
	 (nr) == RPC_mds_removexattr || (nr) == RPC_mds_layout || (nr) == RPC_mds_fid2path || \
	 (nr) == RPC_mds_parent || (nr) == RPC_mds_data)
#define LOOK_THUNK(nr_, srv, nm, flags_, doc_)                                             \
	static int serve_##srv##_##nm(struct rpc_op *op, const void *q, void *p)           \
	{                                                                                  \
		int rc = LOOKS(nr_) ? op_co_look_first(op, q) : 0;                         \
                                                                                           \
		return rc ? rc : srv##_##nm(op, q, p);                                     \
	}
MDS_RPCS(LOOK_THUNK)
static const struct rpc_handler handlers[] = {MDS_RPCS(PROTO_ROW)};

enum { DRAIN_MS = 10000 };

static uint64_t random_of(void *arg)
{
	return loop_random(((struct mds *)arg)->loop);
}

/* During recovery a client that is not back yet may have any file open. */
static bool is_open(void *arg, const struct fid *fid)
{
	const struct mds *m = arg;
	const struct node *n = node_find(m->opens, fid);

	return m->recovery_end_ns || (n && n->nopen);
}

static void logged(void *arg, uint32_t ost, uint64_t bytes)
{
	ost_logged(arg, ost, bytes);
}

static void store_fatal(void *arg, int rc)
{
	struct mds *m = arg;

	if (m->cfg.on_fatal)
		m->cfg.on_fatal(m->cfg.fatal_arg, rc);
}

static int open_store(struct mds *m)
{
	struct store_cfg sc = {
		.loop = m->loop,
		.dir = m->dir,
		.tables = mds_tables,
		.ntables = MDS_NTABLES,
		.map_size = m->cfg.map_size ? m->cfg.map_size : m->map_mb * MIB,
		.nosync = m->cfg.nosync,
		.machine = m->cfg.machine,
		.reserve_bytes = m->cfg.reserve_bytes ? m->cfg.reserve_bytes : RESERVE_BYTES,
	};
	uint64_t life;
	struct txn *t;
	int rc;

	if (m->cfg.reserve_bytes == UINT64_MAX)
		sc.reserve_bytes = 0;
	rc = store_open(&sc, &m->store);
	if (rc)
		return rc;
	store_on_fatal(m->store, store_fatal, m);
	rc = store_write(m->store, &t);
	if (rc == 0)
		rc = config_init(t, loop_realtime(m->loop));
	if (rc == 0)
		rc = lfsck_lost_found(t, loop_realtime(m->loop));
	if (rc == 0)
		rc = restored_skip(t, m->dir);
	if (rc == 0)
		rc = config_next_life(t, &life);
	/* On the disk before it numbers anything. */
	if (rc == 0)
		rc = store_commit(m->store);
	if (rc == 0)
		restored_done(m->dir);
	if (rc == 0)
		store_first_transno(m->store, life << TRANSNO_LIFE_SHIFT);
	return rc;
}

static int make_service(struct mds *m)
{
	struct rpc_service_cfg sc = {
		.loop = m->loop,
		.name = m->name,
		.handlers = handlers,
		.nhandlers = ARRAY_SIZE(handlers),
		.ops = &mds_service_ops,
		.arg = m,
		.params = m->params,
		.boot_id = m->cfg.boot_id,
		.session_timeout_ms = m->session_timeout_s * 1000,
	};

	while (!sc.boot_id)
		sc.boot_id = loop_random(m->loop);
	return rpc_service_create(&sc, &m->svc);
}

/* As Lustre: three tenths of the memory. The simulator must not see the machine it runs on. */
static uint32_t leases_total_mb(const struct mds *m)
{
	uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	return m->cfg.nosync ? 1024 : (uint32_t)max_u64(bytes / 10 * 3 / MIB, 1);
}

static void init_memory(struct mds *m)
{
#define MD_NAME(n) m->md_stats[MD_##n] = (struct stat_counter){.name = #n, .unit = STAT_USECS};
	MD_STATS(MD_NAME)
	TAILQ_INIT(&m->osts);
	co_waitq_init(&m->osts_q);
	co_waitq_init(&m->grace_q);
	co_waitq_init(&m->lease_q);
	alloc_init(&m->alloc, random_of, m);
	m->striping = (struct striping_defaults){STRIPE_SIZE_DEFAULT, 1, -1, 1};
	m->env = (struct ns_env){&m->alloc, &m->striping, is_open, logged, m};
	m->started_ns = loop_now(m->loop);
	m->started_real_ns = m->stats_since_ns = loop_realtime(m->loop);
	m->session_timeout_s =
		m->cfg.session_timeout_ms ? (m->cfg.session_timeout_ms + 999) / 1000 : 30;
	m->map_mb = 1024;
	m->commit_on_sharing = 1;
	m->lease_limits = (struct lease_limits){LEASES_OF_CLIENT, leases_total_mb(m)};
	m->rpc_client = (struct rpc_client_cfg){
		.loop = m->loop,
		.kind = PEER_MDT,
		.name = m->name,
	};
	memcpy(m->rpc_client.uuid, m->cfg.uuid, UUID_LEN);
}

static uint64_t client_number(const struct client *c)
{
	return c->id;
}

int mdt_create(const struct mds_cfg *cfg, struct mds **out)
{
	struct mds *m = calloc(1, sizeof(*m));
	struct lease_mgr_cfg leases = {.recall = lease_recall_news, .arg = m};
	int rc;

	if (!m)
		return -ENOMEM;
	m->cfg = *cfg;
	m->loop = cfg->loop;
	m->params = cfg->params;
	snprintf(m->dir, sizeof(m->dir), "%s", cfg->dir);
	snprintf(m->name, sizeof(m->name), "%s-MDT%04x", cfg->fsname, cfg->index);
	init_memory(m);
	leases.limits = &m->lease_limits;
	leases.first_seq = (uint64_t)m->started_real_ns;
	rc = open_table_create((uint64_t)m->started_real_ns, &m->opens);
	if (rc == 0)
		open_table_number(m->opens, client_number);
	if (rc == 0)
		rc = lock_mgr_create(&m->locks);
	m->share = share_create();
	if (rc == 0 && !m->share)
		rc = -ENOMEM;
	if (rc == 0)
		rc = lease_mgr_create(&leases, &m->leases);
	if (rc == 0)
		rc = settle_create(m, &m->settle);
	if (rc == 0)
		rc = young_create(m, &m->young);
	if (rc == 0)
		rc = lfsck_create(m, &m->lfsck);
	if (rc == 0)
		rc = hsm_queue_create(m, &m->hsm);
	if (rc == 0)
		rc = mds_params_add_first(m);
	if (rc == 0)
		rc = open_store(m);
	if (rc == 0)
		rc = mds_params_add(m); /* what the label sets takes effect from here on */
	if (rc == 0)
		rc = young_start(m->young);
	if (rc == 0)
		rc = hsm_queue_start(m->hsm);
	if (rc == 0)
		rc = make_service(m);
	if (rc) {
		mdt_destroy(m);
		return rc;
	}
	recovery_start(m, lease_term_ns(m));
	own_start(m);
	*out = m;
	return 0;
}

struct rpc_service *mdt_service(struct mds *m)
{
	return m->svc;
}

const char *mdt_name(const struct mds *m)
{
	return m->name;
}

static int any_row(void *arg, const struct unlinklog_key *k, const struct unlinklog_rec *v)
{
	(void)k;
	(void)v;
	*(bool *)arg = true;
	return 1;
}

bool mdt_idle(struct mds *m)
{
	bool in_batch, any = false;
	struct txn *t;

	if (open_table_count(m->opens) || settle_pending(m->settle) || m->recovery_end_ns)
		return false;
	if (store_read(m->store, &t, &in_batch) ||
	    unlinklog_rec_walk(t, &(struct unlinklog_key){.ost = 0}, any_row, &any))
		return false;
	return !any;
}

static void on_config(void *arg, const struct mgs_config *c)
{
	ost_update(arg, c);
}

int mdt_co_start(struct mds *m, const struct nid *listen, const char *servicenode)
{
	struct mgs_link_cfg lc = {
		.client = &m->rpc_client,
		.mgs = m->cfg.mgs,
		.on_config = on_config,
		.arg = m,
		.params = m->params,
	};
	struct mgs_register reg = {
		.type = TARGET_MDT,
		.index = m->cfg.index,
		.servicenode = servicenode ? servicenode : "",
		.failnode = m->cfg.failnode,
		.listen = *listen,
		.boot = m->cfg.boot_id,
		.announced = m->cfg.announced,
		.announced_len = m->cfg.announced_len,
	};
	int rc;

	memcpy(lc.fsname, m->cfg.fsname, sizeof(lc.fsname));
	memcpy(reg.uuid, m->cfg.uuid, UUID_LEN);
	rc = mgs_link_create(&lc, &m->link);
	if (rc)
		return rc;
	rc = mgs_link_co_register(m->link, &reg, NULL);
	return rc ? rc : mgs_link_co_start(m->link, 0);
}

void mdt_co_stop(struct mds *m, uint32_t timeout_ms)
{
	int rc;

	if (m->link)
		mgs_link_co_destroy(m->link);
	m->link = NULL;
	/* From here on nothing suspends until the service stops as well, and answers no more. */
	m->stopping = true;
	co_wake_all(&m->osts_q);
	co_wake_all_rc(&m->grace_q, -ESHUTDOWN);
	co_wake_all_rc(&m->lease_q, -ESHUTDOWN);
	co_wake_all_rc(&m->hsm->news, -ESHUTDOWN);
	co_wake_all_rc(&m->hsm->ended_q, -ESHUTDOWN);
	co_wake_all_rc(&m->hsm->back_q, -ESHUTDOWN);
	client_wake_recalls(m);
	lock_cancel_all(m->locks, -ESHUTDOWN); /* no answer: the clients ask the next life again */
	rpc_service_co_stop(m->svc, timeout_ms);
	recovery_stop(m);
	settle_stop(m->settle);
	young_stop(m->young);
	lfsck_close(m->lfsck);
	ost_co_stop_all(m); /* a fence may be waiting for one that does not answer */
	settle_co_stop(m->settle);
	lfsck_co_close(m->lfsck);
	/* What waited for an OST ends now, and must not find that all is gone. */
	if (!rpc_service_co_drain(m->svc, DRAIN_MS))
		log_err("%s: requests hang at the end", m->name);
	rc = store_co_sync(m->store);
	if (rc)
		log_err("%s: the last changes are lost: %s", m->name, err_str(rc));
}

void mdt_destroy(struct mds *m)
{
	if (m->svc)
		client_free_all(m);
	if (m->store)
		store_close(m->store);
	if (m->svc)
		rpc_service_destroy(m->svc);
	mds_params_del(m);
	recovery_stop(m);
	if (m->settle)
		settle_destroy(m->settle);
	if (m->young)
		young_destroy(m->young);
	if (m->lfsck)
		lfsck_destroy(m->lfsck);
	if (m->hsm)
		hsm_queue_destroy(m->hsm);
	if (m->leases)
		lease_mgr_destroy(m->leases);
	if (m->locks)
		lock_mgr_destroy(m->locks);
	if (m->opens)
		open_table_destroy(m->opens);
	share_destroy(m->share);
	alloc_fini(&m->alloc);
	free(m);
}
