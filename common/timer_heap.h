/* SPDX-License-Identifier: Apache-2.0 */
/* timer_heap.h - binary heap of struct loop_timer by (due_ns, seq).
 *
 * Both loops (loop_ev.c and the simulator's) keep their timers in it. The heap owns only its
 * array of pointers; timers are their users' memory. It knows no clock. Never suspends.
 */
#pragma once
#include "common/loop.h"

/* Zero-initialise. */
struct timer_heap {
	struct loop_timer **at;
	uint32_t n, cap;
	uint64_t seq; /* of the last timer that was armed */
};

void timer_heap_fini(struct timer_heap *h);

/* Arms t for due_ns (0 is taken as 1), or moves it when it is armed already. -ENOMEM: not armed,
 * only possible when t was not armed before. */
must_check int timer_heap_set(struct timer_heap *h, struct loop_timer *t, uint64_t due_ns);
/* No-op when t is not armed. */
void timer_heap_del(struct timer_heap *h, struct loop_timer *t);
/* The earliest timer or NULL. */
struct loop_timer *timer_heap_peek(const struct timer_heap *h);
/* Takes the earliest timer out if it is due at now_ns; else NULL. */
struct loop_timer *timer_heap_pop(struct timer_heap *h, uint64_t now_ns);
