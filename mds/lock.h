/* SPDX-License-Identifier: Apache-2.0 */
/* lock.h - file locks of all clients: POSIX byte ranges, flock(2), and the lock for O_APPEND.
 *
 * An owner is a number in a session; what it asks for replaces what it has in the range. A
 * request that conflicts may wait: it is granted in the order of arrival when the conflict is
 * gone, and the wake function says so. Waiting for each other is found out for POSIX locks
 * (-EDEADLK). Pure: no clock, no fibers; wake functions are called from inside lock_set(),
 * lock_cancel() and lock_drop_session() and must only note the result.
 */
#pragma once
#include "common/fid.h"
#include <sys/queue.h>

#define LOCKS_MAX (1U << 20) /* of all clients; then -ENOLCK */

struct lock_req {
	struct fid fid;
	uint8_t space; /* enum lock_space */
	uint8_t type;  /* F_RDLCK 0, F_WRLCK 1, F_UNLCK 2 */
	uint32_t pid;
	uint64_t session, owner;
	uint64_t start, end; /* inclusive */
};

struct lock_wait {
	struct lock_req req;
	uint64_t xid; /* for lock_cancel() */
	void (*wake)(struct lock_wait *w, int rc);
	uint64_t mark;
	TAILQ_ENTRY(lock_wait) link;
};

struct lock_mgr;

must_check int lock_mgr_create(struct lock_mgr **out);
void lock_mgr_destroy(struct lock_mgr *m); /* nobody may wait */
uint32_t lock_mgr_count(const struct lock_mgr *m);

/* 0, -EAGAIN (conflict), -ENOLCK, -EINVAL. */
must_check int lock_set(struct lock_mgr *m, const struct lock_req *q);
/* After -EAGAIN: w waits until wake(). 0, -EDEADLK. A flock gives up what it has of the file
 * first, as flock(2) does. */
must_check int lock_wait_add(struct lock_mgr *m, struct lock_wait *w);
/* The first lock that conflicts: true, and it is in *out. */
bool lock_test(const struct lock_mgr *m, const struct lock_req *q, struct lock_req *out);
/* Ends a wait with rc. False: nobody waits under that xid. */
bool lock_cancel(struct lock_mgr *m, uint64_t session, uint64_t xid, int rc);
/* Ends every wait with rc: the server stops. */
void lock_cancel_all(struct lock_mgr *m, int rc);
/* All locks of a session go, its waiters are woken with rc. */
void lock_drop_session(struct lock_mgr *m, uint64_t session, int rc);
