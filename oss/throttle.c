/* SPDX-License-Identifier: Apache-2.0 */
/* throttle.c - see throttle.h. A new limit is a word that the loop takes over. */
#include "oss/throttle.h"
#include "common/limits.h"
#include "common/param.h"
#include "common/proto/field.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MB = 1000000, MAX_MB = 1000000 };

struct throttle {
	struct loop *loop;
	struct params *params;
	const char *name; /* of the target */
	struct rate rate;
	struct loop_timer timer;
	struct loop_work take;
	bool stopped;
	uint64_t wish;   /* bytes a second; set on any thread */
	uint32_t posted; /* take is on its way */
	/* written here, read on any thread */
	uint64_t waiting, delayed, delayed_us;
};

struct waiter {
	struct rate_req q;
	struct fiber *fiber;
	int rc;
};

#define READ(x)   __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define SET(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELEASE)

static void let_go(struct throttle *t, struct rate_req *q, int rc)
{
	struct waiter *w = container_of(q, struct waiter, q);

	SET(t->waiting, t->waiting - 1);
	w->rc = rc;
	fiber_wake(w->fiber);
}

static void arm(struct throttle *t)
{
	uint64_t now = loop_now(t->loop), when = rate_when(&t->rate);

	if (when)
		loop_timer_start(t->loop, &t->timer, when > now ? when - now : 1);
	else
		loop_timer_stop(t->loop, &t->timer);
}

static void pump(void *arg)
{
	struct throttle *t = arg;
	struct rate_req *q;

	while ((q = rate_next(&t->rate, loop_now(t->loop))))
		let_go(t, q, 0);
	arm(t);
}

static void take(void *arg)
{
	struct throttle *t = arg;

	SET(t->posted, 0);
	rate_set(&t->rate, t->stopped ? 0 : READ(t->wish), loop_now(t->loop));
	pump(t);
}

int throttle_co_pass(struct throttle *t, struct rate_user *u, uint32_t len)
{
	struct waiter w = {.q.len = len};
	uint64_t start;
	int rc;

	if (!t->rate.bps)
		return 0;
	start = loop_now(t->loop);
	rc = rate_ask(&t->rate, u, &w.q, start);
	if (rc != -EINPROGRESS)
		return rc;
	SET(t->waiting, t->waiting + 1);
	w.fiber = fiber_self();
	if (!t->timer.due_ns)
		arm(t);
	fiber_co_suspend();
	SET(t->delayed, t->delayed + 1);
	SET(t->delayed_us, t->delayed_us + (loop_now(t->loop) - start) / 1000);
	return w.rc;
}

void throttle_leave(struct throttle *t, struct rate_user *u)
{
	struct rate_req *q;

	while ((q = rate_drop(&t->rate, u)))
		let_go(t, q, -ESTALE);
}

/* ---- parameters ---- */

int throttle_parse(const char *text, uint64_t *bps)
{
	uint64_t v = 0, unit = MB;

	if (!strcmp(text, "none")) {
		*bps = 0;
		return 0;
	}
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++) {
		v = v * 10 + (uint64_t)(*text - '0');
		if (v > MAX_MB)
			return -ERANGE;
	}
	v *= MB;
	if (*text == '.')
		for (text++; isdigit((unsigned char)*text) && unit > MB / 1000; text++) {
			unit /= 10;
			v += unit * (uint64_t)(*text - '0');
		}
	if (*text)
		return -EINVAL;
	if (v < MB || v > (uint64_t)MAX_MB * MB)
		return -ERANGE;
	*bps = v;
	return 0;
}

static int limit_get(void *arg, struct wbuf *w)
{
	struct throttle *t = arg;
	uint64_t v = READ(t->wish);
	char text[32] = "none";
	int n;

	if (v) {
		n = snprintf(text, sizeof(text), "%" PRIu64 ".%03" PRIu64, v / MB, v % MB / 1000);
		while (text[n - 1] == '0')
			text[--n] = 0;
		if (text[n - 1] == '.')
			text[n - 1] = 0;
	}
	wbuf_put(w, text, (uint32_t)strlen(text));
	return w->rc;
}

static int limit_set(void *arg, const char *value)
{
	struct throttle *t = arg;
	uint64_t v;
	int rc = throttle_parse(value, &v);

	if (rc)
		return rc;
	SET(t->wish, v);
	if (!__atomic_exchange_n(&t->posted, 1, __ATOMIC_ACQ_REL))
		loop_post(t->loop, &t->take);
	return 0;
}

static int stats_get(void *arg, struct wbuf *w)
{
	struct throttle *t = arg;
	char text[128];

	snprintf(text, sizeof(text),
		 "waiting: %" PRIu64 "\ndelayed: %" PRIu64 "\ndelayed_usecs: %" PRIu64,
		 READ(t->waiting), READ(t->delayed), READ(t->delayed_us));
	wbuf_put(w, text, (uint32_t)strlen(text));
	return w->rc;
}

static int add_params(struct throttle *t)
{
	char name[MAX_PARAM_NAME];
	int rc;

	snprintf(name, sizeof(name), "obdfilter.%s.rate_limit_mb", t->name);
	rc = param_add(t->params, name, limit_get, limit_set, t);
	snprintf(name, sizeof(name), "obdfilter.%s.rate_limit_stats", t->name);
	return rc ? rc : param_add(t->params, name, stats_get, NULL, t);
}

static void del_params(struct throttle *t)
{
	char name[MAX_PARAM_NAME];

	snprintf(name, sizeof(name), "obdfilter.%s.rate_limit_", t->name);
	if (t->params)
		param_del_prefix(t->params, name);
}

/* ---- life ---- */

int throttle_create(struct loop *l, struct params *ps, const char *name, struct throttle **out)
{
	struct throttle *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	t->loop = l;
	t->params = ps;
	t->name = name;
	t->timer = (struct loop_timer){.fn = pump, .arg = t};
	t->take = (struct loop_work){.fn = take, .arg = t};
	rc = ps ? add_params(t) : 0;
	if (rc) {
		del_params(t);
		free(t);
		return rc;
	}
	*out = t;
	return 0;
}

void throttle_co_stop(struct throttle *t)
{
	del_params(t);
	t->stopped = true;
	while (READ(t->posted))
		co_yield ();
	take(t);
}

void throttle_destroy(struct throttle *t)
{
	loop_timer_stop(t->loop, &t->timer);
	rate_fini(&t->rate);
	free(t);
}
