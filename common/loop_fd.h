/* SPDX-License-Identifier: Apache-2.0 */
/* loop_fd.h - file descriptors on a real loop (loop_ev.c). Only the real transport, the real disk,
 * the FUSE face and signal handling use it; the simulator has no descriptors. */
#pragma once
#include "common/loop.h"

struct loop_fd;
enum loop_fd_events { LOOP_READ = 1, LOOP_WRITE = 2 };
typedef void loop_fd_fn(void *arg, int events);

must_check int loop_fd_create(struct loop *l, int fd, loop_fd_fn *fn, void *arg,
			      struct loop_fd **out);
void loop_fd_set(struct loop_fd *w, int events); /* 0 stops */
void loop_fd_destroy(struct loop_fd *w); /* does not close the descriptor */

/* Runs w in every pass right after the wait, whatever ended it: for completions that lie in memory
 * and whose coming only interrupts the wait. One for each loop; NULL: no longer. */
void loop_after_wait(struct loop *l, struct loop_work *w);

/* Calls fn on the loop's thread when signal signo arrives (SIGTERM, SIGHUP, SIGINT). */
must_check int loop_signal(struct loop *l, int signo, loop_fn *fn, void *arg);
