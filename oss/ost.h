/* SPDX-License-Identifier: Apache-2.0 */
/* ost.h - the inside of a target, for the files of oss/ only. */
#pragma once
#include "common/rpc.h"
#include "oss/bulk.h"
#include "oss/cache.h"
#include "oss/oss.h"
#include "oss/throttle.h"
#include <stdatomic.h>

/* Counters as obdfilter.*.stats shows them; what counts is either bytes or microseconds of a
 * request. */
#define OST_STATS(S) \
	S(read_bytes, STAT_BYTES) S(write_bytes, STAT_BYTES) S(read, STAT_USECS)         \
	S(write, STAT_USECS) S(getattr, STAT_USECS) S(setattr, STAT_USECS)               \
	S(punch, STAT_USECS) S(sync, STAT_USECS) S(destroy, STAT_USECS)                  \
	S(statfs, STAT_USECS) S(fallocate, STAT_USECS) S(seek, STAT_USECS)               \
	S(grant, STAT_USECS) S(list, STAT_USECS) S(recover, STAT_USECS)                  \
	S(again, STAT_USECS)                                                               \
	S(connect, STAT_REQS) S(disconnect, STAT_REQS)

enum ost_stat {
#define OST_STAT_ENUM(name, unit) OST_STAT_##name,
	OST_STATS(OST_STAT_ENUM)
#undef OST_STAT_ENUM
	OST_NSTATS
};

struct flush;
struct known;
struct scrub;
struct window;

enum { MACHINE_LEN = 40 };

/* What recovery_status shows; any thread. */
struct ost_recovery {
	_Atomic uint32_t known, here, back; /* clients */
	_Atomic uint64_t changes;	    /* that were done again */
	_Atomic int64_t began;		    /* ns since 1970; 0: there was nothing to wait for */
	_Atomic uint64_t took_ns;	    /* 0: it is not over */
	_Atomic uint64_t due_ns;	    /* loop time: when it is over at the latest */
};

struct ost {
	struct ost_cfg cfg;
	char name[MAX_TARGET_NAME];
	struct disk *disk;
	struct cache *cache;
	struct bulk_pool *bulk;
	struct scrub *scrub;
	struct flush *flush;
	/* power.h */
	uint64_t power, base, mark;
	bool lost; /* what was not stable, and nobody has sent it again */
	char machine[MACHINE_LEN];
	struct known *known;
	struct window *window;
	struct ost_recovery recovery;
	struct loop_work abort; /* of the recovery, asked for by another thread */
	struct throttle *throttle;
	struct rpc_service *svc;

	/* tunables: set on any thread, read here */
	uint32_t max_open_objects, bulk_limit_mb;
	uint32_t degraded, no_create, sync_journal, stable_ms;

	/* space, see grant.c */
	uint64_t granted, writing; /* promised; on the way to the disk */
	uint64_t space, space_ns;  /* that there was, and when; less what was written since */

	uint32_t running;	 /* requests and their buffers */
	struct co_waitq idle;	 /* running became 0 */
	int64_t stats_start;
	struct stat_counter stats[OST_NSTATS];
};

/* rpc_session.priv; may be gone after a suspension. */
struct ost_session {
	struct ost *ost;
	struct bulk_user *reads;
	bool known; /* see known.h */
	struct rate_user rate;
	uint64_t granted;
};

static inline struct ost_session *ost_session_of(const struct rpc_op *op)
{
	return op->session->priv;
}

/* Fills the attributes that most replies carry; the reply structs are different types with the
 * same fields. */
#define OST_REPLY_ATTR(p, a)                    \
	do {                                    \
		(p)->flags = (a).flags;         \
		(p)->size = (a).size;           \
		(p)->blocks = (a).blocks;       \
		(p)->mtime = (a).mtime;         \
		(p)->version = (a).version;     \
	} while (0)

#define OST_OBJECT_LAYOUT(q) \
	((struct object_layout){(q)->stripe_size, (q)->stripe_count, (q)->layout_gen})
#define OST_OBJECT_ID(q) ((struct object_id){(q)->fid, (q)->comp, (q)->stripe})

/* ost.c */
int ost_target_state(const struct ost *ost, const struct disk_space *sp); /* enum target_state */
/* The file system below failed: says which object; gives rc back. */
int ost_io_error(const struct ost *ost, const struct object_id *id, const char *what, int rc);

/* ops/punch.c: what several requests do. -EOPNOTSUPP, -EINVAL, -EFBIG. */
must_check int ost_fallocate_check(uint32_t mode, uint64_t off, uint64_t len);
/* The object is the caller's alone. Suspends. */
must_check int ost_co_set_size(struct ost *ost, struct object *o, uint64_t size);

/* grant.c: space that is promised to clients */
struct ost_space {
	uint64_t len;
	bool covered; /* by a promise */
};
/* A write begins: takes what the session was promised for it. */
void ost_space_begin(struct ost *ost, struct ost_session *ses, uint64_t len, uint64_t used,
		     struct ost_space *sp);
/* [off, off + len) is to be written without a promise, and `more` bytes that no write has begun
 * with. -ENOSPC if that would take what is promised. */
must_check int ost_space_check(struct ost *ost, struct object *o, uint64_t off, uint64_t len,
			       uint64_t more);
void ost_space_end(struct ost *ost, const struct ost_space *sp);
/* Promises up to `want` bytes more; how many. */
uint64_t ost_grant(struct ost *ost, struct ost_session *ses, uint64_t want);
void ost_grant_return(struct ost *ost, struct ost_session *ses);

/* ops.c: the table of handlers; ops/ has one file for each family. */
extern const struct rpc_handler ost_handlers[];
extern const uint32_t ost_nhandlers;
#define OST_HANDLER(nr_, srv, nm, flags_, doc_) \
	int srv##_##nm(struct rpc_op *op, const struct srv##_##nm##_req *q, \
		       struct srv##_##nm##_rep *p);
OSS_RPCS(OST_HANDLER)
#undef OST_HANDLER

/* ost_param.c */
must_check int ost_param_add(struct ost *ost);
void ost_param_del(struct ost *ost);
