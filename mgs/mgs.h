/* SPDX-License-Identifier: Apache-2.0 */
/* mgs.h - a management server: registry, store and service in one.
 *
 * Everything runs on one loop. Changes are made one at a time under `lock`, because a change
 * waits for the disk between its check and its effect; nodes that wait for news sleep on `news`.
 */
#pragma once
#include "common/rpc.h"
#include "common/store.h"
#include "mgs/registry.h"

struct params;

enum { MAX_WAIT_MS = 600000 }; /* of a long poll */

struct mgs_cfg {
	struct loop *loop;
	const char *dir; /* of the target; the store is below it, in db */
	struct params *params;
	uint64_t boot_id;
	bool nosync; /* tests and the simulator */
};

struct mgs {
	struct mgs_cfg cfg;
	struct registry *reg;
	struct store *store;
	struct rpc_service *svc;
	struct co_mutex lock;
	struct co_waitq news;
	bool stopping;
};

/* Opens the store, loads the registry, adds the parameters mgs.MGS.*. Errors in words in why. */
must_check int mgs_create(const struct mgs_cfg *cfg, struct mgs **out, char *why, size_t why_len);
/* Ends long polls and the service. Suspends. */
void mgs_co_stop(struct mgs *m, uint32_t timeout_ms);
/* After mgs_co_stop(), or when the service never listened. */
void mgs_destroy(struct mgs *m);

/* ---- for the handlers ---- */

/* A record to be written, or deleted when val is NULL. */
struct mgs_change {
	uint32_t table;
	const char *key;
	const struct wbuf *val;
};
/* Writes c and the next version of the configuration; 0 when both are on disk. m->lock is held.
 * Suspends. */
must_check int mgs_co_write(struct mgs *m, const struct mgs_change *c);
/* The change is in the registry: counts the version and wakes those who wait. */
void mgs_changed(struct mgs *m);
/* Makes mgs.MGS.live.<fsname> known, once. */
void mgs_show_fs(struct mgs *m, const char *fsname);
/* Copies w into memory of the op. -ENOMEM, or w's own error. */
must_check int mgs_op_blob(struct rpc_op *op, const struct wbuf *w, struct span *out);

#define MGS_HANDLER(nr_, srv, nm, flags_, doc_)                          \
	int srv##_##nm(struct rpc_op *op, const struct srv##_##nm##_req *q, \
		       struct srv##_##nm##_rep *p);
MGS_RPCS(MGS_HANDLER)
