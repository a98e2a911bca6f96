/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - struct mds: what the handlers of one MDT share. Private to mds/.
 *
 * How a handler works: op_read() or op_write() gives the transaction; a plain function of ns.h,
 * attr.h, ... does the work; the reply is filled; the gate (op.c) keeps it until its transaction
 * is on disk. What a handler changes in memory it changes after the transaction has succeeded,
 * with op_undo() for the case that the batch fails.
 */
#pragma once
#include "common/log.h"
#include "common/param.h"
#include "common/rpc.h"
#include "mds/alloc.h"
#include "mds/lease.h"
#include "mds/lock.h"
#include "mds/mds.h"
#include "mds/ns.h"
#include "mds/open.h"
#include "mds/recovery.h"
#include "mds/replay.h"
#include "mds/settle.h"
#include "mds/young.h"

/* Counters of mdt.*.md_stats, by Lustre's names. */
/* clang-format off */
#define MD_STATS(S) \
	S(open) S(close) S(mknod) S(link) S(unlink) S(mkdir) S(rmdir) S(rename) S(getattr) \
	S(setattr) S(getxattr) S(setxattr) S(statfs) S(sync) S(samedir_rename) \
	S(crossdir_rename) S(punch)
/* clang-format on */
#define MD_ENUM(n) MD_##n,
#define MDS_LANES 64 /* of a client, that may hold something; others only listen */
#define MAX_OPENS (1U << 20) /* of one client; then -ENFILE */
enum md_stat { MD_STATS(MD_ENUM) MD_NSTATS };

struct hsm_queue;
struct lfsck;
struct ost;

/* A client: hangs at rpc_session.priv. */
struct client {
	struct mds *mds;
	struct rpc_session *session;
	uint64_t id; /* of the session, for locks */
	uint8_t uuid[UUID_LEN];
	struct open_list opens;
	uint32_t nopens;
	bool dead;	       /* its session is over; only running handlers still see it */
	bool known; /* was here in the last life of the server */
	bool back; /* has told what it held in the last life of the server, or held nothing */
	bool opened;	       /* has told what it has open, if not more */
	uint64_t back_lanes;   /* that have said so, or had nothing to say */
	uint64_t opened_lanes; /* the same */
	uint32_t lanes;	       /* how many it has; 0: not told yet */
	uint32_t busy;	       /* handlers that wait: the client is freed after them */
	bool may_own;	       /* its row of slot 0 says so: see own.c */
	struct co_waitq idle_q;
	struct lease_holder leases;
	uint64_t recalls_asked; /* counts mds_recalls: only the newest one waits */
	uint64_t last_transno; /* changes up to this one are not done again; see replay.c */
	uint64_t had_transno;  /* the same when it came: they are on the disk */
	bool replayed;	       /* it has nothing more to be done again */
	uint64_t row_batch;    /* that has its row in table slot, if it is new; else 0 */
	struct co_waitq recall_q;
};

struct mds {
	struct mds_cfg cfg;
	struct loop *loop;
	char name[MAX_TARGET_NAME];
	char dir[MAX_PATH];
	struct store *store;
	struct params *params;
	struct rpc_service *svc;
	struct rpc_client_cfg rpc_client;
	struct mgs_link *link;

	struct alloc alloc;
	struct striping_defaults striping;
	struct ns_env env;
	struct open_table *opens;
	struct lock_mgr *locks;
	struct lease_mgr *leases;
	struct co_waitq lease_q; /* some lease was given back */
	struct stat_counter lease_waits;
	struct lease_limits lease_limits; /* tunables */
	struct settle *settle;
	struct young *young;
	struct lfsck *lfsck;
	struct hsm_queue *hsm;
	TAILQ_HEAD(, ost) osts;
	uint32_t nosts;
	struct co_waitq osts_q; /* an OST became known, or usable */

	struct stat_counter md_stats[MD_NSTATS];
	int64_t started_real_ns;
	uint64_t started_ns; /* loop time */
	int64_t stats_since_ns;
	uint64_t recovery_end_ns; /* loop time; 0: over */
	bool had_owners; /* clients of the last life may have directories for their own */
	uint64_t inherited_until_ns; /* until then clients of the last life may have leases */
	struct recovery recovery;
	struct replay_window replay;
	struct share *share; /* what the open batch has of whom */
	uint32_t commit_on_sharing; /* tunable */
	struct co_waitq grace_q;  /* the recovery window is over, a client is back or dead */
	uint32_t session_timeout_s;
	uint32_t map_mb; /* of the store's map, to start with */
	/* The open that the running handler has made, for its slot record. */
	struct {
		const struct rpc_op *op;
		struct fid fid;
		uint64_t id;
		uint32_t flags;
	} made_open;
	bool stopping;
};

/* ---- ops/: one handler for each row of MDS_RPCS ---- */
#define MDS_HANDLER(nr_, srv, nm, flags_, doc_)                               \
	int srv##_##nm(struct rpc_op *op, const struct srv##_##nm##_req *q,   \
		       struct srv##_##nm##_rep *p);
