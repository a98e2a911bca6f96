/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h - the simulated world: virtual time, many loops, one seed.
 *
 * loop_sim.c implements common/loop.h: every "process" or lane has its own struct loop, all of them
 * are driven by one scheduler on one thread and share one virtual clock. net_sim.c and disk_sim.c
 * implement the other ports on top of it. Whatever a run decides by chance comes from the seed, one
 * stream for each purpose, so that the same seed is the same run, bit for bit; a digest proves it.
 *
 * There is one world at a time (the ports carry no handle for one). Calls from a loop that is not
 * the owner's are asserted: in the real program they would be data races.
 *
 * What this deliberately does not do: model CPU cost, threads inside one loop, or real descriptors.
 */
#pragma once
#include "common/loop.h"

/* Each purpose draws from its own stream: more draws of one do not change the others. */
enum sim_stream { SIM_SCHED, SIM_NET, SIM_DISK, SIM_CODE, SIM_WORK, SIM_FAULT, SIM_NSTREAMS };

#define SIM_REALTIME_BASE 1735689600000000000LL /* wall clock at virtual time 0 */

void sim_begin(uint64_t seed);
/* All loops are destroyed, all connections, listeners and disks closed (asserted). */
void sim_end(void);

uint64_t sim_now(void);
uint64_t sim_random(enum sim_stream s);
/* 0 .. n-1; n > 0. */
uint64_t sim_below(enum sim_stream s, uint64_t n);
/* True in per_million of a million cases. Draws only when per_million is not 0. */
bool sim_chance(enum sim_stream s, uint32_t per_million);

/* Loops made from now on belong to this node (a machine: an address, a clock). */
void sim_set_node(uint32_t node);
uint32_t sim_loop_node(const struct loop *l);
/* The loop whose callback runs, NULL in the harness. */
struct loop *sim_loop_current(void);
/* This node's wall clock is off by this much. */
void sim_set_skew(uint32_t node, int64_t ns);

/* Runs one callback of one loop, or moves the clock to the next timer. False when nothing would
 * ever happen again. Harness only. */
bool sim_step(void);
typedef bool sim_done_fn(void *arg);
/* Steps until done(arg). -ETIMEDOUT after max_ns of virtual time, -EDEADLK when nothing is left to
 * do, -ELOOP when the clock stands still. */
must_check int sim_run_until(sim_done_fn *done, void *arg, uint64_t max_ns);
/* Steps for this long (returns early when nothing is left). */
void sim_run_for(uint64_t ns);

/* An event that another run of the seed must repeat. */
void sim_digest_add(const void *data, size_t len);
uint64_t sim_digest(void);
uint64_t sim_steps(void);

/* ---- for the other ports ---- */
/* Arms a timer of a loop from any loop: what hardware does. due is in sim_now() time. */
void sim_timer_at(struct loop *l, struct loop_timer *t, uint64_t due_ns);
void sim_timer_cancel(struct loop *l, struct loop_timer *t);
/* Asserts that l may be touched from here. */
void sim_own(const struct loop *l);
/* Ports count what is open so that sim_end() finds leaks. */
void sim_open_add(int n);
