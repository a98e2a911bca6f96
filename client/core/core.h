/* SPDX-License-Identifier: Apache-2.0 */
/* core.h - what the files of client/core share with each other; fs.h is what others see.
 *
 * A struct ost is one server as all lanes know it (configuration, tunables); a struct target is the
 * same server as one lane uses it (import, requests in flight). fs->lock guards everything in
 * struct fs that changes after fs_create(), and the growth of a lane's table of targets; it is
 * never held while a fiber waits. All else in struct lane belongs to the lane's thread.
 */
#pragma once
#include "client/core/fs.h"
#include "client/core/data.h"
#include "client/core/file.h"
#include "client/core/grant.h"
#include "client/core/intent.h"
#include "client/core/lease.h"
#include "client/core/locktab.h"
#include "client/core/objects.h"
#include "client/core/replay.h"
#include "client/core/unlink.h"
#include "common/unstable.h"
#include "common/co.h"
#include "common/mgs_link.h"
#include "common/rpc.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#define MAX_LANES 64
#define MTIME_CACHE 4096 /* a power of two */
#define IO_WINDOW MAX_BULK /* a request is handled in pieces of this many bytes */
#define IO_PARTS (IO_WINDOW / STRIPE_SIZE_UNIT + 2)
#define MAX_UNSTABLE_MB 256 /* written and not stable at the OSTs */
#define MAX_DIRTY_MB 64 /* kept by write-behind, unless max_dirty_mb says otherwise */
#define MAX_READ_AHEAD_MB 256
#define MAX_READ_AHEAD_PER_FILE_MB 32
#define FAN_MAX 64 /* fibers of one fan-out */

/* Counters of llite.*.stats: name, unit. */
#define FS_STATS(X)                                                                       \
	X(read_bytes, STAT_BYTES) X(write_bytes, STAT_BYTES) X(read, STAT_USECS)          \
	X(write, STAT_USECS) X(ioctl, STAT_REQS) X(open, STAT_USECS) X(close, STAT_USECS) \
	X(seek, STAT_USECS) X(fsync, STAT_USECS) X(readdir, STAT_USECS)                   \
	X(setattr, STAT_USECS) X(truncate, STAT_USECS) X(flock, STAT_USECS)               \
	X(getattr, STAT_USECS) X(fallocate, STAT_USECS) X(create, STAT_USECS)             \
	X(lookup, STAT_USECS) X(link, STAT_USECS) X(unlink, STAT_USECS)                   \
	X(symlink, STAT_USECS) X(mkdir, STAT_USECS) X(rmdir, STAT_USECS)                  \
	X(mknod, STAT_USECS) X(rename, STAT_USECS) X(statfs, STAT_USECS)                  \
	X(setxattr, STAT_USECS) X(getxattr, STAT_USECS) X(getxattr_hits, STAT_REQS)       \
	X(listxattr, STAT_USECS) X(removexattr, STAT_USECS) X(open_hits, STAT_REQS) \
	X(set_later, STAT_REQS)

#define FS_STAT_ENUM(name, unit) FS_STAT_##name,
enum fs_stat { FS_STATS(FS_STAT_ENUM) FS_STAT_MAX };

/* A server as every lane knows it. Never freed before the fs. */
struct ost {
	struct fs *fs;
	uint8_t type; /* enum target_type */
	uint32_t index;
	char name[MAX_TARGET_NAME];
	struct nid_list nids;
	uint8_t uuid[UUID_LEN];
	uint32_t max_rpcs, checksums, active;
	uint64_t boot;	     /* the server's life, as the MGS says */
	uint32_t generation; /* counts changes of nids and boot */
	atomic_bool told, told_off; /* that it is silent; switched off */
	/* grant.c: */
	uint64_t grant;		/* promised bytes that no share has */
	uint64_t grant_session; /* the session that they were promised in */
	uint64_t grant_lost;	/* shares taken before this are void */
	uint64_t grant_need;	/* who was short of it last wanted so much */
	uint64_t grant_used_ns, grant_retry_ns;
	uint32_t grant_shares;
	bool grant_asking;
	uint64_t lanes; /* by number: those that have been connected; under fs->lock */
	struct xwaitq grant_q; /* an answer came */
	TAILQ_ENTRY(ost) link;
};
TAILQ_HEAD(ost_list, ost);

