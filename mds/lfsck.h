/* SPDX-License-Identifier: Apache-2.0 */
/* lfsck.h - the online checker: walks the tables, and the objects of all OSTs, while the MDT
 * serves.
 *
 * One fiber works in small steps and lets everything else go first; it waits as long as each step
 * took, and longer if lfsck_speed_limit says so. What is found is counted and told; repaired only
 * if asked for, up to a number of repairs, each in a transaction of its own, logged, after the
 * leases that it makes void have been taken back. ARCHITECTURE.md ("Checking") says why what is
 * being changed at the moment is no finding.
 *
 * Controlled by parameters, mdd.<name>.lfsck_*: lctl lfsck_start and sheenctl check write them.
 * One loop; functions with co_ suspend.
 */
#pragma once
#include "mds/check.h"
#include "mds/state.h"

enum lfsck_status {
	LFSCK_INIT,
	LFSCK_SCANNING,
	LFSCK_COMPLETED, /* everything was looked at */
	LFSCK_PARTIAL,   /* not all OSTs answered, or some directory changed all the time */
	LFSCK_STOPPED,
	LFSCK_FAILED,
};

#define LFSCK_TOLD_MAX 1000 /* findings that are kept as text */
#define LFSCK_BATCH    16   /* findings of one step */

struct lfsck_part { /* namespace, or layout */
	enum lfsck_status status;
	uint32_t runs;              /* completed */
	int64_t started, completed; /* real time, ns */
	uint64_t began_ns, took_ns;
	uint64_t checked, objects; /* rows or files; objects of OSTs */
	uint64_t skipped;
};

struct lfsck_layout;

struct lfsck {
	struct mds *m;
	struct co_waitq q; /* to wait on: a stop wakes it */
	bool running, stop, closing;
	struct co_waitq done_q;

	/* of this run */
	bool repair, parts[CHECK_PARTS];
	uint32_t speed; /* rows a second; 0: no limit */
	uint64_t repairs_left;
	bool out_of_repairs;
	struct check_pos pos; /* of the namespace; kept over a stop */
	struct lfsck_part part[CHECK_PARTS];
	uint64_t found[FINDING_KINDS], fixed[FINDING_KINDS], failed[FINDING_KINDS];
	struct wbuf told;
	uint32_t ntold;
	struct finding *batch; /* LFSCK_BATCH */
	uint32_t nbatch;

	/* tunables: what a start takes unless it says otherwise */
	uint32_t speed_limit, max_repairs;
};

must_check int lfsck_create(struct mds *m, struct lfsck **out);
void lfsck_destroy(struct lfsck *l);
/* "types=namespace,layout dryrun=0 speed=1000 max_repairs=5 reset=1": all optional. -EINVAL;
 * -EALREADY: it runs. */
must_check int lfsck_start(struct lfsck *l, const char *options);
/* The step under way is the last one. -EALREADY: it does not run. */
must_check int lfsck_stop(struct lfsck *l);
/* Before the OSTs are taken away, and after that. */
void lfsck_close(struct lfsck *l);
void lfsck_co_close(struct lfsck *l);

/* ---- for the files of the checker ---- */
/* True: the run ends. Waits as long as the step took that began then, or as the limit says for so
 * many rows. Suspends. */
bool lfsck_co_pace(struct lfsck *l, uint64_t began, uint64_t rows);
/* Counts and tells a finding, and has it repaired by fix(), within a transaction. Suspends. */
typedef int lfsck_fix_fn(void *arg, struct txn *t, const struct finding *f, int64_t now);
void lfsck_co_found(struct lfsck *l, const struct finding *f, lfsck_fix_fn *fix, void *arg);

/* ---- lfsck_layout.c ---- */
/* Layouts against objects, and back. 0; -EAGAIN: not everything could be looked at. Suspends. */
must_check int lfsck_co_layout(struct lfsck *l);

/* ---- lfsck_report.c ---- */
must_check int lfsck_params_add(struct lfsck *l);
