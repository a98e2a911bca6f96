/* SPDX-License-Identifier: Apache-2.0 */
/* hsm_queue.h - the coordinator: what movers are to do, who does it, and what came of it.
 *
 * Work is asked for with mds_hsm_request, has a row in table hsmwork until it is done, and is
 * given to a mover, which is a client like others, in the order in which it was asked for. The
 * mover keeps it while its session lives and it gets on; else it is given to the next one. What is
 * under way when the MDS ends waits again in the next life. So the same work may be done twice, and
 * a mover must make that harmless.
 *
 * One loop; nothing here suspends.
 */
#pragma once
#include "common/co.h"
#include "mds/hsm.h"
#include "mds/ranges.h"

struct client;
struct mds;
struct wbuf;

struct hsm_work {
	uint64_t cookie;
	struct fid fid;
	uint32_t action, archive;
	int64_t asked;	      /* wall clock */
	uint64_t since_ns;    /* loop time: it waits since, or the mover was heard of */
	struct client *mover; /* NULL: it waits, or has ended */
	uint64_t moved;	      /* bytes, by the mover's word */
	bool wanted, begun;   /* see hsm_rank */
	bool canceled, told;  /* told: the mover has heard that it is */
	bool ended;
	uint32_t trunc_gen; /* of a restore: under which the mover writes; 0: not begun */
	uint64_t size;	    /* of the file; these until it ends or is taken back: */
	struct ranges *ranges;
	uint64_t *power; /* of each object, see mds_hsm_range */
	uint32_t nobjects;
	int32_t error; /* when it has ended */
	char *data;
	TAILQ_ENTRY(hsm_work) link;
	LIST_ENTRY(hsm_work) of_cookie, of_fid; /* of what has not ended */
};
TAILQ_HEAD(hsm_list, hsm_work);
LIST_HEAD(hsm_bucket, hsm_work);
#define HSM_BUCKETS 16384

/* What waits: somebody waits for it, the newest first; it was begun before; restores; the rest. */
enum hsm_rank { HSM_WANTED, HSM_BEGUN, HSM_RESTORES, HSM_OTHERS, HSM_RANKS };

struct hsm_mover {
	struct client *client;
	uint32_t archives;
	uint32_t current;
	uint64_t ok, errors;
	uint64_t asked; /* counts mds_hsm_next: only the newest one waits */
	TAILQ_ENTRY(hsm_mover) link;
};

enum hsm_control { HSM_STOPPED, HSM_DISABLED, HSM_ENABLED };

struct hsm_queue {
	struct mds *m;
	enum hsm_control control;     /* disabled: nothing is given out; stopped: nor taken in */
	struct hsm_list waiting[HSM_RANKS];   /* in the order in which they are given out */
	struct hsm_list running, ended;	      /* the newest ended is last */
	struct hsm_bucket *by_cookie, *by_fid;
	TAILQ_HEAD(, hsm_mover) movers;
	struct co_waitq news;	      /* something can be given out, or given up */
	struct co_waitq ended_q;      /* some work has ended */
	struct co_waitq back_q;	      /* the same, or a range of a file is back */
	struct evict *evict;
	uint64_t next_cookie;
	bool nonblocking; /* policy NBR: who needs data that are away gets -ENODATA */
	uint32_t nwaiting, nrunning, nended;
	uint32_t max_requests, timeout_s, grace_s, default_archive; /* tunables */
};

must_check int hsm_queue_create(struct mds *m, struct hsm_queue **out);
void hsm_queue_destroy(struct hsm_queue *h);
/* Reads the table; before anybody is served. */
must_check int hsm_queue_start(struct hsm_queue *h);
must_check int hsm_queue_params(struct hsm_queue *h, const char *mdt);

struct hsm_work *hsm_find(const struct hsm_queue *h, uint64_t cookie);
/* What waits or runs for a file; NULL: nothing. */
struct hsm_work *hsm_find_file(const struct hsm_queue *h, const struct fid *fid);
/* The same of what has ended not long ago. */
const struct hsm_work *hsm_find_ended(const struct hsm_queue *h, const struct fid *fid);
/* Adds a row in t, and the work to the queue, unless the batch fails. -ENOMEM, errors of the
 * store. */
must_check int hsm_add(struct hsm_queue *h, struct txn *t, const struct hsmwork_rec *what,
		       uint64_t *cookie);
/* Removes the row in t; the work has ended, unless the batch fails. */
must_check int hsm_end(struct hsm_queue *h, struct txn *t, struct hsm_work *w, int error);
/* It runs with this mover from now on / it waits again. */
void hsm_give(struct hsm_queue *h, struct hsm_work *w, struct hsm_mover *v);
void hsm_take_back(struct hsm_queue *h, struct hsm_work *w);
/* Nothing of a file is back. */
void hsm_forget_ranges(struct hsm_work *w);
/* Somebody waits for what it does. */
void hsm_want(struct hsm_queue *h, struct hsm_work *w);
/* Takes back what movers have not spoken of for too long, and forgets what ended long ago. */
void hsm_tidy(struct hsm_queue *h);

/* The mover of this client, made if need be; NULL: out of memory. */
struct hsm_mover *hsm_mover_of(struct hsm_queue *h, struct client *c);
/* The client's session is over. */
void hsm_client_gone(struct hsm_queue *h, const struct client *c);
const char *hsm_action_name(uint32_t action);

/* ---- ops/restore.c: these suspend; errors as of op_co_restore() ---- */
struct rpc_op;
/* The data of an archived file go. -EPERM: never_release, or it is not archived as it is; -EBUSY:
 * somebody writes it, or something is under way for it. */
must_check int hsm_co_release(struct rpc_op *op, const struct fid *fid);
/* The file becomes a version of the container, whatever it was; its data go. -EPERM: never_release;
 * -EBUSY; -ENOENT: it is gone. */
struct mds_import_entry;
must_check int hsm_co_replace(struct rpc_op *op, const struct fid *fid,
			      const struct mds_import_entry *by, uint32_t archive);
/* The mover says that the data are back, and on the disks of their OSTs. */
must_check int hsm_co_restored(struct rpc_op *op, uint64_t cookie);