/* A server as one lane uses it. */
struct target {
	struct ost *ost;
	struct rpc_import *imp;
	struct lane *lane;
	uint32_t inflight, generation;
	/* resend.c: */
	struct unstable unstable;
	uint64_t power; /* of the OST, when it answered the last of these */
	bool committing, resending;
	struct co_waitq commit_q;
	bool set_active;
	struct co_waitq room;
	/* Copies for readers on other threads, under fs->lock. */
	enum import_state state;
	uint64_t life; /* boot id of the server */
	bool active;
	int error;
	char peer[NID_STRLEN];
	uint32_t attempts;
	int64_t since; /* wall clock, ns: of the last change of state */
};

struct mtime_seen {
	uint64_t ino;
	int64_t mtime;
};

/* Targets of symbolic links that were just looked up: they never change. */
#define LINK_CACHE 256
struct link_seen {
	struct fid fid;
	uint8_t *target;
	uint32_t len;
};

struct fs {
	struct fs_cfg cfg;
	char name[128], instance[20], source_text[512];
	uint8_t uuid[UUID_LEN];
	struct params *params;
	struct fid root;
	pthread_mutex_t lock;
	uint64_t config_version;
	struct ost_list osts; /* all types */
	struct lane *lanes[MAX_LANES];
	uint64_t next_open_id, next_owner;
	LIST_HEAD(, file) files[FILE_BUCKETS]; /* by FID */
	struct locktab locks;
	struct leases *leases;
	struct data_table data;
	struct unlinks unlinks;
	TAILQ_HEAD(, file) kept; /* see kept.c */
	uint32_t nkept;
	struct lru lru;
	struct replay replay;
	struct intents intents;
	uint32_t max_dirty_mb, max_cached_mb; /* tunables */
	uint32_t max_unstable_mb;
	uint64_t unstable_bytes; /* of all lanes and OSTs */
	struct xwaitq unstable_room; /* under fs->lock: there are fewer */
	struct {
		uint64_t commits, waits, again, lost;
	} unstable_count; /* under fs->lock */
	uint32_t max_read_ahead_mb, max_read_ahead_per_file_mb;
	uint32_t xattr_cache; /* 0: ask the MDS each time */
	uint32_t set_later;   /* 0: setattr asks the MDS each time */
	uint64_t grant_seq; /* orders shares and losses */
	struct mtime_seen mtimes[MTIME_CACHE];
	struct link_seen links[LINK_CACHE];
	int64_t start_real;
	int64_t stats_start;
	struct book_claims last;
	struct mds_target_stat *space; /* what the MDS told last, see statfs.c */
	uint32_t nspace;
};

/* Scratch of one window of a read or write; pooled per lane because it is too big for a stack. */
struct io_part {
	struct io *io;
	struct layout_run *run;
	struct iovec *iov;
	uint32_t niov;
	uint32_t got;	/* bytes moved */
	bool exists;	/* the object */
	uint64_t osize; /* of the object, as the server said */
};
struct io {
	struct lane *lane;
	struct file *file;
	const struct layout *layout;
	uint32_t flags, trunc_gen; /* trunc_gen of a read: see restoring_enter() */
	uint64_t written_ns; /* 0: just now */
	struct grant *grant; /* or NULL */
	struct bytes *bytes; /* that is written lies there; NULL: with the caller */
	bool write, ahead; /* ahead: nobody reads it yet */
	struct layout_run run[IO_PARTS];
	struct io_part part[IO_PARTS];
	struct iovec iov[IO_PARTS];
	struct io *next;
};

struct lane {
	struct fs *fs;
	struct loop *loop;
	uint32_t index;
	bool started, stopping, recalling;
	atomic_bool silent; /* some server is, see fs_is_silent() */
	struct rpc_client_cfg client;
	struct mgs_link *mgs; /* lane 0 */
	struct target *mdt;
	struct rpc_client_cfg recall_client;
	struct rpc_import *recalls; /* lane 0: see recall.c */
	struct target **ost; /* by index; grows under fs->lock */
	uint32_t nost;
	struct loop_work refresh; /* the configuration or a tunable changed */
	struct loop_work press;	  /* see resend.c */
	struct co_waitq config_q; /* waits for a target to appear */
	struct fid next_fid;
	struct co_mutex seq_lock;
	struct io *free_io;
	uint32_t background; /* fibers that nobody waits for, except lane_co_stop() */
	struct co_waitq background_q;
	struct co_waitq flusher_q; /* see wback.c */
	struct stat_counter stats[FS_STAT_MAX];
};

/* ---- fs.c ---- */
void fs_lock(struct fs *fs);
void fs_unlock(struct fs *fs);
/* Newest mtime that a server gave for data of this file, for setattr's ctime_floor. */
void fs_mtime_note(struct fs *fs, const struct fid *fid, int64_t mtime);
int64_t fs_mtime_get(struct fs *fs, const struct fid *fid);

