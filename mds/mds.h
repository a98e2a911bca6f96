/* SPDX-License-Identifier: Apache-2.0 */
/* mds.h - a metadata server as seen from outside: main.c and the simulator.
 *
 * Life: mdt_create(), listen on mdt_service(), mdt_co_start() in a fiber (it registers at the MGS
 * and follows its configuration; requests are answered before that already), ..., mdt_co_stop()
 * in a fiber, mdt_destroy(). One loop; everything of an MDS runs on it. The prefix is mdt_
 * because mds_create() is the handler of an RPC.
 */
#pragma once
#include "common/mgs_link.h"

struct mds;
struct params;
struct rpc_service;
struct txn;

struct mds_cfg {
	struct loop *loop;
	const char *dir;		/* of the LMDB environment; made if missing */
	char fsname[MAX_FSNAME + 1];
	uint32_t index;			/* 0 */
	uint8_t uuid[UUID_LEN];		/* of the target */
	uint64_t boot_id;		/* 0: drawn */
	struct nid_list mgs;
	const char *failnode;		/* see mgs_link.h; NULL: none */
	char *announced;		/* see mgs_link.h; NULL: nobody wants to know */
	size_t announced_len;
	struct params *params;		/* where its parameters go; not owned */
	uint32_t session_timeout_ms;	/* 0: 30 s */
	uint64_t map_size;		/* 0: the store's own */
	/* Creates stop when the disk has less. UINT64_MAX: no reserve; 0: 64 MiB */
	uint64_t reserve_bytes;
	bool nosync;			/* simulator: no fsync, made-up space figures */
	const char *machine;		/* as in store.h */
	void (*on_fatal)(void *arg, int rc); /* the store cannot go on */
	void *fatal_arg;
};

/* -EINVAL: another schema version; errors of the store (why in the log). */
must_check int mdt_create(const struct mds_cfg *cfg, struct mds **out);
struct rpc_service *mdt_service(struct mds *m);
const char *mdt_name(const struct mds *m); /* "lustre-MDT0000" */
/* listen: where the service is reached; servicenode: addresses to announce, "" for listen's.
 * Suspends until the MGS has answered. -EEXIST, -EINVAL: the MGS refuses this target;
 * -ESHUTDOWN. */
must_check int mdt_co_start(struct mds *m, const struct nid *listen, const char *servicenode);
/* Answers what runs, commits, closes connections. */
void mdt_co_stop(struct mds *m, uint32_t timeout_ms);
void mdt_destroy(struct mds *m);

/* Everything that must hold between the tables. Prints each breach (up to some) to the log;
 * returns how many there are, or -errno. With a txn from a store of mds_tables. */
must_check int mds_check_invariants(struct txn *t);
/* Nothing is left to do: no file open or unsettled, the unlink log empty. */
bool mdt_idle(struct mds *m);
/* The same as mds_check_invariants() for a running MDS (the simulator) and for a directory
 * (sheen-mds --check). */
must_check int mdt_check(struct mds *m);
must_check int mdt_check_dir(struct loop *l, const char *dir);