MDS_RPCS(MDS_HANDLER)
#undef MDS_HANDLER

/* ---- op.c: transactions and replies of handlers ---- */
struct mds *op_mds(const struct rpc_op *op);
struct client *op_client(const struct rpc_op *op);
must_check int op_read(struct rpc_op *op, struct txn **t);
must_check int op_write(struct rpc_op *op, struct txn **t);
/* op_write() for what needs room on the disk: -ENOSPC. */
must_check int op_write_more(struct rpc_op *op, struct txn **t);
/* A copy that lives as long as the reply; an empty span stays empty. -ENOMEM. */
must_check int op_copy(struct rpc_op *op, struct span *s);
/* fn(arg, rc) runs if the open batch fails. arg is freed with free() in any case. */
must_check int op_undo(struct mds *m, void (*fn)(struct mds *m, void *arg), void *arg);
/* Time and count of one md_stats counter: begin with md_begin(), end with md_end(). */
static inline uint64_t md_begin(struct mds *m)
{
	return loop_clock(m->loop);
}
void md_end(struct mds *m, enum md_stat s, uint64_t begin);
/* attr and, when the client needs it, layout of a reply. with_layout: it opens the file. */
must_check int op_reply_attr(struct rpc_op *op, const struct inode_rec *ino, bool with_layout,
			     struct attr *attr, struct span *layout);
/* Attributes of a directory after a change of a name in it, for parent_attr. */
must_check int op_dir_attr(struct txn *t, const struct fid *dir, struct attr *out);
/* For replies about a file: its open_seq while its size is unsure, else 0. */
uint64_t op_open_seq(const struct rpc_op *op, const struct fid *fid, const struct attr *a);
extern const struct rpc_service_ops mds_service_ops;

/* ---- client.c: sessions and what they have open ---- */
int client_session_open(void *arg, struct rpc_session *s, const struct any_connect_req *q);
void client_session_close(void *arg, struct rpc_session *s, bool evicted);
struct client_open {
	struct fid fid;
	uint64_t id;
	uint32_t flags; /* OPEN_READ, OPEN_WRITE */
	bool was_sure;	/* see struct node */
	bool in_batch;	/* undone if the open batch fails */
};
/* The client has the file open from now on. Opening twice under one id is the same open. *sole:
 * this is the only writer, and what the inode said about the size was right. -EINVAL, -ENFILE,
 * -ENOMEM. */
must_check int client_open(struct client *c, const struct client_open *what, uint64_t *open_seq,
			   uint32_t *sole);
/* Around whatever suspends in a handler. leave: -ESTALE when the session ended meanwhile. */
void client_enter(struct client *c);
must_check int client_leave(struct client *c);
/* The server stops: ends all mds_recalls that wait. */
void client_wake_recalls(struct mds *m);
/* Its row of slot 0, which no request uses: the next life of the server knows by it that this
 * client may have files open, and directories for its own, and what it is called. Errors of the
 * store. */
must_check int client_note(const struct client *c, struct txn *t);
/* This lane has told all that it held, or only what is open, of so many. */
void client_lane_back(struct client *c, uint32_t lane, uint32_t lanes, bool opens_only);
void client_free_all(struct mds *m);

/* ---- revoke.c: leases ---- */
uint64_t lease_term_ns(const struct mds *m);
#define REVOKE_MAX 4
struct revoke {
	struct fid fid;
	uint32_t bits;
};
/* Number of the reply. */
uint64_t op_seq(struct rpc_op *op);
/* Gives the client what may be given of bits; what it got. a: what the reply says of the inode. */
uint32_t op_lease(struct rpc_op *op, const struct fid *fid, const struct attr *a, uint32_t bits);
/* The client's own leases that its request makes void. */
void op_lease_give_up(struct rpc_op *op, const struct fid *fid, uint32_t bits);
/* Before a change: takes these leases of all other clients back. 0: nothing had to be waited for;
 * 1: all may be different now; -ESTALE, -ESHUTDOWN. Until the caller suspends again nobody has
 * them. */
must_check int op_co_revoke(struct rpc_op *op, const struct revoke *r, uint32_t n);
/* Others have such leases now. Does not suspend. */
bool op_must_revoke(struct rpc_op *op, const struct fid *fid, uint32_t bits);
/* Takes these leases of one inode back from all clients, also the one who asks. 0: nobody had any;
 * 1: all may be different now; -ESTALE, -ESHUTDOWN. */
must_check int op_co_revoke_all(struct rpc_op *op, const struct fid *fid, uint32_t bits);
/* The same where a change meanwhile does not matter: 0 or -errno. */
must_check int op_co_revoke_one(struct rpc_op *op, const struct fid *fid, uint32_t bits);
/* Before somebody else looks at a file of unsure size: what its writer keeps back is written, and
 * what a dead one might still write is fenced off. 0 or -errno. */
must_check int op_co_settle_data(struct rpc_op *op, const struct fid *fid);

