/* SPDX-License-Identifier: Apache-2.0 */
/* window.h - after a loss of power: the time in which the clients of the last life send again what
 * they had written and the disk had not got.
 *
 * Clients keep what they changed until they hear that it is stable (common/unstable.h). A
 * target whose power was lost waits for those it knows (known.h): nobody else reads or changes
 * anything before all have told that they are done, so nobody sees the gap. What they send has the
 * number that the target had answered with; order.h keeps the order among them, and what the disk
 * had got already (power.h, the mark) is left alone. Clients that do not come within WINDOW_MS, or
 * came and make no progress for WINDOW_STALL_MS, are given up: what they had is lost, which their
 * fsync tells.
 *
 * One loop. Functions with co_ suspend.
 */
#pragma once
#include "oss/order.h"
#include "oss/ost.h"

#define WINDOW_MS 12000 /* as the MDS waits for clients: a term of leases */
#define WINDOW_STALL_MS 30000

struct window;

/* Opens if the target has lost its power and knows clients; ost.recovery tells of it. 0 or -ENOMEM.
 * Suspends. */
must_check int window_co_start(struct ost *ost, struct window **out);
/* Whoever waits goes away with -ESHUTDOWN. NULL: there is none. */
void window_end(struct window *w);
/* After that, when no request runs any more. Suspends. */
void window_co_destroy(struct window *w);
bool window_is_open(const struct window *w);
/* Waits until it is closed, or for so long, if ns is not 0. -ESHUTDOWN. NULL: there is none.
 * Suspends. */
must_check int window_co_wait(struct window *w, uint64_t ns);
/* A client connects. forgot: it is a new process, which has nothing. */
void window_here(struct window *w, const uint8_t uuid[UUID_LEN], bool forgot);
/* It will not come. */
void window_gone(struct window *w, const uint8_t uuid[UUID_LEN]);
/* One of its lanes has sent everything; lanes: all that have to. */
void window_back(struct window *w, const uint8_t uuid[UUID_LEN], uint32_t lane, uint64_t lanes);
/* A change is done again: where the order is kept, until window_leave(). Those who have not
 * finished have more time. NULL: it is too late. */
struct order *window_enter(struct window *w);
void window_leave(struct window *w);
/* Ends it now. Any stack of the loop. */
void window_abort(struct window *w);
