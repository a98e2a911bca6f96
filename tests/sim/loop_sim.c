/* SPDX-License-Identifier: Apache-2.0 */
/* loop_sim.c - common/loop.h on virtual time, and the scheduler of the simulated world.
 *
 * A step picks one of the loops that have something to do, by chance, and runs one callback of it.
 * A loop works in passes like the real one: its clock stands still during a pass, timers that
 * come due meanwhile wait for the next pass, before-wait work runs when nothing else is left. When
 * no loop has anything to do the clock jumps to the next timer. Every step also costs a random bit
 * of virtual time.
 *
 * Links instead of loop_ev.c. The system's clocks and random source are wrapped at link time
 * (wrap_sim.c).
 */
#include "tests/sim/sim.h"
#include "common/loop_fd.h"
#include "common/timer_heap.h"
#include <stdio.h>
#include <stdlib.h>

enum { MAX_LOOPS = 64, MAX_NODES = 64 };
#define MAX_STEPS 20000000ULL

STAILQ_HEAD(work_list, loop_work);

struct loop {
	uint32_t index, node;
	uint64_t now;
	bool in_pass, stop;
	struct work_list ready, before, posted;
	struct timer_heap timers;
};

static struct {
	bool live;
	uint64_t seed, now, steps, digest;
	uint64_t stream[SIM_NSTREAMS];
	struct loop *loops[MAX_LOOPS];
	uint32_t nloops, node;
	int64_t skew[MAX_NODES];
	struct loop *cur;
	int open;
} sim;

/* ------------------------------------------------------------------ chance */

static uint64_t splitmix(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint64_t sim_random(enum sim_stream s)
{
	return splitmix(&sim.stream[s]);
}

uint64_t sim_below(enum sim_stream s, uint64_t n)
{
	assert(n > 0);
	return sim_random(s) % n;
}

bool sim_chance(enum sim_stream s, uint32_t per_million)
{
	return per_million && sim_below(s, 1000000) < per_million;
}

void sim_begin(uint64_t seed)
{
	uint64_t x = seed;

	assert(!sim.live);
	memset(&sim, 0, sizeof(sim));
	sim.live = true;
	sim.seed = seed;
	sim.now = NSEC_PER_SEC;
	sim.digest = 0xcbf29ce484222325ULL;
	for (int i = 0; i < SIM_NSTREAMS; i++)
		sim.stream[i] = splitmix(&x);
}

void sim_end(void)
{
	assert(sim.live && sim.nloops == 0 && sim.open == 0);
	sim.live = false;
}

void sim_open_add(int n)
{
	sim.open += n;
	assert(sim.open >= 0);
}

uint64_t sim_now(void)
{
	return sim.now;
}

uint64_t sim_steps(void)
{
	return sim.steps;
}

struct loop *sim_loop_current(void)
{
	return sim.cur;
}

void sim_set_node(uint32_t node)
{
	assert(node < MAX_NODES);
	sim.node = node;
}

uint32_t sim_loop_node(const struct loop *l)
{
	return l->node;
}

void sim_set_skew(uint32_t node, int64_t ns)
{
	assert(node < MAX_NODES);
	sim.skew[node] = ns;
}

/* FNV-1a over 64 bits: not strong, but any difference shows. */
void sim_digest_add(const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		sim.digest = (sim.digest ^ p[i]) * 0x100000001b3ULL;
}

uint64_t sim_digest(void)
{
	return sim.digest;
}

/* A loop's memory is its thread's alone; the harness acts while all threads stand still. */
void sim_own(const struct loop *l)
{
	assert(sim.live && (!sim.cur || sim.cur == l));
}

/* ------------------------------------------------------------------ timers */

void sim_timer_cancel(struct loop *l, struct loop_timer *t)
{
	timer_heap_del(&l->timers, t);
}

void sim_timer_at(struct loop *l, struct loop_timer *t, uint64_t due_ns)
{
	int rc = timer_heap_set(&l->timers, t, due_ns);

	assert(rc == 0);
}

/* ------------------------------------------------------------------ the port */

int loop_create(struct loop **out)
{
	struct loop *l;

	if (!sim.live) /* a program that knows nothing of the world: a unit test */
		sim_begin(1);
	assert(sim.nloops < MAX_LOOPS);
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	STAILQ_INIT(&l->ready);
	STAILQ_INIT(&l->before);
	STAILQ_INIT(&l->posted);
	l->node = sim.node;
	l->now = sim.now;
	l->index = sim.nloops;
	sim.loops[sim.nloops++] = l;
	*out = l;
	return 0;
}

void loop_destroy(struct loop *l)
{
	if (!l)
		return;
	assert(sim.cur != l && l->timers.n == 0);
	assert(STAILQ_EMPTY(&l->ready) && STAILQ_EMPTY(&l->before) && STAILQ_EMPTY(&l->posted));
	sim.nloops--;
	for (uint32_t i = l->index; i < sim.nloops; i++) {
		sim.loops[i] = sim.loops[i + 1];
		sim.loops[i]->index = i;
	}
	timer_heap_fini(&l->timers);
	free(l);
}

static bool stopped(void *arg)
{
	return ((struct loop *)arg)->stop;
}

void loop_run(struct loop *l)
{
	int rc;

	l->stop = false;
	rc = sim_run_until(stopped, l, UINT64_MAX / 2);
	if (rc)
		fprintf(stderr, "sim: loop_run: %s\n", strerror(-rc));
	assert(rc == 0);
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}

uint64_t loop_now(struct loop *l)
{
	sim_own(l);
	return sim.cur ? l->now : sim.now;
}

uint64_t loop_clock(struct loop *l)
{
	sim_own(l);
	return ++sim.now;
}

int64_t loop_realtime(struct loop *l)
{
	return SIM_REALTIME_BASE + (int64_t)++sim.now + sim.skew[l->node];
}

uint64_t loop_random(struct loop *l)
{
	(void)l;
	return sim_random(SIM_CODE);
}

void loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t delay_ns)
{
	assert(t->fn);
	sim_timer_at(l, t, loop_now(l) + delay_ns);
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	sim_own(l);
	sim_timer_cancel(l, t);
}