/* Before names are changed: their directories and what they lead to. 0 or -errno. */
struct revoke_name {
	const struct fid *dir;
	struct span name;
};
must_check int op_co_revoke_names(struct rpc_op *op, const struct revoke_name *name, uint32_t n);
void lease_recall_news(void *mds, struct lease_holder *h); /* lease_mgr_cfg.recall */

/* ---- data.c: who may do what with the data of a file ---- */
/* Decides which lease the client gets that wants this one (see mds_data), and takes back what does
 * not go with it. *bits can be granted until the caller suspends; for WAY_STREAM of a file whose
 * data are not all back from the archive, too, if that is SHARED. */
enum { WAY_EXACT = 1, WAY_STREAM = 2 };
must_check int data_co_make_way(struct rpc_op *op, const struct fid *fid, uint32_t want,
				uint32_t how, uint32_t *bits);

/* Before anybody gets at the data: if they are in the archive only, has them brought back, and
 * waits for that. 0: they are here; 1: they are now, all may be different; -EIO: they cannot be
 * brought back; -ENODATA: nobody waits for them, by hsm.policy; -ESTALE, -ESHUTDOWN, errors of the
 * store. */
must_check int op_co_restore(struct rpc_op *op, const struct fid *fid);
/* Before somebody reads who can wait for a part (mds_hsm_wait): has them brought, if they are
 * enough that this is worth it, and does not wait. Else the same. */
must_check int op_co_restore_begin(struct rpc_op *op, const struct fid *fid);
/* They are not back, and worth it. */
bool op_restore_streams(struct rpc_op *op, const struct fid *fid);

/* ---- objects.c: all objects of a file at once ---- */
struct objects_sum {
	uint64_t size, blocks; /* of the file */
	int64_t mtime;	       /* the newest of the objects; 0: none was ever written */
};
must_check int objects_co_getattr(struct mds *m, const struct fid *fid, const struct layout *l,
				  uint32_t deadline_ms, struct objects_sum *out);
must_check int objects_co_fence(struct mds *m, const struct fid *fid, const struct layout *l,
				uint32_t trunc_gen);
/* fence: writes of an older trunc_gen may come, also to objects that are not there. */
must_check int objects_co_punch(struct mds *m, const struct fid *fid, const struct layout *l,
				uint64_t size, uint32_t trunc_gen, bool fence,
				struct objects_sum *out);

/* ---- size.c: truncation and opening for write ---- */
/* Sets the size at the MDS and the objects; q (may be NULL) has what else to set. Suspends. */
must_check int size_co_set(struct rpc_op *op, const struct fid *fid, uint64_t size,
			   const struct mds_setattr_req *q, struct attr *attr);
/* If others than c (may be NULL) may be writing without a lease, the objects refuse that from now
 * on. The node's mutex is not held. Suspends. */
must_check int size_co_fence(struct mds *m, const struct client *c, const struct fid *fid);
/* A truncation cuts the objects of the file. Who is told its number meanwhile could write by it to
 * some objects before and to others after they are cut. */
bool size_is_cut(struct mds *m, const struct fid *fid);
must_check int size_co_wait_cut(struct rpc_op *op, const struct fid *fid);
/* Gives a file its objects if it has none yet. ino is read again. -ENODEV, -ENOSPC. */
must_check int size_make_objects(struct mds *m, struct txn *t, const struct fid *fid,
				 struct inode_rec *ino, bool append);
/* Waits a while for the first OST; 0 or -ENODEV. Suspends. */
must_check int size_co_wait_osts(struct mds *m);

/* ---- ost.c: the OSTs of the file system ---- */
void ost_update(struct mds *m, const struct mgs_config *c);
/* The connection to an OST; one that the configuration does not have yet is waited for. NULL: it
 * did not come. Suspends. */
struct rpc_import *ost_co_import(struct mds *m, uint32_t index);
/* See ost_kept.h. */
void ost_keep(struct mds *m, uint32_t index, const struct wire_hdr *h,
	      const struct oss_again_req *req);
/* The unlink log has got an object of this OST, of at most that many bytes. */
void ost_logged(struct mds *m, uint32_t index, uint64_t bytes);
/* The smallest index of an OST that is not below *index. False: there is none. */
bool ost_next(struct mds *m, uint32_t *index);
void ost_co_stop_all(struct mds *m);
/* Appends mds_target_stat records of all OSTs. */
void ost_stat_all(struct mds *m, struct wbuf *w);

/* ---- params.c ---- */
/* printf into a wbuf; w->rc. */
int text_put(struct wbuf *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* What the store must know before it is opened, then all the others. */
must_check int mds_params_add_first(struct mds *m);
must_check int mds_params_add(struct mds *m);
void mds_params_del(struct mds *m);
struct mdt_space {
	uint64_t total, free, avail, files, ffree;
};
void mds_space(struct mds *m, struct mdt_space *out);

/* ---- path.c ---- */
/* Path of the n-th name below the root, into buf (MAX_PATH bytes); its length, or -errno. */
must_check int path_of(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
		       uint32_t n, char *buf);
