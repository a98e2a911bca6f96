/* SPDX-License-Identifier: Apache-2.0 */
/* lfsck_report.c - what the checker shows and lets be set: mdd.<name>.lfsck_*, by Lustre's names
 * where Lustre has one. */
#include "mds/lfsck.h"
#include <inttypes.h>

static const char *const status_names[] = {
	[LFSCK_INIT] = "init",           [LFSCK_SCANNING] = "scanning-phase1",
	[LFSCK_COMPLETED] = "completed", [LFSCK_PARTIAL] = "partial",
	[LFSCK_STOPPED] = "stopped",     [LFSCK_FAILED] = "failed",
};

static uint64_t sum(const uint64_t *n, enum check_part part)
{
	uint64_t all = 0;
	int k;

	for (k = 0; k < FINDING_KINDS; k++)
		if (finding_texts[k].part == part)
			all += n[k];
	return all;
}

static long long seconds(int64_t ns)
{
	return ns / NSEC_PER_SEC;
}

static void put_times(const struct lfsck *l, const struct lfsck_part *p, struct wbuf *w)
{
	uint64_t ns = p->status == LFSCK_SCANNING ? loop_now(l->m->loop) - p->began_ns : p->took_ns;
	uint64_t ms = ns / NSEC_PER_MSEC, items = p->checked + p->objects;

	(void)!text_put(w, "latest_start_time: %lld\nlast_completed_time: %lld\n",
			seconds(p->started), seconds(p->completed));
	if (p->completed)
		(void)!text_put(w, "time_since_last_completed: %lld seconds\n",
				seconds(loop_realtime(l->m->loop) - p->completed));
	(void)!text_put(w,
			"success_count: %u\nrun_time_phase1: %" PRIu64
			" seconds\naverage_speed_phase1: %" PRIu64 " items/sec\n",
			p->runs, ms / 1000, ms ? items * 1000 / ms : items);
}

static int put_part(const struct lfsck *l, enum check_part part, struct wbuf *w)
{
	const struct lfsck_part *p = &l->part[part];
	int k;

	(void)!text_put(w, "name: lfsck_%s\nstatus: %s\nparam: %s%s\n",
			part == CHECK_LAYOUT ? "layout" : "namespace", status_names[p->status],
			l->repair ? "" : "dryrun", l->out_of_repairs ? "out_of_repairs" : "");
	put_times(l, p, w);
	(void)!text_put(w, "checked_phase1: %" PRIu64 "\n", p->checked);
	if (part == CHECK_LAYOUT)
		(void)!text_put(w, "checked_phase2: %" PRIu64 "\n", p->objects);
	(void)!text_put(w,
			"skipped: %" PRIu64 "\ninconsistent_phase1: %" PRIu64
			"\nupdated_phase1: %" PRIu64 "\nfailed_phase1: %" PRIu64,
			p->skipped, sum(l->found, part), sum(l->fixed, part), sum(l->failed, part));
	for (k = 0; k < FINDING_KINDS; k++)
		if (finding_texts[k].part == part && l->found[k])
			(void)!text_put(w, "\n%s: %" PRIu64 " (%" PRIu64 " repaired)",
					finding_texts[k].name, l->found[k], l->fixed[k]);
	return w->rc;
}

static int get_namespace(void *arg, struct wbuf *w)
{
	return put_part(arg, CHECK_NAMESPACE, w);
}

static int get_layout(void *arg, struct wbuf *w)
{
	return put_part(arg, CHECK_LAYOUT, w);
}

static int get_findings(void *arg, struct wbuf *w)
{
	struct lfsck *l = arg;

	wbuf_put(w, l->told.ptr, l->told.len);
	return w->rc;
}

static int set_start(void *arg, const char *value)
{
	return lfsck_start(arg, value);
}

static int set_stop(void *arg, const char *value)
{
	return strcmp(value, "1") ? -EINVAL : lfsck_stop(arg);
}

int lfsck_params_add(struct lfsck *l)
{
	static const struct {
		const char *name;
		param_get_fn *get;
		param_set_fn *set;
	} list[] = {
		{"namespace", get_namespace, NULL}, {"layout", get_layout, NULL},
		{"findings", get_findings, NULL},   {"start", NULL, set_start},
		{"stop", NULL, set_stop},
	};
	struct params *ps = l->m->params;
	char name[MAX_PARAM_NAME + 1];
	size_t i;
	int rc = 0;

	for (i = 0; i < ARRAY_SIZE(list) && rc == 0; i++) {
		snprintf(name, sizeof(name), "mdd.%s.lfsck_%s", l->m->name, list[i].name);
		rc = param_add(ps, name, list[i].get, list[i].set, l);
	}
	if (rc)
		return rc;
	snprintf(name, sizeof(name), "mdd.%s.lfsck_speed_limit", l->m->name);
	rc = param_add_u32(ps, name, &l->speed_limit, 0, UINT32_MAX);
	snprintf(name, sizeof(name), "mdd.%s.lfsck_max_repairs", l->m->name);
	return rc ? rc : param_add_u32(ps, name, &l->max_repairs, 0, UINT32_MAX);
}
