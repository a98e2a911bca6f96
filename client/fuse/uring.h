/* SPDX-License-Identifier: Apache-2.0 */
/* uring.h - the second way to the kernel: FUSE over io_uring.
 *
 * Each lane serves the queues of some CPUs, on one of these CPUs, so that a request does not
 * wake a thread on another one. A request is a struct serve as any other, with s->ent set while
 * the ring's entry waits for the answer. Answers come from the lane's own thread. INIT, INTERRUPT
 * and FORGET still come over /dev/fuse.
 *
 * All functions are the lane's thread's, unless they say otherwise. Never suspends.
 */
#pragma once
#include "common/base.h"

struct face;
struct flane;
struct iovec;
struct serve;
struct uring;

enum {
	URING_DEPTH = 16, /* entries of a queue at first */
	URING_DEPTH_MAX = 512,
	URING_QUEUES_MAX = 4096
};

struct uring_cfg {
	uint32_t first, nqueues; /* CPUs */
	uint32_t depth;
	uint32_t payload; /* bytes of the largest request or answer */
	uint32_t keep;    /* large payloads whose memory is kept */
};

/* Makes ring and memory; nothing comes before uring_start(). */
must_check int uring_create(struct flane *fl, const struct uring_cfg *cfg, struct uring **out);
/* The kernel agreed in FUSE_INIT: offers entries. */
void uring_start(struct uring *u);
/* Serves what has come. */
void uring_reap(struct uring *u);
/* Closes the ring; the kernel may still use the memory. */
void uring_stop(struct uring *u);
/* Any thread, when the lane's thread has ended. */
void uring_destroy(struct uring *u);
/* "3 of 32 entries of 2 queues": any thread, roughly. */
uint32_t uring_entries(const struct uring *u);

/* Entries of a CPU's queue that a request may still be put into; not of this lane: 0. Any thread,
 * while nothing is served any more. */
uint32_t uring_free(const struct uring *u, uint32_t cpu);

/* Answers a request that this thread's ring holds; false: it holds no such request. */
bool uring_reply(const struct iovec *iov, int n);
/* Where the answer can be put without being copied; NULL: nowhere. */
uint8_t *uring_reply_mem(struct serve *s, uint32_t len);
/* The request will be answered while its handler runs: what that uses is its own from now on.
 * -ENOMEM: then it has to wait. */
must_check int uring_abandon(struct serve *s);
/* The handler of the request has returned. */
void uring_serve_end(struct serve *s);
