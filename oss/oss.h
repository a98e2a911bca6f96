/* SPDX-License-Identifier: Apache-2.0 */
/* oss.h - object storage: targets (OSTs) and the server that carries several of them.
 *
 * An ost is one target: a directory of objects, a disk, an rpc_service, everything on one loop. It
 * starts no threads: sheen-oss (main.c) gives each ost a thread with a loop, the simulator puts
 * several on one. A router is the front of a process with several targets: a service that takes
 * connections on the one address of the process and hands each to the target that it asks for.
 *
 * All functions of an ost are called on its loop's thread; ost_name() and ost_service() (as a
 * pointer) are constant once ost_create() returned. Functions with co_ suspend.
 */
#pragma once
#include "common/limits.h"
#include "common/target.h"

struct loop;
struct ost;
struct params;
struct router;
struct rpc_service;

struct ost_cfg {
	struct loop *loop;
	const char *dir;       /* of the target; objects live in dir/O */
	const char *fsname;
	uint32_t index;
	uint8_t uuid[UUID_LEN];
	bool registered;       /* served before: then its objects must be there */
	struct params *params; /* of the process: obdfilter.<name>.* are added; may be NULL */
	uint64_t boot_id;      /* non-zero, new at each start */
	const char *machine;   /* whose page cache it is; NULL: by the kernel's boot id */
	uint32_t max_open_objects;  /* 0: OST_MAX_OPEN */
	uint32_t bulk_limit_mb;	    /* 0: OST_BULK_LIMIT_MB */
	uint32_t session_timeout_ms; /* 0: the default of rpc.h */
};

#define OST_MAX_OPEN 4096
#define OST_BULK_LIMIT_MB 64
#define OST_BULK_LIMIT_MB_MIN 16 /* each direction has a quarter to itself: at least MAX_BULK */

/* 0, -ENOMEM, or what disk_open() says. */
must_check int ost_create(const struct ost_cfg *cfg, struct ost **out);
/* Checks that the objects are this target's (or claims an empty directory for it). On error why
 * says what is wrong; the ost must not be served then. Suspends. */
must_check int ost_co_start(struct ost *ost, char *why, size_t why_len);
/* Stops the service (running requests are answered for up to timeout_ms), closes all objects.
 * Suspends. */
void ost_co_stop(struct ost *ost, uint32_t timeout_ms);
/* After ost_co_stop(), or when ost_co_start() failed. */
void ost_destroy(struct ost *ost);
struct rpc_service *ost_service(struct ost *ost);
const char *ost_name(const struct ost *ost); /* "lustre-OST0000" */

struct router_cfg {
	struct loop *loop;     /* where connections are taken */
	struct params *params; /* may be NULL */
	uint64_t boot_id;
};

must_check int router_create(const struct router_cfg *cfg, struct router **out);
/* Before router_listen(). -EEXIST: a target of that name is there; -ENOSPC: MAX_OSTS. */
must_check int router_add(struct router *r, struct ost *ost);
/* Its rpc_service_listen() takes the connections of all targets. */
struct rpc_service *router_service(struct router *r);
/* Takes no more connections. Before the targets are stopped. Suspends. */
void router_co_stop(struct router *r, uint32_t timeout_ms);
void router_destroy(struct router *r);

#define MAX_OSTS 64 /* of one process */