static void enqueue(struct work_list *q, struct loop_work *w)
{
	assert(w->fn);
	if (w->queued)
		return;
	w->queued = true;
	STAILQ_INSERT_TAIL(q, w, link);
}

void loop_defer(struct loop *l, struct loop_work *w)
{
	sim_own(l);
	enqueue(&l->ready, w);
}

void loop_before_wait(struct loop *l, struct loop_work *w)
{
	sim_own(l);
	enqueue(&l->before, w);
}

void loop_post(struct loop *l, struct loop_work *w)
{
	enqueue(&l->posted, w);
}

/* Nobody sends signals here. */
int loop_signal(struct loop *l, int signo, loop_fn *fn, void *arg)
{
	(void)l, (void)signo, (void)fn, (void)arg;
	return 0;
}

/* ------------------------------------------------------------------ the scheduler */

static bool timer_due(const struct loop *l, uint64_t now)
{
	const struct loop_timer *t = timer_heap_peek(&l->timers);

	return t && t->due_ns <= now;
}

static bool has_work(const struct loop *l)
{
	return !STAILQ_EMPTY(&l->ready) || !STAILQ_EMPTY(&l->before) || !STAILQ_EMPTY(&l->posted) ||
	       timer_due(l, sim.now);
}

static void run_work(struct work_list *q)
{
	struct loop_work *w = STAILQ_FIRST(q);

	STAILQ_REMOVE_HEAD(q, link);
	w->queued = false;
	w->fn(w->arg);
}

/* One callback of l, which has work. */
static void run_one(struct loop *l)
{
	bool due;

	if (!l->in_pass) {
		l->in_pass = true;
		l->now = sim.now;
	}
	STAILQ_CONCAT(&l->ready, &l->posted);
	due = timer_due(l, l->now);
	sim.cur = l;
	if (due && (STAILQ_EMPTY(&l->ready) || sim_random(SIM_SCHED) & 1)) {
		struct loop_timer *t = timer_heap_pop(&l->timers, l->now);

		t->fn(t->arg);
	} else if (!STAILQ_EMPTY(&l->ready)) {
		run_work(&l->ready);
	} else if (!STAILQ_EMPTY(&l->before)) {
		run_work(&l->before);
	}
	sim.cur = NULL;
	if (STAILQ_EMPTY(&l->ready) && STAILQ_EMPTY(&l->before) && !timer_due(l, l->now))
		l->in_pass = false;
}

static bool next_timer(uint64_t *due)
{
	bool any = false;

	for (uint32_t i = 0; i < sim.nloops; i++) {
		const struct loop_timer *t = timer_heap_peek(&sim.loops[i]->timers);

		if (t && (!any || t->due_ns < *due)) {
			*due = t->due_ns;
			any = true;
		}
	}
	return any;
}

bool sim_step(void)
{
	struct loop *busy[MAX_LOOPS];
	uint32_t n = 0;
	uint64_t due = 0;

	assert(!sim.cur);
	for (uint32_t i = 0; i < sim.nloops; i++)
		if (has_work(sim.loops[i]))
			busy[n++] = sim.loops[i];
	if (!n) {
		if (!next_timer(&due))
			return false;
		sim.now = max_u64(sim.now, due);
		return true;
	}
	sim.steps++;
	sim.now += 50 + sim_below(SIM_SCHED, 1000);
	run_one(busy[n == 1 ? 0 : sim_below(SIM_SCHED, n)]);
	return true;
}

int sim_run_until(sim_done_fn *done, void *arg, uint64_t max_ns)
{
	uint64_t end = sim.now + max_ns, steps = sim.steps;

	while (!done(arg)) {
		if (sim.now >= end)
			return -ETIMEDOUT;
		if (sim.steps - steps > MAX_STEPS)
			return -ELOOP;
		if (!sim_step())
			return -EDEADLK;
	}
	return 0;
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

void sim_run_for(uint64_t ns)
{
	int rc = sim_run_until(never, NULL, ns);

	assert(rc == -ETIMEDOUT || rc == -EDEADLK);
}