/* ---- link.c ---- */
void link_note(struct fs *fs, const struct fid *fid, struct span target);
/* Length of the target, up to len bytes of it in buf; -ENOENT: not known. */
ssize_t link_find(struct fs *fs, const struct fid *fid, char *buf, size_t len);
void link_fini(struct fs *fs);

/* ---- lane.c ---- */
/* Runs fn(arg, 0..n-1) in up to FAN_MAX fibers, one of them the caller; the first error. */
typedef int fan_fn(void *arg, uint32_t i);
must_check int lane_co_fan(struct lane *ln, uint32_t n, fan_fn *fn, void *arg);
struct io *lane_io_get(struct lane *ln);
void lane_io_put(struct lane *ln, struct io *io);
/* Runs fn(arg) in a fiber that lane_co_stop() waits for; in line when there is no memory. */
void lane_background(struct lane *ln, void (*fn)(void *arg), void *arg);

struct op_timer {
	struct lane *ln;
	enum fs_stat stat;
	uint64_t start;
};
void op_timer_end(struct op_timer *t);
#define OP_TIMER(lane_, name) \
	CLEANUP(op_timer_end) __attribute__((unused)) struct op_timer op_timer_ = { \
		lane_, FS_STAT_##name, loop_clock((lane_)->loop)}

/* ---- target.c ---- */
/* New configuration: adds and changes fs->osts, registers parameters, tells every lane. */
void target_apply_config(struct fs *fs, const struct mgs_config *c);
/* This lane's tables follow fs->osts. */
void target_refresh(struct lane *ln);
void target_refresh_all(struct fs *fs);
/* The target of an OST index; waits for the configuration to name it. */
must_check int target_co_ost(struct lane *ln, uint32_t index, struct target **out);
/* Takes a place among the requests in flight to t; give it back. */
void target_co_enter(struct target *t);
void target_leave(struct target *t);
void target_co_destroy_all(struct lane *ln, uint32_t goodbye_ms);

/* ---- seq.c ---- */
must_check int seq_co_fid(struct lane *ln, struct fid *out);

/* ---- attr.c ---- */
/* Makes size, blocks and mtime of a reply exact: asks the objects if they are unsure and this
 * client does not know them itself. */
must_check int attr_co_finish(struct lane *ln, const struct fid *fid, struct span layout,
			      uint64_t open_seq, struct attr *attr);
/* The name leads to a file that only this client writes: without asking. False: ask. */
bool attr_co_own_name(struct lane *ln, const struct fid *dir, struct span name, struct entry *out);
/* under_lease: the caller is between data_co_enter() and data_leave(). */
must_check int attr_co_get(struct lane *ln, const struct fid *fid, bool under_lease,
			   struct attr *out);
/* Tells the MDS what was set and answered before. 0 or -errno. */
must_check int attr_co_tell(struct lane *ln, const struct fid *fid, const struct later *l);
/* Asks all objects; *size is the file's. objs may be NULL. */
must_check int attr_co_measure(struct lane *ln, const struct fid *fid, const struct layout *l,
			       struct attr *attr);
/* Data of the file was written at mtime: it counts if nobody set another time since. */
void attr_note_mtime(struct attr *attr, int64_t mtime);
/* The same for the objects that o does not know yet. */
must_check int attr_co_learn(struct lane *ln, const struct fid *fid, const struct layout *l,
			     struct objs *o);

/* ---- recall.c ---- */
/* Lane 0 begins to hear of recalls; the MDT's import exists. */
must_check int recall_start(struct lane *ln, const struct ost *mdt);
/* After ln->stopping is set. */
void recall_co_stop(struct lane *ln);
/* The MDS has forgotten what it gave this client before this session. */
void recall_co_lose_all(struct lane *ln, uint64_t session, bool evicted);

/* ---- name.c ---- */
/* mds_create with all that it means for leases. */
must_check int name_co_create(struct lane *ln, struct rpc_call *call,
			      const struct mds_create_req *q, struct mds_create_rep *p);

/* ---- lock.c ---- */
/* Gives back the locks that were taken through f and are left. */
void lock_co_drop_handle(struct lane *ln, struct file *f);
void lock_co_reclaim(struct lane *ln);
/* This client was evicted: the locks of other sessions than this one are lost. */
void lock_lose_all(struct fs *fs, uint64_t session);

/* ---- param.c ---- */
must_check int param_add_fs(struct fs *fs);
void param_add_target(struct ost *o);
