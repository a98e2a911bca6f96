/* SPDX-License-Identifier: Apache-2.0 */
/* replay.h - changes that the MDS has answered and not yet put on its disk: kept here, and done
 * again if the MDS has lost them (D6).
 *
 * The MDS answers before its disk has the change. Every answer to a change has a number, and every
 * answer tells up to which number all is on the disk: a request is kept, with its answer, until
 * then. When a lane meets a new life of the MDS, it asks which changes that has, and sends it the
 * others in the order of their numbers, whatever lanes had sent them first. The other lanes wait
 * for that before they tell what they have open or send anything new; a lane that still believes in
 * the old life is told to connect anew first, because what its connection holds would come too
 * late.
 *
 * Of the MDS's lives each has numbers of its own (wire.h): what the old one had numbered is not
 * covered by what the new one commits until it was done again, and has a new number as well.
 *
 * Memory is bounded: beyond REPLAY_MAX requests or REPLAY_MAX_BYTES a new change first has the MDS
 * put all on its disk.
 *
 * All lanes share one; lock guards everything, and is not held while something waits.
 */
#pragma once
#include "client/core/xwait.h"
#include "common/rpc.h"

#define REPLAY_MAX       4096
#define REPLAY_MAX_BYTES (8U << 20)

struct kept_req {
	TAILQ_ENTRY(kept_req) link;
	struct rpc_kept k;   /* its body follows */
	uint64_t covered_by; /* k.transno, or the number it got when it was done again */
	uint8_t body[];
};

struct replay {
	pthread_mutex_t lock;
	TAILQ_HEAD(kept_reqs, kept_req) list; /* by transno */
	uint32_t n;
	uint64_t bytes;
	uint64_t committed; /* newest number that was heard of */
	uint64_t life;   /* boot id of the server that has all of the list, as far as it is known */
	uint64_t newest; /* that any lane has met */
	bool running;
	struct xwaitq wait_q;
	uint64_t ndone, nlost;
};

void replay_init(struct replay *r);
void replay_fini(struct replay *r);

/* An answer has come; any lane. */
void replay_heard(struct replay *r, const struct msg *req, const struct msg *rep);
/* There is room for one more. */
bool replay_has_room(struct replay *r);
/* Everything up to this number is on the disk of the MDS. */
void replay_drop_until(struct replay *r, uint64_t transno);
/* All of it is lost: how many. */
uint32_t replay_drop_all(struct replay *r);
/* The next one by number; NULL: there is none. Nobody but the one who asks drops it before
 * replay_done(). */
struct kept_req *replay_next(struct replay *r, uint64_t after);
/* It was done again under this number; or it cannot be (0), and is forgotten. */
void replay_done(struct replay *r, struct kept_req *q, uint64_t transno);

/* ---- replay_run.c ---- */
struct lane;
struct target;
/* From on_restart: the MDS gets what it has lost, from this lane or another one, or the connection
 * is lost. */
void replay_co_lane(struct lane *ln, struct rpc_import *imp);
/* The connection is to a life of the MDS that another lane knows to be over. */
bool replay_is_behind(struct target *t);
/* t->state is set. */
void replay_state(struct target *t, enum import_state s);
/* rpc_import_cfg.co_room; arg: struct target. */
void replay_co_room(void *arg, struct rpc_import *imp);
