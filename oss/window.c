/* SPDX-License-Identifier: Apache-2.0 */
/* window.c - see window.h. */
#include "oss/window.h"
#include "common/log.h"
#include "oss/known.h"
#include "oss/power.h"
#include <stdatomic.h>
#include <stdlib.h>

struct expected {
	uint8_t uuid[UUID_LEN];
	char name[64];
	uint64_t lanes, done; /* by number */
	bool here, back, gone;
};

struct window {
	struct ost *ost;
	bool open, ends, runs, closing;
	uint32_t users; /* of order */
	uint64_t opened_ns, progress_ns;
	struct expected *at;
	uint32_t n;
	struct order *order;
	struct co_waitq news_q, closed_q;
};

static struct expected *find(struct window *w, const uint8_t uuid[UUID_LEN])
{
	for (uint32_t i = 0; w && w->open && i < w->n; i++)
		if (memcmp(w->at[i].uuid, uuid, UUID_LEN) == 0)
			return &w->at[i];
	return NULL;
}

static void count(struct window *w)
{
	uint32_t here = 0, back = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		here += w->at[i].here;
		back += w->at[i].back;
	}
	atomic_store(&w->ost->recovery.here, here);
	atomic_store(&w->ost->recovery.back, back);
}

/* When there is no more reason to wait; 0: now. */
static uint64_t due(const struct window *w)
{
	uint64_t at = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		const struct expected *e = &w->at[i];

		if (e->back || e->gone)
			continue;
		at = max_u64(at, e->here ? w->progress_ns + WINDOW_STALL_MS * NSEC_PER_MSEC
					 : w->opened_ns + WINDOW_MS * NSEC_PER_MSEC);
	}
	return at;
}

static void tell(const struct window *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (!w->at[i].back && !w->at[i].gone)
			log_warn("%s: client %s %s: what it had written and not synced is lost",
				 w->ost->name, w->at[i].name,
				 w->at[i].here ? "did not finish in time" : "has not come back");
	log_info("%s: %u of %u clients are back, %llu changes were done again", w->ost->name,
		 atomic_load(&w->ost->recovery.back), w->n,
		 (unsigned long long)atomic_load(&w->ost->recovery.changes));
}

static void window_main(void *arg)
{
	struct window *w = arg;
	struct loop *l = w->ost->cfg.loop;
	uint64_t at;

	while (!w->ends && (at = due(w)) > loop_now(l)) {
		atomic_store(&w->ost->recovery.due_ns, at);
		(void)!co_wait(&w->news_q, at);
	}
	w->closing = true;
	while (w->users)
		(void)!co_wait(&w->news_q, 0);
	if (!w->ends) {
		tell(w);
		atomic_store(&w->ost->recovery.took_ns, loop_now(l) - w->opened_ns + 1);
		power_co_recovered(w->ost);
		w->open = false;
	}
	order_destroy(w->order);
	w->order = NULL;
	w->runs = false;
	co_wake_all(&w->closed_q);
}

static void expect(struct window *w, const struct known_client *c, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct expected *e = &w->at[w->n];

		if (!c[i].used)
			continue;
		memcpy(e->uuid, c[i].uuid, UUID_LEN);
		memcpy(e->name, c[i].name, sizeof(e->name));
		w->n++;
	}
}

int window_co_start(struct ost *ost, struct window **out)
{
	struct window *w = calloc(1, sizeof(*w));
	const struct known_client *c;
	uint32_t n;
	int rc;

	if (!w)
		return -ENOMEM;
	*out = w;
	w->ost = ost;
	co_waitq_init(&w->news_q);
	co_waitq_init(&w->closed_q);
	c = known_all(ost->known, &n);
	w->at = calloc(n + 1, sizeof(*w->at));
	if (!w->at)
		return -ENOMEM;
	if (ost->lost)
		expect(w, c, n);
	if (!w->n) {
		if (ost->lost)
			power_co_recovered(ost);
		return 0;
	}
	rc = order_create(&w->order);
	if (rc)
		return rc;
	w->open = w->runs = true;
	w->opened_ns = w->progress_ns = loop_now(ost->cfg.loop);
	atomic_store(&w->ost->recovery.known, w->n);
	atomic_store(&w->ost->recovery.began, loop_realtime(ost->cfg.loop));
	log_warn("%s: was not stopped in order before its machine was: waiting for %u clients to "
		 "send again what was not synced",
		 ost->name, w->n);
	rc = fiber_spawn(ost->cfg.loop, window_main, w);
	w->runs = rc == 0;
	return rc;
}

void window_end(struct window *w)
{
	if (!w)
		return;
	w->ends = true;
	co_wake_all(&w->news_q);
	co_wake_all(&w->closed_q);
}

void window_co_destroy(struct window *w)
{
	if (!w)
		return;
	while (w->runs)
		(void)!co_wait(&w->closed_q, 0);
	order_destroy(w->order);
	free(w->at);
	free(w);
}

bool window_is_open(const struct window *w)
{
	return w && w->open;
}

int window_co_wait(struct window *w, uint64_t ns)
{
	uint64_t due = ns && w ? loop_now(w->ost->cfg.loop) + ns : 0;

	while (window_is_open(w) && !w->ends)
		if (co_wait(&w->closed_q, due) == -ETIMEDOUT)
			return 0;
	return window_is_open(w) ? -ESHUTDOWN : 0;
}

void window_here(struct window *w, const uint8_t uuid[UUID_LEN], bool forgot)
{
	struct expected *e = find(w, uuid);

	if (!e)
		return;
	e->here = true;
	e->back |= forgot;
	w->progress_ns = loop_now(w->ost->cfg.loop);
	count(w);
	co_wake_all(&w->news_q);
}

void window_gone(struct window *w, const uint8_t uuid[UUID_LEN])
{
	struct expected *e = find(w, uuid);

	if (!e)
		return;
	e->gone = true;
	co_wake_all(&w->news_q);
}

void window_back(struct window *w, const uint8_t uuid[UUID_LEN], uint32_t lane, uint64_t lanes)
{
	struct expected *e = find(w, uuid);

	if (!e)
		return;
	e->lanes |= lanes;
	e->done |= 1ULL << lane;
	e->back = (e->lanes & ~e->done) == 0;
	w->progress_ns = loop_now(w->ost->cfg.loop);
	count(w);
	co_wake_all(&w->news_q);
}

struct order *window_enter(struct window *w)
{
	if (!window_is_open(w) || w->closing || w->ends)
		return NULL;
	w->users++;
	w->progress_ns = loop_now(w->ost->cfg.loop);
	atomic_fetch_add(&w->ost->recovery.changes, 1);
	return w->order;
}

void window_leave(struct window *w)
{
	if (--w->users == 0)
		co_wake_all(&w->news_q);
}

void window_abort(struct window *w)
{
	if (!window_is_open(w))
		return;
	for (uint32_t i = 0; i < w->n; i++)
		w->at[i].gone |= !w->at[i].back;
	co_wake_all(&w->news_q);
}
